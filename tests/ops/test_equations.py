"""Least squares, pseudo-inverses, ranks and condition numbers as NumPy gives them."""

import numpy as np
import pytest

from symdiff import grad, jit, vmap
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(12)
ARRAYS = {
    "tall": RNG.normal(size=(5, 3)),
    "wide": RNG.normal(size=(3, 5)),
    "square": RNG.normal(size=(3, 3)) + 2 * np.eye(3),
    "stack": RNG.normal(size=(2, 3, 3)) + 2 * np.eye(3),
    "complex": RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3)),
    "single": RNG.normal(size=(5, 3)).astype(np.float32),
    "low": np.outer(np.arange(1.0, 6), np.arange(1.0, 4)),
    "integer": np.array([[2, 1], [1, 3]]),
    "five": RNG.normal(size=5),
    "three": RNG.normal(size=3),
    "sides": RNG.normal(size=(5, 2)),
    "cube": RNG.normal(size=(4, 6, 8, 3)) + np.eye(24).reshape(4, 6, 8, 3),
    "twice": RNG.normal(size=(2, 3, 6)) + np.eye(6).reshape(2, 3, 6),
    "matrix": RNG.normal(size=(2, 3)),
    "zeros": np.zeros((2, 2)),
}

FUNCTIONS = """
    np.linalg.lstsq(tall, five)
    np.linalg.lstsq(tall, sides, rcond=None)
    np.linalg.lstsq(tall, five, 1e-3)
    np.linalg.lstsq(wide, three)
    np.linalg.lstsq(square, three)
    np.linalg.lstsq(single, five.astype(np.float32))
    np.linalg.lstsq(integer, np.arange(2))
    np.linalg.lstsq(low, five)[0]
    np.linalg.lstsq(low, five)[2:]
    np.linalg.pinv(tall)
    np.linalg.pinv(wide, 1e-3)
    np.linalg.pinv(wide, rtol=1e-3)
    np.linalg.pinv(wide, rtol=None)
    np.linalg.pinv(stack)
    np.linalg.pinv(low)
    np.linalg.pinv(square + square.T, hermitian=True)
    np.linalg.pinv(complex)
    np.linalg.pinv(single)
    np.linalg.matrix_rank(low)
    np.linalg.matrix_rank(stack)
    np.linalg.matrix_rank(tall, 0.1)
    np.linalg.matrix_rank(tall, rtol=0.1)
    np.linalg.matrix_rank(integer, hermitian=True)
    np.linalg.cond(tall)
    np.linalg.cond(stack)
    np.linalg.cond(square, 1)
    np.linalg.cond(square, "fro")
    np.linalg.cond(square, -2)
    np.linalg.cond(stack, np.inf)
    np.linalg.cond(complex)
    np.linalg.cond(zeros)
    np.linalg.tensorinv(cube)
    np.linalg.tensorinv(cube[0].reshape(6, 8, 3)[:, :2], ind=1)
    np.linalg.tensorsolve(twice, matrix)
    np.linalg.tensorsolve(matrix[:1, 0], matrix[:1, 1])
    np.linalg.tensorsolve(twice.transpose(2, 0, 1), matrix, axes=(0,))
    np.linalg.inv(stack)
    np.linalg.det(stack)
    np.linalg.slogdet(complex)
    np.linalg.matrix_power(stack, -3)
    np.linalg.solve(complex, three)
    np.linalg.cholesky(stack @ np.swapaxes(stack, 1, 2))
    np.linalg.cholesky(complex @ complex.conj().T, upper=True)
"""
if hasattr(np, "matvec"):
    FUNCTIONS += """
    np.matvec(tall, three)
    np.matvec(stack, three)
    np.matvec(stack, square[:2])
    np.vecmat(square[0], square)
    np.vecmat(square[:2], stack)
"""
FUNCTIONS = [line.strip() for line in FUNCTIONS.strip().splitlines() if line.strip()]


