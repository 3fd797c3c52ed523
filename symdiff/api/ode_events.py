"""Events of scipy.integrate.solve_ivp: when something becomes zero along a solution.

SciPy finds the time. Its derivatives are those of a root, of what happens as a function of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
from scipy import integrate

from symdiff.api.closed import Closed
from symdiff.api.implicit import root
from symdiff.api.signature import Signature
from symdiff.api.solver import Solver
from symdiff.errors import UnsupportedFunctionError, word
from symdiff.frontend import context
from symdiff.frontend.tracer import as_array, call, where
from symdiff.ir.types import array_type
from symdiff.ops.foreign import Outcome, literal_source
from symdiff.ops.primitive import CONSTANT, Rule
from symdiff.ops.render import TIME, UNKNOWN

Function = Callable[..., Any]

_NUMBER = Outcome((), array_type(np.float64, ()), False)


class Kind(NamedTuple):
    """What SciPy wants to know of an event besides its function."""

    terminal: Any
    direction: float

    @classmethod
    def of(cls, event: Any) -> Kind:
        return cls(getattr(event, "terminal", False), getattr(event, "direction", 0.0))


class Events:
    """The events of one kind, each found once: by their number, from 0, or from the end below.

    `function(t, values)` becomes zero there; `solution(t)` are the values at a time.
    """

    def __init__(
        self, kind: Kind, function: Function, solution: Function, started: Function
    ) -> None:
        self.kind = kind
        self._function, self._solution, self._started = function, solution, started
        self._found: dict[int, Any] = {}

    def time(self, number: int) -> Any:
        """When it happens."""
        if number not in self._found:
            started = self._started(number)
            self._found[number] = root(self._happens, started, solve=as_found)
        return self._found[number]

    def _happens(self, t: Any) -> Any:
        return self._function(t, self._solution(t))

    def values(self, number: int) -> Any:
        """The solution then."""
        return self._solution(self.time(number))


def _with(event: Function, args: tuple[Any, ...], t: Any, y: Any) -> Any:
    return event(t, y, *args)


def as_found(function: Function, start: Any) -> Any:
    """SciPy has solved the equation already."""
    return start


class Listed:
    """What solve_ivp gives for the events of a kind, of which the number depends on values."""

    def __init__(self, take: Callable[[int], Any]) -> None:
        self._take = take

    def __getitem__(self, index: Any) -> Any:
        number, *rest = index if isinstance(index, tuple) else (index,)
        if not isinstance(number, (int, np.integer)):
            self._refuse()
        found = self._take(int(number))
        return found[tuple(rest)] if rest else found

    def __getattr__(self, name: str) -> Any:
        self._refuse()

    def __len__(self) -> int:
        return self._refuse()

    def __iter__(self) -> Any:
        self._refuse()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self._refuse()

    def _refuse(self) -> NoReturn:
        message = word(
            "how often an event happens, which depends on values,",
            where=where(),
            way_out="Take one by its number: t_events[0][0] is the first one of the first kind.",
        )
        context.refuse(UnsupportedFunctionError(message))


def events_along(
    events: Any,
    args: Sequence[Any],
    rhs: Function,
    solution: Function,
    whole: Function,
    operands: Sequence[Any],
    options: dict[str, Any],
) -> list[Events]:
    """The events of each kind along a solution.

    The operands of the solver are the values at the start, and the times of start and end;
    `whole` makes what the user's functions take of the values that it works with, and
    `solution(t, end)` gives them at a time of a solution that goes no further than to the end.
    """
    every = events if isinstance(events, (list, tuple)) else [events]
    kinds = tuple(map(Kind.of, every))
    functions = [partial(_with, each, tuple(args)) for each in every]

    def rates_and_events(y: Any, t: Any) -> Any:
        values = whole(y)
        happens = [call(np.reshape, as_array(each(t, values)), (1,)) for each in functions]
        return call(np.concatenate, [rhs(y, t), *happens])

    rates_and_events.__name__ = f"{rhs.__name__}_and_events"
    start, *times = operands
    closed = Closed(rates_and_events, [start.node.type, times[0].node.type])

    @cache
    def started(which: int, number: int) -> Any:
        nodes = [*closed.residuals, *[each.node for each in operands]]
        return _Time(closed, kinds, which, number, options).applied(nodes, _NUMBER)

    def until_the_end(t: Any) -> Any:
        ends = [i for i, kind in enumerate(kinds) if kind.terminal]
        return solution(t, started(ends[0], -1) if len(ends) == 1 else operands[-1])

    return [
        Events(kind, function, until_the_end, partial(started, which))
        for which, (kind, function) in enumerate(zip(kinds, functions, strict=True))
    ]


class _Time(Solver):
    """When one event happens: solve_ivp, called for one of its t_events. It has no derivative.

    The closed function gives rates of change, and behind them what becomes zero at each event.
    """

    def __init__(
        self,
        closed: Closed,
        kinds: Sequence[Kind],
        which: int,
        number: int,
        options: dict[str, Any],
    ) -> None:
        super().__init__(integrate.solve_ivp, closed)
        self.kinds, self.which, self.number, self.options = kinds, which, number, options
        self.size = closed.result.size - len(kinds)

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        return CONSTANT

    def plain(self, *operands: Any) -> Any:
        *residuals, y0, start, end = operands
        function = self.closed.function
        return self.called(
            lambda t, y: function(*residuals, y, t), (start, end), y0, **self.options
        )

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *residuals, y0, start, end = arguments
        inside = ", ".join([*residuals, UNKNOWN, TIME])
        options = "".join(f", {key}={literal_source(v)}" for key, v in self.options.items())
        function = f"lambda {TIME}, {UNKNOWN}: {names[1]}({inside})"
        return f"{names[0]}({function}, ({start}, {end}), {y0}{options})"

    def called(self, function: Function, span: Any, y0: Any, **options: Any) -> Any:
        """The time at which SciPy finds it. Raises RuntimeError if it does not happen."""
        size = self.size
        events = [
            _event(lambda t, y, i=i: function(t, y)[size + i], kind)
            for i, kind in enumerate(self.kinds)
        ]
        found = self.fun(lambda t, y: function(t, y)[:size], span, y0, events=events, **options)
        if not found.success:
            raise RuntimeError(f"solve_ivp: {found.message}")
        times = found.t_events[self.which]
        if not -len(times) <= self.number < len(times):
            raise RuntimeError(
                f"event {self.which} of solve_ivp happens {len(times)} times before the end: "
                f"there is no t_events[{self.which}][{self.number}]"
            )
        return times[self.number]


def _event(function: Function, kind: Kind) -> Function:
    function.terminal, function.direction = kind  # type: ignore[attr-defined]
    return function
