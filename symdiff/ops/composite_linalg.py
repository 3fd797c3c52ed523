"""Linear algebra traced through primitives: operands brought to their form, and the rest of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdiff.ops import linalg
from symdiff.ops.linalg import (
    LETTERS,
    TWO_SOLVES,
    conjugate,
    inexact,
    split_subscripts,
    square,
)
from symdiff.ops.primitive import composite, whole_array
from symdiff.ops.reductions import Axes, normalize_axes, one_axis

# ---------------------------------------------------------------------------- products


@composite(np.linalg.matmul)
def matmul(x1: Any, x2: Any) -> Any:
    """x1 @ x2."""
    return np.matmul(x1, x2)


@composite(np.dot)
def dot(a: Any, b: Any) -> Any:
    """The product over the last axis of a and the last but one of b."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(whole_array(a), whole_array(b))
    if max(np.ndim(a), np.ndim(b)) <= 2:
        return np.matmul(a, b)
    if np.shape(a)[-1] != np.shape(b)[max(np.ndim(b) - 2, 0)]:
        raise ValueError(f"dot: the shapes {np.shape(a)} and {np.shape(b)} do not fit")
    return linalg.dot(a, b)


@composite(np.inner)
def inner(a: Any, b: Any) -> Any:
    """The product over the last axes."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(whole_array(a), whole_array(b))
    return np.dot(a, b if np.ndim(b) == 1 else np.swapaxes(b, -1, -2))


@composite(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """The product over all elements, a conjugated."""
    return np.matmul(conjugate(np.ravel(a)), np.ravel(b))


@composite(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    """The products over one axis, x1 conjugated."""
    a, b = _last(x1, axis), _last(x2, axis)
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return linalg.vecdot(_broadcast(a, shape), _broadcast(b, shape))


@composite(np.linalg.outer)
def outer(x1: Any, x2: Any) -> Any:
    """All products of two elements."""
    return np.outer(x1, x2)


@composite(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, *, axes: Any = 2) -> Any:
    """The product over pairs of axes."""
    return np.tensordot(x1, x2, axes)


@composite(np.cross, np.linalg.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The cross product of vectors of three components."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = _last(a, axisa), _last(b, axisb)
    if np.shape(a)[-1] != 3 or np.shape(b)[-1] != 3:
        raise ValueError("np.cross is traced for vectors of three components")
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    product = linalg.cross(_broadcast(a, shape), _broadcast(b, shape))
    last = axisc in (-1, len(shape) - 1)
    return product if last else np.moveaxis(product, -1, axisc)


def _last(x: Any, axis: int) -> Any:
    return x if axis in (-1, np.ndim(x) - 1) else np.moveaxis(x, axis, -1)


def _broadcast(x: Any, shape: Sequence[int]) -> Any:
    return x if tuple(np.shape(x)) == tuple(shape) else np.broadcast_to(x, tuple(shape))


@composite(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """The product of n factors a, by repeated squaring in NumPy's order."""
    if n == 0:
        return np.broadcast_to(np.eye(np.shape(a)[-1], dtype=a.dtype), np.shape(a))
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 3:
        return (a @ a) @ a
    power, square = None, a
    while n:
        if n & 1:
            power = square if power is None else power @ square
        n >>= 1
        square = square @ square if n else square
    return power


@composite(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any]) -> Any:
    """The product of all, in the order of the fewest multiplications."""
    shapes = [np.shape(each) for each in arrays]  # the first may be a row, the last a column
    sizes = [shapes[0][0] if len(shapes[0]) == 2 else 1]
    sizes += [shape[-1] for shape in shapes]
    if len(shapes[-1]) == 1:
        sizes[-1] = 1
    best: dict[tuple[int, int], tuple[int, Any]] = {
        (i, i): (0, factor) for i, factor in enumerate(arrays)
    }
    for length in range(1, len(arrays)):
        for i in range(len(arrays) - length):
            k = i + length
            costs = {
                j: best[i, j][0] + best[j + 1, k][0] + sizes[i] * sizes[j + 1] * sizes[k + 1]
                for j in range(i, k)
            }
            j = min(costs, key=costs.__getitem__)
            best[i, k] = (costs[j], np.matmul(best[i, j][1], best[j + 1, k][1]))
    return best[0, len(arrays) - 1][1]


# ---------------------------------------------------------------------------- einsum


