"""Trees: flattened, built back, reached and written as source."""

from collections import namedtuple
from dataclasses import dataclass

from symdiff.frontend.pytree import (
    Layout,
    Static,
    flatten,
    layout_of,
    leaf_sources,
    path_source,
    tree_source,
    tree_text,
    tuple_spec,
    unflatten,
)

Pair = namedtuple("Pair", "x y")


@dataclass
class Model:
    W: object
    layers: list


TREE = {"p": Pair(1.0, (2.0, None)), "m": Model(3.0, [4.0])}


def test_messages_show_a_tree_with_stars():
    text = '{"m": Model(W=*, layers=[*]), "p": Pair(x=*, y=(*, *))}'
    assert tree_text(flatten(TREE)[1]) == text
    assert tree_text(flatten({(1, 2): 3.0})[1]) == "{(1, 2): *}"


def test_round_trip():
    leaves, spec = flatten(TREE)
    assert sorted(leaves, key=str) == sorted([3.0, 4.0, 1.0, 2.0, None], key=str)
    assert unflatten(spec, leaves) == TREE
    assert flatten(TREE)[1] == spec


def test_paths():
    _, spec = flatten(TREE)
    paths = [path_source("t", accessor) for accessor in spec.accessors()]
    assert paths == leaf_sources("t", spec)
    assert paths == ['t["m"].W', 't["m"].layers[0]', 't["p"].x', 't["p"].y[0]', 't["p"].y[1]']


def test_sources():
    layout = layout_of(({"a": 0, 2: [1]}, Static(None), (2,)))
    assert layout.plain
    texts = iter(["x", "y", "None", "z"])
    order = tree_source(layout.spec, texts)
    assert eval(order, {"x": 1, "y": 2, "z": 3})[2] == (3,)
    assert not layout_of(Pair(0, 1)).plain
    assert not Layout(layout.spec, layout.leaves, finish=list).plain


def test_tuple_spec():
    a, b = flatten([1, 2])[1], flatten(3)[1]
    assert tuple_spec([a, b]) == flatten(([1, 2], 3))[1]
