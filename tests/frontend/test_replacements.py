"""What NumPy and Python do not dispatch, with traced values: against the untraced function."""

import functools  # noqa: F401 - in the evaluated texts
import math
import operator  # noqa: F401
import random

import numpy as np
import pytest
import scipy.special  # noqa: F401

from symdiff import TraceError, UnsupportedFunctionError, grad, jit, value_and_grad
from symdiff.frontend import Tracer
from symdiff.frontend.context import Context, tracing
from symdiff.frontend.interpose import Interposer
from symdiff.frontend.replacements import REPLACEMENTS, called, library_module, replaced
from symdiff.frontend.tracer import lift
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import type_of
from symdiff.ops.evaluate import evaluate
from symdiff.testing import check_grads

X = np.array([0.3, -0.4, 0.9])


def run(function, *args):
    """The traced result and its value, computed from the graph."""
    with compilation(fresh=True):
        inputs = [input_node(f"x{i}", type_of(arg)) for i, arg in enumerate(args)]
        tracers = [Tracer(node, isinstance(arg, np.ndarray)) for node, arg in zip(inputs, args)]
        with tracing(Context()):
            result = Interposer()(function, *tracers)
            return result, evaluate([lift(result)], dict(zip(inputs, args)))[0]


def check(function, *args):
    result, value = run(function, *args)
    expected = function(*args)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    if isinstance(result, Tracer):
        assert result.dtype == np.result_type(expected)
        assert result.shape == np.shape(expected)
        assert result.weak == isinstance(expected, (bool, int, float, complex)) or isinstance(
            expected, np.generic
        )
        assert isinstance(expected, np.ndarray) or not result.shape


OF_LISTS = [
    "np.array([t, u])",
    "np.array([[t, 0], [0, u]])",
    "np.array([[t, u], (1, 2)])",
    "np.array((t, 2, u), dtype=np.float32)",
    "np.array(t)",
    "np.array([t, u], ndmin=2)",
    "np.asarray([t, u]) * np.asarray(u)",
    "np.asanyarray([t]) + np.ascontiguousarray([u])",
    "np.stack([t, u, 1.0])",
    "np.concatenate([[t, u], [1.0]])",
    "np.hstack([t, u])",
    "np.vstack([[t, u], [u, t]])",
    "np.column_stack([[t, u], [u, t]])",
    "np.mean([t, u])",
    "np.sum([[t, u], [u, 1]], axis=0)",
    "np.std([t, u, 1.0])",
    "np.max([t, u])",
    "np.exp([t, u])",
    "np.dot([t, u], [1.0, 2.0])",
    "np.append([t], [u, 2.0])",
    "np.append(np.ones(2), [u, 2.0])",
    "np.linalg.norm([t, u])",
    "np.where([True, False], [t, u], 0)",
    "np.full((2, 3), t)",
    "np.full(2, t * u, dtype=np.float32)",
    "np.r_[t, u, 1:3, np.ones(2)]",
    "np.c_[[t, u], np.ones(2)]",
    "scipy.special.logsumexp([t, u])",
    "scipy.special.softmax([t, u])",
    "np.maximum(np.zeros(2), [t, u])",
]


@pytest.mark.parametrize("text", OF_LISTS)
@pytest.mark.parametrize("scalar", [float, np.float64])
def test_lists_of_traced_scalars(text, scalar):
    check(eval(f"lambda t, u: {text}"), scalar(0.3), scalar(-0.7))


def test_lists_keep_numpys_dtypes():
    check(lambda t, u: np.array([t, u]), np.float32(0.5), np.float32(1.5))
    check(lambda t, u: np.array([t, u]), np.float32(0.5), 2.0)
    check(lambda t, u: np.array([t, u]), 1, 2.0)
    check(lambda t: np.array([t, 1]), np.float32(0.5))


def test_a_python_int_that_decides_a_branch():
    def loss(x, n=3, *, double=True):
        while n > 0:
            n, x = n - 1, np.sin(x)
        return x * 2 if double else x

    gradient = grad(loss)
    assert gradient(0.5) == pytest.approx(2 * gradient(0.5, double=False))
    assert gradient(0.5, 1) == 2 * math.cos(0.5)


