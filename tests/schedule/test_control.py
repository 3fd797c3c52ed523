"""Loops and branches as statements: what they compute, what they share, and how they read."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from symdiff.codegen.numpy_source import function_source
from symdiff.frontend import Tracer
from symdiff.frontend.pytree import Layout, flatten
from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.graph import Note, every_node
from symdiff.ir.node import Input, Node, constant
from symdiff.ir.types import ArrayType, array_type
from symdiff.ir.verify import verify
from symdiff.ops import control, shaping
from symdiff.ops import elementwise as e
from symdiff.ops.evaluate import evaluate
from symdiff.schedule.expand import expand
from symdiff.schedule.schedule import schedule

V = array_type(np.float64, (5,))
M = array_type(np.float64, (4, 5))
S = array_type(np.float64)
FLOAT = array_type(np.float64, (), True)
INDEX = control.INDEX
X = np.linspace(0.1, 1.7, 5)
Y = np.linspace(1.0, -1.0, 5)
ROWS = np.linspace(-1, 1, 20).reshape(4, 5)


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def named(*types: tuple[str, ArrayType]) -> list[Input]:
    return [input_node(name, type) for name, type in types]


def t(each: Node) -> Any:
    return Tracer(each, is_array=bool(each.type.shape))


def stored(base: Node, value: Any, *index: Any) -> Node:
    """What `base[index] = value` makes of the base; an index may be a node."""
    static = tuple(shaping.ARRAY if isinstance(each, Node) else each for each in index)
    arrays = [each for each in index if isinstance(each, Node)]
    params = (("index", static), ("distinct", True))
    return node(shaping.index_set, (base, getattr(value, "node", value), *arrays), params)


def number(index: Node, dtype: Any = np.float64) -> Any:
    return t(node(e.convert, (index,), (("dtype", np.dtype(dtype)), ("weak", False))))


def const(value: Any, type: ArrayType) -> Node:
    return constant(value, type)


def zeros(type: ArrayType) -> Node:
    return constant(type.dtype.type(0), type)


INNER = ("slice", 1, -1, None)


def emitted(graph: Graph, args: Sequence[Any], primal: bool = True, reuse: bool = False) -> str:
    """The source, whose results have been compared with what the graph means."""
    verify(graph)
    nodes = every_node(graph) if primal else set()
    program = schedule(expand(graph, nodes), (), nodes, dict_of(graph), reuse=reuse)
    assert str(program)
    source = function_source(program)
    scope = {"np": np, **program.constants}
    exec(source, scope)
    arrays = [each for each in (*args, *program.constants.values()) if np.ndim(each)]
    before = [each.copy() for each in arrays]
    expected = evaluate(graph.outputs, dict(zip(graph.inputs, args, strict=True)))
    for _ in range(2):  # nothing is kept from call to call
        results = scope[graph.name](*args)
        results = results if len(graph.outputs) > 1 else [results]
        for result, each, output in zip(results, expected, graph.outputs, strict=True):
            assert np.result_type(result) == np.result_type(each), source
            assert type(result) is output.type.python or not output.type.weak, source
            np.testing.assert_array_equal(np.asarray(result), np.asarray(each), source)
        for each, old in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(each, old, source)
        own = [each for each in results if np.ndim(each)]
        for i, each in enumerate(own):
            assert each.flags.writeable, source
            assert not any(np.shares_memory(each, other) for other in (*own[:i], *arrays)), source
    return source


def dict_of(graph: Graph) -> dict[Input, str]:
    return {each: each.name for each in graph.inputs}


def emit(graph: Graph, args: Sequence[Any]) -> str:
    """The body of the function, the same in all ways in which a program may be wanted."""
    for primal, reuse in ((False, False), (False, True), (True, True)):
        emitted(graph, args, primal, reuse)
    return emitted(graph, args).partition("\n")[2]


def heat(trips: int | None = 4, **kind: Any) -> Callable[..., list[Node]]:
    """u[1:-1] += c * (u[2:] - 2 * u[1:-1] + u[:-2]) in each trip."""

    def results(u: Node, c: Node) -> list[Node]:
        i, v = named(("i", INDEX), ("u", u.type))
        new = stored(v, t(v)[1:-1] + t(c) * (t(v)[2:] - 2 * t(v)[1:-1] + t(v)[:-2]), INNER)
        made = control.loop_of("heat", i, [(v, u)], [], [new], {}, trips=trips, **kind)
        return control.items(made)

    return results


def test_a_store_changes_the_array_that_is_carried():
    u, c = named(("u", V), ("c", S))
    text = emit(Graph("f", (u, c), tuple(heat()(u, c))), [X, np.float64(0.1)])
    assert text == (
        "    u = u.copy()\n"
        "    for _ in range(4):\n"
        "        getitem_1 = u[1:-1]\n"
        "        add_1 = u[2:] - 2 * getitem_1 + u[:-2]\n"
        "        u[1:-1] += c * add_1\n"
        "    return u\n"
    )


def test_an_array_of_the_programs_own_is_not_copied():
    u, c = named(("u", V), ("c", S))
    twice = (t(u) * 2).node
    text = emit(Graph("f", (u, c), tuple(heat()(twice, c))), [X, np.float64(0.1)])
    assert "copy" not in text


def test_what_is_read_later_is_copied():
    u, c = named(("u", V), ("c", S))
    twice = (t(u) * 2).node
    (last,) = heat()(twice, c)
    emit(Graph("f", (u, c), (last, twice)), [X, np.float64(0.1)])
    text = emit(Graph("f", (u, c), ((t(last) * t(twice)).node,)), [X, np.float64(0.1)])
    assert text.count("copy") == 1


def test_two_loops_change_one_array():
    u, c = named(("u", V), ("c", S))
    (once,) = heat()(u, c)
    (again,) = heat(3)(once, c)
    text = emit(Graph("f", (u, c), (again,)), [X, np.float64(0.1)])
    assert text.count("copy") == 1


def test_a_loop_in_a_loop_changes_the_same_array():
    u, c = named(("u", V), ("c", S))
    i, v = named(("k", INDEX), ("u", V))
    (inner,) = heat()(v, c)
    made = control.loop_of("f", i, [(v, u)], [], [inner], {}, trips=3)
    text = emit(Graph("f", (u, c), tuple(control.items(made))), [X, np.float64(0.1)])
    assert text == (
        "    u = u.copy()\n"
        "    for _ in range(3):\n"
        "        for _ in range(4):\n"
        "            getitem_1 = u[1:-1]\n"
        "            add_1 = u[2:] - 2 * getitem_1 + u[:-2]\n"
        "            u[1:-1] += c * add_1\n"
        "    return u\n"
    )


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_number_of_trips_that_is_not_known(count):
    u, c, n = named(("u", V), ("c", S), ("n", INDEX))
    graph = Graph("f", (u, c, n), tuple(heat(None, count=n)(u, c)))
    text = emit(graph, [X, np.float64(0.1), count])
    assert "for _ in range(n):" in text
    i, v = named(("i", INDEX), ("v", V))
    made = control.loop_of("f", i, [(v, u)], [], [(t(v) * t(c)).node], {}, count=n)
    (last,) = control.items(made)
    emit(Graph("f", (u, c, n), (last, (t(last) + 1).node)), [X, np.float64(0.1), count])
    w = (t(u) + 1).node
    made = control.loop_of("f", i, [(v, w)], [], [(t(v) * t(c)).node], {}, count=n)
    (last,) = control.items(made)
    changed = stored(last, t(c), 1)  # of the loop's own array, or of w, which is read again
    graph = Graph("f", (u, c, n), (changed, (t(w) * 2).node, w))
    emit(graph, [X, np.float64(0.1), count])


@pytest.mark.parametrize(("start", "step", "reverse"), [(0, 1, True), (1, 1, False), (7, -2, True)])
def test_the_index(start, step, reverse):
    x = input_node("x", V)
    i, v = named(("i", INDEX), ("v", V))
    following = (t(v) * 0.5 + number(i)).node
    kind = {"trips": 4, "start": start, "step": step, "reverse": reverse}
    made = control.loop_of("f", i, [(v, x)], [], [following, v], {}, **kind)
    last, before = control.items(made)
    emit(Graph("f", (x,), (last, before)), [X])
    j, s, row = named(("j", INDEX), ("s", V), ("r", V))
    following = (t(s) * t(row) + number(j)).node
    scan = control.loop_of("g", j, [(s, x)], [(row, before)], [following], {}, **kind)
    emit(Graph("f", (x,), tuple(control.items(scan))), [X])
    n = input_node("n", INDEX)
    kind["trips"], kind["count"] = None, n
    made = control.loop_of("f", i, [(v, x)], [], [(t(v) + number(i)).node, v], {}, **kind)
    last, before = control.items(made)
    scan = control.loop_of("g", j, [(s, last)], [(row, before)], [following], {}, **kind)
    for count in (0, 1, 3):
        emit(Graph("f", (x, n), tuple(control.items(scan))), [X, count])


def test_a_range_reads_as_it_is_written():
    x = input_node("x", S)
    for text, kind in {
        "for i in range(4):": {"trips": 4},
        "for i in reversed(range(4)):": {"trips": 4, "reverse": True},
        "for i in range(1, 5):": {"trips": 4, "start": 1},
        "for i in range(1, 9, 2):": {"trips": 4, "start": 1, "step": 2},
        "for i in range(4, 0, -1):": {"trips": 4, "start": 4, "step": -1},
    }.items():
        i, v = named(("i", INDEX), ("v", S))
        made = control.loop_of("f", i, [(v, x)], [], [(t(v) * number(i)).node], {}, **kind)
        assert text in emit(Graph("f", (x,), tuple(control.items(made))), [np.float64(0.3)])


def newton(a: Node, type: ArrayType, first: Node) -> list[Node]:
    i, y = named(("i", INDEX), ("y", type))
    root = t(y)
    following, test = (0.5 * (root + t(a) / root)).node, (abs(root * root - t(a)) > 1e-6).node
    return control.items(
        control.loop_of("newton", i, [(y, first)], [], [following, y], {}, test=test)
    )


@pytest.mark.parametrize("value", [0.5, 2.0, 1.0])
def test_a_loop_goes_on_while_its_test_holds(value):
    a = input_node("a", FLOAT)
    root, _, trips = newton(a, FLOAT, const(1.0, FLOAT))
    text = emit(Graph("f", (a,), (root,)), [value])
    assert text == (
        "    y = 1.0\n"
        "    while abs(y * y - a) > 1e-06:\n"
        "        y = 0.5 * (y + a / y)\n"
        "    return y\n"
    )
    assert "i += 1" in emit(Graph("f", (a,), (root, trips)), [value])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [0.5, 2.0, 1.0])
def test_a_list_is_read_backwards(value, dtype):
    type = array_type(dtype)
    a = input_node("a", type)
    one, none = constant(dtype(1), type), constant(dtype(0), type)
    root, ys, trips = newton(a, type, one)
    i, y_bar, a_bar, y = named(("i", INDEX), ("y_bar", type), ("a_bar", type), ("y", type))
    half = 0.5 * t(y_bar)
    next_y = half - half * t(a) / (t(y) * t(y))
    outputs = [next_y.node, (t(a_bar) + half / t(y)).node]
    back = control.loop_of(
        "back", i, [(y_bar, one), (a_bar, none)], [(y, ys)], outputs, {}, count=trips, reverse=True
    )
    found = control.items(back)
    text = emit(Graph("f", (a,), (root, found[1])), [dtype(value)])
    assert "ys.append(y)" in text and "in reversed(ys):" in text and "trips" not in text
    emit(Graph("f", (a,), (root, *found, trips)), [dtype(value)])


@pytest.mark.parametrize("value", [0.5, 2.0, 1.0])
def test_rows_of_python_numbers_are_numpys(value):
    a = input_node("a", FLOAT)
    root, ys, trips = newton(a, FLOAT, const(1.0, FLOAT))
    i, total, y = named(("i", INDEX), ("total", S), ("y", S))
    back = control.loop_of(
        "back", i, [(total, zeros(S))], [(y, ys)], [(t(total) + 1 / (t(y) - 1)).node], {},
        count=trips,
    )
    with np.errstate(divide="ignore"):  # and not ZeroDivisionError
        emit(Graph("f", (a,), (root, *control.items(back))), [value])


@pytest.mark.parametrize("value", [0.5, 2.0, 1.0])
def test_rows_that_are_read_as_python_numbers_stay_these(value):
    a = input_node("a", FLOAT)
    root, ys, trips = newton(a, FLOAT, const(1.0, FLOAT))
    i, total, y = named(("i", INDEX), ("total", FLOAT), ("y", S))
    plain = node(e.convert, (y,), (("dtype", S.dtype), ("weak", True)))
    notes = {(new := (t(total) + t(plain) * t(plain)).node): Note("total", "bar")}
    back = control.loop_of(
        "back", i, [(total, const(0.0, FLOAT))], [(y, ys)], [new], notes, count=trips, reverse=True
    )
    text = emit(Graph("f", (a,), (root, *control.items(back))), [value])
    assert "np." not in text and "float(" not in text
    assert "        total += y * y\n" in text or "        total += y_1 * y_1\n" in text


def test_what_a_list_holds_is_given_back_while_it_is_read():
    x, rows, others = named(("x", V), ("X", M), ("Y", M))
    last, news, olds = rnn(x, rows, others)
    i, h_bar, h, old, other = named(
        ("i", INDEX), ("h_bar", V), ("h", V), ("old", V), ("other", V)
    )
    for scanned, line in (
        ([(h, news), (old, olds), (other, others)], "for other in Y[::-1]:\n        h = hs.pop()"),
        ([(h, news), (old, olds)], "for _ in range(4):\n        h = hs.pop()"),
        ([(h, news), (other, news)], "in zip(reversed(hs), reversed(hs)):"),
    ):
        factor = t(scanned[0][0]) * t(scanned[1][0])
        new = (t(h_bar) * (t(h) + factor)).node
        back = control.loop_of("g", i, [(h_bar, last)], scanned, [new], {}, trips=4, reverse=True)
        args = [X, ROWS, ROWS[::-1].copy()]
        assert line in emit(Graph("f", (x, rows, others), tuple(control.items(back))), args)


def layers(fields: Sequence[str], count: int) -> list[list[Input]]:
    return [[input_node(f"layers_{i}{f}", V) for f in fields] for i in range(count)]


def scanned(inputs: Sequence[Sequence[Input]], x: Node, reverse: bool = False) -> list[Node]:
    """x = tanh(x * W + b) for the rows W, b, … of what is given for each trip."""
    i, h = named(("i", INDEX), ("h", V))
    rows = [input_node("", V) for _ in inputs[0]]
    new = t(h) * t(rows[0])
    for each in rows[1:]:
        new = new + t(each)
    lists = [node(control.rows, each) for each in zip(*inputs, strict=True)]
    made = control.loop_of(
        "f", i, [(h, x)], list(zip(rows, lists, strict=True)), [np.tanh(new).node], {},
        trips=len(inputs), reverse=reverse,
    )
    return control.items(made)


def called(graph: Graph, access: dict[Input, str], sequences: dict[str, int]) -> Any:
    """The emitted function and its source."""
    program = schedule(graph, (), set(), access, None, False, {}, lambda: sequences)
    scope = {"np": np, **program.constants}
    source = function_source(program)
    exec(source, scope)
    return scope[graph.name], source


def test_a_list_among_the_arguments_is_read_as_it_is():
    x = input_node("x", V)
    inputs = layers([""], 5)
    access = {x: "x"} | {each[0]: f"weights[{i}]" for i, each in enumerate(inputs)}
    values = list(np.linspace(-1, 1, 25).reshape(5, 5))
    for first, last, length, text in (
        (0, 5, 5, "for weight in weights:"),
        (1, 5, 5, "for weight in weights[1:]:"),
        (1, 4, 5, "for weight in weights[1:4]:"),
        (0, 5, 0, "in [weights[0], weights[1], weights[2]"),  # a dict, say
    ):
        used = inputs[first:last]
        graph = Graph("f", (x, *(each[0] for each in inputs)), tuple(scanned(used, x)))
        function, source = called(graph, access, {"weights": length})
        assert text in source
        expected = X
        for each in values[first:last]:
            expected = np.tanh(expected * each)
        np.testing.assert_array_equal(function(X, values), expected)
    both = (*scanned(inputs, x), *scanned(inputs, x, reverse=True))
    graph = Graph("f", (x, *(each[0] for each in inputs)), both)
    source = called(graph, access, {"weights": 5})[1]
    assert "in weights:" in source and "in reversed(weights):" in source


def test_parts_of_trees_in_a_list_are_read_from_these():
    x = input_node("x", V)
    inputs = layers(["W", "b"], 4)
    access = {x: "x"}
    for i, (weight, bias) in enumerate(inputs):
        access |= {weight: f'layers[{i}]["W"]', bias: f'layers[{i}]["b"]'}
    flat = [each for pair in inputs for each in pair]
    graph = Graph("f", (x, *flat), tuple(scanned(inputs, x)))
    function, source = called(graph, access, {"layers": 4})
    assert source.partition("\n")[2] == (
        "    h = x\n"
        "    for layer in layers:\n"
        '        h = np.tanh(h * layer["W"] + layer["b"])\n'
        "    return h\n"
    )
    trees = [{"W": row, "b": row[::-1]} for row in np.linspace(-1, 1, 20).reshape(4, 5)]
    expected = X
    for tree in trees:
        expected = np.tanh(expected * tree["W"] + tree["b"])
    np.testing.assert_array_equal(function(X, trees), expected)


def test_values_that_are_no_list_are_put_into_one():
    x, y = named(("x", V), ("y", V))
    values = [x, (t(x) + 1).node, y, (t(x) + 1).node]
    emit(Graph("f", (x, y), tuple(scanned([[each] for each in values], x))), [X, Y])
    own = (t(x) * 3).node
    values = [own, y, own, x]
    last = scanned([[each] for each in values], x)
    again = scanned([[each] for each in values], own, reverse=True)
    emit(Graph("f", (x, y), (*last, *again, stored(own, t(y)[0], 1))), [X, Y])
    emit(Graph("f", (x, y), (*last, node(control.rows, tuple(values)))), [X, Y])
    numbers = [input_node(name, FLOAT) for name in "abc"]
    i, h, row = named(("i", INDEX), ("h", V), ("r", S))
    made = control.loop_of(
        "f", i, [(h, x)], [(row, node(control.rows, tuple(numbers)))], [(t(h) / t(row)).node], {},
        trips=3,
    )
    emit(Graph("f", (x, *numbers), tuple(control.items(made))), [X, 1.0, 2.0, 4.0])


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_that_are_returned_need_no_array(reverse):
    x = input_node("x", V)
    i, h = named(("i", INDEX), ("h", V))
    new = np.tanh(t(h) + number(i)).node
    for outputs in ([new, new], [new, h], [new, t(new)[::-1].node], [new, (t(h) * 2).node]):
        made = control.loop_of("f", i, [(h, x)], [], outputs, {}, trips=3, reverse=reverse)
        last, every = control.items(made)
        rows = [t(every)[k].node for k in range(3)]
        graph = Graph("f", (x,), (last, *rows))
        emit(graph, [X])
        emit(Graph("f", (x,), (rows[1], rows[0], rows[1], last)), [X])
        assert "np.empty" not in emitted(graph, [X])
        spec = flatten((1, [1, 1, 1]))[1]
        program = schedule(graph, layout=Layout(spec, (0, 1, 2, 3)))
        ending = "copy()]" if outputs[1] is h or outputs[1].op is shaping.getitem else "s"
        assert program.result.endswith(ending)
    row = stored(every, const(1.0, V), 1)
    emit(Graph("f", (x,), (t(every)[0].node, row)), [X])


def test_sums_over_trips_are_added_to():
    x, rows = named(("x", V), ("X", M))
    i, total, row = named(("i", INDEX), ("total", V), ("row", V))
    new = (t(total) + t(row) * t(x)).node
    notes = {new: Note("total", "bar")}
    for first in (zeros(V), x, (t(x) * 2).node):
        made = control.loop_of("g", i, [(total, first)], [(row, rows)], [new], notes, trips=4)
        text = emit(Graph("f", (x, rows), tuple(control.items(made))), [X, ROWS])
        assert "        total += row * x\n" in text
        assert text.count("copy") == (first is x)


def test_variables_are_exchanged():
    x, y = named(("x", V), ("y", V))
    i, a, b = named(("i", INDEX), ("a", V), ("b", V))
    notes = {(total := (t(a) + t(b)).node): Note("b")}
    for trips in (1, 2, 3, 6):
        made = control.loop_of("f", i, [(a, x), (b, y)], [], [b, total], notes, trips=trips)
        text = emit(Graph("f", (x, y), tuple(control.items(made))), [X, Y])
        assert "        a, b = b, a + b\n" in text
        assert ("copy" in text) == (trips == 1)  # only then a is still y
    made = control.loop_of("f", i, [(a, x), (b, y)], [], [b, a], {}, trips=3)
    emit(Graph("f", (x, y), tuple(control.items(made))), [X, Y])


def test_an_array_that_is_handed_on_changes_in_place():
    x, y = named(("x", V), ("y", V))
    i, a, b = named(("i", INDEX), ("a", V), ("b", V))
    changed = stored(a, t(b)[1:-1] + 1, INNER)
    for outputs in ([b, changed], [changed, a], [changed, changed], [changed, b], [b, b]):
        made = control.loop_of("f", i, [(a, x), (b, y)], [], outputs, {}, trips=5)
        emit(Graph("f", (x, y), tuple(control.items(made))), [X, Y])
        same = control.loop_of("f", i, [(a, x), (b, x)], [], outputs, {}, trips=5)
        emit(Graph("f", (x,), tuple(control.items(same))), [X])


def test_an_array_that_is_read_as_it_was_is_not_changed():
    x = input_node("x", V)
    own = (t(x) * 3).node
    i, a, row = named(("i", INDEX), ("a", V), ("r", S))
    changed = stored(a, t(own)[1:-1] + t(a)[1:-1], INNER)
    made = control.loop_of("f", i, [(a, own)], [], [changed], {}, trips=3)
    emit(Graph("f", (x,), tuple(control.items(made))), [X])
    changed = stored(a, t(row) + t(a)[1:-1], INNER)
    made = control.loop_of("f", i, [(a, own)], [(row, own)], [changed], {}, trips=5)
    emit(Graph("f", (x,), tuple(control.items(made))), [X])


def test_views_of_what_changes():
    x = input_node("x", V)
    i, a, b = named(("i", INDEX), ("a", V), ("b", V))
    changed = stored(a, t(b)[1:-1] + 1, INNER)
    backwards = t(a)[::-1].node
    for outputs in ([changed, backwards], [backwards, changed], [changed, t(changed)[::-1].node]):
        made = control.loop_of("f", i, [(a, x), (b, x)], [], outputs, {}, trips=4)
        emit(Graph("f", (x,), tuple(control.items(made))), [X])


def rnn(x: Node, rows: Node, others: Node, **kind: Any) -> list[Node]:
    i, h, row, other = named(("i", INDEX), ("h", V), ("x", V), ("y", V))
    new = np.tanh(t(h) * t(row) + t(other)).node
    return control.items(
        control.loop_of(
            "rnn", i, [(h, x)], [(row, rows), (other, others)], [new, new, h], {new: Note("h")},
            **{"trips": 4, **kind},
        )
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_are_read_and_collected(reverse):
    x, rows, others = named(("x", V), ("X", M), ("Y", M))
    args = [X, ROWS, ROWS[::-1].copy()]
    results = rnn(x, rows, others, reverse=reverse)
    emit(Graph("f", (x, rows, others), tuple(results)), args)
    emit(Graph("f", (x, rows, others), (results[1],)), args)
    text = emit(Graph("f", (x, rows, others), (results[0],)), args)
    line = "zip(X[::-1], Y[::-1])" if reverse else "zip(X, Y)"
    assert f"in {line}:\n        h = np.tanh(h * " in text


def test_what_is_collected_and_carried_is_not_changed():
    x = input_node("x", V)
    i, a = named(("i", INDEX), ("a", V))
    changed = stored(a, t(a)[1:-1] + 1, INNER)
    collected = [
        [changed, a], [changed, changed], [changed, t(a)[1:3].node], [a, changed],
        [changed, t(changed)[::-1].node], [changed, a, changed],
    ]
    for kind in ({"trips": 4}, {"test": (t(a).sum() < 30).node}):
        for outputs in collected:
            made = control.loop_of("f", i, [(a, x)], [], outputs, {}, **kind)
            if "test" in kind and outputs[0] is a:
                continue  # which never ends
            last, *states = control.items(made)[: len(outputs)]
            trips = control.items(made)[-1]
            results = [last]
            for each in states:
                j, total, row = named(
                    ("j", INDEX), ("total", array_type(np.float64, each.type.shape[1:])),
                    ("row", array_type(np.float64, each.type.shape[1:])),
                )
                following = (2 * t(total) + t(row)).node
                how = {"count": trips} if "test" in kind else {"trips": 4}
                read = control.loop_of(
                    "g", j, [(total, zeros(total.type))], [(row, each)], [following], {},
                    reverse=True, **how,
                )
                results += control.items(read)
            emit(Graph("f", (x,), tuple(results)), [X])
            if "trips" in kind:
                emit(Graph("f", (x,), (last, *states)), [X])


def test_lists_of_lists():
    x = input_node("x", S)
    k, outer = named(("k", INDEX), ("outer", S))
    i, inner = named(("i", INDEX), ("inner", S))
    loop = control.loop_of(
        "g", i, [(inner, outer)], [], [(t(inner) * 2).node, inner], {}, test=(t(inner) < 9).node
    )
    last, states, trips = control.items(loop)
    made = control.loop_of(
        "f", k, [(outer, x)], [], [(t(last) / 5).node, states, trips], {}, trips=3
    )
    value, lists, counts = control.items(made)
    row = array_type(np.float64, (control.UNKNOWN,))
    j, total, each, count = named(("j", INDEX), ("total", S), ("each", row), ("n", array_type(int)))
    m, part, one = named(("m", INDEX), ("part", S), ("one", S))
    python = node(e.convert, (count,), (("dtype", np.dtype(np.int64)), ("weak", True)))
    read = control.loop_of(
        "h", m, [(part, total)], [(one, each)], [(t(part) * 0.5 + t(one)).node], {},
        count=python, reverse=True,
    )
    all_read = control.loop_of(
        "h", j, [(total, x)], [(each, lists), (count, counts)], control.items(read), {},
        trips=3, reverse=True,
    )
    emit(Graph("f", (x,), (value, *control.items(all_read))), [np.float64(1)])


def branch(taken: Node, operands: Sequence[Node], then: Any, other: Any) -> list[Node]:
    sides = []
    for side in (then, other):
        own = [input_node(getattr(each, "name", ""), each.type) for each in operands]
        outputs = tuple(getattr(each, "node", each) for each in side(*map(t, own)))
        notes = {each: Note(each.name) for each in own}
        notes.setdefault(outputs[0], Note(operands[0].name if operands[0] in own else "v"))
        sides.append(Graph("side", tuple(own), outputs, (), notes))
    return control.items(control.cond_node(taken, operands, (sides[0], sides[1])))


@pytest.mark.parametrize("value", [-0.5, 0.5])
def test_one_side_is_run(value):
    x, v = named(("x", S), ("v", V))
    taken = (t(x) > 0).node
    found = branch(taken, [v, x], lambda v, x: [v * x, v], lambda v, x: [v - x, v[::-1]])
    emit(Graph("f", (x, v), tuple(found)), [np.float64(value), X])
    text = emit(Graph("f", (x, v), (found[0],)), [np.float64(value), X])
    assert text == (
        "    if x > 0:\n"
        "        v = v * x\n"
        "    else:\n"
        "        v = v - x\n"
        "    return v\n"
    )
    emit(Graph("f", (x, v), (found[0], found[1], (t(v) + 1).node)), [np.float64(value), X])


@pytest.mark.parametrize("value", [-0.5, 0.5])
def test_a_side_that_changes_nothing_is_not_written(value):
    x, v = named(("x", S), ("v", V))
    taken = (t(x) > 0).node
    for then, other, test in (
        (lambda v: [2 * v], lambda v: [v], "    if x > 0:\n"),
        (lambda v: [v], lambda v: [2 * v], "    if not x > 0:\n"),
    ):
        text = emit(Graph("f", (x, v), tuple(branch(taken, [v], then, other))),
                    [np.float64(value), X])
        assert text.startswith(f"{test}        v = 2 * v\n")
        assert "else" not in text
    same = branch(taken, [v], lambda v: [v], lambda v: [v])
    assert "if" not in emit(Graph("f", (x, v), tuple(same)), [np.float64(value), X])


@pytest.mark.parametrize("value", [-2.0, -0.5, 0.5])
def test_sides_with_sides_are_further_conditions(value):
    x, v = named(("x", S), ("v", V))

    def other(v, x):
        return branch((x > -1).node, [v.node, x.node], lambda v, x: [v + x], lambda v, x: [v])

    found = branch((t(x) > 0).node, [v, x], lambda v, x: [v * x], other)
    text = emit(Graph("f", (x, v), tuple(found)), [np.float64(value), X])
    assert "    elif x > -1:\n        v = v + x\n    return" in text


@pytest.mark.parametrize("value", [-0.5, 0.5])
def test_a_store_on_one_side_changes_the_programs_own_array(value):
    x, v = named(("x", S), ("v", V))
    own = (t(v) * 2).node
    changed = branch(
        (t(x) > 0).node, [own, x],
        lambda v, x: [stored(v.node, x, 1)], lambda v, x: [v],
    )
    text = emit(Graph("f", (x, v), tuple(changed)), [np.float64(value), X])
    assert "copy" not in text
    emit(Graph("f", (x, v), (*changed, own)), [np.float64(value), X])
    emit(Graph("f", (x, v), (stored(changed[0], t(x), 2),)), [np.float64(value), X])
    emit(Graph("f", (x, v), (stored(changed[0], t(x), 2), own)), [np.float64(value), X])
    late = (t(own) + 1).node
    emit(Graph("f", (x, v), (stored(changed[0], t(x), 2), late)), [np.float64(value), X])


def test_a_branch_in_a_loop_changes_the_array_that_is_carried():
    v = input_node("v", V)
    i, u = named(("i", INDEX), ("u", V))
    changed = branch(
        (t(u)[1] > 0.9).node, [u], lambda u: [stored(u.node, u[0] * 0.5, 1)], lambda u: [u * 1.5]
    )
    for trips in (1, 4):
        made = control.loop_of("f", i, [(u, v)], [], changed, {}, trips=trips)
        text = emit(Graph("f", (v,), tuple(control.items(made))), [X])
        assert text.count("copy") == 1
    made = control.loop_of("f", i, [(u, v)], [], [*changed, u], {}, trips=4)
    emit(Graph("f", (v,), tuple(control.items(made))), [X])
    w = input_node("w", V)
    passed = branch((t(u)[1] > 0.5).node, [u, w], lambda u, w: [w], lambda u, w: [u + w])
    for outputs in (passed, [stored(passed[0], t(w)[0], 2)]):
        made = control.loop_of("f", i, [(u, v)], [], outputs, {}, trips=4)
        emit(Graph("f", (v, w), tuple(control.items(made))), [X, Y])


@pytest.mark.parametrize("value", [-0.5, 0.5])
def test_a_loop_on_one_side(value):
    x, v = named(("x", S), ("v", V))
    found = branch(
        (t(x) > 0).node, [v, x],
        lambda v, x: heat()(v.node, x.node), lambda v, x: [v * x],
    )
    emit(Graph("f", (x, v), tuple(found)), [np.float64(value), X])


def test_constants_are_made_once():
    x = input_node("x", V)
    i, v = named(("i", INDEX), ("v", V))
    body = (t(v) * np.array([1.0, 2.0, 3.0, 4.0, 0.5]) + np.arange(5.0)).node
    made = control.loop_of("f", i, [(v, x)], [], [body], {}, trips=4)
    text = emit(Graph("f", (x,), tuple(control.items(made))), [X])
    assert "np.a" not in text.partition("for ")[2]


def test_names_that_are_read_later_stay():
    x, h = named(("x", V), ("h", V))
    i, v = named(("i", INDEX), ("v", V))
    a = (t(v) * 2).node
    b = np.sin(t(a) + t(a) * t(a)).node
    notes = {a: Note("h"), b: Note("x")}
    made = control.loop_of("f", i, [(v, x)], [], [(t(b) * t(b)).node], notes, trips=4)
    (last,) = control.items(made)
    emit(Graph("f", (x, h), ((t(last) + t(h) + t(x)).node,)), [X, Y])
    made = control.loop_of("f", i, [(v, x)], [], [(t(b) * t(b) + t(h) * t(x)).node], notes, trips=4)
    emit(Graph("f", (x, h), tuple(control.items(made))), [X, Y])


def test_what_waits_reads_what_was():
    x = input_node("x", V)
    own = (t(x) * 2).node
    waiting = (np.sin(t(own)) + 1).node
    i, v = named(("i", INDEX), ("v", V))
    made = control.loop_of("f", i, [(v, own)], [], [stored(v, t(v)[0] + 1, 1)], {}, trips=4)
    (last,) = control.items(made)
    emit(Graph("f", (x,), ((t(waiting) * t(last)).node,)), [X])
    emit(Graph("f", (x,), ((t(last) * t(waiting)).node,)), [X])


def test_a_long_body():
    x = input_node("x", V)
    i, v = named(("i", INDEX), ("v", V))
    body = t(v)
    for k in range(700):
        body = np.sin(body) + k * t(v)
    made = control.loop_of("f", i, [(v, x)], [], [body.node], {}, trips=3)
    emit(Graph("f", (x,), tuple(control.items(made))), [X])


def test_stores_at_the_index():
    x = input_node("x", V)
    i, y = named(("i", INDEX), ("y", V))
    back = node(e.subtract, (i, const(1, INDEX)))
    before = node(shaping.getitem, (y, back), (("index", (shaping.ARRAY,)),))
    here = node(shaping.getitem, (x, i), (("index", (shaping.ARRAY,)),))
    new = stored(y, 0.5 * t(before) + t(here), i)
    made = control.loop_of("f", i, [(y, zeros(V))], [], [new], {}, trips=4, start=1)
    text = emit(Graph("f", (x,), tuple(control.items(made))), [X])
    assert text == (
        "    y = np.zeros(5)\n"
        "    for i in range(1, 5):\n"
        "        y[i] = 0.5 * y[i - 1] + x[i]\n"
        "    return y\n"
    )


def test_a_row_at_the_index_is_a_view():
    x = input_node("x", M)
    i, y = named(("i", INDEX), ("y", M))
    row = node(shaping.getitem, (y, i), (("index", (shaping.ARRAY,)),))
    changed = stored(y, const(1.0, V), i)
    again = stored(changed, t(row), 0)
    made = control.loop_of("f", i, [(y, x)], [], [again], {}, trips=4)
    emit(Graph("f", (x,), tuple(control.items(made))), [ROWS])
