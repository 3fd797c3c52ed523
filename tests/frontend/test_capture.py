"""Capture: kernels with loops in branches and branches in loops."""

import numpy as np
import pytest

from tests.frontend.tracing import check

R = np.random.default_rng(0)
X = R.normal(size=6)
L = np.tril(R.normal(size=(5, 5))) + 3 * np.eye(5)


def chol(A):
    n = A.shape[0]
    L = np.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                L[i, j] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return L


def bis(f0, a, b):
    for _ in range(60):
        m = (a + b) / 2
        if (m ** 3 - f0) > 0:
            b = m
        else:
            a = m
    return (a + b) / 2


def tri(L, b):
    n = len(b)
    x = np.zeros(n)
    for i in range(n):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]
    return x


def swap(u):
    u, v = u.copy(), u.copy()
    for _ in range(6):
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, v = v, u
    return u


@pytest.mark.parametrize(("function", "first", "others"), [
    (chol, (np.eye(5) * 5 + 1,), [(np.eye(5) * 6,)]),
    (bis, (2.0, 0.0, 5.0), [(3.0, 1.0, 4.0)]),
    (tri, (L, X[:5].copy()), [(2 * L, X[1:].copy())]),
    (swap, (X,), [(2 * X,)]),
])
def test_captured(function, first, others):
    captured = check(function, first, *others)
    assert set(captured.roads) == {"captured"}
