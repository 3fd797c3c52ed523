"""Checks of derivatives: against differences, and of reverse mode against forward mode.

They work on graphs, so that a primitive, a program or a derivative of one is checked alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symdiff.autodiff.linearize import Linearized, linearize, zeros
from symdiff.autodiff.transpose import transpose
from symdiff.ir import Graph, Node, input_node
from symdiff.ir.verify import verify
from symdiff.runtime.evaluate import evaluate

Array = np.ndarray[Any, np.dtype[Any]]

STEP = 1e-3  # of differences of fourth order: truncation and rounding are both near 1e-12


def check_derivatives(
    graph: Graph,
    values: Sequence[Array],
    order: int = 2,
    *,
    rtol: float = 1e-7,
    atol: float = 1e-8,
) -> None:
    """Raises AssertionError unless the derivatives of the inexact outputs are right at `values`.

    Tangents must equal differences, and cotangents be their adjoint; up to `order`, the graphs of
    both are then checked in the same way.
    """
    graph = graph.with_outputs(each for each in graph.outputs if each.type.inexact)
    rng = np.random.default_rng(len(values))
    forward, backward = tangent_graph(graph), cotangent_graph(graph)
    dots = directions(values, rng)
    y_dots = run(forward, [*values, *inexact(dots)])
    for actual, expected in zip(y_dots, differences(graph, values, dots), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
    y_bars = directions(y_dots, rng)
    x_bars = run(backward, [*values, *y_bars])
    left, right = pairing(y_bars, y_dots), pairing(x_bars, inexact(dots))
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)
    if order > 1:
        options = {"rtol": rtol, "atol": atol}
        check_derivatives(forward, [*values, *inexact(dots)], order - 1, **options)
        check_derivatives(backward, [*values, *y_bars], order - 1, **options)


def run(graph: Graph, values: Sequence[Array]) -> list[Array]:
    """The outputs of the graph, by each primitive's reference function."""
    with np.errstate(all="ignore"):
        outputs = evaluate(graph.outputs, dict(zip(graph.inputs, values, strict=True)))
    return [np.asarray(each) for each in outputs]


def inexact(values: Sequence[Array]) -> list[Array]:
    """The values that can carry a derivative."""
    return [each for each in values if each.dtype.kind in "fc"]


def directions(values: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """Random arrays like the values; integers and booleans have no direction, and stay."""
    out = []
    for each in values:
        direction: Array = np.asarray(rng.uniform(-1, 1, each.shape))
        if each.dtype.kind == "c":
            direction = direction + 1j * rng.uniform(-1, 1, each.shape)
        out.append(direction.astype(each.dtype) if each.dtype.kind in "fc" else each)
    return out


def differences(graph: Graph, values: Sequence[Array], dots: Sequence[Array]) -> list[Array]:
    """The derivative of the outputs along `dots`, by central differences."""

    def at(steps: int) -> list[Array]:
        moved = [
            np.asarray(value + steps * STEP * dot) if value.dtype.kind in "fc" else value
            for value, dot in zip(values, dots, strict=True)
        ]
        return run(graph, moved)

    near = [after - before for before, after in zip(at(-1), at(1), strict=True)]
    far = [after - before for before, after in zip(at(-2), at(2), strict=True)]
    return [(8 * a - b) / (12 * STEP) for a, b in zip(near, far, strict=True)]


def pairing(bars: Sequence[Array], dots: Sequence[Array]) -> float:
    """The sum of all products, without conjugation: its real part is what transposing keeps."""
    return sum(float(np.real(np.sum(a * b))) for a, b in zip(bars, dots, strict=True))


def tangent_graph(graph: Graph) -> Graph:
    """The graph of tangents of the outputs, with one more input for each inexact one."""
    made = _linearized(graph).graph
    verify(made)
    return made


def cotangent_graph(graph: Graph) -> Graph:
    """The graph of cotangents of the inexact inputs, with one more input for each output."""
    linear = _linearized(graph)
    bars = [input_node(f"y{i}_bar", each.type) for i, each in enumerate(graph.outputs)]
    live: list[Node] = [each for each in linear.outputs if each is not None]
    seeds = [bar for bar, each in zip(bars, linear.outputs, strict=True) if each is not None]
    found = transpose(live, linear.tangents, seeds, graph.notes, linear.origins)
    outputs = [bar or zeros(x) for bar, x in zip(found, linear.wrt, strict=True)]
    made = Graph(graph.name, (*graph.inputs, *bars), tuple(outputs))
    verify(made)
    for x, x_bar in zip(linear.wrt, outputs, strict=True):
        assert x.type == x_bar.type, f"the cotangent of {x.name}, {x.type}, is {x_bar.type}"
    return made


def _linearized(graph: Graph) -> Linearized:
    return linearize(graph, [each for each in graph.inputs if each.type.inexact])
