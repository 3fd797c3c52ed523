"""Effects: what calls do besides giving a value, each a node that takes the effect before it.

So none is left out, and they stay in the order of the program. Each but the first has a `number`
of its own, so that equal effects are two, and what rewriting made of one is still that one.
"""

from __future__ import annotations

from symdiff.errors import RuleError
from symdiff.ir.graph import Graph, substitute
from symdiff.ir.node import Node
from symdiff.ir.types import TUPLE
from symdiff.ops.primitive import Primitive, register


class Happened:
    """The value of an effect: that it is there."""


# What there is before the first effect of a program.
beginning = register(
    Primitive(
        name="beginning",
        function=Happened,
        arguments=(),
        result=lambda: TUPLE,
        rules={},
        effect=True,
    )
)


PRINTING = "printing"  # the name of the records of what is said


def prints(each: Node) -> bool:
    """Whether an effect is a call of print or its kin."""
    return each.op.name == PRINTING


def happens(each: Node) -> bool:
    """Whether the node is an effect."""
    return isinstance(each.op, Primitive) and each.op.effect


def in_one_chain(graph: Graph) -> Graph:
    """The graph in which each effect is one node, that of the chain which ends in its effects.

    Raises RuleError for an effect that is not in it.
    """
    chain: dict[int, Node] = {}
    for each in filter(happens, graph.effects):
        while each.args:
            chain[each.param("number")] = each
            each = each.args[0]
    replaced: dict[Node, Node] = {}
    for each in filter(happens, graph.nodes()):
        if not each.args:
            continue
        found = chain.get(each.param("number"))
        if found is None:
            raise RuleError(f"{graph.name}: {each} is not among the effects of the program")
        if found is not each:
            replaced[each] = found
    if not replaced:
        return graph
    new = substitute((*graph.outputs, *graph.effects), replaced)
    notes = dict(graph.notes)
    for before, after in new.items():
        if before in notes:
            notes.setdefault(after, notes[before])
    outputs, effects = ([new[each] for each in nodes] for nodes in (graph.outputs, graph.effects))
    return Graph(graph.name, graph.inputs, tuple(outputs), tuple(effects), notes)
