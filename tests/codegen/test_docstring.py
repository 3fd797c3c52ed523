"""Docstrings of emitted functions."""

import inspect

import numpy as np
import pytest

from symdiff import grad, jit, scan, stop_gradient, value_and_grad


def body(x):
    return np.sum(np.maximum(x, 0) * np.abs(x))


def test_says_what_is_computed_of_which_types_and_by_which_conventions():
    assert inspect.getdoc(grad(body).lower(np.ones(3)).function) == (
        "Gradient of `body` with respect to x.\n"
        "\n"
        "Takes x: f64[3].\n"
        "Returns x_bar: f64[3].\n"
        "\n"
        "np.maximum shares its derivative at a tie; a tie with a constant goes to\n"
        "  the constant.\n"
        "np.abs has derivative 0 at 0."
    )


def test_names_every_argument_that_is_differentiated():
    def f(x, params):
        return x * params["a"] + params["b"]

    doc = inspect.getdoc(value_and_grad(f, (0, 1)).lower(1.0, {"a": 2.0, "b": 3.0}).function)
    assert doc.startswith("Value and gradient of `f` with respect to x and params.\n")
    assert 'params["a"], params["b"]: float' in doc


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: np.sum(np.where(x > 0, x, -x)), "np.where: the branch not chosen"),
        (lambda x: np.real(np.sum(x * 1j)), "df/dx - i df/dy"),
        (lambda x: np.sum(np.sign(x) * x), "np.sign has derivative 0 at 0."),
        (lambda x: np.max(x), "np.max shares its derivative between"),
    ],
)
def test_conventions_stand_where_they_matter(function, expected):
    point = np.ones(3) + (0j if "dy" in expected else 0)
    assert expected in grad(function).lower(point).source


def test_conventions_of_what_is_not_differentiated_are_left_out():
    def f(x, y):
        return np.sum(x * np.abs(y))

    def softmax(x):
        return np.exp(x - stop_gradient(np.max(x)))[0]

    assert "np.max shares" not in grad(softmax).lower(np.ones(3)).source
    assert "np.abs has" not in grad(f).lower(np.ones(3), np.ones(3)).source
    assert "np.abs has" not in jit(f).lower(np.ones(3), np.ones(3)).source


def test_conventions_of_bodies_are_said():
    def f(weights, x):
        h, _ = scan(lambda h, w: (np.maximum(h * w, 0), None), np.where(x > 0, x, 0.1), weights)
        return np.sum(h)

    doc = inspect.getdoc(grad(f, 1).lower(np.ones((4, 3)), np.ones(3)).function)
    assert "np.maximum shares its derivative" in doc
    assert "np.where: the branch not chosen" in doc


def test_selection_is_no_convention_under_ieee():
    def f(x):
        return np.sum(np.where(x > 0, x, 0))

    assert "np.where:" not in grad(f, math="ieee").lower(np.ones(3)).source


def test_a_long_list_of_arguments_is_wrapped():
    names = ", ".join(f"argument_{i}" for i in range(12))
    f = eval(f"lambda {names}: argument_0 * argument_1")
    source = jit(f).lower(*[1.0] * 12).source
    doc = source.split('"""')[1]
    assert max(map(len, doc.splitlines())) <= 79


def test_what_is_not_there_is_not_listed():
    gradient = grad(lambda p, x: np.sum(x))
    assert gradient({}, np.ones(3)) == {}
    assert "with respect to nothing.\n" in gradient.source
    assert "Returns" not in gradient.source
    constant = jit(lambda: 3)
    assert constant() == 3
    assert "Takes nothing.\n" in constant.source
