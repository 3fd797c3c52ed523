"""Updates in place: never of what is read later, of an argument, or of a result."""

import tracemalloc
import warnings
from itertools import count

import numpy as np
import pytest

from symdiff import jit, value_and_grad
from symdiff.schedule import buffers, schedule
from tests.differential.as_python import check
from tests.test_plain_python import filling_what_was_made

N = 1 << 16  # half a megabyte of floats: large enough to be computed in place
HUGE = 1 << 14  # 128 KiB: every value takes the place of another


def chain(x, y):
    h = np.tanh(x * y)
    g = h * x + h
    return np.sum(g * h) + np.mean(np.maximum(g, 0))


def views(x, y):
    h = x * y
    top, rest = h[: h.size // 2], h[h.size // 2 :]
    return np.sum(top * rest[::-1]) + np.sum(h * h)


def scatter(x, y):
    return np.sum(x[1:] * y[:-1] - x[:-1] ** 2) + np.sum(x[::-1] * y)


def shared(x, y):
    a = x + y
    b = a * a
    c = a - b
    return np.sum(b / (1 + c * c)) + np.sum(a)


@pytest.mark.parametrize("function", [chain, views, scatter, shared])
@pytest.mark.parametrize(("reuse", "size"), [(False, N), (True, N), (False, HUGE)])
def test_the_numbers_are_those_of_small_arrays_code(function, reuse, size):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, size))
    kept = x.copy(), y.copy()
    value, (x_bar, y_bar) = value_and_grad(function, (0, 1), reuse=reuse)(x, y)
    np.testing.assert_array_equal((x, y), kept)
    assert value == function(x, y)
    x_dot, y_dot = rng.normal(size=(2, size))
    step = 1e-6
    ahead = function(x + step * x_dot, y + step * y_dot)
    behind = function(x - step * x_dot, y - step * y_dot)
    slope = np.sum(x_bar * x_dot) + np.sum(y_bar * y_dot)
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-5)
    again = value_and_grad(function, (0, 1), reuse=not reuse)(x, y)[1]
    np.testing.assert_allclose((x_bar, y_bar), again, rtol=1e-12, atol=1e-12)
    assert not np.shares_memory(x_bar, y_bar)


def test_reuse_allocates_less_and_frees():
    x, y = np.ones((2, N))
    lean = value_and_grad(chain, (0, 1), reuse=True)
    lean(x, y)
    assert "out=" in lean.source
    assert "*=" in lean.source
    plain = value_and_grad(chain, (0, 1))
    plain(np.ones(3), np.ones(3))
    assert "out=" not in plain.source
    assert "*=" not in plain.source


def test_huge_values_take_each_others_place():
    x, y = np.ones((2, HUGE))
    gradient = value_and_grad(chain, (0, 1))
    gradient(x, y)
    assert "out=" in gradient.source
    gradient(x[:-1], y[:-1])
    assert "out=" not in gradient.source


