"""Numbers of derivatives, for which Python's own steps cost a tenth of NumPy's.

`np.where` of three numbers takes a microsecond and a half and makes an array without axes, a truth
value in a sum takes one: `x if c else y` and `np.float64(c)` are numbers at once. The function's
own steps stay as they are written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from symdiff.ir.node import Const, Input, Node
from symdiff.ops import elementwise as e
from symdiff.ops import shaping
from symdiff.ops.primitive import Primitive
from symdiff.schedule.buffers import is_view
from symdiff.schedule.stores import UPDATES

_SUMS = (e.add, e.subtract)
_MILD = (*_SUMS, e.multiply, e.negative, e.where, *UPDATES)  # which do not fail for Python's 0


def converted(each: Node, reads: tuple[Node, ...]) -> tuple[Node, ...]:
    """What an operation reads, with truth values as numbers where NumPy would take its time."""
    if each.type.shape or each.op not in (*_SUMS, e.multiply) or len(reads) != 2:
        return reads
    literal = any(isinstance(arg, Const) for arg in reads)
    if each.op is e.multiply and not literal:
        return reads
    return tuple([
        whole if _is_truth(arg) and whole.op is e.convert and whole.type.inexact else arg
        for arg, whole in zip(reads, each.args, strict=True)
    ])


def _is_truth(each: Node) -> bool:
    return each.type.dtype == bool and not each.type.shape and not isinstance(each, Const)


def decided(
    order: Sequence[Node],
    reads: Mapping[Node, Sequence[Node]],
    outputs: Collection[Node],
    primal: Collection[Node],
) -> dict[Node, bool]:
    """Choices between numbers that are written as Python's own.

    For each whether a literal in it has to be a number of NumPy's.
    """
    choices = [
        each for each in order
        if each.op is e.where and each not in primal and each not in outputs
        and each.type.inexact and not each.type.weak
        and not any(arg.type.shape for arg in reads[each])
    ]  # fmt: skip
    found: dict[Node, bool] = {}
    if not choices:
        return found
    readers: dict[Node, list[Node]] = {}
    for each in order:
        for arg in reads[each]:
            readers.setdefault(arg, []).append(each)
    for each in choices:
        numbers = all(_is_number(arg, found) for arg in reads[each][1:])
        if numbers:
            found[each] = not all(_bears(one, each, reads) for one in readers[each])
    return found


def _is_number(each: Node, found: Collection[Node]) -> bool:
    """Whether a value is no array without axes, which might be changed under two names."""
    if isinstance(each, Input) or each.op.name == "item":
        return False
    if isinstance(each, Const) or each.op is shaping.getitem or each in found:
        return True
    ufunc = isinstance(each.op, Primitive) and isinstance(each.op.function, np.ufunc)
    return ufunc and not is_view(each)


def _bears(reader: Node, each: Node, reads: Mapping[Node, Sequence[Node]]) -> bool:
    """Whether what reads a value does the same with a Python float in its place."""
    op = reader.op
    if op in (e.where, *UPDATES):
        return True
    if not isinstance(op, Primitive) or not op.elementwise:
        return False
    if op.infix and op not in _MILD:
        return False
    if not op.infix:  # a ufunc, which makes double precision of it
        return reader.type.dtype == np.float64 and each.type.dtype == np.float64
    others = [arg for arg in reads[reader] if arg is not each]
    return any(not isinstance(arg, Const) and arg.op is not e.where for arg in others)
