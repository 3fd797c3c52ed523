"""vmap, jacobians and hessian."""

import numpy as np
import pytest

import symdiff

X = np.array([0.5, 1.5, -1.0])


def loss(x):
    return np.sum(np.sin(x) * x) * x[0]


def test_hessian_against_finite_differences():
    gradient, step = symdiff.grad(loss), 1e-6
    expected = [(gradient(X + e) - gradient(X - e)) / (2 * step) for e in step * np.eye(3)]
    np.testing.assert_allclose(symdiff.hessian(loss)(X), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("jacobian", [symdiff.jacobian, symdiff.jacfwd, symdiff.jacrev])
def test_jacobian(jacobian):
    A = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(jacobian(lambda x: A @ (x * x))(X), A * 2 * X, rtol=1e-14)


def test_vmap_of_grad():
    rows = np.stack([X, 2 * X])
    expected = [symdiff.grad(loss)(row) for row in rows]
    np.testing.assert_allclose(symdiff.vmap(symdiff.grad(loss))(rows), expected, rtol=1e-13)
