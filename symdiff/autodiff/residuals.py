"""Parts of arrays that a loop fills, which are in the end what they were when they were read.

A trip of `y[i] = f(y[i - 1])` reads what no later one changes. Its derivative, which runs when the
loop is done, reads it from the array that the loop has filled: nothing is collected. That the later
stores are elsewhere follows from the indices, where these are sums of multiples of those of loops.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from symdiff.ir.extent import affine_of, is_open
from symdiff.ir.graph import Graph, depends_on, every_node, toposort
from symdiff.ir.node import Const, Input, Node, input_node, node
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e

MANY = 1 << 12  # pairs of parts that are compared
SOME = 16  # trips of a loop for which that is not known
LISTED = 256  # bytes that are kept as fast as a value is put into a list and taken out

Value = tuple[Graph, Node]


# ---------------------------------------------------------------------------- sums of indices


class _Symbol:
    """The index of a loop, in some trip; the ends of its range are in terms of older ones."""

    __slots__ = ("first", "last", "order")
    _orders = count()

    def __init__(self, first: Form | None, last: Form | None) -> None:
        self.order = next(self._orders)
        self.first = first
        self.last = last


class Form(NamedTuple):
    """A sum of multiples of indices, and a number."""

    terms: Mapping[_Symbol, int]
    rest: int = 0

    def plus(self, other: Form, times: int = 1) -> Form:
        """The sum with a multiple of another one."""
        terms = dict(self.terms)
        for each, factor in other.terms.items():
            terms[each] = terms.get(each, 0) + times * factor
        kept = {each: factor for each, factor in terms.items() if factor}
        return Form(kept, self.rest + times * other.rest)

    def renamed(self, new: Mapping[_Symbol, _Symbol]) -> Form:
        """The same of other trips."""
        return Form({new.get(each, each): factor for each, factor in self.terms.items()}, self.rest)


def _number(value: int) -> Form:
    return Form({}, value)


def _least(form: Form) -> int | None:
    """A number that it is not below; None: there is none that is known."""
    while form.terms:
        each = max(form.terms, key=lambda symbol: symbol.order)
        factor = form.terms[each]
        end = each.first if factor > 0 else each.last
        if end is None:
            return None
        form = form.plus(Form({each: 1}), -factor).plus(end, factor)
    return form.rest


def _forms(nodes: Iterable[Node], given: Mapping[Node, Form]) -> dict[Node, Form]:
    """The Python ints among nodes, operands first, that are sums of indices."""
    known = dict(given)
    for each in nodes:
        if each not in known and each.type.dtype.kind in "iu" and not each.type.shape:
            form = _form(each, known)
            if form is not None:
                known[each] = form
    return known


def _form(each: Node, known: Mapping[Node, Form]) -> Form | None:
    if isinstance(each, Const):
        return _number(int(each.value))
    if each.op not in (e.add, e.subtract, e.multiply):
        return None
    first, second = (known.get(arg) for arg in each.args)
    if first is None or second is None:
        return None
    if each.op is not e.multiply:
        return first.plus(second, 1 if each.op is e.add else -1)
    if first.terms and second.terms:
        return None
    (number, form) = (second, first) if first.terms else (first, second)
    return _number(0).plus(form, number.rest)


class _Scope(NamedTuple):
    """What is known in a graph: its Python ints, and the indices of loops around by their level."""

    ints: dict[Node, Form]
    levels: Mapping[int, Form]

    def extent(self, number: int) -> Form | None:
        """What a number stands for, which may stand for an extent that an index decides."""
        value = affine_of(number)
        form = _number(value.rest)
        for level, factor in enumerate(value.factors):
            if factor:
                if level not in self.levels:
                    return None
                form = form.plus(self.levels[level], factor)
        return form

    def within(self, operands: Mapping[Node, Node], levels: Mapping[int, Form]) -> _Scope:
        """The same inside of a graph with inputs that stand for these operands."""
        ints = {own: self.ints[arg] for own, arg in operands.items() if arg in self.ints}
        return _Scope(ints, {**self.levels, **levels})

    def among(self, nodes: Iterable[Node]) -> _Scope:
        """The same with the Python ints among the nodes of the graph."""
        return self._replace(ints=_forms(nodes, self.ints))


# ---------------------------------------------------------------------------- parts


_Range = tuple[Form | None, Form | None]  # of an axis: the first and the last place


class _Part(NamedTuple):
    """A part of an array that a node reads or stores: its range on each axis.

    `inside` are the indices of the loops around it which are inside of what is looked at, `value`
    is what is read or stored, in a graph.
    """

    ranges: tuple[_Range, ...]
    each: Node
    value: Value
    inside: tuple[_Symbol, ...] = ()

    def again(self, new: Mapping[_Symbol, _Symbol]) -> _Part:
        """The same in another trip, of all loops that are inside too."""
        known = dict(new)
        for each in self.inside:
            if each not in known:
                ends = (end and end.renamed(known) for end in (each.first, each.last))
                known[each] = _Symbol(*ends)
        ranges = tuple([
            (first and first.renamed(known), last and last.renamed(known))
            for first, last in self.ranges
        ])
        return self._replace(ranges=ranges)


def _ranges(each: Node, scope: _Scope) -> tuple[_Range, ...]:
    """Where a read or a store is, which may be less than the ranges say."""
    axes = list(each.args[0].type.shape)
    found: list[_Range] = []
    operands = list(each.args[1:] if each.op is shaping.getitem else each.args[2:])
    for entry in each.param("index"):
        if entry is None:
            continue
        if shaping.is_mask(entry):
            return ((None, None),) * each.args[0].type.ndim
        extent = axes.pop(0)
        if entry == shaping.ARRAY:
            place = scope.ints.get(operands.pop(0))
            least = None if place is None else _least(place)
            if least is None or least < 0:
                place = None  # it may count from the end
            found.append((place, place))
        elif isinstance(entry, int):
            place = _from_start(entry, extent, scope)
            found.append((place, place))
        else:
            found.append(_slice_range(entry[1:], extent, scope))
    return (*found, *[_slice_range((None, None, None), extent, scope) for extent in axes])


def _from_start(entry: int, extent: int, scope: _Scope) -> Form | None:
    place, whole = scope.extent(entry), scope.extent(extent)
    if place is None or place.terms or place.rest >= 0:
        return place
    return None if whole is None else whole.plus(place)


def _slice_range(entry: tuple[int | None, ...], extent: int, scope: _Scope) -> _Range:
    start, stop, step = entry
    if not is_open([each for each in (start, stop, extent) if each is not None]):
        places = range(extent)[slice(start, stop, step)]
        if not places:
            return _number(0), _number(-1)
        return _number(min(places)), _number(max(places))
    if step not in (None, 1):
        return None, None
    first = _from_start(start or 0, extent, scope)
    end = scope.extent(extent) if stop is None else _from_start(stop, extent, scope)
    return first, end and end.plus(_number(-1))


def _apart(one: _Part, other: _Part) -> bool:
    """Whether two parts certainly have no element in common."""
    for (first, last), (start, stop) in zip(one.ranges, other.ranges, strict=True):
        for end, begin in ((last, start), (stop, first)):
            if end is not None and begin is not None:
                least = _least(begin.plus(end, -1))
                if least is not None and least >= 1:
                    return True
    return False


# ---------------------------------------------------------------------------- chains of stores


def _before(each: Node) -> Node | None:
    """The array that this one is, before a store or all stores of a loop or a branch."""
    if each.op in (shaping.index_set, shaping.index_add):
        return each.args[0]
    if each.op is not control.item:
        return None
    whole, place = each.args[0], each.param("index")
    if whole.op is control.loop:
        state = control.divided(whole, whole.args).carried
        if place >= len(state):
            return None
        own, last = inputs_of(whole).carried[place], whole.param("body").outputs[place]
        return state[place] if _root(last) is own else None
    if whole.op is not control.cond:
        return None
    found = set()
    for branch in whole.param("branches"):
        root = _root(branch.outputs[place])
        found.add(whole.args[1 + branch.inputs.index(root)] if root in branch.inputs else None)
    return found.pop() if len(found) == 1 else None


def _root(each: Node) -> Node:
    """The array that this one was before all stores that are known."""
    while (before := _before(each)) is not None:
        each = before
    return each


def _versions(first: Node, last: Node) -> list[Node]:
    """What an array is, from the first to the last store."""
    found = [last]
    while found[-1] is not first:
        before = _before(found[-1])
        assert before is not None, "an array is not made from another one by stores"
        found.append(before)
    return found[::-1]


class _Survey:
    """The reads and stores of an array in a graph.

    `first` is the input that it is, and `last` what it is in the end, where there are stores.
    `lasting` are the parts that no later store of the graph is in. Each comes with the number of
    stores, or of loops and branches with stores, that have been done by then.
    """

    def __init__(self, graph: Graph, first: Node, last: Node, scope: _Scope) -> None:
        self.graph = graph
        self.scope = scope.among(graph.nodes())
        self.lasting: list[tuple[_Part, int]] = []
        self.stores: list[tuple[_Part, int]] = []
        self.place = {each: i for i, each in enumerate(_versions(first, last))}
        for each in graph.nodes():
            if each.op is shaping.getitem and each.args[0] in self.place:
                self.lasting.append((self._part(each, each), self.place[each.args[0]]))
            elif each in self.place and each.op in (shaping.index_set, shaping.index_add):
                stored = (self._part(each, each.args[1]), self.place[each])
                self.stores.append(stored)
                self.lasting += [stored] if _is_read_again(each) else []
            elif each.op is control.loop:
                self._look_into_loop(each)
            elif each.op is control.cond:
                self._look_into_branches(each)
        if len(self.lasting) * len(self.stores) > MANY:
            self.lasting = []
        others = [(one.again({}), at) for one, at in self.stores]  # in any trip of loops inside
        self.lasting = [
            (part, done) for part, done in self.lasting
            if all(_apart(part, one) for one, at in others if at > done)
        ]  # fmt: skip

    def _part(self, each: Node, value: Node) -> _Part:
        return _Part(_ranges(each, self.scope), each, (self.graph, value))

    def _look_into_loop(self, each: Node) -> None:
        operands, inputs = control.divided(each, each.args), inputs_of(each)
        for own, arg in zip(inputs.invariant, operands.invariant, strict=True):
            if arg in self.place:
                self._add(_in_trips(each, own, own, self.scope), self.place[arg])
        for version, done in self._results(each):
            place = version.param("index")
            last = each.param("body").outputs[place]
            self._add(_in_trips(each, inputs.carried[place], last, self.scope), done)

    def _look_into_branches(self, each: Node) -> None:
        results = list(self._results(each))
        for branch in each.param("branches"):
            ends: dict[Node, tuple[Node, int]] = {
                own: (own, self.place[arg])
                for own, arg in zip(branch.inputs, each.args[1:], strict=True)
                if arg in self.place
            }
            for version, done in results:
                last = branch.outputs[version.param("index")]
                ends[_root(last)] = (last, done)
            known = dict(zip(branch.inputs, each.args[1:], strict=True))
            scope = self.scope.within(known, {})
            for own, (last, done) in ends.items():
                self._add(_Survey(branch, own, last, scope), done)

    def _results(self, each: Node) -> Iterator[tuple[Node, int]]:
        """What the array is after a loop or a branch that stores into it."""
        for version, done in self.place.items():
            if version.op is control.item and version.args[0] is each:
                yield version, done

    def _add(self, found: _Survey, done: int) -> None:
        self.lasting += [(part, done) for part, _ in found.lasting]
        self.stores += [(part, done) for part, _ in found.stores]


def _is_read_again(store: Node) -> bool:
    """Whether what is stored is what is read there afterwards."""
    if store.op is not shaping.index_set or not store.param("distinct"):
        return False
    base, value, *indices = store.args
    part = node(shaping.getitem, (base, *indices), (("index", store.param("index")),))
    return part.type == value.type


def _in_trips(each: Node, first: Node, last: Node, scope: _Scope) -> _Survey:
    """The reads and stores of all trips of a loop; no store of a later trip is in what lasts."""
    body, step = each.param("body"), each.param("step")
    index, inner = _entered(each, scope)
    form = Form({index: 1})
    found = _Survey(body, first, last, inner)
    if (step > 0) != each.param("reverse"):
        later = _Symbol(form.plus(_number(abs(step))), index.last)
    else:
        later = _Symbol(index.first, form.plus(_number(-abs(step))))
    others = [part.again({index: later}) for part, _ in found.stores]
    found.lasting = [
        (part._replace(inside=(index, *part.inside)), 0)
        for part, _ in found.lasting
        if all(_apart(part, other) for other in others)
    ]
    found.stores = [
        (part._replace(inside=(index, *part.inside)), 0) for part, _ in found.stores
    ]
    return found


def _entered(each: Node, scope: _Scope) -> tuple[_Symbol, _Scope]:
    """The index of a loop, and what is known in its body."""
    index, operands = _index(each, scope), control.divided(each, each.args).invariant
    invariant = dict(zip(inputs_of(each).invariant, operands, strict=True))
    form, level = Form({index: 1}), each.param("level")
    inner = scope.within(invariant, {} if level is None else {level: form})
    inner.ints[each.param("body").inputs[0]] = form
    return index, inner


def _index(each: Node, scope: _Scope) -> _Symbol:
    """The index of a loop, and its range as far as that is known."""
    start, step, trips = (each.param(key) for key in ("start", "step", "trips"))
    ends: list[Form | None] = [_number(start), None]
    times = None
    if trips is not None:
        times = _number(trips)
    elif each.param("test") is None:
        times = scope.ints.get(each.args[0])
    if times is not None:
        ends[1] = _number(start - step).plus(times, step)
    return _Symbol(*(ends if step > 0 else ends[::-1]))


def inputs_of(each: Node) -> control.Operands:
    """The inputs of the body of a loop, by what they stand for, without its index."""
    own = each.param("body").inputs[1:]
    counted = each.param("trips") is None and each.param("test") is None
    return control.divided(each, (None, *own) if counted else own)


# ---------------------------------------------------------------------------- what lasts


class Lasting(NamedTuple):
    """How to read a value from what a loop has made of an array in the end."""

    place: int  # of the array among what the loop carries
    indices: tuple[Node, ...]
    params: tuple[tuple[str, Any], ...]
    times: int  # how often it is read, about

    def read(self, array: Node) -> Node:
        """The value, read where it is computed, from the array as it is in the end."""
        return node(shaping.getitem, (array, *self.indices), self.params)


def lasting(each: Node, scope: _Scope) -> dict[Value, Lasting]:
    """What a loop, in any graph inside, reads of arrays or stores there and never overwrites."""
    found: dict[Value, Lasting] = {}
    body, carried = each.param("body"), inputs_of(each).carried
    for place, own in enumerate(carried):
        last = body.outputs[place]
        if last is own or not own.type.shape or _root(last) is not own:
            continue
        for part, _ in _in_trips(each, own, last, scope).lasting:
            at = part.each
            indices = at.args[1:] if at.op is shaping.getitem else at.args[2:]
            params = (("index", at.param("index")),)
            times = math.prod(map(_trips, part.inside))
            found.setdefault(part.value, Lasting(place, indices, params, times))
    return found


def _trips(index: _Symbol) -> int:
    """About how many trips there are."""
    if index.first is None or index.last is None:
        return SOME
    steps = index.last.plus(index.first, -1)
    least, most = _least(steps), _least(_number(0).plus(steps, -1))
    if least is None or most is None:
        return SOME
    return max(1, (least - most) // 2 + 1)


# ---------------------------------------------------------------------------- what to keep


class Saving(NamedTuple):
    """What is known of the values of a graph when its derivative runs, after all trips around.

    Those that depend on `held` nodes are not there any more; those in `reads`, of this graph and of
    graphs inside, are read again: from arrays that `lasts` stand for, when loops are done.
    """

    held: frozenset[Node] = frozenset()
    reads: Mapping[Value, Node] = {}
    lasts: frozenset[Input] = frozenset()
    scope: _Scope = _Scope({}, {})

    def inside(self, outputs: Iterable[Node]) -> Saving:
        """The same with all nodes below these that are held."""
        nodes = toposort(outputs)
        held = frozenset(depends_on(outputs, self.held))
        return self._replace(held=held, scope=self.scope.among(nodes))

    def in_loop(self, each: Node) -> tuple[Saving, dict[Input, int], set[Node]]:
        """The same for the body of a loop.

        Also what stands for arrays as they are when it is done, with their place, and arrays that
        are the same in each trip, of which parts are collected all the same.
        """
        body, inputs, operands = each.param("body"), inputs_of(each), _operands(each)
        same = [own for own, arg in zip(inputs.invariant, operands.invariant, strict=True)
                if arg in self.held]  # fmt: skip
        found: dict[int, list[tuple[Value, Lasting]]] = {}
        for value, how in lasting(each, self.scope).items():
            if value not in self.reads:
                found.setdefault(how.place, []).append((value, how))
        reads = dict(self.reads)
        lasts: dict[Input, int] = {}
        names = {one.name for one in every_node(body) | self.lasts if isinstance(one, Input)}
        for place, values in found.items():
            own = inputs.carried[place]
            apart = sum(how.times * (LISTED + bytes_of(value)) for (_, value), how in values)
            if self.held and bytes_of(own) > apart:
                continue  # the loop around keeps it in each trip
            name = next(name for i in count() if (name := f"{own.name}_done{i or ''}") not in names)
            names.add(name)
            last = input_node(name, own.type)
            lasts[last] = place
            reads |= {value: how.read(last) for value, how in values}
        trips = each.param("trips") or SOME
        dear: set[Node] = set()
        for own in same:
            parts = [one for one in body.nodes() if one.op is shaping.getitem
                     and one.args[0] is own and (body, one) not in reads]  # fmt: skip
            if trips * sum(LISTED + bytes_of(one) for one in parts) < bytes_of(own):
                dear.add(own)
        held = frozenset([*inputs.carried, *same])
        _, scope = _entered(each, self.scope)
        return Saving(held, reads, self.lasts | lasts.keys(), scope), lasts, dear

    def in_branch(self, each: Node, branch: Graph) -> Saving:
        """The same for a side of a branch."""
        held = [own for own, arg in zip(branch.inputs, each.args[1:], strict=True)
                if arg in self.held]  # fmt: skip
        scope = self.scope.within(dict(zip(branch.inputs, each.args[1:], strict=True)), {})
        return self._replace(held=frozenset(held), scope=scope)

    def again(self, graph: Graph, nodes: Iterable[Node]) -> dict[Node, Node]:
        """How those of the nodes of a graph that can be are read again."""
        return {each: self.reads[graph, each] for each in nodes if (graph, each) in self.reads}


def bytes_of(each: Node) -> int:
    """The size of a value; of extents that an index decides, that of any part."""
    size = each.type.dtype.itemsize
    for extent in each.type.shape:
        size *= 8 if is_open((extent,)) else extent
    return size


def _operands(each: Node) -> control.Operands:
    return control.divided(each, each.args)
