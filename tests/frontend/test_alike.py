"""Loops over lists, and by the index of lists: one body for elements of a kind."""

from dataclasses import dataclass

import numpy as np
import pytest

from symdiff import grad
from symdiff.testing import check_grads
from tests.frontend.tracing import check

R = np.random.default_rng(0)


def normal(*shape):
    return 0.5 * R.normal(size=shape)


@dataclass
class Layer:
    W: np.ndarray
    b: np.ndarray
    act: str = "tanh"


class Dense:
    def __init__(self, act="tanh"):
        self.W, self.b, self.act = normal(3, 3), normal(3), act

    def __call__(self, x):
        x = x @ self.W + self.b
        return np.tanh(x) if self.act == "tanh" else np.sin(x)


class Net:
    def __init__(self, *acts):
        self.layers = [Dense(act) for act in acts]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.sum()


X = normal(3)
WS = [normal(3, 3) for _ in range(6)]
BS = [normal(3) for _ in range(6)]
ENDS = [normal(3, 5), *[normal(5, 5) for _ in range(5)], normal(5, 2)]
END_BS = [*[normal(5) for _ in range(6)], normal(2)]
NET, MIXED = Net(*["tanh"] * 6), Net(*["tanh"] * 5, "sin")


def pairs(x, Ws, bs):
    for W, b in zip(Ws, bs):
        x = np.tanh(x @ W + b)
    return np.sum(x * x)


def numbered(x, Ws, bs):
    for i, (W, b) in enumerate(zip(Ws, bs)):
        x = x @ W + b * i
        if i < len(Ws) - 1:
            x = np.tanh(x)
    return np.sum(x * x)


def sliced(x, Ws, bs):
    for W, b in zip(Ws[:-1], bs[:-1]):
        x = np.tanh(x @ W + b)
    return np.sum(x @ Ws[-1] + bs[-1])


def backwards(x, Ws):
    for W in reversed(Ws):
        x = np.tanh(x @ W)
    for W in Ws[::-1]:
        x = np.tanh(x @ W)
    return x.sum()


def by_index(x, Ws, bs):
    for i in range(len(Ws)):
        x = np.tanh(x @ Ws[i] + bs[i])
    return x.sum()


def from_the_end(x, Ws):
    for i in range(len(Ws)):
        x = np.tanh(x @ Ws[-1 - i])
    for i in range(len(Ws) - 1, -1, -1):
        x = np.tanh(x @ Ws[i])
    return x.sum()


def next_too(x, Ws):
    for W, V in zip(Ws, Ws[1:]):  # noqa: RUF007
        x = np.tanh(x @ W) @ V
    return x.sum()


def trees(x, layers):
    for layer in layers:
        x = np.tanh(x @ layer["W"] + layer["bs"][0])
    return x.sum()


def objects(x, layers):
    for layer in layers:
        x = np.tanh(x @ layer.W + layer.b)
    return x.sum()


def values(x, params):
    for W in params.values():
        x = np.tanh(x @ W)
    return x.sum()


def read_afterwards(x, Ws):
    for W in Ws:
        h = np.tanh(x @ W)
        x = h + x
    return x.sum() + W.sum() * h.sum()


def one_for_all(x, Ws):
    for W in [Ws[0]] * 6:
        x = np.tanh(x @ W)
    return x.sum()


def numbers(x, cs):
    s = 0.0
    for c in cs:
        s = s * x + c
    return s


def nested(x, Ws):
    for W in Ws:
        for V in Ws:
            x = np.tanh(x @ W @ V)
    return x.sum()


def never_left(x, Ws):
    for W in Ws:
        if len(Ws) == 9:
            break
        x = np.tanh(x @ W)
    return x.sum()


