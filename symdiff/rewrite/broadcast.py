"""Table: shapes. Broadcasts sink to the last operation, reductions and stores meet them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from symdiff.ir.node import CONST, Const, Node, constant, node
from symdiff.ops import elementwise as e
from symdiff.ops.linalg import matmul
from symdiff.ops.primitive import Primitive
from symdiff.ops.reductions import reduced_shape, sum_
from symdiff.ops.shaping import (
    ARRAY,
    Shape,
    broadcast_to,
    index_add,
    is_advanced,
    reshape,
    transpose,
)
from symdiff.rewrite.pattern import (
    EXACT,
    ROUNDING,
    Family,
    Match,
    Wild,
    applied,
    is_number,
    rule,
    rules,
    wilds,
)

x, y, a, b, mask = wilds("x y a b mask")
axis, keepdims, shape, axes = wilds("axis keepdims shape axes")
axis2, keepdims2, shape2, axes2 = wilds("axis2 keepdims2 shape2 axes2")
c, d = Wild("c", constant=True), Wild("d", constant=True)
dtype, weak, dtype2, weak2 = wilds("dtype weak dtype2 weak2")
INT, FLOAT = np.dtype(np.int64), np.dtype(np.float64)
ANY = "biufc"

# ---------------------------------------------------------------------------- parts


def reshaped(x: Node, shape: Shape) -> Node:
    """x in another shape."""
    return x if x.type.shape == shape else node(reshape, (x,), (("shape", shape),))


def broadcasted(x: Node, shape: Shape) -> Node:
    """x broadcast to a shape."""
    if isinstance(x, Const) and x.uniform:
        return constant(x.value, x.type.with_shape(shape))
    return x if x.type.shape == shape else node(broadcast_to, (x,), (("shape", shape),))


def constant_along(small: Shape, ndim: int, axis: Iterable[int]) -> bool:
    """Whether an array of shape `small`, broadcast to `ndim` axes, is the same along these."""
    lead = ndim - len(small)
    return all(each < lead or small[each - lead] == 1 for each in axis)


def without_axes(x: Node, full: Shape, axis: Shape, keepdims: bool) -> Node:
    """x, which broadcasts to `full` and is constant along `axis`, in the shape of a reduction."""
    lead = len(full) - x.type.ndim
    kept = [
        extent
        for i, extent in enumerate((*(1,) * lead, *x.type.shape))
        if keepdims or i not in axis
    ]
    while kept and kept[0] == 1 and len(kept) > x.type.ndim:
        del kept[0]
    return broadcasted(reshaped(x, tuple(kept)), reduced_shape(full, axis, keepdims))


def source(x: Node) -> Node | None:
    """The smaller array that x is a broadcast of, or x itself if it is one number everywhere."""
    if x.op is broadcast_to:
        return x.args[0]
    return x if isinstance(x, Const) and x.uniform else None


# ---------------------------------------------------------------------------- moves


def _same_shape(found: Match) -> bool:
    return bool(found["x"].type.shape == found["shape"])


def _adds_leading_axes(found: Match) -> bool:
    before, after = found["x"].type.shape, found["shape2"]
    lead = len(after) - len(before)
    return lead >= 0 and after == (*(1,) * lead, *before)


def _moves_more_than_a_vector(found: Match) -> bool:
    """Whether the reshape makes neither a row nor a column, nor what a broadcast does itself."""
    return bool(found["x"].type.ndim > 1) and not _adds_leading_axes(found)


def _is_no_vector_product(found: Match) -> bool:
    """Whether it is no product of a vector: as such it is one call, and the same for all."""
    return found["x"].op is not matmul or len(found["shape2"]) > 1


def compose(found: Match) -> Node | None:
    """one transposition."""
    order = tuple([found["axes"][axis] for axis in found["axes2"]])
    if order == tuple(range(len(order))):
        return found.values["x"]  # type: ignore[no-any-return]
    return node(transpose, (found["x"],), (("axes", order),))


def _moves_only_ones(found: Match) -> bool:
    """Whether a transposition leaves the elements where they are in memory."""
    moved = found.root.args[0].type.shape
    real = [axis for axis in found["axes"] if moved[axis] != 1]
    return real == sorted(real)


def _keeps_memory_order(found: Match) -> bool:
    """Whether the transposition moves only axes of one element."""
    shape = found["x"].type.shape
    real = [axis for axis in found["axes"] if shape[axis] != 1]
    return real == sorted(real)


def _source_as(x: Node, shape: Shape) -> Node | None:
    """The array of this shape that x is a reshape of, or one number for each of its elements."""
    if x.op is reshape and x.args[0].type.shape == shape:
        return x.args[0]
    small = source(x)
    if small is None or small.type.size != 1 or small.type.weak:
        return None
    return broadcasted(small if small is x else reshaped(small, ()), shape)


def _is_moved_back(found: Match) -> bool:
    """Whether the operands, or one of them and a number, have been reshaped for the operation."""
    shape = found["shape"]
    known = [_source_as(found[name], shape) for name in "xy"]
    return None not in known and any(found[name].op is reshape for name in "xy")


def on_sources(found: Match) -> Node | None:
    """the operation on what was reshaped for it."""
    inside, shape = found.root.args[0], found["shape"]
    made = [_source_as(each, shape) for each in inside.args]
    return node(inside.op, tuple([each for each in made if each is not None]))


def reshape_instead(found: Match) -> Node | None:
    """a reshape: a row transposed is a column."""
    return reshaped(found["x"], found.root.type.shape)


def scale_outside(found: Match) -> Node | None:
    """the constant times the array in its new shape."""
    moved = reshaped(found["x"], found.root.type.shape)
    return node(e.multiply, (constant(found["c"].value, moved.type), moved))


def drop_axes(found: Match) -> Node | None:
    """a reshape: there is one element along the axes summed."""
    return reshaped(found["x"], found.root.type.shape)


def _sums_ones(found: Match) -> bool:
    return all(found["x"].type.shape[each] == 1 for each in found["axis"])


def _restores_axes(found: Match) -> bool:
    full, axis = found["x"].type.shape, found["axis"]
    if found["keepdims"] or axis == tuple(range(len(axis))):  # NumPy adds leading axes by itself
        return False
    return bool(found["shape"] == reduced_shape(full, axis, True))


def _drops_axes(found: Match) -> bool:
    full = found["x"].type.shape
    return bool(found["keepdims"] and found["shape"] == reduced_shape(full, found["axis"], False))


def transpose_source(found: Match) -> Node | None:
    """the broadcast of a transposition, where only leading axes were added."""
    x, axes = found["x"], found["axes"]
    lead = len(axes) - x.type.ndim
    if not lead or axes[:lead] != tuple(range(lead)):
        return None
    order = tuple([axis - lead for axis in axes[lead:]])
    return broadcasted(node(transpose, (x,), (("axes", order),)), found.root.type.shape)


def _widens(found: Match) -> bool:
    first, middle = found["x"].type, found.root.args[0].type
    return np.can_cast(first.dtype, middle.dtype, "safe") and not middle.weak


def _is_number_of_that_dtype(found: Match) -> bool:
    """Python negates its floats faster than NumPy; -0 of an int is not the -0.0 of a float."""
    return found["x"].type.weak and bool(found["x"].type.dtype == found.root.type.dtype)


def scale_number(found: Match) -> Node:
    """the product of Python's numbers, converted."""
    root, number = found.root, found["x"]
    product = node(e.multiply, (constant(found["c"].value, number.type), number))
    return node(e.convert, (product,), (("dtype", root.type.dtype), ("weak", False)))


