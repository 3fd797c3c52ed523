"""Functions of the user's that are called as they are: the records of one call of them.

The call gives what the function returns, in whatever tree; each array in it is a primitive of its
own, whose expansion is the part of that call. Equal calls are one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.types import TUPLE, ArrayType
from symdiff.ops.primitive import CONSTANT, BatchRule, Primitive, Rule, Template
from symdiff.ops.render import ROW

Path = tuple[tuple[str, Any], ...]  # ("item", key) and ("attribute", name)


def step_source(path: Path) -> str:
    """The source of a way into a tree: `["W"][0]`, `.mean`."""
    return "".join(
        f".{key}" if kind == "attribute" else f"[{literal_source(key)}]" for kind, key in path
    )


def literal_source(value: Any) -> str:
    """A number or a string as a person writes it."""
    text = repr(value)
    plain = isinstance(value, str) and '"' not in text and "\\" not in text
    return f'"{value}"' if plain else text


def at(tree: Any, path: Path) -> Any:
    """What is at the end of a way into a tree."""
    for kind, key in path:
        tree = getattr(tree, key) if kind == "attribute" else tree[key]
    return tree


def piece(name: str) -> Primitive:
    """The record of one of the values that a call of this function returns."""
    return _taking(name, at, lambda results, path, type: f"{results}{step_source(path)}")


def stacked(name: str) -> Primitive:
    """The record of the same of each of a list of calls."""

    def function(results: Any, path: Path) -> Any:
        return np.stack([at(each, path) for each in results])

    def source(results: str, path: Path, type: ArrayType) -> str:
        rows = f"[{ROW}{step_source(path)} for {ROW} in {results}]" if path else results
        return f"np.stack({rows})"

    return _taking(name, function, source)


def _taking(name: str, take: Callable[[Any, Path], Any], source: Template) -> Primitive:
    return Primitive(
        name=name,
        function=lambda results, path, type: take(results, path),
        arguments=("results",),
        result=lambda results, path, type: type,
        rules={"results": CONSTANT},
        numpy=source,
        foreign=True,
    )


class Outcome(NamedTuple):
    """One of the values that a call returns: where it stands, its type, a 0-d array or a scalar."""

    path: Path
    type: ArrayType
    is_array: bool


def records(
    name: str,
    function: Callable[..., Any],
    types: Sequence[ArrayType],
    outcomes: Sequence[Outcome],
    part: Primitive,
    *,
    rule: Callable[[int, Path], Rule],
    source: Template,
    objects: tuple[tuple[str, Any], ...],
    batch: Callable[[Path], BatchRule],
    repeats_operands: bool,
) -> tuple[Primitive, ...]:
    """The records of a call with operands of these types: one for each value that it returns.

    `rule` is of an operand, for the value at a path. `objects` come first in the source.
    """
    arguments = tuple(f"x{i}" for i in range(len(types)))
    common: dict[str, Any] = {
        "name": name,
        "arguments": arguments,
        "foreign": True,
        "repeats_operands": repeats_operands,
    }
    whole = Primitive(
        function=function,
        result=lambda *types: TUPLE,
        rules=dict.fromkeys(arguments, CONSTANT),
        numpy=source,
        objects=objects,
        **common,
    )
    values = []
    for path, type, _ in outcomes:
        written: dict[str, Any] = {"expansion": _expansion(whole, part, path, type)}
        if not path:  # the call is the value
            written = {"numpy": _written(source, part, type), "objects": objects}
        values.append(
            Primitive(
                function=_value_of(function, part, path, type),
                result=_always(type),
                rules={each: rule(i, path) for i, each in enumerate(arguments)},
                batch=batch(path),
                **written,
                **common,
            )
        )
    return tuple(values)


def _written(source: Template, part: Primitive, type: ArrayType) -> Template:
    assert callable(part.numpy)
    template = part.numpy
    return lambda *args, **params: template(source(*args), path=(), type=type)


def _value_of(
    function: Callable[..., Any], part: Primitive, path: Path, type: ArrayType
) -> Callable[..., Any]:
    return lambda *args: part.function(function(*args), path=path, type=type)


def _expansion(
    whole: Primitive, part: Primitive, path: Path, type: ArrayType
) -> Callable[..., Any]:
    return lambda *args: part(whole(*args), path=path, type=type)


def _always(type: ArrayType) -> Callable[..., ArrayType]:
    return lambda *types: type
