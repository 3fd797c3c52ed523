"""Primitives that move elements: shapes, indexing, joining, padding, repeating."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from symdiff.ir.extent import is_open, length, total
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Called,
    Core,
    Part,
    Parts,
    Primitive,
    Routine,
    Samples,
    Transpose,
    case,
    is_plain,
    linear,
    register,
)
from symdiff.ops.reductions import normalize_axes, one_axis

Shape = tuple[int, ...]


def _shape(x: Any) -> Shape:
    return tuple(np.shape(x))


# ---------------------------------------------------------------------------- reshape


def _reshape_call(
    a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None
) -> Any:
    size = int(np.prod(_shape(a), dtype=int))
    shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    if -1 in shape:
        rest = int(np.prod([extent for extent in shape if extent != -1], dtype=int))
        shape = tuple(size // max(rest, 1) if extent == -1 else int(extent) for extent in shape)
    if int(np.prod(shape, dtype=int)) != size:
        raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
    if order not in ("C", "F", "A", "K"):
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    params = {"shape": tuple(int(extent) for extent in shape)}
    operand = np.copy(a) if copy else a
    if order == "C" or max(np.ndim(a), len(shape)) < 2:
        return (operand,), params
    if order != "F":
        raise NotImplementedError(
            f"order={order!r} goes by how an array lies in memory, which is not known while "
            "tracing: it is not traced, order='C' and order='F' are"
        )
    from symdiff.ops import placing  # for few programs

    return (operand,), params, placing.reshape_by_columns


def _reshape_source(x: str, shape: Shape, types: tuple[ArrayType, ...]) -> str:
    """New axes as x[:, None], one axis as x.ravel(), anything else as x.reshape(...)."""
    old = types[0].shape
    inserted = _inserted_axes(old, shape)
    if inserted and old:
        entries = ["None" if i in inserted else ":" for i in range(len(shape))]
        while entries[-1] == ":":
            entries.pop()
        return f"{x}[{', '.join(entries)}]"
    if len(shape) == 1 and len(old) > 1:
        return f"{x}.ravel()"
    return f"{x}.reshape({', '.join(map(str, shape)) or '()'})"


def _inserted_axes(old: Shape, new: Shape) -> list[int]:
    """The axes of extent 1 to insert in `old` to obtain `new`; none if that is not the way."""
    rest = list(old)
    inserted = []
    for i, extent in enumerate(new):
        if rest and rest[0] == extent:
            rest.pop(0)
        elif extent == 1:
            inserted.append(i)
        else:
            return []
    return inserted if not rest else []


def _merges_no_axes(x: ArrayType, shape: Shape) -> bool | None:
    """Axes that are split are a view in any layout; merged ones may have to be copied."""
    rest = iter([extent for extent in shape if extent != 1])
    for extent in x.shape if x.size else ():
        product = 1
        while product < extent:
            product *= next(rest)
        if product != extent:
            return None
    return True


reshape = linear(
    np.reshape,
    result=lambda x, shape: x.with_shape(shape),
    transpose={"x": lambda y_bar, x, shape: np.reshape(y_bar, _shape(x))},
    call=_reshape_call,
    batch=lambda x, shape: np.reshape(x, (_shape(x)[0], *shape)),
    numpy=_reshape_source,
    c=Routine("reshape"),
    view=True,
    shares=_merges_no_axes,
    samples=Samples(
        cases=(
            case("f[3,4]", shape=(2, 6)),
            case("f[3,4]", shape=(12,)),
            case("f[4]", shape=(4, 1)),
            case("f[3,4]", shape=(1, 3, 1, 4)),
            case("f[]", shape=(1, 1)),
            case("f[0,3]", shape=(3, 0)),
            case("f[1]", shape=()),
        )
    ),
)


# ---------------------------------------------------------------------------- transpose


def _inverse(axes: Shape) -> Shape:
    return tuple(axes.index(axis) for axis in range(len(axes)))


def _transpose_call(a: Any, /, axes: Any = None) -> tuple[tuple[Any], dict[str, Any]]:
    ndim = np.ndim(a)
    axes = range(ndim)[::-1] if axes is None else [one_axis(each, ndim) for each in axes]
    if sorted(axes) != list(range(ndim)):
        raise ValueError("axes don't match array")
    return (a,), {"axes": tuple(axes)}


def _transpose_source(x: str, axes: Shape) -> str:
    if axes == tuple(range(len(axes)))[::-1]:
        return f"{x}.T"
    moved = [axis for axis, source in enumerate(axes) if axis != source]
    if len(moved) == 2:
        first, second = (axis - len(axes) if axis >= len(axes) - 2 else axis for axis in moved)
        return f"np.swapaxes({x}, {first}, {second})"
    return f"np.transpose({x}, {axes})"


transpose = linear(
    np.transpose,
    result=lambda x, axes: x.with_shape(tuple(x.shape[axis] for axis in axes)),
    transpose={"x": lambda y_bar, x, axes: np.transpose(y_bar, _inverse(axes))},
    call=_transpose_call,
    batch=lambda x, axes: np.transpose(x, (0, *(axis + 1 for axis in axes))),
    numpy=_transpose_source,
    view=True,
    samples=Samples(
        cases=(
            case("f[2,3]", axes=(1, 0)),
            case("f[2,3,4]", axes=(1, 2, 0)),
            case("f[0,3]", axes=(1, 0)),
        )
    ),
)

# ---------------------------------------------------------------------------- broadcast


def sum_to(y_bar: Any, shape: Shape) -> Any:
    """The adjoint of broadcasting: sums over the axes that `shape` lacks or has as 1."""
    lead = np.ndim(y_bar) - len(shape)
    stretched = tuple(
        lead + axis
        for axis, (have, want) in enumerate(zip(_shape(y_bar)[lead:], shape, strict=True))
        if want == 1 and have != 1
    )
    if lead:
        y_bar = np.sum(y_bar, axis=(*range(lead), *stretched))
        return np.reshape(y_bar, shape) if stretched else y_bar
    return np.sum(y_bar, axis=stretched, keepdims=True) if stretched else y_bar


def _broadcast_type(x: ArrayType, shape: Shape) -> ArrayType:
    ends = shape[len(shape) - x.ndim :]
    if x.ndim > len(shape) or any(a not in (1, b) for a, b in zip(x.shape, ends, strict=True)):
        raise ValueError(f"broadcast_to: the shape {x.shape} does not broadcast to {shape}")
    return array_type(x.dtype, shape)


def _broadcast_batch(x: Any, shape: Shape) -> Any:
    count, *own = _shape(x)
    inner = (1,) * (len(shape) - len(own)) + tuple(own)
    return np.broadcast_to(np.reshape(x, (count, *inner)), (count, *shape))


broadcast_to = linear(
    np.broadcast_to,
    result=_broadcast_type,
    transpose={"x": lambda y_bar, x, shape: sum_to(y_bar, _shape(x))},
    call=lambda array, shape: (
        (array,),
        {"shape": (int(shape),) if np.ndim(shape) == 0 else tuple(map(int, shape))},
    ),
    batch=_broadcast_batch,
    numpy=lambda x, shape: f"np.broadcast_to({x}, {shape})",
    c=Routine("broadcast"),
    view=True,
    read_only=True,
    samples=Samples(
        cases=(
            case("f[3]", shape=(2, 3)),
            case("f[2,1]", shape=(4, 2, 3)),
            case("f[]", shape=(3,)),
            case("f[1]", shape=(0,)),
        )
    ),
)

# ---------------------------------------------------------------------------- indexing

ARRAY = "array"  # stands in the static index for an integer array, which is an operand
MASK = "mask"  # ("mask", ndim, count): a boolean array of which `count` elements are True


def is_mask(entry: Any) -> bool:
    """Whether an entry of a static index stands for a boolean array, which is an operand."""
    return isinstance(entry, tuple) and entry[0] == MASK


def is_advanced(entry: Any) -> bool:
    """Whether an entry selects single elements: NumPy gives all such one place in the result."""
    return entry == ARRAY or isinstance(entry, int) or is_mask(entry)


def axes_taken(entry: Any) -> int:
    """How many axes of the array an entry of an index is for: a mask has all of its own."""
    if entry is None or entry is Ellipsis:
        return 0
    return np.ndim(entry) if selects(entry) else 1


def selects(entry: Any) -> bool:
    """Whether an entry of an index is a mask."""
    return isinstance(entry, bool) or getattr(getattr(entry, "dtype", None), "kind", "") == "b"


def _check_mask(entry: Any, axis: int, shape: Shape) -> None:
    """Raises IndexError, as NumPy does, unless a mask has the extents of the axes it is for."""
    if not selects(entry):
        return
    for i, extent in enumerate(np.shape(entry), axis):
        if i >= len(shape):
            raise IndexError("too many indices for array")
        if extent != shape[i]:
            raise IndexError(
                f"boolean index did not match indexed array along axis {i}; size of axis is "
                f"{shape[i]} but size of corresponding boolean axis is {extent}"
            )


def encode_index(index: Any, shape: Shape) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A NumPy index as (static entries, array operands): ellipsis expanded, slices as tuples."""
    entries = index if isinstance(index, tuple) else (index,)
    rest = (slice(None),) * (len(shape) - sum(map(axes_taken, entries)))
    expanded: list[Any] = []
    for entry in entries:
        expanded.extend(rest if entry is Ellipsis else (entry,))
    while expanded and isinstance(expanded[-1], slice) and expanded[-1] == slice(None):
        expanded.pop()
    static: list[Any] = []
    arrays: list[Any] = []
    axis = 0
    for entry in expanded:
        _check_mask(entry, axis, shape)
        axis += axes_taken(entry)
        if isinstance(entry, slice):
            static.append(("slice", entry.start, entry.stop, entry.step))
        elif entry is None or issubclass(type(entry), (int, np.integer)):
            static.append(entry if entry is None else int(entry))
        else:
            static.append(ARRAY)
            arrays.append(entry)
    return tuple(static), tuple(arrays)


