"""The texts of functions of whole arrays; what they compute is tested with their records."""

from symdiff.codegen.c_functions import functions, stops


def test_what_a_function_calls_stands_before_it():
    before, place, search = functions([("sd_searchsorted", "f64")])
    assert "sd_before_f64(double a, double b)" in before
    assert "(b != b)" in before
    assert "sd_before_f64(v, x[middle])" in place
    assert "sd_place_f64(x, n, v[i], right)" in search


def test_integers_have_no_nan():
    (text,) = functions([("sd_argmax", "i32")])
    assert "!=" not in text
    assert "const int32_t *x, int64_t *y" in text


def test_which_functions_may_stop_a_program():
    assert stops("sd_nanargmax")
    assert not stops("sd_cumsum")
