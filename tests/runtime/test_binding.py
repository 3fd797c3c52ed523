"""Calls of compiled programs: what they take, what they give, what they refuse."""

import gc
import mmap
import sys
import threading
import tracemalloc
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import symdiff
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


def test_a_tree_of_another_class_is_another_signature():
    f = symdiff.value_and_grad(lambda p: np.sum(p[0] * p[1]), backend="c")
    x = np.arange(3.0)
    assert type(f(Point(x, 2.0))[1]) is Point
    assert type(f((x, 2.0))[1]) is tuple
    assert f(np.stack([x, x]))[0] == 5
    assert type(f(Point(x, 3))[1].y) is float


def test_another_table_is_read_anew():
    pandas = pytest.importorskip("pandas")
    f = symdiff.jit(lambda pair: np.sum(pair[0]["a"] * pair[1]), backend="c")
    for column in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]):
        table = pandas.DataFrame({"a": column})
        assert f((table, np.ones(2))) == sum(column)
    assert f.cache_info().misses == 1


# ---------------------------------------------------------------------------- memory

LARGE = 1 << 17  # elements: as many bytes as the pool takes


def address(array):
    return array.__array_interface__["data"][0]


@pytest.fixture
def pool():
    """What gives back the memory that is kept, and says how many bytes that were."""
    symdiff.jit(lambda x: x * 2, backend="c")(1.0)
    binding.extension().clear_memory()
    yield binding.extension().clear_memory
    binding.extension().clear_memory()


def test_the_memory_of_a_large_result_is_used_again(pool):
    f = symdiff.jit(lambda x: x * 2, backend="c")
    x = np.ones(LARGE)
    first = f(x)
    where = address(first)
    del first
    assert address(f(x)) == where
    assert pool() == x.nbytes


def test_memory_is_used_again_only_when_nothing_sees_it(pool):
    f = symdiff.jit(lambda x: (x * 2, x[::-1] + 1), backend="c")
    x = np.arange(float(LARGE))
    views = [f(x)[i][5:] for i in (0, 1)]
    own = f(x)[0].reshape(2, -1).T
    later = [f(x + i) for i in range(4)]
    np.testing.assert_array_equal(views[0], x[5:] * 2)
    np.testing.assert_array_equal(views[1], x[::-1][5:] + 1)
    np.testing.assert_array_equal(own.T.ravel(), x * 2)
    held = [x, views[0].base, views[1].base, own.base, *[each for pair in later for each in pair]]
    for i, one in enumerate(held):
        assert not any(np.shares_memory(one, each) for each in held[:i])


def test_large_results_are_arrays_as_any_other(pool):
    f = symdiff.jit(lambda x: x * 2, backend="c")
    x = np.arange(float(2 * LARGE)).reshape(2, LARGE)
    y = f(x)
    assert y.flags.owndata
    assert y.flags.writeable
    assert y.base is None
    y += 1
    y.resize((3, LARGE), refcheck=False)
    np.testing.assert_array_equal(y[:2], x * 2 + 1)
    y.resize(LARGE, refcheck=False)
    np.testing.assert_array_equal(y, x[0] * 2 + 1)
    del y
    np.testing.assert_array_equal(f(x), x * 2)
    np.testing.assert_array_equal(f(x[:1]), x[:1] * 2)


def test_small_results_and_what_others_allocate_are_not_kept(pool):
    f = symdiff.jit(lambda x: x * 2, backend="c")
    f(np.ones(LARGE - 1))
    assert not pool()
    f(np.ones(LARGE)).copy()
    assert pool() == 8 * LARGE


def test_what_is_kept_is_bounded(pool):
    f = symdiff.jit(lambda x: x * 2, backend="c")
    x = np.ones(16 * LARGE)
    held = [f(x) for _ in range(20)]
    del held
    assert pool() == 256 << 20
    many = [f(np.ones(LARGE)) for _ in range(100)]
    del many
    assert pool() == 64 * 8 * LARGE


def test_clear_caches_gives_memory_back(pool):
    f = symdiff.jit(lambda x: np.exp(x) @ np.exp(x.T), backend="c")
    f(np.ones((400, 400)))
    symdiff.clear_caches()
    assert not pool()
    np.testing.assert_allclose(f(np.zeros((400, 400))), 400)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs sizes of this process")
