"""The command line: what it prints, where, and with which exit status."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symdiff.cli import main
from symdiff.pipeline import STAGES

ROOT = Path(__file__).parent.parent
LOSS = [
    "examples/regression.py:loss",
    *("--wrt", "W,b", "--arg", "W: f64[5,7]", "--arg", "b: f64[7]"),
    *("--arg", "x: f64[11,5]", "--arg", "y: f64[11,7]"),
]
BODY = """\
def loss_grad(W, b, x, y):
    h = np.tanh(x @ W + b)
    err = h - y
    err_bar = 2 * err                        # from: return np.sum(err * err)
    h_in_bar = err_bar * (1 - h * h)         # from: h = np.tanh(x @ W + b)
    W_bar = x.T @ h_in_bar
    b_bar = np.sum(h_in_bar, axis=0)
    return W_bar, b_bar
"""
SOURCE = """\
import numpy as np
import symdiff

@symdiff.value_and_grad
def called(w, x):
    print("talk")
    return np.sum(x @ w)

@symdiff.grad
def never_called(w):
    return np.sum(w)

@symdiff.function
def both(w):
    return np.sum(w * w)

@symdiff.function
def plainly(w, *, power=3):
    return np.sum(w**power)

plainly(np.ones(4), power=2)

def annotated(x: "f64[3]", p: float = 2.0):
    return np.sum(x * p)

def wrong(x: "f64[2]"):
    return np.sum(symdiff.stop_gradient(x) * x)

def misfit(x: "f64[3]"):
    return np.sum(x @ np.ones(4))

def vector(x: "f64[3]"):
    return np.sin(x)

def raises(x: "f64[3]"):
    raise RuntimeError("two\\nlines")

def leaves(x: "f64[3]"):
    raise SystemExit(3)

@symdiff.grad(argnums=(0, 1))
def pair(a: "f64[3]", b: float):
    return np.sum(a * b)

class Model:
    @staticmethod
    def loss(x: "f64[3]"):
        return np.sum(x)

number = 3
called(np.ones(2), np.ones((3, 2)))
both.grad(np.ones(4))
"""


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def run(capsys):
    """Run a command: (exit status, stdout, stderr)."""

    def command(*argv):
        try:
            status = main(argv)
        except SystemExit as stopped:  # argparse
            status = stopped.code
        out, err = capsys.readouterr()
        return status, out, err

    return command


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(SOURCE)
    return str(path)


# ---------------------------------------------------------------------------- show


def test_the_gradient_of_the_regression_reads_as_written_by_hand(run):
    assert run("show", *LOSS, "--body") == (0, BODY, "")


def test_without_body_it_is_a_module_that_runs(run):
    status, out, _ = run("show", *LOSS)
    assert status == 0
    assert out.startswith('import numpy as np\n\n\ndef loss_grad(W, b, x, y):\n    """Gradient of')
    module = {}
    exec(out, module)
    W_bar, b_bar = module["loss_grad"](
        np.ones((5, 7)), np.ones(7), np.ones((11, 5)), np.ones((11, 7))
    )
    assert W_bar.shape == (5, 7)
    assert b_bar.shape == (7,)


@pytest.mark.parametrize(
    ("mode", "first"),
    [
        ("grad", "def function_grad(x):"),
        ("value_and_grad", "def function_value_and_grad(x):"),
        ("jvp", "def function_jvp(x, x_dot):"),
        ("hessian", "def function_hessian(x):"),
        ("jit", "def function(x):"),
    ],
)
def test_modes(run, mode, first):
    argv = ("show", "lambda x: np.sum(np.sin(x))", "--arg", "x: f64[3]", "--mode", mode, "--body")
    status, out, err = run(*argv)
    assert (status, out.split("\n")[0], err) == (0, first, "")


def test_the_tangent_of_a_value_without_a_name_is_value_dot(run):
    _, out, _ = run("show", *LOSS, "--mode", "jvp", "--body")
    assert out.endswith("    return value, value_dot\n")


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_each_stage_is_a_part_of_all(run, stage):
    status, out, _ = run("show", *LOSS, "--stage", stage)
    assert status == 0
    assert out
    _, everything, _ = run("show", *LOSS, "--all")
    about = next(each.about for each in STAGES if each.name == stage)
    assert f"== {stage}: {about}\n\n{out}" in everything


