"""Calling conventions: creation, queries, choices, products of any rank."""

import numpy as np
import pytest

from symdiff import jit

A, B, V = np.arange(12.0).reshape(2, 3, 2), np.arange(6.0).reshape(2, 3), np.arange(3.0)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda a, b: b @ a, (A, B)),
        (lambda b, v: b @ v, (B, V)),
        (lambda v, b: v @ b.T, (V, B)),
        (lambda v: v @ v, (V,)),
        (lambda a, v: np.matmul(v, a), (A, V)),
        (lambda v: np.where(v > 1, v, 0), (V,)),
        (lambda v: np.where(v > 1, 1, 0), (V,)),
        (lambda v: np.maximum(v, 1) + np.minimum(1, v) + np.fmax(v, v), (V,)),
        (lambda v: np.zeros_like(v) + np.full_like(v, 7) + np.empty_like(v) * 0, (V,)),
        (lambda v: np.copy(v) * np.ndim(v) + np.size(v), (V,)),
        (lambda v: v[np.array([2, 2, 0])] + v[[0, 1, 2]], (V,)),
        (lambda a: a[:, 1:, None, 0] + a[:, 1:, None, 1] * a[..., 0][:, :1, None], (A,)),
    ],
)
def test_as_numpy(function, args):
    result, expected = jit(function)(*args), function(*args)
    np.testing.assert_array_equal(result, expected)
    assert type(result) is type(expected)
    assert np.result_type(result) == np.result_type(expected)


def test_integer_arrays_are_inputs():
    take = jit(lambda x, i: x[i])
    np.testing.assert_array_equal(take(V, np.array([0, 1])), V[[0, 1]])
    np.testing.assert_array_equal(take(V, np.array([2, 2])), V[[2, 2]])
    assert take.cache_info().misses == 1
