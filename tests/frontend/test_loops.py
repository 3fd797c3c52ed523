"""Loops: one body for all turns."""

import math

import numpy as np
import pytest

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
