"""What loops read of arrays that they fill is read again where nothing overwrites it."""

import importlib.util
import random

import numpy as np
import pytest

import symdiff as sd

RNG = np.random.default_rng(0)
A, X = RNG.uniform(0.5, 1.5, (6, 6)) + 6 * np.eye(6), RNG.uniform(0.5, 1.5, 6)


def recurrence(x):
    y = np.zeros(6)
    y[0] = x[0]
    for i in range(1, 6):
        y[i] = np.sin(y[i - 1]) * y[i - 1]
    return np.sum(y * y)


def backwards(x):
    x = x.copy()
    for i in range(4, -1, -1):
        x[i] = x[i] / x[i + 1]
    return np.sum(x * x)


def lu(a):
    a = a.copy()
    for k in range(6):
        for i in range(k + 1, 6):
            a[i, k] /= a[k, k]
            for j in range(k + 1, 6):
                a[i, j] -= a[i, k] * a[k, j]
    return np.sum(a * a)


def rows(a):
    a = a.copy()
    for i in range(6):
        for j in range(i):
            a[i, j] = (a[i, j] - a[i, :j] @ a[:j, j]) / a[j, j]
        for j in range(i, 6):
            a[i, j] -= a[i, :i] @ a[:i, j]
    return np.sum(a * a)


def table(a):
    d = np.ones((7, 7))
    for i in range(1, 7):
        for j in range(1, 7):
            d[i, j] = a[i - 1, j - 1] * d[i - 1, j] * d[i, j - 1] / (1 + d[i - 1, j - 1])
    return d[6, 6]


def cholesky(a):
    r = np.zeros((6, 6))
    for i in range(6):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= r[i, k] * r[j, k]
            if i == j:
                r[i, j] = np.sqrt(s)
            else:
                r[i, j] = s / r[j, j]
    return np.sum(r * r * r)


def test_branches_hand_on_parts_and_not_arrays():
    symmetric = A @ A.T
    check(cholesky, symmetric)
    gradient = sd.value_and_grad(cholesky)
    gradient(symmetric)
    assert ".copy()" not in gradient.source
    _, pull = sd.vjp(cholesky, symmetric)
    np.testing.assert_allclose(pull(1.0)[0], gradient(symmetric)[1], rtol=1e-12)


def either(x):
    x = x.copy()
    for i in range(1, 6):
        if x[i] > 1:
            x[i] = x[i] * x[i - 1]
            x[i - 1] = np.sin(x[i])
        else:
            x[i - 1] = x[i] * x[i]
    return np.sum(x * x)


@pytest.mark.parametrize("function", [recurrence, lu, rows, table], ids=lambda each: each.__name__)
def test_what_is_not_overwritten_is_read_again(function):
    value = X if function is recurrence else A
    gradient = sd.value_and_grad(function)
    check(function, value)
    gradient(value)
    assert ".pop()" not in gradient.source
    assert "getitems" not in gradient.source


def overwritten_next(x):
    x = x.copy()
    for i in range(5):
        x[i + 1] = x[i] * x[i + 1]
    return np.sum(x * x)


def overwritten_in_the_trip(x):
    y = np.ones(6)
    for i in range(1, 6):
        a = y[i - 1]
        y[i] = a * a * x[i]
        y[i - 1] = np.sin(y[i - 1])
    return np.sum(y * y)


def overwritten_by_wrapping(x):
    y = x.copy()
    for i in range(6):
        y[i - 1] = np.sin(y[i - 1]) * y[i - 2]
    return np.sum(y * y)


def overwritten_from_the_other_end(x):
    y = x.copy()
    for i in range(6):
        y[5 - i] = y[5 - i] * y[i]
    return np.sum(y * y)


def overwritten_in_an_inner_loop(a):
    a = a.copy()
    for i in range(1, 6):
        for j in range(6):
            a[i, j] = a[i - 1, j] * a[i, 5 - j]
    return np.sum(a * a)


