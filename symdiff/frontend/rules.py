"""Derivative and batching rules as templates: traced once per types, then replayed.

A rule is a NumPy function, so it is read by the tracer like any other. Tracing it costs far more
than making its nodes, and a program applies few different rules, many times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from symdiff.errors import RuleError, SymdiffError
from symdiff.frontend import context
from symdiff.frontend.tracer import Tracer, lift
from symdiff.ir.graph import toposort
from symdiff.ir.node import Const, Node, Params, compilation, constant, input_node, node
from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Always

Step = tuple[Any, tuple[int, ...], Params, ArrayType]  # op (None: constant), operands, params, type


class Result(NamedTuple):
    """A result of a rule: a number, or the value at a place among operands and steps."""

    number: Any
    place: int
    reads: frozenset[int]  # the operands that it is computed from


class Template:
    """A traced rule: the steps that compute its results from operands, and which each reads."""

    __slots__ = ("results", "steps")

    def __init__(self, results: list[Any], inputs: list[Any]) -> None:
        self.steps: list[Step] = []
        self.results: list[Result] = []
        place = {each: i for i, each in enumerate(inputs)}
        for found in results:
            if isinstance(found, Tracer):
                nodes = toposort([found.node])
                self._append(nodes, place)
                reads = frozenset([place[each] for each in nodes if not each.args])
                reads = reads.intersection(range(len(inputs)))  # the others are constants
                self.results.append(Result(None, place[found.node], reads))
            else:
                self.results.append(Result(found, -1, frozenset()))

    @property
    def number(self) -> Any:
        """The only result, where it is a number; else None."""
        return self.results[0].number

    @property
    def reads(self) -> frozenset[int]:
        """What the only result reads."""
        return self.results[0].reads

    def _append(self, nodes: list[Node], place: dict[Node, int]) -> None:
        """The steps that make these nodes; each is given the next place."""
        for each in nodes:
            if each in place:
                continue
            place[each] = len(place)
            if isinstance(each, Const):
                self.steps.append((None, (), (("value", each.value),), each.type))
            else:
                operands = tuple([place[arg] for arg in each.args])
                self.steps.append((each.op, operands, each.params, each.type))

    def replay(self, operands: list[Node]) -> Node:
        """The nodes of the rule over these operands, its only result."""
        return self._values(operands)[self.results[0].place]

    def replay_each(self, operands: list[Node]) -> list[Node | None]:
        """The nodes of the rule over these operands, all results; None for a number."""
        values = self._values(operands)
        return [values[each.place] if each.number is None else None for each in self.results]

    def _values(self, operands: list[Node]) -> list[Node]:
        values = list(operands)
        for op, args, params, type in self.steps:
            if op is None:
                values.append(constant(params[0][1], type))
            else:
                values.append(node(op, tuple([values[i] for i in args]), params, type))
        return values


@lru_cache(maxsize=4096)
def template(
    rule: Callable[..., Any], types: tuple[ArrayType, ...], params: Params, name: str
) -> Template:
    """The template of a rule at operands of these types; `name` words the errors.

    A rule that gives a list has as many results, any other one has one.
    """
    if isinstance(rule, Always):
        return Template([rule.number], [])
    numbers = all(each.weak for each in types)
    with compilation(fresh=True), context.tracing(None), context.rule_on_numbers(numbers):
        inputs = [input_node(f"arg{i}", each) for i, each in enumerate(types)]
        tracers = [Tracer(each, is_array=True) for each in inputs]
        try:
            result = rule(*tracers, **dict(params))
        except SymdiffError as error:
            raise RuleError(f"the rule of {name} failed: {error}") from error
        results = result if isinstance(result, list) else [result]
        return Template([_traced(each) for each in results], inputs)


def _traced(result: Any) -> Any:
    """A traced value; numbers stay, and so does NotImplemented."""
    if isinstance(result, (Tracer, int, float)) or result is NotImplemented:
        return result
    return Tracer(lift(np.asarray(result)))
