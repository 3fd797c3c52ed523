"""The functions of scipy.special as C functions of doubles, whose addresses SciPy shows."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from symdiff.ir.types import ArrayType
from symdiff.ops.primitive import Template

_SIGNATURE = re.compile(r'"double \(((?:double, )+)int __pyx_skip_dispatch\)"')
_VARIANT = re.compile(r"^__pyx_fuse_\d(_\d)?")  # of a function for several types
# of whole numbers: those of doubles warn where they are none, for which they would need Python
_WHOLE = re.compile(r"\b(long,|Py_ssize_t)")


class Pointer(NamedTuple):
    """Where a function is, and how many doubles it takes; an int comes behind them."""

    capsule: Any
    doubles: int


@lru_cache(maxsize=1)
def pointers() -> dict[str, Pointer]:
    """The functions that take doubles and give one, by the names of SciPy's ufuncs."""
    from scipy.special import cython_special

    found = {}
    warns = set()
    for name, capsule in cython_special.__pyx_capi__.items():
        own = _VARIANT.match(name)
        if own and not own[1] and _WHOLE.search(str(capsule)):
            warns.add(name[own.end() :])
        signature = _SIGNATURE.search(str(capsule))
        if signature:
            count = signature[1].count("double")
            found[_VARIANT.sub("", name)] = Pointer(capsule, count)
    return {name: own for name, own in found.items() if name not in warns}


def scipy_c(name: str) -> Template:
    """The C form of a ufunc of SciPy's: a call of `sp_name`, where SciPy shows it."""

    def template(*texts: str, types: tuple[ArrayType, ...]) -> str:
        own = pointers().get(name)
        fits = own is not None and own.doubles == len(texts) and types[0].dtype.kind == "f"
        return f"sp_{name}({', '.join(texts)})" if fits else ""

    return template
