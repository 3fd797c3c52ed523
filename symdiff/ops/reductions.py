"""Reductions along axes, running ones, and order."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    Called,
    Core,
    Fold,
    Primitive,
    Samples,
    array_of,
    case,
    linear,
    primitive,
)

Axes = tuple[int, ...]


def normalize_axes(axis: Any, ndim: int) -> Axes:
    """`axis` as NumPy takes it (None, int or tuple) to a tuple of axes from 0 to ndim - 1.

    Raises numpy.exceptions.AxisError where an axis is out of range, ValueError if one stands twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = [operator.index(each) for each in axes]
    for each in axes:
        if not -ndim <= each < ndim:
            raise np.exceptions.AxisError(each, ndim)
    places = {each % ndim for each in axes}
    if len(places) < len(axes):
        raise ValueError("duplicate value in 'axis'")
    return tuple(sorted(places))


def axes_of(a: Any, axis: Any) -> Axes:
    """The axes over which NumPy reduces: of a number, it takes axis 0 and -1 for none."""
    ndim = np.ndim(a)
    return () if _is_that_of_a_number(axis, ndim) else normalize_axes(axis, ndim)


def _is_that_of_a_number(axis: Any, ndim: int) -> bool:
    return ndim == 0 and isinstance(axis, (int, np.integer)) and axis in (0, -1)


def one_axis(axis: Any, ndim: int) -> int:
    """An axis counted from the front.

    Raises numpy.exceptions.AxisError where there is none, TypeError for a tuple of axes.
    """
    return normalize_axes(operator.index(axis), ndim)[0]


def reduced_shape(shape: Axes, axis: Axes, keepdims: bool) -> Axes:
    """The shape after reducing over `axis`."""
    if keepdims:
        return tuple(1 if i in axis else extent for i, extent in enumerate(shape))
    return tuple(extent for i, extent in enumerate(shape) if i not in axis)


