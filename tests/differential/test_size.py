"""Deep and long programs: nothing recurses over depth, and work grows with size, no faster."""

import itertools
import pickle
import sys

import numpy as np
import pytest

import symdiff
from symdiff.inspect import show
from symdiff.inspect.explain import explain
from symdiff.ir.node import compilation
from symdiff.ir.text import parse, to_text
from symdiff.ops.primitive import lookup

DEEP = 50_000
AT = np.array([0.5, 0.25])
# in no order that a loop could follow
TURNS = [each < 0.5 for each in np.random.default_rng(1).random(DEEP // 2).tolist()]


def chain(length):
    turns = TURNS[: length // 2]

    def deep(x):
        for turn in turns:
            x = (np.sin(x) if turn else np.arctan(x)) * 1.0001
        return np.sum(x)

    return deep


def many_reads(count):
    """One read of the argument, and one write of its gradient, for each element."""

    def reads(x):
        total = 0.0
        for i in range(count):
            total = total + x[i] * x[i]
        return total

    return reads


def wide(count):
    def joined(x):
        return np.sum(np.array([np.sin(x[0] * k) for k in range(count)]))

    return joined


def joined(count):
    """One operation that takes an operand for each element."""
    return lambda x: np.sum(np.concatenate([np.sin(x[i : i + 1]) for i in range(count)]) ** 2)


def stacked(count):
    return lambda x: np.sum(np.array([np.sin(x[i]) for i in range(count)]) ** 2)


def tangents(function):
    """The function and its tangent along ones."""
    return symdiff.jit(lambda x: symdiff.jvp(function, (x,), (np.ones_like(x),)))


def rows(function):
    return symdiff.jit(lambda x: symdiff.vmap(function)(np.stack([x, x])))


def second(function):
    """The gradient of a sum of the gradient."""
    gradient = symdiff.grad(function)
    return symdiff.grad(lambda x: np.sum(gradient(x) ** 2))


def nested(depth, leaf):
    for _ in range(depth):
        leaf = (leaf,)
    return leaf


def calls(function, *args):
    """How many Python functions run: a measure of work that no busy machine changes."""
    count = 0

    def profile(frame, event, arg):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function(*args)
    finally:
        sys.setprofile(before)
    return count


def test_fifty_thousand_operations_in_a_chain():
    gradient = symdiff.grad(chain(DEEP))
    expected = 1.0
    x = AT
    for turn in TURNS:
        expected = expected * (np.cos(x) if turn else 1 / (1 + x * x)) * 1.0001
        x = (np.sin(x) if turn else np.arctan(x)) * 1.0001
    np.testing.assert_allclose(gradient(AT), expected, rtol=1e-9)
    assert DEEP < len(gradient.source.splitlines()) < 2 * DEEP
    copied = pickle.loads(pickle.dumps(gradient.compiled))
    np.testing.assert_array_equal(copied.function(AT), gradient(AT))


@pytest.mark.parametrize("mode", [symdiff.jit, symdiff.grad, symdiff.hessian, symdiff.vmap])
def test_every_transformation_of_a_deep_program(mode, monkeypatch):
    monkeypatch.setattr(sys, "setrecursionlimit", None)  # nobody may ask for more
    length = 2_000  # twice what Python would recurse
    argument = AT if mode is not symdiff.vmap else np.stack([AT, AT])
    found = mode(chain(length))(argument)
    assert np.all(np.isfinite(found))


def test_the_text_of_every_stage_of_a_deep_program():
    steps = symdiff.value_and_grad(chain(2_000)).stages(AT)
    texts = {stage.name: show.one_stage(steps, stage.name) for stage, _ in steps}
    assert all(len(text.splitlines()) > 1_000 for text in texts.values())
    with compilation(fresh=True):
        assert to_text(parse(texts["trace"], lookup)) == texts["trace"]
    assert len(explain(steps).splitlines()) > 2_000


@pytest.mark.parametrize(
    ("program", "mode"),
    [
        (chain, symdiff.jit),
        (chain, symdiff.grad),
        (many_reads, symdiff.jit),
        (many_reads, symdiff.grad),
        (wide, symdiff.jit),
        *itertools.product(
            [joined, stacked],
            [symdiff.jit, symdiff.grad, tangents, rows, second],
        ),
    ],
)
def test_work_grows_with_size_and_no_faster(program, mode):
    def work(size):
        return calls(mode(program(size)).lower, np.linspace(0, 1, size))

    work(10), work(700)  # what is done once: rules traced, tables built
    small, large = work(600), work(1200)  # arrays of a page and more, which are used again
    assert large < 2.2 * small


@pytest.mark.parametrize("mode", [symdiff.grad, symdiff.jit])
def test_a_thousand_reads(mode):
    x = np.linspace(0, 1, 1_000)
    transformed = mode(many_reads(1_000))
    expected = 2 * x if mode is symdiff.grad else many_reads(1_000)(x)
    np.testing.assert_array_equal(transformed(x), expected)
    assert len(transformed.source.splitlines()) < 5_000
    longest = max(map(len, transformed.source.splitlines()))
    assert longest < 5_000


def test_deep_arguments_and_results():
    tree = {"a": [nested(60, AT)], "b": nested(60, 2.0)}

    def loss(tree):
        value, factor = tree["a"][0], tree["b"]
        while isinstance(value, tuple):
            (value,) = value
        while isinstance(factor, tuple):
            (factor,) = factor
        return np.sum(value**2) * factor

    gradient = symdiff.grad(loss)(tree)
    a_bar, b_bar = gradient["a"][0], gradient["b"]
    for _ in range(60):
        (a_bar,), (b_bar,) = a_bar, b_bar
    np.testing.assert_array_equal(a_bar, 4 * AT)
    assert b_bar == np.sum(AT**2)


def test_many_arguments():
    tree = {f"w{i}": np.full(2, float(i)) for i in range(1_000)}
    gradient = symdiff.grad(lambda tree: sum(np.sum(each**2) for each in tree.values()))(tree)
    for name, each in tree.items():
        np.testing.assert_array_equal(gradient[name], 2 * each)


def test_a_list_of_arguments_stays_as_it_is():
    given = [np.full(2, float(i)) for i in range(100)]
    gradient = symdiff.grad(lambda given: sum(np.sum(each**2) for each in given))
    for _ in range(2):
        for found, each in zip(gradient(given), given, strict=True):
            np.testing.assert_array_equal(found, 2 * each)
    assert len(given) == 100
