"""cond, while_loop, fori_loop, scan and map: untraced as Python runs them, traced once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdiff as sd
from symdiff.api.leaves import leaf_of
from symdiff.errors import ShapeError, TraceError
from symdiff.frontend.parameters import parameters_of
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.frontend.trace import Traced, trace
from symdiff.ir.node import compilation
from symdiff.ir.text import to_text
from symdiff.ir.verify import verify
from symdiff.ops.evaluate import evaluate

A = np.arange(12.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def one_compilation():
    with compilation():
        yield


def traced(function: Callable[..., Any], *args: Any) -> Traced:
    leaves, spec = flatten(args)
    found = trace(function, parameters_of(function), list(map(leaf_of, leaves)), spec)
    verify(found.graph)
    return found


def by_trace(function: Callable[..., Any], *args: Any) -> Any:
    """What the trace of the function computes."""
    found = traced(function, *args)
    values = flatten(args)[0]
    known = {own: value for own, value in zip(found.inputs, values, strict=True) if own is not None}
    known |= {each.input: each.path.read() for each in found.captured if each.input is not None}
    outputs = evaluate(found.graph.outputs, known)
    return unflatten(
        found.out_spec,
        [each.static if each.output is None else outputs[each.output] for each in found.results],
    )


def powers(x, n):
    return sd.fori_loop(0, n, lambda i, y: y * x + i, 1.0)


def sums(x):
    return sd.scan(lambda total, row: (total + row["a"].sum(), (total, None)), 0.0, {"a": x})


def halved(x):
    return sd.while_loop(lambda pair: pair[0] > 1, lambda pair: (pair[0] / 2, pair[1] + 1), (x, 0))


def squares(x):
    return sd.map(lambda row: {"s": row * row, "t": row.sum()}, x)


def chosen(x):
    return sd.cond(x.sum() > 3, lambda y: (y * 2, 1.0), lambda y: (-y, 0.0), x)


def from_behind(x):
    return sd.scan(lambda c, row: (c * 2 + row, c), np.zeros(3), x, reverse=True)


def counted(x):
    return sd.scan(lambda c, _: (np.cos(c), c), x, None, length=3)


PROGRAMS = [
    (powers, 2.0, 5),
    (powers, 2.0, 0),
    (sums, A),
    (halved, 20.0),
    (halved, 0.5),
    (squares, A),
    (chosen, np.ones(2)),
    (chosen, np.ones(5)),
    (from_behind, A),
    (counted, np.float32(0.5)),
]


@pytest.mark.parametrize("index", range(len(PROGRAMS)))
def test_the_trace_computes_what_python_does(index):
    function, *args = PROGRAMS[index]
    expected, spec = flatten(function(*args))
    actual, own = flatten(by_trace(function, *args))
    assert own == spec
    for one, other in zip(actual, expected, strict=True):
        assert one is other is None or np.array_equal(one, other)
        assert np.result_type(one) == np.result_type(other) if one is not None else True


def test_no_trips():
    last, ys = sd.scan(lambda c, row: (c + row, c * row[0]), np.ones(3), np.zeros((0, 3)))
    assert last.tolist() == [1, 1, 1] and ys.shape == (0, 3)
    assert sd.fori_loop(3, 3, lambda i, y: y + 1, 2.0) == 2.0


def test_the_body_is_traced_once_and_named_as_it_names_its_values():
    def step(h, row):
        z = h * row
        return z, z

    found = traced(lambda x: sd.scan(step, x, A)[0], np.ones(3))
    text = to_text(found.graph)
    assert "graph step(i: int, h: f64[3], row: f64[3])" in text and "z = multiply(h, row)" in text


def test_a_python_number_takes_the_type_of_what_it_meets():
    assert by_trace(lambda x: sd.fori_loop(0, 2, lambda i, s: s + x, 0), np.float32(1)).dtype == (
        np.float32
    )
    x = np.ones(2, np.float32)
    last, ys = by_trace(lambda x: sd.scan(lambda c, row: (c + row, c * 2), 0, x), x)
    assert last.dtype == ys.dtype == np.float32


def test_arrays_of_the_caller_are_not_changed():
    x = np.zeros(3)

    def body(i, y):
        y[i] = i
        return y

    assert sd.fori_loop(0, 3, body, x).tolist() == [0, 1, 2] and not x.any()
    assert by_trace(lambda x: sd.fori_loop(0, 3, body, x), x).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("function", "error", "said"), [
    (lambda x: sd.fori_loop(0, 2, lambda i, s: s + x, 0.0), ShapeError,
     "`s` of function is float, and becomes f64[3]"),
    (lambda x: sd.fori_loop(0, 2, lambda i, s: (s, s), x), TraceError, "is handed * and gives (*"),
    (lambda x: sd.fori_loop(0, 2, lambda i, s: None, x), TraceError, "becomes None"),
    (lambda x: sd.scan(lambda c, r: c, x, x), TraceError, "returns a pair"),
    (lambda x: sd.scan(lambda c, r: (c, r), x, (x, x[:2])), ShapeError, "one first extent"),
    (lambda x: sd.cond(x > 0, np.sin, np.cos, x), ShapeError, "of a branch has the shape (3,)"),
    (lambda x: sd.cond(x[0] > 0, np.sum, np.cos, x), ShapeError, "f64[] and f64[3]"),
    (lambda x: sd.while_loop(lambda y: y > 0, np.sin, x), ShapeError, "an array of the shape (3,)"),
    (lambda x: sd.fori_loop(0, 2, lambda i, s: s if s[0] > 0 else -s, x), TraceError, "decision"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(function, error, said):
    with pytest.raises(error) as found:
        traced(function, np.ones(3))
    assert said in str(found.value)


def test_values_of_a_body_do_not_leave_it():
    kept = []

    def keep(x):
        sd.fori_loop(0, 2, lambda i, s: kept.append(s) or s * 2, x)
        return kept[0]

    with pytest.raises(TraceError, match="used outside of its loop"):
        traced(keep, np.ones(3))

    def store(x):
        total = x * 1

        def body(i, s):
            total[0] = s[0]
            return s

        return sd.fori_loop(0, 2, body, x) + total

    with pytest.raises(TraceError, match="changes an array from outside"):
        traced(store, np.ones(3))


# ---------------------------------------------------------------------------- as emitted code


W = np.random.default_rng(0).normal(size=(4, 3, 3)) / 2
X = np.array([0.3, -0.7, 1.1])


def layers(x, W, b):
    def layer(h, p):
        return np.tanh(h @ p["W"] + p["b"]), np.sum(h)

    h, sums = sd.scan(layer, x, {"W": W, "b": b})
    return np.sum(h * h) + np.sum(sums * sums)


def heat(u):
    def step(i, u):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        return u

    return np.sum(sd.fori_loop(0, 6, step, u) ** 2)


def newton(a):
    y = sd.while_loop(lambda y: abs(y * y - a) > 1e-5 * a, lambda y: 0.5 * (y + a / y), a)
    return y * y * y


def either(x, rows):
    def step(c, row):
        c = sd.cond(c.sum() > 0, lambda: np.sin(c) * row, lambda: c * c + row)
        return c, c[0]

    c, firsts = sd.scan(step, x, rows, reverse=True)
    return np.sum(c) + np.sum(firsts * firsts)


def triple(x):
    def outer(i, y):
        return sd.fori_loop(0, 2, lambda j, z: np.sin(z) * x + i + j, y)

    return np.sum(sd.fori_loop(0, 3, outer, x))


EMITTED = [
    (layers, X, W, W[:, 0]),
    (heat, np.linspace(0, 1, 7) ** 2),
    (newton, 3.0),
    (either, X, W[0]),
    (triple, X),
]


@pytest.mark.parametrize("program", EMITTED, ids=lambda program: program[0].__name__)
def test_emitted_derivatives(program):
    function, *args = program
    sd.check_grads(function, args, order=2)


@pytest.mark.parametrize("program", EMITTED, ids=lambda program: program[0].__name__)
def test_single_precision_stays(program):
    function, *args = program
    args = [np.float32(each) for each in args]
    value, gradients = sd.value_and_grad(function, argnums=tuple(range(len(args))))(*args)
    assert np.result_type(value) == np.float32
    for each, arg in zip(gradients, args, strict=True):
        assert each.dtype == np.float32 and each.shape == np.shape(arg)
    exact = sd.grad(function)(*[np.asarray(each, float)[()] for each in args])
    np.testing.assert_allclose(gradients[0], exact, rtol=1e-3, atol=1e-4)


def test_rows_of_gradients():
    rows = np.stack([X, X + 1, -X])
    for derivative in (sd.grad(triple), sd.hessian(triple)):
        expected = np.stack([derivative(row) for row in rows])
        np.testing.assert_allclose(sd.vmap(derivative)(rows), expected, rtol=1e-12, atol=1e-14)
    of_each = sd.vmap(sd.grad(newton))(np.array([1.5, 2.0, 30.0]))
    np.testing.assert_allclose(of_each, 1.5 * np.sqrt([1.5, 2.0, 30.0]), 1e-4)


def test_a_number_of_trips_is_an_argument():
    compiled = sd.jit(powers)
    assert [compiled(2.0, n) for n in (0, 1, 5)] == [powers(2.0, n) for n in (0, 1, 5)]
    assert compiled.cache_info().misses == 1
    gradient = sd.grad(powers)
    assert [gradient(2.0, n) for n in (0, 1, 3)] == [0.0, 1.0, 3 * 4 + 1]


@pytest.mark.parametrize("program", EMITTED, ids=lambda program: program[0].__name__)
def test_derivatives_in_two_calls(program):
    function, *args = program
    value, pullback = sd.vjp(function, *args)
    gradient = pullback(value * 0 + 1)
    _, pushforward = sd.linearize(function, *args)
    moved = sum(np.sum(bar * arg) for bar, arg in zip(gradient, args, strict=True))
    np.testing.assert_allclose(pushforward(*args), moved, rtol=1e-10)


def test_what_a_list_in_a_list_holds_is_not_changed():
    """The trips of the inner loop are kept for those of the outer one."""

    def goes_on(state):
        k, (a, b, _) = state
        return (k < 4) & (np.sum(a) * 0 + np.sum(np.abs(b)) < 8.0)

    def inner(state):
        k, (_, b, c) = state
        return k + 1, (np.where(b > 0, b * b, b - 0.3 * b), b, c)

    def last(state):
        k, (a, b, c) = state
        return k + 1, (a, b, np.tanh(c - a))

    def program(x, row):
        def outer(i, state):
            a, b, _ = state
            _, (a, b, c) = sd.while_loop(goes_on, inner, (0, (a, b, a[::-1] + np.sum(b) * 0.1)))
            return a + x[i] * 0.1, b, c

        c = x * row
        state = sd.fori_loop(0, 3, outer, (x * 1.0, x[::-1] + np.sum(c) * 0.1, c))
        _, (a, b, c) = sd.while_loop(goes_on, last, (0, state))
        return np.sum(a * b) + np.sum(np.cos(c))

    random = np.random.default_rng(3064)
    x, row = random.normal(size=3), random.normal(size=(4, 3))[1]
    step = random.normal(size=3)
    found = sd.grad(program)(x, row) @ step
    ends = [program(x + sign * 1e-6 * step, row) for sign in (1, -1)]
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


# ---------------------------------------------------------------------------- checkpoints


W = np.random.default_rng(0).normal(size=(3, 3)) / 2


def layer(h, W):
    return np.tanh(h @ W) * np.sin(h)


def network(step):
    kept = step(layer)

    def loss(x, W):
        h = kept(kept(x, W), W)
        for _ in range(5):
            h = kept(h, W=W)
        return np.sum(h * h)

    return loss


def with_trees(step):
    def of_tree(pair, n, scale=2.0):
        return {"a": np.exp(pair[0]) * scale, "b": [pair[1] ** n, "name", None]}

    kept = step(of_tree)

    def loss(x, W):
        made = kept((x, W), 3)
        return np.sum(made["a"]) * np.sum(made["b"][0]) + len(made["b"][1])

    return loss


def with_loops_and_branches(step):
    def inner(x, W):
        for i in range(len(x)):
            x = np.sin(x @ W) if x[i] > 0 else x * x[i]
        while np.sum(x * x) > 0.1:
            x = 0.5 * x * np.cos(x)
        return x

    kept = step(inner)
    return lambda x, W: np.sum(np.exp(kept(kept(x, W), W.T)))


def that_stores(step):
    def inner(x, W):
        y = np.zeros(3)
        y[1:] = np.exp(x[:-1]) * x[1:]
        y[0] = W[0, 0] * x[0]
        y *= np.sin(y)
        return y

    kept = step(inner)
    return lambda x, W: np.sum(kept(kept(x, W), W) ** 2)


@pytest.mark.parametrize("make", [network, with_trees, with_loops_and_branches, that_stores])
def test_checkpoints_change_no_derivative(make):
    kept, plain = make(sd.checkpoint), make(lambda fun: fun)
    x, v = A[1] / 7, np.array([1.0, -2.0, 0.5])
    assert kept(x, W) == plain(x, W)
    first, second = (sd.value_and_grad(f, (0, 1)) for f in (kept, plain))
    (y, bars), (other, others) = first(x, W), second(x, W)
    assert y == other
    for one, two in zip(bars, others, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13, atol=1e-15)

    def twice(f):
        return sd.grad(lambda x, W: np.sum(v * sd.grad(f)(x, W)), (0, 1))(x, W)

    for one, two in zip(twice(kept), twice(plain), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14)
    product = sd.jvp(lambda x: sd.grad(kept)(x, W), (x,), (v,))[1]
    np.testing.assert_allclose(product, twice(plain)[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(sd.jvp(lambda x: kept(x, W), (x,), (v,))[1], others[0] @ v)
    rows = np.stack([x, -x])
    both = sd.vmap(sd.grad(kept), (0, None))(rows, W)
    np.testing.assert_allclose(both, [sd.grad(plain)(row, W) for row in rows], rtol=1e-12)
    y, pullback = sd.vjp(kept, x, W)
    np.testing.assert_allclose(pullback(2.0)[1], 2 * others[1], rtol=1e-12, atol=1e-14)


def calls(made, name):
    """How often a function is called in emitted source."""
    lines = [line.split("#")[0] for line in made.source.splitlines()]
    return sum(line.count(f"{name}(") for line in lines)


def test_checkpoints_keep_the_arguments_only():
    step = sd.checkpoint(lambda h: np.tanh(h @ W) * np.sin(h) * np.exp(h))

    def loss(x):
        for _ in range(50):
            x = step(x)
        return np.sum(x)

    gradient = sd.grad(loss)
    gradient(A[0])
    assert (calls(gradient, ".append"), calls(gradient, "np.tanh")) == (1, 2)
    gradient = sd.grad(lambda x: np.sum(np.exp(step(step(x)))))
    gradient(A[0])
    assert calls(gradient, "np.tanh") == 4
    forward = sd.jit(lambda x: sd.jvp(step, (x,), (x,)))
    forward(A[0])
    assert calls(forward, "np.tanh") == 1


def test_checkpoints_draw_once():
    rng = np.random.default_rng(5)

    def loss(step):
        f = step(lambda x: np.sin(x * rng.normal(size=3)))
        return lambda x: np.sum(f(f(x)) ** 2)

    gradient = sd.grad(loss(sd.checkpoint))
    found = gradient(A[0])
    after = rng.normal()
    rng = np.random.default_rng(5)
    np.testing.assert_allclose(found, sd.grad(loss(lambda fun: fun))(A[0]), rtol=1e-14)
    assert after == rng.normal()


def test_checkpoints_of_what_computes_nothing():
    same = sd.checkpoint(lambda x: x)
    assert sd.grad(lambda x: same(x) * 2.0)(3.0) == 2.0
    assert sd.checkpoint(lambda: 3)() == 3
    assert sd.grad(lambda x: x * sd.checkpoint(lambda: 3)())(1.0) == 3.0
