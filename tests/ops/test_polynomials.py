"""Polynomials: NumPy's values and types, and their derivatives."""

import numpy as np
import pytest

from symdiff import grad, jit, vmap
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(13)
ARRAYS = {
    "p": RNG.normal(size=4),
    "q": RNG.normal(size=3),
    "x": RNG.normal(size=9),
    "y": RNG.normal(size=9),
    "w": RNG.uniform(1, 2, size=9),
    "grid": RNG.normal(size=(2, 3)),
    "pair": RNG.normal(size=(9, 2)),
    "t": 0.3,
    "single": RNG.normal(size=3).astype(np.float32),
    "n": np.array([2, -1, 3]),
    "z": RNG.normal(size=3) + 1j * RNG.normal(size=3),
    "matrix": RNG.normal(size=(3, 3)),
}

FUNCTIONS = """
    np.polyval(p, x)
    np.polyval(p, grid)
    np.polyval(p, t)
    np.polyval([1, 2, 3], x)
    np.polyval([t, 2, 3.0], x)
    np.polyval([], x)
    np.polyval(p, np.array(2.0))
    np.polyval(p, single)
    np.polyval(single, single)
    np.polyval(n, n)
    np.polyval(n, z)
    np.polyval(z, x)
    np.polyval(pair[:2], pair[0])
    np.polyval(np.poly1d([1.0, 2.0]), x)
    np.vander(x)
    np.vander(x, 3)
    np.vander(single, 4, True)
    np.vander(n, 2)
    np.vander(x, 0)
    np.polyadd(p, q)
    np.polyadd(n, [1])
    np.polysub(q, p)
    np.polysub(t, p)
    np.polymul(p, q)
    np.polymul(p, [1.0, t])
    np.polyder(p)
    np.polyder(p, 2)
    np.polyder(n)
    np.polyder(p, 0)
    np.polyint(p)
    np.polyint(q, 2, [1.0, 2.0])
    np.polyint(q, 2, k=t)
    np.polyint(n)
    np.poly(q)
    np.poly(n)
    np.poly([t, 1])
    np.polyfit(x, y, 3)
    np.polyfit(x, pair, 2)
    np.polyfit(x, y, 2, w=w)
    np.polyfit(x, pair, 1, w=w)
    np.polyfit(x, y, 2, rcond=1e-9)
    np.polyfit(x, y, 1, full=True)
    np.polyfit(x, y, 1, cov=True)
    np.polyfit(x, pair, 1, cov=True)
    np.polyfit(x, y, 1, cov="unscaled")
    np.polynomial.polynomial.polyval(x, p)
    np.polynomial.chebyshev.chebval(x, p)
    np.polynomial.chebyshev.chebval(t, p)
    np.polynomial.chebyshev.chebval(grid, [1, 2, 3])
    np.polynomial.legendre.legval(x, p)
    np.polynomial.laguerre.lagval(x, p)
    np.polynomial.hermite.hermval(x, p)
    np.polynomial.hermite_e.hermeval(x, p)
    np.polynomial.chebyshev.chebder(p)
    np.polynomial.legendre.legder(p, 2)
    np.polynomial.polynomial.polyder(p, scl=2.0)
    np.polynomial.polynomial.polyvander(x, 3)
    np.polynomial.hermite.hermvander(grid, 2)
"""
FUNCTIONS = [line.strip() for line in FUNCTIONS.strip().splitlines()]


def function_of(expression):
    code = compile(expression, "<expression>", "eval")
    names = [name for name in ARRAYS if name in code.co_names]
    function = eval(f"lambda {', '.join(names) or 'x'}: {expression}", {"np": np})
    return function, [ARRAYS[name] for name in names or ["x"]]


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_values_and_types_are_those_of_numpy(expression):
    function, values = function_of(expression)
    actual, expected = jit(function)(*values), function(*values)
    if not isinstance(expected, tuple):
        actual, expected = [actual], [expected]
    for each, other in zip(actual, expected, strict=True):
        assert type(each) is type(other)
        np.testing.assert_allclose(each, other, rtol=1e-14, strict=True)


