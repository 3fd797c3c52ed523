"""The partial derivatives of elementwise records at extreme arguments, against hundreds of digits.

What is exact is derived by SymPy, from the record's own name there or from FORMULAS.
"""

import itertools
from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
import sympy

from symdiff.autodiff.linearize import linearize
from symdiff.ir import Graph, compilation, input_node, node, type_of
from symdiff.ops.primitive import Partial, Primitive, every_primitive
from symdiff.testing import run

DIGITS = 900  # so many that 1 + exp(-700)**2 is not 1
ULPS = 64
SIZES = [1e-300, 1e-160, 1e-8, 0.3, 1.5, 20.0, 300.0, 1e8, 1e160]
POINTS = [sign * size for size in SIZES for sign in (1.0, -1.0)]

# of the operands x0, x1, in order
FORMULAS = {
    "subtract": "x0 - x1",
    "negative": "-x0",
    "positive": "x0",
    "divide": "x0 / x1",
    "square": "x0 * x0",
    "cbrt": "x0 ** (1 / S(3))",
    "scipy_cbrt": "x0 ** (1 / S(3))",
    "reciprocal": "1 / x0",
    "exp2": "2 ** x0",
    "scipy_exp2": "2 ** x0",
    "exp10": "10 ** x0",
    "expm1": "exp(x0) - 1",
    "scipy_expm1": "exp(x0) - 1",
    "log2": "log(x0) / log(2)",
    "log10": "log(x0) / log(10)",
    "log1p": "log(1 + x0)",
    "scipy_log1p": "log(1 + x0)",
    "logaddexp": "log(exp(x0) + exp(x1))",
    "logaddexp2": "log(2 ** x0 + 2 ** x1) / log(2)",
    "hypot": "sqrt(x0 ** 2 + x1 ** 2)",
    "sinc": "sin(pi * x0) / (pi * x0)",
    "logit": "log(x0) - log(1 - x0)",
    "log_expit": "-log(1 + exp(-x0))",
    "logistic": "1 / (1 + exp(-x0))",
    "softplus": "log(1 + exp(x0))",
    "log_cosh": "log(cosh(x0))",
    "xlogy": "x0 * log(x1)",
    "xlog1py": "x0 * log(1 + x1)",
    "exprel": "(exp(x0) - 1) / x0",
    "entr": "-x0 * log(x0)",
    "rel_entr": "x0 * log(x0 / x1)",
    "kl_div": "x0 * log(x0 / x1) - x0 + x1",
    "pseudo_huber": "x0 ** 2 * (sqrt(1 + (x1 / x0) ** 2) - 1)",
    "ndtr": "(1 + erf(x0 / sqrt(2))) / 2",
    "erfcx": "exp(x0 ** 2) * erfc(x0)",
    "dawsn": "exp(-x0 ** 2) * erfi(x0) * sqrt(pi) / 2",
}
POSITIVE_ONLY = {"power", "cbrt", "scipy_cbrt", "pseudo_huber"}
# SymPy or mpmath take too long, or the record states what is lost
LEFT_OUT = {"erfinv", "erfcinv", "digamma", "gamma", "gammaln", "maximum", "minimum"}
# 1 - y * y and y * (1 - y) are what one writes by hand: right to an ulp of 1, not of themselves
ABSOLUTE = {"tanh", "sigmoid", "logistic"}
# what rounding an exponent, or the result, does to an exponential of it
ROUNDED = {"power": 1e3, "pseudo_huber": 1e3}
# near the point from which on an asymptotic series is better
ROUNDED |= {"erfcx": 2e3, "dawsn": 2e3}


def formula_of(op: Primitive) -> sympy.Expr | None:
    symbols = sympy.symbols(f"x:{len(op.arguments)}", real=True)
    if op.name in FORMULAS:
        return sympy.sympify(FORMULAS[op.name], {str(each): each for each in symbols})
    return getattr(sympy, op.sympy)(*symbols) if op.sympy else None


def samples() -> Iterator[tuple[Primitive, int]]:
    for op in every_primitive():
        if not op.elementwise or op.samples.cases or op.name in LEFT_OUT or formula_of(op) is None:
            continue
        for i, rule in enumerate(op.rules.values()):
            if isinstance(rule, Partial):
                yield op, i


SAMPLES = [pytest.param(op, index, id=f"{op.name}-{index}") for op, index in samples()]


@pytest.mark.parametrize(("op", "index"), SAMPLES)
def test_partials_at_extremes(op, index, monkeypatch):
    monkeypatch.setattr(mpmath.mp, "dps", DIGITS)
    symbols = sympy.symbols(f"x:{len(op.arguments)}", real=True)
    formula = formula_of(op)
    value = sympy.lambdify(symbols, formula, "mpmath")
    slope = sympy.lambdify(symbols, formula.diff(symbols[index]), "mpmath")
    ulps, wrong = ROUNDED.get(op.name, ULPS), []
    for point in itertools.product(POINTS, repeat=len(symbols)):
        exact = exactly(slope, value, point, op)
        if exact is None:
            continue
        found = partial(op, index, point)
        scale = max(abs(exact), 1) if op.name in ABSOLUTE else abs(exact)
        if not abs(mpmath.mpf(found) - exact) <= ulps * np.finfo(float).eps * scale:
            wrong.append(f"at {point}: {found}, and not {float(exact)}")
    assert not wrong, "\n".join(wrong)


def exactly(slope, value, point, op):
    """The derivative; None where it or the value is no number in the normal range.

    Neither is it looked at where the function itself is wrong.
    """
    if op.name in POSITIVE_ONLY and min(point) < 0:
        return None
    operands = [mpmath.mpf(each) for each in point]
    try:
        size, exact = value(*operands), slope(*operands)
    except (ValueError, ZeroDivisionError, OverflowError, mpmath.libmp.NoConvergence):
        return None
    for each in (size, exact):
        if not isinstance(each, mpmath.mpf) or not 1e-290 < abs(each) < 1e290:
            return None
    with np.errstate(all="ignore"):
        own = float(op.function(*map(np.float64, point)))
    return exact if np.isfinite(own) and abs(own - size) <= 1e-12 * abs(size) else None


def partial(op, index, point):
    """The coefficient as the emitted code computes it, in doubles."""
    arrays = [np.asarray(each) for each in point]
    with compilation():
        inputs = tuple(input_node(f"x{i}", type_of(each)) for i, each in enumerate(arrays))
        graph = Graph("f", inputs, (node(op, inputs),))
        tangents = linearize(graph, [inputs[index]]).graph
        (found,) = run(tangents, [*arrays, np.asarray(1.0)])
    return float(found)
