"""The verifier refuses graphs that are not well-formed."""

import pytest

from symdiff.errors import RuleError
from symdiff.ir.graph import Graph
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ir.verify import verify
from symdiff.ops import elementwise as e

F = parse_type("f64[]")


def test_well_formed():
    with compilation(fresh=True):
        x = input_node("x", F)
        verify(Graph("f", (x,), (node(e.sin, (x,)),)))


def test_dangling_inputs():
    with compilation(fresh=True):
        x = input_node("x", F)
        graph = Graph("f", (), (node(e.sin, (x,)),))
        with pytest.raises(RuleError, match="dangling input x"):
            verify(graph)
        verify(graph, closed=False)


def test_an_input_declared_twice():
    with compilation(fresh=True):
        x = input_node("x", F)
        with pytest.raises(RuleError, match="twice"):
            verify(Graph("f", (x, x), (x,)))


def test_a_wrong_type():
    with compilation(fresh=True):
        x = input_node("x", F)
        wrong = node(e.sin, (x,), type=parse_type("f32[]"))
        with pytest.raises(RuleError, match="should have type"):
            verify(Graph("f", (x,), (wrong,)))
