"""NumPy functions that place, join and repeat elements, of those that few programs need."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdiff.ops import placing
from symdiff.ops.primitive import Primitive, composite
from symdiff.ops.reductions import one_axis

# ---------------------------------------------------------------------------- insert, delete


def _one_row(arr: Any, axis: Any) -> tuple[Any, int]:
    """The array and the axis that is meant: without one, the array is flattened."""
    arr = arr if hasattr(arr, "dtype") else np.asarray(arr)
    if axis is None:
        return (arr if np.ndim(arr) == 1 else np.ravel(arr)), 0
    return arr, one_axis(axis, np.ndim(arr))


@composite(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """The array with values before some of its places; they take its dtype."""
    arr, axis = _one_row(arr, axis)
    if not hasattr(values, "dtype"):
        values = np.asarray(values, arr.dtype)
    elif values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    places = placing.places_of(obj, np.shape(arr)[axis])
    if isinstance(places, int) or len(places) <= placing.LISTED:
        return placing.insert(arr, values, places=places, axis=axis)
    extent = np.shape(arr)[axis]
    shape = (*np.shape(arr)[:axis], len(places), *np.shape(arr)[axis + 1 :])
    order = np.insert(np.arange(extent), places, np.arange(extent, extent + len(places)))
    return np.take(np.concatenate([arr, np.broadcast_to(values, shape)], axis), order, axis)


@composite(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """The array without some of its places."""
    arr, axis = _one_row(arr, axis)
    places = placing.places_of(obj, np.shape(arr)[axis])
    if isinstance(places, int) or len(places) <= placing.LISTED:
        return placing.delete(arr, places=places, axis=axis)
    return np.take(arr, np.delete(np.arange(np.shape(arr)[axis]), places), axis)


# ---------------------------------------------------------------------------- joining


@composite(np.block)
def block(arrays: Any) -> Any:
    """An array from a nested list of blocks: the innermost are joined along the last axis."""
    depth = _depth(arrays)
    ndim = max(depth, *(np.ndim(each) for each in _leaves(arrays)))
    return _joined_blocks(arrays, depth, ndim)


def _depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        if isinstance(arrays, tuple):
            raise TypeError("np.block takes lists of arrays, and no tuples")
        return 0
    if not arrays:
        raise ValueError("List at arrays cannot be empty")
    depths = {_depth(each) for each in arrays}
    if len(depths) > 1:
        raise ValueError("List depths are mismatched")
    return 1 + depths.pop()


def _leaves(arrays: Any) -> list[Any]:
    if not isinstance(arrays, list):
        return [arrays]
    return [leaf for each in arrays for leaf in _leaves(each)]


def _joined_blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if not isinstance(arrays, list):
        missing = ndim - np.ndim(arrays)
        whole = np.reshape(arrays, (1,) * missing + np.shape(arrays)) if missing else arrays
        return whole if depth else np.copy(whole)
    parts = [_joined_blocks(each, depth, ndim) for each in arrays]
    return np.concatenate(parts, -_depth(arrays))


@composite(np.unstack, cost="copies each part, as results share no memory; NumPy gives views")
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The parts of an array along an axis."""
    before = (slice(None),) * one_axis(axis, np.ndim(x))
    return tuple(x[(*before, i)] for i in range(np.shape(x)[len(before)]))


# ---------------------------------------------------------------------------- borders


def pad_with_sides(
    array: Any, widths: Sequence[tuple[int, int]], mode: Any, options: dict[str, Any]
) -> Any:
    """np.pad where the border is computed from the array, or differs from side to side."""
    if mode in ("edge", "wrap"):
        raise ValueError(f"unsupported keyword arguments for mode {mode!r}: {set(options)}")
    if mode == "empty":  # whatever may stand there: zeros
        return np.pad(array, widths)
    if callable(mode):
        return _padded_by(mode, np.pad(array, widths), widths, options)
    if mode not in _SIDES:
        raise ValueError(f"mode={mode!r} is not supported")
    sides, option, usual = _SIDES[mode]
    if set(options) - {option}:
        raise ValueError(f"unsupported keyword arguments for mode {mode!r}: {set(options)}")
    if mode != "constant" and any(
        extent == 0 and any(each) for extent, each in zip(np.shape(array), widths, strict=True)
    ):
        raise ValueError("can't extend empty axis using modes other than 'constant' or 'empty'")
    given = np.broadcast_to(options.get(option, usual), (np.ndim(array), 2))
    for axis, (before, after) in enumerate(widths):
        if before or after:
            array = sides(array, axis, (before, after), tuple(given[axis]), mode)
    return array