def test_a_part_of_a_result_is_computed_in_its_place():
    def f(x):
        return np.sum(x[1:] * np.tanh(x[:-1]))

    x = np.linspace(-1, 1, 5)
    gradient = value_and_grad(f, reuse=True)
    gradient(x)
    assert "out=x_bar[:-1])" in gradient.source or "out=x_bar[1:])" in gradient.source
    np.testing.assert_allclose(gradient(x)[1], value_and_grad(f)(x)[1], rtol=1e-15)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[0] ** 3 + np.sum(x[0:1] ** 2) + x[1] * x[2],
        lambda x: np.sum(x[:3] * x[3:]),
        lambda x: np.sum(x[::2] ** 2) + np.sum(x[1::2] ** 3),
        lambda x: np.sum(x[::2] ** 2) + np.sum(x[1::3] ** 3) + x[-1] ** 2,
        lambda x: np.sum(x.reshape(2, 3)[:, 0] * x.reshape(2, 3)[..., 1]),
        lambda x: np.prod([np.sum(x[i : i + 2]) for i in range(5)]),
    ],
    ids=count(),
)
def test_parts_of_an_array_that_overlap_add_up(function, reuse):
    x = np.linspace(0.5, 1.5, 6)
    bar = value_and_grad(function, reuse=reuse)(x)[1]
    steps = 1e-6 * np.eye(6)
    slopes = [(function(x + step) - function(x - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(bar, slopes, rtol=1e-7)


def in_place(x):
    return np.where(x > 0, np.exp(-x), x * x)


def read_by_what_is_chosen(x):
    h = x * x
    return np.where(h < 0.5, np.exp(h), h)


def read_later(x):
    h = x * x
    return np.where(x > 0, np.exp(h), h) * h


def of_an_argument(x):
    return np.where(x > 0, np.exp(-x), x)


def chosen_twice(x):
    h = np.sin(x)
    return np.where(x > 0, h, x) + np.where(x < 0.5, h, 1)


def read_by_a_mask(x):
    h = x * x
    return np.where(h > 0, np.sin(x), h) + (h > 1)


CHOICES = [
    in_place, read_by_what_is_chosen, read_later, of_an_argument, chosen_twice, read_by_a_mask
]  # fmt: skip


@pytest.mark.parametrize("function", CHOICES)
def test_choices_are_the_same_in_place(function):
    x = np.linspace(-2, 2, N)
    kept = x.copy()
    for f in (lambda x: np.sum(function(x) ** 2), lambda x: np.sum(function(x * x - 1.0) ** 2)):
        lean, plain = value_and_grad(f, reuse=True)(x), value_and_grad(f)(x)
        assert lean[0] == plain[0] == f(x)
        np.testing.assert_allclose(lean[1], plain[1], rtol=1e-14)
    np.testing.assert_array_equal(x, kept)


def test_what_is_chosen_is_computed_in_the_place_of_the_rest():
    chosen = jit(lambda x: np.sum(in_place(x)), reuse=True)
    chosen(np.ones(N))
    assert "np.exp(negative_1, out=multiply_1, where=greater_1)" in chosen.source


def test_a_softplus_takes_two_arrays():
    def loss(z):
        return np.sum(np.log(1 + np.exp(3 * z)))

    z = np.linspace(-5, 5, N)
    lean = value_and_grad(loss, reuse=True)
    lean(z)
    tracemalloc.start()
    value, z_bar = lean(z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.2 * z.nbytes
    assert value == pytest.approx(loss(z), rel=1e-14)
    np.testing.assert_allclose(z_bar, 3 / (1 + np.exp(-3 * z)), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_softplus_with_reuse_is_right_everywhere(dtype):
    top = 800 if dtype != np.float16 else 200
    z = np.array([-np.inf, -top, -40, -1, 0, 1, 10.99, 11, 11.01, 37, 79.9, 80, 81, top, np.inf])
    z = np.concatenate([z, [np.nan]]).astype(dtype)
    for each in z:
        many = np.full(N, each)  # large enough to be computed in place
        value = jit(lambda z: np.log(1 + np.exp(z)), reuse=True)(many)
        assert value.dtype == dtype
        with np.errstate(invalid="ignore"):
            expected = np.logaddexp(0, np.float64(each)).astype(dtype)
        np.testing.assert_allclose(value[0], expected, rtol=4 * np.finfo(dtype).eps)


def test_values_of_a_page_are_changed_where_an_operator_does_it():
    def f(x):
        return 3 * np.sin(x) + 2 * np.cos(x)

    x = np.linspace(0, 1, 512)  # 4 KiB
    compiled = jit(f)
    np.testing.assert_array_equal(compiled(x), f(x))
    assert "value = 3 * np.sin(x)\n    value += 2 * np.cos(x)\n" in compiled.source
    np.testing.assert_array_equal(compiled(x[:-1]), f(x[:-1]))
    assert "+=" not in compiled.source


def test_what_takes_the_place_of_a_value_is_called_what_it_becomes():
    def f(x, w):
        h = np.tanh(x * w + 1)
        return np.sum(h * h * x)

    gradient = value_and_grad(f)
    gradient(*np.ones((2, HUGE)))
    assert "h = x * w\n    h += 1\n    np.tanh(h, out=h)\n" in gradient.source


@pytest.mark.parametrize("huge", [1 << 30, 1])
def test_numbers_stay_the_same_however_early_arrays_change_in_place(monkeypatch, huge):
    monkeypatch.setattr(schedule, "LARGE", 1)
    monkeypatch.setattr(schedule, "FREED", 1)
    monkeypatch.setattr(buffers, "HUGE", huge)
    check(filling_what_was_made, (np.array([0.5, -0.9, 2.0, -0.3]), 1.5))


def test_a_division_in_place_does_not_warn(monkeypatch):
    monkeypatch.setattr(schedule, "LARGE", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradient = value_and_grad(lambda x: np.sum(np.sqrt(x)[:2] * np.sqrt(x)[1:]))
        gradient(np.zeros(3))
    assert "/=" in gradient.source
