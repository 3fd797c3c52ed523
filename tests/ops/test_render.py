"""One application of a primitive as source: operators, parentheses, templates, keywords."""

import numpy as np
import pytest
import scipy.special

from symdiff.ir import parse_type
from symdiff.ops import elementwise as e
from symdiff.ops import linalg, reductions, shaping
from symdiff.ops.primitive import Primitive, every_primitive
from symdiff.ops.render import PRODUCT, SUM, UNARY, Source, dtype_source, function_source, render

SUMMED = Source("a + b", SUM)
X = Source("x")


def source(op: Primitive, *args: Source, types: str = "f64[3,4]", **params: object) -> str:
    kinds = [parse_type(types)] * len(args)
    return render(op, tuple(sorted(params.items())), args, kinds).text


@pytest.mark.parametrize(
    ("op", "args", "expected"),
    [
        (e.multiply, (SUMMED, X), "(a + b) * x"),
        (e.add, (SUMMED, X), "a + b + x"),
        (e.subtract, (X, SUMMED), "x - (a + b)"),
        (e.add, (X, Source("-2 * y", PRODUCT)), "x - 2 * y"),
        (e.add, (X, Source("-y", UNARY)), "x - y"),
        (e.add, (X, Source("-y % 3", PRODUCT)), "x + -y % 3"),
        (e.subtract, (X, Source("-y", UNARY)), "x - -y"),
        (e.power, (SUMMED, X), "(a + b) ** x"),
        (e.power, (Source("-x", 8), X), "(-x) ** x"),
        (e.negative, (SUMMED,), "-(a + b)"),
        (e.negative, (X,), "-x"),
        (e.less, (Source("a < b", 1), X), "(a < b) < x"),
        (e.greater, (SUMMED, X), "a + b > x"),
        (e.bitwise_and, (Source("a < b", 1), Source("a | b", 2)), "(a < b) & (a | b)"),
        (linalg.matmul, (SUMMED, X), "(a + b) @ x"),
        (e.tanh, (SUMMED,), "np.tanh(a + b)"),
        (e.absolute, (SUMMED,), "np.abs(a + b)"),
        (e.real, (SUMMED,), "(a + b).real"),
        (e.modf_fraction, (SUMMED,), "np.modf(a + b)[0]"),
        (e.where, (X, SUMMED, X), "np.where(x, a + b, x)"),
    ],
)
def test_operators_and_functions(op, args, expected):
    assert source(op, *args) == expected


def test_axes_are_written_as_by_hand():
    assert source(reductions.sum_, X, axis=(0, 1), keepdims=False) == "x.sum()"
    assert source(reductions.sum_, SUMMED, axis=(0,), keepdims=False) == "np.sum(a + b, axis=0)"
    text = source(reductions.max_, X, axis=(1,), keepdims=True)
    assert text == "np.max(x, axis=1, keepdims=True)"
    assert source(reductions.argmax, X, axis=None, keepdims=False) == "x.argmax()"
    assert source(reductions.argsort, X, axis=1, kind=None) == "np.argsort(x)"
    assert source(reductions.cumsum, X, axis=0, types="f64[3]") == "np.cumsum(x)"


def test_dtypes_are_written_as_by_hand():
    params = {"axis": (0,), "keepdims": False, "dtype": np.dtype("f8")}
    assert source(reductions.sum_, X, **params) == "np.sum(x, axis=0, dtype=np.float64)"
    assert dtype_source(np.dtype(bool)) == "np.bool_"
    assert dtype_source(np.dtype(np.longdouble)) == "np.longdouble"


def test_shapes_are_written_as_by_hand():
    assert source(shaping.reshape, SUMMED, shape=(12,)) == "(a + b).ravel()"
    assert source(shaping.reshape, X, shape=(3, 1, 4)) == "x[:, None]"
    assert source(shaping.reshape, X, shape=(2, 6)) == "x.reshape(2, 6)"
    assert source(shaping.transpose, SUMMED, axes=(1, 0)) == "(a + b).T"
    assert source(shaping.broadcast_to, SUMMED, shape=(2, 3)) == "np.broadcast_to(a + b, (2, 3))"


def test_conversions_are_written_as_by_hand():
    single = np.dtype(np.float32)
    assert source(e.convert, SUMMED, dtype=single, weak=False) == "(a + b).astype(np.float32)"
    assert source(e.convert, X, types="float", dtype=single, weak=False) == "np.float32(x)"
    assert source(e.convert, X, types="i64[]", dtype=np.dtype(float), weak=True) == "float(x)"


def test_functions_are_called_by_their_public_names():
    assert function_source(e.tanh) == "np.tanh"


def test_ufuncs_that_compute_into_arrays_are_called_by_names_that_there_are():
    for op in every_primitive():
        if isinstance(op.function, np.ufunc) and op.elementwise and op.function.nout == 1:
            assert eval(function_source(op), {"np": np, "scipy": scipy}) is op.function
