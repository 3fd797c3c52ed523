"""The verifier of tangent programs finds what is not linear."""

import pytest

from symdiff.autodiff.linear import verify_linear
from symdiff.autodiff.linearize import linearize
from symdiff.errors import RuleError
from symdiff.ir.graph import Graph
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e

F3 = parse_type("f64[3]")


def test_linear():
    with compilation(fresh=True):
        x = input_node("x", F3)
        verify_linear(linearize(Graph("f", (x,), (node(e.sin, (x,)),)), [x]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, x_dot: node(e.sin, (x_dot,)), "sin"),
        (lambda x, x_dot: node(e.multiply, (x_dot, x_dot)), "multiply"),
        (lambda x, x_dot: node(e.divide, (x, x_dot)), "divide"),
        (lambda x, x_dot: node(e.add, (x, x_dot)), "add adds a primal"),
    ],
)
def test_not_linear(make, message):
    with compilation(fresh=True):
        x = input_node("x", F3)
        linear = linearize(Graph("f", (x,), (node(e.sin, (x,)),)), [x])
        wrong = linear._replace(outputs=(make(x, linear.tangents[0]),))
        with pytest.raises(RuleError, match=message):
            verify_linear(wrong)
