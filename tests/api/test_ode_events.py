"""Events of solve_ivp: times and values against SciPy's, derivatives against differences."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import symdiff
from symdiff import UnsupportedFunctionError

TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def lands(t, y):
    return y[0]


lands.terminal = True
lands.direction = -1


def throw(speed, angle, drag, **options):
    def rates(t, y):
        _, _, up, along = y
        v = np.sqrt(up * up + along * along)
        return [up, along, -9.81 - drag * v * up, -drag * v * along]

    start = [0.0, 0.0, speed * np.sin(angle), speed * np.cos(angle)]
    return solve_ivp(rates, (0, 50.0), start, events=lands, **TIGHT, **options)


AT = (30.0, 0.7, 0.02)


@pytest.mark.parametrize(
    "read",
    [
        lambda found: found.y_events[0][0][1],
        lambda found: found.y_events[0][-1, 1],
        lambda found: found.t_events[0][0] ** 2,
        lambda found: found.y[1, -1] * found.t[-1],
    ],
    ids=["last value", "all values", "time", "last step"],
)
def test_where_a_throw_lands(read):
    def landed(*args):
        return read(throw(*args))

    value, gradient = symdiff.value_and_grad(landed, (0, 1, 2))(*AT)
    assert value == pytest.approx(landed(*AT), rel=1e-9)
    for i in range(3):
        step = 1e-5 * AT[i] * np.eye(3)[i]
        difference = (landed(*(AT + step)) - landed(*(AT - step))) / (2 * step[i])
        assert gradient[i] == pytest.approx(difference, rel=1e-5)


def swing(w, *, start=(0.0, 1.0), **options):
    def top(t, y, w):
        return y[1]

    def middle(t, y, w):
        return y[0]

    middle.direction = 1

    def rates(t, y, w):
        return [y[1], -w * w * y[0]]

    return solve_ivp(rates, (0, 10.0), start, args=(w,), events=[top, middle], **TIGHT, **options)


def test_times_to_second_order():
    def second_top(w):
        return swing(w).t_events[0][1]

    assert symdiff.jit(second_top)(2.0) == pytest.approx(0.75 * np.pi, rel=1e-8)
    assert symdiff.grad(second_top)(2.0) == pytest.approx(-1.5 * np.pi / 4, rel=1e-7)
    assert symdiff.grad(symdiff.grad(second_top))(2.0) == pytest.approx(3 * np.pi / 8, rel=1e-6)
    assert symdiff.jvp(second_top, (2.0,), (1.0,))[1] == pytest.approx(-1.5 * np.pi / 4, rel=1e-7)


def test_several_kinds_beside_points():
    def both(w):
        found = swing(w, t_eval=[1.0])
        return found.t_events[1][1] + found.y_events[0][0][0] + found.y[0, 0]

    expected = -2 * np.pi / 4 - 1 / 4 + (2 * np.cos(2) - np.sin(2)) / 4
    assert symdiff.grad(both)(2.0) == pytest.approx(expected, rel=1e-6)


def test_complex_values():
    def half(t, y):
        return np.abs(y[0]) - 0.5

    def decayed(rate):
        found = solve_ivp(
            lambda t, y: (2j - rate) * y, (0, 5.0), [1 + 0j], events=half, **TIGHT
        )
        return found.t_events[0][0]

    assert symdiff.grad(decayed)(1.5) == pytest.approx(-np.log(2) / 2.25, rel=1e-6)


def test_what_comes_after_the_end_is_not_computed():
    def full(t, y):
        return y[0] - 2.0

    full.terminal = True

    def time(rate):  # after 1 / rate the solution is infinite
        found = solve_ivp(lambda t, y: rate * y * y, (0, 5.0), [1.0], events=full, **TIGHT)
        return found.t[-1]

    assert symdiff.grad(time)(1.0) == pytest.approx(-0.5, rel=1e-6)


def test_what_does_not_happen():
    def never(w):
        return swing(w).t_events[0][40]

    with pytest.raises(RuntimeError, match=r"event 0 of solve_ivp happens \d times"):
        symdiff.jit(never)(2.0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda w: len(swing(w).t_events[0]) * w, "how often an event happens"),
        (lambda w: np.sum(swing(w).t_events[0]), "how often an event happens"),
        (lambda w: swing(w).t_events[0].size * w, "how often an event happens"),
        (lambda w: throw(w, 0.7, 0.02, t_eval=[1.0]).y[0, 0], "ends at an event, with t_eval="),
    ],
    ids=["len", "sum", "size", "points"],
)
def test_what_is_refused(function, message):
    with pytest.raises(UnsupportedFunctionError, match=message):
        symdiff.grad(function)(2.0)