def expand(reduced: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """A reduced array so that it broadcasts against x: with its axes back as 1, or as a scalar."""
    if keepdims or np.ndim(reduced) in (0, np.ndim(x)):
        return reduced
    return np.reshape(reduced, reduced_shape(tuple(np.shape(x)), axis, True))


# ---------------------------------------------------------------------------- sums


def accumulator(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that NumPy sums and multiplies in: small integers and booleans are widened."""
    return np.add.reduce(np.empty(0, dtype)).dtype  # type: ignore[no-any-return]


def reduced_type(x: ArrayType, axis: Axes, keepdims: bool) -> ArrayType:
    """A result of the dtype of the operand."""
    return array_type(x.dtype, reduced_shape(x.shape, axis, keepdims))


def _sum_type(
    x: ArrayType, axis: Axes, keepdims: bool, dtype: np.dtype[Any] | None = None
) -> ArrayType:
    return array_type(dtype or accumulator(x.dtype), reduced_shape(x.shape, axis, keepdims))


def _sum_call(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    params = {"axis": axes_of(a, axis), "keepdims": bool(keepdims)}
    if dtype is not None and np.dtype(dtype).kind == "c":
        a = a.astype(dtype)
    elif dtype is not None and np.dtype(dtype) != accumulator(a.dtype):
        # not converted before: NumPy converts block by block, and adds in the order of the blocks
        params["dtype"] = np.dtype(dtype)
    return _with_extras(sum_, a, params, where, initial)


def _with_extras(of: Primitive, a: Any, params: dict[str, Any], where: Any, initial: Any) -> Any:
    """The call of a reduction, which is of another record where it has a mask or a start."""
    if where is None and initial is None:
        return (a,), params
    from symdiff.ops import masked  # for few programs

    return masked.with_extras(of, a, params, where, initial)


def _sum_transpose(
    y_bar: Any, x: Any, axis: Axes, keepdims: bool, dtype: np.dtype[Any] | None = None
) -> Any:
    spread = np.broadcast_to(expand(y_bar, x, axis, keepdims), np.shape(x))
    return spread if dtype is None else spread.astype(x.dtype)


REDUCTION_CASES = (
    case("f[3,4]", axis=(0,), keepdims=False),
    case("f[3,4]", axis=(1,), keepdims=True),
    case("f[3,4]", axis=(0, 1), keepdims=False),
    case("f[2,3,2]", axis=(0, 2), keepdims=False),
    case("f[1]", axis=(0,), keepdims=False),
    case("f[]", axis=(), keepdims=False),
)
EMPTY = case("f[0,3]", axis=(0,), keepdims=False)


def _shifted(function: Any) -> Any:
    """The batching rule of a reduction over a tuple of axes."""
    return lambda x, axis, **params: function(x, axis=tuple(i + 1 for i in axis), **params)


sum_: Primitive = linear(
    np.sum,
    result=_sum_type,
    transpose={"x": _sum_transpose},
    call=_sum_call,
    batch=_shifted(np.sum),
    c=Fold(lambda dtype: "0", lambda dtype: "{total} + {x}"),
    samples=Samples(
        cases=(
            *REDUCTION_CASES,
            EMPTY,
            case("c[3]", axis=(0,), keepdims=False),
            case("b[3,4]", axis=(1,), keepdims=False),
            case("i[3]", axis=(0,), keepdims=False, dtype=np.dtype(np.float64)),
        )
    ),
)


def _cumulative_type(x: ArrayType, axis: int) -> ArrayType:
    return array_type(accumulator(x.dtype), x.shape)


def _cumulative_call(
    a: Any, axis: Any = None, dtype: Any = None
) -> tuple[tuple[Any], dict[str, Any]]:
    if dtype is not None:
        a = a.astype(dtype)
    if axis is None or _is_that_of_a_number(axis, np.ndim(a)):
        return (np.ravel(a),), {"axis": 0}
    return (a,), {"axis": one_axis(axis, np.ndim(a))}


def along_last(function: Any) -> Callable[..., Any]:
    """What C forms of the last axis need: the same along another axis, of the result's dtype."""

    def expansion(x: Any, axis: int, **params: Any) -> Any:
        dtype = accumulator(x.dtype) if function in (np.cumsum, np.cumprod) else x.dtype
        if dtype != x.dtype:
            return function(x.astype(dtype), axis=axis, **params)
        if axis == np.ndim(x) - 1:
            return NotImplemented
        rows = function(np.moveaxis(x, axis, -1), axis=-1, **params)
        return np.moveaxis(rows, -1, axis)

    return expansion


RUNNING_CASES = (
    case("f[4]", axis=0),
    case("f[3,5]", axis=1),
    case("f[3,2]", axis=0),
    case("f[1]", axis=0),
    case("f[0,3]", axis=0),
    case("c[3]", axis=0),
    case("i[3]", axis=0),
)
cumsum = linear(
    np.cumsum,
    result=_cumulative_type,
    transpose={"x": lambda y_bar, x, axis: np.flip(np.cumsum(np.flip(y_bar, axis), axis), axis)},
    call=_cumulative_call,
    batch=lambda x, axis: np.cumsum(x, axis + 1),
    numpy=lambda x, axis, types: f"np.cumsum({x}{_axis_source(axis, types[0])})",
    c=Called(lambda x, axis: Core("sd_cumsum", "(n)->(n)")),
    c_expansion=along_last(np.cumsum),
    samples=Samples(cases=RUNNING_CASES),
)


def _axis_source(axis: int, x: ArrayType) -> str:
    return f", axis={axis}" if x.ndim > 1 else ""


# ---------------------------------------------------------------------------- products


def along(axis: int, *bounds: int | None) -> tuple[slice, ...]:
    """The index that slices one axis."""
    return (*(slice(None),) * axis, slice(*bounds))


BY_RECURRENCE = "is differentiated by a recurrence, without division, in steps taken pairwise"


def _cumprod_tangent(y: Any, x: Any, x_dot: Any, axis: int) -> Any:
    """The product rule, step by step. Without division: x may be 0."""
    from symdiff.ops.recurrence import before, recurrence  # for few programs

    return recurrence(x, before(y, np.ones_like(x[along(axis, 1)]), axis) * x_dot, axis=axis)


cumprod = primitive(
    np.cumprod,
    result=_cumulative_type,
    jvp={"x": _cumprod_tangent},
    call=_cumulative_call,
    batch=lambda x, axis: np.cumprod(x, axis + 1),
    numpy=lambda x, axis, types: f"np.cumprod({x}{_axis_source(axis, types[0])})",
    c=Called(lambda x, axis: Core("sd_cumprod", "(n)->(n)")),
    c_expansion=along_last(np.cumprod),
    cost=BY_RECURRENCE,
    samples=Samples(cases=RUNNING_CASES),
)


def merged(x: Any, axis: Axes) -> tuple[Any, int]:
    """x with the axes that are reduced as one, and that axis."""
    if len(axis) == 1:
        return x, axis[0]
    shape = np.shape(x)
    kept = tuple(i for i in range(len(shape)) if i not in axis)
    extent = math.prod(shape[i] for i in axis)
    if (*kept, *axis) != tuple(range(len(shape))):
        x = np.transpose(x, (*kept, *axis))
    return np.reshape(x, (*(shape[i] for i in kept), extent)), len(kept)


def _product_before(x: Any, axis: int) -> Any:
    """The product of all elements before each one."""
    first, others = x[along(axis, 1)], x[along(axis, -1)]
    return np.cumprod(np.concatenate([np.ones_like(first), others], axis), axis)


PRODUCTS = "takes the products before and after each element, without division"


def _prod_tangent(y: Any, x: Any, x_dot: Any, axis: Axes, keepdims: bool) -> Any:
    """Each tangent times the product of the other elements. Without division: x may be 0."""
    (rows, place), (rows_dot, _) = merged(x, axis), merged(x_dot, axis)
    after = np.flip(_product_before(np.flip(rows, place), place), place)
    total = np.sum(rows_dot * (_product_before(rows, place) * after), place)
    return np.reshape(total, np.shape(y)) if keepdims else total


def _prod_call(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    if dtype is not None:
        a = a.astype(dtype)
    params = {"axis": axes_of(a, axis), "keepdims": bool(keepdims)}
    return _with_extras(prod, a, params, where, initial)


prod: Primitive = primitive(
    np.prod,
    result=_sum_type,
    jvp={"x": _prod_tangent},
    call=_prod_call,
    batch=_shifted(np.prod),
    c=Fold(lambda dtype: "1", lambda dtype: "{total} * {x}"),
    cost=PRODUCTS,
    samples=Samples(cases=(*REDUCTION_CASES, case("c[3]", axis=(0,), keepdims=False))),
)

# ---------------------------------------------------------------------------- extremes


# A scalar since NumPy 2.4, before that a Python number, which is another thing to compute with.
_COUNTS = isinstance(np.count_nonzero(np.zeros(1)), np.integer)

count_true: Primitive = primitive(
    np.sum,
    name="count_true",
    result=lambda x: array_type(np.intp, ()),
    batch=lambda x: np.sum(x, axis=tuple(range(1, np.ndim(x)))),
    c=Fold(lambda dtype: "0", lambda dtype: "{total} + {x}"),
    numpy="np.count_nonzero({x})" if _COUNTS else "np.sum({x})",
    samples=Samples(cases=(case("b[3,4]"), case("b[0]"))),
)


def extreme_tangent(y: Any, x: Any, x_dot: Any, axis: Axes, keepdims: bool) -> Any:
    """Elements that share the extreme share the derivative equally; nothing equals NaN."""
    at = x == expand(y, x, axis, keepdims)
    whole = len(axis) == np.ndim(x) and not keepdims
    count = count_true(at) if whole else np.sum(at, axis=axis, keepdims=keepdims)
    shares = x_dot / expand(count.astype(x.dtype), x, axis, keepdims)
    return np.sum(np.where(at, shares, 0), axis=axis, keepdims=keepdims)


def _extreme_call(choose: Any) -> Any:
    def call(
        a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
    ) -> Any:
        if initial is not None:
            axes = axes_of(a, axis)
            a = _from_initial(choose, a, initial, where)
            if not np.size(a):  # what there is of no elements
                shape = [n or 1 if i in axes else n for i, n in enumerate(np.shape(a))]
                a = np.broadcast_to(array_of(initial).astype(a.dtype), shape)
            return (a,), {"axis": axes, "keepdims": bool(keepdims)}
        axes = axes_with_elements(a, axis)
        if where is not None:
            raise ValueError("where= needs the value that there is without elements: initial=")
        return (a,), {"axis": axes, "keepdims": bool(keepdims)}

    return call


def axes_with_elements(a: Any, axis: Any) -> Axes:
    """The axes over which an extreme is taken. Raises ValueError where one of them is empty."""
    axes = axes_of(a, axis)
    if any(np.shape(a)[i] == 0 for i in axes):
        raise ValueError("zero-size array to a reduction operation that has no identity")
    return axes


def _from_initial(choose: Any, a: Any, initial: Any, where: Any) -> Any:
    """The elements where `where` holds, none beyond the initial value, and that one elsewhere."""
    if np.ndim(initial) or np.result_type(a, initial) != a.dtype:
        raise NotImplementedError("initial= of another dtype, or with axes, is not traced")
    chosen = choose(a, initial)
    if where is None:
        return chosen
    if np.result_type(where).kind != "b":
        raise TypeError("where= takes booleans")
    if np.broadcast_shapes(np.shape(a), np.shape(where)) != np.shape(a):
        raise ValueError("where= has more elements than the array")
    return np.where(where, chosen, initial)


def _least(dtype: np.dtype[Any]) -> str:
    """In C, what no value of the dtype is below; an extreme of nothing is an error before."""
    if dtype.kind == "f":
        return "-INFINITY"
    return f"INT{8 * dtype.itemsize}_MIN" if dtype.kind == "i" else "0"


def _greatest(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return "INFINITY"
    sign = "U" if dtype.kind == "u" else ""
    return f"{sign}INT{8 * dtype.itemsize}_MAX" if dtype.kind in "iu" else "1"


def _better(wins: str) -> Callable[[np.dtype[Any]], str]:
    """The element where it wins, or is NaN."""

    def step(dtype: np.dtype[Any]) -> str:
        is_nan = " || {x} != {x}" if dtype.kind == "f" else ""
        return f"{{x}} {wins} {{total}}{is_nan} ? {{x}} : {{total}}"

    return step


SHARED = "shares its derivative between equal elements, which are masked and counted"
DISTINCT_CASES = tuple(
    case(f"{spec}:distinct", **each.params) for each in REDUCTION_CASES for spec in each.args
)
max_ = primitive(
    np.max,
    name="max",
    cost=SHARED,
    result=reduced_type,
    jvp={"x": extreme_tangent},
    call=_extreme_call(np.maximum),
    batch=_shifted(np.max),
    numpy="np.max",
    c=Fold(_least, _better(">")),
    convention="np.max shares its derivative between elements that are equal.",
    samples=Samples(cases=DISTINCT_CASES),
)
min_ = primitive(
    np.min,
    name="min",
    cost=SHARED,
    result=reduced_type,
    jvp={"x": extreme_tangent},
    call=_extreme_call(np.minimum),
    batch=_shifted(np.min),
    numpy="np.min",
    c=Fold(_greatest, _better("<")),
    convention="np.min shares its derivative between elements that are equal.",
    samples=Samples(cases=DISTINCT_CASES),
)


def _place_call(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    axes_with_elements(a, axis)
    axis = None if axis is None or np.ndim(a) < 2 else one_axis(axis, np.ndim(a))
    return (a,), {"axis": axis, "keepdims": bool(keepdims)}


def _place_type(x: ArrayType, axis: int | None, keepdims: bool) -> ArrayType:
    return array_type(np.intp, reduced_shape(x.shape, normalize_axes(axis, x.ndim), keepdims))


def place_batch(function: Any) -> Any:
    """The batching rule of a function that gives the place of an extreme."""

    def batch(x: Any, axis: int | None, keepdims: bool) -> Any:
        if axis is not None:
            return function(x, axis=axis + 1, keepdims=keepdims)
        rows = function(np.reshape(x, (np.shape(x)[0], -1)), axis=1)
        return np.reshape(rows, (-1, *(1,) * (np.ndim(x) - 1))) if keepdims else rows

    return batch


def place_c(name: str) -> Called:
    """The C form of the place of an extreme, along the last axis."""
    return Called(lambda x, axis, keepdims: Core(name, "(n)->()"))


def place_by_rows(function: Any) -> Callable[..., Any]:
    """For C: the same along the last of several axes, or of all elements in one row."""

    def expansion(x: Any, axis: int | None, keepdims: bool) -> Any:
        ndim = np.ndim(x)
        if not keepdims and (ndim == 1 or axis == ndim - 1):
            return NotImplemented
        if axis is None:
            place = function(np.ravel(x))
            return np.reshape(place, (1,) * ndim) if keepdims else place
        place = function(np.moveaxis(x, axis, -1), axis=-1)
        return np.expand_dims(place, axis) if keepdims else place

    return expansion


PLACE_CASES = (
    case("f[3,4]", axis=0, keepdims=False),
    case("f[3,4]", axis=None, keepdims=False),
    case("f[3,4]", axis=None, keepdims=True),
    case("f[1]", axis=0, keepdims=True),
)
argmax = primitive(
    np.argmax,
    result=_place_type,
    call=_place_call,
    batch=place_batch(np.argmax),
    c=place_c("sd_argmax"),
    c_expansion=place_by_rows(np.argmax),
    samples=Samples(cases=PLACE_CASES),
)
argmin = primitive(
    np.argmin,
    result=_place_type,
    call=_place_call,
    batch=place_batch(np.argmin),
    c=place_c("sd_argmin"),
    c_expansion=place_by_rows(np.argmin),
    samples=Samples(cases=PLACE_CASES),
)

# ---------------------------------------------------------------------------- logic and order


def _test_call(of: Callable[[], Primitive]) -> Any:
    def call(a: Any, axis: Any = None, *, keepdims: Any = False, where: Any = None) -> Any:
        params = {"axis": axes_of(a, axis), "keepdims": bool(keepdims)}
        return _with_extras(of(), a, params, where, None)

    return call


def _test_type(x: ArrayType, axis: Axes, keepdims: bool) -> ArrayType:
    return array_type(bool, reduced_shape(x.shape, axis, keepdims))


TEST_CASES = Samples(
    cases=(
        case("b[3,4]", axis=(0,), keepdims=False),
        case("f[3,4]", axis=(0, 1), keepdims=True),
        case("b[0]", axis=(0,), keepdims=False),
    )
)
all_: Primitive = primitive(
    np.all,
    result=_test_type,
    call=_test_call(lambda: all_),
    c=Fold(lambda dtype: "1", lambda dtype: "{total} && {x}"),
    batch=_shifted(np.all),
    samples=TEST_CASES,
)
any_: Primitive = primitive(
    np.any,
    result=_test_type,
    call=_test_call(lambda: any_),
    c=Fold(lambda dtype: "0", lambda dtype: "{total} || {x}"),
    batch=_shifted(np.any),
    samples=TEST_CASES,
)


def _argsort_call(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), 0
    kind = "stable" if stable or kind in ("stable", "mergesort") else None
    return (a,), {"axis": one_axis(axis, np.ndim(a)), "kind": kind}


def _argsort_source(x: str, axis: int, kind: str | None, types: tuple[ArrayType, ...]) -> str:
    options = "" if axis == types[0].ndim - 1 else f", axis={axis}"
    return f"np.argsort({x}{options}{f', kind={kind!r}' if kind else ''})"


argsort = primitive(
    np.argsort,
    result=lambda x, axis, kind: x.with_dtype(np.dtype(np.intp)),
    call=_argsort_call,
    batch=lambda x, axis, kind: np.argsort(x, axis=axis + 1, kind=kind),
    numpy=_argsort_source,
    c=Called(lambda x, axis, kind: Core("sd_argsort", "(n)->(n)", work=8 * x.shape[-1])),
    c_expansion=along_last(np.argsort),
    distinct=True,
    samples=Samples(cases=(case("f[3,4]", axis=0, kind=None), case("f[4]", axis=0, kind="stable"))),
)
