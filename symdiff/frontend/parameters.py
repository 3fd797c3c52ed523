"""The parameters of a user's function, and a call as one value per parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from symdiff.ops.primitive import Primitive, find

_ANY = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)
_PASSED_ON = tuple(each.kind for each in _ANY.parameters.values())

_BY_POSITION = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class Parameters(NamedTuple):
    """A call is held as one value per parameter; *args is a tuple, **kwargs a dict."""

    signature: inspect.Signature

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.signature.parameters)

    @property
    def variadic(self) -> int | None:
        """The index of *args, if there is one."""
        for i, each in enumerate(self.signature.parameters.values()):
            if each.kind is each.VAR_POSITIONAL:
                return i
        return None

    def are_given_by(self, count: int) -> bool:
        """Whether so many arguments, by position, are one for each parameter."""
        kinds = [each.kind for each in self.signature.parameters.values()]
        return len(kinds) == count and _BY_POSITION.issuperset(kinds)

    def without_last(self, count: int) -> Parameters:
        """The parameters but for the last `count`."""
        kept = list(self.signature.parameters.values())[: len(self.names) - count]
        return Parameters(self.signature.replace(parameters=kept)) if count else self

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """One value per parameter, defaults filled in. Raises TypeError as the call would."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return tuple(bound.arguments[name] for name in self.signature.parameters)

    def call(self, function: Callable[..., Any], values: tuple[Any, ...], run: Any = None) -> Any:
        """Call the function (by `run(function, ...)` if given) with these parameter values."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for each, value in zip(self.signature.parameters.values(), values, strict=True):
            if each.kind is each.VAR_POSITIONAL:
                args.extend(value)
            elif each.kind is each.VAR_KEYWORD:
                kwargs.update(value)
            elif each.kind is each.KEYWORD_ONLY:
                kwargs[each.name] = value
            else:
                args.append(value)
        return run(function, *args, **kwargs) if run else function(*args, **kwargs)


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """The parameters of a function; (*args, **kwargs) where Python does not know them."""
    if isinstance(function, np.ufunc):  # by its operands: out=, where= and so on are not traced
        names = ["x"] if function.nin == 1 else [f"x{i + 1}" for i in range(function.nin)]
        kind = inspect.Parameter.POSITIONAL_ONLY
        return Parameters(inspect.Signature([inspect.Parameter(name, kind) for name in names]))
    found = find(function)
    if found is not None:  # so too by what is traced of it
        function = (found.call or found.function) if isinstance(found, Primitive) else found
    own = getattr(function, "parameters", None)  # of one of our transformations
    if isinstance(own, Parameters):
        return own
    try:
        return Parameters(inspect.signature(function, follow_wrapped=not _adapts(function)))
    except (TypeError, ValueError):
        return Parameters(_ANY)


def _adapts(function: Any) -> bool:
    """Whether a wrapper takes other arguments than the function that functools.wraps names."""
    if not isinstance(function, FunctionType):
        return False
    own = inspect.signature(function, follow_wrapped=False)
    return tuple(each.kind for each in own.parameters.values()) != _PASSED_ON


def function_name(function: Callable[..., Any]) -> str:
    """The identifier under which a function is emitted."""
    name = getattr(function, "__name__", "") or type(function).__name__
    return name if name.isidentifier() else "function"
