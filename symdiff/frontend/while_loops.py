"""While loops: as loops, for as long as what the test says is computed from the stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from symdiff.frontend.joins import truth
from symdiff.frontend.loops import Loop
from symdiff.frontend.speculation import DEEPEST, FailedError, is_open
from symdiff.frontend.tracer import Tracer, coerce
from symdiff.ir.node import Input, Node
from symdiff.ops import control


class WhileLoop(Loop):
    """A `while` of the user's."""

    def __iter__(self) -> Iterator[Any]:
        running = self.running
        self.end: Any = None
        self.whole: Any = None
        self.by_test = False
        if running is None or running.flow.capturing is None:
            while True:
                yield None
        for peeled in (0, 1):
            if not is_open(running, self.key) or len(running.flow.runs) >= DEEPEST:
                self.reason = self.reason or "it was not captured before"
                break
            self.tests: list[Node] = []
            yield from self._attempt(None, 0)
            if self.outcome == "captured":
                return
            if not peeled:
                yield None
        self._give_up()
        while True:
            yield None

    def test(self, value: Any) -> bool:
        """Whether there is a turn: in a run on stand-ins there is."""
        if self.run is None:
            return bool(value)
        traced = isinstance(value, Tracer)
        if not traced or self.run.running.is_fixed(value.node):
            if not bool(value):
                raise FailedError("it does not run")
            self.asked = None
        else:
            self.asked = truth(value)
        return True

    def _kind(
        self, state: list[tuple[Input, Node]], outputs: list[Node], stop: Any
    ) -> tuple[dict[str, Any], Node | None]:
        if self.asked is None and stop is False:
            raise FailedError("its end does not depend on traced values")
        going: Any = True if self.asked is None else Tracer(self.asked)
        if stop is False:
            return {}, coerce(going.node, control.TRUTH)
        return {}, self._going(going, state, outputs)
