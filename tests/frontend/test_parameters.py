"""Calls as one value per parameter, and back."""

import functools

import numpy as np
import pytest

from symdiff.frontend.parameters import function_name, parameters_of


def f(a, b=2, *rest, c, d=4, **options):
    return a, b, rest, c, d, options


def test_bind_and_call():
    parameters = parameters_of(f)
    values = parameters.bind((1,), {"c": 3, "e": 5})
    assert values == (1, 2, (), 3, 4, {"e": 5})
    assert parameters.call(f, values) == f(1, c=3, e=5)
    assert parameters.variadic == 2
    with pytest.raises(TypeError, match="missing a required"):
        parameters.bind((), {})


def test_ufuncs_and_names():
    assert parameters_of(np.add).bind((1, 2), {}) == (1, 2)
    assert function_name(lambda x: x) == "function"
    assert function_name(f) == "f"


def test_without_last():
    assert parameters_of(lambda x, y, z: 0).without_last(1).names == ("x", "y")


def test_a_wrapper_is_called_as_it_says():
    @functools.wraps(f)
    def twice(x):
        return 2 * x

    @functools.wraps(f)
    def passes_on(*args, **kwargs):
        return f(*args, **kwargs)

    assert parameters_of(twice).names == ("x",)
    assert parameters_of(passes_on).names == parameters_of(f).names


def test_arguments_by_position_that_are_one_for_each_parameter():
    assert parameters_of(lambda a, b: a).are_given_by(2)
    assert not parameters_of(lambda a, b=1: a).are_given_by(1)
    assert not parameters_of(lambda a, *b: a).are_given_by(2)
    assert not parameters_of(lambda a, *, b: a).are_given_by(2)
