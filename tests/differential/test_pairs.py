"""One function after another, at random among all that are differentiated.

What the first returns moves an argument of the second. The calls are in benchmarks/calls.txt.
"""

import runpy
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import symdiff
from symdiff.errors import RuleError
from symdiff.frontend.pytree import flatten
from symdiff.frontend.states import DIFFERENTIATED
from symdiff.inspect import coverage

ROOT = Path(__file__).parents[2]
# By path: the benchmarks are scripts, in no package that could be imported from here.
CALLS = runpy.run_path(str(ROOT / "benchmarks" / "calls.py"))["CALLS"]
INEXACT = ("x", "y", "b", "A", "S", "B", "z", "C", "q")  # of the names in calls
REAL_FOR_NUMPY = ("eig", "eigvals")  # of real eigenvalues, which are complex for us
GROUPS, IN_GROUP = 20, 10


def differentiated():
    found = []
    for name, call in CALLS.items():
        with suppress(RuleError):
            inexact = set(call.names) & set(INEXACT)
            if coverage.state(name).word == DIFFERENTIATED and inexact and "w" not in call.names:
                found.append(call)
    return [each for each in found if not each.name.endswith(REAL_FOR_NUMPY)]


POOL = differentiated()
GIVEN = {
    name: value for call in POOL for name, value in zip(call.names, call.arguments(), strict=True)
}


def of_numbers(result):
    """The numbers of a result, real and imaginary parts, in one vector."""
    parts = [each for each in flatten(result)[0] if np.result_type(each).kind in "fc"]
    known = [np.ravel(np.where(np.isnan(each), 0, each)) for each in parts]
    imaginary = [np.imag(each) for each in known if np.iscomplexobj(each)]
    return np.concatenate([np.zeros(1), *[np.real(each) for each in known], *imaginary])


def moved(base, numbers):
    """An argument, each of its numbers moved a little, as far as one in a vector says."""
    steps = np.tanh(0.3 * np.resize(numbers, np.size(base)))
    return base * (1 + 0.05 * np.reshape(steps, np.shape(base)))


def composed(first, second, wrt, into):
    """A scalar function of what stands for the name `wrt` in the first call."""
    one, other = first.over(np), second.over(np)

    def function(value):
        result = one(*[value if name == wrt else GIVEN[name] for name in first.names])
        argument = moved(GIVEN[into], of_numbers(result))
        last = other(*[argument if name == into else GIVEN[name] for name in second.names])
        numbers = of_numbers(last)
        return np.sum(np.sin(numbers) * np.cos(np.arange(len(numbers))))

    return function


def pairs(group):
    rng = np.random.default_rng(group)
    for _ in range(IN_GROUP):
        first, second = (POOL[i] for i in rng.integers(len(POOL), size=2))
        wrt = rng.choice([name for name in first.names if name in INEXACT])
        into = rng.choice([name for name in second.names if name in INEXACT])
        direction = rng.normal(size=np.shape(GIVEN[wrt]))
        if np.iscomplexobj(GIVEN[wrt]):
            direction = direction + 1j * rng.normal(size=np.shape(direction))
        yield first, second, str(wrt), str(into), direction


def slope(function, value, direction, step):
    return (function(value + step * direction) - function(value - step * direction)) / (2 * step)


@pytest.mark.parametrize("group", range(GROUPS))
def test_two_functions_in_a_row(group):
    for first, second, wrt, into, direction in pairs(group):
        said = f"{first.text} by {wrt}, then {second.text} at {into}"
        function, value = composed(first, second, wrt, into), GIVEN[wrt]

        def along(value, function=function, direction=direction):
            return np.sum(np.real(symdiff.grad(function)(value) * direction))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, bar = symdiff.value_and_grad(function)(value)
            np.testing.assert_allclose(result, function(value), rtol=1e-12, err_msg=said)
            scale = max(1, abs(result))
            forward = symdiff.jvp(function, (value,), (direction,))[1]
            reverse = np.sum(np.real(bar * direction))
            np.testing.assert_allclose(forward, reverse, 1e-8, 1e-9 * scale, err_msg=said)
            expected = slope(function, value, direction, 1e-6)
            np.testing.assert_allclose(reverse, expected, 1e-4, 1e-5 * scale, err_msg=said)
            second_order = np.sum(np.real(symdiff.grad(along)(value) * direction))
            expected = slope(along, value, direction, 1e-5)
            np.testing.assert_allclose(second_order, expected, 1e-3, 1e-3 * scale, err_msg=said)
