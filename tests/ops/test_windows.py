"""np.i0 and Kaiser's window: NumPy's bits and types, and derivatives."""

import numpy as np
import pytest

from symdiff import check_grads, jit

X = np.array([0.5, -2.0, 9.0])


@pytest.mark.parametrize(
    "x", [X, X.astype(np.float32), X.astype(int), X[:0], 0.5, 3, np.float64(2), np.array(0.5)]
)
def test_the_function_is_numpys(x):
    np.testing.assert_array_equal(jit(np.i0)(x), np.i0(x), strict=True)


def test_complex_numbers_are_refused_as_by_numpy():
    with pytest.raises(TypeError, match="not supported for complex"):
        jit(np.i0)(X * 1j)


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_the_window_is_numpys(size):
    window = jit(lambda beta, size: np.kaiser(size, beta))
    np.testing.assert_array_equal(window(8.5, size), np.kaiser(size, 8.5), strict=True)


def test_the_window_has_a_derivative_by_its_shape():
    check_grads(lambda beta: np.kaiser(5, beta), (8.5,))
