"""Derivative and batching rules as templates: traced once per types, then replayed.

A rule is a NumPy function, so it is read by the tracer like any other. Tracing it costs far more
than making its nodes, and a program applies few different rules, many times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from symdiff.errors import RuleError, SymdiffError
from symdiff.frontend import context
from symdiff.frontend.tracer import Tracer, lift
from symdiff.ir.graph import toposort
from symdiff.ir.node import Const, Node, Params, compilation, constant, input_node, node
from symdiff.ir.types import ArrayType

Step = tuple[Any, tuple[int, ...], Params, ArrayType]  # op (None: constant), operands, params, type


class Template:
    """A traced rule: the steps that compute its result from operands, and which it reads."""

    __slots__ = ("number", "reads", "result", "steps")

    def __init__(self, result: Any, inputs: list[Any]) -> None:
        self.number: Any = None
        self.steps: list[Step] = []
        self.reads: frozenset[int] = frozenset()
        self.result = -1
        if not isinstance(result, Tracer):
            self.number = result
            return
        place = {each: i for i, each in enumerate(inputs)}
        nodes = toposort([result.node])
        self.reads = frozenset(place[each] for each in nodes if each in place)
        for each in nodes:
            if each in place:
                continue
            place[each] = len(inputs) + len(self.steps)
            if isinstance(each, Const):
                self.steps.append((None, (), (("value", each.value),), each.type))
            else:
                operands = tuple(place[arg] for arg in each.args)
                self.steps.append((each.op, operands, each.params, each.type))
        self.result = place[result.node]

    def replay(self, operands: list[Node]) -> Node:
        """The nodes of the rule over these operands."""
        values = list(operands)
        for op, args, params, type in self.steps:
            if op is None:
                values.append(constant(params[0][1], type))
            else:
                values.append(node(op, tuple([values[i] for i in args]), params, type))
        return values[self.result]


@lru_cache(maxsize=4096)
def template(
    rule: Callable[..., Any], types: tuple[ArrayType, ...], params: Params, name: str
) -> Template:
    """The template of a rule at operands of these types; `name` words the errors."""
    numbers = all(each.weak for each in types)
    with compilation(fresh=True), context.tracing(None), context.rule_on_numbers(numbers):
        inputs = [input_node(f"arg{i}", each) for i, each in enumerate(types)]
        tracers = [Tracer(each, is_array=True) for each in inputs]
        try:
            result = rule(*tracers, **dict(params))
        except SymdiffError as error:
            raise RuleError(f"the rule of {name} failed: {error}") from error
        if not isinstance(result, (Tracer, int, float)) and result is not NotImplemented:
            result = Tracer(lift(np.asarray(result)))
        return Template(result, inputs)
