"""Loops and branches: statements with statements inside, and the variables that these share.

A value that a loop carries lives in one variable. Where the body changes it in place it is an array
of the program's own, copied before the loop if need be. What a loop collects goes into the rows of
an array, or is appended to a list that only other loops read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from symdiff.ir.extent import is_open
from symdiff.ir.graph import Graph
from symdiff.ir.node import Const, Input, Node, constant
from symdiff.ops import elementwise as e
from symdiff.ops.control import INDEX, UNKNOWN, divided, loop
from symdiff.ops.render import ATOM, PRODUCT, Source, dtype_source
from symdiff.schedule.buffers import allocates, is_view, size_of
from symdiff.schedule.frees import bound
from symdiff.schedule.implicit import truth
from symdiff.schedule.program import (
    Assign,
    Clause,
    Compound,
    Delete,
    Expression,
    Statement,
    Stop,
    Update,
)
from symdiff.schedule.schedule import Scheduler

ROOMY = 1 << 16  # bytes of a row from which an array is filled faster than a list
BACKWARDS = "[::-1]"
MANY = 1 << 20  # bytes that are given back as soon as they have been read
_PLACE = re.compile(r"\[(\d+)\]")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def emit(outer: Scheduler, each: Node, items: Mapping[int, Node]) -> None:
    """The statements of a loop or a branch, of which these results are read."""
    (_Loop if each.op is loop else _Branch)(outer, each, items).emit()


class _Slot(NamedTuple):
    """A variable of a loop: what it stands for when a trip begins, and when it ends.

    `item` is the result that it holds in the end, if anything reads that.
    """

    name: str
    first: Input
    last: Node
    item: Node | None


class _First(NamedTuple):
    """What a variable of a loop is at first."""

    operand: Node
    expression: Expression
    fresh: bool  # an array that the expression makes
    alone: bool  # an array of the program's own that nothing else reads any more


class _Sink(NamedTuple):
    """Where what a loop collects goes."""

    value: Node
    item: Node
    name: str


def name_list(scheduler: Scheduler, each: Node) -> bool:
    """Have values that loops read row by row in a list; True where it is one that is given.

    That is a list among the arguments, or a slice of it, or a part of each tree in it.
    """
    if len(scheduler.scans().get(each, ())) != scheduler.uses[each]:
        return False  # something reads them as an array
    scheduler.listed.add(each)
    found = _given_list(scheduler, each.args)
    if found is None:
        for arg in each.args:
            scheduler.buffers.keep(arg)
        return False
    scheduler.named[each], scheduler.fields[each] = found
    return True


def _given_list(scheduler: Scheduler, values: Sequence[Node]) -> tuple[str, str] | None:
    """A list that holds all of the values in order, and how each is reached from its elements."""
    if not all(isinstance(each, Input) for each in values):
        return None
    texts = [scheduler.named[each] for each in values]
    found = _slice_of(scheduler, texts)
    if found is None and (found := _slice_of(scheduler, texts[::-1])) is not None:
        return f"{found[0]}{BACKWARDS}", found[1]
    return found


def _slice_of(scheduler: Scheduler, texts: Sequence[str]) -> tuple[str, str] | None:
    """The same for values of these names, in the order of the list."""
    for place in _PLACE.finditer(texts[0]):
        whole, field, first = texts[0][: place.start()], texts[0][place.end() :], int(place[1])
        if all(text == f"{whole}[{first + i}]{field}" for i, text in enumerate(texts)):
            length, end = scheduler.sequences().get(whole, 0), first + len(texts)
            if end <= length:
                part = f"[{first or ''}:{end if end < length else ''}]"
                return whole if part == "[:]" else f"{whole}{part}", field
    return None


# ---------------------------------------------------------------------------- what both need


def _whole(scheduler: Scheduler, each: Node) -> Expression:
    """A value as it is, also where it is a constant."""
    return scheduler.take(each, shaped=True).expression


def _is_fresh(each: Node, expression: Expression) -> bool:
    """Whether an expression that stands for a node makes a new array."""
    if isinstance(each, Const):
        return each.uniform or not expression.source.text.isidentifier()
    return not expression.known and allocates(each)


def _origins(scheduler: Scheduler, each: Node) -> set[Node]:
    """Whose arrays a node may be in."""
    found: set[Node] = set()
    stack = [each]
    while stack:
        root = scheduler.buffers.root(stack.pop())
        stack += scheduler.shared.get(root, ())
        found.add(root)
    return found


def _copied(each: Expression) -> Expression:
    source = Source(f"{each.source.within(ATOM)}.copy()")
    return Expression(each.node, source, each.operands, known=True)


def together(pairs: Iterable[tuple[str, Expression]]) -> list[Statement]:
    """Assignments that read what the names stood for before, one by one where that is possible."""
    left = {name: each for name, each in pairs if each.source.text != name}
    read = {name: set(_IDENTIFIER.findall(each.source.text)) for name, each in left.items()}
    readers = Counter(
        name for by, names in read.items() for name in names if name in left and name != by
    )
    out: list[Statement] = []
    ready = [name for name in left if not readers[name]]
    for name in ready:  # grows
        each = left.pop(name)
        out.append(Assign(name, each, None, each.node))
        for other in read[name]:
            if other in left:
                readers[other] -= 1
                if not readers[other]:
                    ready.append(other)
    if left:
        values = tuple(left.values())
        text = ", ".join(each.source.text for each in values)
        out.append(Assign(", ".join(left), Expression(values[0].node, Source(text), values)))
    return out


# ---------------------------------------------------------------------------- loops


class _Loop:
    """One loop on its way into statements."""

    def __init__(self, outer: Scheduler, each: Node, items: Mapping[int, Node]) -> None:
        self.outer = outer
        self.each = each
        self.items = items
        self.body: Graph = each.param("body")
        self.level: int | None = each.param("level")
        self.index = self.body.inputs[0]
        self.operands = divided(each, each.args)
        self.inputs = divided(each, (*self.operands.trips, *self.body.inputs[1:]))
        self.named: dict[Node, str] = {}
        self.taken: set[str] = set()  # names of this loop's
        self.counter = ""

    def emit(self) -> None:
        outer = self.outer
        settled = [outer.settle(arg) for arg in self.operands.invariant]
        for own, value in zip(self.inputs.invariant, settled, strict=True):
            self.named[own] = value.source.text
        self.rows = [_whole(outer, arg) for arg in self.operands.scanned]
        self.count = [outer.take(arg).expression for arg in self.operands.trips if not self.rows]
        self._choose_popped()
        self._choose_sinks()
        self._choose_slots()
        self._schedule_body()
        self._share()
        clause = self._clause()
        outer.buffers.consume([*settled, *self.rows, *self.count])
        outer.statements += self._before()
        if clause.body:  # else each trip hands on what it is given
            counter = None if self.level is None else (self.level, self.named[self.index])
            outer.statements.append(Compound((clause,), repeats=True, counter=counter))
            outer.statements += self._finished(clause)
        outer.statements += self._after()

    # ------------------------------------------------------------------ variables

    def _name(self, stem: str) -> str:
        name = self.outer.names.again(
            stem, lambda name: name not in self.taken and self.outer.is_free(name)
        )
        self.taken.add(name)
        return name

    def _choose_sinks(self) -> None:
        """What the loop collects, and whether in lists or in arrays."""
        self.lists: list[_Sink] = []
        self.arrays: list[_Sink] = []
        carried, names = self.each.param("carried"), self.outer.names
        for place, item in sorted(self.items.items()):
            if carried <= place < len(self.body.outputs):
                value = self.body.outputs[place]
                stem = names.stem(item) or _plural(_stem(self.body, value) or value.op.name)
                sinks = self.lists if _is_list(self.outer, item, value) else self.arrays
                sinks.append(_Sink(value, item, self._name(stem)))

    def _choose_popped(self) -> None:
        """The lists that are emptied while they are read, from the end."""
        self.popped: dict[str, Input] = {}
        if self.each.param("reverse"):
            rows = zip(self.operands.scanned, self.rows, self.inputs.scanned, strict=True)
            self.popped = {
                value.source.text: own
                for arg, value, own in rows
                if arg.op.name == "item"  # not a list of the caller's, nor one that is written out
                and arg in self.outer.listed
                and own.type.shape
                and self.outer.uses[arg] == 1
            }

    def _choose_slots(self) -> None:
        """The variables of what is carried, each under the name of its first value if that ends."""
        outer = self.outer
        self.first: dict[Node, _First] = {}
        for own, arg in zip(self.inputs.carried, self.operands.carried, strict=True):
            alone = outer.buffers.changeable(arg, ())
            value = _whole(outer, arg)
            self.first[own] = _First(arg, value, _is_fresh(arg, value), alone)
        outer.buffers.consume([each.expression for each in self.first.values()])
        self.slots = []
        for place, own in enumerate(self.inputs.carried):
            last, item = self.body.outputs[place], self.items.get(place)
            stems = [_stem(self.body, own), outer.names.stem(item) if item else ""]
            stems += [_stem(self.body, last), outer.names.stem(self.operands.carried[place])]
            name = self._name(next(filter(None, stems), "state"))
            self.slots.append(_Slot(name, own, last, item))
            self.named[own] = name
        self._name_rows()
        trips = self.items.get(len(self.body.outputs))
        if self.each.param("test") is None:
            self.named[self.index] = self._name(_stem(self.body, self.index) or "i")
        elif trips is not None or self.index in self.body.nodes():
            stem = outer.names.stem(trips) if trips else ""
            self.counter = self._name(stem or _stem(self.body, self.index) or "trips")
            self.named[self.index] = self.counter
        self._hold(trips)

    def _name_rows(self) -> None:
        """Names for rows, one for those that are parts of the same trees."""
        self.trees: dict[str, str] = {}  # what is iterated over, and what each of it is called
        for own, arg, value in zip(
            self.inputs.scanned, self.operands.scanned, self.rows, strict=True
        ):
            text, field = value.source.text, self.outer.fields.get(arg, "")
            if field and text not in self.trees:
                self.trees[text] = self._name(_singular(text))
            whole = self.trees[text] if field else ""
            self.named[own] = f"{whole}{field}" or self._name(
                _stem(self.body, own) or _singular(text)
            )

    def _hold(self, trips: Node | None) -> None:
        """Have the names stand for the results."""
        found = [(each.item, each.name) for each in self.slots]
        found += [(each.item, each.name) for each in (*self.lists, *self.arrays)]
        for item, name in [*found, (trips, self.counter)]:
            if item is not None:
                self.outer.hold(item, name)
        for each in self.lists:
            picks = self.outer.picks().get(each.item, {})
            self.outer.named.update((pick, f"{each.name}[{at}]") for pick, at in picks.items())
            if picks and self.outer.outer is None:
                self.outer.complete[each.name] = each.item.type.shape[0]

    # ------------------------------------------------------------------ the body

    def _schedule_body(self) -> None:
        body, sinks = self.body, (*self.lists, *self.arrays)
        outputs = (*(each.last for each in self.slots), *(each.value for each in sinks))
        graph = Graph(body.name, body.inputs, outputs, (), body.notes)
        self.inner = inner = self.outer.inside(graph, self.named)
        for own in (self.index, *self.inputs.carried, *self.inputs.scanned):
            if own in self.named:
                inner.holders[self.named[own]] = own
        inner.reserved.update(self.trees.values())
        for slot in self.slots:
            if not isinstance(slot.last, (Input, Const)):
                inner.targets.setdefault(slot.last, slot.name)
        inner.reserved |= {each.name for each in sinks} | {self.counter}
        for each in self.lists:
            inner.appends.setdefault(each.value, []).append(each.name)
        if self.arrays or self.level is not None:  # extents are told from it too
            inner.reserved.add(self.named[self.index])
        for each in self.arrays:
            inner.stores.setdefault(each.value, []).append((each.name, self._place()))
        for arg, own in zip(self.operands.scanned, self.inputs.scanned, strict=True):
            if arg in self.outer.plain:
                for number in body.nodes():
                    if own in number.args:
                        inner.hold(number, self.named[own])
        for name, own in self.popped.items():
            taken = Expression(own, Source(f"{name}.pop()"), known=True)
            inner.statements.append(Assign(self.named[own], taken))
        inner.compute(self.inputs.carried)
        self._end()

    def _place(self) -> str:
        """The number of a row, told from the index."""
        start, step = self.each.param("start"), self.each.param("step")
        source = self.named[self.index]
        if start:
            source = f"{source} {'-' if start > 0 else '+'} {abs(start)}"
        if step != 1:
            source = f"({source}) // {step}" if start else f"{source} // {step}"
        return source

    def _end(self) -> None:
        """Give the variables their next values: arrays of their own where they change in place."""
        inner, buffers = self.inner, self.inner.buffers
        slots: dict[Node, _Slot] = {each.first: each for each in self.slots}
        changed = [each for each in slots if each.type.shape and not buffers.holds(each)]
        for each in changed:  # grows, by what is handed on to these
            root = buffers.root(slots[each].last)
            if root in slots and root not in changed:
                changed.append(root)
        self.changed = changed
        appended = {buffers.root(each.value) for each in self.lists} | buffers.lasting
        claimed: set[Node] = set()
        values: dict[Node, Expression] = {}
        self.direct: dict[Node, set[Node]] = {}  # whose arrays the next values may be in
        self.own: set[Node] = set()
        for each in sorted(slots, key=lambda each: each not in changed):
            last = slots[each].last
            value = _whole(inner, last)
            root = buffers.root(last)
            fresh = _is_fresh(last, value)
            own = fresh or (buffers.holds(last) and not is_view(last))
            again = not fresh and root in claimed
            if each in changed and not fresh:
                again |= not own or root in appended
                claimed.add(root)
            if again:
                value, own, fresh = _copied(value), True, True
            values[each] = value
            self.direct[each] = set() if fresh else _origins(inner, last)
            if own:
                self.own.add(each)
        inner.statements += together((each.name, values[each.first]) for each in self.slots)
        if self.counter:
            one = Expression(constant(1, INDEX), Source("1"), known=True)
            inner.statements.append(Update(self.counter, "", "+=", one))

    # ------------------------------------------------------------------ what may be shared

    def _share(self) -> None:
        """Which results are arrays of their own, and which operands others may be."""
        buffers = self.outer.buffers
        inputs = self.body.inputs[1:]
        operands: dict[Node, Node] = dict(
            zip(inputs, self.each.args[len(self.operands.trips) :], strict=True)
        )
        lists = [_origins(self.inner, each.value) for each in self.lists]
        # a list in a list holds what is inside of it
        listed = self._ever(self.inner.buffers.lasting.union(*lists))
        kept = {operands[each] for each in listed if each in operands}
        self.copied = [each for each in self.changed if not self._is_own(each)]
        for each in self.changed:
            if self.first[each].alone:
                buffers.part_with(self.first[each].operand)
        for slot in self.slots:
            if slot.item is None or not slot.item.type.shape:
                continue
            found = self._at_last(slot.first)
            passed = [each for each in found if each in operands]
            others = (self.direct[each.first] for each in self.slots if each is not slot)
            alone = slot.first in self.own and listed.isdisjoint(self._ever(found))
            alone &= all(each.isdisjoint(self.direct[slot.first]) for each in others)
            if alone and all(each in self.first and self._yields(each, kept) for each in passed):
                buffers.hold(slot.item)
            else:
                self.outer.shared[slot.item] = tuple([operands[each] for each in passed])
                kept.update(operands[each] for each in passed)
        roots = Counter(self.inner.buffers.root(each.value) for each in self.lists)
        for sink in self.lists:
            if sink.value in self.inner.listed:
                self.outer.nested[sink.item] = 1 + self.inner.nested.get(sink.value, 1)
            if not self._is_new(sink.value) or roots[sink.value] > 1:
                self.outer.shared[sink.item] = ()
        for each in kept:
            buffers.keep(each)

    def _is_new(self, value: Node) -> bool:
        """Whether a value of the body is an array that no trip before or after has."""
        if value.op.name == "item":
            return self.inner.buffers.holds(value)
        return allocates(value) and not isinstance(value, (Input, Const))

    def _is_own(self, each: Node) -> bool:
        return self.first[each].fresh or self.first[each].alone

    def _yields(self, each: Node, kept: Collection[Node]) -> bool:
        """Whether the first value of a variable is an array that is the loop's own."""
        if each in self.changed:
            return True
        first = self.first[each]
        if first.operand in kept or not self._is_own(each):
            return False
        if first.alone:
            self.outer.buffers.part_with(first.operand)
        return True

    def _at_last(self, own: Node) -> set[Node]:
        """Whose arrays a variable may be in after the last trip."""
        trips = self.each.param("trips")
        steps = len(self.slots) + 1  # further back there are only variables that go round
        found: set[Node] = {own}
        seen: set[Node] = set()
        for _ in range(steps if trips is None else min(trips, steps)):
            if trips is None:  # there may be none, or any number
                seen |= found
            found = set().union(*(self.direct.get(each, {each}) for each in found))
        return seen | (found if found.isdisjoint(self.direct) else self._ever(found))

    def _ever(self, found: set[Node]) -> set[Node]:
        """The same, with what variables were in the trips before."""
        stack = list(found)
        while stack:
            new = self.direct.get(stack.pop(), set()) - found
            found = found | new
            stack += new
        return found

    # ------------------------------------------------------------------ statements

    def _before(self) -> Iterable[Statement]:
        firsts = []
        for slot in self.slots:
            value = self.first[slot.first].expression
            firsts.append((slot.name, _copied(value) if slot.first in self.copied else value))
        yield from together(firsts)
        for each in self.lists:
            yield Assign(each.name, Expression(each.item, Source("[]"), known=True))
        for each in self.arrays:
            made = Expression(each.item, Source(_empty(each.item)), known=True)
            yield Assign(each.name, made, None, each.item)
        if self.counter:
            yield Assign(self.counter, Expression(constant(0, INDEX), Source("0"), known=True))

    def _finished(self, clause: Clause) -> Iterable[Statement]:
        """Large arrays go that this loop reads last, and with them the row that is a view."""
        outer, names, size = self.outer, list[str](), 0
        changed = {name for each in clause.body for name in bound(each)}
        for own, arg, each in zip(
            self.inputs.scanned, self.operands.scanned, self.rows, strict=True
        ):
            name, row = each.source.text, self.named[own]
            local = arg.op.name == "item" and outer.holders.get(name) is arg
            if local and arg not in outer.listed and outer.is_free(name):
                names += [name] if row in changed else [name, row]
                size += size_of(arg)
        if size >= MANY:
            yield Delete(tuple(names))

    def _clause(self) -> Clause:
        body = tuple(self.inner.statements)
        if self.each.param("test") is None:
            return Clause(self._header(), body)
        statements, test = self._test()
        if not statements:
            return Clause(f"while {test.source.text}:", body)
        return Clause("while True:", (*statements, Stop(test), *body))

    def _test(self) -> tuple[list[Statement], Expression]:
        """What is computed before each trip, and whether there is one."""
        test: Graph = self.each.param("test")
        same = dict(zip(test.inputs, (*self.inputs.invariant, *self.inputs.carried), strict=True))
        asked = truth(test.outputs[0])
        graph = Graph(test.name, test.inputs, (asked,), (), test.notes)
        inner = self.outer.inside(graph, {own: self.named[each] for own, each in same.items()})
        inner.reserved = self.taken
        inner.depth += 1  # a comparison of what a line may hold
        inner.compute()
        return inner.statements, inner.take(asked).expression

    def _header(self) -> str:
        backwards = self.each.param("reverse")
        iterated: dict[str, str] = {}  # what rows, or trees that they are parts of, are called
        for own, arg, each in zip(
            self.inputs.scanned, self.operands.scanned, self.rows, strict=True
        ):
            text = each.source.text
            if text not in self.popped:
                over = _iterated(self.outer, arg, each.source, backwards)
                name = self.trees[text] if self.outer.fields.get(arg) else self.named[own]
                iterated[name] = over
        rows, names = list(iterated.values()), ", ".join(iterated)
        several = f"zip({', '.join(rows)})" if len(rows) > 1 else "".join(rows)
        index = self.named[self.index]
        if not self.arrays and self.index not in self.inner.uses and self.level is None:
            if not rows and self.popped and self.each.param("trips") is None:
                return f"while {next(iter(self.popped))}:"
            return f"for {names} in {several}:" if rows else f"for _ in {self._range(False)}:"
        if not rows:
            return f"for {index} in {self._range(backwards)}:"
        counted = (self.each.param("start"), self.each.param("step"), backwards) == (0, 1, False)
        if counted:
            names = f"({names})" if len(rows) > 1 else names
            return f"for {index}, {names} in enumerate({several}):"
        return f"for {index}, {names} in zip({', '.join([self._range(backwards), *rows])}):"

    def _range(self, backwards: bool) -> str:
        start, step, trips = map(self.each.param, ("start", "step", "trips"))
        if trips is not None:
            stop = str(start + step * trips)
        else:
            every = f"len({self.rows[0].source.text})" if self.rows else ""
            count = self.count[0].source if self.count else Source(every)
            stop = count.text if step == 1 else f"{step} * {count.within(PRODUCT + 1)}"
            stop = f"{start} + {stop}" if start else stop
        ends = [str(start), stop, str(step)] if step != 1 else [str(start), stop]
        text = f"range({', '.join(ends if len(ends) > 2 or start else ends[1:])})"
        return f"reversed({text})" if backwards else text

    def _after(self) -> Iterable[Statement]:
        for each in self.lists:
            text = f"{each.name}[::-1]" if self.each.param("reverse") else each.name
            if each.value.type.weak and each.item not in self.outer.plain:
                text = f"np.array({text})"
            if text != each.name:
                yield Assign(each.name, Expression(each.item, Source(text), known=True))


