"""Choices: conditional expressions, `and`, `or`, `not` and chained comparisons.

Both sides are run on stand-ins, as those of a branch are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from symdiff.frontend import context
from symdiff.frontend.branches import Merger
from symdiff.frontend.joins import aliases_among, mark_aliases, still, tracers_in, truth
from symdiff.frontend.speculation import (
    UNBOUND,
    FailedError,
    Run,
    Site,
    is_open,
    may_speculate,
    note_failure,
    passes,
    place_of,
    reason_of,
    report,
)
from symdiff.frontend.tracer import Tracer, call, lift
from symdiff.ops.primitive import Primitive


def chosen(
    test: Any, first: Any, second: Any, site: Site, frame: FrameType, both: bool | None = None
) -> Any:
    """first() where the test is true, else second(): of both, if that can be."""
    running = context.current()
    if running is None or not may_speculate(running, test):
        return first() if test else second()
    key = (frame.f_code, (*site.place, frame.f_lasti))
    if not is_open(running, key):
        return first() if test else second()
    values: list[Any] = []
    runs: list[Run] = []
    try:
        for side in (first, second):
            runs.append(Run(running, frame, key, branch=True))
            values.append(still(side()))
            runs[-1].check()
            if runs[-1].changed():
                raise FailedError("a side stores into an array")
            runs[-1].undo()
        mark = runs[0].mark
        merged = _logical_node(test, values, mark, both)
        if merged is not None:
            return merged
        merger = Merger(runs[0], mark)
        place = merger.merge(values[0], values[1], "", True)
        merger.aliased += aliases_among(tracers_in(values), mark)
    except BaseException as error:
        if passes(error):
            raise
        if runs:
            runs[-1].undo()
        note_failure(running, key)
        report(place_of(frame), f"decided at each call: {reason_of(error)}")
        return first() if test else second()
    found = merger.finish(running, test, "choice")(place)
    mark_aliases(running, key, merger.aliased, [found])
    return found


def logical(first: Any, second: Any, both: bool, frame: FrameType) -> Any:
    """first and second(), or first or second(): traced where both are single truth values."""
    running = context.current()
    if running is None or not may_speculate(running, first) or first.dtype != bool:
        decided = bool(first)
        return second() if decided == both else first
    known = (lambda: first) if both is False else (lambda: np.False_)
    one, other = (second, known) if both else (lambda: np.True_, second)
    return chosen(first, one, other, Site((frame.f_lineno, -1), (), (), (), ()), frame, both)


_TOTAL = {
    "add", "subtract", "multiply", "absolute", "negative", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not", "convert",
    "max", "min", "any", "all", "item", "maximum", "minimum", "broadcast_to", "isnan", "isfinite",
}  # fmt: skip


def _logical_node(test: Any, values: Sequence[Any], mark: int, both: bool | None) -> Any:
    """`and` and `or` as an operation, where both sides may be computed in any case."""
    if both is None:
        return None
    value = values[0] if both else values[1]
    if not isinstance(value, (Tracer, bool, np.bool_)):
        return None
    if isinstance(value, Tracer) and (value.dtype != bool or value.shape):
        return None
    waiting, seen = [lift(value)], set()
    while waiting:
        each = waiting.pop()
        if each in seen or each.serial <= mark:
            continue
        seen.add(each)
        if isinstance(each.op, Primitive) and each.op.name not in _TOTAL:
            return None
        waiting += each.args
    function = np.logical_and if both else np.logical_or
    return call(function, Tracer(truth(test)), value)


class Compared:
    """A part of a chained comparison; what stands at its right is read by the next part too."""

    def __init__(self, name: str, left: Any, later: Callable[[], Any]) -> None:
        self.name, self.left, self.later = name, left, later
        self.right: Any = UNBOUND

    def __call__(self) -> Any:
        self.right = self.later()
        return COMPARISONS[self.name](self.left, self.right)


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Is": operator.is_,
    "IsNot": operator.is_not,
    "In": lambda a, b: a in b,
    "NotIn": lambda a, b: a not in b,
}
