"""schedule: a graph to statements. Order, names, inlining, in-place updates and frees."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.frontend.pytree import Layout
from symdiff.ir.graph import Graph, Position
from symdiff.ir.node import SMALL, Const, Input, Node
from symdiff.ir.types import TUPLE
from symdiff.ops import elementwise as e
from symdiff.ops import linalg, shaping
from symdiff.ops.control import again
from symdiff.ops.effects import happens
from symdiff.ops.places import distinct
from symdiff.ops.primitive import Primitive
from symdiff.ops.render import ATOM, Source, function_source, render
from symdiff.schedule.buffers import (
    Buffers,
    allocates,
    is_view,
    overwritable,
    size_of,
    spares,
)
from symdiff.schedule.constants import (
    COUNTING,
    array_source,
    counting_source,
    exactly,
    full,
    literal,
)
from symdiff.schedule.frees import with_frees
from symdiff.schedule.implicit import operands, operation
from symdiff.schedule.names import Names
from symdiff.schedule.order import emission_order
from symdiff.schedule.program import Assign, Expression, Guard, Program, Statement, Update
from symdiff.schedule.scalars import converted, decided
from symdiff.schedule.stores import UPDATES, planned
from symdiff.schedule.warnings import quieted

WIDTH = 79  # columns of a line with an inlined value
SHORT = 48  # columns of an array literal that is inlined
DEPTH = 3  # nesting of inlined values
INDENT = 4
LARGE = 1 << 12  # bytes from which an array is worth changing in place: a page
FREED = 1 << 16  # bytes that a peak must fall by to be worth a line that gives memory back
REUSED = 1 << 10  # from which it is where the code is not meant to be read
MAPPED = 1 << 24  # elements of an array of which it is known which ones are zero
LONG = 1000  # operations of a program that nobody reads line by line any more
_ROOT = re.compile(r"\w*")
_NAME = re.compile(r"[\w.]+")
_AUGMENTED = ("+", "-", "*", "/")
_COMMUTATIVE = ("+", "*")


def schedule(
    graph: Graph,
    arrays: Sequence[bool] = (),
    primal: Collection[Node] = (),
    access: Mapping[Input, str] | None = None,
    layout: Layout | None = None,
    reuse: bool = False,
    roles: Mapping[Node, str] | None = None,
    sequences: Callable[[], Mapping[str, int]] = dict,
) -> Program:
    """The statements that compute the graph's outputs, as a good colleague would order them.

    `arrays` tells of each 0-d output whether it is an array and not a scalar; `primal` are the
    nodes that the user's function itself computes; `access` is how inputs are reached that are
    no parameters themselves: params["W"]; `layout` is the tree to return. With `reuse`, values are
    computed in the arrays of those that are not needed any more. `roles` are the names of results
    that the user has no name for; `sequences` gives the lengths of lists that inputs are parts of.
    """
    scheduler = Scheduler(graph, arrays, set(primal), reuse, roles or {})
    scheduler.sequences = sequences
    program = scheduler.run(access or {})
    return program._replace(layout=layout) if layout is not None and layout.plain else program


class _Value(NamedTuple):
    """A value that a statement can read: a name, a constant, or an expression to be inlined."""

    expression: Expression
    depth: int = 0

    @property
    def source(self) -> Source:
        return self.expression.source


class Scheduler:
    """The statements of a graph; those of a body inside have the scheduler of what is `outer`."""

    def __init__(
        self,
        graph: Graph,
        arrays: Sequence[bool],
        primal: set[Node],
        reuse: bool,
        roles: Mapping[Node, str],
        outer: Scheduler | None = None,
    ) -> None:
        self.graph = graph
        self.arrays = tuple(arrays) or (False,) * len(graph.outputs)
        self.primal = primal
        self.reuse = reuse
        self.outer = outer
        self.depth = DEPTH
        # whether operations are written as they cost least to call
        self.decided: dict[Node, bool] = {}
        self.lean: bool = outer.lean if outer else reuse
        self.roles = dict(roles)
        # by the mask that is counted
        self.guards = {each.args[0]: each for each in graph.effects if shaping.is_guard(each)}
        for mask in self.guards:
            self.roles.setdefault(mask, "mask")
        self.names: Names = (
            outer.names.inside(graph.notes, self.roles) if outer else Names(graph.notes, self.roles)
        )
        self.named: dict[Node, str] = {}
        self.holders: dict[str, Node] = {}  # the node whose value a name stands for now
        self.lost: set[Node] = outer.lost if outer else set()  # values whose name another one has
        self.pending: dict[Node, _Value] = {}
        self.changes = False  # whether parts of arrays do
        self.readers: dict[Node, dict[Node, None]] = {}  # what waits and reads an array
        self.statements: list[Statement] = []
        self.constants: dict[str, Any] = outer.constants if outer else {}
        self.reads: dict[Node, tuple[Node, ...]] = {}
        self.uses: dict[Node, int] = {}
        self.parts: dict[Node, dict[int, Node]] = {}  # of a call with several results: those read
        self.outputs = set(graph.outputs)
        self.fills: set[Node] = set()  # updates of what is still zero
        self.stored: set[Node] = set()  # values that are computed right in their place in another
        self.lent: dict[Node, list[Node]] = {}  # arrays, and the results that are views of them
        # results of loops and branches that may have other names, and operands that may be these
        self.shared: dict[Node, tuple[Node, ...]] = {}
        self.targets: dict[Node, str] = {}  # values that variables have at the end of a body
        self.appends: dict[Node, list[str]] = {}  # values, and the lists that they go to
        self.stores: dict[Node, list[tuple[str, str]]] = {}  # the same for rows of arrays
        self.closed: dict[Node, Node] = {}  # loops and branches, with what they need not be given
        self._picks: dict[Node, dict[Node, int]] | None = None
        self.complete: dict[str, int] = {}  # lists that are read by number, and their lengths
        self._scans: dict[Node, list[tuple[Graph, Input]]] | None = None
        self.listed: set[Node] = set()  # what is in lists, and not in arrays
        self.nested: dict[Node, int] = {}  # of lists of lists, how many are around an array
        self.plain: set[Node] = set()  # those of Python's numbers
        self.fields: dict[Node, str] = {}  # of each list of trees, which part of these: ["W"]
        self.sequences: Callable[[], Mapping[str, int]] = outer.sequences if outer else dict
        self.also: dict[str, list[Node]] = {}  # what else names stand for
        self.reserved: set[str] = set()  # names that stand for the same in all of a body

    @property
    def top(self) -> Scheduler:
        """That of the whole program."""
        found = self
        while found.outer is not None:
            found = found.outer
        return found

    # ------------------------------------------------------------------ driving

    def run(self, access: Mapping[Input, str]) -> Program:
        parameters = self._name_inputs(access)
        self.compute()
        returns = tuple(self._returned(i, each) for i, each in enumerate(self.graph.outputs))
        freed = with_frees(self.statements, returns, LARGE if self.reuse else FREED)
        statements = quieted(freed, self.primal)
        types = {self.named[each]: each.type for each in self.graph.inputs}
        return Program(
            self.graph.name, parameters, statements, returns, None, self.constants, types,
            lists=self.complete,
        )

    def compute(
        self, owned: Collection[Node] = (), lasting: Collection[Node] = ()
    ) -> None:
        """The statements of everything that the outputs need.

        Inputs that are `owned` are arrays that may change; the names of those that are `lasting`
        are not taken again.
        """
        order = self._count_reads()
        order = emission_order(
            self.graph, order, self.reads, self.uses, self.guards, self.primal
        )
        found, self.kept = planned(order, self.reads, self.outputs, owned)
        for each in lasting:
            self.uses[each] = self.uses.get(each, 0) + 1
        self.buffers = Buffers(self.reads, self.uses, self.kept)
        for each in owned:
            self.buffers.made(each)
        for each in self.appends:
            self.buffers.keep(each)
        for each in found:
            if not isinstance(each, (Input, Const)) and each not in self.named:
                self._emit(each)
            if each in self.guards:
                self._emit_guard(each)
            for name in self.appends.get(each, ()):
                self._put(each, name, "", "append")
            for name, place in self.stores.get(each, ()):
                self._put(each, name, place, "=")

    def inside(self, graph: Graph, named: Mapping[Node, str]) -> Scheduler:
        """The scheduler of a body, with the names of what it reads."""
        inner = Scheduler(graph, (), self.primal, self.reuse, {}, self)
        inner.named.update(named)
        return inner

    def scans(self) -> Mapping[Node, Sequence[tuple[Graph, Input]]]:
        """The bodies that read a value row by row, and what stands for the row."""
        if self._scans is None:
            self._scans = {}
            for each in self.closed.values():
                count = dict(each.params).get("scanned")
                if isinstance(count, int) and count:
                    body: Graph = each.param("body")
                    for arg, row in zip(each.args[-count:], body.inputs[-count:], strict=True):
                        self._scans.setdefault(arg, []).append((body, row))
        return self._scans

    def picks(self) -> Mapping[Node, Mapping[Node, int]]:
        """What is read of a value by the number of its row, and the number, for each."""
        if self._picks is None:
            self._picks = {}
            for each in self.reads:
                index: tuple[Any, ...] = (
                    each.param("index") if each.op is shaping.getitem else ()
                )
                if len(index) == 1 and type(index[0]) is int:
                    self._picks.setdefault(self.reads[each][0], {})[each] = index[0]
        return self._picks

    def _put(self, each: Node, name: str, place: str, operator: str) -> None:
        """Keep a value for others, in a list or in the row of an array."""
        value = self.take(each, shaped=operator == "append").expression
        self.buffers.consume([value])
        self.statements.append(Update(name, place, operator, value, self._comment(each)))

    def _name_inputs(self, access: Mapping[Input, str]) -> tuple[str, ...]:
        """Name the inputs, by how they are reached, and return the parameters."""
        parameters: dict[object, str] = {}
        for each in self.graph.inputs:
            path = access.get(each)
            if path is None:  # a parameter of its own, whatever it is called
                parameters[each] = self.names.fresh(each.name)
                self.hold(each, parameters[each])
                continue
            root = _ROOT.match(path)[0]  # type: ignore[index]
            if path == root:
                parameters[root] = self.names.parameter(root)
                self.holders[parameters[root]] = each
            elif root not in parameters:
                parameters[root] = self.names.fresh(root)
            self.named[each] = parameters[root] + path[len(root) :]
        return tuple(parameters.values())

    def _count_reads(self) -> list[Node]:
        """What each emitted node reads, found from the outputs: implicit steps drop out."""
        found = [*self.graph.outputs, *self.guards, *filter(happens, self.graph.effects)]
        uses, reads = self.uses, self.reads
        for each in found:  # grows
            uses[each] = uses.get(each, 0) + 1
            if each not in reads:
                if is_control(each):
                    from symdiff.schedule.closures import closed  # for few programs

                    self.closed[each] = closed(each, self.primal)
                reads[each] = operands(self.closed.get(each, each))
                if each not in self.primal:
                    reads[each] = converted(each, reads[each])
                found += reads[each]
        for each in reads:
            if each.args and _gives_several(each.args[0]) and not happens(each):
                self._note_part(each)
        self.lean |= len(reads) > LONG
        # the function first, then its derivative
        order = sorted(reads, key=lambda each: (each not in self.primal, each.serial))
        self._study_updates(order)
        self._study_choices(order)
        self.decided = decided(order, reads, self.graph.outputs, self.primal)
        self._study_names(order)
        return order

    def _note_part(self, each: Node) -> None:
        """Note a part of a call's result, which has its usual name where it has no other."""
        (call,), index = each.args, each.param("index")
        assert isinstance(call.op, Primitive)
        self.parts.setdefault(call, {})[index] = each
        if is_control(call):
            return
        note = self.graph.notes.get(each)
        if not (note and note.name):
            self.roles.setdefault(each, call.op.parts[index])

    def _study_updates(self, order: list[Node]) -> None:
        """What is updated in place is called what it becomes; parts may be computed right there."""
        updates = [each for each in order if each.op in UPDATES]
        self.changes = bool(updates)
        updates.sort(key=lambda each: each.serial)
        for each in reversed(updates):
            base = self.reads[each][0]
            if self.uses[base] == 1 and (stem := self.names.stem(each)):
                self.roles.setdefault(base, stem)
        written: dict[Node, np.ndarray] = {}  # which places of an array are not zero any more
        for each in updates:
            base, value, *indices = self.reads[each]
            places = written.pop(base, None) if self.uses[base] == 1 else None
            if _is_zero(base) and base.type.size <= MAPPED:
                places = np.zeros((1, *base.type.shape), bool)  # so that each part is an array
            if places is None or indices:
                continue
            part = places[:, *shaping.decode_index(each.param("index"), ())]
            if not part.any() or each.op is shaping.index_set:
                self.fills.add(each)
                if _is_ufunc(value) and self._spares(value):
                    self.stored.add(value)
            part[...] = True
            written[each] = places

    def _study_choices(self, order: list[Node]) -> None:
        """What is chosen for a part of an array may be computed right there."""
        for each in order:
            if each.op is e.where and self._spares(each):
                _, value, base = self.reads[each]
                if self.uses[value] == 1 and _is_choice(each, value, base):
                    self.stored.add(value)

    def _study_names(self, order: list[Node]) -> None:
        """What another value is computed in the place of is called what it becomes."""
        for each in reversed(order):
            if not (self._spares(each) and _is_ufunc(each)):
                continue
            stem = self.names.stem(each)
            for arg in self.reads[each] if stem else ():
                if arg.type == each.type and self.uses[arg] == 1 and allocates(arg):
                    self.roles.setdefault(arg, stem)
                    break

    # ------------------------------------------------------------------ one value

    def _emit(self, each: Node) -> None:
        if each.op in UPDATES:
            self._emit_update(each)
            return
        if happens(each):
            self._emit_effect(each)
            return
        if each.op.name == "rows" and not each.args[0].type.weak:
            from symdiff.schedule.control import name_list  # for few programs

            if name_list(self, each):
                return
        if is_control(each):
            from symdiff.schedule.control import emit  # for few programs

            emit(self, self.closed[each], self.parts.get(each, {}))
            return
        if each.op is again and not isinstance(each.args[0], Const):
            self._emit_again(each)
            return
        self._name_first(each)
        value = self._value(each)
        if not each.args and _NAME.fullmatch(value.source.text):
            self.named[each] = value.source.text  # as short as a name of its own
        elif self._unpacks(each):
            self._emit_unpacked(each, value.expression)
        elif each in self.kept:
            source = Source(f"{value.source.within(ATOM)}.copy()")
            self.assign(each, value.expression._replace(source=source))
        elif self._inlines(each, value):
            self._wait(each, value)
        else:
            self.assign(each, value.expression)

    def _emit_again(self, each: Node) -> None:
        """A value under the name that it has already."""
        x, after = self.reads[each]
        value = self.settle(x)
        self.named[each] = value.source.text
        self.also.setdefault(value.source.text, []).append(each)
        self.buffers.consume([value, self.take(after).expression])

    def _unpacks(self, each: Node) -> bool:
        """Whether the results of a call each get a name: `u, s, vh = np.linalg.svd(a)`."""
        parts = self.parts.get(each, {}).values()
        return len(parts) > 1 and not any(
            part.param("cast") or part in self.kept for part in parts
        )

    def _emit_unpacked(self, each: Node, expression: Expression) -> None:
        assert isinstance(each.op, Primitive)
        self.buffers.consume(expression.operands)
        names = ["_"] * len(each.op.parts)
        for index, part in self.parts[each].items():
            names[index] = self.names.give(part, self.is_free)
            self.hold(part, names[index])
            self.buffers.made(part)
            self.buffers.release(each)
        self.statements.append(Assign(", ".join(names), expression, self._comment(each), each))

    def _emit_effect(self, each: Node) -> None:
        """A statement by itself; what it gives has a name where something reads it."""
        self.named[each] = ""  # only what comes behind it reads it
        if not each.args:  # the beginning
            return
        expression = self._value(each).expression
        self.buffers.consume(expression.operands)
        name, given = "", each
        for given in self.parts.get(each, {}).values():
            name = self.names.give(given, self.is_free)
            self.hold(given, name)
            self.buffers.made(given)
            self.buffers.release(each)
        written = expression._replace(node=given)
        self.statements.append(Assign(name, written, self._comment(given), given))

    def _emit_guard(self, mask: Node) -> None:
        """As soon as a mask is known, that it selects as many elements as the shapes say."""
        last = self.statements[-1] if self.statements else None
        read = self.take(mask).expression
        self.buffers.consume([read])
        made = last.expression if isinstance(last, Assign) and last.node is mask else read
        count = self.guards[mask].param("count")
        self.statements.append(Guard(read, count, made.source.text))

    def _inlines(self, each: Node, value: _Value) -> bool:
        if self.uses[each] > 1:
            return False
        if each in self.targets:
            return self._waits_for_target(each, value)
        if each in self.appends or each in self.stores:
            return self._is_anonymous(each)
        if each in self.outputs and self.outer is None and len(self.graph.outputs) > 1:
            return False
        if each in self.stored:
            return True
        if size_of(each) >= LARGE and allocates(each):
            if self._spares(each):
                return False  # named, so that a later statement can overwrite it
            if self._is_update(each, value.expression):
                return False
        note = self.graph.notes.get(each)
        return note is None or not note.name or note.derived

    def _waits_for_target(self, each: Node, value: _Value) -> bool:
        """Whether a value is best assigned at the end of a body: a, b = b, a + b."""
        target = self.targets[each]
        own = self.names.stem(each)
        return own in ("", target) and not self.is_free(target, [value.expression])

    def _value(self, each: Node) -> _Value:
        """The expression of a node; operands that would make it too long are named first."""
        reads = self.reads[each]
        own = int(not each.type.weak or each.type.dtype.kind != "i")  # i - 1 nests nothing
        if operation(each).repeats_operands:
            self._name_longest([arg for arg in reads if arg in self.pending], WIDTH * WIDTH)
        while True:
            op = operation(each)
            # a literal has no shape or dtype of its own: it takes those of an array beside it
            chosen = reads[1:] if op is e.where else reads
            bare = not op.elementwise or all(isinstance(arg, Const) for arg in chosen)
            # its mask has the shape; but what Python chooses is what stands there
            shaped = bare if op is not e.where else self.decided.get(each, False)
            bare |= shaped
            inexact = any(arg.type.inexact for arg in chosen if not isinstance(arg, Const))
            # nor has one that Python chooses
            exact = not inexact or each in self.decided or (op is e.where and each.type.weak)
            parts = [
                self._operand(arg, bare, shaped and not (op.numbers and arg.type.ndim == 0), exact)
                for arg in reads
            ]
            called = [Source(self._object(name, value)) for name, value in op.objects]
            source = render(
                op,
                each.params if op is each.op else (),
                [*called, *[part.source for part in parts]],
                [*[TUPLE] * len(called), *[arg.type for arg in reads]],
                each.type.weak or each in self.decided,
                self.lean and (op is not linalg.matmul or each not in self.primal),
            )
            if each in self.listed:
                source = Source(f"[{', '.join([part.source.text for part in parts])}]")
            waiting = [arg for arg in reads if arg in self.pending]
            if not waiting:
                depth = own
                break
            depth = own + max([part.depth for part in parts])
            room = WIDTH - INDENT - len(self.names.stem(each)) - 3
            if depth <= self.depth and len(source.text) <= room:
                break
            self._name_longest(waiting, len(source.text) - room)
        for arg in waiting:
            del self.pending[arg]
        expression = Expression(each, source, tuple([part.expression for part in parts]))
        return _Value(expression, depth)

    def _name_longest(self, waiting: list[Node], excess: int) -> None:
        """Name the longest operand, and more while all of them together are surely too long."""
        lengths = {arg: len(self.pending[arg].source.text) for arg in waiting}
        for arg in sorted(waiting, key=lengths.__getitem__, reverse=True):
            if arg in self.pending:
                self.assign(arg, self.pending.pop(arg).expression)
            excess -= lengths[arg] + 1  # and parentheses, for a name of one letter
            if excess <= 0:
                return

    def _operand(
        self, arg: Node, typed: bool = False, shaped: bool = False, exact: bool = False
    ) -> _Value:
        """What stands for an operand: for a constant a literal, or one of its dtype, or shape."""
        if arg in self.pending:
            return self.pending[arg]
        if isinstance(arg, Const):
            source = self._constant(arg, exact)
            if typed and arg.uniform:
                if arg.type.dtype == np.float64 and not shaped:
                    return _Value(Expression(arg, literal(arg.value, exact=True), known=True))
                source = Source((full if shaped and arg.type.shape else exactly)(arg, source))
        else:
            source = Source(self.named[arg])
        return _Value(Expression(arg, source, known=True))

    def assign(self, each: Node, expression: Expression) -> None:
        self.buffers.consume(expression.operands)
        if not self._assign_in_place(each, expression) and not self._add_to(each, expression):
            self._bind(each, expression)

    def _add_to(self, each: Node, expression: Expression) -> bool:
        """Add to a Python number over the trips of a loop: total += x."""
        target, infix = self.targets.get(each, ""), getattr(each.op, "infix", "")
        if not (target and each.type.weak and infix in _AUGMENTED and self._is_anonymous(each)):
            return False
        parts = expression.operands
        for i in range(len(parts) if infix in _COMMUTATIVE else 1):
            old = parts[i].node
            if len(parts) == 2 and self.holders.get(target) is old and self.is_free(target):
                self.hold(each, target)
                self.statements.append(
                    Update(target, "", f"{infix}=", parts[1 - i], self._comment(each), each)
                )
                return True
        return False

    def _bind(self, each: Node, expression: Expression) -> None:
        """A statement that computes a value anew, under a name that nobody needs."""
        target = self.targets.get(each)
        free = target is not None and self.is_free(target)
        name = target if target and free else self.names.give(each, self.is_free)
        self.hold(each, name)
        self.buffers.made(each)
        self.statements.append(Assign(name, expression, self._comment(each), each))

    def settle(self, each: Node) -> Expression:
        """A value under a name."""
        if each in self.pending:
            self.assign(each, self.pending.pop(each).expression)
        return Expression(each, Source(self.named[each]), known=True)

    def hold(self, each: Node, name: str) -> None:
        """Have a name stand for a value; the array that it stood for is out of reach."""
        around: Scheduler | None = self
        while around is not None:
            if (old := around.holders.get(name)) is not None:
                self.lost.add(old)
            around = around.outer
        self.named[each] = name
        self.holders[name] = each

    def is_free(self, name: str, read: Sequence[Expression] = ()) -> bool:
        """Whether the value of this name is not read any more, once these have been read."""
        holder = self.holders.get(name)
        if name in self.reserved:
            return False
        if holder is None:  # one of the values around a body, or of a body before
            return self.outer is None or self.outer.is_free(name)
        return all(
            self.buffers.is_last(each, read) for each in (holder, *self.also.get(name, ()))
        )

    def _comment(self, each: Node) -> Position | None:
        note = self.graph.notes.get(each)
        return note.position if note and note.suffix else None

    # ------------------------------------------------------------------ constants

    def _constant(self, each: Const, exact: bool = False) -> Source:
        if each.uniform:
            return literal(each.value, exact or self.lean)
        if each in self.top.named:
            return Source(self.top.named[each])
        text = counting_source(each.value) or ""
        if not text and each.value.size <= SMALL:
            text = array_source(each.value)
        if text and (len(text) <= SHORT or text.startswith(COUNTING)) and self.outer is None:
            return Source(text)
        if text and len(text) <= WIDTH:  # made once, and not in each trip of a loop
            self.top.named[each] = self.names.fresh("constant")
            written = Expression(each, Source(text), known=True)
            self.top.statements.append(Assign(self.top.named[each], written, None, each))
        else:
            self.top.named[each] = self.names.fresh("CONSTANT")
            self.constants[self.top.named[each]] = each.value
        self.top.reserved.add(self.top.named[each])
        return Source(self.top.named[each])

    def _object(self, stem: str, value: Any) -> str:
        """The name of what is called besides NumPy: one for each."""
        known = next((name for name, each in self.constants.items() if each is value), None)
        if known is None:
            known = self.names.fresh(stem if stem != self.graph.name else f"{stem}_")
            self.constants[known] = value
        return known

    # ------------------------------------------------------------------ updates in place

    def _assign_in_place(self, each: Node, expression: Expression) -> bool:
        """Compute a value in an array that nothing reads any more, if it pays."""
        if each.op is e.where:
            return self._choose_in_place(each, expression)
        if not _is_ufunc(each):
            return False
        small = size_of(each) < (REUSED if self.reuse else LARGE)
        if small and each not in self.targets:
            return False
        for operand in self._reusable(each, expression):
            sums = self.named[operand] == self.targets.get(each)  # over the trips of a loop
            if small and not sums:
                continue
            unnamed = sums and self._is_anonymous(each)
            if unnamed or self._goes_by(operand, each) or self._spares(each):
                update = self._update_form(each, expression, operand)
                if update is not None:
                    self._take_over(each, operand)
                    self.statements.append(update)
                    return True
        return False

    def _name_first(self, each: Node) -> None:
        """Have the second of two computed operands added to the first, not both to a third."""
        infix, args = getattr(each.op, "infix", ""), self.reads[each]
        if infix not in _AUGMENTED or size_of(each) < LARGE or len(args) != 2:
            return
        computed = all(arg in self.pending and allocates(arg) for arg in args)
        if computed and args[0].type == each.type:
            if stem := self.names.stem(each):
                self.roles.setdefault(args[0], stem)
            self.settle(args[0])

    def _is_update(self, each: Node, expression: Expression) -> bool:
        """Whether a value is best computed by changing an operand that only it reads: a += b."""
        parts, infix = expression.operands, getattr(each.op, "infix", "")
        if infix not in _AUGMENTED or not _is_ufunc(each) or len(parts) != 2:
            return False
        if any(part.node.op is shaping.getitem and not part.known for part in parts):
            return False  # perhaps it is stored where that is: y[i] += b
        return any(
            part.known
            and part.node.type == each.type
            and self.buffers.ends(part.node, [expression])
            and self._goes_by(part.node, each)
            for part in (parts if infix in _COMMUTATIVE else parts[:1])
        )

    def _goes_by(self, operand: Node, each: Node) -> bool:
        """Whether a value may go by the name of an operand: they have the same, or none."""
        return self.names.stem(each) == self.names.stem(operand)

    def _choose_in_place(self, each: Node, expression: Expression) -> bool:
        """Choose by computing part of an array anew: np.log(x, out=y, where=x > 1)."""
        mask, value, base = expression.operands
        if value.known or value.node not in self.stored:
            return False
        if base.node not in overwritable(expression, self.buffers):
            return False
        name = self._take_over(each, base.node)
        made = _call_into(f"{name}, where={mask.source.text}", value)
        self.statements.append(Update(name, "", "out", made, self._comment(each)))
        return True

    def _take_over(self, each: Node, old: Node) -> str:
        """The name of an array that nothing reads any more: from now on it holds another value."""
        self.buffers.give(old, each)
        self.hold(each, self.named[old])
        return self.named[each]

    def _reusable(self, each: Node, expression: Expression) -> list[Node]:
        """Arrays of the right type that may hold the value: operands first, then any other."""
        own = overwritable(expression, self.buffers)
        if own or not self._spares(each):
            return own
        return [spare for spare in self.buffers.spare(each.type) if spare not in self.lost]

    def _spares(self, each: Node) -> bool:
        """Whether to save the value an array of its own, although that reads less well."""
        return spares(each, self.reuse)

    def _is_anonymous(self, each: Node) -> bool:
        """Whether the user has no name for the value, so that it may live under another."""
        note = self.graph.notes.get(each)
        return note is None or not note.name or note.derived or bool(note.suffix)

    def _update_form(self, each: Node, expression: Expression, target: Node) -> Update | None:
        """`a *= b`, or np.subtract(a, b, out=b) where the code need not be read."""
        op = each.op
        assert isinstance(op, Primitive)
        name, comment = self.named[target], self._comment(each)
        parts = expression.operands
        for place in range(len(parts) if op.infix in _COMMUTATIVE else 1):
            if op.infix in _AUGMENTED and len(parts) == 2 and parts[place].node is target:
                return Update(name, "", f"{op.infix}=", parts[1 - place], comment, each)
        if not self._spares(each):
            return None
        return Update(name, "", "out", _call_into(name, expression), comment)

    def _emit_update(self, each: Node) -> None:
        """A store into a part: in place where nobody reads again what was there."""
        base, value, *indices = self.reads[each]
        part = self.take(value)
        places = [self.take(index, shaped=True) for index in indices]
        mixed = self._is_mixed(each, value)
        self._name_readers(base)
        self._own(each, base, [part.expression, *(place.expression for place in places)])
        index = shaping.index_source(each.param("index"), tuple(i.source.text for i in places))
        name = self.named[each]
        operator, stored = self._operator(each, part.expression)
        if operator == "=" and mixed:
            stored = Expression(value, Source(f"{stored.source.within(ATOM)}.copy()"), (stored,))
        if operator == "=" and value in self.stored and stored.operands:
            operator, stored = "out", _call_into(f"{name}[{index}]", stored)
        self.statements.append(Update(name, index, operator, stored, self._comment(each)))

    def _is_mixed(self, each: Node, value: Node) -> bool:
        """Whether a store reads what it has just written: NumPy's a[::2] = a[:3] does."""
        base = self.reads[each][0]
        if not is_view(value) or self.buffers.root(value) is not self.buffers.root(base):
            return False
        if value.op is not shaping.getitem or self.reads[value][0] is not base:
            return True
        return _strides(each) != _strides(value)

    def _operator(self, each: Node, stored: Expression) -> tuple[str, Expression]:
        """How a value is stored, and what of it: y[i] *= b for y[i] = y[i] * b."""
        base, value, *indices = self.reads[each]
        if each.op is shaping.index_set:
            infix, parts = getattr(value.op, "infix", ""), stored.operands
            for i in range(len(parts) if infix in _COMMUTATIVE else 1):
                if infix in _AUGMENTED and len(parts) == 2 and _is_part(parts[i], each):
                    return f"{infix}=", parts[1 - i]
            return "=", stored
        masked = len(indices) == 1 and any(map(shaping.is_mask, each.param("index")))
        once = masked or not indices or distinct(indices)
        if each in self.fills or (indices and once and _is_zero(base)):
            return "=", stored
        return "+=" if once else "add.at", stored

    def _own(self, each: Node, base: Node, read: list[Expression]) -> None:
        """An array that may be changed, with the values of the base, where `read` can be read."""
        if base in self.pending and is_view(base):
            self.assign(base, self.pending.pop(base).expression)
        if self.buffers.changeable(base, read):
            self.buffers.release(base)
            self.buffers.consume(read)
            self.buffers.give(base, each)
            self.hold(each, self.named[base])
        else:
            self.buffers.release(base)
            self._copy_base(each, base)
            self.buffers.consume(read)

    def _name_readers(self, base: Node) -> None:
        """Compute what waits to be inlined and reads an array that is about to change."""
        root = self.buffers.root(base)
        for each in self.readers.pop(root, ()):
            if each is base:
                self.readers[root] = {base: None}
            elif each in self.pending:
                self.assign(each, self.pending.pop(each).expression)

    def _wait(self, each: Node, value: _Value) -> None:
        """Have a value inlined where it is read, unless an array changes before that."""
        self.pending[each] = value
        stack = [value.expression] if self.changes else []
        while stack:
            part = stack.pop()
            if part.known and part.node in self.uses:
                self.readers.setdefault(self.buffers.root(part.node), {})[each] = None
            stack += part.operands

    def take(self, arg: Node, typed: bool = False, shaped: bool = False) -> _Value:
        """What stands for an operand, which is not waiting any more."""
        value = self._operand(arg, typed or shaped, shaped)
        self.pending.pop(arg, None)
        return value

    def _copy_base(self, each: Node, base: Node) -> None:
        """A new array with the values of `base`, to be updated in place."""
        value = self.take(base)
        made = value.expression
        if isinstance(base, Const):
            made = Expression(each, Source(full(base, value.source)), known=True)
        elif not base.type.shape:  # a copy of NumPy's number is a number
            made = Expression(each, Source(f"np.array({made.source.text})"), (made,))
        elif not (made.operands and allocates(base)):  # else not named yet: its array is the copy
            made = Expression(each, Source(f"{value.source.within(ATOM)}.copy()"), (made,))
        self.buffers.consume(value.expression.operands)
        self._bind(each, made)

    # ------------------------------------------------------------------ results

    def _returned(self, index: int, each: Node) -> Expression:
        """A result that aliases nothing: not an argument, a constant, nor another result."""
        source = self._operand(each).source
        if not each.type.shape:
            source = Source(self._scalar(each, source, self.arrays[index]))
        elif isinstance(each, Const):
            source = Source(full(each, source))
        elif each in self.graph.outputs[:index] or self._may_alias(each):
            text = f"{source.within(ATOM)}.copy()"
            if each in self.listed and len(each.type.shape) > 1:  # what is in a list is no copy yet
                text = _copies(source.text, self.nested.get(each, 1))
            source = Source(text)
        return Expression(each, source, known=True)

    def _scalar(self, each: Node, source: Source, is_array: bool) -> str:
        """A 0-d result as the array, NumPy scalar or Python number that it should be."""
        if isinstance(each, Const):
            return f"np.array({exactly(each, source)})" if is_array else exactly(each, source)
        if each.type.weak:
            return source.text
        if is_array:
            return f"np.array({source.text})"
        return f"{source.within(ATOM)}[()]" if _gives_array(each) else source.text

    def _may_alias(self, each: Node) -> bool:
        """Whether NumPy's result may share memory with an argument, another result or itself."""
        root = each
        while is_view(root):
            if root.op in (shaping.broadcast_to, linalg.diagonal):  # read-only
                return True
            if self.reads[root][0] in self.listed:  # what a list holds are no views
                return self.reads[root][0] in self.shared
            root = self.reads[root][0]
            if root in self.outputs:
                return True
        views = self.lent.setdefault(root, [])
        if isinstance(root, (Input, Const)) or root in self.shared:
            return True
        if not all(_apart(each, other) for other in views):
            return True
        views.append(each)
        return False


