"""Loops and branches merged, fused and pruned: the same results by less."""

import numpy as np
import pytest

from symdiff.ir.graph import Graph, bodies, every_node
from symdiff.ir.node import Const
from symdiff.ir.text import parse, to_text
from symdiff.ir.verify import verify
from symdiff.ops.primitive import lookup
from symdiff.rewrite import simplify
from symdiff.rewrite.control import arranged
from symdiff.testing import cotangent_graph, run, tangent_graph

KIND = "test=None, trips=4, start=0, step=1, level=None"
RECURRENCE = f"""\
graph f(x: f64[3], w: f64[3], rows: f64[4,3])
  graph step(i: int, w: f64[3], h: f64[3], row: f64[3])
    v0 = multiply(h, w)  : f64[3]
    v1 = add(v0, row)    : f64[3]
    h_2 = tanh(v1)       : f64[3]
    return h_2
  v0 = loop(w, x, rows, body=step, {KIND}, carried=1, scanned=1, reverse=False) : object[]
  v1 = item(v0, index=0, type='f64[3]') : f64[3]
  return v1
"""


def loops(graph: Graph) -> list[object]:
    return [each for each in graph.nodes() if any(True for _ in bodies(each))]


def graph_of(text: str) -> Graph:
    return parse(text, lookup)


def values_of(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(0.5, 2, each.type.shape) for each in graph.inputs]


def check(graph: Graph, primal=()) -> Graph:
    """The graph arranged, which computes the same."""
    made = arranged(graph, primal)
    verify(made)
    values = values_of(graph)
    for one, other in zip(run(made, values), run(graph, values), strict=True):
        np.testing.assert_array_equal(one, other)
    return made


def test_what_a_derivative_collects_is_collected_by_the_loop_itself():
    graph = graph_of(RECURRENCE)
    primal = every_node(graph)
    gradient = cotangent_graph(graph)
    whole = gradient.with_outputs((*graph.outputs, *gradient.outputs))
    assert len(loops(whole)) == 3
    made = check(whole, primal)
    first, second = loops(made)
    assert first in primal and second not in primal
    assert [each.type.shape for each in first.param("body").outputs] == [(3,), (3,)]


def test_a_tangent_goes_along():
    made = check(tangent_graph(graph_of(RECURRENCE)))
    (only,) = loops(made)
    assert only.param("carried") == 2 and len(only.param("body").outputs) == 2


def test_a_tangent_of_the_users_own_stays_by_itself():
    graph = tangent_graph(graph_of(RECURRENCE))
    assert len(loops(check(graph, every_node(graph)))) == 2


def test_backwards_what_a_trip_gave_is_what_the_next_was_handed():
    (_, second) = loops(check(cotangent_graph(graph_of(RECURRENCE))))
    assert second.param("scanned") == 1 and second.param("carried") == 3


def test_what_nobody_reads_is_dropped():
    text = f"""\
graph f(x: f64[3], y: f64[3], rows: f64[4,3])
  graph step(i: int, y: f64[3], a: f64[3], b: f64[3], row: f64[3])
    v0 = add(a, a)       : f64[3]
    v1 = multiply(b, row) : f64[3]
    v2 = multiply(v1, y) : f64[3]
    return v0, v2, v2
  v0 = loop(y, x, y, rows, body=step, {KIND}, carried=2, scanned=1, reverse=False) : object[]
  v1 = item(v0, index=0, type='f64[3]') : f64[3]
  return v1
"""
    (only,) = loops(check(graph_of(text)))
    assert [each.name for each in only.args] == ["x"]
    assert [each.name for each in only.param("body").inputs] == ["i", "a"]


