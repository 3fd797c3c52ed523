"""jvp, vjp, linearize and hvp."""

import numpy as np
import pytest

import symdiff

X, V = np.array([0.5, 1.5]), np.array([1.0, -2.0])


def loss(x):
    return np.sum(np.sin(x) * x)


class Unhashable:
    __hash__ = None

    def __call__(self, x):
        return loss(x)


@pytest.mark.parametrize("function", [loss, Unhashable()], ids=["function", "unhashable"])
def test_products_agree(function):
    slope = symdiff.grad(loss)(X) @ V
    value, dot = symdiff.jvp(function, (X,), (V,))
    assert value == loss(X)
    np.testing.assert_allclose(dot, slope, rtol=1e-14)
    np.testing.assert_allclose(symdiff.linearize(function, X)[1](V), slope, rtol=1e-14)
    (bar,) = symdiff.vjp(function, X)[1](1.0)
    np.testing.assert_allclose(bar @ V, slope, rtol=1e-14)


def test_hvp():
    expected = (2 * np.cos(X) - X * np.sin(X)) * V
    np.testing.assert_allclose(symdiff.hvp(loss, (X,), (V,)), expected, rtol=1e-13)
    np.testing.assert_allclose(symdiff.jvp(symdiff.grad(loss), (X,), (V,))[1], expected, rtol=1e-13)


def test_what_does_not_fit():
    with pytest.raises(TypeError, match="1 primals, but 2 tangents"):
        symdiff.jvp(loss, (X,), (V, V))
    with pytest.raises(TypeError, match=r"has shape \(3,\), its primal \(2,\)"):
        symdiff.jvp(loss, (X,), (np.ones(3),))
