"""Capture: loops and branches of the user's that are made nodes, and not run or decided.

Rewritten code (`source.py`) asks the hooks here. The sides of a branch and the body of a loop are
run once, on what stands for the values there; what they change is noted and undone, and one node of
control flow takes the place of it. Where that cannot be (the types do not settle, Python must know
a value, something else than arrays and numbers changes) all is undone, and the code runs as it is:
decisions are guards, and loops are unrolled.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symdiff.frontend import context, extents, memory
from symdiff.frontend.context import Again, NeedsValue, Place
from symdiff.frontend.pytree import Spec, flatten, unflatten
from symdiff.frontend.source_map import position_of
from symdiff.frontend.state import World
from symdiff.frontend.trace import notes_of
from symdiff.frontend.tracer import (
    StaticArgument,
    StoredInCreated,
    Tracer,
    call,
    call_python,
    coerce,
    lift,
)
from symdiff.ir.graph import Graph, Note
from symdiff.ir.node import Const, Input, Node, constant, input_node
from symdiff.ir.types import ArrayType, array_type, is_foreign, is_supported
from symdiff.ops import control
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive

if TYPE_CHECKING:
    from symdiff.frontend.context import Context

FEW = 4  # loops of fewer trips are unrolled
_DEEPEST = 12  # nested speculations
_ATTEMPTS = 6  # runs of a body until the types of what it carries settle

_PASS = (Again, StaticArgument, StoredInCreated, KeyboardInterrupt, SystemExit, GeneratorExit)
_NUMBERS = {bool, int, float, complex}


class _Unbound:
    """What stands for the value of a name that has none."""


UNBOUND = _Unbound()


class Site(NamedTuple):
    """A loop or a branch in the user's code, as the rewriter describes it."""

    place: tuple[int, int]
    names: tuple[str, ...]  # which it binds
    kept: tuple[str, ...]  # of these, which may be read afterwards
    stops: tuple[str, ...]  # flags that end the loop
    targets: tuple[str, ...]  # of a `for`


class FailedError(Exception):
    """Why a loop or a branch is not captured."""


# ---------------------------------------------------------------------------- runs on stand-ins


class Run:
    """One run of a body or a side on stand-ins: what it may change is noted, and undone."""

    def __init__(
        self,
        running: Context,
        frame: FrameType,
        key: Any,
        names: Sequence[str] = (),
        branch: bool = False,
    ) -> None:
        """Raises FailedError where it is not known what is changed."""
        self.running = running
        self.frame = frame
        self.key = key
        self.branch = branch
        self.world = World(frame, names, running.interposer)
        if self.world.opaque:
            raise FailedError(self.world.opaque)
        self.changes = len(running.changes)
        self.stores = len(running.stores)
        self.relied = len(running.relied)
        self.operands = len(running.operands)
        self.refused = running.refused
        self.effect, running.effect = running.effect, None  # how often it would be is not known
        # whatever is made from here on has a greater serial number
        self.mark = input_node("", control.INDEX).serial
        self.reason = ""
        self.running.flow.runs.append(self)
        self.depth = len(running.flow.runs)

    def changed(self) -> list[Tracer]:
        """The arrays from before that were changed."""
        found: dict[int, Tracer] = {}
        for each in self.running.changes[self.changes :]:
            if each.array.view_of is None and each.array.born < self.mark:
                found.setdefault(id(each.array), each.array)
        return list(found.values())

    def check(self) -> None:
        """Raises FailedError where something else than arrays has changed."""
        if self.reason:
            raise FailedError(self.reason)
        if self.running.refused is not self.refused:
            raise FailedError(str(self.running.refused).split("\n")[0])
        changed = self.world.changed()
        if len(self.running.stores) > self.stores:
            changed = f"it changes the attribute `{self.running.stores[-1].key}`"
        if changed:
            raise FailedError(changed)

    def undo(self) -> None:
        """Everything as it was before."""
        running = self.running
        memory.roll_back(running, self.changes)
        running.take_back(self.stores)
        for each in list(running.relied)[self.relied :]:
            del running.relied[each]
        running.refused = self.refused
        running.effect = self.effect
        del running.flow.runs[self.depth - 1 :]
        if not self.world.restore():
            running.flow.forced.add(self.key)
            context.refuse(Again())

    def notes(self, outputs: Sequence[Node]) -> dict[Node, Note]:
        """The names of what was computed."""
        return _notes(self.running, outputs, self.mark, self.operands)


def made_since(outputs: Sequence[Node], mark: int) -> list[Node]:
    """The nodes below `outputs` that are newer, and those that they read; in order."""
    seen: set[Node] = set()
    waiting = list(outputs)
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            if each.serial > mark:
                waiting += each.args
    return sorted(seen, key=lambda each: each.serial)


def _notes(
    running: Context, outputs: Sequence[Node], mark: int, operands: int
) -> dict[Node, Note]:
    nodes = made_since(outputs, mark)
    return notes_of(running, [each for each in nodes if isinstance(each, Input)], nodes, operands)


def _passes(error: BaseException) -> bool:
    """Whether an exception is no reason to go another way; NumPy may have made another of it."""
    return isinstance(error, _PASS) or isinstance(error.__cause__, _PASS)


def _reason_of(error: BaseException) -> str:
    if isinstance(error, (NeedsValue, FailedError)):
        return f"{error}"
    return f"{type(error).__name__}: {error}".split("\n")[0].rstrip(": ")


def _report(site: Place, what: str) -> None:
    """Notes how a loop or a branch was taken, the last time that it was met."""
    running = context.current()
    assert running is not None
    running.flow.roads[site[0], site[2]] = position_of(site), what
    if what.startswith("captured") and running.flow.capturing is not None:
        running.flow.capturing.taken += 1


