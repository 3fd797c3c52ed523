"""Order, names, inlining, results that alias nothing, warnings."""

from itertools import count

import numpy as np
import pytest

from symdiff import check_grads, grad, jit, value_and_grad
from symdiff.codegen.numpy_source import function_source
from symdiff.ir import compilation
from symdiff.ir.text import parse
from symdiff.ops.primitive import lookup
from symdiff.schedule.schedule import schedule


def body(compiled):
    return compiled.compiled.work.source.split('"""')[2]


def test_long_lines_are_broken_at_a_name():
    def f(x):
        return np.sum(np.sin(x) * np.cos(x) * np.tanh(x) * np.exp(x) * np.sqrt(x) * np.log(x))

    gradient = value_and_grad(f)
    gradient(np.ones(3))
    statements = [line.partition("  # from")[0] for line in body(gradient).splitlines()]
    assert max(map(len, statements)) <= 83


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: x.T,
        lambda x: x[:2],
        lambda x: x.reshape(-1),
        lambda x: (x, x),
        lambda x: (x + 1, (x + 1).T),
        lambda x: np.broadcast_to(x[0], (2, 3)),
        lambda x: np.zeros((2, 3)),
    ],
    ids=count(),
)
def test_results_are_writable_and_alias_nothing(function):
    x = np.arange(9.0).reshape(3, 3)
    compiled = jit(function)
    first, second = compiled(x), compiled(x)
    results = [*first, *second] if isinstance(first, tuple) else [first, second]
    for i, result in enumerate(results):
        assert result.flags.writeable
        assert not np.shares_memory(result, x)
        assert not any(np.shares_memory(result, other) for other in results[:i])
    expected = function(x)
    own = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_array_equal(results[0], own)


@pytest.mark.parametrize("value", [2.0, np.float32(2), np.float64(2), np.array(2.0)], ids=count())
def test_scalars_come_back_as_they_went_in(value):
    for function in (lambda x: x * x, lambda x: np.sin(x) * x, lambda x: np.where(x > 0, x, 1.0)):
        got = grad(function)(value)
        assert type(got) is type(value)
        assert np.result_type(got) == np.result_type(value)


def test_a_dead_cotangent_gives_its_name_away():
    def f(weights, x):
        h = x
        for W in weights:
            h = np.tanh(h @ W)
        return np.sum(h * h)

    gradient = grad(f)
    weights = [np.eye(3) * i for i in range(1, 4)]  # too few for a loop
    bars = gradient(weights, np.ones((2, 3)))
    text = body(gradient)
    assert text.count("    h_bar = ") == 3
    assert "h_bar_1" not in text
    assert "    h_2 = " in text  # the activations are all needed at once
    check_grads(f, (weights, np.ones((2, 3)) / 9))
    assert len({id(bar) for bar in bars}) == 3


def test_results_are_called_after_the_arguments():
    def f(x):
        return np.sum(x[1:] * x[:-1])

    gradient = value_and_grad(f)
    gradient(np.ones(4))
    assert "return value, x_bar" in gradient.source
    assert "Returns value: f64[], x_bar: f64[4]." in gradient.source


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (0, 2, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_empty_constants_keep_their_shape(shape, dtype):
    def f(x):
        return np.zeros(shape, dtype), np.ones(shape, dtype) * x, np.sum(np.zeros(shape) + x, 0)

    for found, expected in zip(jit(f)(2.0), f(2.0), strict=True):
        assert np.shape(found) == np.shape(expected)
        assert np.result_type(found) == np.result_type(expected)


GUARDED = """
graph f(x: f64[4], m: bool[4])
  positive = greater(x, x0)              : bool[4]
  n1 = counts(positive, count=2)         : bool[]
  n2 = counts(m, count=3)                : bool[]
  a = getitem(x, positive, index=(('mask', 1, 2),)) : f64[2]
  b = getitem(x, m, index=(('mask', 1, 3),)) : f64[3]
  holds n1, n2
  return a, b
"""


def test_a_guard_stands_behind_its_mask():
    text = GUARDED.replace("  positive", "  x0 = const(0.0) : f64[4]\n  positive")
    with compilation():
        graph = parse(text, lookup)
        source = function_source(schedule(graph))
    assert source == (
        "def f(x, m):\n"
        "    if np.count_nonzero(m) != 3:\n"
        '        raise ValueError("compiled for 3 elements where m")\n'
        "    positive = x > 0\n"
        "    if np.count_nonzero(positive) != 2:\n"
        '        raise ValueError("compiled for 2 elements where x > 0")\n'
        "    a = x[positive]\n"
        "    b = x[m]\n"
        "    return a, b\n"
    )


def test_a_guard_outlives_what_it_guards():
    text = "graph f(x: f64[4])\n  n = counts(m, count=4) : bool[]\n  holds n\n  return x\n"
    text = text.replace("  n =", "  m = isfinite(x) : bool[4]\n  n =")
    with compilation():
        source = function_source(schedule(parse(text, lookup)))
    assert "if np.count_nonzero(np.isfinite(x)) != 4:" in source or "m = np.isfinite(x)" in source
    assert "raise ValueError" in source


def test_results_come_as_soon_as_what_they_need():
    def f(W, b, V, x):
        h = np.tanh(x @ W + b)
        return np.sum((h @ V) ** 2)

    gradient = grad(f, (0, 1, 2))
    gradient(np.ones((2, 3)), np.ones(3), np.ones((3, 2)), np.ones((4, 2)))
    text = body(gradient)
    places = [text.index(f"    {name} = ") for name in ("V_bar", "h_bar", "W_bar", "b_bar")]
    assert places == sorted(places)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [3, 10, 32, 128, 1000, 320])
