"""Where memory is given back early: `del` of arrays that would raise the peak for no reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from symdiff.schedule.buffers import allocates, size_of
from symdiff.schedule.program import (
    Assign,
    Compound,
    Delete,
    Expression,
    Statement,
    Update,
)

SLACK = 1.05  # how far above the lowest possible peak is low enough
AT_ONCE = 8  # names in one statement
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


class _Array:
    """An array under a name: statement that makes it, last that reads it, last that holds it."""

    __slots__ = ("held", "made", "name", "read", "size")

    def __init__(self, name: str, size: int, made: int, held: int) -> None:
        self.name = name
        self.size = size  # bytes
        self.made = self.read = made
        self.held = held


def with_frees(
    statements: Sequence[Statement], returns: Sequence[Expression], worthwhile: int
) -> list[Statement]:
    """The statements, with as few `del`s as keep memory near the lowest possible peak.

    A name that is bound again frees its old value by itself. Nothing changes unless the peak falls
    by a number of bytes that is `worthwhile`.
    """
    last = len(statements)
    while last and isinstance(statements[last - 1], Delete):
        last -= 1  # the end gives everything back
    statements = statements[:last]
    sizes = [_size(each) for each in statements]
    if sum(sizes) < worthwhile:
        return list(statements)
    arrays = _arrays(statements, sizes, returns)
    highest = _peak((each.made, each.held, each.size) for each in arrays)
    lowest = _peak((each.made, each.read, each.size) for each in arrays)
    if highest - lowest < worthwhile or highest < SLACK * lowest:
        return list(statements)
    return _freed(statements, arrays, SLACK * lowest)


def _freed(statements: Sequence[Statement], arrays: list[_Array], limit: float) -> list[Statement]:
    """Let arrays that nothing reads any more go whenever there would be more than `limit` bytes."""
    made = {each.made: each for each in arrays}
    ends: dict[int, list[_Array]] = {}
    for each in arrays:
        ends.setdefault(min(each.read, each.held), []).append(each)
    out: list[Statement] = []
    idle: dict[str, int] = {}  # bytes by name
    total = 0
    for i, statement in enumerate(statements):
        new = made.get(i)
        total += new.size if new else 0
        if total > limit and idle:
            names = [name for name in idle if new is None or name != new.name]
            total -= sum(idle.pop(name) for name in names)
            out += [Delete(tuple(names[k : k + AT_ONCE])) for k in range(0, len(names), AT_ONCE)]
        out.append(statement)
        if new is None:
            total -= sum(idle.pop(name, 0) for name in bound(statement))
        for each in ends.get(i, ()):
            idle[each.name] = each.size
        if isinstance(statement, Assign) and (new is None or new.read > i):
            total -= idle.pop(statement.name, 0)  # the name has a new value
    return out


def _arrays(
    statements: Sequence[Statement], sizes: Sequence[int], returns: Sequence[Expression]
) -> list[_Array]:
    """The arrays that assignments make, each with the time for which it is read, and held."""
    end = len(statements)
    arrays: list[_Array] = []
    current: dict[str, _Array] = {}
    for i, (statement, size) in enumerate(zip(statements, sizes, strict=True)):
        for name in _mentioned(statement):
            if name in current:
                current[name].read = i
        if isinstance(statement, Delete):
            for name in statement.names:
                if name in current:
                    current.pop(name).held = i
        if not isinstance(statement, Assign):
            continue
        if statement.name in current:
            current.pop(statement.name).held = i
        if size:
            current[statement.name] = _Array(statement.name, size, i, end)
            arrays.append(current[statement.name])
    for each in returns:
        for name in _IDENTIFIER.findall(each.source.text):
            if name in current:
                current[name].read = end
    return arrays


def _size(statement: Statement) -> int:
    """The bytes of the array that a statement makes."""
    made = statement.node if isinstance(statement, Assign) else None
    return size_of(made) if made is not None and allocates(made) else 0


def bound(statement: Statement) -> Iterator[str]:
    """The names that stand for other values after a statement, or for none."""
    if isinstance(statement, Compound):
        for header, body in statement.clauses:
            if header.startswith("for "):
                yield from _IDENTIFIER.findall(header[4 : header.index(" in ")])
            for each in body:
                yield from bound(each)
    elif isinstance(statement, Assign):
        yield from _IDENTIFIER.findall(statement.name)
    elif isinstance(statement, Delete):
        yield from statement.names


def _mentioned(statement: Statement) -> Iterator[str]:
    if isinstance(statement, Compound):
        for header, body in statement.clauses:
            yield from _IDENTIFIER.findall(header)
            for each in body:
                yield from _mentioned(each)
        return
    if isinstance(statement, Delete):
        return
    yield from _IDENTIFIER.findall(statement.expression.source.text)
    if isinstance(statement, Update):
        yield statement.name
        yield from _IDENTIFIER.findall(statement.part)


def _peak(spans: Iterable[tuple[int, int, int]]) -> int:
    """The most bytes alive at a time, of arrays given as (first statement, last, bytes)."""
    changes: dict[int, int] = {}
    for first, last, size in spans:
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    return max(accumulate(change for _, change in sorted(changes.items())), default=0)
