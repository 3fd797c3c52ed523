"""Loops: one body for all turns."""

import math

import numpy as np
import pytest

from symdiff.testing import check_grads
from tests.frontend.tracing import check

R = np.random.default_rng(0)
X = R.normal(size=6)


def power(x, n):
    s = 1.0
    for i in range(n):
        s = s * x + i
    return s


def heat(u, steps, c):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += c * (u[2:] + u[:-2] - 2 * u[1:-1])
    return np.sum(u * u)


def cum(x):
    y = np.zeros(x.shape[0])
    y[0] = x[0]
    for i in range(1, x.shape[0]):
        y[i] = 0.5 * y[i - 1] + x[i]
    return y


def brk(x):
    s = 0.0
    for v in x:
        if s > 2.0:
            break
        s += v * v
    return s


def find(x):
    for i in range(len(x)):
        if x[i] > 0.5:
            return x[i] * i
    return -1.0


def cont(x):
    s = 0.0
    for v in x:
        if v < 0:
            continue
        s += v
    return s


def sgd(w, x):
    for _ in range(10):
        w = w - 0.1 * 2 * x.T @ (x @ w)
    return w


def sgd2(w, x):
    w = w.copy()
    for _ in range(10):
        w -= 0.1 * 2 * x.T @ (x @ w)
    return w


def mat(A, B):
    n = A.shape[0]
    C = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            for k in range(n):
                C[i, j] += A[i, k] * B[k, j]
    return C


def rowset(X):
    X = X.copy()
    for r in X:
        r[0] = 1.0
        r *= 2
    return X


def dynamic(x, n):
    s = 0.0
    for i in range(n):
        s += math.sin(x * i)
    return s


def rk(y, h, n):
    for _ in range(n):
        k1 = -y
        k2 = -(y + h / 2 * k1)
        y = y + h * k2
    return y


@pytest.mark.parametrize(("function", "first", "others"), [
    (power, (1.1, 7), [(0.9, 11), (2.0, 0)]),
    (heat, (X, 5, 0.1), [(X * 2, 9, 0.2)]),
    (cum, (X,), [(X ** 2,)]),
    (brk, (X,), [(X * 5,), (X * 0.1,)]),
    (find, (X,), [(X * 0,), (X[::-1].copy(),)]),
    (cont, (X,), [(-X,)]),
    (sgd, (X[:3].copy(), R.normal(size=(4, 3))), [(X[3:].copy(), R.normal(size=(4, 3)))]),
    (sgd2, (X[:3].copy(), R.normal(size=(4, 3))), [(X[3:].copy(), R.normal(size=(4, 3)))]),
    (mat, (R.normal(size=(4, 4)), R.normal(size=(4, 4))), [(np.eye(4), np.eye(4) * 2)]),
    (rowset, (R.normal(size=(5, 3)),), [(R.normal(size=(5, 3)),)]),
    (dynamic, (0.3, 5), [(0.4, 9)]),
    (rk, (1.0, 0.1, 10), [(2.0, 0.2, 20)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) == {"captured"}


def step(u, v):
    v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])


def exchanged(u):
    u, v = u.copy(), np.zeros(6)
    t = 0.0
    for _ in range(7):
        mid = u[1:-1]
        v[1:-1] = mid + 0.1 * (u[2:] - 2 * mid + u[:-2]) * np.cos(t)
        v[0] = 1.0
        u, v = v, u
        t += 0.1
    return np.sum(u * u) * t + v.sum()


def three_exchanged(u):
    a, b, c = u.copy(), 2 * u, np.zeros(6)
    for _ in range(7):
        c[:] = 2 * b - a + 0.1 * np.sin(b)
        a, b, c = b, c, a
    return np.sum(a * b)


def exchanged_within(u):
    u, v = u.copy(), np.zeros(6)
    for _ in range(4):
        for _ in range(5):
            step(u, v)
            u, v = v, u
        u *= 1.1
    return np.sum(u * v)


def copies_appended(u):
    u, v = u.copy(), np.zeros(6)
    out = []
    for _ in range(5):
        step(u, v)
        u, v = v, u
        out.append(u.copy())
    return np.sum(np.array(out) ** 2)


@pytest.mark.parametrize(
    "function", [exchanged, three_exchanged, exchanged_within, copies_appended]
)
def test_arrays_that_go_from_name_to_name(function):
    assert set(check(function, (X,), (2 * X,)).roads) == {"captured"}
    check_grads(function, (X,))


def known_by_another_name(u):
    u, v = u.copy(), u.copy()
    kept = v
    for _ in range(7):
        step(u, v)
        u, v = v, u
    return np.sum(u * kept)


def part_known_by_another_name(u):
    u, v = u.copy(), u.copy()
    kept = v[1:3]
    for _ in range(7):
        step(u, v)
        u, v = v, u
    return np.sum(u[:2] * kept)


def one_array_under_both(u):
    u = v = u.copy()
    for _ in range(7):
        step(u, v)
        u, v = v, u
    return np.sum(u * v)


def a_third_name(u):
    u, v = u.copy(), u.copy()
    w = u
    for _ in range(7):
        step(u, v)
        w = v
        u, v = v, u
    return np.sum(u * w)


def an_argument(u):
    v = np.zeros(6)
    for _ in range(7):
        step(u, v)
        u, v = v, u
    return np.sum(u * v)


def both_are_one_from_then_on(u):
    u, v = u.copy(), u.copy()
    for _ in range(6):
        v[0] = u[0] + 1
        v[1] = u[0] * 0.5  # from the second turn on v[0] is read here
        u = v
    return np.sum(u * v)


def a_part_of_the_other_from_then_on(u):
    v, u = u.copy(), 2 * u
    for _ in range(6):
        v[0] = u[0] * 0.9 + 1
        v[1] = u[0] * 0.5
        u = v[::-1]
    return np.sum(u * v)


def appended_itself(u):
    u, v = u.copy(), np.zeros(6)
    out = []
    for _ in range(5):
        step(u, v)
        u, v = v, u
        out.append(u)
    return np.sum(np.array(out) ** 2)


def a_view_of_what_it_began_with(x):
    y = x * 1.0
    z = y
    for _ in range(6):
        z = z[::-1]
    z[0] = 7.0
    return np.sum(y * y)


def what_it_began_with_is_changed(x):
    y = x * 1.0
    z = y
    for _ in range(5):
        z = z[::-1]
    y[0] = 7.0
    return np.sum(z[-1] * y)


def two_views_of_what_it_began_with(x):
    z = x * 1.0
    w = z
    for _ in range(6):
        z = z[::-1]
        w = z
    w[0] = 7.0
    return np.sum(z * z)


def exchanged_and_changed_afterwards(x):
    a, b = x * 1.0, x * 2.0
    y = a
    for _ in range(5):
        a, b = b, a
    b[0] = 7.0
    return np.sum(y * y)


@pytest.mark.parametrize(
    "function",
    [known_by_another_name, part_known_by_another_name, one_array_under_both, a_third_name,
     an_argument, both_are_one_from_then_on, a_part_of_the_other_from_then_on, appended_itself,
     a_view_of_what_it_began_with, what_it_began_with_is_changed,
     two_views_of_what_it_began_with, exchanged_and_changed_afterwards],
)  # fmt: skip
def test_arrays_that_two_names_lead_to(function):
    assert "unrolled" in check(function, (X,)).roads
    check_grads(function, (X,))
