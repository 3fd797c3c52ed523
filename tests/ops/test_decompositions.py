"""Decompositions: NumPy's results, and derivatives that do not depend on what is left free."""

import re

import numpy as np
import pytest

from symdiff import grad, hessian, jit, value_and_grad
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(11)
TALL, WIDE = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 5))
SQUARE = RNG.normal(size=(4, 4))
STACK = RNG.normal(size=(2, 4, 3))
COMPLEX = SQUARE + 1j * RNG.normal(size=(4, 4))
INTEGER = np.array([[2, 1], [1, 3]])
MATRICES = {
    "tall": TALL,
    "wide": WIDE,
    "square": SQUARE,
    "stack": STACK,
    "complex": COMPLEX,
    "single": TALL.astype(np.float32),
    "integer": INTEGER,
    "empty": np.zeros((0, 3)),
    "one": np.ones((1, 1)),
}
every_matrix = pytest.mark.parametrize("name", MATRICES)

ANY_SHAPE = [
    "np.linalg.svd(a)",
    "np.linalg.svd(a, False)",
    "np.linalg.svd(a, full_matrices=False)",
    "np.linalg.svd(a, compute_uv=False)",
    "np.linalg.svdvals(a)",
    "np.linalg.qr(a)",
    'np.linalg.qr(a, mode="complete")',
    'np.linalg.qr(a, "r")',
]
OF_SQUARE = [
    "np.linalg.eigh(a)",
    'np.linalg.eigh(a, "u")',
    'np.linalg.eigvalsh(a, UPLO="U")',
    "np.linalg.eigvalsh(a)",
    "np.linalg.svd(a, hermitian=True)",
    "np.linalg.svd(a, hermitian=True, compute_uv=False)",
    "np.linalg.eig(a)",
    "np.linalg.eigvals(a)",
]


def function_of(expression):
    """Of a string, so that tests are told apart by it."""
    return eval(f"lambda a: {expression}", globals())


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, tuple):
        for each in zip(actual, expected, strict=True):
            assert_same(*each)
    else:
        np.testing.assert_array_equal(actual, expected, strict=True)


@every_matrix
@pytest.mark.parametrize("expression", ANY_SHAPE)
def test_results_are_those_of_numpy(expression, name):
    function = function_of(expression)
    assert_same(jit(function)(MATRICES[name]), function(MATRICES[name]))


@pytest.mark.parametrize("name", ["square", "complex", "integer", "one"])
@pytest.mark.parametrize("expression", OF_SQUARE[:-2])
def test_results_for_square_matrices_are_those_of_numpy(expression, name):
    function = function_of(expression)
    assert_same(jit(function)(MATRICES[name]), function(MATRICES[name]))


@pytest.mark.parametrize("name", ["square", "complex", "integer", "one"])
@pytest.mark.parametrize("expression", OF_SQUARE[-2:])
def test_eigenvalues_are_always_complex(expression, name):
    function = function_of(expression)
    actual, expected = jit(function)(MATRICES[name]), function(MATRICES[name])
    assert type(actual) is type(expected)
    for found, each in zip(np.atleast_2d(actual[0]), np.atleast_2d(expected[0]), strict=True):
        assert found.dtype == np.complex128
        np.testing.assert_array_equal(found, each)


# Functions that do not depend on phases, or on a basis of what is left over.
FREE_OF_GAUGE = [
    ("tall", "np.sum(np.linalg.svd(a)[1] ** 3)"),
    ("tall", "_distance(np.linalg.svd(a)[0][:, 3:])"),
    ("wide", "_distance(np.linalg.svd(a)[2][3:].T)"),
    ("wide", "_distance(np.linalg.svd(a, full_matrices=False)[2][:2].T)"),
    ("complex", "_distance(np.linalg.svd(a)[0][:, :2])"),
    ("complex", "_polar(*np.linalg.svd(a))"),
    ("tall", '_distance(np.linalg.qr(a, mode="complete")[0][:, 3:])'),
    ("complex", "np.sum(np.abs(np.linalg.qr(a).Q[:2]) ** 2)"),
    ("wide", "np.sum(np.linalg.qr(a).R ** 3)"),
    ("square", "_distance(np.linalg.eigh(a + a.T)[1][:, :2])"),
    ("square", 'np.sum(np.linalg.eigvalsh(a, "U") ** 3)'),
    ("complex", "_distance(np.linalg.eigh(a)[1][:, 1:3])"),
    ("complex", '_distance(np.linalg.eigh(a, UPLO="U").eigenvectors[:, :1])'),
    ("complex", "np.sum(np.linalg.eigvalsh(a) ** 2)"),
    ("square", "np.max(np.abs(np.linalg.eigvals(a)))"),
    ("square", "np.sum(np.linalg.eigvals(a).real ** 3)"),
    ("complex", "np.sum(np.abs(np.linalg.eigvals(a)))"),
    ("square", "np.sum(np.abs(np.linalg.eig(a)[1][:2]) ** 2)"),
    ("complex", "np.sum(np.abs(np.linalg.eig(a)[1][0]) ** 4)"),
    ("square", "np.sum(np.linalg.svd(a + a.T, hermitian=True)[0][:, :2] ** 2)"),
    ("square", "np.sum(np.linalg.svd(a + a.T, hermitian=True, compute_uv=False) ** 2)"),
]


