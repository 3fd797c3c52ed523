"""scipy.linalg: functions of matrices, matrix equations, banded and Toeplitz systems, and the rest.

Late as scipy_linalg.py, which has the solvers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from symdiff.ir.types import ArrayType
from symdiff.ops.decompositions import FACTORS, VECTORS, inverse_gaps, matrices, values_type
from symdiff.ops.equations import PSEUDOINVERSE
from symdiff.ops.linalg import adjoint, conjugate, half, inexact, over_columns, square, transposed
from symdiff.ops.primitive import (
    Jvp,
    Primitive,
    Samples,
    Transpose,
    case,
    composite,
    linear,
)
from symdiff.ops.render import dtype_source
from symdiff.ops.scipy_linalg import only_defaults, record, results, source_of
from symdiff.ops.several import one_of, several

# ---------------------------------------------------------------------------- functions of matrices


def _beside(a: Any, e: Any) -> Any:
    """[[a, e], [0, a]], of which a function has that of a, and its derivative along e."""
    upper = np.concatenate([a, e], axis=-1)
    return np.concatenate([upper, np.concatenate([np.zeros_like(a), a], axis=-1)], axis=-2)


def _corner(x: Any) -> Any:
    count = np.shape(x)[-1] // 2
    return x[..., :count, count:]


def _in_doubles(a: Any) -> bool:
    return np.ndim(a) == 2 and a.dtype in (np.float64, np.complex128)


TWICE = "is differentiated by the function of a matrix twice as large"


def _function_of_matrices(
    function: Callable[..., Any],
    along: Callable[..., Any] | None = None,
    positive: bool = False,
    tangent: Callable[..., Any] | None = None,
    wide: bool = False,
    cost: str = TWICE,
) -> None:
    """The records of a function of matrices and of its derivative along a direction.

    `along` computes that derivative where SciPy can do so itself. Of a real matrix that is not
    `positive` SciPy's result may be complex, which is an error. A `tangent` of the function's own
    takes the place of all this. What is too inaccurate in single precision is computed in `wide`.
    """
    name = function.__name__
    kind = "spd" if positive else "regular"
    specs = ("[3,3]", "f"), ("[2,2]", "c"), ("[2,2,2]", "f")
    cases = tuple(case(f"{code}{shape}:{kind}", f"{code}{shape}") for shape, code in specs)

    def value(a: Any) -> Any:
        given = a.astype(np.result_type(a.dtype, np.float64)) if wide else a
        return np.asarray(function(given)).astype(a.dtype, casting="same_kind")

    def value_source(a: str, types: tuple[ArrayType, ...]) -> str:
        (dtype,) = {each.dtype for each in types}
        double = np.result_type(dtype, np.float64)
        if wide and dtype != double:
            a = f"{a}.astype({dtype_source(double)})"
        text = f"scipy.linalg.{name}({a})"
        if dtype == np.complex128 or (dtype == np.float64 and not positive):
            return text
        return f'{text}.astype({dtype_source(dtype)}, casting="same_kind")'

    def value_batch(a: Any) -> Any:
        return of(a)

    def value_tangent(y: Any, a: Any, a_dot: Any) -> Any:
        return tangent(y, a_dot) if tangent is not None else slope(a, a_dot)

    of = record(
        value,
        name,
        arguments=("a",),
        result=lambda a: a,
        rules={"a": Jvp(value_tangent)},
        batch=value_batch,
        numpy=value_source,
        convention="" if along or tangent else TWICE_AS_LARGE.format(name),
        samples=Samples(cases=tuple(case(each.args[0]) for each in cases)),
    )

    @composite(function, cost=cost)
    def call(A: Any) -> Any:
        return of(square(A))

    if tangent is not None:
        return

    def slope_by_blocks(a: Any, e: Any) -> Any:
        return _corner(of(_beside(a, e)))

    def slope_tangent(y: Any, a: Any, e: Any, a_dot: Any) -> Any:
        return _corner(slope(_beside(a, e), _beside(a_dot, np.zeros_like(a))))

    def slope_value(a: Any, e: Any) -> Any:
        return along(a, e) if _in_doubles(a) and along else _corner(value(_beside(a, e)))

    def slope_expansion(a: Any, e: Any) -> Any:
        return NotImplemented if _in_doubles(a) and along else slope_by_blocks(a, e)

    slope = record(
        slope_value,
        f"{name}_along",
        arguments=("a", "e"),
        result=lambda a, e: e,
        rules={
            "a": Jvp(slope_tangent),
            "e": Transpose(lambda y_bar, a, e: slope(transposed(a), y_bar)),
        },
        batch=slope_by_blocks,
        expansion=slope_expansion,
        numpy="scipy.linalg.expm_frechet({a}, {e}, compute_expm=False)" if along else "",
        samples=Samples(cases=cases),
    )


def _expm_along(a: Any, e: Any) -> Any:
    return sl.expm_frechet(a, e, compute_expm=False)


TWICE_AS_LARGE = "The derivative of scipy.linalg.{} is computed from a matrix twice as large."
_function_of_matrices(sl.expm, _expm_along, cost="is differentiated by scipy.linalg.expm_frechet")
_function_of_matrices(sl.logm, positive=True, wide=True)
_function_of_matrices(
    sl.sqrtm,
    positive=True,
    tangent=lambda y, a_dot: solve_sylvester(y, y, a_dot),
    cost="is differentiated by an equation of Sylvester's",
)
for _function in (sl.cosm, sl.sinm, sl.tanm, sl.coshm, sl.sinhm, sl.tanhm):
    _function_of_matrices(_function)


# ---------------------------------------------------------------------------- matrix equations


def _systems_one_by_one(
    op: Callable[..., Any], operands: Sequence[Any], batched: Sequence[bool], **options: Any
) -> Any:
    """A batch of what SciPy does for one."""
    count = next(len(x) for x, own in zip(operands, batched, strict=True) if own)
    rows = [
        [x[i] if own else x for x, own in zip(operands, batched, strict=True)]
        for i in range(count)
    ]
    return np.stack([op(*row, **options) for row in rows])


def _sylvester_batch(a: Any, b: Any, q: Any, batched: tuple[bool, ...]) -> Any:
    return _systems_one_by_one(solve_sylvester, (a, b, q), batched)


# a x + x b = q
solve_sylvester: Primitive = record(
    sl.solve_sylvester,
    "solve_sylvester",
    arguments=("a", "b", "q"),
    result=lambda a, b, q: q,
    rules={
        "a": Jvp(lambda x, a, b, q, a_dot: solve_sylvester(a, b, -(a_dot @ x))),
        "b": Jvp(lambda x, a, b, q, b_dot: solve_sylvester(a, b, -(x @ b_dot))),
        "q": Transpose(
            lambda x_bar, a, b, q: solve_sylvester(transposed(a), transposed(b), x_bar)
        ),
    },
    batch=_sylvester_batch,
    numpy="scipy.linalg.solve_sylvester",
    samples=Samples(
        cases=(
            case("f[3,3]:spd", "f[2,2]:spd", "f[3,2]"),
            case("c[2,2]:spd", "c[2,2]:spd", "c[2,2]"),
        )
    ),
)


@composite(sl.solve_sylvester)
def solve_sylvester_(a: Any, b: Any, q: Any) -> Any:
    """The solution of a @ x + x @ b = q."""
    return solve_sylvester(*inexact(a, b, q))


def _lyapunov_batch(a: Any, q: Any, batched: tuple[bool, bool]) -> Any:
    return _systems_one_by_one(solve_continuous_lyapunov, (a, q), batched)


def _lyapunov_tangent(x: Any, a: Any, q: Any, a_dot: Any) -> Any:
    return -solve_continuous_lyapunov(a, a_dot @ x + x @ adjoint(a_dot))


# a x + x aᴴ = q
solve_continuous_lyapunov: Primitive = record(
    sl.solve_continuous_lyapunov,
    "solve_continuous_lyapunov",
    arguments=("a", "q"),
    result=lambda a, q: q,
    rules={
        "a": Jvp(_lyapunov_tangent),
        "q": Transpose(lambda x_bar, a, q: solve_continuous_lyapunov(transposed(a), x_bar)),
    },
    batch=_lyapunov_batch,
    numpy="scipy.linalg.solve_continuous_lyapunov",
    samples=Samples(
        cases=(case("f[3,3]:spd", "f[3,3]"), case("c[2,2]:spd", "c[2,2]"))
    ),
)


@composite(
    sl.solve_continuous_lyapunov, sl.solve_lyapunov,
    cost="solves a second equation for the gradient, and takes two products",
)
def solve_lyapunov(a: Any, q: Any) -> Any:
    """The solution of a @ x + x @ a.conj().T = q."""
    return solve_continuous_lyapunov(*inexact(square(a), q))


def _discrete_batch(a: Any, q: Any, batched: tuple[bool, bool]) -> Any:
    return _systems_one_by_one(solve_discrete_lyapunov, (a, q), batched)


def _discrete_tangent(x: Any, a: Any, q: Any, a_dot: Any) -> Any:
    return solve_discrete_lyapunov(a, a_dot @ x @ adjoint(a) + a @ x @ adjoint(a_dot))


def _solve_discrete(a: Any, q: Any) -> Any:
    return sl.solve_discrete_lyapunov(a, q).astype(q.dtype)


def _discrete_source(a: str, q: str, types: tuple[ArrayType, ...]) -> str:
    dtype = types[1].dtype
    narrow = f".astype({dtype_source(dtype)})" if dtype.itemsize < 8 or dtype.char == "F" else ""
    return f"scipy.linalg.solve_discrete_lyapunov({a}, {q}){narrow}"


# a x aᴴ - x + q = 0
solve_discrete_lyapunov: Primitive = record(
    _solve_discrete,
    "solve_discrete_lyapunov",
    arguments=("a", "q"),
    result=lambda a, q: q,
    rules={
        "a": Jvp(_discrete_tangent),
        "q": Transpose(lambda x_bar, a, q: solve_discrete_lyapunov(transposed(a), x_bar)),
    },
    batch=_discrete_batch,
    numpy=_discrete_source,
    samples=Samples(cases=(case("f[3,3]:regular", "f[3,3]"), case("c[2,2]:regular", "c[2,2]"))),
)


@composite(sl.solve_discrete_lyapunov)
def solve_discrete_lyapunov_(a: Any, q: Any) -> Any:
    """The solution of a @ x @ a.conj().T - x + q = 0."""
    a, q = inexact(square(a), q)
    double = np.result_type(a.dtype, np.float64)
    return solve_discrete_lyapunov(a.astype(double), q.astype(double))


# ---------------------------------------------------------------------------- banded matrices


def _shifted(row: Any, places: int) -> Any:
    """A row whose element i is that of i + places, 0 outside."""
    if places == 0:
        return row
    zeros = np.zeros_like(row[: abs(places)])
    return np.concatenate([row[places:], zeros] if places > 0 else [zeros, row[:places]])


def _banded_product(lower: int, upper: int, ab: Any, x: Any) -> Any:
    """The product of a matrix given by its diagonals with x."""
    terms = [
        _shifted((ab[i][:, None] if np.ndim(x) == 2 else ab[i]) * x, upper - i)
        for i in range(lower + upper + 1)
    ]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _banded_transpose(lower: int, upper: int, ab: Any) -> Any:
    """The diagonals of the transpose, of `upper` lower ones and `lower` upper ones."""
    rows = [_shifted(ab[i], upper - i) for i in range(lower + upper + 1)]
    return np.stack(rows[::-1])


def _solve_banded(ab: Any, b: Any, lower: int, upper: int, check_finite: bool) -> Any:
    return sl.solve_banded((lower, upper), ab, b, check_finite=check_finite)


def _banded_source(ab: str, b: str, lower: int, upper: int, check_finite: bool) -> str:
    unchecked = "" if check_finite else ", check_finite=False"
    return f"scipy.linalg.solve_banded(({lower}, {upper}), {ab}, {b}{unchecked})"


def _banded_tangent(x: Any, ab: Any, b: Any, ab_dot: Any, lower: int, upper: int, **_: Any) -> Any:
    moved = _banded_product(lower, upper, ab_dot, x)
    return solve_banded(ab, -moved, lower=lower, upper=upper, check_finite=False)


def _banded_adjoint(x_bar: Any, ab: Any, b: Any, lower: int, upper: int, **_: Any) -> Any:
    turned = _banded_transpose(lower, upper, ab)
    return solve_banded(turned, x_bar, lower=upper, upper=lower, check_finite=False)


def _solve_banded_batch(ab: Any, b: Any, batched: tuple[bool, bool], **options: Any) -> Any:
    if batched == (False, True):
        return over_columns(solve_banded, ab, b, batched, **options)
    return _systems_one_by_one(solve_banded, (ab, b), batched, **options)


solve_banded: Primitive = record(
    _solve_banded,
    "solve_banded",
    arguments=("ab", "b"),
    result=lambda ab, b, **options: b,
    rules={"ab": Jvp(_banded_tangent), "b": Transpose(_banded_adjoint)},
    batch=_solve_banded_batch,
    numpy=_banded_source,
    samples=Samples(
        cases=(
            case("f[3,4]:second", "f[4]", lower=1, upper=1, check_finite=True),
            case("f[3,4]:second", "f[4,2]", lower=1, upper=1, check_finite=True),
            case("f[4,4]:second", "f[4]", lower=2, upper=1, check_finite=True),
            case("c[3,4]:second", "c[4]", lower=1, upper=1, check_finite=True),
        )
    ),
)


@composite(sl.solve_banded, takes_sequence=True)
def solve_banded_(
    l_and_u: Any,
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """The solution of a system whose matrix is given by its diagonals."""
    lower, upper = (int(each) for each in l_and_u)
    ab, b = inexact(ab, b)
    if np.shape(ab)[0] != lower + upper + 1 or np.shape(ab)[-1] != np.shape(b)[0]:
        raise ValueError(f"the shapes {np.shape(ab)} and {np.shape(b)} do not fit")
    return solve_banded(ab, b, lower=lower, upper=upper, check_finite=bool(check_finite))


def _all_diagonals(ab: Any, lower: bool) -> Any:
    """The diagonals of a Hermitian matrix of which one half is given."""
    count = np.shape(ab)[0]
    if lower:
        above = [_shifted(conjugate(ab[i]), -i) for i in range(count - 1, 0, -1)]
        return np.stack([*above, *(ab[i] for i in range(count))])
    below = [_shifted(conjugate(ab[i]), count - 1 - i) for i in range(count - 2, -1, -1)]
    return np.stack([*(ab[i] for i in range(count)), *below])


def _hermitian_banded_tangent(
    x: Any, ab: Any, b: Any, ab_dot: Any, lower: bool, check_finite: bool
) -> Any:
    count = np.shape(ab)[0] - 1
    moved = _banded_product(count, count, _all_diagonals(ab_dot, lower), x)
    return solveh_banded(ab, -moved, lower=lower, check_finite=False)


def _solveh_banded_batch(ab: Any, b: Any, batched: tuple[bool, bool], **options: Any) -> Any:
    if batched == (False, True):
        return over_columns(solveh_banded, ab, b, batched, **options)
    return _systems_one_by_one(solveh_banded, (ab, b), batched, **options)


solveh_banded: Primitive = record(
    sl.solveh_banded,
    "solveh_banded",
    arguments=("ab", "b"),
    result=lambda ab, b, **options: b,
    rules={
        "ab": Jvp(_hermitian_banded_tangent),
        "b": Transpose(
            lambda x_bar, ab, b, lower, check_finite: solveh_banded(
                conjugate(ab), x_bar, lower=lower, check_finite=False
            )
        ),
    },
    batch=_solveh_banded_batch,
    numpy=source_of("solveh_banded", lower=False, check_finite=True),
    samples=Samples(
        cases=(
            case("f[2,4]:last", "f[4]", lower=False, check_finite=True),
            case("f[2,4]:first", "f[4,2]", lower=True, check_finite=True),
            case("f[3,4]:first", "f[4]", lower=True, check_finite=True),
        )
    ),
)


@composite(sl.solveh_banded)
def solveh_banded_(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """The solution of a positive definite system of which half of the diagonals are given."""
    ab, b = inexact(ab, b)
    if np.shape(ab)[-1] != np.shape(b)[0]:
        raise ValueError(f"the shapes {np.shape(ab)} and {np.shape(b)} do not fit")
    return solveh_banded(ab, b, lower=bool(lower), check_finite=bool(check_finite))


# ---------------------------------------------------------------------------- Toeplitz matrices


def _diagonal_sums(y: Any) -> Any:
    """The sums along all diagonals, from the lowest left one to the highest right one."""
    rows, columns = np.shape(y)
    # each row, the last one first, one place further to the right than the row before
    wide = np.concatenate([y[::-1], np.zeros_like(y, shape=(rows, rows))], axis=1)
    skewed = np.reshape(np.ravel(wide)[: rows * (rows + columns - 1)], (rows, -1))
    return np.sum(skewed, axis=0)


def _toeplitz_of_row(y_bar: Any, c: Any, r: Any) -> Any:
    sums = _diagonal_sums(y_bar)[np.shape(c)[0] :]
    return np.concatenate([np.zeros_like(r[:1]), sums])


def _toeplitz_batch(c: Any, r: Any) -> Any:
    return _systems_one_by_one(toeplitz, (c, r), (True, True))


# The first of r does not count: it is that of c.
toeplitz = linear(
    sl.toeplitz,
    result=lambda c, r: c.with_shape((*c.shape, *r.shape)),
    transpose={
        "c": lambda y_bar, c, r: _diagonal_sums(y_bar)[: np.shape(c)[0]][::-1],
        "r": _toeplitz_of_row,
    },
    joint=True,
    batch=_toeplitz_batch,
    numpy="scipy.linalg.toeplitz",
    samples=Samples(cases=(case("f[3]", "f[4]"), case("f[3]", "f[1]"), case("c[2]", "c[2]"))),
)


def _column_and_row(c: Any, r: Any) -> Any:
    if np.ndim(c) != 1 or (r is not None and np.ndim(r) != 1):
        raise NotImplementedError("scipy.linalg.toeplitz is traced for one column and one row")
    c = c if hasattr(c, "dtype") else np.asarray(c)
    return c, conjugate(c) if r is None else r if hasattr(r, "dtype") else np.asarray(r)


DIAGONALS = "sums along diagonals, where SciPy only writes"


@composite(sl.toeplitz, cost=DIAGONALS)
def toeplitz_(c: Any, r: Any = None) -> Any:
    """The matrix that is constant along diagonals, of a first column and a first row."""
    return toeplitz(*_column_and_row(c, r))


def _solve_toeplitz(c: Any, r: Any, b: Any, check_finite: bool) -> Any:
    return sl.solve_toeplitz((c, r), b, check_finite=check_finite)


def _toeplitz_source(c: str, r: str, b: str, check_finite: bool) -> str:
    unchecked = "" if check_finite else ", check_finite=False"
    return f"scipy.linalg.solve_toeplitz(({c}, {r}), {b}{unchecked})"


def _column_tangent(x: Any, c: Any, r: Any, b: Any, c_dot: Any, check_finite: bool) -> Any:
    moved = toeplitz(c_dot, np.zeros_like(r)) @ x
    return solve_toeplitz(c, r, -moved, check_finite=False)


def _row_tangent(x: Any, c: Any, r: Any, b: Any, r_dot: Any, check_finite: bool) -> Any:
    moved = toeplitz(np.zeros_like(c), r_dot) @ x
    return solve_toeplitz(c, r, -moved, check_finite=False)


def _toeplitz_adjoint(x_bar: Any, c: Any, r: Any, b: Any, check_finite: bool) -> Any:
    turned = np.concatenate([c[:1], r[1:]])
    return solve_toeplitz(turned, c, x_bar.astype(b.dtype), check_finite=False).astype(b.dtype)


def _solve_toeplitz_batch(
    c: Any, r: Any, b: Any, check_finite: bool, batched: tuple[bool, ...]
) -> Any:
    options = {"check_finite": check_finite}
    return _systems_one_by_one(solve_toeplitz, (c, r, b), batched, **options)


solve_toeplitz: Primitive = record(
    _solve_toeplitz,
    "solve_toeplitz",
    arguments=("c", "r", "b"),
    result=lambda c, r, b, check_finite: b.with_dtype(np.result_type(b.dtype, np.float64)),
    rules={"c": Jvp(_column_tangent), "r": Jvp(_row_tangent), "b": Transpose(_toeplitz_adjoint)},
    batch=_solve_toeplitz_batch,
    numpy=_toeplitz_source,
    samples=Samples(
        cases=(
            case("f[3]:first", "f[3]", "f[3]", check_finite=True),
            case("f[3]:first", "f[3]", "f[3,2]", check_finite=True),
            case("c[3]:first", "c[3]", "c[3]", check_finite=True),
        )
    ),
)


@composite(sl.solve_toeplitz, takes_sequence=True, cost=DIAGONALS)
def solve_toeplitz_(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """The solution of a Toeplitz system, of a first column, or of column and row."""
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    return solve_toeplitz(*inexact(*_column_and_row(c, r), b), check_finite=bool(check_finite))


# ---------------------------------------------------------------------------- blocks


@composite(sl.block_diag)
def block_diag(*arrs: Any) -> Any:
    """The matrix with these blocks along its diagonal."""
    blocks = [np.atleast_2d(each) for each in arrs]
    if any(np.ndim(each) != 2 for each in blocks):
        raise NotImplementedError("scipy.linalg.block_diag is traced for blocks of two axes")
    columns = sum(np.shape(each)[1] for each in blocks)
    dtype = np.result_type(*blocks)
    rows, start = [], 0
    for each in blocks:
        count, width = np.shape(each)
        before = np.zeros((count, start), dtype)
        after = np.zeros((count, columns - start - width), dtype)
        rows.append(np.concatenate([before, each, after], axis=1))
        start += width
    return np.concatenate(rows)


@composite(sl.circulant, cost=DIAGONALS)
def circulant(c: Any) -> Any:
    """The matrix whose columns are c, turned round by one place each."""
    return toeplitz_(c, np.concatenate([c[:1], c[:0:-1]]))


@composite(sl.hankel, cost=DIAGONALS)
def hankel(c: Any, r: Any = None) -> Any:
    """The matrix that is constant along antidiagonals, of a first column and a last row."""
    r = np.zeros_like(c) if r is None else r
    values, columns = np.concatenate([c, r[1:]]), np.shape(r)[0]
    if not np.size(c) or not columns:
        return np.zeros((np.shape(c)[0], columns), values.dtype)
    return toeplitz_(values[columns - 1 :], values[columns - 1 :: -1])[:, ::-1]


@composite(sl.companion)
def companion(a: Any) -> Any:
    """The matrix whose eigenvalues are the roots of a polynomial."""
    row = -a[1:] / a[0]
    below = np.eye(np.shape(a)[0] - 2, np.shape(a)[0] - 1, dtype=row.dtype)
    return np.concatenate([np.reshape(row, (1, -1)), below])


# ---------------------------------------------------------------------------- eigenvalues

EQUAL = "Eigenvectors of equal eigenvalues have no derivative: NaN."
ONE_TRIANGLE = "scipy.linalg.eigh reads one triangle, the derivative is 0 in the other."


def _eigh(*arguments: str) -> tuple[Primitive, Primitive, Primitive]:
    """The records of values and vectors of a v = w v or a v = w b v, and of values alone."""
    suffix = "_generalized" if len(arguments) > 1 else ""

    def read(dot: Any, lower: bool) -> Any:
        """Half of what is read: its sum with its adjoint is the tangent of the matrix."""
        return half(dot if lower else adjoint(dot))

    def values_tangent(place: int) -> Callable[..., Any]:
        def tangent(w: Any, *given: Any, **options: Any) -> Any:
            *operands, dot = given
            v = vectors(*operands, **options)
            change = np.sum(conjugate(v) * (2 * read(dot, options["lower"]) @ v), axis=-2)
            change = np.real(change) if np.iscomplexobj(change) else change
            return -w * change if place else change

        return tangent

    def vectors_tangent(place: int) -> Callable[..., Any]:
        def tangent(v: Any, *given: Any, **options: Any) -> Any:
            *operands, dot = given
            w = values(*operands, **options)
            row, column = np.expand_dims(w, -2), np.expand_dims(w, -1)
            turn = adjoint(v) @ read(dot, options["lower"]) @ v
            turn = turn + adjoint(turn)
            if not place:
                return v @ (inverse_gaps(row - column) * turn)
            # a vector keeps its length, measured by b
            turn = turn * np.where(
                np.eye(np.shape(w)[-1], dtype=bool), -0.5, -row * inverse_gaps(row - column)
            )
            return v @ turn

        return tangent

    def rules(tangent: Callable[[int], Callable[..., Any]]) -> dict[str, Any]:
        return {name: Jvp(tangent(i)) for i, name in enumerate(arguments)}

    def values_batch(*operands: Any, **options: Any) -> Any:
        return values_alone(*operands, **options)

    defaults = {"lower": True, "check_finite": True}
    specs = ("f[3,3]:spd", "f[3,3]:spd"), ("c[2,2]:spd", "c[2,2]:spd"), ("f[2,2]", "f[2,2]:spd")
    samples = Samples(
        cases=tuple(
            case(*spec[: len(arguments)], lower=lower, check_finite=True)
            for spec, lower in zip(specs, (True, False, True), strict=True)
        )
    )
    # larger ones may change their sign from one call to the next
    of_vectors = Samples(cases=(samples.cases[2],))
    pair = several(
        sl.eigh,
        name=f"scipy_eigh{suffix}",
        numpy=source_of("eigh", **defaults),
        arguments=arguments,
        parts="w v",
    )
    values = one_of(
        pair,
        0,
        f"scipy_eigh_values{suffix}",
        result=lambda a, *b, **options: values_type(a),
        rules=rules(values_tangent),
        convention=ONE_TRIANGLE,
        samples=samples,
    )
    vectors = one_of(
        pair,
        1,
        f"scipy_eigh_vectors{suffix}",
        result=lambda a, *b, **options: a,
        rules=rules(vectors_tangent),
        convention=EQUAL,
        samples=of_vectors,
    )
    values_alone = record(
        sl.eigvalsh,
        f"scipy_eigvalsh{suffix}",
        arguments=arguments,
        result=lambda a, *b, **options: values_type(a),
        rules=rules(values_tangent),
        batch=values_batch,
        numpy=source_of("eigvalsh", **defaults),
        convention=ONE_TRIANGLE,
        samples=samples,
    )
    return values, vectors, values_alone


_STANDARD, _GENERALIZED = _eigh("a"), _eigh("a", "b")


@composite(sl.eigh)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, also with respect to another."""
    only_defaults(
        "eigh",
        driver=driver,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
        type=None if type == 1 else type,
    )
    operands = inexact(square(a)) if b is None else inexact(square(a), square(b))
    values, vectors, values_alone = _STANDARD if b is None else _GENERALIZED
    options = {"lower": bool(lower), "check_finite": bool(check_finite)}
    if eigvals_only:
        return values_alone(*operands, **options)
    return results(a, values(*operands, **options), vectors(*operands, **options))


