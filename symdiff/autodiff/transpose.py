"""Reverse mode: the adjoint of a linear graph, by transposing its nodes from the last to first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symdiff.autodiff.linearize import as_type, coefficient, scaled, zeros
from symdiff.errors import RuleError
from symdiff.frontend.rules import template
from symdiff.ir.graph import Note, Position, depends_on, toposort
from symdiff.ir.node import Input, Node, node
from symdiff.ir.types import TUPLE
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Cotangents, Partial, Primitive, Transpose


class _Cotangents:
    """The cotangent gathered so far for each linear node."""

    def __init__(self, notes: dict[Node, Note], origins: Mapping[Node, Node]) -> None:
        self.bars: dict[Node, Node] = {}
        self.causes: dict[Node, Position | None] = {}
        self.parts: dict[Node, dict[Any, Node]] = {}  # of a call that returns several, by path
        self.notes = notes
        self.origins = origins

    def add(self, arg: Node, bar: Node, cause: Position | None) -> None:
        if bar.type != arg.type and bar.type.dtype == arg.type.dtype:
            bar = as_type(bar, arg)  # the cotangent of a Python number is one
        have = self.bars.get(arg)
        self.set(arg, bar if have is None else node(e.add, (have, bar)), cause)

    def set(self, arg: Node, bar: Node, cause: Position | None) -> None:
        self.bars[arg] = bar
        self.causes.setdefault(arg, cause)

    def add_part(self, part: Node, bar: Node, cause: Position | None) -> None:
        """Of one of the values that a call returns, whose cotangent is all of theirs."""
        (call,) = part.args
        key = part.param("path" if part.op.foreign else "index")  # type: ignore[attr-defined]
        self.parts.setdefault(call, {})[key] = bar
        self.causes.setdefault(call, cause)

    def take(self, arg: Node) -> Node | None:
        """The whole cotangent of a node, noted under the name of its primal."""
        bar = self.bars.get(arg)
        if bar is not None:
            primal = self.origins.get(arg)
            note = (self.notes.get(primal) if primal is not None else None) or Note()
            cause = self.causes.get(arg)
            have = self.notes.get(bar)
            if have is None or not have.name:  # a name is worth more than none
                self.notes[bar] = Note(note.name, "bar", cause, primal, note.derived)
        return bar


def transpose(
    outputs: Sequence[Node],
    tangents: Sequence[Input],
    cotangents: Sequence[Node],
    notes: dict[Node, Note],
    origins: Mapping[Node, Node],
    starts: Mapping[Any, Node] | None = None,
) -> list[Node | None]:
    """Cotangents of `tangents`, given one cotangent per output; None where there is none.

    `starts` are what cotangents are added to.
    """
    gathered = _Cotangents(notes, origins)
    gathered.bars.update(starts or {})
    for output, cotangent in zip(outputs, cotangents, strict=True):
        gathered.add(output, cotangent, None)
    linear = depends_on(outputs, tangents)
    for each in reversed([found for found in toposort(outputs) if found in linear]):
        if isinstance(each, Input):
            continue
        y_bar = gathered.parts.get(each) or gathered.take(each)
        if y_bar is not None:
            _transpose_node(each, y_bar, linear, gathered)
    return [gathered.take(each) for each in tangents]


def _transpose_node(each: Node, y_bar: Any, linear: set[Node], gathered: _Cotangents) -> None:
    op = each.op
    assert isinstance(op, Primitive)
    note = gathered.notes.get(each)
    # the inner nodes of a rule come from the line of the rule's own node
    cause = (note.position if note else None) or gathered.causes.get(each)
    if is_part(each):
        gathered.add_part(each, y_bar, cause)
        return
    if op.foreign:
        _transpose_foreign(each, y_bar, linear, gathered, cause)
        return
    if op.control:
        _transpose_control(each, y_bar, linear, gathered, cause)
        return
    for first, name in enumerate(op.arguments):
        # an argument that repeats stands for all operands that are left
        last = len(each.args) if op.repeats(first) else first + 1
        indices = [i for i in range(first, last) if each.args[i] in linear]
        if not indices:
            continue
        rule = op.rules[name]
        if isinstance(rule, Partial):
            (i,) = indices
            bar = _transpose_partial(rule, each, i, y_bar)
            if bar is not None:
                gathered.add(each.args[i], bar, cause)
        elif isinstance(rule, Transpose):
            _transpose_rule(rule, each, first, indices, y_bar, gathered, cause)
        elif isinstance(rule, Cotangents):
            bars = rule.adjoint(each, y_bar)
            for i in indices:
                gathered.add(each.args[i], bars[i], cause)
        else:
            raise RuleError(f"{op.name} is not linear in argument {name}")


def is_part(each: Node) -> bool:
    """Whether this is one of the values of a call, a loop or a branch."""
    several, op = each.args[0], each.op
    assert isinstance(op, Primitive)
    return several.type is TUPLE and (op.foreign or several.op.control)  # type: ignore[attr-defined]


def _transpose_foreign(
    each: Node, y_bar: Any, linear: set[Node], gathered: _Cotangents, cause: Position | None
) -> None:
    """A call of the user's function."""
    op = each.op
    assert isinstance(op, Primitive)
    indices = [i for i, arg in enumerate(each.args) if arg in linear]
    for rule in dict.fromkeys(op.rule(i) for i in indices):
        if not isinstance(rule, Cotangents):
            raise RuleError(f"{op.name} is applied to a tangent, and its transpose is not known")
        for arg, bar in zip(each.args, rule.adjoint(each, y_bar), strict=True):
            if bar is not None and arg in linear:
                gathered.add(arg, bar, cause)


def _transpose_control(
    each: Node, bars: Any, linear: set[Node], gathered: _Cotangents, cause: Position | None
) -> None:
    """A loop or a branch."""
    from symdiff.autodiff import control  # which few programs need

    for operand, bar, whole in control.cotangents(each, bars, linear, gathered.bars):
        if whole:
            gathered.set(operand, bar, cause)
        else:
            gathered.add(operand, bar, cause)


def _transpose_partial(rule: Partial, each: Node, index: int, y_bar: Node) -> Node | None:
    types = (each.type, *[arg.type for arg in each.args])
    op = each.op
    assert isinstance(op, Primitive)
    found = template(rule.coefficient, types, each.params, op.name)
    if found.reads & {0, index + 1}:
        raise RuleError(f"{op.name} is not linear in argument {op.argument(index)}")
    return scaled(y_bar, coefficient(rule, each))


def _transpose_rule(
    rule: Transpose,
    each: Node,
    first: int,
    indices: list[int],
    y_bar: Node,
    gathered: _Cotangents,
    cause: Position | None,
) -> None:
    """Cotangents of the operands at `indices`; the rule is for those from `first`."""
    leading = [y_bar]
    if rule.accumulates:
        leading.insert(0, gathered.bars.get(each.args[first]) or zeros(each.args[first]))
    operands = [*leading, *each.args]
    types = tuple([operand.type for operand in operands])
    assert isinstance(each.op, Primitive)
    found = template(rule.adjoint, types, each.params, each.op.name)
    bars = found.replay_each(operands)
    for i in indices:
        if len(leading) + i in found.results[i - first].reads:
            raise RuleError(f"the transpose of {each.op.name} reads the argument it is linear in")
        bar = bars[i - first]
        if bar is None:
            continue
        if rule.accumulates:
            gathered.set(each.args[i], bar, cause)
        else:
            gathered.add(each.args[i], bar, cause)
