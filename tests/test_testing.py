"""The checks of derivatives find what is wrong."""

from collections.abc import Iterator

import numpy as np
import pytest

from symdiff.ir import Graph, compilation, input_node, node, parse_type
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Jvp, Partial, Primitive
from symdiff.testing import check_derivatives, cotangent_graph, differences, run, tangent_graph


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
