"""Every public function of NumPy's is in one of three states, and that is what becomes of it."""

import re
import runpy
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdiff import check_grads, grad, jit
from symdiff.errors import NotDifferentiableError, RuleError, TraceError, UnsupportedFunctionError
from symdiff.frontend import states
from symdiff.frontend.states import CONSTANT, DIFFERENTIATED, REFUSED, Stated
from symdiff.inspect import coverage

ROOT = Path(__file__).parents[2]
# By path: the benchmarks are scripts, in no package that could be imported from here.
CALLS = runpy.run_path(str(ROOT / "benchmarks" / "calls.py"))["CALLS"]
PAGE = ROOT / "docs" / "coverage.md"
DECLARED = "symdiff/frontend/states.py"


def test_every_function_is_in_one_state():
    wrong = []
    for name in coverage.public():
        try:
            coverage.state(name)
        except RuleError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "declared", "message"),
    [
        ("np.save", None, "np.save is in no state"),
        ("np.sin", Stated(REFUSED, "is not traced", "Use np.cos."), "np.sin is traced now"),
        ("np.tri", Stated(CONSTANT, "is of sizes"), "nothing traces it"),
        ("np.floor", Stated(CONSTANT, "is a step"), "has a record, which says what it is"),
    ],
)
def test_a_function_in_no_state_or_in_two_is_found(monkeypatch, name, declared, message):
    monkeypatch.setitem(states.DECLARED, name, declared)
    if declared is None:
        monkeypatch.delitem(states.DECLARED, name)
    with pytest.raises(RuleError, match=message):
        coverage.state(name)


def test_other_names_of_a_function_have_its_state():
    assert coverage.state("np.abs") == coverage.state("np.absolute")
    assert coverage.state("ndarray.argsort") == coverage.state("np.argsort")
    assert coverage.state("ndarray.shape").word == CONSTANT
    assert coverage.state("ndarray.tobytes").word == REFUSED


def test_every_function_has_a_sample_call():
    missing = sorted(set(coverage.public()) - CALLS.keys())
    assert not missing, f"give them a line in benchmarks/calls.txt: {', '.join(missing)}"


def calls(word: str) -> list[Any]:
    """The sample calls of the functions in this state."""
    return [pytest.param(CALLS[name], id=name) for name in names_of(word) if name in CALLS]


def names_of(word: str) -> Iterator[str]:
    for name in coverage.public():
        with suppress(RuleError):  # which has a test of its own
            if coverage.state(name).word == word:
                yield name


@pytest.mark.parametrize("call", calls(DIFFERENTIATED))
def test_what_is_differentiated_has_its_derivative(call):
    function, arguments = call.over(np), call.arguments()
    constant = f"{call.text} has no derivative: declare {call.name} constant in {DECLARED}"
    try:
        check_grads(function, arguments, order=1)
    except NotDifferentiableError:
        pytest.fail(constant, pytrace=False)
    wrt = [i for i, each in enumerate(arguments) if each.dtype.kind in "fc"]
    slopes = grad(lambda *args: weighted(function(*args)), argnums=wrt)(*arguments)
    assert any(np.any(each) for each in slopes), constant


def weighted(result):
    """A sum of all numbers in a result, each with a weight of its own."""
    if isinstance(result, (tuple, list)):
        return sum(map(weighted, result))
    weights = np.sin(np.arange(1, np.size(result) + 1)).reshape(np.shape(result))
    return np.sum(np.real(result) * weights) + np.sum(np.imag(result) * weights)


@pytest.mark.parametrize("call", calls(CONSTANT))
def test_what_is_constant_gives_numpys_result(call):
    function = call.over(np)
    assert_same(jit(function)(*call.arguments()), function(*call.arguments()))


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, (tuple, list)):
        for each in zip(actual, expected, strict=True):
            assert_same(*each)
    elif isinstance(expected, (np.ndarray, np.generic)):
        np.testing.assert_array_equal(actual, expected, strict=True)
    elif type(expected).__eq__ is not object.__eq__:
        assert actual == expected


@pytest.mark.parametrize("call", calls(REFUSED))
def test_what_is_refused_says_where_and_what_to_write(call):
    function = call.over(np)
    try:
        jit(function)(*call.arguments())
    except (TraceError, UnsupportedFunctionError) as error:
        what, where, *depends, way_out = str(error).split("\n  ")
        assert where == f"calls.txt:{call.line}: {call.text}"
        assert bool(depends) == bool(call.names)
        assert all(each.startswith("depends on argument") for each in depends)
        own = what.startswith((call.text.partition("(")[0], f"`.{call.name.partition('.')[2]}`"))
        assert way_out == coverage.state(call.name).way_out or not own
    else:
        pytest.fail(f"{call.name} is traced now: remove its line from {DECLARED}", pytrace=False)


def test_the_page_is_what_the_registry_says(golden):
    page = coverage.page()
    written = re.search(r"of NumPy ([0-9.]+),", PAGE.read_text("utf-8")) if PAGE.exists() else None
    if written and not np.__version__.startswith(written[1]):
        pytest.skip("the page is of another NumPy")
    golden("../../docs/coverage.md", page)
