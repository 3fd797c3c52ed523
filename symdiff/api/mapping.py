"""NumPy functions that call a function of the user's on parts of an array: mapped without a loop.

Loaded when a program first meets one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdiff.api.maps import vmap
from symdiff.frontend.tracer import Tracer, as_array, call
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import composite
from symdiff.ops.reductions import one_axis

# ---------------------------------------------------------------------------- rows


@composite(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """A function of each row along an axis, in whose place the axes of its results stand."""
    axis = one_axis(axis, np.ndim(arr))
    rows = np.moveaxis(arr, axis, -1) if axis < np.ndim(arr) - 1 else arr
    lead = np.ndim(rows) - 1
    if 0 in np.shape(rows)[:-1]:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")

    def of_rows(row: Any) -> Any:
        return _whole(func1d(row, *args, **kwargs))

    for _ in range(lead):
        of_rows = vmap(of_rows)
    made = of_rows(rows)
    own = np.ndim(made) - lead
    if axis == lead or not own:
        return made
    return np.moveaxis(made, range(lead, lead + own), range(axis, axis + own))


def _whole(result: Any) -> Any:
    """What a function returns as one array: of a Python number one without axes."""
    found = _array(result)
    return found.astype(found.dtype) if isinstance(found, Tracer) and found.weak else found


# ---------------------------------------------------------------------------- elements

@composite(np.vectorize.__call__)
def vectorized(self: Any, *args: Any, **kwargs: Any) -> Any:
    """The function of each element, or of the parts that a signature says."""
    places = [i for i in range(len(args)) if i not in self.excluded]
    names = [name for name in kwargs if name not in self.excluded]

    def function(*parts: Any) -> Any:
        own = list(args)
        for i, part in zip(places, parts, strict=False):
            own[i] = part
        return self.pyfunc(*own, **kwargs | dict(zip(names, parts[len(places) :], strict=True)))

    arrays = [_array(each) for each in (*(args[i] for i in places), *(kwargs[n] for n in names))]
    if self.signature is None:
        wide = [_widest(each) for each in arrays]
        otypes = self.otypes
        if otypes is None and any(a is not b for a, b in zip(wide, arrays, strict=True)):
            first = function(*(each[(0,) * np.ndim(each)] for each in arrays))
            results = first if isinstance(first, tuple) else (first,)
            otypes = [_array(each).dtype for each in results]  # as the first element's result
        made, _ = _mapped(_of_numbers(function), wide, [()] * len(wide), otypes)
    else:
        inner, outer = self._in_and_out_core_dims
        if len(inner) != len(arrays):
            raise TypeError(
                f"wrong number of positional arguments: expected {len(inner)}, got {len(arrays)}"
            )
        made, several = _mapped(function, arrays, inner, self.otypes)
        if (len(made) if several else 1) != len(outer):
            raise ValueError(f"wrong number of outputs from pyfunc: expected {len(outer)}")
    return made


def _array(value: Any) -> Any:
    found = as_array(value)
    return found if isinstance(found, Tracer) else np.asarray(found)


def _widest(x: Any) -> Any:
    """Numbers as np.vectorize gives them to a function: of Python's types."""
    dtype = {"i": np.int64, "u": np.int64, "f": np.float64, "c": np.complex128}.get(x.dtype.kind)
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, given Python numbers for arrays without axes."""

    def own(*parts: Any) -> Any:
        return function(*(call(e.convert, each, dtype=each.dtype, weak=True) for each in parts))

    return own


def _mapped(
    function: Callable[..., Any],
    arrays: Sequence[Any],
    inner: Sequence[tuple[str, ...]],
    otypes: Any,
) -> tuple[Any, bool]:
    """The function mapped over all axes that are not inner ones; whether it has several results.

    Raises ValueError where the extents of axes of one name differ.
    """
    extents: dict[str, int] = {}
    for each, axes in zip(arrays, inner, strict=True):
        own = np.shape(each)[np.ndim(each) - len(axes) :]
        if len(own) < len(axes) or any(
            extents.setdefault(*pair) != pair[1] for pair in zip(axes, own, strict=True)
        ):
            raise ValueError(f"the axes {axes} do not fit an array of shape {np.shape(each)}")
    loop = np.broadcast_shapes(
        *(np.shape(each)[: np.ndim(each) - len(axes)]
          for each, axes in zip(arrays, inner, strict=True))
    )
    if 0 in loop:
        raise NotImplementedError("np.vectorize of arrays without elements is not traced")
    given = []
    for each, axes in zip(arrays, inner, strict=True):
        shape = (*loop, *(extents[name] for name in axes))
        given.append(each if np.shape(each) == shape else np.broadcast_to(each, shape))

    def whole(*parts: Any) -> Any:
        result = function(*parts)
        return tuple(map(_whole, result)) if isinstance(result, tuple) else _whole(result)

    for _ in loop:
        whole = vmap(whole)
    made = whole(*given)
    several = isinstance(made, tuple)
    results = made if several else (made,)
    if otypes is not None:
        results = tuple(x.astype(t) for x, t in zip(results, otypes, strict=True))
    return (results if several else results[0]), several
