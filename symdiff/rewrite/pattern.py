"""Rules as data: patterns written in NumPy over `Wild` values, their matching and instantiation."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from itertools import chain, product, repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from symdiff.errors import RuleError
from symdiff.ir.node import CONST, Const, Node, Params, constant, node
from symdiff.ir.types import ArrayType
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive, find


class Exactness(Enum):
    """What a rule claims about the numbers on its two sides; checked by machine."""

    EXACT = "the same bits for every input, NaNs all alike"
    ROUNDING = "a few units in the last place apart where both sides are finite"
    ACCURATE = "more accurate, or overflows later"
    FINITE = "equal where no infinity and no NaN takes part"


EXACT, ROUNDING, ACCURATE, FINITE = Exactness


# ---------------------------------------------------------------------------- terms


class Term(NDArrayOperatorsMixin):
    """Either side of a rule: ordinary NumPy code applied to it builds a larger term."""

    __slots__ = ()
    __hash__ = object.__hash__

    op: Any  # the operation of what it stands for; None: any

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **params: Any) -> Applied:
        if method != "__call__":
            raise RuleError(f"np.{ufunc.__name__}.{method} has no place in a pattern")
        return applied(ufunc, args, params)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], params: Mapping[str, Any]
    ) -> Applied:
        return applied(function, args, params)


class Wild(Term):
    """Stands for any value, or, as a keyword argument, for any parameter of an operation.

    With `constant`, only for a constant that is the same number everywhere.
    """

    __slots__ = ("constant", "name", "op")

    def __init__(self, name: str, *, constant: bool = False) -> None:
        self.name = name
        self.constant = constant
        self.op = CONST if constant else None

    def __repr__(self) -> str:
        return self.name


class Applied(Term):
    """A primitive applied to terms and numbers. Parameters that it leaves out may be anything."""

    __slots__ = ("args", "op", "params")

    def __init__(
        self, op: Primitive, args: tuple[Any, ...], params: tuple[tuple[str, Any], ...]
    ) -> None:
        self.op = op
        self.args = args
        self.params = params

    def __repr__(self) -> str:
        if self.op.infix:
            left = "" if len(self.args) == 1 else f"{self.args[0]!r} "
            space = " " if left else ""
            return f"({left}{self.op.infix}{space}{self.args[-1]!r})"
        parts = [repr(each) for each in self.args]
        parts += [f"{key}={value!r}" for key, value in self.params]
        return f"{self.op.name}({', '.join(parts)})"


def applied(function: Any, args: tuple[Any, ...], params: Mapping[str, Any]) -> Applied:
    """The term of a NumPy function or a primitive; parameters by keyword."""
    op = find(function)
    if not isinstance(op, Primitive):
        raise RuleError(f"{function} is no primitive: write a pattern in those it is traced to")
    return Applied(op, args, tuple(sorted(params.items())))


class Family(NamedTuple):
    """A pattern that no NumPy expression states: operations of a family, by what they read.

    The operation is one of `roots`, or any if there are none. Its operands are, among others, of
    the operations `reads` (Leaf ops included). `accepts` sees the primitive and those of all
    operands.
    """

    about: str
    roots: tuple[Any, ...] = ()
    reads: tuple[Any, ...] = ()
    accepts: Callable[[Any, tuple[Any, ...]], bool] = lambda op, args: True

    def __repr__(self) -> str:
        return self.about


def wilds(names: str) -> tuple[Any, ...]:
    """One wild value for each name, for a table to write its rows with."""
    return tuple([Wild(name) for name in names.split()])


# ---------------------------------------------------------------------------- rules


class Match:
    """What a pattern's wild names stand for at a node, and the nodes between it and them."""

    __slots__ = ("inner", "root", "values")

    def __init__(self, root: Node) -> None:
        self.root = root
        self.values: dict[str, Any] = {}
        self.inner: list[Node] = []

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


