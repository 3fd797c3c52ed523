"""Where a graph is cut: what is computed in C, what in NumPy, and what they hand on."""

import numpy as np

import symdiff
from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.schedule.split import WORTH, split
from tests.differential.test_size import calls


def cut(function, *args):
    """The parts of a function, and the calls that are left, in order."""
    work = symdiff.jit(function).lower(*args).work
    return split(work.graph, work.primal)


def names(found):
    return [each.op.name for each in found.graph.nodes()]


def busy(x):
    return np.sin(x) * np.exp(-x) + x * np.cos(x)


X = np.arange(1.0, 9)


def test_parts_are_as_large_as_they_can_be():
    def f(x):
        y = np.abs(np.fft.fft(busy(x)))
        return busy(y) + busy(x + 1)

    found = cut(f, X)
    # what only the second part reads is computed there
    assert [len(each.graph.outputs) for each in found.parts] == [1, 1]
    assert names(found) == ["input", "part_1", "fft", "absolute", "part_2"]


def test_a_few_operations_are_left_to_numpy():
    def f(x):
        for _ in range(WORTH - 1):
            x = np.sin(x)
        return np.fft.fft(x)

    assert not cut(f, X).parts
    assert cut(lambda x: f(np.sin(x)), X).parts


def test_views_are_taken_where_they_are_read():
    def f(x):
        y = np.abs(np.fft.fft(busy(x)[::-1]))
        return busy(y.reshape(2, 4)[1])

    first, second = cut(f, X).parts
    assert first.graph.outputs[0].op.name == "add"
    assert second.graph.inputs[0].type.shape == (8,)


def test_what_is_handed_on_is_small():
    def f(x):
        y = busy(x)
        s = np.sum(y)
        z = np.abs(np.fft.fft(y * 2))
        return busy(z) * s

    found = cut(f, X)
    assert {each.type.shape for each in found.parts[0].graph.outputs} == {(8,), ()}


def test_one_cheap_operation_is_computed_again():
    def f(x, y):
        a = np.sin(x) * np.exp(y)
        b = np.abs(np.fft.fft(busy(a)))
        return busy(b) * (x * y) * np.sum(busy(a * x))

    first, second = cut(f, X, X).parts
    assert {each.type.shape for each in second.graph.inputs} == {(8,)}
    assert len(first.graph.outputs) == 2


def test_a_chain_of_cheap_operations_is_not_computed_again():
    def f(x):
        for _ in range(3):  # few enough to stay as they are
            x = x + np.abs(np.fft.fft(busy(x)))
        for _ in range(3):
            x = x + np.abs(np.fft.fft(busy(x)))
        return busy(x)

    found = cut(f, X)
    assert len(found.parts) == 7
    assert max(len(each.graph.inputs) for each in found.parts) <= 3


def test_decisions_are_checked_in_c_where_a_part_gives_something():
    def f(x):
        y = busy(x)
        if float(np.sum(y)) > 1e6 and x is not None:
            raise ValueError("large")
        return busy(np.abs(np.fft.fft(y)))

    found = cut(f, X)
    assert [len(each.graph.effects) for each in found.parts] == [1, 0]
    assert not found.graph.effects


def test_decisions_of_a_part_that_gives_nothing_are_checked_in_numpy():
    def f(x):
        if float(np.sum(busy(np.abs(np.fft.fft(x))))) > 1e6:
            raise ValueError("large")
        return x

    found = cut(f, X)
    assert len(found.graph.effects) == len(found.parts) == 1
    assert not found.parts[0].graph.effects


def test_a_decision_comes_before_what_may_never_end():
    def f(x, s):
        if float(np.sum(np.abs(np.fft.fft(x)))) > 1e6:
            raise ValueError("large")
        while s > 1:
            s = s / 2 + 0.1 * np.sin(s) ** 2
        return busy(x) * s

    (part,) = cut(f, X, 5.0).parts
    assert len(part.graph.effects) == 1
    assert "loop" in [each.op.name for each in part.graph.nodes()]


def test_the_results_of_a_loop_are_in_its_part():
    def f(x, y):
        for i in range(9):
            x = busy(x) / (i + 1)
        if float(np.sum(np.abs(np.fft.fft(y)))) > 1e6:
            raise ValueError("large")
        return x

    found = cut(f, X, X)
    assert found.parts
    assert all(each.type.dtype != object for part in found.parts for each in part.graph.outputs)


def test_loops_are_cut_inside():
    def f(x):
        for i in range(20):
            x = np.abs(np.fft.fft(busy(x) / (i + 1))) / 8
        return x

    found = cut(f, X)
    (loop,) = [each for each in found.graph.nodes() if each.op.name == "loop"]
    assert "part_1" in [each.op.name for each in loop.param("body").nodes()]


def test_a_store_into_a_large_array_is_left_in_place():
    def f(x):
        for i in range(2000):
            x[i] = np.sin(x[i]) * np.exp(x[i - 1]) + np.abs(np.fft.fft(x[i : i + 2]))[0] + x[i] ** 3
        return x

    found = cut(f, np.ones(2002))
    (loop,) = [each for each in found.graph.nodes() if each.op.name == "loop"]
    inside = [each.op.name for each in loop.param("body").nodes()]
    assert inside.count("index_set") == 1
    assert any(each.startswith("part_") for each in inside)
    assert all(given.type.shape != (2002,) for given in found.parts[0].graph.inputs)


def test_reasons_have_lines():
    def f(x):
        print(np.sum(x))
        return busy(np.abs(np.fft.fft(busy(x))))

    left = cut(f, X).left
    assert all(each.position for each in left)
    assert "printing happens in Python" in [each.reason for each in left]
    fft = next(each for each in left if each.reason.startswith("complex128 has no C form"))
    assert fft.position.text == "return busy(np.abs(np.fft.fft(busy(x))))"


def again_and_again(count):
    """A program that goes to NumPy so many times."""
    exact, wide = ((("dtype", np.dtype(each)), ("weak", False)) for each in ("f8", "longdouble"))
    x = made = input_node("x", array_type(np.float64, (8,)))
    for _ in range(count):
        for _ in range(WORTH):
            made = node(e.sin, (made,))
        made = node(e.convert, (node(e.convert, (made,), wide),), exact)
    return Graph("f", (x,), (made,))


def test_the_time_is_linear_in_the_number_of_operations():
    with compilation(fresh=True):
        few, many = again_and_again(50), again_and_again(200)
    assert len(split(few, ()).parts) == 50
    assert calls(split, many, ()) < 4.5 * calls(split, few, ())
