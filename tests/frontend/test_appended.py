"""Lists that loops append to hold what each turn adds; reading one meanwhile unrolls the loop."""

import numpy as np
import pytest

from symdiff import grad
from symdiff.testing import check_grads
from tests.frontend.tracing import check

X = np.random.default_rng(0).normal(size=4)


def summed(x):
    out = []
    for i in range(6):
        out.append(np.sin(x * i))  # noqa: PERF401
    return np.sum(sum(out))


def stacked(x):
    out = [x]
    s = x
    for _ in range(6):
        s = np.sin(s) * 1.1
        out.append(s)
    return np.sum(np.stack(out) ** 2) + out[-1][0] + out[3].sum() * len(out)


def before_it_moves(x):
    xs, vs = [], []
    v = x * 0
    for _ in range(8):
        xs.append(x)
        vs.append(v)
        v = v - 0.1 * x
        x = x + 0.1 * v
    return np.sum(np.array(xs) * np.array(vs)) + np.array(xs)[3:5].sum()


def pairs_of_numbers(x):
    out = []
    s = x[0]
    for i in range(1, 9, 2):
        s = np.cos(s) * i
        out.append((i + 1, s, 2.0))
    return sum(i * s * c for i, s, c in out)


def gone_over(x):
    hs = []
    h = x
    for k in range(6):
        h = np.tanh(h + k)
        hs.append(h)
    total = 0.0
    for h in reversed(hs):
        total = total + (h * x).sum() * total + h[0]
    return total


def rows_of_rows(x):
    rows = []
    for i in range(5):
        row = []
        for j in range(4):
            row.append(np.sin(x[j] * i))  # noqa: PERF401
        rows.append(np.array(row))
    return np.sum(np.array(rows) ** 2)


def from_two_loops(x):
    out = []
    for _ in range(5):
        for v in x:
            out.append(np.sin(v))  # noqa: PERF401
    return np.array(out).sum() * out[7]


def twice_a_turn(x):
    out = []
    for v in x:
        out.append(v * v)
        out.append(np.sin(v))
    return np.sum(np.array(out) * np.arange(8))


CAPTURED = [summed, stacked, before_it_moves, pairs_of_numbers, gone_over, rows_of_rows,
            from_two_loops, twice_a_turn]  # fmt: skip


@pytest.mark.parametrize("function", CAPTURED)
def test_captured(function):
    assert set(check(function, (X,), (2 * X,)).roads) == {"captured"}
    check_grads(function, (X,))


def reads_it(x):
    out = [x]
    for _ in range(6):
        out.append(np.sin(out[-1]))
    return out[-1].sum()


def counts_it(x):
    out = []
    for _ in range(6):
        out.append(x * len(out))
    return sum(out).sum()


def reads_it_by_another_name(x):
    out = [x]
    seen = out
    for _ in range(6):
        out.append(np.sin(seen[-1]))  # noqa: PERF401
    return out[-1].sum()


def reads_it_in_a_function(x):
    out = [x]

    def last():
        return out[-1]

    for _ in range(6):
        out.append(np.sin(last()))  # noqa: PERF401
    return out[-1].sum()


class Record:
    def __init__(self, x):
        self.all = [x]

    def run(self):
        out = self.all
        for _ in range(6):
            out.append(np.sin(self.all[-1]))
        return out[-1].sum()


def reads_it_in_an_object(x):
    return Record(x).run()


def one_array_many_times(x):
    out = []
    y = np.zeros(4)
    for i in range(5):
        y += x * i
        out.append(y)
    return out[0].sum() + out[2].sum()


def on_one_side(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v)  # noqa: PERF401
    return np.sum(np.array(out) ** 2)


def stored_into_later(x):
    out = []
    for _ in range(5):
        x = np.sin(x)
        out.append(x)
    x[0] = 7.0
    return out[-1].sum()


def first_stored_into_later(x):
    out = []
    y = first = x.copy()
    for _ in range(5):
        out.append(y)
        y = np.sin(y)
    first[0] = 7.0
    return out[0].sum() + out[1].sum()


def of_whole_numbers(x):
    out = []
    n = 1
    for _ in range(5):
        n = 3 * n
        out.append(n)
    return x.sum() * out[-1]


UNROLLED = [reads_it, counts_it, reads_it_by_another_name, reads_it_in_a_function,
            reads_it_in_an_object, one_array_many_times, on_one_side, stored_into_later,
            first_stored_into_later, of_whole_numbers]  # fmt: skip


@pytest.mark.parametrize("function", UNROLLED)
def test_unrolled(function):
    assert "unrolled" in check(function, (X,)).roads
    check_grads(function, (X,))


def test_a_number_of_turns_that_is_not_known():
    def steps(x, n):
        out = []
        for i in range(n):
            out.append(np.sin(x * i))  # noqa: PERF401
        return sum(out)

    gradient = grad(steps)
    for n in (5, 7):
        assert gradient(0.5, n) == pytest.approx(sum(i * np.cos(0.5 * i) for i in range(n)))


def test_written_as_by_hand():
    gradient = grad(before_it_moves)
    gradient(X)
    assert gradient.source.count("    for ") == 2
    assert "stack" not in gradient.source


def test_the_rest_of_a_list_is_beside_what_was_appended():
    gradient = grad(stacked)
    gradient(X)
    assert "np.concatenate([x[None], ss])" in gradient.source
