"""Loops whose derivative keeps less than all that it reads, and computes the rest again.

A loop of many trips becomes a loop over segments. Its body is a checkpoint around a loop over the
trips of one: so what is kept of a segment is the state at its start, and when the derivative comes
to it, it goes through its trips once more. The last trips are kept as they are. Segments may have
segments of their own. Loaded where a bound is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from symdiff.autodiff.linearize import linearize
from symdiff.autodiff.transpose import transpose
from symdiff.errors import MemoryLimitError, word
from symdiff.frontend import context
from symdiff.frontend.tracer import StaticArgument, Tracer, call, inputs_of
from symdiff.ir.graph import Graph, Note, Position, bodies, depends_on, substitute
from symdiff.ir.node import Const, Input, Node, input_node, node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.rewrite import simplify

_DEPTH = 40  # segments in segments: a power of two of as many trips in one state each
_ATTEMPTS = 4  # to meet a bound where a plan takes more than was thought


class Plan(NamedTuple):
    """How the trips of a loop are gone through: in segments, each by a plan, and then the rest.

    Of the rest, and where there are no segments, all that the derivative reads is kept.
    """

    trips: int
    segments: int = 0
    each: Plan | None = None

    @property
    def rest(self) -> int:
        """The trips behind the segments."""
        return self.trips - (self.segments * self.each.trips if self.each else 0)

    def kept(self) -> int:
        """The most states that are kept at a time."""
        return self.segments + self.each.kept() if self.each else 0

    def stretch(self) -> int:
        """The most trips of which all is kept at a time."""
        return max(self.rest, self.each.stretch()) if self.each else self.trips


class Kept(NamedTuple):
    """What the derivative of a loop keeps of it, in bytes: of each trip, or of a state alone."""

    trip: float
    state: float


class Limited(NamedTuple):
    """A graph within a bound, and what its loops keep: a line for each."""

    graph: Graph
    said: tuple[tuple[Position, str], ...]


# ---------------------------------------------------------------------------- planning


def plan(trips: int, kept: Kept, bound: float) -> Plan | None:
    """How a loop stays within a bound in bytes with the fewest trips computed again, if it can."""
    depth = next((d for d in range(_DEPTH) if _reach(d, kept, bound) >= trips), None)
    return None if depth is None else _planned(trips, kept, bound, depth)


def least(trips: int, kept: Kept, depth: int = _DEPTH) -> float:
    """The smallest bound of any plan, of which trips are computed again at most `depth` times."""
    low, high = 0.0, trips * kept.trip
    for _ in range(64):
        middle = (low + high) / 2
        reached = any(_reach(d, kept, middle) >= trips for d in range(depth + 1))
        low, high = (low, middle) if reached else (middle, high)
    return high


@lru_cache(maxsize=4096)
def _reach(depth: int, kept: Kept, bound: float) -> float:
    """How many trips stay within a bound where each is computed again at most `depth` times.

    The states of the first segments take their part of it, and leave the rest to those inside.
    """
    if bound < kept.trip:
        return 0
    if not depth:
        return bound // kept.trip
    if not kept.state:
        return float("inf")
    count = max(1, round(bound / (kept.state * (depth + 1))))
    while count > 1 and not _fits(count, kept, bound):
        count -= 1
    return _reach_of(count, depth, kept, bound)


def _fits(count: int, kept: Kept, bound: float) -> bool:
    """Whether the rest of any number of trips, divided by so many segments, can be kept."""
    return (bound - count * kept.state) // kept.trip >= count - 1


def _reach_of(count: int, depth: int, kept: Kept, bound: float) -> float:
    inner = bound - count * kept.state
    return count * _reach(depth - 1, kept, inner) + max(inner, 0) // kept.trip


def _planned(trips: int, kept: Kept, bound: float, depth: int) -> Plan:
    while depth and _reach(depth - 1, kept, bound) >= trips:
        depth -= 1
    if not depth:
        return Plan(trips)
    count = 1  # the fewest segments leave the most trips that need not be computed again
    while _reach_of(count, depth, kept, bound) < trips:
        count += 1
    inner = bound - count * kept.state
    most = min(int(inner // kept.trip), trips - count)
    size = -(-(trips - most) // count)
    if size == 1 < most and trips > 2 * count:
        size = 2  # a single trip would be no loop any more
    return Plan(trips, count, _planned(size, kept, inner, depth - 1))


# ---------------------------------------------------------------------------- what is kept


def residual_bytes(graph: Graph) -> int:
    """What loops collect for other loops to read, at the most at a time."""
    last: dict[Node, Node] = {}  # where what is collected is read last
    for each in graph.nodes():
        if each.op is control.loop:
            last |= {arg: each for arg in each.args if _is_collected(arg)}
    freed: dict[Node, int] = {}
    for each, reader in last.items():
        freed[reader] = freed.get(reader, 0) + _size(each)
    now = most = 0
    for each in graph.nodes():
        now += _size(each) if each in last and each not in graph.outputs else 0
        most = max([most, *[now + residual_bytes(body) for body in bodies(each)], now])
        now -= freed.get(each, 0)
    return most


def _is_collected(each: Node) -> bool:
    if each.op is not control.item or each.args[0].op is not control.loop:
        return False
    (loop,), index = each.args, each.param("index")
    return bool(loop.param("carried") <= index < len(loop.param("body").outputs))


def _size(each: Node) -> int:
    if control.UNKNOWN in each.type.shape:  # of a number of trips that is not known
        return 0
    return each.type.size * each.type.dtype.itemsize


def _kept_by(loop: Node, moved: Collection[int], plan: Plan) -> int:
    """What the derivative of a loop keeps that goes by a plan, in bytes.

    Of its operands those at the places `moved` are differentiated.
    """
    inputs = [each if isinstance(each, Const) else input_node("", each.type) for each in loop.args]
    alone = node(loop.op, tuple(inputs), loop.params)
    outputs = [each for each in _gone_through(alone, plan, {}) if each.type.inexact]
    given = tuple([each for each in inputs if isinstance(each, Input)])
    graph = Graph("", given, tuple(outputs))
    wrt = [each for i, each in enumerate(inputs) if i in moved and isinstance(each, Input)]
    linear = linearize(graph, wrt)
    dots = [each for each in linear.outputs if each is not None]
    seeds = [input_node("", each.type) for each in dots]
    bars = transpose(dots, linear.tangents, seeds, graph.notes, linear.origins)
    derivative = Graph("", (*given, *seeds), tuple([each for each in bars if each is not None]))
    return residual_bytes(simplify(derivative, primal=set(graph.nodes()), apart=True))


# ---------------------------------------------------------------------------- loops over segments


def _gone_through(loop: Node, plan: Plan, notes: dict[Node, Note]) -> list[Node]:
    """The values of a loop, whose trips are gone through by a plan."""
    if plan.each is None:
        return control.items(loop)
    carried, backwards = loop.param("carried"), loop.param("reverse")
    split = plan.trips - plan.rest
    first, last = (plan.rest, 0) if backwards else (0, split)  # the rest comes last
    begun = _some_trips(loop, first, split)
    if plan.segments == 1:
        values = _checkpoint(begun, plan.each, notes)
    else:
        values = control.items(_over_segments(begun, plan, notes))
    if not plan.rest:
        flat = [_reshaped(each, (split, *each.type.shape[2:])) for each in values[carried:]]
        return [*values[:carried], *(flat if plan.segments > 1 else values[carried:])]
    found = control.items(_some_trips(loop, last, plan.rest, values[:carried]))
    both = []
    for one, other in zip(values[carried:], found[carried:], strict=True):
        parts = (_reshaped(one, (split, *other.type.shape[1:])), other)
        both.append(call(np.concatenate, tuple(map(Tracer, parts[::-1] if backwards else parts))))
    return [*found[:carried], *[each.node for each in both]]


def _some_trips(loop: Node, first: int, trips: int, state: Sequence[Node] = ()) -> Node:
    """The loop, from one of its trips on; it may start with another state."""
    operands = control.divided(loop, loop.args)
    start, step = loop.param("start"), loop.param("step")
    return control.loop_node(
        loop.param("body"),
        invariant=operands.invariant,
        carried=state or operands.carried,
        scanned=[Tracer(each)[first : first + trips].node for each in operands.scanned],
        trips=trips,
        start=start + step * first,
        step=step,
        reverse=loop.param("reverse"),
    )


def _over_segments(loop: Node, plan: Plan, notes: dict[Node, Note]) -> Node:
    """The loop over the segments of a loop that has no other trips."""
    assert plan.each is not None
    body, size = loop.param("body"), plan.each.trips
    operands = control.divided(loop, loop.args)
    inputs = control.divided(loop, body.inputs[1:])
    here = input_node(body.inputs[0].name, control.INDEX)
    state = [_beside(each, each.type, body.notes, notes) for each in inputs.carried]
    rows = [
        _beside(each, array_type(each.type.dtype, (size, *each.type.shape)), body.notes, notes)
        for each in inputs.scanned
    ]
    made = _checkpoint(_of_segment(loop, size, here, state, rows), plan.each, notes)
    return control.loop_of(
        body.name,
        here,
        list(zip(state, operands.carried, strict=True)),
        [(own, _reshaped(each, (plan.segments, *own.type.shape)))
         for own, each in zip(rows, operands.scanned, strict=True)],
        made,
        notes,
        trips=plan.segments,
        start=loop.param("start"),
        step=loop.param("step") * size,
        reverse=loop.param("reverse"),
    )  # fmt: skip


def _checkpoint(loop: Node, plan: Plan, notes: dict[Node, Note]) -> list[Node]:
    """The values of a loop that goes by a plan, of which its operands are kept."""
    body: Graph = loop.param("body")
    values = _gone_through(loop, plan, notes)
    first = min(loop.serial, *[each.serial for each in values])
    graph, given = control.body_of(
        body.name, [], values, notes, lambda each: each.serial >= first
    )
    made = control.items(control.checkpoint_node(given, graph))
    for one, each in zip(made, body.outputs, strict=True):
        notes[one] = body.notes.get(each, Note())
    return made


def _of_segment(
    loop: Node, size: int, here: Node, state: Sequence[Node], rows: Sequence[Node]
) -> Node:
    """The loop over the trips of a segment, whose indices count from `here`."""
    body: Graph = loop.param("body")
    index, *inputs = body.inputs
    base, offset = (input_node(index.name, control.INDEX) for _ in range(2))
    new = substitute(body.outputs, {index: node(e.add, (base, offset))})
    notes = {new.get(each, each): note for each, note in body.notes.items()}
    outputs = tuple([new[each] for each in body.outputs])
    return control.loop_node(
        Graph(body.name, (offset, base, *inputs), outputs, (), notes),
        invariant=[here, *control.divided(loop, loop.args).invariant],
        carried=state,
        scanned=rows,
        trips=size,
        step=loop.param("step"),
        reverse=loop.param("reverse"),
    )


def _beside(
    each: Input, type: ArrayType, known: Mapping[Node, Note], notes: dict[Node, Note]
) -> Input:
    """An input that is called as another one."""
    made = input_node(each.name, type)
    notes[made] = known.get(each, Note(each.name))
    return made


def _reshaped(each: Node, shape: tuple[int, ...]) -> Node:
    if each.type.shape == shape:
        return each
    return node(shaping.reshape, (each,), (("shape", shape),))


# ---------------------------------------------------------------------------- a whole program


class _Need:
    """A loop of a program, and what its derivative keeps."""

    def __init__(self, loop: Node, moved: Collection[int], position: Position | None) -> None:
        self.loop, self.moved, self.position = loop, moved, position
        self.trips: int = loop.param("trips")
        self.depth = 0
        self.plan = Plan(self.trips)
        self.whole: float = _kept_by(loop, moved, self.plan)
        self.now: float = self.whole
        by_trip = Plan(self.trips, self.trips - 1, Plan(1))
        state = _kept_by(loop, moved, by_trip) / (self.trips - 1) if self.can_change() else 0
        self.kept = Kept(self.whole / max(self.trips, 1), state)

    def can_change(self) -> bool:
        """Whether it can be gone through in segments, and keeps anything."""
        loop = self.loop
        parts = [*control.divided(loop, loop.args).scanned, *control.items(loop)]
        whole = not any(control.UNKNOWN in each.type.shape for each in parts)
        lists = any(each.op is control.rows for each in loop.args)
        return self.whole > 0 and self.trips > 1 and whole and not lists and (
            loop.param("level") is None
        )

    def least(self, depth: int) -> float:
        return least(self.trips, self.kept, depth) if self.kept.state else self.whole

    def said(self) -> str:
        """What is kept of it, in words."""
        every = f"residuals: {self.trips} trips of {amount(self.kept.trip)}"
        if not self.plan.segments:
            return f"{every}, all kept"
        states = f"{_several(self.plan.kept(), 'state')} of {amount(self.kept.state)}"
        return f"{every}; kept {states}, and {_several(self.plan.stretch(), 'trip')}"


def limited(graph: Graph, wrt: Sequence[Input], bound: float) -> Limited:
    """The graph, whose loops go through their trips such that a derivative keeps so many bytes.

    Raises MemoryLimitError where that cannot be.
    """
    with context.tracing(None):
        needs = list(_needs(graph, wrt))
        target = bound
        for _ in range(_ATTEMPTS):
            _share_out(needs, target, bound)
            found = sum(_kept_by(each.loop, each.moved, each.plan) for each in needs)
            if found <= bound:
                break
            target *= 0.95 * bound / found
        else:
            raise _too_small(needs, bound)
        return _written(graph, needs)


def _needs(graph: Graph, wrt: Sequence[Input]) -> Iterator[_Need]:
    moved = depends_on(graph.outputs, wrt)
    positions = {
        item.args[0]: note.position for item, note in graph.notes.items() if item.op is control.item
    }
    for each in graph.nodes():
        if each.op is not control.loop:
            continue
        places = [i for i, arg in enumerate(each.args) if arg in moved and arg.type.inexact]
        position = positions.get(each)
        if not places:
            continue
        if each.param("trips") is None:
            _ask_for_trips(each)
            raise MemoryLimitError(
                word(
                    "max_memory: how many trips this loop has is known when it runs only",
                    where=position.said if position else "",
                    way_out="Loop over a range of known length, or leave out max_memory and put "
                    "symdiff.checkpoint around what a trip does.",
                )
            )
        yield _Need(each, places, position)


def _ask_for_trips(loop: Node) -> None:
    """Raises StaticArgument where ints among the arguments decide how many trips there are."""
    for count in control.divided(loop, loop.args).trips:
        deciding = inputs_of(count)
        if deciding and all(each.type.weak and each.type.dtype.kind == "i" for each in deciding):
            raise StaticArgument(deciding)


def _share_out(needs: Sequence[_Need], target: float, bound: float) -> None:
    """Plan each loop: the one that keeps most is the first to be computed again."""
    while sum(each.now for each in needs) > target:
        able = [each for each in needs if each.depth < _DEPTH and each.least(_DEPTH) < each.now]
        if not able:
            raise _too_small(needs, bound)
        most = max(able, key=lambda each: each.now)
        most.depth += 1
        most.now = most.least(most.depth)
    spare = target - sum(each.now for each in needs)
    changed = [each for each in needs if each.depth]
    wanted = sum(each.whole - each.now for each in changed)
    for each in changed:
        share = spare * (each.whole - each.now) / wanted if wanted else 0.0
        found = plan(each.trips, each.kept, min(each.now + share, each.whole))
        assert found is not None
        each.plan = found


def _too_small(needs: Sequence[_Need], bound: float) -> MemoryLimitError:
    fewest = math.ceil(sum(min(each.whole, each.least(_DEPTH)) for each in needs))
    most = max(needs, key=lambda each: each.whole)
    return MemoryLimitError(
        word(
            f"max_memory={bound:.0f}: the derivative keeps at least {fewest} bytes of its loops",
            where=most.position.said if most.position else "",
            way_out=f"Ask for {fewest} bytes or more; the smallest bound takes the longest.",
        )
    )


def _written(graph: Graph, needs: Sequence[_Need]) -> Limited:
    known: dict[Node, Node] = {}
    notes = dict(graph.notes)
    for each in needs:
        if each.plan.segments:
            values = _gone_through(_over(each.loop, known), each.plan, notes)
            known |= dict(zip(control.items(each.loop), values, strict=True))
    new = substitute((*graph.outputs, *graph.effects), known)
    for before, after in new.items():
        if before in graph.notes:
            notes.setdefault(after, graph.notes[before])
    outputs, effects = (
        tuple([new[each] for each in nodes]) for nodes in (graph.outputs, graph.effects)
    )
    lines = tuple([(each.position, each.said()) for each in needs if each.position and each.whole])
    return Limited(Graph(graph.name, graph.inputs, outputs, effects, notes), lines)


def _over(loop: Node, known: Mapping[Node, Node]) -> Node:
    """The loop, over operands that may be values of loops that have changed."""
    new = substitute(loop.args, known)
    return node(loop.op, tuple([new[each] for each in loop.args]), loop.params)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def amount(size: float) -> str:
    """A number of bytes as people say it."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= one:
            return f"{size / one:.3g} {unit}"
    return f"{size:.0f} B"
