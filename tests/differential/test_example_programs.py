"""Each algorithm of examples/programs: values, mutated arguments and derivatives, at two inputs.

A function is compiled at one input and called at another, where its branches and loops may go
another way: what it returns, and what it leaves in its arguments, must be NumPy's to the last bit.
"""

import runpy
from pathlib import Path

import pytest

from tests.differential.as_python import check_first_order, check_second_order, check_values

FOLDER = Path(__file__).parents[2] / "examples" / "programs"
PROGRAMS = {
    function.__name__: (function, inputs)
    for path in sorted(FOLDER.glob("*.py"))
    for function, *inputs in runpy.run_path(str(path))["PROGRAMS"]
}


@pytest.fixture(params=PROGRAMS)
def program(request):
    return PROGRAMS[request.param]


def test_values_and_arguments_are_those_of_numpy(program):
    function, inputs = program
    check_values(function, inputs)


def test_derivatives_of_first_order(program):
    function, inputs = program
    for args in inputs:
        check_first_order(function, args)


def test_derivatives_of_second_order(program):
    function, inputs = program
    check_second_order(function, inputs[0])