def test_numbers_that_np_r_joins_are_weak():
    x = X.astype(np.float32)
    for function in (
        lambda x: np.r_[x, 1.0, 2],
        lambda x: np.r_[x[0], 3.5],
        lambda x: np.r_[x, np.float64(2)],
        lambda x: np.r_[x, 1:3],
        lambda x: np.r_[x, 1j],
        lambda x: np.c_[x, x],
    ):
        np.testing.assert_array_equal(jit(function)(x), function(x), strict=True)


def test_lists_of_traced_arrays():
    check(lambda x: np.stack([x, x * 2]), X)
    check(lambda x: np.array([x, x * 2]), X)
    check(lambda x: np.r_[x, 1.0, x[:1]], X)
    check(lambda x: np.c_[x, x * 2], X)
    check(lambda x: np.array([x[0], *x[1:]]), X)
    check(lambda x: np.concatenate((x, [x[0]])), X)
    check(lambda x: np.array(x), X)


CREATION = [
    "np.zeros(len(x)) + x",
    "np.ones(x.shape) * x",
    "np.eye(3) @ x",
    "np.arange(3) * x",
    "x[np.arange(2)]",
    "np.linspace(0, 1, 3) * x",
    "np.stack([i[0] * each for i, each in np.ndenumerate(x)])",
    "np.array([1.0, 2.0, 3.0]) * x",
    "np.zeros_like(x) + np.ones_like(x)",
]


@pytest.mark.parametrize("text", CREATION)
def test_creation(text):
    check(eval(f"lambda x: {text}"), X)


def test_a_size_that_is_an_argument():
    def loss(x, n):
        return np.sum(np.zeros(n) + np.ones((n, 1)) + np.full(n, x) + np.arange(n) + np.eye(n))

    assert value_and_grad(loss)(2.0, 3) == (loss(2.0, 3), 9.0)
    assert value_and_grad(loss)(2.0, 4) == (loss(2.0, 4), 16.0)


SCALARS = [
    "float(t) * 2",
    "float(np.float64(t)) + float(np.array(u))",
    "np.float64(t) * np.float32(u)",
    "np.float64([t, u])",
    "complex(t, u)",
    "abs(t) + abs(u)",
    "max(t, u) + min(t, u)",
    "max(0, t) + max(u, 0.0)",
    "max([t, u, 0.1]) - min((t, u, 2))",
    "max(np.array([t, u]))",
    "sum([t, u, 1])",
    "sum(np.array([t, u]))",
    "pow(t, 2) + divmod(t, 2)[1]",
    "max(a for a in [t, u]) + min(a * a for a in [t, u]) + max({1: t, 2: u}.values())",
    "max([t, u], default=1.0) + max([], default=2.0) + max(map(abs, [t, u]))",
    "max([t], [t, u], key=len)[1] + min([[t, u], [t]], key=len)[0]",
    "sum(sorted(2 * a for a in [t, u])) + math.fsum(a for a in [t, u]) + math.prod(iter([t, u]))",
    "t * np.iterable(np.array([t, u])) + u * np.iterable(t)",
    "round(t) + math.floor(u) + math.ceil(t) + math.trunc(u)",
    "sum(sorted([t, u])) + sorted([t, u])[0] - sorted([u, t], reverse=True)[1]",
    "functools.reduce(operator.mul, [t, u]) + functools.reduce(max, [t, u])",
    "sum(map(float, [t, u])) + sum(map(abs, np.array([t, u])))",
    "[t for t, _ in zip([t, u], range(2))][1]",
    "np.array(list(reversed([t, u])))",
]


@pytest.mark.parametrize("text", SCALARS)
@pytest.mark.parametrize("scalar", [float, np.float64])
def test_builtins(text, scalar):
    function = eval(f"lambda t, u: {text}")
    args = scalar(0.3), scalar(-0.7)
    _, value = run(function, *args)
    np.testing.assert_allclose(value, function(*args), rtol=1e-14)


