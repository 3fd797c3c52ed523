"""Transformed: arguments as trees, static arguments, types of results, aliasing, messages."""

import ast
import dataclasses
import gc
import inspect
import warnings
from typing import NamedTuple

import numpy as np
import optree
import pytest

import symdiff
from symdiff.autodiff.linearize import Linearized
from symdiff.errors import (
    NotDifferentiableError,
    SymdiffError,
    TraceError,
    UnsupportedFunctionError,
)
from symdiff.frontend.context import Context
from symdiff.frontend.loops import Loop
from symdiff.schedule.program import Assign
from symdiff.schedule.schedule import Scheduler


class Pair(NamedTuple):
    w: object
    b: object


@dataclasses.dataclass
class Layer:
    w: object
    b: object


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)


TREES = {
    "dict": (lambda w, b: {"w": w, "b": b}, lambda t: (t["w"], t["b"])),
    "list": (lambda w, b: [w, b], tuple),
    "tuple": (lambda w, b: (w, b), tuple),
    "namedtuple": (Pair, tuple),
    "dataclass": (Layer, lambda t: (t.w, t.b)),
    "nested": (lambda w, b: {"a": [(w,)], 3: Pair(b, ())}, lambda t: (t["a"][0][0], t[3].w)),
}


@pytest.mark.parametrize("jacobian", [symdiff.jacrev, symdiff.jacfwd, symdiff.jacobian])
def test_static_arguments_of_jacobians(jacobian):
    power = jacobian(lambda x, n: x ** len(range(n)))
    x = np.array([2.0, 3.0])
    assert_same(power(x, 2), np.diag(2 * x))
    assert_same(power(x, 3), np.diag(3 * x * x))
    assert power.static_arguments == {"n"}
    np.testing.assert_allclose(jacobian(np.linalg.norm)(np.array([3.0, 4.0])), [0.6, 0.8])


@pytest.mark.parametrize("kind", TREES)
def test_trees(kind):
    make, parts = TREES[kind]

    def loss(tree, x):
        w, b = parts(tree)
        return np.sum(w * x) + b * 2

    tree, x = make(np.ones(3), 1.0), np.arange(3.0)
    for _ in range(2):
        gradient = symdiff.grad(loss)(tree, x)
        assert type(gradient) is type(tree)
        w_bar, b_bar = parts(gradient)
        assert_same(w_bar, x)
        assert_same(b_bar, 2.0)


@pytest.mark.parametrize(
    "x", [2.0, np.float32(2), np.float64(2), np.array(2.0), np.ones((1, 2))], ids=repr
)
def test_results_have_the_type_of_the_argument(x):
    gradient = symdiff.grad(lambda x: np.sum(x * x))(x)
    assert_same(gradient, type_like(x, np.max(2 * x)))


def type_like(x, value):
    if isinstance(x, np.ndarray):
        return np.full(x.shape, value, x.dtype)
    return type(x)(value)


def test_variadic_and_keyword_arguments():
    def loss(a, *rest, scale=1.0, **more):
        return scale * (a + 2 * rest[0] + 3 * rest[1]) + more["x"]

    assert_same(symdiff.grad(loss)(1.0, 2.0, 3.0, x=1.0), 1.0)
    assert_same(symdiff.grad(loss, argnums=2)(1.0, 2.0, 3.0, x=1.0, scale=2.0), 6.0)
    assert_same(symdiff.grad(loss, argnames="scale")(1.0, 2.0, 3.0, x=1.0, scale=2.0), 14.0)


def test_results_alias_nothing():
    def same(x, y):
        return x, x, x.T, x.reshape(-1), {"y": y}

    x, y = np.ones((2, 2)), np.zeros(3)
    function = symdiff.jit(same)
    results = []
    for _ in range(2):
        *arrays, tree = function(x, y)
        results += [*arrays, tree["y"]]
    for i, each in enumerate(results):
        assert (each.flags.writeable and each.base is None) or not np.shares_memory(each, x)
        assert not any(np.shares_memory(each, other) for other in (x, y, *results[:i]))
        each[...] = 9
    assert_same(x, np.ones((2, 2)))


def test_gradients_are_writable_and_their_own():
    def loss(x, y, z):
        return np.sum(x) + np.sum(x + y) + 0 * np.sum(z)

    grads = symdiff.grad(loss, (0, 1, 2))(np.ones(3), np.ones(3), np.ones(3))
    for i, each in enumerate(grads):
        assert not any(np.shares_memory(each, other) for other in grads[:i])
        each[...] = 5


