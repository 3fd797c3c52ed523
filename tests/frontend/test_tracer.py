"""Tracers wear NumPy's attributes, methods, operators; what cannot work says where and why."""

from functools import singledispatch
from itertools import count

import numpy as np
import pytest
import scipy.spatial

from symdiff import SymdiffError, TraceError, UnsupportedFunctionError, grad, jit, vmap
from symdiff.errors import ShapeError

X = np.linspace(0.3, 1.7, 6).reshape(2, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.T @ x,
        lambda x: x.sum(axis=0) + x.mean() + x.std() + x.max(axis=1).sum(),
        lambda x: x.reshape(3, 2).transpose().ravel().copy(),
        lambda x: x.astype(np.float32) * 2,
        lambda x: x.dot(x.T).trace() + x.clip(0.5, 1.0).prod(),
        lambda x: np.stack([row * i for i, row in enumerate(x)]),
        lambda x: x[0, ::-1] + x[1, [2, 0, 1]],
        lambda x: x[:, np.array([True, False, True])],
        lambda x: -x + +x - 2 * x / 3**x // 1 % 5,
        lambda x: (x > 1) & ~(x < 0.5) | (x == 1),
        lambda x: abs(x) ** 2 + x**0.5,
        lambda x: len(x) * x.ndim * x.size + x.shape[1] + x.flatten(),
        lambda x: np.ones_like(x) * x.real + x.conj(),
        lambda x: x.item(0) + x.item(1, 2),
    ],
    ids=count(),
)
def test_as_numpy(function):
    result, expected = jit(function)(X), function(X)
    np.testing.assert_array_equal(result, expected)
    assert np.asarray(result).dtype == np.asarray(expected).dtype
    assert type(result) is type(expected)


def refuse_truth(x):
    return np.sum(vmap(lambda row: row if row.sum() > 0 else [-row])(x))


def refuse_store(x):
    x[0] = 1j
    return np.sum(x)


def refuse_array(x):
    return np.array_repr(x)


def refuse_in_a_library(x):
    return scipy.spatial.KDTree(x).query(x)[0].sum()


def refuse_shape(x):
    return x @ x


@pytest.mark.parametrize(
    ("function", "error", "line"),
    [
        (refuse_truth, TraceError, "row if row.sum() > 0 else [-row]"),
        (refuse_store, TraceError, "x[0] = 1j"),
        (refuse_array, UnsupportedFunctionError, "np.array_repr(x)"),
        (refuse_in_a_library, TraceError, "scipy.spatial.KDTree(x).query(x)"),
        (refuse_shape, ShapeError, "return x @ x"),
    ],
)
def test_refusals_name_the_line(function, error, line):
    with pytest.raises(error) as caught:
        grad(function)(X)
    text = str(caught.value)
    assert "test_tracer.py:" in text
    assert line in text


def caught(action):
    def function(x, n=2):
        try:
            return action(x, n)
        except Exception:
            return 0 * x

    return function


def test_a_refusal_cannot_be_caught_by_the_function():
    with pytest.raises(TraceError, match="looked up in a dict"):
        grad(caught(lambda x, n: {x: x}[x]))(np.float64(2.0))
    with pytest.raises(UnsupportedFunctionError, match="array_repr"):
        jit(caught(lambda x, n: np.array_repr(x) * x))(X)


def decided_in_a_try(x, n):
    try:
        return x if n > 1 else 2 * x
    except:  # noqa: E722  what people write
        return 3 * x


def test_errors_of_numpys_can_be_caught_as_numpys():
    functions = [
        caught(lambda x, n: x[7]),
        caught(lambda x, n: x["a"]),
        caught(lambda x, n: x @ x),
        decided_in_a_try,
    ]
    for function in functions:
        for n in (1, 2):
            np.testing.assert_array_equal(jit(function)(X, n), function(X, n))


def of_a_class(x):
    match x:
        case np.ndarray():
            return x.sum()
        case float():
            return 2 * x
        case np.float32():
            return 3 * x


def test_a_traced_value_is_of_its_class():
    kind = singledispatch(lambda x: x)
    kind.register(np.ndarray, np.sum)
    for function in (of_a_class, kind, lambda x: x * len(x.__class__.__name__)):
        for x in (X, 1.5, np.float32(2.5)):
            assert jit(function)(x) == function(x) if np.ndim(function(x)) == 0 else True
    assert jit(lambda x: hasattr(x, "is_integer"))(X) is False


def test_a_traced_int_is_found_by_its_value():
    for n in (1, 2):
        assert jit(lambda x, n: {1: x, 2: 3 * x}[n])(2.0, n) == {1: 2.0, 2: 6.0}[n]
        assert jit(lambda x, n: x if n in {1, 5} else -x)(2.0, n) == {1: 2.0, 2: -2.0}[n]
    with pytest.raises(TypeError, match=r"unhashable type: 'numpy\.ndarray'"):
        jit(lambda x: {x: 1})(X)
    with pytest.raises(TraceError, match="looked up in a dict"):
        jit(lambda x: x in {1.0, 2.0})(2.0)


