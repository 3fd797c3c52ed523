"""Derivatives do not warn where the function does not, and the function still does."""

import warnings
from itertools import count

import numpy as np
import pytest

from symdiff import grad, value_and_grad


def body(compiled):
    return compiled.compiled.work.source.split('"""')[2]


def test_a_derivative_that_could_warn_is_quiet():
    gradient = grad(lambda x: np.sum(np.sqrt(x)))
    assert np.isinf(gradient(np.zeros(2))).all()
    assert "np.errstate" in gradient.source
    gradient = grad(lambda x: np.sum(x * x))
    gradient(np.zeros(2))
    assert "np.errstate" not in gradient.source


def test_only_what_could_warn_is_quiet():
    def f(x, y):
        return np.sum(np.sqrt(x) * y)

    gradient = value_and_grad(f, (0, 1))
    gradient(np.ones(2), np.ones(2))
    quiet = [line for line in body(gradient).splitlines() if line.startswith("        ")]
    assert len(quiet) == 1
    assert "x_bar" in quiet[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(np.sqrt(np.abs(x))),  # inf * sign(0)
        lambda x: np.sum(np.sqrt(x) ** 3 @ np.ones(3)),
        lambda x: np.sum(np.sqrt(x)[:2] * np.sqrt(x)[1:]),
        lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0) * x),
        lambda x: np.linalg.norm(x) + np.sum(np.sqrt(x[1:]) * x[:-1]),
    ],
    ids=count(),
)
def test_what_is_computed_from_an_infinity_is_quiet_too(function):
    x = np.zeros(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value_and_grad(function)(x)


def test_a_share_of_exponentials_of_which_one_is_1_cannot_warn():
    def f(x, axis, over):
        shifted = x - np.max(x, axis=axis, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(shifted), axis=over, keepdims=True)) - shifted)

    x = np.array([[0.0, 1.0, 2.0], [3.0, 20.0, 1.0]])
    for axis, over, quiet in [(1, 1, False), (None, None, False), (0, 1, True), (None, 1, True)]:
        gradient = grad(lambda x, axis=axis, over=over: f(x, axis, over))
        gradient(x)
        divisions = [line for line in body(gradient).splitlines() if "np.sum(exp_1" in line]
        assert divisions
        assert all(line.startswith("        ") for line in divisions) == quiet, (axis, over)


def test_the_function_still_warns():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        value_and_grad(lambda x: np.sum(1 / x))(np.zeros(2))


def test_parts_of_what_is_computed_from_an_infinity_are_quiet():
    def loss(x):
        w, v = np.linalg.eigh(np.diag(x) + np.where(x > 0, 0, 1e-3))
        return np.sum(np.sqrt(np.abs(x - x[0])) * v[0] * w)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value_and_grad(loss)(np.array([1.0, 2.0, 5.0]))
