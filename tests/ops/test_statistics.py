"""Covariances and correlations: NumPy's values and types, and their derivatives."""

import numpy as np
import pytest

from symdiff import jit
from symdiff.testing import check_grads

RNG = np.random.default_rng(14)
ARRAYS = {
    "x": RNG.normal(size=(3, 6)),
    "y": RNG.normal(size=(2, 6)),
    "v": RNG.normal(size=6),
    "u": RNG.normal(size=6),
    "one": RNG.normal(size=(1, 6)),
    "single": RNG.normal(size=(2, 6)).astype(np.float32),
    "counts": np.array([1, 2, 1, 3, 1, 2]),
    "weights": RNG.uniform(1, 2, size=6),
    "n": RNG.integers(0, 9, size=(2, 6)),
    "z": RNG.normal(size=(2, 6)) + 1j * RNG.normal(size=(2, 6)),
}

FUNCTIONS = """
    np.cov(x)
    np.cov(v)
    np.cov(v, u)
    np.cov(x, y)
    np.cov(x, v)
    np.cov(x.T, rowvar=False)
    np.cov(x.T, y.T, rowvar=False)
    np.cov(v, u, rowvar=False)
    np.cov(one, rowvar=False, ddof=0)
    np.cov(x, bias=True)
    np.cov(x, ddof=2)
    np.cov(x, fweights=counts)
    np.cov(x, aweights=weights)
    np.cov(x, aweights=weights, ddof=0)
    np.cov(x, None, True, False, None, counts, weights)
    np.cov(single)
    np.cov(single, dtype=np.float32)
    np.cov(n)
    np.cov(z)
    np.corrcoef(x)
    np.corrcoef(v)
    np.corrcoef(v, u)
    np.corrcoef(x, y)
    np.corrcoef(x.T, rowvar=False)
    np.corrcoef(single, dtype=np.float32)
    np.corrcoef(z)
"""
FUNCTIONS = [line.strip() for line in FUNCTIONS.strip().splitlines()]


def function_of(expression):
    code = compile(expression, "<expression>", "eval")
    names = [name for name in ARRAYS if name in code.co_names]
    function = eval(f"lambda {', '.join(names)}: {expression}", {"np": np})
    return function, [ARRAYS[name] for name in names]


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_values_and_types_are_those_of_numpy(expression):
    function, values = function_of(expression)
    actual, expected = jit(function)(*values), function(*values)
    assert type(actual) is type(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-13, strict=True)


@pytest.mark.parametrize(
    "expression", [each for each in FUNCTIONS if "single" not in each and "(n" not in each]
)
def test_derivatives(expression):
    function, values = function_of(expression)
    check_grads(lambda *args: np.real(function(*args)), tuple(values), order=2)


def test_a_correlation_with_itself_does_not_move():
    check_grads(lambda x: np.diag(np.corrcoef(x)), (ARRAYS["x"],))


def test_wrong_calls():
    with pytest.raises(ValueError, match="more than 2 dimensions"):
        jit(lambda x: np.cov(x[None]))(ARRAYS["x"])
    with pytest.raises(ValueError, match="ddof must be integer"):
        jit(lambda x: np.cov(x, ddof=0.5))(ARRAYS["x"])
    with pytest.raises(ValueError, match="numbers of samples and aweights"):
        jit(lambda x: np.cov(x, aweights=np.ones(2)))(ARRAYS["x"])
