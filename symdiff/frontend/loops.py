"""Loops: the body of a `for` is run on stand-ins, and one node is what all turns compute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from symdiff.frontend import context, extents, memory
from symdiff.frontend.alike import Lent
from symdiff.frontend.appended import Appended, append
from symdiff.frontend.carried import Carried, finder
from symdiff.frontend.iterables import FEW, Counted, Plain, Range, Source, as_source, settled_count
from symdiff.frontend.joins import (
    aliases_among,
    is_numeric,
    leaf_of,
    mark_aliases,
    root_of,
    tracers_in,
    zero,
)
from symdiff.frontend.pytree import flatten
from symdiff.frontend.source_map import name_at, position_of
from symdiff.frontend.speculation import (
    DEEPEST,
    UNBOUND,
    FailedError,
    Run,
    Site,
    is_open,
    made_since,
    note_failure,
    passes,
    place_of,
    reason_of,
    report,
    said,
)
from symdiff.frontend.tracer import Tracer, call, call_python, coerce, lift
from symdiff.ir.graph import Note
from symdiff.ir.node import Input, Node, constant, input_node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import control
from symdiff.ops import elementwise as e

if TYPE_CHECKING:
    from symdiff.frontend.resized import Resized

_VAIN = 8  # stretches that are not captured, after which the rest is not tried
_ATTEMPTS = 6  # runs of a body until the types of what it carries settle


class Loop:
    """A loop of the user's: an iterator of its turns, then the values that names take."""

    unbound = UNBOUND

    def __init__(self, source: Any, site: Site, frame: FrameType) -> None:
        self.source = source
        self.site = site
        self.running = context.current()
        self.place = place_of(frame)
        self.run: Run | None = None
        self.entered: dict[str, Any] = {}  # the names where the attempt began
        self.earlier: dict[str, Any] = {}  # and the one before, a turn earlier
        self.values: dict[str, Any] = {}
        self.pending: dict[str, Any] | None = None  # what names are to be bound to outside of runs
        self.outcome = ""
        self.reason = ""
        self.whole_rows = False
        self.key = (frame.f_code, site.place)
        self.in_place: set[str] = set()  # names of arrays that are changed and stay the same
        self.by_test = False
        self.runs_out = False  # whether the flags are never up
        self.asked: Any = None
        self.cuts: list[int] = []  # where turns begin that need another body

    # ------------------------------------------------------------------ turns

    def __iter__(self) -> Iterator[Any]:
        source = as_source(self.source)
        running = self.running
        if running is None or running.flow.capturing is None or source is None:
            yield from self.source
            return
        plain = Plain(source)
        done = 0
        captured, vain = False, 0
        ends = self._ends(source)[::-1]
        while ends:
            self.end = end = ends.pop()
            for peeled in (False, True):
                if vain > _VAIN or not self._worth(done, peeled):
                    break
                yield from self._attempt(source, done)
                vain += self.outcome != "captured"
                if self.cuts:
                    break
                if self.outcome == "captured":
                    if not self._goes_on():
                        return
                    done, captured = end, True
                    break
                if not peeled:
                    yield from plain.turns(done, done + 1)
                    done += 1
            if self.cuts:
                ends += self.cuts[::-1]
                self.cuts = []
            elif isinstance(end, int):
                yield from plain.turns(done, end)
                done = end
        if not captured:
            self._give_up()
        yield from plain.turns(done)

    def _ends(self, source: Source) -> list[Any]:
        """Where stretches of turns end that may have one body."""
        assert self.running is not None
        self.whole: Any = None
        try:
            self.whole = settled_count(self.running, source.count())
            return [self.whole] if isinstance(self.whole, Tracer) else source.ends()
        except FailedError as failed:
            self.reason = str(failed)
            return []

    def _worth(self, begin: int, peeled: bool) -> bool:
        """Whether to try: not where it has failed before, nor for a few turns."""
        running = self.running
        assert running is not None
        if not is_open(running, self.key) or len(running.flow.runs) >= DEEPEST:
            self.reason = self.reason or "it was not captured before"
            return False
        if isinstance(self.end, Tracer):
            return not peeled
        if self.end - begin < FEW:
            alike = "" if self.end == self.whole else " whose elements are alike"
            self.reason = self.reason or f"of {self.end - begin + peeled} trips{alike}"
            return False
        return True

    def _give_up(self) -> None:
        running = self.running
        assert running is not None
        note_failure(running, self.key)
        report(self.place, f"unrolled: {self.reason}")

    def _attempt(self, source: Source | None, begin: int) -> Iterator[Any]:
        """Runs of the body on stand-ins, until their types settle."""
        assert self.running is not None
        self.earlier, self.entered = self.entered, {}
        self.carried: dict[str, Carried] = {}
        self.buffers: list[Tracer] = list(self.running.flow.remembered.get(self.key, ()))
        self.widened: dict[tuple[str, int], ArrayType] = {}
        self.resized: dict[tuple[str, int], Resized] = {}
        self.begin = begin
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
        self.run.loop = self
        self.titles = list(self.site.targets)
        self.index = self.placeholder("k", control.INDEX)
        self.level: int | None = None  # of what the index decides, where its range is known
        self.row_tracers: list[Tracer] = []
        self.lent: list[Lent] = []
        self.appended: list[Appended] = []
        self.mark = self.run.mark
        if not self.entered:
            self.reached = self.run.world.reached

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
        self.first = 0 if moved else self.start + self.step * self.begin
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
        return self.end - self.begin if type(self.end) is int else self.end

    def row(self, array: Any, k: Any) -> Any:
        """What stands for the row of an array."""
        traced = array if isinstance(array, Tracer) else Tracer(lift(array), is_array=True)
        scanned = not (self.whole_rows or self.by_test or isinstance(self.end, Tracer))
        if not scanned or any(root_of(traced) is each for each in self.buffers):
            return traced[k]
        if self.begin or self.end != traced.shape[0]:
            traced = traced[self.begin : self.end]
        self.row_tracers.append(Tracer(self.scanned(traced.node, self.title(""))))
        return self.row_tracers[-1]

    def scanned(self, every: Node, name: str) -> Input:
        """What stands for a row of an array or of a list."""
        made = self.placeholder(name, array_type(every.type.dtype, every.type.shape[1:]))
        self.rows.append((made, every))
        return made

    def alike(self, values: Sequence[Any], name: str = "") -> Any:
        """What stands for one of several values of a kind, another one in each turn."""
        if isinstance(self.end, Tracer):
            raise FailedError("it goes over a list, for a number of turns that is traced")
        self.lent.append(Lent(values, self, (name or self.title("row")).strip()))
        return self.lent[-1].stand_in

    def enter(self) -> bool:
        """A turn begins. Whether names are to be bound anew."""
        frame = sys._getframe(1)
        if self.run is None:
            if self.pending is None:
                return False
            self.values, self.pending = self.pending, None
            return True
        bound = (*self.site.names, *self.site.stops)
        if not self.entered:
            found = frame.f_locals if self.pending is None else self.pending
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
        if carried.resize(self.earlier.get(name, UNBOUND), self, turn=-1):
            carried = Carried(name, carried.first, carried.spec, self)
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
            self._end_run("again")
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
        if stop is not False and self.lent:
            raise FailedError("it goes over a list, and may end before that does")
        return stop

    def _again(self, run: Run, found: Any) -> bool:
        """Whether the body must run on other stand-ins. Raises FailedError if that is no use."""
        new = [each for each in run.changed() if all(each is not own for own in self.buffers)]
        if new:
            self.buffers += new
            self.running.flow.remembered[self.key] = list(self.buffers)  # type: ignore[union-attr]
            return True
        changed = {id(each.array) for each in run.running.changes[run.changes :]}
        if any(each.is_changed(changed) for each in self.lent):
            raise FailedError("it changes an element of the list that it goes over")
        if not changed.isdisjoint(map(id, self.row_tracers)):
            self.whole_rows = True
            return True
        kept = [
            name
            for name, carried in self.carried.items()
            if not changed.isdisjoint(map(id, carried.tracers))
        ]
        if any(found.get(name) is not self.carried[name].stand_in for name in kept):
            self._check_exchanged(kept, found)
        elif kept:
            self.in_place |= set(kept)
            for name in kept:
                del self.carried[name]
            return True
        if self.by_test and isinstance(self.end, int) and not any(
            isinstance(each, Tracer) for each in self.found_stops.values()
        ):
            self.runs_out = True
            return True
        widened = False
        for name, carried in self.carried.items():
            widened |= carried.settle(found.get(name, UNBOUND), self)
        return widened

    def _check_exchanged(self, stored: Sequence[str], found: Any) -> None:
        """Raises FailedError unless arrays that the body stores into go from name to name whole.

        Their values can be handed on then: nothing but the names leads to them, before the loop
        and after a turn.
        """
        assert self.running is not None
        lasting = [name for name in self.site.names if name in {*self.carried, *self.site.kept}]
        values = [leaf for name in lasting for leaf in tracers_in(found.get(name, UNBOUND))]
        values += [leaf for each in self.appended for leaf in each.tracers()]
        ends = [root_of(each) for each in values if each.in_memory]
        if len(set(map(id, ends))) < len(ends):
            raise FailedError("it stores into an array that has two names after a turn")
        for name, carried in self.carried.items():
            own = carried.stand_in
            moves = found.get(name) is not own and any(own is each for each in ends)
            if (name in stored or moves) and not (
                carried.spec.is_leaf() and self._is_alone(self.entered[name])
            ):
                raise FailedError(f"it stores into `{name}`, and gives the name to another array")

    def _is_alone(self, array: Any) -> bool:
        """Whether nothing but one name leads to an array from before the loop."""
        assert self.running is not None
        return (
            isinstance(array, Tracer)
            and not array.is_hidden
            and array.view_of is None
            and id(array) not in self.running.given
            and self.reached.get(id(array)) == 1
        )

    def failed(self) -> bool:
        """Whether an exception in a turn is the user's, to be raised."""
        error = sys.exc_info()[1]
        assert error is not None
        if self.run is None or passes(error):
            return True
        found = sys._getframe(1).f_locals  # a name may be of another shape, which did not fit
        ends = [each.resize(found.get(name, UNBOUND), self) for name, each in self.carried.items()]
        if any(ends):
            self._end_run("again")
        else:
            self._abandon(reason_of(error))
        return False

    def _end_run(self, outcome: str) -> None:
        if self.run is not None:
            extents.leave(self.index)
            self.run.undo()
            self.run = None
        self.outcome = outcome

    def _abandon(self, reason: str) -> None:
        self._end_run("failed")
        self.reason = reason
        if self.entered:
            self.pending = self.entered

    @property
    def binds(self) -> bool:
        """Whether names are to be bound to what is captured."""
        return self.pending is not None

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
        if self.appended and (type(self.end) is not int or test is not None):
            raise FailedError("it appends to a list, a number of times that is not known")
        for each in self.appended:
            each.add(self, outputs)
        computed = [*outputs, *([test] if test is not None else [])]
        self._check_apart(found, made_since(computed, run.mark))
        notes = run.notes(computed)
        values = [found.get(name, UNBOUND) for name in self.site.names if name in self.site.kept]
        leaves = [leaf for value in values for leaf in tracers_in(value)]
        listed = [leaf for each in self.appended for leaf in each.tracers()]
        leaves += listed
        aliased = aliases_among(leaves, run.mark)
        aliased += self._first_of(listed)
        passed = {name: self._first_of(tracers_in(found[name])) for name in self.carried}
        aliased += [root for lent in self.lent for root in lent.roots_in(leaves)]
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
        bound: dict[str, Any] = dict.fromkeys((*self.site.names, *self.site.stops), UNBOUND)
        for name, find in results:
            bound[name] = find(items)
        if stop is not False:
            for flag in self.site.stops:
                bound[flag] = Tracer(items[self.flags[flag]])
        else:
            bound |= {flag: self.entered[flag] for flag in self.site.stops}
        self.values = self.pending = bound
        for array, i in arrays:
            memory.change(array, items[i])
        self.run = None
        added = self._append(items, run.frame)
        mark_aliases(running, self.key, aliased, [*self.values.values(), *added])
        for name, firsts in passed.items():
            seen = [each for each in firsts if not self._is_alone(each)]
            mark_aliases(running, self.key, seen, tracers_in(self.values[name]))
        self.outcome = "captured"
        report(self.place, "captured: its body is compiled once")

    def _check_apart(self, found: Any, nodes: Sequence[Node]) -> None:
        """Raises FailedError where a name that is read may be an array that the loop stores into.

        A store would not be seen under that name.
        """
        stored = {id(each) for each in self.buffers}
        read = set(nodes)
        for name, carried in self.carried.items() if stored else ():
            last = flatten(found[name])[0]
            for own, *ends in zip(carried.inputs, carried.first, last, strict=True):
                roots = {id(root_of(each)) for each in ends if isinstance(each, Tracer)}
                if own in read and not roots.isdisjoint(stored):
                    raise FailedError(f"it stores into an array that `{said(name)}` may be too")

    def _first_of(self, values: Sequence[Tracer]) -> list[Tracer]:
        """The arrays that the stand-ins among some values stand for in the first turn."""
        own = {id(root_of(each)) for each in values}
        pairs = [pair for each in self.carried.values() for pair in each.pairs()]
        return [root_of(first) for stand_in, first in pairs if id(stand_in) in own]

    def _append(self, items: Sequence[Node], frame: FrameType) -> list[Tracer]:
        """Puts into lists what the turns append, and gives what of it is traced."""
        assert self.running is not None
        added = [(each, list(each.elements(items))) for each in self.appended]
        for turn in range(self.trips_left() if added else 0):
            for each, elements in added:
                append(each.target, elements[turn], each.name, frame)
        return [leaf for _, elements in added for each in elements for leaf in tracers_in(each)]

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
                raise FailedError(f"`{said(name)}` is bound to something else after a turn")
            if value is UNBOUND or (name not in self.site.kept and not self._goes_on()):
                results.append((name, _constantly(UNBOUND)))
                continue
            before = self.entered.get(name, UNBOUND)
            if value is before and name not in self.site.targets:
                results.append((name, _constantly(value)))
                continue
            if value is getattr(self, "number", None) and self._last() is not None:
                results.append((name, _constantly(self._last())))
                continue
            if not isinstance(self.end, int) and not name.startswith("$"):
                raise FailedError(f"`{name}` has no value before it, and may not have one after it")
            leaves, spec = flatten(value)
            if not all(map(is_numeric, leaves)):
                raise FailedError(f"`{name}` is bound to a {type(value).__name__}")
            places = []
            for each in leaves:
                leaf = leaf_of(each)
                places.append((len(state), leaf))
                state.append((self.placeholder(name.lstrip("$"), leaf.type), zero(leaf.type)))
                outputs.append(lift(each))
            results.append((name, finder(places, spec)))
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
        if self.by_test or not isinstance(self.end, int) or isinstance(self.start, Tracer):
            return None
        return self.start + self.step * (self.end - 1)

    def _goes_on(self) -> bool:
        """Whether there are turns after those that are captured."""
        return type(self.end) is int and self.end != self.whole

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
        return self.end - self.begin

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
        if isinstance(self.end, Tracer):
            return {**kind, "count": coerce(self.end.node, control.INDEX)}
        return {**kind, "trips": self.end - self.begin}

    def _note(self, items: Sequence[Node], results: Any, state: Any) -> None:
        assert self.running is not None
        position = position_of(self.place)
        for each, (placeholder, _) in zip(items, state, strict=False):
            name = placeholder.name
            self.running.inherited[each] = Note(name, position=position)


def _constantly(value: Any) -> Callable[[Any], Any]:
    return lambda items: value


def _name_of(running: Any, each: Node) -> str:
    """What an array is called."""
    note = running.inherited.get(each)
    if isinstance(each, Input):
        return each.name
    if note is not None:
        return str(note.name)
    place = running.named.get(each)
    return name_at(place) if place else ""
