"""scipy.special: the gamma function, what is made of it, and its incomplete integrals."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from scipy import special

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    Partial,
    Primitive,
    Samples,
    case,
    composite,
    constant,
    register,
)
from symdiff.ops.special import (
    POSITIVE,
    floating,
    in_doubles,
    no_formula,
    one_number,
    scipy_ufunc,
)

REAL = Samples(0.3, 2.5, complex=False)  # SciPy has no complex polygamma

# ---------------------------------------------------------------------------- gamma function

gamma = scipy_ufunc(
    special.gamma,
    python="math.gamma({x})",
    partials={"x": lambda y, x: y * special.digamma(x)},
    c="tgamma({x})",
    sympy="gamma",
    samples=REAL,
)
gammaln = scipy_ufunc(
    special.gammaln,
    python="math.lgamma({x})",
    partials={"x": lambda y, x: special.digamma(x)},
    c="isinf({x}) ? {x} : lgamma({x})",
    sympy="loggamma",
    samples=POSITIVE,
)
digamma = scipy_ufunc(
    special.digamma,
    name="digamma",
    partials={"x": lambda y, x: polygamma(x, n=1)},
    cost="has a derivative that SciPy computes as a zeta function, which takes much longer",
    sympy="digamma",
    samples=REAL,
)


# The derivative of digamma of order n.
polygamma: Primitive = in_doubles(
    "polygamma",
    lambda x, n: special.polygamma(n, x),
    slope=lambda y, x, n: polygamma(x, n=n + 1),
    source="scipy.special.polygamma({n}, {x})",
    samples=Samples(cases=(case("f[3]:positive", n=1), case("f[0]", n=2))),
)


@composite(special.polygamma)
def polygamma_of_order(n: Any, x: Any) -> Any:
    """SciPy's polygamma: the order is a number, the result is of doubles."""
    n = one_number("polygamma", n)
    return polygamma(x.astype(np.float64), n=n) if n else special.digamma(floating(x))


loggamma = scipy_ufunc(
    special.loggamma, partials={"x": lambda y, x: special.digamma(x)}, samples=REAL
)


def _rgamma_slope(y: Any, x: Any) -> Any:
    """-y * digamma(x); at the poles of gamma, where that is 0 times infinity, its limit."""
    pole = (x <= 0) & (x == np.floor(x))
    limit = np.cos(math.pi * x) * special.gamma(1 - np.where(pole, x, 0))
    return np.where(pole, limit, -y * special.digamma(np.where(pole, 1, x)))


rgamma = scipy_ufunc(
    special.rgamma, partials={"x": _rgamma_slope}, samples=REAL
)
gammasgn = constant(
    special.gammasgn, name="gammasgn", numpy="scipy.special.gammasgn({x})", samples=POSITIVE
)


@composite(special.multigammaln)
def multigammaln(a: Any, d: Any) -> Any:
    """The logarithm of the gamma function of d dimensions, d a number."""
    d = operator.index(d)
    terms = np.stack([special.gammaln(a - (j - 1.0) / 2) for j in range(1, d + 1)])
    return np.sum(terms, axis=0) + (d * (d - 1) * 0.25) * math.log(math.pi)


