"""Interposer: runs a function, and the plain-Python functions it calls, on globals of its own.

Code objects run as they are: only what they look up differs. Functions that NumPy does not
dispatch give way to those of `replacements`, arrays that are reached without being passed become
inputs, and what decides the course of the trace is remembered, to be compared at each call.
"""

from __future__ import annotations

import builtins
import copy
import dis
import functools
import sys
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context, memory
from symdiff.frontend.captured import ABSENT, Attribute, Captured, Item, Keys, Path
from symdiff.frontend.objects import ClassProxy, ObjectProxy, SuperProxy, has_proxy, proxy_of, real
from symdiff.frontend.origin import (
    is_array_of_library,
    is_user_class,
    is_user_code,
    is_user_module,
    is_written_out,
    state_of,
)
from symdiff.frontend.replacements import (
    REPLACEMENTS,
    Hook,
    LibraryModule,
    NoDraws,
    RandomStandIn,
    called,
    draws,
    instead_of,
    is_library,
    library_module,
    replaced,
    replaced_class,
)
from symdiff.frontend.tracer import StaticArgument, StoredInCreated, Tracer, lift
from symdiff.ir.node import Input, Node, input_node
from symdiff.ir.types import is_foreign, is_generator, is_sparse, is_supported, type_of
from symdiff.ops.primitive import find

_SCALARS = {bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice}
_STAND_INS = (
    Tracer, Hook, ObjectProxy, ClassProxy, SuperProxy, LibraryModule, NoDraws, RandomStandIn
)  # fmt: skip

_BYTES = (bytearray, array)  # numbers that are compared all at once
_CONTAINERS = (list, tuple, dict, set, frozenset, deque, MappingProxyType, *_BYTES)

_running: ContextVar[Interposer | None] = ContextVar("symdiff_interposer", default=None)


class Hidden(Tracer):
    """An array that the function reached by itself: an input from its first use on.

    The trace may change it in place; the array itself stays as it is.
    """

    __slots__ = ("array", "input", "interposer", "path")

    is_hidden = True

    def __init__(self, array: np.ndarray, path: Path, interposer: Interposer) -> None:
        self.array = array
        self.path = path
        self.interposer = interposer
        self.is_array = True
        self.contiguous = False
        self.view_of = self.views = None
        self.born = 0
        self.known: Node | None = None
        self.input: Input | None = None

    @property
    def node(self) -> Node:
        if self.input is None:
            self.input = self.known = self.interposer.capture(self)
        return self.known or memory.read(self)

    def check_change(self) -> None:
        assert self.node is not None  # from now on an input