@composite(np.einsum)
def einsum(
    *operands: Any,
    optimize: Any = False,
    dtype: Any = None,
    casting: Any = "safe",
    order: str = "K",
) -> Any:
    """np.einsum: subscripts written out, diagonals taken, extents 1 dropped; not the layout."""
    subscripts, arrays = _einsum_arguments(operands)
    arrays = [whole_array(each) for each in arrays]
    if dtype is not None:
        arrays = [_cast_safely(each, np.dtype(dtype), casting) for each in arrays]
    inputs, output = _labels(subscripts, [np.ndim(x) for x in arrays])
    extents: dict[str, int] = {}
    for labels, x in zip(inputs, arrays, strict=True):
        for label, extent in zip(labels, np.shape(x), strict=True):
            known = extents.setdefault(label, extent)
            if 1 not in (known, extent) and known != extent:
                raise ValueError(f"einsum: label {label!r} has extents {known} and {extent}")
            extents[label] = extent if known == 1 else known
    for i, (labels, x) in enumerate(zip(inputs, arrays, strict=True)):
        inputs[i], arrays[i] = _distinct(*_stretchable(labels, x, extents))
    if len(inputs) == 1 and sorted(inputs[0]) == sorted(output):  # a view, and not a sum
        axes = [inputs[0].index(label) for label in output]
        if not axes:
            return np.copy(arrays[0])[()]
        return np.transpose(arrays[0], axes) if inputs[0] != output else arrays[0]
    return linalg.einsum(
        *arrays, subscripts=f"{','.join(inputs)}->{output}", optimize=bool(optimize)
    )


def _cast_safely(x: Any, dtype: np.dtype[Any], casting: Any) -> Any:
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(f"Cannot cast operand data from {x.dtype!r} to {dtype!r} according to the "
                        f"rule {casting!r}")
    return x.astype(dtype)


