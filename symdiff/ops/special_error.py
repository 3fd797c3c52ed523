"""scipy.special: the error function and its kin, the normal distribution, exponential integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from symdiff.ops.primitive import Samples, case
from symdiff.ops.special import ORDERED, POSITIVE, SERIES, UNIT, WHOLE, scipy_ufunc

# ---------------------------------------------------------------------------- error function

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
ONE_OVER_SQRT_2PI = 1 / math.sqrt(2 * math.pi)

erf = scipy_ufunc(
    special.erf,
    python="math.erf({x})",
    partials={"x": lambda y, x: TWO_OVER_SQRT_PI * np.exp(-x * x)},
    c="erf({x})",
    sympy="erf",
)
erfc = scipy_ufunc(
    special.erfc,
    python="math.erfc({x})",
    partials={"x": lambda y, x: -TWO_OVER_SQRT_PI * np.exp(-x * x)},
    c="erfc({x})",
    sympy="erfc",
)
erfinv = scipy_ufunc(
    special.erfinv,
    partials={"x": lambda y, x: np.exp(y * y) / TWO_OVER_SQRT_PI},
    sympy="erfinv",
    samples=Samples(-0.9, 0.9),
)
ndtr = scipy_ufunc(
    special.ndtr,
    c="0.5 * erfc({x} * -0.7071067811865476)",
    partials={"x": lambda y, x: ONE_OVER_SQRT_2PI * np.exp(-0.5 * x * x)},
)
log_ndtr = scipy_ufunc(
    special.log_ndtr,
    # one exponential of the difference: both factors of exp(-x²/2) / ndtr(x) underflow
    partials={"x": lambda y, x: ONE_OVER_SQRT_2PI * np.exp(-0.5 * x * x - y)},
)
ndtri = scipy_ufunc(
    special.ndtri,
    partials={"x": lambda y, x: np.exp(0.5 * y * y) / ONE_OVER_SQRT_2PI},
    samples=UNIT,
)
ndtri_exp = scipy_ufunc(
    special.ndtri_exp,
    # one exponential of the sum: exp(x) underflows where exp(y²/2) overflows
    partials={"x": lambda y, x: np.exp(0.5 * y * y + x) / ONE_OVER_SQRT_2PI},
    samples=Samples(-2.0, -0.2),
)
erfcinv = scipy_ufunc(
    special.erfcinv,
    partials={"x": lambda y, x: -np.exp(y * y) / TWO_OVER_SQRT_PI},
    sympy="erfcinv",
    samples=UNIT,
)
erfi = scipy_ufunc(
    special.erfi, partials={"x": lambda y, x: TWO_OVER_SQRT_PI * np.exp(x * x)}, sympy="erfi"
)


def _tail(t: Any) -> Any:
    """The sum of 1·3·…·(2n - 1) t**n over n = 1, 2, …, asymptotically."""
    total = 0.0
    for n in range(7, 0, -1):
        total = (2 * n - 1) * t * (1 + total)
    return total


def _unless_far(x: Any, near: Any, sign: float) -> Any:
    """`near`, which cancels where x is large; there its asymptotic series."""
    if np.iscomplexobj(x):
        return near
    far = np.abs(x) >= 20 if sign > 0 else x >= 20  # erfcx grows on the left
    return np.where(far, _tail(sign * 0.5 / np.where(far, x * x, 400)), near)


dawsn = scipy_ufunc(
    special.dawsn, partials={"x": lambda y, x: -_unless_far(x, 2 * x * y - 1, 1)}, cost=SERIES
)
erfcx = scipy_ufunc(
    special.erfcx,
    cost=SERIES,
    partials={
        "x": lambda y, x: TWO_OVER_SQRT_PI * _unless_far(x, x * y / (TWO_OVER_SQRT_PI / 2) - 1, -1)
    },
)
wofz = scipy_ufunc(
    special.wofz,
    partials={"x": lambda y, x: TWO_OVER_SQRT_PI * 1j - 2 * x * y},
    samples=Samples(cases=(case("c[3]"), case("c[]"), case("c[0]"))),
)
owens_t = scipy_ufunc(
    special.owens_t,
    partials={
        "h": lambda y, h, a: (
            -ONE_OVER_SQRT_2PI / 2 * np.exp(-0.5 * h * h) * special.erf(a * h / math.sqrt(2))
        ),
        "a": lambda y, h, a: np.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
    },
)

# ---------------------------------------------------------------------------- exponential integrals


def _expn_slope(n: Any, x: Any) -> Any:
    """-expn(n - 1, x), and what that would be for n = 0."""
    below = special.expn(np.maximum(n, 1) - 1, x)
    return np.where(n == 0, -np.exp(-x) * (1 + 1 / x) / x, -below)


exp1 = scipy_ufunc(
    special.exp1, partials={"x": lambda y, x: -np.exp(-x) / x}, samples=POSITIVE
)
expi = scipy_ufunc(special.expi, partials={"x": lambda y, x: np.exp(x) / x}, samples=POSITIVE)
expn = scipy_ufunc(
    special.expn,
    partials={"n": WHOLE, "x": lambda y, n, x: _expn_slope(n, x)},
    samples=Samples((0.0, 0.3), (3.0, 2.5), cases=ORDERED),
)
spence = scipy_ufunc(
    special.spence,
    # 1 - x is exact where the logarithm is small
    partials={
        "x": lambda y, x: np.where(x == 1, -1, np.log(x) / np.where(x == 1, 1, 1 - x))
    },
    samples=Samples(1.2, 2.5),
)
