"""Covariances and correlations, in NumPy's order of operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ops.linalg import adjoint
from symdiff.ops.primitive import array_of, composite


def _observations(x: Any, as_columns: bool, dtype: Any) -> Any:
    """Variables as rows, in the dtype that is computed in."""
    x = np.asarray(x) if not hasattr(x, "dtype") else x
    if np.ndim(x) > 2:
        raise ValueError("m has more than 2 dimensions")
    rows = np.atleast_2d(x).astype(dtype)
    return rows.T if as_columns else rows


def _weights(weights: Any, length: int, name: str) -> Any:
    """Weights as doubles, one for each observation."""
    if np.shape(weights) != (length,):
        raise ValueError(f"incompatible numbers of samples and {name}")
    return weights.astype(np.float64) if hasattr(weights, "astype") else np.asarray(weights, float)


@composite(np.cov, gives_array=True)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """The covariances of variables. Whether traced weights are valid is not checked."""
    m, y = array_of(m), y if y is None else array_of(y)
    parts = [m] if y is None else [m, y]
    dtype = np.result_type(*parts, np.float64) if dtype is None else dtype
    x = _observations(m, not rowvar and np.ndim(m) != 1, dtype)
    if y is not None:
        turned = not rowvar and np.ndim(y) == 2 and np.shape(y)[0] != 1
        x = np.concatenate([x, _observations(y, turned, dtype)])
    if np.shape(x)[0] == 0:
        return np.zeros((0, 0))
    if ddof is None:
        ddof = 0 if bias else 1
    elif ddof != int(ddof):
        raise ValueError("ddof must be integer")
    weights, count = None, np.shape(x)[1]
    if fweights is not None:
        weights = _weights(fweights, count, "fweights")
    if aweights is not None:
        aweights = _weights(aweights, count, "aweights")
        weights = aweights if weights is None else weights * aweights
    mean, total = np.average(x, axis=1, weights=weights, returned=True)
    if weights is None:
        factor = max(count - ddof, 0)
    elif ddof == 0:
        factor = total[0]
    elif aweights is None:
        factor = total[0] - ddof
    else:
        factor = total[0] - ddof * np.sum(weights * aweights) / total[0]
    x = x - np.expand_dims(mean, 1)
    product = x @ adjoint(x if weights is None else x * weights)
    return np.squeeze((product * np.true_divide(1, factor)).astype(product.dtype))


@composite(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """The correlations of variables."""
    c = np.cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    deviations = np.sqrt(np.diagonal(c).real)
    c = c / np.expand_dims(deviations, 1) / deviations
    if not np.iscomplexobj(c):
        return np.clip(c, -1, 1)
    return np.clip(c.real, -1, 1) + 1j * np.clip(c.imag, -1, 1)
