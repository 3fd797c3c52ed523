"""Reductions along axes, and running ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import Samples, case, linear

Axes = tuple[int, ...]


def normalize_axes(axis: Any, ndim: int) -> Axes:
    """`axis` as NumPy takes it (None, int or tuple) to a tuple of axes from 0 to ndim - 1.

    Raises numpy.exceptions.AxisError where an axis is out of range.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    for each in axes:
        if not -ndim <= each < ndim:
            raise np.exceptions.AxisError(each, ndim)
    return tuple(sorted({int(each) % ndim for each in axes}))


def reduced_shape(shape: Axes, axis: Axes, keepdims: bool) -> Axes:
    """The shape after reducing over `axis`."""
    if keepdims:
        return tuple(1 if i in axis else extent for i, extent in enumerate(shape))
    return tuple(extent for i, extent in enumerate(shape) if i not in axis)


def expand(reduced: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """A reduced array with its axes back as 1, so that it broadcasts against x."""
    if keepdims or np.ndim(reduced) == np.ndim(x):
        return reduced
    return np.reshape(reduced, reduced_shape(tuple(np.shape(x)), axis, True))


def axis_source(axis: Axes, keepdims: bool, ndim: int | None = None) -> str:
    """The keyword arguments `, axis=..., keepdims=...` as a person writes them."""
    whole = ndim is not None and len(axis) == ndim
    text = "" if whole else f", axis={axis[0] if len(axis) == 1 else axis}"
    return text + (", keepdims=True" if keepdims else "")


def _sum_call(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, **rest: Any
) -> tuple[tuple[Any], dict[str, Any]]:
    if out is not None or rest:
        raise NotImplementedError("out=, initial= and where= of np.sum are not traced")
    if dtype is None and a.dtype.kind in "biu":
        dtype = np.uint64 if a.dtype.kind == "u" else np.int64  # as NumPy widens integers
    if dtype is not None:
        a = a.astype(dtype)
    return (a,), {"axis": normalize_axes(axis, np.ndim(a)), "keepdims": bool(keepdims)}


def _reduced_type(x: ArrayType, axis: Axes, keepdims: bool) -> ArrayType:
    return array_type(x.dtype, reduced_shape(x.shape, axis, keepdims))


REDUCTION_CASES = (
    case("f[3,4]", axis=(0,), keepdims=False),
    case("f[3,4]", axis=(1,), keepdims=True),
    case("f[3,4]", axis=(0, 1), keepdims=False),
    case("f[2,3,2]", axis=(0, 2), keepdims=False),
    case("f[1]", axis=(0,), keepdims=False),
)

sum_ = linear(
    np.sum,
    result=_reduced_type,
    transpose={
        "x": lambda y_bar, x, axis, keepdims: np.broadcast_to(
            expand(y_bar, x, axis, keepdims), np.shape(x)
        )
    },
    call=_sum_call,
    batch=lambda x, axis, keepdims: np.sum(
        x, axis=tuple(each + 1 for each in axis), keepdims=keepdims
    ),
    samples=Samples(cases=(*REDUCTION_CASES, case("f[0,3]", axis=(0,), keepdims=False))),
)
