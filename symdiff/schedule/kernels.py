"""Values grouped into kernels: one sweep over one index space each.

What has the same number of elements along each axis is computed in one sweep, as early as its
operands allow. A few cheap operations are repeated where they are read, instead of stored.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from symdiff.ops.c_forms import INLINE, called
from symdiff.schedule.loops import (
    Access,
    AnyStep,
    Check,
    Kernel,
    Load,
    Matrix,
    Move,
    Product,
    Shape,
    Step,
    Store,
    Total,
)
from symdiff.schedule.pieces import MOST, Box, Pull, Term, borders, count, pieces
from symdiff.schedule.values import Placed, Value, View, contiguous, memory, squeezed

_MOST_STEPS, _MOST_SINKS = 96, 8  # of one kernel


def steps_of(values: Sequence[Value]) -> list[AnyStep]:
    """The steps that compute these values, which are given operands first."""
    steps: list[AnyStep] = []
    for group in _Grouping(values).groups:
        for step in group.steps():
            moves = _moves(step) if isinstance(step, Kernel) else None
            steps += [step] if moves is None else moves
    return steps


def _moves(kernel: Kernel) -> list[Move] | None:
    """A kernel that does nothing but copy what lies together; None for any other."""
    size = math.prod(kernel.shape)
    order = contiguous(kernel.shape)
    found = []
    for each in kernel.sinks:
        own = kernel.values[each.value]
        if isinstance(each, Total) or each.adds or not isinstance(own, Load) or size < 2:
            return None
        if any(access.strides != order or access.indices for access in (own.access, each.access)):
            return None
        source, target = own.access, each.access
        found.append(Move(target.buffer, target.offset, source.buffer, source.offset, size))
    return found


# ---------------------------------------------------------------------------- grouping


class _Group:
    """Steps that are done together: one sweep, one product, or one check.

    A sweep goes through one space, and has members that are done in a box of it: of each shape at
    one place.
    """

    def __init__(self, number: int, space: Shape | None) -> None:
        self.number = number
        self.space = space
        self.anchors = {} if space is None else {space: (0,) * len(space)}
        self.boxes: set[Box] = set()
        self.members: list[tuple[Value, Placed | None]] = []
        self.sinks = 0

    def fits(self, sink: bool, boxes: Iterable[Box] = ()) -> bool:
        few = len(self.members) < _MOST_STEPS and self.sinks + sink <= _MOST_SINKS
        assert self.space is not None
        return few and count(borders(self.space, (*self.boxes, *boxes))) <= MOST

    def box(self, shape: Shape) -> Box:
        """Where members of a shape are done."""
        pairs = zip(self.anchors[shape], shape, strict=True)
        return tuple([(start, start + extent) for start, extent in pairs])

    def grows(self, shape: Shape, start: Shape, space: Shape, boxes: Sequence[Box]) -> bool:
        """Whether it goes through this shape alone, and can go through a larger space."""
        own = _box(shape, start)
        few = len(self.members) < _MOST_STEPS and self.sinks < _MOST_SINKS
        return list(self.anchors) == [shape] and few and (
            count(borders(space, (own, *boxes))) <= MOST)

    def grow(self, space: Shape, start: Shape) -> None:
        """Go through a larger space, in which all so far starts at a point."""
        assert self.space is not None
        self.boxes = {
            tuple([(at + first, at + last) for at, (first, last) in zip(start, box, strict=True)])
            for box in (*self.boxes, self.box(self.space))
        }
        self.anchors = {
            shape: tuple([a + b for a, b in zip(start, own, strict=True)])
            for shape, own in self.anchors.items()
        }
        self.space, self.anchors[space] = space, (0,) * len(space)

    def steps(self) -> Iterable[AnyStep]:
        if self.space is not None:
            return _Emission(self).kernels()
        value, _ = self.members[0]
        if value.step_of is not None:
            return [value.step_of()]
        first, *others = value.views
        if value.kind == "check":
            assert first.value.buffer is not None
            return [Check(first.value.buffer, value.shape[0])]
        return [_product(value, first, others[0])]


class _Grouping:
    """Puts each value into the first group that its operands allow."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.groups: list[_Group] = []
        self.kernels: dict[Shape, list[_Group]] = {}  # those with members of a shape, in order
        for value in values:
            self.add(value)
        self.settle()

    def add(self, value: Value) -> None:
        if value.kind in ("product", "check", "region"):
            group = self.append(None)
            group.members.append((value, None))
            for view in value.views:
                view.value.stored = True
            for each in (value, *value.results):
                each.step = group.number
            return
        if value.kind == "parts":
            for part in value.parts:
                low = self.ready([part.source])
                low = max([low, *(check.step + 1 for view, _, _ in part.place.indices
                                  for check in view.value.checks)])
                if not part.apart:
                    low = max(low, value.step + 1)
                value.step = max(value.step, self.join(value, part, part.source.shape, low))
            return
        if value.terms:
            value.step = self.join_terms(value)
            return
        space = value.shape if value.kind == "map" else next(value.views).shape
        value.step = self.join(value, None, space, self.ready(list(value.views)))

    def ready(self, views: Sequence[View], at_point: bool = True) -> int:
        """The first group in which these can be read, by what is at their points or not."""
        low = 0
        for view in views:
            own = view.value
            for index, _, _ in view.indices:
                low = max([low, *(check.step + 1 for check in index.value.checks)])
            if view.after is not None:
                low = max(low, view.after.step + 1)
            found = [own.step] if own.kind == "map" and view.whole and at_point else []
            if inlinable(view):
                found.append(max([leaf.step + 1 for leaf in own.leaves], default=0))
            low = max(low, min(found, default=own.step + 1))
        return low

    def join(self, value: Value, part: Placed | None, shape: Shape, low: int) -> int:
        space = squeezed(shape)
        known = self.kernels.setdefault(space, [])
        sink = value.kind != "map" or value.stored
        first = bisect_left(known, low, key=lambda each: each.number)
        group = next((each for each in islice(known, first, None) if each.fits(sink)), None)
        if group is None:
            group = self.append(space)
            known.append(group)
        return self.joined(group, value, part, sink)

    def join_terms(self, value: Value) -> int:
        """Join a sweep, or one through the first part of the value, which goes on to all of it."""
        space = squeezed(value.shape)
        boxes = [_squeezed_box(each.box, value.shape) for each in value.terms]
        base, part = value.terms[0].source, _anchor(value)
        low = max(
            self.ready([base], at_point=base.shape == value.shape),
            self.ready([each.source for each in value.terms[1:]], at_point=False),
        )
        known = self.kernels.setdefault(space, [])
        first = bisect_left(known, low, key=lambda each: each.number)
        whole = (each for each in islice(known, first, None)
                 if each.space == space and each.fits(value.stored, boxes))
        parts = (each for each in self.kernels.get(part[0], ())
                 if each.number >= low and each.grows(*part, space, boxes)) if part else ()
        found = [each for each in (next(iter(parts), None), next(whole, None)) if each]
        group = min(found, key=lambda each: each.number, default=None) or self.append(space)
        if part and group.space != space:
            group.grow(space, part[1])
        if group not in known:
            insort(known, group, key=lambda each: each.number)
        group.boxes.update(boxes)
        if part and part[0] not in group.anchors and group.fits(False, [_box(*part)]):
            group.anchors[part[0]] = part[1]
            insort(self.kernels.setdefault(part[0], []), group, key=lambda each: each.number)
        return self.joined(group, value, None, value.stored)

    def joined(self, group: _Group, value: Value, part: Placed | None, sink: bool) -> int:
        group.members.append((value, part))
        group.sinks += sink
        return group.number

    def append(self, space: Shape | None) -> _Group:
        self.groups.append(_Group(len(self.groups), space))
        return self.groups[-1]

    def settle(self) -> None:
        """Decide which values are stored: those read elsewhere that are not computed again."""
        for group in self.groups:
            for value, part in group.members:
                views = [part.source] if part else value.views
                reads = [(each, True) for each in views]
                reads += [(each.source, each.source.shape == value.shape) for each in value.terms]
                for view, at_point in reads:
                    own = view.value
                    here = own.step == group.number and view.whole and at_point
                    if own.kind != "map" or here:
                        continue
                    before = own.step < group.number  # else it is computed again: see `ready`
                    if before and (own.stored or not inlinable(view)):
                        own.stored = True
                    else:
                        for leaf in own.leaves:
                            leaf.stored = True


