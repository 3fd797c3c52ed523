"""A function that is passed on: what it closes over becomes arguments of its own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import symdiff
from symdiff.api.closed import Closed
from symdiff.api.signature import traced
from symdiff.errors import TraceError
from symdiff.frontend.tracer import lift
from symdiff.ir.types import array_type

F = array_type(np.float64, (3,))


def closed_in(make, *args):
    """What a function of traced values makes, and its Closed."""
    kept = []
    keep = kept.append  # a list itself would be copied while its function is traced

    def body(*args):
        keep(Closed(make(*args), [F]))
        return args[0] * 1.0

    symdiff.jit(body)(*args)
    return kept[0]


def test_residuals_are_what_is_reached():
    def make(a, b):
        scaled = 2 * a

        def f(x):
            return x * scaled - b

        return f

    closed = closed_in(make, np.ones(3), 2.0)
    assert [each.name for each in closed.graph.inputs] == ["scaled", "args_1", "x"]
    assert_allclose(closed.function(np.ones(3), 2.0, np.arange(3.0)), np.arange(3.0) - 2)
    assert closed.separate


def test_sums_are_not_separate():
    assert not closed_in(lambda a: lambda x: x - np.sum(x) * a, 1.0).separate
    assert not closed_in(lambda a: lambda x: x[::-1] * a, 1.0).separate


def test_one_array_is_returned():
    with pytest.raises(TraceError, match="should return one array"):
        closed_in(lambda a: lambda x: (x, a), 1.0)


def test_derivatives_within_a_trace():
    def slopes(a, x):
        closed = Closed(lambda x: a * x * x + np.sum(x), [F])
        nodes = [*closed.residuals, lift(x)]
        return traced(closed.jacobian(nodes)) * 1.0

    found = symdiff.jit(slopes)(2.0, np.arange(3.0))
    assert_allclose(found, np.diag(4 * np.arange(3.0)) + 1)