def test_clear_caches_gives_the_memory_of_lists_back():
    def f(x):
        k = 0
        while k < 3000:
            x, k = np.sin(x), k + 1
        return np.sum(x)

    g, x = symdiff.grad(f, backend="c"), np.linspace(0, 1, 9)
    sizes = []
    for _ in range(3):
        np.testing.assert_allclose(g(x), symdiff.grad(f)(x))
        symdiff.clear_caches()
        sizes.append(int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE)
    assert sizes[2] - sizes[0] < 1 << 24


def test_tracemalloc_sees_what_is_in_use(pool):
    f = symdiff.jit(lambda x: x * 2, backend="c")
    x = np.ones(LARGE)
    f(x)
    tracemalloc.start()
    try:
        kept = f(x)
        assert x.nbytes <= tracemalloc.get_traced_memory()[0] < 1.1 * x.nbytes
        del kept
        assert tracemalloc.get_traced_memory()[0] < 0.1 * x.nbytes
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------------------- entrance


def entered(function, *args, **options):
    """A function in C that was called once, so that calls go there without Python."""
    made = symdiff.jit(function, backend="c", **options)
    made(*args)
    assert type(type(made).__call__).__name__ == "Entrance"
    return made


def python_is_out(made, monkeypatch):
    """From now on calls that need Python fail."""
    monkeypatch.setattr(made._dispatcher, "recent", lambda values: pytest.fail("Python was asked"))


def test_arguments_are_given_in_every_way(monkeypatch):
    def f(a, /, b, c=3.0, *, d=4.0):
        return a + 10 * b + 100 * c + 1000 * d

    g = symdiff.jit(f, backend="c")
    for _ in range(2):
        assert g(1.0, 2.0) == f(1.0, 2.0)
        assert g(1.0, b=2.0, d=5.0) == f(1.0, 2.0, d=5.0)

    def plain(a, b, c=3.0, e=2.0):
        return a + 10 * b + 100 * c + 1000 * e

    g = entered(plain, 1.0, 2.0)
    with monkeypatch.context() as patch:
        python_is_out(g, patch)
        assert g(1.0, 2.0) == plain(1.0, 2.0)
        assert g(1.0, b=2.0) == plain(1.0, 2.0)
        assert g(e=7.0, b=2.0, a=5.0) == plain(5.0, 2.0, e=7.0)
        assert g(*(1.0, 2.0), **{"".join(("c",)): 8.0}) == plain(1.0, 2.0, 8.0)
    for args, given in (((), {}), ((1.0,), {}), ((1.0, 2.0), {"a": 1.0}), ((1.0,) * 5, {}),
                        ((1.0, 2.0), {"f": 1.0})):
        with pytest.raises(TypeError, match=r"plain\(\)"):
            g(*args, **given)


def test_arguments_by_position_only_have_no_name():
    def f(a, b=2.0, /):
        return a * b

    g = entered(f, 3.0)
    assert g(4.0) == 8
    with pytest.raises(TypeError, match="positional-only"):
        g(a=4.0)


def test_more_arguments_than_usual():
    names = ", ".join(f"x{i}" for i in range(40))
    namespace: dict = {}
    exec(f"def f({names}, last=1.0): return x0 + 2 * x39 + last", namespace)
    f = symdiff.jit(namespace["f"], backend="c")
    args = [float(i) for i in range(40)]
    for _ in range(2):
        assert f(*args) == 79
        assert f(*args, 2.0) == 80
        assert f(*args, last=3.0) == 81


def test_inside_a_trace_it_is_traced(monkeypatch):
    f = entered(lambda x, k=2.0: x * x * k, 3.0)
    assert symdiff.grad(lambda x: f(x) + f(5.0, k=x))(3.0) == 37
    python_is_out(f, monkeypatch)
    assert f(3.0) == 18


scale, weights, settings = 2.0, np.array([1.0, 2.0]), {"shift": 1.0}


