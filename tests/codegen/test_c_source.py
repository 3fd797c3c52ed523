"""C forms, executed: all records in one translation unit, against NumPy."""

import ctypes
import math
import re
import subprocess
import warnings
import zlib

import numpy as np
import pytest

import symdiff
from symdiff.codegen.c_source import ROUTINES, RUN, c_source
from symdiff.errors import CompileError
from symdiff.ir import Graph, compilation, input_node, node
from symdiff.ir.types import array_type
from symdiff.ops import elementwise as e
from symdiff.ops.evaluate import evaluate
from symdiff.ops.order import sort
from symdiff.ops.primitive import Called, Primitive, every_primitive, lookup
from symdiff.ops.reductions import argsort
from symdiff.runtime import compiler
from symdiff.schedule.lower import lower

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror",
          "-Wno-unused-function")
DTYPES = [np.dtype(name) for name in ("f8", "f4", "i8", "i4", "u1", "?")]
FLOATS = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.5, 3.7, 1e-3, 20.25, -700.0, 710.0, 1e300, -1e22,
          np.inf, -np.inf, np.nan, 5e-324, 1e-310)
INTEGERS = (0, 1, -1, 2, -3, 7, 100, -100, 2**31 - 1, -(2**31), 2**62, -(2**63))


def special_values(dtype: np.dtype) -> np.ndarray:
    """Values at which functions go wrong, and ordinary ones; no multiple of a number of lanes."""
    if dtype.kind == "f":
        with np.errstate(all="ignore"):
            ordinary = np.linspace(-3, 3, 14)
            return np.concatenate([np.array(FLOATS), ordinary]).astype(dtype)
    if dtype.kind == "b":
        return np.array([False, True, True])
    info = np.iinfo(dtype)
    return np.array([each for each in INTEGERS if info.min <= each <= info.max], dtype)


def run_c(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """What the C source of a graph computes, compiled with warnings as errors."""
    with compilation():
        program = lower(graph)
    source = c_source({RUN: program})
    library = compiler.load(source, ROUTINES)
    given = [np.ascontiguousarray(each) for each in (*arrays, *program.constants)]
    made = [np.full(each.shape, 77, each.dtype) for each in program.results]
    work = np.full(program.work + 64, 0xFF, np.uint8)
    start = -work.ctypes.data % 64
    pointers = [
        (ctypes.c_void_p * (len(each) + 1))(*(array.ctypes.data for array in each))
        for each in (given, made)
    ]
    status = library.handle.symdiff_run(*pointers, ctypes.c_void_p(work.ctypes.data + start))
    assert status == 0
    return made


def has_c_form(graph: Graph) -> bool:
    try:
        with compilation():
            lower(graph)
    except CompileError:
        return False
    return True


CANCEL = {"logaddexp"}  # near 0, what is left of numbers near 1


def same(op: str, found: np.ndarray, expected: np.ndarray, ulps: int = 8) -> None:
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype, op
    assert found.shape == expected.shape, op
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=op)
        return
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=op)
    tiny = 1 if op.partition(" ")[0] in CANCEL else np.finfo(expected.dtype).tiny
    ok = (found == expected) | np.isnan(expected)
    with np.errstate(all="ignore"):
        near = np.abs(found - expected) <= ulps * np.spacing(np.maximum(np.abs(expected), tiny))
    wrong = np.flatnonzero(~(ok | near))
    assert not wrong.size, f"{op}: {found.flat[wrong[0]]} is not {expected.flat[wrong[0]]}"


def is_scipys(op: Primitive) -> bool:
    """Whether C calls SciPy's own function, which takes very long at some special values."""
    return getattr(op.c, "__module__", "") == "symdiff.ops.scipy_pointers"


