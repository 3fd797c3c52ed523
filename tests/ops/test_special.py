"""scipy.special: derivatives against extended precision, at extremes, and SciPy's own functions."""

import mpmath
import numpy as np
import pytest
from scipy import special

from symdiff import grad, hessian, jit


@pytest.fixture(autouse=True)
def sixty_digits(monkeypatch):
    monkeypatch.setattr(mpmath.mp, "dps", 60)


def log_ndtr(x):
    return mpmath.log(mpmath.ncdf(x))


def log_expit(x):
    return -mpmath.log(1 + mpmath.exp(-x))


# function, the same in extended precision, points
FUNCTIONS = [
    ("expit", lambda x: 1 / (1 + mpmath.exp(-x)), [-30.0, -1.0, 0.0, 2.0]),
    ("logit", lambda x: mpmath.log(x / (1 - x)), [1e-6, 0.5, 0.9]),
    ("log_expit", log_expit, [-50.0, -1.0, 0.0, 3.0, 40.0]),
    ("erf", mpmath.erf, [-3.0, 0.0, 0.5, 5.0]),
    ("erfc", mpmath.erfc, [-3.0, 0.0, 0.5, 5.0]),
    ("erfinv", mpmath.erfinv, [-0.99, 0.1, 0.5]),
    ("ndtr", mpmath.ncdf, [-5.0, 0.1, 2.0]),
    ("log_ndtr", log_ndtr, [-30.0, -5.0, 0.1, 2.0]),
    ("gamma", mpmath.gamma, [-1.5, 0.1, 3.0, 20.0]),
    ("gammaln", mpmath.loggamma, [1e-3, 0.5, 2.0, 50.0]),
    ("digamma", mpmath.digamma, [1e-2, 0.5, 3.0, 50.0]),
    ("i0", lambda x: mpmath.besseli(0, x), [-2.0, 0.0, 1e-4, 3.0]),
    ("i1", lambda x: mpmath.besseli(1, x), [-2.0, 0.1, 3.0]),
]
POINTS = [(*row[:2], x) for row in FUNCTIONS for x in row[2]]


def function_of(expression):
    return eval(f"lambda x: {expression}", {"np": np, "special": special})


@pytest.mark.parametrize(("name", "exact", "x"), POINTS)
def test_first_and_second_derivative(name, exact, x):
    first = grad(function_of(f"special.{name}(x)"))
    np.testing.assert_allclose(first(x), float(mpmath.diff(exact, x)), rtol=1e-12)
    if name != "log_ndtr" or x > -10:  # beyond, x + exp(...) has lost most of its digits
        second = float(mpmath.diff(exact, x, 2))
        np.testing.assert_allclose(grad(first)(x), second, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("expression", "x", "derivative"),
    [
        ("special.expit(x)", 800.0, 0.0),
        ("special.expit(x)", -800.0, 0.0),
        ("special.log_expit(x)", 800.0, 0.0),
        ("special.log_expit(x)", -800.0, 1.0),
        ("special.log_ndtr(x)", -1e4, 1e4),
        ("special.log_ndtr(x)", 40.0, 0.0),
        ("special.erf(x)", 40.0, 0.0),
        ("special.erfc(x)", -40.0, 0.0),
        ("special.i1(x)", 0.0, 0.5),
        ("special.xlogy(x, x)", 0.0, 0.0),
        ("special.xlogy(x, 0.5)", 0.0, np.log(0.5)),
        ("special.xlogy(0.0, x)", 0.0, 0.0),
        ("special.xlogy(0.0, x)", 2.0, 0.0),
        ("special.xlogy(2.0, x)", 0.0, np.inf),
        ("special.xlog1py(x, -1.0)", 0.0, 0.0),
        ("special.xlog1py(x, 1.0)", 0.0, np.log(2)),
        ("special.xlog1py(0.0, x)", -1.0, 0.0),
        ("special.polygamma(1, x)", 1.0, -2 * special.zeta(3)),
        ("special.polygamma(0, x)", 1.0, special.zeta(2)),
    ],
)
def test_extremes(expression, x, derivative):
    np.testing.assert_allclose(grad(function_of(expression))(x), derivative, rtol=1e-7)


def test_the_logarithm_of_a_softmax():
    gradient = grad(lambda x: np.log(special.softmax(x))[0])
    np.testing.assert_array_equal(gradient(np.array([-800.0, 0.0])), [1.0, -1.0])


def test_mixed_second_derivative_of_xlogy_at_0():
    function = hessian(lambda p: special.xlogy(p[0], p[1]))
    np.testing.assert_array_equal(function(np.array([0.0, 2.0])), [[0.0, 0.5], [0.5, 0.0]])


X = np.array([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    "expression",
    [
        "special.logsumexp(x)",
        "special.logsumexp(x, 1)",
        "special.logsumexp(x, axis=(0, 1), keepdims=True)",
        "special.logsumexp(x.astype(int), axis=0)",
        "special.logsumexp(x.astype(np.float32), axis=-1)",
        "special.softmax(x)",
        "special.softmax(x, axis=-1)",
        "special.softmax(x.astype(np.float32), axis=0)",
        "special.log_softmax(x, axis=1)",
        "special.log_softmax(x.astype(int), axis=0)",
        "special.polygamma(2, x[1])",
        "special.polygamma(1, x[1].astype(np.float32))",
        "special.digamma(x[1].astype(np.float32))",
        "special.expit(x.astype(np.int32))",
    ],
)
def test_value_and_type_are_those_of_scipy(expression):
    function = function_of(expression)
    compiled = jit(function)
    np.testing.assert_array_equal(compiled(X), function(X), strict=True)
    assert "scipy.special." in compiled.source


def test_the_derivative_of_logsumexp_is_softmax():
    found = grad(lambda x: np.sum(special.logsumexp(x, axis=1)))(X)
    np.testing.assert_allclose(found, special.softmax(X, axis=1))
    masked = np.array([-np.inf, 1.0, 1.0])
    found = grad(lambda x: special.logsumexp(x))(masked)
    np.testing.assert_allclose(found, [0.0, 0.5, 0.5])
    assert found[0] == 0


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
