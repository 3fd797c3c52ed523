"""What NumPy does by itself is left out of emitted code, and nothing else is."""

import numpy as np
import pytest

from symdiff import grad, jit

X, V, F = np.ones((3, 4)), np.arange(4.0), np.ones((3, 4), np.float32)


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (lambda x, v: x + v, (X, V), "return x + v"),
        (lambda x, v: x * 2 + v[:, None].T, (X, V), "x * 2 + v[:, None].T"),
        (lambda x, v: x @ v, (X, V), "return x @ v"),
        (lambda v, w: v @ w, (V, V), "return v @ w"),
        (lambda f, x: f + x, (F, X), "return f + x"),
        (lambda f, t: f * t, (F, 2.0), "return f * t"),
        (lambda f: f * 0.1, (F,), "return f * 0.1"),
        (lambda t: np.exp(t), (2.0,), "return np.exp(t)"),
        (lambda t: t * t + 1, (2.0,), "return t * t + 1"),
        (lambda x, i: x / i, (X, np.arange(1, 5)), "return x / i"),
        (lambda f: f.astype(float) + 1, (F,), "f.astype(np.float64) + 1"),
        (lambda x: np.where(x > 0, x, 0), (X,), "return np.where(x > 0, x, 0)"),
    ],
)
def test_printed(function, args, expected):
    compiled = jit(function)
    result, own = compiled(*args), function(*args)
    np.testing.assert_array_equal(result, own)
    assert type(result) is type(own)
    assert np.result_type(result) == np.result_type(own)
    assert expected in compiled.source


NARROWED = {
    "int": lambda x: x - x.astype(int),
    "float32": lambda x: x / x.astype(np.float32),
    "where": lambda x: np.where(x > 5, x, x.astype(np.float32)),
    "twice": lambda x: x * x.astype(np.float16).astype(np.float32),
    "bool": lambda x: x + x.astype(bool),
    "a literal": lambda x: x.astype(int) / 2,
    "comparison": lambda x: x.astype(int) > x,
}


@pytest.mark.parametrize("function", NARROWED.values(), ids=NARROWED)
def test_a_conversion_that_loses_digits_is_written(function):
    x = np.array([0.1, 1.7, -2.5, 1e-30, 7.3])
    np.testing.assert_array_equal(jit(function)(x), function(x), strict=True)


def test_matmul_repeats_along_batch_axes_only():
    def f(x, v):
        wide = np.broadcast_to(v[:, None], (4, 4))
        return x @ wide, wide @ wide, np.broadcast_to(v, (4, 4)) @ x.T

    for found, own in zip(jit(f)(X, V), f(X, V), strict=True):
        np.testing.assert_array_equal(found, own, strict=True)
    gradient = grad(lambda x: np.sum(np.tanh(np.sum(x @ x, axis=1))))
    x = np.linspace(-1, 1, 9).reshape(3, 3)
    slope = 1 - np.tanh(np.sum(x @ x, axis=1)) ** 2
    expected = slope[:, None] * np.sum(x, axis=1) + (x.T @ slope)[:, None]
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-12, atol=1e-15)
