"""Types, their text, and what values have which."""

import pickle

import numpy as np
import pytest

from symdiff.ir.types import array_type, is_masked, is_supported, parse_type, type_of


@pytest.mark.parametrize(
    "text",
    ["f64[5,7]", "f32[]", "i64[0]", "bool[3]", "c128[1,1]", "float", "int", "bool", "complex"],
)
def test_text_round_trip(text):
    assert str(parse_type(text)) == text


@pytest.mark.parametrize("text", ["f65[3]", "f64", "f64[3", "f64[a]", "float[3]", ""])
def test_what_is_no_type_is_refused_with_the_form(text):
    with pytest.raises(ValueError, match="write one like"):
        parse_type(text)


def test_type_of_values():
    assert type_of(1) == parse_type("int")
    assert type_of(True) == parse_type("bool")
    assert type_of(2.0) == parse_type("float")
    assert type_of(np.float32(2)) == parse_type("f32[]")
    assert type_of(np.zeros((2, 0))) == parse_type("f64[2,0]")
    with pytest.raises(TypeError):
        type_of("x")


def test_equality_hash_and_pickle():
    one, other = array_type(np.float64, (3,)), parse_type("f64[3]")
    assert one == other
    assert hash(one) == hash(other)
    assert one != array_type(np.float32, (3,))
    assert array_type(np.float64) != parse_type("float")
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.shape = ()


def test_supported_and_masked():
    assert is_supported(np.dtype(np.float16))
    assert not is_supported(np.dtype(object))
    assert not is_supported(np.dtype(">f8"))
    assert is_masked(np.ma.array([1.0]))
    assert not is_masked(np.zeros(1))
