"""Loops over ranges, arrays, and several of them at once."""

import numpy as np
import pytest

from symdiff.frontend.iterables import Range, as_source
from tests.frontend.tracing import check

R = np.random.default_rng(0)
X = R.normal(size=6)


def rows(X):
    s = 0.0
    for r in X:
        s = s + np.tanh(r).sum()
    return s


def enum(x):
    s = 0.0
    for i, v in enumerate(x):
        if i % 2 == 0:
            s += v
        else:
            s -= v * 2
    return s


def numbered(x):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, 2 * x, strict=True), start=2):
        s += a * b * i
    for i, (a, b) in enumerate(zip(x, x + 9), start=1):
        s += a / b * i
    return s


def zips(x, y):
    s = 0.0
    for a, b in zip(x, y):
        s += a * b
    return s


@pytest.mark.parametrize(("function", "first", "others"), [
    (rows, (R.normal(size=(5, 3)),), [(R.normal(size=(5, 3)),)]),
    (enum, (X,), [(X * 2,)]),
    (numbered, (X,), [(2 * X,)]),
    (zips, (X, X), [(X, X ** 2)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) == {"captured"}


@pytest.mark.parametrize("limits", [(5,), (2, 9), (2, 9, 3), (9, 2, -2), (3, 3)])
def test_a_range_reversed(limits):
    assert list(Range(*limits).reversed()) == list(reversed(range(*limits)))
    assert Range(*limits).count() == len(range(*limits))


def test_what_is_no_array_is_gone_over_by_python():
    assert as_source({"a": 1}) is None
    assert as_source(np.array(3.0)) is None
