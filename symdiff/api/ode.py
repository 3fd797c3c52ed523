"""scipy.integrate.odeint and solve_ivp: solved by SciPy, differentiated as solutions.

The derivative of a solution solves a linear equation of its own. It is integrated together with
the solution, by the same solver and to the same tolerances, one column for each initial value and
each number of a parameter that is differentiated. A column is a solution again: to any order.
In reverse mode, where those would be many, the adjoint equation is solved backwards instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np
from scipy import integrate

from symdiff.api.closed import Closed
from symdiff.api.maps import vmap
from symdiff.api.ode_events import Listed, events_along
from symdiff.api.signature import Checked, Signature, traced
from symdiff.api.solver import Solver
from symdiff.errors import UnsupportedFunctionError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import function_name
from symdiff.frontend.replacements import instead_of
from symdiff.frontend.tracer import Tracer, as_array, call, coerce, lift, where
from symdiff.ir.node import Node
from symdiff.ir.types import array_type
from symdiff.ops.foreign import Outcome, literal_source
from symdiff.ops.primitive import CONSTANT, Rule, Tangents
from symdiff.ops.render import TIME, UNKNOWN

Function = Callable[..., Any]

_TIME = array_type(np.float64, (), True)
NUMBERS = 256  # that are integrated in the time that a solver needs to start
_ODEINT = 1.49012e-8  # both tolerances, where none are given


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
    start = _state(y0)
    closed = Closed(rhs, [start.node.type, _TIME])
    return _Odeint(closed, _known(options)).solved(start, _times(t))


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
    """SciPy's solve_ivp, whose derivatives are those of the solution."""
    known = {"method": method, **options} if method != "RK45" else options
    values, rhs = _array(y0), _of_state(fun, args or (), True)
    in_parts = values.dtype.kind == "c"
    if in_parts:
        values, rhs, known = _parts(values), _of_parts(rhs), _for_parts(_known(known))
    values = _state(values)
    closed = Closed(rhs, [values.node.type, _TIME])
    owner = _SolveIvp(closed, _known(known))
    start, end = map(_time, t_span)

    def solved(points: Any, owner: Ode = owner, end: Any = end) -> Any:
        found = owner.solved(values, start, end, points)
        return _whole(found) if in_parts else found

    def interpolated(t: Any, end: Any = end) -> Any:
        points, at = _array(t), partial(solved, owner=dense, end=end)
        return at(points) if points.ndim else _at(at, points)

    dense = _Dense(closed, owner.options)
    points = None if t_eval is None else _times(t_eval)
    happen = []
    if events is not None:
        whole = _whole if in_parts else _as_it_is
        operands = values, start, end
        happen = events_along(events, args or (), rhs, interpolated, whole, operands, known)
    ends = [each for each in happen if each.kind.terminal]
    if len(ends) > 1 or (ends and points is not None):
        _refuse(
            "solve_ivp that ends at an event, with t_eval= or another such event,",
            "Take one event that ends it, and the solution between from sol, with dense_output.",
        )
    last = ends[0] if ends else None
    return integrate._ivp.ivp.OdeResult(
        t=_AtSteps(lambda: last.time(-1) if last else end, 0) if points is None else points,
        y=_AtSteps(lambda: last.values(-1) if last else _at(solved, end), 1)
        if points is None
        else solved(points),
        sol=interpolated if dense_output else None,
        t_events=None if events is None else [Listed(each.time) for each in happen],
        y_events=None if events is None else [Listed(each.values) for each in happen],
        status=int(bool(ends)),
        success=True,
        message="The solver successfully reached the end of the integration interval.",
    )


class _AtSteps:
    """What solve_ivp gives at steps of its own, of which only the last is known to be there."""

    def __init__(self, last: Callable[[], Any], ndim: int) -> None:
        self._last = last
        self._ndim = ndim  # of what it is at one step

    def __getitem__(self, index: Any) -> Any:
        places = list(index) if isinstance(index, tuple) else [index]
        if len(places) <= self._ndim and all(isinstance(each, (int, slice)) for each in places):
            fewer = sum(isinstance(each, int) for each in places)
            return _AtSteps(lambda: self._last()[tuple(places)], self._ndim - fewer)
        *before, step = places
        whole = len(before) == self._ndim or before == [Ellipsis]
        if not (whole and isinstance(step, int) and step == -1):
            self._refuse()
        found = self._last()
        return found[tuple(before)] if before else found

    def __getattr__(self, name: str) -> Any:
        self._refuse()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self._refuse()

    def _refuse(self) -> NoReturn:
        _refuse(
            "what solve_ivp gives without t_eval, at points that depend on values,",
            "Give the points that are needed as t_eval=, or take the last one, y[:, -1].",
        )


