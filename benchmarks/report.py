"""Writes what was measured as Markdown: ratios first, since machines differ and are shared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from statistics import median

from contestants import HAND, PEERS, PRODUCTS
from environment import machine

COLUMNS = tuple(peer.name for peer in PEERS)
NONE = "–"

# Microseconds of the same four on another machine (Zen 5, NumPy 2.4.6, JAX 0.10.2, autograd 1.9.1),
# measured with other hand-written references. A reference that stands much worse to the peers here
# than those did there is too slow to be one.
ELSEWHERE: Mapping[str, Mapping[str, float]] = {
    "product": {HAND: 0.1, "autograd": 83, "JAX": 18},
    "neuron": {HAND: 0.2, "autograd": 169, "JAX": 25},
    "rosenbrock-10": {HAND: 6.8, "autograd": 151, "JAX": 13},
    "rosenbrock-1000": {HAND: 9.1, "autograd": 179, "JAX": 24},
    "rosenbrock-1000000": {HAND: 9_960, "autograd": 39_400, "JAX": 2_460},
    "black-scholes": {HAND: 41_000, "autograd": 85_000, "JAX": 93_000},
    "logistic": {HAND: 670, "autograd": 1_450, "JAX": 3_040},
    "net-100": {HAND: 926, "autograd": 6_420, "JAX": 1_970},
    "net-256x4": {HAND: 3_490, "autograd": 15_200, "JAX": 4_730},
    "deep-200": {HAND: 2_540, "autograd": 131_000, "JAX": 5_400},
}


@dataclass(frozen=True)
class Result:
    """The measurements of one workload, by contestant."""

    times: Mapping[str, list[float]]  # microseconds per call, one entry a round
    failures: Mapping[str, str]
    first_calls: dict[str, list[float]] = field(default_factory=dict)  # milliseconds
    peaks: dict[str, int] = field(default_factory=dict)  # bytes

    def ratio(self, name: str) -> float:
        """Median over the rounds of the time relative to the reference in the same round."""
        return median(a / b for a, b in zip(self.times[name], self.times[HAND]))

    def ratio_of_minima(self, name: str) -> float:
        """What the ratio would be if nothing else ran on the machine."""
        return min(self.times[name]) / min(self.times[HAND])


def report(results: Mapping[str, Result], rounds: int, processes: int) -> str:
    """The whole page."""
    sections = (
        introduction(),
        steady_state(results, rounds),
        failures(results),
        first_calls(results, processes),
        peak_memory(results),
        references(results),
    )
    return "\n\n".join(filter(None, sections)) + "\n"


def introduction() -> str:
    """What the page is, the machine, and who could not take part."""
    lines = [
        "# Benchmarks",
        "",
        "Value and gradient, NumPy arrays in and out, one core and one thread, `OPENBLAS_CORETYPE`",
        "cleared; written by `python benchmarks/run.py`. The functions, their data and the",
        "gradients by hand that everything is relative to are in `workloads.py`, those in C in",
        "`hand.c`.",
        "",
        f"{date.today()}: {machine()}.",
    ]
    absent = [peer.name for peer in PEERS if not peer.is_installed]
    if absent:
        lines += ["", f"Not installed, therefore skipped: {', '.join(absent)}."]
    return "\n".join(lines)


def steady_state(results: Mapping[str, Result], rounds: int) -> str:
    """Times of a warm call."""
    text = (
        "## Steady state\n\n"
        f"Median time of a call over {rounds} rounds in which the contestants take turns; the\n"
        "median of the ratios to the gradient by hand in the same round; in brackets the ratio of\n"
        "the shortest times."
    )
    rows = [
        [
            name,
            duration(median(result.times[HAND])),
            *(steady_cell(result, column) for column in COLUMNS),
            "; ".join(f"{form} {times(result.ratio(form))}" for form in other_forms(result))
            or NONE,
        ]
        for name, result in results.items()
    ]
    return f"{text}\n\n{table(['', 'by hand', *COLUMNS, 'other forms by hand'], rows)}"


def steady_cell(result: Result, name: str) -> str:
    """One contestant in the table of steady states."""
    if name not in result.times:
        return missing(result, name)
    time = duration(median(result.times[name]))
    return f"{time}, {times(result.ratio(name))} ({times(result.ratio_of_minima(name))})"


def other_forms(result: Result) -> list[str]:
    """The hand-written gradients beside the reference."""
    return [name for name in result.times if name not in (HAND, PRODUCTS, *COLUMNS)]


def failures(results: Mapping[str, Result]) -> str:
    """Who raised or gave a wrong answer, and how."""
    lines = [
        f"- {contestant} on {name}: {reason}"
        for name, result in results.items()
        for contestant, reason in result.failures.items()
    ]
    return "\n".join(["Failed:", "", *lines]) if lines else ""


def first_calls(results: Mapping[str, Result], processes: int) -> str:
    """From the imported library to the first answer."""
    text = (
        "## First call\n\n"
        f"Milliseconds from the imported library to the first answer, median of {processes} fresh\n"
        "processes: tracing, differentiating, compiling and running once."
    )
    names = (HAND, *COLUMNS)
    rows = [
        [workload, *(first_call_cell(result, name) for name in names)]
        for workload, result in results.items()
    ]
    return f"{text}\n\n{table(['', 'by hand', *COLUMNS], rows)}"


def first_call_cell(result: Result, name: str) -> str:
    """One contestant in the table of first calls."""
    if name not in result.first_calls:
        return missing(result, name)
    return f"{median(result.first_calls[name]):.3g}"


def peak_memory(results: Mapping[str, Result]) -> str:
    """What a warm call holds at its peak."""
    text = (
        "## Peak memory\n\n"
        "Kilobytes that a call holds at its peak beyond its arguments, results included\n"
        "(`tracemalloc`, to which NumPy reports its buffers)."
    )
    rows = []
    for workload, result in results.items():
        hand = result.peaks[HAND]
        row = [workload, f"{hand / 1e3:,.1f}"]
        for name in ("symdiff", "symdiff, reuse"):
            ours = result.peaks.get(name)
            row += [missing(result, name)] if ours is None else [times(ours / hand)]
        rows.append(row)
    return f"{text}\n\n{table(['', 'by hand', 'symdiff', 'symdiff, reuse'], rows)}"


def references(results: Mapping[str, Result]) -> str:
    """How good the hand-written gradients are, judged by the peers."""
    text = (
        "## The hand-written gradients\n\n"
        "What they take relative to the matrix products in them alone; and how many times as\n"
        "long the peers take, here and once on another machine (Zen 5) against other hand-written\n"
        "gradients: what is much below that would be a weak reference, unless memory is the limit."
    )
    peers = ("autograd", "JAX")
    header = [
        "",
        "to its products",
        *(f"{peer} {place}" for peer in peers for place in ("here", "there")),
    ]
    rows = [
        [
            workload,
            to_products(result),
            *(cell for peer in peers for cell in standing(workload, result, peer)),
        ]
        for workload, result in results.items()
    ]
    return f"{text}\n\n{table(header, rows)}"


def to_products(result: Result) -> str:
    """The reference relative to its own matrix products."""
    return times(1 / result.ratio(PRODUCTS)) if PRODUCTS in result.times else NONE


def standing(workload: str, result: Result, peer: str) -> tuple[str, str]:
    """The ratio of a peer to the reference, here and elsewhere."""
    there = ELSEWHERE.get(workload)
    here = times(result.ratio(peer)) if peer in result.times else missing(result, peer)
    if there is None:
        return here, NONE
    return here, times(there[peer] / there[HAND])


def missing(result: Result, name: str) -> str:
    """What stands for a contestant without a figure."""
    return "failed" if name in result.failures else NONE


def times(ratio: float) -> str:
    """Two decimals where they mean something."""
    return f"{ratio:,.0f}×" if ratio >= 20 else f"{ratio:.2f}×"


def duration(microseconds: float) -> str:
    """Three digits, always in microseconds."""
    return f"{microseconds:,.0f} µs" if microseconds >= 100 else f"{microseconds:.3g} µs"


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *("--:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
