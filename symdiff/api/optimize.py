"""SciPy's root finders: called as they are, differentiated by the equation that they solve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from scipy import optimize

from symdiff.api.closed import Closed
from symdiff.api.implicit import FixedPoint, Root
from symdiff.api.signature import traced
from symdiff.errors import ShapeError, UnsupportedFunctionError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import function_name
from symdiff.frontend.replacements import instead_of
from symdiff.frontend.tracer import Tracer, as_array, call, lift, where
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.foreign import Outcome, literal_source
from symdiff.ops.render import UNKNOWN

Function = Callable[..., Any]

_NUMBER = array_type(np.float64, (), True)


class _OfScipy(Root):
    """A root finder of SciPy's. Its operands are residuals, and then where it looks."""

    def __init__(
        self,
        fun: Function,
        closed: Closed,
        options: dict[str, Any],
        keyword: str = "",
        part: str = "",
    ) -> None:
        super().__init__(fun, closed)
        self.options = options
        self.keyword = keyword  # under which it takes where it looks, as a list
        self.part = part  # of its result

    def plain(self, *operands: Any) -> Any:
        count = len(self.closed.residuals)
        residuals, looks = operands[:count], operands[count:]

        def function(x: Any) -> Any:
            return self.closed.function(*residuals, x)

        args, options = looks, self.options
        if self.keyword:
            args, options = (), {self.keyword: list(looks), **options}
        return self.value_of(self.called(function, *args, **options))

    def called(self, *args: Any, **options: Any) -> Any:
        found = self.fun(*args, **options)
        if not (getattr(found, "success", True) and getattr(found, "converged", True)):
            reason = getattr(found, "message", None) or getattr(found, "flag", "")
            raise RuntimeError(f"{self.name}: {reason}")
        return found

    def value_of(self, made: Any) -> Any:
        return getattr(made, self.part) if self.part else made

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        count = len(self.closed.residuals)
        residuals, looks = arguments[:count], ", ".join(arguments[count:])
        function = f"lambda {UNKNOWN}: {names[1]}({', '.join([*residuals, UNKNOWN])})"
        where = f"{self.keyword}=[{looks}]" if self.keyword else looks
        options = [f"{key}={literal_source(each)}" for key, each in self.options.items()]
        part = f".{self.part}" if self.part else ""
        return f"{names[0]}({', '.join([function, where, *options])}){part}"


class _FixedPointOfScipy(_OfScipy, FixedPoint):
    """scipy.optimize.fixed_point."""


def _refuse(what: str) -> NoReturn:
    way_out = "Use symdiff.root, which any solver can be passed to."
    message = word(f"{what} is not traced", where=where(), way_out=way_out)
    context.refuse(UnsupportedFunctionError(message))


def _closed(f: Function, args: Any, type: ArrayType) -> Closed:
    args = args if isinstance(args, tuple) else (args,)

    def of_x(x: Any) -> Any:
        found = as_array(f(x, *args))
        same = np.shape(found) == x.shape or np.size(found) != x.size
        return found if same else call(np.reshape, found, x.shape)

    of_x.__name__ = function_name(f)
    closed = Closed(of_x, [type])
    if closed.result.shape != type.shape:
        what = f"{closed.name} gives {closed.result} for an x of type {type}"
        way_out = "There is one equation for each unknown."
        raise ShapeError(word(what, where=where(), way_out=way_out))
    return closed


def _nodes(*values: Any) -> list[Node]:
    """Where a root is looked for, as numbers or vectors of doubles."""
    return [
        each.node if isinstance(each, Tracer) else lift(float(each) if np.ndim(each) == 0 else each)
        for each in values
    ]


def _options(given: dict[str, Any], name: str) -> dict[str, Any]:
    """The options that are given. Raises UnsupportedFunctionError for those with other results."""
    for key in ("full_output", "callback"):
        if given.pop(key, None):
            _refuse(f"{name} with {key}=")
    if any(isinstance(each, Tracer) for each in given.values()):
        _refuse(f"{name} with an option that depends on a traced value")
    steering = ("fprime", "fprime2", "jac", "col_deriv", "band", "epsfcn", "diag")
    return {key: each for key, each in given.items() if key not in steering}


