"""Nodes of the expression DAG: immutable, and interned within one compilation."""

from __future__ import annotations

import gc
from collections.abc import Hashable
from contextvars import ContextVar, Token
from typing import Any, Protocol

import numpy as np

from symdiff.ir.types import ArrayType

Params = tuple[tuple[str, Hashable], ...]

# Arrays up to this many elements are told apart by their bytes, larger ones by identity.
SMALL = 64


class Op(Protocol):
    """What the IR needs to know of a primitive."""

    @property
    def name(self) -> str: ...

    def infer(self, types: tuple[ArrayType, ...], params: Params) -> ArrayType: ...


class Node:
    """One operation applied to nodes. Equality is identity: equal nodes are the same object.

    `serial` counts creations within a compilation, so that sorting by it is a topological order.
    """

    __slots__ = ("args", "op", "params", "serial", "type")

    op: Op
    args: tuple[Node, ...]
    params: Params
    type: ArrayType
    serial: int

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.type}>"

    def param(self, name: str) -> Any:
        for key, value in self.params:
            if key == name:
                return value
        raise KeyError(name)


class _Leaf:
    """The op of inputs and constants, which compute nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def infer(self, types: tuple[ArrayType, ...], params: Params) -> ArrayType:
        raise TypeError(f"{self.name} has no operands to infer a type from")


INPUT = _Leaf("input")
CONST = _Leaf("const")


class Input(Node):
    """An argument of a graph. Never interned: two inputs of one type stay two."""

    __slots__ = ("name",)

    name: str


class Const(Node):
    """A known value: a scalar (which fills the whole shape of the type) or an array."""

    __slots__ = ("value",)

    value: Any

    @property
    def uniform(self) -> bool:
        """Whether every element is the same scalar, `value`."""
        return not isinstance(self.value, np.ndarray)


class _Compilation:
    """The intern table of one compilation; dropped with it."""

    __slots__ = ("count", "opened", "table")

    def __init__(self, count: int) -> None:
        self.table: dict[Hashable, Node] = {}
        self.opened: dict[Node, bool] = {}
        self.count = count


_current: ContextVar[_Compilation | None] = ContextVar("symdiff_compilation", default=None)


class _Block:
    """A `with` block of a compilation; one inside another is entered for each rule."""

    __slots__ = ("_after", "_collecting", "_fresh", "_token")

    def __init__(self, fresh: bool, after: int) -> None:
        self._fresh = fresh
        self._after = after
        self._token: Token[_Compilation | None] | None = None

    def __enter__(self) -> None:
        if self._fresh or _current.get() is None:
            self._token = _current.set(_Compilation(self._after))
            self._collecting = gc.isenabled()
            gc.disable()

    def __exit__(self, *raised: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            if self._collecting:
                gc.enable()


def compilation(fresh: bool = False, after: int = 0) -> _Block:
    """Nodes made inside are interned together; an inner block joins the outer one.

    A fresh one whose nodes are made of those of an earlier one counts on `after` their serials.

    The collector of garbage pauses meanwhile: what is made stays, and looking through it again and
    again would take a third of the time of a long function.
    """
    return _Block(fresh, after)


def _table() -> _Compilation:
    table = _current.get()
    if table is None:
        raise RuntimeError("nodes are made inside `with compilation():`")
    return table


def opened() -> dict[Node, bool]:
    """For nodes of this compilation that were asked for, whether an extent is open in or below."""
    return _table().opened


def count() -> int:
    """How many nodes were made in this compilation: another number after each new one."""
    return _table().count


def node(
    op: Op, args: tuple[Node, ...], params: Params = (), type: ArrayType | None = None
) -> Node:
    """The node that applies `op` to `args`; `type` saves inferring it where it is known."""
    table = _current.get() or _table()
    key = (op, args, params)
    found = table.table.get(key)
    if found is not None:
        return found
    made = Node()
    made.op = op
    made.args = args
    made.params = params
    made.type = type or op.infer(tuple([arg.type for arg in args]), params)
    table.count += 1
    made.serial = table.count
    table.table[key] = made
    return made


def input_node(name: str, type: ArrayType) -> Input:
    """A new input."""
    table = _table()
    made = Input()
    made.op, made.args, made.params, made.type, made.name = INPUT, (), (), type, name
    table.count += 1
    made.serial = table.count
    return made


def constant(value: Any, type: ArrayType) -> Const:
    """The constant of this type: `value` is a scalar for a uniform one, else an array."""
    table = _table()
    value, key = _constant_key(value, type)
    found = table.table.get(key)
    if found is not None:
        assert isinstance(found, Const)
        return found
    made = Const()
    made.op, made.args, made.params, made.type, made.value = CONST, (), (), type, value
    table.count += 1
    made.serial = table.count
    table.table[key] = made
    return made


def _constant_key(value: Any, type: ArrayType) -> tuple[Any, Hashable]:
    """The stored value and its intern key. Bytes, not `==`: 0.0 and -0.0 differ, NaN is NaN."""
    if type.weak:
        value = type.python(value)
        return value, (CONST, type, np.asarray(value).tobytes() if value == value else repr(value))
    if isinstance(value, np.ndarray) and value.size > SMALL:
        return value, (CONST, type, "array", id(value))
    array = np.asarray(value, dtype=type.dtype)
    if array.ndim == 0:
        return array[()], (CONST, type, array.tobytes())
    if array.size and array.tobytes() == array.ravel()[:1].tobytes() * array.size:
        return array.ravel()[0], (CONST, type, array.ravel()[:1].tobytes())
    # a copy: the caller's small array may change under us while its bytes are the key
    return array.copy(), (CONST, type, "array", array.tobytes())
