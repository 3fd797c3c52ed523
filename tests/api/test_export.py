"""Exported C is compiled with every warning, linked into its test program, and run."""

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symdiff
from symdiff.api.export import export_c, export_python
from symdiff.errors import CompileError, TraceError

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wvla", "-Wundef", "-pedantic",
          "-std=c99", "-Werror")
# What `--blas none` takes of the library but mathematics: what compilers call by themselves.
ALLOWED = {"memcpy", "memset", "__stack_chk_fail", "sincos", "sincosf"}
CBLAS = """\
#include <stddef.h>
#define GEMM(name, T) \\
void name(int order, int ta, int tb, int m, int n, int k, T alpha, const T *a, int lda, \\
    const T *b, int ldb, T beta, T *c, int ldc); \\
void name(int order, int ta, int tb, int m, int n, int k, T alpha, const T *a, int lda, \\
    const T *b, int ldb, T beta, T *c, int ldc) \\
{ for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) { T s = 0; for (int l = 0; l < k; l++) \\
    s += (ta == 111 ? a[i * lda + l] : a[l * lda + i]) * (tb == 111 ? b[l * ldb + j] \\
        : b[j * ldb + l]); c[i * ldc + j] = order == 101 && beta == 0 ? alpha * s : 777; } }
#define GEMV(name, T) \\
void name(int order, int ta, int m, int n, T alpha, const T *a, int lda, const T *x, int by, \\
    T beta, T *y, int step); \\
void name(int order, int ta, int m, int n, T alpha, const T *a, int lda, const T *x, int by, \\
    T beta, T *y, int step) \\
{ for (int i = 0; i < (ta == 111 ? m : n); i++) { T s = 0; \\
    for (int l = 0; l < (ta == 111 ? n : m); l++) \\
        s += (ta == 111 ? a[i * lda + l] : a[l * lda + i]) * x[l * by]; \\
    y[i * step] = order == 101 && beta == 0 ? alpha * s : 777; } }
GEMM(cblas_dgemm, double) GEMM(cblas_sgemm, float) GEMV(cblas_dgemv, double)
GEMV(cblas_sgemv, float)
"""


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def regression(w, b, x, y):
    return np.mean(np.log1p(np.exp(-y * (x @ w + b)))) + 0.1 * np.sum(w * w)


def network(params, x, labels):
    h = np.tanh(x @ params["W1"] + params["b1"])
    z = h @ params["W2"] + params["b2"]
    z = z - np.max(z, axis=1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(labels)), labels])


def product(x, y, z):
    return (x + y) * z


def sigmoid(w0, x0, w1, x1, w2):
    return 1 / (1 + math.exp(-(w0 * x0 + w1 * x1 + w2)))


def newton(x, y):
    return np.log(x**2 + 1) * np.sin(y) + np.maximum(x, y) + x // 0.3 + np.logaddexp(x, y)


def heat(u, a):
    for _ in range(50):
        u = u + a * (np.roll(u, 1) + np.roll(u, -1) - 2 * u)
    return np.sum(u**4)


def halved(x, n):
    while x > 0.1:
        x = x * 0.5
    return x * n


def root(a):
    x = a
    while np.sum(np.abs(x * x - a)) > 1e-12:
        x = 0.5 * (x + a / x)
    return np.sum(x)


def roots(a):
    total, k = 0.0, 0
    while k < 300:
        total, k = total + root(a + k), k + 1
    return total


RNG = np.random.default_rng(0)
PARAMS = {"W1": RNG.normal(size=(20, 12)), "b1": RNG.normal(size=12),
          "W2": RNG.normal(size=(12, 10)), "b2": RNG.normal(size=10)}
