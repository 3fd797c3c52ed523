"""The extents of functions of whole arrays, and which views they take."""

import numpy as np
import pytest

from symdiff.ir.types import array_type
from symdiff.ops.primitive import Core
from symdiff.schedule.cores import extents_of, lies_together
from symdiff.schedule.values import Value, View


def test_batches_are_broadcast_and_letters_told_in_order():
    found = extents_of(Core("f", "(n,k),(k)->(n)"), [(5, 1, 2, 3), (4, 3)], (5, 4, 2))
    assert found.operands == ((2, 3), (3,))
    assert found.results == ((2,),)
    assert found.batch == (5, 4)
    assert found.letters == (2, 3)


def test_an_extent_that_no_operand_has_is_that_of_the_result():
    found = extents_of(Core("f", "(n),(2,3)->(k)"), [(4,), (2, 3)], (7,))
    assert found.letters == (4, 7)


def test_extents_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match="extents"):
        extents_of(Core("f", "(n),(n)->()"), [(4,), (3,)], ())


@pytest.mark.parametrize(
    ("strides", "core", "together"),
    [
        ((3, 1), (4, 3), True),
        ((0, 1), (3,), True),
        ((7, 1), (4, 3), False),
        ((1, 4), (4, 3), False),
        ((1, 4), (), True),
    ],
)
def test_a_core_lies_together(strides, core, together):
    view = View(Value("given", array_type(np.float64, (4, 3))), (4, 3), strides, 0)
    assert lies_together(view, core) is together
