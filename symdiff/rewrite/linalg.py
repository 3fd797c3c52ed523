"""Table: products. Transposes go into them, chains are associated by cost, batches merge."""

from __future__ import annotations

import numpy as np

from symdiff.ir.node import Node, node
from symdiff.ops import elementwise as e
from symdiff.ops.linalg import matmul
from symdiff.ops.reductions import reduced_shape
from symdiff.ops.shaping import reshape, transpose
from symdiff.rewrite.broadcast import broadcasted, reshaped
from symdiff.rewrite.pattern import ROUNDING, Match, rule, rules, wilds

x, y, z = wilds("x y z")
axis, keepdims, axes = wilds("axis keepdims axes")


def swapped(x: Node) -> Node:
    """x with its last two axes exchanged; a row becomes a column."""
    if 1 in x.type.shape[-2:] and x.op is reshape:
        return reshaped(x.args[0], (*x.type.shape[:-2], x.type.shape[-1], x.type.shape[-2]))
    ndim = x.type.ndim
    order = (*range(ndim - 2), ndim - 1, ndim - 2)
    if x.op is transpose and x.param("axes") == order:
        return x.args[0]
    return node(transpose, (x,), (("axes", order),))


def _frees_transposes(found: Match) -> bool:
    """Whether the last axes are exchanged, and of a factor at least for nothing."""
    order: tuple[int, ...] = found["axes"]
    swaps = order == (*range(len(order) - 2), len(order) - 1, len(order) - 2)
    return swaps and any(found[name].op in (transpose, reshape) for name in "xy")


def product_of_transposes(found: Match) -> Node | None:
    """y.T @ x.T."""
    return node(matmul, (swapped(found["y"]), swapped(found["x"])))


def _inner_extent_one(found: Match) -> bool:
    return bool(found["x"].type.shape[-1] == 1)


def outer_product(found: Match) -> Node | None:
    """x * y, a column times a row."""
    shape = found.root.type.shape
    return node(e.multiply, (broadcasted(found["x"], shape), broadcasted(found["y"], shape)))


def _flops(rows: int, inner: int, columns: int) -> int:
    return rows * inner * columns


def _right_first_is_cheaper(found: Match) -> bool:
    m, k = found["x"].type.shape[-2:]
    n, p = found["z"].type.shape[-2:]
    return _flops(k, n, p) + _flops(m, k, p) < _flops(m, k, n) + _flops(m, n, p)


def _left_first_is_cheaper(found: Match) -> bool:
    m, k = found["x"].type.shape[-2:]
    n, p = found["z"].type.shape[-2:]
    return _flops(m, k, n) + _flops(m, n, p) < _flops(k, n, p) + _flops(m, k, p)


def _sums_whole_batch(found: Match) -> bool:
    ndim: int = found["x"].type.ndim
    return ndim > 2 and bool(found["axis"] == tuple(range(ndim - 2)))


def product_over_batch(found: Match) -> Node | None:
    """one product, along the batch and the inner axis together."""
    x, y = found["x"], found["y"]
    *lead, rows, inner = x.type.shape
    order = (*range(len(lead)), x.type.ndim - 1, x.type.ndim - 2)
    count = int(np.prod(lead, dtype=int)) * inner
    columns = y.type.shape[-1]
    tall = x.args[0] if x.op is transpose and x.param("axes") == order else swapped(x)
    left = swapped(reshaped(tall, (count, rows)))
    product = node(matmul, (left, reshaped(y, (count, columns))))
    shape = reduced_shape((*lead, rows, columns), found["axis"], found["keepdims"])
    return reshaped(product, shape)


LINALG = rules(
    rule("transpose-product", transpose(matmul(x, y), axes=axes), product_of_transposes, ROUNDING,
         dtypes="fc", when=_frees_transposes,
         example={"of": transpose(matmul(transpose(x, axes=axes), y), axes=axes), "axes": (1, 0)}),
    rule("outer-product", matmul(x, y), outer_product, ROUNDING, dtypes="fc",
         when=_inner_extent_one, example={"x": "f[3,1]", "y": "f[1,4]"}),
    rule("sum-products", np.sum(matmul(x, y), axis=axis, keepdims=keepdims), product_over_batch,
         ROUNDING, dtypes="fc", when=_sums_whole_batch, reach=0.3,
         example={"x": "f[5,2,3]", "y": "f[5,3,4]", "axis": (0,), "keepdims": False}),
    rule("associate-right", matmul(matmul(x, y), z), matmul(x, matmul(y, z)), ROUNDING,
         dtypes="fc", when=_right_first_is_cheaper, reach=0.2,
         example={"x": "f[8,8]", "y": "f[8,8]", "z": "f[8,2]"}),
    rule("associate-left", matmul(x, matmul(y, z)), matmul(matmul(x, y), z), ROUNDING,
         dtypes="fc", when=_left_first_is_cheaper, reach=0.2,
         example={"x": "f[2,8]", "y": "f[8,8]", "z": "f[8,8]"}),
)  # fmt: skip
