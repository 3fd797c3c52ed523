"""Paths to captured values, and when a captured value counts as unchanged."""

import threading
import types
from array import array
from collections import ChainMap, Counter, OrderedDict, UserDict, deque

import numpy as np
import pytest

from symdiff import jit
from symdiff.frontend.captured import Attribute, Captured, Item, Keys, Path, same
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import parse_type

MODEL = types.SimpleNamespace(layers=[{"W": np.eye(2), (1, 2): "key"}])
LAYER = Path(MODEL, (), "").attribute("layers").item(0)


def test_path():
    path = LAYER.item("W")
    assert path.name == "layers_0_W"
    assert path.source(lambda _: "root") == "root.layers[0]['W']"
    assert path.read() is MODEL.layers[0]["W"]
    assert path.key == Path(MODEL, (Attribute("layers"), Item(0), Item("W")), "other").key
    names = []
    assert LAYER.item((1, 2)).source(lambda value: names.append(value) or "o") == "o.layers[0][o]"
    assert names == [MODEL, (1, 2)]
    odd = Path(MODEL, (Attribute("not an identifier"),), "")
    assert odd.source(lambda _: "o") == "o(o, 'not an identifier')"


def test_a_value_that_is_gone_does_not_hold():
    for path in (LAYER.item("b"), LAYER.attribute("W"), LAYER.item(0), LAYER.item("W").item("x")):
        assert not Captured(path, None, 1).holds()


def test_an_array_holds_while_its_type_is_the_same():
    with compilation(fresh=True):
        captured = Captured(LAYER.item("W"), input_node("W", parse_type("f64[2,2]")))
    assert captured.holds()
    for other in (np.eye(3), np.eye(2, dtype=np.float32), [[1.0, 0.0], [0.0, 1.0]], 2.0):
        box = Path([other], (Item(0),), "W")
        assert not Captured(box, captured.input).holds()


def test_two_ways_to_one_array():
    array = np.eye(2)
    box = [array, array]
    captured = Captured(Path(box, (Item(0),), "a"), None, Path(box, (Item(1),), "b"))
    assert captured.holds()
    box[0] = array.copy()
    assert not captured.holds()


FUNCTION = lambda: 0
ARRAY = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, 1), (1.5, 1.5), (float("nan"), float("nan")), ("a", "a"), (None, None), (2j, 2j),
        ((1, (2, "a")), (1, (2, "a"))), ([1, 2.0], [1, 2.0]), ({"a": 1}, {"a": 1}), ({1}, {1}),
        (np.float32(1), np.float32(1)), (FUNCTION, FUNCTION), (np, np), (int, int),
        (ARRAY, ARRAY.copy()), (slice(1, 2), slice(1, 2)),
        ([ARRAY], Keys.of([1])), ({"a": ARRAY}, Keys.of({"a": 1})),
    ],
)  # fmt: skip
def test_same(old, new):
    assert same(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, 2), (1, 1.0), (1, True), (0.0, -0.0), ("a", "b"), (None, 0), ((1, 2), (1, 2, 3)),
        ((1, 2), (1, 2.0)), ([1], (1,)), ({"a": 1}, {"b": 1}), ({"a": 1, "b": 1}, {"b": 1, "a": 1}),
        (np.float32(1), np.float64(1)), (FUNCTION, lambda: 0), (np, np.linalg), (ARRAY, ARRAY * 2),
        (ARRAY, ARRAY.astype(np.float32)), ({1}, {2}), (object(), object()),
        ([ARRAY], Keys.of([1, 2])), ({"a": ARRAY}, Keys.of({"b": 1})),
        (OrderedDict(a=1), Keys.of({"a": 1})),
    ],
)  # fmt: skip
def test_not_same(old, new):
    assert not same(old, new)


# ---------------------------------------------------------------------------- changes between calls


class Thing:
    """Something with attributes."""


class Other(Thing):
    """Another class, for the same things."""


def module_function(source):
    """A function of a module of its own, and the module's globals."""
    namespace = {"np": np}
    exec(source, namespace)
    return namespace["f"], namespace


CHANGES = {}


def change(make):
    """A function, and what changes something that it reaches."""
    CHANGES[make.__name__] = make
    return make


@change
def attribute_appears():
    o = Thing()
    return lambda x: x * (3 if hasattr(o, "k") else 2), lambda: setattr(o, "k", 1)


@change
def attribute_goes():
    o = Thing()
    o.k = 1
    return lambda x: x * (3 if hasattr(o, "k") else 2), lambda: delattr(o, "k")


@change
def default_of_getattr():
    o = Thing()
    return lambda x: x * getattr(o, "k", 2.0), lambda: setattr(o, "k", 5.0)


@change
def attribute_of_a_function_appears():
    def g():
        return 1.0

    return lambda x: x * getattr(g, "k", 2.0), lambda: setattr(g, "k", 5.0)


