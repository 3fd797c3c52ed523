"""Sweeps and products along one long axis, done a few rows at a time.

What they hand to each other stays in the cache then, and what they all read is read once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from symdiff.schedule.loops import (
    Access,
    AnyStep,
    Buffer,
    Kernel,
    Load,
    Matrix,
    Product,
    Shape,
    Store,
    Tile,
    Total,
    buffers_of,
)
from symdiff.schedule.values import contiguous

_FIRST, _SECOND = 1 << 15, 1 << 19  # bytes that a tile takes of the first, the second cache
_LEAST = 16  # rows of a tile
_SEEDS = 4  # products whose axes are tried
_PER_WHOLE = 1  # what a byte costs that each tile reads again
_PER_SUM = 2  # what a byte of a sum over the tiles costs, in bytes that are not moved


def tiled(steps: Sequence[AnyStep]) -> list[AnyStep]:
    """The steps, with those of the most rewarding axis in tiles, if any is worth it."""
    buffers = {each for step in steps for each in buffers_of(step)}
    if sum(each.bytes for each in buffers) <= 2 * _SECOND:
        return list(steps)
    products = [i for i, step in enumerate(steps) if isinstance(step, Product)]
    products.sort(key=lambda i: -sum(each.bytes for each in buffers_of(steps[i])))
    runs = [
        _Run(steps, i, axis)
        for i in products[:_SEEDS]
        for axis, extent in enumerate(_Layout(steps[i]).shape)
        if extent >= 4 * _LEAST
    ]
    best = max(runs, key=lambda each: each.gain, default=None)
    return best.steps() if best and best.gain > 0 else list(steps)


class _Part(NamedTuple):
    """How a step goes through a buffer along each of its axes."""

    buffer: Buffer
    strides: Shape
    offset: int
    written: bool


class _Layout:
    """The axes of a step and the buffers that it goes through; none of what has no tiles."""

    def __init__(self, step: AnyStep) -> None:
        self.shape: Shape = ()
        self.parts: list[_Part] = []
        self.summed: Shape = ()  # axes along which something is summed
        if isinstance(step, Product):
            self.of_product(step)
        elif isinstance(step, Kernel) and _is_plain(step):
            self.of_kernel(step)

    def of_product(self, step: Product) -> None:
        rows, columns, inner = step.sizes
        self.shape = (*step.batch, rows, columns, inner)
        self.summed = (len(step.batch) + 2,)
        left, right = step.left, step.right
        target = (*contiguous((*step.batch, rows, columns)), 0)
        self.parts = [
            _Part(left.buffer, (*left.batch, left.strides[0], 0, left.strides[1]), left.offset,
                  written=False),
            _Part(right.buffer, (*right.batch, 0, right.strides[1], right.strides[0]),
                  right.offset, written=False),
            _Part(step.target, target, 0, written=True),
        ]

    def of_kernel(self, step: Kernel) -> None:
        self.shape = step.shape
        loads = [each.access for each in step.values if isinstance(each, Load)]
        for accesses, written in ((loads, False), ([each.access for each in step.sinks], True)):
            self.parts += [
                _Part(each.buffer, each.strides, each.offset, written) for each in accesses
            ]
        self.summed = tuple(
            {axis for each in step.sinks if isinstance(each, Total) for axis in each.axes}
        )


def _is_plain(step: Kernel) -> bool:
    """Whether each element of what is written is written at one point, or summed."""
    accesses = [each.access for each in step.values if isinstance(each, Load)]
    accesses += [each.access for each in step.sinks]
    return 0 not in step.shape and not any(each.indices for each in accesses) and not any(
        (isinstance(each, Store) and each.adds) or (isinstance(each, Total) and each.part)
        for each in step.sinks
    )


class _Run:
    """The steps that share an axis with a product: which go in tiles, and what that saves."""

    def __init__(self, steps: Sequence[AnyStep], seed: int, axis: int) -> None:
        self.all = steps
        self.layouts = [_Layout(each) for each in steps]
        self.extent = self.layouts[seed].shape[axis]
        self.axes: dict[int, int] = {}  # of a step
        self.along: dict[Buffer, int] = {}  # the stride of a buffer; 0 where it has no such axis
        self.gain = 0
        if self.fits(seed, axis):
            self.assign(seed, axis)
            self.spread()
            self.order()

    # ------------------------------------------------------------------ which axis of each step

    def fits(self, i: int, axis: int) -> bool:
        """Whether an axis of a step goes with what is known of its buffers."""
        known = dict(self.along)
        for part in self.layouts[i].parts:
            stride = part.strides[axis]
            if part.buffer.storage != "in" and (
                known.setdefault(part.buffer, stride) != stride or not self.is_row(i, part, axis)
            ):
                return False
            if stride < 0 or (part.written and not stride and axis not in self.layouts[i].summed):
                return False
        return True

    def is_row(self, i: int, part: _Part, axis: int) -> bool:
        """Whether a part stays in one row of its buffer at each place along an axis."""
        own = part.strides[axis]
        if own <= 0:
            return not own
        pairs = list(zip(self.layouts[i].shape, part.strides, strict=True))
        reach = sum((extent - 1) * stride for extent, stride in pairs if abs(stride) < own)
        first = part.offset % (own * self.extent)
        whole = not part.buffer.size % (own * self.extent)
        return whole and all(stride >= 0 for _, stride in pairs) and first + reach < own

    def assign(self, i: int, axis: int) -> None:
        self.axes[i] = axis
        for part in self.layouts[i].parts:
            if part.buffer.storage != "in":
                self.along[part.buffer] = part.strides[axis]

    def spread(self) -> None:
        """Give an axis to all steps that have one by what they share, forth and back."""
        order = list(range(len(self.all)))
        for _ in range(2):
            for i in (*order, *reversed(order)):
                if i in self.axes:
                    continue
                shared = [each for each in self.layouts[i].parts if self.along.get(each.buffer)]
                axis = next(
                    (axis for axis, extent in enumerate(self.layouts[i].shape)
                     if extent == self.extent
                     and any(each.strides[axis] for each in shared) and self.fits(i, axis)),
                    None,
                )
                if axis is not None:
                    self.assign(i, axis)

    # ------------------------------------------------------------------ what is before and behind

    def order(self) -> None:
        """Which steps are in the run; the others go before it, or behind it."""
        self.before: list[int] = []
        self.inside: list[int] = []
        self.behind: list[int] = []
        self.sums: set[Buffer] = set()  # complete when the run is
        run_reads: set[Buffer] = set()
        run_writes: set[Buffer] = set()
        late_reads: set[Buffer] = set()
        late_writes: set[Buffer] = set()
        for i, step in enumerate(self.all):
            parts = self.layouts[i].parts
            writes = {each.buffer for each in parts if each.written} or set(buffers_of(step))
            reads = {each.buffer for each in parts if not each.written} or writes
            waits = (reads | writes) & late_writes or writes & late_reads
            if i in self.axes and not waits and not reads & self.sums:
                self.inside.append(i)
                run_reads |= reads
                run_writes |= writes
                if self.axes[i] in self.layouts[i].summed:
                    self.sums |= {each for each in writes if not self.along[each]}
            elif i not in self.axes and not waits and not (
                (reads | writes) & run_writes or writes & run_reads
            ):
                self.before.append(i)
            else:
                self.behind.append(i)
                late_reads |= reads
                late_writes |= writes
        self.weigh(run_writes - self.sums)

    def weigh(self, made: set[Buffer]) -> None:
        """Which buffers need the rows of a tile only, and what all that saves."""
        outside = {each for i in (*self.before, *self.behind) for each in buffers_of(self.all[i])}
        inner = [(i, part) for i in self.inside for part in self.layouts[i].parts]
        kept = outside | {part.buffer for i, part in inner if not self.is_movable(i, part)}
        self.locals = {each for each in made if each.storage == "work"} - kept
        for i in self.inside:
            step = self.all[i]
            if isinstance(step, Product) and step.target not in self.locals | self.sums and (
                math.prod(step.batch) != 1 or self.axes[i] != len(step.batch)
            ):
                return  # the rows of a tile do not lie together in its target
        shared = {part.buffer for i, part in inner if part.strides[self.axes[i]]} - self.locals
        reread = [
            each.bytes * (sum(part.buffer is each for _, part in inner) - 1) for each in shared
        ]
        self.row = sum(each.bytes for each in self.locals | shared) // self.extent
        gain = 2 * sum(each.bytes for each in self.locals) + sum(reread)
        if gain > _SECOND and len(self.inside) > 1:
            tiles = -(-self.extent // self.rows())
            gain -= _PER_SUM * sum(each.bytes for each in self.sums)
            whole = sum(each.bytes for each in self.whole_operands())
            self.gain = gain - _PER_WHOLE * whole * (tiles - 1)

    def whole_operands(self) -> set[Buffer]:
        """What products read all of in each tile: weights, where the tiles are rows of a batch."""
        return {
            part.buffer
            for i in self.inside
            if isinstance(self.all[i], Product)
            for part in self.layouts[i].parts
            if not (part.written or part.strides[self.axes[i]])
        }

    def is_movable(self, i: int, part: _Part) -> bool:
        """Whether the strides of a part can be those in a buffer of fewer rows."""
        own = part.strides[self.axes[i]]
        return bool(own) and not part.offset and all(
            0 <= each <= own or not each % (own * self.extent) for each in part.strides
        )

    # ------------------------------------------------------------------ the steps of a tile

    def steps(self) -> list[AnyStep]:
        rows = self.rows()
        bodies = [
            _Body(self, each) for each in (rows, self.extent % rows) if each
        ]
        made = [[body.step(i) for i in self.inside] for body in bodies]
        names = tuple([each for body in bodies for each in body.buffers.values()])
        tile = Tile(self.extent, rows, tuple(made[0]), tuple(made[1]) if made[1:] else (), names,
                    Buffer(np.dtype(np.uint8), 0, "work"))
        return [*(self.all[i] for i in self.before), tile, *(self.all[i] for i in self.behind)]

    def rows(self) -> int:
        """How many rows a tile has: as many as the cache takes, if possible without a rest."""
        steps = [self.all[i] for i in self.inside]
        matrices = any(isinstance(each, Product) and min(each.sizes[:2]) > 1 for each in steps)
        fit = (_SECOND if matrices else _FIRST) // max(self.row, 1)
        most = min(max(fit // _LEAST * _LEAST, _LEAST), self.extent)
        near = range(max(most // 2, _LEAST), 3 * most // 2)
        even = [each for each in near if not self.extent % each]
        return min(even, key=lambda each: abs(each - most), default=most)


class _Body:
    """The steps of a run for so many rows."""

    def __init__(self, run: _Run, rows: int) -> None:
        self.run, self.rows = run, rows
        self.buffers = {
            each: Buffer(each.dtype, each.size // run.extent * rows, "work")
            for i in run.inside for each in buffers_of(run.all[i]) if each in run.locals
        }

    def step(self, i: int) -> AnyStep:
        step, axis = self.run.all[i], self.run.axes[i]
        if isinstance(step, Product):
            return self.product(step, axis)
        assert isinstance(step, Kernel)
        values = [
            each._replace(access=self.access(each.access, axis)) if isinstance(each, Load) else each
            for each in step.values
        ]
        sinks: list[Store | Total] = []
        for sink in step.sinks:
            if isinstance(sink, Total) and axis in sink.axes:
                sink = sink._replace(part="tile")
            sinks.append(sink._replace(access=self.access(sink.access, axis)))
        return Kernel(self.cut(step.shape, axis), tuple(values), tuple(sinks))

    def cut(self, shape: Shape, axis: int) -> Shape:
        return (*shape[:axis], self.rows, *shape[axis + 1 :])

    def access(self, access: Access, axis: int) -> Access:
        own = access.strides[axis]
        if access.buffer not in self.buffers:
            return access._replace(tile=own)
        return access._replace(
            buffer=self.buffers[access.buffer], strides=tuple(self.moved(access.strides, own))
        )

    def moved(self, strides: Shape, own: int) -> Iterator[int]:
        """Strides in a buffer of fewer rows."""
        for each in strides:
            yield each if each <= own else each // self.run.extent * self.rows

    def product(self, step: Product, axis: int) -> Product:
        shape = self.cut((*step.batch, *step.sizes), axis)
        lead = len(step.batch)
        sums = axis == lead + 2
        local = step.target in self.buffers
        return Product(
            self.buffers.get(step.target, step.target), shape[:lead], shape[lead:],  # type: ignore[arg-type]
            self.matrix(step.left, axis, lead, (lead, lead + 2)),
            self.matrix(step.right, axis, lead, (lead + 2, lead + 1)),
            adds=sums, tile=0 if local or sums else self.run.along[step.target],
        )

    def matrix(self, own: Matrix, axis: int, lead: int, axes: tuple[int, int]) -> Matrix:
        places = (*range(lead), *axes)
        strides = (*own.batch, *own.strides)
        along = strides[places.index(axis)] if axis in places else 0
        if own.buffer not in self.buffers:
            return own._replace(tile=along)
        found = tuple(self.moved(strides, along))
        return own._replace(
            buffer=self.buffers[own.buffer], batch=found[:lead], strides=(found[-2], found[-1])
        )