def _plural(name: str) -> str:
    """What several of these are called."""
    if len(name) > 2 and name[-1] == "y" and name[-2] not in "aeiou_":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) and len(name) > 1 else f"{name}s"


def _singular(text: str) -> str:
    """What one of several is called."""
    (*_, last) = _IDENTIFIER.findall(text) or [""]
    if last.endswith("ies"):
        return f"{last[:-3]}y"
    return last[:-1] if last.endswith("s") and len(last) > 1 else "row"


def _stem(graph: Graph, each: Node) -> str:
    """What a value inside is called."""
    note = graph.notes.get(each)
    if note is None or not note.name:
        return each.name if isinstance(each, Input) else ""
    return f"{note.name}_{note.suffix}" if note.suffix else note.name


def _is_list(outer: Scheduler, item: Node, value: Node) -> bool:
    """Whether to collect values in a list: of what only loops read, row by row."""
    readers = outer.scans().get(item, ())
    picks = outer.picks().get(item, {})
    only = len(readers) + len(picks) == outer.uses[item]
    numbers = all(_is_number(body, row) for body, row in readers)
    if only and not picks and value.type.weak and numbers:
        outer.plain.add(item)
    small = size_of(value) < ROOMY or bool(picks)  # these need no array at all
    number = value.type.weak and (item not in outer.plain or bool(picks))
    in_lists = len(outer.appends.get(item, ()))  # of a loop around
    if is_open(item.type.shape) and len(readers) + in_lists < outer.uses[item]:
        raise ValueError("what a loop collects is no array: its rows are not of one length")
    ragged = UNKNOWN in item.type.shape or is_open(item.type.shape)
    if ragged or (only and small and not number):
        outer.listed.add(item)
    return item in outer.listed


