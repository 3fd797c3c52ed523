"""What interposed code gets in place of functions that would not let traced values through.

NumPy dispatches on its array arguments; it does not on lists of them, nor in creation functions,
and Python's own functions not at all. Each of these is looked up here, at the place of the call.
"""

from __future__ import annotations

import dis
import functools
import importlib
import itertools
import math
import operator
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType, FrameType, ModuleType
from typing import Any, NoReturn

import numpy as np

from symdiff.errors import TraceError, UnsupportedFunctionError, word
from symdiff.frontend import context, memory
from symdiff.frontend.origin import is_written_out
from symdiff.frontend.tracer import (
    Tracer,
    as_array,
    call,
    call_python,
    coerce,
    holds_tracer,
    lift,
    where,
)
from symdiff.ir.types import array_type, is_supported
from symdiff.ops import elementwise as e
from symdiff.ops.primitive import Primitive, find

REPLACEMENTS: dict[Any, Callable[..., Any]] = {}


class Hook:
    """A function, or `traced` in its place where an argument is traced or holds traced values."""

    __slots__ = ("__dict__", "function", "iterates", "traced")

    def __init__(
        self, function: Callable[..., Any], traced: Callable[..., Any], iterates: bool = False
    ) -> None:
        self.function = function
        self.traced = traced
        self.iterates = iterates  # whether one argument alone is iterated over: max(values)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.iterates and len(args) == 1 and not isinstance(args[0], (np.ndarray, list, tuple)):
            args = (list(args[0]),)  # a generator: whether it yields traced values is seen here
        if not (holds_tracer(args) or (kwargs and holds_tracer(list(kwargs.values())))):
            return _created(self.function, self.function(*args, **kwargs), args)
        try:
            return _created(self.function, self.traced(*args, **kwargs), args)
        except NotImplementedError as error:
            context.refuse(UnsupportedFunctionError(word(str(error), where=where())))

    def __getattr__(self, name: str) -> Any:
        return replaced(getattr(self.function, name))  # np.add.reduce

    @property
    def __class__(self) -> type:
        return type(self.function)

    @__class__.setter
    def __class__(self, cls: type) -> None:
        raise TypeError("the class of a function does not change")

    def __eq__(self, other: object) -> bool:
        other = other.function if type(other) is Hook else other
        return self.function is other or bool(self.function == other)

    def __hash__(self) -> int:
        return hash(self.function)

    def __repr__(self) -> str:
        return repr(self.function)


