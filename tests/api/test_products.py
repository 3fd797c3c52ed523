"""jvp, vjp, linearize and hvp."""

import numpy as np
import pytest

import symdiff

X, V = np.array([0.5, 1.5]), np.array([1.0, -2.0])


def loss(x):
    return np.sum(np.sin(x) * x)


class Unhashable:
    __hash__ = None

    def __call__(self, x):
        return loss(x)


@pytest.mark.parametrize("function", [loss, Unhashable()], ids=["function", "unhashable"])
def test_products_agree(function):
    slope = symdiff.grad(loss)(X) @ V
    value, dot = symdiff.jvp(function, (X,), (V,))
    assert value == loss(X)
    np.testing.assert_allclose(dot, slope, rtol=1e-14)
    np.testing.assert_allclose(symdiff.linearize(function, X)[1](V), slope, rtol=1e-14)
    (bar,) = symdiff.vjp(function, X)[1](1.0)
    np.testing.assert_allclose(bar @ V, slope, rtol=1e-14)


def test_hvp():
    expected = (2 * np.cos(X) - X * np.sin(X)) * V
    np.testing.assert_allclose(symdiff.hvp(loss, (X,), (V,)), expected, rtol=1e-13)
    np.testing.assert_allclose(symdiff.jvp(symdiff.grad(loss), (X,), (V,))[1], expected, rtol=1e-13)


def test_what_does_not_fit():
    with pytest.raises(TypeError, match="1 primals, but 2 tangents"):
        symdiff.jvp(loss, (X,), (V, V))
    with pytest.raises(TypeError, match=r"has shape \(3,\), its primal \(2,\)"):
        symdiff.jvp(loss, (X,), (np.ones(3),))


# ---------------------------------------------------------------------------- trees


def model(p, x):
    return {"y": np.tanh(p["w"][0] * x), "total": np.sum(p["w"][1] * x)}


P, P_DOT = {"w": (X, 2.0)}, {"w": (V, -1.0)}


def test_products_of_trees():
    value, dot = symdiff.jvp(model, (P, X), (P_DOT, V))
    ahead, behind = (
        model({"w": (X + h * V, 2.0 - h)}, X + h * V) for h in (1e-6, -1e-6)
    )
    for key, each in dot.items():
        np.testing.assert_array_equal(value[key], model(P, X)[key])
        np.testing.assert_allclose(each, (ahead[key] - behind[key]) / 2e-6, rtol=1e-8)
    bar = {"y": np.array([0.5, -1.0]), "total": np.float64(2)}
    p_bar, x_bar = symdiff.vjp(model, P, X)[1](bar)
    forward = bar["y"] @ dot["y"] + bar["total"] * dot["total"]
    backward = p_bar["w"][0] @ V - p_bar["w"][1] + x_bar @ V
    np.testing.assert_allclose(backward, forward, rtol=1e-14)
    assert type(p_bar["w"][1]) is float


def test_hvp_of_trees():
    def value(p, x):
        return np.sum(p["w"][0] ** 2 * x) * p["w"][1]

    p_product, x_product = symdiff.hvp(value, (P, X), (P_DOT, V))
    gradient = symdiff.grad(value, (0, 1))
    (p1, x1), (p0, x0) = (
        gradient({"w": (X + h * V, 2.0 - h)}, X + h * V) for h in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(x_product, (x1 - x0) / 2e-5, rtol=1e-8)
    np.testing.assert_allclose(p_product["w"][0], (p1["w"][0] - p0["w"][0]) / 2e-5, rtol=1e-8)
    np.testing.assert_allclose(p_product["w"][1], (p1["w"][1] - p0["w"][1]) / 2e-5, rtol=1e-8)


def with_aux(x):
    """The value, and what is not differentiated: an array and a name."""
    return np.sum(x**3), {"x": 2 * x, "name": "f"}


def test_forward_mode_with_aux():
    y, y_dot, aux = symdiff.jvp(with_aux, (X,), (V,), has_aux=True)
    assert y == np.sum(X**3)
    np.testing.assert_allclose(y_dot, np.sum(3 * X * X * V), rtol=1e-15)
    np.testing.assert_array_equal(aux["x"], 2 * X)
    y, f_jvp, aux = symdiff.linearize(with_aux, X, has_aux=True)
    np.testing.assert_allclose(f_jvp(V), y_dot, rtol=1e-15)
    assert aux["name"] == "f"
    hessian, aux = symdiff.hessian(with_aux, has_aux=True)(X)
    np.testing.assert_allclose(hessian, np.diag(6 * X), rtol=1e-15)
    assert aux["name"] == "f"


def test_vjp_with_aux():
    y, pullback, aux = symdiff.vjp(lambda x: (x * x, {"x": x, "name": "f"}), X, has_aux=True)
    np.testing.assert_array_equal(y, X * X)
    np.testing.assert_array_equal(aux["x"], X)
    assert aux["name"] == "f"
    np.testing.assert_array_equal(pullback(V)[0], 2 * X * V)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symdiff.jvp(model, (P, X), ({"w": (V,)}, V)), "has the tree"),
        (lambda: symdiff.jvp(loss, X, (V,)), "primals is a tuple of arguments"),
        (lambda: symdiff.jvp(loss, (X,), V), "tangents is a tuple of arguments"),
        (lambda: symdiff.hvp(loss, (X, X), (V, V)), "takes 1 arguments, not 2"),
        (lambda: symdiff.vjp(3, X), "a function is expected"),
        (lambda: symdiff.hvp(loss, (X,), (V[:1],)), r"`x_dot` has shape \(1,\), its primal \(2,\)"),
        (lambda: symdiff.hvp(loss, (X,), (2.0,)), r"`x_dot` has shape \(\), its primal \(2,\)"),
        (lambda: symdiff.jvp(loss, (X,), (1j * V,)), r"complex, and goes with a real f64\[2\]"),
        (lambda: symdiff.vjp(np.exp, X)[1](1j * V), "`y_bar` is complex"),
        (lambda: symdiff.linearize(loss, X)[1](V, V), "the tangents have the tree"),
    ],
)
def test_messages(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_product_is_compiled_once():
    def cube(x):
        return x**3

    from symdiff.api.products import _forward

    for x in (1.0, 2.0, 3.0):
        assert symdiff.jvp(cube, (x,), (1.0,)) == (x**3, 3 * x * x)
    assert _forward(cube, 1, False).cache_info().misses == 1
    symdiff.clear_caches()
    assert _forward(cube, 1, False).cache_info().misses == 0
    assert symdiff.jvp(cube, (2.0,), (1.0,)) == (8.0, 12.0)
