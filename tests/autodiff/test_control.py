"""Derivatives of loops and branches: both modes, to second order, against differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdiff as sd
from symdiff.api.leaves import leaf_of
from symdiff.autodiff.linear import verify_linear
from symdiff.autodiff.linearize import linearize
from symdiff.frontend.parameters import parameters_of
from symdiff.frontend.pytree import flatten
from symdiff.frontend.trace import trace
from symdiff.ir.graph import Graph, every_graph, every_node
from symdiff.ir.node import compilation
from symdiff.ir.verify import verify
from symdiff.rewrite import simplify
from symdiff.testing import check_derivatives, cotangent_graph, run, tangent_graph

RNG = np.random.default_rng(0)
X, W, A = RNG.normal(size=3), RNG.normal(size=(3, 3)) / 2, RNG.normal(size=(4, 3))


def graph_of(function: Callable[..., Any], *args: Any) -> Graph:
    leaves, spec = flatten(args)
    return trace(function, parameters_of(function), list(map(leaf_of, leaves)), spec).graph


def network(x, W):
    def step(h, row):
        h = np.tanh(h @ W + row)
        return h, h * 2.0

    h, ys = sd.scan(step, x, A)
    return np.sum(h) + np.sum(ys**2)


def root(a):
    def body(y):
        return 0.5 * (y + a / y)

    y = sd.while_loop(lambda y: abs(y * y - a) > 1e-12, body, np.float64(1.0))
    return y * y * y


def reads_by_index(x, A):
    return np.sum(sd.fori_loop(0, 4, lambda i, s: np.sin(s + A[i] * i), x))


def backwards_with_branches(x, A):
    def step(c, r):
        c = sd.cond(np.sum(c) > 0, lambda c: np.sin(c) * r, lambda c: c * c + r, c)
        return c, np.sum(c)

    c, ys = sd.scan(step, x, A, reverse=True)
    return np.sum(c * c) + np.sum(ys)


def nested(x, A):
    def outer(s, row):
        s = sd.fori_loop(0, 3, lambda i, t: np.cos(t) * row + s, s)
        return s, s

    s, ys = sd.scan(outer, x, A)
    return np.sum(s) + np.sum(ys * ys)


def stores(x):
    def body(i, y):
        y[i] = np.sin(y[i - 1]) * x[i]
        return y

    return np.sum(sd.fori_loop(1, 3, body, np.zeros(3) + x[0]) ** 2)


def exchanges(a, b):
    a, b = sd.fori_loop(0, 4, lambda i, pair: (pair[1], pair[0] * pair[1]), (a, b))
    return a + b


def while_inside_while(a):
    def body(pair):
        i, y = pair
        y = sd.while_loop(lambda z: z < 3.0, lambda z: z * z + a, y)
        return i + 1, y * 0.3

    return sd.while_loop(lambda pair: pair[0] < 3, body, (0, a))[1]


def of_each_row(A):
    return np.sum(sd.map(lambda row: np.sin(row) * row[0], A))


def linear(u):
    def body(i, u):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        return u

    return np.sum(sd.fori_loop(0, 5, body, u) ** 2)


def branch(x):
    return sd.cond(np.sum(x) > 0, lambda x: np.exp(x) * x, lambda x: x * x * x, x)


def other_branch(x):
    return branch(-x)


def some_results(x, y):
    """Of three values one moves the result, and one does not depend on what moves."""

    def step(state, row):
        a, b, c = state
        return (a * row, b + 1.0, np.sin(c) + a), b * row

    (a, _, _), ys = sd.scan(step, (x, 0.0, y), A)
    return np.sum(a) + np.sum(ys * y)


U = RNG.normal(size=6)
PROGRAMS = [
    (network, X, W),
    (root, np.float64(3.0)),
    (reads_by_index, X, A),
    (backwards_with_branches, X, A),
    (nested, X, A),
    (stores, X),
    (exchanges, np.float64(1.1), np.float64(0.9)),
    (while_inside_while, np.float64(1.2)),
    (of_each_row, A),
    (linear, U),
    (branch, X),
    (other_branch, X),
    (some_results, X, X + 1),
]


@pytest.fixture(autouse=True)
def one_compilation():
    with compilation():
        yield


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0].__name__)
def test_derivatives_agree_with_each_other_and_with_differences(program):
    function, *args = program
    graph = graph_of(function, *args)
    hidden = [A] * (len(graph.inputs) - len(args))
    verify(graph)
    verify_linear(linearize(graph, graph.inputs))
    (value,) = run(graph, [*args, *hidden])[:1]
    assert np.allclose(value, function(*args), rtol=1e-14)
    check_derivatives(simplify(graph), [np.asarray(each) for each in (*args, *hidden)])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0].__name__)
def test_derivatives_are_the_same_when_they_are_simplified(program):
    function, *args = program
    graph = graph_of(function, *args)
    values = [*args, *[A] * (len(graph.inputs) - len(args))]
    for first in (tangent_graph, cotangent_graph):
        own = first(graph)
        primal = every_node(graph)
        simple = simplify(own, primal=primal)
        verify(simple)
        for second in (tangent_graph, cotangent_graph):
            twice, simply = second(own), simplify(second(simple), primal=every_node(simple))
            verify(simply)
            given = [np.random.default_rng(i).normal(size=each.type.shape)
                     for i, each in enumerate(twice.inputs[len(values) :])]
            expected, found = run(twice, [*values, *given]), run(simply, [*values, *given])
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def loops(graph: Graph, name: str) -> list[Graph]:
    return [each for each in every_graph(graph) if each.name == name]


def test_a_body_that_is_linear_needs_nothing_of_the_way_there():
    gradient = cotangent_graph(graph_of(linear, U))
    (body,) = loops(gradient, "body_bar")
    assert [each.name for each in body.inputs] == ["i", "u_bar"]


def test_what_stays_the_same_is_not_collected():
    gradient = cotangent_graph(graph_of(reads_by_index, X, A))
    (forward,) = [body for body in loops(gradient, "function") if len(body.outputs) > 1]
    assert len(forward.outputs) == 2  # the next state, and what the sine is of
    (backward,) = loops(gradient, "function_bar")
    assert [each.type.shape for each in backward.inputs] == [(), (4, 3), (3,), (3,)]


def test_zero_derivatives_are_not_carried():
    graph = graph_of(some_results, X, X)
    linear = linearize(graph, graph.inputs)
    (body,) = loops(linear.graph, "step_dot")
    assert sum(each.name.endswith("_dot") for each in body.inputs) == 3  # x, y and the row


def test_derivatives_of_single_precision_are_of_single_precision():
    graph = graph_of(backwards_with_branches, X.astype(np.float32), A.astype(np.float32))
    for derived in (cotangent_graph(graph), cotangent_graph(cotangent_graph(graph))):
        for own in every_graph(derived):
            assert {each.type.dtype for each in own.nodes() if each.type.inexact} == {
                np.dtype(np.float32)
            }


def test_loops_inside_run_once_on_the_way_there():
    gradient = simplify(cotangent_graph(graph_of(nested, X, A)))
    (backward,) = loops(gradient, "outer_bar")
    inner = [each for each in backward.nodes() if each.op.name == "loop"]
    assert [each.param("reverse") for each in inner] == [True]
