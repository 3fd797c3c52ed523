"""Functions of sequences: differences, slopes, running sums, phases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    Primitive,
    Samples,
    array_of,
    case,
    composite,
    is_plain,
    primitive,
)
from symdiff.ops.reductions import BY_RECURRENCE, along, axes_of, one_axis, reduced_shape
from symdiff.ops.render import dtype_source
from symdiff.ops.shaping import index_add

# ---------------------------------------------------------------------------- differences


@composite(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The differences of neighbours, n times."""
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if n == 0:
        return a
    if not np.ndim(a):
        raise ValueError("diff requires input that is at least one dimensional")
    axis = one_axis(axis, np.ndim(a))
    a = _between(prepend, array_of(a), append, axis)
    for _ in range(n):
        earlier, later = a[along(axis, None, -1)], a[along(axis, 1, None)]
        a = later != earlier if a.dtype == bool else later - earlier
    return a


def _between(before: Any, a: Any, after: Any, axis: int) -> Any:
    """a with other elements before and after it."""
    if before is None and after is None:
        return a
    shape = list(np.shape(a))
    shape[axis] = 1
    ends = [
        np.broadcast_to(each, shape) if each is not None and np.ndim(each) == 0 else each
        for each in (before, after)
    ]
    return np.concatenate([each for each in (ends[0], a, ends[1]) if each is not None], axis)