def _is_number(body: Graph, row: Input) -> bool:
    """Whether a body reads a row as a Python number only."""
    readers = [each for each in body.nodes() if row in each.args]
    return row not in body.outputs and all(_as_number(each, row) for each in readers)


def _as_number(each: Node, row: Node) -> bool:
    """Whether a node is the Python number that a row is."""
    return each.op is e.convert and each.type.weak and each.type.python is row.type.python


def _iterated(outer: Scheduler, each: Node, source: Source, backwards: bool) -> str:
    """What a loop runs over."""
    listed = each in outer.listed or UNKNOWN in each.type.shape
    if listed and source.text.endswith(BACKWARDS):
        source = source._replace(text=source.text.removesuffix(BACKWARDS))
        backwards = not backwards
    if not backwards:
        return source.text
    return f"reversed({source.text})" if listed else f"{source.within(ATOM)}{BACKWARDS}"


def _empty(item: Node) -> str:
    shape = item.type.shape[0] if item.type.ndim == 1 else item.type.shape
    dtype = "" if item.type.dtype == np.float64 else f", dtype={dtype_source(item.type.dtype)}"
    return f"np.empty({shape}{dtype})"


# ---------------------------------------------------------------------------- branches


class _Side(NamedTuple):
    """A side of a branch, scheduled: whose arrays its results may be in, which are its own."""

    statements: tuple[Statement, ...]
    direct: list[set[Node]]
    own: list[bool]
    inputs: Mapping[Node, Node]  # what operand each input stands for
    changed: list[Node]  # operands that are other arrays now


