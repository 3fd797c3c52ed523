"""backend="auto": NumPy answers first, C takes over, and nothing breaks meanwhile."""

import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import symdiff
from symdiff.api import background, native
from symdiff.errors import TraceError
from symdiff.runtime import compiler

ROSENBROCK = """\
import numpy as np, symdiff

@symdiff.value_and_grad(backend="auto")
def f(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

x = np.linspace(-1, 1, 10)
expected = f(x)
"""


def loss(x, w):
    return np.sum(np.tanh(x * w) ** 2)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))


@pytest.fixture
def at_once(monkeypatch):
    """C is prepared at the first call, and looked for at each later one."""
    monkeypatch.setattr(background, "_WORTH", 0.0)
    monkeypatch.setattr(background, "_PAUSE", 0.0)


def run(script):
    """Standard output of a process in which warnings are errors."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", ROSENBROCK + script],
                          capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_c_takes_over_when_it_is_waited_for():
    f = symdiff.value_and_grad(loss, argnums=(0, 1), backend="auto")
    args = np.arange(5.0), np.ones(5)
    expected = f(*args)
    assert not f.compiled.c_source
    assert f.wait()
    assert f.compiled.c_source
    found = f(*args)
    assert found[0] == pytest.approx(expected[0])
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other)
    assert f(np.ones(3), np.ones(3))[0] > 0
    assert not f.compiled.c_source  # another signature
    assert f.wait()
    assert f.wait()


@pytest.mark.usefixtures("own_cache", "at_once")
def test_c_takes_over_by_itself():
    f = symdiff.grad(loss, backend="auto")
    x, w = np.arange(7.0), np.linspace(1, 2, 7)
    expected = f(x, w)
    deadline = time.monotonic() + 60
    while not f.compiled.c_source and time.monotonic() < deadline:
        np.testing.assert_allclose(f(x, w), expected, rtol=1e-12)
    assert f.compiled.c_source
    np.testing.assert_allclose(f(x, w), expected, rtol=1e-12)
    assert type(f.compiled.function).__name__ == "Bound"
    assert f._dispatcher.fast is f._dispatcher.last.call  # nothing is left in between


@pytest.mark.usefixtures("at_once")
def test_what_an_earlier_process_has_compiled_is_there_at_once():
    symdiff.grad(loss, backend="c")(np.ones(9), np.ones(9))
    f = symdiff.grad(loss, backend="auto")
    f(np.ones(9), np.ones(9))
    assert f.compiled.c_source


def test_few_cheap_calls_do_not_start_anything(monkeypatch):
    monkeypatch.setattr(native, "program_of", lambda work: pytest.fail("C is written"))
    f = symdiff.grad(loss, backend="auto")
    for _ in range(5):
        f(np.ones(3), np.ones(3))
    assert "symdiff_binding" not in repr(f.compiled.function)


@pytest.mark.usefixtures("at_once")
def test_it_is_numpy_where_there_is_no_c_form():
    f = symdiff.value_and_grad(lambda x: np.sum(np.unwrap(x) * x), backend="auto")
    x = np.array([3.0, 1.0, 2.0])
    for _ in range(3):
        value, gradient = f(x)
        assert value == 14
        np.testing.assert_allclose(gradient, symdiff.grad(f.function)(x))
    assert not f.wait()
    assert not isinstance(f.compiled.function, background.Warming)


@pytest.mark.usefixtures("own_cache", "at_once")
@pytest.mark.parametrize("cc", ["no-such-compiler", "false", "true"])
def test_without_a_compiler_that_works_it_is_numpy(monkeypatch, cc):
    monkeypatch.setenv("CC", cc)
    f = symdiff.grad(loss, backend="auto")
    for _ in range(3):
        np.testing.assert_allclose(f(np.zeros(4), np.ones(4)), np.zeros(4))
    assert not f.wait()
    np.testing.assert_allclose(f(np.zeros(4), np.ones(4)), np.zeros(4))


@pytest.mark.usefixtures("at_once")
def test_a_fault_in_the_background_is_not_the_callers(monkeypatch):
    def fails(work):
        raise KeyError("a fault of ours")

    monkeypatch.setattr(native, "program_of", fails)
    f = symdiff.grad(loss, backend="auto")
    for _ in range(3):
        np.testing.assert_allclose(f(np.zeros(4), np.ones(4)), np.zeros(4))
    assert not f.wait()


@pytest.mark.usefixtures("at_once")
def test_an_interruption_passes_and_c_comes_later(monkeypatch):
    with monkeypatch.context() as patch:
        def interrupted(work):
            raise KeyboardInterrupt

        patch.setattr(native, "program_of", interrupted)
        f = symdiff.grad(loss, backend="auto")
        with pytest.raises(KeyboardInterrupt):
            f(np.zeros(4), np.ones(4))
    np.testing.assert_allclose(f(np.zeros(4), np.ones(4)), np.zeros(4))
    assert f.wait()


def test_waiting_needs_a_call_only_for_a_reason():
    assert not symdiff.grad(loss).wait()
    assert symdiff.grad(loss, backend="c").wait()
    f = symdiff.grad(loss, backend="auto")
    f.lower(np.ones(3), np.ones(3))
    assert f.wait()


def test_captured_arrays_are_read_at_each_call():
    data = np.arange(4.0)
    f = symdiff.grad(lambda x: np.sum(x * data), backend="auto")
    f(np.ones(4))
    assert f.wait()
    data[0] = 7
    np.testing.assert_array_equal(f(np.ones(4)), [7, 1, 2, 3])


@pytest.mark.usefixtures("own_cache", "at_once")
def test_threads_call_while_it_is_prepared():
    f = symdiff.value_and_grad(loss, backend="auto")
    inputs = [np.linspace(0, i, 50) for i in range(1, 9)]
    expected = [loss(x, x) for x in inputs]
    wrong = []

    def call(i):
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            value, _ = f(inputs[i], inputs[i])
            if abs(value - expected[i]) > 1e-9:
                wrong.append(value)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for each in threads:
        each.start()
    assert f.wait() or not f.was_compiled
    for each in threads:
        each.join()
    assert not wrong
    assert f.wait()


def test_what_is_pickled_meanwhile_computes_elsewhere():
    f = symdiff.grad(loss, backend="auto")
    x = np.arange(3.0)
    expected = f(x, x)
    copy = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(copy(x, x), expected)
    copy.wait()
    np.testing.assert_allclose(copy(x, x), expected)


@pytest.mark.usefixtures("own_cache")
def test_a_program_may_end_meanwhile():
    script = (
        "from symdiff.api import background\n"
        "from symdiff.runtime import compiler\n"
        "background._WORTH = 0\n"
        "f(x)\n"
        "print(len(compiler._running))\n"
    )
    assert run(script.replace("f(x)\n", "symdiff.clear_caches(); f(x)\n")) == "1\n"


@pytest.mark.usefixtures("own_cache")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_runs_in_numpy_or_c_whatever_its_parent_is_doing():
    script = (
        "import os, sys\n"
        "from symdiff.api import background\n"
        "background._WORTH = background._PAUSE = 0\n"
        "symdiff.clear_caches()\n"
        "f(x)\n"  # the compiler runs
        "child = os.fork()\n"
        "assert all(np.allclose(a, b) for a, b in zip(f(x), expected))\n"
        "assert f.wait()\n"
        "assert all(np.allclose(a, b) for a, b in zip(f(x), expected))\n"
        "if not child:\n"
        "    sys.exit(7)\n"
        "_, status = os.waitpid(child, 0)\n"
        "print(os.waitstatus_to_exitcode(status))\n"
    )
    assert run(script) == "7\n"


def test_the_first_call_costs_what_it_costs_in_numpy():
    script = (
        "import sys\n"
        "names = ('native', 'compiler', 'binding', 'c_source', 'c_kernel', 'lower')\n"
        "print([each for each in sys.modules if each.startswith('symdiff.')\n"
        "       and each.rpartition('.')[2] in names])\n"
    )
    assert run(script) == "[]\n"


def test_inside_another_trace_it_is_part_of_it():
    f = symdiff.jit(lambda x: np.sum(np.sin(x)), backend="auto")
    np.testing.assert_allclose(symdiff.grad(f)(np.arange(3.0)), np.cos(np.arange(3.0)))
    with pytest.raises(TraceError, match="was not called yet"):
        f.compiled  # noqa: B018
    assert not compiler._running
