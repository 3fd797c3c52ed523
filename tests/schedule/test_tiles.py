"""Steps in tiles give what they give without, and only what moves much memory is in tiles."""

import numpy as np
import pytest

import symdiff
from symdiff.schedule import tiles
from symdiff.schedule.loops import Kernel, Product, Tile
from symdiff.schedule.lower import lower


@pytest.fixture
def in_tiles(monkeypatch):
    """All that can be is in tiles, of a few rows."""
    def put(rows):
        monkeypatch.setattr(tiles, "_LEAST", rows)
        monkeypatch.setattr(tiles, "_FIRST", 1)
        monkeypatch.setattr(tiles, "_SECOND", 0)
        monkeypatch.setattr(tiles, "_PER_SUM", 0)
        monkeypatch.setattr(tiles, "_PER_WHOLE", 0)
    return put


def logistic(w, b, x, y):
    margin = y * (x @ w + b)
    return np.mean(np.log(1 + np.exp(-margin)))


def mixture(alpha, mu, q, lower, x):
    centered = x - mu[:, np.newaxis]
    z = centered * np.exp(q)[:, np.newaxis] + centered @ lower
    s = alpha[:, np.newaxis] - 0.5 * np.sum(z * z, axis=2)
    most = np.max(s, axis=0)
    return np.sum(most + np.log(np.sum(np.exp(s - most), axis=0)))


def network(v, w, x):
    h = np.maximum(0, x @ v)
    z = h @ w
    z = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[:, 0])


def kernel(x, y):
    return np.sum(np.tanh(x @ y.T) * np.sum(x, axis=1)[:, np.newaxis])


PROGRAMS = {
    logistic: ((5,), (), (37, 5), (37,)),
    mixture: ((4,), (4, 3), (4, 3), (4, 3, 3), (37, 3)),
    network: ((6, 11), (11, 9), (37, 6)),
    kernel: ((37, 10), (21, 10)),
}


@pytest.mark.parametrize("rows", [1, 4, 5])
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda each: each.__name__)
def test_values_and_gradients_are_the_same(in_tiles, function, rows):
    rng = np.random.default_rng(rows)
    arguments = [rng.normal(size=shape) for shape in PROGRAMS[function]]
    every = tuple(range(len(arguments)))
    expected = symdiff.value_and_grad(function, every)(*arguments)
    in_tiles(rows)
    compiled = symdiff.value_and_grad(function, every, backend="c")
    value, slopes = compiled(*arguments)
    assert any(isinstance(each, Tile) for each in lower(compiled.compiled.work.graph).steps)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    for found, slope in zip(slopes, expected[1], strict=True):
        np.testing.assert_allclose(found, slope, rtol=1e-10, atol=1e-12)


def steps(function, *shapes):
    """Those of the gradient with respect to the first two arguments."""
    compiled = symdiff.value_and_grad(function, (0, 1))
    compiled(*(np.ones(shape) for shape in shapes))
    return lower(compiled.compiled.work.graph).steps


def test_what_is_long_is_in_tiles():
    tile = next(each for each in steps(logistic, (100,), (), (20_000, 100), (20_000,))
                if isinstance(each, Tile))
    assert (tile.extent, tile.rows, tile.rest) == (20_000, 32, ())
    assert [type(each) for each in tile.body] == [Product, Kernel, Product, Product]


def test_small_programs_have_no_tiles():
    assert not any(isinstance(each, Tile) for each in steps(logistic, (5,), (), (200, 5), (200,)))


def test_sums_that_are_larger_than_what_is_saved_are_not_in_tiles():
    found = steps(network, (3072, 100), (100, 10), (128, 3072))
    assert not any(isinstance(each, Tile) for each in found)


def deep(v, w, u, x):
    return np.sum(np.maximum(0, np.maximum(0, np.maximum(0, x @ v) @ w) @ w) @ u)


def test_weights_that_each_tile_would_read_again_are_worth_more_than_what_is_saved():
    found = steps(deep, (3072, 512), (512, 512), (512, 10), (128, 3072))
    assert not any(isinstance(each, Tile) for each in found)
