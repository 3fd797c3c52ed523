"""Questions about values, and functions that ask them: loaded late.

What a function asks is decided for the values of the call, and checked at each later one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ops.primitive import composite
from symdiff.ops.reductions import normalize_axes


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


@composite(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part, where all imaginary parts are next to nothing."""
    a = a[...]  # an array, of a number too
    if not np.iscomplexobj(a):
        return a
    nothing = np.finfo(a.dtype).eps * tol if tol > 1 else tol
    return a.real if np.all(np.abs(a.imag) < nothing) else a


@composite(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Without the zeros at either end."""
    ends = trim.lower()
    index: list[slice] = [slice(None)] * np.ndim(filt)
    for each in normalize_axes(axis, np.ndim(filt)):
        others = tuple(i for i in range(np.ndim(filt)) if i != each)
        kept = np.any(filt != 0, others)
        if not np.any(kept):
            index[each] = slice(0, 0)
            continue
        first = int(np.argmax(kept)) if "f" in ends else 0
        after = int(np.argmax(kept[::-1])) if "b" in ends else 0
        index[each] = slice(first, len(kept) - after)
    return filt[tuple(index)] if index else filt


@composite(np.piecewise, cost="masks the cotangent of each piece by np.where")
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Functions of the parts of x where conditions hold; one more is for the rest."""
    traced = hasattr(condlist, "astype")
    conditions = condlist.astype(bool) if traced else np.asarray(condlist, bool)
    if np.ndim(conditions) == np.ndim(x):
        conditions = conditions[None]
    count = len(conditions)
    if len(funclist) not in (count, count + 1):
        raise ValueError(
            f"with {count} condition(s), either {count} or {count + 1} functions are expected"
        )
    places = [conditions[i] for i in range(count)]
    if len(funclist) > count:
        places.append(~np.any(conditions, 0))
    made = np.zeros_like(x)
    for place, function in zip(places, funclist, strict=True):
        made[place] = function(x[place], *args, **kw) if callable(function) else function
    return made


def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    """An array of another type, as by the method."""
    return x.astype(dtype, copy=copy)


_own: Callable[..., Any] | None = getattr(np, "astype", None)  # new in NumPy 2.1
if _own is not None:
    composite(_own)(astype)
