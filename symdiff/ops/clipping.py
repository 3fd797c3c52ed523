"""np.clip."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ops.composite import own
from symdiff.ops.primitive import Primitive, Samples, case, composite, elementwise, same_type


def _clip(x: Any, low: float, high: float) -> Any:
    return np.clip(x, low, high)


def _not_below(x: str, low: float, high: float) -> str:
    """In C; the upper bound comes last, and wins over a lower one above it."""
    return f"{x} < {float(low)} ? {float(min(low, high))} : {x}"


# Between two literals, which take ties as in np.maximum and np.minimum. The mask is of the result,
# so that the operand need not be kept.
between: Primitive = elementwise(
    _clip,
    name="clip",
    result=same_type,
    partials={"x": lambda y, x, low, high: np.where((low < y) & (y < high), 1, 0)},
    numpy="np.clip({x}, {low}, {high})",
    c=lambda x, low, high: f"{x} > {float(high)} ? {float(high)} : {_not_below(x, low, high)}",
    convention="np.clip has derivative 0 at bounds that are constants.",
    cost="is masked by np.where, which takes longer than np.clip where the mask changes often",
    samples=Samples(
        cases=(
            case("f[]", low=-0.5, high=1),
            case("f[4]", low=-1.0, high=0.5),
            case("f[2,3]", low=0.5, high=-0.5),
        )
    ),
)


@composite(np.clip, cost=between.cost)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    """Not below one bound and not above another: either may be None."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if np.ndim(a) and a.dtype.kind == "f" and _is_literal(low) and _is_literal(high):
        return between(a, low=low, high=high)
    if low is not None:
        a = np.maximum(a, low)
    if low is None and high is None:
        return own(a)
    return a if high is None else np.minimum(a, high)


def _is_literal(bound: Any) -> bool:
    return type(bound) in (int, float) and bool(np.isfinite(bound))
