"""What the tests of rewriting share: graphs of plain functions, and of their gradients."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from symdiff.autodiff.linearize import linearize, zeros
from symdiff.autodiff.transpose import transpose
from symdiff.frontend import Tracer
from symdiff.ir import Graph, Note, compilation, constant, input_node, type_of
from symdiff.ir.verify import verify
from symdiff.ops.evaluate import evaluate
from symdiff.rewrite import Application, simplify, stabilize


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


@pytest.fixture
def trace() -> Callable[..., Graph]:
    return trace_function


@pytest.fixture
def run() -> Callable[..., list[Any]]:
    return run_graph


@pytest.fixture
def gradient() -> Callable[..., "Gradient"]:
    return gradient_of


def trace_function(function: Callable[..., Any], *values: Any) -> Graph:
    """The graph of a function at values of its arguments."""
    names = list(inspect.signature(function).parameters)
    inputs = tuple([input_node(n, type_of(v)) for n, v in zip(names, values, strict=True)])
    results = function(*[Tracer(each, is_array=True) for each in inputs])
    results = results if isinstance(results, tuple) else (results,)
    notes = {each: Note(each.name) for each in inputs}
    return Graph("f", inputs, tuple(each.node for each in results), notes=notes)


def run_graph(graph: Graph, values: Sequence[Any]) -> list[Any]:
    """The outputs, computed node by node."""
    with np.errstate(all="ignore"):
        return evaluate(graph.outputs, dict(zip(graph.inputs, values, strict=True)))


@dataclass
class Gradient:
    """The value and the cotangents of a function, before and after rewriting."""

    values: tuple[Any, ...]
    plain: Graph
    simple: Graph
    log: list[Application]

    @property
    def rules(self) -> list[str]:
        return [each.rule for each in self.log]

    @property
    def ops(self) -> list[str]:
        """The operations that are left, one for each node."""
        return [each.op.name for each in self.simple.nodes() if each.args]

    def results(self) -> list[Any]:
        return run_graph(self.simple, self.values)

    def check(self) -> None:
        """Simplified or not, the numbers are the same."""
        for have, want in zip(self.results(), run_graph(self.plain, self.values), strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-9, atol=1e-12)


def gradient_of(
    function: Callable[..., Any], *values: Any, math: str = "default", wrt: Any = None
) -> Gradient:
    """Value and gradient with respect to the floating point arguments."""
    graph = trace_function(function, *values)
    log: list[Application] = []
    stable = stabilize(graph, math=math, log=log)
    verify(stable)
    simple = simplify(value_and_grad(stable, wrt), primal=set(stable.nodes()), math=math, log=log)
    verify(simple)
    return Gradient(values, value_and_grad(graph, wrt), simple, log)


def value_and_grad(graph: Graph, wrt: Sequence[int] | None = None) -> Graph:
    """Linearized and transposed, with the cotangent 1."""
    places = [i for i, each in enumerate(graph.inputs) if each.type.inexact] if wrt is None else wrt
    inputs = [graph.inputs[i] for i in places]
    linear = linearize(graph, inputs)
    seed = constant(graph.outputs[0].type.dtype.type(1), graph.outputs[0].type)
    bars = transpose(linear.outputs, linear.tangents, [seed], graph.notes, linear.origins)
    results = [zeros(each) if bar is None else bar for bar, each in zip(bars, inputs, strict=True)]
    return graph.with_outputs((*graph.outputs, *results))
