"""The text form of a program."""

import numpy as np

from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.graph import Note, Position
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops.render import Source
from symdiff.schedule.program import (
    QUIET,
    Assign,
    Clause,
    Compound,
    Delete,
    Expression,
    Guard,
    Program,
    Stop,
    Update,
)
from symdiff.schedule.schedule import schedule


def test_statements_have_types_and_source_lines():
    with compilation():
        x = input_node("x", array_type(np.float64, (3,)))
        y = node(e.tanh, (x,))
        y_bar = node(e.multiply, (y, y))
        notes = {
            x: Note("x"),
            y: Note("y"),
            y_bar: Note("y", "bar", Position("/some/file.py", 7, "y = np.tanh(x)")),
        }
        program = schedule(Graph("f", (x,), (y, y_bar), notes=notes))
    assert str(program) == (
        "program f(x: f64[3])\n"
        "  y = np.tanh(x)  : f64[3]\n"
        "  y_bar = y * y   : f64[3]  # file.py:7\n"
        "  return y, y_bar\n"
    )


def test_every_kind_of_statement_has_a_text():
    with compilation():
        x = input_node("x", array_type(np.float64, (3,)))
        value = Expression(x, Source("x"), known=True)
        statements = (
            Assign("a", value),
            Update("a", "1:", "+=", value),
            Update("a", "i", "add.at", value),
            Update("a", ":, i", "add.at", value),
            Guard(value, 2, "x > 0"),
            Update("found", "", "append", value),
            Compound((Clause("while True:", (Stop(value),)),), repeats=True),
            Compound((Clause(QUIET, (Assign("b", value), Delete(("a", "b")))),)),
        )
        program = Program(
            "f", ("x",), statements, (value,), None, {"CONSTANT": np.zeros(70)}, {"x": x.type}
        )
    assert [line.split("  :")[0].strip() for line in str(program).splitlines()] == [
        "program f(x: f64[3])",
        "CONSTANT: f64[70]",
        "a = x",
        "a[1:] += x",
        "np.add.at(a, i, x)",
        "np.add.at(a, np.s_[:, i], x)",
        "if np.count_nonzero(x) != 2:",
        'raise ValueError("compiled for 2 elements where x > 0")',
        "found.append(x)",
        "while True:",
        "if not x:",
        "break",
        QUIET,
        "b = x",
        "del a, b",
        "return x",
    ]
