"""Times value-and-gradient against NumPy by hand, autograd and JAX, and writes the report.

    python benchmarks/run.py [--quick] [--only NAME] [--output FILE]

The report goes to benchmarks/RESULTS.md; that of a `--quick` or partial run goes to stdout.

Every measurement runs in a fresh process (`measure.py`), on one core, with one thread and without
`OPENBLAS_CORETYPE`. The contestants of a workload take turns in one process, and before anything
is timed their values and gradients must agree with the reference by hand.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from contestants import HAND, PEERS
from environment import pin_to_one_core, pinned
from report import Result, report
from workloads import WORKLOADS

HERE = Path(__file__).parent
SECONDS = 900  # no measurement takes this long: what does is stuck, and is reported as failed


def main() -> None:
    """Measure, say so on stderr, write the report."""
    options = parse()
    pin_to_one_core()
    rounds, processes = (5, 1) if options.quick else (31, 5)
    results = {}
    for workload in WORKLOADS:
        if not options.only or workload.name in options.only:
            print(f"measuring {workload.name}", file=sys.stderr)
            results[workload.name] = measure(workload.name, rounds, processes)
    text = report(results, rounds, processes)
    if not options.only:
        print("measuring scaling", file=sys.stderr)
        text += "\n" + start("scaling.py")
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text, encoding="utf-8")
        print(f"wrote {options.output}", file=sys.stderr)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--quick", action="store_true", help="few rounds: a first impression")
    parser.add_argument("--only", action="append", choices=names, help="may be given repeatedly")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="instead of RESULTS.md or stdout"
    )
    options = parser.parse_args()
    if options.output is None and not (options.quick or options.only):
        options.output = HERE / "RESULTS.md"
    return options


def measure(workload: str, rounds: int, processes: int) -> Result:
    """All measurements of one workload; a contestant that failed in one is left out of the rest."""
    result = Result(**json.loads(start("measure.py", "steady", workload, str(rounds))))
    for name in (HAND, *(peer.name for peer in PEERS)):
        if name in result.times:
            runs = [start("measure.py", "first", workload, name) for _ in range(processes)]
            result.first_calls[name] = [float(run) for run in runs]
    for name in (HAND, "symdiff", "symdiff, reuse"):
        if name in result.times:
            result.peaks[name] = int(start("measure.py", "memory", workload, name))
    return result


def start(script: str, *arguments: str) -> str:
    """The output of a script of this folder in a fresh, pinned process."""
    command = [sys.executable, str(HERE / script), *arguments]
    run = subprocess.run(
        command, env=pinned(), stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS
    )
    return run.stdout


if __name__ == "__main__":
    main()
