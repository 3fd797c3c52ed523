"""Program to Python source over NumPy. It only writes: every decision is in the program."""

from __future__ import annotations

from collections.abc import Iterator

from symdiff.schedule.program import Assign, Delete, Program, Quiet, Statement, Update

COMMENT_COLUMN = 45
COMMENT_WIDTH = 72


def function_source(program: Program, docstring: str = "") -> str:
    """The `def` of the program; `docstring` goes below the header if given."""
    lines = [f"def {program.name}({', '.join(program.parameters)}):"]
    if docstring:
        lines += [f"    {line}".rstrip() for line in docstring.splitlines()]
    seen = [""]
    lines += list(_statements(program.statements, "    ", seen))
    lines.append(f"    return {program.result}")
    return "\n".join(lines) + "\n"


def _statements(statements: tuple[Statement, ...], indent: str, seen: list[str]) -> Iterator[str]:
    for each in statements:
        if isinstance(each, Quiet):
            yield f'{indent}with np.errstate(all="ignore"):'
            yield from _statements(each.body, indent + "    ", seen)
        elif isinstance(each, Delete):
            yield f"{indent}{each}"
        else:
            yield _commented(f"{indent}{each}", each, seen)


def _commented(line: str, each: Assign | Update, seen: list[str]) -> str:
    """The user's line behind a derivative statement, where it differs from the last one."""
    text = each.position.text if each.position else ""
    if not text or text == seen[0]:
        return line
    seen[0] = text
    if len(text) > COMMENT_WIDTH:
        text = f"{text[: COMMENT_WIDTH - 1].rstrip()}…"
    return f"{line:<{COMMENT_COLUMN - 2}}  # from: {text}"
