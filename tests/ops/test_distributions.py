"""scipy.stats: values are SciPy's, derivatives those of differences, in all parameters."""

import numpy as np
import pytest
from scipy import stats

import symdiff
from symdiff import grad, jit
from symdiff.testing import check_grads

RNG = np.random.default_rng(0)
REAL = RNG.uniform(-3, 3, 5)
POSITIVE = RNG.uniform(0.2, 3, 5)
UNIT = RNG.uniform(0.1, 0.9, 5)
WHOLE = np.array([0, 1, 2, 4, 3])

# distribution, points, shape parameters
CONTINUOUS = [
    (stats.norm, REAL, ()),
    (stats.halfnorm, POSITIVE, ()),
    (stats.lognorm, POSITIVE, (0.7,)),
    (stats.expon, POSITIVE, ()),
    (stats.uniform, UNIT, ()),
    (stats.laplace, REAL, ()),
    (stats.logistic, REAL, ()),
    (stats.cauchy, REAL, ()),
    (stats.halfcauchy, POSITIVE, ()),
    (stats.gumbel_r, REAL, ()),
    (stats.rayleigh, POSITIVE, ()),
    (stats.t, REAL, (3.5,)),
    (stats.gamma, POSITIVE, (2.5,)),
    (stats.invgamma, POSITIVE, (2.5,)),
    (stats.chi2, POSITIVE, (3.5,)),
    (stats.beta, UNIT, (2.5, 1.5)),
    (stats.weibull_min, POSITIVE, (1.7,)),
    (stats.pareto, POSITIVE + 1, (1.7,)),
]
DISCRETE = [
    (stats.poisson, WHOLE, (2.5,)),
    (stats.bernoulli, np.array([0, 1, 1]), (0.3,)),
    (stats.binom, WHOLE, (6.0, 0.3)),
    (stats.geom, WHOLE + 1, (0.3,)),
    (stats.nbinom, WHOLE, (2.5, 0.3)),
]


def known(distribution, names):
    """The methods that have formulas."""
    from symdiff.ops.primitive import find

    return [name for name in names if find(getattr(distribution, name)) is not None]


CALLS = [
    (distribution, name, UNIT if name in ("ppf", "isf") else points, shapes)
    for distribution, points, shapes in CONTINUOUS
    for name in known(distribution, ["pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"])
] + [
    (distribution, name, points, shapes)
    for distribution, points, shapes in DISCRETE
    for name in known(distribution, ["pmf", "logpmf", "cdf", "logcdf", "sf", "logsf"])
]
EVERY_CALL = pytest.mark.parametrize(
    ("distribution", "name", "points", "shapes"),
    CALLS,
    ids=lambda value: getattr(value, "name", value) if not isinstance(value, np.ndarray) else "",
)
NO_FORMULA = {"df", "a", "b"}  # in which a probability or a quantile cannot be differentiated


@EVERY_CALL
def test_values_are_those_of_scipy(distribution, name, points, shapes):
    def function(x):
        return getattr(distribution, name)(x, *shapes)

    everywhere = np.concatenate([points, [-1.0, 0.0, 0.5, 1.0, 2.0, -np.inf]])
    with np.errstate(all="ignore"):
        expected = function(everywhere)
        found = jit(function)(everywhere)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert found.dtype == expected.dtype
    for x in (points[1], float(points[1])):
        with np.errstate(divide="ignore"):
            found, expected = jit(function)(x), function(x)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert type(found) is type(expected)


