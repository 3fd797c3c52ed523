"""What interposed code gets for the distributions of scipy.stats, which are objects.

Their methods are met like functions: `find` knows those that have formulas.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scipy import stats

from symdiff.frontend.replacements import refuse_draw, replaced


class Distribution:
    """A distribution of scipy.stats: its methods, and itself with parameters given."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._plain, name)
        return functools.partial(_draw, value) if name == "rvs" else replaced(value)

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        return Frozen(self, args, kwargs)

    def __repr__(self) -> str:
        return repr(self._plain)


class Frozen:
    """A distribution with its parameters, which may be traced."""

    def __init__(
        self, distribution: Distribution, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self.dist = distribution
        self.args = args
        self.kwds = kwargs

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.dist, name)

        def with_parameters(*args: Any, **kwargs: Any) -> Any:
            return method(*args, *self.args, **self.kwds, **kwargs)

        return with_parameters


def stand_in(value: Any) -> Distribution | Frozen | None:
    """What stands for a distribution, with parameters or without; None for anything else."""
    parent = getattr(value, "dist", None)
    if parent is not None and hasattr(value, "kwds"):
        known = getattr(stats, getattr(parent, "name", ""), None)  # a copy of which it has made
        return Frozen(Distribution(known), value.args, value.kwds) if known is not None else None
    return Distribution(value) if hasattr(value, "rvs") else None


def _draw(rvs: Callable[..., Any], *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
    """Draws with a seed are the same at each call; others are refused."""
    if not isinstance(random_state, int):
        refuse_draw(f"scipy.stats.{rvs.__self__.name}.rvs")  # type: ignore[attr-defined]
    return rvs(*args, random_state=random_state, **kwargs)
