"""Derivatives of solutions of differential equations by the adjoint equation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import odeint, solve_ivp

import symdiff

T = np.linspace(0.0, 2.0, 5)
Y0 = np.array([1.0, -0.5])
PRECISE = {"rtol": 1e-10, "atol": 1e-10}
TIGHT = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture
def backwards(monkeypatch):
    """Reverse mode solves the adjoint equation, however few numbers are differentiated."""
    monkeypatch.setattr("symdiff.api.ode.NUMBERS", 0)


def pendulum(y0, k, t):
    """Of whole arrays and parts of them, time in the rates, and a parameter computed before."""

    def rate(y, t):
        return [y[1], -k[0] ** 2 * np.sin(y[0]) - k[1] * y[1] * t + k[2]]

    return odeint(rate, y0, t, **TIGHT)


def pendulum_from(y0, k, start, points):
    def rate(t, y, k):
        return np.array([y[1], -k[0] ** 2 * np.sin(y[0]) - k[1] * y[1] * t + k[2]])

    options = {"method": "DOP853", "t_eval": points, "args": (k,), **TIGHT}
    return solve_ivp(rate, (start, points[-1]), y0, **options).y


K = np.array([1.3, 0.2, 0.4])


@pytest.mark.parametrize(
    ("solution", "args"),
    [(pendulum, (Y0, K, T + 0.25)), (pendulum_from, (Y0, K, 0.25, T[1:] + 0.5))],
)
@pytest.mark.parametrize("order", [1, 2])
def test_the_adjoint_equation(backwards, solution, args, order):
    """In all arguments, in both modes and each of them twice."""
    symdiff.check_grads(solution, args, order=order, rtol=1e-5, atol=1e-6)


def test_the_adjoint_equation_is_solved_in_reverse_mode_only(backwards):
    reverse = symdiff.grad(lambda k: np.sum(pendulum(Y0, k, T)))
    forward = symdiff.jit(lambda k: symdiff.jvp(lambda k: pendulum(Y0, k, T), (k,), (k,))[1])
    reverse(K)
    forward(K)
    assert "solve_adjoint" in reverse.source
    assert "sensitivities" not in reverse.source
    assert "solve_adjoint" not in forward.source


def test_many_parameters_are_those_of_the_adjoint_equation():
    weights = np.linspace(-1.0, 1.0, 12 * 12).reshape(12, 12)

    def loss(weights, start):
        return np.sum(odeint(lambda y, t: np.tanh(weights @ y), start, [0.0, 1.0], **PRECISE)[-1])

    gradient = symdiff.grad(loss, (0, 1))
    found = gradient(weights, np.ones(12))
    assert "solve_adjoint" in gradient.source
    direction = np.cos(np.arange(144.0)).reshape(12, 12)
    ends = [loss(weights + step * direction, np.ones(12)) for step in (1e-4, -1e-4)]
    assert np.sum(found[0] * direction) == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-6)
    ends = [loss(weights, np.ones(12) + step * direction[0]) for step in (1e-4, -1e-4)]
    assert np.sum(found[1] * direction[0]) == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-6)


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_the_adjoint_equation_by_each_method(backwards, method):
    """Of a stiff equation, whose solution cannot be followed backwards: y = exp(-k sin t)."""

    def solution(y0, k):
        options = {"method": method, "t_eval": T, "rtol": 1e-7, "atol": 1e-9}
        return np.sum(solve_ivp(lambda t, y: [-k * y[0] * np.cos(t), -200.0 * (y[1] - y[0])],
                                (0.0, 2.0), y0, **options).y[0])  # fmt: skip

    y0_bar, k_bar = symdiff.grad(solution, (0, 1))(np.array([1.0, 1.0]), 2.0)
    factors = np.exp(-2.0 * np.sin(T))
    assert_allclose(y0_bar, [np.sum(factors), 0.0], rtol=1e-4, atol=1e-5)
    assert k_bar == pytest.approx(np.sum(-np.sin(T) * factors), rel=1e-4)


def test_scales_do_not_matter_to_the_adjoint_equation(backwards):
    """A loss in other units has the same digits."""

    def loss(y0, scale):
        return scale * solve_ivp(lambda t, y: -y * t, (0, 1), y0, t_eval=[1.0]).y[0, 0]

    gradient = symdiff.grad(loss)
    for scale in (1e-12, 1.0, 1e12):
        assert_allclose(gradient(np.array([1.0]), scale), [scale * np.exp(-0.5)], rtol=1e-3)
    assert_allclose(gradient(np.array([1.0]), 0.0), [0.0])
    assert np.isnan(gradient(np.array([1.0]), np.nan)).all()


def test_backwards_in_time_and_at_equal_times(backwards):
    times = np.array([1.0, 0.5, 0.5, 0.0])

    def loss(k, t):
        return np.sum(odeint(lambda y, t: -k * y, [1.0], t, **PRECISE))

    k_bar, _ = symdiff.grad(loss, (0, 1))(2.0, times)
    assert k_bar == pytest.approx(np.sum((1.0 - times) * np.exp(2.0 * (1.0 - times))), rel=1e-7)


def test_third_derivatives_by_the_adjoint_equation(backwards):
    """y(1) = exp(-k**2)."""

    def end(k):
        return odeint(lambda y, t: -k * k * y, [1.0], [0.0, 1.0], **TIGHT)[-1, 0]

    def third(k):
        return (12 * k - 8 * k**3) * np.exp(-k * k)

    grad, derivative = symdiff.grad, lambda f: lambda k: symdiff.jvp(f, (k,), (1.0,))[1]
    for made in (
        grad(grad(grad(end))), derivative(grad(grad(end))), grad(derivative(grad(end))),
    ):  # fmt: skip
        assert made(0.7) == pytest.approx(third(0.7), rel=1e-6)


def test_batches_of_the_adjoint_equation(backwards):
    def loss(k):
        return np.sum(pendulum(Y0, k, T) ** 2)

    ks = np.stack([K, 2 * K])
    rows = [symdiff.grad(loss)(k) for k in ks]
    assert_allclose(symdiff.vmap(symdiff.grad(loss))(ks), rows, rtol=1e-8)
    assert_allclose(symdiff.grad(lambda ks: np.sum(symdiff.vmap(loss)(ks)))(ks), rows, rtol=1e-8)
    matrix = symdiff.hessian(loss)(K)
    assert_allclose(matrix, matrix.T, rtol=1e-7)
    rows = symdiff.jacobian(lambda k: pendulum(Y0, k, T)[-1])
    assert_allclose(rows(K), symdiff.jacfwd(lambda k: pendulum(Y0, k, T)[-1])(K), rtol=1e-7)


def test_tolerances_of_components_in_the_adjoint_equation(backwards):
    options = {"t_eval": [1.0], "rtol": 1e-10, "atol": [1e-10, 1e-3]}

    def end(y0, k):
        return solve_ivp(lambda t, y: -k * y, (0, 1), y0, **options).y[0, 0]

    gradient = symdiff.grad(end, (0, 1))
    assert_allclose(gradient(Y0, 2.0)[0], [np.exp(-2), 0], rtol=1e-7)
    assert symdiff.grad(lambda k: gradient(Y0, k)[1])(2.0) == pytest.approx(np.exp(-2), rel=1e-6)


def test_saved_modules_solve_the_adjoint_equation_by_themselves(backwards, tmp_path):
    gradient = symdiff.grad(lambda k: np.sum(pendulum(Y0, k, T)))
    found = gradient(K)
    gradient.save(tmp_path / "saved.py")
    text = (tmp_path / "saved.py").read_text()
    assert "symdiff" not in text
    space = {"__file__": str(tmp_path / "saved.py")}
    exec(compile(text, "saved.py", "exec"), space)
    assert_allclose(space["function_grad"](K), found)


def test_an_adjoint_equation_that_fails_says_so(backwards):
    def blow_up(k):
        return solve_ivp(lambda t, y: k * y * y, (0, 0.5), [1.0], t_eval=[0.5]).y[0, 0]

    gradient = symdiff.grad(blow_up)
    gradient(1.0)
    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="Required step size"):
        gradient(4.0)