@EVERY_CALL
def test_derivatives(distribution, name, points, shapes):
    """In x, in the location, the scale, and the shapes that have a formula."""
    wide = shapes if name.endswith(("pdf", "pmf")) else ()
    if distribution in (stats.lognorm, stats.weibull_min, stats.pareto, stats.geom):
        wide = shapes  # all their formulas are elementary
    discrete = hasattr(distribution, "pmf")

    def function(*args):
        x, *given = (points, *args) if discrete else args
        rest = shapes[len(wide):]
        if discrete:
            return getattr(distribution, name)(x, *given, *rest)
        *own, loc, scale = given
        return getattr(distribution, name)(x, *own, *rest, loc, scale)

    quantile = name in ("ppf", "isf")
    if discrete:
        if wide and distribution is not stats.binom:  # whose first parameter is a whole number
            check_grads(function, wide, atol=1e-6, rtol=1e-6)
        return
    x = points if quantile else 0.3 + 1.5 * points
    check_grads(function, (x, *wide, 0.3, 1.5), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "at", "value"),
    [
        (lambda x: stats.expon.logpdf(x), -1.0, -np.inf),
        (lambda x: stats.expon.pdf(x), -1.0, 0.0),
        (lambda x: stats.expon.cdf(x), -1.0, 0.0),
        (lambda x: stats.beta.logpdf(x, 2, 3), 1.5, -np.inf),
        (lambda x: stats.uniform.cdf(x, 0, 2), 3.0, 1.0),
        (lambda x: stats.gamma.logpdf(x, 2.0), -1.0, -np.inf),
        (lambda x: stats.lognorm.cdf(x, 0.5), -1.0, 0.0),
        (lambda mu: stats.poisson.logpmf(1.5, mu), 2.0, -np.inf),
        (lambda p: stats.binom.logpmf(7, 6, p), 0.5, -np.inf),
    ],
    ids=range(9),
)
def test_outside_of_the_support_nothing_moves(function, at, value):
    assert jit(function)(at) == function(at) == value
    assert grad(function)(at) == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda s: stats.norm.logpdf(0.5, 0, s),
        lambda s: stats.norm.pdf(0.5, 0, s),
        lambda s: stats.norm.cdf(0.5, 0, s),
        lambda s: stats.norm.ppf(0.5, 0, s),
        lambda s: stats.gamma.logpdf(0.5, s),
        lambda s: stats.expon.ppf(s),
        lambda s: stats.poisson.logpmf(2, s),
        lambda s: stats.bernoulli.pmf(1, s),
    ],
    ids=range(8),
)
def test_what_is_not_valid_is_nan(function):
    assert np.isnan(function(-0.5))
    with np.errstate(all="ignore"):
        assert np.isnan(jit(function)(-0.5))


def test_the_tails_stay_finite():
    assert grad(lambda x: stats.norm.logcdf(x))(-1e4) == pytest.approx(1e4)
    assert grad(lambda x: stats.norm.logsf(x))(1e4) == pytest.approx(-1e4)
    assert grad(lambda x: stats.logistic.logpdf(x))(-800.0) == 1
    assert grad(lambda x: stats.logistic.logcdf(x))(-800.0) == 1
    assert grad(lambda p: stats.bernoulli.logpmf(np.array([1, 1, 0]), p).sum())(0.25) == (
        pytest.approx(8 - 1 / 0.75)
    )


def test_types_and_shapes():
    found = jit(lambda x: stats.norm.logpdf(x, 1))(np.float32([1, 2]))
    np.testing.assert_array_equal(found, stats.norm.logpdf(np.float32([1, 2]), 1), strict=True)
    assert grad(lambda x: np.sum(stats.norm.logpdf(x)))(np.float32([1, 2])).dtype == np.float32
    outer = jit(lambda x, m: stats.norm.logpdf(x[:, None], m, scale=2.0))
    x, m = np.arange(3.0), np.arange(4.0)
    np.testing.assert_allclose(outer(x, m), stats.norm.logpdf(x[:, None], m, scale=2.0))
    assert outer(x, m).shape == (3, 4)
    mapped = symdiff.vmap(grad(lambda x, m: stats.t.logpdf(x, 3, loc=m)), in_axes=(0, None))
    np.testing.assert_allclose(mapped(x, 0.5), [grad(lambda x: stats.t.logpdf(x, 3, 0.5))(each)
                                                for each in x])  # fmt: skip


def test_the_source_is_plain():
    made = grad(lambda m, s, x: np.sum(stats.norm.logpdf(x, m, s)), argnums=(0, 1))
    made(0.5, 2.0, REAL)
    code = made.source.rpartition('"""')[2]
    assert "scipy" not in code


