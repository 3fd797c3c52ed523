"""vjp and linearize: once at the primals, then along any number of directions."""

import numpy as np
import pytest

from symdiff import jit, linearize, vjp


def f(x, params):
    return {"y": np.tanh(x @ params["W"]), "n": np.sum(x)}


X, PARAMS = np.arange(6.0).reshape(2, 3) / 7, {"W": np.ones((3, 2))}


def test_many_directions_for_one_forward_pass():
    y, pullback = vjp(f, X, PARAMS)
    np.testing.assert_array_equal(y["y"], f(X, PARAMS)["y"])
    first = pullback({"y": np.ones((2, 2)), "n": 0.0})
    again = pullback({"y": 2 * np.ones((2, 2)), "n": 0.0})
    np.testing.assert_allclose(again[0], 2 * first[0])
    np.testing.assert_allclose(again[1]["W"], 2 * first[1]["W"])


def test_residuals_are_not_the_callers_arrays():
    x = X.copy()
    _, pullback = vjp(lambda x: x * x, x)
    x[:] = 0
    np.testing.assert_array_equal(pullback(np.ones((2, 3)))[0], 2 * X)


def test_linear_function():
    y, push = linearize(f, X, PARAMS)
    tangent = push(np.ones((2, 3)), {"W": np.zeros((3, 2))})
    assert tangent["n"] == 6
    step = 1e-6
    ahead = f(X + step, PARAMS)["y"]
    np.testing.assert_allclose(tangent["y"], (ahead - y["y"]) / step, rtol=1e-4, atol=1e-6)


def test_inside_a_trace():
    def g(x):
        y, pullback = vjp(np.sin, x)
        return pullback(y)[0]

    np.testing.assert_allclose(jit(g)(X), np.cos(X) * np.sin(X))


@pytest.mark.parametrize("bar", [1.0, (np.ones((2, 2)),), {"y": np.ones(3), "n": 0.0}])
def test_what_does_not_fit_is_refused(bar):
    _, pullback = vjp(f, X, PARAMS)
    with pytest.raises(TypeError):
        pullback(bar)