MOVES = (
    rule("broadcast-same", broadcast_to(x, shape=shape), x, EXACT, dtypes=ANY, when=_same_shape,
         example={"x": "f[3,4]", "shape": (3, 4)}),
    rule("broadcast-twice", broadcast_to(broadcast_to(x, shape=shape2), shape=shape),
         broadcast_to(x, shape=shape), EXACT, dtypes=ANY, shared=True,
         example={"x": "f[4]", "shape2": (3, 4), "shape": (2, 3, 4)}),
    rule("broadcast-reshape", broadcast_to(reshape(x, shape=shape2), shape=shape),
         broadcast_to(x, shape=shape), EXACT, dtypes=ANY, shared=True, when=_adds_leading_axes,
         example={"x": "f[4]", "shape2": (1, 4), "shape": (3, 4)}),
    rule("reshape-same", reshape(x, shape=shape), x, EXACT, dtypes=ANY, when=_same_shape,
         example={"x": "f[3,4]", "shape": (3, 4)}),
    rule("reshape-twice", reshape(reshape(x, shape=shape2), shape=shape), reshape(x, shape=shape),
         EXACT, dtypes=ANY, shared=True, when=_is_no_vector_product,
         example={"x": "f[3,4]", "shape2": (12,), "shape": (2, 6)}),
    rule("reshape-neg", reshape(-x, shape=shape2), -reshape(x, shape=shape2), EXACT, dtypes="fc",
         primal=False, when=_moves_more_than_a_vector, example={"x": "f[3,4]", "shape2": (12,)}),
    rule("reshape-scaled", reshape(c * x, shape=shape2), scale_outside, EXACT, primal=False,
         when=_moves_more_than_a_vector,
         example={"x": "f[3,4]", "shape2": (12,)}),
    rule("reshape-transpose", reshape(transpose(x, axes=axes), shape=shape),
         reshape(x, shape=shape), EXACT, dtypes=ANY, shared=True, when=_keeps_memory_order,
         example={"x": "f[1,4]", "axes": (1, 0), "shape": (4,)}),
    *(rule(f"reshape-{op.name}", reshape(applied(op, (x, y), {}), shape=shape), on_sources, EXACT,
           primal=False, when=_is_moved_back,
           example={"of": reshape(applied(op, (reshape(a, shape=shape2), y), {}), shape=shape),
                    "a": "f[12]", "shape2": (3, 4), "shape": (12,), "y": "f[3,4]=3"})
      for op in (e.add, e.subtract, e.multiply, e.divide)),
    rule("transpose-twice", transpose(transpose(x, axes=axes), axes=axes2), compose, EXACT,
         dtypes=ANY, shared=True,
         example={"x": "f[2,3,4]", "axes": (1, 2, 0), "axes2": (0, 2, 1)}),
    rule("transpose-vector", transpose(reshape(x, shape=shape), axes=axes), reshape_instead,
         EXACT, dtypes=ANY, shared=True, when=_moves_only_ones,
         example={"x": "f[4]", "shape": (1, 4), "axes": (1, 0)}),
    rule("transpose-broadcast", transpose(broadcast_to(x, shape=shape), axes=axes),
         transpose_source, EXACT, dtypes=ANY, shared=True, primal=False,
         example={"x": "f[3,4]", "shape": (2, 3, 4), "axes": (0, 2, 1)}),
    rule("sum-one", np.sum(x, axis=axis, keepdims=keepdims), drop_axes, ROUNDING, dtypes="fc",
         when=_sums_ones, example={"x": "f[3,1]", "axis": (1,), "keepdims": False}),
    rule("sum-keepdims", reshape(np.sum(x, axis=axis, keepdims=keepdims), shape=shape),
         np.sum(x, axis=axis, keepdims=True), EXACT, dtypes="iufc", when=_restores_axes,
         example={"x": "f[3,4]", "axis": (1,), "keepdims": False, "shape": (3, 1)}),
    rule("sum-dropdims", reshape(np.sum(x, axis=axis, keepdims=keepdims), shape=shape),
         np.sum(x, axis=axis, keepdims=False), EXACT, dtypes="iufc", when=_drops_axes,
         example={"x": "f[3,4]", "axis": (1,), "keepdims": True, "shape": (3,)}),
    rule("convert-twice",
         e.convert(e.convert(x, dtype=dtype2, weak=weak2), dtype=dtype, weak=weak),
         e.convert(x, dtype=dtype, weak=weak), EXACT, dtypes=ANY, shared=True, when=_widens,
         example={"x": "i32[3]", "dtype2": INT, "dtype": FLOAT, "weak2": False, "weak": False}),
    rule("convert-negated-number", -e.convert(x, dtype=dtype, weak=weak),
         e.convert(-x, dtype=dtype, weak=weak), EXACT, when=_is_number_of_that_dtype,
         example={"x": "float", "dtype": FLOAT, "weak": False}),
    rule("convert-scaled-number", c * e.convert(x, dtype=dtype, weak=weak), scale_number, EXACT,
         primal=False, shared=True, when=_is_number_of_that_dtype,
         example={"x": "float", "dtype": FLOAT, "weak": False}),
    rule("convert-choices", e.convert(np.where(mask, c, d), dtype=dtype, weak=weak),  # type: ignore[call-overload]
         np.where(mask, e.convert(c, dtype=dtype, weak=weak), e.convert(d, dtype=dtype, weak=weak)),
         EXACT, dtypes=ANY, shared=True, primal=False,
         example={"c": "i64[3,4]=1", "d": "i64[3,4]=0", "dtype": FLOAT, "weak": False}),
)  # fmt: skip

