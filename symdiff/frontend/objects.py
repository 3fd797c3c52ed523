"""Stand-ins for the user's objects and classes: they share the object, and run its methods traced.

Reading an attribute of an object that existed before the trace gives what stands for its value:
an input for an array. Storing into one leaves the object as it was.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import sys
from abc import ABCMeta
from collections.abc import Callable
from types import FrameType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.captured import ABSENT, Attribute, Path
from symdiff.frontend.origin import is_user_class, is_user_code
from symdiff.frontend.replacements import instead_of, reads_attribute
from symdiff.frontend.tracer import where

if TYPE_CHECKING:
    from symdiff.frontend.interpose import Interposer

# The language reads these from the type: a proxy's own, or handled by the class of all proxies.
_OWN = {
    "__abstractmethods__", "__annotations__", "__class__", "__class_getitem__", "__copy__",
    "__deepcopy__", "__del__", "__delattr__", "__dict__", "__dir__", "__doc__", "__getattr__",
    "__getattribute__", "__getnewargs__", "__getstate__", "__init__", "__init_subclass__",
    "__new__", "__reduce__", "__reduce_ex__", "__set_name__", "__setattr__", "__setstate__",
    "__sizeof__", "__slots__", "__subclasshook__", "__weakref__",
}
_ABSENT: Any = object()


def has_proxy(cls: type) -> bool:
    """Whether a class and its instances need stand-ins: it has methods or attributes of its own.

    Exceptions and enumerations are met by identity, and containers are copied.
    """
    if issubclass(cls, (BaseException, enum.Enum, list, tuple, dict, str, int, float, np.ndarray)):
        return False
    return is_user_class(cls) and type(cls) in (type, ABCMeta)


# ---------------------------------------------------------------------------- instances


class Shadow:
    """What a proxy knows: its object, how it was reached (None: made during the trace)."""

    __slots__ = ("interposer", "object", "path", "stored")

    def __init__(self, object: Any, path: Path | None, interposer: Interposer) -> None:
        self.object = object
        self.path = path
        self.interposer = interposer
        self.stored: dict[str, Any] = {}

    def itself(self) -> Any:
        """The object, where it matters which one it is."""
        return self.object

    def load(self, proxy: Any, name: str, after: type | None = None) -> Any:
        """The attribute as interposed code sees it; with `after`, that of super(after, self)."""
        if after is None and name in self.stored:
            return self.stored[name]
        cls = type(self.object)
        base = _base(cls, name, after)
        in_class = self.interposer.stored_in_class(cls, name)
        if in_class is not None and name not in getattr(self.object, "__dict__", ()):
            return in_class[0]
        found = _ABSENT if base is None else vars(base)[name]
        if isinstance(found, property):
            owner = cls if after is None else base
            self.interposer.guard(Path(owner, (Attribute(name),), name), found)
            return self.interposer.wrap(found.fget, None)(proxy)
        if after is None and name in getattr(self.object, "__dict__", ()):
            return self._value(name)
        if isinstance(found, FunctionType):
            self._guard_method(base if after is not None else None, name, found)
            return MethodType(self.interposer.wrap(found, None), proxy)
        if isinstance(found, classmethod):
            return MethodType(
                self.interposer.wrap(found.__func__, None), self.interposer.wrap(cls, None)
            )
        if isinstance(found, staticmethod):
            return self.interposer.wrap(found.__func__, None)
        if isinstance(found, functools.cached_property):
            self.stored[name] = value = self.interposer.wrap(found.func, None)(proxy)
            return value
        if found is _ABSENT:
            return self._missing(proxy, name, cls)
        if hasattr(type(found), "__get__") and not hasattr(type(found), "__set__"):
            return found.__get__(self.object, cls)  # a slot wrapper such as object.__repr__
        return self._value(name)

    def _guard_method(self, base: type | None, name: str, found: FunctionType) -> None:
        """Trace again when a class, or the object itself, has another method of this name."""
        if base is not None or self.path is None:
            self.interposer.guard(Path(base or type(self.object), (), "").attribute(name), found)
        else:
            self.interposer.guard(self.path.attribute(name).attribute("__func__"), found)

    def _value(self, name: str) -> Any:
        path = (self.path or Path(type(self.object), (), "")).attribute(name)
        try:
            value = getattr(self.object, name)
        except AttributeError:
            self.interposer.guard(path, ABSENT)
            raise
        if self.path is None and name in getattr(self.object, "__dict__", ()):
            return value
        return self.interposer.wrap(value, path)

    def _missing(self, proxy: Any, name: str, cls: type) -> Any:
        if name == "__dict__":
            return {key: self.load(proxy, key) for key in vars(self.object)} | self.stored
        fallback = _in_classes(cls, "__getattr__")
        if isinstance(fallback, FunctionType):
            if self.path is not None and hasattr(self.object, "__dict__"):
                own = self.path.attribute("__dict__").item(name)
                self.interposer.guard(own, ABSENT)
            self.interposer.guard(Path(cls, (Attribute(name),), name), ABSENT)
            return self.interposer.wrap(fallback, None)(proxy, name)
        return self._value(name)

    def store(self, proxy: Any, name: str, value: Any) -> None:
        """Set the attribute: on the object if it was made during the trace, else on the side."""
        found = _in_classes(type(self.object), name)
        if isinstance(found, property) and found.fset is not None:
            self.interposer.wrap(found.fset, None)(proxy, value)
        elif self.path is None:
            setattr(self.object, name, value)
        else:
            context.store(self.stored, name, value)


def _in_classes(cls: type, name: str) -> Any:
    """What the class or a base of it defines under a name."""
    base = _base(cls, name)
    return _ABSENT if base is None else vars(base)[name]


def _base(cls: type, name: str, after: type | None = None) -> type | None:
    """The class, or base of it, that defines a name; with `after`, of those behind that one."""
    mro = cls.__mro__[cls.__mro__.index(after) + 1 :] if after else cls.__mro__
    return next((each for each in mro if name in vars(each)), None)


class ObjectProxy:
    """An object of the user's during a trace. Its subclasses define the special methods."""

    __slots__ = ("__weakref__", "_shadow")

    def __getattribute__(self, name: str) -> Any:
        if name in ("__copy__", "__deepcopy__", "_symdiff_type"):
            return object.__getattribute__(self, name)
        shadow = shadow_of(self)
        if name == "__class__":  # isinstance() asks for it too, and needs the class itself
            cls = type(shadow.object)
            if shadow.path is not None:
                shadow.interposer.guard(shadow.path.attribute(name), cls)
            return self._symdiff_type() if _written(sys._getframe(1)) else cls
        return shadow.load(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        shadow_of(self).store(self, name, value)

    def __delattr__(self, name: str) -> None:
        shadow = shadow_of(self)
        if name in shadow.stored:
            del shadow.stored[name]
        elif shadow.path is None:
            delattr(shadow.object, name)
        else:
            what = f"del {type(shadow.object).__name__}.{name}, of an object that outlives the call"
            context.refuse(TraceError(word(what, where=where())))

    def __eq__(self, other: object) -> bool:
        """As for the object itself, which a set or the keys of a dict may hold."""
        if isinstance(other, ObjectProxy):
            other = shadow_of(other).itself()
        return shadow_of(self).itself() is other

    def __hash__(self) -> int:
        return hash(shadow_of(self).itself())

    def _symdiff_type(self) -> Any:
        """What type(self) is in interposed code."""
        shadow = shadow_of(self)
        return shadow.interposer.wrap(type(shadow.object), None)

    def __copy__(self) -> Any:
        shadow = shadow_of(self)
        made = object.__new__(type(shadow.object))
        for name in {**getattr(shadow.object, "__dict__", {}), **shadow.stored}:
            object.__setattr__(made, name, getattr(self, name))
        return proxy_of(made, None, shadow.interposer)

    def __deepcopy__(self, memo: Any) -> Any:
        return ObjectProxy.__copy__(self)


def _written(frame: FrameType) -> bool:
    """Whether the user's code reads an attribute here: `self.__class__(…)`."""
    written = is_user_code(frame.f_code) and frame.f_code.co_filename != "<string>"
    return written and reads_attribute(frame)


def shadow_of(proxy: ObjectProxy) -> Shadow:
    """What the proxy stands for."""
    found = object.__getattribute__(proxy, "_shadow")
    assert isinstance(found, Shadow)
    return found


def proxy_of(value: Any, path: Path | None, interposer: Interposer) -> ObjectProxy:
    """What stands for an object; `path` is None for one made during the trace."""
    return proxy_with(Shadow(value, path, interposer))


def proxy_with(shadow: Shadow) -> ObjectProxy:
    """What stands for the object of a shadow."""
    proxy: ObjectProxy = object.__new__(_proxy_class(type(shadow.object)))
    object.__setattr__(proxy, "_shadow", shadow)
    return proxy


_proxy_classes: WeakKeyDictionary[type, type[ObjectProxy]] = WeakKeyDictionary()


def _proxy_class(cls: type) -> type[ObjectProxy]:
    """Proxies of a class have its special methods, which the language looks up on the type."""
    found = _proxy_classes.get(cls)
    if found is None:
        found = _proxy_classes[cls] = _make_proxy_class(cls)
    return found


def _make_proxy_class(cls: type) -> type[ObjectProxy]:
    special: dict[str, Any] = {"__slots__": ()}
    for each in cls.__mro__[:-1]:
        for name, value in vars(each).items():
            if name.startswith("__") and name.endswith("__") and name not in _OWN:
                special.setdefault(name, _forward(name) if callable(value) else value)
    special["__bool__"] = _truth
    special["_symdiff_real"] = staticmethod(functools.partial(_built, cls))
    return type(cls.__name__, (ObjectProxy,), special)


def _built(cls: type, attributes: dict[str, Any]) -> ObjectProxy:
    """What stands for a new object with these attributes: a tree that was taken apart."""
    made: Any = object.__new__(cls)
    for name, value in attributes.items():
        object.__setattr__(made, name, value)
    running = context.current()
    assert running is not None
    return proxy_of(made, None, running.interposer)


def _forward(name: str) -> Callable[..., Any]:
    def method(self: ObjectProxy, *args: Any, **kwargs: Any) -> Any:
        return shadow_of(self).load(self, name)(*args, **kwargs)

    method.__name__ = name
    return method


def _truth(proxy: ObjectProxy) -> bool:
    """bool(proxy): True where the class does not say, which is remembered."""
    shadow = shadow_of(proxy)
    cls = type(shadow.object)
    for name in ("__bool__", "__len__"):
        if _base(cls, name) is not None:
            return bool(shadow.load(proxy, name)())
        shadow.interposer.guard(Path(cls, (Attribute(name),), name), ABSENT)
    return True


# ---------------------------------------------------------------------------- classes


class ClassProxy:
    """A class of the user's during a trace: its instances and methods are interposed."""

    def __init__(self, cls: type, interposer: Interposer) -> None:
        self.__dict__.update(_symdiff_class=cls, _symdiff_interposer=interposer)
        self.__dict__["_symdiff_stores"] = interposer.stores[cls]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        cls, interposer = self._symdiff_class, self._symdiff_interposer
        plain = "__new__" not in {name for each in cls.__mro__[:-1] for name in vars(each)}
        made: Any = object.__new__(cls) if plain else cls.__new__(cls, *args, **kwargs)
        if not isinstance(made, cls):
            return made
        proxy = proxy_of(made, None, interposer)
        if "__setattr__" in vars(cls):  # frozen: what makes it sets attributes past its methods
            _in_classes(cls, "__init__")(made, *args, **kwargs)
        else:
            shadow_of(proxy).load(proxy, "__init__")(*args, **kwargs)
        return proxy

    def __setattr__(self, name: str, value: Any) -> None:
        context.store(self._symdiff_stores, name, value)

    def __getattr__(self, name: str) -> Any:
        cls, interposer = self._symdiff_class, self._symdiff_interposer
        stored = interposer.stored_in_class(cls, name)
        if stored is not None:
            return stored[0]
        found = _in_classes(cls, name)
        path = Path(cls, (Attribute(name),), name)
        if isinstance(found, classmethod):
            interposer.guard(path.attribute("__func__"), found.__func__)
            return MethodType(interposer.wrap(found.__func__, None), self)
        if isinstance(found, (staticmethod, FunctionType)):
            function = getattr(found, "__func__", found)
            interposer.guard(path, function)
            return interposer.wrap(function, None)
        try:
            value = getattr(cls, name)
        except AttributeError:
            interposer.guard(path, ABSENT)
            raise
        return interposer.wrap(value, path)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self._symdiff_class)

    def __subclasscheck__(self, cls: Any) -> bool:
        return issubclass(getattr(cls, "_symdiff_class", cls), self._symdiff_class)

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return (self._symdiff_class,)

    def __eq__(self, other: object) -> bool:
        return self._symdiff_class is getattr(other, "_symdiff_class", other)

    def __hash__(self) -> int:
        return hash(self._symdiff_class)


