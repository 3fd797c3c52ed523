"""Alike: one stand-in for several values of a kind, of which each turn of a loop gets another.

That is a row for numbers and arrays, and for objects one whose attributes are such stand-ins.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from symdiff.frontend import context, extents
from symdiff.frontend.joins import is_numeric, leaf_of, root_of
from symdiff.frontend.objects import ObjectProxy, Shadow, proxy_with, shadow_of
from symdiff.frontend.pytree import Spec, flatten, leaf_sources, unflatten
from symdiff.frontend.speculation import FailedError
from symdiff.frontend.tracer import Tracer, coerce, lift
from symdiff.ir.node import node
from symdiff.ops import control

if TYPE_CHECKING:
    from symdiff.frontend.loops import Loop


class Lent:
    """What a body gets for one of several values: numbers, arrays, or trees of these."""

    def __init__(self, values: Sequence[Any], loop: Loop, name: str) -> None:
        """Raises FailedError where they are not all of a kind, or known while tracing."""
        if all(isinstance(each, (Tracer, ObjectProxy)) for each in values):
            self.elements: Sequence[Sequence[Any]] = [values]
            self.leaves = [_one_of(values, loop, name)]
            self.stand_in = self.leaves[0]
            return
        found, specs = zip(*map(parts_of, values), strict=True)
        spec = specs[0]
        if any(each != spec for each in specs):
            raise FailedError("what it goes over is not all of a kind")
        self.elements = list(zip(*found, strict=True))
        names = [re.sub(r"\W+", "_", each).strip("_") for each in leaf_sources(name, spec)]
        self.leaves = [
            _one_of(each, loop, own) for each, own in zip(self.elements, names, strict=True)
        ]
        self.stand_in = self.leaves[0] if spec.is_leaf() else unflatten(spec, self.leaves)

    def is_changed(self, arrays: set[int]) -> bool:
        """Whether the body stores into it; `arrays` are those that have changed."""
        now = parts_of(self.stand_in)[0]
        same = len(now) == len(self.leaves) and all(map(operator.is_, now, self.leaves))
        return not same or not arrays.isdisjoint(map(id, self.leaves))

    def roots_in(self, values: Sequence[Tracer]) -> list[Tracer]:
        """The arrays of all values, where what stands for one of them is among others."""
        own = {id(each) for each in self.leaves}
        if not any(id(root_of(each)) in own for each in values):
            return []
        return [root_of(e) for leaves in self.elements for e in leaves if isinstance(e, Tracer)]


def parts_of(value: Any) -> tuple[list[Any], Spec]:
    """The numbers, arrays and objects in a tree, and its structure."""
    return flatten(value, lambda each: isinstance(each, ObjectProxy))


def _one_of(values: Sequence[Any], loop: Loop, name: str) -> Any:
    """What stands for one of several numbers or arrays."""
    first = values[0]
    if all(each is first for each in values):
        return first
    if isinstance(first, ObjectProxy):
        return proxy_with(_Several(values, loop, name))
    traced = [each for each in values if isinstance(each, Tracer)]
    if not traced:
        if any(repr(each) != repr(first) for each in values):
            raise FailedError("it goes over values that are not traced")
        return first
    if any(root_of(each) is own for each in traced for own in loop.buffers):
        raise FailedError("it stores into what it goes over")
    leaf = leaf_of(first)
    nodes = [lift(each) for each in values]
    every = control.whole_of(nodes) or node(control.rows, tuple(nodes))
    return Tracer(coerce(loop.scanned(every, name), leaf.type), leaf.is_array)


class _Several(Shadow):
    """What is known of a stand-in for several objects of a class."""

    __slots__ = ("loop", "name", "proxies", "read")

    def __init__(self, proxies: Sequence[ObjectProxy], loop: Loop, name: str) -> None:
        first = shadow_of(proxies[0])
        super().__init__(first.object, None, first.interposer)
        self.proxies = proxies
        self.loop = loop
        self.name = name
        self.read: dict[str, Any] = {}  # the attributes that were read

    def itself(self) -> Any:
        _fail("it asks which object of several it is")

    def load(self, proxy: Any, name: str, after: type | None = None) -> Any:
        own = {name in getattr(shadow_of(each).object, "__dict__", ()) for each in self.proxies}
        if len(own) > 1:
            _fail(f"not all objects have an attribute `{name}` of their own")
        return super().load(proxy, name, after)

    def _value(self, name: str) -> Any:
        if name not in self.read:
            values = [shadow_of(each).load(each, name) for each in self.proxies]
            try:
                self.read[name] = self.loop.alike(values, f"{self.name}_{name}")
            except FailedError as failed:
                _fail(f"{failed}")
        return self.read[name]

    def store(self, proxy: Any, name: str, value: Any) -> None:
        _fail(f"it changes the attribute `{name}` of an element of the list")


def _fail(reason: str) -> NoReturn:
    """Ends the run of a body from inside of it."""
    running = context.current()
    assert running is not None
    running.flow.check(False, reason)
    raise FailedError(reason)


def element(values: Sequence[Any], index: Tracer) -> Any:
    """values[index]; what stands for it where a loop around counts the index."""
    found = _counted(index)
    if found is None:
        return values[operator.index(index)]
    loop, numbers = found
    if not all(-len(values) <= each < len(values) for each in numbers):
        _fail("an index of a list is not in the list")
    return _one_in_turn([values[each] for each in numbers], loop, " ")


def entry(values: Any, parts: Sequence[Any]) -> Any:
    """values[f"…"]; what stands for it where a loop around counts the one number in the key."""
    places = [i for i, each in enumerate(parts) if isinstance(each, Tracer)]
    found = _counted(parts[places[0]]) if len(places) == 1 and type(values) is dict else None
    if found is None:
        return values[_joined(parts)]
    loop, numbers = found
    keys = [_joined([*parts[: places[0]], k, *parts[places[0] + 1 :]]) for k in numbers]
    if any(each not in values for each in keys):
        _fail("a key is not in the dict")
    name = re.sub(r"\W+", "_", _joined([each for each in parts if type(each) is str]))
    return _one_in_turn([values[each] for each in keys], loop, name.strip("_") or " ")


def _joined(parts: Sequence[Any]) -> str:
    return "".join([format(each) for each in parts])


def _counted(index: Tracer) -> tuple[Loop, list[int]] | None:
    """The loop around that counts a whole number, and which it is in each of its turns."""
    running = context.current()
    found = extents.affine(index.node) if running is not None and not index.shape else None
    if running is None or found is None or sum(map(bool, found.factors)) != 1:
        return None
    level = next(i for i, factor in enumerate(found.factors) if factor)
    (loop,) = [each.loop for each in running.flow.runs if each.loop and each.loop.level == level]
    turns = range(loop.begin, loop.end) if type(loop.end) is int else range(0)
    if not turns:
        _fail("an index of a list is not known")
    return loop, [found.factors[level] * (loop.start + loop.step * k) + found.rest for k in turns]


def _one_in_turn(own: Sequence[Any], loop: Loop, name: str) -> Any:
    """What stands for a value of which there is another one in each turn of a loop."""
    ends = [loop.begin + each for each in ends_of_kinds(own)]
    if len(ends) > 1:
        loop.cuts = ends
        _fail("the elements of a list are not all of a kind")
    return loop.alike(own, name)


def ends_of_kinds(values: Sequence[Any]) -> list[int]:
    """Where stretches of values end for which one body can be run."""
    kinds = list(map(_kind, values))
    pairs = enumerate(pairwise(kinds), start=1)
    return [*(i for i, (one, other) in pairs if one != other), len(kinds)]


def _kind(value: Any) -> Any:
    """What elements have in common that one body can be run for."""
    if isinstance(value, (Tracer, np.ndarray)):
        return leaf_of(value) if is_numeric(value) else id(value)
    if type(value) in _FIXED:
        return type(value), repr(value)
    if isinstance(value, ObjectProxy):
        return type(value)
    leaves, spec = parts_of(value)
    return id(value) if spec.is_leaf() else (spec, *map(_kind, leaves))


def is_of_arrays(value: Any) -> bool:
    """Whether a value is or holds more than what Python knows while it is traced."""
    if type(value) in _FIXED:
        return False
    leaves = parts_of(value)[0]
    return any(isinstance(each, (Tracer, ObjectProxy, np.ndarray)) for each in leaves)


_FIXED = {bool, int, float, complex, str, bytes, type(None)}

def check_same(one: Any, other: Any) -> None:
    """Raises NeedsValue where `one is other` would ask which of several values a stand-in is."""
    running = context.current()
    if running is None or not running.flow.runs or one is other:
        return
    for each in (one, other):
        if isinstance(each, Tracer) and each.known in running.flow.placeholders:
            _fail("it asks which array it is")
        if isinstance(each, ObjectProxy):
            shadow_of(each).itself()