def _at(solved: Callable[[Any], Any], point: Any) -> Any:
    """The solution at one point."""
    return solved(call(np.reshape, point, (1,)))[:, 0]


def _refuse(what: str, way_out: str) -> NoReturn:
    message = word(f"{what} is not traced", where=where(), way_out=way_out)
    context.refuse(UnsupportedFunctionError(message))


def _of_state(func: Function, args: Sequence[Any], time_first: bool) -> Function:
    """The right-hand side as a function of state and time, whose result is a vector."""

    def rhs(y: Any, t: Any) -> Any:
        found = func(t, y, *args) if time_first else func(y, t, *args)
        return call(np.multiply, call(np.reshape, as_array(found), y.shape), 1.0)

    rhs.__name__ = function_name(func)
    return rhs


def _parts(y: Any) -> Any:
    """Complex values as real ones: the real parts, and then the imaginary ones."""
    y = call(np.ravel, y)
    return call(np.concatenate, [call(np.real, y), call(np.imag, y)])


def _whole(parts: Any) -> Any:
    """The complex values of which these are the parts."""
    half = parts.shape[0] // 2
    return parts[:half] + 1j * parts[half:]


def _as_it_is(values: Any) -> Any:
    return values


def _of_parts(rhs: Function) -> Function:
    """The right-hand side of complex values, of and for their parts."""

    def of_parts(y: Any, t: Any) -> Any:
        return _parts(rhs(_whole(y), t))

    of_parts.__name__ = rhs.__name__
    return of_parts


def _for_parts(options: dict[str, Any]) -> dict[str, Any]:
    """Tolerances of each value hold for both of its parts."""
    own = {key: [*options[key]] for key in ("rtol", "atol") if np.ndim(options.get(key, 0))}
    return {**options, **{key: each * 2 for key, each in own.items()}}


def _state(y0: Any) -> Any:
    """The initial values as a vector of doubles."""
    start = _array(y0)
    if start.dtype.kind == "c":
        _refuse("odeint of complex values", "Call solve_ivp, or solve for their parts.")
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


