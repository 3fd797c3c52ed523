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


def test_scipy_is_beside_the_library(names):
    call = names["SCIPY_CALLS"]["scipy.special.expit"]
    assert call.over(np)(np.zeros(2)).tolist() == [0.5, 0.5]


def test_what_is_timed_runs(names):
    for name, call in (names["CALLS"] | names["SCIPY_CALLS"]).items():
        if names["with_derivative"](call):
            with np.errstate(all="ignore"):
                assert names["Loss"].of(call, **names["SIZES"]["small"]), name


def test_a_square_result_is_not_that_large(names):
    assert names["of_sizes"](names["CALLS"]["np.outer"])["large"] == names["SQUARE"]
    assert names["of_sizes"](names["CALLS"]["np.sin"]) == names["SIZES"]


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


RIGHT = {"symdiff": dict.fromkeys(("reverse", "forward", "second"), "right")}


def row_of(names, name, gradient, written=0.0, cost=""):
    """Its value takes 3 µs, NumPy's call 2, and its gradient this at the large size."""
    own = {"symdiff value": 3.0, "symdiff gradient written": written}
    times = {
        "small": {"NumPy": 2.0, "symdiff gradient": 4.0} | own,
        "large": {"NumPy": 2.0, "symdiff gradient": gradient} | own,
    }
    return names["Row"](name, f"{name}(x)", RIGHT, times, cost)


def test_the_page_has_a_row_for_each_function(names):
    row = row_of(names, "np.sin", 30.0)
    row.verdicts = {"symdiff": {"reverse": "right", "forward": "wrong", "second": "TypeError"}}
    page = names["report"]([row], {"is made of sizes": ["np.zeros"]})
    assert "| symdiff | 1 | 0 | 0 | 1 |" in page
    assert "| `np.sin(x)` | 2.0 | r ~~f~~ | 1.5 / 1.5 | 2.0 / 15.0 (!) |" in page
    assert "| is made of sizes | `np.zeros` |" in page
    assert "1 calls take longer" in page and "| **no reason** | `np.sin(x)` |" in page


def test_what_takes_long_needs_a_reason(names):
    why = "takes a loop"
    rows = [
        row_of(names, "np.fast", 11.0),
        row_of(names, "np.view", 17.0, written=3.0),
        row_of(names, "np.slow", 17.0),
        row_of(names, "np.said", 17.0, cost=why),
    ]
    assert names["complaints"](rows) == ["np.slow takes longer than allowed"]
    page = names["report"](rows, {})
    assert f"| {why} | `np.said(x)` |" in page
    assert f"| {names['WRITES']} | `np.view(x)` |" in page


def test_a_reason_is_no_longer_needed(names):
    why = "takes a loop"
    near, far = (row_of(names, "np.said", taken, cost=why) for taken in (10.0, 5.0))
    assert names["complaints"]([near]) == []
    assert names["complaints"]([far]) == [f"np.said need not say that it {why}"]
    assert names["complaints"]([far, near]) == []
