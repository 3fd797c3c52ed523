def loss_grad(W, b, x, y):
    # regression.py:8: h = np.tanh(x @ W + b)
    h = np.tanh(x @ W + b)
    # regression.py:9: err = h - y
    err = h - y
    # regression.py:10: return np.sum(err * err)
    # fold-elementwise: an elementwise operation on constants -> the constant that NumPy computes
    err_bar = 2 * err
    # regression.py:8: h = np.tanh(x @ W + b)
    h_in_bar = err_bar * (1 - h * h)
    # regression.py:8: h = np.tanh(x @ W + b)
    W_bar = x.T @ h_in_bar
    # regression.py:8: h = np.tanh(x @ W + b)
    b_bar = np.sum(h_in_bar, axis=0)
    return W_bar, b_bar


# 2 rewrites
#   simplify  fold-move         EXACT  regression.py:10  a constant moved about -> the same number in another shape
#   simplify  fold-elementwise  EXACT  regression.py:10  an elementwise operation on constants -> the constant that NumPy computes
