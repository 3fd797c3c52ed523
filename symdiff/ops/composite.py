"""NumPy functions written with primitives: no derivative rule of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symdiff.ir.extent import product
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import array_of, composite, resolve
from symdiff.ops.reductions import PRODUCTS, SHARED, normalize_axes

# ---------------------------------------------------------------------------- statistics


def _count(a: Any, axis: Any, keepdims: Any = False, where: Any = None) -> Any:
    """The number of elements that a reduction over `axis` combines."""
    if where is None:
        return product(np.shape(a)[i] for i in normalize_axes(axis, np.ndim(a)))
    return np.sum(np.broadcast_to(where, np.shape(a)), axis, keepdims=keepdims)


def _masked(where: Any) -> dict[str, Any]:
    """The option of a reduction that leaves elements out, where there is a mask."""
    return {} if where is None else {"where": where}


def _floating(dtype: np.dtype[Any]) -> Any:
    """The dtype in which NumPy takes the mean of integers; None for other numbers."""
    return np.float64 if dtype.kind in "biu" else None


@composite(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """The sum over the number of elements; half precision is added in single."""
    half = dtype is None and a.dtype == np.float16
    inner = np.float32 if half else dtype or _floating(a.dtype)
    total = np.sum(a, axis, inner, keepdims=keepdims, **_masked(where))
    quotient = _quotient(total, _count(a, axis, keepdims, where))
    if half or (dtype is not None and np.dtype(dtype).kind in "biu"):
        return quotient.astype(np.float16 if half else dtype)
    return quotient


def _quotient(total: Any, count: Any) -> Any:
    """A sum over the number of elements, which does not change its dtype."""
    whole = isinstance(count, (int, float)) or total.dtype.kind not in "fc"
    return total / count if whole else total / count.astype(total.dtype)


@composite(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """The mean, or the weighted one."""
    if weights is None:
        middle = np.mean(a, axis, keepdims=keepdims)
        scale = np.full_like(middle, _count(a, axis))
    else:
        if np.shape(weights) != np.shape(a):
            axes = normalize_axes(axis, np.ndim(a))
            if np.ndim(weights) > 1:  # its axes are in the order of `axis`
                weights = np.transpose(weights, np.argsort([i % np.ndim(a) for i in axis]))
            shape = [extent if i in axes else 1 for i, extent in enumerate(np.shape(a))]
            weights = np.broadcast_to(np.reshape(weights, shape), np.shape(a))
        weights = array_of(weights)
        whole = np.float64 if a.dtype.kind in "iub" else a.dtype
        dtype = np.result_type(a.dtype, weights.dtype, whole)
        scale = np.sum(weights, axis, dtype, keepdims=keepdims)
        middle = np.sum(a * weights, axis, keepdims=keepdims) / scale
    return (middle, scale) if returned else middle


@composite(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: Any = False,
    where: Any = None,
    mean: Any = None,
) -> Any:
    """The mean square distance from the mean, in NumPy's own order of operations."""
    if dtype is not None and np.dtype(dtype).kind in "biu":
        raise NotImplementedError(f"np.var in {np.dtype(dtype)} is not traced")
    if correction is not None:
        if ddof:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    inner = dtype or _floating(a.dtype)
    if mean is None:
        total = np.sum(a, axis, inner, keepdims=True, **_masked(where))
        mean = _quotient(total, _count(a, axis, True, where))
    distance = a - mean
    square = distance * distance if not np.iscomplexobj(a) else _square_of_abs(distance)
    count = _count(a, axis, keepdims, where)
    freedom = max(count - ddof, 0) if where is None else np.maximum(count - ddof, 0)
    return _quotient(np.sum(square, axis, inner, keepdims=keepdims, **_masked(where)), freedom)


def _square_of_abs(z: Any) -> Any:
    return z.real * z.real + z.imag * z.imag