def test_what_the_function_reached_is_read_again(monkeypatch):
    offset = 1.0

    def f(x):
        return x * scale + weights[1] * settings["shift"] + offset

    f = entered(f, 1.0)
    with monkeypatch.context() as patch:
        python_is_out(f, patch)
        assert f(1.0) == 5
        weights[1] = 3.0
        assert f(1.0) == 6
        patch.setitem(f.__wrapped__.__globals__, "weights", np.array([0.0, 5.0]))
        assert f(1.0) == 8
    weights[1] = 2.0
    assert f(1.0) == 5
    monkeypatch.setitem(settings, "shift", 2.0)
    assert f(1.0) == 7
    monkeypatch.setitem(f.__wrapped__.__globals__, "scale", 3.0)
    assert f(1.0) == 8
    monkeypatch.setitem(f.__wrapped__.__globals__, "weights", np.array([1.0, 2.0, 3.0]))
    assert f(1.0) == 8
    offset = 5.0
    assert f(1.0) == 12
    monkeypatch.delitem(settings, "shift")
    with pytest.raises(KeyError):
        f(1.0)


def test_values_equal_to_those_reached_will_do(monkeypatch):
    f = entered(lambda x: x * scale, 1.0)
    monkeypatch.setitem(f.__wrapped__.__globals__, "scale", float("2"))
    python_is_out(f, monkeypatch)
    assert f(3.0) == 6


def test_an_error_while_reading_is_the_users():
    class Model:
        def __init__(self):
            self.fails = False

        @property
        def w(self):
            if self.fails:
                raise ZeroDivisionError("the user's")
            return 2.0

    model = Model()
    f = symdiff.jit(lambda x: x * model.w, backend="c")
    for _ in range(2):
        assert f(3.0) == 6
    model.fails = True
    with pytest.raises(ZeroDivisionError, match="the user's"):
        f(3.0)


def test_new_code_is_compiled_anew():
    def f(x):
        return x * 2

    g = entered(f, 1.0)
    f.__code__ = (lambda x: x * 3).__code__
    assert g(1.0) == 3


def test_methods_have_an_entrance_each():
    class Model:
        def __init__(self, w):
            self.w = w

        @symdiff.value_and_grad(backend="c")
        def loss(self, x):
            return np.sum(self.w * x)

    one, two = Model(np.ones(3)), Model(np.full(3, 2.0))
    x = np.arange(3.0)
    for _ in range(2):
        assert one.loss(x)[0] == 3
        assert two.loss(x)[0] == 6
    one.w = np.zeros(3)
    assert one.loss(x)[0] == 0


def test_signatures_in_turn():
    f = symdiff.jit(lambda x: x * 2, backend="c")
    inputs = [np.ones(2), 3.0, np.ones(2, np.float32), np.float32(4), np.ones((2, 2)), 5]
    for _ in range(3):
        for each in inputs:
            found = f(each)
            assert type(found) is type(each * 2)
            np.testing.assert_array_equal(found, each * 2)
    assert f.cache_info().misses == len(inputs)


def test_after_caches_are_cleared_it_is_compiled_again():
    f = entered(lambda x: x * 2, 1.0)
    symdiff.clear_caches()
    assert not f.was_compiled
    assert f(4.0) == 8
    assert f.cache_info().misses == 1


def test_threads_share_an_entrance():
    f = symdiff.jit(lambda x, k: x * k + scale, backend="c")
    inputs = [np.ones(3), 2.0, np.ones((2, 2)), np.float32(3)]
    wrong = []

    def run(first):
        for i in range(400):
            x = inputs[(first + i) % 4]
            if not np.array_equal(f(x, k=2.0), x * 2 + 2):
                wrong.append(x)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong


def test_an_entrance_leaks_nothing():
    array = np.ones((20, 30))
    f = symdiff.jit(lambda x, k=1.0: x * k + array[0] * scale, backend="c")
    f(array)
    watched = array, MISS, f, scale
    before = [sys.getrefcount(each) for each in watched]
    blocks = sys.getallocatedblocks()
    for _ in range(300):
        f(array)
        f(x=array, k=2.0)
    assert [sys.getrefcount(each) for each in watched] == before
    assert abs(sys.getallocatedblocks() - blocks) < 100