# ---------------------------------------------------------------------------- sinking


def _all_broadcast(op: Any, args: tuple[Any, ...]) -> bool:
    return op.elementwise and all(arg is broadcast_to or arg is CONST for arg in args)


def sink(found: Match) -> Node | None:
    """the operation on what is broadcast, then broadcast."""
    root = found.root
    sources = [source(arg) for arg in root.args]
    small = _common_shape(sources)
    if small is None or np.prod(small, dtype=int) >= root.type.size:
        return None
    args = tuple([broadcasted(each, small) for each in sources if each is not None])
    return broadcasted(node(root.op, args, root.params), root.type.shape)


def _common_shape(sources: Iterable[Node | None]) -> Shape | None:
    """The shape that the sources broadcast to; numbers have none."""
    shapes = []
    for each in sources:
        if each is None or each.type.weak:
            return None
        if not (isinstance(each, Const) and each.uniform):
            shapes.append(each.type.shape)
    return np.broadcast_shapes(*shapes)


def merge_factors(found: Match) -> Node | None:
    """x times one broadcast."""
    small = _common_shape([found["a"], found["b"]])
    if small is None or np.prod(small, dtype=int) >= found.root.type.size:
        return None
    product = node(e.multiply, (broadcasted(found["a"], small), broadcasted(found["b"], small)))
    return node(e.multiply, (found["x"], broadcasted(product, found.root.type.shape)))


