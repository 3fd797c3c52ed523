"""What all tests share: golden files, repeatable random examples, one core per worker."""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# Both are read when NumPy and symdiff are imported, so they are set before any test module is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # pytest-xdist already uses every core
os.environ.setdefault("SYMDIFF_VERIFY", "1")  # check the result of every pipeline stage

# The same examples in every run; no deadline, since a busy machine is not a bug.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

collect_ignore = ["golden"]  # emitted code, compared by the tests that own it

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the files in tests/golden instead of comparing with them",
    )


@dataclass(frozen=True)
class Golden:
    """Compares a text with the file that holds it, or writes the file."""

    root: Path
    update: bool
    test: str  # what to pass to pytest to run the test again

    def __call__(self, name: str, text: str) -> None:
        path = self.root / name
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        elif not path.is_file():
            pytest.fail(
                f"golden file {name} does not exist\n{self._way_out('write')}", pytrace=False
            )
        elif text != (expected := path.read_bytes().decode("utf-8")):
            diff = "\n".join(
                difflib.unified_diff(
                    expected.split("\n"), text.split("\n"), name, "this run", lineterm=""
                )
            )
            pytest.fail(
                f"golden file {name} differs\n{diff}\n{self._way_out('rewrite')}", pytrace=False
            )

    def _way_out(self, verb: str) -> str:
        return (
            f"To {verb} it: python -m pytest '{self.test}' --update-golden\n"
            "then read what `git diff` says and commit it with the change."
        )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("regression/gradient.py", text)` fails unless tests/golden holds this very text."""
    return Golden(GOLDEN, request.config.getoption("--update-golden"), request.node.nodeid)
