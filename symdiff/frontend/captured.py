"""What a traced function reached without being passed it: how to read it again, what it was."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.node import Input
from symdiff.ir.types import is_foreign, is_generator, is_sparse, is_supported, type_of

Instead = Mapping[int, object]  # by identity: what now stands where an object stood when traced
_AS_THEY_ARE: Instead = {}


@dataclass(frozen=True, slots=True)
class Item:
    """One step on the way to a value: `[key]`."""

    key: Hashable

    def take(self, value: Any, instead: Instead) -> Any:
        return value[self.key]

    def source(self, value: str, bind: Callable[[object], str]) -> str:
        return f"{value}[{self._text(bind)}]"

    def absence(self, value: str, bind: Callable[[object], str]) -> str:
        return f"{self._text(bind)} not in {value}"

    def _text(self, bind: Callable[[object], str]) -> str:
        return repr(self.key) if type(self.key) in (str, int) else bind(self.key)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One step on the way to a value: `.name`."""

    name: str

    def take(self, value: Any, instead: Instead) -> Any:
        return getattr(value, self.name)

    def source(self, value: str, bind: Callable[[object], str]) -> str:
        if self.name.isidentifier():
            return f"{value}.{self.name}"
        return f"{bind(getattr)}({value}, {self.name!r})"

    def absence(self, value: str, bind: Callable[[object], str]) -> str:
        return f"not {bind(hasattr)}({value}, {self.name!r})"


@dataclass(frozen=True, slots=True)
class AsArray:
    """The last step on the way to an array: of what another library holds, as NumPy sees it."""

    def take(self, value: Any, instead: Instead) -> Any:
        return as_array(value)

    def source(self, value: str, bind: Callable[[object], str]) -> str:
        return f"{bind(as_array)}({value})"

    def absence(self, value: str, bind: Callable[[object], str]) -> str:
        raise AssertionError("an array that is made of something cannot be absent")


def as_array(value: Any) -> Any:
    """An object of another library as a plain array. Its dtype is kept; what has none is refused.

    A pandas column that may lack values is one of floats, with NaN for what is missing.
    """
    kept = getattr(getattr(value, "dtype", None), "numpy_dtype", None)  # of pandas' own dtypes
    if kept is not None and hasattr(value, "to_numpy"):
        return value.to_numpy(dtype=kept, **({"na_value": np.nan} if kept.kind == "f" else {}))
    return np.asarray(value)


@dataclass(frozen=True, slots=True)
class SameLabels:
    """The last step to a condition: that the rows of two columns have the same names."""

    other: Path

    def take(self, value: Any, instead: Instead) -> Any:
        return have_same_labels(value, self.other.read(instead))

    def source(self, value: str, bind: Callable[[object], str]) -> str:
        return f"{bind(have_same_labels)}({value}, {self.other.source(bind)})"

    def absence(self, value: str, bind: Callable[[object], str]) -> str:
        raise AssertionError("a condition cannot be absent")


def have_same_labels(one: Any, other: Any) -> bool:
    """Whether columns meet row by row, which only those of pandas may not."""
    left, right = (getattr(each, "axes", []) for each in (one, other))
    pairs = zip(left, right, strict=False)
    return len(left) == len(right) and all(mine.equals(its) for mine, its in pairs)


Step = Item | Attribute | AsArray | SameLabels


