"""Forward mode: a graph of tangents, linear in its tangent inputs, beside the primal nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.errors import NotDifferentiableError, word
from symdiff.frontend.rules import template
from symdiff.ir.graph import Graph, Note, has_bodies, toposort
from symdiff.ir.node import Const, Input, Node, constant, input_node, node
from symdiff.ir.types import TUPLE, array_type
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import (
    Constant,
    Cotangents,
    Jvp,
    Partial,
    Primitive,
    Refused,
    Tangents,
    Transpose,
)

NOW = object()  # after the graph has run


class Linearized(NamedTuple):
    """`tangents` are new inputs, one for each of `wrt`; `outputs` is None where a tangent is 0."""

    primal: Graph
    wrt: tuple[Input, ...]
    tangents: tuple[Input, ...]
    outputs: tuple[Node | None, ...]
    origins: dict[Node, Node]  # tangent -> the best named primal node it is the tangent of

    @property
    def graph(self) -> Graph:
        """The tangent program as a graph over the primal inputs and the tangents."""
        outputs = tuple(
            zeros(primal) if tangent is None else tangent
            for primal, tangent in zip(self.primal.outputs, self.outputs, strict=True)
        )
        inputs = (*self.primal.inputs, *self.tangents)
        primal = self.primal
        return Graph(primal.name, inputs, outputs, primal.effects, primal.notes)


def linearize(graph: Graph, wrt: Sequence[Input], saving: Any = NOW) -> Linearized:
    """The tangents of the graph's outputs for tangents of the inputs `wrt`.

    `saving` says what is still there when they are computed: see `residuals.Saving`. With None they
    are computed along with the graph.
    """
    if saving is NOW:
        saving = _control().Saving() if has_bodies(graph) else None
    if saving is not None and has_bodies(graph):
        saving = saving.inside(graph.outputs)
    notes = graph.notes
    tangents = tuple(input_node(f"{each.name}_dot", each.type) for each in wrt)
    dots: dict[Node, Node] = dict(zip(wrt, tangents, strict=True))
    origins: dict[Node, Node] = dict(zip(tangents, wrt, strict=True))
    for source in wrt:
        notes[dots[source]] = Note(source.name, "dot", of=source)
    values: dict[Node, dict[int, Node]] = {}  # the tangents of those of loops and branches
    for each in toposort(graph.outputs):
        if each in dots or isinstance(each, (Input, Const)):
            continue
        if each.type is TUPLE and each.op.control and any(arg in dots for arg in each.args):  # type: ignore[attr-defined]
            values[each] = _control().tangents(each, dots, saving)
        several = bool(each.args) and each.args[0] in values
        if not each.type.inexact or not (several or any(arg in dots for arg in each.args)):
            continue
        try:
            own = values[each.args[0]].get(each.param("index")) if several else None
            dot = own if several else _tangent(each, dots)
        except NotImplementedError as error:
            raise _refused(str(error), notes.get(each)) from None
        if dot is None:
            continue
        dots[each] = dot
        note = notes.get(each) or Note()
        known = notes.get(origins.get(dot, each)) or Note()
        if (bool(note.name), not note.derived) >= (bool(known.name), not known.derived):
            origins[dot] = each
        notes.setdefault(dot, Note(note.name, "dot", note.position, each, note.derived))
    outputs = tuple(dots.get(each) for each in graph.outputs)
    return Linearized(graph, tuple(wrt), tangents, outputs, origins)


def _control() -> Any:
    """What few programs need."""
    from symdiff.autodiff import control

    return control


def _tangent(each: Node, dots: dict[Node, Node]) -> Node | None:
    op = each.op
    assert isinstance(op, Primitive)
    if op.joint:
        return _joint_tangent(op, each, dots)
    terms = []
    for i, arg in enumerate(each.args):
        if arg in dots:
            terms.append(_term(op, each, i, dots[arg]))
    if op.foreign:
        terms += _terms_at_once(op, each, dots)
    return add_terms([term for term in terms if term is not None])


def _terms_at_once(op: Primitive, each: Node, dots: dict[Node, Node]) -> list[Node | None]:
    """What operands that have one rule together contribute."""
    terms = []
    for rule in dict.fromkeys(op.rules.values()):
        if isinstance(rule, Tangents):
            own = [
                dots.get(arg) if op.rule(i) == rule else None for i, arg in enumerate(each.args)
            ]
            if any(own):
                terms.append(rule.tangent(each, own))
    return terms


def _refused(reason: str, note: Note | None) -> NotDifferentiableError:
    """The error for a derivative without a formula, with the user's line."""
    position = note.position if note is not None else None
    where = position.said if position is not None else ""
    way_out = "If it is zero for you, wrap the argument in symdiff.stop_gradient."
    return NotDifferentiableError(word(reason, where=where, way_out=way_out))


