"""What a loop hands from turn to turn."""

import numpy as np
import pytest

from tests.frontend.tracing import check

R = np.random.default_rng(0)
X = R.normal(size=6)


def fib(x):
    a, b = x, 1.0
    for _ in range(8):
        a, b = b, a + b
    return a


def best(x):
    b = None
    for v in x:
        if b is None or v > b:
            b = v
    return b


def flag(x):
    first = True
    s = 0.0
    for v in x:
        if first:
            s = v
            first = False
        else:
            s = s * v
    return s


def plist(x):
    ws = [x, x * 2, x * 3]
    for _ in range(6):
        ws = [w - 0.1 * w ** 2 for w in ws]
    return ws


@pytest.mark.parametrize(("function", "first", "others"), [
    (fib, (2.0,), [(3.0,)]),
    (best, (X,), [(-X,)]),
    (flag, (X,), [(-X,)]),
    (plist, (0.3,), [(0.5,)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) == {"captured"}


def test_another_shape_after_a_turn_than_is_counted_is_unrolled():
    def grows(x):
        y = x
        for _ in range(4):
            y = np.concatenate([y, y])
        return y

    assert check(grows, (X,)).roads == ["unrolled"]
