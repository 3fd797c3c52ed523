"""Identifiers: the user's, each once, and never a name of Python's or NumPy's."""

from symdiff.ir.graph import Note
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e
from symdiff.schedule.names import Names


def test_names():
    with compilation(fresh=True):
        x = input_node("x", parse_type("f64[3]"))
        s, c, q, t = (node(op, (x,)) for op in (e.sin, e.cos, e.sqrt, e.tanh))
    names = Names({s: Note("h", "bar"), t: Note("y")}, {q: "value", t: "value"})
    assert names.give(s) == "h_bar"
    assert names.fresh("h_bar") == "h_bar_1"
    assert names.give(c) == "cos_1"
    assert names.give(c) == "cos_2"
    assert names.give(q) == "value"
    assert names.give(t) == "y"
    assert names.fresh("lambda") == "lambda_"
    assert names.fresh("np") == "np_"
    assert names.fresh("sum") == "sum_"
    assert names.fresh("2x y").isidentifier()


def test_a_name_that_nobody_needs_is_given_again():
    with compilation(fresh=True):
        x = input_node("x", parse_type("f64[3]"))
        s = node(e.sin, (x,))
    names = Names({s: Note("h", "bar")})
    assert names.give(s) == "h_bar"
    assert names.give(s, lambda name: name == "h_bar") == "h_bar"
    assert names.give(s, lambda name: False) == "h_bar_1"
    assert names.give(s, lambda name: name == "h_bar_1") == "h_bar_1"
