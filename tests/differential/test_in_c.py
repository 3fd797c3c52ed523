"""The algorithms of examples/programs and random programs with backend="c", against NumPy."""

import random
import warnings

import numpy as np
import pytest

import symdiff
from symdiff.api import native
from symdiff.errors import CompileError
from symdiff.schedule import split
from tests.differential.as_python import leaves, loss, of_floats
from tests.differential.plain_programs import load
from tests.differential.test_example_programs import PROGRAMS

TOLERANCE = 1e-8


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """The compiler does as little as it can."""
    monkeypatch.setenv("CFLAGS", "-O0")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def agree(found, expected):
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        assert type(one) is type(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        size = np.max(np.abs(other), initial=1, where=np.isfinite(other))
        np.testing.assert_allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * size)


@pytest.mark.parametrize("name", PROGRAMS)
def test_algorithms(name):
    function, (args, *_) = PROGRAMS[name]
    number, point = of_floats(loss(function), args)
    everywhere = tuple(range(len(point)))
    in_c, in_numpy = (
        symdiff.value_and_grad(number, everywhere, backend=each) for each in ("c", "numpy")
    )
    agree(in_c(*point), in_numpy(*point))
    assert in_c.compiled.c_source


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed, tmp_path):
    check(seed, tmp_path)


@pytest.mark.parametrize("seed", range(1, 40, 6))
def test_random_programs_cut_at_random(seed, tmp_path, monkeypatch):
    """As if a third of the operations had no C form."""
    refusal = split._Splitting.refusal

    def refused(self, each):
        kind = f"{seed} {each.op.name} {each.type} {[str(arg.type) for arg in each.args]}"
        return "not now" if random.Random(kind).random() < 0.3 else refusal(self, each)

    def nothing_whole(work):
        raise CompileError("not now")

    monkeypatch.setattr(split._Splitting, "refusal", refused)
    monkeypatch.setattr(split, "WORTH", 2)
    monkeypatch.setattr(native, "program_of", nothing_whole)
    check(seed, tmp_path)


def check(seed, tmp_path):
    """At three inputs, so that decisions fall out otherwise."""
    program = load(seed, tmp_path)
    in_c, in_numpy = (
        symdiff.value_and_grad(program, (0, 1), backend=each) for each in ("c", "numpy")
    )
    rng = np.random.default_rng(seed)
    for _ in range(3):
        args = rng.normal(size=3), rng.normal(size=(4, 3))
        expected = in_numpy(*args)
        if np.isfinite(expected[0]) and abs(expected[0]) < 1e5:
            agree(in_c(*args), expected)
