"""The printer writes what the program says, with the user's line behind derivatives."""

import numpy as np

from symdiff import grad
from symdiff.codegen.numpy_source import function_source


def loss(W, x):
    h = np.tanh(x @ W)
    return np.sum(h * h)


EXPECTED = """\
def loss_grad(W, x):
    h = np.tanh(x @ W)
    h_bar = 2 * h                            # from: return np.sum(h * h)
    h_in_bar = h_bar * (1 - h * h)           # from: h = np.tanh(x @ W)
    W_bar = x.T @ h_in_bar
    return W_bar
"""


def test_text():
    program = grad(loss).stages(np.ones((2, 3)), np.ones((4, 2)))[-1][1].program
    assert function_source(program) == EXPECTED


def test_docstring_stands_below_the_header():
    program = grad(loss).stages(np.ones((2, 3)), np.ones((4, 2)))[-1][1].program
    lines = function_source(program, '"""What it does."""').splitlines()
    assert lines[1] == '    """What it does."""'
