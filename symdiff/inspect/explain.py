"""Why the emitted code is what it is: the user's line behind each statement, every rewrite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symdiff.autodiff.checkpoint import amount, residual_bytes
from symdiff.inspect.show import Steps, loops_or_parts
from symdiff.ir.graph import Position, positions_of
from symdiff.ir.node import Const, Node
from symdiff.pipeline import VJP, Work
from symdiff.rewrite import TABLES, Application, Rule
from symdiff.rewrite.pattern import side
from symdiff.rewrite.shifts import hold_shifts
from symdiff.schedule.loops import Loops
from symdiff.schedule.program import (
    Assign,
    Compound,
    Delete,
    Expression,
    Guard,
    Statement,
    Stop,
    Update,
)

RULES: dict[str, Rule] = {row.name: row for table in TABLES.values() for row in table}
WHOLE_PROGRAM = {"hold-shift": hold_shifts}  # rewrites that look further than a pattern


def explain(steps: Steps) -> str:
    """The function with a comment above each statement, and the list of all rewrites below."""
    work = steps[-1][1]
    program = work.program
    assert program is not None
    rewrites = Rewrites(steps)
    lines = [f"def {program.name}({', '.join(program.parameters)}):"]
    lines += _statements(program.statements, "    ", work, rewrites)
    lines.append(f"    return {program.result}")
    return "\n".join([*lines, "", "", *_roads(work), *rewrites.listed()]) + "\n"


def _roads(work: Work) -> Iterator[str]:
    """A line for each loop and branch of the function: how it was taken, and why."""
    assert work.traced is not None
    for position, how in sorted([*work.traced.roads, *work.kept]):
        yield f"# {position}: {how}"
    kept = residual_bytes(work.graph) if work.graph and work.request.mode == VJP else 0
    if kept:
        yield f"# loops of known length keep {amount(kept)} for others at the most"


def left_to_numpy(steps: Steps) -> str:
    """What backend="c" computes in NumPy: the user's line, and why."""
    found = loops_or_parts(steps)
    if isinstance(found, Loops):
        return "# all of it has a C form\n"
    rows = dict.fromkeys((str(each.position or ""), each.reason) for each in found.left)
    width = max((len(where) for where, _ in rows), default=0)
    lines = [f"#   {where:<{width}}  {reason}" for where, reason in rows]
    parts = f"{len(found.parts)} part{'s' * (len(found.parts) != 1)} in C"
    return "\n".join([f"# {parts}; left to NumPy: {len(lines) or 'nothing'}", *lines]) + "\n"


def rule_text(name: str) -> str:
    """What a rule says: pattern -> replacement."""
    row = RULES.get(name)
    if row is not None:
        return f"{row.pattern} -> {side(row.replacement)}"
    return (WHOLE_PROGRAM[name].__doc__ or "").split("\n")[0]


def _statements(
    statements: Sequence[Statement], indent: str, work: Work, rewrites: Rewrites
) -> Iterator[str]:
    for each in statements:
        if isinstance(each, Compound):
            for header, body in each.clauses:
                yield f"{indent}{header}"
                yield from _statements(body, indent + "    ", work, rewrites)
            continue
        if not isinstance(each, (Delete, Guard, Stop)):
            yield from (f"{indent}# {reason}" for reason in _reasons(each, work, rewrites))
        yield from (f"{indent}{line}" for line in str(each).splitlines())


def _reasons(each: Assign | Update, work: Work, rewrites: Rewrites) -> Iterator[str]:
    assert work.graph is not None
    node = each.node if isinstance(each, Assign) and each.node else each.expression.node
    note = work.graph.notes.get(node)
    position = each.position or (note.position if note else None)
    if position:
        yield f"{position}: {position.text}".rstrip(": ")
    names = [name for node in _computed(each.expression) for name in rewrites.made.get(node, ())]
    yield from (f"{name}: {rule_text(name)}" for name in dict.fromkeys(names))


def _computed(expression: Expression) -> Iterator[Node]:
    """The nodes that an expression computes, and the constants in it."""
    if not expression.known or isinstance(expression.node, Const):
        yield expression.node
    for each in expression.operands:
        yield from _computed(each)


class Rewrites:
    """The rules applied in all stages: by the node they made, and in order."""

    def __init__(self, steps: Steps) -> None:
        self.made: dict[Node, list[str]] = {}
        self._rows: list[tuple[str, Application, Position | None]] = []
        positions: dict[Node, Position] = {}
        known: set[Node] = set()  # a rule that comes to a node from before did not make it
        for stage, work in steps:
            for each in work.log[len(self._rows) :]:
                position = each.position or positions.get(each.root or each.before)
                if position:
                    positions.setdefault(each.after, position)
                self._rows.append((stage.name, each, position))
                if each.after not in known:  # what is rewritten again hands its rules on
                    names = [*self.made.get(each.before, ()), each.rule]
                    self.made.setdefault(each.after, []).extend(names)
            if work.graph is not None:
                positions = positions_of(work.graph) | positions
                known.update(work.graph.nodes())

    def listed(self) -> Iterator[str]:
        """A line for each application: stage, rule, class, the user's line, what the rule says."""
        rows = [
            (
                stage,
                each.rule,
                RULES[each.rule].exactness.name if each.rule in RULES else "",
                str(position or ""),
            )
            for stage, each, position in self._rows
        ]
        yield f"# {len(rows) or 'no'} rewrites"
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
        for row in rows:
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield f"#   {cells}  {rule_text(row[1])}"

