"""The adjoint equations of an initial value problem, and the second derivatives that they have.

What the results of a solution at many points are worth in its initial values and parameters is
one vector, which solves a linear equation backwards in time, whatever the number of parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symdiff.api.closed import Closed
from symdiff.api.maps import vmap
from symdiff.api.signature import Signature, traced
from symdiff.api.solver import Solver
from symdiff.autodiff.linearize import linearize
from symdiff.frontend.tracer import call
from symdiff.ir.graph import Graph, substitute
from symdiff.ir.node import Node, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops.foreign import Outcome, literal_source
from symdiff.ops.primitive import CONSTANT, Cotangents, Jvp, Primitive, Rule, Tangents
from symdiff.ops.render import TIME, UNKNOWN
from symdiff.runtime.backwards import solve_adjoint, solve_along
from symdiff.runtime.python_module import Definition

if TYPE_CHECKING:
    from symdiff.api.ode import Ode

COTANGENT, DIRECTION = f"{UNKNOWN}_bar", "_u"  # as UNKNOWN


def definition(function: Callable[..., Any]) -> Definition:
    """A function of ours that emitted source holds as it is."""
    return Definition(inspect.getsource(function), function.__name__, function)


def by_adjoint(
    ode: Ode, columns: Any, nodes: Sequence[Node], direction: Any, active: tuple[int, ...],
    free: bool,
) -> Any:  # fmt: skip
    """columns @ direction, the tangent of a solution, which is transposed without the columns."""
    first = 0 if free else ode.size  # the direction begins with that of y0

    def adjoint(each: Node, y_bar: Node) -> list[Node | None]:
        _, *operands, _ = each.args
        found: Any = traced(Adjoint(ode, active).bars([*operands, y_bar]))
        found = found[first:] if first else found
        return [*[None] * (len(each.args) - 1), found.node]

    def product(*args: Any) -> Any:
        return np.matmul(args[0], args[-1])

    def rows(*args: Any, batched: Sequence[bool]) -> Any:
        columns, vectors = args[0], args[-1]
        if batched[-1]:
            vectors = np.reshape(vectors, (len(vectors), 1, -1))
        return np.matmul(columns, vectors[..., None])[..., 0]

    names = [f"x{i}" for i in range(len(nodes))]
    type = array_type(columns.dtype, columns.shape[:-1])
    rules: dict[str, Rule] = dict.fromkeys(names, CONSTANT)
    op = Primitive(
        name="matmul",
        function=product,
        arguments=("columns", *names, "direction"),
        result=lambda *types: type,
        rules={
            **rules,
            "columns": Jvp(lambda y, *args: np.matmul(args[-1], args[-2])),
            "direction": Cotangents(adjoint),
        },
        expansion=product,
        foreign=True,
        batch=rows,
    )
    return traced(node(op, (columns.node, *nodes, direction.node)))


class _Backwards(Solver):
    """One vector of cotangents, of initial values and then of the parameters `active`.

    The operands are those of the solution, and cotangents of it: a row for each point in time.
    """

    helper = definition(solve_adjoint)

    def __init__(self, ode: Ode, active: tuple[int, ...]) -> None:
        super().__init__(self.helper.function, _adjoint_rates(ode.closed, active))
        self.ode, self.active = ode, active
        sizes = [ode.closed.graph.inputs[i].type.size for i in active]
        self.widths = (ode.size, *sizes)
        self.options = ode.dense_options()

    def callee(self, signature: Signature) -> Definition:
        return self.helper

    def objects(self) -> list[tuple[str, Any]]:
        rates = self.ode.closed
        return [(rates.name, rates.function), *super().objects()]

    def plain(self, *operands: Any) -> Any:
        *known, y_bars = operands
        parameters, (y0, *times) = known[: self.ode.count], known[self.ode.count :]
        rates, adjoint = self.ode.closed.function, self.closed.function
        return self.helper.function(
            lambda t, y: rates(*parameters, y, t),
            lambda t, y, y_bar: adjoint(*parameters, y, y_bar, t),
            y0,
            *self.ode.start_and_points(times),
            y_bars,
            sum(self.widths),
            **self.options,
        )

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *known, y_bars = arguments
        parameters, (y0, *times) = known[: self.ode.count], known[self.ode.count :]
        rates = ", ".join([*parameters, UNKNOWN, TIME])
        adjoint = ", ".join([*parameters, UNKNOWN, COTANGENT, TIME])
        parts = [
            f"lambda {TIME}, {UNKNOWN}: {names[1]}({rates})",
            f"lambda {TIME}, {UNKNOWN}, {COTANGENT}: {names[2]}({adjoint})",
            y0,
            *self.ode.start_and_points_source(times),
            y_bars,
            str(sum(self.widths)),
            *[f"{key}={literal_source(each)}" for key, each in self.options.items()],
        ]
        return f"{names[0]}({', '.join(parts)})"

    def bars(self, operands: Sequence[Node]) -> Node:
        """The cotangents, as part of the running trace."""
        type = array_type(np.float64, (sum(self.widths),))
        found: Node = self.applied(operands, Outcome((), type, True)).node
        return found

    def together(self, y0_bar: Any, bars: Sequence[Node | None]) -> Any:
        """The vector of these cotangents; `bars` are of all parameters."""
        shown = [
            np.zeros(width) if (bar := bars[i]) is None else call(np.ravel, traced(bar))
            for i, width in zip(self.active, self.widths[1:], strict=True)
        ]
        return call(np.concatenate, [y0_bar, *shown])


def _adjoint_rates(closed: Closed, active: tuple[int, ...]) -> Closed:
    """The rates of cotangents, as a function of parameters, y, cotangents of y and time."""
    *parameters, y, t = closed.graph.inputs

    def rates(*values: Any) -> Any:
        *before, y_bar, time = values
        nodes = [each.node for each in (*before, time)]
        bars = closed.cotangents(nodes, y_bar.node, [*active, len(parameters)])
        moves = [
            np.zeros(closed.graph.inputs[i].type.size) if bar is None
            else call(np.negative, call(np.ravel, traced(bar)))
            for i, bar in zip([*active, len(parameters)], bars, strict=True)
        ]  # fmt: skip
        return call(np.concatenate, [moves[-1], *moves[:-1]])

    rates.__name__ = f"{closed.name}_adjoint"
    names = [*[each.name for each in (*parameters, y)], f"{y.name}_bar", t.name]
    types = [*[each.type for each in (*parameters, y)], y.type, t.type]
    return Closed(rates, types, names)


class Adjoint(_Backwards):
    """The cotangents, linear in those of the solution, whose transpose is the tangent of it."""

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        if operand == len(signature.types) - 1:
            return Cotangents(self._transposed)
        if operand < self.ode.count and not signature.types[operand].inexact:
            return CONSTANT
        return Tangents(self._tangent)

    def _transposed(self, each: Node, bar: Node) -> list[Node | None]:
        *operands, _ = each.args
        found = self.ode.along(operands, self.active, True, traced(bar))
        return [*[None] * len(operands), found.node]

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        own = [
            dot.node if active else None
            for dot, active in zip(dots[:-1], signature.active[:-1], strict=True)
        ]
        return [self._moved([each.node for each in primals], results[0], [*own, None])]

    def _tangent(self, each: Node, dots: Sequence[Node | None]) -> Node | None:
        found: Node = self._moved(each.args, traced(each), dots).node
        return found

    def _moved(self, nodes: Sequence[Node], result: Any, dots: Sequence[Node | None]) -> Any:
        """How the cotangents move with the operands of the solution.

        That they are derivatives of one number makes their own derivatives symmetric.
        """
        ode, (*operands, y_bars) = self.ode, nodes
        along = tuple([i for i in range(ode.count) if dots[i] is not None])
        start, points = ode.start_and_points(list(map(traced, operands[ode.count + 1 :])))
        start_dot, points_dot = ode.start_and_points_dots(dots[ode.count + 1 :])
        direction = ode.direction(operands, dots, along)
        terms: list[Any] = []
        if direction is not None:
            second = _Second(ode, self.active, along)
            terms.append(traced(second.bars([*nodes, direction.node])))
        parameters, y0 = operands[: ode.count], operands[ode.count]
        if start_dot is not None:
            bar = result[: ode.size] * start_dot
            y0_bar, bars = self._pulled([*parameters, y0, start.node], bar)
            terms.append(-self.together(y0_bar, bars))
        if points_dot is not None:
            rows = ode.rows(ode.solved_at(operands))

            def at_point(y: Any, t: Any, bar: Any) -> Any:
                y_bar, bars = self._pulled([*parameters, y.node, t.node], bar)
                return self.together(y_bar, bars)

            weighted = traced(y_bars) * call(np.reshape, points_dot, (-1, 1))
            found = vmap(at_point)(rows, points, weighted)
            terms.append(traced(self.bars([*operands, found[:, : ode.size].node])))
            own = call(np.sum, found[:, ode.size :], axis=0)
            terms.append(call(np.concatenate, [np.zeros(ode.size), own]))
        return sum(terms[1:], terms[0])

    def _pulled(self, values: Sequence[Node], bar: Any) -> tuple[Any, list[Node | None]]:
        """Cotangents of y and of all parameters, for one of the rates there."""
        wrt = [*self.active, self.ode.count]
        found = self.ode.closed.cotangents(values, bar.node, wrt)
        bars: list[Node | None] = [None] * self.ode.count
        for i, each in zip(self.active, found, strict=False):
            bars[i] = each
        return np.zeros(self.ode.size) if found[-1] is None else traced(found[-1]), bars


class _Second(_Backwards):
    """How the cotangents move along a direction of initial values and of the parameters `along`.

    They are those of a larger equation, of the tangent of the solution and the solution itself.
    The last operand is the direction, in which this is linear, and derivatives are symmetric.
    """

    helper = definition(solve_along)

    def __init__(self, ode: Ode, active: tuple[int, ...], along: tuple[int, ...]) -> None:
        super().__init__(ode, active)
        self.along = along
        self.moving = _Backwards(ode.moving(along), active)

    def objects(self) -> list[tuple[str, Any]]:
        return [*self.moving.objects(), (solve_adjoint.__name__, _Backwards.helper)]

    def plain(self, *operands: Any) -> Any:
        *known, y_bars, direction = operands
        parameters, (y0, *times) = known[: self.ode.count], known[self.ode.count :]
        rates, adjoint = self.moving.ode.closed.function, self.moving.closed.function
        return self.helper.function(
            solve_adjoint,
            lambda u, t, z: rates(*parameters, u, z, t),
            lambda u, t, z, z_bar: adjoint(*parameters, u, z, z_bar, t),
            y0,
            *self.ode.start_and_points(times),
            y_bars,
            direction,
            sum(self.widths),
            **self.moving.options,
        )

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *known, y_bars, direction = arguments
        parameters, (y0, *times) = known[: self.ode.count], known[self.ode.count :]
        rates = ", ".join([*parameters, DIRECTION, UNKNOWN, TIME])
        adjoint = ", ".join([*parameters, DIRECTION, UNKNOWN, COTANGENT, TIME])
        parts = [
            names[3],
            f"lambda {DIRECTION}, {TIME}, {UNKNOWN}: {names[1]}({rates})",
            f"lambda {DIRECTION}, {TIME}, {UNKNOWN}, {COTANGENT}: {names[2]}({adjoint})",
            y0,
            *self.ode.start_and_points_source(times),
            y_bars,
            direction,
            str(sum(self.widths)),
            *[f"{key}={literal_source(each)}" for key, each in self.moving.options.items()],
        ]
        return f"{names[0]}({', '.join(parts)})"

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        if operand == len(signature.types) - 1:
            return Cotangents(self._transposed)
        return CONSTANT if not signature.types[operand].inexact else Tangents(self._tangent)

    def _transposed(self, each: Node, bar: Node) -> list[Node | None]:
        *operands, _ = each.args
        found = _Second(self.ode, self.along, self.active).bars([*operands, bar])
        return [*[None] * len(operands), found]

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        own = [dot.node for dot in dots[:-1]]
        found = self._moved([each.node for each in primals], [*own, None])
        return [None if found is None else traced(found)]

    def _tangent(self, each: Node, dots: Sequence[Node | None]) -> Node | None:
        return self._moved(each.args, dots)

    def _moved(self, nodes: Sequence[Node], dots: Sequence[Node | None]) -> Node | None:
        """The tangent in all but the direction, of what this is a part of."""
        inputs = [input_node(f"x{i}", each.type) for i, each in enumerate(nodes)]
        *known, y_bars, direction = map(traced, inputs)
        parameters, (y0, *times) = known[: self.ode.count], known[self.ode.count :]
        size = self.ode.size
        larger = [
            *parameters, direction, call(np.concatenate, [direction[:size], y0]), *times,
            call(np.concatenate, [y_bars, np.zeros(y_bars.shape)], axis=1),
        ]  # fmt: skip
        whole = Adjoint(self.moving.ode, self.active).bars([each.node for each in larger])
        graph = Graph(self.name, tuple(inputs), (traced(whole)[size:].node,))
        wrt = [each for each, dot in zip(inputs, dots, strict=True) if dot is not None]
        linear = linearize(graph, wrt)
        (found,) = linear.outputs
        if found is None:
            return None
        known_dots = [dot for dot in dots if dot is not None]
        sources = [*inputs, *linear.tangents]
        values: dict[Node, Node] = dict(zip(sources, [*nodes, *known_dots], strict=True))
        return substitute([found], values)[found]
