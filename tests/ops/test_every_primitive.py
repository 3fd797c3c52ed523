"""Tests of each primitive, made from its record: no operation is named here."""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pytest
import sympy

from symdiff.batch import batch
from symdiff.codegen.numpy_source import function_source
from symdiff.ir import Graph, compilation, constant, input_node, node, type_of
from symdiff.ir.text import parse, to_text
from symdiff.ir.verify import verify
from symdiff.ops.primitive import (
    CONSTANT,
    Case,
    Constant,
    Primitive,
    Refused,
    case,
    every_primitive,
    lookup,
    resolve,
)
from symdiff.schedule.expand import expand
from symdiff.schedule.schedule import schedule
from symdiff.testing import check_derivatives, cotangent_graph, directions, run, tangent_graph

ELEMENTWISE_SHAPES = ("", "1", "0", "3", "2,3")
COMPLEX_OF = {np.float32: np.complex64, np.float64: np.complex128}


# ---------------------------------------------------------------------------- samples


@dataclass(frozen=True)
class Sample:
    """One application of a primitive, with the arrays it is applied to."""

    op: Primitive
    case: Case

    def __str__(self) -> str:
        return f"{self.op.name}-{','.join(self.case.args)}" + "".join(
            f"-{key}={value}" for key, value in self.case.params.items()
        )

    def arrays(self, dtype: type = np.float64, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(zlib.crc32(str(self).encode()) + seed)
        made: list[np.ndarray] = []
        for i, spec in enumerate(self.case.args):
            extent = min(made[0].shape, default=1) if made else 3
            made.append(array(spec, rng, dtype, *self.interval(i), extent))
        return made

    def interval(self, index: int) -> tuple[float, float]:
        samples = self.op.samples
        low, high = (
            bound[min(index, len(bound) - 1)] if isinstance(bound, tuple) else bound
            for bound in (samples.low, samples.high)
        )
        return low, high


def array(
    spec: str, rng: np.random.Generator, dtype: type, low: float, high: float, extent: int
) -> np.ndarray:
    """The random array that an operand spec describes."""
    text, _, kind = spec.partition(":")
    shape = tuple(int(each) for each in text[2:-1].split(",") if each)
    if text[0] == "b":
        size = math.prod(shape)
        mask = rng.permutation(size) < int(kind) if kind else rng.random(size) < 0.5
        return mask.reshape(shape)
    if text[0] == "u":
        return rng.integers(0, 256, shape, np.uint8)
    if text[0] == "i":
        return np.asarray(rng.integers(0, max(extent, 1), shape))
    made = rng.uniform(low, high, shape)
    if text[0] == "c":
        made = made + 1j * rng.uniform(-0.5, 0.5, shape)
        dtype = COMPLEX_OF[dtype]
    return np.asarray(KINDS[kind](made, rng), dtype)


def distinct(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x.min(initial=0) + 0.3 * rng.permutation(x.size).reshape(x.shape)


def regular(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x + 4 * np.eye(*x.shape[-2:])


def spd(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(x.shape[-1])


def weighted(place: object, axis: int) -> object:
    """Makes one part along an axis greater than all others together."""

    def heavier(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        x = x.copy()
        np.moveaxis(x, axis, 0)[place] += 8
        return x

    return heavier


KINDS = {
    "first": weighted(0, 0),
    "second": weighted(1, 0),
    "last": weighted(-1, 0),
    "": lambda x, rng: x,
    "positive": lambda x, rng: np.abs(x) + 0.3,
    "distinct": distinct,
    "sorted": lambda x, rng: np.sort(x),
    "regular": regular,
    "spd": spd,
    "sections": lambda x, rng: np.where(np.arange(6) == 3, 1.0, x),
    "dominant": lambda x, rng: np.where(np.arange(x.size), x / 4, 1.0),
    "whole": lambda x, rng: np.floor(np.abs(x)),
}


def cases(op: Primitive) -> Iterator[Case]:
    if op.samples.cases:
        yield from op.samples.cases
    elif op.elementwise:
        for shape in ELEMENTWISE_SHAPES:
            yield case(*[f"f[{shape}]" for _ in op.arguments])
        if takes_complex(op):
            yield case(*["c[3]" for _ in op.arguments])


def takes_complex(op: Primitive) -> bool:
    if not isinstance(op.function, np.ufunc) or not op.samples.complex:
        return False
    try:
        resolve(op.function, (np.dtype(complex),) * len(op.arguments))
    except TypeError:
        return False
    return True


OPS = every_primitive()
SAMPLES = [Sample(op, each) for op in OPS for each in cases(op)]
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)
every_differentiable_sample = pytest.mark.parametrize(
    "sample",
    [
        each
        for each in SAMPLES
        if any(
            spec[0] in "fc" and not isinstance(each.op.rule(i), (Constant, Refused))
            for i, spec in enumerate(each.case.args)
        )
    ],
    ids=str,
)


# ---------------------------------------------------------------------------- tools


@pytest.fixture(autouse=True)
def one_compilation() -> Iterator[None]:
    with compilation():
        yield


def applied(op: Primitive, arrays: list[np.ndarray], params: dict) -> Graph:
    """The graph that applies the primitive to inputs of the types of these arrays."""
    inputs = tuple(input_node(f"x{i}", type_of(each)) for i, each in enumerate(arrays))
    made = node(op, inputs, tuple(sorted(params.items())))
    return Graph(op.name, inputs, (made,))


def without_refused(
    op: Primitive, arrays: list[np.ndarray], params: dict
) -> tuple[Graph, list[np.ndarray]]:
    """The graph and its arrays, what is not differentiated in for want of a formula held."""
    inputs = [input_node(f"x{i}", type_of(each)) for i, each in enumerate(arrays)]
    held = [isinstance(op.rule(i), Refused) for i in range(len(arrays))]
    operands = [
        constant(value[()], each.type) if fixed else each
        for each, value, fixed in zip(inputs, arrays, held, strict=True)
    ]
    made = node(op, tuple(operands), tuple(sorted(params.items())))
    free = [i for i, fixed in enumerate(held) if not fixed]
    graph = Graph(op.name, tuple(inputs[i] for i in free), (made,))
    return graph, [arrays[i] for i in free]


def run_source(graph: Graph, values: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs as the emitted NumPy source computes them."""
    program = schedule(expand(graph))
    source = function_source(program)
    scope = {"np": np, **program.constants}
    if "scipy" in source:
        import scipy.linalg
        import scipy.signal
        import scipy.special

        scope["scipy"] = scipy
    exec(compile(source, "<emitted>", "exec"), scope)
    with np.errstate(all="ignore"):
        result = scope[graph.name](*[each[()] for each in values])
    return list(result) if len(graph.outputs) > 1 else [result]


def assert_same(actual: object, expected: object) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected, strict=True)


# ---------------------------------------------------------------------------- meaning


def test_every_primitive_has_samples_but_those_that_only_expansions_are_made_of():
    assert {each.name for each in OPS if not any(cases(each))} == {
        "part", "slogdet", "svd", "eigh", "eig", "qr", "lstsq", "lu_factor",
        "scipy_eigh", "scipy_eigh_generalized",
        "definite_solve", "regular_solve", "entries_matrix", "entries_solve",
        "sparse_transpose", "sparse_times", "sparse_solve",
        "fresnel", "sici", "shichi", "airy",
        "weighted_logsumexp", "unique", "first_size", "lfilter_from_state",
        "scipy_lu", "scipy_polar",
        "item", "loop", "cond",
        "beginning", "draw", "drawing", "drawn", "generator", "shared",
    }


@every_sample
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_and_value_are_those_of_numpy(sample, dtype):
    arrays = sample.arrays(dtype)
    graph = applied(sample.op, arrays, sample.case.params)
    verify(graph)
    (value,) = run(graph, arrays)
    assert type_of(np.asarray(value)) == graph.outputs[0].type


@every_sample
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_emitted_source_computes_the_same(sample, dtype):
    arrays = sample.arrays(dtype)
    graph = applied(sample.op, arrays, sample.case.params)
    (expected,) = run(graph, arrays)
    (actual,) = run_source(graph, arrays)
    assert_same(actual, expected)


@every_sample
def test_text_is_read_back(sample):
    graph = applied(sample.op, sample.arrays(), sample.case.params)
    text = to_text(graph)
    assert to_text(parse(text, lookup)) == text


# ---------------------------------------------------------------------------- derivatives


@every_differentiable_sample
def test_derivatives_to_order_two(sample):
    check_derivatives(*without_refused(sample.op, sample.arrays(), sample.case.params), order=2)


@every_differentiable_sample
@pytest.mark.parametrize("derivative", [tangent_graph, cotangent_graph])
def test_derivatives_stay_in_float32(sample, derivative):
    rng = np.random.default_rng(1)
    params = sample.case.params
    primal, arrays = without_refused(sample.op, sample.arrays(np.float32), params)
    graph = derivative(primal)
    extra = [np.zeros(each.type.shape, each.type.dtype) for each in graph.inputs[len(arrays) :]]
    values = [*arrays, *directions(extra, rng)]
    exact = [
        each.astype(np.result_type(each, np.float64)) if each.dtype.kind in "fc" else each
        for each in values
    ]
    widened = [
        each.astype(np.result_type(each, np.float64)) if each.dtype.kind in "fc" else each
        for each in sample.arrays(np.float32)
    ]
    wide = derivative(without_refused(sample.op, widened, params)[0])
    for output, actual, expected in zip(
        graph.outputs, run(graph, values), run(wide, exact), strict=True
    ):
        assert type_of(np.asarray(actual)) == output.type
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@every_differentiable_sample
@pytest.mark.parametrize("derivative", [tangent_graph, cotangent_graph])
def test_emitted_derivative_computes_the_same(sample, derivative):
    primal, arrays = without_refused(sample.op, sample.arrays(), sample.case.params)
    graph = derivative(primal)
    extra = [np.zeros(each.type.shape, each.type.dtype) for each in graph.inputs[len(arrays) :]]
    values = [*arrays, *directions(extra, np.random.default_rng(2))]
    for actual, expected in zip(run_source(graph, values), run(graph, values), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-14)
        assert np.asarray(actual).dtype == np.asarray(expected).dtype


def scattered(x, offset=1):
    """The same values, backwards in memory that is not aligned, with rubbish between them."""
    wide = [2 * extent for extent in x.shape]
    memory = np.full(math.prod(wide) * x.itemsize + 1, 77, np.uint8)
    every_other = (slice(None, None, -2),) * x.ndim
    made = np.ndarray(wide, x.dtype, memory.data, offset=offset)[every_other]
    made[...] = x
    made.flags.writeable = False
    return made


ALIGNED = {"scipy_solve", "scipy_inv"}  # SciPy's own functions refuse arrays that are not
IN_ORDER = {"sosfilt"}  # and this one a first argument that is not in C order


@every_differentiable_sample
@pytest.mark.parametrize("layout", [np.asfortranarray, scattered])
def test_emitted_derivative_reads_arrays_of_any_layout(sample, layout):
    primal, arrays = without_refused(sample.op, sample.arrays(), sample.case.params)
    graph = cotangent_graph(primal)
    bars = [np.zeros(each.type.shape, each.type.dtype) for each in graph.inputs[len(arrays) :]]
    values = [*arrays, *directions(bars, np.random.default_rng(2))]
    expected = run_source(graph, values)
    if layout is scattered and sample.op.name in ALIGNED:
        layout = partial(scattered, offset=0)
    laid = [layout(each) if each.ndim else each for each in values]
    if sample.op.name in IN_ORDER:
        laid[0] = values[0]
    for actual, each in zip(run_source(graph, laid), expected, strict=True):
        np.testing.assert_allclose(actual, each, rtol=1e-11, atol=1e-12)


SYMBOLIC = [op for op in OPS if op.sympy and any(r != CONSTANT for r in op.rules.values())]

AWAY_FROM_STEPS = [{"DiracDelta": np.zeros_like}, "scipy", "numpy"]


@pytest.mark.parametrize("op", SYMBOLIC, ids=lambda op: op.name)
def test_partials_are_those_of_sympy(op):
    sample = next(each for each in SAMPLES if each.op is op and "3" in each.case.args[0])
    arrays = sample.arrays()
    symbols = sympy.symbols(f"x:{len(arrays)}", real=True)
    expression = getattr(sympy, op.sympy)(*symbols)
    np.testing.assert_allclose(
        run(applied(op, arrays, sample.case.params), arrays)[0],
        sympy.lambdify(symbols, expression)(*arrays),
    )
    for i, symbol in enumerate(symbols):
        derivative = sympy.lambdify(symbols, expression.diff(symbol), AWAY_FROM_STEPS)(*arrays)
        graph = applied(op, arrays, sample.case.params)
        dots = [np.zeros_like(each) for each in arrays]
        dots[i] += 1
        (actual,) = run(tangent_graph(graph), [*arrays, *dots])
        np.testing.assert_allclose(actual, np.broadcast_to(derivative, actual.shape), rtol=1e-10)


# ---------------------------------------------------------------------------- batching


@every_sample
def test_batching_is_a_loop(sample):
    size = 3
    rows = [sample.arrays(seed=i) for i in range(size)]
    graph = applied(sample.op, rows[0], sample.case.params)
    for which in product((False, True), repeat=len(rows[0])):
        if not any(which) or (len(which) > 3 and sum(which) not in (1, len(which))):
            continue
        stacked = [
            np.stack([row[i] for row in rows]) if own else rows[0][i] for i, own in enumerate(which)
        ]
        inputs = [each for each, own in zip(graph.inputs, which, strict=True) if own]
        batched = batch(graph, inputs, size)
        verify(batched)
        expected = [
            run(graph, [row[i] if own else rows[0][i] for i, own in enumerate(which)])[0]
            for row in rows
        ]
        (actual,) = run(batched, stacked)
        assert type_of(actual) == batched.outputs[0].type
        if batched.outputs[0].type == graph.outputs[0].type:
            actual = np.broadcast_to(actual, (size, *np.shape(actual)))  # the same for all rows
        np.testing.assert_allclose(actual, np.stack(expected), rtol=1e-12, atol=1e-13)