def test_a_long_number_is_printed_as_the_quotient_that_it_is(dtype, count):
    def f(x):
        return np.sum(x * dtype(1 / count)) + np.sum(np.sin(x))

    compiled = jit(f)
    x = np.linspace(0, 1, 9, dtype=dtype)
    assert compiled(x) == f(x)
    text = body(compiled)
    digits = str(dtype(1 / count))
    assert (f"1 / {count}" in text) == (len(digits) > 6) == (digits not in text)


def test_a_parameter_is_bound_again_where_the_function_does():
    def f(x, n):
        x = x / 255
        x = x - np.mean(x)
        return np.sum(x * n), x

    compiled = jit(f)
    x = np.arange(6.0)
    value, centred = compiled(x, 2.0)
    assert "    x = x / 255\n" in compiled.source
    assert "x_1" not in compiled.source
    np.testing.assert_array_equal(x, np.arange(6.0))
    np.testing.assert_array_equal(centred, f(x, 2.0)[1])
    assert value == f(x, 2.0)[0]


@pytest.mark.parametrize(("layers", "lean"), [(3, False), (200, True)])
def test_long_programs_are_written_as_they_cost_least(layers, lean):
    # in no order that a loop could follow
    turns = [each < 0.5 for each in np.random.default_rng(1).random(layers).tolist()]

    def network(W):
        h = W
        for turn in turns:
            h = np.tanh(h @ W) if turn else np.arctan(h @ W)
        return np.sum(h)

    gradient = value_and_grad(network)
    gradient(np.eye(2))
    function, _, derivative = gradient.source.partition("value = ")
    assert ".dot(" not in function  # the very bits of the function
    assert (".dot(" in derivative) == lean


def test_a_call_with_several_results_is_unpacked():
    def loss(a):
        u, s, vh = np.linalg.svd(a)
        return np.sum(u * s @ vh[:, ::-1])

    gradient = value_and_grad(loss)
    value, _ = gradient(np.diag([1.0, 2.0, 3.0]) + 0.1)
    assert value == loss(np.diag([1.0, 2.0, 3.0]) + 0.1)
    assert "    u, s, vh = np.linalg.svd(a)\n" in gradient.source
    unread = jit(lambda a: np.linalg.svd(a)[0] @ np.linalg.svd(a)[2])
    unread(np.eye(2))
    assert "    u, _, vh = np.linalg.svd(a)\n" in unread.source
    one = jit(lambda a: np.linalg.svd(a)[1])
    one(np.eye(2))
    assert "np.linalg.svd(a)[1]" in one.source


def test_results_have_the_names_of_the_function():
    def loss(a, w):
        values, vectors = np.linalg.eigh(a)
        return np.sum(vectors * values) * w

    gradient = value_and_grad(loss)
    gradient(np.array([[1.0, 0.5], [0.5, 3.0]]), 2.0)
    assert "    values, vectors = np.linalg.eigh(a)\n" in gradient.source


def test_numbers_keep_their_defaults():
    def f(x, rate=0.5, power=2, shift=0.0, scale=float("inf")):
        return np.sum(rate * x**power + shift) / scale

    gradient = grad(f)
    gradient(np.ones(3), scale=2.0)
    assert "def f_grad(x, rate, power, shift, scale):" in gradient.source  # all before has none
    gradient = grad(lambda x, rate=0.5, n=2: np.sum(rate * x) * n)
    gradient(np.ones(3))
    assert "(x, rate=0.5, n=2):" in gradient.source
    gradient(np.ones(3), n=np.ones(()))  # not what the default is
    assert "(x, rate, n):" in gradient.source
    hidden = np.ones(3)
    gradient = grad(lambda x, rate=0.5: np.sum(rate * x * hidden))
    gradient(np.ones(3))
    assert "(x, rate, hidden):" in gradient.source