def decode_index(index: tuple[Any, ...], indices: tuple[Any, ...]) -> tuple[Any, ...]:
    """The NumPy index that `encode_index` read."""
    arrays = iter(indices)
    return tuple(
        next(arrays)
        if entry == ARRAY or is_mask(entry)
        else slice(*entry[1:])
        if isinstance(entry, tuple)
        else entry
        for entry in index
    )


def within(indices: Any, extent: int, mode: str) -> Any:
    """Indices of np.take and its kin, brought into an axis: mode "wrap" or "clip"."""
    if mode == "wrap":
        return np.remainder(indices, extent)
    if mode != "clip":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    return np.minimum(np.maximum(indices, 0), extent - 1)


def _getitem(x: Any, *indices: Any, index: tuple[Any, ...]) -> Any:
    """x at an index; the entries marked as arrays are in `indices`."""
    return x[decode_index(index, indices)]


def _open_part(shape: Shape, indices: tuple[ArrayType, ...], index: tuple[Any, ...]) -> Shape:
    """The shape of a part some extent of which the index of a loop decides: see `ir.extent`.

    Raises ValueError where more is asked for than slices without steps, integers and new axes.
    """
    if any(each.shape for each in indices):
        raise ValueError("an array indexes a part of variable length")
    found: list[int] = []
    axes = list(shape)
    for entry in index:
        if entry is None:
            found.append(1)
        elif entry == ARRAY or isinstance(entry, int):
            axes.pop(0)
        else:
            _, start, stop, step = entry
            whole = axes.pop(0)
            if step not in (None, 1):
                raise ValueError("a part of variable length is taken in steps")
            found.append(length(start or 0, whole if stop is None else stop, whole))
    return (*found, *axes)


