"""Products and linear algebra.

Matrices are the last two axes; the axes before them are a batch, equal for all operands. Composites
(composite_linalg.py) and the tracer bring operands there.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    Called,
    Core,
    Jvp,
    Primitive,
    Routine,
    Samples,
    Transpose,
    case,
    linear,
    primitive,
    register,
    whole_array,
)
from symdiff.ops.reductions import Axes, normalize_axes, one_axis, reduced_shape
from symdiff.ops.shaping import ARRAY, ROWS, index_add

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # labels of np.einsum


def transposed(x: Any) -> Any:
    """The last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def conjugate(x: Any) -> Any:
    """The complex conjugate; x itself where it is real."""
    return np.conj(x) if np.iscomplexobj(x) else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose."""
    return conjugate(transposed(x))


def inexact(*arrays: Any) -> tuple[Any, ...]:
    """The operands in the dtype that np.linalg computes in: their common one, integers as doubles.

    Raises TypeError for dtypes that NumPy's routines do not take.
    """
    arrays = tuple(x if hasattr(x, "dtype") else np.asarray(x) for x in arrays)
    dtype = np.dtype(np.result_type(*arrays))
    dtype = np.dtype(np.float64) if dtype.kind in "biu" else dtype
    if dtype.char not in "fdFD":
        raise TypeError(f"array type {dtype} is unsupported in linalg")
    return tuple(x if x.dtype == dtype else x.astype(dtype) for x in arrays)


def square(a: Any) -> Any:
    """Square matrices, in a dtype that np.linalg computes in."""
    if np.ndim(a) < 2 or np.shape(a)[-1] != np.shape(a)[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    return inexact(a)[0]


# ---------------------------------------------------------------------------- products


def _matmul_type(x1: ArrayType, x2: ArrayType) -> ArrayType:
    return array_type(x1.dtype, (*x1.shape[:-1], x2.shape[-1]))


def _matmul_batch(x1: Any, x2: Any, batched: tuple[bool, bool]) -> Any:
    """One product of matrices where one factor is shared, and else a batch of products."""
    if batched == (True, False) and np.ndim(x2) == 2:  # the rows of all left factors, stacked
        (count, rows, inner), columns = np.shape(x1), np.shape(x2)[1]
        return np.reshape(np.reshape(x1, (count * rows, inner)) @ x2, (count, rows, columns))
    if batched == (False, True) and np.ndim(x1) == 2 and np.shape(x2)[-1] == 1:
        (count, inner, _), rows = np.shape(x2), np.shape(x1)[0]
        return np.reshape(np.reshape(x2, (count, inner)) @ transposed(x1), (count, rows, 1))
    return np.matmul(x1, x2)


matmul = linear(
    np.matmul,
    infix="@",
    # for small matrices np.dot costs half as much to call
    lean=lambda x1, x2, types: (
        f"{x1}.dot({x2})" if max(each.ndim for each in types) <= 2 else ""
    ),
    result=_matmul_type,
    transpose={
        "x1": lambda y_bar, x1, x2: np.matmul(y_bar, transposed(x2)),
        "x2": lambda y_bar, x1, x2: np.matmul(transposed(x1), y_bar),
    },
    batch=_matmul_batch,
    c=Routine("matmul"),
    samples=Samples(
        cases=(
            case("f[2,3]", "f[3,4]"),
            case("f[3,3]", "f[3,1]"),
            case("f[5,2,3]", "f[5,3,1]"),
            case("f[0,3]", "f[3,2]"),
            case("f[2,0]", "f[0,2]"),
            case("c[2,3]", "c[3,2]"),
        )
    ),
)


# The products of two vectors, the first conjugated; all else is batch.
vecdot = linear(
    np.vecdot,
    result=lambda x1, x2: x1.with_shape(x1.shape[:-1]),
    transpose={
        "x1": lambda y_bar, x1, x2: conjugate(np.expand_dims(y_bar, -1) * x2),
        "x2": lambda y_bar, x1, x2: np.expand_dims(y_bar, -1) * conjugate(x1),
    },
    batch=np.vecdot,
    c_expansion=lambda x1, x2: np.sum(conjugate(x1) * x2, axis=-1),
    samples=Samples(
        cases=(case("f[3]", "f[3]"), case("f[2,3]", "f[2,3]"), case("c[2,3]", "c[2,3]"))
    ),
)


def _flat(x: Any) -> Any:
    return x if np.ndim(x) == 1 else np.ravel(x)


outer = linear(
    np.outer,
    result=lambda x1, x2: array_type(x1.dtype, (*x1.shape, *x2.shape)),
    transpose={
        "x1": lambda y_bar, x1, x2: y_bar @ x2,
        "x2": lambda y_bar, x1, x2: x1 @ y_bar,
    },
    call=lambda a, b: ((_flat(a), _flat(b)), {}),
    c_expansion=lambda x1, x2: np.expand_dims(x1, 1) * x2,
    batch=lambda x1, x2: np.expand_dims(x1, 2) * np.expand_dims(x2, 1),
    samples=Samples(cases=(case("f[3]", "f[2]"), case("f[1]", "f[0]"), case("c[2]", "c[3]"))),
)


def _tensordot_call(
    a: Any, b: Any, axes: Any = 2
) -> tuple[tuple[Any, Any], dict[str, tuple[Axes, ...]]]:
    a, b = whole_array(a), whole_array(b)
    if not isinstance(axes, (tuple, list)):
        axes = operator.index(axes)
        axes = (range(np.ndim(a) - axes, np.ndim(a)), range(axes))
    first, second = (
        tuple(one_axis(axis, np.ndim(x)) for axis in (each if np.ndim(each) else (each,)))
        for x, each in zip((a, b), axes, strict=True)
    )
    shapes = [np.shape(a)[axis] for axis in first], [np.shape(b)[axis] for axis in second]
    if shapes[0] != shapes[1]:
        raise ValueError(f"tensordot: axes {axes} of {np.shape(a)} and {np.shape(b)} do not fit")
    return (a, b), {"axes": (first, second)}


def _tensordot_type(x1: ArrayType, x2: ArrayType, axes: tuple[Axes, Axes]) -> ArrayType:
    shape1 = reduced_shape(x1.shape, axes[0], False)
    return array_type(x1.dtype, (*shape1, *reduced_shape(x2.shape, axes[1], False)))


def _free(x: Any, axes: Axes) -> Axes:
    """The axes of x that are not in `axes`."""
    return tuple(i for i in range(np.ndim(x)) if i not in axes)


def _tensordot_first(y_bar: Any, x1: Any, x2: Any, axes: tuple[Axes, Axes]) -> Any:
    free1, free2 = _free(x1, axes[0]), _free(x2, axes[1])
    behind = tuple(range(len(free1), np.ndim(y_bar)))
    x1_bar = np.tensordot(y_bar, x2, (behind, free2))  # axes: free1, then those of x2 in order
    order = [*free1, *(axes[0][axes[1].index(axis)] for axis in sorted(axes[1]))]
    return _in_order(x1_bar, order)


def _tensordot_second(y_bar: Any, x1: Any, x2: Any, axes: tuple[Axes, Axes]) -> Any:
    free1, free2 = _free(x1, axes[0]), _free(x2, axes[1])
    x2_bar = np.tensordot(x1, y_bar, (free1, tuple(range(len(free1)))))
    order = [*(axes[1][axes[0].index(axis)] for axis in sorted(axes[0])), *free2]
    return _in_order(x2_bar, order)


def _in_order(x: Any, order: list[int]) -> Any:
    """x, whose axes are these axes of the result."""
    return x if order == sorted(order) else np.transpose(x, np.argsort(order).tolist())


def _tensordot_source(x1: str, x2: str, axes: tuple[Axes, Axes], types: Any) -> str:
    count, ndim = len(axes[0]), types[0].ndim
    if axes == (tuple(range(ndim - count, ndim)), tuple(range(count))):
        return f"np.tensordot({x1}, {x2}, {count})"
    pairs = (axes[0][0], axes[1][0]) if count == 1 else axes
    return f"np.tensordot({x1}, {x2}, {pairs})"


def _shift(axes: Axes) -> Axes:
    return tuple(axis + 1 for axis in axes)


def _tensordot_batch(
    x1: Any, x2: Any, axes: tuple[Axes, Axes], batched: tuple[bool, bool]
) -> Any:
    if batched == (True, False):
        return np.tensordot(x1, x2, (_shift(axes[0]), axes[1]))
    if batched == (False, True):
        y = np.tensordot(x1, x2, (axes[0], _shift(axes[1])))
        return np.moveaxis(y, np.ndim(x1) - len(axes[0]), 0)
    first, second = _shift(axes[0]), _shift(axes[1])
    free1 = tuple(axis for axis in _free(x1, first) if axis)
    free2 = tuple(axis for axis in _free(x2, second) if axis)
    count = np.shape(x1)[0]
    shape1, shape2 = ([np.shape(x)[i] for i in free] for x, free in ((x1, free1), (x2, free2)))
    inner = int(np.prod([np.shape(x1)[axis] for axis in first], dtype=int))
    left = np.reshape(np.transpose(x1, (0, *free1, *first)), (count, -1, inner))
    right = np.reshape(np.transpose(x2, (0, *second, *free2)), (count, inner, -1))
    return np.reshape(left @ right, (count, *shape1, *shape2))


def _tensordot_product(x1: Any, x2: Any, axes: tuple[Axes, Axes]) -> Any:
    """One product of matrices."""
    free1, free2 = _free(x1, axes[0]), _free(x2, axes[1])
    shape1, shape2 = np.shape(x1), np.shape(x2)
    rows, columns = [shape1[i] for i in free1], [shape2[i] for i in free2]
    inner = math.prod(shape1[i] for i in axes[0])
    left = np.reshape(np.transpose(x1, (*free1, *axes[0])), (math.prod(rows), inner))
    right = np.reshape(np.transpose(x2, (*axes[1], *free2)), (inner, math.prod(columns)))
    return np.reshape(left @ right, (*rows, *columns))


tensordot = linear(
    np.tensordot,
    result=_tensordot_type,
    transpose={"x1": _tensordot_first, "x2": _tensordot_second},
    call=_tensordot_call,
    batch=_tensordot_batch,
    numpy=_tensordot_source,
    c_expansion=_tensordot_product,
    samples=Samples(
        cases=(
            case("f[2,3,4]", "f[4,2]", axes=((0, 2), (1, 0))),
            case("f[2,3]", "f[4,3,2]", axes=((1,), (1,))),
            case("f[2]", "f[3]", axes=((), ())),
            case("f[2,2]", "f[2,2]", axes=((0, 1), (1, 0))),
        )
    ),
)


def _dot_axes(x1: Any, x2: Any) -> tuple[Axes, Axes]:
    return (x1.ndim - 1,), (max(x2.ndim - 2, 0),)


# tensordot over the last axis of x1 and the last but one of x2, but with the bits of np.dot, which
# adds up in another order where an operand has more than two axes.
dot = linear(
    np.dot,
    result=lambda x1, x2: _tensordot_type(x1, x2, _dot_axes(x1, x2)),
    transpose={
        "x1": lambda y_bar, x1, x2: _tensordot_first(y_bar, x1, x2, _dot_axes(x1, x2)),
        "x2": lambda y_bar, x1, x2: _tensordot_second(y_bar, x1, x2, _dot_axes(x1, x2)),
    },
    batch=lambda x1, x2: _tensordot_batch(x1, x2, _dot_axes(x1[0], x2[0]), (True, True)),
    c_expansion=lambda x1, x2: _tensordot_product(x1, x2, _dot_axes(x1, x2)),
    samples=Samples(
        cases=(
            case("f[2,3,4]", "f[4]"),
            case("f[2,3,4]", "f[4,5]"),
            case("f[2,3]", "f[2,3,4]"),
            case("f[0,2,3]", "f[2,3,1]"),
        )
    ),
)


def _padded(shape: Axes, ndim: int) -> Axes:
    return (1,) * (ndim - len(shape)) + tuple(shape)


def _kron_type(x1: ArrayType, x2: ArrayType) -> ArrayType:
    ndim = max(x1.ndim, x2.ndim)
    shapes = zip(_padded(x1.shape, ndim), _padded(x2.shape, ndim), strict=True)
    return array_type(x1.dtype, tuple(n * m for n, m in shapes))


def _kron_first(y_bar: Any, x1: Any, x2: Any) -> Any:
    blocks, ndim = _blocks(y_bar, x1, x2), np.ndim(y_bar)
    axes = (tuple(range(1, 2 * ndim, 2)), tuple(range(ndim)))
    factor = np.reshape(x2, _padded(np.shape(x2), ndim))
    return np.reshape(np.tensordot(blocks, factor, axes), np.shape(x1))


def _kron_second(y_bar: Any, x1: Any, x2: Any) -> Any:
    blocks, ndim = _blocks(y_bar, x1, x2), np.ndim(y_bar)
    axes = (tuple(range(ndim)), tuple(range(0, 2 * ndim, 2)))
    factor = np.reshape(x1, _padded(np.shape(x1), ndim))
    return np.reshape(np.tensordot(factor, blocks, axes), np.shape(x2))


def _blocks(y: Any, x1: Any, x2: Any) -> Any:
    """y with each axis split into one of x1 and one of x2."""
    shapes = (_padded(np.shape(x), np.ndim(y)) for x in (x1, x2))
    return np.reshape(y, [n for pair in zip(*shapes, strict=True) for n in pair])


def _kron_batch(x1: Any, x2: Any) -> Any:
    ndim = max(np.ndim(x1), np.ndim(x2)) - 1
    (count, *own1), (_, *own2) = np.shape(x1), np.shape(x2)
    shape1, shape2 = _padded(tuple(own1), ndim), _padded(tuple(own2), ndim)
    left = np.reshape(x1, (count, *(n for extent in shape1 for n in (extent, 1))))
    right = np.reshape(x2, (count, *(n for extent in shape2 for n in (1, extent))))
    shape = (n * m for n, m in zip(shape1, shape2, strict=True))
    return np.reshape(left * right, (count, *shape))


kron = linear(
    np.kron,
    result=_kron_type,
    transpose={"x1": _kron_first, "x2": _kron_second},
    call=lambda a, b: ((whole_array(a), whole_array(b)), {}),
    batch=_kron_batch,
    c_expansion=lambda x1, x2: _kron_batch(x1[None], x2[None])[0],
    samples=Samples(
        cases=(case("f[2,3]", "f[3,1]"), case("f[2]", "f[2,3]"), case("f[2,2]", "f[3]"))
    ),
)

def _cross_product(x1: Any, x2: Any) -> Any:
    """Component by component."""
    (a, b, c), (d, e, f) = ([x[..., i] for i in range(3)] for x in (x1, x2))
    return np.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=-1)


# The cross product of vectors of three components, along the last axis.
cross = linear(
    np.cross,
    result=lambda x1, x2: x1,
    transpose={
        "x1": lambda y_bar, x1, x2: np.cross(x2, y_bar),
        "x2": lambda y_bar, x1, x2: np.cross(y_bar, x1),
    },
    batch=np.cross,
    c_expansion=_cross_product,
    samples=Samples(cases=(case("f[3]", "f[3]"), case("f[2,3]", "f[2,3]"))),
)

# ---------------------------------------------------------------------------- einsum


def _einsum(*operands: Any, subscripts: str, optimize: bool) -> Any:
    return np.einsum(subscripts, *operands, optimize=optimize)


def split_subscripts(subscripts: str) -> tuple[list[str], str]:
    """The labels of each operand and of the result."""
    inputs, _, output = subscripts.partition("->")
    return inputs.split(","), output


def _einsum_type(*types: ArrayType, subscripts: str, optimize: bool) -> ArrayType:
    inputs, output = split_subscripts(subscripts)
    extents: dict[str, int] = {}
    for labels, each in zip(inputs, types, strict=True):
        extents |= zip(labels, each.shape, strict=True)
    return array_type(types[0].dtype, tuple(extents[label] for label in output))


def _einsum_adjoints(
    y_bar: Any, *operands: Any, subscripts: str, optimize: bool
) -> list[Any]:
    adjoint = partial(_einsum_adjoint, y_bar, operands, subscripts, optimize)
    return [adjoint(i) for i in range(len(operands))]


def _einsum_adjoint(
    y_bar: Any, operands: tuple[Any, ...], subscripts: str, optimize: bool, position: int
) -> Any:
    """The labels of the operand and those of the result change places."""
    inputs, output = split_subscripts(subscripts)
    x, labels = operands[position], inputs[position]
    others = inputs[:position] + inputs[position + 1 :]
    kept = [label for label in labels if any(label in each for each in (output, *others))]
    x_bar = y_bar
    if not others:
        x_bar = np.transpose(y_bar, [output.index(label) for label in kept])
    elif not output:
        factors = operands[:position] + operands[position + 1 :]
        new = f"{','.join(others)}->{''.join(kept)}"
        x_bar = y_bar * np.einsum(new, *factors, optimize=optimize)
    else:
        factors = (y_bar, *operands[:position], *operands[position + 1 :])
        new = f"{','.join([output, *others])}->{''.join(kept)}"
        x_bar = einsum(*factors, subscripts=new, optimize=optimize)
    if len(kept) == len(labels):
        return x_bar
    # a label that no other operand has was summed over
    shape = [n if label in kept else 1 for label, n in zip(labels, np.shape(x), strict=True)]
    return np.broadcast_to(np.reshape(x_bar, shape) if kept else x_bar, np.shape(x))


def _einsum_batch(
    *operands: Any, subscripts: str, optimize: bool, batched: tuple[bool, ...]
) -> Any:
    inputs, output = split_subscripts(subscripts)
    fresh = next(label for label in LETTERS if label not in subscripts)
    marked = [fresh + each if own else each for each, own in zip(inputs, batched, strict=True)]
    new = f"{','.join(marked)}->{fresh}{output}"
    return einsum(*operands, subscripts=new, optimize=optimize)


def _einsum_products(*operands: Any, subscripts: str, optimize: bool) -> Any:
    """Products of matrices, one operand after the other."""
    inputs, output = split_subscripts(subscripts)
    (x, labels), rest = (operands[0], inputs[0]), inputs[1:]
    for i, (y, others) in enumerate(zip(operands[1:], rest, strict=True)):
        needed = output + "".join(rest[i + 1 :])
        x, labels = _contracted(x, labels, y, others, needed)
    x, labels = _summed(x, labels, output)
    return np.transpose(x, [labels.index(label) for label in output])


def _summed(x: Any, labels: str, needed: str) -> tuple[Any, str]:
    """x summed over what nobody needs."""
    axes = tuple(i for i, label in enumerate(labels) if label not in needed)
    return np.sum(x, axis=axes) if axes else x, "".join(each for each in labels if each in needed)


def _contracted(x: Any, a: str, y: Any, b: str, needed: str) -> tuple[Any, str]:
    """The product of two operands, summed over what they share and nobody else needs."""
    (x, a), (y, b) = _summed(x, a, b + needed), _summed(y, b, a + needed)
    extents = dict(zip(a + b, (*np.shape(x), *np.shape(y)), strict=True))
    batch = [each for each in a if each in b and each in needed]
    inner = [each for each in a if each in b and each not in needed]
    left, right = [each for each in a if each not in b], [each for each in b if each not in a]

    def matrices(z: Any, own: str, *groups: list[str]) -> Any:
        order = [own.index(each) for each in (*batch, *groups[0], *groups[1])]
        sizes = [math.prod(extents[each] for each in group) for group in groups]
        return np.reshape(np.transpose(z, order), (*(extents[each] for each in batch), *sizes))

    product = matrices(x, a, left, inner) @ matrices(y, b, inner, right)
    labels = "".join([*batch, *left, *right])
    return np.reshape(product, tuple(extents[each] for each in labels)), labels


def _einsum_source(*operands: str, subscripts: str, optimize: bool) -> str:
    keyword = ", optimize=True" if optimize else ""
    return f'np.einsum("{subscripts}", {", ".join(operands)}{keyword})'


# Subscripts name the result, and each label at most once per operand; a label has one extent.
einsum: Primitive = linear(
    _einsum,
    name="einsum",
    variadic=True,
    result=_einsum_type,
    transpose={"operands": _einsum_adjoints},
    batch=_einsum_batch,
    numpy=_einsum_source,
    c_expansion=_einsum_products,
    samples=Samples(
        cases=(
            case("f[2,3]", "f[3,4]", subscripts="ij,jk->ik", optimize=False),
            case("f[2,3]", subscripts="ij->ji", optimize=False),
            case("f[2,3]", "f[4]", subscripts="ij,k->k", optimize=False),
            case("f[2,3]", "f[3]", "f[2]", subscripts="ij,j,i->", optimize=True),
            case("f[0,3]", "f[3]", subscripts="ij,j->i", optimize=False),
        )
    ),
)

# ---------------------------------------------------------------------------- diagonals


def _places(x: Any, offset: int) -> tuple[Any, Any]:
    """Rows and columns of a diagonal of the matrices x."""
    rows, columns = np.shape(x)[-2:]
    row, column = max(-offset, 0), max(offset, 0)
    count = max(min(rows - row, columns - column), 0)
    return np.arange(row, row + count), np.arange(column, column + count)


def _add_to_diagonal(x: Any, values: Any, offset: int) -> Any:
    """x with values added to a diagonal of its matrices."""
    index = (*(ROWS,) * (np.ndim(x) - 2), ARRAY, ARRAY)
    return index_add(x, values, *_places(x, offset), index=index)


def _diagonal_type(x: ArrayType, offset: int) -> ArrayType:
    return x.with_shape((*x.shape[:-2], len(_places(np.broadcast_to(0, x.shape), offset)[0])))


def _diagonal_source(function: str) -> Callable[..., str]:
    def source(x: str, offset: int, types: tuple[ArrayType, ...]) -> str:
        start = f", {offset}" if offset else ""
        axes = ", axis1=-2, axis2=-1" if types[0].ndim > 2 else ""
        return f"{function}({x}{start}{axes})"

    return source


DIAGONALS = Samples(
    cases=(
        case("f[3,3]", offset=0),
        case("f[2,3]", offset=1),
        case("f[2,4,3]", offset=-2),
        case("f[2,2]", offset=5),
        case("f[0,2]", offset=0),
    )
)


def _diagonal(x: Any, offset: int) -> Any:
    return np.diagonal(x, offset, -2, -1)


diagonal: Primitive = linear(
    _diagonal,
    name="diagonal",
    result=_diagonal_type,
    transpose={
        "x": Transpose(
            lambda x_bar, y_bar, x, offset: _add_to_diagonal(x_bar, y_bar, offset),
            accumulates=True,
        )
    },
    batch=_diagonal,
    numpy=_diagonal_source("np.diagonal"),
    view=True,
    read_only=True,
    samples=DIAGONALS,
)


def _trace(x: Any, offset: int) -> Any:
    return np.trace(x, offset, -2, -1)


def _add_to_whole_diagonal(x_bar: Any, y_bar: Any, x: Any, offset: int) -> Any:
    shape = (*np.shape(y_bar), len(_places(x, offset)[0]))
    values = np.expand_dims(y_bar, -1) if np.ndim(y_bar) else y_bar
    return _add_to_diagonal(x_bar, np.broadcast_to(values, shape), offset)


trace = linear(
    _trace,
    name="trace",
    result=lambda x, offset: x.with_shape(x.shape[:-2]),
    transpose={"x": Transpose(_add_to_whole_diagonal, accumulates=True)},
    batch=_trace,
    c_expansion=lambda x, offset: np.sum(diagonal(x, offset=offset), axis=-1),
    numpy=_diagonal_source("np.trace"),
    samples=DIAGONALS,
)


def _diag_batch(x: Any, k: int) -> Any:
    count, length = np.shape(x)
    size = length + abs(k)
    return _add_to_diagonal(np.zeros_like(x, shape=(count, size, size)), x, k)


# A vector as the diagonal of a matrix.
diag = linear(
    np.diag,
    result=lambda x, k: x.with_shape((x.shape[0] + abs(k),) * 2),
    transpose={"x": lambda y_bar, x, k: diagonal(y_bar, offset=k)},
    batch=_diag_batch,
    numpy=lambda x, k: f"np.diag({x}, {k})" if k else f"np.diag({x})",
    c_expansion=lambda x, k: _diag_batch(x[None], k)[0],
    samples=Samples(cases=(case("f[3]", k=0), case("f[2]", k=-1), case("f[0]", k=0))),
)


def _rows(x: Any) -> Any:
    """x; a vector as all rows of a square matrix, as np.tril takes it."""
    return np.broadcast_to(x, np.shape(x) * 2) if np.ndim(x) == 1 else x


def _diagonal_number(k: Any) -> int:
    """Which diagonal. Of a fraction NumPy makes different ones in each row, or none."""
    if k != int(k):
        raise ValueError(f"k={k} is no whole number, and there is no such diagonal")
    return int(k)


def _triangle(function: Any) -> Primitive:
    """np.tril or np.triu: the matrices with zeros on the other side of a diagonal."""
    name = function.__name__
    return linear(
        function,
        result=lambda x, k: x,
        transpose={"x": lambda y_bar, x, k: function(y_bar, k)},
        call=lambda m, k=0: ((_rows(m),), {"k": _diagonal_number(k)}),
        batch=function,
        numpy=lambda x, k: f"np.{name}({x}, {k})" if k else f"np.{name}({x})",
        c_expansion=lambda x, k: np.where(
            np.broadcast_to(function(np.ones(np.shape(x)[-2:], bool), k), np.shape(x)), x, 0
        ),
        samples=Samples(cases=(case("f[3,3]", k=0), case("f[2,3]", k=-1), case("f[2,1,3]", k=1))),
    )


tril, triu = _triangle(np.tril), _triangle(np.triu)

# ---------------------------------------------------------------------------- norm


def _norm_type(x: ArrayType, axis: Axes | None, keepdims: bool) -> ArrayType:
    return array_type(real_dtype(x), reduced_shape(x.shape, normalize_axes(axis, x.ndim), keepdims))


def real_dtype(x: ArrayType) -> np.dtype[Any]:
    """The dtype of absolute values."""
    return np.empty(0, x.dtype).real.dtype


def _norm(x: Any, axis: Axes | None, keepdims: bool) -> Any:
    """The root of the sum of squares over one or two axes, or (None) over all."""
    of_vectors = axis is not None and len(axis) == 1
    axes: Any = axis[0] if axis is not None and of_vectors else axis
    return np.linalg.norm(x, axis=axes, keepdims=keepdims)


def _norm_tangent(y: Any, x: Any, x_dot: Any, axis: Axes | None, keepdims: bool) -> Any:
    product = np.real(np.conj(x) * x_dot) if np.iscomplexobj(x) else x * x_dot
    total = np.sum(product, axis=normalize_axes(axis, np.ndim(x)), keepdims=keepdims)
    return total / np.where(y == 0, np.inf, y)  # so that the derivative is 0 at the kink x = 0


def _norm_batch(x: Any, axis: Axes | None, keepdims: bool) -> Any:
    if axis is not None:
        return norm(x, axis=_shift(axis), keepdims=keepdims)
    count, *shape = np.shape(x)
    y = norm(np.reshape(x, (count, -1)), axis=(1,), keepdims=False)
    return np.reshape(y, (count, *(1,) * len(shape))) if keepdims else y


def _norm_source(x: str, axis: Axes | None, keepdims: bool) -> str:
    where = "" if axis is None else f", axis={axis[0] if len(axis) == 1 else axis}"
    return f"np.linalg.norm({x}{where}{', keepdims=True' if keepdims else ''})"


norm: Primitive = register(
    Primitive(
        name="norm",
        function=_norm,
        arguments=("x",),
        result=_norm_type,
        rules={"x": Jvp(_norm_tangent)},
        numpy=_norm_source,
        convention="np.linalg.norm has derivative 0 at 0.",
        batch=_norm_batch,
        c_expansion=lambda x, axis, keepdims: np.sqrt(
            np.sum(x * x, axis=axis, keepdims=keepdims)
        ),
        samples=Samples(
            cases=(
                case("f[3]", axis=None, keepdims=False),
                case("f[3,4]", axis=(1,), keepdims=True),
                case("f[3]", axis=(0,), keepdims=False),
                case("f[2,3,2]", axis=(0, 2), keepdims=False),
                case("f[2,3,2]", axis=None, keepdims=True),
                case("c[3]", axis=(0,), keepdims=False),
            )
        ),
    )
)

# ---------------------------------------------------------------------------- equations


def over_columns(
    solve: Callable[..., Any], a: Any, b: Any, batched: tuple[bool, bool], **options: Any
) -> Any:
    """A batch of solve(a, b), which takes one matrix and one vector, or b with columns."""
    vector = np.ndim(b) - batched[1] == 1
    if batched == (False, True) and np.ndim(a) == 2:  # one matrix: all right sides are columns
        if vector:
            return np.swapaxes(solve(a, np.swapaxes(b, 0, 1), **options), 0, 1)
        count, n, columns = np.shape(b)
        sides = np.reshape(np.swapaxes(b, 0, 1), (n, count * columns))
        return np.swapaxes(np.reshape(solve(a, sides, **options), (n, count, columns)), 0, 1)
    sides = np.expand_dims(b, -1) if vector else b
    count = np.shape(a if batched[0] else b)[0]
    a, sides = (
        x if own else np.broadcast_to(x, (count, *np.shape(x)))
        for x, own in zip((a, sides), batched, strict=True)
    )
    x = solve(a, sides, **options)
    return np.squeeze(x, -1) if vector else x


_SMALL = 64  # rows of matrices up to which C has loops of its own: larger ones are LAPACK's


def small(
    function: str, signature: str, a: ArrayType, *numbers: int, work: int | None = None
) -> Core | None:
    """A C function of small matrices, with memory for so many more."""
    if a.dtype.kind != "f" or a.shape[-1] > _SMALL:
        return None
    size = None if work is None else work * math.prod(a.shape[-2:]) * a.dtype.itemsize
    return Core(function, signature, numbers, size)


def solved_c(a: ArrayType, b: ArrayType, function: str, *numbers: int, work: int | None) -> Any:
    """A C function that solves with a matrix, for one vector or columns."""
    if b.ndim == 1:
        return small(function, "(n,n),(n)->(n)", a, 1, *numbers, work=work)
    return small(function, "(n,n),(n,k)->(n,k)", a, *numbers, work=work)


def _solve_batch(a: Any, b: Any, batched: tuple[bool, bool]) -> Any:
    return over_columns(np.linalg.solve, a, b, batched)


# b is one vector, for one matrix a, or it has columns.
solve = primitive(
    np.linalg.solve,
    result=lambda a, b: b,
    jvp={"a": lambda x, a, b, a_dot: np.linalg.solve(a, -(a_dot @ x))},
    transpose={"b": lambda x_bar, a, b: np.linalg.solve(transposed(a), x_bar)},
    batch=_solve_batch,
    c=Called(lambda a, b: solved_c(a, b, "sd_solve", work=1)),
    samples=Samples(
        cases=(
            case("f[3,3]:regular", "f[3]"),
            case("f[3,3]:regular", "f[3,2]"),
            case("f[2,3,3]:regular", "f[2,3,1]"),
            case("f[0,0]", "f[0,2]"),
            case("c[2,2]:regular", "c[2]"),
        )
    ),
)

REGULAR = Samples(
    cases=(
        case("f[3,3]:regular"),
        case("f[2,2,2]:regular"),
        case("f[1,1]:regular"),
        case("c[2,2]:regular"),
    )
)

inv = primitive(
    np.linalg.inv,
    result=lambda a: a,
    jvp={"a": lambda y, a, a_dot: -(y @ a_dot @ y)},
    call=lambda a: ((square(a),), {}),
    batch=np.linalg.inv,
    c=Called(lambda a: small("sd_inv", "(n,n)->(n,n)", a, 0, work=2)),
    samples=REGULAR,
)

# ---------------------------------------------------------------------------- determinants


def relative_det(a: Any, a_dot: Any) -> Any:
    """The tangent of log det a: trace(a⁻¹ a_dot). NumPy refuses an exactly singular a."""
    return np.sum(transposed(np.linalg.inv(a)) * a_dot, axis=(-2, -1))


INVERSE = "takes an inverse, which is three times the work of a determinant"


def _det_type(a: ArrayType) -> ArrayType:
    return a.with_shape(a.shape[:-2])


det = primitive(
    np.linalg.det,
    result=_det_type,
    jvp={"a": lambda y, a, a_dot: y * relative_det(a, a_dot)},
    cost=INVERSE,
    call=lambda a: ((square(a),), {}),
    batch=np.linalg.det,
    c=Called(lambda a: small("sd_det", "(n,n)->()", a, 0, work=1)),
    samples=REGULAR,
)

# ---------------------------------------------------------------------------- Cholesky


def half(x: Any) -> Any:
    """The lower triangle, with half the diagonal."""
    return (np.tril(x) + np.tril(x, -1)) / 2


TWO_SOLVES = "takes two solves and a product, each several times the work of the factorization"


def _cholesky_tangent(y: Any, a: Any, a_dot: Any) -> Any:
    # L_dot = L half(L⁻¹ a_dot L⁻ᴴ), where of a_dot only the lower triangle is read
    read = half(a_dot) + adjoint(half(a_dot))
    return y @ half(np.linalg.solve(y, adjoint(np.linalg.solve(y, read))))


cholesky = primitive(
    np.linalg.cholesky,
    result=lambda a: a,
    jvp={"a": _cholesky_tangent},
    cost=TWO_SOLVES,
    convention="np.linalg.cholesky reads the lower triangle, the derivative is 0 in the upper.",
    batch=np.linalg.cholesky,
    c=Called(lambda a: small("sd_cholesky", "(n,n)->(n,n)", a, 1, 0, 0)),
    samples=Samples(cases=(case("f[3,3]:spd"), case("f[2,2,2]:spd"), case("c[2,2]:spd"))),
)
