"""evaluate is the literal meaning of a graph."""

import numpy as np
import pytest

from symdiff.ir.node import compilation, constant, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e
from symdiff.ops.evaluate import evaluate, full
from symdiff.ops.reductions import sum_


def test_values_of_nodes():
    with compilation(fresh=True):
        x = input_node("x", parse_type("f64[3]"))
        two = constant(np.float64(2), x.type)
        doubled = node(e.multiply, (two, x))
        total = node(sum_, (doubled,), (("axis", (0,)), ("keepdims", False)))
        np.testing.assert_array_equal(full(two), [2, 2, 2])
        got = evaluate([doubled, total], {x: np.arange(3.0)})
    np.testing.assert_array_equal(got[0], [0, 2, 4])
    assert got[1] == 6


def test_an_input_without_a_value():
    with compilation(fresh=True):
        x = input_node("x", parse_type("f64[3]"))
        with pytest.raises(KeyError, match="no value for input x"):
            evaluate([node(e.sin, (x,))], {})
