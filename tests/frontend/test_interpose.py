"""Interposed functions: what is intercepted, what becomes a hidden input, what is compared."""

import contextlib
import dataclasses
import functools
import math
import random
import sys
import threading
import types
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from symdiff import TraceError, grad
from symdiff.frontend import Tracer
from symdiff.frontend.captured import ABSENT
from symdiff.frontend.context import Context, tracing
from symdiff.frontend.interpose import Interposer
from symdiff.frontend.tracer import lift
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import type_of
from symdiff.ops.evaluate import evaluate

X = np.array([0.3, -0.4])


class Traced:
    """A function traced at some arguments, to be computed again from its graph."""

    def __init__(self, function, *args):
        self.inputs = [input_node(f"x{i}", type_of(arg)) for i, arg in enumerate(args)]
        interposer = Interposer()
        with tracing(Context(interposer)):
            tracers = [
                Tracer(node, isinstance(arg, np.ndarray)) for node, arg in zip(self.inputs, args)
            ]
            self.result = interposer(function, *tracers)
            self.output = lift(self.result)
        self.captured = interposer.captured

    def __call__(self, *args):
        hidden = {each.input: each.read() for each in self.captured if each.input is not None}
        values = dict(zip(self.inputs, args)) | hidden
        return evaluate([self.output], values)[0]

    @property
    def holds(self):
        return all(each.holds() for each in self.captured)

    @property
    def hidden(self):
        return [each.name for each in self.captured if each.input is not None]

    def sources(self):
        """Each captured value read by its source text."""
        out = []
        for each in self.captured:
            if each.expected is ABSENT:
                continue
            bound = {}

            def bind(value, bound=bound):
                return bound.setdefault(id(value), (f"o{len(bound)}", value))[0]

            text = each.source(bind)
            out.append((each, eval(text, dict(bound.values()))))
        return out


@pytest.fixture(autouse=True)
def one_compilation():
    with compilation(fresh=True):
        yield


def trace(function, *args):
    traced = Traced(function, *(args or (X,)))
    for each, value in traced.sources():
        assert value is each.read()
    return traced


def check(function, *args):
    """The graph computes what the function does, there and at other values."""
    args = args or (X,)
    traced = trace(function, *args)
    for scale in (1, 0.5):
        scaled = [arg * scale if isinstance(arg, (float, np.ndarray)) else arg for arg in args]
        found, expected = traced(*scaled), function(*scaled)
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        assert np.shape(found) == np.shape(expected)
    return traced


# ---------------------------------------------------------------------------- hidden arrays

W = np.array([[1.0, 2.0], [3.0, 4.0]])
COUNTS = np.array([3, 4])
PARAMS = {"W": W.copy(), "layers": [np.array([1.0, 2.0]), (np.array([5.0, 6.0]), "tanh")]}
RATE = 0.5


class Layer:
    scale = np.array(2.0)

    def __init__(self, W, rate=1.0):
        self.W = W
        self.rate = rate

    def __call__(self, x):
        return np.tanh(x @ self.W) * self.rate * self.scale

    def forward(self, x):
        halved = self.W / 2
        return self.finish(x @ halved)

    def finish(self, x):
        return x * self.rate

    @property
    def doubled(self):
        return self.W * 2

    @classmethod
    def scaled(cls, x):
        return cls.scale * x

    @staticmethod
    def plain(x):
        return np.array([x[1], x[0]])


class Deep(Layer):
    def __init__(self, W, bias):
        super().__init__(W)
        self.bias = bias

    def forward(self, x):
        return super().forward(x) + self.bias


@dataclasses.dataclass
class Linear:
    W: np.ndarray
    b: np.ndarray

    def __call__(self, x):
        return x @ self.W + self.b


@dataclasses.dataclass(frozen=True)
class Frozen:
    W: np.ndarray


Pair = namedtuple("Pair", "W b")


def fresh(function, *args):
    """What a new trace gives now."""
    return Traced(function, *args)(*args)


def changes(function, *steps, names=None):
    """After each step the old trace holds and computes what a new one does."""
    traced = check(function)
    if names is not None:
        assert traced.hidden == names
    for step in steps:
        before = traced(X)
        step()
        assert traced.holds
        assert traced(X).tobytes() == fresh(function, X).tobytes() != before.tobytes()


