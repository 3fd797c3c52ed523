"""Runs of a side of a branch, or of the body of a loop, on what stands for values.

What a run may change is noted before it and undone after it; what cannot be undone, or differs from
run to run, is the reason why a place is not captured.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from symdiff.frontend import context, memory
from symdiff.frontend.context import Again, NeedsValue, Place
from symdiff.frontend.source_map import position_of
from symdiff.frontend.state import World
from symdiff.frontend.trace import notes_of
from symdiff.frontend.tracer import StaticArgument, StoredInCreated, Tracer
from symdiff.ir.graph import Note
from symdiff.ir.node import Input, Node, input_node
from symdiff.ops import control

if TYPE_CHECKING:
    from symdiff.frontend.context import Context

DEEPEST = 12  # nested speculations

_PASS = (Again, StaticArgument, StoredInCreated, KeyboardInterrupt, SystemExit, GeneratorExit)


class _Unbound:
    """What stands for the value of a name that has none."""


UNBOUND = _Unbound()


class Site(NamedTuple):
    """A loop or a branch in the user's code, as the rewriter describes it."""

    place: tuple[int, int]
    names: tuple[str, ...]  # which it binds
    kept: tuple[str, ...]  # of these, which may be read afterwards
    stops: tuple[str, ...]  # flags that end the loop
    targets: tuple[str, ...]  # of a `for`
    appended: tuple[str, ...] = ()  # lists that are only appended to in the loop


class FailedError(Exception):
    """Why a loop or a branch is not captured."""


class Run:
    """One run of a body or a side on stand-ins: what it may change is noted, and undone."""

    def __init__(
        self,
        running: Context,
        frame: FrameType,
        key: Any,
        names: Sequence[str] = (),
        branch: bool = False,
    ) -> None:
        """Raises FailedError where it is not known what is changed."""
        self.running = running
        self.frame = frame
        self.key = key
        self.branch = branch
        self.loop: Any = None  # whose body is run
        self.world = World(frame, names, running.interposer)
        if self.world.opaque:
            raise FailedError(self.world.opaque)
        self.changes = len(running.changes)
        self.stores = len(running.stores)
        self.operands = len(running.operands)
        self.refused = running.refused
        self.effect, running.effect = running.effect, None  # how often it would be is not known
        # whatever is made from here on has a greater serial number
        self.mark = input_node("", control.INDEX).serial
        self.reason = ""
        self.running.flow.runs.append(self)
        self.depth = len(running.flow.runs)

    def changed(self) -> list[Tracer]:
        """The arrays from before that were changed."""
        found: dict[int, Tracer] = {}
        for each in self.running.changes[self.changes :]:
            if each.array.view_of is None and each.array.born < self.mark:
                found.setdefault(id(each.array), each.array)
        return list(found.values())

    def check(self) -> None:
        """Raises FailedError where something else than arrays has changed."""
        if self.reason:
            raise FailedError(self.reason)
        if self.running.refused is not self.refused:
            raise FailedError(str(self.running.refused).split("\n")[0])
        changed = self.world.changed()
        if len(self.running.stores) > self.stores:
            changed = f"it changes the attribute `{self.running.stores[-1].key}`"
        if changed:
            raise FailedError(changed)

    def undo(self) -> None:
        """Everything as it was before, but for the decisions that what is captured rests on."""
        running = self.running
        memory.roll_back(running, self.changes)
        running.take_back(self.stores)
        running.refused = self.refused
        running.effect = self.effect
        del running.flow.runs[self.depth - 1 :]
        if not self.world.restore():
            running.flow.forced.add(self.key)
            context.refuse(Again())

    def notes(self, outputs: Sequence[Node]) -> dict[Node, Note]:
        """The names of what was computed."""
        return notes_since(self.running, outputs, self.mark, self.operands)


def made_since(outputs: Sequence[Node], mark: int) -> list[Node]:
    """The nodes below `outputs` that are newer, and those that they read; in order."""
    seen: set[Node] = set()
    waiting = list(outputs)
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            if each.serial > mark:
                waiting += each.args
    return sorted(seen, key=lambda each: each.serial)


def notes_since(
    running: Context, outputs: Sequence[Node], mark: int, operands: int
) -> dict[Node, Note]:
    """The names of what is newer than `mark`, below `outputs`."""
    nodes = made_since(outputs, mark)
    return notes_of(running, [each for each in nodes if isinstance(each, Input)], nodes, operands)


def is_open(running: Context, key: Any) -> bool:
    """Whether a place is worth a try: it was not in vain before."""
    return key not in running.flow.forced and running.flow.failures.get(key, 0) < 2


def note_failure(running: Context, key: Any) -> None:
    """It was in vain; not so where something around it is tried, too."""
    if not running.flow.runs:
        running.flow.failures[key] = running.flow.failures.get(key, 0) + 1


def may_speculate(running: Context, test: Any) -> bool:
    """Whether both sides of a decision can be tried."""
    return (
        issubclass(type(test), Tracer)
        and test.size == 1
        and running.flow.capturing is not None
        and len(running.flow.runs) < DEEPEST
        and not running.is_fixed(test.node)
    )


def passes(error: BaseException) -> bool:
    """Whether an exception is no reason to go another way; NumPy may have made another of it."""
    return isinstance(error, _PASS) or isinstance(error.__cause__, _PASS)


def reason_of(error: BaseException) -> str:
    """Why a run ended, in words."""
    if isinstance(error, (NeedsValue, FailedError)):
        return f"{error}"
    return f"{type(error).__name__}: {error}".split("\n")[0].rstrip(": ")


def report(site: Place, what: str) -> None:
    """Notes how a loop or a branch was taken, the last time that it was met."""
    running = context.current()
    assert running is not None
    running.flow.roads[site[0], site[2]] = position_of(site), what
    if what.startswith("captured") and running.flow.capturing is not None:
        running.flow.capturing.taken += 1


def place_of(frame: FrameType) -> Place:
    """Where the code of a frame stands."""
    return frame.f_code, frame.f_lasti, frame.f_lineno


def said(name: str) -> str:
    """A name as it is put in a message."""
    return "the result" if name == "$value" else name