SINGLE = {name: each.astype(np.float32) for name, each in PARAMS.items()}
CASES = {
    "product": (symdiff.value_and_grad(product, (0, 1, 2)), (-2.0, 5.0, -4.0)),
    "sigmoid": (symdiff.grad(sigmoid, (0, 1, 2, 3, 4)), (2.0, -1.0, -3.0, -2.0, -3.0)),
    "newton": (symdiff.value_and_grad(newton, (0, 1)), (0.7, 1.1)),
    "rosenbrock": (symdiff.value_and_grad(rosenbrock), (RNG.normal(size=33),)),
    "regression": (symdiff.value_and_grad(regression, (0, 1)), (
        RNG.normal(size=20), 0.5, RNG.normal(size=(50, 20)), RNG.choice([-1.0, 1.0], 50))),
    "network": (symdiff.value_and_grad(network),
                (PARAMS, RNG.normal(size=(32, 20)), RNG.integers(0, 10, 32))),
    "single": (symdiff.value_and_grad(network),
               (SINGLE, RNG.normal(size=(32, 20)).astype(np.float32), RNG.integers(0, 10, 32))),
    "loop": (symdiff.value_and_grad(heat, (0, 1)), (RNG.normal(size=40), 0.2)),
    "while": (symdiff.value_and_grad(halved, (0, 1)), (7.0, 3.0)),
    "list": (symdiff.value_and_grad(root), (np.array([2.0, 3.0, 7.0]),)),
    "lists": (symdiff.value_and_grad(roots), (np.array([2.0, 3.0, 7.0]),)),
    "rows": (symdiff.jit(lambda x: np.sum(np.broadcast_to(x[:, None], (3, 40)), axis=1)),
             (RNG.normal(size=3),)),
    "types": (symdiff.jit(lambda x, k, on, flag: (np.where(on, x, -x), k // 3, x > 0, not flag)
                          if flag is None else (np.where(on, x, -x), k // 3, x > 0, x[k])),
              (RNG.normal(size=5), np.array([1, -2]), np.array([True, False, True, True, False]),
               True)),
    "empty": (symdiff.jit(lambda x: (np.sum(x), x * 2, np.zeros((2, 0)) @ x)), (np.zeros((0, 3)),)),
    "layouts": (symdiff.jit(lambda x: (x.T @ x, x[::2] @ x.T, x.reshape(-1)[::3], x @ x[3])),
                (RNG.normal(size=(30, 40)),)),
}


def compiled(folder, *flags, strict=STRICT):
    """The test program, built from all C files of the folder."""
    program = folder / "program"
    sources = sorted(folder.glob("*.c"))
    command = ["gcc", *strict, "-O2", *flags, *map(str, sources), "-o", str(program), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def output_of(program):
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("case", CASES)
def test_exports_run_by_themselves(tmp_path, case):
    function, args = CASES[case]
    files = export_c(function, args, tmp_path, blas="none", name=f"f_{case}")
    assert [each.name for each in files] == [
        f"f_{case}.c", f"f_{case}.h", f"test_f_{case}.c", "CMakeLists.txt"]
    for flags in ((), ("-DSD_SIMD", "-fopenmp-simd", "-fno-math-errno", "-march=native"),
                  ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")):
        assert output_of(compiled(tmp_path, *flags)) == (0, f"f_{case}: ok\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("case", ["network", "single", "layouts"])
def test_products_by_cblas(tmp_path, case):
    function, args = CASES[case]
    export_c(function, args, tmp_path, name="f")
    assert "cblas_" in (tmp_path / "f.c").read_text()
    assert "find_package(BLAS" in (tmp_path / "CMakeLists.txt").read_text()
    (tmp_path / "cblas.c").write_text(CBLAS)
    assert output_of(compiled(tmp_path)) == (0, "f: ok\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_test_program_finds_what_is_wrong(tmp_path):
    export_c(*CASES["rosenbrock"], tmp_path, name="f")
    path = tmp_path / "f.c"
    path.write_text(path.read_text().replace("100.0 *", "101.0 *"))
    status, said = output_of(compiled(tmp_path))
    assert status == 1
    assert re.match(r"value\[0\] is [\d.]+, expected [\d.]+\n", said)
    assert said.endswith("f: WRONG\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_an_index_out_of_bounds_is_a_status(tmp_path):
    args = np.ones(3), np.array([0, 2])
    export_c(symdiff.jit(lambda x, k: x[k] * 2), args, tmp_path, name="f")
    path = tmp_path / "test_f.c"
    path.write_text(path.read_text().replace("0, 2,", "0, 3,"))
    assert output_of(compiled(tmp_path)) == (1, "it ended with status 1\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_decision_that_falls_out_otherwise_is_a_status(tmp_path):
    def first_few(x):
        return np.sum(x[: int(np.floor(x[0]))])

    export_c(symdiff.jit(first_few), (np.full(4, 2.5),), tmp_path, name="f")
    assert "Returns 2 where the arguments decide otherwise" in (tmp_path / "f.h").read_text()
    assert output_of(compiled(tmp_path)) == (0, "f: ok\n")
    path = tmp_path / "test_f.c"
    path.write_text(path.read_text().replace("2.5", "3.5"))
    assert output_of(compiled(tmp_path)) == (1, "it ended with status 2\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_two_exports_are_linked_together(tmp_path):
    for name in ("rosenbrock", "regression"):
        export_c(*CASES[name], tmp_path, name=name, blas="none")
    (tmp_path / "test_rosenbrock.c").unlink()
    assert output_of(compiled(tmp_path)) == (0, "regression: ok\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("case", CASES)
def test_only_mathematics_is_taken_from_the_library(tmp_path, case):
    export_c(*CASES[case], tmp_path, blas="none", name="f")
    built = tmp_path / "f.o"
    subprocess.run(["gcc", "-O2", "-c", str(tmp_path / "f.c"), "-o", str(built)], check=True)
    listed = subprocess.run(["nm", "-u", str(built)], capture_output=True, text=True, check=True)
    used = {line.split()[-1] for line in listed.stdout.splitlines()}
    declared = Path("/usr/include/x86_64-linux-gnu/bits/mathcalls.h")
    names = set(re.findall(r"\(\s*_*(\w+),", declared.read_text())) if declared.exists() else used
    assert {each.removesuffix("f") for each in used - ALLOWED} <= names | {"er"}
    made = subprocess.run(["nm", "-g", "--defined-only", str(built)], capture_output=True,
                          text=True, check=True)
    assert {line.split()[-1] for line in made.stdout.splitlines()} == {"f", "f_workspace"}


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_header_is_c_plus_plus_too(tmp_path):
    export_c(*CASES["types"], tmp_path, name="f")
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only",
               "-x", "c++", str(tmp_path / "f.h")]
    subprocess.run(command, check=True)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
def test_the_project_builds_and_tests_itself(tmp_path):
    export_c(*CASES["network"], tmp_path, name="f", blas="none")
    build = tmp_path / "build"
    for command in (["cmake", "-S", str(tmp_path), "-B", str(build)],
                    ["cmake", "--build", str(build)], ["ctest", "--test-dir", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "100% tests passed" in done.stdout


def test_the_header_says_what_each_argument_is(tmp_path):
    export_c(*CASES["network"], tmp_path, name="f")
    header = (tmp_path / "f.h").read_text()
    assert "  params_W1: double [20][12] (params[\"W1\"])\n" in header
    assert "  labels: int64_t [32]\n" in header
    assert "const double *params_W1" in header


def test_captured_arrays_are_arguments(tmp_path):
    data = np.arange(3.0)
    export_c(symdiff.grad(lambda x: np.sum(x * data)), (np.ones(3),), tmp_path, name="f")
    assert "int f(const double *x, const double *data, double *" in (tmp_path / "f.h").read_text()


def test_what_has_no_c_form_is_refused_at_its_line(tmp_path):
    with pytest.raises(CompileError, match=r"(?s) has no C form.*test_export.py"):
        export_c(symdiff.jit(lambda x: np.linalg.eigvals(x)), (np.eye(3),), tmp_path)
    assert not list(tmp_path.iterdir())


def test_results_that_only_python_has_are_refused(tmp_path):
    function = symdiff.jit(lambda x: x * 2)
    entry = function.entry((1.0,))
    entry.layout = entry.layout._replace(finish=list)
    with pytest.raises(TraceError, match="an object that only Python has"):
        export_c(function, (1.0,), tmp_path)


def test_as_a_module(tmp_path):
    function, args = CASES["rosenbrock"]
    (path,) = export_python(function, args, tmp_path / "new")
    assert path.name == "rosenbrock_value_and_grad.py"
    script = f"import sys; sys.path.insert(0, {str(path.parent)!r})\n" + (
        "import numpy as np, rosenbrock_value_and_grad as m\n"
        "value, gradient = m.rosenbrock_value_and_grad(np.ones(33))\n"
        "assert value == 0 and not np.any(gradient) and 'symdiff' not in sys.modules\n")
    subprocess.run([sys.executable, "-c", script], check=True)


def test_as_a_module_with_captured_arrays(tmp_path):
    data = np.arange(3.0)
    files = export_python(symdiff.grad(lambda x: np.sum(x * data)), (np.ones(3),), tmp_path, "g")
    assert [each.name for each in files] == ["g.py", "g.npz"]
