"""Primitives of functions that few programs need: insert, delete, choose, windows, borders."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Primitive,
    Samples,
    Transpose,
    case,
    constant,
    linear,
    primitive,
    register,
)
from symdiff.ops.reductions import one_axis
from symdiff.ops.render import dtype_source
from symdiff.ops.shaping import ROWS, Shape, index_add, pad_source, span, sum_to

# ---------------------------------------------------------------------------- insert, delete

LISTED = 32  # so many places are written as a list; more of them are an array of indices
Places = int | tuple[int, ...]  # which of several slices of an axis are meant, as the user says


def places_of(obj: Any, extent: int) -> Places:
    """What np.insert and np.delete are given for places, as ints.

    Raises IndexError where a place is out of bounds, and what NumPy raises for what is none.
    """
    if isinstance(obj, slice):
        return tuple(range(*obj.indices(extent)))
    array = np.asarray(obj)
    if array.dtype == bool:
        if array.shape != (extent,):
            raise ValueError(
                f"boolean array argument obj must be one dimensional and match the axis length of "
                f"{extent}"
            )
        return tuple(np.flatnonzero(array).tolist())
    if array.size and array.dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    if array.ndim > 1:
        raise ValueError("index array argument obj must be one dimensional or scalar")
    return operator.index(array[()]) if array.ndim == 0 else tuple(map(int, array))


def slots(places: Places, extent: int, count: int) -> list[int]:
    """Where `count` values inserted at these places stand in the result, in their order."""
    listed = [places] if isinstance(places, int) else places
    if any(not -extent <= place <= extent for place in listed):
        raise IndexError(f"index {max(listed, key=abs)} is out of bounds for size {extent}")
    first = [place + extent if place < 0 else place for place in listed]
    if len(first) == 1:
        return [first[0] + i for i in range(count)]
    for i, which in enumerate(sorted(range(len(first)), key=first.__getitem__)):
        first[which] += i
    return first


def _aligned(shape: Shape, ndim: int, places: Places, axis: int) -> Shape:
    """The shape of values as NumPy inserts them: of one place the first axis is that of arr."""
    full = (1,) * (ndim - len(shape)) + shape
    if isinstance(places, int):
        rest = full[1:]
        return (*rest[:axis], full[0], *rest[axis:])
    return full


def _count(arr: Any, values: Any, places: Places, axis: int) -> int:
    """How many slices are inserted."""
    if isinstance(places, tuple) and len(places) != 1:
        return len(places)
    return _aligned(np.shape(values), np.ndim(arr), places, axis)[axis]


def _insert_type(arr: ArrayType, values: ArrayType, places: Places, axis: int) -> ArrayType:
    if values.ndim > arr.ndim:
        raise ValueError(f"values of {values.ndim} axes do not fit in an array of {arr.ndim}")
    count = _count(arr, values, places, axis)
    slots(places, arr.shape[axis], count)
    gap = (*arr.shape[:axis], count, *arr.shape[axis + 1 :])
    if np.broadcast_shapes(_aligned(values.shape, arr.ndim, places, axis), gap) != gap:
        raise ValueError(f"values of shape {values.shape} do not fit in a gap of shape {gap}")
    return arr.with_shape((*arr.shape[:axis], arr.shape[axis] + count, *arr.shape[axis + 1 :]))


def _inserted_bar(y_bar: Any, arr: Any, values: Any, places: Places, axis: int) -> Any:
    """What of the cotangent stands where the values were inserted, in their shape."""
    before = (slice(None),) * axis
    taken = slots(places, np.shape(arr)[axis], _count(arr, values, places, axis))
    if isinstance(places, int) and np.ndim(values) < np.ndim(arr):
        return sum_to(y_bar[(*before, taken[0])], np.shape(values))
    apart = taken != list(range(taken[0], taken[0] + len(taken))) if taken else False
    part = y_bar[(*before, taken if apart else slice(taken[0], taken[-1] + 1))] if taken else (
        y_bar[(*before, slice(0, 0))]
    )
    part = sum_to(part, _aligned(np.shape(values), np.ndim(arr), places, axis))
    part = np.moveaxis(part, axis, 0) if isinstance(places, int) else part
    return np.reshape(part, np.shape(values))


def _kept_bar(y_bar: Any, arr: Any, values: Any, places: Places, axis: int) -> Any:
    taken = slots(places, np.shape(arr)[axis], _count(arr, values, places, axis))
    return delete(y_bar, places=taken[0] if len(taken) == 1 else tuple(taken), axis=axis)


def _insert_batch(
    arr: Any, values: Any, places: Places, axis: int, batched: tuple[bool, bool]
) -> Any:
    if not batched[0]:
        arr = np.broadcast_to(arr, (np.shape(values)[0], *np.shape(arr)))
    ndim, rows = np.ndim(arr) - 1, np.shape(values)[:1] if batched[1] else (1,)
    shape = np.shape(values)[1:] if batched[1] else np.shape(values)
    values = np.reshape(values, (*rows, *(1,) * (ndim - len(shape)), *shape))
    if isinstance(places, int):  # a list of one place: values have the axes of the array
        values, places = np.moveaxis(values, 1, axis + 1), (places,)
    return insert(arr, values, places=places, axis=axis + 1)


def _places_source(places: Places) -> str:
    return str(places if isinstance(places, int) else list(places))


def _along(axis: int, x: ArrayType) -> str:
    return f", axis={axis}" if x.ndim > 1 else ""


insert: Primitive = register(
    Primitive(
        name="insert",
        function=lambda arr, values, places, axis: np.insert(arr, _object(places), values, axis),
        arguments=("arr", "values"),
        joint=True,
        numbers=True,
        result=_insert_type,
        rules={"arr": Transpose(_kept_bar), "values": Transpose(_inserted_bar)},
        batch=_insert_batch,
        numpy=lambda arr, values, places, axis, types: (
            f"np.insert({arr}, {_places_source(places)}, {values}{_along(axis, types[0])})"
        ),
        samples=Samples(
            cases=(
                case("f[4]", "f[]", places=2, axis=0),
                case("f[4]", "f[3]", places=-1, axis=0),
                case("f[3,4]", "f[4]", places=1, axis=0),
                case("f[3,4]", "f[2,3]", places=1, axis=1),
                case("f[3,4]", "f[3,1]", places=(1,), axis=1),
                case("f[4]", "f[3]", places=(3, 0, 0), axis=0),
                case("f[3,4]", "f[]", places=(0, 2), axis=1),
                case("f[4]", "f[0]", places=(), axis=0),
                case("c[2]", "c[]", places=0, axis=0),
            )
        ),
    )
)


def _object(places: Places) -> Any:
    return places if isinstance(places, int) else np.array(places, np.intp)


def _removed(places: Places, extent: int) -> list[int]:
    listed = [places] if isinstance(places, int) else places
    if any(not -extent <= place < extent for place in listed):
        raise IndexError(f"index {max(listed, key=abs)} is out of bounds for size {extent}")
    return sorted({place % extent for place in listed})


def _delete_type(x: ArrayType, places: Places, axis: int) -> ArrayType:
    left = x.shape[axis] - len(_removed(places, x.shape[axis]))
    return x.with_shape((*x.shape[:axis], left, *x.shape[axis + 1 :]))


def _delete_transpose(y_bar: Any, x: Any, places: Places, axis: int) -> Any:
    """Zeros where elements were; each is inserted as the array is before the others are."""
    gaps = tuple(place - i for i, place in enumerate(_removed(places, np.shape(x)[axis])))
    return insert(y_bar, 0.0, places=gaps[0] if len(gaps) == 1 else gaps, axis=axis)


delete: Primitive = linear(
    lambda x, places, axis: np.delete(x, _object(places), axis),
    name="delete",
    result=_delete_type,
    transpose={"x": _delete_transpose},
    batch=lambda x, places, axis: delete(x, places=places, axis=axis + 1),
    numpy=lambda x, places, axis, types: (
        f"np.delete({x}, {_places_source(places)}{_along(axis, types[0])})"
    ),
    samples=Samples(
        cases=(
            case("f[4]", places=1, axis=0),
            case("f[3,4]", places=-1, axis=1),
            case("f[3,4]", places=(0, 2, 0), axis=0),
            case("f[4]", places=(), axis=0),
            case("c[2]", places=0, axis=0),
        )
    ),
)

# ---------------------------------------------------------------------------- resize


def _resize_transpose(y_bar: Any, x: Any, new_shape: Shape) -> Any:
    """The sum over all copies of the array, of which the last may be a part."""
    size, total = math.prod(np.shape(x)), math.prod(new_shape)
    copies = -(-total // size) if size else 0
    if not copies:
        return np.zeros(np.shape(x), y_bar.dtype)
    flat = np.ravel(y_bar)
    if copies * size > total:
        flat = np.concatenate([flat, np.zeros(copies * size - total, flat.dtype)])
    if copies > 1:
        flat = np.sum(np.reshape(flat, (copies, size)), axis=0)
    return np.reshape(flat, np.shape(x))


def _resize_batch(x: Any, new_shape: Shape) -> Any:
    rows, size, total = np.shape(x)[0], math.prod(np.shape(x)[1:]), math.prod(new_shape)
    if not size:
        return np.zeros((rows, *new_shape), x.dtype)
    copies = np.tile(np.reshape(x, (rows, size)), (1, max(-(-total // size), 1)))
    return np.reshape(copies[:, :total], (rows, *new_shape))


resize = linear(
    np.resize,
    result=lambda x, new_shape: x.with_shape(new_shape),
    transpose={"x": _resize_transpose},
    call=lambda a, new_shape: (
        (a,),
        {"new_shape": tuple(map(operator.index, np.atleast_1d(new_shape)))},
    ),
    batch=_resize_batch,
    numpy=lambda x, new_shape: (
        f"np.resize({x}, {new_shape[0] if len(new_shape) == 1 else new_shape})"
    ),
    samples=Samples(
        cases=(
            case("f[4]", new_shape=(6,)),
            case("f[2,3]", new_shape=(4, 3)),
            case("f[2,3]", new_shape=(2,)),
            case("f[]", new_shape=(3,)),
            case("f[0]", new_shape=(2,)),
            case("f[3]", new_shape=(0,)),
        )
    ),
)

# ---------------------------------------------------------------------------- reshape


def _reshape_by_columns(x: Any, shape: Shape) -> Any:
    """Elements taken and placed with the first index changing fastest."""
    return np.reshape(x, shape, order="F")


def _reshape_batch(x: Any, shape: Shape) -> Any:
    rows, ndim = np.shape(x)[0], np.ndim(x)
    flat = np.reshape(np.transpose(x, (0, *range(1, ndim)[::-1])), (rows, *shape[::-1]))
    return np.transpose(flat, (0, *range(1, len(shape) + 1)[::-1]))


reshape_by_columns: Primitive = linear(
    _reshape_by_columns,
    name="reshape_by_columns",
    result=lambda x, shape: x.with_shape(shape),
    transpose={
        "x": lambda y_bar, x, shape: reshape_by_columns(y_bar, shape=tuple(np.shape(x)))
    },
    batch=_reshape_batch,
    numpy=lambda x, shape: f"{x}.reshape({shape[0] if len(shape) == 1 else shape}, order='F')",
    view=True,
    shares=lambda x, shape: None,
    samples=Samples(
        cases=(
            case("f[3,4]", shape=(2, 6)),
            case("f[2,3,2]", shape=(12,)),
            case("f[6]", shape=(3, 2)),
            case("f[0,3]", shape=(3, 0)),
        )
    ),
)

# ---------------------------------------------------------------------------- segments


def _lengths(x: Any, indices: Shape, axis: int) -> Shape:
    return tuple(stop - start for start, stop in pairwise((*indices, np.shape(x)[axis])))


def _segments_bar(y_bar: Any, x: Any, indices: Shape, axis: int) -> Any:
    spread = repeat_each(y_bar, repeats=_lengths(x, indices, axis), axis=axis)
    if not indices[0]:
        return spread
    widths = [(0, 0)] * np.ndim(x)
    widths[axis] = indices[0], 0
    return np.pad(spread, widths)


def _segment_sums(x: Any, indices: Shape, axis: int) -> Any:
    """The sums of the segments of an axis that begin at these places, each up to the next."""
    return np.add.reduceat(x, indices, axis)


segment_sums: Primitive = linear(
    _segment_sums,
    name="segment_sums",
    result=lambda x, indices, axis: x.with_shape(
        (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
    ),
    transpose={"x": _segments_bar},
    batch=lambda x, indices, axis: segment_sums(x, indices=indices, axis=axis + 1),
    numpy=lambda x, indices, axis: (
        f"np.add.reduceat({x}, {list(indices)}{f', axis={axis}' if axis else ''})"
    ),
    samples=Samples(
        cases=(
            case("f[5]", indices=(0, 2), axis=0),
            case("f[3,4]", indices=(1, 3), axis=1),
            case("c[3]", indices=(0, 1, 2), axis=0),
        )
    ),
)


def _repeats_bar(y_bar: Any, x: Any, repeats: Shape, axis: int) -> Any:
    """The sum of the copies of each element, and 0 for those of which there is none."""
    starts: list[int] = []
    zero: list[int] = []
    total = 0
    for i, count in enumerate(repeats):
        if count:
            starts.append(total)
        else:
            zero.append(i - len(zero))  # the places of gaps before others are filled
        total += count
    if not starts:
        return np.zeros(np.shape(x), y_bar.dtype)
    sums = segment_sums(y_bar, indices=tuple(starts), axis=axis)
    if not zero:
        return sums
    return insert(sums, 0.0, places=zero[0] if len(zero) == 1 else tuple(zero), axis=axis)


def _repeat_each(x: Any, repeats: Shape, axis: int) -> Any:
    """Each slice of an axis as often as is said for it."""
    return np.repeat(x, repeats, axis)


repeat_each: Primitive = linear(
    _repeat_each,
    name="repeat_each",
    result=lambda x, repeats, axis: x.with_shape(
        (*x.shape[:axis], sum(repeats), *x.shape[axis + 1 :])
    ),
    transpose={"x": _repeats_bar},
    batch=lambda x, repeats, axis: repeat_each(x, repeats=repeats, axis=axis + 1),
    numpy=lambda x, repeats, axis, types: (
        f"np.repeat({x}, {list(repeats)}{_along(axis, types[0])})"
    ),
    samples=Samples(
        cases=(
            case("f[3]", repeats=(2, 1, 3), axis=0),
            case("f[3,4]", repeats=(1, 0, 0, 2), axis=1),
            case("f[2,3]", repeats=(0, 0), axis=0),
            case("c[2]", repeats=(0, 2), axis=0),
        )
    ),
)

# ---------------------------------------------------------------------------- choose


def _choose(a: Any, *choices: Any, mode: str) -> Any:
    """Of several arrays the element of the one that `a` says, everywhere."""
    return np.choose(a, choices, mode=mode)  # type: ignore[call-overload]


def _choices_bars(y_bar: Any, a: Any, *choices: Any, mode: str) -> list[Any]:
    if mode == "wrap":
        a = a % len(choices)
    elif mode == "clip":
        a = np.clip(a, 0, len(choices) - 1)
    return [np.where(a == i, y_bar, 0) for i in range(len(choices))]


choose: Primitive = register(
    Primitive(
        name="choose",
        function=_choose,
        arguments=("a", "choices"),
        variadic=True,
        elementwise=True,
        joint=True,
        result=lambda a, *choices, mode: array_type(choices[0].dtype, a.shape),
        rules={"a": CONSTANT, "choices": Transpose(_choices_bars)},
        numpy=lambda a, *choices, mode: (
            f"np.choose({a}, [{', '.join(choices)}]{f', mode={mode!r}' if mode != 'raise' else ''})"
        ),
        samples=Samples(
            cases=(
                case("i[3]", "f[3]", "f[3]", "f[3]", mode="raise"),
                case("i[2,3]", "f[2,3]", "f[2,3]", mode="wrap"),
                case("i[3]", "c[3]", "c[3]", mode="clip"),
            )
        ),
    )
)

# ---------------------------------------------------------------------------- windows


def _windows_type(x: ArrayType, window_shape: Shape, axis: Shape) -> ArrayType:
    shape = list(x.shape)
    for extent, along in zip(window_shape, axis, strict=True):
        shape[along] -= extent - 1
    if min(window_shape, default=0) < 0:
        raise ValueError("`window_shape` cannot contain negative values")
    if min(shape, default=0) < 0:
        raise ValueError("window shape cannot be larger than input array shape")
    return x.with_shape((*shape, *window_shape))


def _windows_call(
    x: Any, window_shape: Any, axis: Any = None, *, writeable: bool = False
) -> tuple[tuple[Any], dict[str, Any]]:
    if writeable:
        raise NotImplementedError("writeable= of sliding_window_view is not traced")
    window_shape = tuple(map(operator.index, np.atleast_1d(window_shape)))
    if axis is None:
        axis = range(np.ndim(x))
    axes = tuple(one_axis(each, np.ndim(x)) for each in np.atleast_1d(axis))
    if len(window_shape) != len(axes):
        raise ValueError(
            f"Must provide matching length window_shape and axis; got {len(window_shape)} "
            f"window_shape elements and {len(axes)} axes elements."
        )
    return (x,), {"window_shape": window_shape, "axis": axes}


def _windows_source(x: str, window_shape: Shape, axis: Shape, types: tuple[ArrayType, ...]) -> str:
    every = axis == tuple(range(types[0].ndim))
    options = "" if every else f", axis={axis[0] if len(axis) == 1 else axis}"
    extent = window_shape[0] if len(window_shape) == 1 else window_shape
    return f"np.lib.stride_tricks.sliding_window_view({x}, {extent}{options})"


def _sum_of_windows(y_bar: Any, x: Any, window_shape: Shape, axis: Shape) -> Any:
    """What the windows say of each place, added up."""
    params = {"window_shape": window_shape, "axis": axis, "shape": tuple(np.shape(x))}
    if np.iscomplexobj(y_bar):
        real, imag = np.real(y_bar), np.imag(y_bar)
        return overlap_add(real, **params) + 1j * overlap_add(imag, **params)
    return overlap_add(y_bar, **params)


windows: Primitive = linear(
    sliding_window_view,
    name="windows",
    result=_windows_type,
    transpose={"x": _sum_of_windows},
    call=_windows_call,
    batch=lambda x, window_shape, axis: windows(
        x, window_shape=window_shape, axis=tuple(i + 1 for i in axis)
    ),
    numpy=_windows_source,
    view=True,
    shares=lambda x, window_shape, axis: None,  # a place stands in it several times
    read_only=True,
    samples=Samples(
        cases=(
            case("f[5]", window_shape=(2,), axis=(0,)),
            case("f[3,4]", window_shape=(2, 3), axis=(0, 1)),
            case("f[3,4]", window_shape=(2,), axis=(1,)),
            case("f[4]", window_shape=(2, 2), axis=(0, 0)),
            case("c[3]", window_shape=(3,), axis=(0,)),
        )
    ),
)


def _overlap_add(y: Any, window_shape: Shape, axis: Shape, shape: Shape) -> Any:
    """The sum of all elements of windows that are of one place, for real numbers."""
    size = math.prod(shape)
    places = sliding_window_view(np.arange(size).reshape(shape), window_shape, axis)
    return np.bincount(places.ravel(), y.ravel(), size).astype(y.dtype).reshape(shape)


def _overlap_source(
    y: str, window_shape: Shape, axis: Shape, shape: Shape, types: tuple[ArrayType, ...]
) -> str:
    size, whole = math.prod(shape), array_type(np.intp, shape)
    ordered = f"np.arange({size})" + (f".reshape{shape}" if len(shape) > 1 else "")
    places = _windows_source(ordered, window_shape, axis, (whole,))
    dtype = types[0].dtype
    converted = "" if dtype == np.float64 else f".astype({dtype_source(dtype)})"
    back = f".reshape{shape}" if len(shape) > 1 else ""
    return f"np.bincount({places}.ravel(), {y}.ravel(), {size}){converted}{back}"


overlap_add: Primitive = linear(
    _overlap_add,
    name="overlap_add",
    result=lambda y, window_shape, axis, shape: y.with_shape(shape),
    transpose={
        "y": lambda y_bar, y, window_shape, axis, shape: windows(
            y_bar, window_shape=window_shape, axis=axis
        )
    },
    batch=lambda y, window_shape, axis, shape: overlap_add(
        y,
        window_shape=window_shape,
        axis=tuple(i + 1 for i in axis),
        shape=(np.shape(y)[0], *shape),
    ),
    numpy=_overlap_source,
    samples=Samples(
        cases=(
            case("f[4,2]", window_shape=(2,), axis=(0,), shape=(5,)),
            case("f[2,2,2,3]", window_shape=(2, 3), axis=(0, 1), shape=(3, 4)),
        )
    ),
)

# ---------------------------------------------------------------------------- borders

BORDERS = ("edge", "reflect", "symmetric", "wrap")  # modes of np.pad that repeat elements
Widths = tuple[tuple[int, int], ...]


def _sources(extent: int, width: tuple[int, int], mode: str) -> list[int]:
    """For each place of a padded axis the place that its element is from."""
    places = np.pad(np.arange(extent), width, mode)  # type: ignore[call-overload]
    return list(map(int, places))


def _stretches(places: list[int]) -> Iterator[tuple[int, int]]:
    """Where the places go up or down by one, or stay: begin and end of each such stretch."""
    begin = 0
    while begin < len(places):
        end = begin + 1
        while end < len(places) and (
            abs(step := places[end] - places[end - 1]) < 2
            and step == places[begin + 1] - places[begin]
        ):
            end += 1
        yield begin, end
        begin = end


def _border_transpose(y_bar: Any, x: Any, widths: Widths, mode: str) -> Any:
    """What the border repeats is added to where it was taken from, stretch by stretch."""
    for axis, (before, after) in enumerate(widths):
        extent, ahead = np.shape(x)[axis], (slice(None),) * axis
        places = _sources(extent, (before, after), mode) if before or after else []
        inner = y_bar[(*ahead, span(before, before + extent, len(places)))] if places else y_bar
        for offset, side in ((0, places[:before]), (before + extent, places[before + extent :])):
            for begin, end in _stretches(side):
                stretch = span(offset + begin, offset + end, len(places))
                part = y_bar[(*ahead, stretch)]
                low, high = sorted((side[begin], side[end - 1]))
                place: Any = ("slice", low, high + 1, None)
                if side[begin] > low:
                    part = np.flip(part, axis)
                elif low == high:
                    part, place = np.sum(part, axis=axis), low
                inner = index_add(inner, part, index=(*(ROWS,) * axis, place))
        y_bar = inner
    return y_bar


def _border_source(x: str, widths: Widths, mode: str) -> str:
    return f"{pad_source(x, widths)[:-1]}, mode={mode!r})"


def _border(x: Any, widths: Widths, mode: str) -> Any:
    """x with elements of its own around it."""
    return np.pad(x, widths, mode)  # type: ignore[call-overload]


border: Primitive = linear(
    _border,
    name="border",
    result=lambda x, widths, mode: x.with_shape(
        tuple(len(_sources(*each, mode)) for each in zip(x.shape, widths, strict=True))
    ),
    transpose={"x": _border_transpose},
    batch=lambda x, widths, mode: border(x, widths=((0, 0), *widths), mode=mode),
    numpy=_border_source,
    samples=Samples(
        cases=(
            case("f[3]", widths=((1, 2),), mode="edge"),
            case("f[2,3]", widths=((0, 1), (2, 0)), mode="reflect"),
            case("f[2,3]", widths=((1, 1), (3, 5)), mode="symmetric"),
            case("f[3]", widths=((2, 4),), mode="wrap"),
            case("c[1]", widths=((2, 1),), mode="reflect"),
        )
    ),
)

# ---------------------------------------------------------------------------- bits and indices

bitwise_count = constant(
    np.bitwise_count,
    c=lambda x, types: f"sd_bits_i64({x})" if types[0].dtype.kind == "i" else "",
    samples=Samples(cases=(case("i[2,3]"), case("i[]"))),
)


def _bits_call(a: Any, axis: Any = None, **options: Any) -> tuple[tuple[Any], dict[str, Any]]:
    axis = None if axis is None else one_axis(axis, np.ndim(a))
    return (a,), {"axis": axis, **options}


def _bits_type(function: Any) -> Any:
    def result(x: ArrayType, **params: Any) -> ArrayType:
        return array_type(np.uint8, function(np.zeros(x.shape, x.dtype), **params).shape)

    return result


def _bits_batch(function: Any) -> Any:
    def batch(x: Any, axis: int | None, **params: Any) -> Any:
        if axis is None:
            return function(np.reshape(x, (np.shape(x)[0], -1)), axis=1, **params)
        return function(x, axis=axis + 1, **params)

    return batch


packbits: Primitive = primitive(
    np.packbits,
    result=_bits_type(np.packbits),
    call=_bits_call,
    batch=_bits_batch(np.packbits),
    samples=Samples(
        cases=(case("b[10]", axis=None), case("b[3,4]", axis=1, bitorder="little"))
    ),
)
unpackbits: Primitive = primitive(
    np.unpackbits,
    result=_bits_type(np.unpackbits),
    call=_bits_call,
    batch=_bits_batch(np.unpackbits),
    samples=Samples(
        cases=(case("u[3]", axis=None), case("u[3,2]", axis=1, count=12, bitorder="little"))
    ),
)


def _flat_index(*indices: Any, **params: Any) -> Any:
    return np.ravel_multi_index(indices, **params)


def _defaults_left_out(**options: tuple[Any, Any]) -> str:
    return "".join(f", {key}={own!r}" for key, (own, usual) in options.items() if own != usual)


ravel_multi_index: Primitive = register(
    Primitive(
        name="ravel_multi_index",
        function=_flat_index,
        arguments=("indices",),
        variadic=True,
        result=lambda *indices, **params: array_type(np.intp, indices[0].shape),
        rules={"indices": CONSTANT},
        batch=lambda *indices, dims, mode, order: ravel_multi_index(
            *indices, dims=dims, mode=mode, order=order
        ),
        numpy=lambda *indices, dims, mode, order: (
            f"np.ravel_multi_index(({', '.join(indices)}), {dims}"
            f"{_defaults_left_out(mode=(mode, 'raise'), order=(order, 'C'))})"
        ),
        samples=Samples(cases=(case("i[3]", "i[3]", dims=(4, 4), mode="raise", order="C"),)),
    )
)
unravel_index: Primitive = primitive(
    lambda x, shape, order, axis: np.unravel_index(x, shape, order)[axis],
    name="unravel_index",
    result=lambda x, shape, order, axis: array_type(np.intp, x.shape),
    batch=lambda x, shape, order, axis: unravel_index(x, shape=shape, order=order, axis=axis),
    numpy=lambda x, shape, order, axis: (
        f"np.unravel_index({x}, {shape}{_defaults_left_out(order=(order, 'C'))})[{axis}]"
    ),
    samples=Samples(cases=(case("i[3]", shape=(2, 4), order="F", axis=1),)),
)

# ---------------------------------------------------------------------------- numbers in a row


def _row_type(start: ArrayType, stop: ArrayType, num: int, endpoint: bool) -> ArrayType:
    return start.with_shape((num, *start.shape))


def _shares(x: Any, num: int, endpoint: bool) -> tuple[Any, Any]:
    """How much of the first and of the last number each one of a row has."""
    later = np.linspace(0, 1, num, endpoint=endpoint, dtype=x.dtype)
    column = np.reshape(later, (num, *(1,) * np.ndim(x)))
    return 1 - column, column


def _row_source(name: str) -> Any:
    def source(
        start: str, stop: str, num: int, endpoint: bool, types: tuple[ArrayType, ...]
    ) -> str:
        options = "" if endpoint else ", endpoint=False"
        single = name == "geomspace" and types[0].dtype not in (np.float64, np.complex128)
        options += f", dtype={dtype_source(types[0].dtype)}" if single else ""
        return f"np.{name}({start}, {stop}, {num}{options})"

    return source


def _row(function: Any) -> Any:
    """The function as NumPy computes it for arrays of one dtype."""

    def row(start: Any, stop: Any, num: int, endpoint: bool) -> Any:
        return function(start, stop, num, endpoint, dtype=start.dtype)

    return row


linspace: Primitive = linear(
    _row(np.linspace),
    name="linspace",
    result=_row_type,
    transpose={
        "start": lambda y_bar, start, stop, num, endpoint: np.sum(
            y_bar * _shares(start, num, endpoint)[0], axis=0
        ),
        "stop": lambda y_bar, start, stop, num, endpoint: np.sum(
            y_bar * _shares(stop, num, endpoint)[1], axis=0
        ),
    },
    joint=True,
    numbers=True,
    batch=lambda start, stop, num, endpoint: np.moveaxis(
        linspace(start, stop, num=num, endpoint=endpoint), 0, 1
    ),
    numpy=_row_source("linspace"),
    samples=Samples(
        cases=(
            case("f[]", "f[]", num=4, endpoint=True),
            case("f[2]", "f[2]", num=3, endpoint=False),
            case("f[]", "f[]", num=1, endpoint=True),
            case("c[]", "c[]", num=3, endpoint=True),
            case("f[2]", "f[2]", num=0, endpoint=True),
        )
    ),
)
geomspace: Primitive = primitive(
    _row(np.geomspace),
    name="geomspace",
    result=_row_type,
    jvp={
        "start": lambda y, start, stop, start_dot, num, endpoint: (
            y * _shares(start, num, endpoint)[0] * (start_dot / start)
        ),
        "stop": lambda y, start, stop, stop_dot, num, endpoint: (
            y * _shares(stop, num, endpoint)[1] * (stop_dot / stop)
        ),
    },
    numbers=True,
    batch=lambda start, stop, num, endpoint: np.moveaxis(
        geomspace(start, stop, num=num, endpoint=endpoint), 0, 1
    ),
    numpy=_row_source("geomspace"),
    samples=Samples(
        low=0.5,
        cases=(
            case("f[]", "f[]", num=4, endpoint=True),
            case("f[2]", "f[2]", num=3, endpoint=False),
            case("f[]", "f[]", num=1, endpoint=True),
        ),
    ),
)
