import numpy as np


def rosenbrock_value_and_grad(x):
    """Value and gradient of `rosenbrock` with respect to x.

    Takes x: f64[10].
    Returns value: f64[], x_bar: f64[10].
    """
    getitem_1 = x[:-1]
    subtract_1 = x[1:] - getitem_1 ** 2
    subtract_2 = 1 - getitem_1
    add_1 = 100 * subtract_1 ** 2 + subtract_2 ** 2
    value = add_1.sum()
    # from: return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    multiply_1 = 200 * subtract_1
    x_bar = np.zeros(10)
    x_bar[:-1] = -2 * (multiply_1 * getitem_1 + subtract_2)
    x_bar[1:] += multiply_1
    return value, x_bar
