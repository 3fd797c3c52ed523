"""Program to Python source over NumPy. It only writes: every decision is in the program."""

from __future__ import annotations

from collections.abc import Iterator

from symdiff.ops.render import Source, render
from symdiff.schedule.implicit import operation
from symdiff.schedule.program import Assign, Delete, Expression, Program, Quiet, Statement, Update

COMMENT_COLUMN = 45


def function_source(program: Program, docstring: str = "") -> str:
    """The `def` of the program; `docstring` goes below the header if given."""
    lines = [f"def {program.name}({', '.join(program.parameters)}):"]
    if docstring:
        lines += [f"    {line}".rstrip() for line in docstring.splitlines()]
    seen = [""]
    lines += list(_statements(program.statements, "    ", seen))
    returns = ", ".join(expression_source(each).text for each in program.returns)
    lines.append(f"    return {returns}")
    return "\n".join(lines) + "\n"


def _statements(statements: tuple[Statement, ...], indent: str, seen: list[str]) -> Iterator[str]:
    for each in statements:
        if isinstance(each, Quiet):
            yield f'{indent}with np.errstate(all="ignore"):'
            yield from _statements(each.body, indent + "    ", seen)
        elif isinstance(each, Delete):
            yield f"{indent}del {', '.join(each.names)}"
        else:
            yield _commented(indent + _statement(each), each, seen)


def _statement(each: Assign | Update) -> str:
    text = expression_source(each.expression).text
    if isinstance(each, Assign):
        return f"{each.name} = {text}"
    if each.operator == "add.at":
        index = each.index if "," not in each.index else f"np.s_[{each.index}]"
        return f"np.add.at({each.name}, {index}, {text})"
    return f"{each.name}[{each.index}] {each.operator} {text}"


def _commented(line: str, each: Assign | Update, seen: list[str]) -> str:
    """The user's line behind a derivative statement, where it differs from the last one."""
    text = each.position.text if each.position else ""
    if not text or text == seen[0]:
        return line
    seen[0] = text
    return f"{line:<{COMMENT_COLUMN - 2}}  # from: {text}"


def expression_source(expression: Expression) -> Source:
    """The source of an expression. Inlining is bounded, so this recursion is too."""
    if expression.literal:
        return Source(expression.literal)
    each = expression.node
    parts = [expression_source(part) for part in expression.operands]
    types = [part.node.type for part in expression.operands]
    return render(operation(each), each.params, parts, types)
