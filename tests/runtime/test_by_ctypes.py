"""Compiled programs where Python's headers are missing."""

import threading
from typing import NamedTuple

import numpy as np
import optree
import pytest

import symdiff
from symdiff.runtime import binding, by_ctypes


@pytest.fixture(autouse=True)
def no_headers(monkeypatch):
    monkeypatch.setattr(binding.sysconfig, "get_path", lambda name: "/nowhere")
    monkeypatch.setattr(binding, "extension", lambda: pytest.fail("the extension is compiled"))
    binding.has_headers.cache_clear()
    yield
    binding.has_headers.cache_clear()


class Point(NamedTuple):
    x: object
    y: object


offset = np.array([1.0, 2.0, 3.0])
X = np.arange(3.0)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda x, y: (x + y) * 2, (2.0, 3)),
        (lambda x, y: {"a": [x * y, (x > y, None)], "b": 7, 3: np.sum(x)}, (X, 1.5)),
        (lambda p: Point(p.x * p.y, p.x[0]), (Point(X, np.float32(2)),)),
        (lambda p: p["b"] @ p["a"] + offset, ({"a": X, "b": np.ones((3, 3))},)),
        (lambda x: (x, x[::-1], np.sum(np.exp(x - np.max(x)))), (np.linspace(0, 9, 77),)),
        (lambda x: x * 2, (np.array(3.0),)),
        (lambda x: x.T + np.tanh(x.T @ x), (np.ones((0, 3)).T @ np.ones((0, 3)),)),
        (lambda x: x[:, 1:] * 2, (np.arange(12.0).reshape(3, 4).T,)),
        (lambda x: x * 2, (np.zeros((0, 3), np.float32),)),
        (lambda x, flag, name: x * 2 if flag else x, (X, True, "name")),
    ],
)
def test_results_are_those_of_numpy(function, args):
    f = symdiff.jit(function, backend="c")
    expected = function(*args)
    for found in (f(*args), f(*args)):
        assert optree.tree_structure(found) == optree.tree_structure(expected)
        for one, other in zip(*map(optree.tree_leaves, (found, expected))):
            assert type(one) is type(other)
            np.testing.assert_allclose(one, other, rtol=1e-13, strict=True)
    assert f.compiled.c_source


def test_gradients():
    f = symdiff.value_and_grad(lambda x, k: np.sum(np.sin(x) * k), argnums=(0, 1), backend="c")
    for k in (2.0, 3):
        value, (x_bar, k_bar) = f(X, k)
        assert value == pytest.approx(np.sum(np.sin(X)) * k)
        np.testing.assert_allclose(x_bar, np.cos(X) * k)
        assert type(k_bar) is float


def test_other_types_are_other_signatures():
    f = symdiff.jit(lambda x: x * 2, backend="c")
    unaligned = np.ndarray(3, float, bytearray(b"0" + X.tobytes()), 1)
    for _ in range(2):
        for x in (X, np.ones(4), 2.0, X.astype(np.float32), 3, unaligned):
            np.testing.assert_array_equal(f(x), x * 2)
    assert f.cache_info().misses == 5


def test_an_index_out_of_bounds_is_numpys_error():
    f = symdiff.jit(lambda x, k: x[k] * 2, backend="c")
    np.testing.assert_array_equal(f(X, np.array([0, -1])), [0, 4])
    with pytest.raises(IndexError, match="out of bounds"):
        f(X, np.array([3]))


def test_a_decision_that_falls_out_otherwise_is_another_program():
    def first(x):
        if x[0] > 0 and len(x[x > 0]) > 1:
            return x * 2
        return x * 3

    f = symdiff.jit(first, backend="c")
    for x in (X + 1, -X - 1, X + 2, -X - 3):
        np.testing.assert_array_equal(f(x), first(x))


def test_threads_have_work_space_of_their_own():
    def f(x):
        y = np.exp(np.sin(x) @ np.cos(x))
        return np.sum(y / np.sum(y, axis=0))

    g = symdiff.jit(f, backend="c")
    inputs = [np.random.default_rng(i).normal(size=(40, 40)) for i in range(4)]
    expected = [g(x) for x in inputs]
    found: list = [None] * 4

    def run(i):
        found[i] = [g(inputs[i]) for _ in range(50)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[each] * 50 for each in expected]


def test_c_takes_over_in_the_background():
    f = symdiff.jit(lambda x: x * 2, backend="auto")
    assert f(1.0) == 2.0
    assert f.wait()
    assert f(3.0) == 6.0
    assert f.compiled.c_source


def test_loops_of_unknown_length_have_memory():
    def f(x):
        k = 0
        while k < 30_000:
            x, k = np.sin(x) + 0.01, k + 1
        return np.sum(x)

    found = symdiff.grad(f, backend="c")(np.linspace(0, 1, 9))
    np.testing.assert_allclose(found, symdiff.grad(f)(np.linspace(0, 1, 9)), atol=1e-300)


def test_a_long_loop_has_nobody_who_looks_for_signals():
    def f(x):
        while x > 1:
            x = x / 2
        return x

    g = symdiff.jit(f, backend="c")
    for _ in range(2):  # whatever an earlier call has left in the work space
        assert g(1e300) == f(1e300)
        by_ctypes._memory.block[:] = 255
