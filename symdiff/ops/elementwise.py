"""Elementwise primitives: one declaration each. Operands have equal shapes and dtypes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Jvp,
    Primitive,
    Samples,
    Transpose,
    case,
    constant,
    elementwise,
    register,
    same_type,
    ufunc_result,
)
from symdiff.ops.render import dtype_source

POSITIVE = Samples(0.3, 2.5)
NONZERO_DENOMINATOR = Samples((-2.0, 0.5), (2.0, 2.5))
UNIT = Samples(-0.9, 0.9)
# Python floats, which take the dtype of what they meet
LOG_2, LOG_10 = math.log(2), math.log(10)

# Why some take over three times NumPy's call.
APART = "has a derivative that neither overflows nor is NaN at 0, by further masks and quotients"
FACTORS = "takes the factors of its derivative one by one, where their product would cancel"

# ---------------------------------------------------------------------------- arithmetic



def _arithmetic_c(symbol: str, logical: str) -> Callable[..., str]:
    """An operator of C, and the one of booleans."""

    def template(x1: str, x2: str, types: tuple[ArrayType, ...]) -> str:
        return f"{x1} {logical if types[0].dtype.kind == 'b' else symbol} {x2}"

    return template


add = elementwise(
    np.add,
    infix="+",
    commutative=True,
    partials={"x1": 1, "x2": 1},
    c=_arithmetic_c("+", "||"),
    sympy="Add",
)
subtract = elementwise(np.subtract, infix="-", partials={"x1": 1, "x2": -1}, c="{x1} - {x2}")
negative = elementwise(np.negative, infix="-", partials={"x": -1}, c="-{x}")
positive = elementwise(np.positive, infix="+", partials={"x": 1}, c="{x}")
multiply = elementwise(
    np.multiply,
    infix="*",
    commutative=True,
    partials={"x1": lambda y, x1, x2: x2, "x2": lambda y, x1, x2: x1},
    c=_arithmetic_c("*", "&&"),
    sympy="Mul",
)
divide = elementwise(
    np.divide,
    infix="/",
    partials={"x1": lambda y, x1, x2: 1 / x2, "x2": lambda y, x1, x2: -y / x2},
    c=lambda x1, x2, types: f"{x1} / {x2}" if types[0].inexact else "",
    risky=True,
    samples=NONZERO_DENOMINATOR,
)


def _whole_c(name: str) -> Callable[..., str]:
    """A call of one of the functions that round quotients as NumPy does: of floats, of integers."""

    def template(x1: str, x2: str, types: tuple[ArrayType, ...]) -> str:
        dtype = types[0].dtype
        if dtype.kind == "u":
            operator = "/" if "divide" in name else "%"
            return f"{x2} != 0 ? {x1} {operator} {x2} : 0"
        if dtype.kind == "f":
            return f"{name.removeprefix('sd_') if name == 'sd_fmod' else name}({x1}, {x2})"
        return f"{name}_i64({x1}, {x2})" if dtype.kind == "i" else ""

    return template


def _lowered(x1: Any, x2: Any) -> Any:
    """x2 - 1, but 0 where both are 0: there the derivative in x1, of the constant 1, is 0."""
    return np.where(x2 == 0, np.where(x1 == 0, 0, x2 - 1), x2 - 1)


_SHORT_POWERS = {"1.0": "x", "2.0": "x * x", "0.5": "sqrt(x)", "-1.0": "1 / x"}  # NumPy's


def _power_c(x1: str, x2: str, types: tuple[ArrayType, ...]) -> str:
    """The short cuts that NumPy takes; of integers only a number: others may raise ValueError."""
    if types[0].dtype.kind == "i":
        return f"sd_power_i64({x1}, {x2})" if x2.isdigit() else ""
    if types[0].dtype.kind != "f":
        return ""
    short = _SHORT_POWERS.get(x2.strip("()f"))
    return re.sub(r"\bx\b", x1, short) if short else f"pow({x1}, {x2})"


# In x2 the derivative at x1 = 0 is 0, the limit from x1 > 0: its logarithm is not taken there.
power = elementwise(
    np.power,
    infix="**",
    partials={
        "x1": lambda y, x1, x2: x2 * x1 ** _lowered(x1, x2),
        "x2": lambda y, x1, x2: y * np.log(np.where(x1 == 0, 1, x1)),
    },
    c=_power_c,
    cost="takes two powers and a logarithm",
    sympy="Pow",
    risky=True,
    samples=POSITIVE,
)
floor_divide = constant(
    np.floor_divide,
    infix="//",
    c=_whole_c("sd_floor_divide"),
    risky=True,
    samples=NONZERO_DENOMINATOR,
)
remainder = elementwise(
    np.remainder,
    infix="%",
    c=_whole_c("sd_remainder"),
    partials={"x1": 1, "x2": lambda y, x1, x2: -(x1 // x2)},
    risky=True,
    samples=Samples((0.1, 0.71), (0.6, 0.8)),
)
fmod = elementwise(
    np.fmod,
    python="math.fmod({x1}, {x2})",
    # the truncated quotient; x1 / x2 itself may round up to the next integer
    partials={"x1": 1, "x2": lambda y, x1, x2: np.rint((y - x1) / x2)},
    c=_whole_c("sd_fmod"),
    risky=True,
    samples=Samples((0.1, 0.71), (0.6, 0.8)),
)
square = elementwise(np.square, partials={"x": lambda y, x: 2 * x}, c="{x} * {x}")
sqrt = elementwise(
    np.sqrt,
    python="math.sqrt({x})",
    partials={"x": lambda y, x: 0.5 / y},
    c="sqrt({x})",
    sympy="sqrt",
    risky=True,
    samples=POSITIVE,
)
cbrt = elementwise(
    np.cbrt,
    python="math.cbrt({x})",
    partials={"x": lambda y, x: 1 / (3 * y * y)},
    c="cbrt({x})",
    samples=POSITIVE,
)
reciprocal = elementwise(
    np.reciprocal,
    partials={"x": lambda y, x: -y * y},
    c=lambda x, types: f"1 / {x}" if types[0].inexact else "",
    risky=True,
    samples=POSITIVE,
)

# ---------------------------------------------------------------------------- exp and log

exp = elementwise(
    np.exp,
    python="math.exp({x})",
    partials={"x": lambda y, x: y},
    c="exp({x})",
    sympy="exp",
    risky=True,
)
exp2 = elementwise(
    np.exp2,
    python="math.exp2({x})",
    partials={"x": lambda y, x: y * LOG_2},
    c="exp2({x})",
    risky=True,
)
expm1 = elementwise(
    np.expm1,
    python="math.expm1({x})",
    partials={"x": lambda y, x: np.exp(x)},
    c="expm1({x})",
    risky=True,
)
log = elementwise(
    np.log,
    python="math.log({x})",
    partials={"x": lambda y, x: 1 / x},
    c="log({x})",
    sympy="log",
    risky=True,
    samples=POSITIVE,
)
log2 = elementwise(
    np.log2,
    python="math.log2({x})",
    partials={"x": lambda y, x: 1 / (x * LOG_2)},
    c="log2({x})",
    risky=True,
    samples=POSITIVE,
)
log10 = elementwise(
    np.log10,
    python="math.log10({x})",
    partials={"x": lambda y, x: 1 / (x * LOG_10)},
    c="log10({x})",
    risky=True,
    samples=POSITIVE,
)
log1p = elementwise(
    np.log1p,
    python="math.log1p({x})",
    partials={"x": lambda y, x: 1 / (1 + x)},
    c="log1p({x})",
    risky=True,
    samples=POSITIVE,
)


def _share_of_sum(power: Callable[..., Any], log: Callable[..., Any]) -> dict[str, Any]:
    """Partials of log(power(x1) + power(x2)): each term over the sum, which large terms share too.

    An infinite term takes all, and one that is 0 nothing; no power overflows, whose own derivative
    would be NaN.
    """

    def share(y: Any, x1: Any, x2: Any) -> Any:
        excess = np.where(np.isinf(x1), -x1, x2 - x1)
        is_nothing = excess > float(log(np.finfo(y.dtype).max)) - 1 / 16
        return np.where(is_nothing, 0, 1 / (1 + power(np.where(is_nothing, 0, excess))))

    return {"x1": share, "x2": lambda y, x1, x2: share(y, x2, x1)}


logaddexp = elementwise(
    np.logaddexp,
    partials=_share_of_sum(np.exp, np.log),
    c="sd_logaddexp({x1}, {x2})",
    cost=APART,
)
logaddexp2 = elementwise(
    np.logaddexp2,
    partials=_share_of_sum(np.exp2, np.log2),
    c="sd_logaddexp2({x1}, {x2})",
    cost=APART,
)

# ---------------------------------------------------------------------------- trigonometry

sin = elementwise(
    np.sin,
    python="math.sin({x})",
    partials={"x": lambda y, x: np.cos(x)},
    c="sin({x})",
    sympy="sin",
)
cos = elementwise(
    np.cos,
    python="math.cos({x})",
    partials={"x": lambda y, x: -np.sin(x)},
    c="cos({x})",
    sympy="cos",
)
tan = elementwise(
    np.tan,
    python="math.tan({x})",
    partials={"x": lambda y, x: 1 + y * y},
    c="tan({x})",
    sympy="tan",
    samples=UNIT,
)
arcsin = elementwise(
    np.arcsin,
    python="math.asin({x})",
    partials={"x": lambda y, x: 1 / np.sqrt((1 - x) * (1 + x))},
    c="asin({x})",
    cost=FACTORS,
    sympy="asin",
    risky=True,
    samples=UNIT,
)
arccos = elementwise(
    np.arccos,
    python="math.acos({x})",
    partials={"x": lambda y, x: -1 / np.sqrt((1 - x) * (1 + x))},
    c="acos({x})",
    cost=FACTORS,
    sympy="acos",
    risky=True,
    samples=UNIT,
)
arctan = elementwise(
    np.arctan,
    python="math.atan({x})",
    partials={"x": lambda y, x: 1 / (1 + x * x)},
    c="atan({x})",
    sympy="atan",
)


def _over_squares(x1: Any, x2: Any) -> Any:
    """x2 / (x1**2 + x2**2) without the squares, which overflow; 0 at the origin."""
    x2 = np.where((x1 == 0) & (x2 == 0), np.inf, x2)
    return 1 / (x1 * (x1 / x2) + x2)


arctan2 = elementwise(
    np.arctan2,
    python="math.atan2({x1}, {x2})",
    partials={
        "x1": lambda y, x1, x2: _over_squares(x1, x2),
        "x2": lambda y, x1, x2: -_over_squares(x2, x1),
    },
    c="atan2({x1}, {x2})",
    cost=APART,
    sympy="atan2",
    samples=POSITIVE,
)
hypot = elementwise(
    np.hypot,
    python="math.hypot({x1}, {x2})",
    # at the origin, a kink, the derivative is 0
    partials={
        "x1": lambda y, x1, x2: x1 / np.where(y == 0, 1, y),
        "x2": lambda y, x1, x2: x2 / np.where(y == 0, 1, y),
    },
    c="hypot({x1}, {x2})",
    samples=POSITIVE,
)
sinh = elementwise(
    np.sinh,
    python="math.sinh({x})",
    partials={"x": lambda y, x: np.cosh(x)},
    c="sinh({x})",
    sympy="sinh",
    risky=True,
)
cosh = elementwise(
    np.cosh,
    python="math.cosh({x})",
    partials={"x": lambda y, x: np.sinh(x)},
    c="cosh({x})",
    sympy="cosh",
    risky=True,
)
tanh = elementwise(
    np.tanh,
    python="math.tanh({x})",
    partials={"x": lambda y, x: 1 - y * y},
    c="tanh({x})",
    sympy="tanh",
)
arcsinh = elementwise(
    np.arcsinh,
    python="math.asinh({x})",
    # hypot does not overflow, but is for real numbers only
    partials={
        "x": lambda y, x: 1 / (np.sqrt(x * x + 1) if np.iscomplexobj(x) else np.hypot(1, x))
    },
    c="asinh({x})",
    cost="takes np.hypot, which takes longer than np.arcsinh",
    sympy="asinh",
)
arccosh = elementwise(
    np.arccosh,
    python="math.acosh({x})",
    partials={"x": lambda y, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))},
    c="acosh({x})",
    cost=FACTORS,
    sympy="acosh",
    risky=True,
    samples=Samples(1.2, 3.0),
)
arctanh = elementwise(
    np.arctanh,
    python="math.atanh({x})",
    partials={"x": lambda y, x: 1 / ((1 - x) * (1 + x))},
    c="atanh({x})",
    cost=FACTORS,
    sympy="atanh",
    risky=True,
    samples=UNIT,
)


def _scaled_c(factor: float) -> Callable[..., str]:
    return lambda x, types: f"{x} * {factor!r}" if types[0].inexact else ""


deg2rad = elementwise(np.deg2rad, partials={"x": np.pi / 180}, c=_scaled_c(np.pi / 180))
rad2deg = elementwise(np.rad2deg, partials={"x": 180 / np.pi}, c=_scaled_c(180 / np.pi))
radians = elementwise(
    np.radians, python="math.radians({x})", partials={"x": np.pi / 180}, c=deg2rad.c
)
degrees = elementwise(
    np.degrees, python="math.degrees({x})", partials={"x": 180 / np.pi}, c=rad2deg.c
)


def _sinc_slope(y: Any, x: Any) -> Any:
    """The derivative of sinc: near 0, where its formula cancels, by its series."""
    t = (np.pi * x) ** 2
    series = np.pi**2 * x * (-1 / 3 + t * (1 / 30 + t * (-1 / 840 + t / 45360)))
    near = np.abs(x) < 0.02
    return np.where(near, series, (np.cos(np.pi * x) - y) / np.where(near, 1, x))


def _sinc_c(x: Any) -> Any:
    turned = np.pi * np.where(x == 0, 1e-20, x)
    return np.sin(turned) / turned


sinc = elementwise(
    np.sinc,
    result=same_type,
    partials={"x": _sinc_slope},
    c_expansion=_sinc_c,
    cost="takes a series where its formula cancels",
)

# ---------------------------------------------------------------------------- kinks and choices



def _absolute_tangent(y: Any, x: Any, x_dot: Any) -> Any:
    """At 0 the derivative of |x| is 0, sign(0)."""
    if np.iscomplexobj(x):  # NumPy's sign takes ten times as long as what it means
        return np.real(x_dot * np.conj(x)) / (y + (y == 0))
    return x_dot * np.sign(x)


def _sign_tangent(y: Any, x: Any, x_dot: Any) -> Any:
    """A step if x is real; x / |x| if it is complex, which turns with the angle of x."""
    if not np.iscomplexobj(x):
        return 0
    radius = np.abs(x)
    return 1j * y * np.imag(x_dot * np.conj(y)) / np.where(radius == 0, 1, radius)


def _absolute_c(x: str, types: tuple[ArrayType, ...]) -> str:
    kind = types[0].dtype.kind
    return {"f": f"fabs({x})", "i": f"{x} < 0 ? -{x} : {x}"}.get(kind, x)


def _sign_c(x: str, types: tuple[ArrayType, ...]) -> str:
    if types[0].inexact:
        return f"{x} > 0 ? 1 : {x} < 0 ? -1 : {x} == 0 ? 0 : {x}"
    return f"({x} > 0) - ({x} < 0)" if types[0].dtype.kind == "i" else f"{x} > 0"


absolute = elementwise(
    np.absolute,
    python="abs({x})",
    partials={"x": Jvp(_absolute_tangent)},
    numpy="np.abs({x})",
    c=_absolute_c,
    sympy="Abs",
    convention="np.abs has derivative 0 at 0.",
    cost=APART,
)
fabs = elementwise(
    np.fabs,
    python="math.fabs({x})",
    partials={"x": lambda y, x: np.sign(x)},
    c="fabs({x})",
    cost="takes np.sign, which takes several times as long as np.fabs",
)
sign = elementwise(
    np.sign,
    partials={"x": Jvp(_sign_tangent)},
    c=_sign_c,
    sympy="sign",
    cost=APART,
    convention="np.sign has derivative 0 at 0.",
)
copysign = elementwise(
    np.copysign,
    python="math.copysign({x1}, {x2})",
    partials={
        "x1": lambda y, x1, x2: np.sign(x1) * np.copysign(1, x2),
        "x2": CONSTANT,
    },
    c="copysign({x1}, {x2})",
    samples=POSITIVE,
)
# 0 or 1, and x2 where x1 is 0
heaviside = elementwise(
    np.heaviside,
    partials={"x1": CONSTANT, "x2": lambda y, x1, x2: np.where(x1 == 0, 1, 0)},
    c=lambda x1, x2, types: (
        f"{x1} != {x1} ? {x1} : {x1} == 0 ? {x2} : {x1} > 0" if types[0].inexact else ""
    ),
)


def _share(won: Any, tied: Any) -> Any:
    """What an operand has of the derivative: of numbers Python chooses, which costs far less."""
    if np.ndim(won) == 0:
        return np.where(won, 1, np.where(tied, 0.5, 0))
    return won + 0.5 * tied


def _choice(wins: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """Partials of maximum and minimum. `tie` names the operand that takes a tie, if one does.

    A tie between traced values is shared; a tie with a literal goes to the literal, so that
    np.maximum(x, 0) has derivative 0 at 0 and needs one mask.
    """

    def share(y: Any, own: Any, other: Any, takes_tie: bool | None) -> Any:
        if takes_tie is None:
            return _share(wins(own, other), own == other)
        if takes_tie:
            return np.where(wins(other, own), 0, 1)
        return np.where(wins(y, other), 1, 0)  # of the result, so that the operand need not be kept

    return {
        "x1": lambda y, x1, x2, tie: share(y, x1, x2, tie == "x1" if tie else None),
        "x2": lambda y, x1, x2, tie: share(y, x2, x1, tie == "x2" if tie else None),
    }


def _greater_number(x1: Any, x2: Any) -> Any:
    return (x1 > x2) | np.isnan(x2)


def _less_number(x1: Any, x2: Any) -> Any:
    return (x1 < x2) | np.isnan(x2)


def _extreme_c(wins: str, nan: str) -> Callable[..., str]:
    """x1 where it wins, and where the operand of this name is NaN."""

    def template(x1: str, x2: str, types: tuple[ArrayType, ...], tie: str) -> str:
        own = x1 if nan == "x1" else x2
        is_nan = f" || {own} != {own}" if types[0].inexact else ""
        return f"{x1} {wins} {x2}{is_nan} ? {x1} : {x2}"

    return template


CHOICES = Samples(
    cases=(
        case("f[]", "f[]", tie="x1"),
        case("f[3]", "f[3]", tie=""),
        case("f[2,3]", "f[2,3]", tie="x2"),
        case("f[0]", "f[0]", tie=""),
    )
)
_SHARES = "shares its derivative at a tie: two comparisons and two masks for each operand"
_TIE = "{} shares its derivative at a tie; a tie with a constant goes to the constant."

maximum = elementwise(
    np.maximum,
    python="max({x1}, {x2})",
    partials=_choice(np.greater),
    numpy="np.maximum({x1}, {x2})",
    c=_extreme_c(">", "x1"),
    sympy="Max",
    samples=CHOICES,
    convention=_TIE.format("np.maximum"),
    cost=_SHARES,
)
minimum = elementwise(
    np.minimum,
    python="min({x1}, {x2})",
    partials=_choice(np.less),
    numpy="np.minimum({x1}, {x2})",
    c=_extreme_c("<", "x1"),
    sympy="Min",
    samples=CHOICES,
    convention=_TIE.format("np.minimum"),
    cost=_SHARES,
)
fmax = elementwise(
    np.fmax,
    partials=_choice(_greater_number),
    numpy="np.fmax({x1}, {x2})",
    c=_extreme_c(">=", "x2"),
    samples=CHOICES,
    cost=_SHARES,
)
fmin = elementwise(
    np.fmin,
    partials=_choice(_less_number),
    numpy="np.fmin({x1}, {x2})",
    c=_extreme_c("<=", "x2"),
    samples=CHOICES,
    cost=_SHARES,
)




def _python_choice(wins: np.ufunc, like: np.ufunc, name: str, operator: str) -> Primitive:
    """Python's max or min of two numbers: the first one, unless the second wins."""

    def chosen(x1: Any, x2: Any) -> Any:
        return np.where(wins(x2, x1), x2, x1)

    def as_array(x1: Any, x2: Any) -> Any:
        return chosen(x1, x2) if np.ndim(x1) else NotImplemented

    return elementwise(
        chosen,
        name=f"{name}_of_numbers",
        result=ufunc_result(like),
        partials={
            "x1": lambda y, x1, x2: np.where(x1 == x2, 0.5, np.where(wins(x2, x1), 0, 1)),
            "x2": lambda y, x1, x2: np.where(x1 == x2, 0.5, np.where(wins(x2, x1), 1, 0)),
        },
        numpy=f"{name}({{x1}}, {{x2}})",
        expansion=as_array,
        c=f"{{x2}} {operator} {{x1}} ? {{x2}} : {{x1}}",
        sympy=name.title(),
        convention=_TIE.format(name),
        samples=Samples(cases=(case("f[]", "f[]"), case("f[3]", "f[3]"))),
    )


