"""The records of what is said: marks become operands, also beside braces."""

import numpy as np

from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.types import parse_type
from symdiff.ops.effects import beginning, prints
from symdiff.ops.printing import filled, mark, pieces, printing
from symdiff.schedule.schedule import schedule


def test_marks():
    text = f"a {mark(12)} b"
    assert pieces(text) == ["a ", "12", " b"]
    assert filled(text, lambda number: f"<{number}>") == "a <12> b"


def test_a_call_is_a_statement():
    with compilation():
        x = input_node("x", parse_type("f64[3]"))
        params = (("call", f'f"{{{mark(0)}}} of {mark(0)}"'), ("number", 1))
        said = node(printing(print, "print"), (node(beginning, ()), x), params)
        assert prints(said) and not prints(x)
        program = schedule(Graph("f", (x,), (x,), (said,)))
    assert 'print(f"{x} of x")' in str(program)


def test_another_function_is_bound():
    with compilation():
        params = (("call", '"text"'), ("number", 1))
        said = node(printing(np.seterr, ""), (node(beginning, ()),), params)
        program = schedule(Graph("f", (), (), (said,)))
    assert program.constants == {"seterr": np.seterr}
    assert 'seterr("text")' in str(program)
