"""Capture: loops and branches of the user's that are made nodes, and not run or decided.

Rewritten code (`source.py`) asks the hooks here. The sides of a branch and the body of a loop are
run once, on what stands for the values there; what they change is noted and undone
(`speculation.py`), and one node of control flow takes the place of it. Where that cannot be (the
types do not settle, Python must know a value, something else than arrays and numbers changes) all
is undone, and the code runs as it is: decisions are guards, and loops are unrolled.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from symdiff.frontend import context
from symdiff.frontend.alike import check_same, element, entry
from symdiff.frontend.appended import append
from symdiff.frontend.iterables import Counted, Listed, Range, Rows, Unread, Zipped, as_source
from symdiff.frontend.joins import truth
from symdiff.frontend.loops import Loop
from symdiff.frontend.speculation import UNBOUND, Site, may_speculate
from symdiff.frontend.tracer import Tracer, call

if TYPE_CHECKING:
    from symdiff.frontend.branches import Branch
    from symdiff.frontend.while_loops import WhileLoop


class Hooks:
    """What rewritten code finds under the name `__symdiff__`.

    What few programs need is imported when they do.
    """

    anything = BaseException

    @staticmethod
    def branch(test: Any, site: Any) -> Branch:
        from symdiff.frontend.branches import Branch

        return Branch(test, Site(*site), sys._getframe(1))

    @staticmethod
    def loop(source: Any, site: Any) -> Loop:
        return Loop(source, Site(*site), sys._getframe(1))

    @staticmethod
    def whiles(site: Any) -> WhileLoop:
        from symdiff.frontend.while_loops import WhileLoop

        return WhileLoop(None, Site(*site), sys._getframe(1))

    @staticmethod
    def over(function: Any, *args: Any) -> Any:
        """A call of range, zip, enumerate or reversed, whose elements may be computed."""
        if function is range and 0 < len(args) < 4:
            whole = [isinstance(each, Tracer) and each.dtype.kind in "iu" for each in args]
            plain = all(w or type(each) is int for w, each in zip(whole, args, strict=True))
            return Range(*args) if plain and any(whole) else range(*args)
        parts = [as_source(each) for each in args]
        if function is zip and parts and all(part is not None for part in parts):
            return Zipped(parts)  # type: ignore[arg-type]
        if function is enumerate and parts and parts[0] is not None:
            start = args[1] if len(args) == 2 else 0
            if type(start) is int:
                return Counted(parts[0], start)
        if function is reversed and len(args) == 1:
            if type(args[0]) is range:
                made = Range(args[0].start, args[0].stop, args[0].step).reversed()
                return range(*made.limits)
            if isinstance(parts[0], Rows):
                return parts[0].array[::-1]
            if isinstance(parts[0], Listed):
                return parts[0].reversed()
        return function(*args)

    @staticmethod
    def items(whole: Any) -> Any:
        """whole.items(), of which the keys are not read."""
        values = as_source(whole.values()) if type(whole) is dict else None
        return whole.items() if values is None else Zipped([Unread(whole), values])

    @staticmethod
    def equal(function: Any, *args: Any) -> Any:
        """A call of zip with strict=True."""
        sources = [each for each in map(as_source, args) if each is not None]
        counts = [each.count() for each in sources]
        same = all(type(each) is int and each == counts[0] for each in counts)
        if len(sources) == len(args) and same:
            return Hooks.over(function, *args)
        return function(*args, strict=True)

    @staticmethod
    def either(test: Any, first: Any, second: Any, site: Any) -> Any:
        """first() if test else second()."""
        from symdiff.frontend.choices import chosen

        return chosen(test, first, second, Site(*site), sys._getframe(1))

    @staticmethod
    def both(first: Any, *rest: Any) -> Any:
        """first and rest()."""
        from symdiff.frontend.choices import logical

        frame = sys._getframe(1)
        for each in rest:
            first = logical(first, each, True, frame)
        return first

    @staticmethod
    def any_of(first: Any, *rest: Any) -> Any:
        """first or rest()."""
        from symdiff.frontend.choices import logical

        frame = sys._getframe(1)
        for each in rest:
            first = logical(first, each, False, frame)
        return first

    @staticmethod
    def negate(value: Any) -> Any:
        """not value."""
        running = context.current()
        if running is None or not may_speculate(running, value):
            return not value
        made: Any = Tracer(truth(value))
        return call(np.logical_not, made)

    @staticmethod
    def unless(*flags: Any) -> Any:
        """Whether no flag is up."""
        up: Any = False
        for each in flags:
            if isinstance(each, Tracer):
                up = each if up is False else call(np.logical_or, up, each)
            elif each:
                return False
        return True if up is False else Hooks.negate(up)

    @staticmethod
    def append(target: Any, value: Any, name: str) -> None:
        """target.append(value)."""
        append(target, value, name, sys._getframe(1))

    @staticmethod
    def part(whole: Any, index: Any) -> Any:
        """whole[index]."""
        if type(whole) in (list, tuple) and isinstance(index, Tracer):
            return element(whole, index)
        return whole[index]

    @staticmethod
    def entry(whole: Any, *parts: Any) -> Any:
        """whole[f"…"], of the parts of the text."""
        return entry(whole, parts)

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        """One is other."""
        check_same(one, other)
        return one is other

    @staticmethod
    def other(one: Any, other: Any) -> bool:
        """One is not other."""
        check_same(one, other)
        return one is not other

    @staticmethod
    def chain(names: Any, left: Any, first: Any, *rest: Any) -> Any:
        """left < first < rest()."""
        from symdiff.frontend.choices import COMPARISONS, Compared, logical

        frame = sys._getframe(1)
        value: Any = COMPARISONS[names[0]](left, first)
        known = first
        for name, each in zip(names[1:], rest, strict=True):
            compared = Compared(name, known, each)
            value = logical(value, compared, True, frame)
            known = compared.right
            if known is UNBOUND:
                return value  # it was False before
        return value


hooks = Hooks()
