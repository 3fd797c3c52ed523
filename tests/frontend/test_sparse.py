"""Sparse matrices of SciPy's in traced functions: constant, and read again at each call."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg as spla

from symdiff import grad, hessian, jit, jvp, value_and_grad, vmap
from symdiff.errors import ShapeError, UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(17)
DENSE = RNG.normal(size=(5, 4)) * (RNG.random((5, 4)) < 0.6)
REGULAR = RNG.normal(size=(4, 4)) * (RNG.random((4, 4)) < 0.5) + 4 * np.eye(4)
A = scipy.sparse.csr_array(DENSE)
S = scipy.sparse.csc_array(REGULAR)
X, Y, COLUMNS = RNG.normal(size=4), RNG.normal(size=5), RNG.normal(size=(4, 3))

KINDS = [
    getattr(scipy.sparse, f"{name}_{kind}")
    for name in ("csr", "csc", "coo", "dia", "bsr", "lil", "dok")
    for kind in ("array", "matrix")
]
PRODUCTS = [
    (lambda a, x: a @ x, X),
    (lambda a, x: a @ x, COLUMNS),
    (lambda a, x: a.dot(x), X),
    (lambda a, x: a.T @ x, Y),
    (lambda a, x: a.transpose().dot(x), Y),
    (lambda a, x: x @ a, Y),
    (lambda a, x: x @ a, RNG.normal(size=(2, 5))),
    (lambda a, x: x @ a.T, X),
    (lambda a, x: a @ [x[0], x[1], x[2], 1.0], X),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("case", range(len(PRODUCTS)))
def test_products(kind, case):
    function, x = PRODUCTS[case]
    matrix = kind(DENSE)
    compiled = jit(lambda x: function(matrix, x))
    np.testing.assert_allclose(compiled(x), function(DENSE, x))
    assert type(compiled(x)) is np.ndarray
    check_grads(lambda x: function(matrix, x), (x,), order=2)


def test_the_source_reads_as_the_users():
    gradient = grad(lambda x: np.sum((A @ x) ** 2))
    np.testing.assert_allclose(gradient(X), 2 * DENSE.T @ DENSE @ X)
    assert "A @ x" in gradient.source
    assert "A.T @ " in gradient.source


def test_entries_are_read_at_each_call():
    matrix = scipy.sparse.csr_array(DENSE)
    compiled = jit(lambda x: matrix @ x)
    compiled(X)
    before = compiled.cache_info().misses
    matrix.data *= 2
    np.testing.assert_allclose(compiled(X), 2 * DENSE @ X)
    assert compiled.cache_info().misses == before


def test_another_matrix_of_the_name():
    box = {"a": scipy.sparse.csr_array(DENSE)}
    compiled = jit(lambda x: box["a"] @ x)
    compiled(X)
    for other in (
        scipy.sparse.csr_array(-DENSE),
        scipy.sparse.coo_array(2 * DENSE),
        scipy.sparse.csr_array(DENSE[:3]),
        scipy.sparse.csr_array(DENSE.astype(np.float32)),
        scipy.sparse.csr_array(DENSE).astype(complex),
    ):
        box["a"] = other
        found = compiled(X)
        np.testing.assert_allclose(found, other.toarray() @ X)
        assert found.dtype == (other @ X).dtype


def test_a_matrix_that_becomes_dense():
    box = {"a": scipy.sparse.csr_array(DENSE)}
    compiled = jit(lambda x: box["a"] @ x)
    compiled(X)
    box["a"] = 3 * DENSE
    np.testing.assert_allclose(compiled(X), 3 * DENSE @ X)


def test_a_matrix_as_an_argument():
    function = value_and_grad(lambda a, x: np.sum((a @ x) ** 2), argnums=1)
    for matrix in (A, 2 * A, scipy.sparse.csc_array(DENSE)):
        value, slope = function(matrix, X)
        np.testing.assert_allclose(value, np.sum((matrix.toarray() @ X) ** 2))
        np.testing.assert_allclose(slope, 2 * matrix.T @ (matrix @ X))


def test_an_attribute_of_an_object():
    class Model:
        def __init__(self):
            self.stiffness = S

        def energy(self, x):
            return 0.5 * x @ (self.stiffness @ x)

    np.testing.assert_allclose(grad(Model().energy)(X), 0.5 * (REGULAR + REGULAR.T) @ X)


def test_dtypes():
    single = scipy.sparse.csr_array(DENSE.astype(np.float32))
    whole = scipy.sparse.csr_array((DENSE * 4).astype(int))
    for matrix in (single, whole, A.astype(complex)):
        for x in (X, X.astype(np.float32), X.astype(int), X + 1j):
            found = jit(lambda x, a=matrix: a @ x)(x)
            expected = matrix @ x
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    slope = grad(lambda x: np.sum(np.abs((1j * A) @ x) ** 2))(X)
    np.testing.assert_allclose(slope, 2 * DENSE.T @ DENSE @ X)
    assert grad(lambda x: np.sum(single @ x))(X.astype(np.float32)).dtype == np.float32


def test_second_order_forward_mode_and_vmap():
    second = hessian(lambda x: np.sum((A @ x) ** 3))
    np.testing.assert_allclose(second(X), DENSE.T @ np.diag(6 * DENSE @ X) @ DENSE)
    value, tangent = jvp(lambda x: A @ x, (X,), (2 * X,))
    np.testing.assert_allclose(tangent, 2 * value)
    batch = RNG.normal(size=(6, 4))
    batched = vmap(lambda x: A @ x)
    np.testing.assert_allclose(batched(batch), batch @ DENSE.T)
    np.testing.assert_allclose(
        vmap(lambda x: A @ x)(RNG.normal(size=(2, 4, 3)) * 0 + COLUMNS),
        np.broadcast_to(DENSE @ COLUMNS, (2, 5, 3)),
    )
    systems = vmap(lambda b: spla.spsolve(S, b))
    np.testing.assert_allclose(systems(batch), np.linalg.solve(REGULAR, batch.T).T)
    np.testing.assert_allclose(systems(batch[:1]), np.linalg.solve(REGULAR, batch[:1].T).T)


@pytest.mark.parametrize("b", [X, COLUMNS, COLUMNS[:, :1]])
def test_systems(b):
    compiled = jit(lambda b: spla.spsolve(S, b))
    np.testing.assert_allclose(compiled(b), spla.spsolve(S, b), strict=True)
    check_grads(lambda b: spla.spsolve(S, b), (b,), order=2)


def test_the_adjoint_of_a_system_is_one():
    gradient = grad(lambda b: np.sum(spla.spsolve(S, b) ** 2))
    gradient(X)
    assert "scipy.sparse.linalg.spsolve(S.T, " in gradient.source
    assert "import scipy.sparse.linalg" in gradient.source


def test_what_else_is_done_with_a_matrix_is_done_with_its_values():
    matrix = scipy.sparse.csr_array(DENSE)
    compiled = jit(lambda x: matrix.diagonal() * x + matrix.sum() * matrix.shape[0])
    np.testing.assert_allclose(compiled(X), np.diagonal(DENSE) * X + 5 * DENSE.sum())
    matrix.data *= 2
    np.testing.assert_allclose(compiled(X), 2 * np.diagonal(DENSE) * X + 10 * DENSE.sum())
    compiled = jit(lambda x: (matrix.toarray() @ x, scipy.sparse.issparse(matrix)))
    found, sparse = compiled(X)
    np.testing.assert_allclose(found, 2 * DENSE @ X)
    assert sparse is True


def test_matrices_made_of_others():
    matrix = scipy.sparse.csr_array(DENSE)
    compiled = jit(lambda x: (2 * matrix - matrix[::-1]) @ x + (matrix.tocsc() @ x))
    np.testing.assert_allclose(compiled(X), (3 * DENSE - DENSE[::-1]) @ X)
    normal = jit(lambda x: (matrix.T @ matrix) @ x)
    np.testing.assert_allclose(normal(X), DENSE.T @ DENSE @ X)
    matrix.data *= 3
    np.testing.assert_allclose(compiled(X), 3 * (3 * DENSE - DENSE[::-1]) @ X)
    np.testing.assert_allclose(normal(X), 9 * DENSE.T @ DENSE @ X)


def test_a_matrix_that_is_returned_is_itself():
    assert jit(lambda x: (A, 2 * x))(X)[0] is A


def test_what_is_refused():
    with pytest.raises(ShapeError, match="do not fit"):
        jit(lambda x: A @ x)(np.ones(3))
    with pytest.raises(UnsupportedFunctionError, match="spsolve is traced for a sparse matrix"):
        jit(lambda b: spla.spsolve(REGULAR, b))(X)
    with pytest.raises(UnsupportedFunctionError, match="permc_spec="):
        jit(lambda b: spla.spsolve(S, b, permc_spec="NATURAL"))(X)
