"""dispatch: signatures, guards, captured values, threads and pickling."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import symdiff
from symdiff import pipeline
from symdiff.errors import NotDifferentiableError, TraceError


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


def test_those_used_longest_ago_are_let_go():
    function = symdiff.jit(lambda x: x + 1)
    function(np.ones(0))
    for n in range(1, 70):
        function(np.ones(n))
        if n % 10 == 0:
            function.lower(np.ones(0))  # looked up again: it stays
    assert function.cache_info() == (70, 64, 64)
    for n in (0, 69, 30):
        assert_same(function(np.ones(n)), np.full(n, 2.0))
    assert function.cache_info().misses == 70
    function(np.ones(1))  # was let go
    assert function.cache_info() == (71, 64, 64)


def test_variants_of_one_signature_are_bounded():
    a = 0.0
    function = symdiff.jit(lambda x: x * a)
    for i in range(20):
        a = float(i)
        assert function(2.0) == 2.0 * i
    assert function.cache_info() == (20, 64, 16)


def test_compiling_again_and_again_is_told_once():
    rate = 1.0
    total = symdiff.jit(lambda x, n: np.sum(x[:n]) if n > 0 else np.sum(x))
    scaled = symdiff.grad(lambda x: np.sum(x) * rate)
    for call in (lambda i: total(np.arange(60.0), np.array(i)), lambda i: scaled(1.0)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for i in range(60):
                rate = float(i)
                call(i)
        (told,) = caught
        assert told.category is symdiff.RecompilationWarning
        assert "was compiled 50 times" in str(told.message)
        assert told.filename == __file__


def test_caches_are_cleared_while_others_call():
    function = symdiff.jit(lambda x: x * 2)
    stop = threading.Event()

    def call_on():
        while not stop.is_set():
            assert function(3.0) == 6.0

    with ThreadPoolExecutor(2) as pool:
        calling = pool.submit(call_on)
        for _ in range(20):
            symdiff.clear_caches()
        stop.set()
        calling.result(60)
    symdiff.clear_caches()
    assert function.cache_info() == (0, 64, 0)


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


RESULTS = (
    lambda x: x,
    lambda x: (x, 2 * x),
    lambda x: {"b": x, "a": [2 * x, "text"]},
    lambda x: {(1, 2): x, "a": Pair(x, {"z": x, "c": None})},
)


@pytest.mark.parametrize("function", RESULTS, ids=["leaf", "tuple", "dict", "own"])
def test_the_first_result_is_as_all_others(function):
    jitted = symdiff.jit(function)
    first = jitted(1.5)
    assert first == jitted(1.5) == function(1.5)
    assert type(first) is type(function(1.5))


# ---------------------------------------------------------------------------- ints for floats


def triple(x, y, z):
    return x * y**2 * z


def without_describing(function):
    """Let calls fail that are described anew."""

    def fail(values):
        raise AssertionError(f"described again: {values}")

    function._dispatcher._describe = fail
    return function


def test_ints_take_the_wrapper_of_floats():
    gradient = symdiff.grad(triple, argnums=(0, 1, 2))
    expected = gradient(1.0, -3.0, 4.0)
    without_describing(gradient)
    for call in [(1, -3, 4), (1.0, -3, 4), (1, -3.0, 4.0), (1.0, -3.0, 4.0)]:
        result = gradient(*call)
        assert result == expected
        assert [type(each) for each in result] == [float] * 3
    assert gradient.cache_info().misses == 1


def test_ints_for_floats_in_trees():
    def value(p, more, x):
        return p.a * x + p.b["c"][0] * x + more["k"] ** 2

    gradient = symdiff.grad(value, argnums=(0, 1))
    first = gradient(Pair(1.0, {"c": [2.0]}), OrderedDict(k=3.0, a=1.0), 5.0)
    without_describing(gradient)
    again = gradient(Pair(1, {"c": [2]}), OrderedDict(k=3, a=1), 5.0)
    assert again == first == (Pair(5.0, {"c": [5.0]}), {"k": 6.0, "a": 0.0})
    assert type(again[0]) is Pair
    assert list(again[1]) == ["k", "a"]
    assert type(again[0].b["c"][0]) is float


def test_ints_beside_what_is_differentiated_keep_their_type():
    gradient = symdiff.grad(lambda x, n: x * n + n // 2)
    for n, expected in [(3.0, 3.0), (3, 3.0), (2**53 + 1, float(2**53 + 1)), (3.0, 3.0)]:
        assert_same(gradient(2, n), expected)
    assert gradient.cache_info().misses == 2


@pytest.mark.parametrize("huge", [2**53 + 1, -(2**63) - 1, 2**64, 10**300, 2**1023 + 1])
def test_huge_ints_are_rounded_once(huge):
    gradient, fresh = (symdiff.grad(lambda x: x * x) for _ in range(2))
    gradient(1.0)
    assert_same(gradient(huge), fresh(huge))


def test_ints_that_no_float_holds():
    gradient = symdiff.grad(lambda x: x * x)
    for x in (10**400, 1.0, 10**400):
        if x == 1.0:
            assert_same(gradient(x), 2.0)
            continue
        with pytest.raises(OverflowError, match="too large"):
            gradient(x)


def test_what_is_no_int_is_described():
    gradient = symdiff.grad(lambda x: x * x)
    for x in (2.0, np.float64(2), np.float32(2), 2, np.array(2.0), 2.0):
        result = gradient(x)
        assert type(result) is (float if isinstance(x, int) else type(x))
        assert result == 4
    for x in (True, np.int64(2), np.bool_(1), np.array(2)):
        with pytest.raises(NotDifferentiableError):
            gradient(x)


def test_int_tangents():
    def along(x_dot):
        return symdiff.jvp(lambda x: x * x, (3.0,), (x_dot,))

    assert along(2.0) == along(2) == along(2.0) == (9.0, 12.0)
    assert type(along(2)[1]) is float


def test_a_copy_takes_ints_for_floats():
    gradient = symdiff.grad(triple)
    gradient(1.0, 2.0, 3.0)
    found = copy(gradient)
    found(1.0, 2.0, 3.0)
    assert_same(without_describing(found)(1, 2.0, 3.0), 12.0)
    assert found.cache_info().misses == 0


# ---------------------------------------------------------------------------- threads


def at_once(*calls):
    """The results of calls that start at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(calls), timeout=60)

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result(60) for each in [pool.submit(run, call) for call in calls]]


