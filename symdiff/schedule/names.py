"""Identifiers of emitted code: the user's names, x_bar and x_dot, op names; free of collisions."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Mapping

from symdiff.ir.graph import Note
from symdiff.ir.node import Node

_NOT_A_WORD = re.compile(r"\W")
_RESERVED = {"np", "scipy", "operator", "math"} | set(dir(builtins)) | set(keyword.kwlist)


class Names:
    """Hands out identifiers, each once."""

    def __init__(self, notes: Mapping[Node, Note]) -> None:
        self._notes = notes
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def stem(self, each: Node) -> str:
        """The name a value would have if nothing else had it, or an empty string."""
        note = self._notes.get(each)
        if note is None or not note.name:
            return ""
        return f"{note.name}_{note.suffix}" if note.suffix else note.name

    def give(self, each: Node, fallback: str = "") -> str:
        """A fresh identifier for a value: its name, else `fallback`, else its op's, numbered."""
        stem = self.stem(each) or fallback
        return self.fresh(stem) if stem else self._numbered(each.op.name)

    def fresh(self, stem: str) -> str:
        """`stem`, or the first of stem_1, stem_2, … that is free."""
        stem = _NOT_A_WORD.sub("_", stem)
        if not stem or stem[0].isdigit():
            stem = f"v_{stem}"
        if stem in _RESERVED:
            stem += "_"
        if stem not in self._taken:
            self._taken.add(stem)
            return stem
        return self._numbered(stem)

    def _numbered(self, stem: str) -> str:
        count = self._counts.get(stem, 0)
        name = ""
        while not name or name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._counts[stem] = count
        self._taken.add(name)
        return name
