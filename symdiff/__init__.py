"""symdiff differentiates plain NumPy functions and writes the derivative out as source code."""

from typing import TYPE_CHECKING, Any

from symdiff.api import (
    Transformed,
    clear_caches,
    function,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    show,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from symdiff.errors import (
    BadAxisError,
    BadIndexError,
    CompileError,
    MemoryLimitError,
    NoForwardModeError,
    NotDifferentiableError,
    RecompilationWarning,
    RuleError,
    ShapeError,
    SymdiffError,
    TraceError,
    UnsupportedFunctionError,
)

if TYPE_CHECKING:
    from symdiff.api.control import checkpoint, cond, fori_loop, map, scan, while_loop
    from symdiff.api.custom import custom_jvp, custom_vjp, elementwise, primitive
    from symdiff.api.implicit import fixed_point, linear_solve, root
    from symdiff.testing import check_grads

__all__ = [
    "BadAxisError",
    "BadIndexError",
    "CompileError",
    "MemoryLimitError",
    "NoForwardModeError",
    "NotDifferentiableError",
    "RecompilationWarning",
    "RuleError",
    "ShapeError",
    "SymdiffError",
    "TraceError",
    "Transformed",
    "UnsupportedFunctionError",
    "check_grads",
    "checkpoint",
    "clear_caches",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "elementwise",
    "fixed_point",
    "fori_loop",
    "function",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linear_solve",
    "linearize",
    "map",
    "primitive",
    "root",
    "scan",
    "show",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]


_LATE = {
    "check_grads": "symdiff.testing",
    **dict.fromkeys(
        ("checkpoint", "cond", "fori_loop", "map", "scan", "while_loop"), "symdiff.api.control"
    ),
    "custom_jvp": "symdiff.api.custom",
    "custom_vjp": "symdiff.api.custom",
    "elementwise": "symdiff.api.custom",
    "fixed_point": "symdiff.api.implicit",
    "linear_solve": "symdiff.api.implicit",
    "primitive": "symdiff.api.custom",
    "root": "symdiff.api.implicit",
}


def __getattr__(name: str) -> Any:
    """What only some programs need is imported when it is first asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = globals()[name] = getattr(importlib.import_module(_LATE[name]), name)
    return found
