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
    RuleError,
    ShapeError,
    SymdiffError,
    TraceError,
    UnsupportedFunctionError,
)

if TYPE_CHECKING:
    from symdiff.testing import check_grads

__all__ = [
    "BadAxisError",
    "BadIndexError",
    "CompileError",
    "NotDifferentiableError",
    "RuleError",
    "ShapeError",
    "SymdiffError",
    "TraceError",
    "Transformed",
    "UnsupportedFunctionError",
    "check_grads",
    "clear_caches",
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
    "show",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]


def __getattr__(name: str) -> Any:
    """What only some programs need is imported when it is first asked for."""
    if name != "check_grads":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from symdiff.testing import check_grads

    return check_grads