def scale_small(found: Match) -> Node | None:
    """y times the broadcast, scaled before it is broadcast."""
    a, root = found["a"], found.root
    if a.type.size >= root.type.size:
        return None
    scaled = node(e.multiply, (constant(found["c"].value, a.type), a))
    return node(e.multiply, (broadcasted(scaled, root.type.shape), found["y"]))


def divide_small(found: Match) -> Node | None:
    """x times one broadcast, the quotient of the two."""
    root, a, b = found.root, found.values.get("a"), found["b"]
    a = constant(found["c"].value, b.type) if a is None else a
    small = _common_shape([a, b])
    if small is None or np.prod(small, dtype=int) >= root.type.size:
        return None
    quotient = node(e.divide, (broadcasted(a, small), broadcasted(b, small)))
    return node(e.multiply, (broadcasted(quotient, root.type.shape), found["x"]))


SINKING = (
    rule("scale-small", broadcast_to(a, shape=shape) * (c * y), scale_small, ROUNDING, reach=0.3,
         example={"a": "f[3,1]", "shape": (3, 4)}),
    rule("scale-small-factor", c * (broadcast_to(a, shape=shape) * y), scale_small, ROUNDING,
         reach=0.3, example={"a": "f[3,1]", "shape": (3, 4)}),
    rule("scale-small-quotient", c * (x / broadcast_to(b, shape=shape)), divide_small, ROUNDING,
         reach=0.3, example={"b": "f[3,1]", "shape": (3, 4)}),
    rule("scaled-small-quotient", (c * x) / broadcast_to(b, shape=shape), divide_small, ROUNDING,
         reach=0.3, example={"b": "f[3,1]", "shape": (3, 4)}),
    rule("small-quotient",
         (broadcast_to(a, shape=shape) * x) / broadcast_to(b, shape=shape), divide_small, ROUNDING,
         reach=0.3, example={"a": "f[3,1]", "b": "f[3,1]", "shape": (3, 4)}),
    rule("quotient-out", x * (y / broadcast_to(a, shape=shape)),
         (x * y) / broadcast_to(a, shape=shape), ROUNDING, reach=0.3,
         example={"a": "f[3,1]", "shape": (3, 4)}),
    rule("common-divisor",
         x * broadcast_to(1 / a, shape=shape) - broadcast_to(b / a, shape=shape),
         (x - broadcast_to(b, shape=shape)) * broadcast_to(1 / a, shape=shape), ROUNDING,
         shared=True, reach=0.3, example={"a": "f[3,1]", "b": "f[3,1]", "shape": (3, 4)}),
    rule("sink-broadcast", Family("an elementwise operation on broadcasts", reads=(broadcast_to,),
         accepts=_all_broadcast), sink, EXACT, dtypes=ANY, shared=True,
         example={"of": broadcast_to(a, shape=shape) + broadcast_to(b, shape=shape),
                  "a": "f[3,1]", "b": "f[]", "shape": (3, 4)}),
    rule("merge-factors", (x * broadcast_to(a, shape=shape)) * broadcast_to(b, shape=shape),
         merge_factors, ROUNDING, reach=0.3,
         example={"x": "f[3,4]", "a": "f[3,1]", "b": "f[]", "shape": (3, 4)}),
)  # fmt: skip

