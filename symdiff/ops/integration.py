"""scipy.integrate: rules of a fixed number of points, of samples and of functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import integrate, special

from symdiff.ops.primitive import composite
from symdiff.ops.reductions import one_axis


def _samples(y: Any) -> Any:
    return y if hasattr(y, "dtype") else np.asarray(y)


def _part(axis: int, *bounds: int | None) -> tuple[Any, ...]:
    """The index that takes a slice along an axis."""
    return (*[slice(None)] * axis, slice(*bounds))


def _at(a: Any, axis: int, place: int) -> Any:
    return a[(*[slice(None)] * axis, place)]


def _along(x: Any, y: Any, axis: int) -> Any:
    """Sample points so that they broadcast against y; 1-D ones lie along the axis."""
    if np.ndim(x) == 1:
        x = np.reshape(x, [-1 if i == axis else 1 for i in range(np.ndim(y))])
    if np.shape(x)[axis] != np.shape(y)[axis]:
        raise ValueError("If given, length of x along axis must be the same as y.")
    return x


@composite(integrate.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As np.trapezoid."""
    return np.trapezoid(y, x, dx=dx, axis=axis)


@composite(integrate.cumulative_trapezoid)
def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """The integrals up to each sample, by the trapezoidal rule."""
    y = _samples(y)
    axis = one_axis(axis, np.ndim(y))
    width = dx if x is None else np.diff(_along(_samples(x), y, axis), axis=axis)
    areas = width * (y[_part(axis, 1, None)] + y[_part(axis, None, -1)]) / 2.0
    sums = np.cumsum(areas, axis=axis)
    if initial is None:
        return sums
    if initial != 0:
        raise ValueError("`initial` must be `None` or `0`.")
    return np.concatenate([np.zeros_like(sums[_part(axis, 0, 1)]), sums], axis=axis)


@composite(integrate.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral by parabolas through three samples each."""
    y = _samples(y)
    axis = one_axis(axis, np.ndim(y))
    count = np.shape(y)[axis]
    x = None if x is None else _along(_samples(x), y, axis)
    if count % 2:
        return _parabolas(y, x, dx, axis, count - 2)
    last = _at(y, axis, -1), _at(y, axis, -2)
    if count == 2:
        width = dx if x is None else _at(x, axis, -1) - _at(x, axis, -2)
        return 0.5 * width * (last[0] + last[1])
    third = _at(y, axis, -3)
    if x is None:
        before = after = dx
    else:
        widths = np.diff(x, axis=axis)
        before, after = _at(widths, axis, -2), _at(widths, axis, -1)
    # the last interval, by the parabola through the last three samples
    alpha = (2 * after**2 + 3 * before * after) / (6 * (after + before))
    beta = (after**2 + 3.0 * before * after) / (6 * before)
    eta = after**3 / (6 * before * (before + after))
    rest = _parabolas(y, x, dx, axis, count - 3)
    return rest + (alpha * last[0] + beta * last[1] - eta * third)


def _parabolas(y: Any, x: Any, dx: Any, axis: int, stop: int) -> Any:
    """The composite rule for an even number of intervals, the last of them up to `stop` + 1."""
    first, middle, last = (y[_part(axis, i, stop + i, 2)] for i in range(3))
    if x is None:
        return np.sum(first + 4.0 * middle + last, axis=axis) * (dx / 3.0)
    widths = np.diff(x, axis=axis)
    left, right = (widths[_part(axis, i, stop + i, 2)] for i in range(2))
    both = left + right
    weighted = (
        first * (2.0 - right / left) + middle * (both * both / (left * right))
        + last * (2.0 - left / right)
    )
    return np.sum(both / 6.0 * weighted, axis=axis)


@composite(integrate.romb)
def romb(y: Any, dx: Any = 1.0, axis: int = -1, show: bool = False) -> Any:
    """The integral by Romberg's extrapolation, of one more than a power of 2 samples."""
    if show:
        raise NotImplementedError("scipy.integrate.romb with show= is not traced")
    y = np.moveaxis(_samples(y), axis, 0)
    intervals = np.shape(y)[0] - 1
    levels = intervals.bit_length() - 1
    if intervals != 1 << levels:
        raise ValueError("Number of samples must be one plus a non-negative power of 2.")
    width = np.float64(intervals) * dx  # as SciPy, in doubles whatever the samples are in
    row = [(y[0] + y[-1]) / 2.0 * width]
    for level in range(1, levels + 1):
        step = intervals >> level
        next_row = [0.5 * (row[0] + width * np.sum(y[step::2 * step], axis=0))]
        for order, above in enumerate(row, 1):
            next_row.append(next_row[-1] + (next_row[-1] - above) / ((1 << (2 * order)) - 1))
        row, width = next_row, width / 2.0
    return row[-1]


@composite(integrate.fixed_quad)
def fixed_quad(
    func: Callable[..., Any], a: Any, b: Any, args: Sequence[Any] = (), n: int = 5
) -> tuple[Any, None]:
    """The integral of a function of an array by Gauss and Legendre's rule of n points."""
    points, weights = special.roots_legendre(n)
    y = (b - a) * (points + 1) / 2.0 + a
    return (b - a) / 2.0 * np.sum(weights * func(y, *args), axis=-1), None
