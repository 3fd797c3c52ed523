"""Load emitted Python source so that tracebacks, debuggers and profilers can read it."""

from __future__ import annotations

import importlib
import io
import linecache
import os
import re
import stat
import sys
import threading
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from symdiff.errors import CompileError, TraceError, word
from symdiff.ir.types import is_generator


class GuardError(ValueError):
    """What `raise ValueError` raises in emitted source that was loaded: a guard did not hold.

    So it is told apart from the ValueErrors of the functions that the source calls.
    """


KEPT_FILES = 2000
SELDOM = 16  # one new file in so many looks whether there are too many
_MATH = re.compile(r"\bmath\.")
_COMMENT = re.compile("# from: .*")
_SCIPY = re.compile(r"\b(scipy(?:\.\w+)+)\.\w+\(")


class Definition:
    """A function that the source of others defines before them, under a name that they choose."""

    def __init__(self, source: str, name: str, function: Callable[..., Any]) -> None:
        self._source = source
        self.name = name
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def source(self, name: str) -> str:
        """The definition under another name."""
        return self._source.replace(f"def {self.name}(", f"def {name}(", 1)


def load(source: str, name: str, constants: Mapping[str, Any]) -> Callable[..., Any]:
    """The function `name` of a module with this source; `constants` are bound in the module.

    Raises CompileError if the source does not compile.
    """
    filename = _file_for(source, name)
    try:
        code = compile(source, filename, "exec")
    except (SyntaxError, ValueError, RecursionError) as error:
        raise CompileError(f"the source emitted for {name} does not compile: {error}") from error
    namespace: dict[str, Any] = {
        "__name__": f"symdiff_generated.{name}",
        "__file__": filename,
        "ValueError": GuardError,
    }
    namespace.update(constants)
    exec(code, namespace)  # our own text: names in it were checked by schedule.names
    function = namespace[name]
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    weakref.finalize(function, linecache.cache.pop, filename, None)
    assert callable(function)
    return function  # type: ignore[no-any-return]


def save(
    path: str | os.PathLike[str],
    source: str,
    parameters: Sequence[str],
    constants: Mapping[str, Any],
    hidden: Sequence[Any],
) -> None:
    """Write the source as a module of its own, and the arrays it needs into an .npz beside it.

    The last `parameters` are for the `hidden` arrays: keyword arguments that have them as defaults.
    Random generators among them have none.

    Functions that it calls besides NumPy's are imported from where they are defined.

    Raises ValueError if the path is not that of a Python file, and TraceError if a function cannot
    be imported.
    """
    path = Path(path)
    if path.suffix != ".py":
        raise ValueError(f"{path} should end in .py: what is saved is a Python module")
    count = len(parameters) - len(hidden)
    own = dict(zip(parameters[count:], hidden, strict=True))
    kept = {name: value for name, value in own.items() if not is_generator(value)}
    defaults = [f"{name}={name}" if name in kept else name for name in own]
    objects = {key: each for key, each in constants.items() if not _is_array(each)}
    arrays = {key: each for key, each in constants.items() if key not in objects}
    arrays |= kept
    if objects:
        used = "\n".join([_import_line(name, value) for name, value in objects.items()])
        source = source.replace("\n\n\n", f"\n{used}\n\n\n", 1)
    if defaults:
        header = ", ".join([*parameters[:count], "*", *defaults])
        before, start, last = source.rpartition("\ndef ")
        source = before + start + last.replace(f"({', '.join(parameters)}):", f"({header}):", 1)
    if arrays:
        imports, functions = source.split("\n\n\n", 1)
        lines = [f"    {name} = _arrays[{name!r}]" for name in arrays]
        loading = 'with np.load(pathlib.Path(__file__).with_suffix(".npz")) as _arrays:'
        source = "\n".join(["import pathlib", "", imports, "", loading, *lines, "", "", functions])
        _replace(path.with_suffix(".npz"), _archive(arrays))
    _replace(path, source.encode())


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


