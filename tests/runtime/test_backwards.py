"""Adjoint equations in NumPy and SciPy alone: y' = -k y, whose cotangents are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from symdiff.runtime.backwards import solve_adjoint, solve_along

K, OPTIONS = 2.0, {"rtol": 1e-10, "atol": 1e-10}


def rates(t, y):
    return -K * y


def adjoint(t, y, y_bar):
    return np.append(K * y_bar, y_bar @ y)


@pytest.mark.parametrize(
    ("start", "points"),
    [(0.0, [0.0, 0.5, 1.0]), (1.0, [0.5, 0.5, 0.0]), (0.0, [0.0]), (0.0, [1.0, 0.25])],
)
def test_points_in_any_order(start, points):
    past = np.array(points) - start
    y_bars = np.ones((len(points), 1))
    args = np.array([3.0]), start, start + past, y_bars, 2
    found = solve_adjoint(rates, adjoint, *args, **OPTIONS)
    factors = np.exp(-K * past)
    assert_allclose(found, [np.sum(factors), np.sum(-past * 3.0 * factors)], rtol=1e-8)


def test_points_on_both_sides_of_the_start():
    with pytest.raises(ValueError, match="both sides"):
        solve_adjoint(rates, adjoint, np.ones(1), 0.0, np.array([-1.0, 1.0]), np.ones((2, 1)), 2)


def test_points_without_a_cotangent_are_not_stopped_at():
    calls = []
    y_bars = np.zeros((100, 1))
    y_bars[-1] = 1.0

    def counted(*args):
        calls.append(args)
        return adjoint(*args)

    args = np.array([3.0]), 0.0, np.linspace(0.0, 1.0, 100), y_bars, 2
    assert_allclose(solve_adjoint(rates, counted, *args, **OPTIONS), [np.exp(-K), -3 * np.exp(-K)])
    assert len(calls) < 400


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (np.nan, np.nan), (np.inf, np.nan)])
def test_cotangents_that_are_no_numbers(value, expected):
    found = solve_adjoint(
        rates, adjoint, np.ones(1), 0.0, np.array([1.0]), np.array([[value]]), 2, **OPTIONS
    )
    assert_allclose(found, np.full(2, expected))


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0])
def test_second_derivatives(scale):
    """Of the cotangents of y0 and k along (1, 1), at y0 = 3 and t = 1."""

    def moving(u, t, z):
        v, y = z
        return np.array([-K * v - u[1] * y, -K * y])

    def moving_adjoint(u, t, z, z_bar):
        (v, y), (v_bar, y_bar) = z, z_bar
        return np.array([K * v_bar, K * y_bar + u[1] * v_bar, v_bar * v + y_bar * y])

    found = solve_along(
        solve_adjoint, moving, moving_adjoint, np.array([3.0]), 0.0, np.array([1.0]),
        np.ones((1, 1)), scale * np.ones(2), 2, **OPTIONS,
    )  # fmt: skip
    assert_allclose(found, scale * np.exp(-K) * np.array([-1.0, 3.0 - 1.0]), rtol=1e-7)