def test_axes_that_are_arguments():
    functions = [
        lambda x, n: np.sum(x, axis=n),
        lambda x, n: np.sum(x, axis=(n,)),
        lambda x, n: x.max(axis=n, keepdims=n > 0),
        lambda x, n: np.linalg.norm(x, axis=n),
        lambda x, n: np.tensordot(x, x.T, n),
        lambda x, n: x.transpose(n, 1 - n),
    ]
    for function in functions:
        for n in (0, 1):
            np.testing.assert_allclose(jit(function)(X, n), function(X, n), rtol=1e-14)


def test_a_numpy_integer_decides_as_an_int_does():
    f = lambda x, n: np.sum(x[:, :n] ** n) * (2 if n > 1 else 1)
    compiled, counts = jit(f), [np.int64(1), np.int32(2), 2, np.int64(2), np.int64(1)]
    for n in counts:
        assert compiled(X, n) == f(X, n)
    assert compiled.cache_info().misses == 4  # for each value of each type
    n = np.int64(2)
    np.testing.assert_array_equal(jit(grad(f))(X, n), grad(f)(X, 2))
    np.testing.assert_array_equal(vmap(f, (0, None))(X[None], n), [f(X, n)])
    n = np.array(2)
    for value in (2, 1):  # it may change in place, and is compared at each call
        n[...] = value
        assert compiled(X, n) == f(X, n)


def test_parts_of_python_numbers_are_python_numbers():
    functions = [
        lambda z: (z.real, z.imag, z.conjugate()),
        lambda z: z.real * 2 + z.imag,
    ]
    for z in (1.25, 3 + 4j, 7):
        for function in functions:
            assert jit(function)(z) == function(z)
            assert type(jit(function)(z)) is type(function(z))
    assert [type(each) for each in jit(functions[0])(2j)] == [float, float, complex]


def test_promotion_is_numpys():
    f32 = np.ones(3, np.float32)
    for function in (
        lambda x: x * 2.0,
        lambda x: x * np.float64(2),
        lambda x: x + np.arange(3),
        lambda x: np.sum(x > 0),
        lambda x: x * True,
    ):
        assert np.result_type(jit(function)(f32)) == np.result_type(function(f32))


@pytest.mark.parametrize("n", [2, True, np.int64(2)])
@pytest.mark.parametrize(
    "function",
    [lambda x, n: np.concatenate([x] * n), lambda x, n: np.concatenate(n * (x,))],
    ids=["list", "tuple"],
)
def test_a_sequence_times_an_integer_is_repeated(function, n):
    x = np.array([1.0, 3.0])
    np.testing.assert_array_equal(jit(function)(x, n), function(x, n), strict=True)


def test_a_sequence_times_an_array_is_a_product():
    x, n = np.array([1.0, 3.0]), np.array(2)
    np.testing.assert_array_equal(jit(lambda x, n: [x, x] * n)(x, n), [2 * x, 2 * x])


ATTRIBUTES = """
    x.T x.mT x.real x.imag x.shape x.ndim x.size x.dtype x.nbytes x.itemsize x.tolist() x.item(2)
    x.sum() x.sum(0) x.mean(axis=1,keepdims=True) x.std() x.var(ddof=1) x.prod() x.max(0) x.min()
    x.argmax() x.argmin(1) x.cumsum() x.cumprod(0) x.all() x.any() x.clip(0.5,1) x.round(1) x.conj()
    x.dot(x.T) x.trace() x.diagonal(1) x.reshape(3,2) x.ravel() x.ravel("F") x.flatten("F")
    x.transpose(1,0) x.swapaxes(0,1) x[None].squeeze(0) x.repeat(2,axis=0) x.take([0,1]) x.copy()
    x.astype("f4") x.astype(int) x.view() x.view(float) list(x.flat) x.flat[1] np.array(x.flat)
    len(x.flat) x.argsort() x.sort() x.nonzero()[1] x[()] x.sum()[()] x.sum()[...] x[...,0,1]
    np.array(x.sum())[()]
    hasattr(x,"nothing") hasattr(x,"sum") np.nan_to_num(x[0,0]) np.std(x) np.linalg.norm(x[0],3)
"""
NOT_TRACED = """
    x.strides x.flags x.base x.data x.resize(6) x.tobytes()
    x.byteswap() x.view(int) x.tofile("t")
    x.reshape(-1,order="A") x.ravel("K") x.sum().is_integer() x.__array__()
    x.setflags(write=False)
"""


@pytest.mark.parametrize("expression", ATTRIBUTES.split())
def test_attributes_and_methods_are_numpys(expression):
    function = eval(f"lambda x: {expression}", {"np": np})
    found, expected = jit(function)(X), function(X.copy())
    assert type(found) is type(expected)
    if isinstance(expected, (np.ndarray, np.generic)):
        np.testing.assert_array_equal(found, expected, strict=True)
    else:
        assert found == expected


@pytest.mark.parametrize("expression", NOT_TRACED.split())
def test_other_attributes_and_methods_are_refused(expression):
    function = eval(compile(f"lambda x: {expression}", __file__, "eval"), {"np": np})
    with pytest.raises(SymdiffError, match=r"test_tracer\.py:"):
        jit(function)(X)


def test_a_sort_in_place_is_seen_under_all_names():
    def function(x):
        y = x.T
        x.sort(0)
        return y

    x = np.array([[3.0, 1.0], [2.0, 4.0]])
    np.testing.assert_array_equal(jit(function)(x), function(x.copy()))


def test_what_no_array_has_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jit(lambda x: x.nothing)(X)
