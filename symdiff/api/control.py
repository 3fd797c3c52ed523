"""Loops and branches of which one trip, or both sides, are traced: as in JAX.

Called on plain arrays they run as Python does. In a function that is traced the functions they are
given are traced once, on what stands for their arguments, whatever the number of trips.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from symdiff.api.leaves import leaf_of
from symdiff.errors import ShapeError, TraceError, word
from symdiff.frontend import context
from symdiff.frontend.context import Context, Place
from symdiff.frontend.parameters import function_name
from symdiff.frontend.pytree import Spec, flatten, path_source, tree_text, unflatten
from symdiff.frontend.source_map import assigned_place, name_at, position_of, said
from symdiff.frontend.trace import Leaf, identifier, notes_of
from symdiff.frontend.tracer import Tracer, call, coerce, lift
from symdiff.ir.graph import Graph, Note
from symdiff.ir.node import Input, Node, input_node
from symdiff.ir.types import TUPLE, ArrayType, array_type
from symdiff.ops import control
from symdiff.ops import elementwise as e
from symdiff.ops.effects import happens

Function = Callable[..., Any]

_ATTEMPTS = 4  # to find the types that values keep from trip to trip


def cond(pred: Any, true_fun: Function, false_fun: Function, *operands: Any) -> Any:
    """true_fun(*operands) where pred holds, else false_fun(*operands).

    Both are traced, only one is run: derivatives of the other are neither computed nor seen. Their
    results have one tree, and the same shapes and dtypes.

    >>> from symdiff import grad
    >>> grad(lambda x: cond(x > 0, np.sqrt, lambda x: 0.0 * x, x))(4.0)
    0.25
    """
    running = context.current()
    if running is None or not isinstance(pred, Tracer):
        return (true_fun if pred else false_fun)(*operands)
    if pred.size != 1:
        what = f"the condition of a branch has the shape {pred.shape}"
        raise _refusal(ShapeError, what, "Say np.all(…), or choose elements by np.where.")
    return _Branch(running, (true_fun, false_fun), operands).value(pred)


def while_loop(cond_fun: Function, body_fun: Function, init_val: Any) -> Any:
    """val = body_fun(val), from init_val on, as long as cond_fun(val) holds.

    The tree, shapes and dtypes of val stay the same.

    >>> from symdiff import grad
    >>> grad(lambda x: while_loop(lambda y: y < 100, lambda y: y * y, x))(3.0)
    17496.0
    """
    running = context.current()
    if running is None:
        val = _own(init_val)
        while cond_fun(val):
            val = body_fun(val)
        return val

    def body(index: Any, val: Any, rows: Any) -> Any:
        return _called(running, body_fun, val), None

    names = _names_of(body_fun, "val")
    return _Loop(running, function_name(body_fun), names, body, cond_fun).value(init_val)[0]


def fori_loop(lower: Any, upper: Any, body_fun: Function, init_val: Any) -> Any:
    """val = body_fun(i, val), from init_val on, for i in range(lower, upper).

    The tree, shapes and dtypes of val stay the same.

    >>> from symdiff import grad
    >>> grad(lambda x: fori_loop(0, 3, lambda i, y: y * x + i, 1.0))(2.0)
    13.0
    """
    running = context.current()
    if running is None:
        val = _own(init_val)
        for i in range(lower, upper):
            val = body_fun(i, val)
        return val
    moves = isinstance(lower, Tracer)
    start = 0 if moves else operator.index(lower)
    kind: dict[str, Any] = {"start": start}
    if moves or isinstance(upper, Tracer):
        kind["count"] = _python_int(np.maximum(upper - lower, 0))
    else:
        kind["trips"] = max(operator.index(upper) - start, 0)

    def body(index: Any, val: Any, rows: Any) -> Any:
        return _called(running, body_fun, index + lower if moves else index, val), None

    names = _names_of(body_fun, "trip", "val")
    return _Loop(running, function_name(body_fun), names, body, None).value(init_val, **kind)[0]


def scan(
    f: Function, init: Any, xs: Any, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """carry, y = f(carry, x) for the rows x of xs: the last carry, and all y, stacked.

    xs is a tree of arrays with a common first extent, or None, when `length` counts the trips. With
    `reverse` the last row comes first; each y stands in the place of its x.

    >>> scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    """
    leaves, spec = ([], None) if xs is None else flatten(xs)
    trips = _trips(leaves, length)
    running = context.current()
    if running is None:
        return _run_scan(f, init, leaves, spec, trips, reverse)
    arrays = [each if isinstance(each, Tracer) else np.asarray(each) for each in leaves]
    rows = () if spec is None else unflatten(spec, arrays)

    def body(index: Any, val: Any, row: Any) -> Any:
        found = _called(running, f, val, None if spec is None else row)
        if not isinstance(found, tuple) or len(found) != 2:
            what = f"{function_name(f)} returns {type(found).__name__}"
            raise _refusal(TraceError, what, "What scan repeats returns a pair: carry, y.")
        return found

    loop = _Loop(running, function_name(f), _names_of(f, "val", "row"), body, None)
    return loop.value(init, rows, trips=trips, reverse=reverse)


def map(f: Function, xs: Any) -> Any:
    """f(x) for the rows x of xs, one after the other, stacked. See also vmap.

    >>> map(lambda x: x * x, np.array([1.0, 2.0, 3.0]))
    array([1., 4., 9.])
    """

    def step(carry: None, x: Any) -> tuple[None, Any]:
        return None, f(x)

    step.__name__ = function_name(f)
    return scan(step, None, xs)[1]


def checkpoint(fun: Function) -> Function:
    """The function, of which derivatives keep the arguments only: they compute the rest again.

    It takes trees of arrays and numbers by position, and what it reads besides them is kept.
    Random numbers that it draws are kept too. It is faster without, and takes more memory.

    >>> from symdiff import grad
    >>> grad(lambda x: np.sin(checkpoint(np.exp)(x)))(0.0)
    0.5403023058681398
    """

    @functools.wraps(fun)
    def kept(*args: Any, **kwargs: Any) -> Any:
        running = context.current()
        if running is None:
            return fun(*args, **kwargs)
        first = input_node("", control.INDEX)
        since, place = len(running.operands), context.user_place()
        found, spec = flatten(_called(running, functools.partial(fun, **kwargs), *args))
        return unflatten(spec, _kept_apart(running, function_name(fun), found, first, since, place))

    return kept


# ---------------------------------------------------------------------------- untraced


def _own(tree: Any) -> Any:
    """The tree with arrays of its own, which the functions may change."""
    leaves, spec = flatten(tree)
    return unflatten(spec, [
        each.copy() if isinstance(each, np.ndarray) else each for each in leaves
    ])  # fmt: skip


def _trips(leaves: Sequence[Any], length: int | None) -> int:
    extents = {np.shape(each)[:1] for each in leaves}
    extents |= set() if length is None else {(int(length),)}
    if len(extents) != 1 or () in extents:
        found = ", ".join([str(np.shape(each)) for each in leaves])
        what = f"scan has arrays of the shapes {found or 'none'} and length={length}"
        raise _refusal(ShapeError, what, "All have one first extent, the number of trips.")
    ((trips,),) = extents
    return int(trips)


def _run_scan(
    f: Function, init: Any, leaves: list[Any], spec: Spec | None, trips: int, reverse: bool
) -> tuple[Any, Any]:
    carry = _own(init)
    arrays = [np.asarray(each) for each in leaves]
    collected: list[list[Any]] = []
    made: Spec | None = None
    for i in reversed(range(trips)) if reverse else range(trips):
        row = None if spec is None else unflatten(spec, [each[i] for each in arrays])
        carry, y = f(carry, row)
        parts, own = flatten(y)
        if made is not None and own != made:
            raise TypeError(f"scan: y is {tree_text(made)}, and then {tree_text(own)}")
        made = own
        collected.append(parts)
    if made is None:  # one trip, to see what there would be
        row = None if spec is None else unflatten(
            spec, [np.zeros(each.shape[1:], each.dtype)[()] for each in arrays]
        )  # fmt: skip
        parts, made = flatten(f(_own(init), row)[1])
        none = [x if x is None else np.empty((0, *np.shape(x)), np.result_type(x)) for x in parts]
        return carry, unflatten(made, none)
    if reverse:
        collected.reverse()
    stacked = [
        None if all(each is None for each in column) else np.stack(column)
        for column in zip(*collected, strict=True)
    ]
    return carry, unflatten(made, stacked)


# ---------------------------------------------------------------------------- traced


class _Names(NamedTuple):
    """What the functions of a loop call the number of the trip, what they are handed, a row."""

    trip: str = "i"
    val: str = "val"
    row: str = "x"


class _Trip(NamedTuple):
    """One trip on what stands for its values, and what it gives."""

    place: Input
    state: list[Input]
    rows: list[Input]
    values: list[Any]
    collected: list[Any]
    out_spec: Spec
    test: Node | None


class _Loop:
    """A loop of the running trace, whose body is a function of the user's.

    `body(index, val, rows)` gives the next val, and what is collected.
    """

    def __init__(
        self, running: Context, name: str, names: _Names, body: Function, test: Function | None
    ) -> None:
        self.running, self.name, self.names = running, name, names
        self.body, self.test = body, test
        self.place = context.user_place()

    def value(self, init: Any, xs: Any = (), **kind: Any) -> tuple[Any, Any]:
        """The values after the last trip, and all that was collected; `xs` have a row for each."""
        leaves, self.spec = flatten(init)
        xs, self.rows = flatten(xs)
        self.slots = [leaf_of(each) for each in leaves]
        every = [lift(each) for each in xs]
        for _ in range(_ATTEMPTS):
            since = len(self.running.operands)
            trip = self._trip([array_type(each.type.dtype, each.type.shape[1:]) for each in every])
            settled = self._settled(trip)
            if settled == self.slots:
                break
            self.slots = settled
        else:
            raise _refusal(TraceError, f"the types of what {self.name} carries do not settle")
        outputs = [coerce(lift(value), slot.type)
                   for value, slot in zip(trip.values, self.slots, strict=True) if slot.type]
        collected = [lift(each) for each in trip.collected if each is not None]
        results = (*outputs, *collected, *(() if trip.test is None else (trip.test,)))
        notes = self._notes(trip, results, since)
        first = [coerce(lift(leaf), slot.type)
                 for leaf, slot in zip(leaves, self.slots, strict=True) if slot.type]
        made = control.loop_of(
            self.name,
            trip.place,
            list(zip(trip.state, first, strict=True)),
            list(zip(trip.rows, every, strict=True)),
            [*outputs, *collected],
            notes,
            trip.test,
            **kind,
        )
        found = iter(_results(self.running, self.place, made, trip.state))
        carry = [slot.static if slot.type is None else _array(next(found), slot.is_array)
                 for slot in self.slots]
        ys = [None if each is None else _array(next(found)) for each in trip.collected]
        return unflatten(self.spec, carry), unflatten(trip.out_spec, ys)

    def _trip(self, types: Sequence[ArrayType]) -> _Trip:
        index = input_node(self.names.trip, control.INDEX)
        state = [input_node("", each.type) for each in self.slots if each.type is not None]
        rows = [input_node("", type) for type in types]
        with _inside(self.running, [index, *state, *rows], self.name):
            test = None if self.test is None else self._asked(self.test, self._handed(state))
            given = [_array(each) for each in rows]
            row = unflatten(self.rows, given)
            found, y = self.body(Tracer(index), self._handed(state), row)
            values, spec = flatten(found)
            collected, out_spec = flatten(y)
        if spec != self.spec:
            what = f"{self.name} is handed {tree_text(self.spec)} and gives {tree_text(spec)}"
            raise _refusal(TraceError, what, "What a trip gives is what the next one is handed.")
        return _Trip(index, state, rows, values, collected, out_spec, test)

    def _handed(self, state: Sequence[Input]) -> Any:
        given = iter(state)
        return unflatten(self.spec, [
            slot.static if slot.type is None else _array(next(given), slot.is_array)
            for slot in self.slots
        ])  # fmt: skip

    def _asked(self, test: Function, val: Any) -> Node:
        found = _called(self.running, test, val)
        if np.shape(found) != ():
            what = f"{function_name(test)} gives an array of the shape {np.shape(found)}"
            raise _refusal(ShapeError, what, "It decides on the next trip: return np.all(…).")
        return lift(found if lift(found).type.dtype == bool else np.not_equal(found, 0))

    def _settled(self, trip: _Trip) -> list[Leaf]:
        """The types that hold what a trip is handed and what it gives."""
        names = [path_source(self.names.val, path) for path in self.spec.accessors()]
        return [
            _joined(slot, value, name, self.name)
            for slot, value, name in zip(self.slots, trip.values, names, strict=True)
        ]

    def _notes(self, trip: _Trip, results: Sequence[Node], since: int) -> dict[Node, Note]:
        """The notes of the body; what it is handed is called as the function calls it."""
        inputs = [trip.place, *trip.state, *trip.rows]
        inside = control.dependent(results, inputs)
        outer = {arg for each in inside for arg in each.args} - inside
        notes = notes_of(self.running, inputs, sorted(inside | outer, key=_SERIAL), since)
        paths = self.spec.accessors()
        traced = [path for path, slot in zip(paths, self.slots, strict=True) if slot.type]
        for each, result, path in zip(trip.state, results, traced, strict=False):
            note = notes.get(result)
            own = note.name if note and note.name and not note.derived else notes[each].name
            each.name = own if path and own else identifier(path_source(self.names.val, path))
        for path, each in zip(self.rows.accessors(), trip.rows, strict=True):
            own = notes[each].name if path else ""
            each.name = own or identifier(path_source(self.names.row, path))
        return notes


class _Branch:
    """A branch of the running trace, whose sides are functions of the user's."""

    def __init__(
        self, running: Context, sides: tuple[Function, Function], operands: Sequence[Any]
    ) -> None:
        self.running, self.sides = running, sides
        self.operands, self.spec = flatten(list(operands))
        self.place = context.user_place()

    def value(self, pred: Tracer) -> Any:
        """What the side that is taken gives."""
        first = input_node("", control.INDEX)  # what is made from here on is made inside
        since = len(self.running.operands)
        (one, spec), (other, also) = (self._side(side) for side in self.sides)
        names = " and ".join([function_name(side) for side in self.sides])
        if spec != also:
            what = f"the sides of a branch, {names}, give {tree_text(spec)} and {tree_text(also)}"
            raise _refusal(TraceError, what, "They give the same tree.")
        slots = [_common(a, b, names) for a, b in zip(one, other, strict=True)]
        graphs, outer = self._graphs([one, other], slots, first, since)
        test: Any = pred if pred.dtype == bool else np.not_equal(pred, 0)
        taken = test.reshape(()) if test.shape else test
        made = control.cond_node(taken.node, outer, graphs)
        values = iter(_results(self.running, self.place, made, graphs[0].outputs, graphs[0].notes))
        return unflatten(spec, [
            slot.static if slot.type is None else _array(next(values), slot.is_array)
            for slot in slots
        ])  # fmt: skip

    def _side(self, side: Function) -> tuple[list[Any], Spec]:
        with _inside(self.running, [], function_name(side)):
            own = [_copied(each) for each in self.operands]
            return flatten(_called(self.running, side, *unflatten(self.spec, own)))

    def _graphs(
        self, sides: Sequence[Sequence[Any]], slots: Sequence[Leaf], first: Node, since: int
    ) -> tuple[tuple[Graph, Graph], list[Node]]:
        """The sides as graphs of the same inputs, and the nodes that stand for these."""
        closed = []
        for side, values in zip(self.sides, sides, strict=True):
            results = [coerce(lift(value), slot.type)
                       for value, slot in zip(values, slots, strict=True) if slot.type]
            inside = _newer(results, first)
            outer = {arg for each in inside for arg in each.args} - inside | {*results} - inside
            notes = notes_of(self.running, [], sorted(inside | outer, key=_SERIAL), since)
            closed.append(
                control.body_of(function_name(side), [], results, notes, inside.__contains__)
            )
        outer_nodes = sorted({each for _, own in closed for each in own}, key=_SERIAL)
        graphs = []
        for graph, own in closed:
            place = dict(zip(own, graph.inputs, strict=True))
            inputs = tuple([place.get(each) or input_node("", each.type) for each in outer_nodes])
            graphs.append(Graph(graph.name, inputs, graph.outputs, (), graph.notes))
        for pair in zip(*[graph.inputs for graph in graphs], strict=True):
            name = pair[0].name or pair[1].name
            for each, graph in zip(pair, graphs, strict=True):
                each.name = name
                graph.notes.setdefault(each, Note(name))
        return (graphs[0], graphs[1]), outer_nodes


