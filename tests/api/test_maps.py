"""vmap, jacobians and hessian."""

import numpy as np
import pytest

import symdiff
from symdiff.errors import NotDifferentiableError, ShapeError

X = np.array([0.5, 1.5, -1.0])


def loss(x):
    return np.sum(np.sin(x) * x) * x[0]


def test_hessian_against_finite_differences():
    gradient, step = symdiff.grad(loss), 1e-6
    expected = [(gradient(X + e) - gradient(X - e)) / (2 * step) for e in step * np.eye(3)]
    np.testing.assert_allclose(symdiff.hessian(loss)(X), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("jacobian", [symdiff.jacobian, symdiff.jacfwd, symdiff.jacrev])
def test_jacobian(jacobian):
    A = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(jacobian(lambda x: A @ (x * x))(X), A * 2 * X, rtol=1e-14)


def test_vmap_of_grad():
    rows = np.stack([X, 2 * X])
    expected = [symdiff.grad(loss)(row) for row in rows]
    np.testing.assert_allclose(symdiff.vmap(symdiff.grad(loss))(rows), expected, rtol=1e-13)


# ---------------------------------------------------------------------------- vmap

A, B = np.arange(6.0).reshape(2, 3), np.linspace(1.0, 2.0, 6).reshape(2, 3)


def by_loop(function, arguments, axes, out=0):
    """What vmap should give: one call after the other."""
    sizes = [np.shape(x)[axis] for x, axis in zip(arguments, axes, strict=True) if axis is not None]
    calls = [
        function(*(
            x if axis is None else np.take(x, i, axis)
            for x, axis in zip(arguments, axes, strict=True)
        ))
        for i in range(sizes[0])
    ]
    return np.stack(calls, out)


@pytest.mark.parametrize("out", [0, 1, -1])
@pytest.mark.parametrize(
    ("arguments", "axes"),
    [
        ((A, B), (0, 0)),
        ((A, B), (1, 1)),
        ((A, B), (-1, 1)),
        ((A, B), (-2, 0)),
        ((A, B.T), (0, 1)),
        ((A, np.ones(3)), (0, None)),
        ((np.ones(3), A), (None, 0)),
        ((A, 2.0), (0, None)),
        ((A, np.ones((4, 3))), (0, None)),
    ],
)
def test_axes_of_vmap(arguments, axes, out):
    def function(a, b):
        return np.sin(a) * b

    expected = by_loop(function, arguments, axes, out)
    for given in (axes, list(axes)):
        mapped = symdiff.vmap(function, given, out)
        np.testing.assert_allclose(mapped(*arguments), expected, rtol=1e-15)
    if axes[0] == axes[1]:
        mapped = symdiff.vmap(function, axes[0], out)
        np.testing.assert_allclose(mapped(*arguments), expected, rtol=1e-15)


def test_trees_of_axes():
    def model(p, x):
        return p["w"][0] * x + p["b"]

    expected = A * B + 1.5
    p = {"w": (A,), "b": 1.5}
    np.testing.assert_array_equal(symdiff.vmap(model, ({"w": (0,), "b": None}, 0))(p, B), expected)
    p = {"w": (A.T,), "b": np.full(2, 1.5)}
    axes = ({"w": (1,), "b": -1}, 0)
    np.testing.assert_array_equal(symdiff.vmap(model, axes)(p, B), expected)
    p = {"w": (np.ones(3),), "b": 1.5}
    np.testing.assert_array_equal(symdiff.vmap(model, (None, 0))(p, B), B + 1.5)


def test_axes_of_trees_of_results():
    def both(a):
        return {"same": a, "parts": (2 * a, [3 * a, "name"])}

    found = symdiff.vmap(both, out_axes={"same": 1, "parts": (0, -1)})(A)
    np.testing.assert_array_equal(found["same"], A.T)
    np.testing.assert_array_equal(found["parts"][0], 2 * A)
    np.testing.assert_array_equal(found["parts"][1][0], 3 * A.T)
    assert found["parts"][1][1] == "name"
    np.testing.assert_array_equal(symdiff.vmap(both, out_axes=1)(A)["parts"][0], 2 * A.T)


def test_ways_to_call_what_is_mapped():
    np.testing.assert_array_equal(symdiff.vmap(lambda a, *, k: a * k)(A, k=B), A * B)
    np.testing.assert_array_equal(symdiff.vmap(lambda *a: a[0] * a[1])(A, B), A * B)
    np.testing.assert_array_equal(symdiff.vmap(symdiff.jit(np.multiply))(A, B), A * B)
    np.testing.assert_array_equal(symdiff.jit(symdiff.vmap(np.multiply))(A, B), A * B)
    np.testing.assert_array_equal(symdiff.vmap(lambda a: np.ones(2))(A), np.ones((2, 2)))
    np.testing.assert_array_equal(symdiff.vmap(np.sin)(np.ones((0, 3))), np.ones((0, 3)))
    gradient = symdiff.grad(lambda x: np.sum(symdiff.vmap(np.multiply)(x, x)))
    np.testing.assert_array_equal(gradient(A), 2 * A)


def test_nested_maps():
    outer = symdiff.vmap(symdiff.vmap(np.multiply, (0, None)), (None, 0))
    rows, columns = np.arange(2.0), np.arange(4.0)
    np.testing.assert_array_equal(outer(rows, columns), np.multiply.outer(columns, rows))
    hessians = symdiff.vmap(symdiff.hessian(lambda x: np.sum(x**3)))(A)
    np.testing.assert_allclose(hessians, [np.diag(6 * row) for row in A], rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "arguments", "error", "message"),
    [
        ({}, (A, np.ones((3, 3))), ShapeError, "axes of lengths 2, 3"),
        ({}, (A, 1.0), ShapeError, r"a value of shape \(\) has no axis 0"),
        ({"in_axes": (5, 0)}, (A, B), ShapeError, r"shape \(2, 3\) has no axis 5"),
        ({"in_axes": None}, (A, B), ShapeError, "nothing to map over"),
        ({"in_axes": (0,)}, (A, B), TypeError, "1 in_axes for 2 arguments"),
        ({"in_axes": ({"x": 0}, 0)}, (A, B), TypeError, "in_axes has the tree"),
        ({"in_axes": (0.5, 0)}, (A, B), TypeError, "an axis is an int or None, not 0.5"),
        ({"in_axes": (True, 0)}, (A, B), TypeError, "an axis is an int or None, not True"),
        ({"in_axes": "ab"}, (A, B), TypeError, "in_axes is an int, None or a tuple"),
        ({"out_axes": 2}, (A, B), ShapeError, r"out_axes=2 for a result of shape \(2, 3\)"),
        ({"out_axes": (0, 1)}, (A, B), TypeError, "does not fit a result"),
        ({"out_axes": None}, (A, B), ShapeError, "out_axes=None for a result that depends on"),
        ({"in_axes": (0, 0, 0)}, (A, B), TypeError, "3 in_axes for 2 arguments"),
    ],
)
def test_axes_that_do_not_fit(options, arguments, error, message):
    with pytest.raises(error, match=message):
        symdiff.vmap(np.multiply, **options)(*arguments)