def test_global_array(monkeypatch):
    monkeypatch.setitem(globals(), "W", W.copy())
    changes(
        lambda x: x @ W,
        lambda: W.__imul__(2),
        lambda: globals().update(W=np.eye(2)),
        names=["W"],
    )


def test_array_in_a_closure():
    w = W.copy()

    def loss(x):
        return x @ w

    def rebind():
        nonlocal w
        w = np.eye(2)

    changes(loss, lambda: w.__imul__(2), rebind, names=["w"])


def test_array_in_an_attribute():
    layer = Layer(W.copy())
    changes(
        lambda x: layer.forward(x),
        lambda: layer.W.__imul__(2),
        lambda: setattr(layer, "W", np.eye(2)),
        names=["W"],
    )


def test_array_of_a_bound_method():
    layer = Layer(W.copy())
    changes(layer.forward, lambda: layer.W.__imul__(2), lambda: setattr(layer, "W", np.eye(2)))


def test_array_of_a_callable_object():
    layer = Layer(W.copy())
    changes(layer, lambda: layer.W.__imul__(2), lambda: setattr(layer, "W", np.eye(2)))


def test_array_of_a_class(monkeypatch):
    layer = Layer(np.eye(2))
    monkeypatch.setattr(Layer, "scale", np.array(2.0))
    changes(layer, lambda: Layer.scale.__imul__(3), lambda: setattr(Layer, "scale", np.array(5.0)))
    changes(lambda x: Layer.scaled(x), lambda: Layer.scale.__imul__(3))


def test_arrays_in_containers(monkeypatch):
    monkeypatch.setitem(globals(), "PARAMS", {"W": W.copy(), "layers": [X, (X + 1, "tanh")]})

    def loss(x):
        first, (second, kind) = PARAMS["layers"]
        assert kind == "tanh"
        return x @ PARAMS["W"] + first * second

    changes(
        loss,
        lambda: PARAMS["W"].__imul__(2),
        lambda: PARAMS.update(W=np.eye(2)),
        lambda: PARAMS["layers"].__setitem__(0, np.ones(2)),
        lambda: PARAMS["layers"].__setitem__(1, (np.ones(2), "tanh")),
        names=["PARAMS_W", "PARAMS_layers_0", "PARAMS_layers_1_0"],
    )


def test_arrays_deep_in_an_object():
    model = types.SimpleNamespace(layers=[Layer(W.copy()), Layer(np.eye(2))], bias={"b": X.copy()})

    def loss(x):
        for layer in model.layers:
            x = layer(x)
        return x + model.bias["b"]

    changes(
        loss,
        lambda: model.layers[0].W.__imul__(2),
        lambda: setattr(model.layers[1], "W", W.copy()),
        lambda: model.bias.update(b=np.ones(2)),
        names=["layers_0_W", "layers_0_scale", "layers_1_W", "bias_b"],
    )


@pytest.mark.parametrize("make", [Linear, Pair, lambda W, b: OrderedDict(W=W, b=b)])
def test_arrays_in_records(make):
    record = [make(W.copy(), X.copy())]

    def loss(x):
        first = record[0]
        if isinstance(first, dict):
            return x @ first["W"] + first["b"]
        return x @ first.W + first.b

    def rebind():
        record[0] = make(np.eye(2), X + 1)

    traced = check(loss)
    rebind()
    assert traced.holds == (not isinstance(record[0], Linear))
    if traced.holds:
        np.testing.assert_array_equal(traced(X), loss(X))
    np.testing.assert_array_equal(fresh(loss, X), loss(X))


def test_dataclass_as_a_hidden_model():
    model = Linear(W.copy(), X.copy())
    changes(model, lambda: model.W.__imul__(2), lambda: setattr(model, "b", np.ones(2)))


def test_array_as_a_default():
    w0, b0 = W.copy(), X.copy()

    def loss(x, w=w0, *, b=b0):
        return x @ w + b

    outer = lambda x: loss(x)

    def rebind():
        loss.__defaults__ = (np.eye(2),)
        loss.__kwdefaults__["b"] = np.ones(2)

    changes(outer, lambda: loss.__defaults__[0].__imul__(2), rebind, names=["w", "b"])


