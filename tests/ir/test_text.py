"""The text form is a language: it prints, and parses back to the same graph."""

import numpy as np
import pytest

from symdiff.errors import RuleError
from symdiff.ir.graph import with_bodies
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.text import parse, to_text
from symdiff.ir.verify import verify
from symdiff.ops.evaluate import evaluate
from symdiff.ops.primitive import lookup

TEXT = """\
graph f(x: f64[3,4], y: f64[4])
  v0 = broadcast_to(y, shape=(3, 4))        : f64[3,4]
  h = add(x, v0)                            : f64[3,4]    # file.py:5
  v2 = const(2.0)                           : f64[3,4]
  v3 = multiply(v2, h)                      : f64[3,4]
  v4 = sum(v3, axis=(0, 1), keepdims=False) : f64[]
  return v4, h
"""


def test_round_trip():
    with compilation(fresh=True):
        graph = parse(TEXT, lookup)
        assert to_text(graph) == TEXT
        x, y = graph.inputs
        total, h = evaluate(graph.outputs, {x: np.ones((3, 4)), y: np.arange(4.0)})
    assert total == 2 * np.sum(h) == 60


def test_what_must_hold_is_read_back():
    text = (
        "graph f(x: f64[3], m: bool[3])\n"
        "  v0 = counts(m, count=2)                   : bool[]\n"
        "  v1 = getitem(x, m, index=(('mask', 1, 2),)) : f64[2]\n"
        "  holds v0\n"
        "  return v1\n"
    )
    with compilation(fresh=True):
        graph = parse(text, lookup)
        assert [each.op.name for each in graph.effects] == ["counts"]
        assert parse(to_text(graph), lookup).effects[0].params == (("count", 2),)
        assert to_text(parse(to_text(graph), lookup)) == to_text(graph)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("graph f", "function f", "not a graph header"),
        ("v4 = sum(", "v4 := sum(", "not a node"),
        (": f64[]\n", ": f64[1]\n", "the type is"),
        ("  return v4, h\n", "", "returns nothing"),
    ],
)
def test_what_does_not_parse_is_named(old, new, message):
    with compilation(fresh=True), pytest.raises(ValueError, match=message):
        parse(TEXT.replace(old, new), lookup)


LOOP = """\
graph f(x: f64[3], y: f64[3], rows: f64[4,3])
  graph step(i: int, y: f64[3], s: f64[3], r: f64[3])
    graph double(s: f64[3])
      v0 = add(s, s) : f64[3]
      return v0
    graph double_2(s: f64[3])
      v0 = negative(s) : f64[3]
      return v0
    v0 = less(i, i)                              : bool
    v1 = convert(v0, dtype=bool, weak=False)     : bool[]
    v2 = cond(v1, s, branches=(double, double_2)) : object[]
    v3 = item(v2, index=0, type='f64[3]')        : f64[3]
    h = add(v3, r)                               : f64[3]    # file.py:5
    return h, s
  v0 = loop(y, x, rows, body=step, test=None, trips=4, start=0, step=1, carried=1, scanned=1, reverse=False, level=None) : object[]
  v1 = item(v0, index=1, type='f64[4,3]')                      : f64[4,3]
  v2 = item(v0, index=0, type='f64[3]')                        : f64[3]
  return v1, v2
"""  # noqa: E501


def test_graphs_inside_stand_before_what_runs_them():
    with compilation(fresh=True):
        graph = parse(LOOP, lookup)
        again = parse(to_text(graph), lookup)
        assert to_text(again) == to_text(graph)
        verify(graph)
        x, y, rows = graph.inputs
        values = {x: np.arange(3.0), y: np.ones(3), rows: np.arange(12.0).reshape(4, 3)}
        states, last = evaluate(graph.outputs, values)
    assert np.array_equal(states[1], -states[0] + values[rows][0])
    assert np.array_equal(last, -states[3] + values[rows][3])
    assert "graph double_2(s: f64[3])" in to_text(graph)


def test_a_graph_inside_is_verified():
    with compilation(fresh=True):
        graph = parse(LOOP, lookup)
        (loop,) = [each for each in graph.nodes() if each.op.name == "loop"]
        body = loop.param("body")
        lost = input_node("lost", body.outputs[0].type)
        opened = with_bodies(loop, lambda each: each.with_outputs((lost, *body.outputs[1:])))
        graph = graph.with_outputs((node(lookup("item"), (opened,), graph.outputs[1].params),))
        with pytest.raises(RuleError, match="dangling input"):
            verify(graph)
