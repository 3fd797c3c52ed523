import re

import numpy as np

from symdiff import value_and_grad


def softmax_minus_one_hot(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The derivative of the mean cross-entropy by the scores: [n, classes]."""
    odds = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    one_hot = np.eye(scores.shape[1], dtype=scores.dtype)[labels]
    return (odds / np.sum(odds, axis=1, keepdims=True) - one_hot) / len(labels)


# One test, so that two workers never hold these arrays at the same time.
def test_full_size(run, example):
    assert re.fullmatch(
        r"loss 6\.5192\n"
        r"W_bar \(150528, 1000\) float32, \|W_bar\| 111\.71\n"
        r"b_bar \(1000,\) float32, \|b_bar\| 0\.4987\n"
        r"[\d.]+ s\n",
        run().out,
    )

    W, b, x, labels = example.random_problem(images=2)
    value, (W_bar, b_bar) = value_and_grad(example.loss, argnums=(0, 1))(W, b, x, labels)
    assert (value.dtype, W_bar.dtype, b_bar.dtype) == (np.float32,) * 3

    scores_bar = softmax_minus_one_hot(x @ W + b, labels)
    np.testing.assert_allclose(b_bar, np.sum(scores_bar, axis=0), rtol=1e-4, atol=1e-7)
    for rows in np.array_split(np.arange(len(W)), 20):
        expected = x[:, rows].T @ scores_bar
        np.testing.assert_allclose(W_bar[rows], expected, rtol=1e-4, atol=1e-7)
