"""expand: primitives that are no single NumPy call become the NumPy code they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from symdiff.frontend.rules import Template, template
from symdiff.ir.graph import Graph, Note, between, map_bodies
from symdiff.ir.node import Node, node
from symdiff.ops.primitive import Primitive, asks_for
from symdiff.schedule.buffers import spares


def expand(
    graph: Graph, primal: set[Node] | None = None, reuse: bool = False, c: bool = False
) -> Graph:
    """The graph with every applicable `Primitive.expansion` written out; for C, `c_expansion` too.

    What replaces a node takes its name; what it is computed from takes its source line. `primal`,
    the nodes of the user's own program, grows by the nodes that they become. So it is in the graphs
    inside it. With `reuse`, what is written out saves memory.
    """
    own = set() if primal is None else primal
    graph = map_bodies(graph, lambda body: expand(body, own, reuse, c), own)
    nodes = graph.nodes()
    while any(_formula(each, reuse, c) for each in nodes):  # a formula may hold further ones
        graph = _expand_once(graph, nodes, own, reuse, c)
        nodes = graph.nodes()
    return graph


def _expand_once(
    graph: Graph, nodes: Sequence[Node], primal: set[Node], reuse: bool, c: bool
) -> Graph:
    notes = dict(graph.notes)
    new: dict[Node, Node] = {}
    for each in nodes:
        args = tuple([new[arg] for arg in each.args])
        formula = _formula(each, reuse, c)
        if formula is not None:
            new[each] = formula.replay(list(args))
        else:
            new[each] = each if args == each.args else node(each.op, args, each.params, each.type)
        if new[each] is each:
            continue
        inner = between(new[each], args)
        if each in primal:
            primal.update((new[each], *inner))
        note = graph.notes.get(each)
        if note is not None:
            of = new.get(note.of, note.of) if note.of is not None else None
            made = Note(note.name, note.suffix, note.position, of, note.derived)
            notes.setdefault(new[each], made)
            for below in inner:
                notes.setdefault(below, Note("", note.suffix, note.position))
    outputs = tuple([new[each] for each in graph.outputs])
    effects = tuple([new[each] for each in graph.effects])
    return Graph(graph.name, graph.inputs, outputs, effects, notes)


def _formula(each: Node, reuse: bool, c: bool) -> Template | None:
    """The traced expansion of a node, None where it is printed as a call."""
    if not isinstance(each.op, Primitive):
        return None
    rule = (each.op.c_expansion if c else None) or each.op.expansion
    if rule is None:
        return None
    types = tuple([arg.type for arg in each.args])
    saving = (("reuse", True),) if spares(each, reuse) and asks_for(rule, "reuse") else ()
    found = template(rule, types, (*each.params, *saving), each.op.name)
    return None if found.number is NotImplemented else found
