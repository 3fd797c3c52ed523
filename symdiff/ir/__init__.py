"""The expression DAG: types, interned nodes, graphs, their text form and verifier."""

from symdiff.ir.graph import Graph, Note, Position, toposort
from symdiff.ir.node import Const, Input, Node, compilation, constant, input_node, node
from symdiff.ir.types import ArrayType, array_type, parse_type, type_of

__all__ = [
    "ArrayType",
    "Const",
    "Graph",
    "Input",
    "Node",
    "Note",
    "Position",
    "array_type",
    "compilation",
    "constant",
    "input_node",
    "node",
    "parse_type",
    "toposort",
    "type_of",
]
