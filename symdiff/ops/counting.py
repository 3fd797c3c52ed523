"""What there is in an array, and how often: counts, histograms, sets."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.order import rank
from symdiff.ops.primitive import (
    CONSTANT,
    Called,
    Core,
    Jvp,
    Primitive,
    Samples,
    Transpose,
    all_batched,
    array_of,
    case,
    composite,
    is_plain,
    register,
)
from symdiff.ops.reductions import SHARED, one_axis
from symdiff.ops.several import part, several
from symdiff.ops.shaping import at, nonzero

# ---------------------------------------------------------------------------- counts


def _bincount(x: Any, *weights: Any, length: int, minlength: int) -> Any:
    """np.bincount, whose result has this length."""
    return np.bincount(x, weights[0] if weights else None, minlength)


def _bincount_source(x: str, *weights: str, length: int, minlength: int) -> str:
    least = f", minlength={minlength}" if minlength else ""
    return f"np.bincount({', '.join([x, *weights])}{least})"


def _bincount_batch(
    x: Any, *weights: Any, length: int, minlength: int, batched: tuple[bool, ...]
) -> Any:
    """The rows are counted apart: each has numbers of its own."""
    numbers, *values = all_batched((x, *weights), batched)
    rows = np.shape(numbers)[0]
    apart = np.ravel(numbers + length * np.arange(rows)[:, None])
    whole = {"length": rows * length, "minlength": rows * length}
    return np.reshape(bincount(apart, *map(np.ravel, values), **whole), (rows, length))


def _bincount_c(x: Any, *weights: Any, length: int, minlength: int) -> Any:
    """For C: weights in double precision, as NumPy adds them."""
    if not weights or weights[0].dtype == np.float64:
        return NotImplemented
    return bincount(x, weights[0].astype(np.float64), length=length, minlength=minlength)


def _bincount_core(x: ArrayType, *weights: ArrayType, length: int, minlength: int) -> Core | None:
    if x.dtype.kind == "b":
        return None
    if weights:
        return Core("sd_weighted_bincount", "(n),(n)->(k)")
    return Core("sd_bincount", "(n)->(k)")


bincount: Primitive = register(
    Primitive(
        name="bincount",
        function=_bincount,
        arguments=("x", "weights"),
        variadic=True,
        result=lambda x, *weights, length, minlength: array_type(
            np.float64 if weights else np.intp, (length,)
        ),
        rules={
            "x": CONSTANT,
            "weights": Transpose(
                lambda y_bar, x, weights, length, minlength: [y_bar[x].astype(weights.dtype)]
            ),
        },
        batch=_bincount_batch,
        numpy=_bincount_source,
        c=Called(_bincount_core),
        c_expansion=_bincount_c,
        samples=Samples(
            cases=(
                case("i[4]", length=5, minlength=5),
                case("i[4]", "f[4]", length=6, minlength=6),
            )
        ),
    )
)


@composite(np.bincount)
def _counts(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number from 0 on is there, or the sum of its weights."""
    x = array_of(x)
    if np.ndim(x) != 1:
        raise ValueError("object too deep for desired array: np.bincount takes one axis")
    if np.result_type(x).kind not in "iub":
        raise TypeError("Cannot cast array data to integers according to the rule 'safe'")
    if weights is not None and np.shape(weights) != np.shape(x):
        raise ValueError("The weights and list don't have the same length.")
    natural = int(np.max(x)) + 1 if np.size(x) else 0
    length = max(natural, minlength)
    given = () if weights is None else (weights,)
    return bincount(x, *given, length=length, minlength=minlength)

# ---------------------------------------------------------------------------- histograms


def _places(a: Any, edges: Any) -> Any:
    """The bin of each element, from 1 on; 0 before the first, and behind the last one more."""
    place = np.searchsorted(edges, a, side="right")
    return np.where(a == edges[-1], np.shape(edges)[0] - 1, place)


def _histogram(a: Any, *edges: Any, bins: int, range: Any) -> Any:
    """The counts of np.histogram, for so many bins between the extremes or bounds, or by edges."""
    return np.histogram(a, *edges or (bins, range))[0]


def _histogram_source(a: str, *edges: str, bins: int, range: Any) -> str:
    given = edges or (str(bins), *(() if range is None else (str(range),)))
    return f"np.histogram({', '.join([a, *given])})[0]"


