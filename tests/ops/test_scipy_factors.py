"""LU with its permutation, polar decompositions, bases of range and kernel."""

import numpy as np
import pytest
import scipy.linalg as sl

from symdiff import grad, jit, vmap
from symdiff.errors import UnsupportedFunctionError
from symdiff.testing import check_grads

RNG = np.random.default_rng(3)
SQUARE, TALL, WIDE = (RNG.normal(size=shape) for shape in ((3, 3), (4, 2), (2, 4)))
COMPLEX = SQUARE + 1j * RNG.normal(size=(3, 3))


@pytest.mark.parametrize("a", [SQUARE, TALL, WIDE, COMPLEX], ids=["square", "tall", "wide", "c"])
@pytest.mark.parametrize(
    "options", [{}, {"permute_l": True}, {"p_indices": True}], ids=["", "permute", "indices"]
)
def test_lu(a, options):
    for found, expected in zip(jit(lambda a: sl.lu(a, **options))(a), sl.lu(a, **options),
                               strict=True):  # fmt: skip
        np.testing.assert_array_equal(found, expected, strict=True)

    def loss(a):
        *_, lower, upper = sl.lu(a, **options)
        return np.sum(np.abs(lower) ** 2 * 3) + np.sum(np.abs(upper) ** 2)

    check_grads(loss, (a,), order=2)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("a", [SQUARE, TALL, WIDE, COMPLEX], ids=["square", "tall", "wide", "c"])
def test_polar(a, side):
    if (a.shape[0] < a.shape[1]) == (side == "right") and a.shape[0] != a.shape[1]:
        with pytest.raises(UnsupportedFunctionError, match=r"singular.*side="):
            jit(lambda a: sl.polar(a, side))(a)
        return
    for found, expected in zip(jit(lambda a: sl.polar(a, side))(a), sl.polar(a, side),
                               strict=True):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    weights = np.cos(np.arange(a.size)).reshape(a.shape)

    def loss(a):
        u, p = sl.polar(a, side)
        return np.sum(np.real(u) * weights) + np.sum(np.abs(p) ** 2 * p.shape[0])

    check_grads(loss, (a,), order=2)


def test_polar_where_singular_values_are_equal():
    gradient = grad(lambda a: np.sum(sl.polar(a)[0] * SQUARE))
    assert np.all(np.isfinite(gradient(2 * np.eye(3))))


def test_rows():
    stack = RNG.normal(size=(2, 3, 3))
    for function in (lambda a: sl.lu(a, permute_l=True)[0], lambda a: sl.polar(a)[1]):
        expected = [function(a) for a in stack]
        np.testing.assert_allclose(vmap(function)(stack), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "a", [SQUARE[:2], TALL, np.outer(TALL[:, 0], WIDE[0]), COMPLEX[:2], COMPLEX[:, :2] * 1j]
)
def test_projections(a):
    """What does not depend on the basis: the matrix that projects on its span."""

    def onto_range(a):
        basis = sl.orth(a)
        return basis @ basis.conj().T

    def onto_kernel(a):
        basis = sl.null_space(a)
        return basis @ basis.conj().T

    for function in (onto_range, onto_kernel):
        np.testing.assert_allclose(jit(function)(a), function(a), atol=1e-13)
    if np.linalg.matrix_rank(a) == min(a.shape):
        check_grads(onto_kernel, (a,), order=1)
        check_grads(onto_range, (a,), order=1)
