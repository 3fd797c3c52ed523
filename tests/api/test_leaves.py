"""Leaves of arguments: numbers, arrays of any layout and dtype, what is static, what is refused."""

import numpy as np
import pytest

import symdiff
from symdiff.errors import TraceError


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)


def test_an_int_counts_as_a_float():
    assert_same(symdiff.grad(lambda x: x * x)(3), 6.0)


def test_ints_that_decide_shapes_are_static():
    @symdiff.grad
    def loss(x, n):
        return np.sum(np.tile(x, n) ** 2)

    assert_same(loss(np.array([2.0]), 1), np.array([4.0]))
    assert_same(loss(np.array([2.0]), 2), np.array([8.0]))
    assert_same(loss(np.array([2.0]), 1), np.array([4.0]))
    assert loss.static_arguments == {"n"}


def test_strings_and_none_are_static():
    @symdiff.grad
    def loss(x, how="sum", mask=None):
        x = x if mask is None else x * mask
        return getattr(np, how)(x)

    x = np.ones(2)
    assert_same(loss(x), np.ones(2))
    assert_same(loss(x, "mean"), np.full(2, 0.5))
    assert_same(loss(x, mask=np.array([0.0, 1.0])), np.array([0.0, 1.0]))


class Foreign(np.ndarray):
    """A subclass, whose operators could mean anything."""


FOREIGN = {
    "matrix": lambda: np.ones((2, 2)).view(np.matrix),
    "subclass": lambda: np.ones((2, 2)).view(Foreign),
    "masked": lambda: np.ma.masked_array(np.ones((2, 2))),
    "object": lambda: np.ones((2, 2), object),
    "string": lambda: np.full((2, 2), "a"),
    "datetime": lambda: np.zeros((2, 2), "datetime64[D]"),
    "structured": lambda: np.zeros((2, 2), [("a", float)]),
    "big endian": lambda: np.ones((2, 2), ">f8"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_arrays_that_are_no_plain_numbers_are_refused(make):
    value, x = make(), np.ones((2, 2))
    for transform in (symdiff.jit, symdiff.grad):
        with pytest.raises(TraceError, match="argument `x`"):
            transform(lambda x: np.sum(x * x))(value)
        with pytest.raises(TraceError, match=r"\n  test_leaves\.py:"):
            transform(lambda x: np.sum(x * value))(x)
        with pytest.raises(TraceError, match=r"\n  test_leaves\.py:"):
            transform(lambda x: np.sum(value * x))(x)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_an_array_that_is_replaced_by_a_matrix_is_noticed():
    model = {"W": np.ones((2, 2))}
    product = symdiff.jit(lambda x: x * model["W"])
    assert_same(product(np.ones((2, 2))), np.ones((2, 2)))
    model["W"] = np.ones((2, 2)).view(np.matrix)
    with pytest.raises(TraceError, match="matrix"):
        product(np.ones((2, 2)))


def test_arrays_of_any_layout_are_taken():
    def loss(x):
        return np.sum(np.sin(x).T.reshape(-1) * np.arange(6)) + np.sum(x.ravel()[1:] ** 2)

    x = np.arange(6.0).reshape(2, 3)
    expected = symdiff.grad(loss)(x)
    backwards, wide = x[::-1, ::-1].copy(), np.repeat(x, 2, 1)
    frozen = x.copy()
    frozen.setflags(write=False)
    bytes_ = np.frombuffer(b"\0" + x.tobytes(), np.uint8)
    unaligned = bytes_[1:].view(np.float64).reshape(2, 3)
    for each in (np.asfortranarray(x), backwards[::-1, ::-1], wide[:, ::2], frozen, unaligned):
        assert_same(symdiff.grad(loss)(each), expected)
    rows = np.broadcast_to(x[0], (2, 3))
    assert_same(symdiff.grad(loss)(rows), symdiff.grad(loss)(rows.copy()))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_empty_arrays_have_empty_derivatives(shape):
    assert_same(symdiff.grad(lambda x: np.sum(np.sin(x) * x))(np.zeros(shape)), np.zeros(shape))
    with pytest.raises(ValueError, match="zero-size array"):
        symdiff.grad(lambda x: np.max(x))(np.zeros(shape))
