"""A graph cut in two: parts that are functions in C, and what NumPy computes between them.

Each operation has a level: even in C, odd in NumPy, at least that of what it reads. All of one even
level is one part. What only a later part reads is computed there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from symdiff.errors import CompileError
from symdiff.ir.graph import (
    Graph,
    Note,
    Position,
    bodies,
    every_node,
    positions_of,
    users,
    with_bodies,
)
from symdiff.ir.node import Const, Input, Node, compilation, input_node, node
from symdiff.ir.types import TUPLE, ArrayType
from symdiff.ops.control import UNKNOWN, item, items
from symdiff.ops.effects import happens
from symdiff.ops.primitive import CONSTANT, Primitive
from symdiff.ops.shaping import getitem, is_guard
from symdiff.schedule.implicit import IMPLICIT
from symdiff.schedule.lower import lower
from symdiff.schedule.stores import UPDATES

WORTH = 4  # operations from which a part costs less than NumPy's calls
_LARGE = 1 << 12  # bytes whose copy takes longer than a call of NumPy's
_CHEAP = ("+", "-", "*", "<", ">", "<=", ">=", "==", "!=")
_FEW = 8  # times that a small part goes into the whole


class Part:
    """A function in C: a graph that has a C form, under a name."""

    __slots__ = ("graph", "loops", "name")

    def __init__(self, name: str, graph: Graph) -> None:
        self.name = name
        self.graph = graph
        self.loops = lower(graph)


class Left(NamedTuple):
    """What is left to NumPy, and why."""

    position: Position | None
    reason: str


class Split(NamedTuple):
    """A graph that calls parts, and computes what lies between."""

    graph: Graph
    parts: tuple[Part, ...]
    primal: set[Node]
    left: tuple[Left, ...]


def split(graph: Graph, primal: Iterable[Node]) -> Split:
    """The graph cut into parts; where none is worth a call, there are none.

    `primal` are the nodes of the user's own program.
    """
    last = max([each.serial for each in every_node(graph)], default=0)
    with compilation(fresh=True, after=last):
        splitting = _Splitting(set(primal))
        made = splitting.cut(graph)
    return Split(made, tuple(splitting.parts), splitting.primal, tuple(splitting.left))


class _Splitting:
    """What is common to a graph and all that are inside it."""

    def __init__(self, primal: set[Node]) -> None:
        self.primal = primal
        self.parts: list[Part] = []
        self.left: list[Left] = []
        self._refusals: dict[Any, str] = {}

    def cut(self, graph: Graph) -> Graph:
        """A graph with calls of parts; where there are none, as it was."""
        before = len(self.parts)
        made = _Cut(self, graph).made()
        return made if len(self.parts) > before else graph

    def refusal(self, each: Node) -> str:
        """Why an operation has no C form, "" where it has: the graph of it alone is lowered."""
        given = tuple([arg if isinstance(arg, Const) else arg.type for arg in each.args])
        key = each.op, each.params, given
        if key not in self._refusals:
            inputs = [input_node("x", arg.type) for arg in each.args if not isinstance(arg, Const)]
            rest = iter(inputs)
            args = tuple([arg if isinstance(arg, Const) else next(rest) for arg in each.args])
            made = node(each.op, args, each.params, each.type)
            outputs = items(made) if _is_control(each) else [made]
            try:
                lower(Graph("", tuple(inputs), tuple(outputs)))
                self._refusals[key] = ""
            except CompileError as error:
                self._refusals[key] = str(error).partition("\n")[0]
        return self._refusals[key]


class _Cut:
    """One graph on its way."""

    def __init__(self, splitting: _Splitting, graph: Graph) -> None:
        self.splitting = splitting
        self.graph = graph
        self.nodes = [each for each in graph.nodes() if not isinstance(each, (Input, Const))]
        self.users = users(self.nodes)
        self.positions = positions_of(graph)
        self.outputs = set(graph.outputs)
        self.in_c: set[Node] = set()
        self.views: set[Node] = set()  # outside, and wherever they are read
        self.again: set[Node] = set()  # computed in each part that reads it
        self.level: dict[Node, int] = {}
        self.new: dict[Node, Node] = {}  # what stands for a node in the graph that is made
        self.notes: dict[Node, Note] = {}

    def made(self) -> Graph:
        self.colour()
        self.place()
        for _ in range(2):  # what is left out may join two parts
            self.leave_few()
            self.place()
        crossing = self.crossing()
        by_level: dict[int, list[Node]] = {}
        for each in self.nodes:
            if each not in self.views:
                by_level.setdefault(self.level[each], []).append(each)
        for level in sorted(by_level):
            if level % 2:
                for each in by_level[level]:
                    self.outside(each)
            else:
                self.part(by_level[level], crossing)
        graph = self.graph
        outputs = tuple([self.value(each) for each in graph.outputs])
        effects = tuple([self.value(each) for each in graph.effects if each not in self.in_c])
        for each in graph.inputs:
            self.note(each, each)
        return Graph(graph.name, graph.inputs, outputs, effects, self.notes)

    # ------------------------------------------------------------------ which is where

    def colour(self) -> None:
        """What has a C form is computed in C, but for views of what is outside."""
        for each in self.nodes:
            if is_guard(each) or (each.args and each.args[0].type == TUPLE):
                has_form = each.args[0] in self.in_c
            elif happens(each) or self.touches_little(each):
                has_form = False
            else:
                has_form = not self.splitting.refusal(each)
            if has_form and _is_view(each) and each.args[0] not in self.in_c:
                self.views.add(each)
            elif has_form:
                self.in_c.add(each)

    def touches_little(self, each: Node) -> bool:
        """Whether it reads or changes a small part of what is outside, and may be in a loop.

        What C is given may have to be copied, and what it gives is made anew, as a whole.
        """
        if each.op not in (getitem, *UPDATES):
            return False
        base, part = (each.args[0], each if each.op is getitem else each.args[1])
        if base in self.in_c or isinstance(base, Const):
            return False
        return _bytes(base) > _LARGE and _bytes(part) * _FEW <= _bytes(base)

    def place(self) -> None:
        """Find levels at which no list, of unknown length, is handed on: only C can read C's."""
        self.find_levels()
        self.sink()
        lists = [each for each in self.graph.nodes() if _is_list(each)]
        if any(self.is_handed_on(each) for each in lists):
            made = {arg for each in lists for arg in (each, *each.args)}
            around = [user for each in lists for user in self.users.get(each, ())]
            around += [each for each in made if each not in self.graph.inputs]
            around += [result for each in around for result in self.users.get(each, ())
                       if each.type == TUPLE]
            self.in_c -= set(around)
            self.find_levels()
            self.sink()

    def is_handed_on(self, each: Node) -> bool:
        """Whether something reads a value that is not where it is computed."""
        readers = self.users.get(each, [])
        if each not in self.in_c:
            return not self.in_c.isdisjoint(readers)
        level = self.level[each]
        apart = any(user not in self.in_c or self.level[user] != level for user in readers)
        return apart or each in self.outputs

    def find_levels(self) -> None:
        """What stands behind a decision of the program comes after it: it may never end."""
        floor = -1
        decisions = set(self.graph.effects)
        for each in self.nodes:
            own = max([self.level.get(arg, 0) for arg in each.args], default=0)
            if each.op is item:  # where its loop or branch is
                pass
            elif each in self.in_c:
                own = max(own + own % 2, floor)
            elif each not in self.views:
                own = max(own + 1 - own % 2, floor + 1)
            self.level[each] = own
            if each in decisions and not happens(each):
                floor = max(floor, own + own % 2)

    def sink(self) -> None:
        """What later parts alone read is computed there, where that is less to hand on."""
        for each in reversed(self.nodes):
            if each not in self.in_c or each.op is item or is_guard(each):
                continue
            if any(map(_is_list, each.args)):
                continue
            results = self.users.get(each, []) if _is_control(each) else [each]
            readers = [user for own in results for user in self.users.get(own, ())]
            if not readers or not self.outputs.isdisjoint(results):
                continue
            if any(user not in self.in_c for user in readers):
                continue
            target = min([self.level[user] for user in readers])
            shared = [arg for arg in set(each.args)
                      if arg in self.in_c and len(set(self.users[arg])) > 1]
            if sum(map(_bytes, shared)) <= sum(map(_bytes, results)):
                for own in (each, *results):
                    self.level[own] = target

    def leave_few(self) -> None:
        """Leave to NumPy what is not worth a call."""
        found: dict[int, int] = {}
        for each in self.in_c:
            weight = WORTH if _is_control(each) else not _is_view(each) and each.op is not item
            found[self.level[each]] = found.get(self.level[each], 0) + weight
        self.in_c = {each for each in self.in_c if found[self.level[each]] >= WORTH}

    def crossing(self) -> set[Node]:
        """What parts give to others, and to what is outside."""
        outside = {each for each in self.outputs if each in self.in_c}
        inside: dict[Node, None] = {}
        for each in self.nodes:
            for arg in each.args:
                if arg in self.in_c and each not in self.in_c:
                    outside.add(self.base(arg))
                elif arg in self.in_c and self.level[arg] != self.level[each]:
                    inside[self.base(arg)] = None
        found = {*outside, *inside}
        for each in self.nodes:  # operands first
            if each in inside and each not in outside and _is_cheap(each):
                given = [self.base(arg) for arg in each.args if arg in self.in_c]
                again = self.again if _is_view(each) else ()  # one operation: no chain of them
                if all(arg in found or arg in again for arg in given):
                    found.remove(each)
                    self.again.add(each)
        return found | self.let_out(found)

    def let_out(self, crossing: set[Node]) -> set[Node]:
        """Have NumPy check the decisions of parts that give nothing else; gives what it reads."""
        giving = {self.level[each] for each in crossing}
        masks = set()
        for each in filter(is_guard, self.graph.effects):
            if each in self.in_c and self.level[each] not in giving:
                self.in_c.remove(each)
                self.level[each] += 1
                masks.add(self.base(each.args[0]))
        return masks

    def repeats(self, each: Node) -> bool:
        """Whether a value is computed wherever it is read, as views are."""
        if each not in self.in_c or each in self.outputs or each in self.again:
            return each in self.views or each in self.again
        viewed = each.args[0] if _is_view(each) else None
        return viewed in self.in_c and _bytes(viewed) <= _bytes(each)

    def base(self, each: Node) -> Node:
        """What is handed on for a value: views of it are free, and those of less are taken here."""
        while each in self.in_c and each not in self.again and self.repeats(each):
            (each,) = each.args
        return each

    # ------------------------------------------------------------------ the graph that is made

    def keep(self, old: Node, made: Node) -> None:
        """Note what stands for a node."""
        self.new[old] = made
        self.note(old, made)
        if old in self.splitting.primal:
            self.splitting.primal.add(made)

    def note(self, old: Node, made: Node) -> None:
        note = self.graph.notes.get(old)
        if note is not None:
            of = self.new.get(note.of, note.of) if note.of is not None else None
            self.notes.setdefault(
                made, Note(note.name, note.suffix, note.position, of, note.derived)
            )

    def value(self, each: Node) -> Node:
        """What stands for a node outside of parts: views are repeated where they are read."""
        chain = []
        while each not in self.new and not isinstance(each, (Input, Const)):
            chain.append(each)
            (each,) = each.args
        found = self.new.get(each, each)
        for above in reversed(chain):
            found = node(above.op, (found,), above.params, above.type)
            self.keep(above, found)
        return found

    def outside(self, each: Node) -> None:
        """An operation that is left to NumPy; there may be parts in what it runs."""
        args = tuple([self.value(arg) for arg in each.args])
        before = len(self.splitting.left)
        made = node(each.op, args, each.params, each.type)
        if each.type == TUPLE and any(True for _ in bodies(each)):
            made = with_bodies(made, self.splitting.cut)
        self.keep(each, made)
        if len(self.splitting.left) == before:
            self.explain(each)

    def explain(self, each: Node) -> None:
        """Note why an operation is left to NumPy, if it is one that the user would know."""
        if is_guard(each) or not each.args:
            return
        if happens(each):
            reason = f"{each.op.name} happens in Python"
        elif self.touches_little(each):
            reason = f"{each.op.name} touches a small part of a large array"
        elif each.args[0].type == TUPLE:
            return  # one of several results
        else:
            reason = self.splitting.refusal(each) or f"{each.op.name}: too little for a call of C"
        self.splitting.left.append(Left(self.positions.get(each), reason))

    def part(self, own: Sequence[Node], crossing: set[Node]) -> None:
        """A call of a function in C that computes these."""
        inside = _Inside(self, own)
        given = [each for each in own if each in crossing]
        effects = [inside.new[each] for each in own if is_guard(each)]
        name = f"part_{len(self.splitting.parts) + 1}"
        outputs = tuple([inside.new[each] for each in given])
        graph = Graph(name, tuple(inside.inputs), outputs, tuple(effects), inside.notes)
        part = Part(name, graph)
        self.splitting.parts.append(part)
        called = node(_calling(part), tuple([self.value(each) for each in inside.given]))
        if any(each in self.splitting.primal for each in given):
            self.splitting.primal.add(called)
        for i, each in enumerate(given):
            params = (("index", i), ("type", each.type), ("cast", False))
            taken = _taking(_usual_name(each))
            self.keep(each, called if len(given) == 1 else node(taken, (called,), params))
            self.notes.setdefault(self.new[each], Note(_usual_name(each), derived=True))


