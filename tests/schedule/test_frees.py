"""`del` where it lowers the peak, and only there."""

import functools
import tracemalloc

import numpy as np
import pytest

from symdiff import grad, jit

LARGE = 1 << 13  # 64 KiB of floats: worth a `del`, but not worth the place of another value


def test_a_large_value_goes_before_the_next_one_comes():
    def f(x):
        a = np.exp(x)
        total = np.sum(a)
        b = np.sin(x)
        return total + np.sum(b * b)

    compiled = jit(f)
    compiled(np.ones(LARGE))
    lines = compiled.source.splitlines()
    assert lines.index("    del a") < lines.index("    b = np.sin(x)")
    compiled(np.ones(8))
    assert "del" not in compiled.source


def test_a_name_bound_again_needs_no_del():
    def f(x):
        for _ in range(5):
            x = np.sin(x) + np.cos(x)
        return np.sum(x)

    compiled = jit(f)
    compiled(np.ones(LARGE))
    assert "del" not in compiled.source


@pytest.mark.parametrize("rolled", [False, True])
def test_the_activations_of_a_deep_network_go_as_its_gradients_come(rolled):
    # in no order that a loop could follow
    turns = [each < 0.5 for each in np.random.default_rng(1).random(60).tolist()]

    def layer(h, step):
        W, turn = step
        return np.tanh(h @ (W if rolled or turn else W.T))

    def f(weights, x):
        h = functools.reduce(layer, zip(weights, turns, strict=True), x)
        return np.sum(h * h)

    weights, x = [np.eye(64) for _ in range(60)], np.ones((64, 64))
    gradient = grad(f)
    gradient(weights, x)
    tracemalloc.start()
    gradient(weights, x)
    peak = tracemalloc.get_traced_memory()[1] / x.nbytes
    tracemalloc.stop()
    assert peak < 70  # 60 activations are alive at once; their gradients are as many
    deletions = [line for line in gradient.source.splitlines() if "    del " in line]
    assert rolled or 0 < len(deletions) < 30


def test_a_name_that_a_copy_takes_again_stays():
    def heat(u):
        u = u.copy()
        for _ in range(40):
            k = 0.1 / (1 + u[1:-1, 1:-1] ** 2)
            u[1:-1, 1:-1] += k * (u[2:, 1:-1] + u[:-2, 1:-1] - 2 * u[1:-1, 1:-1])
        return np.sum(u * u)

    u = np.random.default_rng(0).normal(size=(200, 200))
    limited = grad(heat, max_memory=20e6)
    np.testing.assert_array_equal(limited(u), grad(heat)(u))
    assert "del u" not in limited.source
