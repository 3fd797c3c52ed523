"""Functions that place elements, of those few programs need: NumPy's bits, right derivatives."""

import numpy as np
import pytest

from symdiff import grad, jit
from symdiff.testing import check_grads

EDITING = """
    np.insert(v, 2, s)
    np.insert(x, 1, v, axis=0)
    np.insert(x, [0, 2], s, axis=1)
    np.insert(x, 2, 7.0)
    np.insert(v, [1, 1, 0], w[:3])
    np.insert(v, slice(1, 3), w[:2])
    np.insert(v, np.array([True, False, False, True]), w[:2])
    np.insert(x, 1, y[:2], axis=0)
    np.insert(x, [1], y[:, :1], axis=1)
    np.insert(x, 1, y[:, 0], axis=-1)
    np.insert(v, [], [])
    np.insert(v, 4, w)
    np.insert(n, 1, s)
    np.insert(single, 3, v[0], axis=1)
    np.insert(v, np.arange(40) % 4, np.arange(40) * s)
    np.insert(x, np.arange(40) % 4, x[:, :1], axis=1)
    np.insert(z, 1, s)
    np.delete(x, 2)
    np.delete(x, -1, 1)
    np.delete(x, [0, 2, 0], axis=1)
    np.delete(x, slice(None, None, 2), axis=1)
    np.delete(v, np.array([True, False, False, True]))
    np.delete(v, [])
    np.delete(single, slice(None, None, 2))
    np.resize(v, 6)
    np.resize(x, (2, 2))
    np.resize(x, (5, 5))
    np.resize(s, 3)
    np.resize(e, (2, 2))
"""
JOINING = """
    np.block([[x, y], [y, x]])
    np.block([v, s])
    np.block([[a, b[:, None]], [b, 1.0]])
    np.block(s)
    np.unstack(q)
    np.unstack(q, axis=-1)
    np.vander(v)
    np.vander(v, 3, increasing=True)
"""
BORDERS = """
    np.pad(x, 2, "edge")
    np.pad(x, ((0, 0), (2, 3)), "edge")
    np.pad(x, 2, "reflect")
    np.pad(x, (5, 7), "reflect")
    np.pad(v, (5, 9), "symmetric")
    np.pad(x, ((0, 1), (2, 0)), "wrap")
    np.pad(v[:1], 2, "reflect")
    np.pad(q, ((0, 0), (1, 0), (2, 2)), "symmetric")
    np.pad(x, 2, "reflect", reflect_type="odd")
    np.pad(v, (5, 7), "reflect", reflect_type="odd")
    np.pad(v, (5, 9), "symmetric", reflect_type="odd")
    np.pad(v[:1], 2, "reflect", reflect_type="odd")
    np.pad(v, (1, 2), constant_values=(1, 2))
    np.pad(x, ((1, 2), (0, 1)), constant_values=((1, 2), (3, 4)))
    np.pad(v, 1, constant_values=s)
    np.pad(n, 1, constant_values=2.7)
    np.pad(x, (1, 2), "linear_ramp")
    np.pad(x, ((1, 2), (3, 0)), "linear_ramp", end_values=((1, 2), (3, 4)))
    np.pad(v, 2, "linear_ramp", end_values=s)
    np.pad(n, 1, "linear_ramp")
    np.pad(x, 2, "maximum")
    np.pad(x, 2, "minimum", stat_length=((1, 2), (2, 3)))
    np.pad(x, 2, "mean")
    np.pad(x, 1, "mean", stat_length=2)
    np.pad(n, 1, "mean")
    np.pad(x, 1, "median", stat_length=3)
"""
ROWS = """
    np.linspace(s, 1.0, 5)
    np.linspace(s, 2 * s, num=4, endpoint=False)
    np.linspace(0, s, 3, retstep=True)
    np.linspace(v, w, 3)
    np.linspace(v, w, 3, axis=1, endpoint=False)
    np.linspace(v, s, 1)
    np.linspace(s, 2, 3, dtype=int)
    np.linspace(0, single[0, 0], 4)
    np.logspace(s, 1.0, 5)
    np.logspace(0, s, 4, base=2.0, endpoint=False)
    np.logspace(0, 1, 4, base=s)
    np.logspace(v, w, 3, axis=1)
    np.geomspace(w[0], 2.0, 5)
    np.geomspace(1.0, s, 4, endpoint=False)
    np.geomspace(w, 3.0, 4, axis=-1)
    np.geomspace(-1.0, -s, 4)
    np.geomspace(1, s, 1)
"""
CHOICES = """
    np.choose([0, 1, 0, 1], [v, w])
    np.choose(np.array([0, 1, 5, -1]), [v, w], mode="clip")
    np.choose(np.array([0, 1, 5, -1]), [v, w], mode="wrap")
    np.choose(np.array([2, 0, 1]), a)
    np.choose(m, [x, 0.0])
    np.choose(x > 0, [v, y])
    (n[0] % 2).choose([v, w])
    a[np.diag_indices_from(a)]
    a[np.tril_indices_from(a)]
    x[np.triu_indices_from(x, 1)]
    np.unravel_index(np.argmax(x), x.shape)
    np.unravel_index(np.abs(n), (3, 4), "F")
    np.ravel_multi_index((abs(n[0]), abs(n[1])), (4, 4))
    np.ravel_multi_index((n[0], 1), (3, 4), mode="wrap")
    np.packbits(m)
    np.packbits(m, axis=0, bitorder="little")
    np.unpackbits(np.packbits(m), count=12)
    np.bitwise_count(n)
    np.apply_over_axes(np.sum, q, [0, 2])
    np.apply_over_axes(lambda t, axis: np.max(t, axis, keepdims=True), q, -1)
"""
WINDOWS = """
    np.lib.stride_tricks.sliding_window_view(v, 2)
    np.lib.stride_tricks.sliding_window_view(x, (2, 3))
    np.lib.stride_tricks.sliding_window_view(x, 2, axis=-1)
    np.lib.stride_tricks.sliding_window_view(single, (3, 3)).mean(axis=(-1, -2))
    np.lib.stride_tricks.sliding_window_view(z, 3)
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    "expression", lines(EDITING + JOINING + BORDERS + ROWS + CHOICES + WINDOWS)
)
def test_value_type_and_derivative(check, expression):
    check(expression)


@pytest.mark.parametrize(
    "source",
    [
        "np.insert(v, 2, s)",
        "np.insert(x, [0, 2], 7.0, axis=1)",
        "np.delete(x, -1, axis=1)",
        "np.delete(v, [0, 2])",
        "np.resize(x, (2, 2))",
        "np.pad(x, ((1, 0), (2, 3)), mode='edge')",
        "np.linspace(v, w, 3)",
        "np.geomspace(s, 2.0, 4, endpoint=False)",
        "np.choose(n, [x, y], mode='wrap')",
        "np.lib.stride_tricks.sliding_window_view(x, 2, axis=1).copy()",
        "np.unravel_index(n, (3, 4))[1]",
        "np.packbits(m, axis=1)",
    ],
)
def test_source_reads_as_written_by_hand(emitted, source):
    assert emitted(source).splitlines()[-1] == f"    return {source}"


@pytest.mark.parametrize(
    ("expression", "body"),
    [
        ("np.insert(v, 2, 7.0)", "np.delete(2 * np.insert(v, 2, 7.0), 2)"),
        ("np.delete(v, [0, 2])", "np.insert(2 * np.delete(v, [0, 2]), [0, 1], 0.0)"),
    ],
)
def test_the_derivative_reads_as_written_by_hand(expression, body):
    function = eval(f"lambda v: np.sum({expression} ** 2)", {"np": np})
    made = grad(function)
    made(np.ones(4))
    assert made.source.splitlines()[-2] == f"    v_bar = {body}"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("np.insert(v, 9, 1.0)", "out of bounds"),
        ("np.insert(v, 1.5, 1.0)", "integer"),
        ("np.insert(x, 1, w[:3], axis=0)", "broadcast"),
        ("np.insert(v, 1, x)", "do not fit"),
        ("np.delete(v, 7)", "out of bounds"),
        ("np.delete(v, np.array([True]))", "boolean"),
        ("np.choose(v, [v, w])", "integers"),
        ("np.pad(v, 2, 'edge', constant_values=1)", "unsupported"),
        ("np.pad(e, 1, 'edge')", "empty"),
        ("np.pad(v, -1)", "negative"),
        ("np.block([x, [y]])", "depths"),
        ("np.lib.stride_tricks.sliding_window_view(v, 9)", "larger"),
    ],
)
def test_what_does_not_fit_is_refused(check, expression, message):
    with pytest.raises((ValueError, IndexError, TypeError), match=message):
        check(expression)


def test_a_border_that_anything_may_stand_in():
    found = jit(lambda x: np.pad(x, (1, 2), mode="empty"))(np.arange(1.0, 4.0))
    np.testing.assert_array_equal(found[1:-2], [1.0, 2.0, 3.0])


def test_a_function_that_fills_the_border():
    def fill(row, width, axis, options):
        row[: width[0]] = row[width[0]] * options["factor"] + axis
        row[row.shape[0] - width[1] :] = row[width[0]] ** 2

    def padded(x):
        return np.pad(x, ((1, 2), (0, 1)), mode=fill, factor=3.0)

    x = np.arange(6.0).reshape(2, 3) + 1
    np.testing.assert_allclose(jit(padded)(x), padded(x))
    check_grads(padded, (x,), order=2)