def _place_of(frame: FrameType) -> Place:
    return frame.f_code, frame.f_lasti, frame.f_lineno


def _local(frame: FrameType) -> dict[str, Any]:
    return dict(frame.f_locals)


# ---------------------------------------------------------------------------- values


def is_numeric(value: Any) -> bool:
    """Whether a value can pass in and out of a node."""
    kind = type(value)
    if issubclass(kind, Tracer) or kind in _NUMBERS:
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


def _in_memory(value: Any) -> bool:
    if isinstance(value, Tracer):
        return value.in_memory
    return issubclass(type(value), np.ndarray)


class Leaf(NamedTuple):
    """One number or array of what a name is bound to."""

    type: ArrayType
    is_array: bool


def _leaf(value: Any) -> Leaf:
    return Leaf(lift(value).type, bool(_in_memory(value) and not lift(value).type.shape))


def _made(each: Node, leaf: Leaf) -> Tracer:
    return Tracer(each, leaf.is_array)


def _root(value: Tracer) -> Tracer:
    while value.view_of is not None:
        value = value.view_of.base
    return value


def _aliases(values: Sequence[Any], mark: int) -> list[Tracer]:
    """Arrays among the values that are known by another name too: from before, or twice here."""
    traced = [_itself(each) for each in values if isinstance(each, Tracer)]
    roots = [_root(each) for each in traced if each.in_memory]
    counts: dict[int, int] = {}
    for each in roots:
        counts[id(each)] = counts.get(id(each), 0) + 1
    return [each for each in roots if each.born < mark or counts[id(each)] > 1]


# ---------------------------------------------------------------------------- branches


class Branch:
    """A branch of the user's: an iterator of the sides to run, then the values that names take."""

    unbound = UNBOUND

    def __init__(self, hooks: Hooks, test: Any, site: Site, frame: FrameType) -> None:
        self.test = test
        self.site = site
        self.binds = False
        self.values: dict[str, Any] = {}
        self.sides: list[tuple[dict[str, Any], dict[int, tuple[Tracer, Node]]]] = []
        self.marks: list[int] = []
        self.reason = ""  # why not both sides are taken
        self.run: Run | None = None
        self.frame: FrameType | None = None
        self.place = _place_of(frame)
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
        self.sides.append((_still(names), stored))
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
        if run is None or _passes(error):
            return True
        run.undo()
        self.run = None
        self.values = self.before
        self._give_up(error)
        return False

    def _give_up(self, error: BaseException) -> None:
        self.reason = _reason_of(error)
        assert self.running is not None
        note_failure(self.running, self.key)
        _report(self.place, f"decided at each call: {self.reason}")

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
                       if _itself(side[name]) is not self.before[name]]
            aliased = _aliases(_tracers_in(changed), self.marks[0])
            merger.aliased += aliased
        return merger, names, arrays

    def _bind(self, merger: Merger, names: dict[str, Any], arrays: Any) -> None:
        assert self.running is not None
        found = merger.finish(self.running, self.test, "branch")
        self.values = {name: found(each) for name, each in names.items()}
        for array, place in arrays:
            memory.change(array, found(place).node)
        _mark_aliases(self.running, self.key, merger.aliased, self.values.values())
        _report(self.place, "captured: both sides are compiled")


def _node_before(running: Context, array: Tracer, mark: int) -> Node:
    """The value of an array before the sides were run: it is as it was, between them."""
    for each in running.changes[running.flow.runs[-1].changes :]:
        if each.array is array:
            assert each.before is not None
            return each.before
    return array.node


class Still(Tracer):
    """An array as it is at the end of a side, whatever becomes of it later."""

    __slots__ = ("original",)

    def __init__(self, original: Tracer) -> None:
        super().__init__(original.node, original.is_array)
        self.original = original


def _still(value: Any) -> Any:
    """A value with its arrays as they are now."""
    if type(value) in (list, tuple):
        return type(value)(map(_still, value))
    if type(value) is dict:
        return {key: _still(each) for key, each in value.items()}
    in_memory = issubclass(type(value), Tracer) and value.in_memory
    return Still(value) if in_memory else value


def _itself(value: Any) -> Any:
    return value.original if type(value) is Still else value


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
        if _itself(one) is _itself(other):
            return _Same(_itself(one))
        if one is UNBOUND or other is UNBOUND:
            if not kept:
                return _Same(UNBOUND)
            found = other if one is UNBOUND else one
            if not is_numeric(found):
                return _Same(found)
            leaf = _leaf(found)
            filler = Tracer(_zero(leaf.type), leaf.is_array)
            one, other = (filler if each is UNBOUND else each for each in (one, other))
        if is_numeric(one) and is_numeric(other):
            return self._merge_numbers(one, other, name)
        if type(one) is type(other) and type(one) in (list, tuple, dict):
            return self._merge_trees(one, other, name)
        if type(one) is type(other) and type(one) in (str, bytes, type(None)) and one == other:
            return _Same(one)
        if not kept:
            return _Same(UNBOUND)
        raise FailedError(f"the sides give `{_said(name)}` values of different kinds")

    def _merge_numbers(self, one: Any, other: Any, name: str) -> Any:
        if type(one) is type(other) and type(one) in _NUMBERS and repr(one) == repr(other):
            return _Same(one)
        left, right = _leaf(one), _leaf(other)
        type_ = join(left.type, right.type)
        if type_ is None or left.is_array != right.is_array:
            raise FailedError(
                f"the sides give `{_said(name)}` the types {left.type} and {right.type}"
            )
        return self.add(lift(one), lift(other), type_, name, left.is_array)

    def _merge_trees(self, one: Any, other: Any, name: str) -> Any:
        if type(one) is dict:
            if list(one) != list(other):
                raise FailedError(f"the sides give `{_said(name)}` different keys")
            return {key: self.merge(one[key], other[key], name, True) for key in one}
        if len(one) != len(other):
            raise FailedError(f"the sides give `{_said(name)}` different lengths")
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
        notes = _notes(running, outputs, mark, self.operands)
        whole, outer = control.body_of(what, (), outputs, notes, lambda each: each.serial > mark)
        count = len(self.pairs)
        sides = [
            Graph(f"{what}_{name}", whole.inputs, part, (), whole.notes)
            for name, part in (("then", whole.outputs[:count]), ("else", whole.outputs[count:]))
        ]
        return control.cond_node(_truth(test), outer, (sides[0], sides[1]))


