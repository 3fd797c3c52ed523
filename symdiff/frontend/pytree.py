"""Arguments and results as trees: dict, list, tuple, namedtuple and dataclass, by optree."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import optree

_NAMESPACE = "symdiff"

Spec = optree.PyTreeSpec


def flatten(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], Spec]:
    """The leaves of a tree, in order, and its structure. None is a leaf."""
    while True:
        leaves, spec = optree.tree_flatten(tree, is_leaf, none_is_leaf=True, namespace=_NAMESPACE)
        new = {type(leaf) for leaf in leaves if _is_dataclass(leaf)}
        if is_leaf is not None:
            new = {type(leaf) for leaf in leaves if _is_dataclass(leaf) and not is_leaf(leaf)}
        if not new:
            return leaves, spec
        for cls in new:
            with contextlib.suppress(ValueError):  # another thread was faster
                _register(cls)


def unflatten(spec: Spec, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves."""
    return optree.tree_unflatten(spec, leaves)


def tuple_spec(children: Iterable[Spec]) -> Spec:
    """The structure of a tuple of trees."""
    return optree.treespec_tuple(children, none_is_leaf=True, namespace=_NAMESPACE)


class Static:
    """A leaf of a result that is not computed. No dataclass: those are trees."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Layout(NamedTuple):
    """The tree of a result: for each leaf the index of an output, or a static value.

    `finish` is called with the tree, if given, and makes the result of it.
    """

    spec: Spec
    leaves: tuple[int | Static, ...]
    finish: Callable[[Any], Any] | None = None

    @property
    def plain(self) -> bool:
        """Whether Python displays can write the tree: lists, tuples, dicts with plain keys."""
        return not self.finish and _is_plain(self.spec) and all(
            isinstance(leaf, int) or type(leaf.value) in _LITERALS for leaf in self.leaves
        )


_LITERALS = (type(None), bool, int, str)


def _is_plain(spec: Spec) -> bool:
    if spec.is_leaf():
        return True
    if spec.type not in (tuple, list, dict):
        return False
    if spec.type is dict and not all(type(key) in (int, str) for key in spec.entries()):
        return False
    return all(_is_plain(child) for child in spec.children())


def layout_of(tree: Any, finish: Callable[[Any], Any] | None = None) -> Layout:
    """The layout whose leaves are the ints and Statics that stand in `tree`."""
    leaves, spec = flatten(tree)
    return Layout(spec, tuple(leaves), finish)


def tree_source(
    spec: Spec,
    leaves: Iterator[str],
    other: Callable[[Spec, list[str]], str] | None = None,
    whole: Callable[[list[str]], str | None] = lambda children: None,
) -> str:
    """The display of a tree with these leaves; `other` writes what is no list, tuple or dict.

    `whole` gives the name of a list of these elements, if there is one.
    """
    if spec.is_leaf():
        return next(leaves)
    children = [tree_source(child, leaves, other, whole) for child in spec.children()]
    if spec.type is tuple:
        return f"({', '.join(children)}{',' if len(children) == 1 else ''})"
    if spec.type is list:
        return whole(children) or f"[{', '.join(children)}]"
    if _is_plain(spec) or other is None:
        pairs = zip(spec.entries(), children, strict=True)
        return "{" + ", ".join(f"{key_source(key)}: {child}" for key, child in pairs) + "}"
    return other(spec, children)


def tree_text(spec: Spec) -> str:
    """A structure for messages, a star for each leaf: {"W": *, "b": *}."""
    return tree_source(spec, itertools.repeat("*"), _named_source)


def _named_source(spec: Spec, children: list[str]) -> str:
    """A namedtuple, a dataclass or a dict with keys of some other kind."""
    pairs = zip(spec.entries(), children, strict=True)
    if spec.type is dict:
        return "{" + ", ".join(f"{key_source(key)}: {child}" for key, child in pairs) + "}"
    name = getattr(spec.type, "__name__", "")
    fields = getattr(spec.type, "_fields", spec.entries())
    parts = [f"{field}={child}" for field, child in zip(fields, children, strict=True)]
    return f"{name}({', '.join(parts)})"


def key_source(key: Any) -> str:
    """A key as a person writes it."""
    return f'"{key}"' if isinstance(key, str) and key.isidentifier() else repr(key)


def path_source(root: str, steps: Iterable[Any]) -> str:
    """The expression for a leaf: params["W"][0]."""
    for step in steps:
        if isinstance(step, (optree.GetAttrEntry, optree.NamedTupleEntry)):
            root = step.codify(root)
        else:
            root = f"{root}[{key_source(step.entry)}]"
    return root


def part_sources(root: str, spec: Spec) -> list[str]:
    """The expressions for the parts of a tree that is no leaf."""
    if spec.type in (list, tuple, dict):  # optree's accessors cost ten times as much
        return [f"{root}[{key_source(entry)}]" for entry in spec.entries()]
    top = spec.one_level()
    assert top is not None
    return [path_source(root, accessor) for accessor in top.accessors()]


def sequence_sources(root: str, spec: Spec) -> Iterator[tuple[str, int]]:
    """The expressions for the lists and tuples in a tree, and their lengths."""
    waiting = [(root, spec)]
    while waiting:
        text, own = waiting.pop()
        if not own.is_leaf():
            if own.type in (list, tuple):
                yield text, own.num_children
            waiting += zip(part_sources(text, own), own.children(), strict=True)


def leaf_sources(root: str, spec: Spec) -> list[str]:
    """The expressions for the leaves of a tree."""
    if spec.is_leaf():
        return [root]
    parts = zip(part_sources(root, spec), spec.children(), strict=True)
    return [leaf for text, child in parts for leaf in leaf_sources(text, child)]


def _is_dataclass(leaf: Any) -> bool:
    return dataclasses.is_dataclass(leaf) and not isinstance(leaf, type)


def _register(cls: type) -> None:
    """Make a dataclass a tree of its fields. Built back without running __init__."""
    names = tuple(field.name for field in dataclasses.fields(cls))

    def take(value: Any) -> tuple[tuple[Any, ...], None, tuple[str, ...]]:
        return tuple(getattr(value, name) for name in names), None, names

    real = getattr(cls, "_symdiff_real", None)  # where the class is that of stand-ins

    def build(_: None, children: Iterable[Any]) -> Any:
        if real is not None:
            return real(dict(zip(names, children, strict=True)))
        made: Any = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(made, name, child)
        return made

    optree.register_pytree_node(
        cls,
        take,
        build,  # type: ignore[arg-type]
        path_entry_type=optree.GetAttrEntry,
        namespace=_NAMESPACE,
    )
