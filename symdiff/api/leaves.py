"""Leaves of arguments: which are traced, and as what types."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.errors import NotDifferentiableError, TraceError, word
from symdiff.frontend.captured import as_array
from symdiff.frontend.origin import is_array_of_library
from symdiff.frontend.trace import Leaf
from symdiff.frontend.tracer import Tracer
from symdiff.ir.types import array_type, is_foreign, is_generator, is_masked, is_supported, type_of


def leaf_of(value: Any) -> Leaf:
    """How a leaf of the arguments is treated: traced if it is a number or an array."""
    if isinstance(value, Tracer):
        return Leaf(value.node.type, value.is_array)
    if isinstance(value, (np.ndarray, np.generic)) and is_supported(value.dtype):
        return Leaf(type_of(value), isinstance(value, np.ndarray))
    if isinstance(value, (bool, int, float, complex)) or is_generator(value):
        return Leaf(type_of(value))
    return Leaf(None, static=value)


def known_leaf_of(value: Any) -> Leaf:
    """The same where an integer is known: it decides a size, or it is not traced inside a trace."""
    known = issubclass(type(value), (int, np.integer))
    return Leaf(None, static=value) if known else leaf_of(value)


def usable(value: Any, name: str, whole: bool = True) -> Any:
    """The value as a plain array where it is array-like; a table only where all of it is meant.

    Raises TraceError for arrays that compute in their own way, and for those of no numbers.
    """
    if is_masked(value):
        raise TraceError(
            word(
                f"argument `{name}` is a masked array",
                way_out="Pass its data, and the mask as an argument for np.where.",
            )
        )
    if is_foreign(value):
        raise TraceError(
            word(
                f"argument `{name}` is of the class {type(value).__name__}, whose operators may "
                "differ from those of arrays",
                way_out=f"Pass np.asarray({name}).",
            )
        )
    if isinstance(value, np.ndarray) and not is_supported(value.dtype):
        raise TraceError(
            word(
                f"argument `{name}` is an array of dtype {value.dtype}",
                way_out="Pass an array of numbers in the machine's byte order.",
            )
        )
    if type(value) is np.ndarray or isinstance(value, (np.generic, type)):
        return value
    if is_array_of_library(value):
        return _of_library(value, name) if whole or not hasattr(value, "columns") else value
    return np.asarray(value) if hasattr(value, "__array__") else value


def _of_library(value: Any, name: str) -> Any:
    """An array, a column or a table of another library as a plain array: labels are dropped.

    Raises TraceError where it is not of numbers.
    """
    try:
        array = np.asarray(as_array(value))
        what = f"is a {type(value).__name__} of dtype {array.dtype}"
        if is_supported(array.dtype):
            return array
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"is a {type(value).__name__} that is no array of numbers: {error}"
    kinds = getattr(value, "dtypes", {})
    columns = kinds.items() if hasattr(value, "columns") else ()
    for column, dtype in columns:
        if not isinstance(dtype, np.dtype) or not is_supported(dtype):
            what = f"is a table, whose column {column!r} is of dtype {dtype}"
            break
    way_out = "Pass the numbers that are needed, as arrays."
    raise TraceError(word(f"argument `{name}` {what}", way_out=way_out))


_FLOAT = Leaf(array_type(np.float64, (), True), widens=True)


def differentiable(value: Any, leaf: Leaf, name: str) -> tuple[Any, Leaf]:
    """A leaf to differentiate with respect to: an int counts as a float.

    Raises NotDifferentiableError for anything that is not a real or complex number.
    """
    if leaf.type is not None and leaf.type.weak and leaf.type.dtype.kind in "iuf":
        return (float(value) if issubclass(type(value), int) else value), _FLOAT
    if leaf.type is None or not leaf.type.inexact:
        kind = leaf.type or type(value).__name__
        way_out = (
            f"Pass `{name}.astype(float)`, or choose other arguments with argnums or argnames."
            if leaf.type is not None and not leaf.type.weak
            else "Choose other arguments with argnums or argnames."
        )
        raise NotDifferentiableError(
            word(
                f"cannot differentiate with respect to argument `{name}` of type {kind}",
                way_out=way_out,
            )
        )
    return value, leaf


def fitting(value: Any, like: Leaf, name: str) -> Any:
    """A tangent in the type of its primal. Raises TypeError if it does not fit."""
    assert like.type is not None
    if np.shape(value) != like.type.shape:
        raise TypeError(f"`{name}` has shape {np.shape(value)}, its primal {like.type.shape}")
    if np.iscomplexobj(value) and like.type.dtype.kind != "c":
        what = f"`{name}` is complex, and goes with a real {like.type}"
        raise TypeError(word(what, way_out="Take np.real of it."))
    if isinstance(value, Tracer):
        return value  # brought to the dtype where it is placed
    if like.type.weak:
        return like.type.python(value)
    array = np.asarray(value, dtype=like.type.dtype)
    return array if like.is_array or like.type.shape else array[()]