class _Same:
    """A value on which the sides agree."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _said(name: str) -> str:
    return "the result" if name == "$value" else name


def _zero(type: ArrayType) -> Const:
    return constant(type.python(0) if type.weak else type.dtype.type(0), type)


def _truth(test: Any) -> Node:
    """A traced truth value, as a condition takes it."""
    if test.shape:
        test = call(np.reshape, test, ())
    if test.dtype != bool:
        test = call_python(e.not_equal, test, 0) if test.weak else call(np.not_equal, test, 0)
    found: Node = test.node
    return found


def is_open(running: Context, key: Any) -> bool:
    """Whether a place is worth a try: it was not in vain before."""
    return key not in running.flow.forced and running.flow.failures.get(key, 0) < 2


def note_failure(running: Context, key: Any) -> None:
    """It was in vain; not so where something around it is tried, too."""
    if not running.flow.runs:
        running.flow.failures[key] = running.flow.failures.get(key, 0) + 1


def may_speculate(running: Context, test: Any) -> bool:
    """Whether both sides of a decision can be tried."""
    return (
        issubclass(type(test), Tracer)
        and test.size == 1
        and running.flow.capturing is not None
        and len(running.flow.runs) < _DEEPEST
        and not running.is_fixed(test.node)
    )


def _mark_aliases(
    running: Context, key: Any, aliased: Sequence[Tracer], results: Any
) -> None:
    """Notes arrays of which it is not known whether they share memory."""
    if not aliased:
        return
    for each in (*aliased, *results):
        if isinstance(each, Tracer) and each.in_memory:
            running.flow.aliases[id(_root(each))] = _root(each), key


# ---------------------------------------------------------------------------- loops


class Source:
    """What a loop goes over, where its elements can be computed from their number."""

    start: Any = 0
    step: Any = 1
    affine = False  # whether elements are start + step * k

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def count(self) -> Any:
        """The number of elements: an int, or a traced one."""
        raise NotImplementedError

    def element(self, k: Any, loop: Loop) -> Any:
        """What stands for the element with this number."""
        raise NotImplementedError


class Range(Source):
    """A range, the ends of which may be traced."""

    affine = True

    def __init__(self, *limits: Any) -> None:
        self.limits = limits
        self.start, stop, step = (0, limits[0], 1) if len(limits) == 1 else (*limits, 1)[:3]
        self.stop = stop
        self.step = step

    def __iter__(self) -> Iterator[int]:
        return iter(range(*map(operator.index, self.limits)))

    def count(self) -> Any:
        if not any(isinstance(each, Tracer) for each in self.limits):
            return len(range(*self.limits))
        if isinstance(self.step, Tracer):
            raise FailedError("the step of its range is traced")
        first, last, step = self.start, self.stop, self.step
        if step < 0:
            first, last, step = last, first, -step
        count: Any = last if _is_zero(first) else last - first
        return count if step == 1 else (count + (step - 1)) // step

    def element(self, k: Any, loop: Loop) -> Any:
        return k

    def reversed(self) -> Range:
        """From the end to the start."""
        count = len(range(*self.limits))
        last = self.start + self.step * (count - 1)
        return Range(last, last - count * self.step, -self.step)


def _is_zero(value: Any) -> bool:
    return type(value) is int and value == 0


class Rows(Source):
    """The rows of an array."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    def count(self) -> int:
        return int(self.array.shape[0])

    def element(self, k: Any, loop: Loop) -> Any:
        return loop.row(self.array, k)


class Zipped(Source):
    """Several at once."""

    def __init__(self, parts: Sequence[Source]) -> None:
        self.parts = parts
        first = parts[0]
        if first.affine:
            self.start, self.step = first.start, first.step

    def __iter__(self) -> Iterator[Any]:
        return zip(*self.parts, strict=False)

    def count(self) -> Any:
        counts = [each.count() for each in self.parts]
        if any(isinstance(each, Tracer) for each in counts):
            raise FailedError("it goes over several things, the length of one of which is traced")
        return min(counts)

    def element(self, k: Any, loop: Loop) -> Any:
        return tuple([_shifted(each, k, self, loop) for each in self.parts])


class Counted(Source):
    """Elements and their numbers."""

    def __init__(self, part: Source, start: int = 0) -> None:
        self.part = part
        self.start = start

    def __iter__(self) -> Iterator[Any]:
        return enumerate(self.part, self.start)

    def count(self) -> Any:
        return self.part.count()

    def element(self, k: Any, loop: Loop) -> Any:
        return k, _shifted(self.part, k, self, loop)