def when_traced(
    *functions: Any, iterates: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: calls of these functions with traced values go to the decorated one."""

    def mark(traced: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            REPLACEMENTS[function] = Hook(function, traced, iterates)
        return traced

    return mark


def instead_of(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: interposed code gets the decorated object in place of this one."""

    def mark(replacement: Callable[..., Any]) -> Callable[..., Any]:
        REPLACEMENTS[function] = replacement
        return replacement

    return mark


def replaced(value: Any) -> Any:
    """What interposed code gets for a function of Python or a library; others stay as they are."""
    if getattr(value, "__module__", "") == "random" and value is sys.modules["random"].Random:
        return _seeded
    random = _random()
    shared = random and getattr(value, "__self__", None) is random.mtrand._rand
    if random and (shared or value is random.seed):
        return _shared_draw(value.__name__)
    try:
        found = REPLACEMENTS.get(value) or _of_sparse(value)
    except TypeError:  # unhashable: not in the table
        return value
    if found is None and getattr(value, "__module__", "") in ("logging", "_warnings", "warnings"):
        from symdiff.frontend.texts import speakers  # for the programs that need it

        speakers()
        found = REPLACEMENTS.get(value)
    if found is None and _takes_a_function(value):
        importlib.import_module(_TAKING_FUNCTIONS[value.__name__])
        found = REPLACEMENTS.get(value)
    if found is None and _is_library_function(value):
        found = REPLACEMENTS[value] = Hook(value, functools.partial(_apply, value))
    if found is None and type(value).__module__.startswith("scipy.stats."):
        from symdiff.frontend.distributions import stand_in  # which imports SciPy

        return stand_in(value) or value
    return value if found is None else found


# SciPy's functions of functions: where they are traced with what these close over.
_TAKING_FUNCTIONS = {
    "quad": "symdiff.api.quadrature",
    **dict.fromkeys(("odeint", "solve_ivp"), "symdiff.api.ode"),
    **dict.fromkeys(
        ("bisect", "brenth", "brentq", "fixed_point", "fsolve", "newton", "ridder", "root",
         "root_scalar", "toms748"),
        "symdiff.api.optimize",
    ),
    **dict.fromkeys(
        ("bicgstab", "cg", "cgs", "gcrotmk", "gmres", "lgmres", "minres", "tfqmr"),
        "symdiff.api.iterative",
    ),
}  # fmt: skip


def _takes_a_function(value: Any) -> bool:
    return getattr(value, "__name__", "") in _TAKING_FUNCTIONS and (
        (getattr(value, "__module__", None) or "").startswith("scipy.")
    )


def replaced_class(value: Any) -> bool:
    """Whether the value is a class that is replaced only where it is called."""
    _random()
    return isinstance(value, type) and (value in REPLACEMENTS or _of_sparse(value) is not None)


def _of_sparse(value: Any) -> Any:
    """What makes sparse matrices, as it is called in traced functions; None of anything else."""
    module = getattr(value, "__module__", None) or ""
    if "scipy.sparse" not in sys.modules or not module.startswith("scipy.sparse."):
        return None
    from symdiff.frontend import sparse_entries  # for the programs that need it

    if module.startswith(("scipy.sparse.linalg", "scipy.sparse.csgraph")):
        return REPLACEMENTS.get(value)
    if not callable(value) or isinstance(value, BaseException):
        return None
    return REPLACEMENTS.setdefault(value, sparse_entries.stand_in(value))


def _is_library_function(value: Any) -> bool:
    own = type(value).__module__.partition(".")[0] == "symdiff"  # grad(np.sin) is no ufunc
    if own or isinstance(value, (type, Hook)) or not callable(value):
        return False
    module = getattr(value, "__module__", None) or ""
    return any(isinstance(each, np.ufunc) for each in (value, getattr(value, "__self__", 0))) or (
        module.partition(".")[0] in ("numpy", "scipy") and hasattr(value, "__name__")
    )


def _apply(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A NumPy or SciPy function on traced values; lists of them become arrays."""
    join = _JOINS.get(function, _joined)
    if getattr(find(function), "takes_sequence", False):
        join = _joined_each
    kwargs = {key: each if key == "out" else join(each) for key, each in kwargs.items()}
    if isinstance(function, np.ufunc) and len(args) > function.nin:
        args, kwargs["out"] = args[: function.nin], args[function.nin :]
    return call(function, *map(join, args), **kwargs)


def _joined(value: Any) -> Any:
    return as_array(value) if isinstance(value, (list, tuple)) and holds_tracer(value) else value


def _joined_each(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    return tuple(map(_joined, value)) if isinstance(value, tuple) else list(map(_joined, value))


# What a list is to those to which it is no array: a sequence of arrays, or a nested one.
_JOINS: dict[Any, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            np.concatenate,
            np.stack,
            np.vstack,
            np.hstack,
            np.dstack,
            np.column_stack,
            np.select,
            np.choose,
            np.ravel_multi_index,
            np.linalg.multi_dot,
            np.histogramdd,
        ),
        _joined_each,
    ),
    np.block: lambda value: value,
}


# ---------------------------------------------------------------------------- NumPy: creation

_OF_LISTS = (np.asarray, np.asanyarray, np.ascontiguousarray)  # of an array they give the same
_MAKES: set[Any] = {
    np.zeros, np.ones, np.empty, np.full, np.eye, np.identity, np.arange, np.linspace, np.array,
    np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.copy, np.logspace, np.geomspace,
    np.tri, np.tile, np.repeat, np.concatenate, np.stack, *_OF_LISTS,
}  # fmt: skip


def _created(function: Any, made: Any, args: Any) -> Any:
    """What a function has made: traced as a constant, where traced values are stored in such."""
    if type(made) is not np.ndarray:
        return made
    running = context.current()
    interposer = running.interposer if running is not None else None
    if interposer is None or not interposer.creates or function not in _MAKES:
        return made
    if not is_supported(made.dtype) or (function in _OF_LISTS and not _is_list(args)):
        return made
    if function in (np.empty, np.empty_like):  # nobody reads what is there
        made = np.zeros_like(made)
    traced = Tracer(lift(made), is_array=True)
    traced.contiguous = bool(made.flags.c_contiguous)
    return traced


def _is_list(args: Any) -> bool:
    return bool(args) and type(args[0]) in (list, tuple)



@when_traced(np.array)
def _array(
    object: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, **layout: Any
) -> Any:
    """A traced value, or a nested list that holds some, as one traced array."""
    found = as_array(object)
    if not copy and _is_array_of(found, dtype):
        return memory.perhaps(Tracer(found.node), found) if layout.get("order") else found
    target = found.node.type.dtype if dtype is None else np.dtype(dtype)
    made = Tracer(coerce(found.node, array_type(target, found.shape)), is_array=True)
    missing = ndmin - made.ndim
    return call(np.reshape, made, (1,) * missing + made.shape) if missing > 0 else made


def _is_array_of(value: Tracer, dtype: Any) -> bool:
    return value.in_memory and (dtype is None or np.dtype(dtype) == value.dtype)


@when_traced(np.asarray, np.asanyarray)
def _asarray(object: Any, dtype: Any = None, order: Any = None, *, copy: Any = None) -> Any:
    return _array(object, dtype, copy=copy, order=order)


@when_traced(np.ascontiguousarray, np.asfortranarray)
def _contiguous(a: Any, dtype: Any = None) -> Any:
    return _array(a, dtype, copy=None, order="C", ndmin=1)


@when_traced(np.require)
def _require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    return _array(a, dtype, copy=None, order=requirements)


@when_traced(np.from_dlpack)
def _from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    return _array(x, copy=copy, order="K")


@when_traced(np.asarray_chkfinite)
def _asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    made = _asarray(a, dtype, order)
    if made.dtype.kind in "fc" and not np.all(np.isfinite(made)):
        raise ValueError("array must not contain infs or NaNs")
    return made


@instead_of(np.fromiter)
def _fromiter(iter: Any, dtype: Any, count: int = -1, **options: Any) -> Any:
    """np.fromiter: whether it is given traced values is seen when they are."""
    values = list(iter) if count < 0 else list(itertools.islice(iter, count))
    if not holds_tracer(values) or len(values) < count:
        return np.fromiter(values, dtype, count, **options)
    return _array(values, dtype)


_fromiter.cost = "takes the numbers one by one"  # type: ignore[attr-defined]


@when_traced(np.full)
def _full(shape: Any, fill_value: Any, dtype: Any = None, **layout: Any) -> Any:
    shape = sizes(shape)
    if not isinstance(fill_value, Tracer):
        return np.full(shape, fill_value, dtype)
    made = _array(fill_value, dtype)
    return call(np.copy, call(np.broadcast_to, made, shape))


@when_traced(np.zeros)
def _zeros(shape: Any, dtype: Any = None, **layout: Any) -> Any:
    return np.zeros(sizes(shape), dtype)


@when_traced(np.ones)
def _ones(shape: Any, dtype: Any = None, **layout: Any) -> Any:
    return np.ones(sizes(shape), dtype)


@when_traced(np.empty)
def _empty(shape: Any, dtype: Any = None, **layout: Any) -> Any:
    return np.empty(sizes(shape), dtype)


@when_traced(np.eye, np.identity)
def _eye(*extents: Any, **options: Any) -> Any:
    return np.eye(*map(sizes, extents), **options)


@when_traced(np.arange)
def _arange(*limits: Any, dtype: Any = None) -> Any:
    return np.arange(*map(sizes, limits), dtype=dtype)


def sizes(shape: Any) -> Any:
    """Sizes as Python ints: a traced one is decided, and known from then on."""
    if isinstance(shape, (list, tuple)):
        return tuple(sizes(each) for each in shape)
    if isinstance(shape, Tracer) and shape.shape:
        return tuple(map(operator.index, shape))
    return operator.index(shape) if isinstance(shape, Tracer) else shape


@when_traced(np.ndenumerate)
def _ndenumerate(arr: Any) -> Any:
    return ((index, arr[index]) for index in np.ndindex(arr.shape))


@instead_of(np.vectorize)
def _vectorize(*args: Any, **kwargs: Any) -> Any:
    made = np.vectorize(*args, **kwargs)
    return Hook(made, functools.partial(_apply, made))


@when_traced(np.isscalar)
def _isscalar(element: Any) -> bool:
    return isinstance(element, Tracer) and not element.is_array and element.ndim == 0


def _of_one_dtype(parts: Sequence[Any]) -> list[Any]:
    """What np.r_ joins, as arrays: Python numbers take the dtype of the others."""
    numbers = (Tracer, int, float, complex)
    arrays = [part if isinstance(part, numbers) else as_array(part) for part in parts]
    dtype = call(np.result_type, *arrays)
    return [as_array(part).astype(dtype) for part in arrays]


def _row(part: slice) -> Any:
    """The numbers that np.r_ and np.mgrid make of start:stop:step, or of start:stop:5j."""
    if not holds_tracer([part.start, part.stop, part.step]):
        return np.r_[part]
    start = 0 if part.start is None else part.start
    if not isinstance(part.step, complex):
        return _arange(start, part.stop, 1 if part.step is None else part.step)
    count = int(abs(part.step))
    step = (part.stop - start) / (count - 1) if count > 1 else 1.0
    return call(np.multiply, np.arange(count), step) + start


class _Joiner:
    """np.r_ and np.c_, which are indexed with what they join, after axes as text."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        ends = [[each.start, each.stop] for each in parts if isinstance(each, slice)]
        if not holds_tracer([*parts, *ends]):
            return self.plain[index]
        axis, ndim, place = self.plain.axis, self.plain.ndmin, self.plain.trans1d
        if isinstance(parts[0], str):
            text, parts = parts[0], parts[1:]
            if text in ("r", "c"):
                what = f"np.r_[{text!r}, ...] makes a matrix object, and is not traced"
                way_out = "np.r_['0,2', ...] makes an array."
                context.refuse(UnsupportedFunctionError(word(what, where=where(), way_out=way_out)))
            given = dict(enumerate(map(int, text.split(","))))
            axis, ndim, place = (
                given.get(i, each) for i, each in enumerate((axis, ndim, place))
            )
        rows = [_row(each) if isinstance(each, slice) else each for each in parts]
        made = [_with_axes(each, ndim, place) for each in _of_one_dtype(rows)]
        return call(np.concatenate, made, axis)


def _with_axes(part: Any, ndim: int, place: int) -> Any:
    """A part with as many axes as that: new ones before its own, which begin at a place."""
    missing = max(ndim - part.ndim, 0)
    before = min(place + (missing + 1) * (place < 0), missing) if part.ndim else missing
    shape = (*(1,) * before, *part.shape, *(1,) * (missing - before))
    return part if shape == part.shape else call(np.reshape, part, shape)


class _Grid:
    """np.mgrid and np.ogrid, which are indexed with the rows that they are made of."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if not holds_tracer([[each.start, each.stop, each.step] for each in parts]):
            return self.plain[index]
        rows = [_row(each) for each in parts]
        if not isinstance(index, tuple):
            return rows[0]
        rows = _of_one_dtype([as_array(each) for each in rows])
        grids = call(np.meshgrid, *rows, indexing="ij", sparse=self.plain.sparse)
        return tuple(grids) if self.plain.sparse else call(np.stack, list(grids))


for _joiner in (np.r_, np.c_):
    REPLACEMENTS[_joiner] = _Joiner(_joiner)  # type: ignore[assignment]
for _grid in (np.mgrid, np.ogrid):
    REPLACEMENTS[_grid] = _Grid(_grid)  # type: ignore[assignment]

# ---------------------------------------------------------------------------- random draws


def refuse_draw(name: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises TraceError: numbers drawn while tracing would be drawn once."""
    context.refuse(TraceError(
        word(
            f"{name} draws random numbers, which would be the same at each call",
            where=where(),
            way_out="Draw outside, and pass the array.",
        )
    ))


def _seeded(seed: Any = None) -> Any:
    """random.Random: with a seed it gives the same numbers at each call."""
    if seed is None:
        refuse_draw("random.Random()")
    return sys.modules["random"].Random(seed)


class RandomStandIn:
    """What stands for a random generator of NumPy's: see `draws`."""

    __slots__ = ()


_MAKERS = ("default_rng", "Generator", "RandomState",
           "MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # fmt: skip


def _random() -> Any:
    """numpy.random, which NumPy loads when it is first used; None before."""
    random = sys.modules.get("numpy.random")
    if random is not None and random.default_rng not in REPLACEMENTS:
        for name in _MAKERS:  # if interposed code calls them
            REPLACEMENTS[getattr(random, name)] = functools.partial(_make_generator, name)
    return random


def _make_generator(maker: str, *args: Any, **kwargs: Any) -> Any:
    from symdiff.frontend.draws import made  # for the programs that need it

    return made(maker, *args, **kwargs)


def _shared_draw(name: str) -> Any:
    """A function of numpy.random, which draws from the generator that all share."""
    from symdiff.frontend.draws import shared_method  # for the programs that need it

    return shared_method(name)


class NoDraws:
    """A random generator from outside, whose state would be consumed once and not at each call."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        return refuse_draw(f"{type(self._generator).__name__}.{name}")


# ---------------------------------------------------------------------------- files


def _refuse_file(function: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """A file is read once while tracing, and may be another one at the next call."""
    from symdiff.frontend import states

    states.refuse_call(function, args, kwargs)


for _reader in (np.load, np.loadtxt, np.genfromtxt, np.fromfile, np.fromregex):
    REPLACEMENTS[_reader] = functools.partial(_refuse_file, _reader)

# ---------------------------------------------------------------------------- Python


@when_traced(float)
def _float(value: Any) -> Tracer:
    return _as_number(value, float)


@when_traced(int)
def _int(value: Any, *base: Any) -> Any:
    """int(t) of an integer stays traced, of a float it decides what the result depends on."""
    return _as_number(value, int) if value.dtype.kind in "iub" else int(value)


@when_traced(complex)
def _complex(real: Any, imag: Any = 0) -> Any:
    return _as_number(real, complex) + 1j * imag


def _as_number(value: Any, python: type) -> Tracer:
    """A traced value of size 1 as a Python number."""
    one = value
    if not isinstance(value, Tracer) or value.shape:
        python(np.zeros(np.shape(as_array(value))))  # NumPy's own error, if it is one
        one = np.reshape(as_array(value), ())
    if one.dtype.kind == "c" and python is not complex:
        raise TypeError("a complex number cannot become a float: take np.real or np.abs of it")
    made: Tracer = call(e.convert, one, dtype=np.dtype(python), weak=True)
    return made


_SCALAR_TYPES = [np.dtype(code).type for code in "efdgilqFD?"]
for _scalar in _SCALAR_TYPES:

    def _scalar_type(scalar: Any) -> Callable[[Any], Any]:
        def convert(value: Any = 0) -> Any:
            value = as_array(value)
            made = coerce(value.node, array_type(np.dtype(scalar), value.shape))
            return Tracer(made, is_array=bool(value.shape))

        return convert

    REPLACEMENTS[_scalar] = Hook(_scalar, _scalar_type(_scalar))


@when_traced(max, iterates=True)
def _max(*values: Any, **options: Any) -> Any:
    return _extreme(e.maximum, np.max, values, options)


@when_traced(min, iterates=True)
def _min(*values: Any, **options: Any) -> Any:
    return _extreme(e.minimum, np.min, values, options)


def _extreme(op: Primitive, reduction: Any, values: Sequence[Any], options: Any) -> Any:
    """max(a, b, …) and max([…]): of an array, its elements; the first of equal ones wins."""
    if options.get("key") is not None:  # the keys decide, so they must be known
        pick = max if op is e.maximum else min
        return pick(*values, **options)
    if len(values) == 1:
        if isinstance(values[0], Tracer) and values[0].ndim == 1:
            return call(reduction, values[0])
        values = list(values[0])
    return functools.reduce(lambda a, b: call_python(op, a, b), values)


@when_traced(pow)
def _pow(base: Any, exp: Any, mod: Any = None) -> Any:
    return base**exp if mod is None else pow(*map(operator.index, (base, exp, mod)))


@when_traced(sorted, iterates=True)
def _sorted(values: Any, *, key: Any = None, reverse: bool = False) -> Any:
    if key is not None:
        return sorted(values, key=key, reverse=reverse)
    ordered = list(call(np.sort, as_array(values)))
    if all(isinstance(each, float) and not isinstance(each, np.float64) for each in values):
        ordered = [_as_number(each, float) for each in ordered]  # as they were
    return ordered[::-1] if reverse else ordered


@instead_of(type)
def _type(*args: Any, **kwargs: Any) -> Any:
    """type(x): of a traced value or an interposed object, what it is when called untraced."""
    if len(args) != 1:
        return type(*args, **kwargs)
    kind = type(args[0])
    if issubclass(kind, Tracer):
        return args[0].untraced_type
    return getattr(kind, "_symdiff_type", lambda value: kind)(args[0])


@instead_of(print)
def _print(*args: Any, **kwargs: Any) -> None:
    """print(): once at each call of what is traced."""
    from symdiff.frontend.texts import spoken  # for the programs that need it

    spoken(print, "print", *args, **kwargs)


@instead_of(map)
def _map(function: Any, *iterables: Any) -> Any:
    """map(float, values): the function is called by map, so it is replaced here."""
    return map(replaced(function), *iterables)


# ---------------------------------------------------------------------------- math


def _of_numbers(op: Primitive) -> Callable[..., Any]:
    """A function of `math`: its arguments count as Python floats, and so does its result."""

    def function(*args: Any) -> Any:
        return call_python(op, *[_as_number(x, float) if isinstance(x, Tracer) else float(x)
                                 for x in args])

    return function


_MATH = {
    "exp exp2 expm1 log2 log10 log1p sqrt cbrt sin cos tan sinh cosh tanh fabs copysign fmod "
    "degrees radians isnan isinf isfinite": "{}",
    "asin acos atan asinh acosh atanh atan2": "arc{}",
}
for _names, _pattern in _MATH.items():
    for _name in _names.split():
        _function = getattr(math, _name, None)  # exp2 and cbrt are new in Python 3.11
        _op = find(getattr(np, _pattern.format(_name.removeprefix("a") if "arc" in _pattern
                                               else _name)))
        if _function is not None and isinstance(_op, Primitive):
            REPLACEMENTS[_function] = Hook(_function, _of_numbers(_op))
REPLACEMENTS[math.pow] = Hook(math.pow, _of_numbers(e.power))


@when_traced(math.log)
def _log(x: Any, *base: Any) -> Any:
    quotient = _of_numbers(e.log)(x)
    return quotient / (_of_numbers(e.log)(base[0])) if base else quotient


@when_traced(math.hypot)
def _hypot(*coordinates: Any) -> Any:
    return functools.reduce(_of_numbers(e.hypot), coordinates)


@when_traced(math.dist)
def _dist(p: Any, q: Any) -> Any:
    return _hypot(*[a - b for a, b in zip(p, q, strict=True)])


@when_traced(math.modf)
def _modf(x: Any) -> Any:
    """The part behind the point and the whole number, both of the sign of x."""
    x = _as_number(x, float)
    fraction = call_python(e.fmod, x, 1.0)
    return fraction, call_python(e.subtract, x, fraction)


@when_traced(math.ldexp)
def _ldexp(x: Any, i: Any) -> Any:
    """x * 2**i."""
    return call_python(e.multiply, _as_number(x, float), math.ldexp(1.0, operator.index(i)))


@when_traced(math.fsum, iterates=True)
def _fsum(values: Any) -> Any:
    return _as_number(sum(values, 0.0), float)


@when_traced(math.prod, iterates=True)
def _prod(values: Any, *, start: Any = 1) -> Any:
    return functools.reduce(operator.mul, values, start)


def _special(name: str) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        import scipy.special

        op = find(getattr(scipy.special, name))
        assert isinstance(op, Primitive)
        return _of_numbers(op)(x)

    return function


for _name, _ours in {"erf": "erf", "erfc": "erfc", "gamma": "gamma", "lgamma": "gammaln"}.items():
    REPLACEMENTS[getattr(math, _name)] = Hook(getattr(math, _name), _special(_ours))

# ---------------------------------------------------------------------------- modules


class LibraryModule(ModuleType):
    """A module of NumPy's, SciPy's or Python's with what interposed code gets from it."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        self._symdiff_module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._symdiff_module, name)
        if replaced_class(value):
            return replaced(value) if called(sys._getframe(1)) else value
        running = context.current()
        if running is not None and is_written_out(getattr(value, "__module__", None)):
            return running.interposer.wrap(value, None)
        found = library_module(value) if is_library(value) else replaced(value)
        if draws(getattr(value, "__self__", None)) and self.__name__ == "random":  # Python's own
            found = functools.partial(refuse_draw, f"{self.__name__}.{name}")
        self.__dict__[name] = found
        return found


def is_library(value: Any) -> bool:
    """Whether a module has functions that interposed code must not get as they are."""
    return isinstance(value, ModuleType) and value.__name__.partition(".")[0] in (
        "numpy", "scipy", "math", "builtins", "random", "dataclasses", "logging", "warnings",
    )


_modules: dict[ModuleType, LibraryModule] = {}


def library_module(module: ModuleType) -> ModuleType:
    """The module as interposed code sees it."""
    if isinstance(module, LibraryModule):
        return module
    return _modules.setdefault(module, LibraryModule(module))


_GENERATORS = (("random", "Random"), ("numpy.random", "Generator"), ("numpy.random", "RandomState"))


def draws(value: Any) -> bool:
    """Whether the value is a random generator, asked without loading what makes them."""
    return any(
        isinstance(value, getattr(sys.modules.get(library), name, ()))
        for library, name in _GENERATORS
    )


# ---------------------------------------------------------------------------- call or value


def reads_attribute(frame: FrameType) -> bool:
    """Whether the frame is at an attribute it reads, and not in a call."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in ("LOAD_ATTR", "LOAD_METHOD")


def called(frame: FrameType) -> bool:
    """Whether the name that the frame is looking up is called at once: `float(x)`."""
    return frame.f_lasti in _calls(frame.f_code)


@lru_cache(maxsize=1024)
def _calls(code: CodeType) -> frozenset[int]:
    """The offsets of the instructions that look up what is called next."""
    found = list(dis.get_instructions(code))
    return frozenset(each.offset for i, each in enumerate(found) if _is_call(found, i))


def _is_call(instructions: Sequence[dis.Instruction], i: int) -> bool:
    """Whether `a` or `.c` of `a.b.c` is what a call calls: room for one is made at either end."""
    opname = instructions[i].opname
    if opname not in ("LOAD_GLOBAL", "LOAD_ATTR"):
        return opname == "LOAD_METHOD"
    following = instructions[i + 1].opname
    if following == "LOAD_ATTR":
        return False
    if any(each.opname == "LOAD_SUPER_ATTR" for each in instructions[i + 1 : i + 4]):
        return bool(instructions[i].argval == "super")  # from Python 3.12 on: super().name
    first = i
    while instructions[first].opname == "LOAD_ATTR":
        first -= 1
    # the lowest bit: with room for the call (of an attribute from Python 3.12 on)
    marked = ("LOAD_GLOBAL", "LOAD_ATTR") if sys.version_info >= (3, 12) else ("LOAD_GLOBAL",)
    ends = instructions[first], instructions[i]
    return "PUSH_NULL" in (instructions[first - 1].opname, following) or any(
        each.opname in marked and (each.arg or 0) & 1 for each in ends
    )
