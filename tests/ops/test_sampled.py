"""Interpolation and convolution: NumPy's values and types, and right derivatives."""

import numpy as np
import pytest

import symdiff
from symdiff.testing import check_grads

INTERPOLATION = """
    np.interp(x, np.sort(w), v)
    np.interp(s, [0.0, 0.5, 1.0], [1.0, 3.0, 2.0])
    np.interp(x, np.sort(w), v, left=0)
    np.interp(x, np.sort(w), v, right=s)
    np.interp(x, np.sort(w), v, left=-1.0, right=0.0)
    np.interp(n, [-1, 0, 2], [1, 3, 2])
    np.interp(single, np.array([-1, 0, 1], np.float32), np.array([3, 1, 2], np.float32))
    np.interp(x, np.arange(5.0) - 2, z)
    np.interp(x, np.arange(5.0) - 2, z, left=1j, right=2)
    np.interp(v, w[:1], v[:1])
    np.interp(x, w, v, period=1.5)
    np.interp(v, [0.5, 1.5], [1.0, 2.0], period=2)
"""
CONVOLUTION = """
    np.convolve(v, w)
    np.convolve(v, w[:2])
    np.convolve(v, [1, 2, 1], "same")
    np.convolve(v[:2], w, "same")
    np.convolve(v, w[:3], mode="valid")
    np.convolve(v[:2], w, mode="valid")
    np.convolve(z, w)
    np.convolve(z, z[:3], "same")
    np.convolve(small, n[0])
    np.convolve(v, n[0])
    np.correlate(v, w)
    np.correlate(v, w[:2])
    np.correlate(v[:2], w)
    np.correlate(v, w[:3], "same")
    np.correlate(v, w[:2], "same")
    np.correlate(v[:2], w, "same")
    np.correlate(v[:3], w, "same")
    np.correlate(v, w[:3], "full")
    np.correlate(small, n[0], "full")
    np.correlate(z, z[:3], "full")
    np.correlate(z, w)
    np.correlate(w, z)
    np.correlate(w, z, "same")
    np.correlate(z, w, "same")
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("expression", lines(INTERPOLATION + CONVOLUTION))
def test_value_type_and_derivative(check, expression):
    check(expression, order=0 if expression == "np.interp(v, w[:1], v[:1])" else 1)


GRID = np.array([-1.0, -0.4, 0.3, 1.1, 1.9])
FUNCTIONS = {
    "points": lambda x: np.sum(np.interp(x, GRID, GRID**2) ** 2),
    "values": lambda x: np.sum(np.interp([0.1, 0.7, -3.0, 1.5], GRID, np.sin(x)) ** 2),
    "grid": lambda x: np.sum(np.interp([0.1, 0.7, 1.5], np.cumsum(np.exp(x)) - 1, GRID) ** 2),
    "all": lambda x: np.sum(np.interp(x**2, GRID + 0.1 * x, x**3, left=x[0]) ** 2),
    "period": lambda x: np.sum(np.interp(x, GRID, x**2, period=np.exp(x[0])) ** 2),
    "mapped values": lambda x: np.sum(
        symdiff.vmap(np.interp, (None, None, 0))([0.1, 0.7, -3.0], GRID, np.outer(x, x)) ** 2
    ),
    "mapped grids": lambda x: np.sum(
        symdiff.vmap(np.interp)(np.outer(x, x), GRID + 0.13 * x[:, None], np.outer(x, x)) ** 2
    ),
    "smoothed": lambda x: np.sum(np.convolve(x**2, [0.25, 0.5, 0.25], "same") ** 2),
    "both": lambda x: np.sum(np.convolve(x**2, np.exp(x[:2])) ** 2),
    "correlated": lambda x: np.sum(np.correlate(x**2, np.exp(x[:2]), "full") ** 2),
    "mapped kernels": lambda x: np.sum(
        symdiff.vmap(np.convolve, (None, 0))(x**2, np.outer(x, x[:2])) ** 2
    ),
    "mapped signals": lambda x: np.sum(
        symdiff.vmap(lambda a, v: np.correlate(a, v, "same"))(np.outer(x, x), np.outer(x, x[:2]))
        ** 2
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_derivatives_of_functions(function):
    check_grads(function, (np.array([0.5, -0.9, 1.7, -0.3, 1.2]),), order=2)


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        ("np.interp(x, w, v)", "np.interp(x, w, v)"),
        ("np.interp(x, w, v, left=0)", "np.interp(x, w, v, left=0)"),
        ("np.convolve(v, w)", "np.convolve(v, w)"),
        ("np.convolve(v, w, 'same')", "np.convolve(v, w, 'same')"),
        ("np.correlate(v, w)", "np.correlate(v, w)"),
    ],
)
def test_source_reads_as_written_by_hand(emitted, expression, source):
    assert emitted(expression).splitlines()[-1] == f"    return {source}"


def gradient_source(function, *args, **options):
    gradient = symdiff.grad(function, **options)
    gradient(*args)
    return gradient.source


def test_the_derivative_of_a_convolution_is_a_correlation():
    x, v = GRID, np.array([1.0, 2.0, 1.0])
    source = gradient_source(lambda x, v: np.sum(np.convolve(x, v) ** 2), x, v)
    assert "np.correlate(2 * np.convolve(x, v), v)" in source
    source = gradient_source(lambda x, v: np.sum(np.convolve(x, v, "same") ** 2), x, v)
    assert "np.correlate(2 * np.convolve(x, v, 'same'), v, 'same')" in source
    source = gradient_source(lambda x, v: np.sum(np.correlate(x, v) ** 2), x, v)
    assert "np.convolve(2 * np.correlate(x, v), v)" in source


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("np.convolve(x, v)", "one axis"),
        ("np.convolve(v, e[:, 0])", "empty"),
        ("np.convolve(v, w, 'all')", "mode must be"),
        ("np.correlate(v, w, 'all')", "mode must be"),
        ("np.interp(x, v, w[1:])", "same length"),
        ("np.interp(x, y, y)", "1-D"),
        ("np.interp(v, e[:, 0], e[:, 0])", "empty"),
        ("np.interp(v, v, w, period=0)", "non-zero"),
    ],
)
def test_what_is_wrong_is_refused(emitted, expression, message):
    with pytest.raises((ValueError, TypeError), match=message):
        emitted(expression)
