"""Checks that a graph is well-formed. Run after every stage in tests."""

from __future__ import annotations

from symdiff.errors import RuleError
from symdiff.ir.graph import Graph, every_graph
from symdiff.ir.node import Const, Input


def verify(graph: Graph, closed: bool = True) -> None:
    """Raises RuleError unless types recompute, inputs are declared and operands come first.

    So it is for the graphs inside it, which nothing must hold for. A graph that is not `closed` may
    read inputs of the trace that it is a part of.
    """
    _verify(graph, closed)
    for body in every_graph(graph):
        if body is not graph:
            _verify(body, closed=True)
            if body.effects:
                raise RuleError(f"{body.name}: what must hold is part of a graph inside another")


def _verify(graph: Graph, closed: bool) -> None:
    declared = set(graph.inputs)
    if len(declared) != len(graph.inputs):
        raise RuleError(f"{graph.name}: an input is declared twice")
    seen = set()
    for each in graph.nodes():
        if closed and isinstance(each, Input) and each not in declared:
            raise RuleError(f"{graph.name}: dangling input {each.name}")
        for arg in each.args:
            if arg not in seen:
                raise RuleError(f"{graph.name}: {each} is read before it is made")
        seen.add(each)
        if isinstance(each, (Input, Const)):
            continue
        inferred = each.op.infer(tuple(arg.type for arg in each.args), each.params)
        if inferred != each.type:
            raise RuleError(f"{graph.name}: {each} should have type {inferred}")
