"""scipy.stats: summaries of samples, as formulas of NumPy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special, stats

from symdiff.ops.primitive import composite
from symdiff.ops.special import floating


def _checked(name: str, nan_policy: str) -> None:
    if nan_policy != "propagate":
        raise NotImplementedError(f"scipy.stats.{name} with nan_policy= is not traced")


@composite(stats.zscore)
def zscore(a: Any, axis: Any = 0, ddof: int = 0, nan_policy: str = "propagate") -> Any:
    """How many standard deviations each element is from the mean."""
    _checked("zscore", nan_policy)
    a = floating(a)
    centred = a - np.mean(a, axis=axis, keepdims=True)
    return centred / np.std(a, axis=axis, ddof=ddof, keepdims=True)


@composite(stats.gmean)
def gmean(
    a: Any, axis: Any = 0, dtype: Any = None, weights: Any = None,
    nan_policy: str = "propagate", *, keepdims: bool = False,
) -> Any:  # fmt: skip
    """The geometric mean."""
    _checked("gmean", nan_policy)
    a = a if dtype is None else a.astype(dtype)
    options: dict[str, Any] = {"axis": axis, "weights": weights, "keepdims": keepdims}
    return np.exp(np.average(np.log(a), **options))


@composite(stats.hmean)
def hmean(
    a: Any, axis: Any = 0, dtype: Any = None, *, weights: Any = None,
    nan_policy: str = "propagate", keepdims: bool = False,
) -> Any:  # fmt: skip
    """The harmonic mean."""
    _checked("hmean", nan_policy)
    a = floating(a) if dtype is None else a.astype(dtype)
    options: dict[str, Any] = {"axis": axis, "weights": weights, "keepdims": keepdims}
    return 1.0 / np.average(1.0 / a, **options)


@composite(stats.sem)
def sem(
    a: Any, axis: Any = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False
) -> Any:
    """The standard error of the mean."""
    _checked("sem", nan_policy)
    a = floating(a)
    count = np.size(a) if axis is None else np.shape(a)[axis]
    return np.std(a, axis=axis, ddof=ddof, keepdims=keepdims) / math.sqrt(count)


@composite(stats.entropy)
def entropy(
    pk: Any, qk: Any = None, base: Any = None, axis: Any = 0, *,
    nan_policy: str = "propagate", keepdims: bool = False,
) -> Any:  # fmt: skip
    """The entropy of shares, or theirs relative to others; both are normalized first."""
    _checked("entropy", nan_policy)
    p = pk / np.sum(pk, axis=axis, keepdims=True)
    parts = special.entr(p)
    if qk is not None:
        parts = special.rel_entr(p, qk / np.sum(qk, axis=axis, keepdims=True))
    total = np.sum(parts, axis=axis, keepdims=keepdims)
    return total if base is None else total / np.log(base)
