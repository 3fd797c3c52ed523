"""Networks, activations and losses of a lecture, differentiated with respect to every parameter."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from symdiff import value_and_grad

Layer = tuple[np.ndarray, np.ndarray]
Layers = list[Layer]
Arrays = Callable[..., np.ndarray]

# Activations, each of an array of any shape.


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def tanh(z: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent."""
    return np.tanh(z)


def relu(z: np.ndarray) -> np.ndarray:
    """max(0, z)."""
    return np.maximum(0, z)


def leaky_relu(z: np.ndarray) -> np.ndarray:
    """max(0.01 z, z)."""
    return np.maximum(0.01 * z, z)


def prelu(z: np.ndarray, beta: float) -> np.ndarray:
    """Leaky ReLU whose slope `beta` on the left is learned."""
    return np.where(z > 0, z, beta * z)


def elu(z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """The line z, continued on the left by an exponential that tends to -alpha."""
    return np.where(z > 0, z, alpha * (np.exp(z) - 1))


def maxout(z: np.ndarray) -> np.ndarray:
    """The greater of two linear maps; z: [n, 2 m] holds both, the result is [n, m]."""
    half = z.shape[1] // 2
    return np.maximum(z[:, :half], z[:, half:])


# Scores: x: [n, d] images, one a row; the result is [n, classes].


def linear(layers: Layers, x: np.ndarray) -> np.ndarray:
    """W x + b."""
    [(W, b)] = layers
    return x @ W + b


def two_layers(layers: Layers, x: np.ndarray) -> np.ndarray:
    """W2 max(0, W1 x)."""
    (W1, b1), (W2, b2) = layers
    return np.maximum(0, x @ W1 + b1) @ W2 + b2


def three_layers(layers: Layers, x: np.ndarray) -> np.ndarray:
    """W3 tanh(W2 max(0, W1 x))."""
    (W1, b1), (W2, b2), (W3, b3) = layers
    h = np.tanh(np.maximum(0, x @ W1 + b1) @ W2 + b2)
    return h @ W3 + b3


def four_layers(layers: Layers, x: np.ndarray) -> np.ndarray:
    """W4 sigmoid(W3 tanh(W2 max(0, W1 x)))."""
    (W1, b1), (W2, b2), (W3, b3), (W4, b4) = layers
    h1 = np.maximum(0, x @ W1 + b1)
    h2 = np.tanh(h1 @ W2 + b2)
    h3 = sigmoid(h2 @ W3 + b3)
    return h3 @ W4 + b4


def five_layers(layers: Layers, x: np.ndarray) -> np.ndarray:
    """W5 max(0, W4 sigmoid(W3 tanh(W2 max(0, W1 x))))."""
    (W1, b1), (W2, b2), (W3, b3), (W4, b4), (W5, b5) = layers
    h1 = np.maximum(0, x @ W1 + b1)
    h2 = np.tanh(h1 @ W2 + b2)
    h3 = sigmoid(h2 @ W3 + b3)
    h4 = np.maximum(0, h3 @ W4 + b4)
    return h4 @ W5 + b5


def network(params: dict[str, Any], x: np.ndarray, activation: Arrays) -> np.ndarray:
    """As many hidden layers as `params` has, all with one activation and what it learns."""
    h = x
    for W, b, *learned in params["hidden"]:
        h = activation(h @ W + b, *learned)
    W, b = params["scores"]
    return h @ W + b


# Losses of scores: [n, classes].


def l1(scores: np.ndarray, target: np.ndarray) -> float:
    """Mean absolute error; target: [n, classes]."""
    return np.mean(np.abs(scores - target))


def mse(scores: np.ndarray, target: np.ndarray) -> float:
    """Mean squared error; target: [n, classes]."""
    return np.mean((scores - target) ** 2)


def naive_cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Softmax cross-entropy as its formula reads; labels: [n] integers."""
    odds = np.exp(scores)
    probabilities = odds / np.sum(odds, axis=1, keepdims=True)
    return -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Softmax cross-entropy that no score overflows; labels: [n] integers."""
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_total - shifted[np.arange(len(labels)), labels])


def scores_loss(
    params: Any, x: np.ndarray, y: np.ndarray, scores: Arrays, loss: Callable[..., float]
) -> float:
    """The loss of one of the scores above."""
    return loss(scores(params, x), y)


def network_loss(
    params: Any, x: np.ndarray, y: np.ndarray, activation: Arrays, loss: Callable[..., float]
) -> float:
    """The loss of `network` with one of the activations above."""
    return loss(network(params, x, activation), y)


SCORES = (linear, two_layers, three_layers, four_layers, five_layers)
ACTIVATIONS = (sigmoid, tanh, relu, leaky_relu, prelu, elu, maxout)
LOSSES = (l1, mse, naive_cross_entropy, cross_entropy)


def random_layer(
    rng: np.random.Generator, inputs: int, outputs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [inputs, outputs] that keep the size of a signal, and small biases [outputs]."""
    return (
        rng.standard_normal((inputs, outputs)) / np.sqrt(inputs),
        0.1 * rng.standard_normal(outputs),
    )


def random_layers(rng: np.random.Generator, widths: list[int]) -> Layers:
    """The layers between the given widths."""
    return [random_layer(rng, inputs, outputs) for inputs, outputs in pairwise(widths)]


def random_network(
    rng: np.random.Generator, widths: list[int], activation: Arrays
) -> dict[str, Any]:
    """Parameters of `network`: PReLU learns a slope in each layer, maxout has two maps in each."""
    maps = 2 if activation is maxout else 1
    learned = (0.25,) if activation is prelu else ()
    *hidden, scores = pairwise(widths)
    return {
        "hidden": [
            (*random_layer(rng, inputs, maps * outputs), *learned) for inputs, outputs in hidden
        ],
        "scores": random_layer(rng, *scores),
    }


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays and numbers in a nesting of dicts, lists and tuples."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if not isinstance(tree, list | tuple):
        yield tree
        return
    for branch in tree:
        yield from leaves(branch)


def report(name: str, value: float, gradient: Any) -> None:
    """Print a loss, the number of its parameters and the length of its gradient."""
    count = sum(np.size(leaf) for leaf in leaves(gradient))
    length = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in leaves(gradient)))
    print(f"{name:30} loss {value:7.4f}   {count:7,} parameters   |gradient| {length:.4f}")


def main() -> None:
    """Print loss and gradient of every network, activation and loss, and of 200 layers."""
    rng = np.random.default_rng(0)
    n, d, classes, width = 32, 20, 10, 16
    x = rng.standard_normal((n, d))
    labels = rng.integers(classes, size=n)
    one_hot = np.eye(classes)[labels]

    for depth, scores in enumerate(SCORES, start=1):
        layers = random_layers(rng, [d, *[width] * (depth - 1), classes])
        gradient = value_and_grad(scores_loss)
        report(scores.__name__, *gradient(layers, x, labels, scores, cross_entropy))

    for activation in ACTIVATIONS:
        params = random_network(rng, [d, width, width, classes], activation)
        gradient = value_and_grad(network_loss)
        report(activation.__name__, *gradient(params, x, labels, activation, cross_entropy))

    layers = random_layers(rng, [d, width, classes])
    for loss in LOSSES:
        y = one_hot if loss in (l1, mse) else labels
        report(loss.__name__, *value_and_grad(scores_loss)(layers, x, y, two_layers, loss))

    deep = random_network(rng, [d, *[width] * 199, classes], tanh)
    report("200 layers", *value_and_grad(network_loss)(deep, x, labels, tanh, cross_entropy))


if __name__ == "__main__":
    main()
