"""Which arrays a program may overwrite: its own, once nothing reads them or views of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter

from symdiff.ir.extent import is_open
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType
from symdiff.ops import shaping
from symdiff.ops.primitive import Primitive
from symdiff.schedule.implicit import operation
from symdiff.schedule.program import Expression

HUGE = 1 << 17  # bytes for which an allocator asks the system, which takes as long as to compute


class Buffers:
    """Counts, for each buffer, the reads of it and of its views that are still to come."""

    def __init__(
        self,
        reads: Mapping[Node, tuple[Node, ...]],
        uses: Mapping[Node, int],
        kept: Collection[Node] = (),
    ) -> None:
        self._kept = kept  # views that are copied
        self._holders: set[Node] = set()  # nodes that now live in an array of the program's own
        self._spare: dict[ArrayType, dict[Node, None]] = {}  # those that nothing reads any more
        self._left: dict[Node, int] = {}
        self.lasting: set[Node] = set()  # whose arrays have another name, as in a list
        self._unread = dict(uses)  # the same for each node by itself
        self._roots: dict[Node, Node] = {}  # whose buffer each one is, or is a view of
        for each in sorted(uses, key=attrgetter("serial")):  # operands first
            root = each if each in kept else root_of(each, reads, self._roots)
            self._roots[each] = root
            self._left[root] = self._left.get(root, 0) + uses[each]
        for each in uses:
            if _is_foreign(each):
                for arg in reads[each]:
                    self._left[self._roots[arg]] += 1  # a read that never comes

    def consume(self, expressions: Iterable[Expression]) -> None:
        """Note that a statement reads these expressions."""
        for part in _parts(expressions):
            self.release(part.node)

    def release(self, each: Node) -> None:
        """Note one read of a node."""
        self._unread[each] -= 1
        root = self._roots[each]
        self._left[root] -= 1
        if self._left[root] == 0 and root in self._holders:
            self._spare.setdefault(root.type, {})[root] = None

    def needed(self, each: Node) -> bool:
        """Whether a statement still to come, or the result, reads the node."""
        return self._unread.get(each, 0) > 0

    def made(self, each: Node) -> None:
        """Note that a statement has computed a node into an array of its own."""
        if allocates(each) or each in self._kept:
            self._holders.add(each)

    def give(self, old: Node, new: Node) -> None:
        """Note that the array of a node, or that it is a view of, holds another one from now on."""
        root = self._roots[old]
        del self._spare[root.type][root]
        self._holders.remove(root)
        self._holders.add(new)

    def hold(self, each: Node) -> None:
        """Note that what a node stands for is an array of this program's own, and nobody else's."""
        self._holders.add(each)

    def holds(self, each: Node) -> bool:
        """Whether the node is in an array of this program's own."""
        return self.root(each) in self._holders

    def part_with(self, each: Node) -> None:
        """Note that the array of a node is somebody else's from now on."""
        root = self.root(each)
        self._holders.discard(root)
        self._spare.get(root.type, {}).pop(root, None)

    def keep(self, each: Node) -> None:
        """Note that the array of a node has yet another name, which may be read at any time."""
        root = self.root(each)
        self.lasting.add(root)
        self._left[root] = self._left.get(root, 0) + 1
        self._spare.get(root.type, {}).pop(root, None)

    def free(self, each: Node) -> bool:
        """Whether the node is an array of this program's own that nothing reads any more."""
        return each in self._spare.get(each.type, ())

    def changeable(self, each: Node, read: Iterable[Expression]) -> bool:
        """Whether parts of the node can be replaced once these expressions have been read.

        It is an array of this program's own that nothing else reads any more, or a view of one.
        """
        root = self.root(each)
        if root not in self._holders or (isinstance(each.op, Primitive) and each.op.read_only):
            return False
        reads = sum(self._roots[part.node] is root for part in _parts(read))
        return self._left[root] == 1 + reads

    def ends(self, each: Node, read: Iterable[Expression]) -> bool:
        """Whether the node is in an array of its own that is free once these have been read."""
        if each not in self._holders:
            return False
        return self._left[each] == sum(self.root(part.node) is each for part in _parts(read))

    def is_last(self, each: Node, read: Iterable[Expression]) -> bool:
        """Whether nothing reads the node any more once these expressions have been read."""
        return self._unread.get(each, 0) == sum(part.node is each for part in _parts(read))

    def root(self, each: Node) -> Node:
        """Whose buffer a node is in."""
        return self._roots.get(each, each)

    def spare(self, type: ArrayType) -> list[Node]:
        """Arrays of this type that nothing reads any more."""
        return list(self._spare.get(type, ()))


def _parts(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """Expressions, and all that they are made of."""
    stack = list(expressions)
    while stack:
        part = stack.pop()
        yield part
        stack.extend(part.operands)


def root_of(each: Node, reads: Mapping[Node, tuple[Node, ...]], roots: Mapping[Node, Node]) -> Node:
    """Whose buffer a node is in, given those of its operands: its own, unless it is a view."""
    scalar = each.op is shaping.getitem and not each.type.shape  # which is a copy
    return roots.get(reads[each][0], reads[each][0]) if is_view(each) and not scalar else each


def is_view(each: Node) -> bool:
    """Whether NumPy's result may share memory with the first operand."""
    if each.op is shaping.getitem and any(arg.type.shape for arg in each.args[1:]):
        return False  # indexing by arrays copies, by numbers it does not
    # a reshaped product is no view
    return isinstance(each.op, Primitive) and each.op.view and operation(each).view


def allocates(each: Node) -> bool:
    """Whether computing the node makes a new array, and not a view or a scalar."""
    return bool(each.type.shape) and not is_view(each) and not _is_foreign(each)


def _is_foreign(each: Node) -> bool:
    """Whether the user's own function computes it, which may keep what it takes and returns."""
    return isinstance(each.op, Primitive) and each.op.foreign


def size_of(each: Node) -> int:
    """The bytes of a node's value; of one whose length a loop decides, as if it had no elements."""
    if is_open(each.type.shape):
        return 0
    return each.type.size * each.type.dtype.itemsize


def spares(each: Node, reuse: bool) -> bool:
    """Whether to save the value an array of its own, although that reads less well."""
    return reuse or size_of(each) >= HUGE


def overwritable(expression: Expression, buffers: Buffers) -> list[Node]:
    """The operands of an elementwise expression whose arrays may hold its result."""
    each = expression.node
    parts = [part for part in expression.operands if part.known and part.node.type == each.type]
    return [part.node for part in parts if buffers.free(part.node)]
