"""Every function that has a record or a composite, called on whatever NumPy or SciPy accept.

No function is named here but the few whose results may differ: the arguments are tried, and where
the library takes them, so must the traced program, with the same value, or refuse in so many words.
"""

import inspect
import itertools

import numpy as np
import pytest

import symdiff
from symdiff.errors import SymdiffError
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.ops.primitive import BY_FUNCTION, COMPOSITES, Primitive, every_primitive

RNG = np.random.default_rng(0)


def uniform(*shape):
    return RNG.uniform(0.2, 0.9, shape)


ARRAYS = {
    "number": np.float64(0.6),
    "0-d": np.asarray(0.4321),
    "[0]": uniform(0),
    "[1]": uniform(1),
    "[3]": uniform(3),
    "[0,3]": uniform(0, 3),
    "[3,3]": uniform(3, 3) + 2 * np.eye(3),
    "[2,3,3]": uniform(2, 3, 3) + 2 * np.eye(3),
    "c[3]": uniform(3) + 1j * uniform(3),
    "c[3,3]": uniform(3, 3) + 2 * np.eye(3) + 1j * uniform(3, 3),
    "f32[3]": uniform(3).astype(np.float32),
    "f16[3]": uniform(3).astype(np.float16),
    "fl[3]": uniform(3).astype(np.longdouble),
    "i[3]": np.array([2, 0, 1]),
    "i8[3]": np.array([1, 2, 3], np.int8),
    "bool[3]": np.array([True, False, True]),
}
ALONE = [(name,) for name in ARRAYS]
PARTNERS = ("0-d", "[1]", "[3]", "[3,3]", "c[3]", "f32[3]", "i[3]", "bool[3]")
PAIRS = [
    *itertools.product(("[3]", "[3,3]"), PARTNERS),
    *itertools.product(("number", "[1]", "[0]", "i[3]", "c[3]", "f16[3]"), ("[1]", "[3]")),
]

# Why the result may be another one, or have another derivative.
OTHERS = {
    "empty_like": "what is in memory",
    "eig": "real or complex as its values are",
    "eigvals": "real or complex as its values are",
    "float_power": "rounded as np.power",
    "polyval": "an array of no axes where there are no coefficients",
    "polydiv": "the remainder keeps its leading zeros, so that its length is known",
    "unique_values": "the library's order is that of a hash table",
}
# Of complex vectors: the library's change with its algorithm.
PHASES = {"svd", "eigh", "qr", "orth", "null_space"}
SIGNS = {"scipy.linalg._decomp.eigh"}  # of real ones, from one call to the next
# Why a value may differ in its last bits, or be an array of no axes or another kind of number.
NARROW = "arguments are first made as wide as the result, where the library computes in theirs"
COLUMNS = "columns of coefficients are multiplied by the elements of the basis"
CLOSE = {
    "numpy.poly": "products are subtracted, where NumPy convolves",
    "numpy.polynomial.chebyshev.chebval": COLUMNS,
    "numpy.polynomial.hermite.hermval": NARROW,
    "numpy.polynomial.hermite_e.hermeval": COLUMNS,
    "numpy.polynomial.legendre.legval": COLUMNS,
    "numpy.polynomial.laguerre.lagval": NARROW,
    "scipy.signal._signaltools.fftconvolve": NARROW,
    "scipy.signal._signaltools.oaconvolve": NARROW,
    "scipy.signal._signaltools.lfilter_zi": "sums are made one by one, where SciPy solves",
    "scipy.special._basic.factorial": "of an array of no axes a scalar here",
    "scipy.stats._stats_py.zscore": "complex quotients are rounded in another order",
    "numpy.linalg.matrix_rank": "of a number NumPy gives a Python integer",
    "numpy.linalg.tensorsolve": "of no axes a scalar here",
    "scipy.linalg._basic.lstsq": "SciPy gives the rank as a Python integer",
    "scipy.linalg._basic.pinv": "rounded as np.linalg.pinv",
    "scipy.linalg._basic.pinvh": "rounded as np.linalg.pinv",
    "scipy.linalg._misc.norm": "of a vector SciPy gives a Python float",
}


def name_of(function):
    return f"{getattr(function, '__module__', None) or 'scipy.special'}.{function.__name__}"


def is_public(function):
    if isinstance(function, np.ufunc):
        return True
    library = (getattr(function, "__module__", None) or "").partition(".")[0]
    is_function = hasattr(function, "__name__") and not isinstance(function, Primitive)
    return is_function and library in ("numpy", "scipy")


every_primitive()
FUNCTIONS = {name_of(each): each for each in [*COMPOSITES, *BY_FUNCTION] if is_public(each)}
FUNCTIONS = {name: each for name, each in FUNCTIONS.items() if each.__name__ not in OTHERS}
every_function = pytest.mark.parametrize("function", list(FUNCTIONS.values()), ids=list(FUNCTIONS))


