"""Which of NumPy's functions are differentiated, by symdiff, autograd and JAX, and in what time.

    python benchmarks/coverage.py [--only NAME] [--library NAME] [--output FILE]

Each function that has a derivative is called as in calls.txt. A derivative counts where it agrees
with differences of NumPy's own function: in reverse mode, in forward mode, and of second order
(reverse of reverse). The table goes to benchmarks/COVERAGE.md; that of a partial run to stdout.
"""

import argparse
import importlib
import os
import subprocess
import sys
import timeit
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from calls import CALLS, Call
from environment import machine, pin_to_one_core, pinned

HERE = Path(__file__).parent
MODES = ("reverse", "forward", "second")
STEP = 2e-3  # of differences of fourth order
TOLERANCE = 1e-6  # of the first derivative; a second one has a hundred times that
SIZES = {"n": 300, "k": 24}  # of what is timed
ALLOWED = (3.0, 5.0)  # times the forward call of NumPy's, plus microseconds
NONE = "–"


# ---------------------------------------------------------------------------- contestants


class Contestant:
    """A library, and its array module."""

    library: Any
    numpy: Any


class Symdiff(Contestant):
    """The functions as they stand."""

    name = "symdiff"

    def __init__(self) -> None:
        self.library = importlib.import_module("symdiff")
        self.numpy = np

    def gradient(self, function: Callable[..., Any], count: int) -> Callable[..., Any]:
        """The derivatives by the first arguments."""
        made: Callable[..., Any] = self.library.grad(function, argnums=tuple(range(count)))
        return made

    def tangent(self, function: Callable[..., Any], given: Any, dots: Any) -> Any:
        """The directional derivative."""
        return self.library.jvp(function, given, dots)[1]

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """What is called when only the value is wanted."""
        made: Callable[..., Any] = self.library.jit(function)
        return made


class Autograd(Contestant):
    """The same code over `autograd.numpy`."""

    name = "autograd"

    def __init__(self) -> None:
        self.library = importlib.import_module("autograd")
        self.numpy = importlib.import_module("autograd.numpy")

    def gradient(self, function: Callable[..., Any], count: int) -> Callable[..., Any]:
        made: Callable[..., Any] = self.library.grad(function, argnum=tuple(range(count)))
        return made

    def tangent(self, function: Callable[..., Any], given: Any, dots: Any) -> Any:
        return self.library.make_jvp(lambda all: function(*all))(tuple(given))(tuple(dots))[1]

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function


class Jax(Contestant):
    """The same code over `jax.numpy`, compiled where it is timed."""

    name = "JAX"

    def __init__(self) -> None:
        self.library = importlib.import_module("jax")
        self.library.config.update("jax_enable_x64", True)
        self.numpy = importlib.import_module("jax.numpy")

    def gradient(self, function: Callable[..., Any], count: int) -> Callable[..., Any]:
        derivative = self.library.grad(function, argnums=tuple(range(count)))
        return lambda *given: derivative(*map(self.numpy.asarray, given))

    def tangent(self, function: Callable[..., Any], given: Any, dots: Any) -> Any:
        arrays = [tuple(map(self.numpy.asarray, each)) for each in (given, dots)]
        return self.library.jvp(function, *arrays)[1]

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        made = self.library.jit(function)
        return lambda *given: self.library.tree.map(np.asarray, made(*given))


PEERS = {"symdiff": Symdiff, "autograd": Autograd, "jax": Jax}


# ---------------------------------------------------------------------------- a loss of a call


