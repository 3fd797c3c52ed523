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
    "edges": lambda x: np.histogram_bin_edges(x, 4),
    "edges in a range": lambda x: np.histogram_bin_edges(x, 4, (0, 1)),
    "edges of one value": lambda x: np.histogram_bin_edges(0 * x, 3),
    "histogram": lambda x: np.histogram(x),
    "histogram in a range": lambda x: np.histogram(x, 3, (-0.9, 1.2)),
    "histogram of numbers": lambda x: np.histogram((3 * x).astype(int), 3),
    "histogram between values": lambda x: np.histogram(x, 3, (x[1], 1.5)),
    "histogram by edges": lambda x: np.histogram(x, [-1.0, 0.5, 0.6, 2.0]),
    "histogram by other edges": lambda x: np.histogram([0.1, 0.7], np.sort(x)),
    "density": lambda x: np.histogram(x, 3, density=True),
    "weights": lambda x: np.histogram(x, 3, weights=x**2),
    "weights of numbers": lambda x: np.histogram(x, 3, weights=PLACES),
    "complex weights": lambda x: np.histogram(x, 3, weights=x * 1j),
    "single weights": lambda x: np.histogram(x, 3, weights=x.astype(np.float32)),
    "histogram of no elements": lambda x: np.histogram(x[:0], 3),
    "two axes": lambda x: np.histogram2d(x, x**2, 3),
    "two axes by edges": lambda x: np.histogram2d(x, x**2, [[-1, 0, 1, 2], 2], density=True),
    "two axes, weights": lambda x: np.histogram2d(x, x**2, [-1, 0, 1, 2, 3], weights=x),
    "axes": lambda x: np.histogramdd(np.stack([x, x**2, -x], 1), (2, 3, 1)),
    "axes in ranges": lambda x: np.histogramdd([x, -x], 2, [(0, 1), None], weights=x),
    "unique": lambda x: np.unique(x),
    "unique of axes": lambda x: np.unique(np.outer(x, x)),
    "unique of numbers": lambda x: np.unique((3 * x).astype(int), return_counts=True),
    "unique of nan": lambda x: np.unique(np.where(x > 0.5, np.nan, x), True, True, True),
    "nan apart": lambda x: np.unique(np.where(x > 0.5, np.nan, x), equal_nan=False),
    "unique and all": lambda x: np.unique(x, True, True, True),
    "inverse of axes": lambda x: np.unique(np.outer(x, x) > 0.2, return_inverse=True),
    "unique rows": lambda x: np.unique(np.sign(np.outer(x, x)), True, True, True, axis=0),
    "unique columns": lambda x: np.unique(np.sign(np.outer(x, x)), axis=1, return_counts=True),
    "unique of nothing": lambda x: np.unique(x[:0]),
    "unique_all": lambda x: np.unique_all(x),
    "unique_counts": lambda x: np.unique_counts(np.outer(x, x)),
    "unique_inverse": lambda x: np.unique_inverse(np.outer(x, x)),
    "unique_values": lambda x: np.unique_values(x),
    "union": lambda x: np.union1d(x, x**2),
    "intersection": lambda x: np.intersect1d(x, [2.0, 0.5, 3.0]),
    "places of an intersection": lambda x: np.intersect1d(x, [2, 0.5, 3], return_indices=True),
    "of unique elements": lambda x: np.intersect1d(x[1:], [2, 0.5], True, return_indices=True),
    "difference": lambda x: np.setdiff1d(x, [2.0, 3.0]),
    "difference of unique ones": lambda x: np.setdiff1d(x[1:], [2.0, 3.0], assume_unique=True),
    "symmetric difference": lambda x: np.setxor1d(x, [2.0, 3.0]),
    "of nothing": lambda x: np.setxor1d(x[:0], x[:0]),
    "isin": lambda x: np.isin(np.outer(x, x), [1.0, 0.25]),
    "is not in": lambda x: np.isin(x, x[1:3], invert=True),
}


@pytest.mark.parametrize("function", VALUES.values(), ids=VALUES)
def test_results_are_those_of_numpy(function):
    same(symdiff.jit(function)(X), function(X))


GRID = np.linspace(-2.05, 2, 5)
FUNCTIONS = {
    "weights": lambda x: np.sum(np.histogram(X, GRID, weights=x**2)[0] ** 2),
    "edges": lambda x: np.sum(np.histogram_bin_edges(x, 3) ** 2),
    "density": lambda x: np.sum(np.histogram(X, GRID, weights=x**2, density=True)[0] ** 2),
    "two axes": lambda x: np.sum(np.histogram2d(X, -X, GRID, weights=x**2)[0] ** 2),
    "unique": lambda x: np.sum(np.unique(x**2)[1:] ** 3),
    "rows": lambda x: np.sum(np.unique(np.outer(x, x), axis=0)[0] ** 2),
    "union": lambda x: np.sum(np.union1d(x, x**2) ** 2),
    "difference": lambda x: np.sum(np.setdiff1d(x, [2.2, 3.0]) ** 2),
    "mapped isin": lambda x: np.sum(
        np.where(symdiff.vmap(np.isin)(np.outer(x, x), np.outer(x, x).T[:, 1:]), x, 0) ** 2
    ),
    "mapped histogram": lambda x: np.sum(
        symdiff.vmap(lambda row, w: np.histogram(row, GRID, weights=w)[0])(
            np.outer(X, X), np.outer(x, x)
        )
        ** 2
    ),
    "bincount": lambda x: np.sum(np.bincount(PLACES, x**2) ** 2),
    "bincount by a value": lambda x: np.sum(np.bincount((x + 1.05).astype(int), x, 7) ** 2),
    "mapped bincount": lambda x: np.sum(
        symdiff.vmap(lambda row: np.bincount(PLACES, row))(np.outer(x, x)) ** 2
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_derivatives_of_functions(function):
    check_grads(function, (UNTIED,), order=2)


UNTIED = np.array([0.5, -0.9, 2.0, 0.45, 1.2])


def test_counts_are_mapped():
    rows = np.outer(X, X)
    for function in (
        lambda row: np.histogram(row, GRID)[0],
        lambda row: np.histogram(row, 3)[0],
        lambda row: np.histogram(row, 3, (0, 1))[0],
    ):
        expected = np.stack([function(row) for row in rows])
        same(symdiff.vmap(function)(rows), expected)
        same(symdiff.jit(symdiff.vmap(function))(rows), expected)


def test_the_first_of_equal_elements_has_the_derivative():
    gradient = symdiff.grad(lambda x: np.sum(np.unique(x) * [1, 2, 3, 4]))
    np.testing.assert_array_equal(gradient(X), [2, 1, 4, 0, 3])
    gradient = symdiff.grad(lambda x: np.intersect1d(x, x**2)[0])
    np.testing.assert_array_equal(gradient(np.array([1.0, 3.0])), [1, 0])


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
        (lambda x: np.histogram(x, "auto"), "is not traced"),
        (lambda x: np.histogram(x, 0), "positive"),
        (lambda x: np.histogram(x, 3, weights=x[1:]), "same shape"),
        (lambda x: np.histogram(x, np.outer(x, x)), "1d"),
        (lambda x: np.histogramdd([x, x], [3]), "one entry"),
        (lambda x: np.histogram2d(x, x[1:]), "same length"),
    ],
    ids=["floats", "axes", "lengths", "rule", "none", "weights", "edges", "axes2", "lengths2"],
)
def test_what_is_wrong_is_refused(function, message):
    with pytest.raises((ValueError, TypeError), match=message):
        symdiff.jit(function)(X)