def test_builtins_keep_types():
    check(lambda t: float(t), np.float32(0.3))
    check(lambda t: math.fsum([t, t]), np.float32(0.3))
    check(lambda t: float(t), 3)
    check(lambda t: int(t), 3)
    check(lambda t: int(t), np.int32(3))
    check(lambda t, u: max(t, u), 0.3, 0.4)
    check(lambda t: np.float32(t), 0.3)
    check(lambda t: round(t), 2.6)
    check(lambda t: math.floor(t), np.float64(2.6))
    check(lambda t: math.sin(t), np.float32(2.6))


MATH = (
    "exp expm1 log2 log10 log1p sqrt sin cos tan asin acos atan sinh cosh tanh asinh atanh fabs "
    "degrees radians log erf erfc gamma lgamma"
)


@pytest.mark.parametrize("name", MATH.split())
def test_math(name):
    function = lambda t: getattr(math, name)(t)
    check(function, 0.4)
    check(function, np.float64(0.4))
    gradient = value_and_grad(function)
    value, slope = gradient(0.4)
    assert value == function(0.4)
    assert type(value) is type(slope) is float
    step = 1e-6
    difference = (function(0.4 + step) - function(0.4 - step)) / (2 * step)
    assert slope == pytest.approx(difference, rel=1e-7)


def test_math_of_several_numbers():
    check(lambda t, u: math.log(t, u) + math.pow(t, 3) + math.atan2(t, u), 0.4, 2.0)
    check(lambda t, u: math.hypot(t, u, 2) + math.dist([t, 1], [u, 2]), 0.4, 2.0)
    check(lambda t, u: math.fsum([t, u]) + math.prod([t, u]) + math.copysign(t, u), 0.4, -2.0)
    check(lambda t, u: math.modf(t)[0] * math.modf(u)[1] + math.ldexp(t, 3), 2.75, -3.5)
    check(lambda t, u: math.isnan(t) + math.isfinite(u) + math.fmod(u, 0.3), 0.4, 2.0)
    check(lambda t: math.acosh(t), 1.4)


def test_math_is_printed_as_written():
    def neuron(w, x, b):
        return 1 / (1 + math.exp(-(w * x + b)))

    gradient = grad(neuron)
    assert gradient(2.0, -1.0, 0.5) == pytest.approx(-0.14914645207, rel=1e-9)
    assert "math.exp" in gradient.source
    assert "np." not in gradient.source.partition("def ")[2]


def test_types_of_traced_values():
    def loss(x, t, s):
        assert isinstance(x, np.ndarray)
        assert isinstance(x, (list, np.ndarray))
        assert not isinstance(x, (list, float))
        assert isinstance(t, float)
        assert not isinstance(t, np.floating)
        assert isinstance(s, np.float32)
        assert type(x) is np.ndarray
        assert type(t) is float
        assert type(s) is np.float32
        assert isinstance([x], list)
        assert isinstance(3, int)
        assert not np.isscalar(x)
        assert np.isscalar(t)
        return np.sum(x * t * s)

    check(loss, X, 2.0, np.float32(3))


def test_classes_in_value_position_stay_themselves():
    def loss(x):
        kinds = {float: 1.0, int: 2.0}
        zeros = np.zeros(3, float) + np.zeros(3, dtype=np.float64) + np.array([1], dtype=int)
        return x.astype(float) * kinds[float] * kinds[type(x.ndim)] + zeros

    check(loss, X)


def test_functions_keep_their_names_and_identity():
    def loss(x):
        activations = {np.tanh: "tanh", np.sin: "sin"}
        function = np.tanh
        assert function is np.tanh
        assert activations[function] == function.__name__ == "tanh"
        assert isinstance(np.add, np.ufunc)
        return function(x) + np.add.reduce(x)

    check(loss, X)


