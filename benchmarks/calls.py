"""A sample call of each public function of NumPy's, read from calls.txt, and some of SciPy's.

The tests run each call of NumPy's and see whether it is what symdiff says of the function;
`coverage.py` compares with other libraries, and takes the time.
"""

import ast
import importlib
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FILES = tuple(Path(__file__).with_name(name) for name in ("calls.txt", "scipy_calls.txt"))


def given(n: int = 6, k: int = 3) -> dict[str, Any]:
    """What the names in a call are: arrays of n numbers, matrices of k rows."""
    rng = np.random.default_rng(0)
    spread = rng.permutation(np.linspace(0.15, 0.85, n))  # no two values are near each other
    a = rng.uniform(-1, 1, (k, k)) + 2 * np.diag(np.arange(1.0, k + 1))
    return {
        "x": spread,
        "y": 1.1 + rng.permutation(spread),
        "w": rng.permutation(spread) + 0.01,  # changed by the call
        "t": np.linspace(0.0, 1.0, n) ** 1.1,  # increasing
        "g": np.where(np.arange(n) == 1, np.nan, spread),
        "b": rng.uniform(0.5, 2, k),
        "z": spread + 1j * rng.permutation(spread),
        "A": a,
        "S": a @ a.T + np.eye(k),
        "B": rng.uniform(-1, 1, (k, k + 1)),
        "C": a + 1j * rng.uniform(-1, 1, (k, k)),
        "q": rng.uniform(0.5, 2, (2, k, k)),
        "s": np.float64(0.7),
        "i": rng.permutation(n),
        "j": rng.permutation(n) + 1,
        "m": spread > 0.4,
    }


@dataclass(frozen=True)
class Call:
    """A call of a function, as a function of the names in it."""

    name: str  # "np.sort", "ndarray.sort", "ufunc.reduce"
    text: str
    file: Path
    line: int
    names: tuple[str, ...]

    def over(self, numpy: Any) -> Callable[..., Any]:
        """The call with a library in the place of NumPy; its result is w, where it changes that."""
        text = f"(w := w.copy(), {self.text}, w)[-1]" if "w" in self.names else self.text
        source = "\n" * (self.line - 1) + f"lambda {', '.join(self.names)}: {text}"
        space = {"np": numpy, "file": io.BytesIO(), "text": io.StringIO()}
        if self.name.startswith("scipy."):
            space["scipy"] = self._scipy_beside(numpy)
        function: Callable[..., Any] = eval(compile(source, str(self.file), "eval"), space)
        return function

    def _scipy_beside(self, numpy: Any) -> Any:
        """`scipy` of `numpy`, `jax.scipy` of `jax.numpy`, with the module of the function."""
        beside = numpy.__name__.replace("numpy", "scipy")
        with suppress(ImportError):  # not each library has each module
            importlib.import_module(f"{beside}.{self.name.split('.')[1]}")
        return importlib.import_module(beside)

    def arguments(self, **sizes: int) -> list[Any]:
        """What the names in the call are."""
        values = given(**sizes)
        return [values[name] for name in self.names]


def read(file: Path) -> dict[str, Call]:
    """The calls of a file by the names of the functions."""
    calls = {}
    known = given()
    for line, text in enumerate(file.read_text("utf-8").splitlines(), 1):
        if text and not text.startswith("#"):
            tree = ast.parse(text, mode="eval")
            used = [each.id for each in ast.walk(tree) if isinstance(each, ast.Name)]
            names = tuple(name for name in known if name in used)
            call = Call(_name(tree.body), text, file, line, names)
            assert calls.setdefault(call.name, call) is call, f"{call.name} has two calls"
    return calls


def _name(call: Any) -> str:
    """The function that is called, or the attribute that is read."""
    while not isinstance(call, ast.Attribute):
        call = call.func if isinstance(call, ast.Call) else call.value
    owner = ast.unparse(call.value)
    if isinstance(getattr(np, owner.removeprefix("np."), None), np.ufunc):
        return f"ufunc.{call.attr}"
    return f"{owner if owner.startswith(('np', 'scipy')) else 'ndarray'}.{call.attr}"


CALLS, SCIPY_CALLS = map(read, FILES)
