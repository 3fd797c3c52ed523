"""What is asked of the result of a function, and the trees of values and tangents."""

import numpy as np
import pytest

import symdiff
from symdiff.errors import NotDifferentiableError


@pytest.mark.parametrize(
    ("function", "x", "message"),
    [
        (lambda x: x * x, np.ones(2), "is f64[2], not a real scalar"),
        (lambda x: (x, x), 1.0, "a tuple of 2"),
        (lambda x: 1, 1.0, "int"),
        (lambda x: x * 1j, 1.0, "np.real or np.abs"),
        (lambda x: np.argmax(x), np.ones(2), "an integer result has no derivative"),
    ],
)
def test_a_gradient_is_of_one_real_number(function, x, message):
    with pytest.raises(NotDifferentiableError) as raised:
        symdiff.grad(function)(x)
    assert message in str(raised.value)


def test_with_aux_the_result_is_a_pair():
    with pytest.raises(NotDifferentiableError, match=r"tuple \(value, aux\), not a tuple of 3"):
        symdiff.grad(lambda x: (x, x, x), has_aux=True)(1.0)
    assert symdiff.grad(lambda x: (x * x, {"x": x}), has_aux=True)(3.0) == (6.0, {"x": 3.0})


def test_tangents_have_the_tree_of_the_values():
    def function(x):
        return {"a": x * x, "n": 3, "b": [2 * x]}

    value, tangent = symdiff.jvp(function, (3.0,), (1.0,))
    assert value == {"a": 9.0, "n": 3, "b": [6.0]}
    assert tangent == {"a": 6.0, "n": 0.0, "b": [2.0]}
