"""What a function says: calls of print and its kin, made at each call, in the order of the program.

Such a call is an effect that gives nothing. Its source is known when it is traced, with a mark in
the place of each traced value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from symdiff.ir.types import TUPLE
from symdiff.ops.effects import PRINTING, Happened
from symdiff.ops.primitive import CONSTANT, Primitive

_MARK = re.compile("\ue000(\\d+)\ue001")


def mark(place: int) -> str:
    """What stands in text and source for a traced value, of this number."""
    return f"\ue000{place}\ue001"


def pieces(text: str) -> list[str]:
    """Text as it is, and between the parts of it the numbers of the marks."""
    return _MARK.split(text)


def filled(text: str, fill: Callable[[int], str]) -> str:
    """The text with something in the place of each mark."""
    return _MARK.sub(lambda found: fill(int(found[1])), text)


@lru_cache(maxsize=256)
def printing(function: Callable[..., Any], name: str) -> Primitive:
    """The record of calls of a function, which source calls under a name: of print by its own."""
    own = function is print

    def source(*args: str, call: str, number: int) -> str:
        called, values = (name, args[1:]) if own else (args[0] + name, args[2:])
        return f"{called}({filled(call, values.__getitem__)})"

    return Primitive(
        name=PRINTING,
        function=lambda *args, call, number: Happened(),
        arguments=("before", "values"),
        variadic=True,
        result=lambda *types, call, number: TUPLE,
        rules={"before": CONSTANT, "values": CONSTANT},
        numpy=source,
        objects=() if own else ((getattr(function, "__name__", PRINTING), function),),
        batch=_batch(lambda: printing(function, name)),
        effect=True,
    )


def _batch(record: Callable[[], Primitive]) -> Any:
    def batch(*args: Any, call: str, number: int, batched: tuple[bool, ...]) -> Any:
        return record()(*args, call=call, number=number)  # the values of all rows

    return batch
