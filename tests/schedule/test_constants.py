"""Constants in the text: short ones are written out, and read as exactly what they are."""

import numpy as np
import pytest

from symdiff import grad, jit


def body(compiled):
    return compiled.compiled.work.source.split('"""')[2]


def test_array_literals():
    def f(x):
        lower = np.tril(np.ones((3, 3)))
        return np.sum(np.outer(x, x) * lower) + x @ lower @ (x * np.array([1.0, 2, 4]))

    compiled, x = jit(f), np.array([0.5, 1.5, 2.5])
    assert compiled(x) == f(x)
    text = body(compiled)
    assert text.count("[[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]") == 1
    assert "np.array([1.0, 2.0, 4.0])" in text
    assert "dtype" not in text
    narrow = jit(lambda x: x * np.float32([1, 2, 4]))
    narrow(np.float32(x))
    assert "np.array([1.0, 2.0, 4.0], dtype=np.float32)" in body(narrow)


def test_an_array_that_is_written_out_is_a_new_one():
    places = np.array([1, 0, 2])
    for function in (
        lambda x: x @ np.array([2.0, 3.0, 5.0]),
        lambda x: x @ np.array([2.0, 3.0, 5.0]) + x[0] ** 2,
        lambda x: x[places] @ np.arange(3.0),
    ):
        gradient = grad(function)
        first = gradient(np.ones(3))
        kept = first.copy()
        first[:] = 0
        np.testing.assert_array_equal(gradient(np.ones(3)), kept)
        assert ".copy()" not in body(gradient)


@pytest.mark.parametrize(
    "numbers", ["[0.5, -np.inf, np.nan, -0.0]", "[1 + 2j, complex(-0.0, np.inf)]"]
)
def test_arrays_of_numbers_without_literals(numbers):
    function = eval(f"lambda x: x * np.array({numbers})", {"np": np})
    compiled = jit(function)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(compiled(2.0), function(2.0), strict=True)
        signs = [np.signbit(each(2.0).real).tolist() for each in (compiled, function)]
    assert signs[0] == signs[1]


def test_a_column_is_not_compared_with_an_identity_of_as_many_rows():
    column = np.zeros((300_000, 1))  # that one would take 720 GB
    made = jit(lambda x: np.concatenate([x, column], axis=1))
    assert made(np.ones((300_000, 1))).sum() == 300_000


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("np.eye(40)", True),
        ("np.eye(40)[:, ::-1]", False),
        ("(np.eye(40) + np.eye(40, k=1))", False),
        ("(2 * np.eye(40))", False),
    ],
)
def test_only_an_identity_is_written_as_one(expression, written):
    function = eval(f"lambda x: x @ {expression}", {"np": np})
    x = np.arange(40.0).reshape(1, 40)
    compiled = jit(function)
    np.testing.assert_array_equal(compiled(x), function(x))
    assert ("np.eye(40)" in compiled.source) is written
