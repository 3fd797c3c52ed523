"""Distributions of scipy.stats as objects: methods, parameters in advance, refusals."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm

from symdiff import grad, jit
from symdiff.errors import TraceError, UnsupportedFunctionError

PRIOR = norm(0.5, scale=2.0)


def test_a_distribution_by_its_own_name():
    assert grad(lambda x: norm.logpdf(x))(2.0) == -2.0
    assert grad(lambda x: norm.logpdf(x, loc=1.0))(2.0) == -1.0


def test_parameters_may_be_traced_and_given_in_advance():
    def loss(m, s):
        return norm(loc=m, scale=s).logpdf(2.0)

    np.testing.assert_allclose(grad(loss, argnums=(0, 1))(1.0, 2.0), [0.25, 0.125 - 0.5])
    assert grad(lambda x: norm(1.0, 2.0).logpdf(x))(2.0) == -0.25
    assert grad(lambda a: stats.gamma(a, scale=2.0).logpdf(1.0))(1.5) == pytest.approx(
        grad(lambda a: stats.gamma.logpdf(1.0, a, scale=2.0))(1.5)
    )


def test_one_from_outside_with_its_parameters():
    function = grad(lambda x: PRIOR.logpdf(x))
    assert function(1.5) == -0.25


def test_a_helper_takes_one():
    def posterior(x, prior):
        return prior.logpdf(x) + norm.logpdf(1.0, loc=x)

    assert grad(lambda x: posterior(x, PRIOR))(1.5) == -0.75
    assert grad(lambda x: posterior(x, norm(x, 1.0)))(1.5) == -0.5


def test_what_is_not_traced_is_scipys():
    assert jit(lambda x: x * norm.cdf(0.0) + PRIOR.mean())(3.0) == 2.0
    assert jit(lambda x: x + norm.rvs(random_state=0))(1.0) == 1.0 + norm.rvs(random_state=0)


def test_draws_are_refused():
    with pytest.raises(TraceError, match=r"scipy.stats.norm.rvs draws random numbers"):
        jit(lambda x: x + norm.rvs())(1.0)
    with pytest.raises(TraceError, match=r"scipy.stats.norm.rvs draws random numbers"):
        jit(lambda x: x + PRIOR.rvs(size=2))(1.0)


def test_what_has_no_formula_is_named():
    with pytest.raises(UnsupportedFunctionError, match=r"scipy.stats.skewnorm.logpdf has no deriv"):
        grad(lambda x: stats.skewnorm.logpdf(x, 1.0))(1.0)
    with pytest.raises(TypeError, match="the parameters are a, loc, scale"):
        grad(lambda x: stats.gamma.logpdf(x))(1.0)
