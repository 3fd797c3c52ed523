import numpy as np


def neuron_grad(w0, x0, w1, x1, b):
    """Gradient of `neuron` with respect to w0, x0, w1, x1 and b.

    Takes w0: float, x0: float, w1: float, x1: float, b: float.
    Returns w0_bar: float, x0_bar: float, w1_bar: float, x1_bar: float, b_bar:
      float.
    """
    add_1 = w0 * x0 + w1 * x1 + b
    add_2 = 1 + np.exp(-add_1)
    divide_1 = 1 / add_2
    # from: return 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + b)))
    b_bar = float(divide_1 * (1 - divide_1))
    w0_bar = b_bar * x0
    x0_bar = b_bar * w0
    w1_bar = b_bar * x1
    x1_bar = b_bar * w1
    return w0_bar, x0_bar, w1_bar, x1_bar, b_bar