class _Inside:
    """The nodes of a part, on inputs of its own."""

    def __init__(self, cut: _Cut, own: Sequence[Node]) -> None:
        self.cut = cut
        self.new: dict[Node, Node] = {}
        self.given: list[Node] = []
        self.inputs: list[Input] = []
        self.notes: dict[Node, Note] = {}
        self.own = set(own)
        for each in own:
            args = tuple([self.value(arg) for arg in each.args])
            self.keep(each, node(each.op, args, each.params, each.type))

    def keep(self, old: Node, made: Node) -> None:
        self.new[old] = made
        note = self.cut.graph.notes.get(old)
        if note is not None:
            self.notes.setdefault(
                made, Note(note.name, note.suffix, note.position, None, note.derived)
            )
        if old in self.cut.splitting.primal:
            self.cut.splitting.primal.add(made)

    def value(self, each: Node) -> Node:
        """What stands for an operand: what is computed here, given, or computed here again."""
        waiting = [each]
        while waiting:
            own = waiting.pop()
            if own in self.new or isinstance(own, Const):
                continue
            if not self.cut.repeats(own):
                self.give(own)
                continue
            missing = [arg for arg in own.args if arg not in self.new]
            missing = [arg for arg in missing if not isinstance(arg, Const)]
            waiting += [own, *missing] if missing else []
            if not missing:
                args = tuple([self.new.get(arg, arg) for arg in own.args])
                self.keep(own, node(own.op, args, own.params, own.type))
        return self.new.get(each, each)

    def give(self, each: Node) -> None:
        """Have an input for a value."""
        note = self.cut.graph.notes.get(each)
        name = each.name if isinstance(each, Input) else note.name if note else ""
        self.inputs.append(input_node(name or "x", each.type))
        self.given.append(each)
        self.keep(each, self.inputs[-1])



