"""vmap of loops and branches: as if each row were computed by itself, and so are derivatives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdiff as sd
from symdiff.api.leaves import leaf_of
from symdiff.batch import batch
from symdiff.frontend.parameters import parameters_of
from symdiff.frontend.pytree import flatten
from symdiff.frontend.trace import trace
from symdiff.ir.graph import Graph, every_node
from symdiff.ir.node import compilation
from symdiff.ir.verify import verify
from symdiff.testing import cotangent_graph, run, tangent_graph

RNG = np.random.default_rng(0)
X, W, A = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3)) / 2, RNG.normal(size=(4, 3))
STARTS = np.array([1.2, 2.0, 0.7, 3.3])


def network(x, W):
    def step(h, _):
        h = np.tanh(h @ W)
        return h, h * 2.0

    return sd.scan(step, x, None, length=5)


def root(a):
    def body(state):
        y, count = state
        return 0.5 * (y + a / y), count + 1

    return sd.while_loop(lambda state: abs(state[0] ** 2 - a) > 1e-12, body, (a, 0))


def counted(x, n):
    return sd.fori_loop(0, n, lambda i, s: np.sin(s) * x + i, x)


def from_a_number_on(x, n):
    return sd.fori_loop(n, 6, lambda i, s: np.sin(s) * x + i, x)


def chooses_in_each_trip(x, A):
    def step(c, r):
        c = sd.cond(np.sum(c) > 0, lambda c: np.sin(c) * r, lambda c: c * c + r, c)
        return c, np.sum(c)

    return sd.scan(step, x, A, reverse=True)


def doubles_where_positive(x):
    def double(x):
        return sd.while_loop(lambda y: y < 100, lambda y: y * 2, x)

    return sd.cond(x > 1, double, lambda x: x * x, x)  # of others it would not end


def same_for_all(x, W):
    return sd.cond(np.sum(W) > 0, lambda x: (x, W), lambda x: (x * x, W * 2), x)


def while_inside_while(a):
    def body(pair):
        i, y = pair
        y = sd.while_loop(lambda z: z < 3.0, lambda z: z * z + a, y)
        return i + 1, y * 0.3

    return sd.while_loop(lambda pair: pair[0] < 3, body, (0, a))[1]


def rows(x):
    return sd.scan(lambda c, r: (c + r, c * r), np.float64(0), x)


COUNTS = np.array([0, 1, 5, 2])
PROGRAMS = [
    ("shared", network, (X, None), W),
    ("own matrix", network, (X, np.stack([W, W + 1, W * 2, W - 1])), None),
    ("as many as a row needs", root, (STARTS,)),
    ("counted", counted, (X, COUNTS)),
    ("counted from", from_a_number_on, (X, COUNTS)),
    ("branch of each row", chooses_in_each_trip, (X, None), A),
    ("endless for others", doubles_where_positive, (STARTS,)),
    ("branch of all", same_for_all, (X, None), W),
    ("nested", while_inside_while, (STARTS,)),
    ("as many rows as trips", rows, (RNG.normal(size=(3, 3)),)),
]


@pytest.fixture(autouse=True)
def one_compilation():
    with compilation():
        yield


def graph_of(function: Callable[..., Any], args: list[Any]) -> Graph:
    leaves, spec = flatten(args)
    return trace(function, parameters_of(function), list(map(leaf_of, leaves)), spec).graph


def compare(graph: Graph, values: list[Any], mapped: list[bool]) -> None:
    """The graph mapped over rows gives what it gives for each of them."""
    size = next(len(each) for each, has in zip(values, mapped, strict=True) if has)
    own = [each for each, has in zip(graph.inputs, mapped, strict=True) if has]
    primal = every_node(graph)
    made = batch(graph, own, size, primal)
    verify(made)
    assert {each for each in every_node(made) if each.args} <= primal
    one_by_one = [
        run(graph, [each[i] if has else each for each, has in zip(values, mapped, strict=True)])
        for i in range(size)
    ]
    for found, expected in zip(run(made, values), zip(*one_by_one, strict=True), strict=True):
        whole = np.broadcast_to(found, (size, *found.shape[found.ndim - expected[0].ndim :]))
        np.testing.assert_allclose(whole, np.stack(expected), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0])
def test_each_row_is_computed_as_by_itself_and_so_are_its_derivatives(program):
    _, function, given, *rest = program
    values = [rest[0] if each is None else each for each in given]
    mapped = [each is not None for each in given]
    rows_ = [each[0] if has else each for each, has in zip(values, mapped, strict=True)]
    graph = graph_of(function, rows_)
    graph = graph.with_outputs(each for each in graph.outputs if each.type.inexact)
    compare(graph, values, mapped)
    size = next(len(each) for each, has in zip(values, mapped, strict=True) if has)
    for derive in (tangent_graph, cotangent_graph):
        derived = derive(graph)
        more = derived.inputs[len(graph.inputs) :]
        given = [RNG.normal(size=(size, *each.type.shape)) for each in more]
        compare(derived, [*values, *given], [*mapped, *[True] * len(more)])
