"""Loops found again in flat traces: what is found, and the same bits."""

import inspect
import itertools

import numpy as np
import pytest

from symdiff.frontend.parameters import Parameters
from symdiff.frontend.pytree import flatten
from symdiff.frontend.trace import Leaf, trace
from symdiff.ir.graph import Graph
from symdiff.ir.node import Node, compilation
from symdiff.ir.types import type_of
from symdiff.ir.verify import verify
from symdiff.ops import control
from symdiff.ops.evaluate import evaluate
from symdiff.rewrite.reroll import reroll

RANDOM = np.random.default_rng(3)


def rolled(function, *args) -> tuple[Graph, list[Node]]:
    """The graph with loops, and these, after comparing it with the flat one."""
    leaves, spec = flatten(args)
    described = [Leaf(type_of(each), isinstance(each, np.ndarray)) for each in leaves]
    with compilation():
        traced = trace(function, Parameters(inspect.signature(function)), described, spec, leaves)
        graph, _ = reroll(traced.graph)
        verify(graph)
        values = dict(zip(traced.graph.inputs, leaves, strict=True))
        expected = evaluate(traced.graph.outputs, values)
        found = evaluate(graph.outputs, values)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)
        assert [each.type for each in graph.outputs] == [
            each.type for each in traced.graph.outputs
        ]
        return graph, [each for each in graph.nodes() if each.op is control.loop]


def only(function, *args) -> Node:
    _, (loop,) = rolled(function, *args)
    return loop


def network(x, weights, biases):
    h = x
    for W, b in zip(weights, biases, strict=True):
        h = np.tanh(h @ W + b)
    return np.sum(h * h)


def test_layers_are_a_loop_over_their_weights():
    def case(depth):
        weights = [RANDOM.normal(size=(3, 3)) for _ in range(depth)]
        biases = [RANDOM.normal(size=3) for _ in range(depth)]
        return rolled(network, RANDOM.normal(size=(2, 3)), weights, biases)

    graph, (loop,) = case(40)
    assert loop.param("trips") == 40
    assert loop.param("carried") == 1 and loop.param("scanned") == 2
    assert not any(each.op.name == "tanh" for each in graph.nodes())
    _, (longer,) = case(400)
    assert len(longer.param("body").nodes()) == len(loop.param("body").nodes())


def test_few_layers_stay_as_they_are():
    weights, biases = [np.eye(3)] * 5, [np.ones(3)] * 5
    _, loops = rolled(network, np.ones((2, 3)), weights, biases)
    assert not loops


def test_a_recurrence_indexes_by_the_trip():
    def recurrence(x):
        y = np.zeros(100)
        y[0] = x[0]
        for i in range(1, 100):
            y[i] = np.sin(y[i - 1]) * x[i] + 0.5
        return np.sum(y)

    loop = only(recurrence, RANDOM.normal(size=100))
    assert loop.param("trips") == 99 and loop.param("carried") == 1


def test_values_of_the_trip_before_the_last_are_carried():
    def series(x):
        a, b = x, x * x
        for i in range(60):
            a, b = b, np.sin(a) + b * i
        return np.sum(a)

    loop = only(series, RANDOM.normal(size=3))
    assert loop.param("carried") == 2 and loop.param("scanned") == 0


def test_what_is_read_of_single_trips_is_collected():
    def history(x):
        s, kept = x, []
        for _ in range(40):
            s = np.cos(s) + x * 0.5
            s = s * 1.5
            kept.append(s)
        return kept[10].sum() + kept[25].sum() * kept[-1].sum()

    loop = only(history, RANDOM.normal(size=3))
    assert len(loop.param("body").outputs) == loop.param("carried") + 1


def test_the_last_value_of_what_is_not_carried_is_read():
    def last(x):
        s = x
        for _ in range(40):
            t = np.cos(s)
            s = t * x + 0.25
        return np.sum(s * t)

    only(last, RANDOM.normal(size=3))


def test_two_loops_one_after_the_other():
    def twice(x):
        s = x
        for _ in range(40):
            s = np.sin(s) * x + 1.0
        for _ in range(30):
            s = np.cos(s * x) - x / 3.0
        return np.sum(s)

    _, loops = rolled(twice, RANDOM.normal(size=3))
    assert [each.param("trips") for each in loops] in ([40, 30], [39, 30], [40, 29], [39, 29])


def test_numbers_that_differ_are_rows():
    factors = [0.5, 0.25, 0.75, 1.5] * 10

    def scaled(x):
        s = x
        for factor in factors:
            s = np.sin(s * factor) + x
        return np.sum(s)

    loop = only(scaled, RANDOM.normal(size=3))
    assert loop.param("scanned") == 1


@pytest.mark.parametrize("steps", [0, 1, 3, 4, 50])
def test_in_place_stencils_carry_their_array(steps):
    def heat(u):
        u = u.copy()
        for _ in range(steps):
            u[1:-1] += 0.1 * (u[2:] + u[:-2] - 2 * u[1:-1])
        return np.sum(u * u)

    _, loops = rolled(heat, RANDOM.normal(size=20))
    assert len(loops) == (steps == 50)


def test_layers_of_other_shapes_end_a_loop():
    sizes = [3] * 30 + [4] * 30 + [2]

    def net(x, weights):
        h = x
        for W in weights:
            h = np.tanh(h @ W) * 0.5 + 1.0
        return np.sum(h)

    weights = [
        RANDOM.normal(size=pair) for pair in itertools.pairwise(sizes)
    ]
    _, loops = rolled(net, RANDOM.normal(size=(2, 3)), weights)
    assert len(loops) == 2


def test_what_stands_in_one_trip_only_is_no_loop():
    def irregular(x):
        s = x
        for i in range(60):
            s = np.sin(s) + (x if i in (3, 11, 17, 23, 31, 37, 44, 52) else s) * 2.0
        return np.sum(s)

    rolled(irregular, RANDOM.normal(size=3))
