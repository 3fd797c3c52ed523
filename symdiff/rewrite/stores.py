"""Table: stores into parts. What was stored is known, and parts that lie apart are not touched.

So cotangents of arrays that were filled part by part are read where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from symdiff.ir.extent import mentions
from symdiff.ir.node import Node, node
from symdiff.ops import elementwise as e
from symdiff.ops.shaping import Shape, getitem, index_add, index_set, is_mask
from symdiff.rewrite.broadcast import reshaped
from symdiff.rewrite.pattern import EXACT, ROUNDING, Family, Match, is_number, rule, rules, wilds

x, a, b = wilds("x a b")
DEPTH = 16  # stores that are looked through: a loop of n stores must not cost n * n

# ---------------------------------------------------------------------------- parts


def _same_place(one: Node, other: Node) -> bool:
    """Whether two stores into one array, or a read and a store, are of the same part."""
    first, second = _indices(one), _indices(other)
    return first == second and one.param("index") == other.param("index")


def _indices(each: Node) -> tuple[Node, ...]:
    return each.args[1:] if each.op is getitem else each.args[2:]


def _once(store: Node) -> bool:
    return store.op is index_set and bool(store.param("distinct"))


def _apart(one: Node, other: Node, shape: Shape) -> bool:
    """Whether two basic indices of an array certainly have no element in common."""
    if _indices(one) or _indices(other):
        return False
    first, second = one.param("index"), other.param("index")
    for left, right, extent in zip(first, second, shape, strict=False):
        if left is None or right is None:
            return False
        if _disjoint(left, right, extent):
            return True
    return False


def _disjoint(left: object, right: object, extent: int) -> bool:
    """Whether two entries of an index certainly name no place of an axis in common."""
    if mentions((left, right, extent)):
        return False  # the index of a loop decides
    one, other = _range(left, extent), _range(right, extent)
    if not one or not other:
        return True
    if max(one) < min(other) or max(other) < min(one):
        return True
    return abs(one.step) == abs(other.step) > 1 and (one[0] - other[0]) % one.step != 0


def _range(entry: object, extent: int) -> range:
    if isinstance(entry, tuple):
        return range(extent)[slice(*entry[1:])]
    assert isinstance(entry, int)
    return range(extent)[entry : entry + 1 or None]


def _below(store: Node) -> Iterator[Node]:
    """The stores that an array is made by, the last one first, up to some number."""
    for _ in range(DEPTH):
        if store.op not in (index_add, index_set):
            return
        yield store
        store = store.args[0]


def _over(stores: list[Node], base: Node) -> Node:
    """The same stores into another array."""
    for each in reversed(stores):
        base = node(each.op, (base, *each.args[1:]), each.params)
    return base


# ---------------------------------------------------------------------------- replacements


def read_stored(found: Match) -> Node | None:
    """the value that was stored there, or what is read before the stores that lie apart."""
    root = found.root
    base = root.args[0]
    for store in _below(base):
        if _once(store) and _same_place(root, store):
            return store.args[1]
        if not _apart(root, store, root.args[0].type.shape):
            return None
        base = store.args[0]
    if base.op in (index_add, index_set):
        return None  # there are more: each read would look through some of them
    return node(getitem, (base, *root.args[1:]), root.params)


def add_to_stored(found: Match) -> Node | None:
    """the sum, stored there at first."""
    root = found.root
    above: list[Node] = []
    for store in _below(root.args[0]):
        if _once(store) and _same_place(root, store):
            value = root.args[1] if is_number(store.args[1], 0) else None
            if value is None:
                return None
            return _over(above, node(index_set, (store.args[0], value, *store.args[2:]),
                                     store.params))
        if store.op is not index_add:
            return None
        above.append(store)
    return None


def store_sum(found: Match) -> Node | None:
    """the other summand, added there."""
    root = found.root
    base, value, *indices = root.args
    if not root.param("distinct"):
        return None
    first, second = value.args
    for part, other in ((first, second), (second, first)):
        if part.op is getitem and part.args[0] is base and _same_place(part, root):
            if value.op is e.subtract:
                if part is not first:
                    return None
                other = node(e.negative, (other,))
            return node(index_add, (base, other, *indices), (("index", root.param("index")),))
    return None


def store_again(found: Match) -> Node | None:
    """the later value alone."""
    root = found.root
    before = root.args[0]
    if not _same_place(root, before) or not root.param("distinct"):
        return None
    return node(index_set, (before.args[0], *root.args[1:]), root.params)


def store_itself(found: Match) -> Node | None:
    """the array, where what is stored is what is there."""
    root = found.root
    base, value = root.args[:2]
    if is_number(base, 0) and is_number(value, 0):
        return base
    same = value.op is getitem and value.args[0] is base and _same_place(value, root)
    return base if same else None


def store_all(found: Match) -> Node | None:
    """the value, where the index names the whole array."""
    root = found.root
    base, value = root.args[:2]
    if len(root.args) > 2 or value.type.size != base.type.size:
        return None
    forward = (isinstance(each, tuple) and each[3] in (None, 1) for each in root.param("index"))
    whole = all(forward)
    return reshaped(value, base.type.shape) if whole else None


def scale_stored(found: Match) -> Node | None:
    """what was stored, multiplied there: where nothing was, 0 stays 0."""
    root = found.root
    first, second = root.args
    made = _scaled(root, first, second)
    if made is None and root.op is e.multiply:
        made = _scaled(root, second, first)
    return made


def _scaled(root: Node, stored: Node, factor: Node) -> Node | None:
    """The store with its values multiplied, or divided, by the factor at their places.

    A mask is a strong zero: an infinite factor of what it does not select cannot make NaN.
    """
    stores = list(_below(stored))
    if not stores or stores[-1].args[0].op in (index_add, index_set):
        return None
    base = stores[-1].args[0]
    alone = len(stores) == 1 and is_number(base, 0)
    if not alone and not any(map(_selects, stores)):
        return None
    made = base if is_number(base, 0) else _applied(root, stored, base, factor)
    for each in reversed(stores):
        value, *indices = each.args[1:]
        if not is_number(value, 0):
            part = node(getitem, (factor, *indices), (("index", each.param("index")),))
            value = _applied(root, stored, value, part)
        made = node(each.op, (made, value, *indices), each.params)
    return made


def _applied(root: Node, stored: Node, value: Node, factor: Node) -> Node:
    """The product or quotient with a value in the place of what was stored."""
    return node(root.op, (value, factor) if root.args[0] is stored else (factor, value))


def _selects(store: Node) -> bool:
    """Whether a store is by a mask, or puts 0 in its place."""
    zero = store.op is index_set and is_number(store.args[1], 0)
    return zero or any(map(is_mask, store.param("index")))


STORES = rules(
    rule("read-stored", Family("a part of an array with a stored part", (getitem,), (),
                               lambda op, args: args[0] in (index_add, index_set)),
         read_stored, EXACT, primal=False, dtypes="biufc", shared=True,
         example={"of": getitem(index_set(x, a, index=(1,), distinct=True), index=(1,)),
                  "a": "f[4]"}),
    rule("add-to-stored", Family("a store", (index_add,)), add_to_stored, ROUNDING, dtypes="fc",
         shared=True,
         example={"of": index_add(index_set(x, a, index=(1,), distinct=True), b, index=(1,)),
                  "a": "f[4]=0", "b": "f[4]"}),
    rule("store-sum", Family("a store of a sum", (index_set,), (),
                             lambda op, args: args[1] in (e.add, e.subtract)),
         store_sum, EXACT, dtypes="iufc", shared=True,
         example={"of": index_set(x, getitem(x, index=(1,)) + a, index=(1,), distinct=True),
                  "a": "f[4]"}),
    rule("store-again", Family("a store over another", (index_set,), (),
                               lambda op, args: args[0] is index_set),
         store_again, EXACT, primal=False, dtypes="biufc", shared=True,
         example={"of": index_set(index_set(x, a, index=(1,), distinct=True), b, index=(1,),
                                  distinct=True), "a": "f[4]", "b": "f[4]"}),
    rule("store-itself", Family("a store", (index_set,)), store_itself, EXACT, dtypes="biufc",
         shared=True, primal=False,
         example={"of": index_set(x, getitem(x, index=(1,)), index=(1,), distinct=True)}),
    rule("store-all", Family("a store", (index_set,)), store_all, EXACT, dtypes="biufc",
         shared=True, primal=False,
         example={"of": index_set(x, a, index=(("slice", None, None, None),), distinct=True),
                  "a": "f[3,4]"}),
    rule("scale-stored", Family("a product or quotient of a store", (e.multiply, e.divide), (),
                                lambda op, args: index_add in args or index_set in args),
         scale_stored, ROUNDING, dtypes="fc", shared=True,
         example={"of": index_add(a, b, index=(1,)) * x, "a": "f[3,4]=0", "b": "f[4]"}),
)  # fmt: skip
