"""Table: naive forms that overflow or cancel, replaced by stable ones before linearization.

The derivative of a naive form overflows sooner than the form itself: these rows must see the
user's program before it is linearized. They match inner nodes that have other readers too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import Node, node
from symdiff.ops import elementwise as e
from symdiff.ops.reductions import max_, reduced_shape
from symdiff.ops.shaping import ROWS, broadcast_to, getitem, reshape, transpose
from symdiff.ops.stable import (
    log_cosh,
    log_softmax,
    logistic,
    logsumexp,
    sigmoid,
    softmax,
    softplus,
)
from symdiff.rewrite.pattern import ACCURATE, EXACT, Family, Match, Wild, rule, rules, wilds

x, y, z = wilds("x y z")
axis, keepdims, shape, dtype, weak = wilds("axis keepdims shape dtype weak")
expanded = Wild("expanded")
EXPONENTS = 800  # exp(x - max(x)) has the rounding error of its argument
NEAR_ZERO = 1000  # and a logarithm near 0 that of its terms

index, axes = wilds("index axes")
c = Wild("c", constant=True)
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


def _unshifted(found: Match) -> bool:
    """Whether the greatest of some numbers has not been taken off all of them, by hand."""
    return not all(_is_shifted_number(found[key]) for key in "xyz" if key in found.values)


def _is_shifted_number(each: Node) -> bool:
    """Whether this is z - max(z, …), or such a difference scaled, for a number z."""
    while each.op in _SCALINGS:
        each = next((arg for arg in each.args if arg.op in _SHIFTED), each.args[0])
    if each.op is not e.subtract:
        return False
    first, second = each.args
    return _is_among(first, second) or _is_among(second, first)


_SCALINGS = (e.multiply, e.divide, e.negative)
_SHIFTED = (*_SCALINGS, e.subtract)
_EXTREMES = (e.larger, e.smaller, e.maximum, e.minimum)


def _is_among(each: Node, extreme: Node) -> bool:
    """Whether a value is one of those that a maximum or minimum is of."""
    waiting = [extreme] if extreme.op in _EXTREMES else []
    while waiting:
        arg = waiting.pop()
        if arg is each:
            return True
        if arg.op in _EXTREMES:
            waiting += arg.args
    return False


def _kept(found: Match) -> bool:
    """Whether a reduction gets the axes back that it was taken along, and does nothing else."""
    reduction = found.root.args[0]
    kept = reduced_shape(reduction.args[0].type.shape, reduction.param("axis"), True)
    index: Any = dict(found.root.params).get("index", ())
    plain = all(each is None or each == ROWS for each in index)
    return plain and found.root.type.shape == kept


def _across(found: Match) -> bool:
    """Whether a sum is put back along the axes that it was taken along, which stand in front."""
    axis, axes = found["axis"], found["axes"]
    reduced = axes[: len(axis)] if not found["keepdims"] else ()
    rest = axes[len(axis) :]
    return sorted(reduced) == list(axis) and list(rest) == sorted(rest)


def _mean(found: Match) -> bool:
    """Whether a sum of exponentials is divided by a number of them."""
    return bool(_naive(found) and found["c"].value > 0)


def log_first(found: Match) -> Node | None:
    """the selection of the logarithm, of a quotient, a softmax or an exponential."""
    picked = found.root.args[0]
    source = picked  # what is positive: other numbers may be selected because they are
    while source.op in _SELECTIONS:
        source = source.args[0]
    if source.op is e.divide:
        source = source.args[0]
    if source.op not in (softmax, sigmoid, e.exp):
        return None
    inner, *indices = picked.args
    return node(picked.op, (node(e.log, (inner,)), *indices), picked.params)


_SELECTIONS = (getitem, reshape, transpose)


def _log_of_selection(op: Any, args: tuple[Any, ...]) -> bool:
    return args[0] in _SELECTIONS


written = sigmoid(x, expanded=True)
any_sigmoid = sigmoid(x, expanded=expanded)
_safe_odds = np.exp(x - broadcast_to(np.max(x, axis=axis, keepdims=True), shape=shape))
_shares = _safe_odds / broadcast_to(np.sum(_safe_odds, axis=axis, keepdims=keepdims), shape=shape)
_held_odds = np.exp(
    x - broadcast_to(e.stop_gradient(np.max(x, axis=axis, keepdims=True)), shape=shape)
)
_held_total = np.sum(_held_odds, axis=axis, keepdims=keepdims)

STABILITY = rules(
    rule("sigmoid", 1 / (1 + np.exp(-x)), written, ACCURATE, shared=True),
    rule("sigmoid-reciprocal", np.reciprocal(1 + np.exp(-x)), written, ACCURATE, shared=True),
    rule("sigmoid-power", (1 + np.exp(-x)) ** -1, written, ACCURATE, shared=True),
    rule("sigmoid-of-tanh", 0.5 * (1 + np.tanh(x)), logistic(2 * x), ACCURATE, shared=True),
    rule("sigmoid-of-half-tanh", (1 + np.tanh(x)) / 2, logistic(2 * x), ACCURATE, shared=True),
    rule("sigmoid-of-tanh-added", 0.5 + 0.5 * np.tanh(x), logistic(2 * x), ACCURATE, shared=True),
    rule("sigmoid-of-odds", np.exp(x) / (1 + np.exp(x)), logistic(x), ACCURATE, shared=True),
    rule("minus-sigmoid", -1 / (1 + np.exp(-x)), -written, ACCURATE, shared=True),
    rule("sigmoid-factor", y / (1 + np.exp(-x)), y * written, ACCURATE, shared=True),
    rule("sigmoid-of-number", 1 / (1 + np.exp(e.convert(-x, dtype=dtype, weak=weak))),
         sigmoid(e.convert(x, dtype=dtype, weak=weak), expanded=True), ACCURATE, shared=True,
         example={"x": "float", "dtype": np.dtype(float), "weak": False}),
    rule("sigmoid-of-opposite", 1 / (1 + np.exp(x)), logistic(-x), ACCURATE, shared=True),
    rule("sum-kept", np.reshape(np.sum(odds, axis=axis, keepdims=False), shape=shape),
         np.sum(odds, axis=axis, keepdims=True), EXACT, shared=True, when=_kept,
         example={"axis": (1,), "shape": (3, 1)}),
    rule("sum-kept-by-index", getitem(np.sum(odds, axis=axis, keepdims=False), index=index),
         np.sum(odds, axis=axis, keepdims=True), EXACT, shared=True, when=_kept,
         example={"axis": (1,), "index": (("slice", None, None, None), None)}),
    rule("max-kept", np.reshape(np.max(x, axis=axis, keepdims=False), shape=shape),
         np.max(x, axis=axis, keepdims=True), EXACT, shared=True, when=_kept,
         example={"axis": (1,), "shape": (3, 1)}),
    rule("max-kept-by-index", getitem(np.max(x, axis=axis, keepdims=False), index=index),
         np.max(x, axis=axis, keepdims=True), EXACT, shared=True, when=_kept,
         example={"axis": (1,), "index": (("slice", None, None, None), None)}),
    rule("softmax-transposed", transpose(odds, axes=axes) / broadcast_to(total, shape=shape),
         transpose(softmax(x, axis=axis, expanded=True), axes=axes), ACCURATE, shared=True,
         when=_across, ulps=EXPONENTS,
         example={"axis": (1,), "keepdims": False, "shape": (4, 3), "axes": (1, 0)}),
    rule("softmax", odds / broadcast_to(total, shape=shape), softmax(x, axis=axis, expanded=True),
         ACCURATE, shared=True, when=_back_along, ulps=EXPONENTS,
         example={"axis": (1,), "keepdims": True, "shape": (3, 4)}),
    rule("softmax-shifted", _held_odds / broadcast_to(_held_total, shape=shape),
         softmax(x, axis=axis, expanded=True), EXACT, shared=True, when=_aligned,
         example={"axis": (1,), "keepdims": True, "shape": (3, 4)}),
    rule("log-first", Family("the logarithm of a selection", (e.log,), (), _log_of_selection),
         log_first, ACCURATE, shared=True,
         example={"of": np.log(getitem(written, index=(1,)))}),
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
    rule("log-sigmoid", np.log(any_sigmoid), -softplus(-x), ACCURATE, shared=True,
         example={"expanded": True}),
    rule("log-one-minus-sigmoid", np.log(1 - any_sigmoid), -softplus(x), ACCURATE, shared=True,
         example={"expanded": True}),
    rule("log1p-minus-sigmoid", np.log1p(-any_sigmoid), -softplus(x), ACCURATE, shared=True,
         example={"expanded": False}),
    rule("log-logistic", np.log(logistic(x)), -softplus(-x), ACCURATE, shared=True),
    rule("log-one-minus-logistic", np.log(1 - logistic(x)), -softplus(x), ACCURATE, shared=True),
    rule("log1p-minus-logistic", np.log1p(-logistic(x)), -softplus(x), ACCURATE, shared=True),
    rule("logaddexp", np.log(np.exp(x) + np.exp(y)), np.logaddexp(x, y), ACCURATE, shared=True,
         when=_unshifted, ulps=NEAR_ZERO),
    rule("logaddexp-of-three", np.log(np.exp(x) + np.exp(y) + np.exp(z)),
         np.logaddexp(np.logaddexp(x, y), z), ACCURATE, shared=True, when=_unshifted,
         ulps=NEAR_ZERO),
    rule("logmeanexp", np.log(total / c),
         logsumexp(x, axis=axis, keepdims=keepdims, expanded=True) - np.log(c), ACCURATE,
         shared=True, when=_mean, ulps=NEAR_ZERO,
         example={"axis": (1,), "keepdims": True}),
    rule("log-cosh", np.log(np.cosh(x)), log_cosh(x), ACCURATE, shared=True),
    rule("tanh", (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)), np.tanh(x), ACCURATE,
         shared=True),
    rule("tanh-of-expm1", np.expm1(x) / (1 + np.exp(x)), np.tanh(0.5 * x), ACCURATE, shared=True),
    rule("softplus", np.log(1 + np.exp(x)), softplus(x), ACCURATE, shared=True),
    rule("softplus-log1p", np.log1p(np.exp(x)), softplus(x), ACCURATE, shared=True),
    rule("log1p", np.log(1 + x), np.log1p(x), ACCURATE, shared=True),
    rule("expm1", np.exp(x) - 1, np.expm1(x), ACCURATE, shared=True),
    rule("minus-one-plus-exp", -1 + np.exp(x), np.expm1(x), ACCURATE, shared=True),
    rule("one-minus-exp", 1 - np.exp(x), -np.expm1(x), ACCURATE, shared=True),
    rule("log-of-exp", np.log(np.exp(x)), x, ACCURATE, shared=True),
)  # fmt: skip
