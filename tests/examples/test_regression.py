import inspect

import numpy as np

from symdiff import value_and_grad

LOSS = """\
def loss(W, b, x, y):
    h = np.tanh(x @ W + b)
    err = h - y
    return np.sum(err * err)
"""


def test_loss_is_the_one_that_the_documents_show(example):
    assert inspect.getsource(example.loss) == LOSS


def test_prints_the_gradient(run):
    assert run().out == (
        "loss 121.1990\n"
        "W_bar (5, 7), first row [-1.05  1.04  1.25 -2.61  2.23  2.72 -0.54]\n"
        "b_bar (7,), [ 3.07 -3.08  1.23 -2.29  2.92  2.55  2.73]\n"
    )


def test_gradient_equals_the_one_derived_by_hand(example):
    rng = np.random.default_rng(1)
    W, b, x, y = (rng.standard_normal(shape) for shape in [(5, 7), 7, (11, 5), (11, 7)])
    h = np.tanh(x @ W + b)
    h_in_bar = 2 * (h - y) * (1 - h * h)

    value, (W_bar, b_bar) = value_and_grad(example.loss, argnums=(0, 1))(W, b, x, y)
    assert value == example.loss(W, b, x, y)
    np.testing.assert_allclose(W_bar, x.T @ h_in_bar, rtol=1e-12)
    np.testing.assert_allclose(b_bar, np.sum(h_in_bar, axis=0), rtol=1e-12)
