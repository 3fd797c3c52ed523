"""Methods of ufuncs: reduce, accumulate, reduceat and outer, of any ufunc of two operands.

The derivative of a fold is made of the partials of its ufunc, which its record states.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import placing
from symdiff.ops.primitive import (
    BY_FUNCTION,
    Partial,
    Primitive,
    Samples,
    asks_for,
    case,
    composite,
    primitive,
    resolve,
    whole_array,
)
from symdiff.ops.recurrence import recurrence
from symdiff.ops.reductions import BY_RECURRENCE, Axes, axes_of, merged, one_axis, reduced_shape

# ---------------------------------------------------------------------------- partials


def _record(ufunc: str) -> Primitive:
    return BY_FUNCTION[getattr(np, ufunc)]


def _partial(ufunc: str, argument: str, y: Any, x1: Any, x2: Any) -> Any:
    """The derivative of one step of a fold."""
    rule = _record(ufunc).rules[argument]
    if not isinstance(rule, Partial):
        raise NotImplementedError(f"the derivative of np.{ufunc}.reduce is not traced")
    options = {"tie": ""} if asks_for(rule.coefficient, "tie") else {}
    found = rule.coefficient(y, x1, x2, **options)
    return found if np.ndim(found) else np.full_like(x2, found)


# In these any element may come last: the derivative in each is that of a last step.
_LAST = ("logaddexp", "logaddexp2", "hypot")


def _span(axis: int, *bounds: int | None) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(*bounds))


def _steps(ufunc: str, y: Any, x: Any, axis: int) -> tuple[Any, Any]:
    """The derivatives of each step of a running fold in what came before, and in the element."""
    after, before, here = y[_span(axis, 1, None)], y[_span(axis, -1)], x[_span(axis, 1, None)]
    return _partial(ufunc, "x1", after, before, here), _partial(ufunc, "x2", after, before, here)


# ---------------------------------------------------------------------------- reduce


def _reduce(x: Any, ufunc: str, axis: Axes, keepdims: bool) -> Any:
    """What remains of the elements along axes: f(f(x0, x1), x2), and so on."""
    along = axis if len(axis) != 1 else axis[0]
    return getattr(np, ufunc).reduce(x, along, keepdims=keepdims)


def _reduced_type(x: ArrayType, ufunc: str, axis: Axes, keepdims: bool) -> ArrayType:
    return array_type(_loop(getattr(np, ufunc), x.dtype), reduced_shape(x.shape, axis, keepdims))


def _loop(ufunc: np.ufunc, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the result of a fold."""
    return resolve(ufunc, (dtype, dtype))[-1]


def _reduce_tangent(y: Any, x: Any, x_dot: Any, ufunc: str, axis: Axes, keepdims: bool) -> Any:
    (rows, place), (rows_dot, _) = merged(x, axis), merged(x_dot, axis)
    if ufunc in _LAST:
        shape = reduced_shape(np.shape(rows), (place,), True) if np.ndim(rows) > 1 else ()
        whole = np.reshape(y, shape) if np.ndim(y) else y
        weights = _shares(ufunc, whole, rows, place)
    else:
        running = fold(rows, ufunc=ufunc, axis=place)
        weights = _weights(*_steps(ufunc, running, rows, place), rows, place)
    return np.reshape(np.sum(rows_dot * weights, place), np.shape(y))


def _shares(ufunc: str, y: Any, x: Any, axis: int) -> Any:
    """The derivative of a reduction in each element, where any may come last."""
    if ufunc == "hypot":
        return _partial(ufunc, "x2", y, x, x)
    power = np.exp if ufunc == "logaddexp" else np.exp2
    top = np.max(x, axis=axis, keepdims=True)
    odds = power(x - np.where(np.isfinite(top), top, 0))
    total = np.sum(odds, axis=axis, keepdims=True)
    return odds / np.where(total == 0, 1, total)


def _weights(before: Any, here: Any, x: Any, axis: int) -> Any:
    """How much of each element is left at the end: its own share of what all later ones keep."""
    first = np.ones_like(x[_span(axis, 1)])
    kept = np.flip(np.cumprod(np.flip(np.concatenate([before, first], axis), axis), axis), axis)
    return np.concatenate([first, here], axis) * kept


