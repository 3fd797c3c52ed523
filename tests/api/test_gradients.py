"""grad, value_and_grad, jit, function and stop_gradient."""

import warnings

import numpy as np
import pytest

import symdiff
from symdiff.errors import NotDifferentiableError


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)


def product(x, y):
    return x * y * y


def test_argnums():
    assert_same(symdiff.grad(product)(2.0, 3.0), 9.0)
    assert_same(symdiff.grad(product, 1)(2.0, 3.0), 12.0)
    assert_same(symdiff.grad(product, -1)(2.0, 3.0), 12.0)
    assert symdiff.grad(product, (1, 0))(2.0, 3.0) == (12.0, 9.0)
    assert symdiff.grad(product, (0,))(2.0, 3.0) == (9.0,)
    assert symdiff.grad(product, argnames=("y", "x"))(2.0, 3.0) == (12.0, 9.0)
    assert_same(symdiff.grad(product, argnames="y")(2.0, 3.0), 12.0)


def test_decorators():
    @symdiff.grad
    def plain(x):
        return x * x

    @symdiff.grad(argnums=(0, 1))
    def both(x, y):
        return x * y

    @symdiff.value_and_grad(has_aux=True)
    def with_aux(x):
        return x * x, {"x": x, "name": "f"}

    @symdiff.jit
    def value(x):
        return x + 1

    assert plain(3.0) == 6.0
    assert both(3.0, 4.0) == (4.0, 3.0)
    assert with_aux(3.0) == ((9.0, {"x": 3.0, "name": "f"}), 6.0)
    assert value(1.0) == 2.0


def test_aux():
    assert symdiff.grad(lambda x: (x * x, x), has_aux=True)(3.0) == (6.0, 3.0)
    with pytest.raises(NotDifferentiableError, match="should return"):
        symdiff.grad(lambda x: x, has_aux=True)(3.0)


def test_value_has_the_bits_of_the_function():
    x = np.random.default_rng(0).normal(size=(5, 7))

    def loss(x):
        return np.mean(np.tanh(x) ** 2 / (1 + np.abs(x)))

    value, _ = symdiff.value_and_grad(loss)(x)
    assert_same(value, loss(x))


def test_ufunc():
    np.testing.assert_allclose(symdiff.grad(np.sin)(0.3), np.cos(0.3), rtol=1e-15)


def test_orders():
    third = symdiff.grad(symdiff.grad(symdiff.grad(lambda x: np.sin(x))))
    np.testing.assert_allclose(third(0.3), -np.cos(0.3), rtol=1e-14)


def test_complex():
    assert symdiff.grad(lambda z: np.abs(z) ** 2)(3 + 4j) == 6 - 8j


def test_function():
    @symdiff.function
    def loss(x, y):
        return np.sum(x * y)

    x, y = np.ones(2), np.arange(2.0)
    assert loss(x, y) == 1
    assert_same(loss.grad(x, y), y)
    assert_same(loss.value_and_grad(x, y)[0], np.float64(1))
    assert loss.jvp((x, y), (x, y)) == (1.0, 2.0)


def test_show(capsys):
    @symdiff.function
    def loss(x):
        return np.sum(x * x)

    loss.show(np.ones(2))
    assert "def loss_grad(x):" in capsys.readouterr().out


def test_stop_gradient():
    def loss(x):
        return np.sum(x * symdiff.stop_gradient({"a": x})["a"])

    assert_same(symdiff.grad(loss)(np.array([2.0, 3.0])), np.array([2.0, 3.0]))
    assert loss(np.array([2.0, 3.0])) == 13


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: np.sum(np.sqrt(x)), [0.0, 1.0]),
        (lambda x: np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0)), [0.0, 1.0]),
        (lambda x: np.sum(x**0.5), [0.0, 4.0]),
        (lambda x: np.sum(x**3), [0.0, -2.0]),
        (lambda x: np.sum(np.abs(x)), [0.0, -2.0]),
        (lambda x: np.sqrt(np.sum(x * x)), [0.0, 0.0]),
        (lambda x: np.linalg.norm(x), [0.0, 0.0]),
        (lambda x: np.sum(np.where(x > 0, x, np.expm1(np.minimum(x, 0)))), [800.0, -800.0]),
        (lambda x: np.sum(np.cbrt(x)), [0.0, 8.0]),
        (lambda x: np.sum(np.arcsin(x)), [1.0, 0.0]),
        (lambda x: np.std(x), [1.0, 1.0]),
        (lambda x: np.prod(x), [0.0, 2.0]),
    ],
)
def test_derivatives_do_not_warn(function, x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        symdiff.grad(function)(np.array(x))
        symdiff.jvp(function, (np.array(x),), (np.ones(2),))


def test_ways_to_reuse():
    def loss(x):
        return np.sum(np.exp(np.sin(x) * 2))

    x = np.linspace(0, 1, 7)
    before = x.copy()
    np.testing.assert_allclose(symdiff.grad(loss, reuse=True)(x), symdiff.grad(loss)(x), rtol=1e-15)
    np.testing.assert_array_equal(x, before)


def test_not_callable():
    with pytest.raises(TypeError, match="a function is expected, not int"):
        symdiff.jit(1)


def test_show_of_a_plain_and_of_a_transformed_function(capsys):
    def loss(x):
        return np.sum(x * x)

    symdiff.show(loss, np.ones(3))
    assert "def loss_grad(x):" in capsys.readouterr().out
    compiled = symdiff.jit(loss)
    symdiff.show(compiled, np.ones(3))
    first = capsys.readouterr().out
    assert "def loss(x):" in first
    symdiff.show(compiled)
    assert capsys.readouterr().out == first == compiled.source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argnums": 2}, "argnums=2: quotient takes 2 arguments: x, y"),
        ({"argnums": ()}, "no argument of quotient is chosen"),
        ({"argnums": (0, -2)}, r"\(0, -2\) chooses an argument of quotient twice"),
        ({"argnames": ("x", "x")}, "chooses an argument of quotient twice"),
        ({"argnums": 1.0}, "argnums is an int or a tuple of ints, not 1.0"),
        ({"argnums": "x"}, "Names of arguments go in argnames"),
    ],
)
def test_arguments_that_cannot_be_chosen(options, message):
    def quotient(x, y):
        return x / y

    with pytest.raises(TypeError, match=message):
        symdiff.grad(quotient, **options)(1.0, 2.0)


def test_argnums_of_numpy():
    assert symdiff.grad(lambda x, y: x / y, np.int64(0))(1.0, 2.0) == 0.5


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: x, r"not f64\[\]"),
        (lambda x: (x, 1, 2), "not a tuple of 3 values"),
        (lambda x: None, "not NoneType"),
    ],
)
def test_aux_that_is_not_there(result, message):
    with pytest.raises(symdiff.NotDifferentiableError, match=message):
        symdiff.grad(result, has_aux=True)(np.float64(1.0))
    with pytest.raises(symdiff.NotDifferentiableError, match=message):
        symdiff.vjp(result, np.float64(1.0), has_aux=True)


def test_function_with_chosen_arguments():
    @symdiff.function(argnums=1)
    def second(x, y):
        return x * y**2

    @symdiff.function(argnames="x")
    def first(x, y):
        return x * y**2

    assert second(2.0, 3.0) == 18.0
    assert second.grad(2.0, 3.0) == 12.0
    assert first.value_and_grad(2.0, 3.0) == (18.0, 9.0)
