"""vmap: a graph that maps another over a new leading axis of some of its inputs.

Elementwise nodes need nothing but operands of equal shape; any other primitive has a batching
rule, which is a NumPy function and read by the tracer. What depends on no batched input is
computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from symdiff.errors import RuleError, TraceError, word
from symdiff.frontend.rules import template
from symdiff.frontend.tracer import coerce
from symdiff.ir.graph import Graph, Note, between, bodies, every_node
from symdiff.ir.node import Const, Input, Node, Params, input_node, node
from symdiff.ir.types import TUPLE, ArrayType, ObjectType, array_type
from symdiff.ops import control
from symdiff.ops.effects import happens
from symdiff.ops.primitive import Primitive, asks_for


def batch(
    graph: Graph,
    inputs: Collection[Input],
    size: int,
    primal: set[Node] | None = None,
    since: int = 0,
) -> Graph:
    """The graph for `size` values of each of `inputs` at once.

    Outputs that depend on them have `size` values in front too, the others are as they were.
    `primal`, the nodes of the user's own program, grows by the nodes that they become. Effects
    with a number from `since` on happen for each row.
    """
    rows: dict[Node, Node] = {
        each: input_node(each.name, _stacked(each.type, size))
        for each in graph.inputs
        if each in inputs
    }
    new = dict(rows)  # what becomes of a node, batched or not
    values: dict[Node, list[tuple[Node, bool]]] = {}  # of loops and branches
    for each in graph.nodes():
        if isinstance(each, (Input, Const)):
            continue
        if each.args and each.args[0] in values:
            new[each], batched = values[each.args[0]][each.param("index")]
            if batched:
                rows[each] = new[each]
        elif each.op.control and any(arg in rows for arg in each.args):  # type: ignore[attr-defined]
            values[each] = _control_values(each, rows, new, size, primal)
            continue
        elif _is_row(each, rows, since):
            if happens(each):
                _check_effect(each, rows, graph.notes)
            rows[each] = new[each] = _batch_node(each, rows, new, size)
        elif any(arg in new for arg in each.args):  # it follows an effect that is batched
            new[each] = node(each.op, tuple([new.get(arg, arg) for arg in each.args]), each.params)
        else:
            continue
        if primal is not None and each in primal:
            args = [new.get(arg, arg) for arg in each.args]
            primal.update((new[each], *between(new[each], args)))
    return Graph(
        graph.name,
        tuple([new.get(each, each) for each in graph.inputs]),  # type: ignore[misc]
        tuple([new.get(each, each) for each in graph.outputs]),
        tuple([new.get(each, each) for each in graph.effects]),
        _carried(graph.notes, new),
    )


def _is_row(each: Node, rows: dict[Node, Node], since: int) -> bool:
    """Whether there is one of it for each row."""
    if not happens(each):
        return any(arg in rows for arg in _of_value(each))
    own = any(isinstance(arg.type, ObjectType) and not _is_seeded(arg) for arg in each.args)
    return any(arg in rows for arg in each.args[1:]) or (own and each.param("number") >= since)


def _of_value(each: Node) -> tuple[Node, ...]:
    """The operands that the value of a node depends on."""
    return each.args[:1] if each.op is control.again else each.args


def _check_effect(each: Node, rows: dict[Node, Node], notes: dict[Node, Note]) -> None:
    """Raises TraceError where doing an effect for all rows at once is not to do it row by row."""
    assert isinstance(each.op, Primitive)
    generators = {arg for arg in each.args if isinstance(arg.type, ObjectType)}
    before = each.args[0]
    again = False
    while before.args and not again:
        again = before in rows and not generators.isdisjoint(before.args)
        before = before.args[0]
    reason = "more than once for each row" if again else each.op.by_row(**dict(each.params))
    if any(map(_is_seeded, generators)):
        reason = "with parameters that differ by row, from a generator made for each row"
    if reason:
        note = notes.get(each)
        raise TraceError(
            word(
                f"a function that is mapped draws {reason}",
                where=note.position.said if note and note.position else "",
                way_out="Draw before, for all rows, and map over what was drawn.",
            )
        )


def _is_seeded(generator: Node) -> bool:
    """Whether each row would make the random generator anew, and draw the same numbers."""
    return bool(dict(generator.params).get("given"))


def _stacked(each: ArrayType, size: int) -> ArrayType:
    """The type with the batch axis in front. Python scalars become arrays of their dtype.

    Behind extents that are not known, over which loops go.
    """
    if each.dtype == TUPLE.dtype:
        return each
    place = max((i + 1 for i, extent in enumerate(each.shape) if extent < 0), default=0)
    return array_type(each.dtype, (*each.shape[:place], size, *each.shape[place:]))


def _control_values(
    each: Node, rows: dict[Node, Node], new: dict[Node, Node], size: int, primal: set[Node] | None
) -> list[tuple[Node, bool]]:
    """The values of a loop or a branch, and whether they have rows."""
    from symdiff import batch_control  # which few programs need

    def own(graph: Graph, inputs: Collection[Input]) -> Graph:
        return batch(graph, inputs, size, primal)

    args = [new.get(arg, arg) for arg in each.args]
    mapped = batch_control.Rows(size, lambda type: _stacked(type, size), own)
    values = batch_control.batched(each, args, [arg in rows for arg in each.args], mapped)
    if primal is not None and each in primal:
        for value in values:
            own_nodes = (value.node, *between(value.node, args))
            primal.update(own_nodes)
            primal.update(n for one in own_nodes for body in bodies(one) for n in every_node(body))
    return [(value.node, value.batched) for value in values]


def _carried(notes: dict[Node, Note], rows: dict[Node, Node]) -> dict[Node, Note]:
    """The notes, with those of batched nodes on the nodes that replace them."""
    carried = dict(notes)
    for each, row in rows.items():
        if each in notes:
            old = notes[each]
            of = rows.get(old.of, old.of) if old.of is not None else None
            carried.setdefault(row, Note(old.name, old.suffix, old.position, of, old.derived))
    return carried


def _batch_node(each: Node, rows: dict[Node, Node], new: dict[Node, Node], size: int) -> Node:
    op = each.op
    assert isinstance(op, Primitive)
    if op.elementwise:
        made = node(op, _all_batched(each, rows, new, size), _strong(each.params))
    elif op.batch is None:
        raise RuleError(f"{op.name} has no batching rule")
    elif asks_for(op.batch, "batched"):
        batched = tuple([arg in rows for arg in each.args])
        args = tuple([new.get(arg, arg) for arg in each.args])
        told = (("batched", batched), *((("rows", size),) if asks_for(op.batch, "rows") else ()))
        made = _apply(op, op.batch, args, (*each.params, *told))
    else:
        made = _apply(op, op.batch, _all_batched(each, rows, new, size), each.params)
    if made.type != _stacked(each.type, size):
        raise RuleError(
            f"the batching rule of {op.name} gives {made.type}, not {_stacked(each.type, size)}"
        )
    return made


def _all_batched(
    each: Node, rows: dict[Node, Node], new: dict[Node, Node], size: int
) -> tuple[Node, ...]:
    """The operands, those that are not batched repeated along the batch axis."""
    return tuple(
        [
            rows.get(arg) or coerce(new.get(arg, arg), _stacked(arg.type, size))
            for arg in each.args
        ]
    )


def _strong(params: Params) -> Params:
    """A batch of Python scalars is an array, so what made a Python scalar makes an array."""
    return tuple([(key, False) if key == "weak" else (key, value) for key, value in params])


def _apply(op: Primitive, rule: Callable[..., Any], args: tuple[Node, ...], params: Params) -> Node:
    return template(rule, tuple([arg.type for arg in args]), params, op.name).replay(list(args))