def _is_open(shape: Shape, index: tuple[Any, ...]) -> bool:
    bounds = [each for entry in index if isinstance(entry, tuple) for each in entry[1:]]
    return is_open((*shape, *(each for each in bounds if type(each) is int)))


def _getitem_type(x: ArrayType, *indices: ArrayType, index: tuple[Any, ...]) -> ArrayType:
    if _is_open(x.shape, index):
        return x.with_shape(_open_part(x.shape, indices, index))
    # NumPy itself decides the shape, on an array without memory
    dummy = np.broadcast_to(np.int8(0), x.shape)
    entries = [entry for entry in index if entry == ARRAY or is_mask(entry)]
    arrays = tuple(map(_stand_in, entries, indices))
    return x.with_shape(dummy[decode_index(index, arrays)].shape)


def _stand_in(entry: Any, operand: ArrayType) -> Any:
    """An array that selects as many elements as the operand of an index entry does."""
    if entry == ARRAY:
        return np.broadcast_to(np.int8(0), operand.shape)
    mask = np.zeros(operand.shape, bool)
    mask.reshape(-1)[: entry[2]] = True
    return mask


def _index_add(base: Any, value: Any, *indices: Any, index: tuple[Any, ...]) -> Any:
    """base with value added at an index, duplicates included."""
    total = np.array(base)
    np.add.at(total, decode_index(index, indices), value)
    return total


def _index_set(
    base: Any, value: Any, *indices: Any, index: tuple[Any, ...], distinct: bool
) -> Any:
    """base with value in place of what is at an index; the last of several values there stays."""
    changed = np.array(base)
    changed[decode_index(index, indices)] = value
    return changed


def _base_and(indices: tuple[Any, ...], index: tuple[Any, ...], adds: bool) -> list[Part]:
    """In C, first the base, and then the value at the index."""
    return [Part((), (), 0), Part(index, tuple(range(2, 2 + len(indices))), 1, adds)]


def _slice_source(entry: tuple[Any, ...]) -> str:
    start, stop, step = ("" if each is None else str(each) for each in entry[1:])
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def index_source(index: tuple[Any, ...], indices: tuple[str, ...]) -> str:
    """The source between the brackets."""
    arrays = iter(indices)
    parts = [
        next(arrays)
        if entry == ARRAY or is_mask(entry)
        else _slice_source(entry)
        if isinstance(entry, tuple)
        else str(entry)
        for entry in index
    ]
    return ", ".join(parts) or "..."


def _adjacent(index: tuple[Any, ...]) -> bool:
    """Whether the advanced entries stand side by side, so that NumPy keeps their place."""
    places = [i for i, entry in enumerate(index) if is_advanced(entry)]
    return places == list(range(places[0], places[-1] + 1))


