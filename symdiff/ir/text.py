"""The text form of a graph: printed, and parsed back to an equal graph."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from symdiff.ir.graph import Graph, Note, Position
from symdiff.ir.node import Const, Input, Node, Op, Params, constant, input_node, node
from symdiff.ir.types import parse_type, type_of


def to_text(graph: Graph) -> str:
    """The graph as text: a header, a line per node, the returned names."""
    nodes = graph.nodes()
    names = _names(graph, nodes)
    header = ", ".join(f"{names[each]}: {each.type}" for each in graph.inputs)
    rows = [
        (f"{names[each]} = {_expression(each, names)}", str(each.type), _comment(graph, each))
        for each in nodes
        if not isinstance(each, Input)
    ]
    width = min(max((len(row[0]) for row in rows), default=0), 60)
    lines = [f"graph {graph.name}({header})"]
    lines += [f"  {text:<{width}} : {type}{comment}" for text, type, comment in rows]
    if graph.effects:
        lines.append(f"  holds {', '.join(names[each] for each in graph.effects)}")
    lines.append(f"  return {', '.join(names[each] for each in graph.outputs)}")
    return "\n".join(lines) + "\n"


def _names(graph: Graph, nodes: list[Node]) -> dict[Node, str]:
    names: dict[Node, str] = {}
    taken: set[str] = set()
    for each in [*graph.inputs, *nodes]:
        if each in names:
            continue
        note = graph.notes.get(each, Note())
        stem = "_".join(filter(None, (note.name, note.suffix)))
        stem = each.name if isinstance(each, Input) else stem
        stem = re.sub(r"\W", "_", stem)
        name = stem or f"v{len(names) - len(graph.inputs)}"
        count = 1
        while name in taken:
            count += 1
            name = f"{stem or 'v'}_{count}"
        names[each] = name
        taken.add(name)
    return names


def _comment(graph: Graph, each: Node) -> str:
    note = graph.notes.get(each)
    return f"    # {note.position}" if note and note.position else ""


def _expression(each: Node, names: dict[Node, str]) -> str:
    if isinstance(each, Const):
        return f"const({_literal(each)})"
    parts = [names[arg] for arg in each.args]
    parts += [f"{key}={_param(value)}" for key, value in each.params]
    return f"{each.op.name}({', '.join(parts)})"


def _literal(each: Const) -> str:
    value = each.value
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    return repr(value.item() if isinstance(value, np.generic) else value)


def _param(value: Hashable) -> str:
    if isinstance(value, Graph):
        raise TypeError("a graph parameter has no one-line text form")
    return str(value.name) if isinstance(value, np.dtype) else repr(value)


def parse(text: str, lookup: Callable[[str], Op]) -> Graph:
    """The graph written in `text`; `lookup` finds an op by name. The inverse of `to_text`.

    Raises ValueError naming the line that does not parse.
    """
    header, *lines = [line for line in text.splitlines() if line.strip()]
    match = re.fullmatch(r"graph (\w+)\((.*)\)", header.strip())
    if match is None:
        raise ValueError(f"not a graph header: {header!r}")
    values: dict[str, Node] = {}
    inputs = [_parse_input(part, values) for part in re.split(r",\s+", match[2]) if part]
    notes: dict[Node, Note] = {}
    effects: tuple[Node, ...] = ()
    for line in lines:
        line, _, comment = line.strip().partition("    # ")
        if line.startswith("holds "):
            effects = _parse_names(line[6:], values)
            continue
        if line.startswith("return"):
            outputs = _parse_names(line[6:], values)
            return Graph(match[1], tuple(inputs), outputs, effects, notes)
        name, made = _parse_line(line, values, lookup)
        values[name] = made
        notes[made] = _parse_note(name, comment)
    raise ValueError("the graph returns nothing: its last line should be `return ...`")


def _parse_names(text: str, values: dict[str, Node]) -> tuple[Node, ...]:
    return tuple(values[name.strip()] for name in text.split(",") if name.strip())


def _parse_input(part: str, values: dict[str, Node]) -> Input:
    name, _, type_text = part.partition(":")
    made = input_node(name.strip(), parse_type(type_text))
    values[made.name] = made
    return made


def _parse_note(name: str, comment: str) -> Note:
    file, _, line = comment.strip().rpartition(":")
    position = Position(file, int(line), "") if line.isdigit() else None
    return Note("" if re.fullmatch(r"v_?\d+", name) else name, position=position)


def _parse_line(
    line: str, values: dict[str, Node], lookup: Callable[[str], Op]
) -> tuple[str, Node]:
    match = re.fullmatch(r"(\w+) = (\w+)\((.*)\)\s+: (\S+)", line)
    if match is None:
        raise ValueError(f"not a node: {line!r}")
    name, op, inside, type_text = match.groups()
    expected = parse_type(type_text)
    if op == "const":
        value: Any = eval(inside, {"__builtins__": {}}, {"nan": np.nan, "inf": np.inf})  # our text
        array = np.asarray(value, dtype=expected.dtype)
        return name, constant(value if expected.weak else array, expected)
    call = ast.parse(f"f({inside})", mode="eval").body
    assert isinstance(call, ast.Call)
    args = tuple(values[ast.unparse(arg)] for arg in call.args)
    params: Params = tuple((str(each.arg), _parse_param(each.value)) for each in call.keywords)
    made = node(lookup(op), args, params)
    if made.type != expected:
        raise ValueError(f"{line!r}: the type is {made.type}")
    return name, made


def _parse_param(value: ast.expr) -> Hashable:
    if isinstance(value, ast.Name):
        return np.dtype(value.id)
    found: Hashable = ast.literal_eval(value)
    return found


__all__ = ["parse", "to_text", "type_of"]
