"""Products and linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import Samples, case, linear


def _matmul_type(x1: ArrayType, x2: ArrayType) -> ArrayType:
    return array_type(x1.dtype, (*x1.shape[:-1], x2.shape[-1]))


def _swap(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _matmul_batch(x1: Any, x2: Any, batched: tuple[bool, ...]) -> Any:
    """One operand without the batch axis is broadcast: the schedule prints a plain product."""
    return np.matmul(x1, x2)


# Operands are at least 2-D with equal batch axes: the tracer brings them there.
matmul = linear(
    np.matmul,
    infix="@",
    result=_matmul_type,
    transpose={
        "x1": lambda y_bar, x1, x2: np.matmul(y_bar, _swap(x2)),
        "x2": lambda y_bar, x1, x2: np.matmul(_swap(x1), y_bar),
    },
    batch=_matmul_batch,
    samples=Samples(
        cases=(
            case("f[2,3]", "f[3,4]"),
            case("f[5,2,3]", "f[5,3,1]"),
            case("f[0,3]", "f[3,2]"),
            case("f[2,0]", "f[0,2]"),
        )
    ),
)