def _without_masks(
    index: tuple[Any, ...], indices: tuple[Any, ...], batched: tuple[bool, ...]
) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[bool, ...]]:
    """The index with integer arrays for its masks, which may have a leading batch axis."""
    entries: list[Any] = []
    arrays: list[Any] = []
    axes: list[bool] = []
    operands = iter(zip(indices, batched, strict=True))
    for entry in index:
        if entry != ARRAY and not is_mask(entry):
            entries.append(entry)
            continue
        array, own = next(operands)
        each = _places(array, entry, own) if is_mask(entry) else [array]
        entries += [ARRAY] * len(each)
        arrays += each
        axes += [own] * len(each)
    return tuple(entries), tuple(arrays), tuple(axes)


def _places(mask: Any, entry: tuple[Any, ...], batched: bool) -> list[Any]:
    """The integer arrays that a mask stands for, one for each of its axes."""
    _, ndim, count = entry
    if not batched:
        return [nonzero(mask, count=count, axis=axis) for axis in range(ndim)]
    return [_nonzero_batch(mask, count=count, axis=axis) for axis in range(ndim)]


def _batch_index(count: int, batched: tuple[bool, ...], indices: tuple[Any, ...]) -> list[Any]:
    """The arrays of an index with a leading batch axis, and the batch's own index array."""
    ndim = max(np.ndim(each) - own for each, own in zip(indices, batched, strict=True))
    rows = np.reshape(np.arange(count), (count, *(1,) * ndim))
    aligned = [
        np.reshape(each, (count, *(1,) * (ndim - np.ndim(each) + 1), *_shape(each)[1:]))
        if own
        else each
        for each, own in zip(indices, batched, strict=True)
    ]
    return [rows, *aligned]


def _index_batch(
    x: Any, *indices: Any, index: tuple[Any, ...], batched: tuple[bool, ...]
) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[int, ...]]:
    """The batched index of x, its arrays, and the axes to move to restore NumPy's place."""
    advanced = any(entry == ARRAY or is_mask(entry) for entry in index)
    if not advanced or (not any(batched) and _adjacent(index)):
        return (ROWS, *index), indices, ()
    index, indices, batched = _without_masks(index, indices, batched)
    arrays = _batch_index(_shape(x)[0], batched, indices)
    ndim = np.ndim(arrays[0]) - 1
    place = 0
    if _adjacent(index):
        first = min(i for i, e in enumerate(index) if e == ARRAY or isinstance(e, int))
        place = first
    return (ARRAY, *index), tuple(arrays), (ndim, place)


def _getitem_batch(x: Any, *indices: Any, index: Any, batched: tuple[bool, ...]) -> Any:
    if not batched[0]:
        x = np.broadcast_to(x, (_batch_count(indices, batched[1:]), *_shape(x)))
    index, arrays, moves = _index_batch(x, *indices, index=index, batched=batched[1:])
    y = getitem(x, *arrays, index=index)
    if not moves or moves[1] == 0:
        return y
    ndim, place = moves
    return np.moveaxis(y, range(1, 1 + ndim), range(1 + place, 1 + place + ndim))


def _store_batch(
    base: Any, value: Any, *indices: Any, index: Any, batched: tuple[bool, ...], **params: Any
) -> Any:
    """A store into each row; with `distinct` it replaces what is there, else it adds."""
    count = _batch_count((base, value, *indices), batched)
    if not batched[0]:
        base = np.broadcast_to(base, (count, *_shape(base)))
    if not batched[1]:
        value = np.broadcast_to(value, (count, *_shape(value)))
    index, arrays, moves = _index_batch(base, *indices, index=index, batched=batched[2:])
    if moves and moves[1]:
        ndim, place = moves
        value = np.moveaxis(value, range(1 + place, 1 + place + ndim), range(1, 1 + ndim))
    op = index_set if params else index_add
    return op(base, value, *arrays, index=index, **params)


def _batch_count(args: tuple[Any, ...], batched: tuple[bool, ...]) -> int:
    return next(int(_shape(x)[0]) for x, own in zip(args, batched, strict=True) if own)


def _by_places(op: Callable[[], Primitive], arrays: int) -> Callable[..., Any]:
    """For C: masks in an index, which comes behind so many arrays, as the places that they mean."""

    def expansion(*args: Any, index: tuple[Any, ...], **params: Any) -> Any:
        if not any(map(is_mask, index)):
            return NotImplemented
        given = args[arrays:]
        entries, places, _ = _without_masks(index, given, (False,) * len(given))
        return op()(*args[:arrays], *places, index=entries, **params)

    return expansion


def _counts(mask: Any, count: int) -> Any:
    """Whether just this many elements of the mask are True."""
    return np.asarray(np.count_nonzero(mask) == count)[()]


# What the shapes of a program with a traced mask rest on: see `Graph.effects`.
counts: Primitive = register(
    Primitive(
        name="counts",
        function=_counts,
        arguments=("mask",),
        result=lambda mask, count: array_type(bool, ()),
        rules={"mask": CONSTANT},
        batch=lambda mask, count: (
            np.sum(np.reshape(mask, (_shape(mask)[0], -1)), axis=1) == count
        ),
        numpy=lambda mask, count: f"(np.count_nonzero({mask}) == {count})",
        c_expansion=lambda mask, count: np.count_nonzero(mask) == count,
        samples=Samples(cases=(case("b[4]:2", count=2), case("b[2,3]:1", count=4))),
    )
)