_SERIAL = attrgetter("serial")


def _newer(results: Sequence[Node], first: Node) -> set[Node]:
    """What is computed for the results by nodes made after another one."""
    found: set[Node] = set()
    waiting = list(results)
    while waiting:
        each = waiting.pop()
        if each.args and each.serial > first.serial and each not in found:
            found.add(each)
            waiting += each.args
    return found


def _kept_apart(
    running: Context, name: str, leaves: list[Any], first: Node, since: int, place: Place | None
) -> list[Any]:
    """Values with a checkpoint for those that were computed after a node was made."""
    places = [
        i for i, each in enumerate(leaves)
        if isinstance(each, Tracer) and min(each.born, each.node.serial) > first.serial
    ]  # fmt: skip
    results = [leaves[i].node for i in places]
    inside = _repeatable(_newer(results, first))
    if inside.isdisjoint(results):
        return leaves
    outer = {arg for each in inside for arg in each.args} - inside | {*results} - inside
    notes = notes_of(running, [], sorted(inside | outer, key=_SERIAL), since)
    graph, operands = control.body_of(name, [], results, notes, inside.__contains__)
    made = control.checkpoint_node(operands, graph)
    values = _results(running, place, made, graph.outputs, graph.notes)
    found = list(leaves)
    for i, value in zip(places, values, strict=True):
        found[i] = _array(value, leaves[i].is_array)
    return found