OF_FLOATS = [
    each for each in FUNCTIONS if not any(s in each for s in ("single", "n)", "(n", "[]", "x, 0"))
]


@pytest.mark.parametrize("expression", OF_FLOATS)
def test_derivatives(expression):
    function, values = function_of(expression)
    check_grads(lambda *args: _real(function(*args)), tuple(values), order=2)


def _real(result):
    return np.real(result[0] if isinstance(result, tuple) else result)


def test_all_results_of_a_fit_have_derivatives():
    x, y = ARRAYS["x"], ARRAYS["y"]
    check_grads(lambda y: np.polyfit(x, y, 2, cov=True)[1], (y,))
    check_grads(lambda y: np.polyfit(x, y, 2, full=True)[1], (y,))


def test_quotients():
    p, q = ARRAYS["x"], ARRAYS["q"]
    quotient, rest = jit(lambda p, q: np.polydiv(p, q))(p, q)
    expected = np.polydiv(p, q)
    np.testing.assert_allclose(quotient, expected[0])
    np.testing.assert_allclose(rest, expected[1][-2:])
    assert len(rest) == len(q) - 1
    check_grads(lambda p, q: np.concatenate(np.polydiv(p, q)), (p[:5], q), order=2)
    quotient, rest = jit(lambda p, q: np.polydiv(q, p))(p, q)
    np.testing.assert_array_equal(quotient, [0.0])
    np.testing.assert_array_equal(rest, q)


def test_roots():
    p = np.poly([1.0, 2.0, -3.0])
    np.testing.assert_allclose(np.sort(jit(lambda p: np.roots(p))(p).real), [-3, 1, 2])
    check_grads(lambda p: np.sum(np.abs(np.roots(p)) ** 2), (p,), order=2)
    check_grads(lambda p: np.sum(np.abs(np.roots(p)) ** 2), (np.array([1.0, 0.2, 0.7]),), order=2)
    # the root moves by -dp(root) / p'(root)
    p_bar = grad(lambda p: np.max(np.roots(p).real))(p)
    np.testing.assert_allclose(p_bar, -(2.0 ** np.arange(3, -1, -1)) / np.polyval(np.polyder(p), 2))


def test_the_characteristic_polynomial():
    a = ARRAYS["matrix"]
    np.testing.assert_allclose(jit(lambda a: np.poly(a))(a), np.poly(a))
    check_grads(lambda a: np.poly(a), (a,))


def test_a_polynomial_is_one_call_of_numpys():
    p, x = np.ones(30), ARRAYS["x"]
    gradient = grad(lambda p, x: np.sum(np.polyval(p, x)), argnums=(0, 1))
    gradient(p, x)
    assert "np.vander(x, 30)" in gradient.source
    assert "np.polyval(p[:-1] * np.arange(29.0, 0.0, -1.0), x)" in gradient.source


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize(
    "function", [np.polyval, lambda p, x: np.polynomial.chebyshev.chebval(x, p)]
)
def test_a_batch_of_polynomials(function, in_axes):
    p, x = ARRAYS["p"], ARRAYS["grid"]
    batches = [np.stack([a, 2 * a + 1]) if axis == 0 else a
               for a, axis in zip((p, x), in_axes, strict=True)]
    found = vmap(lambda p, x: function(1 * p, x), in_axes)(*batches)
    for i in range(2):
        own = [a[i] if axis == 0 else a for a, axis in zip(batches, in_axes, strict=True)]
        np.testing.assert_allclose(found[i], function(*own))


def test_a_polynomial_object_is_called():
    check_grads(np.poly1d([1.0, -2.0, 3.0]), (ARRAYS["x"],))


def test_what_is_refused():
    with pytest.raises(UnsupportedFunctionError, match=r"p\.coeffs"):
        jit(lambda x: np.polyadd(np.poly1d([1.0, 2.0]), x))(ARRAYS["x"])


def test_wrong_calls():
    x = ARRAYS["x"]
    with pytest.raises(ValueError, match="same length"):
        jit(lambda x: np.polyfit(x, x[:3], 1))(x)
    with pytest.raises(ValueError, match="expected deg >= 0"):
        jit(lambda x: np.polyfit(x, x, -1))(x)