# max(x1, x2) and min(x1, x2) of NumPy's numbers, in a tenth of the time of the ufuncs
larger = _python_choice(np.greater, np.maximum, "max", ">")
smaller = _python_choice(np.less, np.minimum, "min", "<")


def _where_type(c: ArrayType, x1: ArrayType, x2: ArrayType) -> ArrayType:
    weak = x1.weak and x2.weak and not c.shape
    return array_type(np.result_type(x1.dtype, x2.dtype), c.shape, weak)


# A mask is a strong zero: the side not chosen contributes 0 whatever its value.
where = register(
    Primitive(
        name="where",
        function=np.where,
        arguments=("condition", "x1", "x2"),
        result=_where_type,
        python="({x1} if {condition} else {x2})",
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



def _rounded_c(name: str) -> Callable[..., str]:
    """Integers are what they are."""
    return lambda x, types: f"{name}({x})" if types[0].inexact else x


floor = constant(np.floor, python="math.floor({x})", c=_rounded_c("floor"), sympy="floor")
ceil = constant(np.ceil, python="math.ceil({x})", c=_rounded_c("ceil"), sympy="ceiling")
trunc = constant(np.trunc, python="math.trunc({x})", c=_rounded_c("trunc"))
rint = constant(np.rint, python="round({x})", c=_rounded_c("rint"))
spacing = constant(np.spacing, c="sd_spacing({x})")
nextafter = elementwise(
    np.nextafter, partials={"x1": 1, "x2": CONSTANT}, c="nextafter({x1}, {x2})"
)
# x1 * 2**x2
ldexp = elementwise(
    np.ldexp,
    partials={"x1": Transpose(lambda y_bar, x1, x2: np.ldexp(y_bar, x2)), "x2": CONSTANT},
    c=lambda x1, x2, types: f"sd_ldexp_i64({x1}, {x2})" if types[0].inexact else "",
    samples=Samples(cases=(case("f[3]", "i[3]"), case("f[]", "i[]"), case("f[0]", "i[0]"))),
)


def _modf_fraction(x: Any) -> Any:
    """The part of x behind the point."""
    return np.modf(x)[0]


def _frexp_mantissa(x: Any) -> Any:
    """The mantissa of x, between 0.5 and 1."""
    return np.frexp(x)[0]


def _frexp_exponent(x: Any) -> Any:
    """The exponent of 2 that belongs to the mantissa."""
    return np.frexp(x)[1]


modf_fraction = elementwise(
    _modf_fraction,
    name="modf_fraction",
    result=same_type,
    partials={"x": 1},
    numpy="np.modf({x})[0]",
    c="sd_fraction({x})",
)
frexp_exponent = constant(
    _frexp_exponent,
    name="frexp_exponent",
    result=lambda x: x.with_dtype(np.dtype(np.int32)),
    numpy="np.frexp({x})[1]",
    c="sd_exponent({x})",
)
# x / 2**exponent
frexp_mantissa = elementwise(
    _frexp_mantissa,
    name="frexp_mantissa",
    result=same_type,
    partials={
        "x": Jvp(lambda y, x, x_dot: np.ldexp(x_dot, np.negative(frexp_exponent(x))))
    },
    numpy="np.frexp({x})[0]",
    c="sd_mantissa({x})",
)

# ---------------------------------------------------------------------------- comparison, logic

greater = constant(np.greater, infix=">", c="{x1} > {x2}")
greater_equal = constant(np.greater_equal, infix=">=", c="{x1} >= {x2}")
less = constant(np.less, infix="<", c="{x1} < {x2}")
less_equal = constant(np.less_equal, infix="<=", c="{x1} <= {x2}")
equal = constant(np.equal, infix="==", c="{x1} == {x2}")
not_equal = constant(np.not_equal, infix="!=", c="{x1} != {x2}")
logical_and = constant(np.logical_and, c="{x1} && {x2}")
logical_or = constant(np.logical_or, c="{x1} || {x2}")
logical_xor = constant(np.logical_xor, c="!{x1} != !{x2}")
logical_not = constant(np.logical_not, c="!{x}")
isnan = constant(np.isnan, python="math.isnan({x})", c="isnan({x})")
isinf = constant(np.isinf, python="math.isinf({x})", c="isinf({x})")
isfinite = constant(np.isfinite, python="math.isfinite({x})", c="isfinite({x})")
signbit = constant(np.signbit, c="signbit({x})")

INTEGERS = Samples(cases=(case("i[3]", "i[3]"), case("i[0]", "i[0]")))
bitwise_and = constant(np.bitwise_and, infix="&", c="{x1} & {x2}", samples=INTEGERS)
bitwise_or = constant(np.bitwise_or, infix="|", c="{x1} | {x2}", samples=INTEGERS)
bitwise_xor = constant(np.bitwise_xor, infix="^", c="{x1} ^ {x2}", samples=INTEGERS)
invert = constant(
    np.invert,
    infix="~",
    c=lambda x, types: f"!{x}" if types[0].dtype.kind == "b" else f"~{x}",
    samples=Samples(cases=(case("i[3]"), case("i[0]"))),
)


def _shift_c(x1: str, x2: str, dtype: np.dtype[Any], inside: str, outside: str) -> str:
    """A shift where it is by fewer bits than there are, and what NumPy makes of all others."""
    if dtype.kind not in "iu":
        return ""
    bits = 8 * dtype.itemsize
    fits = f"{x2} < {bits}" + (f" && {x2} >= 0" if dtype.kind == "i" else "")
    return f"{fits} ? {inside} : {outside}"


left_shift = constant(
    np.left_shift,
    infix="<<",
    c=lambda x1, x2, types: _shift_c(
        x1, x2, types[0].dtype,
        f"({'u' * (types[0].dtype.kind == 'u')}int64_t)((uint64_t){x1} << {x2})", "0",
    ),
    samples=INTEGERS,
)
right_shift = constant(
    np.right_shift,
    infix=">>",
    c=lambda x1, x2, types: _shift_c(
        x1, x2, types[0].dtype, f"{x1} >> {x2}",
        f"-({x1} < 0)" if types[0].dtype.kind == "i" else "0",
    ),
    samples=INTEGERS,
)


def _signed_c(name: str) -> Callable[..., str]:
    """A call of a function of signed integers."""

    def template(*texts: str, types: tuple[ArrayType, ...]) -> str:
        return f"{name}({', '.join(texts)})" if types[0].dtype.kind == "i" else ""

    return template


gcd = constant(np.gcd, c=_signed_c("sd_gcd_i64"), samples=INTEGERS)
lcm = constant(np.lcm, c=_signed_c("sd_lcm_i64"), samples=INTEGERS)

# ---------------------------------------------------------------------------- complex numbers

# Linear over the reals. Transposes keep Re(sum(y_bar * y)), a pairing without conjugation.


def _convert_to(y_bar: Any, x: Any) -> Any:
    """A cotangent in the dtype of x, a Python number where x is one."""
    return convert(y_bar, dtype=x.dtype, weak=getattr(x, "weak", False))


def _real(x: Any) -> Any:
    """The real part."""
    return np.real(x)


def _imag(x: Any) -> Any:
    """The imaginary part."""
    return np.imag(x)


def _part_type(x: ArrayType) -> ArrayType:
    return x.with_dtype(np.empty(0, x.dtype).real.dtype, x.weak)


COMPLEX = Samples(cases=(case("c[3]"), case("c[]"), case("c[0]")))
conjugate = elementwise(
    np.conjugate,
    partials={"x": Transpose(lambda y_bar, x: np.conj(y_bar))},
    numpy="np.conj({x})",
    c=lambda x, types: "" if types[0].dtype.kind == "c" else x,
    samples=COMPLEX,
)
real = elementwise(
    _real,
    name="real",
    result=_part_type,
    partials={"x": Transpose(_convert_to)},
    numpy="{x}.real",
    c=lambda x, types: "" if types[0].dtype.kind == "c" else x,
    view=True,
    samples=COMPLEX,
)
imag = elementwise(
    _imag,
    name="imag",
    result=_part_type,
    partials={"x": Transpose(lambda y_bar, x: _convert_to(-1j * y_bar, x))},
    numpy="{x}.imag",
    view=True,
    samples=COMPLEX,
)

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
    return _convert_to(y_bar, x)


def _convert_source(
    x: str, *, types: tuple[ArrayType, ...], dtype: np.dtype[Any], weak: bool = False
) -> str:
    if weak:
        return f"{types[0].with_dtype(dtype).python.__name__}({x})"
    truth = types[0].dtype == bool and not types[0].shape
    if types[0].weak or truth:
        return f"{dtype_source(dtype)}({x})"
    return f"{x}.astype({dtype_source(dtype)})"


def _convert_c(
    x: str, *, types: tuple[ArrayType, ...], dtype: np.dtype[Any], weak: bool = False
) -> str:
    return f"{x} != 0" if dtype.kind == "b" else x  # the type of the result converts


convert: Primitive = register(
    Primitive(
        name="convert",
        function=_convert,
        arguments=("x",),
        result=_convert_type,
        elementwise=True,
        rules={"x": Transpose(_convert_back)},
        numpy=_convert_source,
        c=_convert_c,
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
        expansion=_stop_gradient,
        c="{x}",
        view=True,
    )
)
