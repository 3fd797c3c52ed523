"""Solutions of equations: their derivatives are those of the equation, whoever solves it."""

import importlib.util

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize
from scipy.sparse.linalg import LinearOperator, gmres

import symdiff

A = np.array([[3.0, 1.0, 0.2], [0.1, 2.0, 0.4], [0.3, 0.2, 4.0]])
B = np.array([1.0, 2.0, 3.0])
M = np.linspace(0.1, 2.0, 4)


def kepler(mean, e):
    return symdiff.root(lambda x: x - e * np.sin(x) - mean, mean)


def newton(f, x):
    """A solver of the user's, which uses derivatives itself."""
    slope = symdiff.grad(lambda x: f(x) * 1.0)
    for _ in range(20):
        x = x - f(x) / slope(x)
    return float(x)


def krylov(matvec, b):
    operator = LinearOperator((len(b), len(b)), matvec=matvec, dtype=float)
    return gmres(operator, b, rtol=1e-14)[0]


def test_values_are_those_of_the_solver():
    x = kepler(1.0, 0.3)
    assert type(x) is float
    assert x - 0.3 * np.sin(x) == pytest.approx(1, abs=1e-15)
    assert symdiff.jit(kepler)(1.0, 0.3) == x


@pytest.mark.parametrize("point", [(1.0, 0.3), (M, 0.3), (M, 0.1 * M), (M.reshape(2, 2), 0.2)])
def test_derivatives_of_roots(point):
    symdiff.check_grads(kepler, point)


def test_derivatives_of_roots_are_closed_formulas():
    x = kepler(1.0, 0.3)
    slope = 1 - 0.3 * np.cos(x)
    assert_allclose(symdiff.grad(kepler, (0, 1))(1.0, 0.3), [1 / slope, np.sin(x) / slope])


def test_arguments_and_what_is_reached_are_alike():
    passed = symdiff.grad(lambda a: symdiff.root(lambda x, a: x * x - a, 1.0, (a,)))
    reached = symdiff.grad(lambda a: symdiff.root(lambda x: x * x - a, 1.0))
    assert passed(4.0) == pytest.approx(0.25)
    assert reached(4.0) == pytest.approx(0.25)


def test_equations_that_depend_on_each_other():
    def solution(a, b):
        return symdiff.root(lambda x: a @ x + 0.1 * np.sin(x[::-1]) - b, np.zeros(3))

    symdiff.check_grads(solution, (A, B))


def test_elements_that_are_separate_need_no_matrix():
    gradient = symdiff.grad(lambda m: np.sum(kepler(m, 0.3)))
    gradient(np.linspace(0, 1, 1000))
    assert "solve" not in gradient.source.replace("find_root", "")


def test_another_solver():
    def wave(a):
        return symdiff.root(lambda x: np.exp(x) - a, 0.5, solve=newton)

    assert symdiff.grad(wave)(2.0) == pytest.approx(0.5)
    assert symdiff.grad(symdiff.grad(wave))(2.0) == pytest.approx(-0.25)


def test_fixed_points():
    def solution(a):
        return symdiff.fixed_point(lambda x, a: np.cos(a * x), np.ones(3), (a,))

    symdiff.check_grads(solution, (np.array([0.3, 0.5, 0.8]),))
    symdiff.check_grads(
        lambda a: symdiff.fixed_point(lambda x: 0.2 * np.tanh(a @ x) + B, np.zeros(3)), (A,)
    )


@pytest.mark.parametrize("solve", [None, krylov])
def test_linear_equations(solve):
    def solution(a, b):
        return symdiff.linear_solve(lambda x: a @ x, b, solve)

    assert_allclose(solution(A, B), np.linalg.solve(A, B), atol=1e-14)
    symdiff.check_grads(solution, (A, B))