def _histogram_batch(
    a: Any, *edges: Any, bins: int, range: Any, batched: tuple[bool, ...]
) -> Any:
    rows, *bounds = all_batched((a, *edges), batched)
    rows = np.reshape(rows, (np.shape(rows)[0], -1))
    if not bounds:
        low, high = range or _extremes(rows, axis=1)
        bounds = [np.broadcast_to(_evenly(low, high, bins, rows), (np.shape(rows)[0], bins + 1))]
    place = rank(bounds[0], rows, "right")
    place = np.where(rows == bounds[0][:, -1:], bins, place)
    whole = {"length": bins + 2, "minlength": bins + 2}
    return _bincount_batch(place, **whole, batched=(True,))[:, 1:-1]


histogram: Primitive = register(
    Primitive(
        name="histogram",
        function=_histogram,
        arguments=("a", "edges"),
        variadic=True,
        result=lambda a, *edges, bins, range: array_type(np.intp, (bins,)),
        rules={"a": CONSTANT, "edges": CONSTANT},
        batch=_histogram_batch,
        numpy=_histogram_source,
        samples=Samples(
            cases=(
                case("f[2,3]", "f[4]:sorted", bins=3, range=None),
                case("f[2,3]", bins=3, range=None),
                case("f[4]", bins=2, range=(-1, 0.5)),
                case("f[0]", bins=2, range=None),
            )
        ),
    )
)


def _extremes(a: Any, axis: Any = None) -> tuple[Any, Any]:
    return (np.min(a, axis), np.max(a, axis)) if np.size(a) else (0, 1)


def _evenly(low: Any, high: Any, bins: int, a: Any) -> Any:
    """The bounds of bins of equal width, which is 1 for all together between equal bounds."""
    flat = low == high
    if is_plain(flat) and not np.ndim(flat):
        low, high = (low - 0.5, high + 0.5) if flat else (low, high)
    else:
        low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
    dtype = np.result_type(low, high, a)
    inexact = dtype if dtype.kind in "fc" else np.float64
    return np.linspace(low, high, bins + 1, dtype=inexact, axis=np.ndim(low))


