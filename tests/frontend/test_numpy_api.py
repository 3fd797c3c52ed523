"""Calling conventions: creation, queries, choices, products of any rank."""

import inspect

import numpy as np
import pytest

from symdiff import ShapeError, TraceError, UnsupportedFunctionError, grad, jit, jvp, vmap

A, B, V = np.arange(12.0).reshape(2, 3, 2), np.arange(6.0).reshape(2, 3), np.arange(3.0)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda a, b: b @ a, (A, B)),
        (lambda b, v: b @ v, (B, V)),
        (lambda v, b: v @ b.T, (V, B)),
        (lambda v: v @ v, (V,)),
        (lambda a, v: np.matmul(v, a), (A, V)),
        (lambda v: np.where(v > 1, v, 0), (V,)),
        (lambda v: np.where(v > 1, 1, 0), (V,)),
        (lambda v: np.maximum(v, 1) + np.minimum(1, v) + np.fmax(v, v), (V,)),
        (lambda v: np.zeros_like(v) + np.full_like(v, 7) + np.empty_like(v) * 0, (V,)),
        (lambda v: np.copy(v) * np.ndim(v) + np.size(v), (V,)),
        (lambda v: v[np.array([2, 2, 0])] + v[[0, 1, 2]], (V,)),
        (lambda a: a[:, 1:, None, 0] + a[:, 1:, None, 1] * a[..., 0][:, :1, None], (A,)),
    ],
)
def test_as_numpy(function, args):
    result, expected = jit(function)(*args), function(*args)
    np.testing.assert_array_equal(result, expected)
    assert type(result) is type(expected)
    assert np.result_type(result) == np.result_type(expected)


REDUCTIONS = (
    "sum prod mean var std max min argmax argmin ptp median all any cumsum cumprod "
    "nansum nanprod nanmax nanmin nanmean count_nonzero argsort sort"
)
OPTIONS = {
    "axis": [None, 0, -1, (0, 1), (1, 0), (), 2],
    "keepdims": [True, False],
    "dtype": [np.float32, float, int, complex],
    "initial": [2.0],
    "where": [True, B > 1],
    "ddof": [1, 0.5],
    "correction": [1],
    "mean": [np.mean(B, keepdims=True)],
    "out": [None],
}


@pytest.mark.parametrize("name", REDUCTIONS.split())
@pytest.mark.parametrize(
    ("option", "value"), [(key, each) for key, values in OPTIONS.items() for each in values]
)
def test_every_option_of_a_reduction_is_numpys_or_refused(name, option, value):
    reduction = getattr(np, name)
    reduce = jit(lambda x: reduction(x, **{option: value}))
    if option not in inspect.signature(reduction).parameters:
        return
    try:
        expected = reduction(B, **{option: value})
    except (TypeError, ValueError):
        with pytest.raises((TypeError, ValueError)):
            reduce(B)
        return
    if value is int and name in ("var", "std"):
        with pytest.raises(UnsupportedFunctionError, match=r"not traced\n.*test_numpy_api\.py"):
            reduce(B)
        return
    found = reduce(B)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected, strict=True)


def test_options_may_be_given_by_position():
    for found in (
        jit(lambda x: np.sum(x, 1, None, None, True))(B),
        jit(lambda x: np.sum(x, None, None, None, True, np._NoValue, True))(B),
        jit(np.sum)(B),
        jit(np.max)(B),
        jit(np.std)(B),
    ):
        assert np.all(np.isfinite(found))
    np.testing.assert_array_equal(jit(np.std)(B), np.std(B), strict=True)
    found = jit(lambda x: np.var(x, 0, None, None, 1))(B)
    np.testing.assert_array_equal(found, np.var(B, 0, ddof=1))


def test_integer_arrays_are_inputs():
    take = jit(lambda x, i: x[i])
    np.testing.assert_array_equal(take(V, np.array([0, 1])), V[[0, 1]])
    np.testing.assert_array_equal(take(V, np.array([2, 2])), V[[2, 2]])
    assert take.cache_info().misses == 1


