"""scipy.special: logistic and exponential functions, entropies and losses.

Its modules are loaded when a program first meets them, since importing SciPy takes its time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import elementwise as e
from symdiff.ops import stable
from symdiff.ops.primitive import (
    REGISTRY,
    Partial,
    Primitive,
    Refused,
    Samples,
    case,
    composite,
    constant,
    elementwise,
    register,
    resolve,
)
from symdiff.ops.reductions import normalize_axes
from symdiff.ops.render import dtype_source
from symdiff.ops.scipy_pointers import scipy_c

POSITIVE = Samples(0.3, 2.5)
UNIT = Samples(0.1, 0.9)

# Of an order or a degree n: a whole number, or one in which there is no formula
WHOLE = Refused("a function of a whole number has no derivative in it")
ORDERED = (case("f[3]:whole", "f[3]"), case("f[]:whole", "f[]"), case("f[0]:whole", "f[0]"))


def no_formula(name: str, *arguments: str) -> dict[str, Refused]:
    """The rules for arguments in which SciPy's function of this name cannot be differentiated."""
    return {
        each: Refused(f"the derivative of scipy.special.{name} in `{each}` has no formula")
        for each in arguments
    }


SERIES = "takes a series where its formula cancels"


def scipy_ufunc(function: np.ufunc, name: str = "", **fields: Any) -> Primitive:
    """An elementwise record, printed under SciPy's name (its ufuncs do not know their module)."""
    name = name or function.__name__
    operands = ", ".join(f"{{{each}}}" for each in fields["partials"])
    source = f"scipy.special.{name}({operands})"
    own = f"scipy_{name}" if name in REGISTRY else name  # NumPy's, which may differ in a bit
    fields.setdefault("c", scipy_c(function.__name__))
    return elementwise(function, name=own, numpy=source, risky=True, **fields)


def in_doubles(
    name: str, function: Callable[..., Any], slope: Any, source: str, samples: Samples
) -> Primitive:
    """A record of a function of x and of a number, a parameter, that always returns doubles.

    Here it returns what is as wide as x. `source` has a field for each.
    """

    def as_wide(x: Any, **params: Any) -> Any:
        return function(x, **params).astype(x.dtype)

    def text(x: str, *, types: tuple[ArrayType, ...], **params: Any) -> str:
        narrow = types[0].dtype.char not in "dD"
        return source.format(x=x, **params) + narrow * f".astype({dtype_source(types[0].dtype)})"

    return register(
        Primitive(
            name=name,
            function=as_wide,
            arguments=("x",),
            elementwise=True,
            result=lambda x, **params: array_type(x.dtype, x.shape),
            rules={"x": Partial(slope)},
            numpy=text,
            risky=True,
            samples=samples,
        )
    )


# ---------------------------------------------------------------------------- logistic


@composite(special.expit)
def expit(x: Any) -> Any:
    """SciPy's own logistic function."""
    (dtype, _) = resolve(special.expit, (x.dtype,))
    return stable.sigmoid(x.astype(dtype), expanded=False)


logit = scipy_ufunc(special.logit, partials={"x": lambda y, x: 1 / (x * (1 - x))}, samples=UNIT)
# not 1 - exp(y), which cancels where x is large
log_expit = scipy_ufunc(
    special.log_expit,
    partials={"x": lambda y, x: special.expit(-x)},
    c="({x} < 0 ? {x} : 0) - log1p(exp(-fabs({x})))",
)


@composite(special.logsumexp)
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """SciPy's own logarithm of a sum of exponentials, with the factors b."""
    if b is None and not return_sign:
        axes = normalize_axes(axis, np.ndim(a))
        return stable.logsumexp(floating(a), axis=axes, keepdims=bool(keepdims), expanded=False)
    from symdiff.ops import special_sums as sums

    a, b = np.broadcast_arrays(a, 1.0 if b is None else b)
    dtype = np.result_type(a, b, np.float32)
    a, b = a.astype(dtype), b.astype(dtype)
    params = {"axis": normalize_axes(axis, np.ndim(a)), "keepdims": bool(keepdims)}
    if not return_sign:
        return sums.log_of_weighted_sum(a, b, **params)
    return sums.log_abs_of_weighted_sum(a, b, **params), sums.sign_of_weighted_sum(a, b, **params)


