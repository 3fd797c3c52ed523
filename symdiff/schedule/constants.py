"""Constants as a person writes them: 2, 1 / 3, np.arange(5), np.eye(3, dtype=np.float32)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symdiff.ir.node import SMALL, Const
from symdiff.ops.render import ATOM, PRODUCT, UNARY, Source, dtype_source

LEGIBLE = 6  # characters of a number that are read more easily than a quotient
LISTED = 4  # numbers that are as soon read in a list
COUNTING = ("np.arange(", "np.eye(")  # what is short however large the array is


def literal(value: object, exact: bool = False) -> Source:
    """A scalar constant as a person writes it: 2 for 2.0, since it takes its partner's dtype.

    With `exact` it stays 2.0, which NumPy need not convert.
    """
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float):
        if number != number or number in (float("inf"), float("-inf")):
            text = {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}[str(number)]
        elif not exact and number == int(number) and abs(number) < 1e15 and str(number) != "-0.0":
            text = str(int(number))
        elif isinstance(value, np.generic):
            text = str(value)  # the shortest digits that are unique in its dtype
        else:
            text = repr(number)
    elif isinstance(number, complex) and not _is_written(number) and _is_written(-number):
        text = f"-{-number!r}"  # the -1j of Python has the parts -0.0 and -1.0
    elif isinstance(number, complex) and not _is_written(number):
        parts = (literal(part, exact=True).text for part in (number.real, number.imag))
        text = f"complex({', '.join(parts)})"
    else:
        text = repr(number)
    count = _reciprocal(value) if isinstance(number, float) and len(text) > LEGIBLE else 0
    if count:
        return Source(f"{'-' if count < 0 else ''}1 / {abs(count)}", PRODUCT)
    return Source(text, UNARY if text.startswith("-") else ATOM)


def _is_written(number: complex) -> bool:
    """Whether Python reads as this number what it prints: no part is infinite, NaN or -0.0.

    Of 0 - 2j it prints -2j, whose real part is -0.0.
    """
    parts = (number.real, number.imag)
    safe = all(math.isfinite(part) and str(part) != "-0.0" for part in parts)
    return safe and (number.real != 0 or number.imag >= 0)


def _reciprocal(value: Any) -> int:
    """The n of which a number is exactly 1 / n in its dtype, 0 if there is none."""
    if not 1e-9 < abs(value) < 1:
        return 0
    count = round(1 / float(value))
    return count if type(value)(1 / count) == value else 0


def counting_source(value: np.ndarray) -> str | None:
    """np.arange or np.eye, if that is what the array is."""
    few = 1 if value.dtype == np.intp else LISTED
    if value.ndim == 1 and value.dtype in (np.intp, np.float64) and value.size > few:
        start, second, stop = value[0].item(), value[1].item(), value[-1].item()
        step = second - start
        counts = abs(step) == 1 and start == int(start) and (np.diff(value) == step).all()
        if counts and np.arange(start, stop + step, step).tobytes() == value.tobytes():  # no -0.0
            ends = [stop + step] if (start, step) == (0, 1) else [start, stop + step]
            return f"np.arange({', '.join(map(repr, [*ends, step] if step < 0 else ends))})"
    if value.dtype.kind in "fb" and _is_identity(value):
        dtype = "" if value.dtype == np.float64 else f", dtype={dtype_source(value.dtype)}"
        return f"np.eye({len(value)}{dtype})"
    return None


def _is_identity(value: np.ndarray) -> bool:
    """Whether this is the identity matrix, without an array of that size: it may be a column."""
    square = value.ndim == 2 and len(value) == value.shape[1]
    return square and bool((value.diagonal() == 1).all()) and np.count_nonzero(value) == len(value)


def array_source(value: np.ndarray) -> str:
    """A small array, written out."""
    dtype = f", dtype={dtype_source(value.dtype)}"
    if not value.size and value.ndim > 1:  # a list cannot say (0, 3)
        return f"np.zeros({value.shape}{dtype})"
    implied = value.size and value.dtype in (np.float64, np.intp, np.bool_)
    return f"np.array({_list_source(value)}{'' if implied else dtype})"


def _list_source(value: np.ndarray) -> str:
    if value.dtype.kind in "biu":
        text = np.array2string(value, separator=", ", threshold=SMALL + 1, floatmode="unique")
        return text.replace("\n", "")
    if value.ndim:
        return f"[{', '.join(map(_list_source, value))}]"
    number = value.item()
    plain = _is_written(number) if isinstance(number, complex) else math.isfinite(number)
    return repr(number) if plain else literal(number).text


def exactly(each: Const, source: Source) -> str:
    """A scalar constant of exactly its type."""
    if each.type.weak:  # inf has no literal
        return repr(each.value) if _is_written(each.value) else source.text
    return f"{dtype_source(each.type.dtype)}({source.text})"


def full(each: Const, source: Source) -> str:
    """A new array of a constant that is written as `source`."""
    if not each.uniform:  # a display makes a new array, a name stands for one that is kept
        return f"{source.text}.copy()" if source.text.isidentifier() else source.text
    shape = each.type.shape
    size = shape[0] if len(shape) == 1 else shape
    dtype = f", dtype={dtype_source(each.type.dtype)}"
    if each.value in (0, 1) and not np.signbit(np.real(each.value)):
        name = "ones" if each.value else "zeros"
        return f"np.{name}({size}{'' if each.type.dtype == np.float64 else dtype})"
    return f"np.full({size}, {source.text}{dtype})"
