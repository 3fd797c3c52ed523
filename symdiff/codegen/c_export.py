"""A program of loops as C that stands by itself: source, header, a test and a CMakeLists.txt."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.codegen.c_control import calling_of, keeps_lists
from symdiff.codegen.c_library import of_scipy
from symdiff.codegen.c_source import Unit
from symdiff.errors import CompileError, word
from symdiff.ir.types import ArrayType
from symdiff.ops.c_forms import literal
from symdiff.schedule.loops import C_TYPES, Decided, Loops

_MOST_NUMBERS = 1_000_000  # in a source file
_TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-3}

# Words of C and C++ and what headers define: no names of ours.
_WORDS = """
    alignas alignof and_eq asm auto bitand bitor bool case catch char char16_t char32_t char8_t
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit
    decltype default delete do double dynamic_cast enum explicit export extern false float for goto
    if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast requires restrict return short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true typedef typeid
    typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq
    main linux unix i386 NULL NAN INFINITY HUGE_VAL SIMD SD_INT SD_KERNEL SD_VECTOR SD_PRAGMA
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    fdim floor fma fmax fmin fmod frexp hypot ilogb j0 j1 jn ldexp lgamma llrint llround log log10
    log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint
    round scalbln scalbn signgam sin sinh sqrt tan tanh tgamma trunc y0 y1 yn
    isnan isinf isfinite isnormal signbit fpclassify memcpy memset printf malloc free work in out
"""
_TAKEN = frozenset(_WORDS.split())

# What functions of ours begin with, and types.
_OURS = re.compile(
    r"sd_|SD_|symdiff|SYMDIFF|[kp]\d+$|(small|rows|matmul|matvec|cblas|given|expected|found)_"
    r"|U?INT\d|u?int\d"
)

_GEMM_DECLARED = """\
#ifndef SD_INT
#define SD_INT int
#endif
extern void cblas_{c}gemm(int, int, int, SD_INT, SD_INT, SD_INT, {T}, const {T} *, SD_INT,
    const {T} *, SD_INT, {T}, {T} *, SD_INT);
extern void cblas_{c}gemv(int, int, SD_INT, SD_INT, {T}, const {T} *, SD_INT, const {T} *,
    SD_INT, {T}, {T} *, SD_INT);
