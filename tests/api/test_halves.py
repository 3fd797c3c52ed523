"""vjp and linearize: once at the primals, then along any number of directions."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

from symdiff import jit, linearize, vjp
from symdiff.api.products import _halves
from symdiff.pipeline import VJP


def f(x, params):
    return {"y": np.tanh(x @ params["W"]), "n": np.sum(x)}


X, PARAMS = np.arange(6.0).reshape(2, 3) / 7, {"W": np.ones((3, 2))}


def test_many_directions_for_one_forward_pass():
    y, pullback = vjp(f, X, PARAMS)
    np.testing.assert_array_equal(y["y"], f(X, PARAMS)["y"])
    first = pullback({"y": np.ones((2, 2)), "n": 0.0})
    again = pullback({"y": 2 * np.ones((2, 2)), "n": 0.0})
    np.testing.assert_allclose(again[0], 2 * first[0])
    np.testing.assert_allclose(again[1]["W"], 2 * first[1]["W"])


def test_residuals_are_not_the_callers_arrays():
    x = X.copy()
    _, pullback = vjp(lambda x: x * x, x)
    x[:] = 0
    np.testing.assert_array_equal(pullback(np.ones((2, 3)))[0], 2 * X)


def test_linear_function():
    y, push = linearize(f, X, PARAMS)
    tangent = push(np.ones((2, 3)), {"W": np.zeros((3, 2))})
    assert tangent["n"] == 6
    step = 1e-6
    ahead = f(X + step, PARAMS)["y"]
    np.testing.assert_allclose(tangent["y"], (ahead - y["y"]) / step, rtol=1e-4, atol=1e-6)


def test_a_linear_function_of_several_arguments_needs_nothing_later():
    y, pullback = vjp(lambda x, y: x + 2 * y, X, X)
    np.testing.assert_array_equal(y, 3 * X)
    np.testing.assert_array_equal(pullback(X), (X, 2 * X))


def test_inside_a_trace():
    def g(x):
        y, pullback = vjp(np.sin, x)
        return pullback(y)[0]

    np.testing.assert_allclose(jit(g)(X), np.cos(X) * np.sin(X))


def again(value):
    return pickle.loads(pickle.dumps(value))


BAR = {"y": np.ones((2, 2)), "n": 0.5}


@pytest.mark.parametrize("duplicate", [again, copy.deepcopy])
def test_a_pullback_is_copied_with_what_it_needs(duplicate):
    W = np.full((3, 2), 0.1)
    _, pullback = vjp(lambda x: np.tanh(x @ W) * CONSTANT, X)
    bar = np.ones((2, 2))
    (expected,) = pullback(bar)
    copied = duplicate(pullback)
    W[:] = 0
    (actual,) = copied(bar)
    np.testing.assert_array_equal(actual, expected, strict=True)
    with pytest.raises(TypeError, match="the pullback takes one cotangent, not 2"):
        copied(bar, bar)
    with pytest.raises(TypeError, match="the cotangent has the tree"):
        copied((bar,))


CONSTANT = np.array([2.0, 3.0])


def test_a_push_function_is_copied_with_what_it_needs():
    _, push = linearize(f, X, PARAMS)
    direction = np.ones((2, 3)), {"W": np.ones((3, 2))}
    expected, actual = push(*direction), again(push)(*direction)
    for key, each in expected.items():
        np.testing.assert_array_equal(actual[key], each, strict=True)
    with pytest.raises(TypeError, match="the tangents have the tree"):
        again(push)(np.ones((2, 3)))


def apply(function, *args):
    return function(*args)


def test_pullbacks_in_a_spawned_process():
    _, pullback = vjp(f, X, PARAMS)
    _, push = linearize(np.sin, 0.5)
    x_bar, tree_bar = pullback(BAR)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        actual = pool.apply(apply, (pullback, BAR))
        assert pool.apply(apply, (push, 2.0)) == push(2.0)
    np.testing.assert_array_equal(actual[0], x_bar, strict=True)
    np.testing.assert_array_equal(actual[1]["W"], tree_bar["W"], strict=True)


def test_a_pullback_inside_a_trace():
    _, pullback = vjp(f, X, PARAMS)
    traced = jit(lambda bar: pullback({"y": bar, "n": 0.5})[0])
    np.testing.assert_allclose(traced(np.ones((2, 2))), pullback(BAR)[0], rtol=1e-14)


def test_aux():
    y, pullback, aux = vjp(lambda x: (x * x, {"x": x, "n": 3}), 3.0, has_aux=True)
    assert (y, aux, pullback(2.0)) == (9.0, {"x": 3.0, "n": 3}, (12.0,))
    assert again(pullback)(2.0) == (12.0,)


def test_results_that_do_not_depend_on_the_argument():
    y, push = linearize(lambda x: (x, 3, 2.0, np.ones(2), "name"), 1.0)
    tangents = push(5.0)
    assert y[:3] == (1.0, 3, 2.0)
    assert tangents[:3] == (5.0, 0.0, 0.0)
    np.testing.assert_array_equal(tangents[3], np.zeros(2))
    assert tangents[4] == 0.0


@pytest.mark.parametrize("bar", [1.0, (np.ones((2, 2)),), {"y": np.ones(3), "n": 0.0}])
def test_what_does_not_fit_is_refused(bar):
    _, pullback = vjp(f, X, PARAMS)
    with pytest.raises(TypeError):
        pullback(bar)


def steps(x):
    for _ in range(6):
        x = np.exp(-x) * x[::-1]
    return x


def side(x):
    return np.exp(x) if np.sum(x) > 0 else x * x


def shrinks(x):
    while np.sum(np.abs(x)) > 0.5:
        x = 0.5 * x * np.cos(x)
    return x * x


def triangle(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * np.sum(x[:i]) + np.sin(np.sum(y[:i]))
    return y


def shrinks_by_steps(x):
    while np.sum(np.abs(x)) > 0.5:
        for _ in range(4):
            x = x * np.cos(x)
    return x * x


@pytest.mark.parametrize("function", [steps, side, shrinks, shrinks_by_steps, triangle])
def test_loops_and_branches_are_captured(function):
    x = np.linspace(0.1, 0.9, 5)
    y, pullback = vjp(function, x)
    same, push = linearize(function, x)
    np.testing.assert_array_equal(y, function(x))
    np.testing.assert_array_equal(same, y)
    jacobian = np.stack([
        (function(x + step) - function(x - step)) / 2e-6 for step in 1e-6 * np.eye(5)
    ], axis=1)  # fmt: skip
    y[:] = x[:] = 0  # of which the other half does not read anything
    for row, unit in zip(jacobian, np.eye(5), strict=True):
        np.testing.assert_allclose(pullback(unit)[0], row, atol=1e-8)
        np.testing.assert_allclose(push(unit), jacobian @ unit, atol=1e-8)


def test_other_sides_and_other_numbers_of_trips_need_no_other_program():
    for function in (side, shrinks):
        before = _halves(function, 1, VJP, False, None).cache_info().misses
        for x in (np.ones(2), -np.ones(2), np.full(2, 40.0)):
            _, pullback = vjp(function, x)
            step = 1e-6 * np.array([1.0, 0.0])
            slope = np.sum(function(x + step) - function(x - step)) / 2e-6
            np.testing.assert_allclose(pullback(np.ones(2))[0][0], slope, rtol=1e-6)
        assert _halves(function, 1, VJP, False, None).cache_info().misses == before + 1
