"""Parts that a mask selects where only types are known: computed of the whole, stored back."""

import numpy as np
import pytest

from symdiff import TraceError, grad, jit, vmap

ROWS = np.array([[1.0, -2.0, 3.0, 0.5], [-1.0, 2.0, 2.5, 4.0], [-1.0, -2.0, -0.5, -4.0]])
SCALE = np.array([2.0, 3.0, 4.0, 5.0])


def scaled(x):
    y = x.copy()
    y[x > 0] *= SCALE[x > 0] * x[0]
    y[x < 0] **= 2
    return np.sum(y**2)


def rooted(x):
    y = x.copy()
    y[y > 0] = np.sqrt(y[y > 0])
    return np.sum(y * SCALE)


def renamed(x):
    part = x[x > 0]
    other = part
    part += x[1]
    y = np.zeros_like(x)
    y[x > 0] = -other
    return np.sum(y * SCALE)


def of_rows(x):
    y = np.outer(x, x)
    y[x > 0] += x
    return np.sum(y**2)


def summed(x):
    return np.sum(x[x > 0]) ** 2 + x[x > -3].mean() + (2 / x[x != 0]).sum()


def in_pieces(x):
    return np.sum(np.piecewise(x, [x < 0, x >= 0], [lambda t: -(t**2), lambda t: t]) * SCALE)


def lowered(x):
    y = x.copy()
    while y.max() > 1:
        y[y > 1] -= 0.7
    return np.sum(y**2)


def on_one_side(x):
    y = x.copy()
    for i in range(6):
        if x[0] > i:
            y[x < 0] *= 1.3
        else:
            y[y > i] = y[y > i] * 0.5
    return np.sum(y**2)


FUNCTIONS = [scaled, rooted, renamed, of_rows, summed, in_pieces, lowered, on_one_side]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_maps_give_what_rows_give(function):
    expected = [function(row) for row in ROWS]
    np.testing.assert_allclose(vmap(function)(ROWS), expected, rtol=1e-13)
    slopes = [grad(function)(row) for row in ROWS]
    np.testing.assert_allclose(vmap(grad(function))(ROWS), slopes, rtol=1e-13)


def test_a_loop_is_captured_whatever_is_selected():
    found = jit(lowered)
    for row in ROWS:
        np.testing.assert_allclose(found(row), lowered(row), rtol=1e-13)
    assert found.cache_info().misses == 1


def test_single_precision():
    mean = vmap(lambda x: x[x > -5].mean())
    assert mean(ROWS.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[x > 0],
        lambda x: x[x > 0][0],
        lambda x: len(x[x > 0]) * x,
        lambda x: np.sort(x[x > 0]),
        lambda x: x[x > 0] * x[x < 0],
        lambda x: x[x > 0] * x[:2],
        lambda x: np.sum(x[x > 0], axis=0),
        lambda x: np.maximum.reduce(x[x > 0]),
    ],
    ids=["result", "element", "length", "sort", "masks", "array", "axis", "reduce"],
)
def test_what_needs_the_length_is_refused(function):
    with pytest.raises(TraceError, match="the size of what a traced mask selects"):
        vmap(function)(ROWS)
    np.testing.assert_array_equal(np.shape(jit(lambda x: np.sum(x[x > 0]))(ROWS[0])), ())
