"""Which arrays a program may overwrite: its own, once nothing reads them or views of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from symdiff.ir.node import Const, Input, Node
from symdiff.ops.primitive import Primitive
from symdiff.schedule.program import Expression


class Buffers:
    """Counts, for each buffer, the reads of it and of its views that are still to come."""

    def __init__(
        self,
        reads: Mapping[Node, tuple[Node, ...]],
        uses: Mapping[Node, int],
        named: Mapping[Node, str],
    ) -> None:
        self._reads = reads
        self._named = named
        self._left: dict[Node, int] = {}
        for each, count in uses.items():
            root = self._root(each)
            self._left[root] = self._left.get(root, 0) + count

    def _root(self, each: Node) -> Node:
        """The node whose buffer this one is, or is a view of."""
        while isinstance(each.op, Primitive) and each.op.view:
            each = self._reads[each][0]
        return each

    def consume(self, expression: Expression) -> None:
        """Note that a statement reads the operands of this expression."""
        stack = list(expression.operands)
        while stack:
            part = stack.pop()
            self._left[self._root(part.node)] -= 1
            stack.extend(part.operands)

    def release(self, each: Node) -> None:
        """Note one read of a node."""
        self._left[self._root(each)] -= 1

    def free(self, each: Node) -> bool:
        """Whether the node is a named array of this program's own that nothing reads any more."""
        return (
            each in self._named
            and not isinstance(each, (Input, Const))
            and allocates(each)
            and self._left[each] == 0
        )


def allocates(each: Node) -> bool:
    """Whether computing the node makes a new array, and not a view or a scalar."""
    return bool(each.type.shape) and not (isinstance(each.op, Primitive) and each.op.view)


def overwritable(expression: Expression, buffers: Buffers) -> Collection[int]:
    """The operands of an elementwise expression whose buffers may hold its result."""
    each = expression.node
    if not (isinstance(each.op, Primitive) and each.op.elementwise and each.type.shape):
        return ()
    return tuple(
        i
        for i, part in enumerate(expression.operands)
        if not part.operands and part.node.type == each.type and buffers.free(part.node)
    )
