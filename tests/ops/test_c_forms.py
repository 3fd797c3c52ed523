"""The text of one element."""

import numpy as np
import pytest

from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops.c_forms import c_form, called, literal, weight

F8, I8 = array_type(np.float64, (3,)), array_type(np.int64, (3,))


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (1.0, "f8", "1.0"),
        (-2.5, "f8", "(-2.5)"),
        (0.1, "f4", "0.1f"),
        (1e300, "f8", "1e+300"),
        (np.inf, "f8", "INFINITY"),
        (-np.inf, "f4", "(-INFINITY)"),
        (np.nan, "f8", "NAN"),
        (-0.0, "f8", "(-0.0)"),
        (7, "i8", "7"),
        (-7, "i4", "(-7)"),
        (2**40, "i8", "INT64_C(1099511627776)"),
        (-(2**63), "i8", "INT64_MIN"),
        (2**63, "u8", "UINT64_C(9223372036854775808)"),
        (True, "?", "1"),
    ],
)
def test_numbers_are_read_back_as_they_are(value, dtype, text):
    assert literal(value, np.dtype(dtype)) == text


def test_templates_are_told_types_and_constants():
    assert c_form(e.add, ["{0}", "{1}"], (F8, F8), {}) == "{0} + {1}"
    assert c_form(e.power, ["{0}", "2.0"], (F8, F8), {}) == "{0} * {0}"
    assert c_form(e.power, ["{0}", "3.5"], (F8, F8), {}) == "pow({0}, 3.5)"
    assert c_form(e.power, ["{0}", "{1}"], (I8, I8), {}) == ""
    assert c_form(e.power, ["{0}", "3"], (I8, I8), {}) == "sd_power_i64({0}, 3)"
    assert c_form(e.absolute, ["{0}"], (I8,), {}) == "{0} < 0 ? -{0} : {0}"
    assert c_form(e.left_shift, ["{0}", "{1}"], (F8, F8), {}) == ""


def test_calls_weigh_more_than_arithmetic():
    assert called("exp({0}) + sd_f(2)") == ["exp", "sd_f"]
    assert weight("{0} + {1}") < weight("{0} / {1}") < weight("exp({0})")
