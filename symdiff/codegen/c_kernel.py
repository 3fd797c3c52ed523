"""One kernel as C: loops around an innermost one, which runs in steps of some lanes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.codegen.c_library import calls_of
from symdiff.ops.c_forms import called
from symdiff.ops.primitive import Fold
from symdiff.schedule.loops import (
    C_TYPES,
    Access,
    Buffer,
    Kernel,
    Load,
    Shape,
    Step,
    Store,
    Total,
    buffers_of,
)

_CHUNK = 4096  # elements that are summed before their sum goes to the total
_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?(?![\w.])")
_FIELD = re.compile(r"\{(\d+)\}")


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether C computes with another type, and converts back."""
    return dtype.kind != "f" and dtype.itemsize < 8


class _Axis(NamedTuple):
    """One loop: its extent, and the axes of the space that it stands for."""

    extent: int
    axes: Shape


class KernelText:
    """Writes one kernel: loops around an innermost one, which runs in steps of some lanes."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.buffers = buffers_of(kernel)
        self.functions: set[str] = set()
        written = {each.access.buffer for each in kernel.sinks}
        self.names: dict[Buffer, str] = {}
        for each in self.buffers:
            letter = "y" if each in written else "x"
            self.names[each] = f"{letter}{sum(n[0] == letter for n in self.names.values())}"
        self.totals = [each for each in kernel.sinks if isinstance(each, Total)]
        self.stores = [each for each in kernel.sinks if isinstance(each, Store)]
        self.loops = self.ordered()
        self.in_tile = any(each.tile for each in self.accesses()) or any(
            each.part == "tile" for each in self.totals
        )
        self.calls = any(isinstance(each, Step) and each.calls for each in kernel.values)
        self.lanes = self.best_lanes(self.loops[-1].extent if self.loops else 1)
        self.scatters = any(each.in_order for each in self.stores)

    # ------------------------------------------------------------------ loops

    def best_lanes(self, extent: int) -> int:
        """How many elements are done in a step.

        Functions come in several vectors, which run side by side, unless the last step would be
        mostly empty; but never in less than a whole one, with which their last bits would change.
        """
        types = {each.dtype for each in self.kernel.values}
        most = 16 if any(each.itemsize == 8 for each in types) else 32
        if not self.calls:
            return next((each for each in (8, 16) if extent <= each < most), most)
        least, lanes = 16 if np.dtype(np.float32) in types else 8, 2 * most

        def padded(lanes: int) -> int:
            return -(-extent // lanes) * lanes

        while lanes > least and 8 * padded(lanes) > 9 * padded(lanes // 2):
            lanes //= 2
        return lanes

    def ordered(self) -> list[_Axis]:
        """Loops, the innermost last: neighbouring axes that all accesses go through as one."""
        shape = self.kernel.shape
        merged: list[list[int]] = []
        fixed = self.kernel.inner
        for axis in range(len(shape)):
            if merged and fixed not in (axis, axis - 1) and self.is_one(merged[-1][-1], axis):
                merged[-1].append(axis)
            else:
                merged.append([axis])
        found = [_Axis(math.prod([shape[i] for i in own]), tuple(own)) for own in merged]
        if not found:
            return []
        if fixed is not None:
            own = _Axis(shape[fixed], (fixed,))
            return [*(each for each in found if each != own), own]
        inner = max(range(len(found)), key=lambda i: (self.unit_strides(found[i]), i))
        return [*found[:inner], *found[inner + 1 :], found[inner]]

    def accesses(self) -> Iterator[Access]:
        for each in self.kernel.values:
            if isinstance(each, Load):
                yield each.access
                yield from (index for index, _, _ in each.access.indices)
        for sink in self.kernel.sinks:
            yield sink.access
            yield from (index for index, _, _ in sink.access.indices)

    def is_one(self, outer: int, inner: int) -> bool:
        extent = self.kernel.shape[inner]
        reduced = all((outer in each.axes) == (inner in each.axes) for each in self.totals)
        return reduced and all(
            each.strides[outer] == each.strides[inner] * extent for each in self.accesses()
        )

    def unit_strides(self, axis: _Axis) -> int:
        """How many accesses are to neighbours; short loops are not worth to be innermost."""
        last = axis.axes[-1]
        score = sum(
            2 if each.strides[last] == 1 else each.strides[last] == 0 for each in self.accesses()
        )
        return score if axis.extent >= 4 else -1

    # ------------------------------------------------------------------ text

    def text(self) -> str:
        lines = [f"SD_KERNEL void K_NAME({self.parameters()})", "{"]
        lines += self.starts()
        if 0 not in self.kernel.shape:
            lines += self.nest()
        else:
            lines += [f"    (void){name};" for name in self.names.values()]
        return "\n".join([*lines, "}"]) + "\n"

    def parameters(self) -> str:
        found = []
        for each, name in self.names.items():
            const = "const " if name[0] == "x" else ""
            found.append(f"{const}{C_TYPES[each.dtype]} *restrict {name}")
        if self.in_tile:
            found.append("ptrdiff_t at")
        return ", ".join(found)

    def starts(self) -> Iterator[str]:
        """What totals start with that are gathered in memory."""
        for each in self.totals:
            if self.in_memory(each) and each.part != "later":
                buffer = each.access.buffer
                start = self.typed(each.fold.start(buffer.dtype), buffer.dtype)
                if each.access.tile:
                    heads = [
                        f"for (ptrdiff_t i{level} = 0; i{level} < {loop.extent}; i{level}++)"
                        for level, loop in enumerate(self.loops)
                        if not set(loop.axes) <= set(each.axes)
                    ]
                    element = self.element(each.access)
                else:
                    heads = ["if (at == 0)"] if each.part == "tile" else []
                    heads.append(f"for (ptrdiff_t i = 0; i < {buffer.size}; i++)")
                    element = f"{self.names[buffer]}[i]"
                for depth, head in enumerate(heads, 1):
                    yield f"{'    ' * depth}{head}"
                yield f"{'    ' * (len(heads) + 1)}{element} = {start};"

    def depth(self, total: Total) -> int:
        """How many loops are around those that a total is folded over."""
        depth = len(self.loops)
        while depth and set(self.loops[depth - 1].axes) <= set(total.axes):
            depth -= 1
        return depth

    def in_memory(self, total: Total) -> bool:
        """Whether a total is not complete when the innermost loops are, or has no elements."""
        behind = {i for loop in self.loops[self.depth(total) :] for i in loop.axes}
        complete = total.axes and set(total.axes) <= behind and 0 not in self.kernel.shape
        return bool(total.part) or not complete

    def nest(self) -> Iterator[str]:
        """The loops, with what is done at each level."""
        indent = "    "
        last = len(self.loops) - 1
        closing = []
        for level in range(len(self.loops)):
            for i, each in enumerate(self.totals):
                if self.by_lanes(each) and self.depth(each) == level:
                    type = self.total_type(each)
                    start = each.fold.start(each.access.buffer.dtype)
                    yield f"{indent}{type} t{i} = {self.typed(start, self.total_dtype(each))};"
            if level < last:
                extent = self.loops[level].extent
                yield f"{indent}for (ptrdiff_t i{level} = 0; i{level} < {extent}; i{level}++) {{"
                closing.append((level, indent))
                indent += "    "
        yield from self.innermost(indent)
        yield from self.finished(last, indent)
        for level, indent in reversed(closing):
            yield f"{indent}}}"
            yield from self.finished(level, indent)

    def finished(self, level: int, indent: str) -> Iterator[str]:
        """Totals that are complete behind the loop of a level go to memory."""
        for i, each in enumerate(self.totals):
            if self.by_lanes(each) and self.depth(each) == max(level, 0):
                target = self.element(each.access)
                dtype = each.access.buffer.dtype
                value = f"t{i}"
                if self.in_memory(each):
                    value = f"({self.folded(each.fold, target, value, dtype)})"
                cast = f"({C_TYPES[dtype]})" if self.total_dtype(each) != dtype else ""
                yield f"{indent}{target} = {cast}{value};"

    def by_lanes(self, total: Total) -> bool:
        """Whether a total is folded over the innermost loop."""
        return bool(self.loops) and set(self.loops[-1].axes) <= set(total.axes)

    def total_dtype(self, total: Total) -> np.dtype[Any]:
        """Long sums of single precision are put together in double precision."""
        dtype = total.access.buffer.dtype
        return np.dtype(np.float64) if dtype == np.float32 else dtype

    def total_type(self, total: Total) -> str:
        return C_TYPES[self.total_dtype(total)]

    def folded(self, fold: Fold, total: str, x: str, dtype: np.dtype[Any]) -> str:
        text = self.typed(fold.step(dtype).format(total=total, x=x), dtype)
        return f"({C_TYPES[dtype]})({text})" if is_narrow(dtype) else text

    # ------------------------------------------------------------------ the innermost loop

    def innermost(self, indent: str) -> Iterator[str]:
        level = len(self.loops) - 1
        if level < 0:
            yield from self.point(indent)
            return
        extent = self.loops[-1].extent
        lanes = any(map(self.by_lanes, self.totals))
        long = lanes and extent >= 2 * self.lanes
        if (self.calls or long) and not self.scatters:
            yield from self.in_steps(indent, extent, lanes)
        else:
            simd = "" if lanes or self.scatters else "SIMD "
            head = f"for (ptrdiff_t i{level} = 0; i{level} < {extent}; i{level}++) {{"
            yield from ([f"{indent}SIMD"] if simd else [])
            yield f"{indent}{head}"
            yield from self.point(f"{indent}    ")
            yield f"{indent}}}"

    def point(self, indent: str) -> Iterator[str]:
        """All values and sinks at one point, one after the other."""
        for i in range(len(self.kernel.values)):
            yield f"{indent}{self.defined(i, {})}"
        for each in self.stores:
            yield f"{indent}{self.stored(each, f'v{each.value}')}"
        for i, total in enumerate(self.totals):
            value = self.taken(total, {})
            if self.by_lanes(total):
                dtype = self.total_dtype(total)
                yield f"{indent}t{i} = {self.folded(total.fold, f't{i}', value, dtype)};"
            else:
                yield f"{indent}{self.kept(total, value)}"

    def taken(self, total: Total, names: dict[int, str]) -> str:
        """What a total is folded with."""
        text = names.get(total.value, f"v{total.value}")
        dtype = total.access.buffer.dtype
        exact = dtype.kind == "f" and self.kernel.values[total.value].dtype.kind != "f"
        return f"({C_TYPES[dtype]}){text}" if exact else text

    def in_steps(self, indent: str, extent: int, lanes: bool) -> Iterator[str]:
        """Steps of some lanes, and the rest.

        Where functions are called the rest has all lanes: no value depends on its place.
        """
        n = self.lanes
        level = len(self.loops) - 1
        totals = [(i, each) for i, each in enumerate(self.totals) if self.by_lanes(each)]
        chunked = lanes and extent > _CHUNK
        inner = indent
        end = str(extent)
        if chunked:
            yield f"{indent}for (ptrdiff_t c = 0; c < {extent}; c += {_CHUNK}) {{"
            inner += "    "
            end = f"c{level}"
            yield (f"{inner}const ptrdiff_t {end} = c + {_CHUNK} < {extent} ? c + {_CHUNK} : "
                   f"{extent};")
        for i, each in totals:
            dtype = each.access.buffer.dtype
            yield f"{inner}{C_TYPES[dtype]} s{i}[{n}];"
            start = self.typed(each.fold.start(dtype), dtype)
            yield f"{inner}for (int l = 0; l < {n}; l++)"
            yield f"{inner}    s{i}[l] = {start};"
        start = "c" if chunked else "0"
        yield f"{inner}ptrdiff_t j = {start};"
        if extent >= n:
            yield f"{inner}for (; j + {n} <= {end}; j += {n}) {{"
            yield from self.step(f"{inner}    ", str(n), "")
            yield f"{inner}}}"
        if extent % n:
            yield f"{inner}if (j < {end}) {{"
            yield f"{inner}    const int rest = (int)({end} - j);"
            yield from self.step(f"{inner}    ", "rest", end)
            yield f"{inner}}}"
        for i, each in totals:
            half = n // 2
            while half:  # lanes by halves: few steps, each on the one before
                own = self.folded(
                    each.fold, f"s{i}[l]", f"s{i}[l + {half}]", each.access.buffer.dtype
                )
                yield f"{inner}SIMD"
                yield f"{inner}for (int l = 0; l < {half}; l++)"
                yield f"{inner}    s{i}[l] = {own};"
                half //= 2
            total = self.folded(each.fold, f"t{i}", f"s{i}[0]", self.total_dtype(each))
            yield f"{inner}t{i} = {total};"
        if chunked:
            yield f"{indent}}}"

    def step(self, indent: str, lanes: str, end: str) -> Iterator[str]:
        """One step: its values in loops over the lanes, calls of functions in loops of their own.

        Where there are fewer elements than lanes, those missing are computed from the last one.
        """
        level = len(self.loops) - 1
        padded = lanes == "rest" and self.calls
        parts = self.parts(padded)
        across = self.across(parts)
        for i in sorted(across):
            yield f"{indent}{C_TYPES[self.lane_dtype(i)]} a{i}[{self.lanes}];"
        for part, sinks in parts:
            count = str(self.lanes) if padded and not sinks else lanes
            yield f"{indent}SIMD"
            yield f"{indent}for (int l = 0; l < {count}; l++) {{"
            names = {i: self.lane(i) for i in across - set(part)}
            body = []
            for i in part:
                body.append(self.defined(i, names))
                if i in across:
                    body.append(f"a{i}[l] = v{i};")
            if sinks:
                body += self.sunk(names)
            if re.search(rf"\bi{level}\b", "\n".join(body)):
                index = f"j + l < {end} ? j + l : {end} - 1" if padded and not sinks else "j + l"
                yield f"{indent}    const ptrdiff_t i{level} = {index};"
            yield from (f"{indent}    {each}" for each in body)
            yield f"{indent}}}"

    def lane_dtype(self, i: int) -> np.dtype[Any]:
        """What a value is from one loop over lanes to another: a truth value as wide as numbers."""
        dtype = self.kernel.values[i].dtype
        if dtype.kind != "b":
            return dtype
        wide = any(each.dtype.itemsize == 8 for each in self.kernel.values)
        return np.dtype(np.float64 if wide else np.float32)

    def lane(self, i: int) -> str:
        """A value in another loop over lanes than that which computes it."""
        is_truth = self.lane_dtype(i) != self.kernel.values[i].dtype
        return f"(a{i}[l] != 0)" if is_truth else f"a{i}[l]"

    def sunk(self, names: dict[int, str]) -> Iterator[str]:
        for each in self.stores:
            yield self.stored(each, names.get(each.value, f"v{each.value}"))
        for i, total in enumerate(self.totals):
            value = self.taken(total, names)
            if self.by_lanes(total):
                dtype = total.access.buffer.dtype
                yield f"s{i}[l] = {self.folded(total.fold, f's{i}[l]', value, dtype)};"
            else:
                yield self.kept(total, value)

    def parts(self, padded: bool) -> list[tuple[list[int], bool]]:
        """The values by the loop over lanes that computes them, and whether it has the sinks."""
        parts: list[tuple[list[int], bool]] = [([], False)]
        values = self.kernel.values
        if padded:
            parts[0][0].extend([i for i, each in enumerate(values) if isinstance(each, Load)])
            parts.append(([], False))
        for i, each in enumerate(values):
            if isinstance(each, Load):
                if not padded:
                    parts[-1][0].append(i)
            elif each.calls:
                parts += [([i], False), ([], False)]
            else:
                parts[-1][0].append(i)
        found = [part for part in parts if part[0]]
        alone = padded or not found or self.is_call(found[-1][0][0])
        return [*found, ([], True)] if alone else [*found[:-1], (found[-1][0], True)]

    def is_call(self, i: int) -> bool:
        each = self.kernel.values[i]
        return isinstance(each, Step) and each.calls

    def across(self, parts: Sequence[tuple[list[int], bool]]) -> set[int]:
        """The values that are computed in one loop over lanes and read in another."""
        home = {i: at for at, (part, _) in enumerate(parts) for i in part}
        found = set()
        for i, each in enumerate(self.kernel.values):
            if isinstance(each, Step):
                found |= {k for k in each.operands if k >= 0 and home[k] != home[i]}
        last = len(parts) - 1
        return found | {each.value for each in self.kernel.sinks if home[each.value] != last}

    # ------------------------------------------------------------------ elements

    def defined(self, i: int, names: dict[int, str]) -> str:
        """The definition of a value."""
        each = self.kernel.values[i]
        type = C_TYPES[each.dtype]
        if isinstance(each, Load):
            return f"const {type} v{i} = {self.element(each.access)};"
        operands = [k for k in each.operands if k >= 0]
        text = _FIELD.sub(
            lambda found: names.get(
                each.operands[int(found[1])], f"v{each.operands[int(found[1])]}"
            ),
            each.text,
        )
        kinds = {self.kernel.values[k].dtype for k in operands}
        text = self.typed(text, np.dtype(np.float32) if np.dtype(np.float32) in kinds | {each.dtype}
                          and np.dtype(np.float64) not in kinds | {each.dtype} else each.dtype)
        if kinds - {each.dtype} or is_narrow(each.dtype):
            text = f"({type})({text})"
        return f"const {type} v{i} = {text};"

    def typed(self, text: str, dtype: np.dtype[Any]) -> str:
        """A text with the functions and numbers of a dtype."""
        if dtype == np.float32:
            text = _NUMBER.sub(lambda found: f"{found[0]}f", text)
            for name in set(called(text)):
                if name not in ("isnan", "isinf", "isfinite", "signbit"):
                    text = text.replace(f"{name}(", f"{name}f(")
        names = set(called(text))
        self.functions |= names
        for name in names:
            self.functions.update(calls_of(name))
        return text

    def stored(self, store: Store, value: str) -> str:
        target = self.element(store.access)
        if not store.adds:
            return f"{target} = {value};"
        dtype = store.access.buffer.dtype
        if is_narrow(dtype):
            return f"{target} = ({C_TYPES[dtype]})({target} + {value});"
        return f"{target} += {value};"

    def kept(self, total: Total, value: str) -> str:
        """One element more for a total in memory."""
        target = self.element(total.access)
        return f"{target} = {self.folded(total.fold, target, value, total.access.buffer.dtype)};"

    def element(self, access: Access) -> str:
        """The element of an access, by the indices of the loops."""
        return f"{self.names[access.buffer]}[{self.index(access)}]"

    def index(self, access: Access) -> str:
        terms = []
        for level, loop in enumerate(self.loops):
            stride = access.strides[loop.axes[-1]]
            if stride and loop.extent > 1:
                sign = "-" if stride < 0 else "+"
                factor = f" * {abs(stride)}" if abs(stride) != 1 else ""
                terms.append((sign, f"i{level}{factor}"))
        for index, stride, extent in access.indices:
            own = self.element(index)
            terms.append(("+", f"({own} + ({own} < 0 ? {extent} : 0)) * {stride}"))
        if access.tile:
            terms.append(("+", "at" if access.tile == 1 else f"at * {access.tile}"))
        if access.offset:
            terms.append(("-" if access.offset < 0 else "+", str(abs(access.offset))))
        terms.sort(key=lambda term: term[0] == "-")
        text = "".join([f" {sign} {term}" for sign, term in terms])
        return text[3:] if text.startswith(" +") else text.strip() or "0"
