"""Whether a function means to symdiff what it means to Python: values, arguments, derivatives."""

import copy

import numpy as np

import symdiff
from tests.differential.test_programs import MORE_ACCURATE, close, leaves, mapped, rebuilt

STEP = 1e-4


def check(function, *inputs):
    """The function as NumPy runs it, at each of the inputs, and its derivatives of both orders."""
    check_values(function, inputs)
    for args in inputs:
        check_first_order(function, args)
    check_second_order(function, inputs[0])


def with_arguments(function):
    """The function's result, and what its arguments are after the call."""

    def run(*args):
        result = function(*args)
        return result, args

    return run


def assert_same(actual, expected):
    """Bits, shapes, types and dtypes."""
    assert type(actual) is type(expected)
    if isinstance(expected, dict | list | tuple):
        assert len(actual) == len(expected)
        for pair in zip(leaves(actual), leaves(expected), strict=True):
            assert_same(*pair)
    elif expected is not None:
        np.testing.assert_array_equal(actual, expected, strict=True)
        if is_inexact(expected):
            for part in (np.real, np.imag):
                signs = np.signbit(part(actual)), np.signbit(part(expected))
                np.testing.assert_array_equal(*signs)


def is_inexact(leaf):
    return leaf is not None and np.asarray(leaf).dtype.kind in "fc"


def loss(function):
    """A number that all that the function returns and leaves in its arguments adds to."""

    def number(*args):
        total = 0.0
        for i, leaf in enumerate(leaves(with_arguments(function)(*args))):
            if is_inexact(leaf):
                weights = np.cos(1.7 * np.arange(np.size(leaf)) + i + 1).reshape(np.shape(leaf))
                total = total + np.sum(weights * (np.real(leaf) + 0.5 * np.imag(leaf)))
        return total

    return number


def of_floats(function, args):
    """The function of the inexact leaves of its arguments alone, and those leaves."""
    flat = leaves(args)
    chosen = [is_inexact(leaf) for leaf in flat]
    others = rebuilt(args, iter([None if inexact else leaf for leaf, inexact in zip(flat, chosen)]))

    def of_chosen(*values):
        given = iter(values)
        both = [next(given) if inexact else leaf for leaf, inexact in zip(leaves(others), chosen)]
        return function(*rebuilt(others, iter(both)))

    return of_chosen, tuple(leaf for leaf, inexact in zip(flat, chosen) if inexact)


def directions(point, seed):
    """Numbers like those of the point, each about as large as it may move."""
    rng = np.random.default_rng(seed)
    return mapped(lambda leaf: rng.uniform(-1, 1, np.shape(leaf))[()], point)


def moved(point, direction, steps):
    return mapped(lambda x, dx: copy.copy(x) + steps * STEP * dx, point, direction)


def along(function, point, direction):
    """The derivative along a direction, by differences of fourth order."""
    one, two, less, least = (function(*moved(point, direction, s)) for s in (1, 2, -1, -2))
    return mapped(lambda a, b, c, d: (8 * (a - c) - (b - d)) / (12 * STEP), one, two, less, least)


def dot(left, right):
    return sum(np.sum(a * b) for a, b in zip(left, right, strict=True))


def check_values(function, inputs):
    """Results and mutated arguments are NumPy's, by one compiled function and in turn."""
    compiled = symdiff.jit(with_arguments(function))
    for args in inputs * 2:
        given, expected = copy.deepcopy(args), copy.deepcopy(args)
        expected = with_arguments(function)(*expected)
        actual = compiled(*given)
        assert_same(given, args)
        if any(each.rule in MORE_ACCURATE for each in compiled.compiled.work.log):
            close(actual, expected, 1e-13)
        else:
            assert_same(actual, expected)


def check_first_order(function, args):
    """Forward and reverse mode agree with each other, and with differences."""
    number, point = of_floats(loss(function), args)
    gradient = symdiff.grad(number, tuple(range(len(point))))(*point)
    for seed in range(3):
        direction = directions(point, seed)
        expected = along(number, point, direction)
        size = max(1, abs(expected), np.sqrt(dot(gradient, gradient)))
        found = symdiff.jvp(number, point, direction)[1]
        adjoint = dot(gradient, direction)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * size)
        np.testing.assert_allclose(adjoint, found, rtol=1e-9, atol=1e-10 * size)


def check_second_order(function, args):
    """Products with the Hessian agree with differences of the gradient."""
    number, point = of_floats(loss(function), args)
    direction = directions(point, 5)
    found = symdiff.hvp(number, point, direction)
    gradient = symdiff.grad(number, tuple(range(len(point))))
    expected = along(gradient, point, direction)
    size = max(1, *(np.max(np.abs(each), initial=0) for each in leaves(expected)))
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * size)
