"""The C compiler of this machine: found, called without a shell, and its results kept on disk."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from symdiff.errors import CompileError, word
from symdiff.runtime import cache

# No flag changes a value: errno and traps are what nobody looks at, integers wrap as NumPy's do.
FLAGS = (
    "-std=c99", "-O2", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-fwrapv",
    "-ffp-contract=off", "-fopenmp-simd",
)
_NATIVE = "-march=native"
_LIBRARIES = ("-lmvec", "-lm")
_SECONDS = 300  # no program of ours takes this long to compile


class Compiler(NamedTuple):
    """A command that compiles C, and what tells it from others."""

    command: tuple[str, ...]
    identity: str


def compiler() -> Compiler:
    """The compiler that CC names, or else the first of cc, gcc, clang and `ziglang` there is.

    Raises CompileError where there is none.
    """
    return _compiler(os.environ.get("CC"), os.environ.get("PATH"))


@lru_cache(maxsize=8)
def _compiler(named: str | None, path: str | None) -> Compiler:
    commands = [tuple(shlex.split(named))] if named else [("cc",), ("gcc",), ("clang",)]
    for command in commands:
        program = shutil.which(command[0]) if command else None
        if program is not None:
            return Compiler((program, *command[1:]), _identity(program))
    if not named and importlib.util.find_spec("ziglang") is not None:
        return Compiler((sys.executable, "-m", "ziglang", "cc"), _identity(sys.executable))
    what = f"CC names {named!r}, which is no program" if named else "there is no C compiler"
    raise CompileError(
        word(what, way_out="Install gcc or clang, `pip install ziglang`, or leave backend= out.")
    )


def _identity(program: str) -> str:
    """What changes when a compiler is replaced, found without starting it."""
    real = Path(program).resolve()
    status = real.stat()
    return f"{real} {status.st_size} {status.st_mtime_ns}"


@lru_cache(maxsize=1)
def machine() -> str:
    """What -march=native depends on."""
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    return f"{sys.platform} {platform.machine()} {flags}"


def built(source: str, kind: str, options: Sequence[str] = (), suffix: str = ".so") -> Path:
    """A library made of this source, from an earlier process where there is one.

    Raises CompileError where there is no compiler, or it does not take the source.
    """
    import hashlib  # where C is compiled only

    using = compiler()
    key = "\n".join([source, *using.command, using.identity, *FLAGS, *options, machine()])
    name = f"{kind}_{hashlib.sha256(key.encode()).hexdigest()[:32]}{suffix}"
    folder = cache.folder("native")
    if folder is None:
        folder = _own_folder()
    path = folder / name
    if not _is_sound(path):
        _compile(using, source, options, path)
    return path


@lru_cache(maxsize=1)
def _own_folder() -> Path:
    """A folder of this process, where no other one can be kept."""
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="symdiff_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _is_sound(path: Path) -> bool:
    """Whether the file is there as it was written: its checksum stands behind it."""
    try:
        content = cache.content(str(path))
    except OSError:
        return False
    return content is not None and len(content) > 4 and (
        zlib.crc32(content[:-4]).to_bytes(4, "little") == content[-4:]
    )


def _compile(using: Compiler, source: str, options: Sequence[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="symdiff_") as folder:
        text, made = Path(folder) / "program.c", Path(folder) / "program.so"
        text.write_text(source, encoding="ascii")
        failed = ""
        # what one compiler or library does not have is left out
        for native in (_NATIVE, ""):
            for libraries in (_LIBRARIES, _LIBRARIES[1:]):
                flags = [*FLAGS, *([native] if native else []), *options]
                command = [*using.command, *flags, str(text), "-o", str(made), *libraries]
                failed = _run(command)
                if not failed:
                    content = made.read_bytes()
                    cache.replace(path, content + zlib.crc32(content).to_bytes(4, "little"))
                    return
        raise CompileError(
            word(f"{using.command[0]} did not compile a program of ours", where=failed[:2000])
        )


def _run(command: Sequence[str]) -> str:
    """Run a compiler; what it says where it fails."""
    try:
        done = subprocess.run(  # a list of arguments, and no shell
            command, capture_output=True, text=True, check=False, timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if not done.returncode else done.stderr or f"it ended with {done.returncode}"


class Library(NamedTuple):
    """A loaded program: where its function is."""

    handle: ctypes.CDLL
    address: int


def load(source: str, routines: Sequence[str]) -> Library:
    """A program compiled and loaded, bound to the BLAS routines of these names."""
    options = () if not _needs_blas(source) else blas(tuple(routines)).options
    path = built(source, "program", options)
    try:
        handle = ctypes.CDLL(str(path))
    except OSError as error:
        raise CompileError(f"the compiled program cannot be loaded: {error}") from error
    if _needs_blas(source):
        handle.symdiff_bind(blas(tuple(routines)).table)
    address = ctypes.cast(handle.symdiff_run, ctypes.c_void_p).value
    assert address is not None
    return Library(handle, address)


def _needs_blas(source: str) -> bool:
    return "sd_routines = routines" in source


class Blas(NamedTuple):
    """Addresses of routines, and how wide their integers are."""

    table: ctypes.Array[ctypes.c_void_p]
    options: tuple[str, ...]


@lru_cache(maxsize=1)
def blas(names: tuple[str, ...]) -> Blas:
    """The BLAS that NumPy has loaded; else SciPy's. Raises CompileError without either."""
    own: Any = importlib.import_module("numpy._core._multiarray_umath")

    library = ctypes.CDLL(own.__file__)
    for pattern, wide in (("scipy_{}_64_", True), ("{}_64_", True), ("scipy_{}_", False),
                          ("{}_", False)):
        found = [getattr(library, pattern.format(name), None) for name in names]
        if None not in found:
            return _blas([ctypes.cast(each, ctypes.c_void_p).value for each in found if each], wide)
    return _blas(_scipy_routines(names), wide=False)


def _blas(addresses: Sequence[int | None], wide: bool) -> Blas:
    table = (ctypes.c_void_p * len(addresses))(*addresses)
    return Blas(table, () if wide else ("-DSD_INT=int32_t",))


def _scipy_routines(names: Sequence[str]) -> list[int]:
    try:
        from scipy.linalg import cython_blas
    except ImportError as error:
        raise CompileError("neither NumPy nor SciPy shows its BLAS") from error
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    capsules = [cython_blas.__pyx_capi__[each] for each in names]
    return [pointer(each, name(each)) for each in capsules]
