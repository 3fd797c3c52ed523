"""Arrays that a traced function makes itself: traced values can be stored in them."""

import numpy as np
import pytest

from symdiff import TraceError, grad, jit, value_and_grad
from tests.frontend.test_stores import VECTOR, check, function, lines

MADE = lines("""
    y = np.zeros(5); y[1:] = x[:-1]; return y
    y = np.zeros(5); y[0] = x[0]; return y
    y = np.empty(5); y[:] = x ** 2; return y
    y = np.empty(len(x)); [y.__setitem__(i, x[i] ** 2) for i in range(5)]; return y
    y = np.ones((2, 5)); y[1] = x; return y
    y = np.full(3, 2.0); y[:2] *= x[:2]; return y
    y = np.eye(3); y[0] = x[:3]; return y @ x[:3]
    y = np.arange(5.0); y[x > 3] = x[0]; return y
    y = np.array([1.0, 2.0, 3.0]); y[1] = x[0]; return y
    y = np.array([[1.0, 2.0], [3.0, 4.0]]); y[1, 0] = x[0]; return y @ y
    y = np.zeros(5); y += x; return y
    y = np.zeros(5); np.add(x, 1, out=y); return y
    y = np.zeros(5, int); y[:] = x; return y * x
    y = np.linspace(0, 1, 5); y[2] = x[2]; return y * x
    y = np.zeros(5); k = np.arange(5); y[k[1:]] = x[k[:-1]]; return y
    y = np.zeros(5); k = np.arange(5); y[k[k > 2]] = x[k[k > 2]]; return y
    y = np.zeros(5); k = np.array([0, 2]); [y.__setitem__(i, x[i]) for i in k]; return y
    y = np.zeros(5); k = np.arange(3); y[int(k[1])] = x[0]; return y + k.sum()
    y = np.zeros(5); n = np.array([2, 3]); z = np.zeros(n) + x[0]; y[0] = z.sum(); return y
    y = np.zeros(5); m = np.array([1.0, -1.0]); y[0 if m[0] > 0 else 1] = x[0]; return y
    y = np.zeros(5); y[0] = x[0]; z = np.linalg.matrix_rank(np.eye(3)); return y * z
    y = np.zeros(5); s = y; s[0] = x[0]; return y
    y = np.zeros((5, 1)); y[:, 0] = x; return y
    y = [np.zeros(2) for _ in range(3)]; y[0][0] = x[0]; y[2][1] = x[1]; return np.concatenate(y)
    a = np.zeros(5); b = np.zeros(5); a[0] = x[0]; b[1] = a[0] ** 2; return a + b
    y = np.zeros(5); y[0] = float(x[0]); return y
    y = np.zeros(5); y[0] = x[0]; return float(y[0]) * x
    y = np.zeros(5); y[0] = x[0]; return {'a': y}['a']
    y = np.zeros(3); y[:] = [x[0], 1.0, x[1]]; return y
    y = np.zeros(5, dtype=complex); y[0] = x[0]; return np.abs(y) ** 2
    y = np.zeros(5, dtype=bool); y[0] = x[0] > 0; return y * x
    y = np.zeros(10).reshape(2, 5); y[0] = x; return y
    y = np.zeros(6); z = y.reshape(2, 3); z[0, 1] = x[0]; return y
    w = np.hanning(5); y = np.zeros(5); y[:] = w * x; return y
    y = np.zeros(5); y[np.argmax(x)] = x[0]; return y
    y = np.zeros(5); y[1:4][1] = x[0]; return y
    y = np.zeros(5); y[0] = x[0]; y.sort(); return y
    n = np.zeros(3, int); n[1] += 2; y = np.zeros(5); y[n[1]] = x[0]; return y
    n = np.zeros(3, int); n[1] += 2; y = np.zeros(5); y[0] = x[0]; return y[:n[1]]
""")


@pytest.mark.parametrize("body", MADE)
def test_stores_into_what_was_made(body):
    check(function(body), VECTOR)


def test_what_is_made_without_stores_of_traced_values_stays_plain():
    def made(x):
        y = np.zeros(3)
        y[1] = 2.0
        assert type(y) is np.ndarray
        return x * y[1]

    assert jit(made)(3.0) == 6.0


def test_a_loop_fills_an_array():
    def distances(x):
        n = len(x)
        d = np.zeros((n, n))
        for i in range(n):
            for j in range(i):
                d[i, j] = d[j, i] = (x[i] - x[j]) ** 2
        return d

    x = np.array([1.0, 3.0, 4.0])
    np.testing.assert_array_equal(jit(distances)(x), distances(x))
    gradient = grad(lambda x: np.sum(distances(x)[0]))(x)
    np.testing.assert_array_equal(gradient, [-10, 4, 6])


def test_the_first_value_stored_stays_in_value_and_gradient():
    def number(x):
        y = np.ones(3)
        y[0] = x[0]
        first = y.copy()
        y[0] = x[1]
        return np.sum(first * y * np.arange(1.0, 4.0))

    value, gradient = value_and_grad(number)(np.array([2.0, 5.0]))
    assert value == 10 + 2 + 3
    np.testing.assert_array_equal(gradient, [5, 2])


OUTSIDE = np.arange(5.0)


def test_what_outlives_the_call_is_not_changed():
    def stores(x):
        OUTSIDE[0] = x[0]
        return OUTSIDE

    np.testing.assert_array_equal(jit(stores)(VECTOR), [VECTOR[0], 1, 2, 3, 4])
    assert OUTSIDE[0] == 0


def test_what_no_traced_function_made_is_not_changed():
    def stores(x):
        y = np.frombuffer(bytes(40)).copy()
        y += x
        return y

    with pytest.raises(TraceError, match="which the function has not made"):
        jit(stores)(VECTOR)


def test_nested_derivatives_store_too():
    def inner(x):
        y = np.zeros(2)
        y[0] = x**2
        y[1] = y[0] * x
        return y[1]

    assert grad(grad(inner))(2.0) == 12.0
    assert jit(lambda x: grad(inner)(x) * 2)(2.0) == 24.0


def test_unknown_functions_of_what_is_known_are_called():
    def known(x):
        y = np.zeros(3)
        y[0] = x[0]
        return y * np.linalg.matrix_rank(np.eye(3))

    np.testing.assert_array_equal(jit(known)(VECTOR), [3 * VECTOR[0], 0, 0])