@composite(special.softplus)
def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return np.logaddexp(0, x)


@composite(special.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """SciPy's own softmax."""
    return stable.softmax(_exponent(x), axis=normalize_axes(axis, np.ndim(x)), expanded=False)


@composite(special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """SciPy's own log-softmax."""
    return stable.log_softmax(_exponent(x), axis=normalize_axes(axis, np.ndim(x)), expanded=False)


def _exponent(x: Any) -> Any:
    """x itself, or in the floats that np.exp gives for its integers."""
    return x if x.dtype.kind in "fc" else x.astype(resolve(np.exp, (x.dtype,))[-1])


def floating(x: Any) -> Any:
    """x itself, or as doubles where it is of integers, as SciPy does."""
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def one_number(name: str, n: Any) -> int:
    """An order or degree, which is one whole number."""
    if np.ndim(n) or np.result_type(n).kind == "c" or n != int(n):
        raise NotImplementedError(
            f"scipy.special.{name} is traced for one whole number, the same for all "
            "elements, as its first argument; call it once for each"
        )
    return int(n)


# ---------------------------------------------------------------------------- x log y


def _unless_both(x1: Any, x2: Any, root: float, otherwise: float) -> Any:
    """x2, or `otherwise` where x1 is 0 and x2 is `root`: there the value and derivatives are 0."""
    return np.where((x1 == 0) & (x2 == root), otherwise, x2)


xlogy = scipy_ufunc(
    special.xlogy,
    partials={
        "x1": lambda y, x1, x2: np.log(_unless_both(x1, x2, root=0, otherwise=1)),
        "x2": lambda y, x1, x2: x1 / _unless_both(x1, x2, root=0, otherwise=1),
    },
    c="{x1} == 0 && {x2} == {x2} ? 0 : {x1} * log({x2})",
    convention="scipy.special.xlogy has derivative 0 at (0, 0).",
    cost=e.APART,
    samples=POSITIVE,
)
xlog1py = scipy_ufunc(
    special.xlog1py,
    partials={
        "x1": lambda y, x1, x2: np.log1p(_unless_both(x1, x2, root=-1, otherwise=0)),
        "x2": lambda y, x1, x2: x1 / (1 + _unless_both(x1, x2, root=-1, otherwise=0)),
    },
    c="{x1} == 0 && {x2} == {x2} ? 0 : {x1} * log1p({x2})",
    convention="scipy.special.xlog1py has derivative 0 at (0, -1).",
    cost=e.APART,
    samples=POSITIVE,
)


# ---------------------------------------------------------------------------- powers and angles


def _exprel_slope(x: Any) -> Any:
    """The derivative of (exp(x) - 1) / x: near 0, where its formula cancels, by its series."""
    near = np.abs(x) < 0.1
    series = 0.0
    for n in range(8, -1, -1):
        series = (n + 1) / math.factorial(n + 2) + x * series
    far = np.where(near, 1, x)
    return np.where(near, series, (np.exp(far) - special.exprel(far)) / far)


def _power_slope(log: Any, y: Any, lmbda: Any) -> Any:
    """The derivative of (exp(lmbda * log) - 1) / lmbda in lmbda."""
    return log * log * _exprel_slope(lmbda * log)


cbrt = scipy_ufunc(special.cbrt, partials=e.cbrt.rules, c=e.cbrt.c, samples=POSITIVE)
exp2 = scipy_ufunc(special.exp2, partials=e.exp2.rules, c=e.exp2.c)
exp10 = scipy_ufunc(
    special.exp10, partials={"x": lambda y, x: y * e.LOG_10}, c="pow(10.0, {x})"
)
expm1 = scipy_ufunc(special.expm1, partials=e.expm1.rules, c=e.expm1.c)
log1p = scipy_ufunc(
    special.log1p, partials=e.log1p.rules, c=e.log1p.c, samples=POSITIVE
)
exprel = scipy_ufunc(
    special.exprel, partials={"x": lambda y, x: _exprel_slope(x)}, cost=SERIES
)
cosm1 = scipy_ufunc(special.cosm1, partials={"x": lambda y, x: -np.sin(x)})
# x1**x2 - 1
powm1 = scipy_ufunc(
    special.powm1,
    partials={
        "x1": lambda y, x1, x2: x2 * x1 ** (x2 - 1),
        "x2": lambda y, x1, x2: (1 + y) * np.log(x1),
    },
    samples=POSITIVE,
)
boxcox = scipy_ufunc(
    special.boxcox,
    partials={
        "x": lambda y, x, lmbda: x ** (lmbda - 1),
        "lmbda": lambda y, x, lmbda: _power_slope(np.log(x), y, lmbda),
    },
    samples=POSITIVE,
)
boxcox1p = scipy_ufunc(
    special.boxcox1p,
    partials={
        "x": lambda y, x, lmbda: (1 + x) ** (lmbda - 1),
        "lmbda": lambda y, x, lmbda: _power_slope(np.log1p(x), y, lmbda),
    },
    samples=POSITIVE,
)
_POWER = Refused("the derivative of an inverse Box-Cox transform in lmbda has no formula")
inv_boxcox = scipy_ufunc(
    special.inv_boxcox,
    partials={"y": lambda x, y, lmbda: x / (1 + lmbda * y), "lmbda": _POWER},
    samples=POSITIVE,
)
inv_boxcox1p = scipy_ufunc(
    special.inv_boxcox1p,
    partials={"y": lambda x, y, lmbda: (1 + x) / (1 + lmbda * y), "lmbda": _POWER},
    samples=POSITIVE,
)
DEGREE = math.pi / 180
sindg = scipy_ufunc(special.sindg, partials={"x": lambda y, x: DEGREE * special.cosdg(x)})
cosdg = scipy_ufunc(special.cosdg, partials={"x": lambda y, x: -DEGREE * special.sindg(x)})
tandg = scipy_ufunc(special.tandg, partials={"x": lambda y, x: DEGREE * (1 + y * y)})
cotdg = scipy_ufunc(
    special.cotdg, partials={"x": lambda y, x: -DEGREE * (1 + y * y)}, samples=Samples(20.0, 80.0)
)
round_ = constant(special.round, name="scipy_round", numpy="scipy.special.round({x})")

# ---------------------------------------------------------------------------- entropies and losses

entr = scipy_ufunc(
    special.entr,
    partials={"x": lambda y, x: -1 - np.log(x)},
    c="{x} > 0 ? -{x} * log({x}) : {x} == 0 ? 0 : {x} != {x} ? {x} : -INFINITY",
    samples=POSITIVE,
)


def _log_ratio(x: Any, y: Any) -> Any:
    """log(x / y), where the quotient is near 1 and where it overflows too."""
    step = (x - y) / y
    return np.where(np.abs(step) < 0.5, np.log1p(step), np.log(x) - np.log(y))


rel_entr = scipy_ufunc(
    special.rel_entr,
    partials={
        "x1": lambda y, x1, x2: _log_ratio(x1, x2) + 1,
        "x2": lambda y, x1, x2: -x1 / x2,
    },
    samples=POSITIVE,
)
kl_div = scipy_ufunc(
    special.kl_div,
    partials={
        "x1": lambda y, x1, x2: _log_ratio(x1, x2),
        "x2": lambda y, x1, x2: (x2 - x1) / x2,
    },
    samples=POSITIVE,
)
huber = scipy_ufunc(
    special.huber,
    c=lambda delta, r: (
        f"{delta} < 0 ? INFINITY : fabs({r}) <= {delta} ? 0.5 * {r} * {r} : "
        f"{delta} * (fabs({r}) - 0.5 * {delta})"
    ),
    partials={
        "delta": lambda y, delta, r: np.maximum(np.abs(r) - delta, 0),
        "r": lambda y, delta, r: np.clip(r, -delta, delta),
    },
    samples=Samples((0.3, -2.5), (0.7, -0.9)),
)


# delta**2 * (hypot(1, r / delta) - 1)
pseudo_huber = scipy_ufunc(
    special.pseudo_huber,
    partials={
        "delta": lambda y, delta, r: y / delta * (y / delta / np.hypot(delta, r)),
        "r": lambda y, delta, r: r * (delta / np.hypot(delta, r)),
    },
    samples=POSITIVE,
)