def _joint_tangent(op: Primitive, each: Node, dots: dict[Node, Node]) -> Node | None:
    """The op on the tangents of its value operands: those without one are zero."""
    values = [i for i in range(len(each.args)) if not isinstance(op.rule(i), Constant)]
    if not any(each.args[i] in dots for i in values):
        return None
    args = list(each.args)
    for i in values:
        args[i] = dots.get(args[i]) or zeros(args[i])
    return node(op, tuple(args), each.params)


def _term(op: Primitive, each: Node, index: int, dot: Node) -> Node | None:
    """What the tangent of one operand contributes."""
    rule = op.rule(index)
    if isinstance(rule, (Transpose, Cotangents)):
        args = list(each.args)
        args[index] = dot
        return node(op, tuple(args), each.params)
    if isinstance(rule, Partial):
        return scaled(dot, coefficient(rule, each))
    if isinstance(rule, Jvp):
        types = (each.type, *[arg.type for arg in each.args], dot.type)
        found = template(rule.tangent, types, each.params, op.name)
        if found.number is not None:
            return None
        made = found.replay([each, *each.args, dot])
        # the tangent of a Python number is one, and that of single precision no double
        return as_type(made, each) if made.type.dtype.kind == each.type.dtype.kind else made
    if isinstance(rule, Refused):
        raise NotImplementedError(rule.reason)
    return None


def coefficient(rule: Partial, each: Node) -> Any:
    """The partial derivative of a node: a node, or a Python number."""
    types = (each.type, *[arg.type for arg in each.args])
    found = template(rule.coefficient, types, each.params, each.op.name)
    if found.number is not None:
        return found.number
    return found.replay([each, *each.args])


def scaled(dot: Node, factor: Any) -> Node | None:
    """factor * dot, in the type of dot; structural for the numbers 1, -1 and 0."""
    if isinstance(factor, (int, float)):
        if factor == 0:
            return None
        if factor == 1:
            return dot
        if factor == -1:
            return node(e.negative, (dot,))
        factor = constant(np.asarray(factor, dot.type.dtype)[()], dot.type)
    return node(e.multiply, (dot, as_type(factor, dot)))


def as_type(factor: Node, like: Node) -> Node:
    """A coefficient in the dtype of what it multiplies (a mask may be an integer)."""
    if factor.type == like.type:
        return factor
    params = (("dtype", like.type.dtype), ("weak", like.type.weak))
    return node(e.convert, (factor,), params)


def add_terms(terms: list[Node]) -> Node | None:
    """The sum of the terms, None for no terms."""
    if not terms:
        return None
    total = terms[0]
    for term in terms[1:]:
        total = node(e.add, (total, term))
    return total


def zeros(like: Node) -> Node:
    """A constant of zeros of the type of a node."""
    type = like.type if like.type.inexact else array_type(np.float64, like.type.shape)
    return constant(0.0 if type.weak else type.dtype.type(0), type)
