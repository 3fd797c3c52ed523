"""The C compiler of this machine: found, called without a shell, and its results kept on disk.

Where a library is there already, nothing is imported that only the compiler needs.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import importlib.util
import os
import re
import sys
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from symdiff.errors import CompileError, word
from symdiff.ops.scipy_pointers import pointers
from symdiff.runtime import cache

try:  # without OpenSSL, which takes as long to load as all the rest
    from _sha512 import sha512  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha512

if TYPE_CHECKING:
    import subprocess

# No flag changes a value: errno and traps are what nobody looks at, integers wrap as NumPy's do.
FLAGS = (
    "-std=c99", "-O2", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-fwrapv",
    "-ffp-contract=off", "-fopenmp-simd", "-fpeel-loops", "-DSD_SIMD",
)
_AT_ONCE = max((os.cpu_count() or 1) // 2, 1)  # compilers in the background
_SECONDS = 300  # no program of ours takes this long to compile


class Compiler(NamedTuple):
    """A command that compiles C, and what tells it from others."""

    command: tuple[str, ...]
    identity: str

    @property
    def attempts(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Options and libraries, of which those that this machine does not have are left out."""
        is_clang = "clang" in self.identity or "ziglang" in self.command
        vectors = ("-fveclib=libmvec",) if is_clang else ()  # gcc is told in the source
        return [
            ((*native, *options), libraries)
            for native in (("-march=native",), ())
            for options, libraries in ((vectors, ("-lmvec", "-lm")), ((), ("-lm",)))
        ]


def compiler() -> Compiler:
    """The compiler that CC names, or else the first of cc, gcc, clang and `ziglang` there is.

    Raises CompileError where there is none.
    """
    return _compiler(os.environ.get("CC"), os.environ.get("PATH"))


@lru_cache(maxsize=8)
def _compiler(named: str | None, path: str | None) -> Compiler:
    commands = [_words("CC", named)] if named else [("cc",), ("gcc",), ("clang",)]
    for command in commands:
        program = _found(command[0], path or os.defpath) if command else None
        if program is not None:
            return Compiler((program, *command[1:]), _identity(program))
    found = None if named else importlib.util.find_spec("ziglang")
    if found is not None and found.origin is not None:
        return Compiler((sys.executable, "-m", "ziglang", "cc"), _identity(found.origin))
    what = f"CC names {named!r}, which is no program" if named else "there is no C compiler"
    raise CompileError(
        word(what, way_out="Install gcc or clang, `pip install ziglang`, or leave backend= out.")
    )


def _found(program: str, path: str) -> str | None:
    """Where a program is that a shell would find on this path."""
    folders = [""] if os.path.dirname(program) else path.split(os.pathsep)
    places = [os.path.join(each, program) for each in folders]
    return next((p for p in places if os.path.isfile(p) and os.access(p, os.X_OK)), None)


def _words(name: str, text: str) -> tuple[str, ...]:
    """A command line in an environment variable, as a shell takes it apart."""
    if not text:
        return ()
    import shlex  # where there is one

    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise CompileError(word(f"{name}: {text!r} has no end", where=str(error))) from None


def _identity(program: str) -> str:
    """What changes when a compiler is replaced, found without starting it."""
    real = os.path.realpath(program)
    status = os.stat(real)
    return f"{real} {status.st_size} {status.st_mtime_ns}"


