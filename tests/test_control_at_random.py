"""Loops and branches at random: what the emitted code computes is what the graph means."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.graph import Note
from symdiff.ir.node import Node
from symdiff.ops import control, shaping
from tests.schedule.test_control import INDEX, INNER, ROWS, M, V, X, Y, emitted, stored, t


class Programs:
    """Random programs over vectors, with stores, views, and loops and branches in each other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = input_node("n", INDEX)
        self.x, self.y, self.rows = input_node("x", V), input_node("y", V), input_node("m", M)
        self.matrices: list[Node] = [self.rows]

    def graph(self) -> Graph:
        known = self.steps([self.x, self.y], self.random.choice((1, 2, 2, 3)), 12)
        outputs = [self.random.choice(known[2:]) for _ in range(self.random.randrange(1, 4))]
        outputs += self.random.sample(self.matrices[1:], min(1, len(self.matrices) - 1))
        inputs = (self.count, self.x, self.y, self.rows)
        return Graph("f", inputs, tuple(outputs), (), self.notes(known))

    def notes(self, nodes: Sequence[Node]) -> dict[Node, Note]:
        """Few names, so that they are taken again."""
        named = [each for each in nodes if self.random.random() < 0.4]
        return {each: Note(self.random.choice("abcuvh")) for each in named}

    def steps(self, known: list[Node], depth: int, most: int) -> list[Node]:
        for _ in range(self.random.randrange(1, most)):
            a, b = self.random.choice(known), self.random.choice(known)
            kind = self.random.randrange(9 if depth else 7)
            if kind == 7:
                known += self.loop(known, depth - 1)
            elif kind == 8:
                known += self.branch(known, depth - 1)
            else:
                known.append(self.step(kind, a, b))
        return known

    def step(self, kind: int, a: Node, b: Node) -> Node:
        if kind == 0:
            return stored(a, t(b)[1:-1] + 1, INNER)
        if kind == 1:
            return stored(a, t(b)[2], self.random.randrange(5))
        if kind == 2:
            return node(shaping.index_add, (a, t(b)[1:-1].node), (("index", (INNER,)),))
        results = (t(a)[::-1], t(a) + t(b), t(a) * 0.5, np.sin(t(a)))
        return results[kind - 3].node  # type: ignore[no-any-return]

    def loop(self, known: list[Node], depth: int) -> list[Node]:
        choose = self.random.choice
        state = [input_node(choose("abuvh"), V) for _ in range(self.random.randrange(1, 4))]
        carried = [(each, choose(known)) for each in state]
        rows = [(input_node("r", V), choose(self.matrices))] if self.random.random() < 0.4 else []
        kind = {"trips": 4 if rows else choose((0, 1, 2, 4)), "reverse": choose((True, False))}
        if not rows and self.random.random() < 0.3:
            kind |= {"trips": None, "count": self.count}
        inside = [*state, *(row for row, _ in rows), *self.random.sample(known, 2)]
        outer = list(self.matrices)
        inside = self.steps(inside, depth, 6)
        self.matrices = outer  # what a body collects is its own
        outputs = [choose(inside) for _ in range(len(state) + self.random.randrange(3))]
        made = control.loop_of(
            "loop", input_node("i", INDEX), carried, rows, outputs, self.notes(inside), **kind
        )
        found = control.items(made)
        results = found[: len(state)]
        for each in found[len(state) :]:
            if kind["trips"] == 4 and self.random.random() < 0.5:
                self.matrices.append(each)
            else:
                results += self.reading(each, known, kind | {"reverse": choose((True, False))})
        return results

    def reading(self, every: Node, known: list[Node], kind: dict[str, object]) -> list[Node]:
        """A loop over the rows that another one has collected."""
        total, row = input_node("t", V), input_node(self.random.choice("ra"), V)
        inside = self.steps([total, row], 0, 3)
        outputs = [(t(inside[-1]) + t(row) * 0.5).node]
        carried = [(total, self.random.choice(known))]
        made = control.loop_of(
            "reading", input_node("j", INDEX), carried, [(row, every)], outputs, {}, **kind
        )
        return control.items(made)

    def branch(self, known: list[Node], depth: int) -> list[Node]:
        taken = t(self.random.choice(known))[self.random.randrange(5)] > -0.2
        operands, count = self.random.sample(known, 2), self.random.randrange(1, 3)
        sides = []
        outer, self.matrices = self.matrices, []
        for _ in range(2):
            own = [input_node(self.random.choice("abuvx"), V) for _ in operands]
            inside = self.steps(list(own), 0, 4)
            outputs = tuple([self.random.choice(inside) for _ in range(count)])
            sides.append(Graph("side", tuple(own), outputs, (), self.notes(inside)))
        self.matrices = outer
        return control.items(control.cond_node(taken.node, operands, (sides[0], sides[1])))


@pytest.mark.parametrize("seed", range(40))
def test_emitted_code_computes_what_the_graph_means(seed):
    with compilation(), np.errstate(all="ignore"):
        graph = Programs(seed).graph()
        for count in (0, 1, 3):
            for primal, reuse in ((False, False), (True, False), (True, True)):
                emitted(graph, [count, X, Y, ROWS], primal, reuse)
