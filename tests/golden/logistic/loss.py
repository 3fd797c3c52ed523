import numpy as np


def loss_value_and_grad(model, x, sign):
    """Value and gradient of `loss` with respect to model.

    Takes model.weights: f64[2], model.bias: float, x: f64[500,2], sign:
      f64[500].
    Returns value: f64[], weights_bar: f64[2], bias_bar: float.
    """
    margin = sign * (x @ model.weights + model.bias)
    negative_1 = -margin
    exp_1 = np.exp(np.minimum(negative_1, 80))
    sum_1 = np.maximum(negative_1, np.log1p(exp_1)).sum()
    value = sum_1 / 500
    divide_1 = exp_1 / (1 + exp_1)
    # from: margin = sign * (x @ model.weights + model.bias)
    weights_bar = -0.002 * (x.T @ (divide_1 * sign))
    bias_bar = float(-0.002 * (divide_1 @ sign))
    return value, weights_bar, bias_bar
