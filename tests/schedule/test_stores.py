"""The order of reads and stores: arrays change in place, and are copied only where they must."""

import time

import numpy as np
import pytest

from symdiff import grad, jit, value_and_grad

X = np.arange(1.0, 9.0)


def body(transformed, x=X):
    """The statements of what is emitted."""
    transformed(x)
    return transformed.source.split('"""')[-1]


def test_an_array_that_was_filled_part_by_part_is_read_where_it_is():
    def filled(x):
        y = np.zeros_like(x)
        y[1:4] = x[:3] ** 2
        y[4:] = np.sin(x[4:])
        return np.sum(y**2)

    assert ".copy()" not in body(value_and_grad(filled))


def test_what_is_read_again_is_copied_before_it_changes():
    def part(x):
        y = x * 2
        a = y[2:4]
        b = a * a
        y[2] = 1.0
        return np.sum(b) * np.sum(y)

    text = body(grad(part))
    assert "a = y[2:4].copy()" in text
    assert "y = x * 2" in text


def test_what_a_store_takes_from_its_own_array_is_read_first():
    def shifted(x):
        y = x * 2
        y[1:] = y[:-1]
        y[::2] = y[:4]
        y[:4] = y[::-1][:4]
        return y

    y = X * 2
    y[1:] = y[:-1].copy()
    y[::2] = y[:4].copy()
    y[:4] = y[::-1][:4].copy()
    compiled = jit(shifted)
    text = body(compiled)
    np.testing.assert_array_equal(compiled(X), y)
    assert "y[1:] = y[:-1]\n" in text
    assert text.count(".copy()") == 2


def test_an_array_that_is_read_whole_is_copied():
    def whole(x):
        y = x * 2
        s = np.exp(y)
        y[0] = 1.0
        return np.sum(s * y)

    np.testing.assert_allclose(
        grad(whole)(X), np.r_[2 * np.exp(2 * X[0]), 2 * np.exp(2 * X[1:]) * (1 + 2 * X[1:])]
    )


def test_the_gradient_of_a_stencil_is_the_stencil_backwards():
    def heat(u):
        u = u.copy()
        for _ in range(2):
            u[1:-1] += 0.1 * (u[2:] + u[:-2] - 2 * u[1:-1])
        return np.sum(u * u)

    text = body(grad(heat))
    assert text.count("u_bar[1:-1] -= 2 *") == 2
    assert text.count("copy") == 1  # of the caller's array


def test_in_place_operators_come_back():
    def operators(x):
        y = x + 1
        y[1:] *= x[0]
        y[:2] /= x[1]
        y[3] -= 2.0
        return y

    text = body(jit(operators))
    assert "y[1:] *= x[0]" in text
    assert "y[:2] /= x[1]" in text
    assert "y[3] -= 2" in text


def recurrence(x):
    y = x * 0.5
    for i in range(1, len(y)):
        y[i] = 0.9 * y[i - 1] + np.sin(y[i]) * y[i - 1]
    return np.sum(y**2)


@pytest.mark.parametrize("transform", [jit, grad])
def test_stores_into_elements_cost_as_many_operations(transform):
    def seconds(n):
        x = np.linspace(0, 1, n)
        program = transform(recurrence)
        start = time.perf_counter()
        program(x)
        return time.perf_counter() - start, program

    seconds(20)
    (short, _), (long, program) = seconds(60), seconds(480)
    assert long < 8 * short * 3  # linear, with room for noise
    assert program.source.count(".copy()") <= 1
