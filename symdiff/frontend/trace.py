"""trace: a Python function and the types of its arguments to a graph."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CellType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.captured import Captured
from symdiff.frontend.context import Context, beginnings, tracing
from symdiff.frontend.interpose import Interposer
from symdiff.frontend.memory import Changed
from symdiff.frontend.parameters import Parameters, function_name
from symdiff.frontend.pytree import Spec, flatten, leaf_sources, unflatten
from symdiff.frontend.source_map import name_at, operand_names, position_of, said
from symdiff.frontend.tracer import StaticArgument, Tracer, coerce, depends_on, lift
from symdiff.ir.graph import Graph, Note, Position, users
from symdiff.ir.node import Const, Input, Node, input_node, node
from symdiff.ir.types import ArrayType, ObjectType
from symdiff.ops.effects import beginning

_PATH = re.compile(r"(\w*)(.*)", re.DOTALL)
UNKNOWN: Any = object()  # in the place of the value of a leaf
_WORD = re.compile(r"\w+")


class Leaf(NamedTuple):
    """One leaf of the arguments: of a traced type, or static (type None)."""

    type: ArrayType | None
    is_array: bool = False  # a 0-d array and not a scalar
    static: Any = None
    widens: bool = False  # a Python float in whose place an int counts as one


class Result(NamedTuple):
    """One leaf of the results: an output of the graph, or a static value (output None)."""

    output: int | None
    is_array: bool = False
    static: Any = None


class Traced(NamedTuple):
    """A traced function: its graph, and how arguments and results map to inputs and outputs."""

    graph: Graph
    leaves: tuple[Leaf, ...]
    spec: Spec
    leaf_names: tuple[str, ...]  # as the user would write them: W, params["W"][0]
    inputs: tuple[Input | None, ...]  # of each leaf; None: static
    results: tuple[Result, ...]
    out_spec: Spec
    captured: tuple[Captured, ...]
    derived: frozenset[Node] = frozenset()  # parts of derivatives, which need not keep their bits
    changes: tuple[Changed, ...] = ()
    nested: bool = False  # inside another trace, which knows what is captured
    running: Context | None = None  # the trace itself, while rules of the user's may still be run
    roads: tuple[tuple[Position, str], ...] = ()  # how its loops and branches were taken, and why

    def with_rules(self) -> Traced:
        """Together with what rules have reached since it was traced."""
        if not self.running or self.nested:
            return self
        return self._replace(captured=tuple(self.running.interposer.captured))

    @property
    def hidden(self) -> tuple[Input, ...]:
        """The inputs that the function reached without being passed them."""
        return tuple(each.input for each in self.captured if each.input is not None)


def trace(
    function: Callable[..., Any],
    parameters: Parameters,
    leaves: Sequence[Leaf],
    spec: Spec,
    given: Sequence[Any] = (),
) -> Traced:
    """Run the function on tracers; `leaves` and `spec` describe one value per parameter.

    `given` are the values of the leaves, UNKNOWN or left out where there are only types: what is
    selected by a traced mask has the size that it has for them.

    Raises TraceError and its kin where the function cannot be traced, and StaticArgument where a
    Python int among the leaves decides a shape.
    """
    names = leaf_names(parameters, spec)
    known = [_known(value, leaf) for value, leaf in zip(given, leaves, strict=bool(given))]
    inputs = tuple(
        input_node(identifier(name), leaf.type) if leaf.type is not None else None
        for name, leaf in zip(names, leaves, strict=True)
    )
    values = [
        _stand_in(each, leaf.is_array) if each is not None else leaf.static
        for each, leaf in zip(inputs, leaves, strict=True)
    ]
    outer = context.current()
    interposer = outer.interposer if outer is not None and outer.interposer else Interposer()
    before = outer.effect if outer is not None else node(beginning, ())
    running = Context(interposer, outer, before)
    running.speaks = True
    running.given = frozenset(map(id, values))
    for each, value in zip(inputs, known, strict=False):
        if each is not None and value is not UNKNOWN:
            running.examples.give(each, value)
            passed_on = outer is not None and isinstance(value, Node) and value in outer.integers
            if isinstance(value, np.integer) or passed_on:
                running.integers.add(each)
    with tracing(running):
        try:
            result = parameters.call(function, unflatten(spec, values), run=interposer)
        except StaticArgument as decided:
            decided.name(dict(zip(inputs, names, strict=True)))
            raise
        outputs, results, out_spec = _read_result(result)
    nested = outer is not None and outer.interposer is interposer
    captured = () if nested else tuple(interposer.captured)
    hidden = tuple(each.input for each in captured if each.input is not None)
    visible = tuple(each for each in inputs if each is not None)
    every = (*visible, *hidden)
    graph = Graph(function_name(function), every, tuple(outputs), running.effects)
    nodes = graph.nodes()
    graph.notes.update(notes_of(running, graph.inputs, nodes))
    if running.flow.placeholders and not nested:
        _check_leaks(running, nodes)
    reached = [interposer.hidden(each) for each in hidden]
    changes = _changes(running, [*values, *reached], [*names, *(each.name for each in hidden)])
    if nested:
        running.leave()
    derived = frozenset(running.derived)
    return Traced(
        graph,
        tuple(leaves),
        spec,
        names,
        inputs,
        results,
        out_spec,
        captured,
        derived,
        changes,
        nested,
        running,
        tuple(running.flow.roads.values()),
    )


beginnings.add(trace.__code__)


def _stand_in(each: Input, is_array: bool) -> Any:
    """What the function gets for an argument."""
    if isinstance(each.type, ObjectType):
        from symdiff.frontend.draws import RandomSource  # which few programs need

        return RandomSource(each)
    return Tracer(each, is_array)


def _changes(
    running: Context, values: Sequence[Any], names: Sequence[str]
) -> tuple[Changed, ...]:
    """Which of these, arguments and what was captured, were changed in place."""
    places = {id(each.array): each.place for each in reversed(running.changes)}
    if not places:
        return ()
    arrays = [i for i, each in enumerate(values) if isinstance(each, Tracer) and each.in_memory]
    return tuple(
        Changed(i, tuple(j for j in arrays if j != i), names[i], said(places[id(values[i])]))
        for i in arrays
        if id(values[i]) in places
    )


def _known(value: Any, leaf: Leaf) -> Any:
    """A value for the input of a leaf: what is traced outside is a node."""
    if isinstance(value, Tracer) and leaf.type is not None:
        return coerce(value.node, leaf.type)
    return value


def _read_result(result: Any) -> tuple[list[Node], tuple[Result, ...], Spec]:
    leaves, spec = flatten(result)
    nodes: list[Node] = []
    results: list[Result] = []
    for leaf in leaves:
        if isinstance(leaf, (Tracer, np.ndarray, np.generic, float, complex)):
            is_array = leaf.is_array if isinstance(leaf, Tracer) else isinstance(leaf, np.ndarray)
            results.append(Result(len(nodes), is_array))
            nodes.append(lift(leaf))
        else:
            _check_static(leaf)
            results.append(Result(None, static=leaf))
    return nodes, tuple(results), spec


def _check_static(leaf: Any) -> None:
    """Raises TraceError where a part of a result that is not computed holds traced values."""
    kind, way_out = type(leaf), "Return arrays, or a dict, list, tuple or dataclass of them."
    if issubclass(kind, Iterator):
        raise TraceError(word(f"the result holds a {kind.__name__}", way_out=way_out))
    traced = held_tracer(leaf)
    if traced is not None:
        what = f"the result holds a traced value in a {kind.__name__}"
        raise TraceError(word(what, depends_on=depends_on(traced.node), way_out=way_out))


def held_tracer(value: Any) -> Tracer | None:
    """A traced value that a function or an object holds."""
    if issubclass(type(value), (type, ModuleType)):
        return None
    cells = map(_content, getattr(value, "__closure__", None) or ())
    held, _ = flatten([*getattr(value, "__dict__", {}).values(), *cells])
    return next((each for each in held if isinstance(each, Tracer)), None)


def _content(cell: CellType) -> Any:
    """A list of what a cell of a closure holds; None before it is assigned."""
    try:
        return [cell.cell_contents]
    except ValueError:  # not assigned
        return None


def leaf_names(parameters: Parameters, spec: Spec) -> tuple[str, ...]:
    """How the user would write each leaf: `W`, `params["W"][0]`."""
    parts = zip(parameters.names, spec.children(), strict=True)
    return tuple([text for name, child in parts for text in leaf_sources(name, child)])


def identifier(name: str) -> str:
    """An identifier for a leaf: weights[0] becomes weights_0, params["W"] becomes W."""
    root, keys = _PATH.match(name).groups()  # type: ignore[union-attr]
    kept = "_".join(_WORD.findall(keys))
    return kept if kept[:1].isalpha() else "_".join(filter(None, (root, kept)))


def _check_leaks(running: Context, nodes: Iterable[Node]) -> None:
    """Raises TraceError where a value of a loop's body is used outside of it."""
    for each in nodes:
        if each in running.flow.placeholders:
            what = f"`{each.name}`, or what is computed from it, is used outside of its loop"  # type: ignore[attr-defined]
            raise TraceError(word(what, way_out="Return it from the function that is repeated."))


