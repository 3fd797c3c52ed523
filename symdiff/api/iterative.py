"""SciPy's iterative solvers of linear systems: called as they are, differentiated by the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import scipy.sparse.linalg as sparse

from symdiff.api.implicit import linear_solve
from symdiff.errors import UnsupportedFunctionError, word
from symdiff.frontend import context
from symdiff.frontend.replacements import instead_of
from symdiff.frontend.sparse import SparseMatrix
from symdiff.frontend.tracer import Tracer, as_array, where

Function = Callable[..., Any]


def _refuse(what: str) -> NoReturn:
    way_out = "Use symdiff.linear_solve, which any solver can be passed to."
    message = word(f"{what} is not traced", where=where(), way_out=way_out)
    context.refuse(UnsupportedFunctionError(message))


def _is_traced(value: Any) -> bool:
    return isinstance(value, Tracer) or hasattr(value, "sparse_solution")


def _iterative(function: Function) -> None:
    """What traced functions get in place of a solver."""
    name = function.__name__

    @instead_of(function)
    def solve(A: Any, b: Any, x0: Any = None, **options: Any) -> Any:
        """The solution and 0; where it does not converge, a RuntimeError says so."""
        if not (_is_traced(A) or _is_traced(b)):
            return function(A, b, x0, **options)
        if isinstance(A, sparse.LinearOperator):
            _refuse(f"{name} of a LinearOperator")
        if options.get("callback") is not None:
            _refuse(f"{name} with a callback")
        if type(options.get("M")) is SparseMatrix:
            options["M"] = options["M"].compared()
        if _is_traced(x0) or _is_traced(options.get("M")):
            _refuse(f"{name} with a traced start or preconditioner")
        b = as_array(b)
        if np.ndim(b) == 2 and np.shape(b)[1] == 1:
            b = b[:, 0]
        b = b.astype(np.result_type(A.dtype, b.dtype, np.float32))
        turned = dict(options)
        if options.get("M") is not None:
            turned["M"] = options["M"].T

        def matvec(x: Any) -> Any:
            return A @ x

        forward, backward = _solver(function, x0, options), _solver(function, None, turned)
        return linear_solve(matvec, b, forward, backward), 0


def _solver(function: Function, x0: Any, options: dict[str, Any]) -> Function:
    def solve(matvec: Function, b: Any) -> Any:
        operator = sparse.LinearOperator((b.size, b.size), matvec, dtype=b.dtype)
        x, info = function(operator, b, x0, **options)
        if info:
            raise RuntimeError(f"scipy.sparse.linalg.{function.__name__}: info={info}")
        return x.astype(b.dtype, copy=False)

    solve.__name__ = function.__name__
    return solve


for _function in (
    sparse.bicgstab, sparse.cg, sparse.cgs, sparse.gcrotmk, sparse.gmres, sparse.lgmres,
    sparse.minres, sparse.tfqmr,
):  # fmt: skip
    _iterative(_function)