# ---------------------------------------------------------------------------- several dimensions

MEAN = np.array([0.3, -0.2, 0.5])
ROOT = RNG.normal(size=(3, 3))
COV = ROOT @ ROOT.T + np.eye(3)


@pytest.mark.parametrize(
    ("x", "mean", "cov"),
    [
        (RNG.normal(size=3), MEAN, COV),
        (RNG.normal(size=(4, 3)), MEAN, COV),
        (RNG.normal(size=(2, 4, 3)), MEAN, COV),
        (RNG.normal(size=(4, 3)), MEAN, np.array([0.5, 1.0, 2.0])),
        (RNG.normal(size=3), MEAN, 2.0),
        (RNG.normal(size=5), 0.5, 2.0),
        (RNG.normal(size=(4, 3)), None, COV),
        (RNG.normal(size=()), 0.5, 2.0),
    ],
    ids=range(8),
)
def test_multivariate_normal(x, mean, cov):
    for name in ("logpdf", "pdf"):
        function = getattr(stats.multivariate_normal, name)
        found = jit(lambda x: getattr(stats.multivariate_normal, name)(x, mean, cov))(x)
        np.testing.assert_allclose(found, function(x, mean, cov), rtol=1e-12)
        assert np.shape(found) == np.shape(function(x, mean, cov))
    check_grads(lambda x: stats.multivariate_normal.logpdf(x, mean, cov), (x,))
    if mean is not None:
        check_grads(lambda m: stats.multivariate_normal.logpdf(x, m, cov), (np.asarray(mean),))


def test_the_derivative_in_a_covariance_is_symmetric():
    x = RNG.normal(size=3)
    found = grad(lambda c: stats.multivariate_normal.logpdf(x, MEAN, c))(COV)
    inverse = np.linalg.inv(COV)
    solved = inverse @ (x - MEAN)
    np.testing.assert_allclose(found, 0.5 * (np.outer(solved, solved) - inverse), rtol=1e-10)
    with pytest.raises(np.linalg.LinAlgError):
        jit(lambda c: stats.multivariate_normal.logpdf(x, MEAN, c))(-COV)


def test_dirichlet():
    alpha, x = np.array([0.5, 1.5, 3.0]), np.array([0.2, 0.3, 0.5])
    function = jit(lambda a: stats.dirichlet.logpdf(x, a))
    np.testing.assert_allclose(function(alpha), stats.dirichlet.logpdf(x, alpha), rtol=1e-12)
    check_grads(lambda a: stats.dirichlet.logpdf(x, a), (alpha,))
    columns = np.stack([x, x[::-1]], axis=1)
    np.testing.assert_allclose(
        jit(lambda a: stats.dirichlet.pdf(columns, a))(alpha), stats.dirichlet.pdf(columns, alpha)
    )


@pytest.mark.parametrize("k", [0, 3, 9, 10, 11])
def test_probabilities_of_the_binomial_distribution(k):
    for method in (lambda p: stats.binom.cdf(k, 10, p), lambda p: stats.binom.sf(k, 10, p)):
        value, slope = symdiff.value_and_grad(method)(0.3)
        assert value == pytest.approx(method(0.3), rel=1e-13)
        expected = (method(0.3 + 1e-6) - method(0.3 - 1e-6)) / 2e-6
        assert slope == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_the_distribution_of_an_angle():
    def loss(x, kappa, loc):
        return np.sum(stats.vonmises.logpdf(x, kappa, loc) + stats.vonmises.pdf(x, kappa, loc))

    args = np.array([-4.0, 0.3, 5.0]), 1.3, 0.2
    assert symdiff.jit(loss)(*args) == pytest.approx(loss(*args), rel=1e-13)
    symdiff.check_grads(loss, args, order=2)
    far = symdiff.grad(lambda kappa: stats.vonmises.logpdf(0.0, kappa))(1e9)
    assert far == pytest.approx(0.5e-9, rel=1e-6)  # half the logarithm
