"""The registry refuses incomplete records; the constructors fill in what can be known."""

import numpy as np
import pytest

from symdiff.errors import RuleError
from symdiff.ir import parse_type
from symdiff.ops import composite, elementwise, reductions, shaping
from symdiff.ops import primitive as p


@pytest.fixture(autouse=True)
def registry_is_restored(monkeypatch):
    p.every_primitive()  # what is imported once is registered once
    for table in ("REGISTRY", "BY_FUNCTION", "COMPOSITES"):
        monkeypatch.setattr(p, table, dict(getattr(p, table)))


def cube(x):
    """A function of the user's."""
    return x**3


def test_one_declaration_is_enough():
    op = p.elementwise(cube, partials={"x": lambda y, x: 3 * x * x}, result=p.same_type)
    assert p.lookup("cube") is op is p.find(cube)
    assert op.infer((parse_type("f32[3]"),), ()) == parse_type("f32[3]")
    np.testing.assert_array_equal(op(np.arange(3.0)), [0.0, 1.0, 8.0])


@pytest.mark.parametrize("rules", [{}, {"x": p.CONSTANT, "z": p.CONSTANT}])
def test_an_argument_without_a_rule_is_refused_and_a_rule_without_an_argument(rules):
    with pytest.raises(RuleError, match=r"cube: rules missing for \[.*\], unknown \[.*\]"):
        p.register(
            p.Primitive(
                name="cube", function=cube, arguments=("x",), result=p.same_type, rules=rules
            )
        )


def test_a_second_record_of_a_name_is_refused():
    with pytest.raises(RuleError, match="tanh is registered twice"):
        p.elementwise(np.tanh, partials={"x": 1})


def test_an_unknown_name_is_refused():
    with pytest.raises(RuleError, match="no primitive called nothing"):
        p.lookup("nothing")


def test_what_is_not_hashable_is_not_found():
    assert p.find([]) is None
    assert p.find(len) is None


def test_a_composite_stands_before_the_primitive_it_calls():
    assert p.find(np.conjugate) is composite.conjugate
    assert p.find(elementwise.conjugate) is elementwise.conjugate


def test_rules_are_found_by_position():
    assert elementwise.where.rule(0) is p.CONSTANT
    assert isinstance(elementwise.where.rule(2), p.Transpose)
    assert [shaping.concatenate.argument(i) for i in range(3)] == ["arrays"] * 3


def test_constants_name_their_arguments_by_number():
    assert elementwise.greater.arguments == ("x1", "x2")
    assert elementwise.floor.arguments == ("x",)


def test_an_argument_with_neither_rule_is_constant():
    assert reductions.argmax.rule(0) is p.CONSTANT


def test_every_record_has_an_operation_of_its_own_name():
    assert [op.name for op in p.every_primitive()] == list(p.REGISTRY)


def test_a_rule_is_asked_for_its_parameters():
    assert p.asks_for(lambda x, batched: x, "batched")
    assert not p.asks_for(lambda x: x, "batched")


@pytest.mark.parametrize(
    ("ufunc", "operands", "loops"),
    [
        (np.add, (np.dtype("f4"), float), "fff"),
        (np.divide, (np.dtype("i4"), int), "ddd"),
        (np.greater, (int, int), "ll?"),
        (np.ldexp, (np.dtype("f4"), np.dtype("i8")), "flf"),
    ],
)
def test_loops_are_those_that_numpy_chooses(ufunc, operands, loops):
    assert [each.char for each in p.resolve(ufunc, operands)] == list(loops)


def test_an_operand_that_a_ufunc_has_no_loop_for_is_refused():
    with pytest.raises(TypeError):
        p.resolve(np.bitwise_and, (np.dtype(float), np.dtype(float)))