def test_what_is_left_at_its_default_is_not_mapped():
    factor = np.full(3, 2.0)

    def scaled(a, k=factor, *, shift=1.0):
        return a * k + shift

    for axes in (0, (0,)):
        mapped = symdiff.vmap(scaled, axes)
        np.testing.assert_array_equal(mapped(A), 2 * A + 1)
        np.testing.assert_array_equal(mapped(A, shift=np.array([1.0, 5.0])), 2 * A + [[1], [5]])
        factor[:] = 3
        np.testing.assert_array_equal(mapped(A), 3 * A + 1)
        factor[:] = 2
    np.testing.assert_array_equal(symdiff.vmap(scaled)(A, B), A * B + 1)
    np.testing.assert_array_equal(symdiff.vmap(scaled, (0, 0))(A, k=B), A * B + 1)
    np.testing.assert_array_equal(symdiff.vmap(np.sum)(A), np.sum(A, 1))
    twice = symdiff.vmap(symdiff.vmap(lambda a, b=1.0, c=2.0: a * b + c))
    np.testing.assert_array_equal(twice(A, c=B), A + B)
    np.testing.assert_array_equal(symdiff.jit(twice)(A), A + 2)
    gradient = symdiff.grad(lambda x: np.sum(symdiff.vmap(scaled)(x) ** 2))
    np.testing.assert_array_equal(gradient(A), 4 * (2 * A + 1))
    with pytest.raises(TypeError, match="2 in_axes for 1 arguments"):
        symdiff.vmap(scaled, (0, None))(A)


