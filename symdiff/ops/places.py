"""Places: whether index arrays name each place of an array once, as far as that is known."""

from __future__ import annotations

from collections.abc import Sequence

from symdiff.ir.node import Const, Node
from symdiff.ops import shaping
from symdiff.ops.primitive import Primitive


def distinct(indices: Sequence[Node]) -> bool:
    """Whether index arrays certainly name each place once.

    One of them repeats nothing, or one orders along an axis and the others number its other axes.
    """
    shapes = {each.type.shape for each in indices}
    if len(shapes) == 1 and (shapes == {()} or any(map(_repeats_nothing, indices))):
        return True
    ordered = [each for each in indices if _is_distinct(each) and each.type.ndim > 1]
    if len(ordered) != 1:
        return False
    (order,) = ordered
    axes = {order.param("axis")}
    for each in indices:
        axis = _numbered_axis(each, order.type.ndim)
        axes |= set() if axis is None else {axis}
    return all(i in axes or extent == 1 for i, extent in enumerate(order.type.shape))


def _is_distinct(index: Node) -> bool:
    return isinstance(index.op, Primitive) and index.op.distinct


def _numbered_axis(index: Node, ndim: int) -> int | None:
    """The axis along which alone an index array changes, if it repeats nothing there."""
    long = [i for i, extent in enumerate(index.type.shape) if extent > 1]
    if len(long) != 1 or not _repeats_nothing(index):
        return None
    return ndim - index.type.ndim + long[0]


def _repeats_nothing(index: Node) -> bool:
    """Whether an index array is known to be 0, 1, 2, …, or an order, or where a mask is True."""
    if index.op is shaping.getitem and len(index.args) == 2 and index.type.ndim == 1:
        base, chosen = index.args
        return _repeats_nothing(base) and (chosen.type.dtype == bool or _repeats_nothing(chosen))
    if _is_distinct(index):
        return index.args[0].type.ndim == 1
    if not isinstance(index, Const) or index.uniform:
        return False
    places = index.value.ravel().tolist()
    once = len(set(places)) == len(places)
    return once and all((each < 0) == (places[0] < 0) for each in places)  # -1 is another's name
