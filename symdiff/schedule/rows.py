"""Short rows, many of them: one element of each of some rows at a time, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symdiff.schedule.loops import Access, AnyStep, Kernel, Load, Shape, Store, Tile, Total

_BLOCK = 64  # rows that are side by side
_LEAST = 16  # of what there are many
_LONG = 32  # elements from which a row is done by itself


def side_by_side(steps: Iterable[AnyStep]) -> Iterator[AnyStep]:
    """The steps, in which totals of short rows are made for many rows at a time."""
    for step in steps:
        if isinstance(step, Tile):
            body, rest = tuple(side_by_side(step.body)), tuple(side_by_side(step.rest))
            yield step._replace(body=body, rest=rest)
        elif isinstance(step, Kernel) and (axis := _rows(step)) is not None:
            yield from _blocks(step, axis)
        else:
            yield step


def _rows(kernel: Kernel) -> int | None:
    """The axis of many rows of a kernel that makes totals of short ones; None for any other."""
    last = len(kernel.shape) - 1
    if last < 1 or not 1 < kernel.shape[last] < _LONG or kernel.inner is not None:
        return None
    accesses = [each.access for each in kernel.values if isinstance(each, Load)]
    accesses += [each.access for each in kernel.sinks]
    in_order = any(isinstance(each, Store) and each.in_order for each in kernel.sinks)
    if in_order or any(each.indices for each in accesses):
        return None
    totals = [each for each in kernel.sinks if isinstance(each, Total) and last in each.axes]
    free = [
        axis for axis, extent in enumerate(kernel.shape[:last])
        if extent >= _LEAST and any(axis not in each.axes for each in totals)
    ]
    return max(free, key=lambda axis: kernel.shape[axis], default=None)


def _blocks(kernel: Kernel, axis: int) -> Iterator[Kernel]:
    """A kernel for whole blocks of rows, and one for the rest of them."""
    extent = kernel.shape[axis]
    whole = extent - extent % _BLOCK
    if whole:
        yield _Cut(kernel, axis, 0, (whole // _BLOCK, _BLOCK)).kernel(later=False)
    if whole < extent:
        yield _Cut(kernel, axis, whole, (extent - whole,)).kernel(later=whole > 0)


class _Cut:
    """A kernel for some of its rows, from one on: an axis of it becomes one or two."""

    def __init__(self, kernel: Kernel, axis: int, start: int, extents: Shape) -> None:
        self.whole, self.axis, self.start, self.extents = kernel, axis, start, extents

    def kernel(self, later: bool) -> Kernel:
        values = [
            each._replace(access=self.access(each.access)) if isinstance(each, Load) else each
            for each in self.whole.values
        ]
        sinks = [self.sink(each, later) for each in self.whole.sinks]
        shape = self.put(self.whole.shape, self.extents)
        inner = self.axis + len(self.extents) - 1
        return Kernel(shape, tuple(values), tuple(sinks), inner)

    def put(self, shape: Shape, extents: Shape) -> Shape:
        return (*shape[: self.axis], *extents, *shape[self.axis + 1 :])

    def access(self, access: Access) -> Access:
        own = access.strides[self.axis]
        strides = (own * self.extents[-1], own) if len(self.extents) == 2 else (own,)
        return access._replace(
            strides=self.put(access.strides, strides), offset=access.offset + own * self.start
        )

    def sink(self, sink: Store | Total, later: bool) -> Store | Total:
        sink = sink._replace(access=self.access(sink.access))
        if isinstance(sink, Store):
            return sink
        more = len(self.extents) - 1
        axes = [axis + more * (axis > self.axis) for axis in sink.axes]
        if self.axis in sink.axes:
            axes += range(self.axis + 1, self.axis + 1 + more)
        own = sink.access.tile and self.axis not in sink.axes  # starts with its own elements alone
        part = "later" if later and not own else sink.part
        return sink._replace(axes=tuple(sorted(axes)), part=part)
