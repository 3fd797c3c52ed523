"""The scheduled form of a graph: statements in order, with names, ready to be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from symdiff.frontend.pytree import Layout, tree_source
from symdiff.ir.graph import Position
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType, type_of
from symdiff.ops.render import Source


class Expression(NamedTuple):
    """What a statement computes: a node, its NumPy source, and what that reads.

    `known` marks what is not computed here: the name of an earlier statement or of a parameter, or
    a constant.
    """

    node: Node
    source: Source
    operands: tuple[Expression, ...] = ()
    known: bool = False


class Assign(NamedTuple):
    """`name = expression`; several names, `a, b`, take the parts of a call's result.

    Without a name it is an expression by itself.
    """

    name: str
    expression: Expression
    position: Position | None = None  # printed as a comment, for tangents and cotangents
    node: Node | None = None

    def __str__(self) -> str:
        text = self.expression.source.text
        return f"{self.name} = {text}" if self.name else text


class Update(NamedTuple):
    """The array `name` is updated in place.

    With an index by `name[index] += expression`, or `=`, or np.add.at; without one by
    `name *= expression`, or (operator "out") by a call that writes into it. A list is appended to.
    """

    name: str
    part: str
    operator: str
    expression: Expression
    position: Position | None = None
    node: Node | None = None  # what is computed in place, where that is more than the expression

    def __str__(self) -> str:
        text = self.expression.source.text
        if self.operator == "add.at":
            index = self.part if "," not in self.part else f"np.s_[{self.part}]"
            return f"np.add.at({self.name}, {index}, {text})"
        if self.operator == "out":
            return text
        if self.operator == "append":
            return f"{self.name}.append({text})"
        target = f"{self.name}[{self.part}]" if self.part else self.name
        if self.operator == "+=" and (rest := self.expression.source.negated):
            return f"{target} -= {rest.text}"
        return f"{target} {self.operator} {text}"


class Guard(NamedTuple):
    """The program ends here unless so many elements of a mask are True: it is made for just that.

    `where` says in words which elements these are. A mask without axes is a decision.
    """

    expression: Expression  # the mask
    elements: int
    where: str
    position: Position | None = None

    def __str__(self) -> str:
        test = self.expression.source.text
        if not self.expression.node.type.shape:
            text = f"compiled for {'' if self.elements else 'not '}{self.where}"
            condition = f"not {test}" if self.elements else test
        else:
            word = "element" if self.elements == 1 else "elements"
            text = f"compiled for {self.elements} {word} where {self.where}"
            condition = f"np.count_nonzero({test}) != {self.elements}"
        quoted = repr(text) if '"' in text or "\\" in text else f'"{text}"'
        return f"if {condition}:\n    raise ValueError({quoted})"


class Delete(NamedTuple):
    """`del names`: large arrays that nothing reads any more."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"del {', '.join(self.names)}"


class Stop(NamedTuple):
    """The loop around ends here unless a test holds."""

    expression: Expression

    def __str__(self) -> str:
        return f"if not {self.expression.source.text}:\n    break"


class Clause(NamedTuple):
    """A header, and the statements under it."""

    header: str
    body: tuple[Statement, ...]


class Compound(NamedTuple):
    """Statements that are run many times, or once or not at all, or without warnings.

    That is a loop, which `repeats`, a branch with its sides, or a block under `np.errstate`.
    """

    clauses: tuple[Clause, ...]
    repeats: bool = False
    counter: tuple[int, str] | None = None  # level and name of the index that decides extents


QUIET = 'with np.errstate(all="ignore"):'  # what could warn where the function itself did not
Statement = Assign | Update | Guard | Delete | Stop | Compound


class Program(NamedTuple):
    """A function of named parameters: its statements and what it returns."""

    name: str
    parameters: tuple[str, ...]
    statements: tuple[Statement, ...]
    returns: tuple[Expression, ...]
    layout: Layout | None  # the tree that is returned; without it a tuple
    constants: dict[str, Any]  # name -> array, bound at load
    types: dict[str, ArrayType]  # of what the parameters hold
    defaults: Mapping[str, str] = MappingProxyType({})  # of parameters, as source
    lists: Mapping[str, int] = MappingProxyType({})  # names of lists, with their lengths

    @property
    def signature(self) -> str:
        """The parameters as in a `def`; defaults stand where no parameter behind has none."""
        written: list[str] = []
        for name in reversed(self.parameters):
            open_ended = "=" in written[-1] if written else True
            given = name in self.defaults and open_ended
            written.append(f"{name}={self.defaults[name]}" if given else name)
        return ", ".join(reversed(written))

    @property
    def guarded(self) -> bool:
        """Whether it ends early for some values of its parameters."""
        return _guarded(self.statements)

    @property
    def result(self) -> str:
        """The source of what is returned."""
        outputs = [each.source.text for each in self.returns]
        if self.layout is None:
            return ", ".join(outputs)
        texts = (
            outputs[leaf] if isinstance(leaf, int) else repr(leaf.value)
            for leaf in self.layout.leaves
        )
        spec = self.layout.spec
        text = tree_source(spec, texts, whole=self._whole)
        # the outermost tuple needs no parentheses
        return text[1:-1] if spec.type is tuple and spec.num_children > 1 else text

    def _whole(self, texts: list[str]) -> str | None:
        """The name of a list of which these are all elements."""
        name = texts[0].partition("[")[0] if texts else ""
        every = [f"{name}[{i}]" for i in range(self.lists.get(name, 0))]
        return name if texts and texts == every else None

    def __str__(self) -> str:
        """The statements with their types and source lines, and where memory is given back."""
        header = ", ".join(map("{}: {}".format, self.types, self.types.values()))
        rows = list(_rows(self.statements, "  "))
        wide = [min(max((len(row[i]) for row in rows), default=0), 60) for i in (0, 1)]
        lines = [f"program {self.name}({header})"]
        lines += [f"  {name}: {_kind(value)}" for name, value in self.constants.items()]
        lines += [
            f"{text:<{wide[0]}}  {type:<{wide[1]}}  {comment}".rstrip()
            for text, type, comment in rows
        ]
        lines.append(f"  return {self.result}")
        return "\n".join(lines) + "\n"


def _kind(value: Any) -> str:
    """The type of an array, the class of anything else that is bound."""
    return str(type_of(value)) if isinstance(value, np.ndarray) else type(value).__name__


def _guarded(statements: tuple[Statement, ...]) -> bool:
    return any(
        isinstance(each, Guard)
        or (isinstance(each, Compound) and any(_guarded(clause.body) for clause in each.clauses))
        for each in statements
    )


def _rows(statements: tuple[Statement, ...], indent: str) -> Iterator[tuple[str, str, str]]:
    """Text, type and source line of each statement."""
    for each in statements:
        if isinstance(each, Compound):
            for header, body in each.clauses:
                yield f"{indent}{header}", "", ""
                yield from _rows(body, indent + "  ")
        elif isinstance(each, (Delete, Guard, Stop)):
            yield from ((f"{indent}{line}", "", "") for line in str(each).splitlines())
        else:
            comment = f"# {each.position}" if each.position else ""
            yield f"{indent}{each}", f": {each.expression.node.type}", comment