def is_guard(effect: Node) -> bool:
    """Whether an effect of a graph is a truth value, which its shapes rest on."""
    return effect.op is counts


def _nonzero(mask: Any, count: int, axis: int) -> Any:
    """Where the mask is True, along one of its axes; that is in `count` places."""
    return np.nonzero(mask)[axis]


def _nonzero_batch(mask: Any, count: int, axis: int) -> Any:
    # NumPy goes through the mask row by row, and each row has `count` places
    rows = _shape(mask)[0]
    return np.reshape(nonzero(mask, count=rows * count, axis=axis + 1), (rows, count))


def _nonzero_c(mask: Any, count: int, axis: int) -> Any:
    """For C: the place among all elements, and from it that along the axis."""
    if np.ndim(mask) == 1:
        return NotImplemented
    place = nonzero(np.ravel(mask), count=count, axis=0)
    after = math.prod(_shape(mask)[axis + 1 :])
    return place // after % _shape(mask)[axis] if count else place


nonzero: Primitive = register(
    Primitive(
        name="nonzero",
        function=_nonzero,
        arguments=("mask",),
        result=lambda mask, count, axis: array_type(np.intp, (count,)),
        rules={"mask": CONSTANT},
        batch=_nonzero_batch,
        numpy=lambda mask, count, axis: f"np.nonzero({mask})[{axis}]",
        c=Called(lambda mask, count, axis: Core("sd_nonzero", "(n)->(k)")),
        c_expansion=_nonzero_c,
        distinct=True,
        samples=Samples(
            cases=(
                case("b[4]:2", count=2, axis=0),
                case("b[2,3]:4", count=4, axis=1),
                case("b[3]:0", count=0, axis=0),
            )
        ),
    )
)

ROWS = ("slice", None, None, None)
INDEX_CASES = (
    case("f[3,4]", index=(0,)),
    case("f[3,4]", index=(ROWS, -1)),
    case("f[5]", index=(("slice", 1, None, None),)),
    case("f[5]", index=(("slice", None, None, -2), None)),
    case("f[0]", index=(("slice", None, None, -1),)),
    case("f[4]", "i[3]", index=(ARRAY,)),
    case("f[4,3]", "i[2,2]", index=(ROWS, ARRAY)),
    case("f[4,3]", "i[2]", "i[2]", index=(ARRAY, ARRAY)),
    case("f[4]", "b[4]:2", index=((MASK, 1, 2),)),
    case("f[2,3]", "b[2,3]:4", index=((MASK, 2, 4),)),
    case("f[4,3]", "b[4]:0", index=((MASK, 1, 0),)),
    case("f[2,4,3]", "b[4]:3", index=(ROWS, (MASK, 1, 3), -1)),
    case("f[4,2,3]", "b[4]:2", "i[2]", index=((MASK, 1, 2), ROWS, ARRAY)),
)

# The cotangent of x is added to in place: n reads of x cost n additions, not n arrays of zeros
# (Paszke et al., "Getting to the Point", ICFP 2021).
getitem: Primitive = register(
    Primitive(
        name="getitem",
        function=_getitem,
        arguments=("x", "indices"),
        variadic=True,
        result=_getitem_type,
        rules={
            "x": Transpose(
                lambda x_bar, y_bar, x, *indices, index: index_add(
                    x_bar, y_bar, *indices, index=index
                ),
                accumulates=True,
            ),
            "indices": CONSTANT,
        },
        batch=_getitem_batch,
        numpy=lambda x, *indices, index: f"{x}[{index_source(index, indices)}]",
        view=True,
        # a Python int in an index is no array
        shares=lambda x, *indices, index: all(each.weak for each in indices),
        c=Routine("part"),
        c_expansion=_by_places(lambda: getitem, 1),
        samples=Samples(cases=INDEX_CASES),
    )
)


def at(x: Any, index: tuple[Any, ...]) -> Any:
    """x[index], where the index may be traced and x may not."""
    if not is_plain(x):
        return x[index]
    static, arrays = encode_index(index, _shape(x))
    return getitem(x, *arrays, index=static)


index_add: Primitive = register(
    Primitive(
        name="index_add",
        function=_index_add,
        arguments=("base", "value", "indices"),
        variadic=True,
        joint=True,
        result=lambda base, *rest, index: base,
        rules={
            "base": Transpose(lambda y_bar, base, value, *indices, index: y_bar),
            "value": Transpose(
                lambda y_bar, base, value, *indices, index: getitem(y_bar, *indices, index=index)
            ),
            "indices": CONSTANT,
        },
        batch=_store_batch,
        c=Parts(lambda y, base, value, *indices, index: _base_and(indices, index, True)),
        c_expansion=_by_places(lambda: index_add, 2),
        samples=Samples(
            cases=(
                case("f[4]", "f[2]", index=(("slice", 1, 3, None),)),
                case("f[4]", "f[3]", "i[3]", index=(ARRAY,)),
                case("f[3,2]", "f[2]", index=(1,)),
                case("f[4]", "f[2]", "b[4]:2", index=((MASK, 1, 2),)),
                case("f[3,4]", "f[3,2]", "b[4]:2", index=(ROWS, (MASK, 1, 2))),
            )
        ),
    )
)


