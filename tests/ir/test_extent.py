"""Extents that a loop decides: what stands for them, what is known, how they are written."""

import pytest

from symdiff.ir.extent import (
    Affine,
    affine_of,
    is_open,
    least,
    length,
    number_of,
    other_numbers,
    product,
    settled,
    written,
)

FIRST, SECOND = Affine((1,)), Affine((0, 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (FIRST, "i"),
        (FIRST.plus(Affine((), -1)), "i - 1"),
        (SECOND.plus(Affine((), 2)), "j + 2"),
        (FIRST.plus(SECOND, -1).plus(Affine((), -1)), "i - j - 1"),
        (Affine((), 10).plus(FIRST, -1), "10 - i"),
        (FIRST.plus(FIRST).plus(Affine((), 1)), "2 * i + 1"),
    ],
)
def test_a_number_stands_for_an_expression(value, text):
    number = number_of(value)
    assert affine_of(number) == value and number_of(value) == number
    assert is_open((3, number)) and not is_open((3, 4))
    assert written(f"x[:{number}].reshape({number}, 1)", {0: "i", 1: "j"}) == (
        f"x[:{text}].reshape({text}, 1)"
    )


def test_in_an_expression_it_has_brackets():
    number = number_of(Affine((-1,), 7))
    assert written(f"sum_1 / {number} - 1 / {number}", {0: "i"}) == "sum_1 / (7 - i) - 1 / (7 - i)"
    assert written(f"f({number}, k={number})", {0: "i"}) == "f(7 - i, k=7 - i)"
    assert written(f"x / {number_of(FIRST)}", {0: "i"}) == "x / i"
    assert written(f"{number}", {0: "i"}) == "7 - i"


def test_other_numbers_stand_for_the_same():
    usual = number_of(FIRST)
    with other_numbers():
        assert number_of(FIRST) != usual
        assert affine_of(number_of(FIRST)) == FIRST
        assert affine_of(usual) == Affine((), usual)


def test_what_is_just_a_number_stays_one():
    assert number_of(Affine((), 7)) == 7
    assert FIRST.plus(FIRST, -1) == Affine()
    assert written("x * 1234567890.5 + 987654321987", {}) == "x * 1234567890.5 + 987654321987"


def test_products():
    number = number_of(FIRST.plus(Affine((), 2)))
    assert product([]) == 1 and product([2, 3]) == 6
    assert affine_of(product([2, number, 3])) == Affine((6,), 12)
    assert not affine_of(product([number, number])).factors


def test_the_length_of_a_slice():
    i = number_of(FIRST)
    assert affine_of(length(0, i, 10)) == FIRST
    assert affine_of(length(i, 10, 10)) == Affine((-1,), 10)
    assert affine_of(length(i, -1, 10)) == Affine((-1,), 9)
    assert length(i, number_of(FIRST.plus(Affine((), 3))), 10) == 3
    assert length(2, 20, 10) == 8
    assert affine_of(length(1, i, i)) == Affine((1,), -1)


def test_the_least_that_an_extent_can_be():
    ranges = {0: (Affine(), Affine((), 9)), 1: (Affine((), 1), Affine((1,), -1))}  # 1 … i - 1
    assert least(FIRST, ranges) == 0
    assert least(Affine((), 10).plus(FIRST, -1), ranges) == 1
    assert least(FIRST.plus(SECOND, -1).plus(Affine((), -1)), ranges) == 0
    assert least(SECOND.plus(Affine((), -2)), ranges) == -1
    assert least(Affine((0, 0, 1)), ranges) is None


def test_parameters_are_settled_at_an_index():
    index = (("slice", None, number_of(FIRST), None), 3)
    assert settled(index, {0: 5}) == (("slice", None, 5, None), 3)