def test_array_bound_by_partial():
    def loss(w, x, *, b):
        return x @ w + b

    w, b = W.copy(), X.copy()
    bound = functools.partial(loss, w, b=b)
    changes(lambda x: bound(x), lambda: w.__imul__(2), lambda: b.__imul__(2))
    changes(bound, lambda: w.__imul__(2), lambda: b.__imul__(2))


def test_array_in_a_property_and_computed_before_use():
    layer = Layer(W.copy())
    changes(lambda x: x @ layer.doubled, lambda: layer.W.__imul__(2))
    changes(lambda x: x @ (np.sqrt(layer.W) / 2), lambda: layer.W.__imul__(2))


def test_inherited_method_and_super():
    deep = Deep(W.copy(), X.copy())
    changes(
        lambda x: deep.forward(x),
        lambda: deep.W.__imul__(2),
        lambda: setattr(deep, "bias", np.ones(2)),
    )


def test_array_with_slots():
    class Slotted:
        __slots__ = ("W",)

        def __init__(self, W):
            self.W = W

    model = Slotted(W.copy())
    changes(lambda x: x @ model.W, lambda: model.W.__imul__(2), lambda: setattr(model, "W", W * 3))


def test_integer_array_and_0d_array(monkeypatch):
    monkeypatch.setitem(globals(), "COUNTS", COUNTS.copy())
    changes(lambda x: x * COUNTS, lambda: COUNTS.__imul__(2))
    scale = np.array(2.0)
    changes(lambda x: x * scale, lambda: scale.__imul__(2))


def test_one_array_reached_by_two_ways():
    first, second = Layer(W.copy()), Layer(None)
    second.W = first.W
    loss = lambda x: first.forward(x) + second.forward(x)
    traced = check(loss)
    assert traced.hidden == ["W"]
    first.W *= 2
    assert traced.holds
    np.testing.assert_array_equal(traced(X), loss(X))
    second.W = W.copy()
    assert not traced.holds


def test_array_that_changes_shape_is_traced_again():
    layer = Layer(W.copy())
    traced = check(layer.forward)
    layer.W = np.ones((2, 3))
    assert not traced.holds


def test_only_what_was_used():
    model = types.SimpleNamespace(used=X.copy(), unused=X.copy(), pair=[X.copy(), X.copy()])
    assert check(lambda x: x * model.used + model.pair[1]).hidden == ["used", "pair_1"]


def test_a_shape_counts_as_use():
    model = types.SimpleNamespace(W=np.ones((3, 2)))
    traced = check(lambda x: x * model.W.shape[0])
    model.W = np.ones((4, 2))
    assert not traced.holds


# ---------------------------------------------------------------------------- captured values


def retraces(function, *steps):
    """Each step makes the old trace invalid; a new one is right."""
    for step in steps:
        traced = check(function)
        assert traced.holds
        step()
        assert not traced.holds
        np.testing.assert_array_equal(fresh(function, X), function(X))


@pytest.mark.parametrize(
    ("old", "new"),
    [(0.5, 0.6), (1, 2), (1, 1.0), (True, 1), (0.0, -0.0), ("a", "b"), (None, 1), ((1, 2), (1, 3))],
)
def test_global_value(monkeypatch, old, new):
    monkeypatch.setitem(globals(), "RATE", old)

    def loss(x):
        if isinstance(RATE, (int, float)):
            return x * math.copysign(2.5, RATE) * RATE
        return x * len(str(RATE))

    traced = check(loss)
    assert traced.holds
    globals()["RATE"] = type(old)(old) if old is not None else None
    assert traced.holds
    globals()["RATE"] = new
    assert not traced.holds


def test_nan_is_itself(monkeypatch):
    monkeypatch.setitem(globals(), "RATE", float("nan"))
    traced = Traced(lambda x: x * RATE, X)
    globals()["RATE"] = float("nan")
    assert traced.holds


def test_attribute_and_closure_value():
    layer = Layer(np.eye(2), 2.0)
    retraces(layer.forward, lambda: setattr(layer, "rate", 3.0))
    rate = 2

    def change():
        nonlocal rate
        rate = 3

    retraces(lambda x: x * rate, change)