def _kept_part(
    y_bar: Any, base: Any, value: Any, *indices: Any, index: tuple[Any, ...], distinct: bool
) -> Any:
    """The cotangent of what was there before: zero where it was replaced."""
    zeros = np.zeros_like(value, y_bar.dtype)
    return index_set(y_bar, zeros, *indices, index=index, distinct=distinct)


def _stored_part(
    y_bar: Any, base: Any, value: Any, *indices: Any, index: tuple[Any, ...], distinct: bool
) -> Any:
    """The cotangent of what was stored: zero where something else was stored after it."""
    part = getitem(y_bar, *indices, index=index)
    if distinct:
        return part
    order = np.reshape(np.arange(value.size), _shape(value))
    unwritten = np.zeros(_shape(base), order.dtype)
    last = index_set(unwritten, order, *indices, index=index, distinct=False)
    return np.where(getitem(last, *indices, index=index) == order, part, 0)


# `distinct`: the index names no place twice.
index_set: Primitive = register(
    Primitive(
        name="index_set",
        function=_index_set,
        arguments=("base", "value", "indices"),
        variadic=True,
        joint=True,
        result=lambda base, *rest, index, distinct: base,
        rules={
            "base": Transpose(_kept_part),
            "value": Transpose(_stored_part),
            "indices": CONSTANT,
        },
        batch=_store_batch,
        c=Parts(
            lambda y, base, value, *indices, index, distinct: _base_and(indices, index, False)
        ),
        c_expansion=_by_places(lambda: index_set, 2),
        convention="Of several values stored in one place the last has the derivative.",
        samples=Samples(
            cases=(
                case("f[4]", "f[2]", index=(("slice", 1, 3, None),), distinct=True),
                case("f[3,2]", "f[2]", index=(1,), distinct=True),
                case("f[2]", "f[5]", "i[5]", index=(ARRAY,), distinct=False),
                case("f[2,4]", "f[2,3]", "i[3]", index=(ROWS, ARRAY), distinct=False),
                case("f[2,2]", "f[3]", "i[3]", "i[3]", index=(ARRAY, ARRAY), distinct=False),
                case("f[4]", "f[2]", "b[4]:2", index=((MASK, 1, 2),), distinct=True),
                case("c[2,3]", "c[2,2]", "b[3]:2", index=(ROWS, (MASK, 1, 2)), distinct=True),
            )
        ),
    )
)

# ---------------------------------------------------------------------------- joining


def _concatenate(*arrays: Any, axis: int) -> Any:
    """The arrays end to end along an axis."""
    return np.concatenate(arrays, axis)


def _concatenate_type(*types: ArrayType, axis: int) -> ArrayType:
    first = types[0].shape
    for each in types:
        if each.shape[:axis] + each.shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise ValueError(
                f"the shapes {first} and {each.shape} do not fit: "
                f"only axis {axis}, along which arrays are joined, may differ"
            )
    extent = total(each.shape[axis] for each in types)
    return types[0].with_shape((*first[:axis], extent, *first[axis + 1 :]))


def span(start: int, stop: int, extent: int) -> slice:
    """The slice of an axis of this extent, its ends left out where they are the axis' own."""
    return slice(start or None, stop if stop < extent else None)


def _parts(y_bar: Any, *arrays: Any, axis: int) -> list[Any]:
    """The parts of the cotangent, one for each array."""
    extents = [_shape(each)[axis] for each in arrays]
    ends = [0, *accumulate(extents, lambda *each: total(each))]
    before = (slice(None),) * axis
    return [
        y_bar[(*before, slice(start or None, None if stop == ends[-1] else stop))]
        for start, stop in pairwise(ends)
    ]


def _axis_source(axis: int) -> str:
    return f", axis={axis}" if axis else ""


def _concatenate_parts(y: ArrayType, *arrays: ArrayType, axis: int) -> list[Part]:
    ends = [0, *accumulate(each.shape[axis] for each in arrays)]
    before = (ROWS,) * axis
    return [
        Part((*before, ("slice", start, stop, None)), (), i)
        for i, (start, stop) in enumerate(pairwise(ends))
    ]


concatenate: Primitive = register(
    Primitive(
        name="concatenate",
        function=_concatenate,
        arguments=("arrays",),
        variadic=True,
        joint=True,
        result=_concatenate_type,
        rules={"arrays": Transpose(_parts)},
        batch=lambda *arrays, axis: concatenate(*arrays, axis=axis + 1),
        numpy=lambda *arrays, axis: f"np.concatenate([{', '.join(arrays)}]{_axis_source(axis)})",
        c=Parts(_concatenate_parts),
        samples=Samples(
            cases=(
                case("f[3]", "f[2]", axis=0),
                case("f[2,3]", "f[2,1]", "f[2,2]", axis=1),
                case("f[0]", "f[2]", axis=0),
                case("c[1]", "c[2]", axis=0),
            )
        ),
    )
)