"""
_CBLAS = """\
SD_KERNEL void matmul_{n}(char ta, char tb, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const {T} *a, ptrdiff_t lda, const {T} *b, ptrdiff_t ldb, {T} *c, int adds)
{{
    cblas_{c}gemm(101, ta == 'N' ? 111 : 112, tb == 'N' ? 111 : 112, (SD_INT)m, (SD_INT)n,
        (SD_INT)k, 1, a, (SD_INT)lda, b, (SD_INT)ldb, ({T})adds, c,
        (SD_INT)n);
}}
SD_KERNEL void matvec_{n}(char ta, ptrdiff_t m, ptrdiff_t k, const {T} *a, ptrdiff_t lda,
    const {T} *x, ptrdiff_t step, {T} *y, int adds)
{{
    const SD_INT rows = (SD_INT)(ta == 'N' ? m : k), columns = (SD_INT)(ta == 'N' ? k : m);
    cblas_{c}gemv(101, ta == 'N' ? 111 : 112, rows, columns, 1, a, (SD_INT)lda, x, (SD_INT)step,
        ({T})adds, y, 1);
}}
"""
_LOOPS = """\
SD_KERNEL void matmul_{n}(char ta, char tb, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const {T} *restrict a, ptrdiff_t lda, const {T} *restrict b, ptrdiff_t ldb, {T} *restrict c,
    int adds)
{{
    for (ptrdiff_t i = 0; i < m; i++) {{
        for (ptrdiff_t j = 0; !adds && j < n; j++)
            c[i * n + j] = 0;
        for (ptrdiff_t l = 0; l < k; l++) {{
            const {T} x = ta == 'N' ? a[i * lda + l] : a[l * lda + i];
            if (tb == 'N') {{
                SIMD
                for (ptrdiff_t j = 0; j < n; j++)
                    c[i * n + j] += x * b[l * ldb + j];
            }} else {{
                for (ptrdiff_t j = 0; j < n; j++)
                    c[i * n + j] += x * b[j * ldb + l];
            }}
        }}
    }}
}}
SD_KERNEL void matvec_{n}(char ta, ptrdiff_t m, ptrdiff_t k, const {T} *restrict a, ptrdiff_t lda,
    const {T} *restrict x, ptrdiff_t step, {T} *restrict y, int adds)
{{
    for (ptrdiff_t i = 0; !adds && i < m; i++)
        y[i] = 0;
    for (ptrdiff_t l = 0; ta == 'T' && l < k; l++) {{
        SIMD
        for (ptrdiff_t i = 0; i < m; i++)
            y[i] += a[l * lda + i] * x[l * step];
    }}
    for (ptrdiff_t i = 0; ta == 'N' && i < m; i++)
        for (ptrdiff_t l = 0; l < k; l++)
            y[i] += a[i * lda + l] * x[l * step];
}}
"""


class Argument(NamedTuple):
    """An argument or a result: its name in C, what it is in Python, its type."""

    name: str
    label: str
    type: ArrayType

    @property
    def c_type(self) -> str:
        return C_TYPES[self.type.dtype].replace("_Bool", "bool")


class Export(NamedTuple):
    """What is exported: a program, and how it is called."""

    name: str
    summary: str
    program: Loops
    arguments: tuple[Argument, ...]
    results: tuple[Argument, ...]
    blas: str  # "cblas" or "none"


def export_files(
    export: Export, given: Sequence[Any] = (), expected: Sequence[Any] = ()
) -> dict[str, str]:
    """The files by their names; with recorded arguments and results there is a test program.

    Without it where that would hold very many numbers. Raises CompileError where the source would.
    """
    name = export.name
    files = {f"{name}.c": _source(export), f"{name}.h": _header(export)}
    recorded = sum(np.size(each) for each in (*given, *expected)) <= _MOST_NUMBERS
    tested = bool(expected) and recorded
    if tested:
        files[f"test_{name}.c"] = _test(export, given, expected)
    files["CMakeLists.txt"] = _cmake(export, tested)
    return files


def identifiers(labels: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """A name in C for each label: ASCII letters, digits and underscores, no two the same."""
    found: list[str] = []
    for label in labels:
        text = "".join([c if c.isascii() else f"u{ord(c):x}" for c in label])
        text = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
        if text[0].isdigit() or _OURS.match(text):
            text = f"x_{text}"
        if text in _TAKEN or keyword.iskeyword(text):
            text += "_"
        own, i = text, 2
        while own in found or own in taken:
            own, i = f"{text}_{i}", i + 1
        found.append(own)
    return found


# ---------------------------------------------------------------------------- source and header


class _Standalone(Unit):
    """The same file with products by the standard names of BLAS, or by loops."""

    signals = False

    def __init__(self, program: Loops, blas: str) -> None:
        super().__init__({"sd_run": program})
        self.blas = _CBLAS if blas == "cblas" else _LOOPS
        self.table = ""
        self.kind = "static int "
        self.declared = blas == "cblas"

    def product_functions(self) -> Iterator[str]:
        for dtype, kinds in self.products.items():
            if self.declared and kinds - {"small"}:
                c = "s" if dtype == np.float32 else "d"
                yield _GEMM_DECLARED.format(c=c, T=C_TYPES[dtype])
        yield from super().product_functions()

    def binding(self, blas: bool) -> str:
        missing = of_scipy(self.functions)
        if missing:
            raise CompileError(
                word(
                    f"scipy.special.{missing[0]} is SciPy's own: a file cannot call it",
                    way_out='backend="c" calls it, or symdiff export --target py.',
                )
            )
        return ""


def _source(export: Export) -> str:
    program = export.program
    constants = [
        f"static const {C_TYPES[each.dtype]} sd_constant{i}[] = {_numbers(each)};"
        for i, each in enumerate(program.constants)
    ]
    given = [each.name if each.type.shape else f"&{each.name}" for each in export.arguments]
    given += [f"sd_constant{i}" for i in range(len(constants))]
    made = [each.name for each in export.results]
    calling = calling_of([program], signals=False)
    lists, least = calling.lists, program.work + calling.bytes
    lines = [
        _comment([f"{export.name}: {export.summary}", "",
                  "Integers wrap where the compiler lets them: -fwrapv with gcc and clang."]),
        f'#include "{export.name}.h"',
        _Standalone(program, export.blas).source(),
        *constants,
        f"size_t {export.name}_workspace(void)",
        "{",
        f"    return {least};",
        "}",
        "",
        _signature(export),
        "{",
        f"    const void *in[] = {{{', '.join(given) or '0'}}};",
        f"    void *out[] = {{{', '.join(made) or '0'}}};",
        *(_LISTS.format(least=least).splitlines() if lists else ()),
        "    return sd_run(in, out, work);",
        "}",
    ]
    return "\n".join(lines) + "\n"


_LISTS = """\
    sd_call *const call = work;
    if (size < {least})
        return 3;
    call->at = call->most = (char *)work + {least};
    call->end = (char *)work + size;"""


def _signature(export: Export) -> str:
    parts = [
        f"const {each.c_type} *{each.name}" if each.type.shape else f"{each.c_type} {each.name}"
        for each in export.arguments
    ]
    parts += [f"{each.c_type} *{each.name}" for each in export.results]
    lines = [f"int {export.name}("]
    parts += ["void *work", *(["size_t size"] if keeps_lists(export.program) else [])]
    for part in [*[f"{each}, " for each in parts[:-1]], f"{parts[-1]})"]:
        if len(lines[-1]) + len(part) > 96:
            lines.append("    ")
        lines[-1] += part
    return "\n".join([line.rstrip() for line in lines])


def _header(export: Export) -> str:
    name, lists = export.name, keeps_lists(export.program)
    work = ["  work: void *; that many bytes, aligned as malloc does it; NULL for none"]
    if lists:
        work = ["  work: void *; size bytes, aligned as malloc does it, that many at least: what",
                "    there is more is for what loops keep, whose trips are not known before"]
    about = [export.summary, "", "Arguments:", *_described(export.arguments),
             "Results, to which there has to be an address:", *_described(export.results),
             *work, "",
             "Arrays are contiguous, the last index varies fastest; results overlap nothing.",
             "Nothing is allocated, nothing is kept: threads need a work space each.",
             "Returns 0, or 1 where NumPy raises an error: then results are not complete.",
             *(_OTHERWISE if _decides(export.program) else ()),
             *(["Returns 3 where the work space is too small."] if lists else [])]
    guard = f"SYMDIFF_{name.upper()}_H"
    lines = [
        f"#ifndef {guard}", f"#define {guard}", "",
        "#include <stdbool.h>", "#include <stddef.h>", "#include <stdint.h>", "",
        "#ifdef __cplusplus", 'extern "C" {', "#endif", "",
        "/* Bytes of the work space. */",
        f"size_t {name}_workspace(void);", "",
        _comment(about),
        f"{_signature(export)};", "",
        "#ifdef __cplusplus", "}", "#endif", "", "#endif",
    ]
    return "\n".join(lines) + "\n"


_OTHERWISE = ("Returns 2 where the arguments decide otherwise than those for which this was",
              "written: a branch, or how many elements a mask selects.")


def _decides(program: Loops) -> bool:
    return any(isinstance(each, Decided) for each in program.steps)


def _described(arguments: Sequence[Argument]) -> Iterator[str]:
    for each in arguments:
        shape = "".join([f"[{n}]" for n in each.type.shape])
        label = f" ({each.label})" if each.label != each.name else ""
        yield f"  {each.name}: {each.c_type}{' ' if shape else ''}{shape}{label}"


def _comment(lines: Sequence[str]) -> str:
    """A comment: nothing in it can end it."""
    text = "\n   ".join(lines).replace("*/", "* /").replace("/*", "/ *")
    text = text.encode("ascii", "backslashreplace").decode().replace("\\", "/").replace("??", "? ?")
    return re.sub(r"[ ]+$", "", f"/* {text} */", flags=re.MULTILINE)


def _numbers(array: Any) -> str:
    """The elements of an array as an initializer. Raises CompileError where there are too many."""
    flat = np.asarray(array).ravel()
    if flat.size > _MOST_NUMBERS:
        raise CompileError(
            word(
                f"a constant of {flat.size:,} numbers does not fit into a source file",
                way_out="Pass it as an argument.",
            )
        )
    lines = [""]
    for each in flat:
        text = f"{literal(each, flat.dtype)}, "
        if len(lines[-1]) + len(text) > 96:
            lines.append("")
        lines[-1] += text
    return "{\n    " + "\n    ".join([line.rstrip() for line in lines]) + "\n}" if flat.size else (
        "{0}")


# ---------------------------------------------------------------------------- test, CMake

_COMPARED = """\
static int differs(const char *name, ptrdiff_t i, double found, double expected, double tolerance)
{
    const double apart = found > expected ? found - expected : expected - found;
    if (found == expected || apart <= tolerance || (found != found && expected != expected))
        return 0;
    printf("%s[%ld] is %.17g, expected %.17g\\n", name, (long)i, found, expected);
    return 1;
}
"""


def _test(export: Export, given: Sequence[Any], expected: Sequence[Any]) -> str:
    name = export.name
    arrays: list[str] = []
    passed: list[str] = []
    compared: list[str] = []
    for each, value in zip(export.arguments, given, strict=True):
        array = np.asarray(value, each.type.dtype)
        arrays.append(f"static const {each.c_type} given_{each.name}[] = {_numbers(array)};")
        passed.append(f"given_{each.name}" + ("" if each.type.shape else "[0]"))
    for each, value in zip(export.results, expected, strict=True):
        array = np.asarray(value, each.type.dtype)
        arrays.append(f"static {each.c_type} found_{each.name}[{max(array.size, 1)}];")
        passed.append(f"found_{each.name}")
        if array.size:
            arrays.append(f"static const {each.c_type} expected_{each.name}[] = {_numbers(array)};")
            compared += [
                f"    for (ptrdiff_t i = 0; i < {array.size}; i++)",
                f'        wrong += differs("{each.name}", i, (double)found_{each.name}[i],',
                f"            (double)expected_{each.name}[i], {_tolerance(array)});",
            ]
    lines = [
        _comment([f"Calls {name} with recorded arguments, and compares with recorded results."]),
        f'#include "{name}.h"', "#include <math.h>", "#include <stdio.h>", "#include <stdlib.h>",
        "", *arrays, "", *([_COMPARED] if compared else []),
        "int main(void)", "{", "    int wrong = 0;",
        *_called(export, passed),
        "    if (status) {",
        '        printf("it ended with status %d\\n", status);',
        "        return 1;",
        "    }",
        *compared,
        f'    printf("{name}: %s\\n", wrong ? "WRONG" : "ok");',
        "    return wrong != 0;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _called(export: Export, passed: Sequence[str]) -> Iterator[str]:
    """The call, in a work space of its own, of more and more bytes where nobody knows how many."""
    name, lists = export.name, keeps_lists(export.program)
    yield f"    size_t size = {name}_workspace() + 1;"
    yield "    void *work = malloc(size);"
    yield "    int status = work == NULL ? 3 : 0;"
    yield "    while (work != NULL) {" if lists else "    if (work != NULL)"
    yield f"        status = {name}("
    yield from (f"            {each}," for each in passed)
    yield f"            work{', size' * lists});"
    if lists:
        yield "        if (status != 3)"
        yield "            break;"
        yield "        free(work);"
        yield "        size *= 2;"
        yield "        work = malloc(size);"
        yield "    }"
    yield "    free(work);"


def _tolerance(array: Any) -> str:
    """How far a result may be off: vector functions and another order of sums round otherwise."""
    finite = np.abs(array[np.isfinite(array)]) if array.dtype.kind == "f" else array[:0]
    scale = max(float(np.max(finite, initial=0.0)), 1e-3)
    found = _TOLERANCE.get(array.dtype, 0.0) * scale
    return literal(found if math.isfinite(found) else 1e300, np.dtype(np.float64))


def _cmake(export: Export, tested: bool) -> str:
    name = export.name
    uses_blas = "cblas_" in _Standalone(export.program, export.blas).source()
    blas = f"find_package(BLAS REQUIRED)\ntarget_link_libraries({name} PUBLIC BLAS::BLAS)\n"
    test = (f"enable_testing()\nadd_executable(test_{name} test_{name}.c)\n"
            f"target_link_libraries(test_{name} {name})\nadd_test({name} test_{name})\n")
    return f"""\
cmake_minimum_required(VERSION 3.18)
project({name} C)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
add_library({name} {name}.c)
set_target_properties({name} PROPERTIES C_STANDARD 99 POSITION_INDEPENDENT_CODE ON)
target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # SD_SIMD: loops are vectorized where it says so, with functions of libmvec where there are any
  target_compile_definitions({name} PRIVATE SD_SIMD)
  target_compile_options({name} PRIVATE -fopenmp-simd -fno-math-errno -fno-trapping-math)
endif()
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options({name} PRIVATE -fwrapv -ffp-contract=off)
endif()
if(UNIX)
  target_link_libraries({name} PUBLIC m)
endif()
{blas * uses_blas}{test * tested}"""