class Interposer:
    """Runs functions for one trace, and collects what they reach without being passed it."""

    def __init__(self) -> None:
        self._known: dict[int, np.ndarray] = {}  # hidden arrays whose values decide something
        self.creates = False  # whether arrays that the functions make are traced
        self._forget()

    def _forget(self) -> None:
        self._captured: dict[Any, Captured] = {}
        self._inputs: dict[Node, Hidden] = {}
        self._arrays: dict[int, Hidden] = {}
        self.stores: defaultdict[type, dict[str, Any]] = defaultdict(dict)  # into classes
        self._spaces: dict[int, Globals] = {}
        self._cells: dict[int, tuple[CellType, CellType]] = {}
        # by id: what was met, what stands for it, and the path of the first meeting
        self.columns: dict[Any, Any] = {}  # of tables, by path: they are other objects each time
        self._stand_ins: dict[int, tuple[Any, Any, Path | None]] = {}
        self._originals: dict[int, Any] = {}
        self.builtins = {**vars(builtins), "__import__": self._import}

    @property
    def captured(self) -> list[Captured]:
        """What the functions used without being passed it."""
        return list(self._captured.values())

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the function interposed, on arguments some of which are traced."""
        if _running.get() is self:
            return self._run(function, args, kwargs)
        token = _running.set(self)
        try:
            while True:
                try:
                    return self.bare(self._whole(function, args, kwargs))
                except StaticArgument as decided:
                    if not self._decide(decided.inputs):
                        raise
                except StoredInCreated:
                    self._trace_created()
                except context.Again:
                    self._start_again()
                except (TypeError, ValueError) as error:
                    if isinstance(error.__cause__, StoredInCreated):
                        self._trace_created()
                    elif isinstance(error.__cause__, TraceError):  # NumPy's, of ours
                        raise error.__cause__ from None
                    else:
                        raise
        finally:
            _running.reset(token)

    def again(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function once more while its trace is used: a rule. What it reaches is added.

        Raises TraceError where the value of an array from outside would decide its course.
        """
        if _running.get() is self:
            return self._run(function, args, {})
        token = _running.set(self)
        try:
            return self.bare(self._run(function, args, {}))
        except StoredInCreated:
            self._trace_created()
            return self.again(function, *args)
        except StaticArgument as decided:
            hidden = [each.name for each in decided.inputs if each in self._inputs]
            if not hidden:
                raise
            what = f"the course of a rule depends on the values of `{hidden[0]}`"
            raise TraceError(word(what, way_out="Choose with np.where.")) from None
        finally:
            _running.reset(token)

    def _whole(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function that is traced: what it says, and text that it makes, are seen to."""
        running = context.current()
        try:
            result = self._run(function, args, kwargs)
        except Exception as error:
            own = running is None or running.refused is not None or error.__cause__ is not None
            if not own and (running.flow.texts or running.output):  # type: ignore[union-attr]
                self._texts().failed(running, error)
            raise
        if running is not None and running.flow.texts:
            self._texts().check(running)
        return result

    def _texts(self) -> Any:
        """What the programs that make text need."""
        from symdiff.frontend import texts

        return texts

    def _run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        run = self.wrap(function, Path(function, (), ""))
        given = [self._argument(each) for each in args]
        result = run(*given, **{key: self._argument(each) for key, each in kwargs.items()})
        running = context.current()
        if running is not None and running.refused is not None:
            raise running.refused  # which the function has caught
        return result

    def _argument(self, value: Any) -> Any:
        """What stands for an argument that is not itself traced: an object, a function."""
        if isinstance(value, (Tracer, np.ndarray, np.generic)) or type(value) in _SCALARS:
            return value
        if type(value) in (list, tuple):
            return type(value)([self._argument(each) for each in value])
        if type(value) is dict:
            return {key: self._argument(each) for key, each in value.items()}
        return self.wrap(value, Path(value, (), ""))

    def _decide(self, inputs: list[Input]) -> bool:
        """Take the values of hidden arrays for known when running again; False if none is."""
        found = [self._inputs[each] for each in inputs if each in self._inputs]
        for each in found:
            self._known[id(each.array)] = each.array
        if found:
            self._start_again()
        return bool(found)

    def _trace_created(self) -> None:
        """Run again with the arrays that the functions make traced."""
        self.creates = True
        self._start_again()

    def _start_again(self) -> None:
        self._forget()
        running = context.current()
        if running is not None:
            running.undo()

    # ------------------------------------------------------------------ what is remembered

    def guard(self, path: Path | None, expected: object) -> None:
        """Trace again when the value at the path is another one."""
        if path is not None and path.steps:
            self._captured.setdefault(path.key, Captured(path, None, expected))

    def capture(self, hidden: Any) -> Input:
        """The input that stands for an array, or a random generator."""
        made = input_node(hidden.path.name or "captured", type_of(hidden.array))
        running = context.current()
        if running is not None:
            running.examples.give(made, hidden.array)
        self._inputs[made] = hidden
        self._captured[hidden.path.key] = Captured(hidden.path, made)
        return made

    def hidden(self, each: Node | None) -> Hidden | None:
        """The array that an input stands for, if it is a hidden one."""
        return self._inputs.get(each) if each is not None else None

    def hides(self, each: Node) -> bool:
        """Whether the node is the input of a hidden array."""
        return each in self._inputs

    def stored_in_class(self, cls: type, name: str) -> tuple[Any] | None:
        """What this trace has stored in a class or a base of it, if that is what its name means."""
        for each in cls.__mro__ if self.stores else ():
            if name in self.stores.get(each, ()):
                return (self.stores[each][name],)
            if name in vars(each):
                break
        return None

    def original(self, value: Any) -> Any:
        """What a stand-in stands for; anything else is itself."""
        return self._originals.get(id(value), value)

    # ------------------------------------------------------------------ values

    def wrap(self, value: Any, path: Path | None) -> Any:
        """What stands for a value in interposed code; a path says how it was reached."""
        kind = type(value)
        if kind in _SCALARS or issubclass(kind, np.generic):
            self.guard(path, value)
            return value
        if issubclass(kind, _STAND_INS) or id(value) in self._originals:
            return value
        if issubclass(kind, np.ndarray):
            return self._array(value, path)
        if path is not None and is_sparse(value):
            return self._remembered(value, path, self._sparse)
        if path is not None and is_generator(value):
            return self._generator(value, path)
        if issubclass(kind, _CONTAINERS):
            return self._container(value, path)
        if path is not None and is_array_of_library(value):
            return self._held(value, path)
        self.guard(path, value)
        return self._remembered(value, path, self._object)

    def _held(self, value: Any, path: Path) -> Any:
        """What stands for an array or a table of another library."""
        from symdiff.frontend.held import stand_in  # which few programs need

        known = self._stand_ins.get(id(value))
        if known is not None and known[2] is not None and known[2].key != path.key:
            first, second = (known[2], path) if path.steps else (path, known[2])
            self.guard(second, first)
        return self._remembered(value, path, lambda value, _: stand_in(value, path, self))

    def _remembered(
        self, value: Any, path: Path | None, make: Callable[[Any, Path | None], Any]
    ) -> Any:
        """The one stand-in of a value in this trace."""
        known = self._stand_ins.get(id(value))
        if known is None:
            made = make(value, path)
            known = self._stand_ins.setdefault(id(value), (value, made, path))
            if made is not value:
                self._originals[id(made)] = value
        return known[1]

    def _array(self, array: np.ndarray, path: Path | None) -> Any:
        if path is None:
            return array
        if is_foreign(array) or not is_supported(array.dtype):
            self.guard(path, array.copy())
            return array
        if id(array) in self._known:
            kept = array.copy()
            self.guard(path, kept)
            return self._remembered(array, path, lambda value, _: self._own(value.copy()))
        hidden = self._arrays.get(id(array))
        if hidden is None:
            hidden = self._arrays[id(array)] = Hidden(array, path, self)
        elif hidden.path.key != path.key:
            self.guard(path, hidden.path)
        return hidden

    def _own(self, array: np.ndarray) -> Any:
        """An array of known values, into which traced ones can be stored where that happens."""
        return Tracer(lift(array), is_array=True) if self.creates else array

    def _sparse(self, value: Any, path: Path | None) -> Any:
        from symdiff.frontend.sparse import SparseMatrix  # for the programs that need it

        assert path is not None
        return SparseMatrix(value, path, self)

    def _generator(self, value: Any, path: Path) -> Any:
        """What stands for a random generator, which may be another one at the next call."""
        from symdiff.frontend.draws import HiddenSource  # for the programs that need it

        known = self._stand_ins.get(id(value))
        if known is not None and known[2] is not None and known[2].key != path.key:
            self.guard(path, known[2])
        return self._remembered(value, path, lambda value, _: HiddenSource(value, path, self))

    def _draw(self, method: Any, path: Path | None) -> Any:
        if method.__self__ is np.random.mtrand._rand or path is None:
            return replaced(method)
        owner = self._generator(method.__self__, path.attribute("__self__").named("rng"))
        return getattr(owner, method.__name__)

    def _container(self, value: Any, path: Path | None) -> Any:
        if path is None:
            return value
        if _is_plain(value):
            self.guard(path, copy.deepcopy(value))
            return self._remembered(value, path, lambda value, _: copy.deepcopy(value))
        known = self._stand_ins.get(id(value))
        self.guard(path, known[2] if known and known[2] is not path else Keys.of(value))
        return self._remembered(value, path, self._filled)

    def _filled(self, value: Any, path: Path | None) -> Any:
        """A container like this one that holds stand-ins."""
        assert path is not None
        if isinstance(value, MappingProxyType):
            return MappingProxyType({key: self.wrap(value[key], path.item(key)) for key in value})
        if isinstance(value, tuple):
            parts = [self.wrap(each, path.item(i)) for i, each in enumerate(value)]
            return value._make(parts) if hasattr(value, "_make") else type(value)(parts)
        made = copy.copy(value)
        self._stand_ins[id(value)] = value, made, path  # before it is filled: it may hold itself
        if isinstance(value, dict):
            for key, each in value.items():
                dict.__setitem__(made, key, self.wrap(each, path.item(key)))
        elif isinstance(value, (list, deque)):
            for i, each in enumerate(value):
                made[i] = self.wrap(each, path.item(i))
        for name, each in getattr(made, "__dict__", {}).items():
            vars(made)[name] = self.wrap(each, path.attribute(name))
        return made

    def _object(self, value: Any, path: Path | None) -> Any:
        """What stands for a function, a module, a class or an instance."""
        kind = type(value)
        if kind is FunctionType:
            return REPLACEMENTS.get(value) or self._function(value)
        if is_generator(getattr(value, "__self__", None)):  # the method of a generator
            return self._draw(value, path)
        if kind is MethodType:
            instance = path.attribute("__self__").named("") if path is not None else None
            return MethodType(self.wrap(value.__func__, None), self.wrap(value.__self__, instance))
        if issubclass(kind, ModuleType):
            return self._module(value)
        if issubclass(kind, type):
            return ClassProxy(value, self) if has_proxy(value) else value
        if issubclass(kind, functools.partial):
            return self._partial(value, path)
        dispatched = kind is type(np.sum) and is_written_out(value.__module__)
        if kind is functools._lru_cache_wrapper or (dispatched and find(value) is None):
            return self.wrap(value.__wrapped__, None)
        logging = sys.modules.get("logging")
        if logging is not None and isinstance(value, logging.Logger):
            return self._texts().Logger(value)
        if draws(value):
            return NoDraws(value)
        if is_user_class(kind) and has_proxy(kind):
            return proxy_of(value, path.named("") if path and len(path.steps) < 2 else path, self)
        state = state_of(value)
        if state is not None and path is not None:
            kept = {name: _kept(each) for name, each in state.items()}
            self.guard(path.attribute("__dict__"), kept)
        return replaced(value)

    def _partial(self, value: Any, path: Path | None) -> Any:
        def at(name: str, key: Any) -> Path | None:
            return path.attribute(name).item(key).named(str(key)) if path is not None else None

        args = [self.wrap(each, at("args", i)) for i, each in enumerate(value.args)]
        keywords = {
            key: self.wrap(each, at("keywords", key)) for key, each in value.keywords.items()
        }
        function = path.attribute("func") if path is not None else None
        return functools.partial(self.wrap(value.func, function), *args, **keywords)

    def _module(self, module: Any) -> Any:
        if is_library(module):
            return library_module(module)
        return UserModule(module, self) if is_user_module(module) else module

    # ------------------------------------------------------------------ functions

    def space(self, namespace: dict[str, Any]) -> Globals:
        """The globals on which functions of a module run."""
        if isinstance(namespace, Globals):
            namespace = namespace.real
        found = self._spaces.get(id(namespace))
        if found is None:
            found = self._spaces[id(namespace)] = Globals(self, namespace)
        return found

    def _function(self, function: FunctionType) -> Any:
        """The same code on interposed globals, cells and defaults."""
        wrapper = not is_user_code(function.__code__)
        if wrapper and not _wraps_user_code(function):
            return replaced(function)
        if is_written_out(function.__module__) and find(function) is not None:
            return replaced(function)
        space = self.space(function.__globals__)
        code = function.__code__ if wrapper else self._code(function.__code__, space)
        pairs = [self._cell(cell) for cell in function.__closure__ or ()]
        made = FunctionType(
            code,
            function.__globals__ if wrapper else space,
            function.__name__,
            None,
            tuple(new for new, _ in pairs),
        )
        # before its cells are filled: a recursive function holds itself
        self._stand_ins[id(function)] = function, made, None
        self._originals[id(made)] = function
        for name, cell, (new, is_new) in zip(
            code.co_freevars, function.__closure__ or (), pairs, strict=True
        ):
            if is_new:
                self._fill(new, cell, name)
        self._complete(made, function)
        for name in _class_body_names(code):
            space.prime(name)
        return made

    def _code(self, code: CodeType, space: Globals) -> CodeType:
        """The code that runs: with its control flow handed to hooks, where it is captured."""
        running = context.current()
        if running is None or running.flow.capturing is None or not controls(code):
            return code
        from symdiff.frontend import capture, source  # which programs without it do not need

        made = source.capturable(code)
        if made.co_freevars != code.co_freevars:
            return code
        if made is not code:
            dict.__setitem__(space, source.HOOKS, capture.hooks)
            space.looked_up[source.HOOKS] = capture.hooks
        return made

    def reached(self) -> list[Any]:
        """What interposed code may change besides what its own variables hold."""
        stand_ins = [made for _, made, _ in self._stand_ins.values()]
        return [*stand_ins, *self._spaces.values()]

    def _cell(self, cell: CellType) -> tuple[CellType, bool]:
        """The cell that stands for this one, and whether it has just been made."""
        known = self._cells.get(id(cell))
        if known is not None:
            return known[1], False
        made = CellType()
        self._cells[id(cell)] = cell, made
        return made, True

    def _fill(self, made: CellType, cell: CellType, name: str) -> None:
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            return
        path = None if name == "__class__" else Path(cell, (Attribute("cell_contents"),), name)
        made.cell_contents = self.wrap(value, path)

    def _complete(self, made: FunctionType, function: FunctionType) -> None:
        """Defaults and attributes."""
        self.guard(Path(function, (Attribute("__code__"),), ""), function.__code__)
        made.__qualname__ = function.__qualname__
        made.__module__ = function.__module__
        made.__doc__ = function.__doc__
        code = function.__code__
        if function.__defaults__:
            names = code.co_varnames[: code.co_argcount][-len(function.__defaults__) :]
            path = Path(function, (Attribute("__defaults__"),), "")
            made.__defaults__ = tuple(
                self.wrap(each, path.item(i).named(name))
                for i, (name, each) in enumerate(zip(names, function.__defaults__, strict=True))
            )
        if function.__kwdefaults__:
            path = Path(function, (Attribute("__kwdefaults__"),), "")
            made.__kwdefaults__ = {
                name: self.wrap(each, path.item(name))
                for name, each in function.__kwdefaults__.items()
            }
        for name, each in vars(function).items():
            inner = name == "__wrapped__"
            path = Path(function, (Attribute(name),), name)
            setattr(made, name, each if inner else self.wrap(each, path))

    def _import(
        self,
        name: str,
        namespace: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        """`import` inside an interposed function."""
        if isinstance(namespace, Globals):
            namespace = namespace.real
        return self._module(builtins.__import__(name, namespace, local, fromlist, level))

    # ------------------------------------------------------------------ results

    def bare(self, value: Any) -> Any:
        """A result without the stand-ins that only this trace understands."""
        kind = type(value)
        if issubclass(kind, Tracer):
            return value
        if kind in (list, tuple):
            return kind([self.bare(each) for each in value])
        if kind is dict:
            return {key: self.bare(each) for key, each in value.items()}
        if issubclass(kind, tuple) and hasattr(value, "_make"):
            return value._make([self.bare(each) for each in value])
        if issubclass(kind, (ObjectProxy, ClassProxy)):
            return real(value, self.bare)
        if issubclass(kind, Hook):
            return value.function
        return self.original(value)


context.beginnings.add(Interposer.again.__code__)


@instead_of(getattr)
def getattr_(value: Any, name: str, /, *default: Any) -> Any:
    """getattr(): that a function of the user's has no such attribute is remembered."""
    _remember_absence(value, name)
    return getattr(value, name, *default)


@instead_of(hasattr)
def hasattr_(value: Any, name: str, /) -> bool:
    """hasattr(), likewise."""
    _remember_absence(value, name)
    return hasattr(value, name)


def _remember_absence(value: Any, name: str) -> None:
    running = _running.get()
    if running is not None and type(value) is FunctionType and not hasattr(value, name):
        function = running.original(value)
        running.guard(Path(function, (Attribute(name),), name), ABSENT)


class Globals(dict[str, Any]):
    """The globals of interposed functions: a module's own, each wrapped when it is looked up.

    A store goes here and not to the module: a trace leaves nothing behind.
    """

    def __init__(self, interposer: Interposer, real: dict[str, Any]) -> None:
        # these two are read without asking this dict
        super().__init__(__builtins__=interposer.builtins, __name__=real.get("__name__", ""))
        self.real = real
        self.looked_up: dict[str, Any] = {}  # what is here without having been stored
        self._interposer = interposer

    def __missing__(self, name: str) -> Any:
        in_module = name in self.real
        if not in_module:
            self._interposer.guard(Path(self.real, (Item(name),), name), ABSENT)
        value = self.real[name] if in_module else vars(builtins)[name]
        if replaced_class(value):  # float(x) is replaced, isinstance(x, float) is not
            return replaced(value) if called(sys._getframe(1)) else value
        path = Path(self.real, (Item(name),), name)
        found = self._interposer.wrap(value, path) if in_module else replaced(value)
        self[name] = found
        self.looked_up[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        """As in the module: `name in globals()`."""
        return self.get(name, ABSENT) is not ABSENT

    def get(self, name: Any, default: Any = None) -> Any:
        if super().__contains__(name) or name in self.real:
            return self[name]
        self._interposer.guard(Path(self.real, (Item(name),), name), ABSENT)
        return default

    def prime(self, name: str) -> None:
        """Look a name up now: class bodies read this dict without asking it."""
        if name in self.real and not super().__contains__(name):
            value = self._interposer.wrap(self.real[name], Path(self.real, (Item(name),), name))
            self[name] = value
            self.looked_up[name] = value


class UserModule(ModuleType):
    """A module of the user's: its attributes are those that its functions see."""

    def __init__(self, module: ModuleType, interposer: Interposer) -> None:
        super().__init__(module.__name__)
        self.__dict__["__file__"] = getattr(module, "__file__", None)
        self._symdiff_module = module
        self._symdiff_interposer = interposer

    def __getattr__(self, name: str) -> Any:
        module = self._symdiff_module
        if name not in vars(module):  # a submodule, or the module's own __getattr__
            path = Path(module, (Attribute(name),), name)
            if not hasattr(module, name):
                self._symdiff_interposer.guard(path, ABSENT)
            return self._symdiff_interposer.wrap(getattr(module, name), None)
        return self._symdiff_interposer.space(vars(module))[name]


def _kept(value: Any) -> Any:
    """The value to compare later ones with: numbers by value, objects by identity."""
    return copy.deepcopy(value) if isinstance(value, np.ndarray) or _is_plain(value) else value


def _is_plain(value: Any) -> bool:
    """Whether a container holds nothing but numbers and strings, however nested."""
    kind = type(value)
    if kind in _BYTES:
        return True
    if kind in (list, tuple, set, frozenset):
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, value.values()))
    return kind in _SCALARS or issubclass(kind, np.generic)


