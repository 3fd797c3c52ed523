"""The records of draws: evaluated on copies of a generator, in order."""

import numpy as np

from symdiff.ir.types import ObjectType, parse_type
from symdiff.ops.draws import drawing, drawn, generator
from symdiff.ops.effects import beginning

CALL = {"given": (), "places": (), "size": (3,), "order": 0, "shape": (3,), "inner": 0, "number": 1}
RESULT = {"index": 0, "dtype": np.dtype(float), "shape": (3,), "weak": False}


def test_evaluation_leaves_the_generator_as_it_is():
    rng = np.random.default_rng(5)
    first = drawing.function(beginning.function(), rng, method="normal", **CALL)
    second = drawing.function(first, rng, method="random", **CALL)
    expected = np.random.default_rng(5)
    np.testing.assert_array_equal(drawn.function(first, **RESULT), expected.normal(size=3))
    np.testing.assert_array_equal(drawn.function(second, **RESULT), expected.random(3))
    np.testing.assert_array_equal(rng.normal(size=3), np.random.default_rng(5).normal(size=3))


def test_source_is_the_call():
    source = drawing.numpy
    given = (("", None), ("", 2.0), ("dtype", "float32"))
    call = {**CALL, "given": given, "places": (0,), "method": "normal"}
    assert source("", "rng", "mu", **call) == "rng.normal(mu, 2.0, size=3, dtype=np.float32)"
    assert source("", "rng", "mu", **{**call, "order": 2, "size": (2, 3)}) == (
        "rng.normal(mu, 2.0, (2, 3), dtype=np.float32)"
    )


def test_types_of_generators():
    params = {"given": (("", 3),), "places": (), "number": 1}
    for maker, kind in (("default_rng", "Generator"), ("RandomState", "RandomState")):
        assert generator.result(maker=maker, **params) == parse_type(kind)
    assert parse_type("Generator") == ObjectType(np.random.Generator) != parse_type("RandomState")
