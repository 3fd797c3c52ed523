import numpy as np


def sigmoid_jvp(z, z_dot):
    """Value and directional derivative of `sigmoid` along a tangent of z.

    Takes z: f64[4], z_dot: f64[4].
    Returns value: f64[4], value_dot: f64[4].
    """
    add_1 = 1 + np.exp(-z)
    value = 1 / add_1
    value_dot = z_dot * (value * (1 - value))  # from: return 1 / (1 + np.exp(-z))
    return value, value_dot
