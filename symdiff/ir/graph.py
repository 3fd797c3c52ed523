"""A graph: inputs, outputs, and notes about its nodes kept on the side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple

from symdiff.ir.node import Const, Input, Node, node


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

    __slots__ = ("effects", "inputs", "name", "notes", "outputs")

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

    def nodes(self) -> list[Node]:
        """Every reachable node, operands before their users."""
        return toposort((*self.outputs, *self.effects))

    def with_outputs(self, outputs: Iterable[Node], name: str = "") -> Graph:
        return Graph(name or self.name, self.inputs, tuple(outputs), self.effects, self.notes)


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
