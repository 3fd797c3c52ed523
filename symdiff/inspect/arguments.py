"""Types of arguments written as text, and values of those types."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from symdiff.errors import UsageError
from symdiff.frontend.parameters import Parameters
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.frontend.trace import Leaf
from symdiff.ir.types import GENERATORS, ArrayType, ObjectType, parse_type

Interval = tuple[float, float]

_PYTHON = (bool, int, float, complex)


class Typed:
    """A number, an array or a random generator of which the type is known, and not the value."""

    __slots__ = ("is_array", "type")

    def __init__(self, type: ArrayType, is_array: bool) -> None:
        self.type = type
        self.is_array = is_array

    def __repr__(self) -> str:
        return str(self.type) if self.is_array else str(self.type).removesuffix("[]")

    def stand_in(self) -> Any:
        """A value of this type that takes no memory."""
        if isinstance(self.type, ObjectType):
            return _generator(self.type, 0)
        return self._made(np.broadcast_to(np.ones((), self.type.dtype), self.type.shape))

    def sample(self, rng: np.random.Generator, interval: Interval | None = None) -> Any:
        """A random value of this type: integers are small, and not negative."""
        if isinstance(self.type, ObjectType):
            return _generator(self.type, int(rng.integers(1 << 31)))
        shape, kind = self.type.shape, self.type.dtype.kind
        if kind in "biu":
            return self._made(rng.integers(0, 2 if kind == "b" else 3, shape))

        def draw() -> Any:
            return rng.uniform(*interval, shape) if interval else rng.standard_normal(shape)

        return self._made(draw() + 1j * draw() if kind == "c" else draw())

    def _made(self, values: Any) -> Any:
        if self.type.weak:
            return self.type.python(values)
        array = np.asarray(values, dtype=self.type.dtype)
        return array if self.is_array else array[()]


def _generator(type: ObjectType, seed: int) -> Any:
    """A random generator of this type."""
    own = type.kind is np.random.Generator
    return np.random.default_rng(seed) if own else np.random.RandomState(seed)


def parse_argument(text: str) -> tuple[str, Any]:
    """The name and the tree of types and values in `W: f64[5,7]`, `n=3` or `p: {"a": f64[2]}`.

    Raises UsageError where the text is none.
    """
    match = re.fullmatch(r"\s*(\w+)\s*[:=]\s*(.+?)\s*", text)
    if match is None:
        raise UsageError(f"--arg {text!r}: write it like 'W: f64[5,7]' or 'n=3'")
    try:
        return match[1], parse_tree(match[2])
    except ValueError as error:
        raise UsageError(f"--arg {text!r}: {error}") from None


def parse_tree(text: str) -> Any:
    """A tree of types and values: f64[5,7], f64 (a NumPy scalar), float, 3, [f64[2], Generator].

    Raises ValueError where the text is none.
    """
    try:
        tree = ast.parse(re.sub(r"(?<=\w)\[\s*\]", "[()]", text), mode="eval").body
    except SyntaxError:
        raise ValueError(f"{text!r} is neither a type like f64[128,3072] nor a value") from None
    return _tree(tree)


def _tree(node: ast.expr) -> Any:
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_tree, node.values), strict=True))
    if isinstance(node, (ast.List, ast.Tuple)):
        trees = map(_tree, node.elts)
        return list(trees) if isinstance(node, ast.List) else tuple(trees)
    if isinstance(node, ast.Subscript):
        typed = Typed(parse_type(ast.unparse(node).replace("()", "")), True)
        typed.stand_in()  # ValueError if NumPy has no arrays as large
        return typed
    if isinstance(node, ast.Name):
        scalar = node.id in [python.__name__ for python in _PYTHON] or node.id in GENERATORS
        return Typed(parse_type(node.id if scalar else f"{node.id}[]"), False)
    return _value(node)


def _value(node: ast.expr) -> Any:
    """A number, a string or another constant, which can be a key."""
    try:
        value = ast.literal_eval(node)
        hash(value)
    except (ValueError, TypeError):
        written = ast.unparse(node)
        raise ValueError(
            f"{written!r} is neither a type like f64[128,3072] nor a value"
        ) from None
    return value


def argument_trees(
    name: str, parameters: Parameters, given: Mapping[str, Any], seen: tuple[Any, ...] = ()
) -> tuple[Any, ...]:
    """For each parameter its tree of types and values.

    From what was given, else as it was seen in a call, else the default, else as annotated.

    Raises UsageError for a parameter without any, and for a name that is no parameter.
    """
    names = parameters.names
    for each in given:
        if each not in names:
            raise UsageError(f"{name} has no argument {each!r}: it takes {', '.join(names)}")
    trees = []
    for i, parameter in enumerate(parameters.signature.parameters.values()):
        if parameter.name in given:
            trees.append(given[parameter.name])
        elif seen:
            trees.append(seen[i])
        else:
            trees.append(_declared(name, parameter))
    return tuple(trees)


def _declared(name: str, parameter: inspect.Parameter) -> Any:
    """What the signature says of a parameter."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return () if parameter.kind is parameter.VAR_POSITIONAL else {}
    if parameter.default is not parameter.empty:
        return parameter.default
    return _annotated(name, parameter.name, parameter.annotation)


def _annotated(name: str, parameter: str, annotation: Any) -> Any:
    if annotation in _PYTHON:
        return parse_tree(annotation.__name__)
    text = annotation if isinstance(annotation, str) else ""
    if text[:1] in ("'", '"'):  # written in quotes, under `from __future__ import annotations`
        text = ast.literal_eval(text)
    try:
        return parse_tree(text)
    except ValueError:
        raise UsageError(
            f"the type of `{parameter}` is not known: give --arg '{parameter}: f64[128,3072]', "
            f'or write def {name}({parameter}: "f64[128,3072]")'
        ) from None


def seen_trees(leaves: tuple[Leaf, ...], spec: Any) -> tuple[Any, ...]:
    """The types that a compiled function was called with, one tree for each parameter."""
    trees: tuple[Any, ...] = unflatten(
        spec,
        [
            leaf.static
            if leaf.type is None
            else Typed(leaf.type, leaf.is_array or bool(leaf.type.shape))
            for leaf in leaves
        ],
    )
    return trees


def stand_ins(tree: Any) -> Any:
    """The tree with a value for each type that takes no memory."""
    leaves, spec = flatten(tree)
    values = [leaf.stand_in() if isinstance(leaf, Typed) else leaf for leaf in leaves]
    return unflatten(spec, values)


def samples(tree: Any, rng: np.random.Generator, interval: Interval | None = None) -> Any:
    """The tree with a random value for each type: normal, or uniform in an interval."""
    leaves, spec = flatten(tree)
    return unflatten(
        spec, [leaf.sample(rng, interval) if isinstance(leaf, Typed) else leaf for leaf in leaves]
    )