def test_differences(run):
    _, out, _ = run("show", *LOSS, "--stage", "simplify", "--diff")
    assert out.startswith("--- transpose\n+++ simplify\n@@ ")
    assert "\n-  bar_3 = add(bar_2, bar_2)" in out
    _, everything, _ = run("show", *LOSS, "--diff")
    assert out in everything
    assert "== stabilize: same value, safer in floating point\n\nno change\n" in everything


def test_explain_lists_rewrites_and_lines(run):
    status, out, _ = run(
        "show", "lambda x: np.log(1 + np.exp(x))", "--arg", "x: float", "--explain"
    )
    assert status == 0
    assert "stabilize  softplus " in out
    assert "log((1 + exp(x))) -> softplus(x)" in out
    assert "    # <lambda>:1\n" in out


def test_types_come_from_the_signature(run, file):
    status, out, _ = run("show", f"{file}:annotated")
    assert status == 0
    assert "Takes x: f64[3], p: float." in out


def test_a_decorated_function_is_shown_as_it_was_called_in_the_file(run, file):
    status, out, err = run("show", f"{file}:called")
    assert status == 0
    assert "def called_value_and_grad(w, x):" in out
    assert "Takes w: f64[2], x: f64[3,2]." in out
    assert [line for line in out.splitlines() if "talk" in line] == ['    print("talk")']
    assert "talk" in err
    assert "def both_grad(w):" in run("show", f"{file}:both")[1]
    assert "Takes w: f64[4], power: int." in run("show", f"{file}:plainly")[1]


def test_a_decorated_function_that_was_not_called_takes_types(run, file):
    assert run("show", f"{file}:never_called")[0] == 2
    status, out, _ = run("show", f"{file}:never_called", "--arg", "w: f64[2]")
    assert status == 0
    assert "def never_called_grad(w):" in out


def test_the_arguments_of_the_decorator_hold_in_other_modes(run, file):
    _, out, _ = run("show", f"{file}:pair", "--mode", "jvp", "--body")
    assert out.startswith("def pair_jvp(a, b, a_dot, b_dot):")
    _, out, _ = run("show", f"{file}:pair", "--wrt", "b", "--body")
    assert "return b_bar\n" in out


def test_other_targets(run, file):
    assert "def loss_grad(x):" in run("show", f"{file}:Model.loss")[1]
    argv = ("examples.rosenbrock:rosenbrock", "--arg", "x: f64[4]")
    assert "def rosenbrock_grad(x):" in run("show", *argv)[1]


def test_the_c_source_is_shown(run):
    argv = ("examples.rosenbrock:rosenbrock", "--arg", "x: f64[4]", "--target", "c")
    status, out, _ = run("show", *argv)
    assert status == 0
    assert "int symdiff_run(const void *const *in, void *const *out, void *work)" in out


def test_the_source_that_calls_parts_in_c_is_shown_above_them(run):
    argv = ("show", "lambda x: np.fft.fft(np.sin(x) * np.exp(x) + np.cos(x))", "--mode", "jit",
            "--arg", "x: f64[4]", "--target", "c")
    status, out, _ = run(*argv)
    assert status == 0
    assert out.index("np.fft.fft(part_1(x))") < out.index("int part_1(const void *const *in")
    status, out, _ = run(*argv, "--explain")
    assert status == 0
    first, second = out.splitlines()
    assert first == "# 1 part in C; left to NumPy: 1"
    assert second.endswith("complex128 has no C form (fft computes with it)")
    status, out, _ = run("show", "lambda x: np.fft.fft(x)", *argv[2:])
    assert "return np.fft.fft(x)" in out and "#include" not in out
    assert run("show", "lambda x: x * 2", *argv[2:], "--explain")[1] == "# all of it has a C form\n"
    assert run(*argv, "--body")[0] == 2


