"""rewrite: a graph driven through tables of rules to a fixed point, every application logged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain, product
from operator import attrgetter, is_
from typing import Any, NamedTuple

from symdiff.errors import RuleError
from symdiff.ir.graph import Graph, Position, toposort
from symdiff.ir.node import CONST, Const, Node, node
from symdiff.ops import shaping
from symdiff.ops.effects import happens
from symdiff.rewrite.pattern import (
    ACCURATE,
    EXACT,
    FINITE,
    ROUNDING,
    Applied,
    Exactness,
    Family,
    Match,
    Rule,
    Term,
    instantiate,
    match,
    variants,
)

Table = tuple[Rule, ...]

# The classes that may be applied: to the user's own program, and to derivatives.
MODES: dict[str, tuple[tuple[Exactness, ...], tuple[Exactness, ...]]] = {
    "ieee": ((EXACT,), (EXACT,)),
    "default": ((EXACT, ACCURATE), (EXACT, ACCURATE, ROUNDING)),
    "fast": (tuple(Exactness), tuple(Exactness)),
}
assert FINITE not in MODES["default"][1]

_VIEWS = (shaping.broadcast_to, shaping.reshape, shaping.transpose)

PASSES = 5  # walks over the program, each to use what the last one made unshared
PER_NODE = 20  # applications that a program may cost, for each of its nodes


class Application(NamedTuple):
    """A rule applied: the node before, the node after, and the user's line if it is known.

    `root` is the node of the program before rewriting that was being worked on.
    """

    rule: str
    before: Node
    after: Node
    position: Position | None = None
    root: Node | None = None


def rewrite(
    graph: Graph,
    tables: tuple[Table, ...],
    *,
    math: str = "default",
    primal: Collection[Node] = (),
    log: list[Application] | None = None,
    settled: set[Node] | None = None,
    among: tuple[Table, ...] = (),
) -> Graph:
    """The graph after all applicable rules, and `log` longer by their applications.

    `primal` are the nodes of the user's own program; a set grows by the nodes that they become.
    `settled` are nodes that no rule fits, whoever reads what; it grows by those that are found.
    `among` are these tables and others, whose index they share.
    """
    if math not in MODES:
        raise ValueError(f"math={math!r}: choose one of {', '.join(map(repr, MODES))}")
    rows = rule_set(tables, math, among or tables)
    settled = set() if settled is None else settled
    return _Rewriter(graph, rows, primal, [] if log is None else log, settled).run()


@lru_cache(maxsize=32)
def rule_set(tables: tuple[Table, ...], math: str, among: tuple[Table, ...]) -> RuleSet:
    """The rules of the tables that `math` allows, found in the index of those they are among."""
    return RuleSet(tables, math, _index(among))


class RuleSet:
    """The rules of some tables that a mode allows, found by what they can match."""

    def __init__(self, tables: tuple[Table, ...], math: str, index: _Index) -> None:
        self.own, self.derived = MODES[math]
        self._index = index
        self._places = index.places(tables)
        self._found: tuple[dict[_Form, _Candidates], ...] = ({}, {})  # derived, the user's own

    def candidates(self, each: Node, primal: bool) -> _Candidates:
        """The rules worth trying, with their patterns in one order of operands each."""
        form = self._index.form(each)
        found = self._found[primal].get(form)
        if found is None:
            found = self._found[primal][form] = self._allowed(form, each, primal)
        return found

    def _allowed(self, form: _Form, each: Node, primal: bool) -> _Candidates:
        classes = self.own if primal else self.derived
        return tuple(
            [
                (row, variant)
                for place, row, variant in self._index.fitting(form, each)
                if place in self._places
                and row.exactness in classes
                and (row.primal or not primal)
            ]
        )


UNIFORM = "uniform"  # the kind of a constant that is one number, but none that a pattern names

# What decides which patterns a node may fit: its operation, and the kinds of its operands. The kind
# of an operand is its operation; that of a constant tells the numbers in patterns apart.
_Form = tuple[Any, tuple[Any, ...]]
_Place = tuple[int, Rule]  # a row, and where it stands among all
_Candidates = tuple[tuple[Rule, Any], ...]
_operation = attrgetter("op")


class _Index:
    """The rules of tables by what they can match, worked out for the nodes that are met."""

    def __init__(self, tables: tuple[Table, ...]) -> None:
        self._tables = tables
        self._numbers: set[Any] = set()  # in patterns
        self._families: dict[Any, list[_Place]] = {}  # by what they rewrite; None: any operation
        # patterns, by the operation and those of its operands; None: any
        self._patterns: dict[tuple[Any, ...], list[_Place]] = {}
        self._most = 0  # operands of a pattern
        self._found: dict[_Form, list[tuple[int, Rule, Any]]] = {}
        for place in enumerate(chain.from_iterable(tables)):
            pattern = place[1].pattern
            if isinstance(pattern, Applied):
                self._add_pattern(pattern, place)
                continue
            for root in pattern.roots or (None,):
                self._families.setdefault(root, []).append(place)

    def _add_pattern(self, pattern: Applied, place: _Place) -> None:
        reads = []
        for arg in pattern.args:
            if isinstance(arg, Term):
                reads.append(arg.op)
            else:
                reads.append(CONST)
                self._numbers.add(arg)
        op = pattern.op
        self._patterns.setdefault((op, *reads), []).append(place)
        if op.commutative:
            self._patterns.setdefault((op, *reversed(reads)), []).append(place)
        if len(reads) > self._most:
            self._most = len(reads)

    def places(self, tables: tuple[Table, ...]) -> set[int]:
        """The places that the rows of these tables have among all rows."""
        found: set[int] = set()
        start = 0
        for table in self._tables:
            if table in tables:
                found.update(range(start, start + len(table)))
            start += len(table)
        return found

    def form(self, each: Node) -> _Form:
        """What decides which patterns the node may fit."""
        kinds = tuple(map(_operation, each.args))
        if CONST in kinds:
            kinds = tuple([_kind(arg, self._numbers) for arg in each.args])
        return each.op, kinds

    def fitting(self, form: _Form, each: Node) -> list[tuple[int, Rule, Any]]:
        """The rows that a node of this form may fit, each with its place and an order of operands.

        They stand in the order of the tables.
        """
        found = self._found.get(form)
        if found is None:
            operations = tuple(map(_operation, each.args))
            found = self._found[form] = [
                (place, row, variant)
                for place, row in self._reading(each.op, operations)
                for variant in _variants(row)
                if _possible(variant, each.op, operations, form[1])
            ]
        return found

    def _reading(self, op: Any, operations: tuple[Any, ...]) -> list[_Place]:
        """The rows that operands of these operations may fit, in the order of the tables."""
        families = [*self._families.get(op, ()), *self._families.get(None, ())]
        found = {
            place: row
            for place, row in families
            if frozenset(row.pattern.reads).issubset(operations)
        }
        if len(operations) <= self._most:
            for reads in product((op,), *[(None, each) for each in operations]):
                found.update(self._patterns.get(reads, ()))
        return sorted(found.items())


@lru_cache(maxsize=32)
def _index(tables: tuple[Table, ...]) -> _Index:
    return _Index(tables)


@cache
def _variants(row: Rule) -> list[Any]:
    return variants(row.pattern)


def _kind(operand: Node, numbers: Collection[Any]) -> Any:
    if not isinstance(operand, Const) or not operand.uniform:
        return operand.op
    return operand.value if operand.value in numbers else UNIFORM


def _possible(
    pattern: Applied | Family, op: Any, operations: tuple[Any, ...], kinds: tuple[Any, ...]
) -> bool:
    if isinstance(pattern, Family):
        return pattern.accepts(op, operations)
    if pattern.op is not op or len(pattern.args) != len(operations):
        return False
    return all(map(_possible_operand, pattern.args, operations, kinds))


def _possible_operand(pattern: Any, op: Any, kind: Any) -> bool:
    if isinstance(pattern, Term):
        return pattern.op is None or (pattern.op is op and kind is not CONST)
    return op is CONST and kind is not CONST and bool(kind == pattern)


class _Rewriter:
    """One run. `done` maps a node to what it became; a node that stays maps to itself.

    `uses` counts readers in the program as it stands, so that a rule knows what it would duplicate.
    """

    def __init__(
        self,
        graph: Graph,
        rows: RuleSet,
        primal: Collection[Node],
        log: list[Application],
        settled: set[Node],
    ) -> None:
        self.graph = graph
        self.rows = rows
        self.primal = primal if isinstance(primal, set) else set(primal)
        # what is counted stays as it is
        self.kept = {each.args[0] for each in graph.effects if shaping.is_guard(each)}
        self.log = log
        self.notes = dict(graph.notes)
        self.done: dict[Node, Node] = {}
        self.next: dict[Node, Node] = {}
        self.uses: dict[Node, int] = {}
        self.settled = settled
        self.root: Node  # what is being normalized
        self.shared: list[Node] = []  # inner nodes whose other readers kept a rule from firing
        self.votes: dict[Node, set[Node]] = {}  # readers of those that would do without them
        self.unwanted: set[Node] = set()  # inner nodes that all readers would do without
        self.budget = 0
        self.first = len(log)

    def run(self) -> Graph:
        outputs = (*self.graph.outputs, *self.graph.effects)
        nodes: Sequence[Node] = self.graph.nodes()
        self.kept.update(filter(happens, nodes))
        self.budget = 1000 + PER_NODE * len(nodes)
        for _ in range(PASSES):
            outputs = self._pass(nodes, outputs)
            if not self.unwanted and not any(self.uses.get(each) == 1 for each in self.shared):
                break
            nodes = toposort(outputs)
        count = len(self.graph.outputs)
        graph = self.graph
        if outputs == (*graph.outputs, *graph.effects):
            return graph
        return Graph(graph.name, graph.inputs, outputs[:count], outputs[count:], self.notes)

    def _pass(self, nodes: Sequence[Node], outputs: tuple[Node, ...]) -> tuple[Node, ...]:
        """One walk from operands to readers; rules that sharing stopped may fit in the next."""
        self.done, self.next, self.shared, self.votes = {}, {}, [], {}
        self.uses = _count_uses(nodes, outputs)
        for each in nodes:
            settled = each in self.settled and self._unchanged(each)
            if settled or not each.args or each in self.kept:
                self.done[each] = each
            else:
                self._normalize(each)
        self.unwanted = {
            each for each, readers in self.votes.items() if len(readers) == self.uses.get(each)
        }
        return tuple([self.done[each] for each in outputs])

    def _normalize(self, root: Node) -> None:
        """Rewrites a node until no rule fits it or what its replacements brought in."""
        self.root = root
        stack = [root]
        done, following = self.done, self.next
        while stack:
            each = stack[-1]
            if each in done:
                stack.pop()
                continue
            after = following.get(each)
            if after is None:
                waiting = [arg for arg in each.args if arg not in done]
                if waiting:
                    stack.extend(waiting)
                    continue
                after = self._step(each)
                if after is each:
                    done[each] = each
                    stack.pop()
                    continue
                after = following[each] = done.get(after, after)
                self._succeed(each, after)
            if after in done:
                done[each] = done[after]
                self._carry_note(each, done[after])
                stack.pop()
            elif after in following:
                self._refuse_alternation(after)
            else:
                stack.append(after)

    def _unchanged(self, each: Node) -> bool:
        return all(map(is_, each.args, map(self.done.__getitem__, each.args)))

    def _step(self, each: Node) -> Node:
        """The node over rewritten operands, or else what the first rule that fits makes of it."""
        if not each.args or each in self.kept:
            return each
        if not self._unchanged(each):
            args = tuple([self.done[arg] for arg in each.args])
            return node(each.op, args, each.params, each.type)
        return each if each in self.settled else self._apply(each)

    def _apply(self, each: Node) -> Node:
        blocked = False
        for row, pattern in self.rows.candidates(each, each in self.primal):
            if each.type.dtype.kind not in row.dtypes:
                continue
            found = match(pattern, each)
            if found is None or not (row.when is None or row.when(found)):
                continue
            shared = [] if row.shared else self._shared(found)
            if shared and not (row.together and self.unwanted.issuperset(shared)):
                self.shared += shared
                if row.together:
                    self._vote(each, shared)
                blocked = True
                continue
            after = instantiate(row.replacement, found)
            if after is not None and after is not each and after.type == each.type:
                self._record(row, each, after)
                return after
        if not blocked:
            self.settled.add(each)
        return each

    def _shared(self, found: Match) -> list[Node]:
        """Inner nodes that something else reads too; moving elements about is no work."""
        counts = [(each, self.uses.get(each)) for each in found.inner if each.op not in _VIEWS]
        return [each for each, count in counts if count != 1]  # None: what is kept reads it

    def _vote(self, reader: Node, inner: Iterable[Node]) -> None:
        for each in inner:
            self.votes.setdefault(each, set()).add(reader)

    def _record(self, row: Rule, before: Node, after: Node) -> None:
        note = self.notes.get(before) or self.notes.get(self.root)
        position = note.position if note else None
        self.log.append(Application(row.name, before, after, position, self.root))
        self.budget -= 1
        if self.budget < 0:
            self._refuse_alternation(after)

    def _refuse_alternation(self, after: Node) -> None:
        """Rules that undo each other are a mistake in the tables: name those applied last."""
        recent = Counter(each.rule for each in self.log[max(self.first, len(self.log) - 100) :])
        names = ", ".join(name for name, _ in recent.most_common(4))
        raise RuleError(f"{self.graph.name}: rewriting comes to no end at {after}: {names}")

    # ------------------------------------------------------------------ bookkeeping

    def _introduce(self, after: Node, primal: bool) -> None:
        """Counts what new nodes read; they are the user's program if what they replace is."""
        fresh = []
        stack = [after]
        done = self.done
        while stack:
            each = stack.pop()
            if each not in self.uses:
                self.uses[each] = 0
                fresh.append(each)
                stack.extend([done.get(arg, arg) for arg in each.args])
        for each in fresh:
            for arg in each.args:
                self.uses[done.get(arg, arg)] += 1
        if primal:
            self.primal.update(fresh, (after,))

    def _succeed(self, before: Node, after: Node) -> None:
        """What read `before` now reads `after`; what nobody reads any more is not counted."""
        self._introduce(after, before in self.primal)
        self.uses[after] += self.uses.pop(before, 0)
        released = list(before.args)
        while released:
            arg = self.done[released.pop()]
            self.uses[arg] -= 1
            if not self.uses[arg]:
                del self.uses[arg]
                released.extend(arg.args)

    def _carry_note(self, before: Node, after: Node) -> None:
        """A derivative's note is no news about a value of the user's program."""
        note = self.notes.get(before)
        foreign = after in self.primal and before not in self.primal
        if note is not None and not foreign and not isinstance(after, Const):
            self.notes.setdefault(after, note)


def _count_uses(nodes: Iterable[Node], outputs: Iterable[Node]) -> dict[Node, int]:
    uses = dict.fromkeys(nodes, 0)
    for each in uses:
        for arg in each.args:
            uses[arg] += 1
    for each in outputs:
        uses[each] += 1
    return uses
