"""Carried: names whose numbers and arrays a loop hands from turn to turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from symdiff.frontend.joins import Leaf, is_numeric, join, leaf_of
from symdiff.frontend.pytree import Spec, flatten, unflatten
from symdiff.frontend.speculation import UNBOUND, FailedError, said
from symdiff.frontend.tracer import Tracer, coerce, lift
from symdiff.ir.node import Input, Node

if TYPE_CHECKING:
    from symdiff.frontend.loops import Loop


class Carried:
    """A name that is bound to numbers and arrays, which a loop hands from turn to turn."""

    def __init__(self, name: str, leaves: list[Any], spec: Spec, loop: Loop) -> None:
        self.name = name
        self.spec = spec
        self.first = leaves
        self.fixed = [None if is_numeric(each) else each for each in leaves]
        self.kinds: list[Leaf | None] = []
        self.tracers: list[Tracer] = []
        self.inputs: list[Input | None] = []
        values = []
        for i, each in enumerate(leaves):
            if not is_numeric(each):
                self.kinds.append(None)
                self.inputs.append(None)
                values.append(each)
                continue
            leaf = leaf_of(each)
            leaf = leaf._replace(type=loop.widened.get((name, i), leaf.type))
            own = name.lstrip("$")
            made = loop.placeholder(own if len(leaves) == 1 else f"{own}_{i}", leaf.type)
            tracer = Tracer(made, leaf.is_array)
            self.kinds.append(leaf)
            self.inputs.append(made)
            self.tracers.append(tracer)
            values.append(tracer)
        self.stand_in = values[0] if spec.is_leaf() else unflatten(spec, values)

    @classmethod
    def of(cls, value: Any, name: str, loop: Loop) -> Carried | None:
        """None for what is no number, array, or list, tuple or dict of them."""
        if not is_numeric(value) and not isinstance(value, (list, tuple, dict)):
            return None
        leaves, spec = flatten(value)
        if not any(map(is_numeric, leaves)):
            return None
        return cls(name, leaves, spec, loop)

    def pairs(self) -> list[tuple[Tracer, Tracer]]:
        """The stand-ins, and the traced values that they stand for in the first turn."""
        numbers = [each for each, kind in zip(self.first, self.kinds, strict=True) if kind]
        pairs = zip(self.tracers, numbers, strict=True)
        return [(own, first) for own, first in pairs if isinstance(first, Tracer)]

    def settle(self, value: Any, loop: Loop) -> bool:
        """Whether a type must be widened for the value at the end of a turn."""
        leaves, spec = ([], None) if value is UNBOUND else flatten(value)
        if spec != self.spec:
            raise FailedError(f"`{said(self.name)}` is of another kind after a turn")
        widened = False
        for i, (each, kind) in enumerate(zip(leaves, self.kinds, strict=True)):
            if kind is None:
                if each is not self.fixed[i] and each != self.fixed[i]:
                    raise FailedError(f"`{said(self.name)}` holds something else after a turn")
                continue
            if not is_numeric(each):
                raise FailedError(f"`{said(self.name)}` is a {type(each).__name__} after a turn")
            found = leaf_of(each)
            type_ = join(kind.type, found.type)
            if type_ is None or kind.is_array != found.is_array:
                raise FailedError(
                    f"`{said(self.name)}` is of type {kind.type} before a turn, "
                    f"and of type {found.type} after it"
                )
            if type_ != kind.type:
                loop.widened[self.name, i] = type_
                widened = True
        return widened

    def add(self, value: Any, state: list[tuple[Input, Node]], outputs: list[Node]) -> Any:
        """Adds it to what the loop carries, and gives what finds it among the results."""
        leaves, spec = flatten(value)
        places: list[Any] = []
        for each, first, kind, own in zip(
            leaves, self.first, self.kinds, self.inputs, strict=True
        ):
            if kind is None or own is None:
                places.append(each)
                continue
            places.append((len(state), kind))
            state.append((own, coerce(lift(first), kind.type)))
            outputs.append(coerce(lift(each), kind.type))
        return finder(places, spec)


def finder(places: Sequence[Any], spec: Spec) -> Callable[[Sequence[Node]], Any]:
    """What makes a value of the results of a loop."""

    def find(items: Sequence[Node]) -> Any:
        leaves = [
            Tracer(items[each[0]], each[1].is_array) if type(each) is tuple else each
            for each in places
        ]
        return leaves[0] if spec.is_leaf() else unflatten(spec, leaves)

    return find