def _stack(*arrays: Any, axis: int) -> Any:
    """The arrays side by side along a new axis."""
    return np.stack(arrays, axis)


def _stack_type(*types: ArrayType, axis: int) -> ArrayType:
    first = types[0].shape
    if any(each.shape != first for each in types):
        raise ValueError("all input arrays must have the same shape")
    return types[0].with_shape((*first[:axis], len(types), *first[axis:]))


def _stack_source(*arrays: str, axis: int, types: tuple[ArrayType, ...]) -> str:
    if not types[0].shape:
        return f"np.array([{', '.join(arrays)}])"
    return f"np.stack([{', '.join(arrays)}]{_axis_source(axis)})"


stack: Primitive = register(
    Primitive(
        name="stack",
        function=_stack,
        arguments=("arrays",),
        variadic=True,
        joint=True,
        result=_stack_type,
        rules={
            "arrays": Transpose(
                lambda y_bar, *arrays, axis: [
                    y_bar[(*(slice(None),) * axis, i)] for i in range(len(arrays))
                ]
            )
        },
        batch=lambda *arrays, axis: stack(*arrays, axis=axis + 1),
        numpy=_stack_source,
        c=Parts(
            lambda y, *arrays, axis: [
                Part(((ROWS,) * axis + (i,)), (), i) for i in range(len(arrays))
            ]
        ),
        samples=Samples(
            cases=(
                case("f[]", "f[]", "f[]", axis=0),
                case("f[2,3]", "f[2,3]", axis=1),
                case("f[0]", "f[0]", axis=1),
                case("c[2]", "c[2]", axis=0),
            )
        ),
    )
)

# ---------------------------------------------------------------------------- padding, order


def _pad(x: Any, widths: tuple[tuple[int, int], ...]) -> Any:
    """x with zeros around it."""
    return np.pad(x, widths)


def _pad_type(x: ArrayType, widths: tuple[tuple[int, int], ...]) -> ArrayType:
    pairs = zip(x.shape, widths, strict=True)
    return x.with_shape(tuple(before + extent + after for extent, (before, after) in pairs))


def pad_source(x: str, widths: tuple[tuple[int, int], ...]) -> str:
    """np.pad as a person writes it: one number where all widths are equal."""
    numbers = {each for pair in widths for each in pair}
    if len(numbers) == 1:
        return f"np.pad({x}, {numbers.pop()})"
    return f"np.pad({x}, {widths[0] if len(widths) == 1 else widths})"


def _padded(x: Any, widths: tuple[tuple[int, int], ...]) -> Any:
    """Zeros, into which x is stored."""
    shape = tuple(before + n + after for n, (before, after) in zip(_shape(x), widths, strict=True))
    within = tuple(
        ("slice", before, before + n, None)
        for n, (before, _) in zip(_shape(x), widths, strict=True)
    )
    return index_set(np.zeros(shape, x.dtype), x, index=within, distinct=True)


pad: Primitive = linear(
    _pad,
    name="pad",
    result=_pad_type,
    transpose={
        "x": lambda y_bar, x, widths: y_bar[
            tuple(slice(before or None, -after or None) for before, after in widths)
        ]
    },
    batch=lambda x, widths: pad(x, widths=((0, 0), *widths)),
    numpy=pad_source,
    c_expansion=_padded,
    samples=Samples(
        cases=(
            case("f[3]", widths=((1, 2),)),
            case("f[2,3]", widths=((0, 1), (2, 0))),
            case("f[2,1]", widths=((1, 1), (1, 1))),
            case("f[0]", widths=((1, 1),)),
        )
    ),
)


def _flip_call(m: Any, axis: Any = None) -> tuple[tuple[Any], dict[str, Any]]:
    return (m,), {"axis": normalize_axes(axis, np.ndim(m))}


def _flip_source(x: str, axis: Shape, types: tuple[ArrayType, ...]) -> str:
    if axis == (0,):
        return f"{x}[::-1]"
    if axis == tuple(range(types[0].ndim)):
        return f"np.flip({x})"
    return f"np.flip({x}, axis={axis[0] if len(axis) == 1 else axis})"


flip = linear(
    np.flip,
    result=lambda x, axis: x,
    transpose={"x": lambda y_bar, x, axis: np.flip(y_bar, axis)},
    call=_flip_call,
    batch=lambda x, axis: np.flip(x, tuple(i + 1 for i in axis)),
    numpy=_flip_source,
    view=True,
    shares=lambda x, axis: bool(x.shape),  # without axes it is the scalar m[()]
    samples=Samples(
        cases=(
            case("f[3]", axis=(0,)),
            case("f[2,3]", axis=(0, 1)),
            case("f[2,3]", axis=(1,)),
            case("f[0]", axis=(0,)),
        )
    ),
)


