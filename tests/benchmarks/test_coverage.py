"""The sample calls, and what the comparison with other libraries counts as right."""

import runpy
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def names(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # the benchmarks are scripts beside each other
    return runpy.run_path(str(BENCHMARKS / "coverage.py"))


def test_a_call_is_named_after_what_is_called(names):
    calls = names["CALLS"]
    assert calls["np.linalg.solve"].text == "np.linalg.solve(A, b)"
    assert calls["np.linalg.solve"].names == ("b", "A")
    assert calls["ndarray.sum"].text == "x.sum()"
    assert calls["ufunc.reduce"].text.startswith("np.")


def test_what_a_call_changes_is_its_result(names):
    call = names["CALLS"]["np.put"]
    given = call.arguments()
    changed = call.over(np)(*given)
    w = given[call.names.index("w")]
    assert changed.shape == w.shape and (changed != w).any()


def test_what_is_timed_runs(names):
    for name, call in names["CALLS"].items():
        if names["with_derivative"](call):
            with np.errstate(all="ignore"):
                assert names["Loss"].of(call, **names["SIZES"]), name


@pytest.mark.parametrize("name", ["np.sin", "np.linalg.solve", "np.where", "np.imag", "np.nansum"])
def test_a_right_derivative_counts(names, name):
    loss = names["with_derivative"](names["CALLS"][name])
    assert set(names["verdicts"](names["Symdiff"](), loss).values()) == {"right"}


def test_a_wrong_derivative_is_found(names):
    class Wrong(names["Symdiff"]):
        def gradient(self, function, count):
            right = super().gradient(function, count)
            return lambda *given: [2 * each for each in right(*given)]

        def tangent(self, function, given, dots):
            raise NotImplementedError

    found = names["verdicts"](Wrong(), names["with_derivative"](names["CALLS"]["np.sin"]))
    assert found == {"reverse": "wrong", "forward": "NotImplementedError", "second": "wrong"}


@pytest.mark.parametrize("name", ["np.argsort", "np.shape", "np.floor", "ndarray.byteswap"])
def test_what_does_not_move_has_no_derivative(names, name):
    assert names["with_derivative"](names["CALLS"][name]) is None


def test_the_page_has_a_row_for_each_function(names):
    row = names["Row"](
        "np.sin",
        "np.sin(x)",
        {"symdiff": {"reverse": "right", "forward": "wrong", "second": "TypeError"}},
        {"NumPy": 2.0, "symdiff value": 3.0, "symdiff gradient": 30.0},
    )
    page = names["report"]([row], {"is made of sizes": ["np.zeros"]})
    assert "| symdiff | 1 | 0 | 0 | 1 |" in page
    assert "| `np.sin(x)` | 2.0 | r ~~f~~ | 1.5 | 15.0 (!) |" in page
    assert "| is made of sizes | `np.zeros` |" in page