def _bracketed(function: Function) -> None:
    @instead_of(function)
    def find(f: Function, a: Any, b: Any, args: Any = (), *more: Any, **options: Any) -> Any:
        """A root between two numbers."""
        if more:
            _refuse(f"{function.__name__} with options by position")
        owner = _OfScipy(function, _closed(f, args, _NUMBER), _options(options, function.__name__))
        return owner.placed(_nodes(a, b), Outcome((), _NUMBER, False))


for _function in (
    optimize.bisect, optimize.brenth, optimize.brentq, optimize.ridder, optimize.toms748,
):  # fmt: skip
    _bracketed(_function)


def _vector(x0: Any) -> Any:
    start = as_array(x0)
    start = start if isinstance(start, Tracer) else traced(lift(start))
    return call(np.ravel, start).astype(np.float64)


@instead_of(optimize.fsolve)
def fsolve(func: Function, x0: Any, args: Any = (), **options: Any) -> Any:
    """A root of as many equations as unknowns."""
    start = _vector(x0)
    owner = _OfScipy(optimize.fsolve, _closed(func, args, start.node.type),
                     _options(options, "fsolve"))  # fmt: skip
    return owner.placed([start.node], Outcome((), start.node.type, True))


@instead_of(optimize.root)
def root(fun: Function, x0: Any, args: Any = (), method: str = "hybr", **options: Any) -> Any:
    """A root of as many equations as unknowns; where there is none, a RuntimeError says so."""
    start = _vector(x0)
    known = {"method": method, **options} if method != "hybr" else options
    owner = _OfScipy(optimize.root, _closed(fun, args, start.node.type),
                     _options(known, "root"), part="x")  # fmt: skip
    x = owner.placed([start.node], Outcome((), start.node.type, True))
    return optimize.OptimizeResult(x=x, success=True, status=1, message="The solution converged.")


@instead_of(optimize.root_scalar)
def root_scalar(
    f: Function,
    args: Any = (),
    method: Any = None,
    bracket: Any = None,
    fprime: Any = None,
    fprime2: Any = None,
    x0: Any = None,
    x1: Any = None,
    **options: Any,
) -> Any:
    """A root of one equation; where there is none, a RuntimeError says so."""
    if method is not None:
        options["method"] = method
    if bracket is None:
        _refuse("root_scalar without a bracket")
    owner = _OfScipy(optimize.root_scalar, _closed(f, args, _NUMBER),
                     _options(options, "root_scalar"), "bracket", "root")  # fmt: skip
    found = owner.placed(_nodes(*bracket), Outcome((), _NUMBER, False))
    return optimize.RootResults(found, 0, 0, 0, method or "brentq")


@instead_of(optimize.newton)
def newton(func: Function, x0: Any, fprime: Any = None, args: Any = (), **options: Any) -> Any:
    """A root near a number, or near each of an array; fprime only steers the solver."""
    return _near(optimize.newton, _OfScipy, func, x0, args, options)


@instead_of(optimize.fixed_point)
def fixed_point(func: Function, x0: Any, args: Any = (), **options: Any) -> Any:
    """A fixed point near a number, or an array of them."""
    return _near(optimize.fixed_point, _FixedPointOfScipy, func, x0, args, options)


def _near(
    function: Function, kind: type[_OfScipy], f: Function, x0: Any, args: Any, options: Any
) -> Any:
    start = x0 if isinstance(x0, Tracer) else traced(lift(x0))
    if start.dtype.kind not in "fc" or start.weak:
        start = call(np.multiply, start, 1.0)
    type = array_type(start.dtype, start.shape)
    owner = kind(function, _closed(f, args, type), _options(options, function.__name__))
    return owner.placed([start.node], Outcome((), type, bool(type.shape)))
