"""The C functions of whole arrays: each for a dtype, which is T in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from symdiff.schedule.loops import C_TYPES

# What one needs stands before it. NAN(x) is 0 where the dtype has none. Those that give a number
# say whether the program can go on: then it is 0.
_TEXTS = {
    "sd_before": """\
static inline int sd_before_T(T a, T b)
{
    return a < b || (NAN(b) && !NAN(a));
}
""",
    "sd_cumsum": """\
SD_KERNEL void sd_cumsum_T(const T *x, T *restrict y, ptrdiff_t n)
{
    T s = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = s = (T)(s + x[i]);
}
""",
    "sd_cumprod": """\
SD_KERNEL void sd_cumprod_T(const T *x, T *restrict y, ptrdiff_t n)
{
    T s = 1;
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = s = (T)(s * x[i]);
}
""",
    "sd_argmax": """\
SD_KERNEL void sd_argmax_T(const T *x, int64_t *y, ptrdiff_t n)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 1; i < n && !NAN(x[at]); i++)
        if (x[i] > x[at] || NAN(x[i]))
            at = i;
    *y = at;
}
""",
    "sd_argmin": """\
SD_KERNEL void sd_argmin_T(const T *x, int64_t *y, ptrdiff_t n)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 1; i < n && !NAN(x[at]); i++)
        if (x[i] < x[at] || NAN(x[i]))
            at = i;
    *y = at;
}
""",
    # of nothing but NaN there is no place
    "sd_nanargmax": """\
SD_KERNEL int sd_nanargmax_T(const T *x, int64_t *y, ptrdiff_t n)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 1; i < n; i++)
        if (x[i] > x[at] || (NAN(x[at]) && !NAN(x[i])))
            at = i;
    *y = at;
    return NAN(x[at]);
}
""",
    "sd_nanargmin": """\
SD_KERNEL int sd_nanargmin_T(const T *x, int64_t *y, ptrdiff_t n)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 1; i < n; i++)
        if (x[i] < x[at] || (NAN(x[at]) && !NAN(x[i])))
            at = i;
    *y = at;
    return NAN(x[at]);
}
""",
    # short runs by insertion, merged; equal elements keep their order
    "sd_sort": """\
SD_KERNEL void sd_sort_T(const T *x, T *y, ptrdiff_t n, void *work)
{
    T *from = y, *to = work;
    for (ptrdiff_t start = 0; start < n; start += 16) {
        const ptrdiff_t end = start + 16 < n ? start + 16 : n;
        for (ptrdiff_t i = start; i < end; i++) {
            ptrdiff_t j = i;
            for (; j > start && sd_before_T(x[i], y[j - 1]); j--)
                y[j] = y[j - 1];
            y[j] = x[i];
        }
    }
    for (ptrdiff_t width = 16; width < n; width *= 2) {
        for (ptrdiff_t start = 0; start < n; start += 2 * width) {
            const ptrdiff_t middle = start + width < n ? start + width : n;
            const ptrdiff_t end = middle + width < n ? middle + width : n;
            ptrdiff_t i = start, j = middle;
            for (ptrdiff_t k = start; k < end; k++) {
                const int second = i == middle || (j < end && sd_before_T(from[j], from[i]));
                to[k] = second ? from[j++] : from[i++];
            }
        }
        T *const other = from;
        from = to;
        to = other;
    }
    if (from != y)
        memcpy(y, from, (size_t)n * sizeof(T));
}
""",
    "sd_argsort": """\
SD_KERNEL void sd_argsort_T(const T *x, int64_t *y, ptrdiff_t n, void *work)
{
    int64_t *from = y, *to = work;
    for (ptrdiff_t start = 0; start < n; start += 16) {
        const ptrdiff_t end = start + 16 < n ? start + 16 : n;
        for (ptrdiff_t i = start; i < end; i++) {
            ptrdiff_t j = i;
            for (; j > start && sd_before_T(x[i], x[y[j - 1]]); j--)
                y[j] = y[j - 1];
            y[j] = i;
        }
    }
    for (ptrdiff_t width = 16; width < n; width *= 2) {
        for (ptrdiff_t start = 0; start < n; start += 2 * width) {
            const ptrdiff_t middle = start + width < n ? start + width : n;
            const ptrdiff_t end = middle + width < n ? middle + width : n;
            ptrdiff_t i = start, j = middle;
            for (ptrdiff_t k = start; k < end; k++) {
                const int second = i == middle || (j < end && sd_before_T(x[from[j]], x[from[i]]));
                to[k] = second ? from[j++] : from[i++];
            }
        }
        int64_t *const other = from;
        from = to;
        to = other;
    }
    if (from != y)
        memcpy(y, from, (size_t)n * sizeof(int64_t));
}
""",
    # how many of x come before v; with `right` also those that are equal
    "sd_place": """\
