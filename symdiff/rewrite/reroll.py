"""reroll: repeated stretches of a flat trace, found again as loops.

A Python loop over tracers leaves one copy of its body per trip. Two trips are the same up to what
each argument is: a value of the same trip, of an earlier one (carried), the same value outside
(invariant), or other values outside (scanned); integers of indices may grow by a step. What fits
becomes one `loop` node, of the same operations on the same values: the same bits. Everything is
linear in the number of nodes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.graph import Graph, Note, users
from symdiff.ir.node import Const, Input, Node, constant, input_node, node
from symdiff.ir.types import TUPLE, array_type
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive

TRIPS = 4  # fewer are as well read one after the other
SAVED = 64  # nodes below which a loop is not worth it
BACK = 4  # trips that a value may be handed over
SHIFTS = 64  # places in a period at which a trip may begin
PASSES = 3  # loops of loops
_PARTS = 8  # of an array: more are written as a list of rows
VAIN = 4  # loops in a stretch that were not worth it, after which it is left alone

_INDEXED = (shaping.getitem, shaping.index_set, shaping.index_add)


def reroll(graph: Graph) -> tuple[Graph, dict[Node, Node]]:
    """The graph with loops for what repeats, and what became of each node that changed."""
    changed: dict[Node, Node] = {}
    for _ in range(PASSES):
        found = _Roller(graph).run()
        if not found:
            break
        graph = _changed(graph, found, changed)
    found = _joined(graph)
    if found:
        graph = _changed(graph, found, changed)
    return graph, changed


def _changed(graph: Graph, found: dict[Node, Node], changed: dict[Node, Node]) -> Graph:
    """The graph with other nodes in the place of some; `changed` follows what became of each."""
    graph, new = _replaced(graph, found)
    changed.update({before: new.get(after, after) for before, after in changed.items()})
    changed.update({before: after for before, after in new.items() if before is not after})
    return graph


def _joined(graph: Graph) -> dict[Node, Node]:
    """For an array made of a list, with the rows of another in it, that one and what is beside it.

    Such lists are what loops have appended to.
    """
    found = {}
    for each in graph.nodes():
        if each.op is shaping.stack and not each.param("axis"):
            pairs = list(_parts(each.args))
            if len(pairs) > _PARTS or not any(known for known, _ in pairs):
                continue
            parts = tuple([part for _, part in pairs])
            if len(parts) > 1:
                found[each] = node(shaping.concatenate, parts, (("axis", 0),))
            elif parts[0].type == each.type:
                found[each] = parts[0]
    return found


def _parts(values: Sequence[Node]) -> Iterator[tuple[bool, Node]]:
    """Arrays that hold these as rows, and whether they are rows of one that was there before."""
    arrays = [each.args[0] if each.op is shaping.getitem else None for each in values]
    begin = 0
    for end in range(1, len(values) + 1):
        if end < len(values) and arrays[end] is arrays[begin]:
            continue
        several = values[begin:end]
        whole = control.whole_of(several) if end - begin >= TRIPS else None
        begin = end
        if whole is not None:
            yield True, whole
        elif len(several) == 1:
            yield False, node(shaping.getitem, (several[0],), (("index", (None,)),))
        else:
            yield False, node(shaping.stack, tuple(several), (("axis", 0),))


class _Stretch(NamedTuple):
    """Equal labels, `period` apart: the nodes from `first` to before `end`."""

    first: int
    end: int
    period: int


class _Argument(NamedTuple):
    """What an argument of a node of the body is in each trip.

    Kind "inside" has the offset of a node of the same trip; "carried" that of one so many trips
    back, and the values before the first trip; "same" one value; "rows" a value for each trip.
    """

    kind: str
    offset: int = 0
    back: int = 0
    values: tuple[Node, ...] = ()


class _Loop(NamedTuple):
    """A stretch that is a loop: its first node, number of trips, and its arguments by offset."""

    first: int
    period: int
    trips: int
    arguments: tuple[tuple[_Argument, ...], ...]
    steps: dict[int, tuple[tuple[int, int, int], ...]]  # offset: entry of the index, first, step


class _Roller:
    """One pass over a graph: loops that do not overlap."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        every = graph.nodes()
        self.nodes = [each for each in every if each.args and each not in graph.effects]
        self.place = {each: i for i, each in enumerate(self.nodes)}
        self.readers = users(every)
        known: dict[Hashable, int] = {}
        self.labels = [known.setdefault(_label(each), len(known)) for each in self.nodes]
        self.results = {*graph.outputs, *graph.effects}
        self.taken = bytearray(len(self.nodes))  # by a loop that was found

    def run(self) -> dict[Node, Node]:
        """What stands for each value that is read outside of a loop that was found."""
        new: dict[Node, Node] = {}
        for stretch in self._stretches():
            first, vain = stretch.first, 0
            while vain < VAIN and (found := self._fit(first, stretch)) is not None:
                first = found.first + found.period * found.trips
                made = _Builder(self, found).run() if self._worthwhile(found) else None
                vain += made is None
                if made is not None:
                    new |= made
                    self.taken[found.first : first] = b"\1" * (first - found.first)
        return new

    # ------------------------------------------------------------------ periods

    def _stretches(self) -> Iterator[_Stretch]:
        """Stretches that repeat, those of the shortest period first."""
        last: dict[tuple[int, int], int] = {}
        by_distance: dict[int, list[int]] = {}
        for place, pair in enumerate(zip(self.labels, self.labels[1:], strict=False)):
            if pair in last:
                by_distance.setdefault(place - last[pair], []).append(place)
            last[pair] = place
        for distance in sorted(by_distance):
            end = 0
            for place in by_distance[distance]:
                if place < end:
                    continue
                first, end = self._extended(place, distance)
                if end - first >= max(SAVED, (TRIPS - 1) * distance):
                    yield _Stretch(first - distance, end, distance)

    def _extended(self, place: int, distance: int) -> tuple[int, int]:
        labels = self.labels
        first = end = place
        while first > distance and labels[first - 1] == labels[first - 1 - distance]:
            first -= 1
        while end < len(labels) and labels[end] == labels[end - distance]:
            end += 1
        return first, end

    # ------------------------------------------------------------------ trips

    def _fit(self, first: int, stretch: _Stretch) -> _Loop | None:
        """The first loop in a stretch from a place on."""
        period = stretch.period
        for start in self._beginnings(first, stretch):
            trips = (stretch.end - start) // period
            if any(self.taken[start : start + period * trips]):
                continue
            found = self._loop(start, period, trips)
            if found is not None:
                return found
        return None

    def _beginnings(self, first: int, stretch: _Stretch) -> list[int]:
        """Where trips may begin: where the user's code jumps back, or else little is handed over.

        The first trips tell how much that is.
        """
        end = min(first + 2 * stretch.period, first + SHIFTS, stretch.end)
        jumps = [place for place in range(first, end) if self._jumps_back(place)]
        for places in (jumps, range(first, end)):
            ranked = [
                (handed, place)
                for place in places
                if (handed := self._handed_over(place, stretch)) is not None
            ]
            if ranked:
                break
        return [place for _, place in sorted(ranked)]

    def _handed_over(self, place: int, stretch: _Stretch) -> int | None:
        """How many values go from trip to trip where these begin at a place; None: no loop."""
        trips = min((stretch.end - place) // stretch.period, TRIPS + 2)
        found = self._loop(place, stretch.period, trips) if trips >= TRIPS else None
        if found is None:
            return None
        arguments = [each for row in found.arguments for each in row if each.kind == "carried"]
        return len({(each.offset, each.back) for each in arguments})

    def _jumps_back(self, place: int) -> bool:
        if not place:
            return False
        here, before = (self._line(self.nodes[each]) for each in (place, place - 1))
        return here is not None and before is not None and here[0] == before[0] and here < before

    def _line(self, each: Node) -> tuple[str, int] | None:
        note = self.graph.notes.get(each)
        return (note.position.file, note.position.line) if note and note.position else None

    def _loop(self, first: int, period: int, trips: int) -> _Loop | None:
        """The loop of as many trips as are alike, if there are enough."""
        for each in range(first, first + period):
            if self.nodes[each].type == TUPLE or _is_called(self.nodes[each]):
                return None
        arguments = []
        steps = {}
        for offset in range(period):
            column = self.nodes[first + offset : first + period * trips : period]
            grown = _steps(column)
            trips = min(trips, grown[1])
            if trips < TRIPS:
                return None
            if grown[0]:
                steps[offset] = grown[0]
            row = []
            for number in range(len(column[0].args)):
                argument, trips = self._argument(column[:trips], number, first, period)
                if argument is None or trips < TRIPS:
                    return None
                row.append(argument)
            arguments.append(tuple(row))
        cut = tuple(
            tuple([each._replace(values=each.values[:trips]) for each in row]) for row in arguments
        )
        return _Loop(first, period, trips, cut, steps)

    def _argument(
        self, column: Sequence[Node], number: int, first: int, period: int
    ) -> tuple[_Argument | None, int]:
        """What an argument is, and for how many trips it is just that."""
        where = [self._where(each.args[number], first, period) for each in column]
        back = next((i for i, each in enumerate(where) if each is not None), len(where))
        if back == len(where):  # outside in each trip
            values = tuple([each.args[number] for each in column])
            alike = _first_unlike([value.type for value in values])
            kind = "same" if len(set(values)) == 1 else "rows"
            return _Argument(kind, values=values[:1] if kind == "same" else values), alike
        trip, offset = where[back]  # type: ignore[misc]
        away = back - trip
        expected = [None] * back + [(i - away, offset) for i in range(back, len(where))]
        alike = next(
            (i for i, pair in enumerate(zip(where, expected, strict=True)) if pair[0] != pair[1]),
            len(where),
        )
        if away == 0 and back == 0:
            return _Argument("inside", offset), alike
        if away != back or away > BACK:
            return None, 0
        values = tuple([each.args[number] for each in column[:back]])
        own = self.nodes[first + offset].type
        if any(value.type != own for value in values):
            return None, 0
        return _Argument("carried", offset, away, values), alike

    def _where(self, each: Node, first: int, period: int) -> tuple[int, int] | None:
        """The trip and the offset of a node of the loop, None of one before it."""
        place = self.place.get(each, -1)
        return divmod(place - first, period) if place >= first else None

    def _worthwhile(self, found: _Loop) -> bool:
        saved = (found.trips - 1) * found.period - len(list(self.read_outside(found)))
        return saved >= SAVED

    def read_outside(self, found: _Loop) -> Iterator[tuple[int, int]]:
        """The trip and the offset of each value that is read outside of the loop."""
        size = found.period * found.trips
        inside = range(found.first, found.first + size)
        for place in inside:
            each = self.nodes[place]
            read = each in self.results or any(
                self.place.get(reader, -1) not in inside for reader in self.readers.get(each, ())
            )
            if read:
                yield divmod(place - found.first, found.period)


def _first_unlike(values: Sequence[Any]) -> int:
    return next((i for i, each in enumerate(values) if each != values[0]), len(values))


def _is_called(each: Node) -> bool:
    """Whether the user's own function computes the node: how often it is called is its matter."""
    return isinstance(each.op, Primitive) and (each.op.foreign or each.op.control)


def _label(each: Node) -> Hashable:
    """What two nodes at the same place of two trips have in common."""
    params: Hashable = each.params
    if each.op in _INDEXED:
        params = tuple([(name, _without_integers(value)) for name, value in each.params])
    return each.op, len(each.args), params, each.type


def _without_integers(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return tuple(["integer" if type(entry) is int else entry for entry in value])


def _steps(column: Sequence[Node]) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """How the integers of an index grow from trip to trip, and for how many trips they do."""
    if column[0].op not in _INDEXED:
        return (), len(column)
    indices = [each.param("index") for each in column]
    grown = []
    alike = len(column)
    for entry, start in enumerate(indices[0]):
        if type(start) is not int:
            continue
        step = indices[1][entry] - start
        if step:
            grown.append((entry, start, step))
        alike = next(
            (i for i, each in enumerate(indices[:alike]) if each[entry] != start + i * step), alike
        )
    return tuple(grown), alike


# ---------------------------------------------------------------------------- building


class _Builder:
    """Makes the loop node that stands for a stretch."""

    def __init__(self, roller: _Roller, found: _Loop) -> None:
        self.roller = roller
        self.found = found
        self.index = input_node("i", control.INDEX)
        self.start, self.step = self._counting()
        self.carried: dict[tuple[int, tuple[Node, ...]], Input] = {}
        self.rows: dict[tuple[Node, ...], tuple[Input, Node]] = {}
        self.made: list[Node] = []
        self.notes: dict[Node, Note] = {}

    def run(self) -> dict[Node, Node] | None:
        """What stands for each value that is read outside, or None where types do not agree."""
        found, nodes = self.found, self.roller.nodes
        for offset in range(found.period):
            before = nodes[found.first + offset]
            args = tuple([
                self._operand(each, arg)
                for each, arg in zip(found.arguments[offset], before.args, strict=True)
            ])
            made = self._applied(before, offset, args)
            if made.type != before.type:
                return None
            self.made.append(made)
            note = self.roller.graph.notes.get(nodes[found.first + found.period + offset])
            if note is not None:
                self.notes.setdefault(made, note)
        return self._closed()

    def _counting(self) -> tuple[int, int]:
        """Where the loop's index starts, and its step: as most of the integers do."""
        grown = [(step, start) for every in self.found.steps.values() for _, start, step in every]
        if not grown:
            return 0, 1
        step, start = max(dict.fromkeys(grown), key=grown.count)
        return start, step

    def _operand(self, each: _Argument, arg: Node) -> Node:
        if each.kind == "inside":
            return self.made[each.offset]
        if each.kind == "same":
            return arg
        if each.kind == "carried":
            for back in range(1, each.back + 1):
                placeholder = self._carried(each.offset, each.values[::-1][:back])
            return placeholder
        return self._row(each.values)

    def _carried(self, offset: int, firsts: tuple[Node, ...]) -> Input:
        """What stands for a value that so many trips ago was computed, or else was one of these."""
        known = self.carried.get((offset, firsts))
        if known is None:
            note = self.roller.graph.notes.get(
                self.roller.nodes[self.found.first + self.found.period + offset]
            )
            name = note.name if note is not None and not note.suffix else ""
            known = input_node(name, firsts[-1].type)
            self.carried[offset, firsts] = known
            if note is not None:
                self.notes[known] = Note(name, note.suffix, note.position, None, note.derived)
        return known

    def _row(self, values: tuple[Node, ...]) -> Node:
        """What stands for values that are others in each trip."""
        type = values[0].type
        numbers = [each.value for each in values if isinstance(each, Const) and each.uniform]
        if len(numbers) == len(values):
            return self._number(numbers, type)
        if values not in self.rows:
            stack = control.whole_of(values) or node(control.rows, values)
            note = self.roller.graph.notes.get(values[0])
            name = note.name if note is not None and not note.suffix else ""
            stem = name.rstrip("_0123456789") or "row"
            row = array_type(type.dtype, type.shape)  # of an array, whose numbers are not Python's
            self.rows[values] = (input_node(f"{stem}_k", row), stack)
        return _of_type(self.rows[values][0], type)

    def _number(self, numbers: list[Any], type: Any) -> Node:
        """One of several numbers: computed from the index where they are counted."""
        counted = self._counted(numbers)
        if counted is not None and type.dtype.kind in "if":
            params = (("dtype", type.dtype), ("weak", type.weak))
            scalar = counted if type.weak else node(e.convert, (counted,), params)
        else:
            dtype = type.dtype
            every = constant(np.array(numbers, dtype), array_type(dtype, (len(numbers),)))
            key = (every,)
            if key not in self.rows:
                self.rows[key] = (input_node("number", array_type(dtype)), every)
            scalar = self.rows[key][0]
        if not type.shape:
            return scalar
        return node(shaping.broadcast_to, (scalar,), (("shape", type.shape),))

    def _counted(self, numbers: list[Any]) -> Node | None:
        """The whole numbers start, start + step and so on, from the index."""
        if not all(np.isfinite(each) and each == int(each) for each in numbers):
            return None
        whole = [int(each) for each in numbers]
        step = whole[1] - whole[0]
        if abs(whole[0]) + len(whole) * abs(step) >= 1 << 53 or not step:
            return None
        if whole != list(range(whole[0], whole[0] + step * len(whole), step)):
            return None
        if any(each == 0 and np.signbit(each) for each in numbers):
            return None
        if self.step != step:
            return None
        return self._shifted(whole[0])

    def _shifted(self, first: int) -> Node:
        """The integer that is `first` in the first trip and grows as the index does."""
        if first == self.start:
            return self.index
        away = constant(first - self.start, control.INDEX)
        return node(e.add, (self.index, away))

    def _applied(self, before: Node, offset: int, args: tuple[Node, ...]) -> Node:
        """The node of the body, its integers that grow made operands."""
        grown = {entry: (start, step) for entry, start, step in self.found.steps.get(offset, ())}
        if not grown:
            return node(before.op, args, before.params, before.type)
        index = before.param("index")
        fixed = len(args) - sum(map(_is_operand, index))
        values, arrays = args[:fixed], list(args[fixed:])
        entries: list[Any] = []
        operands: list[Node] = []
        for i, entry in enumerate(index):
            if i in grown:
                entries.append(shaping.ARRAY)
                operands.append(self._integer(*grown[i]))
            else:
                entries.append(entry)
                if _is_operand(entry):
                    operands.append(arrays.pop(0))
        params = tuple([
            (name, tuple(entries) if name == "index" else value) for name, value in before.params
        ])
        return node(before.op, (*values, *operands), params)

    def _integer(self, start: int, step: int) -> Node:
        if step == self.step:
            return self._shifted(start)
        numbers = [start + step * i for i in range(self.found.trips)]
        every = constant(np.array(numbers), array_type(np.int64, (len(numbers),)))
        if (every,) not in self.rows:
            self.rows[every,] = (input_node("j", array_type(np.int64)), every)
        return self.rows[every,][0]

    def _closed(self) -> dict[Node, Node]:
        """The loop, and its values in the place of those of the trips."""
        found, nodes = self.found, self.roller.nodes
        carried: list[tuple[Input, Node]] = []
        outputs: list[Node] = []
        final: dict[int, int] = {}  # offset: which result is the last trip's value
        for (offset, firsts), placeholder in list(self.carried.items()):
            carried.append((placeholder, firsts[-1]))
            newer = self.carried.get((offset, firsts[:-1]))
            outputs.append(self.made[offset] if newer is None else newer)
            if newer is None:
                final.setdefault(offset, len(outputs) - 1)
        wanted = list(self.roller.read_outside(found))
        collected = {offset for trip, offset in wanted if trip < found.trips - 1}
        for _, offset in wanted:
            if offset not in final and offset not in collected:
                type = self.made[offset].type
                unread = constant(np.zeros((), type.dtype)[()], type)
                carried.append((input_node("", type), unread))
                outputs.append(self.made[offset])
                final[offset] = len(outputs) - 1
        gathered = {offset: len(outputs) + i for i, offset in enumerate(sorted(collected))}
        outputs += [self.made[offset] for offset in sorted(collected)]
        loop = control.loop_of(
            "body", self.index, carried, list(self.rows.values()), outputs,
            self.notes | self.roller.graph.notes,
            trips=found.trips, start=self.start, step=self.step,
        )
        results = control.items(loop)
        new: dict[Node, Node] = {}
        for trip, offset in wanted:
            before = nodes[found.first + trip * found.period + offset]
            if trip == found.trips - 1 and offset in final:
                new[before] = results[final[offset]]
            else:
                index = (("index", (trip,)),)
                new[before] = _of_type(
                    node(shaping.getitem, (results[gathered[offset]],), index), before.type
                )
        return new


def _of_type(value: Node, type: Any) -> Node:
    """A number from an array, a Python number again where it was one."""
    if value.type == type:
        return value
    return node(e.convert, (value,), (("dtype", type.dtype), ("weak", type.weak)))


def _is_operand(entry: Any) -> bool:
    return bool(entry == shaping.ARRAY or shaping.is_mask(entry))


def _replaced(graph: Graph, found: dict[Node, Node]) -> tuple[Graph, dict[Node, Node]]:
    """The graph with other nodes in the place of some."""
    new: dict[Node, Node] = {}
    stack = [*graph.outputs, *graph.effects]
    while stack:  # no order by creation: a loop is newer than what reads it
        each = stack[-1]
        if each in new:
            stack.pop()
            continue
        after = found.get(each, each)
        waiting = [arg for arg in after.args if arg not in new]
        if waiting:
            stack += waiting
            continue
        args = tuple([new[arg] for arg in after.args])
        same = isinstance(after, (Input, Const)) or args == after.args
        new[each] = after if same else node(after.op, args, after.params)
        stack.pop()
    notes = dict(graph.notes)
    for before, after in new.items():
        if before in notes:
            notes.setdefault(after, notes[before])
    outputs = tuple([new[each] for each in graph.outputs])
    effects = tuple([new[each] for each in graph.effects])
    return Graph(graph.name, graph.inputs, outputs, effects, notes), new
