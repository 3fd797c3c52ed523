"""Traversal: in order, without recursion, linear in the nodes."""

from symdiff.ir.graph import Graph, between, depends_on, substitute, toposort, users
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e

F = parse_type("f64[]")


def test_order_users_and_dependence():
    with compilation(fresh=True):
        x, y = input_node("x", F), input_node("y", F)
        s = node(e.sin, (x,))
        product = node(e.multiply, (s, s))
        total = node(e.add, (product, y))
        assert toposort([total]) == [x, y, s, product, total]
        assert users(toposort([total]))[s] == [product, product]
        assert depends_on([total], [y]) == {y, total}


def test_what_stands_between_two_ends():
    with compilation(fresh=True):
        x, y = input_node("x", F), input_node("y", F)
        s = node(e.sin, (x,))
        product = node(e.multiply, (s, y))
        total = node(e.add, (product, s))
        assert set(between(total, [x])) == {product, s, y}
        assert between(total, [product, s]) == between(total, [total]) == []


def test_substitute_rebuilds_only_what_depends_on_it():
    with compilation(fresh=True):
        x, y = input_node("x", F), input_node("y", F)
        s, c = node(e.sin, (x,)), node(e.cos, (y,))
        total = node(e.add, (s, c))
        new = substitute([total], {x: y})
        assert new[total].args == (node(e.sin, (y,)), c)
        assert new[c] is c


def test_a_chain_of_50_000_is_walked():
    with compilation(fresh=True):
        x = input_node("x", F)
        y = x
        for _ in range(50_000):
            y = node(e.sin, (y,))
        assert len(Graph("f", (x,), (y,)).nodes()) == 50_001
