"""Stores into parts of an array, turned round: each element gathers what goes there.

Many sweeps that write a few elements each become one that writes them all, once.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdiff.schedule.kernels import inlinable, through_axes
from symdiff.schedule.pieces import MOST, borders, count
from symdiff.schedule.values import Placed, Pulled, Value, View


def pull(values: Sequence[Value]) -> None:
    """Turn round what is stored part by part, where that saves memory traffic."""
    for value in values:
        if value.kind == "parts" and 0 not in value.shape and _pays(value.parts):
            found = [_pulled(value, part) for part in value.parts]
            terms = [each for each in found if each is not None]
            if len(terms) == len(found) and _few(value, terms) and _is_covered(value, terms):
                value.kind, value.terms, value.parts = "map", tuple(terms), ()
                value.stored = value.buffer is not None


def _pays(parts: Sequence[Placed]) -> bool:
    """Whether places are written more than once, or sources cost no memory of their own."""
    return any(each.adds for each in parts) or all(
        each.source.value.kind != "map" or inlinable(each.source) for each in parts
    )


def _few(value: Value, terms: Sequence[Pulled]) -> bool:
    return count(borders(value.shape, [each.box for each in terms])) <= MOST


def _is_covered(value: Value, terms: Sequence[Pulled]) -> bool:
    """Whether each element has a term that is put there, before others are added."""
    if not terms[0].adds and terms[0].source.shape == value.shape:
        return True
    return not any(each.adds for each in terms) and _joined(value, terms)


def _joined(value: Value, terms: Sequence[Pulled]) -> bool:
    """Whether the boxes of terms lie one behind the other, along one axis."""
    axes = [
        i for i, n in enumerate(value.shape) if any(each.source.shape[i] != n for each in terms)
    ]
    if len(axes) != 1:
        return False
    at = 0
    for each in terms:
        start, stop = each.box[axes[0]]
        if start != at:
            return False
        at = stop
    return at == value.shape[axes[0]]


def _pulled(value: Value, part: Placed) -> Pulled | None:
    """A part by the axes of the whole; None where that is not one box."""
    place, source = part.place, part.source
    through = through_axes(place) if not (place.indices or source.indices) else None
    if through is None:
        return None
    start, shape, strides = [], [], []
    offset = source.offset
    for factors, first in zip(through.factors, through.offsets, strict=True):
        own = [axis for axis, factor in enumerate(factors) if factor]
        if not own:
            start.append(first)
            shape.append(1)
            strides.append(0)
            continue
        axis = own[0]
        extent, factor = place.shape[axis], factors[axis]
        if len(own) > 1 or abs(factor) != 1:
            return None
        if factor < 0:  # it is filled from its end
            first -= extent - 1
            offset += source.strides[axis] * (extent - 1)
        start.append(first)
        shape.append(extent)
        strides.append(source.strides[axis] * factor)
    view = View(source.value, tuple(shape), tuple(strides), offset, (), source.after)
    return Pulled(tuple(start), view, part.adds)
