import re
from collections.abc import Callable
from typing import Any

import numpy as np
import optree
import pytest
from optree.integrations.numpy import tree_ravel

from symdiff import value_and_grad

ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "maxout"]
LOSSES = ["l1", "mse", "naive_cross_entropy", "cross_entropy"]
IMAGES, PIXELS, WIDTH, CLASSES = 6, 5, 4, 3


def slopes(f: Callable[[Any], float], at: Any, step: float = 1e-6) -> np.ndarray:
    """The derivatives of `f` by every number in the nesting `at`, by central differences."""
    vector, rebuild = tree_ravel(at)
    return np.array(
        [
            (f(rebuild(vector + step * e)) - f(rebuild(vector - step * e))) / (2 * step)
            for e in np.eye(len(vector))
        ]
    )


def assert_gradient(f: Callable, params: Any, *rest: Any) -> None:
    """`value_and_grad` gives the value of `f`, and its gradient in the shape of `params`."""
    value, gradient = value_and_grad(f)(params, *rest)
    assert value == pytest.approx(f(params, *rest), rel=1e-14)
    assert optree.tree_structure(gradient) == optree.tree_structure(params)
    assert optree.tree_map(np.shape, gradient) == optree.tree_map(np.shape, params)
    np.testing.assert_allclose(
        tree_ravel(gradient)[0], slopes(lambda params: f(params, *rest), params), 1e-6, 1e-8
    )


def targets(rng: np.random.Generator, loss: str) -> np.ndarray:
    """Labels [IMAGES] for the cross-entropies, else numbers [IMAGES, CLASSES]."""
    if loss.endswith("cross_entropy"):
        return rng.integers(CLASSES, size=IMAGES)
    return rng.standard_normal((IMAGES, CLASSES))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((IMAGES, PIXELS))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("depth", range(1, 6))
