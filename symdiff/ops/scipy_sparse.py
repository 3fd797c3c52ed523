"""Sparse matrices of SciPy's times arrays, and systems of them: constant matrices, loaded late.

A sparse matrix is an operand without derivative, whose type has its shape and no dtype of numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse.linalg

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import CONSTANT, Primitive, Transpose, composite, register


def _turned(a: Any) -> Any:
    return a.T


def _turned_type(a: ArrayType) -> ArrayType:
    return array_type(a.dtype, a.shape[::-1])


sparse_transpose = register(
    Primitive(
        name="sparse_transpose",
        function=_turned,
        arguments=("a",),
        result=_turned_type,
        rules={"a": CONSTANT},
        numpy="{a}.T",
        view=True,
    )
)


def _times(a: Any, x: Any, dtype: Any) -> Any:
    return a @ x


def _times_adjoint(y_bar: Any, a: Any, x: Any, dtype: Any) -> Any:
    return sparse_times(sparse_transpose(a), y_bar, dtype=dtype)


def _as_columns(x: Any) -> Any:
    """A batch of vectors, or of matrices, as the columns of one matrix."""
    rows = np.shape(x)[1]
    return np.reshape(np.moveaxis(x, 0, 1), (rows, -1)) if np.ndim(x) > 2 else np.transpose(x)


def _as_batch(columns: Any, x: Any) -> Any:
    """The columns as the batch that x is."""
    if np.ndim(x) == 2:
        return np.transpose(columns)
    shape = (np.shape(columns)[0], np.shape(x)[0], np.shape(x)[2])
    return np.moveaxis(np.reshape(columns, shape), 1, 0)


def _times_batch(a: Any, x: Any, dtype: Any, batched: tuple[bool, bool]) -> Any:
    return _as_batch(sparse_times(a, _as_columns(x), dtype=dtype), x)


# x is a vector or a matrix, in the dtype of the product.
sparse_times: Primitive = register(
    Primitive(
        name="sparse_times",
        function=_times,
        arguments=("a", "x"),
        result=lambda a, x, dtype: array_type(dtype, (a.shape[0], *x.shape[1:])),
        rules={"a": CONSTANT, "x": Transpose(_times_adjoint)},
        infix="@",
        batch=_times_batch,
    )
)


def _solve(a: Any, b: Any) -> Any:
    return scipy.sparse.linalg.spsolve(a, b)


def _solve_adjoint(x_bar: Any, a: Any, b: Any) -> Any:
    return sparse_solve(sparse_transpose(a), x_bar)


def _solve_batch(a: Any, b: Any, batched: tuple[bool, bool]) -> Any:
    if np.shape(b)[0] == 1:  # SciPy makes a vector of one column
        return np.expand_dims(sparse_solve(a, b[0]), 0)
    return _as_batch(sparse_solve(a, _as_columns(b)), b)


sparse_solve: Primitive = register(
    Primitive(
        name="sparse_solve",
        function=_solve,
        arguments=("a", "b"),
        result=lambda a, b: b,
        rules={"a": CONSTANT, "b": Transpose(_solve_adjoint)},
        numpy="scipy.sparse.linalg.spsolve",
        batch=_solve_batch,
    )
)


def common_dtype(a: Any, x: Any) -> np.dtype[Any]:
    """The dtype of a product of a sparse matrix and an array, or of a solution."""
    return np.result_type(a.dtype, x.dtype)


@composite(scipy.sparse.linalg.spsolve)
def spsolve(A: Any, b: Any) -> Any:
    """The solution of a sparse system."""
    matrix = getattr(A, "sparse_operand", None)
    if matrix is None:
        raise NotImplementedError(
            "scipy.sparse.linalg.spsolve is traced for a sparse matrix that is an argument, or "
            "that the function finds outside; one made in the function is not"
        )
    if np.ndim(b) == 2 and np.shape(b)[1] == 1:
        b = b[:, 0]
    if np.ndim(b) not in (1, 2) or np.shape(b)[0] != A.shape[0]:
        raise ValueError(f"the shapes {A.shape} and {np.shape(b)} do not fit")
    return sparse_solve(matrix(), b.astype(np.result_type(common_dtype(A, b), np.float32)))