def _repeatable(nodes: set[Node]) -> set[Node]:
    """Those of the nodes that may be computed again: all but effects, and what they give."""
    kept: set[Node] = set()
    for each in sorted(nodes, key=_SERIAL):
        part_of = [arg for arg in each.args if arg.type is TUPLE or happens(arg)]
        if not happens(each) and kept.issuperset(part_of):
            kept.add(each)
    return kept


def _results(
    running: Context,
    place: Place | None,
    made: Node,
    named: Sequence[Node],
    notes: Mapping[Node, Note] | None = None,
) -> list[Node]:
    """The values of a loop or a branch, with what is known of what they are called."""
    found = control.items(made)
    position = position_of(place) if place is not None else None
    if place is not None:
        running.places.setdefault(made, place)
    for each, own in zip(found, named, strict=False):
        note = (notes or {}).get(own) or Note()
        name = own.name if isinstance(own, Input) else note.name
        running.inherited.setdefault(each, Note(name, position=position, derived=True))
    if len(found) == 1 and place is not None:
        assigned = assigned_place(place)
        if name_at(assigned):
            running.inherited[found[0]] = Note(name_at(assigned), position=position)
    return found


def _array(value: Node, is_array: bool = False) -> Tracer:
    return Tracer(value, is_array or bool(value.type.shape))


