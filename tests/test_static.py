"""The checkers that read code without running it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


# Not `ruff format`: tables of rules and emitted comments are aligned by hand.
@pytest.mark.parametrize("command", ["ruff check --output-format=concise", "mypy --strict symdiff"])
def test_checker_finds_nothing(command):
    run = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
