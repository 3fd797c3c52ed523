"""Loops written as C: one function for each distinct kernel, one that runs them in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from symdiff.codegen.c_control import (
    CALL,
    LISTS,
    branched,
    calling_of,
    keeps_lists,
    pointer_to,
    repeated,
)
from symdiff.codegen.c_functions import functions, short, stops
from symdiff.codegen.c_kernel import KernelText
from symdiff.codegen.c_library import declarations, of_scipy, scipy_functions
from symdiff.codegen.c_products import MOST, matrix_vector
from symdiff.schedule.loops import (
    C_TYPES,
    HANDLE,
    AnyStep,
    Branch,
    Buffer,
    Call,
    Check,
    Decided,
    Loops,
    Matrix,
    Move,
    Operand,
    Product,
    Repeat,
    Tile,
    Total,
)
from symdiff.schedule.values import contiguous

DECIDED_OTHERWISE = 2  # the status; 1 is that of an index out of bounds
RUN = "symdiff_run"  # the name of a program by itself
_SMALL = 8  # up to that extent products are loops

_HEAD = """\
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define SD_KERNEL static __attribute__((noinline))
#else
#define SD_KERNEL static
#endif
#if defined(SD_SIMD) /* -fopenmp-simd is given */
#define SIMD _Pragma("omp simd")
#elif defined(__GNUC__) && !defined(__clang__)
#define SIMD _Pragma("GCC ivdep")
#else
#define SIMD
#endif
"""

_CHECK = """\
static int sd_outside(const int64_t *index, ptrdiff_t count, int64_t extent)
{
    int outside = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        outside |= index[i] < -extent || index[i] >= extent;
    return outside;
}
"""

# BLAS has columns first: of the transposed product the factors change places.
_BLAS = """\
#ifndef SD_INT
#define SD_INT int64_t
#endif
typedef void (*sd_gemm_{n})(const char *, const char *, const SD_INT *, const SD_INT *,
    const SD_INT *, const {T} *, const {T} *, const SD_INT *, const {T} *, const SD_INT *,
    const {T} *, {T} *, const SD_INT *);
typedef void (*sd_gemv_{n})(const char *, const SD_INT *, const SD_INT *, const {T} *,
    const {T} *, const SD_INT *, const {T} *, const SD_INT *, const {T} *, {T} *,
    const SD_INT *);
