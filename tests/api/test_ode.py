"""Solutions of differential equations: SciPy's values, and the derivatives of the solution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import odeint, solve_ivp

import symdiff

T = np.linspace(0.0, 2.0, 5)
Y0 = np.array([1.0, -0.5])
PRECISE = {"rtol": 1e-10, "atol": 1e-10}


def spring(y0, k, damping=0.1):
    def rate(y, t):
        return [y[1], -k * y[0] - damping * y[1] * t]

    return odeint(rate, y0, T, rtol=1e-10, atol=1e-10)


def decay(y0, k, points):
    return solve_ivp(
        lambda t, y: -k * y * np.cos(t), (0.0, 2.0), y0, method="DOP853", t_eval=points, **PRECISE
    ).y


def test_values_are_scipys():
    assert_allclose(symdiff.jit(spring)(Y0, 2.0), spring(Y0, 2.0), rtol=1e-12)
    assert_allclose(symdiff.jit(decay)(Y0, 2.0, T), decay(Y0, 2.0, T), rtol=1e-12)


def test_derivatives_are_those_of_the_solution():
    """y = y0 exp(-k sin t)."""
    y0_bar, k_bar, t_bar = symdiff.grad(lambda *args: np.sum(decay(*args)), (0, 1, 2))(Y0, 2.0, T)
    factors = np.exp(-2.0 * np.sin(T))
    assert_allclose(y0_bar, np.full(2, np.sum(factors)), rtol=1e-7)
    assert k_bar == pytest.approx(np.sum(Y0) * np.sum(-np.sin(T) * factors), rel=1e-7)
    assert_allclose(t_bar, np.sum(Y0) * -2 * np.cos(T) * factors, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("order", [1, 2])
def test_odeint_in_both_modes(order):
    symdiff.check_grads(
        lambda y0, k: spring(y0, k)[:, 0], (Y0, 2.0), order=order, rtol=1e-4, atol=1e-5
    )


def test_times_of_odeint_begin_with_the_first():
    def solution(t):
        return odeint(lambda y, t, k: -k * y * np.cos(t), 1.0, t, (2.0,), **PRECISE)

    symdiff.check_grads(solution, (T + 0.5,), order=1, rtol=1e-5)


def test_the_start_of_solve_ivp():
    def solution(start):
        return solve_ivp(lambda t, y: -t * y, (start, 2.0), [1.0], t_eval=[2.0], **PRECISE).y[0, 0]

    assert symdiff.grad(solution)(0.5) == pytest.approx(0.5 * np.exp((0.25 - 4) / 2), rel=1e-6)


def test_conventions_of_calls():
    def first(k):
        return odeint(lambda t, y: -k * y, [1], [0, 1], tfirst=True, **PRECISE)[-1, 0]

    def second(k):
        found = solve_ivp(lambda t, y, k: -k * y, [0, 1], [1], t_eval=[1], args=(k,), **PRECISE)
        assert found.success
        return found.y[0, -1] + 0 * found.t[0]

    for solution in (first, second):
        assert solution(2.0) == pytest.approx(np.exp(-2), rel=1e-8)
        assert symdiff.grad(solution)(2.0) == pytest.approx(-np.exp(-2), rel=1e-7)


def test_tolerances_by_component():
    def solution(y0):
        return odeint(lambda y, t: -y, y0, T, rtol=1e-10, atol=[1e-10, 1e-9])

    assert_allclose(symdiff.jacobian(solution)(Y0)[-1], np.eye(2) * np.exp(-2), rtol=1e-7)


def test_only_what_is_differentiated_has_sensitivities():
    forcing = np.linspace(0, 1, 1000)

    def solution(k):
        return np.sum(odeint(lambda y, t: -k * y + forcing[3], 1.0, T))

    gradient = symdiff.grad(solution)
    gradient(2.0)
    assert "np.ones(2)" in gradient.source or "np.array([1.0, 0.0])" in gradient.source


def test_batches():
    made = symdiff.vmap(symdiff.grad(lambda k: spring(Y0, k)[-1, 0]))(np.array([1.0, 2.0]))
    assert_allclose(made, [symdiff.grad(lambda k: spring(Y0, k)[-1, 0])(k) for k in (1.0, 2.0)])
    rows = symdiff.vmap(lambda k: spring(Y0, k)[-1, 0])
    assert_allclose(symdiff.grad(lambda k: np.sum(rows(k)))(np.array([1.0, 2.0])), made)


def test_saved_modules_call_scipy(tmp_path):
    function = symdiff.jit(spring)
    function(Y0, 2.0)
    function.save(tmp_path / "saved.py")
    assert "from scipy.integrate import odeint" in (tmp_path / "saved.py").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "without t_eval.*\n.*\n.*t_eval="),
        ({"t_eval": [1.0], "events": lambda t, y: y[0]}, "events is not traced"),
        ({"t_eval": [1.0], "dense_output": True}, "dense_output=True is not traced"),
    ],
)
def test_refusals_of_solve_ivp(options, message):
    with pytest.raises(symdiff.UnsupportedFunctionError, match=message):
        symdiff.jit(lambda k: solve_ivp(lambda t, y: -k * y, (0, 1), [1.0], **options).y)(1.0)


def test_refusals_of_odeint():
    with pytest.raises(symdiff.UnsupportedFunctionError, match="full_output"):
        symdiff.grad(lambda k: odeint(lambda y, t: -k * y, 1.0, T, full_output=True)[0][-1, 0])(1.0)
    with pytest.raises(symdiff.UnsupportedFunctionError, match="complex"):
        symdiff.jit(lambda k: odeint(lambda y, t: -k * y, 1.0, T))(1.0 + 0j)
    with pytest.raises(symdiff.UnsupportedFunctionError, match="complex"):
        symdiff.jit(lambda y0: odeint(lambda y, t: -y, y0, T))(np.array([1j]))


def test_a_solver_that_fails_says_so():
    def blow_up(k):
        return solve_ivp(lambda t, y: k * y * y, (0, 10.0), [1.0], t_eval=[10.0]).y[0, 0]

    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="Required step size"):
        symdiff.jit(blow_up)(1.0)
