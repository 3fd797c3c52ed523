"""SciPy's root finders in traced functions: their values, and the derivatives of the root."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize

import symdiff


def cubic(x, a):
    return x**3 - a


FINDERS = {
    "brentq": lambda a: optimize.brentq(cubic, 0, 10, args=(a,)),
    "brentq of a closure": lambda a: optimize.brentq(lambda x: x**3 - a, 0.0, a + 1, xtol=1e-13),
    "brenth": lambda a: optimize.brenth(cubic, 0, 10, args=(a,)),
    "bisect": lambda a: optimize.bisect(cubic, 0, 10, args=(a,), xtol=1e-13),
    "ridder": lambda a: optimize.ridder(cubic, 0, 10, args=(a,)),
    "toms748": lambda a: optimize.toms748(cubic, 0, 10, args=(a,)),
    "newton": lambda a: optimize.newton(cubic, 2, args=(a,), tol=1e-12),
    "newton with fprime": lambda a: optimize.newton(
        lambda x: x**3 - a, 2.0, fprime=lambda x: 3 * x**2
    ),
    "newton of arrays": lambda a: np.mean(optimize.newton(cubic, np.full(3, 2.0), args=(a,))),
    "fsolve": lambda a: optimize.fsolve(cubic, 2.0, args=(a,))[0],
    "root": lambda a: optimize.root(cubic, 2.0, args=(a,)).x[0],
    "root of a list": lambda a: optimize.root(
        lambda x: [x[0] ** 3 - a, x[1] - x[0]], [2.0, 1.0], method="lm", tol=1e-12
    ).x[1],
    "root_scalar": lambda a: optimize.root_scalar(cubic, args=(a,), bracket=[0, 10]).root,
    "fixed_point": lambda a: optimize.fixed_point(
        lambda x: (2 * x + a / x**2) / 3, 2.0, xtol=1e-12
    )[()],
}


@pytest.mark.parametrize("find", FINDERS.values(), ids=FINDERS)
def test_derivatives_are_those_of_the_root(find):
    assert find(8.0) == pytest.approx(2.0)
    assert symdiff.jit(find)(8.0) == pytest.approx(find(8.0), rel=1e-12)
    gradient = symdiff.grad(find)
    assert gradient(8.0) == pytest.approx(1 / 12, rel=1e-8)
    assert symdiff.grad(gradient)(8.0) == pytest.approx(-1 / 144, rel=1e-6)


def test_checks_of_the_result_are_those_of_scipy():
    def loss(a):
        found = optimize.root(lambda x: x**3 - a, np.array([2.0, 3.0]))
        assert found.success
        return np.sum(found.x)

    assert symdiff.grad(loss)(8.0) == pytest.approx(1 / 6)


def test_where_there_is_no_root():
    with pytest.raises(RuntimeError, match="root: "):
        symdiff.jit(lambda a: optimize.root(lambda x: x * x + a, 1.0).x)(8.0)
    with pytest.raises(ValueError, match="different signs"):
        symdiff.jit(lambda a: optimize.brentq(lambda x: x * x + a, 0, 1))(8.0)


def test_several_arguments():
    def loss(a, b):
        return optimize.brentq(lambda x, b: np.sum(a) * x - b, 0, 10, args=(b,))

    a_bar, b_bar = symdiff.grad(loss, (0, 1))(np.ones(2), 6.0)
    assert_allclose(a_bar, [-1.5, -1.5])
    assert b_bar == pytest.approx(0.5)


@pytest.mark.parametrize(
    "find",
    [
        lambda a: optimize.brentq(lambda x: x - a, 0, 10, full_output=True)[0],
        lambda a: optimize.root_scalar(lambda x: x - a, x0=1.0, x1=2.0).root,
        lambda a: optimize.brentq(lambda x: x - a, 0, 10, xtol=a),
    ],
    ids=["full_output", "no bracket", "traced option"],
)
def test_what_is_not_traced(find):
    with pytest.raises(symdiff.UnsupportedFunctionError, match=r"symdiff\.root"):
        symdiff.grad(find)(1.0)


def test_as_many_equations_as_unknowns():
    with pytest.raises(symdiff.ShapeError, match="one equation for each unknown"):
        symdiff.grad(lambda a: optimize.fsolve(lambda x: [x[0] - a], [1.0, 2.0])[0])(1.0)
