"""Which of NumPy's functions are differentiated, by symdiff, autograd and JAX, and in what time.

    python benchmarks/coverage.py [--only NAME] [--library NAME] [--output FILE]

Each function that has a derivative is called as in calls.txt, some of SciPy's as in
scipy_calls.txt. A derivative counts where it agrees with differences of the function itself: in
reverse mode, in forward mode, and of second order (reverse of reverse). The table goes to
benchmarks/COVERAGE.md; that of a partial run to stdout.

A value of symdiff's, and a derivative, is to take at most three times NumPy's call and 5 µs. What
takes longer is listed with the reason that its record or composite states as `cost`. The exit
status is 1 where there is none, and where one is stated that nothing needs any more.
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
from calls import CALLS, SCIPY_CALLS, Call
from environment import machine, pin_to_one_core, pinned

HERE = Path(__file__).parent
MODES = ("reverse", "forward", "second")
STEP = 2e-3  # of differences of fourth order
TOLERANCE = 1e-6  # of the first derivative; a second one has a hundred times that
SIZES = {"small": {"n": 300, "k": 24}, "large": {"n": 100_000, "k": 200}}  # of what is timed
SQUARE = {"n": 1000, "k": 100}  # ... large, where a result has n * n numbers
# Of many numbers, rounding decides on the shape of the result, or each is traced by itself.
SMALL_ONLY = {"np.polydiv", "np.fromiter", "ndarray.tolist"}
ALLOWED = (3.0, 5.0)  # times the forward call of NumPy's, plus microseconds
UNSURE = 0.5  # of what is allowed: below, a reason is not needed
KINDS = ("value", "gradient")
WRITES = "writes an array, where NumPy's call makes a view or reads a part"
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


def costs(row: "Row", call: Call, contestants: Sequence[Any]) -> dict[str, dict[str, float]]:
    """By size, the time of NumPy's call, and of value and gradient of those that have them.

    `... written` is the time of a copy of what symdiff returns. The large arrays are symdiff's.
    """
    found = {}
    for size, sizes in of_sizes(call).items():
        loss = Loss.of(call, **sizes)
        assert loss is not None
        timed = timings(row, loss, contestants if size == "small" else contestants[:1])
        best = microseconds(timed)
        for _ in range(3):  # others use the machine: what is too slow once may not be
            if any(too_slow(best, kind) for kind in KINDS):
                again = {name: timed[name] for name in timed if name.split()[0] in OWN}
                best |= {
                    name: min(taken, best[name]) for name, taken in microseconds(again).items()
                }
        found[size] = best
    return found


OWN = ("NumPy", Symdiff.name)
# Whether the C library gives memory back to the system, which then clears it page by page, depends
# on what was freed before: the same call takes ten times as long after one than after another.
KEPT_MEMORY = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**30))


def of_sizes(call: Call) -> dict[str, dict[str, int]]:
    """The sizes at which a call is timed."""
    few = SIZES["small"]
    if call.name in SMALL_ONLY:
        return {"small": few}
    most = max(np.size(leaf) for leaf in flat(call.over(np)(*call.arguments(**few))))
    return SIZES | {"large": SQUARE} if most > 50 * few["n"] else SIZES


def timings(
    row: "Row", loss: Loss, contestants: Sequence[Any]
) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    function = loss.call.over(np)
    timed: dict[str, Callable[[], Any]] = {"NumPy": lambda: function(*loss.arguments)}
    inputs = {"value": loss.arguments, "gradient": (*loss.given, *loss.rest)}
    for each in contestants:
        if row.right(each.name, "reverse"):
            for what, given in inputs.items():
                computed = partial(fastest(each, loss, what, given), *given)
                timed[f"{each.name} {what}"] = computed
                if isinstance(each, Symdiff):
                    leaves = [np.asarray(leaf) for leaf in flat(computed())]
                    timed[f"{each.name} {what} written"] = partial(copies, leaves)
    return timed


def copies(arrays: Sequence[Any]) -> list[Any]:
    """What takes as long as to write arrays once."""
    return [each.copy() for each in arrays]


def too_slow(times: dict[str, float], what: str, share: float = 1, written: bool = False) -> bool:
    """Whether symdiff takes longer than this share of what is allowed, not counting writes."""
    factor, extra = ALLOWED
    base = times["NumPy"]
    if written:
        base += times.get(f"{Symdiff.name} {what} written", 0)
    return times.get(f"{Symdiff.name} {what}", 0) > share * (factor * base + extra)


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
    """One function: who differentiates it, in what time, and why it takes long, if that is said."""

    name: str
    text: str
    verdicts: dict[str, dict[str, str]]
    times: dict[str, dict[str, float]] = field(default_factory=dict)
    cost: str = ""

    def right(self, contestant: str, mode: str) -> bool:
        """Whether the derivative was found, and is right."""
        return self.verdicts[contestant][mode] == "right"

    def slow(self, share: float = 1, written: bool = False) -> bool:
        """Whether symdiff takes longer than allowed for anything, at any size."""
        return any(
            too_slow(times, kind, share, written) for times in self.times.values() for kind in KINDS
        )

    @property
    def why(self) -> str:
        """Why it takes longer than allowed; "" where nobody said."""
        return self.cost or ("" if self.slow(written=True) else WRITES)


def measure(
    only: Sequence[str], libraries: Sequence[str]
) -> tuple[list[Row], dict[str, list[str]]]:
    """A row for each function that has a derivative; the others, by the reason."""
    from symdiff.inspect.coverage import public, state

    contestants = [PEERS[module]() for module in libraries if find_spec(module)]
    rows, without = [], {}
    calls = {name: CALLS[name] for name in public() if name in CALLS} | SCIPY_CALLS
    for name, call in calls.items():
        if only and name not in only:
            continue
        stated = state(name)
        if with_derivative(call) is None:
            why = stated.why or "returns no floats that depend on floats"
            without.setdefault(why, []).append(name)
            continue
        print(f"measuring {name}", file=sys.stderr)
        rows.append(measured(call, stated.cost, contestants))
    return rows, without


def measured(call: Call, cost: str, contestants: Sequence[Any]) -> Row:
    """A function that has a derivative."""
    loss = with_derivative(call)
    assert loss is not None
    found = {each.name: verdicts(each, loss) for each in contestants}
    row = Row(call.name, call.text, found, cost=cost)
    row.times = costs(row, call, contestants)
    return row


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
    own = [row for row in rows if not row.name.startswith("scipy.")]
    count = len(own)
    lines = [
        "# Coverage, and what it costs",
        "",
        f"{date.today()}, {machine()}.",
        "",
        f"Of NumPy's public functions, `numpy.linalg` and `numpy.fft` included, and of the methods "
        f"of arrays and ufuncs, {count} have a derivative. A derivative counts where it agrees "
        "with differences of NumPy's own function. Written by `python benchmarks/coverage.py`; "
        "the calls are those of [calls.txt](calls.txt), and below them those of some of SciPy's "
        "functions in [scipy_calls.txt](scipy_calls.txt).",
        "",
        f"| of {count} | {' | '.join(MODES)} | wrong |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        cells = [str(sum(row.right(name, mode) for row in own)) for mode in MODES]
        wrong = Counter(mode == "wrong" for row in own for mode in row.verdicts[name].values())
        lines.append(f"| {name} | {' | '.join(cells)} | {wrong[True]} |")
    few, many = SIZES.values()
    lines += [
        "",
        f"Times are the least of several, in microseconds for NumPy's call, relative to it for the "
        f"others, with arrays of {few['n']} numbers and matrices of {few['k']} rows; for symdiff "
        f"also, after a slash, with {many['n']} numbers and {many['k']} rows (where the result is "
        f"square {SQUARE['n']} and {SQUARE['k']}). The gradient is that of a weighted sum of the "
        "result: what is computed is the product of the weights with the Jacobian, and not the "
        "sum. Freed memory is kept for the next array, as in a program that runs for long. What is "
        "over the bound of [the next section](#above-the-bound) is marked (!).",
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
        *above(rows),
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


def above(rows: Sequence[Row]) -> list[str]:
    """The section of those that take longer than is allowed."""
    factor, extra = ALLOWED
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.slow():
            reasons.setdefault(row.why, []).append(f"`{row.text}`".replace("|", "\\|"))
    unexplained = len(reasons.get("", []))
    return [
        "## Above the bound",
        "",
        f"A value is to take no longer than {factor:g} times NumPy's call and {extra:g} µs, and so "
        f"is a derivative, in both sizes. {sum(map(len, reasons.values()))} calls take longer. The "
        "reasons are those that records and composites state (`cost`), or that what NumPy gives as "
        "a view, or reads a part of, has to be written: results here have memory of their own, and "
        f"a derivative is as large as the argument. Without a reason: {unexplained}.",
        "",
        "| why | calls |",
        "|---|---|",
        *(f"| {why or '**no reason**'} | {', '.join(found)} |" for why, found in reasons.items()),
        "",
    ]


def complaints(rows: Sequence[Row]) -> list[str]:
    """What takes longer than allowed without a reason, and reasons that nothing needs."""
    found = [f"{row.name} takes longer than allowed" for row in rows if row.slow() and not row.why]
    needed = {row.cost for row in rows if row.slow(UNSURE)}
    stated = {row.cost: row.name for row in rows if row.cost}
    return found + [
        f"{name} need not say that it {cost}" for cost, name in stated.items() if cost not in needed
    ]


def line(row: Row, names: Sequence[str]) -> str:
    """A row of the table."""
    small = row.times["small"]
    cells = [f"`{row.text}`".replace("|", "\\|"), f"{small['NumPy']:.1f}"]
    for name in names:
        cells.append(letters(row.verdicts[name]))
        cells += [" / ".join(ratios(row, name, what)) or NONE for what in KINDS]
    return f"| {' | '.join(cells)} |"


def ratios(row: Row, name: str, what: str) -> list[str]:
    """How many times as long as NumPy's call it takes, for each size."""
    found = []
    for times in row.times.values():
        if f"{name} {what}" in times:
            mark = " (!)" if name == Symdiff.name and too_slow(times, what) else ""
            found.append(f"{times[f'{name} {what}'] / times['NumPy']:.1f}{mark}")
    return found


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
        variables = pinned() | KEPT_MEMORY | {"SYMDIFF_PINNED": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=variables, check=False).returncode)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    rows, without = measure(options.only, options.library or list(PEERS))
    text = report(rows, without)
    partial_run = options.only or options.library
    output = options.output or (None if partial_run else HERE / "COVERAGE.md")
    if output is None:
        print(text)
    else:
        output.write_text(text, encoding="utf-8")
    if found := complaints(rows):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