@composite(sl.eigvalsh, cost=VECTORS)
def eigvalsh(a: Any, b: Any = None, **options: Any) -> Any:
    """Eigenvalues of a Hermitian matrix, also with respect to another."""
    return eigh(a, b, eigvals_only=True, **options)


@composite(sl.eig)
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues and right eigenvectors, by NumPy and as complex numbers."""
    only_defaults("eig", b=b, left=left, homogeneous_eigvals=homogeneous_eigvals)
    return tuple(np.linalg.eig(a)) if right else np.linalg.eigvals(a)


@composite(sl.eigvals, cost=VECTORS)
def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """The eigenvalues, by NumPy and as complex numbers."""
    only_defaults("eigvals", b=b, homogeneous_eigvals=homogeneous_eigvals)
    return np.linalg.eigvals(a)


# ---------------------------------------------------------------------------- by NumPy


@composite(sl.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Singular vectors and values, by NumPy."""
    if not compute_uv:
        return np.linalg.svdvals(a)
    return results(a, *np.linalg.svd(a, full_matrices))


@composite(sl.svdvals, cost=VECTORS)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The singular values, by NumPy."""
    return np.linalg.svdvals(a)


_MODES: dict[str, Any] = {"full": "complete", "economic": "reduced", "r": "complete"}


@composite(sl.qr, cost=FACTORS)
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """The orthonormal and the triangular factor, by NumPy."""
    only_defaults("qr", pivoting=pivoting, mode=None if mode in _MODES else mode)
    q, r = np.linalg.qr(a, _MODES[mode])
    if mode == "r":
        return (r,) if np.ndim(a) == 2 else r
    return results(a, q, r)


@composite(sl.pinv)
def pinv(
    a: Any,
    *,
    atol: Any = None,
    rtol: Any = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """The pseudo-inverse, by NumPy with SciPy's tolerance."""
    only_defaults("pinv", atol=atol, return_rank=return_rank)
    return np.linalg.pinv(matrices(a), rtol=rtol)


@composite(sl.pinvh)
def pinvh(
    a: Any,
    atol: Any = None,
    rtol: Any = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """The pseudo-inverse of a Hermitian matrix of which one triangle is read, by NumPy."""
    only_defaults("pinvh", atol=atol, return_rank=return_rank)
    a = square(a)
    return np.linalg.pinv(a if lower else adjoint(a), rtol=rtol, hermitian=True)


@composite(sl.lstsq, cost=PSEUDOINVERSE)
def lstsq(
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = None,
) -> Any:
    """Least squares, by NumPy with SciPy's tolerance."""
    a, b = inexact(a, b)
    cond = float(np.finfo(a.dtype).eps) if cond is None else cond
    x, left, rank, values = np.linalg.lstsq(a, b, cond)
    if not np.size(left):
        left = np.zeros(0, x.dtype)
    return x, left[0] if np.ndim(b) == 1 and np.size(left) else left, rank, values
