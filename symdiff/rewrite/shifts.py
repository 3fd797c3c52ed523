"""hold_shifts: maxima that only guard against overflow are constants for differentiation.

In `z = x - max(x); z[i, y] - log(sum(exp(z)))` the maximum cancels: whatever is subtracted, the
result is the same, so the derivative with respect to it is 0 and need not be computed. Each such
maximum is found by following a change of it, `max + d`, through the program: a value changes by
`k d` (a sum) or by the factor `exp(k d)` (a product), aligned with certain axes, until it cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.graph import Graph, substitute, users
from symdiff.ir.node import Const, Node, node
from symdiff.ops import elementwise as e
from symdiff.ops import reductions, shaping
from symdiff.ops.shaping import ARRAY, ROWS, is_mask
from symdiff.rewrite.engine import Application

Labels = tuple[int | None, ...]  # for each axis, the axis of the maximum that it runs along


class Change(NamedTuple):
    """How a value answers to `max + d`: it gains `rate * d`, or the factor `exp(rate * d)`."""

    rate: float
    labels: Labels
    factor: bool = False

    @property
    def cancelled(self) -> bool:
        return self.rate == 0


def hold_shifts(graph: Graph, log: list[Application]) -> Graph:
    """The graph with stop_gradient around the maxima that cancel."""
    nodes = graph.nodes()
    maxima = [each for each in nodes if each.op is reductions.max_ and each.type.inexact]
    if not maxima:
        return graph
    readers = users(nodes)
    results = {*graph.outputs, *graph.effects}
    held = {
        each: node(e.stop_gradient, (each,)) for each in maxima if cancels(each, readers, results)
    }
    if not held:
        return graph
    new = substitute((*graph.outputs, *graph.effects), held)
    notes = dict(graph.notes)
    for before, after in new.items():
        if before in notes:
            notes.setdefault(after, notes[before])
    for before, after in held.items():
        note = notes.get(before)
        log.append(Application("hold-shift", before, after, note.position if note else None))
    outputs = tuple([new[each] for each in graph.outputs])
    effects = tuple([new[each] for each in graph.effects])
    return Graph(graph.name, graph.inputs, outputs, effects, notes)


def cancels(maximum: Node, readers: dict[Node, list[Node]], results: set[Node]) -> bool:
    """Whether no result depends on what the maximum is."""
    labels = tuple([i if extent > 1 else None for i, extent in enumerate(maximum.type.shape)])
    changes = {maximum: Change(1, labels)}
    waiting = {maximum}
    while waiting:
        each = min(waiting, key=lambda node: node.serial)
        waiting.remove(each)
        if each is not maximum:
            change = _answer(each, changes)
            if change is None:
                return False
            changes[each] = change
        if not changes[each].cancelled:
            if each in results:
                return False
            waiting.update(readers.get(each, ()))
    return True


def _answer(each: Node, changes: dict[Node, Change]) -> Change | None:
    """How a value changes when its operands do; None where that is neither sum nor factor."""
    found = [changes.get(arg) for arg in each.args]
    moving = [change for change in found if change is not None and not change.cancelled]
    if not moving:
        return Change(0, ())
    if len({change.labels for change in moving}) > 1:
        return None
    rule = _RULES.get(each.op)
    return rule(each, found, moving[0]) if rule is not None else None


Operands = list[Change | None]


def _rates(found: Operands) -> list[float]:
    return [0.0 if each is None else each.rate for each in found]


def _sum(each: Node, found: Operands, first: Change) -> Change | None:
    """x + y and x - y: rates add, and a factor that both have stays."""
    left, right = _rates(found)
    if first.factor:
        same = found[0] is not None and found[1] is not None and left == right
        return first if same and found[0] == found[1] else None
    if any(change is not None and change.factor and change.rate for change in found):
        return None
    return first._replace(rate=left - right if each.op is e.subtract else left + right)


def _product(each: Node, found: Operands, first: Change) -> Change | None:
    """x * y and x / y: the rates of factors add; a gain is scaled by a constant."""
    left, right = _rates(found)
    if all(change is None or change.factor or not change.rate for change in found):
        return first._replace(rate=left - right if each.op is e.divide else left + right)
    return _scaled_gain(each, found, first)


def _scaled_gain(each: Node, found: Operands, first: Change) -> Change | None:
    place = next(i for i, change in enumerate(found) if change is first)
    other = each.args[1 - place]
    if not isinstance(other, Const) or not other.uniform:
        return None
    if each.op is e.multiply:
        return first._replace(rate=first.rate * float(other.value))
    return first._replace(rate=first.rate / float(other.value)) if place == 0 else None


def _negative(each: Node, found: Operands, first: Change) -> Change | None:
    return first if first.factor else first._replace(rate=-first.rate)


def _exp(each: Node, found: Operands, first: Change) -> Change | None:
    return None if first.factor else first._replace(factor=True)


def _log(each: Node, found: Operands, first: Change) -> Change | None:
    return first._replace(factor=False) if first.factor else None


def _same(each: Node, found: Operands, first: Change) -> Change | None:
    return first


def _reduce(each: Node, found: Operands, first: Change) -> Change | None:
    """A reduction along axes on which nothing changes differently."""
    axis, keepdims = each.param("axis"), each.param("keepdims")
    if any(first.labels[i] is not None for i in axis):
        return None
    labels = tuple([label for i, label in enumerate(first.labels) if keepdims or i not in axis])
    if each.op is reductions.sum_ and not first.factor:
        count = each.args[0].type.size // max(each.type.size, 1)
        return first._replace(rate=first.rate * count, labels=labels)
    return first._replace(labels=labels)


def _reshape(each: Node, found: Operands, first: Change) -> Change | None:
    """A reshape that only adds or drops axes of extent 1."""
    before, after = each.args[0].type.shape, each.type.shape
    real = [label for label, extent in zip(first.labels, before, strict=True) if extent != 1]
    if [extent for extent in before if extent != 1] != [extent for extent in after if extent != 1]:
        return None
    remaining = iter(real)
    labels = tuple([None if extent == 1 else next(remaining) for extent in after])
    return first._replace(labels=labels)


def _transpose(each: Node, found: Operands, first: Change) -> Change | None:
    return first._replace(labels=tuple([first.labels[i] for i in each.param("axes")]))


def _broadcast(each: Node, found: Operands, first: Change) -> Change | None:
    lead = each.type.ndim - len(first.labels)
    return first._replace(labels=(*(None,) * lead, *first.labels))


def _getitem(each: Node, found: Operands, first: Change) -> Change | None:
    """An index that takes labelled axes whole: `:`, or 0, 1, 2, … beside other index arrays."""
    index, arrays = each.param("index"), iter(each.args[1:])
    if any(map(is_mask, index)):
        return None
    source = each.args[0].type.shape
    labels: list[int | None] = []
    rows: int | None = None  # the label of the axis that the index arrays make
    place: list[int] = []  # where they stand
    axis = 0
    for position, entry in enumerate(index):
        if entry is None:
            labels.append(None)
            continue
        label = first.labels[axis]
        if entry == ARRAY:
            array = next(arrays)
            if array.type.ndim != 1 or (label is not None and not _counts(array, source[axis])):
                return None
            rows = label if label is not None else rows
            place.append(position)
            if len(place) == 1:
                labels.append(None)  # filled in below
                slot = len(labels) - 1
        elif isinstance(entry, int):
            if label is not None or ARRAY in index:
                return None
        elif label is not None and entry != ROWS:
            return None
        else:
            labels.append(label)
        axis += 1
    if place:
        if place != list(range(place[0], place[-1] + 1)):
            return None
        labels[slot] = rows
    return first._replace(labels=(*labels, *first.labels[axis:]))


def _counts(array: Node, extent: int) -> bool:
    """Whether the array is known to be 0, 1, 2, … up to the extent."""
    if not isinstance(array, Const) or array.uniform:
        return False
    return bool(np.array_equal(array.value, np.arange(extent)))


_RULES: dict[Any, Callable[[Node, Operands, Change], Change | None]] = {
    e.add: _sum,
    e.subtract: _sum,
    e.multiply: _product,
    e.divide: _product,
    e.negative: _negative,
    e.exp: _exp,
    e.log: _log,
    e.stop_gradient: _same,
    reductions.sum_: _reduce,
    reductions.max_: _reduce,
    reductions.min_: _reduce,
    shaping.reshape: _reshape,
    shaping.transpose: _transpose,
    shaping.broadcast_to: _broadcast,
    shaping.getitem: _getitem,
}
