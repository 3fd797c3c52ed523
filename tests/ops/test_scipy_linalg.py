"""scipy.linalg: SciPy's own values, derivatives by differences, and what the sources call."""

import numpy as np
import pytest
import scipy.linalg as sl

from symdiff import grad, jit, vmap
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(15)
SQUARE = RNG.normal(size=(4, 4)) + 3 * np.eye(4)
ARRAYS = {
    "a": SQUARE,
    "spd": SQUARE @ SQUARE.T,
    "z": SQUARE + 1j * RNG.normal(size=(4, 4)),
    "b": RNG.normal(size=4),
    "sides": RNG.normal(size=(4, 2)),
    "single": SQUARE.astype(np.float32),
    "n": np.array([[2, 1], [1, 3]]),
    "stack": np.stack([SQUARE @ SQUARE.T, SQUARE.T @ SQUARE]),
}
FUNCTIONS = """
    sl.solve(a, b)
    sl.solve(a, sides)
    sl.solve(z, b)
    sl.solve(single, b.astype(np.float32))
    sl.solve(n, np.arange(2))
    sl.solve(spd, b, assume_a="pos")
    sl.solve(spd, b, lower=True, assume_a="sym")
    sl.solve(z @ z.conj().T, sides, assume_a="her")
    sl.solve(a, b, check_finite=False, overwrite_a=True)
    sl.solve(a, b, transposed=True)
    sl.solve_triangular(a, b)
    sl.solve_triangular(a, b, lower=True)
    sl.solve_triangular(a, sides, trans="T", unit_diagonal=True)
    sl.solve_triangular(z, b, trans=2)
    sl.solve_triangular(a, b, 1, True)
    sl.inv(a)
    sl.det(a)
    sl.det(single)
    sl.det(z)
    sl.norm(a)
    sl.norm(b, 1)
    sl.norm(a, np.inf, axis=(0, 1))
    sl.cholesky(spd)
    sl.cholesky(spd, lower=True)
    sl.cholesky(z @ z.conj().T)
    sl.cho_solve(sl.cho_factor(spd), b)
    sl.cho_solve(sl.cho_factor(spd, lower=True), sides)
    sl.cho_solve((sl.cholesky(spd, lower=True), True), b)
    sl.cho_solve((sl.cholesky(spd), False), b)
    sl.cho_solve((1 * sl.cholesky(spd), False), sides)
    sl.cho_solve(sl.cho_factor(z @ z.conj().T), sides)
    sl.lu_solve(sl.lu_factor(a), b)
    sl.lu_solve(sl.lu_factor(a), sides, trans=1)
    sl.lu_solve(sl.lu_factor(z), b, trans=2)
    sl.lu_solve((1 * sl.lu_factor(a)[0], sl.lu_factor(a)[1]), b)
    sl.lu_solve((2 * sl.lu_factor(z)[0], sl.lu_factor(z)[1]), b, trans=2)
    sl.lu_factor(a)[0]
    sl.cho_factor(spd)[0]
    sl.cho_factor(stack)[0]
    sl.lu_factor(stack)[0]
    sl.cho_solve(sl.cho_factor(stack, lower=True), sides[None])
    sl.lu_solve(sl.lu_factor(stack), sides[None])
"""
FUNCTIONS = [line.strip() for line in FUNCTIONS.strip().splitlines()]


def function_of(expression):
    code = compile(expression, "<expression>", "eval")
    names = [name for name in ARRAYS if name in code.co_names]
    function = eval(f"lambda {', '.join(names)}: {expression}", {"np": np, "sl": sl})
    return function, [ARRAYS[name] for name in names]


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_values_and_types_are_those_of_scipy(expression):
    function, values = function_of(expression)
    actual, expected = jit(function)(*values), function(*values)
    assert type(actual) is type(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, strict=True)


