"""What the command line is about: a function, found by the text that names it."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import math
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symdiff.errors import UsageError
from symdiff.frontend.context import is_internal

EXPECTED = "write pkg.mod:function, path/file.py:function or a quoted lambda over np"


def find_target(text: str) -> Any:
    """What `pkg.mod:name`, `path/file.py:name` or "lambda x: np.sin(x)" stands for.

    A name may lead through classes and instances: `mod:Model.loss`. What stands in a module
    under `if __name__ == "__main__":` does not run.

    Raises UsageError, in one line, where there is no such function.
    """
    if text.lstrip(" (").startswith("lambda"):
        return _lambda(text.strip())
    place, colon, names = text.rpartition(":")
    if not colon or not place or not names:
        raise UsageError(f"{text!r} names no function: {EXPECTED}")
    module = _from_file(Path(place)) if _is_path(place) else _from_name(place)
    found: Any = module
    for name in names.split("."):
        owner, found = found, _attribute(found, name, place)
    if not callable(found) or isinstance(found, type):
        raise UsageError(f"{names} in {place} is a {type(found).__name__}, not a function")
    if isinstance(owner, type) and _takes_self(found):
        raise UsageError(f"{names} takes an instance: name one, like {place}:model.{name}")
    return found


def _takes_self(function: Any) -> bool:
    return next(iter(inspect.signature(function).parameters), "") == "self"


def _is_path(place: str) -> bool:
    return place.endswith(".py") or "/" in place


def _lambda(text: str) -> Any:
    names: dict[str, Any] = {"np": np, "numpy": np, "math": math}
    if "scipy" in text:
        names["scipy"] = importlib.import_module("scipy")
        names["scipy"].special = importlib.import_module("scipy.special")
    try:
        found = eval(compile(text, "<lambda>", "eval"), names)  # what the user typed to be run
    except SyntaxError as error:
        raise UsageError(f"{text!r} is not a lambda: {error.msg}") from None
    if not callable(found):
        raise UsageError(f"{text!r} is a {type(found).__name__}, not a lambda")
    return found


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    name = path.stem if path.stem not in sys.modules else f"symdiff_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there
    sys.path.insert(0, str(path.resolve().parent))  # as `python path` does
    with _explained(str(path)):
        spec.loader.exec_module(module)
    return module


def _from_name(name: str) -> ModuleType:
    sys.path.insert(0, "")  # as `python -m` does
    parent, _, _ = name.partition(".")
    try:
        missing = importlib.util.find_spec(parent) is None
    except (ImportError, ValueError):
        missing = True
    if missing:
        raise UsageError(f"there is no module {parent or name}: {EXPECTED}")
    with _explained(name):
        return importlib.import_module(name)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """What a module raises while it runs, in one line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise UsageError(f"{place} cannot be imported: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """`file.py:3: NameError: name 'x' is not defined`: the place is the user's innermost line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}"
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not is_internal(frame.f_code) and not frame.f_code.co_filename.startswith("<frozen")
    ]
    frames = [each for each in frames if not _is_library(each[0])] or frames
    return "{}:{}: ".format(*frames[-1]) + text if frames else text


def _is_library(file: str) -> bool:
    return file.startswith(sys.prefix) or file == importlib.__file__


def _attribute(owner: Any, name: str, place: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        known = _functions(owner)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f": did you mean {near[0]}?" if near else f": it has {', '.join(known)}"
        raise UsageError(f"there is no {name} in {place}{hint if known else ''}") from None


def _functions(owner: Any) -> list[str]:
    """The public functions of a module, without those it imports, of a class or of an instance."""
    is_module = isinstance(owner, ModuleType)
    names = vars(owner if is_module or isinstance(owner, type) else type(owner))
    return [
        name
        for name, value in names.items()
        if callable(value) and not name.startswith("_")
        if not is_module or getattr(value, "__module__", "") == owner.__name__
    ]