@dataclass(frozen=True)
class Loss:
    """The sum of all floats that a call returns, each with a weight, by all floats it is given."""

    call: Call
    floats: tuple[int, ...]  # which arguments
    results: tuple[int, ...]  # which leaves of the result
    arguments: tuple[Any, ...]
    weights: tuple[Any, ...]

    @classmethod
    def of(cls, call: Call, **sizes: int) -> "Loss | None":
        """The loss at the arguments of these sizes; None where no float depends on one."""
        arguments = call.arguments(**sizes)
        floats = tuple(i for i, each in enumerate(arguments) if each.dtype.kind in "fc")
        leaves = flat(call.over(np)(*arguments))
        results = tuple(i for i, each in enumerate(leaves) if kind(each) in "fc")
        rng = np.random.default_rng(1)
        weights = [rng.uniform(0.5, 1.5, np.shape(leaves[i])) for i in results]
        for place, i in enumerate(results):
            if kind(leaves[i]) == "c":
                weights[place] = weights[place] * np.exp(1j * weights[place])
        if not floats or not results:
            return None
        return cls(call, floats, results, tuple(arguments), tuple(weights))

    @property
    def given(self) -> tuple[Any, ...]:
        """The floats that the call is given."""
        return tuple(self.arguments[i] for i in self.floats)

    def over(self, numpy: Any) -> Callable[..., Any]:
        """The loss as a function of the floats, then the weights, then the other arguments."""
        function, results, count = self.call.over(numpy), self.results, len(self.floats)
        order = sorted(range(len(self.arguments)), key=lambda i: (i not in self.floats, i))
        places = [order.index(i) for i in range(len(order))]

        def loss(*given: Any) -> Any:
            weights = given[count : count + len(results)]
            values = given[:count] + given[count + len(results) :]
            leaves = flat(function(*[values[place] for place in places]))
            parts = [
                numpy.sum(numpy.real(leaves[i] * weight)) for i, weight in zip(results, weights)
            ]
            return sum(parts[1:], parts[0])

        return loss

    @property
    def rest(self) -> tuple[Any, ...]:
        """What follows the floats."""
        return (
            *self.weights,
            *(each for i, each in enumerate(self.arguments) if i not in self.floats),
        )

    def closed(self, numpy: Any) -> Callable[..., Any]:
        """The loss as a function of the floats alone."""
        loss, rest = self.over(numpy), self.rest
        return lambda *floats: loss(*floats, *rest)


def flat(result: Any) -> list[Any]:
    """The leaves of nested tuples and lists."""
    if isinstance(result, (tuple, list)):
        return [leaf for each in result for leaf in flat(each)]
    return [result]


def kind(value: Any) -> str:
    """The kind of the dtype of a number or an array; that of objects for anything else."""
    numbers = isinstance(value, (float, complex, np.generic, np.ndarray))
    return np.asarray(value).dtype.kind if numbers else "O"


# ---------------------------------------------------------------------------- what is right


def directions(loss: Loss, seed: int) -> tuple[Any, ...]:
    """A direction for each float argument; what is NaN does not move."""
    rng, made = np.random.default_rng(seed), []
    for each in loss.given:
        dot = rng.uniform(-1, 1, each.shape)
        dot = dot + 1j * rng.uniform(-1, 1, each.shape) if each.dtype.kind == "c" else dot
        made.append(np.where(np.isnan(each), 0, dot)[()])
    return tuple(made)


def difference(function: Callable[..., Any], given: Any, dots: Any, size: float = STEP) -> Any:
    """The directional derivative, by differences of fourth order."""

    def at(step: float) -> Any:
        return function(*[each + step * dot for each, dot in zip(given, dots)])

    near, far = at(size) - at(-size), at(2 * size) - at(-2 * size)
    return (8 * near - far) / (12 * size)


def along(gradients: Sequence[Any], dots: Sequence[Any], numpy: Any) -> Any:
    """The change along a direction: the real part, for complex arguments too."""
    parts = [numpy.sum(numpy.real(each * dot)) for each, dot in zip(gradients, dots)]
    return sum(parts[1:], parts[0])


def verdicts(contestant: Any, loss: Loss) -> dict[str, str]:
    """For each mode: "right", "wrong", or the name of the error."""
    numpy, given = contestant.numpy, loss.given
    dots, others = directions(loss, 2), directions(loss, 3)
    own = loss.closed(np)
    first = difference(own, given, dots)
    second = difference(lambda *at: difference(own, at, dots), given, others)

    function = loss.closed(numpy)
    gradient = contestant.gradient(function, len(given))

    def slope(*at: Any) -> Any:
        return along(gradient(*at), dots, numpy)

    def curvature() -> Any:
        return along(contestant.gradient(slope, len(given))(*given), others, np)

    reverse = verdict(lambda: slope(*given), first, TOLERANCE)
    return {
        "reverse": reverse,
        "forward": verdict(lambda: contestant.tangent(function, given, dots), first, TOLERANCE),
        # the derivative of a wrong one is wrong, even where it is 0 like the right one
        "second": verdict(curvature, second, 100 * TOLERANCE) if reverse == "right" else reverse,
    }


