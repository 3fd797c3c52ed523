"""Decompositions of matrices: singular values, eigenvalues, QR.

What a decomposition leaves free, the phases of vectors or a basis of what is left over, stands
still: whatever does not depend on that choice has the right derivative. Vectors of equal singular
values or eigenvalues have no derivative, and that is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.linalg import adjoint, conjugate, half, inexact, real_dtype, square, transposed
from symdiff.ops.primitive import Primitive, Samples, case, composite, primitive
from symdiff.ops.render import dtype_source
from symdiff.ops.several import one_of, result_type, several


def matrices(a: Any) -> Any:
    """Matrices in a dtype that np.linalg computes in."""
    if np.ndim(a) < 2:
        raise np.linalg.LinAlgError(
            f"{np.ndim(a)}-dimensional array given. Array must be at least two-dimensional"
        )
    return inexact(a)[0]


def _extent(a: ArrayType) -> int:
    return min(a.shape[-2:])


def _diagonal(x: Any) -> Any:
    """Whether an element of x is on the diagonal."""
    return np.eye(np.shape(x)[-1], dtype=bool)


def inverse_gaps(gaps: Any) -> Any:
    """1 / gaps, and 0 on the diagonal. Equal values have no vectors of their own: 1 / 0."""
    return 1 / np.where(_diagonal(gaps), np.inf, gaps)


def _columns(x: Any, count: int) -> Any:
    """The first columns."""
    return x if np.shape(x)[-1] == count else x[..., :count]


def _rows(x: Any, count: int) -> Any:
    """The first rows."""
    return x if np.shape(x)[-2] == count else x[..., :count, :]


def _moved(vectors: Any, turn: Any, pull: Any) -> Any:
    """The tangent of orthonormal columns.

    The first ones turn among themselves, and are pulled out of the space that they span. The
    others, where there are any, follow.
    """
    rows, extent = np.shape(vectors)[-2], np.shape(turn)[-1]
    if rows == extent:
        return vectors @ turn
    first = _columns(vectors, extent)
    moved = first @ turn + pull - first @ (adjoint(first) @ pull)
    if np.shape(vectors)[-1] == extent:
        return moved
    return np.concatenate([moved, -first @ (adjoint(pull) @ vectors[..., extent:])], axis=-1)


RECTANGULAR = (case("f[3,2]"), case("f[2,4]"), case("f[2,3,3]:regular"))

# ---------------------------------------------------------------------------- singular values


def _svd_source(a: str, full_matrices: bool) -> str:
    return f"np.linalg.svd({a}{'' if full_matrices else ', full_matrices=False'})"


_svd = several(np.linalg.svd, numpy=_svd_source, parts="u s vh")


def _parts(a: Any, full_matrices: bool) -> tuple[Any, Any, Any]:
    """The left vectors, the values and the right vectors, as columns: as many as there are values.

    All are of the same call.
    """
    options = {"full_matrices": full_matrices}
    u, s, v = left_vectors(a, **options), svd_values(a, **options), right_vectors(a, **options)
    extent = np.shape(s)[-1]
    return _columns(u, extent), s, adjoint(_rows(v, extent))


def _turns(a: Any, a_dot: Any, full_matrices: bool) -> tuple[Any, Any]:
    """How the left and the right singular vectors turn among themselves.

    Of the phases that complex vectors are free to have, those of the right ones stand still.
    """
    u, s, v = _parts(a, full_matrices)
    turn = adjoint(u) @ a_dot @ v
    column, row = np.expand_dims(s, -1), np.expand_dims(s, -2)
    gap = inverse_gaps((row - column) * (row + column))
    left = gap * (turn * row + column * adjoint(turn))
    right = gap * (column * turn + adjoint(turn) * row)
    if np.iscomplexobj(a):
        left = left + np.where(_diagonal(turn), 1j * np.imag(turn) / column, 0)
    return left, right


def _left_tangent(u: Any, a: Any, a_dot: Any, full_matrices: bool) -> Any:
    turn, _ = _turns(a, a_dot, full_matrices)
    _, s, v = _parts(a, full_matrices)
    return _moved(u, turn, a_dot @ v / np.expand_dims(s, -2))


def _right_tangent(vh: Any, a: Any, a_dot: Any, full_matrices: bool) -> Any:
    _, turn = _turns(a, a_dot, full_matrices)
    u, s, _ = _parts(a, full_matrices)
    return adjoint(_moved(adjoint(vh), turn, adjoint(a_dot) @ u / np.expand_dims(s, -2)))


def singular_values_tangent(s: Any, a: Any, a_dot: Any, full_matrices: bool = False) -> Any:
    """Singular values are absolute values of a kind: at 0 the derivative is 0."""
    u, s, v = _parts(a, full_matrices)
    change = np.sum(np.conj(u) * (a_dot @ v), axis=-2)
    return np.where(s == 0, 0, np.real(change) if np.iscomplexobj(a) else change)


def values_type(a: ArrayType, full_matrices: bool = False) -> ArrayType:
    """The type of singular values or of the eigenvalues of a Hermitian matrix."""
    return array_type(real_dtype(a), (*a.shape[:-2], _extent(a)))


def _left_type(a: ArrayType, full_matrices: bool) -> ArrayType:
    return a.with_shape((*a.shape[:-1], a.shape[-2] if full_matrices else _extent(a)))


def _right_type(a: ArrayType, full_matrices: bool) -> ArrayType:
    return a.with_shape((*a.shape[:-2], a.shape[-1] if full_matrices else _extent(a), a.shape[-1]))


_VECTORS = Samples(
    cases=(
        case("f[3,2]", full_matrices=False),
        case("f[2,4]", full_matrices=False),
        case("f[2,3,3]:regular", full_matrices=True),
        case("f[4,3]", full_matrices=True),
        case("f[2,3]", full_matrices=True),
    )
)
EQUAL_SINGULAR_VALUES = "Singular vectors of equal singular values have no derivative: NaN."
FACTORS = "takes a solve and products of the factors, which takes longer than they do"
VECTORS = "takes the vectors as well as the values"
ZERO = "A singular value of 0 has derivative 0."
left_vectors = one_of(
    _svd,
    0,
    "left_vectors",
    result=_left_type,
    jvp=_left_tangent,
    convention=EQUAL_SINGULAR_VALUES,
    samples=_VECTORS,
)
svd_values = one_of(
    _svd,
    1,
    "svd_values",
    result=values_type,
    jvp=singular_values_tangent,
    convention=ZERO,
    samples=_VECTORS,
)
right_vectors = one_of(
    _svd,
    2,
    "right_vectors",
    result=_right_type,
    jvp=_right_tangent,
    convention=EQUAL_SINGULAR_VALUES,
    samples=_VECTORS,
)
# computed without vectors as np.linalg.norm does it: the other algorithm differs in the last bits
singular_values = primitive(
    np.linalg.svdvals,
    name="singular_values",
    result=values_type,
    jvp={"a": singular_values_tangent},
    batch=np.linalg.svdvals,
    numpy="np.linalg.svd({a}, compute_uv=False)",
    convention=ZERO,
    samples=Samples(cases=(*RECTANGULAR, case("c[3,2]"), case("c[2,3]"))),
)
SVDResult = result_type(np.linalg.svd(np.ones((1, 1))))


@composite(np.linalg.svdvals, cost=VECTORS)
def svdvals(x: Any, /) -> Any:
    """The singular values of matrices, from the largest to the smallest."""
    return singular_values(matrices(x))


@composite(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Singular vectors and values; of Hermitian matrices from their eigenvalues."""
    if hermitian:
        return _svd_of_hermitian(a) if compute_uv else _absolute_values(np.linalg.eigvalsh(a))
    a = matrices(a)
    if not compute_uv:
        return singular_values(a)
    rows, columns = np.shape(a)[-2:]
    full = bool(full_matrices) or rows == columns
    return SVDResult(
        left_vectors(a, full_matrices=full),
        svd_values(a, full_matrices=full),
        right_vectors(a, full_matrices=full),
    )