def _distance(vectors):
    """Something of the space that columns span."""
    projection = vectors @ np.conj(vectors.T)
    return np.sum(np.abs(projection[:, :2] - 0.3) ** 2)


def _polar(u, s, vh):
    """Something of the unitary factor."""
    return np.sum((u @ vh).real * np.arange(16).reshape(4, 4)) + s[0]


@pytest.mark.parametrize(("name", "expression"), FREE_OF_GAUGE)
def test_derivatives_of_what_does_not_depend_on_phases(name, expression):
    check_grads(function_of(expression), (MATRICES[name],), order=2)


def _sqrt(a):
    w, v = np.linalg.eigh(a)
    return v * np.sqrt(w) @ v.T


def test_a_function_of_a_symmetric_matrix():
    a = SQUARE @ SQUARE.T + np.eye(4)
    direction = RNG.normal(size=(4, 4))
    root = _sqrt(a)
    a_bar = grad(lambda a: np.sum(_sqrt(a) * direction))(a)
    # X root + root X = direction + its transpose, of which the lower triangle stands for both
    n = len(a)
    kron = np.kron(np.eye(n), root) + np.kron(root, np.eye(n))
    x = np.linalg.solve(kron, (direction + direction.T).ravel()).reshape(n, n)
    np.testing.assert_allclose(a_bar, np.tril(x) - np.diag(np.diag(x)) / 2, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_one_triangle_is_read(uplo):
    a_bar = grad(lambda a: np.sum(np.linalg.eigvalsh(a, uplo) ** 2))(SQUARE)
    triangle = np.tril if uplo == "L" else np.triu
    np.testing.assert_allclose(a_bar, triangle(a_bar), atol=0)
    expected = 2 * triangle(SQUARE) + 2 * triangle(SQUARE, -1 if uplo == "L" else 1)
    np.testing.assert_allclose(a_bar, expected, rtol=1e-10)


def test_equal_eigenvalues():
    eye = np.eye(3)
    logdet = grad(lambda a: np.sum(np.log(np.linalg.eigvalsh(a))))
    np.testing.assert_allclose(logdet(2 * eye), eye / 2)
    np.testing.assert_allclose(grad(lambda a: np.sum(np.linalg.eigvals(a)).real)(eye), eye)
    with np.errstate(all="ignore"):
        of_vectors = grad(lambda a: np.linalg.eigh(a)[1][0, 0])(eye)
    assert np.isnan(of_vectors).any()


def test_eigenvalues_sum_to_the_trace_to_second_order():
    a = SQUARE + SQUARE.T
    second = hessian(lambda a: np.sum(np.linalg.eigvalsh(a)))(a)
    np.testing.assert_allclose(second, 0, atol=1e-10)


def test_one_call_for_all_results():
    def loss(a):
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        return np.sum(u[:, :2] * s[:2] @ vh[:2])

    found = value_and_grad(loss)
    found(TALL)
    assert re.sub("#.*", "", found.source).count("np.linalg.svd(") == 1


def test_the_norm_of_singular_values_takes_one_call_for_its_derivative():
    gradient = grad(lambda a: np.linalg.norm(a, "nuc"))
    gradient(TALL)
    assert gradient.source.count("np.linalg.svd(") == 1


def test_what_is_refused():
    with pytest.raises(UnsupportedFunctionError, match='mode="reduced" gives both factors'):
        grad(lambda a: np.sum(np.linalg.qr(a, mode="raw")[0]))(SQUARE)
    with pytest.raises(ValueError, match="UPLO argument must be"):
        grad(lambda a: np.sum(np.linalg.eigvalsh(a, UPLO="x")))(SQUARE)
    with pytest.raises(ValueError, match="must be square"):
        grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(TALL)
    with pytest.raises(ValueError, match="at least two-dimensional"):
        grad(lambda a: np.sum(np.linalg.svd(a)[1]))(TALL[0])
