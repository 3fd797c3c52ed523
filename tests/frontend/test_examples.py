"""The values of a trace in the call that it is made for."""

import numpy as np
import pytest

from symdiff.frontend.examples import Examples
from symdiff.ir import array_type, compilation, input_node, node
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive


@pytest.fixture
def x():
    with compilation(fresh=True):
        yield input_node("x", array_type(np.float32, (3,)))


def test_what_is_computed_from_known_inputs_is_known(x):
    examples = Examples()
    examples.give(x, np.arange(3.0))
    doubled = examples.of(node(e.add, (x, x)))
    np.testing.assert_array_equal(doubled, [0, 2, 4])
    assert doubled.dtype == np.float32


def test_each_node_is_computed_once(x, monkeypatch):
    examples, calls = Examples(), []
    examples.give(x, np.ones(3))
    counted = Primitive(
        name="counted", function=lambda x: calls.append(0) or x, arguments=("x",),
        result=lambda x: x, rules={},
    )  # fmt: skip
    inner = node(counted, (x,))
    examples.of(node(e.sin, (inner,)))
    examples.of(node(e.cos, (inner,)))
    assert calls == [0]


def test_an_input_may_be_a_node_of_the_trace_outside(x):
    examples = Examples()
    examples.give(x, np.zeros(3))
    outside = node(e.cos, (x,))
    inner = input_node("y", x.type)
    examples.give(inner, outside)
    np.testing.assert_array_equal(examples.of(node(e.negative, (inner,))), [-1, -1, -1])


def test_a_python_number_stays_one():
    with compilation(fresh=True):
        number = input_node("n", array_type(np.float64, (), True))
        examples = Examples()
        examples.give(number, 2)
        assert type(examples.of(number)) is float


def test_an_input_of_which_only_the_type_is_known(x):
    with pytest.raises(KeyError, match="no value for input x"):
        Examples().of(node(e.sin, (x,)))


def test_nothing_warns(x):
    examples = Examples()
    examples.give(x, np.zeros(3))
    with np.errstate(all="raise"):
        assert np.all(np.isnan(examples.of(node(e.divide, (x, x)))))
