"""scipy.integrate: rules for samples and functions are SciPy's, and their derivatives right."""

import numpy as np
import pytest
from scipy import integrate

from symdiff import grad, jit
from symdiff.testing import check_grads

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(4, 9))
X = np.cumsum(RNG.uniform(0.5, 1.5, 9))
X2 = np.cumsum(RNG.uniform(0.5, 1.5, (4, 9)), axis=1)
CALLS = [
    "integrate.trapezoid(y)",
    "integrate.trapezoid(y, x)",
    "integrate.trapezoid(y, dx=0.3, axis=0)",
    "integrate.cumulative_trapezoid(y)",
    "integrate.cumulative_trapezoid(y, x, initial=0)",
    "integrate.cumulative_trapezoid(y, dx=0.3, axis=0)",
    "integrate.cumulative_trapezoid(y, x2, axis=1)",
    "integrate.simpson(y)",
    "integrate.simpson(y, x=x)",
    "integrate.simpson(y, x=x2, axis=-1)",
    "integrate.simpson(y, dx=0.3, axis=0)",
    "integrate.simpson(y[:, :8], x=x[:8])",
    "integrate.simpson(y[:, :8], x=x2[:, :8])",
    "integrate.simpson(y[:, :2], x=x[:2])",
    "integrate.simpson(y[:, :2], dx=0.3)",
    "integrate.simpson(y[0], x=x)",
    "integrate.romb(y)",
    "integrate.romb(y[:, :5], dx=0.3)",
    "integrate.romb(y[:3], axis=0)",
    "integrate.fixed_quad(np.sin, y[0, 0], y[1, 1])[0]",
    "integrate.fixed_quad(lambda t, k: np.exp(k * t), 0.0, y[0, 0], args=(0.5,), n=8)[0]",
    "integrate.fixed_quad(lambda t: np.exp(y[0, 0] * t), 0.0, 2.0)[0]",
]


@pytest.mark.parametrize("expression", CALLS)
def test_values_and_derivatives(expression):
    function = eval(f"lambda y, x, x2: {expression}", {"np": np, "integrate": integrate})
    found, expected = jit(function)(Y, X, X2), function(Y, X, X2)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    assert type(found) is type(expected)
    assert np.shape(found) == np.shape(expected)
    check_grads(function, (Y, X, X2))


def test_an_integral_by_its_end_and_its_parameter():
    def area(a, b):
        return integrate.fixed_quad(lambda t: np.exp(-a * t), 0.0, b, n=20)[0]

    by_a, by_b = grad(area, argnums=(0, 1))(0.7, 2.0)
    assert by_b == pytest.approx(np.exp(-1.4), rel=1e-12)
    assert by_a == pytest.approx((np.exp(-1.4) * 2.4 - 1) / 0.49, rel=1e-12)


def test_a_number_of_samples_that_does_not_fit():
    with pytest.raises(ValueError, match="one plus a non-negative power of 2"):
        jit(lambda y: integrate.romb(y))(np.ones(4))
    with pytest.raises(ValueError, match="length of x along axis"):
        jit(lambda y: integrate.simpson(y, x=np.ones(4)))(np.ones(5))
