"""Interning: equal nodes are one object, and constants are told apart by their bytes."""

import gc

import numpy as np
import pytest

from symdiff.ir.node import compilation, constant, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops import elementwise as e

F, F3 = parse_type("f64[]"), parse_type("f64[3]")


def test_equal_nodes_are_one_and_inputs_never():
    with compilation(fresh=True):
        x, y = input_node("x", F3), input_node("x", F3)
        assert x is not y
        assert node(e.sin, (x,)) is node(e.sin, (x,))
        assert node(e.sin, (x,)) is not node(e.sin, (y,))
        assert node(e.sin, (x,)).serial > x.serial


def test_constants_are_keyed_by_bytes():
    with compilation(fresh=True):
        assert constant(np.float64(0.0), F) is not constant(np.float64(-0.0), F)
        assert constant(np.float64(np.nan), F) is constant(np.float64(np.nan), F)
        assert constant(np.float64(1), F) is not constant(True, parse_type("bool[]"))
        uniform = constant(np.full(3, 2.0), F3)
        assert uniform.uniform
        assert uniform is constant(np.float64(2), F3)
        assert not constant(np.arange(3.0), F3).uniform


def test_a_small_constant_does_not_follow_the_callers_array():
    array = np.arange(3.0)
    with compilation(fresh=True):
        made = constant(array, F3)
        array[0] = 9
        assert made.value[0] == 0


def test_large_constants_are_keyed_by_identity():
    array = np.arange(100.0)
    with compilation(fresh=True):
        type = parse_type("f64[100]")
        assert constant(array, type) is constant(array, type)
        assert constant(array, type) is not constant(array.copy(), type)


def test_nodes_need_a_compilation_and_inner_ones_join():
    with pytest.raises(RuntimeError):
        input_node("x", F)
    with compilation(fresh=True):
        x = input_node("x", F)
        with compilation():
            inner = node(e.sin, (x,))
        assert node(e.sin, (x,)) is inner


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_pauses_and_goes_on_as_before(collecting):
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with compilation(fresh=True), compilation(fresh=True):
            assert not gc.isenabled()
        with pytest.raises(KeyError), compilation(fresh=True):
            raise KeyError
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
