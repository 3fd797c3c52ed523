"""The functions that C sources declare."""

from symdiff.codegen.c_library import calls_of, declarations


def test_vector_functions_are_declared_with_their_precision():
    text = "\n".join(declarations({"exp", "powf", "erf"}))
    assert "SD_VECTOR extern double exp(double);" in text
    assert "SD_VECTOR extern float powf(float, float);" in text
    assert "SD_VECTOR extern double erf(double);" in text


def test_our_own_functions_bring_what_they_call():
    assert set(calls_of("sd_logaddexp")) == {"exp", "log1p"}
    assert set(calls_of("sd_remainderf")) >= {"fmodf", "copysignf"}
    assert calls_of("exp") == []
    assert "sd_remainderf(float a, float b)" in "\n".join(declarations({"sd_remainderf"}))


def test_nothing_is_declared_that_is_not_called():
    assert not list(declarations({"fabs", "floor"}))
