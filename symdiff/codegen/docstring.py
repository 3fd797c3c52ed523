"""The docstring of an emitted function: what it computes, its types, the conventions that hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from symdiff.ir.graph import Graph, bodies, toposort
from symdiff.ir.node import Input, Node
from symdiff.ir.types import TUPLE, ArrayType
from symdiff.ops import elementwise
from symdiff.ops.primitive import CONSTANT, Primitive
from symdiff.schedule.program import Expression, Program

WIDTH = 75  # columns, behind the indentation of a function's body

_NUMBER = re.compile(r"_\d+(?=_|$)")

COMPLEX = "For complex z = x + iy the gradient is df/dx - i df/dy."
SELECTION = "np.where: the branch not chosen has derivative 0, even where its own is not finite."


def docstring(
    program: Program, summary: str, conventions: Sequence[str] = (), results: Sequence[str] = ()
) -> str:
    """The docstring, in its quotes and not indented.

    `results` say what each result is; without them it is told from the names returned.
    """
    takes = _grouped(program.types.items())
    names = results or [_name(each) for each in program.returns]
    types = [each.node.type for each in program.returns]
    returns = ", ".join(_grouped(zip(names, types, strict=True)))
    lines = [*_wrapped(f'"""{summary}', indent=""), ""]
    lines += _wrapped(f"Takes {', '.join(takes) or 'nothing'}.")
    if returns:
        lines += _wrapped(f"Returns {returns}.")
    if conventions:
        lines.append("")
    for each in conventions:
        lines += _wrapped(each)
    return "\n".join([*lines, '"""'])


def _name(each: Expression) -> str:
    """The name of what is returned, or nothing where an expression is."""
    name = each.source.text.removesuffix(".copy()")
    return name if name.isidentifier() else ""


def _grouped(types: Iterable[tuple[str, ArrayType]]) -> Iterator[str]:
    """`name: type`, neighbours of one type and parameter together: w[0], …, w[9]: f64[3]."""
    for (root, type), run in groupby(types, lambda item: (_root(item[0]), item[1])):
        names = [name for name, _ in run]
        if not root:
            yield from [str(type)] * len(names)
            continue
        if len(names) > 3:
            names = [names[0], "…", names[-1]]
        yield f"{', '.join(names)}: {type}"


def _root(name: str) -> str:
    return _NUMBER.sub("", name.partition("[")[0].partition(".")[0])


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    lines = [""]
    for word in text.split():
        line = f"{lines[-1]} {word}" if lines[-1] else word
        if len(line) > WIDTH and lines[-1]:
            lines.append(indent + word)
        else:
            lines[-1] = line
    return lines


def gradient_conventions(primal: Graph, wrt: Sequence[Input], math: str) -> list[str]:
    """The conventions that took part in differentiating the graph with respect to `wrt`."""
    found = list(dict.fromkeys(_conventions_of_ops(primal, wrt, math)))
    if any(each.type.dtype.kind == "c" for each in wrt):
        found.append(COMPLEX)
    return found


def _conventions_of_ops(primal: Graph, wrt: Sequence[Input], math: str) -> Iterator[str]:
    nodes = toposort(primal.outputs)
    live = _live(nodes, primal.outputs)
    dependent: set[Node] = set(wrt)
    for each in nodes:
        if each in live and any(arg in dependent for arg in each.args):
            dependent.add(each)
            assert isinstance(each.op, Primitive)
            for body in bodies(each):
                yield from _conventions_of_ops(body, body.inputs, math)
            if each.op.convention:
                yield each.op.convention
            elif each.op is elementwise.where and math != "ieee":  # masks are strong zeros
                yield SELECTION


def _live(nodes: Sequence[Node], outputs: Sequence[Node]) -> set[Node]:
    """The nodes through which a result has a derivative."""
    live = set(outputs)
    for each in reversed(nodes):
        if each in live and isinstance(each.op, Primitive):
            rules = map(each.op.rule, range(len(each.args)))
            through = each.op.control or (bool(each.args) and each.args[0].type is TUPLE)
            live.update(
                arg
                for arg, rule in zip(each.args, rules, strict=True)
                if through or rule is not CONSTANT
            )
    return live


def listed(names: Sequence[str]) -> str:
    """`W`, `W and b`, `W, b and x`, or that there is nothing."""
    *most, last = names or ("nothing",)
    return f"{', '.join(most)} and {last}" if most else last
