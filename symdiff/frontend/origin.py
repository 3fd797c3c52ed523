"""Whose code it is: the user's, which is interposed, or a library's, which is called as it is."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from types import CodeType, ModuleType

import numpy as np

# Interposed or replaced as a whole, never run on interposed globals.
# ("uarray" is what SciPy has the functions of scipy.fft made by.)
_LIBRARIES = (*sys.stdlib_module_names, "numpy", "scipy", "uarray", "symdiff", "optree")

# Prefixes of file names, found without pathlib and sysconfig: those are slow to import.
_INTERNAL = (np.__file__.rsplit(os.sep, 1)[0] + os.sep, __file__.rsplit(os.sep, 2)[0] + os.sep)
_STANDARD = (os.__file__.rsplit(os.sep, 1)[0] + os.sep, "<frozen")


@lru_cache(maxsize=4096)
def _is_user_file(filename: str) -> bool:
    if filename.startswith(_INTERNAL):
        return False
    installed = "site-packages" in filename or "dist-packages" in filename
    if installed:
        return not any(f"-packages/{name}/" in filename for name in ("scipy", "optree"))
    return not filename.startswith(_STANDARD)


def is_user_code(code: CodeType) -> bool:
    """Whether the code runs interposed: not NumPy's, SciPy's, ours, the standard library's."""
    return _is_user_file(code.co_filename)


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is the user's, or of an installed package that is treated like it."""
    return module.__name__.partition(".")[0] not in _LIBRARIES


# Python's own classes whose instances do nothing but hold the user's values.
_HOLDERS = {
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.UserDict",
    "collections.UserList",
    "collections.ChainMap",
    "_thread._local",
}


def is_user_class(cls: type) -> bool:
    """Whether a class is the user's, or one of Python's that holds the user's values."""
    root = cls.__module__.partition(".")[0]
    return root not in _LIBRARIES or f"{cls.__module__}.{cls.__qualname__}" in _HOLDERS


def state_of(value: object) -> dict[str, object] | None:
    """What an instance of NumPy's or SciPy's holds, which may change: a polynomial's `coef`."""
    library = type(value).__module__.partition(".")[0] in ("numpy", "scipy")
    if not library or hasattr(value, "__name__"):  # a function
        return None
    return getattr(value, "__dict__", None)
