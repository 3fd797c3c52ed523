"""Types of arguments as text, and values of those types."""

import numpy as np
import pytest

from symdiff.errors import UsageError
from symdiff.frontend.parameters import parameters_of
from symdiff.inspect.arguments import argument_trees, parse_argument, parse_tree, samples, stand_ins


@pytest.mark.parametrize(
    "text",
    ["f64[5, 7]", "f64[]", "f32", "float", "{'W': f64[3], 'b': [i64[2], None]}", "(2, 0.5)", "'m'"],
)
def test_trees_print_as_they_are_written(text):
    assert repr(parse_tree(text)).replace(" ", "") == text.replace(" ", "")


def test_stand_ins_and_samples_have_the_type():
    tree = parse_tree("{'a': f32[2,3], 'n': int, 's': f64, 'z': c128[2], 'v': 3, 'm': bool[4]}")
    for made in (stand_ins(tree), samples(tree, np.random.default_rng(0))):
        assert (made["a"].dtype, made["a"].shape) == (np.float32, (2, 3))
        assert type(made["n"]) is int
        assert type(made["s"]) is np.float64
        assert made["z"].dtype == complex
        assert made["v"] == 3
        assert made["m"].dtype == bool


def test_samples_lie_in_an_interval():
    made = samples(parse_tree("f64[100]"), np.random.default_rng(0), (2.0, 3.0))
    assert 2 <= made.min() <= made.max() <= 3


@pytest.mark.parametrize("kind", [np.random.Generator, np.random.RandomState])
def test_random_generators(kind):
    tree = parse_tree(f"[{kind.__name__}, f64]")
    assert repr(tree[0]) == kind.__name__
    for made in (stand_ins(tree), samples(tree, np.random.default_rng(0))):
        assert type(made[0]) is kind


def test_where_types_come_from():
    def f(a, b: "f64[3]", c: float, d=4): ...  # noqa: F821 - a type of symdiff

    name, tree = parse_argument(" a : f64[2] ")
    trees = argument_trees("f", parameters_of(f), {name: tree})
    assert [repr(each) for each in trees] == ["f64[2]", "f64[3]", "float", "4"]
    with pytest.raises(UsageError, match="the type of `a` is not known"):
        argument_trees("f", parameters_of(f), {})
    with pytest.raises(UsageError, match="no argument 'z'"):
        argument_trees("f", parameters_of(f), {"z": 1})


@pytest.mark.parametrize("text", ["x", "x: ", "x: q64[3]", "x: f64[", "x: f()"])
def test_what_is_no_argument(text):
    with pytest.raises(UsageError):
        parse_argument(text)
