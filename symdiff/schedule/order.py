"""The order of statements: what the user wrote in that order, the rest where it is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from symdiff.ir.graph import Graph
from symdiff.ir.node import Const, Input, Node
from symdiff.ops.effects import happens, prints
from symdiff.ops.primitive import Primitive

Reads = Mapping[Node, Sequence[Node]]


def emission_order(
    graph: Graph,
    order: Sequence[Node],
    reads: Reads,
    uses: Mapping[Node, int],
    guards: Collection[Node],
    primal: Collection[Node],
) -> list[Node]:
    """Noted values in program order, each with what it needs just before it.

    A derivative that is returned and not read comes as soon as what it needs is there.
    """
    outputs = set(graph.outputs)
    anchored = {
        each
        for each in order
        if each in graph.notes or each in outputs or happens(each) or _decides(each, guards)
    }
    results = {each: i for i, each in reversed(list(enumerate(graph.outputs)))}
    results = {
        each: i
        for each, i in results.items()
        if each not in primal and uses[each] == 1 and reads[each]
    }
    missing: dict[Node, int] = {}  # of each result: what it needs that is not there yet
    readers: dict[Node, list[Node]] = {}
    for result in results:
        needs = _needs(result, reads, uses, anchored)
        missing[result] = len(needs)
        for each in needs:
            readers.setdefault(each, []).append(result)
    emitted: set[Node] = set()
    out: list[Node] = []
    anchors = [each for each in order if each in anchored and each not in results]
    anchors = _said_last(anchors, guards)
    for anchor in [*anchors, *sorted(results, key=results.__getitem__)]:
        queue = [anchor]
        for each in queue:  # grows
            first = len(out)
            _visit(each, reads, emitted, out)
            ready = []
            for made in out[first:]:
                for result in readers.get(made, ()):
                    missing[result] -= 1
                    if not missing[result]:
                        ready.append(result)
            queue += sorted(ready, key=results.__getitem__)
    return out


def _said_last(anchors: list[Node], guards: Collection[Node]) -> list[Node]:
    """What is printed comes behind the guards: a call that they end has said nothing."""
    places = [i for i, each in enumerate(anchors) if _decides(each, guards)]
    if not places:
        return anchors
    before, after = anchors[: places[-1] + 1], anchors[places[-1] + 1 :]
    said = [each for each in before if prints(each)]
    return [*(each for each in before if not prints(each)), *said, *after]


def _decides(each: Node, guards: Collection[Node]) -> bool:
    """Whether a call may end with the value: of a guard, or one that checks decisions itself."""
    return each in guards or (isinstance(each.op, Primitive) and each.op.decides)


def _needs(
    result: Node, reads: Reads, uses: Mapping[Node, int], anchored: Collection[Node]
) -> set[Node]:
    """The values that a result is computed from and that something else reads too."""
    found: set[Node] = set()
    stack = [result]
    while stack:
        for each in reads[stack.pop()]:
            if isinstance(each, (Input, Const)):
                continue
            if uses[each] > 1 or each in anchored:
                found.add(each)
            else:
                stack.append(each)
    return found


def _visit(top: Node, reads: Reads, emitted: set[Node], out: list[Node]) -> None:
    """Append a node, and before it all that it needs."""
    stack = [(top, False)]
    while stack:
        each, ready = stack.pop()
        if ready:
            out.append(each)
        elif each not in emitted:
            emitted.add(each)
            stack.append((each, True))
            stack += [(arg, False) for arg in reversed(reads[each])]