def elementwise_samples() -> list[tuple[Primitive, tuple[np.ndarray, ...]]]:
    """Each elementwise primitive without parameters, at special values of all dtypes it takes."""
    found = []
    for op in every_primitive():
        if not op.elementwise or op.variadic or not op.c or op.expansion or op is e.convert:
            continue
        if is_scipys(op) and op.samples.cases:  # of whole numbers
            continue
        for dtype in DTYPES:
            values = special_values(dtype)
            count = len(op.arguments)
            if is_scipys(op):
                arrays = tuple(np.linspace(0.2 + 0.1 * i, 0.8, 21).astype(dtype)
                               for i in range(count))
            elif op is e.where:
                a, b = (each.ravel() for each in np.meshgrid(values, values))
                arrays = ((np.arange(a.size) % 3 == 0), a, b)
            elif count == 2:
                arrays = tuple(each.ravel() for each in np.meshgrid(values, values))
            else:
                arrays = (values,)
            found.append((op, arrays))
    return found


def params_of(op: Primitive) -> tuple:
    """Parameters that a sample of the record has."""
    case = next(iter(op.samples.cases), None)
    return tuple((case.params if case else {}).items())


@pytest.fixture(scope="module")
def every_form():
    """Each applicable sample with its value in C; all of them are one program."""
    kept = []
    with compilation(fresh=True):
        for op, arrays in elementwise_samples():
            inputs = [input_node("x", array_type(a.dtype, a.shape)) for a in arrays]
            try:
                made = node(op, tuple(inputs), params_of(op))
                with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                    expected = op.function(*arrays, **(
                        {} if isinstance(op.function, np.ufunc) else dict(params_of(op))))
            except (TypeError, ValueError, np.exceptions.DTypePromotionError):
                continue  # not for this dtype
            if np.asarray(expected).dtype != made.type.dtype:
                continue
            if has_c_form(Graph("f", tuple(inputs), (made,))):
                kept.append((op, arrays, inputs, made, expected))
        inputs = [each for sample in kept for each in sample[2]]
        arrays = [each for sample in kept for each in sample[1]]
        graph = Graph("f", tuple(inputs), tuple(sample[3] for sample in kept))
        found = run_c(graph, arrays)
    return [(op, a, value, expected)
            for (op, a, _, _, expected), value in zip(kept, found, strict=True)]


def test_every_elementwise_form_agrees_with_numpy(every_form):
    assert len(every_form) > 150
    failed = []
    for op, arrays, found, expected in every_form:
        if op.name == "gammaln":  # SciPy's is infinite near 0
            expected = np.where(np.abs(arrays[0]) < 1e-300, found, expected)
        # some of SciPy's are less accurate in single precision than what C calls in double
        rough = is_scipys(op) and arrays[-1].dtype == np.float32
        try:
            same(f"{op.name} of {arrays[-1].dtype}", found, expected, 1000 if rough else 8)
        except AssertionError as error:
            failed.append(str(error).strip()[:300])
    assert not failed, "\n".join(failed)



KINDS = {
    "sorted": np.sort,
    "regular": lambda x: x + 4 * np.eye(*x.shape[-2:]),
    "spd": lambda x: x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-1]),
    "positive": lambda x: np.abs(x) + 0.3,
}


