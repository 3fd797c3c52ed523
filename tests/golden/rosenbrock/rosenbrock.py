import numpy as np


def rosenbrock_grad(x):
    """Gradient of `rosenbrock` with respect to x.

    Takes x: f64[10].
    Returns index_add_1: f64[10].
    """
    getitem_1 = x[:-1]
    multiply_1 = 200 * (x[1:] - getitem_1 ** 2)  # from: return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    index_add_1 = np.zeros(10)
    index_add_1[:-1] = multiply_1 * (-2 * getitem_1) - 2 * (1 - getitem_1)
    index_add_1[1:] += multiply_1
    return index_add_1