def _copied(value: Any) -> Any:
    """The value with memory of its own."""
    if isinstance(value, Tracer):
        return Tracer(value.node, value.is_array)
    return value.copy() if isinstance(value, np.ndarray) else value


def _called(running: Context, function: Function, *args: Any) -> Any:
    """Call a function of the user's as part of the trace."""
    interposer = running.interposer
    return interposer.bare(interposer(function, *args)) if interposer else function(*args)


@contextmanager
def _inside(running: Context, inputs: Sequence[Input], name: str) -> Iterator[None]:
    """What is done inside is done once, for all trips, or for one of two sides.

    Raises TraceError where it changes an array from outside.
    """
    running.flow.placeholders.update(inputs)
    before, begun = len(running.changes), input_node("", control.INDEX).serial
    effect, running.effect = running.effect, None
    try:
        yield
    finally:
        running.effect = effect
    for each in running.changes[before:]:
        if each.array.born < begun:
            what = f"{name} changes an array from outside"
            way_out = "Let it change a copy, and return that: it is handed on."
            raise _refusal(TraceError, what, way_out, said(each.place))


def _joined(slot: Leaf, value: Any, name: str, function: str) -> Leaf:
    """The type that holds what a trip is handed and what it gives."""
    found = leaf_of(value)
    if slot.type is None or found.type is None:
        if slot.type is found.type and (slot.static is value or slot.static == value):
            return slot
        what = f"`{name}` of {function} becomes {value!r}"
        raise _refusal(TraceError, what, "What is no number stays the same from trip to trip.")
    type = _join(slot.type, found.type)
    if type is None or (type != slot.type and not slot.type.weak):
        what = f"`{name}` of {function} is {slot.type}, and becomes {found.type}"
        raise _refusal(ShapeError, what, "Start with a value of the shape and dtype that it keeps.")
    return Leaf(type, slot.is_array or found.is_array)


