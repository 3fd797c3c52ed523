"""Values grouped into kernels: one sweep over one index space each.

What has the same number of elements along each axis is computed in one sweep, as early as its
operands allow. A few cheap operations are repeated where they are read, instead of stored.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
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
from symdiff.schedule.values import Placed, Value, View, contiguous, memory, squeezed

_MOST_STEPS, _MOST_SINKS = 96, 8  # of one kernel


def steps_of(values: Sequence[Value]) -> list[AnyStep]:
    """The steps that compute these values, which are given operands first."""
    steps: list[AnyStep] = []
    for group in _Grouping(values).groups:
        step = group.step()
        moves = _moves(step) if isinstance(step, Kernel) else None
        if moves is not None:
            steps += moves
        elif not isinstance(step, Kernel) or step.sinks:
            steps.append(step)
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
    """Steps that are done together: one kernel, one product, or one check."""

    def __init__(self, number: int, space: Shape | None) -> None:
        self.number = number
        self.space = space
        self.members: list[tuple[Value, Placed | None]] = []
        self.sinks = 0

    def fits(self, sink: bool) -> bool:
        return len(self.members) < _MOST_STEPS and self.sinks + sink <= _MOST_SINKS

    def step(self) -> AnyStep:
        if self.space is not None:
            return _Emission(self).kernel()
        value, _ = self.members[0]
        if value.step_of is not None:
            return value.step_of()
        first, *others = value.views
        if value.kind == "check":
            assert first.value.buffer is not None
            return Check(first.value.buffer, value.shape[0])
        return _product(value, first, others[0])


class _Grouping:
    """Puts each value into the first group that its operands allow."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.groups: list[_Group] = []
        self.kernels: dict[Shape, list[_Group]] = {}
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
        space = value.shape if value.kind == "map" else next(value.views).shape
        value.step = self.join(value, None, space, self.ready(list(value.views)))

    def ready(self, views: Sequence[View]) -> int:
        """The first group in which these can be read."""
        low = 0
        for view in views:
            own = view.value
            for index, _, _ in view.indices:
                low = max([low, *(check.step + 1 for check in index.value.checks)])
            if own.kind == "map" and view.whole:
                low = max(low, own.step)
            elif inlinable(view):
                low = max([low, *(leaf.step + 1 for leaf in own.leaves)])
            else:
                low = max(low, own.step + 1)
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
                for view in [part.source] if part else value.views:
                    own = view.value
                    if own.kind != "map" or (own.step == group.number and view.whole):
                        continue
                    before = own.step < group.number  # else it is computed again: see `ready`
                    if before and (own.stored or not inlinable(view)):
                        own.stored = True
                    else:
                        for leaf in own.leaves:
                            leaf.stored = True


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


class _Emission:
    """The values of one kernel, each once, and where they go."""

    def __init__(self, group: _Group) -> None:
        assert group.space is not None
        self.group = group
        self.space = group.space
        self.values: list[Load | Step] = []
        self.known: dict[Any, int] = {}
        self.sinks: list[Store | Total] = []

    def kernel(self) -> Kernel:
        for value, part in self.group.members:
            if part is not None:
                self.store(part)
            elif value.kind == "total":
                self.fold(value)
            elif value.stored:
                number = self.computed(value, None)
                access = Access(memory(value), contiguous(self.space), 0)
                self.sinks.append(Store(access, number))
        return Kernel(self.space, tuple(self.values), tuple(self.sinks))

    def store(self, part: Placed) -> None:
        number = self.read(part.source)
        self.sinks.append(
            Store(self.access(part.place), number, part.adds, bool(part.place.indices))
        )

    def fold(self, value: Value) -> None:
        assert value.fold is not None
        fold, axes = value.fold
        own = next(value.views)
        number = self.read(own)
        kept = [i for i, n in enumerate(own.shape) if n != 1 and i not in axes]
        strides = dict(zip(kept, contiguous(tuple([own.shape[i] for i in kept])), strict=True))
        places = [i for i, n in enumerate(own.shape) if n != 1]
        access = Access(memory(value), tuple([strides.get(i, 0) for i in places]), 0)
        reduced = tuple([at for at, i in enumerate(places) if i in axes])
        self.sinks.append(Total(access, number, reduced, fold))

    def access(self, view: View) -> Access:
        pairs = zip(view.shape, view.strides, strict=True)
        strides = tuple([stride for extent, stride in pairs if extent != 1])
        indices = tuple(
            [(self.access(index), stride, extent) for index, stride, extent in view.indices]
        )
        return Access(memory(view.value), strides, view.offset, indices)

    def read(self, view: View) -> int:
        """The number of the value that a view has at a point."""
        own = view.value
        here = own.kind == "map" and own.step == self.group.number and view.whole
        if here:
            return self.computed(own, None)
        if own.stored and (own.kind != "map" or own.step < self.group.number):
            access = self.access(view)
            return self.numbered(Load(access, own.dtype), Load(access, own.dtype))
        through = through_axes(view)
        assert through is not None
        here = view.whole and squeezed(view.shape) == squeezed(own.shape)
        return self.computed(own, None if here else through)

    def computed(self, value: Value, through: _Through | None) -> int:
        """The number of a value computed here, at a point or where something goes through it."""
        if (value, through) in self.known:
            return self.known[value, through]
        operands = [
            each if isinstance(each, str)
            else self.read(each if through is None else _composed(each, through))
            for each in value.operands
        ]
        # literals are in the text: operands are numbered as they stand
        numbers = tuple([each if isinstance(each, int) else -1 for each in operands])
        form = value.form
        for i, each in enumerate(operands):
            if isinstance(each, str):
                form = form.replace(f"{{{i}}}", each)
        if form == "{0}" and self.values[numbers[0]].dtype == value.dtype:
            self.known[value, through] = numbers[0]  # a copy
            return numbers[0]
        step = Step(form, numbers, value.dtype, value.calls and bool(_slow(form)))
        return self.numbered((value, through), step)

    def numbered(self, key: Any, made: Load | Step) -> int:
        if key not in self.known:
            self.known[key] = len(self.values)
            self.values.append(made)
        return self.known[key]


def _slow(form: str) -> list[str]:
    return [each for each in called(form) if each not in INLINE]


def _product(value: Value, left: View, right: View) -> Product:
    batch = value.shape[:-2]
    sizes = (*value.shape[-2:], left.shape[-1])
    return Product(memory(value), batch, sizes, _matrix(left), _matrix(right))  # type: ignore[arg-type]


def _matrix(view: View) -> Matrix:
    down, right = view.strides[-2:]
    return Matrix(memory(view.value), view.strides[:-2], (down, right), view.offset)


