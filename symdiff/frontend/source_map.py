"""From a place in running code to the user's line, and to the name it assigns."""

from __future__ import annotations

import ast
import dis
import linecache
from functools import lru_cache
from types import CodeType
from typing import Any

from symdiff.frontend import context
from symdiff.frontend.context import Place
from symdiff.ir.graph import Position

Span = tuple[int | None, int | None, int | None, int | None]


class SourceMap:
    """The statements of one function: their text by line, and the targets of its assignments."""

    def __init__(self, code: CodeType) -> None:
        self.spans: list[Span] = list(code.co_positions())
        self.targets: dict[Span, str] = {}
        self.stores: dict[Span, str] = {}  # the same for what parts are stored into
        self.returned: set[Span] = set()
        self.operands: dict[Span, list[str]] = {}  # of operations: the variables that they read
        self.locals = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        self.texts: dict[int, str] = {}
        self.file = code.co_filename
        lines = [line for _, _, line in code.co_lines() if line]
        self._read(code.co_firstlineno, max(lines, default=code.co_firstlineno))

    def _read(self, first: int, last: int) -> None:
        source = linecache.getlines(self.file)[first - 1 : last]
        # an indented block parses under an `if`, which keeps its columns
        header = "if 1:\n" if source and source[0][:1].isspace() else ""
        try:
            tree = ast.parse(header + "".join(source))
        except (SyntaxError, ValueError):
            self.texts = dict(enumerate((line.strip() for line in source), first))
            return
        offset = first - 1 - bool(header)
        for part in walk(tree):
            if isinstance(part, ast.stmt):
                if part.lineno + offset >= first:
                    self._read_statement(part, offset, source, first)
            elif isinstance(part, ast.Lambda):
                self.returned.add(_span(part.body, offset))
            elif isinstance(part, ast.expr) and (names := self._names_read(part)):
                self.operands[_span(part, offset)] = names

    def _names_read(self, operation: ast.expr) -> list[str]:
        """The variables that are the operands of an operation, "" for other operands."""
        parts: list[ast.expr] = []
        if isinstance(operation, ast.BinOp):
            parts = [operation.left, operation.right]
        elif isinstance(operation, ast.UnaryOp):
            parts = [operation.operand]
        elif isinstance(operation, ast.Compare):
            parts = [operation.left, *operation.comparators]
        elif isinstance(operation, ast.Subscript):
            parts = [operation.value]
        elif isinstance(operation, ast.Call):
            method = operation.func.value if isinstance(operation.func, ast.Attribute) else None
            own = isinstance(method, ast.Name) and method.id in self.locals
            parts = [*([method] if own and method else []), *operation.args]
        names = [each.id if isinstance(each, ast.Name) else "" for each in parts]
        return names if any(names) else []

    def _read_statement(
        self, statement: ast.stmt, offset: int, source: list[str], first: int
    ) -> None:
        if not hasattr(statement, "body"):
            begin, end = statement.lineno + offset, (statement.end_lineno or 0) + offset
            text = " ".join(source[line - first].strip() for line in range(begin, end + 1))
            for line in range(begin, end + 1):
                self.texts[line] = text
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._read_target(target, statement.value, offset)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._read_target(statement.target, statement.value, offset)
        elif isinstance(statement, ast.AugAssign):
            self._name(statement.target, statement, offset)
        elif isinstance(statement, ast.Return) and statement.value is not None:
            self.returned.add(_span(statement.value, offset))

    def _read_target(self, target: ast.expr, value: ast.expr, offset: int) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, part in zip(target.elts, value.elts, strict=False):
                self._read_target(each, part, offset)
        else:
            self._name(target, value, offset)

    def _name(self, target: ast.expr, value: ast.AST, offset: int) -> None:
        names, place = self.targets, value
        while isinstance(target, ast.Subscript):  # a store into a part, made where that stands
            place = target if names is self.targets else place
            names, target = self.stores, target.value
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name:
            names[_span(place, offset)] = name

    def text(self, line: int) -> str:
        return self.texts.get(line) or linecache.getline(self.file, line).strip()


_WORDS = {"arg", "attr", "ctx", "id", "kind", "op", "ops", "type_comment"}  # no nodes with parts
_fields: dict[type[ast.AST], list[str]] = {}


def walk(*roots: ast.AST, closed: tuple[type[ast.AST], ...] = ()) -> list[Any]:
    """As ast.walk, but for contexts and operators, in a fraction of its time.

    What is `closed` is not entered, unless it is a root.
    """
    found: list[Any] = list(roots)
    for i, each in enumerate(found):  # grows
        if not isinstance(each, closed) or i < len(roots):
            found += parts_of(each)
    return found


def parts_of(each: ast.AST) -> list[Any]:
    """The nodes right below one, but for contexts and operators."""
    found: list[Any] = []
    kind = type(each)
    names = _fields.get(kind)
    if names is None:
        names = _fields[kind] = [name for name in kind._fields if name not in _WORDS]
    for name in names:
        value = getattr(each, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, ast.AST):  # and not a name, or nothing
                    found.append(part)  # noqa: PERF401  twice as fast
    return found


def _span(part: ast.AST, offset: int) -> Span:
    return (
        part.lineno + offset,  # type: ignore[attr-defined]
        part.end_lineno + offset,  # type: ignore[attr-defined]
        part.col_offset,  # type: ignore[attr-defined]
        part.end_col_offset,  # type: ignore[attr-defined]
    )


@lru_cache(maxsize=256)
def _source_map(code: CodeType) -> SourceMap:
    return SourceMap(code)


def position_of(place: Place) -> Position:
    """The file, line and statement of a place."""
    code, _, line = place
    return Position(code.co_filename, line, _source_map(code).text(line))


def said(place: Place | None) -> str:
    """`file.py:14: the line`, for messages; "" where there is no place."""
    return "" if place is None else position_of(place).said


def assigned_place(place: Place) -> Place:
    """The place that may assign what is computed at `place` now: the caller's if it is returned."""
    if _is_returned(place):
        for caller in context.calling_places():
            if not _is_returned(caller):
                return caller
    return place


def _is_returned(place: Place) -> bool:
    code, offset, _ = place
    source = _source_map(code)
    return source.spans[offset // 2] in source.returned


def stores_part(place: Place | None) -> bool:
    """Whether a part of something is stored into at this place: y[i] = value."""
    return place is not None and dis.opname[place[0].co_code[place[1]]] == "STORE_SUBSCR"


def name_at(place: Place) -> str:
    """The name that the expression at this place is assigned to, or an empty string."""
    code, offset, _ = place
    source = _source_map(code)
    names = source.stores if stores_part(place) else source.targets
    return names.get(source.spans[offset // 2], "")


def operand_names(place: Place) -> list[str]:
    """The variables that the operation at this place reads, "" for operands that are none."""
    code, offset, _ = place
    source = _source_map(code)
    return source.operands.get(source.spans[offset // 2], [])
