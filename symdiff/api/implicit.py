"""Solutions of equations, differentiated by what they solve: root, fixed_point, linear_solve.

The solver is called as it is. Its steps have no part in the derivative, which is that of the
equation (the implicit function theorem).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdiff.api.closed import Closed
from symdiff.api.signature import Signature, traced
from symdiff.api.solver import Solver
from symdiff.errors import ShapeError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import function_name
from symdiff.frontend.tracer import Tracer, call, lift, where
from symdiff.ir.node import Node, node
from symdiff.ir.types import ArrayType
from symdiff.ops.foreign import Outcome
from symdiff.ops.primitive import CONSTANT, Cotangents, Rule
from symdiff.ops.render import UNKNOWN

Function = Callable[..., Any]
Solve = Callable[[Function, Any], Any]


def root(f: Function, x0: Any, args: Sequence[Any] = (), solve: Solve | None = None) -> Any:
    """x, near x0, with f(x, *args) = 0: an array or a number, as x0.

    Its derivatives are those of x with respect to `args`, and all that f reaches by itself.
    `solve(f, x0)` finds it; without, scipy.optimize.root does, to nearly full precision.

    >>> from symdiff import grad
    >>> round(grad(lambda a: root(lambda x: x * x - a, 1.0))(4.0), 12)
    0.25
    """
    return _solution(f, x0, args, solve or find_root, Root)


def fixed_point(f: Function, x0: Any, args: Sequence[Any] = (), solve: Solve | None = None) -> Any:
    """x, reached from x0, with f(x, *args) = x: an array or a number, as x0.

    Its derivatives are those of x with respect to `args`, and all that f reaches by itself.
    `solve(f, x0)` finds it; without, f is repeated until x stays.

    >>> from symdiff import grad
    >>> round(grad(lambda a: fixed_point(lambda x: (x + a / x) / 2, 1.0))(4.0), 12)
    0.25
    """
    return _solution(f, x0, args, solve or iterate, FixedPoint)


def linear_solve(
    matvec: Function, b: Any, solve: Solve | None = None, transpose_solve: Solve | None = None
) -> Any:
    """x with matvec(x) = b, where matvec is linear: an array of the shape of b.

    Its derivatives are those of x with respect to b, and all that matvec reaches by itself.
    `solve(matvec, b)` finds it, and `transpose_solve`, in reverse mode, solves with the transpose
    of matvec, by `solve` if it is not given. Without either, the matrix is built and solved with.
    """
    running = context.current()
    if running is None:
        return (solve or solve_dense)(matvec, b)
    found = _float(b)
    closed = _closed(matvec, found.node.type, "matvec")
    closed.check_linear()
    if solve is None:
        matrix = traced(closed.jacobian([*closed.residuals, found.node]))
        return np.reshape(np.linalg.solve(matrix, np.ravel(found)), found.shape)
    solve, transpose_solve = map(running.interposer.bare, (solve, transpose_solve or solve))
    return LinearSolve(solve, closed, transpose_solve).solution(found)


# ---------------------------------------------------------------------------- solvers


def find_root(f: Function, x0: Any) -> Any:
    """A root near x0 by scipy.optimize.root. Raises RuntimeError where it finds none."""
    from scipy import optimize

    start = np.asarray(x0, float)

    def flat(x: Any) -> Any:
        return np.ravel(f(x.reshape(start.shape) if start.shape else x[0]))

    found = optimize.root(flat, np.ravel(start), tol=1e-14)
    # it also stops where rounding lets it go no further
    left, first = np.max(np.abs(flat(found.x))), np.max(np.abs(flat(np.ravel(start))))
    if not (found.success or left <= 1e-10 * max(first, 1.0)):
        raise RuntimeError(f"no root was found: {found.message}")
    return _like(found.x.reshape(start.shape), x0)


def iterate(f: Function, x0: Any) -> Any:
    """f repeated from x0 on, until x stays. Raises RuntimeError if it does not."""
    x = x0
    for _ in range(10_000):
        last, x = x, f(x)
        size = np.max(np.abs(x), initial=0.0)
        if np.max(np.abs(x - last), initial=0.0) <= 4 * np.finfo(np.result_type(x)).eps * size:
            return _like(np.asarray(x), x0)
    raise RuntimeError("the iteration did not reach a fixed point")


def solve_dense(matvec: Function, b: Any) -> Any:
    """x with matvec(x) = b, by the matrix of matvec."""
    columns = [np.ravel(matvec(each.reshape(np.shape(b)))) for each in np.eye(np.size(b))]
    found = np.linalg.solve(np.stack(columns, axis=1), np.ravel(b))
    return _like(found.reshape(np.shape(b)), b)


def _like(x: Any, start: Any) -> Any:
    """A solution of the type of what it started from; an integer counts as a float."""
    if isinstance(start, np.ndarray):
        return x.astype(start.dtype, copy=False) if start.dtype.kind in "fc" else x
    return x.item() if isinstance(start, (int, float, complex)) else x[()]


# ---------------------------------------------------------------------------- inside a trace


def _solution(f: Function, x0: Any, args: Sequence[Any], solve: Solve, kind: type[Root]) -> Any:
    running = context.current()

    def of_x(x: Any) -> Any:
        return f(x, *args)

    if running is None:
        return solve(of_x, x0)
    start = _float(x0)
    of_x.__name__ = function_name(f)
    closed = _closed(of_x if args else f, start.node.type, "f")
    return kind(running.interposer.bare(solve), closed).solution(start)


def _float(x0: Any) -> Tracer:
    """The start as a traced value; integers count as floats."""
    start = Tracer(lift(x0), isinstance(x0, np.ndarray))
    if start.dtype.kind not in "fc":
        start = call(np.multiply, start, 1.0)
    return start


def _closed(f: Function, type: ArrayType, name: str) -> Closed:
    closed = Closed(f, [type])
    if closed.result.shape != type.shape:
        what = f"{name} gives {closed.result} for an x of type {type}"
        way_out = "There is one equation for each unknown."
        raise ShapeError(word(what, where=where(), way_out=way_out))
    return closed


class Implicit(Solver):
    """A solver of equations. Its last operand is where it starts, or the right-hand side."""

    def plain(self, *operands: Any) -> Any:
        *residuals, start = operands
        return self.fun(lambda x: self.closed.function(*residuals, x), start)

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *residuals, start = arguments
        function = f"{names[1]}({', '.join([*residuals, UNKNOWN])})"
        return f"{names[0]}(lambda {UNKNOWN}: {function}, {start})"

    def solution(self, start: Tracer) -> Any:
        """The solution, as part of the running trace."""
        return self.placed([start.node], Outcome((), start.node.type, start.is_array))

    def moved(
        self, signature: Signature, primals: list[Any], x: Any, dots: list[Any]
    ) -> tuple[list[Node], Any]:
        """The operands of f at the solution, and how far their tangents move what it gives."""
        count = len(self.closed.residuals)
        nodes = [*[each.node for each in primals[:count]], x.node]
        own = [
            dot.node if active else None
            for dot, active in zip(dots[:count], signature.active[:count], strict=True)
        ]
        found = self.closed.tangent(nodes, [*own, None])
        return nodes, None if found is None else traced(found)


class Root(Implicit):
    """What f(x) = 0 is solved by."""

    shift = 0  # the equation is f(x) - shift * x = 0

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        if operand >= len(self.closed.residuals):  # where the solver starts
            return CONSTANT
        return super().rule(signature, operand, path)

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        (x,) = results
        nodes, moved = self.moved(signature, primals, x, dots)
        if moved is None:
            return [None]
        if self.closed.separate:
            slope: Any = traced(self.closed.slope(nodes))
            return [-moved / (slope - self.shift)]
        slope = traced(self.closed.jacobian(nodes))
        if self.shift:
            slope = slope - np.eye(x.size, dtype=x.dtype)
        return [np.reshape(np.linalg.solve(slope, np.ravel(-moved)), x.shape)]


class FixedPoint(Root):
    """What f(x) = x is solved by."""

    shift = 1


class LinearSolve(Implicit):
    """What matvec(x) = b is solved by: linear in b, which is its last operand."""

    def __init__(self, solve: Solve, closed: Closed, transpose_solve: Solve) -> None:
        super().__init__(solve, closed)
        self.transpose_solve = transpose_solve

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        if operand < len(signature.types) - 1:
            return super().rule(signature, operand, path)

        return Cotangents(self._adjoint)

    def _adjoint(self, each: Node, y_bar: Node) -> list[Node | None]:
        """The solution of the transposed equation: one for terms that share it."""
        running = context.current()
        assert running is not None
        residuals = each.args[:-1]
        known = running.rules.get((self, residuals, y_bar))
        if known is None:
            matvec = self.closed.transposed(residuals)
            known = linear_solve(matvec, traced(y_bar), self.transpose_solve, self.fun).node
            running.rules[self, residuals, y_bar] = known
        return [*[None] * len(residuals), known]

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        (x,) = results
        nodes, moved = self.moved(signature, primals, x, dots)
        if moved is None:
            return [None]
        (op,) = signature.results
        return [traced(node(op, (*nodes[:-1], (-moved).node)))]
