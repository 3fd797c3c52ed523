"""Extents that the index of a loop decides, and numbers that stand for them.

In the body of a loop the length of `A[i, :i + 1]` is no one number. There its type has a number in
that place, so large that no array has it, which stands for "the index of the loop, plus 1". Types,
rules and rewrites need not know: equal extents have equal numbers. Where source is written, the
expression is put in the place of the number.

What a program computes from a number of elements, say for a mean, would be computed from the number
that stands for it. That is found out by compiling twice, with two choices of the numbers: source
that differs is not used, and the loop is unrolled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from threading import Lock
from typing import Any, NamedTuple

# The first number, and the distance to the next one. An array with two such axes still has fewer
# elements than NumPy can count.
_CHOICES = (((1 << 28) + 11, 2), ((1 << 28) + (1 << 26) + 3, 6))
LEAST = 1 << 28
_NUMBER = re.compile(r"(?<![\w.])\d{9,}(?![\w.])")
_OPENS, _CLOSES = "([{,:=", ")]},:"  # between which an expression needs no brackets

_choice: ContextVar[int] = ContextVar("symdiff_extents", default=0)


class Affine(NamedTuple):
    """A sum of indices of the loops around, the outermost at place 0, and a number.

    `factors` says how often each index counts; it does not end in a zero.
    """

    factors: tuple[int, ...] = ()
    rest: int = 0

    def plus(self, other: Affine, times: int = 1) -> Affine:
        """The sum with a multiple of another one."""
        size = max(len(self.factors), len(other.factors))
        own, more = (each.factors + (0,) * (size - len(each.factors)) for each in (self, other))
        factors = [a + times * b for a, b in zip(own, more, strict=True)]
        while factors and not factors[-1]:
            factors.pop()
        return Affine(tuple(factors), self.rest + times * other.rest)

    def source(self, names: Mapping[int, str]) -> str:
        """As an expression, what is added before what is subtracted."""
        terms = [(factor, names[i]) for i, factor in enumerate(self.factors) if factor]
        if self.rest or not terms:
            terms.append((self.rest, ""))
        terms.sort(key=lambda term: term[0] < 0)
        text = ""
        for factor, name in terms:
            times = "" if name and abs(factor) == 1 else str(abs(factor))
            text += f" {'-' if factor < 0 else '+'} {' * '.join(filter(None, (times, name)))}"
        return text[3:] if text.startswith(" +") else f"-{text[3:]}"


_numbers: dict[Affine, int] = {}
_known: list[Affine] = []
_adding = Lock()


@contextmanager
def other_numbers() -> Iterator[None]:
    """Extents are stood for by other numbers than usual."""
    token = _choice.set(1)
    try:
        yield
    finally:
        _choice.reset(token)


def number_of(value: Affine) -> int:
    """The number itself, or the one that stands for it."""
    if not value.factors:
        return value.rest
    with _adding:
        place = _numbers.setdefault(value, len(_known))
        if place == len(_known):
            _known.append(value)
    first, distance = _CHOICES[_choice.get()]
    return first + distance * place


def affine_of(number: int) -> Affine:
    """What a number stands for: if nothing else, itself."""
    if number >= LEAST:
        first, distance = _CHOICES[_choice.get()]
        place, off = divmod(number - first, distance)
        if not off and 0 <= place < len(_known):
            return _known[place]
    return Affine((), number)


def any_known() -> bool:
    """Whether there is any number that stands for an extent."""
    return bool(_known)


def is_open(shape: Sequence[int]) -> bool:
    """Whether the index of a loop decides an extent of a shape."""
    return any(each >= LEAST and bool(affine_of(each).factors) for each in shape)


def mentions(value: Any) -> bool:
    """Whether a parameter holds a number that stands for an extent."""
    if isinstance(value, tuple):
        return any(map(mentions, value))
    return type(value) is int and is_open((value,))


def written(text: str, names: Mapping[int, str]) -> str:
    """Source with the expressions of extents in the place of their numbers.

    `names` are those of the indices of the loops around, by level.
    """

    def source(found: re.Match[str]) -> str:
        made = affine_of(int(found[0])).source(names)
        before, after = text[: found.start()].rstrip()[-1:], text[found.end() :].lstrip()[:1]
        whole = before in _OPENS and after in _CLOSES
        return made if whole or made.isidentifier() or made.isdigit() else f"({made})"

    return _NUMBER.sub(source, text)


def settled(value: Any, indices: Mapping[int, int]) -> Any:
    """A parameter with numbers for the extents in it, at these indices by level."""
    if isinstance(value, tuple):
        return tuple([settled(each, indices) for each in value])
    if type(value) is not int or value < LEAST:
        return value
    affine = affine_of(value)
    return affine.rest + sum(
        factor * indices[level] for level, factor in enumerate(affine.factors) if factor
    )


def length(start: int, stop: int, whole: int) -> int:
    """The number that stands for the length of a slice of an axis.

    Ends that an index decides are known to be in the axis; others are counted as NumPy counts them.
    """
    ends = [affine_of(each) for each in (start, stop)]
    axis = affine_of(whole)
    if not any(each.factors for each in (*ends, axis)):
        return len(range(*slice(start, stop).indices(whole)))
    first, last = (axis.plus(each) if each.rest < 0 and not each.factors else each for each in ends)
    return number_of(last.plus(first, -1))


def product(extents: Iterable[int]) -> int:
    """The number that stands for a product, of which an index may decide one factor."""
    total = Affine((), 1)
    for each in map(affine_of, extents):
        if total.factors and each.factors:
            return math.prod(map(number_of, (total, each)))  # which stands for nothing
        total, times = (each, total) if each.factors else (total, each)
        total = Affine().plus(total, times.rest)
    return number_of(total)


def total(extents: Iterable[int]) -> int:
    """The number that stands for a sum."""
    found = list(extents)
    if not is_open(found):
        return sum(found)
    return number_of(reduce(Affine.plus, map(affine_of, found)))


def least(value: Affine, ranges: Mapping[int, tuple[Affine, Affine]]) -> int | None:
    """The smallest number that it can be, for indices in these ranges by level; None: not known.

    The ends of a range, which belong to it, may depend on the loops further out.
    """
    while value.factors:
        level, factor = len(value.factors) - 1, value.factors[-1]
        if level not in ranges:
            return None
        here = Affine((0,) * level + (1,))
        value = value.plus(here, -factor).plus(ranges[level][0 if factor > 0 else 1], factor)
        if len(value.factors) > level:
            return None
    return value.rest
