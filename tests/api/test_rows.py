"""A function of the user's under vmap: loops, and their source."""

import numpy as np
from numpy.testing import assert_allclose

import symdiff

X = np.arange(6.0).reshape(3, 2) + 1


@symdiff.custom_jvp
def parts(x, y):
    return {"sum": x + y, "product": x * y}


@parts.defjvp
def _parts_jvp(primals, tangents):
    (x, y), (x_dot, y_dot) = primals, tangents
    return parts(x, y), {"sum": x_dot + y_dot, "product": x_dot * y + x * y_dot}


def loss(x, y):
    found = parts(x, y)
    return np.sum(found["sum"] * found["product"])


def plain(x, y):
    return np.sum((x + y) * (x * y))


def test_several_results_come_from_one_loop():
    batched = symdiff.vmap(lambda x, y: parts(x, y))
    made = batched(X, X)
    assert_allclose(made["product"], X * X)
    assert batched.source.count("parts(") == 1


def test_what_is_not_mapped_is_the_same_for_all_rows():
    gradient = symdiff.grad(
        lambda x, y: np.sum(symdiff.vmap(loss, in_axes=(0, None))(x, y)), argnums=(0, 1)
    )
    known = symdiff.grad(
        lambda x, y: np.sum(symdiff.vmap(plain, in_axes=(0, None))(x, y)), argnums=(0, 1)
    )
    for one, other in zip(gradient(X, X[0]), known(X, X[0]), strict=True):
        assert_allclose(one, other)


def test_rows_of_rows_of_derivatives():
    twice = symdiff.vmap(symdiff.vmap(symdiff.grad(loss), in_axes=(0, None)))
    known = symdiff.vmap(symdiff.vmap(symdiff.grad(plain), in_axes=(0, None)))
    stacked = np.stack([X, X + 1])
    assert_allclose(twice(stacked, X[:2]), known(stacked, X[:2]))


def test_backward_rules_of_rows():
    product = symdiff.custom_vjp(lambda x, y: np.sum(x) * y)
    product.defvjp(
        lambda x, y: (product(x, y), (x, y)),
        lambda kept, bar: (np.full(2, np.sum(kept[1] * bar)), np.sum(kept[0]) * bar),
    )
    batch = symdiff.vmap(product, in_axes=(0, None))
    made = symdiff.grad(lambda x, y: np.sum(batch(x, y) ** 2), (0, 1))(X, 3.0)
    known = symdiff.grad(lambda x, y: np.sum((np.sum(x, axis=1) * y) ** 2), (0, 1))(X, 3.0)
    for one, other in zip(made, known, strict=True):
        assert_allclose(one, other)
