"""Reading parts of arrays, with every kind of index, against NumPy and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from symdiff import grad, jit, jvp, vmap

VECTOR = np.arange(1.0, 6.0) + 0.3
MATRIX = np.arange(12.0).reshape(3, 4) * 1.1 + 0.2
CUBE = np.arange(24.0).reshape(2, 3, 4) * 0.7 + 0.1

READS = {
    "negative step": (lambda x: x[::-2], VECTOR),
    "new axes": (lambda x: x[None, ..., None], VECTOR),
    "empty list": (lambda x: x[[]], VECTOR),
    "negative places": (lambda x: x[[-1, -2, 0, 0]], VECTOR),
    "separated arrays": (lambda x: x[[0, 1], :, [0, 2]], CUBE),
    "arrays around a new axis": (lambda x: x[:, [0, 1], None, [0, 2]], CUBE),
    "an integer and an array": (lambda x: x[0, :, [0, 2]], CUBE),
    "mask": (lambda x: x[np.array([True, False, True, True, False])], VECTOR),
    "list of truth values": (lambda x: x[[True, False, True, True, False]], VECTOR),
    "traced mask": (lambda x: x[x > 2], MATRIX),
    "traced mask of rows": (lambda x: x[x[:, 0] > 2, 1:3], MATRIX),
    "mask and array": (lambda x: x[x[:, 0] > 2, [0, 1]], MATRIX),
    "empty mask": (lambda x: x[x > 100], VECTOR),
    "True": (lambda x: x[True], VECTOR),
    "False": (lambda x: x[:, np.False_], MATRIX),
    "True beside arrays": (lambda x: x[[0, 1], True, [2, 3]], MATRIX),
    "True between slices": (lambda x: x[..., True, :2], MATRIX),
    "traced truth value": (lambda x: x[0][x[0] > 0], VECTOR),
    "of no axes": (lambda x: np.array(x[0])[np.array(x[0]) > 9], VECTOR),
    "ix_": (lambda x: x[np.ix_([0, 2], [1, 3])], MATRIX),
    "ix_ of truth values": (lambda x: x[np.ix_([True, False, True], [1, 3])], MATRIX),
    "argmax": (lambda x: x[np.argmax(x)], VECTOR),
    "int of argmax": (lambda x: x[int(np.argmax(x))], VECTOR),
    "argmin of rows": (lambda x: x[np.argmin(x[:, 0])], MATRIX),
    "argmax and slice": (lambda x: x[:, np.argmax(x[0])], MATRIX),
    "argmax along axis": (lambda x: x[np.argmax(x, axis=0), np.arange(4)], MATRIX),
    "argsort": (lambda x: x[np.argsort(-x)[:2]], VECTOR),
    "unravel_index": (lambda x: x[np.unravel_index(np.argmax(x), x.shape)], MATRIX),
    "unravel_index in F order": (
        lambda x: x[np.unravel_index(np.argsort(-x.ravel())[:3], (3, 4), order="F")],
        MATRIX,
    ),
    "ravel_multi_index": (
        lambda x: x.ravel()[np.ravel_multi_index((np.argmin(x, 0), np.arange(4)), (3, 4))],
        MATRIX,
    ),
    "ravel_multi_index by modes": (
        lambda x: x.ravel()[
            np.ravel_multi_index((np.argmin(x, 0) + 7, np.arange(4)), (3, 4), mode="clip")
        ],
        MATRIX,
    ),
    "take": (lambda x: np.take(x, [[0, 2], [2, 1]], axis=1), MATRIX),
    "take from all": (lambda x: x.take([0, 7, 7]), MATRIX),
    "take with clip": (lambda x: np.take(x, [0, 9, -4], mode="clip"), VECTOR),
    "take with wrap": (lambda x: np.take(x, [0, 9, -4], mode="wrap"), VECTOR),
    "take traced with wrap": (lambda x: np.take(x, np.argsort(x) - 7, mode="wrap"), VECTOR),
    "take_along_axis": (
        lambda x: np.take_along_axis(x, np.argsort(-x, axis=1), axis=1), MATRIX,
    ),
    "take_along_axis of all": (
        lambda x: np.take_along_axis(x, np.array([1, 2]), axis=None), MATRIX,
    ),
    "choose": (lambda x: np.choose([0, 1, 0, 1, 1], [x, 2 * x]), VECTOR),
    "choose broadcast": (lambda x: np.choose([[0], [1], [2]], [x, 7.0, x[:1]]), VECTOR),
    "choose with wrap": (
        lambda x: np.choose([0, 1, -1, 7, 1], [x, 2 * x, 3.0], mode="wrap"), VECTOR,
    ),
    "choose with clip": (lambda x: np.choose([0, 1, 3, 1, -1], [x, 2 * x], mode="clip"), VECTOR),
    "choose by traced": (lambda x: (x > 2).astype(int).choose([x, x**2]), VECTOR),
    "choose rows": (lambda x: np.choose([0, 1, 2, 1], x), MATRIX),
    "select of numbers": (lambda x: np.select([x > 3, x > 2], [x, 0.0], 2 * x), VECTOR),
    "compress": (lambda x: x.compress([True, False, True], axis=0), MATRIX),
    "extract": (lambda x: np.extract(np.arange(12).reshape(3, 4) % 3 == 0, x), MATRIX),
    "where": (lambda x: x[np.where(x > 2)], MATRIX),
    "nonzero": (lambda x: x[(x > 2).nonzero()], MATRIX),
    "flatnonzero": (lambda x: x.ravel()[np.flatnonzero(x > 2)], MATRIX),
    "argwhere": (lambda x: x[tuple(np.argwhere(x > 2).T)], MATRIX),
    "array of no axes": (lambda x: x[np.array(1)], MATRIX),
    "unsigned places": (lambda x: x[np.array([1, 2], np.uint8)], VECTOR),
    "tril_indices_from": (lambda x: x[np.tril_indices_from(x)], MATRIX),
    "triu_indices_from": (lambda x: x[np.triu_indices_from(x, 1)], MATRIX),
    "diag_indices_from": (lambda x: x[:, :3][np.diag_indices_from(x[:, :3])], MATRIX),
    "flat": (lambda x: x.flat[3:9:2], MATRIX),
    "item": (lambda x: x.item(1) * x, VECTOR),
}


def weights(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int)) * 1.7 + 0.3).reshape(shape)


def differences(function, x, step=1e-6):
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        out[i] = (function(up) - function(down)) / (2 * step)
    return out


def check(function, x):
    expected, found = function(x.copy()), jit(function)(x)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    w = weights(np.shape(expected))

    def number(x):
        return np.sum(w * function(x))

    slope = differences(number, x)
    np.testing.assert_allclose(grad(number)(x), slope, atol=1e-6)
    np.testing.assert_allclose(jvp(number, (x,), (w_x := weights(x.shape),))[1],
                               np.sum(slope * w_x), atol=1e-6)


@pytest.mark.parametrize(("function", "x"), READS.values(), ids=READS)
def test_a_read_is_numpys(function, x):
    check(function, x)


@st.composite
def indexed(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    entries = []
    arrays = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    for extent in shape:
        kind = draw(st.sampled_from(["slice", "int", "array", "mask", "new", "stop"]))
        if kind == "stop":
            entries.append(...)
            break
        if kind == "new":
            entries.append(None)
        if kind == "int" and extent:
            entries.append(draw(st.integers(-extent, extent - 1)))
        elif kind == "array" and extent:
            places = st.integers(-extent, extent - 1)
            entries.append(draw(hnp.arrays(np.intp, arrays, elements=places)))
        elif kind == "mask" and extent and not any(isinstance(e, np.ndarray) for e in entries):
            entries.append(draw(hnp.arrays(bool, (extent,))))
            arrays = (int(entries[-1].sum()),)
        else:
            entries.append(draw(st.slices(extent)))
    return shape, tuple(entries)


@settings(max_examples=60, deadline=None)
@given(indexed())
def test_any_index_reads_as_numpy_does(case):
    shape, index = case
    x = weights(shape)
    try:
        expected = x[index]
    except IndexError:  # arrays that do not broadcast
        return
    found = jit(lambda x: x[index])(x)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
    w, w_x = weights(np.shape(expected)), weights(shape[::-1]).T
    slope = np.zeros(shape)
    np.add.at(slope, index, w)
    gradient = grad(lambda x: np.sum(w * x[index]))(x)
    np.testing.assert_allclose(gradient, slope, atol=1e-14)
    np.testing.assert_array_equal(jvp(lambda x: x[index], (x,), (w_x,))[1], w_x[index])


def test_a_place_that_depends_on_the_argument_is_found_at_each_call():
    largest = grad(lambda x: x[int(np.argmax(x))] ** 2)
    np.testing.assert_array_equal(largest(np.array([1.0, 3.0, 2.0])), [0, 6, 0])
    np.testing.assert_array_equal(largest(np.array([5.0, 3.0, 2.0])), [10, 0, 0])


def test_a_rounded_number_is_a_place():
    found = jit(lambda x, t: x[round(t)])
    assert found(VECTOR, 1.2) == VECTOR[1]
    assert found(VECTOR, 2.7) == VECTOR[3]


def test_reads_are_batched():
    for function in (
        lambda x: x[np.argmax(x)] ** 2,
        lambda x: np.sum(np.choose([0, 1, 2, 1], [x, 2 * x, x**2])),
        lambda x: x[np.unravel_index(np.argmax(x), x.shape)],
    ):
        expected = [function(row) for row in MATRIX]
        np.testing.assert_allclose(vmap(function)(MATRIX), expected)
        slopes = [differences(function, row) for row in MATRIX]
        np.testing.assert_allclose(vmap(grad(function))(MATRIX), slopes, atol=1e-6)


def test_the_mode_is_one_of_numpys():
    with pytest.raises(ValueError, match="clipmode must be one of"):
        jit(lambda x: np.take(x, [0], mode="round"))(VECTOR)
