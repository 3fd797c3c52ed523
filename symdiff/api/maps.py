"""vmap and what is built on it: jacobian (jacfwd, jacrev) and hessian.

Each is a NumPy function of traced values, compiled like any other: its derivatives and batches
are inlined into the trace of that function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np

from symdiff.api.gradients import checked_callable, grad
from symdiff.api.halves import Halves
from symdiff.api.leaves import known_leaf_of
from symdiff.api.results import result_tree
from symdiff.api.transformed import Transformed, keep_apart, place, until_simplified
from symdiff.batch import batch
from symdiff.errors import NoForwardModeError, NotDifferentiableError, ShapeError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import Parameters, function_name, parameters_of
from symdiff.frontend.pytree import Layout, Static, flatten, layout_of, tree_text, unflatten
from symdiff.frontend.replacements import RandomStandIn
from symdiff.frontend.trace import UNKNOWN, Leaf
from symdiff.frontend.tracer import call, lift
from symdiff.ir.node import count
from symdiff.pipeline import JVP, VJP, Request


def vmap(
    fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0
) -> Transformed:
    """The function mapped over an axis of its arguments, as one batched program without a loop.

    `in_axes` is an axis for all arguments, or one for each: an int, or None for an argument that
    is the same for all, or a tree of them like the argument. Keyword arguments are mapped over
    axis 0, and what is left at its default is not mapped. `out_axes` is where the mapped axis goes
    in the results: an int, None for a result that is the same for all, or a tuple or dict of them
    like the result.

    Raises ShapeError where the axes have different lengths, or there is none.
    """
    mapped = partial(_mapped, checked_callable(fun), in_axes, out_axes)
    signature = parameters_of(fun).signature
    marked = [
        each if each.default is each.empty else each.replace(default=_Default(each.default))
        for each in signature.parameters.values()
    ]
    parameters = Parameters(signature.replace(parameters=marked))
    return Transformed(mapped, suffix="vmap", parameters=parameters, name=function_name(fun))


def _compiled(body: Callable[..., Any], fun: Callable[..., Any], suffix: str) -> Transformed:
    """A transformation written as a function of traced values, with the signature of `fun`."""
    return Transformed(
        body, suffix=suffix, parameters=parameters_of(fun), name=function_name(fun)
    )


class _Default:
    """In the place of an argument that is left at its default."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


def _mapped(fun: Callable[..., Any], in_axes: Any, out_axes: Any, *args: Any, **kwargs: Any) -> Any:
    parameters = parameters_of(fun)
    axes = iter(_axes_of(in_axes, sum(not isinstance(arg, _Default) for arg in args)))
    marked = parameters.bind(
        tuple(arg if isinstance(arg, _Default) else _mark(arg, next(axes)) for arg in args),
        {
            name: value if isinstance(value, _Default) else _mark(value, 0)
            for name, value in kwargs.items()
        },
    )
    parameters, marked = _passed(parameters, marked)
    leaves, spec = flatten(marked)
    rows = [leaf.front() if isinstance(leaf, _Mapped) else leaf for leaf in leaves]
    size = _size([row for row, leaf in zip(rows, leaves, strict=True) if isinstance(leaf, _Mapped)])
    request = Request(
        function=fun,
        parameters=parameters,
        leaves=tuple(
            _row_leaf(row) if isinstance(leaf, _Mapped) else known_leaf_of(row)
            for row, leaf in zip(rows, leaves, strict=True)
        ),
        spec=spec,
        name=function_name(fun),
    )
    given = [
        UNKNOWN if isinstance(leaf, _Mapped) else row
        for row, leaf in zip(rows, leaves, strict=True)
    ]
    since = count()
    work = until_simplified(request, given)
    keep_apart(work, rows)
    assert work.traced is not None and work.graph is not None
    batched = [
        each
        for each, leaf in zip(work.traced.inputs, leaves, strict=True)
        if each is not None and isinstance(leaf, _Mapped)
    ]
    primal = set(work.primal)
    graph = batch(work.graph, batched, size, primal, since)
    values = [row for row, each in zip(rows, work.traced.inputs, strict=True) if each is not None]
    layout = layout_of(result_tree(work.traced, range(len(graph.outputs))))
    pairs = zip(graph.outputs, work.graph.outputs, strict=True)
    varying = [each.type.ndim > one.type.ndim for each, one in pairs]
    results = place(graph, work.arrays, values, layout, primal)
    return _arranged(results, layout, varying, size, out_axes)


