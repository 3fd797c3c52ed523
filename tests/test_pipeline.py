"""The pipeline: named stages, each with a text, and every value between them to hold."""

import numpy as np
import pytest

from symdiff import grad, jit, value_and_grad
from symdiff.pipeline import STAGES


def loss(W, x):
    return np.mean(np.log(1 + np.exp(x @ W)))


ARGUMENTS = np.ones((3, 2)), np.ones((4, 3))


def test_stages_in_order_with_their_texts():
    steps = grad(loss).stages(*ARGUMENTS)
    assert [stage.name for stage, _ in steps] == [stage.name for stage in STAGES]
    for stage, work in steps:
        assert stage.text(work)
    assert steps[-1][1].source == grad(loss).lower(*ARGUMENTS).work.source


def test_compilation_alone_derives_nothing():
    names = [stage.name for stage, _ in jit(loss).stages(*ARGUMENTS)]
    assert "linearize" not in names
    assert "transpose" not in names


def test_stability_comes_before_linearization():
    gradient = value_and_grad(loss)
    W, x = np.full((3, 2), 400.0), np.ones((4, 3))
    value, W_bar = gradient(W, x)
    assert value == 1200
    assert np.isfinite(W_bar).all()
    assert gradient.lower(W, x).work.log


def test_the_users_bits():
    def f(x):
        return np.sum(x * 3.1 / 7 + x / 3 * x - (x - 1) ** 3)

    x = np.random.default_rng(0).normal(size=1001)
    assert value_and_grad(f)(x)[0] == f(x)


@pytest.mark.parametrize("math", ["ieee", "default", "fast"])
def test_modes(math):
    gradient = grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0.0) * 1.0), math=math)
    with np.errstate(all="ignore"):
        bar = gradient(np.array([2.0, 4.0]))
    np.testing.assert_allclose(bar, [0.5, 0.25])
