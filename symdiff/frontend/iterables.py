"""Iterables: what a loop goes over, where its elements can be computed from their number."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from symdiff.frontend.alike import ends_of_kinds, is_of_arrays
from symdiff.frontend.joins import is_numeric
from symdiff.frontend.speculation import UNBOUND, FailedError
from symdiff.frontend.tracer import Tracer

if TYPE_CHECKING:
    from symdiff.frontend.context import Context
    from symdiff.frontend.loops import Loop

FEW = 4  # loops of fewer trips are unrolled


class Source:
    """What a loop goes over, where its elements can be computed from their number."""

    start: Any = 0
    step: Any = 1
    affine = False  # whether elements are start + step * k

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def count(self) -> Any:
        """The number of elements: an int, or a traced one."""
        raise NotImplementedError

    def ends(self) -> list[Any]:
        """Where stretches of elements of one kind end."""
        return [self.count()]

    def element(self, k: Any, loop: Loop) -> Any:
        """What stands for the element with this number."""
        raise NotImplementedError


class Range(Source):
    """A range, the ends of which may be traced."""

    affine = True

    def __init__(self, *limits: Any) -> None:
        self.limits = limits
        self.start, stop, step = (0, limits[0], 1) if len(limits) == 1 else (*limits, 1)[:3]
        self.stop = stop
        self.step = step

    def __iter__(self) -> Iterator[int]:
        return iter(range(*map(operator.index, self.limits)))

    def count(self) -> Any:
        if not any(isinstance(each, Tracer) for each in self.limits):
            return len(range(*self.limits))
        if isinstance(self.step, Tracer):
            raise FailedError("the step of its range is traced")
        first, last, step = self.start, self.stop, self.step
        if step < 0:
            first, last, step = last, first, -step
        count: Any = last if _is_zero(first) else last - first
        return count if step == 1 else (count + (step - 1)) // step

    def element(self, k: Any, loop: Loop) -> Any:
        return k

    def reversed(self) -> Range:
        """From the end to the start."""
        count = len(range(*self.limits))
        last = self.start + self.step * (count - 1)
        return Range(last, last - count * self.step, -self.step)


def _is_zero(value: Any) -> bool:
    return type(value) is int and value == 0


class Rows(Source):
    """The rows of an array."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    def count(self) -> int:
        return int(self.array.shape[0])

    def element(self, k: Any, loop: Loop) -> Any:
        return loop.row(self.array, k)


class Listed(Source):
    """The elements of a list or a tuple: arrays, or trees of them."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.known = tuple(values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def count(self) -> int:
        return len(self.known)

    def ends(self) -> list[Any]:
        return list(ends_of_kinds(self.known))

    def element(self, k: Any, loop: Loop) -> Any:
        if len(self.values) != len(self.known) or any(
            map(operator.is_not, self.values, self.known)
        ):
            raise FailedError("it changes the list that it goes over")
        return loop.alike(self.known[loop.begin : loop.end])

    def reversed(self) -> Listed:
        """From the end to the start."""
        return Listed(self.known[::-1])


class Unread(Source):
    """Keys of a dict that no statement reads: while the loop is captured there are none."""

    def __init__(self, keys: Any) -> None:
        self.keys = keys

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys)

    def count(self) -> int:
        return len(self.keys)

    def element(self, k: Any, loop: Loop) -> Any:
        return UNBOUND


class Zipped(Source):
    """Several at once."""

    def __init__(self, parts: Sequence[Source]) -> None:
        self.parts = parts
        first = parts[0]
        if first.affine:
            self.start, self.step = first.start, first.step

    def __iter__(self) -> Iterator[Any]:
        return zip(*self.parts, strict=False)

    def count(self) -> Any:
        counts = [each.count() for each in self.parts]
        if any(isinstance(each, Tracer) for each in counts):
            raise FailedError("it goes over several things, the length of one of which is traced")
        return min(counts)

    def ends(self) -> list[Any]:
        whole = self.count()
        return sorted({min(end, whole) for each in self.parts for end in each.ends()})

    def element(self, k: Any, loop: Loop) -> Any:
        return tuple([_shifted(each, k, self, loop) for each in self.parts])


class Counted(Source):
    """Elements and their numbers."""

    def __init__(self, part: Source, start: int = 0) -> None:
        self.part = part
        self.start = start

    def __iter__(self) -> Iterator[Any]:
        return enumerate(self.part, self.start)

    def count(self) -> Any:
        return self.part.count()

    def ends(self) -> list[Any]:
        return self.part.ends()

    def element(self, k: Any, loop: Loop) -> Any:
        return k, _shifted(self.part, k, self, loop)


def _shifted(part: Source, k: Any, whole: Source, loop: Loop) -> Any:
    """The element of a part, where k = start + step * number of the whole."""
    if part.affine and (part.start, part.step) == (whole.start, whole.step):
        return part.element(k, loop)
    number = k
    if whole.step != 1 or whole.start != 0:
        number = (k - whole.start) // whole.step if whole.step != 1 else k - whole.start
    if part.affine or isinstance(part, (Zipped, Counted)):
        number = part.start + part.step * number
    return part.element(number, loop)


class Plain:
    """The turns of a loop as Python goes through them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.elements: Iterator[Any] | None = None
        self.taken = 0

    def turns(self, begin: int, end: int | None = None) -> Iterator[Any]:
        """The elements from one on; those before it are left out."""
        if self.elements is None:
            self.elements = iter(self.source)
        skipped = begin - self.taken
        self.taken = begin if end is None else end
        return islice(self.elements, skipped, None if end is None else skipped + end - begin)


def as_source(value: Any) -> Source | None:
    """What a loop goes over, where that is something that can be captured."""
    if isinstance(value, Source):
        return value
    if type(value) is range:
        return Range(value.start, value.stop, value.step)
    if type(value) in (list, tuple, type({}.values())) and len(value) >= FEW:
        known = not any(map(is_of_arrays, islice(value, FEW)))
        return None if known else Listed(value)
    numeric = isinstance(value, (Tracer, np.ndarray)) and is_numeric(value)
    return Rows(value) if numeric and value.shape else None


def settled_count(running: Context, count: Any) -> Any:
    """A number of trips: an int where it is known."""
    if isinstance(count, Tracer):
        if running.is_fixed(count.node):
            return operator.index(count)
        if count.dtype.kind not in "iu" or count.shape:
            raise FailedError("its number of turns is no integer")
    return count