def verdict(compute: Callable[[], Any], expected: Any, tolerance: float) -> str:
    """Whether a number is what it should be."""
    try:
        found = np.real(np.asarray(compute()))
    except Exception as error:  # whatever a contestant raises is reported, not hidden
        return type(error).__name__
    return "right" if abs(found - expected) <= tolerance * (1 + abs(expected)) else "wrong"


# ---------------------------------------------------------------------------- what it costs


def microseconds(functions: dict[str, Callable[[], Any]], rounds: int = 7) -> dict[str, float]:
    """The least time of each, which take turns."""
    counts = {}
    for name, function in functions.items():
        function()
        counts[name] = max(1, int(2e-3 / timeit.timeit(function, number=1)))
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            taken = timeit.timeit(function, number=counts[name]) / counts[name]
            best[name] = min(best[name], 1e6 * taken)
    return best


def costs(row: "Row", loss: Loss, contestants: Sequence[Any]) -> dict[str, float]:
    """The time of NumPy's call, and of value and gradient of each contestant that has them."""
    function = loss.call.over(np)
    timed: dict[str, Callable[[], Any]] = {"NumPy": lambda: function(*loss.arguments)}
    inputs = {"value": loss.arguments, "gradient": (*loss.given, *loss.rest)}
    for each in contestants:
        if row.right(each.name, "reverse"):
            for what, given in inputs.items():
                timed[f"{each.name} {what}"] = partial(fastest(each, loss, what, given), *given)
    return microseconds(timed)


def fastest(contestant: Any, loss: Loss, what: str, given: Any) -> Callable[..., Any]:
    """The function that computes it, compiled where it can be."""
    if what == "value":
        function = loss.call.over(contestant.numpy)
    else:
        function = contestant.gradient(loss.over(contestant.numpy), len(loss.floats))
        if isinstance(contestant, Symdiff):  # which compiles its derivatives without being told
            return function
    compiled = contestant.compiled(function)
    try:
        compiled(*given)
    except Exception:  # JAX does not compile what has a size that depends on values
        return function
    return compiled


# ---------------------------------------------------------------------------- the table


@dataclass
class Row:
    """One function: who differentiates it, and in what time."""

    name: str
    text: str
    verdicts: dict[str, dict[str, str]]
    times: dict[str, float] = field(default_factory=dict)

    def right(self, contestant: str, mode: str) -> bool:
        """Whether the derivative was found, and is right."""
        return self.verdicts[contestant][mode] == "right"

    def too_slow(self, what: str) -> bool:
        """Whether symdiff takes longer than is allowed."""
        factor, extra = ALLOWED
        return self.times.get(f"symdiff {what}", 0) > factor * self.times["NumPy"] + extra


def measure(
    only: Sequence[str], libraries: Sequence[str]
) -> tuple[list[Row], dict[str, list[str]]]:
    """A row for each function that has a derivative; the others, by the reason."""
    from symdiff.inspect.coverage import public, state

    contestants = [PEERS[module]() for module in libraries if find_spec(module)]
    rows, without = [], {}
    for name in public():
        call = CALLS.get(name)
        if call is None or (only and name not in only):
            continue
        loss = with_derivative(call)
        if loss is None:
            stated = state(name)
            why = stated.why or "returns no floats that depend on floats"
            without.setdefault(why, []).append(name)
            continue
        print(f"measuring {name}", file=sys.stderr)
        row = Row(name, call.text, {each.name: verdicts(each, loss) for each in contestants})
        large = Loss.of(call, **SIZES)
        assert large is not None
        row.times = costs(row, large, contestants)
        rows.append(row)
    return rows, without


