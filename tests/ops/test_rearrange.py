"""Functions that move elements: NumPy's values and types, and right derivatives."""

import numpy as np
import pytest

from symdiff import jit

SHAPES = """
    np.ravel(x)
    np.ravel(x, order="F")
    x.ravel()
    x.flatten()
    np.reshape(x, (4, 3), order="F")
    np.reshape(q, (4, -1), order="F")
    np.reshape(v, (2, 2), order="F")
    np.reshape(v, (2, 2), copy=True)
    x.reshape(4, 3, order="F")
    x.reshape(2, -1, copy=True)
    v.ravel("K")
    x.astype(complex, casting="safe", order="F", subok=False)
    np.squeeze(x[:, None])
    np.squeeze(x[None, :, None], axis=(0, 2))
    np.expand_dims(x, 1)
    np.expand_dims(x, (0, -1))
    np.swapaxes(q, 0, -1)
    np.moveaxis(q, 0, -1)
    np.moveaxis(q, [0, 1], [-1, -2])
    np.rollaxis(q, 2)
    np.rollaxis(q, 0, 3)
    np.atleast_1d(s)
    np.atleast_2d(s, v, x)
    np.atleast_3d(s)
    np.atleast_3d(v)
    np.atleast_3d(x)
    np.broadcast_arrays(x, v, s)
    np.meshgrid(v, w)
    np.meshgrid(v, w, s, indexing="ij")
    np.meshgrid(v, w, sparse=True)
    q.T
    np.transpose(q, (1, 0, 2))
"""
JOINING = """
    np.concatenate([x, y])
    np.concatenate([x, y, x], axis=1)
    np.concatenate((x, v), axis=None)
    np.concatenate([single, single], dtype=np.float64)
    np.concatenate([x, n])
    np.stack([x, y])
    np.stack([x, y, n], axis=-1)
    np.stack([s, s * s])
    np.vstack([x, v])
    np.hstack([x, y])
    np.hstack([v, w])
    np.dstack([x, y])
    np.dstack([v, w])
    np.column_stack([v, w])
    np.column_stack([x, v[:3], y])
    np.append(x, y)
    np.append(x, y, axis=1)
    np.split(x, 2, axis=1)
    np.split(v, [1, 3])
    np.array_split(v, 3)
    np.array_split(x, [1], axis=1)
    np.hsplit(x, 2)
    np.hsplit(v, 2)
    np.vsplit(x, 3)
    np.dsplit(q, 2)
"""
ORDER = """
    np.flip(x)
    np.flip(x, 0)
    np.flip(q, (0, 2))
    np.fliplr(x)
    np.flipud(x)
    np.rot90(x)
    np.rot90(x, 2)
    np.rot90(x, -1)
    np.rot90(q, 5, axes=(1, 2))
    np.roll(x, 1)
    np.roll(v, -2)
    np.roll(x, 1, axis=1)
    np.roll(x, (1, -2), axis=(0, 1))
    np.roll(x, 3, axis=(0, 1))
    np.take(x, [1, 0, 1], axis=1)
    np.take(x, 5)
    np.take(x, np.array([[0, 1], [2, 0]]), axis=0)
    np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
    np.take_along_axis(x, np.argsort(x, axis=0), 0)
"""
REPEATING = """
    np.repeat(v, 2)
    np.repeat(x, 3, axis=1)
    np.repeat(x, 2)
    np.repeat(v, [1, 0, 2, 3])
    np.repeat(x, [2, 1, 0], axis=0)
    np.tile(v, 3)
    np.tile(v, (2, 1))
    np.tile(x, 2)
    np.tile(x, (2, 1, 3))
    np.pad(v, 1)
    np.pad(x, ((1, 0), (2, 3)))
    np.pad(x, (1, 2))
    np.pad(x, 1, constant_values=7)
    np.pad(n, 1)
    np.pad(v, (2, 1), mode="edge")
    np.pad(x, 2, mode="reflect")
    np.pad(v, (5, 9), mode="symmetric")
    np.pad(x, ((0, 1), (2, 0)), mode="wrap")
    np.pad(x, {1: (1, 2)})
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("expression", lines(SHAPES + JOINING + ORDER + REPEATING))
def test_value_type_and_derivative(check, expression):
    check(expression)


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        ("x[:, None] * y", "x[:, None] * y"),
        ("np.expand_dims(v, 0) + x", "v[None] + x"),
        ("np.sum(np.ravel(x * y))", "(x * y).ravel().sum()"),
        ("x.reshape(2, 6) + 1", "x.reshape(2, 6) + 1"),
        ("np.reshape(x, (2, 6), order='F') + 1", "x.reshape((2, 6), order='F') + 1"),
        ("np.sum(x + y, axis=0)", "np.sum(x + y, axis=0)"),
        ("np.concatenate([x + y, x], axis=1)", "np.concatenate([x + y, x], axis=1)"),
        ("np.flip(v) + 1", "v[::-1] + 1"),
        ("np.roll(v, 1)", "np.roll(v, 1)"),
        ("np.repeat(v + w, 2)", "np.repeat(v + w, 2)"),
        ("np.pad(x, ((0, 0), (1, 2)))", "np.pad(x, ((0, 0), (1, 2)))"),
        ("np.stack([s, s + 1])", "np.array([s, s + 1])"),
        ("np.max(x, axis=1, keepdims=True)", "np.max(x, axis=1, keepdims=True)"),
        ("np.cumsum(v)", "np.cumsum(v)"),
        ("(x + y).T", "(x + y).T"),
    ],
)
def test_source_reads_as_written_by_hand(emitted, expression, source):
    assert emitted(expression).splitlines()[-1] == f"    return {source}"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("np.squeeze(x, axis=0)", "size not equal to one"),
        ("np.concatenate([x, v])", "same number of dimensions"),
        ("np.concatenate([x, x.T])", "only axis 0"),
        ("np.concatenate([s, s])", "zero-dimensional"),
        ("np.stack([x, v])", "same shape"),
        ("np.split(v, 3)", "equal division"),
        ("np.take(x, 0, axis=5)", "out of bounds"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(check, expression, message):
    with pytest.raises((ValueError, IndexError), match=message):
        check(expression)


def test_a_border_of_no_values_is_zeros():
    x = np.arange(6.0).reshape(2, 3)
    padded = jit(lambda x: np.pad(x, 1, mode="empty"))(x)
    np.testing.assert_array_equal(padded, np.pad(x, 1))
