"""Identifiers of emitted code: the user's names, x_bar and x_dot, op names; free of collisions."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Mapping

from symdiff.ir.graph import Note
from symdiff.ir.node import Node
from symdiff.ops.render import ROW, TIME, UNKNOWN

_NOT_A_WORD = re.compile(r"\W")
_RESERVED = {"np", "scipy", "operator", "math", ROW, UNKNOWN, TIME}
_RESERVED |= {*dir(builtins), *keyword.kwlist}


def _never(name: str) -> bool:
    return False


class Names:
    """Hands out identifiers, each once."""

    def __init__(self, notes: Mapping[Node, Note], roles: Mapping[Node, str] | None = None) -> None:
        self._notes = notes
        self._roles = roles or {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}  # by stem

    def inside(self, notes: Mapping[Node, Note], roles: Mapping[Node, str]) -> Names:
        """The same identifiers, for the values of a body."""
        inner = Names(notes, roles)
        inner._taken, inner._counts, inner._last = self._taken, self._counts, self._last
        return inner

    def stem(self, each: Node) -> str:
        """The name a value would have if nothing else had it, or an empty string."""
        note = self._notes.get(each)
        if note is None or not note.name or note.derived or note.suffix:
            role = self._roles.get(each)
            if role is not None:
                return role
        if note is None or not note.name:
            return ""
        return f"{note.name}_{note.suffix}" if note.suffix else note.name

    def give(self, each: Node, is_free: Callable[[str], bool] = _never) -> str:
        """An identifier for a value: its name, or its op's, numbered.

        The last one of the same stem is taken again if `is_free` says that nobody needs it:
        h_bar = h_bar @ W.T.
        """
        stem = self.stem(each)
        if not stem:
            return self._numbered(each.op.name)
        return self.again(stem, is_free)

    def again(self, stem: str, is_free: Callable[[str], bool]) -> str:
        """The last identifier of a stem if it is free, else a new one."""
        last = self._last.get(stem)
        if last is None or not is_free(last):
            last = self._last[stem] = self.fresh(stem)
        return last

    def parameter(self, name: str) -> str:
        """The name of a parameter, which its function may bind again: x = x + 1."""
        given = self.fresh(name)
        self._last.setdefault(name, given)
        return given

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