def with_derivative(call: Call) -> Loss | None:
    """The loss of a call, where it moves with its arguments; None where it does not."""
    try:
        loss = Loss.of(call)
        if loss is None:
            return None
        dots = directions(loss, 2)
        slope, nearer = (difference(loss.closed(np), loss.given, dots, h) for h in (STEP, STEP / 2))
    except Exception:  # numbers are not what it takes, or what it gives
        return None
    smooth = abs(slope - nearer) <= TOLERANCE * (1 + abs(slope))  # as bits in another order are not
    return loss if smooth and abs(slope) > 1e-9 else None


def report(rows: Sequence[Row], without: dict[str, list[str]]) -> str:
    """The page."""
    names = list(rows[0].verdicts)
    count = len(rows)
    lines = [
        "# Coverage, and what it costs",
        "",
        f"{date.today()}, {machine()}.",
        "",
        f"Of NumPy's public functions, `numpy.linalg` and `numpy.fft` included, and of the methods "
        f"of arrays and ufuncs, {count} have a derivative. A derivative counts where it agrees "
        "with differences of NumPy's own function. Written by `python benchmarks/coverage.py`; "
        "the calls are those of [calls.txt](calls.txt).",
        "",
        f"| of {count} | {' | '.join(MODES)} | wrong |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        cells = [str(sum(row.right(name, mode) for row in rows)) for mode in MODES]
        wrong = Counter(mode == "wrong" for row in rows for mode in row.verdicts[name].values())
        lines.append(f"| {name} | {' | '.join(cells)} | {wrong[True]} |")
    factor, extra = ALLOWED
    slow = {what: sum(row.too_slow(what) for row in rows) for what in ("value", "gradient")}
    lines += [
        "",
        "Times are the least of several, in microseconds for NumPy's call, relative to it for the "
        f"others, with arrays of {SIZES['n']} numbers and matrices of {SIZES['k']} rows. The "
        "gradient is that of a weighted sum of the result. Longer than "
        f"{factor:g} times NumPy's call and {extra:g} µs take {slow['value']} values and "
        f"{slow['gradient']} gradients of symdiff's; they are marked (!).",
        "",
        f"| call | NumPy, µs | {' | '.join(f'{name} | value | gradient' for name in names)} |",
        f"|---|---:|{'---|---:|---:|' * len(names)}",
        *(line(row, names) for row in rows),
        "",
        "In the columns of the libraries: r for reverse mode, f for forward mode, 2 for second "
        "order; a mode that gave a wrong number is struck out. Where another library differs from "
        "NumPy (the order within a partition, a matrix that is made symmetric first, a sort that "
        "is not in place), so does its derivative, and counts as wrong.",
        "",
        "## Without a derivative",
        "",
        "| why | functions |",
        "|---|---|",
        *(
            f"| {why} | {', '.join(f'`{name}`' for name in found)} |"
            for why, found in sorted(without.items())
        ),
    ]
    return "\n".join(lines) + "\n"


def line(row: Row, names: Sequence[str]) -> str:
    """A row of the table."""
    numpy = row.times["NumPy"]
    cells = [f"`{row.text}`".replace("|", "\\|"), f"{numpy:.1f}"]
    for name in names:
        cells.append(letters(row.verdicts[name]))
        for what in ("value", "gradient"):
            taken = row.times.get(f"{name} {what}")
            mark = " (!)" if name == "symdiff" and row.too_slow(what) else ""
            cells.append(NONE if taken is None else f"{taken / numpy:.1f}{mark}")
    return f"| {' | '.join(cells)} |"


def letters(found: dict[str, str]) -> str:
    """`r f 2` for the modes that are right."""
    signs = {"reverse": "r", "forward": "f", "second": "2"}
    parts = [
        signs[mode] if word == "right" else f"~~{signs[mode]}~~"
        for mode, word in found.items()
        if word in ("right", "wrong")
    ]
    return " ".join(parts) or NONE


def main() -> None:
    """Measure in a process of one thread, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--library", action="append", choices=list(PEERS))
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    if "SYMDIFF_PINNED" not in os.environ:
        pin_to_one_core()
        variables = pinned() | {"SYMDIFF_PINNED": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=variables, check=False).returncode)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    text = report(*measure(options.only, options.library or list(PEERS)))
    partial_run = options.only or options.library
    output = options.output or (None if partial_run else HERE / "COVERAGE.md")
    if output is None:
        print(text)
    else:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
