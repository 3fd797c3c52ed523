"""The options of ufuncs: where the result is stored, which elements are computed, in which dtype.

What they mean is written with other functions; loaded when a program first uses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.advice import wrong_number
from symdiff.frontend.tracer import Tracer, apply, call, refuse_plain, where
from symdiff.ops.primitive import Primitive, find


def call_ufunc(ufunc: np.ufunc, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Call a ufunc on arguments some of which are traced, with keywords or arrays for results."""
    given, outs = list(args[: ufunc.nin]), args[ufunc.nin :]
    rest = {key: each for key, each in options.items() if key not in ("order", "subok")}  # layout
    out = rest.pop("out", outs)
    outs = out if isinstance(out, tuple) else (out,)
    if len(given) < ufunc.nin or len(outs) > ufunc.nout:
        raise TypeError(wrong_number(ufunc, len(given) + len(outs)))
    outs = (*outs, *(None,) * (ufunc.nout - len(outs)))
    mask, casting = rest.pop("where", True), rest.pop("casting", "same_kind")
    loop = rest.pop("signature", rest.pop("sig", None)) or rest.pop("dtype", None)
    if loop is not None or casting != "same_kind":
        given = _in_loop(ufunc, given, loop, casting)
    if mask is not True:
        mask = _checked(ufunc, mask, outs)
        given = where_computed(ufunc, given, mask)
    if "axes" in rest and ufunc is np.matmul:
        result = _matmul_of_axes(given[0], given[1], rest.pop("axes"))
    else:
        result = apply(ufunc, tuple(given), rest)
    results = result if ufunc.nout > 1 else (result,)
    found = tuple(
        each if out is None else _stored(out, each, mask, casting)
        for out, each in zip(outs, results, strict=True)
    )
    return found if ufunc.nout > 1 else found[0]


# ---------------------------------------------------------------------------- dtypes


def _in_loop(ufunc: np.ufunc, given: Sequence[Any], loop: Any, casting: Any) -> list[Any]:
    """The operands in the dtypes of the loop that dtype= or signature= selects.

    Raises TypeError, as NumPy, where casting rules do not allow it.
    """
    signature: tuple[Any, ...]
    if isinstance(loop, str) and "->" in loop:
        signature = tuple(np.dtype(code) for code in loop.replace("->", ""))
    elif isinstance(loop, tuple):
        signature = tuple(None if each is None else np.dtype(each) for each in loop)
    else:
        result = None if loop is None else np.dtype(loop)
        signature = (None,) * ufunc.nin + (result,) * ufunc.nout
    types = tuple(_spec(each) for each in given) + (None,) * ufunc.nout
    dtypes = ufunc.resolve_dtypes(types, signature=signature, casting=casting)
    return [_converted(each, dtype) for each, dtype in zip(given, dtypes, strict=False)]


def _spec(value: Any) -> Any:
    if isinstance(value, Tracer):
        return value.node.type.python if value.weak else value.dtype
    return type(value) if type(value) in (int, float, complex) else np.asarray(value).dtype


def _converted(value: Any, dtype: np.dtype[Any]) -> Any:
    if not isinstance(value, Tracer):
        return np.asarray(value, dtype)[()]
    return value if value.dtype == dtype and not value.weak else value.astype(dtype)


# ---------------------------------------------------------------------------- masks


def _checked(ufunc: np.ufunc, mask: Any, outs: Sequence[Any]) -> Any:
    """The mask of where=, if there is something to keep where it does not hold."""
    mask = mask if isinstance(mask, Tracer) else np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError("where= takes booleans")
    if any(each is None for each in outs):
        name = ufunc.__name__
        context.refuse(TraceError(word(
            f"np.{name} with where= and without out= leaves elements as memory happens to be",
            where=where(),
            way_out=f"Give it an array to fill, out=np.zeros_like(x), or write np.where(mask, "
                    f"np.{name}(x), 0).",
        )))
    return mask


def where_computed(ufunc: np.ufunc, given: Sequence[Any], mask: Any) -> list[Any]:
    """The operands, with numbers that warn of nothing where the function is not computed."""
    op = find(ufunc)
    if isinstance(op, Primitive) and not op.risky:
        return list(given)
    harmless = 0 if ufunc is np.arctanh else 1
    return [
        call(np.where, mask, each, harmless) if np.ndim(each) and _spec(each).kind in "fc" else each
        for each in given
    ]


# ---------------------------------------------------------------------------- results


def _stored(out: Any, value: Any, mask: Any, casting: Any) -> Any:
    """The array for a result, which it now holds."""
    if not np.can_cast(value.dtype, out.dtype, casting):
        raise TypeError(
            f"Cannot cast ufunc output from {value.dtype!r} to {out.dtype!r} with casting rule "
            f"{casting!r}"
        )
    value = value.astype(out.dtype) if value.dtype != out.dtype else value
    if mask is not True:
        value = call(np.where, mask, value, out)
    if value.shape != out.shape:
        value = call(np.broadcast_to, value, out.shape)
    if not isinstance(out, Tracer):
        refuse_plain(value)
    out.overwrite(value)
    return out


def _matmul_of_axes(x1: Any, x2: Any, axes: Sequence[Any]) -> Any:
    """A product of matrices that lie in other axes than the last two."""
    operands = []
    for each, moved in zip((x1, x2), axes, strict=False):
        operands.append(call(np.moveaxis, each, moved, _last(moved)))
    product = call(np.matmul, *operands)
    return call(np.moveaxis, product, _last(axes[2]), axes[2]) if len(axes) > 2 else product


def _last(axes: Any) -> tuple[int, ...]:
    """As many axes at the end of an array."""
    return tuple(range(-np.size(axes), 0))
