"""Resized: arrays that get longer or shorter by as much in each turn of a captured loop.

The loop carries an array that has room for the longest, of which each turn reads the front.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from symdiff.frontend import context
from symdiff.frontend.tracer import coerce
from symdiff.ir.extent import Affine, affine_of, least, number_of
from symdiff.ir.node import Node, constant, node
from symdiff.ir.types import ArrayType
from symdiff.ops.shaping import Shape, getitem, index_set

if TYPE_CHECKING:
    from symdiff.frontend.loops import Loop


class Resized(NamedTuple):
    """The shapes of such an array: when a turn begins and ends, before the loop and after it."""

    before: Shape
    after: Shape
    first: Shape
    last: Shape
    whole: Shape  # which has room for all of them
    level: int

    def part(self, whole: Node) -> Node:
        """The array as a turn finds it."""
        running = context.current()
        assert running is not None
        running.flow.measured.add(self.level)
        return node(getitem, (whole,), (("index", _front(self.before)),))

    def begun(self, array: Node) -> Node:
        """The whole array before the loop."""
        if self.first == self.whole:
            return array
        return _with_front(_zeros(array.type.with_shape(self.whole)), array)

    def ended(self, whole: Node, array: Node) -> Node:
        """The whole array after a turn."""
        return _with_front(whole, array)

    def result(self, whole: Node) -> Node:
        """The array after the loop."""
        if self.last == self.whole:
            return whole
        return node(getitem, (whole,), (("index", _front(self.last)),))


def _zeros(type: ArrayType) -> Node:
    return coerce(constant(type.dtype.type(0), type.with_shape(())), type)


def _front(shape: Shape) -> tuple[Any, ...]:
    return tuple([("slice", None, each, None) for each in shape])


def _with_front(whole: Node, array: Node) -> Node:
    params = (("distinct", True), ("index", _front(array.type.shape)))
    return node(index_set, (whole, array), params)


def resized(first: Shape, other: Shape, loop: Loop, turn: int) -> Resized | None:
    """The shapes of an array of which that before the first turn is known, and another one.

    That is so many turns later. None where they are not counted: it has more axes then, or would
    have less than no elements, or the number of turns is not known.
    """
    trips, level = loop.trips_left(), loop.level
    if len(first) != len(other) or type(trips) is not int or level is None:
        return None
    running = context.current()
    assert running is not None
    index = Affine((0,) * level + (1,))
    before, after, last, whole = [], [], [], []
    for one, two in zip(map(affine_of, first), map(affine_of, other), strict=True):
        growth = Affine().plus(two.plus(one, -1), turn)
        times, rest = divmod(growth.rest, loop.stride)
        if growth.factors or rest:
            return None
        here = one.plus(index, times).plus(Affine((), -times * loop.first))
        end = one.plus(growth, trips)
        fewest = least(end, running.flow.ranges)
        if fewest is None or fewest < 0:
            return None
        before.append(number_of(here))
        after.append(number_of(here.plus(growth)))
        last.append(number_of(end))
        whole.append(number_of(end if growth.rest > 0 else one))
    return Resized(tuple(before), tuple(after), first, tuple(last), tuple(whole), level)