# ---------------------------------------------------------------------------- types of results

V, M = np.array([0.5, 1.5, -0.25]), np.array([[1.0, 0.5, 0.2], [0.3, 2.0, 0.1], [0.2, 0.4, 3.0]])
CAPTURED = np.array([2.0, 0.25, 1.0])
ARGUMENTS = {
    "float": 0.7,
    "f64": np.float64(0.7),
    "f32": np.float32(0.7),
    "0-d": np.array(0.7),
    "0-d f32": np.array(0.7, np.float32),
    "vector": V,
    "vector f32": V.astype(np.float32),
    "one": V[:1].copy(),
    "matrix": M,
    "empty": np.zeros(0),
}
TYPED = {
    "sum": np.sum,
    "mean": np.mean,
    "average": np.average,
    "std": np.std,
    "std axis": lambda x: np.std(np.ravel(x), axis=0),
    "max": np.max,
    "ptp": np.ptp,
    "norm": np.linalg.norm,
    "norm 3": lambda x: np.linalg.norm(np.ravel(x), 3),
    "norm 1": lambda x: np.linalg.norm(np.atleast_2d(x), 1),
    "trace": lambda x: np.trace(np.atleast_2d(x)),
    "dot": lambda x: np.dot(np.ravel(x), np.ravel(x)),
    "matmul": lambda x: np.ravel(x) @ np.ravel(x),
    "vdot": lambda x: np.vdot(x, x),
    "inner": lambda x: np.inner(np.ravel(x), np.ravel(x)),
    "einsum": lambda x: np.einsum("i,i->", np.ravel(x), np.ravel(x)),
    "einsum sum": lambda x: np.einsum("i->", np.ravel(x)),
    "einsum transpose": lambda x: np.einsum("ij->ji", np.atleast_2d(x)),
    "einsum diagonal": lambda x: np.einsum("ii->i", np.atleast_2d(x)[:, :1][:1]),
    "median": np.median,
    "nan_to_num": lambda x: np.nan_to_num(x) * 2,
    "same": lambda x: x,
    "times one": lambda x: x * 1,
    "twice negative": lambda x: np.negative(-x),
    "transposed": lambda x: np.transpose(np.sum(x)),
    "method T": lambda x: np.sum(x).T,
    "method reshape": lambda x: np.sum(x).reshape(()),
    "method copy": lambda x: np.sum(x).copy(),
    "method astype": lambda x: np.sum(x).astype(np.float32),
    "float32": lambda x: np.float32(x) if np.ndim(x) == 0 else x,
    "index ()": lambda x: np.sum(x)[()],
    "index ...": lambda x: np.sum(x)[...],
    "squeeze": lambda x: np.squeeze(np.sum(x, keepdims=True)),
    "element": lambda x: np.ravel(x)[0],
    "item": lambda x: np.ravel(x)[0].item(),
    "where": lambda x: np.where(np.sum(x) > 0, x, 0),
    "select": lambda x: np.select([x > 0], [x], 0.5),
    "clip": lambda x: np.clip(x, 0, 1),
    "round": np.round,
    "float64 factor": lambda x: np.float64(2) * x,
    "0-d factor": lambda x: np.array(2.0) * x,
    "polyval": lambda x: np.polyval([1.0, 2.0], x),
    "python": lambda x: abs(x) ** 0.5 + x / 2,
    "exp": np.exp,
    "reverse": lambda x: np.ravel(x)[::-1],
    "overlap": lambda x: (np.ravel(x)[:2], np.ravel(x)[1:], x, x),
    "captured": lambda x: (CAPTURED, CAPTURED, np.sum(x)),
    "constant": lambda x: (1.0, np.float32(2), np.array([1.0, 2.0]), np.array(3.0)),
    "broadcast": lambda x: np.broadcast_to(x, (2, *np.shape(x))),
    "like": lambda x: (np.zeros_like(x), np.ones_like(x)),
    "tree": lambda x: {"a": [x, np.sum(x)], "b": (np.ravel(x)[0], np.ravel(x)[:1])},
}


def described(tree):
    """Types, dtypes and shapes of the leaves."""
    leaves = optree.tree_leaves(tree)
    return [(type(each), getattr(each, "dtype", None), np.shape(each)) for each in leaves]


