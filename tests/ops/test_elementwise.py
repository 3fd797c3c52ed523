"""First and second derivatives where a naive rule gives NaN, or loses what is there."""

from collections.abc import Callable

import numpy as np
import pytest

from symdiff import jit
from symdiff.autodiff.linearize import linearize
from symdiff.frontend import Tracer
from symdiff.ir import Graph, input_node, parse_type
from symdiff.testing import cotangent_graph, run, tangent_graph

inf, nan, pi = np.inf, np.nan, np.pi

UFUNCS = sorted({each for each in vars(np).values() if isinstance(each, np.ufunc)}, key=str)


@pytest.mark.parametrize("ufunc", UFUNCS, ids=str)
@pytest.mark.parametrize("dtype", [float, np.float32, complex, int, np.int8, bool])
def test_every_ufunc_is_numpys(ufunc, dtype):
    x, y = np.array([[1, 0.75, 3], [2, 1.25, 0.5]]).astype(dtype).reshape(2, 1, 3, 1)[..., [0] * 3]
    args = (x, y)[: ufunc.nin]
    with np.errstate(all="ignore"):
        try:
            expected = ufunc(*args)
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                jit(lambda *args: ufunc(*args))(*args)
            return
        found = jit(lambda *args: ufunc(*args))(*args)
    several = ufunc.nout > 1
    for one, other in zip(*((found, expected) if several else ([found], [expected])), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


# function of x, at, first derivative, second derivative
EDGES = [
    # powers
    ("x ** 2", 0.0, 0.0, 2.0),
    ("x ** 3", 0.0, 0.0, 0.0),
    ("x ** 1", 0.0, 1.0, 0.0),
    ("x ** 0", 0.0, 0.0, 0.0),
    ("x ** 0.5", 0.0, inf, -inf),
    ("x ** 1.5", 0.0, 0.0, inf),
    ("x ** -1", 2.0, -0.25, 0.25),
    ("x ** 3", -2.0, 12.0, -12.0),
    ("x ** 0", inf, 0.0, 0.0),
    ("np.power(x, x)", 1.0, 1.0, 2.0),
    ("2.0 ** x", 0.0, np.log(2), np.log(2) ** 2),
    ("0.0 ** x", 2.0, 0.0, 0.0),
    ("(x + 2) ** x", 0.0, np.log(2), 1.0 + np.log(2) ** 2),
    ("np.float_power(x, 3)", -1.0, 3.0, -6.0),
    ("np.square(x)", 0.0, 0.0, 2.0),
    ("np.sqrt(x)", 0.0, inf, -inf),
    ("np.cbrt(x)", 8.0, 1 / 12, -1 / 144),
    ("np.cbrt(x)", -8.0, 1 / 12, 1 / 144),
    ("np.reciprocal(x)", -2.0, -0.25, -0.25),
    # quotients
    ("x // 2.0", 1.0, 0.0, 0.0),
    ("x % 2.0", 1.0, 1.0, 0.0),
    ("1.0 % x", 0.1, -9.0, 0.0),
    ("np.fmod(1.0, x)", 0.1, -9.0, 0.0),
    ("np.fmod(-1.0, x)", 0.3, 3.0, 0.0),
    ("-1.0 % x", 0.3, 4.0, 0.0),
    # exponentials and logarithms
    ("np.expm1(x)", 0.0, 1.0, 1.0),
    ("np.expm1(x)", -800.0, 0.0, 0.0),
    ("np.log1p(x)", 0.0, 1.0, -1.0),
    ("np.log1p(x)", -1.0, inf, -inf),
    ("np.exp2(x)", 0.0, np.log(2), np.log(2) ** 2),
    ("np.log2(x)", 1.0, 1 / np.log(2), -1 / np.log(2)),
    ("np.logaddexp(x, 0.0)", 0.0, 0.5, 0.25),
    ("np.logaddexp(x, 0.0)", 800.0, 1.0, 0.0),
    ("np.logaddexp(x, 0.0)", -800.0, 0.0, 0.0),
    ("np.logaddexp(x, x)", 1.0, 1.0, 0.0),
    ("np.logaddexp(x, -np.inf)", 3.0, 1.0, 0.0),
    ("np.logaddexp(0.0, x)", -inf, 0.0, 0.0),
    ("np.logaddexp2(x, 0.0)", 0.0, 0.5, 0.25 * np.log(2)),
    # angles
    ("np.hypot(x, 0.0)", 0.0, 0.0, None),
    ("np.hypot(x, x)", 1.0, np.sqrt(2), 0.0),
    ("np.hypot(x, 3.0)", 4.0, 0.8, 9 / 125),
    ("np.hypot(x, 1e300)", 1e300, np.sqrt(0.5), 0.0),
    ("np.arctan2(x, 1.0)", 0.0, 1.0, 0.0),
    ("np.arctan2(x, 0.0)", 0.0, 0.0, None),
    ("np.arctan2(x, -1.0)", 1.0, -0.5, 0.5),
    ("np.arcsin(x)", 1.0, inf, None),
    ("np.arccos(x)", 0.0, -1.0, 0.0),
    ("np.arcsinh(x)", 0.0, 1.0, 0.0),
    ("np.arcsinh(x)", 1e200, 1e-200, 0.0),
    ("np.arccosh(x)", 1e200, 1e-200, 0.0),
    ("np.arctanh(x)", 0.0, 1.0, 0.0),
    ("np.tanh(x)", 800.0, 0.0, 0.0),
    ("np.tanh(x)", 0.0, 1.0, 0.0),
    ("np.sinc(x)", 0.0, 0.0, -(pi**2) / 3),
    ("np.sinc(x)", 1e-9, -(pi**2) / 3 * 1e-9, -(pi**2) / 3),
    ("np.sinc(x)", 1.0, -1.0, 2.0),
    # kinks and choices
    ("np.abs(x)", 0.0, 0.0, 0.0),
    ("np.abs(x)", -3.0, -1.0, 0.0),
    ("np.fabs(x)", 0.0, 0.0, 0.0),
    ("np.sign(x)", 0.0, 0.0, 0.0),
    ("np.maximum(x, 0)", 0.0, 0.0, 0.0),
    ("np.maximum(0, x)", 0.0, 0.0, 0.0),
    ("np.minimum(x, 1)", 1.0, 0.0, 0.0),
    ("np.maximum(x, x)", 1.0, 1.0, 0.0),
    ("np.maximum(x, -x)", 0.0, 0.0, 0.0),
    ("np.maximum(x * x, x)", 1.0, 1.5, 1.0),
    ("np.fmax(x, np.nan)", 1.0, 1.0, 0.0),
    ("np.fmin(np.nan, x)", 1.0, 1.0, 0.0),
    ("np.fmax(x, 0)", -1.0, 0.0, 0.0),
    ("np.clip(x, -1, 1)", 1.0, 0.0, 0.0),
    ("np.clip(x, -1, 1)", 0.5, 1.0, 0.0),
    ("np.copysign(x, -1.0)", 2.0, -1.0, 0.0),
    ("np.copysign(x, -1.0)", 0.0, 0.0, 0.0),
    ("np.heaviside(x, 0.5)", 0.0, 0.0, 0.0),
    ("np.heaviside(0.0, x)", 0.5, 1.0, 0.0),
    ("np.nan_to_num(x)", nan, 0.0, 0.0),
    ("np.where(x > 0, x * x, -x)", 0.0, -1.0, 0.0),
    ("np.ldexp(x, 3)", 1.5, 8.0, 0.0),
    ("np.modf(x)[0]", 1.5, 1.0, 0.0),
    ("np.frexp(x)[0]", 6.0, 0.125, 0.0),
    ("np.frexp(x)[0]", 0.0, 1.0, 0.0),
    # reductions
    ("np.std(np.stack([x, x]))", 1.0, 0.0, None),
    ("np.std(np.stack([x, 1.0]))", 1.0, 0.0, None),
    ("np.var(np.stack([x, 1.0]))", 1.0, 0.0, 0.5),
    ("np.prod(np.stack([x, 2.0, x]))", 0.0, 0.0, 4.0),
    ("np.prod(np.stack([x, 2.0, 0.0]))", 1.0, 0.0, 0.0),
    ("np.cumprod(np.stack([2.0, x, 3.0, x]))[-1]", 0.0, 0.0, 12.0),
    ("np.max(np.stack([x * x, 2 * x, 0.0]))", 2.0, 3.0, 1.0),
]


def at_edge(expression: str) -> Graph:
    x = input_node("x", parse_type("f64[]"))
    result = eval(expression, {"np": np, "x": Tracer(x, is_array=True)})
    return Graph("f", (x,), (result.node,))


@pytest.mark.parametrize("derivative", [tangent_graph, cotangent_graph])
@pytest.mark.parametrize(("expression", "at", "first", "second"), EDGES)
def test_edge(expression, at, first, second, derivative: Callable[[Graph], Graph]):
    one = np.asarray(1.0)
    along = derivative(at_edge(expression))
    (slope,) = run(along, [np.asarray(at), one])
    np.testing.assert_allclose(slope, first, rtol=1e-12)
    if second is None:  # none there, but nothing that spoils other results
        assert np.isfinite(_second(along, at, one)) or not np.isfinite(first)
    else:
        np.testing.assert_allclose(_second(along, at, one), second, rtol=1e-9, atol=1e-15)


def _second(along: Graph, at: float, one: np.ndarray) -> float:
    """The derivative of a first derivative in x alone."""
    twice = linearize(along, along.inputs[:1]).graph
    (curvature,) = run(twice, [np.asarray(at), one, one])
    return float(curvature)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (2.0, 0.0, [0.0, np.log(2), 0.5]),
        (0.0, 2.0, [0.0, 0.0, 0.0]),
        (0.0, 1.0, [1.0, 0.0, 0.0]),
        (0.0, 0.0, [0.0, 0.0, 0.0]),
        (3.0, 2.0, [6.0, 9 * np.log(3), 3 + 6 * np.log(3)]),
    ],
)
def test_power_in_both_arguments(x, y, expected):
    """d/dx, d/dy and d/dy d/dx of x ** y."""
    inputs = tuple(input_node(name, parse_type("f64[]")) for name in "xy")
    traced = Tracer(inputs[0]) ** Tracer(inputs[1])
    first = tangent_graph(Graph("f", inputs, (traced.node,)))
    one, zero = np.asarray(1.0), np.asarray(0.0)
    at = [np.asarray(x), np.asarray(y)]
    (in_x,) = run(first, [*at, one, zero])
    (in_y,) = run(first, [*at, zero, one])
    (mixed,) = run(tangent_graph(first), [*at, one, zero, zero, one, zero, zero])
    if x or y > 1:  # elsewhere the mixed derivative is infinite
        np.testing.assert_allclose(mixed, expected[2], rtol=1e-12)
    np.testing.assert_allclose([in_x, in_y], expected[:2], rtol=1e-12)


HOLOMORPHIC = (
    *("sqrt", "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "square", "reciprocal"),
    *("log2", "log10", "exp2"),
)


@pytest.mark.parametrize("function", HOLOMORPHIC)
def test_complex_step_agrees_with_the_rule(function):
    x = np.array([1.3, 1.7]) if function == "arccosh" else np.array([0.3, 0.8])
    node = input_node("x", parse_type("f64[2]"))
    result = getattr(np, function)(Tracer(node, is_array=True))
    (slope,) = run(tangent_graph(Graph("f", (node,), (result.node,))), [x, np.ones(2)])
    step = getattr(np, function)(x + 1e-100j).imag / 1e-100
    np.testing.assert_allclose(slope, step, rtol=1e-13)
