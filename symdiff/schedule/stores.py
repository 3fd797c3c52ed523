"""Stores into parts: what is read of an array before it changes, so that it changes in place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from symdiff.ir.node import Const, Input, Node
from symdiff.ops import shaping
from symdiff.schedule.buffers import is_view, root_of, size_of

UPDATES = (shaping.index_add, shaping.index_set)


class Plan(NamedTuple):
    """Nodes in an order in which arrays can change in place; views to be copied before that."""

    order: list[Node]
    kept: set[Node]


def planned(
    order: Sequence[Node],
    reads: Mapping[Node, tuple[Node, ...]],
    outputs: Collection[Node],
    owned: Collection[Node] = (),
) -> Plan:
    """The order in which to compute nodes, with parts read before the array they are of changes.

    An array that is read whole after a change, or nearly, is copied at the change instead. Of the
    inputs those that are `owned` may change.
    """
    if not any(each.op in UPDATES for each in order):
        return Plan(list(order), set())
    return _Planner(order, reads, outputs, owned).run()


class _Planner:
    def __init__(
        self,
        order: Sequence[Node],
        reads: Mapping[Node, tuple[Node, ...]],
        outputs: Collection[Node],
        owned: Collection[Node],
    ) -> None:
        self.order = order
        self.owned = owned
        self.reads = reads
        self.outputs = outputs
        self.place: dict[Node, float] = {each: i for i, each in enumerate(order)}
        self.readers: dict[Node, list[Node]] = {}
        self.views: dict[Node, list[Node]] = {}  # of each array: itself, and what shares its memory
        roots: dict[Node, Node] = {}
        for each in order:
            for arg in dict.fromkeys(reads[each]):
                self.readers.setdefault(arg, []).append(each)
            roots[each] = root_of(each, reads, roots)
            self.views.setdefault(roots[each], []).append(each)
        self.roots = roots
        self.kept: set[Node] = set()
        self.before: dict[Node, list[Node]] = {}

    def run(self) -> Plan:
        for each in self.order:
            if each.op in UPDATES:
                self._prepare(each)
        order: list[Node] = []
        moved = {each for early in self.before.values() for each in early}
        for each in self.order:
            order += self.before.get(each, ())
            if each not in moved:
                order.append(each)
        return Plan(order, self.kept)

    def _prepare(self, update: Node) -> None:
        """Have what is read later of the array that an update changes read before it."""
        root = self.roots.get(self.reads[update][0])
        if root is None or (isinstance(root, (Input, Const)) and root not in self.owned):
            return  # not the program's own: a copy is changed
        found = self._late(update, root)
        if found is None:
            return
        early, kept = found
        if sum(map(size_of, kept)) >= size_of(root):
            return
        self.kept.update(kept)
        self.before.setdefault(update, []).extend(early)
        for each in early:
            self.place[each] = self.place[update] - 0.5

    def _late(self, update: Node, root: Node) -> tuple[list[Node], set[Node]] | None:
        """Parts to be read before an update, and which of them are views that outlive it.

        None where that is not enough: what is read later is the array itself.
        """
        early: list[Node] = []
        kept: set[Node] = set()
        base, now = self.reads[update][0], self.place[update]
        for each in self.views[root]:
            if each in self.kept or self._of(each) in kept or self._of(each) in self.kept:
                continue
            late = each in self.outputs
            for reader in self.readers.get(each, ()):
                if reader is update or self.place[reader] < now:
                    continue
                if reader.op is not shaping.getitem:
                    late = True
                elif self._ready(reader, now):
                    early.append(reader)
                else:
                    return None
            if late or self.place[each] > now:
                if each is root or each is base:
                    return None
                kept.add(each)
        kept.update(each for each in early if is_view(each))
        return early, kept

    def _of(self, each: Node) -> Node | None:
        """What a view is a view of."""
        return self.reads[each][0] if is_view(each) else None

    def _ready(self, part: Node, now: float) -> bool:
        """Whether a part can be read by then: of an array and at places that are known."""
        return all(self.place.get(arg, -1) < now for arg in self.reads[part])