def _absolute_values(eigenvalues: Any) -> Any:
    return np.sort(np.abs(eigenvalues))[..., ::-1]


def _svd_of_hermitian(a: Any) -> Any:
    w, v = np.linalg.eigh(a)
    order = np.argsort(np.abs(w))[..., ::-1]
    w = np.take_along_axis(w, order, axis=-1)
    u = np.take_along_axis(v, np.expand_dims(order, -2), axis=-1)
    return SVDResult(u, np.abs(w), adjoint(u * np.expand_dims(np.sign(w), -2)))


# ---------------------------------------------------------------------------- Hermitian matrices


def _triangle(UPLO: str) -> str:
    return "" if UPLO == "L" else f', UPLO="{UPLO}"'


def _read(a_dot: Any, UPLO: str) -> Any:
    """Half of what NumPy reads: its sum with its adjoint is the tangent of the matrix."""
    return half(a_dot if UPLO == "L" else adjoint(a_dot))


def _vectors_of_hermitian_tangent(v: Any, a: Any, a_dot: Any, UPLO: str) -> Any:
    w = eigh_values(a, UPLO=UPLO)
    turn = adjoint(v) @ _read(a_dot, UPLO) @ v
    gap = inverse_gaps(np.expand_dims(w, -2) - np.expand_dims(w, -1))
    return v @ (gap * (turn + adjoint(turn)))


