"""The window whose shape a number decides, and the function that it is made of."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from symdiff.ops.primitive import Samples, composite, elementwise, same_type


def _slope(y: Any, x: Any) -> Any:
    import scipy.special

    return scipy.special.i1(x)


def _floats(x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if x.dtype.kind == "c":
        raise TypeError("i0 not supported for complex values")
    return (x if x.dtype.kind == "f" else x.astype(np.float64),), {}


# not scipy.special.i0, which differs in the last bits
i0 = elementwise(
    np.i0,
    name="np_i0",
    result=same_type,
    call=_floats,
    partials={"x": _slope},
    numpy="np.i0({x})",
    cost="takes scipy.special.i1, which takes longer for many numbers",
    samples=Samples(complex=False),
)


@composite(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:
    """The window of Kaiser, which beta makes narrow."""
    size = operator.index(M)
    if size < 2:
        return np.ones(max(size, 0))
    middle = (size - 1) / 2.0
    places = (np.arange(0.0, size) - middle) / middle
    return np.i0(beta * np.sqrt(1 - places**2.0)) / np.i0(beta)