@lru_cache(maxsize=256)
def _taking(name: str) -> Primitive:
    """The record of one of the results of a part, of which values are called by this name."""
    return Primitive(
        name=name,
        function=lambda results, index, type, cast: results[index],
        arguments=("results",),
        result=lambda results, index, type, cast: type,
        rules={"results": CONSTANT},
        numpy=lambda results, index, type, cast: f"{results}[{index}]",
    )


def _usual_name(each: Node) -> str:
    """What a value is called that has no name of the user's."""
    elementwise = isinstance(each.op, Primitive) and each.op.elementwise
    return each.op.name if elementwise and not _is_view(each) else "result"


def _calling(part: Part) -> Primitive:
    """The record of a call of a part."""
    types = [each.type for each in part.graph.outputs]
    return Primitive(
        name=part.name,
        function=_called_by_name,
        arguments=("operands",),
        variadic=True,
        result=lambda *given: types[0] if len(types) == 1 else TUPLE,
        rules={"operands": CONSTANT},
        numpy=lambda call, *operands: f"{call}({', '.join(operands)})",
        objects=((part.name, part),),
        decides=bool(part.graph.effects),
        parts=tuple(map(_usual_name, part.graph.outputs)) if len(types) > 1 else (),
    )


def _called_by_name(*operands: Any) -> Any:
    raise NotImplementedError("a part is called where it is compiled")


def _is_control(each: Node) -> bool:
    return isinstance(each.op, Primitive) and each.op.control


def _is_view(each: Node) -> bool:
    """Whether the value costs nothing in C, and next to nothing in NumPy."""
    viewing = isinstance(each.op, Primitive) and each.op.view
    return (viewing or each.op in IMPLICIT) and len(each.args) == 1


def _is_cheap(each: Node) -> bool:
    """Whether a value costs no more to compute than to hand on."""
    infix = each.op.infix if isinstance(each.op, Primitive) and each.op.elementwise else ""
    return _is_view(each) or infix in _CHEAP


def _is_list(each: Node) -> bool:
    """Whether a value is what a loop of unknown length collects."""
    return UNKNOWN in each.type.shape


def _bytes(each: Node) -> int:
    type: ArrayType = each.type
    return type.size * type.dtype.itemsize
