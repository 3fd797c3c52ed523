"""NumPy functions that move elements, written with the primitives of `shaping`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from symdiff.ops import shaping
from symdiff.ops.primitive import array_of, composite
from symdiff.ops.reductions import axes_of, normalize_axes, one_axis

# ---------------------------------------------------------------------------- axes


@composite(np.ravel)
def ravel(a: Any, order: Any = "C") -> Any:
    """All elements in one axis."""
    if order == "F":
        a, order = np.transpose(a), "C"
    return a if np.ndim(a) == 1 else np.reshape(a, -1, order=order)


@composite(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Without the axes of extent 1, or those given."""
    shape = np.shape(a)
    axes = (
        tuple(i for i, extent in enumerate(shape) if extent == 1)
        if axis is None
        else axes_of(a, axis)
    )
    if any(shape[i] != 1 for i in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return np.reshape(a, tuple(extent for i, extent in enumerate(shape) if i not in axes))


@composite(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """With new axes of extent 1 at the places `axis` of the result."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = np.ndim(a) + len(axes)
    places = normalize_axes(axes, ndim)
    extents = iter(np.shape(a))
    return np.reshape(a, tuple(1 if i in places else next(extents) for i in range(ndim)))


@composite(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """With two axes exchanged."""
    axes = list(range(np.ndim(a)))
    first, second = one_axis(axis1, len(axes)), one_axis(axis2, len(axes))
    axes[first], axes[second] = second, first
    return np.transpose(a, axes)


@composite(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """With the axes `source` at the places `destination`, the others in order."""
    ndim = np.ndim(a)
    sources = [one_axis(i, ndim) for i in np.atleast_1d(source)]
    places = [one_axis(i, ndim) for i in np.atleast_1d(destination)]
    if len(sources) != len(places):
        raise ValueError("source and destination must have the same number of axes")
    order = [i for i in range(ndim) if i not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return np.transpose(a, order)


@composite(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """With one axis moved to stand before the axis `start`."""
    ndim = np.ndim(a)
    axis, start = one_axis(axis, ndim), start + ndim if start < 0 else start
    return np.moveaxis(a, axis, start - 1 if axis < start else start)


def _at_least(ndim: int, function: Any) -> None:
    """np.atleast_1d and its kin: one array in, one out; several in, a tuple out."""

    @composite(function)
    def at_least(*arrays: Any) -> Any:
        out = tuple(_with_axes(each, ndim) for each in arrays)
        return out[0] if len(out) == 1 else out


def _with_axes(a: Any, ndim: int) -> Any:
    shape = np.shape(a)
    if len(shape) >= ndim:
        return a
    if ndim < 3 or not shape:
        return np.reshape(a, (*(1,) * (ndim - len(shape)), *shape))
    return np.reshape(a, (*(1,) * (2 - len(shape)), *shape, 1))  # 1-D: in the middle of three


for _ndim, _function in enumerate((np.atleast_1d, np.atleast_2d, np.atleast_3d), start=1):
    _at_least(_ndim, _function)


@composite(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[Any, ...]:
    """The arrays at their common shape."""
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(np.broadcast_to(each, shape) for each in arrays)


@composite(np.meshgrid)
def meshgrid(*arrays: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """A coordinate array for each vector."""
    ndim = len(arrays)
    grids = [np.reshape(each, (1,) * i + (-1,) + (1,) * (ndim - 1 - i))
             for i, each in enumerate(arrays)]
    if indexing == "xy" and ndim > 1:
        grids = [np.swapaxes(each, 0, 1) for each in grids]
    coordinates = grids if sparse else np.broadcast_arrays(*grids)
    return tuple(map(np.copy, coordinates)) if copy else coordinates  # where a list, as NumPy


# ---------------------------------------------------------------------------- joining


def _as_cast(joined: Any, dtype: Any, casting: Any) -> Any:
    """In another dtype, if casting rules allow it."""
    if dtype is None:
        return joined
    if not np.can_cast(joined.dtype, dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {joined.dtype!r} to {np.dtype(dtype)!r} according to "
            f"the rule {casting!r}"
        )
    return joined.astype(dtype)


@composite(np.concatenate)
def concatenate(
    arrays: Sequence[Any], axis: Any = 0, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """The arrays end to end."""
    if axis is None:
        arrays, axis = [np.ravel(each) for each in arrays], 0
    if not all(map(np.ndim, arrays)):
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    if len({np.ndim(each) for each in arrays}) > 1:
        raise ValueError("arrays that are concatenated must have the same number of dimensions")
    joined = shaping.concatenate(*arrays, axis=one_axis(axis, np.ndim(arrays[0])))
    return _as_cast(joined, dtype, casting)


@composite(np.stack)
def stack(
    arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """The arrays along a new axis."""
    arrays = [array_of(each) for each in arrays]
    stacked = shaping.stack(*arrays, axis=one_axis(axis, np.ndim(arrays[0]) + 1))
    return _as_cast(stacked, dtype, casting)


@composite(np.vstack)
def vstack(tup: Sequence[Any], **options: Any) -> Any:
    """The arrays below each other."""
    return np.concatenate([np.atleast_2d(each) for each in tup], 0, **options)


@composite(np.hstack)
def hstack(tup: Sequence[Any], **options: Any) -> Any:
    """The arrays beside each other."""
    arrays = [np.atleast_1d(each) for each in tup]
    return np.concatenate(arrays, 0 if np.ndim(arrays[0]) == 1 else 1, **options)


@composite(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """The arrays behind each other."""
    return np.concatenate([np.atleast_3d(each) for each in tup], 2)


@composite(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """The arrays beside each other, vectors as columns."""
    if all(np.ndim(each) == 1 for each in tup):
        return np.stack(tup, 1)
    return np.concatenate(
        [each if np.ndim(each) > 1 else np.reshape(each, (-1, 1)) for each in tup], 1
    )


@composite(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """Two arrays end to end."""
    return np.concatenate([arr, values], axis)


# ---------------------------------------------------------------------------- splitting


@composite(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Parts of equal extent, as far as that goes, or from index to index."""
    axis = one_axis(axis, np.ndim(ary))
    extent = np.shape(ary)[axis]
    if np.ndim(indices_or_sections):
        bounds = [0, *map(int, indices_or_sections), extent]
    else:
        each, longer = divmod(extent, int(indices_or_sections))
        bounds = [i * each + min(i, longer) for i in range(int(indices_or_sections) + 1)]
    before = (slice(None),) * axis
    spans = [shaping.span(start, stop, extent) for start, stop in pairwise(bounds)]
    return [ary[(*before, each)] for each in spans]


@composite(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Parts of equal extent, or from index to index."""
    if not np.ndim(indices_or_sections) and np.shape(ary)[axis] % int(indices_or_sections):
        raise ValueError("array split does not result in an equal division")
    return np.array_split(ary, indices_or_sections, axis)


@composite(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """np.split along the second axis, of a vector along the only one."""
    return np.split(ary, indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


@composite(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """np.split along the first axis."""
    return np.split(ary, indices_or_sections, 0)


@composite(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """np.split along the third axis."""
    return np.split(ary, indices_or_sections, 2)


# ---------------------------------------------------------------------------- order


@composite(np.fliplr)
def fliplr(m: Any) -> Any:
    """With the second axis reversed."""
    return np.flip(m, 1)


@composite(np.flipud)
def flipud(m: Any) -> Any:
    """With the first axis reversed."""
    return np.flip(m, 0)


@composite(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Turned by k right angles, from the first of `axes` towards the second."""
    first, second = (one_axis(each, np.ndim(m)) for each in axes)
    if first == second:
        raise ValueError("Axes must be different.")
    turns = k % 4
    if turns == 0:
        return m
    if turns == 2:
        return np.flip(m, axes)
    return np.flip(np.swapaxes(m, first, second), first if turns == 1 else second)


@composite(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """With elements shifted along axes, those that fall off coming in at the other end."""
    if np.iscomplexobj(shift):
        raise NotImplementedError("np.roll by a complex number is not traced")
    if axis is None and np.ndim(a) != 1:
        return np.reshape(np.roll(np.ravel(a), shift, 0), np.shape(a))
    axis = 0 if axis is None else axis
    shifts, axes = np.broadcast_arrays(shift, axis)
    return shaping.roll(
        a,
        shift=tuple(int(i) for i in np.ravel(shifts)),
        axis=tuple(one_axis(int(i), np.ndim(a)) for i in np.ravel(axes)),
    )


@composite(np.take)
def take(a: Any, indices: Any, axis: Any = None, *, mode: str = "raise") -> Any:
    """The elements at integer indices along one axis."""
    if axis is None:
        a, axis = np.ravel(a), 0
    axis, indices = one_axis(axis, np.ndim(a)), _numbers(indices)
    if mode != "raise":
        indices = shaping.within(indices, np.shape(a)[axis], mode)
    taken = shaping.at(a, (*(slice(None),) * axis, indices))
    return np.copy(taken) if np.ndim(taken) else taken


def _numbers(indices: Any) -> Any:
    """Indices of which those that are booleans count as 0 and 1, and are no mask."""
    if isinstance(indices, (bool, list, tuple)):
        indices = np.asarray(indices)
    is_mask = hasattr(indices, "dtype") and indices.dtype.kind == "b"
    return indices.astype(np.intp) if is_mask else indices


@composite(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """The elements at indices that are an array of their own along one axis."""
    if np.result_type(indices).kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if axis is None:
        return shaping.at(np.ravel(arr), (indices,))
    axis, ndim = one_axis(axis, np.ndim(arr)), np.ndim(arr)
    index = [
        indices
        if i == axis
        else np.reshape(np.arange(extent), (-1, *(1,) * (ndim - 1 - i)))
        if extent != 1
        else 0
        for i, extent in enumerate(np.shape(arr))
    ]
    return shaping.at(arr, tuple(index))


# ---------------------------------------------------------------------------- repeating, padding


@composite(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """Each element several times: the same number for all, or one for each."""
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = one_axis(axis, np.ndim(a))
    if np.size(repeats) == 1:
        return shaping.repeat(a, repeats=int(np.ravel(repeats)[0]), axis=axis)
    from symdiff.ops import placing  # for few programs

    counts = tuple(map(int, np.asarray(repeats)))
    if len(counts) == np.shape(a)[axis] <= placing.LISTED and min(counts, default=0) >= 0:
        return placing.repeat_each(a, repeats=counts, axis=axis)
    return np.take(a, np.repeat(np.arange(np.shape(a)[axis]), repeats), axis)


@composite(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """The array several times along each axis."""
    counts = tuple(int(i) for i in np.atleast_1d(reps))
    ndim = max(np.ndim(A), len(counts))
    whole = np.reshape(A, (*(1,) * (ndim - np.ndim(A)), *np.shape(A)))
    return shaping.tile(whole, reps=(*(1,) * (ndim - len(counts)), *counts))


@composite(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """The array with a border: constants, its own elements once more, or what they say of it."""
    shape = np.shape(array)
    pairs = np.broadcast_to(_pairs(pad_width, len(shape)), (len(shape), 2)).tolist()
    widths = tuple((before, after) for before, after in pairs)
    if mode == "constant" and not np.ndim(options.get("constant_values", 0)):
        return _pad_constant(array, widths, **options)
    from symdiff.ops import arranging, placing  # for few programs

    if mode in placing.BORDERS and options in ({}, {"reflect_type": "even"}):
        return placing.border(array, widths=widths, mode=mode)
    return arranging.pad_with_sides(array, widths, mode, options)


def _pairs(pad_width: Any, ndim: int) -> Any:
    """The widths (before, after) of each axis; a dictionary may leave axes out."""
    if not isinstance(pad_width, dict):
        return np.asarray(pad_width)
    pairs = np.zeros((ndim, 2), int)
    for axis, width in pad_width.items():
        pairs[axis] = width
    return pairs


def _pad_constant(
    array: Any, widths: tuple[tuple[int, int], ...], constant_values: Any = 0
) -> Any:
    padded = shaping.pad(array, widths=widths)
    if type(constant_values) in (int, float) and constant_values == 0:
        return padded
    inside = np.pad(np.ones(np.shape(array), bool), widths)
    return np.where(inside, padded, constant_values).astype(padded.dtype)
