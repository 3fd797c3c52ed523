"""Appended: lists to which each turn of a loop adds something, as what the loop collects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from symdiff.frontend import context, extents
from symdiff.frontend.joins import is_numeric, leaf_of, root_of
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.frontend.speculation import FailedError
from symdiff.frontend.tracer import Tracer, coerce
from symdiff.ir.node import Node, node
from symdiff.ops.shaping import getitem

if TYPE_CHECKING:
    from symdiff.frontend.loops import Loop

_MANY = 64  # values that a turn adds


def append(target: Any, value: Any, name: str, frame: FrameType) -> None:
    """target.append(value); a loop that does nothing else with its list collects the value.

    So it is where nothing but the variable `name` leads to the list: nobody can read it meanwhile.
    """
    running = context.current()
    run = running.flow.runs[-1] if running is not None and running.flow.runs else None
    if (
        run is not None
        and run.loop is not None
        and type(target) is list
        and name in run.loop.site.appended
        and run.frame is frame
        and run.world.reached.get(id(target)) == 1
        and name not in frame.f_code.co_cellvars + frame.f_code.co_freevars
    ):
        run.loop.appended.append(Appended(target, value, name))
    else:
        target.append(value)


class Appended:
    """A value that each turn appends to a list."""

    def __init__(self, target: list[Any], value: Any, name: str) -> None:
        self.target = target
        self.name = name
        self.leaves, self.spec = flatten(value)

    def tracers(self) -> list[Tracer]:
        """What of it is traced."""
        return [each for each in self.leaves if isinstance(each, Tracer)]

    def add(self, loop: Loop, outputs: list[Node]) -> None:
        """Adds it to what the loop collects. Raises FailedError where it cannot be collected."""
        self.places: list[Any] = []
        for each in self.leaves:
            self.places.append(self._place(each, loop, outputs))
        if len(outputs) > _MANY:
            raise FailedError("it appends many values in a turn")

    def _place(self, each: Any, loop: Loop, outputs: list[Node]) -> Any:
        """How a leaf is found again: its values, or which result it is and of what type."""
        turns = range(loop.begin, loop.end)
        if not isinstance(each, Tracer):
            if not is_numeric(each) or hasattr(each, "shape"):
                raise FailedError(f"it appends a {type(each).__name__} to `{self.name}`")
            return [each for _ in turns]
        if each.weak and each.dtype.kind == "i":
            return _counted(each, loop, turns)
        if each.in_memory and root_of(each).born < loop.mark:
            raise FailedError(f"it appends an array from before to `{self.name}`")
        outputs.append(each.node)
        return len(outputs) - 1, leaf_of(each)

    def elements(self, items: Sequence[Node]) -> Iterator[Any]:
        """What the turns have appended, one after the other."""
        columns = [
            place if type(place) is list else _rows(items[place[0]], place[1])
            for place in self.places
        ]
        for row in zip(*columns, strict=True):
            yield row[0] if self.spec.is_leaf() else unflatten(self.spec, row)


def _counted(each: Tracer, loop: Loop, turns: range) -> list[int]:
    """The whole numbers that a sum of the index and a number is."""
    found = extents.affine(each.node)
    own = loop.level
    if found is None or own is None or any(f for i, f in enumerate(found.factors) if i != own):
        raise FailedError("it appends a whole number that is not counted")
    factor = found.factors[own] if len(found.factors) > own else 0
    return [factor * (loop.start + loop.step * k) + found.rest for k in turns]


def _rows(every: Node, leaf: Any) -> list[Tracer]:
    rows = [node(getitem, (every,), (("index", (k,)),)) for k in range(every.type.shape[0])]
    return [Tracer(coerce(each, leaf.type), leaf.is_array) for each in rows]