def _import_line(name: str, value: Any) -> str:
    """The statement that imports an object under a name. Raises TraceError where none can."""
    for each in getattr(value, "importable", (value,)):
        module = getattr(each, "__module__", None) or ""
        own = getattr(each, "__qualname__", "")
        if module != "__main__" and getattr(sys.modules.get(module), own, None) is each:
            public = _public_module(module, own, each)
            return f"from {public} import {own}{f' as {name}' if name != own else ''}"
    raise TraceError(
        word(
            f"{name}, which the source calls, cannot be imported by a saved module",
            way_out="Define it under its own name at the top level of a module, and import it.",
        )
    )


def _public_module(module: str, name: str, value: Any) -> str:
    """The package around a module that has the same object, if there is one without underscores."""
    parts = module.split(".")
    private = next((i for i, part in enumerate(parts) if part.startswith("_")), len(parts))
    package = ".".join(parts[:private])
    return package if getattr(sys.modules.get(package), name, None) is value else module


def _archive(arrays: Mapping[str, Any]) -> bytes:
    """As np.savez writes it, but for arrays of any name, and the same bytes each time."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(value), allow_pickle=False)
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that others see the old content or the new one, and nothing between."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}_{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def imports_of(body: str) -> str:
    """The import statements that a function body needs."""
    if "math." not in body and "scipy." not in body:
        return "import numpy as np"
    body = _COMMENT.sub("", body)  # the user's lines, which may call other functions
    lines = ["import math"] if _MATH.search(body) else []
    lines.append("import numpy as np")
    modules = sorted(set(_SCIPY.findall(body)))
    for module in modules:
        importlib.import_module(module)
    return "\n".join(lines + [f"import {module}" for module in modules])


def cache_folder() -> Path | None:
    """The private folder for emitted source (mode 0700, ours), or None if there can be none."""
    try:
        folder = _cache_base() / "python"
        if not folder.is_absolute():  # there is no home
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            return None
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
    except (OSError, RuntimeError):  # nothing is writable; there is no home
        return None
    return folder


def _cache_base() -> Path:
    own = os.environ.get("SYMDIFF_CACHE_DIR")
    return Path(own).absolute() if own else user_cache_path("symdiff", appauthor=False)


def _file_for(source: str, name: str) -> str:
    """The file that shows the source to tools: named after its content, written atomically."""
    text = source.encode()
    number = zlib.crc32(text)
    digest = f"{number:08x}{zlib.adler32(text):08x}"  # a name only: contents are compared
    folder = _folder()
    if folder is None:
        return f"<symdiff {name} {digest}>"
    path = os.path.join(folder, f"{name}_{digest}.py")  # noqa: PTH118  twice as fast
    try:
        if _content(path) != text:
            _replace(Path(path), text)
            if number % SELDOM == 0:
                _prune(folder)
    except OSError:
        return f"<symdiff {name} {digest}>"
    return path


def _content(path: str) -> bytes | None:
    """What a regular file holds; None if there is none."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123
                return file.read()
    except FileNotFoundError:
        pass
    return None


_folders: dict[str | None, Path | None] = {}


def _folder() -> Path | None:
    """`cache_folder`, checked once per process and setting."""
    key = os.environ.get("SYMDIFF_CACHE_DIR")
    if key not in _folders:
        _folders[key] = cache_folder()
    return _folders[key]


def _prune(folder: Path) -> None:
    """Remove the older half of the files where there are more than are kept."""
    try:
        with os.scandir(folder) as entries:
            files = list(entries)
        if len(files) <= KEPT_FILES:
            return
        files.sort(key=lambda entry: entry.stat().st_mtime)
        for entry in files[: len(files) // 2]:
            (folder / entry.name).unlink()
    except OSError:
        pass  # another process is at it: the next one tries again


__all__ = ["cache_folder", "imports_of", "load", "np", "save"]
