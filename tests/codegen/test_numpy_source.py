"""The printer writes what the program says, with the user's line behind derivatives."""

import numpy as np

from symdiff import grad, jit
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


def test_long_calls_of_functions_go_over_several_lines():
    def f(x, many):
        total = 0.0
        for each in many:
            total = total + np.exp(each) * each
        return np.abs(np.fft.fft(x * total)), many

    in_c = jit(f, backend="c")
    in_c(np.ones(4), [np.full(4, i / 50) for i in range(40)])
    lines = in_c.compiled.driver.splitlines()
    assert all(len(line) <= 99 for line in lines)
    assert any(line.endswith("part_1(") for line in lines)
