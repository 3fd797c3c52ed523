"""What is declared of functions without a record: answers, refusals, names."""

import numpy as np
import pytest

from symdiff import TraceError, UnsupportedFunctionError, jit
from symdiff.frontend import states

X = np.array([[0.5, -2.0, 3.0], [1.0, 4.0, 2.0]])

ASKED = """
    np.can_cast(x,np.float32) np.can_cast(x,complex) np.common_type(x,x.astype(np.float32))
    np.mintypecode([x]) np.einsum_path("ij,ik",x,x)[1] np.triu_indices_from(x)[1]
    np.broadcast_shapes(x.shape,(3,)) x.device np.issubdtype(x.dtype,np.floating)
    np.common_type(x[0,0],x)
"""


@pytest.mark.parametrize("question", ASKED.split())
def test_what_types_and_shapes_answer(question):
    function = eval(f"lambda x: {question}", {"np": np})
    actual, expected = jit(function)(X), function(X)
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected)


def test_sizes_may_be_arguments():
    windowed = jit(lambda x, n: x * np.hanning(n) + np.tri(2, n))
    np.testing.assert_array_equal(windowed(X, 3), X * np.hanning(3) + np.tri(2, 3))


def test_a_size_may_be_decided():
    windowed = jit(lambda x: np.hanning(int(x[0, 2])))
    np.testing.assert_array_equal(windowed(X), np.hanning(3))
    np.testing.assert_array_equal(windowed(2 * X), np.hanning(6))


def test_a_function_of_indices_is_traced():
    made = jit(lambda s, n: np.fromfunction(lambda i, j: i * s + j, (2, n)))
    np.testing.assert_array_equal(made(0.5, 3), np.fromfunction(lambda i, j: i * 0.5 + j, (2, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.save("x.npy", x), r"np\.save writes a file.*\n  .*\n  .* `x`\n  Return"),
        (lambda x: np.savez("x.npz", [x, x]), r"np\.savez writes a file.*\n  .*\n  .* `x`\n  Ret"),
        (lambda x: np.frompyfunc(abs, 1, 1)(x), r"np\.frompyfunc computes element by element"),
        (lambda x: x.strides, r"`\.strides` of a traced value asks how arrays lie in memory"),
        (lambda x: x * np.load("x.npy"), r"np\.load reads a file .*\n  test_states.*\n  Read it"),
        (lambda x: np.hanning(x[0, 0]), r"a size is a traced float\n  test_states.*\n.*\n  Conv"),
    ],
)
def test_a_refusal_says_why_and_what_to_write(call, message):
    with pytest.raises((TraceError, UnsupportedFunctionError), match=message):
        jit(call)(X)


def test_what_is_declared_of_a_function_is_found_by_its_name():
    assert states.declared(np.save) is states.DECLARED["np.save"]
    assert states.declared(np.logaddexp.at) is states.DECLARED["ufunc.at"]
    assert states.declared(len) is None
