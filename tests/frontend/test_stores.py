"""Stores into parts of traced arrays: as NumPy does them, in value and in derivative."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symdiff import TraceError, check_grads, grad, jit, jvp, vmap

VECTOR = np.arange(1.0, 6.0) + 0.3
MATRIX = np.arange(12.0).reshape(3, 4) * 1.1 + 0.2


def function(body):
    """The function of x with these statements."""
    lines = "".join(f"    {line.strip()}\n" for line in body.split(";"))
    namespace = {"np": np}
    exec(f"def stores(x):\n{lines}", namespace)
    namespace["stores"].__doc__ = body
    return namespace["stores"]


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


OF_VECTORS = lines("""
    y = np.zeros_like(x); y[1:] = x[:-1]; return y
    y = x * 2; y[0] += x[1] ** 2; return y
    y = x * 2; y[1:] += x[:-1] * 3; return y
    y = x * 2; y[1:] *= y[:-1]; return y
    y = x * 2; y[1:] = y[:-1]; return y
    y = x * 2; y[[0, 1]] = y[[1, 0]]; return y
    y = x * 2; y[0], y[1] = y[1], y[0]; return y
    y = x * 2; y[[0, 0]] = [x[1], x[2]]; return y
    y = x * 2; y[[0, 0, 1]] += x[:3]; return y
    y = x * 2; y[x > 3] = 0; return y
    y = x * 2; y[x > 3] = x[x > 3] ** 2; return y
    y = x * 2; y[x > 3] *= x[1]; return y
    y = x * 2; y[...] = x ** 2; return y
    y = x * 2; y[:] = x[0]; return y
    y = x * 2; y[np.argmax(x)] = x[0] ** 2; return y
    y = x * 2; y[np.argsort(-x)] = x ** 2; return y
    y = x * 2; y[np.argsort(x) // 2] = x ** 2; return y
    y = x * 2; y[(x * 0).astype(int)] = x; return y
    y = x * 2; v = y[1:3]; v[0] = x[0] * x[1]; return y + v.sum()
    y = x * 2; v = y[1:4]; v += x[0]; v[1] *= x[2]; return y * v[2]
    y = x * 2; v = y[::-1]; v[1] = x[0] ** 2; return y * v
    y = x * 2; v = y[::-1][1:3]; v[:] = x[:2] ** 2; return y * v[0]
    y = x * 2; y[-1] = x[0]; y[-2:] *= x[1]; return y
    y = x * 2; z = y ** 2; y[0] = 1.0; return y * z
    y = x * 2; s = np.sin(y); y[0] = x[1]; return y * s
    y = x * 2; y[1] = y[0] * x[1]; y[2] = y[1] * x[2]; y[4] = y[3] ** 2; return y
    x[0] = 2 * x[1]; return x
    x[1:] *= x[:-1]; return x
    y = x.copy(); y[0] = 3; return y * x
    y = x * 2; a = y[:]; a[0] = x[1]; return y
    y = x * 2; y[1:][1:][0] = x[0]; return y
    y = x * 2; y[:, None][1, 0] = x[0]; return y
    y = x * 2; y[[True, False, True, False, False]] = x[:2]; return y
    y = x * 2; y[[]] = x[:0]; return y
    y = x * 2; y[2:2] = x[0]; return y
    y = x * 2; y[None, 1] = x[0]; return y
    y = x * 2; y[True] = x[0]; return y
    y = x * 2; y[[3, -1]] = x[:2] ** 2; return y
    y = x * 2; y[[4, -1]] = x[:2] ** 2; return y
    y = x * 2; t = y.sum(); t += 1; y[0] = t; return y * t
    y = x * 2; a = y[1:] * 2; y[1] = x[3]; return a.sum() * y
    y = x * 2; a = y[1:]; b = a * a; y[1] = x[3]; return (a * b).sum() * y
    y = x * 2; np.add(y, x, out=y[:]); return y
    y = x * 2; np.multiply(y[1:], x[1:], out=y[:-1]); return y
    y = x * 2; np.exp(x[:2], out=y[3:]); return y
    y = np.zeros_like(x, dtype=int); y[:] = x * 2; return y + x
    y = x * 2; y[0] = 1; y[1] = True; y[2] = np.float32(2.5); return y * x
""")
INTO_COMPLEX = lines("""
    y = x * (1 + 2j); y.real = x ** 2; return np.abs(y)
    y = x * (1 + 2j); y.imag[1:] *= y.real[:-1]; return np.abs(y)
    y = x * (1 + 2j); y.real[:] = 0; y.imag -= x; return np.abs(y - 1)
    y = np.empty(5, complex); y.real = x; y.imag = x ** 2; return np.abs(y)
    y = np.zeros(5, complex); y.real[::2] = x[:3]; y.imag[3] = x[0]; return np.abs(y - 1j)
    y = x * (1 + 2j); r = y.real; r[0] = 5; r *= y.imag; return np.abs(y) * r
    y = x * (1 + 2j); y[1:][::2].imag = x[:2]; np.copyto(y.real, 3); return np.abs(y)
    y = x * 2; y.real = x ** 2; return y
""")
OF_MATRICES = lines("""
    y = x * 2; y[0] = x[1]; return y
    y = x * 2; y.T[0] = x[:, 1]; return y
    y = x * 2; y.T[0, 1] = x[0, 0] ** 2; return y
    y = x * 2; y[:, 1] = x[:, 0]; y[0, :] *= 2; return y
    y = x * 2; y[0], y[1] = y[1], y[0]; return y
    y = x * 2; y[[0, 1]] = y[[1, 0]]; return y
    y = x * 2; [row.__setitem__(0, x[0, 0]) for row in y]; return y
    y = x * 2; y[1][2] = x[0, 0] ** 2; return y
    y = x * 2; y[1][1:3][0] = x[0, 0] ** 2; return y
    y = x * 2; y[:, ::2][1] = x[0, :2]; return y
    y = x * 2; y.T[1:][:, 0][::-1] = x[0, :3] ** 2; return y
    y = x * 2; y[y > 5] = 0; return y
    y = x * 2; y[x > 5] = x[x > 5] ** 2; return y * x
    y = x * 2; y[x[:, 0] > 1] = x[0]; return y
    y = x * 2; y[[0, 2], [1, 1]] = x[0, :2]; return y
    y = x * 2; y[:, [0, 2]] = x[:, 1:3] ** 2; return y
    y = x * 2; y[np.ix_([0, 2], [1, 3])] = x[:2, :2] ** 2; return y
    y = x * 2; y[np.arange(3), np.argmax(x, 1)] = 0; return y
    y = x * 2; y[:, None, 1] = x[:, :1]; return y
    y = x * 2; y[..., -1] = x[..., 0]; return y
    y = x * 2; y[1:, 1:] = y[:-1, :-1]; return y
    y = x * 2; y[1:-1] += 0.1 * (y[2:] + y[:-2] - 2 * y[1:-1]); return y
    y = x * 2; y[0] = x[1][None, :]; return y
    y = x * 2; y.T[:, 1:][[0, 1]] = x[0, :2]; return y
    y = x * 2; y[1] -= x[0]; y[2] /= x[1]; return y
    y = x * 2; y[1] **= 2; return y
    y = x * 2; y[1:3][x[1:3] > 5] = x[0, 1]; return y
    y = np.zeros_like(x); y[0, 0] = x[0, 0]; y[:, 1] = x[:, 2]; y[1:, 2:] = x[:2, :2]; return y
    y = x * 2; r = y[0]; y[0] = 1; r[1] = x[1, 1]; return y * r
""")
BY_FUNCTIONS = lines("""
    y = x * 2; np.fill_diagonal(y, x[0, 0]); return y
    y = x * 2; np.fill_diagonal(y, 0); return y
    y = x * 2; y.fill(x[0, 0]); return y
    y = x * 2; y.flat[3] = x[0, 0] ** 2; return y
    y = x * 2; y.flat[1:5] = x[0]; return y
    y = x * 2; y.flat = x[0]; return y
    y = x * 2; np.copyto(y, x ** 2); return y
    y = x * 2; np.copyto(y, x[0], where=x > 3); return y
    y = x * 2; np.put(y, [0, 5], x[0, :2] ** 2); return y
    y = x * 2; np.put(y, [0, 5, -1], x[0, :2] ** 2); return y
    y = x * 2; y.put([0, 50], x[0, :2] ** 2, mode='clip'); return y
    y = x * 2; np.put_along_axis(y, np.argmax(x, axis=1)[:, None], 0.0, axis=1); return y
    y = x * 2; np.put_along_axis(y, np.array([[1], [0], [2]]), x[:, :1] ** 2, axis=1); return y
    y = x * 2; np.place(y, x > 5, [x[0, 0], x[0, 1]]); return y
    y = x * 2; np.putmask(y, x > 5, x ** 2); return y
    y = x * 2; np.putmask(y, x > 5, x[0] ** 2); return y
    y = x * 2; np.add.at(y, [0, 0, 1], x[0]); return y
    y = x * 2; np.add.at(y, ([0, 0, 1], [1, 1, 2]), x[0, :3]); return y
    y = x * 2; np.subtract.at(y, (slice(None), [0, 0]), x[:, :2] ** 2); return y
    y = x * 2; np.multiply.at(y, ([0, 0, 1], [1, 1, 2]), x[0, :3]); return y
    y = x * 2; np.add.at(y, 0, 1.0); return y
    y = x * 2; np.negative.at(y, [0, 0, 1]); return y
    y = x * 2; np.fill_diagonal(y, x[0]); return y
    y = x * 2; np.fill_diagonal(y, x[0], wrap=True); return y
    y = x * 2; y.flat[::2] = x.flat[::2]; return y
    y = x * 2; v = y.flat[1:3]; v[0] = 9; return y
    y = x * 2; return np.sum(y.flat) * y
    y = x * 2; y.T.flat[1] = x[0, 0]; return y
    y = np.zeros(4); np.add.at(y, [0, 1, 1], x[0]); return y
    y = np.zeros((4, 3)); np.copyto(y, x ** 2); return y
    y = np.zeros((4, 3)); np.put(y, [1, 2], x[0, :2]); return y
    y = np.zeros(3); y.fill(x[0, 0]); return y
    y = np.zeros((3, 3)); np.fill_diagonal(y, x[0]); return y
    y = np.zeros(4); np.add.at(y, np.argmax(x, axis=1), x[:, 0] ** 2); return y
    y = x * 2; np.maximum.at(y, [0, 0], x[1] ** 2); return y
    y = x * 2; np.add.at(y, (slice(None), 1), x[:, 0]); return y
    y = x * 2; np.add.at(y, x > 5, 1.5); return y
    y = x * 2; np.power.at(y, ([0, 1], [1, 1]), 2.0); return y
""")


def weights(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int)) * 1.7 + 0.3).reshape(shape)


def check(function, x):
    given, expected = x.copy(), function(x.copy())
    found = jit(function)(given)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    w = weights(np.shape(expected))

    def number(x):
        return np.sum(w * function(x.copy()))

    slope = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        change = np.zeros(x.shape)
        change[i] = 1e-6
        slope[i] = (number(x + change) - number(x - change)) / 2e-6
    np.testing.assert_allclose(grad(lambda x: np.sum(w * function(x)))(given), slope, atol=1e-5)
    np.testing.assert_array_equal(given, x)  # the caller's array stays as it is
    tangent = jvp(lambda x: np.sum(w * function(x)), (given,), (w_x := weights(x.shape),))[1]
    np.testing.assert_allclose(tangent, np.sum(slope * w_x), atol=1e-5)
    rows = np.stack([x, 2 - x / 7])
    body = function.__doc__
    if "place(" not in body and "y[1:3][x" not in body and "[x[:, 0] > 1] = x" not in body:
        mapped = vmap(function)(rows)
        np.testing.assert_allclose(mapped, [function(row.copy()) for row in rows], rtol=1e-12)


@pytest.mark.parametrize("body", OF_VECTORS + INTO_COMPLEX)
def test_stores_into_vectors(body):
    check(function(body), VECTOR)


@pytest.mark.parametrize("body", OF_MATRICES)
def test_stores_into_matrices(body):
    check(function(body), MATRIX)


@pytest.mark.parametrize("body", BY_FUNCTIONS)
@pytest.mark.parametrize("x", [MATRIX, MATRIX.T.copy() + 0.01], ids=["wide", "tall"])
def test_functions_that_store(body, x):
    if fits(function(body), x):
        check(function(body), x)


def test_an_imaginary_part_that_is_not_there():
    with pytest.raises(TypeError, match="imaginary part"):
        jit(function("y = x * 2; y.imag = x; return y"))(VECTOR)


def fits(function, x):
    """Whether NumPy itself finds that the shapes in a function go with its argument."""
    try:
        function(x.copy())
    except (ValueError, IndexError):
        return False
    return True


@st.composite
def programs(draw):
    """A few stores, one after the other, into an array and its views, with reads between them."""
    rows = st.sampled_from(["0", "1", "-1", ":", "1:", "::2", "::-1", "[0, 2]", "[2, 2]"])
    lines = ["y = x * 2", "total = 0.0"]
    for _ in range(draw(st.integers(1, 5))):
        array = draw(st.sampled_from(["y", "y.T", "y[1:]", "y[::-1]", "y.T[1:3]"]))
        bound = "1" if array != "y" else draw(rows)
        where = draw(st.sampled_from(["{}", "{}, 1", "{}, 1:", "..., 0", "{}, ::2"]))
        operator = draw(st.sampled_from(["=", "+=", "*=", "-="]))
        value = draw(st.sampled_from(["x[0, 1] ** 2", "3.0", "np.sin(y[1, 2])", "total"]))
        lines += [f"v = {array}", f"v[{where.format(bound)}] {operator} {value}"]
        if draw(st.booleans()):
            lines.append("total = total + np.sum(y ** 2) * 1e-3")
        if draw(st.booleans()):
            lines.append("total = total + v[0, 0]")
    return "; ".join([*lines, "return np.sum(y * y * x) + total"])


@settings(max_examples=25, deadline=None)
@given(programs())
def test_any_stores_are_numpys(body):
    number = function(body)
    x = MATRIX / 10
    np.testing.assert_allclose(jit(number)(x), number(x.copy()), rtol=1e-14)
    slope = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        change = np.zeros(x.shape)
        change[i] = 1e-6
        slope[i] = (number(x + change) - number(x - change)) / 2e-6
    np.testing.assert_allclose(grad(number)(x), slope, rtol=1e-5, atol=1e-6)


def test_second_derivatives_go_through_stores():
    def number(x):
        y = np.zeros_like(x)
        y[0] = x[0] ** 2
        y[1:] = x[1:] * x[:-1]
        y[1:] *= y[:-1]
        return np.sum(y * y)

    check_grads(number, (VECTOR / 3,), order=2)


def test_the_last_of_several_values_in_one_place_has_the_derivative():
    def number(x, places):
        y = np.zeros_like(x)
        y[places] = x**2
        return np.sum(y * np.arange(1.0, 5.0))

    x, places = np.arange(1.0, 5.0), np.array([1, 0, 1, 3])
    np.testing.assert_array_equal(grad(number)(x, places), [0, 4, 12, 32])


def test_a_number_is_stored_wherever_a_mask_is_true():
    def number(x):
        y = x * 2
        y[x > 3] = x[0] ** 2
        return np.sum(y)

    slope = grad(number)
    np.testing.assert_array_equal(slope(np.array([1.0, 2.0, 4.0])), [4, 2, 0])
    np.testing.assert_array_equal(slope(np.array([1.0, 5.0, 4.0])), [6, 0, 0])  # the same program
    np.testing.assert_array_equal(
        vmap(slope)(np.array([[1.0, 2.0, 4.0], [1.0, 5.0, 4.0]])), [[4, 2, 0], [6, 0, 0]]
    )


def test_numbers_are_cast_to_the_dtype_of_the_array():
    def half(x):
        y = np.zeros_like(x, dtype=np.float32)
        y[1:] = x[1:] * x[0]
        return y

    found = jit(half)(VECTOR)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, half(VECTOR))
    assert grad(lambda x: np.sum(half(x)))(VECTOR).dtype == np.float64


REFUSED = {
    "y = x * 2; np.multiply.at(y, (x - x).astype(int), 2.0)": (Exception, "may repeat"),
    "y = x.astype(int); np.copyto(y, x)": (TypeError, "Cannot cast array data"),
    "np.fill_diagonal(x, 1.0)": (ValueError, "must be at least 2-d"),
    "x.sum()[0] = 1": (TypeError, "does not support item assignment"),
    "y = x * 2; y[1:] = x": (ValueError, "could not broadcast input array from shape"),
    "y = x * 2; y[9] = 1": (IndexError, "out of bounds"),
    "y = np.broadcast_to(x, (2, 5)); y[0, 0] = 1": (TraceError, "read-only"),
    "y = x * 2; y[0] = x[0] * 1j": (TraceError, "a complex value is stored"),
    "y = x * 2; y['a'] = 1": (Exception, "only integers|must be of integer"),
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_numpy_refuses_is_refused(body):
    kind, message = REFUSED[body]
    with pytest.raises(kind, match=message):
        jit(function(f"{body}; return x"))(VECTOR)


def test_what_an_array_of_integers_takes_is_cut_off_and_has_derivative_zero():
    def f(x):
        y = np.zeros(3, int)
        y[0] = 2 * x[0]
        return np.sum(y * x)

    x = np.array([1.3, 2.0, 3.0])
    assert jit(f)(x) == f(x)
    np.testing.assert_array_equal(grad(f)(x), [2, 0, 0])


def test_of_one_place_that_is_named_twice_the_last_value_has_the_derivative():
    def f(x):
        y = np.zeros(3)
        y[[0, 0]] = x[:2]
        return np.sum(2 * y)

    np.testing.assert_array_equal(grad(f)(np.array([1.3, 2.0, 3.0])), [0, 2, 0])
