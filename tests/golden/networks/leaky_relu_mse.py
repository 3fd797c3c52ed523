import numpy as np


def network_loss_value_and_grad(params, x, y):
    """Value and gradient of `network_loss` with respect to params.

    Takes params["hidden"][0][0]: f64[20,16], params["hidden"][0][1]: f64[16],
      params["hidden"][1][0]: f64[16,16], params["hidden"][1][1]: f64[16],
      params["scores"][0]: f64[16,10], params["scores"][1]: f64[10], x:
      f64[32,20], y: f64[32,10].
    Returns value: f64[], hidden_0_0_bar: f64[20,16], hidden_0_1_bar: f64[16],
      hidden_1_0_bar: f64[16,16], hidden_1_1_bar: f64[16], scores_0_bar:
      f64[16,10], scores_1_bar: f64[10].

    np.maximum shares its derivative at a tie; a tie with a constant goes to
      the constant.
    """
    z = x @ params["hidden"][0][0] + params["hidden"][0][1]
    h_in = 0.01 * z
    h = np.maximum(h_in, z)
    z_1 = h @ params["hidden"][1][0] + params["hidden"][1][1]
    h_in_1 = 0.01 * z_1
    h_1 = np.maximum(h_in_1, z_1)
    subtract_1 = h_1 @ params["scores"][0] + params["scores"][1] - y
    value = (subtract_1 ** 2).sum() / 320
    scores_bar = 1 / 160 * subtract_1        # from: return np.mean((scores - target) ** 2)
    scores_0_bar = h_1.T @ scores_bar        # from: return h @ W + b
    scores_1_bar = np.sum(scores_bar, axis=0)
    h_bar = scores_bar @ params["scores"][0].T
    multiply_1 = 0.5 * (z_1 == h_in_1)
    add_1 = (z_1 > h_in_1) + multiply_1
    multiply_2 = 0.01 * ((h_in_1 > z_1) + multiply_1)
    add_1 += multiply_2
    z_bar = add_1 * h_bar                    # from: h = activation(h @ W + b, *learned)
    hidden_1_0_bar = h.T @ z_bar
    hidden_1_1_bar = np.sum(z_bar, axis=0)
    h_bar = z_bar @ params["hidden"][1][0].T
    multiply_3 = 0.5 * (z == h_in)
    add_2 = (z > h_in) + multiply_3
    multiply_4 = 0.01 * ((h_in > z) + multiply_3)
    add_2 += multiply_4
    z_bar = add_2 * h_bar
    hidden_0_0_bar = x.T @ z_bar
    hidden_0_1_bar = np.sum(z_bar, axis=0)
    return (
        value, {"hidden": [(hidden_0_0_bar, hidden_0_1_bar), (hidden_1_0_bar, hidden_1_1_bar)],
        "scores": (scores_0_bar, scores_1_bar)}
    )
