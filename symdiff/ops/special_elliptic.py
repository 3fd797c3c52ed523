"""scipy.special: elliptic integrals, hypergeometric functions, and Lambert's W."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from symdiff.ir.types import array_type
from symdiff.ops.primitive import Partial, Primitive, Samples, case, composite, register
from symdiff.ops.special import UNIT, floating, in_doubles, no_formula, scipy_ufunc

# ---------------------------------------------------------------------------- elliptic integrals


def _slope(name: str, function: Any, source: str, second: Any) -> Primitive:
    """The derivative of a complete integral as one by Carlson, which cancels nowhere.

    It is one of p = 1 - m; its own derivative follows from the differential equation.
    """
    return register(
        Primitive(
            name=name,
            function=function,
            arguments=("p",),
            elementwise=True,
            result=lambda p: array_type(p.dtype, p.shape),
            rules={"p": Partial(second)},
            numpy=source,
            risky=True,
            samples=UNIT,
        )
    )


def _second(of_both: Any, at_1: float) -> Any:
    """What the differential equation says, and its limit at p = 1."""

    def second(slope: Any, p: Any) -> Any:
        inside = np.where(p == 1, 0.5, p)
        return np.where(p == 1, at_1, of_both(slope, inside) / (inside * (1 - inside)))

    return second


CARLSON = "takes Carlson's integral, without cancelling: it takes much longer"
_slope_of_k = _slope(
    "ellipk_slope",
    lambda p: special.elliprd(0, 1, p) / 6,
    "(scipy.special.elliprd(0, 1, {p}) / 6)",
    _second(lambda slope, p: (2 * p - 1) * slope - special.ellipkm1(p) / 4, -9 * math.pi / 64),
)
_slope_of_e = _slope(
    "ellipe_slope",
    lambda p: special.elliprd(0, p, 1) / -6,
    "(scipy.special.elliprd(0, {p}, 1) / -6)",
    _second(lambda slope, p: special.ellipe(1 - p) / 4 + p * slope, 3 * math.pi / 64),
)
ellipk = scipy_ufunc(
    special.ellipk,
    name="ellipk",
    cost=CARLSON,
    partials={"m": lambda y, m: _slope_of_k(1 - m)}, samples=UNIT
)
ellipkm1 = scipy_ufunc(
    special.ellipkm1, partials={"p": lambda y, p: -_slope_of_k(p)}, samples=UNIT
)
ellipe = scipy_ufunc(
    special.ellipe,
    name="ellipe",
    cost=CARLSON,
    partials={"m": lambda y, m: _slope_of_e(1 - m)}, samples=UNIT
)


def _delta(phi: Any, m: Any) -> Any:
    return np.sqrt(1 - m * np.sin(phi) ** 2)


def _first_in_m(y: Any, phi: Any, m: Any) -> Any:
    inside = np.where(m == 0, 0.5, m)
    other = special.ellipeinc(phi, inside) / (1 - inside)
    angle = np.sin(phi) * np.cos(phi) / ((1 - inside) * _delta(phi, inside))
    at_0 = (phi - np.sin(phi) * np.cos(phi)) / 4
    return np.where(m == 0, at_0, (other - y) / (2 * inside) - angle / 2)


def _second_in_m(y: Any, phi: Any, m: Any) -> Any:
    inside = np.where(m == 0, 0.5, m)
    at_0 = (np.sin(phi) * np.cos(phi) - phi) / 4
    return np.where(m == 0, at_0, (y - special.ellipkinc(phi, inside)) / (2 * inside))


ellipkinc = scipy_ufunc(
    special.ellipkinc,
    partials={
        "phi": lambda y, phi, m: 1 / _delta(phi, m),
        "m": _first_in_m,
    },
    samples=Samples(0.2, 0.8),
)
ellipeinc = scipy_ufunc(
    special.ellipeinc,
    partials={
        "phi": lambda y, phi, m: _delta(phi, m),
        "m": _second_in_m,
    },
    samples=Samples(0.2, 0.8),
)

# ---------------------------------------------------------------------------- hypergeometric

hyp0f1 = scipy_ufunc(
    special.hyp0f1,
    partials=no_formula("hyp0f1", "v") | {"z": lambda y, v, z: special.hyp0f1(v + 1, z) / v},
    samples=Samples(0.3, 2.5, complex=False),
)
hyp1f1 = scipy_ufunc(
    special.hyp1f1,
    partials=no_formula("hyp1f1", "a", "b")
    | {"z": lambda y, a, b, z: a / b * special.hyp1f1(a + 1, b + 1, z)},
    samples=Samples(0.3, 2.5, complex=False),
)
hyperu = scipy_ufunc(
    special.hyperu,
    partials=no_formula("hyperu", "a", "b")
    | {"x": lambda y, a, b, x: -a * special.hyperu(a + 1, b + 1, x)},
    samples=Samples(0.3, 2.5),
)
hyp2f1 = scipy_ufunc(
    special.hyp2f1,
    partials=no_formula("hyp2f1", "a", "b", "c")
    | {"z": lambda y, a, b, c, z: a * b / c * special.hyp2f1(a + 1, b + 1, c + 1, z)},
    samples=Samples(0.2, 0.8, complex=False),
)

# ---------------------------------------------------------------------------- Lambert's W

lambert = in_doubles(
    "lambertw",
    special.lambertw,
    slope=lambda y, x, k: np.exp(-y) / (1 + y),
    source="scipy.special.lambertw({x}, {k})",
    samples=Samples(cases=(case("c[3]", k=0), case("c[3]", k=1), case("c[0]", k=0))),
)


@composite(special.lambertw)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """The branch k, a number, of the inverse of w * exp(w); complex, as SciPy's."""
    if tol != 1e-8:
        raise NotImplementedError("scipy.special.lambertw with tol= is not traced")
    return lambert(floating(z).astype(np.complex128), k=int(k))
