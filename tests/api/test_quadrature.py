"""scipy.integrate.quad in traced functions: under the integral sign, and at the bounds."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

import symdiff


def bell(k, a, b):
    return quad(lambda x: np.exp(-k * x * x), a, b)[0]


def test_values_are_scipys():
    assert symdiff.jit(bell)(1.3, 0.0, 0.7) == pytest.approx(bell(1.3, 0.0, 0.7), rel=1e-14)
    value, error = symdiff.jit(lambda k: quad(lambda x: np.exp(-k * x), 0, 1))(2.0)
    assert (value, error) == pytest.approx(quad(lambda x: np.exp(-2 * x), 0, 1))
    assert type(value) is float


def test_derivatives():
    symdiff.check_grads(bell, (1.3, 0.1, 0.7), rtol=1e-5)


def test_parameters_that_are_arrays():
    def integral(w):
        return quad(lambda x, w: np.dot(w, x ** np.arange(3)), 0, 2.0, args=(w,))[0]

    assert_allclose(symdiff.grad(integral)(np.ones(3)), [2, 2, 8 / 3])


def test_infinite_bounds():
    gradient = symdiff.grad(lambda k: quad(lambda x: np.exp(-k * x), 0, np.inf)[0])
    assert gradient(2.0) == pytest.approx(-1 / 4)


def test_functions_of_math():
    gradient = symdiff.grad(lambda k: quad(lambda x: math.sin(k * x), 0, 1, epsabs=1e-10)[0])
    assert gradient(2.0) == pytest.approx((2 * math.sin(2) + math.cos(2) - 1) / 4)
    assert "epsabs=1e-10" in gradient.source


def test_batches():
    made = symdiff.vmap(symdiff.grad(bell, (0, 2)), in_axes=(0, None, None))(np.ones(2), 0.0, 1.0)
    known = symdiff.grad(bell, (0, 2))(1.0, 0.0, 1.0)
    assert_allclose(made[0], np.full(2, known[0]))
    assert_allclose(made[1], np.full(2, known[1]))


@pytest.mark.parametrize("options", [{"full_output": True}, {"weight": "cos", "wvar": 1.0}])
def test_what_is_not_traced(options):
    with pytest.raises(symdiff.UnsupportedFunctionError, match=r"quad with \w+= is not traced"):
        symdiff.jit(lambda k: quad(lambda x: k * x, 0, 1, **options)[0])(1.0)
