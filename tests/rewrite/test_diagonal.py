"""Jacobians start from identity matrices: what is emitted has none left to multiply."""

import re

import numpy as np
import pytest

import symdiff
from symdiff.ir import constant, input_node, node, parse_type
from symdiff.ops.shaping import broadcast_to
from symdiff.rewrite.diagonal import is_identity, on_diagonal

A = np.random.default_rng(0).standard_normal((4, 4))
X = np.random.default_rng(1).standard_normal((4,))


def differences(function, x):
    step = 1e-6
    moves = step * np.eye(len(x))
    columns = [(function(x + move) - function(x - move)) / (2 * step) for move in moves]
    return np.stack(columns, axis=-1)


def test_the_hessian_of_a_quadratic_form():
    hessian = symdiff.hessian(lambda x, A: x @ A @ x)
    np.testing.assert_array_equal(hessian(X, A), A + A.T)
    assert "A + A.T" in hessian.source


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: np.sin(x) * x**2, id="product"),
        pytest.param(lambda x: np.exp(x) / (1 + x * x) - x, id="quotient"),
        pytest.param(lambda x: np.where(x > 0, x * x, np.tanh(x)), id="choice"),
        pytest.param(lambda x: -np.maximum(x, 0) + x, id="relu"),
    ],
)
def test_the_jacobian_of_an_elementwise_function_is_computed_as_a_vector(function):
    jacobian = symdiff.jacobian(function)
    np.testing.assert_allclose(jacobian(X), differences(function, X), atol=1e-8)
    assert "np.eye" not in jacobian.source
    assert jacobian.source.count("np.diag(") == 1


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: np.tanh(A @ x), id="tanh-outside"),
        pytest.param(lambda x: A @ np.tanh(x), id="tanh-inside"),
        pytest.param(lambda x: A @ (x * (A @ x)), id="scaled"),
        pytest.param(lambda x: np.exp(x) / np.sum(np.exp(x)), id="softmax"),
    ],
)
def test_no_product_with_an_identity_is_left(function):
    jacobian = symdiff.jacobian(function)
    np.testing.assert_allclose(jacobian(X), differences(function, X), atol=1e-8)
    assert not re.search(r"np\.eye\(4\) [@*]|[@*] np\.eye", jacobian.source)


def test_what_is_no_identity_stays():
    square = parse_type("f64[3,3]")
    for wrong in (np.eye(3) * 2, np.eye(3)[::-1], np.eye(3) + 1e-9):
        assert not is_identity(constant(wrong, square))
    assert not is_identity(constant(np.eye(4)[:, :3], parse_type("f64[4,3]")))
    assert is_identity(constant(np.eye(3), square))


def test_a_column_and_a_row_have_the_same_diagonal():
    shape = (("shape", (3, 3)),)
    row, column = (input_node("x", parse_type(each)) for each in ("f64[3]", "f64[3,1]"))
    assert on_diagonal(node(broadcast_to, (row,), shape)) is row
    assert on_diagonal(node(broadcast_to, (column,), shape)).args == (column,)
    assert on_diagonal(constant(2.0, parse_type("f64[3,3]"))).type.shape == (3,)


def test_the_gradient_of_a_quadratic_form_shares_its_product():
    gradient = symdiff.value_and_grad(lambda x, A: x @ A @ x)
    value, x_bar = gradient(X, A)
    assert value == X @ A @ X
    np.testing.assert_allclose(x_bar, (A + A.T) @ X, rtol=1e-13)
    assert " = x @ A\n" in gradient.source
    assert " + A @ x\n" in gradient.source
    assert "reshape(" not in gradient.source
