"""Carried: names whose numbers and arrays a loop hands from turn to turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from symdiff.frontend.joins import Leaf, is_numeric, join, leaf_of
from symdiff.frontend.pytree import Spec, flatten, unflatten
from symdiff.frontend.speculation import UNBOUND, FailedError, said
from symdiff.frontend.tracer import Tracer, coerce, lift
from symdiff.ir.node import Input, Node
from symdiff.ir.types import ArrayType

if TYPE_CHECKING:
    from symdiff.frontend.loops import Loop
    from symdiff.frontend.resized import Resized


class Carried:
    """A name that is bound to numbers and arrays, which a loop hands from turn to turn."""

    def __init__(self, name: str, leaves: list[Any], spec: Spec, loop: Loop) -> None:
        self.name = name
        self.spec = spec
        self.first = leaves
        self.fixed = [None if is_numeric(each) else each for each in leaves]
        self.kinds: list[Leaf | None] = []
        self.sizes: list[Resized | None] = []
        self.tracers: list[Tracer] = []
        self.inputs: list[Input | None] = []
        values = []
        for i, each in enumerate(leaves):
            if not is_numeric(each):
                self.kinds.append(None)
                self.sizes.append(None)
                self.inputs.append(None)
                values.append(each)
                continue
            leaf = leaf_of(each)
            leaf = leaf._replace(type=loop.widened.get((name, i), leaf.type))
            own, sized = name.lstrip("$"), loop.resized.get((name, i))
            whole = leaf.type if sized is None else leaf.type.with_shape(sized.whole)
            made = loop.placeholder(own if len(leaves) == 1 else f"{own}_{i}", whole)
            tracer = Tracer(made if sized is None else sized.part(made), leaf.is_array)
            self.kinds.append(leaf)
            self.sizes.append(sized)
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
            sized = self.sizes[i]
            expected = kind.type if sized is None else kind.type.with_shape(sized.after)
            if self._resized(i, found.type, loop):
                widened = True
                continue
            type_ = join(expected, found.type)
            if type_ is None or kind.is_array != found.is_array:
                raise FailedError(
                    f"`{said(self.name)}` is of type {kind.type} before a turn, "
                    f"and of type {found.type} after it"
                )
            if type_.dtype != kind.type.dtype or type_.weak != kind.type.weak:
                loop.widened[self.name, i] = type_.with_shape(lift(self.first[i]).type.shape)
                widened = True
        return widened

    def resize(self, value: Any, loop: Loop, turn: int = 1) -> bool:
        """Whether it must be taken as an array that changes its shape, for a value in a turn.

        It is the value after the first turn of the loop, or with -1 that before the turn before.
        """
        leaves, spec = ([], None) if value is UNBOUND else flatten(value)
        if spec != self.spec:
            return False
        found = [
            self._resized(i, leaf_of(each).type, loop, turn)
            for i, each in enumerate(leaves)
            if self.kinds[i] is not None and is_numeric(each)
        ]
        return any(found)

    def _resized(self, i: int, found: ArrayType, loop: Loop, turn: int = 1) -> bool:
        kind = self.kinds[i]
        assert kind is not None
        if self.sizes[i] is not None or found.shape == kind.type.shape:
            return False
        from symdiff.frontend.resized import resized  # for few programs

        sized = resized(kind.type.shape, found.shape, loop, turn)
        if sized is None:
            return False
        loop.resized[self.name, i] = sized
        return True

    def add(self, value: Any, state: list[tuple[Input, Node]], outputs: list[Node]) -> Any:
        """Adds it to what the loop carries, and gives what finds it among the results."""
        leaves, spec = flatten(value)
        places: list[Any] = []
        for each, first, kind, own, sized in zip(
            leaves, self.first, self.kinds, self.inputs, self.sizes, strict=True
        ):
            if kind is None or own is None:
                places.append(each)
                continue
            start, end = coerce(lift(first), kind.type), lift(each)
            end = coerce(end, kind.type.with_shape(end.type.shape))
            places.append((len(state), kind, sized))
            state.append((own, start if sized is None else sized.begun(start)))
            outputs.append(end if sized is None else sized.ended(own, end))
        return finder(places, spec)


def finder(places: Sequence[Any], spec: Spec) -> Callable[[Sequence[Node]], Any]:
    """What makes a value of the results of a loop."""

    def find(items: Sequence[Node]) -> Any:
        leaves = [_found(items, *each) if type(each) is tuple else each for each in places]
        return leaves[0] if spec.is_leaf() else unflatten(spec, leaves)

    return find


def _found(items: Sequence[Node], at: int, kind: Leaf, sized: Resized | None = None) -> Tracer:
    return Tracer(items[at] if sized is None else sized.result(items[at]), kind.is_array)