def test_a_value_given_where_it_decides_a_shape(run):
    target = "lambda x, n: np.sum(np.zeros(n) + x)"
    assert run("show", target, "--arg", "x: float", "--arg", "n=3")[0] == 0
    status, _, err = run("show", target, "--arg", "x: float", "--arg", "n: int")
    assert (status, err) == (2, "symdiff: `n` decides a shape: give its value, --arg 'n=3'\n")


# ---------------------------------------------------------------------------- check, ops, rules


def test_check_agrees(run):
    status, out, err = run("check", *LOSS)
    assert (status, err) == (0, "18 comparisons agree\n")
    assert [line.split()[0] for line in out.splitlines()] == ["argument", "W", "b"]
    assert "!" not in out


def test_check_finds_what_is_wrong(run, file):
    status, out, err = run("check", f"{file}:wrong", "--order", "1")
    assert status == 1
    assert "!" in out
    assert err.endswith("2 of 3 wrong\n")


def test_check_takes_a_range_and_a_seed(run):
    target = ("check", "lambda x: np.sum(np.log(x))", "--arg", "x: f64[4]", "--seed", "3")
    assert run(*target, "--range", "1,2")[0] == 0
    with pytest.warns(RuntimeWarning):
        status, _, err = run(*target)
    assert status == 2
    assert "not finite" in err


def test_what_becomes_of_numpys_functions_is_listed(run):
    status, out, talk = run("ops", "--coverage", "np.linalg.d")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["np.linalg.det", "differentiated"],
        ["np.linalg.diagonal", "differentiated"],
    ]
    assert "differentiated," in talk and "refused" in talk


def test_ops_and_rules_are_listed_and_filtered(run):
    _, out, _ = run("ops", "tanh")
    assert [line.split()[0] for line in out.splitlines()][:2] == ["arctanh", "tanh"]
    assert len(out.splitlines()) < 8
    assert "partial 1 - y * y" in out
    assert len(run("ops")[1].splitlines()) > 100
    _, out, _ = run("rules", "softplus")
    assert "log((1 + exp(x))) -> softplus(x)" in out
    assert run("rules")[1].count("== ") > 3


# ---------------------------------------------------------------------------- bad input

