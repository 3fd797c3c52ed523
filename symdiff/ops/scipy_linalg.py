"""scipy.linalg: loaded when a program first meets it, since importing SciPy takes its time.

Derivatives use the structure that the function itself was told of, and check for no infinities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.linalg import (
    INVERSE,
    REGULAR,
    TWO_SOLVES,
    adjoint,
    conjugate,
    half,
    inexact,
    over_columns,
    relative_det,
    small,
    solved_c,
    square,
    transposed,
)
from symdiff.ops.primitive import (
    CONSTANT,
    Called,
    Jvp,
    Primitive,
    Samples,
    Template,
    Transpose,
    case,
    composite,
    register,
)
from symdiff.ops.several import one_of, several


def source_of(name: str, **defaults: Any) -> Template:
    """A call of SciPy's function, without the arguments that have their default."""

    def source(*args: str, **params: Any) -> str:
        given = [f"{key}={each!r}" for key, each in params.items() if each != defaults[key]]
        return f"scipy.linalg.{name}({', '.join([*args, *given])})".replace("'", '"')

    return source


def record(function: Callable[..., Any], name: str, **fields: Any) -> Primitive:
    """A record under a name of its own: NumPy has functions of the same name."""
    return register(Primitive(name=name, function=function, **fields))


def only_defaults(name: str, **options: Any) -> None:
    """Raises NotImplementedError for an option that has no default value."""
    for key, value in options.items():
        if value is not None and value is not False:
            raise NotImplementedError(f"scipy.linalg.{name} with {key}= is not traced")


def results(a: Any, *parts: Any) -> Any:
    """What SciPy returns several of: a tuple for one matrix, a list for a stack of them."""
    return parts if np.ndim(a) == 2 else list(parts)


def _system(a: Any, b: Any) -> tuple[Any, Any]:
    """Square matrices and right sides, in one dtype and of the same batch axes."""
    a, b = inexact(square(a), b)
    if np.ndim(b) < 1 or np.shape(b)[-1 if np.ndim(b) == 1 else -2] != np.shape(a)[-1]:
        raise ValueError(f"the shapes {np.shape(a)} and {np.shape(b)} do not fit")
    if np.ndim(a) == 2 and np.ndim(b) <= 2:
        return a, b
    if np.ndim(b) == 1:
        raise NotImplementedError("one vector for a stack of matrices: write b[:, None]")
    lead = np.broadcast_shapes(np.shape(a)[:-2], np.shape(b)[:-2])
    return (
        np.broadcast_to(a, (*lead, *np.shape(a)[-2:])),
        np.broadcast_to(b, (*lead, *np.shape(b)[-2:])),
    )


def _as_columns(b: Any) -> Any:
    return np.expand_dims(b, -1) if np.ndim(b) == 1 else b


# ---------------------------------------------------------------------------- equations

_STRUCTURES = {
    "gen": "general",
    "sym": "symmetric",
    "her": "hermitian",
    "pos": "positive definite",
    "diag": "diagonal",
}
_TURNED = {
    "upper triangular": "lower triangular",
    "lower triangular": "upper triangular",
}


def _solved(a: Any, b: Any, **options: Any) -> Any:
    return sl.solve(a, b, **{key: each for key, each in options.items() if each is not None})


def _read(a: Any, assume_a: str | None, lower: bool) -> Any:
    """The matrix that is solved with: of the elements that the structure leaves."""
    structure = _STRUCTURES.get(assume_a or "general", assume_a)
    if structure == "diagonal":
        return np.where(np.eye(np.shape(a)[-1], dtype=bool), a, 0)
    if structure == "upper triangular":
        return np.triu(a)
    if structure == "lower triangular":
        return np.tril(a)
    if structure == "tridiagonal":
        return np.triu(np.tril(a, 1), -1)
    if structure in ("hermitian", "positive definite"):
        read = half(a if lower else adjoint(a))
        return read + adjoint(read)
    if structure == "symmetric":
        read = half(a if lower else transposed(a))
        return read + transposed(read)
    return a


