"""scipy.special: elementwise functions that return several arrays, each of them a primitive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import Partial, Primitive, Samples, composite, resolve
from symdiff.ops.several import one_of, several
from symdiff.ops.special import POSITIVE

REAL = Samples(POSITIVE.low, POSITIVE.high, complex=False)


def _same(x: ArrayType) -> ArrayType:
    return array_type(x.dtype, x.shape)


def _floating(function: np.ufunc, x: Any) -> Any:
    """x itself, or in the dtype that SciPy takes it in where it is of integers."""
    return x if x.dtype.kind in "fc" else x.astype(resolve(function, (x.dtype,))[0])


def _parts(function: np.ufunc, slopes: dict[str, Callable[..., Any]]) -> list[Primitive]:
    """A record for each result of SciPy's function, in its order, by its name and derivative."""
    whole = several(function, numpy=f"scipy.special.{function.__name__}", arguments=("x",))
    return [
        one_of(
            whole,
            index,
            name,
            result=_same,
            samples=REAL,
            rules={"x": Partial(slope)},
            elementwise=True,
            risky=True,
        )
        for index, (name, slope) in enumerate(slopes.items())
    ]


QUARTER_TURN = math.pi / 2
fresnel_s, fresnel_c = _parts(
    special.fresnel,
    {
        "fresnel_s": lambda y, x: np.sin(QUARTER_TURN * x * x),
        "fresnel_c": lambda y, x: np.cos(QUARTER_TURN * x * x),
    },
)
sine_integral, cosine_integral = _parts(
    special.sici,
    {
        "sine_integral": lambda y, x: np.sinc(x / math.pi),
        "cosine_integral": lambda y, x: np.cos(x) / x,
    },
)
shi, chi = _parts(
    special.shichi,
    {
        "hyperbolic_sine_integral": lambda y, x: (
            np.where(x == 0, 1, np.sinh(x) / np.where(x == 0, 1, x))
        ),
        "hyperbolic_cosine_integral": lambda y, x: np.cosh(x) / x,
    },
)
airy_a: Primitive
airy_a_slope: Primitive
airy_b: Primitive
airy_b_slope: Primitive
airy_a, airy_a_slope, airy_b, airy_b_slope = _parts(
    special.airy,
    {
        "airy_a": lambda y, x: airy_a_slope(x),
        "airy_a_slope": lambda y, x: x * airy_a(x),
        "airy_b": lambda y, x: airy_b_slope(x),
        "airy_b_slope": lambda y, x: x * airy_b(x),
    },
)


@composite(special.fresnel)
def fresnel(z: Any) -> Any:
    """The integrals S and C of Fresnel."""
    z = _floating(special.fresnel, z)
    return fresnel_s(z), fresnel_c(z)


@composite(special.sici)
def sici(x: Any) -> Any:
    """The integrals of sin(t) / t and of cos(t) / t."""
    x = _floating(special.sici, x)
    return sine_integral(x), cosine_integral(x)


@composite(special.shichi)
def shichi(x: Any) -> Any:
    """The integrals of sinh(t) / t and of cosh(t) / t."""
    x = _floating(special.shichi, x)
    return shi(x), chi(x)


@composite(special.airy)
def airy(z: Any) -> Any:
    """Ai, its derivative, Bi, and its derivative."""
    z = _floating(special.airy, z)
    return airy_a(z), airy_a_slope(z), airy_b(z), airy_b_slope(z)
