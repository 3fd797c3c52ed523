"""Loops over parts whose length their index decides: captured, and right at every size."""

import numpy as np
import pytest

from symdiff import grad, hvp, pipeline, value_and_grad

RANDOM = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _captures(monkeypatch):
    monkeypatch.setattr(pipeline, "CAPTURES", True)


def forward_substitution(L, b):
    x = np.zeros(len(b))
    for i in range(len(b)):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]
    return np.sum(x * x)


def cholesky(A):
    n = A.shape[0]
    L = np.zeros((n, n))
    for j in range(n):
        L[j, j] = np.sqrt(A[j, j] - np.sum(L[j, :j] ** 2))
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - np.sum(L[i, :j] * L[j, :j])) / L[j, j]
    return np.sum(np.log(np.diag(L)))


def lu(A):
    A = A.copy()
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            A[i, j] -= A[i, :i] @ A[:i, j]
    return np.sum(A * A)


def elimination(A, b):
    A, b = A.copy(), b.copy()
    n = len(b)
    for k in range(n - 1):
        m = A[k + 1 :, k] / A[k, k]
        A[k + 1 :, k:] -= np.outer(m, A[k, k:])
        b[k + 1 :] -= m * b[k]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return np.sum(x**2)


def definite(n):
    root = RANDOM.normal(size=(n, n))
    return root @ root.T / n + np.eye(n)


def arguments(function, n):
    return (definite(n), RANDOM.normal(size=n))[: function.__code__.co_argcount]


PROGRAMS = (forward_substitution, cholesky, lu, elimination)


@pytest.mark.parametrize("function", PROGRAMS)
def test_gradients_agree_with_differences(function):
    for n in (6, 9):
        args = arguments(function, n)
        value, found = value_and_grad(function, argnums=tuple(range(len(args))))(*args)
        np.testing.assert_allclose(value, function(*args), rtol=1e-13)
        steps = [RANDOM.normal(size=each.shape) * 1e-6 for each in args]
        ends = [[x + sign * h for x, h in zip(args, steps, strict=True)] for sign in (1, -1)]
        expected = (function(*ends[0]) - function(*ends[1])) / 2
        directional = sum(np.sum(g * h) for g, h in zip(found, steps, strict=True))
        np.testing.assert_allclose(directional, expected, rtol=1e-5)


@pytest.mark.parametrize("function", PROGRAMS)
def test_second_derivatives_agree_with_differences_of_gradients(function):
    args = arguments(function, 5)
    step = RANDOM.normal(size=args[0].shape)
    found = hvp(function, args, (step, *(np.zeros_like(each) for each in args[1:])))
    gradient, h = grad(function), 1e-6
    expected = gradient(args[0] + h * step, *args[1:]) - gradient(args[0] - h * step, *args[1:])
    first = found[0] if isinstance(found, tuple) else found
    np.testing.assert_allclose(first, expected / (2 * h), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("function", PROGRAMS)
def test_the_source_is_as_long_for_any_size(function):
    lengths = set()
    for n in (10, 30):
        derivative = grad(function)
        derivative(*arguments(function, n))
        lengths.add(len(derivative.source.splitlines()))
    assert len(lengths) == 1


def test_what_is_computed_from_a_length_is_not_captured():
    def means(x):
        y = np.zeros(7)
        for i in range(1, 7):
            y[i] = np.sum(x[:i]) / np.sqrt(len(x[:i])) * x[i]
        return np.sum(y)

    derivative = value_and_grad(means)
    x = RANDOM.normal(size=7)
    value, found = derivative(x)
    assert value == means(x) and "for " not in derivative.source
    step = RANDOM.normal(size=7) * 1e-6
    np.testing.assert_allclose(found @ step, (means(x + step) - means(x - step)) / 2, rtol=1e-6)


def test_the_mean_of_a_part():
    def means(x):
        y = np.zeros(7)
        for i in range(1, 7):
            y[i] = np.mean(x[:i]) * x[i]
        return np.sum(y)

    derivative = value_and_grad(means)
    x = RANDOM.normal(size=7)
    value, found = derivative(x)
    assert value == means(x) and "for i in" in derivative.source
    step = RANDOM.normal(size=7) * 1e-6
    np.testing.assert_allclose(found @ step, (means(x + step) - means(x - step)) / 2, rtol=1e-6)


def test_a_part_that_may_lie_outside_is_not_captured():
    def windows(x):
        s = 0.0
        for i in range(6):
            s = s + np.sum(x[i : i + 3] ** 2) + np.sum(x[i - 2 : i])
        return s

    x = RANDOM.normal(size=6)
    value, found = value_and_grad(windows)(x)
    np.testing.assert_allclose(value, windows(x), rtol=1e-14)
    step = RANDOM.normal(size=6) * 1e-6
    np.testing.assert_allclose(found @ step, (windows(x + step) - windows(x - step)) / 2, rtol=1e-6)


def test_windows_of_one_length():
    def windows(x):
        s = 0.0
        for i in range(20):
            s = s + np.sum(np.sin(x[i : i + 3]) * x[i + 1 : i + 4])
        return s

    x = RANDOM.normal(size=24)
    derivative = value_and_grad(windows)
    value, found = derivative(x)
    np.testing.assert_allclose(value, windows(x), rtol=1e-13)
    assert "for i in" in derivative.source
    step = RANDOM.normal(size=24) * 1e-6
    np.testing.assert_allclose(found @ step, (windows(x + step) - windows(x - step)) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    "of_part", [np.mean, np.var, np.std, np.max, np.min, lambda x: x[np.argmax(x)], np.ptp]
)
def test_statistics_of_parts(of_part):
    def sums(x):
        s = 0.0
        for i in range(7):
            s = s + of_part(x[i:] * x[0]) ** 2 + i * of_part(np.sin(x[: i + 1]))
        return s

    derivative = value_and_grad(sums)
    x = RANDOM.normal(size=7)
    value, found = derivative(x)
    np.testing.assert_allclose(value, sums(x), rtol=1e-14)
    assert "for i in" in derivative.source
    step = RANDOM.normal(size=7) * 1e-6
    np.testing.assert_allclose(found @ step, (sums(x + step) - sums(x - step)) / 2, rtol=1e-5)


def test_lengths_are_computed_from_the_index():
    def sums(x):
        s = 0.0
        for i in range(7):
            part = x[i:] * x[0]
            s = s + np.mean(np.outer(x[i:], x[:3])) / len(part) + np.sum(part) * part.size**2
        return s

    derivative = value_and_grad(sums)
    x = RANDOM.normal(size=7)
    value, found = derivative(x)
    np.testing.assert_allclose(value, sums(x), rtol=1e-14)
    step = RANDOM.normal(size=7) * 1e-6
    np.testing.assert_allclose(found @ step, (sums(x + step) - sums(x - step)) / 2, rtol=1e-5)


def test_nested_parts():
    def sums(A):
        s = 0.0
        for i in range(1, 6):
            for j in range(i):
                s = s + np.mean(A[i, : j + 1]) * np.std(A[j:i, 0]) + np.mean(A[j:i, :2])
        return s

    derivative = value_and_grad(sums)
    A, step = RANDOM.normal(size=(6, 6)), RANDOM.normal(size=(6, 6)) * 1e-6
    value, found = derivative(A)
    np.testing.assert_allclose(value, sums(A), rtol=1e-13)
    slope = (sums(A + step) - sums(A - step)) / 2
    np.testing.assert_allclose(np.sum(found * step), slope, rtol=1e-5)
    assert "for j in" in derivative.source
