"""Conditional expressions, `and`, `or` and chained comparisons."""

import numpy as np
import pytest

from tests.frontend.tracing import check


def tern(x): return x * 2 if x > 0 else x - 1


def chain(x):
    if (0 < x < 1 and x * x > 0.1) or x > 5:
        return x
    return -x


@pytest.mark.parametrize(("function", "first", "others"), [
    (tern, (2.0,), [(-0.5,)]),
    (chain, (0.5,), [(0.1,), (6.0,), (-1.0,)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) <= {"captured"}


def test_a_side_that_stores_is_a_decision():
    def stores(x):
        y = np.zeros(2)
        return y.sum() if x > 0 else (y.fill(x), y.sum())[1]

    assert check(stores, (2.0,)).roads == ["decided at each call"]