# ---------------------------------------------------------------------------- sums


def multiple(found: Match) -> Node | None:
    """the number of equal summands times their sum along the other axes."""
    x, root, axis = found["x"], found.root, found["axis"]
    full = root.args[0].type.shape
    lead = len(full) - x.type.ndim
    equal = tuple([i for i in axis if i < lead or (x.type.shape[i - lead] == 1 and full[i] != 1)])
    if not equal:
        return None
    rest = tuple([i for i in axis if i not in equal])
    count = int(np.prod([full[i] for i in equal], dtype=int))
    if rest:
        inner = tuple([i - lead for i in rest])
        x = node(sum_, (x,), (("axis", inner), ("keepdims", True)))
    x = without_axes(x, full, axis, found["keepdims"])
    return node(e.multiply, (constant(x.type.dtype.type(count), x.type), x))


def sum_masked(found: Match) -> Node | None:
    """where(mask, sum(a), 0), where the mask is the same along the axes."""
    mask, root = found["mask"], found.root
    full = root.args[0].type.shape
    if not constant_along(mask.type.shape, len(full), found["axis"]):
        return None
    total = node(sum_, (found["a"],), root.params)
    small = without_axes(mask, full, found["axis"], found["keepdims"])
    zero = constant(total.type.dtype.type(0), total.type)
    return node(e.where, (small, total, zero))


def _outside(op: Primitive) -> Any:
    def computed(found: Match) -> Node | None:
        a, root = found["a"], found.root
        full = root.args[0].type.shape
        if not constant_along(a.type.shape, len(full), found["axis"]):
            return None
        total = node(sum_, (found["x"],), root.params)
        return node(op, (total, without_axes(a, full, found["axis"], found["keepdims"])))

    computed.__doc__ = f"the sum of x, then {op.name}"
    return computed


def scale_sum(found: Match) -> Node | None:
    """the constant times the sum."""
    x = found["x"]
    if "y" in found.values:
        x = node(e.multiply, (x, found["y"]))
    total = node(sum_, (x,), found.root.params)
    return node(e.multiply, (constant(found["c"].value, total.type), total))


def scale_masked_sum(found: Match) -> Node | None:
    """the constant times the sum of what the mask leaves of x."""
    inside, x = found.root.args[0], found["x"]
    masked = node(e.where, (found["mask"], x, inside.args[2]))
    total = node(sum_, (masked,), found.root.params)
    return node(e.multiply, (constant(found["c"].value, total.type), total))


def sum_once(found: Match) -> Node | None:
    """one sum along all the axes."""
    x, first, second = found["x"], found["axis"], found["axis2"]
    left = [i for i in range(x.type.ndim) if found["keepdims"] or i not in first]
    axis = tuple(sorted({*first, *(left[i] for i in second)}))
    if found["keepdims"] != found["keepdims2"]:
        return None
    return node(sum_, (x,), (("axis", axis), ("keepdims", found["keepdims"])))