def assert_own(results, *given):
    """Arrays among the results can be written to, and share memory with nothing."""
    others = [each for each in optree.tree_leaves(given) if isinstance(each, np.ndarray)]
    for each in optree.tree_leaves(results):
        if isinstance(each, np.ndarray):
            assert each.flags.writeable
            assert not any(np.shares_memory(each, other) for other in others)
            others.append(each)


def ones(tree):
    return optree.tree_map(
        lambda x: np.ones_like(x) if isinstance(x, np.ndarray) else type(x)(1), tree
    )


def typed_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, function in TYPED.items():
            for kind, argument in ARGUMENTS.items():
                if kind == "empty" and name in ("median", "norm 1"):
                    continue  # refused
                try:
                    yield pytest.param(function, argument, function(argument), id=f"{name}-{kind}")
                except (ValueError, IndexError, AttributeError, TypeError):
                    continue  # NumPy refuses it


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize(("function", "x", "expected"), list(typed_cases()))
def test_results_are_of_numpys_types_and_alias_nothing(function, x, expected):
    compiled = symdiff.jit(function)
    results = compiled(x), compiled(x)
    assert described(results[0]) == described(expected)
    for actual, each in zip(*map(optree.tree_leaves, (results[0], expected)), strict=True):
        np.testing.assert_allclose(actual, each, rtol=1e-6)
    assert_own(results, x, CAPTURED)
    tangent = ones(x)
    value, dot = symdiff.jvp(function, (x,), (tangent,))
    assert described(value) == described(dot) == described(expected)
    assert_own((value, dot), x, tangent, CAPTURED)
    bar = ones(expected)
    value, pullback = symdiff.vjp(function, x)
    bars = pullback(bar), pullback(bar)
    assert described(value) == described(expected)
    assert described(bars) == described((x, x))
    assert_own((value, bars), x, bar, CAPTURED)
    if not isinstance(expected, (tuple, dict)) and np.ndim(expected) == 0:
        gradient = symdiff.grad(function)
        assert described((gradient(x), gradient(x))) == described((x, x))
        assert_own((gradient(x), gradient(x)), x, CAPTURED)


class Model:
    def __init__(self):
        self.W = np.ones(2)

    @symdiff.grad
    def loss(self, x):
        return np.sum(self.W * x)

    @symdiff.function
    def value(self, x):
        return np.sum(self.W * x * x)


def test_methods():
    model = Model()
    assert_same(model.loss(np.zeros(2)), np.ones(2))
    model.W[0] = 3
    assert_same(model.loss(np.zeros(2)), np.array([3.0, 1.0]))
    model.W = np.full(2, 4.0)
    assert_same(model.loss(np.zeros(2)), np.full(2, 4.0))
    assert_same(Model().loss(np.zeros(2)), np.ones(2))
    assert model.value(np.ones(2)) == 8
    assert_same(model.value.grad(np.ones(2)), np.full(2, 8.0))


def test_signature_and_names():
    def loss(x, *, n=2):
        """The loss."""
        return np.sum(x**n)

    gradient = symdiff.grad(loss)
    assert inspect.signature(gradient) == inspect.signature(loss)
    assert (gradient.__name__, gradient.__doc__) == ("loss", "The loss.")
    assert repr(gradient) == "<grad of loss>"
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        gradient()


def test_stages_and_source():
    gradient = symdiff.grad(lambda x: np.sum(x * x))
    with pytest.raises(TraceError, match="not called yet"):
        gradient.show()
    names = [stage.name for stage, _ in gradient.stages(np.ones(2))]
    assert (names[0], names[-1]) == ("trace", "print")
    assert gradient.lower(np.ones(2)).source == gradient.source
    assert gradient.was_compiled


def test_clear_caches():
    gradient = symdiff.grad(lambda x: np.sum(x * x))
    gradient(np.ones(2))
    symdiff.clear_caches()
    assert gradient.cache_info().currsize == 0


# ---------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: symdiff.grad(np.sum)(np.arange(3)), NotDifferentiableError, "astype"),
        (lambda: symdiff.grad(lambda x: x)("a"), NotDifferentiableError, "argument `x`"),
        (lambda: symdiff.grad(lambda x: x, argnums=1)(1.0), TypeError, "takes 1 arg"),
        (lambda: symdiff.grad(lambda x: x, argnames="y")(1.0), TypeError, "no argument 'y'"),
        (
            lambda: symdiff.grad(lambda x: np.sum(x))(np.ma.masked_array([1.0], [True])),
            TraceError,
            "masked array",
        ),
        (
            lambda: symdiff.grad(lambda x: np.sum(x))(np.ones(2, ">f8")),
            TraceError,
            "byte order",
        ),
        (
            lambda: symdiff.grad(lambda x: np.array_repr(x) * 1.0)(np.ones((2, 2))),
            UnsupportedFunctionError,
            "array_repr",
        ),
        (lambda: symdiff.grad(lambda x: np.sum(x @ x))(np.ones((2, 3))), ValueError, "x @ x"),
        (
            lambda: symdiff.jit(lambda x: np.broadcast_to(x, (2, 4)))(np.ones(3)),
            ValueError,
            "(3,) does not broadcast to (2, 4)",
        ),
        (lambda: symdiff.grad(3), TypeError, "a function is expected"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)


