"""Questions about values, and conversions: NumPy's answers."""

import numpy as np
import pytest

from symdiff import jit

X = np.array([0.5, -2.0, 3.0])
Z = X + 1j * np.array([0.0, 1.0, 0.0])
N = np.arange(3)

QUESTIONS = """
    np.isreal(x) np.isreal(z) np.isreal(n) np.isreal(x[0]) np.isreal(x[:0])
    np.iscomplex(x) np.iscomplex(z) np.iscomplex(n) np.iscomplex(z[1])
    np.array_equiv(x,x[None]) np.array_equiv(x,z) np.array_equiv(x,x[:2]) np.array_equiv(x,x[0])
    np.array_equal(x,x) np.array_equal(x,x[:2]) np.allclose(x,z) np.allclose(x,x+1e-9)
    np.astype(x,np.float32) np.astype(n,float) np.astype(z,complex,copy=False)
    np.require(x) np.require(n,float) np.require(x,None,"C") np.require(x,requirements=["O","W"])
"""


@pytest.mark.parametrize("question", QUESTIONS.split())
def test_the_answer_is_numpys(question):
    function = eval(f"lambda x, z, n: {question}", {"np": np})
    actual, expected = jit(function)(X, Z, N), function(X, Z, N)
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=isinstance(expected, np.ndarray))


def test_a_conversion_without_a_copy_is_the_array_itself():
    def doubled(x):
        y = np.astype(x, float, copy=False)
        y *= 2
        return x

    np.testing.assert_array_equal(jit(doubled)(X), 2 * X)
