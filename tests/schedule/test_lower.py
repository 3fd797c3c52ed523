"""Which graphs have a C form, and what is said of those that have none."""

import numpy as np
import pytest

import symdiff
from symdiff.errors import CompileError
from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops.shaping import ARRAY, counts, getitem, index_add
from symdiff.schedule.loops import Check, Decided
from symdiff.schedule.lower import lower


def test_what_has_no_c_form_is_said_with_its_line():
    def f(x):
        y = x + 1
        return np.unwrap(y)

    with pytest.raises(CompileError) as raised:
        lower(symdiff.jit(f).lower(np.ones(4)).work.graph)
    what, where, way_out = str(raised.value).splitlines()
    assert what == "unwrap has no C form"
    assert "return np.unwrap(y)" in where
    assert 'backend="auto"' in way_out


@pytest.mark.parametrize("dtype", [np.complex128, np.float16, np.longdouble])
def test_a_dtype_without_a_c_form_is_named(dtype):
    with pytest.raises(CompileError, match=np.dtype(dtype).name):
        lower(symdiff.jit(lambda x: x * x).lower(np.ones(3, dtype)).work.graph)


def test_indices_are_checked_once_for_each_array_and_axis():
    with compilation(fresh=True):
        x, v, k = (input_node("x", array_type(np.float64, shape)) for shape in ((5,), (3,), (3,)))
        k = input_node("k", array_type(np.int64, (3,)))
        index = (("index", (ARRAY,)),)
        twice = node(index_add, (node(index_add, (x, v, k), index), v, k), index)
        program = lower(Graph("f", (x, v, k), (twice,)))
    assert sum(isinstance(each, Check) for each in program.steps) == 1


def test_stores_into_the_same_array_are_not_copied():
    with compilation(fresh=True):
        x = input_node("x", array_type(np.float64, (50,)))
        y = x
        every_other = (("index", (("slice", None, None, 2),)),)
        for i in range(5):
            part = node(e.negative, (node(getitem, (x,), every_other),))
            y = node(index_add, (y, part), every_other)
            assert i < 5
        program = lower(Graph("f", (x,), (y,)))
    assert program.work == 0
    assert len(program.steps) == 6


def test_stores_into_the_same_array_in_another_shape():
    def f(x):
        return np.sum(np.sin(x.ravel()[2:11:4])) * np.sum(x[-3])

    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(symdiff.grad(f, backend="c")(x), symdiff.grad(f)(x), rtol=1e-14)


def test_a_part_whose_ends_a_loop_decides_is_refused():
    def f(x):
        total = 0.0
        for i in range(6):
            total = total + np.sum(x[i : i + 2]) ** 2
        return total

    with pytest.raises(CompileError, match="of a part that a loop decides"):
        lower(symdiff.jit(f).lower(np.arange(8.0)).work.graph)


def test_decisions_come_before_what_does_not_lead_to_them():
    with compilation(fresh=True):
        x, y = (input_node("x", array_type(np.float64, (n,))) for n in (5, 7))
        before = node(e.sin, (y,))
        guard = node(counts, (node(e.isnan, (x,)),), (("count", 0),))
        program = lower(Graph("f", (x, y), (before,), (guard,)))
    decided, kernel = program.steps[-2:]
    assert isinstance(decided, Decided)
    assert kernel.sinks[0].access.buffer.storage == "out"
