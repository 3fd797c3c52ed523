"""Distances between all rows, by each of SciPy's metrics: values, derivatives, what is refused."""

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.spatial.distance import cdist, pdist, squareform

import symdiff
from symdiff import UnsupportedFunctionError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3))
W = np.array([0.5, 1.0, 2.0])
METRICS = [
    ("euclidean", {}),
    ("sqeuclidean", {}),
    ("cityblock", {}),
    ("chebyshev", {}),
    ("minkowski", {}),
    ("minkowski", {"p": 1}),
    ("minkowski", {"p": 3}),
    ("cosine", {}),
    ("correlation", {}),
    ("canberra", {}),
    ("braycurtis", {}),
    ("seuclidean", {}),
    ("seuclidean", {"V": W}),
    ("mahalanobis", {}),
    ("mahalanobis", {"VI": np.diag(W) + 0.1}),
    ("euclidean", {"w": W}),
    ("sqeuclidean", {"w": W}),
    ("cityblock", {"w": W}),
    ("minkowski", {"p": 3, "w": W}),
    ("chebyshev", {"w": W * [1, 0, 1]}),
    (distance.cosine, {}),
]


@pytest.mark.parametrize(("metric", "options"), METRICS)
def test_metrics(metric, options):
    def of_two(X, Y):
        return cdist(X, Y, metric, **options)

    def of_one(X):
        return pdist(X, metric, **options)

    def square(X):
        return squareform(pdist(X, metric, **options))

    for function, args in ((of_two, (X, Y)), (of_one, (X,)), (square, (X,))):
        expected = function(*args)
        np.testing.assert_allclose(symdiff.jit(function)(*args), expected, 1e-12, 1e-14)
        symdiff.check_grads(lambda *args, f=function: np.sum(np.sin(f(*args))), args)


def test_the_call_comes_back():
    gradient = symdiff.grad(lambda X, Y: np.sum(np.exp(-cdist(X, Y, "cityblock"))))
    gradient(X, Y)
    assert 'scipy.spatial.distance.cdist(X, Y, "cityblock")' in gradient.source


def test_equal_rows_have_derivative_zero():
    twice = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0]])
    gradient = symdiff.grad(lambda X: np.sum(pdist(X)))(twice)
    away = np.array([2.0, 2.0]) / np.sqrt(8)
    np.testing.assert_allclose(gradient, [-away, -away, 2 * away])
    assert np.isfinite(symdiff.hessian(lambda X: np.sum(cdist(X, X)))(twice)).all()


def test_close_rows_keep_their_digits():
    near = np.array([[1e6, 1.0], [1e6, 1.0 + 1e-6]])
    gradient = symdiff.grad(lambda X: np.sum(pdist(X)))(near)
    np.testing.assert_allclose(gradient, [[0, -1], [0, 1]], rtol=1e-15)


def test_types_and_batches():
    single = X.astype(np.float32)
    assert symdiff.jit(cdist)(single, Y).dtype == np.float64
    assert symdiff.grad(lambda X: np.sum(cdist(X, Y)))(single).dtype == np.float32
    rows = np.stack([X, 2 * X])
    mapped = symdiff.vmap(lambda X: cdist(X, Y, "minkowski", p=3))(rows)
    np.testing.assert_allclose(mapped, [cdist(X, Y, "minkowski", p=3) for X in rows])
    np.testing.assert_allclose(symdiff.vmap(pdist)(rows), [pdist(X) for X in rows])
    integers = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(symdiff.jit(pdist)(integers), pdist(integers))


def test_squareform_goes_both_ways():
    d = pdist(X)
    np.testing.assert_array_equal(symdiff.jit(squareform)(d), squareform(d))
    np.testing.assert_array_equal(symdiff.jit(squareform)(squareform(d)), d)
    symdiff.check_grads(lambda m: np.sum(np.sin(squareform(m, checks=False))), (squareform(d),))
    with pytest.raises(ValueError, match="cannot be forced"):
        symdiff.jit(lambda d: squareform(d, force="tovector"))(d)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda X: cdist(X, X, "jaccard"), "by jaccard are not traced"),
        (lambda X: pdist(X, lambda u, v: np.sum(u * v)), "a function of one's own"),
        (lambda X: cdist(X, X, "cosine", w=W), "by cosine are not traced with w="),
        (lambda X: cdist(X, X, "cosine", V=W), "with V= are not traced"),
    ],
)
def test_what_is_refused(function, message):
    with pytest.raises(UnsupportedFunctionError, match=message):
        symdiff.grad(lambda X: np.sum(function(X)))(X)
