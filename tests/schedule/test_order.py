"""Statements come in the order of the program, guards before what is printed."""

import numpy as np

from symdiff import jit, value_and_grad


def body(compiled):
    return compiled.compiled.work.source.split('"""')[2]


def test_the_users_statements_in_their_order():
    def f(x):
        a = np.sin(x)
        b = np.cos(x)
        c = b * 2
        return np.sum(a + c), a

    compiled = jit(f)
    compiled(np.ones(3))
    text = body(compiled)
    assert text.index("a = np.sin(x)") < text.index("b = np.cos(x)") < text.index("c = b * 2")


def test_what_is_printed_comes_behind_the_guards(capsys):
    def f(x):
        print("begun")
        if x[0] > 0:
            return np.sum(x)
        return np.prod(x)

    compiled = jit(f)
    compiled(np.ones(2))
    compiled(-np.ones(2))
    assert capsys.readouterr().out == "begun\nbegun\n"


def test_a_derivative_comes_as_soon_as_what_it_needs_is_there():
    def loss(W1, W2, x):
        h = np.tanh(x @ W1)
        return np.sum(np.tanh(h @ W2))

    gradient = value_and_grad(loss, argnums=(0, 1))
    gradient(np.ones((3, 4)), np.ones((4, 2)), np.ones((5, 3)))
    text = body(gradient)
    assert text.index("W2_bar =") < text.index("W1_bar =")
