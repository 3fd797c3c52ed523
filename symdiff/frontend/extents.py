"""Parts whose length the index of a captured loop decides: `A[i, :j]`, `x[i + 1 :]`.

An end of such a part is a sum of indices and numbers. Where it certainly lies in the array in each
turn, a number stands for it (`ir.extent`), and the loop need not be unrolled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from symdiff.frontend import context
from symdiff.ir.extent import Affine, affine_of, is_open, least, number_of
from symdiff.ir.node import Const, Node, constant, node
from symdiff.ops import elementwise as e
from symdiff.ops.control import INDEX

if TYPE_CHECKING:
    from symdiff.frontend.context import Context

_DEPTH = 16  # operations in an expression for an end
_OF_NONE = {"sum", "prod", "any", "all", "count_nonzero", "norm"}  # have a value of no elements


def enter(index: Node, first: Any, step: int, trips: Any) -> int | None:
    """The level of a loop whose index goes from `first` in steps, if its range is known."""
    running = context.current()
    assert running is not None
    flow = running.flow
    if flow.capturing is None or not flow.capturing.extents or not trips_known(trips):
        return None
    level = len(flow.levels)
    last = Affine((), first).plus(_count(trips).plus(Affine((), -1)), step)
    ends = (Affine((), first), last)
    flow.levels[index] = level
    flow.ranges[level] = ends if step > 0 else ends[::-1]
    return level


def trips_known(trips: Any) -> bool:
    """Whether the number of turns is a number, or a sum of indices and numbers."""
    return type(trips) is int or affine(trips.node) is not None


def _count(trips: Any) -> Affine:
    found = Affine((), trips) if type(trips) is int else affine(trips.node)
    assert found is not None
    return found


def leave(index: Node) -> None:
    """The body of a loop has been run."""
    running = context.current()
    assert running is not None
    level = running.flow.levels.pop(index, None)
    if level is not None:
        del running.flow.ranges[level]
        running.flow.measured.discard(level)


def affine(root: Node, depth: int = _DEPTH) -> Affine | None:
    """A sum of indices of the loops around and a number; None if a value is something else."""
    running = context.current()
    assert running is not None
    level = running.flow.levels.get(root)
    if level is not None:
        return Affine((0,) * level + (1,))
    if isinstance(root, Const):
        return Affine((), int(root.value)) if root.type.dtype.kind == "i" else None
    if not depth:
        return None
    if root.op is e.negative:
        found = affine(root.args[0], depth - 1)
        return None if found is None else Affine().plus(found, -1)
    if root.op not in (e.add, e.subtract, e.multiply):
        return None
    one, other = (affine(arg, depth - 1) for arg in root.args)
    if one is None or other is None:
        return None
    if root.op is not e.multiply:
        return one.plus(other, 1 if root.op is e.add else -1)
    one, other = (other, one) if one.factors else (one, other)
    return None if one.factors else Affine().plus(other, one.rest)


def end_of(value: Any) -> int | None:
    """The number that stands for the end of a part, a traced one; None if there is none."""
    running = context.current()
    if running is None or not running.flow.levels or value.shape:
        return None
    found = affine(value.node)
    if found is None or not found.factors:
        return None
    running.flow.measured.update(i for i, factor in enumerate(found.factors) if factor)
    return number_of(found)


def expression(number: int) -> Node | None:
    """What a number that stands for a length is computed from; None where it stands for itself.

    So what a function computes from a length is computed from the index.
    """
    running, value = context.current(), affine_of(number)
    if running is None or not value.factors:
        return None
    indices = {level: index for index, level in running.flow.levels.items()}
    total: Node | None = constant(value.rest, INDEX) if value.rest else None
    for level, factor in enumerate(value.factors):
        if not factor:
            continue
        if level not in indices:
            return None
        term = indices[level]
        if abs(factor) != 1:
            term = node(e.multiply, (constant(abs(factor), INDEX), term))
        if total is None:
            total = term if factor > 0 else node(e.negative, (term,))
        else:
            total = node(e.add if factor > 0 else e.subtract, (total, term))
    return total


def checked(shape: tuple[int, ...], index: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index, its ends that an index of a loop decides counted from the front.

    Raises NeedsValue where such an end is not known to lie in the array in each turn.
    """
    running = context.current()
    bounds = [each for entry in index if isinstance(entry, tuple) for each in entry[1:]]
    if running is None or not is_open([each for each in bounds if type(each) is int]):
        return index
    axes = iter(shape)
    return tuple([
        entry if entry is None else _checked(entry, next(axes, 0), running) for entry in index
    ])


def _checked(entry: Any, whole: int, running: Context) -> Any:
    if not isinstance(entry, tuple) or entry[0] != "slice":
        return entry
    _, start, stop, step = entry
    start, stop = (_from_front(each, whole, running.flow.ranges) for each in (start, stop))
    given = tuple([each for each in (start, stop) if each is not None])
    if is_open(given) and not (step in (None, 1) and _inside(start or 0, stop, whole)):
        running.flow.check(False, "the ends of a part may lie outside of the array")
    return "slice", start, stop, step


def _from_front(end: Any, whole: int, ranges: Mapping[int, Any]) -> Any:
    """An end that is negative in each turn, as what it is in an axis of this extent."""
    if end is None or not is_open((end,)):
        return end
    found = affine_of(end)
    below = least(Affine((), -1).plus(found, -1), ranges)
    return number_of(affine_of(whole).plus(found)) if below is not None and below >= 0 else end


def check_reduced(made: Node) -> None:
    """Raises NeedsValue where what has no value of no elements is taken of what may have none."""
    x = made.args[0].type if made.args else None
    if x is None or not is_open(x.shape) or made.op.name in _OF_NONE:
        return
    params = dict(made.params)
    if "axis" not in params or "keepdims" not in params:
        return
    axis = params["axis"]
    over = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    running = context.current()
    assert running is not None
    for i in over:
        fewest = least(affine_of(x.shape[i]), running.flow.ranges)
        if fewest is None or fewest < 1:
            running.flow.check(False, "a part may have no elements")


def _inside(start: int, stop: int | None, whole: int) -> bool:
    running = context.current()
    assert running is not None
    axis = affine_of(whole)
    first, last = affine_of(start), axis if stop is None else affine_of(stop)
    if not last.factors and last.rest < 0:
        last = axis.plus(last)
    gaps = (first, last.plus(first, -1), axis.plus(last, -1))
    found = [least(each, running.flow.ranges) for each in gaps]
    return all(each is not None and each >= 0 for each in found)
