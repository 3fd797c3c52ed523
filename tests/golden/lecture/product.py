import numpy as np


def product_grad(x, y, z):
    """Gradient of `product` with respect to x, y and z.

    Takes x: float, y: float, z: float.
    Returns z, z: float, value: float.
    """
    value = x + y
    return z, z, value