class Ode(Solver):
    """The solution of an initial value problem.

    The operands are the parameters of the right-hand side, the initial values, and times.
    """

    solver: Function
    explicit = False  # whether it never solves with a matrix, of all values

    def __init__(self, closed: Closed, options: dict[str, Any]) -> None:
        super().__init__(self.solver, closed)
        if closed.result.dtype.kind == "c":
            _refuse("a complex rate of change of real values", "Make y0 complex.")
        self.options = options
        self.count = len(closed.graph.inputs) - 2  # of parameters
        self.size = closed.result.size

    def function_source(self, name: str, parameters: Sequence[str], variables: str) -> str:
        """The right-hand side as the solver calls it."""
        return f"lambda {variables}: {name}({', '.join([*parameters, UNKNOWN, TIME])})"

    def options_source(self) -> str:
        return "".join(f", {key}={literal_source(each)}" for key, each in self.options.items())

    def solved(self, y0: Any, *times: Any) -> Any:
        """The solution, as part of the running trace."""
        return self.solved_at([*self.closed.residuals, y0.node, *[each.node for each in times]])

    def solved_at(self, operands: Sequence[Node]) -> Any:
        """The same for all operands."""
        shape = self.shape(operands[-1].type.size, self.size)
        return self.applied(operands, Outcome((), array_type(np.float64, shape), True))

    def shape(self, points: int, values: int) -> tuple[int, int]:
        """The shape of a solution."""
        raise NotImplementedError

    def rows(self, solution: Any) -> Any:
        """The solution, one row for each point in time: and back."""
        raise NotImplementedError

    def start_and_points(self, times: Sequence[Any]) -> tuple[Any, Any]:
        """Of the times, that of the initial values and those of the solution."""
        raise NotImplementedError

    def start_and_points_source(self, times: Sequence[str]) -> tuple[str, str]:
        """Their source."""
        raise NotImplementedError

    def start_and_points_dots(self, dots: Sequence[Node | None]) -> tuple[Any, Any]:
        """Their tangents, None for zero."""
        raise NotImplementedError

    # ------------------------------------------------------------------ larger equations

    def tolerances(self) -> dict[str, Any]:
        """What larger equations are solved with: all but what steers this one."""
        kept = ("method", "rtol", "atol", "max_step", "min_step", "hmax", "mxstep")
        return {name: each for name, each in self.options.items() if name in kept}

    def dense_options(self) -> dict[str, Any]:
        """What solve_ivp is called with to solve the same equation."""
        return self.tolerances()

    def larger(self, closed: Closed, last: bool = False) -> Ode:
        """The same solver for more values, which have the largest tolerance, in front or last."""
        more = closed.result.size - self.size
        options = self.tolerances()
        for name in ("rtol", "atol"):
            given: Any = options.get(name)
            if np.ndim(given):
                own, extra = list(map(float, given)), [float(max(given))] * more
                options[name] = [*own, *extra] if last else [*extra, *own]
        return type(self)(closed, options)

    def moving(self, along: tuple[int, ...]) -> Ode:
        """The equation of the tangent of y, and then y, along a direction of y0 and parameters.

        The direction is one more parameter, the last.
        """
        closed, size = self.closed, self.size
        inputs = closed.graph.inputs

        def rates(*values: Any) -> Any:
            *parameters, direction, z, t = values
            nodes = [*[each.node for each in parameters], z[size:].node, t.node]
            dots: list[Node | None] = [None] * len(nodes)
            dots[-2] = z[:size].node
            widths = [inputs[i].type.size for i in along]
            parts = np.split(direction, [size, *np.cumsum(widths)[:-1] + size]) if along else []
            for i, part in zip(along, parts[1:], strict=False):
                dots[i] = coerce(call(np.reshape, part, inputs[i].type.shape).node, inputs[i].type)
            found = closed.tangent(nodes, dots)
            moves = np.zeros(size) if found is None else traced(found)
            return call(np.concatenate, [moves, closed.applied(*nodes_as_traced(nodes))])

        rates.__name__ = f"{closed.name}_and_tangent"
        *parameters, y, t = inputs
        total = size + sum(inputs[i].type.size for i in along)
        names = [*[each.name for each in parameters], "direction", y.name, t.name]
        vectors = array_type(np.float64, (total,)), array_type(np.float64, (2 * size,))
        types = [*[each.type for each in parameters], *vectors, t.type]
        return self.larger(Closed(rates, types, names))

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
        along = tuple([i for i in range(self.count) if dots[i] is not None])
        _, points = self.start_and_points(list(map(traced, nodes[self.count + 1 :])))
        start_dot, points_dot = self.start_and_points_dots(dots[self.count + 1 :])
        free = dots[self.count] is not None or start_dot is not None
        direction = self.direction(nodes, dots, along)
        found: Any = 0.0
        if direction is not None:
            found = self.along(nodes, along, free, direction if free else direction[self.size :])
        if points_dot is not None:
            parameters = nodes[: self.count]
            rates = vmap(lambda y, t: self.closed.applied(*nodes_as_traced(parameters), y, t))
            steps: Any = call(np.reshape, points_dot, (-1, 1))
            found = found + rates(self.rows(result), points) * steps
        return self.rows(found)

    def direction(
        self, nodes: Sequence[Node], dots: Sequence[Node | None], along: tuple[int, ...]
    ) -> Any:
        """Which way initial values and the parameters `along` move, as a vector; None for zero.

        That the start moves is that initial values move backwards.
        """
        initial = dots[self.count]
        start_dot, _ = self.start_and_points_dots(dots[self.count + 1 :])
        if not along and initial is None and start_dot is None:
            return None
        first = traced(initial) if initial is not None else np.zeros(self.size)
        if start_dot is not None:
            parameters, (y0, *times) = nodes[: self.count], nodes[self.count :]
            start, _ = self.start_and_points(list(map(traced, times)))
            rate = self.closed.applied(*nodes_as_traced([*parameters, y0]), start)
            first = first - call(np.multiply, rate, start_dot)
        moves = [call(np.ravel, traced(dots[i])) for i in along]  # type: ignore[arg-type]
        return call(np.concatenate, [first, *moves])

    def along(
        self, nodes: Sequence[Node], active: tuple[int, ...], free: bool, direction: Any
    ) -> Any:
        """How the solution moves along a direction of y0, where `free`, and of parameters.

        A row for each point in time. The sensitivities are columns, as many as the direction has
        numbers. Where they are too many, the transpose is that of the adjoint equation.
        """
        columns = self._sensitivities(nodes, active, free)
        if self.size * direction.size <= self.limit(nodes[-1].type.size):
            return columns @ direction
        from symdiff.api.adjoint import by_adjoint

        return by_adjoint(self, columns, nodes, direction, active, free)

    def limit(self, points: int) -> int:
        """How large sensitivities may be to cost no more than starting anew at each point."""
        return NUMBERS * points if self.explicit else NUMBERS * min(points, 4)

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
        closed, count, size = self.closed, self.count, self.size
        parameters, (y0, *times) = nodes[:count], nodes[count:]
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
            rates = closed.applied(*nodes_as_traced(parameters), y, t)
            return call(np.concatenate, [rates, call(np.ravel, slopes)])

        rhs.__name__ = f"{closed.name}_and_sensitivities"
        start = call(np.concatenate, [traced(y0), columns.ravel()])
        owner = self.larger(Closed(rhs, [start.node.type, _TIME]), last=True)
        rows = owner.rows(owner.solved(start, *nodes_as_traced(times)))
        return call(np.reshape, rows[:, size:], (-1, size, columns.shape[1]))


