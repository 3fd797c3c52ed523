"""What the tests of composed functions share: example arrays, and one check of everything."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from symdiff.codegen.numpy_source import function_source
from symdiff.frontend import Tracer
from symdiff.ir import Graph, compilation, input_node, type_of
from symdiff.ir.verify import verify
from symdiff.schedule.expand import expand
from symdiff.schedule.schedule import schedule
from symdiff.testing import check_derivatives, run

_RNG = np.random.default_rng(0)
ARRAYS = {
    "x": _RNG.uniform(-2, 2, (3, 4)),
    "y": _RNG.uniform(0.5, 2, (3, 4)),
    "v": _RNG.uniform(-2, 2, 4),
    "w": _RNG.uniform(0.5, 2, 4),
    "q": _RNG.uniform(-2, 2, (2, 3, 4)),
    "s": np.asarray(0.7),
    "e": np.zeros((0, 3)),
    "z": _RNG.uniform(-2, 2, 5) + 1j * _RNG.uniform(-2, 2, 5),
    "single": _RNG.uniform(-2, 2, (40, 50)).astype(np.float32),
    "half": _RNG.uniform(-2, 2, 9).astype(np.float16),
    "long": _RNG.uniform(-2, 2, 20_000).astype(np.float32),
    "n": _RNG.integers(-3, 4, (3, 4)),
    "small": _RNG.integers(-3, 4, 5).astype(np.int8),
    "m": _RNG.random((3, 4)) < 0.5,
    "gaps": np.array([[1.0, np.nan, -2.0], [np.inf, 0.5, np.nan]]),
    "a": _RNG.uniform(-1, 1, (3, 3)) + 3 * np.eye(3),
    "b": _RNG.uniform(-2, 2, 3),
    "stack": _RNG.uniform(-1, 1, (2, 3, 3)) + 3 * np.eye(3),
}


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def traced(expression: str) -> tuple[Graph, list[np.ndarray]]:
    """The graph of an expression over the example arrays, and those that it reads."""
    code = compile(expression, "<expression>", "eval")
    names = [name for name in code.co_names if name in ARRAYS]
    values = [ARRAYS[name] for name in names]
    inputs = tuple(input_node(n, type_of(v)) for n, v in zip(names, values, strict=True))
    tracers = {each.name: Tracer(each, is_array=True) for each in inputs}
    result = eval(code, {"np": np, **tracers})
    parts = result if isinstance(result, (tuple, list)) else [result]
    graph = Graph("f", inputs, tuple(each.node for each in parts))
    verify(graph)
    return graph, values


def run_emitted(graph: Graph, values: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs as the emitted source computes them."""
    program = schedule(expand(graph))
    scope = {"np": np, **program.constants}
    exec(function_source(program), scope)
    result = scope["f"](*[each[()] for each in values])
    return list(result) if len(graph.outputs) > 1 else [result]


def _check(expression: str, order: int = 1) -> None:
    graph, values = traced(expression)
    with np.errstate(all="ignore"):
        result = eval(expression, {"np": np, **ARRAYS})
        expected = list(result) if isinstance(result, (tuple, list)) else [result]
        for found in (run(graph, values), run_emitted(graph, values)):
            for actual, each in zip(found, expected, strict=True):
                np.testing.assert_array_equal(np.asarray(actual), np.asarray(each), strict=True)
    doubles = all(each.dtype.itemsize * each.dtype.isnative >= 8 for each in values)
    if order and doubles:
        check_derivatives(graph, values, order)


@pytest.fixture
def check() -> Callable[..., None]:
    """`check("np.mean(x)")`: value, bits and type as NumPy's, in emitted code too; derivatives."""
    return _check


@pytest.fixture
def emitted() -> Callable[[str], str]:
    """`emitted("np.mean(x)")`: the source of the expression."""

    def source(expression: str) -> str:
        graph, _ = traced(expression)
        return function_source(schedule(expand(graph)))

    return source