MISFITS = """
    x@x x+np.ones(4) np.concatenate([x,np.ones((2,4))]) x.reshape(4) x[5,0] x[0,0,0] x[1.5]
    np.linalg.solve(x,x) np.linalg.solve(np.eye(2),x.T) np.linalg.inv(x) np.sum(x,axis=3)
    np.einsum("ij,jk",x,x) np.stack([x,x[0]]) np.transpose(x,(0,2)) np.swapaxes(x,0,5)
    np.split(x,2,axis=1) np.squeeze(x,0) np.broadcast_to(x,(2,4)) np.linalg.cholesky(x)
    np.expand_dims(x,5) np.moveaxis(x,0,7) np.tensordot(x,x,1) np.dot(x,x) np.inner(x,x.T)
    x[np.ones(3,bool)] np.where(x>0,x,np.ones(4)) np.max([x,x.T])
    np.sum(x,axis=(0,0)) np.max(x,(1,-1)) np.flip(x,(0,0)) np.transpose(x,(3,0))
    np.tensordot(x,x,([2],[0])) np.diagonal(x,0,2,3) np.trace(x,0,0,3) np.sum(x,(0,1.))
    np.take(x,9) np.roll(x,1,4) np.flip(x,3) np.trace(x[0]) np.outer(x)
"""


@pytest.mark.parametrize("expression", MISFITS.split())
def test_shapes_that_do_not_fit_name_the_users_line(expression):
    function = eval(compile(f"lambda x: np.sum({expression})", __file__, "eval"), {"np": np})
    x = np.ones((2, 3))
    with pytest.raises((ValueError, IndexError, TypeError)) as numpys:
        function(x)
    with pytest.raises((SymdiffError, TypeError)) as ours:
        symdiff.grad(function)(x)
    if not isinstance(numpys.value, TypeError):
        assert "\n  test_transformed.py:" in str(ours.value)
    for kind in (ValueError, IndexError, np.exceptions.AxisError):  # what the user's code catches
        assert isinstance(ours.value, kind) or not isinstance(numpys.value, kind)


UNKNOWN = """
    scipy.special.struve(1,x) scipy.linalg.cossin(x,1,1) scipy.fft.fht(x,1.0,0.5)
    scipy.signal.wiener(x) scipy.linalg.qz(x,x)
"""


@pytest.mark.parametrize("expression", UNKNOWN.split())
def test_unknown_functions_name_the_users_line(expression):
    import scipy.fft
    import scipy.linalg
    import scipy.signal
    import scipy.special

    names = {"np": np, "scipy": scipy}
    function = eval(compile(f"lambda x: np.sum({expression})", __file__, "eval"), names)
    with pytest.raises(UnsupportedFunctionError, match=r"has no derivative rule\n  test_tr.*\.py:"):
        symdiff.grad(function)(np.eye(2))


CALLS = {
    "grad": lambda f, x: symdiff.grad(f)(x),
    "jvp": lambda f, x: symdiff.jvp(f, (x,), (x,)),
    "vjp": lambda f, x: symdiff.vjp(f, x),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_collector_finds_nothing_to_do(name):
    """What compiling takes is gone before the collector goes on, and does not wait for it."""

    def loss(ws):
        h = ws[0]
        for w in ws:
            h = np.sin(h * w) if h[0] > 1000 else np.cos(h + w)
        return np.sum(h)

    kinds = (Context, Scheduler, Linearized, Loop, Assign, ast.AST)
    gc.collect()
    gc.disable()
    try:
        known = {id(each) for each in gc.get_objects() if issubclass(type(each), kinds)}
        CALLS[name](loss, [np.full(3, 0.1 * i) for i in range(6)])
        found = [each for each in gc.get_objects() if issubclass(type(each), kinds)]
        assert not [type(each) for each in found if id(each) not in known]
    finally:
        gc.enable()
