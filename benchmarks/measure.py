"""Takes one measurement in this process and prints it as JSON; `run.py` starts it pinned.

measure.py steady WORKLOAD ROUNDS
measure.py first WORKLOAD CONTESTANT
measure.py memory WORKLOAD CONTESTANT
"""

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from contestants import PRODUCTS, Contestant, contestants, disagreement
from workloads import WORKLOADS, Workload

BATCH_SECONDS = 0.01  # long enough for the clock, short enough that rounds see the same machine


def main(kind: str, workload_name: str, detail: str) -> None:
    """Dispatch, and print what was measured."""
    workload = next(w for w in WORKLOADS if w.name == workload_name)
    if kind == "steady":
        result: Any = steady(workload, int(detail))
    else:
        contestant = contestants(workload)[detail]
        result = {"first": first_call, "memory": peak_memory}[kind](workload, contestant)
    print(json.dumps(result))


def steady(workload: Workload, rounds: int) -> dict[str, Any]:
    """Microseconds per call, each contestant in each round; and who failed, with the reason."""
    arguments = workload.arguments()
    reference = workload.by_hand(*arguments)
    runners: dict[str, Callable[..., Any]] = {}
    failures: dict[str, str] = {}
    for name, contestant in contestants(workload).items():
        try:
            gradient = contestant.build(workload)
            problem = disagreement(gradient(*arguments), reference)
        except Exception as error:  # whatever a contestant raises is reported, not hidden
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
        if problem is None:
            runners[name] = gradient
        else:
            failures[name] = problem
    if workload.products is not None:
        runners[PRODUCTS] = workload.products
    return {"times": interleaved(runners, arguments, rounds), "failures": failures}


def interleaved(
    runners: dict[str, Callable[..., Any]], arguments: tuple[Any, ...], rounds: int
) -> dict[str, list[float]]:
    """Each round times every runner once, and each round begins with another one."""
    calls = {
        name: max(1, int(BATCH_SECONDS / batch_time(runner, arguments, 1)))
        for name, runner in runners.items()
    }
    times: dict[str, list[float]] = {name: [] for name in runners}
    names = list(runners)
    gc.disable()  # as timeit does: a collection would be charged to whoever happens to trigger it
    for i in range(rounds):
        shift = i % len(names)
        for name in names[shift:] + names[:shift]:
            times[name].append(1e6 * batch_time(runners[name], arguments, calls[name]))
        gc.collect()
    return times


def batch_time(runner: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """Seconds per call, after one call that brings this contestant's memory into the caches."""
    runner(*arguments)
    start = time.perf_counter()
    for _ in range(calls):
        runner(*arguments)
    return (time.perf_counter() - start) / calls


def first_call(workload: Workload, contestant: Contestant) -> float:
    """Milliseconds from the imported library to the first answer."""
    arguments = workload.arguments()
    contestant.load()
    start = time.perf_counter()
    contestant.build(workload)(*arguments)
    return 1e3 * (time.perf_counter() - start)


def peak_memory(workload: Workload, contestant: Contestant) -> int:
    """Bytes that one call holds at its peak beyond its arguments, results included.

    NumPy reports its buffers to tracemalloc, so this counts them exactly, where the resident size
    would depend on what the allocator happens to keep.
    """
    arguments = workload.arguments()
    gradient = contestant.build(workload)
    gradient(*arguments)
    gc.collect()
    tracemalloc.start()
    gradient(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    return peak


if __name__ == "__main__":
    main(*sys.argv[1:])