def function_of(expression):
    names = [name for name in ARRAYS if name in expression]
    function = eval(f"lambda {', '.join(names)}: {expression}", {"np": np})
    return function, [ARRAYS[name] for name in names]


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_values_and_types_are_those_of_numpy(expression):
    function, values = function_of(expression)
    with np.errstate(all="ignore"):
        actual, expected = jit(function)(*values), function(*values)
    assert type(actual) is type(expected)
    if not isinstance(expected, tuple):
        actual, expected = [actual], [expected]
    for each, other in zip(actual, expected, strict=True):
        assert type(each) is type(other)
        np.testing.assert_array_equal(each, other, strict=True)


@pytest.mark.parametrize(
    "expression", [each for each in FUNCTIONS if not any(
        name in each for name in ("rank", "single", "integer", "low", "zeros", "slogdet")
    )]
)
def test_derivatives(expression):
    function, values = function_of(expression)
    check_grads(lambda *args: _first(function(*args)), tuple(values), order=2)


def _first(result):
    return np.real(result[0] if isinstance(result, tuple) else result)


def test_every_result_of_least_squares_has_its_derivative():
    tall, five = ARRAYS["tall"], ARRAYS["five"]
    check_grads(lambda a, b: np.linalg.lstsq(a, b)[1], (tall, five))
    check_grads(lambda a, b: np.linalg.lstsq(a, b)[3], (tall, five))


def test_the_pseudo_inverse_along_matrices_of_the_same_rank():
    check_grads(lambda u, v: np.linalg.pinv(np.outer(u, v), 1e-6), (np.ones(3), np.arange(1.0, 3)))
    check_grads(
        lambda u, v, b: np.linalg.lstsq(np.outer(u, v), b, rcond=1e-6)[0],
        (np.ones(4), np.arange(1.0, 3), np.arange(4.0)),
    )


def test_the_cotangent_of_the_right_side_is_a_least_squares_solution():
    gradient = grad(lambda b: np.sum(np.linalg.lstsq(ARRAYS["tall"], b)[0] ** 2))
    gradient(ARRAYS["five"])
    assert "pinv" not in gradient.source
    assert gradient.source.count("np.linalg.lstsq(") >= 2


def test_the_first_operand_of_vecmat_is_conjugated():
    if hasattr(np, "vecmat"):
        a = ARRAYS["complex"]
        np.testing.assert_allclose(jit(lambda a: np.vecmat(a[0], a))(a), a[0].conj() @ a)


def test_a_singular_matrix_has_an_infinite_condition():
    assert jit(lambda a: np.linalg.cond(a))(np.ones((2, 2)) * 0) == np.inf


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize("part", range(4))
def test_least_squares_of_a_batch(in_axes, part):
    tall, five = ARRAYS["tall"], ARRAYS["five"]
    batches = [np.stack([x, 2 * x + 1]) if axis == 0 else x
               for x, axis in zip((tall, five), in_axes, strict=True)]
    found = vmap(lambda a, b: np.linalg.lstsq(1 * a, 1 * b)[part], in_axes)(*batches)
    for i in range(2):
        a, b = (x[i] if axis == 0 else x for x, axis in zip(batches, in_axes, strict=True))
        np.testing.assert_allclose(found[i], np.linalg.lstsq(a, b)[part])


def test_what_is_refused():
    tall = ARRAYS["tall"]
    with pytest.raises(UnsupportedFunctionError, match=r"rcond= that is no plain number"):
        jit(lambda a: np.linalg.pinv(a, rcond=a[0]))(tall)
    with pytest.raises(ValueError, match="Incompatible dimensions"):
        jit(lambda a: np.linalg.lstsq(a, np.ones(3)))(tall)
    with pytest.raises(ValueError, match="Invalid ind argument"):
        jit(lambda a: np.linalg.tensorinv(a, ind=0))(tall)
