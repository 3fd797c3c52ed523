"""Questions about values, and conversions: NumPy's answers."""

import numpy as np
import pytest

from symdiff import check_grads, jit

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


PIECES = """
    np.piecewise(x,[x<0],[np.sin,np.cos])
    np.piecewise(x, [x < 0, x > 1], [-1, lambda part: part**2, lambda part: part - part.mean()])
    np.piecewise(x, x < 0, [-1, 2 * x[0]])
    np.piecewise(x, [x < 0, x > 0], [lambda part, by: part * by, lambda part, by: part / by], 3.0)
    np.piecewise(x, [np.array([True, False, True])], [-1])
    np.piecewise(x, [[True, False, True], x > 5], [lambda part: part * x[0], 7])
    np.piecewise(x[0], x[0] < 0, [-1, np.sin])
    np.piecewise(np.outer(x, x), [np.outer(x, x) > 0], [np.sqrt, lambda part: part * 2])
    np.piecewise(n, [n > 1], [0.7, lambda part: part * 2.5])
    np.fromiter((each * 2 for each in x), float)
    np.fromiter((each * 2 for each in x), float, 2)
    np.fromiter(x, np.float32)
    np.fromiter(range(3), float) * x
"""


@pytest.mark.parametrize("call", PIECES.strip().splitlines())
def test_functions_of_parts_are_traced(call):
    function = eval(f"lambda x, n: {call.strip()}", {"np": np})
    expected = function(X, N)
    np.testing.assert_array_equal(jit(function)(X, N), expected, strict=True)
    if expected.dtype == float:
        check_grads(function, (X, N))


def test_as_many_functions_as_conditions():
    with pytest.raises(ValueError, match="either 1 or 2 functions are expected"):
        jit(lambda x: np.piecewise(x, [x > 0], [1, 2, 3]))(X)


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