ONE = ("--arg", "x: f64[3]")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), "required: COMMAND"),
        (("draw",), "invalid choice: 'draw'"),
        (("show",), "required: TARGET"),
        (("show", "nofile.py:f"), "no file nofile.py"),
        (("show", "examples/regression.py"), "names no function"),
        (("show", "examples/regression.py:los"), "did you mean loss?"),
        (("show", "examples/regression.py:np"), "is a module, not a function"),
        (("show", "examples/regression.py:loss"), "the type of `W` is not known"),
        (("show", "nomodule:f"), "no module nomodule"),
        (("show", "lambda x"), "is not a lambda"),
        (("show", "lambda: 3"), "takes no arguments"),
        (("show", "lambda x: x", "--arg", "x: q64[3]"), "'q64[3]' is not a type"),
        (("show", "lambda x: x", "--arg", "x: f64[-3]"), "'f64[-3]' is not a type"),
        (("show", "lambda x: x", "--arg", "x"), "write it like"),
        (("show", "lambda x: x", "--arg", "y: f64"), "no argument 'y'"),
        (("show", "lambda x: np.sum(x)", *ONE, "--wrt", "z"), "--wrt 'z': function takes x"),
        (("show", "lambda x: np.sum(x)", *ONE, "--stage", "nope"), "invalid choice: 'nope'"),
        (("show", "lambda x: np.sum(x)", *ONE, "--mode", "nope"), "invalid choice: 'nope'"),
        (
            ("show", "lambda x: np.sum(x)", *ONE, "--mode", "jit", "--stage", "transpose"),
            "no stage transpose",
        ),
        (("show", "lambda x: np.sum(x)", *ONE, "--diff", "--body"), "goes with --stage"),
        (("show", "lambda x: x", "--arg", f"x: f64[{10**20}]"), "Maximum allowed dimension"),
        (("show", "symdiff.errors:words"), "did you mean word?"),
        (("show", "fractions:Fraction.limit_denominator"), "takes an instance: name one, like"),
        (("show", "..x:f"), "no module ..x"),
        (("show", "lambda x: x,", *ONE), "is a tuple, not a lambda"),
        (("show", "lambda x: x", *ONE, *ONE), "--arg x is given twice"),
        (("show", "lambda x: x", "--arg", "x: {[1]: f64}"), "'[1]' is neither a type"),
        (("show", "lambda x: x", "--arg", "x: {f64: 1}"), "'f64' is neither a type"),
        (("show", "lambda x: x", *ONE, "--wrt", ""), "--wrt '': function takes x"),
        (("check", "lambda x: np.sum(x)", *ONE, "--range", "1,0"), "the lower end comes first"),
        (("check", "lambda x: np.sum(x)", *ONE, "--range", "nan,1"), "is no interval"),
        (("check", "lambda x: np.sum(x)", *ONE, "--range", "0,inf"), "is no interval"),
        (("check", "lambda x: np.sum(x)", *ONE, "--seed", "-1"), "-1 is less than 0"),
        (("check", "lambda x: np.sum(x)", *ONE, "--order", "0"), "0 is less than 1"),
        (("check", "lambda x: np.sum(x)", *ONE, "--order", "two"), "invalid whole_number"),
        (("check", "lambda x: np.sum(x)", *ONE, "--range", "a"), "'a' is not like 0.1,1"),
        (("ops", "zzz"), "no name contains 'zzz'"),
        (("rules", "zzz"), "no name contains 'zzz'"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(run, argv, words):
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert words in err
    assert err.startswith("symdiff: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("misfit", "ShapeError: matmul: the shapes (3,) and (4,) do not fit"),
        ("vector", "NotDifferentiableError: the result of vector is f64[3]"),
        ("raises", "symdiff: "),
        ("leaves", "symdiff: "),
    ],
)
def test_a_function_without_a_derivative_is_status_1(run, file, name, first):
    status, out, err = run("show", f"{file}:{name}")
    assert (status, out) == (1, "")
    assert f"\n{first}" in f"\n{err}"
    assert "Traceback" not in err


def test_an_error_of_the_user_names_the_line(run, file):
    _, _, err = run("show", f"{file}:raises")
    line = SOURCE.split("\n").index('    raise RuntimeError("two\\nlines")') + 1
    assert err.endswith(f"{file}:{line}: RuntimeError: two lines\n")


