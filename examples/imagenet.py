"""Linear scores at ImageNet's size: 224 x 224 colour images and a thousand classes, in float32.

Takes about 1.5 GB of memory: the weights and their gradient have 150,528,000 numbers each.
"""

import time

import numpy as np

from symdiff import value_and_grad

PIXELS = 224 * 224 * 3
CLASSES = 1000


def loss(W: np.ndarray, b: np.ndarray, x: np.ndarray, labels: np.ndarray) -> float:
    """Softmax cross-entropy of linear scores; x: [n, pixels], labels: [n] integers."""
    scores = x @ W + b
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_total - shifted[np.arange(len(labels)), labels])


def random_problem(images: int) -> tuple[np.ndarray, ...]:
    """Small weights [pixels, classes], biases, bright images [images, pixels] and their labels."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((PIXELS, CLASSES), dtype=np.float32)
    W *= np.float32(1 / np.sqrt(PIXELS))
    b = np.zeros(CLASSES, dtype=np.float32)
    x = rng.random((images, PIXELS), dtype=np.float32)
    return W, b, x, rng.integers(CLASSES, size=images)


def main() -> None:
    """Print the loss of four images, the sizes of the gradient and the time it took."""
    problem = random_problem(images=4)
    start = time.perf_counter()
    value, (W_bar, b_bar) = value_and_grad(loss, argnums=(0, 1))(*problem)
    seconds = time.perf_counter() - start
    print(f"loss {value:.4f}")
    print(f"W_bar {W_bar.shape} {W_bar.dtype}, |W_bar| {np.linalg.norm(W_bar):.2f}")
    print(f"b_bar {b_bar.shape} {b_bar.dtype}, |b_bar| {np.linalg.norm(b_bar):.4f}")
    print(f"{seconds:.1f} s")


if __name__ == "__main__":
    main()
