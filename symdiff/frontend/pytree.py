"""Arguments and results as trees: dict, list, tuple, namedtuple and dataclass, by optree."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import optree

_NAMESPACE = "symdiff"
_known: set[type] = set()

Spec = optree.PyTreeSpec


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves of a tree, in order, and its structure. None is a leaf."""
    while True:
        leaves, spec = optree.tree_flatten(tree, none_is_leaf=True, namespace=_NAMESPACE)
        new = {type(leaf) for leaf in leaves if _is_dataclass(leaf)}
        if not new:
            return leaves, spec
        for cls in new:
            _register(cls)


def unflatten(spec: Spec, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves."""
    return optree.tree_unflatten(spec, leaves)


def tuple_spec(children: Iterable[Spec]) -> Spec:
    """The structure of a tuple of trees."""
    return optree.treespec_tuple(children, none_is_leaf=True, namespace=_NAMESPACE)


def _is_dataclass(leaf: Any) -> bool:
    return dataclasses.is_dataclass(leaf) and not isinstance(leaf, type)


def _register(cls: type) -> None:
    """Make a dataclass a tree of its fields. Built back without running __init__."""
    if cls in _known:
        return
    _known.add(cls)
    names = tuple(field.name for field in dataclasses.fields(cls))

    def take(value: Any) -> tuple[tuple[Any, ...], None, tuple[str, ...]]:
        return tuple(getattr(value, name) for name in names), None, names

    def build(_: None, children: Iterable[Any]) -> Any:
        made = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(made, name, child)
        return made

    optree.register_pytree_node(
        cls, take, build, path_entry_type=optree.GetAttrEntry, namespace=_NAMESPACE
    )
