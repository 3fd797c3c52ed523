"""State: what Python code can change besides traced arrays, noted before a run and put back.

A loop or a branch is captured by running it; what it does to lists, dicts, objects, cells, globals,
plain arrays and generators of random numbers must then not have happened.
"""

from __future__ import annotations

import functools
import random
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import (
    BuiltinMethodType,
    CellType,
    FrameType,
    FunctionType,
    GeneratorType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np

from symdiff.frontend import context
from symdiff.frontend.objects import ClassProxy, ObjectProxy, shadow_of
from symdiff.frontend.origin import is_user_class
from symdiff.frontend.replacements import Hook, LibraryModule
from symdiff.frontend.tracer import Tracer

_ABSENT: Any = object()
_PLAIN = (Tracer, int, float, complex, str, bytes, type(None), range, slice, np.generic, np.dtype,
          Hook, LibraryModule, np.ufunc)  # fmt: skip


class World:
    """All that the code in a frame can reach, as it is now."""

    def __init__(self, frame: FrameType, names: Sequence[str], interposer: Any) -> None:
        self._seen: set[int] = set()
        self._kept: list[tuple[Any, Any, Callable[[Any, Any], bool], Callable[..., None]]] = []
        self._alive: list[Any] = []
        self._own = {name: frame.f_locals.get(name, _ABSENT) for name in names}
        self._waiting: list[Any] = []
        self.opaque = ""
        self.reached: dict[int, int] = {}  # how many ways lead to each list and array
        each: FrameType | None = frame
        while each is not None and each.f_code not in context.beginnings:
            if not context.is_internal(each.f_code):
                self._waiting += [
                    value for name, value in each.f_locals.items() if name[:1] not in ("$", ".")
                ]
            each = each.f_back
        self._waiting += interposer.reached()
        self._seen.add(id(interposer.builtins))
        while self._waiting:
            self._note(self._waiting.pop())

    # ------------------------------------------------------------------ noting

    def _note(self, value: Any) -> None:
        kind = type(value)
        if kind is list or issubclass(kind, Tracer):
            self._count(value)
        if issubclass(kind, _PLAIN) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._alive.append(value)
        if issubclass(kind, ObjectProxy):
            self._note_proxy(value)
        elif issubclass(kind, dict):
            self._keep(value, dict(value.items()), _same_items, _refill)
            self._waiting += value.values()
        elif issubclass(kind, (list, deque)):
            self._keep(value, list(value), _same_elements, _refill)
            self._waiting += value
        elif issubclass(kind, (set, bytearray, array)):
            self._keep(value, kind(value) if kind is not array else value[:], _equal, _refill)
        elif issubclass(kind, (tuple, frozenset)):
            self._waiting += value
        elif issubclass(kind, np.ndarray):
            if value.flags.writeable:
                self._keep(value, value.copy(), _same_bits, _copy_to)
        elif kind is FunctionType:
            self._note_function(value)
        elif issubclass(kind, (MethodType, BuiltinMethodType)):
            self._waiting += [value.__self__, getattr(value, "__func__", None)]
        elif issubclass(kind, functools.partial):
            self._waiting += [value.func, value.args, value.keywords]
        elif issubclass(kind, MappingProxyType):
            self._waiting += value.values()
        else:
            self._note_object(value, kind)

    def _count(self, value: Any) -> None:
        """Notes that something leads to a list or an array, or to a part of that array."""
        self.reached[id(value)] = self.reached.get(id(value), 0) + 1
        if type(value) is not list and value.view_of is not None:
            self._count(value.view_of.base)

    def _note_proxy(self, value: ObjectProxy) -> None:
        shadow = shadow_of(value)
        self._note(shadow.stored)
        if shadow.path is None:
            self._note(getattr(shadow.object, "__dict__", None))

    def _note_function(self, function: FunctionType) -> None:
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            content = _content(cell)
            if content is not _ABSENT:
                self._waiting.append(content)
            if name in self._own and self._own[name] is content:
                continue  # a variable of the frame itself
            if id(cell) not in self._seen:
                self._seen.add(id(cell))
                self._alive.append(cell)
                self._keep(cell, content, _same_content, _set_content)
        self._waiting += [function.__defaults__, function.__kwdefaults__, vars(function)]

    def _note_object(self, value: Any, kind: type) -> None:
        if issubclass(kind, np.random.Generator if "numpy.random" in sys.modules else ()):
            bits = value.bit_generator
            self._keep(bits, bits.state, _same_state, _set_state)
        elif issubclass(kind, random.Random):
            self._keep(value, value.getstate(), lambda v, s: v.getstate() == s,
                       lambda v, s: v.setstate(s))
        elif isinstance(value, Iterator):
            self._note_iterator(value, kind)
        elif issubclass(kind, (ClassProxy,)) or (
            not issubclass(kind, (type, ModuleType)) and is_user_class(kind)
        ):
            self._waiting.append(getattr(value, "__dict__", None))

    def _note_iterator(self, value: Any, kind: type) -> None:
        if issubclass(kind, GeneratorType):
            if value.gi_frame is not None and not value.gi_running:
                self.opaque = "a generator stands in a variable, which may be advanced"
            return
        try:  # others may do more than to say where they are
            place = value.__reduce__() if kind.__module__ in ("builtins", "itertools") else None
        except TypeError:
            place = None
        if place is None:
            self.opaque = f"a {kind.__name__} stands in a variable, which may be advanced"
            return
        self._keep(value, place, _same_place, _do_nothing)
        self._waiting += _iterators(place)

    def _keep(self, value: Any, kept: Any, same: Any, restore: Any) -> None:
        self._kept.append((value, kept, same, restore))

    # ------------------------------------------------------------------ later

    def changed(self) -> str:
        """What is not as it was, in words; "" if nothing is."""
        for value, kept, same, _ in self._kept:
            if not same(value, kept):
                return f"it changes a {_kind_of(value)}"
        return self.opaque

    def restore(self) -> bool:
        """Puts everything back; False where that cannot be done."""
        changed = [each for each in self._kept if not each[2](each[0], each[1])]
        for value, kept, _, put in changed:
            put(value, kept)
        return all(put is not _do_nothing for _, _, _, put in changed)


def _kind_of(value: Any) -> str:
    if isinstance(value, CellType):
        return "variable of another function"
    return "global variable" if hasattr(value, "real") else type(value).__name__


def _equal(value: Any, kept: Any) -> bool:
    return bool(value == kept)


def _same_elements(value: Iterable[Any], kept: list[Any]) -> bool:
    now = list(value)
    return len(now) == len(kept) and all(a is b for a, b in zip(now, kept, strict=True))


def _same_items(value: dict[Any, Any], kept: dict[Any, Any]) -> bool:
    new = getattr(value, "looked_up", {})
    now = {
        key: each
        for key, each in value.items()
        if key in kept or new.get(key, _ABSENT) is not each
    }
    return len(now) == len(kept) and all(now.get(key, _ABSENT) is kept[key] for key in kept)


def _refill(value: Any, kept: Any) -> None:
    if isinstance(value, dict):
        for key in [key for key in value if key not in kept]:
            del value[key]  # what was looked up is looked up again
        value.update(kept)
    elif isinstance(value, (deque, set)):
        value.clear()
        value.extend(kept) if isinstance(value, deque) else value.update(kept)
    else:
        value[:] = kept


def _same_bits(value: np.ndarray, kept: np.ndarray) -> bool:
    if value.shape != kept.shape:
        return False
    if value.dtype.kind == "O":
        return all(a is b for a, b in zip(value.flat, kept.flat, strict=True))
    return bool(value.tobytes() == kept.tobytes())


def _copy_to(value: np.ndarray, kept: np.ndarray) -> None:
    value[...] = kept


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned
        return _ABSENT


def _same_content(cell: CellType, kept: Any) -> bool:
    return _content(cell) is kept


def _set_content(cell: CellType, kept: Any) -> None:
    if kept is _ABSENT:
        del cell.cell_contents
    else:
        cell.cell_contents = kept


def _iterators(place: Any) -> list[Any]:
    """What an iterator goes over, of how it would be made again."""
    return list(place[1]) if isinstance(place, tuple) and len(place) > 1 else []


def _same_place(value: Any, kept: Any) -> bool:
    return _same_parts(value.__reduce__(), kept)


def _same_parts(one: Any, other: Any) -> bool:
    if type(one) is tuple and type(other) is tuple:
        return len(one) == len(other) and all(map(_same_parts, one, other))
    return one is other or (type(one) is int and type(other) is int and one == other)


def _do_nothing(value: Any, kept: Any) -> None:
    """An iterator cannot be put back."""


def _same_state(bits: Any, kept: Any) -> bool:
    return repr(bits.state) == repr(kept)


def _set_state(bits: Any, kept: Any) -> None:
    bits.state = kept
