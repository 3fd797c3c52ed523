"""What emitted source solves adjoint equations with: functions that are written out with it."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-warn-return-any

import numpy as np


def solve_adjoint(
    rates, adjoint, y0, start, points, y_bars, size, rtol=1e-3, atol=1e-6, **options
):
    """Cotangents of y0 and of parameters, `size` numbers, for those of y at each of the points.

    The rates are those of y, and, backwards, those of the cotangents.
    """
    from scipy.integrate import solve_ivp

    def solved(function, begin, end, first, rtol, atol, dense):
        span = (begin, end)
        found = solve_ivp(
            function, span, first, rtol=rtol, atol=atol, dense_output=dense, **options
        )
        if not found.success:
            raise RuntimeError(f"solve_ivp: {found.message}")
        return found

    count = len(y0)
    scale = np.max(np.abs(y_bars), initial=0.0)
    if scale == 0 or not np.isfinite(scale):
        return np.full(size, 0.0 if scale == 0 else np.nan)
    used = np.flatnonzero(np.any(y_bars, axis=1))
    used = used[np.argsort(-abs(points[used] - start), kind="stable")]
    stops = points[used]
    if np.any(stops > start) and np.any(stops < start):
        raise ValueError("the points in time are on both sides of the start")
    y = solved(rates, start, stops[0], y0, rtol, atol, True).sol
    # the cotangents are of size 1, whatever that of y
    rtol = np.min(rtol)
    atol = min(rtol, np.min(atol))
    bars = np.zeros(size)
    for stop, before, y_bar in zip(stops, [*stops[1:], start], y_bars[used], strict=True):
        bars[:count] += y_bar / scale
        if stop != before:
            backwards = solved(
                lambda t, z: adjoint(t, y(t), z[:count]), stop, before, bars, rtol, atol, False
            )
            bars = backwards.y[:, -1]
    return scale * bars


def solve_along(
    solve, rates, adjoint, y0, start, points, y_bars, direction, size, **options
):
    """How what `solve` gives, `size` numbers, moves along a direction of y0 and of parameters.

    The rates are those of the tangent of y, and y itself.
    """
    scale = np.max(np.abs(direction), initial=0.0)
    if scale == 0 or not np.isfinite(scale):
        return np.full(size, 0.0 if scale == 0 else np.nan)
    direction = direction / scale
    count = len(y0)
    bars = solve(
        lambda t, z: rates(direction, t, z),
        lambda t, z, z_bar: adjoint(direction, t, z, z_bar),
        np.concatenate([direction[:count], y0]),
        start,
        points,
        np.concatenate([y_bars, np.zeros_like(y_bars)], axis=1),
        count + size,
        **options,
    )
    return scale * bars[count:]
