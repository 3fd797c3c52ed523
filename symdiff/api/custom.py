"""Rules of the user's own: functions that are called as they are, with derivatives stated beside.

`custom_jvp` and `custom_vjp` are named and shaped as in JAX; `primitive` and `elementwise` state
one rule per argument. What the function does inside is never read: it may call C, solve, look up.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any

import numpy as np

from symdiff.api.signature import Signature, fitted, read, traced
from symdiff.api.transformed import found_by_name
from symdiff.errors import NotDifferentiableError, RuleError, TraceError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import function_name
from symdiff.frontend.pytree import Static, flatten, unflatten
from symdiff.frontend.replacements import REPLACEMENTS, Hook
from symdiff.frontend.source_map import assigned_place
from symdiff.frontend.trace import held_tracer
from symdiff.frontend.tracer import Tracer, call, lift, where
from symdiff.ir.node import Node
from symdiff.ops.primitive import CONSTANT, Cotangents, Refused, Rule

_BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
NUMBERS = (Tracer, np.ndarray, np.generic, bool, int, float, complex)


class Custom:
    """A function of the user's that is called as it is. Subclasses say what its derivatives are."""

    way_out = ""  # how it gets a rule
    reverse = False  # whether its rules are for reverse mode only

    def __init__(
        self,
        fun: Callable[..., Any],
        nondiff_argnums: int | Sequence[int] = (),
        *,
        result: Callable[..., Any] | None = None,
        batch: Callable[..., Any] | None = None,
        check: bool = True,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"a function is expected, not {type(fun).__name__}")
        self.fun = fun
        numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else nondiff_argnums
        self.nondiff_argnums = tuple(numbers)
        self.result = result
        self.batch = batch
        self.unchecked = check  # whether the rules are still to be compared with differences
        self._signatures: dict[Any, Signature] = {}
        functools.update_wrapper(self, fun, updated=())

    def __new__(cls, fun: Callable[..., Any] | None = None, *args: Any, **options: Any) -> Any:
        """Without a function, a decorator with these options."""
        if fun is None:
            return functools.partial(cls, **options)
        return super().__new__(cls)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A decorated function of a module is found there."""
        if found_by_name(self):
            return self.__dict__["__qualname__"]
        return super().__reduce_ex__(protocol)

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    @property
    def name(self) -> str:
        """What the function is called in emitted source and in messages."""
        return function_name(self.fun)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """On arrays the function itself; on traced values it becomes part of what is traced."""
        running = context.current()
        if running is None:
            return self.plain(*args, **kwargs)
        if any(isinstance(leaf, Tracer) for leaf in flatten((args, kwargs))[0]):
            return context.at_user_place(self._traced, args, kwargs)
        bare = running.interposer.bare
        with context.tracing(None):
            return self.plain(*map(bare, args), **{key: bare(kwargs[key]) for key in kwargs})

    def plain(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself. Arrays are passed contiguous, as C functions need them."""
        return self.fun(*map(_contiguous, args), **kwargs)

    def called(self, *args: Any, **options: Any) -> Any:
        """What a call in emitted source does."""
        return self.plain(*args, **options)

    def value_of(self, made: Any) -> Any:
        """The part of what such a call returns that the source goes on with."""
        return made

    def objects(self) -> list[tuple[str, Any]]:
        """What a call names besides the function and its arguments."""
        return []

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        """A call as the user writes it; the first name is that of the function."""
        return f"{names[0]}({', '.join(arguments)})"

    # ------------------------------------------------------------------ inside a trace

    def _traced(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(getattr(self.fun, "__globals__", None)) not in (dict, type(None)):
            what = f"{self.name} is defined in the function that is traced"
            raise TraceError(word(what, where=where(), way_out="Define it outside of it."))
        values, shown = self._positional(args, kwargs)
        operands, places, differentiated, spec = self._sorted(values)
        nodes = [lift(each) for each in operands]
        types = tuple([each.type for each in nodes])
        key = spec, types, tuple(map(_key, places)), tuple(differentiated), shown
        found = self._signatures.get(key)
        if found is None:
            found = Signature(self, spec, places, types, differentiated, shown)
            found.find_result(nodes)
            self._signatures[key] = found
        return named(found.applied(nodes))

    def _positional(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], int]:
        """One value per parameter, and how many of them a call has to write."""
        try:
            signature = inspect.signature(self.fun)
        except (TypeError, ValueError):  # of a C function
            if kwargs:
                raise TypeError(f"{self.name} takes arguments by position only") from None
            return args, len(args)
        bound = signature.bind(*args, **kwargs)
        parameters = list(signature.parameters.values())
        given = [i for i, each in enumerate(parameters) if each.name in bound.arguments]
        by_name = [parameters[i].name for i in given if parameters[i].kind in _BY_NAME]
        if by_name:
            what = f"{self.name}: {', '.join(by_name)} cannot be passed by position"
            way_out = "Rules go by position: make these positional parameters."
            raise TypeError(word(what, where=where(), way_out=way_out))
        bound.apply_defaults()
        variadic = any(each.kind is each.VAR_POSITIONAL for each in parameters)
        return bound.args, len(bound.args) if variadic else max(given, default=-1) + 1

    def _sorted(self, values: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[bool], Any]:
        """What is computed with, where it stands and whether it is differentiated; the tree."""
        leaves, spec = flatten(values)
        running = context.current()
        assert running is not None
        fixed = {number % len(values) for number in self.nondiff_argnums}
        numbers = [i for i, child in enumerate(spec.children()) for _ in range(child.num_leaves)]
        operands: list[Any] = []
        places: list[Any] = []
        differentiated: list[bool] = []
        for number, leaf in zip(numbers, leaves, strict=True):
            if number in fixed:
                leaf = _decided(leaf)
            if isinstance(leaf, Tracer) or (isinstance(leaf, NUMBERS) and number not in fixed):
                places.append(len(operands))
                operands.append(leaf)
                differentiated.append(number not in fixed)
            else:
                self._refuse_closure(leaf)
                places.append(Static(running.interposer.bare(leaf)))
        return operands, places, differentiated, spec

    def _refuse_closure(self, value: Any) -> None:
        if held_tracer(value) is not None:
            what = f"{self.name} is passed a {type(value).__name__} that holds a traced value"
            way_out = "Pass the value as an argument of its own."
            raise TraceError(word(what, where=where(), way_out=way_out))

    # ------------------------------------------------------------------ rules

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        """The rule of a call for one operand, and the value of the result at a path."""
        if not signature.types[operand].inexact:
            return CONSTANT
        if not signature.differentiated[operand]:
            return Refused(f"{self.name} has no derivative for arguments of nondiff_argnums")
        return signature.rules[path]

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        """The tangents of all values that a call returns, linear in `dots`; None for zero."""
        raise self.without_rule()

    def forward(self, signature: Signature, primals: list[Any]) -> tuple[list[Any], Any]:
        """What the backward rule needs: traced values, and the rest."""
        raise self.without_rule()

    def backward(
        self, signature: Signature, kept: list[Any], rest: Any, bars: list[Any]
    ) -> Sequence[Any]:
        """A cotangent for each operand, None for zero, from what `forward` kept."""
        raise self.without_rule()

    def without_rule(self) -> NotDifferentiableError:
        """The error of a function that has no rule yet."""
        what = f"{self.name} has no rule for its derivative"
        return NotDifferentiableError(word(what, way_out=f"Give it one with {self.way_out}."))

    # ------------------------------------------------------------------ batching

    def batched(
        self, signature: Signature, index: int, args: Sequence[Any], batched: Sequence[bool]
    ) -> Any:
        """One value of the result for operands some of which have a leading axis of one size."""
        size = next(np.shape(arg)[0] for arg, has in zip(args, batched, strict=True) if has)
        if self.batch is not None:
            batched = (True,) * len(args)
            args = [
                arg if has else np.broadcast_to(arg, (size, *np.shape(arg)))
                for arg, has in zip(args, batched, strict=True)
            ]
        key = "batch", signature, tuple(batched), size
        found = self._signatures.get(key)
        if found is None:
            from symdiff.api.rows import Rows

            rows = Rows(signature, self.batch, batched, size)
            found = self._signatures[key] = rows.signature()
        return found.results[index](*args)


