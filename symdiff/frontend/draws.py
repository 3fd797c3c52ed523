"""What stands for a random generator: its draws are effects of the trace, made anew at each call.

A draw with parameters that are traced is made of one without, as NumPy's own are, where it is just
shifted and scaled: so it has derivatives with respect to them, and the same bits.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context, guards
from symdiff.frontend.captured import Path
from symdiff.frontend.replacements import RandomStandIn, sizes
from symdiff.frontend.rules import template
from symdiff.frontend.tracer import (
    Tracer,
    as_array,
    call,
    coerce,
    holds_tracer,
    lift,
    refuse_plain,
    user_call,
    where,
)
from symdiff.ir.graph import Note
from symdiff.ir.node import Const, Input, Node, count, node
from symdiff.ir.types import ObjectType, array_type, type_of
from symdiff.ops import draws
from symdiff.ops import elementwise as e
from symdiff.ops.evaluate import full

if TYPE_CHECKING:
    from symdiff.frontend.interpose import Interposer


class RandomSource(RandomStandIn):
    """A random generator during a trace."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def node(self) -> Node:
        """What it is in the graph."""
        return self._node

    @property
    def kind(self) -> type:
        """Its class."""
        assert isinstance(self.node.type, ObjectType)
        return self.node.type.kind

    @property
    def __class__(self) -> type:
        return self.kind

    @__class__.setter
    def __class__(self, cls: type) -> None:
        raise TypeError("the class of a value does not change")

    def __getattr__(self, name: str) -> Any:
        if not callable(getattr(self.kind, name)) or name.startswith("_") or name in _REFUSED:
            _refuse(f"`.{name}` of a random generator is not traced", "Use it outside.")
        return functools.partial(_method, self, name)


_REFUSED = {"bytes", "get_state", "set_state", "spawn"}


class HiddenSource(RandomSource):
    """One that the function reached by itself: an input from its first draw on."""

    def __init__(self, array: Any, path: Path, interposer: Interposer) -> None:
        self.array = array
        self.path = path
        self.interposer = interposer

    @functools.cached_property
    def node(self) -> Input:
        return self.interposer.capture(self)


def shared_method(name: str) -> Callable[..., Any]:
    """A function of numpy.random, which draws from the generator that all share."""
    return functools.partial(_method, _SharedSource(), _ALIASES.get(name, name))


class _SharedSource(RandomSource):
    """That of all traces."""

    def __init__(self) -> None:
        pass

    @property
    def node(self) -> Node:
        return node(draws.shared, ())


_ALIASES = {"ranf": "random_sample", "sample": "random_sample"}


def made(maker: str, *args: Any, **kwargs: Any) -> Any:
    """A generator that the function makes: anew at each call."""
    given = [("", each) for each in args] + list(kwargs.items())
    if len(given) == 1 and issubclass(type(given[0][1]), RandomStandIn):
        return given[0][1]  # also for bits: nothing is done with them but that
    if maker == "Generator":
        _refuse("a generator is made of bits from outside", "Pass the generator itself.")
    given = [(name, each) for name, each in given if each is not None]
    values, operands, places = _arguments(given)
    for each in operands:
        if each.type.dtype.kind not in "iu":
            _refuse("the seed of a random generator is no whole number", "Seed with an int.")
    params = {"maker": maker, "given": values, "places": places, "number": count()}
    return RandomSource(node(draws.generator, operands, tuple(sorted(params.items()))))


def _running() -> context.Context:
    running = context.current()
    if running is None or running.effect is None:  # in the body of a loop
        _refuse(
            "random numbers are drawn where it is not known how often",
            "Draw before, and have the function read what was drawn.",
        )
    return running


def _refuse(what: str, way_out: str) -> NoReturn:
    context.refuse(TraceError(word(what, where=where(), way_out=way_out)))


# ---------------------------------------------------------------------------- a draw


def _method(source: RandomSource, name: str, *args: Any, **kwargs: Any) -> Any:
    """A call of a method of a generator."""
    own = _OWN.get(name, functools.partial(_distribution, name=name))
    return context.at_user_place(user_call, _called, (own, source, *args), kwargs)


def _called(own: Callable[..., Any], source: RandomSource, *args: Any, **kwargs: Any) -> Any:
    return own(source, *args, **kwargs)


def _distribution(source: RandomSource, *args: Any, name: str, **kwargs: Any) -> Any:
    """A draw from a distribution, which may be made of a draw from a standard one."""
    law = _LAWS.get(name)
    given = _given(source, name, args, kwargs)
    if law is not None and holds_tracer([given.get(each) for each in law.parameters]):
        return _composed(source, name, law, given)
    return _drawn(source, name, args, kwargs)


