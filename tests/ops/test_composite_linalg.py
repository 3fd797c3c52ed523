"""Linear algebra: bit for bit NumPy's values, and right derivatives."""

import numpy as np
import pytest

import symdiff

PRODUCTS = """
    np.dot(x, v)
    np.dot(v, w)
    np.dot(v, x.T)
    np.dot(x, y.T)
    np.dot(s, x)
    np.dot(n, n.T)
    np.inner(x, v)
    np.inner(v, w)
    np.inner(x, y)
    np.inner(s, x)
    np.vdot(v, w)
    np.vdot(x, y)
    np.vdot(z, z)
    np.vecdot(x, y)
    np.vecdot(q, v)
    np.linalg.vecdot(x, y, axis=0)
    np.linalg.matmul(x, y.T)
    x @ v
    v @ w
    v @ x.T
    q @ v
    q @ y.T
    x @ np.swapaxes(q, 1, 2)
    v @ np.swapaxes(q, 1, 2)
    np.matmul(n, n.T)
    np.outer(v, w)
    np.outer(x, w)
    np.linalg.outer(v, w)
    np.kron(x, b)
    np.kron(v, w)
    np.kron(b, x)
    np.cross(b, x[:, 0])
    np.cross(x.T, b)
    np.cross(x, y, axis=0)
    np.linalg.cross(b, b * b)
    np.linalg.matrix_power(a, 2)
    np.linalg.matrix_power(a, 3)
    np.linalg.matrix_power(stack, 5)
    np.linalg.matrix_power(a, -2)
    np.linalg.matrix_power(a, 1)
    np.linalg.multi_dot([x.T, a, x])
    np.linalg.multi_dot([b, a, x, v])
    np.linalg.multi_dot([b, a])
    np.tensordot(x, y)
    np.tensordot(q, x, axes=((1, -1), (0, 1)))
    np.tensordot(x, y, axes=(1, 1))
    np.tensordot(v, b, axes=0)
    np.linalg.tensordot(x, q, axes=((0,), (1,)))
"""
EINSUM = """
    np.einsum("ij,j->i", x, v)
    np.einsum("ij,kj", x, y)
    np.einsum("i,j", v, b)
    np.einsum("ij->ji", x)
    np.einsum("ij->", x)
    np.einsum("...j,j->...", q, v)
    np.einsum("...ij,kj", q, x)
    np.einsum("i...,j...->ij...", x, q[0])
    np.einsum("ij,jk,kl->il", a, x, y.T)
    np.einsum("ij , kj -> ik", x, y)
    np.einsum("ij,kj->ik", x, y, optimize=True)
    np.einsum(x, [0, 1], y, [2, 1], [0, 2])
    np.einsum(q, [..., 0], v, [0])
    np.einsum("ij,ij->j", x, y[:1])
    np.einsum("ij,ij->ij", n, n)
    np.einsum("ij,j->i", n, v)
"""
DIAGONALS = """
    np.trace(a)
    np.trace(x, 1)
    np.trace(stack, 0, 1, 2)
    np.trace(q, -1, 0, 2)
    np.trace(n)
    np.trace(small.reshape(1, 5))
    a.trace()
    np.linalg.trace(stack, offset=1)
    np.diagonal(x)
    np.diagonal(q, 1, 0, 2)
    x.diagonal(-1)
    np.linalg.diagonal(stack)
    np.diag(v)
    np.diag(v, -1)
    np.diag(x, 1)
    np.diag(n)
    np.diagflat(x, 1)
    np.tril(x)
    np.triu(q, 1)
    np.tril(v, -1)
    np.tril(n)
    np.matrix_transpose(q)
    np.linalg.matrix_transpose(x)
"""
NORMS = """
    np.linalg.norm(v)
    np.linalg.norm(x)
    np.linalg.norm(q)
    np.linalg.norm(z)
    np.linalg.norm(s)
    np.linalg.norm(n)
    np.linalg.norm(single)
    np.linalg.norm(v, 2)
    np.linalg.norm(x, axis=1)
    np.linalg.norm(x, axis=-1, keepdims=True)
    np.linalg.norm(v, axis=0)
    np.linalg.norm(x, axis=(0, 1))
    np.linalg.norm(q, axis=(2, 0), keepdims=True)
    np.linalg.norm(x, keepdims=True)
    np.linalg.norm(v, 1)
    np.linalg.norm(v, np.inf)
    np.linalg.norm(v, -np.inf)
    np.linalg.norm(v, 0)
    np.linalg.norm(v, 3)
    np.linalg.norm(x, 2.5, axis=1)
    np.linalg.norm(v, -1)
    np.linalg.norm(single, 3, axis=0)
    np.linalg.norm(x, "fro")
    np.linalg.norm(x, 1)
    np.linalg.norm(x, -1)
    np.linalg.norm(x, np.inf)
    np.linalg.norm(q, -np.inf, axis=(2, 0))
    np.linalg.vector_norm(x)
    np.linalg.vector_norm(q, axis=(0, 2), keepdims=True)
    np.linalg.vector_norm(x, axis=0, ord=1)
    np.linalg.matrix_norm(q)
    np.linalg.matrix_norm(q, ord=1, keepdims=True)
"""
EQUATIONS = """
    np.linalg.solve(a, b)
    np.linalg.solve(a, x)
    np.linalg.solve(stack, b)
    np.linalg.solve(stack, x)
    np.linalg.solve(a, stack)
    np.linalg.solve(a, np.arange(3))
    np.linalg.inv(a)
    np.linalg.inv(stack)
    np.linalg.inv(n[:, 1:] + 9 * np.eye(3, dtype=int))
    np.linalg.det(a)
    np.linalg.det(stack)
    np.linalg.slogdet(a).logabsdet
    np.linalg.slogdet(stack)
    np.linalg.cholesky(a @ a.T)
    np.linalg.cholesky(stack @ np.swapaxes(stack, 1, 2))
    np.linalg.cholesky(a @ a.T, upper=True)
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("expression", lines(PRODUCTS + EINSUM + DIAGONALS + NORMS + EQUATIONS))
def test_value_type_and_derivative(check, expression):
    check(expression)


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        ("np.dot(x, v)", "x @ v"),
        ("np.dot(v, w)", "v @ w"),
        ("np.outer(v, w)", "np.outer(v, w)"),
        ("np.trace(a)", "np.trace(a)"),
        ("np.diag(v)", "np.diag(v)"),
        ("np.kron(v, w)", "np.kron(v, w)"),
        ("np.tensordot(x, y, ((1,), (1,)))", "np.tensordot(x, y, (1, 1))"),
        ("np.tensordot(x, y)", "np.tensordot(x, y, 2)"),
        ("np.einsum('ij,kj', x, y)", 'np.einsum("ij,kj->ik", x, y)'),
        ("np.einsum('ij->j', x, optimize=True)", 'np.einsum("ij->j", x, optimize=True)'),
        ("np.einsum('ij->ji', x)", "x.T"),
        ("np.einsum('ii->i', a)", "np.diagonal(a).copy()"),
        ("np.linalg.norm(x)", "np.linalg.norm(x)"),
        ("np.linalg.norm(x, axis=1, keepdims=True)", "np.linalg.norm(x, axis=1, keepdims=True)"),
        ("np.linalg.solve(a, b)", "np.linalg.solve(a, b)"),
        ("np.linalg.slogdet(a)[1]", "np.linalg.slogdet(a)[1]"),
    ],
)
def test_printed_as_the_user_wrote_it(emitted, expression, source):
    assert source in emitted(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("np.tensordot(x, y, 1)", "do not fit"),
        ("np.einsum('ij,jk', x, y)", "extents 4 and 3"),
        ("np.einsum('ijk', x)", "does not fit an operand of 2 axes"),
        ("np.einsum('ij,kj', x)", "not for 1 operands"),
        ("np.cross(v, w)", "three components"),
        ("np.linalg.inv(x)", "must be square"),
        ("np.linalg.norm(q, 2, axis=(0, 1, 2))", "Improper number of dimensions"),
    ],
)
def test_operands_that_do_not_fit(check, expression, message):
    with pytest.raises(ValueError, match=message):
        check(expression)


@pytest.mark.parametrize("order", ["2", "-2", "'nuc'"])
@pytest.mark.parametrize(
    "call",
    [
        "norm(x, {})",
        "norm(x.T, {}, keepdims=True)",
        "norm(q, {}, axis=(2, 0))",
        "norm(q, {}, axis=(0, -1), keepdims=True)",
        "norm(n, {})",
        "norm(single, {})",
        "norm(x + 1j * y, {})",
        "matrix_norm(q, ord={})",
    ],
)
def test_norms_by_singular_values(check, call, order):
    check(f"np.linalg.{call.format(order)}", order=2)


def test_the_zeroth_power_is_constant():
    grad = symdiff.grad(lambda a: np.sum(np.linalg.matrix_power(a, 0) @ a))
    np.testing.assert_array_equal(grad(np.ones((2, 2))), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("np.linalg.slogdet(a)[1]", 1),
        ("np.linalg.slogdet(a)", 1),
        ("np.linalg.slogdet(a).sign * np.linalg.slogdet(a).logabsdet", 1),
        ("np.linalg.slogdet(a)[1] + np.linalg.slogdet(b * a)[1]", 2),
    ],
)
def test_one_call_gives_several_results(emitted, expression, count):
    assert emitted(expression).count("np.linalg.slogdet") == count


def test_slogdet_is_a_named_tuple():
    grad = symdiff.grad(lambda a: np.linalg.slogdet(a).sign * np.linalg.slogdet(a).logabsdet)
    np.testing.assert_allclose(grad(np.diag([2.0, -4.0])), np.diag([-0.5, 0.25]))


@pytest.mark.parametrize("order", [2, -2, "nuc"])
def test_second_derivatives_of_norms_of_singular_values(order):
    def norm(a):
        return np.linalg.norm(a, order)

    gradient, hessian = symdiff.grad(norm), symdiff.hessian(norm)
    a, step = np.array([[2.0, 0.3, 0.0], [0.1, 1.0, -0.5], [0.0, 0.2, 0.4]]), 1e-6
    for i in np.ndindex(3, 3):
        unit = np.zeros((3, 3))
        unit[i] = step
        slope = (gradient(a + unit) - gradient(a - unit)) / (2 * step)
        np.testing.assert_allclose(hessian(a)[i], slope, rtol=1e-6, atol=1e-8)
    for equal in (2 * np.eye(2), np.diag([1.0, -1.0]), np.diag([2.0, 1.0, 1.0])):
        assert np.all(np.isfinite(gradient(equal)))
        with np.errstate(all="ignore"):
            assert np.all(np.isnan(hessian(equal)))