def test_what_cannot_be_known_is_refused():
    with pytest.raises(TraceError, match="an index or a size depends on a traced value"):
        run(lambda t: int(t), 0.5)
    with pytest.raises(TypeError, match="only integer scalar arrays"):
        run(lambda x: np.zeros(x), X)
    with pytest.raises(TypeError, match="converted to Python scalars"):
        run(lambda x: math.sin(x), X)
    with pytest.raises(TypeError, match="converted to Python scalars"):
        run(lambda x: float(x), X)
    with pytest.raises(UnsupportedFunctionError):
        run(lambda x: np.array_repr([x, x]), X)
    with pytest.raises(TraceError, match="draws random numbers"):
        run(lambda t: t * random.random(), 0.5)


def test_a_power_modulo_a_number_is_that_of_python():
    function = jit(lambda n: pow(n, 70, 11))
    assert [function(3), function(4)] == [pow(3, 70, 11), pow(4, 70, 11)]


def test_untraced_calls_are_the_functions_own():
    def loss(x):
        assert np.array([1, 2]).tolist() == [1, 2]
        assert (float("2"), int("3"), max(1, 2), sorted("ba")) == (2.0, 3, 2, ["a", "b"])
        assert max([], default=3) == 3
        assert math.sin(0.5) == 0.479425538604203
        assert np.r_[1:3].tolist() == [1, 2]
        assert isinstance(np.random.default_rng(0), np.random.Generator)
        return x

    check(loss, X)


def test_table():
    assert replaced(np.array) is REPLACEMENTS[np.array]
    assert replaced(len) is len
    assert replaced([1]) == [1]
    assert library_module(np) is library_module(library_module(np))
    assert library_module(np).linalg.norm == np.linalg.norm


def test_called_tells_a_call_from_a_value():
    import sys

    seen = []

    class Spy(dict):
        def __missing__(self, name):
            seen.append(called(sys._getframe(1)))
            return float

    def look_up():
        return [float(1), isinstance(1, float), [float, 1], float.fromhex("1"), print(float)]

    type(run)(look_up.__code__, Spy(isinstance=isinstance, print=str))()
    assert seen == [True, False, False, False, False]


# ---------------------------------------------------------------------------- np.r_, np.mgrid

JOINED = [
    "np.r_[x, 1, y]", "np.r_['0,2', x, y]", "np.r_['-1', x, y]", "np.r_['1,2,0', x, y]",
    "np.r_['0,2,0', x, y]",
    "np.r_['0,3,1', x, y]", "np.r_['0,3,-1', x, y]",
    "np.r_['1,3,-2', x, y]", "np.r_['0,2,0', x[0], 2.0]", "np.c_[x, y]",
    "np.r_['1', np.outer(x, y), np.outer(y, x)]",
    "np.c_[np.outer(x, y), x]", "np.c_[x, 1:4]", "np.c_['0', np.outer(x, y), np.outer(y, y)]",
    "np.r_[x[0]:y[0]:4j]", "np.r_[0:x[0]:1j, 5, 1:3]", "np.r_['1,2', 0:x[0]:3j, y]",
    "np.mgrid[0:x[0]:5j]", "np.mgrid[0:x[0]:5j, x[1]:2:3j]", "np.mgrid[0:x[0]:5j, 0:3]",
    "np.mgrid[0:x[0]:2j, 0:2, y[1]:y[2]:3j]", "np.ogrid[0:x[0]:5j, x[1]:2:3j][1]",
    "np.ogrid[:x[0]:5j, 1:4][0]", "np.mgrid[0:x[0]:1j, 0:y[1]:2j]",
]  # fmt: skip


@pytest.mark.parametrize("expression", JOINED)
def test_what_is_joined_in_brackets(expression):
    function = eval(f"lambda x, y: {expression}", {"np": np})
    args = np.array([1.5, -0.5, 2.0]), np.array([0.5, 3.0, 4.0])
    np.testing.assert_allclose(jit(function)(*args), function(*args), rtol=1e-15, strict=True)
    check_grads(function, args, order=1)


def test_matrices_are_not_joined():
    with pytest.raises(UnsupportedFunctionError, match="makes a matrix object"):
        jit(lambda x: np.r_["c", x, x])(np.ones(3))