def _shifted(part: Source, k: Any, whole: Source, loop: Loop) -> Any:
    """The element of a part, where k = start + step * number of the whole."""
    if part.affine and (part.start, part.step) == (whole.start, whole.step):
        return part.element(k, loop)
    number = k
    if whole.step != 1 or whole.start != 0:
        number = (k - whole.start) // whole.step if whole.step != 1 else k - whole.start
    if part.affine or isinstance(part, (Zipped, Counted)):
        number = part.start + part.step * number
    return part.element(number, loop)


class Loop:
    """A loop of the user's: an iterator of its turns, then the values that names take."""

    unbound = UNBOUND

    def __init__(self, source: Any, site: Site, frame: FrameType) -> None:
        self.source = source
        self.site = site
        self.binds = False
        self.running = context.current()
        self.place = _place_of(frame)
        self.run: Run | None = None
        self.entered: dict[str, Any] = {}  # the names where the attempt began
        self.values: dict[str, Any] = {}
        self.rebinds = False
        self.outcome = ""
        self.reason = ""
        self.frame: FrameType | None = None
        self.whole_rows = False
        self.key = (frame.f_code, site.place)
        self.in_place: set[str] = set()  # names of arrays that are changed and stay the same
        self.by_test = False
        self.runs_out = False  # whether the flags are never up
        self.asked: Any = None

    # ------------------------------------------------------------------ turns

    def __iter__(self) -> Iterator[Any]:
        source = as_source(self.source)
        running = self.running
        if running is None or running.flow.capturing is None or source is None:
            yield from self.source
            return
        plain: Any = None
        for peeled in (False, True):
            if not self._worth(source, int(peeled)):
                break
            yield from self._attempt(source, int(peeled))
            if self.outcome == "captured":
                return
            self.rebinds = True
            if plain is None:
                plain = iter(source)
            if not peeled:
                for each in plain:
                    yield each
                    break
                else:
                    return
        self._give_up()
        yield from iter(source) if plain is None else plain

    def _worth(self, source: Source, peeled: int) -> bool:
        """Whether to try: not where it has failed before, nor for a few turns."""
        running = self.running
        assert running is not None
        if not is_open(running, self.key) or len(running.flow.runs) >= _DEEPEST:
            self.reason = self.reason or "it was not captured before"
            return False
        try:
            self.trips = _settled_count(running, source.count())
        except FailedError as failed:
            self.reason = str(failed)
            return False
        if isinstance(self.trips, Tracer):
            return not peeled
        if self.trips - peeled < FEW:
            self.reason = self.reason or f"of {self.trips} trips"
            return False
        return True

    def _give_up(self) -> None:
        running = self.running
        assert running is not None
        note_failure(running, self.key)
        _report(self.place, f"unrolled: {self.reason}")

    def _attempt(self, source: Source | None, peeled: int) -> Iterator[Any]:
        """Runs of the body on stand-ins, until their types settle."""
        assert self.running is not None
        self.entered = {}
        self.carried: dict[str, Carried] = {}
        self.buffers: list[Tracer] = list(self.running.flow.remembered.get(self.key, ()))
        self.widened: dict[tuple[str, int], ArrayType] = {}
        self.peeled = peeled
        for _ in range(_ATTEMPTS):
            self.outcome = "lost"
            self.rows: list[tuple[Input, Node]] = []
            try:
                self._begin(sys._getframe(2))
                stand_in = self._element(source)
            except FailedError as failed:
                self._abandon(str(failed))
                return
            yield stand_in
            if self.outcome != "again":
                break
        if self.outcome in ("again", "lost"):
            self._abandon("the types of what it carries do not settle")

    def _begin(self, frame: FrameType) -> None:
        assert self.running is not None
        names = (*self.site.names, *self.site.stops)
        self.run = Run(self.running, frame, self.key, names)
        self.titles = list(self.site.targets)
        self.index = self.placeholder("k", control.INDEX)
        self.level: int | None = None  # of what the index decides, where its range is known
        self.row_tracers: list[Tracer] = []

    def placeholder(self, name: str, type: ArrayType) -> Input:
        """What stands for a value inside of the loop."""
        assert self.running is not None
        made = input_node(name, type)
        self.running.flow.placeholders.add(made)
        return made

    def title(self, otherwise: str) -> str:
        """The next of the names that the loop gives its elements."""
        return self.titles.pop(0) if self.titles else otherwise

    def _element(self, source: Source | None) -> Any:
        if source is None:
            return None
        self.start, self.step = source.start, source.step
        moved = isinstance(self.start, Tracer)
        self.first = 0 if moved else self.start + self.step * self.peeled
        self.stride = 1 if moved else self.step
        self.by_test = bool(self.site.stops) and not self.runs_out
        if isinstance(source, (Range, Counted)):
            self.index = self.placeholder(self.title("k"), control.INDEX)
        if not self.by_test:
            self.level = extents.enter(self.index, self.first, self.stride, self.trips_left())
        if self.by_test:  # it counts by itself
            self.counter = self.placeholder(self.index.name, control.INDEX)
            number: Any = Tracer(self.counter)
        else:
            number = Tracer(self.index)
        self.number = number
        if moved:
            number = self.start + self.step * number
        elif self.by_test and (self.first, self.stride) != (0, 1):
            number = self.first + self.stride * number
        return source.element(number, self)

    def trips_left(self) -> Any:
        """The number of turns that are captured."""
        return self.trips - self.peeled if type(self.trips) is int else self.trips

    def row(self, array: Any, k: Any) -> Any:
        """What stands for the row of an array."""
        traced = array if isinstance(array, Tracer) else Tracer(lift(array), is_array=True)
        scanned = not (self.whole_rows or self.by_test or isinstance(self.trips, Tracer))
        if not scanned or any(_root(traced) is each for each in self.buffers):
            return traced[k]
        if self.peeled or self.trips != traced.shape[0]:
            traced = traced[self.peeled : self.trips]
        type_ = array_type(traced.dtype, traced.shape[1:])
        made = self.placeholder(self.title(""), type_)
        self.rows.append((made, traced.node))
        self.row_tracers.append(Tracer(made))
        return self.row_tracers[-1]

    def enter(self) -> bool:
        """A turn begins. Whether names are to be bound anew."""
        frame = sys._getframe(1)
        if self.run is None:
            again, self.rebinds = self.rebinds, False
            if again:
                self.values = self.entered
            return again
        bound = (*self.site.names, *self.site.stops)
        if not self.entered:
            found = frame.f_locals
            self.entered = {name: found.get(name, UNBOUND) for name in bound}
        own = [name for name in bound if name not in self.site.targets]
        self.values = {name: self._stand_in(name) for name in own}
        self.places: list[tuple[Tracer, Input, Node]] = []
        for each in self.buffers:
            before = each.node
            made = self.placeholder(_name_of(self.running, before), before.type)
            memory.change(each, made)
            self.places.append((each, made, before))
        return True

    def _stand_in(self, name: str) -> Any:
        """What a name is bound to while the body is run."""
        value = self.entered[name]
        if value is UNBOUND or name in self.site.stops or name in self.in_place:
            return value
        carried = Carried.of(value, name, self)
        if carried is None:
            self.carried.pop(name, None)
            return value
        self.carried[name] = carried
        return carried.stand_in

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    # ------------------------------------------------------------------ the end of a turn

    def leave(self) -> bool:
        """A turn ends. Whether the loop ends with it."""
        frame = sys._getframe(1)
        run = self.run
        if run is None:
            found = frame.f_locals if self.site.stops else {}
            return any(bool(found.get(flag, False)) for flag in self.site.stops)
        run.check()
        found = frame.f_locals
        stop = self._stop(found)
        self.found_stops = {flag: found.get(flag, False) for flag in self.site.stops}
        if self._again(run, found):
            extents.leave(self.index)
            run.undo()
            self.run = None
            self.outcome = "again"
            return False
        self._finish(run, found, stop)
        return False

    def _stop(self, found: Any) -> Any:
        """Whether the loop ends after this turn: traced, or False."""
        stop: Any = False
        for flag in self.site.stops:
            value = found.get(flag, False)
            if isinstance(value, Tracer):
                stop = value if stop is False else call(np.logical_or, stop, value)
            elif value:
                raise FailedError("it ends in its first turn")
        return stop

    def _again(self, run: Run, found: Any) -> bool:
        """Whether the body must run on other stand-ins. Raises FailedError if that is no use."""
        new = [each for each in run.changed() if all(each is not own for own in self.buffers)]
        if new:
            self.buffers += new
            self.running.flow.remembered[self.key] = list(self.buffers)  # type: ignore[union-attr]
            return True
        changed = {id(each.array) for each in run.running.changes[run.changes :]}
        if not changed.isdisjoint(map(id, self.row_tracers)):
            self.whole_rows = True
            return True
        kept = [
            name
            for name, carried in self.carried.items()
            if not changed.isdisjoint(map(id, carried.tracers))
        ]
        for name in kept:
            if found.get(name) is not self.carried[name].stand_in:
                raise FailedError(f"it stores into `{name}`, and gives the name to another array")
        if kept:
            self.in_place |= set(kept)
            for name in kept:
                del self.carried[name]
            return True
        if self.by_test and isinstance(self.trips, int) and not any(
            isinstance(each, Tracer) for each in self.found_stops.values()
        ):
            self.runs_out = True
            return True
        widened = False
        for name, carried in self.carried.items():
            widened |= carried.settle(found.get(name, UNBOUND), self)
        return widened

    def failed(self) -> bool:
        """Whether an exception in a turn is the user's, to be raised."""
        error = sys.exc_info()[1]
        assert error is not None
        if self.run is None or _passes(error):
            return True
        self._abandon(_reason_of(error))
        return False

    def _abandon(self, reason: str) -> None:
        if self.run is not None:
            extents.leave(self.index)
            self.run.undo()
            self.run = None
        self.reason = reason
        self.outcome = "failed"
        self.rebinds = bool(self.entered)

    # ------------------------------------------------------------------ the node

    def _finish(self, run: Run, found: Any, stop: Any) -> None:
        """Takes the body as a node, and binds the names to its results."""
        running = self.running
        assert running is not None
        state: list[tuple[Input, Node]] = []
        outputs: list[Node] = []
        results: list[tuple[str, Any]] = []  # of names, how to find what they are bound to
        for name, carried in self.carried.items():
            results.append((name, carried.add(found[name], state, outputs)))
        results += self._exported(found, state, outputs)
        arrays = []
        for array, placeholder, before in self.places:
            arrays.append((array, len(state)))
            state.append((placeholder, before))
            outputs.append(array.node)
        kind, test = self._kind(state, outputs, stop)
        notes = run.notes([*outputs, *([test] if test is not None else [])])
        values = [found.get(name, UNBOUND) for name in self.site.names if name in self.site.kept]
        leaves = [leaf for value in values for leaf in _tracers_in(value)]
        own = {id(each) for carried in self.carried.values() for each in carried.tracers}
        aliased = [each for each in _aliases(leaves, run.mark) if id(each) not in own]
        run.undo()
        level = self.level if self.level in running.flow.measured else None
        if level is not None and running.flow.capturing is not None:
            running.flow.capturing.measured = True
        extents.leave(self.index)
        made = control.loop_of(
            "loop", self.index, state, self.rows, outputs, notes, test, level=level, **kind
        )
        if running.is_fixed(made):
            raise FailedError("nothing in it is traced")
        items = control.items(made)
        self._note(items, results, state)
        self.values = dict.fromkeys((*self.site.names, *self.site.stops), UNBOUND)
        for name, find in results:
            self.values[name] = find(items)
        if stop is not False:
            for flag in self.site.stops:
                self.values[flag] = Tracer(items[self.flags[flag]])
        else:
            self.values |= {flag: self.entered[flag] for flag in self.site.stops}
        for array, i in arrays:
            memory.change(array, items[i])
        _mark_aliases(running, self.key, aliased, self.values.values())
        self.run = None
        self.binds = True
        self.outcome = "captured"
        _report(self.place, "captured: its body is compiled once")

    def _exported(
        self, found: Any, state: list[tuple[Input, Node]], outputs: list[Node]
    ) -> list[tuple[str, Any]]:
        """Names without a value before the loop, that are read after it: with their last value."""
        results: list[tuple[str, Any]] = []
        for name in self.site.names:
            if name in self.carried:
                continue
            value = found.get(name, UNBOUND)
            if self._is_new(name, value):
                raise FailedError(f"`{_said(name)}` is bound to something else after a turn")
            if name not in self.site.kept or value is UNBOUND:
                results.append((name, _constantly(UNBOUND)))
                continue
            before = self.entered.get(name, UNBOUND)
            if value is before and name not in self.site.targets:
                results.append((name, _constantly(value)))
                continue
            if value is getattr(self, "number", None) and self._last() is not None:
                results.append((name, _constantly(self._last())))
                continue
            if not isinstance(self.trips, int) and not name.startswith("$"):
                raise FailedError(f"`{name}` has no value before it, and may not have one after it")
            leaves, spec = flatten(value)
            if not all(map(is_numeric, leaves)):
                raise FailedError(f"`{name}` is bound to a {type(value).__name__}")
            places = []
            for each in leaves:
                leaf = _leaf(each)
                places.append((len(state), leaf))
                state.append((self.placeholder(name.lstrip("$"), leaf.type), _zero(leaf.type)))
                outputs.append(lift(each))
            results.append((name, _finder(places, spec)))
        return results

    def _is_new(self, name: str, value: Any) -> bool:
        """Whether a name that had a value without numbers has another one after a turn."""
        before = self.entered.get(name, UNBOUND)
        if name in self.site.targets or before is UNBOUND or value is before:
            return False
        same = type(before) is type(value) and type(before) in (str, bytes)
        return not (same and before == value)

    def _last(self) -> Any:
        """The last number of a loop that goes to its end; None of any other."""
        if self.by_test or not isinstance(self.trips, int) or isinstance(self.start, Tracer):
            return None
        return self.start + self.step * (self.trips - 1)

    def _kind(
        self, state: list[tuple[Input, Node]], outputs: list[Node], stop: Any
    ) -> tuple[dict[str, Any], Node | None]:
        """How often the body runs, as the parameters of the node, and a test."""
        if stop is False and not self.by_test:
            return self._counted(), None
        going = call_python(e.less, Tracer(self.counter), self._turns())
        state.append((self.counter, constant(0, control.INDEX)))
        outputs.append(call_python(e.add, Tracer(self.counter), 1).node)
        return {}, self._going(going, state, outputs)

    def _turns(self) -> Any:
        return self.trips - self.peeled

    def _going(self, going: Any, state: list[tuple[Input, Node]], outputs: list[Node]) -> Node:
        """The test of a loop that may end early, which carries its flags."""
        self.flags: dict[str, int] = {}
        found = self.found_stops
        for flag in self.site.stops:
            made = self.placeholder("ended", control.TRUTH)
            self.flags[flag] = len(state)
            state.append((made, constant(np.False_, control.TRUTH)))
            outputs.append(coerce(lift(found[flag]), control.TRUTH))
            still = call(np.logical_not, Tracer(made))
            going = still if going is True else call(np.logical_and, going, still)
        return coerce(lift(going), control.TRUTH)

    def _counted(self) -> dict[str, Any]:
        kind: dict[str, Any] = {"start": self.first, "step": self.stride}
        if isinstance(self.trips, Tracer):
            count = coerce(self.trips.node, control.INDEX)
            return {**kind, "count": count}
        return {**kind, "trips": self.trips - self.peeled}

    def _note(self, items: Sequence[Node], results: Any, state: Any) -> None:
        assert self.running is not None
        position = position_of(self.place)
        for each, (placeholder, _) in zip(items, state, strict=False):
            name = placeholder.name
            self.running.inherited[each] = Note(name, position=position)


