"""Transformed: arguments as trees, static arguments, types of results, aliasing, messages."""

import dataclasses
import inspect
from typing import NamedTuple

import numpy as np
import pytest

import symdiff
from symdiff.errors import NotDifferentiableError, TraceError, UnsupportedFunctionError


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


def test_an_int_counts_as_a_float():
    assert_same(symdiff.grad(lambda x: x * x)(3), 6.0)


def test_ints_that_decide_shapes_are_static():
    @symdiff.grad
    def loss(x, n):
        for _ in range(n):
            x = x * x
        return np.sum(x)

    assert_same(loss(np.array([2.0]), 1), np.array([4.0]))
    assert_same(loss(np.array([2.0]), 2), np.array([32.0]))
    assert_same(loss(np.array([2.0]), 1), np.array([4.0]))
    assert loss.static_arguments == {"n"}


def test_strings_and_none_are_static():
    @symdiff.grad
    def loss(x, how="sum", mask=None):
        x = x if mask is None else x * mask
        return getattr(np, how)(x)

    x = np.ones(2)
    assert_same(loss(x), np.ones(2))
    assert_same(loss(x, "mean"), np.full(2, 0.5))
    assert_same(loss(x, mask=np.array([0.0, 1.0])), np.array([0.0, 1.0]))


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
        (lambda: symdiff.grad(lambda x: x * x)(np.ones(2)), NotDifferentiableError, "not a real"),
        (lambda: symdiff.grad(lambda x: (x, x))(1.0), NotDifferentiableError, "a tuple of 2"),
        (lambda: symdiff.grad(lambda x: 1)(1.0), NotDifferentiableError, "int"),
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
            lambda: symdiff.grad(lambda x: np.linalg.matrix_rank(x) * 1.0)(np.ones((2, 2))),
            UnsupportedFunctionError,
            "matrix_rank",
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
