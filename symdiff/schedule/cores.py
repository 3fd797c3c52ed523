"""Functions of whole arrays, called for each of a batch: their extents, operands and results."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from symdiff.ops.primitive import Core
from symdiff.schedule.loops import Buffer, Call, Operand, Shape
from symdiff.schedule.values import Value, View, contiguous, memory, spread

_PART = re.compile(r"\(([^)]*)\)")


class Extents(NamedTuple):
    """What a signature comes to: the core of each operand and result, the batch, the letters."""

    operands: tuple[Shape, ...]
    results: tuple[Shape, ...]
    batch: Shape
    letters: tuple[int, ...]


def extents_of(core: Core, operands: Sequence[Shape], result: Shape | None) -> Extents:
    """The extents of a call. Those that no operand has are of the result, where it is one array."""
    given, _, made = core.signature.partition("->")
    inputs = [part.split(",") if part else [] for part in _PART.findall(given)]
    outputs = [part.split(",") if part else [] for part in _PART.findall(made)]
    pairs = list(zip(inputs, operands, strict=True))
    if result is not None:
        pairs.append((outputs[0], result))
    known: dict[str, int] = {}
    for names, shape in pairs:
        for name, extent in zip(names, shape[len(shape) - len(names) :], strict=True):
            if known.setdefault(name, int(name) if name.isdigit() else extent) != extent:
                raise ValueError(f"{core.function}: extents of {shape} are not {names}")
    batch = np.broadcast_shapes(
        *(shape[: len(shape) - len(names)] for names, shape in zip(inputs, operands, strict=True))
    )
    return Extents(
        tuple([tuple([known[name] for name in names]) for names in inputs]),
        tuple([tuple([known[name] for name in names]) for names in outputs]),
        batch,
        tuple([extent for name, extent in known.items() if not name.isdigit()]),
    )


def lies_together(view: View, core: Shape) -> bool:
    """Whether a view is in memory, the elements of each core in order."""
    strides = view.strides[len(view.strides) - len(core) :]
    own = [(n, s) for n, s in zip(core, strides, strict=True) if n != 1]
    expected = contiguous(tuple([n for n, _ in own]))
    return not view.indices and (0 in core or tuple([s for _, s in own]) == expected)


def call_of(
    core: Core, extents: Extents, operands: Sequence[View], results: Sequence[Value], work: Buffer
) -> Call:
    """The call of a function on these operands."""
    return Call(
        core.function,
        extents.batch,
        tuple([_operand(view, own, extents.batch)
               for view, own in zip(operands, extents.operands, strict=True)]),
        tuple([_result(value, own, extents.batch)
               for value, own in zip(results, extents.results, strict=True)]),
        (*extents.letters, *core.numbers),
        None if core.work is None else work,
        16 * math.prod(extents.batch) * max(map(math.prod, extents.operands), default=1),
    )


def _operand(view: View, core: Shape, batch: Shape) -> Operand:
    whole = spread(view, batch + core)
    return Operand(memory(view.value), whole.strides[: len(batch)], view.offset)


def _result(value: Value, core: Shape, batch: Shape) -> Operand:
    strides = contiguous(batch + core)[: len(batch)]
    return Operand(memory(value), strides, 0)
