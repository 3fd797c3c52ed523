"""Arrays, columns and tables of other libraries that a function reaches: pandas, xarray, torch.

Their values are taken by position, as a plain array that is read again at each call. What their
own methods do besides (leave out what is missing, look up labels) is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.captured import Path, as_array, have_same_labels
from symdiff.frontend.interpose import Hidden
from symdiff.frontend.tracer import Tracer, call, where
from symdiff.ir.types import is_supported

if TYPE_CHECKING:
    from symdiff.frontend.interpose import Interposer

_WAY_OUT = "Take what is needed from it as arrays: .to_numpy(), outside or inside the function."


def stand_in(held: Any, path: Path, interposer: Interposer) -> Any:
    """What stands for an array, a column or a table of another library."""
    table = hasattr(held, "columns")
    array = _array(held, path.name, table)
    if array is None:
        return HeldTable(held, path, interposer)
    return (HeldFrame if table else HeldArray)(held, array, path, interposer)


def _array(held: Any, name: str, table: bool) -> np.ndarray | None:
    """Its values; None for a table of several kinds. Raises TraceError for what are no numbers."""
    try:
        array = np.asarray(as_array(held))
    except Exception as error:
        _refuse(f"`{name}`, a {type(held).__name__}, is no array of numbers: {error}")
    if is_supported(array.dtype):
        return array
    if not table:
        _refuse(f"`{name}` is a {type(held).__name__} of dtype {held.dtype}, not of numbers")
    return None


def _refuse(what: str, way_out: str = _WAY_OUT) -> NoReturn:
    context.refuse(TraceError(word(what, where=where(), way_out=way_out)))


class HeldArray(Hidden):
    """A column or an array, of which the values alone count."""

    __slots__ = ("held",)

    def __init__(self, held: Any, array: Any, path: Path, interposer: Interposer) -> None:
        super().__init__(array, path.as_array(), interposer)
        self.held = held

    def check_change(self) -> None:
        _refuse(f"a {type(self.held).__name__} is changed in place")

    def __getattribute__(self, name: str) -> Any:
        if name in _METHODS:
            _refuse(f"`.{name}` of a {type(self.held).__name__} is not traced")
        return object.__getattribute__(self, name)

    def __getitem__(self, index: Any) -> Any:
        if hasattr(self.held, "iloc"):
            _refuse("a label is looked up in a column", "Index .to_numpy(), or .iloc, by position.")
        return super().__getitem__(index)

    @property
    def values(self) -> Any:
        """The plain array."""
        return Tracer(self.node, is_array=True)

    iloc = values

    def to_numpy(self, dtype: Any = None, copy: bool = False) -> Any:
        """The plain array."""
        return self.values if dtype is None else self.values.astype(dtype)

    def numpy(self) -> Any:
        """The plain array."""
        return self.values


# The methods of arrays that other libraries may have with another meaning.
_METHODS = {
    name
    for name in dir(Tracer)
    if not name.startswith("_") and callable(getattr(Tracer, name))
} - {"astype", "reshape", "refuse", "refuse_store", "overwrite", "check_change"}


def _by_position(name: str) -> Any:
    """An operator of two columns, which their library would bring to the same labels first."""
    plain = getattr(Tracer, name)

    def method(self: HeldArray, other: Any) -> Any:
        if issubclass(type(other), HeldArray):
            if not have_same_labels(self.held, other.held):
                _refuse("two columns with other labels meet, which are brought to the same first")
            mine, its = _from(self.path), _from(other.path)
            if mine.root is not its.root:
                self.interposer.guard(mine.same_labels(its), True)
        return plain(self, other)

    return method


for _operation in (
    "add sub mul truediv floordiv mod pow matmul and or xor lt le gt ge eq ne".split()  # noqa: SIM905
):
    setattr(HeldArray, f"__{_operation}__", _by_position(f"__{_operation}__"))


class HeldFrame(HeldArray):
    """A table of numbers: all of it as an array of two axes, or a column by name."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        return HeldTable(self.held, _from(self.path), self.interposer)[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(HeldTable(self.held, _from(self.path), self.interposer), name)

    def __iter__(self) -> Any:
        _refuse("the names of the columns of a table are iterated over")


def _from(path: Path) -> Path:
    """The path to the column or table that an array is made of."""
    return Path(path.root, path.steps[:-1], path.name)


class HeldTable:
    """A table of columns of several kinds, or some columns of one."""

    def __init__(
        self, table: Any, path: Path, interposer: Interposer, names: list[Any] | None = None
    ) -> None:
        self._table, self._path, self._interposer = table, path, interposer
        self._names = list(table.columns) if names is None else names

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            return HeldTable(self._table, self._path, self._interposer, key)
        if isinstance(key, Tracer) or key not in self._names:
            _refuse("rows of a table are selected, or a column that it has not")
        path, columns = self._path.item(key), self._interposer.columns
        if path.key not in columns:
            columns[path.key] = self._interposer.wrap(self._table[key], path)
        return columns[path.key]

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return self[name]
        return _refuse(f"`.{name}` of a {type(self._table).__name__} is not traced")

    def __len__(self) -> int:
        return int(self[self._names[0]].shape[0])

    @property
    def values(self) -> Any:
        """The columns beside each other."""
        return call(np.stack, [self[name].values for name in self._names], axis=1)

    def to_numpy(self, dtype: Any = None, copy: bool = False) -> Any:
        """The columns beside each other."""
        return self.values if dtype is None else self.values.astype(dtype)
