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

# Their arrays, columns and tables are taken as NumPy's; their code is not interposed.
ARRAY_LIBRARIES = {"pandas", "xarray", "jax", "jaxlib", "torch", "tensorflow"}

# Python code over NumPy's functions, by module and file: interposed where it has no record.
_WRITTEN_OUT = {
    "numpy.polynomial": "/numpy/polynomial/",
    "numpy.lib.scimath": "/numpy/lib/_scimath_impl.py",
    "scipy.linalg._special_matrices": "/scipy/linalg/_special_matrices.py",
    "scipy.signal._waveforms": "/scipy/signal/_waveforms.py",
    "scipy.spatial.distance": "/scipy/spatial/distance.py",
}

# Prefixes of file names, found without pathlib and sysconfig: those are slow to import.
_INTERNAL = (np.__file__.rsplit(os.sep, 1)[0] + os.sep, __file__.rsplit(os.sep, 2)[0] + os.sep)
_STANDARD = (os.__file__.rsplit(os.sep, 1)[0] + os.sep, "<frozen")


@lru_cache(maxsize=4096)
def _is_user_file(filename: str) -> bool:
    if any(part in filename.replace(os.sep, "/") for part in _WRITTEN_OUT.values()):
        return True
    if filename.startswith(_INTERNAL):
        return False
    installed = "site-packages" in filename or "dist-packages" in filename
    if installed:
        libraries = ("scipy", "optree", *ARRAY_LIBRARIES)
        return not any(f"-packages/{name}/" in filename for name in libraries)
    return not filename.startswith(_STANDARD)


def is_user_code(code: CodeType) -> bool:
    """Whether the code runs interposed: not NumPy's, SciPy's, ours, the standard library's."""
    return _is_user_file(code.co_filename)


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is the user's, or of an installed package that is treated like it."""
    return _is_users(module.__name__)


def _is_users(module: str) -> bool:
    root = module.partition(".")[0]
    return is_written_out(module) or (root not in _LIBRARIES and root not in ARRAY_LIBRARIES)


def is_written_out(module: object) -> bool:
    """Whether a module is of a library, and its functions run interposed like the user's."""
    return isinstance(module, str) and module.startswith(tuple(_WRITTEN_OUT))


def is_array_of_library(value: object) -> bool:
    """Whether this is an array, a column or a table of another library."""
    kind = type(value)
    return kind.__module__.partition(".")[0] in ARRAY_LIBRARIES and hasattr(kind, "__array__")


def is_table(value: object) -> bool:
    """Whether this is a table of another library, whose columns are read by name."""
    return is_array_of_library(value) and hasattr(value, "columns")


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
    return _is_users(cls.__module__) or f"{cls.__module__}.{cls.__qualname__}" in _HOLDERS


def state_of(value: object) -> dict[str, object] | None:
    """What an instance of NumPy's or SciPy's holds, which may change: a polynomial's `coef`."""
    library = type(value).__module__.partition(".")[0] in ("numpy", "scipy")
    distribution = hasattr(value, "rvs") and not hasattr(value, "kwds")  # without parameters
    if not library or distribution or hasattr(value, "__name__"):  # a function
        return None
    return getattr(value, "__dict__", None)
