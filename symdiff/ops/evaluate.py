"""evaluate: a graph computed node by node from each primitive's reference function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from symdiff.ir.extent import settled
from symdiff.ir.graph import toposort
from symdiff.ir.node import Const, Input, Node
from symdiff.ops.primitive import Primitive

_indices: ContextVar[Mapping[int, int] | None] = ContextVar("symdiff_indices", default=None)


@contextmanager
def at_index(level: int | None, index: int) -> Iterator[None]:
    """What is evaluated inside belongs to a trip of the loop of this level, if it has one."""
    known = _indices.get() or {}
    token = _indices.set(known if level is None else {**known, level: index})
    try:
        yield
    finally:
        _indices.reset(token)


def evaluate(outputs: Iterable[Node], values: Mapping[Node, Any]) -> list[Any]:
    """The values of `outputs` for values of the inputs. Slow and literal: the meaning of the IR."""
    outputs = list(outputs)
    known: dict[Node, Any] = dict(values)
    for each in toposort(outputs):
        if each not in known:
            known[each] = value_of(each, known)
    return [known[each] for each in outputs]


def value_of(each: Node, known: Mapping[Node, Any]) -> Any:
    """The value of a node from those of its operands. Raises KeyError for an input."""
    if isinstance(each, Const):
        return full(each)
    if isinstance(each, Input):
        raise KeyError(f"no value for input {each.name}")
    assert isinstance(each.op, Primitive)
    args = [known[arg] for arg in each.args]
    params = {} if isinstance(each.op.function, np.ufunc) else dict(each.params)
    indices = _indices.get()
    if indices:
        params = {name: settled(value, indices) for name, value in params.items()}
    return each.op.function(*args, **params)


def full(each: Const) -> Any:
    """The value of a constant at its full shape; read-only where it is uniform.

    One element in memory, so that np.power and its kin see the same scalar exponent, and take the
    same short cuts, as where the constant is written as a literal.
    """
    if each.type.shape and each.uniform:
        shape = settled(each.type.shape, _indices.get() or {})
        return np.broadcast_to(np.asarray(each.value, each.type.dtype), shape)
    return each.value
