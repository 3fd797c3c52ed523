"""Load emitted Python source so that tracebacks, debuggers and profilers can read it."""

from __future__ import annotations

import importlib
import io
import linecache
import os
import re
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symdiff.errors import CompileError, TraceError, word
from symdiff.ir.types import is_generator
from symdiff.runtime import cache
from symdiff.runtime.cache import compiled


class GuardError(ValueError):
    """What `raise ValueError` raises in emitted source that was loaded: a guard did not hold.

    So it is told apart from the ValueErrors of the functions that the source calls.
    """


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
        code = compiled(source, filename)
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
    root, extension = os.path.splitext(path)
    if extension != ".py":
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
        cache.replace(f"{root}.npz", _archive(arrays))
    cache.replace(path, source.encode())


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


def _file_for(source: str, name: str) -> str:
    """The file that shows the source to tools: named after its content, written atomically."""
    text = source.encode()
    digest = cache.digest(text)  # a name only: contents are compared
    folder = cache.folder("python")
    if folder is None:
        return f"<symdiff {name} {digest}>"
    path = os.path.join(folder, f"{name}_{digest}.py")
    try:
        if cache.content(path) != text:
            cache.replace(path, text)
    except OSError:
        return f"<symdiff {name} {digest}>"
    return path


__all__ = ["imports_of", "load", "np", "save"]
