"""Values that meet: what two of them have in common, and which arrays have two names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symdiff.frontend.pytree import flatten
from symdiff.frontend.speculation import UNBOUND
from symdiff.frontend.tracer import Tracer, call, call_python, lift
from symdiff.ir.node import Const, Node, constant
from symdiff.ir.types import ArrayType, array_type, is_foreign, is_supported
from symdiff.ops import elementwise as e

if TYPE_CHECKING:
    from symdiff.frontend.context import Context

NUMBERS = {bool, int, float, complex}


def is_numeric(value: Any) -> bool:
    """Whether a value can pass in and out of a node."""
    kind = type(value)
    if issubclass(kind, Tracer) or kind in NUMBERS:
        return True
    if issubclass(kind, np.generic):
        return is_supported(value.dtype)
    return issubclass(kind, np.ndarray) and not is_foreign(value) and is_supported(value.dtype)


def join(one: ArrayType, other: ArrayType) -> ArrayType | None:
    """The type that has the values of both; None where they are of different kinds."""
    if one == other:
        return one
    if one.shape != other.shape or (one.dtype == bool) != (other.dtype == bool):
        return None
    if one.weak and other.weak:
        return max(one, other, key=lambda each: "biufc".index(each.dtype.kind))
    if not one.weak and not other.weak and one.dtype.kind != other.dtype.kind:
        return None  # arithmetic of integers is not that of floats
    operands = [each.python(0) if each.weak else each.dtype for each in (one, other)]
    return array_type(np.result_type(*operands), one.shape)


class Leaf(NamedTuple):
    """One number or array of what a name is bound to."""

    type: ArrayType
    is_array: bool


def leaf_of(value: Any) -> Leaf:
    """The type of a number or an array."""
    return Leaf(lift(value).type, bool(_in_memory(value) and not lift(value).type.shape))


def _in_memory(value: Any) -> bool:
    if isinstance(value, Tracer):
        return value.in_memory
    return issubclass(type(value), np.ndarray)


def tracers_in(value: Any) -> list[Tracer]:
    """The traced values among the leaves of a value."""
    if value is UNBOUND:
        return []
    return [each for each in flatten(value)[0] if isinstance(each, Tracer)]


def zero(type: ArrayType) -> Const:
    """What stands for a value that is never read."""
    return constant(type.python(0) if type.weak else type.dtype.type(0), type)


def truth(test: Any) -> Node:
    """A traced truth value, as a condition takes it."""
    if test.shape:
        test = call(np.reshape, test, ())
    if test.dtype != bool:
        test = call_python(e.not_equal, test, 0) if test.weak else call(np.not_equal, test, 0)
    found: Node = test.node
    return found


# ---------------------------------------------------------------------------- arrays with names


class Still(Tracer):
    """An array as it is at the end of a side, whatever becomes of it later."""

    __slots__ = ("original",)

    def __init__(self, original: Tracer) -> None:
        super().__init__(original.node, original.is_array)
        self.original = original


def still(value: Any) -> Any:
    """A value with its arrays as they are now."""
    if type(value) in (list, tuple):
        return type(value)(map(still, value))
    if type(value) is dict:
        return {key: still(each) for key, each in value.items()}
    in_memory = issubclass(type(value), Tracer) and value.in_memory
    return Still(value) if in_memory else value


def itself(value: Any) -> Any:
    """The array whose state at the end of a side a value is; any other value as it is."""
    return value.original if type(value) is Still else value


def root_of(value: Tracer) -> Tracer:
    """The array that has the memory of another one."""
    while value.view_of is not None:
        value = value.view_of.base
    return value


def aliases_among(values: Sequence[Any], mark: int) -> list[Tracer]:
    """Arrays among the values that are known by another name too: from before, or twice here."""
    traced = [itself(each) for each in values if isinstance(each, Tracer)]
    roots = [root_of(each) for each in traced if each.in_memory]
    counts: dict[int, int] = {}
    for each in roots:
        counts[id(each)] = counts.get(id(each), 0) + 1
    return [each for each in roots if each.born < mark or counts[id(each)] > 1]


def mark_aliases(
    running: Context, key: Any, aliased: Sequence[Tracer], results: Any
) -> None:
    """Notes arrays of which it is not known whether they share memory."""
    if not aliased:
        return
    for each in (*aliased, *results):
        if isinstance(each, Tracer) and each.in_memory:
            running.flow.aliases[id(root_of(each))] = root_of(each), key
