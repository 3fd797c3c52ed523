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


def test_what_the_function_closes_over_is_computed_once():
    function = symdiff.jit(lambda a: symdiff.root(lambda x: x - np.sum(np.exp(a)), 1.0))
    function(np.ones(3))
    called = next(line for line in function.source.splitlines() if "find_root(" in line)
    assert "exp" not in called
    rows = symdiff.vmap(symdiff.custom_jvp(np.add), in_axes=(0, None))
    function = symdiff.jit(lambda x, y: rows(x, np.exp(y)))
    function(np.ones(3), 1.0)
    called = next(line for line in function.source.splitlines() if "for _row in" in line)
    assert "exp" not in called
