"""Numbers of derivatives are chosen and converted by Python."""

import numpy as np
import pytest

import symdiff as sd


def smooth(x):
    y = np.zeros(8)
    for i in range(1, 8):
        y[i] = np.logaddexp(y[i - 1], x[i]) * x[i - 1]
    return y[7]


def least(x):
    y = np.ones(8)
    for i in range(1, 8):
        y[i] = min(y[i - 1], x[i]) + x[i - 1] * 0.5
    return np.sum(y * y)


def masked(x):
    y = np.ones(8)
    for i in range(1, 8):
        y[i] = np.where(x[i] > 0.5, y[i - 1] * x[i], np.sqrt(x[i]) + y[i - 1])
    return np.sum(y * y)


@pytest.mark.parametrize("function", [smooth, least, masked], ids=lambda each: each.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_choices_between_numbers_keep_value_and_dtype(function, dtype):
    x = np.random.default_rng(0).uniform(0.1, 1, 8).astype(dtype)
    found = sd.grad(function)(x)
    assert found.dtype == dtype
    step = 1e-6
    for i in range(8):
        ahead, behind = (x.astype(float) + sign * step * (np.arange(8) == i) for sign in (1, -1))
        expected = (function(ahead) - function(behind)) / (2 * step)
        tolerance = 1e-6 if dtype is np.float64 else 1e-3
        np.testing.assert_allclose(found[i], expected, rtol=tolerance, atol=tolerance)


def test_numbers_of_a_derivative_are_chosen_by_python():
    gradient = sd.grad(smooth)
    gradient(np.linspace(0.1, 1, 8))
    assert " if " in gradient.source
    assert "np.where" not in gradient.source


def test_a_literal_that_python_chooses_may_be_divided_by():
    def lengths(x):
        total = 0.0
        for i in range(7):
            total = total + np.hypot(x[i], x[i + 1])
        return total

    gradient = sd.grad(lengths)
    x = np.array([0, 0, 3, 4, 0, 0, 0, 1.0])
    expected = np.zeros(8)
    for i in range(7):
        expected[i : i + 2] += x[i : i + 2] / (np.hypot(x[i], x[i + 1]) or 1)
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-14)
    assert "(np.float64(1.0) if " in gradient.source
    assert "np.where" not in gradient.source


def test_the_function_chooses_as_it_is_written():
    compiled = sd.jit(masked)
    compiled(np.linspace(0.1, 1, 8))
    assert "np.where" in compiled.source


def test_truth_values_are_numbers_in_a_sum():
    gradient = sd.grad(lambda z: abs(z[0]) * abs(z[1]))
    gradient(np.array([1 + 1j, 2]))
    assert "+ np.float64(" in gradient.source


def test_python_compares_its_own_minimum():
    gradient = sd.value_and_grad(least)
    gradient(np.linspace(0.1, 1, 8))
    assert "min(y[" in gradient.source
    assert "np.minimum" not in gradient.source
    assert "np.float64(" not in gradient.source


def test_arguments_without_axes_stay_as_they_are():
    def chosen(x, y):
        return np.where(x > y, x, y) * np.where(x > y, y, x) + np.where(x > 0, x, 0)

    x, y = np.array(0.5), np.array(0.25)
    for found in sd.grad(chosen, (0, 1))(x, y):
        found += 1
    assert (x, y) == (0.5, 0.25)
