"""scipy.integrate.odeint and solve_ivp: solved by SciPy, differentiated by sensitivities.

The derivative of a solution solves a linear equation of its own. It is integrated together with
the solution, by the same solver and to the same tolerances, one column for each initial value and
each number of a parameter that is differentiated. A column is a solution again: to any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import integrate

from symdiff.api.closed import Closed
from symdiff.api.maps import vmap
from symdiff.api.signature import Signature, traced
from symdiff.api.solver import Solver
from symdiff.errors import UnsupportedFunctionError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import function_name
from symdiff.frontend.replacements import instead_of
from symdiff.frontend.tracer import Tracer, as_array, call, lift, where
from symdiff.ir.node import Node
from symdiff.ir.types import array_type
from symdiff.ops.foreign import Outcome, literal_source
from symdiff.ops.primitive import CONSTANT, Rule, Tangents
from symdiff.ops.render import TIME, UNKNOWN

Function = Callable[..., Any]

_TIME = array_type(np.float64, (), True)


@instead_of(integrate.odeint)
def odeint(
    func: Function,
    y0: Any,
    t: Any,
    args: Any = (),
    Dfun: Any = None,
    col_deriv: Any = 0,
    full_output: Any = 0,
    ml: Any = None,
    mu: Any = None,
    tfirst: bool = False,
    **options: Any,
) -> Any:
    """SciPy's odeint, whose derivatives are those of the solution; Dfun only steers the solver."""
    if full_output:
        _refuse("odeint with full_output=True", "Leave it out in traced code.")
    args = args if isinstance(args, tuple) else (args,)
    rhs = _of_state(func, args, tfirst)
    return _Odeint(rhs, _state(y0), _known(options)).solution(_times(t))


@instead_of(integrate.solve_ivp)
def solve_ivp(
    fun: Function,
    t_span: Any,
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    jac: Any = None,
    **options: Any,
) -> Any:
    """SciPy's solve_ivp with t_eval, whose derivatives are those of the solution."""
    if events is not None:
        _refuse("solve_ivp with events", "Find the times of events with symdiff.root.")
    if dense_output:
        _refuse("solve_ivp with dense_output=True", "Give the points that are needed as t_eval=.")
    if t_eval is None:
        _refuse(
            "solve_ivp without t_eval, at points that depend on values",
            "Give the points that are needed, t_eval=[t1] for the end.",
        )
    known = {"method": method, **options} if method != "RK45" else options
    owner = _SolveIvp(_of_state(fun, args or (), True), _state(y0), _known(known))
    start, end = map(_time, t_span)
    points = _times(t_eval)
    return integrate._ivp.ivp.OdeResult(
        t=points,
        y=owner.solution(start, end, points),
        sol=None,
        t_events=None,
        y_events=None,
        status=0,
        success=True,
        message="The solver successfully reached the end of the integration interval.",
    )


def _refuse(what: str, way_out: str) -> None:
    message = word(f"{what} is not traced", where=where(), way_out=way_out)
    context.refuse(UnsupportedFunctionError(message))


def _of_state(func: Function, args: Sequence[Any], time_first: bool) -> Function:
    """The right-hand side as a function of state and time, whose result is a vector."""

    def rhs(y: Any, t: Any) -> Any:
        found = func(t, y, *args) if time_first else func(y, t, *args)
        return call(np.multiply, call(np.reshape, as_array(found), y.shape), 1.0)

    rhs.__name__ = function_name(func)
    return rhs


def _state(y0: Any) -> Any:
    """The initial values as a vector of doubles."""
    start = _array(y0)
    if start.dtype.kind == "c":
        _refuse("a differential equation of complex values", "Solve for their parts.")
    return call(np.ravel, start).astype(np.float64)


def _times(t: Any) -> Any:
    return call(np.ravel, _array(t))


def _time(t: Any) -> Any:
    return t if isinstance(t, Tracer) else traced(lift(float(t)))


def _array(value: Any) -> Any:
    found = as_array(value)
    return found if isinstance(found, Tracer) else traced(lift(found))


