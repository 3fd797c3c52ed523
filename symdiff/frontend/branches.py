"""Branches: both sides of an `if` are run on stand-ins, and one node chooses between them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from symdiff.frontend import context, memory
from symdiff.frontend.joins import (
    NUMBERS,
    Leaf,
    aliases_among,
    is_numeric,
    itself,
    join,
    leaf_of,
    mark_aliases,
    still,
    tracers_in,
    truth,
    zero,
)
from symdiff.frontend.source_map import position_of
from symdiff.frontend.speculation import (
    UNBOUND,
    FailedError,
    Run,
    Site,
    is_open,
    may_speculate,
    note_failure,
    notes_since,
    passes,
    place_of,
    reason_of,
    report,
    said,
)
from symdiff.frontend.tracer import Tracer, coerce, lift
from symdiff.ir.graph import Graph, Note
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType
from symdiff.ops import control

if TYPE_CHECKING:
    from symdiff.frontend.context import Context


class Branch:
    """A branch of the user's: an iterator of the sides to run, then the values that names take."""

    unbound = UNBOUND

    def __init__(self, test: Any, site: Site, frame: FrameType) -> None:
        self.test = test
        self.site = site
        self.binds = False
        self.values: dict[str, Any] = {}
        self.sides: list[tuple[dict[str, Any], dict[int, tuple[Tracer, Node]]]] = []
        self.marks: list[int] = []
        self.reason = ""  # why not both sides are taken
        self.run: Run | None = None
        self.place = place_of(frame)
        running = context.current()
        self.running = running
        self.open = running is not None and may_speculate(running, test)
        self.key = (frame.f_code, site.place)
        if running is not None and self.open:
            self.open = is_open(running, self.key)

    def __iter__(self) -> Iterator[bool]:
        if self.running is None or not self.open:
            yield bool(self.test)
            return
        for side in (True, False):
            if not self.reason and self._begin(sys._getframe(1)):
                yield side
        if self.reason:
            self.binds = False
            yield bool(self.test)

    def _begin(self, frame: FrameType) -> bool:
        """Whether a side can be run."""
        assert self.running is not None
        if not self.sides:
            found = frame.f_locals
            self.before = {name: found.get(name, UNBOUND) for name in self.site.names}
        try:
            self._run_in(frame)
        except FailedError as failed:
            self._give_up(failed)
            return False
        return True

    def _run_in(self, frame: FrameType) -> None:
        assert self.running is not None
        self.binds = True
        self.run = Run(self.running, frame, self.key, self.site.names, branch=True)

    def leave(self) -> None:
        """A side has been run."""
        run = self.run
        if run is None:
            return
        found = sys._getframe(1).f_locals
        names = {name: found.get(name, UNBOUND) for name in self.site.names}
        run.check()
        stored = {id(each): (each, each.node) for each in run.changed()}
        self.sides.append((still(names), stored))
        self.marks.append(run.mark)
        merged = self._merge(run) if len(self.sides) == 2 else None
        run.undo()
        self.values = self.before
        if merged is not None:
            self._bind(*merged)
        self.run = None

    def failed(self) -> bool:
        """Whether an exception in a side is the user's, to be raised."""
        error = sys.exc_info()[1]
        assert error is not None
        run = self.run
        if run is None or passes(error):
            return True
        run.undo()
        self.run = None
        self.values = self.before
        self._give_up(error)
        return False

    def _give_up(self, error: BaseException) -> None:
        self.reason = reason_of(error)
        assert self.running is not None
        note_failure(self.running, self.key)
        report(self.place, f"decided at each call: {self.reason}")

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def _merge(self, run: Run) -> Any:
        """The node, what the names are bound to, what arrays become."""
        (first, stored), (second, other) = self.sides
        merger = Merger(run, self.marks[0])
        names: dict[str, Any] = {}
        for name in self.site.names:
            names[name] = merger.merge(first[name], second[name], name, name in self.site.kept)
        arrays = []
        for key in {**stored, **other}:
            array = (stored.get(key) or other[key])[0]
            before = _node_before(run.running, array, self.marks[0])
            one = stored[key][1] if key in stored else before
            two = other[key][1] if key in other else before
            arrays.append((array, merger.add(one, two, one.type, "")))
        for side in (first, second):
            changed = [side[name] for name in self.site.names
                       if itself(side[name]) is not self.before[name]]
            aliased = aliases_among(tracers_in(changed), self.marks[0])
            merger.aliased += aliased
        return merger, names, arrays

    def _bind(self, merger: Merger, names: dict[str, Any], arrays: Any) -> None:
        assert self.running is not None
        found = merger.finish(self.running, self.test, "branch")
        self.values = {name: found(each) for name, each in names.items()}
        for array, place in arrays:
            memory.change(array, found(place).node)
        mark_aliases(self.running, self.key, merger.aliased, self.values.values())
        report(self.place, "captured: both sides are compiled")