static inline ptrdiff_t sd_place_T(const T *x, ptrdiff_t n, T v, ptrdiff_t right)
{
    ptrdiff_t low = 0, high = n;
    while (low < high) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (right ? !sd_before_T(v, x[middle]) : sd_before_T(x[middle], v))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
""",
    "sd_searchsorted": """\
SD_KERNEL void sd_searchsorted_T(const T *x, const T *v, int64_t *y, ptrdiff_t n, ptrdiff_t size,
    ptrdiff_t right)
{
    for (ptrdiff_t i = 0; i < size; i++)
        y[i] = sd_place_T(x, n, v[i], right);
}
""",
    # edges that fall are those of the opposite numbers
    "sd_digitize": """\
SD_KERNEL int sd_digitize_T(const T *v, const T *x, int64_t *y, ptrdiff_t n, ptrdiff_t size,
    ptrdiff_t right, void *work)
{
    T *const turned = work;
    ptrdiff_t first = 1;
    while (first < n && x[first] == x[first - 1])
        first++;
    const int falls = first < n && !(x[first - 1] < x[first]);
    for (ptrdiff_t i = 0; i < n; i++) {
        turned[n - 1 - i] = x[i];
        if (i && (falls ? x[i - 1] < x[i] : x[i - 1] > x[i]))
            return 1;
    }
    for (ptrdiff_t i = 0; i < size; i++)
        y[i] = falls ? n - sd_place_T(turned, n, v[i], right) : sd_place_T(x, n, v[i], right);
    return 0;
}
""",
    # numbers that are negative, or too large, are an error
    "sd_bincount": """\
SD_KERNEL int sd_bincount_T(const T *x, int64_t *y, ptrdiff_t n, ptrdiff_t length)
{
    for (ptrdiff_t i = 0; i < length; i++)
        y[i] = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)x[i];
        if (at >= (uint64_t)length)
            return 1;
        y[at]++;
    }
    return 0;
}
""",
    "sd_weighted_bincount": """\
SD_KERNEL int sd_weighted_bincount_T(const T *x, const double *weights, double *y, ptrdiff_t n,
    ptrdiff_t length)
{
    for (ptrdiff_t i = 0; i < length; i++)
        y[i] = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)x[i];
        if (at >= (uint64_t)length)
            return 1;
        y[at] += weights[i];
    }
    return 0;
}
""",
    # from the nearer side, and from the other one where that is NaN; beyond the data what is there
    "sd_interp": """\
SD_KERNEL void sd_interp_T(const T *v, const T *x, const T *f, T *y, ptrdiff_t n, ptrdiff_t size,
    ptrdiff_t left, ptrdiff_t right)
{
    for (ptrdiff_t i = 0; i < size; i++) {
        const T at = v[i];
        const ptrdiff_t j = sd_place_T(x, n, at, 1) - 1;
        if (NAN(at))
            y[i] = at;
        else if (j < 0)
            y[i] = left ? 0 : f[0];
        else if (at > x[n - 1])
            y[i] = right ? 0 : f[n - 1];
        else if (j == n - 1 || x[j] == at)
            y[i] = f[j];
        else {
            const T slope = (f[j + 1] - f[j]) / (x[j + 1] - x[j]);
            T found = slope * (at - x[j]) + f[j];
            if (NAN(found))
                found = slope * (at - x[j + 1]) + f[j + 1];
            y[i] = NAN(found) && f[j] == f[j + 1] ? f[j] : found;
        }
    }
}
""",
    "sd_nonzero": """\
SD_KERNEL int sd_nonzero_T(const T *x, int64_t *y, ptrdiff_t n, ptrdiff_t count)
{
    ptrdiff_t found = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        if (x[i] != 0) {
            if (found == count)
                return 1;
            y[found++] = i;
        }
    return found != count;
}
""",
}
_CALL = re.compile(r"\b(sd_\w+)_T\(")


def functions(needed: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The text of functions, each for a dtype by its short name, and of what they call."""
    waiting, found = list(needed), set()
    while waiting:
        name, dtype = waiting.pop()
        if (name, dtype) not in found:
            found.add((name, dtype))
            waiting += [(each, dtype) for each in _CALL.findall(_TEXTS[name]) if each != name]
    types = {short(dtype): dtype for dtype in C_TYPES}
    for name, text in _TEXTS.items():
        for dtype in sorted(each for own, each in found if own == name):
            yield _typed(text, types[dtype])


def stops(name: str) -> bool:
    """Whether a function says if the program can go on."""
    return f"int {name}_T(" in _TEXTS[name]


def short(dtype: np.dtype[Any]) -> str:
    """The name of a dtype in that of a function."""
    return f"{dtype.kind}{8 * dtype.itemsize}"


def _typed(text: str, dtype: np.dtype[Any]) -> str:
    is_nan = r"(\1 != \1)" if dtype.kind == "f" else "0"
    text = re.sub(r"\bNAN\(([^()]*)\)", is_nan, text)
    text = re.sub(r"_T\(", f"_{short(dtype)}(", text)
    return re.sub(r"\bT\b", C_TYPES[dtype], text)
