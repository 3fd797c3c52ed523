"""dispatch: signatures, guards, captured values, threads and pickling."""

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

import symdiff
from symdiff.errors import TraceError


class Pair(NamedTuple):
    a: object
    b: object


def loss(p: Pair, x):
    return np.sum((p.a * x + p.b) ** 2)


@symdiff.grad
def decorated(x):
    return np.sum(x**3)


def copy(value):
    return pickle.loads(pickle.dumps(value))


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)


def test_signatures():
    gradient = symdiff.grad(lambda x: np.sum(x * x))
    for x in (np.ones(2), np.ones(2), np.ones(3), np.ones(2, np.float32), np.ones(3)):
        assert_same(gradient(x), 2 * x)
    assert gradient.cache_info().misses == gradient.cache_info().currsize == 3
    gradient.clear_cache()
    assert gradient.cache_info().currsize == 0


def test_signatures_are_bounded():
    gradient = symdiff.jit(lambda x: x + 1)
    for n in range(70):
        gradient(np.ones(n))
    assert gradient.cache_info().currsize == gradient.cache_info().maxsize == 64


def test_hidden_array_rebound_and_changed_in_place():
    W = np.ones(2)
    gradient = symdiff.grad(lambda x: np.sum(x * W))
    x = np.ones(2)
    assert_same(gradient(x), np.array([1.0, 1.0]))
    W[0] = 5
    assert_same(gradient(x), np.array([5.0, 1.0]))
    W = np.array([7.0, 8.0])
    assert_same(gradient(x), np.array([7.0, 8.0]))
    assert gradient.cache_info().misses == 1
    W = np.array(3.0)
    assert_same(gradient(x), np.array([3.0, 3.0]))


def test_hidden_number_traces_anew():
    scale, kind = 2.0, "sum"

    def value(x):
        return scale * getattr(np, kind)(x)

    gradient = symdiff.grad(value)
    assert_same(gradient(np.ones(2)), np.array([2.0, 2.0]))
    scale = 3.0
    assert_same(gradient(np.ones(2)), np.array([3.0, 3.0]))
    kind = "mean"
    assert_same(gradient(np.ones(2)), np.array([1.5, 1.5]))
    scale, kind = 2.0, "sum"
    assert_same(gradient(np.ones(2)), np.array([2.0, 2.0]))
    assert gradient.cache_info().misses == 3


def test_static_slices_do_not_pile_up():
    gradient = symdiff.grad(lambda x, where: np.sum(x[where]))
    for _ in range(3):
        assert_same(gradient(np.ones(3), slice(0, 2)), np.array([1.0, 1.0, 0.0]))
    assert_same(gradient(np.ones(3), slice(2, 3)), np.array([0.0, 0.0, 1.0]))
    assert gradient.cache_info().misses == 2


def test_arrays_from_another_process_take_the_fast_path():
    function = symdiff.jit(lambda x: x + 1)
    function(np.ones(2))
    x = copy(np.ones(2))
    assert_same(function._dispatcher.fast(x), np.array([2.0, 2.0]))


def test_threads():
    gradient = symdiff.grad(lambda x: np.sum(np.sin(x)))
    sizes = [1 + i % 7 for i in range(70)]
    with ThreadPoolExecutor(8) as pool:
        for size, result in zip(sizes, pool.map(lambda n: gradient(np.ones(n)), sizes)):
            assert_same(result, np.cos(np.ones(size)))
    assert gradient.cache_info().misses == 7


# ---------------------------------------------------------------------------- pickling


def test_pickled_with_its_function():
    gradient = symdiff.grad(loss)
    p, x = Pair(np.ones(2), 1.0), np.ones(2)
    expected = gradient(p, x)
    found = copy(gradient)
    for actual, each in zip(found(p, x), expected, strict=True):
        assert_same(actual, each)
    assert found.cache_info().misses == 0
    assert type(found(p, 2.0)) is Pair  # a new signature
    assert found.cache_info().misses == 1


def test_pickled_without_its_function():
    W = np.ones(2)
    gradient = symdiff.grad(lambda x: np.sum(x * W))
    gradient(np.ones(2))
    found = copy(gradient)
    W *= 2
    assert_same(found(np.ones(2)), np.array([1.0, 1.0]))  # a copy has its own arrays
    with pytest.raises(TraceError, match="without its function"):
        found(np.ones((3, 2)))


def test_decorated_is_pickled_by_name():
    assert copy(decorated) is decorated


def call(function, *args):
    return function(*args)


def test_spawned_process():
    gradient = symdiff.grad(loss)
    p, x = Pair(np.ones(2), 1.0), np.ones(2)
    expected = gradient(p, x)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        actual = pool.apply(call, (gradient, p, x))
    assert_same(actual.a, expected.a)
    assert actual.b == expected.b