def test_results_that_are_the_same_for_all():
    def parts(a, k):
        return {"row": a * k, "same": k + 1, "one": 2.0, "text": "name"}

    axes = {"row": 1, "same": None, "one": None, "text": None}
    found = symdiff.vmap(parts, (0, None), axes)(A, 3.0)
    np.testing.assert_array_equal(found["row"], 3 * A.T)
    assert (found["same"], found["one"], found["text"]) == (4.0, 2.0, "name")
    assert type(found["same"]) is type(parts(A[0], 3.0)["same"])
    vector = np.ones(3)
    same = symdiff.vmap(lambda a, k: np.sin(k), (0, None), None)
    np.testing.assert_array_equal(same(np.ones((0, 3)), vector), np.sin(vector))
    everywhere = symdiff.vmap(lambda a, k: np.sin(k), (0, None), 1)
    np.testing.assert_array_equal(everywhere(A, vector), np.sin([vector, vector]).T)
    np.testing.assert_array_equal(everywhere(A, 0.5 * vector), np.sin([[0.5] * 2] * 3))
    with pytest.raises(ShapeError, match="out_axes=None for a result that depends on"):
        symdiff.vmap(parts, (0, None), None)(A, 3.0)


@pytest.mark.parametrize("jacobian", [symdiff.jacobian, symdiff.jacfwd, symdiff.jacrev])
def test_jacobian_of_trees(jacobian):
    found = jacobian(lambda p, q: p["a"] * q, argnums=(0, 1))({"a": X, "b": X}, 2.0)
    np.testing.assert_array_equal(found[0]["a"], 2 * np.eye(3))
    np.testing.assert_array_equal(found[0]["b"], np.zeros((3, 3)))
    np.testing.assert_array_equal(found[1], X)


def test_hessian_of_a_tree():
    found = symdiff.hessian(lambda p: np.sum(p["a"] ** 2 * p["b"]))({"a": X, "b": 3 * X})
    np.testing.assert_array_equal(found["a"]["a"], np.diag(6 * X))
    np.testing.assert_array_equal(found["a"]["b"], np.diag(2 * X))


def test_jacobians_between_real_and_complex():
    z = X + 1j
    for jacobian in (symdiff.jacobian, symdiff.jacfwd):
        np.testing.assert_array_equal(jacobian(lambda x: 1j * x)(X), 1j * np.eye(3))
    for jacobian in (symdiff.jacobian, symdiff.jacrev):
        np.testing.assert_array_equal(jacobian(np.imag)(z), -1j * np.eye(3))
        tall = jacobian(lambda z: np.concatenate([z.real, z.imag]))(z)
        np.testing.assert_array_equal(tall, np.concatenate([np.eye(3), -1j * np.eye(3)]))
    with pytest.raises(NotDifferentiableError, match=r"Use symdiff\.jacfwd"):
        symdiff.jacrev(lambda x: 1j * x)(X)
    with pytest.raises(NotDifferentiableError, match=r"Use symdiff\.jacrev"):
        symdiff.jacfwd(np.imag)(z)


def test_no_work_along_other_arguments():
    def f(W, V, i):
        return np.sum(np.tanh(np.tanh(W @ V)[i]) ** 2)

    hessian = symdiff.hessian(f, (0, 1))
    hessian(np.ones((2, 3)), np.ones((3, 2)), np.array([1, 0]))
    assert "@ np.zeros" not in hessian.source
    assert "+= 0" not in hessian.source


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("function", [np.tanh, np.exp, np.prod, np.linalg.norm])
def test_hessians_of_few_elements(function, size):
    x = np.ones(size, np.float32)
    found = symdiff.hessian(lambda x: np.sum(function(x)))(x)
    assert (found.shape, found.dtype) == ((size, size), np.float32)


def side(x):
    return np.sin(x) if np.sum(x) > 0 else x * x


def halved(x):
    while np.sum(np.abs(x)) > 0.5:
        x = x / 2
    return x * x


def steps(x):
    for i in range(6):
        x = x + i * np.sin(x)
    return x


@pytest.mark.parametrize(
    ("function", "read"), [(side, "np.where"), (halved, "while "), (steps, "for i in range(6)")]
)
def test_loops_and_branches_are_captured(function, read):
    rows = np.stack([X, -X, 4 * X])
    mapped = symdiff.vmap(function)
    np.testing.assert_allclose(mapped(rows), [function(row) for row in rows], rtol=1e-14)
    assert read in mapped.source
    for jacobian in (symdiff.jacfwd(function), symdiff.jacrev(function)):
        for row in rows:
            pairs = [(function(row + d), function(row - d)) for d in 1e-6 * np.eye(3)]
            expected = np.stack([(a - b) / 2e-6 for a, b in pairs], axis=1)
            np.testing.assert_allclose(jacobian(row), expected, rtol=1e-6, atol=1e-9)
        assert jacobian.cache_info().misses == 1
        assert any(word in jacobian.source for word in ("if ", "while ", "for "))
