"""Types of values: a dtype, a shape, and whether the value is a (weakly typed) Python scalar."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import Any

import numpy as np

_CODES = {
    "bool": "bool",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "fl": "longdouble",
    "c64": "complex64",
    "c128": "complex128",
    "cl": "clongdouble",
    "object": "object",
}
_DTYPES = {code: np.dtype(name) for code, name in _CODES.items()}
_CODE_OF = {dtype: code for code, dtype in _DTYPES.items()}
_PYTHON = {
    "bool": np.dtype(bool),
    "int": np.dtype(np.int64),
    "float": np.dtype(np.float64),
    "complex": np.dtype(np.complex128),
}
_PYTHON_OF = {"b": bool, "i": int, "f": float, "c": complex}


GENERATORS = ("Generator", "RandomState")  # of numpy.random


class ArrayType:
    """The type of a value. `weak` marks a Python scalar, whose dtype yields to its partner's."""

    __slots__ = ("_hash", "dtype", "shape", "weak")

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    weak: bool
    _hash: int

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...], weak: bool = False) -> None:
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "weak", weak)
        object.__setattr__(self, "_hash", hash((dtype, shape, weak)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an ArrayType is immutable")

    def __eq__(self, other: object) -> bool:
        if self is other or type(other) is not ArrayType or self._hash != other._hash:
            return self is other
        same = self.shape == other.shape and self.dtype == other.dtype
        return same and self.weak == other.weak

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return (array_type, (self.dtype, self.shape, self.weak))

    def __str__(self) -> str:
        if self.weak:
            return self.python.__name__
        extents = [str(each) if each >= 0 else "?" for each in self.shape]
        return f"{_CODE_OF[self.dtype]}[{','.join(extents)}]"

    __repr__ = __str__

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def python(self) -> type:
        """The Python scalar type of this kind of number: bool, int, float or complex."""
        return _PYTHON_OF["i" if self.dtype.kind == "u" else self.dtype.kind]

    @property
    def inexact(self) -> bool:
        """Whether values of this type can carry a derivative."""
        return self.dtype.kind in "fc"

    def with_shape(self, shape: tuple[int, ...]) -> ArrayType:
        return self if shape == self.shape else array_type(self.dtype, shape)

    def with_dtype(self, dtype: np.dtype[Any], weak: bool = False) -> ArrayType:
        return array_type(dtype, self.shape, weak)


@lru_cache(maxsize=4096)
def array_type(dtype: Any, shape: tuple[int, ...] = (), weak: bool = False) -> ArrayType:
    """The type with this dtype (anything NumPy takes for one) and shape."""
    return ArrayType(np.dtype(dtype), shape, weak)


class ObjectType(ArrayType):
    """The type of an object with a state, which is no array: a random generator."""

    __slots__ = ("kind",)

    kind: type

    def __init__(self, kind: type) -> None:
        super().__init__(np.dtype(object), ())
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "_hash", hash((np.dtype(object), kind)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectType) and self.kind is other.kind

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectType, (self.kind,)

    def __str__(self) -> str:
        return self.kind.__name__

    __repr__ = __str__


# Several arrays that one call returns, of which parts are taken: no value to compute with. A sparse
# matrix is such a value too, with a shape.
TUPLE = array_type(np.dtype(object))


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of this dtype can be traced: booleans and native numbers."""
    return dtype.kind in "biufc" and dtype in _CODE_OF


def is_foreign(value: Any) -> bool:
    """Whether this is an array of a class whose operators need not be those of arrays."""
    kind = type(value)
    return issubclass(kind, np.ndarray) and kind not in (np.ndarray, np.memmap)


def is_masked(value: Any) -> bool:
    """Whether this is a masked array; found without importing numpy.ma, which takes 20 ms."""
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(value, masked.MaskedArray)


def is_sparse(value: Any) -> bool:
    """Whether this is a sparse matrix of SciPy's; found without importing it."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and issubclass(type(value), (sparse.sparray, sparse.spmatrix))


def is_generator(value: Any) -> bool:
    """Whether this is a random generator of NumPy's; found without importing numpy.random."""
    random = sys.modules.get("numpy.random")
    return random is not None and type(value) in (random.Generator, random.RandomState)


def type_of(value: Any) -> ArrayType:
    """The type of an array, a NumPy scalar, a Python number or a random generator."""
    if isinstance(value, np.ndarray):
        return array_type(value.dtype, value.shape)
    if isinstance(value, np.generic):
        return array_type(value.dtype)
    for name, python in (("bool", bool), ("int", int), ("float", float), ("complex", complex)):
        if isinstance(value, python):
            return array_type(_PYTHON[name], (), True)
    if is_sparse(value):
        return array_type(TUPLE.dtype, value.shape)
    if is_generator(value):
        return ObjectType(type(value))
    raise TypeError(f"{type(value).__name__} is not a number or an array")


def parse_type(text: str) -> ArrayType:
    """The type written as `f64[5,7]`, or `float`, `int`, `bool`, `complex` for Python scalars.

    Raises ValueError with the expected form where the text is neither.
    """
    text = text.replace(" ", "")
    if text in GENERATORS:
        return ObjectType(getattr(np.random, text))
    if text in _PYTHON:
        return array_type(_PYTHON[text], (), True)
    match = re.fullmatch(r"([a-z]+\d*)\[([\d,?]*)\]", text)
    if match is None or match[1] not in _DTYPES:
        raise ValueError(f"{text!r} is not a type: write one like f64[128,3072], i64[10] or float")
    extents = [extent for extent in match[2].split(",") if extent]
    shape = tuple([-1 if extent == "?" else int(extent) for extent in extents])
    return array_type(_DTYPES[match[1]], shape)
