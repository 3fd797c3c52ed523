"""Linear recurrences, of which the derivatives of running products and of other folds are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Jvp, Primitive, Samples, Transpose, case, register
from symdiff.ops.reductions import along
from symdiff.ops.shaping import ROWS, index_set


def before(x: Any, first: Any, axis: int) -> Any:
    """What stands before each element of an axis, and `first` before the first."""
    return np.concatenate([first, x[along(axis, -1)]], axis)


def _pairwise(factor: Any, term: Any, axis: int) -> Any:
    """The recurrence of every second element has half as many steps; the others follow from it.

    Without division, which the product of all factors would take: a factor may be 0.
    """
    extent = np.shape(term)[axis]
    if extent < 2:
        return term
    odd, even = along(axis, 1, None, 2), along(axis, None, -1, 2)
    step, first = factor[odd], term[along(axis, 1)]
    odds = _pairwise(step * factor[even], step * term[even] + term[odd], axis)
    if extent == 2:
        return np.concatenate([first, odds], axis)
    later = along(axis, 2, None, 2)
    evens = factor[later] * odds[along(axis, (extent - 1) // 2)] + term[later]
    made = _stored(np.zeros_like(term), odds, (1, None, 2), axis)
    return _stored(_stored(made, first, (None, 1, None), axis), evens, (2, None, 2), axis)


def _stored(base: Any, part: Any, where: tuple[int | None, ...], axis: int) -> Any:
    """An array with other elements in a slice of an axis."""
    index = (*(ROWS,) * axis, ("slice", *where))
    return index_set(base, part, index=index, distinct=True)


def _result(factor: ArrayType, term: ArrayType, axis: int) -> ArrayType:
    return term


def _backwards(s_bar: Any, factor: Any, term: Any, axis: int) -> Any:
    """The recurrence that runs from the last element to the first."""
    factors = np.flip(factor, axis)
    back = recurrence(
        before(factors, factors[along(axis, 1)], axis), np.flip(s_bar, axis), axis=axis
    )
    return np.flip(back, axis)


def _factor_tangent(s: Any, factor: Any, term: Any, factor_dot: Any, axis: int) -> Any:
    zero = np.zeros_like(term[along(axis, 1)])
    return recurrence(factor, before(s, zero, axis) * factor_dot, axis=axis)


# s[0] = term[0], and s[k] = factor[k] * s[k - 1] + term[k]; nothing depends on factor[0].
recurrence: Primitive = register(
    Primitive(
        name="recurrence",
        function=_pairwise,
        arguments=("factor", "term"),
        result=_result,
        rules={"factor": Jvp(_factor_tangent), "term": Transpose(_backwards)},
        batch=lambda factor, term, axis: recurrence(factor, term, axis=axis + 1),
        expansion=_pairwise,
        samples=Samples(
            cases=(
                case("f[1]", "f[1]", axis=0),
                case("f[2]", "f[2]", axis=0),
                case("f[7]", "f[7]", axis=0),
                case("f[3,4]", "f[3,4]", axis=0),
                case("c[2,5]", "c[2,5]", axis=1),
                case("f[0]", "f[0]", axis=0),
            )
        ),
    )
)
