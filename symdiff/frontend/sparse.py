"""What stands for a sparse matrix of SciPy's: an input of the trace, which products read."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.errors import ShapeError, word
from symdiff.frontend.captured import Path
from symdiff.frontend.tracer import Tracer, as_array, call, where
from symdiff.ir.node import Input
from symdiff.ir.types import is_sparse


class SparseMatrix:
    """A sparse matrix that the function was passed, or found. Its entries are read at each call.

    Products with it are traced. Anything else is done with the matrix as it is, which is then
    compared at each call.
    """

    __array_ufunc__ = None  # arrays leave operators to this class
    __slots__ = ("_known", "_turned", "array", "interposer", "path")

    def __init__(self, array: Any, path: Path, interposer: Any, turned: bool = False) -> None:
        self.array = array
        self.path = path
        self.interposer = interposer
        self._turned = turned
        self._known: Input | None = None
        for name in ("format", "shape", "dtype"):
            interposer.guard(path.attribute(name), getattr(array, name))

    @property
    def __class__(self) -> type:
        return type(self.array)

    @__class__.setter
    def __class__(self, cls: type) -> None:
        raise TypeError("the class of a value does not change")

    @property
    def shape(self) -> tuple[int, ...]:
        rows, columns = self.array.shape
        return (columns, rows) if self._turned else (rows, columns)

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return 2

    @property
    def T(self) -> SparseMatrix:  # noqa: N802  SciPy's name
        made = SparseMatrix(self.array, self.path, self.interposer, not self._turned)
        made._known = self._node()
        return made

    def transpose(self, axes: Any = None, copy: bool = False) -> SparseMatrix:
        return self.T

    def sparse_operand(self) -> Any:
        """The matrix as an operand of records."""
        from symdiff.ops.scipy_sparse import sparse_transpose

        found = Tracer(self._node())
        return call(sparse_transpose, found) if self._turned else found

    def sparse_solution(self, b: Any) -> Any:
        """The solution of a system, for a right-hand side in its dtype."""
        from symdiff.ops.scipy_sparse import sparse_solve

        return call(sparse_solve, self.sparse_operand(), b)

    def _node(self) -> Input:
        if self._known is None:
            self._known = self.interposer.capture(self)
        return self._known

    def dot(self, other: Any) -> Any:
        return self @ other

    def __matmul__(self, other: Any) -> Any:
        if hasattr(other, "sparse_solution") and type(other) is not SparseMatrix:
            return NotImplemented  # of traced entries
        if type(other) is SparseMatrix or not _is_dense(other):
            return self._derived(self.compared() @ _plain(other))
        from symdiff.ops.scipy_sparse import common_dtype, sparse_times

        x = as_array(other)
        if np.ndim(x) not in (1, 2) or np.shape(x)[0] != self.shape[1]:
            what = f"matmul: the shapes {self.shape} and {np.shape(x)} do not fit"
            raise ShapeError(word(what, where=where()))
        dtype = common_dtype(self, x)
        return call(sparse_times, self.sparse_operand(), x.astype(dtype), dtype=dtype)

    def __rmatmul__(self, other: Any) -> Any:
        x = as_array(other)
        if np.ndim(x) == 1:
            return self.T @ x
        return call(np.transpose, self.T @ call(np.transpose, x))

    def __mul__(self, other: Any) -> Any:
        if type(self.array).__name__.endswith("_matrix") and np.ndim(other):
            return self @ other  # of matrices, and not of sparse arrays
        if isinstance(other, Tracer):
            return self._entries() * other
        return self._derived(self.compared() * _plain(other))

    def __rmul__(self, other: Any) -> Any:
        if type(self.array).__name__.endswith("_matrix") and np.ndim(other):
            return self.__rmatmul__(other)
        if isinstance(other, Tracer):
            return self._entries() * other
        return self._derived(other * self.compared())

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Tracer):
            return self._entries() / other
        return self._derived(self.compared() / _plain(other))

    def multiply(self, other: Any) -> Any:
        """Entry by entry."""
        if isinstance(other, Tracer):
            return self._entries().multiply(other)
        return self._derived(self.compared().multiply(_plain(other)))

    def _entries(self) -> Any:
        """The matrix as one of traced entries."""
        from symdiff.frontend.sparse_entries import entries_of

        return entries_of(self)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.compared(), name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._derived(found(*map(_plain, args), **kwargs))

    def _derived(self, value: Any) -> Any:
        """A result; a matrix stays the same for as long as this one does."""
        if not is_sparse(value):
            return value
        return SparseMatrix(value, Path(value, (), self.path.name), self.interposer)

    def compared(self) -> Any:
        """The matrix itself, compared at each call from now on."""
        state = copy.deepcopy(vars(self.array))
        self.interposer.guard(self.path.attribute("__dict__"), state)
        return self.array.T if self._turned else self.array


def _plain(value: Any) -> Any:
    return value.compared() if type(value) is SparseMatrix else value


def _is_dense(value: Any) -> bool:
    return isinstance(value, (np.ndarray, list, tuple))


def _operator(action: Callable[..., Any]) -> Any:
    def method(self: SparseMatrix, *others: Any) -> Any:
        if any(hasattr(each, "sparse_solution") and type(each) is not SparseMatrix
               for each in others):  # fmt: skip
            return NotImplemented  # of traced entries, which know what to do
        return self._derived(action(self.compared(), *map(_plain, others)))

    return method


for _name in ("add", "sub", "neg", "abs", "getitem", "pow", "eq", "ne"):
    setattr(SparseMatrix, f"__{_name}__", _operator(getattr(operator, _name)))
