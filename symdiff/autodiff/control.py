"""Derivatives of control flow.

The tangent of a loop is a loop that carries tangents, and its transpose runs backwards. What they
read of the trips of the loop itself that loop collects, or they compute it again where that is as
cheap. The derivative of a branch is a branch on the same condition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import count
from operator import attrgetter, or_
from typing import NamedTuple

from symdiff.autodiff.linearize import Linearized, as_type, linearize, zeros
from symdiff.autodiff.residuals import Saving, bytes_of, inputs_of
from symdiff.autodiff.transpose import transpose
from symdiff.ir.extent import is_open
from symdiff.ir.graph import Graph, Note, depends_on, substitute, toposort
from symdiff.ir.node import Const, Input, Node, constant, input_node, node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.ops.control import UNKNOWN
from symdiff.ops.primitive import CONSTANT, Primitive

_SERIAL = attrgetter("serial")
_CHEAP = (shaping.broadcast_to, shaping.getitem, e.convert)  # beside what is a view by itself


# ---------------------------------------------------------------------------- tangents


def tangents(
    each: Node, dots: Mapping[Node, Node], saving: Saving | None = None
) -> dict[int, Node]:
    """The tangents of the values of a loop or a branch, by their index; zero ones are absent.

    Unless they are computed along with the values, `saving` says of what of these is still there.
    """
    find = _cond_tangents if each.op is control.cond else _loop_tangents
    return find(each, dots, saving)


def _loop_tangents(
    each: Node, dots: Mapping[Node, Node], saving: Saving | None
) -> dict[int, Node]:
    body, carried = each.param("body"), each.param("carried")
    operands, inputs = control.divided(each, each.args), inputs_of(each)
    reached = _reached(each, [arg in dots for arg in each.args])
    active = [i for i, mask in enumerate(reached) if mask]
    moved = {
        **_moved(inputs.invariant, operands.invariant, dots),
        **{inputs.carried[i]: dots.get(operands.carried[i]) for i in active if i < carried},
        **_moved(inputs.scanned, operands.scanned, dots),
    }
    own_saving, lasts, dear = saving.in_loop(each) if saving else (None, {}, set())
    linear = linearize(body, list(moved), own_saving)
    active = [i for i in active if i < carried or linear.outputs[i] is not None]
    own = dict(zip(moved, linear.tangents, strict=True))
    made = _Loop(f"{body.name}_dot", each, body.notes)
    made.results = [linear.outputs[i] or zeros(body.outputs[i]) for i in active]
    made.invariant = [(own[i], dot) for i, dot in moved.items() if dot and i in inputs.invariant]
    made.carried = [(own[i], moved[i] or zeros(i)) for i in inputs.carried if i in moved]
    made.scanned = [(own[i], dot) for i, dot in moved.items() if dot and i in inputs.scanned]
    made.saving, made.lasts, made.dear = own_saving, lasts, dear
    return dict(zip(active, control.items(made.node()), strict=True))


def renamed(
    outputs: Sequence[Node], known: Mapping[Node, Node], notes: dict[Node, Note]
) -> dict[Node, Node]:
    """What nodes become when some are replaced, which are called as they were."""
    new, given = substitute(outputs, known), set(known.values())
    for before, after in new.items():
        if before in notes and after not in given:
            notes.setdefault(after, notes[before])
    return new


def _moved(
    inputs: Sequence[Input], operands: Sequence[Node], dots: Mapping[Node, Node]
) -> dict[Input, Node | None]:
    return {
        own: dots[arg] for own, arg in zip(inputs, operands, strict=True) if arg in dots
    }


def _cond_tangents(
    each: Node, dots: Mapping[Node, Node], saving: Saving | None
) -> dict[int, Node]:
    operands, branches = each.args[1:], each.param("branches")
    active = [i for i, arg in enumerate(operands) if arg in dots]
    linears = [
        linearize(
            branch,
            [branch.inputs[i] for i in active],
            saving.in_branch(each, branch) if saving else None,
        )
        for branch in branches
    ]
    lasts = sorted(saving.lasts, key=_SERIAL) if saving else []
    values = [
        i for i in range(len(branches[0].outputs))
        if any(linear.outputs[i] is not None for linear in linears)
    ]  # fmt: skip
    dotted = [
        [linear.outputs[i] or zeros(branch.outputs[i]) for i in values]
        for branch, linear in zip(branches, linears, strict=True)
    ]
    for i, branch in enumerate(branches):
        known = saving.again(branch, depends_on(dotted[i], branch.inputs)) if saving else {}
        new = renamed(dotted[i], known, branch.notes)
        dotted[i] = [new[value] for value in dotted[i]]
    kept = _kept_by_sides(each, linears, dotted, saving) if saving else []
    sides = [
        Graph(
            f"{branch.name}_dot",
            (*branch.inputs, *linear.tangents, *lasts, *[own for own, _ in kept]),
            tuple(outputs),
            (),
            branch.notes,
        )
        for branch, linear, outputs in zip(branches, linears, dotted, strict=True)
    ]
    given = [*operands, *[dots[operands[i]] for i in active], *lasts, *[value for _, value in kept]]
    made = _branch(each.args[0], given, sides)
    return dict(zip(values, control.items(made), strict=True))


def _kept_by_sides(
    each: Node, linears: Sequence[Linearized], dotted: list[list[Node]], saving: Saving
) -> list[tuple[Input, Node]]:
    """Parts of arrays that change, which the branch itself hands on, for inputs of its derivative.

    `dotted` are its results, which read these inputs from now on. Of the side that is not taken
    there are zeros.
    """
    branches = each.param("branches")
    if control.side_taken(each) is not None:
        return []
    found = [
        _parts(outputs, linear.tangents, saving.in_branch(each, branch).held)
        for branch, linear, outputs in zip(branches, linears, dotted, strict=True)
    ]
    pairs = _paired(*found)
    if not pairs:
        return []
    larger = [
        branch.with_outputs((*branch.outputs, *[pair[i] or _nothing(pair) for pair in pairs]))
        for i, branch in enumerate(branches)
    ]
    made = control.cond_node(each.args[0], each.args[1:], (larger[0], larger[1]))
    values = control.items(made)[-len(pairs) :]
    names = {own.name for branch in branches for own in branch.inputs}
    stem = next(stem for i in count() if (stem := f"kept{'_' * i}") not in names)
    inputs = [input_node(f"{stem}{i}", value.type) for i, value in enumerate(values)]
    for i, branch in enumerate(branches):
        known = {part: own for pair, own in zip(pairs, inputs, strict=True) if (part := pair[i])}
        new = renamed(dotted[i], known, branch.notes)
        dotted[i] = [new[value] for value in dotted[i]]
    return list(zip(inputs, values, strict=True))


def _parts(
    outputs: Sequence[Node], tangents: Sequence[Input], held: Collection[Node]
) -> list[Node]:
    """The parts of held arrays that tangents are computed from, in order."""
    moved, held = depends_on(outputs, tangents), depends_on(outputs, held)
    found: set[Node] = set()
    seen: set[Node] = set()
    waiting = list(outputs)
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        part = each.args and each not in moved and each in held and _is_view(each)
        if part and not is_open(each.type.shape) and not _is_cheap(each, held):
            found.add(each)
        else:
            waiting += each.args
    return sorted(found, key=_SERIAL)


def _paired(
    first: Sequence[Node], second: Sequence[Node]
) -> list[tuple[Node | None, Node | None]]:
    """What each side hands on, in as few places as there can be: one place is of one type."""
    left = list(second)
    found: list[tuple[Node | None, Node | None]] = []
    for each in first:
        other = next((one for one in left if one.type == each.type), None)
        if other is not None:
            left.remove(other)
        found.append((each, other))
    return [*found, *[(None, each) for each in left]]


def _nothing(pair: tuple[Node | None, Node | None]) -> Node:
    """What the side without a part hands on."""
    like = pair[0] or pair[1]
    assert like is not None
    return constant(like.type.dtype.type(0), like.type)


def _branch(taken: Node, operands: Sequence[Node], sides: Sequence[Graph]) -> Node:
    """The choice between two graphs, without the operands that neither reads."""
    read = [set(side.nodes()) for side in sides]
    kept = [
        i for i in range(len(operands))
        if any(side.inputs[i] in nodes for side, nodes in zip(sides, read, strict=True))
    ]  # fmt: skip
    first, second = (
        Graph(side.name, tuple([side.inputs[i] for i in kept]), side.outputs, (), side.notes)
        for side in sides
    )
    return control.cond_node(taken, [operands[i] for i in kept], (first, second))


# ---------------------------------------------------------------------------- cotangents


class Bar(NamedTuple):
    """A cotangent of an operand: all that there is of it, or one more term of it."""

    operand: Node
    value: Node
    whole: bool


def cotangents(
    each: Node, bars: Mapping[int, Node], linear: set[Node], known: Mapping[Node, Node]
) -> Iterator[Bar]:
    """Cotangents of the operands in `linear`, given those of the values, by their index.

    `known` has what is known so far of cotangents of operands: these are gone on with.
    """
    find = _cond_cotangents if each.op is control.cond else _loop_cotangents
    found = sorted(find(each, bars, linear, known), key=lambda bar: not bar.whole)
    whole: set[Node] = set()
    for bar in found:  # what is whole comes first
        yield bar._replace(whole=bar.whole and bar.operand not in whole)
        whole.add(bar.operand)


def _loop_cotangents(
    each: Node, bars: Mapping[int, Node], linear: set[Node], known: Mapping[Node, Node]
) -> Iterator[Bar]:
    body, carried = each.param("body"), each.param("carried")
    operands, inputs = control.divided(each, each.args), inputs_of(each)
    notes = dict(body.notes)
    given = _given(each, bars)
    named = (*inputs.carried, *body.outputs[carried:])  # a value is called as the trip after does
    seeds = {i: _beside(named[i], notes, i >= carried) for i in given}
    reached = reduce(or_, [mask for i, mask in enumerate(_reach(body)) if i in given], 0)
    sources = {source for i, source in enumerate(body.inputs) if reached >> i & 1}
    sums = {
        own: arg for own, arg in zip(inputs.invariant, operands.invariant, strict=True)
        if arg in linear and own in sources
    }  # fmt: skip
    rows = {
        own: arg for own, arg in zip(inputs.scanned, operands.scanned, strict=True)
        if arg in linear and own in sources
    }  # fmt: skip
    state = {own: i for i, own in enumerate(inputs.carried) if i in given}
    starts = {own: _beside(own, notes) for own in sums}
    found = dict(zip((*sums, *state, *rows), transpose(
        [body.outputs[i] for i in given],
        (*sums, *state, *rows),
        [as_type(seeds[i], body.outputs[i]) for i in given],
        notes,
        _origins(notes),
        starts,
    ), strict=True))  # fmt: skip
    rows = {own: arg for own, arg in rows.items() if found[own] is not None}
    made = _Loop(f"{body.name.removesuffix('_dot')}_bar", each, notes, backwards=True)
    made.results = [found[own] or zeros(own) for own in (*sums, *state, *rows)]
    first = set()
    for own, arg in sums.items():
        start = known.get(arg) if arg not in first else None
        first.add(arg)
        made.carried.append((starts[own], as_type(start, own) if start else zeros(own)))
    for i in state.values():
        made.carried.append((seeds[i], bars.get(i) or zeros(body.outputs[i])))
    made.scanned = [(seeds[i], bars[i]) for i in given if i >= carried]
    values = iter(control.items(made.node()))
    for arg in sums.values():
        yield Bar(arg, next(values), True)
    for i in state.values():
        value = next(values)
        if operands.carried[i] in linear:
            yield Bar(operands.carried[i], value, False)
    for arg in rows.values():
        yield Bar(arg, next(values), False)


def _given(each: Node, bars: Mapping[int, Node]) -> list[int]:
    """The results of the body that have cotangents: from outside, or from a later trip."""
    body, state = each.param("body"), inputs_of(each).carried
    first = len(body.inputs) - len(state) - each.param("scanned")
    masks, given = _reach(body), set(bars)
    while True:
        reached = reduce(or_, [masks[i] for i in given], 0)
        more = {i for i in range(len(state)) if reached >> first + i & 1}
        if more <= given:
            return sorted(given)
        given |= more


def _cond_cotangents(
    each: Node, bars: Mapping[int, Node], linear: set[Node], known: Mapping[Node, Node]
) -> Iterator[Bar]:
    operands, branches = each.args[1:], each.param("branches")
    masks = [_reach(branch) for branch in branches]
    reached = reduce(or_, [mask[i] for mask in masks for i in bars], 0)
    moved = [i for i, arg in enumerate(operands) if arg in linear and reached >> i & 1]
    firsts = {operands[i]: i for i in reversed(moved)}
    started = [i for i in moved if operands[i] in known and firsts[operands[i]] == i]
    sides = []
    for branch in branches:
        notes = dict(branch.notes)
        seeds = [_beside(branch.outputs[i], notes) for i in bars]
        starts = {branch.inputs[i]: _beside(branch.inputs[i], notes) for i in started}
        own = [branch.inputs[i] for i in moved]
        found = transpose(
            [branch.outputs[i] for i in bars], own, seeds, notes, _origins(notes), starts
        )
        results = [bar or zeros(source) for bar, source in zip(found, own, strict=True)]
        inputs = (*branch.inputs, *seeds, *starts.values())
        name = f"{branch.name.removesuffix('_dot')}_bar"
        sides.append(Graph(name, inputs, tuple(results), (), notes))
    given = [*operands, *bars.values()]
    if control.side_taken(each) is not None:
        given[: len(operands)] = [_once_more(arg, given[-1]) for arg in operands]
    given += [as_type(known[operands[i]], operands[i]) for i in started]
    made = _branch(each.args[0], given, sides)
    for i, value in zip(moved, control.items(made), strict=True):
        yield Bar(operands[i], value, i in started)


def _once_more(each: Node, bar: Node) -> Node:
    """A value from which others are computed again, when the cotangent is there.

    They would be the ones that were computed before otherwise, and kept.
    """
    if each.op in (shaping.broadcast_to, e.convert):  # which NumPy does by itself
        return node(each.op, (_once_more(each.args[0], bar),), each.params)
    kept = isinstance(each, Const) or each.op is control.rows or UNKNOWN in each.type.shape
    return each if kept or isinstance(bar, Const) else node(control.again, (each, bar))


def _beside(each: Node, notes: dict[Node, Note], is_row: bool = False) -> Input:
    """An input for the cotangent of a tangent, called as that is; a row is no Python number."""
    note = notes.get(each) or Note()
    name = note.name or (each.name if isinstance(each, Input) else "")
    stem = name.removesuffix("_dot") or "y"
    made = input_node(f"{stem}_bar", _row_type(each) if is_row else each.type)
    notes[made] = Note(stem, "bar", note.position, note.of, note.derived)
    return made


def _row_type(each: Node) -> ArrayType:
    """The type that a value has which was collected and is read again."""
    return array_type(each.type.dtype, each.type.shape)


def _origins(notes: dict[Node, Note]) -> dict[Node, Node]:
    """The values that nodes are the tangents of, with notes of their own."""
    found = {}
    for each, note in list(notes.items()):
        if note.suffix == "dot" and note.of is not None:
            found[each] = note.of
            notes.setdefault(note.of, Note(note.name, "", note.position, None, note.derived))
    return found


def linear_inputs(each: Node, dependent: Collection[int]) -> Iterator[tuple[Graph, set[Node]]]:
    """The graphs of a loop or a branch, with their inputs that carry tangents.

    `dependent` are the operands that do.
    """
    if each.op is control.cond:
        for branch in each.param("branches"):
            yield branch, {branch.inputs[i - 1] for i in dependent}
        return
    body, state = each.param("body"), inputs_of(each).carried
    shift = len(body.inputs) - len(each.args)
    sources: set[Node] = {body.inputs[i + shift] for i in dependent}
    while True:
        found = depends_on(body.outputs, sources)
        more = {own for own, result in zip(state, body.outputs, strict=False) if result in found}
        if more <= sources:
            break
        sources |= more
    yield body, sources


# ---------------------------------------------------------------------------- making loops


class _Loop:
    """A loop in the making, which goes through the trips of another.

    `results` are computed from the inputs that are given with their operands, and from anything in
    the body of that other one, which is read from its operands, computed again, or collected.
    """

    def __init__(
        self, name: str, like: Node, notes: dict[Node, Note], backwards: bool = False
    ) -> None:
        self.name = name
        self.like = like
        self.notes = notes
        self.backwards = backwards
        self.results: list[Node] = []
        self.invariant: list[tuple[Input, Node]] = []
        self.carried: list[tuple[Input, Node]] = []
        self.scanned: list[tuple[Input, Node]] = []
        self.saving: Saving | None = None
        self.lasts: Mapping[Input, int] = {}
        self.dear: Collection[Node] = ()

    def node(self) -> Node:
        """The loop."""
        like = self.like
        own = [each for pairs in (self.invariant, self.carried, self.scanned) for each, _ in pairs]
        saved = _Saved(like, self.results, own, not self.backwards, self.lasts, self.dear)
        reads = saved.reads(self.saving) if self.saving else {}
        inside, collected = saved.again(reads)
        if reads:
            known = {**{each: each for each in collected}, **reads}
            replaced = renamed(self.results, known, self.notes)
            self.results = [replaced[each] for each in self.results]
            saved = _Saved(like, self.results, own, not self.backwards, self.lasts, self.dear)
            inside, _ = saved.again()
        graph, outer = control.body_of(
            self.name, own, self.results, self.notes, inside.__contains__
        )
        graph.notes.update({each: self.notes[each] for each in own if each in self.notes})
        index = input_node(like.param("body").inputs[0].name, control.INDEX)
        new: dict[Node, Node] = {}
        for each, stand_in in zip(outer, graph.inputs[len(own) :], strict=True):
            if each is like.param("body").inputs[0]:
                new[stand_in] = index
            elif (operand := saved.invariant(each)) is not None:
                self.invariant.append((stand_in, operand))
            else:
                row, operand = saved.row(each, stand_in)
                self.scanned.append((row, operand))
                if row is not stand_in:
                    new[stand_in] = as_type(row, stand_in)
        results = substitute(graph.outputs, new)
        kept = {results.get(each, each): note for each, note in graph.notes.items()}
        body = Graph(
            self.name,
            (index, *[each for pairs in (self.invariant, self.carried, self.scanned)
                      for each, _ in pairs]),
            tuple([results[each] for each in graph.outputs]),
            (),
            kept,
        )  # fmt: skip
        return control.loop_node(
            body,
            invariant=saved.outside([each for _, each in self.invariant]),
            carried=[each for _, each in self.carried],
            scanned=[saved.item(each) for _, each in self.scanned],
            start=like.param("start"),
            step=like.param("step"),
            reverse=like.param("reverse") != self.backwards,
            trips=like.param("trips"),
            count=saved.count(),
            level=like.param("level"),
        )


class _Saved:
    """What another loop reads of the trips of a loop, and how it gets it.

    `own` are what stands for its own values in `results`. It goes forwards, as the loop does, where
    the loop may collect for it. `lasts` stand for arrays as they are when the loop is done, at some
    places; of those that are `dear` parts are collected, and not the array handed on.
    """

    def __init__(
        self,
        loop: Node,
        results: Sequence[Node],
        own: Iterable[Input],
        collecting: bool,
        lasts: Mapping[Input, int],
        dear: Collection[Node],
    ) -> None:
        self.loop = loop
        self.lasts = lasts
        self.dear = dear
        self.results = results
        self.body: Graph = loop.param("body")
        operands, inputs = control.divided(loop, loop.args), inputs_of(loop)
        self.invariants = dict(zip(inputs.invariant, operands.invariant, strict=True))
        self.rows = dict(zip(inputs.scanned, operands.scanned, strict=True))
        self.state = inputs.carried
        self.collecting = collecting
        self.computed = set(self.body.nodes())
        self.moved = depends_on(results, list(own))  # what belongs to the other loop
        varying = (self.body.inputs[0], *inputs.carried, *inputs.scanned, *own)
        self.varying = control.dependent((*self.body.outputs, *results), varying)
        self.outputs = list(self.body.outputs)
        self.whole: Node | None = None

    def again(self, reads: Collection[Node] = ()) -> tuple[set[Node], set[Node]]:
        """What the other loop computes by itself, and what else it reads.

        By itself it computes all that the loop does not compute, and parts and other views of what
        it has; `reads` it has. What is the same in each trip is computed outside, if there is a
        trip at all.
        """
        held = self._held(reads)
        runs = self.loop.param("trips") is not None
        found: set[Node] = set()
        given: set[Node] = set()
        waiting = list(self.results)
        while waiting:
            each = waiting.pop()
            if not each.args or each in found:
                continue
            part = _is_view(each) and not _is_cheap(each, held)
            if each not in self.varying:
                inside = not runs or (_is_view(each) and not part)
            elif self.collecting and each not in self.moved:
                # of loops inside it those that collect for derivatives stand for its own
                known = part or each in self.computed or each.op in (control.item, control.loop)
                inside = not known or _is_cheap(each, held)
            else:
                inside = True
            if inside:
                found.add(each)
                waiting += each.args
            else:
                given.add(each)
        return found, given

    def _held(self, reads: Collection[Node] = ()) -> set[Node]:
        """What depends on values that are others in each trip, and not by way of `reads`."""
        held: set[Node] = {*self.state, *self.dear}
        for each in toposort(self.results):
            if each not in reads and any(arg in held for arg in each.args):
                held.add(each)
        return held

    def reads(self, saving: Saving) -> dict[Node, Node]:
        """How values are read again of which there would be nothing to compute them from."""
        held = self._held()
        read = [
            each for each in toposort(self.results)
            if each not in self.moved and (each.op is shaping.getitem or each in held)
        ]  # fmt: skip
        return saving.again(self.body, read)

    def outside(self, operands: Sequence[Node]) -> list[Node]:
        """Operands, with the arrays that the loop has made for what stands for these."""
        if not self.lasts:
            return list(operands)
        values = control.items(self._augmented())
        new = substitute(operands, {each: values[place] for each, place in self.lasts.items()})
        return [new[each] for each in operands]

    def invariant(self, each: Node) -> Node | None:
        """The value outside of what is the same in each trip."""
        if each in self.varying:
            return None
        return substitute([each], self.invariants)[each]

    def row(self, each: Node, stand_in: Input) -> tuple[Input, Node]:
        """What stands for a row of all values, and the node in the body, or the operand."""
        if each in self.rows:
            assert isinstance(each, Input)
            return stand_in, self.rows[each]
        carried = self.loop.param("carried")
        if each not in self.outputs[carried:]:
            self.outputs.append(each)
        type = _row_type(each)
        row = stand_in if type == stand_in.type else input_node(stand_in.name, type)
        return row, each

    def item(self, each: Node) -> Node:
        """All values of what is collected; anything else is an operand already."""
        if each not in self.varying:
            return each
        place = self.outputs.index(each, self.loop.param("carried"))
        return control.items(self._augmented())[place]

    def count(self) -> Node | None:
        """The number of trips, where it is not known."""
        if self.loop.param("trips") is not None:
            return None
        if self.loop.param("test") is None:
            return self.loop.args[0]
        return control.items(self._augmented())[-1]

    def _augmented(self) -> Node:
        """The loop, which collects more."""
        if self.whole is None:
            body = self.body.with_outputs(self.outputs)
            params = tuple([
                (key, body if key == "body" else value) for key, value in self.loop.params
            ])
            same = len(self.outputs) == len(self.body.outputs)
            self.whole = self.loop if same else node(control.loop, self.loop.args, params)
        return self.whole


def _is_view(each: Node) -> bool:
    return isinstance(each.op, Primitive) and (each.op.view or each.op in _CHEAP)


def _is_cheap(each: Node, held: set[Node]) -> bool:
    """Whether a value is had from its operands for as little as from an array of all its values."""
    op = each.op
    assert isinstance(op, Primitive)
    size = sum(bytes_of(arg) for arg in each.args if arg in held)
    if _is_view(each):
        return size <= bytes_of(each)
    return op.elementwise and not size and each.type.size == 1


# ---------------------------------------------------------------------------- what depends on what


def _reach(graph: Graph) -> list[int]:
    """For each output the inputs that its derivative depends on, as bits of a number."""
    masks: dict[Node, int] = {
        each: 1 << i if each.type.inexact else 0 for i, each in enumerate(graph.inputs)
    }
    values: dict[Node, list[int]] = {}
    for each in graph.nodes():
        op = each.op
        if each in masks or not isinstance(op, Primitive):
            continue
        if op.control:
            values[each] = _reached(each, [masks.get(arg, 0) for arg in each.args])
        elif op is control.item and each.args[0] in values:
            masks[each] = values[each.args[0]][each.param("index")]
        elif each.type.inexact or op.foreign:
            own = [masks.get(arg, 0) for i, arg in enumerate(each.args) if _counts(op, i)]
            masks[each] = reduce(or_, own, 0)
    return [masks.get(each, 0) for each in graph.outputs]


def _counts(op: Primitive, index: int) -> bool:
    return op.foreign or op.rule(index) is not CONSTANT


def _reached(each: Node, masks: Sequence[int]) -> list[int]:
    """For each value of a loop or a branch what its derivative depends on.

    `masks` say it of the operands.
    """
    if each.op is control.cond:
        own = list(masks[1:])
        first, second = (_reach(branch) for branch in each.param("branches"))
        return [_through(a | b, own) for a, b in zip(first, second, strict=True)]
    carried = each.param("carried")
    operands = control.divided(each, masks)
    state = list(operands.carried)
    reach = _reach(each.param("body"))
    while True:
        own = [0, *operands.invariant, *state, *operands.scanned]
        found = [_through(mask, own) for mask in reach]
        grown = [a | b for a, b in zip(state, found, strict=False)]
        if grown == state:
            return [*state, *found[carried:], *([0] if each.param("test") is not None else [])]
        state = grown


def _through(mask: int, sources: Sequence[int]) -> int:
    """What the sources stand for that the bits of the mask name."""
    found = 0
    while mask:
        low = mask & -mask
        found |= sources[low.bit_length() - 1]
        mask ^= low
    return found
