"""Patterns: matched in any order of operands, printed, computed, instantiated."""

import numpy as np
import pytest

from symdiff.errors import RuleError
from symdiff.ir import Node, array_type, constant, input_node, node, parse_type
from symdiff.ops import elementwise as e
from symdiff.rewrite.pattern import (
    EXACT,
    Applied,
    Wild,
    evaluate,
    instantiate,
    is_number,
    match,
    rule,
    rules,
    variants,
    wilds,
)

x, y = wilds("x y")
c, d = Wild("c", constant=True), Wild("d", constant=True)


def argument(name: str, type: str = "f64[3]") -> Node:
    return input_node(name, parse_type(type))


def number(value: float, type: str = "f64[3]") -> Node:
    made = parse_type(type)
    return constant(value if made.weak else made.dtype.type(value), made)


def fits(pattern, each):
    return any(match(variant, each) for variant in variants(pattern))


def test_both_sides_print_as_the_code_they_are():
    row = rule("add-neg", x + (-y), x - y, EXACT)
    assert repr(row) == "add-neg: (x + (-y)) -> (x - y)"
    assert repr(np.sum(x, axis=(0,))) == "sum(x, axis=(0,))"


def test_both_sides_are_computed_by_numpy():
    values = {"x": np.array([1.0, 2.0]), "y": np.array([3.0, 5.0])}
    np.testing.assert_array_equal(evaluate(x * (-y), values), [-3.0, -10.0])


def test_operands_of_a_commutative_operation_match_in_either_order():
    a, b = argument("a"), argument("b")
    negative = node(e.negative, (b,))
    assert fits(x + (-y), node(e.add, (a, negative)))
    assert fits(x + (-y), node(e.add, (negative, a)))
    assert fits(x - (-y), node(e.subtract, (a, negative)))
    assert not fits(x - (-y), node(e.subtract, (negative, a)))


def test_orders_that_differ_in_names_only_are_tried_once():
    assert len(variants(x + y)) == 1
    assert len(variants(x * 1)) == 2
    assert len(variants(x * y + c * x)) == 8
    assert len(variants(c * x + c * y)) == 8  # c is in both
    assert len(variants(c * x + d * y)) == 4  # the products have one form


def test_a_wild_value_is_the_same_value_wherever_it_stands():
    a, b = argument("a"), argument("b")
    assert fits(x + x, node(e.add, (a, a)))
    assert not fits(x + x, node(e.add, (a, b)))


@pytest.mark.parametrize("type", ["f64[]", "f32[2,3]", "i64[4]", "float", "int", "c128[2]"])
def test_a_number_stands_for_a_constant_of_any_dtype_and_shape(type):
    assert is_number(number(2, type), 2)
    assert not is_number(number(3, type), 2)
    assert not is_number(argument("a", type), 2)


def test_the_sign_of_zero_counts_where_it_is_written_as_a_float():
    assert is_number(number(-0.0), -0.0)
    assert not is_number(number(-0.0), 0.0)
    assert is_number(number(-0.0), 0)
    assert is_number(number(0.0), 0)


def test_an_array_that_is_not_one_number_is_no_wild_constant():
    array = constant(np.arange(3.0), array_type(float, (3,)))
    assert fits(c * x, node(e.multiply, (number(7), argument("a"))))
    assert not fits(c * x, node(e.multiply, (array, argument("a"))))


def test_parameters_bind_wild_values_and_those_left_out_may_be_anything():
    a = argument("a", "f64[2,3]")
    axis = Wild("axis")
    total = node(e.negative, (a,))
    total = instantiate(np.sum(x, axis=(0,), keepdims=False), match(-x, total))
    assert total.type.shape == (3,)
    assert match(np.sum(x, axis=axis), total)["axis"] == (0,)
    assert match(np.sum(x, keepdims=True), total) is None
    assert match(np.sum(x), total)["x"] is a


def test_numbers_take_the_type_of_what_they_stand_beside():
    a = argument("a", "f32[3]")
    found = match(-x, node(e.negative, (a,)))
    made = instantiate(2 * x, found)
    assert [arg.type for arg in made.args] == [a.type, a.type]
    assert instantiate(0, found) is number(0, "f32[3]")
    assert instantiate(np.where(x == 0, 1, x), found).type == a.type


def test_what_is_no_primitive_is_refused():
    with pytest.raises(RuleError, match="no primitive"):
        np.mean(x)
    with pytest.raises(RuleError, match="no place in a pattern"):
        np.add.reduce(x)


def test_a_table_names_each_rule_once():
    row = rule("add-neg", x + (-y), x - y, EXACT)
    with pytest.raises(RuleError, match="add-neg"):
        rules(row, row)


def test_terms_are_told_apart_by_identity():
    assert hash(x) != hash(y)
    assert isinstance(x == y, Applied)