Computed = Callable[[Match], Node | None]
Condition = Callable[[Match], bool]


@dataclass(slots=True, eq=False)
class Rule:
    """One row of a table. `replacement` is a term, a number, or computed from the match.

    Inner nodes of the pattern must have no other reader unless `shared`, or with `together` none
    but those that such a rule fits as well. A rule without `primal`
    leaves the user's own program as it is written, however exact it is. The claim holds for the
    kinds of number in `dtypes`, to `ulps` units in the last place, for magnitudes within `reach` of
    the range of exponents, and where `when` holds. The tests look at it at the types, numbers and
    parameters in `example`; the one called `of` is a term that the pattern fits.
    """

    name: str
    pattern: Applied | Family
    replacement: Any
    exactness: Exactness
    when: Condition | None = None
    shared: bool = False
    together: bool = False
    dtypes: str = "f"
    primal: bool = True
    reach: float = 1.0
    ulps: float = 4.0
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[Any, ...]:
        """The operations that it rewrites; empty where it may be any."""
        return self.pattern.roots if isinstance(self.pattern, Family) else (self.pattern.op,)

    def __repr__(self) -> str:
        return f"{self.name}: {self.pattern} -> {side(self.replacement)}"


def side(replacement: Any) -> str:
    """A replacement as text: a function says in its docstring what it computes."""
    if callable(replacement) and not isinstance(replacement, Term):
        said = str(replacement.__doc__ or replacement)
        return said.partition("\n")[0].rstrip(".")
    return repr(replacement)


def rule(
    name: str, pattern: Any, replacement: Any, exactness: Exactness, **conditions: Any
) -> Rule:
    """A row: name, pattern, replacement, class, and the conditions that `Rule` documents."""
    return Rule(name, pattern, replacement, exactness, **conditions)


def rules(*rows: Rule) -> tuple[Rule, ...]:
    """A table. Raises RuleError if two rows have one name."""
    names = [each.name for each in rows]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RuleError(f"rules named twice: {', '.join(sorted(twice))}")
    return rows


# ---------------------------------------------------------------------------- matching


def variants(pattern: Any) -> list[Any]:
    """The pattern with the operands of commutative operations in either order.

    Operands that differ only in the names of wild values which stand nowhere else have one order.
    """
    return _orders(pattern, pattern)


def _orders(pattern: Any, whole: Any) -> list[Any]:
    if not isinstance(pattern, Applied):
        return [pattern]
    op, args = pattern.op, pattern.args
    inner = [pattern]
    if any([isinstance(arg, Applied) for arg in args]):  # noqa: C419
        each = product(*[_orders(arg, whole) for arg in args])
        inner = [Applied(op, operands, pattern.params) for operands in each]
    if not op.commutative or _alike(args[0], args[-1], whole):
        return inner
    both = [(each, Applied(op, each.args[::-1], each.params)) for each in inner]
    return list(chain.from_iterable(both))


