"""What is emitted for the examples, read as it stands in tests/golden; the same in every run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from symdiff.cli import main

ROOT = Path(__file__).parent.parent
REGRESSION = [
    "examples/regression.py:loss",
    *("--wrt", "W,b", "--arg", "W: f64[5,7]", "--arg", "b: f64[7]"),
    *("--arg", "x: f64[11,5]", "--arg", "y: f64[11,7]"),
]
LABELS = ("--arg", "scores: f64[32,10]", "--arg", "labels: i64[32]")
TARGETS = ("--arg", "scores: f64[32,10]", "--arg", "target: f64[32,10]")
EXAMPLES = {
    "lecture/product": ("--wrt", "x,y,z"),
    "lecture/neuron": ("--wrt", "w0,x0,w1,x1,b"),
    "networks/l1": TARGETS,
    "networks/mse": TARGETS,
    "networks/naive_cross_entropy": LABELS,
    "networks/cross_entropy": LABELS,
    "networks/sigmoid": ("--mode", "jvp", "--arg", "z: f64[4]"),
    "networks/elu": ("--mode", "jvp", "--arg", "z: f64[4]"),
    "rosenbrock/rosenbrock": ("--mode", "value_and_grad", "--arg", "x: f64[10]"),
}


@pytest.fixture
def shown(capsys, monkeypatch):
    """What `symdiff show` prints."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def show(*argv):
        assert main(["show", *argv]) == 0
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize(
    "stage", ["trace", "stabilize", "linearize", "transpose", "simplify", "expand", "schedule"]
)
def test_stages_of_the_regression(shown, golden, stage):
    golden(f"regression/{stage}.txt", shown(*REGRESSION, "--stage", stage))


def test_gradient_of_the_regression(shown, golden):
    golden("regression/gradient.py", shown(*REGRESSION))


def test_explanation_of_the_regression(shown, golden):
    golden("regression/explain.py", shown(*REGRESSION, "--explain"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(shown, golden, name):
    file, _, function = name.partition("/")
    golden(f"{name}.py", shown(f"examples/{file}.py:{function}", *EXAMPLES[name]))


def test_the_text_does_not_depend_on_the_hash_seed():
    command = [sys.executable, "-m", "symdiff", "show", *REGRESSION, "--all"]
    texts = {
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