class _Branch:
    """One branch on its way into statements."""

    def __init__(self, outer: Scheduler, each: Node, items: Mapping[int, Node]) -> None:
        self.outer = outer
        asked, *self.operands = each.args
        self.asked = truth(asked)
        self.items = sorted(items.items())
        self.branches: tuple[Graph, Graph] = each.param("branches")

    def emit(self) -> None:
        outer = self.outer
        taken = outer.take(self.asked).expression
        settled = [outer.settle(arg) for arg in self.operands]
        alone = {arg for arg in self.operands if outer.buffers.changeable(arg, ())}
        outer.buffers.consume([taken, *settled])
        self.names = self._choose_names()
        sides = [self._side(branch, alone) for branch in self.branches]
        self._share(sides, alone)
        for (_, item), name in zip(self.items, self.names, strict=True):
            outer.hold(item, name)
        then, other = (each.statements for each in sides)
        text = taken.source.text
        if not then and not other:
            return
        if not then:
            then, other, text = other, (), f"not {text}"
        outer.statements.append(Compound((Clause(f"if {text}:", then), *_otherwise(other))))

    def _choose_names(self) -> list[str]:
        """The variables of the results: those of operands where one side changes nothing."""
        outer = self.outer
        names: list[str] = []

        def is_free(name: str) -> bool:
            return name not in names and outer.is_free(name)

        for place, item in self.items:
            lasts = [branch.outputs[place] for branch in self.branches]
            passed = [
                outer.named[self.operands[branch.inputs.index(last)]]
                for branch, last in zip(self.branches, lasts, strict=True)
                if isinstance(last, Input)
            ]
            same = next((name for name in passed if name.isidentifier() and is_free(name)), None)
            stems = [outer.names.stem(item), *map(_stem, self.branches, lasts)]
            stem = next(filter(None, stems), "value")
            names.append(same or outer.names.again(stem, is_free))
        return names

    def _side(self, branch: Graph, alone: Collection[Node]) -> _Side:
        outer = self.outer
        operands: dict[Node, Node] = dict(zip(branch.inputs, self.operands, strict=True))
        lasts = [branch.outputs[place] for place, _ in self.items]
        graph = Graph(branch.name, branch.inputs, tuple(lasts), (), branch.notes)
        named = {own: outer.named[arg] for own, arg in operands.items()}
        inner = outer.inside(graph, named)
        inner.holders.update((name, own) for own, name in named.items() if outer.is_free(name))
        for last, name in zip(lasts, self.names, strict=True):
            if not isinstance(last, (Input, Const)):
                inner.targets.setdefault(last, name)
        free = [own for own, arg in operands.items() if arg in alone]
        inner.compute(free)
        values = [_whole(inner, last) for last in lasts]
        fresh = list(map(_is_fresh, lasts, values))
        lasting = inner.buffers.lasting
        for each in operands.keys() & lasting:
            outer.buffers.keep(operands[each])
        own = [
            new or (inner.buffers.holds(last) and not is_view(last) and last not in lasting)
            for new, last in zip(fresh, lasts, strict=True)
        ]
        direct = [
            set() if new else _origins(inner, last) for new, last in zip(fresh, lasts, strict=True)
        ]
        statements = (*inner.statements, *together(zip(self.names, values, strict=True)))
        changed = [operands[each] for each in free if not inner.buffers.holds(each)]
        return _Side(statements, direct, own, operands, changed)

    def _share(self, sides: Sequence[_Side], alone: Collection[Node]) -> None:
        """Which results are arrays of their own, and which operands others may be."""
        buffers = self.outer.buffers
        for each in (*sides[0].changed, *sides[1].changed):
            buffers.part_with(each)
        for k, (_, item) in enumerate(self.items):
            if not item.type.shape:
                continue
            new = all(side.own[k] and _is_apart(k, side.direct) for side in sides)
            passed = [
                side.inputs[own] for side in sides for own in side.direct[k] if own in side.inputs
            ]
            if new and all(each in alone for each in passed):
                for each in passed:
                    buffers.part_with(each)
                buffers.hold(item)
            else:
                self.outer.shared[item] = tuple(passed)
                for each in passed:
                    buffers.keep(each)


def _is_apart(place: int, direct: Sequence[set[Node]]) -> bool:
    return all(direct[place].isdisjoint(each) for i, each in enumerate(direct) if i != place)


def _otherwise(statements: tuple[Statement, ...]) -> Sequence[Clause]:
    """The other side: further conditions, where it is nothing but a branch."""
    if not statements:
        return ()
    (first, *more) = statements
    if not more and isinstance(first, Compound) and first.clauses[0].header.startswith("if "):
        header = f"el{first.clauses[0].header}"
        return (Clause(header, first.clauses[0].body), *first.clauses[1:])
    return (Clause("else:", statements),)
