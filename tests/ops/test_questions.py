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


DECIDED = """
    np.real_if_close(z) np.real_if_close(z*1e-20+x) np.real_if_close(x) np.real_if_close(z,1e3)
    np.real_if_close(z.astype(np.complex64)*1e-9+x,tol=1000)
    np.asarray_chkfinite(x) np.asarray_chkfinite(n) np.asarray_chkfinite(n,float)
    np.asarray_chkfinite([x[0],x[1]]) np.asarray_chkfinite(x[0]) np.from_dlpack(x)
    np.trim_zeros(x*[0,1,0]) np.trim_zeros(x*[1,0,0],"f") np.trim_zeros(x*[1,0,0],"b")
    np.trim_zeros(x*0) np.trim_zeros(x*0,"f") np.trim_zeros(x[:0]) np.trim_zeros(n)
    np.trim_zeros(np.outer(x*[0,1,0],x*[0,1,1])) np.trim_zeros(np.outer(x,x*[0,1,1]),axis=-1)
    x.to_device("cpu")
"""


@pytest.mark.parametrize("question", (QUESTIONS + DECIDED).split())
def test_the_answer_is_numpys(question):
    function = eval(f"lambda x, z, n: {question}", {"np": np})
    actual, expected = jit(function)(X, Z, N), function(X, Z, N)
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=isinstance(expected, np.ndarray))


def test_what_was_decided_is_decided_again():
    trimmed = jit(np.trim_zeros)
    for values in ([0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]):
        np.testing.assert_array_equal(trimmed(np.array(values)), np.trim_zeros(np.array(values)))


def test_what_is_not_finite_is_numpys_error():
    checked = jit(lambda x: np.asarray_chkfinite(x) * 2)
    np.testing.assert_array_equal(checked(X), X * 2)
    with pytest.raises(ValueError, match="must not contain infs or NaNs"):
        checked(np.array([1.0, np.inf, 2.0]))


def test_a_conversion_without_a_copy_is_the_array_itself():
    def doubled(x):
        y = np.astype(x, float, copy=False)
        y *= 2
        return x

    np.testing.assert_array_equal(jit(doubled)(X), 2 * X)