MASK = np.array([[True, False, True], [False, False, False]])


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize(
    "options",
    [
        {"initial": 2},
        {"initial": 3.5, "axis": 1},
        {"initial": -np.inf, "axis": 0, "keepdims": True},
        {"initial": np.nan, "axis": 0},
        {"initial": 1.5, "where": MASK},
        {"initial": np.float32(1.5), "where": MASK[0], "axis": 1},
        {"initial": 2.0, "where": MASK[:, :1], "axis": -1, "keepdims": True},
    ],
)
def test_extremes_from_an_initial_value(name, options):
    def reduce(x):
        return getattr(np, name)(x, **options)

    at = B + 0.25 * V[::-1]
    found, expected = jit(reduce)(at), reduce(at)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected, strict=True)
    if "axis" not in options and not np.isnan(options["initial"]):
        steps = 1e-6 * np.eye(6).reshape(6, 2, 3)
        slope = [(reduce(at + step) - reduce(at - step)) / 2e-6 for step in steps]
        np.testing.assert_allclose(np.ravel(grad(reduce)(at)), slope, atol=1e-8)


def test_an_initial_value_that_is_traced_or_tied():
    bars = grad(lambda x, v: np.max(x, initial=v), (0, 1))
    np.testing.assert_array_equal(bars(V, 5.0)[0], np.zeros(3))
    assert bars(V, 5.0)[1] == 1
    np.testing.assert_array_equal(bars(V, 1.0)[0], [0, 0, 1])
    np.testing.assert_array_equal(grad(lambda x: np.max(x, initial=2.0))(V), np.zeros(3))
    mapped = vmap(lambda x, m: np.max(x, where=m, initial=0.0))(B, MASK)
    np.testing.assert_array_equal(mapped, np.max(B, axis=1, where=MASK, initial=0.0))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"where": B > 1}, "where= needs"),
        ({"initial": 1, "where": np.ones((2, 2, 3), bool)}, "where= has more elements"),
        ({"initial": np.ones(3)}, "initial= of another dtype, or with axes"),
        ({"initial": 1j}, "initial= of another dtype"),
        ({"initial": 1, "where": np.ones(3)}, "where= takes booleans"),
    ],
)
def test_initial_values_that_do_not_fit(options, error):
    with pytest.raises((ValueError, TypeError), match=error):
        jit(lambda x: np.max(x, **options))(B)


# ---------------------------------------------------------------------------- numbers

NUMBERS = [
    2, 2.5, 1.5 + 2j, np.array(2.5), np.array(3), np.array(1.5 - 1j), np.array(1.5, np.float32),
    np.float64(2.5), np.float32(0.5), np.int64(3), np.complex64(1 + 2j),
]  # fmt: skip
OF_NUMBERS = """
    np.conj(x) np.conjugate(x) np.real(x) np.imag(x) np.angle(x) np.flip(x) np.flip(x,())
    np.squeeze(x) np.squeeze(x,()) np.squeeze(x,0) np.roll(x,1) np.tensordot(x,x,0)
    np.einsum('->',x) np.sum(x,axis=0) np.sum(x,axis=-1) np.sum(x,axis=np.int64(0))
    np.sum(x,0,keepdims=True)
    np.prod(x,axis=0) np.max(x,axis=0) np.min(x,axis=-1) np.any(x,axis=0) np.all(x,axis=-1)
    np.cumsum(x,axis=0) np.cumprod(x,axis=-1) np.argmax(x,axis=0) np.argmin(x,-1) np.inner(x,x)
    np.dot(x,x) np.outer(x,x) np.sort(x,None) np.clip(x,0,None) np.where(True,x,x) np.copy(x)
"""
OF_REAL_NUMBERS = "np.round(x) np.round(x,1) np.nan_to_num(x) np.maximum(x,1) np.ptp(x,0)"


def same_types(expression, value):
    function = eval(f"lambda x: {expression}", {"np": np})
    found, expected = jit(function)(value), function(value)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
@pytest.mark.parametrize("expression", [*OF_NUMBERS.split(), *OF_REAL_NUMBERS.split()])
def test_types_of_functions_of_numbers(expression, value):
    if expression in OF_REAL_NUMBERS and np.iscomplexobj(value):
        return
    same_types(expression, value)


def test_tangents_of_numbers_have_the_type_of_the_value():
    for x in (2.5, np.float64(2.5), np.array(2.5)):
        for expression in [*OF_NUMBERS.split(), *OF_REAL_NUMBERS.split()]:
            y, y_dot = jvp(eval(f"lambda x: {expression}", {"np": np}), (x,), (x,))
            if np.result_type(y).kind == "f":
                assert (type(y), np.shape(y)) == (type(y_dot), np.shape(y_dot)), expression


