"""scipy.special: Bessel functions. In the order there is no formula, in the argument there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from symdiff.ops.primitive import Primitive, Samples, case, composite
from symdiff.ops.special import (
    ORDERED,
    POSITIVE,
    WHOLE,
    floating,
    in_doubles,
    no_formula,
    one_number,
    scipy_ufunc,
)

RIGHT = Samples((0.3, 0.3), (2.5, 2.5), complex=False)  # of orders and arguments above 0


def _over(y: Any, x: Any, at_0: float) -> Any:
    """y / x, and its limit at 0."""
    return np.where(x == 0, at_0, y / np.where(x == 0, 1, x))


NEIGHBOURS = "takes the functions of the orders beside its own"

# ---------------------------------------------------------------------------- order 0 and 1


def _growing_gap(x: Any) -> Any:
    """i0e(x) - i1e(x) for x >= 0, of which little is left where x is large."""
    return special.hyp1f1(1.5, 2, -2 * x)


def _decaying_gap(y: Any, other: Any, x: Any) -> Any:
    """k0e(x) - k1e(x), of which little is left where x is large."""
    far = -np.sqrt(np.pi) * special.hyperu(1.5, 2, 2 * np.where(x < 20, 20, x))
    return np.where(x < 20, y - other, far)


i0 = scipy_ufunc(special.i0, partials={"x": lambda y, x: special.i1(x)})
i1 = scipy_ufunc(special.i1, partials={"x": lambda y, x: special.i0(x) - _over(y, x, at_0=0.5)})
i0e = scipy_ufunc(
    special.i0e,
    partials={"x": lambda y, x: -np.sign(x) * _growing_gap(np.abs(x))},
    cost="takes a hypergeometric function, which does not cancel",
)
i1e = scipy_ufunc(
    special.i1e, partials={"x": lambda y, x: _growing_gap(np.abs(x)) - _over(y, x, at_0=0.5)}
)
j0 = scipy_ufunc(special.j0, partials={"x": lambda y, x: -special.j1(x)})
j1 = scipy_ufunc(
    special.j1,
    partials={"x": lambda y, x: special.j0(x) - _over(y, x, at_0=0.5)},
    cost=NEIGHBOURS,
)
y0 = scipy_ufunc(special.y0, partials={"x": lambda y, x: -special.y1(x)}, samples=POSITIVE)
y1 = scipy_ufunc(special.y1, partials={"x": lambda y, x: special.y0(x) - y / x}, samples=POSITIVE)
k0 = scipy_ufunc(special.k0, partials={"x": lambda y, x: -special.k1(x)}, samples=POSITIVE)
k1 = scipy_ufunc(special.k1, partials={"x": lambda y, x: -special.k0(x) - y / x}, samples=POSITIVE)
k0e = scipy_ufunc(
    special.k0e,
    partials={"x": lambda y, x: _decaying_gap(y, special.k1e(x), x)},
    samples=POSITIVE,
)
k1e = scipy_ufunc(
    special.k1e,
    partials={"x": lambda y, x: -_decaying_gap(special.k0e(x), y, x) - y / x},
    samples=POSITIVE,
)


# ---------------------------------------------------------------------------- any order


def _of_order(function: np.ufunc, slope: Any, samples: Samples = RIGHT) -> Primitive:
    """A function of an order v, in which there is no formula, and of z."""
    rules = no_formula(function.__name__, "v") | {"z": slope}
    return scipy_ufunc(function, partials=rules, samples=samples, cost=NEIGHBOURS)


def _half_difference(function: np.ufunc) -> Any:
    return lambda y, v, z: (function(v - 1, z) - function(v + 1, z)) / 2


def _half_sum(function: np.ufunc) -> Any:
    return lambda y, v, z: (function(v - 1, z) + function(v + 1, z)) / 2


def _scaled(slope: Any, name: str) -> Any:
    """The rule of what is scaled by its real or imaginary part, which only real numbers allow."""

    def of_real(y: Any, v: Any, z: Any) -> Any:
        if np.iscomplexobj(z):
            raise NotImplementedError(f"scipy.special.{name} of a complex z is not differentiable")
        return slope(y, v, z)

    return of_real


jv = _of_order(special.jv, _half_difference(special.jv))
yv = _of_order(special.yv, _half_difference(special.yv))
iv = _of_order(special.iv, _half_sum(special.iv))
kv = _of_order(special.kv, lambda y, v, z: -_half_sum(special.kv)(y, v, z))
kve = _of_order(special.kve, lambda y, v, z: y - _half_sum(special.kve)(y, v, z))
jve = _of_order(special.jve, _scaled(_half_difference(special.jve), "jve"))
yve = _of_order(special.yve, _scaled(_half_difference(special.yve), "yve"))
ive = _of_order(
    special.ive,
    _scaled(lambda y, v, z: _half_sum(special.ive)(y, v, z) - np.sign(z) * y, "ive"),
)
WHOLE_ORDER = Samples((0.3, 0.3), (2.5, 2.5), cases=ORDERED)
yn = scipy_ufunc(
    special.yn,
    partials={"n": WHOLE, "x": lambda y, n, x: (special.yn(n - 1, x) - special.yn(n + 1, x)) / 2},
    samples=WHOLE_ORDER,
    cost=NEIGHBOURS,
)
kn = scipy_ufunc(
    special.kn,
    partials={
        "n": WHOLE,
        "x": lambda y, n, x: -(special.kn(np.abs(n - 1), x) + special.kn(n + 1, x)) / 2,
    },
    samples=WHOLE_ORDER,
    cost=NEIGHBOURS,
)

# ---------------------------------------------------------------------------- spherical functions


def _spherical(name: str, second: Callable[..., Any]) -> None:
    """A spherical Bessel function of order n and its derivative, whose own is `second`."""
    function = getattr(special, name)

    def record(derivative: bool, slope: Callable[..., Any]) -> Primitive:
        return in_doubles(
            f"{name}_slope" if derivative else name,
            lambda x, n: function(n, x, derivative),
            slope,
            f"scipy.special.{name}({{n}}, {{x}}{derivative * ', derivative=True'})",
            Samples(0.5, 2.5, cases=(case("f[3]:positive", n=2), case("f[0]", n=1))),
        )

    slope = record(True, lambda y, x, n: second(y, plain(x, n=n), x, n))
    plain = record(False, lambda y, x, n: slope(x, n=n))

    @composite(function)
    def spherical(n: Any, z: Any, derivative: bool = False) -> Any:
        """SciPy's own function; the order is a number."""
        return (slope if derivative else plain)(_as_wide_as(function, z), n=one_number(name, n))


def _as_wide_as(function: Any, z: Any) -> Any:
    """z in the dtype of the result."""
    return z.astype(function(0, np.zeros(0, floating(z).dtype)).dtype)


def _oscillating(slope: Any, y: Any, z: Any, n: int) -> Any:
    return (n * (n + 1) / (z * z) - 1) * y - 2 / z * slope


def _growing(slope: Any, y: Any, z: Any, n: int) -> Any:
    return (n * (n + 1) / (z * z) + 1) * y - 2 / z * slope


_spherical("spherical_jn", _oscillating)
_spherical("spherical_yn", _oscillating)
_spherical("spherical_in", _growing)
_spherical("spherical_kn", _growing)