def test_values_in_containers():
    config = {"rate": 2.0, "sizes": [1, 2]}

    def loss(x):
        return x * config["rate"] * len(config["sizes"]) * sum(config["sizes"])

    retraces(
        loss,
        lambda: config.update(rate=3.0),
        lambda: config["sizes"].append(3),
        lambda: config["sizes"].__setitem__(0, 7),
    )


def test_length_of_a_container_of_arrays():
    weights = [np.eye(2), W.copy()]

    def loss(x):
        for weight in weights:
            x = x @ weight
        return x

    retraces(loss, lambda: weights.append(W.copy()), lambda: weights.pop(0))


def double(x):
    return x * 2


def triple(x):
    return x * 3


def test_rebound_helper(monkeypatch):
    monkeypatch.setitem(globals(), "double", double)
    retraces(lambda x: double(x), lambda: globals().update(double=triple))
    layer = types.SimpleNamespace(activation=np.tanh)
    retraces(lambda x: layer.activation(x), lambda: setattr(layer, "activation", np.sin))


def test_replaced_method(monkeypatch):
    layer = Layer(W.copy(), 3.0)
    retraces(layer.forward, lambda: monkeypatch.setattr(Layer, "finish", lambda self, x: -x))


def test_default_value():
    def loss(x, rate=2.0):
        return x * rate

    retraces(lambda x: loss(x), lambda: setattr(loss, "__defaults__", (3.0,)))


def test_replaced_object():
    box = types.SimpleNamespace(layer=Layer(np.eye(2)))
    retraces(lambda x: box.layer(x), lambda: setattr(box, "layer", Layer(W.copy(), 2.0)))


def test_array_that_decides_is_known():
    model = types.SimpleNamespace(sizes=np.array([2, 3]), active=np.array([True, False]))

    def loss(x):
        out = np.zeros(model.sizes[0]) + x
        if model.active[0]:
            out = out * 2
        for _ in range(model.sizes[1]):
            out = out + x
        return out * float(model.sizes[1])

    traced = check(loss)
    assert traced.hidden == []
    model.active[1] = True
    assert not traced.holds
    model.active = np.array([False, False])
    np.testing.assert_array_equal(fresh(loss, X), loss(X))


# ---------------------------------------------------------------------------- effects


def test_a_traced_value_is_stored_in_an_object_for_the_trace_alone():
    layer = Layer(W.copy())

    def loss(x):
        layer.cache = x * 2
        layer.cache += 1
        return layer.cache

    np.testing.assert_array_equal(Traced(loss, X)(X), X * 2 + 1)
    assert not hasattr(layer, "cache")


def test_a_captured_array_changes_for_the_trace_alone():
    def loss(x):
        W[0] = x
        tail = W[1:]
        tail *= 2
        return W

    before = W.copy()
    traced = Traced(loss, X)
    np.testing.assert_array_equal(traced(X), [X, *2 * before[1:]])
    np.testing.assert_array_equal(W, before)


class Counted:
    count = 0
    rate = 2.0

    def loss(self, x):
        Counted.count += 1
        type(self).rate = 3.0
        return x * Counted.count * self.rate


def test_a_class_changes_for_the_trace_alone():
    np.testing.assert_array_equal(Traced(Counted().loss, X)(X), 3 * X)
    assert (Counted.count, Counted.rate) == (0, 2.0)


def test_a_derivative_inside_leaves_what_the_function_has_stored():
    layer, outside = Layer(W.copy()), np.zeros(2)

    def inner(t):
        layer.cache = t**2
        outside[:] = t
        return np.sum(layer.cache * outside)

    def loss(x):
        layer.cache = 5.0
        outside[0] = 7.0
        return grad(inner)(x) * layer.cache + outside

    np.testing.assert_allclose(Traced(loss, X)(X), 15 * X**2 + [7, 0])
    np.testing.assert_array_equal(outside, [0, 0])


def test_a_trace_leaves_objects_and_containers_as_they_were():
    history, state, layer = [], {"n": 0}, Layer(W.copy())

    def loss(x):
        global counter  # noqa: PLW0603
        counter = 1
        history.append(x)
        state["n"] += 1
        layer.calls = 1
        return layer(x) * (state["n"] + len(history) + layer.calls + counter)

    traced = Traced(loss, X)
    assert (history, state, vars(layer).keys()) == ([], {"n": 0}, {"W", "rate"})
    assert "counter" not in globals()
    np.testing.assert_allclose(traced(X), 4 * layer(X))