def _sums_deviations(found: Match) -> bool:
    """Whether the mean subtracted from x is that of the elements summed."""
    x, axis = found["x"], found["axis"]
    aligned = found["keepdims2"] or axis == tuple(range(len(axis)))
    count = np.prod([x.type.shape[i] for i in axis], dtype=int)
    return bool(aligned and found["axis2"] == axis and found["c"].value == count)


def _sums_deviations_of_one_weight(found: Match) -> bool:
    x, a = found["x"], found["a"]
    equal = constant_along(a.type.shape, x.type.ndim, found["axis"])
    return equal and _sums_deviations(found)


_deviation = x - broadcast_to(np.sum(x, axis=axis2, keepdims=keepdims2) / c, shape=shape)
_ROWS = {"c": 4, "axis": (1,), "axis2": (1,), "keepdims": False, "keepdims2": True, "shape": (3, 4)}

SUMS = (
    rule("sum-deviations", np.sum(_deviation, axis=axis, keepdims=keepdims), 0, ROUNDING,
         shared=True, when=_sums_deviations, example=_ROWS, reach=0.5),
    rule("sum-weighted-deviations",
         np.sum(broadcast_to(a, shape=shape2) * _deviation, axis=axis, keepdims=keepdims), 0,
         ROUNDING, shared=True, when=_sums_deviations_of_one_weight, reach=0.3,
         example={**_ROWS, "a": "f[3,1]", "shape2": (3, 4)}),
    rule("sum-scaled-deviations", np.sum(d * _deviation, axis=axis, keepdims=keepdims), 0,
         ROUNDING, shared=True, when=_sums_deviations, example=_ROWS, reach=0.3),
    rule("sum-broadcast", np.sum(broadcast_to(x, shape=shape), axis=axis, keepdims=keepdims),
         multiple, ROUNDING, dtypes="fc", shared=True,
         example={"x": "f[3,1]", "shape": (3, 4), "axis": (0, 1), "keepdims": False}),
    rule("sum-twice", np.sum(np.sum(x, axis=axis, keepdims=keepdims), axis=axis2,
         keepdims=keepdims2), sum_once, ROUNDING, dtypes="fc", reach=0.9,
         example={"x": "f[2,3,4]", "axis": (1,), "keepdims": False, "axis2": (0,),
                  "keepdims2": False}),
    rule("sum-neg", np.sum(-x, axis=axis, keepdims=keepdims),
         -np.sum(x, axis=axis, keepdims=keepdims), ROUNDING, dtypes="fc",
         example={"axis": (0,), "keepdims": False}),
    rule("sum-scaled", np.sum(c * x, axis=axis, keepdims=keepdims), scale_sum, ROUNDING,
         together=True, reach=0.3, example={"axis": (0,), "keepdims": False}),
    rule("sum-scaled-factor", np.sum((c * x) * y, axis=axis, keepdims=keepdims), scale_sum,
         ROUNDING, together=True, reach=0.3, example={"axis": (0,), "keepdims": False}),
    rule("sum-masked-scaled", np.sum(np.where(mask, c * x, 0), axis=axis, keepdims=keepdims),
         scale_masked_sum, ROUNDING, together=True, reach=0.3,
         example={"axis": (0,), "keepdims": False}),
    rule("sum-product", np.sum(x * broadcast_to(a, shape=shape), axis=axis, keepdims=keepdims),
         _outside(e.multiply), ROUNDING, reach=0.3,
         example={"a": "f[3,1]", "shape": (3, 4), "axis": (1,), "keepdims": False}),
    rule("sum-quotient", np.sum(x / broadcast_to(a, shape=shape), axis=axis, keepdims=keepdims),
         _outside(e.divide), ROUNDING, reach=0.3,
         example={"a": "f[3,1]", "shape": (3, 4), "axis": (1,), "keepdims": False}),
    rule("mask-sum", np.sum(np.where(broadcast_to(mask, shape=shape), a, 0), axis=axis,
         keepdims=keepdims), sum_masked, ROUNDING, dtypes="fc", shared=True,
         example={"mask": "bool[3,1]", "shape": (3, 4), "axis": (1,), "keepdims": True}),
)  # fmt: skip

