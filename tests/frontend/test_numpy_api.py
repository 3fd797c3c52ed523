"""Calling conventions: creation, queries, choices, products of any rank."""

import inspect

import numpy as np
import pytest

from symdiff import UnsupportedFunctionError, jit

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


REDUCTIONS = (
    "sum prod mean var std max min argmax argmin ptp median all any cumsum cumprod "
    "nansum nanprod nanmax nanmin nanmean count_nonzero argsort sort"
)
OPTIONS = {
    "axis": [None, 0, -1, (0, 1), (1, 0), (), 2],
    "keepdims": [True, False],
    "dtype": [np.float32, float, int, complex],
    "initial": [2.0],
    "where": [True, B > 1],
    "ddof": [1, 0.5],
    "correction": [1],
    "mean": [np.mean(B, keepdims=True)],
    "out": [None],
}


@pytest.mark.parametrize("name", REDUCTIONS.split())
@pytest.mark.parametrize(
    ("option", "value"), [(key, each) for key, values in OPTIONS.items() for each in values]
)
def test_every_option_of_a_reduction_is_numpys_or_refused(name, option, value):
    reduction = getattr(np, name)
    reduce = jit(lambda x: reduction(x, **{option: value}))
    if option not in inspect.signature(reduction).parameters:
        return
    try:
        expected = reduction(B, **{option: value})
    except (TypeError, ValueError):
        with pytest.raises((TypeError, ValueError)):
            reduce(B)
        return
    if (
        option == "initial"
        or (option == "where" and value is not True)
        or (value is int and name in ("var", "std"))
    ):
        with pytest.raises(UnsupportedFunctionError, match=r"not traced\n.*test_numpy_api\.py"):
            reduce(B)
        return
    found = reduce(B)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected, strict=True)


def test_options_may_be_given_by_position():
    for found in (
        jit(lambda x: np.sum(x, 1, None, None, True))(B),
        jit(lambda x: np.sum(x, None, None, None, True, np._NoValue, True))(B),
        jit(np.sum)(B),
        jit(np.max)(B),
        jit(np.std)(B),
    ):
        assert np.all(np.isfinite(found))
    np.testing.assert_array_equal(jit(np.std)(B), np.std(B), strict=True)
    found = jit(lambda x: np.var(x, 0, None, None, 1))(B)
    np.testing.assert_array_equal(found, np.var(B, 0, ddof=1))


def test_integer_arrays_are_inputs():
    take = jit(lambda x, i: x[i])
    np.testing.assert_array_equal(take(V, np.array([0, 1])), V[[0, 1]])
    np.testing.assert_array_equal(take(V, np.array([2, 2])), V[[2, 2]])
    assert take.cache_info().misses == 1
