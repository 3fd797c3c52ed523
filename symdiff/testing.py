"""Checks of derivatives: against differences, and of reverse mode against forward mode.

`check_grads` is for functions, and checks what users call; `check_derivatives` is for graphs, so
that a primitive, a program or a derivative of one is checked alike.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symdiff.api.halves import Halves
from symdiff.api.maps import vmap
from symdiff.api.products import arguments_of, beside
from symdiff.api.transformed import Transformed
from symdiff.autodiff.linearize import Linearized, linearize, zeros
from symdiff.autodiff.transpose import transpose
from symdiff.errors import NotDifferentiableError
from symdiff.frontend.parameters import Parameters, function_name
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.ir import Graph, Node, input_node
from symdiff.ir.types import is_generator, type_of
from symdiff.ir.verify import verify
from symdiff.ops.evaluate import evaluate
from symdiff.pipeline import JVP, VJP

Array = np.ndarray[Any, np.dtype[Any]]

STEP = 1e-3  # of differences of fourth order: truncation and rounding are both near 1e-12


def check_derivatives(
    graph: Graph,
    values: Sequence[Array],
    order: int = 2,
    *,
    rtol: float = 1e-7,
    atol: float = 1e-8,
) -> None:
    """Raises AssertionError unless the derivatives of the inexact outputs are right at `values`.

    Tangents must equal differences, and cotangents be their adjoint; up to `order`, the graphs of
    both are then checked in the same way.
    """
    graph = graph.with_outputs(each for each in graph.outputs if each.type.inexact)
    rng = np.random.default_rng(len(values))
    forward, backward = tangent_graph(graph), cotangent_graph(graph)
    dots = directions(values, rng)
    y_dots = run(forward, [*values, *inexact(dots)])
    for actual, expected in zip(y_dots, differences(graph, values, dots), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
    y_bars = directions(y_dots, rng)
    x_bars = run(backward, [*values, *y_bars])
    left, right = pairing(y_bars, y_dots), pairing(x_bars, inexact(dots))
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)
    if order > 1:
        options = {"rtol": rtol, "atol": atol}
        check_derivatives(forward, [*values, *inexact(dots)], order - 1, **options)
        check_derivatives(backward, [*values, *y_bars], order - 1, **options)


def run(graph: Graph, values: Sequence[Array]) -> list[Array]:
    """The outputs of the graph, by each primitive's reference function."""
    with np.errstate(all="ignore"):
        outputs = evaluate(graph.outputs, dict(zip(graph.inputs, values, strict=True)))
    return [np.asarray(each) for each in outputs]


def inexact(values: Sequence[Array]) -> list[Array]:
    """The values that can carry a derivative."""
    return [each for each in values if each.dtype.kind in "fc"]


