"""Where emitted code must not warn: derivatives that are infinite where the function is not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symdiff.ir.node import Node
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive
from symdiff.schedule.buffers import is_view
from symdiff.schedule.program import Assign, Expression, Quiet, Statement, Update


def quieted(statements: Sequence[Statement], primal: Collection[Node]) -> tuple[Statement, ...]:
    """The statements, those under np.errstate that could warn where the function would not.

    They are derivative statements from the first that could make an infinity (of a finite value)
    to the last that could warn of it: inf * 0.
    """
    infinite: set[str] = set()  # names of values that may be
    loud: list[int] = []
    for i, statement in enumerate(statements):
        if not isinstance(statement, (Assign, Update)):
            continue
        names = statement.name.split(", ")
        if _risky(statement.expression, primal):
            infinite.update(names)
            loud.append(i)
        elif _reads(statement.expression, infinite):
            infinite.update(names)
            if _computes(statement.expression):
                loud.append(i)
        elif isinstance(statement, Assign):
            infinite.difference_update(names)
        elif statement.name in infinite:
            loud.append(i)  # added to, in place
    if not loud:
        return tuple(statements)
    first, last = loud[0], loud[-1] + 1
    return (*statements[:first], Quiet(tuple(statements[first:last])), *statements[last:])


def _risky(expression: Expression, primal: Collection[Node]) -> bool:
    """Whether computing it may warn where the user's function would not."""
    each = expression.node
    own = isinstance(each.op, Primitive) and each.op.risky and not expression.known
    own = own and not each.type.weak  # Python numbers raise, they do not warn
    return (own and each not in primal) or any(_risky(part, primal) for part in expression.operands)


def _reads(expression: Expression, names: Collection[str]) -> bool:
    if expression.known:
        return expression.source.text in names
    return any(_reads(part, names) for part in expression.operands)


def _computes(expression: Expression) -> bool:
    """Whether it does arithmetic, and not only moves or selects values."""
    if expression.known:
        return False
    each = expression.node
    return not (is_view(each) or each.op is e.where) or any(map(_computes, expression.operands))