@composite(np.std)
def std(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    """The root of np.var. At zero variance, a kink, the derivative is 0."""
    variance = np.var(a, axis, dtype, **options)
    constant = variance == 0
    return np.where(constant, 0, np.sqrt(np.where(constant, 1, variance)))


composite(np.amax)(np.max)  # other names of theirs, and functions of their own in NumPy
composite(np.amin)(np.min)


@composite(np.ptp, cost=SHARED)
def ptp(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The distance from the minimum to the maximum."""
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)


@composite(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The number of elements that are not zero."""
    return np.sum(a if a.dtype == bool else a != 0, axis, keepdims=keepdims)


@composite(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """Where the flattened array is not zero."""
    return np.nonzero(np.ravel(a))[0]


@composite(np.argwhere)
def argwhere(a: Any) -> Any:
    """A row of indices for each element that is not zero."""
    return np.transpose(np.stack(np.nonzero(a)))


@composite(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The elements of an array for which a condition holds, flattened."""
    return np.ravel(arr)[np.flatnonzero(condition)]


@composite(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """The slices along an axis for which a condition holds; without one, of the flattened array."""
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    return np.take(a, np.flatnonzero(condition), axis)


# ---------------------------------------------------------------------------- without NaN


def _instead_of_nan(a: Any, value: float) -> Any:
    return np.where(np.isnan(a), value, a) if a.dtype.kind in "fc" else a


@composite(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    """The sum of what is a number."""
    return np.sum(_instead_of_nan(a, 0), axis, dtype, **options)


@composite(np.nanprod, cost=PRODUCTS)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    """The product of what is a number."""
    return np.prod(_instead_of_nan(a, 1), axis, dtype, **options)


@composite(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    """The mean of what is a number."""
    if a.dtype.kind not in "fc":
        return np.mean(a, axis, dtype, **options)
    if dtype is not None and np.dtype(dtype).kind in "biu":
        raise TypeError("If a is inexact, then dtype must be inexact")
    total = np.nansum(a, axis, dtype, **options)
    return total / np.sum(~np.isnan(a), axis, **options).astype(total.dtype)


# ---------------------------------------------------------------------------- elementwise


def own(a: Any) -> Any:
    """A copy of an array, which may be changed in place; of a number a scalar, which cannot be."""
    return np.copy(a) if np.ndim(a) else np.copy(a)[()]


@composite(np.conjugate)
def conjugate(x: Any, /) -> Any:
    """The complex conjugate: a real array itself."""
    return e.conjugate(x) if x.dtype.kind in "cb" else own(x)  # a boolean becomes an integer


@composite(np.angle, cost=e.APART)
def angle(z: Any, deg: bool = False) -> Any:
    """The argument of a complex number, 0 or pi for a real one."""
    # 0 as NumPy has it: with it, booleans become integers
    turned = np.arctan2(np.imag(z) if np.iscomplexobj(z) else 0, np.real(z))
    return turned * (180 / np.pi) if deg else turned


@composite(np.round, np.around)
def round_(a: Any, decimals: int = 0) -> Any:
    """To the nearest multiple of 10**-decimals, ties to even."""
    if a.dtype.kind in "iu" and decimals >= 0:
        return own(a)
    if decimals == 0:
        return np.rint(a)
    scale = 10 ** abs(decimals)
    if decimals > 0:
        return np.rint(a * scale) / scale
    rounded = np.rint(a / scale) * scale
    return rounded.astype(a.dtype) if a.dtype.kind in "biu" else rounded


@composite(np.fix)
def fix(x: Any) -> Any:
    """Towards zero."""
    return np.trunc(x)


@composite(np.divmod)
def divmod_(x1: Any, x2: Any, /) -> tuple[Any, Any]:
    """The floored quotient and the remainder."""
    return np.floor_divide(x1, x2), np.remainder(x1, x2)


@composite(np.modf)
def modf(x: Any, /) -> tuple[Any, Any]:
    """The parts behind and before the point."""
    x = _converted(x, np.modf)
    return e.modf_fraction(x), np.trunc(x)


def _converted(x: Any, function: np.ufunc) -> Any:
    """x in the dtype in which a function of floats computes with it."""
    dtype = resolve(function, (x.dtype,))[0]
    return x if x.dtype == dtype else x.astype(dtype)


@composite(np.frexp)
def frexp(x: Any, /) -> tuple[Any, Any]:
    """Mantissa and exponent."""
    x = _converted(x, np.frexp)
    return e.frexp_mantissa(x), e.frexp_exponent(x)


@composite(np.float_power, cost=e.power.cost)
def float_power(x1: Any, x2: Any, /) -> Any:
    """np.power in double precision at least."""
    x1, x2 = (array_of(x) if isinstance(x, (list, tuple)) else x for x in (x1, x2))
    dtype = np.result_type(x1, x2, np.float64)
    return np.power(*(x.astype(dtype) if hasattr(x, "astype") else x for x in (x1, x2)))


@composite(np.sinc, cost=e.sinc.cost)
def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0."""
    return e.sinc(x if x.dtype.kind in "fc" else x.astype(np.float64))


@composite(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """With NaN and infinities replaced; no derivative there."""
    if x.dtype.kind == "c":
        raise NotImplementedError("np.nan_to_num of complex numbers is not traced")
    if not copy:
        raise NotImplementedError("np.nan_to_num with copy=False is not traced")
    if x.dtype.kind != "f":
        return own(x)
    limits = np.finfo(x.dtype)
    x = np.where(np.isnan(x), nan, x)
    x = np.where(x == np.inf, limits.max if posinf is None else posinf, x)
    return np.where(x == -np.inf, limits.min if neginf is None else neginf, x)


@composite(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Of several choices the first whose condition holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    chosen = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        chosen = np.where(condition, choice, chosen)
    return chosen

# ---------------------------------------------------------------------------- comparison


@composite(np.isclose)
def isclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Whether two values differ by less than a tolerance."""
    close = (np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b) | (a == b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


@composite(np.allclose)
def allclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Whether all values differ by less than a tolerance."""
    return np.all(np.isclose(a, b, rtol, atol, equal_nan)).item()


@composite(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether shapes and all values are the same."""
    if np.shape(a1) != np.shape(a2):
        return False
    same = a1 == a2
    return np.all(same | (np.isnan(a1) & np.isnan(a2)) if equal_nan else same).item()


@composite(np.isposinf)
def isposinf(x: Any) -> Any:
    """Whether a value is plus infinity."""
    return x == np.inf


@composite(np.isneginf)
def isneginf(x: Any) -> Any:
    """Whether a value is minus infinity."""
    return x == -np.inf