def directions(values: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """Random arrays like the values; integers and booleans have no direction, and stay."""
    out = []
    for each in values:
        direction: Array = np.asarray(rng.uniform(-1, 1, each.shape))
        if each.dtype.kind == "c":
            direction = direction + 1j * rng.uniform(-1, 1, each.shape)
        out.append(direction.astype(each.dtype) if each.dtype.kind in "fc" else each)
    return out


def differences(graph: Graph, values: Sequence[Array], dots: Sequence[Array]) -> list[Array]:
    """The derivative of the outputs along `dots`, by central differences."""

    def at(steps: int) -> list[Array]:
        moved = [
            np.asarray(value + steps * STEP * dot) if value.dtype.kind in "fc" else value
            for value, dot in zip(values, dots, strict=True)
        ]
        return run(graph, moved)

    near = [after - before for before, after in zip(at(-1), at(1), strict=True)]
    far = [after - before for before, after in zip(at(-2), at(2), strict=True)]
    return [(8 * a - b) / (12 * STEP) for a, b in zip(near, far, strict=True)]


def pairing(bars: Sequence[Array], dots: Sequence[Array]) -> float:
    """The sum of all products, without conjugation: its real part is what transposing keeps."""
    return sum(float(np.real(np.sum(a * b))) for a, b in zip(bars, dots, strict=True))


def tangent_graph(graph: Graph) -> Graph:
    """The graph of tangents of the outputs, with one more input for each inexact one."""
    made = _linearized(graph).graph
    verify(made)
    return made


def cotangent_graph(graph: Graph) -> Graph:
    """The graph of cotangents of the inexact inputs, with one more input for each output."""
    linear = _linearized(graph)
    bars = [input_node(f"y{i}_bar", each.type) for i, each in enumerate(graph.outputs)]
    live: list[Node] = [each for each in linear.outputs if each is not None]
    seeds = [bar for bar, each in zip(bars, linear.outputs, strict=True) if each is not None]
    found = transpose(live, linear.tangents, seeds, graph.notes, linear.origins)
    outputs = [bar or zeros(x) for bar, x in zip(found, linear.wrt, strict=True)]
    made = Graph(graph.name, (*graph.inputs, *bars), tuple(outputs))
    verify(made)
    for x, x_bar in zip(linear.wrt, outputs, strict=True):
        assert x.type == x_bar.type, f"the cotangent of {x.name}, {x.type}, is {x_bar.type}"
    return made


def _linearized(graph: Graph) -> Linearized:
    return linearize(graph, [each for each in graph.inputs if each.type.inexact])


# ---------------------------------------------------------------------------- functions


@dataclass(frozen=True, slots=True)
class Comparison:
    """A derivative with respect to one argument, compared: `error` is relative to 1 + |value|."""

    argument: str
    type: str
    check: str  # "fwd", "rev", "fwd=rev", and of derivatives "fwd of rev"
    error: float
    ok: bool


@dataclass(frozen=True, slots=True)
class _Options:
    modes: Collection[str]
    eps: float
    atol: float
    rtol: float
    rounding: float  # for what should agree but for rounding


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Collection[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Raises AssertionError unless the derivatives of `f` at `args` are those of differences.

    Along a random direction of each argument of floats, the tangent ("fwd") and the cotangent
    ("rev") must agree with differences of step `eps`, and with each other to rounding; up to
    `order`, the tangents and cotangents are then differentiated and checked in the same way.

    >>> check_grads(lambda x: np.sum(np.sin(x)), (np.ones(3),))
    """
    rows = compare_grads(f, args, order=order, modes=modes, atol=atol, rtol=rtol, eps=eps)
    if not all(row.ok for row in rows):
        table = comparison_table(rows)
        raise AssertionError(f"the derivatives of {function_name(f)} are not right (!)\n{table}")


def check_primitive(function: Callable[..., Any], *args: Any, order: int = 2) -> None:
    """Raises AssertionError unless a function with rules of its own is right at these arguments.

    Its value must be that of the function, compiled and called for each row of a batch; its
    derivatives are checked as by `check_grads`, of `custom_vjp` in reverse mode.

    >>> from symdiff import elementwise
    >>> cube = elementwise(lambda x: x**3, partials={"x": lambda y, x: 3 * x**2})
    >>> check_primitive(cube, np.linspace(-1, 1, 5))
    """
    value = function(*args)
    _compare_values(Transformed(function)(*args), value, f"{function_name(function)}, compiled")
    rows = _map(lambda leaf: np.stack([leaf] * 3) if _is_inexact(leaf) else leaf, args)
    axes = _map(lambda leaf: 0 if _is_inexact(leaf) else None, args)
    _compare_values(
        vmap(function, in_axes=axes)(*rows),
        _map(lambda leaf: np.stack([leaf] * 3), value),
        f"{function_name(function)}, of a batch",
    )
    modes = ("rev",) if getattr(function, "reverse", False) else ("fwd", "rev")
    check_grads(function, args, order, modes)


def _compare_values(made: Any, expected: Any, what: str) -> None:
    for one, other in zip(flatten(made)[0], flatten(expected)[0], strict=True):
        np.testing.assert_array_equal(one, other, err_msg=what)


def compare_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    argnames: Collection[str] = (),
    order: int = 2,
    modes: Collection[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> list[Comparison]:
    """What `check_grads` compares: for each argument, or those of `argnames`, some rows.

    Raises NotDifferentiableError if there is no such argument, and FloatingPointError if the
    result is not finite.
    """
    function = functools.partial(f, **kwargs) if kwargs else f
    parameters = arguments_of(function, len(args))
    wrt = [
        i
        for i, each in enumerate(parameters)
        if (each.name in argnames if argnames else _carries(args[i]))
    ]
    if not wrt:
        raise NotDifferentiableError(f"{function_name(f)} has no argument of floats to check")
    results = flatten(function(*_with_own_draws(tuple(args))))[0]
    if not any(map(_is_inexact, results)):
        raise NotDifferentiableError(f"the result of {function_name(f)} has no floats to check")
    if not all(np.all(np.isfinite(each)) for each in results if _is_inexact(each)):
        raise FloatingPointError(f"{function_name(f)} is not finite at this point")
    floats = [leaf for i in wrt for leaf in flatten(args[i])[0]]
    precision = max(float(np.finfo(np.result_type(leaf)).eps) for leaf in floats)
    tolerance = precision**0.4
    options = _Options(
        modes,
        eps or precision**0.2,  # least error of differences of fourth order
        tolerance if atol is None else atol,
        tolerance if rtol is None else rtol,
        precision**0.7,
    )
    with np.errstate(all="ignore"):
        return _Point(function, parameters, tuple(args), wrt, options).compare(order)


class _Point:
    """A function at a point, with its derivatives there; `of` says which derivative it is."""

    def __init__(
        self,
        function: Callable[..., Any],
        parameters: list[inspect.Parameter],
        args: tuple[Any, ...],
        wrt: list[int],
        options: _Options,
        of: str = "",
    ) -> None:
        self.function, self.parameters, self.args = function, parameters, args
        self.wrt, self.options, self.of = wrt, options, of
        rng = np.random.default_rng(len(args))
        self.dots = [_random_like(args[i], rng) for i in wrt]
        self.y_bar = _random_like(function(*_with_own_draws(args)), rng)
        self.dotted = [*parameters, *beside(parameters, [parameters[i] for i in wrt], "dot")]
        self.barred = [*parameters, *beside(parameters, parameters[:1], "y_bar")]
        self._forward = Transformed(
            function, mode=JVP, argnums=wrt, tangents=len(wrt), parameters=_signature(self.dotted)
        )
        self._backward = Halves(
            function, mode=VJP, argnums=wrt, parameters=_signature(parameters)
        )

    def tangent(self, *values: Any) -> Any:
        """Of the arguments and their tangents."""
        return self._forward(*_with_own_draws(values))[1]

    def cotangents(self, *values: Any) -> Any:
        """Of the arguments and the cotangent of the result."""
        return self._backward(*_with_own_draws(values[:-1]))[1](values[-1])

    def compare(self, order: int) -> list[Comparison]:
        """The rows of this function, and of its derivatives up to the order."""
        bars = self.cotangents(*self.args, self.y_bar)
        rows = [row for k, bar in enumerate(bars) for row in self._rows(k, bar)]
        if order > 1:
            rows += [row for point in self._derivatives() for row in point.compare(order - 1)]
        return rows

    def _derivatives(self) -> Iterator[_Point]:
        modes, common = self.options.modes, (self.wrt, self.options)
        if "fwd" in modes:
            args = (*self.args, *self.dots)
            yield _Point(self.tangent, self.dotted, args, *common, f" of fwd{self.of}")
        if "rev" in modes:
            args = (*self.args, self.y_bar)
            yield _Point(self.cotangents, self.barred, args, *common, f" of rev{self.of}")

    def _rows(self, which: int, bar: Any) -> Iterator[Comparison]:
        """The comparisons along a direction of one argument, whose cotangent is `bar`."""
        index, dot, options = self.wrt[which], self.dots[which], self.options
        along = [
            dot if i == index else _map(lambda leaf: leaf * 0, self.args[i]) for i in self.wrt
        ]
        expected = _differences(self.function, self.args, index, dot, options.eps)
        loose, tight = (options.atol, options.rtol), (options.rounding, options.rounding)
        found = {"rev": (_pairing_errors(bar, dot, self.y_bar, expected), loose)}
        if "fwd" in options.modes:  # a custom_vjp rule has none
            y_dot = self.tangent(*self.args, *along)
            found = {"fwd": (_errors(y_dot, expected), loose), **found}
            found["fwd=rev"] = _pairing_errors(bar, dot, self.y_bar, y_dot), tight
        name, type = self.parameters[index].name, _types(self.args[index])
        for check, ((error, scale), (atol, rtol)) in found.items():
            if set(check.split("=")) <= set(options.modes):
                ok = bool(np.all(error <= atol + rtol * scale))
                largest = float(np.max(error / (1 + scale), initial=0))
                yield Comparison(name, type, f"{check}{self.of}", largest, ok)


def _signature(parameters: list[inspect.Parameter]) -> Parameters:
    return Parameters(inspect.Signature(parameters))


def _with_own_draws(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments in which random generators are copies: each call draws the same numbers."""
    leaves, spec = flatten(args)
    own = [copy.deepcopy(leaf) if is_generator(leaf) else leaf for leaf in leaves]
    made: tuple[Any, ...] = unflatten(spec, own)
    return made


def _is_inexact(leaf: Any) -> bool:
    if isinstance(leaf, (np.ndarray, np.generic)):
        return leaf.dtype.kind in "fc"
    return isinstance(leaf, (float, complex))


def _carries(arg: Any) -> bool:
    """Whether all of an argument can carry a derivative."""
    leaves = flatten(arg)[0]
    return bool(leaves) and all(map(_is_inexact, leaves))


def _types(arg: Any) -> str:
    return " ".join(dict.fromkeys(str(type_of(leaf)) for leaf in flatten(arg)[0]))


def _map(function: Callable[..., Any], *trees: Any) -> Any:
    leaves = [flatten(tree)[0] for tree in trees]
    return unflatten(flatten(trees[0])[1], map(function, *leaves))


def _random_like(tree: Any, rng: np.random.Generator) -> Any:
    """A direction: random where a derivative can be, what stands there otherwise."""
    return _map(lambda leaf: _direction(leaf, rng) if _is_inexact(leaf) else leaf, tree)


def _direction(leaf: Any, rng: np.random.Generator) -> Any:
    (made,) = directions([np.asarray(leaf)], rng)
    return made if isinstance(leaf, np.ndarray) else type(leaf)(made)


def _differences(
    function: Callable[..., Any], args: tuple[Any, ...], index: int, dot: Any, eps: float
) -> Any:
    """The derivative along `dot` of one argument, by central differences of fourth order."""

    def at(steps: int) -> Any:
        moved = _map(lambda leaf, dot: leaf + eps * steps * dot, args[index], dot)
        return function(*_with_own_draws((*args[:index], moved, *args[index + 1 :])))

    weights = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    values = [at(steps) for steps in weights]

    def combined(*leaves: Any) -> Any:
        if not _is_inexact(leaves[0]):
            return leaves[0]
        return sum(w * leaf for w, leaf in zip(weights.values(), leaves, strict=True)) / eps

    return _map(combined, *values)


def _inexact_leaves(tree: Any, like: Any) -> list[Array]:
    """The leaves of a tangent or cotangent where `like` is a float."""
    pairs = zip(flatten(tree)[0], flatten(like)[0], strict=True)
    return [np.asarray(leaf) for leaf, each in pairs if _is_inexact(each)]


def _errors(actual: Any, expected: Any) -> tuple[Array, Array]:
    """How far apart two trees are, and how large the second one is."""
    actual, expected = _inexact_leaves(actual, expected), _inexact_leaves(expected, expected)
    pairs = list(zip(actual, expected, strict=True))
    if not pairs:
        return np.zeros(0), np.zeros(0)
    error = np.concatenate([np.ravel(np.abs(a - b)) for a, b in pairs])
    return error, np.concatenate([np.ravel(np.abs(b)) for _, b in pairs])


def _pairing_errors(bar: Any, dot: Any, y_bar: Any, y_dot: Any) -> tuple[Array, Array]:
    """How far <bar, dot> and <y_bar, y_dot> are apart, and how large what they sum is."""
    right_bars, right_dots = _inexact_leaves(y_bar, y_bar), _inexact_leaves(y_dot, y_bar)
    left = pairing(_inexact_leaves(bar, dot), _inexact_leaves(dot, dot))
    right = pairing(right_bars, right_dots)
    scale = pairing([np.abs(each) for each in right_bars], [np.abs(each) for each in right_dots])
    return np.array([abs(left - right)]), np.array([scale])


def comparison_table(rows: Sequence[Comparison]) -> str:
    """A line for each argument, a column for each check; what is wrong is marked."""
    arguments = dict.fromkeys((row.argument, row.type) for row in rows)
    checks = list(dict.fromkeys(row.check for row in rows))
    errors = {
        (row.argument, row.check): f"{row.error:.1e}{'' if row.ok else ' !'}" for row in rows
    }
    lines = [["argument", "type", *checks]]
    for argument, type_ in arguments:
        lines.append([argument, type_, *(errors.get((argument, check), "") for check in checks)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
