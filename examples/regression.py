"""Gradient of a small regression loss, the example that the README reads line by line."""
# ruff: noqa: D103 - the loss stands here as a user writes it, without a word for symdiff

import numpy as np


def loss(W, b, x, y):
    h = np.tanh(x @ W + b)
    err = h - y
    return np.sum(err * err)


def main() -> None:
    """Print the loss and its gradient at random arrays."""
    from symdiff import value_and_grad  # here, so that the file above needs only NumPy

    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((5, 7)), rng.standard_normal(7)
    x, y = rng.standard_normal((11, 5)), rng.standard_normal((11, 7))

    value, (W_bar, b_bar) = value_and_grad(loss, argnums=(0, 1))(W, b, x, y)
    print(f"loss {value:.4f}")
    print(f"W_bar {W_bar.shape}, first row", np.round(W_bar[0], 2))
    print(f"b_bar {b_bar.shape},", np.round(b_bar, 2))


if __name__ == "__main__":
    main()