def _alike(one: Any, other: Any, whole: Any) -> bool:
    """Whether two terms fit the same values: they differ in names that stand nowhere else."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Wild):
        alone = all(_count(each.name, whole) == 1 for each in (one, other))
        return alone and one.constant == other.constant
    if isinstance(one, Applied):
        same = one.op is other.op and one.params == other.params == ()
        return same and all(map(_alike, one.args, other.args, repeat(whole)))
    return False


def _count(name: str, pattern: Any) -> int:
    """How often a wild value is an operand in a pattern."""
    if isinstance(pattern, Applied):
        return sum([_count(name, arg) for arg in pattern.args])
    return isinstance(pattern, Wild) and pattern.name == name


def match(pattern: Applied | Family, each: Node) -> Match | None:
    """How the node fits the pattern, operand for operand, if it does."""
    found = Match(each)
    if isinstance(pattern, Family) or _fits_applied(pattern, each, found):
        return found
    return None


def _fits_applied(pattern: Applied, each: Node, found: Match) -> bool:
    if each.op is not pattern.op or len(each.args) != len(pattern.args):
        return False
    for wanted, arg in zip(pattern.args, each.args, strict=True):
        if not _fits(wanted, arg, found):
            return False
    return not pattern.params or _fits_params(pattern, each, found)


def _fits(pattern: Any, each: Node, found: Match) -> bool:
    kind = type(pattern)
    if kind is Wild:
        if pattern.constant and not (isinstance(each, Const) and each.uniform):
            return False
        return found.values.setdefault(pattern.name, each) is each
    if kind is Applied:
        found.inner.append(each)
        return each.op is pattern.op and _fits_applied(pattern, each, found)
    return is_number(each, pattern)


def _fits_params(pattern: Applied, each: Node, found: Match) -> bool:
    for key, wanted in pattern.params:
        value = each.param(key)
        if isinstance(wanted, Wild):
            wanted = found.values.setdefault(wanted.name, value)
        if value != wanted:
            return False
    return True


def is_number(each: Node, number: complex) -> bool:
    """Whether the node is a constant equal to the number everywhere.

    A zero written as a float stands for the zero of its sign, the integer 0 for both.
    """
    if not isinstance(each, Const) or not each.uniform or each.value != number:
        return False
    if number != 0 or not isinstance(number, float) or not each.type.inexact:
        return True
    return bool(np.signbit(each.value.real) == np.signbit(number))


# ---------------------------------------------------------------------------- instantiation


def instantiate(replacement: Any, found: Match) -> Node | None:
    """The node that a replacement stands for at a match; None where it does not apply."""
    if isinstance(replacement, Term):
        return _build(replacement, found)
    if callable(replacement):
        made: Node | None = replacement(found)
        return made
    return _number(replacement, found.root.type)


def _build(term: Any, found: Match) -> Node | None:
    if isinstance(term, Wild):
        value: Node = found[term.name]
        return value
    args: list[Node | None] = [
        _build(arg, found) if isinstance(arg, Term) else None for arg in term.args
    ]
    values = args[1:] if term.op is e.where else args  # the condition has a dtype of its own
    types = [arg.type for arg in values if arg is not None] or [found.root.type]
    if term.op.elementwise and types.count(types[0]) != len(types):
        return None
    for i, arg in enumerate(args):
        if arg is None and not isinstance(term.args[i], Term):
            args[i] = _number(term.args[i], types[0])
    filled = tuple([arg for arg in args if arg is not None])
    if len(filled) < len(args):
        return None
    params: Params = tuple(
        [(key, found[each.name] if isinstance(each, Wild) else each) for key, each in term.params]
    )
    return node(term.op, filled, params)


def _number(number: Any, type: ArrayType) -> Node | None:
    """The number as a constant; None where the type does not have it, as bool has no 2."""
    value = type.python(number) if type.weak else type.dtype.type(number)
    return constant(value, type) if type.inexact or value == number else None


# ---------------------------------------------------------------------------- evaluation

_OPERATORS: dict[str, tuple[Callable[..., Any], ...]] = {
    "+": (operator.pos, operator.add),
    "-": (operator.neg, operator.sub),
    "*": (operator.mul,),
    "/": (operator.truediv,),
    "**": (operator.pow,),
}


@cache
def function_of(op: Primitive) -> Callable[..., Any]:
    """The function that computes an operation: Python's operator where it has one."""
    found = _OPERATORS.get(op.infix)
    return op.function if found is None else found[0 if len(op.arguments) == 1 else -1]


def evaluate(term: Any, values: Mapping[str, Any]) -> Any:
    """A term computed by NumPy, for arrays and parameters in the place of the wild names."""
    if isinstance(term, Wild):
        return values[term.name]
    if not isinstance(term, Applied):
        return term
    args = [evaluate(arg, values) for arg in term.args]
    params = {key: evaluate(each, values) for key, each in term.params}
    return term.op.function(*args, **params)
