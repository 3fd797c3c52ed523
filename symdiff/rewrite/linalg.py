"""Table: products. Transposes go into them, chains are associated by cost, batches merge."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.node import CONST, Node, constant, node
from symdiff.ops import elementwise as e
from symdiff.ops.linalg import einsum, matmul, outer, tensordot
from symdiff.ops.reductions import reduced_shape, sum_
from symdiff.ops.shaping import reshape, transpose
from symdiff.rewrite.broadcast import broadcasted, reshaped
from symdiff.rewrite.pattern import (
    ROUNDING,
    Condition,
    Family,
    Match,
    Rule,
    Wild,
    is_number,
    rule,
    rules,
    wilds,
)

x, y, z, mask, shape, shape2 = wilds("x y z mask shape shape2")
c = Wild("c", constant=True)
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


PRODUCT_OPS = (matmul, tensordot, einsum, outer)


def nothing(found: Match) -> Node | None:
    """zeros, since a factor is 0."""
    type = found.root.type
    if not any(is_number(arg, 0) for arg in found.root.args):
        return None
    return constant(type.dtype.type(0), type)


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


def _are_vectors(found: Match) -> bool:
    return found["x"].type.ndim == 1 and not found.root.type.shape


def vector_product(found: Match) -> Node:
    """the product of two vectors."""
    x, y = found["x"], found["y"]
    (size,) = x.type.shape
    product = node(matmul, (reshaped(x, (1, size)), reshaped(y, (size, 1))))
    return reshaped(product, ())


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


def _sums_a_side(found: Match) -> bool:
    ndim: int = found["x"].type.ndim
    return ndim == found["y"].type.ndim and found["axis"] in ((ndim - 2,), (ndim - 1,))


def product_of_sum(found: Match) -> Node | None:
    """the product of the factor that is summed first, a vector."""
    (axis,) = found["axis"]
    factors = [found["x"], found["y"]]
    side = axis - factors[0].type.ndim + 2
    summed = factors[side]
    total = node(sum_, (summed,), (("axis", (axis,)), ("keepdims", False)))
    shape = summed.type.shape
    factors[side] = reshaped(total, (*shape[:axis], 1, *shape[axis + 1 :]))
    return reshaped(node(matmul, tuple(factors)), found.root.type.shape)


def product_of_sum_and_rest(found: Match) -> Node | None:
    """the product of the factor that is summed first, a vector, and the sum of the rest."""
    product, rest = product_of_sum(found), node(sum_, (found["z"],), found.root.params)
    assert product is not None
    return node(e.add, (product, rest))


MUCH = 16  # from this ratio on it pays to scale a product instead of its factor


def _shrinks(place: int) -> Condition:
    """A condition: the product is much smaller than the factor at `place`."""
    return lambda found: MUCH * found.root.type.size <= found.root.args[place].type.size


def scale_product(found: Match) -> Node | None:
    """the constant times the product."""
    y = found["y"]
    factors = [each if each is y else _unscaled(each, found) for each in found.root.args]
    product = node(matmul, tuple(factors))
    return node(e.multiply, (constant(found["c"].value, product.type), product))


def _unscaled(factor: Node, found: Match) -> Node:
    """The factor of a product without the constant in it."""
    x: Node = found["x"]
    if "mask" in found.values:
        zero = constant(x.type.dtype.type(0), x.type)
        x = node(e.where, (found["mask"], x, zero))
    if "z" in found.values:
        x = node(e.multiply, (x, found["z"]))
    return reshaped(x, factor.type.shape)


def _is_vector(found: Match) -> bool:
    turned = found["axes"] == (1, 0)
    return turned and bool(found["x"].type.ndim == len(found["shape"]) == 1)


def as_column(found: Match) -> Node | None:
    """y @ x."""
    column = reshaped(found["x"], (found["x"].type.size, 1))
    return reshaped(node(matmul, (found["y"], column)), found["shape"])


_SCALED = {
    "scaled": c * x,
    "scaled-factor": (c * x) * z,
    "masked": np.where(mask, c * x, 0),
    "scaled-vector": reshape(c * x, shape=shape),
    "scaled-vector-factor": reshape((c * x) * z, shape=shape),
    "masked-vector": reshape(np.where(mask, c * x, 0), shape=shape),
}


def _scales(name: str, factor: Any) -> tuple[Rule, Rule]:
    """The constant of a factor is taken out of its product, on either side."""
    long = "f[192]" if "vector" in name else ""
    wide, tall = long or "f[3,64]", long or "f[64,3]"
    left = {"x": wide, "z": wide, "mask": wide.replace("f", "bool"), "y": "f[64,2]"}
    right = {"x": tall, "z": tall, "mask": tall.replace("f", "bool"), "y": "f[2,64]"}
    claim: dict[str, Any] = {"together": True, "reach": 0.2}
    return (
        rule(f"{name}-left", matmul(factor, y), scale_product, ROUNDING, when=_shrinks(0),
             example={**left, "shape": (3, 64)}, **claim),
        rule(f"{name}-right", matmul(y, factor), scale_product, ROUNDING, when=_shrinks(1),
             example={**right, "shape": (64, 3)}, **claim),
    )  # fmt: skip


PRODUCTS = (
    *(row for name, factor in _SCALED.items() for row in _scales(name, factor)),
    rule("row-transposed",
         reshape(matmul(reshape(x, shape=shape2), transpose(y, axes=axes)), shape=shape),
         as_column, ROUNDING, dtypes="fc", when=_is_vector, reach=0.2,
         example={"x": "f[4]", "shape2": (1, 4), "y": "f[3,4]", "axes": (1, 0), "shape": (3,)}),
    rule("factor-left", matmul(z, x) + matmul(z, y), matmul(z, x + y), ROUNDING, dtypes="fc",
         reach=0.2, example={"z": "f[2,3]", "x": "f[3,4]", "y": "f[3,4]"}),
    rule("factor-right", matmul(x, z) + matmul(y, z), matmul(x + y, z), ROUNDING, dtypes="fc",
         reach=0.2, example={"z": "f[4,2]", "x": "f[3,4]", "y": "f[3,4]"}),
)  # fmt: skip

LINALG = rules(
    *PRODUCTS,
    # structural, as a factor 0 of a derivative is
    rule("product-with-zeros", Family("a product with a constant", PRODUCT_OPS, (CONST,)),
         nothing, ROUNDING, dtypes="fc", shared=True,
         example={"of": matmul(x, y), "x": "f[2,3]", "y": "f[3,4]=0"}),
    rule("transpose-product", transpose(matmul(x, y), axes=axes), product_of_transposes, ROUNDING,
         dtypes="fc", when=_frees_transposes,
         example={"of": transpose(matmul(transpose(x, axes=axes), y), axes=axes), "axes": (1, 0)}),
    rule("outer-product", matmul(x, y), outer_product, ROUNDING, dtypes="fc",
         when=_inner_extent_one, example={"x": "f[3,1]", "y": "f[1,4]"}),
    rule("sum-products", np.sum(matmul(x, y), axis=axis, keepdims=keepdims), product_over_batch,
         ROUNDING, dtypes="fc", when=_sums_whole_batch, reach=0.3,
         example={"x": "f[5,2,3]", "y": "f[5,3,4]", "axis": (0,), "keepdims": False}),
    rule("sum-of-product", np.sum(matmul(x, y), axis=axis, keepdims=keepdims), product_of_sum,
         ROUNDING, dtypes="fc", when=_sums_a_side, reach=0.2,
         example={"x": "f[5,3]", "y": "f[3,4]", "axis": (0,), "keepdims": False}),
    rule("sum-of-product-and-rest",
         np.sum(matmul(x, y) + z, axis=axis, keepdims=keepdims), product_of_sum_and_rest,
         ROUNDING, dtypes="fc", when=_sums_a_side, reach=0.2,
         example={"x": "f[2,5,3]", "y": "f[2,3,4]", "z": "f[2,5,4]", "axis": (1,),
                  "keepdims": False}),
    rule("dot-product", np.sum(x * y, axis=axis, keepdims=keepdims), vector_product,
         ROUNDING, dtypes="fc", when=_are_vectors, reach=0.4,
         example={"x": "f[4]", "y": "f[4]", "axis": (0,), "keepdims": False}),
    rule("associate-right", matmul(matmul(x, y), z), matmul(x, matmul(y, z)), ROUNDING,
         dtypes="fc", when=_right_first_is_cheaper, reach=0.2,
         example={"x": "f[8,8]", "y": "f[8,8]", "z": "f[8,2]"}),
    rule("associate-left", matmul(x, matmul(y, z)), matmul(matmul(x, y), z), ROUNDING,
         dtypes="fc", when=_left_first_is_cheaper, reach=0.2,
         example={"x": "f[2,8]", "y": "f[8,8]", "z": "f[8,8]"}),
)  # fmt: skip
