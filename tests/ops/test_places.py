"""Which indices are known to name each place once."""

import numpy as np
import pytest

from symdiff import grad
from symdiff.frontend.tracer import lift
from symdiff.ir import compilation
from symdiff.ops.places import distinct


@pytest.mark.parametrize(
    ("index", "known"),
    [
        ([0, 2, 1], True),
        ([-1, -3], True),
        ([0, 0], False),
        ([3, -1], False),  # which may be the same place
        ([], True),
    ],
)
def test_constant_places(index, known):
    with compilation():
        assert distinct([lift(np.array(index, int))]) is known


def test_a_place_that_is_named_twice_from_either_end_is_added_to_twice():
    gradient = grad(lambda x: np.sum(x[[3, -1, 0]] ** 2))(np.arange(4.0))
    np.testing.assert_array_equal(gradient, [0, 0, 0, 12])
