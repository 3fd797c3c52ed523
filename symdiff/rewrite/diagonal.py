"""Table: identity and diagonal matrices, from which Jacobians start, are worked on as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import CONST, Const, Node, constant, node
from symdiff.ops import elementwise as e
from symdiff.ops.linalg import diag, diagonal, matmul
from symdiff.ops.reductions import sum_
from symdiff.ops.shaping import broadcast_to, transpose
from symdiff.rewrite.broadcast import broadcasted, reshaped
from symdiff.rewrite.constants import is_identity
from symdiff.rewrite.pattern import (
    EXACT,
    ROUNDING,
    Family,
    Match,
    Wild,
    is_number,
    rule,
    rules,
    wilds,
)

x, y, a, mask = wilds("x y a mask")
axis, keepdims, axes = wilds("axis keepdims axes")
c = Wild("c", constant=True)

# ---------------------------------------------------------------------------- parts


def on_diagonal(x: Node) -> Node:
    """The diagonal of a square matrix, as a vector."""
    size = (x.type.shape[0],)
    if x.op is diag:
        return x.args[0]
    if x.op is not broadcast_to:
        uniform = isinstance(x, Const) and x.uniform
        return broadcasted(x, size) if uniform else node(diagonal, (x,), (("offset", 0),))
    small = x.args[0]
    return broadcasted(reshaped(small, ()), size) if small.type.size == 1 else reshaped(small, size)


def diagonal_matrix(x: Node) -> Node:
    """The matrix that has the vector on its diagonal."""
    return node(diag, (x,), (("k", 0),))


def _vector(x: Node) -> Node | None:
    """The diagonal of what is a diagonal matrix."""
    if x.op is diag:
        return x.args[0] if x.param("k") == 0 else None
    size = x.type.shape[:1]
    if is_identity(x):
        return constant(x.type.dtype.type(1), x.type.with_shape(size))
    if is_number(x, 0):
        return broadcasted(x, size)
    if x.op is e.negative and is_identity(x.args[0]):
        return constant(x.type.dtype.type(-1), x.type.with_shape(size))
    if x.op is e.multiply and any(map(is_identity, x.args)):
        return next((on_diagonal(each) for each in x.args if not is_identity(each)), None)
    return None


# ---------------------------------------------------------------------------- replacements


def without_identity(found: Match) -> Node | None:
    """the other factor."""
    left, right = found.root.args
    return right if is_identity(left) else left if is_identity(right) else None


def _x_is_identity(found: Match) -> bool:
    return is_identity(found["x"])


def masked_by_identity(found: Match) -> Node | None:
    """the diagonal of the other factor, as a matrix."""
    for one, other in (found.root.args, found.root.args[::-1]):
        if is_identity(one) and not isinstance(other, Const):
            return diagonal_matrix(on_diagonal(other))
    return None


def scaled_diagonal(found: Match) -> Node | None:
    """the same of the diagonals."""
    args = [on_diagonal(each) for each in found.root.args]
    return diagonal_matrix(node(found.root.op, tuple(args)))


def combined_diagonals(found: Match) -> Node | None:
    """the same of the diagonals, where both matrices are diagonal."""
    vectors = [_vector(each) for each in found.root.args]
    known = tuple([each for each in vectors if each is not None])
    return diagonal_matrix(node(found.root.op, known)) if len(known) == len(vectors) else None


def chosen_diagonal(found: Match) -> Node | None:
    """the choice between the diagonals, where both matrices are diagonal."""
    mask, x, y = found.root.args
    first, second = _vector(x), _vector(y)
    if first is None or second is None:
        return None
    return diagonal_matrix(node(e.where, (on_diagonal(mask), first, second)))


def scaled_rows(found: Match) -> Node | None:
    """each row of y times one number."""
    column = reshaped(found["a"], (found["a"].type.size, 1))
    return node(e.multiply, (broadcasted(column, found.root.type.shape), found["y"]))


def scaled_columns(found: Match) -> Node | None:
    """each column of y times one number."""
    return node(e.multiply, (broadcasted(found["a"], found.root.type.shape), found["y"]))


def scaled_factor(found: Match) -> Node | None:
    """the constant times the other factor."""
    y = found["y"]
    return node(e.multiply, (constant(found["c"].value, y.type), y))


def sum_of_diagonal(found: Match) -> Node | None:
    """the vector, or its sum."""
    a = found["a"]
    if len(found["axis"]) == 2:
        a = node(sum_, (a,), (("axis", (0,)), ("keepdims", False)))
    return reshaped(a, found.root.type.shape)


# ---------------------------------------------------------------------------- rows


def _chooses_by_broadcast(op: Any, args: tuple[Any, ...]) -> bool:
    return args[0] is broadcast_to and (diag in args or CONST in args)


_SQUARE = {"a": "f[3]", "y": "f[3,3]"}
_EYE = {"x": "f[3,3]=eye", "y": "f[3,3]"}

DIAGONAL = rules(
    rule("identity-factor", Family("a product with a constant", (matmul,), (CONST,)),
         without_identity, ROUNDING, dtypes="fc", shared=True,
         example={"of": matmul(x, y), **_EYE}),
    rule("identity-scaled-left", matmul(c * x, y), scaled_factor, ROUNDING, shared=True,
         when=_x_is_identity, example=_EYE),
    rule("identity-scaled-right", matmul(y, c * x), scaled_factor, ROUNDING, shared=True,
         when=_x_is_identity, example=_EYE),
    rule("identity-mask", Family("an array times a constant", (e.multiply,), (CONST,)),
         masked_by_identity, ROUNDING, dtypes="fc", shared=True,
         example={"of": x * broadcast_to(a, shape=(3, 3)), "x": "f[3,3]=eye", "a": "f[3]"}),
    rule("diagonal-mul", diag(a, k=0) * y, scaled_diagonal, ROUNDING, dtypes="fc", shared=True,
         example={"of": diag(a, k=0) * broadcast_to(x, shape=(3, 3)), "a": "f[3]", "x": "f[3]"}),
    rule("diagonal-div", diag(a, k=0) / y, scaled_diagonal, ROUNDING, dtypes="fc", shared=True,
         example={"of": diag(a, k=0) / broadcast_to(x, shape=(3, 3)), "a": "f[3]", "x": "f[3]"}),
    rule("diagonal-sum", Family("a sum with a diagonal matrix", (e.add, e.subtract), (diag,)),
         combined_diagonals, ROUNDING, dtypes="fc", shared=True,
         example={"of": diag(a, k=0) + diag(x, k=0), "a": "f[3]", "x": "f[3]"}),
    rule("diagonal-neg", -diag(a, k=0), diag(-a, k=0), ROUNDING, dtypes="fc", shared=True,
         example=_SQUARE),
    rule("diagonal-choice", Family("a choice of diagonal matrices", (e.where,), (broadcast_to,),
         _chooses_by_broadcast), chosen_diagonal, ROUNDING, dtypes="fc", shared=True,
         example={"of": np.where(broadcast_to(mask, shape=(3, 3)), diag(a, k=0), 0),
                  "mask": "bool[3]", "a": "f[3]"}),
    rule("diagonal-left", matmul(diag(a, k=0), y), scaled_rows, ROUNDING, dtypes="fc",
         shared=True, example=_SQUARE),
    rule("diagonal-right", matmul(y, diag(a, k=0)), scaled_columns, ROUNDING, dtypes="fc",
         shared=True, example=_SQUARE),
    rule("diagonal-transposed", transpose(diag(a, k=0), axes=(1, 0)), diag(a, k=0), EXACT,
         dtypes="fc", shared=True, example=_SQUARE),
    rule("diagonal-summed", np.sum(diag(a, k=0), axis=axis, keepdims=keepdims), sum_of_diagonal,
         ROUNDING, dtypes="fc", shared=True,
         example={"a": "f[3]", "axis": (1,), "keepdims": False}),
    rule("symmetric-sum", transpose(x + transpose(x, axes=(1, 0)), axes=(1, 0)),
         x + transpose(x, axes=(1, 0)), EXACT, shared=True, example={"x": "f[3,3]"}),
)  # fmt: skip
