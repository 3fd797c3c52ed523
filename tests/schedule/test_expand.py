"""expand: what is no single NumPy call is written out, shared, and named as before."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from symdiff.frontend import Tracer
from symdiff.ir import Graph, Note, compilation, input_node, parse_type
from symdiff.ir.verify import verify
from symdiff.ops.evaluate import evaluate
from symdiff.ops.stable import log_softmax, sigmoid, softmax
from symdiff.schedule.expand import expand

X = np.array([[1.0, 2.0, 4.0], [0.0, 800.0, -800.0]])


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def graph_of(function: Callable) -> Graph:
    x = input_node("x", parse_type("f64[2,3]"))
    result = function(Tracer(x, is_array=True))
    outputs = result if isinstance(result, tuple) else (result,)
    return Graph("f", (x,), tuple(each.node for each in outputs))


def names(graph: Graph) -> list[str]:
    return [each.op.name for each in graph.nodes()]


def test_the_value_is_that_of_the_primitive():
    graph = graph_of(lambda x: log_softmax(x * 2, axis=(1,), expanded=True) + 1)
    expanded = expand(graph)
    verify(expanded)
    assert "log_softmax" not in names(expanded)
    (expected,) = evaluate(graph.outputs, {graph.inputs[0]: X})
    (actual,) = evaluate(expanded.outputs, {graph.inputs[0]: X})
    np.testing.assert_array_equal(actual, expected)


def test_exponentials_are_shared():
    expanded = expand(
        graph_of(
            lambda x: (
                softmax(x, axis=(1,), expanded=True),
                log_softmax(x, axis=(1,), expanded=True),
            )
        )
    )
    assert names(expanded).count("exp") == 1
    assert names(expanded).count("sum") == 1


def test_a_call_of_scipy_stays():
    graph = graph_of(lambda x: softmax(x, axis=(1,), expanded=False))
    assert expand(graph).outputs == graph.outputs


def test_the_name_goes_to_the_result_and_the_line_to_all():
    graph = graph_of(lambda x: sigmoid(x, expanded=True))
    graph.notes[graph.outputs[0]] = Note("p", "bar")
    primal = set(graph.nodes())
    expanded = expand(graph, primal)
    made = [each for each in expanded.nodes() if each is not graph.inputs[0]]
    assert expanded.notes[expanded.outputs[0]].name == "p"
    assert all(expanded.notes[each].suffix == "bar" for each in made)
    assert primal >= set(made)
