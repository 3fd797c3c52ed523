"""jvp, vjp, linearize and hvp: derivatives as linear maps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from symdiff.api.gradients import checked_bytes, checked_callable, grad
from symdiff.api.halves import Halves
from symdiff.api.transformed import Transformed, cached
from symdiff.frontend.parameters import Parameters, function_name, parameters_of
from symdiff.pipeline import JVP, VJP


def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> Any:
    """(fun(*primals), its directional derivative along `tangents`), by forward mode.

    Tangents have the trees, shapes and dtypes of the primals. With `has_aux` the function returns
    (y, aux) and the result is (y, y_dot, aux).

    Raises TypeError where they do not fit.
    """
    _check_sequences(primals, tangents)
    return _forward(checked_callable(fun), len(primals), has_aux)(*primals, *tangents)


def _check_sequences(primals: Any, tangents: Any) -> None:
    for name, each in (("primals", primals), ("tangents", tangents)):
        if not isinstance(each, (tuple, list)):
            raise TypeError(f"{name} is a tuple of arguments, not {type(each).__name__}")
    if len(primals) != len(tangents):
        raise TypeError(f"{len(primals)} primals, but {len(tangents)} tangents")


def hvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of a scalar function times a vector, by forward mode over its gradient.

    With one primal the product has its tree; with several it is a tuple of products.
    """
    _check_sequences(primals, tangents)
    return _hessian_product(checked_callable(fun), len(primals))(*primals, *tangents)


def vjp(
    fun: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    max_memory: float | None = None,
) -> Any:
    """(fun(*primals), pullback): pullback(y_bar) is the tuple of the primals' cotangents.

    y_bar has the tree, shapes and dtypes of the result. With `has_aux` the function returns
    (y, aux) and the result is (y, pullback, aux). Of loops the pullback keeps no more than
    `max_memory` bytes, and computes the rest again: see `grad`.
    """
    bound = checked_bytes(max_memory)
    y, pullback = _halves(checked_callable(fun), len(primals), VJP, has_aux, bound)(*primals)
    return (y[0], pullback, y[1]) if has_aux else (y, pullback)


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(fun(*primals), f_jvp): f_jvp(*tangents) is the directional derivative at the primals.

    With `has_aux` the function returns (y, aux) and the result is (y, f_jvp, aux).
    """
    y, f_jvp = _halves(checked_callable(fun), len(primals), JVP, has_aux)(*primals)
    return (y[0], f_jvp, y[1]) if has_aux else (y, f_jvp)


# ---------------------------------------------------------------------------- by argument count


def arguments_of(fun: Callable[..., Any], count: int) -> list[inspect.Parameter]:
    """The parameters that `count` positional arguments fill."""
    names: list[str] = []
    for each in parameters_of(fun).signature.parameters.values():
        if each.kind is each.VAR_POSITIONAL:
            names += [f"{each.name}_{i}" for i in range(count - len(names))]
        elif each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD):
            names.append(each.name)
    if len(names) < count:
        raise TypeError(f"{function_name(fun)} takes {len(names)} arguments, not {count}")
    kind = inspect.Parameter.POSITIONAL_ONLY
    return [inspect.Parameter(name, kind) for name in names[:count]]


def with_dots(parameters: Sequence[inspect.Parameter]) -> Parameters:
    """Parameters followed by their tangents."""
    dots = beside(parameters, parameters, "dot")
    return Parameters(inspect.Signature([*parameters, *dots]))


def beside(
    parameters: Sequence[inspect.Parameter], which: Sequence[inspect.Parameter], suffix: str
) -> list[inspect.Parameter]:
    """`x_dot` for each `x` of some parameters, by names that none of the parameters has."""
    taken = {each.name for each in parameters}
    made = []
    for each in which:
        name = f"{each.name}_{suffix}"
        while name in taken:  # the tangent of a tangent
            name += f"_{suffix}"
        taken.add(name)
        made.append(each.replace(name=name))
    return made


@cached
def _forward(fun: Callable[..., Any], count: int, has_aux: bool) -> Transformed:
    return Transformed(
        fun,
        mode=JVP,
        suffix="jvp",
        argnums=tuple(range(count)),
        has_aux=has_aux,
        tangents=count,
        parameters=with_dots(arguments_of(fun, count)),
    )


@cached
def _hessian_product(fun: Callable[..., Any], count: int) -> Transformed:
    gradient = grad(fun, argnums=0 if count == 1 else tuple(range(count)))

    def product(*values: Any) -> Any:
        return jvp(gradient, values[:count], values[count:])[1]

    parameters = with_dots(arguments_of(fun, count))
    return Transformed(product, suffix="hvp", parameters=parameters, name=function_name(fun))


@cached
def _halves(
    fun: Callable[..., Any], count: int, mode: str, has_aux: bool, max_memory: float | None = None
) -> Transformed:
    return Halves(
        fun,
        mode=mode,
        suffix="vjp" if mode == VJP else "linear",
        argnums=tuple(range(count)),
        has_aux=has_aux,
        max_memory=max_memory,
        parameters=Parameters(inspect.Signature(arguments_of(fun, count))),
    )
