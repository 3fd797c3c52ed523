"""What the algorithms of examples/programs cost: operations, first call, gradient, memory.

python benchmarks/programs.py [NAME ...] > benchmarks/PROGRAMS.md
"""

import copy
import gc
import importlib
import os
import runpy
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from environment import ROOT, machine, pin_to_one_core, pinned
from report import table

HEADER = (
    "program", "operations", "lines", "first call", "per operation", "a call of it",
    "gradient / program", "memory / program",
)  # fmt: skip
ROUNDS = 5
SECONDS = 0.02  # of each timing


class Row(NamedTuple):
    """A program at arguments, and what to call it."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]


def main(names: list[str]) -> None:
    """Print the page; what fails is said in its place."""
    importlib.import_module("symdiff").grad(lambda x: x * x)(1.0)  # loads what is loaded late
    small = list(measured(examples(), names))
    long = list(measured(long_ones(), names))
    print(
        "# Programs\n\n"
        f"Measured on {date.today()} by `python benchmarks/programs.py`, on {machine()}.\n\n"
        "Each row is a program of `examples/programs`, and the sum of the squares of all that it\n"
        "returns and leaves in its arguments, with respect to all their floating-point numbers.\n"
        "*Operations* are those of the traced program, *lines* those of the emitted gradient. The\n"
        "*first call* traces, differentiates, compiles and runs. *Gradient / program* compares a\n"
        "later call of the gradient, its value included, with the same sum computed by plain\n"
        "NumPy; *memory* compares the peaks of both.\n\n"
        "## At the sizes of the tests\n\n"
        f"{table(HEADER, small)}\n"
        "## Longer\n\n"
        f"{table(HEADER, long)}"
    )


def examples() -> Iterator[Row]:
    """The programs at their own arguments."""
    for path in sorted((ROOT / "examples" / "programs").glob("*.py")):
        for function, args, *_ in runpy.run_path(str(path))["PROGRAMS"]:
            yield Row(function.__name__, function, args)


def long_ones() -> Iterator[Row]:
    """Some of them with more steps, or larger arrays."""
    rng = np.random.default_rng(0)
    known = {row.name: row for row in examples()}
    square = rng.standard_normal((40, 40))
    definite = square @ square.T + 40 * np.eye(40)
    grid = rng.uniform(0, 1, (64, 64))
    weights = [0.1 * rng.standard_normal((64, 64)) for _ in range(200)]
    longer: list[tuple[str, str, tuple[Any, ...]]] = [
        ("runge_kutta_4", "200 steps", (np.array([1.0, 2.0, 3.0]), 1e-3, 200)),
        ("deep_tanh", "200 layers", (grid[:32], weights, [grid[0]] * 200)),
        ("jacobi_2d", "64 x 64, 200 sweeps", (grid, grid.copy(), 200)),
        ("heat_3d", "32 x 32 x 32, 50 steps", (rng.uniform(0, 1, (32, 32, 32)), 0.1, 50)),
        ("lu", "30 x 30", (definite[:30, :30],)),
        ("forward_substitution", "40 x 40", (definite, grid[0, :40])),
        ("cholesky", "30 x 30", (definite[:30, :30],)),
        ("n_body", "3 bodies, 50 steps", (*known["n_body"].args[:3], 1e-3, 50)),
        ("gauss_seidel_2d", "12 x 12, 5 sweeps", (grid[:12, :12].copy(), 5)),
        ("american_put", "200 steps", (100.0, 105.0, 0.03, 0.2, 1.0, 200)),
        ("fft_radix_2", "64 numbers", (grid[0],)),
        ("soft_dtw", "15 x 15", (grid[0, :15], grid[1, :15], 1)),
    ]
    for name, size, args in longer:
        yield Row(f"{name}, {size}", known[name].function, args)


def measured(rows: Iterator[Row], names: list[str]) -> Iterator[list[str]]:
    """The cells of each row that is asked for."""
    for row in rows:
        if not names or row.name.partition(",")[0] in names:
            print(row.name, file=sys.stderr)
            try:
                yield cells(row)
            except Exception as error:  # the report says what went wrong, and goes on
                failure = f"failed: {type(error).__name__}: {error}".splitlines()[0]
                yield [row.name, failure, *[""] * (len(HEADER) - 2)]


def cells(row: Row) -> list[str]:
    """One measurement."""
    symdiff = importlib.import_module("symdiff")
    number, point = of_floats(row)
    gradient = symdiff.value_and_grad(number, tuple(range(len(point))))
    start = time.perf_counter()
    gradient(*point)
    first = time.perf_counter() - start
    compiled = symdiff.jit(number)
    compiled(*point)
    operations = len(list(compiled.compiled.work.graph.nodes()))
    plain, slope = best(lambda: number(*copied(point)), lambda: gradient(*copied(point)))
    memory = peak(lambda: gradient(*point)) / peak(lambda: number(*copied(point)))
    return [
        row.name,
        f"{operations:,}",
        f"{len(gradient.source.splitlines()):,}",
        f"{1e3 * first:,.0f} ms",
        f"{1e6 * first / operations:,.0f} µs",
        f"{1e6 * plain:,.0f} µs",
        f"{slope / plain:.2f}",
        f"{memory:.1f}",
    ]


def best(*calls: Callable[[], Any]) -> list[float]:
    """Seconds a call takes when nothing else runs: the least of several rounds."""
    counts = []
    for call in calls:
        start = time.perf_counter()
        call()
        counts.append(max(1, int(SECONDS / (time.perf_counter() - start))))
    found = [float("inf")] * len(calls)
    gc.disable()
    for _ in range(ROUNDS):
        for i, (call, count) in enumerate(zip(calls, counts)):
            start = time.perf_counter()
            for _ in range(count):
                call()
            found[i] = min(found[i], (time.perf_counter() - start) / count)
    gc.enable()
    return found


def peak(call: Callable[[], Any]) -> int:
    """Bytes allocated at once, at most."""
    tracemalloc.start()
    call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def of_floats(row: Row) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The sum of what a program gives, as a function of its floating-point numbers, and these."""
    flat = leaves(row.args)
    chosen = [np.asarray(leaf).dtype.kind == "f" for leaf in flat]
    others = [None if inexact else leaf for leaf, inexact in zip(flat, chosen)]
    shape = skeleton(row.args)

    def number(*values: Any) -> Any:
        given, total = iter(values), 0.0
        filled = [next(given) if inexact else leaf for leaf, inexact in zip(others, chosen)]
        args = rebuilt(shape, iter(filled))
        for leaf in leaves((row.function(*args), args)):
            if leaf is not None and np.asarray(leaf).dtype.kind in "fc":
                total = total + np.sum(np.abs(leaf) ** 2)
        return total

    number.__name__ = row.function.__name__
    return number, tuple(leaf for leaf, inexact in zip(flat, chosen) if inexact)


def leaves(tree: Any) -> list[Any]:
    """What lists, tuples and dictionaries hold, one after the other."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for each in tree for leaf in leaves(each)]
    return [tree]


def skeleton(tree: Any) -> Any:
    """The tree without what it holds."""
    if isinstance(tree, dict):
        return {key: skeleton(each) for key, each in tree.items()}
    return type(tree)(map(skeleton, tree)) if isinstance(tree, (list, tuple)) else None


def rebuilt(tree: Any, values: Iterator[Any]) -> Any:
    """The tree that holds these values."""
    if isinstance(tree, dict):
        return {key: rebuilt(each, values) for key, each in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([rebuilt(each, values) for each in tree])
    return next(values)


def copied(point: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments that a program may change."""
    return tuple(map(copy.copy, point))


if __name__ == "__main__":
    if os.environ != pinned():  # too late for this process, which has imported NumPy
        pin_to_one_core()
        os.execve(sys.executable, [sys.executable, str(Path(__file__)), *sys.argv[1:]], pinned())
    main(sys.argv[1:])
