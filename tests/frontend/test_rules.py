"""Rules are traced once per types and replayed on nodes."""

import numpy as np

from symdiff.frontend.rules import template
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import parse_type
from symdiff.ops.evaluate import evaluate

F3 = parse_type("f64[3]")


def rule(y, x, scale):
    return np.sin(x) * scale + 0 * np.cos(x)


def test_template():
    found = template(rule, (F3, F3), (("scale", 2.0),), "rule")
    assert found is template(rule, (F3, F3), (("scale", 2.0),), "rule")
    assert found.reads == {1}
    with compilation(fresh=True):
        y, x = input_node("y", F3), input_node("x", F3)
        (value,) = evaluate([found.replay([y, x])], {x: np.ones(3), y: np.ones(3)})
    np.testing.assert_array_equal(value, 2 * np.sin(np.ones(3)))


def test_numbers_are_structural():
    found = template(lambda y, x: -1, (F3, F3), (), "rule")
    assert found.number == -1
    assert not found.reads
