"""Products of small matrices with vectors as C: loops of constant length, without calls.

They are written so that compilers keep sums in registers: a few sums of a row at a time, or a few
columns at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.schedule.loops import C_TYPES

MOST = 1024  # elements of a matrix: for larger ones lengths that are no constants are as good

_ROWS = """\
SD_KERNEL void K_NAME(const {T} *restrict a, const {T} *restrict x, {T} *restrict y, int adds)
{{
    for (ptrdiff_t i = 0; i < {rows}; i++) {{
        const {T} *const row = a + i * {lead};
        {T} s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        ptrdiff_t j = 0;
        for (; j + 4 <= {inner}; j += 4) {{
            s0 += row[j] * x[{at0}];
            s1 += row[j + 1] * x[{at1}];
            s2 += row[j + 2] * x[{at2}];
            s3 += row[j + 3] * x[{at3}];
        }}
        for (; j < {inner}; j++)
            s0 += row[j] * x[{at0}];
        const {T} s = (s0 + s1) + (s2 + s3);
        y[i] = adds ? y[i] + s : s;
    }}
}}
"""
_COLUMNS = """\
SD_KERNEL void K_NAME(const {T} *restrict a, const {T} *restrict x, {T} *restrict y, int adds)
{{
    {T} s[{rows}];
    SIMD
    for (ptrdiff_t i = 0; i < {rows}; i++)
        s[i] = adds ? y[i] : 0;
    ptrdiff_t j = 0;
    for (; j + 4 <= {inner}; j += 4) {{
        const {T} *const c = a + j * {lead};
        const {T} v0 = x[{at0}], v1 = x[{at1}], v2 = x[{at2}], v3 = x[{at3}];
        SIMD
        for (ptrdiff_t i = 0; i < {rows}; i++)
            s[i] += (c[i] * v0 + c[i + {lead}] * v1) + (c[i + {lead2}] * v2 + c[i + {lead3}] * v3);
    }}
    for (; j < {inner}; j++) {{
        const {T} v = x[{at0}];
        SIMD
        for (ptrdiff_t i = 0; i < {rows}; i++)
            s[i] += a[j * {lead} + i] * v;
    }}
    SIMD
    for (ptrdiff_t i = 0; i < {rows}; i++)
        y[i] = s[i];
}}
"""


def matrix_vector(
    how: str, rows: int, inner: int, lead: int, step: int, dtype: np.dtype[Any]
) -> str:
    """A function of a matrix, a vector and the result, which may be added to.

    The matrix lies row by row (how is "N") or column by column ("T"), `lead` elements apart; those
    of the vector are `step` apart.
    """
    places = [f"j + {i}" if i else "j" for i in range(4)]
    if step != 1:
        places = [f"({place}) * {step}" for place in places]
    text = _ROWS if how == "N" else _COLUMNS
    return text.format(
        T=C_TYPES[dtype], rows=rows, inner=inner, lead=lead, lead2=2 * lead, lead3=3 * lead,
        **{f"at{i}": place for i, place in enumerate(places)},
    )
