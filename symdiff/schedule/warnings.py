"""Where emitted code must not warn: derivatives that are infinite where the function is not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symdiff.ir.node import Node
from symdiff.ops import elementwise as e
from symdiff.ops import reductions as r
from symdiff.ops import shaping
from symdiff.ops.primitive import Primitive
from symdiff.schedule.buffers import is_view
from symdiff.schedule.program import (
    QUIET,
    Assign,
    Clause,
    Compound,
    Expression,
    Statement,
    Update,
)


def quieted(statements: Sequence[Statement], primal: Collection[Node]) -> tuple[Statement, ...]:
    """The statements, those under np.errstate that could warn where the function would not.

    They are derivative statements from the first that could make an infinity (of a finite value)
    to the last that could warn of it: inf * 0.
    """
    infinite: set[str] = set()  # names of values that may be
    loud = [i for i, each in enumerate(statements) if _is_loud(each, primal, infinite)]
    if not loud:
        return tuple(statements)
    first, last = loud[0], loud[-1] + 1
    quiet = Compound((Clause(QUIET, tuple(statements[first:last])),))
    return (*statements[:first], quiet, *statements[last:])


def _is_loud(statement: Statement, primal: Collection[Node], infinite: set[str]) -> bool:
    """Whether a statement may warn; `infinite` are names of what may be, and then after it."""
    if isinstance(statement, Compound):
        return _is_any_loud(statement, primal, infinite)
    if not isinstance(statement, (Assign, Update)):
        return False
    names = statement.name.split(", ")
    in_place = statement.node if isinstance(statement, Update) else None
    if _risky(statement.expression, primal) or (in_place and _is_risky(in_place, primal)):
        infinite.update(names)
        return True
    if _reads(statement.expression, infinite):
        infinite.update(names)
        return _computes(statement.expression)
    if isinstance(statement, Assign):
        infinite.difference_update(names)
        return False
    return statement.name in infinite  # added to, in place


def _is_any_loud(block: Compound, primal: Collection[Node], infinite: set[str]) -> bool:
    """The same of a block: what one side makes finite may be infinite after the other one."""
    loud = False
    for _ in range(1 + block.repeats):  # the second trip reads what the first has left
        for _, body in block.clauses:
            own = set(infinite)
            found = [_is_loud(each, primal, own) for each in body]
            loud |= any(found)
            infinite |= own
    return loud


def _risky(expression: Expression, primal: Collection[Node]) -> bool:
    """Whether computing it may warn where the user's function would not."""
    own = not expression.known and _is_risky(expression.node, primal)
    return own or any(_risky(part, primal) for part in expression.operands)


def _is_risky(each: Node, primal: Collection[Node]) -> bool:
    """The same of one operation."""
    if not (isinstance(each.op, Primitive) and each.op.risky) or each in primal:
        return False
    if each.type.weak:
        return False  # Python numbers raise, they do not warn
    return each.op is not e.divide or not _is_softmax_total(each.args[1])


def _is_softmax_total(divisor: Node) -> bool:
    """Whether this is a sum of exp(x - max(x)), of which one term is 1."""
    total = _seen_through(divisor)
    if total.op is not r.sum_ or total.args[0].op is not e.exp:
        return False
    shifted = total.args[0].args[0]
    if shifted.op is not e.subtract:
        return False
    whole, highest = shifted.args[0], _seen_through(shifted.args[1])
    of_same = highest.op is r.max_ and highest.args[0] is whole
    return of_same and set(total.param("axis")) >= set(highest.param("axis"))


def _seen_through(each: Node) -> Node:
    """What an array with other axes is made of."""
    while each.op in (shaping.reshape, shaping.broadcast_to):
        each = each.args[0]
    return each


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
