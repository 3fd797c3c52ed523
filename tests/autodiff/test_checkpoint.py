"""Loops that keep some states only: the same derivatives, within a bound."""

import math
import re

import numpy as np
import pytest

import symdiff as sd
from symdiff.autodiff.checkpoint import Kept, Plan, least, plan, residual_bytes

RNG = np.random.default_rng(0)
X, W, ROWS = RNG.normal(size=8), RNG.normal(size=(8, 8)) / 3, RNG.normal(size=(37, 8))


def network(x, W):
    for _ in range(50):
        x = np.tanh(W @ x) * np.sin(x)
    return np.sum(x * x)


def by_index(x, W):
    y = x.copy()
    for i in range(3, 64, 2):
        y[1:-1] += 0.1 * np.sin(y[2:] * y[:-2] + 0.01 * i) * W[i % 8, 1:-1]
    return np.sum(y * y)


def of_rows(x, W):
    def step(h, row):
        h = np.tanh(h * row + x)
        return h, (h[:3] * row[:3], np.sum(h))

    h, (ys, sums) = sd.scan(step, x, ROWS)
    return np.sum(h * h) + np.sum(ys**3) + np.sum(np.sin(sums) * np.arange(37))


def backwards(x, W):
    h, ys = sd.scan(lambda h, row: (np.sin(h + row @ W), h), x, ROWS, reverse=True)
    return np.sum(h) + np.sum(ys * ROWS)


def decides(x, W):
    total = 0.0
    for i in range(30):
        x = np.sin(x) + W[0] if x[i % 8] > 0 else x * x * 0.5
        total += x[0] * i
    return total


def two_loops(x, W):
    for _ in range(20):
        x = np.sin(x)
    y = np.exp(x)
    for _ in range(33):
        y = np.tanh(y @ W) + x
    return np.sum(y)


def nested(x, W):
    for _ in range(12):
        for i in range(5):
            x = np.sin(x) + W[i]
    return np.sum(x * x)


def of_numbers(x, W):
    a, b = 1.0, np.sum(x)
    for i in range(40):
        a, b = b * 0.5, math.sin(a) + b * b * 0.01 + i * 1e-3
    return a * b


PROGRAMS = [network, by_index, of_rows, backwards, decides, two_loops, nested, of_numbers]


def bounds(function):
    """Bounds within which more and more is computed again."""
    gradient = sd.value_and_grad(function, (0, 1), max_memory=1e9)
    gradient(X, W)
    lines = [re.search(r"(\d+) trips of ([\d.]+) (k?B), all kept", said)
             for _, said in gradient.compiled.work.kept]  # fmt: skip
    whole = sum(int(x[1]) * float(x[2]) * {"B": 1, "kB": 1000}[x[3]] for x in lines)
    gradient = sd.value_and_grad(function, (0, 1))
    return gradient, [whole * 1.01, whole * 0.55, whole * 0.35]


