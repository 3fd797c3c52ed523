"""Values that a program of loops computes, and views of them: index maps, which cost nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Fold
from symdiff.schedule.loops import AnyStep, Buffer, Shape


class Value:
    """Something that is computed, or given: it has memory of its own, unless nobody needs it to."""

    __slots__ = (
        "buffer", "calls", "checks", "cost", "dtype", "few", "fold", "form", "kind", "leaves",
        "operands", "parts", "results", "shape",
        "step", "step_of", "stored", "terms",
    )

    def __init__(self, kind: str, type: ArrayType, operands: Sequence[View | str] = ()) -> None:
        self.kind = kind  # given, map, total, product, parts, check, region, result
        self.dtype, self.shape = type.dtype, type.shape
        self.operands = tuple(operands)
        self.parts: tuple[Placed, ...] = ()
        self.terms: tuple[Pulled, ...] = ()  # of a map whose elements gather what they are
        self.results: tuple[Value, ...] = ()  # of a region
        self.step_of: Callable[[], AnyStep] | None = None  # what a region comes to
        self.form = "{0}"  # of a map
        self.calls = False
        self.fold: tuple[Fold, Shape] | None = None
        self.buffer: Buffer | None = None
        self.cost = 0
        self.few = True  # operations and reads
        self.leaves: frozenset[Value] = frozenset([self])
        self.step = -1  # the group that completes it
        self.stored = kind != "map"
        self.checks: list[Value] = []  # what says that they are within an axis, of indices

    @property
    def views(self) -> Iterator[View]:
        """What it is computed from, each element from those of the same index."""
        return (each for each in self.operands if isinstance(each, View))

    @property
    def cheap(self) -> bool:
        """Whether it is computed again rather than stored, if nothing else needs it stored."""
        return self.kind == "map" and not self.calls and not self.terms and self.few

    def settle(self) -> None:
        """Decide whether it is cheap, by its cost and its leaves: if not, it is one itself."""
        self.few = self.cost <= _CHEAP and len(self.leaves) <= _CHEAP_READS
        if not self.cheap:
            self.leaves = frozenset([self])


_CHEAP = 8  # weighted operations up to which a value is computed again where it is read
_CHEAP_READS = 2


class View(NamedTuple):
    """The elements of a value for each point of a shape; of a gather, by indices besides."""

    value: Value
    shape: Shape
    strides: Shape
    offset: int
    indices: tuple[tuple[View, int, int], ...] = ()
    after: Value | None = None  # what is to be computed before these are read again

    @property
    def whole(self) -> bool:
        """Whether these are all elements, in order."""
        squeezed = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        shape = tuple([n for n, _ in squeezed])
        return (
            not self.indices
            and math.prod(self.shape) == math.prod(self.value.shape)
            and tuple([s for _, s in squeezed]) == contiguous(shape)
        )

    def along(self, shape: Shape, strides: Shape, offset: int = 0) -> View:
        return View(self.value, shape, strides, self.offset + offset, (), self.after)


def memory(value: Value) -> Buffer:
    """The buffer of a value."""
    if value.buffer is None:
        value.buffer = Buffer(value.dtype, math.prod(value.shape), "work")
    return value.buffer


def contiguous(shape: Shape) -> Shape:
    """The strides of an array in C order, in elements."""
    strides = []
    size = 1
    for extent in reversed(shape):
        strides.append(size)
        size *= extent
    return tuple(reversed(strides))


def squeezed(shape: Shape) -> Shape:
    """The axes along which there is more than one element, or none."""
    return tuple([extent for extent in shape if extent != 1])


_ONE = np.zeros(1, np.int8)


def seen(
    shape: Shape, strides: Shape, change: Callable[[Any], Any]
) -> tuple[Shape, Shape, int]:
    """What NumPy makes of an array with this layout, which has no memory: it is not looked at."""
    blank = np.lib.stride_tricks.as_strided(_ONE, (*shape, 1), (*strides, 0), writeable=False)
    found = change(blank)
    offset = found.__array_interface__["data"][0] - _ONE.__array_interface__["data"][0]
    return found.shape[:-1], found.strides[:-1], offset if found.size else 0


def reshaped(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """The strides of the same elements in another shape; None where they have to be moved."""
    if 0 in new:
        return contiguous(new)
    old = [pair for pair in zip(shape, strides, strict=True) if pair[0] != 1]
    wanted = [extent for extent in new if extent != 1]
    found: list[int] = []
    while old:
        group, parts = [old.pop(0)], [wanted.pop(0)]
        while (have := math.prod(n for n, _ in group)) != (want := math.prod(parts)):
            if have < want:
                group.append(old.pop(0))
            else:
                parts.append(wanted.pop(0))
        for (_, outer), (extent, inner) in pairwise(group):
            if outer != extent * inner:
                return None
        found += [group[-1][1] * stride for stride in contiguous(tuple(parts))]
    rest = iter(found)
    return tuple([next(rest) if extent != 1 else 0 for extent in new])


class Pulled(NamedTuple):
    """Of a value whose elements gather their terms: from where on, what, and whether it is added.

    The source has as many axes as the value.
    """

    start: Shape
    source: View
    adds: bool

    @property
    def box(self) -> tuple[tuple[int, int], ...]:
        """For each axis where it starts, and where it ends."""
        pairs = zip(self.start, self.source.shape, strict=True)
        return tuple([(start, start + extent) for start, extent in pairs])


class Placed(NamedTuple):
    """Of a value stored part by part: where, what, and whether it is added.

    A part that is `apart` overlaps no other one.
    """

    place: View
    source: View
    adds: bool
    apart: bool


def spread(view: View, shape: Shape) -> View:
    """A view broadcast to a shape."""
    lead = len(shape) - len(view.shape)
    pairs = zip(view.shape, shape[lead:], view.strides, strict=True)
    strides = tuple([stride if n == m else 0 for n, m, stride in pairs])
    return view._replace(shape=shape, strides=(0,) * lead + strides)