def _node_before(running: Context, array: Tracer, mark: int) -> Node:
    """The value of an array before the sides were run: it is as it was, between them."""
    for each in running.changes[running.flow.runs[-1].changes :]:
        if each.array is array:
            assert each.before is not None
            return each.before
    return array.node


class Chosen(NamedTuple):
    """A value that the sides of a branch disagree on: which result of the node it is."""

    at: int
    leaf: Leaf


class Merger:
    """What both sides of a branch give, and the node that chooses."""

    def __init__(self, run: Run, mark: int) -> None:
        self.mark = mark
        self.operands = run.operands
        self.pairs: list[tuple[Node, Node]] = []
        self.names: list[str] = []
        self.aliased: list[Tracer] = []

    def add(self, one: Node, other: Node, type: ArrayType, name: str, array: bool = False) -> Any:
        pair = coerce(one, type), coerce(other, type)
        if pair[0] is pair[1]:
            return _Same(Tracer(pair[0], array))
        self.pairs.append(pair)
        self.names.append(name)
        return Chosen(len(self.pairs) - 1, Leaf(type, array))

    def merge(self, one: Any, other: Any, name: str, kept: bool) -> Any:
        """What stands for two values of a name. Raises FailedError where they differ in kind."""
        if itself(one) is itself(other):
            return _Same(itself(one))
        if one is UNBOUND or other is UNBOUND:
            if not kept:
                return _Same(UNBOUND)
            found = other if one is UNBOUND else one
            if not is_numeric(found):
                return _Same(found)
            leaf = leaf_of(found)
            filler = Tracer(zero(leaf.type), leaf.is_array)
            one, other = (filler if each is UNBOUND else each for each in (one, other))
        if is_numeric(one) and is_numeric(other):
            return self._merge_numbers(one, other, name)
        if type(one) is type(other) and type(one) in (list, tuple, dict):
            return self._merge_trees(one, other, name)
        if type(one) is type(other) and type(one) in (str, bytes, type(None)) and one == other:
            return _Same(one)
        if not kept:
            return _Same(UNBOUND)
        raise FailedError(f"the sides give `{said(name)}` values of different kinds")

    def _merge_numbers(self, one: Any, other: Any, name: str) -> Any:
        if type(one) is type(other) and type(one) in NUMBERS and repr(one) == repr(other):
            return _Same(one)
        left, right = leaf_of(one), leaf_of(other)
        type_ = join(left.type, right.type)
        if type_ is None or left.is_array != right.is_array:
            raise FailedError(
                f"the sides give `{said(name)}` the types {left.type} and {right.type}"
            )
        return self.add(lift(one), lift(other), type_, name, left.is_array)

    def _merge_trees(self, one: Any, other: Any, name: str) -> Any:
        if type(one) is dict:
            if list(one) != list(other):
                raise FailedError(f"the sides give `{said(name)}` different keys")
            return {key: self.merge(one[key], other[key], name, True) for key in one}
        if len(one) != len(other):
            raise FailedError(f"the sides give `{said(name)}` different lengths")
        return type(one)(
            [self.merge(a, b, name, True) for a, b in zip(one, other, strict=True)]
        )

    def finish(self, running: Context, test: Any, what: str) -> Callable[[Any], Any]:
        """Makes the node, and gives what finds the merged values."""
        results: list[Node] = []
        if self.pairs:
            made = self._node(running, test, what)
            results = control.items(made)
            place = running.place or context.user_place()
            for each, name in zip(results, self.names, strict=True):
                if name and not name.startswith("$"):
                    position = position_of(place) if place else None
                    running.inherited[each] = Note(name, position=position)
                elif place:
                    running.places.setdefault(each, place)

        def found(each: Any) -> Any:
            if isinstance(each, _Same):
                return each.value
            if isinstance(each, Chosen):
                return Tracer(results[each.at], each.leaf.is_array)
            if type(each) is dict:
                return {key: found(value) for key, value in each.items()}
            return type(each)(map(found, each))

        return found

    def _node(self, running: Context, test: Any, what: str) -> Node:
        outputs = [each for pair in zip(*self.pairs, strict=True) for each in pair]
        mark = self.mark
        notes = notes_since(running, outputs, mark, self.operands)
        whole, outer = control.body_of(what, (), outputs, notes, lambda each: each.serial > mark)
        count = len(self.pairs)
        sides = [
            Graph(f"{what}_{name}", whole.inputs, part, (), whole.notes)
            for name, part in (("then", whole.outputs[:count]), ("else", whole.outputs[count:]))
        ]
        return control.cond_node(truth(test), outer, (sides[0], sides[1]))


class _Same:
    """A value on which the sides agree."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value