def real(proxy: ObjectProxy | ClassProxy, bare: Callable[[Any], Any]) -> Any:
    """The object or class itself; what an object made during the trace holds becomes bare too."""
    if isinstance(proxy, ClassProxy):
        return proxy._symdiff_class
    shadow = shadow_of(proxy)
    if shadow.path is None:
        for name, value in getattr(shadow.object, "__dict__", {}).items():
            object.__setattr__(shadow.object, name, bare(value))
    return shadow.object


class SuperProxy:
    """super(cls, self) where `self` is a proxy."""

    __slots__ = ("_found",)

    def __init__(self, cls: type, proxy: ObjectProxy) -> None:
        self._found = functools.partial(shadow_of(proxy).load, proxy, after=cls)

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, "_found")(name)


@instead_of(super)
def super_(*args: Any) -> Any:
    """super(), which without arguments finds them in the frame of the method that calls it."""
    if not args:
        frame = sys._getframe(1)
        args = frame.f_locals["__class__"], frame.f_locals[frame.f_code.co_varnames[0]]
    cls, instance = args
    cls = getattr(cls, "_symdiff_class", cls)
    if issubclass(type(instance), ObjectProxy):
        return SuperProxy(cls, instance)
    return super(cls, getattr(instance, "_symdiff_class", instance))


@instead_of(dataclasses.replace)
def replace(instance: Any, /, **changes: Any) -> Any:
    """dataclasses.replace: a proxy's copy is one too."""
    if not issubclass(type(instance), ObjectProxy):
        return dataclasses.replace(instance, **changes)
    fields = [each.name for each in dataclasses.fields(instance) if each.init]
    kept = {name: getattr(instance, name) for name in fields if name not in changes}
    return instance._symdiff_type()(**kept, **changes)


@instead_of(vars)
def vars_(*args: Any) -> Any:
    """vars(x): of a proxy, its attributes as interposed code sees them."""
    if not args:
        return sys._getframe(1).f_locals
    return args[0].__dict__ if issubclass(type(args[0]), ObjectProxy) else vars(args[0])