class Carried:
    """A name that is bound to numbers and arrays, which a loop hands from turn to turn."""

    def __init__(self, name: str, leaves: list[Any], spec: Spec, loop: Loop) -> None:
        self.name = name
        self.spec = spec
        self.first = leaves
        self.fixed = [None if is_numeric(each) else each for each in leaves]
        self.kinds: list[Leaf | None] = []
        self.tracers: list[Tracer] = []
        self.inputs: list[Input | None] = []
        values = []
        for i, each in enumerate(leaves):
            if not is_numeric(each):
                self.kinds.append(None)
                self.inputs.append(None)
                values.append(each)
                continue
            leaf = _leaf(each)
            leaf = leaf._replace(type=loop.widened.get((name, i), leaf.type))
            own = name.lstrip("$")
            made = loop.placeholder(own if len(leaves) == 1 else f"{own}_{i}", leaf.type)
            tracer = Tracer(made, leaf.is_array)
            self.kinds.append(leaf)
            self.inputs.append(made)
            self.tracers.append(tracer)
            values.append(tracer)
        self.stand_in = values[0] if spec.is_leaf() else unflatten(spec, values)

    @classmethod
    def of(cls, value: Any, name: str, loop: Loop) -> Carried | None:
        """None for what is no number, array, or list, tuple or dict of them."""
        if not is_numeric(value) and not isinstance(value, (list, tuple, dict)):
            return None
        leaves, spec = flatten(value)
        if not any(map(is_numeric, leaves)):
            return None
        return cls(name, leaves, spec, loop)

    def settle(self, value: Any, loop: Loop) -> bool:
        """Whether a type must be widened for the value at the end of a turn."""
        leaves, spec = ([], None) if value is UNBOUND else flatten(value)
        if spec != self.spec:
            raise FailedError(f"`{_said(self.name)}` is of another kind after a turn")
        widened = False
        for i, (each, kind) in enumerate(zip(leaves, self.kinds, strict=True)):
            if kind is None:
                if each is not self.fixed[i] and each != self.fixed[i]:
                    raise FailedError(f"`{_said(self.name)}` holds something else after a turn")
                continue
            if not is_numeric(each):
                raise FailedError(f"`{_said(self.name)}` is a {type(each).__name__} after a turn")
            found = _leaf(each)
            type_ = join(kind.type, found.type)
            if type_ is None or kind.is_array != found.is_array:
                raise FailedError(
                    f"`{_said(self.name)}` is of type {kind.type} before a turn, "
                    f"and of type {found.type} after it"
                )
            if type_ != kind.type:
                loop.widened[self.name, i] = type_
                widened = True
        return widened

    def add(self, value: Any, state: list[tuple[Input, Node]], outputs: list[Node]) -> Any:
        """Adds it to what the loop carries, and gives what finds it among the results."""
        leaves, spec = flatten(value)
        places: list[Any] = []
        for each, first, kind, own in zip(
            leaves, self.first, self.kinds, self.inputs, strict=True
        ):
            if kind is None or own is None:
                places.append(each)
                continue
            places.append((len(state), kind))
            state.append((own, coerce(lift(first), kind.type)))
            outputs.append(coerce(lift(each), kind.type))
        return _finder(places, spec)


