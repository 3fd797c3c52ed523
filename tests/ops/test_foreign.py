"""The records of a call of the user's function."""

import numpy as np

from symdiff.ir.types import array_type
from symdiff.ops.foreign import at, literal_source, piece, stacked, step_source

PATH = (("item", "a"), ("attribute", "mean"), ("item", 0))


def test_ways_into_trees():
    assert step_source(PATH) == '["a"].mean[0]'
    assert at({"a": [1, (2, 3)]}, (("item", "a"), ("item", 1), ("item", 0))) == 2


def test_literals():
    assert literal_source("fast") == '"fast"'
    assert literal_source('a"b') == "'a\"b'"
    assert literal_source(2.5) == "2.5"


def test_pieces_and_stacks():
    type = array_type(np.float64, (2,))
    one = {"a": np.ones(2)}
    path = (("item", "a"),)
    assert piece("f").function(one, path, type) is one["a"]
    assert stacked("f").function([one, one], path, type).shape == (2, 2)
    assert stacked("f").numpy("rows", path, type) == 'np.stack([_row["a"] for _row in rows])'
