"""Runs on stand-ins are undone, and say why they were in vain."""

import numpy as np

from symdiff.frontend.speculation import FailedError, made_since, passes, reason_of
from symdiff.frontend.tracer import StaticArgument, Tracer
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import array_type
from tests.frontend.tracing import check


def test_nodes_made_since_a_mark_and_what_they_read():
    with compilation(fresh=True):
        x = Tracer(input_node("x", array_type(np.float64)))
        old = np.sin(x)
        mark = input_node("", array_type(np.float64)).serial
        new = np.cos(old)
        assert made_since([new.node], mark) == [old.node, new.node]


def test_reasons():
    assert reason_of(FailedError("it cannot be")) == "it cannot be"
    assert reason_of(ValueError("first\nsecond")) == "ValueError: first"
    wrapped = TypeError()
    wrapped.__cause__ = StaticArgument({"n"})
    assert passes(wrapped)
    assert not passes(TypeError())


def test_what_a_side_changes_is_undone():
    seen = []

    def notes(x):
        kept = {}
        if x > 0:
            kept["positive"] = x
        else:
            kept["negative"] = x
        seen.append(list(kept))
        return sum(kept.values())

    captured = check(notes, (2.0,))
    assert captured.roads == ["decided at each call"]
    assert all(len(each) == 1 for each in seen)