@pytest.mark.parametrize("rounds", [1, 5])
def test_threads_that_call_the_same_function_first(rounds):
    for _ in range(rounds):
        gradient = symdiff.grad(lambda x: np.sum(np.sin(x)))
        arguments = [np.ones(1 + i % 4, [np.float64, np.float32][i % 8 // 4]) for i in range(8)]
        calls = [partial(gradient, each) for each in arguments * 2]
        for x, result in zip(arguments * 2, at_once(*calls), strict=True):
            assert_same(result, np.cos(x))
        assert gradient.cache_info().misses == 8
        assert gradient.cache_info().currsize == 8


def test_threads_that_call_different_functions_first():
    scales = [float(i) for i in range(1, 9)]
    functions = [symdiff.grad(lambda x, a=a: np.sum(x**2) * a) for a in scales]
    for n in (1, 2, 3):
        results = at_once(*(partial(each, np.ones(n)) for each in functions))
        for a, result in zip(scales, results, strict=True):
            assert_same(result, np.full(n, 2 * a))
    assert [each.cache_info().misses for each in functions] == [3] * 8


MEETING = """
import os, sys, threading
import symdiff

threading.importing, threading.compiling = threading.Event(), threading.Event()

def uses_the_module(x):
    threading.compiling.set()
    import compiles_when_imported
    return x * compiles_when_imported.SLOPE

def importer():
    import compiles_when_imported

found = []
threads = [
    threading.Thread(target=importer, daemon=True),
    threading.Thread(target=lambda: found.append(symdiff.grad(uses_the_module)(1.0)), daemon=True),
]
for thread in threads:
    thread.start()
    assert threading.importing.wait(60)
for thread in threads:
    thread.join(10)
print(found, flush=True)
os._exit(0)  # whether or not the threads wait for each other
"""
IMPORTED = """
import threading
import symdiff

threading.importing.set()
assert threading.compiling.wait(60)
SLOPE = float(symdiff.grad(lambda x: x * x)(3.0))
"""


def test_a_module_that_compiles_is_imported_where_another_thread_compiles(tmp_path):
    (tmp_path / "compiles_when_imported.py").write_text(IMPORTED)
    (tmp_path / "main.py").write_text(MEETING)
    run = subprocess.run(
        [sys.executable, tmp_path / "main.py"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[6.0]\n", run.stderr


def test_two_functions_that_call_each_other():
    for _ in range(10):

        @symdiff.jit
        def even(x, n):
            return x if n == 0 else odd(x * 2, n - 1)

        @symdiff.jit
        def odd(x, n):
            return even(x + 1, n - 1)

        x = np.ones(2)
        results = at_once(*(partial(f, x, n) for f, n in [(even, 2), (odd, 1), (even, 4)] * 2))
        for result, expected in zip(results, [3.0, 2.0, 7.0] * 2, strict=True):
            assert_same(result, np.full(2, expected))


def test_ints_that_decide_shapes_are_found_by_threads_at_once():
    function = symdiff.jit(lambda x, n: np.concatenate([x] * n))
    results = at_once(*(partial(function, np.ones(1), n) for n in [1, 2, 3, 4] * 2))
    assert [len(each) for each in results] == [1, 2, 3, 4] * 2
    assert function.cache_info().misses == 4


def test_methods_of_one_object_from_threads():
    class Model:
        @symdiff.grad
        def loss(self, x):
            return np.sum(x**2)

    model = Model()
    at_once(*(lambda: model.loss(np.ones(2)) for _ in range(8)))
    assert model.loss.cache_info().misses == 1


def test_compiled_code_runs_while_another_thread_compiles():
    tracing, go_on = threading.Event(), threading.Event()
    wait = np.vectorize(lambda: tracing.set() or go_on.wait(60), otypes=[bool])

    def slow(x):
        wait()
        return x * x

    gradient = symdiff.grad(lambda x: x**3)
    gradient(1.0)
    gradient(np.float64(1))
    with ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(symdiff.jit(slow), 3.0)
        assert tracing.wait(60)
        assert gradient(2.0) == gradient(np.float64(2)) == gradient(2) == 12
        assert gradient.cache_info().misses == 2
        assert not compiling.done()
        go_on.set()
        assert compiling.result(60) == 9


# JAX warns of every fork of a process in which another test has imported it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_another_thread_compiles():
    tracing, go_on = threading.Event(), threading.Event()
    wait = np.vectorize(lambda: tracing.set() or go_on.wait(60), otypes=[bool])

    def slow(x):
        wait()
        return x * x

    with ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(symdiff.jit(slow), 3.0)
        assert tracing.wait(60)
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os._exit(int(symdiff.grad(lambda x: x * x)(3.0)))
        status = os.waitpid(child, 0)[1]
        go_on.set()
        assert compiling.result(60) == 9
    assert os.waitstatus_to_exitcode(status) == 6


# ---------------------------------------------------------------------------- re-entrancy


def test_a_function_that_calls_its_own_gradient():
    @symdiff.grad
    def nested(x, depth):
        return x**4 if depth == 0 else nested(x, depth - 1) * x

    assert_same(nested(2.0, 0), 32.0)
    assert_same(nested(2.0, 1), 128.0)  # (4 x**4)' = 16 x**3
    assert_same(nested(2.0, 2), 512.0)


def test_a_function_that_is_called_while_it_is_compiled(monkeypatch):
    function = symdiff.jit(lambda x: x * 3)
    run, found = pipeline.steps, []

    def steps(request, given):
        yield from run(request, given)
        if not found:
            found.append(None)
            found[0] = function(np.ones(2)), function(2.0)

    monkeypatch.setattr(pipeline, "steps", steps)
    assert_same(function(np.ones(2)), np.full(2, 3.0))
    assert_same(found[0][0], np.full(2, 3.0))
    assert_same(found[0][1], 6.0)
    assert_same(function(np.ones(2)), np.full(2, 3.0))


def test_an_error_while_compiling_leaves_the_lock_free():
    fails = symdiff.jit(lambda x: undefined_name(x))  # noqa: F821
    for _ in range(2):
        with pytest.raises(NameError):
            fails(1.0)
    assert at_once(partial(symdiff.jit(lambda x: x + 1), 1.0)) == [2.0]


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


@symdiff.function
def kept(x):
    return np.sum(x**3)


def test_function_objects_are_pickled_by_name():
    assert copy(kept) is kept
    assert copy(symdiff.grad(kept))(2.0) == 12.0
    assert copy(Model(3.0).value).grad(2.0) == copy(Model(3.0).value)(2.0) == 12.0
    local = copy(symdiff.function(scaled, argnums=1))
    assert local.grad(2.0, 3.0) == 2.0


def scaled(x, a):
    return x * a


class Model:
    def __init__(self, a):
        self.a = a

    @symdiff.grad
    def loss(self, x):
        return self.a * x**2

    @symdiff.function
    def value(self, x):
        return self.a * x**2

    def plain(self, x):
        return self.a * x**2


def closure(a):
    return lambda x: a * x**2


PICKLED = {
    "method": lambda: Model(3.0).loss,
    "gradient of a method": lambda: symdiff.grad(Model(3.0).plain),
    "function object of a method": lambda: Model(3.0).value.grad,
    "another gradient of a method": lambda: symdiff.grad(Model(3.0).loss.function),
    "closure": lambda: symdiff.grad(closure(3.0)),
    "lambda": lambda: symdiff.grad(lambda x: 3.0 * x**2),
    "partial": lambda: symdiff.grad(partial(scaled, a=3.0)),
    "gradient of decorated": lambda: symdiff.grad(decorated),
    "hessian": lambda: symdiff.hessian(kept.fun),
    "jacobian of a lambda": lambda: symdiff.jacobian(lambda x: 3.0 * x**2),
}


@pytest.mark.parametrize("kind", PICKLED)
@pytest.mark.parametrize("duplicate", [copy, deepcopy])
def test_copies_give_the_same(kind, duplicate):
    function = PICKLED[kind]()
    expected = function(2.0)
    assert_same(duplicate(function)(2.0), expected)


def test_a_copied_object_has_its_own_gradient():
    model = Model(3.0)
    model.gradient = symdiff.grad(model.plain)
    assert model.gradient(1.0) == 6.0
    other = deepcopy(model)
    other.a = 5.0
    assert (other.gradient(1.0), other.loss(1.0), model.gradient(1.0)) == (10.0, 10.0, 6.0)
    assert deepcopy(decorated) is decorated
    assert deepcopy(kept) is kept


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
