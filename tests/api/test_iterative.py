"""SciPy's iterative solvers of linear systems: values, derivatives, what is refused."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg as solvers

from symdiff import check_grads, grad, hessian, jit, vmap
from symdiff.errors import UnsupportedFunctionError

RNG = np.random.default_rng(4)
DENSE = RNG.normal(size=(4, 4)) + 4 * np.eye(4)
B = RNG.normal(size=4)
SYMMETRIC = scipy.sparse.csr_matrix(DENSE @ DENSE.T)
GENERAL = scipy.sparse.csr_matrix(DENSE)
SCALES = scipy.sparse.diags(1 / SYMMETRIC.diagonal())
OPERATOR = solvers.aslinearoperator(DENSE)
EXACT = {"rtol": 1e-14}


@pytest.mark.parametrize("name", ["cg", "minres"])
def test_symmetric_systems(name):
    solve = getattr(solvers, name)

    def function(a):
        return np.sum(solve(a @ a.T + np.eye(4), a[0], **EXACT)[0] ** 2)

    check_grads(function, (DENSE,), order=1)


@pytest.mark.parametrize("name", ["bicgstab", "cgs", "gcrotmk", "gmres", "lgmres", "tfqmr"])
def test_systems(name):
    solve = getattr(solvers, name)

    def function(a, b):
        x, info = solve(a, b, **EXACT)
        assert info == 0
        return np.sum(x**2)

    expected = np.sum(np.linalg.solve(DENSE, B) ** 2)
    np.testing.assert_allclose(jit(function)(DENSE, B), expected, rtol=1e-10)
    check_grads(function, (DENSE, B), order=1)


def test_sparse_matrices_and_preconditioners():
    gradient = grad(lambda b: np.sum(solvers.cg(SYMMETRIC, b, M=SCALES, **EXACT)[0] * B))
    np.testing.assert_allclose(gradient(B), np.linalg.solve(SYMMETRIC.toarray(), B), rtol=1e-9)
    gradient = grad(lambda b: np.sum(solvers.gmres(GENERAL, b, np.ones(4), **EXACT)[0] * B))
    np.testing.assert_allclose(gradient(B), np.linalg.solve(DENSE.T, B), rtol=1e-9)


def test_entries_have_derivatives():
    def function(d):
        return np.sum(solvers.cg(scipy.sparse.diags(d), B, **EXACT)[0])

    d = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(grad(function)(d), -B / d**2, rtol=1e-10)
    np.testing.assert_allclose(np.diag(hessian(function)(d)), 2 * B / d**3, rtol=1e-8)
    rows = np.stack([d, 2 * d])
    np.testing.assert_allclose(vmap(function)(rows), [function(row) for row in rows], rtol=1e-12)


def test_types():
    x, info = jit(lambda a, b: solvers.gmres(a, b))(DENSE.astype(np.float32), B.astype(np.float32))
    assert (x.dtype, info) == (np.float32, 0)
    x, _ = jit(lambda a: solvers.gmres(a, [[1], [2], [3], [4]]))(DENSE)
    assert (x.dtype, x.shape) == (np.float64, (4,))


def test_what_does_not_converge():
    with pytest.raises(RuntimeError, match=r"gmres: info="):
        jit(lambda a: solvers.gmres(a, B, maxiter=1, restart=1, rtol=1e-14)[0])(DENSE)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda a: solvers.cg(a, B, callback=print), "callback"),
        (lambda a: solvers.cg(a, B, a[0]), "start"),
        (lambda a: solvers.gmres(OPERATOR, a[0]), "LinearOperator"),
    ],
    ids=["callback", "start", "operator"],
)
def test_what_is_refused(call, what):
    with pytest.raises(UnsupportedFunctionError, match=rf"{what}[^|]*\n.*\n.*linear_solve"):
        jit(call)(DENSE)


def test_what_is_known_is_solved_by_scipy():
    matrix = DENSE @ DENSE.T
    found = jit(lambda x: x * np.sum(solvers.cg(matrix + np.eye(4), B)[0]))(2.0)
    np.testing.assert_allclose(found, 2 * np.sum(solvers.cg(matrix + np.eye(4), B)[0]))