def _passed(
    parameters: Parameters, values: tuple[Any, ...]
) -> tuple[Parameters, tuple[Any, ...]]:
    """Without the arguments that are left at their defaults; those behind one go by name."""
    kept: list[tuple[inspect.Parameter, Any]] = []
    gap = False
    for each, value in zip(parameters.signature.parameters.values(), values, strict=True):
        if isinstance(value, _Default):
            gap = True
        elif not gap or each.kind is each.VAR_KEYWORD:
            kept.append((each, value))
        elif each.kind is not each.VAR_POSITIONAL:  # there it is empty
            kept.append((each.replace(kind=each.KEYWORD_ONLY), value))
    signature = parameters.signature.replace(parameters=[each for each, _ in kept])
    return Parameters(signature), tuple(value for _, value in kept)


class _Mapped:
    """A leaf that is mapped over an axis."""

    def __init__(self, value: Any, axis: int) -> None:
        self.value = value
        self.axis = axis

    def front(self) -> Any:
        """The value with the mapped axis in front."""
        if not -np.ndim(self.value) <= self.axis < np.ndim(self.value):
            raise ShapeError(
                word(
                    f"vmap: a value of shape {np.shape(self.value)} has no axis {self.axis}",
                    way_out="Give in_axes=None for what is the same in all calls.",
                )
            )
        return np.moveaxis(self.value, self.axis, 0) if self.axis else self.value


def _axes_of(in_axes: Any, count: int) -> tuple[Any, ...]:
    if in_axes is None or _is_axis(in_axes):
        return (in_axes,) * count
    if not isinstance(in_axes, (tuple, list)):
        raise TypeError(f"vmap: in_axes is an int, None or a tuple of them, not {in_axes!r}")
    if len(in_axes) != count:
        raise TypeError(f"vmap: {len(in_axes)} in_axes for {count} arguments")
    return tuple(in_axes)


def _mark(value: Any, axis: Any) -> Any:
    """The tree with its leaves marked; `axis` is one for all, or a tree of its own."""
    leaves, spec = flatten(value)
    axes = [axis] * len(leaves)
    if not (axis is None or _is_axis(axis)):
        axes, axes_spec = flatten(axis)
        if not all(each is None or _is_axis(each) for each in axes):
            raise TypeError(f"vmap: an axis is an int or None, not {axis!r}")
        if axes_spec != spec:
            raise TypeError(
                f"vmap: in_axes has the tree {tree_text(axes_spec)}, the argument {tree_text(spec)}"
            )
    return unflatten(
        spec,
        [
            leaf if each is None or issubclass(type(leaf), RandomStandIn) else _Mapped(leaf, each)
            for leaf, each in zip(leaves, axes, strict=True)
        ],
    )


def _size(rows: Sequence[Any]) -> int:
    sizes = sorted({int(np.shape(row)[0]) for row in rows})
    if len(sizes) != 1:
        what = f"axes of lengths {', '.join(map(str, sizes))}" if sizes else "nothing to map over"
        raise ShapeError(word(f"vmap: {what}", way_out="Map over axes of one length (in_axes)."))
    return sizes[0]


def _row_leaf(value: Any) -> Leaf:
    type = lift(value).type
    return Leaf(type.with_shape(type.shape[1:]), is_array=False)


def _arranged(
    result: Any, layout: Layout, varying: Sequence[bool], size: int, out_axes: Any
) -> Any:
    """The result with the mapped axis where it is wanted; `varying` are outputs that have it."""
    leaves, spec = flatten(result)
    axes, _ = flatten(_spread(out_axes, result))
    moved = [
        leaf if isinstance(output, Static) else _to_axis(leaf, axis, size, varying[output])
        for leaf, output, axis in zip(leaves, layout.leaves, axes, strict=True)
    ]
    return unflatten(spec, moved)


