"""Compositions that are primitives for the sake of accuracy, written out in plain NumPy.

Rewrites put them in the place of naive forms; their derivatives stay finite and accurate where
those of the naive forms overflow. Before a program is scheduled each becomes the NumPy code of its
formula. With `expanded=False` some of them stand for SciPy's function instead, and are printed as
the call that the user wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Jvp, Partial, Primitive, Samples, case, register
from symdiff.ops.reductions import Axes, reduced_shape


def _either(name: str, formula: Callable[..., Any]) -> Callable[..., Any]:
    """The formula where `expanded`, and else SciPy's function of this name."""

    def function(x: Any, *, expanded: bool, **params: Any) -> Any:
        if expanded:
            return formula(x, **params)
        from scipy import special

        return getattr(special, name)(x, **params)

    return function


def _where_expanded(formula: Callable[..., Any]) -> Callable[..., Any]:
    """The formula as an expansion, which declines where SciPy is to be called."""

    def expansion(x: Any, *, expanded: bool, **params: Any) -> Any:
        return formula(x, **params) if expanded else NotImplemented

    return expansion


def _in_c(formula: Callable[..., Any]) -> Callable[..., Any]:
    """The formula, also where the user called SciPy's function."""

    def expansion(x: Any, *, expanded: bool, **params: Any) -> Any:
        return formula(x, **params)

    return expansion


# ---------------------------------------------------------------------------- sigmoid


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# The logistic function. Its naive form has the right limits, but not its naive derivative.
sigmoid: Primitive = register(
    Primitive(
        name="sigmoid",
        function=_either("expit", _sigmoid),
        expansion=_where_expanded(_sigmoid),
        arguments=("x",),
        elementwise=True,
        result=lambda x, expanded: array_type(x.dtype, x.shape),
        rules={"x": Partial(lambda y, x, expanded: y * (1 - y))},
        numpy="scipy.special.expit({x})",
        c="1 / (1 + exp(-{x}))",
        risky=True,
        samples=Samples(
            cases=tuple(
                case(f"f[{shape}]", expanded=expanded)
                for shape in ("", "0", "3", "2,3")
                for expanded in (True, False)
            )
        ),
    )
)

# ---------------------------------------------------------------------------- softplus


def _bound(x: Any) -> int:
    """From there on log(1 + exp(x)) is x to all digits; exp(x) does not overflow yet."""
    return 80 if np.finfo(x.dtype).maxexp > 100 else 11


def _odds(x: Any) -> Any:
    """exp(x), which does not overflow."""
    return np.exp(np.minimum(x, _bound(x)))


def _softplus(x: Any, reuse: bool = False) -> Any:
    log = np.log1p(_odds(x))
    # the logarithm can be computed in the memory of x where it is chosen, and takes no other array
    return np.where(x <= _bound(x), log, x) if reuse else np.maximum(x, log)


def _logistic(x: Any) -> Any:
    odds = _odds(x)
    return odds / (1 + odds)


# The derivative of softplus, which shares the exponential with it: a sigmoid that never overflows.
logistic: Primitive = register(
    Primitive(
        name="logistic",
        function=_logistic,
        expansion=_logistic,
        arguments=("x",),
        elementwise=True,
        result=lambda x: array_type(x.dtype, x.shape),
        rules={"x": Partial(lambda y, x: y * (1 - y))},
        c="1 / (1 + exp(-{x}))",
    )
)

# log(1 + exp(x)), in a third of the time of np.logaddexp(0, x).
softplus: Primitive = register(
    Primitive(
        name="softplus",
        function=_softplus,
        expansion=_softplus,
        arguments=("x",),
        elementwise=True,
        result=lambda x: array_type(x.dtype, x.shape),
        rules={"x": Partial(lambda y, x: logistic(x))},
        c="fmax({x}, 0) + log1p(exp(-fabs({x})))",
    )
)

# ---------------------------------------------------------------------------- log cosh


def _log_cosh(x: Any) -> Any:
    size = np.abs(x)
    return size + np.log1p(0.5 * np.expm1(-2 * size))


# np.log(np.cosh(x)), whose derivative does not overflow.
log_cosh: Primitive = register(
    Primitive(
        name="log_cosh",
        function=_log_cosh,
        expansion=_log_cosh,
        arguments=("x",),
        elementwise=True,
        result=lambda x: array_type(x.dtype, x.shape),
        rules={"x": Partial(lambda y, x: np.tanh(x))},
        c="fabs({x}) + log1p(0.5 * expm1(-2 * fabs({x})))",
    )
)

# ---------------------------------------------------------------------------- softmax


