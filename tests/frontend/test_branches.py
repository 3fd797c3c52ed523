"""Branches: both sides as one node."""

import numpy as np
import pytest

from tests.frontend.tracing import check


def abs_(x):
    if x > 0:  # noqa: SIM108
        y = x * x
    else:
        y = -x
    return y


def early(x):
    if x > 1:
        return x * 2
    return x * 3


def elif_(x):
    if x < 0:
        y = 0.0
    elif x < 1:
        y = x
    elif x < 2:
        y = x ** 2
    else:
        y = 4.0
    return y


def buf(x):
    y = np.zeros(3)
    if x > 0:
        y[0] = x
    else:
        y[1] = 2 * x
    return y


@pytest.mark.parametrize(("function", "first", "others"), [
    (abs_, (2.0,), [(-3.0,)]),
    (early, (2.0,), [(0.5,)]),
    (elif_, (0.5,), [(-1.0,), (1.5,), (3.0,)]),
    (buf, (1.0,), [(-1.0,)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) == {"captured"}


def test_sides_of_different_kinds_are_a_decision():
    def kinds(x):
        if x > 0:  # noqa: SIM108
            y = x
        else:
            y = [x]
        return y

    assert check(kinds, (2.0,)).roads == ["decided at each call"]
