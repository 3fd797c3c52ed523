"""python_module: emitted source loaded, and saved as a module of its own."""

import inspect
import io
import linecache
import pdb
import re
import subprocess
import sys
import traceback

import coverage
import line_profiler
import numpy as np
import pytest

import symdiff
from symdiff.errors import CompileError, TraceError
from symdiff.runtime.python_module import imports_of, load

RUN = """
import sys
from pathlib import Path
sys.modules["symdiff"] = None
import numpy as np, saved
np.save("result.npy", saved.loss_grad(np.load("x.npy")))
"""


def run_saved(folder, x):
    np.save(folder / "x.npy", x)
    subprocess.run([sys.executable, "-c", RUN], cwd=folder, check=True)
    return np.load(folder / "result.npy")


def test_saved_module_needs_no_symdiff(tmp_path):
    rng = np.random.default_rng(0)
    W, table = rng.normal(size=(4, 3)), rng.normal(size=(50, 3))

    def loss(x):
        return np.sum(np.tanh(x @ W) @ np.array(table.tolist()).T)

    x = rng.normal(size=(2, 4))
    gradient = symdiff.grad(loss)
    expected = gradient(x)
    gradient.save(tmp_path / "saved.py")
    np.testing.assert_array_equal(run_saved(tmp_path, x), expected, strict=True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "result.npy",
        "saved.npz",
        "saved.py",
        "x.npy",
    ]


def test_hidden_arrays_are_keyword_arguments_of_now(tmp_path):
    W = np.ones(3)

    def loss(x):
        return np.sum(x * W)

    gradient = symdiff.grad(loss)
    gradient(np.zeros(3))
    W *= 2
    gradient.save(tmp_path / "saved.py")
    assert "def loss_grad(x, *, W=W):" in (tmp_path / "saved.py").read_text()
    np.testing.assert_array_equal(run_saved(tmp_path, np.zeros(3)), [2.0, 2.0, 2.0])


def test_without_arrays_there_is_one_file(tmp_path):
    def loss(x):
        return np.sum(x * x)

    gradient = symdiff.grad(loss)
    gradient(np.ones(2))
    gradient.save(str(tmp_path / "saved.py"))
    assert [path.name for path in tmp_path.iterdir()] == ["saved.py"]
    assert (tmp_path / "saved.py").read_text() == gradient.source


def test_what_cannot_be_saved(tmp_path):
    gradient = symdiff.grad(lambda x: np.sum(x))
    with pytest.raises(TraceError, match="not called yet"):
        gradient.save(tmp_path / "saved.py")
    gradient(np.ones(2))
    with pytest.raises(ValueError, match=r"should end in \.py"):
        gradient.save(tmp_path / "saved")


def test_tools_read_the_source():
    gradient = symdiff.grad(lambda x: np.sum(x * x))
    gradient(np.ones(2))
    function = gradient.compiled.function
    assert inspect.getsource(function) in gradient.source
    filename = function.__code__.co_filename
    assert "".join(linecache.getlines(filename)) == gradient.source


def decay(x):
    e = np.exp(-x)
    return np.sum(np.log(e) * e)


@pytest.fixture
def emitted():
    """A compiled gradient of several statements."""
    return symdiff.grad(decay).lower(np.ones(3)).function


def test_coverage_sees_the_lines(emitted, tmp_path):
    measured = coverage.Coverage(
        data_file=str(tmp_path / "coverage"), include=[emitted.__code__.co_filename]
    )
    with measured.collect():
        emitted(np.ones(3))
    _, statements, _, missing, _ = measured.analysis2(emitted.__code__.co_filename)
    first = emitted.__code__.co_firstlineno
    assert len([line for line in statements if line > first]) > 2
    assert all(line <= first for line in missing)  # ran when the function was loaded


def test_a_line_profiler_counts_the_lines(emitted):
    profiler = line_profiler.LineProfiler(emitted)
    for _ in range(3):
        profiler.runcall(emitted, np.ones(3))
    (timings,) = profiler.get_stats().timings.values()
    assert len(timings) > 2
    assert {hits for _, hits, _ in timings} == {3}


def test_a_debugger_steps_through_the_lines(emitted):
    said = io.StringIO()
    commands = io.StringIO("next\nnext\np x.shape\ncontinue\n")
    pdb.Pdb(stdin=commands, stdout=said, nosigint=True).runcall(emitted, np.ones(3))
    assert "(3,)" in said.getvalue()
    assert "-> " in said.getvalue()
    for line in re.findall(r"^-> (.+)$", said.getvalue(), re.MULTILINE):
        assert line in inspect.getsource(emitted)


def test_a_traceback_shows_the_line(emitted):
    with pytest.raises(TypeError) as raised:
        emitted("text")
    *_, innermost = traceback.extract_tb(raised.tb)
    assert innermost.name == "decay_grad"
    assert innermost.line
    assert innermost.line in inspect.getsource(emitted)


def test_bad_source():
    with pytest.raises(CompileError, match="emitted for f does not compile"):
        load("def f(:", "f", {})


def test_imports():
    assert imports_of("math.exp(np.sum(x))") == "import math\nimport numpy as np"
    assert imports_of("scipy.special.expit(x)") == "import numpy as np\nimport scipy.special"
    said = "y = np.exp(x)  # from: math.exp(scipy.stats.norm.logpdf(x))\n    return y"
    assert imports_of(said) == "import numpy as np"


def test_constants_are_bound():
    assert load("def f(x):\n    return x + c\n", "f", {"c": 2})(1) == 3
