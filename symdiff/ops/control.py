"""Control flow: operations whose parameters are graphs, which run many times, once, or never.

Both give several values, of which `item` takes one. The graphs are closed: what they read of the
program around them are operands, and what stands for these are inputs of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from symdiff.errors import RuleError
from symdiff.ir.extent import any_known, is_open, mentions
from symdiff.ir.graph import Graph, Note
from symdiff.ir.node import Const, Input, Node, constant, input_node, node, opened
from symdiff.ir.types import TUPLE, ArrayType, array_type
from symdiff.ops.evaluate import at_index, evaluate
from symdiff.ops.primitive import (
    CONSTANT,
    Cotangents,
    Part,
    Parts,
    Primitive,
    Routine,
    Samples,
    Transpose,
    case,
    register,
)
from symdiff.ops.shaping import getitem

_SERIAL = attrgetter("serial")
UNKNOWN = -1  # the extent of what a loop of unknown length collects; only loops read such arrays
INDEX = array_type(np.int64, (), True)  # a Python int
TRUTH = array_type(np.bool_)


class Operands(NamedTuple):
    """The operands of a loop, or anything else that there is one of for each.

    `trips` is their number, of a loop for which it is known neither while compiling nor by
    a test. Invariant values are the same in each trip, a carried one is handed from trip to trip,
    and of a scanned one each trip gets its row.
    """

    trips: tuple[Any, ...]
    invariant: tuple[Any, ...]
    carried: tuple[Any, ...]
    scanned: tuple[Any, ...]


def divided(each: Node, values: Sequence[Any]) -> Operands:
    """What there is one of for each operand of a loop, by what the operands are for."""
    counted = int(each.param("trips") is None and each.param("test") is None)
    scanned = len(values) - each.param("scanned")
    carried = scanned - each.param("carried")
    values = tuple(values)
    return Operands(
        values[:counted], values[counted:carried], values[carried:scanned], values[scanned:]
    )


# ---------------------------------------------------------------------------- items


item = register(
    Primitive(
        name="item",
        function=lambda results, index, type: results[index],
        arguments=("results",),
        result=lambda results, index, type: type,
        rules={"results": CONSTANT},
        numpy=lambda results, index, type: f"{results}[{index}]",
        c=Routine("item"),
    )
)


def items(each: Node) -> list[Node]:
    """The values of a node of control flow."""
    return [
        node(item, (each,), (("index", i), ("type", type)))
        for i, type in enumerate(result_types(each))
    ]


def result_types(each: Node) -> list[ArrayType]:
    """The types of the values of a loop or a branch."""
    if each.op is cond:
        return [output.type for output in each.param("branches")[0].outputs]
    body, carried = each.param("body"), each.param("carried")
    trips = UNKNOWN if each.param("trips") is None else each.param("trips")
    types = [output.type for output in body.outputs[:carried]]
    types += [
        array_type(output.type.dtype, (trips, *output.type.shape))
        for output in body.outputs[carried:]
    ]
    return types if each.param("test") is None else [*types, INDEX]


# ---------------------------------------------------------------------------- loops


def _run_loop(
    *operands: Any,
    body: Graph,
    test: Graph | None,
    trips: int | None,
    start: int,
    step: int,
    carried: int,
    scanned: int,
    reverse: bool,
    level: int | None,
) -> tuple[Any, ...]:
    """A loop as it is meant: `body(index, *invariant, *carried, *row)` in each trip.

    It gives the carried values for the next trip, then what is collected. `test(*invariant,
    *carried)` says whether there is a next trip; then the number of trips is a result too.
    """
    rest = list(operands)
    count: Any = rest.pop(0) if trips is None and test is None else trips
    rows = [rest.pop() for _ in range(scanned)][::-1]
    state = [rest.pop() for _ in range(carried)][::-1]
    collected: list[list[Any]] = [[] for _ in body.outputs[carried:]]
    done = 0
    while _goes_on(test, (*rest, *state), done, count):
        at = int(count) - 1 - done if reverse else done
        index = start + step * at
        values = (index, *rest, *state, *(each[at] for each in rows))
        with at_index(level, index):
            results = evaluate(body.outputs, dict(zip(body.inputs, values, strict=True)))
        state = results[:carried]
        for own, found in zip(collected, results[carried:], strict=True):
            own.append(found)
        done += 1
    if reverse:
        collected = [own[::-1] for own in collected]
    types = [each.type for each in body.outputs[carried:]]
    stacked = [_stacked(own, type) for own, type in zip(collected, types, strict=True)]
    return (*state, *stacked, *(() if test is None else (done,)))


def _stacked(rows: list[Any], type: ArrayType) -> Any:
    """Rows of a type as one array; those of extents that are not known may differ."""
    if UNKNOWN in type.shape or is_open(type.shape):
        return rows
    return np.array(rows, type.dtype).reshape((len(rows), *type.shape))


def _goes_on(test: Graph | None, values: tuple[Any, ...], done: int, count: Any) -> bool:
    if test is None:
        return bool(done < count)
    (found,) = evaluate(test.outputs, dict(zip(test.inputs, values, strict=True)))
    return bool(found)


def _loop_type(*types: ArrayType, **params: Any) -> ArrayType:
    """Raises RuleError where operands, the inputs of the body and its outputs do not agree."""
    body, carried, scanned = params["body"], params["carried"], params["scanned"]
    counted = params["trips"] is None and params["test"] is None
    own = types[1:] if counted else types
    state = own[len(own) - scanned - carried : len(own) - scanned]
    rows = [array_type(each.dtype, each.shape[1:]) for each in own[len(own) - scanned :]]
    expected = [INDEX, *own[: len(own) - scanned], *rows]
    _agree("the body of a loop", body, expected)
    if [each.type for each in body.outputs[:carried]] != list(state):
        raise RuleError(f"a loop carries {list(map(str, state))}, and its body gives others")
    if params["test"] is not None:
        _agree("the test of a loop", params["test"], list(own[: len(own) - scanned]))
    return TUPLE


def _agree(what: str, graph: Graph, types: Sequence[ArrayType]) -> None:
    found = [each.type for each in graph.inputs]
    if found != list(types):
        raise RuleError(
            f"{what} takes {list(map(str, found))}, and is given {list(map(str, types))}"
        )


loop = register(
    Primitive(
        name="loop",
        function=_run_loop,
        arguments=("operands",),
        variadic=True,
        result=_loop_type,
        rules={"operands": CONSTANT},
        control=True,
        c=Routine("loop"),
    )
)


def loop_node(
    body: Graph,
    *,
    invariant: Sequence[Node] = (),
    carried: Sequence[Node] = (),
    scanned: Sequence[Node] = (),
    trips: int | None = None,
    count: Node | None = None,
    test: Graph | None = None,
    start: int = 0,
    step: int = 1,
    reverse: bool = False,
    level: int | None = None,
) -> Node:
    """A loop: of a number of `trips`, of as many as `count` says, or for as long as `test` does.

    In trip k (counted from 0, or with `reverse` down to 0) the body's index is start + step * k;
    that of a loop with a test counts trips. Extents in the body may depend on the index of a loop
    that has a `level`: see `ir.extent`. Scanned values have as many rows as there are trips.
    """
    params = (
        ("body", body),
        ("test", test),
        ("trips", trips),
        ("start", start),
        ("step", step),
        ("carried", len(carried)),
        ("scanned", len(scanned)),
        ("reverse", reverse),
        ("level", level),
    )
    counted = () if count is None else (count,)
    return node(loop, (*counted, *invariant, *carried, *scanned), params)


def whole_of(values: Sequence[Node]) -> Node | None:
    """The array, or the part of one, of which these are all the rows in order, if there is one."""
    found = [_row_of(each) for each in values]
    first = found[0]
    if first is None or found != [(first[0], first[1] + i) for i in range(len(values))]:
        return None
    every, begin = first
    if len(values) == every.type.shape[0]:
        return every
    return node(getitem, (every,), (("index", (("slice", begin, begin + len(values), None),)),))


def _row_of(each: Node) -> tuple[Node, int] | None:
    """The array that a value is a row of, and which."""
    while each.op.name == "convert" and each.args[0].type.dtype == each.type.dtype:
        (each,) = each.args
    if each.op is not getitem or len(each.args) > 1:
        return None
    (entry, *more) = each.param("index")
    known = not more and type(entry) is int and entry >= 0
    return (each.args[0], entry) if known else None


def _rows_of(each: Node, y_bar: Node) -> list[Node]:
    """The rows of an array, made without asking what type they have: there may be hundreds."""
    type = array_type(y_bar.type.dtype, y_bar.type.shape[1:])
    return [node(getitem, (y_bar,), (("index", (i,)),), type) for i in range(len(each.args))]


rows = register(
    Primitive(
        name="rows",
        function=lambda *values: np.stack(values),
        arguments=("values",),
        variadic=True,
        joint=True,
        result=lambda *types: array_type(types[0].dtype, (len(types), *types[0].shape)),
        rules={"values": Cotangents(_rows_of)},
        batch=lambda *values: np.stack(values, axis=1),
        numpy=lambda *values: f"np.stack([{', '.join(values)}])",
        c=Parts(lambda y, *values: [Part((i,), (), i) for i in range(len(values))]),
        samples=Samples(cases=(case("f[3]", "f[3]"), case("f[]", "f[]", "f[]"))),
    )
)


# ---------------------------------------------------------------------------- branches


def _run_cond(taken: Any, *operands: Any, branches: tuple[Graph, Graph]) -> tuple[Any, ...]:
    branch = branches[0] if taken else branches[1]
    return tuple(evaluate(branch.outputs, dict(zip(branch.inputs, operands, strict=True))))


def _cond_type(taken: ArrayType, *types: ArrayType, branches: tuple[Graph, Graph]) -> ArrayType:
    for each in branches:
        _agree("a branch", each, types)
    first, second = ([each.type for each in branch.outputs] for branch in branches)
    if first != second:
        raise RuleError(f"the branches give {list(map(str, first))} and {list(map(str, second))}")
    return TUPLE


cond = register(
    Primitive(
        name="cond",
        function=_run_cond,
        arguments=("taken", "operands"),
        variadic=True,
        result=_cond_type,
        rules={"taken": CONSTANT, "operands": CONSTANT},
        control=True,
        c=Routine("branch"),
    )
)


def cond_node(taken: Node, operands: Sequence[Node], branches: tuple[Graph, Graph]) -> Node:
    """The first branch where `taken`, a truth value, is True, else the second."""
    return node(cond, (taken, *operands), (("branches", branches),))


# ---------------------------------------------------------------------------- checkpoints


def checkpoint_node(operands: Sequence[Node], graph: Graph) -> Node:
    """What a graph computes, of which derivatives keep the operands and compute the rest again.

    It is a branch that is always taken: derivatives of branches take nothing else from them.
    """
    none = [constant(_zero(each.type), each.type) for each in graph.outputs]
    return cond_node(
        constant(np.True_, TRUTH), operands, (graph, Graph(graph.name, graph.inputs, tuple(none)))
    )


def _zero(type: ArrayType) -> Any:
    return type.python(0) if type.weak else type.dtype.type(0)


def side_taken(each: Node) -> Graph | None:
    """The side of a branch whose condition is known: that of a checkpoint always is."""
    if each.op is not cond or not isinstance(each.args[0], Const):
        return None
    branches: tuple[Graph, Graph] = each.param("branches")
    return branches[0] if each.args[0].value else branches[1]


def _again_rows(x: Any, after: Any) -> Any:
    return again(x, after)


again: Primitive = register(
    Primitive(
        name="again",
        function=lambda x, after: x,
        arguments=("x", "after"),
        result=lambda x, after: x,
        rules={"x": Transpose(lambda y_bar, x, after: y_bar), "after": CONSTANT},
        batch=_again_rows,
        view=True,
        numpy=lambda x, after: x,
        c=Routine("again"),
        samples=Samples(cases=(case("f[3]", "f[2]"), case("f[]", "f[2]"))),
    )
)
"""x itself, once `after` is known: what is computed from it is not what was computed before."""


# ---------------------------------------------------------------------------- graphs inside


def body_of(
    name: str,
    inputs: Sequence[Input],
    outputs: Sequence[Node],
    notes: dict[Node, Note],
    inside: Callable[[Node], bool] | None = None,
) -> tuple[Graph, tuple[Node, ...]]:
    """A closed graph, and the nodes outside of it for which it has further inputs, at the end.

    Inside is what depends on `inputs`, or what `inside` says; constants are wherever they are read.
    """
    if inside is None:
        inside = dependent(outputs, inputs).__contains__
    new: dict[Node, Node] = {each: each for each in inputs}
    outer: list[Node] = []
    within: list[Node] = []
    seen: set[Node] = set(inputs)
    waiting = list(outputs)
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if isinstance(each, Const):
            new[each] = each
        elif isinstance(each, Input) or not inside(each):
            outer.append(each)
        else:
            within.append(each)
            waiting.extend(each.args)
    outer.sort(key=_SERIAL)
    added = [input_node(_name_of(each, notes), each.type) for each in outer]
    new.update(zip(outer, added, strict=True))
    for each in sorted(within, key=_SERIAL):
        new[each] = node(each.op, tuple([new[arg] for arg in each.args]), each.params, each.type)
    kept = {new[each]: notes[each] for each in within if each in notes}
    kept |= {each: Note(each.name) for each in (*inputs, *added)}
    graph = Graph(name, (*inputs, *added), tuple([new[each] for each in outputs]), (), kept)
    return graph, tuple(outer)


def _is_open(each: Node) -> bool:
    """Whether a node goes by the index of a loop that it does not read: in an extent."""
    return is_open(each.type.shape) or any(mentions(value) for _, value in each.params)


def _has_open(root: Node, known: dict[Node, bool]) -> bool:
    """Whether an extent in or below a node is open; `known` has the answers until now."""
    stack = [root]
    while stack:
        each = stack[-1]
        waiting = [arg for arg in each.args if arg not in known]
        if each not in known and waiting:
            stack += waiting
            continue
        if each not in known:
            known[each] = _is_open(each) or any(known[arg] for arg in each.args)
        stack.pop()
    return known[root]


def dependent(outputs: Sequence[Node], inputs: Sequence[Input]) -> set[Node]:
    """The nodes below `outputs` that depend on any of `inputs`, or on an index in an extent.

    What is older than the inputs does not depend on them: a loop in a long program costs as much as
    its body, and not as the program.
    """
    first = min((each.serial for each in inputs), default=0)
    known = opened() if any_known() else None

    def counts(each: Node) -> bool:
        return each.serial >= first or (known is not None and _has_open(each, known))

    seen: set[Node] = set()
    found = list(filter(counts, outputs))
    for each in found:  # grows
        if each not in seen:
            seen.add(each)
            found += filter(counts, each.args)
    dependent: set[Node] = set(inputs)
    for each in sorted(seen, key=_SERIAL):
        if not dependent.isdisjoint(each.args) or _is_open(each):
            dependent.add(each)
    return dependent


def _name_of(each: Node, notes: dict[Node, Note]) -> str:
    """What stands for a node inside is called as it is."""
    if isinstance(each, Input):
        return each.name
    note = notes.get(each)
    return "_".join(filter(None, (note.name, note.suffix))) if note else ""


def loop_of(
    name: str,
    index: Input,
    carried: Sequence[tuple[Input, Node]],
    rows: Sequence[tuple[Input, Node]],
    outputs: Sequence[Node],
    notes: dict[Node, Note],
    test: Node | None = None,
    **kind: Any,
) -> Node:
    """The loop whose body computes `outputs` from what stands for its index, state and rows.

    `carried` and `rows` pair what stands for a value with its first value, or all rows. `outputs`
    are the next values of what is carried, then what is collected; `test` is computed from what
    stands for the state. Everything else that is read is invariant. `kind` is as of `loop_node`.
    """
    state, slices = [each for each, _ in carried], [each for each, _ in rows]
    inputs = [index, *state, *slices]
    results = (*outputs, *(() if test is None else (test,)))
    whole, outer = body_of(name, inputs, results, notes)
    invariant = whole.inputs[len(inputs) :]
    taken = (index, *invariant, *state, *slices)
    body = Graph(name, taken, whole.outputs[: len(outputs)], (), whole.notes)
    asked = None
    if test is not None:
        asked = Graph(f"{name}_test", (*invariant, *state), whole.outputs[-1:], (), whole.notes)
    return loop_node(
        body,
        invariant=outer,
        carried=[first for _, first in carried],
        scanned=[every for _, every in rows],
        test=asked,
        **kind,
    )
