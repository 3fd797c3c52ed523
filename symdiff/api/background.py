"""backend="auto": NumPy answers, a compiler runs by itself, and then C answers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator
from time import perf_counter
from typing import TYPE_CHECKING, Any

from symdiff.errors import CompileError
from symdiff.runtime.dispatch import Entry, one_compiles

if TYPE_CHECKING:
    from symdiff.api.transformed import Compiled
    from symdiff.runtime.compiler import Build

_WORTH = 0.01  # seconds in NumPy before anything is done; it costs about that to write the C
_PAUSE = 0.001  # seconds between looks at the compiler


class Warming:
    """In the place of a NumPy function that C may take over: it answers, and counts the seconds.

    There is no thread: C is written, and what the compiler has made is taken, at a later call.
    """

    def __init__(self, entry: Entry, switched: Callable[[Entry], None]) -> None:
        self._entry = entry
        self._switched = switched
        self._made: Compiled = entry.compiled
        self._function = entry.compiled.function
        self._stages: Generator[Build, None, Compiled] | None = None
        self._build: Build | None = None  # what the stages wait for
        self._spent = 0.0
        self._due = _WORTH  # of the seconds spent, and then of the clock

    def __call__(self, *args: Any) -> Any:
        start = perf_counter()
        result = self._function(*args)
        now = perf_counter()
        self._spent += now - start
        if (self._spent if self._build is None else now) >= self._due:
            with one_compiles(wait=False) as alone:
                if alone and self._is_open:
                    self._go_on()
                    self._due = max(self._due, now + _PAUSE)
        return result

    @property
    def _is_open(self) -> bool:
        """Whether C may still take over."""
        return self._due < math.inf

    def wait(self) -> None:
        """Return when C has taken over, or cannot."""
        with one_compiles():
            while self._is_open:
                if self._build is not None:
                    with contextlib.suppress(CompileError):  # which is raised again
                        self._build.wait()
                self._go_on()

    def _go_on(self) -> None:
        """As far as it goes without waiting."""
        try:
            if self._stages is None:
                from symdiff.api.native import stages_to_c  # when it is worth it

                self._stages = stages_to_c(self._entry, self._made)
                self._build = next(self._stages)
            while self._build is not None and self._build.done():
                self._build = next(self._stages)
        except StopIteration as finished:
            self._settle(finished.value)
        except Exception:  # whatever it is, NumPy has the answer
            self._settle(self._made)
        except BaseException:  # an interruption: once more, later
            self._stages = self._build = None
            raise

    def _settle(self, compiled: Compiled) -> None:
        self._due, self._build = math.inf, None
        self._entry.become(compiled)
        self._switched(self._entry)


def warming(entry: Entry, switched: Callable[[Entry], None]) -> Entry:
    """The same entry, which C takes over when it has cost enough; `switched` is told then."""
    entry.become(entry.compiled._replace(function=Warming(entry, switched)))
    return entry


def runs_in_c(entry: Entry) -> bool:
    """Whether C runs for the signature; where that is being prepared, it is waited for."""
    own = entry.compiled.function
    if isinstance(own, Warming):
        own.wait()
    return bool(entry.compiled.c_source)