def _einsum_arguments(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Both calling forms: subscripts first, or each operand with a list of labels."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    pairs = len(operands) // 2
    lists = [*operands[1 : 2 * pairs : 2]]
    text = ",".join(_label_text(each) for each in lists)
    if len(operands) % 2:
        text += f"->{_label_text(operands[-1])}"
    return text, list(operands[0 : 2 * pairs : 2])


def _label_text(labels: Sequence[Any]) -> str:
    return "".join("..." if each is Ellipsis else LETTERS[each] for each in labels)


def _labels(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The labels of operands and result, with letters for an ellipsis and an implied result."""
    inputs, output = split_subscripts(subscripts)
    if len(inputs) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} is not for {len(ndims)} operands")
    fresh = [label for label in LETTERS if label not in subscripts]
    rest = [n - len(labels.replace("...", "")) for labels, n in zip(inputs, ndims, strict=True)]
    longest = max((n for labels, n in zip(inputs, rest, strict=True) if "..." in labels), default=0)
    dots = "".join(fresh[:longest])
    for i, (labels, n) in enumerate(zip(inputs, rest, strict=True)):
        if n < 0 or (n and "..." not in labels):
            raise ValueError(f"einsum: {labels!r} does not fit an operand of {ndims[i]} axes")
        inputs[i] = labels.replace("...", dots[longest - n :])
    if "->" not in subscripts:
        once = [label for label in sorted(set("".join(inputs))) if label not in dots]
        return inputs, dots + "".join(x for x in once if "".join(inputs).count(x) == 1)
    return inputs, output.replace("...", dots)


def _stretchable(labels: str, x: Any, extents: dict[str, int]) -> tuple[str, Any]:
    """The operand without the axes of extent 1 along which it would be repeated."""
    shape = np.shape(x)
    kept = [i for i, label in enumerate(labels) if shape[i] == extents[label]]
    if len(kept) == len(labels):
        return labels, x
    return "".join(labels[i] for i in kept), np.reshape(x, [shape[i] for i in kept])


def _distinct(labels: str, x: Any) -> tuple[str, Any]:
    """The operand with a diagonal in the place of each repeated label."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first, second = labels.index(label), labels.rindex(label)
            x = np.diagonal(x, 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    return labels, x


# ---------------------------------------------------------------------------- diagonals


def _matrices_last(x: Any, axis1: int, axis2: int) -> Any:
    ndim = np.ndim(x)
    if (one_axis(axis1, ndim), one_axis(axis2, ndim)) == (ndim - 2, ndim - 1):
        return x
    return np.moveaxis(x, (axis1, axis2), (-2, -1))


@composite(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of the matrices over two axes, as a last axis."""
    return linalg.diagonal(_matrices_last(a, axis1, axis2), offset=int(offset))


@composite(np.linalg.diagonal)
def matrix_diagonal(x: Any, *, offset: int = 0) -> Any:
    """A diagonal of the matrices over the last two axes."""
    return linalg.diagonal(x, offset=int(offset))


@composite(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None
) -> Any:
    """The sum along a diagonal."""
    return _trace(_matrices_last(a, axis1, axis2), offset, dtype)


@composite(np.linalg.trace)
def matrix_trace(x: Any, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum along a diagonal of the matrices over the last two axes."""
    return _trace(x, offset, dtype)


def _trace(x: Any, offset: int, dtype: Any) -> Any:
    if dtype is None and x.dtype.kind in "biu":
        dtype = np.uint64 if x.dtype.kind == "u" else np.int64  # as NumPy widens integers
    return linalg.trace(x if dtype is None else x.astype(dtype), offset=int(offset))


@composite(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a diagonal."""
    if np.ndim(v) == 1:
        return linalg.diag(v, k=int(k))
    return np.diagonal(v, k)


@composite(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with all elements of v along a diagonal."""
    return linalg.diag(np.ravel(v), k=int(k))


@composite(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any) -> Any:
    """The last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


# ---------------------------------------------------------------------------- norms


@composite(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors (one axis) or matrices (two axes)."""
    x = x if x.dtype.kind in "fc" else x.astype(np.float64)
    if axis is None and (
        ord is None
        or (ord in ("f", "fro") and np.ndim(x) == 2)
        or (ord == 2 and np.ndim(x) == 1)
    ):
        return linalg.norm(x, axis=None, keepdims=bool(keepdims))
    axes = tuple(range(np.ndim(x))) if axis is None else _in_order(axis, np.ndim(x))
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, "fro" if ord is None else ord, axes, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


@composite(np.linalg.vector_norm)
def vector_norm(x: Any, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm of all elements, or over axes."""
    x = x if x.dtype.kind in "fc" else x.astype(np.float64)
    axes = normalize_axes(axis, np.ndim(x))
    ndim = np.ndim(x)
    if len(axes) > 1:  # as NumPy: the axes become one, the first
        kept = tuple(i for i in range(ndim) if i not in axes)
        shape = [np.shape(x)[i] for i in kept]
        x = np.reshape(np.transpose(x, (*axes, *kept)), (-1, *shape))
    y = _vector_norm(x, ord, (0,) if len(axes) > 1 else axes, False)
    return np.expand_dims(y, axes) if keepdims else y


@composite(np.linalg.matrix_norm)
def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of the matrices over the last two axes."""
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


def _in_order(axis: Any, ndim: int) -> Axes:
    """Axes from 0 to ndim - 1, in the given order: the first are the rows of a matrix."""
    return tuple(normalize_axes(each, ndim)[0] for each in np.atleast_1d(axis).tolist())


def _vector_norm(x: Any, ord: Any, axes: Axes, keepdims: bool) -> Any:
    if ord == 2 and len(axes) == 1:
        return linalg.norm(x, axis=axes, keepdims=bool(keepdims))
    if ord == np.inf:
        return np.max(np.abs(x), axis=axes, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axes, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0).astype(np.abs(x).dtype), axis=axes, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    total = np.sum(np.abs(x) ** ord, axis=axes, keepdims=keepdims)
    if ord < 0:
        return total ** (1 / ord)
    # at x = 0 the derivative of the root is infinite, that of the norm is 0 by convention
    return np.where(total == 0, 0, np.where(total == 0, 1, total) ** (1 / ord))


_OF_SINGULAR_VALUES: dict[Any, Callable[..., Any]] = {2: np.max, -2: np.min, "nuc": np.sum}


def _matrix_norm(x: Any, ord: Any, axes: Axes, keepdims: bool) -> Any:
    if ord in ("f", "fro"):
        return linalg.norm(x, axis=axes, keepdims=bool(keepdims))
    if ord in _OF_SINGULAR_VALUES:
        values = np.linalg.svdvals(_matrices_last(x, *axes))
        y = _OF_SINGULAR_VALUES[ord](values, axis=-1)
        return np.expand_dims(y, axes) if keepdims else y
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    rows, columns = axes if abs(ord) == 1 else axes[::-1]
    sums = np.sum(np.abs(x), axis=rows, keepdims=True)
    extreme = (np.max if ord > 0 else np.min)(sums, axis=columns, keepdims=True)
    return extreme if keepdims else np.squeeze(extreme, axis=axes)


# ---------------------------------------------------------------------------- equations


@composite(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """The solution x of a @ x = b."""
    a, b = inexact(square(a), b)
    vector = np.ndim(b) == 1
    if np.shape(b)[-1 if vector else -2] != np.shape(a)[-1]:
        raise ValueError(f"solve: the shapes {np.shape(a)} and {np.shape(b)} do not fit")
    if vector and np.ndim(a) == 2:
        return linalg.solve(a, b)
    sides = np.expand_dims(b, -1) if vector else b
    lead = np.broadcast_shapes(np.shape(a)[:-2], np.shape(sides)[:-2])
    x = linalg.solve(
        _broadcast(a, (*lead, *np.shape(a)[-2:])), _broadcast(sides, (*lead, *np.shape(sides)[-2:]))
    )
    return np.squeeze(x, -1) if vector else x


@composite(np.linalg.cholesky, cost=TWO_SOLVES)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """The triangular factor of positive definite matrices."""
    a = square(a)
    if not upper:
        return linalg.cholesky(a)
    return conjugate(np.swapaxes(linalg.cholesky(conjugate(np.swapaxes(a, -1, -2))), -1, -2))
