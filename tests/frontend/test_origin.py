"""Whose code, classes and modules are the user's."""

import argparse
import collections
import contextlib
import dataclasses
import math
import types

import numpy as np
import optree
import pytest
import scipy.special
from scipy import signal
from scipy.spatial import distance

from symdiff import check_grads, jit
from symdiff.frontend.origin import is_user_class, is_user_code, is_user_module, state_of
from symdiff.frontend.tracer import lift


def test_code():
    assert is_user_code(test_code.__code__)
    assert is_user_code(compile("1", "<stdin>", "exec"))
    for library in (contextlib.contextmanager, scipy.special.logsumexp, np.tile, lift):
        code = getattr(library, "__wrapped__", library).__code__
        assert not is_user_code(code)
    assert not is_user_code(optree.tree_map.__code__)


def test_code_beside_a_library():
    folder, _, _ = np.__file__.rpartition("/")
    assert not is_user_code(compile("1", f"{folder}/own.py", "exec"))
    assert is_user_code(compile("1", f"{folder}_of_mine/own.py", "exec"))


def test_classes():
    @dataclasses.dataclass
    class Record:
        x: int

    assert is_user_class(Record)
    assert is_user_class(types.SimpleNamespace)
    assert is_user_class(argparse.Namespace)
    assert is_user_class(collections.UserDict)
    assert not is_user_class(argparse.ArgumentParser)
    assert not is_user_class(np.ndarray)
    assert not is_user_class(dict)


def test_state():
    assert "coef" in state_of(np.polynomial.Polynomial([1.0]))
    assert state_of(np.sum) is None  # a function
    assert state_of(np.sin) is None  # which has none
    assert state_of(argparse.ArgumentParser()) is None


def test_modules():
    assert is_user_module(types.ModuleType("helpers"))
    assert not is_user_module(math)
    assert not is_user_module(scipy.special)


# ---------------------------------------------------------------------------- written out

V = np.array([0.3, -1.2, 2.0, 0.7])
U = np.array([1.0, 2.0, 0.5, -1.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(np.abs(np.emath.sqrt(x)) + np.emath.log(x).real),
        lambda x: np.emath.power(x, 0.5).imag[1] + np.emath.arcsin(x).real[2],
        lambda x: np.sum(np.emath.sqrt(x**2)),
        lambda x: np.sum(signal.sawtooth(x) + signal.chirp(x, 1.0, 1.0, 5.0) * U),
        lambda x: np.sum(signal.gausspulse(x, fc=2)),
        lambda x: distance.euclidean(x, U) + distance.cosine(x, U) + distance.cityblock(U, x),
        lambda x: distance.minkowski(x, U, p=3, w=[1, 2, 1, 2]) + distance.correlation(x, U),
        lambda x: distance.mahalanobis(x, U, np.diag([1.0, 2.0, 3.0, 4.0])),
        lambda x: distance.jensenshannon(x**2, U**2) + distance.chebyshev(x, U),
    ],
    ids=["emath", "power", "even", "waves", "pulse", "lengths", "weights", "form", "entropy"],
)
def test_functions_of_libraries_that_are_written_in_numpy(function):
    np.testing.assert_allclose(jit(function)(V), function(V), rtol=1e-13)
    check_grads(function, (V,), order=1)


def test_what_they_decide_is_decided_at_each_call():
    root = jit(lambda x: np.emath.sqrt(x))
    assert root(np.array([1.0, 4.0])).dtype == np.float64
    assert root(np.array([1.0, -4.0])).dtype == np.complex128
    assert root(np.array([9.0, 4.0])).dtype == np.float64