def _wraps_user_code(function: FunctionType) -> bool:
    """Whether library code holds a function of the user's: contextlib.contextmanager."""
    inner = getattr(function, "__wrapped__", None)
    return type(inner) is FunctionType and is_user_code(inner.__code__)


_DECIDES = {
    code for code, name in enumerate(dis.opname) if "JUMP" in name or name in ("FOR_ITER", "IS_OP")
}
_GENERATES = 0x20 | 0x80 | 0x200  # the flags of generators and coroutines


@lru_cache(maxsize=1024)
def controls(code: CodeType) -> bool:
    """Whether the code, or that of a function defined in it, holds a loop or a branch."""
    own = not code.co_name.endswith("comp>") and not code.co_flags & _GENERATES
    if own and not _DECIDES.isdisjoint(code.co_code[::2]):
        return True
    return any(isinstance(each, CodeType) and controls(each) for each in code.co_consts)


@lru_cache(maxsize=1024)
def _class_body_names(code: CodeType) -> tuple[str, ...]:
    """The names that bodies of classes defined in the code look up."""
    names: tuple[str, ...] = ()
    for each in code.co_consts:
        if isinstance(each, CodeType):
            optimized = each.co_flags & 0x1  # functions are, class bodies are not
            names += _class_body_names(each) + (() if optimized else each.co_names)
    return names