def _copies(text: str, depth: int) -> str:
    """A list of copies of what a list holds, or of what the lists in it do."""
    inner = "row.copy()" if depth == 1 else _copies("row", depth - 1)
    return f"[{inner} for row in {text}]"


def _apart(one: Node, other: Node) -> bool:
    """Whether two parts of the same array certainly have no element in common."""
    if not (one.op is other.op is shaping.getitem and one.args == other.args):
        return False
    whole = np.empty(one.args[0].type.shape, bool)
    parts = [whole[shaping.decode_index(each.param("index"), ())] for each in (one, other)]
    return not np.shares_memory(*parts)


def _call_into(target: str, expression: Expression) -> Expression:
    """The ufunc call that computes an expression in an array that is there: out=target."""
    each, parts = expression.node, expression.operands
    assert isinstance(each.op, Primitive)
    operands = ", ".join(part.source.text for part in parts)
    call = Source(f"{function_source(each.op)}({operands}, out={target})")
    return Expression(each, call, parts)


def _strides(each: Node) -> list[object]:
    """What tells the strides of two parts of one array apart, or whether they have the same."""
    return [(part[3] or 1) if type(part) is tuple else type(part) for part in each.param("index")]


def _is_part(found: Expression, store: Node) -> bool:
    """Whether an expression is just the part of an array that a store is into."""
    each = found.node
    return each.op is shaping.getitem and (
        each.args[0] is store.args[0]
        and each.args[1:] == store.args[2:]
        and each.param("index") == store.param("index")
    )


def _is_ufunc(each: Node) -> bool:
    return (
        isinstance(each.op, Primitive)
        and isinstance(each.op.function, np.ufunc)
        and (each.op.elementwise and bool(each.type.shape))
    )


def _is_choice(each: Node, value: Node, base: Node) -> bool:
    """Whether a value can be computed in an array, where it is chosen instead of what is there."""
    return _is_ufunc(value) and value.type == base.type == each.type and allocates(base)


def _is_zero(each: Node) -> bool:
    return isinstance(each, Const) and each.uniform and bool(each.value == 0)


def _gives_several(each: Node) -> bool:
    """Whether a call returns several values, of which parts are read."""
    return bool(getattr(each.op, "parts", ())) or is_control(each)


def is_control(each: Node) -> bool:
    """Whether the node is a loop or a branch."""
    return isinstance(each.op, Primitive) and each.op.control


def _gives_array(each: Node) -> bool:
    """Whether NumPy's result for a 0-d node may be an array: a ufunc's is a scalar."""
    if each.op is e.convert:  # .astype of an array is one
        each = each.args[0]
    own = each.op in (e.where, e.larger, e.smaller, *UPDATES, linalg.tensordot)
    return own or isinstance(each, Input) or is_view(each)