def _spread(axes: Any, result: Any) -> Any:
    """The tree of the result with an axis, or None, for each leaf."""
    if axes is None or _is_axis(axes):
        leaves, spec = flatten(result)
        return unflatten(spec, [axes] * len(leaves))
    if isinstance(axes, dict) and isinstance(result, dict) and axes.keys() == result.keys():
        return {key: _spread(axes[key], part) for key, part in result.items()}
    pairs = isinstance(axes, (tuple, list)) and isinstance(result, (tuple, list))
    if not pairs or len(axes) != len(result):
        raise TypeError(f"vmap: out_axes={axes!r} does not fit a result of {_tree(result)}")
    parts = [_spread(axis, part) for axis, part in zip(axes, result, strict=True)]
    return result._make(parts) if hasattr(result, "_make") else type(result)(parts)


def _to_axis(leaf: Any, axis: int | None, size: int, varies: bool) -> Any:
    """A result with the mapped axis where it is wanted: in front it is if the result `varies`."""
    if axis is None:
        if varies:
            raise ShapeError(
                word(
                    "vmap: out_axes=None for a result that depends on what is mapped",
                    way_out="Give the place of the mapped axis in it, or reduce over that axis.",
                )
            )
        return leaf
    rows: Any = leaf if varies else call(np.broadcast_to, leaf, (size, *leaf.shape))
    if not -rows.ndim <= axis < rows.ndim:
        raise ShapeError(word(f"vmap: out_axes={axis} for a result of shape {rows.shape}"))
    return call(np.moveaxis, rows, 0, axis) if axis else rows


def _is_axis(axis: Any) -> bool:
    return isinstance(axis, (int, np.integer)) and not isinstance(axis, bool)


def _tree(result: Any) -> str:
    return f"tree {tree_text(flatten(result)[1])}"


# ---------------------------------------------------------------------------- jacobians


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Transformed:
    """The Jacobian by reverse mode: for each result and argument an array [*result, *argument].

    A complex function of complex numbers is taken to be holomorphic.

    Raises NotDifferentiableError for a complex result in a real argument.
    """
    return _compiled(
        partial(_reverse, _halves(fun, VJP, argnums, argnames, has_aux)), fun, "jacobian"
    )


