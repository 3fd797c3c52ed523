"""Decisions on traced values: branches, loops and indices of Python's own, checked at each call."""

import subprocess
import sys

import numpy as np
import pytest

import symdiff
from symdiff.testing import check_grads

X = np.array([0.5, -0.9, 2.0, -0.3])


def branch(x):
    if np.sum(x) > 0:
        return np.sum(x**2)
    return np.sum(x**3)


def decided(x):
    power = 2 if np.sum(x) > 0 else None
    return np.sum(x**power) if power else np.sum(x**3)


def chain(x):
    y = x[0] if 0 < x[0] < 1 and not x[1] > 0 else x[1] * x[2]
    return y * np.sum(x) if (x > -1).all() or np.any(x > 3) else y


def newton(x):
    a = np.sum(x * x)
    y = 1.0
    while abs(y * y - a) > 1e-12:
        y = 0.5 * (y + a / y)
    return y


def early(x):
    total = 0.0
    for each in x:
        if each < -0.6:
            continue
        if each > 1.5:
            break
        total = total + each**3
    return total


def indexed(x):
    i = int(np.argmax(x))
    layers = [np.sin, np.cos, np.exp, np.tanh]
    return layers[i](x[i]) + sum(x[j] ** 2 for j in range(i))


def looked_for(x):
    return max(x) * min(x) + sorted(x)[1] ** 2 + (x[0] if any(x > 1.9) else x[1] ** 2)


def truncated(x):
    return x[int(np.abs(x[0]) * 3)] * np.sum(x**2)


FUNCTIONS = (branch, decided, chain, newton, early, indexed, looked_for, truncated)
POINTS = (X, -X, X[::-1].copy(), np.abs(X), -np.abs(X), X[[1, 2, 0, 3]])


@pytest.fixture(params=FUNCTIONS, ids=lambda each: each.__name__)
def function(request):
    return request.param


def test_values_have_the_bits_of_the_function_whichever_way_it_goes(function):
    compiled, gradient = symdiff.jit(function), symdiff.value_and_grad(function)
    for x in POINTS * 2:
        assert compiled(x) == function(x)
        assert gradient(x)[0] == function(x)
    assert compiled.cache_info().misses <= len(POINTS)  # each way is compiled once


def test_derivatives_of_both_orders(function):
    for x in POINTS[:3]:
        check_grads(function, (x,), order=2)
    gradient, hessian = symdiff.grad(function), symdiff.hessian(function)
    for x in POINTS:
        y, y_dot = symdiff.jvp(function, (x,), (X,))
        assert y == function(x)
        np.testing.assert_allclose(y_dot, gradient(x) @ X, atol=1e-12)
        product = symdiff.hvp(function, (x,), (X,))
        np.testing.assert_allclose(hessian(x) @ X, product, atol=1e-12)
        np.testing.assert_allclose(symdiff.vjp(function, x)[1](2.0)[0], 2 * gradient(x))


def test_differentiated_inside_of_another():
    slope = symdiff.grad(branch)

    def outer(x):
        return np.sum(slope(x) ** 2) if x[0] > 0 else branch(x) ** 2

    gradient = symdiff.grad(outer)
    expected = {1: lambda x: 8 * x, -1: lambda x: 6 * np.sum(x**3) * x**2}
    for x in (X, -X):
        np.testing.assert_allclose(gradient(x), expected[int(np.sign(x[0]))](x))


def test_numbers_of_each_type():
    def f(x):
        return x * x if x > 1 else -x

    for x in (2.0, 0.5, np.float64(2), np.float32(0.5), np.array(2.0), np.array(0.5)):
        bar = symdiff.grad(f)(x)
        assert bar == (2 * x if x > 1 else -1)
        assert type(bar) is type(x)
    assert symdiff.jit(f)(3) == 9
    assert symdiff.jit(lambda z: abs(z) if z else 1.0)(1j) == 1.0


def test_the_source_says_what_it_was_compiled_for():
    gradient = symdiff.grad(decided)
    gradient(X)
    body = gradient.source.split('"""')[2]
    assert body.startswith(
        '\n    if not x.sum() > 0:\n        raise ValueError("compiled for x.sum() > 0")\n'
    )
    gradient(-X)
    assert "    if x.sum() > 0:\n        raise ValueError(" in gradient.source


