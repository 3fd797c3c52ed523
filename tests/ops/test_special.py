"""scipy.special: derivatives against extended precision, at extremes, and SciPy's own functions."""

import mpmath
import numpy as np
import pytest
from scipy import special

from symdiff import grad, hessian, jit

mpmath.mp.dps = 60


def log_ndtr(x):
    return mpmath.log(mpmath.ncdf(x))


def log_expit(x):
    return -mpmath.log(1 + mpmath.exp(-x))


# function, the same in extended precision, points
FUNCTIONS = [
    (special.expit, lambda x: 1 / (1 + mpmath.exp(-x)), [-30.0, -1.0, 0.0, 2.0]),
    (special.logit, lambda x: mpmath.log(x / (1 - x)), [1e-6, 0.5, 0.9]),
    (special.log_expit, log_expit, [-50.0, -1.0, 0.0, 3.0, 40.0]),
    (special.erf, mpmath.erf, [-3.0, 0.0, 0.5, 5.0]),
    (special.erfc, mpmath.erfc, [-3.0, 0.0, 0.5, 5.0]),
    (special.erfinv, mpmath.erfinv, [-0.99, 0.1, 0.5]),
    (special.ndtr, mpmath.ncdf, [-5.0, 0.1, 2.0]),
    (special.log_ndtr, log_ndtr, [-30.0, -5.0, 0.1, 2.0]),
    (special.gamma, mpmath.gamma, [-1.5, 0.1, 3.0, 20.0]),
    (special.gammaln, mpmath.loggamma, [1e-3, 0.5, 2.0, 50.0]),
    (special.digamma, mpmath.digamma, [1e-2, 0.5, 3.0, 50.0]),
    (special.i0, lambda x: mpmath.besseli(0, x), [-2.0, 0.0, 1e-4, 3.0]),
    (special.i1, lambda x: mpmath.besseli(1, x), [-2.0, 1e-4, 3.0]),
]
POINTS = [(*row[:2], x) for row in FUNCTIONS for x in row[2]]


def applied(function):
    """The function as one that is traced: a ufunc has no signature."""
    return lambda x: function(x)


@pytest.mark.parametrize(("function", "exact", "x"), POINTS, ids=str)
def test_first_and_second_derivative(function, exact, x):
    first = grad(applied(function))
    np.testing.assert_allclose(first(x), float(mpmath.diff(exact, x)), rtol=1e-12)
    if function is not special.log_ndtr or x > -10:  # -30: exp(y) has lost 14 digits of its own
        second = float(mpmath.diff(exact, x, 2))
        np.testing.assert_allclose(grad(first)(x), second, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("function", "x", "derivative"),
    [
        (special.expit, 800.0, 0.0),
        (special.expit, -800.0, 0.0),
        (special.log_expit, 800.0, 0.0),
        (special.log_expit, -800.0, 1.0),
        (special.log_ndtr, -1e4, 1e4),
        (special.log_ndtr, 40.0, 0.0),
        (special.erf, 40.0, 0.0),
        (special.erfc, -40.0, 0.0),
        (special.i1, 0.0, 0.5),
        (lambda x: special.xlogy(x, x), 0.0, 0.0),
        (lambda x: special.xlogy(x, 0.5), 0.0, np.log(0.5)),
        (lambda x: special.xlogy(0.0, x), 0.0, 0.0),
        (lambda x: special.xlogy(0.0, x), 2.0, 0.0),
        (lambda x: special.xlogy(2.0, x), 0.0, np.inf),
        (lambda x: special.xlog1py(x, -1.0), 0.0, 0.0),
        (lambda x: special.xlog1py(x, 1.0), 0.0, np.log(2)),
        (lambda x: special.xlog1py(0.0, x), -1.0, 0.0),
        (lambda x: special.polygamma(1, x), 1.0, -2 * special.zeta(3)),
        (lambda x: special.polygamma(0, x), 1.0, special.zeta(2)),
    ],
)
def test_extremes(function, x, derivative):
    np.testing.assert_allclose(grad(applied(function))(x), derivative, rtol=1e-7)


def test_mixed_second_derivative_of_xlogy_at_0():
    function = hessian(lambda p: special.xlogy(p[0], p[1]))
    np.testing.assert_array_equal(function(np.array([0.0, 2.0])), [[0.0, 0.5], [0.5, 0.0]])


X = np.array([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: special.logsumexp(x),
        lambda x: special.logsumexp(x, 1),
        lambda x: special.logsumexp(x, axis=(0, 1), keepdims=True),
        lambda x: special.logsumexp(x.astype(int), axis=0),
        lambda x: special.logsumexp(x.astype(np.float32), axis=-1),
        lambda x: special.softmax(x),
        lambda x: special.softmax(x, axis=-1),
        lambda x: special.softmax(x.astype(np.float32), axis=0),
        lambda x: special.log_softmax(x, axis=1),
        lambda x: special.log_softmax(x.astype(int), axis=0),
        lambda x: special.polygamma(2, x[1]),
        lambda x: special.polygamma(1, x[1].astype(np.float32)),
        lambda x: special.digamma(x[1].astype(np.float32)),
        lambda x: special.expit(x.astype(np.int32)),
    ],
)
def test_value_and_type_are_those_of_scipy(function):
    compiled = jit(function)
    np.testing.assert_array_equal(compiled(X), function(X), strict=True)
    assert "scipy.special." in compiled.source


def test_the_derivative_of_logsumexp_is_softmax():
    found = grad(lambda x: np.sum(special.logsumexp(x, axis=1)))(X)
    np.testing.assert_allclose(found, special.softmax(X, axis=1))
    masked = np.array([-np.inf, 1.0, 1.0])
    found = grad(lambda x: special.logsumexp(x))(masked)
    np.testing.assert_array_equal(found, [0.0, 0.5, 0.5])


def test_the_second_derivative_of_logsumexp():
    x = np.array([800.0, 799.0, -800.0])
    p = special.softmax(x)
    found = hessian(lambda x: special.logsumexp(x))(x)
    np.testing.assert_allclose(found, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_the_derivative_of_log_softmax_at_extremes():
    found = grad(lambda x: special.log_softmax(x)[0])(np.array([-1e4, 1e4]))
    np.testing.assert_array_equal(found, [1.0, -1.0])


@pytest.mark.parametrize("options", [{"b": 2.0}, {"return_sign": True}])
def test_weights_and_signs_are_refused(options):
    with pytest.raises(TypeError, match=r"with b= or return_sign= is not traced"):
        grad(lambda x: np.sum(special.logsumexp(x, **options)[0]))(X)