def test_draws_of_pythons_are_refused():
    rng = random.Random(0)
    for draw in (
        lambda x: x * rng.gauss(0, 1),
        lambda x: x * random.random(),
        lambda x: x * random.Random().random(),
    ):
        with pytest.raises(TraceError, match=r"draws? random numbers"):
            Traced(draw, X)
    check(lambda x: x * random.Random(0).random())


# ---------------------------------------------------------------------------- what runs interposed


def module_with(source):
    module = types.ModuleType("user_helpers")
    exec(compile(source, "user_helpers.py", "exec"), module.__dict__)
    return module


helpers = module_with(
    "import numpy as np\nfrom math import exp\nW = np.eye(2)\nrate = 2.0\n"
    "def pair(x):\n    return np.array([x[0], exp(x[1])]) @ W * rate\n"
)


def test_helper_in_another_module():
    traced = check(lambda x: helpers.pair(x) + helpers.W[0])
    assert traced.hidden == ["W"]
    helpers.rate = 3.0
    assert not traced.holds
    helpers.rate = 2.0


def test_nested_recursive_and_generated():
    def power(x, n):
        return x if n == 0 else x * power(x, n - 1)

    def rows(x):
        for each in x:
            yield np.array([each, math.sin(each)])

    def loss(x):
        def inner(y):
            return np.array([y, 2 * y])

        return sum(inner(each) for each in power(x, 2)) + sum(rows(x))

    check(loss)


