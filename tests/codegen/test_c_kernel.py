"""One kernel, run: lanes, remainders, totals and their places."""

import numpy as np
import pytest

import symdiff

LENGTHS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 4096, 4097, 9000)


def values(length, dtype=np.float64):
    return np.random.default_rng(length).normal(size=length).astype(dtype)


@symdiff.jit(backend="c")
def totals(x):
    return np.sum(x), np.prod(1 + x / 1e6), np.sum(np.exp(x)), np.any(x > 2), np.all(x > -9)


@symdiff.jit(backend="c")
def extremes(x):
    return np.max(x), np.min(x), np.max(np.sin(x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_totals_of_all_lengths(dtype):
    tolerance = {np.float64: 1e-12, np.float32: 1e-4}[dtype]
    for length in LENGTHS:
        x = values(length, dtype)
        for found, expected in zip(totals(x), totals.function(x), strict=True):
            assert type(found) is type(expected)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_long_sums_in_single_precision_keep_their_digits():
    x = np.full(2_000_000, 0.1, np.float32)
    found = symdiff.jit(lambda x: np.sum(x), backend="c")(x)
    assert abs(float(found) - 200_000) < 1


def test_nan_wins_at_every_position():
    for length in (1, 5, 16, 33, 70):
        for place in range(length):
            x = values(length)
            x[place] = np.nan
            assert all(np.isnan(each) for each in extremes(x))


def test_extremes_of_all_lengths():
    for length in LENGTHS[1:]:
        x = values(length)
        np.testing.assert_allclose(extremes(x), extremes.function(x), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_value_does_not_depend_on_its_place(dtype):
    f = symdiff.jit(lambda x: np.tanh(np.sin(x) * np.exp(x)), backend="c")
    for length in (2, 5, 8, 9, 16, 17, 33, 40, 100):  # a number alone takes the scalar function
        for number in (0.3, -1.7, 2.9):
            found = f(np.full(length, number, dtype))
            assert len(set(found.tolist())) == 1
            assert found[0] == f(np.full(64, number, dtype))[7]


@pytest.mark.parametrize("shape", [(3, 4), (1, 40), (40, 1), (5, 3, 17), (2, 33, 4), (0, 3)])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 1), None])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_along_axes(shape, axis, keepdims):
    def f(x):
        y = x * x + 1
        return np.sum(y, axis=axis, keepdims=keepdims), y

    x = np.random.default_rng(1).normal(size=shape)
    for found, expected in zip(symdiff.jit(f, backend="c")(x), f(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_accesses_in_any_order_of_axes(order):
    def f(x, y):
        return np.exp(np.transpose(x, order)) - y[::-1], np.sum(np.transpose(x, order) * y, axis=1)

    x = np.random.default_rng(2).normal(size=(5, 6, 7))
    y = np.random.default_rng(3).normal(size=np.transpose(x, order).shape)
    for found, expected in zip(symdiff.jit(f, backend="c")(x, y), f(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