def _common(one: Any, other: Any, names: str) -> Leaf:
    """The type that holds what either side of a branch gives."""
    first, second = leaf_of(one), leaf_of(other)
    if first.type is None or second.type is None:
        if first.type is second.type and (one is other or one == other):
            return first
        raise _refusal(TraceError, f"the sides of a branch, {names}, give {one!r} and {other!r}")
    type = _join(first.type, second.type)
    if type is None:
        what = f"the sides of a branch, {names}, give {first.type} and {second.type}"
        raise _refusal(ShapeError, what, "They give values of the same shapes and dtypes.")
    return Leaf(type, first.is_array or second.is_array)


def _join(one: ArrayType, other: ArrayType) -> ArrayType | None:
    """The type that both have, where at most Python numbers change theirs."""
    if one.shape != other.shape:
        return None
    kinds = [each.python(0) if each.weak else each.dtype for each in (one, other)]
    if one.weak and other.weak:
        return one if "biufc".index(one.dtype.kind) >= "biufc".index(other.dtype.kind) else other
    made = array_type(np.result_type(*kinds), one.shape)
    return made if all(each.weak or each == made for each in (one, other)) else None


def _python_int(value: Any) -> Node:
    if value.dtype.kind not in "iub":
        raise TypeError("the bounds of a loop are integers")
    return lift(call(e.convert, value, dtype=control.INDEX.dtype, weak=True))


def _parameters(function: Function) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _names_of(function: Function, *order: str) -> _Names:
    """What the function calls its arguments, which are what `order` says."""
    return _Names(**dict(zip(order, _parameters(function), strict=False)))


def _refusal(kind: type[Exception], what: str, way_out: str = "", where: str = "") -> Exception:
    place = context.user_place()
    return kind(word(what, where=where or said(place), way_out=way_out))
