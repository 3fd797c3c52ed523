"""What is going on while a function is traced: where the user's code stands, what was noted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from symdiff.frontend.examples import Examples
from symdiff.frontend.origin import is_user_code
from symdiff.ir.graph import Position
from symdiff.ir.node import Const, Node

# A place in running code: resolved to a name and a line of text when the trace is over.
Place = tuple[CodeType, int, int]  # code, offset of the last instruction, line

_internal: dict[CodeType, bool] = {}
beginnings: set[CodeType] = set()  # of the functions that start a trace


class Change(NamedTuple):
    """A traced array that was changed in place, what it was before, and where that was."""

    array: Any
    before: Node | None
    place: Place | None


class NeedsValue(BaseException):
    """Raised where Python must know a value while a loop or a branch is run on stand-ins."""


class Again(BaseException):
    """Raised where a loop or a branch cannot be captured after all: the function runs again."""


class Capturing:
    """That loops and branches are captured; `taken` counts those that were.

    With `extents`, also loops whose index decides the length of a part; `measured` says that it
    did.
    """

    def __init__(self, extents: bool = True) -> None:
        self.taken = 0
        self.extents = extents
        self.measured = False


capturing: ContextVar[Capturing | None] = ContextVar("symdiff_capturing", default=None)


class Flow:
    """What is known of the loops and branches of a trace, and of the traces inside it."""

    __slots__ = (
        "aliases", "capturing", "failures", "forced", "levels", "measured", "placeholders",
        "ranges", "remembered", "roads", "runs", "texts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.capturing = capturing.get()
        self.placeholders: set[Node] = set()  # inputs that stand for values inside of loops
        self.forced: set[Any] = set()  # where nothing is captured
        self.roads: dict[Any, tuple[Position, str]] = {}  # how each was taken, with its position
        self.forget()

    def forget(self) -> None:
        """The function runs again."""
        self.runs: list[Any] = []  # that are going on, on stand-ins
        self.texts: list[Any] = []  # of traced values, wherever they go
        self.failures: dict[Any, int] = {}
        self.remembered: dict[Any, list[Any]] = {}  # the arrays that a loop stores into
        self.aliases: dict[int, tuple[Any, Any]] = {}  # arrays that may share memory unseen
        self.levels: dict[Node, int] = {}  # indices of the loops around, the outermost is 0
        self.ranges: dict[int, Any] = {}  # the first and the last value of each
        self.measured: set[int] = set()  # the levels of those that decide an extent

    def check(self, known: bool, what: str) -> None:
        """Raises NeedsValue while a side of a branch, or what is not known, is run."""
        if self.runs and (not known or any(each.branch for each in self.runs)):
            reason = f"{what}, which differs from turn to turn" if not known else what
            self.runs[-1].reason = reason
            raise NeedsValue(reason)


class Store(NamedTuple):
    """An entry of a dict that was set: the dict, the key, and what was there, if anything."""

    target: dict[str, Any]
    key: str
    before: Any


class Context:
    """The record of one trace: the place of each new node, and which ones the user can name."""

    __slots__ = (
        "before", "changes", "constants", "derived", "effect", "examples", "fixed", "flow",
        "given", "inherited", "integers", "interposer",
        "named", "operands", "output", "place", "places", "refused", "relied", "rules",
        "since", "speaks", "spoken", "stores",
    )  # fmt: skip

    def __init__(
        self, interposer: Any = None, outer: Context | None = None, effect: Node | None = None
    ) -> None:
        self.effect = self.before = effect  # the last one until now, None where none is allowed
        self.output: Node | None = None if outer is None else outer.output  # what is printed last
        self.spoken = self.output
        self.speaks = False  # whether it is printed at each call
        self.interposer = interposer  # runs the functions that this trace calls
        # shared with the traces inside this one
        self.examples: Examples = Examples() if outer is None else outer.examples
        self.flow: Flow = Flow() if outer is None else outer.flow
        self.relied: dict[Node, None] = {}  # truth values that shapes of this trace rest on
        self.place: Place | None = None
        self.places: dict[Node, Place] = {}
        self.named: dict[Node, Place] = {}
        self.operands: list[tuple[Place, tuple[Node | None, ...]]] = []  # of each operation
        self.constants: dict[Any, np.ndarray] = {}  # arrays met, as they were, by their content
        # of traced arrays in place
        self.changes: list[Change] = [] if outer is None else outer.changes
        self.since = len(self.changes)
        self.stores: list[Store] = []  # into objects and classes from outside
        self.given: frozenset[int] = frozenset()  # the ids of what stands for arguments
        self.fixed: dict[Node, bool] = {}  # whether a node depends on no input
        self.inherited: dict[Node, Any] = {}  # notes of functions differentiated inside this one
        self.integers: set[Node] = set()  # inputs that are NumPy's integers of known value
        self.derived: set[Node] = set()  # what only the derivatives of those compute
        self.rules: dict[Any, Any] = {}  # what rules of the user's gave, by the call they are for
        self.refused: BaseException | None = None  # the first refusal, which must end the trace

    def undo(self) -> None:
        """Take back what was changed in place: the function runs again from the start."""
        while self.changes:
            last = self.changes.pop()
            last.array.known = last.before
        self.relied.clear()
        self.effect, self.output = self.before, self.spoken
        self.refused = None
        self.flow.forget()

    def leave(self) -> None:
        """Take back what was stored for this trace: the one around it goes on with what it had."""
        for each in reversed(self.changes[self.since :]):
            if each.array.is_hidden:
                each.array.known = each.before
        self.take_back(0)

    def take_back(self, count: int) -> None:
        """Take back all that was stored into objects but the first `count`."""
        while len(self.stores) > count:
            target, key, before = self.stores.pop()
            if before is Store:
                target.pop(key, None)
            else:
                target[key] = before

    @property
    def effects(self) -> tuple[Node, ...]:
        """What a graph of this trace has to keep besides its results."""
        happened = [
            last
            for last, first in ((self.effect, self.before), (self.output, self.spoken))
            if last is not None and last is not first
        ]
        return (*self.relied, *happened)

    def is_fixed(self, root: Node) -> bool:
        """Whether a node depends on no input, so that its value is known."""
        stack = [root]
        while stack:
            each = stack[-1]
            waiting = [arg for arg in each.args if arg not in self.fixed]
            if waiting:
                stack += waiting
                continue
            known = isinstance(each, Const) or bool(each.args)
            self.fixed[each] = known and all(self.fixed[arg] for arg in each.args)
            stack.pop()
        return self.fixed[root]


TRACE: ContextVar[Context | None] = ContextVar("symdiff_context", default=None)  # that is running


def current() -> Context | None:
    """The trace that is running, if any."""
    return TRACE.get()


class Setting:
    """A context variable that has another value inside a `with` block, where it is entered often.

    Entering takes a fifth of the time that a generator with a decorator takes.
    """

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[Any], value: Any) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *raised: object) -> None:
        self._variable.reset(self._token)


def tracing(context: Context | None) -> Setting:
    """Nodes made inside are recorded in `context` (None: not recorded)."""
    return Setting(TRACE, context)


def store(target: dict[str, Any], key: str, value: Any) -> None:
    """Set an entry of what stands for something from outside, for this trace only."""
    running = TRACE.get()
    if running is not None:
        running.stores.append(Store(target, key, target.get(key, Store)))
    target[key] = value


def captured_by(capturing_: Capturing | None) -> Setting:
    """Loops and branches are captured inside, unless by None."""
    return Setting(capturing, capturing_)


@contextmanager
def tried() -> Iterator[None]:
    """What happens inside does not count: only what is known of its results."""
    running = TRACE.get()
    assert running is not None
    happened = running.effect, running.output
    try:
        yield
    finally:
        running.effect, running.output = happened


def refuse(error: BaseException) -> NoReturn:
    """Raise what the untraced function would not: the trace ends with it even if it is caught."""
    running = TRACE.get()
    if running is not None and running.refused is None:
        running.refused = error
    raise error from None


on_numbers: ContextVar[bool] = ContextVar("symdiff_on_numbers", default=False)


def rule_on_numbers(value: bool) -> Setting:
    """Whether NumPy's functions of Python numbers give Python numbers: in rules of `math.sin`."""
    return Setting(on_numbers, value)


def is_internal(code: CodeType) -> bool:
    """Whether the code is symdiff's, NumPy's, SciPy's or Python's own, and not the user's."""
    known = _internal.get(code)
    if known is None:
        emitted = code.co_filename.startswith("<symdiff")
        known = _internal[code] = emitted or not is_user_code(code)
    return known


def user_place() -> Place | None:
    """Where the user's code stands: the innermost frame that is no library's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and is_internal(frame.f_code):
        frame = frame.f_back
    return (frame.f_code, frame.f_lasti, frame.f_lineno) if frame is not None else None


def calling_places() -> Iterator[Place]:
    """Where the code being traced stands, innermost frame first, up to the function traced."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code not in beginnings:
        if not is_internal(frame.f_code):
            yield frame.f_code, frame.f_lasti, frame.f_lineno
        frame = frame.f_back


def is_at_user() -> bool:
    """Whether the user's code is what asks, and no rule or other function of ours."""
    context = TRACE.get()
    return context is not None and context.place is None


def at_user_place(action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run one operation called by the user: what it makes is noted with the user's place."""
    context = TRACE.get()
    if context is None or context.place is not None:
        return action(*args, **kwargs)
    context.place = user_place()
    try:
        return action(*args, **kwargs)
    finally:
        context.place = None
