import numpy as np


def loss_grad(W, b, x, y):
    """Gradient of `loss` with respect to W and b.

    Takes W: f64[5,7], b: f64[7], x: f64[11,5], y: f64[11,7].
    Returns W_bar: f64[5,7], b_bar: f64[7].
    """
    h = np.tanh(x @ W + b)
    err = h - y
    err_bar = 2 * err                        # from: return np.sum(err * err)
    h_in_bar = err_bar * (1 - h * h)         # from: h = np.tanh(x @ W + b)
    W_bar = x.T @ h_in_bar
    b_bar = np.sum(h_in_bar, axis=0)
    return W_bar, b_bar
