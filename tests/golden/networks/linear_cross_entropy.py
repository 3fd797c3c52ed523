import numpy as np


def scores_loss_value_and_grad(params, x, y):
    """Value and gradient of `scores_loss` with respect to params.

    Takes params[0][0]: f64[20,10], params[0][1]: f64[10], x: f64[32,20], y:
      i64[32].
    Returns value: f64[], params_0_0_bar: f64[20,10], params_0_1_bar: f64[10].
    """
    scores = x @ params[0][0] + params[0][1]
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    exp_1 = np.exp(shifted)
    log_total_in = np.sum(exp_1, axis=1)
    log_total = np.log(log_total_in)
    sum_1 = (log_total - shifted[np.arange(32), y]).sum()
    value = sum_1 / 32
    # from: return np.mean(log_total - shifted[np.arange(len(labels)), labels])
    shifted_bar = (1 / 32 / log_total_in)[:, None] * exp_1
    shifted_bar[np.arange(32), y] -= 1 / 32
    params_0_0_bar = x.T @ shifted_bar       # from: return x @ W + b
    params_0_1_bar = np.sum(shifted_bar, axis=0)
    return value, [(params_0_0_bar, params_0_1_bar)]
