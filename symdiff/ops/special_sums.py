"""scipy.special.logsumexp with factors: the logarithm of a weighted sum, and its sign."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import Jvp, Primitive, Samples, case, primitive
from symdiff.ops.reductions import Axes, expand, reduced_shape
from symdiff.ops.several import one_of, several


def _source(a: str, b: str, axis: Axes, keepdims: bool, signed: bool = False) -> str:
    options = [f"axis={axis[0] if len(axis) == 1 else axis}", f"b={b}"]
    options += ["keepdims=True"] * keepdims + ["return_sign=True"] * signed
    return f"scipy.special.logsumexp({a}, {', '.join(options)})"


def _result(a: ArrayType, b: ArrayType, axis: Axes, keepdims: bool) -> ArrayType:
    return array_type(a.dtype, reduced_shape(a.shape, axis, keepdims))


def _share(y: Any, a: Any, axis: Axes, keepdims: bool) -> Any:
    """What the logarithm gains with each factor."""
    return np.exp(a - expand(y, a, axis, keepdims))


def _behind_batch(axis: Axes) -> Axes:
    return tuple(each + 1 for each in axis)


log_of_weighted_sum: Primitive = primitive(
    lambda a, b, axis, keepdims: special.logsumexp(a, axis, b, keepdims),
    name="log_of_weighted_sum",
    result=_result,
    jvp={
        "a": lambda y, a, b, a_dot, axis, keepdims: np.sum(
            b * _share(y, a, axis, keepdims) * a_dot, axis=axis, keepdims=keepdims
        ),
        "b": lambda y, a, b, b_dot, axis, keepdims: np.sum(
            _share(y, a, axis, keepdims) * b_dot, axis=axis, keepdims=keepdims
        ),
    },
    numpy=_source,
    batch=lambda a, b, axis, keepdims: log_of_weighted_sum(
        a, b, axis=_behind_batch(axis), keepdims=keepdims
    ),
    risky=True,
    samples=Samples(
        0.3,
        2.5,
        cases=(
            case("f[3,4]", "f[3,4]", axis=(0, 1), keepdims=True),
            case("f[2,3]", "f[2,3]", axis=(0,), keepdims=False),
        ),
    ),
)

# ---------------------------------------------------------------------------- with the sign

_both = several(
    lambda a, b, axis, keepdims: special.logsumexp(a, axis, b, keepdims, return_sign=True),
    name="weighted_logsumexp",
    numpy=lambda a, b, axis, keepdims: _source(a, b, axis, keepdims, signed=True),
    arguments=("a", "b"),
)
_SAMPLES = Samples(cases=(case("f[3,4]", "f[3,4]", axis=(1,), keepdims=False),))
sign_of_weighted_sum: Primitive = one_of(
    _both,
    1,
    "sign_of_weighted_sum",
    result=_result,
    samples=_SAMPLES,
    batch=lambda a, b, axis, keepdims: sign_of_weighted_sum(
        a, b, axis=_behind_batch(axis), keepdims=keepdims
    ),
)


def _signed_share(y: Any, a: Any, b: Any, axis: Axes, keepdims: bool) -> Any:
    sign = sign_of_weighted_sum(a, b, axis=axis, keepdims=keepdims)
    return _share(y, a, axis, keepdims) * expand(sign, a, axis, keepdims)


def _log_abs_in_a(
    y: Any, a: Any, b: Any, a_dot: Any, axis: Axes, keepdims: bool
) -> Any:
    share = b * _signed_share(y, a, b, axis, keepdims)
    return np.sum(share * a_dot, axis=axis, keepdims=keepdims)


def _log_abs_in_b(
    y: Any, a: Any, b: Any, b_dot: Any, axis: Axes, keepdims: bool
) -> Any:
    return np.sum(_signed_share(y, a, b, axis, keepdims) * b_dot, axis=axis, keepdims=keepdims)


log_abs_of_weighted_sum: Primitive = one_of(
    _both,
    0,
    "log_abs_of_weighted_sum",
    result=_result,
    samples=_SAMPLES,
    rules={"a": Jvp(_log_abs_in_a), "b": Jvp(_log_abs_in_b)},
    batch=lambda a, b, axis, keepdims: log_abs_of_weighted_sum(
        a, b, axis=_behind_batch(axis), keepdims=keepdims
    ),
    risky=True,
)
