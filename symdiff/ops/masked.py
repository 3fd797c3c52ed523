"""Reductions of the elements that a mask selects, or are numbers; those that start at a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    CONSTANT,
    Case,
    Fold,
    Jvp,
    Primitive,
    ResultRule,
    Rule,
    Samples,
    Transpose,
    case,
    composite,
    primitive,
    register,
)
from symdiff.ops.reductions import (
    DISTINCT_CASES,
    SHARED,
    Axes,
    accumulator,
    all_,
    any_,
    axes_with_elements,
    expand,
    extreme_tangent,
    prod,
    reduced_shape,
    reduced_type,
    sum_,
)
from symdiff.ops.render import dtype_source

MASKED, STARTED, BOTH = ("where",), ("initial",), ("where", "initial")


def _type(
    x: ArrayType, *extras: ArrayType, axis: Axes, keepdims: bool, dtype: Any = None
) -> ArrayType:
    for each in extras:
        if each.dtype == bool and np.broadcast_shapes(x.shape, each.shape) != x.shape:
            raise ValueError("where= has more elements than the array")
    return array_type(dtype or accumulator(x.dtype), reduced_shape(x.shape, axis, keepdims))


def _test_type(
    x: ArrayType, where: ArrayType, axis: Axes, keepdims: bool, dtype: Any = None
) -> ArrayType:
    return array_type(bool, reduced_shape(x.shape, axis, keepdims))


def _function(of: Primitive, extras: tuple[str, ...]) -> Callable[..., Any]:
    """The reduction, called with the extras as the keywords that they are named after."""

    def reduce(x: Any, *given: Any, axis: Axes, keepdims: bool, dtype: Any = None) -> Any:
        options = dict(zip(extras, given, strict=True))
        options |= {} if dtype is None else {"dtype": dtype}
        return of.function(x, axis=axis, keepdims=keepdims, **options)

    return reduce


def _source(of: Primitive, extras: tuple[str, ...]) -> Callable[..., str]:
    def source(
        x: str,
        *given: str,
        axis: Axes,
        keepdims: bool,
        types: tuple[ArrayType, ...],
        dtype: Any = None,
    ) -> str:
        keywords = [x]
        if len(axis) < types[0].ndim:
            keywords.append(f"axis={axis[0] if len(axis) == 1 else axis}")
        keywords += [] if dtype is None else [f"dtype={dtype_source(dtype)}"]
        keywords += ["keepdims=True"] * keepdims
        keywords += [f"{key}={each}" for key, each in zip(extras, given, strict=True)]
        return f"np.{of.name}({', '.join(keywords)})"

    return source


def _batch(made: Callable[[], Primitive], extras: tuple[str, ...]) -> Callable[..., Any]:
    """One mask for all rows, or one for each; rows that start at values of their own are joined."""

    def batch(x: Any, *given: Any, axis: Axes, batched: tuple[bool, ...], **params: Any) -> Any:
        op, named = made(), dict(zip(extras, zip(given, batched[1:], strict=True), strict=True))
        count = next(np.shape(each)[0] for each, own in zip((x, *given), batched, strict=True)
                     if own)
        if not batched[0]:
            x = np.broadcast_to(x, (count, *np.shape(x)))
        mask, own = named.get("where", (None, False))
        if own:
            missing = np.ndim(x) - np.ndim(mask)
            mask = np.reshape(mask, (count, *(1,) * missing, *np.shape(mask)[1:]))
        shifted = tuple(i + 1 for i in axis)
        start, own = named.get("initial", (None, False))
        if own:
            return _from_rows(op, x, mask, start, shifted, params)
        extra = [each for each in (mask, start) if each is not None]
        return op(x, *extra, axis=shifted, **params)

    return batch


def _from_rows(
    op: Primitive, x: Any, mask: Any, start: Any, axis: Axes, params: dict[str, Any]
) -> Any:
    """The reduction of each row, which starts at a value of its own."""
    neutral, combine = _COMBINING[op.name.partition("_")[0]]
    extra = [mask] if mask is not None else []
    rest = op(x, *extra, neutral, axis=axis, **params)
    return combine(np.reshape(start, (-1, *(1,) * (np.ndim(rest) - 1))), rest)


_COMBINING = {"sum": (0, np.add), "prod": (1, np.multiply)}


def _family(
    of: Primitive,
    result: ResultRule,
    rules: Callable[[tuple[str, ...]], dict[str, Rule]],
    kinds: tuple[tuple[str, ...], ...] = (MASKED, STARTED, BOTH),
) -> dict[tuple[str, ...], Primitive]:
    """The records of a reduction with a mask, with an initial value, with both."""
    return {extras: _record(of, extras, result, rules(extras)) for extras in kinds}


def _record(
    of: Primitive, extras: tuple[str, ...], result: ResultRule, rules: dict[str, Rule]
) -> Primitive:
    made: Primitive = register(
        Primitive(
            name="_".join((of.name, *extras)),
            function=_function(of, extras),
            arguments=("x", *extras),
            numbers=True,
            joint=of is sum_,
            result=result,
            rules={"where": CONSTANT, **rules} if "where" in extras else rules,
            batch=_batch(lambda: made, extras),
            numpy=_source(of, extras),
            c_expansion=_plain(of, extras),
            samples=Samples(cases=tuple(_cases(of, extras))),
        )
    )
    return made


def _plain(of: Primitive, extras: tuple[str, ...]) -> Callable[..., Any]:
    """For C: the reduction of all, where what does not count is neutral, and then the start."""
    neutral: Any = of in (prod, all_)
    combine = {sum_: np.add, prod: np.multiply}.get(of)

    def expansion(x: Any, *given: Any, axis: Axes, keepdims: bool, dtype: Any = None) -> Any:
        named = dict(zip(extras, given, strict=True))
        x = x if dtype is None else x.astype(dtype)
        if "where" in named:
            x = np.where(named["where"], x, np.asarray(neutral, x.dtype))
        y = of.function(x, axis=axis, keepdims=keepdims)
        return combine(named["initial"], y) if combine and "initial" in named else y

    return expansion


def _cases(of: Primitive, extras: tuple[str, ...]) -> list[Case]:
    kind = "b" if of in (all_, any_) else "f"
    more = [{"where": "b[3,4]:7", "initial": f"{kind}[]"}[each] for each in extras]
    row = [{"where": "b[4]:2", "initial": f"{kind}[]"}[each] for each in extras]
    plain = {"keepdims": False}
    return [
        case(f"{kind}[3,4]", *more, axis=(0, 1), **plain),
        case(f"{kind}[3,4]", *more, axis=(1,), keepdims=True),
        case(f"{kind}[3,4]", *row, axis=(0,), **plain),
    ]


# ---------------------------------------------------------------------------- sums


def _selected(extras: tuple[str, ...], given: tuple[Any, ...]) -> Any:
    """The mask among the extra operands; None where all elements count."""
    return given[0] if "where" in extras else None


def _sum_rules(extras: tuple[str, ...]) -> dict[str, Rule]:
    def of_x(
        y_bar: Any, x: Any, *given: Any, axis: Axes, keepdims: bool, dtype: Any = None
    ) -> Any:
        mask, spread = _selected(extras, given), expand(y_bar, x, axis, keepdims)
        spread = spread if dtype is None else spread.astype(x.dtype)
        if mask is None:
            return np.broadcast_to(spread, np.shape(x))
        return np.broadcast_to(np.where(mask, spread, 0), np.shape(x))

    def of_initial(y_bar: Any, x: Any, *given: Any, **params: Any) -> Any:
        return np.sum(y_bar).astype(given[-1].dtype)

    rules: dict[str, Rule] = {"x": Transpose(of_x)}
    return rules | {"initial": Transpose(of_initial)} if "initial" in extras else rules


_SUMS = _family(sum_, _type, _sum_rules)

# ---------------------------------------------------------------------------- products


def _prod_rules(extras: tuple[str, ...]) -> dict[str, Rule]:
    def of_x(y: Any, x: Any, *rest: Any, axis: Axes, keepdims: bool, dtype: Any = None) -> Any:
        *given, x_dot = rest
        mask = _selected(extras, tuple(given))
        if mask is not None:
            x, x_dot = np.where(mask, x, 1), np.where(mask, x_dot, 0)
        rule = prod.rules["x"]
        assert isinstance(rule, Jvp)
        total = rule.tangent(y, x, x_dot, axis=axis, keepdims=keepdims)
        return given[-1] * total if "initial" in extras else total

    def of_initial(
        y: Any, x: Any, *rest: Any, axis: Axes, keepdims: bool, dtype: Any = None
    ) -> Any:
        *given, initial_dot = rest
        options = {"where": given[0]} if "where" in extras else {}
        return initial_dot * np.prod(x, axis=axis, keepdims=keepdims, **options)

    rules: dict[str, Rule] = {"x": Jvp(of_x)}
    return rules | {"initial": Jvp(of_initial)} if "initial" in extras else rules


_PRODUCTS = _family(prod, _type, _prod_rules)

# ---------------------------------------------------------------------------- tests

_ALL = _family(all_, _test_type, lambda extras: {"x": CONSTANT}, (MASKED,))
_ANY = _family(any_, _test_type, lambda extras: {"x": CONSTANT}, (MASKED,))
_FAMILIES = {sum_: _SUMS, prod: _PRODUCTS, all_: _ALL, any_: _ANY}


def with_extras(
    of: Primitive, a: Any, params: dict[str, Any], where: Any, initial: Any
) -> tuple[tuple[Any, ...], dict[str, Any], Primitive]:
    """The operands, parameters and record of a reduction that is given where= or initial=."""
    named = {"where": where, "initial": initial}
    extras = tuple(key for key, each in named.items() if each is not None)
    if where is not None:
        named["where"] = where if hasattr(where, "dtype") else np.asarray(where)
        if named["where"].dtype != bool:
            raise TypeError("where= takes booleans")
    if np.ndim(initial):
        raise ValueError("initial= is one number")
    if initial is not None:  # NumPy takes it in the dtype of the result
        dtype = params.get("dtype") or accumulator(a.dtype)
        given = initial if hasattr(initial, "dtype") else np.asarray(initial, dtype)[()]
        named["initial"] = given if given.dtype == dtype else given.astype(dtype)
    return (a, *(named[key] for key in extras)), params, _FAMILIES[of][extras]


# ---------------------------------------------------------------------------- extremes of numbers


def _nan_extreme(
    function: Callable[..., Any], of_numbers: Any, neutral: float, wins: str
) -> Primitive:
    """The record of np.nanmax or np.nanmin: no element is equal to the NaN where none is a number.

    Integers, and what starts at an initial value or has a mask, go to np.max or np.min.
    """
    op: Primitive = primitive(
        function,
        result=reduced_type,
        jvp={"x": extreme_tangent},
        batch=lambda x, axis, **params: op(x, axis=tuple(i + 1 for i in axis), **params),
        c=Fold(
            lambda dtype: "NAN",
            lambda dtype: f"{{x}} {wins} {{total}} || {{total}} != {{total}} ? {{x}} : {{total}}",
        ),
        samples=Samples(cases=DISTINCT_CASES),
    )

    @composite(function, cost=SHARED)
    def extreme(a: Any, axis: Any = None, *, keepdims: Any = False, **options: Any) -> Any:
        if a.dtype.kind in "fc" and not options:
            return op(a, axis=axes_with_elements(a, axis), keepdims=bool(keepdims))
        known = np.where(np.isnan(a), neutral, a) if a.dtype.kind in "fc" else a
        return of_numbers(known, axis, keepdims=keepdims, **options)

    return op


nanmax = _nan_extreme(np.nanmax, np.max, -np.inf, ">")
nanmin = _nan_extreme(np.nanmin, np.min, np.inf, "<")
