"""Rewriting: tables of named rules, and the stages that apply them.

A rule is a row of data: a pattern and a replacement, both written in NumPy, and a class that says
how exact it is (see `pattern.Exactness`).
"""

from __future__ import annotations

from collections.abc import Collection

from symdiff.ir.graph import Graph, substitute
from symdiff.ir.node import Node
from symdiff.rewrite.algebra import ALGEBRA
from symdiff.rewrite.broadcast import BROADCAST
from symdiff.rewrite.constants import CONSTANTS
from symdiff.rewrite.diagonal import DIAGONAL
from symdiff.rewrite.engine import Application, Table, rewrite
from symdiff.rewrite.linalg import LINALG
from symdiff.rewrite.pattern import Exactness, Rule, rule, rules
from symdiff.rewrite.shifts import hold_shifts
from symdiff.rewrite.stability import STABILITY

__all__ = [
    "TABLES",
    "Application",
    "Exactness",
    "Rule",
    "rule",
    "rules",
    "simplify",
    "stabilize",
    "tidy",
]

TABLES: dict[str, Table] = {
    "constants": CONSTANTS,
    "algebra": ALGEBRA,
    "broadcast": BROADCAST,
    "linalg": LINALG,
    "diagonal": DIAGONAL,
    "stability": STABILITY,
}


def stabilize(
    graph: Graph, *, math: str = "default", log: list[Application] | None = None
) -> Graph:
    """The user's program with what overflows needlessly replaced: before it is linearized."""
    log = [] if log is None else log
    held = hold_shifts(graph, log) if math != "ieee" else graph
    results = (*held.outputs, *held.effects)
    opened = Graph(held.name, held.inputs, results, (), held.notes)
    stable = rewrite(opened, (STABILITY,), math=math, primal=held.nodes(), log=log)
    return _selecting_as(graph, stable)


def _selecting_as(graph: Graph, stable: Graph) -> Graph:
    """The stable program on the masks that the user's own selects by, to the bit."""
    count = len(graph.outputs)
    masks = {
        after.args[0]: before.args[0]
        for before, after in zip(graph.effects, stable.outputs[count:], strict=True)
        if before is not after
    }
    outputs, notes = stable.outputs[:count], dict(stable.notes)
    if masks:
        new = substitute(outputs, masks)
        outputs = tuple([new[each] for each in outputs])
        for before, after in new.items():
            if before in notes:
                notes.setdefault(after, notes[before])
    return Graph(stable.name, stable.inputs, outputs, graph.effects, notes)


def simplify(
    graph: Graph,
    *,
    primal: Collection[Node] = (),
    math: str = "default",
    log: list[Application] | None = None,
) -> Graph:
    """The graph in fewer operations. `primal` are the nodes of the user's own program.

    They keep their bits; where `primal` is a set, it grows by the nodes that they become.
    """
    return rewrite(graph, tuple(TABLES.values()), math=math, primal=primal, log=log)


def tidy(
    graph: Graph,
    *,
    primal: Collection[Node] = (),
    math: str = "default",
    log: list[Application] | None = None,
) -> Graph:
    """As `simplify`, but the formulas of stable compositions stay written out."""
    tables = tuple([table for table in TABLES.values() if table is not STABILITY])
    return rewrite(graph, tables, math=math, primal=primal, log=log)
