"""np.polynomial runs as the user's own code does; what NumPy decides on zeros is decided."""

import numpy as np
import pytest
from numpy.polynomial import Chebyshev, Hermite, HermiteE, Laguerre, Legendre, Polynomial
from numpy.polynomial import chebyshev as cheb
from numpy.polynomial import legendre as leg
from numpy.polynomial import polynomial as poly

import symdiff as sd
from symdiff.testing import check_grads

C = np.array([1.0, 2.0, 3.0])
WEIGHTS = np.array([1.0, -2.0, 0.5])
OUTSIDE = Polynomial([1.0, 2.0, 0.5], domain=[0, 2])

FUNCTIONS = {
    "call": lambda c: Polynomial(c)(0.5),
    "call an array": lambda c: np.sum(Polynomial(c)(c) * WEIGHTS),
    "domain": lambda c: Polynomial(c, domain=[0, 2], window=[-1, 1])(1.5),
    "outside": lambda c: np.sum(OUTSIDE(c)) + OUTSIDE.deriv()(c[0]),
    "arithmetic": lambda c: ((Polynomial(c) + 2.5 - Polynomial([0, 1])) ** 2 / 3)(0.5),
    "product": lambda c: np.sum((Polynomial(c) * Polynomial([1, 2])).coef * np.arange(4)),
    "divmod": lambda c: divmod(Polynomial(c), Polynomial([1, 2]))[1].coef[0],
    "deriv, integ": lambda c: Polynomial(c).deriv()(0.3) + Polynomial(c).integ(1, lbnd=0.2)(1.5),
    "composition": lambda c: Polynomial(c)(Polynomial(c[:2])).coef[1],
    "convert": lambda c: Polynomial(c).convert(kind=Chebyshev).coef[0],
    "convert back": lambda c: Chebyshev(c).convert(kind=Polynomial).coef[0],
    "fit": lambda c: Polynomial.fit([0.0, 1, 2, 4], np.append(c, 1.0), 2, w=[1, 2, 1, 1])(0.3),
    "fromroots": lambda c: Polynomial.fromroots(c).coef[1],
    "roots": lambda c: np.sum(np.abs(Polynomial(c).roots())),
    "siblings": lambda c: Chebyshev(c)(0.3) + Legendre(c)(0.2) + Hermite(c)(0.1),
    "siblings' slopes": lambda c: Laguerre(c).deriv()(0.3) + HermiteE(c).integ()(0.2),
    "polymul": lambda c: np.sum(poly.polymul(c, c[:2]) * np.arange(4)),
    "polyint": lambda c: poly.polyint(c, 2, k=[1, 2], lbnd=0.1)[1],
    "polyfit": lambda c: poly.polyfit(np.array([0.0, 1, 2]), c, 1)[1],
    "polyval2d": lambda c: poly.polyval2d(0.5, c[0], np.outer(c, c)),
    "polygrid2d": lambda c: np.sum(poly.polygrid2d(c, WEIGHTS, np.outer(c, c))),
    "columns": lambda c: np.sum(poly.polyval(WEIGHTS, np.outer(c, c)) * WEIGHTS),
    "no tensor": lambda c: np.sum(cheb.chebval(WEIGHTS, np.outer(c, c), tensor=False) * WEIGHTS),
    "slopes of rows": lambda c: np.sum(leg.legder(np.outer(c, c), axis=1) * WEIGHTS[:, None]),
    "chebmul": lambda c: cheb.chebmul(c, c)[1],
    "cheb2poly": lambda c: cheb.cheb2poly(c)[0],
    "chebroots": lambda c: np.sum(np.abs(cheb.chebroots(c))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_series(name: str) -> None:
    function = FUNCTIONS[name]
    expected = function(C)
    value = sd.jit(function)(C)
    assert type(value) is type(expected)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    check_grads(function, (C,))


def test_coefficients_in_a_loop() -> None:
    def newton(c):
        p = Polynomial(c)
        slope, t = p.deriv(), 0.5
        for _ in range(6):
            t = t - p(t) / slope(t)
        return t

    c = np.array([-1.0, 2.0, 3.0])
    root = newton(c)
    np.testing.assert_allclose(
        sd.grad(newton)(c), -(root ** np.arange(3)) / (c[1] + 2 * c[2] * root), rtol=1e-10
    )


def test_coefficients_that_are_zero_have_derivatives() -> None:
    def total(c):
        return np.sum((Polynomial(c) * Polynomial(c)).coef)

    np.testing.assert_allclose(sd.grad(total)(np.array([1.0, 2.0, 0.0])), [6.0, 6.0, 6.0])


def test_coefficients_from_outside_are_read_at_each_call() -> None:
    p = Polynomial([1.0, 2.0])
    found = sd.jit(lambda x: x * p.coef[1] + p(x))
    assert found(2.0) == 9.0
    p.coef[1] = 5.0
    assert found(2.0) == 21.0
    assert found.cache_info().misses == 1


def test_maps_of_series() -> None:
    slopes = sd.vmap(sd.grad(lambda c: Polynomial(c)(0.5)))(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(slopes, [[1.0, 0.5], [1.0, 0.5]])


# ---------------------------------------------------------------------------- np.roots


def spread(p):
    return np.sum(np.abs(np.roots(p)))


def test_roots_without_leading_zeros() -> None:
    p = np.array([2.0, 3.0, 1.0, 0.5])
    slope = sd.grad(spread)
    np.testing.assert_allclose(slope(np.append(0.0, p))[1:], slope(p), rtol=1e-12)
    np.testing.assert_allclose(slope(p[1:]), sd.grad(spread)(p[1:]), rtol=1e-12)  # a program each
    assert sd.jit(np.roots)(np.zeros(3)).shape == (0,)


@pytest.mark.parametrize(
    "p", [[1.0, 2.0, -3.0, 0.0], [2.0, 5.0, 1.0, 0.2], np.array([1.0, 2 + 1j, -3.0, 0.5])]
)
def test_roots_in_the_order_of_numpy(p) -> None:
    p = np.array(p)

    def weighted(p):
        return np.sum(np.abs(np.roots(p) - 0.3) * np.array([1.0, 2.0, 3.0]))

    np.testing.assert_array_equal(sd.jit(np.roots)(p), np.roots(p))
    check_grads(weighted, (p,))


def test_roots_of_rows() -> None:
    rows = np.array([[1.0, 2.0, 3.0], [2.0, 5.0, 1.0]])
    np.testing.assert_allclose(
        sd.vmap(sd.grad(spread))(rows), [sd.grad(spread)(row) for row in rows], atol=1e-12
    )


def test_roots_keep_single_precision() -> None:
    p = np.array([1.0, 2.0, -3.0], np.float32)
    assert sd.jit(np.roots)(p).dtype == np.complex64
    assert sd.grad(spread)(p).dtype == np.float32
