"""Stand-ins for objects and classes behave as what they stand for."""

import copy
import dataclasses
import enum
import functools

import numpy as np
import pytest

from symdiff import TraceError
from symdiff.frontend import Tracer
from symdiff.frontend.context import Context, tracing
from symdiff.frontend.interpose import Interposer
from symdiff.frontend.objects import ClassProxy, ObjectProxy, has_proxy
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import type_of

X = np.array([1.0, 2.0])


def run(function):
    """The result of a function of one traced array."""
    with compilation(fresh=True), tracing(Context()):
        return Interposer()(function, Tracer(input_node("x", type_of(X)), True))


class Base:
    kind = "base"

    def __init__(self, value, name="n"):
        self.value = value
        self._name = name

    @property
    def name(self):
        return self._name

    @name.setter
    def name(self, new):
        self._name = new + "!"

    def __add__(self, other):
        return Base(self.value + other.value)

    def __getitem__(self, index):
        return self.value[index]

    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return iter(self.value)

    def __eq__(self, other):
        return isinstance(other, Base) and self._name == other._name

    def __hash__(self):
        return hash(self._name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    @functools.cached_property
    def squared(self):
        return self.value * self.value

    @classmethod
    def make(cls, value):
        return cls(value, "made")


class Derived(Base):
    kind = "derived"

    def __getattr__(self, name):
        if name.startswith(("no_", "__")):
            raise AttributeError(name)
        return name.upper()

    def __call__(self, x):
        return super().__len__() * x


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: object
    y: float = 2.0

    def total(self):
        return np.sum(np.array([self.x, self.y]))


OUTSIDE = Derived(X.copy(), "outside")


def test_an_object_from_outside():
    def function(x):
        assert isinstance(OUTSIDE, Derived)
        assert isinstance(OUTSIDE, Base)
        assert not isinstance(OUTSIDE, Point)
        assert type(OUTSIDE) is Derived
        assert OUTSIDE.__class__ is Derived
        assert OUTSIDE.__class__(x).name == "n"
        assert OUTSIDE.kind == Derived.kind == "derived"
        assert len(OUTSIDE) == 2
        assert isinstance(OUTSIDE[0], np.float64)
        assert isinstance(OUTSIDE[:1], np.ndarray)
        assert len(list(OUTSIDE)) == 2
        assert OUTSIDE == OUTSIDE
        assert {OUTSIDE: 1}[OUTSIDE] == 1
        assert OUTSIDE.missing == "MISSING"
        assert not hasattr(OUTSIDE, "no_such")
        assert getattr(OUTSIDE, "no_such", 5) == 5
        assert set(vars(OUTSIDE)) == {"value", "_name"}
        assert OUTSIDE.squared is OUTSIDE.squared
        assert callable(OUTSIDE)
        with OUTSIDE as same:
            assert same is OUTSIDE
        return OUTSIDE(x)

    assert isinstance(run(function), Tracer)
    assert vars(OUTSIDE).keys() == {"value", "_name"}


def test_stores_stay_in_the_trace():
    def function(x):
        OUTSIDE.name = "new"
        OUTSIDE.extra = 1
        assert (OUTSIDE.name, OUTSIDE._name, OUTSIDE.extra) == ("new!", "new!", 1)
        del OUTSIDE.extra
        assert OUTSIDE.extra == "EXTRA"
        return x

    run(function)
    assert OUTSIDE.name == "outside"
    with pytest.raises(TraceError, match=r"del Derived\.value"):
        run(lambda x: delattr(OUTSIDE, "value"))


def test_objects_made_inside():
    def function(x):
        made = Derived.make(x)
        both = made + OUTSIDE
        assert type(made) is Derived
        assert type(both) is Base
        assert made.name == "made"
        copied = copy.copy(made)
        copied.value = both.value
        assert made.value is x
        assert copy.deepcopy(OUTSIDE).name == "outside"
        point = dataclasses.replace(Point(x[0]), y=3.0)
        return made, copied.squared, point.total(), Point(x[0]).total(), both

    made, squared, total, _, both = run(function)
    assert type(made) is Derived
    assert type(both) is Base
    assert isinstance(squared, Tracer)
    assert isinstance(total, Tracer)


def test_classes():
    def function(x):
        class Inner(Base):
            def __init__(self):
                super().__init__(x)

        assert isinstance(Inner(), Base)
        assert issubclass(Derived, Base)
        assert Base in Derived.__mro__
        assert Derived.__name__ == "Derived"
        assert {Base: 1}[Base] == 1
        assert Derived != Base
        assert Color.RED is Color(1)
        try:
            raise ValueError("own")
        except ValueError:
            return Inner().value

    assert isinstance(run(function), Tracer)


def test_what_gets_a_stand_in():
    assert has_proxy(Base)
    assert not has_proxy(Color)
    assert not has_proxy(dict)
    assert not has_proxy(type("Problem", (ValueError,), {}))
    interposer = Interposer()
    assert type(interposer.wrap(Base, None)) is ClassProxy
    proxy = interposer.wrap(OUTSIDE, None)
    assert issubclass(type(proxy), ObjectProxy)
    assert interposer.wrap(OUTSIDE, None) is proxy
    assert interposer.bare([proxy, {"a": proxy}]) == [OUTSIDE, {"a": OUTSIDE}]
