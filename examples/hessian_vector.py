"""The sharpest direction of a loss, found with Hessian-vector products and no Hessian.

Power iteration needs only v -> H v, which costs about two gradients whatever the size of H.
"""

from collections.abc import Callable

import numpy as np

from symdiff import hvp


def loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Squared error of one neuron; w: [d], x: [n, d], y: [n]."""
    err = np.tanh(x @ w) - y
    return np.mean(err * err)


def sharpest(f: Callable[..., float], w: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
    """The eigenvalue of greatest size of the Hessian of `f` at w: [d], and its direction [d]."""
    v = np.ones_like(w) / np.sqrt(len(w))
    for _ in range(steps):
        Hv = hvp(f, (w,), (v,))
        eigenvalue = v @ Hv
        v = Hv / np.linalg.norm(Hv)
    return eigenvalue, v


def main() -> None:
    """Print the greatest curvature of a loss of 50 weights, and how well it fulfils H v = c v."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 50)) * np.linspace(0.2, 2, 50)
    y = rng.choice([-1.0, 1.0], size=200)
    w = 0.1 * rng.standard_normal(50)

    def of_weights(w: np.ndarray) -> float:
        return loss(w, x, y)

    curvature, v = sharpest(of_weights, w, steps=200)
    residual = np.linalg.norm(hvp(of_weights, (w,), (v,)) - curvature * v)
    print(f"greatest curvature {curvature:.4f}, |H v - curvature v| {residual:.0e}")


if __name__ == "__main__":
    main()
