"""The scheduled form of a graph for C: loops over index spaces, and the memory between them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.types import ArrayType
from symdiff.ops.c_forms import weight
from symdiff.ops.primitive import Fold

Shape = tuple[int, ...]
C_TYPES = {
    np.dtype(bool): "_Bool",
    np.dtype(np.float64): "double",
    np.dtype(np.float32): "float",
    **{
        np.dtype(f"{sign}int{bits}"): f"{sign}int{bits}_t"
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
ALIGNMENT = 64
HANDLE = np.dtype(np.uint64)  # two of them are a list: the address of its rows, their distance


class Buffer:
    """Memory that holds a value, contiguous: an argument, a constant, a result, or in between."""

    __slots__ = ("dtype", "place", "size", "storage")

    def __init__(self, dtype: np.dtype[Any], size: int, storage: str, place: int = 0) -> None:
        self.dtype = dtype
        self.size = size
        self.storage = storage  # "in", "out" or "work"
        self.place = place  # number of the argument or result, offset in the work space

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.itemsize


class Access(NamedTuple):
    """An element of a buffer for each point of an index space: strides in elements."""

    buffer: Buffer
    strides: Shape
    offset: int
    # of a gather or scatter: index values, times a stride, within an extent
    indices: tuple[tuple[Access, int, int], ...] = ()
    tile: int = 0  # the stride of the row at which a tile starts


class Load(NamedTuple):
    """A value read from memory."""

    access: Access
    dtype: np.dtype[Any]


class Step(NamedTuple):
    """A value computed from atoms: `{0}`, `{1}` in the text are operands, numbers of values."""

    text: str
    operands: tuple[int, ...]
    dtype: np.dtype[Any]
    calls: bool


class Store(NamedTuple):
    """A value written to memory, or added to what is there."""

    access: Access
    value: int
    adds: bool = False
    in_order: bool = False  # two points may have one place


class Total(NamedTuple):
    """A value folded over some axes of the space, whose strides in the target are 0.

    `part` is "first" or "later" where several kernels have a part in it, "tile" where tiles have.
    """

    access: Access
    value: int
    axes: Shape
    fold: Fold
    part: str = ""


class Kernel(NamedTuple):
    """One sweep over an index space: values, in order, and where they go."""

    shape: Shape
    values: tuple[Load | Step, ...]
    sinks: tuple[Store | Total, ...]
    inner: int | None = None  # the axis whose elements are side by side, where that is decided


class Move(NamedTuple):
    """Elements that lie together, copied from an offset in a buffer to one in another."""

    target: Buffer
    place: int
    source: Buffer
    offset: int
    size: int


class Matrix(NamedTuple):
    """A factor: strides along batches, rows and columns."""

    buffer: Buffer
    batch: Shape
    strides: tuple[int, int]
    offset: int
    tile: int = 0  # the stride of the row at which a tile starts


class Product(NamedTuple):
    """`target = left @ right`, for all of a batch; the target is contiguous."""

    target: Buffer
    batch: Shape
    sizes: tuple[int, int, int]  # rows, columns, and what is summed over
    left: Matrix
    right: Matrix
    adds: bool = False  # to what the tiles before have left there
    tile: int = 0  # the stride in the target of the row at which a tile starts


class Operand(NamedTuple):
    """What a function is called with: an address for each of a batch."""

    buffer: Buffer
    batch: Shape  # strides
    offset: int


class Call(NamedTuple):
    """A C function called for each of a batch: on arrays, results, numbers, and memory."""

    function: str
    batch: Shape
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    numbers: tuple[int, ...]
    work: Buffer | None
    operations: int


class Check(NamedTuple):
    """The program ends here, with a status, unless all indices are within an extent."""

    buffer: Buffer
    extent: int


class Decided(NamedTuple):
    """The program ends here, with another status, unless a truth value is what it was made for."""

    buffer: Buffer


class Repeat(NamedTuple):
    """A program that is run again and again, on what it was the time before.

    It takes the index, what is `given`, what is carried, its rows, and its constants; it gives what
    is carried and what is collected. What is carried changes between two buffers, of which the
    first has it in the end. Where the number of trips is not known before, rows are those of lists,
    and what is collected goes into one.
    """

    body: Loops
    test: Loops | None
    trips: int | None
    counter: Buffer | None  # holds their number, where that is not known before
    indices: tuple[int, int, bool]  # start, step, whether from the end
    given: tuple[Buffer, ...]
    starts: tuple[Buffer, ...]
    carried: tuple[tuple[Buffer, Buffer], ...]
    rows: tuple[Buffer, ...]
    collected: tuple[Buffer, ...]
    constants: tuple[Buffer, ...]
    test_constants: tuple[Buffer, ...]
    done: Buffer | None  # takes the number of trips
    work: Buffer

    @property
    def lists(self) -> bool:
        """Whether it makes lists."""
        return self.trips is None and bool(self.collected)


class Branch(NamedTuple):
    """One of two programs on the same arguments, the first where `taken` is true."""

    taken: Buffer
    sides: tuple[Loops, Loops]
    given: tuple[Buffer, ...]
    constants: tuple[tuple[Buffer, ...], tuple[Buffer, ...]]
    results: tuple[Buffer, ...]
    work: Buffer


class Tile(NamedTuple):
    """Steps that are done for some rows after the other, and for the rest of them.

    The buffers of a tile are its own, in its part of the work space.
    """

    extent: int
    rows: int
    body: tuple[AnyStep, ...]
    rest: tuple[AnyStep, ...]
    buffers: tuple[Buffer, ...]
    work: Buffer


AnyStep = Tile | Kernel | Move | Product | Call | Check | Decided | Repeat | Branch


class Loops(NamedTuple):
    """A program of loops: its steps in order, on numbered arguments and results."""

    steps: tuple[AnyStep, ...]
    arguments: tuple[ArrayType, ...]
    constants: tuple[Any, ...]  # arrays that stand behind the arguments
    results: tuple[ArrayType, ...]
    work: int  # bytes
    operations: int  # roughly



def inside(step: AnyStep) -> tuple[Loops, ...]:
    """The programs in a step."""
    if isinstance(step, Repeat):
        return (step.body, *([step.test] if step.test else []))
    return step.sides if isinstance(step, Branch) else ()


def every_step(program: Loops) -> Iterator[AnyStep]:
    """The steps of a program, and of all that are in them."""
    waiting = [program]
    while waiting:
        for step in waiting.pop().steps:
            yield step
            waiting += inside(step)


# ---------------------------------------------------------------------------- memory


def buffers_of(step: AnyStep) -> list[Buffer]:
    """The buffers that a step reads or writes, in order, each once."""
    if isinstance(step, Tile):
        inner = [each for own in (*step.body, *step.rest) for each in buffers_of(own)]
        found = [each for each in inner if each not in step.buffers] + [step.work]
    elif isinstance(step, Product):
        found = [step.left.buffer, step.right.buffer, step.target]
    elif isinstance(step, Call):
        found = [each.buffer for each in (*step.operands, *step.results)]
        found += [step.work] if step.work else []
    elif isinstance(step, (Check, Decided)):
        found = [step.buffer]
    elif isinstance(step, Move):
        found = [step.source, step.target]
    elif isinstance(step, Repeat):
        both = [each for pair in step.carried for each in pair]
        found = [*step.given, *step.starts, *both, *step.rows, *step.collected, *step.constants,
                 *step.test_constants, step.work]
        found += [each for each in (step.counter, step.done) if each is not None]
    elif isinstance(step, Branch):
        first, second = step.constants
        found = [step.taken, *step.given, *first, *second, *step.results, step.work]
    else:
        accesses = [each.access for each in step.values if isinstance(each, Load)]
        accesses += [each.access for each in step.sinks]
        indices = [index for each in accesses for index, _, _ in each.indices]
        found = [each.buffer for each in (*accesses, *indices)]
    return list(dict.fromkeys(found))


def plan(steps: Sequence[AnyStep], among: Collection[Buffer] | None = None) -> int:
    """Places in the work space for what lives there; buffers that are not alive together share.

    Gives its size in bytes. With `among` it is for these buffers only.
    """
    tiles = [each for each in steps if isinstance(each, Tile)]
    for tile in tiles:
        tile.work.size = max(plan(own, tile.buffers) for own in (tile.body, tile.rest))
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for i, step in enumerate(steps):
        for each in buffers_of(step):
            if each.storage == "work" and (among is None or each in among):
                first.setdefault(each, i)
                last[each] = i
    ends: dict[int, list[Buffer]] = {}
    starts: dict[int, list[Buffer]] = {}
    for each, i in first.items():
        starts.setdefault(i, []).append(each)
        ends.setdefault(last[each], []).append(each)
    free: list[tuple[int, int]] = []  # size and place
    top = 0
    for i in range(len(steps)):
        for each in starts.get(i, ()):
            size = _aligned(each.bytes)
            fitting = min((gap for gap in free if gap[0] >= size), default=None)
            if fitting is None:
                each.place, top = top, top + size
            else:
                free.remove(fitting)
                each.place = fitting[1]
                if fitting[0] > size:
                    free.append((fitting[0] - size, fitting[1] + size))
        free += [(_aligned(each.bytes), each.place) for each in ends.get(i, ())]
    for tile in tiles:
        for each in tile.buffers:
            each.place += tile.work.place
    return top


def _aligned(size: int) -> int:
    return max(-(-size // ALIGNMENT), 1) * ALIGNMENT


def operations(step: AnyStep) -> int:
    """Roughly what a step costs, in additions."""
    if isinstance(step, Tile):
        return step.extent // step.rows * sum(map(operations, step.body))
    if isinstance(step, Product):
        return 2 * math.prod(step.sizes) * math.prod(step.batch)
    if isinstance(step, Call):
        return step.operations
    if isinstance(step, (Check, Decided)):
        return step.buffer.size
    if isinstance(step, Move):
        return step.size
    if isinstance(step, Repeat):
        return (step.trips or 100) * step.body.operations
    if isinstance(step, Branch):
        return max(each.operations for each in step.sides)
    weights = [weight(each.text) + 1 for each in step.values if isinstance(each, Step)]
    return math.prod(step.shape) * (sum(weights) + len(step.values) + len(step.sinks))
