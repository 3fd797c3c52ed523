"""Order: sorting, order statistics, and places among sorted values.

Elements that are sorted take their derivatives with them, so the derivative reads, and then stores,
at the places that np.argsort or np.argpartition gives. Which of equal elements comes first is
NumPy's choice, and so is which of them has the derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    Called,
    Core,
    Primitive,
    Samples,
    array_of,
    case,
    composite,
    is_plain,
    primitive,
    same_type,
)
from symdiff.ops.reductions import (
    along_last,
    argmax,
    argmin,
    argsort,
    merged,
    normalize_axes,
    one_axis,
    place_batch,
    place_by_rows,
    place_c,
    reduced_shape,
)
from symdiff.ops.shaping import at

Axes = tuple[int, ...]

# ---------------------------------------------------------------------------- sorting


def _sort_call(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Any:
    assert argsort.call is not None
    return argsort.call(a, axis, kind, stable=stable)


def _options(x: ArrayType, axis: int, kind: str | None = None) -> str:
    """The keywords of a function that orders along one axis, by default the last."""
    place = "" if axis == x.ndim - 1 else f", axis={axis}"
    return f"{place}{f', kind={kind!r}' if kind else ''}"


def _sort_tangent(y: Any, x: Any, x_dot: Any, axis: int, kind: Any) -> Any:
    return np.take_along_axis(x_dot, np.argsort(x, axis=axis, kind=kind), axis)


_OF_EQUAL_ELEMENTS = "Of equal elements, each keeps its own derivative, in the order that {} gives."

sort = primitive(
    np.sort,
    result=same_type,
    jvp={"x": _sort_tangent},
    call=_sort_call,
    batch=lambda x, axis, kind: np.sort(x, axis=axis + 1, kind=kind),
    numpy=lambda x, axis, kind, types: f"np.sort({x}{_options(types[0], axis, kind)})",
    c=Called(
        lambda x, axis, kind: Core("sd_sort", "(n)->(n)", work=x.dtype.itemsize * x.shape[-1])
    ),
    c_expansion=along_last(np.sort),
    convention=_OF_EQUAL_ELEMENTS.format("np.argsort"),
    samples=Samples(
        cases=(
            case("f[4]:distinct", axis=0, kind=None),
            case("f[3,4]:distinct", axis=0, kind=None),
            case("f[2,1,3]:distinct", axis=2, kind="stable"),
            case("f[1]", axis=0, kind=None),
            case("f[0,3]", axis=0, kind=None),
            case("c[4]", axis=0, kind=None),
            case("i[4]", axis=0, kind=None),
        )
    ),
)


@composite(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """The elements in order, as complex numbers."""
    ordered = np.sort(a)
    return ordered if ordered.dtype.kind == "c" else ordered.astype(_complex_of(ordered.dtype))


def _complex_of(dtype: np.dtype[Any]) -> Any:
    return np.sort_complex(np.empty(0, dtype)).dtype


def _argpartition(x: Any, *computed: Any, kth: Any, axis: int) -> Any:
    """np.argpartition by places that are known, or by an array of them."""
    return np.argpartition(x, computed[0] if computed else kth, axis)


def _argpartition_batch(
    x: Any, *computed: Any, kth: Any, axis: int, batched: tuple[bool, ...]
) -> Any:
    if not any(batched[1:]):
        return np.argpartition(x, computed[0] if computed else kth, axis + 1)
    if batched[0]:
        return np.argsort(x, axis=axis + 1)  # which is right for any kth
    return np.broadcast_to(np.argsort(x, axis=axis), (np.shape(computed[0])[0], *np.shape(x)))


def _argpartition_source(
    x: str, *computed: str, kth: Any, axis: int, types: tuple[ArrayType, ...]
) -> str:
    return f"np.argpartition({x}, {computed[0] if computed else kth}{_options(types[0], axis)})"


argpartition = primitive(
    _argpartition,
    name="argpartition",
    arguments=("x", "computed"),
    variadic=True,
    result=lambda x, *computed, kth, axis: x.with_dtype(np.dtype(np.intp)),
    batch=_argpartition_batch,
    numpy=_argpartition_source,
    distinct=True,
    samples=Samples(
        cases=(
            case("f[4]:distinct", kth=2, axis=0),
            case("f[4]:distinct", "i[]", kth=None, axis=0),
            case("f[3,4]:distinct", kth=(0, 2), axis=1),
        )
    ),
)


@composite(np.argpartition)
def _places_of_parts(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect") -> Any:
    """The places of the elements of np.partition."""
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = one_axis(axis, np.ndim(a))
    if not is_plain(kth) and not isinstance(kth, (list, tuple)):
        return argpartition(a, kth, kth=None, axis=axis)
    np.argpartition(np.zeros(np.shape(a)[axis]), kth)  # raises where one is out of bounds
    places = np.asarray(kth).tolist()
    return argpartition(a, kth=tuple(places) if np.ndim(kth) else places, axis=axis)


@composite(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect") -> Any:
    """Smaller elements before the kth, larger behind it: in the order that np.argpartition gives.

    NumPy leaves the order within these parts open; np.partition has another one.
    """
    if axis is None:
        a, axis = np.ravel(a), 0
    return np.take_along_axis(a, np.argpartition(a, kth, axis=axis), axis)


lexsort = primitive(
    lambda *keys, axis: np.lexsort(keys, axis=axis),
    name="lexsort",
    arguments=("keys",),
    variadic=True,
    result=lambda *keys, axis: keys[0].with_dtype(np.dtype(np.intp)),
    batch=lambda *keys, axis: np.lexsort(keys, axis=axis + 1),
    numpy=lambda *keys, axis, types: (
        f"np.lexsort(({', '.join(keys)},){_options(types[0], axis)})"
        if len(keys) == 1
        else f"np.lexsort(({', '.join(keys)}){_options(types[0], axis)})"
    ),
    distinct=True,
    samples=Samples(
        cases=(case("f[4]", axis=0), case("f[4]", "i[4]", axis=0), case("i[2,3]", "f[2,3]", axis=0))
    ),
)


@composite(np.lexsort)
def _lexsort(keys: Any, axis: int = -1) -> Any:
    """The places of the elements in order of the last key, among equals the one before."""
    keys = tuple(keys)
    shape = np.broadcast_shapes(*map(np.shape, keys))
    if any(np.shape(each) != shape for each in keys):
        raise ValueError("all keys need to be the same shape")
    return lexsort(*keys, axis=one_axis(axis, len(shape)))


# ---------------------------------------------------------------------------- extremes


def _place(function: Any, plain: Primitive) -> None:
    """np.nanargmax or np.nanargmin, as np.argmax or np.argmin of what is a number."""
    primitive(
        function,
        result=plain.result,
        call=plain.call,
        batch=place_batch(function),
        c=place_c(f"sd_{function.__name__}"),
        c_expansion=place_by_rows(function),
        samples=plain.samples,
    )


_place(np.nanargmax, argmax)
_place(np.nanargmin, argmin)

# ---------------------------------------------------------------------------- places among others


def _searchsorted_call(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    if np.ndim(a) != 1:
        raise ValueError("object too deep for desired array: a has one axis")
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    return (a if sorter is None else np.take(a, sorter), v), {"side": side}


def _searchsorted_batch(a: Any, v: Any, side: Any, batched: tuple[bool, ...]) -> Any:
    if not batched[0]:
        return np.searchsorted(a, v, side)
    if not batched[1]:
        v = np.broadcast_to(v, (np.shape(a)[0], *np.shape(v)))
    return rank(a, v, side)


def rank(a: Any, v: Any, side: Any) -> Any:
    """np.searchsorted of each row of v in the same row of a: the order of both tells it."""
    rows, extent = np.shape(a)
    values = np.reshape(v, (rows, -1))
    count = np.shape(values)[1]
    parts = [values, a] if side == "left" else [a, values]
    start = 0 if side == "left" else extent
    among_both = _ranks(np.concatenate(parts, axis=1))[:, start : start + count]
    return np.reshape(among_both - _ranks(values), np.shape(v))


def _ranks(x: Any) -> Any:
    """How many elements of a row are before each one when it is sorted."""
    return np.argsort(np.argsort(x, axis=1, kind="stable"), axis=1)


def _of_one_dtype(x: Any, others: Any) -> tuple[Any, Any] | None:
    """Both in the dtype that they have in common; None where that is theirs."""
    dtype = np.result_type(x.dtype, others.dtype)
    if x.dtype == others.dtype:
        return None
    return x.astype(dtype), others.astype(dtype)


def _searchsorted_c(a: Any, v: Any, side: str) -> Any:
    both: Any = _of_one_dtype(a, v)
    return NotImplemented if both is None else searchsorted(*both, side=side)


def _searchsorted_core(a: ArrayType, v: ArrayType, side: str) -> Core:
    values = ",".join(map(str, v.shape))
    return Core("sd_searchsorted", f"(n),({values})->({values})", (v.size, int(side == "right")))


searchsorted = primitive(
    np.searchsorted,
    arguments=("a", "v"),
    result=lambda a, v, side: array_type(np.intp, v.shape),
    call=_searchsorted_call,
    batch=_searchsorted_batch,
    numpy=lambda a, v, side: f"np.searchsorted({a}, {v}{_side(side)})",
    c=Called(_searchsorted_core),
    c_expansion=_searchsorted_c,
    samples=Samples(
        cases=(
            case("f[4]:sorted", "f[]", side="left"),
            case("f[3]:sorted", "f[2,3]", side="right"),
            case("f[3]:sorted", "i[3]", side="left"),
        )
    ),
)


def _side(side: str) -> str:
    return "" if side == "left" else ", side='right'"


def _digitize_batch(x: Any, bins: Any, right: bool, batched: tuple[bool, ...]) -> Any:
    if not batched[1]:
        return np.digitize(x, bins, right)
    if not batched[0]:
        x = np.broadcast_to(x, (np.shape(bins)[0], *np.shape(x)))
    near, far = ("left", "right") if right else ("right", "left")
    rising = np.reshape(bins[:, 0] <= bins[:, -1], (-1, *(1,) * (np.ndim(x) - 1)))
    falling = np.shape(bins)[1] - rank(np.flip(bins, 1), x, far)
    return np.where(rising, rank(bins, x, near), falling)


def _digitize_c(x: Any, bins: Any, right: bool) -> Any:
    both: Any = _of_one_dtype(x, bins)
    return NotImplemented if both is None else digitize(*both, right=right)


def _digitize_core(x: ArrayType, bins: ArrayType, right: bool) -> Core:
    values = ",".join(map(str, x.shape))
    work = bins.size * bins.dtype.itemsize
    numbers = (x.size, int(not right))
    return Core("sd_digitize", f"({values}),(n)->({values})", numbers, work)


digitize = primitive(
    np.digitize,
    arguments=("x", "bins"),
    result=lambda x, bins, right: array_type(np.intp, x.shape),
    call=lambda x, bins, right=False: ((x, bins), {"right": bool(right)}),
    batch=_digitize_batch,
    numpy="np.digitize",
    c=Called(_digitize_core),
    c_expansion=_digitize_c,
    samples=Samples(
        cases=(
            case("f[4]", "f[3]:sorted", right=False),
            case("f[]", "f[2]:sorted", right=True),
        )
    ),
)

# ---------------------------------------------------------------------------- quantiles

_CONTINUOUS = {  # alpha and beta of Hyndman and Fan
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
_ROUNDED = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}


def _one_place(n: Any, q: Any, method: str) -> Any:
    """The place among n sorted elements of a quantile that is one of them; None of another one."""
    if method in _ROUNDED:
        return _ROUNDED[method]((n - 1) * q)
    if method not in ("inverted_cdf", "closest_observation"):
        return None
    virtual = n * q - 1 if method == "inverted_cdf" else n * q - 1 - 0.5
    before = np.floor(virtual)
    first = virtual == before
    if method == "closest_observation":  # of two equally near the even one, counted from 1
        first = first & (before % 2 == 1)
    return np.where(first, before, before + 1)


def _between_places(n: Any, q: Any, method: str) -> tuple[Any, Any]:
    """The place of a quantile among n sorted elements, in between, and how near the second one."""
    if method == "averaged_inverted_cdf":
        virtual = n * q - 1
        return virtual, np.where(virtual == np.floor(virtual), 0.5, 1.0)
    if method == "midpoint":
        virtual = 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q))
        return virtual, np.where(virtual == np.floor(virtual), 0.0, 0.5)
    if method == "linear":
        virtual = (n - 1) * q
    else:
        alpha, beta = _CONTINUOUS[method]
        virtual = n * q + (alpha + q * (1 - alpha - beta)) - 1
    return virtual, virtual - np.floor(virtual)


def _places(n: Any, q: Any, method: str) -> tuple[Any, Any, Any]:
    """The places of both neighbours of a quantile among n sorted elements, and how near the second.

    As NumPy computes them, to the last bit; without q, of the median.
    """
    if q is None:
        low, high = (n - 1) // 2, n // 2
        return (low, low, 0.0) if is_plain(n) and low == high else (low, high, 0.5)
    place = _one_place(n, q, method)
    if place is not None:
        place = _within(place, n)
        return place, place, 0.0
    virtual, gamma = _between_places(n, q, method)
    before = np.floor(virtual)
    low, high = _within(before, n), _within(before + 1, n)
    return (low, low, 0.0) if is_plain(gamma) and not np.any(gamma) else (low, high, gamma)


def _within(place: Any, n: Any) -> Any:
    return np.clip(place, 0, n - 1).astype(np.intp)


def _first_axis(x: Any, axis: Axes) -> Any:
    """x with the axes that are reduced as one, in front."""
    rows, place = merged(x, axis)
    return np.moveaxis(rows, place, 0) if place else rows


def _along_first(rows: Any, places: Any) -> Any:
    """The elements of each column at places of its own."""
    columns = np.shape(rows)[1:]
    numbers = [
        np.reshape(np.arange(extent), (-1, *(1,) * (len(columns) - 1 - i))) if extent != 1 else 0
        for i, extent in enumerate(columns)
    ]
    return at(rows, (places, *numbers))


def _neighbours(rows: Any, q: Any, method: str, without_nan: bool) -> tuple[Any, Any, Any]:
    """Where both neighbours of a quantile are in each column, and how near the second is."""
    columns = np.ndim(rows) - 1
    spread = (*np.shape(0 if q is None else q), *(1,) * columns)
    if without_nan:  # which are sorted to the end
        count = np.sum(~np.isnan(rows), axis=0)
        low, high, gamma = _places(count, q if q is None else np.reshape(q, spread), method)
        order = np.argsort(rows, axis=0) if columns else _places_of_parts(rows, _kth(low, high))
        return _along_first(order, low), _along_first(order, high), gamma
    low, high, gamma = _places(np.shape(rows)[0], q, method)
    order = _places_of_parts(rows, _kth(low, high), 0)
    first = order[low]
    second = first if high is low else order[high]
    return first, second, np.reshape(gamma, spread) if np.ndim(gamma) else gamma


def _kth(low: Any, high: Any) -> Any:
    """The places at which an order is to be right."""
    if not is_plain(low):
        return np.ravel(np.stack([low, high]))
    kth = sorted({*np.ravel(low).tolist(), *np.ravel(high).tolist()})
    return kth if len(kth) > 1 else kth[0]


def _probability(name: str, q: Any, dtype: np.dtype[Any]) -> Any:
    """q as NumPy computes with it: a number in the dtype of the elements, percent as hundredths."""
    number = np.float64 if dtype.kind != "f" else dtype.type
    if q is None:
        return None
    q = np.asarray(q) if type(q) is tuple else number(q)
    return np.true_divide(q, number(100)) if name.endswith("percentile") else q


def _quantile_tangent(
    y: Any, x: Any, x_dot: Any, name: str, q: Any, axis: Axes, method: str, keepdims: bool
) -> Any:
    rows, rows_dot = _first_axis(x, axis), _first_axis(x_dot, axis)
    probability = _probability(name, q, x.dtype)
    first, second, gamma = _neighbours(rows, probability, method, name.startswith("nan"))
    tangent = _along_first(rows_dot, first)
    if second is not first:
        tangent = tangent * (1 - gamma) + _along_first(rows_dot, second) * gamma
    return _nan_where(np.isnan(y), np.reshape(tangent, np.shape(y)).astype(y.dtype))


def _nan_where(condition: Any, x: Any) -> Any:
    """x, and NaN where the condition holds, for the derivative too."""
    return x * np.where(condition, np.nan, 1).astype(x.dtype)


def _quantile(x: Any, name: str, q: Any, axis: Axes, method: str, keepdims: bool) -> Any:
    """np.quantile, np.median and their kin, by name."""
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    if q is None:
        return getattr(np, name)(x, **options)
    q = list(q) if type(q) is tuple else q
    return getattr(np, name)(x, q, method=method, **options)


def _quantile_type(
    x: ArrayType, name: str, q: Any, axis: Axes, method: str, keepdims: bool
) -> ArrayType:
    if any(x.shape[i] == 0 for i in axis):
        raise NotImplementedError(f"np.{name} of no elements is not traced")
    shape = (*np.shape(q or 0), *reduced_shape(x.shape, axis, keepdims))
    return array_type(_quantile_dtype(x.dtype, name, q, method), shape)


@lru_cache(maxsize=1024)
def _quantile_dtype(dtype: np.dtype[Any], name: str, q: Any, method: str) -> np.dtype[Any]:
    """The dtype of a quantile. Raises ValueError, as NumPy does, where q or the method is none."""
    return np.asarray(_quantile(np.ones(1, dtype), name, q, (0,), method, False)).dtype


def _quantile_batch(
    x: Any, name: str, q: Any, axis: Axes, method: str, keepdims: bool
) -> Any:
    axis = tuple(i + 1 for i in axis)
    made = quantile(x, name=name, q=q, axis=axis, method=method, keepdims=keepdims)
    return np.moveaxis(made, 1, 0) if type(q) is tuple else made


def _quantile_source(
    x: str, name: str, q: Any, axis: Axes, method: str, keepdims: bool, types: Any
) -> str:
    options = "" if q is None else f", {list(q) if type(q) is tuple else q}"
    if len(axis) < types[0].ndim:
        options += f", axis={axis[0] if len(axis) == 1 else axis}"
    options += "" if method == "linear" else f", method={method!r}"
    return f"np.{name}({x}{options}{', keepdims=True' if keepdims else ''})"


def _cases(*specs: str, **params: Any) -> Any:
    rest = {"name": "quantile", "q": 0.3, "axis": (0,), "method": "linear", "keepdims": False}
    return [case(each, **rest | params) for each in specs]


quantile = primitive(
    _quantile,
    name="quantile",
    result=_quantile_type,
    jvp={"x": _quantile_tangent},
    batch=_quantile_batch,
    numpy=_quantile_source,
    convention=_OF_EQUAL_ELEMENTS.format("np.argpartition"),
    samples=Samples(
        cases=(
            *_cases("f[5]:distinct", "f[4,3]:distinct", name="median", q=None),
            *_cases("f[2,3,2]:distinct", name="median", q=None, axis=(0, 2), keepdims=True),
            *_cases("f[4]:distinct", "f[3,2]:distinct", name="nanmedian", q=None),
            *_cases("i[4]", "f[1]", "f[5]:distinct"),
            *_cases("f[3,4]:distinct", name="percentile", q=(25.0, 70.0), axis=(1,)),
            *_cases("f[3,4]:distinct", name="nanquantile", q=(0.2, 0.5), axis=(1,)),
            *_cases("f[6]:distinct", method="inverted_cdf"),
            *_cases("f[6]:distinct", method="hazen", keepdims=True),
            *_cases("f[6]:distinct", name="nanpercentile", q=70.0, method="midpoint"),
        )
    ),
)


def _of_numbers(name: str) -> Callable[..., Any]:
    """np.median or np.nanmedian."""

    def function(
        a: Any, axis: Any = None, *, keepdims: Any = False, overwrite_input: bool = False
    ) -> Any:
        params = {"axis": normalize_axes(axis, np.ndim(a)), "keepdims": bool(keepdims)}
        return quantile(a, name=name, q=None, method="linear", **params)

    return function


def _of_probabilities(name: str) -> Callable[..., Any]:
    """np.quantile and its kin. Probabilities that are computed can be differentiated too."""

    def function(
        a: Any,
        q: Any,
        axis: Any = None,
        *,
        method: str = "linear",
        keepdims: Any = False,
        weights: Any = None,
        overwrite_input: bool = False,
    ) -> Any:
        a = array_of(a)
        if a.dtype.kind == "c":
            raise TypeError("a must be an array of real numbers")
        known = _static(q)
        options: dict[str, Any] = {"axis": normalize_axes(axis, np.ndim(a)), "method": method}
        if weights is not None:
            return _weighted(name, a, known, weights, keepdims=bool(keepdims), **options)
        if known is None:
            return _of_computed(name, a, q, keepdims=bool(keepdims), **options)
        return quantile(a, name=name, q=known, keepdims=bool(keepdims), **options)

    return function


def _static(q: Any) -> Any:
    """Known probabilities as a number or a tuple; None where they are computed, or not doubles."""
    if type(q) in (int, float, np.float64):
        return q if type(q) is int else float(q)
    if type(q) in (list, tuple, np.ndarray) and np.ndim(q) == 1:
        q = np.asarray(q)
        return tuple(q.tolist()) if q.dtype in (np.float64, np.int64) and q.size else None
    return None


def _of_computed(name: str, a: Any, q: Any, axis: Axes, method: str, keepdims: bool) -> Any:
    """A quantile from its neighbours, as NumPy takes the weighted mean of them."""
    rows = _first_axis(a, axis)
    q = array_of(q)
    q = q / 100 if name.endswith("percentile") else q
    first, second, gamma = _neighbours(rows, q, method, name.startswith("nan"))
    low = _along_first(rows, first)
    high = low if second is first else _along_first(rows, second)
    if high is low:
        value = low
    else:
        value = np.where(gamma < 0.5, low + (high - low) * gamma, high - (high - low) * (1 - gamma))
    outside = (q < 0) | (q > 1)
    if is_plain(outside) and np.any(outside):
        raise ValueError("Quantiles must be in the range [0, 1]")
    if not is_plain(outside):
        value = _nan_where(np.reshape(outside, (*np.shape(q), *(1,) * (np.ndim(rows) - 1))), value)
    if not name.startswith("nan") and a.dtype.kind == "f":
        value = _nan_where(np.any(np.isnan(rows), axis=0), value)
    if keepdims:
        value = np.reshape(value, (*np.shape(q), *reduced_shape(np.shape(a), axis, True)))
    return value


def _weighted(
    name: str, a: Any, q: Any, weights: Any, axis: Axes, method: str, keepdims: bool
) -> Any:
    """A quantile of weighted elements, which is one of them: weights decide which, and no more."""
    if method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    if q is None:
        raise NotImplementedError(f"np.{name} with weights= of a computed q is not traced")
    if np.shape(weights) != np.shape(a):
        (place,) = axis
        shape = [1] * np.ndim(a)
        shape[place] = -1
        weights = np.broadcast_to(np.reshape(weights, shape), np.shape(a))
    return weighted_quantile(a, weights, name=name, q=q, axis=axis, keepdims=keepdims)


def _weighted_quantile(
    x: Any, weights: Any, name: str, q: Any, axis: Axes, keepdims: bool
) -> Any:
    """np.quantile and its kin, of elements with weights."""
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims, "method": "inverted_cdf"}
    q = list(q) if type(q) is tuple else q
    return getattr(np, name)(x, q, weights=weights, **options)


def _weighted_tangent(
    y: Any, x: Any, weights: Any, x_dot: Any, name: str, q: Any, axis: Axes, keepdims: bool
) -> Any:
    rows, rows_dot = _first_axis(x, axis), _first_axis(x_dot, axis)
    ahead = np.shape(q)
    chosen = np.reshape(y, (*ahead, 1, *np.shape(rows)[1:])) if ahead or np.ndim(rows) > 1 else y
    tangent = _along_first(rows_dot, np.argmax(rows == chosen, axis=len(ahead)))
    return _nan_where(np.isnan(y), np.reshape(tangent, np.shape(y)).astype(y.dtype))


def _weighted_batch(
    x: Any, weights: Any, name: str, q: Any, axis: Axes, keepdims: bool
) -> Any:
    axis = tuple(i + 1 for i in axis)
    made = weighted_quantile(x, weights, name=name, q=q, axis=axis, keepdims=keepdims)
    return np.moveaxis(made, 1, 0) if type(q) is tuple else made


def _weighted_source(
    x: str, weights: str, name: str, q: Any, axis: Axes, keepdims: bool, types: Any
) -> str:
    whole = _quantile_source(x, name, q, axis, "inverted_cdf", keepdims, types)
    return f"{whole[:-1]}, weights={weights})"


weighted_quantile = primitive(
    _weighted_quantile,
    name="weighted_quantile",
    arguments=("x", "weights"),
    result=lambda x, weights, name, q, axis, keepdims: _quantile_type(
        x, name, q, axis, "inverted_cdf", keepdims
    ),
    jvp={"x": _weighted_tangent},
    batch=_weighted_batch,
    numpy=_weighted_source,
    convention="A weighted quantile is one of the elements, the first of equal ones.",
    samples=Samples(
        low=(-2.0, 0.5),
        cases=tuple(
            case(x, weights, name=name, q=q, axis=(0,), keepdims=keepdims)
            for x, weights, name, q, keepdims in (
                ("f[5]:distinct", "f[5]", "quantile", 0.4, False),
                ("f[4,3]:distinct", "f[4,3]", "percentile", (30.0, 60.0), True),
                ("f[5]:distinct", "f[5]", "nanquantile", 0.4, True),
            )
        ),
    ),
)

for _name in ("median", "nanmedian"):
    composite(getattr(np, _name))(_of_numbers(_name))
for _name in ("quantile", "percentile", "nanquantile", "nanpercentile"):
    composite(getattr(np, _name))(_of_probabilities(_name))
