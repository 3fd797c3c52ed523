"""Sparse matrices that a traced function makes: of entries that are computed, or of known ones.

A matrix of traced entries is its entries and their places. Its products, the systems of it, sums
and what else is linear in the entries are traced. One of known entries is like one from outside.
Loaded when interposed code first meets scipy.sparse.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import scipy.sparse.linalg

from symdiff.errors import ShapeError, UnsupportedFunctionError, word
from symdiff.frontend import context, stores
from symdiff.frontend.captured import Path
from symdiff.frontend.replacements import instead_of
from symdiff.frontend.sparse import SparseMatrix
from symdiff.frontend.tracer import Tracer, as_array, call, holds_tracer, lift, where
from symdiff.ir.types import is_sparse

_OF_ENTRIES = tuple(f"{kind}_{of}" for kind in ("csr", "csc", "coo") for of in ("array", "matrix"))
_DENSE = "Pass (data, (rows, columns)): which entries a matrix stores would depend on values."


def stand_in(function: Any) -> Any:
    """What interposed code calls for a function or a class of scipy.sparse."""
    return functools.partial(_made, function)


def _made(function: Any, *args: Any, **kwargs: Any) -> Any:
    if _is_traced([args, list(kwargs.values())]):
        build = _BUILDERS.get(function.__name__)
        if build is None:
            _refuse(f"scipy.sparse.{function.__name__} of traced entries", _DENSE)
        return build(function.__name__, *args, **kwargs)
    made = function(*_known(args), **dict(zip(kwargs, _known(kwargs.values()), strict=True)))
    running = context.current()
    if running is None or not is_sparse(made):
        return made
    return SparseMatrix(made, Path(made, (), function.__name__), running.interposer)


def _is_traced(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(map(_is_traced, value))
    return type(value) is Entries or holds_tracer(value)


def _known(values: Any) -> list[Any]:
    """Arguments that are not traced, as they are."""
    return [
        type(each)(_known(each)) if type(each) in (list, tuple)
        else each.compared() if type(each) is SparseMatrix
        else each
        for each in values
    ]  # fmt: skip


def _refuse(what: str, way_out: str) -> NoReturn:
    message = word(f"{what} is not traced", where=where(), way_out=way_out)
    context.refuse(UnsupportedFunctionError(message))


class Entries:
    """A sparse matrix of traced entries, `kind` by the name of its class.

    Entries of one place are added, as in SciPy.
    """

    __array_ufunc__ = None  # arrays leave operators to this class
    ndim = 2

    def __init__(
        self, data: Any, rows: Any, columns: Any, shape: tuple[int, int], kind: str,
        turned: bool = False,
    ) -> None:  # fmt: skip
        self.entries, self.rows, self.columns = data, rows, columns
        self.kind, self.turned, self._shape = kind, turned, shape

    @property
    def shape(self) -> tuple[int, int]:
        return self._shape[::-1] if self.turned else self._shape

    @property
    def dtype(self) -> Any:
        return self.entries.dtype

    @property
    def nnz(self) -> int:
        return int(np.size(self.entries))

    def _like(self, data: Any) -> Entries:
        return Entries(data, self.rows, self.columns, self._shape, self.kind, self.turned)

    def of(self, kind: str) -> Entries:
        """The same matrix in another format."""
        return Entries(self.entries, self.rows, self.columns, self._shape, kind, self.turned)

    @property
    def places(self) -> tuple[Any, Any]:
        """The rows and columns of the entries."""
        return (self.columns, self.rows) if self.turned else (self.rows, self.columns)

    # ------------------------------------------------------------------ products and systems

    @property
    def T(self) -> Entries:  # noqa: N802  SciPy's name
        return Entries(
            self.entries, self.rows, self.columns, self._shape, self.kind, not self.turned
        )

    def transpose(self, axes: Any = None, copy: bool = False) -> Entries:
        return self.T

    def __matmul__(self, other: Any) -> Any:
        if _is_matrix(other):
            way_out = "Multiply with what follows first, or with the other one's toarray()."
            _refuse("the product of sparse matrices, one of traced entries,", way_out)
        from symdiff.ops.scipy_sparse import entries_times

        x = as_array(other)
        if np.ndim(x) not in (1, 2) or np.shape(x)[0] != self.shape[1]:
            what = f"matmul: the shapes {self.shape} and {np.shape(x)} do not fit"
            raise ShapeError(word(what, where=where()))
        return self._applied(entries_times, x, np.result_type(self.dtype, x.dtype))

    dot = __matmul__

    def __rmatmul__(self, other: Any) -> Any:
        x = as_array(other)
        if np.ndim(x) == 1:
            return self.T @ x
        return call(np.transpose, self.T @ call(np.transpose, x))

    def sparse_solution(self, b: Any) -> Any:
        """The solution of a system, for a right-hand side in its dtype."""
        from symdiff.ops.scipy_sparse import entries_solve

        return self._applied(entries_solve, b, b.dtype)

    def _applied(self, op: Any, x: Any, dtype: Any) -> Any:
        data = as_array(self.entries)
        how = {"kind": self.kind, "shape": self._shape, "turned": self.turned}
        return call(op, data.astype(dtype), self.rows, self.columns, x.astype(dtype), **how)

    # ------------------------------------------------------------------ what is linear in entries

    def __neg__(self) -> Entries:
        return self._like(-self.entries)

    def __mul__(self, other: Any) -> Any:
        if np.ndim(other) == 0:
            return self._like(self.entries * other)
        if self.kind.endswith("_matrix"):
            return self @ other  # of matrices, and not of sparse arrays
        return self.multiply(other)

    def __rmul__(self, other: Any) -> Any:
        if np.ndim(other) and self.kind.endswith("_matrix"):
            return self.__rmatmul__(other)
        return self * other

    def __truediv__(self, other: Any) -> Any:
        return self.multiply(1 / other)

    def multiply(self, other: Any) -> Any:
        """Entry by entry, with a number or an array that broadcasts."""
        if _is_matrix(other):
            _refuse("the product of entries of two sparse matrices", "Use the other's toarray().")
        rows, columns = self.places
        full = call(np.broadcast_to, as_array(other), self.shape)
        return self._like(self.entries * full[rows, columns])

    def __add__(self, other: Any) -> Any:
        if not _is_matrix(other):
            return self.toarray() + other
        if other.shape != self.shape:
            raise ShapeError(word(f"inconsistent shapes: {self.shape}, {other.shape}"))
        return _joined([self, entries_of(other)], self.shape, self.kind)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def toarray(self, order: Any = None, out: Any = None) -> Any:
        """The matrix as an array."""
        rows, columns = self.places
        flat = call(np.multiply, rows, self.shape[1]) + columns
        total = self.shape[0] * self.shape[1]
        return call(np.reshape, _summed(self.entries, flat, total), self.shape)

    todense = toarray

    def diagonal(self, k: int = 0) -> Any:
        return call(np.diagonal, self.toarray(), k)

    def trace(self, offset: int = 0) -> Any:
        return call(np.sum, self.diagonal(offset))

    def sum(self, axis: Any = None) -> Any:
        if axis is None:
            return call(np.sum, self.entries)
        along = range(2)[axis]
        found = _summed(self.entries, self.places[1 - along], self.shape[1 - along])
        if self.kind.endswith("_matrix"):
            return call(np.expand_dims, found, along)
        return found

    def copy(self) -> Entries:
        return self._like(self.entries)

    def astype(self, dtype: Any, casting: str = "unsafe", copy: bool = True) -> Entries:
        return self._like(self.entries.astype(dtype))

    def tocsr(self, copy: bool = False) -> Entries:
        return self.of(f"csr_{self._ending}")

    def tocsc(self, copy: bool = False) -> Entries:
        return self.of(f"csc_{self._ending}")

    def tocoo(self, copy: bool = False) -> Entries:
        return self.of(f"coo_{self._ending}")

    def asformat(self, format: str | None, copy: bool = False) -> Entries:
        return self if format is None else getattr(self, f"to{format}")()

    @property
    def _ending(self) -> str:
        return self.kind.partition("_")[2]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"{name} of a sparse matrix of traced entries", "Use its toarray().")

    def __getitem__(self, index: Any) -> Any:
        _refuse("a part of a sparse matrix of traced entries", "Use its toarray().")


def _is_matrix(value: Any) -> bool:
    return type(value) in (Entries, SparseMatrix) or is_sparse(value)


def _summed(data: Any, places: Any, extent: int) -> Any:
    """The sums of entries at each place."""
    total = Tracer(lift(np.zeros(extent, data.dtype)), is_array=True)
    stores.at(np.add.at, total, places, data)
    return total


def entries_of(matrix: Any) -> Entries:
    """A sparse matrix by its entries; one that is not traced is compared at each call."""
    if type(matrix) is Entries:
        return matrix
    known = (matrix.compared() if type(matrix) is SparseMatrix else matrix).tocoo()
    of = "matrix" if type(known).__name__.endswith("_matrix") else "array"
    return Entries(known.data, known.row, known.col, known.shape, f"coo_{of}")


def _joined(parts: Sequence[Entries], shape: tuple[int, int], kind: str) -> Entries:
    """One matrix of the entries of all."""
    data = call(np.concatenate, [as_array(each.entries) for each in parts])
    rows, columns = (
        call(np.concatenate, [as_array(each.places[i]) for each in parts]) for i in range(2)
    )
    return Entries(data, rows, columns, shape, kind)


# ---------------------------------------------------------------------------- constructors


def _from_entries(
    kind: str, arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False, **options: Any
) -> Entries:
    """csr_matrix and its kin: of entries and their places, or of another matrix."""
    if type(arg1) is Entries:
        return arg1.of(kind)
    if type(arg1) is not tuple or not 2 <= len(arg1) <= 3:
        _refuse(f"scipy.sparse.{kind} of a dense traced array", _DENSE)
    data, *places = arg1
    if len(arg1) == 2:
        rows, columns = map(as_array, places[0])
    else:
        inner, starts = map(as_array, places)
        outer = call(np.searchsorted, starts, np.arange(np.size(data)), side="right") - 1
        rows, columns = (inner, outer) if kind.startswith("csc") else (outer, inner)
    if shape is None:
        if isinstance(rows, Tracer) or isinstance(columns, Tracer):
            what = f"scipy.sparse.{kind} without shape=, of places that are read at each call,"
            _refuse(what, "Pass shape=.")
        shape = tuple(int(np.max(each, initial=-1)) + 1 for each in (rows, columns))
    data = as_array(data)
    data = data if dtype is None else data.astype(dtype)
    return Entries(call(np.ravel, data), rows, columns, (int(shape[0]), int(shape[1])), kind)


def _diagonals(
    name: str, diagonals: Any, offsets: Any = 0, shape: Any = None, format: Any = None,
    dtype: Any = None,
) -> Entries:  # fmt: skip
    """diags and diags_array."""
    if np.ndim(offsets) == 0:
        single = not isinstance(diagonals, (list, tuple)) or np.ndim(as_array(diagonals[0])) == 0
        diagonals, offsets = [diagonals if single else diagonals[0]], [offsets]
    diagonals = [call(np.atleast_1d, as_array(each)) for each in diagonals]
    offsets = [int(each) for each in offsets]
    if len(diagonals) != len(offsets):
        raise ValueError("Different number of diagonals and offsets.")
    if shape is None:
        shape = (np.size(diagonals[0]) + abs(offsets[0]),) * 2
    parts: list[Entries] = []
    for each, offset in zip(diagonals, offsets, strict=True):
        row, column = max(-offset, 0), max(offset, 0)
        count = min(shape[0] - row, shape[1] - column)
        if np.size(each) not in (1, count) or count < 0:
            raise ValueError(
                f"Diagonal length (index {len(parts)}: {np.size(each)} at offset {offset}) does "
                f"not agree with array size ({shape[0]}, {shape[1]})."
            )
        places = np.arange(count)
        parts.append(Entries(
            call(np.broadcast_to, each, (count,)), places + row, places + column, shape, ""
        ))  # fmt: skip
    of = "array" if name.endswith("_array") else "matrix"
    made = _joined(parts, tuple(shape), f"{format if format in ('csr', 'csc') else 'coo'}_{of}")
    return made if dtype is None else made.astype(dtype)


def _stacked(axis: int) -> Callable[..., Entries]:
    def stack(name: str, blocks: Any, format: Any = None, dtype: Any = None) -> Entries:
        """vstack and hstack."""
        parts, start = [], 0
        for each in map(entries_of, blocks):
            rows, columns = each.places
            places = (rows + start, columns) if axis == 0 else (rows, columns + start)
            parts.append(Entries(each.entries, *places, each.shape, each.kind))
            start += each.shape[axis]
        across = parts[0].shape[1 - axis]
        if any(each.shape[1 - axis] != across for each in parts):
            raise ValueError(f"scipy.sparse.{name}: the shapes of the blocks do not fit")
        shape = (start, across) if axis == 0 else (across, start)
        return _joined(parts, shape, next(each.kind for each in parts if each.kind))

    return stack


_BUILDERS: dict[str, Callable[..., Entries]] = {
    **dict.fromkeys(_OF_ENTRIES, _from_entries),
    **dict.fromkeys(("diags", "diags_array"), _diagonals),
    "vstack": _stacked(0),
    "hstack": _stacked(1),
}


# ---------------------------------------------------------------------------- factors


class Factors:
    """What stands for the factors of a sparse matrix: it solves systems."""

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix
        self.shape = matrix.shape

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """The solution of a system, or of one with the transpose."""
        if trans not in ("N", "T"):
            _refuse(f"solve of sparse factors with trans={trans!r}", 'Use trans="T".')
        matrix = self._matrix.T if trans == "T" else self._matrix
        return call(scipy.sparse.linalg.spsolve, matrix, as_array(rhs))

    def __getattr__(self, name: str) -> Any:
        _refuse(f"{name} of the factors of a sparse matrix", "Only solve is.")


@instead_of(scipy.sparse.linalg.splu)
def _splu(A: Any, *args: Any, **options: Any) -> Any:
    """SciPy's splu; where the matrix is one of the trace, what solves by spsolve."""
    if type(A) in (Entries, SparseMatrix):
        return Factors(A)
    return scipy.sparse.linalg.splu(A, *args, **options)


@instead_of(scipy.sparse.linalg.factorized)
def _factorized(A: Any) -> Any:
    """SciPy's factorized; where the matrix is one of the trace, spsolve of it."""
    if type(A) in (Entries, SparseMatrix):
        return Factors(A).solve
    return scipy.sparse.linalg.factorized(A)
