"""A program in two halves: residuals are what the second reads of the first."""

from symdiff.autodiff.split import split
from symdiff.ir.graph import Graph
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e


def test_residuals():
    with compilation(fresh=True):
        x = input_node("x", parse_type("f64[3]"))
        late = input_node("y_bar", parse_type("f64[3]"))
        y, c = node(e.sin, (x,)), node(e.cos, (x,))
        graph = Graph("f", (x, late), (y, node(e.multiply, (late, c))))
        first, second = split(graph, (late,), 1)
    assert first.inputs == (x,)
    assert first.outputs == (y, c)
    assert second.inputs[1:] == (late,)
    assert second.outputs[0].args == (late, second.inputs[0])
