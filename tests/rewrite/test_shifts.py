"""Maxima that cancel are found, and no others."""

import numpy as np
import pytest

from symdiff.ops import elementwise as e
from symdiff.rewrite.shifts import hold_shifts

RNG = np.random.default_rng(0)
SCORES = RNG.standard_normal((5, 4))
LABELS = RNG.integers(4, size=5)
TARGET = RNG.standard_normal((5, 4))


def shifted(s):
    return s - np.max(s, axis=1, keepdims=True)


def cross_entropy(s):
    z = shifted(s)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(5), LABELS])


def log_softmax(s):
    z = shifted(s)
    return np.sum(TARGET * (z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))))


def softmax(s):
    e = np.exp(shifted(s))
    return np.sum(TARGET * (e / e.sum(axis=1, keepdims=True)))


def columns(s):
    z = s.T - np.max(s, axis=1)
    return np.sum(TARGET.T * (z - np.log(np.sum(np.exp(z), axis=0))))


def whole(s):
    e = np.exp(s - np.max(s))
    return np.sum((e / np.sum(e)) ** 2)


def logsumexp(s):
    top = np.max(s, axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(s - top), axis=1)) + np.max(s, axis=1))


def tempered(s):
    z = shifted(s) / 2
    e = np.exp(-(-z))
    return np.sum(TARGET * e / np.reshape(np.sum(e, axis=1), (5, 1)))


@pytest.mark.parametrize(
    "function", [cross_entropy, log_softmax, softmax, columns, whole, tempered]
)
def test_a_maximum_that_cancels_is_not_differentiated(gradient, function):
    found = gradient(function, SCORES)
    assert found.rules.count("hold-shift") == 1
    assert "equal" not in found.ops
    assert found.ops.count("max") + found.ops.count("softmax") == 1  # which holds it, too
    found.check()


def kept_shift(s):
    return np.sum(np.exp(shifted(s)))


def other_axis(s):
    e = np.exp(shifted(s))
    return np.sum(TARGET * (e / np.sum(e, axis=0)))


def wrong_rows(s):
    z = shifted(s)
    return np.sum(np.log(np.sum(np.exp(z), axis=1)) - z[np.array([0, 0, 2, 3, 4]), LABELS])


def returned(s):
    e = np.exp(shifted(s))
    return np.sum(e / np.sum(e, axis=1, keepdims=True)) + np.max(s)


def half_cancelled(s):
    z = shifted(s)
    return np.sum(np.log(np.sum(np.exp(2 * z), axis=1)) - z[np.arange(5), LABELS])


@pytest.mark.parametrize(
    "function", [kept_shift, other_axis, wrong_rows, half_cancelled, logsumexp]
)
def test_a_maximum_that_matters_is_differentiated(gradient, function):
    found = gradient(function, SCORES)
    assert "hold-shift" not in found.rules
    found.check()


def test_one_maximum_may_cancel_beside_another_that_does_not(gradient):
    found = gradient(returned, SCORES)
    assert found.rules.count("hold-shift") == 1
    found.check()


def test_the_value_keeps_its_bits(gradient, trace, run):
    found = gradient(cross_entropy, SCORES)
    assert found.results()[0] == run(trace(cross_entropy, SCORES), [SCORES])[0]


def test_a_program_without_maxima_is_returned_as_it_is(trace):
    graph = trace(lambda s: np.sum(s), SCORES)
    assert hold_shifts(graph, []) is graph


def test_names_are_carried_to_the_nodes_above(trace):
    graph = trace(cross_entropy, SCORES)
    note = graph.notes[graph.inputs[0]]
    graph.notes[graph.outputs[0]] = note
    log = []
    after = hold_shifts(graph, log)
    assert after.notes[after.outputs[0]] is note
    assert [each.after.op for each in log] == [e.stop_gradient]