def test_what_is_twice_or_known_is_once_or_not_there():
    text = f"""\
graph f(x: f64[3], y: f64[3])
  graph step(i: int, p: f64[3], q: f64[3], a: f64[3], b: f64[3], c: f64[3], d: f64[3], r: f64[3])
    v0 = multiply(a, p)  : f64[3]
    v1 = add(b, q)       : f64[3]
    v2 = add(d, v1)      : f64[3]
    v3 = multiply(v2, r) : f64[3]
    return v0, v0, c, v3
  v0 = const(2.0) : f64[4,3]
  v1 = const(0.5) : f64[3]
  v2 = loop(y, y, x, x, v1, x, v0, body=step, {KIND}, carried=4, scanned=1, reverse=False) : object[]
  v3 = item(v2, index=0, type='f64[3]') : f64[3]
  v4 = item(v2, index=1, type='f64[3]') : f64[3]
  v5 = item(v2, index=2, type='f64[3]') : f64[3]
  v6 = item(v2, index=3, type='f64[3]') : f64[3]
  return v3, v4, v5, v6
"""  # noqa: E501
    made = check(graph_of(text))
    (only,) = loops(made)
    assert [each.name for each in only.param("body").inputs] == ["i", "p", "a", "d"]
    assert made.outputs[2] is made.inputs[0] or isinstance(made.outputs[2], Const)
    assert made.outputs[0] is made.outputs[1]


def test_what_is_the_same_in_each_trip_is_computed_before():
    text = RECURRENCE.replace("multiply(h, w)  :", "multiply(h, v3)  :").replace(
        "    v0 = mul", "    v3 = exp(w) : f64[3]\n    v0 = mul"
    )
    made = check(graph_of(text))
    (only,) = loops(made)
    assert only.args[0].op.name == "exp"
    assert "exp" not in {each.op.name for each in only.param("body").nodes()}


@pytest.mark.parametrize("trips", [0, 1])
def test_a_loop_of_one_trip_or_none_is_no_loop(trips):
    text = RECURRENCE.replace("trips=4", f"trips={trips}").replace("f64[4,3]", f"f64[{trips},3]")
    text = text.replace("return h_2", "return h_2, v0").replace(
        "  return v1", f"  v2 = item(v0, index=1, type='f64[{trips},3]') : f64[{trips},3]\n"
        "  return v1, v2",
    )
    assert not loops(check(graph_of(text)))


BRANCH = """\
graph f(x: f64[3], y: f64[3])
  graph yes(x: f64[3], y: f64[3])
    v0 = sin(x) : f64[3]
    v1 = multiply(v0, x) : f64[3]
    return v1, y
  graph no(x: f64[3], y: f64[3])
    v0 = cos(x) : f64[3]
    return v0, x
  v0 = greater(x, y) : bool[3]
  v1 = all(v0, axis=(0,), keepdims=False) : bool[]
  v2 = cond(v1, x, y, branches=(yes, no)) : object[]
  v3 = item(v2, index=0, type='f64[3]') : f64[3]
  return v3
"""


def test_branches_are_taken_once():
    graph = graph_of(BRANCH)
    tangent = tangent_graph(graph)
    made = check(tangent.with_outputs((*graph.outputs, *tangent.outputs)))
    (only,) = loops(made)
    assert [each.name for each in only.args[1:]] == ["x", "x_dot"]
    assert len(only.param("branches")[0].outputs) == 2


def test_a_branch_is_told_of_nothing_twice():
    text = BRANCH.replace("cond(v1, x, y,", "cond(v1, x, x,").replace("return v0, x", "return y, x")
    (only,) = loops(check(graph_of(text)))
    assert [each.name for each in only.args[1:]] == ["x"]


def test_what_both_sides_give_alike_needs_no_branch():
    text = BRANCH.replace("return v1, y", "return v1, x").replace("index=0", "index=1")
    made = check(graph_of(text))
    assert not loops(made) and made.outputs == (made.inputs[0],)


def test_simplifying_twice_changes_nothing():
    graph = simplify(cotangent_graph(graph_of(RECURRENCE)))
    assert to_text(simplify(graph)) == to_text(graph)