def _known(options: dict[str, Any]) -> dict[str, Any]:
    """What the solver is called with besides: numbers and strings that are known."""
    for name, value in options.items():
        if isinstance(value, Tracer):
            _refuse(f"the option {name}= that depends on a traced value", "Pass a number.")
    return options


class _Ode(Solver):
    """The solution of an initial value problem.

    The operands are the residuals of the right-hand side, the initial values, and times.
    """

    solver: Function

    def __init__(self, rhs: Function, y0: Any, options: dict[str, Any]) -> None:
        super().__init__(self.solver, Closed(rhs, [y0.node.type, _TIME]))
        if self.closed.result.dtype.kind == "c":
            _refuse("a differential equation of complex values", "Solve for their parts.")
        self.y0 = y0.node
        self.options = options

    def function_source(self, name: str, residuals: Sequence[str], variables: str) -> str:
        """The right-hand side as the solver calls it."""
        return f"lambda {variables}: {name}({', '.join([*residuals, UNKNOWN, TIME])})"

    def options_source(self) -> str:
        return "".join(f", {key}={literal_source(each)}" for key, each in self.options.items())

    def with_more(self, rhs: Function, y0: Any) -> _Ode:
        """The same solver for a larger system, whose new values have the largest tolerance."""
        more = y0.size - self.y0.type.size
        options = {
            name: [*value, *[max(value)] * more]
            if name in ("rtol", "atol") and np.ndim(value)
            else value
            for name, value in self.options.items()
        }
        return type(self)(rhs, y0, options)

    def solution(self, *times: Any) -> Any:
        """The solution, as part of the running trace."""
        points = times[-1]
        shape = self.shape(points.size, self.y0.type.size)
        operands = [self.y0, *[each.node for each in times]]
        return self.placed(operands, Outcome((), array_type(np.float64, shape), True))

    def shape(self, points: int, values: int) -> tuple[int, int]:
        """The shape of a solution."""
        raise NotImplementedError

    def rows(self, solution: Any) -> Any:
        """The solution, one row for each point in time: and back."""
        raise NotImplementedError

    # ------------------------------------------------------------------ derivatives

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        found = super().rule(signature, operand, path)
        return Tangents(self._tangent) if isinstance(found, Tangents) else found

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        (result,) = results
        own = [
            dot.node if active else None
            for dot, active in zip(dots, signature.active, strict=True)
        ]
        return [self.moved(result, [each.node for each in primals], own)]

    def _tangent(self, each: Node, dots: Sequence[Node | None]) -> Node | None:
        found: Node = self.moved(traced(each), each.args, dots).node
        return found

    def moved(self, result: Any, nodes: Sequence[Node], dots: Sequence[Node | None]) -> Any:
        """The tangent of a solution, for tangents of the operands."""
        count = len(self.closed.residuals)
        parameters, (y0, *times) = nodes[:count], nodes[count:]
        starts, *_ = time_dots = dots[count + 1 :]
        start, points = traced(times[0]), traced(times[-1])
        if len(times) == 1:
            start = start[0]
            starts = starts and traced(starts)[0].node
        active = [i for i in range(count) if dots[i] is not None]
        directions = [call(np.ravel, traced(dots[i])) for i in active]  # type: ignore[arg-type]
        initial = dots[count]
        free = initial is not None or starts is not None
        if free:
            first = traced(initial) if initial is not None else np.zeros(y0.type.size)
            if starts is not None:
                rate = self.closed.applied(*parameters_of(parameters), traced(y0), start)
                first = first - call(np.multiply, rate, traced(starts))
            directions.insert(0, first)
        found: Any = 0.0
        if directions:
            columns = self._sensitivities(nodes, tuple(active), free)
            found = columns @ call(np.concatenate, directions)
        if time_dots[-1] is not None:
            rates = vmap(lambda y, t: self.closed.applied(*parameters_of(parameters), y, t))
            steps: Any = call(np.reshape, traced(time_dots[-1]), (-1, 1))
            found = found + rates(self.rows(result), points) * steps
        return self.rows(found)

    def _sensitivities(self, nodes: Sequence[Node], active: tuple[int, ...], free: bool) -> Any:
        """How the solution at each point moves with initial values and parameters: [t, y, p]."""
        running = context.current()
        assert running is not None
        key = self, tuple(nodes), active, free
        found = running.rules.get(key)
        if found is None:
            found = running.rules[key] = self._solve_for_columns(nodes, active, free)
        return found

    def _solve_for_columns(
        self, nodes: Sequence[Node], active: tuple[int, ...], free: bool
    ) -> Any:
        closed, count = self.closed, len(self.closed.residuals)
        parameters, (y0, *times) = nodes[:count], nodes[count:]
        size = y0.type.size
        widths = [parameters[i].type.size for i in active]
        unit = [np.eye(size)] if free else []
        columns = np.concatenate([*unit, np.zeros((size, sum(widths)))], axis=1)

        def rhs(z: Any, t: Any) -> Any:
            y, moves = z[:size], call(np.reshape, z[size:], (size, -1))
            values = [*parameters, y.node, t.node]
            blocks = [traced(closed.jacobian(values, i)) for i in active]
            slopes = traced(closed.jacobian(values, count)) @ moves
            if blocks:
                fixed = [np.zeros((size, size))] if free else []
                slopes = slopes + call(np.concatenate, [*fixed, *blocks], axis=1)
            rates = closed.applied(*parameters_of(parameters), y, t)
            return call(np.concatenate, [rates, call(np.ravel, slopes)])

        rhs.__name__ = f"{closed.name}_and_sensitivities"
        start = call(np.concatenate, [traced(y0), columns.ravel()])
        owner = self.with_more(rhs, start)
        rows = owner.rows(owner.solution(*map(traced, times)))
        return call(np.reshape, rows[:, size:], (-1, size, columns.shape[1]))


