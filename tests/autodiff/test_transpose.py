"""Reverse mode: the adjoint of the tangent program, linear in the size of the program."""

from functools import reduce

import numpy as np
import pytest

import symdiff
from symdiff.autodiff.transpose import transpose
from symdiff.errors import RuleError
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e


def test_the_dot_product_identity():
    def f(x, W):
        return np.tanh(x @ W) / (1 + np.sum(x * x))

    rng = np.random.default_rng(0)
    x, W, x_dot, W_dot, y_bar = rng.normal(size=(5, 3, 3))
    _, y_dot = symdiff.jvp(f, (x, W), (x_dot, W_dot))
    _, pullback = symdiff.vjp(f, x, W)
    x_bar, W_bar = pullback(y_bar)
    np.testing.assert_allclose(np.sum(y_bar * y_dot), np.sum(x_bar * x_dot) + np.sum(W_bar * W_dot))


def test_what_is_not_linear_is_refused():
    with compilation(fresh=True):
        x_dot = input_node("x_dot", parse_type("f64[3]"))
        bar = input_node("y_bar", parse_type("f64[3]"))
        with pytest.raises(RuleError, match="sin is not linear"):
            transpose([node(e.sin, (x_dot,))], [x_dot], [bar], {}, {})


def test_reads_cost_no_more_than_their_number():
    def reads(count):
        def f(x):
            total = 0.0
            for i in range(count):
                total = total + x[i] * x[i]
            return total

        return f

    lines = []
    for count in (100, 200, 400):
        gradient = symdiff.grad(reads(count))
        np.testing.assert_array_equal(gradient(np.ones(count)), np.full(count, 2.0))
        lines.append(gradient.source.count("\n"))
    assert lines[2] - lines[1] == 2 * (lines[1] - lines[0])
    assert gradient.source.count("np.zeros") == 1


def test_a_chain_of_50_000_operations():
    # in no order that a loop could follow
    turns = [each < 0.5 for each in np.random.default_rng(1).random(50_000).tolist()]

    def chain(x):
        for turn in turns:
            x = np.sin(x) if turn else np.arctan(x)
        return x

    gradient = symdiff.grad(chain)
    assert 0 < gradient(0.5) < 1
    assert gradient.source.count("np.cos") == sum(turns)


def test_a_chain_of_50_000_equal_operations_is_a_loop():
    def chain(x):
        return reduce(lambda x, _: np.sin(x), range(50_000), x)

    gradient = symdiff.grad(chain)
    assert 0 < gradient(0.5) < 1
    assert gradient.source.count("np.cos") == 1
