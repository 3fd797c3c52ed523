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


def test_all_steps_of_solve_ivp_are_refused():
    with pytest.raises(symdiff.UnsupportedFunctionError, match=r"without t_eval.*\n.*\n.*t_eval="):
        symdiff.jit(lambda k: solve_ivp(lambda t, y: -k * y, (0, 1), [1.0]).y)(1.0)


@pytest.mark.parametrize("taken", [
    "y", "np.sum(y)", "y.T", "y[-1]", "y[:, 0]", "y[-1, 0]", "y[0, :]", "y[:, -2:]", "y[:, 0, -1]",
    "y[..., 0]",
])  # fmt: skip
def test_steps_of_the_solvers_own(taken):
    taken = eval(f"lambda y: {taken}")
    with pytest.raises(symdiff.UnsupportedFunctionError, match=r"without t_eval.*\n.*\n.*t_eval="):
        symdiff.jit(lambda k: taken(solve_ivp(lambda t, y: -k * y, (0, 1), [1.0, 2.0]).y))(1.0)


@pytest.mark.parametrize("taken", [
    "y[0, -1]", "y[-1, -1]", "y[:, -1][1]", "y[..., -1][1]", "y[1][-1]", "y[1:][0, -1]",
    "y[1:, -1][0]",
])  # fmt: skip
def test_the_last_step(taken):
    """y1 = exp(-k end) y1(0)."""
    taken = eval(f"lambda y: {taken}")

    def last(k, end):
        found = solve_ivp(lambda t, y: -k * y, (0, end), [3.0, 3.0], **PRECISE)
        return taken(found.y) + 0 * found.t[-1]

    value, (k_bar, end_bar) = symdiff.value_and_grad(last, (0, 1))(2.0, 0.5)
    assert value == pytest.approx(last(2.0, 0.5), rel=1e-14)
    assert k_bar == pytest.approx(-1.5 * np.exp(-1.0))
    assert end_bar == pytest.approx(-6.0 * np.exp(-1.0))


@pytest.mark.parametrize("points", [0.75, [0.75, 0.25, 0.25, 1.5], [0.25]])
@pytest.mark.parametrize("span", [(0.0, 1.5), (1.5, 0.0)])
def test_dense_output(points, span):
    def solution(k, points):
        found = solve_ivp(lambda t, y: -k * y, span, [3.0, 1.0], dense_output=True, **PRECISE)
        return found.sol(points)

    points = np.array(points) if isinstance(points, list) else points
    made = symdiff.jit(solution)(2.0, points)
    assert_allclose(made, solution(2.0, points), rtol=1e-13)
    past = np.array(points) - span[0]
    k_bar, points_bar = symdiff.grad(lambda *args: np.sum(solution(*args)), (0, 1))(2.0, points)
    assert k_bar == pytest.approx(np.sum(-past * 4.0 * np.exp(-2.0 * past)), rel=1e-6)
    assert_allclose(points_bar, -8.0 * np.exp(-2.0 * past), rtol=1e-6)


def test_the_time_of_an_event():
    """How long a ball is in the air that is thrown up at v."""

    def flight(v):
        def height(t):
            return solve_ivp(lambda s, y: [y[1], -9.81], (0, t), [1.0, v], t_eval=[t]).y[0, 0]

        return symdiff.root(height, 1.0)

    assert flight(2.0) == pytest.approx((2 + np.sqrt(4 + 19.62)) / 9.81)
    assert symdiff.grad(flight)(2.0) == pytest.approx((1 + 2 / np.sqrt(4 + 19.62)) / 9.81)
    second = (1 / np.sqrt(23.62) - 4 / 23.62**1.5) / 9.81
    assert symdiff.grad(symdiff.grad(flight))(2.0) == pytest.approx(second)


def test_complex_values():
    hamiltonian = np.array([[1.0, 0.3 - 0.2j], [0.3 + 0.2j, -0.5]])
    start, options = np.array([1.0, 0.2j]), {"rtol": 1e-10, "atol": [1e-10, 1e-11]}

    def occupied(strength, start):
        def rate(t, y):
            return -1j * strength * (hamiltonian @ y)

        found = solve_ivp(rate, (0, 2.0), start, t_eval=T[:3], **options)
        return np.sum(np.abs(found.y[1]) ** 2)

    value = symdiff.jit(occupied)(1.3, start)
    assert value == pytest.approx(occupied(1.3, start), rel=1e-8)
    gradient = symdiff.grad(occupied, (0, 1))
    strength_bar, start_bar = gradient(1.3, start)
    differences = [
        (occupied(1.3, start + step) - occupied(1.3, start - step)) / 2e-4
        for step in 1e-4 * np.array([[1, 0], [1j, 0], [0, 1], [0, 1j]])
    ]
    np.testing.assert_allclose(start_bar.real, differences[::2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(-start_bar.imag, differences[1::2], rtol=1e-5, atol=1e-6)
    step = occupied(1.3 + 1e-4, start) - occupied(1.3 - 1e-4, start)
    assert strength_bar == pytest.approx(step / 2e-4, rel=1e-5)


@pytest.mark.parametrize("method", ["RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_a_complex_solution_between_steps(method):
    def turned(speed):
        def rate(t, y):
            return 1j * speed * y

        found = solve_ivp(
            rate, (0, 1.0), [1 + 0j], method=method, dense_output=True, rtol=1e-9, atol=1e-9
        )
        return np.real(found.sol(0.7)[0])

    assert symdiff.grad(turned)(1.1) == pytest.approx(-0.7 * np.sin(0.77), rel=1e-6)


def test_refusals_of_odeint():
    with pytest.raises(symdiff.UnsupportedFunctionError, match="full_output"):
        symdiff.grad(lambda k: odeint(lambda y, t: -k * y, 1.0, T, full_output=True)[0][-1, 0])(1.0)
    with pytest.raises(symdiff.UnsupportedFunctionError, match="complex"):
        symdiff.jit(lambda k: odeint(lambda y, t: -k * y, 1.0, T))(1.0 + 0j)
    with pytest.raises(symdiff.UnsupportedFunctionError, match="solve_ivp"):
        symdiff.jit(lambda y0: odeint(lambda y, t: -y, y0, T))(np.array([1j]))


def test_a_solver_that_fails_says_so():
    def blow_up(k):
        return solve_ivp(lambda t, y: k * y * y, (0, 10.0), [1.0], t_eval=[10.0]).y[0, 0]

    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="Required step size"):
        symdiff.jit(blow_up)(1.0)
