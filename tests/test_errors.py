"""What a user can catch, and the four lines of a message."""

import numpy as np
import pytest

from symdiff import errors


def test_the_four_lines():
    text = errors.word(
        "what", where="f.py:3: y = x", depends_on="depends on `x`", way_out="do this"
    )
    assert text == "what\n  f.py:3: y = x\n  depends on `x`\n  do this"
    assert errors.word("what", way_out="do this") == "what\n  do this"


@pytest.mark.parametrize(
    ("error", "also"),
    [
        (errors.ShapeError, ValueError),
        (errors.BadIndexError, IndexError),
        (errors.BadAxisError, np.exceptions.AxisError),
        (errors.UnsupportedFunctionError, TypeError),
        (errors.NotDifferentiableError, TypeError),
        (errors.TraceError, Exception),
        (errors.RuleError, Exception),
        (errors.CompileError, Exception),
    ],
)
def test_all_are_ours_and_what_python_would_raise(error, also):
    assert issubclass(error, errors.SymdiffError)
    assert issubclass(error, also)
