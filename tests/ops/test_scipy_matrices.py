"""scipy.linalg: functions of matrices, matrix equations, structured systems, eigenvalues."""

import numpy as np
import pytest
import scipy.linalg as sl

from symdiff import grad, jit, vmap
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(16)
SQUARE = RNG.normal(size=(4, 4))
ARRAYS = {
    "a": SQUARE,
    "spd": SQUARE @ SQUARE.T + np.eye(4),
    "mass": np.diag([1.0, 2.0, 3.0, 4.0]) + 0.1 * (SQUARE + SQUARE.T),
    "z": SQUARE + 1j * RNG.normal(size=(4, 4)),
    "b": RNG.normal(size=4),
    "sides": RNG.normal(size=(4, 2)),
    "small": RNG.normal(size=(2, 2)),
    "bands": RNG.normal(size=(3, 4)) + np.array([[0.0], [6.0], [0.0]]),
    "half_bands": RNG.normal(size=(2, 4)) + np.array([[0.0], [6.0]]),
    "c": RNG.normal(size=4) + np.array([6.0, 0, 0, 0]),
    "r": RNG.normal(size=4),
    "single": SQUARE.astype(np.float32),
    "stack": RNG.normal(size=(2, 3, 3)),
    "tall": RNG.normal(size=(5, 3)),
}
FUNCTIONS = """
    sl.expm(a)
    sl.expm(z)
    sl.expm(stack)
    sl.expm(single)
    sl.sqrtm(spd)
    sl.logm(spd)
    sl.cosm(a)
    sl.sinhm(a)
    sl.solve_sylvester(spd, small @ small.T, sides)
    sl.solve_continuous_lyapunov(a, spd)
    sl.solve_lyapunov(z, spd)
    sl.solve_discrete_lyapunov(a, spd)
    sl.solve_discrete_lyapunov(z, spd)
    sl.solve_banded((1, 1), bands, b)
    sl.solve_banded((1, 1), bands, sides, check_finite=False)
    sl.solveh_banded(half_bands, b)
    sl.solveh_banded(half_bands[::-1], sides, lower=True)
    sl.toeplitz(c)
    sl.toeplitz(c, r)
    sl.toeplitz(z[0])
    sl.toeplitz(b[:2], r)
    sl.solve_toeplitz(c, b)
    sl.solve_toeplitz((c, r), sides)
    sl.circulant(r)
    sl.hankel(c)
    sl.hankel(b[:2], r)
    sl.hankel(b[:0], r)
    sl.hankel(b, r[:0])
    sl.companion(c)
    sl.block_diag(a, small)
    sl.block_diag(a, b, small)
    sl.eigh(spd)
    sl.eigh(a, lower=False, eigvals_only=True)
    sl.eigh(a, mass)
    sl.eigh(a, mass, eigvals_only=True)
    sl.eigvalsh(a)
    sl.eigvalsh(a, mass, lower=False)
    sl.svd(tall)
    sl.svd(tall, full_matrices=False)
    sl.svd(tall, compute_uv=False)
    sl.svdvals(tall)
    sl.qr(tall)
    sl.qr(tall, mode="economic")
    sl.qr(tall, mode="r")
    sl.pinvh(a)
    sl.pinvh(spd, lower=False)
    sl.lstsq(tall, bands.sum() * np.arange(5.0))[0]
    sl.lstsq(a, sides)[0]
    sl.pinv(tall)
    sl.pinv(tall, rtol=1e-3)
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
    if not isinstance(expected, tuple):
        actual, expected = [actual], [expected]
    for each, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(
            each, other, rtol=1e-5 if "single" in expression else 1e-10, atol=1e-12, strict=True
        )


@pytest.mark.parametrize("expression", [each for each in FUNCTIONS if "single" not in each])
def test_derivatives(expression):
    function, values = function_of(expression)
    check_grads(lambda *args: _free_of_gauge(function(*args)), tuple(values), order=2)


def _free_of_gauge(result):
    """The first of several results, vectors by what does not depend on their signs."""
    return np.real(result[-1] * result[-1] if isinstance(result, tuple) else result)


def test_eigenvalues_are_complex():
    for function in (sl.eigvals, lambda a: sl.eig(a, right=False), lambda a: sl.eig(a)[0]):
        check_grads(lambda a, f=function: np.sum(np.abs(f(a)) ** 3), (SQUARE,))
        np.testing.assert_allclose(jit(lambda a, f=function: f(a))(SQUARE), sl.eigvals(SQUARE))


def test_generalized_eigenvectors_of_complex_matrices():
    def loss(a, b):
        v = sl.eigh(a, b)[1][:, :2]
        return np.sum(np.abs(v @ np.conj(v.T)) ** 2)

    z, mass = ARRAYS["z"], ARRAYS["mass"]
    check_grads(loss, (z, mass + 0j))


def test_the_exponential_uses_scipys_derivative():
    gradient = grad(lambda a: np.sum(sl.expm(a)))
    gradient(SQUARE)
    assert "scipy.linalg.expm_frechet(a.T, np.ones((4, 4)), compute_expm=False)" in gradient.source


def test_the_derivative_of_a_root_solves_an_equation():
    gradient = grad(lambda a: np.sum(sl.sqrtm(a)))
    gradient(ARRAYS["spd"])
    assert "scipy.linalg.solve_sylvester(" in gradient.source


def test_a_root_that_is_not_real_is_an_error():
    rotation = np.array([[-1.0, 0.0], [0.0, -2.0]])
    with pytest.raises(TypeError, match="Cannot cast"):
        jit(lambda a: sl.sqrtm(a))(rotation)
    root = jit(lambda a: sl.sqrtm(a + 0j))(rotation)
    np.testing.assert_allclose(root @ root, rotation, atol=1e-14)


def test_banded_systems_of_a_batch():
    bands, b = ARRAYS["bands"], ARRAYS["b"]
    batch = np.stack([b, 2 * b, b + 1])
    found = vmap(lambda ab, b: sl.solve_banded((1, 1), ab, 1 * b), (None, 0))(bands, batch)
    np.testing.assert_allclose(found, sl.solve_banded((1, 1), bands, batch.T).T)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: sl.eigh(a, subset_by_index=[0, 1])[0], "subset_by_index="),
        (lambda a: sl.qr(a, pivoting=True)[0], "pivoting="),
        (lambda a: sl.eig(a, left=True)[0], "left="),
        (lambda a: sl.toeplitz(a), "one column"),
        (lambda a: sl.matrix_balance(a)[0], "matrix_balance"),
    ],
)
def test_what_is_refused(function, message):
    with pytest.raises(UnsupportedFunctionError, match=message):
        jit(function)(SQUARE)
