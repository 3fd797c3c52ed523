"""Fourier transforms of NumPy and SciPy, as users call them."""

import numpy as np
import pytest
import scipy.fft

import symdiff
from symdiff.testing import check_grads

RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((3, 4, 5))
COMPLEX = REAL + 1j * RNG.standard_normal((3, 4, 5))
OVER_ONE = ({}, {"n": 8}, {"n": 3, "norm": "ortho"}, {"axis": 0, "norm": "forward"})
OVER_SEVERAL = (
    {},
    {"axes": (0,), "norm": "forward"},
    {"s": (6, 3), "axes": (0, 1)},
    {"s": (-1, 7), "axes": (-1, 0), "norm": "ortho"},
)


def qualified(function):
    return f"{function.__module__}.{function.__name__}"


def calls():
    for library in (np.fft, scipy.fft):
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
            for suffix in ("", "2", "n"):
                function = getattr(library, name + suffix, None)
                for options in OVER_SEVERAL if suffix else OVER_ONE:
                    if function is not None:
                        name_of = f"{library.__name__}.{name}{suffix}-{options}"
                        yield pytest.param(function, options, id=name_of)


def values_for(function):
    return [REAL] if function.__name__.startswith(("rfft", "ihfft")) else [REAL, COMPLEX]


@pytest.mark.parametrize(("function", "options"), list(calls()))
def test_value_and_derivatives(function, options):
    def transform(x):
        return function(x, **options)

    for x in values_for(function):
        expected = transform(x)
        np.testing.assert_array_equal(symdiff.jit(transform)(x), expected, strict=True)
        weights = RNG.standard_normal(expected.shape)
        check_grads(lambda x: np.sum(np.abs(transform(x)) ** 2 * weights), (x,), order=1)


@pytest.mark.parametrize("dtype", ["f2", "f4", "i4", "?", "g"])
@pytest.mark.parametrize(
    "function", [np.fft.fft, np.fft.rfft, np.fft.irfft, np.fft.fftn, scipy.fft.fft], ids=qualified
)
def test_dtypes_are_those_of_the_library(function, dtype):
    x = np.ones((3, 4), dtype)
    np.testing.assert_array_equal(symdiff.jit(lambda x: function(x))(x), function(x), strict=True)
    if x.dtype.kind == "f":
        (bar,) = symdiff.vjp(lambda x: function(x), x)[1](function(x))
        assert bar.dtype == x.dtype


@pytest.mark.parametrize("n", [1, 2, 5, 8, 1000])
@pytest.mark.parametrize("function", [np.fft.fftfreq, np.fft.rfftfreq, scipy.fft.fftfreq],
                         ids=qualified)
def test_frequencies_of_a_traced_distance(function, n):
    assert np.array_equal(symdiff.jit(lambda d: function(n, d))(0.37), function(n, 0.37))
    check_grads(lambda d: np.sum(function(n, d) ** 2), (0.3,))


@pytest.mark.parametrize("function", [np.fft.fftshift, np.fft.ifftshift, scipy.fft.fftshift],
                         ids=qualified)
def test_shifts(function):
    check_grads(lambda x: np.sum(function(x, axes=(0, 2)) ** 3 * REAL), (REAL,))
    check_grads(lambda x: np.sum(function(x) ** 3 * REAL), (REAL,))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: np.fft.rfft(1j * x), TypeError, "complex"),
        (lambda x: np.fft.fftn(x, axes=(0, 0)), symdiff.UnsupportedFunctionError, "twice"),
        (lambda x: np.fft.fft(x, 0), ValueError, "data points"),
        (lambda x: np.fft.fft(x, norm="unit"), ValueError, "norm value unit"),
        (lambda x: np.fft.fft(np.sum(x)), np.exceptions.AxisError, "out of bounds"),
        (lambda x: np.fft.fftn(x, s=(3,), axes=(0, 1)), ValueError, "different lengths"),
        (lambda x: scipy.fft.fft(x, sign=1), TypeError, "sign"),
        (lambda x: scipy.fft.dct(x, 5), ValueError, "type 5"),
        (lambda x: scipy.fft.dct(x[:1], 1, axis=0), ValueError, "two elements"),
    ],
)
def test_what_libraries_refuse_is_refused(function, error, message):
    with pytest.raises(error, match=message):
        symdiff.grad(lambda x: np.sum(np.abs(function(x))))(REAL)


WAVES = """
    dct(x) dct(x,1) dct(x,3,norm='ortho') dct(x,4,axis=0) dct(x,2,7,norm='forward') idct(x,1)
    idct(x) idct(x,3,3,0) idct(x,norm='ortho') dct(x,2,norm='ortho',orthogonalize=False) dst(x)
    dst(x,1,norm='ortho') idst(x,2) idst(x,3,axis=1) dst(x,4,norm='forward') dctn(x) dctn(x,1)
    idctn(x,axes=(0,-1)) dstn(x,3,s=(2,6),axes=(1,2)) idstn(x,norm='ortho')
    dct(x,orthogonalize=True)
"""


@pytest.mark.parametrize("expression", WAVES.split())
def test_cosines_and_sines(expression):
    function = eval(f"lambda x: fft.{expression}", {"fft": scipy.fft})
    for x in (REAL, COMPLEX, REAL.astype(np.float32)):
        expected = function(x)
        np.testing.assert_array_equal(symdiff.jit(function)(x), expected, strict=True)
    check_grads(lambda x: np.sum(function(x) ** 3), (REAL,))


def test_source_of_orthogonal_cosines_is_their_inverse():
    text = source(lambda x: np.sum(scipy.fft.dct(x, norm="ortho") ** 3), REAL[0, 0])
    assert 'x_bar = scipy.fft.dct(' in text
    assert 'type=3, norm="ortho")' in text


def source(f, *args):
    return symdiff.grad(f).lower(*args).source


def test_source_reads_as_it_would_be_written():
    x = REAL[0, 0]
    assert "np.fft.hfft(" in source(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2), x)
    assert "np.fft.fft(x, 8)" in source(lambda x: np.sum(np.abs(np.fft.fft(x, 8)) ** 2), x)
    assert "np.fft.rfft2(x)" in source(lambda x: np.sum(np.abs(np.fft.rfft2(x)) ** 2), REAL)
    assert 'scipy.fft.fftn(x, norm="ortho")' in source(
        lambda x: np.sum(np.abs(scipy.fft.fftn(x, norm="ortho")) ** 2), REAL
    )


def test_batched_transforms_are_one_call():
    mapped = symdiff.vmap(lambda x: np.fft.irfft(np.fft.rfft(x) * 2))
    expected = np.fft.irfft(np.fft.rfft(REAL[0]) * 2)
    np.testing.assert_array_equal(mapped(REAL[0]), expected, strict=True)
