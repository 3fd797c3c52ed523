"""What there is in an array, and how often: counts, histograms, sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Primitive,
    Samples,
    Transpose,
    all_batched,
    case,
    composite,
    register,
)

# ---------------------------------------------------------------------------- counts


def _bincount(x: Any, *weights: Any, length: int, minlength: int) -> Any:
    """np.bincount, whose result has this length."""
    return np.bincount(x, weights[0] if weights else None, minlength)


def _bincount_source(x: str, *weights: str, length: int, minlength: int) -> str:
    least = f", minlength={minlength}" if minlength else ""
    return f"np.bincount({', '.join([x, *weights])}{least})"


def _bincount_batch(
    x: Any, *weights: Any, length: int, minlength: int, batched: tuple[bool, ...]
) -> Any:
    """The rows are counted apart: each has numbers of its own."""
    numbers, *values = all_batched((x, *weights), batched)
    rows = np.shape(numbers)[0]
    apart = np.ravel(numbers + length * np.arange(rows)[:, None])
    whole = {"length": rows * length, "minlength": rows * length}
    return np.reshape(bincount(apart, *map(np.ravel, values), **whole), (rows, length))


bincount: Primitive = register(
    Primitive(
        name="bincount",
        function=_bincount,
        arguments=("x", "weights"),
        variadic=True,
        result=lambda x, *weights, length, minlength: array_type(
            np.float64 if weights else np.intp, (length,)
        ),
        rules={
            "x": CONSTANT,
            "weights": Transpose(
                lambda y_bar, x, weights, length, minlength: [y_bar[x].astype(weights.dtype)]
            ),
        },
        batch=_bincount_batch,
        numpy=_bincount_source,
        samples=Samples(
            cases=(
                case("i[4]", length=5, minlength=5),
                case("i[4]", "f[4]", length=6, minlength=6),
            )
        ),
    )
)


@composite(np.bincount)
def _counts(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number from 0 on is there, or the sum of its weights."""
    if np.ndim(x) != 1:
        raise ValueError("object too deep for desired array: np.bincount takes one axis")
    if np.result_type(x).kind not in "iub":
        raise TypeError("Cannot cast array data to integers according to the rule 'safe'")
    if weights is not None and np.shape(weights) != np.shape(x):
        raise ValueError("The weights and list don't have the same length.")
    natural = int(np.max(x)) + 1 if np.size(x) else 0
    length = max(natural, minlength)
    given = () if weights is None else (weights,)
    return bincount(x, *given, length=length, minlength=minlength)
