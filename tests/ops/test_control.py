"""Loops and branches as nodes: types, meaning, and what they take from outside."""

import numpy as np
import pytest

from symdiff.errors import RuleError
from symdiff.ir.extent import Affine, number_of
from symdiff.ir.graph import Graph
from symdiff.ir.node import Input, Node, compilation, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.ops.evaluate import evaluate
from symdiff.ops.reductions import sum_

VECTOR = array_type(np.float64, (3,))
SCALAR = array_type(np.float64)


def vector(name: str) -> Input:
    return input_node(name, VECTOR)


def test_a_loop_carries_collects_and_reads_rows():
    with compilation():
        x, y = vector("x"), vector("y")
        rows = input_node("rows", array_type(np.float64, (4, 3)))
        index, state, row = input_node("i", control.INDEX), vector("s"), vector("r")
        following = node(e.add, (node(e.multiply, (state, y)), row))
        loop = control.loop_of(
            "body", index, [(state, x)], [(row, rows)], [following, state], {}, trips=4
        )
        found = control.items(loop)
        assert [each.type for each in found] == [VECTOR, array_type(np.float64, (4, 3))]
        assert [each.name for each in loop.param("body").inputs] == ["i", "y", "s", "r"]
        data = np.arange(12.0).reshape(4, 3)
        last, states = evaluate(found, {x: np.ones(3), y: np.full(3, 2.0), rows: data})
    expected, kept = np.ones(3), []
    for each in data:
        kept.append(expected)
        expected = expected * 2 + each
    assert np.array_equal(last, expected) and np.array_equal(states, kept)


def test_a_loop_runs_backwards():
    with compilation():
        x = input_node("x", SCALAR)
        index, state = input_node("i", control.INDEX), input_node("s", SCALAR)
        number = node(e.convert, (index,), (("dtype", SCALAR.dtype), ("weak", False)))
        following = node(e.subtract, (number, state))
        loop = control.loop_of(
            "body", index, [(state, x)], [], [following, state], {}, trips=3, start=1, step=2,
            reverse=True,
        )
        last, states = evaluate(control.items(loop), {x: np.float64(0)})
    assert last == 1 - (3 - (5 - 0))
    assert states.tolist() == [3 - 5.0, 5.0, 0.0]  # in the places of their trips


def test_a_loop_goes_on_while_its_test_holds():
    with compilation():
        x = input_node("x", SCALAR)
        index, state = input_node("i", control.INDEX), input_node("s", SCALAR)
        loop = control.loop_of(
            "body", index, [(state, x)], [], [node(e.add, (state, state)), state], {},
            test=node(e.less, (state, input_node("limit", SCALAR))),
        )
        limit = loop.args[0]
        last, states, trips = control.items(loop)
        assert states.type.shape == (control.UNKNOWN,) and trips.type == control.INDEX
        found = evaluate([last, states, trips], {x: np.float64(1), limit: np.float64(10)})
        assert found[0] == 16 and found[1].tolist() == [1, 2, 4, 8] and found[2] == 4
        none = evaluate([last, states, trips], {x: np.float64(20), limit: np.float64(10)})
    assert none[0] == 20 and none[1].shape == (0,) and none[2] == 0


def test_one_branch_is_run():
    with compilation():
        x, taken = input_node("x", SCALAR), input_node("taken", control.TRUTH)

        def branch(op: object) -> Graph:
            own = input_node("x", SCALAR)
            return Graph("branch", (own,), (node(op, (own,)),))

        made = control.cond_node(taken, [x], (branch(e.sin), branch(e.cos)))
        (found,) = control.items(made)
        for value, expected in ((True, np.sin(2.0)), (False, np.cos(2.0))):
            assert evaluate([found], {x: np.float64(2), taken: np.bool_(value)}) == [expected]


def test_a_body_of_other_types_is_refused():
    with compilation():
        x = input_node("x", SCALAR)
        index, state = input_node("i", control.INDEX), input_node("s", SCALAR)
        wide: Node = node(
            e.convert, (state,), (("dtype", np.dtype(np.complex128)), ("weak", False))
        )
        with pytest.raises(RuleError, match="carries"):
            control.loop_of("body", index, [(state, x)], [], [wide], {}, trips=3)


def test_parts_of_a_body_have_extents_that_its_index_decides():
    """x[i] = b[i] - sum(x[:i])."""
    vector = array_type(np.float64, (5,))
    with compilation():
        b = input_node("b", vector)
        index, x = input_node("i", control.INDEX), input_node("x", vector)
        until = number_of(Affine((1,)))
        part = node(shaping.getitem, (x,), (("index", (("slice", None, until, None),)),))
        assert part.type.shape == (until,)
        total = node(sum_, (part,), (("axis", (0,)), ("keepdims", False)))
        own = node(shaping.getitem, (b, index), (("index", (shaping.ARRAY,)),))
        params = (("distinct", True), ("index", (shaping.ARRAY,)))
        stored = node(shaping.index_set, (x, node(e.subtract, (own, total)), index), params)
        loop = control.loop_of("body", index, [(x, b)], [], [stored], {}, trips=5, level=0)
        data = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
        (found,) = evaluate(control.items(loop), {b: data})
    expected = data.copy()
    for i in range(5):
        expected[i] = data[i] - np.sum(expected[:i])
    assert np.array_equal(found, expected)


def test_a_loop_costs_as_much_as_its_body_where_extents_are_open_too(monkeypatch):
    with compilation():
        part = number_of(Affine((1,)))
        old = input_node("x", array_type(np.float64, (part,)))
        open_node = node(e.exp, (old,))
        closed = input_node("a", array_type(np.float64))
        for _ in range(50):
            closed = node(e.sin, (closed,))
        made = input_node("i", control.INDEX)
        last = node(e.cos, (closed,))
        asked = []
        def is_open(each):
            asked.append(each)
            return each is open_node

        monkeypatch.setattr(control, "_is_open", is_open)
        for _ in range(3):
            found = control.dependent([last, open_node], [made])
            assert open_node in found and last not in found
        assert len(asked) < 80  # once for each node, and again for what is new
