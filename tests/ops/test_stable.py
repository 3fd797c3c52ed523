"""The stable compositions: their formulas, their derivatives at extremes, SciPy's namesakes."""

import numpy as np
import pytest
from scipy import special

from symdiff.ops import stable

ROWS = np.array([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0], [-745.0, -746.0, -744.0]])


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [(0,), (1,), (0, 1)])
def test_the_formula_is_as_accurate_as_scipy(name, dtype, axis):
    params = {"keepdims": True} if name == "logsumexp" else {}
    x = ROWS.astype(dtype)
    found = getattr(stable, name)(x, axis=axis, expanded=True, **params)
    expected = getattr(special, name)(ROWS, axis=axis, **params)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0)


def test_infinite_maxima():
    inf = np.inf
    x = np.array([[-inf, -inf], [inf, 0.0], [-inf, 1.0]])
    with np.errstate(divide="ignore"):
        found = stable.logsumexp(x, axis=(1,), keepdims=False, expanded=True)
    np.testing.assert_array_equal(found, [-inf, inf, 1.0])
    np.testing.assert_array_equal(stable.softmax(x[2:], axis=(1,), expanded=True), [[0.0, 1.0]])


def test_the_hand_written_forms_bit_for_bit():
    x = np.random.default_rng(0).normal(size=(20, 10))
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(stable.softmax(x, axis=(1,), expanded=True), p)
    shifted = x - x.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(stable.log_softmax(x, axis=(1,), expanded=True), logp)
    np.testing.assert_array_equal(stable.sigmoid(x, expanded=True), 1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_softplus_and_its_derivative_have_all_digits_and_no_overflow(dtype):
    x = np.concatenate([np.linspace(-12, 100, 999), [-np.inf, np.inf, np.nan, 6e4, -6e4]])
    x = x.astype(dtype)
    wide = x.astype(np.float64)
    with np.errstate(all="raise", under="ignore"):
        value, slope = stable.softplus(x), stable.logistic(x)
    assert value.dtype == slope.dtype == dtype
    tolerance = 3 * np.finfo(dtype).eps
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(value, np.logaddexp(0, wide), rtol=tolerance)
    np.testing.assert_allclose(slope, special.expit(wide), rtol=tolerance)
    assert np.all(np.isfinite(value[:-5]))