def _finder(places: Sequence[Any], spec: Spec) -> Callable[[Sequence[Node]], Any]:
    """What makes a value of the results of a loop."""

    def find(items: Sequence[Node]) -> Any:
        leaves = [
            Tracer(items[each[0]], each[1].is_array) if type(each) is tuple else each
            for each in places
        ]
        return leaves[0] if spec.is_leaf() else unflatten(spec, leaves)

    return find


def _constantly(value: Any) -> Callable[[Any], Any]:
    return lambda items: value


def _tracers_in(value: Any) -> list[Tracer]:
    if value is UNBOUND:
        return []
    return [each for each in flatten(value)[0] if isinstance(each, Tracer)]


class WhileLoop(Loop):
    """A `while` of the user's."""

    def __iter__(self) -> Iterator[Any]:
        running = self.running
        self.trips: Any = None
        self.by_test = False
        if running is None or running.flow.capturing is None:
            while True:
                yield None
        for peeled in (0, 1):
            if not is_open(running, self.key) or len(running.flow.runs) >= _DEEPEST:
                self.reason = self.reason or "it was not captured before"
                break
            self.tests: list[Node] = []
            yield from self._attempt(None, 0)
            if self.outcome == "captured":
                return
            self.rebinds = bool(self.entered)
            if not peeled:
                yield None
        self._give_up()
        while True:
            yield None

    def test(self, value: Any) -> bool:
        """Whether there is a turn: in a run on stand-ins there is."""
        if self.run is None:
            return bool(value)
        traced = isinstance(value, Tracer)
        if not traced or self.run.running.is_fixed(value.node):
            if not bool(value):
                raise FailedError("it does not run")
            self.asked = None
        else:
            self.asked = _truth(value)
        return True

    def _kind(
        self, state: list[tuple[Input, Node]], outputs: list[Node], stop: Any
    ) -> tuple[dict[str, Any], Node | None]:
        if self.asked is None and stop is False:
            raise FailedError("its end does not depend on traced values")
        going: Any = True if self.asked is None else Tracer(self.asked)
        if stop is False:
            return {}, coerce(going.node, control.TRUTH)
        return {}, self._going(going, state, outputs)


