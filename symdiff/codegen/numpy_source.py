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
_CALL = re.compile(r"( *)((?:[\w, ]+ = )?)(\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)")


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
            text = written(str(each), indices)
            yield from _commented(_over_lines(f"{indent}{text}"), each, seen)


def _commented(lines: list[str], each: Assign | Update, seen: list[str]) -> Iterator[str]:
    """A statement, and the user's line that it comes from where the last one had another."""
    text = each.position.text if each.position else ""
    if not text or text == seen[0]:
        yield from lines
        return
    seen[0] = text
    line = lines[0]
    beside = f"{line:<{COMMENT_COLUMN - 2}}  # from: {text}"
    if len(lines) == 1 and len(beside) <= WIDTH:
        yield beside
        return
    above = f"{line[: len(line) - len(line.lstrip())]}# from: {text}"
    yield above if len(above) <= WIDTH else f"{above[: WIDTH - 1].rstrip()}…"
    yield from lines


def _over_lines(line: str) -> list[str]:
    """A statement; a long one that calls a function by its name in several lines."""
    found = _CALL.fullmatch(line) if len(line) > WIDTH else None
    if found is None or _SPACE.search("".join(_STRING.findall(line))):
        return [line]
    indent, names, called, arguments = found.groups()
    lines = _filled(arguments, f"{indent}    ")
    first = f"{indent}{names}{called}("
    if len(first) <= WIDTH:
        return [first, *lines, f"{indent})"]
    targets = _filled(names.removesuffix(" = "), f"{indent}    ")
    last = f"{indent}) = {called}({arguments})"
    short = len(last) <= WIDTH
    called_so = [last] if short else [f"{indent}) = {called}(", *lines, f"{indent})"]
    return [f"{indent}(", *targets, *called_so]


def _filled(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent,
                         break_long_words=False, break_on_hyphens=False)


def _returned(result: str) -> list[str]:
    """The return statement, in parentheses over several lines where it is long."""
    line = f"    return {result}"
    if len(line) <= WIDTH or any(_SPACE.search(each) for each in _STRING.findall(result)):
        return [line]
    return ["    return (", *_filled(result, " " * 8), "    )"]
