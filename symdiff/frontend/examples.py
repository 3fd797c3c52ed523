"""Examples: what the values of a trace are in the call that it is made for."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import Input, Node
from symdiff.ops.evaluate import value_of


class Examples:
    """The inputs that are known, and what is computed from them, once and only when asked for."""

    __slots__ = ("_known", "_same")

    def __init__(self) -> None:
        self._known: dict[Node, Any] = {}
        self._same: dict[Node, Node] = {}  # an input of an inner trace: what the outer one passes

    def give(self, each: Input, value: Any) -> None:
        """Note what an input is: a value, or a node made before it."""
        if isinstance(value, Node):
            self._same[each] = value
        elif each.type.weak:
            self._known[each] = each.type.python(value)
        else:
            self._known[each] = np.asarray(value, each.type.dtype)[()]

    def of(self, root: Node) -> Any:
        """The value of a node. Raises KeyError where it depends on an input that is not known."""
        waiting: set[Node] = set()
        stack = [root]
        while stack:
            each = stack.pop()
            if each not in self._known and each not in waiting:
                waiting.add(each)
                stack.extend((self._same[each],) if each in self._same else each.args)
        with np.errstate(all="ignore"):  # the call itself warns
            for each in sorted(waiting, key=lambda each: each.serial):
                same = self._same.get(each)
                known = self._known
                known[each] = known[same] if same is not None else value_of(each, known)
        return self._known[root]