def by_name(x, params):
    for i in range(len(params) // 2):
        x = np.tanh(x @ params[f"W{i}"] + params[f"b{i}"])
    return x.sum()


def by_name_from_one(x, params):
    for i in range(len(params) - 1, 0, -1):
        x = np.tanh(x @ params[f"layer {i}"]["W"] + params[f"layer {i + 1}"]["b"])
    return x.sum()


def by_name_of_two(x, params):
    for i in range(2):
        for k in range(len(params) // 2):
            x = np.tanh(x @ params[f"{i}, {k}"])
    return x.sum()


def by_a_name_that_is_not_there(x, params):
    for i in range(len(params)):
        try:
            x = np.tanh(x @ params[f"W{i}"])
        except KeyError:
            x = x * 2.0
    return x.sum()


def by_a_name_with_a_format(x, params):
    for i in range(len(params)):
        x = np.tanh(x @ params[f"W{i:02d}"])
    return x.sum()


def with_another_stored(x, params):
    params = dict(params)
    for i in range(5):
        x = np.tanh(x @ params[f"W{i}"])
        params[f"W{i + 1}"] = params[f"W{i + 1}"] * x[0]
    return x.sum()


def items(x, Ws):
    for _, W in Ws.items():  # noqa: PERF102
        x = np.tanh(x @ W)
    return x.sum()


def items_that_are_trees(x, layers):
    for _name, layer in layers.items():  # noqa: PERF102
        x = np.tanh(x @ layer["W"] + layer["b"])
    return x.sum()


def items_with_their_keys(x, Ws):
    for name, W in Ws.items():
        x = np.tanh(x @ W) if name != "W2" else x
    return x.sum()


NAMED = {f"{kind}{i}": each for kind, own in (("W", WS), ("b", BS)) for i, each in enumerate(own)}
NUMBERED = {f"layer {i}": {"W": W, "b": b} for i, (W, b) in enumerate(zip(WS, BS), 1)}
CAPTURED = [
    (by_name, (X, NAMED)),
    (items, (X, {f"W{i}": W for i, W in enumerate(WS)})),
    (items_that_are_trees, (X, NUMBERED)),
    (by_name_from_one, (X, NUMBERED)),
    (pairs, (X, WS, BS)),
    (pairs, (X, ENDS, END_BS)),
    (numbered, (X, WS, BS)),
    (numbered, (X, ENDS, END_BS)),
    (sliced, (X, ENDS, END_BS)),
    (backwards, (X, WS)),
    (by_index, (X, WS, BS)),
    (by_index, (X, ENDS, END_BS)),
    (from_the_end, (X, WS)),
    (next_too, (X, WS)),
    (trees, (X, [{"W": W, "bs": [b]} for W, b in zip(WS, BS)])),
    (objects, (X, [Layer(W, b) for W, b in zip(WS, BS)])),
    (values, (X, {f"W{i}": W for i, W in enumerate(WS)})),
    (read_afterwards, (X, WS)),
    (one_for_all, (X, WS)),
    (numbers, (1.5, [0.1, 0.2, 0.3, 0.4, 0.5])),
    (nested, (X, WS)),
    (never_left, (X, WS)),
    (lambda x: NET(x), (X,)),
]


@pytest.mark.parametrize(("function", "args"), CAPTURED)
def test_captured(function, args):
    if function is not objects:  # whose leaves hold a string
        assert set(check(function, args).roads) == {"captured"}
    check_grads(function, args)


def stores_into_one(x, Ws):
    Ws = [W.copy() for W in Ws]
    for W in Ws:
        W[0] = x
        x = np.tanh(x @ W)
    return x.sum() + Ws[2].sum()


def stores_later(x, Ws):
    Ws = [W.copy() for W in Ws]
    for W in Ws:
        x = np.tanh(x @ W)
    W[0] = 2.0
    return x.sum() + Ws[-1].sum()


def changes_a_tree(x, layers):
    for layer in layers:
        layer["W"] = 2 * layer["W"]
        x = np.tanh(x @ layer["W"])
    return x.sum() + layers[3]["W"].sum()


def asks_which(x, Ws):
    for W in Ws:
        x = x @ W
        if W is not Ws[-1]:
            x = np.tanh(x)
    return x.sum()


def asks_in_a_function(x, Ws):
    def is_last(W):
        return W is Ws[-1]

    for W in Ws:
        x = x @ W * (1.0 + is_last(W))
    return x.sum()


def ends_early(x, Ws):
    for W in Ws:
        x = np.tanh(x @ W)
        if x.sum() > 50.0:
            break
    return x.sum()


def grows(x, Ws):
    Ws = list(Ws)
    for W in Ws:
        x = np.tanh(x @ W)
        if len(Ws) < 8:
            Ws.append(2 * W)
    return x.sum()


def marks(x, layers):
    for layer in layers:
        layer.seen = x
        x = np.tanh(x @ layer.W)
    return x.sum() + layers[2].seen.sum()


UNROLLED = [
    (by_name_of_two, (X, {f"{i}, {k}": WS[i + k] for i in range(2) for k in range(4)})),
    (by_a_name_that_is_not_there, (X, {f"W{i}": W for i, W in enumerate(WS) if i != 3})),
    (by_a_name_with_a_format, (X, {f"W{i:02d}": W for i, W in enumerate(WS)})),
    (with_another_stored, (X, NAMED)),
    (stores_into_one, (X, WS)),
    (stores_later, (X, WS)),
    (changes_a_tree, (X, [{"W": W} for W in WS])),
    (asks_which, (X, WS)),
    (asks_in_a_function, (X, WS)),
    (ends_early, (X, WS)),
    (lambda x: MIXED(x), (X,)),
    (lambda x: marks(x, NET.layers), (X,)),
]


@pytest.mark.parametrize(("function", "args"), UNROLLED)
def test_unrolled(function, args):
    assert "unrolled" in check(function, args).roads
    check_grads(function, args)


def test_items_whose_keys_are_read_are_gone_over_one_by_one():
    args = X, {f"W{i}": W for i, W in enumerate(WS)}
    assert check(items_with_their_keys, args).roads == []
    check_grads(items_with_their_keys, args)


def test_a_list_that_grows():
    assert set(check(grows, (X, WS)).roads) == {"unrolled"}
    check_grads(grows, (X, WS))


def test_an_element_that_is_asked_for_by_identity_in_a_set_of_objects():
    chosen = {NET.layers[1], NET.layers[3]}

    def some(x):
        for layer in NET.layers:
            x = layer(x) if layer in chosen else x + layer.b
        return x.sum()

    assert set(check(some, (X,)).roads) == {"unrolled"}


def test_single_precision_stays():
    args = X.astype(np.float32), [W.astype(np.float32) for W in WS]
    assert all(each.dtype == np.float32 for each in grad(backwards, argnums=1)(*args))


def test_written_as_by_hand():
    source = grad(pairs, argnums=1)
    source(X, ENDS, END_BS)
    assert "    for W, b in zip(Ws[1:6], bs[1:6]):" in source.source
    assert "    for W in reversed(Ws[1:6]):" in source.source
    turned = grad(backwards)
    turned(X, WS)
    lines = [line.strip() for line in turned.source.splitlines()]
    loops = ["for W in reversed(Ws):"] * 2 + ["for W in Ws:"] * 2
    assert [line for line in lines if line.startswith("for ")] == loops
