"""Identifiers: the user's, each once, and never a name of Python's or NumPy's."""

from symdiff.ir.graph import Note
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e
from symdiff.schedule.names import Names


def test_names():
    with compilation(fresh=True):
        x = input_node("x", parse_type("f64[3]"))
        s, c = node(e.sin, (x,)), node(e.cos, (x,))
    names = Names({s: Note("h", "bar")})
    assert names.give(s) == "h_bar"
    assert names.fresh("h_bar") == "h_bar_1"
    assert names.give(c) == "cos_1"
    assert names.give(c, "value") == "value"
    assert names.fresh("lambda") == "lambda_"
    assert names.fresh("np") == "np_"
    assert names.fresh("sum") == "sum_"
    assert names.fresh("2x y").isidentifier()