def overwritten_in_a_branch(a):
    a = a.copy()
    for i in range(1, 6):
        for j in range(1, 6):
            if i == j:
                a[i, j] = np.sqrt(a[i - 1, j])
            else:
                a[j, j] = a[i, j] * a[j, j]
    return np.sum(a * a)


def every_sweep(a):
    a = a.copy()
    for _ in range(4):
        for i in range(1, 5):
            for j in range(1, 5):
                a[i, j] = (a[i - 1, j] * a[i, j - 1] + a[i + 1, j] * a[i, j + 1]) / 40
    return np.sum(a * a)


def from_the_array_before(x):
    for _ in range(4):
        before = x.copy()
        for i in range(1, 6):
            x[i] = before[i] * before[i - 1] / 2
    return np.sum(x * x)


def last_rows(a):
    a = a.copy()
    for k in range(6):
        for j in range(k + 1, 6):
            a[j, j:] -= a[k, j:] * a[k, j] / a[k, k]
        a[k, k:] /= np.sqrt(a[k, k])
    return np.sum(np.triu(a))


def parts_of_variable_length(a):
    a = a / 5
    x = a[0].copy()
    for i in range(5, 0, -1):
        for j in range(0, 6, 2):
            x[j:] -= 0.2 * a[2, j:] * a[j:, 5 - i]
        a[i - 1, i - 1] *= np.sum(a[i, i:] * x[i:])
    return np.sum(np.sin(a))


def parts_told_from_an_index_whose_name_is_taken(a):
    a = a / 8
    for i in range(1, 6):
        for j in range(i, 6):
            a[0, j] = a[j - 1, 0] * a[i - 1, j]
            a[j, :j] *= np.sin(a[j, :j]) * a[j - 1, 2]
    return np.sum(a)


@pytest.mark.parametrize(
    "function",
    [
        parts_of_variable_length, parts_told_from_an_index_whose_name_is_taken, backwards,
        overwritten_next, overwritten_in_the_trip, overwritten_by_wrapping,
        overwritten_from_the_other_end, overwritten_in_an_inner_loop, overwritten_in_a_branch,
        either, every_sweep, from_the_array_before, last_rows,
    ],
    ids=lambda each: each.__name__,
)  # fmt: skip
def test_what_is_overwritten_is_kept(function):
    symmetric = A @ A.T
    check(function, symmetric if function is last_rows else A if "(a" in signature(function) else X)


def signature(function):
    return f"({function.__code__.co_varnames[0]}"


def test_memory_does_not_grow_by_an_array_in_each_trip():
    gradient = sd.grad(lu)
    gradient(A)
    assert gradient.source.count(".copy()") == 1