def _given(
    source: RandomSource, name: str, args: Sequence[Any], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by their names. Raises TypeError as the call would."""
    bound = _signature(source.kind, name).bind(None, *args, **kwargs)
    bound.apply_defaults()
    return {name: each for name, each in bound.arguments.items() if name != "self"}


@functools.cache
def _signature(kind: type, name: str) -> inspect.Signature:
    return inspect.signature(getattr(kind, name))


class Law(NamedTuple):
    """A distribution as another one, shifted and scaled."""

    standard: str
    parameters: tuple[str, ...]  # those that the standard one has not
    made: Callable[..., Any]  # of a standard draw and the parameters
    spread: Callable[..., Any] | None  # of the parameters: what must not be negative
    error: str = "scale < 0"
    kept: tuple[str, ...] = ()
    noise: str = "z"  # what the standard draw is called


def _around(z: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * z


def _scaled(z: Any, scale: Any) -> Any:
    return scale * z


def _only(scale: Any) -> Any:
    return scale


def _second(loc: Any, scale: Any) -> Any:
    return scale


_LOC_SCALE = ("loc", "scale")
_LAWS = {
    "normal": Law("standard_normal", _LOC_SCALE, _around, _second),
    "uniform": Law(
        "random",
        ("low", "high"),
        lambda u, low, high: low + (high - low) * u,
        lambda low, high: high - low,
        "high - low < 0",
        noise="u",
    ),
    "exponential": Law("standard_exponential", ("scale",), _scaled, _only),
    "rayleigh": Law("rayleigh", ("scale",), _scaled, _only),
    "gamma": Law("standard_gamma", ("scale",), _scaled, _only, kept=("shape",)),
    **{
        name: Law(name, _LOC_SCALE, _around, _second)
        for name in ("laplace", "gumbel", "logistic")
    },
    "multivariate_normal": Law(
        "multivariate_normal",
        ("mean",),
        lambda z, mean: z + mean,
        None,
        kept=("cov", "check_valid", "tol", "method"),
    ),
}


def _composed(source: RandomSource, name: str, law: Law, given: dict[str, Any]) -> Any:
    """A draw whose parameters may be differentiated."""
    parameters = [_doubles(given[each]) for each in law.parameters]
    if law.spread is not None and _is_negative(_formula(law.spread, parameters)):
        raise ValueError(law.error)
    own = {each: given[each] for each in law.kept if each in given}
    if law.standard == name and law.kept:  # of a mean that is zero
        args: list[Any] = [np.zeros(parameters[0].type.shape)]
        z = _drawn(source, name, args, {**own, "size": given["size"]})
    else:
        shapes = [each.type.shape for each in (*parameters, *map(_operand, own.values()))]
        size = _fitting(_size(given["size"]), np.broadcast_shapes(*shapes))
        z = _drawn(source, law.standard, list(own.values()), {"size": size}, law.noise)
    return Tracer(_formula(law.made, [z.node, *parameters]), is_array=z.is_array)


def _formula(rule: Callable[..., Any], operands: Sequence[Node]) -> Node:
    """What a rule makes of nodes, without names of the user's."""
    types = tuple([each.type for each in operands])
    return template(rule, types, (), "a draw").replay(list(operands))


def _fitting(size: tuple[int, ...] | None, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The size of a draw with parameters that broadcast to a shape."""
    if size is None:
        return shape or None
    fits = len(shape) <= len(size) and all(
        own in (1, extent) for own, extent in zip(shape[::-1], size[::-1], strict=False)
    )
    if not fits:
        raise ValueError(f"Output size {size} is not compatible with the parameters: {shape}")
    return size


def _doubles(value: Any) -> Node:
    """A parameter as NumPy takes it: an array of doubles, or a Python float."""
    found = _operand(value)
    if found.type.dtype.kind == "c":
        raise TypeError("the parameters of a distribution are real numbers")
    shape = found.type.shape
    return coerce(found, array_type(np.dtype(float), shape, weak=not shape))


def _is_negative(spread: Node) -> bool:
    """Whether a scale is negative in the call that is traced for; False where that is not known.

    The trace holds where it is the same.
    """
    running = _running()
    if isinstance(spread, Const) or spread.op in _POSITIVE:
        return isinstance(spread, Const) and bool(np.any(np.less(spread.value, 0)))
    try:
        running.examples.of(spread)
    except KeyError:
        return False
    return guards.truth(Tracer(_formula(_any_negative, [spread])))


_POSITIVE = (e.exp, e.sqrt, e.absolute, e.square)


def _any_negative(spread: Any) -> Any:
    return np.any(spread < 0) if spread.shape else spread < 0


def _drawn(
    source: RandomSource,
    name: str,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    noise: str = "",
) -> Any:
    """The numbers that a call of a method gives."""
    names = list(_signature(source.kind, name).parameters)[1:]
    given = [("", each) for each in args] + list(kwargs.items())
    labels = [label or names[min(i, len(names) - 1)] for i, (label, _) in enumerate(given)]
    given = [
        (label if label == "dtype" else own, each)
        for label, (own, each) in zip(labels, given, strict=True)
    ]
    size = None
    if "size" in labels:
        at = labels.index("size")
        size = _size(given.pop(at)[1])
        del labels[at]
    if kwargs.get("out") is not None:
        _refuse(f"{name} draws into an array", "Write y[...] = and the draw without out=.")
    values, operands, places = _arguments(given)
    type, is_array = _result(source.kind, name, values, operands, places, size)
    call_ = {
        "method": name,
        "given": values,
        "places": places,
        "size": size,
        "order": names.index("size") if "size" in names else -1,
        "shape": type.shape,
        "inner": _INNER.get(name, 0),
    }
    drawing = _happen(source, operands, call_)
    result = {
        "method": name,
        "names": tuple(labels[place] for place in places),
        "dtype": type.dtype,
        "shape": type.shape,
        "weak": type.weak,
    }
    found = node(draws.draw, (drawing, *operands), tuple(sorted(result.items())))
    running = _running()
    if noise and found not in running.inherited:
        running.inherited[found] = Note(noise, derived=True)
    return Tracer(found, is_array=is_array)


_OF_ARRAYS = {"choice", "dirichlet", "multinomial", "multivariate_normal",
              "multivariate_hypergeometric"}  # which do not broadcast their parameters
_INNER = {"multinomial": 1, "dirichlet": 1, "multivariate_normal": 1}  # axes of one draw


def _happen(source: RandomSource, operands: Sequence[Node], call_: dict[str, Any]) -> Node:
    """The effect of drawing."""
    running = _running()
    of = source.node
    assert running.effect is not None
    params = tuple(sorted({**call_, "number": count()}.items()))
    made = running.effect = node(draws.drawing, (running.effect, of, *operands), params)
    if running.place is not None:
        running.places[made] = running.place
    return made


def _size(size: Any) -> tuple[int, ...] | None:
    if size is None:
        return None
    size = sizes(size)
    return tuple(map(operator.index, size)) if np.ndim(size) else (operator.index(size),)


def _arguments(
    given: Sequence[tuple[str, Any]],
) -> tuple[draws.Given, tuple[Node, ...], tuple[int, ...]]:
    """Arguments as they are written, the nodes among them and their places."""
    values: list[tuple[str, Any]] = []
    operands: list[Node] = []
    places: list[int] = []
    for i, (name, value) in enumerate(given):
        if name == "dtype":
            values.append((name, np.dtype(value).name))
        elif _is_literal(value):
            values.append((name, value))
        else:
            values.append((name, None))
            places.append(i)
            operands.append(_operand(value))
    return tuple(values), tuple(operands), tuple(places)


def _is_literal(value: Any) -> bool:
    finite = type(value) is float and math.isfinite(value)
    return finite or value is None or type(value) in (str, bool, int)


def _operand(value: Any) -> Node:
    found = as_array(value)
    if not isinstance(found, Tracer) and found.dtype.kind not in "biufc":
        _refuse(f"a draw takes {type(value).__name__}", "Draw indices, and look up what is there.")
    return lift(found)


def _result(
    kind: type,
    name: str,
    given: draws.Given,
    operands: Sequence[Node],
    places: tuple[int, ...],
    size: tuple[int, ...] | None,
) -> tuple[Any, bool]:
    """The type of what a call gives, and whether it is an array: as NumPy has it."""
    error: Exception | None = None
    elementwise = size is not None and name not in _OF_ARRAYS
    if elementwise:
        _fitting(size, np.broadcast_shapes(*[each.type.shape for each in operands]))
    for trial in _TRIALS:
        values = tuple([_trial(each, trial, i) for i, each in enumerate(operands)])
        if elementwise:
            values = tuple([np.ravel(each)[:1].sum() for each in values])
        args, kwargs = draws.arguments(given, places, values)
        if size is not None:
            kwargs["size"] = (0,) * len(size)
        try:
            found = getattr(_fresh(kind), name)(*args, **kwargs)
        except ValueError as failed:
            error = error or failed
            continue
        if not isinstance(found, np.ndarray):
            return type_of(found), False
        shape = found.shape if size is None else (*size, *found.shape[len(size) :])
        return array_type(found.dtype, shape), True
    assert error is not None
    raise error


def _fresh(kind: type) -> Any:
    return np.random.RandomState(0) if kind is np.random.RandomState else np.random.default_rng(0)


# Values of operands that some distribution is defined for: ones, probabilities, in order
_TRIALS: tuple[Callable[[Node, int], Any], ...] = (
    lambda each, i: 1,
    lambda each, i: 0.5,
    lambda each, i: 1 / max(each.type.shape[-1:], default=1),
    lambda each, i: i + 1.5,
)


def _trial(each: Node, trial: Callable[[Node, int], Any], index: int) -> Any:
    if isinstance(each, Const):
        return full(each)
    if each.type.weak:
        return each.type.python(trial(each, index))
    return np.full(each.type.shape, trial(each, index)).astype(each.type.dtype)[()]


# ---------------------------------------------------------------------------- of what is given


def _seed(source: RandomSource, *args: Any, **kwargs: Any) -> None:
    given = [("", each) for each in args] + list(kwargs.items())
    values, operands, places = _arguments(given)
    call_ = {"method": "seed", "given": values, "places": places, "size": None, "order": -1,
             "shape": (), "inner": 0}
    _happen(source, operands, call_)


def _of_sizes(source: RandomSource, *sizes: Any, standard: str) -> Any:
    """rand and randn, which take the extents one by one."""
    return _drawn(source, standard, (), {"size": sizes or None})


def _choice(source: RandomSource, *args: Any, **kwargs: Any) -> Any:
    """Some of what is given: the places are drawn."""
    given = _given(source, "choice", args, kwargs)
    a, axis = given.pop("a"), given.pop("axis", 0)
    if isinstance(a, (int, np.integer)) or (isinstance(a, Tracer) and not a.shape):
        return _drawn(source, "choice", args, kwargs)
    array = _array_of_numbers(a)
    extent = len(a) if array is None else array.shape[axis]
    defaults = {"size": None, "replace": True, "p": None, "shuffle": True}
    options = {k: v for k, v in given.items() if v is not defaults[k]}
    places = _drawn(source, "choice", (extent,), options, "index")
    if array is None:
        return a[operator.index(places)]
    return call(np.take, array, places, axis=axis) if axis else array[places]


def _array_of_numbers(value: Any) -> Any:
    """A list or an array as one that can be traced; None for one of other things."""
    found = as_array(value)
    if isinstance(found, Tracer):
        return found
    return Tracer(lift(found), is_array=True) if found.dtype.kind in "biufc" else None


def _permutation(source: RandomSource, x: Any, axis: int = 0) -> Any:
    """A shuffled copy, or shuffled whole numbers."""
    if np.ndim(x) == 0:
        return _drawn(source, "permutation", (x,), {})
    array = _array_of_numbers(x)
    if array is None:
        _refuse("a list of other things than numbers is permuted", "Permute np.arange(len(x)).")
    places = _drawn(source, "permutation", (array.shape[axis],), {}, "order")
    return call(np.take, array, places, axis=axis) if axis else array[places]


def _shuffle(source: RandomSource, x: Any, axis: int = 0) -> None:
    """x is permuted in place."""
    if not isinstance(x, Tracer):
        if not isinstance(x, np.ndarray):
            _refuse(f"a {type(x).__name__} is shuffled", "Permute np.arange(len(x)), and index.")
        refuse_plain(Tracer(lift(x)))
    x.overwrite(_permutation(source, x, axis))


def _permuted(source: RandomSource, x: Any, *, axis: Any = None, out: Any = None) -> Any:
    """x with each slice along an axis shuffled by itself."""
    array = _array_of_numbers(x)
    if array is None or out is not None:
        _refuse("permuted is traced of an array of numbers, without out=", "Permute a copy.")
    if axis is None:
        places = _drawn(source, "permuted", (np.arange(array.size),), {}, "order")
        return call(np.reshape, call(np.ravel, array)[places], array.shape)
    axis = operator.index(axis) % array.ndim
    lengths = [-1 if i == axis else 1 for i in range(array.ndim)]
    along = np.broadcast_to(np.arange(array.shape[axis]).reshape(lengths), array.shape)
    order = _drawn(source, "permuted", (along,), {"axis": axis}, "order")
    return call(np.take_along_axis, array, order, axis=axis)


_OWN: dict[str, Callable[..., Any]] = {
    "choice": _choice,
    "permutation": _permutation,
    "permuted": _permuted,
    "rand": functools.partial(_of_sizes, standard="random_sample"),
    "randn": functools.partial(_of_sizes, standard="standard_normal"),
    "seed": _seed,
    "shuffle": _shuffle,
}