@change
def attribute_of_a_function_is_asked_for():
    def g():
        return 1.0

    return lambda x: x * (3 if hasattr(g, "k") else 2), lambda: setattr(g, "k", 1)


@change
def truth_appears():
    class C:
        pass

    o = C()
    return lambda x: x * (3 if o else 2), lambda: setattr(C, "__bool__", lambda self: False)


@change
def length_appears():
    class C:
        pass

    o = C()
    return lambda x: x * (3 if o else 2), lambda: setattr(C, "__len__", lambda self: 0)


@change
def truth_is_overridden():
    class C:
        def __len__(self):
            return 0

    o = C()
    return lambda x: x * (3 if o else 2), lambda: setattr(C, "__bool__", lambda self: True)


@change
def attribute_error_is_handled():
    o = Thing()

    def f(x):
        try:
            return x * o.k
        except AttributeError:
            return x

    return f, lambda: setattr(o, "k", 5.0)


@change
def attribute_of_the_class_appears():
    class C:
        pass

    o = C()
    return lambda x: x * getattr(o, "k", 2.0), lambda: setattr(C, "k", 5.0)


@change
def attribute_of_a_class_appears():
    class C:
        pass

    return lambda x: x * getattr(C, "k", 2.0), lambda: setattr(C, "k", 5.0)


@change
def attribute_of_a_new_object_appears():
    class C:
        pass

    return lambda x: x * getattr(C(), "k", 2.0), lambda: setattr(C, "k", 5.0)


@change
def slot_is_filled():
    class C:
        __slots__ = ("k",)

    o = C()
    return lambda x: x * getattr(o, "k", 2.0), lambda: setattr(o, "k", 5.0)


@change
def fallback_is_not_asked_any_more():
    class C:
        def __getattr__(self, name):
            return 2.0

    o = C()
    return lambda x: x * o.k, lambda: setattr(o, "k", 5.0)


@change
def fallback_is_covered_by_the_class():
    class C:
        def __getattr__(self, name):
            return 2.0

    o = C()
    return lambda x: x * o.k, lambda: setattr(C, "k", 5.0)


@change
def attribute_of_the_class_is_covered():
    class C:
        k = 2.0

    o = C()
    return lambda x: x * o.k, lambda: setattr(o, "k", 5.0)


@change
def method_is_covered_by_the_object():
    class C:
        def m(self):
            return 2.0

    o = C()
    return lambda x: x * o.m(), lambda: setattr(o, "m", lambda: 5.0)


@change
def method_is_replaced():
    class C:
        def m(self):
            return 2.0

    o = C()
    return lambda x: x * o.m(), lambda: setattr(C, "m", lambda self: 5.0)


@change
def method_called_by_its_class_is_replaced():
    class C:
        def m(self):
            return 2.0

    return lambda x: x * C.m(None), lambda: setattr(C, "m", lambda self: 5.0)


@change
def class_method_is_replaced():
    class C:
        @classmethod
        def m(cls):
            return 2.0

    return lambda x: x * C.m(), lambda: setattr(C, "m", classmethod(lambda cls: 5.0))


@change
def method_is_overridden():
    class B:
        def m(self):
            return 2.0

    class C(B):
        pass

    o = C()
    return lambda x: x * o.m(), lambda: setattr(C, "m", lambda self: 5.0)


@change
def inherited_method_is_replaced():
    class B:
        def m(self):
            return 2.0

    class C(B):
        def m(self):
            return super().m() + 1

    o = C()
    return lambda x: x * o.m(), lambda: setattr(B, "m", lambda self: 5.0)


@change
def property_appears():
    class C:
        pass

    o = C()
    o.k = 2.0
    return lambda x: x * o.k, lambda: setattr(C, "k", property(lambda self: 5.0))


@change
def class_of_an_object_changes():
    o = Thing()
    return (
        lambda x: x * (3 if isinstance(o, Other) else 2),
        lambda: setattr(o, "__class__", Other),
    )


@change
def object_is_of_another_class():
    box = types.SimpleNamespace(o=1.0)
    return lambda x: x * (3 if isinstance(box.o, int) else 2), lambda: setattr(box, "o", 1)


@change
def key_appears():
    d = {"a": 1}
    return lambda x: x * (3 if "k" in d else 2), lambda: d.update(k=1)


@change
def key_of_a_dict_of_arrays_appears():
    d = {"a": np.ones(2)}
    return lambda x: x * np.sum(d.get("k", 2.0)), lambda: d.update(k=np.full(2, 4.0))


@change
def key_of_a_user_dict_changes():
    d = UserDict(a=1.0)
    return lambda x: x * d["a"], lambda: d.update(a=3.0)


