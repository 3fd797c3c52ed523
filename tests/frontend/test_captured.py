"""Paths to captured values, and when a captured value counts as unchanged."""

import types
from collections import OrderedDict

import numpy as np
import pytest

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