def test_gradient_of_the_nested_layers(example, rng, x, depth, loss):
    layers = example.random_layers(rng, [PIXELS, *[WIDTH] * (depth - 1), CLASSES])
    scores = example.SCORES[depth - 1]
    assert_gradient(
        example.scores_loss, layers, x, targets(rng, loss), scores, getattr(example, loss)
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_of_every_activation(example, rng, x, activation, loss):
    function = getattr(example, activation)
    params = example.random_network(rng, [PIXELS, WIDTH, WIDTH, CLASSES], function)
    assert_gradient(
        example.network_loss, params, x, targets(rng, loss), function, getattr(example, loss)
    )


def test_gradient_of_200_layers(example, rng, x):
    params = example.random_network(rng, [PIXELS, *[WIDTH] * 199, CLASSES], example.tanh)
    hidden = params["hidden"]
    # Rotations keep the size of a signal; other random weights would let the gradient vanish.
    hidden[1:] = [(np.linalg.qr(W).Q, b / 10) for W, b in hidden[1:]]
    rest = x, targets(rng, "cross_entropy"), example.tanh, example.cross_entropy
    value, gradient = value_and_grad(example.network_loss)(params, *rest)

    assert value == pytest.approx(example.network_loss(params, *rest), rel=1e-14)
    assert optree.tree_structure(gradient) == optree.tree_structure(params)
    for depth in (0, 1, 100, 198):

        def f(layer):
            changed = [*hidden[:depth], layer, *hidden[depth + 1 :]]
            return example.network_loss({**params, "hidden": changed}, *rest)

        ours = tree_ravel(gradient["hidden"][depth])[0]
        assert np.max(np.abs(ours)) > 1e-3
        np.testing.assert_allclose(ours, slopes(f, hidden[depth]), 1e-6, 1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_stays_float32(example, rng, x, activation):
    function = getattr(example, activation)
    params = example.random_network(rng, [PIXELS, WIDTH, CLASSES], function)
    labels = targets(rng, "cross_entropy")
    gradient = value_and_grad(example.network_loss)
    _, expected = gradient(params, x, labels, function, example.cross_entropy)

    single = optree.tree_map(np.float32, params)
    value, ours = gradient(single, x.astype(np.float32), labels, function, example.cross_entropy)
    assert value.dtype == np.float32
    assert {leaf.dtype for leaf in optree.tree_leaves(ours)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(tree_ravel(ours)[0], tree_ravel(expected)[0], 1e-4, 1e-6)


@pytest.mark.parametrize("loss", ["naive_cross_entropy", "cross_entropy"])
def test_cross_entropy_gives_softmax_minus_one_hot(example, rng, loss):
    scores = rng.standard_normal((50, 1000))  # many classes
    labels = rng.integers(1000, size=50)
    odds = np.exp(scores)
    expected = (odds / np.sum(odds, axis=1, keepdims=True) - np.eye(1000)[labels]) / 50
    _, ours = value_and_grad(getattr(example, loss))(scores, labels)
    np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-16)


def test_stable_cross_entropy_takes_any_score(example):
    scores, labels = np.array([[1000.0, 0.0, -1000.0]]), np.array([1])
    value, scores_bar = value_and_grad(example.cross_entropy)(scores, labels)
    assert value == 1000
    np.testing.assert_array_equal(scores_bar, [[1, -1, 0]])


def test_relu_is_flat_at_zero(example):
    _, z_bar = value_and_grad(lambda z: np.sum(example.relu(z)))(np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(z_bar, [0, 0, 1])


def test_elu_is_a_line_where_its_exponential_overflows(example):
    with np.errstate(over="ignore"):
        _, z_bar = value_and_grad(lambda z: np.sum(example.elu(z)))(np.array([-1.0, 800.0]))
    np.testing.assert_allclose(z_bar, [np.exp(-1), 1], rtol=1e-15)


def test_prints_loss_and_gradient_of_each(run):
    lines = re.findall(
        r"^(.+?) +loss +(\S+) +(\S+) parameters +\|gradient\| (\S+)$", run().out, re.M
    )
    assert lines == [
        ("linear", "2.5959", "210", "0.8685"),
        ("two_layers", "2.6366", "506", "1.0213"),
        ("three_layers", "2.3787", "778", "0.7134"),
        ("four_layers", "2.7677", "1,050", "0.8609"),
        ("five_layers", "2.3472", "1,322", "0.6402"),
        ("sigmoid", "2.5583", "778", "0.6510"),
        ("tanh", "2.4197", "778", "0.7163"),
        ("relu", "2.5563", "778", "0.8454"),
        ("leaky_relu", "2.3350", "778", "0.7136"),
        ("prelu", "2.4902", "780", "0.9157"),
        ("elu", "2.8109", "778", "1.3327"),
        ("maxout", "2.8637", "1,386", "1.6345"),
        ("l1", "0.4749", "506", "0.3971"),
        ("mse", "0.4007", "506", "0.6214"),
        ("naive_cross_entropy", "2.3231", "506", "0.7585"),
        ("cross_entropy", "2.3231", "506", "0.7585"),
        ("200 layers", "2.3798", "54,362", "1.0147"),
    ]


SHOWN = [
    *[(name, "cross_entropy") for name in ("linear", "two_layers", "five_layers")],
    *[(name, "mse") for name in ("leaky_relu", "prelu", "elu", "maxout")],
]


@pytest.mark.parametrize(("name", "loss"), SHOWN)
def test_what_is_emitted(example, golden, name, loss):
    """Networks with their losses, one after the other as they are written in a lecture."""
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((32, 20)), rng.integers(10, size=32)
    y = np.eye(10)[labels] if loss == "mse" else labels
    part = getattr(example, name)
    if part in example.SCORES:
        layers = 1 + example.SCORES.index(part)
        params = example.random_layers(rng, [20, *[16] * (layers - 1), 10])
        gradient = value_and_grad(example.scores_loss)
    else:
        params = example.random_network(rng, [20, 16, 16, 10], part)
        gradient = value_and_grad(example.network_loss)
    gradient(params, x, y, part, getattr(example, loss))
    golden(f"networks/{name}_{loss}.py", gradient.source)
