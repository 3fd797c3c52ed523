"""Guards: what Python must know of a traced value while it is traced, checked at each call.

A shape, a branch or an index of Python's own depends on it. The trace holds for the value that it
has in the call that it is made for; the emitted function ends early where it is another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symdiff.frontend import context
from symdiff.ir.node import node
from symdiff.ops import shaping

if TYPE_CHECKING:
    from symdiff.frontend.tracer import Tracer


def value_of(tracer: Tracer, what: str, way_out: str) -> Any:
    """The value in the call that is traced for. Raises TraceError where only types are known."""
    running = context.current()
    assert running is not None  # what is traced
    if running.flow.runs and not running.is_fixed(tracer.node):
        running.flow.check(True, what)
    try:
        return running.examples.of(tracer.node)
    except KeyError:
        running.flow.check(False, what)
        tracer.refuse(
            f"{what}, and only types are known",
            f"{way_out}, or call the function with arrays, outside of vmap.",
        )


def fixed_value(tracer: Tracer) -> Any:
    """The value of what depends on no input; None of what does."""
    running = context.current()
    if running is None or not running.is_fixed(tracer.node):
        return None
    value = running.examples.of(tracer.node)
    return np.broadcast_to(value, tracer.shape) if tracer.shape else value


def count_true(mask: Tracer) -> int:
    """How many elements of a mask are True."""
    what = "the size of what a traced mask selects depends on values"
    count = int(np.count_nonzero(value_of(mask, what, "Write np.where(mask, x, 0)")))
    _rely(mask, count)
    return count


def truth(value: Tracer) -> bool:
    """Whether a value counts as true. Raises ValueError for an array of several elements."""
    if value.size != 1:
        several = "with more than one element" if value.size else "without elements"
        raise ValueError(
            f"The truth value of an array {several} is ambiguous. Use a.any() or a.all()"
        )
    what = "the function takes a decision on a traced value"
    decided = bool(value_of(value, what, "Choose with np.where(condition, a, b)"))
    _rely(value if value.dtype == bool else np.not_equal(value, 0), int(decided))
    return decided


def is_known(value: Tracer) -> bool:
    """Whether there is one value, in the call that is traced for: a loop has one for each turn."""
    running = context.current()
    assert running is not None
    try:
        return not running.flow.runs and running.examples.of(value.node) is not None
    except KeyError:
        return False


def truth_or(otherwise: bool, value: Tracer) -> bool:
    """Whether a value counts as true, as `truth`; `otherwise` where only types are known."""
    running = context.current()
    assert running is not None
    return truth(value) if running.flow.runs or is_known(value) else otherwise


def whole_number(value: Tracer) -> int:
    """The int that a value is cut off to. Raises TypeError for an array of several elements."""
    if value.size != 1:
        raise TypeError("only integer scalar arrays can be converted to a scalar index")
    what = "an index or a size depends on a traced value"
    found = int(value_of(value, what, "Pass it as a Python int argument of its own"))
    whole: Any = value if value.dtype.kind in "iub" else np.trunc(value)
    _rely(np.equal(whole, found), 1)
    return found


def _rely(mask: Any, count: int) -> None:
    running = context.current()
    if running is not None and not running.is_fixed(mask.node):
        running.relied[node(shaping.counts, (mask.node,), (("count", count),))] = None
