"""The C functions that kernels call: those of the library with vector versions, and our own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

# Of these glibc has vector versions on x86-64, which GNU C calls where they are declared so.
_VECTOR = """\
#if defined(SD_SIMD) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) \\
    && defined(__x86_64__)
#define SD_VECTOR _Pragma("omp declare simd notinbranch")
#else
#define SD_VECTOR
#endif
"""
_UNARY = {
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "erf", "erfc",
}
_BINARY = {"pow", "atan2", "hypot"}

# Quotients that are rounded down, as NumPy rounds them.
_HELPERS = {
    "sd_remainder": """\
static inline {T} sd_remainder{s}({T} a, {T} b)
{{
    const {T} m = fmod{s}(a, b);
    if (b == 0 || m != m)
        return m;
    if (m == 0)
        return copysign{s}(0, b);
    return (b < 0) != (m < 0) ? m + b : m;
}}
""",
    "sd_floor_divide": """\
static inline {T} sd_floor_divide{s}({T} a, {T} b)
{{
    const {T} m = fmod{s}(a, b);
    if (b == 0)
        return a / b;
    {T} q = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0))
        q -= 1;
    if (q == 0)
        return copysign{s}(0, a / b);
    const {T} f = floor{s}(q);
    return q - f > ({T})0.5 ? f + 1 : f;
}}
""",
    "sd_logaddexp": """\
static inline {T} sd_logaddexp{s}({T} a, {T} b)
{{
    if (a == b)
        return a + ({T})0.693147180559945309;
    const {T} d = a - b;
    return d > 0 ? a + log1p{s}(exp{s}(-d)) : d <= 0 ? b + log1p{s}(exp{s}(d)) : d;
}}
""",
    "sd_remainder_i64": """\
static inline int64_t sd_remainder_i64(int64_t a, int64_t b)
{{
    if (b == 0 || b == -1)
        return 0;
    const int64_t m = a % b;
    return m != 0 && (b < 0) != (m < 0) ? m + b : m;
}}
""",
    "sd_floor_divide_i64": """\
static inline int64_t sd_floor_divide_i64(int64_t a, int64_t b)
{{
    if (b == 0)
        return 0;
    if (b == -1)
        return (int64_t)(0 - (uint64_t)a);
    const int64_t q = a / b;
    return a % b != 0 && (b < 0) != (a < 0) ? q - 1 : q;
}}
""",
}


def declarations(functions: Collection[str]) -> Iterator[str]:
    """The text that declares these functions."""
    vector = sorted(each for each in functions if _double(each) in _UNARY | _BINARY)
    if vector:
        yield _VECTOR + "".join([_declared(each) for each in vector])
    for name, text in _HELPERS.items():
        for type, suffix in (("double", ""), ("float", "f")):
            if f"{name}{suffix}" in functions:
                yield text.format(T=type, s=suffix)


def calls_of(name: str) -> list[str]:
    """The functions that one of ours calls."""
    suffix = "" if name in _HELPERS else "f"
    text = _HELPERS.get(name.removesuffix(suffix), "")
    return [f"{each}{suffix}" for each in re.findall(r"(\w+)\{s\}\(", text.partition("\n")[2])]


def _double(name: str) -> str:
    """The function in double precision; erf does not end in a suffix."""
    return name if name in _UNARY | _BINARY else name.removesuffix("f")


def _declared(name: str) -> str:
    type = "double" if _double(name) == name else "float"
    count = 2 if _double(name) in _BINARY else 1
    return f"SD_VECTOR extern {type} {name}({', '.join([type] * count)});\n"
