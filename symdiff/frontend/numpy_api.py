"""NumPy functions that are neither a primitive nor a composite: how they meet traced values.

Everything here is about calling conventions; what states mathematics stands in `ops`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from symdiff.frontend import context, extents, guards, memory
from symdiff.frontend.guards import count_true
from symdiff.frontend.tracer import (
    HANDLERS,
    QUERIES,
    Tracer,
    as_array,
    bind,
    call,
    coerce,
    decide_index,
    elementwise,
    lift,
    strong,
)
from symdiff.ir.node import Const, Node, constant, node
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops import linalg, rearrange, shaping
from symdiff.ops.primitive import Primitive, find


def handles(
    *functions: Any, query: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: calls of these functions on traced values go to the decorated one.

    A `query` only looks at shapes and dtypes.
    """

    def mark(handler: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            HANDLERS[function] = handler
            if query:
                QUERIES.add(function)
        return handler

    return mark


# ---------------------------------------------------------------------------- shape queries


@handles(np.shape, query=True)
def shape(a: Tracer) -> tuple[int, ...]:
    return a.shape


@handles(np.ndim, query=True)
def ndim(a: Tracer) -> int:
    return a.ndim


@handles(np.size, query=True)
def size(a: Tracer, axis: int | None = None) -> int:
    return a.size if axis is None else a.shape[axis]


@handles(np.iterable)
def iterable(y: Tracer) -> bool:
    return y.ndim > 0


@handles(np.iscomplexobj, query=True)
def iscomplexobj(x: Tracer) -> bool:
    return x.dtype.kind == "c"


@handles(np.isrealobj, query=True)
def isrealobj(x: Tracer) -> bool:
    return x.dtype.kind != "c"


@handles(np.result_type, query=True)
def result_type(*values: Any) -> np.dtype[Any]:
    return np.result_type(*[_example(each) for each in values])


def _example(value: Any) -> Any:
    if isinstance(value, Tracer):
        return value.node.type.python(0) if value.weak else value.dtype
    return value


# ---------------------------------------------------------------------------- creation


def _filled(like: Tracer, value: Any, dtype: Any, shape: Any) -> Tracer:
    shape = like.shape if shape is None else (shape,) if np.ndim(shape) == 0 else tuple(shape)
    made = array_type(np.dtype(dtype or like.dtype), tuple(shape))
    return Tracer(constant(np.asarray(value, made.dtype)[()], made), is_array=True)


@handles(np.zeros_like, np.empty_like)
def zeros_like(a: Tracer, dtype: Any = None, order: str = "K", subok: bool = True,
               shape: Any = None, **rest: Any) -> Tracer:
    return _filled(a, 0, dtype, shape)


@handles(np.ones_like)
def ones_like(a: Tracer, dtype: Any = None, order: str = "K", subok: bool = True,
              shape: Any = None, **rest: Any) -> Tracer:
    return _filled(a, 1, dtype, shape)


@handles(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
              shape: Any = None, **rest: Any) -> Tracer:
    if not isinstance(fill_value, Tracer):
        return _filled(a, fill_value, dtype, shape)
    target = array_type(np.dtype(dtype or a.dtype), np.shape(a) if shape is None else shape)
    return Tracer(coerce(lift(fill_value), target), is_array=True)


@handles(np.copy)
def copy(a: Tracer, order: str = "K", subok: bool = False) -> Tracer:
    return Tracer(strong(a.node), is_array=True)


@handles(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """A view where the layout of `a` allows it, otherwise a copy."""
    if a.contiguous and order == "C":
        return call(np.reshape, a, -1)
    made: Tracer = rearrange.ravel(a, order)
    return memory.perhaps(Tracer(made.node, is_array=True), a)


# ---------------------------------------------------------------------------- complex parts


@handles(np.real)
def real(val: Tracer) -> Tracer:
    """The real part: what is real is that itself."""
    return _part(e.real, val) if val.dtype.kind == "c" else val


@handles(np.imag)
def imag(val: Tracer) -> Tracer:
    """The imaginary part: zeros of what is real."""
    if val.dtype.kind == "c":
        return _part(e.imag, val)
    type = val.node.type
    return Tracer(constant(type.python(0) if type.weak else type.dtype.type(0), type), val.is_array)


def _part(op: Primitive, val: Tracer) -> Tracer:
    """As NumPy's attribute: of a Python number one, of a scalar one, of an array a view."""
    made = node(op, (val.node,))
    return memory.share(Tracer(made, val.is_array), val, made)


# ---------------------------------------------------------------------------- choices


@handles(np.where)
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("either both or neither of x and y should be given")
    c, a, b = lift(condition), lift(x1), lift(x2)
    dtype = np.result_type(*[each.type.python(0) if each.type.weak else each.type.dtype
                             for each in (a, b)])
    full = np.broadcast_shapes(c.type.shape, a.type.shape, b.type.shape)
    weak = a.type.weak and b.type.weak and not full and context.on_numbers.get()
    target = array_type(dtype, full, weak)
    c = coerce(c, array_type(bool, full))
    made = node(e.where, (c, coerce(a, target), coerce(b, target)))
    return Tracer(made, is_array=True)


def _as_array(function: Any) -> Callable[..., Any]:
    """Functions that give arrays of no axes for scalars too."""
    found = find(function)
    assert found is not None

    def handler(*args: Any, **kwargs: Any) -> Any:
        if isinstance(found, Primitive):
            assert found.call is not None
            operands, params = found.call(*args, **kwargs)
            made: Any = bind(found, operands, params)
        else:
            made = found(*args, **kwargs)
        return tuple(map(_in_memory, made)) if isinstance(made, tuple) else _in_memory(made)

    return handler


def _in_memory(made: Any) -> Any:
    scalar = isinstance(made, Tracer) and not made.in_memory
    return Tracer(made.node, is_array=True) if scalar else made


for _function in (np.select, np.roll, np.tensordot, np.linalg.tensordot, np.broadcast_arrays):
    HANDLERS[_function] = _as_array(_function)


def _choose(op: Primitive, of_numbers: Primitive | None = None) -> Callable[..., Tracer]:
    """maximum and its kin: a tie with a literal goes to the literal.

    Python's own, of two numbers neither of which is a literal, are `of_numbers`.
    """

    def choose(
        x1: Any, x2: Any, tie: str | None = None, python: bool = False, **rest: Any
    ) -> Tracer:
        if rest:
            raise NotImplementedError(f"np.{op.name} with {', '.join(rest)}= is not traced")
        if tie is None:
            fixed = [isinstance(lift(each), Const) for each in (x1, x2)]
            tie = "x2" if fixed[1] else "x1" if fixed[0] else ""
        made = elementwise(op, (x1, x2), python=python, tie=tie)
        if of_numbers is not None and python and not (tie or made.shape):
            return Tracer(node(of_numbers, made.node.args))
        return made

    return choose


for _op in (e.fmax, e.fmin):
    HANDLERS[_op.function] = HANDLERS[_op] = _choose(_op)
for _op, _of_numbers in ((e.maximum, e.larger), (e.minimum, e.smaller)):
    HANDLERS[_op.function] = HANDLERS[_op] = _choose(_op, _of_numbers)


@handles(e.convert)
def convert(x: Any, dtype: Any, weak: bool = False) -> Tracer:
    operand = lift(x)
    return Tracer(coerce(operand, array_type(np.dtype(dtype), operand.type.shape, weak)))


@handles(e.stop_gradient)
def stop_gradient(x: Any) -> Tracer:
    made = node(e.stop_gradient, (x.node,))
    return memory.share(Tracer(made, x.is_array), x, made)


# ---------------------------------------------------------------------------- indexing


@handles(operator.getitem)
def getitem(x: Tracer, index: Any) -> Any:
    """x[index]: NumPy's rules, with integer arrays and masks (traced or not) as operands."""
    if isinstance(index, Tracer) and index.dtype == bool and not guards.is_known(index):
        from symdiff.frontend import selected  # for what few programs do

        found: Any = selected.part(x, index)
        if found is not None:
            return found
    x, entries, operands, whole = read_index(x, index)
    if not entries:
        return x if x.in_memory and (x.shape or whole) else Tracer(x.node, is_array=whole)
    made = node(shaping.getitem, (x.node, *operands), (("index", entries),))
    part = Tracer(made, is_array=bool(made.type.shape) or whole)
    return memory.share(part, x, made) if part.is_array else part


class Index(NamedTuple):
    """An index that was read: of which array, its static entries, its arrays."""

    array: Tracer  # with an axis for each truth value in the index
    entries: tuple[Any, ...]
    operands: tuple[Node, ...]
    whole: bool  # whether it says `...`, and so gives an array even of no axes


def read_index(x: Tracer, index: Any) -> Index:
    """What an index of a traced array says: NumPy's rules."""
    parts = tuple(map(_readable, index if isinstance(index, tuple) else (index,)))
    whole = any(each is Ellipsis for each in parts)
    if any(map(_is_truth_value, parts)):
        x, parts = _without_truth_values(x, parts)
    static, arrays = shaping.encode_index(parts, x.shape)
    static = extents.checked(x.shape, static)
    remaining = iter(arrays)
    entries: list[Any] = []
    operands: list[Any] = []
    for entry in static:
        selected = _selected(next(remaining)) if entry == shaping.ARRAY else ([entry], [])
        entries += selected[0]
        operands += selected[1]
    return Index(x, tuple(entries), tuple(map(lift, operands)), whole)


def _is_truth_value(entry: Any) -> bool:
    return shaping.selects(entry) and not np.ndim(entry)


def _without_truth_values(x: Tracer, parts: tuple[Any, ...]) -> tuple[Tracer, tuple[Any, ...]]:
    """A single truth value selects all or nothing along an axis of its own, of extent 1."""
    axes: list[Any] = []
    for each in parts:
        rest = Ellipsis if each is Ellipsis else slice(None)
        count = 1 if each is Ellipsis else shaping.axes_taken(each)
        axes += [None] if _is_truth_value(each) else [rest] * count
    return getitem(x, tuple(axes)), tuple(map(_counted, parts))


def _counted(entry: Any) -> Any:
    """For a truth value the index 0, once or not at all."""
    if not _is_truth_value(entry):
        return entry
    count = count_true(entry) if isinstance(entry, Tracer) else int(entry)
    return np.zeros(count, np.intp)


def _readable(entry: Any) -> Any:
    """An entry of an index. Traced Python ints in it are decided where they can be static."""
    if isinstance(entry, Tracer):
        fixed = guards.fixed_value(entry)
        if fixed is not None:
            return fixed if entry.shape else _readable(np.asarray(fixed)[()])
        decided = decide_index(entry) if entry.weak else None
        if decided is None and entry.weak and entry.dtype.kind == "i":
            return entry
        return Tracer(strong(entry.node)) if decided is None else decided
    if entry is None or entry is Ellipsis or isinstance(entry, (int, np.generic)):
        return entry
    if isinstance(entry, slice):
        parts = (entry.start, entry.stop, entry.step)
        return slice(*[each if each is None else _end(each) for each in parts])
    array = as_array(entry) if isinstance(entry, (list, tuple)) else np.asarray(entry)
    if isinstance(array, np.ndarray) and array.size == 0 and array.dtype.kind == "f":
        return array.astype(np.intp)
    if array.dtype.kind not in "iub":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    return array


def _end(value: Any) -> int:
    """An end of a slice: a number, or one that stands for it while a loop is captured."""
    open_end = extents.end_of(value) if isinstance(value, Tracer) else None
    return operator.index(value) if open_end is None else open_end


def _selected(array: Any) -> tuple[list[Any], list[Any]]:
    """The static entries and the operands that an array in an index stands for."""
    if array.dtype.kind != "b":
        return [shaping.ARRAY], [array]
    if isinstance(array, Tracer):
        return [(shaping.MASK, array.ndim, count_true(array))], [array]
    places = np.nonzero(array)
    return [shaping.ARRAY] * len(places), list(places)


@handles(np.nonzero)
def nonzero(a: Any) -> tuple[Tracer, ...]:
    if not a.ndim:
        raise ValueError("Calling nonzero on 0d arrays is not allowed.")
    mask = a if a.dtype == bool else a != 0
    count = count_true(mask)
    return tuple(
        Tracer(node(shaping.nonzero, (mask.node,), (("axis", axis), ("count", count))))
        for axis in range(a.ndim)
    )


# ---------------------------------------------------------------------------- products


@handles(np.matmul)
def matmul(x1: Any, x2: Any) -> Tracer:
    """x1 @ x2: 1-D operands become 2-D and batch axes equal, then the axes added are dropped."""
    if np.ndim(x1) == 0 or np.ndim(x2) == 0:
        raise ValueError("matmul: Input operand does not have enough dimensions (see np.multiply)")
    a = x1 if np.ndim(x1) > 1 else np.reshape(x1, (1, -1))
    b = x2 if np.ndim(x2) > 1 else np.reshape(x2, (-1, 1))
    (*lead1, rows, inner), (*lead2, inner2, columns) = np.shape(a), np.shape(b)
    if inner != inner2:
        raise ValueError(
            f"matmul: the shapes {np.shape(x1)} and {np.shape(x2)} do not fit: {inner} != {inner2}"
        )
    lead = np.broadcast_shapes(tuple(lead1), tuple(lead2))
    a = a if tuple(lead1) == lead else np.broadcast_to(a, (*lead, rows, inner))
    b = b if tuple(lead2) == lead else np.broadcast_to(b, (*lead, inner, columns))
    product = bind(linalg.matmul, (a, b), {})
    shape = (*lead, *((rows,) if np.ndim(x1) > 1 else ()), *((columns,) if np.ndim(x2) > 1 else ()))
    if product.shape == shape:
        return product
    return Tracer(call(np.reshape, product, shape).node, is_array=bool(shape))
