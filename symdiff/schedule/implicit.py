"""What NumPy does by itself: the broadcasts and conversions that emitted code leaves out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from symdiff.ir.node import Const, Node
from symdiff.ir.types import ArrayType
from symdiff.ops import elementwise as e
from symdiff.ops import linalg, shaping
from symdiff.ops.primitive import Primitive, resolve

IMPLICIT = (e.convert, shaping.broadcast_to)


def operands(each: Node) -> tuple[Node, ...]:
    """The nodes that the emitted expression of `each` reads, with implicit steps left out."""
    op = each.op
    if op is linalg.matmul or op is shaping.reshape:
        return _product_operands(each)
    if not isinstance(op, Primitive):
        return each.args
    if op.control:
        return _control_operands(each)
    if op is shaping.index_set:  # a store casts and broadcasts
        return (each.args[0], _peel(each.args[1]), *each.args[2:])
    if op.numbers:
        return tuple([_number(arg) for arg in each.args])
    if not op.elementwise:
        return each.args
    if not op.joint and not isinstance(op.function, np.ufunc):
        return each.args
    peeled = tuple([_peel(arg) for arg in each.args])
    if peeled == each.args:
        return each.args
    if _computes(op, each, peeled):
        return peeled
    for i in range(len(peeled)):  # one by one, each if NumPy agrees
        trial = (*peeled[: i + 1], *each.args[i + 1 :])
        if not _computes(op, each, trial):
            peeled = (*peeled[:i], each.args[i], *peeled[i + 1 :])
    return peeled if _computes(op, each, peeled) else each.args


def _control_operands(each: Node) -> tuple[Node, ...]:
    """A branch asks Python whether a value is true; a loop over rows need not be told how many."""
    params: dict[str, Any] = dict(each.params)
    if "branches" in params:
        return (truth(each.args[0]), *each.args[1:])
    counted = params["trips"] is None and params["test"] is None
    return each.args[1:] if counted and params["scanned"] else each.args


def truth(each: Node) -> Node:
    """What Python is asked for, of which a truth value is made."""
    while each.op is e.convert and each.args[0].type.dtype == bool:
        (each,) = each.args
    return each


def _peel(arg: Node) -> Node:
    """What an operand is made of. NumPy converts once: an inner conversion must not lose digits."""
    converted = False
    while arg.op in IMPLICIT:
        (inner,) = arg.args
        if arg.op is e.convert:
            if converted and not np.can_cast(inner.type.dtype, arg.type.dtype, "safe"):
                break
            converted = True
        arg = inner
    return arg


def _number(arg: Node) -> Node:
    """The Python number that an operand is, where NumPy converts it to the same type."""
    if arg.op is e.convert and arg.args[0].type.weak and not arg.type.weak:
        python = arg.args[0].type
        return arg.args[0] if python.dtype == arg.type.dtype else arg
    return arg


def _computes(op: Primitive, each: Node, args: tuple[Node, ...]) -> bool:
    """Whether NumPy, given these operands, promotes and broadcasts to what the node says."""
    return _agrees(op, each.type, each.args[-1].type.dtype, tuple([_seen(arg) for arg in args]))


def _seen(arg: Node) -> tuple[ArrayType, bool]:
    """The type that NumPy sees; a scalar constant is printed as a literal, which is weak."""
    return arg.type, isinstance(arg, Const) and arg.uniform


@lru_cache(maxsize=4096)
def _agrees(
    op: Primitive, result: ArrayType, loop: np.dtype[Any], args: tuple[tuple[ArrayType, bool], ...]
) -> bool:
    shapes = [() if literal else each.shape for each, literal in args]
    if np.broadcast_shapes(*shapes) != result.shape:
        return False
    if op.joint:  # where and choose: behind what selects
        return np.result_type(*[_example(*each) for each in args[1:]]) == result.dtype
    python = bool(op.infix) and all(each.weak or literal for each, literal in args)
    if python != result.weak:  # a Python operator gives a Python number, a ufunc never does
        return False
    try:
        spec = tuple([_spec(*each) for each in args])
        return bool(resolve(op.function, spec)[-2] == loop)
    except TypeError:
        return False


def _spec(each: ArrayType, literal: bool) -> Any:
    return each.python if literal or each.weak else each.dtype


def _example(each: ArrayType, literal: bool) -> Any:
    return each.python(0) if literal or each.weak else each.dtype


# ---------------------------------------------------------------------------- products


def _product_operands(each: Node) -> tuple[Node, ...]:
    """A product with 1-D operands, and one whose batch axes NumPy broadcasts itself.

    The tracer brings operands to 2-D and reshapes the product; `x @ w` says the same.
    """
    product = each.args[0] if each.op is shaping.reshape else each
    if product.op is not linalg.matmul:
        return each.args
    a, b = product.args
    if each.op is linalg.matmul:
        plain = tuple([_of_batch(arg) for arg in (a, b)])
        fits = np.broadcast_shapes(*[arg.type.shape[:-2] for arg in plain]) == each.type.shape[:-2]
        return plain if fits else each.args
    row = _vector(a, (1, -1))
    column = _vector(b, (-1, 1))
    lead = product.type.shape[:-2]
    if lead or (row is None and column is None):
        return each.args
    rows, columns = product.type.shape[-2:]
    shape = (*(() if row else (rows,)), *(() if column else (columns,)))
    return (row or a, column or b) if shape == each.type.shape else each.args


def _of_batch(arg: Node) -> Node:
    """The matrices that are repeated along batch axes, and the operand itself if it is another."""
    if arg.op is shaping.broadcast_to:
        (source,) = arg.args
        if source.type.ndim >= 2 and source.type.shape[-2:] == arg.type.shape[-2:]:
            return source
    return arg


def _vector(arg: Node, shape: tuple[int, int]) -> Node | None:
    """The 1-D array that `arg` is a row or a column of."""
    if arg.op is shaping.reshape and arg.args[0].type.ndim == 1:
        length = arg.args[0].type.size
        if arg.type.shape == tuple(length if extent == -1 else extent for extent in shape):
            return arg.args[0]
    return None


def operation(each: Node) -> Primitive:
    """The primitive whose source the node is written with: a reshaped product is a product."""
    op = each.op
    assert isinstance(op, Primitive)
    if op is shaping.reshape and operands(each) != each.args:
        return linalg.matmul
    return op
