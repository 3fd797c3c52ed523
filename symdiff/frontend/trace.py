"""trace: a Python function and the types of its arguments to a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symdiff.frontend import context
from symdiff.frontend.context import Context, tracing
from symdiff.frontend.source_map import name_at, position_of
from symdiff.ir.graph import Graph, Note, users
from symdiff.ir.node import Const, Input, Node


def notes_of(running: Context, graph: Graph) -> dict[Node, Note]:
    """The notes of a finished trace: user's names, lines, and names derived from a consumer's."""
    nodes = graph.nodes()
    notes: dict[Node, Note] = {each: Note(each.name) for each in graph.inputs}
    for each in nodes:
        if each in notes or isinstance(each, Const):
            continue
        place = running.named.get(each) or running.places.get(each)
        if place is None:
            continue
        name = name_at(place) if each in running.named else ""
        notes[each] = Note(name, position=position_of(place))
    found = users(nodes)
    for each, note in notes.items():
        consumers = found.get(each, ())
        if not note.name and len(consumers) == 1:
            consumer = notes.get(consumers[0])
            if consumer is not None and consumer.name and not consumer.derived:
                note.name, note.derived = f"{consumer.name}_in", True
    return notes
