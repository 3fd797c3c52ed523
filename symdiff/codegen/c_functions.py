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
    "sd_finite": """\
static inline int sd_finite_T(const T *x, ptrdiff_t n)
{
    int finite = 1;
    for (ptrdiff_t i = 0; i < n; i++)
        finite &= x[i] - x[i] == 0;
    return finite;
}
""",
    # Gauss, with rows exchanged for large pivots: the sign of that, or 0 of a singular matrix
    "sd_eliminate": """\
static int sd_eliminate_T(T *restrict a, T *restrict b, ptrdiff_t n, ptrdiff_t k)
{
    int sign = 1;
    for (ptrdiff_t j = 0; j < n; j++) {
        ptrdiff_t at = j;
        for (ptrdiff_t i = j + 1; i < n; i++)
            if (fabs(a[i * n + j]) > fabs(a[at * n + j]))
                at = i;
        if (a[at * n + j] == 0)
            return 0;
        if (at != j) {
            for (ptrdiff_t l = j; l < n; l++) {
                const T kept = a[j * n + l];
                a[j * n + l] = a[at * n + l];
                a[at * n + l] = kept;
            }
            for (ptrdiff_t l = 0; l < k; l++) {
                const T kept = b[j * k + l];
                b[j * k + l] = b[at * k + l];
                b[at * k + l] = kept;
            }
            sign = -sign;
        }
        for (ptrdiff_t i = j + 1; i < n; i++) {
            const T factor = a[i * n + j] / a[j * n + j];
            SIMD
            for (ptrdiff_t l = j + 1; l < n; l++)
                a[i * n + l] -= factor * a[j * n + l];
            SIMD
            for (ptrdiff_t l = 0; l < k; l++)
                b[i * k + l] -= factor * b[j * k + l];
        }
    }
    return sign;
}
""",
    "sd_solve": """\
SD_KERNEL int sd_solve_T(const T *a, const T *b, T *y, ptrdiff_t n, ptrdiff_t k, void *work)
{
    T *const u = work;
    memcpy(u, a, (size_t)(n * n) * sizeof(T));
    memcpy(y, b, (size_t)(n * k) * sizeof(T));
    if (!sd_eliminate_T(u, y, n, k))
        return 1;
    for (ptrdiff_t i = n - 1; i >= 0; i--) {
        for (ptrdiff_t j = i + 1; j < n; j++) {
            const T factor = u[i * n + j];
            SIMD
            for (ptrdiff_t l = 0; l < k; l++)
                y[i * k + l] -= factor * y[j * k + l];
        }
        for (ptrdiff_t l = 0; l < k; l++)
            y[i * k + l] /= u[i * n + i];
    }
    return 0;
}
""",
    "sd_inv": """\
SD_KERNEL int sd_inv_T(const T *a, T *y, ptrdiff_t n, ptrdiff_t checked, void *work)
{
    T *const one = (T *)work + n * n;
    for (ptrdiff_t i = 0; i < n * n; i++)
        one[i] = i % (n + 1) == 0;
    return (checked && !sd_finite_T(a, n * n)) || sd_solve_T(a, one, y, n, n, work);
}
""",
    "sd_det": """\
SD_KERNEL int sd_det_T(const T *a, T *y, ptrdiff_t n, ptrdiff_t checked, void *work)
{
    T *const u = work;
    memcpy(u, a, (size_t)(n * n) * sizeof(T));
    *y = (T)sd_eliminate_T(u, u + n * n, n, 0);
    for (ptrdiff_t i = 0; i < n && *y != 0; i++)
        *y *= u[i * n + i];
    return checked && !sd_finite_T(a, n * n);
}
""",
    "sd_slogdet": """\
SD_KERNEL void sd_slogdet_T(const T *a, T *sign, T *size, ptrdiff_t n, void *work)
{
    T *const u = work;
    memcpy(u, a, (size_t)(n * n) * sizeof(T));
    *sign = (T)sd_eliminate_T(u, u + n * n, n, 0);
    *size = *sign == 0 ? -INFINITY : 0;
    for (ptrdiff_t i = 0; i < n && *sign != 0; i++) {
        const T x = u[i * n + i];
        if (x < 0)
            *sign = -*sign;
        *size += (T)log(fabs(x));
        if (x != x)
            *sign = x;
    }
}
""",
    # by rows of the lower triangle, or by columns of the upper one; the other one is not read
    "sd_cholesky": """\
SD_KERNEL int sd_cholesky_T(const T *a, T *y, ptrdiff_t n, ptrdiff_t lower, ptrdiff_t keeps,
    ptrdiff_t checked)
{
    if (checked && !sd_finite_T(a, n * n))
        return 1;
    const ptrdiff_t down = lower ? n : 1, right = lower ? 1 : n;
    for (ptrdiff_t i = 0; i < n * n; i++)
        y[i] = keeps ? a[i] : 0;
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j++) {
            T s = a[i * down + j * right];
            for (ptrdiff_t l = 0; l < j; l++)
                s -= y[i * down + l * right] * y[j * down + l * right];
            if (i == j && !(s > 0))
                return 1;
            y[i * down + j * right] = i == j ? (T)sqrt(s) : s / y[j * down + j * right];
        }
    return 0;
}
""",
    "sd_substitute": """\
SD_KERNEL int sd_substitute_T(const T *a, const T *b, T *y, ptrdiff_t n, ptrdiff_t k,
    ptrdiff_t lower, ptrdiff_t turned, ptrdiff_t unit, ptrdiff_t checked)
{
    if (checked && !(sd_finite_T(a, n * n) && sd_finite_T(b, n * k)))
        return 1;
    const int forward = (lower != 0) != (turned != 0);
    const ptrdiff_t down = turned ? 1 : n, right = turned ? n : 1;
    memcpy(y, b, (size_t)(n * k) * sizeof(T));
    for (ptrdiff_t step = 0; step < n; step++) {
        const ptrdiff_t i = forward ? step : n - 1 - step;
        for (ptrdiff_t other = 0; other < step; other++) {
            const ptrdiff_t j = forward ? other : n - 1 - other;
            const T factor = a[i * down + j * right];
            for (ptrdiff_t l = 0; l < k; l++)
                y[i * k + l] -= factor * y[j * k + l];
        }
        const T pivot = unit ? 1 : a[i * n + i];
        if (pivot == 0)
            return 1;
        for (ptrdiff_t l = 0; l < k; l++)
            y[i * k + l] /= pivot;
    }
    return 0;
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