def _solve_tangent(
    x: Any, a: Any, b: Any, a_dot: Any, assume_a: str | None, lower: bool, check_finite: bool
) -> Any:
    moved = _read(a_dot, assume_a, lower) @ x
    return solve(a, -moved, assume_a=assume_a, lower=lower, check_finite=False)


def _solve_transpose(
    x_bar: Any, a: Any, b: Any, assume_a: str | None, lower: bool, check_finite: bool
) -> Any:
    turned = _TURNED.get(assume_a or "", assume_a)
    return solve(transposed(a), x_bar, assume_a=turned, lower=not lower and _halves(assume_a),
                 check_finite=False)  # fmt: skip


def _halves(assume_a: str | None) -> bool:
    """Whether one triangle is read, as `lower` says."""
    structure = _STRUCTURES.get(assume_a or "", assume_a)
    return structure in ("symmetric", "hermitian", "positive definite")


def _solve_cases(*structures: tuple[str, str | None, bool]) -> Samples:
    return Samples(
        cases=tuple(
            case(spec, side, assume_a=assume_a, lower=lower, check_finite=True)
            for spec, assume_a, lower in structures
            for side in ("f[3]", "f[3,2]")
        )
    )


def _solve_batch(a: Any, b: Any, batched: tuple[bool, bool], **options: Any) -> Any:
    return over_columns(solve, a, b, batched, **options)


solve: Primitive = record(
    _solved,
    "scipy_solve",
    arguments=("a", "b"),
    result=lambda a, b, **options: b,
    rules={"a": Jvp(_solve_tangent), "b": Transpose(_solve_transpose)},
    batch=_solve_batch,
    numpy=source_of("solve", assume_a=None, lower=False, check_finite=True),
    samples=_solve_cases(
        ("f[3,3]:regular", None, False),
        ("f[3,3]:regular", "gen", False),
        ("f[3,3]:regular", "sym", False),
        ("f[3,3]:spd", "pos", True),
        ("f[3,3]:regular", "upper triangular", False),
        ("f[3,3]:regular", "diagonal", False),
        ("f[3,3]:regular", "tridiagonal", False),
    ),
)


