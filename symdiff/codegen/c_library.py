"""The C functions that kernels call: those of the library with vector versions, and our own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from symdiff.ops.scipy_pointers import pointers

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
    "sd_logaddexp2": """\
static inline {T} sd_logaddexp2{s}({T} a, {T} b)
{{
    if (a == b)
        return a + 1;
    const {T} d = a - b, e = ({T})1.44269504088896341;
    return d > 0 ? a + e * log1p{s}(exp2{s}(-d)) : d <= 0 ? b + e * log1p{s}(exp2{s}(d)) : d;
}}
""",
    "sd_spacing": """\
static inline {T} sd_spacing{s}({T} x)
{{
    if (isinf(x))
        return NAN;
    const {T} size = fabs{s}(x);
    const {T} step = nextafter{s}(size, INFINITY) - size;
    return x < 0 ? -step : step;
}}
""",
    "sd_fraction": """\
static inline {T} sd_fraction{s}({T} x)
{{
    return copysign{s}(isinf(x) ? 0 : x - trunc{s}(x), x);
}}
""",
    "sd_mantissa": """\
static inline {T} sd_mantissa{s}({T} x)
{{
    int exponent;
    return frexp{s}(x, &exponent);
}}
""",
    "sd_exponent": """\
static inline int sd_exponent{s}({T} x)
{{
    int exponent = 0;
    (void)frexp{s}(x, &exponent);
    return isfinite(x) ? exponent : 0;
}}
""",
    "sd_ldexp_i64": """\
static inline {T} sd_ldexp_i64{s}({T} x, int64_t by)
{{
    return ldexp{s}(x, by > 9999 ? 9999 : by < -9999 ? -9999 : (int)by);
}}
""",
    "sd_fmod_i64": """\
static inline int64_t sd_fmod_i64(int64_t a, int64_t b)
{{
    return b == 0 || b == -1 ? 0 : a % b;
}}
""",
    "sd_power_i64": """\
static inline int64_t sd_power_i64(int64_t x, int n)
{{
    uint64_t y = 1, power = (uint64_t)x;
    for (; n; n /= 2, power *= power)
        if (n % 2)
            y *= power;
    return (int64_t)y;
}}
""",
    "sd_gcd_i64": """\
static inline int64_t sd_gcd_i64(int64_t a, int64_t b)
{{
    uint64_t u = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, v = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
    while (v) {{
        const uint64_t rest = u % v;
        u = v;
        v = rest;
    }}
    return (int64_t)u;
}}
""",
    "sd_lcm_i64": """\
static inline int64_t sd_lcm_i64(int64_t a, int64_t b)
{{
    uint64_t u = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, v = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
    const uint64_t first = u, second = v;
    while (v) {{
        const uint64_t rest = u % v;
        u = v;
        v = rest;
    }}
    return (int64_t)(u ? first / u * second : 0);
}}
""",
    "sd_bits_i64": """\
static inline int sd_bits_i64(int64_t x)
{{
    uint64_t rest = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    int count = 0;
    for (; rest; rest &= rest - 1)
        count++;
    return count;
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


def of_scipy(functions: Collection[str]) -> list[str]:
    """The functions of scipy.special among these, in order."""
    return sorted({_plain(each) for each in functions if each.startswith("sp_")})


def _plain(name: str) -> str:
    """A function of scipy.special as SciPy calls it: without prefix, and suffix of its dtype."""
    own = name.removeprefix("sp_")
    return own if own in pointers() else own.removesuffix("f")


def scipy_functions(functions: Collection[str]) -> Iterator[str]:
    """The text that makes functions of the addresses that a loader finds for these names."""
    names = of_scipy(functions)
    if names:
        yield (f"/* scipy.special: {' '.join(names)} */\n"
               "static void (*const *sd_special)(void);\n")
    for i, name in enumerate(names):
        letters = "abcdefg"[: pointers()[name].doubles]
        given, types = ", ".join(letters), ", ".join(["double"] * len(letters))
        for type, suffix in (("double", ""), ("float", "f")):
            if f"sp_{name}{suffix}" in functions:
                taken = ", ".join([f"{type} {each}" for each in letters])
                call = f"((double (*)({types}, int))sd_special[{i}])({given}, 0)"
                yield (f"static {type} sp_{name}{suffix}({taken})\n{{\n"
                       f"    return ({type}){call};\n}}\n")


def calls_of(name: str) -> list[str]:
    """The functions that one of ours calls, those that these call too."""
    found, waiting = [], [name]
    while waiting:
        own = waiting.pop()
        suffix = "" if own in _HELPERS else "f"
        text = _HELPERS.get(own.removesuffix(suffix), "").partition("\n")[2]
        called = [f"{each}{suffix}" for each in re.findall(r"(\w+)\{s\}\(", text)]
        waiting += called
        found += called
    return found


def _double(name: str) -> str:
    """The function in double precision; erf does not end in a suffix."""
    return name if name in _UNARY | _BINARY else name.removesuffix("f")


def _declared(name: str) -> str:
    type = "double" if _double(name) == name else "float"
    count = 2 if _double(name) in _BINARY else 1
    return f"SD_VECTOR extern {type} {name}({', '.join([type] * count)});\n"
