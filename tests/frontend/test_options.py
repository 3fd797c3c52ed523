"""Options of ufuncs: arrays for results, masks, dtypes, casting rules."""

import numpy as np
import pytest

from symdiff import TraceError, check_grads, grad, jit

RNG = np.random.default_rng(0)
X, Y, V = RNG.uniform(-2, 2, (3, 4)), RNG.uniform(0.5, 2, (3, 4)), RNG.uniform(-2, 2, 4)
M = RNG.random((3, 4)) < 0.5


def made(function, second):
    """The function, or the one of x and a second argument that a text says."""
    if isinstance(function, str):
        return eval(f"lambda x, {second}: {function}", {"np": np, "M": M, "V": V})
    return function


def stored_by_keyword(x, y):
    out = np.zeros_like(x)
    np.add(x, y, out=out)
    return out


def stored_by_position(x, y):
    out = np.zeros_like(x)
    result = np.multiply(x, y, out)
    result += 1
    return out


def stored_in_parts(x, y):
    fraction, whole = np.zeros_like(x), np.zeros_like(x)
    np.modf(x * y, out=(fraction, whole))
    return fraction + 2 * whole


def stored_in_itself(x, y):
    x = x * y
    np.sin(x, out=x)
    return x


def stored_in_more_axes(x, y):
    out = np.zeros_like(x, shape=(5, 3, 4))
    np.multiply(x, y, out=out)
    return out


def a_mean_is_stored_by_position(x, y):
    out = np.zeros_like(x, shape=3)
    (x * y).mean(1, None, out)
    return out


@pytest.mark.parametrize(
    "function",
    [
        stored_by_keyword,
        stored_by_position,
        stored_in_parts,
        stored_in_itself,
        stored_in_more_axes,
        a_mean_is_stored_by_position,
        "np.log(x, out=np.zeros_like(x), where=x > 0)",
        "np.divide(x, y, out=x.copy(), where=M)",
        "np.divide(x, V, out=np.ones_like(x), where=V > 0)",
        "np.add(x, 2.5, where=False, out=y * 2)",
        "np.arctanh(x / 2, out=np.zeros_like(x), where=np.abs(x) < 1)",
        "np.maximum(x, y, where=M, out=np.zeros_like(x))",
        "np.add(x, y, dtype=complex)",
        'np.add(x, y, signature="dd->d", order="F", subok=False, casting="no")',
        "np.matmul(x, y.T, axes=[(0, 1), (0, 1), (1, 0)])",
        "np.float_power(y, x, out=np.zeros_like(x), where=M)",
    ],
)
def test_value_type_and_derivative(function):
    function = made(function, "y")
    np.testing.assert_array_equal(jit(function)(X, Y), function(X, Y), strict=True)
    check_grads(function, (X, Y))


@pytest.mark.parametrize(
    "function",
    [
        "np.add(x, n, dtype=np.float32)",
        "np.exp(n, dtype=np.float32)",
        "np.multiply(n, 2, dtype=np.float64) * x",
        'np.sin(x, out=np.zeros_like(x, dtype=np.float32), casting="same_kind")',
        'np.rint(x, out=np.zeros_like(n), casting="unsafe")',
        "np.greater(x, n, where=M, out=np.zeros_like(M))",
        "np.matmul(x, x.T, dtype=np.float32)",
    ],
)
def test_dtypes_are_numpys(function):
    function, n = made(function, "n"), RNG.integers(-3, 3, (3, 4))
    np.testing.assert_array_equal(jit(function)(X, n), function(X, n), strict=True)


@pytest.mark.parametrize(
    "function",
    [
        'np.add(x, n, casting="no")',
        "np.sin(x, out=np.zeros_like(n))",
        "np.sin(x, dtype=int)",
        "np.sin(x, out=np.zeros_like(x), where=n)",
        "np.sin(x, out=np.zeros_like(x, shape=2))",
    ],
)
def test_what_numpy_refuses_is_refused(function):
    function, n = made(function, "n"), np.arange(12).reshape(3, 4)
    with pytest.raises((TypeError, ValueError)):
        function(X, n)
    with pytest.raises((TypeError, ValueError)):
        jit(function)(X, n)


def test_elements_that_nothing_fills_are_refused():
    with pytest.raises(TraceError, match=r"np\.sqrt with where= and without out=[^$]*np\.where"):
        jit(lambda x: np.sqrt(x, where=x > 0))(X)


def test_what_is_not_computed_warns_of_nothing():
    with np.errstate(all="raise"):
        log = grad(lambda x: np.sum(np.log(x, out=np.zeros_like(x), where=x > 0)))
        np.testing.assert_array_equal(log(np.array([2.0, 0.0, -1.0])), [0.5, 0.0, 0.0])
