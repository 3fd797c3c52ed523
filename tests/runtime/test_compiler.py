"""The compiler: found, run once for each source, its results kept and verified."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from symdiff.codegen.c_source import ROUTINES
from symdiff.errors import CompileError
from symdiff.runtime import compiler

SOURCE = "int symdiff_run(void) { return 42; }\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_source_is_compiled_once(monkeypatch):
    path = compiler.built(SOURCE, "program")
    assert ctypes.CDLL(str(path)).symdiff_run() == 42
    monkeypatch.setattr(compiler, "_run", lambda command: pytest.fail("compiled again"))
    assert compiler.built(SOURCE, "program") == path


def test_other_flags_are_another_library():
    assert compiler.built(SOURCE, "program") != compiler.built(SOURCE, "program", ("-DA=1",))


def test_a_damaged_library_is_compiled_again():
    path = compiler.built(SOURCE, "program")
    content = path.read_bytes()
    path.unlink()  # the old one may be loaded
    path.write_bytes(content[: len(content) // 2])
    assert ctypes.CDLL(str(compiler.built(SOURCE, "program"))).symdiff_run() == 42
    assert path.read_bytes() == content


def test_a_source_that_does_not_compile_is_an_error():
    with pytest.raises(CompileError, match="did not compile"):
        compiler.built("int symdiff_run(void) { return missing; }\n", "program")


def test_without_a_compiler_there_is_a_way_out(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CompileError, match=r"there is no C compiler\n.*Install gcc or clang"):
        compiler.compiler()


def test_cc_names_the_compiler(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(CompileError, match="CC names 'no-such-compiler -m64'"):
        compiler.compiler()
    monkeypatch.setenv("CC", "gcc -m64; touch /tmp/injected")
    assert compiler.compiler().command[1:] == ("-m64;", "touch", "/tmp/injected")


def test_blas_is_that_of_numpy():
    table = compiler.blas(ROUTINES).table
    assert len(table) == 4
    assert all(table)


def test_blas_of_scipy_where_numpy_shows_none():
    addresses = compiler._scipy_routines(ROUTINES)
    gemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(addresses[0])
    a, b, c = np.arange(4.0), np.eye(2).ravel(), np.zeros(4)
    two, one, zero = ctypes.c_int(2), ctypes.c_double(1), ctypes.c_double(0)
    n = ctypes.c_char(b"N")
    at = ctypes.byref
    data = [each.ctypes.data for each in (a, b, c)]
    gemm(at(n), at(n), at(two), at(two), at(two), at(one), data[0], at(two), data[1], at(two),
         at(zero), data[2], at(two))
    np.testing.assert_array_equal(c, a)


def test_importing_symdiff_imports_none_of_this():
    script = (
        "import sys, symdiff, numpy as np\n"
        "symdiff.grad(lambda x: x * x)(2.0)\n"
        "names = ('native', 'compiler', 'binding', 'c_source', 'c_kernel', 'lower', 'values')\n"
        "print([each for each in sys.modules if each.startswith('symdiff.')\n"
        "       and each.rpartition('.')[2] in names])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
