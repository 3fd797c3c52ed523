"""trace: arguments of any tree, results of any tree, and the names of leaves."""

from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from symdiff import TraceError, jit
from symdiff.frontend.trace import identifier


def test_identifiers():
    assert identifier("W") == "W"
    assert identifier("weights[3]") == "weights_3"
    assert identifier('params["W"]') == "W"
    assert identifier('layers[0]["W"]') == "layers_0_W"
    assert identifier("model.W") == "W"


def test_trees_in_and_out():
    def f(params, *rest, scale=2.0, **options):
        return {"a": params["W"] * scale, "b": [rest[0], options["c"] + 1, None, "text"]}

    got = jit(f)({"W": np.ones(2)}, 3.0, c=4.0)
    assert got["b"] == [3.0, 5.0, None, "text"]
    np.testing.assert_array_equal(got["a"], [2.0, 2.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (each for each in x),
        lambda x: [1, map(abs, x)],
        lambda x: {"f": lambda: x},
        lambda x: SimpleNamespace(parts=[1, {"x": x}]),
    ],
    ids=count(),
)
def test_a_result_that_hides_traced_values_is_refused(function):
    with pytest.raises(TraceError, match="the result holds a"):
        jit(function)(np.ones(2))


def test_a_result_that_is_not_computed_is_itself():
    kept = SimpleNamespace(x=1)
    made = jit(lambda x: (kept, np.sin, len, dict, x))(1.0)
    assert made == (kept, np.sin, len, dict, 1.0)


def test_ints_that_decide_shapes_retrace():
    f = jit(lambda x, n: np.sum(x[:n]) + sum(i for i in range(n)))
    x = np.arange(5.0)
    assert [f(x, n) for n in (2, 3, 2)] == [2.0, 6.0, 2.0]
    assert f.cache_info().misses == 2