def traced_calls(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * W[0, 0]

    return wrapper


@traced_calls
def decorated(x):
    return np.array([x[0], x[1]])


@functools.lru_cache
def cached(x):
    return np.array([x, W[1, 1]])


@contextlib.contextmanager
def doubling(x):
    yield np.array([x[0], x[1]]) * W[0, 1]


def test_decorators():
    def loss(x):
        with doubling(x) as doubled:
            return decorated(x) + cached(x[0]) + doubled

    traced = check(loss)
    assert traced.hidden == ["W"]
    assert cached.cache_info().currsize == 2  # by the check itself: no traced value


def test_classes_made_and_used_inside():
    def loss(x):
        class Local:
            offset = RATE

            def __init__(self, value):
                self.value = np.array([value, value])

            def total(self):
                return super().__init__() or np.sum(self.value) + self.offset

        deep = Deep(np.array([[x[0], 1.0], [1.0, x[1]]]), 0.5)
        assert isinstance(deep, Deep)
        assert isinstance(deep, Layer)
        assert type(deep) is Deep
        deep.extra = x
        linear = Linear(W * x, b=x)
        frozen = Frozen(linear.W)
        pair = Pair(x, linear.b)
        return (
            deep.forward(deep.extra)
            + linear(x)
            + x @ frozen.W
            + pair.W
            + pair.b
            + Local(x[0]).total()
            + Layer.plain(x)
        )

    assert check(loss).hidden == ["W"]


def test_an_object_made_inside_is_returned_as_itself():
    result = Traced(lambda x: np.sum(x), X)
    assert result is not None
    interposer = Interposer()
    node = input_node("x", type_of(X))
    with tracing(Context(interposer)):
        made = interposer(lambda x: [Linear(x, x), Layer, Layer(x), np.sin], Tracer(node, True))
    assert [type(each) for each in made] == [Linear, type, Layer, np.ufunc]
    assert made[2].W.node is node


def test_imports_inside():
    def loss(x):
        import math as m

        import numpy
        from numpy import array, exp
        from numpy.linalg import norm

        return array([exp(x[0]), m.exp(x[1])]) * norm(x) + numpy.array([x[0], 0])

    check(loss)


def test_scipy_functions_that_do_not_dispatch():
    from scipy import special
    from scipy.special import logsumexp

    def loss(x):
        from scipy.special import log_softmax

        return logsumexp(x) + special.softmax(x) + log_softmax([x[0], x[1]])

    check(loss)


def test_objects_as_arguments():
    interposer = Interposer()
    node = input_node("x", type_of(X))
    layer = Layer(W.copy())
    with tracing(Context(interposer)):
        interposer(lambda f, objects, x: objects[0](f(x)), double, [layer], Tracer(node, True))
    assert [each.source(lambda _: "o") for each in interposer.captured if each.input] == [
        "o.W",
        "o.scale",
    ]


def test_errors_keep_their_lines():
    def loss(x):
        return double(x) + undefined  # noqa: F821

    with pytest.raises(NameError) as error:
        Traced(loss, X)
    assert error.traceback[-1].lineno + 1 == loss.__code__.co_firstlineno + 1


def test_threads_trace_apart():
    layers = [Layer(W * i) for i in range(1, 5)]
    found = {}

    def work(i):
        with compilation(fresh=True):
            for _ in range(5):
                traced = Traced(lambda x: layers[i](x), X)
                found[i] = traced(X)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for i, layer in enumerate(layers):
        np.testing.assert_allclose(found[i], layer(X))


def test_nothing_is_patched():
    before = (np.array, np.exp, math.exp, max, sys.modules["math"].sin, W.copy())
    check(lambda x: np.array([max(x[0], 0), math.sin(x[1])]) @ W)
    assert (np.array, np.exp, math.exp, max, math.sin) == before[:5]
    np.testing.assert_array_equal(W, before[5])


# ---------------------------------------------------------------------------- in place


def test_augmented_assignment_of_an_array_is_seen_under_its_other_names():
    def double(a):
        a *= 2

    def loss(x):
        y = x + 0.0
        z = y
        z += x
        double(y)
        np.multiply(y, z, out=z)
        total = np.sum(z)
        other = total
        other += 1
        y @= np.eye(2) * 3
        return y * total + other

    check(loss)


def test_augmented_assignment_keeps_the_dtype_and_the_shape():
    def loss(x, single):
        single *= x
        return single

    assert trace(loss, X, X.astype(np.float32)).output.type.dtype == np.float32
    with pytest.raises(TypeError, match="Cannot cast"):
        Traced(lambda x: x.__iadd__(1j), X)
    with pytest.raises(ValueError, match=r"shape \(2,\) cannot take a result of shape \(3, 2\)"):
        Traced(lambda x: x.__iadd__(np.ones((3, 2))), X)


def test_augmented_assignment_of_an_array_from_outside():
    layer = Layer(np.ones(2))

    def loss(x):
        layer.W += x
        return layer.W * x

    np.testing.assert_array_equal(Traced(loss, X)(X), (1 + X) * X)
    np.testing.assert_array_equal(layer.W, [1, 1])


def test_a_second_run_starts_from_the_arguments():
    steps = np.array([2])

    def loss(x):
        x *= 2
        for _ in range(steps[0]):
            x += 1
        return x

    np.testing.assert_array_equal(Traced(loss, X)(X), X * 2 + 2)


# ---------------------------------------------------------------------------- the derivative


def test_the_derivative_follows_every_change():
    layer, config = Layer(W.copy(), 0.5), {"power": 2}

    def loss(x):
        return np.sum(layer.forward(x) ** config["power"] * layer.scale)

    gradient = grad(loss)
    for change in (
        lambda: None,
        lambda: layer.W.__imul__(2),
        lambda: setattr(layer, "W", np.eye(2)),
        lambda: setattr(layer, "W", np.ones((2, 3))),
        lambda: setattr(layer, "rate", 0.25),
        lambda: config.update(power=3),
        lambda: setattr(layer, "scale", np.array(3.0)),
    ):
        change()
        found, expected = gradient(X), grad(lambda x: loss(x))(X)
        np.testing.assert_array_equal(found, expected)
        step = 1e-6 * np.eye(2)
        slope = [(loss(X + each) - loss(X - each)) / 2e-6 for each in step]
        np.testing.assert_allclose(found, slope, rtol=1e-6)


def test_training_a_model_in_its_attributes_compiles_once():
    layer = Layer(np.eye(2))
    gradient = grad(lambda W, x: np.sum((x @ W + layer.W @ x) ** 2))
    for _ in range(3):
        layer.W = layer.W - 0.1 * gradient(layer.W, X)
    assert gradient.cache_info().misses == 1
