"""Calls of compiled programs: what they take, what they give, what they refuse."""

import gc
import sys
import threading
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import symdiff
from symdiff.errors import CompileError
from symdiff.runtime import binding
from symdiff.runtime.dispatch import MISS


def compiled(function, *args):
    """The function of a compiled signature by itself, and what it gave."""
    made = symdiff.jit(function, backend="c")
    result = made(*args)
    return made.compiled.function, result


def test_trees_are_taken_apart_and_built():
    def f(params, pair, flag, k=3):
        a, (b, c) = pair
        return {"sum": params["W"] @ a + b, "rest": [c, (params["b"], None, 7)], 5: a * k}

    args = ({"W": np.ones((2, 3)), "b": 2.0}, [np.arange(3.0), (1.5, np.float32(2))], True)
    found, expected = symdiff.jit(f, backend="c")(*args), f(*args)
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(found["sum"], expected["sum"])
    assert type(found["rest"][0]) is np.float32
    assert found["rest"][1] == (2.0, None, 7)
    assert type(found["rest"][1][0]) is float


class Point(NamedTuple):
    x: np.ndarray
    y: float


def test_named_tuples_are_taken_and_given():
    f = symdiff.value_and_grad(lambda p: np.sum(p.x * p.y), backend="c")
    value, gradient = f(Point(np.arange(3.0), 2.0))
    assert value == 6
    assert type(gradient) is Point
    np.testing.assert_array_equal(gradient.x, [2, 2, 2])
    assert gradient.y == 3


@pytest.mark.parametrize(
    "args",
    [
        (np.ones(4), 2.0),
        (np.ones((3, 1)), 2.0),
        (np.ones(3, np.float32), 2.0),
        ([1.0, 2.0, 3.0], 2.0),
        (np.ones(3), 2),
        (np.ones(3), np.float64(2)),
        (np.ones(3), None),
        (np.ones(3).astype(">f8"), 2.0),
    ],
)
def test_arguments_of_other_types_are_a_miss(args):
    function, _ = compiled(lambda x, y: x * y, np.ones(3), 2.0)
    assert function(*args) is MISS


def test_ints_count_as_floats_where_the_derivative_is_taken():
    f = symdiff.grad(lambda x, y: x * y, backend="c")
    assert f(2.0, 3.0) == 3.0
    assert f(2, 3.0) == 3.0
    assert type(f(2, 3.0)) is float


def test_any_layout_is_taken():
    f = symdiff.jit(lambda x: x * 2 + np.sum(x, axis=0), backend="c")
    x = np.random.default_rng(0).normal(size=(4, 4))
    unaligned = np.ndarray(x.shape, x.dtype, bytearray(b"0" + x.tobytes()), 1)
    for each in (x, x.T, x[::-1], x[:, ::-1], np.asfortranarray(x), unaligned):
        np.testing.assert_allclose(f(each), f.function(each), rtol=1e-14)


def test_results_are_new_arrays():
    f = symdiff.jit(lambda x: (x, x[::-1], x.T), backend="c")
    x = np.arange(3.0)
    for each in f(x):
        assert not np.shares_memory(each, x)


def test_zero_dimensional_arrays_and_scalars_stay_what_they_are():
    f = symdiff.jit(lambda x, y, z: (x * 2, y * 2, z + 1, np.sum(x) > 0), backend="c")
    found = f(np.array(2.0), np.float32(3), 4)
    for each, expected in zip(found, f.function(np.array(2.0), np.float32(3), 4), strict=True):
        assert type(each) is type(expected)
        assert each == expected


def test_an_index_out_of_bounds_is_numpys_error():
    f = symdiff.jit(lambda x, k: x[k] * 2, backend="c")
    x = np.arange(5.0)
    np.testing.assert_array_equal(f(x, np.array([0, -1, 4])), [0, 8, 8])
    for bad in (5, -6):
        with pytest.raises(IndexError, match="out of bounds"):
            f(x, np.array([0, bad]))


def test_nothing_leaks():
    f = symdiff.jit(lambda p: {"a": p["a"] * 2, "b": (p["b"], np.sum(p["a"]))}, backend="c")
    p = {"a": np.ones((30, 40)), "b": 2.0}
    strided = {"a": np.ones((40, 30)).T, "b": 2.0}
    for each in (p, strided):
        f(each)
    before = sys.getrefcount(p["a"]), sys.getrefcount(p), sys.getrefcount(MISS)
    blocks = sys.getallocatedblocks()
    for _ in range(300):
        for each in (p, strided, {"a": np.ones(3), "b": "c"}):
            f._dispatcher.fast(each)
    assert (sys.getrefcount(p["a"]), sys.getrefcount(p), sys.getrefcount(MISS)) == before
    assert abs(sys.getallocatedblocks() - blocks) < 100


def test_a_compiled_function_is_freed():
    f = symdiff.jit(lambda x: x * 3, backend="c")
    f(1.0)
    alive = weakref.ref(f)
    del f
    symdiff.clear_caches()
    gc.collect()
    assert alive() is None


def test_many_leaves():
    layers = [(np.full((i + 1, 3), float(i)), np.ones(3)) for i in range(60)]

    def f(layers, x):
        return sum(np.sum(w * b) for w, b in layers) * np.sum(x)

    value, gradient = symdiff.value_and_grad(f, backend="c")(layers, np.ones(2))
    assert value == pytest.approx(f(layers, np.ones(2)))
    np.testing.assert_allclose(gradient[59][0], np.full((60, 3), 2.0))


def test_threads_do_not_share_work_space():
    def f(x):
        y = np.exp(np.sin(x) @ np.cos(x))
        return np.sum(y / np.sum(y, axis=0))

    g = symdiff.jit(f, backend="c")
    inputs = [np.random.default_rng(i).normal(size=(40, 40)) for i in range(8)]
    expected = [g(x) for x in inputs]
    found: list = [None] * 8

    def run(i):
        found[i] = [g(inputs[i]) for _ in range(50)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[each] * 50 for each in expected]


def test_without_headers_there_is_a_way_out(monkeypatch):
    monkeypatch.setattr(binding.sysconfig, "get_path", lambda name: "/nowhere")
    binding.extension.cache_clear()
    try:
        with pytest.raises(CompileError, match=r"(?s)Python\.h is not in /nowhere.*python3-dev"):
            symdiff.jit(lambda x: x * 2, backend="c")(1.0)
        f = symdiff.jit(lambda x: x * 2, backend="auto")
        assert f(1.0) == 2.0
        assert not f.wait()
    finally:
        binding.extension.cache_clear()
