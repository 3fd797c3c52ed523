"""Time to the first answer for long functions, and the cost of importing; prints Markdown.

python benchmarks/scaling.py
"""

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from environment import pin_to_one_core, pinned
from report import table

Array = npt.NDArray[Any]
SIZES = (1_250, 2_500, 5_000, 10_000)
IMPORTS = 9
STEPS: tuple[Callable[[Any, Any], Any], ...] = (
    lambda h, x: h + x,
    lambda h, x: h * x,
    lambda h, x: h - x,
    lambda h, x: np.sin(h),
    lambda h, x: np.cos(h),
    lambda h, x: np.tanh(h),
    lambda h, x: np.arctan(h),
    np.maximum,
)


def main() -> None:
    """Print both sections; what fails is said in its place."""
    for section in (scaling, importing):
        try:
            print(section())
        except Exception as error:  # the report says what went wrong, and goes on
            print(f"{section.__name__}: failed: {type(error).__name__}: {error}\n")


def scaling() -> str:
    """First answers against the length of the function."""
    value_and_grad = importlib.import_module("symdiff").value_and_grad
    point = np.linspace(0.1, 0.9, 8)
    value_and_grad(long_function(10))(point)  # loads whatever is loaded on demand
    rows = [scaling_row(value_and_grad, operations, point) for operations in SIZES]
    header = ["operations", "first answer", "per operation", "lines", "of it Python's `compile`"]
    return (
        "## Long functions\n\n"
        "Value and gradient of a function of so many operations: trace, differentiate, optimize,\n"
        f"print, compile and run once.\n\n{table(header, rows)}\n"
    )


def scaling_row(value_and_grad: Any, operations: int, point: Array) -> list[str]:
    """One length."""
    gradient = value_and_grad(long_function(operations))
    total = seconds(lambda: gradient(point))
    python = seconds(lambda: compile(gradient.source, "gradient", "exec"))
    return [
        f"{operations:,}",
        f"{total:.2f} s",
        f"{1e6 * total / operations:.0f} µs",
        f"{len(gradient.source.splitlines()):,}",
        f"{python:.2f} s",
    ]


def long_function(operations: int) -> Callable[[Array], Any]:
    """A function of so many operations, in an order without a pattern to exploit."""
    steps = Random(0).choices(STEPS, k=operations - 1)

    def function(x: Array) -> Any:
        h: Any = x
        for step in steps:
            h = step(h, x)
        return np.sum(h)

    return function


def seconds(action: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def importing() -> str:
    """What `import symdiff` costs once NumPy is there: the shortest of several processes."""
    program = (
        "import numpy, time\n"
        "start = time.perf_counter()\n"
        "import symdiff\n"
        "print(time.perf_counter() - start)\n"
    )
    command = [sys.executable, "-c", program]
    runs = [
        float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        for _ in range(IMPORTS)
    ]
    return (
        "## Import\n\n"
        f"`import symdiff` after `import numpy`: {1e3 * min(runs):.1f} ms "
        f"(shortest of {IMPORTS} processes).\n"
    )


if __name__ == "__main__":
    if os.environ != pinned():  # too late for this process, which has imported NumPy
        pin_to_one_core()
        os.execve(sys.executable, [sys.executable, *sys.argv], pinned())
    main()
