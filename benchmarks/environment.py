"""The surroundings of a measurement: one thread, the right kernels, and what machine it was."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
PACKAGES = ("numpy", "scipy", "autograd", "jax")


def pin_to_one_core() -> None:
    """Let this process and its children run on one core: JAX heeds nothing less."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def pinned() -> dict[str, str]:
    """The environment of a process that measures, to be there before NumPy is imported."""
    variables = dict(os.environ)
    variables.pop("OPENBLAS_CORETYPE", None)  # halves the speed of NumPy's products, not of JAX's
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # imports are those of an installed package
    variables |= dict.fromkeys(ONE_THREAD, "1")
    variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    variables["JAX_PLATFORMS"] = "cpu"
    elsewhere = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    entries = dict.fromkeys((str(ROOT), *filter(None, elsewhere)))
    variables["PYTHONPATH"] = os.pathsep.join(entries)  # this checkout, whatever is installed
    return variables


def machine() -> str:
    """Processor, cores, system and versions, for the head of a report."""
    cores = os.cpu_count()
    packages = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    return (
        f"{processor()}, {cores} cores ({platform.system()} {platform.release()}), "
        f"Python {platform.python_version()}, {packages}"
    )


def installed(package: str) -> str:
    """The version of `package`, or that it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """The model name; virtual machines shorten it, so family and model stand beside it."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor() or platform.machine()
    lines = (line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines}
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"
