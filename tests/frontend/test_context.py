"""The user's frame is the innermost that is no library's."""

import inspect

import numpy as np
import scipy.special

from symdiff.frontend.context import Context, current, is_internal, tracing, user_place


def where():
    return user_place()


def test_user_place():
    code, _, line = where()
    assert code.co_filename == __file__ or "test_context" in code.co_filename
    assert line > 0


def test_internal():
    assert is_internal(np.mean.__wrapped__.__code__)
    assert is_internal(tracing.__code__)
    assert is_internal(scipy.special.logsumexp.__code__)
    assert is_internal(inspect.signature.__code__)
    assert not is_internal(test_internal.__code__)


def test_contexts_nest():
    assert current() is None
    with tracing(Context()):
        outer = current()
        with tracing(None):
            assert current() is None
        assert current() is outer
    assert current() is None
