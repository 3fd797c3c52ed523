"""Elementwise primitives: one declaration each. Operands have equal shapes and dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Primitive,
    Samples,
    Transpose,
    case,
    constant,
    elementwise,
    register,
)

POSITIVE = Samples(0.3, 2.5)
NONZERO_DENOMINATOR = Samples((-2.0, 0.5), (2.0, 2.5))
UNIT = Samples(-0.9, 0.9)
TINY = Samples(0.3, 0.9)

# ---------------------------------------------------------------------------- arithmetic

add = elementwise(np.add, infix="+", partials={"x1": 1, "x2": 1}, c="{x1} + {x2}", sympy="Add")
subtract = elementwise(np.subtract, infix="-", partials={"x1": 1, "x2": -1}, c="{x1} - {x2}")
negative = elementwise(np.negative, infix="-", partials={"x": -1}, c="-{x}")
positive = elementwise(np.positive, infix="+", partials={"x": 1}, c="{x}")
multiply = elementwise(
    np.multiply,
    infix="*",
    partials={"x1": lambda y, x1, x2: x2, "x2": lambda y, x1, x2: x1},
    c="{x1} * {x2}",
    sympy="Mul",
)
divide = elementwise(
    np.divide,
    infix="/",
    partials={"x1": lambda y, x1, x2: 1 / x2, "x2": lambda y, x1, x2: -y / x2},
    c="{x1} / {x2}",
    risky=True,
    samples=NONZERO_DENOMINATOR,
)
# x1 ** x2: the derivative is 0 for an exponent 0, and the exponent's is 0 at x1 = 0 (limit)
power = elementwise(
    np.power,
    infix="**",
    partials={
        "x1": lambda y, x1, x2: np.where(x2 == 0, 0, x2 * x1 ** (x2 - 1)),
        "x2": lambda y, x1, x2: np.where(x1 == 0, 0, y * np.log(np.where(x1 == 0, 1, x1))),
    },
    c="pow({x1}, {x2})",
    sympy="Pow",
    risky=True,
    samples=POSITIVE,
)
floor_divide = constant(np.floor_divide, infix="//", risky=True, samples=NONZERO_DENOMINATOR)
remainder = elementwise(
    np.remainder,
    infix="%",
    partials={"x1": 1, "x2": lambda y, x1, x2: -np.floor(x1 / x2)},
    risky=True,
    samples=Samples((0.1, 0.71), (0.6, 0.8)),
)
fmod = elementwise(
    np.fmod,
    partials={"x1": 1, "x2": lambda y, x1, x2: -np.trunc(x1 / x2)},
    c="fmod({x1}, {x2})",
    risky=True,
    samples=Samples((0.1, 0.71), (0.6, 0.8)),
)
square = elementwise(np.square, partials={"x": lambda y, x: 2 * x}, c="{x} * {x}")
sqrt = elementwise(
    np.sqrt,
    partials={"x": lambda y, x: 0.5 / y},
    c="sqrt({x})",
    sympy="sqrt",
    risky=True,
    samples=POSITIVE,
)
cbrt = elementwise(
    np.cbrt, partials={"x": lambda y, x: 1 / (3 * y * y)}, c="cbrt({x})", samples=POSITIVE
)
reciprocal = elementwise(
    np.reciprocal,
    partials={"x": lambda y, x: -y * y},
    c="1 / {x}",
    risky=True,
    samples=POSITIVE,
)

# ---------------------------------------------------------------------------- exp and log

exp = elementwise(
    np.exp, partials={"x": lambda y, x: y}, c="exp({x})", sympy="exp", risky=True
)
exp2 = elementwise(np.exp2, partials={"x": lambda y, x: y * np.log(2)}, c="exp2({x})", risky=True)
expm1 = elementwise(np.expm1, partials={"x": lambda y, x: np.exp(x)}, c="expm1({x})", risky=True)
log = elementwise(
    np.log,
    partials={"x": lambda y, x: 1 / x},
    c="log({x})",
    sympy="log",
    risky=True,
    samples=POSITIVE,
)
log2 = elementwise(
    np.log2,
    partials={"x": lambda y, x: 1 / (x * np.log(2))},
    c="log2({x})",
    risky=True,
    samples=POSITIVE,
)
log10 = elementwise(
    np.log10,
    partials={"x": lambda y, x: 1 / (x * np.log(10))},
    c="log10({x})",
    risky=True,
    samples=POSITIVE,
)
log1p = elementwise(
    np.log1p, partials={"x": lambda y, x: 1 / (1 + x)}, c="log1p({x})", risky=True, samples=POSITIVE
)
logaddexp = elementwise(
    np.logaddexp,
    # both exponents are at most 0, except at infinities, where the larger operand takes all
    partials={
        "x1": lambda y, x1, x2: np.where(x1 == y, 1, np.exp(x1 - np.where(x1 == y, 0, y))),
        "x2": lambda y, x1, x2: np.where(x2 == y, 1, np.exp(x2 - np.where(x2 == y, 0, y))),
    },
)
logaddexp2 = elementwise(
    np.logaddexp2,
    partials={
        "x1": lambda y, x1, x2: np.exp2(x1 - y),
        "x2": lambda y, x1, x2: np.exp2(x2 - y),
    },
)

# ---------------------------------------------------------------------------- trigonometry

sin = elementwise(np.sin, partials={"x": lambda y, x: np.cos(x)}, c="sin({x})", sympy="sin")
cos = elementwise(np.cos, partials={"x": lambda y, x: -np.sin(x)}, c="cos({x})", sympy="cos")
tan = elementwise(
    np.tan, partials={"x": lambda y, x: 1 + y * y}, c="tan({x})", sympy="tan", samples=UNIT
)
arcsin = elementwise(
    np.arcsin,
    partials={"x": lambda y, x: 1 / np.sqrt((1 - x) * (1 + x))},
    c="asin({x})",
    sympy="asin",
    risky=True,
    samples=UNIT,
)
arccos = elementwise(
    np.arccos,
    partials={"x": lambda y, x: -1 / np.sqrt((1 - x) * (1 + x))},
    c="acos({x})",
    sympy="acos",
    risky=True,
    samples=UNIT,
)
arctan = elementwise(
    np.arctan, partials={"x": lambda y, x: 1 / (1 + x * x)}, c="atan({x})", sympy="atan"
)
arctan2 = elementwise(
    np.arctan2,
    partials={
        "x1": lambda y, x1, x2: x2 / (x1 * x1 + x2 * x2),
        "x2": lambda y, x1, x2: -x1 / (x1 * x1 + x2 * x2),
    },
    c="atan2({x1}, {x2})",
    sympy="atan2",
    samples=POSITIVE,
)
hypot = elementwise(
    np.hypot,
    # at the origin, a kink, the derivative is 0
    partials={
        "x1": lambda y, x1, x2: np.where(y == 0, 0, x1 / np.where(y == 0, 1, y)),
        "x2": lambda y, x1, x2: np.where(y == 0, 0, x2 / np.where(y == 0, 1, y)),
    },
    c="hypot({x1}, {x2})",
    samples=POSITIVE,
)
sinh = elementwise(
    np.sinh, partials={"x": lambda y, x: np.cosh(x)}, c="sinh({x})", sympy="sinh", risky=True
)
cosh = elementwise(
    np.cosh, partials={"x": lambda y, x: np.sinh(x)}, c="cosh({x})", sympy="cosh", risky=True
)
tanh = elementwise(
    np.tanh, partials={"x": lambda y, x: 1 - y * y}, c="tanh({x})", sympy="tanh"
)
arcsinh = elementwise(
    np.arcsinh,
    partials={"x": lambda y, x: 1 / np.hypot(1, x)},
    c="asinh({x})",
    sympy="asinh",
)
arccosh = elementwise(
    np.arccosh,
    partials={"x": lambda y, x: 1 / np.sqrt((x - 1) * (x + 1))},
    c="acosh({x})",
    sympy="acosh",
    risky=True,
    samples=Samples(1.2, 3.0),
)
arctanh = elementwise(
    np.arctanh,
    partials={"x": lambda y, x: 1 / ((1 - x) * (1 + x))},
    c="atanh({x})",
    sympy="atanh",
    risky=True,
    samples=UNIT,
)
deg2rad = elementwise(np.deg2rad, partials={"x": np.pi / 180})
rad2deg = elementwise(np.rad2deg, partials={"x": 180 / np.pi})
radians = elementwise(np.radians, partials={"x": np.pi / 180})
degrees = elementwise(np.degrees, partials={"x": 180 / np.pi})

# ---------------------------------------------------------------------------- kinks and choices

# At 0 the derivative of |x| is 0, sign(0).
absolute = elementwise(
    np.absolute,
    partials={"x": lambda y, x: np.sign(x)},
    numpy="np.abs({x})",
    c="fabs({x})",
    sympy="Abs",
)
fabs = elementwise(np.fabs, partials={"x": lambda y, x: np.sign(x)}, c="fabs({x})")
sign = constant(np.sign, sympy="sign")
copysign = elementwise(
    np.copysign,
    partials={
        "x1": lambda y, x1, x2: np.sign(x1) * np.copysign(1, x2),
        "x2": CONSTANT,
    },
    c="copysign({x1}, {x2})",
    samples=POSITIVE,
)


def _share(wins: Any, ties: Any) -> Any:
    """The derivative of a choice: all to the winner, a tie shared equally."""
    return np.where(wins, 1, np.where(ties, 0.5, 0))


def _choice(compare: Any) -> dict[str, Any]:
    """Partials of maximum and minimum. `tie` names the operand that takes a tie, if one does.

    A tie between traced values is shared; a tie with a literal goes to the literal, so that
    np.maximum(x, 0) has derivative 0 at 0 and needs one mask.
    """

    def first(y: Any, x1: Any, x2: Any, tie: str) -> Any:
        if tie:
            return np.where(compare(x1, x2), 1, 0)
        return _share(compare(x1, x2), x1 == x2)

    def second(y: Any, x1: Any, x2: Any, tie: str) -> Any:
        return first(y, x2, x1, tie)

    return {"x1": first, "x2": second}


CHOICES = (case("f[3]", "f[3]", tie=""), case("f[2,3]", "f[2,3]", tie="x2"), case("f[0]", "f[0]", tie=""))
maximum = elementwise(
    np.maximum,
    partials=_choice(np.greater),
    numpy="np.maximum({x1}, {x2})",
    c="fmax({x1}, {x2})",
    sympy="Max",
    samples=Samples(cases=CHOICES),
)
minimum = elementwise(
    np.minimum,
    partials=_choice(np.less),
    numpy="np.minimum({x1}, {x2})",
    c="fmin({x1}, {x2})",
    sympy="Min",
    samples=Samples(cases=CHOICES),
)
fmax = elementwise(np.fmax, partials=_choice(np.greater), numpy="np.fmax({x1}, {x2})",
                   samples=Samples(cases=CHOICES))
fmin = elementwise(np.fmin, partials=_choice(np.less), numpy="np.fmin({x1}, {x2})",
                   samples=Samples(cases=CHOICES))


def _where_type(c: ArrayType, x1: ArrayType, x2: ArrayType) -> ArrayType:
    return array_type(np.result_type(x1.dtype, x2.dtype), c.shape)


# A mask is a strong zero: the side not chosen contributes 0 whatever its value.
where = register(
    Primitive(
        name="where",
        function=np.where,
        arguments=("condition", "x1", "x2"),
        result=_where_type,
        elementwise=True,
        joint=True,
        rules={
            "condition": CONSTANT,
            "x1": Transpose(lambda y_bar, condition, x1, x2: np.where(condition, y_bar, 0)),
            "x2": Transpose(lambda y_bar, condition, x1, x2: np.where(condition, 0, y_bar)),
        },
        c="{condition} ? {x1} : {x2}",
        samples=Samples(
            cases=(
                case("b[3]", "f[3]", "f[3]"),
                case("b[2,3]", "f[2,3]", "f[2,3]"),
                case("b[0]", "f[0]", "f[0]"),
            )
        ),
    )
)

# ---------------------------------------------------------------------------- rounding

floor = constant(np.floor, c="floor({x})", sympy="floor")
ceil = constant(np.ceil, c="ceil({x})", sympy="ceiling")
trunc = constant(np.trunc, c="trunc({x})")
rint = constant(np.rint, c="rint({x})")

# ---------------------------------------------------------------------------- comparison, logic

greater = constant(np.greater, infix=">", c="{x1} > {x2}")
greater_equal = constant(np.greater_equal, infix=">=", c="{x1} >= {x2}")
less = constant(np.less, infix="<", c="{x1} < {x2}")
less_equal = constant(np.less_equal, infix="<=", c="{x1} <= {x2}")
equal = constant(np.equal, infix="==", c="{x1} == {x2}")
not_equal = constant(np.not_equal, infix="!=", c="{x1} != {x2}")
logical_and = constant(np.logical_and, c="{x1} && {x2}")
logical_or = constant(np.logical_or, c="{x1} || {x2}")
logical_xor = constant(np.logical_xor)
logical_not = constant(np.logical_not, c="!{x}")
isnan = constant(np.isnan, c="isnan({x})")
isinf = constant(np.isinf, c="isinf({x})")
isfinite = constant(np.isfinite, c="isfinite({x})")
signbit = constant(np.signbit, c="signbit({x})")

INTEGERS = Samples(cases=(case("i[3]", "i[3]"), case("i[0]", "i[0]")))
bitwise_and = constant(np.bitwise_and, infix="&", samples=INTEGERS)
bitwise_or = constant(np.bitwise_or, infix="|", samples=INTEGERS)
bitwise_xor = constant(np.bitwise_xor, infix="^", samples=INTEGERS)
invert = constant(np.invert, infix="~", samples=Samples(cases=(case("i[3]"), case("i[0]"))))
left_shift = constant(np.left_shift, infix="<<", samples=INTEGERS)
right_shift = constant(np.right_shift, infix=">>", samples=INTEGERS)

# ---------------------------------------------------------------------------- dtype


def _convert(x: Any, *, dtype: np.dtype[Any], weak: bool = False) -> Any:
    """x in another dtype; with `weak`, as a Python number."""
    if weak:
        return np.asarray(x).astype(dtype).item()
    if isinstance(x, np.ndarray):
        return x.astype(dtype)
    return dtype.type(x)


def _convert_type(x: ArrayType, *, dtype: np.dtype[Any], weak: bool = False) -> ArrayType:
    return x.with_dtype(dtype, weak)


def _convert_back(y_bar: Any, x: Any, *, dtype: np.dtype[Any], weak: bool = False) -> Any:
    """The cotangent in the dtype of x: its real part where x is real."""
    if np.iscomplexobj(y_bar) and not np.iscomplexobj(x):
        y_bar = np.real(y_bar)
    return convert(y_bar, dtype=x.dtype, weak=getattr(x, "weak", False))


convert = register(
    Primitive(
        name="convert",
        function=_convert,
        arguments=("x",),
        result=_convert_type,
        elementwise=True,
        rules={"x": Transpose(_convert_back)},
        samples=Samples(
            cases=tuple(
                case(shape, dtype=np.dtype(np.float64), weak=False) for shape in ("f[3]", "f[0]")
            )
        ),
    )
)


def _stop_gradient(x: Any) -> Any:
    """x itself, as a constant for differentiation."""
    return x


stop_gradient = register(
    Primitive(
        name="stop_gradient",
        function=_stop_gradient,
        arguments=("x",),
        result=lambda x: x,
        elementwise=True,
        rules={"x": CONSTANT},
        numpy="{x}",
        view=True,
    )
)
