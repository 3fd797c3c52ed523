import numpy as np


def product_grad(x, y, z):
    """Gradient of `product` with respect to x, y and z.

    Takes x: float, y: float, z: float.
    Returns x_bar: float, y_bar: float, z_bar: float.
    """
    z_bar = x + y
    return z, z, z_bar
