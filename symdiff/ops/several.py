"""Functions that return several arrays: each array is a primitive, written as a part of one call.

Differentiating and rewriting see `log_abs_det(a)`. Its expansion is `part(slogdet(a), index=1)`,
and since equal nodes are one, a program that needs two parts calls the function once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from symdiff.ir.types import TUPLE, array_type
from symdiff.ops.linalg import INVERSE, REGULAR, real_dtype, relative_det, small, square
from symdiff.ops.primitive import (
    CONSTANT,
    Called,
    Jvp,
    Primitive,
    ResultRule,
    Routine,
    Rule,
    Samples,
    Template,
    composite,
    register,
)
from symdiff.ops.render import dtype_source


def _part_source(results: str, index: int, dtype: Any, shape: Any, cast: bool) -> str:
    return f"{results}[{index}]" + (f".astype({dtype_source(dtype)})" if cast else "")


# With `cast` the function itself may return real numbers where complex ones are meant.
part = register(
    Primitive(
        name="part",
        function=lambda results, index, dtype, shape, cast: results[index],
        arguments=("results",),
        result=lambda results, index, dtype, shape, cast: array_type(dtype, shape),
        rules={"results": CONSTANT},
        numpy=_part_source,
        c=Routine("item"),
    )
)


def several(
    function: Callable[..., Any],
    name: str = "",
    numpy: str | Template = "",
    arguments: Sequence[str] = ("a",),
    parts: str = "",
    c: Called | Literal[""] = "",
) -> Primitive:
    """A function whose result is the tuple of its results; `parts` are their usual names."""
    return register(
        Primitive(
            name=name or function.__name__,
            function=function,
            arguments=tuple(arguments),
            result=lambda *types, **params: TUPLE,
            rules=dict.fromkeys(arguments, CONSTANT),
            numpy=numpy,
            parts=tuple(parts.split()),
            c=c,
        )
    )


def one_of(
    several: Primitive,
    index: int,
    name: str,
    result: ResultRule,
    samples: Samples,
    jvp: Callable[..., Any] | None = None,
    rules: Mapping[str, Rule] | None = None,
    cast: bool = False,
    **fields: Any,
) -> Primitive:
    """One result of a function that has several, batched like its function.

    It has a JVP rule, if it is differentiated in the first argument only, or rules for some; it is
    constant in the others.
    """

    def function(*args: Any, **params: Any) -> Any:
        return several.function(*args, **params)[index]

    def expansion(*args: Any, **params: Any) -> Any:
        own = result(*[array_type(x.dtype, x.shape) for x in args], **params)
        whole = several(*args, **params)
        return part(whole, index=index, dtype=own.dtype, shape=own.shape, cast=cast)

    def batch(*args: Any, **params: Any) -> Any:
        return made(*args, **params)

    first = {several.arguments[0]: Jvp(jvp)} if jvp is not None else {}
    made: Primitive = register(
        Primitive(
            name=name,
            function=function,
            arguments=several.arguments,
            result=result,
            rules=dict.fromkeys(several.arguments, CONSTANT) | first | dict(rules or {}),
            expansion=expansion,
            batch=fields.pop("batch", batch),
            samples=samples,
            **fields,
        )
    )
    return made


def result_type(example: tuple[Any, ...]) -> Any:
    """The class of named tuples that a function of NumPy's returns, which it does not export."""
    return type(example)


# ---------------------------------------------------------------------------- slogdet


def _sign_tangent(y: Any, a: Any, a_dot: Any) -> Any:
    """The sign of a real determinant is constant; a complex one turns on the unit circle."""
    return y * 1j * np.imag(relative_det(a, a_dot)) if np.iscomplexobj(a) else 0


_slogdet = several(
    np.linalg.slogdet,
    parts="sign logdet",
    c=Called(lambda a: small("sd_slogdet", "(n,n)->(),()", a, work=1)),
)
sign_of_det = one_of(
    _slogdet,
    0,
    "sign_of_det",
    result=lambda a: a.with_shape(a.shape[:-2]),
    jvp=_sign_tangent,
    samples=REGULAR,
)
log_abs_det = one_of(
    _slogdet,
    1,
    "log_abs_det",
    result=lambda a: array_type(real_dtype(a), a.shape[:-2]),
    jvp=lambda y, a, a_dot: np.real(relative_det(a, a_dot)),
    samples=REGULAR,
)


@composite(np.linalg.slogdet, cost=INVERSE)
def slogdet(a: Any) -> Any:
    """The sign and the logarithm of the absolute value of the determinant."""
    a = square(a)
    return SlogdetResult(sign_of_det(a), log_abs_det(a))


SlogdetResult = result_type(np.linalg.slogdet(np.ones((1, 1))))