def test_a_file_that_cannot_be_imported(run, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("x = 1\nprint(y)\n")
    status, _, err = run("show", f"{path}:f")
    assert status == 2
    assert (
        err == f"symdiff: {path} cannot be imported: {path}:2: NameError: name 'y' is not defined\n"
    )


COMMANDS = ["show", "check", "export", "cache", "ops", "rules"]


@pytest.mark.parametrize("argv", [[], *([name] for name in COMMANDS)])
def test_help_teaches(run, argv):
    status, out, _ = run(*argv, "--help")
    assert status == 0
    assert "symdiff" in out


def test_check_of_a_function_without_floats(run):
    status, out, err = run("check", "lambda x: 'text'", *ONE)
    assert (status, out) == (1, "")
    assert err == "NotDifferentiableError: the result of function has no floats to check\n"


def test_an_interruption_is_one_line(run, tmp_path):
    path = tmp_path / "waits.py"
    path.write_text("raise KeyboardInterrupt")
    assert run("show", f"{path}:f") == (130, "", "symdiff: interrupted\n")


def test_a_lambda_may_stand_in_parentheses(run):
    assert run("show", "(lambda x: np.sum(x))", *ONE)[0] == 0


def test_a_path_may_hold_blanks_and_dots(run, tmp_path):
    path = tmp_path / "my models v1.0" / "a model.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    status, out, _ = run("show", f"{path}:annotated", "--body")
    assert (status, out.split("\n")[0]) == (0, "def annotated_grad(x, p=2.0):")


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m symdiff rules | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_colour_is_for_terminals(run, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\033[1m== trace" in run("show", *LOSS, "--all")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033" not in run("show", *LOSS, "--all")[1]


def test_the_module_runs_as_a_program():
    command = [sys.executable, "-m", "symdiff", "show", *LOSS, "--body"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, BODY, "")


# ---------------------------------------------------------------------------- cache


def test_what_is_on_disk_is_listed_and_cleared(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path / "kept"))
    assert run("cache", "path") == (0, f"{tmp_path / 'kept'}\n", "")
    assert run("cache", "list") == (0, "", "0 files of 0 bytes kept\n")
    run("show", "lambda x: np.sum(x)", "--arg", "x: f64[3]")
    (tmp_path / "kept" / "native").mkdir(parents=True, mode=0o700)
    (tmp_path / "kept" / "native" / "program_1.so").write_bytes(b"12345")
    status, out, err = run("cache", "list")
    assert (status, err) == (0, "1 files of 5 bytes kept\n")
    assert out.endswith("          5 native/program_1.so\n")
    assert run("cache", "clear") == (0, "", "1 files of 5 bytes removed\n")
    assert run("cache", "list")[1] == ""
    assert run("cache")[0] == 2


# ---------------------------------------------------------------------------- export


def test_c_is_exported(run, tmp_path):
    status, out, err = run("export", *LOSS, "-o", str(tmp_path / "new" / "c"), "--blas", "none")
    assert (status, err) == (0, "")
    names = ["loss_grad.c", "loss_grad.h", "test_loss_grad.c", "CMakeLists.txt"]
    assert out.split() == [str(tmp_path / "new" / "c" / name) for name in names]
    command = ["gcc", "-std=c99", *map(str, (tmp_path / "new" / "c").glob("*.c")), "-o",
               str(tmp_path / "test"), "-lm"]
    subprocess.run(command, check=True)
    assert subprocess.run([str(tmp_path / "test")], capture_output=True, text=True,
                          check=True).stdout == "loss_grad: ok\n"


def test_a_module_is_exported(run, tmp_path):
    argv = ("export", *LOSS, "-o", str(tmp_path), "--target", "py", "--name", "own")
    assert run(*argv) == (0, f"{tmp_path / 'own.py'}\n", "")
    assert (tmp_path / "own.py").read_text().startswith("import numpy as np\n")


def test_a_decorated_function_is_exported_as_it_is(run, file, tmp_path):
    assert run("export", f"{file}:pair", "-o", str(tmp_path))[0] == 0
    assert (tmp_path / "pair_grad.h").exists()


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["lambda x: x", "--arg", "x: float"], 2, "-o"),
        (["lambda x: x", "--arg", "x: float", "-o", "/proc/none"], 2, "-o /proc/none: "),
        (["lambda x: x", "--arg", "x: float", "-o", "d", "--name", "a;b"], 2, "--name 'a;b'"),
        (["lambda x: x", "--arg", "x: float", "-o", "d", "--name", "int"], 2, "--name 'int'"),
        (["lambda x: x", "--arg", "x: float", "-o", "d", "--target", "py", "--blas", "none"], 2,
         "--blas goes with --target c"),
        (["lambda x: np.real(np.sum(x * x))", "--arg", "x: c128[3]", "-o", "d"], 1,
         "complex128 has no C form"),
    ],
)
def test_what_cannot_be_exported(run, tmp_path, monkeypatch, argv, status, words):
    monkeypatch.chdir(tmp_path)
    found, out, err = run("export", *argv)
    assert (found, out) == (status, "")
    assert words in err
    assert not list(tmp_path.iterdir())


def test_an_export_of_very_large_arrays_has_no_test_program(run, tmp_path):
    argv = ("export", "lambda x: np.sum(x * x)", "--arg", "x: f64[600000]", "-o", str(tmp_path))
    status, out, err = run(*argv)
    assert (status, err) == (0, "no test program: it would hold too many numbers\n")
    assert "test_function_grad.c" not in out
    assert "add_test" not in (tmp_path / "CMakeLists.txt").read_text()
