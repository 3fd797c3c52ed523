"""Random NumPy programs: what holds for each, whatever its operations, shapes and dtypes."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symdiff
from symdiff.inspect.explain import RULES
from symdiff.rewrite.pattern import ACCURATE

MORE_ACCURATE = {name for name, row in RULES.items() if row.exactness is ACCURATE}

SMOOTH = (
    "np.sin({0})",
    "np.cos({0})",
    "np.tanh({0})",
    "np.arctan({0})",
    "np.exp(-{0} * {0})",
    "np.log1p({0} * {0})",
    "np.sqrt(1 + {0} ** 2)",
    "-{0}",
    "2 * {0} - 1",
    "{0} + {1}",
    "{0} - {1}",
    "{0} * {1}",
    "{0} / (2 + np.cos({1}))",
    "{0} @ {1}",
    "np.sum({0}, axis={axis})",
    "np.mean({0}, axis={axis}, keepdims=True)",
    "np.cumsum({0}, axis={axis})",
    "{0}[{index}]",
    "{0}[..., None]",
    "{0}[None]",
    "{0}.T",
    "np.reshape({0}, -1)",
    "np.concatenate([{0}, {1}], axis={axis})",
    "np.stack([{0}, {1}])",
    "np.flip({0}, {axis})",
    "np.roll({0}, 1, axis={axis})",
    "np.outer({0}, {1})",
    "np.where({1} > 5, {0}, {0} * {1})",
)
WILD = (
    *SMOOTH,
    "np.exp({0})",
    "np.log({0})",
    "np.sqrt({0})",
    "np.abs({0})",
    "np.sign({0})",
    "np.floor({0})",
    "{0} ** 3",
    "{0} ** -1",
    "1 / {0}",
    "{0} / {1}",
    "{0} ** {1}",
    "np.maximum({0}, {1})",
    "np.maximum(0, {0})",
    "np.minimum({0}, {1})",
    "np.where({0} > {1}, {0}, np.sqrt({1}))",
    "np.where({0} > 0, {0}, 0)",
    "np.clip({0}, -0.5, 0.5)",
    "np.max({0}, axis={axis})",
    "np.min({0}, axis={axis}, keepdims=True)",
    "np.prod({0}, axis={axis})",
    "np.var({0}, axis={axis})",
    "np.linalg.norm({0}, axis={axis})",
    "np.hypot({0}, {1})",
    "np.arctan2({0}, {1})",
    "np.logaddexp({0}, {1})",
    "np.sort({0}, axis={axis})",
    "np.float32(0.5) * {0}",
    "{0}.astype(np.float32)",
)
# Away from branch cuts, and from 0 where a root, a logarithm or a direction is taken.
COMPLEX = (
    "np.sin(0.5 * {0})",
    "np.exp(0.3j * {0})",
    "np.exp({0}.real) * np.exp(1j * {0}.imag)",
    "np.tanh(0.3 * np.tanh({0}.real) + 0.1j * {0}.imag)",
    "np.sqrt(1 + {0} * np.conj({0}))",
    "np.log(2 + np.abs(3j + np.sin({0}.real)))",
    "np.log1p(0.1 * np.sin({0}.real) + 0.1j)",
    "np.arcsinh(0.1 * {0}.real + 0.1j)",
    "np.power(5 + np.sin({0}.real), 1.5 + 0.5j)",
    "np.real({0})",
    "{0}.imag",
    "{0}.conj()",
    "1j * {0}",
    "(1 - 2j) * {0} + 1",
    "np.complex64(1 + 1j) * {0}",
    "{0} + {1}",
    "{0} * {1}",
    "{0} / (9 + np.abs({1}) ** 2)",
    "{0} ** 2",
    "{0} @ {1}",
    "np.vdot({0}, {1})",
    "np.inner({0}, {1})",
    "np.einsum('...,...->...', {0}, {1})",
    "np.tensordot({0}, {1}, axes=0)",
    "np.kron({0}, {1})",
    "np.sum({0}, axis={axis})",
    "np.mean({0}, axis={axis}, keepdims=True)",
    "np.prod({0}, axis={axis})",
    "np.cumsum({0}, axis={axis})",
    "np.cumprod({0}, axis={axis})",
    "np.var({0}, axis={axis})",
    "{0}[{index}]",
    "{0}.T",
    "np.concatenate([{0}, {1}], axis={axis})",
    "np.where(np.real({1}) > 0.3, {0}, {0} * {1})",
    "np.pad({0}, 1)",
    "np.trace({0})",
    "np.abs(20 + np.sin({0}.real) + 1j * np.sin({0}.imag))",
    "np.angle(3 + np.sin({0}.real) + 0.1j * {0}.imag)",
    "np.sign(3 + 0.1 * np.sin({0}.real) + 0.1j * {0}.imag)",
    "np.linalg.norm({0} + 3j, axis={axis})",
    "np.linalg.solve({0} + 30 * np.eye(3), {1})",
    "np.linalg.inv({0} + 30 * np.eye(3))",
    "np.linalg.det({0} + 30 * np.eye(3))",
    "np.linalg.slogdet({0} + 30 * np.eye(3))[1]",
    "np.fft.fft({0})",
    "np.fft.ifft({0}, axis={axis})",
    "np.fft.rfft({0}.real, 4)",
    "np.fft.irfft({0})",
    "np.fft.fft2({0})",
    "np.fft.hfft({0}, 3)",
)
AXES = (None, 0, 1, -1)
INDICES = ("0", "-1", "1:", "::-1", "::2", "[0, 0]", "..., 0", ":0", "None, 0", "[[-1, 0]]")
SHAPES = ((), (1,), (3,), (0,), (2, 3), (2, 1), (1, 3), (3, 3), (0, 3), (2, 2, 3))
FINITE = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0)
SPECIAL = (*FINITE, 1e-30, 1e30, np.inf, -np.inf, np.nan)


class Program:
    """A function with the source it was made from, and its arguments."""

    def __init__(self, lines, result, args):
        names = ", ".join("xyz"[: len(args)])
        self.lines, self.result = lines, result
        self.source = "\n    ".join([f"def f({names}):", *lines, f"return {result}"]) + "\n"
        namespace = {"np": np}
        exec(self.source, namespace)
        self.f, self.args = namespace["f"], args
        self.argnums = tuple(range(len(args)))

    def __repr__(self):
        return f"{self.source}at {self.args}"


@st.composite
def programs(draw, templates, dtypes, elements, scalar=True):
    """Up to eight statements on up to three arrays; what NumPy refuses is left out."""
    dtype = draw(st.sampled_from(dtypes))
    args = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from(SHAPES))
        size = int(np.prod(shape))
        values = draw(st.lists(elements, min_size=size, max_size=size))
        args.append(np.reshape(np.array(values, dtype), shape))
    values = dict(zip("xyz", args))
    lines = []
    for template in draw(st.lists(st.sampled_from(templates), min_size=1, max_size=8)):
        first, second = (draw(st.sampled_from(list(values))) for _ in range(2))
        axis, index = draw(st.sampled_from(AXES)), draw(st.sampled_from(INDICES))
        if np.ndim(values[first]) == 0:
            axis = None  # NumPy's sums take axis 0 of a number; ours refuse
        text = template.format(first, second, axis=axis, index=index)
        value = evaluated(text, values)
        if value is not None and np.size(value) <= 100:
            name = f"v{len(lines)}"
            lines.append(f"{name} = {text}")
            values[name] = value
    *_, last = values
    other = draw(st.sampled_from(list(values)))
    result = f"np.sum({last}) + np.sum({other})" if scalar else f"{last}, {other}, {last}"
    return Program(lines, result, args)


def evaluated(text, values):
    """The value, or None where NumPy refuses."""
    try:
        return quietly(eval, text, {"np": np}, values)[0]
    except (ValueError, IndexError, TypeError):
        return None


@st.composite
def complex_programs(draw):
    """Real functions of complex numbers, of no more than 1e4 in size."""
    found = draw(programs(COMPLEX, [np.complex128], NUMBER, scalar=False))
    last, other, _ = found.result.split(", ")
    result = f"np.sum(np.real({last} * (1 - 2j))) + np.sum(np.imag({other} * (1 - 2j)))"
    made = Program(found.lines, result, found.args)
    assume(abs(quietly(made.f, *made.args)[0]) < 1e4)
    return made


REAL = st.floats(-2, 2, width=32)
NUMBER = st.builds(complex, REAL, REAL)
ANY = st.one_of(REAL, st.sampled_from(SPECIAL))
DTYPES = [np.float32, np.float64]
smooth_programs = programs(SMOOTH, [np.float64], REAL)
finite_programs = programs(WILD, DTYPES, st.one_of(REAL, st.sampled_from(FINITE)))
wild_programs = programs(WILD, DTYPES, ANY)
wild_functions = programs(WILD, DTYPES, ANY, scalar=False)


def quietly(function, *args):
    """The result, and the RuntimeWarnings raised on the way to it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        result = function(*args)
    return result, caught


