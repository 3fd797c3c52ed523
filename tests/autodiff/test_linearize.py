"""Forward mode: tangents of each kind of rule, and structural zeros."""

import numpy as np

import symdiff
from symdiff.autodiff.linearize import linearize
from symdiff.ir.graph import Graph
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e

F3 = parse_type("f64[3]")


def test_a_missing_tangent_is_absent():
    with compilation(fresh=True):
        x, y = input_node("x", F3), input_node("y", F3)
        graph = Graph("f", (x, y), (node(e.sin, (x,)), node(e.sin, (y,))))
        linear = linearize(graph, [x])
    assert linear.outputs[0] is not None
    assert linear.outputs[1] is None


def test_partials_of_one_are_structural():
    with compilation(fresh=True):
        x, y = input_node("x", F3), input_node("y", F3)
        linear = linearize(Graph("f", (x, y), (node(e.add, (x, y)),)), [x, y])
        assert linear.outputs[0].op is e.add
        assert linear.outputs[0].args == linear.tangents


def test_against_differences():
    def f(x, W):
        return np.tanh(x @ W) / (1 + np.sum(x * x))

    rng = np.random.default_rng(0)
    x, W, x_dot, W_dot = rng.normal(size=(4, 3, 3))
    _, y_dot = symdiff.jvp(f, (x, W), (x_dot, W_dot))
    step = 1e-6
    ahead, behind = (f(x + s * x_dot, W + s * W_dot) for s in (step, -step))
    np.testing.assert_allclose(y_dot, (ahead - behind) / (2 * step), rtol=1e-7, atol=1e-9)
