"""Program to Python source over NumPy. It only writes: every decision is in the program."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from symdiff.ir.extent import written
from symdiff.schedule.program import (
    Assign,
    Compound,
    Delete,
    Guard,
    Program,
    Statement,
    Stop,
    Update,
)

WIDTH = 99  # columns
COMMENT_COLUMN = 45
_STRING = re.compile(r"""'[^']*'|"[^"]*\"""")
_SPACE = re.compile(r"\s")


def function_source(program: Program, docstring: str = "") -> str:
    """The `def` of the program; `docstring` goes below the header if given."""
    lines = [f"def {program.name}({program.signature}):"]
    if docstring:
        lines += [f"    {line}".rstrip() for line in docstring.splitlines()]
    seen = [""]
    lines += list(_statements(program.statements, "    ", seen, {}))
    lines += _returned(program.result)
    return "\n".join(lines) + "\n"


def _statements(
    statements: tuple[Statement, ...], indent: str, seen: list[str], indices: Mapping[int, str]
) -> Iterator[str]:
    """The lines of statements; `indices` are the names of those that decide extents, by level."""
    for each in statements:
        if isinstance(each, Compound):
            inner = indices if each.counter is None else dict([*indices.items(), each.counter])
            for header, body in each.clauses:
                yield f"{indent}{written(header, indices)}"
                yield from _statements(body, indent + "    ", seen, inner)
        elif isinstance(each, (Delete, Guard, Stop)):
            yield from (f"{indent}{line}" for line in written(str(each), indices).splitlines())
        else:
            yield from _commented(f"{indent}{written(str(each), indices)}", each, seen)


def _commented(line: str, each: Assign | Update, seen: list[str]) -> Iterator[str]:
    """A statement, and the user's line that it comes from where the last one had another."""
    text = each.position.text if each.position else ""
    if not text or text == seen[0]:
        yield line
        return
    seen[0] = text
    beside = f"{line:<{COMMENT_COLUMN - 2}}  # from: {text}"
    if len(beside) <= WIDTH:
        yield beside
        return
    above = f"{line[: len(line) - len(line.lstrip())]}# from: {text}"
    yield above if len(above) <= WIDTH else f"{above[: WIDTH - 1].rstrip()}…"
    yield line


def _returned(result: str) -> list[str]:
    """The return statement, in parentheses over several lines where it is long."""
    line = f"    return {result}"
    if len(line) <= WIDTH or any(_SPACE.search(each) for each in _STRING.findall(result)):
        return [line]
    inner = textwrap.wrap(result, WIDTH - 8, break_long_words=False, break_on_hyphens=False)
    return ["    return (", *(f"        {each}" for each in inner), "    )"]