def _anchor(value: Value) -> tuple[Shape, Shape] | None:
    """The first part of a value whose elements gather terms: its shape, and where it starts."""
    kept = [i for i, extent in enumerate(value.shape) if extent != 1]
    for each in value.terms:
        shape = tuple([each.source.shape[i] for i in kept])
        if each.source.shape != value.shape and 1 not in shape:
            return shape, tuple([each.start[i] for i in kept])
    return None


def _box(shape: Shape, start: Shape) -> Box:
    return tuple([(at, at + extent) for extent, at in zip(shape, start, strict=True)])


def _squeezed_box(box: Box, shape: Shape) -> Box:
    """A box of a shape, by the axes along which there is more than one element."""
    return tuple([ends for ends, extent in zip(box, shape, strict=True) if extent != 1])


def inlinable(view: View) -> bool:
    """Whether what is viewed can be computed again where it is read."""
    own = view.value
    if not own.cheap or view.indices:
        return False
    through = through_axes(view)
    return through is not None and all(
        each.value.kind != "map" or not each.value.cheap or inlinable(_composed(each, through))
        for each in own.views
    )


class _Through(NamedTuple):
    """For each axis of a value the index in it: factors of the indices of a view, and a number."""

    shape: Shape
    factors: tuple[Shape, ...]
    offsets: Shape


