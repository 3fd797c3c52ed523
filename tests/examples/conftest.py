"""Examples as modules and as programs."""

import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    """The functions of an example, without running it."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Run(NamedTuple):
    """What a program left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def example(request: pytest.FixtureRequest) -> ModuleType:
    """The example that the test file is named after, as a module."""
    return load(request.path.stem.removeprefix("test_"))


@pytest.fixture
def run(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Run]:
    """Runs the example that the test file is named after, as a program with these arguments."""
    path = str(EXAMPLES / f"{request.path.stem.removeprefix('test_')}.py")

    def program(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            return Run(end.code, *capsys.readouterr())
        return Run(0, *capsys.readouterr())

    return program