def _contiguous(value: Any) -> Any:
    if type(value) is np.ndarray and not value.flags.c_contiguous:
        return np.ascontiguousarray(value)
    return value


def named(result: Any) -> Any:
    """The result, noted under the name that it is assigned to."""
    running = context.current()
    if isinstance(result, Tracer) and running is not None and running.place is not None:
        running.named.setdefault(result.node, assigned_place(running.place))
    return result


def _decided(leaf: Any) -> Any:
    """A traced Python int or bool is known from now on; another traced value stays one."""
    if isinstance(leaf, Tracer) and leaf.weak and leaf.dtype.kind in "iub":
        return leaf.node.type.python(leaf.__index__())
    return leaf


def _key(place: Any) -> Any:
    """What tells the static values of a call apart."""
    if isinstance(place, int):
        return place
    try:
        hash(place.value)
    except TypeError:
        return "object", id(place.value)  # the signature keeps it alive
    return type(place.value), place.value


# ---------------------------------------------------------------------------- as in JAX


class custom_jvp(Custom):  # noqa: N801  as in JAX
    """A function with a forward rule of its own; reverse mode transposes the rule.

    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (x_dot,) = primals, tangents
    ...     return log1pexp(x), (1 - 1 / (1 + np.exp(x))) * x_dot

    The function is called as it is, on real arrays, and its body is not read; the rule is, and so
    it can be differentiated again. Arguments and results are trees of numbers and arrays.
    Arguments of `nondiff_argnums` come first in the rule, and have no tangents. `result` is a
    function of the arguments that returns zeros like the result; without it the function is called
    once to see. `batch` is the function for arguments with one more leading axis, for vmap; without
    it vmap loops. The first time it can, the rule is compared with differences, unless `check` is
    False.
    """

    way_out = "@f.defjvp"
    _jvp: Callable[..., Any] | None = None

    def defjvp(self, jvp: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the rule, `jvp(*nondiff_args, primals, tangents)` gives (y, y_dot)."""
        self._jvp = jvp
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """One rule for each argument, `jvp(x_dot, y, *primals)`; None where it has no derivative.

        Their sum is the tangent of the result, which is one array.
        """
        if self.nondiff_argnums:
            raise NotImplementedError("defjvps with nondiff_argnums: use defjvp")

        def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            y = self(*primals)
            pairs = zip(jvps, tangents, strict=True)
            terms = [rule(dot, y, *primals) for rule, dot in pairs if rule is not None]
            return y, sum(terms[1:], terms[0]) if terms else np.zeros_like(y)

        self._jvp = jvp

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        if self._jvp is None:
            raise self.without_rule()
        fixed, args, tangents = signature.as_in_rules(primals, dots)
        made = read(self._jvp, *fixed, args, tangents)
        if not (isinstance(made, tuple) and len(made) == 2):
            raise RuleError(f"the rule of {self.name} returns no pair (y, y_dot)")
        return signature.result_leaves(made[1])


class custom_vjp(Custom):  # noqa: N801  as in JAX
    """A function with a reverse rule of its own; forward mode is refused.

    >>> @custom_vjp
    ... def solve(a, b):
    ...     return np.linalg.solve(a, b)
    >>> def solve_fwd(a, b):
    ...     x = solve(a, b)
    ...     return x, (a, x)
    >>> def solve_bwd(kept, x_bar):
    ...     a, x = kept
    ...     b_bar = solve(a.T, x_bar)
    ...     return -np.outer(b_bar, x), b_bar
    >>> solve.defvjp(solve_fwd, solve_bwd)

    The options are those of `custom_jvp`.
    """

    way_out = "f.defvjp(fwd, bwd)"
    reverse = True
    _rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """The rules: `fwd(*args)` gives (y, kept), `bwd(*nondiff_args, kept, y_bar)` a tuple.

        The tuple has a cotangent for each argument, or None for zero.
        """
        self._rules = fwd, bwd

    def forward(self, signature: Signature, primals: list[Any]) -> tuple[list[Any], Any]:
        """What the backward rule needs: traced values, and the rest."""
        if self._rules is None:
            raise self.without_rule()
        made = read(self._rules[0], *signature.arguments(primals))
        if not (isinstance(made, tuple) and len(made) == 2):
            raise RuleError(f"the forward rule of {self.name} returns no pair (y, kept)")
        fixed, _, _ = signature.as_in_rules(primals, primals)
        leaves, spec = flatten((fixed, made[1]))
        kept = [leaf for leaf in leaves if isinstance(leaf, Tracer)]
        others = [None if isinstance(leaf, Tracer) else Static(leaf) for leaf in leaves]
        return kept, (spec, others)

    def backward(
        self, signature: Signature, kept: list[Any], rest: Any, bars: list[Any]
    ) -> Sequence[Any]:
        assert self._rules is not None
        spec, others = rest
        values = iter(kept)
        leaves = [next(values) if each is None else each.value for each in others]
        fixed, residuals = unflatten(spec, leaves)
        made = read(self._rules[1], *fixed, residuals, signature.result_tree(bars))
        return signature.operand_leaves(made)


# ---------------------------------------------------------------------------- one rule per argument


def _names(fun: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's arguments; nothing where Python does not know them."""
    try:
        parameters = inspect.signature(fun).parameters
    except (TypeError, ValueError):  # of a C function
        return ()
    variadic = any(each.kind is each.VAR_POSITIONAL for each in parameters.values())
    return () if variadic else tuple(parameters)


class _Ruled(Custom):
    """A function of arrays, with a rule for each argument by its name."""

    def __init__(self, fun: Callable[..., Any], rules: Sequence[str], **options: Any) -> None:
        super().__init__(fun, **options)
        self.names = _names(fun) or tuple(rules)
        unknown = [name for name in rules if name not in self.names]
        if unknown:
            what = f"{self.name} has no argument {unknown[0]!r}"
            raise RuleError(word(what, way_out=f"Its arguments are {', '.join(self.names)}."))
        with contextlib.suppress(TypeError):  # a function of ctypes has no hash
            REPLACEMENTS[fun] = Hook(fun, self)

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        if len(results) != 1:
            raise RuleError(f"{self.name} returns several values: use custom_jvp")
        args = signature.arguments(primals)[: signature.shown]  # those that are given
        _, _, tangents = signature.as_in_rules(primals, dots)
        terms = list(self.terms(results[0], args, dict(zip(self.names, tangents, strict=False))))
        return [sum(terms[1:], terms[0]) if terms else None]

    def terms(self, y: Any, args: Any, dots: Mapping[str, Any]) -> Iterator[Any]:
        """What the tangent is the sum of."""
        raise NotImplementedError


class primitive(_Ruled):  # noqa: N801  a decorator
    """A function of arrays with a rule for each argument by name; the others are constant.

    `jvp` has `lambda y, *args, x_dot: ...`, the tangent that x contributes, linear in x_dot, and
    `transpose`, for arguments that the function is linear in, `lambda y_bar, *args: ...`, the
    transposed map. The options are those of `custom_jvp`.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        jvp: Mapping[str, Callable[..., Any]] | None = None,
        transpose: Mapping[str, Callable[..., Any]] | None = None,
        **options: Any,
    ) -> None:
        self._jvp, self._transpose = dict(jvp or {}), dict(transpose or {})
        super().__init__(fun, [*self._jvp, *self._transpose], **options)
        self._untried = set(self._transpose) if self.unchecked else set()

    def rule(self, signature: Signature, operand: int, path: Any) -> Rule:
        name = dict(enumerate(self.names)).get(signature.number(operand))
        if name not in self._transpose or not signature.types[operand].inexact:
            return super().rule(signature, operand, path)

        def adjoint(each: Node, y_bar: Node) -> list[Node | None]:
            args = signature.arguments(list(map(traced, each.args)))[: signature.shown]

            def bar_of(y_bar: Node) -> Node | None:
                bar = read(self._transpose[name], traced(y_bar), *args)
                return fitted(bar, signature.types[operand], self.name)

            if name in self._untried:
                self._untried.remove(name)
                signature.compare_transpose(operand, each.args, bar_of)
            found: list[Node | None] = [None] * len(each.args)
            found[operand] = bar_of(y_bar)
            return found

        return Cotangents(adjoint)

    def terms(self, y: Any, args: Any, dots: Mapping[str, Any]) -> Iterator[Any]:
        for name, rule in self._jvp.items():
            if dots.get(name) is not None:
                yield read(rule, y, *args, dots[name])


class elementwise(_Ruled):  # noqa: N801  a decorator
    """A function that computes element by element, with its partial derivatives by argument.

    `partials` has `lambda y, *args: ...` for each argument it is differentiated in, or a number.
    Arguments broadcast. The options are those of `custom_jvp`.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        partials: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._partials = dict(partials or {})
        super().__init__(fun, list(self._partials), **options)

    def terms(self, y: Any, args: Any, dots: Mapping[str, Any]) -> Iterator[Any]:
        for name, partial in self._partials.items():
            if dots.get(name) is not None:
                factor = read(partial, y, *args) if callable(partial) else partial
                yield call(np.multiply, dots[name], factor)

    def batched(
        self, signature: Signature, index: int, args: Sequence[Any], batched: Sequence[bool]
    ) -> Any:
        """The same call, with the leading axis in front of all others."""
        if self.batch is not None:
            return super().batched(signature, index, args, batched)
        ndim = max(type.ndim for type in signature.types)
        aligned = []
        for arg, has, type in zip(args, batched, signature.types, strict=True):
            missing = (1,) * (ndim - type.ndim)
            aligned.append(np.reshape(arg, (-1, *missing, *type.shape)) if has and missing else arg)
        size = next(np.shape(arg)[0] for arg, has in zip(args, batched, strict=True) if has)
        found = signature.like([lift(arg).type for arg in aligned], size)
        return found.results[index](*aligned)