def _roll_source(x: str, shift: Shape, axis: Shape, types: tuple[ArrayType, ...]) -> str:
    if types[0].ndim == 1:
        return f"np.roll({x}, {sum(shift)})"
    if len(shift) == 1:
        return f"np.roll({x}, {shift[0]}, axis={axis[0]})"
    return f"np.roll({x}, {shift}, axis={axis})"


def _rolled(x: Any, shift: Shape, axis: Shape) -> Any:
    """Two parts of each axis that changes places."""
    for by, along in zip(shift, axis, strict=True):
        extent = _shape(x)[along]
        cut = -by % extent if extent else 0
        if cut:
            before = (slice(None),) * along
            x = np.concatenate([x[(*before, slice(cut, None))], x[(*before, slice(cut))]], along)
    return x


roll: Primitive = linear(
    np.roll,
    result=lambda x, shift, axis: x,
    transpose={
        "x": lambda y_bar, x, shift, axis: roll(y_bar, shift=tuple(-i for i in shift), axis=axis)
    },
    batch=lambda x, shift, axis: roll(x, shift=shift, axis=tuple(i + 1 for i in axis)),
    numpy=_roll_source,
    c_expansion=_rolled,
    samples=Samples(
        cases=(
            case("f[4]", shift=(1,), axis=(0,)),
            case("f[2,3]", shift=(-1,), axis=(1,)),
            case("f[3,2]", shift=(1, 2), axis=(0, 1)),
            case("f[0]", shift=(1,), axis=(0,)),
        )
    ),
)

# ---------------------------------------------------------------------------- repeating


def _repeat_transpose(y_bar: Any, x: Any, repeats: int, axis: int) -> Any:
    shape = _shape(x)
    if 1 < repeats <= 4 and axis == len(shape) - 1:  # sums over rows so short are slow
        parts = [y_bar[(slice(None),) * axis + (slice(i, None, repeats),)] for i in range(repeats)]
        return sum(parts[1:], parts[0])
    split = np.reshape(y_bar, (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return np.sum(split, axis=axis + 1)


def _repeated(x: Any, repeats: int, axis: int) -> Any:
    """Each element along a new axis, which becomes part of its own."""
    shape = _shape(x)
    ahead, behind = shape[: axis + 1], shape[axis + 1 :]
    spread = np.broadcast_to(np.reshape(x, (*ahead, 1, *behind)), (*ahead, repeats, *behind))
    return np.reshape(spread, (*shape[:axis], shape[axis] * repeats, *behind))


repeat: Primitive = linear(
    np.repeat,
    result=lambda x, repeats, axis: x.with_shape(
        (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :])
    ),
    transpose={"x": _repeat_transpose},
    batch=lambda x, repeats, axis: repeat(x, repeats=repeats, axis=axis + 1),
    c_expansion=_repeated,
    numpy=lambda x, repeats, axis, types: (
        f"np.repeat({x}, {repeats}{f', axis={axis}' if types[0].ndim > 1 else ''})"
    ),
    samples=Samples(
        cases=(
            case("f[3]", repeats=2, axis=0),
            case("f[2,3]", repeats=3, axis=1),
            case("f[2,3]", repeats=2, axis=0),
            case("f[2]", repeats=5, axis=0),
            case("f[2,3]", repeats=0, axis=0),
            case("f[0]", repeats=2, axis=0),
        )
    ),
)


def _tile_transpose(y_bar: Any, x: Any, reps: Shape) -> Any:
    pairs = zip(reps, _shape(x), strict=True)
    split = np.reshape(y_bar, tuple(extent for pair in pairs for extent in pair))
    return np.sum(split, axis=tuple(range(0, 2 * len(reps), 2)))


def _tiled(x: Any, reps: Shape) -> Any:
    """The array along new axes, which become part of its own."""
    pairs = list(zip(reps, _shape(x), strict=True))
    split = np.reshape(x, tuple(n for _, extent in pairs for n in (1, extent)))
    spread = np.broadcast_to(split, tuple(n for pair in pairs for n in pair))
    return np.reshape(spread, tuple(count * extent for count, extent in pairs))


tile: Primitive = linear(
    np.tile,
    result=lambda x, reps: x.with_shape(
        tuple(extent * count for extent, count in zip(x.shape, reps, strict=True))
    ),
    transpose={"x": _tile_transpose},
    batch=lambda x, reps: tile(x, reps=(1, *reps)),
    c_expansion=_tiled,
    numpy=lambda x, reps: f"np.tile({x}, {reps[0] if len(reps) == 1 else reps})",
    samples=Samples(
        cases=(
            case("f[3]", reps=(2,)),
            case("f[2,3]", reps=(2, 3)),
            case("f[2,1]", reps=(1, 0)),
            case("f[0]", reps=(2,)),
        )
    ),
)