@pytest.mark.parametrize("function", PROGRAMS)
def test_derivatives_have_the_same_bits(function):
    gradient, limits = bounds(function)
    value, bars = gradient(X, W)
    for bound in limits:
        limited = sd.value_and_grad(function, (0, 1), max_memory=bound)
        same, others = limited(X, W)
        assert same == value
        for one, other in zip(others, bars, strict=True):
            np.testing.assert_array_equal(one, other)
        assert ("; kept" in str(limited.compiled.work.kept)) == (bound < limits[0])
        _, pullback = sd.vjp(function, X, W, max_memory=bound)
        for one, other in zip(pullback(1.0), bars, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("function", [by_index, of_rows, backwards, decides])
def test_second_derivatives(function):
    _, limits = bounds(function)
    v = np.linspace(-1, 1, 8)
    plain, limited = sd.grad(function), sd.grad(function, max_memory=limits[1])
    expected = sd.grad(lambda x: np.sum(v * plain(x, W)))(X)
    np.testing.assert_allclose(
        sd.grad(lambda x: np.sum(v * limited(x, W)))(X), expected, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(
        sd.jvp(lambda x: limited(x, W), (X,), (v,))[1], expected, rtol=1e-10, atol=1e-12
    )
    rows = np.stack([X, -X, X / 2])
    np.testing.assert_allclose(
        sd.vmap(limited, (0, None))(rows, W), [plain(row, W) for row in rows], rtol=1e-10
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("trips", [1, 2, 3, 5, 16, 41])
def test_any_number_of_trips(trips, reverse):
    rows = RNG.normal(size=(trips, 8))

    def loss(x, W):
        def step(state, row):
            h, k = state
            h = np.tanh(h * row + W[1]) * np.sin(h + k)
            return (h, k + 1), h * row

        (h, _), ys = sd.scan(step, (x, 0), rows, reverse=reverse)
        return np.sum(h * h) + np.sum(ys**3 * np.arange(trips)[:, None])

    expected = sd.grad(loss, (0, 1))(X, W)
    for share in (0.9, 0.6, 0.4, 0.25):
        try:
            found = sd.grad(loss, (0, 1), max_memory=share * trips * 4 * 64)(X, W)
        except sd.MemoryLimitError:
            assert share < 0.7 or trips < 5
            continue
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)


def test_a_bound_is_kept():
    """What is collected at a time, counted in the program that comes of it."""
    for bound in (3000, 2000, 1500, 1000):
        gradient = sd.grad(network, max_memory=bound)
        gradient(X, W)
        assert residual_bytes(gradient.compiled.work.graph) <= bound


def test_second_derivatives_agree_with_differences():
    limited, step = sd.grad(network, max_memory=1500), 1e-6
    v = np.linspace(-1, 1, 8)
    slope = (limited(X + step * v, W) - limited(X - step * v, W)) / (2 * step)
    product = sd.jvp(lambda x: limited(x, W), (X,), (v,))[1]
    np.testing.assert_allclose(product, slope, rtol=1e-6, atol=1e-9)


def test_draws_are_not_repeated():
    rng = np.random.default_rng(3)

    def loss(x):
        noise = rng.normal(size=(40, 8))
        for i in range(40):
            x = np.sin(x + noise[i]) * x
        return np.sum(x)

    found = sd.grad(loss, max_memory=1000)(X)
    after = rng.normal()
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(found, sd.grad(loss)(X))
    assert after == rng.normal()


def test_a_bound_that_is_too_small_says_which_is_not():
    with pytest.raises(sd.MemoryLimitError, match="keeps at least") as raised:
        sd.grad(network, max_memory=100)(X, W)
    smallest = int(str(raised.value).split("at least ")[1].split()[0])
    assert "test_checkpoint.py" in str(raised.value)
    expected = sd.grad(network)(X, W)
    np.testing.assert_array_equal(sd.grad(network, max_memory=smallest)(X, W), expected)
    with pytest.raises(sd.MemoryLimitError):
        sd.grad(network, max_memory=smallest - 8)(X, W)


def test_loops_of_unknown_length_are_refused():
    def loss(x):
        while np.sum(x * x) > 0.1:
            x = x * np.cos(x) * 0.5
        return np.sum(x)

    with pytest.raises(sd.MemoryLimitError, match=r"symdiff\.checkpoint"):
        sd.grad(loss, max_memory=1e6)(X)


def test_an_argument_that_counts_trips_is_known():
    def loss(x, steps):
        for _ in range(steps):
            x = np.sin(x) * x
        return np.sum(x)

    limited = sd.grad(loss, max_memory=1000)
    for steps in (30, 40, 30):
        np.testing.assert_array_equal(limited(X, steps), sd.grad(loss)(X, steps))
    assert limited.static_arguments == {"steps"}
    assert limited.cache_info().misses == 2


def test_rows_that_are_differentiated():
    def layers(h, weights):
        for W in weights:
            h = np.tanh(W @ h) * np.sin(h)
        return np.sum(h)

    weights = RNG.normal(size=(20, 8, 8)) / 3
    expected = sd.grad(layers, (0, 1))(X, weights)
    limited = sd.grad(layers, (0, 1), max_memory=1800)
    for one, other in zip(limited(X, weights), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "; kept" in limited.compiled.work.kept[0][1]


@pytest.mark.parametrize("bound", ["1 GB", -1, float("nan")])
def test_what_is_no_number_of_bytes_is_refused(bound):
    with pytest.raises(ValueError, match="number of bytes"):
        sd.grad(network, max_memory=bound)


def test_linear_loops_need_nothing():
    def loss(u):
        for _ in range(30):
            u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        return np.sum(u * u)

    gradient = sd.grad(loss, max_memory=0)
    np.testing.assert_array_equal(gradient(X), sd.grad(loss)(X))
    assert gradient.compiled.work.kept == ()


# ---------------------------------------------------------------------------- plans


def peak(found: Plan, kept: Kept) -> float:
    """What is kept at the most: the rest is done with before the segments are gone through."""
    inside = 0 if found.each is None else peak(found.each, kept)
    return found.segments * kept.state + max(found.rest * kept.trip, inside)


def visited(found: Plan) -> list[int]:
    """How often each trip is computed, and a check that segments are of equal trips."""
    if found.each is None:
        return [1] * found.trips
    again = [times + 1 for times in visited(found.each)] * found.segments
    return [*again, *[1] * found.rest]


@pytest.mark.parametrize("trips", [2, 3, 4, 5, 7, 10, 99, 100, 101, 1000, 12345])
@pytest.mark.parametrize("kept", [Kept(1, 1), Kept(10, 1), Kept(1, 10), Kept(8, 0)])
def test_plans(trips, kept):
    smallest = least(trips, kept)
    for share in (0, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.99):
        bound = smallest + share * (trips * kept.trip - smallest)
        found = plan(trips, kept, bound * (1 + 1e-12))
        assert found is not None
        assert len(visited(found)) == found.trips == trips
        assert peak(found, kept) <= bound * (1 + 1e-9)
    assert plan(trips, kept, trips * kept.trip) == Plan(trips)
    assert plan(trips, kept, smallest * 0.99 - 0.01) is None


def test_twice_the_work_is_enough_for_the_square_root_of_the_memory():
    found = plan(10000, Kept(1, 1), 200)
    assert found is not None
    assert max(visited(found)) == 2
    assert peak(found, Kept(1, 1)) <= 200


def test_the_more_memory_the_less_is_computed_again():
    work = [sum(visited(plan(1000, Kept(1, 1), bound))) for bound in (30, 65, 100, 300, 900, 1000)]
    assert work == sorted(work, reverse=True)
    assert work[-1] == 1000
    assert work[-2] < 1120
