"""Derivatives with respect to attributes of objects."""

import dataclasses
import pickle

import numpy as np
import pytest

from symdiff import grad, value_and_grad

X = np.array([0.3, 0.5, 0.7])


class Layer:
    def __init__(self, scale):
        self.W = np.eye(3) * scale
        self.b = np.zeros(3)

    def __call__(self, x):
        return np.tanh(self.W @ x + self.b)


class Network:
    def __init__(self):
        self.layers = [Layer(0.5), Layer(2.0)]
        self.rate = 2.0
        self.out = {"a": np.ones(3)}

    def loss(self, x):
        for layer in self.layers:
            x = layer(x)
        return np.sum(x * self.out["a"]) * self.rate

    def __call__(self, x):
        return self.loss(x)


def slope(function, array, step=1e-6):
    found = np.zeros(array.shape)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + step
        ahead = function()
        array[i] = kept - step
        found[i] = (ahead - function()) / (2 * step)
        array[i] = kept
    return found


def test_an_array_deep_in_an_object():
    network = Network()
    made = grad(network.loss, argnames="self.layers.0.W")
    W = network.layers[0].W
    np.testing.assert_allclose(made(X), slope(lambda: network.loss(X), W), rtol=1e-7)
    network.layers[0].W = 3 * W  # read again at each call
    expected = slope(lambda: network.loss(X), network.layers[0].W)
    np.testing.assert_allclose(made(X), expected, rtol=1e-7)
    assert made.cache_info().misses == 1
    assert "def loss_grad(self_layers_0_W, x, " in made.source
    assert "Gradient of `loss` with respect to self_layers_0_W" in made.source


def test_several_beside_an_argument():
    network = Network()
    names = ("self.rate", "x", "self.out", "self.layers.1.b")
    value, found = value_and_grad(network.loss, argnames=names)(X)
    assert value == network.loss(X)
    np.testing.assert_allclose(found[0], value / network.rate)
    np.testing.assert_allclose(found[1], grad(network.loss)(X))
    assert found[2].keys() == {"a"}
    b = network.layers[1].b
    np.testing.assert_allclose(found[3], slope(lambda: network.loss(X), b), rtol=1e-7)


def test_where_a_path_starts():
    network = Network()
    expected = network.loss(X) / network.rate

    def of_argument(model, x):
        return model.loss(x)

    assert grad(network, argnames="self.rate")(X) == expected
    assert grad(lambda x: network.loss(x), argnames="network.rate")(X) == expected
    assert grad(of_argument, argnames="model.rate")(network, X) == expected
    assert grad(of_argument, argnames="model.rate")(x=X, model=network) == expected
    assert grad(lambda x: GLOBAL.loss(x), argnames="GLOBAL.rate")(X) == expected


GLOBAL = Network()


class Decorated:
    def __init__(self, w):
        self.w = w

    @grad(argnames="self.w")
    def slope(self, x):
        return np.sum(x * self.w**2)


@dataclasses.dataclass
class Data:
    w: float

    def loss(self, x):
        return np.sum(x * self.w**2)


class Slots:
    __slots__ = ("w",)

    def __init__(self, w):
        self.w = w

    loss = Data.loss


def test_classes_of_any_kind():
    expected = 6.0 * X.sum()
    assert Decorated(3.0).slope(X) == pytest.approx(expected)
    for cls in (Data, Slots):
        assert grad(cls(3.0).loss, argnames="self.w")(X) == pytest.approx(expected)


def test_what_else_reads_it_sees_it_too():
    model = Data(3.0)

    def loss(x):
        return model.loss(x) * model.w

    assert grad(loss, argnames="model.w")(X) == pytest.approx(27.0 * X.sum())


def test_inside_another_derivative():
    network = Network()
    inner = grad(network.loss, argnames="self.rate")
    np.testing.assert_allclose(
        grad(lambda x: inner(x))(X), grad(network.loss)(X) / network.rate
    )


def test_training_compiles_once_and_changes_what_it_is_told():
    network = Network()
    step = value_and_grad(network.loss, argnames=("self.layers.0.W", "self.rate"))
    values = []
    for _ in range(5):
        value, (W_bar, rate_bar) = step(X)
        values.append(value)
        network.layers[0].W = network.layers[0].W - 0.1 * W_bar
        network.rate -= 0.1 * rate_bar
    assert values == sorted(values, reverse=True)
    assert step.cache_info().misses == 1


def test_what_is_not_there():
    for path in ("self.q", "self.layers.7.W", "self.layers.a.W", "other.W"):
        with pytest.raises(TypeError, match=f"loss reaches no '{path}'"):
            grad(Network().loss, argnames=path)(X)
    with pytest.raises(TypeError, match="of type Layer"):
        grad(Network().loss, argnames="self.layers")(X)


def test_a_copy():
    made = grad(GLOBAL.loss, argnames="self.rate")
    assert pickle.loads(pickle.dumps(made))(X) == made(X)
