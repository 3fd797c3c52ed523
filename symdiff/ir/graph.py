"""A graph: inputs, outputs, and notes about its nodes kept on the side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from symdiff.ir.node import Const, Input, Node, node
from symdiff.ir.types import TUPLE


class Position(NamedTuple):
    """A place in the user's source: file, line and the text of that line."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.rsplit('/', 1)[-1]}:{self.line}"

    @property
    def said(self) -> str:
        """`file.py:14: the line`, for messages."""
        return f"{self}: {self.text}" if self.text else str(self)


class Note:
    """What is known about a node beside its meaning.

    `name` is the user's name for the value, or (`derived`) one taken from its consumer's; for a
    tangent or cotangent it is the name of the primal, and `suffix` ("dot", "bar") says which.
    `of` is that primal node.
    """

    __slots__ = ("derived", "name", "of", "position", "suffix")

    def __init__(
        self,
        name: str = "",
        suffix: str = "",
        position: Position | None = None,
        of: Node | None = None,
        derived: bool = False,
    ) -> None:
        self.name = name
        self.suffix = suffix
        self.position = position
        self.of = of
        self.derived = derived


class Graph:
    """A function of arrays: nodes reachable from `outputs` (and `effects`) over `inputs`.

    `effects` are truth values: where one is False the graph is not that of the function, since
    shapes in it rest on another value. They stay through every stage.
    """

    __slots__ = ("_nodes", "effects", "inputs", "name", "notes", "outputs")

    def __init__(
        self,
        name: str,
        inputs: tuple[Input, ...],
        outputs: tuple[Node, ...],
        effects: tuple[Node, ...] = (),
        notes: dict[Node, Note] | None = None,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.effects = effects
        self.notes: dict[Node, Note] = {} if notes is None else notes
        self._nodes: tuple[Node, ...] = ()  # once they were asked for

    def nodes(self) -> tuple[Node, ...]:
        """Every reachable node, operands before their users."""
        self._nodes = self._nodes or tuple(toposort((*self.outputs, *self.effects)))
        return self._nodes

    def with_outputs(self, outputs: Iterable[Node], name: str = "") -> Graph:
        return Graph(name or self.name, self.inputs, tuple(outputs), self.effects, self.notes)


def positions_of(graph: Graph) -> dict[Node, Position]:
    """The user's line of each node; what has none shares that of a reader."""
    found: dict[Node, Position] = {}
    for each in reversed(graph.nodes()):
        note = graph.notes.get(each)
        position = (note.position if note else None) or found.get(each)
        if position:
            found[each] = position
            for arg in each.args:
                found.setdefault(arg, position)
    return found


_serial = attrgetter("serial")


def toposort(outputs: Iterable[Node]) -> list[Node]:
    """Every node that `outputs` depend on, operands first, in the order of creation.

    Operands are created before their users, so creation order is a topological one: program
    order, independent of hashes, and found without recursion.
    """
    seen: set[Node] = set()
    found = list(outputs)
    for each in found:  # grows
        if each not in seen:
            seen.add(each)
            found += each.args
    return sorted(seen, key=_serial)


def users(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node, the nodes that read it (once per operand position)."""
    found: dict[Node, list[Node]] = {}
    for each in nodes:
        for arg in each.args:
            found.setdefault(arg, []).append(each)
    return found


def substitute(outputs: Iterable[Node], replacements: Mapping[Node, Node]) -> dict[Node, Node]:
    """For every node below `outputs`, what it becomes when some nodes are replaced."""
    new = dict(replacements)
    for each in toposort(outputs):
        if each in new or isinstance(each, (Input, Const)):
            new.setdefault(each, each)
            continue
        args = tuple([new[arg] for arg in each.args])
        new[each] = each if args == each.args else node(each.op, args, each.params)
    return new


def depends_on(outputs: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes below `outputs` that depend on any of `sources`, these included."""
    found = set(sources)
    for each in toposort(outputs):
        if any(arg in found for arg in each.args):
            found.add(each)
    return found


def between(top: Node, bottom: Iterable[Node]) -> list[Node]:
    """The nodes above `bottom` that `top` is computed from."""
    found: list[Node] = []
    seen = {*bottom}
    stack = list(top.args) if top not in seen else []
    while stack:
        each = stack.pop()
        if each not in seen:
            seen.add(each)
            found.append(each)
            stack.extend(each.args)
    return found


# ---------------------------------------------------------------------------- graphs inside graphs


def bodies(each: Node) -> Iterator[Graph]:
    """The graphs that a node of control flow runs."""
    if each.type is not TUPLE:  # such nodes give several values
        return
    for _, value in each.params:
        for found in value if isinstance(value, tuple) else (value,):
            if isinstance(found, Graph):
                yield found


def has_bodies(graph: Graph) -> bool:
    """Whether there is a node of control flow in the graph."""
    several = [each for each in graph.nodes() if each.type is TUPLE]
    return any(True for each in several for _ in bodies(each))


def with_bodies(each: Node, change: Callable[[Graph], Graph]) -> Node:
    """The node with each of its graphs changed into one of the same inputs and output types."""
    params = tuple([(name, _changed(value, change)) for name, value in each.params])
    return each if params == each.params else node(each.op, each.args, params)


def _changed(value: Any, change: Callable[[Graph], Graph]) -> Any:
    if isinstance(value, Graph):
        return change(value)
    if isinstance(value, tuple) and value and isinstance(value[0], Graph):
        return tuple([change(each) for each in value])
    return value


def every_graph(graph: Graph) -> Iterator[Graph]:
    """The graph, and all that are inside it, each once."""
    seen: set[Graph] = set()
    waiting = [graph]
    while waiting:
        own = waiting.pop()
        if own not in seen:
            seen.add(own)
            yield own
            waiting += [body for each in own.nodes() for body in bodies(each)]


def every_node(graph: Graph) -> set[Node]:
    """The nodes of the graph and of all graphs inside it."""
    return {each for own in every_graph(graph) for each in own.nodes()}


def map_bodies(
    graph: Graph, change: Callable[[Graph], Graph], primal: Collection[Node] = ()
) -> Graph:
    """The graph with those right inside it changed, to such of the same inputs and output types.

    Where `primal`, the nodes of the user's own program, is a set, it grows by what they become.
    """
    if not has_bodies(graph):
        return graph
    known: dict[Graph, Graph] = {}

    def once(body: Graph) -> Graph:
        if body not in known:
            known[body] = change(body)
        return known[body]

    new: dict[Node, Node] = {}
    notes = dict(graph.notes)
    for each in graph.nodes():
        args = tuple([new[arg] for arg in each.args])
        made = each if args == each.args else node(each.op, args, each.params, each.type)
        if each.type is TUPLE:
            made = with_bodies(made, once)
        new[each] = made
        if made is not each:
            if each in notes:
                notes.setdefault(made, notes[each])
            if each in primal and isinstance(primal, set):
                primal.add(made)
    outputs = tuple([new[each] for each in graph.outputs])
    effects = tuple([new[each] for each in graph.effects])
    if (outputs, effects) == (graph.outputs, graph.effects):
        return graph
    return Graph(graph.name, graph.inputs, outputs, effects, notes)
