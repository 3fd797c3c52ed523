"""A compiled program as a Python function where Python's headers are missing: through ctypes."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.ctypeslib import as_ctypes_type

from symdiff.codegen.c_control import Calling
from symdiff.frontend.pytree import Layout, flatten, unflatten
from symdiff.ir.types import ArrayType
from symdiff.runtime.python_module import GuardError

_ALIGNMENT = 64
_DECIDED_OTHERWISE, _NO_MEMORY = 2, 3  # as in binding.c
_FIRST = 1 << 20  # bytes for lists
_PROGRAM = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class _Memory(threading.local):
    """The work space of a thread, shared by all programs."""

    block = np.empty(0, np.uint8)

    def at_least(self, size: int) -> int:
        """The address of so many bytes."""
        if self.block.size < size + _ALIGNMENT:
            self.block = np.empty(size + _ALIGNMENT, np.uint8)
        return -(-_address(self.block) // _ALIGNMENT) * _ALIGNMENT


_memory = _Memory()


def by_ctypes(
    address: int,
    *,
    traced: Sequence[bool],
    arguments: Sequence[ArrayType],
    constants: Sequence[Any],
    results: Sequence[tuple[ArrayType, bool]],
    layout: Layout,
    work: int,
    calling: Calling,
    fallback: Callable[..., Any],
) -> Callable[..., Any]:
    """The program as a function of the parameters, which are trees, and of the hidden arrays.

    Types are those it was compiled for: nothing is compared. `traced` says of the leaves of the
    parameters, and of the hidden arrays, which ones the program is given.
    """
    program = _PROGRAM(address)
    slots = [None if type.shape else as_ctypes_type(type.dtype) for type in arguments]
    made = [_maker(*each) for each in results]
    kept = [_address(each) for each in constants]
    inputs = ctypes.c_void_p * (len(arguments) + len(kept))
    outputs = ctypes.c_void_p * len(results)
    size = work + calling.bytes

    def call(*args: Any) -> Any:
        leaves = [each for each, is_given in zip(flatten(args)[0], traced, strict=True) if is_given]
        given = [_in_memory(each, slot) for each, slot in zip(leaves, slots, strict=True)]
        places = [make() for make, _ in made]
        both = inputs(*map(_address, given), *kept), outputs(*map(_address, places))
        if calling.bytes:
            status = _called(program, both, size)
        else:
            status = program(*both, _memory.at_least(size) if size else None)
        if status == _DECIDED_OTHERWISE:
            raise GuardError
        if status:
            return fallback(*args)
        found = [finish(each) for each, (_, finish) in zip(places, made, strict=True)]
        if layout.plain:
            tree = [found[each] if isinstance(each, int) else each.value for each in layout.leaves]
            return unflatten(layout.spec, tree)
        return found[0] if len(found) == 1 else tuple(found)

    return call


def _called(program: Callable[..., int], both: tuple[Any, Any], size: int) -> int:
    """Runs a program, in more and more memory where its lists do not fit."""
    room = _FIRST
    while True:
        first = _memory.at_least(size + room)
        call = _Call.from_address(first)
        call.at = call.most = first + size
        call.end = first + size + room
        call.signals = None
        status = program(*both, first)
        if status != _NO_MEMORY:
            return status
        room *= 2


class _Call(ctypes.Structure):
    """As in binding.c; nobody looks for signals."""

    _fields_ = [("at", ctypes.c_void_p), ("end", ctypes.c_void_p), ("most", ctypes.c_void_p),
                ("signals", ctypes.c_void_p)]


def _in_memory(value: Any, slot: Any) -> Any:
    """The value as the program reads it: contiguous, a number in a variable of C's."""
    if isinstance(value, np.ndarray):
        there = value.flags.c_contiguous and value.flags.aligned
        return value if there else value.copy(order="C")
    return slot(value.item() if isinstance(value, np.generic) else value)


def _maker(type: ArrayType, is_array: bool) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """What makes the place of a result, and what makes the result of that."""
    if type.shape or is_array:
        return partial(np.empty, type.shape, type.dtype), lambda array: array
    number = type.python if type.weak else type.dtype.type
    return as_ctypes_type(type.dtype), lambda slot: number(slot.value)


def _address(place: Any) -> int:
    if isinstance(place, np.ndarray):  # .ctypes.data takes four times as long
        address: int = place.__array_interface__["data"][0]
        return address
    return ctypes.addressof(place)
