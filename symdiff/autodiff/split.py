"""split: one program in two, before and after some of its inputs are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symdiff.ir.graph import Graph, Note, depends_on, substitute, toposort
from symdiff.ir.node import Const, Input, Node, Op, input_node


def split(
    graph: Graph, late: Sequence[Input], early: int, repeated: Collection[Op] = ()
) -> tuple[Graph, Graph]:
    """The first `early` outputs as one graph, without the inputs `late`, and the others as another.

    The first graph returns its outputs and then the residuals; the second takes the residuals
    and then `late`. What must hold is known early. Steps of the ops `repeated` are done late.
    """
    residuals = _residuals(graph.outputs[early:], late, repeated)
    first_inputs = tuple(each for each in graph.inputs if each not in set(late))
    outputs = (*graph.outputs[:early], *residuals)
    first = Graph(graph.name, first_inputs, outputs, graph.effects, graph.notes)
    return first, _after(graph, graph.outputs[early:], residuals, late)


def _residuals(
    outputs: Sequence[Node], late: Sequence[Input], repeated: Collection[Op]
) -> list[Node]:
    """What is known early and read late, in order."""
    later = depends_on(outputs, late)
    reads = [arg for each in toposort(outputs) if each in later for arg in each.args]
    known = [_before(arg, repeated) for arg in (*reads, *outputs) if arg not in later]
    return list(dict.fromkeys(each for each in known if not isinstance(each, Const)))


def _before(each: Node, steps: Collection[Op]) -> Node:
    """What a value is before it takes these steps."""
    while each.op in steps:
        each = each.args[0]
    return each


def _after(
    graph: Graph, outputs: Sequence[Node], residuals: Sequence[Node], late: Sequence[Input]
) -> Graph:
    inputs: dict[Node, Node] = {}
    notes: dict[Node, Note] = {each: Note(each.name) for each in late}
    taken = {each.name for each in late}  # inputs of one name and type would be one node
    for i, each in enumerate(residuals):
        note = graph.notes.get(each) or Note()
        own = each.name if isinstance(each, Input) else note.name
        stem = "_".join(filter(None, (own, note.suffix)))
        name = stem if stem and stem not in taken else f"{stem or 'residual'}_{i}"
        while name in taken:
            name += "_"
        taken.add(name)
        made = input_node(name, each.type)
        inputs[each] = made
        notes[made] = Note(made.name)
    new = substitute(outputs, inputs)
    for each, becomes in new.items():
        if each in graph.notes:
            notes.setdefault(becomes, graph.notes[each])
    known = tuple(each for each in inputs.values() if isinstance(each, Input))
    return Graph(graph.name, (*known, *late), tuple(new[each] for each in outputs), (), notes)
