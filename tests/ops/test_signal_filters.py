"""Filters of scipy.signal with a state, forwards and back, and what smooths, as users call them."""

import numpy as np
import pytest
import scipy.signal

import symdiff
from symdiff.testing import check_grads

RNG = np.random.default_rng(1)
X, IMAGE = RNG.standard_normal(30), RNG.standard_normal((3, 28))
B, A = scipy.signal.butter(2, 0.3)
SOS = scipy.signal.butter(4, 0.3, output="sos")
GIVEN = {
    "x": X, "image": IMAGE, "b": B, "a": A, "sos": SOS, "k": RNG.standard_normal(4),
    "zi": RNG.standard_normal(2), "states": RNG.standard_normal((2, 2)), "n": np.arange(30),
}  # fmt: skip
NAMES = {"np": np, "signal": scipy.signal, "B": B, "A": A, "SOS": SOS}

CALLS = """
    signal.lfilter(b,a,x,zi=zi)[0] signal.lfilter(b,a,x,zi=zi)[1]
    signal.lfilter(b,a,x[:1],zi=zi)[1] signal.lfilter(k,a,x[:2],zi=k[:3])[1]
    signal.lfilter(b,2*a,image,zi=image[:,:2])[1] signal.lfilter(b,a,x,zi=signal.lfilter_zi(b,a))[0]
    signal.lfilter(B,A,image.T,axis=0,zi=image.T[:2])[0] signal.lfilter(b,a,image,zi=[[.1,.2]])[0]
    signal.lfilter_zi(b,a) signal.lfilter_zi(k,a+2) signal.sosfilt_zi(sos)
    signal.sosfilt(sos,x) signal.sosfilt(SOS,image) signal.sosfilt(sos,image.T,axis=0)
    signal.sosfilt(SOS,x,zi=states)[0] signal.sosfilt(SOS,x,zi=states)[1]
    signal.sosfilt(SOS,n) signal.filtfilt(B,A,x) signal.filtfilt(B,A,image,padtype='even')
    signal.filtfilt(B,A,image.T,axis=0,padlen=4) signal.filtfilt(B,A,x,padtype=None)
    signal.filtfilt(B,[1],n*x) signal.sosfiltfilt(SOS,x) signal.sosfiltfilt(SOS,image)
    signal.sosfiltfilt(SOS,x,padtype='constant',padlen=5) signal.savgol_filter(x,5,2)
    signal.savgol_filter(image,7,3,deriv=1,delta=.1,mode='mirror') signal.savgol_filter(x,6,2)
    signal.savgol_filter(image.T,5,2,axis=0,mode='constant',cval=3.) signal.savgol_filter(n*x,3,1)
    signal.medfilt(x) signal.medfilt(image,3) signal.medfilt(image,[1,3]) signal.decimate(x,2)
    signal.decimate(image,3,n=2) signal.decimate(x,2,zero_phase=False) signal.hilbert(x)
    signal.hilbert(image,axis=0) signal.hilbert(x,40) np.abs(signal.hilbert(image))
    signal.resample(x,12) signal.resample(x,45) signal.resample(image,40,axis=1)
    signal.resample(image,2)
"""
# where the values are ours, of the same operations as SciPy's in another order
ROUNDED = ("lfilter_zi", "sosfilt_zi", "states")
# differences cannot move what has to be 1
FIXED = ("sosfilt(sos", "sosfilt_zi(sos")


def function_of(expression):
    code = compile(expression, __file__, "eval")
    names = [name for name in GIVEN if name in code.co_names]
    function = eval(f"lambda {', '.join(names)}: {expression}", NAMES)
    return function, [GIVEN[name] for name in names]


@pytest.mark.parametrize("expression", CALLS.split())
def test_value_and_derivatives(expression):
    function, args = function_of(expression)
    expected = function(*args)
    made = symdiff.jit(function)(*args)
    np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-12, strict=True)
    if not any(each in expression for each in ROUNDED):
        np.testing.assert_array_equal(made, expected, strict=True)
    if any(each in expression for each in FIXED):
        return
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    floats = [i for i, each in enumerate(args) if each.dtype.kind == "f"]

    def loss(*moved):
        given = list(args)
        for i, each in zip(floats, moved, strict=True):
            given[i] = each
        return np.sum(np.abs(function(*given)) ** 2 * weights)

    if floats:
        check_grads(loss, [args[i] for i in floats], order=2, rtol=1e-5)


def test_coefficients_of_sections():
    """As those of filters one after the other."""

    def in_sections(b, a):
        sos = np.concatenate([b, np.ones((2, 1)), a], axis=1)
        return np.sum(scipy.signal.sosfilt(sos, X) ** 2)

    check_grads(in_sections, (SOS[:, :3], SOS[:, 4:]), order=2)


def test_chunks_are_the_whole():
    def in_chunks(b, a, x):
        z, parts = scipy.signal.lfilter_zi(b, a) * x[0], []
        for i in range(0, 30, 7):
            y, z = scipy.signal.lfilter(b, a, x[i : i + 7], zi=z)
            parts.append(y)
        return np.sum(np.concatenate(parts) ** 2)

    def at_once(b, a, x):
        z = scipy.signal.lfilter_zi(b, a) * x[0]
        return np.sum(scipy.signal.lfilter(b, a, x, zi=z)[0] ** 2)

    left, right = (symdiff.grad(f, (0, 1, 2))(B, A, X) for f in (in_chunks, at_once))
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_rows():
    for expression in ("signal.filtfilt(B,A,x)", "signal.lfilter(B,A,x,zi=x[:2])[1]",
                       "signal.hilbert(x)", "signal.savgol_filter(x,5,2)",
                       "signal.lfilter(x[:3],A,x,zi=[.1,.2])[0]", "signal.medfilt(x)"):  # fmt: skip
        function, _ = function_of(expression)
        found = symdiff.vmap(function)(IMAGE)
        np.testing.assert_allclose(found, [function(row) for row in IMAGE], rtol=1e-12, atol=1e-14)


def test_calls_come_back_as_they_are():
    gradient = symdiff.value_and_grad(lambda x: np.sum(scipy.signal.filtfilt(B, A, x, padlen=4)))
    gradient(X)
    assert "scipy.signal.filtfilt(" in gradient.source
    assert "padlen=4)" in gradient.source


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        ("signal.filtfilt(B,A,x[:5])", ValueError, "greater than padlen"),
        ("signal.filtfilt(B,A,x,padtype='odder')", ValueError, "padtype"),
        ("signal.filtfilt(B,A,x,method='gust')", symdiff.UnsupportedFunctionError, "pad"),
        ("signal.filtfilt(b,A,x)", symdiff.NotDifferentiableError, "coefficients"),
        ("signal.sosfilt(x,x)", ValueError, "n_sections"),
        ("signal.sosfilt(SOS,x,zi=x[:3])", ValueError, "zi shape"),
        ("signal.savgol_filter(x[:3],5,2)", ValueError, "window_length"),
        ("signal.medfilt(x,2)", ValueError, "odd"),
        ("signal.hilbert(1j*x)", ValueError, "real"),
        ("signal.hilbert(x,0)", ValueError, "positive"),
        ("signal.decimate(x,2,ftype='fir')", symdiff.UnsupportedFunctionError, "iir"),
        ("signal.resample(x,5,window='hann')", symdiff.UnsupportedFunctionError, "window"),
    ],
)
def test_what_is_refused(expression, error, message):
    function, args = function_of(expression)
    with pytest.raises(error, match=message):
        symdiff.grad(lambda *args: np.sum(np.abs(function(*args))), tuple(range(len(args))))(*args)