def array(spec: str, dtype: type, extent: int, rng: np.random.Generator) -> np.ndarray:
    """An array as a sample of a record describes it."""
    text, _, kind = spec.partition(":")
    shape = tuple(int(each) for each in text[2:-1].split(",") if each)
    if spec[0] == "i":
        return rng.integers(0, extent, shape)
    if spec[0] == "b":
        size = math.prod(shape)
        return (rng.permutation(size) < int(kind or size // 2)).reshape(shape)
    made = rng.normal(size=shape)
    return KINDS.get(kind, np.asarray)(made).astype(dtype)


def moving_samples() -> list[tuple[Primitive, tuple, list[np.ndarray]]]:
    """The samples of primitives that are not elementwise, in double and single precision."""
    found = []
    for op in every_primitive():
        if op.elementwise or op.control:
            continue
        for case in op.samples.cases:
            if any(spec[0] not in "fib" for spec in case.args):
                continue
            rng = np.random.default_rng(zlib.crc32(f"{op.name}{case}".encode()))
            for dtype in (np.float64, np.float32):
                arrays: list[np.ndarray] = []
                for spec in case.args:
                    extent = min(arrays[0].shape, default=1) if arrays else 3
                    arrays.append(array(spec, dtype, extent, rng))
                found.append((op, tuple(case.params.items()), arrays))
    return found


def test_every_other_form_agrees_with_numpy():
    kept = []
    with compilation(fresh=True):
        for op, params, arrays in moving_samples():
            inputs = [input_node("x", array_type(a.dtype, a.shape)) for a in arrays]
            made = node(op, tuple(inputs), params)
            graph = Graph("f", tuple(inputs), (made,))
            if has_c_form(graph):
                expected = evaluate([made], dict(zip(inputs, arrays, strict=True)))[0]
                kept.append((op, arrays, inputs, made, expected))
        inputs = [each for sample in kept for each in sample[2]]
        arrays = [each for sample in kept for each in sample[1]]
        graph = Graph("f", tuple(inputs), tuple(sample[3] for sample in kept))
        found = run_c(graph, arrays)
    assert len(kept) > 150
    for (op, _, _, _, expected), value in zip(kept, found, strict=True):
        expected = np.asarray(expected)
        assert value.dtype == expected.dtype, op.name
        tolerance = 1e-5 if expected.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance, err_msg=op.name)


def special_samples() -> list[tuple[Primitive, tuple, list[np.ndarray]]]:
    """Functions of whole arrays at special values of all dtypes."""
    found = []
    for op in every_primitive():
        for case in op.samples.cases * isinstance(op.c, Called):
            kinds = {spec.partition(":")[2] for spec in case.args if spec[0] == "f"}
            if kinds - {"", "distinct", "sorted"} or case.args[0][0] != "f":
                continue
            rng = np.random.default_rng(zlib.crc32(f"{op.name}{case}".encode()))
            for dtype in DTYPES:
                arrays = [array(spec, np.float64, 3, rng) for spec in case.args]
                for i, spec in enumerate(case.args):
                    if spec[0] == "f":
                        arrays[i] = rng.choice(special_values(dtype), arrays[i].shape)
                    if "sorted" in spec:
                        arrays[i] = np.sort(arrays[i])
                found.append((op, tuple(case.params.items()), arrays))
    return found


def test_functions_of_arrays_agree_with_numpy_at_special_values():
    kept = []
    with compilation(fresh=True), np.errstate(all="ignore"):
        for op, params, arrays in special_samples():
            try:
                expected = np.asarray(op.function(*arrays, **dict(params)))
            except (ValueError, TypeError, np.linalg.LinAlgError):
                continue
            inputs = [input_node("x", array_type(a.dtype, a.shape)) for a in arrays]
            made = node(op, tuple(inputs), params)
            if expected.dtype == made.type.dtype and has_c_form(Graph("f", tuple(inputs), (made,))):
                kept.append((op, arrays, inputs, made, expected))
        inputs = [each for sample in kept for each in sample[2]]
        arrays = [each for sample in kept for each in sample[1]]
        graph = Graph("f", tuple(inputs), tuple(sample[3] for sample in kept))
        found = run_c(graph, arrays)
    assert len(kept) > 100
    for (op, own, _, _, expected), value in zip(kept, found, strict=True):
        said = f"{op.name} of {own}"
        assert value.dtype == expected.dtype, said
        np.testing.assert_allclose(value, expected, rtol=1e-13, err_msg=said)


@pytest.mark.parametrize("dtype", ["f8", "i4"])
def test_any_length_is_sorted(dtype):
    lengths = [0, 1, 2, 15, 16, 17, 31, 33, 64, 100, 257]
    rng = np.random.default_rng(3)
    arrays = [rng.integers(0, 1 + n // 2, n).astype(dtype) for n in lengths]
    with compilation(fresh=True):
        inputs = [input_node("x", array_type(each.dtype, each.shape)) for each in arrays]
        options = (("axis", 0), ("kind", "stable"))
        made = [node(op, (each,), options) for each in inputs for op in (sort, argsort)]
        found = run_c(Graph("f", tuple(inputs), tuple(made)), arrays)
    for i, each in enumerate(arrays):
        np.testing.assert_array_equal(found[2 * i], np.sort(each))
        np.testing.assert_array_equal(found[2 * i + 1], np.argsort(each, kind="stable"))


def test_a_function_that_cannot_go_on_ends_the_program():
    x = np.array([[1.0, 2.0], [np.nan, np.nan]])
    with compilation(fresh=True):
        given = input_node("x", array_type(x.dtype, x.shape))
        made = node(lookup("nanargmax"), (given,), (("axis", 1), ("keepdims", False)))
        graph = Graph("f", (given,), (made,))
        with pytest.raises(AssertionError):
            run_c(graph, [x])
        assert run_c(graph, [np.where(np.isnan(x), 0, x)])[0].tolist() == [1, 0]


def program(*nodes_of, shapes, dtype=np.float64):
    """The C source of a graph over inputs of these shapes."""
    with compilation(fresh=True):
        inputs = [input_node(f"x{i}", array_type(dtype, shape)) for i, shape in enumerate(shapes)]
        outputs = tuple(make(*inputs) for make in nodes_of)
        return c_source({RUN: lower(Graph("f", tuple(inputs), outputs))})


def test_equal_kernels_are_written_once():
    def twice(x, y):
        first = node(e.tanh, (node(e.add, (x, y)),))
        return node(e.tanh, (node(e.add, (first, node(e.sin, (y,)))),))

    source = program(twice, shapes=[(40,), (40,)])
    assert len(re.findall(r"SD_KERNEL void k\d+", source)) == source.count("    k0(") + 0


def test_the_source_compiles_without_a_warning(tmp_path, every_form):
    """Under strict flags, for the whole of what is written in any program."""
    with compilation(fresh=True):
        nodes, inputs = [], []
        samples = [(op, params_of(op), arrays) for op, arrays, _, _ in every_form]
        for op, params, arrays in samples + moving_samples() + special_samples():
            own = [input_node("x", array_type(a.dtype, a.shape)) for a in arrays]
            try:
                made = node(op, tuple(own), params)
            except (TypeError, ValueError):
                continue  # not for this dtype
            if has_c_form(Graph("f", tuple(own), (made,))):
                inputs += own
                nodes.append(made)
        source = c_source({RUN: lower(Graph("f", tuple(inputs), tuple(nodes)))})
    path = tmp_path / "program.c"
    path.write_text(source)
    flags = [each for each in compiler.FLAGS if each != "-O2"]
    command = [*compiler.compiler().command, *flags, *STRICT, "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr[:3000]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_matrices_times_vectors(dtype, monkeypatch):
    """All remainders of rows and lanes, by rows and by columns."""
    monkeypatch.setattr("symdiff.codegen.c_source.MOST", 0)  # else small ones are others
    rng = np.random.default_rng(0)
    sizes = [(m, k) for m in (1, 2, 3, 4, 5, 9) for k in (9, 15, 16, 17, 33)]
    arrays = [(rng.normal(size=size).astype(dtype), rng.normal(size=size[1]).astype(dtype))
              for size in sizes]

    def f(pairs):
        return [(a @ x, x @ np.transpose(a), np.transpose(a) @ (a @ x)) for a, x in pairs]

    found = symdiff.jit(f, backend="c")
    for own, expected in zip(found(arrays), f(arrays), strict=True):
        for one, other in zip(own, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4 if dtype == np.float32 else 1e-12,
                                       atol=1e-5 if dtype == np.float32 else 1e-14)
    assert "rows_" in found.compiled.c_source
