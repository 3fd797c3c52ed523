"""Sorting, order statistics and places: NumPy's values and types, and right derivatives."""

import warnings

import numpy as np
import pytest

import symdiff
from symdiff.testing import check_grads

METHODS = """
    inverted_cdf
    averaged_inverted_cdf
    closest_observation
    interpolated_inverted_cdf
    hazen
    weibull
    linear
    median_unbiased
    normal_unbiased
    lower
    higher
    midpoint
    nearest
"""
SORTING = """
    np.sort(v)
    np.sort(x, axis=0)
    np.sort(q, axis=1)
    np.sort(x, axis=None)
    np.sort(x, stable=True)
    np.sort(v, kind="stable")
    np.sort(z)
    np.sort(n)
    np.sort(small)
    np.sort(single, 0)
    np.sort(gaps)
    np.sort(e)
    np.sort_complex(v)
    np.sort_complex(z)
    np.argsort(x, axis=0)
    np.argsort(x, axis=None, kind="stable")
    np.lexsort((v, w))
    np.lexsort((v,))
    np.lexsort((n, x), axis=0)
    np.lexsort(x)
    np.argpartition(v, 1)
    np.argpartition(x, (0, -1), axis=None)
    np.partition(x, 1)[:, 1]
    np.partition(x, (0, 2), axis=0)
    np.partition(x, 5, axis=None)[5]
    np.sort(np.partition(v, 2)[:2])
"""
PLACES = """
    np.searchsorted(np.sort(v), w)
    np.searchsorted(np.sort(v), x, side="right")
    np.searchsorted(np.sort(n[0]), 1)
    np.searchsorted(v, w, sorter=np.argsort(v))
    np.sort(v).searchsorted(x)
    np.digitize(x, [-1.0, 0.0, 1.0])
    np.digitize(x, np.sort(v), right=True)
    np.digitize(n, np.sort(v)[::-1])
"""
QUANTILES = """
    np.median(x)
    np.median(v)
    np.median(b)
    np.median(q, axis=1)
    np.median(q, axis=(0, 2))
    np.median(q, axis=(0, 2), keepdims=True)
    np.median(x, keepdims=True)
    np.median(n)
    np.median(n, axis=-1)
    np.median(gaps, axis=0)
    np.median(single)
    np.median(half)
    np.median(s)
    np.nanmedian(gaps)
    np.nanmedian(gaps, axis=1, keepdims=True)
    np.nanmedian(n)
    np.quantile(x, 0.3)
    np.quantile(x, 0.3, axis=0)
    np.quantile(x, 1, axis=(0, 1), keepdims=True)
    np.quantile(q, [0.0, 0.4, 1.0], axis=1)
    np.quantile(q, [0.3], axis=(0, 2), keepdims=True)
    np.quantile(n, 0.3)
    np.quantile(single, 0.3)
    np.quantile(single, [0.3])
    np.quantile(half, 0.7)
    np.quantile(gaps, 0.3, axis=1)
    np.quantile(x, np.float32(0.3))
    np.quantile(x, [[0.3, 0.1], [0.2, 0.9]], axis=0)
    np.percentile(x, 30)
    np.percentile(x, [25, 50, 75], axis=1)
    np.percentile(single, 30, axis=1)
    np.percentile(n, [10.0, 90.0])
    np.nanquantile(gaps, 0.3)
    np.nanquantile(gaps, [0.3, 0.9], axis=1)
    np.nanpercentile(gaps, 30, axis=0)
    np.nanpercentile(gaps, [30, 60], axis=0, keepdims=True)
    np.quantile(v, 0.3, weights=w, method="inverted_cdf")
    np.quantile(x, [0.3, 0.9], weights=y, axis=1, method="inverted_cdf")
    np.percentile(x, 30, weights=w, axis=1, method="inverted_cdf", keepdims=True)
    np.nanquantile(gaps[0], 0.5, weights=np.array([1.0, 2.0, 0.5]), method="inverted_cdf")
    np.quantile(v, s)
    np.quantile(v, np.tanh(w))
    np.quantile(x, s, axis=1)
    np.quantile(x, np.tanh(w), axis=0, keepdims=True)
    np.percentile(v, 100 * s, method="hazen")
    np.nanquantile(gaps, s, axis=1)
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("expression", lines(SORTING + PLACES + QUANTILES))
def test_value_type_and_derivative(check, expression):
    check(expression, order="gaps" not in expression)


@pytest.mark.parametrize("method", METHODS.split())
@pytest.mark.parametrize("q", ["0.3", "[0.0, 0.26, 0.5, 1.0]", "s"])
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_every_method(check, name, q, method):
    check(f"np.{name}(x, {q}, axis=0, method={method!r})")
    check(f"np.{name}(v, {q}, method={method!r})")


GRADIENTS = {
    "two in the middle": (np.nanmedian, [3.0, np.nan, 1.0], [0.5, 0, 0.5]),
    "one in the middle": (np.nanmedian, [3.0, np.nan, 1.0, 2.0], [0, 0, 0, 1]),
    "in between": (lambda x: np.nanquantile(x, 0.25), [3.0, np.nan, 1.0], [0.25, 0, 0.75]),
    "nothing is a number": (np.nanmedian, [np.nan, np.nan], [np.nan, np.nan]),
    "nan": (lambda x: np.quantile(x, 0.3), [1.0, np.nan], [np.nan, np.nan]),
    "part": (lambda x: np.sum(np.partition(x, 1)[:2]), [3.0, 2.0, 1.0], [0, 1, 1]),
    "weighted": (
        lambda x: np.quantile(x, 0.5, weights=[1, 5, 1], method="inverted_cdf"),
        [3.0, 2, 1],
        [0, 1, 0],
    ),
}


@pytest.mark.parametrize(
    ("function", "point", "expected"), GRADIENTS.values(), ids=GRADIENTS.keys()
)
def test_gradient(function, point, expected):
    with warnings.catch_warnings(action="ignore"):
        found = symdiff.grad(lambda x: function(x))(np.array(point))
    np.testing.assert_array_equal(found, expected)


def test_of_equal_elements_each_has_one_derivative():
    found = symdiff.grad(lambda x: np.sum(np.sort(x) * [1, 2, 3]))(np.full(3, 5.0))
    assert sorted(found) == [1, 2, 3]


def sort_in_place(x):
    y = x * 2
    y.sort()
    y = y[1:] + y[0]
    y.partition(1)
    return y[1] * np.sum(y[2:] ** 2)


FUNCTIONS = {
    "in place": sort_in_place,
    "of a part": lambda x: np.median(np.sort(x)[1:] ** 2),
    "part": lambda x: np.sum(np.partition(x, 2) ** 2 * [1, 1, 0, 0, 0]),
    "computed q": lambda x: np.quantile(x, 1 / (1 + x[0] ** 2)),
    "places": lambda x: np.sum(x[x.argpartition(2)[:2]] ** 2),
    "mapped": lambda x: np.sum(symdiff.vmap(np.median)(np.outer(x, x)) ** 2),
    "mapped q": lambda x: np.sum(symdiff.vmap(np.quantile, (None, 0))(x, np.tanh(x) ** 2)),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_derivatives_of_functions(function):
    check_grads(function, (np.array([0.5, -0.9, 2.0, -0.3, 1.2]),), order=2)


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        ("np.sort(v)", "np.sort(v)"),
        ("np.sort(x, 0)", "np.sort(x, axis=0)"),
        ("np.median(x, axis=1)", "np.median(x, axis=1)"),
        ("np.percentile(v, [25, 50])", "np.percentile(v, [25, 50])"),
        ("np.quantile(x, 0.3, keepdims=True)", "np.quantile(x, 0.3, keepdims=True)"),
        ("np.partition(v, 2)", "v[np.argpartition(v, 2)]"),
        ("np.searchsorted(v, x, 'right')", "np.searchsorted(v, x, side='right')"),
        ("np.lexsort((v, w))", "np.lexsort((v, w))"),
    ],
)
def test_source_reads_as_written_by_hand(emitted, expression, source):
    assert emitted(expression).splitlines()[-1] == f"    return {source}"


def test_the_derivative_of_a_sort_stores_each_element_once():
    gradient = symdiff.grad(lambda x: np.sum(np.sort(x, axis=0) ** 2))
    gradient(np.array([[3.0, 1.0], [2.0, 4.0], [0.0, 5.0]]))
    assert "x_bar[np.argsort(x, axis=0), np.arange(2)] = 2 * np.sort(x, axis=0)" in gradient.source


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("np.quantile(v, 1.5)", "range"),
        ("np.quantile(v, 0.5, method='none')", "not a valid method"),
        ("np.quantile(z, 0.5)", "real numbers"),
        ("np.quantile(v, 0.5, weights=w)", "inverted_cdf"),
        ("np.quantile(v, s, weights=w, method='inverted_cdf')", "is not traced"),
        ("np.median(e)", "no elements is not traced"),
        ("np.partition(v, 9)", "out of bounds"),
        ("np.searchsorted(x, v)", "one axis"),
        ("np.lexsort((v, x))", "same shape"),
        ("np.sort(v, order='f')", "is not traced"),
    ],
)
def test_what_is_wrong_is_refused(emitted, expression, message):
    with pytest.raises((ValueError, TypeError), match=message):
        emitted(expression)


@pytest.mark.parametrize("name", ["nanargmax", "nanargmin"])
def test_places_of_extremes_pass_over_nan(name):
    place = getattr(np, name)
    x = np.array([[1.0, np.nan, -2.0], [np.inf, 0.5, np.nan]])
    for options in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
        found = symdiff.jit(lambda x, options=options: place(x, **options))(x)
        np.testing.assert_array_equal(found, place(x, **options), strict=True)
    with pytest.raises(ValueError, match="All-NaN"):
        symdiff.jit(lambda x: place(x))(np.array([np.nan]))