# ---------------------------------------------------------------------------- stores


def add_into(found: Match) -> Node | None:
    """the stores into the other summand, instead of into zeros."""
    first, second = found.root.args
    for stored, other in ((first, second), (second, first)):
        chain = []
        while stored.op is index_add:
            chain.append(stored)
            stored = stored.args[0]
        if chain and is_number(stored, 0):
            for each in reversed(chain):
                other = node(index_add, (other, *each.args[1:]), each.params)
            return other
    return None


def store_whole(found: Match) -> Node | None:
    """base + value, where the index names every element once."""
    base, value, *indices = found.root.args
    index = found.root.param("index")
    if any(map(is_advanced, index)):
        whole = _counts(indices, base.type.shape) and index == (ARRAY,)
    else:
        whole = value.type.size == base.type.size and all(
            entry is None or entry[3] in (None, 1) for entry in index
        )
    if not whole:
        return None
    value = reshaped(value, base.type.shape)
    return value if is_number(base, 0) else node(e.add, (base, value))


def store_nothing(found: Match) -> Node | None:
    """base, where 0 is added to its elements."""
    base, value, *_ = found.root.args
    return base if is_number(value, 0) else None


def _counts(indices: list[Node], shape: Shape) -> bool:
    """Whether the only index is 0, 1, 2, … up to the first extent."""
    if len(indices) != 1 or not isinstance(indices[0], Const) or not shape:
        return False
    value = indices[0].value
    return isinstance(value, np.ndarray) and np.array_equal(value, np.arange(shape[0]))


def sum_stores(found: Match) -> Node | None:
    """the values stored, where one array index is summed over and the others stay."""
    stored, root = found.root.args[0], found.root
    base, value, *indices = stored.args
    index, axis = stored.param("index"), root.param("axis")
    if not is_number(base, 0) or index != (ARRAY,) * base.type.ndim:
        return None
    if any(each.type.ndim != 1 for each in indices):
        return None
    kept = [i for i in range(len(index)) if i not in axis]
    if not kept:
        total = node(sum_, (value,), (("axis", (0,)), ("keepdims", False)))
        return reshaped(total, root.type.shape)
    shape = tuple([base.type.shape[i] for i in kept])
    zeros = constant(base.type.dtype.type(0), root.type.with_shape(shape))
    operands = (zeros, value, *[indices[i] for i in kept])
    stored = node(index_add, operands, (("index", (ARRAY,) * len(kept)),))
    return reshaped(stored, root.type.shape)


STORES = (
    rule("add-into", Family("a sum with stores into zeros", (e.add,), (index_add,)), add_into,
         ROUNDING, dtypes="fc", shared=True,
         example={"of": x + index_add(a, b, index=(1,)), "a": "f[3,4]=0", "b": "f[4]"}),
    rule("store-whole", Family("a store", (index_add,)), store_whole, ROUNDING, dtypes="fc",
         shared=True,
         example={"of": index_add(x, a, y, index=(ARRAY,)), "a": "f[3,4]", "y": "i64[3]=range"}),
    rule("store-nothing", Family("a store", (index_add,)), store_nothing, ROUNDING, dtypes="fc",
         shared=True,
         example={"of": index_add(x, a, index=(1,)), "x": "f[3,4]", "a": "f[4]=0"}),
    rule("sum-stores", Family("the sum of stores into zeros", (sum_,), (index_add,)), sum_stores,
         ROUNDING, dtypes="fc", shared=True,
         example={"of": np.sum(index_add(a, b, x, y, index=(ARRAY, ARRAY)), axis=(1,),
                               keepdims=False),
                  "a": "f[3,4]=0", "b": "f[3]", "x": "n[3]", "y": "n[3]"}),
)  # fmt: skip



def _unordered(found: Match) -> bool:
    first, second = [(isinstance(found[name], Const), found[name].serial) for name in "xy"]
    return first > second


# Ties are found once, whichever operand asks.
ORDER = (
    rule("order-equal", x == y, y == x, EXACT, dtypes="b", primal=False, when=_unordered,
         example={"of": y == x}),
)  # fmt: skip

BROADCAST = rules(*ORDER, *MOVES, *SINKING, *SUMS, *STORES)