def _bordered(array: Any, axis: int, borders: Sequence[Any]) -> Any:
    """The array between its borders, in its dtype."""
    left, right = (_converted(each, array.dtype) for each in borders)
    parts = [each for each in (left, array, right) if np.shape(each)[axis]]
    return np.concatenate(parts, axis)


def _converted(x: Any, dtype: np.dtype[Any]) -> Any:
    if not hasattr(x, "dtype"):
        return np.asarray(x, dtype)
    return x if x.dtype == dtype else x.astype(dtype)


def _spread(x: Any, array: Any, axis: int, width: int) -> Any:
    """What stands in all of a border."""
    shape = np.shape(array)
    return np.broadcast_to(x, (*shape[:axis], width, *shape[axis + 1 :]))


def _constants(array: Any, axis: int, widths: Any, values: Any, mode: str) -> Any:
    borders = [
        _spread(_converted(value, array.dtype), array, axis, width)
        for value, width in zip(values, widths, strict=True)
    ]
    return _bordered(array, axis, borders)


def _ramps(array: Any, axis: int, widths: Any, values: Any, mode: str) -> Any:
    before = (slice(None),) * axis
    left, right = (
        np.linspace(value, array[(*before, edge)], width, endpoint=False, dtype=array.dtype,
                    axis=axis)
        for value, edge, width in zip(values, (0, -1), widths, strict=True)
    )
    return _bordered(array, axis, (left, np.flip(right, axis)))


_STATISTICS = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def _statistics(array: Any, axis: int, widths: Any, lengths: Any, mode: str) -> Any:
    extent, before = np.shape(array)[axis], (slice(None),) * axis
    left, right = (extent if each is None else min(each, extent) for each in lengths)
    chunks = array[(*before, slice(left))], array[(*before, slice(extent - right, None))]
    if left == right == extent:
        chunks = array, array
    borders = []
    for chunk, width in zip(chunks, widths, strict=True):
        found = _STATISTICS[mode](chunk, axis=axis, keepdims=True)  # type: ignore[operator]
        found = np.round(found) if array.dtype.kind in "iu" else found
        borders.append(_spread(_converted(found, array.dtype), array, axis, width))
    return _bordered(array, axis, borders)


def _odd_reflections(array: Any, axis: int, widths: Any, kinds: Any, mode: str) -> Any:
    """Reflected in the points at the ends, as often as it takes, as NumPy cuts it."""
    (before, after), period, ahead = widths, np.shape(array)[axis], (slice(None),) * axis
    if period == 1:
        around = [(0, 0)] * np.ndim(array)
        around[axis] = before, after
        return np.pad(array, around, "edge")
    edge = mode == "symmetric"  # the ends themselves are reflected too
    while before or after:
        extent = np.shape(array)[axis]
        whole = extent // period * period if edge else (extent - 1) // (period - 1) * (period - 1)
        left, right = min(whole, before), min(whole, after)
        start, stop = 1 - edge, extent - 1 + edge
        head, tail = array[(*ahead, slice(1))], array[(*ahead, slice(-1, None))]
        borders = (
            2 * head - np.flip(array[(*ahead, slice(start, start + left))], axis),
            2 * tail - np.flip(array[(*ahead, slice(stop - right, stop))], axis),
        )
        array = _bordered(array, axis, borders)
        before, after = before - left, after - right
    return array


