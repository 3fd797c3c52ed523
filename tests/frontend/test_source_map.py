"""Names and lines come from the user's own assignments."""

import numpy as np

from symdiff import value_and_grad


def function(x, y):
    a, b = np.sin(x), np.cos(y)
    total = a * b
    total += a
    result: float = np.sum(
        total
        * total
    )  # fmt: skip
    return result


def test_names_and_lines():
    gradient = value_and_grad(function, (0, 1))
    gradient(np.ones(3), np.ones(3))
    source = gradient.source
    for line in ("a = np.sin(x)", "b = np.cos(y)", "total = a * b", "total = total + a"):
        assert line in source
    assert "result = (total * total).sum()" in source
    assert "# from: total += a" in source
    assert "# from: result: float = np.sum( total * total )" in source


def test_a_function_without_source():
    namespace = {"np": np}
    exec("def f(x):\n    h = np.sin(x)\n    return np.sum(h * h)\n", namespace)
    gradient = value_and_grad(namespace["f"])
    value, bar = gradient(np.ones(2))
    np.testing.assert_allclose(bar, np.sin(2.0))
    assert value == 2 * np.sin(1.0) ** 2


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_a_returned_value_has_the_callers_name():
    def f(x):
        twice = lambda z: sigmoid(2 * z)
        h = twice(x)
        g = sigmoid(x)
        return np.sum(h * g) + np.sum(sigmoid(h))

    gradient = value_and_grad(f)
    loss = gradient(np.ones(2))  # outside what is traced: gives no name
    assert loss[0] == f(np.ones(2))
    for line in ("    h = 1 / ", "    g = 1 / ", "    h_bar = ", "# from: h = twice(x)"):
        assert line in gradient.source
    assert "loss" not in gradient.source


def squares(scores, target):
    return np.sum((scores - target) ** 2)


def test_a_value_without_a_name_has_that_of_the_variable_that_holds_it():
    def f(W, b, x, y):
        return squares(x @ W + b, y)

    gradient = value_and_grad(f, (0, 1))
    gradient(np.ones((2, 3)), np.ones(3), np.ones((4, 2)), np.ones((4, 3)))
    assert "scores_bar = " in gradient.source
    assert "target = " not in gradient.source  # y has a name
