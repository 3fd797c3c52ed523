"""The public transformations."""

from symdiff.api.gradients import function, grad, jit, show, stop_gradient, value_and_grad
from symdiff.api.maps import hessian, jacfwd, jacobian, jacrev, vmap
from symdiff.api.products import hvp, jvp, linearize, vjp
from symdiff.api.transformed import Transformed, clear_caches
from symdiff.ops.primitive import add_family

add_family("numpy", "symdiff.api.mapping")
add_family("numpy", "symdiff.frontend.polynomials")

__all__ = [
    "Transformed",
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
