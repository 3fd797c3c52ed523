"""Differences, slopes, running sums and phases: NumPy's values and types, right derivatives."""

import numpy as np
import pytest

import symdiff
from symdiff.testing import check_grads

DIFFERENCES = """
    np.diff(v)
    np.diff(x, n=2)
    np.diff(x, axis=0)
    np.diff(x, n=0)
    np.diff(x, n=4)
    np.diff(m, axis=0)
    np.diff(v, prepend=0.0)
    np.diff(x, append=x[:, :1])
    np.diff(x, axis=0, prepend=1, append=np.ones((2, 4)))
    np.diff(v, prepend=s)
    np.ediff1d(x)
    np.ediff1d(v, to_begin=0.0)
    np.ediff1d(v, to_begin=[1.0, 2.0], to_end=s)
    np.ediff1d(x, w)
    np.trapezoid(v)
    np.trapezoid(x, dx=0.5)
    np.trapezoid(x, w)
    np.trapezoid(x, v[:3], axis=0)
    np.trapezoid(x, y)
    np.trapezoid(x, y, axis=0)
    np.trapezoid(q, dx=s, axis=1)
    np.trapezoid(n)
    np.trapezoid(q, w, axis=2)
"""
SLOPES = """
    np.gradient(v)
    np.gradient(v, 2)
    np.gradient(v, 1.0)
    np.gradient(v, 0.5, edge_order=2)
    np.gradient(v, s)
    np.gradient(x)
    np.gradient(x, 0.5)
    np.gradient(x, 0.5, s)
    np.gradient(x, axis=0)
    np.gradient(x, axis=(0, 1))
    np.gradient(x, axis=-1, edge_order=2)
    np.gradient(q, 2.0, axis=1, edge_order=2)
    np.gradient(n)
    np.gradient(single, 0.5, axis=1)
    np.gradient(half)
    np.gradient(z)
    np.gradient(v, np.array([0.0, 1.0, 3.0, 3.5]))
    np.gradient(v, [0, 1, 3, 4], edge_order=2)
    np.gradient(v, [0, 2, 4, 6])
    np.gradient(v, np.cumsum(w))
    np.gradient(v, np.cumsum(w), edge_order=2)
    np.gradient(x, 2.0, np.cumsum(w))
    np.gradient(x, np.cumsum(w), axis=1, edge_order=2)
    np.gradient(x, np.array([0.0, 1.0, 3.0]), axis=0, edge_order=2)
"""
RUNNING = """
    np.cumulative_sum(v)
    np.cumulative_sum(x, axis=1)
    np.cumulative_sum(x, axis=0, include_initial=True)
    np.cumulative_sum(n, axis=1, include_initial=True)
    np.cumulative_sum(small, dtype=np.float64, include_initial=True)
    np.cumulative_prod(v)
    np.cumulative_prod(x, axis=1, include_initial=True)
    np.nancumsum(gaps)
    np.nancumsum(gaps, axis=1)
    np.nancumsum(n, axis=0)
    np.nancumprod(gaps[:, 1:], axis=0)
    np.nancumprod(v)
    np.nanvar(x)
    np.nanvar(n, axis=0)
    np.nanvar(x, axis=1, ddof=1, keepdims=True)
    np.nanvar(z)
    np.nanstd(x, axis=(0, 1))
    np.nanstd(single, axis=0)
    np.nanvar(gaps, axis=1)
"""
PHASES = """
    np.unwrap(3 * v)
    np.unwrap(5 * x, axis=0)
    np.unwrap(5 * x, period=3)
    np.unwrap(5 * v, discont=4.0)
    np.unwrap(n, period=4)
    np.unwrap(single)
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("expression", lines(DIFFERENCES + SLOPES + RUNNING + PHASES))
def test_value_type_and_derivative(check, expression):
    check(expression, order=0 if "gaps" in expression else 1)


FUNCTIONS = {
    "slopes": lambda x: np.sum(np.gradient(x**2, 0.5, edge_order=2) ** 2),
    "spacing": lambda x: np.sum(np.gradient(x, np.exp(x[0])) ** 2),
    "coordinates": lambda x: np.sum(np.gradient(x**2, np.cumsum(np.exp(x)), edge_order=2) ** 2),
    "mapped": lambda x: np.sum(symdiff.vmap(np.gradient)(np.outer(x, x)) ** 3),
    "mapped spacing": lambda x: np.sum(symdiff.vmap(np.gradient, (None, 0))(x, 2 + x) ** 2),
    "unwrap": lambda x: np.sum(np.unwrap(5 * x) ** 2),
    "missing": lambda x: np.nanstd(np.where(x > 1.5, np.nan, x**2)),
    "running": lambda x: np.sum(np.nancumsum(np.where(x > 1.5, np.nan, x**2)) ** 2),
    "initial": lambda x: np.sum(np.cumulative_prod(x, include_initial=True) ** 2),
    "ends": lambda x: np.sum(np.ediff1d(x, to_begin=x[0] ** 2, to_end=[x[1], 2.0]) ** 2),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_derivatives_of_functions(function):
    check_grads(function, (np.array([0.5, -0.9, 2.0, -0.3, 1.2]),), order=2)


def test_what_is_missing_has_derivative_0():
    x = np.array([1.0, np.nan, 3.0])
    np.testing.assert_array_equal(symdiff.grad(lambda x: np.nanvar(x))(x), [-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(symdiff.grad(lambda x: np.nanstd(x))(x), [-0.5, 0.0, 0.5])
    np.testing.assert_array_equal(symdiff.grad(lambda x: np.nancumsum(x)[2])(x), [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        ("np.gradient(v)", "np.gradient(v)"),
        ("np.gradient(v, 0.5, edge_order=2)", "np.gradient(v, 0.5, edge_order=2)"),
        ("np.gradient(x, s, axis=0)", "np.gradient(x, s, axis=0)"),
        ("np.unwrap(v, period=3.0)", "np.unwrap(v, period=3.0)"),
        ("np.diff(v)", "v[1:] - v[:-1]"),
    ],
)
def test_source_reads_as_written_by_hand(emitted, expression, source):
    assert emitted(expression).splitlines()[-1] == f"    return {source}"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("np.diff(v, n=-1)", "non-negative"),
        ("np.diff(s)", "at least one dimensional"),
        ("np.ediff1d(n, to_end=0.5)", "same_kind"),
        ("np.gradient(v[:1])", "edge_order"),
        ("np.gradient(x, 1.0, 2.0, 3.0)", "one for each axis"),
        ("np.gradient(v, w[1:])", "must match"),
        ("np.gradient(v, edge_order=3)", "not supported"),
        ("np.cumulative_sum(x)", "axis= is required"),
        ("np.unwrap(v, period=s)", "is not traced"),
    ],
)
def test_what_is_wrong_is_refused(emitted, expression, message):
    with pytest.raises((ValueError, TypeError), match=message):
        emitted(expression)
