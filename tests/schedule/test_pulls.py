"""Parts of arrays that are gathered instead of stored one after the other."""

import numpy as np
import pytest

import symdiff
from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops.shaping import concatenate, index_add, pad
from symdiff.schedule.loops import Kernel, Total
from symdiff.schedule.lower import lower


def lowered(make, *shapes):
    with compilation(fresh=True):
        inputs = [input_node(f"x{i}", array_type(np.float64, shape))
                  for i, shape in enumerate(shapes)]
        return lower(Graph("f", tuple(inputs), (make(*inputs),)))


def span(start, stop, step=None):
    return (("index", (("slice", start, stop, step),)),)


def test_sums_of_parts_write_each_element_once():
    def f(x, y):
        return node(index_add, (node(index_add, (x, y), span(None, -1)), y), span(1, None))

    program = lowered(f, (50,), (49,))
    assert program.work == 0
    assert [each.shape for each in program.steps] == [(), (48,), ()]
    assert all(not sink.adds for each in program.steps for sink in each.sinks)


def test_strided_parts_are_stored():
    program = lowered(lambda x, y: node(index_add, (x, y), span(None, None, 2)), (50,), (25,))
    assert any(isinstance(each, Kernel) and each.sinks[0].adds for each in program.steps)


def test_functions_are_computed_where_they_go():
    """What is joined of functions needs no memory in between."""
    def f(x, y):
        parts = node(e.exp, (x,)), node(e.tanh, (y,))
        return node(concatenate, parts, (("axis", 0),))

    assert lowered(f, (30,), (40,)).work == 0


def test_a_value_and_its_gradient_are_one_sweep():
    @symdiff.value_and_grad(backend="c")
    def valley(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    valley(np.ones(100))
    program = lower(valley.compiled.work.graph)
    assert [each.shape for each in program.steps] == [(), (98,), ()]
    assert sum(isinstance(sink, Total) for each in program.steps for sink in each.sinks) == 2


def test_a_border_of_a_plane_has_nine_pieces():
    widths = (("widths", ((1, 1), (1, 1))),)
    program = lowered(lambda x, y: node(e.multiply, (node(pad, (x,), widths), y)), (8, 9), (10, 11))
    assert len(program.steps) == 9
    assert program.work == 0


CUTS = (slice(1, None), slice(None, -1), slice(2, 5), slice(-3, None), slice(None, None, -1),
        slice(4, 1, -1), slice(3, 3), slice(0, 1))


@pytest.mark.parametrize("seed", range(4))
def test_random_stores_agree_with_numpy(seed):
    rng = np.random.default_rng(seed)
    cuts = [tuple(rng.choice(len(CUTS), 2)) for _ in range(3)]
    adds = rng.random(3) < 0.7

    def f(x, y):
        out = np.sin(x) if seed % 2 else np.zeros((7, 6))
        for (i, j), add in zip(cuts, adds, strict=True):
            part = y[CUTS[i], CUTS[j]] * 2
            if add:
                out[CUTS[i], CUTS[j]] += part
            else:
                out[CUTS[i], CUTS[j]] = part
        return out * y, np.sum(out, axis=0)

    x, y = rng.normal(size=(2, 7, 6))
    for found, expected in zip(symdiff.jit(f, backend="c")(x, y), f(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