def _values_of_hermitian_tangent(w: Any, a: Any, a_dot: Any, UPLO: str) -> Any:
    v = eigh_vectors(a, UPLO=UPLO)
    change = np.sum(conjugate(v) * (2 * _read(a_dot, UPLO) @ v), axis=-2)
    return np.real(change) if np.iscomplexobj(a) else change


_HERMITIAN = Samples(
    cases=(
        case("f[3,3]:spd", UPLO="L"),
        case("f[2,2,2]:spd", UPLO="L"),
        case("f[2,2]", UPLO="U"),
        case("f[0,0]", UPLO="L"),
    )
)
_eigh = several(
    np.linalg.eigh,
    numpy=lambda a, UPLO: f"np.linalg.eigh({a}{_triangle(UPLO)})",
    parts="w v",
)
eigh_values = one_of(
    _eigh,
    0,
    "eigh_values",
    result=lambda a, UPLO: values_type(a),
    jvp=_values_of_hermitian_tangent,
    convention="np.linalg.eigh reads one triangle, the derivative is 0 in the other.",
    samples=_HERMITIAN,
)
eigh_vectors = one_of(
    _eigh,
    1,
    "eigh_vectors",
    result=lambda a, UPLO: a,
    jvp=_vectors_of_hermitian_tangent,
    convention="Eigenvectors of equal eigenvalues have no derivative: NaN.",
    samples=_HERMITIAN,
)
eigvalsh = primitive(
    np.linalg.eigvalsh,
    result=lambda a, UPLO: values_type(a),
    jvp={"a": _values_of_hermitian_tangent},
    cost=VECTORS,
    call=lambda a, UPLO="L": ((square(a),), {"UPLO": _checked(UPLO)}),
    batch=np.linalg.eigvalsh,
    numpy=lambda a, UPLO: f"np.linalg.eigvalsh({a}{_triangle(UPLO)})",
    convention="np.linalg.eigvalsh reads one triangle, the derivative is 0 in the other.",
    samples=Samples(
        cases=(*_HERMITIAN.cases, case("c[2,2]:spd", UPLO="L"), case("c[3,3]", UPLO="U"))
    ),
)
EighResult = result_type(np.linalg.eigh(np.ones((1, 1))))