def _softmax(x: Any, axis: Axes) -> Any:
    # held as a maximum is that cancels: where the user wrote this formula, it is the same program
    exps = np.exp(x - e.stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return exps / np.sum(exps, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Axes) -> Any:
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _softmax_tangent(y: Any, x: Any, x_dot: Any, axis: Axes, expanded: bool) -> Any:
    return y * (x_dot - np.sum(y * x_dot, axis=axis, keepdims=True))


def _log_softmax_tangent(y: Any, x: Any, x_dot: Any, axis: Axes, expanded: bool) -> Any:
    # expanded, the softmax shares its exponentials with the log-softmax
    p = softmax(x, axis=axis, expanded=True) if expanded else np.exp(y)
    return x_dot - np.sum(p * x_dot, axis=axis, keepdims=True)


def _along_axis(x: ArrayType, axis: Axes, expanded: bool) -> ArrayType:
    return array_type(x.dtype, x.shape)


def _shifted_axes(axis: Axes) -> Axes:
    return tuple(each + 1 for each in axis)


ALONG_AXIS = Samples(
    cases=(
        case("f[3,4]", axis=(1,), expanded=True),
        case("f[3,4]", axis=(0, 1), expanded=True),
        case("f[2,3]", axis=(0,), expanded=False),
        case("f[1]", axis=(0,), expanded=False),
        case("f[0,3]", axis=(1,), expanded=True),
    )
)

softmax: Primitive = register(
    Primitive(
        name="softmax",
        function=_either("softmax", _softmax),
        expansion=_where_expanded(_softmax),
        c_expansion=_in_c(_softmax),
        arguments=("x",),
        result=_along_axis,
        rules={"x": Jvp(_softmax_tangent)},
        numpy="scipy.special.softmax",
        batch=lambda x, axis, expanded: softmax(x, axis=_shifted_axes(axis), expanded=expanded),
        samples=ALONG_AXIS,
    )
)

log_softmax: Primitive = register(
    Primitive(
        name="log_softmax",
        function=_either("log_softmax", _log_softmax),
        expansion=_where_expanded(_log_softmax),
        c_expansion=_in_c(_log_softmax),
        arguments=("x",),
        result=_along_axis,
        rules={"x": Jvp(_log_softmax_tangent)},
        numpy="scipy.special.log_softmax",
        batch=lambda x, axis, expanded: log_softmax(x, axis=_shifted_axes(axis), expanded=expanded),
        samples=ALONG_AXIS,
    )
)

# ---------------------------------------------------------------------------- logsumexp


def _exponentials(x: Any, axis: Axes) -> tuple[Any, Any, Any]:
    """Exponentials without overflow, their sum, and the maximum that was taken off."""
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)  # an infinite maximum would make inf - inf
    odds = np.exp(x - e.stop_gradient(top))
    return odds, np.sum(odds, axis=axis, keepdims=True), top


def _logsumexp(x: Any, axis: Axes, keepdims: bool) -> Any:
    _, total, top = _exponentials(x, axis)
    y = np.log(total) + top
    return y if keepdims else np.reshape(y, reduced_shape(np.shape(x), axis, keepdims))


def _shares(x: Any, axis: Axes) -> Any:
    odds, total, _ = _exponentials(x, axis)
    return odds / np.where(total == 0, 1, total)


# The softmax by the exponentials of _logsumexp; 0 where there is nothing to sum.
shares: Primitive = register(
    Primitive(
        name="shares",
        function=_shares,
        expansion=_shares,
        arguments=("x",),
        result=lambda x, axis: array_type(x.dtype, x.shape),
        rules={"x": Jvp(lambda y, x, x_dot, axis: _softmax_tangent(y, x, x_dot, axis, True))},
        batch=lambda x, axis: shares(x, axis=_shifted_axes(axis)),
        samples=Samples(cases=(case("f[3,4]", axis=(1,)), case("f[2,3]", axis=(0, 1)))),
    )
)


def _logsumexp_tangent(
    y: Any, x: Any, x_dot: Any, axis: Axes, keepdims: bool, expanded: bool
) -> Any:
    # not exp(x - y), which loses the digits that a large y rounds off
    return np.sum(shares(x, axis=axis) * x_dot, axis=axis, keepdims=keepdims)


def _logsumexp_batch(x: Any, axis: Axes, keepdims: bool, expanded: bool) -> Any:
    return logsumexp(x, axis=_shifted_axes(axis), keepdims=keepdims, expanded=expanded)


logsumexp: Primitive = register(
    Primitive(
        name="logsumexp",
        function=_either("logsumexp", _logsumexp),
        expansion=_where_expanded(_logsumexp),
        c_expansion=_in_c(_logsumexp),
        arguments=("x",),
        result=lambda x, axis, keepdims, expanded: array_type(
            x.dtype, reduced_shape(x.shape, axis, keepdims)
        ),
        rules={"x": Jvp(_logsumexp_tangent)},
        numpy="scipy.special.logsumexp",
        batch=_logsumexp_batch,
        samples=Samples(
            cases=(
                case("f[3,4]", axis=(0,), keepdims=False, expanded=True),
                case("f[3,4]", axis=(1,), keepdims=True, expanded=True),
                case("f[3,4]", axis=(0, 1), keepdims=False, expanded=False),
                case("f[3,4]", axis=(1,), keepdims=True, expanded=False),
                case("f[1]", axis=(0,), keepdims=False, expanded=True),
            )
        ),
    )
)
