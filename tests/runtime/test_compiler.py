"""The compiler: found, run once for each source, its results kept and verified."""

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import symdiff
from symdiff.codegen.c_source import ROUTINES
from symdiff.errors import CompileError
from symdiff.runtime import compiler

SOURCE = "int symdiff_run(void) { return 42; }\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))
    return tmp_path


def built(source, *options):
    return Path(compiler.Build(source, "program", options).wait())


def test_a_source_is_compiled_once(monkeypatch):
    path = built(SOURCE)
    assert ctypes.CDLL(str(path)).symdiff_run() == 42
    monkeypatch.setattr(compiler.Build, "_start", lambda self: pytest.fail("compiled again"))
    assert built(SOURCE) == path


def test_other_flags_are_another_library():
    assert built(SOURCE) != built(SOURCE, "-DA=1")


def test_a_damaged_library_is_compiled_again():
    path = built(SOURCE)
    content = path.read_bytes()
    path.unlink()  # the old one may be loaded
    path.write_bytes(content[: len(content) // 2])
    assert ctypes.CDLL(str(built(SOURCE))).symdiff_run() == 42
    assert compiler._is_sound(str(path))


def test_a_source_that_does_not_compile_is_an_error():
    with pytest.raises(CompileError, match="did not compile"):
        built("int symdiff_run(void) { return missing; }\n")


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


def test_what_no_shell_would_take_is_an_error(monkeypatch):
    monkeypatch.setenv("CC", "gcc '")
    with pytest.raises(CompileError, match=r"CC: \"gcc '\" has no end\n.*quotation"):
        compiler.compiler()
    monkeypatch.delenv("CC")
    monkeypatch.setenv("CFLAGS", '-DA="1')
    with pytest.raises(CompileError, match=r"(?s)CFLAGS: .*quotation"):
        built(SOURCE)


def test_cflags_are_given_to_the_compiler(monkeypatch):
    source = "int symdiff_run(void) { return ANSWER; }\n"
    monkeypatch.setenv("CFLAGS", "-DANSWER=43")
    assert ctypes.CDLL(str(built(source))).symdiff_run() == 43
    monkeypatch.setenv("CFLAGS", "'-DANSWER=40 + 4' -O1")
    assert ctypes.CDLL(str(built(source))).symdiff_run() == 44
    monkeypatch.setenv("CFLAGS", "--no-such-flag")
    with pytest.raises(CompileError, match=r"(?s)did not compile.*no-such-flag"):
        built(source)


def test_ziglang_is_the_last_one_to_be_found(tmp_path, monkeypatch):
    """Of the interface only: what is installed is another program."""
    (tmp_path / "ziglang").mkdir()
    (tmp_path / "ziglang" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere at all")
    found = compiler.compiler()
    assert found.command == (sys.executable, "-m", "ziglang", "cc")
    assert str(tmp_path) in found.identity


COMPILERS = [[name] for name in ("cc", "gcc", "clang") if shutil.which(name)]
if find_spec("ziglang"):
    COMPILERS.append([sys.executable, "-m", "ziglang", "cc"])


@pytest.mark.parametrize("command", COMPILERS, ids=" ".join)
def test_each_compiler_makes_the_same_program(command, monkeypatch):
    monkeypatch.setenv("CC", shlex.join(command))
    f = symdiff.value_and_grad(lambda x: np.sum(np.sin(x) * np.exp(-x) + x @ x), backend="c")
    x = np.linspace(-1, 1, 37)
    value, gradient = f(x)
    expected = symdiff.value_and_grad(f.__wrapped__)(x)
    assert value == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)


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


def test_what_is_there_already_is_loaded_with_few_modules():
    script = (
        "import sys, symdiff\n"
        "symdiff.grad(lambda x: x * x, backend='c')(2.0)\n"
        "names = ('subprocess', 'tempfile', 'shutil', 'pathlib', 'hashlib', 'scipy')\n"
        "print([each for each in names if each in sys.modules])"
    )
    for _ in range(2):  # the second time it is there
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                             check=True)
    assert run.stdout.strip() == "[]"


# ---------------------------------------------------------------------------- what is kept


def rejected(path, monkeypatch):
    """Whether a library on disk is not loaded, but made again."""
    class Compiles(Exception):  # noqa: N818
        pass

    def start(self):
        raise Compiles

    with monkeypatch.context() as patch:
        patch.setattr(compiler.Build, "_start", start)
        try:
            assert built(SOURCE) == path
        except Compiles:
            return True
    return False


def test_every_damage_is_seen(monkeypatch):
    path = built(SOURCE)
    content = path.read_bytes()
    assert not rejected(path, monkeypatch)
    for place in (0, 1, len(content) // 2, len(content) - 5, len(content) - 4, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert rejected(path, monkeypatch)
        path.write_bytes(content[:place])
        assert rejected(path, monkeypatch)
    path.write_bytes(content)
    assert not rejected(path, monkeypatch)


def test_a_library_under_another_name_is_not_loaded(monkeypatch):
    path = built(SOURCE)
    other = built("int symdiff_run(void) { return 7; }\n")
    path.unlink()
    other.rename(path)
    assert rejected(path, monkeypatch)


def test_a_link_is_not_loaded(tmp_path, monkeypatch):
    path = built(SOURCE)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert rejected(path, monkeypatch)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_a_library_of_somebody_else_is_not_loaded(monkeypatch):
    path = built(SOURCE)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert rejected(path, monkeypatch)


def test_use_is_noted():
    path = built(SOURCE)
    os.utime(path, (1, 1))
    built(SOURCE)
    assert path.stat().st_mtime > 1


def test_a_folder_that_cannot_be_written_does_no_harm(monkeypatch):
    replace = compiler.cache.replace

    def refused(path, content):
        if "native" in path:
            raise PermissionError(path)
        replace(path, content)

    monkeypatch.setattr(compiler.cache, "replace", refused)
    source = SOURCE.replace("42", "43")
    path = built(source)
    assert ctypes.CDLL(str(path)).symdiff_run() == 43
    assert built(source) == path  # once for this process


def test_without_a_folder_libraries_are_those_of_the_process(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path / "file" / "in it"))
    source = SOURCE.replace("42", "44")
    assert ctypes.CDLL(str(built(source))).symdiff_run() == 44


def test_processes_that_compile_the_same_at_once(tmp_path):
    script = (
        "import ctypes\n"
        "from symdiff.runtime import compiler\n"
        "for i in range(3):\n"
        "    source = 'int symdiff_run(void) { return %d; }' % i\n"
        "    assert ctypes.CDLL(str(compiler.Build(source, 'program').wait())).symdiff_run() == i\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [each.wait() for each in runs] == [0] * 4
    assert len(list((tmp_path / "native").iterdir())) == 3


# ---------------------------------------------------------------------------- in the background


def test_a_build_goes_on_by_itself():
    build = compiler.Build(SOURCE, "program")
    assert not build.done()
    deadline = time.monotonic() + 60
    while not build.done() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ctypes.CDLL(build.path).symdiff_run() == 42
    assert not compiler._running


def test_few_compilers_run_at_once(monkeypatch):
    monkeypatch.setattr(compiler, "_AT_ONCE", 1)
    builds = [compiler.Build(SOURCE.replace("42", str(i)), "program") for i in range(3)]
    assert [each.done() for each in builds] == [False] * 3
    assert len(compiler._running) == 1
    for each in builds:
        each.wait()
    assert not compiler._running


def test_what_nobody_asks_for_makes_place(monkeypatch):
    monkeypatch.setattr(compiler, "_AT_ONCE", 1)
    left = compiler.Build(SOURCE, "program")
    left.done()
    left._process.wait()
    assert compiler._has_room()


def test_a_stopped_build_leaves_nothing():
    build = compiler.Build(SOURCE, "program")
    build.done()
    process, folder = build._process, build._folder
    build.stop()
    assert process.returncode == -9
    assert not os.path.exists(folder)  # noqa: PTH110
    assert not compiler._running


def test_a_program_that_ends_ends_its_compilers(tmp_path):
    script = (
        "from symdiff.runtime import compiler\n"
        "build = compiler.Build('int symdiff_run(void) { return 1; }', 'program')\n"
        "build.done()\n"
        "print(build._folder, build._process.pid)\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True,
                         text=True, check=True)
    folder, pid = run.stdout.split()
    assert not os.path.exists(folder)  # noqa: PTH110
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert not run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_leaves_the_compilers_of_its_parent_alone(tmp_path):
    script = (
        "import ctypes, os, sys\n"
        "from symdiff.runtime import compiler\n"
        "build = compiler.Build('int symdiff_run(void) { return 5; }', 'program')\n"
        "build.done()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    assert build._process is None\n"
        "    path = build.wait()\n"  # by a compiler of its own
        "    sys.exit(ctypes.CDLL(str(path)).symdiff_run())\n"
        "_, status = os.waitpid(child, 0)\n"
        "assert os.path.exists(build._folder)\n"
        "assert ctypes.CDLL(str(build.wait())).symdiff_run() == 5\n"
        "print(os.waitstatus_to_exitcode(status))\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True,
                         text=True, check=False)
    assert (run.stdout, run.stderr) == ("5\n", "")
