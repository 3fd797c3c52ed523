"""A function that is passed to a solver: what it closes over becomes arguments of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdiff.api.signature import along, traced, zeros_of
from symdiff.api.transformed import loaded, until_simplified
from symdiff.autodiff.linearize import linearize
from symdiff.autodiff.split import split
from symdiff.autodiff.transpose import transpose
from symdiff.batch import batch
from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import Parameters, function_name
from symdiff.frontend.pytree import flatten
from symdiff.frontend.source_map import name_at
from symdiff.frontend.trace import UNKNOWN, Leaf
from symdiff.frontend.tracer import Tracer, call, coerce, lift, where
from symdiff.ir.graph import Graph, Note, depends_on, substitute
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import elementwise, shaping
from symdiff.ops.primitive import Primitive
from symdiff.ops.shaping import is_guard
from symdiff.pipeline import Request, finish
from symdiff.runtime.python_module import Definition


class Closed:
    """A function of values of these types, read inside the running trace.

    Together with `residuals`, what it reaches of that trace, its arguments decide its result:
    `function(*residuals, *values)` computes it, `applied` makes it part of a trace.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        types: Sequence[ArrayType],
        names: Sequence[str] | None = None,
    ) -> None:
        self.name = function_name(function)
        kind = inspect.Parameter.POSITIONAL_ONLY
        names = _names(function, len(types)) if names is None else _apart(names)
        signature = inspect.Signature([inspect.Parameter(name, kind) for name in names])
        request = Request(
            function=function,
            parameters=Parameters(signature),
            leaves=tuple([Leaf(type, bool(type.shape)) for type in types]),
            spec=flatten(tuple(range(len(types))))[1],
            name=self.name,
            flat=True,
        )
        work = until_simplified(request, [UNKNOWN] * len(types))
        assert work.graph is not None and work.traced is not None
        running = context.current()
        assert running is not None
        # none depends on the arguments, which are not known
        running.relied |= dict.fromkeys(filter(is_guard, work.graph.effects))
        if not all(map(is_guard, work.graph.effects)):
            what = f"{self.name}, which is called again and again, draws random numbers or prints"
            way_out = "Draw before, and have the function read what was drawn."
            raise TraceError(word(what, where=where(), way_out=way_out))
        self.names = tuple(names)
        if not (work.traced.out_spec.is_leaf() and work.graph.outputs):
            raise TraceError(word(f"{self.name} should return one array", where=where()))
        inputs = [each for each in work.traced.inputs if each is not None]
        graph = work.graph
        graph.notes.update(_notes_of_names(graph))
        before, self.graph = split(graph, inputs, 0, (elementwise.convert, shaping.broadcast_to))
        self.residuals: tuple[Node, ...] = before.outputs
        self.result = self.graph.outputs[0].type
        done = finish(work, self.graph, work.arrays)
        made = loaded(done)
        self.function: Callable[..., Any] = made.function
        if not made.constants:  # else it cannot be written out elsewhere
            self.function = Definition(done.source, made.name, made.function)

    # ------------------------------------------------------------------ as part of a trace

    @property
    def separate(self) -> bool:
        """Whether each element of the result depends on that element of the last argument only."""
        *_, x = self.graph.inputs
        found = depends_on(self.graph.outputs, [x])
        return x.type.shape == () or all(
            isinstance(each.op, Primitive) and each.op.elementwise and not each.op.joint
            and all(arg.type.shape == x.type.shape for arg in each.args if arg in found)
            for each in found
            if each is not x
        )

    def slope(self, values: Sequence[Node]) -> Node:
        """The derivative of each element with respect to its own, where they are separate."""
        *_, x = self.graph.inputs
        one = np.ones(x.type.shape, x.type.dtype)
        found = self.tangent(values, [*[None] * (len(values) - 1), lift(one)])
        return found or zeros_of(x.type)

    def tangent(self, values: Sequence[Node], dots: Sequence[Node | None]) -> Node | None:
        """The tangent of the result, at residuals and arguments; None for zero."""
        pairs = list(zip(self.graph.inputs, dots, strict=True))
        linear = linearize(self.graph, [each for each, dot in pairs if dot is not None])
        (output,) = linear.outputs
        own = [dot for _, dot in pairs if dot is not None]
        return output and self._at(values, output, dict(zip(linear.tangents, own, strict=True)))

    def jacobian(self, values: Sequence[Node], index: int = -1) -> Node:
        """The matrix of derivatives of the result with respect to an input, by default the last."""
        x = self.graph.inputs[index]
        linear = linearize(self.graph, [x])
        (output,) = linear.outputs
        if output is None:
            return zeros_of(array_type(x.type.dtype, (self.result.size, x.type.size)))
        inputs = (*self.graph.inputs, *linear.tangents)
        rows = batch(Graph(self.name, inputs, (output,)), linear.tangents, x.type.size)
        directions = np.eye(x.type.size, dtype=x.type.dtype).reshape(-1, *x.type.shape)
        (columns,) = rows.outputs
        made = self._at(values, columns, {rows.inputs[-1]: lift(directions)})
        matrix = call(np.transpose, call(np.reshape, traced(made), (x.type.size, -1)))
        return matrix.node  # type: ignore[no-any-return]

    def cotangents(
        self, values: Sequence[Node], bar: Node, wrt: Sequence[int]
    ) -> list[Node | None]:
        """The cotangents of these inputs, for one of the result; None for zero."""
        linear = linearize(self.graph, [self.graph.inputs[i] for i in wrt])
        (output,) = linear.outputs
        if output is None:
            return [None] * len(wrt)
        bars = transpose([output], linear.tangents, [bar], {}, linear.origins)
        return [each and self._at(values, each, {}) for each in bars]

    def applied(self, *values: Any) -> Tracer:
        """The result for traced residuals and arguments, as part of the running trace."""
        (output,) = self.graph.outputs
        return traced(self._at([lift(value) for value in values], output, {}))

    def check_linear(self) -> None:
        """Raises RuleError unless the result is linear in the last argument."""
        *known, x = self.graph.inputs
        (output,) = self.graph.outputs
        along(output, known, [x], [x], self.name)

    def transposed(self, residuals: Sequence[Node]) -> Callable[[Any], Any]:
        """The transpose of the function, which is linear in its only argument."""
        last = len(self.graph.inputs) - 1

        def transposed(v: Any) -> Any:
            bar = coerce(v.node, self.result)
            (found,) = self.cotangents([*residuals, v.node], bar, [last])
            return np.zeros_like(v) if found is None else traced(found)

        return transposed

    def _at(self, values: Sequence[Node], output: Node, more: dict[Node, Node]) -> Node:
        """What is computed from the inputs of the graph, at these values of them."""
        pairs = [*zip(self.graph.inputs, values, strict=True), *more.items()]
        known: dict[Node, Node] = {each: coerce(value, each.type) for each, value in pairs}
        return substitute([output], known)[output]


def _notes_of_names(graph: Graph) -> dict[Node, Note]:
    """What the function around this one calls the values that it reads."""
    running = context.current()
    assert running is not None
    named = {each: running.named[each] for each in graph.nodes() if each in running.named}
    return {
        each: Note(name_at(place))
        for each, place in named.items()
        if each not in graph.notes or not graph.notes[each].name
    }


def _apart(names: Sequence[str]) -> list[str]:
    """The names, each another one."""
    found: list[str] = []
    for name in names:
        while name in found:
            name += "_"
        found.append(name)
    return found


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the first arguments, for the emitted code."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in plain][:count]
    return names if len(names) == count else [f"x_{i}" for i in range(count)]
