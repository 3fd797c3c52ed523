"""Table: identities of arithmetic, powers and choices, and masks as strong zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import Const
from symdiff.ops.shaping import broadcast_to, reshape
from symdiff.rewrite.pattern import (
    EXACT,
    FINITE,
    ROUNDING,
    Match,
    Wild,
    rule,
    rules,
    wilds,
)

x, y, t, a, b = wilds("x y t a b")
mask, shape, shape2 = wilds("mask shape shape2")
c, d = Wild("c", constant=True), Wild("d", constant=True)


def _normal(function: Any) -> Any:
    """A condition: the function of c and d neither overflows nor loses digits."""

    def condition(found: Match) -> bool:
        with np.errstate(all="ignore"):
            size = abs(function(found["c"].value, found["d"].value))
        return bool(np.finfo(found["c"].type.dtype).tiny <= size < np.inf)

    return condition


def _variable(found: Match) -> bool:
    return not isinstance(found["x"], Const)


def _negative(found: Match) -> bool:
    return bool(found["c"].value < 0)


def _opposite(found: Match) -> bool:
    return bool(found["d"].value == -found["c"].value)


def _is_array(found: Match) -> bool:
    return bool(found["x"].type.shape)


def _not_broadcast(found: Match) -> bool:
    """Whether x has so many elements itself: the mask of an outer product stays on its factor."""
    return found["x"].op is not broadcast_to


# Signs go outwards, constants to the left and into one.
ARITHMETIC = (
    rule("mul-one", x * 1, x, EXACT, dtypes="iuf", shared=True),
    rule("div-one", x / 1, x, EXACT),
    # infinities and signs of zero of complex numbers do not survive a product
    rule("mul-one-complex", x * 1, x, ROUNDING, dtypes="c", shared=True),
    rule("div-one-complex", x / 1, x, ROUNDING, dtypes="c"),
    rule("sub-zero", x - 0.0, x, EXACT, dtypes="iuf"),
    rule("add-minus-zero", x + (-0.0), x, EXACT),
    rule("neg-neg", -(-x), x, EXACT, dtypes="ifc", shared=True),  # noqa: B002
    rule("add-neg", x + (-y), x - y, EXACT, dtypes="ifc", shared=True),
    rule("sub-neg", x - (-y), x + y, EXACT, dtypes="ifc", shared=True),
    rule("double", x + x, 2 * x, EXACT, dtypes="iuf", primal=False),
    rule("sub-self", x - x, 0, FINITE),
    # a factor or a summand 0 of a derivative is structural, whatever stands beside it
    rule("mul-zero", x * 0, 0, ROUNDING, dtypes="fc", shared=True),
    rule("zero-div", 0 / x, 0, ROUNDING, shared=True),
    rule("add-zero", x + 0, x, ROUNDING, dtypes="fc"),
    rule("zero-sub", 0 - x, -x, ROUNDING, dtypes="fc"),
    rule("mul-minus-one", x * -1, -x, EXACT, primal=False),
    rule("constant-first", x * c, c * x, EXACT, primal=False, when=_variable),
    rule("constant-first-complex", x * c, c * x, ROUNDING, dtypes="c", when=_variable),
    rule("add-negative", x + c * y, x - (-c) * y, EXACT, primal=False, when=_negative),
    rule("sub-negative", x - c * y, x + (-c) * y, EXACT, primal=False, when=_negative),
    rule("neg-scale", -(c * x), (-c) * x, EXACT, primal=False),
    rule("neg-scaled-factor", -(x * (c * y)), x * ((-c) * y), EXACT, primal=False),
    rule("scale-neg", c * (-x), (-c) * x, EXACT, primal=False, shared=True),
    rule("mul-neg", x * (-y), -(x * y), EXACT, primal=False, shared=True),
    rule("neg-div", (-x) / y, -(x / y), EXACT, primal=False, shared=True),
    rule("div-neg", x / (-y), -(x / y), EXACT, primal=False, shared=True),
    rule("add-neg-broadcast", x + broadcast_to(-a, shape=shape) * y,
         x - broadcast_to(a, shape=shape) * y, EXACT, primal=False,
         example={"a": "f[3,1]", "shape": (3, 4)}),
    rule("add-broadcast-neg", x + broadcast_to(-a, shape=shape), x - broadcast_to(a, shape=shape),
         EXACT, primal=False, example={"a": "f[3,1]", "shape": (3, 4)}),
    rule("neg-minus", (-x) - y, -(x + y), ROUNDING),
    rule("neg-sub", -(x - y), y - x, ROUNDING),
    rule("neg-add", (-x) + y, y - x, EXACT, primal=False, shared=True),
    rule("fold-scale", c * (d * x), (c * d) * x, ROUNDING, when=_normal(np.multiply)),
    rule("fold-quotient", (c * x) / d, (c / d) * x, ROUNDING, when=_normal(np.divide)),
    rule("scale-quotient", c * (x / d), (c / d) * x, ROUNDING, when=_normal(np.divide)),
    rule("scale-product", (c * x) * (d * y), (c * d) * (x * y), ROUNDING,
         when=_normal(np.multiply), reach=0.5),
    rule("scale-choices", np.where(mask, c * x, c * y), c * np.where(mask, x, y), ROUNDING),
    rule("scale-difference", c * (x - y), (-c) * (y - x), ROUNDING, when=_negative),
    rule("self-quotient", x / x, 1, ROUNDING),
    rule("reciprocal", x * (1 / y), x / y, ROUNDING, reach=0.5),
    rule("scale-constant-over", c * (d / x), (c * d) / x, ROUNDING, when=_normal(np.multiply)),
    rule("constant-over", x * (c / y), c * (x / y), ROUNDING, when=_variable, reach=0.5),
    rule("add-scaled", x + c * x, (1 + c) * x, ROUNDING, reach=0.5),
    rule("sub-scaled", x - c * x, (1 - c) * x, ROUNDING, reach=0.5),
    rule("factor-opposite", c * x - d * y, c * (x + y), ROUNDING, when=_opposite, reach=0.5,
         example={"c": -2.0, "d": 2.0}),
    rule("factor-out", t * (c * x) + c * y, c * (t * x + y), ROUNDING, reach=0.3),
    rule("factor-out-sub", t * (c * x) - c * y, c * (t * x - y), ROUNDING, reach=0.3),
    rule("factor-out-both", t * (c * x) + a * (c * y), c * (t * x + a * y), ROUNDING, reach=0.3),
    rule("factor-out-both-sub", t * (c * x) - a * (c * y), c * (t * x - a * y), ROUNDING,
         reach=0.3),
    rule("factor-out-both-opposite", t * (c * x) + a * (d * y), c * (t * x - a * y), ROUNDING,
         when=_opposite, reach=0.3, example={"c": 2.0, "d": -2.0}),
    rule("factor-out-opposite", t * (c * x) - d * y, c * (t * x + y), ROUNDING, when=_opposite,
         reach=0.3, example={"c": -2.0, "d": 2.0}),
    rule("factor", a * t + b * t, (a + b) * t, ROUNDING, reach=0.5),
    rule("factor-scaled", a * t + c * (b * t), (a + c * b) * t, ROUNDING, reach=0.3),
    rule("factor-sub-scaled", a * t - c * (b * t), (a - c * b) * t, ROUNDING, reach=0.3),
    rule("factor-sub", a * t - b * t, (a - b) * t, ROUNDING, reach=0.5),
    rule("factor-quotient", a / t + b / t, (a + b) / t, ROUNDING, reach=0.5),
)  # fmt: skip

POWERS = (
    rule("power-one", x**1, x, EXACT, dtypes="iuf"),
    # for arrays NumPy has quick ways for the exponents -1, 0.5, 1 and 2 only
    rule("cube", x**3, x * x * x, ROUNDING, when=_is_array, reach=0.3),
    rule("fourth-power", x**4, (x * x) * (x * x), ROUNDING, when=_is_array, reach=0.25),
)


CHOICES = (
    rule("where-true", np.where(True, x, y), x, EXACT, dtypes="biufc"),
    rule("where-false", np.where(False, x, y), y, EXACT, dtypes="biufc"),
    rule("where-same", np.where(mask, x, x), x, EXACT, dtypes="biufc"),
    rule("and-same", np.bitwise_and(mask, mask), mask, EXACT, dtypes="b"),
    rule("where-again", np.where(mask, np.where(mask, x, y), t), np.where(mask, x, t), EXACT,
         dtypes="biufc", primal=False, shared=True),
    rule("where-never", np.where(mask, x, np.where(mask, y, t)), np.where(mask, x, t), EXACT,
         dtypes="biufc", primal=False, shared=True),
)  # fmt: skip

# A mask is a strong zero: it goes outwards over what the masked value is multiplied with, so that
# an infinite factor of a value that is not chosen cannot make NaN.
MASKS = (
    rule("mask-reshape-mul", reshape(np.where(mask, a, 0), shape=shape) * x,
         np.where(reshape(mask, shape=shape), reshape(a, shape=shape) * x, 0), ROUNDING,
         dtypes="fc", shared=True, example={"shape": (4, 3), "x": "f[4,3]"}),
    rule("mask-reshape-div", reshape(np.where(mask, a, 0), shape=shape) / x,
         np.where(reshape(mask, shape=shape), reshape(a, shape=shape) / x, 0), ROUNDING,
         dtypes="fc", shared=True, example={"shape": (4, 3), "x": "f[4,3]"}),
    rule("mask-column-mul",
         broadcast_to(reshape(np.where(mask, a, 0), shape=shape2), shape=shape) * x,
         np.where(broadcast_to(reshape(mask, shape=shape2), shape=shape),
                  broadcast_to(reshape(a, shape=shape2), shape=shape) * x, 0),
         ROUNDING, dtypes="fc", shared=True, when=_not_broadcast,
         example={"mask": "bool[3]", "a": "f[3]", "shape2": (3, 1), "shape": (3, 4)}),
    rule("mask-broadcast-mul", broadcast_to(np.where(mask, a, 0), shape=shape) * x,
         np.where(broadcast_to(mask, shape=shape), broadcast_to(a, shape=shape) * x, 0),
         ROUNDING, dtypes="fc", shared=True, when=_not_broadcast,
         example={"shape": (2, 3, 4), "x": "f[2,3,4]"}),
    rule("mask-mul", np.where(mask, a, 0) * x, np.where(mask, a * x, 0), ROUNDING, dtypes="fc",
         shared=True),
    rule("mask-not-mul", np.where(mask, 0, a) * x, np.where(mask, 0, a * x), ROUNDING,
         dtypes="fc", shared=True),
    rule("mask-div", np.where(mask, a, 0) / x, np.where(mask, a / x, 0), ROUNDING, dtypes="fc",
         shared=True),
    rule("mask-not-div", np.where(mask, 0, a) / x, np.where(mask, 0, a / x), ROUNDING,
         dtypes="fc", shared=True),
    rule("mask-neg", -np.where(mask, a, 0), np.where(mask, -a, 0), ROUNDING, dtypes="fc"),
    rule("mask-not-neg", -np.where(mask, 0, a), np.where(mask, 0, -a), ROUNDING, dtypes="fc"),
    rule("merge-masks", np.where(mask, a, 0) + np.where(mask, 0, b), np.where(mask, a, b),
         ROUNDING, dtypes="fc"),
    rule("add-masked", np.where(mask, a, 0) + np.where(mask, b, 0), np.where(mask, a + b, 0),
         ROUNDING, dtypes="fc"),
    rule("add-not-masked", np.where(mask, 0, a) + np.where(mask, 0, b), np.where(mask, 0, a + b),
         ROUNDING, dtypes="fc"),
    rule("sub-masked", np.where(mask, a, 0) - np.where(mask, b, 0), np.where(mask, a - b, 0),
         ROUNDING, dtypes="fc"),
    rule("sub-not-masked", np.where(mask, 0, a) - np.where(mask, 0, b), np.where(mask, 0, a - b),
         ROUNDING, dtypes="fc"),
)  # fmt: skip

ALGEBRA = rules(*ARITHMETIC, *POWERS, *CHOICES, *MASKS)
