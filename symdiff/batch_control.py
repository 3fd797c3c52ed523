"""vmap of loops and branches: those whose course is the same for all rows stay what they are.

A loop whose number of trips differs by row goes on until no row does, and those that are done keep
what they have. Of a branch that is taken in some rows both sides are computed. Loaded for programs
that have any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from symdiff.frontend import context
from symdiff.frontend.tracer import Tracer, call, coerce
from symdiff.ir.graph import Graph, depends_on, every_graph, substitute
from symdiff.ir.node import Input, Node, constant, input_node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import control
from symdiff.ops import elementwise as e

Batch = Callable[[Graph, Collection[Input]], Graph]


class Value(NamedTuple):
    """A value of a loop or a branch, and whether there is one for each row."""

    node: Node
    batched: bool


class Rows(NamedTuple):
    """How many rows there are, the type of such a value, and how the graphs inside are mapped."""

    size: int
    stacked: Callable[[ArrayType], ArrayType]
    batch: Batch


def batched(each: Node, args: Sequence[Node], flags: Sequence[bool], rows: Rows) -> list[Value]:
    """The values of a loop or a branch, of operands that have rows where `flags` say so."""
    with context.tracing(None):
        if each.op is control.loop:
            return _loop(each, args, flags, rows)
        if not flags[0]:
            return _branch(each, args, flags, rows)
        sides = each.param("branches")
        repeats = any(_waits(inner) for side in sides for inner in every_graph(side))
        return (_row_by_row if repeats else _both)(each, args, flags, rows)


def _waits(graph: Graph) -> bool:
    """Whether a loop in the graph might not end on values that it is not meant for."""
    return any(each.op is control.loop and each.param("test") is not None for each in graph.nodes())


# ---------------------------------------------------------------------------- branches


def _branch(each: Node, args: Sequence[Node], flags: Sequence[bool], rows: Rows) -> list[Value]:
    sides = [_mapped(side, flags[1:], rows) for side in each.param("branches")]
    old = [one.type for one in each.param("branches")[0].outputs]
    varying = [_varies(side, old) for side in sides]
    either = [a or b for a, b in zip(*varying, strict=True)]
    first, second = (
        side.with_outputs([
            coerce(one, rows.stacked(type)) if has else one
            for one, type, has in zip(side.outputs, old, either, strict=True)
        ])
        for side in sides
    )
    made = control.cond_node(args[0], args[1:], (first, second))
    return [Value(*pair) for pair in zip(control.items(made), either, strict=True)]


def _mapped(graph: Graph, flags: Sequence[bool], rows: Rows) -> Graph:
    return rows.batch(graph, [own for own, has in zip(graph.inputs, flags, strict=True) if has])


def _varies(graph: Graph, types: Sequence[ArrayType]) -> list[bool]:
    return [one.type != type for one, type in zip(graph.outputs, types, strict=True)]


def _both(each: Node, args: Sequence[Node], flags: Sequence[bool], rows: Rows) -> list[Value]:
    """Both sides, of which each row gets its own."""
    results = []
    for side in each.param("branches"):
        mapped = _mapped(side, flags[1:], rows)
        new = _at(mapped.outputs, mapped.inputs, args[1:])
        types = [rows.stacked(one.type) for one in side.outputs]
        results.append(
            [coerce(new[one], type) for one, type in zip(mapped.outputs, types, strict=True)]
        )
    return [Value(_where(args[0], a, b), True) for a, b in zip(*results, strict=True)]


def _at(
    outputs: Sequence[Node], inputs: Sequence[Node], values: Sequence[Node]
) -> dict[Node, Node]:
    """What becomes of nodes where inputs have values."""
    return substitute(outputs, dict(zip(inputs, values, strict=True)))


def _where(chosen: Node, a: Node, b: Node) -> Node:
    """Of each row one of two values."""
    mask = Tracer(chosen)
    if a.type.ndim > 1:
        mask = call(np.reshape, mask, (-1, *[1] * (a.type.ndim - 1)))
    found: Node = call(np.where, mask, Tracer(a), Tracer(b)).node
    return found


def _row_by_row(each: Node, args: Sequence[Node], flags: Sequence[bool], rows: Rows) -> list[Value]:
    """A loop over the rows, of which each takes its side."""
    own = [input_node(_name(arg), old.type) for arg, old in zip(args, each.args, strict=True)]
    made = control.cond_node(own[0], own[1:], each.param("branches"))
    index = input_node("row", control.INDEX)
    loop = control.loop_of(
        "rows",
        index,
        [],
        [(one, arg) for one, arg, has in zip(own, args, flags, strict=True) if has],
        [coerce(one, array_type(one.type.dtype, one.type.shape)) for one in control.items(made)],
        {},
        trips=rows.size,
    )
    pairs = zip(own, args, flags, strict=True)
    fixed: dict[Node, Node] = {one: arg for one, arg, has in pairs if not has}
    return [Value(substitute([one], fixed)[one], True) for one in control.items(loop)]


def _name(each: Node) -> str:
    return each.name if isinstance(each, Input) else ""


# ---------------------------------------------------------------------------- loops


class _Loop:
    """A loop whose body is mapped, taken apart."""

    def __init__(self, each: Node, args: Sequence[Node], flags: Sequence[bool], rows: Rows) -> None:
        self.each, self.rows = each, rows
        self.body: Graph = each.param("body")
        self.test: Graph | None = each.param("test")
        self.args, self.flags = control.divided(each, args), control.divided(each, flags)
        inputs = (*self.args.trips, *self.body.inputs[1:])
        self.inputs = control.divided(each, inputs)
        self.counts = self.args.trips[0] if any(self.flags.trips) else None
        places = zip(
            (*self.inputs.invariant, *self.inputs.carried, *self.inputs.scanned),
            (*self.flags.invariant, *self.flags.carried, *self.flags.scanned),
            strict=True,
        )
        self.own = {own for own, has in places if has}
        self.spread()
        self.masked = self.counts is not None or self.asks_each()
        if self.masked:  # what a row keeps when it is done is its own
            self.own.update(self.inputs.carried)
            self.spread()

    def spread(self) -> None:
        """What is carried has rows where it comes to depend on what has."""
        while True:
            found = depends_on(self.body.outputs, self.own)
            pairs = zip(self.inputs.carried, self.body.outputs, strict=False)
            more = {own for own, result in pairs if result in found}
            if more <= self.own:
                return
            self.own |= more

    def asks_each(self) -> bool:
        """Whether some rows may go on while others do not."""
        if self.test is None:
            return False
        places = (*self.inputs.invariant, *self.inputs.carried)
        asked = [own for own, at in zip(self.test.inputs, places, strict=True) if at in self.own]
        return self.test.outputs[0] in depends_on(self.test.outputs, asked)

    def asked(self, invariant: Sequence[Node], state: Sequence[Node]) -> Node:
        """For each row, whether it goes on."""
        assert self.test is not None
        places = (*self.inputs.invariant, *self.inputs.carried)
        own = [one for one, at in zip(self.test.inputs, places, strict=True) if at in self.own]
        test = self.rows.batch(self.test, own)
        (found,) = test.outputs
        return _at([found], test.inputs, (*invariant, *state))[found]


def _loop(each: Node, args: Sequence[Node], flags: Sequence[bool], rows: Rows) -> list[Value]:
    loop = _Loop(each, args, flags, rows)
    body = rows.batch(loop.body, loop.own)
    inputs = dict(zip(loop.body.inputs, body.inputs, strict=True))
    carried = each.param("carried")
    state = [own in loop.own for own in loop.inputs.carried]
    following = [
        coerce(one, rows.stacked(old.type)) if has else one
        for one, old, has in zip(body.outputs, loop.inputs.carried, state, strict=False)
    ]
    first = [
        coerce(one, rows.stacked(old.type)) if has and not known else one
        for one, old, has, known in zip(
            loop.args.carried, loop.inputs.carried, state, loop.flags.carried, strict=True
        )
    ]
    collected = list(body.outputs[carried:])
    varying = [
        one.type != old.type
        for one, old in zip(collected, loop.body.outputs[carried:], strict=True)
    ]
    made = _Made(
        [(inputs[own], arg) for own, arg in zip(
            loop.inputs.invariant, loop.args.invariant, strict=True)],
        [(inputs[own], one) for own, one in zip(loop.inputs.carried, first, strict=True)],
        [
            (inputs[own], _by_trip(arg) if has else arg)
            for own, arg, has in zip(
                loop.inputs.scanned, loop.args.scanned, loop.flags.scanned, strict=True
            )
        ],
        following,
        collected,
    )  # fmt: skip
    if loop.masked:
        _masked(loop, made, body.inputs[0])
    values = control.items(made.node(loop, body))
    results = [Value(one, has) for one, has in zip(values, state, strict=False)]
    found = values[len(made.carried) :]
    results += [
        Value(_by_trip(one) if has else one, has) for one, has in zip(found, varying, strict=False)
    ]
    if loop.test is not None:
        last = values[len(made.carried) - 1] if loop.masked else values[-1]
        results.append(Value(last, loop.masked))
    return results


class _Made:
    """The parts of the loop that comes of it."""

    def __init__(
        self,
        invariant: list[tuple[Node, Node]],
        carried: list[tuple[Node, Node]],
        scanned: list[tuple[Node, Node]],
        following: list[Node],
        collected: list[Node],
    ) -> None:
        self.invariant, self.carried, self.scanned = invariant, carried, scanned
        self.following, self.collected = following, collected
        self.count: Node | None = None
        self.asked: Node | None = None  # in terms of the inputs of the body

    def node(self, loop: _Loop, body: Graph) -> Node:
        """The loop."""
        each = loop.each
        invariant, carried, scanned = (
            tuple([own for own, _ in pairs])
            for pairs in (self.invariant, self.carried, self.scanned)
        )
        count = self.count
        if count is None and loop.args.trips:
            count = loop.args.trips[0]
        test = None
        if loop.test is not None:
            test = _test(loop, self, (*invariant, *carried))
        whole = Graph(
            body.name,
            (body.inputs[0], *invariant, *carried, *scanned),  # type: ignore[arg-type]
            (*self.following, *self.collected),
            (),
            body.notes,
        )
        return control.loop_node(
            whole,
            invariant=[arg for _, arg in self.invariant],
            carried=[arg for _, arg in self.carried],
            scanned=[arg for _, arg in self.scanned],
            trips=each.param("trips"),
            count=count,
            test=test,
            start=each.param("start"),
            step=each.param("step"),
            reverse=each.param("reverse"),
            level=each.param("level"),
        )


def _test(loop: _Loop, made: _Made, inputs: tuple[Node, ...]) -> Graph:
    """Whether there is a next trip: where rows differ, whether any of them has one."""
    assert loop.test is not None
    if made.asked is None:
        (asked,) = loop.test.outputs
        made.asked = _at([asked], loop.test.inputs, inputs)[asked]
    notes = dict(loop.test.notes)
    return Graph(loop.test.name, inputs, (made.asked,), (), notes)  # type: ignore[arg-type]


def _masked(loop: _Loop, made: _Made, index: Input) -> None:
    """Rows that are done keep what they have."""
    size = loop.rows.size
    state = [own for own, _ in made.carried]
    if loop.counts is not None:
        start, step = loop.each.param("start"), loop.each.param("step")
        ends = input_node("ends", loop.counts.type)
        last = call(np.add, call(np.multiply, Tracer(loop.counts), step), start)
        made.invariant.append((ends, last.node))
        now = call(np.less if step > 0 else np.greater, Tracer(index), Tracer(ends))
        most = call(np.max, Tracer(loop.counts))
        made.count = call(e.convert, most, dtype=control.INDEX.dtype, weak=True).node
    else:
        now = Tracer(input_node("active", array_type(np.bool_, (size,))))
    following = [_where(now.node, one, own) for one, own in zip(made.following, state, strict=True)]
    if loop.counts is None:
        trips = Tracer(input_node("trips", array_type(np.int64, (size,))))
        first = loop.asked([arg for _, arg in made.invariant], [arg for _, arg in made.carried])
        later = loop.asked([own for own, _ in made.invariant], following)
        none = constant(np.int64(0), trips.node.type)
        made.carried += [(now.node, first), (trips.node, none)]
        following += [call(np.logical_and, now, Tracer(later)).node, call(np.add, trips, now).node]
        made.asked = call(np.any, now).node
    made.following = following


def _by_trip(each: Node) -> Node:
    """Rows of rows with the trips in front, or as they were: what is collected has them there."""
    if control.UNKNOWN in each.type.shape:
        return each
    found: Node = call(np.swapaxes, Tracer(each), 0, 1).node
    return found