def _source(method: str) -> Callable[..., str]:
    def source(
        x: str, ufunc: str, axis: Any, types: tuple[ArrayType, ...], keepdims: bool = False
    ) -> str:
        axes = axis if isinstance(axis, tuple) else (axis,)
        along = axes[0] if len(axes) == 1 else axes
        options = "" if along == 0 else f", axis={along}"
        options += ", keepdims=True" if keepdims else ""
        return f"np.{ufunc}.{method}({x}{options})"

    return source


fold_away: Primitive = primitive(
    _reduce,
    name="ufunc_reduce",
    result=_reduced_type,
    jvp={"x": _reduce_tangent},
    batch=lambda x, ufunc, axis, keepdims: fold_away(
        x, ufunc=ufunc, axis=tuple(i + 1 for i in axis), keepdims=keepdims
    ),
    numpy=_source("reduce"),
    samples=Samples(
        low=0.5,
        cases=(
            case("f[4]", ufunc="logaddexp", axis=(0,), keepdims=False),
            case("f[3,4]", ufunc="hypot", axis=(0, 1), keepdims=True),
            case("f[3,4]", ufunc="subtract", axis=(1,), keepdims=False),
            case("f[3,4]", ufunc="divide", axis=(0,), keepdims=False),
            case("f[1]", ufunc="divide", axis=(0,), keepdims=False),
            case("i[4]", ufunc="bitwise_or", axis=(0,), keepdims=False),
        ),
    ),
)


@composite(np.ufunc.reduce)
def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    **options: Any,
) -> Any:
    """What remains of an array along axes when elements are combined one after the other."""
    known = _REDUCTIONS.get(ufunc)
    if known is not None:
        options |= {} if dtype is None else {"dtype": dtype}
        return known(array, axis, keepdims=keepdims, **options)
    if options:
        raise NotImplementedError(
            f"{' and '.join(options)}= of np.{ufunc.__name__}.reduce is not traced"
        )
    if ufunc in _UNRELIABLE:
        raise NotImplementedError(
            f"np.{ufunc.__name__}.reduce, which is wrong on some processors, is not traced; "
            f"functools.reduce(np.{ufunc.__name__}, x) is"
        )
    axes = axes_of(array, axis)
    if len(axes) > 1 and ufunc.identity is None:
        raise ValueError(
            f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may "
            "be specified"
        )
    array = _foldable(ufunc, array, dtype)
    return fold_away(array, ufunc=ufunc.__name__, axis=axes, keepdims=bool(keepdims))


def _foldable(ufunc: np.ufunc, array: Any, dtype: Any) -> Any:
    """The array in the dtype in which a fold computes. Raises where there is no such fold."""
    if ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature:
        raise ValueError("only supported for binary functions that return one value")
    if getattr(np, ufunc.__name__, None) is not ufunc or ufunc not in BY_FUNCTION:
        raise NotImplementedError(f"the methods of np.{ufunc.__name__} are not traced")
    loop = _loop(ufunc, array.dtype if dtype is None else np.dtype(dtype))
    return array if array.dtype == loop else array.astype(loop)


_RUNNING: dict[np.ufunc, Callable[..., Any]] = {np.add: np.cumsum, np.multiply: np.cumprod}
_REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.fmax: np.nanmax,
    np.fmin: np.nanmin,
    np.logical_and: np.all,
    np.logical_or: np.any,
}

_UNRELIABLE = {np.power, np.arctan2}  # their vector loops miss that a fold reads what it writes

# ---------------------------------------------------------------------------- accumulate


def _accumulate(x: Any, ufunc: str, axis: int) -> Any:
    """All that a fold along an axis comes by."""
    return getattr(np, ufunc).accumulate(x, axis)