def calls(function, combinations):
    """The arguments that the library accepts, as names, with its results for them."""
    for names in combinations:
        if len(names) > arrays_taken(function):
            continue  # the second would be an output or an option
        args = arguments(names)
        try:
            with np.errstate(all="ignore"):
                result = function(*args)
        except Exception:  # whatever it refuses
            continue
        if not any(result is None or isinstance(result, str) for result in flatten(result)[0]):
            yield names, result


def arrays_taken(function):
    """How many arrays a function takes for sure: those it has no defaults for."""
    if isinstance(function, np.ufunc):
        return function.nin
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 1
    required = [each for each in parameters if each.default is each.empty]
    return max(1, sum(each.kind <= each.POSITIONAL_OR_KEYWORD for each in required))


def arguments(names):
    """Arrays of these names; one that stands twice is another the second time, without ties."""
    arrays = [ARRAYS[each].copy() for each in names]
    if len(names) == 2 and names[0] == names[1] and arrays[0].dtype.kind in "fc":
        arrays[1] *= arrays[1].dtype.type(1.3)
    return arrays


def ours(function):
    def call(*args):
        return function(*args)

    return call


def assert_same(actual, expected, names):
    """The same tree of the same types, dtypes, shapes and bits."""
    assert type(actual) is type(expected)
    for one, other in zip(flatten(actual)[0], flatten(expected)[0], strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(one, other, strict=isinstance(other, np.ndarray))
        assert np.asarray(one).dtype == np.asarray(other).dtype


def assert_close(actual, expected, names):
    """The same tree of the same shapes, to the last bits of the coarsest dtype."""
    assert type(actual) is type(expected) or np.isscalar(actual)
    leaves = flatten(expected)[0]
    bits = max(map(rounding, [*arguments(names), *leaves]))
    for one, other in zip(flatten(actual)[0], leaves, strict=True):
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).dtype.kind == np.asarray(other).dtype.kind
        scale = np.max(np.abs(other), initial=0)
        np.testing.assert_allclose(one, other, rtol=bits, atol=bits * scale)


def rounding(x):
    dtype = np.asarray(x).dtype
    return max(1e-12, 16 * np.finfo(dtype).eps) if dtype.kind in "fc" else 1e-12


@every_function
@pytest.mark.filterwarnings("ignore")
def test_values_are_those_of_the_library(function):
    for names, expected in calls(function, ALONE + PAIRS):
        try:
            actual = symdiff.jit(ours(function))(*arguments(names))
        except SymdiffError:
            continue
        try:
            same = assert_close if name_of(function) in CLOSE else assert_same
            same(actual, expected, names)
        except AssertionError as error:
            pytest.fail(f"{name_of(function)} of {', '.join(names)}: {error}", pytrace=False)


DOUBLES = {"number", "0-d", "[0]", "[1]", "[3]", "[0,3]", "[3,3]", "[2,3,3]", "c[3]", "c[3,3]"}


@every_function
@pytest.mark.filterwarnings("ignore")
def test_derivatives_are_differences(function):
    for names, value in calls(function, ALONE + PAIRS):
        if not DOUBLES.issuperset(names) or not any(map(np.size, flatten(value)[0])):
            continue
        if function.__name__ in PHASES and any(each.startswith("c") for each in names):
            continue
        if name_of(function) in SIGNS:
            continue
        args = arguments(names)
        try:
            found = symdiff.vjp(ours(function), *args)
        except (SymdiffError, TypeError):
            continue
        problem = wrong_derivative(function, args, found)
        assert not problem, f"{name_of(function)} of {', '.join(names)}: {problem}"


def wrong_derivative(function, args, found):
    rng = np.random.default_rng(1)
    value, pullback = found
    leaves, spec = flatten(value)
    bars = [direction(each, rng) for each in leaves]
    x_bars = pullback(unflatten(spec, bars))
    dots = [direction(each, rng) for each in args]

    def along(step):
        made = flatten(function(*[each + step * dot for each, dot in zip(args, dots)]))[0]
        return sum(pairing(bar, each) for bar, each in zip(bars, made, strict=True))

    near, far = along(1e-4) - along(-1e-4), along(2e-4) - along(-2e-4)
    expected = (8 * near - far) / 12e-4
    actual = sum(map(pairing, x_bars, dots))
    if np.isclose(actual, expected, rtol=1e-6, atol=1e-7) or not np.isfinite(expected):
        return ""
    return f"{actual} is not {expected}"


def direction(leaf, rng):
    leaf = np.asarray(leaf)
    made = rng.uniform(-1, 1, leaf.shape)
    if leaf.dtype.kind == "c":
        made = made + 1j * rng.uniform(-1, 1, leaf.shape)
    return made.astype(leaf.dtype) if leaf.dtype.kind in "fc" else leaf


def pairing(bar, each):
    is_inexact = np.asarray(each).dtype.kind in "fc"
    return float(np.real(np.sum(bar * each))) if is_inexact else 0.0
