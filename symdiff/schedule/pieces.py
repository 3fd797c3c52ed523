"""A sweep in which not all is done everywhere, cut into pieces where the same is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from symdiff.schedule.loops import Access, Kernel, Load, Shape, Step, Store, Total

Box = tuple[tuple[int, int], ...]  # for each axis where it starts, and where it ends
MOST = 9  # pieces: the inside, edges and corners of a plane


class Term(NamedTuple):
    """A value that is put, or added to what is there, in a box."""

    box: Box
    value: int
    adds: bool


class Pull(NamedTuple):
    """A value that is at each point what its terms make of it, one after the other."""

    terms: tuple[Term, ...]
    dtype: np.dtype[Any]


def borders(shape: Shape, boxes: Iterable[Box]) -> list[list[int]]:
    """Along each axis the places at which a box starts or ends."""
    found = [{0, extent} for extent in shape]
    for box in boxes:
        for own, ends in zip(found, box, strict=True):
            own.update(ends)
    return [sorted(each) if extent else [0, 0] for each, extent in zip(found, shape, strict=True)]


def count(places: Sequence[Sequence[int]]) -> int:
    """How many pieces there are between these borders."""
    number = 1
    for each in places:
        number *= len(each) - 1
    return number


def pieces(
    shape: Shape,
    values: Sequence[Load | Step | Pull],
    sinks: Sequence[tuple[Box, Store | Total]],
) -> Iterator[Kernel]:
    """The kernels of a sweep, each of whose sinks has its box."""
    terms = [term for each in values if isinstance(each, Pull) for term in each.terms]
    places = borders(shape, [box for box, _ in (*sinks, *((each.box, each) for each in terms))])
    begun: set[int] = set()
    whole = count(places) == 1
    for box in product(*map(pairwise, places)):
        active = [i for i, (own, _) in enumerate(sinks) if _within(box, own)]
        if not active:
            continue
        piece = _Piece(box, values)
        made = []
        for i in active:
            sink = sinks[i][1]
            value = piece.number(sink.value)
            if isinstance(sink, Total):
                part = "" if whole else "later" if i in begun else "first"
                begun.add(i)
                axes = tuple([at for at, axis in enumerate(piece.kept) if axis in sink.axes])
                sink = sink._replace(axes=axes, part=part)
            made.append(sink._replace(value=value, access=piece.moved(sink.access)))
        yield Kernel(piece.shape, tuple(piece.values), tuple(made))


def _within(inner: Box, outer: Box) -> bool:
    pairs = zip(inner, outer, strict=True)
    return all(start >= first and stop <= last for (start, stop), (first, last) in pairs)


class _Piece:
    """What is needed in a box, numbered anew."""

    def __init__(self, box: Box, values: Sequence[Load | Step | Pull]) -> None:
        self.box = box
        self.all = values
        self.kept = [i for i, (start, stop) in enumerate(box) if stop - start != 1]
        self.shape = tuple([box[i][1] - box[i][0] for i in self.kept])
        self.values: list[Load | Step] = []
        self.numbers: dict[int, int] = {}

    def moved(self, access: Access) -> Access:
        """An access by the indices of the piece."""
        pairs = zip(access.strides, self.box, strict=True)
        offset = access.offset + sum(stride * start for stride, (start, _) in pairs)
        indices = tuple([(self.moved(index), *rest) for index, *rest in access.indices])
        strides = tuple([access.strides[i] for i in self.kept])
        return Access(access.buffer, strides, offset, indices)  # type: ignore[arg-type]

    def number(self, value: int) -> int:
        """The number that a value has here. What it is computed from comes before."""
        waiting = [value]
        while waiting:
            i = waiting[-1]
            missing = [k for k in self.operands(i) if k not in self.numbers]
            if missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if i not in self.numbers:
                self.numbers[i] = self.add(i)
        return self.numbers[value]

    def operands(self, i: int) -> list[int]:
        each = self.all[i]
        if isinstance(each, Pull):
            return [term.value for term in self.terms(each)]
        return [k for k in each.operands if k >= 0] if isinstance(each, Step) else []

    def terms(self, pull: Pull) -> list[Term]:
        """Those that count here: nothing of what is there before one that is put."""
        found = [each for each in pull.terms if _within(self.box, each.box)]
        last = max([i for i, each in enumerate(found) if not each.adds])
        return found[last:]

    def add(self, i: int) -> int:
        each = self.all[i]
        if isinstance(each, Load):
            made: Load | Step = each._replace(access=self.moved(each.access))
        elif isinstance(each, Step):
            made = each._replace(operands=tuple([self.numbers.get(k, -1) for k in each.operands]))
        else:
            numbers = [self.numbers[term.value] for term in self.terms(each)]
            if len(numbers) == 1 and self.values[numbers[0]].dtype == each.dtype:
                return numbers[0]
            form = " + ".join([f"{{{k}}}" for k in range(len(numbers))])
            made = Step(form, tuple(numbers), each.dtype, calls=False)
        self.values.append(made)
        return len(self.values) - 1
