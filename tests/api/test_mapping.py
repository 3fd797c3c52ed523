"""Functions of the user's that NumPy calls on parts of an array: values, types, derivatives."""

import numpy as np
import pytest

from symdiff import TraceError, UnsupportedFunctionError, check_grads, grad, jit

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.uniform(-2, 2, (3, 4)),
    "v": RNG.uniform(-2, 2, 4),
    "w": RNG.uniform(0.5, 1.5, 4),
    "q": RNG.uniform(-2, 2, (2, 3, 4)),
    "s": np.array([0.7]),
}
EXPRESSIONS = """
    np.apply_along_axis(np.sum, 0, x)
    np.apply_along_axis(lambda r: r * r, 1, x)
    np.apply_along_axis(lambda r: r[0] * r[-1], 1, x)
    np.apply_along_axis(lambda r: np.outer(r, r[:2]), 1, q)
    np.apply_along_axis(lambda r, c: r * c, -1, q, 2.0)
    np.apply_along_axis(lambda r, c=1: r * c, 1, q, c=s)
    np.apply_along_axis(np.sort, 0, x)
    np.apply_along_axis(lambda r: [r[0], 1.0], 0, x)
    np.vectorize(lambda t: t * t)(v)
    np.vectorize(lambda t, u: t * u + 1)(x, v)
    np.vectorize(lambda t, c: t * c, excluded=[1])(v, 2.0)
    np.vectorize(lambda t, c: t * c, excluded={"c"})(v, c=s[0])
    np.vectorize(lambda t, c=1: t * c)(v, c=w)
    np.vectorize(lambda t: t * t, otypes=[complex])(v)
    np.vectorize(lambda t: (t, t * t))(v)
    np.vectorize(lambda t: 1)(v) * v
    np.vectorize(lambda r: np.sum(r * r), signature="(n)->()")(x)
    np.vectorize(lambda r, t: r * t, signature="(n),()->(n)")(x, v[:3])
    np.vectorize(lambda r, t: r @ t, signature="(n),(n)->()")(x, v)
    np.vectorize(lambda r: (r.sum(), r), signature="(n)->(),(n)")(q)
    np.vectorize(np.sin)(x)
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def function_of(expression):
    code = compile(expression, "<expression>", "eval")
    inner = [each.co_names for each in code.co_consts if hasattr(each, "co_names")]
    names = [name for name in ARRAYS if name in {*code.co_names, *sum(inner, ())}]
    source = f"lambda {', '.join(names)}: {expression}"
    return eval(source, {"np": np}), [ARRAYS[name] for name in names]


@pytest.mark.parametrize("expression", lines(EXPRESSIONS))
def test_value_type_and_derivative(expression):
    function, values = function_of(expression)
    found, expected = jit(function)(*values), function(*values)
    assert type(found) is type(expected)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for actual, each in pairs:
        np.testing.assert_array_equal(actual, each, strict=True)
    check_grads(function, values)


@np.vectorize
def half_of_square(t):
    return t * t / 2


def test_a_vectorized_function_from_outside():
    np.testing.assert_array_equal(grad(lambda x: np.sum(half_of_square(x)))(np.arange(3)[1:] * 1.0),
                                  [1.0, 2.0])


def test_single_precision_is_computed_in_double_as_in_numpy():
    single = np.float32([0.1, 0.2])
    found = jit(lambda x: half_of_square(x))(single)
    np.testing.assert_array_equal(found, half_of_square(single), strict=True)


def test_a_loop_is_not_written_out():
    made = grad(lambda x: np.sum(np.vectorize(lambda t: t * t)(x)))
    made(np.ones((3, 4)))
    assert made.source.splitlines()[-1] == "    return 2 * x"


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: np.vectorize(lambda t: t if t > 0 else None)(x), TraceError, "decision"),
        (
            lambda x: np.vectorize(lambda t: t, signature="(n),(n)->()")(x),
            TypeError,
            "wrong number",
        ),
        (
            lambda x: np.vectorize(lambda t, u: t, signature="(n),(n)->()")(x, x[:2]),
            ValueError,
            "do not fit",
        ),
        (lambda x: np.vectorize(lambda t: t)(x[:0]), UnsupportedFunctionError, "elements"),
    ],
    ids=["decision", "operands", "extents", "empty"],
)
def test_what_cannot_be_mapped_is_refused(function, error, message):
    with pytest.raises(error, match=message):
        jit(function)(np.array([-1.0, 2.0, -3.0]))
