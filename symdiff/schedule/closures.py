"""What a body reads of the program around it: no constants, and nothing that NumPy does by itself.

Where a body computes `c * u` for a number c and an array u, the graph may repeat c outside of it.
"""

from __future__ import annotations

from typing import Any

from symdiff.ir.graph import Graph, bodies, substitute
from symdiff.ir.node import Const, Input, Node, input_node, node
from symdiff.ir.types import TUPLE
from symdiff.schedule.implicit import IMPLICIT, operands


def closed(each: Node, primal: set[Node]) -> Node:
    """The node of control flow, with what its bodies need not be given moved into these.

    `primal` grows by what its nodes become.
    """
    if not any(True for _ in bodies(each)):
        return each
    first, count = _invariant(each)
    inside = {i for i in range(first, first + count) if _is_moved(each.args[i])}
    while inside:
        changed = {body: _changed(each, body, first, inside, primal) for body in bodies(each)}
        computed = {i for _, found in changed.values() for i in found}
        if not computed:
            args = [
                _base(arg) if i in inside else arg
                for i, arg in enumerate(each.args)
                if i not in inside or not isinstance(arg, Const)
            ]
            params = [(key, _replaced(value, changed)) for key, value in each.params]
            return node(each.op, tuple(args), tuple(params))
        inside -= computed
    return each


def _invariant(each: Node) -> tuple[int, int]:
    """The place of the first operand that stays the same in each trip, and how many do."""
    params: dict[str, Any] = dict(each.params)
    if "branches" in params:
        return 1, len(each.args) - 1
    first = int(params["trips"] is None and params["test"] is None)
    return first, len(each.args) - first - params["carried"] - params["scanned"]


def _is_moved(arg: Node) -> bool:
    return isinstance(arg, Const) or arg.op in IMPLICIT


def _base(arg: Node) -> Node:
    """What an operand is made of."""
    while arg.op in IMPLICIT:
        (arg,) = arg.args
    return arg


def _changed(
    each: Node, body: Graph, first: int, inside: set[int], primal: set[Node]
) -> tuple[Graph, list[int]]:
    """A body with these operands made inside, and those for which there is something to compute."""
    ahead = int(body is dict(each.params).get("body"))  # the index comes before all operands
    inputs: list[Input] = list(body.inputs)
    values: dict[Node, Node] = {}
    steps: dict[Node, int] = {}
    dropped: set[Input] = set()
    for i in inside:
        own, arg = body.inputs[ahead + i - first], each.args[i]
        base = _base(arg)
        if isinstance(base, Const):
            dropped.add(own)
            made: Node = base
        else:
            made = inputs[ahead + i - first] = input_node(own.name, base.type)
        for step in _steps(arg):
            made = node(step.op, (made,), step.params)
            steps[made] = i
        values[own] = made
    new = substitute(body.outputs, values)
    primal.update(made for old, made in new.items() if old in primal)
    outputs = tuple([new[each] for each in body.outputs])
    notes = {new.get(each, each): note for each, note in body.notes.items()}
    changed = Graph(
        body.name, tuple([own for own in inputs if own not in dropped]), outputs, (), notes
    )
    return changed, [steps[each] for each in _computed(outputs, primal) if each in steps]


def _steps(arg: Node) -> list[Node]:
    """The steps from the base of an operand to it."""
    found = []
    while arg.op in IMPLICIT:
        found.append(arg)
        (arg,) = arg.args
    return found[::-1]


def _computed(outputs: tuple[Node, ...], primal: set[Node]) -> set[Node]:
    """The nodes that emitted code has expressions for."""
    seen: set[Node] = set()
    waiting = list(outputs)
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += operands(closed(each, primal) if each.type is TUPLE else each)
    return seen


def _replaced(value: Any, changed: dict[Graph, tuple[Graph, list[int]]]) -> Any:
    if isinstance(value, Graph):
        return changed[value][0]
    if isinstance(value, tuple):
        return tuple([changed[each][0] for each in value])
    return value
