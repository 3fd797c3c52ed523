import numpy as np


def elu_jvp(z, alpha, z_dot):
    """Value and directional derivative of `elu` along a tangent of z.

    Takes z: f64[4], alpha: float, z_dot: f64[4].
    Returns value: f64[4], value_dot: f64[4].

    np.where: the branch not chosen has derivative 0, even where its own is not
      finite.
    """
    greater_1 = z > 0
    value = np.where(greater_1, z, alpha * np.expm1(z))
    with np.errstate(all="ignore"):
        # from: return np.where(z > 0, z, alpha * (np.exp(z) - 1))
        multiply_1 = z_dot * np.exp(z) * alpha
    value_dot = np.where(greater_1, z_dot, multiply_1)
    return value, value_dot
