import numpy as np


def l1_grad(scores, target):
    """Gradient of `l1` with respect to scores.

    Takes scores: f64[32,10], target: f64[32,10].
    Returns scores_bar: f64[32,10].

    np.abs has derivative 0 at 0.
    """
    # from: return np.mean(np.abs(scores - target))
    scores_bar = 1 / 320 * np.sign(scores - target)
    return scores_bar
