"""vmap: a graph that maps another over a new leading axis of some of its inputs.

Elementwise nodes need nothing but operands of equal shape; any other primitive has a batching
rule, which is a NumPy function and read by the tracer. What depends on no batched input is
computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from symdiff.errors import RuleError
from symdiff.frontend.rules import template
from symdiff.frontend.tracer import coerce
from symdiff.ir.graph import Graph, Note, between
from symdiff.ir.node import Const, Input, Node, Params, input_node, node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import Primitive, asks_for


def batch(
    graph: Graph, inputs: Collection[Input], size: int, primal: set[Node] | None = None
) -> Graph:
    """The graph for `size` values of each of `inputs` at once.

    Outputs that depend on them have `size` values in front too, the others are as they were.
    `primal`, the nodes of the user's own program, grows by the nodes that they become.
    """
    rows: dict[Node, Node] = {
        each: input_node(each.name, _stacked(each.type, size))
        for each in graph.inputs
        if each in inputs
    }
    for each in graph.nodes():
        if not isinstance(each, (Input, Const)) and any(arg in rows for arg in each.args):
            made = rows[each] = _batch_node(each, rows, size)
            if primal is not None and each in primal:
                primal.update((made, *between(made, [rows.get(arg, arg) for arg in each.args])))
    return Graph(
        graph.name,
        tuple([rows.get(each, each) for each in graph.inputs]),  # type: ignore[misc]
        tuple([rows.get(each, each) for each in graph.outputs]),
        tuple([rows.get(each, each) for each in graph.effects]),
        _carried(graph.notes, rows),
    )


def _stacked(each: ArrayType, size: int) -> ArrayType:
    """The type with the batch axis in front. Python scalars become arrays of their dtype."""
    return array_type(each.dtype, (size, *each.shape))


def _carried(notes: dict[Node, Note], rows: dict[Node, Node]) -> dict[Node, Note]:
    """The notes, with those of batched nodes on the nodes that replace them."""
    carried = dict(notes)
    for each, row in rows.items():
        if each in notes:
            old = notes[each]
            of = rows.get(old.of, old.of) if old.of is not None else None
            carried.setdefault(row, Note(old.name, old.suffix, old.position, of, old.derived))
    return carried


def _batch_node(each: Node, rows: dict[Node, Node], size: int) -> Node:
    op = each.op
    assert isinstance(op, Primitive)
    if op.elementwise:
        made = node(op, _all_batched(each, rows, size), _strong(each.params))
    elif op.batch is None:
        raise RuleError(f"{op.name} has no batching rule")
    elif asks_for(op.batch, "batched"):
        batched = tuple([arg in rows for arg in each.args])
        args = tuple([rows.get(arg, arg) for arg in each.args])
        made = _apply(op, op.batch, args, (*each.params, ("batched", batched)))
    else:
        made = _apply(op, op.batch, _all_batched(each, rows, size), each.params)
    if made.type != _stacked(each.type, size):
        raise RuleError(
            f"the batching rule of {op.name} gives {made.type}, not {_stacked(each.type, size)}"
        )
    return made


def _all_batched(each: Node, rows: dict[Node, Node], size: int) -> tuple[Node, ...]:
    """The operands, those that are not batched repeated along the batch axis."""
    return tuple([rows.get(arg) or coerce(arg, _stacked(arg.type, size)) for arg in each.args])


def _strong(params: Params) -> Params:
    """A batch of Python scalars is an array, so what made a Python scalar makes an array."""
    return tuple([(key, False) if key == "weak" else (key, value) for key, value in params])


def _apply(op: Primitive, rule: Callable[..., Any], args: tuple[Node, ...], params: Params) -> Node:
    return template(rule, tuple([arg.type for arg in args]), params, op.name).replay(list(args))