def check(function, value):
    """First and second derivatives along a direction agree with differences and each other."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=value.shape), rng.normal(size=value.shape)
    gradient = sd.grad(function)
    found, step = np.sum(gradient(value) * one), 1e-6
    ahead, behind = function(value + step * one), function(value - step * one)
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(sd.jvp(function, (value,), (one,))[1], found, rtol=1e-9)
    second = sd.grad(lambda x: np.sum(gradient(x) * other))(value)
    third = sd.jvp(gradient, (value,), (one,))[1]
    np.testing.assert_allclose(np.sum(second * one), np.sum(third * other), rtol=1e-8, atol=1e-9)


# ---------------------------------------------------------------------------- at random


class Programs:
    """Random loops in loops that store where indices say."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def source(self):
        lines = [
            "import numpy as np", "def f(a, x):", "    a, x, y = a.copy(), x.copy(), np.ones(6)",
        ]  # fmt: skip
        for _ in range(2):
            first, last, ends = self.random.choice(
                ((0, 5, "6"), (1, 5, "1, 6"), (0, 4, "5"), (1, 5, "5, 0, -1"))
            )
            lines.append(f"    for i in range({ends}):")
            lines += self.block({"i": (first, last)}, 2, "        ")
        return "\n".join([*lines, "    return np.sum(np.sin(a)) + np.sum(x * y) + np.sum(y)"])

    def block(self, indices, depth, pad):
        lines = []
        for _ in range(self.random.randrange(1, 4)):
            kind = self.random.random()
            if depth and kind < 0.4:
                lines += self.loop(indices, depth - 1, pad)
            elif kind < 0.55:
                lines += [f"{pad}if {self.read(indices)} > 0.5:", self.store(indices, f"{pad}    ")]
            else:
                lines.append(self.store(indices, pad))
        return lines

    def loop(self, indices, depth, pad):
        outer = self.random.choice(list(indices))
        first, last = indices[outer]
        text, range_ = self.random.choice((
            ("range(6)", (0, 5)), (f"range({outer})", (0, last - 1)),
            (f"range({outer}, 6)", (first, 5)), (f"range({outer} + 1, 6)", (first + 1, 5)),
        ))  # fmt: skip
        name = "ijk"[len(indices)]
        inner = self.block({**indices, name: range_}, depth, f"{pad}    ")
        return [f"{pad}for {name} in {text}:", *inner]

    def place(self, indices):
        choices = [str(self.random.randrange(6))]
        for name, (first, last) in indices.items():
            choices += [name, name, f"5 - {name}"]
            choices += [f"{name} - 1"] * (first >= 1) + [f"{name} + 1"] * (last <= 4)
        return self.random.choice(choices)

    def part(self, indices):
        return self.random.choice([":", *(f":{name}" for name in indices),
                                   *(f"{name}:" for name in indices)])  # fmt: skip

    def read(self, indices):
        one, other = self.place(indices), self.place(indices)
        return self.random.choice((f"a[{one}, {other}]", f"x[{one}]", f"y[{other}]"))

    def value(self, indices):
        one, other, part = self.read(indices), self.read(indices), self.part(indices)
        places = self.place(indices), self.place(indices)
        return self.random.choice((
            f"np.sin({one}) * {other}", f"{one} / (2 + {other} * {other})",
            f"0.3 * np.sum(a[{places[0]}, {part}] * x[{part}])",
            f"0.2 * a[{places[0]}, {part}] @ a[{part}, {places[1]}]",
        ))  # fmt: skip

    def store(self, indices, pad):
        one, other, part = self.place(indices), self.place(indices), self.part(indices)
        value, operator = self.value(indices), self.random.choice(("=", "=", "+=", "*="))
        cosine = f"np.cos(a[{one}, {part}]) * {self.read(indices)}"
        return pad + self.random.choice((
            f"a[{one}, {other}] {operator} {value}", f"x[{one}] {operator} {value}",
            f"y[{one}] {operator} {value}", f"a[{other}, {part}] {operator} {cosine}",
        ))  # fmt: skip


@pytest.mark.parametrize("seed", range(24))
def test_random_loops(seed, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(Programs(seed).source())
    spec = importlib.util.spec_from_file_location(f"program_{seed}", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    rng = np.random.default_rng(seed)
    a, x = rng.uniform(0.2, 1, (6, 6)), rng.uniform(0.2, 1, 6)
    directions = rng.normal(size=(6, 6)), rng.normal(size=6)
    value, bars = sd.value_and_grad(program.f, (0, 1))(a, x)
    np.testing.assert_allclose(value, program.f(a, x), rtol=1e-12)
    found = sum(np.sum(bar * each) for bar, each in zip(bars, directions, strict=True))
    scale = sum(np.sum(abs(bar * each)) for bar, each in zip(bars, directions, strict=True))
    if scale > 1e6:  # too steep for differences
        return
    _, forward = sd.jvp(program.f, (a, x), directions)
    np.testing.assert_allclose(forward, found, rtol=1e-9, atol=1e-10 * scale)
    step = 1e-7
    ahead, behind = (
        program.f(a + sign * step * directions[0], x + sign * step * directions[1])
        for sign in (1, -1)
    )
    expected = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * max(1, scale))