@composite(np.histogram_bin_edges, cost=SHARED)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The bounds of bins: those given, or between the extremes evenly spaced ones."""
    if isinstance(bins, str):
        raise NotImplementedError(f"bins={bins!r}, a number that values decide, is not traced")
    if np.ndim(bins) == 1:
        return array_of(bins)
    if np.ndim(bins):
        raise ValueError("`bins` must be 1d, when an array")
    count = operator.index(bins)
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    a = array_of(a)
    if a.dtype.kind == "c":
        raise NotImplementedError("bins of complex numbers are not traced; take those of np.real")
    low, high = _extremes(a) if range is None else range
    return _evenly(low, high, count, a)


@composite(np.histogram)
def _counts_and_edges(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    """How many elements are in each bin, or the sum of their weights, and the bounds of bins."""
    a, weights = array_of(a), weights if weights is None else array_of(weights)
    edges = np.histogram_bin_edges(a, bins, range)
    if weights is None:
        known = not np.ndim(bins) and (range is None or all(map(is_plain, range)))
        options = {"bins": np.shape(edges)[0] - 1, "range": None}
        if known and range is not None:
            options["range"] = tuple(np.asarray(range).tolist())
        counts = histogram(a, *() if known else (edges,), **options)
    else:
        if np.shape(weights) != np.shape(a):
            raise ValueError("weights should have the same shape as a.")
        places = np.ravel(_places(a, edges))
        counts = _sums(places, np.ravel(weights), np.shape(edges)[0] + 1)[1:-1]
    if density:
        return counts / np.diff(edges).astype(np.float64) / np.sum(counts), edges
    return counts, edges


def _sums(places: Any, weights: Any, length: int) -> Any:
    """The sum of the weights at each place, in their dtype; without weights, how many there are."""
    whole = {"length": length, "minlength": length}
    if weights is None:
        return bincount(places, **whole)
    if weights.dtype.kind != "c":
        return bincount(places, weights.astype(np.float64), **whole).astype(weights.dtype)
    parts = [bincount(places, part, **whole) for part in (np.real(weights), np.imag(weights))]
    return (parts[0] + 1j * parts[1]).astype(weights.dtype)


@composite(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, list[Any]]:
    """How many points are in each box, or the sum of their weights, and the bounds on each axis."""
    columns = _columns(sample)
    weights = weights if weights is None else array_of(weights).astype(np.float64)
    bins = bins if isinstance(bins, (list, tuple)) or np.ndim(bins) else [bins] * len(columns)
    ranges = [None] * len(columns) if range is None else range
    if not len(bins) == len(ranges) == len(columns):
        raise ValueError("bins and range must have one entry for each dimension of the sample")
    edges = [
        np.histogram_bin_edges(column, each, bounds)
        for column, each, bounds in zip(columns, bins, ranges, strict=True)
    ]
    extents = [np.shape(each)[0] + 1 for each in edges]
    place: Any = 0
    for column, each, extent in zip(columns, edges, extents, strict=True):
        place = place * extent + _places(column, each)
    counts = _sums(place, weights, math.prod(extents))
    counts = np.reshape(counts, extents)[(slice(1, -1),) * len(edges)].astype(np.float64)
    if density:
        total = np.sum(counts)
        for axis, each in enumerate(edges):
            counts = counts / np.reshape(np.diff(each), (-1, *(1,) * (len(edges) - 1 - axis)))
        counts = counts / total
    return counts, edges


def _columns(sample: Any) -> list[Any]:
    """The coordinates of points: the columns of an array, or the arrays of a sequence."""
    if isinstance(sample, (list, tuple)):
        columns = list(map(array_of, sample))
        return [each.astype(np.result_type(*columns)) for each in columns]
    sample = sample if np.ndim(sample) == 2 else np.reshape(sample, (-1, 1))
    return [sample[:, i] for i in np.arange(np.shape(sample)[1])]


@composite(np.histogram2d)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> tuple[Any, Any, Any]:
    """np.histogramdd of points in the plane."""
    x, y = array_of(x), array_of(y)
    if np.shape(x)[0] != np.shape(y)[0]:
        raise ValueError("x and y must have the same length.")
    several = isinstance(bins, (list, tuple)) or np.ndim(bins)
    if several and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, (first, second) = np.histogramdd([x, y], bins, range, density, weights)
    return counts, first, second


# ---------------------------------------------------------------------------- sets
#
# Equal elements stand beside each other once they are sorted. How many are left is known when the
# function is called: the trace is for so many.


def _changes(ordered: Any, equal_nan: bool = False) -> Any:
    """Where a sorted array, or its rows, are not as the one before."""
    changed = ordered[1:] != ordered[:-1]
    if equal_nan and ordered.dtype.kind in "fc":
        changed = changed & ~(np.isnan(ordered[1:]) & np.isnan(ordered[:-1]))
    return changed


def _firsts(ordered: Any, equal_nan: bool) -> Any:
    """Which elements of a sorted array are the first of equal ones."""
    start = np.ones((min(np.shape(ordered)[0], 1), *np.shape(ordered)[1:]), bool)
    return np.concatenate([start, _changes(ordered, equal_nan)])


def _whole_unique(x: Any, inverse: Any, counts: Any, equal_nan: bool) -> Any:
    """np.unique with the place of each value, and whatever else is asked for."""
    return np.unique(x, True, inverse, counts, equal_nan=equal_nan)


def _whole_unique_source(x: str, inverse: bool, counts: bool, equal_nan: bool) -> str:
    asked = {"return_index": True, "return_inverse": inverse, "return_counts": counts}
    options = [f"{key}=True" for key, each in asked.items() if each]
    return f"np.unique({', '.join([x, *options, *(() if equal_nan else ('equal_nan=False',))])})"


_unique = several(_whole_unique, "unique", _whole_unique_source, arguments=("x",))


def _of_call(index: int, dtype: Any, shape: tuple[int, ...], x: Any, **flags: Any) -> Any:
    return part(_unique(x, **flags), index=index, dtype=dtype, shape=shape, cast=False)


first_size: Primitive = register(
    Primitive(
        name="first_size",
        function=lambda results: results[0].size,
        arguments=("results",),
        result=lambda results: array_type(np.intp, ()),
        rules={"results": CONSTANT},
        numpy="{results}[0].size",
    )
)

# How many values there are: what all shapes below rest on.
unique_size: Primitive = register(
    Primitive(
        name="unique_size",
        function=lambda x, **flags: np.asarray(_whole_unique(x, **flags)[0].size)[()],
        arguments=("x",),
        result=lambda x, **flags: array_type(np.intp, ()),
        rules={"x": CONSTANT},
        expansion=lambda x, **flags: first_size(_unique(x, **flags)),
        batch=lambda x, **flags: np.sum(_first_in_rows(x, **flags)[1], axis=1),
        samples=Samples(
            cases=(case("f[4]:distinct", inverse=False, counts=False, equal_nan=True),)
        ),
    )
)


def _first_in_rows(x: Any, equal_nan: bool, **flags: Any) -> tuple[Any, Any]:
    """The order of each row, and which of its elements are the first of equal ones in it."""
    order = np.argsort(x, axis=1, kind="stable")
    return order, np.swapaxes(_firsts(np.take_along_axis(x, order, 1).T, equal_nan), 0, 1)


def _places_in_rows(x: Any, count: int, **flags: Any) -> Any:
    order, first = _first_in_rows(x, **flags)
    rows = np.shape(x)[0]
    return np.take_along_axis(order, _columns_of(first, rows, count), 1)


def _columns_of(mask: Any, rows: int, count: int) -> Any:
    """Where each row of a mask is True; that is in as many places in each."""
    return np.reshape(nonzero(mask, count=rows * count, axis=1), (rows, count))


def _numbers_in_rows(x: Any, count: int, **flags: Any) -> Any:
    order, first = _first_in_rows(x, **flags)
    return np.take_along_axis(np.cumsum(first, axis=1) - 1, np.argsort(order, axis=1), 1)


def _counts_in_rows(x: Any, count: int, **flags: Any) -> Any:
    rows, extent = np.shape(x)
    starts = _columns_of(_first_in_rows(x, **flags)[1], rows, count)
    return np.diff(np.concatenate([starts, np.full((rows, 1), extent)], axis=1), axis=1)


def _of_unique(name: str, index: int, length: str, batch: Any, **fields: Any) -> Primitive:
    """One result of np.unique: an array of integers, unless it is of the values themselves."""

    def result(x: ArrayType, count: int, **flags: Any) -> ArrayType:
        extent = count if length == "count" else x.size
        return array_type(x.dtype if name == "unique_values" else np.intp, (extent,))

    def expansion(x: Any, **params: Any) -> Any:
        own = result(array_type(x.dtype, np.shape(x)), **params)
        flags = {key: each for key, each in params.items() if key != "count"}
        place = index if flags["inverse"] or index < 3 else 2
        return _of_call(place, own.dtype, own.shape, x, **flags)

    def function(x: Any, count: int, **flags: Any) -> Any:
        return _whole_unique(x, **flags)[index if flags["inverse"] or index < 3 else 2]

    flags = {"inverse": True, "counts": index == 3, "equal_nan": True}
    return register(
        Primitive(
            name=name,
            function=function,
            arguments=("x",),
            result=result,
            rules={"x": fields.pop("rule", CONSTANT)},
            expansion=expansion,
            batch=batch,
            samples=Samples(cases=(case("f[4]:distinct", count=4, **flags),)),
            **fields,
        )
    )


unique_places = _of_unique("unique_places", 1, "count", _places_in_rows, distinct=True)
unique_inverses = _of_unique("unique_inverses", 2, "size", _numbers_in_rows)
unique_numbers = _of_unique("unique_numbers", 3, "count", _counts_in_rows)
sole_values = _of_unique(
    "unique_values",
    0,
    "count",
    lambda x, **params: np.take_along_axis(x, _places_in_rows(x, **params), 1),
    rule=Jvp(lambda y, x, x_dot, **params: x_dot[unique_places(x, **params)]),
    convention="Of equal elements np.unique takes the first, which has the derivative.",
)


PLACES = "takes the places of the elements, for which they are sorted; NumPy hashes them"


@composite(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """The elements, or slices, once each and in order; of equal ones the first."""
    if axis is not None and np.ndim(ar) != 1:
        return _unique_slices(ar, one_axis(axis, np.ndim(ar)), return_index, return_inverse,
                              return_counts)  # fmt: skip
    x = np.ravel(ar)
    flags: dict[str, Any] = {
        "inverse": bool(return_inverse),
        "counts": bool(return_counts),
        "equal_nan": bool(equal_nan),
    }
    flags["count"] = int(unique_size(x, **flags))
    parts = [sole_values(x, **flags)]
    if return_index:
        parts.append(unique_places(x, **flags))
    if return_inverse:
        parts.append(np.reshape(unique_inverses(x, **flags), np.shape(ar)))
    if return_counts:
        parts.append(unique_numbers(x, **flags))
    return tuple(parts) if len(parts) > 1 else parts[0]


def _unique_slices(ar: Any, axis: int, index: bool, inverse: bool, counts: bool) -> Any:
    """np.unique along an axis: slices are put in order by their elements, the first before all."""
    slices = np.moveaxis(ar, axis, 0) if axis else ar
    rows = np.reshape(slices, (np.shape(slices)[0], -1))
    order = np.lexsort(rows.T[::-1])
    first = np.any(_firsts(rows[order], False), axis=1)
    values = slices[order[first]]
    parts = [np.moveaxis(values, 0, axis) if axis else values]
    if index:
        parts.append(order[first])
    if inverse:
        parts.append((np.cumsum(first) - 1)[np.argsort(order)])
    if counts:
        parts.append(np.diff(np.append(np.flatnonzero(first), np.shape(first)[0])))
    return tuple(parts) if len(parts) > 1 else parts[0]


_EMPTY = np.zeros(0)


@composite(np.unique_all)
def unique_all(x: Any) -> Any:
    """The elements once each, where each first is, which of them each element is, how many are."""
    return type(np.unique_all(_EMPTY))(*np.unique(x, True, True, True, equal_nan=False))


@composite(np.unique_counts, cost=PLACES)
def unique_counts(x: Any) -> Any:
    """The elements once each, and how many there are of each."""
    values, counts = np.unique(x, return_counts=True, equal_nan=False)
    return type(np.unique_counts(_EMPTY))(values, counts)


@composite(np.unique_inverse)
def unique_inverse(x: Any) -> Any:
    """The elements once each, and which of them each element is."""
    values, numbers = np.unique(x, return_inverse=True, equal_nan=False)
    return type(np.unique_inverse(_EMPTY))(values, numbers)


@composite(np.unique_values, cost=PLACES)
def unique_values(x: Any) -> Any:
    """The elements once each."""
    return np.unique(x, equal_nan=False)


def _isin_batch(
    element: Any, test: Any, invert: bool, batched: tuple[bool, ...]
) -> Any:
    if not batched[1]:
        return isin(element, test, invert=invert)
    element, test = all_batched((element, test), batched)
    rows = np.sort(np.reshape(test, (np.shape(test)[0], -1)), axis=1)
    found = rank(rows, element, "right") > rank(rows, element, "left")
    found = found & ~np.isnan(element) if element.dtype.kind in "fc" else found
    return ~found if invert else found


isin: Primitive = register(
    Primitive(
        name="isin",
        function=np.isin,
        arguments=("element", "test"),
        result=lambda element, test, invert: array_type(bool, element.shape),
        rules={"element": CONSTANT, "test": CONSTANT},
        call=lambda element, test_elements, assume_unique=False, invert=False, *, kind=None: (
            (element, test_elements),
            {"invert": bool(invert)},
        ),
        batch=_isin_batch,
        samples=Samples(
            cases=(
                case("i[2,3]", "i[4]", invert=False),
                case("i[3]", "i[2,2]", invert=True),
                case("f[3]", "f[2]", invert=False),
            )
        ),
    )
)


def _once(ar: Any, assume_unique: bool = False) -> Any:
    return np.ravel(ar) if assume_unique else np.unique(ar)


@composite(np.union1d, cost=PLACES)
def union1d(ar1: Any, ar2: Any) -> Any:
    """What is in one of two arrays, in order."""
    return np.unique(np.concatenate([ar1, ar2], axis=None))


@composite(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """What is in both of two arrays, in order, as it is in the first."""
    places: list[Any] = []
    if not assume_unique:
        (ar1, place1), (ar2, place2) = (np.unique(each, return_index=True) for each in (ar1, ar2))
        places = [place1, place2]
    first, second = np.ravel(ar1), np.ravel(ar2)
    both = np.concatenate([first, second])
    order = np.argsort(both, kind="stable")
    twice = np.flatnonzero(~_changes(both[order]))
    values = both[order[:-1][twice]]
    if not return_indices:
        return values
    in1, in2 = order[:-1][twice], order[1:][twice] - np.shape(first)[0]
    if places:
        in1, in2 = at(places[0], (in1,)), at(places[1], (in2,))
    return values, in1, in2


@composite(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """What is in just one of two arrays, in order."""
    both = np.concatenate([_once(ar1, assume_unique), _once(ar2, assume_unique)])
    both = both[np.argsort(both, kind="stable")]
    if not np.size(both):
        return both
    changes = np.concatenate([[True], _changes(both), [True]])
    return both[changes[1:] & changes[:-1]]


@composite(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """What is in the first of two arrays and not in the second, in order."""
    first = _once(ar1, assume_unique)
    return at(first, (np.isin(first, ar2, invert=True),))
