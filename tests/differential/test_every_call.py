"""What holds of each function that is differentiated, as benchmarks/calls.txt calls it."""

import runpy
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdiff
from symdiff.errors import RuleError, TraceError
from symdiff.frontend.pytree import flatten
from symdiff.frontend.states import DIFFERENTIATED
from symdiff.inspect import coverage

ROOT = Path(__file__).parents[2]
# By path: the benchmarks are scripts, in no package that could be imported from here.
CALLS = runpy.run_path(str(ROOT / "benchmarks" / "calls.py"))["CALLS"]
NARROW = {"f": np.float32, "c": np.complex64}
NUMBER = {"np.linalg.tensordot"}  # a number, which NumPy returns as an array without axes
# By the values that they are given: they cannot be mapped over.
DECIDED = {"np.real_if_close", "np.trim_zeros", "np.asarray_chkfinite"}
COMPLEX = {"np.linalg.eig", "np.linalg.eigvals"}  # always complex, as the conventions say

SIZED = {  # by their values, so that the rows of a batch would differ
    "np.intersect1d",
    "np.setdiff1d",
    "np.setxor1d",
    "np.union1d",
    "np.unique",
    "np.unique_all",
    "np.unique_counts",
    "np.unique_inverse",
    "np.unique_values",
}


def differentiated() -> list[Any]:
    found = []
    for name, call in CALLS.items():
        with suppress(RuleError):  # of a function that NumPy does not have any more
            if coverage.state(name).word == DIFFERENTIATED:
                found.append(pytest.param(call, id=name))
    return found


every_call = pytest.mark.parametrize("call", differentiated())


def total(result):
    """A sum of all numbers in a result, each with a weight of its own."""
    parts = []
    for each in flatten(result)[0]:
        weights = np.sin(np.arange(1, np.size(each) + 1)).reshape(np.shape(each))
        known = np.where(np.isnan(each), 0, each)
        parts.append(np.sum(np.real(known) * weights) + np.sum(np.imag(known) * weights))
    return sum(parts)


def taken_apart(call):
    """Its sum as a function of what it can be differentiated by, and these arguments."""
    function, arguments = call.over(np), call.arguments()
    wrt = [i for i, each in enumerate(arguments) if np.asarray(each).dtype.kind in "fc"]

    def loss(*values):
        given = list(arguments)
        for i, value in zip(wrt, values, strict=True):
            given[i] = value
        return total(function(*given))

    return loss, [arguments[i] for i in wrt]


def gradient(loss, values, **options):
    return symdiff.grad(loss, argnums=tuple(range(len(values))), **options)


def dtype_of(value):
    return np.asarray(value).dtype


@every_call
def test_the_value_is_numpys(call):
    function, arguments = call.over(np), call.arguments()
    actual, tree = flatten(symdiff.jit(function)(*arguments))
    expected, expected_tree = flatten(function(*call.arguments()))
    assert tree == expected_tree
    for one, other in zip(actual, expected, strict=True):
        assert type(one) is type(other) or call.name in NUMBER
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-15)


@every_call
def test_second_derivatives(call):
    loss, values = taken_apart(call)
    symdiff.check_grads(loss, values, order=2)


@every_call
def test_in_single_precision(call):
    loss, values = taken_apart(call)
    narrow = [np.asarray(each).astype(NARROW[each.dtype.kind])[()] for each in values]
    function = call.over(np)
    given = iter(narrow)
    arguments = [
        next(given) if np.asarray(each).dtype.kind in "fc" else each for each in call.arguments()
    ]
    expected = flatten(function(*[np.copy(each)[()] for each in arguments]))[0]
    actual = flatten(symdiff.jit(function)(*arguments))[0]
    if call.name not in COMPLEX:
        assert list(map(dtype_of, actual)) == list(map(dtype_of, expected))
    for bar, wide, like in zip(
        gradient(loss, narrow)(*narrow), gradient(loss, values)(*values), narrow, strict=True
    ):
        assert bar.dtype == like.dtype
        scale = np.max(np.abs(wide), initial=1)
        np.testing.assert_allclose(bar, wide, rtol=2e-2, atol=2e-3 * scale)


@every_call
def test_gradients_of_a_batch(call):
    loss, values = taken_apart(call)
    one = gradient(loss, values)
    if call.name in DECIDED:
        with pytest.raises(symdiff.TraceError, match="only types are known"):
            symdiff.vmap(one)(*[np.stack([each]) for each in values])
        return
    near = [each * each.dtype.type(1 + 2.0**-10) for each in values]
    rows = [np.stack(pair) for pair in zip(values, near, strict=True)]
    if call.name in SIZED:
        with pytest.raises(TraceError, match="only types are known"):
            symdiff.vmap(one)(*rows)
        return
    batched = symdiff.vmap(one)(*rows)
    for row, point in enumerate((values, near)):
        for bar, own in zip(batched, one(*point), strict=True):
            scale = np.max(np.abs(own), initial=1)
            np.testing.assert_allclose(bar[row], own, rtol=1e-8, atol=1e-9 * scale)


@every_call
@pytest.mark.parametrize("options", [{"reuse": True}, {"math": "ieee"}, {"math": "fast"}], ids=str)
def test_other_ways_to_compile(call, options):
    loss, values = taken_apart(call)
    expected = gradient(loss, values)(*values)
    for bar, own in zip(gradient(loss, values, **options)(*values), expected, strict=True):
        np.testing.assert_allclose(bar, own, rtol=1e-9, atol=1e-12)
