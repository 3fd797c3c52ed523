"""Rewriting: tables of named rules, and the stages that apply them.

A rule is a row of data: a pattern and a replacement, both written in NumPy, and a class that says
how exact it is (see `pattern.Exactness`).
"""

from __future__ import annotations

from collections.abc import Collection

from symdiff.ir.graph import Graph, has_bodies, map_bodies, substitute
from symdiff.ir.node import Const, Node, node
from symdiff.ops.shaping import is_guard
from symdiff.rewrite.algebra import ALGEBRA
from symdiff.rewrite.broadcast import BROADCAST
from symdiff.rewrite.constants import CONSTANTS
from symdiff.rewrite.diagonal import DIAGONAL
from symdiff.rewrite.engine import Application, Table, rewrite
from symdiff.rewrite.linalg import LINALG
from symdiff.rewrite.pattern import Exactness, Rule, rule, rules
from symdiff.rewrite.shifts import hold_shifts
from symdiff.rewrite.stability import STABILITY
from symdiff.rewrite.stores import STORES

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
    "stores": STORES,
    "linalg": LINALG,
    "diagonal": DIAGONAL,
    "stability": STABILITY,
}


def stabilize(
    graph: Graph, *, math: str = "default", log: list[Application] | None = None
) -> Graph:
    """The user's program with what overflows needlessly replaced: before it is linearized."""
    own = [] if log is None else log
    graph = map_bodies(graph, lambda body: stabilize(body, math=math, log=own))
    if math != "ieee":
        graph = hold_shifts(graph, own)
    return _rewritten(graph, (STABILITY,), math, graph.nodes(), own)


def simplify(
    graph: Graph,
    *,
    primal: Collection[Node] = (),
    math: str = "default",
    log: list[Application] | None = None,
    settled: set[Node] | None = None,
    apart: bool = False,
) -> Graph:
    """The graph in fewer operations. `primal` are the nodes of the user's own program.

    They keep their bits; where `primal` is a set, it grows by the nodes that they become.
    `settled` grows by the nodes that no rule fits: `tidy` need not look at them again. Loops of
    derivatives stay `apart` from those of the function, if that is asked for.
    """
    return _in_all(graph, tuple(TABLES.values()), math, primal, log, settled, apart)


def tidy(
    graph: Graph,
    *,
    primal: Collection[Node] = (),
    math: str = "default",
    log: list[Application] | None = None,
    settled: set[Node] | None = None,
) -> Graph:
    """As `simplify`, but the formulas of stable compositions stay written out."""
    tables = tuple([table for table in TABLES.values() if table is not STABILITY])
    return _in_all(graph, tables, math, primal, log, settled)


def _in_all(
    graph: Graph,
    tables: tuple[Table, ...],
    math: str,
    primal: Collection[Node],
    log: list[Application] | None,
    settled: set[Node] | None,
    apart: bool = False,
) -> Graph:
    """The graph rewritten, and before it those inside it."""

    def change(body: Graph) -> Graph:
        return _in_all(body, tables, math, primal, log, settled)

    if not has_bodies(graph):
        return _rewritten(graph, tables, math, primal, log, settled)
    from symdiff.rewrite.control import arranged  # which few programs need

    graph = map_bodies(arranged(graph, primal, apart), change, primal)
    graph = arranged(_rewritten(graph, tables, math, primal, log, settled), primal, apart)
    return map_bodies(graph, change, primal)  # to which constants have come that were computed


def _rewritten(
    graph: Graph,
    tables: tuple[Table, ...],
    math: str,
    primal: Collection[Node],
    log: list[Application] | None,
    settled: set[Node] | None = None,
) -> Graph:
    """The graph rewritten: what is selected by masks stays the same to the bit."""
    graph = _with_exact_masks(graph, tables, primal)
    return rewrite(
        graph,
        tables,
        math=math,
        primal=primal,
        log=log,
        settled=settled,
        among=tuple(TABLES.values()),
    )


def _with_exact_masks(graph: Graph, tables: tuple[Table, ...], primal: Collection[Node]) -> Graph:
    """The graph with its masks rewritten as far as that is exact: from here on they stay."""
    guards = [each for each in graph.effects if is_guard(each)]
    masks = tuple([each.args[0] for each in guards])
    opened = Graph(graph.name, graph.inputs, masks, (), graph.notes)
    exact = rewrite(opened, tables, math="ieee", primal=primal) if masks else opened
    changed = {old: new for old, new in zip(masks, exact.outputs, strict=True) if old is not new}
    if not changed:
        return graph
    happens = [each for each in graph.effects if not is_guard(each)]
    new = substitute((*graph.outputs, *happens), changed)
    for before, after in new.items():
        if before in graph.notes:
            exact.notes.setdefault(after, graph.notes[before])
        if before in primal and isinstance(primal, set):
            primal.add(after)
    holds = [
        node(each.op, (mask,), each.params)
        for each, mask in zip(guards, exact.outputs, strict=True)
        if not isinstance(mask, Const)
    ]
    holds += [new[each] for each in happens]
    outputs = tuple([new[each] for each in graph.outputs])
    return Graph(graph.name, graph.inputs, outputs, tuple(dict.fromkeys(holds)), exact.notes)
