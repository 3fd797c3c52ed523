"""Least squares, pseudo-inverses and what else np.linalg makes of inverses and singular values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdiff.ir.types import array_type
from symdiff.ops.decompositions import (
    RECTANGULAR,
    VECTORS,
    ZERO,
    matrices,
    singular_values_tangent,
)
from symdiff.ops.linalg import (
    adjoint,
    conjugate,
    half,
    inexact,
    real_dtype,
    square,
    transposed,
)
from symdiff.ops.primitive import Jvp, Primitive, Samples, Transpose, case, composite, primitive
from symdiff.ops.reductions import one_axis
from symdiff.ops.several import one_of, several


def _number(value: Any, name: str) -> float | None:
    """A tolerance as a number. Raises NotImplementedError where it is an array, or traced."""
    if value is None or isinstance(value, (int, float, np.generic)):
        return value if value is None else float(value)
    raise NotImplementedError(f"np.linalg with {name}= that is no plain number is not traced")


# ---------------------------------------------------------------------------- pseudo-inverse

PSEUDOINVERSE = "takes a pseudoinverse, since columns may depend on each other"


def _pinv_tangent(p: Any, a: Any, a_dot: Any, rcond: float | None, hermitian: bool) -> Any:
    if hermitian:
        a, a_dot = (half(x) + adjoint(half(x)) for x in (a, a_dot))  # one triangle is read
    outside = p @ adjoint(p) @ adjoint(a_dot)
    inside = adjoint(a_dot) @ adjoint(p) @ p
    return outside - outside @ a @ p + inside - p @ a @ inside - p @ a_dot @ p


def _pinv_batch(a: Any, rcond: float | None, hermitian: bool) -> Any:
    return pinv(a, rcond=rcond, hermitian=hermitian)


pinv: Primitive = primitive(
    np.linalg.pinv,
    result=lambda a, rcond, hermitian: a.with_shape((*a.shape[:-2], a.shape[-1], a.shape[-2])),
    jvp={"a": _pinv_tangent},
    batch=_pinv_batch,
    convention="np.linalg.pinv has the derivative along matrices of the same rank.",
    samples=Samples(
        cases=(
            *(case(*each.args, rcond=None, hermitian=False) for each in RECTANGULAR),
            case("c[3,2]", rcond=1e-12, hermitian=False),
            case("f[3,3]:spd", rcond=None, hermitian=True),
            case("c[2,2]:spd", rcond=None, hermitian=True),
        )
    ),
)


@composite(np.linalg.pinv)
def pseudo_inverse(
    a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = 1e-15
) -> Any:
    """The inverse of matrices on the space that they map to; small singular values count as 0."""
    a = matrices(a)
    if rcond is None and rtol is None:
        rcond = max(np.shape(a)[-2:]) * float(np.finfo(a.dtype).eps)
    elif rcond is None and rtol != 1e-15:
        rcond = rtol
    return pinv(a, rcond=_number(rcond, "rcond"), hermitian=bool(hermitian))


# ---------------------------------------------------------------------------- least squares


def _lstsq(a: Any, b: Any, rcond: float | None) -> Any:
    return np.linalg.lstsq(a, b, rcond=rcond)


def _cutoff(a: Any, rcond: float | None) -> float:
    """Below which ratio np.linalg.lstsq takes a singular value for 0."""
    return max(np.shape(a)) * float(np.finfo(float).eps) if rcond is None else rcond


def _solution_tangent(x: Any, a: Any, b: Any, a_dot: Any, rcond: float | None) -> Any:
    p = pinv(a, rcond=_cutoff(a, rcond), hermitian=False)
    outside = adjoint(p) @ (adjoint(a_dot) @ (b - a @ x))
    inside = adjoint(a_dot) @ (adjoint(p) @ x)
    return p @ (outside - a_dot @ x - a @ inside) + inside


def _solution_batch(a: Any, b: Any, rcond: float | None, batched: tuple[bool, bool]) -> Any:
    """One call for one matrix and all right sides; else a pseudo-inverse for each matrix."""
    vector = np.ndim(b) - batched[1] == 1
    if batched == (False, True):
        count, rows = np.shape(b)[:2]
        columns = np.reshape(np.moveaxis(b, 0, 1), (rows, -1))
        found = least_squares(a, columns, rcond=rcond)
        shape = (np.shape(a)[1], count, *np.shape(b)[2:])
        return np.moveaxis(np.reshape(found, shape), 1, 0)
    p = pinv(a, rcond=_cutoff(a[0], rcond), hermitian=False)
    if vector:
        return np.squeeze(p @ np.expand_dims(b, -1), -1)
    return p @ b


def _residuals_tangent_a(
    y: Any, a: Any, b: Any, a_dot: Any, rcond: float | None
) -> Any:
    x = least_squares(a, b, rcond=rcond)
    return _change_of_squares(y, b - a @ x, -(a_dot @ x))


def _residuals_tangent_b(
    y: Any, a: Any, b: Any, b_dot: Any, rcond: float | None
) -> Any:
    return _change_of_squares(y, b - a @ least_squares(a, b, rcond=rcond), b_dot)


def _change_of_squares(y: Any, rest: Any, change: Any) -> Any:
    """The solution itself is where the squares do not change."""
    return np.reshape(2 * np.real(np.sum(conjugate(rest) * change, axis=0)), np.shape(y))


def _residuals_batch(a: Any, b: Any, rcond: float | None, batched: tuple[bool, bool]) -> Any:
    """The squares by their definition: np.linalg.lstsq takes one matrix."""
    x = _solution_batch(a, b, rcond, batched)
    product = np.expand_dims(x, -1) if np.ndim(x) == 2 else x
    side = np.expand_dims(b, -1) if np.ndim(b) - batched[1] == 1 else b
    rest = side - a @ product
    return np.sum(np.real(conjugate(rest) * rest), axis=-2)


def _rank_batch(a: Any, b: Any, rcond: float | None) -> Any:
    found = matrix_rank(a, tol=None, hermitian=False, rtol=_cutoff(a[0], rcond))
    return found.astype(np.int32)


def _values_batch(a: Any, b: Any, rcond: float | None) -> Any:
    return np.linalg.svdvals(a)


SYSTEMS = Samples(
    cases=(
        case("f[4,2]", "f[4]", rcond=None),
        case("f[4,2]", "f[4,3]", rcond=1e-10),
        case("f[2,3]", "f[2]", rcond=None),
        case("f[3,3]:regular", "f[3,2]", rcond=None),
        case("c[3,2]", "c[3]", rcond=None),
    )
)
TALL = Samples(cases=tuple(each for each in SYSTEMS.cases if each.args[0] in ("f[4,2]", "c[3,2]")))


def _lstsq_source(a: str, b: str, rcond: float | None) -> str:
    return f"np.linalg.lstsq({a}, {b}{'' if rcond is None else f', rcond={rcond!r}'})"


_several = several(
    _lstsq,
    name="lstsq",
    numpy=_lstsq_source,
    arguments=("a", "b"),
    parts="solution residuals rank s",
)
least_squares: Primitive = one_of(
    _several,
    0,
    "least_squares",
    result=lambda a, b, rcond: b.with_shape((a.shape[1], *b.shape[1:])),
    rules={
        "a": Jvp(_solution_tangent),
        "b": Transpose(lambda x_bar, a, b, rcond: least_squares(transposed(a), x_bar, rcond=rcond)),
    },
    batch=_solution_batch,
    convention="np.linalg.lstsq has the derivative along matrices of the same rank.",
    samples=SYSTEMS,
)
residuals = one_of(
    _several,
    1,
    "residuals",
    result=lambda a, b, rcond: array_type(real_dtype(b), b.shape[1:] or (1,)),
    rules={"a": Jvp(_residuals_tangent_a), "b": Jvp(_residuals_tangent_b)},
    batch=_residuals_batch,
    convention="np.linalg.lstsq has residuals of shape (0,) for matrices of more columns than "
    "rows, and is taken to have residuals for all others.",
    samples=TALL,
)


rank_of_system = one_of(
    _several,
    2,
    "rank_of_system",
    result=lambda a, b, rcond: array_type(np.int32),
    batch=_rank_batch,
    samples=SYSTEMS,
)
values_of_system = one_of(
    _several,
    3,
    "values_of_system",
    result=lambda a, b, rcond: array_type(real_dtype(a), (min(a.shape),)),
    rules={"a": Jvp(lambda s, a, b, a_dot, rcond: singular_values_tangent(s, a, a_dot))},
    batch=_values_batch,
    convention=ZERO,
    samples=SYSTEMS,
)


@composite(np.linalg.lstsq, cost=PSEUDOINVERSE)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The shortest x that makes a @ x nearest to b, the squares left, rank and singular values."""
    a, b = inexact(a, b)
    options = {"rcond": _number(rcond, "rcond")}
    if np.ndim(a) != 2 or np.ndim(b) not in (1, 2):
        raise ValueError("np.linalg.lstsq takes one matrix, and one or two dimensions of sides")
    if np.shape(a)[0] != np.shape(b)[0]:
        raise ValueError("Incompatible dimensions")
    rows, columns = np.shape(a)
    left = residuals(a, b, **options) if rows > columns else np.zeros(0, np.abs(b).dtype)
    return (
        least_squares(a, b, **options),
        left,
        rank_of_system(a, b, **options),
        values_of_system(a, b, **options),
    )


