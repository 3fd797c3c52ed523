"""Questions about values, and conversions, that few programs call: loaded late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ops.primitive import composite


@composite(np.isreal)
def isreal(x: Any) -> Any:
    """Whether the imaginary part is 0."""
    return np.imag(x) == 0


@composite(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Whether the imaginary part is not 0."""
    return np.imag(x) != 0


@composite(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether all values are the same after broadcasting."""
    try:
        np.broadcast_shapes(np.shape(a1), np.shape(a2))
    except ValueError:
        return False
    return np.all(a1 == a2).item()


def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    """An array of another type, as by the method."""
    return x.astype(dtype, copy=copy)


_own: Callable[..., Any] | None = getattr(np, "astype", None)  # new in NumPy 2.1
if _own is not None:
    composite(_own)(astype)
