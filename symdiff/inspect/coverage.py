"""What symdiff makes of each public function of NumPy's, derived from the registry."""

from __future__ import annotations

import functools
import importlib
from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from types import ModuleType
from typing import Any

import numpy as np

from symdiff.errors import RuleError
from symdiff.frontend.advice import function_name
from symdiff.frontend.replacements import REPLACEMENTS
from symdiff.frontend.states import CONSTANT, DECLARED, DIFFERENTIATED, REFUSED, Stated
from symdiff.frontend.tracer import HANDLERS, Tracer
from symdiff.inspect.tables import columns
from symdiff.ops.primitive import Constant, Primitive, every_primitive, find

NAMESPACES = ("np", "np.linalg", "np.fft")
UFUNC_METHODS = ("accumulate", "at", "outer", "reduce", "reduceat")
_FILE = "symdiff/frontend/states.py"


def public() -> Iterator[str]:
    """The names of NumPy's public functions, of the methods of ufuncs, of what arrays have."""
    for namespace in NAMESPACES:
        module = _found(namespace)
        yield from (f"{namespace}.{name}" for name in _shown(module) if _is_function(module, name))
    yield from (f"ufunc.{name}" for name in UFUNC_METHODS)
    yield from (f"ndarray.{name}" for name in _shown(np.ndarray))


def _shown(owner: Any) -> list[str]:
    return [name for name in sorted(dir(owner)) if not name.startswith("_")]


def _is_function(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    named = callable(value) and hasattr(value, "__name__")  # np.test is an object
    return named and not isinstance(value, (type, ModuleType))


def _found(name: str) -> Any:
    """The object of a name. Raises AttributeError where this NumPy has none."""
    return attrgetter(name)(_NAMES())


class _NAMES:
    np, ndarray, ufunc = np, np.ndarray, np.ufunc

    @property
    def scipy(self) -> ModuleType:
        return importlib.import_module("scipy")


# ---------------------------------------------------------------------------- the state of a name


def state(name: str) -> Stated:
    """The state of a function, by its name: "np.sort", "ndarray.sort", "scipy.special.erf".

    Raises RuleError where it is in none or in two.
    """
    every_primitive()
    stated, traced = _declared(name), _traced(name)
    if stated is None and traced is None:
        raise RuleError(f"{name} is in no state: give it a record, or a line in {_FILE}")
    if stated is None:
        return _of_traced(traced)
    if stated.word == REFUSED or stated.answer is not None:
        if traced is not None:
            raise RuleError(f"{name} is traced now: remove its line from {_FILE}")
    elif traced is None:
        raise RuleError(f"{name} is declared constant in {_FILE}, and nothing traces it")
    elif isinstance(traced, Primitive):
        raise RuleError(f"{name} has a record, which says what it is: remove its line from {_FILE}")
    return stated


def _declared(name: str) -> Stated | None:
    """The declaration under this name, another name of the function, or the function's method."""
    if name in DECLARED:
        return DECLARED[name]
    kind, _, rest = name.partition(".")
    if kind in ("np", "scipy"):
        return DECLARED.get(function_name(_found(name)))
    return DECLARED.get(f"np.{rest}") if kind == "ndarray" else None


def _traced(name: str) -> Any:
    """What traces the function, None if nothing does."""
    kind, _, rest = name.partition(".")
    if kind == "ndarray":
        own = vars(Tracer).get(rest)
        if name in DECLARED or not hasattr(np, rest):
            return own
        return own and _traced(f"np.{rest}")  # as the function of that name
    function = _found(name)
    if kind == "ufunc":
        return None if name in DECLARED else find(function) or function
    return find(function) or HANDLERS.get(function) or _replacement(function)


def _replacement(function: Any) -> Any:
    """What calls of a function go to that are neither handed on as they are nor refused."""
    found = REPLACEMENTS.get(function)
    handed_on = isinstance(getattr(found, "traced", found), functools.partial)
    return None if handed_on else found


def _of_traced(traced: Any) -> Stated:
    if isinstance(traced, Primitive) and all(
        isinstance(rule, Constant) for rule in traced.rules.values()
    ):
        return Stated(CONSTANT, "has rules that are constant: a step, a comparison, an index")
    named = find(traced) or traced  # np.amax is traced through np.max
    return Stated(DIFFERENTIATED, cost=getattr(named, "cost", ""))


# ---------------------------------------------------------------------------- tables


def listing(word: str = "") -> str:
    """A line for each function whose name contains `word`: name, state, why."""
    found = ((name, state(name)) for name in public() if word in name)
    return columns((name, each.word, each.why or each.cost) for name, each in found)


def counts() -> str:
    """How many functions are in each state."""
    number = Counter(state(name).word for name in public())
    return ", ".join(f"{number[word]} {word}" for word in (DIFFERENTIATED, CONSTANT, REFUSED))


def page() -> str:
    """The table of all functions as a page."""
    parts = [_HEAD.format(".".join(np.__version__.split(".")[:2]))]
    for title, prefix in _SECTIONS.items():
        rows = [name for name in public() if name.rpartition(".")[0] == prefix]
        parts.append(f"## {title}\n\n| function | state | why, and what to write |\n|---|---|---|")
        parts[-1] += "".join(_row(name) for name in rows)
    return "\n\n".join(parts) + "\n"


def _row(name: str) -> str:
    stated = state(name)
    said = stated.why or stated.cost
    why = " ".join(filter(None, [said and f"{said}.", stated.way_out]))
    return f"\n| `{name}` | {stated.word} | {why} |"


_SECTIONS = {
    "Functions": "np",
    "Linear algebra": "np.linalg",
    "Fourier transforms": "np.fft",
    "Methods of ufuncs": "ufunc",
    "Attributes and methods of arrays": "ndarray",
}
_HEAD = """\
# Coverage

What becomes of each public function of NumPy's where it meets a traced value.

- *differentiated*: it has a derivative, by a record of its own or traced through others, which
  takes no longer than three times NumPy's call and 5 µs, unless it says why;
- *constant*: it works, and its result carries no derivative;
- *refused*: the trace ends with a message that names the user's line and what to write instead.

What traced values do not reach always runs as NumPy's own. This page is of NumPy {}, and is written
by a test from what `symdiff ops --coverage` lists."""
