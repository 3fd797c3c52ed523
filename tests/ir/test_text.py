"""The text form is a language: it prints, and parses back to the same graph."""

import numpy as np
import pytest

from symdiff.ir.node import compilation
from symdiff.ir.text import parse, to_text
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