# ---------------------------------------------------------------------------- rank and condition


def _rank_source(a: str, **options: Any) -> str:
    given = [f"{key}={each!r}" for key, each in options.items() if each not in (None, False)]
    return f"np.linalg.matrix_rank({', '.join([a, *given])})"


def _matrix_rank_batch(a: Any, **options: Any) -> Any:
    return matrix_rank(a, **options)


matrix_rank: Primitive = primitive(
    np.linalg.matrix_rank,
    result=lambda a, tol, hermitian, rtol: array_type(np.int64, a.shape[:-2]),
    arguments=("a",),
    batch=_matrix_rank_batch,
    numpy=_rank_source,
    samples=Samples(
        cases=(
            case("f[3,2]", tol=None, hermitian=False, rtol=None),
            case("f[2,3,3]:spd", tol=None, hermitian=True, rtol=1e-8),
        )
    ),
)


@composite(np.linalg.matrix_rank)
def rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """How many singular values are greater than a tolerance; it has no derivative."""
    if np.ndim(A) < 2:
        return np.any(A != 0).astype(np.int64)
    tol, rtol = _number(tol, "tol"), _number(rtol, "rtol")
    return matrix_rank(inexact(A)[0], tol=tol, hermitian=bool(hermitian), rtol=rtol)


