"""Effects: one chain, in which each is one node."""

import numpy as np
import pytest

from symdiff.errors import RuleError
from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.types import ObjectType, parse_type
from symdiff.ops.draws import draw, drawing
from symdiff.ops.effects import beginning, happens, in_one_chain

RNG = ObjectType(np.random.Generator)


def drawn(before, rng, number, *operands):
    call = {
        "given": (("", None),) * len(operands),
        "inner": 0,
        "method": "poisson",
        "number": number,
        "order": -1,
        "places": tuple(range(len(operands))),
        "shape": (),
        "size": None,
    }
    return node(drawing, (before, rng, *operands), tuple(sorted(call.items())))


def numbers(effect, *operands):
    result = {"dtype": np.dtype(int), "method": "poisson", "names": ("lam",) * len(operands)}
    return node(
        draw, (effect, *operands), tuple(sorted({**result, "shape": (), "weak": True}.items()))
    )


def test_copies_of_an_effect_become_the_one_in_the_chain():
    with compilation():
        rng, x = input_node("rng", RNG), input_node("x", parse_type("float"))
        first = drawn(node(beginning, ()), rng, 1, x)
        last = drawn(first, rng, 2, x)
        y = input_node("y", parse_type("float"))
        copy = drawn(node(beginning, ()), rng, 1, y)
        graph = Graph("f", (rng, x, y), (numbers(copy, y),), (last,))
        (output,) = in_one_chain(graph).outputs
        assert output.args == (first, y)
        assert [each.param("number") for each in graph.nodes() if happens(each) and each.args]


def test_an_effect_that_is_not_in_the_chain_is_found():
    with compilation():
        rng, x = input_node("rng", RNG), input_node("x", parse_type("float"))
        lost = drawn(node(beginning, ()), rng, 1, x)
        graph = Graph("f", (rng, x), (numbers(lost, x),), ())
        with pytest.raises(RuleError, match="not among the effects"):
            in_one_chain(graph)