def _settled_count(running: Context, count: Any) -> Any:
    """A number of trips: an int where it is known."""
    if isinstance(count, Tracer):
        if running.is_fixed(count.node):
            return operator.index(count)
        if count.dtype.kind not in "iu" or count.shape:
            raise FailedError("its number of turns is no integer")
    return count


def as_source(value: Any) -> Source | None:
    """What a loop goes over, where that is something that can be captured."""
    if isinstance(value, Source):
        return value
    if type(value) is range:
        return Range(value.start, value.stop, value.step)
    numeric = isinstance(value, (Tracer, np.ndarray)) and is_numeric(value)
    return Rows(value) if numeric and value.shape else None


def _name_of(running: Any, each: Node) -> str:
    """What an array is called."""
    note = running.inherited.get(each)
    if isinstance(each, Input):
        return each.name
    if note is not None:
        return str(note.name)
    from symdiff.frontend.source_map import name_at

    place = running.named.get(each)
    return name_at(place) if place else ""


# ---------------------------------------------------------------------------- hooks


class Hooks:
    """What rewritten code finds under the name `__symdiff__`."""

    anything = BaseException

    @staticmethod
    def branch(test: Any, site: Any) -> Branch:
        return Branch(hooks, test, Site(*site), sys._getframe(1))

    @staticmethod
    def loop(source: Any, site: Any) -> Loop:
        return Loop(source, Site(*site), sys._getframe(1))

    @staticmethod
    def whiles(site: Any) -> WhileLoop:
        return WhileLoop(None, Site(*site), sys._getframe(1))

    @staticmethod
    def over(function: Any, *args: Any) -> Any:
        """A call of range, zip, enumerate or reversed, whose elements may be computed."""
        if function is range and 0 < len(args) < 4:
            whole = [isinstance(each, Tracer) and each.dtype.kind in "iu" for each in args]
            plain = all(w or type(each) is int for w, each in zip(whole, args, strict=True))
            return Range(*args) if plain and any(whole) else range(*args)
        parts = [as_source(each) for each in args]
        if function is zip and parts and all(part is not None for part in parts):
            return Zipped(parts)  # type: ignore[arg-type]
        if function is enumerate and parts and parts[0] is not None:
            start = args[1] if len(args) == 2 else 0
            if type(start) is int:
                return Counted(parts[0], start)
        if function is reversed and len(args) == 1:
            if type(args[0]) is range:
                made = Range(args[0].start, args[0].stop, args[0].step).reversed()
                return range(*made.limits)
            if isinstance(parts[0], Rows):
                return parts[0].array[::-1]
        return function(*args)

    @staticmethod
    def equal(function: Any, *args: Any) -> Any:
        """A call of zip with strict=True."""
        sources = [each for each in map(as_source, args) if each is not None]
        counts = [each.count() for each in sources]
        same = all(type(each) is int and each == counts[0] for each in counts)
        if len(sources) == len(args) and same:
            return Hooks.over(function, *args)
        return function(*args, strict=True)

    @staticmethod
    def either(test: Any, first: Any, second: Any, site: Any) -> Any:
        """first() if test else second()."""
        return _chosen(test, first, second, Site(*site), sys._getframe(1))

    @staticmethod
    def both(first: Any, *rest: Any) -> Any:
        """first and rest()."""
        frame = sys._getframe(1)
        for each in rest:
            first = _logical(first, each, True, frame)
        return first

    @staticmethod
    def any_of(first: Any, *rest: Any) -> Any:
        """first or rest()."""
        frame = sys._getframe(1)
        for each in rest:
            first = _logical(first, each, False, frame)
        return first

    @staticmethod
    def negate(value: Any) -> Any:
        """not value."""
        running = context.current()
        if running is None or not may_speculate(running, value):
            return not value
        made: Any = Tracer(_truth(value))
        return call(np.logical_not, made)

    @staticmethod
    def unless(*flags: Any) -> Any:
        """Whether no flag is up."""
        up: Any = False
        for each in flags:
            if isinstance(each, Tracer):
                up = each if up is False else call(np.logical_or, up, each)
            elif each:
                return False
        return True if up is False else Hooks.negate(up)

    @staticmethod
    def chain(names: Any, left: Any, first: Any, *rest: Any) -> Any:
        """left < first < rest()."""
        frame = sys._getframe(1)
        value: Any = _COMPARISONS[names[0]](left, first)
        known = first
        for name, each in zip(names[1:], rest, strict=True):
            compared = _Compared(name, known, each)
            value = _logical(value, compared, True, frame)
            known = compared.right
            if known is UNBOUND:
                return value  # it was False before
        return value