@lru_cache(maxsize=1)
def machine() -> str:
    """What -march=native depends on."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        import platform

        flags = platform.processor()
    return f"{sys.platform} {os.uname().machine} {flags}"


class Build:
    """A library on its way: made by an earlier process, or by a compiler that runs by itself.

    `done` looks, `wait` waits; both raise CompileError where the source is not compiled.
    """

    def __init__(self, source: str, kind: str, options: Sequence[str] = ()) -> None:
        """Raises CompileError where there is no compiler."""
        self._using = compiler()
        self._flags = (*FLAGS, *_words("CFLAGS", os.environ.get("CFLAGS", "")), *options)
        key = [source, *self._using.command, self._using.identity, *self._flags, machine()]
        digest = sha512("\n".join(key).encode()).hexdigest()[:32]
        self._name = f"{kind}_{digest}.so"
        self._source = source
        self._attempt = 0
        self._failed = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self.path = next(filter(_is_sound, _places(self._name)), None)

    def done(self) -> bool:
        """Whether the library is there. The compiler starts when few others run."""
        if self.path is None and self._process is None and _has_room():
            self._start()
        if self._process is not None and self._process.poll() is not None:
            self._finish()
        return self.path is not None

    def wait(self) -> str:
        """Where the library is, as soon as it is there."""
        while self.path is None:
            if self._process is None:
                self._start()
            else:
                self._await(self._process)
        return self.path

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        """Return when the compiler has ended."""
        import subprocess

        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._failed = f"it took more than {_SECONDS} seconds"
            self.stop()
        else:
            self._finish()

    def stop(self) -> None:
        """End the compiler, and remove what it has written."""
        if self._process is not None and self._process.poll() is None:
            import signal

            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._folder:
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)
        self.forget()

    def forget(self) -> None:
        """As if no compiler had been started, as it is in a child of this process."""
        if self._process is not None:
            self._process.returncode = self._process.returncode or 0  # nobody has to wait for it
        self._process, self._folder = None, ""
        _running.discard(self)

    def _start(self) -> None:
        if self._failed:
            what = f"{self._using.command[0]} did not compile a program of ours"
            raise CompileError(word(what, where=self._failed[:2000]))
        import subprocess
        import tempfile

        self._folder = tempfile.mkdtemp(prefix="symdiff_")
        _running.add(self)
        text, made, said = self._files()
        own, libraries = self._using.attempts[self._attempt]
        command = [*self._using.command, *own, *self._flags, text, "-o", made, *libraries]
        try:
            with open(text, "x", encoding="ascii") as file:
                file.write(self._source)
            with open(said, "wb") as output:
                self._process = subprocess.Popen(  # a list of arguments, and no shell
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True,  # an interruption is for the user's program
                )
        except OSError as error:
            self.stop()
            self._failed = str(error)

    def _finish(self) -> None:
        """Keep what the compiler has made, or try again without what it may not have."""
        assert self._process is not None
        _, made, said = self._files()
        try:
            if not self._process.returncode:
                with open(made, "rb") as library:
                    self.path = _kept(self._name, library.read())
                return
            self._attempt += 1
            if self._attempt == len(self._using.attempts):
                with open(said, errors="replace") as output:
                    text = output.read()
                self._failed = text or f"it ended with {self._process.returncode}"
        except OSError as error:
            self._failed = str(error)
        finally:
            self.stop()

    def _files(self) -> tuple[str, str, str]:
        """The source, the library, and what the compiler says."""
        source, library, said = (
            os.path.join(self._folder, name) for name in ("program.c", "program.so", "said")
        )
        return source, library, said


_running: set[Build] = set()


def _has_room() -> bool:
    """Whether less than half of the processors are compiling."""
    if len(_running) >= _AT_ONCE:
        for each in list(_running):  # one that nobody asks for any more may have ended
            with contextlib.suppress(CompileError):
                each.done()
    return len(_running) < _AT_ONCE


@atexit.register
def _stop_all() -> None:
    for each in list(_running):
        each.stop()


def _forget_all() -> None:
    for each in list(_running):
        each.forget()
    _own_folder.cache_clear()


if hasattr(os, "register_at_fork"):  # a child does not wait for the compilers of its parent
    os.register_at_fork(after_in_child=_forget_all)


def _places(name: str) -> list[str]:
    """Where a library may be kept, the best place first."""
    folder = cache.folder("native")
    own = [str(_own_folder())] if folder is None or _own_folder.cache_info().currsize else []
    return [os.path.join(each, name) for each in ([folder] if folder else []) + own]


@lru_cache(maxsize=1)
def _own_folder() -> str:
    """A folder of this process, where no other one can be kept."""
    import shutil
    import tempfile

    folder, owner = tempfile.mkdtemp(prefix="symdiff_"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # and not a child of it
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _kept(name: str, content: bytes) -> str:
    """The library, written where later processes find it if that is possible."""
    content += _checksum(name, content)
    for path in _places(name):
        try:
            cache.replace(path, content)
        except OSError:  # the folder is for reading, or full
            continue
        return path
    path = os.path.join(_own_folder(), name)
    cache.replace(path, content)
    return path


def _checksum(name: str, content: bytes) -> bytes:
    """What stands behind a library: under another name it is another program."""
    return zlib.crc32(content, zlib.crc32(name.encode())).to_bytes(4, "little")


def _is_sound(path: str) -> bool:
    """Whether the file is there as it was written, and ours."""
    try:
        found = cache.content(path, ours=True)
    except OSError:
        return False
    if found is None or _checksum(os.path.basename(path), found[:-4]) != found[-4:]:
        return False
    cache.touch(path)
    return True


class Library(NamedTuple):
    """Loaded programs."""

    handle: ctypes.CDLL

    def address(self, name: str) -> int:
        """Where the function of a program is."""
        found = ctypes.cast(getattr(self.handle, name), ctypes.c_void_p).value
        assert found is not None
        return found


def build(source: str, routines: Sequence[str]) -> Build:
    """The library of a program that is bound to the BLAS routines of these names."""
    options = () if not _needs_blas(source) else blas(tuple(routines)).options
    return Build(source, "program", options)


def load(source: str, routines: Sequence[str]) -> Library:
    """Programs compiled and loaded, bound to the BLAS routines of these names."""
    path = build(source, routines).wait()
    try:
        handle = ctypes.CDLL(path)
    except OSError as error:
        raise CompileError(f"the compiled program cannot be loaded: {error}") from error
    if _needs_blas(source):
        handle.symdiff_bind(blas(tuple(routines)).table)
    special = _SPECIAL.search(source)
    if special:
        handle.symdiff_bind_special(_special(special[1]))
    return Library(handle)


_SPECIAL = re.compile(r"^/\* scipy\.special: ([\w ]+) \*/$", re.MULTILINE)


@lru_cache(maxsize=4096)
def _special(names: str) -> ctypes.Array[ctypes.c_void_p]:
    """The addresses of functions of scipy.special, which stay as long as programs may call them."""
    found = [_address(pointers()[each].capsule) for each in names.split()]
    return (ctypes.c_void_p * len(found))(*found)


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
    return [_address(cython_blas.__pyx_capi__[each]) for each in names]


def _address(capsule: Any) -> int:
    """What a capsule holds."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return int(pointer(capsule, name(capsule)))
