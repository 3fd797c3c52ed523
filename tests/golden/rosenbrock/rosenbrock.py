import numpy as np


def rosenbrock_grad(x):
    """Gradient of `rosenbrock` with respect to x.

    Takes x: f64[10].
    Returns x_bar: f64[10].
    """
    getitem_1 = x[:-1]
    # from: return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    multiply_1 = 200 * (x[1:] - getitem_1 ** 2)
    x_bar = np.zeros(10)
    x_bar[:-1] = -2 * (multiply_1 * getitem_1 + (1 - getitem_1))
    x_bar[1:] += multiply_1
    return x_bar
