"""batch: a graph over a leading axis."""

from collections.abc import Iterator

import numpy as np
import pytest

from symdiff.batch import batch
from symdiff.errors import RuleError
from symdiff.frontend import Tracer
from symdiff.ir import Graph, Input, Note, compilation, input_node, node, parse_type
from symdiff.ir.text import to_text
from symdiff.ir.verify import verify
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import CONSTANT, Primitive
from symdiff.testing import check_derivatives, cotangent_graph, run, tangent_graph

SIZE = 3


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def traced(function, **types: str) -> Graph:
    inputs = tuple(input_node(name, parse_type(text)) for name, text in types.items())
    result = function(*[Tracer(each, is_array=True) for each in inputs])
    parts = result if isinstance(result, tuple) else (result,)
    return Graph("f", inputs, tuple(each.node for each in parts))


def batched(graph: Graph, names: str) -> Graph:
    made = batch(graph, [each for each in graph.inputs if each.name in names.split()], SIZE)
    verify(made)
    return made


def values_of(inputs: tuple[Input, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [np.asarray(rng.uniform(0.5, 2, each.type.shape)) for each in inputs]


def assert_is_loop(graph: Graph, names: str) -> None:
    """The batched graph computes what a loop over the rows does."""
    made = batched(graph, names)
    values = values_of(made.inputs)
    rows = [
        [v[i] if each.name in names.split() else v for each, v in zip(graph.inputs, values)]
        for i in range(SIZE)
    ]
    expected = zip(*[run(graph, row) for row in rows])
    for actual, each in zip(run(made, values), expected, strict=True):
        np.testing.assert_allclose(actual, np.stack(each), rtol=1e-12)


def network(W, b, x):
    h = np.tanh(x @ W + b)
    return np.sum(h * h), h.T


NETWORK = {"W": "f64[5,7]", "b": "f64[7]", "x": "f64[4,5]"}


@pytest.mark.parametrize("names", ["W", "b", "x", "W b", "W b x"])
def test_a_program_over_any_of_its_inputs(names):
    assert_is_loop(traced(network, **NETWORK), names)


def test_derivatives_can_be_batched_and_batches_differentiated():
    graph = traced(lambda x, w: np.sum(np.exp(x * w)), x="f64[4]", w="f64[4]")
    for derivative in (tangent_graph, cotangent_graph):
        assert_is_loop(derivative(graph), "x x_dot y0_bar")
    made = batched(graph, "x")
    check_derivatives(made, values_of(made.inputs))


def test_twice():
    graph = traced(np.outer, x="f64[2]", y="f64[4]")
    both = batched(batched(graph, "x"), "y")
    x, y = np.ones((3, 2)), np.arange(12.0).reshape(3, 4)
    (actual,) = run(both, [x, y])
    np.testing.assert_array_equal(actual, np.einsum("ai,bj->baij", x, y))


def test_what_depends_on_no_batched_input_is_computed_once():
    made = batched(traced(lambda x, y: np.exp(x) * y, x="f64[4]", y="f64[4]"), "y")
    assert " = exp(x) " in to_text(made)


def test_an_output_that_depends_on_no_batched_input_is_not_repeated():
    made = batched(traced(lambda x, y: (x, y), x="f64[2]", y="f64[4]"), "y")
    first, second = run(made, [np.arange(2.0), np.ones((3, 4))])
    np.testing.assert_array_equal(first, [0.0, 1.0])
    assert second.shape == (3, 4)


def test_python_scalars_become_arrays():
    made = batched(traced(lambda x, n: np.exp(x) * n + 1.5, x="float", n="int"), "x n")
    assert [str(each.type) for each in made.inputs] == ["f64[3]", "i64[3]"]
    (actual,) = run(made, [np.zeros(3), np.arange(3)])
    np.testing.assert_array_equal(actual, [1.5, 2.5, 3.5])


def test_notes_are_carried_over():
    graph = traced(lambda x: np.exp(x) + 1, x="f64[2]")
    inner = graph.outputs[0].args[0]
    graph.notes[inner] = Note("grown", of=graph.inputs[0])
    made = batched(graph, "x")
    note = made.notes[made.outputs[0].args[0]]
    assert note.name == "grown"
    assert note.of is made.inputs[0]


def identity_op(**fields) -> Primitive:
    """A primitive that is its operand, not registered."""
    return Primitive(
        name="same",
        function=lambda x: x,
        arguments=("x",),
        result=lambda x: x,
        rules={"x": CONSTANT},
        **fields,
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [({}, "no batching rule"), ({"batch": np.sum}, r"gives f64\[\], not f64\[3,2\]")],
)
def test_a_missing_or_wrong_rule_is_named(fields, message):
    x = input_node("x", parse_type("f64[2]"))
    graph = Graph("f", (x,), (node(identity_op(**fields), (x,)),))
    with pytest.raises(RuleError, match=f"same.* {message}"):
        batched(graph, "x")


def test_a_rule_is_told_which_operands_are_batched_if_it_asks():
    told = []

    def rule(x, y, batched):
        told.append(batched)
        return x + y if batched[0] else y + x

    op = Primitive(
        name="plus",
        function=np.add,
        arguments=("x", "y"),
        result=lambda x, y: x,
        rules={"x": CONSTANT, "y": CONSTANT},
        batch=rule,
    )
    x, y = (input_node(name, parse_type("f64[2]")) for name in "xy")
    batched(Graph("f", (x, y), (node(op, (x, y)),)), "y")
    assert told == [(False, True)]


def test_elementwise_operands_keep_their_dtypes():
    made = batched(traced(lambda m, x: np.where(m, x, 0.0), m="bool[2]", x="f32[2]"), "m")
    assert made.outputs[0].op is e.where
    assert str(made.outputs[0].type) == "f32[3,2]"


def test_primal_nodes_are_followed_by_what_they_become():
    graph = traced(lambda W, x: (np.tanh(x @ W), np.sin(x)), W="f64[2,2]", x="f64[2]")
    product = graph.outputs[0]
    primal = set(Graph("f", graph.inputs, (product,)).nodes())
    made = batch(graph, graph.inputs[1:], SIZE, primal)
    assert primal.issuperset(Graph("f", made.inputs, made.outputs[:1]).nodes()[2:])
    assert made.outputs[1] not in primal
