"""Derivatives of linear algebra where mathematics or NumPy leaves a choice."""

import numpy as np
import pytest

from symdiff import grad, hessian, jit, vmap
from symdiff.errors import ShapeError

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 2.5, np.inf])
@pytest.mark.parametrize("x", [np.zeros(3), np.zeros(3, np.float32)])
def test_a_norm_has_derivative_0_at_0(ord, x):
    found = grad(lambda x: np.linalg.norm(x, ord))(x)
    np.testing.assert_array_equal(found, x, strict=True)


def test_rows_of_zeros_do_not_disturb_the_others():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    found = grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(x)
    np.testing.assert_allclose(found, [[0, 0], [0.6, 0.8]])


def test_the_second_derivative_of_a_norm():
    x = np.array([3.0, 4.0])
    expected = (np.eye(2) - np.outer(x, x) / 25) / 5
    second = hessian(lambda x: np.linalg.norm(x))
    np.testing.assert_allclose(second(x), expected, atol=1e-15)
    np.testing.assert_array_equal(second(0 * x), np.zeros((2, 2)))


def test_solve_shares_the_adjoint_solution():
    a, b = RNG.normal(size=(3, 3)) + 4 * np.eye(3), RNG.normal(size=3)
    found = grad(lambda a, b: np.sum(np.linalg.solve(a, b)), argnums=(0, 1))
    a_bar, b_bar = found(a, b)
    np.testing.assert_allclose(b_bar, np.linalg.solve(a.T, np.ones(3)))
    np.testing.assert_allclose(a_bar, -np.outer(b_bar, np.linalg.solve(a, b)))
    assert found.source.count("np.linalg.solve(a.T, ") == 1


def test_det_of_a_singular_matrix_is_refused_as_by_inv():
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]]))


def test_cholesky_reads_the_lower_triangle():
    a = np.array([[4.0, 99.0], [2.0, 5.0]])
    found = grad(lambda a: np.sum(np.linalg.cholesky(a)))(a)
    assert found[0, 1] == 0
    step = np.array([[0.0, 0.0], [1e-6, 0.0]])
    slope = np.sum(np.linalg.cholesky(a + step) - np.linalg.cholesky(a - step)) / 2e-6
    np.testing.assert_allclose(found[1, 0], slope, rtol=1e-8)


def test_the_gaussian_log_density():
    x, a = RNG.normal(size=3), RNG.normal(size=(3, 3))
    a = a @ a.T + np.eye(3)

    def by_cholesky(a):
        c = np.linalg.cholesky(a)
        z = np.linalg.solve(c, x)
        return -0.5 * z @ z - np.sum(np.log(np.diag(c)))

    def by_inverse(a):
        return -0.5 * x @ np.linalg.inv(a) @ x - 0.5 * np.linalg.slogdet(a)[1]

    lower = grad(by_cholesky)(a)
    full = grad(by_inverse)(a)
    np.testing.assert_allclose(lower + lower.T, full + full.T, rtol=1e-9)


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (np.matmul, ((3, 3), (3, 2))),
        (np.matmul, ((2, 3), (3,))),
        (np.matmul, ((3,), (3,))),
        (np.linalg.solve, ((3, 3), (3,))),
        (np.linalg.solve, ((3, 3), (3, 2))),
        (np.tensordot, ((2, 3, 4), (3, 4))),
        (np.outer, ((2,), (3,))),
        (np.kron, ((2, 2), (3,))),
    ],
)
def test_one_operand_may_be_shared_by_the_batch(function, shapes, in_axes):
    operands = [RNG.normal(size=shape) for shape in shapes]
    if function is np.linalg.solve:
        operands[0] = operands[0] + 4 * np.eye(3)
    batches = [np.stack([x, 2 * x]) if axis == 0 else x for x, axis in zip(operands, in_axes)]
    expected = [
        function(*[x[i] if axis == 0 else x for x, axis in zip(batches, in_axes)]) for i in range(2)
    ]
    np.testing.assert_allclose(vmap(lambda x, y: function(x, 1 * y), in_axes)(*batches), expected)


def test_a_shared_factor_makes_one_product():
    batched = vmap(lambda w, x: w @ x, (None, 0))
    batched(RNG.normal(size=(2, 3)), RNG.normal(size=(5, 3)))
    assert "x @ w.T" in batched.source


def test_one_factorization_serves_a_batch_of_right_sides():
    batched = vmap(lambda a, b: np.linalg.solve(a, 2 * b), (None, 0))
    batched(RNG.normal(size=(3, 3)), RNG.normal(size=(5, 3)))
    assert "broadcast_to" not in batched.source


def test_einsum_that_is_a_number_has_no_factor_1():
    gradient = grad(lambda a, b: np.einsum("ij,jk,ki->", a, b, b))
    a, b = np.arange(4.0).reshape(2, 2), np.array([[1.0, -2], [0.5, 3]])
    np.testing.assert_allclose(gradient(a, b), (b @ b).T, rtol=1e-15)
    assert 'np.einsum("jk,ki->ij", b, b)' in gradient.source


@pytest.mark.parametrize("function", [np.dot, np.inner])
@pytest.mark.parametrize(("shape", "other"), [((2, 3, 30), (30,)), ((3, 30), (2, 7, 30))])
def test_products_of_many_axes_have_numpys_bits(function, shape, other):
    a, b = RNG.normal(size=shape), RNG.normal(size=other)
    if function is np.dot and b.ndim > 1:
        b = np.swapaxes(b, -1, -2)
    np.testing.assert_array_equal(jit(function)(a, b), function(a, b), strict=True)


def test_dot_of_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="do not fit"):
        jit(lambda a, b: np.dot(a, b))(np.ones((2, 3, 4)), np.ones((2, 3, 3)))


@pytest.mark.parametrize("function", [np.tril, np.triu])
def test_diagonals_are_whole_numbers(function):
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(jit(lambda x: function(x, 1.0))(x), function(x, 1.0))
    with pytest.raises(ValueError, match=r"k=0.5 is no whole number"):
        jit(lambda x: function(x, 0.5))(x)


def test_einsum_in_another_dtype():
    x = np.arange(6.0).reshape(2, 3)

    def product(x):
        return np.einsum("ij,kj->ik", x, x, dtype=complex, order="F", casting="safe")

    np.testing.assert_array_equal(jit(product)(x), product(x), strict=True)
    np.testing.assert_allclose(grad(lambda x: np.sum(product(x)).real)(x), 2 * x.sum(0) + 0 * x)
    with pytest.raises(TypeError, match="Cannot cast"):
        jit(lambda x: np.einsum("ij->i", x, dtype=np.float32))(x)