@dataclass(slots=True, eq=False)
class Path:
    """How to reach a value from an object that stays: a cell, a globals dict, an instance."""

    root: object
    steps: tuple[Step, ...]
    name: str

    @property
    def key(self) -> Hashable:
        """Equal for equal paths."""
        return id(self.root), self.steps

    def attribute(self, name: str) -> Path:
        return self._longer(Attribute(name), name)

    def item(self, key: Hashable) -> Path:
        return self._longer(Item(key), str(key))

    def _longer(self, step: Step, name: str) -> Path:
        return Path(self.root, (*self.steps, step), f"{self.name}_{name}" if self.name else name)

    def same_labels(self, other: Path) -> Path:
        """The path to whether its rows are named as those of another column."""
        return Path(self.root, (*self.steps, SameLabels(other)), self.name)

    def as_array(self) -> Path:
        """The path to the array that is made of what is there."""
        return Path(self.root, (*self.steps, AsArray()), self.name)

    def named(self, name: str) -> Path:
        """The same path under another name."""
        return Path(self.root, self.steps, name)

    def read(self, instead: Instead = _AS_THEY_ARE) -> object:
        """The value now. Raises AttributeError or LookupError where it is gone."""
        value = instead.get(id(self.root), self.root)
        for step in self.steps:
            value = step.take(value, instead)
        return value

    def source(self, bind: Callable[[object], str]) -> str:
        """A Python expression that reads the value; `bind` names an object in its scope."""
        text = bind(self.root)
        for step in self.steps:
            text = step.source(text, bind)
        return text

    def absence(self, bind: Callable[[object], str]) -> str:
        """A Python expression for there being no value."""
        *steps, last = self.steps
        return last.absence(Path(self.root, tuple(steps), "").source(bind), bind)


ABSENT: Any = object()  # what a guard expects where there was nothing


@dataclass(slots=True, eq=False)
class Captured:
    """A value the function reached without being passed it."""

    path: Path
    input: Input | None  # of a hidden array: the graph's new input; None: a guard
    expected: object = None  # of a guard: what it was when traced, or another path to the same

    @property
    def name(self) -> str:
        """Identifier-like, from the variable or attribute: "W", "layers_0_W"."""
        return self.path.name

    def read(self, instead: Instead = _AS_THEY_ARE) -> object:
        """The value now. Raises AttributeError or LookupError where it is gone."""
        return self.path.read(instead)

    def source(self, bind: Callable[[object], str]) -> str:
        """A Python expression that reads the value; `bind` names an object in its scope."""
        return self.path.source(bind)

    def holds(self, instead: Instead = _AS_THEY_ARE) -> bool:
        """Whether a trace that met this value is still right: an array's type, a guard's value."""
        try:
            value = self.read(instead)
        except (AttributeError, LookupError, TypeError, ValueError):
            return self.expected is ABSENT
        try:
            if self.input is not None:
                return _fits(value, self.input)
            if isinstance(self.expected, Path):
                return value is self.expected.read(instead)
        except (AttributeError, LookupError, TypeError, ValueError):
            return False
        return same(value, self.expected)


def _fits(value: object, input: Input) -> bool:
    if is_sparse(value) or is_generator(value):
        return type_of(value) == input.type
    return (
        isinstance(value, np.ndarray)
        and not is_foreign(value)
        and is_supported(value.dtype)
        and type_of(value) == input.type
    )


class Keys(NamedTuple):
    """What is remembered of a container whose values are captured one by one."""

    type: type
    keys: tuple[Hashable, ...] | int

    @classmethod
    def of(cls, container: Any) -> Keys:
        named = isinstance(container, (dict, MappingProxyType))
        keys = tuple(container) if named else len(container)
        return cls(type(container), keys)


def same(value: Any, expected: Any) -> bool:
    """Whether a value is what it was: numbers and strings by type and value, objects by identity.

    NaN is itself, 0.0 is not -0.0, 1 is not True.
    """
    if isinstance(expected, Keys):
        return type(value) is expected.type and Keys.of(value) == expected
    if type(value) is not type(expected):
        return False
    if isinstance(expected, (float, complex)):
        return repr(value) == repr(expected)
    if isinstance(expected, np.generic):
        return value.dtype == expected.dtype and bool(value.tobytes() == expected.tobytes())
    if isinstance(expected, np.ndarray):
        return (
            value.dtype == expected.dtype
            and value.shape == expected.shape
            and bool(value.tobytes() == expected.tobytes())
        )
    if isinstance(expected, (list, tuple)):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(expected, dict):
        return list(value) == list(expected) and all(map(same, value.values(), expected.values()))
    if isinstance(expected, (int, str, bytes, bytearray, set, frozenset, range, slice, array)):
        return bool(value == expected)
    return value is expected