def test_nothing_is_greater_than_nan():
    x = np.array([np.nan, 1.0])
    gradient = symdiff.grad(lambda x: np.sum(x**2) if x[0] > 0 else np.sum(x))
    np.testing.assert_array_equal(gradient(x), [1, 1])
    np.testing.assert_array_equal(gradient(np.ones(2)), [2, 2])


def test_an_array_of_several_elements_is_ambiguous_as_for_numpy():
    for x in (X, X[:0]):
        with pytest.raises(ValueError, match="ambiguous"):
            bool(x > 0)
        with pytest.raises(ValueError, match="ambiguous"):
            symdiff.jit(lambda x: x if x > 0 else -x)(x)
    one = np.array([[2.0]])
    np.testing.assert_array_equal(symdiff.jit(lambda x: -x if x > 0 else x)(one), -one)


def test_what_the_function_raises_is_its_own():
    def f(x):
        assert x[0] > 0, "not positive"
        if x[1] > 0:
            raise LookupError(f"{len(x)} numbers")
        return np.sum(x)

    gradient = symdiff.grad(f)
    np.testing.assert_array_equal(gradient(X), np.ones(4))
    with pytest.raises(AssertionError, match="not positive"):
        gradient(-X)
    with pytest.raises(LookupError, match="4 numbers"):
        gradient(np.abs(X))
    np.testing.assert_array_equal(gradient(X), np.ones(4))


def test_decisions_on_what_the_function_reaches_by_itself():
    threshold, limits = np.array(0.0), {"high": 1.0}

    def f(x):
        return np.sum(x) if np.sum(x) > threshold and x[0] < limits["high"] else np.sum(x**2)

    gradient = symdiff.grad(f)
    np.testing.assert_array_equal(gradient(X), np.ones(4))
    threshold[...] = 5
    np.testing.assert_array_equal(gradient(X), 2 * X)
    threshold[...] = -5
    limits["high"] = 0.1
    np.testing.assert_array_equal(gradient(X), 2 * X)


def test_where_only_types_are_known_the_line_is_named():
    with pytest.raises(symdiff.TraceError, match="decision on a traced value") as caught:
        symdiff.vmap(decided)(np.stack([X, -X]))
    assert "2 if np.sum(x) > 0 else None" in str(caught.value)
    assert "np.where(condition, a, b)" in str(caught.value)
    shared = symdiff.vmap(lambda x, low: x if low > 0 else -x, in_axes=(0, None))
    np.testing.assert_array_equal(shared(X, 1.0), X)
    np.testing.assert_array_equal(shared(X, -1.0), -X)


def test_a_saved_function_refuses_the_other_way(tmp_path):
    gradient = symdiff.grad(decided)
    gradient(X)
    gradient.save(tmp_path / "saved.py")
    code = (
        "import numpy as np; from saved import decided_grad; x = np.array([.5, -.9, 2, -.3])\n"
        "print(decided_grad(x).tolist())\n"
        "try: decided_grad(-x)\n"
        "except ValueError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["[1.0, -1.8, 4.0, -0.6]", "compiled for x.sum() > 0"]


def test_loops_that_end_by_value_are_compiled_for_each_length():
    compiled = symdiff.jit(newton)
    lengths = [np.full(4, each) for each in (0.5, 1.0, 10.0, 1e3)]
    for x in lengths * 2:
        assert compiled(x) == newton(x)
    assert compiled.cache_info().misses <= len(lengths)


def test_an_index_is_whole():
    with pytest.raises(TypeError, match="only integer scalar arrays"):
        symdiff.jit(lambda x: [1, 2, 3][x])(1.5)
    with pytest.raises(TypeError, match="only integer scalar arrays"):
        symdiff.jit(lambda x: x * int(x))(X)


def test_a_value_among_others_is_found_as_in_python():
    def f(x):
        return 2 * x if x in (1.0, 2.0) else x * x

    gradient = symdiff.grad(f)
    assert [gradient(x) for x in (1.0, 2.0, 3.0, 1.0)] == [2.0, 2.0, 6.0, 2.0]