@pytest.mark.parametrize(
    "expression", [each for each in FUNCTIONS if "single" not in each and "(n" not in each]
)
def test_derivatives(expression):
    function, values = function_of(expression)
    check_grads(lambda *args: np.real(function(*args)), tuple(values), order=2)


@pytest.mark.parametrize(
    "function",
    [sl.cho_factor, sl.lu_factor, sl.eigh, sl.svd, sl.qr, lambda a: sl.qr(a, mode="r")],
)
@pytest.mark.parametrize("name", ["spd", "stack"])
def test_results_are_a_list_for_a_stack(function, name):
    actual, expected = jit(lambda a: function(a))(ARRAYS[name]), function(ARRAYS[name])
    assert type(actual) is type(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(np.abs(one), np.abs(other), atol=1e-12)
        assert type(one) is type(other)


def test_the_structure_is_kept_in_the_derivative():
    gradient = grad(lambda a, b: np.sum(sl.solve_triangular(a, b, lower=True) ** 2), argnums=(0, 1))
    gradient(SQUARE, ARRAYS["b"])
    assert "scipy.linalg.solve_triangular(a, " in gradient.source
    assert "check_finite=False, lower=True, trans=1)" in gradient.source
    assert "linalg.solve(" not in gradient.source


def test_one_factorization_serves_both():
    def loss(a, b):
        return np.sum(sl.cho_solve(sl.cho_factor(a), b) ** 2)

    gradient = grad(loss, argnums=1)
    gradient(ARRAYS["spd"], ARRAYS["b"])
    assert gradient.source.count("scipy.linalg.cho_factor(a)") == 1


def test_a_factor_moves_as_its_matrix():
    for loss in (
        lambda a, b: np.sum(sl.cho_solve(sl.cho_factor(a), b)),
        lambda a, b: np.sum(sl.lu_solve(sl.lu_factor(a), b)),
    ):
        gradient = grad(loss)
        gradient(ARRAYS["spd"], ARRAYS["b"])
        assert "solve_triangular" not in gradient.source


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: sl.cho_solve(sl.cho_factor(a), b),
        lambda a, b: sl.lu_solve(sl.lu_factor(a), b, trans=1),
    ],
    ids=["definite", "regular"],
)
def test_a_batch_of_factored_systems(function, in_axes):
    spd, b = ARRAYS["spd"], ARRAYS["b"]
    batches = [np.stack([x, 2 * x]) if axis == 0 else x
               for x, axis in zip((spd, b), in_axes, strict=True)]
    mapped = vmap(lambda a, b: function(a, 1 * b), in_axes)
    expected = [
        function(*[x[i] if axis == 0 else x for x, axis in zip(batches, in_axes, strict=True)])
        for i in range(2)
    ]
    np.testing.assert_allclose(mapped(*batches), expected)
    check_grads(lambda a, b: mapped(a, b), tuple(batches))


def test_one_triangle_is_read():
    lower = grad(lambda a: np.sum(sl.cholesky(a, lower=True)))(ARRAYS["spd"])
    upper = grad(lambda a: np.sum(sl.cholesky(a)))(ARRAYS["spd"])
    np.testing.assert_array_equal(lower, np.tril(lower))
    np.testing.assert_allclose(upper, lower.T)


def test_numbers_that_are_not_finite_are_found_as_by_scipy():
    bad = SQUARE * np.nan
    with pytest.raises(ValueError, match="infs or NaNs"):
        jit(lambda a, b: sl.solve(a, b))(bad, ARRAYS["b"])
    found = jit(lambda a, b: sl.solve_triangular(a, b, check_finite=False))(bad, ARRAYS["b"])
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: sl.solve(a, a[0], assume_a="banded"), "solve_banded"),
        (lambda a: sl.cho_solve((np.stack([a, a]), np.array([True, False])), a[None]), "upper and"),
    ],
)
def test_what_is_refused(function, message):
    with pytest.raises(UnsupportedFunctionError, match=message):
        jit(function)(SQUARE)
