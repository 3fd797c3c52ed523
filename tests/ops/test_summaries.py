"""Summaries of scipy.stats: values are SciPy's, derivatives those of differences."""

import numpy as np
import pytest
from scipy import stats

from symdiff import grad, jit
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

X = np.random.default_rng(0).uniform(0.5, 2, (3, 4))
W = np.random.default_rng(1).uniform(0.5, 2, (3, 4))


@pytest.mark.parametrize(
    "expression",
    [
        "stats.zscore(x)",
        "stats.zscore(x, axis=1, ddof=1)",
        "stats.zscore(x, axis=None)",
        "stats.gmean(x)",
        "stats.gmean(x, axis=None)",
        "stats.gmean(x, axis=1, weights=w)",
        "stats.hmean(x)",
        "stats.hmean(x, axis=-1, keepdims=True)",
        "stats.hmean(x, axis=1, weights=w)",
        "stats.sem(x)",
        "stats.sem(x, axis=None, ddof=0)",
        "stats.entropy(x)",
        "stats.entropy(x, w)",
        "stats.entropy(x[0], w[0], base=2)",
        "stats.entropy(x, axis=1, keepdims=True)",
    ],
)
def test_values_and_derivatives(expression):
    function = eval(f"lambda x, w: {expression}", {"np": np, "stats": stats})
    found, expected = jit(function)(X, W), function(X, W)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    assert type(found) is type(expected)
    assert np.shape(found) == np.shape(expected)
    check_grads(function, (X, W))


def test_a_policy_for_nan_is_refused():
    with pytest.raises(UnsupportedFunctionError, match="with nan_policy= is not traced"):
        grad(lambda x: np.sum(stats.gmean(x, nan_policy="omit")))(X)
