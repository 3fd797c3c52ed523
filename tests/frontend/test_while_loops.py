"""Loops that go on for as long as a test says."""

import pytest

from tests.frontend.tracing import check


def newton(a):
    y = 1.0
    while abs(y * y - a) > 1e-12:
        y = 0.5 * (y + a / y)
    return y


def whil(x):
    k = 0
    while True:
        x = x / 2
        k += 1
        if x < 0.1:
            break
    return x * k


def collatz(x, t):
    s = 0.0
    while x < t and s < 100:
        s += x
        x = x * 1.5
    return s


@pytest.mark.parametrize(("function", "first", "others"), [
    (newton, (2.0,), [(9.0,)]),
    (whil, (3.0,), [(50.0,)]),
    (collatz, (1.0, 9.0), [(2.0, 50.0), (2.0, 1.0)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) == {"captured"}