@composite(np.linalg.cond, cost=VECTORS)
def cond(x: Any, p: Any = None) -> Any:
    """The ratio of the largest and the smallest singular value, or a norm times the inverse's."""
    if p is None or p in (2, -2):
        s = np.linalg.svdvals(x)
        above, below = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        return np.where(below == 0, np.inf, above / np.where(below == 0, 1, below))
    x = square(x)
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


# ---------------------------------------------------------------------------- tensors


@composite(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse with respect to np.tensordot over the first `ind` axes."""
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = np.shape(a)
    rows = math.prod(shape[ind:])
    return np.reshape(np.linalg.inv(np.reshape(a, (rows, -1))), shape[ind:] + shape[:ind])


@composite(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """The x of np.tensordot(a, x) = b."""
    ndim = np.ndim(a)
    if axes is not None:
        last = [one_axis(axis, ndim) for axis in axes]
        a = np.transpose(a, [*(axis for axis in range(ndim) if axis not in last), *last])
    shape = np.shape(a)[-(ndim - np.ndim(b)) :]  # with as many axes, all of them
    rows = math.prod(shape)
    return np.reshape(np.linalg.solve(np.reshape(a, (rows, rows)), np.ravel(b)), shape)


if hasattr(np, "matvec"):  # from NumPy 2.2 on

    @composite(np.matvec)
    def matvec(x1: Any, x2: Any) -> Any:
        """Matrices times vectors."""
        return np.squeeze(np.matmul(x1, np.expand_dims(x2, -1)), -1)

    @composite(np.vecmat)
    def vecmat(x1: Any, x2: Any) -> Any:
        """Vectors, conjugated, times matrices."""
        return np.squeeze(np.matmul(np.expand_dims(conjugate(x1), -2), x2), -2)
