"""Rewriting: tables of named rules, and the two stages that apply them.

A rule is a row of data: a pattern and a replacement, both written in NumPy, and a class that says
how exact it is (see `pattern.Exactness`).
"""

from __future__ import annotations

from collections.abc import Collection

from symdiff.ir.graph import Graph
from symdiff.ir.node import Node
from symdiff.rewrite.algebra import ALGEBRA
from symdiff.rewrite.constants import CONSTANTS
from symdiff.rewrite.engine import Application, rewrite
from symdiff.rewrite.pattern import Exactness, Rule, rule, rules

__all__ = ["Application", "Exactness", "Rule", "rule", "rules", "simplify", "stabilize"]


def stabilize(
    graph: Graph, *, math: str = "default", log: list[Application] | None = None
) -> Graph:
    """The user's program with what overflows needlessly replaced: before it is linearized."""
    return graph


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
    return rewrite(graph, (CONSTANTS, ALGEBRA), math=math, primal=primal, log=log)
