"""Arrays that get longer or shorter in each turn of a loop that is captured."""

import numpy as np
import pytest

from symdiff import grad, pipeline, value_and_grad, vmap
from symdiff.testing import check_grads

R = np.random.default_rng(0)
X = R.normal(size=12)
Y = np.sort(R.normal(size=8)) + np.arange(8)
A = R.normal(size=(8, 8)) + 4 * np.eye(8)


@pytest.fixture(autouse=True)
def _captures(monkeypatch):
    monkeypatch.setattr(pipeline, "CAPTURES", True)


def shorter(x):
    h = x
    for _ in range(8):
        h = np.tanh(h[1:] * 0.5 + h[:-1])
    return np.sum(h * h)


def to_one_element(x):
    b = x
    for _ in range(len(x) - 1):
        b = 0.3 * b[:-1] + 0.7 * b[1:]
    return b[0] ** 2


def to_none(x):
    s, h = 0.0, x
    for _ in range(len(x)):
        s = s + h[0] ** 2
        h = h[1:] * h[0]
    return s + np.sum(h)


def rows_and_columns(A):
    for _ in range(5):
        A = A[1:, 1:] - np.outer(A[1:, 0], A[0, 1:]) / A[0, 0]
    return np.sum(A * A)


def longer(x):
    y = x[:1]
    for i in range(1, 7):
        y = np.append(y, y[-1] * x[i])
    return np.sum(y * y)


def longer_in_front(x):
    p = np.array([1.0])
    for i in range(6):
        p = np.append(p, 0.0) - x[i] * np.append(0.0, p)
    return np.sum(p * p)


def longer_from_nothing(x):
    y = np.zeros(0)
    for v in x:
        y = np.concatenate([y, [np.sin(v)], [v]])
    return np.sum(y[::3] ** 2)


def divided_differences(x, y):
    c, d = [y[0]], y
    for k in range(1, len(x)):
        d = (d[1:] - d[:-1]) / (x[k:] - x[:-k])
        c.append(d[0])
    return np.sum(np.array(c) ** 2)


def in_steps(x):
    h = x
    for _ in range(0, 10, 2):
        h = h[2:] * h[:-2]
    return h.sum()


def backwards_with_a_store(x):
    h, v = x * 1.0, x * 0.5
    for i in range(len(x) - 2, -1, -1):
        h = h[:-1] * 1.1
        v[: i + 1] = np.maximum(v[: i + 1], h) * 0.9
    return v[0] + np.sum(v)


def stored_into(x):
    h = x
    for _ in range(6):
        h = h[1:] * 1.5
        h[0] = h[-1] ** 2
    return np.sum(h)


def with_its_length(x):
    h = x
    for _ in range(6):
        h = h[1:] + h[0] * len(h)
    return np.sum(h)


def in_a_pair(x):
    state = (x, 1.0)
    for _ in range(6):
        state = state[0][1:] * state[1], state[1] * 0.9
    return np.sum(state[0]) * state[1]


def inside_another(x):
    total = 0.0
    for k in range(5):
        h = x * (k + 1)
        for _ in range(5):
            h = np.sin(h[1:] - h[:-1])
        total = total + np.sum(h)
    return total


CAPTURED = [
    (shorter, (X,)), (to_one_element, (X,)), (to_none, (X,)), (rows_and_columns, (A,)),
    (longer, (X,)), (longer_in_front, (X,)), (longer_from_nothing, (X[:6],)),
    (divided_differences, (Y, R.normal(size=8))), (in_steps, (X,)), (backwards_with_a_store, (X,)),
    (stored_into, (X,)), (with_its_length, (X,)), (in_a_pair, (X,)), (inside_another, (X,)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "args"), CAPTURED)
def test_captured(function, args):
    derivative = value_and_grad(function)
    value, _ = derivative(*args)
    assert type(value) is type(function(*args)) and value == pytest.approx(function(*args), 1e-14)
    assert "    for " in derivative.source
    check_grads(function, args, rtol=1e-5)


def doubles(x):
    h = x
    for _ in range(4):
        h = np.concatenate([h, h * 0.5])
    return np.sum(h**2)


def stops_at_none(x):
    h = x
    for _ in range(14):
        h = h[1:] * 1.1
    return np.sum(h) + np.sum(x**2)


def a_part_by_value(x):
    h = x
    while len(h) > 2:
        h = h[1:] * h[:-1]
    return np.sum(h)


def may_end_early(x):
    h = x
    for _ in range(6):
        h = h[1:] * 1.1
        if h[0] > 5.0:
            break
    return np.sum(h)


UNROLLED = [doubles, stops_at_none, a_part_by_value, may_end_early]


@pytest.mark.parametrize("function", UNROLLED)
def test_unrolled(function):
    value, _ = value_and_grad(function)(X)
    assert value == pytest.approx(function(X), 1e-14)
    check_grads(function, (X,))


def a_part_that_is_stored_into_afterwards(x):
    y = x * 1.0
    z = y
    for _ in range(5):
        z = z[1:]
    z[0] = 7.0
    return np.sum(y * y)


def test_a_part_of_what_it_began_with():
    value, found = value_and_grad(a_part_that_is_stored_into_afterwards)(X)
    assert value == a_part_that_is_stored_into_afterwards(X)
    np.testing.assert_array_equal(found, np.where(np.arange(12) == 5, 0, 2 * X))


def test_the_source_is_as_long_for_any_size():
    lengths = set()
    for n in (10, 30):
        derivative = grad(to_one_element)
        derivative(np.linspace(1.0, 2.0, n))
        lengths.add(len(derivative.source.splitlines()))
    assert len(lengths) == 1


def test_single_precision_stays():
    found = grad(shorter)(X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, grad(shorter)(X), rtol=1e-4)


def test_a_type_that_widens():
    def wider(x):
        h = x
        for _ in range(6):
            h = h[1:] * np.float64(1.5)
        return np.sum(h)

    found = value_and_grad(wider)(X.astype(np.float32))
    assert found[0].dtype == np.float64 and found[1].dtype == np.float32


def test_batched():
    rows = R.normal(size=(3, 12))
    found = vmap(grad(to_one_element))(rows)
    np.testing.assert_allclose(found, [grad(to_one_element)(row) for row in rows], rtol=1e-13)