@change
def key_behind_a_chain_changes():
    d = {"a": 1.0}
    chain = ChainMap({}, d)
    return lambda x: x * chain["a"], lambda: d.update(a=4.0)


@change
def key_behind_a_proxy_changes():
    d = {"a": 1.0}
    proxy = types.MappingProxyType(d)
    return lambda x: x * proxy["a"], lambda: d.update(a=3.0)


@change
def key_behind_a_proxy_appears():
    d = {"a": 1.0}
    proxy = types.MappingProxyType(d)
    return lambda x: x * proxy.get("k", 2.0), lambda: d.update(k=3.0)


@change
def value_of_a_thread_changes():
    own = threading.local()
    own.weight = 2.0
    return lambda x: x * own.weight, lambda: setattr(own, "weight", 4.0)


@change
def bytes_change():
    data = bytearray(b"ab")
    return lambda x: x * data[0], lambda: data.__setitem__(0, 5)


@change
def array_of_pythons_changes():
    data = array("d", [1.0, 2.0])
    return lambda x: x * data[0], lambda: data.__setitem__(0, 5.0)


@change
def array_of_objects_changes():
    data = np.array([1.0, "a"], dtype=object)
    return lambda x: x * data[0], lambda: data.__setitem__(0, 5.0)


@change
def field_of_a_record_changes():
    data = np.array([(1.0, 2.0)], dtype=[("a", float), ("b", float)])
    return lambda x: x * data["a"][0], lambda: data["a"].__setitem__(0, 5.0)


@change
def coefficient_of_a_polynomial_changes():
    p = np.poly1d([2.0, 1.0])
    return lambda x: x * p[1], lambda: p.__setitem__(1, 5.0)


@change
def list_grows():
    values = [1, 2]
    return lambda x: x * len(values), lambda: values.append(3)


@change
def list_of_arrays_grows():
    arrays = [np.ones(2)]
    return lambda x: x * sum(np.sum(each) for each in arrays), lambda: arrays.append(np.ones(3))


@change
def list_of_objects_grows():
    things = [Thing()]
    return lambda x: x * len(things), lambda: things.append(Thing())


@change
def dict_is_reordered():
    d = {"a": 1.0, "b": 2.0}
    return lambda x: x * next(iter(d.values())), lambda: d.update(a=d.pop("a"))


@change
def set_of_objects_grows():
    one, things = Thing(), {Thing()}
    return lambda x: x * (3 if one in things else 2), lambda: things.add(one)


@change
def deque_grows():
    arrays = deque([np.ones(2)])
    return lambda x: x * len(arrays), lambda: arrays.append(np.ones(2))


@change
def counter_counts():
    counts = Counter("aab")
    return lambda x: x * counts["a"], lambda: counts.update("a")


@change
def builtin_is_covered():
    f, space = module_function("def f(x): return x * len([1, 2])")
    return f, lambda: space.update(len=lambda values: 7)


@change
def builtin_class_is_covered():
    f, space = module_function("def f(x): return x * float(2)")
    return f, lambda: space.update(float=lambda value: 7)


@change
def builtin_is_uncovered():
    f, space = module_function("def len(x): return 7\ndef f(x): return x * len([1, 2])")
    return f, lambda: space.pop("len")


@change
def global_appears():
    f, space = module_function(
        "def f(x):\n    try: return x * k\n    except NameError: return x"
    )
    return f, lambda: space.update(k=7.0)


@change
def name_in_globals():
    f, space = module_function("def f(x): return x * (3 if 'k' in globals() else 2)")
    return f, lambda: space.update(k=7.0)


@change
def attribute_of_a_module_appears():
    module = types.ModuleType("users")
    return lambda x: x * getattr(module, "k", 2.0), lambda: setattr(module, "k", 5.0)


@change
def code_of_a_function_is_replaced():
    def h(x):
        return x

    def other(x):
        return x * 5

    return lambda x: h(x), lambda: setattr(h, "__code__", other.__code__)


@change
def defaults_are_replaced():
    def h(x, k=2.0):
        return x * k

    return lambda x: h(x), lambda: setattr(h, "__defaults__", (5.0,))


@change
def attributes_are_counted():
    o = Thing()
    return lambda x: x * (len(vars(o)) + 1), lambda: setattr(o, "k", 5.0)


@change
def array_becomes_none():
    o = Thing()
    o.w = np.ones(3)
    return lambda x: x if o.w is None else x * np.sum(o.w), lambda: setattr(o, "w", None)


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_is_traced_anew(name):
    function, apply = CHANGES[name]()
    compiled = jit(function)
    before = compiled(2.0)
    assert before == function(2.0) == compiled(2.0)
    assert compiled.cache_info().misses == 1
    apply()
    assert compiled(2.0) == function(2.0) != before
    assert compiled(2.0) == function(2.0)
    assert compiled.cache_info().misses == 2
