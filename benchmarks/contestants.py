"""Who is timed: each turns a workload into a function of its arguments to value and gradients."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from workloads import Gradient, Workload, over

# Relative to the largest entry of the same gradient: sums in another order, not other formulas.
TOLERANCE = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-9}


@dataclass(frozen=True)
class Contestant:
    """A way to differentiate, and the module that it must not be charged for importing."""

    name: str
    module: str
    build: Callable[[Workload], Gradient]

    @property
    def is_installed(self) -> bool:
        """Whether the module can be found, without importing it."""
        return find_spec(self.module.partition(".")[0]) is not None

    def load(self) -> None:
        """Import the module."""
        importlib.import_module(self.module)


def with_symdiff(workload: Workload, reuse: bool = False) -> Gradient:
    """The function as it stands."""
    symdiff = importlib.import_module("symdiff")
    gradient: Gradient = symdiff.value_and_grad(
        workload.function, argnums=workload.argnums, reuse=reuse
    )
    return gradient


def with_reuse(workload: Workload) -> Gradient:
    """The same, emitted for loops: in place, with methods, not meant to be read."""
    return with_symdiff(workload, reuse=True)


def with_c(workload: Workload) -> Gradient:
    """The same, compiled to C."""
    symdiff = importlib.import_module("symdiff")
    gradient: Gradient = symdiff.value_and_grad(
        workload.function, argnums=workload.argnums, backend="c"
    )
    return gradient


def with_c_by_hand(workload: Workload) -> Gradient:
    """The function of hand.c, compiled, loaded and called in the same way."""
    sizes = ", ".join(map(str, workload.sizes))
    source = (
        f"#include <stddef.h>\nstatic const ptrdiff_t n[] = {{{sizes}}};\n"
        f"{Path(__file__).with_name('hand.c').read_text(encoding='utf-8')}\n"
        "int symdiff_run(const void *const *in, void *const *out, void *work)\n"
        f"{{\n    (void)work;\n    {workload.in_c}(in, out);\n"
        "    return 0;\n}\n"
    )
    gradient = with_c(workload)
    native = importlib.import_module("symdiff.api.native")
    with patch.object(native, "c_source", lambda program: source):
        gradient(*workload.arguments())
    return gradient


def on(workload: Workload, *modules: str) -> Callable[..., Any]:
    """The function over another library's modules."""
    return over(workload.function, *map(importlib.import_module, modules))


def with_autograd(workload: Workload) -> Gradient:
    """The same code over `autograd.numpy`."""
    autograd = importlib.import_module("autograd")
    function = on(workload, "autograd.numpy", "autograd.scipy.special")
    gradient: Gradient = autograd.value_and_grad(function, argnum=workload.argnums)
    return gradient


def with_jax(workload: Workload) -> Gradient:
    """The same code over `jax.numpy`, compiled; NumPy arrays in and out as for everyone else."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    function = on(workload, "jax.numpy", "jax.scipy.special")
    compiled = jax.jit(jax.value_and_grad(function, argnums=workload.argnums))

    def gradient(*arguments: Any) -> Any:
        return jax.tree.map(np.asarray, compiled(*arguments))

    return gradient


HAND = "hand"
PRODUCTS = "products alone"
BY_HAND_IN_C = "C by hand"
PEERS = (
    Contestant("symdiff", "symdiff", with_symdiff),
    Contestant("symdiff, reuse", "symdiff", with_reuse),
    Contestant("symdiff C", "symdiff", with_c),
    Contestant(BY_HAND_IN_C, "symdiff", with_c_by_hand),
    Contestant("autograd", "autograd.scipy.special", with_autograd),
    Contestant("JAX", "jax.scipy.special", with_jax),
)


def contestants(workload: Workload) -> dict[str, Contestant]:
    """All that can be tried on a workload, the reference first."""
    forms = {HAND: workload.by_hand} | {
        f"{HAND} ({form})": gradient for form, gradient in workload.also_by_hand.items()
    }
    by_hand = [Contestant(name, "numpy", as_written(form)) for name, form in forms.items()]
    peers = [
        peer for peer in PEERS
        if peer.is_installed and (workload.in_c or peer.name != BY_HAND_IN_C)
    ]
    return {entry.name: entry for entry in (*by_hand, *peers)}


def as_written(gradient: Gradient) -> Callable[[Workload], Gradient]:
    """A contestant's `build` that has nothing to do."""
    return lambda workload: gradient


def disagreement(answer: tuple[Any, Any], reference: tuple[Any, Any]) -> str | None:
    """What is wrong with an answer, or None."""
    ours, theirs = list(leaves(answer)), list(leaves(reference))
    if len(ours) != len(theirs):
        return f"{len(ours)} results instead of {len(theirs)}"
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"result {i} is {a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}"
        error = np.max(np.abs(a - b)) / (np.max(np.abs(b)) or 1)
        if not error <= TOLERANCE[b.dtype]:
            return f"result {i} is off by {error:.1e}"
    return None


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of nested tuples and lists, in order."""
    if isinstance(tree, (tuple, list)):
        for branch in tree:
            yield from leaves(branch)
    else:
        yield np.asarray(tree)