@composite(sl.solve)
def solve_(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """The solution x of a @ x = b, for matrices of a structure."""
    a, b = _system(a, b)
    if assume_a == "banded":
        raise NotImplementedError(
            'scipy.linalg.solve with assume_a="banded" is not traced; scipy.linalg.solve_banded is'
        )
    if transposed:
        a, assume_a = np.swapaxes(a, -1, -2), _TURNED.get(assume_a or "", assume_a)
        lower = not lower and _halves(assume_a)
    return solve(a, b, assume_a=assume_a, lower=bool(lower), check_finite=bool(check_finite))


_TRANS = {"N": 0, "T": 1, "C": 2, 0: 0, 1: 1, 2: 2}


def _turned_by(a: Any, trans: int) -> Any:
    return (a, transposed(a), adjoint(a))[trans] if trans else a


def _triangle(a: Any, lower: bool, unit_diagonal: bool) -> Any:
    if lower:
        return np.tril(a, -1 if unit_diagonal else 0)
    return np.triu(a, 1 if unit_diagonal else 0)


def _triangular_tangent(x: Any, a: Any, b: Any, a_dot: Any, trans: int, **options: Any) -> Any:
    read = _triangle(a_dot, options["lower"], options["unit_diagonal"])
    moved = _turned_by(read, trans) @ x
    return solve_triangular(a, -moved, trans=trans, **options | {"check_finite": False})


def _triangular_transpose(x_bar: Any, a: Any, b: Any, trans: int, **options: Any) -> Any:
    options["check_finite"] = False
    if trans == 2 and np.iscomplexobj(a):
        return conjugate(solve_triangular(a, conjugate(x_bar), trans=0, **options))
    return solve_triangular(a, x_bar, trans=0 if trans else 1, **options)


def _triangular_source(a: str, b: str, **options: Any) -> str:
    return source_of(
        "solve_triangular", trans=0, lower=False, unit_diagonal=False, check_finite=True
    )(a, b, **options)


def _solve_triangular_batch(a: Any, b: Any, batched: tuple[bool, bool], **options: Any) -> Any:
    return over_columns(solve_triangular, a, b, batched, **options)


def _substitute_core(
    a: ArrayType, b: ArrayType, trans: int, lower: bool, unit_diagonal: bool, check_finite: bool
) -> Any:
    numbers = (int(lower), int(trans != 0), int(unit_diagonal), int(check_finite))
    return solved_c(a, b, "sd_substitute", *numbers, work=None)


solve_triangular: Primitive = record(
    sl.solve_triangular,
    "solve_triangular",
    arguments=("a", "b"),
    result=lambda a, b, **options: b,
    rules={"a": Jvp(_triangular_tangent), "b": Transpose(_triangular_transpose)},
    batch=_solve_triangular_batch,
    numpy=_triangular_source,
    c=Called(_substitute_core),
    convention="scipy.linalg.solve_triangular reads one triangle, the derivative is 0 elsewhere.",
    samples=Samples(
        cases=tuple(
            case(f"{kind}[3,3]:regular", f"{kind}{side}", trans=trans, lower=lower,
                 unit_diagonal=unit, check_finite=True)
            for kind, side, trans, lower, unit in (
                ("f", "[3]", 0, True, False),
                ("f", "[3,2]", 1, False, False),
                ("f", "[3]", 2, True, True),
                ("c", "[3]", 2, True, False),
                ("c", "[3,2]", 0, False, True),
            )
        )
    ),
)  # fmt: skip


@composite(
    sl.solve_triangular, cost="has a matrix as its derivative, where the call gives a vector"
)
def solve_triangular_(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """The solution x of a @ x = b, for triangular matrices."""
    a, b = _system(a, b)
    return solve_triangular(
        a,
        b,
        trans=_TRANS[trans],
        lower=bool(lower),
        unit_diagonal=bool(unit_diagonal),
        check_finite=bool(check_finite),
    )


def _substitute(a: Any, b: Any, lower: bool, trans: int = 0, unit: bool = False) -> Any:
    """a⁻¹ b of a triangular matrix, as in derivatives."""
    return solve_triangular(
        a, b, trans=trans, lower=lower, unit_diagonal=unit, check_finite=False
    )


# ---------------------------------------------------------------------------- inverses


def _inv_batch(a: Any, check_finite: bool) -> Any:
    return np.linalg.inv(a)


inv = record(
    sl.inv,
    "scipy_inv",
    arguments=("a",),
    result=lambda a, check_finite: a,
    rules={"a": Jvp(lambda y, a, a_dot, check_finite: -(y @ a_dot @ y))},
    batch=_inv_batch,
    c=Called(
        lambda a, check_finite: small("sd_inv", "(n,n)->(n,n)", a, int(check_finite), work=2)
    ),
    numpy=source_of("inv", check_finite=True),
    samples=Samples(cases=tuple(case(*each.args, check_finite=True) for each in REGULAR.cases)),
)


@composite(sl.inv)
def inv_(
    a: Any,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    assume_a: str | None = None,
    lower: bool = False,
) -> Any:
    """The inverse of matrices."""
    only_defaults("inv", assume_a=assume_a)
    return inv(square(a), check_finite=bool(check_finite))


def _det_batch(a: Any, check_finite: bool) -> Any:
    return det(a, check_finite=check_finite)


det: Primitive = record(
    sl.det,
    "scipy_det",
    arguments=("a",),
    result=lambda a, check_finite: array_type(np.result_type(a.dtype, float), a.shape[:-2]),
    rules={"a": Jvp(lambda y, a, a_dot, check_finite: y * relative_det(a, a_dot))},
    batch=_det_batch,
    c=Called(
        lambda a, check_finite: (
            small("sd_det", "(n,n)->()", a, int(check_finite), work=1)
            if a.dtype == np.float64
            else None
        )
    ),
    numpy=source_of("det", check_finite=True),
    samples=Samples(cases=tuple(case(*each.args, check_finite=True) for each in REGULAR.cases)),
)


@composite(sl.det, cost=INVERSE)
def det_(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The determinant, in double precision as SciPy gives it."""
    return det(square(a), check_finite=bool(check_finite))


@composite(sl.norm)
def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Any:
    """The norm of vectors or matrices, by NumPy."""
    return np.linalg.norm(a, ord, axis, keepdims)


# ---------------------------------------------------------------------------- Cholesky


def _factor_tangent(y: Any, a_dot: Any, lower: bool) -> Any:
    """L half(L⁻¹ a_dot L⁻ᴴ), where of a_dot one triangle is read; the upper factor is Lᴴ."""
    factor = y if lower else adjoint(y)
    read = half(a_dot if lower else adjoint(a_dot))
    inner = _substitute(factor, read + adjoint(read), lower=True)
    moved = factor @ half(_substitute(factor, adjoint(inner), lower=True))
    return moved if lower else adjoint(moved)


def _cholesky_tangent(y: Any, a: Any, a_dot: Any, lower: bool, check_finite: bool) -> Any:
    return _factor_tangent(y, a_dot, lower)


def _cho_factor_tangent(y: Any, a: Any, a_dot: Any, lower: bool, check_finite: bool) -> Any:
    """In the other triangle SciPy leaves what was there."""
    factor = np.tril(y) if lower else np.triu(y)
    rest = np.triu(a_dot, 1) if lower else np.tril(a_dot, -1)
    return _factor_tangent(factor, a_dot, lower) + rest


def _cho_factor(a: Any, lower: bool, check_finite: bool) -> Any:
    return sl.cho_factor(a, lower=lower, check_finite=check_finite)[0]


def _cho_factor_source(a: str, **options: Any) -> str:
    return f"{source_of('cho_factor', lower=False, check_finite=True)(a, **options)}[0]"


_DEFINITE = Samples(
    cases=(
        case("f[3,3]:spd", lower=True, check_finite=True),
        case("f[3,3]:spd", lower=False, check_finite=True),
        case("c[2,2]:spd", lower=False, check_finite=True),
        case("c[2,2]:spd", lower=True, check_finite=True),
    )
)


def _cholesky_batch(a: Any, **options: Any) -> Any:
    return cholesky(a, **options)


def _cho_factor_batch(a: Any, **options: Any) -> Any:
    return cho_factor(a, **options)


def _cholesky_c(keeps: int) -> Called:
    """The C form of a factor that leaves the other triangle as it was, or makes it 0."""

    def core(a: ArrayType, lower: bool, check_finite: bool) -> Any:
        numbers = (int(lower), keeps, int(check_finite))
        return small("sd_cholesky", "(n,n)->(n,n)", a, *numbers)

    return Called(core)


cholesky: Primitive = record(
    sl.cholesky,
    "scipy_cholesky",
    arguments=("a",),
    result=lambda a, **options: a,
    rules={"a": Jvp(_cholesky_tangent)},
    batch=_cholesky_batch,
    numpy=source_of("cholesky", lower=False, check_finite=True),
    c=_cholesky_c(keeps=0),
    convention="scipy.linalg.cholesky reads one triangle, the derivative is 0 in the other.",
    samples=_DEFINITE,
)
cho_factor: Primitive = record(
    _cho_factor,
    "cho_factor",
    arguments=("a",),
    result=lambda a, **options: a,
    rules={"a": Jvp(_cho_factor_tangent)},
    batch=_cho_factor_batch,
    numpy=_cho_factor_source,
    c=_cholesky_c(keeps=1),
    samples=_DEFINITE,
)


@composite(sl.cholesky, cost=TWO_SOLVES)
def cholesky_(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """The triangular factor of positive definite matrices, the upper one unless `lower`."""
    return cholesky(square(a), lower=bool(lower), check_finite=bool(check_finite))


@composite(sl.cho_factor)
def cho_factor_(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """The triangular factor for cho_solve, and which triangle it is in."""
    factor = cho_factor(square(a), lower=bool(lower), check_finite=bool(check_finite))
    each = np.shape(a)[:-2]
    return results(a, factor, np.full(each, bool(lower)) if each else lower)


def _cho_solve(c: Any, b: Any, lower: bool, check_finite: bool) -> Any:
    return sl.cho_solve((c, lower), b, check_finite=check_finite)


def _cho_solve_source(c: str, b: str, lower: bool, check_finite: bool) -> str:
    return f"scipy.linalg.cho_solve(({c}, {lower}), {b}{'' if check_finite else _UNCHECKED})"


_UNCHECKED = ", check_finite=False"


def _cho_solve_tangent(
    x: Any, c: Any, b: Any, c_dot: Any, lower: bool, check_finite: bool
) -> Any:
    factor, change = (np.tril(x) if lower else adjoint(np.triu(x)) for x in (c, c_dot))
    moved = change @ (adjoint(factor) @ x) + factor @ (adjoint(change) @ x)
    return cho_solve(c, -moved, lower=lower, check_finite=False)


def _cho_solve_batch(c: Any, b: Any, batched: tuple[bool, bool], **options: Any) -> Any:
    return over_columns(cho_solve, c, b, batched, **options)


def _by_substitutions(c: Any, b: Any, lower: bool, check_finite: bool) -> Any:
    """For C: with the factor, and with its transpose."""
    options = {"lower": lower, "unit_diagonal": False, "check_finite": check_finite}
    half_way = solve_triangular(c, b, trans=int(not lower), **options)
    return solve_triangular(c, half_way, trans=int(lower), **options)


cho_solve: Primitive = record(
    _cho_solve,
    "cho_solve",
    arguments=("c", "b"),
    result=lambda c, b, **options: b,
    rules={
        "c": Jvp(_cho_solve_tangent),
        "b": Transpose(
            lambda x_bar, c, b, lower, check_finite: cho_solve(
                conjugate(c), x_bar, lower=lower, check_finite=False
            )
        ),
    },
    batch=_cho_solve_batch,
    c_expansion=_by_substitutions,
    numpy=_cho_solve_source,
    samples=Samples(
        cases=(
            case("f[3,3]:regular", "f[3]", lower=True, check_finite=True),
            case("f[3,3]:regular", "f[3,2]", lower=False, check_finite=True),
            case("c[2,2]:regular", "c[2]", lower=True, check_finite=True),
            case("c[2,2]:regular", "c[2]", lower=False, check_finite=True),
        )
    ),
)


def _definite_tangent(
    x: Any, a: Any, c: Any, b: Any, a_dot: Any, lower: bool, check_finite: bool
) -> Any:
    moved = _read(a_dot, "pos", lower) @ x
    return definite_solve(a, c, -moved, lower=lower, check_finite=False)


def _definite_adjoint(
    x_bar: Any, a: Any, c: Any, b: Any, lower: bool, check_finite: bool
) -> Any:
    turned = conjugate(a), conjugate(c)
    return definite_solve(*turned, x_bar, lower=lower, check_finite=False)


def _definite_batch(
    a: Any, c: Any, b: Any, batched: tuple[bool, bool, bool], **options: Any
) -> Any:
    return over_columns(cho_solve, c, b, batched[1:], **options)


# With c the factor of a: it moves as a does, which takes a solution and no further factorization.
definite_solve: Primitive = record(
    lambda a, c, b, **options: _cho_solve(c, b, **options),
    "definite_solve",
    arguments=("a", "c", "b"),
    result=lambda a, c, b, **options: b,
    rules={"a": Jvp(_definite_tangent), "c": CONSTANT, "b": Transpose(_definite_adjoint)},
    batch=_definite_batch,
    c_expansion=lambda a, c, b, **options: cho_solve(c, b, **options),
    numpy=lambda a, c, b, **options: _cho_solve_source(c, b, **options),
)


def _factored(factor: Any, op: Primitive, **options: Any) -> Any:
    """The matrix of which an operand is the factor, as far as the program shows it, or None."""
    node = getattr(factor, "node", None)
    if node is None or node.op is not op or dict(node.params).get("lower") != options.get("lower"):
        return None
    return type(factor)(node.args[0])


@composite(sl.cho_solve, takes_sequence=True)
def cho_solve_(
    c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """The solution of a positive definite system from its factor."""
    c, lower = c_and_lower
    c, b = _system(c, b)
    lower = np.unique(lower)  # for a stack of factors there is one for each
    if np.size(lower) != 1:
        raise NotImplementedError("scipy.linalg.cho_solve with upper and lower factors in a stack")
    options = {"lower": bool(lower[0]), "check_finite": bool(check_finite)}
    for factorization in (cho_factor, cholesky):
        a = _factored(c, factorization, lower=bool(lower[0]))
        if a is not None:
            return definite_solve(a, c, b, **options)
    return cho_solve(c, b, **options)


# ---------------------------------------------------------------------------- LU


def _lu_tangent(lu: Any, a: Any, a_dot: Any, check_finite: bool) -> Any:
    # with P a = L U it is L tril(M) + triu(M) U for M = L⁻¹ P a_dot U⁻¹ = U a⁻¹ a_dot U⁻¹
    pivots = lu_pivots(a, check_finite=check_finite)
    upper = np.triu(lu)
    inner = upper @ lu_solve(lu, pivots, a_dot, trans=0, check_finite=False)
    moved = transposed(_substitute(lu, transposed(inner), lower=False, trans=1))
    below = np.tril(moved, -1)
    return np.tril(lu, -1) @ below + below + np.triu(moved) @ upper


def _lu_factor(a: Any, check_finite: bool) -> Any:
    return sl.lu_factor(a, check_finite=check_finite)


_SQUARE = Samples(
    cases=(case("f[3,3]", check_finite=True), case("c[2,2]:regular", check_finite=True))
)
_lu = several(
    _lu_factor,
    name="lu_factor",
    numpy=source_of("lu_factor", check_finite=True),
    parts="lu piv",
)
lu_factors = one_of(
    _lu, 0, "lu_factors", result=lambda a, check_finite: a, jvp=_lu_tangent, samples=_SQUARE
)
lu_pivots = one_of(
    _lu,
    1,
    "lu_pivots",
    result=lambda a, check_finite: array_type(np.int32, a.shape[:-1]),
    samples=_SQUARE,
)


@composite(sl.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Both triangular factors in one matrix, and the pivots."""
    a = square(a)
    check = bool(check_finite)
    return results(a, lu_factors(a, check_finite=check), lu_pivots(a, check_finite=check))


def _lu_solve(lu: Any, pivots: Any, b: Any, trans: int, check_finite: bool) -> Any:
    return sl.lu_solve((lu, pivots), b, trans=trans, check_finite=check_finite)


def _lu_solve_source(lu: str, pivots: str, b: str, trans: int, check_finite: bool) -> str:
    turn = f", trans={trans}" if trans else ""
    return f"scipy.linalg.lu_solve(({lu}, {pivots}), {b}{turn}{'' if check_finite else _UNCHECKED})"


def _lu_solve_tangent(
    x: Any, lu: Any, pivots: Any, b: Any, lu_dot: Any, trans: int, check_finite: bool
) -> Any:
    below, above = np.tril(lu_dot, -1), np.triu(lu_dot)
    if trans == 0:
        inner = _substitute(lu, below @ (np.triu(lu) @ x), lower=True, unit=True)
        return _substitute(lu, -(inner + above @ x), lower=False)
    # with Pᵀ on the left of x: (L U)ᵀ P x = b
    turned = _substitute(lu, _substitute(lu, b, False, trans), True, trans, unit=True)
    upper, lower = np.triu(lu), np.tril(lu, -1)
    moved = _turned_by(upper, trans) @ (_turned_by(below, trans) @ turned)
    moved = moved + _turned_by(above, trans) @ (turned + _turned_by(lower, trans) @ turned)
    return lu_solve(lu, pivots, -moved, trans=trans, check_finite=False)


def _lu_solve_transpose(
    x_bar: Any, lu: Any, pivots: Any, b: Any, trans: int, check_finite: bool
) -> Any:
    if trans == 2 and np.iscomplexobj(lu):
        solved = lu_solve(lu, pivots, conjugate(x_bar), trans=0, check_finite=False)
        return conjugate(solved)
    return lu_solve(lu, pivots, x_bar, trans=0 if trans else 1, check_finite=False)


def _lu_solve_batch(
    lu: Any, pivots: Any, b: Any, trans: int, check_finite: bool, batched: tuple[bool, ...]
) -> Any:
    """With one factorization all sides are columns; else one system after the other."""
    if batched[:2] == (False, False):

        def each(a: Any, sides: Any) -> Any:
            return lu_solve(a, pivots, sides, trans=trans, check_finite=check_finite)

        return over_columns(each, lu, b, (False, True))
    count = np.shape(next(x for x, own in zip((lu, pivots, b), batched, strict=True) if own))[0]
    rows = [
        [x[i] if own else x for x, own in zip((lu, pivots, b), batched, strict=True)]
        for i in range(count)
    ]
    options = {"trans": trans, "check_finite": check_finite}
    return np.stack([lu_solve(*row, **options) for row in rows])


lu_solve: Primitive = record(
    _lu_solve,
    "lu_solve",
    arguments=("lu", "pivots", "b"),
    result=lambda lu, pivots, b, **options: b,
    rules={
        "lu": Jvp(_lu_solve_tangent),
        "pivots": CONSTANT,
        "b": Transpose(_lu_solve_transpose),
    },
    batch=_lu_solve_batch,
    numpy=_lu_solve_source,
    samples=Samples(
        cases=(
            case("f[3,3]:regular", "i[3]", "f[3]", trans=0, check_finite=True),
            case("f[3,3]:regular", "i[3]", "f[3,2]", trans=1, check_finite=True),
            case("c[3,3]:regular", "i[3]", "c[3]", trans=2, check_finite=True),
            case("c[3,3]:regular", "i[3]", "c[3]", trans=0, check_finite=True),
        )
    ),
)


def _regular_tangent(
    x: Any, a: Any, lu: Any, pivots: Any, b: Any, a_dot: Any, trans: int, check_finite: bool
) -> Any:
    moved = _turned_by(a_dot, trans) @ x
    return regular_solve(a, lu, pivots, -moved, trans=trans, check_finite=False)


def _regular_adjoint(
    x_bar: Any, a: Any, lu: Any, pivots: Any, b: Any, trans: int, check_finite: bool
) -> Any:
    if trans == 2 and np.iscomplexobj(lu):
        sides = conjugate(x_bar)
        return conjugate(regular_solve(a, lu, pivots, sides, trans=0, check_finite=False))
    turned = 0 if trans else 1
    return regular_solve(a, lu, pivots, x_bar, trans=turned, check_finite=False)


def _regular_batch(
    a: Any, lu: Any, pivots: Any, b: Any, batched: tuple[bool, ...], **options: Any
) -> Any:
    return _lu_solve_batch(lu, pivots, b, batched=batched[1:], **options)


# With lu the factors of a, as above.
regular_solve: Primitive = record(
    lambda a, lu, pivots, b, **options: _lu_solve(lu, pivots, b, **options),
    "regular_solve",
    arguments=("a", "lu", "pivots", "b"),
    result=lambda a, lu, pivots, b, **options: b,
    rules={
        "a": Jvp(_regular_tangent),
        "lu": CONSTANT,
        "pivots": CONSTANT,
        "b": Transpose(_regular_adjoint),
    },
    batch=_regular_batch,
    numpy=lambda a, lu, pivots, b, **options: _lu_solve_source(lu, pivots, b, **options),
)


@composite(sl.lu_solve, takes_sequence=True)
def lu_solve_(
    lu_and_piv: Any,
    b: Any,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """The solution of a system from its LU factorization."""
    lu, pivots = lu_and_piv
    lu, b = _system(lu, b)
    options = {"trans": _TRANS[trans], "check_finite": bool(check_finite)}
    a = _factored(lu, lu_factors)
    if a is not None and _factored(pivots, lu_pivots) is not None:
        return regular_solve(a, lu, pivots, b, **options)
    return lu_solve(lu, pivots, b, **options)
