"""Counts, histograms and sets: NumPy's results, right derivatives, sizes that depend on values."""

import numpy as np
import pytest

import symdiff
from symdiff.testing import check_grads

X = np.array([0.5, -0.9, 2.0, 0.5, 1.2])
PLACES = np.array([0, 2, 2, 1, 4])


def same(actual, expected):
    """Whether results are NumPy's, in type as well."""
    if isinstance(expected, (tuple, list)):
        assert isinstance(actual, (tuple, list))
        assert len(actual) == len(expected)
        for each, other in zip(actual, expected, strict=True):
            same(each, other)
    else:
        np.testing.assert_array_equal(actual, expected, strict=True)


VALUES = {
    "bincount": lambda x: np.bincount((x + 1).astype(int)),
    "bincount with weights": lambda x: np.bincount(PLACES, x),
    "bincount of so many": lambda x: np.bincount(PLACES, x, minlength=8),
    "bincount of nothing": lambda x: np.bincount(PLACES[:0], x[:0]),
}


@pytest.mark.parametrize("function", VALUES.values(), ids=VALUES)
def test_results_are_those_of_numpy(function):
    same(symdiff.jit(function)(X), function(X))


FUNCTIONS = {
    "bincount": lambda x: np.sum(np.bincount(PLACES, x**2) ** 2),
    "bincount by a value": lambda x: np.sum(np.bincount((x + 1.05).astype(int), x, 7) ** 2),
    "mapped bincount": lambda x: np.sum(
        symdiff.vmap(lambda row: np.bincount(PLACES, row))(np.outer(x, x)) ** 2
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_derivatives_of_functions(function):
    check_grads(function, (X,), order=2)


def test_a_program_is_of_one_length():
    gradient = symdiff.grad(lambda i, x: np.sum(np.bincount(i, x) ** 2), argnums=1)
    for places in (PLACES, PLACES + 3, PLACES[::-1]):
        expected = 2 * np.bincount(places, X)[places]
        np.testing.assert_array_equal(gradient(places, X), expected)
    assert "if not i.max() == 4:" in gradient.source or "if not i.max() == 7:" in gradient.source


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.bincount(x), "safe"),
        (lambda x: np.bincount(PLACES[:, None], x), "one axis"),
        (lambda x: np.bincount(PLACES[1:], x), "same length"),
    ],
    ids=["floats", "axes", "lengths"],
)
def test_what_is_wrong_is_refused(function, message):
    with pytest.raises((ValueError, TypeError), match=message):
        symdiff.jit(function)(X)
