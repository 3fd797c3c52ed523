"""scipy.special: loaded when a program first meets it, since importing SciPy takes its time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import stable
from symdiff.ops.primitive import (
    Partial,
    Primitive,
    Samples,
    case,
    composite,
    elementwise,
    register,
)
from symdiff.ops.reductions import normalize_axes
from symdiff.ops.render import dtype_source

POSITIVE = Samples(0.3, 2.5)
REAL = Samples(0.3, 2.5, complex=False)  # SciPy has no complex polygamma
UNIT = Samples(0.1, 0.9)


def _ufunc(function: np.ufunc, name: str = "", **fields: Any) -> Primitive:
    """An elementwise record, printed under SciPy's name (its ufuncs do not know their module)."""
    name = name or function.__name__
    operands = ", ".join(f"{{{each}}}" for each in fields["partials"])
    source = f"scipy.special.{name}({operands})"
    return elementwise(function, name=name, numpy=source, risky=True, **fields)


# ---------------------------------------------------------------------------- logistic

expit = _ufunc(special.expit, partials={"x": stable.sigmoid.rules["x"]}, c="1 / (1 + exp(-{x}))")
logit = _ufunc(special.logit, partials={"x": lambda y, x: 1 / (x * (1 - x))}, samples=UNIT)
# not 1 - exp(y), which cancels where x is large
log_expit = _ufunc(special.log_expit, partials={"x": lambda y, x: special.expit(-x)})


@composite(special.logsumexp)
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """SciPy's own sum of exponentials, without weights."""
    if b is not None or return_sign:
        raise NotImplementedError(
            "scipy.special.logsumexp with b= or return_sign= is not traced; "
            "positive factors b can be given as logsumexp(a + np.log(b))"
        )
    axes = normalize_axes(axis, np.ndim(a))
    return stable.logsumexp(_floating(a), axis=axes, keepdims=bool(keepdims), expanded=False)


@composite(special.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """SciPy's own softmax."""
    return stable.softmax(_floating(x), axis=normalize_axes(axis, np.ndim(x)), expanded=False)


@composite(special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """SciPy's own log-softmax."""
    return stable.log_softmax(_floating(x), axis=normalize_axes(axis, np.ndim(x)), expanded=False)


def _floating(x: Any) -> Any:
    """x itself, or as doubles where it is of integers, as SciPy does."""
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


# ---------------------------------------------------------------------------- error function

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
ONE_OVER_SQRT_2PI = 1 / math.sqrt(2 * math.pi)

erf = _ufunc(
    special.erf,
    python="math.erf({x})",
    partials={"x": lambda y, x: TWO_OVER_SQRT_PI * np.exp(-x * x)},
    c="erf({x})",
    sympy="erf",
)
erfc = _ufunc(
    special.erfc,
    python="math.erfc({x})",
    partials={"x": lambda y, x: -TWO_OVER_SQRT_PI * np.exp(-x * x)},
    c="erfc({x})",
    sympy="erfc",
)
erfinv = _ufunc(
    special.erfinv,
    partials={"x": lambda y, x: np.exp(y * y) / TWO_OVER_SQRT_PI},
    sympy="erfinv",
    samples=Samples(-0.9, 0.9),
)
ndtr = _ufunc(
    special.ndtr,
    partials={"x": lambda y, x: ONE_OVER_SQRT_2PI * np.exp(-0.5 * x * x)},
)
log_ndtr = _ufunc(
    special.log_ndtr,
    # one exponential of the difference: both factors of exp(-x²/2) / ndtr(x) underflow
    partials={"x": lambda y, x: ONE_OVER_SQRT_2PI * np.exp(-0.5 * x * x - y)},
)

# ---------------------------------------------------------------------------- x log y


def _unless_both(x1: Any, x2: Any, root: float, otherwise: float) -> Any:
    """x2, or `otherwise` where x1 is 0 and x2 is `root`: there the value and derivatives are 0."""
    return np.where((x1 == 0) & (x2 == root), otherwise, x2)


xlogy = _ufunc(
    special.xlogy,
    partials={
        "x1": lambda y, x1, x2: np.log(_unless_both(x1, x2, root=0, otherwise=1)),
        "x2": lambda y, x1, x2: x1 / _unless_both(x1, x2, root=0, otherwise=1),
    },
    c="{x1} == 0 ? 0 : {x1} * log({x2})",
    convention="scipy.special.xlogy has derivative 0 at (0, 0).",
    samples=POSITIVE,
)
xlog1py = _ufunc(
    special.xlog1py,
    partials={
        "x1": lambda y, x1, x2: np.log1p(_unless_both(x1, x2, root=-1, otherwise=0)),
        "x2": lambda y, x1, x2: x1 / (1 + _unless_both(x1, x2, root=-1, otherwise=0)),
    },
    c="{x1} == 0 ? 0 : {x1} * log1p({x2})",
    convention="scipy.special.xlog1py has derivative 0 at (0, -1).",
    samples=POSITIVE,
)

# ---------------------------------------------------------------------------- gamma function

gamma = _ufunc(
    special.gamma,
    python="math.gamma({x})",
    partials={"x": lambda y, x: y * special.digamma(x)},
    c="tgamma({x})",
    sympy="gamma",
    samples=REAL,
)
gammaln = _ufunc(
    special.gammaln,
    python="math.lgamma({x})",
    partials={"x": lambda y, x: special.digamma(x)},
    c="lgamma({x})",
    sympy="loggamma",
    samples=POSITIVE,
)
digamma = _ufunc(
    special.digamma,
    name="digamma",
    partials={"x": lambda y, x: polygamma(x, n=1)},
    sympy="digamma",
    samples=REAL,
)


def _polygamma(x: Any, n: int) -> Any:
    return special.polygamma(n, x).astype(x.dtype)


def _polygamma_source(x: str, n: int, types: tuple[ArrayType, ...]) -> str:
    narrow = types[0].dtype != np.float64  # SciPy always returns doubles
    convert = f".astype({dtype_source(types[0].dtype)})" if narrow else ""
    return f"scipy.special.polygamma({n}, {x}){convert}"


# The derivative of digamma of order n.
polygamma: Primitive = register(
    Primitive(
        name="polygamma",
        function=_polygamma,
        arguments=("x",),
        elementwise=True,
        result=lambda x, n: array_type(x.dtype, x.shape),
        rules={"x": Partial(lambda y, x, n: polygamma(x, n=n + 1))},
        numpy=_polygamma_source,
        risky=True,
        samples=Samples(0.3, 2.5, cases=(case("f[3]:positive", n=1), case("f[0]", n=2))),
    )
)


@composite(special.polygamma)
def polygamma_of_order(n: Any, x: Any) -> Any:
    """SciPy's polygamma: the order is a number, the result is of doubles."""
    n = int(n)
    return polygamma(x.astype(np.float64), n=n) if n else special.digamma(_floating(x))


# ---------------------------------------------------------------------------- Bessel functions

i0 = _ufunc(special.i0, partials={"x": lambda y, x: special.i1(x)})
i1 = _ufunc(
    special.i1,
    # (i1(x) / x is 1/2 at 0)
    partials={"x": lambda y, x: special.i0(x) - np.where(x == 0, 0.5, y / np.where(x == 0, 1, x))},
)
