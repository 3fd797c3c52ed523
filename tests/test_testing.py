"""The checks of derivatives find what is wrong."""

from collections.abc import Iterator

import numpy as np
import pytest

import symdiff
from symdiff import NotDifferentiableError, check_grads
from symdiff.ir import Graph, compilation, input_node, node, parse_type
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Jvp, Partial, Primitive
from symdiff.testing import (
    check_derivatives,
    compare_grads,
    cotangent_graph,
    differences,
    run,
    tangent_graph,
)


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def graph_of(op: Primitive) -> Graph:
    x = input_node("x", parse_type("f64[3]"))
    return Graph("f", (x,), (node(op, (x,)),))


def cube(rule: Partial | Jvp) -> Primitive:
    """x**3 with a rule that may be wrong; not registered."""
    return Primitive(
        name="cube",
        function=lambda x: x**3,
        arguments=("x",),
        result=lambda x: x,
        rules={"x": rule},
        elementwise=True,
    )


X = np.array([0.5, 1.0, -2.0])


def test_a_right_rule_passes_at_every_order():
    check_derivatives(graph_of(cube(Partial(lambda y, x: 3 * x * x))), [X], order=3)


def test_a_wrong_derivative_is_found():
    with pytest.raises(AssertionError):
        check_derivatives(graph_of(cube(Partial(lambda y, x: 2 * x * x))), [X])


def test_a_rule_that_is_right_but_has_no_right_derivative_is_found():
    graph = graph_of(cube(Partial(lambda y, x: 3 * e.stop_gradient(x) * x)))
    check_derivatives(graph, [X], order=1)
    with pytest.raises(AssertionError):
        check_derivatives(graph, [X], order=2)


def test_complex_directions_tell_a_conjugate_from_the_number():
    z = input_node("z", parse_type("c128[2]"))
    values = [np.array([1 + 2j, 0.5 - 1j])]
    for op in (e.conjugate, e.real, e.imag, e.absolute):
        check_derivatives(Graph("f", (z,), (node(op, (z,)),)), values)


def test_differences_are_of_fourth_order():
    (slope,) = differences(graph_of(e.sin), [X], [np.ones(3)])
    np.testing.assert_allclose(slope, np.cos(X), rtol=1e-11)


def test_tangent_and_cotangent_graphs_take_more_inputs():
    graph = graph_of(e.sin)
    assert [each.name for each in tangent_graph(graph).inputs] == ["x", "x_dot"]
    assert [each.name for each in cotangent_graph(graph).inputs] == ["x", "y0_bar"]
    (x_bar,) = run(cotangent_graph(graph), [X, np.ones(3)])
    np.testing.assert_array_equal(x_bar, np.cos(X))


def test_outputs_that_are_not_inexact_are_left_out():
    check_derivatives(graph_of(e.isnan), [X])


# ---------------------------------------------------------------------------- functions


def energy(params, x, n=2):
    return np.sum(np.tanh(params["W"] @ x) ** n) * params["scale"]


PARAMS = {"W": np.arange(6.0).reshape(2, 3) / 10, "scale": 0.7}


def third(x):
    """x**3, whose first derivative is right and whose second is 0."""
    held = symdiff.stop_gradient(x)
    return 3 * held**2 * x - 2 * held**3


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (energy, (PARAMS, X)),
        (energy, (PARAMS, X, 3)),
        (np.sin, (0.5,)),
        (lambda x: np.exp(x) / np.sum(np.exp(x)), (X.astype(np.float32),)),
        (lambda z: np.abs(z) ** 2 * z, (X + 1j,)),
        (lambda x: {"a": x * x, "n": 3, "b": [np.sum(x), x > 0]}, (X,)),
        (lambda *xs: xs[0] * xs[1], (1.0, X)),
    ],
)
def test_right_derivatives_of_functions_pass(function, args):
    check_grads(function, args)


def test_the_rows_say_what_was_compared():
    rows = compare_grads(energy, (PARAMS, X), {"n": 2}, order=1)
    assert [(row.argument, row.type, row.check) for row in rows] == [
        (argument, type, check)
        for argument, type in (("params", "f64[2,3] float"), ("x", "f64[3]"))
        for check in ("fwd", "rev", "fwd=rev")
    ]
    assert all(row.ok and row.error < 1e-9 for row in rows)
    (row,) = compare_grads(energy, (PARAMS, X), argnames=("x",), order=1, modes=("rev",))
    assert (row.argument, row.check) == ("x", "rev")


def test_a_wrong_gradient_of_a_function_is_found_and_marked():
    with pytest.raises(AssertionError, match=r"the derivatives of function are not right \(!\)"):
        check_grads(lambda x: np.sum(symdiff.stop_gradient(x) * x), (X,), order=1)


def test_an_int_that_decides_a_shape_is_known():
    check_grads(lambda s, n: s * np.arange(n), (2.0, 3))


def test_a_wrong_second_derivative_is_found():
    check_grads(third, (X,), order=1)
    for mode in ("fwd", "rev"):
        with pytest.raises(AssertionError, match=f"{mode} of {mode}"):
            check_grads(third, (X,), modes=(mode,))


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(FloatingPointError, match="not finite"), np.errstate(all="ignore"):
        check_grads(np.log, (-X,))
    with pytest.raises(NotDifferentiableError, match="no argument of floats"):
        check_grads(np.sin, (3,))
