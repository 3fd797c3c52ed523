"""Table: operations on constants, computed here by the primitive's own NumPy function."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import CONST, SMALL, Const, Node, constant
from symdiff.ops import elementwise as e
from symdiff.ops import reductions, shaping
from symdiff.ops.primitive import Primitive
from symdiff.rewrite.pattern import (
    EXACT,
    ROUNDING,
    Family,
    Match,
    function_of,
    rule,
    rules,
    wilds,
)

x, y = wilds("x y")

_MOVES = (shaping.broadcast_to, shaping.reshape, shaping.transpose, shaping.getitem)


def _reads_constants(args: tuple[Any, ...]) -> bool:
    return all(arg is CONST for arg in args)


def _elementwise(op: Any, args: tuple[Any, ...]) -> bool:
    return op.elementwise and op is not e.stop_gradient and _reads_constants(args)


def _other(op: Any, args: tuple[Any, ...]) -> bool:
    return not op.elementwise and _reads_constants(args)


def _moves(op: Any, args: tuple[Any, ...]) -> bool:
    return args[0] is CONST


def _constants(found: Match) -> list[Const]:
    return [arg for arg in found.root.args if isinstance(arg, Const)]


def fold_elementwise(found: Match) -> Node | None:
    """the constant that NumPy computes."""
    root, args = found.root, _constants(found)
    if all(arg.uniform for arg in args):
        return _computed(root, [arg.value for arg in args])
    if root.type.size > SMALL or _turns_complex(root):
        return None
    return _unless_it_was_identity(args, _computed(root, [_filled(arg) for arg in args]))


def _turns_complex(root: Node) -> bool:
    """Whether it makes numbers complex, as NumPy does by itself: they read better as they are."""
    return root.op is e.convert and root.type.dtype.kind == "c" != root.args[0].type.dtype.kind


def fold_small(found: Match) -> Node | None:
    """the constant that NumPy computes, where it is small and so are the operands."""
    root, args = found.root, _constants(found)
    if root.type.size > SMALL or any(arg.type.size > SMALL for arg in args):
        return None
    return _unless_it_was_identity(args, _computed(root, [_filled(arg) for arg in args]))


def _unless_it_was_identity(args: list[Const], value: Node | None) -> Node | None:
    """The value, but not where it hides that an operand is an identity matrix."""
    plain = value is None or (isinstance(value, Const) and value.uniform) or is_identity(value)
    return value if plain or not any(map(is_identity, args)) else None


def is_identity(x: Node) -> bool:
    """Whether x is an identity matrix that is known here."""
    if not isinstance(x, Const) or x.uniform or x.type.ndim != 2:
        return False
    rows, columns = x.type.shape
    ones = rows == columns and bool(np.all(np.diagonal(x.value) == 1))
    return ones and np.count_nonzero(x.value) == rows


def fold_move(found: Match) -> Node | None:
    """the same number in another shape."""
    source = found.root.args[0]
    if isinstance(source, Const) and source.uniform and not found.root.type.weak:
        return constant(found.root.type.dtype.type(source.value), found.root.type)
    return None


def fold_exact_sum(found: Match) -> Node | None:
    """the number times its count, where every partial sum is exact."""
    source, count = _summed(found)
    if source is None or not np.isfinite(source.value):
        return None
    numerator = abs(float(source.value).as_integer_ratio()[0])
    odd = numerator // (numerator & -numerator or 1)
    digits = np.finfo(source.type.dtype).nmant + 1
    return fold_sum(found) if odd.bit_length() + count.bit_length() <= digits else None


def fold_sum(found: Match) -> Node | None:
    """the number times its count."""
    source, count = _summed(found)
    if source is None:
        return None
    with np.errstate(all="ignore"):
        total = source.type.dtype.type(source.value * count)
    return constant(total, found.root.type)


def _summed(found: Match) -> tuple[Const | None, int]:
    source, root = found.root.args[0], found.root
    assert isinstance(source, Const)
    uniform = source.uniform and root.type.size
    count = source.type.size // max(root.type.size, 1)
    return source if uniform else None, count


def _filled(each: Const) -> Any:
    if each.uniform and each.type.shape:
        return np.full(each.type.shape, each.value, each.type.dtype)
    return each.value


def _computed(root: Node, values: list[Any]) -> Node | None:
    """The value of one operation as a constant; None where Python itself would raise an error."""
    op = root.op
    assert isinstance(op, Primitive)
    params = {} if isinstance(op.function, np.ufunc) else dict(root.params)
    function = function_of(op) if root.type.weak else op.function
    try:
        with np.errstate(all="ignore"):
            value = function(*values, **params)
    except (ArithmeticError, ValueError, IndexError, np.linalg.LinAlgError):
        return None
    if root.type.weak:
        turned_complex = isinstance(value, complex) and root.type.dtype.kind != "c"
        return None if turned_complex else constant(value, root.type)
    value = np.asarray(value)
    same = value.dtype == root.type.dtype
    return constant(value if value.ndim else value[()], root.type) if same else None


CONSTANTS = rules(
    rule(
        "fold-elementwise",
        Family("an elementwise operation on constants", reads=(CONST,), accepts=_elementwise),
        fold_elementwise,
        EXACT,
        dtypes="biufc",
        example={"of": x * y, "x": "f[3,4]=3", "y": "f[3,4]=5"},
    ),
    rule(
        "fold-move",
        Family("a constant moved about", _MOVES, (CONST,), _moves),
        fold_move,
        EXACT,
        dtypes="biufc",
        example={"of": shaping.broadcast_to(x, shape=(3, 4)), "x": "f[4]=3"},
    ),
    rule(
        "fold-exact-sum",
        Family("the sum of a constant", (reductions.sum_,), (CONST,)),
        fold_exact_sum,
        EXACT,
        dtypes="f",
        example={"of": np.sum(x, axis=(0,), keepdims=False), "x": "f[3,4]=0.75"},
    ),
    rule(
        "fold-sum",
        Family("the sum of a constant", (reductions.sum_,), (CONST,)),
        fold_sum,
        ROUNDING,
        dtypes="fc",
        example={"of": np.sum(x, axis=(0,), keepdims=False), "x": "f[3,4]=0.1"},
    ),
    rule(
        "fold-small",
        Family("an operation on constants", reads=(CONST,), accepts=_other),
        fold_small,
        EXACT,
        dtypes="biufc",
        example={"of": shaping.transpose(x, axes=(1, 0)), "x": "f[3,4]=range"},
    ),
)