def nodes_as_traced(nodes: Sequence[Node]) -> list[Tracer]:
    """Nodes as traced values."""
    return list(map(traced, nodes))


class _Odeint(Ode):
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

    def start_and_points(self, times: Sequence[Any]) -> tuple[Any, Any]:
        (t,) = times
        return t[0], t

    def start_and_points_source(self, times: Sequence[str]) -> tuple[str, str]:
        (t,) = times
        return f"{t}[0]", t

    def start_and_points_dots(self, dots: Sequence[Node | None]) -> tuple[Any, Any]:
        dot = traced(dots[0]) if dots[0] is not None else None
        return (None, None) if dot is None else (dot[0], dot)

    def dense_options(self) -> dict[str, Any]:
        """Those of the same method, by the names and with the defaults that it has there."""
        found = {"method": "LSODA", "rtol": _ODEINT, "atol": _ODEINT} | self.tolerances()
        found.pop("mxstep", None)
        if longest := found.pop("hmax", 0.0):
            found["max_step"] = longest
        return found


class _SolveIvp(Ode):
    """scipy.integrate.solve_ivp: of its times the end is no matter."""

    solver = staticmethod(integrate.solve_ivp)

    @property
    def explicit(self) -> bool:  # type: ignore[override]
        return self.options.get("method", "RK45") in ("RK23", "RK45", "DOP853")

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
        end = operand == self.count + 2
        return CONSTANT if end else super().rule(signature, operand, path)

    def shape(self, points: int, values: int) -> tuple[int, int]:
        return values, points

    def rows(self, solution: Any) -> Any:
        return call(np.transpose, solution)

    def start_and_points(self, times: Sequence[Any]) -> tuple[Any, Any]:
        start, _, points = times
        return start, points

    def start_and_points_source(self, times: Sequence[str]) -> tuple[str, str]:
        start, _, points = times
        return start, points

    def start_and_points_dots(self, dots: Sequence[Node | None]) -> tuple[Any, Any]:
        start, _, points, *_ = dots
        return start and traced(start), points and traced(points)


class _Dense(_SolveIvp):
    """The solution at any points, in any order: what solve_ivp returns as sol, called."""

    def callee(self, signature: Signature) -> Checked:
        return _Uncalled(signature)

    def plain(self, *operands: Any) -> Any:
        *residuals, y0, start, end, points = operands
        function = self.closed.function
        return self.called(
            lambda t, y: function(*residuals, y, t),
            (start, end),
            y0,
            dense_output=True,
            **self.options,
        ).sol(points)

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *residuals, y0, start, end, points = arguments
        function = self.function_source(names[1], residuals, f"{TIME}, {UNKNOWN}")
        more = f"dense_output=True{self.options_source()}"
        return f"{names[0]}({function}, ({start}, {end}), {y0}, {more}).sol({points})"


class _Uncalled(Checked):
    """solve_ivp, where not its result is looked at but what that gives when it is called."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.owner.called(*args, **options)
