"""What to suggest instead of a function that symdiff does not know."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ops.primitive import COMPOSITES, REGISTRY


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