def _padded_by(
    function: Callable[..., Any], array: Any, widths: Sequence[tuple[int, int]],
    options: dict[str, Any],
) -> Any:  # fmt: skip
    """The array after a function has changed each row, along each axis in turn."""
    for axis, width in enumerate(widths):
        rows = np.reshape(np.moveaxis(array, axis, -1), (-1, np.shape(array)[axis]))
        changed = []
        for i in range(np.shape(rows)[0]):
            row = np.copy(rows[i])
            function(row, tuple(width), axis, options)
            changed.append(row)
        shape = np.shape(np.moveaxis(array, axis, -1))
        array = np.moveaxis(np.reshape(np.stack(changed), shape), -1, axis)
    return array


# mode of np.pad: the array with borders along one axis, the option that it takes, its default
_SIDES: dict[Any, tuple[Callable[..., Any], str, Any]] = {
    "constant": (_constants, "constant_values", 0),
    "linear_ramp": (_ramps, "end_values", 0),
    **dict.fromkeys(_STATISTICS, (_statistics, "stat_length", None)),
    **dict.fromkeys(("reflect", "symmetric"), (_odd_reflections, "reflect_type", "even")),
}

# ---------------------------------------------------------------------------- numbers in a row


@composite(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """The powers of a base, from one exponent to another in equal steps."""
    if np.ndim(base):
        shape = np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base))
        start, stop, base = (np.broadcast_to(each, shape) for each in (start, stop, base))
        base = np.expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@composite(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Evenly spaced numbers along a new axis."""
    num = operator.index(num)
    y = _row(placing.linspace, start, stop, num, endpoint, float(num))
    y = np.moveaxis(y, 0, axis) if axis else y
    if dtype is not None:
        y = (np.floor(y) if np.dtype(dtype).kind in "iu" else y).astype(dtype)
    if not retstep:
        return y
    return y, np.divide(np.subtract(stop, start), max(num - 1 if endpoint else num, 1))


@composite(np.geomspace)
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """A geometric progression along a new axis."""
    y = _row(placing.geomspace, start, stop, operator.index(num), endpoint, np.float64)
    y = np.moveaxis(y, 0, axis) if axis else y
    return y if dtype is None else y.astype(dtype)


def _row(
    op: Primitive, start: Any, stop: Any, num: int, endpoint: bool, least: Any
) -> Any:
    """Numbers along a first axis, from ends of one shape and dtype, which is `least` at least."""
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    shape = np.broadcast_shapes(np.shape(start), np.shape(stop))
    dtype = np.result_type(start, stop, least)
    ends = [_converted(each, dtype) for each in (start, stop)]
    ends = [each if np.shape(each) == shape else np.broadcast_to(each, shape) for each in ends]
    return op(*ends, num=num, endpoint=bool(endpoint))


# ---------------------------------------------------------------------------- indices


@composite(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """For places in the flattened array the indices in one of this shape."""
    shape = tuple(map(operator.index, np.atleast_1d(shape)))
    return tuple(
        placing.unravel_index(indices, shape=shape, order=order, axis=axis)
        for axis in range(len(shape))
    )


@composite(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """For indices in an array of this shape the places in the flattened one."""
    dims = tuple(map(operator.index, np.atleast_1d(dims)))
    indices = np.broadcast_arrays(*multi_index)
    return placing.ravel_multi_index(*indices, dims=dims, mode=mode, order=order)


# ---------------------------------------------------------------------------- choices


@composite(np.choose)
def choose(a: Any, choices: Any, *, mode: str = "raise") -> Any:
    """Of several arrays the element of the one that `a` says, everywhere."""
    a = a if hasattr(a, "dtype") else np.asarray(a)
    if a.dtype.kind not in "iub":
        raise TypeError("np.choose takes integers that say which array is meant")
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError("clipmode must be one of 'clip', 'raise', or 'wrap'")
    return placing.choose(*np.broadcast_arrays(a, *choices), mode=mode)


# ---------------------------------------------------------------------------- functions of slices


@composite(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """A function of (array, axis) along one axis after the other; axes it drops are kept."""
    for axis in (one_axis(each, np.ndim(a)) for each in np.atleast_1d(axes)):
        made = func(a, axis)
        a = made if np.ndim(made) == np.ndim(a) else np.expand_dims(made, axis)
    return a
