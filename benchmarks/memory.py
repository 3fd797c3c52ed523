"""What a derivative of a loop keeps, and the time it takes, within bounds; prints Markdown.

python benchmarks/memory.py > benchmarks/MEMORY.md
"""

import importlib
import os
import sys
import time
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
from environment import pin_to_one_core, pinned
from report import table

Array = npt.NDArray[Any]
SIZE, REPEATS = 256, 3
BOUNDS = (None, 120e6, 60e6, 30e6, 15e6, 9e6)


def linear(u: Array) -> Any:
    """Heat that spreads in 100 steps: its derivative reads nothing of them."""
    u = u.copy()
    for _ in range(100):
        u[1:-1, 1:-1] += 0.1 * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
    return np.sum(u * u)


def heat(u: Array) -> Any:
    """The same where what is warm conducts better."""
    u = u.copy()
    for _ in range(100):
        k = 0.1 / (1 + u[1:-1, 1:-1] ** 2)
        u[1:-1, 1:-1] += k * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
    return np.sum(u * u)


def main() -> None:
    """Print the table."""
    grad = importlib.import_module("symdiff").grad
    u = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    plain = best_time(heat, u)
    rows = [row("linear, no bound", grad(linear), u, grad(linear)(u), best_time(linear, u))]
    expected = grad(heat)(u)
    for bound in BOUNDS:
        gradient = grad(heat) if bound is None else grad(heat, max_memory=bound)
        name = "no bound" if bound is None else f"max_memory={bound / 1e6:.0f}e6"
        rows.append(row(name, gradient, u, expected, plain))
    header = ["heat", "peak", "gradient", "to the function", "kept"]
    print(
        "# Memory\n\n"
        f"The gradient of 100 steps of heat on {SIZE} x {SIZE} points, whose state is "
        f"{u.nbytes / 1e6:.2f} MB: the most memory\nthat arrays take during a call, and its time.\n"
        "All gradients have the same bits. The bound is for what is kept of the steps; what one\n"
        f"computes with comes on top of it, for each of the loops.\n\n{table(header, rows)}\n"
    )


def row(name: str, gradient: Any, u: Array, expected: Array, plain: float) -> list[str]:
    """One bound."""
    if not np.array_equal(gradient(u), expected):
        raise AssertionError(f"{name}: other bits")
    tracemalloc.start()
    gradient(u)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    took = best_time(gradient, u)
    kept = gradient.compiled.work.kept
    said = kept[0][1].partition("; kept ")[2] if kept else "all"
    said = said if name != "linear, no bound" else "nothing"
    return [name, f"{peak / 1e6:.1f} MB", f"{took * 1e3:.0f} ms", f"{took / plain:.1f}×", said]


def best_time(function: Any, u: Array) -> float:
    """The shortest of some calls."""
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function(u)
        found.append(time.perf_counter() - start)
    return min(found)


if __name__ == "__main__":
    if os.environ != pinned():  # too late for this process, which has imported NumPy
        pin_to_one_core()
        os.execve(sys.executable, [sys.executable, *sys.argv], pinned())
    main()