def assert_same(actual, expected):
    """Type, dtype, shape and bits, but for the bits of a NaN."""
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual)[number], np.signbit(expected)[number])


def is_stabilized(transformed):
    return any(each.rule in MORE_ACCURATE for each in transformed.compiled.work.log)


def differences(program, which, step=1e-4):
    """The gradient with respect to one argument, by central differences of fourth order."""
    found = np.zeros_like(program.args[which])
    for index in np.ndindex(found.shape):
        found[index] = slope(program, which, index, step)
        if np.iscomplexobj(found):
            found[index] -= 1j * slope(program, which, index, 1j * step)
    return found


def slope(program, which, index, step):
    """The derivative along steps of one element, which may be imaginary."""
    values = []
    for k in (-2, -1, 1, 2):
        args = [each.copy() for each in program.args]
        args[which][index] += k * step
        values.append(float(program.f(*args)))
    a, b, c, d = values
    return (8 * (c - b) - (d - a)) / (12 * abs(step))


@settings(max_examples=150)
@given(program=smooth_programs)
def test_gradients_of_smooth_programs_are_those_of_differences(program):
    gradient = symdiff.grad(program.f, program.argnums)(*program.args)
    for i, bar in enumerate(gradient):
        expected = differences(program, i)
        scale = 1 + np.max(np.abs(expected), initial=0) + abs(float(program.f(*program.args)))
        np.testing.assert_allclose(bar, expected, rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of means of nothing
@settings(max_examples=100)
@given(program=complex_programs())
def test_gradients_of_complex_numbers_are_differences_in_both_parts(program):
    gradient = symdiff.grad(program.f, program.argnums)(*program.args)
    for i, bar in enumerate(gradient):
        expected = differences(program, i)
        assert bar.dtype == expected.dtype
        scale = 1 + np.max(np.abs(expected), initial=0) + abs(float(program.f(*program.args)))
        np.testing.assert_allclose(bar, expected, rtol=1e-6, atol=3e-7 * scale)


@settings(max_examples=100)
@given(program=smooth_programs)
def test_hessians_of_smooth_programs_are_symmetric(program):
    rng = np.random.default_rng(0)
    v, w = ([rng.standard_normal(each.shape) for each in program.args] for _ in range(2))
    v, w = ([np.asarray(each) for each in tree] for tree in (v, w))
    Hv = symdiff.hvp(program.f, program.args, v)
    Hw = symdiff.hvp(program.f, program.args, w)
    Hv, Hw = ((found,) if len(program.args) == 1 else found for found in (Hv, Hw))
    left = sum(float(np.sum(a * b)) for a, b in zip(w, Hv, strict=True))
    right = sum(float(np.sum(a * b)) for a, b in zip(v, Hw, strict=True))
    assert left == pytest.approx(right, rel=1e-8, abs=1e-8)


@settings(max_examples=200)
@given(program=wild_programs)
def test_values_are_the_bits_of_the_function(program):
    before = [each.copy() for each in program.args]
    expected, _ = quietly(program.f, *program.args)
    transformed = symdiff.value_and_grad(program.f, program.argnums)
    for _ in range(2):
        (value, gradient), _ = quietly(transformed, *program.args)
        if not is_stabilized(transformed):
            assert_same(value, expected)
        for bar, arg in zip(gradient, program.args, strict=True):
            assert type(bar) is np.ndarray
            assert (bar.dtype, bar.shape) == (arg.dtype, arg.shape)
    for arg, then in zip(program.args, before, strict=True):
        assert_same(arg, then)


@settings(max_examples=200)
@given(program=finite_programs)
def test_finite_derivatives_warn_no_more_than_the_function(program):
    _, caught = quietly(program.f, *program.args)
    found, warned = quietly(symdiff.value_and_grad(program.f, program.argnums), *program.args)
    if not caught and all(np.all(np.isfinite(bar)) for bar in found[1]):
        assert not [str(each.message) for each in warned]


@settings(max_examples=150)
@given(program=wild_programs)
def test_the_source_is_the_same_in_each_compilation(program):
    first, second = (
        symdiff.value_and_grad(program.f, program.argnums).lower(*program.args) for _ in range(2)
    )
    assert first.source == second.source


@settings(max_examples=150)
@given(program=wild_functions)
def test_results_are_their_own_writable_arrays(program):
    transformed = symdiff.jit(program.f)
    expected, _ = quietly(program.f, *program.args)
    results = [each for _ in range(2) for each in quietly(transformed, *program.args)[0]]
    if not is_stabilized(transformed):
        for actual, each in zip(results, expected * 2, strict=True):
            assert_same(actual, each)
    arrays = [each for each in results if isinstance(each, np.ndarray)]
    for i, each in enumerate(arrays):
        assert each.flags.writeable
        assert not any(np.shares_memory(each, other) for other in (*program.args, *arrays[:i]))