@pytest.mark.parametrize("axis", [1, -2, (0,), (-1,)])
def test_other_axes_of_numbers(axis):
    for reduction in (np.sum, np.max, np.all):
        with pytest.raises(ValueError, match="out of bounds"):
            jit(lambda x: reduction(x, axis=axis))(2.5)
    with pytest.raises(ValueError, match="out of bounds"):
        jit(lambda x: np.mean(x, axis=0))(2.5)


@pytest.mark.parametrize(
    "expression",
    [
        "np.sum(x,(0,0))",
        "np.max(x,(0,-2))",
        "np.mean(x,(1,1))",
        "np.all(x,(0,0))",
        "np.flip(x,(1,-1))",
        "np.squeeze(x,(0,0))",
        "np.var(x,(0,0))",
        "np.median(x,(0,0))",
        "np.expand_dims(x,(0,0))",
    ],
)
def test_an_axis_twice(expression):
    function = eval(f"lambda x: {expression}", {"np": np})
    with pytest.raises(ValueError, match=r"duplicate|repeated"):
        function(B)
    with pytest.raises(ShapeError, match=r"duplicate value in 'axis'\n.*<string>"):
        jit(function)(B)


def test_rounding_to_digits():
    assert jit(lambda x: round(x, 2))(np.float64(2.675)) == round(np.float64(2.675), 2)
    with pytest.raises(TraceError, match=r"round\(\).*\n.*test_numpy_api.*\n.*`x`\n.*np.round"):
        jit(lambda x: round(x, 2))(2.675)


@pytest.mark.parametrize("number", [complex(-np.inf, 0), complex(-0.0, 1), complex(np.nan, -0.0)])
def test_complex_constants_are_written(number):
    found = jit(lambda x: np.where(x > 0, number, 1j))(V)
    assert repr(found) == repr(np.where(V > 0, number, 1j))


# ---------------------------------------------------------------------------- lists and numbers

X = np.array([[0.3, -1.2, 2.0, 0.7], [1.1, 0.4, -0.6, 0.2], [0.9, 2.1, 1.3, -0.8]], np.float32)
OTHERS = """
    np.dot(x[0], 0.5); np.dot(0.5, x); np.inner(x, 0.5); np.kron(x, 2.0); np.tensordot(x, 0.5, 0)
    np.einsum(",i", 0.5, x[0]); np.multiply.outer(x, 0.5); np.stack([x[0, 0], 1.0])
    np.average(x, weights=[[1, 2, 3, 4]] * 3); np.average(x, 1, [1, 2, 3, 4], returned=True)
    np.polyfit([0, 1, 2, 3], x[0], 1); np.polyfit(x[0], [0, 1, 2, 3], 1, w=[1, 2, 1, 1])
    np.cov(x[0], [1, 2, 3, 4]); np.corrcoef(x[0], [1, 2, 3, 4]); np.bincount([0, 1, 1, 2], x[0])
    np.float_power(x[0] + 2, [2, 1, 2, 1]); np.histogramdd(x.T, 2, weights=x[0])[0]
    np.vecdot(x, x, axis=0); np.vecdot(x, [1, 2, 3, 4])
"""


@pytest.mark.parametrize("text", OTHERS.strip().replace("\n", ";").split(";"), ids=str.strip)
def test_lists_and_numbers_are_arrays_to_functions_of_arrays(text):
    function = eval(f"lambda x: {text.strip()}", {"np": np})
    found, expected = jit(function)(X), function(X)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
        assert np.result_type(one) == np.result_type(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("np.sum(x, foo=1)", r"np\.sum\(\) got an unexpected keyword argument 'foo'"),
        ("x.sum(dim=1)", r"np\.sum\(\) got an unexpected keyword argument 'dim'"),
        ("np.mean(x, foo=1)", r"np\.mean\(\) got an unexpected keyword argument 'foo'"),
        ("np.take(x)", r"np\.take\(\) missing 1 required positional argument: 'indices'"),
        ("np.sin(x, x, x)", r"np\.sin\(\) takes from 1 to 2 positional arguments but 3 were given"),
        ("np.add(x)", r"np\.add\(\) takes from 2 to 3 positional arguments but 1 were given"),
        ("np.apply_along_axis(lambda a, b: a, 0, x)", r"lambda>\(\) missing .* argument: 'b'"),
    ],
)
def test_arguments_that_numpy_does_not_take(text, message):
    with pytest.raises(TypeError, match=message):
        jit(eval(f"lambda x: {text.strip()}", {"np": np}))(X)
