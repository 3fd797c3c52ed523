import numpy as np


def scores_loss_value_and_grad(params, x, y):
    """Value and gradient of `scores_loss` with respect to params.

    Takes params[0][0]: f64[20,16], params[0][1]: f64[16], params[1][0]:
      f64[16,16], params[1][1]: f64[16], params[2][0]: f64[16,16],
      params[2][1]: f64[16], params[3][0]: f64[16,16], params[3][1]: f64[16],
      params[4][0]: f64[16,10], params[4][1]: f64[10], x: f64[32,20], y:
      i64[32].
    Returns value: f64[], params_0_0_bar: f64[20,16], params_0_1_bar: f64[16],
      params_1_0_bar: f64[16,16], params_1_1_bar: f64[16], params_2_0_bar:
      f64[16,16], params_2_1_bar: f64[16], params_3_0_bar: f64[16,16],
      params_3_1_bar: f64[16], params_4_0_bar: f64[16,10], params_4_1_bar:
      f64[10].

    np.maximum shares its derivative at a tie; a tie with a constant goes to
      the constant.
    """
    h1 = np.maximum(0, x @ params[0][0] + params[0][1])
    h2 = np.tanh(h1 @ params[1][0] + params[1][1])
    negative_1 = -(h2 @ params[2][0] + params[2][1])
    h3 = 1 / (1 + np.exp(negative_1))
    h4 = np.maximum(0, h3 @ params[3][0] + params[3][1])
    scores = h4 @ params[4][0] + params[4][1]
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    exp_1 = np.exp(shifted)
    log_total_in = np.sum(exp_1, axis=1)
    log_total = np.log(log_total_in)
    sum_1 = (log_total - shifted[np.arange(32), y]).sum()
    value = sum_1 / 32
    # from: return np.mean(log_total - shifted[np.arange(len(labels)), labels])
    shifted_bar = (1 / 32 / log_total_in)[:, None] * exp_1
    shifted_bar[np.arange(32), y] -= 1 / 32
    params_4_0_bar = h4.T @ shifted_bar      # from: return h4 @ W5 + b5
    params_4_1_bar = np.sum(shifted_bar, axis=0)
    h4_bar = shifted_bar @ params[4][0].T
    h4_in_bar = np.where(h4 > 0, h4_bar, 0)  # from: h4 = np.maximum(0, h3 @ W4 + b4)
    params_3_0_bar = h3.T @ h4_in_bar
    params_3_1_bar = np.sum(h4_in_bar, axis=0)
    h3_bar = h4_in_bar @ params[3][0].T
    z_bar = h3_bar * (h3 * (1 - h3))         # from: h3 = sigmoid(h2 @ W3 + b3)
    params_2_0_bar = h2.T @ z_bar
    params_2_1_bar = np.sum(z_bar, axis=0)
    h2_bar = z_bar @ params[2][0].T
    h2_in_bar = h2_bar * (1 - h2 * h2)       # from: h2 = np.tanh(h1 @ W2 + b2)
    params_1_0_bar = h1.T @ h2_in_bar
    params_1_1_bar = np.sum(h2_in_bar, axis=0)
    h1_bar = h2_in_bar @ params[1][0].T
    h1_in_bar = np.where(h1 > 0, h1_bar, 0)  # from: h1 = np.maximum(0, x @ W1 + b1)
    params_0_0_bar = x.T @ h1_in_bar
    params_0_1_bar = np.sum(h1_in_bar, axis=0)
    return (
        value, [(params_0_0_bar, params_0_1_bar), (params_1_0_bar, params_1_1_bar),
        (params_2_0_bar, params_2_1_bar), (params_3_0_bar, params_3_1_bar), (params_4_0_bar,
        params_4_1_bar)]
    )
