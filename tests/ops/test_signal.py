"""Functions of scipy.signal, as users call them."""

import numpy as np
import pytest
import scipy.signal

import symdiff
from symdiff.testing import check_grads

RNG = np.random.default_rng(0)
X, K = RNG.standard_normal(9), RNG.standard_normal(4)
IMAGE, PATCH = RNG.standard_normal((5, 6)), RNG.standard_normal((2, 3))
WAVE = X + 1j * RNG.standard_normal(9)
NAMES = {"np": np, "signal": scipy.signal}

CALLS = """
    signal.convolve(x,k) signal.convolve(x,k,'same') signal.convolve(x,k,mode='valid')
    signal.convolve(k,x,'same') signal.convolve(k,x,'valid') signal.convolve(x,x,'valid')
    signal.convolve(x,k,method='fft') signal.convolve(x,k,'same',method='direct')
    signal.convolve(x,[1,2,1]) signal.convolve(z,k) signal.convolve(image,patch,'same')
    signal.convolve(image,patch,'valid') signal.correlate(x,k) signal.correlate(x,k,'same')
    signal.correlate(k,x,'same') signal.correlate(x,k,'valid') signal.correlate(k,x,'valid')
    signal.correlate(z,z[:3]) signal.correlate(z,k,'same') signal.correlate(image,patch,'same')
    signal.correlate(image,patch,method='fft') signal.fftconvolve(x,k)
    signal.fftconvolve(image,patch,mode='same') signal.fftconvolve(image,image[:,:2],axes=1)
    signal.fftconvolve(image,image[:1,:2],mode='same',axes=-1) signal.oaconvolve(x,k,'valid')
    signal.oaconvolve(image,patch) signal.convolve2d(image,patch)
    signal.convolve2d(image,patch,'same') signal.convolve2d(patch,image,'valid')
    signal.correlate2d(image,patch) signal.correlate2d(image,patch,'same')
    signal.correlate2d(image,patch,'valid') signal.lfilter(k,[1],x) signal.lfilter(k,[2,.5,.1],x)
    signal.lfilter([1,.5],[1,-.9],x) signal.lfilter([1],k/k[0]/8+np.eye(4)[0],x)
    signal.lfilter(k,[1,.3],image,axis=0) signal.lfilter([1,2j],[1,.3],z) signal.detrend(x)
    signal.detrend(image,axis=0,type='constant') signal.detrend(x,bp=[3,6]) signal.detrend(z)
    signal.convolve(x,signal.windows.hann(5),'same') signal.lfilter(*signal.butter(2,.3),x)
"""


def function_of(expression):
    given = {"x": X, "k": K, "image": IMAGE, "patch": PATCH, "z": WAVE}
    code = compile(expression, __file__, "eval")
    names = [name for name in given if name in code.co_names]
    return eval(f"lambda {', '.join(names)}: {expression}", NAMES), [given[name] for name in names]


@pytest.mark.parametrize("expression", CALLS.split())
def test_value_and_derivatives(expression):
    function, args = function_of(expression)
    expected = function(*args)
    np.testing.assert_array_equal(symdiff.jit(function)(*args), expected, strict=True)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    check_grads(lambda *args: np.sum(np.abs(function(*args)) ** 2 * weights), args, order=2)


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        ("signal.convolve(x,image)", ValueError, "same number of axes"),
        ("signal.convolve(x,k,'whole')", ValueError, "mode flags"),
        ("signal.convolve(x,k[:0])", ValueError, "empty"),
        ("signal.convolve(image,image[:1].T,'valid')", ValueError, "at least as large"),
        ("signal.convolve2d(image,patch,boundary='wrap')", symdiff.UnsupportedFunctionError, "pad"),
        ("signal.lfilter(k,[1],x,zi=np.zeros(2))", ValueError, "shape for zi"),
        ("signal.lfilter(patch,[1],x)", ValueError, "one axis"),
        ("signal.wiener(x)", symdiff.UnsupportedFunctionError, "no derivative rule"),
    ],
)
def test_what_is_refused(expression, error, message):
    function, args = function_of(expression)
    with pytest.raises(error, match=message):
        symdiff.jit(function)(*args)


def test_source_reads_as_it_would_be_written():
    def power(x, k):
        return np.sum(scipy.signal.correlate(x, k, mode="valid") ** 2)

    source = symdiff.grad(power, (0, 1)).lower(X, K).source
    assert "x_bar = scipy.signal.convolve(" in source
    assert "import scipy.signal" in source
    assert "[::-1][::-1]" not in source


def test_dtypes():
    x = X.astype(np.float32)
    assert symdiff.grad(lambda x: np.sum(scipy.signal.fftconvolve(x, x) ** 2))(x).dtype == x.dtype
    numbers = np.arange(4)
    found = symdiff.jit(lambda n: scipy.signal.convolve(n, n))(numbers)
    np.testing.assert_array_equal(found, scipy.signal.convolve(numbers, numbers), strict=True)
