"""Sparse matrices of SciPy's times arrays, and systems of them: constant matrices, loaded late.

A sparse matrix is an operand without derivative, whose type has its shape and no dtype of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg

from symdiff.ir.types import TUPLE, ArrayType, array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Jvp,
    Primitive,
    Samples,
    Transpose,
    case,
    composite,
    register,
)

Shape = tuple[int, int]


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


# ---------------------------------------------------------------------------- of traced entries
#
# A matrix of entries that are computed is written as SciPy's constructor of them. It is no operand
# of its own: products and systems are those of its entries, which have derivatives.


def _made(data: Any, rows: Any, columns: Any, kind: str, shape: Shape) -> Any:
    return getattr(scipy.sparse, kind)((data, (rows, columns)), shape=shape)


entries_matrix = register(
    Primitive(
        name="entries_matrix",
        function=_made,
        arguments=("data", "rows", "columns"),
        result=lambda data, rows, columns, kind, shape: array_type(TUPLE.dtype, shape),
        rules=dict.fromkeys(("data", "rows", "columns"), CONSTANT),
        numpy=lambda data, rows, columns, kind, shape: (
            f"scipy.sparse.{kind}(({data}, ({rows}, {columns})), shape={shape})"
        ),
    )
)


def _matrix(data: Any, rows: Any, columns: Any, kind: str, shape: Shape, turned: bool) -> Any:
    made = entries_matrix(data, rows, columns, kind=kind, shape=shape)
    return sparse_transpose(made) if turned else made


def _ends(rows: Any, columns: Any, turned: bool) -> tuple[Any, Any]:
    """The places of entries in the result of a product, and in what is multiplied."""
    return (columns, rows) if turned else (rows, columns)


def _paired(y: Any, x: Any) -> Any:
    """The products of entries, summed over columns."""
    return np.sum(y * x, axis=1) if np.ndim(x) == 2 else y * x


def _entries_times(data: Any, rows: Any, columns: Any, x: Any, **how: Any) -> Any:
    return _matrix(data, rows, columns, **how) @ x


def _times_in_data(y_bar: Any, data: Any, rows: Any, columns: Any, x: Any, **how: Any) -> Any:
    to, of = _ends(rows, columns, how["turned"])
    return _paired(y_bar[to], x[of])


def _times_in_x(
    y_bar: Any, data: Any, rows: Any, columns: Any, x: Any, turned: bool, **how: Any
) -> Any:
    return entries_times(data, rows, columns, y_bar, turned=not turned, **how)


def _by_rows(op: Callable[[], Primitive]) -> Callable[..., Any]:
    def batch(*args: Any, batched: tuple[bool, ...], **how: Any) -> Any:
        data, rows, columns, x = args
        if batched[3] and not any(batched[:3]) and np.shape(x)[0] > 1:
            return _as_batch(op()(data, rows, columns, _as_columns(x), **how), x)
        count = next(np.shape(each)[0] for each, has in zip(args, batched, strict=True) if has)
        parts = [
            [each[i] if has else each for each, has in zip(args, batched, strict=True)]
            for i in range(count)
        ]
        return np.stack([op()(*part, **how) for part in parts])

    return batch


def _times_type(
    data: ArrayType, rows: ArrayType, columns: ArrayType, x: ArrayType, shape: Shape,
    turned: bool, **how: Any,
) -> ArrayType:  # fmt: skip
    return array_type(x.dtype, (shape[1] if turned else shape[0], *x.shape[1:]))


_CASES = tuple(
    case("f[4]", "i[4]", "i[4]", spec, kind="csr_array", shape=(4, 5), turned=turned)
    for spec, turned in (("f[5]", False), ("f[4,2]", True))
)

# data and x are of the dtype of the product
entries_times: Primitive = register(
    Primitive(
        name="entries_times",
        function=_entries_times,
        arguments=("data", "rows", "columns", "x"),
        result=_times_type,
        rules={
            "data": Transpose(_times_in_data),
            "rows": CONSTANT,
            "columns": CONSTANT,
            "x": Transpose(_times_in_x),
        },
        expansion=lambda data, rows, columns, x, **how: sparse_times(
            _matrix(data, rows, columns, **how), x, dtype=x.dtype
        ),
        batch=_by_rows(lambda: entries_times),
        samples=Samples(cases=_CASES),
    )
)


def _solved_in_data(
    y: Any, data: Any, rows: Any, columns: Any, b: Any, data_dot: Any, **how: Any
) -> Any:
    moved = entries_times(data_dot, rows, columns, y, **how)
    return -entries_solve(data, rows, columns, moved, **how)


def _solved_in_b(
    y_bar: Any, data: Any, rows: Any, columns: Any, b: Any, turned: bool, **how: Any
) -> Any:
    return entries_solve(data, rows, columns, y_bar, turned=not turned, **how)


entries_solve: Primitive = register(
    Primitive(
        name="entries_solve",
        function=lambda data, rows, columns, b, **how: _solve(
            _matrix(data, rows, columns, **how), b
        ),
        arguments=("data", "rows", "columns", "b"),
        result=lambda data, rows, columns, b, **how: b,
        rules={
            "data": Jvp(_solved_in_data),
            "rows": CONSTANT,
            "columns": CONSTANT,
            "b": Transpose(_solved_in_b),
        },
        expansion=lambda data, rows, columns, b, **how: sparse_solve(
            _matrix(data, rows, columns, **how), b
        ),
        batch=_by_rows(lambda: entries_solve),
    )
)


# ---------------------------------------------------------------------------- calls


def common_dtype(a: Any, x: Any) -> np.dtype[Any]:
    """The dtype of a product of a sparse matrix and an array, or of a solution."""
    return np.result_type(a.dtype, x.dtype)


@composite(scipy.sparse.linalg.spsolve)
def spsolve(A: Any, b: Any) -> Any:
    """The solution of a sparse system."""
    solve = getattr(A, "sparse_solution", None)
    if solve is None:
        raise NotImplementedError(
            "scipy.sparse.linalg.spsolve is traced for a sparse matrix that is an argument, that "
            "the function finds outside, or that it makes of traced entries"
        )
    if np.ndim(b) == 2 and np.shape(b)[1] == 1:
        b = b[:, 0]
    if np.ndim(b) not in (1, 2) or np.shape(b)[0] != A.shape[0]:
        raise ValueError(f"the shapes {A.shape} and {np.shape(b)} do not fit")
    return solve(b.astype(np.result_type(common_dtype(A, b), np.float32)))
