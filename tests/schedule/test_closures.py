"""What stands around a body and need not: numbers that NumPy repeats, and constants."""

from collections.abc import Iterator

import numpy as np
import pytest

from symdiff.frontend import Tracer
from symdiff.ir import compilation, input_node, node
from symdiff.ir.node import Node, constant
from symdiff.ir.types import array_type
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.ops.evaluate import evaluate
from symdiff.schedule.closures import closed

V = array_type(np.float64, (5,))
FLOAT = array_type(np.float64, (), True)


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def t(each: Node) -> Tracer:
    return Tracer(each, is_array=bool(each.type.shape))


def repeated(c: Node) -> Node:
    """c as an array of V."""
    wide = node(e.convert, (c,), (("dtype", V.dtype), ("weak", False)))
    return node(shaping.broadcast_to, (wide,), (("shape", V.shape),))


def test_a_number_is_given_as_it_is():
    x, c = input_node("x", V), input_node("c", FLOAT)
    i, v, w = input_node("i", control.INDEX), input_node("v", V), input_node("w", V)
    outside = repeated(c)
    plain = control.loop_of("f", i, [(v, x)], [], [(t(v) * t(outside)).node], {}, trips=4)
    assert closed(plain, set()).args == (c, x)
    passed = control.loop_of(
        "f", i, [(v, x), (w, x)], [], [(t(v) * t(outside)).node, outside], {}, trips=4
    )
    assert closed(passed, set()) is passed  # the array itself is needed


def test_a_number_for_a_loop_in_a_loop():
    x, c = input_node("x", V), input_node("c", FLOAT)
    i, v = input_node("i", control.INDEX), input_node("v", V)
    j, w = input_node("j", control.INDEX), input_node("w", V)
    outside = repeated(c)
    inner = control.loop_of("g", j, [(w, v)], [], [(t(w) * t(outside)).node], {}, trips=2)
    made = control.loop_of("f", i, [(v, x)], [], control.items(inner), {}, trips=4)
    found = closed(made, set())
    assert found.args == (c, x)
    values = {x: np.ones(5), c: 0.5}
    for one, other in zip(control.items(made), control.items(found), strict=True):
        np.testing.assert_array_equal(evaluate([one], values), evaluate([other], values))


def test_constants_stand_in_the_body():
    x, y = input_node("x", V), input_node("y", V)
    i, v = input_node("i", control.INDEX), input_node("v", V)
    made = control.loop_of("f", i, [(v, x)], [], [(t(v) * t(y)).node], {}, trips=4)
    primal = set(made.param("body").nodes())
    numbers = constant(np.arange(5.0), V)
    known = node(made.op, (numbers, x), made.params)
    found = closed(known, primal)
    assert found.args == (x,)
    body = found.param("body")
    assert [each.name for each in body.inputs] == ["i", "v"] and set(body.nodes()) <= primal
    np.testing.assert_array_equal(
        evaluate(control.items(found), {x: np.ones(5)})[0], np.arange(5.0) ** 4
    )
