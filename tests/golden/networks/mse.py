import numpy as np


def mse_grad(scores, target):
    """Gradient of `mse` with respect to scores.

    Takes scores: f64[32,10], target: f64[32,10].
    Returns scores_bar: f64[32,10].
    """
    scores_bar = 1 / 160 * (scores - target)  # from: return np.mean((scores - target) ** 2)
    return scores_bar
