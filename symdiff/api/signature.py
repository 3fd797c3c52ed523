"""One way to call a function of the user's: its records, and its rules read on traced values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from symdiff.autodiff.linear import verify_node
from symdiff.autodiff.linearize import zeros
from symdiff.errors import NotDifferentiableError, RuleError, ShapeError, TraceError, word
from symdiff.frontend import context
from symdiff.frontend.context import Context
from symdiff.frontend.pytree import Spec, Static, flatten, tree_source, unflatten
from symdiff.frontend.tracer import Tracer, coerce, lift, where
from symdiff.ir.graph import between
from symdiff.ir.node import Const, Input, Node, input_node, node
from symdiff.ir.types import TUPLE, ArrayType, array_type, is_supported, type_of
from symdiff.ops.foreign import Outcome, Path, literal_source, piece, records
from symdiff.ops.primitive import CONSTANT, Cotangents, Primitive, Rule, Tangents

if TYPE_CHECKING:
    from symdiff.api.custom import Custom

_LITERALS = (bool, int, float, str, type(None))
_STEP = 1e-3  # of the differences that a rule is compared with, relative to the argument


class Signature:
    """The structure of a call, what it returns, and the records that stand for it in a graph.

    `places` are the leaves of the arguments: the number of an operand, or a Static.
    """

    repeats_operands = False  # whether the source evaluates them again and again
    take = staticmethod(piece)  # makes the record of one of the values that a call returns

    def __init__(
        self,
        owner: Custom,
        spec: Spec,
        places: Sequence[Any],
        types: Sequence[ArrayType],
        differentiated: Sequence[bool],
        shown: int,
    ) -> None:
        self.owner = owner
        self.spec = spec
        self.places = tuple(places)
        self.types = tuple(types)
        self.active = tuple(
            differs and type.inexact for differs, type in zip(differentiated, types, strict=True)
        )
        self.differentiated = tuple(differentiated)
        self.shown = shown

    # ------------------------------------------------------------------ what it returns

    def find_result(self, operands: Sequence[Node]) -> None:
        """Learn what the function returns: as declared, or by calling it once."""
        running = context.current()
        assert running is not None
        declared = self.owner.result
        with context.tracing(None), np.errstate(all="ignore"):
            if declared is None:
                made = self._tried([_sample(each, running) for each in operands])
            else:
                made = declared(*self.arguments([_blank(each) for each in self.types]))
        leaves, spec = flatten(made)
        self.returns(spec, [
            None if leaf is None else self._outcome(leaf, accessor)
            for leaf, accessor in zip(leaves, spec.accessors(), strict=True)
        ])  # fmt: skip

    def _tried(self, samples: list[Any]) -> Any:
        """What the function returns for some values."""
        before = [np.array(each) for each in samples]
        try:
            made = self.function(*samples)
        except Exception as error:
            what = f"{self.owner.name} was called to see what it returns: {error!r}"
            way_out = "Declare result=, a function of the arguments: zeros like the result."
            raise TraceError(word(what, where=where(), way_out=way_out)) from error
        pairs = zip(before, samples, strict=True)
        if any(old.tobytes() != np.asarray(new).tobytes() for old, new in pairs):
            what = f"{self.owner.name} changes an argument in place"
            raise TraceError(word(what, where=where(), way_out="Let it change a copy."))
        return made

    def _outcome(self, leaf: Any, accessor: Any) -> Outcome:
        numbers = (np.ndarray, np.generic, bool, int, float, complex)
        if not isinstance(leaf, numbers) or not is_supported(type_of(leaf).dtype):
            what = f"the result of {self.owner.name} holds a {type(leaf).__name__}"
            way_out = "Return numbers and arrays of them, in a tuple, list or dict."
            raise TraceError(word(what, where=where(), way_out=way_out))
        steps = tuple([_step(entry) for entry in accessor])
        return Outcome(steps, type_of(leaf), isinstance(leaf, np.ndarray))

    def returns(self, spec: Spec, leaves: Sequence[Outcome | None]) -> None:
        """Make the records, for a result of this tree; None stands for None."""
        self.out_spec = spec
        self.out_leaves = tuple(leaves)
        self.outcomes = [each for each in leaves if each is not None]
        derive = self._tangent_by_cotangents if self.owner.reverse else self._tangent
        self.rules = {each.path: Tangents(partial(derive, each.path)) for each in self.outcomes}
        self.checked = Checked(self)
        self.objects: list[tuple[str, Any]] = [
            (self.owner.name, self.callee()), *self.owner.objects()
        ]
        self._bind_objects()
        self.part = self.take(self.owner.name)
        self.results = records(
            self.owner.name,
            self.function,
            self.types,
            self.outcomes,
            self.part,
            rule=partial(self.owner.rule, self),
            source=self.source,
            objects=tuple(self.objects),
            batch=self._batch_rule,
            repeats_operands=self.repeats_operands,
        )

    def like(self, types: Sequence[ArrayType], size: int) -> Signature:
        """The same call on operands of other types, whose results have one more leading axis."""
        made = Signature(
            self.owner, self.spec, self.places, types, self.differentiated, self.shown
        )
        made.returns(self.out_spec, [
            each and Outcome(each.path, array_type(each.type.dtype, (size, *each.type.shape)), True)
            for each in self.out_leaves
        ])  # fmt: skip
        return made

    # ------------------------------------------------------------------ calling

    def callee(self) -> Checked:
        """What the source calls."""
        return self.checked

    def number(self, operand: int) -> int:
        """The argument that an operand stands in."""
        counts = [child.num_leaves for child in self.spec.children()]
        leaf = self.places.index(operand)
        return int(np.searchsorted(np.cumsum(counts), leaf, side="right"))

    def arguments(self, operands: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of a call with these operands."""
        leaves = [
            place.value if isinstance(place, Static) else operands[place] for place in self.places
        ]
        made: tuple[Any, ...] = unflatten(self.spec, leaves)
        return made

    def function(self, *operands: Any) -> Any:
        """The user's function of the operands."""
        with context.tracing(None):
            return self.owner.plain(*self.arguments(operands))

    def values(self, operands: Sequence[Node]) -> list[Node]:
        """What a call returns, one node for each value."""
        return [node(op, tuple(operands)) for op in self.results]

    def applied(self, operands: Sequence[Node]) -> Any:
        """What a call returns, as traced values in its tree."""
        return self.result_tree([
            Tracer(each, outcome.is_array)
            for each, outcome in zip(self.values(operands), self.outcomes, strict=True)
        ])  # fmt: skip

    # ------------------------------------------------------------------ source

    def _bind_objects(self) -> None:
        """What a call names besides its operands: static values that are no literals, classes."""
        for each in self.places:
            if isinstance(each, Static) and not _is_literal(each.value):
                self._bind(each.value)
        for cls in _classes(self.spec):
            self._bind(cls)

    def _bind(self, value: Any) -> None:
        name = getattr(value, "__name__", type(value).__name__)
        self.objects.append((name if name.isidentifier() else "value", value))

    def source(self, *texts: str) -> str:
        """The call, from the names of the objects and the source of the operands."""
        count = len(self.objects)
        return self.owner.source(texts[:count], list(self._arguments_source(texts)))

    def _arguments_source(self, texts: Sequence[str]) -> Iterator[str]:
        names = {
            id(value): text
            for (_, value), text in zip(self.objects[1:], texts[1:], strict=False)
        }
        operands = texts[len(self.objects) :]

        def leaf(place: Any) -> str:
            if not isinstance(place, Static):
                return str(operands[place])
            return names.get(id(place.value)) or literal_source(place.value)

        def other(spec: Spec, children: list[str]) -> str:
            fields = [entry if isinstance(entry, str) else "" for entry in spec.entries()]
            parts = [f"{field}={child}" if field else child
                     for field, child in zip(fields, children, strict=True)]  # fmt: skip
            return f"{names[id(spec.type)]}({', '.join(parts)})"

        leaves = map(leaf, self.places)
        for child in self.spec.children()[: self.shown]:
            yield tree_source(child, leaves, other)

    # ------------------------------------------------------------------ trees of rules

    def as_in_rules(
        self, primals: Sequence[Any], dots: Sequence[Any]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
        """The arguments that are not differentiated, the others, and the tangents of these."""
        args = self.arguments(primals)
        fixed = {number % len(args) for number in self.owner.nondiff_argnums}
        leaves = [None if isinstance(each, Static) else dots[each] for each in self.places]
        tangents = unflatten(self.spec, leaves)
        own = [i for i in range(len(args)) if i not in fixed]
        return (
            tuple([args[number % len(args)] for number in self.owner.nondiff_argnums]),
            tuple([args[i] for i in own]),
            tuple([tangents[i] for i in own]),
        )

    def result_tree(self, values: Sequence[Any]) -> Any:
        """The tree of the result with these values."""
        rest = iter(values)
        return unflatten(self.out_spec, [each and next(rest) for each in self.out_leaves])

    def result_leaves(self, tree: Any) -> list[Any]:
        """The values in a tree like that of the result. Raises RuleError for another tree."""
        leaves, spec = flatten(tree)
        if spec != self.out_spec:
            what = f"the rule of {self.owner.name} gives a tangent of the tree {spec}"
            raise RuleError(word(what, way_out=f"The result has the tree {self.out_spec}."))
        pairs = zip(leaves, self.out_leaves, strict=True)
        return [leaf for leaf, outcome in pairs if outcome is not None]

    def operand_leaves(self, trees: Any) -> list[Any]:
        """The cotangents of the operands in a tuple of trees like the arguments, None for zero."""
        children = self.spec.children()
        fixed = {number % len(children) for number in self.owner.nondiff_argnums}
        own = [i for i in range(len(children)) if i not in fixed]
        if not isinstance(trees, (tuple, list)) or len(trees) != len(own):
            what = f"the backward rule of {self.owner.name} should give {len(own)} cotangents"
            raise RuleError(word(what, way_out="Return a tuple, one for each argument."))
        given = dict(zip(own, trees, strict=True))
        found: list[Any] = [None] * len(self.types)
        places = iter(self.places)
        for i, child in enumerate(children):
            leaves, spec = flatten(given.get(i))
            if given.get(i) is None:
                leaves = [None] * child.num_leaves
            elif spec != child:
                what = f"the backward rule of {self.owner.name} gives a cotangent of tree {spec}"
                raise RuleError(word(what, way_out=f"Argument {i} has the tree {child}."))
            for leaf in leaves:
                place = next(places)
                if not isinstance(place, Static) and self.active[place]:
                    found[place] = leaf
        return found

    # ------------------------------------------------------------------ forward rules

    def _index(self, path: Path) -> int:
        return [each.path for each in self.outcomes].index(path)

    def _tangent(self, path: Path, each: Node, dots: Sequence[Node | None]) -> Node | None:
        """The tangent of a value, by the rule that gives the tangents of all."""
        running = context.current()
        assert running is not None
        found = running.rules.get((self, each.args))
        if found is None:
            found = running.rules[self, each.args] = self._read_tangents(each.args, running)
        inputs, roots = found
        root = roots[self._index(path)]
        if root is None:
            return None
        stop = [*each.args, *self.values(each.args)]
        return along(root, stop, inputs, dots, self.owner.name)

    def _read_tangents(
        self, args: Sequence[Node], running: Context
    ) -> tuple[list[Input | None], list[Node | None]]:
        inputs = [
            input_node(f"dot_{i}", type) if active else None
            for i, (type, active) in enumerate(zip(self.types, self.active, strict=True))
        ]
        dots = [
            Tracer(zeros(arg)) if dot is None else traced(dot)
            for arg, dot in zip(args, inputs, strict=True)
        ]
        primals = list(map(traced, args))
        results = list(map(traced, self.values(args)))
        found = self.owner.tangents(self, primals, results, dots)
        roots = [
            fitted(leaf, outcome.type, self.owner.name)
            for leaf, outcome in zip(found, self.outcomes, strict=True)
        ]

        def products(directions: list[Any], bars: list[Any]) -> float:
            for each, direction in zip(inputs, directions, strict=True):
                if each is not None:
                    running.examples.give(each, direction)
            known = [0.0 if root is None else _example(root, running) for root in roots]
            return _pairing(known, bars)

        self._compare(args, products, running)
        return inputs, roots

    # ------------------------------------------------------------------ backward rules

    def _tangent_by_cotangents(
        self, path: Path, each: Node, dots: Sequence[Node | None]
    ) -> Node | None:
        """A tangent that is never computed: what it is transposed to is the backward rule."""
        running = context.current()
        assert running is not None
        found = running.rules.get((self, each.args))
        if found is None:
            found = running.rules[self, each.args] = self._read_forward(each.args, running)
        linear, kept = found
        own = [
            dot or zeros(arg)
            for arg, dot, active in zip(each.args, dots, self.active, strict=True)
            if active
        ]
        made = node(linear, (*kept, *own))
        return node(self.part, (made,), (("path", path), ("type", each.type)))

    def _read_forward(
        self, args: Sequence[Node], running: Context
    ) -> tuple[Primitive, list[Node]]:
        found, rest = self.owner.forward(self, list(map(traced, args)))
        kept = [each.node for each in found]

        def backward(kept: Sequence[Node], y_bars: dict[Path, Node]) -> list[Node | None]:
            bars = [
                traced(y_bars.get(each.path) or zeros_of(each.type)) for each in self.outcomes
            ]
            found = self.owner.backward(self, list(map(traced, kept)), rest, bars)
            pairs = zip(found, self.types, strict=True)
            return [fitted(leaf, type, self.owner.name) for leaf, type in pairs]

        def products(directions: list[Any], y_bars: list[Any]) -> float:
            given = {
                outcome.path: lift(np.asarray(bar, outcome.type.dtype))
                for outcome, bar in zip(self.outcomes, y_bars, strict=True)
                if outcome.type.inexact
            }
            bars = [0.0 if x is None else _example(x, running) for x in backward(kept, given)]
            return _pairing(bars, directions)

        self._compare(args, products, running)
        return self._linear(len(kept), backward), kept

    def _linear(self, count: int, backward: Callable[..., list[Node | None]]) -> Primitive:
        """The record of the tangent: it has a transpose, and no function."""

        def adjoint(each: Node, y_bars: dict[Path, Node]) -> list[Node | None]:
            bars = backward(each.args[:count], y_bars)
            own = [bar for bar, active in zip(bars, self.active, strict=True) if active]
            return [*[None] * count, *own]

        def refused(*args: Any) -> Any:
            raise NotDifferentiableError(f"{self.owner.name} has no forward mode")

        fixed = [f"kept_{i}" for i in range(count)]
        dots = [f"dot_{i}" for i, active in enumerate(self.active) if active]
        rules: dict[str, Rule] = dict.fromkeys(fixed, CONSTANT)
        return Primitive(
            name=self.owner.name,
            function=refused,
            arguments=(*fixed, *dots),
            result=lambda *types: TUPLE,
            rules=rules | dict.fromkeys(dots, Cotangents(adjoint)),
            joint=True,
            foreign=True,
            reverse_only=True,
        )

    # ------------------------------------------------------------------ checking

    def _compare(
        self,
        args: Sequence[Node],
        products: Callable[[list[Any], list[Any]], float],
        running: Context,
    ) -> None:
        """Compare a rule with differences, the first time that values are known.

        `products` gives what the rule makes of directions and cotangents. Raises RuleError where
        differences agree with themselves, and not with the rule.
        """
        if not self.owner.unchecked:
            return
        with context.tracing(None), np.errstate(all="ignore"):
            try:
                values = [_example(each, running) for each in args]
            except Exception:  # only types are known
                return
            self.owner.unchecked = False
            rng = np.random.default_rng(0)
            rules = list(self.rules.values())
            covered = [self.results[0].rule(i) in rules for i in range(len(args))]
            directions = [
                _direction(value, rng) if own else None
                for value, own in zip(values, covered, strict=True)
            ]
            try:
                steps = (-2, -1, 0, 1, 2)
                ends = [self._moved(values, directions, step * _STEP) for step in steps]
            except Exception:  # outside of where the function is defined
                return
            bars = [np.asarray(rng.uniform(0.5, 1.5, np.shape(each))) for each in ends[0]]
            back2, back, here, ahead, ahead2 = ends

            def slope(left: list[Any], right: list[Any], steps: int) -> tuple[float, float]:
                """The difference of results along the cotangents, and how large its parts are."""
                parts = [(b - a) / (steps * _STEP) for a, b in zip(left, right, strict=True)]
                return _pairing(parts, bars), _pairing(list(map(np.abs, parts)), bars)

            right, scale = slope(back, ahead, 2)
            wide, _ = slope(back2, ahead2, 4)
            before, after = slope(back, here, 1)[0], slope(here, ahead, 1)[0]
        double = all(np.finfo(each.dtype).eps < 1e-10 for each in self.types if each.inexact)
        tolerance = (1e-3 if double else 3e-2) * scale + (1e-7 if double else 1e-3)
        kink = abs(after - before) >= 0.05 * scale + tolerance
        if abs(right - wide) < tolerance / 2 and not kink:  # no noise, and finite
            self._agree(products(directions, bars), right, tolerance)

    def compare_transpose(
        self, operand: int, args: Sequence[Node], adjoint: Callable[[Node], Node | None]
    ) -> None:
        """Compare the transpose in an operand with the function, which is linear in it."""
        running = context.current()
        assert running is not None
        with context.tracing(None), np.errstate(all="ignore"):
            rng = np.random.default_rng(0)
            blank = _blank(self.types[operand])
            direction = _like(blank, rng.uniform(0.5, 1.5, np.shape(blank)))
            try:
                values = [
                    direction if i == operand else _example(each, running)
                    for i, each in enumerate(args)
                ]
                made = self.function(*values)
            except Exception:  # only types are known, or this is outside of its domain
                return
        type = self.outcomes[0].type
        bar = np.asarray(rng.uniform(0.5, 1.5, type.shape), type.dtype)
        right = _pairing([made], [bar])
        found = adjoint(lift(bar))
        left = 0.0 if found is None else _pairing([_example(found, running)], [direction])
        scale = _pairing([np.abs(made)], [bar])
        self._agree(left, right, 1e-4 * scale + 1e-7)

    def _agree(self, left: float, right: float, tolerance: float) -> None:
        if not abs(left - right) <= tolerance:
            what = (
                f"the rule of {self.owner.name} gives {left:.6g} along a random direction, "
                f"the function itself {right:.6g}"
            )
            raise RuleError(word(what, way_out="Correct it, or pass check=False if it is meant."))

    def _moved(self, values: Sequence[Any], directions: Sequence[Any], step: float) -> list[Any]:
        """The values of the result at a step along the directions."""
        moved = [
            value if direction is None else _like(value, value + step * direction)
            for value, direction in zip(values, directions, strict=True)
        ]
        made = self.function(*moved)
        found = [np.asarray(self.part.function(made, *each[:2])) for each in self.outcomes]
        return [each if each.dtype.kind in "fc" else np.zeros(each.shape) for each in found]

    # ------------------------------------------------------------------ batching

    def _batch_rule(self, path: Path) -> Callable[..., Any]:
        def rule(*args: Any, batched: tuple[bool, ...]) -> Any:
            return self.owner.batched(self, self._index(path), args, batched)

        return rule


class Checked:
    """What emitted code calls: the function, whose result must be as it was when it was traced."""

    __slots__ = ("out_leaves", "out_spec", "owner")

    def __init__(self, signature: Signature) -> None:
        self.owner = signature.owner
        self.out_spec = signature.out_spec
        self.out_leaves = signature.out_leaves

    @property
    def importable(self) -> tuple[Any, ...]:
        """What a saved module may import in its place."""
        return self.owner, self.owner.fun

    def __call__(self, *args: Any, **options: Any) -> Any:
        made = self.owner.called(*args, **options)
        value = self.owner.value_of(made)
        first = self.out_leaves[0] if len(self.out_leaves) == 1 else None
        if first is None or first.path or not _fits(value, first):
            leaves, spec = flatten(value)
            if spec != self.out_spec or not all(map(_fits, leaves, self.out_leaves)):
                raise ShapeError(self._misfit(leaves))
        return made

    def _misfit(self, leaves: Sequence[Any]) -> str:
        def told(leaf: Any) -> str:
            try:
                return str(type_of(leaf))
            except (TypeError, KeyError):
                return type(leaf).__name__

        expected = ", ".join("None" if each is None else str(each.type) for each in self.out_leaves)
        return word(
            f"{self.owner.name} returned {', '.join(map(told, leaves))}, where {expected} was "
            "found when it was traced",
            way_out="Return values of one shape and dtype for arguments of one type.",
        )


def _fits(leaf: Any, outcome: Outcome | None) -> bool:
    """Whether a value that a call returned is of the type that it was traced with."""
    if outcome is None or leaf is None:
        return outcome is leaf
    type = outcome.type
    if isinstance(leaf, (np.ndarray, np.generic)):
        return leaf.dtype == type.dtype and leaf.shape == type.shape
    return not type.shape and isinstance(leaf, (bool, int, float, complex)) and (
        type_of(leaf).dtype == type.dtype
    )


# ---------------------------------------------------------------------------- reading rules


def read(rule: Callable[..., Any], *args: Any) -> Any:
    """What a rule of the user's makes of traced values."""
    outer = context.current()
    assert outer is not None
    running = Context(outer.interposer, outer)
    with context.tracing(running):
        made = outer.interposer.again(rule, *args)
    outer.relied |= running.relied
    return made


_serial = attrgetter("serial")


def along(
    root: Node,
    known: Sequence[Node],
    inputs: Sequence[Input | None],
    dots: Sequence[Node | None],
    name: str,
) -> Node | None:
    """A tangent, linear in `inputs`, for these tangents of them; None for zero.

    `known` are the nodes that it is computed from. Raises RuleError if it is not linear.
    """
    sources = {each: dot for each, dot in zip(inputs, dots, strict=True) if each is not None}
    tangents = set[Node](sources)
    new: dict[Node, Node] = {each: dot for each, dot in sources.items() if dot is not None}
    stop = {*known, *sources}
    inner = [] if root in stop else [*between(root, stop), root]
    for each in sorted(inner, key=_serial):
        if not any(arg in tangents for arg in each.args):
            continue
        try:
            verify_node(each, tangents)
        except RuleError as error:
            raise RuleError(f"the rule of {name} is not linear in its tangents: {error}") from None
        tangents.add(each)
        if any(arg in new for arg in each.args):
            args = [
                new.get(arg) or (zeros(arg) if arg in tangents else arg) for arg in each.args
            ]
            new[each] = node(each.op, tuple(args), each.params)
    if root not in tangents and not (isinstance(root, Const) and np.all(root.value == 0)):
        raise RuleError(f"the rule of {name} gives a tangent that is none of its tangents'")
    return new.get(root)


def fitted(leaf: Any, type: ArrayType, name: str) -> Node | None:
    """What a rule gives, in the type of what it is for. Raises RuleError where it does not fit."""
    number = issubclass(leaf.__class__, (int, float)) and not isinstance(leaf, Tracer)
    if leaf is None or not type.inexact or (number and leaf == 0):
        return None
    made = lift(leaf)
    if made.type.shape != type.shape:
        raise RuleError(f"the rule of {name} gives {made.type} for a value of type {type}")
    if made.type.dtype.kind == "c" and type.dtype.kind != "c":
        raise RuleError(f"the rule of {name} gives a complex {made.type} for a real {type}")
    return coerce(made, type)


def zeros_of(type: ArrayType) -> Node:
    """Zeros in the place of a cotangent."""
    return zeros(input_node("like", type))


def traced(each: Node) -> Tracer:
    """A node as rules see it."""
    return Tracer(each, is_array=not each.type.weak)


# ---------------------------------------------------------------------------- values


def _sample(each: Node, running: Context) -> Any:
    """The value that an operand has in this call, or one of its type."""
    try:
        value = _example(each, running)
        return value.copy() if isinstance(value, np.ndarray) else value
    except Exception:  # only types are known, or what computes it fails by itself
        type = each.type
    spread = np.linspace(0.25, 0.75, type.size).reshape(type.shape)
    value = (spread if type.inexact else np.ones(type.shape)).astype(type.dtype)[()]
    return type.python(value) if type.weak else value


def _example(each: Node, running: Context) -> Any:
    with context.tracing(None):
        return running.examples.of(each)


def _blank(type: ArrayType) -> Any:
    """Zeros of a type, that take no memory."""
    return type.python(0) if type.weak else np.broadcast_to(np.zeros((), type.dtype), type.shape)


def _direction(value: Any, rng: np.random.Generator) -> Any:
    """Random numbers like a value, and of its size, None where it has no direction."""
    if np.asarray(value).dtype.kind not in "fc":
        return None
    size = np.abs(value)
    direction = rng.uniform(0.5, 1.5, np.shape(value)) * np.where(size == 0, 1, size)
    return direction * rng.choice([-1, 1], np.shape(value))


def _like(value: Any, moved: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.asarray(moved, value.dtype)
    return type(value)(moved)


def _pairing(left: Sequence[Any], right: Sequence[Any]) -> float:
    return sum(
        float(np.sum(np.real(a * b)))
        for a, b in zip(left, right, strict=True)
        if a is not None and b is not None
    )


def _step(entry: Any) -> tuple[str, Any]:
    """One step of a way into a result."""
    attribute = type(entry).__name__ == "GetAttrEntry"
    return ("attribute" if attribute else "item"), entry.entry


def _is_literal(value: Any) -> bool:
    return type(value) in _LITERALS and value == value


def _classes(spec: Spec) -> Iterator[type]:
    """The classes in a tree that Python has no display for."""
    stack = [spec]
    while stack:
        each = stack.pop()
        if each.type not in (None, tuple, list, dict):
            yield each.type
        stack += each.children()
