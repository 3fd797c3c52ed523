"""A solver of the user's or of SciPy's, called with a function that closes over traced values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symdiff.api.closed import Closed
from symdiff.api.custom import Custom, named
from symdiff.api.signature import Signature
from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.pytree import flatten
from symdiff.frontend.trace import held_tracer
from symdiff.frontend.tracer import where
from symdiff.ir.node import Node
from symdiff.ops.foreign import Outcome


class _Repeated(Signature):
    """A call whose function is called again and again, with the residuals."""

    repeats_operands = True
    owner: Solver

    def callee(self) -> Any:
        return self.owner.callee(self)


class Solver(Custom):
    """What finds the one value that an equation describes, by calling the function in it.

    The operands are the residuals of that function, and then what else the solver needs.
    Subclasses know how it is called, and what the derivative of the solution is.
    """

    def __init__(self, fun: Callable[..., Any], closed: Closed) -> None:
        if held_tracer(fun) is not None:
            what = "the solver holds a traced value"
            way_out = "Let the function that it is called with use it."
            raise TraceError(word(what, where=where(), way_out=way_out))
        super().__init__(fun, check=False)
        self.closed = closed

    def called(self, *args: Any, **options: Any) -> Any:
        return self.fun(*args, **options)

    def callee(self, signature: Signature) -> Any:
        """What the source calls: it sees that the results are as they were traced."""
        return signature.checked

    def objects(self) -> list[tuple[str, Any]]:
        return [(self.closed.name, self.closed.function)]

    def placed(self, more: Sequence[Node], *outcomes: Outcome) -> Any:
        """The solution, as part of the running trace, for what the solver needs besides.

        Of several outcomes it is a tuple.
        """
        return self.applied([*self.closed.residuals, *more], *outcomes)

    def applied(self, operands: Sequence[Node], *outcomes: Outcome) -> Any:
        """The same for all operands."""
        return context.at_user_place(self._applied, operands, outcomes)

    def _applied(self, operands: Sequence[Node], outcomes: Sequence[Outcome]) -> Any:
        types = tuple([each.type for each in operands])
        key = types, tuple(outcomes)
        made = self._signatures.get(key)
        if made is None:
            count = len(types)
            _, spec = flatten(tuple(range(count)))
            made = _Repeated(self, spec, range(count), types, (True,) * count, count)
            _, tree = flatten(0 if len(outcomes) == 1 else (0,) * len(outcomes))
            made.returns(tree, outcomes)
            self._signatures[key] = made
        return named(made.applied(operands))