def through_axes(view: View) -> _Through | None:
    """How a view goes through its value; None where that is not along its axes."""
    shape = view.value.shape
    if 0 in shape or 0 in view.shape:
        return None
    strides = contiguous(shape)
    factors = [[0] * len(view.shape) for _ in shape]
    for axis, (extent, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
        if extent == 1 or not stride:
            continue
        own = next(
            (i for i, s in enumerate(strides)
             if not stride % s and abs(stride) // s * (extent - 1) < shape[i]),
            None,
        )
        if own is None:
            return None
        factors[own][axis] = stride // strides[own]
    offsets, rest = [], view.offset
    for stride in strides:
        offsets.append(rest // stride)
        rest -= offsets[-1] * stride
    for each, offset, extent in zip(factors, offsets, shape, strict=True):
        steps = [factor * (n - 1) for factor, n in zip(each, view.shape, strict=True)]
        if offset + sum(min(each, 0) for each in steps) < 0 or (
            offset + sum(max(each, 0) for each in steps) >= extent
        ):
            return None
    return _Through(view.shape, tuple(map(tuple, factors)), tuple(offsets))


def _composed(inner: View, through: _Through) -> View:
    """An operand of a value, as seen by what sees the value through this."""
    strides = tuple(
        [sum(s * own[axis] for s, own in zip(inner.strides, through.factors, strict=True))
         for axis in range(len(through.shape))]
    )
    offset = sum(s * n for s, n in zip(inner.strides, through.offsets, strict=True))
    return inner.along(through.shape, strides, offset)


# ---------------------------------------------------------------------------- groups as kernels


class _Frame(NamedTuple):
    """Which axes of what is read are those of a sweep, and where it starts in that."""

    axes: Shape
    start: Shape


class _Emission:
    """The values of one sweep, each once, and where they go."""

    def __init__(self, group: _Group) -> None:
        assert group.space is not None
        self.group = group
        self.space = group.space
        self.values: list[Load | Step | Pull] = []
        self.known: dict[Any, int] = {}
        self.sinks: list[tuple[Box, Store | Total]] = []

    def kernels(self) -> Iterable[Kernel]:
        for value, part in self.group.members:
            if part is not None:
                self.store(part)
            elif value.kind == "total":
                self.fold(value)
            elif value.stored:
                frame = self.frame(value.shape)
                number = self.computed(value, None, frame)
                own = View(value, value.shape, contiguous(value.shape), 0)
                self.sink(value.shape, Store(self.access(own, frame), number))
        return pieces(self.space, self.values, self.sinks)

    def frame(self, shape: Shape) -> _Frame:
        """Of members of a shape."""
        axes = tuple([i for i, extent in enumerate(shape) if extent != 1])
        return _Frame(axes, self.group.anchors[squeezed(shape)])

    def sink(self, shape: Shape, sink: Store | Total) -> None:
        self.sinks.append((self.group.box(squeezed(shape)), sink))

    def store(self, part: Placed) -> None:
        frame = self.frame(part.source.shape)
        number = self.read(part.source, frame)
        access = self.access(part.place, frame)
        self.sink(part.source.shape, Store(access, number, part.adds, bool(part.place.indices)))

    def fold(self, value: Value) -> None:
        assert value.fold is not None
        fold, axes = value.fold
        own = next(value.views)
        frame = self.frame(own.shape)
        number = self.read(own, frame)
        kept = [i for i in frame.axes if i not in axes]
        strides = dict(zip(kept, contiguous(tuple([own.shape[i] for i in kept])), strict=True))
        target = View(value, own.shape, tuple(strides.get(i, 0) for i in range(len(own.shape))), 0)
        reduced = tuple([at for at, i in enumerate(frame.axes) if i in axes])
        self.sink(own.shape, Total(self.access(target, frame), number, reduced, fold))

    def access(self, view: View, frame: _Frame) -> Access:
        strides = tuple([view.strides[i] if view.shape[i] != 1 else 0 for i in frame.axes])
        indices = tuple(
            [(self.access(index, frame), *rest) for index, *rest in view.indices]
        )
        before = sum(stride * at for stride, at in zip(strides, frame.start, strict=True))
        return Access(memory(view.value), strides, view.offset - before, indices)  # type: ignore[arg-type]

    def read(self, view: View, frame: _Frame) -> int:
        """The number of the value that a view has at a point."""
        own = view.value
        here = own.step == self.group.number or not own.stored
        if own.kind == "map" and here and view.whole and self.is_at_point(own, view, frame):
            return self.computed(own, None, self.frame(own.shape))
        if own.stored and (own.kind != "map" or own.step < self.group.number):
            load = Load(self.access(view, frame), own.dtype)
            return self.numbered(load, load)
        through = through_axes(view)
        assert through is not None
        return self.computed(own, through, frame)

    def is_at_point(self, own: Value, view: View, frame: _Frame) -> bool:
        """Whether the elements of a value are read where members of its shape are done."""
        shape = squeezed(own.shape)
        same = tuple([view.shape[i] for i in frame.axes]) == shape == squeezed(view.shape)
        return same and self.group.anchors.get(shape) == frame.start

    def computed(self, value: Value, through: _Through | None, frame: _Frame) -> int:
        """The number of a value computed here, at a point or where something goes through it."""
        key = value, _place(value, through, frame)
        if key in self.known:
            return self.known[key]
        if value.terms:
            return self.numbered(key, self.pull(value, frame))
        operands = [
            each if isinstance(each, str)
            else self.read(each if through is None else _composed(each, through), frame)
            for each in value.operands
        ]
        # literals are in the text: operands are numbered as they stand
        numbers = tuple([each if isinstance(each, int) else -1 for each in operands])
        form = value.form
        for i, each in enumerate(operands):
            if isinstance(each, str):
                form = form.replace(f"{{{i}}}", each)
        if form == "{0}" and self.values[numbers[0]].dtype == value.dtype:
            self.known[key] = numbers[0]  # a copy
            return numbers[0]
        step = Step(form, numbers, value.dtype, value.calls and bool(_slow(form)))
        return self.numbered(key, step)

    def pull(self, value: Value, frame: _Frame) -> Pull:
        """The terms of a value, each in its box."""
        found = []
        for each in value.terms:
            start = [at + each.start[i] for i, at in zip(frame.axes, frame.start, strict=True)]
            own = _Frame(frame.axes, tuple(start))
            number = self.read(each.source, own)
            box = _box(tuple([each.source.shape[i] for i in frame.axes]), own.start)
            found.append(Term(box, number, each.adds))
        return Pull(tuple(found), value.dtype)

    def numbered(self, key: Any, made: Load | Step | Pull) -> int:
        if key not in self.known:
            self.known[key] = len(self.values)
            self.values.append(made)
        return self.known[key]


def _place(value: Value, through: _Through | None, frame: _Frame) -> Any:
    """Where in a value a point of the sweep is: factors and a number for each of its axes."""
    rows = []
    for axis in range(len(value.shape)):
        if through is None:
            factors = tuple([int(i == axis) for i in frame.axes])
            offset = 0
        else:
            factors = tuple([through.factors[axis][i] for i in frame.axes])
            offset = through.offsets[axis]
        before = sum(factor * at for factor, at in zip(factors, frame.start, strict=True))
        rows.append((factors, offset - before))
    return tuple(rows)


def _slow(form: str) -> list[str]:
    return [each for each in called(form) if each not in INLINE]


def _product(value: Value, left: View, right: View) -> Product:
    batch = value.shape[:-2]
    sizes = (*value.shape[-2:], left.shape[-1])
    return Product(memory(value), batch, sizes, _matrix(left), _matrix(right))  # type: ignore[arg-type]


def _matrix(view: View) -> Matrix:
    down, right = view.strides[-2:]
    return Matrix(memory(view.value), view.strides[:-2], (down, right), view.offset)


