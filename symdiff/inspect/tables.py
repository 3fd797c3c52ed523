"""The tables of primitives and of rewrite rules, as text."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from symdiff.ops.primitive import (
    Always,
    Constant,
    Jvp,
    Partial,
    Primitive,
    Refused,
    Rule,
    Transpose,
    every_primitive,
)
from symdiff.ops.render import function_source
from symdiff.rewrite import TABLES
from symdiff.rewrite.pattern import side


def primitives(word: str = "") -> str:
    """A line for each primitive whose name contains `word`: name, source, rules."""
    return columns(
        (each.name, _written(each), "; ".join(_rules(each)))
        for each in sorted(every_primitive(), key=lambda each: each.name)
        if word in each.name
    )


def _written(op: Primitive) -> str:
    """How the operation is written in emitted code; `...` stands for its parameters."""
    if op.infix:
        return f" {op.infix} ".join(["", *op.arguments][-2:]).lstrip()
    if callable(op.numpy) or op.variadic:
        return f"{'np.' * hasattr(np, op.name)}{op.name}(...)"
    if "{" in op.numpy:
        return re.sub(r"[{}]", "", op.numpy)
    return f"{op.numpy or function_source(op)}({', '.join(op.arguments)})"


def _rules(op: Primitive) -> list[str]:
    return [f"{name}: {rule_text(op.rules[name])}" for name in op.arguments]


def rule_text(rule: Rule) -> str:
    """The kind of a derivative rule and, where it is one line, the rule."""
    if isinstance(rule, Constant):
        return "constant"
    if isinstance(rule, Refused):
        return "refused"
    if isinstance(rule, Partial):
        return f"partial {_formula(rule.coefficient)}".rstrip()
    if isinstance(rule, Jvp):
        return f"jvp {_formula(rule.tangent)}".rstrip()
    if isinstance(rule, Transpose):
        return f"transpose {_formula(rule.adjoint)}".rstrip()
    return "the user's"


def _formula(function: Callable[..., object]) -> str:
    """The expression of a rule that is a lambda on one line, or the number that it stands for."""
    if isinstance(function, Always):
        return str(function.number)
    code = getattr(function, "__code__", None)
    if code is None or code.co_name != "<lambda>":
        return ""
    *_, (first, last, begin, end), _ = code.co_positions()  # what is computed last: all of it
    if first is None or first != last:
        return ""
    return linecache.getline(code.co_filename, first).encode()[begin:end].decode()


def rewrite_rules(word: str = "") -> str:
    """The tables of rules whose name contains `word`: name, class, what becomes what."""
    parts = []
    for name, table in TABLES.items():
        text = columns(
            (row.name, row.exactness.name, f"{row.pattern} -> {side(row.replacement)}")
            for row in table
            if word in row.name
        )
        if text:
            parts.append(f"== {name}\n\n{text}")
    return "\n".join(parts)


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as text, the cells of a column under each other."""
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)
