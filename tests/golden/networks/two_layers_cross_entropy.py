import numpy as np


def scores_loss_value_and_grad(params, x, y):
    """Value and gradient of `scores_loss` with respect to params.

    Takes params[0][0]: f64[20,16], params[0][1]: f64[16], params[1][0]:
      f64[16,10], params[1][1]: f64[10], x: f64[32,20], y: i64[32].
    Returns value: f64[], params_0_0_bar: f64[20,16], params_0_1_bar: f64[16],
      params_1_0_bar: f64[16,10], params_1_1_bar: f64[10].

    np.maximum shares its derivative at a tie; a tie with a constant goes to
      the constant.
    """
    maximum_1 = np.maximum(0, x @ params[0][0] + params[0][1])
    scores = maximum_1 @ params[1][0] + params[1][1]
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    exp_1 = np.exp(shifted)
    log_total_in = np.sum(exp_1, axis=1)
    log_total = np.log(log_total_in)
    sum_1 = (log_total - shifted[np.arange(32), y]).sum()
    value = sum_1 / 32
    # from: return np.mean(log_total - shifted[np.arange(len(labels)), labels])
    shifted_bar = (1 / 32 / log_total_in)[:, None] * exp_1
    shifted_bar[np.arange(32), y] -= 1 / 32
    params_1_0_bar = maximum_1.T @ shifted_bar  # from: return np.maximum(0, x @ W1 + b1) @ W2 + b2
    params_1_1_bar = np.sum(shifted_bar, axis=0)
    where_1 = np.where(maximum_1 > 0, shifted_bar @ params[1][0].T, 0)
    params_0_0_bar = x.T @ where_1
    params_0_1_bar = np.sum(where_1, axis=0)
    return value, [(params_0_0_bar, params_0_1_bar), (params_1_0_bar, params_1_1_bar)]
