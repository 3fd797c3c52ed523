"""What Python code changes is seen, and put back."""

from __future__ import annotations

import random
import sys
from collections import deque

import numpy as np
import pytest

from symdiff.frontend import context
from symdiff.frontend.state import World


class NoInterposer:
    builtins = ()

    def reached(self):
        return []


class Held:
    def __init__(self):
        self.values = [1, 2]


def looked_at(held):
    return World(sys._getframe(), [], NoInterposer())


def change(action, things):
    world = looked_at(things)
    assert not world.changed()
    action(things)
    changed = world.changed()
    world.restore()
    assert not world.changed()
    return changed


context.beginnings.add(change.__code__)


def counter():
    count = 0

    def inner():
        nonlocal count
        count += 1
        return count

    return inner


@pytest.mark.parametrize(
    ("action", "things"),
    [
        (lambda x: x.append(3), [1, 2]),
        (lambda x: x[0].append(3), ([1, 2], 5)),
        (lambda x: x.update(a=1), {"a": 0, "b": [2]}),
        (lambda x: x["b"].clear(), {"a": 0, "b": [2]}),
        (lambda x: x.add(3), {1, 2}),
        (lambda x: x.popleft(), deque([1, 2])),
        (lambda x: x.values.pop(), Held()),
        (lambda x: setattr(x, "values", None), Held()),
        (lambda x: x(), counter()),
        (lambda x: x.fill(2.0), np.zeros(3)),
        (lambda x: x.normal(), np.random.default_rng(0)),
        (lambda x: x.random(), random.Random(0)),
        (lambda x: x.extend(b"a"), bytearray(b"b")),
    ],
)
def test_changes_are_seen_and_put_back(action, things):
    assert change(action, things)


def advanced(things):
    world = looked_at(things)
    next(things)
    return world.opaque or (world.changed(), world.restore())


context.beginnings.add(advanced.__code__)


def test_what_cannot_be_put_back():
    for things in (iter([1, 2]), zip([1, 2], "ab", strict=True), iter(range(3)), enumerate("ab")):
        changed, restored = advanced(things)
        assert changed
        assert not restored
    assert advanced(each for each in "ab") == (
        "a generator stands in a variable, which may be advanced"
    )