@composite(special.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """gamma(n + 1), and 0 for negative numbers."""
    if exact or extend != "zero":
        raise NotImplementedError(
            "scipy.special.factorial with exact= or extend= is not traced; use special.gamma(n + 1)"
        )
    return np.where(n < 0, 0, special.gamma(floating(n) + 1)).astype(np.float64)


# ---------------------------------------------------------------------------- beta and binomials

beta = scipy_ufunc(
    special.beta,
    partials={
        "a": lambda y, a, b: y * (special.digamma(a) - special.digamma(a + b)),
        "b": lambda y, a, b: y * (special.digamma(b) - special.digamma(a + b)),
    },
    samples=POSITIVE,
)
betaln = scipy_ufunc(
    special.betaln,
    partials={
        "a": lambda y, a, b: special.digamma(a) - special.digamma(a + b),
        "b": lambda y, a, b: special.digamma(b) - special.digamma(a + b),
    },
    samples=POSITIVE,
)
binom = scipy_ufunc(
    special.binom,
    partials={
        "n": lambda y, n, k: y * (special.digamma(n + 1) - special.digamma(n - k + 1)),
        "k": lambda y, n, k: y * (special.digamma(n - k + 1) - special.digamma(k + 1)),
    },
    samples=Samples((3.0, 0.3), (5.0, 2.5)),
)
poch = scipy_ufunc(
    special.poch,
    partials={
        "z": lambda y, z, m: y * (special.digamma(z + m) - special.digamma(z)),
        "m": lambda y, z, m: y * special.digamma(z + m),
    },
    samples=POSITIVE,
)


@composite(special.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """The binomial coefficient, 0 where there is nothing to choose."""
    if exact or repetition:
        raise NotImplementedError(
            "scipy.special.comb with exact= or repetition= is not traced; use special.binom"
        )
    return np.where((k <= N) & (N >= 0) & (k >= 0), special.binom(N, k), 0)


# ---------------------------------------------------------------------------- incomplete gamma


def _gamma_density(a: Any, x: Any) -> Any:
    return np.exp(special.xlogy(a - 1, x) - x - special.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    powers = special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x)
    return np.exp(powers - special.betaln(a, b))


def _incomplete(function: np.ufunc, slope: Any, *shape: str) -> Primitive:
    """A function of shape parameters, in which there is no formula, and of x."""
    name = function.__name__
    low, high = (0.5, 0.5, 0.2)[-len(shape) - 1 :], (2.5, 2.5, 0.8)[-len(shape) - 1 :]
    return scipy_ufunc(
        function,
        partials=no_formula(name, *shape) | {"x": slope},
        samples=Samples(low, high),
    )


gammainc = _incomplete(special.gammainc, lambda y, a, x: _gamma_density(a, x), "a")
gammaincc = _incomplete(special.gammaincc, lambda y, a, x: -_gamma_density(a, x), "a")
gammaincinv = _incomplete(special.gammaincinv, lambda y, a, x: 1 / _gamma_density(a, y), "a")
gammainccinv = _incomplete(special.gammainccinv, lambda y, a, x: -1 / _gamma_density(a, y), "a")
betainc = _incomplete(special.betainc, lambda y, a, b, x: _beta_density(a, b, x), "a", "b")
betaincc = _incomplete(special.betaincc, lambda y, a, b, x: -_beta_density(a, b, x), "a", "b")
betaincinv = _incomplete(
    special.betaincinv, lambda y, a, b, x: 1 / _beta_density(a, b, y), "a", "b"
)
betainccinv = _incomplete(
    special.betainccinv, lambda y, a, b, x: -1 / _beta_density(a, b, y), "a", "b"
)

# ---------------------------------------------------------------------------- distributions


def _chi_density(v: Any, x: Any) -> Any:
    return _gamma_density(0.5 * v, 0.5 * x) / 2


def _t_density(df: Any, t: Any) -> Any:
    powers = 0.5 * (df + 1) * np.log1p(t * t / df) + special.betaln(0.5 * df, 0.5)
    return np.exp(-powers) / np.sqrt(df)


def _poisson_weight(k: Any, m: Any) -> Any:
    return np.exp(special.xlogy(k, m) - m - special.gammaln(k + 1))


chdtr = _incomplete(special.chdtr, lambda y, v, x: _chi_density(v, x), "v")
chdtrc = _incomplete(special.chdtrc, lambda y, v, x: -_chi_density(v, x), "v")
stdtr = _incomplete(special.stdtr, lambda y, df, t: _t_density(df, t), "df")
stdtrit = _incomplete(special.stdtrit, lambda y, df, p: 1 / _t_density(df, y), "df")
pdtr = _incomplete(special.pdtr, lambda y, k, m: -_poisson_weight(np.floor(k), m), "k")
pdtrc = _incomplete(special.pdtrc, lambda y, k, m: _poisson_weight(np.floor(k), m), "k")

# ---------------------------------------------------------------------------- zeta


def _zeta_type(x: ArrayType, q: ArrayType) -> ArrayType:
    return array_type(np.result_type(x.dtype, q.dtype), x.shape)


# Hurwitz' zeta function, of operands of one shape and dtype
hurwitz_zeta: Primitive = register(
    Primitive(
        name="zeta",
        function=special.zeta,
        arguments=("x", "q"),
        elementwise=True,
        result=_zeta_type,
        rules=no_formula("zeta", "x")
        | {"q": Partial(lambda y, x, q: -x * hurwitz_zeta(x + 1, q))},
        numpy="scipy.special.zeta({x}, {q})",
        risky=True,
        samples=Samples(1.5, 3.0),
    )
)


@composite(special.zeta)
def zeta(x: Any, q: Any = None) -> Any:
    """Hurwitz' zeta function of q; Riemann's, without q, is refused."""
    if q is None:
        raise NotImplementedError(
            "the derivative of scipy.special.zeta in `x` has no formula"
        )
    x, q = np.broadcast_arrays(x, q)
    dtype = np.result_type(x, q, np.float32)
    return hurwitz_zeta(x.astype(dtype), q.astype(dtype))