def test_the_transposed_equation_has_its_own_solver():
    calls = []

    def transposed(matvec, b):
        calls.append(b)
        return krylov(matvec, b)

    def loss(a, b):
        return np.sum(symdiff.linear_solve(lambda x: a @ x, b, krylov, transposed) ** 2)

    a_bar, b_bar = symdiff.grad(loss, (0, 1))(A, B)
    known = symdiff.grad(lambda a, b: np.sum(np.linalg.solve(a, b) ** 2), (0, 1))(A, B)
    assert_allclose(a_bar, known[0], atol=1e-14)
    assert_allclose(b_bar, known[1], atol=1e-14)
    assert len(calls) == 1


def test_batches():
    mapped = symdiff.vmap(kepler, in_axes=(0, None))
    assert_allclose(mapped(M, 0.3), kepler(M, 0.3))
    made = symdiff.grad(lambda m, e: np.sum(mapped(m, e) ** 2), (0, 1))(M, 0.3)
    known = symdiff.grad(lambda m, e: np.sum(kepler(m, e) ** 2), (0, 1))(M, 0.3)
    assert_allclose(made[0], known[0])
    assert made[1] == pytest.approx(known[1])


def test_source_has_the_equation_and_can_be_saved(tmp_path):
    gradient = symdiff.grad(kepler, (0, 1))
    expected = gradient(1.0, 0.3)
    assert "find_root(lambda _x: function(e, mean, _x), mean)" in gradient.source
    gradient.save(tmp_path / "saved.py")
    spec = importlib.util.spec_from_file_location("saved", tmp_path / "saved.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.kepler_grad(1.0, 0.3) == expected


def test_arrays_that_the_equation_reaches_are_read_again():
    scale = np.array([2.0, 3.0])
    gradient = symdiff.grad(lambda a: np.sum(symdiff.root(lambda x: scale * x - a, np.ones(2))))
    assert_allclose(gradient(np.ones(2)), 1 / scale)
    scale *= 2
    assert_allclose(gradient(np.ones(2)), 1 / scale)


def test_equations_without_a_root():
    with pytest.raises(RuntimeError, match="no root was found"):
        symdiff.root(lambda x: x * x + 1, 1.0)
    with pytest.raises(RuntimeError, match="did not reach a fixed point"):
        symdiff.fixed_point(lambda x: -x, 1.0)


def test_as_many_equations_as_unknowns():
    with pytest.raises(symdiff.ShapeError, match="one equation for each unknown"):
        symdiff.grad(lambda a: np.sum(symdiff.root(lambda x: np.sum(x) - a, np.ones(2))))(1.0)


def test_functions_that_are_not_linear():
    with pytest.raises(symdiff.RuleError, match="not linear"):
        symdiff.grad(lambda b: np.sum(symdiff.linear_solve(lambda x: x * x, b)))(B)


def test_solvers_that_hold_traced_values():
    with pytest.raises(symdiff.TraceError, match="the solver holds a traced value"):
        symdiff.grad(lambda a: symdiff.root(lambda x: x - a, 1.0, solve=lambda f, x: a))(1.0)


def test_integers_count_as_floats():
    gradient = symdiff.grad(lambda a: symdiff.root(lambda x: x * x - a, 1))
    assert gradient(4.0) == pytest.approx(0.25)


def test_optimize_is_where_the_default_comes_from():
    found = optimize.root(lambda x: x - 0.3 * np.sin(x) - 1, 1.0)
    assert kepler(1.0, 0.3) == pytest.approx(found.x[0], abs=1e-8)


def test_equations_that_depend_on_a_decision():
    def solution(a):
        def f(x):
            return x * x - a if a > 0 else x * x + a

        return symdiff.root(f, 1.0)

    gradient = symdiff.grad(solution)
    assert [gradient(a) for a in (4.0, -4.0, 16.0)] == pytest.approx([0.25, -0.25, 0.125])
    sides = symdiff.grad(lambda a: symdiff.root(lambda x: x - a if x > 0 else x + a, 1.0))
    assert sides(1.0) == pytest.approx(1.0)
