"""Views of values against NumPy's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symdiff.ir.types import array_type
from symdiff.schedule.values import Value, View, contiguous, reshaped, seen, spread


def elements(view: View) -> np.ndarray:
    """The numbers of the elements that a view shows."""
    places = np.full(view.shape, view.offset)
    for axis, (extent, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
        steps = np.arange(extent) * stride
        places = places + steps.reshape(-1, *(1,) * (len(view.shape) - axis - 1))
    return places


def whole(shape) -> View:
    value = Value("given", array_type(np.float64, shape))
    return View(value, shape, contiguous(shape), 0)


CHANGES = (
    lambda x: x.T,
    lambda x: x[::-1],
    lambda x: x[..., 1:],
    lambda x: x[::2],
    lambda x: x[None],
    lambda x: np.broadcast_to(x, (2, *x.shape)),
    lambda x: x[..., :1],
)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3),
       st.lists(st.integers(0, len(CHANGES) - 1), max_size=4))
def test_views_of_views_are_those_of_numpy(extents, steps):
    shape = tuple(extents)
    expected = np.arange(np.prod(shape)).reshape(shape)
    view = whole(shape)
    for step in steps:
        changed = CHANGES[step](expected)
        if step == 5:
            view = spread(view, changed.shape)
        elif step == 0:  # the last axis of what is seen stays where it is
            view = view.along(*seen(view.shape, view.strides,
                                    lambda x: np.moveaxis(x, -1, 0).transpose(
                                        *range(x.ndim - 1, 0, -1), 0)))
        elif step in (2, 6):
            cut = (..., slice(1, None) if step == 2 else slice(1), slice(None))
            view = view.along(*seen(view.shape, view.strides, lambda x, c=cut: x[c]))
        else:
            view = view.along(*seen(view.shape, view.strides, CHANGES[step]))
        expected = changed
        assert view.shape == expected.shape
        np.testing.assert_array_equal(elements(view), expected)


@given(st.permutations([1, 2, 3, 4]), st.booleans(),
       st.sampled_from([(24,), (6, 4), (4, 6), (2, 3, 4), (1, 24), (2, 2, 6), (12, 1, 2)]))
def test_reshaping_is_a_view_where_it_is_one_in_numpy(extents, turned, new):
    shape = tuple(extents)
    array = np.arange(24).reshape(shape)
    array = array.T if turned else array
    strides = tuple(each // 8 for each in array.strides)
    found = reshaped(array.shape, strides, new)
    expected = array.reshape(new)
    if found is None:
        assert not np.shares_memory(expected, array)
    else:
        flat = np.arange(24)
        view = np.lib.stride_tricks.as_strided(flat, new, [8 * each for each in found])
        np.testing.assert_array_equal(view, expected)


def test_empty_shapes_can_be_reshaped():
    assert reshaped((0, 3), (3, 1), (3, 0)) == contiguous((3, 0))


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "expected"),
    [
        ((4, 5), (5, 1), 0, True),
        ((4, 1, 5), (5, 0, 1), 0, True),
        ((5, 4), (1, 5), 0, False),
        ((4, 4), (5, 1), 0, False),
    ],
)
def test_a_view_is_whole_where_it_has_all_elements_in_order(shape, strides, offset, expected):
    value = whole((4, 5)).value
    assert View(value, shape, strides, offset).whole is expected
