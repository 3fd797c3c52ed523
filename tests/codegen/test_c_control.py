"""Loops and branches as calls of functions."""

import signal
import subprocess
import sys

import numpy as np
import pytest

import symdiff
from symdiff.codegen.c_control import branched, pointer_to, repeated
from symdiff.ir.types import array_type
from symdiff.schedule.loops import Branch, Buffer, Loops, Repeat

F8 = np.dtype(np.float64)
EMPTY = Loops((), (array_type(F8, (3,)),), (), (array_type(F8, (3,)),), 0, 1)
WORK = Buffer(np.dtype(np.uint8), 128, "work", 64)


def repeat(trips, **fields) -> str:
    start, own, other = (Buffer(F8, 3, "work", place) for place in (256, 320, 384))
    made = Repeat(EMPTY, None, trips, None, (2, -1, False), (), (start,), ((own, other),),
                  (), (), (), (), None, WORK)
    return "\n".join(repeated(made._replace(**fields), "p0", "p1"))


def test_buffers_are_arguments_or_places():
    assert pointer_to(Buffer(F8, 3, "in", 4)) == "in[4]"
    assert pointer_to(Buffer(np.dtype(bool), 3, "work", 64)) == "(_Bool *)(w + 64)"


def test_a_loop_of_known_length_ends_in_the_first_buffer():
    text = repeat(5)
    assert "t < 5" in text
    assert "r[0] = (5 - 1 - t) % 2 ? (void *)(double *)(w + 384) : " in text
    assert "index = 2 + at * (-1);" in text
    assert "memcpy" not in text


def test_a_loop_without_trips_gives_what_it_starts_with():
    assert "memcpy((double *)(w + 320), a[1], 24);" in repeat(0)


def test_rows_and_what_is_collected_are_found_by_the_trip():
    rows, stack = Buffer(F8, 20, "in", 1), Buffer(F8, 10, "out", 2)
    text = repeat(5, rows=(rows,), collected=(stack,), indices=(0, 1, True))
    assert "const int64_t at = 5 - 1 - t;" in text
    assert "a[2] = (const char *)in[1] + at * 32;" in text
    assert "r[1] = (char *)out[2] + at * 16;" in text


def test_a_loop_with_a_test_counts_its_trips():
    done = Buffer(np.dtype(np.int64), 1, "work", 512)
    text = repeat(None, test=EMPTY, done=done)
    assert "status = p1(q, answer, w + 64);" in text
    assert "*(int64_t *)(int64_t *)(w + 512) = trips;" in text


def test_a_branch_calls_one_of_two():
    taken, x, y = (Buffer(F8, 3, "in", i) for i in range(3))
    step = Branch(taken, (EMPTY, EMPTY), (x,), ((), (y,)), (y,), WORK)
    text = "\n".join(branched(step, "p0", "p1"))
    assert "status = *taken ? p0(a, r, w + 64) : p1(b, r, w + 64);" in text


# ---------------------------------------------------------------------------- run


def newton(a):
    x = a
    while np.sum(np.abs(x * x - a)) > 1e-12:
        x = 0.5 * (x + a / x)
    return np.sum(x)


def many_roots(a):
    total = 0.0
    for i in range(5):
        x = a + i
        while np.sum(np.abs(x * x - a - i)) > 1e-12:
            x = 0.5 * (x + (a + i) / x)
        total = total + np.sum(x**3)
    return total


def roots_in_loops(a):
    x, k = a, 0
    while k < 40:
        y = x + 1
        while np.sum(y) > 1:
            y = y * np.cos(x * y) / 2
        x, k = np.sin(x + 0.1 * y), k + 1
    return np.sum(x)


def root_or_not(a):
    return newton(a) * np.sum(a) if np.sum(a) > 3 else np.sum(a**2)


def counted(a):
    x, total = a, 0.0
    for i in range(6):
        for _ in range(i):
            x = np.sin(x) * a / 8
        total = total + np.sum(x)
    return total


def many_steps(a):
    x, k = a, 0
    while k < 5000:
        x, k = np.sin(x) + 0.001, k + 1
    return np.sum(x)


A = np.array([2.0, 3.0, 7.0])
OF_UNKNOWN_LENGTH = [newton, many_roots, roots_in_loops, root_or_not, counted, many_steps]


def both(transformation, function, *args, **options):
    expected = transformation(function)(*args)
    found = transformation(function, backend="c", **options)(*args)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-290)


@pytest.mark.parametrize("function", OF_UNKNOWN_LENGTH)
@pytest.mark.parametrize("a", [A, A / 10, np.array([0.5])])
def test_gradients_of_loops_of_unknown_length(function, a):
    both(symdiff.grad, function, a)


@pytest.mark.parametrize("function", OF_UNKNOWN_LENGTH[:-1])
def test_second_derivatives_of_loops_of_unknown_length(function):
    def curvature(a):
        return np.sum(symdiff.grad(function)(a) ** 2)

    both(symdiff.grad, curvature, A)


def test_a_list_of_none():
    both(symdiff.grad, newton, np.zeros(3))


def stepped(u):
    for _ in range(23):
        u = u + 0.1 * np.sin(np.roll(u, 1) * u)
    return np.sum(u**2)


def whole(u):
    return np.sum(symdiff.checkpoint(lambda v: np.tanh(np.sin(v) * v))(u) ** 2)


@pytest.mark.parametrize("bytes", [20, 30, 100])
def test_what_is_computed_again(bytes):
    u = np.linspace(0, 1, 20)
    both(symdiff.grad, stepped, u, max_memory=bytes * u.nbytes)


def test_what_is_computed_again_outside_of_loops():
    both(symdiff.grad, whole, A)


ENDLESS = """
import resource, numpy as np, symdiff
def f(x):
    while np.sum(x) > -1:
        x = np.sin(x)
    return np.sum(x)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600_000_000,) * 2)
try:
    symdiff.grad(f, backend="c")(np.ones(1000))
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much is used")
def test_what_is_kept_in_lists_does_not_fit(tmp_path):
    path = tmp_path / "endless.py"
    path.write_text(ENDLESS)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.stdout == "what loops keep for a derivative does not fit\n", done.stderr


def endless(x):
    k = 0
    while k >= 0:
        x, k = x * 0.5, k + 1
    return x


def long(x):
    for _ in range(1_000_000):
        for _ in range(1_000_000):
            x = x * 0.5
    return x


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("function", [endless, long])
def test_a_long_loop_is_interrupted(function):
    other = symdiff.grad(newton, backend="c")
    expected = other(A)

    def interrupt(*_):
        np.testing.assert_array_equal(other(A), expected)  # which has a work space of its own
        raise StoppedError

    before = signal.signal(signal.SIGALRM, interrupt)
    f = symdiff.jit(function, backend="c")
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        with pytest.raises(StoppedError):
            f(1.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(other(A), expected)
