"""rewrite: a graph driven through tables of rules to a fixed point, every application logged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from operator import is_, itemgetter
from typing import Any, NamedTuple

from symdiff.errors import RuleError
from symdiff.ir.graph import Graph, Position, toposort
from symdiff.ir.node import CONST, Const, Node, node
from symdiff.ops import shaping
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
    Wild,
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
) -> Graph:
    """The graph after all applicable rules, and `log` longer by their applications.

    `primal` are the nodes of the user's own program; a set grows by the nodes that they become.
    `settled` are nodes that no rule fits, whoever reads what; it grows by those that are found.
    """
    if math not in MODES:
        raise ValueError(f"math={math!r}: choose one of {', '.join(map(repr, MODES))}")
    rows = rule_set(tables, math)
    settled = set() if settled is None else settled
    return _Rewriter(graph, rows, primal, [] if log is None else log, settled).run()


@lru_cache(maxsize=32)
def rule_set(tables: tuple[Table, ...], math: str) -> RuleSet:
    """The rules of the tables that `math` allows, indexed."""
    return RuleSet(tables, math)


_PLACE = itemgetter(0)


class RuleSet:
    """The rules that a mode allows, found by what they can match.

    For each operation it is worked out when a node of that operation is met first.
    """

    def __init__(self, tables: tuple[Table, ...], math: str) -> None:
        self.own, self.derived = MODES[math]
        self._tables = [_by_root(table) for table in tables]
        self._rooted: dict[Any, _Rooted] = {}

    def candidates(self, each: Node, primal: bool) -> tuple[tuple[Rule, Any], ...]:
        """The rules worth trying, with their patterns in one order of operands each."""
        rooted = self._rooted.get(each.op)
        if rooted is None:
            rows = [
                row
                for table in self._tables
                for _, row in sorted((*table.get(each.op, ()), *table.get(None, ())), key=_PLACE)
            ]
            rooted = self._rooted[each.op] = _Rooted(rows, self)
        return rooted.candidates(each, primal)


UNIFORM = "uniform"  # the kind of a constant that is one number, but none that a pattern names


class _Rooted:
    """The rules for nodes of one operation, in order, by the kinds of its operands.

    The kind of an operand is its operation; that of a constant tells the numbers in patterns apart.
    """

    def __init__(self, rows: list[Rule], rules: RuleSet) -> None:
        self._rows = [(row, _needed(row)) for row in rows]
        self._rules = rules
        self._numbers = {number for _, needed in self._rows for number in needed.numbers}
        self._found: dict[tuple[Any, ...], tuple[tuple[Rule, Any], ...]] = {}

    def candidates(self, each: Node, primal: bool) -> tuple[tuple[Rule, Any], ...]:
        kinds = [arg.op if arg.op is not CONST else self._kind(arg) for arg in each.args]
        key = (primal, *kinds)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(each, kinds, primal)
        return found

    def _kind(self, constant: Node) -> Any:
        assert isinstance(constant, Const)
        if not constant.uniform:
            return CONST
        return constant.value if constant.value in self._numbers else UNIFORM

    def _find(self, each: Node, kinds: list[Any], primal: bool) -> tuple[tuple[Rule, Any], ...]:
        operations = tuple([arg.op for arg in each.args])
        fitting = [row for row, needed in self._rows if needed.operations.issubset(operations)]
        classes = self._rules.own if primal else self._rules.derived
        return tuple(
            [
                (row, variant)
                for row in fitting
                if row.exactness in classes and (row.primal or not primal)
                for variant in _variants(row)
                if _possible(variant, each.op, operations, kinds)
            ]
        )


# What the index needs of tables and rules: worked out once, for all sets that they are in.


class _Needed(NamedTuple):
    """The operations that a node's operands must have, in whatever order, and the numbers."""

    operations: frozenset[Any]
    numbers: tuple[Any, ...]


@cache
def _by_root(table: Table) -> dict[Any, list[tuple[int, Rule]]]:
    """The rows and their places, by the operation that they rewrite; None: by any."""
    found: dict[Any, list[tuple[int, Rule]]] = {}
    for place, row in enumerate(table):
        for root in row.roots or (None,):
            found.setdefault(root, []).append((place, row))
    return found


@cache
def _variants(row: Rule) -> list[Any]:
    return variants(row.pattern)


@cache
def _needed(row: Rule) -> _Needed:
    if isinstance(row.pattern, Family):
        return _Needed(frozenset(row.pattern.reads), ())
    operations: list[Any] = []
    numbers = []
    for arg in row.pattern.args:
        if isinstance(arg, Applied):
            operations.append(arg.op)
        elif not isinstance(arg, Wild):
            operations.append(CONST)
            numbers.append(arg)
        elif arg.constant:
            operations.append(CONST)
    return _Needed(frozenset(operations), tuple(numbers))


def _possible(
    pattern: Applied | Family, op: Any, operations: tuple[Any, ...], kinds: list[Any]
) -> bool:
    if isinstance(pattern, Family):
        return pattern.accepts(op, operations)
    if pattern.op is not op or len(pattern.args) != len(operations):
        return False
    return all(map(_possible_operand, pattern.args, operations, kinds))


def _possible_operand(pattern: Any, op: Any, kind: Any) -> bool:
    if isinstance(pattern, Applied):
        return pattern.op is op
    if isinstance(pattern, Wild):
        return not pattern.constant or (op is CONST and kind is not CONST)
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
        self.kept = {arg for each in graph.effects for arg in each.args}  # they stay as they are
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
        nodes = toposort(outputs)
        self.budget = 1000 + PER_NODE * len(nodes)
        for _ in range(PASSES):
            outputs = self._pass(nodes, outputs)
            if not self.unwanted and not any(self.uses.get(each) == 1 for each in self.shared):
                break
            nodes = toposort(outputs)
        count = len(self.graph.outputs)
        graph = self.graph
        return Graph(graph.name, graph.inputs, outputs[:count], outputs[count:], self.notes)

    def _pass(self, nodes: list[Node], outputs: tuple[Node, ...]) -> tuple[Node, ...]:
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
