"""Polynomials: what NumPy decides on coefficients that are 0.

Loaded when a program first meets one of these functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import polyutils

from symdiff.frontend import guards
from symdiff.ops import polynomials
from symdiff.ops.primitive import composite


@composite(np.roots)
def roots(p: Any) -> Any:
    """The roots, as complex numbers; where values are known, without those of leading zeros."""
    p = np.atleast_1d(p)
    if np.ndim(p) != 1:
        raise ValueError("Input must be a rank-1 array.")
    p = p.astype(np.result_type(p, 0.0))
    leading = 0
    while leading < len(p) and _is_zero(p[leading]):
        leading += 1
    if len(p) - leading < 2:
        return np.zeros(0)
    return polynomials.roots(p, leading=leading)


def _is_zero(coefficient: Any) -> bool:
    return guards.truth_or(False, coefficient == 0)


@composite(polyutils.trimseq)
def trimseq(seq: Any) -> Any:
    """All coefficients: those that happen to be 0 stay, and have derivatives."""
    return seq


@composite(polyutils.mapdomain)
def mapdomain(x: Any, old: Any, new: Any) -> Any:
    """Points of one interval, or a polynomial, mapped to another interval."""
    offset, scale = polyutils.mapparms(old, new)
    return offset + scale * (np.asarray(x) if isinstance(x, (list, tuple)) else x)