def _name_operands(running: Context, notes: dict[Node, Note], since: int) -> None:
    """Name values after the variables through which the user's code first reads them."""
    for place, operands in itertools.islice(running.operands, since, None):
        for each, name in zip(operands, operand_names(place), strict=False):
            note = notes.get(each) if each is not None else None
            if note is not None and not note.name and name:
                note.name, note.derived = name, True


def notes_of(
    running: Context, inputs: Iterable[Input], nodes: Sequence[Node], since: int = 0
) -> dict[Node, Note]:
    """The notes of what was traced: user's names, lines, and names derived from a consumer's.

    `since` is the first of the operations through which values are named.
    """
    notes: dict[Node, Note] = {each: Note(each.name) for each in inputs}
    notes |= {each: running.inherited[each] for each in nodes if each in running.inherited}
    for each in nodes:
        if each in notes or isinstance(each, Const):
            continue
        named, made = running.named.get(each), running.places.get(each)
        name = name_at(named) if named else ""
        place = named if name else made or named
        if place is not None:
            notes[each] = Note(name, position=position_of(place))
    _name_operands(running, notes, since)
    found = users(nodes)
    for each, note in notes.items():
        if each.type.dtype.kind == "b":
            continue
        consumers = found.get(each, ())
        if not note.name and len(consumers) == 1:
            consumer = notes.get(consumers[0])
            if consumer is not None and consumer.name and not consumer.derived:
                note.name, note.derived = f"{consumer.name}_in", True
    return notes
