"""Totals of short rows are made for many rows at a time, and are what they were."""

import numpy as np
import pytest

import symdiff
from symdiff.schedule.lower import lower


def totals(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    return p, np.sum(p * x, axis=0), np.sum(p * p), np.prod(x, axis=-1), np.min(x, axis=(0, 1))


compiled = symdiff.jit(totals, backend="c")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [15, 16, 63, 64, 65, 150])
@pytest.mark.parametrize("length", [1, 2, 3, 10, 31, 32])
def test_totals_are_those_of_numpy(count, length, dtype):
    x = np.random.default_rng(length).normal(size=(count, length)).astype(dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for found, expected in zip(compiled(x), totals(x), strict=True):
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_middle_axes_are_rows_too():
    def f(x, y):
        return np.sum(x * y, axis=2), np.max(x - y, axis=(0, 2))

    x = np.random.default_rng(0).normal(size=(3, 70, 5))
    y = np.transpose(x, (0, 1, 2))[:, ::-1] * 2
    for found, expected in zip(symdiff.jit(f, backend="c")(x, y), f(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_a_row_does_not_depend_on_its_place():
    row = np.random.default_rng(0).normal(size=10)
    found = compiled(np.tile(row, (150, 1)))[0]
    assert (found == found[0]).all()
    assert (compiled(np.tile(row, (20, 1)))[0][3] == found[0]).all()


def test_kernels_say_which_elements_are_side_by_side():
    made = symdiff.jit(totals, backend="c")
    made(np.ones((150, 10)))
    steps = lower(made.compiled.work.graph).steps
    assert {step.shape for step in steps if step.inner is not None} == {(2, 64, 10), (22, 10)}