def _accumulate_tangent(y: Any, x: Any, x_dot: Any, ufunc: str, axis: int) -> Any:
    if ufunc in ("maximum", "minimum"):
        return _record_tangent(y, x_dot, axis)
    before, here = _steps(ufunc, y, x, axis)
    first, others = x_dot[_span(axis, 1)], x_dot[_span(axis, 1, None)]
    factor = np.concatenate([np.zeros_like(first), before], axis)
    return recurrence(factor, np.concatenate([first, here * others], axis), axis=axis)


def _record_tangent(y: Any, x_dot: Any, axis: int) -> Any:
    """A running extreme moves with the element that it is: the first of those that are equal."""
    extent, later = np.shape(y)[axis], (-1, *(1,) * (np.ndim(y) - 1 - axis))
    change = y[_span(axis, 1, None)] != y[_span(axis, -1)]
    places = np.where(change, np.reshape(np.arange(1, extent), later), 0)
    start = np.zeros_like(places[_span(axis, 1)], shape=np.shape(y[_span(axis, 1)]))
    places = fold(np.concatenate([start, places], axis), ufunc="maximum", axis=axis)
    moved = x_dot[places] if np.ndim(y) == 1 else np.take_along_axis(x_dot, places, axis)
    return np.where(np.isnan(y), np.nan, moved)


fold: Primitive = primitive(
    _accumulate,
    name="ufunc_accumulate",
    result=lambda x, ufunc, axis: array_type(_loop(getattr(np, ufunc), x.dtype), x.shape),
    jvp={"x": _accumulate_tangent},
    batch=lambda x, ufunc, axis: fold(x, ufunc=ufunc, axis=axis + 1),
    numpy=_source("accumulate"),
    convention="np.maximum.accumulate moves with the first of the elements that are equal.",
    samples=Samples(
        low=0.5,
        cases=(
            case("f[5]:distinct", ufunc="maximum", axis=0),
            case("f[3,4]:distinct", ufunc="minimum", axis=1),
            case("f[5]", ufunc="logaddexp", axis=0),
            case("f[3,2]", ufunc="hypot", axis=0),
            case("f[4]", ufunc="divide", axis=0),
            case("f[1]", ufunc="subtract", axis=0),
            case("i[4]", ufunc="bitwise_xor", axis=0),
        ),
    ),
)


@composite(np.ufunc.accumulate, cost=BY_RECURRENCE)
def accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None) -> Any:
    """All that an array comes by when elements are combined one after the other."""
    known = _RUNNING.get(ufunc)
    if known is not None:
        return known(array, axis, dtype)
    array = _foldable(ufunc, array, dtype)
    if not np.size(array):
        return np.copy(array)
    return fold(array, ufunc=ufunc.__name__, axis=one_axis(axis, np.ndim(array)))


# ---------------------------------------------------------------------------- reduceat, outer


@composite(np.ufunc.reduceat, cost="is written out, one reduction for each segment")
def reduceat(
    ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None
) -> Any:
    """Folds of segments, each from one index to the next, or of one element."""
    axis, starts = one_axis(axis, np.ndim(array)), [operator.index(i) for i in indices]
    extent = np.shape(array)[axis]
    if any(not 0 <= start < extent for start in starts):
        raise IndexError(f"index {max(starts)} out-of-bounds in {ufunc.__name__}.reduceat")
    array = _foldable(ufunc, array, dtype)
    rising = all(start < stop for start, stop in pairwise(starts))
    if ufunc is np.add and rising and starts and array.dtype.kind in "fc":
        return placing.segment_sums(array, indices=tuple(starts), axis=axis)
    stops = [*starts[1:], extent]
    parts = [
        array[_span(axis, start, max(stop, start + 1))]
        for start, stop in zip(starts, stops, strict=True)
    ]
    return np.concatenate([ufunc.reduce(each, axis, keepdims=True) for each in parts], axis)


@composite(np.ufunc.outer)
def outer(ufunc: np.ufunc, A: Any, B: Any, /, **options: Any) -> Any:
    """The ufunc of all pairs of elements."""
    if ufunc.signature:
        raise ValueError("outer product is not supported for functions of whole arrays")
    A, B = whole_array(A), whole_array(B)
    return ufunc(np.reshape(A, (*np.shape(A), *(1,) * np.ndim(B))), B, **options)
