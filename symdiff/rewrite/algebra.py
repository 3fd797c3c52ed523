"""Table: identities of arithmetic, choices and powers, and masks as strong zeros."""

from __future__ import annotations

import numpy as np

from symdiff.ir.node import Const, Node, constant, node
from symdiff.ops import elementwise as e
from symdiff.ops import shaping
from symdiff.rewrite.pattern import (
    EXACT,
    ROUNDING,
    Match,
    Wild,
    is_number,
    rule,
    rules,
    wilds,
)

x, y, t, a, b = wilds("x y t a b")
mask = Wild("mask")
c, d = Wild("c", constant=True), Wild("d", constant=True)


def _normal_product(found: Match) -> bool:
    """Whether the product of the two constants neither overflows nor loses digits."""
    left, right = found["c"], found["d"]
    with np.errstate(all="ignore"):
        merged = abs(left.value * right.value)
    tiny = float(np.finfo(left.type.dtype).tiny)
    return bool(tiny <= merged < np.inf) or not merged


def _normal_quotient(found: Match) -> bool:
    left, right = found["c"], found["d"]
    with np.errstate(all="ignore"):
        merged = abs(np.divide(left.value, right.value))
    return bool(float(np.finfo(left.type.dtype).tiny) <= merged < np.inf)


def _no_constant(*names: str):  # type: ignore[no-untyped-def]
    def condition(found: Match) -> bool:
        return not any(isinstance(found[name], Const) for name in names)

    return condition


ALGEBRA = rules(
    # ------------------------------------------------------------------ units and signs
    rule("mul-one", x * 1, x, EXACT, dtypes="biufc", shared=True),
    rule("div-one", x / 1, x, EXACT, dtypes="fc"),
    rule("power-one", x**1, x, EXACT, dtypes="iuf"),
    rule("neg-neg", -(-x), x, EXACT, dtypes="ifc", shared=True),
    rule("add-neg", x + (-y), x - y, EXACT, dtypes="ifc", shared=True),
    rule("sub-neg", x - (-y), x + y, EXACT, dtypes="ifc", shared=True),
    rule("double", x + x, 2 * x, EXACT, dtypes="iuf", when=_no_constant("x")),
)
