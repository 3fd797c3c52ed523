"""The exceptions a user can meet, and the one function that words them."""

from __future__ import annotations

import numpy as np


class SymdiffError(Exception):
    """Base class of every error raised by symdiff."""


class TraceError(SymdiffError):
    """The function does something that cannot be traced."""


class ShapeError(SymdiffError, ValueError):
    """Operands whose shapes do not fit, at the user's line."""


class BadIndexError(SymdiffError, IndexError):
    """An index that the array does not have, at the user's line."""


class BadAxisError(ShapeError, np.exceptions.AxisError):
    """An axis that the array does not have, at the user's line."""


class UnsupportedFunctionError(SymdiffError, TypeError):
    """A function that symdiff has no derivative rule for met a traced value."""


class NotDifferentiableError(SymdiffError, TypeError):
    """A derivative was asked of something that has none: an integer array, a vector result."""


class NoForwardModeError(NotDifferentiableError):
    """A tangent was asked of a function that has a rule for reverse mode only."""


class MemoryLimitError(SymdiffError):
    """A derivative keeps more than `max_memory` allows, whatever is computed again."""


class RuleError(SymdiffError):
    """A primitive's record is wrong: the fault is in the rule, not in the user's function."""


class CompileError(SymdiffError):
    """The emitted source does not compile or load."""


class UsageError(SymdiffError):
    """A command that cannot be carried out as it is written."""


class RecompilationWarning(UserWarning):
    """A function is compiled again and again for arguments of the same types."""


def word(what: str, *, where: str = "", depends_on: str = "", way_out: str = "") -> str:
    """The four lines of a message: what, where, on which argument it depends, the way out."""
    lines = [what, where, depends_on, way_out]
    return "\n  ".join(line for line in lines if line)