class _Compared:
    """A part of a chained comparison; what stands at its right is read by the next part too."""

    def __init__(self, name: str, left: Any, later: Callable[[], Any]) -> None:
        self.name, self.left, self.later = name, left, later
        self.right: Any = UNBOUND

    def __call__(self) -> Any:
        self.right = self.later()
        return _COMPARISONS[self.name](self.left, self.right)


hooks = Hooks()

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
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


def _logical(first: Any, second: Any, both: bool, frame: FrameType) -> Any:
    """first and second(), or first or second(): traced where both are single truth values."""
    running = context.current()
    if running is None or not may_speculate(running, first) or first.dtype != bool:
        truth = bool(first)
        return second() if truth == both else first
    known = (lambda: first) if both is False else (lambda: np.False_)
    one, other = (second, known) if both else (lambda: np.True_, second)
    return _chosen(first, one, other, Site((frame.f_lineno, -1), (), (), (), ()), frame, both)


def _chosen(
    test: Any, first: Any, second: Any, site: Site, frame: FrameType, logical: bool | None = None
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
            values.append(_still(side()))
            runs[-1].check()
            if runs[-1].changed():
                raise FailedError("a side stores into an array")
            runs[-1].undo()
        mark = runs[0].mark
        merged = _logical_node(test, values, mark, logical)
        if merged is not None:
            return merged
        merger = Merger(runs[0], mark)
        place = merger.merge(values[0], values[1], "", True)
        merger.aliased += _aliases(_tracers_in(values), mark)
    except BaseException as error:
        if _passes(error):
            raise
        if runs:
            runs[-1].undo()
        note_failure(running, key)
        _report(_place_of(frame), f"decided at each call: {_reason_of(error)}")
        return first() if test else second()
    found = merger.finish(running, test, "choice")(place)
    _mark_aliases(running, key, merger.aliased, [found])
    return found


_TOTAL = {
    "add", "subtract", "multiply", "absolute", "negative", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not", "convert",
    "max", "min", "any", "all", "item", "maximum", "minimum", "broadcast_to", "isnan", "isfinite",
}  # fmt: skip


def _logical_node(
    test: Any, values: Sequence[Any], mark: int, logical: bool | None
) -> Any:
    """`and` and `or` as an operation, where both sides may be computed in any case."""
    if logical is None:
        return None
    value = values[0] if logical else values[1]
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
    function = np.logical_and if logical else np.logical_or
    return call(function, Tracer(_truth(test)), value)
