"""Stores into parts of traced arrays: y[index] = value, and NumPy's functions that do the same.

A part of a view is a part of the array that it is a view of: the store goes there at once, where
the steps between them are slices and permutations. Loaded when a program first stores.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symdiff.errors import SymdiffError, TraceError, word
from symdiff.frontend import memory
from symdiff.frontend.guards import count_true
from symdiff.frontend.numpy_api import read_index
from symdiff.frontend.selected import Selected, over_axes
from symdiff.frontend.tracer import (
    Tracer,
    as_array,
    coerce,
    depends_on,
    holds_tracer,
    lift,
    refuse_plain,
    where,
)
from symdiff.ir.node import Const, Node, node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import shaping
from symdiff.ops.places import distinct
from symdiff.ops.reductions import one_axis

Index = tuple[Any, ...]
_MOVES = (shaping.getitem, shaping.transpose, shaping.reshape, shaping.flip)


def store(x: Tracer, index: Any, value: Any) -> Tracer:
    """x[index] = value: x, which has the value that it has after that."""
    if not x.in_memory:
        kind = "float" if x.weak else f"numpy.{x.dtype.name}"
        raise TypeError(f"{kind!r} object does not support item assignment")
    if type(value) is Selected:
        if not (isinstance(index, Tracer) and value.fits(Selected(x, index))):
            count_true(index)
        value = value.over(x)
        memory.change(x, _cast(value.node, x.node.type))
        return x
    new = lift(as_array(value))
    mask = _traced_mask(x, index, new)
    if mask is not None:  # however many elements it selects
        kept: Any = np.where(over_axes(mask, x), Tracer(_cast(new, x.node.type)), x)
        memory.change(x, kept.node)
        return x
    array, entries, operands, _ = read_index(x, index)
    if not entries:
        memory.change(array, _cast(new, array.node.type))
        return x
    params = (("index", entries),)
    types = (array.node.type, *(each.type for each in operands))
    part = _cast(new, shaping.getitem.infer(types, params))
    if not part.type.size:
        return x
    array, entries, operands = _in_rows(array, entries, operands)
    if not operands:
        array, entries, part = _in_base(array, entries, part)
    changed = _replaced(array.node, part, entries, operands)
    memory.change(array, changed)
    return x


def _traced_mask(x: Tracer, index: Any, value: Node) -> Tracer | None:
    """The mask, where the index is a traced one and the value is one for all that it selects."""
    masked = isinstance(index, Tracer) and index.dtype.kind == "b"
    fits = masked and index.shape and index.shape == x.shape[: index.ndim]
    return index if fits and value.type.ndim <= x.ndim - index.ndim else None


def _replaced(base: Node, part: Node, entries: Index, operands: tuple[Node, ...]) -> Node:
    same = base.op is shaping.index_set and (part, *operands) == base.args[1:]
    if same and base.param("index") == entries:  # y[i] += v has changed the part y[i] itself
        return base
    masked = any(map(shaping.is_mask, entries))
    once = not operands or (masked and len(operands) == 1) or distinct(operands)
    params = (("distinct", once), ("index", entries))
    return node(shaping.index_set, (base, part, *operands), params)


def _cast(value: Node, target: ArrayType) -> Node:
    """The value as it lies in memory after a store: converted, and broadcast."""
    shape = value.type.shape
    if value.type.dtype.kind == "c" and target.dtype.kind != "c":
        raise TraceError(
            word(
                "a complex value is stored in an array of real numbers",
                where=where(),
                depends_on=depends_on(value),
                way_out="Store np.real of it, or make the array with dtype=complex.",
            )
        )
    while len(shape) > target.ndim and shape[0] == 1:
        shape = shape[1:]
    if not _broadcasts(shape, target.shape):
        raise ValueError(
            f"could not broadcast input array from shape {value.type.shape} "
            f"into shape {target.shape}"
        )
    if shape != value.type.shape:
        value = Tracer(value).reshape(shape).node
    return coerce(value, target)


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    ends = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(
        own in (1, there) for own, there in zip(shape, ends, strict=True)
    )


# ---------------------------------------------------------------------------- views


class _Place(NamedTuple):
    """Where a part is in an array: the index, and the axes of the array along which it runs."""

    entries: Index
    axes: tuple[int, ...]  # in the order of the part's own that are longer than 1


def _in_rows(
    array: Tracer, entries: Index, operands: tuple[Node, ...]
) -> tuple[Tracer, Index, tuple[Node, ...]]:
    """The store into the array of which a row was taken: y = x[i]; y[j] = value."""
    while array.view_of is not None and array.view_of.step is not None:
        step = array.view_of.step
        if step.op is not shaping.getitem or not all(map(shaping.is_advanced, step.param("index"))):
            break
        if len(step.args) == 1 and not operands:
            break
        array = array.view_of.base
        entries, operands = (*step.param("index"), *entries), (*step.args[1:], *operands)
    return array, entries, operands


def _in_base(array: Tracer, entries: Index, part: Node) -> tuple[Tracer, Index, Node]:
    """The store into what the array is a view of, as far as the part has an index there."""
    steps: list[Node] = []
    base = array
    while base.view_of is not None and base.view_of.step is not None:
        if base.view_of.step.op not in _MOVES or len(base.view_of.step.args) > 1:
            break
        steps.append(base.view_of.step)
        base = base.view_of.base
    place = _place(base.shape, steps[::-1], entries) if steps else None
    if place is None:
        return array, entries, part
    value: Any = Tracer(part)
    long = [extent for extent in value.shape if extent != 1]
    order = sorted(range(len(long)), key=place.axes.__getitem__)
    if not (isinstance(part, Const) and part.uniform):
        value = np.transpose(value.reshape(tuple(long)), order)
    shape = shaping.getitem.infer((base.node.type,), (("index", place.entries),)).shape
    return base, place.entries, coerce(value.reshape(shape).node, array_type(base.dtype, shape))


def _place(shape: tuple[int, ...], steps: list[Node], entries: Index) -> _Place | None:
    """Where a part of a view of an array is in that array, None where no index says it.

    NumPy itself takes the steps, on an array whose elements nobody reads.
    """
    whole = np.empty(shape, np.int8)
    part: Any = whole
    for step in steps:
        part = memory.on_elements(step, part)
        if not np.may_share_memory(part, whole):
            return None
    part = part[(*shaping.decode_index(entries, ()), ...)]
    return _found(part, whole) if np.may_share_memory(part, whole) else None


def _found(part: Any, whole: Any) -> _Place | None:
    """The index of a part of an array, read off its address and its strides."""
    offset = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    starts = []
    for stride in whole.strides:
        start, offset = divmod(offset, stride)
        starts.append(start)
    entries: list[Any] = list(starts)
    axes = []
    for extent, step in zip(part.shape, part.strides, strict=True):
        if extent == 1:
            continue
        axis = _axis_of(abs(step), whole)
        if axis is None or axis in axes:
            return None
        axes.append(axis)
        entries[axis] = _slice(starts[axis], extent, step // whole.strides[axis], whole.shape[axis])
    while entries and entries[-1] == shaping.ROWS:
        entries.pop()
    found = tuple(entries)
    seen = whole[(*shaping.decode_index(found, ()), ...)]
    same = seen.size == part.size and seen.__array_interface__["data"] == (
        part.__array_interface__["data"]
    )
    return _Place(found, tuple(axes)) if same else None


def _axis_of(step: int, whole: Any) -> int | None:
    """The axis of an array along which a step of so many bytes goes."""
    for axis, (stride, extent) in enumerate(zip(whole.strides, whole.shape, strict=True)):
        if extent > 1 and stride <= step:
            return axis if step % stride == 0 else None
    return None


def _slice(start: int, count: int, step: int, extent: int) -> tuple[Any, ...]:
    stop: int | None = start + count * step
    if stop is not None and (stop < 0 or stop >= extent):
        stop = None
    return ("slice", start or None if step > 0 else start, stop, None if step == 1 else step)


# ---------------------------------------------------------------------------- functions


def _target(x: Any, *values: Any) -> Tracer:
    """The array that a function stores into. Asks for another trace where it is a plain one."""
    if not isinstance(x, Tracer):
        refuse_plain(next(each for each in values if holds_tracer(each)))
    return x


def _cycled(values: Any, count: int) -> Any:
    """Values, from the start again as often as it takes; one alone is left as it is."""
    values = np.ravel(as_array(values))
    if values.size == 1 or not count:
        return values[0] if values.size else values
    if not values.size:
        raise ValueError("cannot store values from an empty array")
    return values if values.size == count else values[np.arange(count) % values.size]


def flat_of(x: Tracer) -> Tracer:
    """All elements in one axis, in memory that they share with the array."""
    made = node(shaping.reshape, (x.node,), (("shape", (x.size,)),))
    return memory.part(Flat(made, is_array=True), x, made)


def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """np.copyto."""
    array = _target(dst, src, where)
    new = lift(as_array(src))
    if not np.can_cast(new.type.dtype, array.dtype, casting) and not new.type.weak:
        raise TypeError(
            f"Cannot cast array data from {new.type.dtype!r} to {array.dtype!r} "
            f"according to the rule {casting!r}"
        )
    value: Any = Tracer(_cast(new, array.node.type))
    store(array, ..., value if where is True else np.where(where, value, array))


def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """np.put."""
    flat = flat_of(_target(a, ind, v))
    places = as_array(ind)
    places = np.ravel(places if mode == "raise" else shaping.within(places, flat.size, mode))
    if places.size:
        store(flat, places, _cycled(v, places.size))


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """np.put_along_axis."""
    array = _target(arr, indices, values)
    if axis is None:
        store(flat_of(array), indices, values)
        return
    axis = one_axis(axis, array.ndim)
    index = [
        indices if i == axis else np.arange(extent).reshape(-1, *(1,) * (array.ndim - 1 - i))
        for i, extent in enumerate(array.shape)
    ]
    store(array, tuple(index), values)


def place(arr: Any, mask: Any, vals: Any) -> None:
    """np.place."""
    array = _target(arr, mask, vals)
    chosen: Any = np.ravel(as_array(mask)).astype(bool)
    traced = isinstance(chosen, Tracer)
    count = count_true(chosen) if traced else int(np.count_nonzero(chosen))
    if count:
        store(flat_of(array), chosen, _cycled(np.ravel(as_array(vals))[:count], count))


def putmask(a: Any, mask: Any, values: Any) -> None:
    """np.putmask."""
    array = _target(a, mask, values)
    new: Any = _cycled(values, array.size)
    new = np.reshape(new, array.shape) if np.ndim(new) else new
    store(array, ..., np.where(mask, Tracer(_cast(lift(new), array.node.type)), array))


def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """np.fill_diagonal."""
    array = _target(a, val)
    shape = array.shape
    if len(shape) < 2:
        raise ValueError("array must be at least 2-d")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    step = int(np.sum([np.prod(shape[i:], dtype=int) for i in range(1, len(shape) + 1)]))
    stop = array.size if wrap or len(shape) > 2 else min(array.size, shape[1] ** 2)
    places = np.arange(0, stop, step)
    store(array, np.unravel_index(places, shape), _cycled(val, len(places)))


def fill(a: Tracer, value: Any) -> None:
    """ndarray.fill."""
    store(a, ..., np.reshape(as_array(value), ()))


def at(function: Any, a: Any, indices: Any, b: Any = None) -> None:
    """np.add.at and its kin: each index counts, as often as it comes."""
    ufunc = function.__self__
    array = _target(a, indices, b)
    given: tuple[Any, ...] = () if b is None else (as_array(b),)
    mask = _traced_mask(array, indices, lift(given[0] if given else 0))
    if mask is not None:
        copyto(array, ufunc(array, *given), where=over_axes(mask, array))
        return
    inner, entries, operands, _ = read_index(array, indices)
    if ufunc in (np.add, np.subtract) and array.dtype.kind in "fc" and entries:
        params = (("index", entries),)
        types = (inner.node.type, *(each.type for each in operands))
        value = given[0] if ufunc is np.add else np.negative(given[0])
        part = _cast(lift(value), shaping.getitem.infer(types, params))
        memory.change(inner, node(shaping.index_add, (inner.node, part, *operands), params))
        return
    masked = any(map(shaping.is_mask, entries))
    if not operands or (masked and len(operands) == 1) or distinct(operands):
        array[indices] = ufunc(array[indices], *given)
        return
    _in_turns(ufunc, array, indices, given)


def _in_turns(ufunc: Any, array: Tracer, indices: Any, given: Any) -> None:
    """One after the other, those at places that are named several times."""
    try:
        places = np.arange(array.size).reshape(array.shape)[indices]
    except (TypeError, SymdiffError):
        raise NotImplementedError(
            f"np.{ufunc.__name__}.at is not traced where places depend on values and may repeat"
        ) from None
    flat, values = flat_of(array), [np.ravel(np.broadcast_to(each, places.shape)) for each in given]
    turns = _turns(places.ravel())
    for turn in range(int(turns.max(initial=-1)) + 1):
        chosen = np.flatnonzero(turns == turn)
        own = places.ravel()[chosen]
        flat[own] = ufunc(flat[own], *[each[chosen] for each in values])


def _turns(places: Any) -> Any:
    """How often each place has come before."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]] if ordered.size else np.zeros(0, bool)
    starts = np.maximum.accumulate(np.where(first, np.arange(ordered.size), 0))
    turns = np.empty_like(order)
    turns[order] = np.arange(ordered.size) - starts
    return turns


class Flat(Tracer):
    """x.flat: the elements of an array in one axis, in its memory. Parts of it are copies."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return part.copy() if part.shape else part

    def __setitem__(self, index: Any, value: Any) -> None:
        count = np.size(np.empty(self.shape, bool)[index])
        super().__setitem__(index, _cycled(np.ravel(as_array(value))[:count], count))
