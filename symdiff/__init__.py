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
    NotDifferentiableError,
    RecompilationWarning,
    RuleError,
    ShapeError,
    SymdiffError,
    TraceError,
    UnsupportedFunctionError,
)

if TYPE_CHECKING:
    from symdiff.api.custom import custom_jvp, custom_vjp, elementwise, primitive
    from symdiff.testing import check_grads

__all__ = [
    "BadAxisError",
    "BadIndexError",
    "CompileError",
    "NotDifferentiableError",
    "RecompilationWarning",
    "RuleError",
    "ShapeError",
    "SymdiffError",
    "TraceError",
    "Transformed",
    "UnsupportedFunctionError",
    "check_grads",
    "clear_caches",
    "custom_jvp",
    "custom_vjp",
    "elementwise",
    "function",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "primitive",
    "show",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]


_LATE = {
    "check_grads": "symdiff.testing",
    "custom_jvp": "symdiff.api.custom",
    "custom_vjp": "symdiff.api.custom",
    "elementwise": "symdiff.api.custom",
    "primitive": "symdiff.api.custom",
}


def __getattr__(name: str) -> Any:
    """What only some programs need is imported when it is first asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = globals()[name] = getattr(importlib.import_module(_LATE[name]), name)
    return found
