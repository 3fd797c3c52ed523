"""Whose code, classes and modules are the user's."""

import argparse
import collections
import contextlib
import dataclasses
import math
import types

import numpy as np
import optree
import scipy.special

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