def parameters_of(nodes: Sequence[Node]) -> list[Tracer]:
    """The residuals of a right-hand side as traced values."""
    return list(map(traced, nodes))


class _Odeint(_Ode):
    """scipy.integrate.odeint: its times begin with that of the initial values."""

    solver = staticmethod(integrate.odeint)

    def plain(self, *operands: Any) -> Any:
        *residuals, y0, t = operands
        function = self.closed.function
        return self.fun(lambda y, t: function(*residuals, y, t), y0, t, **self.options)

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *residuals, y0, t = arguments
        function = self.function_source(names[1], residuals, f"{UNKNOWN}, {TIME}")
        return f"{names[0]}({function}, {y0}, {t}{self.options_source()})"

    def shape(self, points: int, values: int) -> tuple[int, int]:
        return points, values

    def rows(self, solution: Any) -> Any:
        return solution


class _SolveIvp(_Ode):
    """scipy.integrate.solve_ivp: of its times the end is no matter."""

    solver = staticmethod(integrate.solve_ivp)

    def plain(self, *operands: Any) -> Any:
        *residuals, y0, start, end, points = operands
        function = self.closed.function
        return self.value_of(
            self.called(
                lambda t, y: function(*residuals, y, t),
                (start, end),
                y0,
                t_eval=points,
                **self.options,
            )
        )

    def called(self, *args: Any, **options: Any) -> Any:
        found = self.fun(*args, **options)
        if not found.success:
            raise RuntimeError(f"solve_ivp: {found.message}")
        return found

    def value_of(self, made: Any) -> Any:
        return made.y

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *residuals, y0, start, end, points = arguments
        function = self.function_source(names[1], residuals, f"{TIME}, {UNKNOWN}")
        more = f"t_eval={points}{self.options_source()}"
        return f"{names[0]}({function}, ({start}, {end}), {y0}, {more}).y"

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        end = operand == len(signature.types) - 2
        return CONSTANT if end else super().rule(signature, operand, path)

    def shape(self, points: int, values: int) -> tuple[int, int]:
        return values, points

    def rows(self, solution: Any) -> Any:
        return call(np.transpose, solution)
