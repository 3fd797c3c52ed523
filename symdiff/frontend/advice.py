"""What to suggest instead of a function that symdiff does not know."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from symdiff.ops.primitive import COMPOSITES, REGISTRY, find


def function_name(function: Any) -> str:
    """The name as the user writes it: np.linalg.matrix_rank; of their own ufunc, what made it."""
    name = getattr(function, "__name__", repr(function))
    module = getattr(function, "__module__", None) or "numpy"
    if isinstance(function, np.ufunc) and set("".join(function.types)) == {"O", "-", ">"}:
        return "np.frompyfunc"  # a ufunc of the user's
    if isinstance(function, np.ufunc) and getattr(np, name, None) is not function:
        module = "scipy.special"  # whose ufuncs do not say where they come from
    bound = getattr(function, "__self__", None)
    if bound is not None and hasattr(bound, "nin"):  # a ufunc method: np.add.reduce
        return f"np.{bound.__name__}.{name}"
    if bound is not None and hasattr(bound, "rvs"):  # a method of a distribution
        return f"scipy.stats.{getattr(bound, 'name', type(bound).__name__)}.{name}"
    public = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*public, name]).replace("numpy", "np", 1)


NEAR = 0.8  # of difflib's measure: np.nanmean is to np.mean, np.save is not to np.take


def advice_for(function: Any) -> str:
    """The nearest known names, and how to go on."""
    import difflib  # only for what goes wrong

    known = {*REGISTRY, *(each.__name__ for each in COMPOSITES if hasattr(each, "__name__"))}
    name = getattr(function, "__name__", "")
    near = difflib.get_close_matches(name, sorted(known), cutoff=NEAR)
    hint = f"Known names near it: {', '.join(near)}. " if near else ""
    return (
        f"{hint}Call it outside the function and pass its result, "
        "or give it a rule (symdiff.primitive, symdiff.custom_jvp: docs/extending.md)."
    )


_OF_ARGUMENTS = re.compile(r"([\w.<>]+)\(\) ((?:got|missing|takes) .*)")


def wrong_number(ufunc: np.ufunc, given: int) -> str:
    """What NumPy says of too many or too few arguments of a ufunc."""
    return (
        f"{function_name(ufunc)}() takes from {ufunc.nin} to {ufunc.nargs} positional arguments "
        f"but {given} were given"
    )


def check_arguments(
    error: TypeError, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Where what stands for a function does not take the arguments, raise an error of its own.

    TypeError if the function itself would not take them either, UnsupportedFunctionError if it
    would.
    """
    if isinstance(function, np.ufunc) and len(args) < function.nin:
        raise TypeError(wrong_number(function, len(args))) from None
    said, ours = _OF_ARGUMENTS.fullmatch(str(error)), find(function)
    called = (getattr(ours, "call", None), ours)
    if said is None or said[1] not in [getattr(each, "__qualname__", "") for each in called]:
        return  # the arguments of another function, which it calls
    import inspect

    name = function_name(function)
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):
        raise TypeError(f"{name}() {said[2]}") from None
    raise NotImplementedError(f"{name} is not traced with these arguments: it {said[2]}")
