"""The type that has the values of two, and arrays with two names."""

import numpy as np
import pytest

from symdiff.frontend.joins import aliases_among, is_numeric, itself, join, still, tracers_in
from symdiff.frontend.tracer import Tracer
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import array_type

WEAK_INT, WEAK = array_type(np.int64, (), True), array_type(np.float64, (), True)
F32, F64, TRUTH = array_type(np.float32), array_type(np.float64), array_type(np.bool_)


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        (WEAK_INT, WEAK, WEAK),
        (WEAK, F32, F32),
        (F32, F64, F64),
        (TRUTH, F64, None),
        (array_type(np.int64), F64, None),  # arithmetic of integers is another one
        (array_type(np.float64, (3,)), array_type(np.float64, (4,)), None),
    ],
)
def test_join(one, other, joined):
    assert join(one, other) == join(other, one) == joined


def test_what_passes_through_nodes():
    assert all(map(is_numeric, [True, 1, 2.0, 1j, np.float32(1), np.ones(3)]))
    assert not any(map(is_numeric, ["1", None, [1.0], np.array(["a"]), np.array([None])]))


def test_an_array_met_twice_is_an_alias():
    with compilation(fresh=True):
        array = Tracer(input_node("x", array_type(np.float64, (3,))))
        mark = input_node("later", F64).serial
        assert aliases_among([array], mark) == [array]  # known from before
        kept = still([array, 2.0])
        assert itself(kept[0]) is array
        assert tracers_in(kept) == [kept[0]]
