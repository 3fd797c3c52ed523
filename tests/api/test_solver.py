"""What all solvers have in common: they are called, with what their function closes over."""

import numpy as np
import pytest

import symdiff


def test_a_solver_is_called_with_the_function_that_is_traced():
    seen = []

    def solve(f, x):
        seen.append(f(x))
        return x

    function = symdiff.jit(lambda a: symdiff.root(lambda x: x - a, 3.0, solve=solve))
    assert function(2.0) == 3.0
    assert seen == [1.0]


def test_a_result_of_another_shape_is_refused():
    function = symdiff.jit(
        lambda a: symdiff.root(lambda x: x - a, np.ones(2), solve=lambda f, x: x[:1])
    )
    with pytest.raises(symdiff.ShapeError, match=r"returned f64\[1\], where f64\[2\]"):
        function(2.0)
