"""Rewrites of loops and branches themselves: merged, fused, and without what nobody reads.

Loaded for programs that have any. What is right inside a graph is rewritten before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from symdiff.frontend.tracer import Tracer, coerce
from symdiff.ir.graph import Graph, Note, bodies, map_bodies, substitute, toposort
from symdiff.ir.node import Const, Input, Node, constant, input_node, node
from symdiff.ir.types import TUPLE, ArrayType, array_type
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive

Values = list[Node | None]  # of a loop or a branch; None for what nobody reads

MANY = 256  # loops and branches that are looked through for pairs
_AS_CHEAP_INSIDE = (shaping.broadcast_to, e.convert)  # beside views


def arranged(graph: Graph, primal: Collection[Node] = (), apart: bool = False) -> Graph:
    """The graph with fewer and smaller loops and branches, of the same results.

    Where they stay `apart`, derivatives do not go along with what they are derivatives of.
    Where `primal`, the nodes of the user's own program, is a set, it grows by what they become.
    """
    for step in (_merged, *(() if apart else (_fused,)), _shifted, _pruned):
        graph = step(graph, primal)
    return graph


def _control_nodes(graph: Graph) -> list[Node]:
    return [each for each in graph.nodes() if _is_control(each)]


def _is_control(each: Node) -> bool:
    return each.type is TUPLE and any(True for _ in bodies(each))


# ---------------------------------------------------------------------------- rebuilding


Change = Callable[[Node, Node, dict[Node, Note]], Values | None]


def _with_values(graph: Graph, change: Change, primal: Collection[Node]) -> Graph:
    """The graph with other values for those of the nodes of control flow that `change` gives some.

    It is called with each such node, with the same over operands that are changed already, and with
    the notes.
    """
    new: dict[Node, Node] = {}
    values: dict[Node, Values] = {}
    notes = dict(graph.notes)
    for each in graph.nodes():
        if each.op is control.item and each.args[0] in values:
            found = values[each.args[0]][each.param("index")]
            new[each] = each if found is None else coerce(found, each.type)
        else:
            args = tuple([new[arg] for arg in each.args])
            made = each if args == each.args else node(each.op, args, each.params, each.type)
            new[each] = made
            if _is_control(each):
                changed = change(each, made, notes)
                if changed is not None:
                    values[each] = changed
                    for own in {value.args[0] for value in changed if value and value.args}:
                        if own.op is each.op and own.serial > each.serial:
                            _carry(each, own, notes, primal)
        if new[each] is not each:
            _carry(each, new[each], notes, primal)
    outputs = tuple([new[each] for each in graph.outputs])
    effects = tuple([new[each] for each in graph.effects])
    if (outputs, effects) == (graph.outputs, graph.effects):
        return graph
    return Graph(graph.name, graph.inputs, outputs, effects, notes)


def _carry(before: Node, after: Node, notes: dict[Node, Note], primal: Collection[Node]) -> None:
    """What is known of a node is known of the one that it becomes."""
    if after is before:
        return
    if before in notes and not isinstance(after, Const):
        notes.setdefault(after, notes[before])
    if before in primal and isinstance(primal, set):
        primal.add(after)


class _Form:
    """A loop taken apart. What stands for a value inside comes with its operand outside."""

    def __init__(self, each: Node) -> None:
        self.node = each
        self.body: Graph = each.param("body")
        operands = control.divided(each, each.args)
        inputs = control.divided(each, (*operands.trips, *self.body.inputs[1:]))
        self.index = self.body.inputs[0]
        self.count = operands.trips[0] if operands.trips else None
        self.invariant = list(zip(inputs.invariant, operands.invariant, strict=True))
        self.carried = list(zip(inputs.carried, operands.carried, strict=True))
        self.scanned = list(zip(inputs.scanned, operands.scanned, strict=True))
        self.following = list(self.body.outputs[: len(self.carried)])
        self.collected = list(self.body.outputs[len(self.carried) :])
        self.notes = dict(self.body.notes)
        self.asked: Node | None = None  # in terms of the inputs of the body
        test = each.param("test")
        if test is not None:
            places = [own for own, _ in (*self.invariant, *self.carried)]
            known = dict(zip(test.inputs, places, strict=True))
            (asked,) = test.outputs
            self.asked = substitute([asked], known)[asked]

    @property
    def results(self) -> list[Node]:
        """What a trip computes."""
        asked = [] if self.asked is None else [self.asked]
        return [*self.following, *self.collected, *asked]

    @property
    def kind(self) -> dict[str, Any]:
        each = self.node
        return {key: each.param(key) for key in ("trips", "start", "step", "reverse", "level")}

    def replace(self, known: Mapping[Node, Node], primal: Collection[Node]) -> None:
        """Compute with other nodes in the place of some."""
        if not known:
            return
        results = self.results
        new = substitute(results, known)
        for before, after in new.items():
            _carry(before, after, self.notes, primal)
        self.following = [new[each] for each in self.following]
        self.collected = [new[each] for each in self.collected]
        self.asked = None if self.asked is None else new[self.asked]

    def made(self) -> Node:
        """The loop put together."""
        invariant, carried, scanned = (
            [each for each, _ in pairs] for pairs in (self.invariant, self.carried, self.scanned)
        )
        body = Graph(
            self.body.name,
            (self.index, *invariant, *carried, *scanned),
            (*self.following, *self.collected),
            (),
            self.notes,
        )
        test = None
        if self.asked is not None:
            old = self.node.param("test")
            test = Graph(old.name, (*invariant, *carried), (self.asked,), (), self.notes)
        return control.loop_node(
            body,
            invariant=[each for _, each in self.invariant],
            carried=[each for _, each in self.carried],
            scanned=[each for _, each in self.scanned],
            count=self.count,
            test=test,
            **self.kind,
        )


# ---------------------------------------------------------------------------- merging


def _merged(graph: Graph, primal: Collection[Node]) -> Graph:
    """Loops that do the same and collect different things are one: so a derivative collects."""
    groups: dict[Any, list[Node]] = {}
    for each in _control_nodes(graph):
        if each.op is control.loop:
            groups.setdefault(_work(each), []).append(each)
    if all(len(group) == 1 for group in groups.values()):
        return graph
    whole: dict[Any, Node] = {}

    def change(each: Node, made: Node, notes: dict[Node, Note]) -> Values | None:
        key = _work(each) if each.op is control.loop else None
        if len(groups.get(key, ())) < 2:
            return None
        if key not in whole:
            whole[key] = _together(made, [one.param("body") for one in groups[key]])
        carried = each.param("carried")
        values, outputs = control.items(whole[key]), whole[key].param("body").outputs
        places = [*range(carried)]
        places += [outputs.index(one, carried) for one in each.param("body").outputs[carried:]]
        places += [] if each.param("test") is None else [len(values) - 1]
        return [values[i] for i in places]

    return _with_values(graph, change, primal)


def _work(each: Node) -> Any:
    """What a loop does, whatever it collects."""
    body = each.param("body")
    rest = tuple([(key, value) for key, value in each.params if key != "body"])
    return each.args, rest, body.inputs, body.outputs[: each.param("carried")]


def _together(each: Node, several: Sequence[Graph]) -> Node:
    """The loop with a body that collects what any of several do."""
    carried, first = each.param("carried"), several[0]
    collected = dict.fromkeys(one for body in several for one in body.outputs[carried:])
    notes = {one: note for body in reversed(several) for one, note in body.notes.items()}
    outputs = (*first.outputs[:carried], *collected)
    body = Graph(first.name, first.inputs, outputs, (), notes)
    params = tuple([(key, body if key == "body" else value) for key, value in each.params])
    return node(each.op, each.args, params)


# ---------------------------------------------------------------------------- fusing


def _fused(graph: Graph, primal: Collection[Node]) -> Graph:
    """A derivative that goes through the trips of a loop as that does goes along with it.

    What a pair depends on is looked up in the whole graph: a program of very many stays as it is.
    """
    while len(_control_nodes(graph)) <= MANY:
        pair = next(_fusable(graph, primal), None)
        if pair is None:
            break
        graph = _fuse(graph, *pair, primal)
    return graph


def _fusable(graph: Graph, primal: Collection[Node]) -> Iterator[tuple[Node, Node]]:
    nodes = _control_nodes(graph)
    choices: dict[Node, list[Node]] = {}
    for each in nodes:
        if each.op is control.cond:
            choices.setdefault(each.args[0], []).append(each)
    for each in nodes:
        if each in primal or control.side_taken(each) is not None:
            continue
        if each.op is control.cond:
            firsts = [one for one in choices[each.args[0]] if one.serial < each.serial]
        else:
            firsts = [arg.args[0] for arg in each.args if arg.op is control.item]
        for first in dict.fromkeys(firsts):
            own = _handed(first, each)
            if own is not None and not _depends(
                [arg for i, arg in enumerate(each.args) if i not in own], first
            ):
                yield first, each


def _handed(first: Node, second: Node) -> set[int] | None:
    """The operands of a node that another hands it trip by trip; None where they do not fit."""
    if first.op is not second.op or first.op is control.item:
        return None
    if first.op is control.cond:
        if first.args[0] is not second.args[0]:
            return None
        return {i for i, arg in enumerate(second.args) if i and arg.args and arg.args[0] is first}
    if not _goes_with(first, second) or first.param("reverse") != second.param("reverse"):
        return None
    rows = range(len(second.args) - second.param("scanned"), len(second.args))
    collected = range(first.param("carried"), len(control.result_types(first)))
    found = {
        i for i in rows
        if second.args[i].op is control.item
        and second.args[i].args[0] is first
        and second.args[i].param("index") in collected
    }  # fmt: skip
    return found | ({0} if second.param("trips") is None else set()) if found else None


def _goes_with(first: Node, second: Node) -> bool:
    """Whether the second loop has as many trips as the first, and the same indices."""
    if second.param("test") is not None:
        return False
    if any(first.param(key) != second.param(key) for key in ("trips", "start", "step", "level")):
        return False
    if first.param("trips") is not None:
        return True
    if first.param("test") is None:
        return second.args[0] is first.args[0]
    count = second.args[0]
    last = len(control.result_types(first)) - 1
    return count.op is control.item and count.args[0] is first and count.param("index") == last


def _depends(nodes: Iterable[Node], on: Node) -> bool:
    seen: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        each = waiting.pop()
        if each is on:
            return True
        if each not in seen and each.serial > on.serial:
            seen.add(each)
            waiting += each.args
    return False


def _fuse(graph: Graph, first: Node, second: Node, primal: Collection[Node]) -> Graph:
    """The graph with the two as one node."""
    join = _one_branch if first.op is control.cond else _one_loop
    made, places = join(first, second, primal)
    values = control.items(made)
    count = len(control.result_types(first))
    moved: dict[Node, Node] = {}
    for each in graph.nodes():
        if each.op is control.item and each.args[0] in (first, second):
            index = each.param("index") + (count if each.args[0] is second else 0)
            moved[each] = values[places[index]]
    new = substitute((*graph.outputs, *graph.effects), moved)
    notes = dict(graph.notes)
    for before, after in new.items():
        _carry(before, after, notes, primal)
    if first in primal and isinstance(primal, set):
        primal.add(made)
    outputs = tuple([new[each] for each in graph.outputs])
    effects = tuple([new[each] for each in graph.effects])
    return Graph(graph.name, graph.inputs, outputs, effects, notes)


def _one_loop(first: Node, second: Node, primal: Collection[Node]) -> tuple[Node, list[int]]:
    one, other = _Form(first), _Form(second)
    known: dict[Node, Node] = {other.index: one.index}
    scanned = []
    for own, operand in other.scanned:
        if operand.op is control.item and operand.args[0] is first:
            value = one.collected[operand.param("index") - len(one.carried)]
            known[own] = coerce(value, own.type)
            known[coerce(own, value.type)] = value  # a Python number, which a row is not
        else:
            scanned.append((own, operand))
    other.scanned = scanned
    one.notes = {**other.notes, **one.notes}
    other.notes = one.notes
    other.replace(known, primal)
    mine, theirs = len(one.carried), len(other.carried)
    got, added = len(one.collected), len(other.collected)
    one.invariant += other.invariant
    one.carried += other.carried
    one.scanned += other.scanned
    one.following += other.following
    one.collected += other.collected
    places = [*range(mine), *[mine + theirs + i for i in range(got)]]
    if one.asked is not None:
        places.append(mine + theirs + got + added)
    places += [mine + i for i in range(theirs)]
    places += [mine + theirs + got + i for i in range(added)]
    return one.made(), places


def _one_branch(first: Node, second: Node, primal: Collection[Node]) -> tuple[Node, list[int]]:
    operands = list(first.args[1:])
    handed = {i: arg.param("index") for i, arg in enumerate(second.args)
              if arg.op is control.item and arg.args[0] is first}
    operands += [arg for i, arg in enumerate(second.args) if i and i not in handed]
    sides = []
    for one, other in zip(first.param("branches"), second.param("branches"), strict=True):
        known = {other.inputs[i - 1]: one.outputs[place] for i, place in handed.items()}
        new = substitute(other.outputs, known)
        notes = dict(one.notes)
        for before, after in new.items():
            if before in other.notes:
                notes.setdefault(after, other.notes[before])
            _carry(before, after, notes, primal)
        added = [own for i, own in enumerate(other.inputs, 1) if i not in handed]
        outputs = (*one.outputs, *[new[each] for each in other.outputs])
        sides.append(Graph(one.name, (*one.inputs, *added), outputs, (), notes))
    made = control.cond_node(first.args[0], operands, (sides[0], sides[1]))
    return made, [*range(len(sides[0].outputs))]


# ---------------------------------------------------------------------------- written out


def without_checkpoints(graph: Graph, primal: Collection[Node] = ()) -> Graph:
    """The graph with what branches of known conditions compute in their place."""

    def change(each: Node, made: Node, notes: dict[Node, Note]) -> Values | None:
        side = control.side_taken(made)
        if side is None:
            return None
        known: dict[Node, Node] = dict(zip(side.inputs, made.args[1:], strict=True))
        new = substitute(side.outputs, known)
        for before, after in new.items():
            _carry(before, after, notes if before in known else {}, primal)
            if before in side.notes and before not in known:
                notes.setdefault(after, side.notes[before])
        return [new[one] for one in side.outputs]

    def within(body: Graph) -> Graph:
        return without_checkpoints(body, primal)

    return _with_values(map_bodies(graph, within, primal), change, primal)


# ---------------------------------------------------------------------------- backwards


def _shifted(graph: Graph, primal: Collection[Node]) -> Graph:
    """Backwards, what a trip gave is what the one after it was handed: it is not collected too."""

    def change(each: Node, made: Node, notes: dict[Node, Note]) -> Values | None:
        if each.op is not control.loop or each.param("test") is not None:
            return None
        form = _Form(made)
        handed = {_before(own, made): own for own in form.scanned}
        kept = []
        for own in form.scanned:
            after = _after(own, made)
            if after is None or after not in handed:
                kept.append(own)
                continue
            first, place = after
            place_of = control.items(first)[place]
            form.carried.append((own[0], coerce(place_of, own[0].type)))
            form.following.append(handed[after][0])
        if len(kept) == len(form.scanned):
            return None
        added = len(form.scanned) - len(kept)
        form.scanned = kept
        values = control.items(form.made())
        return [*values[: len(form.carried) - added], *values[len(form.carried) :]]

    return _with_values(graph, change, primal)


Pair = tuple[Node, Node]


def _before(row: Pair, loop: Node) -> tuple[Node, int] | None:
    """The loop, and the carried value of it, that this row is before its trip."""
    found = _collected(row, loop)
    if found is None:
        return None
    first, result = found
    state = control.divided(first, (None, *first.param("body").inputs[1:])[-len(first.args) :])
    return (first, state.carried.index(result)) if result in state.carried else None


def _after(row: Pair, loop: Node) -> tuple[Node, int] | None:
    """The same of a row that is such a value after its trip."""
    found = _collected(row, loop)
    if found is None:
        return None
    first, result = found
    following = first.param("body").outputs[: first.param("carried")]
    return (first, following.index(result)) if result in following else None


def _collected(row: Pair, loop: Node) -> tuple[Node, Node] | None:
    """The loop the other way round that collects what this row is of, and what it collects."""
    _, operand = row
    if operand.op is not control.item or operand.args[0].op is not control.loop:
        return None
    first, index = operand.args[0], operand.param("index")
    if first.param("reverse") == loop.param("reverse") or not _goes_with(first, loop):
        return None
    outputs = first.param("body").outputs
    return (first, outputs[index]) if first.param("carried") <= index < len(outputs) else None


# ---------------------------------------------------------------------------- pruning


class _Kept(NamedTuple):
    """The places of what is needed of a loop."""

    invariant: list[int]
    carried: list[int]
    scanned: list[int]
    collected: list[int]


def _pruned(graph: Graph, primal: Collection[Node]) -> Graph:
    """Nothing is carried, collected or handed on that nobody reads, or that is known outside."""
    used = _used(graph)

    def change(each: Node, made: Node, notes: dict[Node, Note]) -> Values | None:
        if each not in used:
            return None
        if each.op is control.cond:
            return _smaller_branch(_distinct(made, primal), used[each], each)
        return _smaller_loop(made, used[each], notes, primal)

    return _with_values(graph, change, primal)


def _used(graph: Graph) -> dict[Node, set[int]]:
    """For each loop and branch that is needed, the places of its values that are."""
    used: dict[Node, set[int]] = {}
    needed = {*graph.outputs, *graph.effects}
    for each in reversed(graph.nodes()):
        if each not in needed:
            continue
        if each.op is control.item and any(True for _ in bodies(each.args[0])):
            used.setdefault(each.args[0], set()).add(each.param("index"))
            needed.add(each.args[0])
        elif each in used and each.op is control.loop:
            needed.update(_operands_read(each, _kept(each, used[each])))
        elif each in used:
            places = _read_by_sides(each, used[each])
            needed.update(each.args[0:1], [each.args[i + 1] for i in places])
        else:
            needed.update(each.args)
    return used


def _operands_read(each: Node, kept: _Kept) -> Iterator[Node]:
    operands = control.divided(each, each.args)
    yield from operands.trips
    yield from [operands.invariant[i] for i in kept.invariant]
    yield from [operands.carried[i] for i in kept.carried]
    yield from [operands.scanned[i] for i in kept.scanned]


def _kept(each: Node, used: Collection[int]) -> _Kept:
    """What a loop needs of which these values are read."""
    form = _Form(each)
    carried, collected = len(form.carried), len(form.collected)
    groups = [form.invariant, form.carried, form.scanned]
    inputs = [own for group in groups for own, _ in group]
    masks = _reads(form.results, inputs)
    first = len(form.invariant)
    wanted = masks[len(form.following) + collected] if form.asked is not None else 0
    results = {i for i in used if i < carried + collected}
    state = {i for i in results if i < carried}
    while True:
        read = reduce(or_, [masks[i] for i in results], wanted)
        more = {i for i in range(carried) if read >> (first + i) & 1} | state
        if more <= state and more <= results:
            break
        state = more
        results |= more
    last = first + carried
    return _Kept(
        [i for i in range(first) if read >> i & 1],
        sorted(state),
        [i for i in range(len(form.scanned)) if read >> (last + i) & 1],
        [i - carried for i in sorted(results) if i >= carried],
    )


def _reads(results: Sequence[Node], inputs: Sequence[Node]) -> list[int]:
    """For each result the inputs that it reads, as bits of a number."""
    masks = {each: 1 << i for i, each in enumerate(inputs)}
    for each in toposort(results):
        if each not in masks:
            masks[each] = reduce(or_, [masks[arg] for arg in each.args], 0)
    return [masks[each] for each in results]


def _read_by_sides(each: Node, used: Collection[int]) -> list[int]:
    read = 0
    for branch in each.param("branches"):
        read |= reduce(or_, _reads([branch.outputs[i] for i in used], branch.inputs), 0)
    return [i for i in range(len(each.args) - 1) if read >> i & 1]


def _distinct(each: Node, primal: Collection[Node]) -> Node:
    """The branch, told of nothing twice and of no constants."""
    operands, branches = each.args[1:], each.param("branches")
    knowns: list[dict[Node, Node]] = [{} for _ in branches]
    for branch, known in zip(branches, knowns, strict=True):
        seen: dict[Any, Node] = {}
        for own, operand in zip(branch.inputs, operands, strict=True):
            _is_known(own, operand, seen, known)
    if not knowns[0]:
        return each
    sides = []
    for branch, known in zip(branches, knowns, strict=True):
        new, notes = substitute(branch.outputs, known), dict(branch.notes)
        for before, after in new.items():
            _carry(before, after, notes, primal)
        outputs = tuple([new[one] for one in branch.outputs])
        sides.append(Graph(branch.name, branch.inputs, outputs, (), notes))
    return control.cond_node(each.args[0], operands, (sides[0], sides[1]))


def _smaller_branch(each: Node, used: set[int], before: Node) -> Values | None:
    """Values that both sides give alike need no branch; those that nobody reads are not there."""
    branches = each.param("branches")
    alike = {i: value for i in used if (value := _of_either(each, i)) is not None}
    places = sorted(used - alike.keys())
    kept = _read_by_sides(each, places)
    whole = len(places) == len(branches[0].outputs) and len(kept) == len(each.args) - 1
    if each is before and whole:
        return None
    first, second = (
        Graph(
            branch.name,
            tuple([branch.inputs[i] for i in kept]),
            tuple([branch.outputs[i] for i in places]),
            (),
            branch.notes,
        )
        for branch in branches
    )
    values: Values = [alike.get(i) for i in range(len(branches[0].outputs))]
    if not places:
        return values
    made = control.cond_node(each.args[0], [each.args[i + 1] for i in kept], (first, second))
    for i, value in zip(places, control.items(made), strict=True):
        values[i] = value
    return values


def _of_either(each: Node, place: int) -> Node | None:
    """The value that both sides give alike, if it is an operand or a constant."""
    first, second = each.param("branches")
    one, other = first.outputs[place], second.outputs[place]
    if isinstance(one, Const):
        return one if one is other else None
    if not (isinstance(one, Input) and isinstance(other, Input)):
        return None
    operand = each.args[1 + first.inputs.index(one)]
    return operand if operand is each.args[1 + second.inputs.index(other)] else None


def _smaller_loop(
    each: Node, used: Collection[int], notes: dict[Node, Note], primal: Collection[Node]
) -> Values | None:
    form, kept = _Form(each), _kept(each, used)
    if each.param("trips") in (0, 1) and _is_regular(form):
        return _unrolled(form, notes, primal)
    count, collected = len(form.carried), len(form.collected)
    state = {i: form.carried[i][0] for i in kept.carried}
    form.invariant = [form.invariant[i] for i in kept.invariant]
    form.following = [form.following[i] for i in kept.carried]
    form.carried = [form.carried[i] for i in kept.carried]
    form.scanned = [form.scanned[i] for i in kept.scanned]
    form.collected = [form.collected[i] for i in kept.collected]
    gone = _settle(form, primal)
    _hoist(form, primal)
    made = form.made()
    if made.args == each.args and made.param("body").outputs == each.param("body").outputs:
        return None
    own = [one for one, _ in form.carried]
    found = control.items(made)
    values: Values = [None] * (count + collected + 1)
    for i, input in state.items():
        while input in gone:
            input = gone[input]  # what it is outside, or another one that is the same
        values[i] = found[own.index(input)] if input in own else input
    for i, value in zip(kept.collected, found[len(own) :], strict=False):
        values[count + i] = value
    if form.asked is not None:
        values[-1] = found[-1]
    return values


def _settle(form: _Form, primal: Collection[Node]) -> dict[Node, Node]:
    """What is the same in each trip becomes invariant, constants are known, and nothing is twice.

    For what stands for a value that is not carried any more: the same outside, or inside.
    """
    gone: dict[Node, Node] = {}
    while True:
        known: dict[Node, Node] = {}
        seen: dict[Any, Node] = {}
        form.scanned = [
            (own, operand) for own, operand in form.scanned
            if not _is_known(own, _row(operand, own.type), seen, known)
        ]
        following, carried = form.following, form.carried
        form.following, form.carried = [], []
        moved = False
        for (own, first), after in zip(carried, following, strict=True):
            same = seen.setdefault((first, after), own)
            if after is own:
                form.invariant.append((own, first))
                gone[own], moved = first, True
            elif same is not own or (after is first and isinstance(first, Const)):
                known[own] = gone[own] = same if same is not own else first
            else:
                form.carried.append((own, first))
                form.following.append(after)
        seen = {}
        form.invariant = [
            (own, operand) for own, operand in form.invariant
            if not _is_known(own, operand, seen, known)
        ]
        form.replace(known, primal)
        if not known and not moved:
            return gone


def _row(operand: Node, type: ArrayType) -> Node:
    """The row of an array that is one number; any other array stands for its rows."""
    uniform = isinstance(operand, Const) and operand.uniform
    return constant(operand.value, type) if uniform else operand  # type: ignore[attr-defined]


def _is_known(own: Node, operand: Node, seen: dict[Any, Node], known: dict[Node, Node]) -> bool:
    """Notes what an input is, where it is a constant or the same as another one."""
    constant_row = isinstance(operand, Const) and operand.type == own.type
    same = operand if constant_row else seen.setdefault(operand, own)
    if same is own:
        return False
    known[own] = same
    return True


def _hoist(form: _Form, primal: Collection[Node]) -> None:
    """What is computed alike in each trip is computed once, before: if that is safe."""
    runs = form.node.param("trips") is not None
    inputs = [own for own, _ in (*form.carried, *form.scanned)]
    varying = control.dependent(form.results, [form.index, *inputs])
    waiting = [arg for each in toposort(form.results) if each in varying for arg in each.args]
    waiting += form.results
    outside: dict[Node, Node] = dict(form.invariant)
    known: dict[Node, Node] = {}
    seen: set[Node] = set()
    while waiting:
        each = waiting.pop()
        if each in varying or each in seen or not each.args:
            continue
        seen.add(each)
        if not _is_worth_it(each, runs):
            waiting += each.args
            continue
        note = form.notes.get(each) or Note()
        new = substitute([each], outside)
        for before, after in new.items():
            _carry(before, after, {}, primal)
        known[each] = input_node("_".join(filter(None, (note.name, note.suffix))), each.type)
        form.notes[known[each]] = note
        form.invariant.append((known[each], new[each]))
    form.replace(known, ())
    read = {*toposort(form.results)}
    form.invariant = [pair for pair in form.invariant if pair[0] in read]
    form.scanned = [pair for pair in form.scanned if pair[0] in read]


def _is_worth_it(each: Node, runs: bool) -> bool:
    """Whether a value is worth a name of its own; what may fail is left to the trips there are."""
    op = each.op
    assert isinstance(op, Primitive)
    if op.view or op in _AS_CHEAP_INSIDE or each.type is TUPLE:
        return False
    return runs or (op.elementwise and not op.risky)


def _is_regular(form: _Form) -> bool:
    """Whether all that a loop reads and collects by trip is in arrays."""
    parts = [*form.collected, *[operand for _, operand in form.scanned]]
    known = all(control.UNKNOWN not in each.type.shape for each in parts)
    return known and form.node.param("level") is None


def _unrolled(form: _Form, notes: dict[Node, Note], primal: Collection[Node]) -> Values:
    """The values of a loop of one trip, or none."""
    first = [operand for _, operand in form.carried]
    types = [each.type for each in form.collected]
    if not form.node.param("trips"):
        empty = [array_type(each.dtype, (0, *each.shape)) for each in types]
        return [*first, *[constant(each.dtype.type(0), each) for each in empty]]
    known: dict[Node, Node] = {form.index: constant(form.node.param("start"), control.INDEX)}
    known |= {**dict(form.invariant), **dict(form.carried)}
    known |= {own: coerce(Tracer(operand)[0].node, own.type) for own, operand in form.scanned}
    new = substitute(form.results, known)
    for before, after in new.items():
        if before in form.notes:
            notes.setdefault(after, form.notes[before])
        _carry(before, after, {}, primal)
    following = [new[each] for each in form.following]
    return [*following, *[_only_row(new[each]) for each in form.collected]]


def _only_row(each: Node) -> Node:
    strong = coerce(each, array_type(each.type.dtype, each.type.shape))
    return node(shaping.reshape, (strong,), (("shape", (1, *each.type.shape)),))