SD_KERNEL void matmul_{n}(char ta, char tb, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const {T} *a, ptrdiff_t lda, const {T} *b, ptrdiff_t ldb, {T} *c, int adds)
{{
    const SD_INT rows = (SD_INT)m, columns = (SD_INT)n, inner = (SD_INT)k;
    const SD_INT first = (SD_INT)lda, second = (SD_INT)ldb;
    const {T} one = 1, kept = ({T})adds;
    ((sd_gemm_{n})sd_routines[{gemm}])(&tb, &ta, &columns, &rows, &inner, &one, b, &second, a,
        &first, &kept, c, &columns);
}}
SD_KERNEL void matvec_{n}(char ta, ptrdiff_t m, ptrdiff_t k, const {T} *a, ptrdiff_t lda,
    const {T} *x, ptrdiff_t step, {T} *y, int adds)
{{
    const SD_INT down = (SD_INT)(ta == 'N' ? k : m), right = (SD_INT)(ta == 'N' ? m : k);
    const SD_INT first = (SD_INT)lda, by = (SD_INT)step, unit = 1;
    const char how = ta == 'N' ? 'T' : 'N';
    const {T} one = 1, kept = ({T})adds;
    ((sd_gemv_{n})sd_routines[{gemv}])(&how, &down, &right, &one, a, &first, x, &by, &kept, y,
        &unit);
}}
"""
_BIND_SPECIAL = """\
void symdiff_bind_special(void (*const *functions)(void))
{
    sd_special = functions;
}
"""
ROUTINES = ("dgemm", "sgemm", "dgemv", "sgemv")
_SMALL_PRODUCT = """\
SD_KERNEL void small_{n}(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const {T} *a, ptrdiff_t a0,
    ptrdiff_t a1, const {T} *b, ptrdiff_t b0, ptrdiff_t b1, {T} *restrict c, int adds)
{{
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {{
            {T} s = adds ? c[i * n + j] : 0;
            for (ptrdiff_t l = 0; l < k; l++)
                s = ({T})(s + a[i * a0 + l * a1] * b[l * b0 + j * b1]);
            c[i * n + j] = s;
        }}
}}
"""
# A matrix that fits the cache times a vector: four rows at a time, whatever the machine in lanes.
_ROWS = """\
SD_KERNEL void rows_{n}(char ta, ptrdiff_t m, ptrdiff_t k, const {T} *restrict a, ptrdiff_t lda,
    const {T} *restrict x, {T} *restrict y, int adds)
{{
    ptrdiff_t i = 0;
    if (ta == 'N') {{
        for (; i < m; i += 4) {{
            const int rows = m - i < 4 ? (int)(m - i) : 4;
            const {T} *const r0 = a + i * lda, *const r1 = rows > 1 ? r0 + lda : r0;
            const {T} *const r2 = rows > 2 ? r1 + lda : r0, *const r3 = rows > 3 ? r2 + lda : r0;
            {T} s[4][{L}] = {{{{0}}}};
            ptrdiff_t j = 0;
            for (; j + {L} <= k; j += {L}) {{
                SIMD
                for (int l = 0; l < {L}; l++) {{
                    s[0][l] += r0[j + l] * x[j + l];
                    s[1][l] += r1[j + l] * x[j + l];
                    s[2][l] += r2[j + l] * x[j + l];
                    s[3][l] += r3[j + l] * x[j + l];
                }}
            }}
            for (int l = 0; l < {L} && j < k; j++, l++) {{
                s[0][l] += r0[j] * x[j];
                s[1][l] += r1[j] * x[j];
                s[2][l] += r2[j] * x[j];
                s[3][l] += r3[j] * x[j];
            }}
            for (int row = 0; row < rows; row++) {{
                for (int l = 1; l < {L}; l++)
                    s[row][0] += s[row][l];
                y[i + row] = adds ? y[i + row] + s[row][0] : s[row][0];
            }}
        }}
        return;
    }}
    for (; !adds && i < m; i++)
        y[i] = 0;
    ptrdiff_t j = 0;
    for (; j + 4 <= k; j += 4) {{
        const {T} *const r0 = a + j * lda, *const r1 = r0 + lda;
        const {T} *const r2 = r1 + lda, *const r3 = r2 + lda;
        SIMD
        for (i = 0; i < m; i++)
            y[i] += r0[i] * x[j] + r1[i] * x[j + 1] + r2[i] * x[j + 2] + r3[i] * x[j + 3];
    }}
    for (; j < k; j++) {{
        SIMD
        for (i = 0; i < m; i++)
            y[i] += a[j * lda + i] * x[j];
    }}
}}
"""
_CACHED = 1 << 18  # bytes of a matrix for which that is faster than BLAS


def c_source(programs: Mapping[str, Loops]) -> str:
    """The C source of programs by their names, which are its symbols besides `symdiff_bind`."""
    return Unit(programs).source()


class Unit:
    """One file: the functions that are needed, each once, and the calls of them."""

    blas = _BLAS  # how large products are computed
    table = "static void (*const *sd_routines)(void);\n"  # what that reads
    kind = "int "
    signals = True  # whether long loops look for them

    def __init__(self, programs: Mapping[str, Loops]) -> None:
        self.programs = programs
        self.calling = calling_of(programs.values(), self.signals)
        self.kernels: dict[str, str] = {}  # text without its name -> name
        self.parts: dict[str, str] = {}  # the same of programs inside
        self.products: dict[np.dtype[Any], set[str]] = {}
        self.functions: set[str] = set()
        self.called: set[tuple[str, str]] = set()  # functions of whole arrays, by dtype
        self.checks = False

    def source(self) -> str:
        runs = [self.function(name, each, self.kind) for name, each in self.programs.items()]
        blas = any("matmul" in each or "matvec" in each for each in self.products.values())
        bind = self.table if blas else ""
        parts = [
            _HEAD,
            *scipy_functions(self.functions),
            *declarations(self.functions),
            _CHECK * self.checks,
            CALL * bool(self.calling.bytes),
            LISTS * self.calling.lists,
            bind,
            *self.product_functions(),
            *functions(self.called),
            *(text.replace("K_NAME", name) for text, name in self.kernels.items()),
            *(text.replace("P_NAME", name) for text, name in self.parts.items()),
            self.binding(blas),
            *runs,
        ]
        return "\n".join([part for part in parts if part])

    def function(self, name: str, program: Loops, kind: str = "SD_KERNEL int ") -> str:
        """A program as a function of the addresses of arguments, of results, and of memory."""
        calls = [line for step in program.steps for line in self.calls(step)]
        own = name not in self.programs and bool(self.calling.bytes)
        start, end, used = "    char *const w = work;", [], "(void)in, (void)out, (void)w"
        if own:
            used += ", (void)call"
        elif self.calling.bytes:
            calls.insert(0, "sd_call *const call = work;")
            start = f"    char *const w = (char *)work + {self.calling.bytes};"
            end = ["(void)call;"]
        if own and keeps_lists(program) and HANDLE not in [each.dtype for each in program.results]:
            calls.insert(0, "char *const mark = call->at;")  # what its lists have is free again
            end = ["call->at = mark;"]
        more = ", sd_call *call" * own
        lines = [
            f"{kind}{name}(const void *const *in, void *const *out, void *work{more})",
            "{",
            start,
            f"    {used};",
            *(f"    {line}" for line in (*calls, *end)),
            "    return 0;",
            "}",
        ]
        return "\n".join(lines) + "\n"

    def part(self, program: Loops) -> str:
        """The name of the function of a program inside."""
        text = self.function("P_NAME", program)
        return self.parts.setdefault(text, f"p{len(self.parts)}")

    def binding(self, blas: bool) -> str:
        text = "sd_routines = routines;" if blas else "(void)routines;"
        bind = f"void symdiff_bind(void (*const *routines)(void))\n{{\n    {text}\n}}\n"
        return bind + _BIND_SPECIAL * bool(of_scipy(self.functions))

    def product_functions(self) -> Iterator[str]:
        for dtype, kinds in self.products.items():
            name, type = short(dtype), C_TYPES[dtype]
            if "small" in kinds:
                yield _SMALL_PRODUCT.format(n=name, T=type)
            if "rows" in kinds:
                yield _ROWS.format(n=name, T=type, L=64 // dtype.itemsize)
            if kinds - {"small", "rows"}:
                single = dtype == np.float32
                letter = "s" if single else "d"
                text = self.blas.format(
                    n=name, T=type, c=letter, gemm=int(single), gemv=2 + single
                )
                start, *functions = text.split("SD_KERNEL ")
                needed = [each for each in functions if any(f" {kind}_" in each for kind in kinds)]
                yield "SD_KERNEL ".join([start, *needed])

    # ------------------------------------------------------------------ steps

    @property
    def more(self) -> str:
        """What functions of programs take besides."""
        return ", call" * bool(self.calling.bytes)

    def calls(self, step: AnyStep) -> Iterator[str]:
        if isinstance(step, Tile):
            yield from self.tile(step)
        elif isinstance(step, Repeat):
            test = self.part(step.test) if step.test else ""
            body = self.part(step.body)
            yield from _in_block(repeated(step, body, test, self.more, self.signals))
        elif isinstance(step, Branch):
            first, second = map(self.part, step.sides)
            yield from _in_block(branched(step, first, second, self.more))
        elif isinstance(step, Move):
            source, target = _moved(step.source, step.offset), _moved(step.target, step.place)
            yield f"memcpy({target}, {source}, {step.size * step.target.dtype.itemsize});"
        elif isinstance(step, Check):
            self.checks = True
            pointer = pointer_to(step.buffer)
            if step.buffer.size:
                yield f"if (sd_outside({pointer}, {step.buffer.size}, {step.extent}))"
                yield "    return 1;"
        elif isinstance(step, Decided):
            yield f"if (!*(const _Bool *){pointer_to(step.buffer)})"
            yield f"    return {DECIDED_OTHERWISE};"
        elif isinstance(step, Product):
            yield from self.product(step)
        elif isinstance(step, Call):
            yield from self.call(step)
        elif any(isinstance(each, Total) for each in step.sinks) or 0 not in step.shape:
            printed = KernelText(step)
            text = printed.text()
            self.functions |= printed.functions
            name = self.kernels.setdefault(text, f"k{len(self.kernels)}")
            at = ["at"] * printed.in_tile
            yield f"{name}({', '.join([*map(pointer_to, printed.buffers), *at])});"

    def call(self, step: Call) -> Iterator[str]:
        """A call for each of a batch, in loops; where it cannot go on, neither does the program."""
        dtype = short(step.operands[0].buffer.dtype)
        self.called.add((step.function, dtype))
        axes = [i for i, extent in enumerate(step.batch) if extent != 1]
        for i in axes:
            yield f"for (ptrdiff_t b{i} = 0; b{i} < {step.batch[i]}; b{i}++)"
        arguments = [_place(each, axes) for each in (*step.operands, *step.results)]
        arguments += map(str, step.numbers)
        arguments += [f"w + {step.work.place}"] if step.work else []
        text = f"{step.function}_{dtype}({', '.join(arguments)})"
        indent = "    " * bool(axes)
        if stops(step.function):
            yield f"{indent}if ({text})"
            yield f"{indent}    return 1;"
        else:
            yield f"{indent}{text};"

    def tile(self, step: Tile) -> Iterator[str]:
        """The steps of a tile for each of them, and for what is left of the rows."""
        end = step.extent - step.extent % step.rows
        yield f"for (ptrdiff_t at = 0; at < {end}; at += {step.rows}) {{"
        yield from (f"    {line}" for each in step.body for line in self.calls(each))
        yield "}"
        if step.rest:
            yield "{"
            yield f"    const ptrdiff_t at = {end};"
            yield from (f"    {line}" for each in step.rest for line in self.calls(each))
            yield "}"

    def product(self, step: Product) -> Iterator[str]:
        """A call for each product of a batch, in loops."""
        rows, columns, inner = step.sizes
        if not step.target.size:
            return
        if not inner:
            yield f"memset({pointer_to(step.target)}, 0, {step.target.bytes});"
            return
        axes = [i for i, extent in enumerate(step.batch) if extent > 1]
        for i in axes:
            yield f"for (ptrdiff_t b{i} = 0; b{i} < {step.batch[i]}; b{i}++)"
        places = [
            _moved(buffer, offset, [*((f"b{i}", strides[i]) for i in axes), ("at", tile)])
            for buffer, offset, strides, tile in (
                (step.target, 0, _batch_strides(step.batch, rows * columns), step.tile),
                (step.left.buffer, step.left.offset, step.left.batch, step.left.tile),
                (step.right.buffer, step.right.offset, step.right.batch, step.right.tile),
            )
        ]
        yield f"{'    ' * bool(axes)}{self.one_product(step, *places)}"

    def one_product(self, step: Product, target: str, left: str, right: str) -> str:
        """The call of the function that is best for these sizes."""
        rows, columns, inner = step.sizes
        dtype = step.target.dtype
        kinds = self.products.setdefault(dtype, set())
        adds = "at != 0" if step.adds else "0"
        if dtype.kind != "f" or max(step.sizes) <= _SMALL:
            kinds.add("small")
            strides = [", ".join(map(str, each.strides)) for each in (step.left, step.right)]
            return (f"small_{short(dtype)}({rows}, {columns}, {inner}, {left}, {strides[0]}, "
                    f"{right}, {strides[1]}, {target}, {adds});")
        if columns == 1:
            by = step.right.strides[0]
            return self.vector(step.left, left, rows, inner, by, right, target, adds, kinds)
        if rows == 1:
            turned = step.right._replace(strides=step.right.strides[::-1])
            by = step.left.strides[1]
            return self.vector(turned, right, columns, inner, by, left, target, adds, kinds)
        kinds.add("matmul")
        first = _leading(step.left, rows, inner)
        second = _leading(step.right, inner, columns)
        return (f"matmul_{short(dtype)}('{first[0]}', '{second[0]}', {rows}, {columns}, "
                f"{inner}, {left}, {first[1]}, {right}, {second[1]}, {target}, {adds});")

    def vector(
        self, matrix: Matrix, left: str, rows: int, inner: int, step: int, right: str,
        target: str, adds: str, kinds: set[str],
    ) -> str:
        how, lead = _leading(matrix, rows, inner)
        dtype = matrix.buffer.dtype
        name = short(dtype)
        if rows * inner <= MOST:
            text = matrix_vector(how, rows, inner, lead, max(step, 1), dtype)
            function = self.kernels.setdefault(text, f"k{len(self.kernels)}")
            return f"{function}({left}, {right}, {target}, {adds});"
        if rows * inner * dtype.itemsize <= _CACHED and (step == 1 or inner == 1):
            kinds.add("rows")
            return (f"rows_{name}('{how}', {rows}, {inner}, {left}, {lead}, {right}, {target}, "
                    f"{adds});")
        kinds.add("matvec")
        return (f"matvec_{name}('{how}', {rows}, {inner}, {left}, {lead}, {right}, "
                f"{max(step, 1)}, {target}, {adds});")


def _in_block(lines: Iterator[str]) -> Iterator[str]:
    yield "{"
    yield from (f"    {line}" for line in lines)
    yield "}"


def _leading(matrix: Matrix, rows: int, columns: int) -> tuple[str, int]:
    """Whether a factor lies row by row ('N') or column by column, and the distance of these."""
    down, right = matrix.strides
    if (right == 1 or columns == 1) and (down >= columns or rows == 1):
        return "N", max(down, columns, 1)
    return "T", max(right, rows, 1)


def _moved(buffer: Buffer, offset: int, indices: Sequence[tuple[str, int]] = ()) -> str:
    """The address of an element, by an offset and indices times strides."""
    if buffer.storage != "work":
        const = "const " * (buffer.storage == "in")
        pointer = f"({const}{C_TYPES[buffer.dtype]} *){buffer.storage}[{buffer.place}]"
    else:
        pointer = pointer_to(buffer)
    terms = [f"{name} * {stride}" for name, stride in indices if stride]
    return " + ".join([pointer, *terms, *([str(offset)] if offset else [])])


def _place(operand: Operand, axes: Sequence[int]) -> str:
    """The address that a function is called with, in loops along axes of a batch."""
    indices = [(f"b{i}", operand.batch[i]) for i in axes]
    return _moved(operand.buffer, operand.offset, indices)


def _batch_strides(batch: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Those of the results of a batch, each of this size, one behind the other."""
    return tuple([size * stride for stride in contiguous(batch)])
