"""Functions that return several arrays: each array is a primitive, written as a part of one call.

Differentiating and rewriting see `log_abs_det(a)`. Its expansion is `part(slogdet(a), index=1)`,
and since equal nodes are one, a program that needs two parts calls the function once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ir.types import TUPLE, ArrayType, array_type
from symdiff.ops.linalg import (
    REGULAR,
    adjoint,
    inexact,
    real_dtype,
    relative_det,
    square,
    transposed,
)
from symdiff.ops.primitive import (
    CONSTANT,
    Jvp,
    Primitive,
    ResultRule,
    Samples,
    case,
    composite,
    primitive,
    register,
)

part = register(
    Primitive(
        name="part",
        function=lambda results, index, dtype, shape: results[index],
        arguments=("results",),
        result=lambda results, index, dtype, shape: array_type(dtype, shape),
        rules={"results": CONSTANT},
        numpy=lambda results, index, dtype, shape: f"{results}[{index}]",
    )
)


def _several(function: Callable[..., Any], name: str = "", numpy: str = "") -> Primitive:
    """A function of a, whose result is the tuple of its results."""
    return register(
        Primitive(
            name=name or function.__name__,
            function=function,
            arguments=("a",),
            result=lambda a: TUPLE,
            rules={"a": CONSTANT},
            numpy=numpy,
        )
    )


def _one_of(
    several: Primitive,
    index: int,
    name: str,
    result: ResultRule,
    jvp: Callable[..., Any],
    samples: Samples,
    **fields: Any,
) -> Primitive:
    """One result of a function that has several; batched like its function."""

    def function(a: Any) -> Any:
        return several.function(a)[index]

    def expansion(a: Any) -> Any:
        made = result(array_type(a.dtype, a.shape))
        return part(several(a), index=index, dtype=made.dtype, shape=made.shape)

    def batch(a: Any) -> Any:
        return made(a)

    made: Primitive = register(
        Primitive(
            name=name,
            function=function,
            arguments=("a",),
            result=result,
            rules={"a": Jvp(jvp)},
            expansion=expansion,
            batch=batch,
            samples=samples,
            **fields,
        )
    )
    return made


# ---------------------------------------------------------------------------- slogdet


def _sign_tangent(y: Any, a: Any, a_dot: Any) -> Any:
    """The sign of a real determinant is constant; a complex one turns on the unit circle."""
    return y * 1j * np.imag(relative_det(a, a_dot)) if np.iscomplexobj(a) else 0


_slogdet = _several(np.linalg.slogdet)
sign_of_det = _one_of(
    _slogdet,
    0,
    "sign_of_det",
    result=lambda a: a.with_shape(a.shape[:-2]),
    jvp=_sign_tangent,
    samples=REGULAR,
)
log_abs_det = _one_of(
    _slogdet,
    1,
    "log_abs_det",
    result=lambda a: array_type(real_dtype(a), a.shape[:-2]),
    jvp=lambda y, a, a_dot: np.real(relative_det(a, a_dot)),
    samples=REGULAR,
)


@composite(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """The sign and the logarithm of the absolute value of the determinant."""
    a = square(a)
    return SlogdetResult(sign_of_det(a), log_abs_det(a))


# NumPy does not name the type publicly.
SlogdetResult: Any = type(np.linalg.slogdet(np.ones((1, 1))))

# ---------------------------------------------------------------------------- singular values

_svd = _several(
    lambda a: np.linalg.svd(a, full_matrices=False),
    name="svd",
    numpy="np.linalg.svd({a}, full_matrices=False)",
)


def _turns(a: Any, a_dot: Any) -> tuple[Any, Any]:
    """How the left and the right singular vectors turn among themselves.

    Of the phases that complex vectors are free to have, those of the right ones stand still.
    """
    u, s, v = left_vectors(a), singular_values(a), adjoint(right_vectors(a))
    turn = adjoint(u) @ a_dot @ v
    column, row = np.expand_dims(s, -1), np.expand_dims(s, -2)
    same = np.eye(np.shape(s)[-1], dtype=bool)
    # equal singular values have no vectors of their own: 1 / 0, and not some number
    gap = 1 / np.where(same, np.inf, (row - column) * (row + column))
    left = gap * (turn * row + column * adjoint(turn))
    right = gap * (column * turn + adjoint(turn) * row)
    if np.iscomplexobj(a):
        left = left + np.where(same, 1j * np.imag(turn) / column, 0)
    return left, right


def _left_tangent(u: Any, a: Any, a_dot: Any) -> Any:
    left, _ = _turns(a, a_dot)
    outside = a_dot @ adjoint(right_vectors(a)) / np.expand_dims(singular_values(a), -2)
    return u @ left + _without(u, outside, a)


def _right_tangent(vh: Any, a: Any, a_dot: Any) -> Any:
    _, right = _turns(a, a_dot)
    v = adjoint(vh)
    outside = adjoint(a_dot) @ left_vectors(a) / np.expand_dims(singular_values(a), -2)
    return adjoint(v @ right + _without(v, outside, transposed(a)))


def _without(vectors: Any, x: Any, a: Any) -> Any:
    """What of x is outside the space of the vectors: nothing if they span all of it."""
    rows, columns = np.shape(a)[-2:]
    return x - vectors @ (adjoint(vectors) @ x) if rows > columns else np.zeros_like(x)


def _values_tangent(s: Any, a: Any, a_dot: Any) -> Any:
    """Singular values are absolute values of a kind: at 0 the derivative is 0."""
    change = np.sum(np.conj(left_vectors(a)) * (a_dot @ adjoint(right_vectors(a))), axis=-2)
    return np.where(s == 0, 0, np.real(change) if np.iscomplexobj(a) else change)


def _extent(a: ArrayType) -> int:
    return min(a.shape[-2:])


_RECTANGULAR = (case("f[3,2]"), case("f[2,4]"), case("f[2,3,3]:regular"))
left_vectors = _one_of(
    _svd,
    0,
    "left_vectors",
    result=lambda a: a.with_shape((*a.shape[:-1], _extent(a))),
    jvp=_left_tangent,
    samples=Samples(cases=_RECTANGULAR),
)
right_vectors = _one_of(
    _svd,
    2,
    "right_vectors",
    result=lambda a: a.with_shape((*a.shape[:-2], _extent(a), a.shape[-1])),
    jvp=_right_tangent,
    samples=Samples(cases=_RECTANGULAR),
)
# computed without vectors as np.linalg.norm does it: the other algorithm differs in the last bits
singular_values = primitive(
    np.linalg.svdvals,
    name="singular_values",
    result=lambda a: array_type(real_dtype(a), (*a.shape[:-2], _extent(a))),
    jvp={"a": _values_tangent},
    batch=np.linalg.svdvals,
    numpy="np.linalg.svd({a}, compute_uv=False)",
    convention="A singular value of 0 has derivative 0.",
    samples=Samples(cases=(*_RECTANGULAR, case("c[3,2]"), case("c[2,3]"))),
)


@composite(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """The singular values of matrices, from the largest to the smallest."""
    return singular_values(inexact(x)[0])
