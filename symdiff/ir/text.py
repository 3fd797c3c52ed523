"""The text form of a graph: printed, and parsed back to an equal graph."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Hashable
from typing import Any

import numpy as np

from symdiff.ir.graph import Graph, Note, Position, bodies
from symdiff.ir.node import Const, Input, Node, Op, Params, constant, input_node, node
from symdiff.ir.types import ArrayType, parse_type, type_of

_INDENT = "  "


def to_text(graph: Graph) -> str:
    """The graph as text: a header, a line per node, the returned names.

    A graph inside it stands, by a name that no other there has, before the first node that runs it.
    """
    return "\n".join(_lines(graph, graph.name)) + "\n"


def _lines(graph: Graph, name: str) -> list[str]:
    nodes = [each for each in graph.nodes() if not isinstance(each, Input)]
    names = _names(graph, nodes)
    inner = {body: "" for each in nodes for body in bodies(each)}
    for body in inner:
        inner[body] = _free(re.sub(r"\W", "_", body.name) or "body", inner.values())
    texts = {each: f"{names[each]} = {_expression(each, names, inner)}" for each in nodes}
    width = min(max(map(len, texts.values()), default=0), 60)
    header = ", ".join(f"{names[each]}: {each.type}" for each in graph.inputs)
    lines = [f"graph {name}({header})"]
    written: set[Graph] = set()
    for each, text in texts.items():
        for body in bodies(each):
            if body not in written:
                written.add(body)
                lines += [_INDENT + line for line in _lines(body, inner[body])]
        lines.append(f"  {text:<{width}} : {each.type}{_comment(graph, each)}")
    if graph.effects:
        lines.append(f"  holds {', '.join(names[each] for each in graph.effects)}")
    lines.append(f"  return {', '.join(names[each] for each in graph.outputs)}")
    return lines


def _free(stem: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    count, name = 1, stem
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    return name


def _names(graph: Graph, nodes: list[Node]) -> dict[Node, str]:
    names: dict[Node, str] = {}
    taken: dict[str, int] = {}
    for each in [*graph.inputs, *nodes]:
        if each in names:
            continue
        note = graph.notes.get(each, Note())
        stem = "_".join(filter(None, (note.name, note.suffix)))
        stem = each.name or "x" if isinstance(each, Input) else stem
        stem = re.sub(r"\W", "_", stem)
        stem, name = stem or "v", stem or f"v{len(names) - len(graph.inputs)}"
        while name in taken:
            taken[stem] = taken.get(stem, 1) + 1
            name = f"{stem}_{taken[stem]}"
        names[each] = name
        taken.setdefault(name, 1)
    return names


def _comment(graph: Graph, each: Node) -> str:
    note = graph.notes.get(each)
    return f"    # {note.position}" if note and note.position else ""


def _expression(each: Node, names: dict[Node, str], inner: dict[Graph, str]) -> str:
    if isinstance(each, Const):
        return f"const({_literal(each)})"
    parts = [names[arg] for arg in each.args]
    parts += [f"{key}={_param(value, inner)}" for key, value in each.params]
    return f"{each.op.name}({', '.join(parts)})"


def _literal(each: Const) -> str:
    value = each.value
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    return repr(value.item() if isinstance(value, np.generic) else value)


def _param(value: Hashable, inner: dict[Graph, str]) -> str:
    if isinstance(value, Graph):
        return inner[value]
    if isinstance(value, tuple) and value and isinstance(value[0], Graph):
        return f"({', '.join(inner[each] for each in value)})"
    if isinstance(value, ArrayType):
        return repr(str(value))
    return str(value.name) if isinstance(value, np.dtype) else repr(value)


def parse(text: str, lookup: Callable[[str], Op]) -> Graph:
    """The graph written in `text`; `lookup` finds an op by name. The inverse of `to_text`.

    Raises ValueError naming the line that does not parse.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    return _parse_graph(lines[::-1], lookup)


def _parse_graph(lines: list[str], lookup: Callable[[str], Op]) -> Graph:
    """Takes the lines of a graph from the end of the list."""
    header = lines.pop().strip() if lines else ""
    match = re.fullmatch(r"graph (\w+)\((.*)\)", header)
    if match is None:
        raise ValueError(f"not a graph header: {header!r}")
    values: dict[str, Node] = {}
    inner: dict[str, Graph] = {}
    inputs = [_parse_input(part, values) for part in re.split(r",\s+", match[2]) if part]
    notes: dict[Node, Note] = {}
    effects: tuple[Node, ...] = ()
    while lines:
        if lines[-1].lstrip().startswith("graph "):
            body = _parse_graph(lines, lookup)
            inner[body.name] = body
            continue
        line, _, comment = lines.pop().strip().partition("    # ")
        if line.startswith("holds "):
            effects = _parse_names(line[6:], values)
            continue
        if line.startswith("return"):
            outputs = _parse_names(line[6:], values)
            return Graph(match[1], tuple(inputs), outputs, effects, notes)
        name, made = _parse_line(line, values, inner, lookup)
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
    line: str, values: dict[str, Node], inner: dict[str, Graph], lookup: Callable[[str], Op]
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
    params: Params = tuple(
        (str(each.arg), _parse_param(str(each.arg), each.value, inner)) for each in call.keywords
    )
    made = node(lookup(op), args, params)
    if made.type != expected:
        raise ValueError(f"{line!r}: the type is {made.type}")
    return name, made


def _parse_param(name: str, value: ast.expr, inner: dict[str, Graph]) -> Hashable:
    if isinstance(value, ast.Name):
        return inner.get(value.id) or np.dtype(value.id)
    if isinstance(value, ast.Tuple) and any(isinstance(each, ast.Name) for each in value.elts):
        return tuple([_parse_param(name, each, inner) for each in value.elts])
    found: Hashable = ast.literal_eval(value)
    return parse_type(found) if name == "type" and isinstance(found, str) else found


__all__ = ["parse", "to_text", "type_of"]
