"""Logistic regression by gradient descent, with its parameters in a dataclass."""

from dataclasses import dataclass

import numpy as np

from symdiff import value_and_grad


@dataclass
class Model:
    """A hyperplane between two classes; weights: [d]."""

    weights: np.ndarray
    bias: float


@value_and_grad
def loss(model: Model, x: np.ndarray, sign: np.ndarray) -> float:
    """Mean logistic loss; x: [n, d], sign: [n] of ±1. The decorator adds the gradient."""
    margin = sign * (x @ model.weights + model.bias)
    return np.mean(np.log(1 + np.exp(-margin)))


def two_clouds(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [count, 2] around (1, 0) and (-1, 1), and the sign [count] of their cloud."""
    rng = np.random.default_rng(0)
    sign = np.where(rng.random(count) < 0.5, 1.0, -1.0)
    centre = np.where(sign[:, None] > 0, [1.0, 0.0], [-1.0, 1.0])
    return centre + rng.standard_normal((count, 2)), sign


def fit(x: np.ndarray, sign: np.ndarray, steps: int, rate: float) -> Model:
    """The model that `steps` steps of gradient descent reach from zero."""
    model = Model(np.zeros(x.shape[1]), 0.0)
    for step in range(steps):
        value, bar = loss(model, x, sign)
        model = Model(model.weights - rate * bar.weights, model.bias - rate * bar.bias)
        if step % (steps // 5) == 0:
            print(f"step {step:3}   loss {value:.4f}")
    return model


def main() -> None:
    """Fit two overlapping clouds and print where the line between them came to lie."""
    x, sign = two_clouds(count=500)
    model = fit(x, sign, steps=100, rate=1.0)
    value, bar = loss(model, x, sign)
    correct = np.mean(sign * (x @ model.weights + model.bias) > 0)
    print(f"step 100   loss {value:.4f}   |gradient| {np.linalg.norm(bar.weights):.0e}")
    print(f"weights {np.round(model.weights, 2)}, bias {model.bias:.2f}, {correct:.1%} correct")


if __name__ == "__main__":
    main()
