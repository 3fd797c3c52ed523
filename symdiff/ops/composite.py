"""NumPy functions that are traced through primitives: no derivative rule of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ops.primitive import composite


@composite(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    axes = list(range(np.ndim(a)))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return np.transpose(a, axes)


@composite(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False) -> Any:
    total = np.sum(a if a.dtype.kind in "fc" else a.astype(float), axis=axis, keepdims=keepdims)
    return total / (np.size(a) // max(np.size(total), 1))
