"""NumPy source of one application of a primitive, from the source of its operands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.node import Params
from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Primitive, Template, asks_for

# How tightly Python's operators bind, loosest first
ANY, COMPARE, OR, XOR, AND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(11)
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
ROW, UNKNOWN, TIME = "_row", "_x", "_t"  # variables within an expression: no value is called so
_FIELD = re.compile(r"\{(\d+)\}")
_CALL = re.compile(r"([\w.]+)\((?:\{\w+\}(?:, )?)*\)")  # of a function with its operands
_MODULAR = re.compile(r"//|%")  # their sign is not that of the first factor


class Source(NamedTuple):
    """A piece of source and how tightly its outermost operator binds."""

    text: str
    binding: int = ATOM

    @property
    def negated(self) -> Source | None:
        """What a minus stands before, to the last bit: of -2 * x it is 2 * x. None without one."""
        factors = self.binding == PRODUCT and not _MODULAR.search(self.text)
        if not self.text.startswith("-") or not (factors or self.binding == UNARY):
            return None
        return Source(self.text[1:], PRODUCT if factors else POWER)

    def within(self, binding: int) -> str:
        """The text, in parentheses where the surroundings bind tighter."""
        return f"({self.text})" if self.binding < binding else self.text


def render(
    op: Primitive,
    params: Params,
    args: Sequence[Source],
    types: Sequence[ArrayType],
    weak: bool = False,
    lean: bool = False,
) -> Source:
    """The source of `op` applied to operands given as source; a weak result is a Python number.

    With `lean` it is the form that costs least to call: methods before functions.
    """
    parts = _parts(op, params, tuple(types), weak, lean)
    if not parts:
        return _infix(op.infix, args)
    out = ""
    for text, place, binding in parts:
        out += text
        if place is not None:
            out += args[place].within(binding)
    return Source(out)


@lru_cache(maxsize=4096)
def _parts(
    op: Primitive, params: Params, types: tuple[ArrayType, ...], weak: bool, lean: bool
) -> tuple[tuple[str, int | None, int], ...]:
    """The template of one application, as (literal text, operand, how tight it must bind).

    Empty for what is written with an operator.
    """
    template = _template(op, params, types, weak, lean)
    if not template:
        return ()
    pieces = _FIELD.split(template)
    texts, places = pieces[::2], [*map(int, pieces[1::2]), None]
    return tuple(
        (text, place, _binding(text, after))
        for text, place, after in zip(texts, places, [*texts[1:], ""], strict=True)
    )


def _template(
    op: Primitive, params: Params, types: tuple[ArrayType, ...], weak: bool, lean: bool
) -> str:
    """The source of one application, with {0}, {1}, … for its operands."""
    fields = [f"{{{i}}}" for i in range(len(types))]
    if lean and op.lean is not None and (found := _filled(op.lean, fields, params, types)):
        return found
    if op.infix:
        return ""
    if callable(op.numpy):
        return _filled(op.numpy, fields, params, types)
    python = op.python if weak else ""
    if python.startswith("math.") and types[0].dtype.kind == "c":  # which is for real numbers
        return f"complex({op.numpy or function_source(op)}({', '.join(fields)}))"
    template = python or op.numpy
    if "{" in template:
        return template.format(
            **dict(zip(op.arguments, fields, strict=False)),
            **{key: repr(value) for key, value in params},
        )
    keywords = _keywords(params, types)
    # of a whole array it reads as well, and costs less by a microsecond: x.sum()
    whole = not keywords and any(key == "axis" for key, _ in params)
    if (lean or whole) and types and types[0].shape and _is_method(op):
        return f"{{0}}.{op.function.__name__}({', '.join([*fields[1:], *keywords])})"
    return f"{template or function_source(op)}({', '.join([*fields, *keywords])})"


def _filled(
    template: Template, fields: list[str], params: Params, types: tuple[ArrayType, ...]
) -> str:
    told = {"types": types} if asks_for(template, "types") else {}
    return template(*fields, **dict(params), **told)


def _is_method(op: Primitive) -> bool:
    """Whether the function is also a method of arrays: np.sum(x) is x.sum()."""
    name = getattr(op.function, "__name__", "")
    is_function = getattr(np, name, None) is op.function
    return is_function and not op.elementwise and hasattr(np.ndarray, name)


def _binding(before: str, after: str) -> int:
    """An operand between brackets and commas or of a choice may be anything; else it is an atom."""
    if before.endswith((" if ", " else ")) or after.startswith((" if ", " else ")):
        return ANY
    enclosed = before.rstrip()[-1:] in ("(", "[", ",", "=") and after[:1] in (")", "]", ",")
    return ANY if enclosed else ATOM


def _infix(symbol: str, args: Sequence[Source]) -> Source:
    if len(args) == 1:
        return Source(f"{symbol}{args[0].within(UNARY)}", UNARY)
    binding = _BINARY[symbol]
    left, right = binding, binding + 1
    if symbol == "+" and (rest := args[1].negated):
        return Source(f"{args[0].within(left)} - {rest.within(right)}", binding)
    if symbol == "**":  # binds to the right, and tighter than a minus on its left
        left, right = ATOM, UNARY
    elif binding == COMPARE:
        left = COMPARE + 1
    return Source(f"{args[0].within(left)} {symbol} {args[1].within(right)}", binding)


def function_source(op: Primitive) -> str:
    """The dotted name under which emitted source calls the primitive's function."""
    if isinstance(op.numpy, str) and (written := _CALL.fullmatch(op.numpy)):
        return written[1]
    module = getattr(op.function, "__module__", None) or "numpy"
    name = getattr(op.function, "__name__", op.name)
    return f"{module}.{name}".replace("numpy", "np", 1)


def _keywords(params: Params, types: Sequence[ArrayType]) -> list[str]:
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
    special = {"?": "np.bool_", "g": "np.longdouble", "G": "np.clongdouble"}
    return special.get(dtype.char) or f"np.{dtype.name}"
