"""The verifier of the tangent program: every node that depends on a tangent is linear in it."""

from __future__ import annotations

from collections.abc import Collection

from symdiff.autodiff.linearize import Linearized
from symdiff.autodiff.transpose import is_part
from symdiff.errors import RuleError
from symdiff.frontend.rules import template
from symdiff.ir.graph import depends_on, toposort
from symdiff.ir.node import Const, Input, Node
from symdiff.ops.primitive import Cotangents, Partial, Primitive, Transpose


def verify_linear(linear: Linearized) -> None:
    """Raises RuleError, naming the op, where a tangent is used other than linearly."""
    outputs = [each for each in linear.outputs if each is not None]
    tangents = depends_on(outputs, linear.tangents)
    for each in toposort(outputs):
        if each in tangents and not isinstance(each, Input):
            verify_node(each, tangents)


def verify_node(each: Node, tangents: Collection[Node]) -> None:
    """Raises RuleError, naming the op, unless the node is linear in those operands together."""
    op = each.op
    assert isinstance(op, Primitive)
    dependent = {i for i, arg in enumerate(each.args) if arg in tangents}
    if is_part(each):
        return
    if op.control:
        _verify_control(each, dependent)
        return
    for i in dependent:
        if not _is_linear_in(op, each, i, dependent):
            raise RuleError(f"the tangent program is not linear: {op.name} in {op.argument(i)}")
    if op.elementwise and not op.joint:
        for j in range(len(each.args)):
            if j not in dependent and _adds(op, each, j, dependent):
                raise RuleError(f"the tangent program is not linear: {op.name} adds a primal value")
    if op.joint:
        linear = (Transpose, Cotangents)
        others = [i for i in range(len(each.args)) if isinstance(op.rule(i), linear)]
        if any(i not in dependent and not _is_zero(each.args[i]) for i in others):
            raise RuleError(f"the tangent program is not linear: {op.name} adds a primal value")


def _verify_control(each: Node, dependent: set[int]) -> None:
    """So it must be in the graphs that it runs."""
    from symdiff.autodiff import control

    for body, sources in control.linear_inputs(each, dependent):
        found = depends_on(body.outputs, sources)
        for inner in body.nodes():
            if inner in found and not isinstance(inner, Input):
                verify_node(inner, found)


def _is_linear_in(op: Primitive, each: Node, index: int, dependent: set[int]) -> bool:
    rule = op.rule(index)
    if isinstance(rule, (Transpose, Cotangents)):
        return op.joint or len(dependent) == 1
    if not isinstance(rule, Partial):
        return False
    types = (each.type, *[arg.type for arg in each.args])
    found = template(rule.coefficient, types, each.params, op.name)
    # the partial may read neither the result nor any operand that carries a tangent
    return not found.reads & {0, *(i + 1 for i in dependent)}


def _adds(op: Primitive, each: Node, index: int, dependent: set[int]) -> bool:
    """Whether the operand at `index` contributes where every tangent is 0 (x_dot + primal)."""
    rule = op.rule(index)
    if not isinstance(rule, Partial) or _is_zero(each.args[index]):
        return False
    types = (each.type, *[arg.type for arg in each.args])
    found = template(rule.coefficient, types, each.params, op.name)
    if found.number is not None:
        return bool(found.number != 0)
    return not found.reads & {0, *(i + 1 for i in dependent)}


def _is_zero(each: Node) -> bool:
    return isinstance(each, Const) and each.uniform and each.value == 0