def jacfwd(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Transformed:
    """The Jacobian by forward mode: for each result and argument an array [*result, *argument].

    A complex function of complex numbers is taken to be holomorphic.

    Raises NotDifferentiableError for a real result in a complex argument.
    """
    return _compiled(
        partial(_forward, _halves(fun, JVP, argnums, argnames, has_aux)), fun, "jacobian"
    )


def jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Transformed:
    """The Jacobian, by reverse mode where there are fewer results than arguments, else forward."""
    forward = _halves(fun, JVP, argnums, argnames, has_aux)
    reverse = _halves(fun, VJP, argnums, argnames, has_aux)
    return _compiled(partial(_cheaper, forward, reverse), fun, "jacobian")


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Transformed:
    """The Hessian of a scalar function, forward over reverse: arrays [*argument, *argument].

    With `has_aux` the function returns (value, aux) and the result is (hessian, aux).
    """
    gradient = grad(fun, argnums, has_aux, argnames=argnames)
    forward = _halves(gradient, JVP, argnums, argnames, has_aux)
    reverse = _halves(gradient, VJP, argnums, argnames, has_aux)
    return _compiled(partial(_forward_if_possible, forward, reverse), fun, "hessian")


def _halves(
    fun: Callable[..., Any], mode: str, argnums: Any, argnames: Any, has_aux: bool
) -> Halves:
    made = Halves(
        checked_callable(fun), mode=mode, argnums=argnums, argnames=argnames, has_aux=has_aux
    )
    assert isinstance(made, Halves)
    return made


def _cheaper(forward: Halves, reverse: Halves, *args: Any, **kwargs: Any) -> Any:
    with context.tried():
        y, _ = reverse(*args, **kwargs)
    results = flatten(y[0] if reverse.has_aux else y)[0]
    arguments = _leaves(reverse.selected_parts(*args, **kwargs))
    backward = sum(map(np.size, results)) < sum(map(np.size, arguments))
    if _lose_half(results, arguments) or _lose_half(arguments, results):
        backward = _lose_half(arguments, results)
    if backward:
        return _reverse(reverse, *args, **kwargs)
    return _forward_if_possible(forward, reverse, *args, **kwargs)


def _forward_if_possible(forward: Halves, reverse: Halves, *args: Any, **kwargs: Any) -> Any:
    """By forward mode, but where a function in it has a rule for reverse mode only."""
    running = context.current()
    assert running is not None
    happened = running.effect, running.output
    try:
        return _forward(forward, *args, **kwargs)
    except NoForwardModeError:
        running.effect, running.output = happened
        return _reverse(reverse, *args, **kwargs)


def _leaves(parts: Sequence[tuple[list[Any], Any]]) -> list[Any]:
    return [leaf for leaves, _ in parts for leaf in leaves]


def _lose_half(units: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether real leaves of `others` show only the real half of what belongs to complex units."""
    return any(map(np.iscomplexobj, units)) and not all(map(np.iscomplexobj, others))


def _refuse_half(halves: Halves, what: str, other: str) -> NoReturn:
    raise NotDifferentiableError(
        word(f"{halves.name}: {what} shows half of it only", way_out=f"Use symdiff.{other}.")
    )


def _basis(leaf: Any) -> Any:
    """The unit arrays of the shape of a leaf: [size, *shape]."""
    size = int(np.size(leaf))
    return np.reshape(np.eye(size, dtype=leaf.dtype), (size, *np.shape(leaf)))


def _unit_trees(leaves: Sequence[Any], index: int) -> list[Any]:
    """Directions along each element of one leaf, and zero along the others."""
    size = int(np.size(leaves[index]))
    return [
        _basis(leaf) if i == index else np.zeros((size, *np.shape(leaf)), leaf.dtype)
        for i, leaf in enumerate(leaves)
    ]


def _reverse(halves: Halves, *args: Any, **kwargs: Any) -> Any:
    y, pullback = halves(*args, **kwargs)
    value, aux = y if halves.has_aux else (y, None)
    leaves, spec = flatten(value)
    if _lose_half(leaves, _leaves(halves.selected_parts(*args, **kwargs))):
        _refuse_half(halves, "jacrev of a complex result in a real argument", "jacfwd")
    rows = []
    for i, leaf in enumerate(leaves):
        units = unflatten(spec, _unit_trees(leaves, i))
        bars, bars_spec = flatten(_mapped(pullback, 0, 0, units))
        blocks = [np.reshape(bar, (*np.shape(leaf), *np.shape(bar)[1:])) for bar in bars]
        row = unflatten(bars_spec, blocks)
        rows.append(row[0] if halves.single else row)
    result = unflatten(spec, rows)
    return (result, aux) if halves.has_aux else result


def _forward(halves: Halves, *args: Any, **kwargs: Any) -> Any:
    y, push = halves(*args, **kwargs)
    value, aux = y if halves.has_aux else (y, None)
    parts = halves.selected_parts(*args, **kwargs)
    blocks: list[list[Any]] = [[] for _ in flatten(value)[0]]
    wrt = _leaves(parts)
    if _lose_half(wrt, flatten(value)[0]):
        _refuse_half(halves, "jacfwd of a real result in a complex argument", "jacrev")
    for i, leaf in enumerate(wrt):
        dots = _mapped(push, 0, -1, *_trees(parts, _unit_trees(wrt, i)))
        for row, dot in zip(blocks, flatten(dots)[0], strict=True):
            row.append(np.reshape(dot, (*np.shape(dot)[:-1], *np.shape(leaf))))
    spec = flatten(value)[1]
    result = unflatten(spec, [_regroup(halves, parts, row) for row in blocks])
    return (result, aux) if halves.has_aux else result


def _regroup(halves: Halves, parts: Any, row: Sequence[Any]) -> Any:
    """The blocks of one result, in the trees of the selected arguments."""
    trees = _trees(parts, row)
    return trees[0] if halves.single else trees


def _trees(parts: Any, row: Sequence[Any]) -> tuple[Any, ...]:
    """One value for each leaf, in the trees of the selected arguments."""
    found = iter(row)
    return tuple(unflatten(spec, [next(found) for _ in leaves]) for leaves, spec in parts)


