"""Table: naive forms that overflow or cancel, replaced by stable ones before linearization.

The derivative of a naive form overflows sooner than the form itself: these rows must see the
user's program before it is linearized. They match inner nodes that have other readers too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import Node, node
from symdiff.ops import elementwise as e
from symdiff.ops.reductions import max_
from symdiff.ops.shaping import broadcast_to, getitem, reshape, transpose
from symdiff.ops.stable import log_softmax, logistic, logsumexp, sigmoid, softmax, softplus
from symdiff.rewrite.pattern import ACCURATE, EXACT, Family, Match, Wild, rule, rules, wilds

x, y = wilds("x y")
axis, keepdims, shape, dtype, weak = wilds("axis keepdims shape dtype weak")
expanded = Wild("expanded")
EXPONENTS = 800  # exp(x - max(x)) has the rounding error of its argument
NEAR_ZERO = 1000  # and a logarithm near 0 that of its terms

odds = np.exp(x)
total = np.sum(odds, axis=axis, keepdims=keepdims)


def _back_along(found: Match) -> bool:
    """Whether the sum is put back along the axes that it was taken along."""
    return _naive(found) and _aligned(found)


def _aligned(found: Match) -> bool:
    axis: tuple[int, ...] = found["axis"]
    return bool(found["keepdims"] or axis == tuple(range(len(axis))))


def _naive(found: Match) -> bool:
    """Whether there is something to sum, and no maximum has been subtracted from it."""
    x: Node = found["x"]
    return all(x.type.shape[each] for each in found["axis"]) and not _shifted(x)


def _safe(found: Match) -> bool:
    return _shifted(found["x"])


def _shifted(x: Node) -> bool:
    """Whether x is z - max(z) for some z, or z.T - max(z)."""
    if x.op is not e.subtract:
        return False
    source, shift = x.args
    while shift.op in (broadcast_to, reshape, e.stop_gradient):
        shift = shift.args[0]
    moved = source.args[0] if source.op is transpose else source
    return shift.op is max_ and shift.args[0] in (source, moved)


def log_first(found: Match) -> Node | None:
    """the selection of the logarithm, of a quotient or a softmax."""
    picked = found.root.args[0]
    quotient, *indices = picked.args
    if quotient.op not in (softmax, sigmoid, e.divide):
        return None
    return node(picked.op, (node(e.log, (quotient,)), *indices), picked.params)


def _log_of_selection(op: Any, args: tuple[Any, ...]) -> bool:
    return args[0] in (getitem, reshape, transpose)


_safe_odds = np.exp(x - broadcast_to(np.max(x, axis=axis, keepdims=True), shape=shape))
_shares = _safe_odds / broadcast_to(np.sum(_safe_odds, axis=axis, keepdims=keepdims), shape=shape)
_held_odds = np.exp(
    x - broadcast_to(e.stop_gradient(np.max(x, axis=axis, keepdims=True)), shape=shape)
)
_held_total = np.sum(_held_odds, axis=axis, keepdims=keepdims)
_total = np.logaddexp(0, x)
_is_limit = x == _total

STABILITY = rules(
    rule("logaddexp-derivative",
         np.where(_is_limit, 1, np.exp(x - np.where(_is_limit, 0, _total))), logistic(x),
         ACCURATE, shared=True, primal=False),
    rule("sigmoid", 1 / (1 + np.exp(-x)), sigmoid(x), ACCURATE, shared=True),
    rule("sigmoid-reciprocal", np.reciprocal(1 + np.exp(-x)), sigmoid(x), ACCURATE, shared=True),
    rule("sigmoid-power", (1 + np.exp(-x)) ** -1, sigmoid(x), ACCURATE, shared=True),
    rule("sigmoid-of-odds", np.exp(x) / (1 + np.exp(x)), logistic(x), ACCURATE, shared=True),
    rule("sigmoid-factor", y / (1 + np.exp(-x)), y * sigmoid(x), ACCURATE, shared=True),
    rule("sigmoid-of-number", 1 / (1 + np.exp(e.convert(-x, dtype=dtype, weak=weak))),
         sigmoid(e.convert(x, dtype=dtype, weak=weak)), ACCURATE, shared=True,
         example={"x": "float", "dtype": np.dtype(float), "weak": False}),
    rule("softmax", odds / broadcast_to(total, shape=shape), softmax(x, axis=axis, expanded=True),
         ACCURATE, shared=True, when=_back_along, ulps=EXPONENTS,
         example={"axis": (1,), "keepdims": True, "shape": (3, 4)}),
    rule("softmax-shifted", _held_odds / broadcast_to(_held_total, shape=shape),
         softmax(x, axis=axis, expanded=True), EXACT, shared=True, when=_aligned,
         example={"axis": (1,), "keepdims": True, "shape": (3, 4)}),
    rule("log-first", Family("the logarithm of a selection", (e.log,), (), _log_of_selection),
         log_first, ACCURATE, shared=True,
         example={"of": np.log(getitem(sigmoid(x), index=(1,)))}),
    rule("log-softmax", np.log(softmax(x, axis=axis, expanded=expanded)),
         log_softmax(x, axis=axis, expanded=expanded), ACCURATE, shared=True, ulps=NEAR_ZERO,
         example={"axis": (1,), "expanded": True}),
    rule("log-of-shares", np.log(odds / broadcast_to(total, shape=shape)),
         x - broadcast_to(np.log(total), shape=shape), ACCURATE, shared=True, when=_safe,
         ulps=NEAR_ZERO,
         example={"of": np.log(_shares), "axis": (1,), "keepdims": True, "shape": (3, 4)}),
    rule("logsumexp", np.log(total), logsumexp(x, axis=axis, keepdims=keepdims, expanded=True),
         ACCURATE, shared=True, when=_naive, ulps=NEAR_ZERO,
         example={"axis": (1,), "keepdims": True}),
    rule("log-sigmoid", np.log(sigmoid(x)), -softplus(-x), ACCURATE, shared=True),
    rule("log-one-minus-sigmoid", np.log(1 - sigmoid(x)), -softplus(x), ACCURATE,
         shared=True),
    rule("softplus", np.log(1 + np.exp(x)), softplus(x), ACCURATE, shared=True),
    rule("softplus-log1p", np.log1p(np.exp(x)), softplus(x), ACCURATE, shared=True),
    rule("log1p", np.log(1 + x), np.log1p(x), ACCURATE, shared=True),
    rule("expm1", np.exp(x) - 1, np.expm1(x), ACCURATE, shared=True),
    rule("minus-one-plus-exp", -1 + np.exp(x), np.expm1(x), ACCURATE, shared=True),
    rule("one-minus-exp", 1 - np.exp(x), -np.expm1(x), ACCURATE, shared=True),
    rule("log-of-exp", np.log(np.exp(x)), x, ACCURATE, shared=True),
)  # fmt: skip