@composite(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of neighbours among all elements, between others."""
    ary = array_of(ary)
    if ary.dtype.kind == "b":
        raise TypeError("numpy boolean subtract, the `-` operator, is not supported")
    parts = [_own_dtype(to_begin, ary), np.diff(np.ravel(ary)), _own_dtype(to_end, ary)]
    parts = [np.ravel(each) for each in parts if each is not None]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _own_dtype(ends: Any, a: Any) -> Any:
    """What stands before or behind differences of a, in its dtype."""
    if ends is None:
        return None
    ends = array_of(ends)
    if not np.can_cast(ends.dtype, a.dtype, "same_kind"):
        raise TypeError("dtype of the ends must be compatible with input under the same_kind rule")
    return ends.astype(a.dtype)


@composite(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral by the trapezoidal rule."""
    y, place = array_of(y), one_axis(axis, np.ndim(y))
    if x is not None:
        dx = np.diff(x, axis=axis if np.ndim(x) > 1 else -1)
        if np.ndim(dx) == 1:
            dx = np.reshape(dx, (-1, *(1,) * (np.ndim(y) - 1 - place)))
    earlier, later = y[along(place, None, -1)], y[along(place, 1, None)]
    return np.sum(dx * (later + earlier) / 2.0, axis)


# ---------------------------------------------------------------------------- slopes of samples


def _slopes(f: Any, *spacing: Any, step: float, axis: int, edge_order: Any) -> Any:
    """np.gradient along one axis, of samples that are evenly spaced: by a number, or an operand."""
    return np.gradient(f, *spacing or (step,), axis=axis, edge_order=edge_order)


def _slopes_adjoint(
    y_bar: Any, f: Any, *spacing: Any, step: float, axis: int, edge_order: int
) -> Any:
    """Each difference subtracts from one element what it adds to another."""
    y_bar = y_bar / (spacing[0] if spacing else step)
    total = np.zeros_like(f)

    def add(value: Any, start: int | None, stop: int | None) -> None:
        nonlocal total
        total = index_add(total, value, index=_static(axis, start, stop))

    inner = 0.5 * y_bar[along(axis, 1, -1)]
    first, last = y_bar[along(axis, None, 1)], y_bar[along(axis, -1, None)]
    add(inner, 2, None)
    add(-inner, None, -2)
    if edge_order == 1:
        add(first, 1, 2)
        add(-first, None, 1)
        add(last, -1, None)
        add(-last, -2, -1)
    else:
        for i, weight in enumerate((-1.5, 2.0, -0.5)):
            add(weight * first, i, i + 1)
            add(-weight * last, -1 - i, -i or None)
    return total


def _static(axis: int, start: int | None, stop: int | None) -> tuple[Any, ...]:
    """The index of `index_add` that slices one axis."""
    return (*(("slice", None, None, None),) * axis, ("slice", start, stop, None))


def _slopes_source(
    f: str, *spacing: str, step: float, axis: int, edge_order: int, types: tuple[ArrayType, ...]
) -> str:
    spacing = spacing or (() if step == 1 else (repr(step),))
    place = f", axis={axis}" if types[0].ndim > 1 else ""
    order = f", edge_order={edge_order}" if edge_order > 1 else ""
    return f"np.gradient({', '.join([f, *spacing])}{place}{order})"


slopes: Primitive = primitive(
    _slopes,
    name="slopes",
    arguments=("f", "spacing"),
    variadic=True,
    result=lambda f, *spacing, **params: f,
    transpose={"f": _slopes_adjoint},
    jvp={"spacing": lambda y, f, h, h_dot, **params: -y / h * h_dot},
    batch=lambda f, *spacing, axis, **params: slopes(f, axis=axis + 1, **params)
    / _column(spacing, f),
    numpy=_slopes_source,
    samples=Samples(
        low=(-2.0, 0.5),
        cases=(
            case("f[5]", step=1, axis=0, edge_order=1),
            case("f[5]", "f[]", step=1, axis=0, edge_order=2),
            case("f[2,3]", "f[]", step=1, axis=1, edge_order=1),
            case("f[2]", step=0.5, axis=0, edge_order=1),
            case("c[4]", step=1, axis=0, edge_order=2),
        ),
    ),
)


def _column(spacing: tuple[Any, ...], f: Any) -> Any:
    """A batch of spacings, to divide by."""
    return np.reshape(spacing[0], (-1, *(1,) * (np.ndim(f) - 1))) if spacing else 1.0


def _slopes_between(f: Any, x: Any, axis: int, edge_order: int) -> Any:
    """np.gradient along one axis, of samples at coordinates x."""
    steps = np.reshape(np.diff(x), (-1, *(1,) * (np.ndim(f) - 1 - axis)))

    def step(i: int) -> Any:
        return steps[i : i + 1 or None]

    def at(start: int | None, stop: int | None) -> Any:
        return f[along(axis, start, stop)]

    before, after = steps[:-1], steps[1:]
    inner = (
        -after / (before * (before + after)) * at(None, -2)
        + (after - before) / (before * after) * at(1, -1)
        + before / (after * (before + after)) * at(2, None)
    )
    if edge_order == 1:
        first = (at(1, 2) - at(None, 1)) / step(0)
        last = (at(-1, None) - at(-2, -1)) / step(-1)
    else:
        near, far = step(0), step(1)
        first = (
            -(2.0 * near + far) / (near * (near + far)) * at(0, 1)
            + (near + far) / (near * far) * at(1, 2)
            - near / (far * (near + far)) * at(2, 3)
        )
        far, near = step(-2), step(-1)
        last = (
            near / (far * (far + near)) * at(-3, -2)
            - (near + far) / (far * near) * at(-2, -1)
            + (2.0 * near + far) / (near * (far + near)) * at(-1, None)
        )
    return np.concatenate([first, inner, last], axis).astype(f.dtype)


@composite(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes along each axis, from samples that are evenly spaced or at coordinates."""
    f = array_of(f)
    given = (axis,) if isinstance(axis, int) else axis
    axes = tuple(one_axis(i, np.ndim(f)) for i in (range(np.ndim(f)) if axis is None else given))
    spacings = varargs * len(axes) if len(varargs) == 1 and not np.ndim(varargs[0]) else varargs
    if spacings and len(spacings) != len(axes):
        raise ValueError("np.gradient takes one spacing, or one for each axis")
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind == "b":
        raise TypeError("numpy boolean subtract, the `-` operator, is not supported")
    if f.dtype.kind not in "fc":
        f = f.astype(np.float64)
    out = [
        _along_axis(f, spacings[i] if spacings else None, axis, edge_order)
        for i, axis in enumerate(axes)
    ]
    return out[0] if len(out) == 1 else tuple(out)


def _along_axis(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    extent = np.shape(f)[axis]
    if extent < edge_order + 1:
        raise ValueError("at least (edge_order + 1) elements are required along each axis")
    options = {"axis": axis, "edge_order": edge_order}
    if spacing is None or type(spacing) in (int, float):
        return slopes(f, step=spacing or 1, **options)
    if np.ndim(spacing) == 0:
        return slopes(f, spacing, step=1, **options)
    if np.ndim(spacing) != 1:
        raise ValueError("distances must be either scalars or 1d")
    if np.shape(spacing)[0] != extent:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    if is_plain(spacing) or isinstance(spacing, (list, tuple)):
        steps = np.diff(np.asarray(spacing, np.result_type(np.asarray(spacing), np.float32)))
        if (steps == steps[0]).all():
            return slopes(f, step=float(steps[0]), **options)
    return _slopes_between(f, spacing, axis, edge_order)


# ---------------------------------------------------------------------------- running sums


def _cumulative(function: Callable[..., Any], neutral: int) -> Callable[..., Any]:
    def cumulative(
        x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
    ) -> Any:
        x = np.atleast_1d(x)
        if axis is None and np.ndim(x) > 1:
            raise ValueError("For arrays which have more than one dimension axis= is required.")
        axis = one_axis(0 if axis is None else axis, np.ndim(x))
        running = function(x, axis=axis, dtype=dtype)
        if not include_initial:
            return running
        shape = list(np.shape(running))
        shape[axis] = 1
        return np.concatenate([np.full(shape, neutral, running.dtype), running], axis)

    return cumulative


composite(np.cumulative_sum)(_cumulative(np.cumsum, 0))
composite(np.cumulative_prod, cost=BY_RECURRENCE)(_cumulative(np.cumprod, 1))


@composite(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """The running sum of what is a number."""
    return np.cumsum(_instead_of_nan(a, 0), axis, dtype)


@composite(np.nancumprod, cost=BY_RECURRENCE)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """The running product of what is a number."""
    return np.cumprod(_instead_of_nan(a, 1), axis, dtype)


def _instead_of_nan(a: Any, value: float) -> Any:
    return np.where(np.isnan(a), value, a) if a.dtype.kind in "fc" else a


def _nanvar(
    x: Any, axis: tuple[int, ...], ddof: float, keepdims: bool, dtype: Any = None
) -> Any:
    return np.nanvar(x, axis, dtype, ddof=ddof, keepdims=keepdims)


def _nanvar_type(
    x: ArrayType, axis: tuple[int, ...], ddof: float, keepdims: bool, dtype: Any = None
) -> ArrayType:
    made = np.nanvar(np.zeros(2, x.dtype), dtype=dtype).dtype
    return array_type(made, reduced_shape(x.shape, axis, keepdims))


def _nanvar_tangent(
    y: Any, x: Any, x_dot: Any, axis: tuple[int, ...], ddof: float, **options: Any
) -> Any:
    """What the mean moves does not count: the distances from it cancel."""
    missing = np.isnan(x)
    count = np.sum(~missing, axis=axis, keepdims=True)
    distance = np.where(missing, 0, x - np.nanmean(x, axis=axis, keepdims=True))
    change = np.conj(distance) * x_dot if np.iscomplexobj(x) else distance * x_dot
    total = np.sum(np.real(change), axis=axis, keepdims=True)
    freedom = np.where(count > ddof, count - ddof, np.nan).astype(total.dtype)
    return np.reshape(2 * total / freedom, np.shape(y)).astype(y.dtype)


def _nanvar_batch(x: Any, axis: tuple[int, ...], **options: Any) -> Any:
    return nanvar(x, axis=tuple(i + 1 for i in axis), **options)


def _nanvar_source(
    x: str,
    axis: tuple[int, ...],
    ddof: float,
    keepdims: bool,
    types: tuple[ArrayType, ...],
    dtype: Any = None,
) -> str:
    place = f", axis={axis[0] if len(axis) == 1 else axis}" if len(axis) < types[0].ndim else ""
    options = f", dtype={dtype_source(dtype)}" if dtype is not None else ""
    options += f", ddof={ddof}" if ddof else ""
    return f"np.nanvar({x}{place}{options}{', keepdims=True' if keepdims else ''})"


nanvar: Primitive = primitive(
    _nanvar,
    name="nanvar",
    result=_nanvar_type,
    jvp={"x": _nanvar_tangent},
    batch=_nanvar_batch,
    numpy=_nanvar_source,
    samples=Samples(
        cases=(
            case("f[4]", axis=(0,), ddof=0, keepdims=False),
            case("f[3,4]", axis=(1,), ddof=1, keepdims=True),
            case("f[2,3,2]", axis=(0, 2), ddof=0.5, keepdims=False),
            case("c[3]", axis=(0,), ddof=0, keepdims=False),
            case("i[4]", axis=(0,), ddof=0, keepdims=False),
        )
    ),
)


@composite(np.nanvar)
def _variance(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: Any = False,
) -> Any:
    """The mean square distance from the mean, of what is a number."""
    params = {} if dtype is None else {"dtype": np.dtype(dtype)}
    freedom = ddof if correction is None else correction
    axes = axes_of(a, axis)
    return nanvar(a, axis=axes, ddof=freedom, keepdims=bool(keepdims), **params)


@composite(np.nanstd)
def nanstd(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    """The root of np.nanvar. At zero variance, a kink, the derivative is 0."""
    variance = np.nanvar(a, axis, dtype, **options)
    constant = variance == 0
    return np.where(constant, 0, np.sqrt(np.where(constant, 1, variance)))


# ---------------------------------------------------------------------------- phases


def _unwrap_call(
    p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi
) -> tuple[tuple[Any], dict[str, Any]]:
    for each in (discont, period):
        if each is not None and not is_plain(each):
            raise NotImplementedError("np.unwrap with a traced period or discont is not traced")
    period = period if type(period) is int else float(period)
    discont = None if discont is None else float(discont)
    return (p,), {"discont": discont, "axis": one_axis(axis, np.ndim(p)), "period": period}


def _unwrap_type(p: ArrayType, period: Any, **options: Any) -> ArrayType:
    return p.with_dtype(np.unwrap(np.zeros(2, p.dtype), period=period).dtype)


def _unwrap_source(
    p: str, discont: Any, axis: int, period: Any, types: tuple[ArrayType, ...]
) -> str:
    options = "" if discont is None else f", discont={discont!r}"
    options += "" if axis == types[0].ndim - 1 else f", axis={axis}"
    options += "" if period == 2 * np.pi else f", period={period!r}"
    return f"np.unwrap({p}{options})"


unwrap = primitive(
    np.unwrap,
    result=_unwrap_type,
    jvp={"p": lambda y, p, p_dot, **params: p_dot},
    call=_unwrap_call,
    batch=lambda p, axis, **params: np.unwrap(p, axis=axis + 1, **params),
    numpy=_unwrap_source,
    convention="np.unwrap adds constants: a jump of just half a period has no derivative.",
    samples=Samples(
        low=-6.0,
        high=6.0,
        cases=(
            case("f[5]", discont=None, axis=0, period=2 * np.pi),
            case("f[2,3]", discont=4.0, axis=0, period=6.0),
            case("i[4]", discont=None, axis=0, period=4),
        ),
    ),
)
