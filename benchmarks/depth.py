"""Loops of different lengths: first call, length of the source and a later call, beside JAX.

    python benchmarks/depth.py [--output FILE]

The same plain Python loop is given to each; JAX also gets it written with `lax.scan`, which is
what its users rewrite such loops to. Every first call is that of a fresh process. The report goes
to benchmarks/DEPTH.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from environment import machine, pin_to_one_core, pinned
from report import table

HERE = Path(__file__).parent
PROCESSES = 3
ROUNDS = 21
SECONDS = 60  # longer than anybody waits for a first call
CONTESTANTS = ("symdiff", "autograd", "JAX", "JAX, scan")
LENGTHS = {"recurrence": (10, 100, 1_000), "network": (10, 50, 200), "heat": (10, 100, 1_000)}


def program(name: str, np: Any, scan: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The loss as users write it for this NumPy, or by `scan(step, first, rows)`."""

    def recurrence(a: Any, x: Any) -> Any:
        y = x[0]
        if scan:
            y = scan(lambda y, row: (np.sin(y) * a + row, None), y, x[1:])[0]
        else:
            for i in range(1, len(x)):
                y = np.sin(y) * a + x[i]
        return np.sum(y * y)

    def network(weights: Any, x: Any) -> Any:
        h = x
        if scan:
            h = scan(lambda h, W: (np.tanh(h @ W), None), h, weights)[0]
        else:
            for W in weights:
                h = np.tanh(h @ W)
        return np.mean(h * h)

    def heat(c: Any, u: Any, rows: Any) -> Any:
        def step(u: Any, _: Any) -> Any:
            inner = u[1:-1] + c * (u[2:] - 2 * u[1:-1] + u[:-2])
            return np.concatenate([u[:1], inner, u[-1:]]), None

        if scan:
            u = scan(step, u, rows)[0]
        else:
            for _ in range(len(rows)):
                u = step(u, None)[0]
        return np.sum(u * u)

    return {"recurrence": recurrence, "network": network, "heat": heat}[name]


def arguments(name: str, length: int, stacked: bool) -> tuple[Any, ...]:
    """Data; the layers as one array where a loop has to be a scan."""
    rng = np.random.default_rng(0)
    if name == "recurrence":
        return 0.9, rng.standard_normal((length + 1, 8))
    if name == "heat":
        return 0.2, rng.standard_normal(200), np.zeros((length, 1))
    weights = [rng.standard_normal((32, 32)) / np.sqrt(32) for _ in range(length)]
    return (np.stack(weights) if stacked else weights), rng.standard_normal((32, 32))


def compiled(contestant: str, name: str) -> Callable[..., Any]:
    """Value and gradient with respect to the first argument."""
    if contestant == "symdiff":
        from symdiff import value_and_grad

        return value_and_grad(program(name, np))
    if contestant == "autograd":
        import autograd.numpy
        from autograd import value_and_grad as of_autograd

        return of_autograd(program(name, autograd.numpy))
    import jax

    jax.config.update("jax_enable_x64", True)
    scan = jax.lax.scan if contestant.endswith("scan") else None
    both = jax.jit(jax.value_and_grad(program(name, jax.numpy, scan)))
    return lambda *args: jax.block_until_ready(both(*args))


def measure(contestant: str, name: str, length: int) -> dict[str, Any]:
    """Seconds of the first call, of a later one, the value, and the lines of source."""
    call = compiled(contestant, name)
    args = arguments(name, length, contestant.endswith("scan"))
    start = time.perf_counter()
    value, _ = call(*args)
    first = time.perf_counter() - start
    later = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call(*args)
        later.append(time.perf_counter() - start)
    times = {"first": first, "later": statistics.median(later)}
    return times | {"value": float(value), "lines": getattr(call, "source", "").count("\n")}


def in_fresh_processes(contestant: str, name: str, length: int) -> dict[str, Any] | None:
    """The median of several processes; None where one takes longer than anybody waits."""
    command = [sys.executable, __file__, "--measure", contestant, name, str(length)]
    runs = []
    for _ in range(PROCESSES):
        try:
            run = subprocess.run(
                command, env=pinned(), stdout=subprocess.PIPE, check=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return None
        runs.append(json.loads(run.stdout))
    middle = {key: statistics.median(run[key] for run in runs) for key in ("first", "later")}
    return runs[0] | middle


def rows_of(name: str) -> list[list[str]]:
    """The rows of one program; what disagrees with symdiff's value is not compared."""
    rows = []
    for length in LENGTHS[name]:
        found = {each: in_fresh_processes(each, name, length) for each in CONTESTANTS}
        own = found["symdiff"]
        assert own is not None
        cells = [cell(found[each], own) for each in CONTESTANTS]
        rows.append([name, f"{length:,}", str(own["lines"]), *cells])
    return rows


def cell(found: dict[str, Any] | None, own: dict[str, Any]) -> str:
    """First and later call, with their ratios. Raises ValueError where the values disagree."""
    if found is None:
        return f"more than {SECONDS} s"
    if not np.isclose(found["value"], own["value"], rtol=1e-9):
        raise ValueError(f"{found['value']} is not {own['value']}")
    return ", ".join(
        f"{1e3 * found[key]:,.3g} ms ({found[key] / own[key]:,.2g}×)" for key in ("first", "later")
    )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "DEPTH.md")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        contestant, name, length = options.measure
        print(json.dumps(measure(contestant, name, int(length))))
        return
    pin_to_one_core()
    rows = [row for name in LENGTHS for row in rows_of(name)]
    header = ["program", "steps", "lines", *CONTESTANTS]
    options.output.write_text(
        "# Loops of different lengths\n\n"
        f"Measured on {date.today()} by `python benchmarks/depth.py`, on {machine()}.\n\n"
        "Value and gradient of a plain Python loop: the first call in a fresh process (tracing,\n"
        "differentiating, compiling, running; imports apart), then a later call, each with its\n"
        f"ratio to symdiff's; medians of {PROCESSES} processes. *Lines* are those of the emitted\n"
        "source. JAX gets the same loop under `jit`, and in the last column the loop rewritten\n"
        "with `lax.scan`, over layers stacked into one array.\n\n" + table(header, rows),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
