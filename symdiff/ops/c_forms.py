"""C of one element of a primitive's result, from the C of its operands' elements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Primitive, asks_for

_CALL = re.compile(r"\b([a-z_]\w*)\(")
INLINE = {"fabs", "floor", "ceil", "trunc", "rint", "sqrt", "copysign", "isnan", "isinf",
          "isfinite", "signbit"}  # what compilers write as instructions


def c_form(
    op: Primitive, texts: Sequence[str], types: tuple[ArrayType, ...], params: dict[str, Any]
) -> str:
    """The expression of one element from atoms; "" where there is none."""
    if isinstance(op.c, str):
        return op.c.format(**dict(zip(op.arguments, texts, strict=False)))
    if not callable(op.c):
        return ""
    told = {"types": types} if asks_for(op.c, "types") else {}
    found = op.c(*texts, **params, **told)
    assert isinstance(found, str)
    return found


def called(form: str) -> list[str]:
    """The functions that a text calls."""
    return _CALL.findall(form)


def literal(value: Any, dtype: np.dtype[Any]) -> str:
    """A number as C reads it back, in parentheses where it has a sign."""
    if dtype.kind == "b":
        return str(int(value))
    if dtype.kind in "iu":
        number = int(value)
        least = -(2 ** (8 * dtype.itemsize - 1))
        if number == least and dtype.itemsize == 8:
            return "INT64_MIN"
        text = str(number)
        if abs(number) >= 2**31:
            text = f"{'U' if dtype.kind == 'u' else ''}INT64_C({abs(number)})"
            text = text if number >= 0 else f"-{text}"
    else:
        number = dtype.type(value)
        if number != number:
            return "NAN"
        text = "INFINITY" if np.isinf(number) else f"{abs(number)!s}"
        if text != "INFINITY":
            text += ("" if "." in text or "e" in text else ".0") + "f" * (dtype.itemsize == 4)
        text = f"-{text}" if np.signbit(number) else text
    return f"({text})" if text.startswith("-") else text


def weight(form: str) -> int:
    """Roughly what an element costs, in additions."""
    calls = called(form)
    slow = sum(each not in INLINE for each in calls)
    operators = len(re.findall(r" [-+*<>=!&|?]+ |(?<!\w)-", form))
    return 10 * slow + 4 * (form.count(" / ") + calls.count("sqrt")) + operators
