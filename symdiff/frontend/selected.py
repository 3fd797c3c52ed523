"""What a traced mask selects where only types are known, as under vmap: a part of unknown length.

It is the array and the mask. Elementwise functions are computed of the whole array, and a store
under the same mask takes from it what is selected; anything that depends on the length is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from symdiff.frontend import guards
from symdiff.frontend.options import where_computed
from symdiff.frontend.tracer import Tracer, call


class Selected(np.lib.mixins.NDArrayOperatorsMixin):
    """array[mask]."""

    stands_for_a_part = True  # what `call` asks for
    __slots__ = ("array", "mask")

    def __init__(self, array: Tracer, mask: Tracer) -> None:
        self.array = array
        self.mask = mask

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        if method != "__call__":
            self._refuse()
        return self.apply(ufunc, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self.apply(function, args, kwargs)

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()

    def __len__(self) -> NoReturn:  # noqa: PLE0303
        self._refuse()

    def __getitem__(self, index: Any) -> NoReturn:
        self._refuse()

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        guards.count_true(self.mask)  # which is not known
        raise AssertionError

    def copy(self) -> Selected:
        return Selected(self.array, self.mask)

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """The sum of all that is selected."""
        if axis is not None or dtype is not None or out is not None:
            self._refuse()
        return call(np.sum, self.over(0))

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """The mean of all that is selected."""
        total = self.sum(axis, dtype, out)
        count = call(np.sum, self.mask) * (self.array.size // max(self.mask.size, 1))
        return total / (count.astype(total.dtype) if total.dtype.kind in "fc" else count)

    def over(self, other: Any) -> Any:
        """The whole array, with other values where the mask does not select."""
        return call(np.where, over_axes(self.mask, self.array), self.array, other)

    def fits(self, value: Any) -> bool:
        """Whether an operand goes with the part: of the same mask, or of its other axes."""
        if isinstance(value, Selected):
            return value.mask.node is self.mask.node
        return np.ndim(value) <= self.array.ndim - self.mask.ndim

    def apply(self, function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """A function of parts: of a ufunc a part, and of a sum or a mean a number."""
        if function in (np.sum, np.mean) and len(args) == 1 and not options:
            return getattr(self, function.__name__)()
        (out,) = options.pop("out", (None,))
        plain = isinstance(function, np.ufunc) and not options and function.nout == 1
        if not plain or not all(map(self.fits, args)) or not isinstance(out, Selected | None):
            self._refuse()
        given = [each.array if isinstance(each, Selected) else each for each in args]
        mask = over_axes(self.mask, self.array)
        made = call(function, *where_computed(function, given, mask))
        if out is None:
            return Selected(made, self.mask)
        out.array = made.astype(out.array.dtype) if made.dtype != out.array.dtype else made
        return out


def over_axes(mask: Tracer, x: Tracer) -> Any:
    """A mask of the leading axes, as one that broadcasts over the others."""
    return mask.reshape((*mask.shape, *(1,) * (x.ndim - mask.ndim)))


def part(x: Tracer, index: Tracer) -> Selected | None:
    """x[index], where that is a mask of which only the type is known."""
    fits = index.shape and index.shape == x.shape[: index.ndim]
    return Selected(Tracer(x.node), index) if fits else None


def apply(function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """A function of arguments some of which are parts."""
    first = next(each for each in args if isinstance(each, Selected))
    return first.apply(function, args, options)
