"""scipy.linalg: LU with its permutation, the polar decomposition, bases of range and kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.linalg import adjoint
from symdiff.ops.primitive import Samples, array_of, case, composite
from symdiff.ops.several import one_of, several

# ---------------------------------------------------------------------------- LU


def _tall(a: Any) -> int:
    """How many rows and columns the square part of a matrix has."""
    return int(min(np.shape(a)[-2:]))


def _lu_type(rows: bool) -> Any:
    def result(a: ArrayType) -> ArrayType:
        m, n = a.shape[-2:]
        k = min(m, n)
        return a.with_shape((*a.shape[:-2], *((m, k) if rows else (k, n))))

    return result


def _moved_factors(a: Any, a_dot: Any) -> tuple[Any, Any]:
    """The tangents of L and U: L tril(M, -1) and triu(M) U, with M = L⁻¹ a_dot U⁻¹."""
    places, lower, upper = lu_order(a), lu_lower(a), lu_upper(a)
    k = _tall(a)  # what is beside the square part follows from it
    moved = np.take_along_axis(a_dot, np.argsort(places, axis=-1)[..., None], axis=-2)
    left, right = lower[..., :k, :], upper[..., :, :k]
    inner = np.linalg.solve(left, moved[..., :k, :k])
    inner = np.swapaxes(
        np.linalg.solve(np.swapaxes(right, -1, -2), np.swapaxes(inner, -1, -2)), -1, -2
    )
    below, above = np.tril(inner, -1), np.triu(inner)
    lower_dot, upper_dot = left @ below, above @ right
    if np.shape(a)[-2] > k:
        rest = moved[..., k:, :] - lower[..., k:, :] @ upper_dot
        rest = np.linalg.solve(np.swapaxes(right, -1, -2), np.swapaxes(rest, -1, -2))
        lower_dot = np.concatenate([lower_dot, np.swapaxes(rest, -1, -2)], -2)
    if np.shape(a)[-1] > k:
        rest = moved[..., :k, k:] - lower_dot @ upper[..., :, k:]
        upper_dot = np.concatenate([upper_dot, np.linalg.solve(left, rest)], -1)
    return lower_dot, upper_dot


_SHAPES = Samples(
    cases=(case("f[3,3]"), case("f[4,2]:regular"), case("f[2,4]:regular"), case("c[2,2]:regular"))
)
_lu = several(
    lambda a: sl.lu(a, p_indices=True),
    name="scipy_lu",
    numpy=lambda a: f"scipy.linalg.lu({a}, p_indices=True)",
    parts="p l u",
)
lu_order = one_of(
    _lu,
    0,
    "lu_order",
    result=lambda a: array_type(np.int32, a.shape[:-1]),
    samples=_SHAPES,
)
lu_lower = one_of(
    _lu,
    1,
    "lu_lower",
    result=_lu_type(rows=True),
    jvp=lambda y, a, a_dot: _moved_factors(a, a_dot)[0],
    samples=_SHAPES,
)
lu_upper = one_of(
    _lu,
    2,
    "lu_upper",
    result=_lu_type(rows=False),
    jvp=lambda y, a, a_dot: _moved_factors(a, a_dot)[1],
    samples=_SHAPES,
)


def _matrix(a: Any) -> Any:
    a = array_of(a)
    if np.ndim(a) < 2 or not np.size(a):
        raise ValueError("a matrix is expected, with elements")
    return a if a.dtype.kind in "fc" else a.astype(np.float64)


@composite(sl.lu)
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True,
    p_indices: bool = False,
) -> Any:  # fmt: skip
    """The factors of a matrix with its rows in another order, and that order."""
    a = _matrix(a)
    places, lower, upper = lu_order(a), lu_lower(a), lu_upper(a)
    if permute_l:
        return np.take_along_axis(lower, places[..., None], axis=-2), upper
    if p_indices:
        return places, lower, upper
    rows = np.shape(a)[-2]
    unit = np.broadcast_to(np.eye(rows, dtype=upper.real.dtype), (*np.shape(a)[:-2], rows, rows))
    return np.take_along_axis(unit, places[..., None], axis=-2), lower, upper


# ---------------------------------------------------------------------------- polar


def _turn(u: Any, p: Any, a_dot: Any) -> Any:
    """uᴴ u_dot, which is skew: p turn + turn p = uᴴ a_dot - a_dotᴴ u."""
    values, vectors = np.linalg.eigh(p)
    skew = adjoint(u) @ a_dot
    inner = adjoint(vectors) @ (skew - adjoint(skew)) @ vectors
    inner = inner / (values[..., :, None] + values[..., None, :])
    return vectors @ inner @ adjoint(vectors)


def _unitary_tangent(u: Any, a: Any, a_dot: Any) -> Any:
    p = polar_positive(a)
    turn = _turn(u, p, a_dot)
    if np.shape(a)[-2] == np.shape(a)[-1]:
        return u @ turn
    outside = a_dot - u @ (adjoint(u) @ a_dot)
    return u @ turn + adjoint(np.linalg.solve(p, adjoint(outside)))


def _positive_tangent(p: Any, a: Any, a_dot: Any) -> Any:
    u = polar_unitary(a)
    moved = adjoint(u) @ a_dot - _turn(u, p, a_dot) @ p
    return (moved + adjoint(moved)) / 2


def _each(name: str) -> Any:
    def batch(a: Any) -> Any:
        op = polar_unitary if name == "u" else polar_positive
        return np.stack([op(a[i]) for i in range(np.shape(a)[0])])

    return batch


_TALL = Samples(cases=(case("f[3,3]:regular"), case("f[4,2]:regular"), case("c[2,2]:regular")))
_polar = several(sl.polar, name="scipy_polar", numpy="scipy.linalg.polar", parts="u p")
polar_unitary = one_of(
    _polar, 0, "polar_unitary", result=lambda a: a, jvp=_unitary_tangent, samples=_TALL,
    batch=_each("u"),
)  # fmt: skip
polar_positive = one_of(
    _polar,
    1,
    "polar_positive",
    result=lambda a: a.with_shape((a.shape[-1],) * 2),
    jvp=_positive_tangent,
    samples=_TALL,
    batch=_each("p"),
)


@composite(sl.polar)
def polar(a: Any, side: str = "right") -> Any:
    """The isometry that is nearest to a matrix, and the positive matrix that is left."""
    a = _matrix(a)
    if np.ndim(a) != 2:
        raise ValueError("`a` must be a 2-D array.")
    if side not in ("right", "left"):
        raise ValueError("`side` must be either 'right' or 'left'")
    turned = a if side == "right" else adjoint(a)
    if np.shape(turned)[0] < np.shape(turned)[1]:
        other = "left" if side == "right" else "right"
        raise NotImplementedError(
            f"scipy.linalg.polar with side={side!r} of a matrix of shape {np.shape(a)}, where the "
            f"positive factor is singular, is not traced; side={other!r} is"
        )
    u, p = polar_unitary(turned), polar_positive(turned)
    return (u, p) if side == "right" else (adjoint(u), p)


# ---------------------------------------------------------------------------- range and kernel


def _rank(a: Any, s: Any, rcond: Any) -> int:
    """How many singular values count, in the call that is traced for: of each matrix as many."""
    rcond = np.finfo(s.dtype).eps * max(np.shape(a)[-2:]) if rcond is None else rcond
    if np.ndim(s) == 1:
        return int(np.sum(s > np.max(s) * rcond))
    counts = np.sum(s > np.max(s, axis=-1, keepdims=True) * rcond, axis=-1)
    least, most = int(np.min(counts)), int(np.max(counts))
    if least != most:
        raise ValueError("the matrices have not the same rank")
    return most


@composite(sl.orth)
def orth(A: Any, rcond: Any = None) -> Any:
    """Orthonormal columns that span what a matrix maps to."""
    u, s, _ = np.linalg.svd(_matrix(A), full_matrices=False)
    return u[..., : _rank(A, s, rcond)]


@composite(sl.null_space)
def null_space(
    A: Any, rcond: Any = None, *, overwrite_a: bool = False, check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """Orthonormal columns that span what a matrix maps to 0."""
    _, s, vh = np.linalg.svd(_matrix(A), full_matrices=True)
    return adjoint(vh[..., _rank(A, s, rcond) :, :])
