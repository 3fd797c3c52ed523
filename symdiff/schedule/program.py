"""The scheduled form of a graph: statements in order, with names, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from symdiff.ir.graph import Position
from symdiff.ir.node import Node


@dataclass(frozen=True, slots=True)
class Expression:
    """A node and its operands: names of earlier statements or parameters, or inner expressions.

    `literal` is set instead for a constant, a name or a finished piece of source.
    """

    node: Node
    operands: tuple[Expression, ...] = ()
    literal: str = ""


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = expression`."""

    name: str
    expression: Expression
    position: Position | None = None  # printed as a comment, for tangents and cotangents
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """`name[index] += expression`, or `=`, or np.add.at: the buffer `name` is updated in place."""

    name: str
    index: str
    operator: str
    expression: Expression
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """`del names`: large arrays that nothing reads any more."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quiet:
    """`with np.errstate(...)`: statements that could warn where the function itself did not."""

    body: tuple[Statement, ...]


Statement = Assign | Update | Delete | Quiet


@dataclass(frozen=True, slots=True)
class Program:
    """A function of named parameters: its statements and what it returns."""

    name: str
    parameters: tuple[str, ...]
    statements: tuple[Statement, ...]
    returns: tuple[Expression, ...]
    constants: dict[str, Any] = field(default_factory=dict)  # name -> array, bound at load
