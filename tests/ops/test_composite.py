"""Functions composed of primitives: bit for bit NumPy's values, and right derivatives."""

import numpy as np
import pytest

STATISTICS = """
    np.mean(x)
    np.mean(x, axis=0)
    np.mean(q, axis=(0, -1), keepdims=True)
    np.mean(n)
    np.mean(m, axis=1)
    np.mean(half)
    np.mean(single)
    np.mean(single, axis=0)
    np.mean(long)
    np.mean(long, dtype=np.float64)
    np.mean(single, axis=1, dtype=np.float64)
    np.mean(s)
    np.mean(z)
    np.average(x)
    np.average(x, axis=1, weights=w)
    np.average(x, weights=y)
    np.average(x, axis=0, weights=[1.0, 2.0, 3.0])
    np.average(x, weights=y, returned=True)
    np.var(x)
    np.var(x, axis=1, ddof=1)
    np.var(q, axis=(0, 2), keepdims=True)
    np.var(n)
    np.var(half)
    np.var(single, axis=0)
    np.var(long)
    np.var(z)
    np.var(x, correction=1)
    np.std(x)
    np.std(x, axis=0, ddof=1)
    np.std(single)
    np.ptp(x)
    np.ptp(x, axis=1, keepdims=True)
    np.count_nonzero(n)
    np.count_nonzero(m, axis=0)
    np.count_nonzero(x, axis=1, keepdims=True)
    np.nansum(gaps[:, :2])
    np.nanprod(gaps, axis=0)
    np.nanmean(gaps, axis=1)
    np.nanmax(gaps, axis=0)
    np.nanmin(gaps)
    np.nansum(n)
    np.nanmax(n, axis=0)
"""
REDUCTIONS = """
    np.sum(n)
    np.sum(m, axis=0)
    np.sum(small)
    np.sum(half)
    np.sum(x, dtype=np.float32)
    np.sum(single, dtype=np.float64)
    np.sum(n, dtype=complex)
    np.sum(x, axis=())
    np.sum(e, axis=0)
    np.prod(small)
    np.prod(x, axis=(0, 1))
    np.prod(x, dtype=np.float32)
    np.prod(e, axis=0)
    np.max(q, axis=(0, 2))
    np.min(n)
    np.max(m)
    np.max(gaps)
    np.argmax(x)
    np.argmin(x, axis=1, keepdims=True)
    np.all(m, axis=0)
    np.any(x, axis=(0, 1), keepdims=True)
    np.cumsum(x)
    np.cumsum(small)
    np.cumsum(x, axis=-1, dtype=np.float32)
    np.cumprod(x, axis=0)
    np.cumsum(s)
    np.argsort(x, axis=0)
    np.argsort(x, axis=None, kind="stable")
    np.add.reduce(x)
    np.add.reduce(x, axis=None)
    np.multiply.reduce(x, axis=1, keepdims=True)
    np.maximum.reduce(x)
    np.logical_or.reduce(m)
    np.add.accumulate(x, axis=1)
    np.multiply.accumulate(v)
    np.subtract.outer(v, w)
    np.multiply.outer(x, v)
"""
ELEMENTWISE = """
    np.clip(x, -1, 1)
    np.clip(x, None, y)
    np.clip(x, v, None)
    np.clip(x, min=0.5)
    np.clip(n, 0, 2)
    np.clip(x, a_min=-1.0, a_max=1.0)
    np.real(x)
    np.real(z)
    np.imag(z)
    np.imag(x)
    np.conj(z)
    np.conj(x)
    z.real * z.imag
    np.angle(z)
    np.angle(z, deg=True)
    np.abs(z)
    np.abs(z) ** 2
    np.sign(z)
    z * np.conj(z)
    np.round(x)
    np.round(x, 2)
    np.round(x, -1)
    np.round(n)
    np.fix(x)
    np.divmod(x, y)
    np.modf(x)
    np.frexp(x)
    np.ldexp(x, n)
    np.float_power(single, 2)
    np.float_power(y, 2.5)
    np.sinc(x)
    np.sinc(n)
    np.sinc(single)
    np.nan_to_num(x)
    np.nan_to_num(gaps, nan=1.5, posinf=7)
    np.select([x > 1, x > 0], [x * x, y], default=3.0)
    np.select([m], [x], y)
    np.isclose(x, y)
    np.isclose(gaps, gaps, equal_nan=True)
    np.allclose(x, x + 1e-9)
    np.array_equal(x, x)
    np.isposinf(gaps)
    np.isneginf(gaps)
    np.heaviside(x, 0.5)
    np.copysign(x, y)
    np.hypot(x, y)
    np.positive(x)
    np.nextafter(x, y)
    np.spacing(x)
    np.bitwise_and(n, 3)
    np.left_shift(n, 1)
    np.fmod(x, y)
    np.remainder(x, y)
    np.floor_divide(x, y)
    np.logaddexp2(x, y)
    np.where(m, 1.0, 0.0)
    np.where(m, np.float32(1), np.float32(2))
    np.where(m, 1, 0)
    np.where(m, x, 0)
    np.maximum(single, 0)
"""
DIFFERENCES = """
    np.diff(x)
    np.diff(x, n=2, axis=0)
    np.diff(v, prepend=0.0)
    np.diff(x, axis=0, prepend=x[:1], append=1)
    np.diff(m)
    np.ediff1d(x)
    np.trapezoid(v)
    np.trapezoid(x, dx=0.5, axis=0)
    np.trapezoid(v, np.cumsum(w))
    np.trapezoid(q, w, axis=2)
    np.linspace(s, 3.0, 5)
    np.linspace(y, x[0], 4, endpoint=False, axis=-1)
    np.linspace(small, 2, 3)
    np.polyval([1.0, -2.0, 0.5], x)
    np.polyval(v, s)
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("expression", lines(STATISTICS + REDUCTIONS + ELEMENTWISE + DIFFERENCES))
def test_value_type_and_derivative(check, expression):
    jumps_or_coarse = "gaps" in expression or "round(x" in expression or "float32" in expression
    check(expression, order=0 if jumps_or_coarse else 1)


@pytest.mark.parametrize("expression", ["np.sum(x, where=m)", "np.sum(x, initial=0.0)"])
def test_what_is_not_traced_is_refused(check, expression):
    with pytest.raises(TypeError, match=r"(where|initial)= of np\.\w+ is not traced"):
        check(expression)


def test_arguments_that_say_what_numpy_does_anyway_are_taken(check):
    check("np.sum(x, out=None, where=True, initial=np._NoValue)")


def test_choices_need_as_many_conditions(check):
    with pytest.raises(ValueError, match="same length"):
        check("np.select([m], [x, y])")


def test_an_empty_maximum_is_refused(check):
    with pytest.raises(ValueError, match="zero-size array"):
        check("np.max(e, axis=0)")
    with pytest.raises(ValueError, match="zero-size array"):
        np.max(np.zeros((0, 3)), axis=0)
