"""How a call of the user's function is written, and what tells calls apart."""

import numpy as np

import symdiff
from symdiff.api.signature import along, fitted
from symdiff.errors import RuleError
from symdiff.ir.node import compilation, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e

import pytest  # isort: skip

F = array_type(np.float64, (3,))


def source_of(function, *args):
    compiled = symdiff.jit(function)
    compiled(*args)
    return compiled.source


def test_static_values_are_written_as_literals():
    table = symdiff.custom_jvp(lambda x, kind, order=2, scale=1.0: x * order)
    assert 'table(x, "li\'ne", 3)' in source_of(lambda x: rename(table)(x, "li'ne", 3), np.ones(2))


def rename(custom):
    custom.fun.__name__ = "table"
    return custom


def test_keywords_are_written_by_position():
    table = rename(symdiff.custom_jvp(lambda x, kind="a", order=2: x * order))
    assert 'table(x, "a", 3)' in source_of(lambda x: table(x, order=3), np.ones(2))
    assert "table(x)" in source_of(lambda x: table(x), np.ones(2))


def test_static_objects_are_bound():
    apply = symdiff.custom_jvp(lambda function, x: function(x), nondiff_argnums=0)
    assert "(sin, x)" in source_of(lambda x: apply(np.sin, x), np.ones(2))


def test_equal_calls_are_one():
    calls = []
    counted = symdiff.custom_jvp(lambda x: calls.append(x) or (x, x * 2))
    twice = symdiff.jit(lambda x: counted(x)[0] + counted(x)[1])
    twice(np.ones(2))
    calls.clear()
    twice(np.ones(2))
    assert len(calls) == 1


def test_along_leaves_out_what_has_no_tangent():
    with compilation(fresh=True):
        x, dot_0, dot_1 = (input_node(name, F) for name in ("x", "dot_0", "dot_1"))
        both = node(e.add, (node(e.multiply, (x, dot_0)), node(e.multiply, (x, dot_1))))
        assert along(both, [x], [dot_0, dot_1], [None, None], "f") is None
        given = input_node("given", F)
        made = along(both, [x], [dot_0, dot_1], [given, None], "f")
        assert made.args[0] is node(e.multiply, (x, given))


def test_along_refuses_what_is_not_linear():
    with compilation(fresh=True):
        dot = input_node("dot", F)
        with pytest.raises(RuleError, match="the rule of f is not linear"):
            along(node(e.multiply, (dot, dot)), [], [dot], [dot], "f")


def test_fitted_converts_and_refuses():
    with compilation(fresh=True):
        assert fitted(None, F, "f") is None
        assert fitted(0.0, F, "f") is None
        assert fitted(np.ones(3, np.float32), F, "f").type == F
        with pytest.raises(RuleError, match=r"the rule of f gives f64\[2\]"):
            fitted(np.ones(2), F, "f")
        with pytest.raises(RuleError, match="gives a complex"):
            fitted(np.ones(3) * 1j, F, "f")
