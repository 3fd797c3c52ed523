"""What is computed in one sweep, what is stored, and what is computed again."""

import numpy as np

from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.node import constant
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops.linalg import matmul
from symdiff.ops.reductions import sum_
from symdiff.ops.shaping import broadcast_to, getitem, reshape
from symdiff.schedule.loops import Kernel, Load, Loops, Product, Store, Total
from symdiff.schedule.lower import lower
from tests.differential.test_size import calls


def lowered(make, *shapes) -> Loops:
    with compilation(fresh=True):
        inputs = [input_node(f"x{i}", array_type(np.float64, shape))
                  for i, shape in enumerate(shapes)]
        found = make(*inputs)
        outputs = found if isinstance(found, tuple) else (found,)
        return lower(Graph("f", tuple(inputs), outputs))


def total(x, *axes, keepdims=False):
    return node(sum_, (x,), (("axis", axes), ("keepdims", keepdims)))


def test_a_chain_and_its_sums_are_one_kernel():
    def f(x, y):
        z = node(e.tanh, (node(e.multiply, (x, y)),))
        return z, total(z, 0), total(z, 0, 1)

    program = lowered(f, (30, 40), (30, 40))
    (kernel,) = program.steps
    assert isinstance(kernel, Kernel)
    assert [type(each) for each in kernel.sinks] == [Store, Total, Total]
    assert program.work == 0


def test_equal_operations_on_other_shapes_of_the_same_elements_meet():
    def f(x):
        column = node(e.exp, (node(reshape, (x,), (("shape", (20, 1)),)),))
        return node(e.sin, (node(reshape, (column,), (("shape", (20,)),)),))

    assert len(lowered(f, (20,)).steps) == 1


def test_what_is_read_elsewhere_is_complete_before():
    def f(x, y):
        h = node(e.tanh, (x,))
        return node(e.add, (node(matmul, (h, y)), x)), total(h, 1)

    steps = lowered(f, (9, 9), (9, 9)).steps
    assert [type(each) for each in steps] == [Kernel, Product, Kernel]
    assert steps[1].left.buffer in [each.access.buffer for each in steps[0].sinks]


def test_cheap_values_are_computed_where_they_are_read():
    def f(x):
        part = node(getitem, (x,), (("index", (("slice", 1, None, None),)),))
        rest = node(getitem, (x,), (("index", (("slice", None, -1, None),)),))
        d = node(e.subtract, (part, node(e.multiply, (rest, rest))))
        first = node(getitem, (d,), (("index", (("slice", None, -1, None),)),))
        second = node(getitem, (d,), (("index", (("slice", 1, None, None),)),))
        return node(e.add, (first, second))

    program = lowered(f, (50,))
    (kernel,) = program.steps
    assert program.work == 0
    assert sum(isinstance(each, Load) for each in kernel.values) == 3  # x[2:], x[1:-1], x[:-2]


def test_no_kernel_reads_what_a_later_one_stores():
    def f(x, y):
        square = node(e.multiply, (x, x))
        half = node(e.multiply, (y, constant(0.5, y.type)))
        column = node(getitem, (half,), (("index", (("slice", None, 3, None), 0)),))
        return node(e.add, (square, column)), half

    stored = set()
    for kernel in lowered(f, (3,), (4, 3)).steps:
        assert isinstance(kernel, Kernel)
        read = [each.access.buffer for each in kernel.values if isinstance(each, Load)]
        assert all(each.storage == "in" or each in stored for each in read)
        stored |= {each.access.buffer for each in kernel.sinks}


def test_functions_are_not_computed_twice():
    def f(x):
        y = node(e.exp, (x,))
        return total(node(e.add, (y, node(getitem, (y,), (("index", (
            ("slice", None, None, -1),)),)))), 0)

    first, second = lowered(f, (50,)).steps
    assert len(first.values) == 2
    assert all("exp" not in getattr(each, "text", "") for each in second.values)


def test_a_row_value_is_broadcast_without_a_copy():
    def f(x):
        rows = node(broadcast_to, (total(x, 1, keepdims=True),), (("shape", (7, 8)),))
        return node(e.divide, (x, rows))

    _, kernel = lowered(f, (7, 8)).steps
    assert (1, 0) in [each.access.strides for each in kernel.values if isinstance(each, Load)]


def test_constants_are_part_of_the_text():
    def f(x):
        return node(e.multiply, (x, constant(2.5, x.type)))

    (kernel,) = lowered(f, (3,)).steps
    assert kernel.values[-1].text == "{0} * 2.5"


def test_the_time_is_linear_where_values_are_read_twice():
    def chain(length):
        def f(x):
            for _ in range(length):
                turned = node(getitem, (x,), (("index", (("slice", None, None, -1),)),))
                x = node(e.add, (node(e.multiply, (x, x)), turned))
            return x

        return f

    few, many = (calls(lowered, chain(length), (5,)) for length in (10, 40))
    assert many < 5 * few
