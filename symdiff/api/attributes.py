"""Derivatives with respect to attributes of objects: `argnames="self.W"`.

The values that are there become arguments of their own; while the function is traced they stand in
the objects. The objects stay as they are.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from symdiff.api.transformed import Transformed
from symdiff.errors import word
from symdiff.frontend import context
from symdiff.frontend.objects import ObjectProxy, shadow_of
from symdiff.frontend.parameters import Parameters, function_name, parameters_of

_WORD = re.compile(r"\W+")


class OfAttributes:
    """A derivative that reads, at each call, the attributes that it is with respect to."""

    def __init__(self, fun: Callable[..., Any], names: Sequence[str], options: Any) -> None:
        self.function = fun
        self.names = names
        self.options = options
        self.paths = tuple([each for each in names if "." in each])
        parameters = parameters_of(fun)
        own = list(parameters.signature.parameters.values())
        taken = {each.name for each in own}
        called = {path: _free(_WORD.sub("_", path), taken) for path in self.paths}
        values = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY)
                  for name in called.values()]
        signature = parameters.signature.replace(
            parameters=[*values, *own], return_annotation=inspect.Signature.empty
        )
        chosen = tuple([called.get(name, name) for name in names])
        single = isinstance(options["argnames"], str)
        body = functools.partial(_with_values, fun, self.paths)
        body.__name__ = function_name(fun)  # type: ignore[attr-defined]
        self.derivative = Transformed(
            body,
            **{**options, "argnames": chosen[0] if single else chosen},
            parameters=Parameters(signature),
            name=function_name(fun),
        )
        functools.update_wrapper(self, fun, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.derivative(*self._values(args, kwargs), *args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return OfAttributes(self.function.__get__(instance), self.names, self.options)

    def __getattr__(self, name: str) -> Any:
        if name == "derivative":  # not made yet: while a copy is unpickled
            raise AttributeError(name)
        return getattr(self.derivative, name)

    def __repr__(self) -> str:
        return repr(self.derivative)

    def show(self, *args: Any, **kwargs: Any) -> None:
        """Print the source: compiled for these arguments, or the one used last."""
        given = self._values(args, kwargs) if args or kwargs else ()
        self.derivative.show(*given, *args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Compile for these arguments without calling."""
        return self.derivative.lower(*self._values(args, kwargs), *args, **kwargs)

    def _values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        return [_read(self.function, path, args, kwargs) for path in self.paths]


def _free(name: str, taken: set[str]) -> str:
    """A name that no parameter has."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _read(fun: Any, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What is there now. Raises TypeError where there is no such thing."""
    root, *steps = path.split(".")
    try:
        value = _root(fun, root, args, kwargs)
        for step in steps:
            value = _step(value, step)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        what = f"{function_name(fun)} reaches no {path!r}: {error}"
        way_out = "A path starts at self, an argument or a variable that the function reads."
        raise TypeError(word(what, way_out=way_out)) from None
    return value


def _root(fun: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The object that a name stands for: self, an argument, or a variable of the function."""
    parameters = parameters_of(fun)
    if name in parameters.names:
        return parameters.bind(args, kwargs)[parameters.names.index(name)]
    if name == "self":
        return getattr(fun, "__self__", fun)
    plain = getattr(fun, "__func__", fun)
    code = plain.__code__
    if name in code.co_freevars:
        return plain.__closure__[code.co_freevars.index(name)].cell_contents
    return plain.__globals__[name]


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value[step]
    return value[int(step)] if isinstance(value, (list, tuple)) else getattr(value, step)


def _with_values(fun: Any, paths: Sequence[str], *args: Any, **kwargs: Any) -> Any:
    """The function, with values in the places of what is there."""
    values, args = args[: len(paths)], args[len(paths) :]
    for path, value in zip(paths, values, strict=True):
        owner, _, last = path.rpartition(".")
        holder = _read(fun, owner, args, kwargs)
        if issubclass(type(holder), ObjectProxy):
            context.store(shadow_of(holder).stored, last, value)
        elif isinstance(holder, dict):  # a copy, of this trace
            holder[last] = value
        elif isinstance(holder, list):
            holder[int(last)] = value
        else:
            raise TypeError(f"{path!r}: nothing can be stored in a {type(holder).__name__}")
    return fun(*args, **kwargs)
