"""NumPy source of one application of a primitive, from the source of its operands."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Primitive, asks_for

COMPARE, OR, XOR, AND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM, ANY = 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 0
_BINARY = {
    "<": COMPARE,
    "<=": COMPARE,
    ">": COMPARE,
    ">=": COMPARE,
    "==": COMPARE,
    "!=": COMPARE,
    "|": OR,
    "^": XOR,
    "&": AND,
    "<<": SHIFT,
    ">>": SHIFT,
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
    "//": PRODUCT,
    "%": PRODUCT,
    "@": PRODUCT,
    "**": POWER,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of source and how tightly its outermost operator binds."""

    text: str
    binding: int = ATOM

    def within(self, binding: int) -> str:
        """The text, in parentheses where the surroundings bind tighter."""
        return f"({self.text})" if self.binding < binding else self.text


def render(
    op: Primitive, params: Sequence[tuple[str, Any]], args: Sequence[Source], types: Sequence[ArrayType]
) -> Source:
    """The source of `op` applied to operands given as source."""
    if op.infix:
        return _infix(op.infix, args)
    if callable(op.numpy):
        told = {"types": tuple(types)} if asks_for(op.numpy, "types") else {}
        text = op.numpy(*[each.within(ATOM) for each in args], **dict(params), **told)
        return Source(text, ATOM)
    if "{" in op.numpy:
        return Source(_fill(op, params, args))
    operands = [each.text for each in args]
    function = op.numpy or function_source(op)
    return Source(f"{function}({', '.join([*operands, *_keywords(params, types)])})")


def _infix(symbol: str, args: Sequence[Source]) -> Source:
    if len(args) == 1:
        return Source(f"{symbol}{args[0].within(UNARY)}", UNARY)
    binding = _BINARY[symbol]
    left, right = binding, binding + 1
    if symbol == "**":  # binds to the right, and tighter than a minus on its left
        left, right = ATOM, UNARY
    elif binding == COMPARE:
        left = COMPARE + 1
    return Source(f"{args[0].within(left)} {symbol} {args[1].within(right)}", binding)


@lru_cache(maxsize=None)
def _fields(template: str) -> tuple[tuple[str, str | None, bool], ...]:
    """(literal, operand, whether a postfix follows the operand) for each part of a template."""
    parts = [(text, name) for text, name, _, _ in string.Formatter().parse(template)]
    following = [text for text, _ in parts[1:]] + [""]
    return tuple(
        (text, name, after[:1] in (".", "[") and name is not None)
        for (text, name), after in zip(parts, following, strict=True)
    )


def _fill(op: Primitive, params: Sequence[tuple[str, Any]], args: Sequence[Source]) -> str:
    named = {key: Source(repr(value)) for key, value in params}
    named |= zip(op.arguments, args, strict=False)
    assert isinstance(op.numpy, str)
    bare = op.numpy.startswith("{")
    out = ""
    for text, name, postfix in _fields(op.numpy):
        out += text
        if name is not None:
            out += named[name].within(ATOM if postfix or bare else ANY)
    return out


def function_source(op: Primitive) -> str:
    """The dotted name under which emitted source calls the primitive's function."""
    module = getattr(op.function, "__module__", None) or "numpy"
    name = getattr(op.function, "__name__", op.name)
    return f"{module}.{name}".replace("numpy", "np", 1)


def _keywords(params: Sequence[tuple[str, Any]], types: Sequence[ArrayType]) -> list[str]:
    """Keyword arguments as a person writes them: defaults left out, one axis as an int."""
    out = []
    for key, value in params:
        if key == "axis" and isinstance(value, tuple):
            if len(value) == types[0].ndim:
                continue
            value = value[0] if len(value) == 1 else value
        if value is False or value is None:
            continue
        out.append(f"{key}={dtype_source(value) if isinstance(value, np.dtype) else repr(value)}")
    return out


def dtype_source(dtype: np.dtype[Any]) -> str:
    """A dtype as emitted source names it: np.float32."""
    return "np.bool_" if dtype == bool else f"np.{dtype.name}" if dtype.char not in "gG" else (
        "np.longdouble" if dtype.char == "g" else "np.clongdouble"
    )