def _checked(UPLO: str) -> str:
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return UPLO.upper()


@composite(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices, of which one triangle is read."""
    a, UPLO = square(a), _checked(UPLO)
    return EighResult(eigh_values(a, UPLO=UPLO), eigh_vectors(a, UPLO=UPLO))


# ---------------------------------------------------------------------------- other matrices


def _complex(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64)


def _eig_in_complex(a: Any) -> Any:
    return tuple(np.asarray(each, _complex(a.dtype)) for each in np.linalg.eig(a))


def _eigenvalues_tangent(w: Any, a: Any, a_dot: Any) -> Any:
    v = eig_vectors(a)
    return np.sum(transposed(np.linalg.inv(v)) * (a_dot @ v), axis=-2)


def _eigenvectors_tangent(v: Any, a: Any, a_dot: Any) -> Any:
    w = eig_values(a)
    gap = inverse_gaps(np.expand_dims(w, -2) - np.expand_dims(w, -1))
    change = v @ (gap * np.linalg.solve(v, a_dot @ v))
    # each keeps its length, and turns by no phase
    return change - v * np.sum(np.conj(v) * change, axis=-2, keepdims=True)


REAL_SPECTRUM = Samples(cases=(case("f[3,3]:spd"), case("f[2,2,2]:spd"), case("f[1,1]")))
ALWAYS_COMPLEX = "Eigenvalues are complex numbers, also where all of them are real."
_eig = several(_eig_in_complex, name="eig", numpy="np.linalg.eig", parts="w v")
eig_values = one_of(
    _eig,
    0,
    "eig_values",
    result=lambda a: array_type(_complex(a.dtype), a.shape[:-1]),
    jvp=_eigenvalues_tangent,
    cast=True,
    convention=ALWAYS_COMPLEX,
    samples=REAL_SPECTRUM,
)
eig_vectors = one_of(
    _eig,
    1,
    "eig_vectors",
    result=lambda a: a.with_dtype(_complex(a.dtype)),
    jvp=_eigenvectors_tangent,
    cast=True,
    convention="Eigenvectors of equal eigenvalues have no derivative: NaN.",
    samples=REAL_SPECTRUM,
)
EigResult = result_type(np.linalg.eig(np.ones((1, 1))))


@composite(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and right eigenvectors, as complex numbers."""
    a = square(a)
    return EigResult(eig_values(a), eig_vectors(a))


def _eigvals(a: Any) -> Any:
    return np.asarray(np.linalg.eigvals(a), _complex(a.dtype))


def _eigvals_batch(a: Any) -> Any:
    return eigvals(a)


def _eigvals_source(a: str, types: tuple[ArrayType, ...]) -> str:
    cast = types[0].dtype.kind != "c"
    return f"np.linalg.eigvals({a})" + (
        f".astype({dtype_source(_complex(types[0].dtype))})" if cast else ""
    )


eigvals: Primitive = primitive(
    _eigvals,
    name="eigvals",
    result=lambda a: array_type(_complex(a.dtype), a.shape[:-1]),
    jvp={"a": _eigenvalues_tangent},
    batch=_eigvals_batch,
    numpy=_eigvals_source,
    convention=ALWAYS_COMPLEX,
    samples=Samples(cases=(*REAL_SPECTRUM.cases, case("f[3,3]:regular"), case("c[2,2]:regular"))),
)


@composite(np.linalg.eigvals, cost=VECTORS)
def eigvals_of(a: Any) -> Any:
    """The eigenvalues, as complex numbers."""
    return eigvals(square(a))


# ---------------------------------------------------------------------------- QR


def _qr_source(a: str, mode: str) -> str:
    return f"np.linalg.qr({a}{'' if mode == 'reduced' else f', mode={mode!r}'})".replace("'", '"')


def _divided(x: Any, r: Any) -> Any:
    """x r⁻¹."""
    return transposed(np.linalg.solve(transposed(r), transposed(x)))


def _turn_of_columns(a: Any, a_dot: Any, mode: str) -> tuple[Any, Any]:
    """How the first columns of Q turn among themselves, and how the matrix pulls at them."""
    q, r = qr_q(a, mode=mode), qr_r(a, mode=mode)
    extent = min(np.shape(a)[-2:])
    pull = _divided(_columns(a_dot, extent), _columns(_rows(r, extent), extent))
    change = adjoint(_columns(q, extent)) @ pull
    turn = np.tril(change, -1) - adjoint(np.tril(change, -1))
    if np.iscomplexobj(a):  # the diagonal of R is real
        turn = turn + np.where(_diagonal(turn), 1j * np.imag(change), 0)
    return turn, pull


def _q_tangent(q: Any, a: Any, a_dot: Any, mode: str) -> Any:
    return _moved(q, *_turn_of_columns(a, a_dot, mode))


def _r_tangent(r: Any, a: Any, a_dot: Any, mode: str) -> Any:
    mode = "reduced" if mode == "r" else mode
    turn, _ = _turn_of_columns(a, a_dot, mode)
    extent = np.shape(turn)[-1]
    q = _columns(qr_q(a, mode=mode), extent)
    moved = np.triu(adjoint(q) @ a_dot - turn @ _rows(r, extent))
    if np.shape(r)[-2] == extent:
        return moved
    return np.concatenate([moved, np.zeros_like(r[..., extent:, :])], axis=-2)


def _q_type(a: ArrayType, mode: str) -> ArrayType:
    return a.with_shape((*a.shape[:-1], a.shape[-2] if mode == "complete" else _extent(a)))


def _r_type(a: ArrayType, mode: str) -> ArrayType:
    rows = a.shape[-2] if mode == "complete" else _extent(a)
    return a.with_shape((*a.shape[:-2], rows, a.shape[-1]))


_REDUCED = (
    case("f[3,3]:regular", mode="reduced"),
    case("f[4,2]", mode="reduced"),
    case("f[2,4]:regular", mode="reduced"),
    case("f[2,3,2]", mode="reduced"),
    case("c[3,2]", mode="reduced"),
)
_FACTORS = Samples(cases=(*_REDUCED, case("f[3,2]", mode="complete")))
RANK = "np.linalg.qr has a derivative where the first columns are linearly independent."
_qr = several(np.linalg.qr, numpy=_qr_source, parts="q r")
qr_q = one_of(_qr, 0, "qr_q", result=_q_type, jvp=_q_tangent, convention=RANK, samples=_FACTORS)
qr_r = one_of(_qr, 1, "qr_r", result=_r_type, jvp=_r_tangent, convention=RANK, samples=_FACTORS)


def _triangular_batch(a: Any) -> Any:
    return triangular_factor(a)


# without Q, which costs as much again
triangular_factor: Primitive = primitive(
    lambda a: np.linalg.qr(a, mode="r"),
    name="triangular_factor",
    result=lambda a: _r_type(a, mode="r"),
    jvp={"a": lambda r, a, a_dot: _r_tangent(r, a, a_dot, mode="r")},
    batch=_triangular_batch,
    numpy='np.linalg.qr({a}, mode="r")',
    convention=RANK,
    samples=Samples(cases=tuple(case(*each.args) for each in _REDUCED)),
)
QRResult = result_type(np.linalg.qr(np.ones((1, 1))))


@composite(np.linalg.qr, cost=FACTORS)
def qr(a: Any, mode: str = "reduced") -> Any:
    """The orthonormal and the triangular factor; only the triangular one in the mode r."""
    a = matrices(a)
    if mode == "r":
        return triangular_factor(a)
    if mode not in ("reduced", "complete"):
        raise NotImplementedError(
            f'np.linalg.qr with mode={mode!r} is not traced; mode="reduced" gives both factors'
        )
    return QRResult(qr_q(a, mode=mode), qr_r(a, mode=mode))
