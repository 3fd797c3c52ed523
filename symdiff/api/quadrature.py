"""scipy.integrate.quad: called as it is, differentiated under the integral sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import integrate

from symdiff.api.closed import Closed
from symdiff.api.signature import Signature, traced
from symdiff.api.solver import Solver
from symdiff.errors import UnsupportedFunctionError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import function_name
from symdiff.frontend.replacements import instead_of
from symdiff.frontend.tracer import Tracer, call, lift, where
from symdiff.ir.node import Node
from symdiff.ir.types import array_type
from symdiff.ops.foreign import Outcome, Path, literal_source
from symdiff.ops.primitive import CONSTANT, Rule, Tangents
from symdiff.ops.render import UNKNOWN

Function = Callable[..., Any]

_NUMBER = array_type(np.float64, (), True)
_VALUE, _ERROR = (("item", 0),), (("item", 1),)


@instead_of(integrate.quad)
def quad(func: Function, a: Any, b: Any, args: Any = (), full_output: Any = 0,
         epsabs: Any = 1.49e-8, epsrel: Any = 1.49e-8, limit: Any = 50, **options: Any) -> Any:
    """SciPy's quad. The estimate of the error has no derivative."""
    given = {key: each for key, each in options.items() if each not in (None, False)}
    if full_output or given:
        name = next(iter(given), "full_output")
        what = f"scipy.integrate.quad with {name}= is not traced"
        way_out = "Leave it out; a weight can be a factor of the function."
        message = word(what, where=where(), way_out=way_out)
        context.refuse(UnsupportedFunctionError(message))
    args = args if isinstance(args, tuple) else (args,)

    def of_x(x: Any) -> Any:
        return call(np.multiply, func(x, *args), 1.0)

    of_x.__name__ = function_name(func)
    options = {"epsabs": epsabs, "epsrel": epsrel, "limit": limit}
    usual = {"epsabs": 1.49e-8, "epsrel": 1.49e-8, "limit": 50}
    return _Integral(integrate.quad, of_x, options, usual).between(_bound(a), _bound(b))


def _bound(value: Any) -> Node:
    return value.node if isinstance(value, Tracer) else lift(float(value))


class _Integral(Solver):
    """An integral over a number. Its operands are residuals, and then the bounds."""

    def __init__(
        self, fun: Function, integrand: Function, options: dict[str, Any], usual: dict[str, Any]
    ) -> None:
        super().__init__(fun, Closed(integrand, [_NUMBER]))
        self.options = options
        self.usual = usual  # what the options are where they are not written

    def between(self, a: Node, b: Node) -> Any:
        """The integral and an estimate of its error, as part of the running trace."""
        shape = self.closed.result.shape
        type = array_type(np.float64, shape) if shape else _NUMBER
        error = array_type(np.float64) if shape else _NUMBER
        outcomes = Outcome(_VALUE, type, bool(shape)), Outcome(_ERROR, error, False)
        return self.placed([a, b], *outcomes)

    def plain(self, *operands: Any) -> Any:
        *residuals, a, b = operands
        return self.fun(lambda x: self.closed.function(*residuals, x), a, b, **self.options)

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        *residuals, a, b = arguments
        function = f"lambda {UNKNOWN}: {names[1]}({', '.join([*residuals, UNKNOWN])})"
        options = [
            f"{key}={literal_source(each)}"
            for key, each in self.options.items()
            if each != self.usual.get(key)
        ]
        return f"{names[0]}({', '.join([function, a, b, *options])})"

    # ------------------------------------------------------------------ derivatives

    def rule(self, signature: Signature, operand: int, path: Path) -> Rule:
        found = super().rule(signature, operand, path)
        if path == _ERROR or not isinstance(found, Tangents):
            return CONSTANT
        return Tangents(self._tangent)

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        own = [
            dot.node if active else None
            for dot, active in zip(dots, signature.active, strict=True)
        ]
        return [self.moved([each.node for each in primals], own), None]

    def _tangent(self, each: Node, dots: Sequence[Node | None]) -> Node | None:
        found: Node = self.moved(each.args, dots).node
        return found

    def moved(self, nodes: Sequence[Node], dots: Sequence[Node | None]) -> Any:
        """The tangent of an integral, for tangents of the operands."""
        *parameters, a, b = nodes
        shape = self.closed.result.shape
        terms: list[Any] = []
        for i, dot in enumerate(dots[: len(parameters)]):
            if dot is not None:
                moves = self._derivative(parameters, i, a, b)
                terms.append(call(np.reshape, moves @ call(np.ravel, traced(dot)), shape))
        for sign, bound, dot in ((-1.0, a, dots[-2]), (1.0, b, dots[-1])):
            if dot is not None:
                rate: Any = self.closed.applied(*map(traced, parameters), traced(bound))
                terms.append(rate * traced(dot) * sign)
        return sum(terms[1:], terms[0])

    def _derivative(self, parameters: Sequence[Node], index: int, a: Node, b: Node) -> Any:
        """The matrix of integrals of derivatives with respect to a parameter."""
        running = context.current()
        assert running is not None
        key = self, tuple(parameters), index, a, b
        found = running.rules.get(key)
        if found is None:

            def integrand(x: Any) -> Any:
                matrix = self.closed.jacobian([*parameters, x.node], index)
                return call(np.ravel, traced(matrix))

            integrand.__name__ = f"{self.closed.name}_derivative"
            size = self.closed.result.size
            owner = _Integral(integrate.quad_vec, integrand, self.options, {})
            found = call(np.reshape, owner.between(a, b)[0], (size, -1))
            running.rules[key] = found
        return found
