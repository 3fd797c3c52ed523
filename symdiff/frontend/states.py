"""What is declared of functions that no record differentiates: constant, or refused and why.

Loaded when a program first meets such a function. A function that has a record, or is traced
through others, is differentiated, and stands here only where its results carry no derivative.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from symdiff.errors import TraceError, UnsupportedFunctionError, word
from symdiff.frontend import context, guards
from symdiff.frontend.advice import advice_for, function_name
from symdiff.frontend.tracer import Tracer, depends_on, where

DIFFERENTIATED, CONSTANT, REFUSED = "differentiated", "constant", "refused"


class Stated(NamedTuple):
    """The state of a function, why it has it, and the way out if it is refused."""

    word: str
    why: str = ""  # follows the name of the function
    way_out: str = ""
    answer: Callable[..., Any] | None = None  # what a call does that nothing else traces
    cost: str = ""  # why it takes over 3 times NumPy's call, if it does


# By the name that the user writes, with `ndarray.` before attributes of arrays and `ufunc.` before
# methods of ufuncs. Names and not functions: no release of NumPy has all of them.
DECLARED: dict[str, Stated] = {}


def declared(function: Any) -> Stated | None:
    """What is declared of a function."""
    if isinstance(getattr(function, "__self__", None), np.ufunc):  # np.add.reduce
        return DECLARED.get(f"ufunc.{function.__name__}")
    return DECLARED.get(function_name(function))


def constant(why: str, names: str, answer: Callable[..., Any] | None = None) -> None:
    """Declare functions whose results carry no derivative."""
    for name in names.split():
        _declare(name, Stated(CONSTANT, why, answer=answer))


def refused(why: str, ways_out: Mapping[str, str]) -> None:
    """Declare functions that traced values may not enter, and what to write instead."""
    for names, way_out in ways_out.items():
        for name in names.split():
            _declare(name, Stated(REFUSED, why, way_out))


def _declare(name: str, stated: Stated) -> None:
    assert name not in DECLARED, f"{name} is declared twice"
    DECLARED[name] = stated


# ---------------------------------------------------------------------------- what happens


def call_declared(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call, on traced values, of a function that has no record."""
    stated = declared(function)
    if stated is not None and stated.answer is not None:
        return stated.answer(function, *args, **kwargs)
    if all(guards.fixed_value(each) is not None for each in _traced([*args, *kwargs.values()])):
        given = [_fixed(each) for each in args]
        return function(*given, **{key: _fixed(each) for key, each in kwargs.items()})
    return refuse_call(function, args, kwargs)


def _fixed(value: Any) -> Any:
    """What is known of values that depend on no input."""
    if isinstance(value, (list, tuple)):
        return type(value)([_fixed(each) for each in value])
    return guards.fixed_value(value) if isinstance(value, Tracer) else value


def refuse_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
    """Raises UnsupportedFunctionError with what is declared, or what is known of its name."""
    stated, name = declared(function), function_name(function)
    what = f"{name} {stated.why}" if stated else f"{name} has no derivative rule"
    way_out = stated.way_out if stated else advice_for(function)
    _refuse(UnsupportedFunctionError, what, (*args, *kwargs.values()), way_out)


_ELSEWHERE = "Use a function of NumPy's in its place, or take it outside the function."


def attribute(array: Tracer, name: str) -> Any:
    """An attribute that arrays have and traced ones do not."""
    stated = DECLARED.get(f"ndarray.{name}") or DECLARED.get(f"np.{name}")
    if stated is None:
        stated = Stated(REFUSED, "is not traced", _ELSEWHERE)
    if stated.answer is not None:
        return stated.answer(array)
    return _refuse(TraceError, f"`.{name}` of a traced value {stated.why}", [array], stated.way_out)


def _refuse(kind: type, what: str, values: Any, way_out: str) -> NoReturn:
    traced = next(_traced(values), None)
    root = depends_on(traced.node) if traced is not None else ""
    context.refuse(kind(word(what, where=where(), depends_on=root, way_out=way_out)))


def _traced(values: Any) -> Iterator[Tracer]:
    """The traced values in nested lists."""
    for each in values:
        if isinstance(each, Tracer):
            yield each
        elif isinstance(each, (list, tuple)):
            yield from _traced(each)


def _of_types(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a function says of arrays of the same types and shapes."""
    given = [_stand_in(each) for each in args]
    return function(*given, **{key: _stand_in(each) for key, each in kwargs.items()})


def _stand_in(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)([_stand_in(each) for each in value])
    if not isinstance(value, Tracer):
        return value
    if not value.in_memory:
        return value.node.type.python(0) if value.weak else value.dtype.type(0)
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)


def _of_sizes(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a function gives for sizes: traced ones are decided, and known from then on."""
    given = [_decided(each) for each in args]
    return function(*given, **{key: _decided(each) for key, each in kwargs.items()})


def _decided(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)([_decided(each) for each in value])
    if not isinstance(value, Tracer):
        return value
    if value.dtype.kind not in "iub":
        value.refuse("a size is a traced float", "Convert it: int(n) is decided at each call.")
    return operator.index(value)


def _to_device(array: Tracer) -> Any:
    """The method of an array that gives the array: NumPy knows one device."""

    def to_device(device: str, /, *, stream: Any = None) -> Tracer:
        if device != "cpu":
            raise ValueError(f"Unsupported device: {device}")
        return array

    return to_device


# ---------------------------------------------------------------------------- stores


def _stores(function: Any, *args: Any, **kwargs: Any) -> None:
    """A function that stores into a part of its first argument."""
    from symdiff.frontend import stores  # only for programs that store

    getattr(stores, function.__name__)(*args, **kwargs)


def _stores_at(function: Any, *args: Any) -> None:
    from symdiff.frontend import stores

    stores.at(function, *args)


def _method_that_stores(name: str) -> Callable[[Tracer], Any]:
    def bound(array: Tracer) -> Any:
        from symdiff.frontend import stores

        return functools.partial(getattr(stores, name), array)

    return bound


_CHANGES = "changes an array in place"
for _name in ("copyto", "put", "put_along_axis", "place", "putmask", "fill_diagonal"):
    _declare(f"np.{_name}", Stated(DIFFERENTIATED, _CHANGES, answer=_stores))
_declare("ufunc.at", Stated(DIFFERENTIATED, _CHANGES, answer=_stores_at))
for _name in ("fill", "put"):
    _declare(f"ndarray.{_name}", Stated(DIFFERENTIATED, _CHANGES, "", _method_that_stores(_name)))

# ---------------------------------------------------------------------------- constant

constant(
    "asks for types and shapes, which tracing knows",
    "np.can_cast np.common_type np.einsum_path np.isdtype np.issubdtype np.mintypecode "
    "np.promote_types np.typename",
    _of_types,
)
constant(
    "asks for types and shapes, which tracing knows",
    "np.iscomplexobj np.isrealobj np.isscalar np.iterable np.ndim "
    "np.result_type np.shape np.size ndarray.dtype ndarray.itemsize ndarray.nbytes",
)
constant(
    "is of indices that follow from a shape",
    "np.diag_indices_from np.tril_indices_from np.triu_indices_from",
    _of_types,
)
constant(
    "is made of sizes alone",
    "np.bartlett np.blackman np.broadcast_shapes np.diag_indices "
    "np.hamming np.hanning np.indices np.mask_indices np.tri np.tril_indices np.triu_indices",
    _of_sizes,
)
constant(
    "is made of sizes alone",
    "np.arange np.empty np.eye np.identity np.ones np.zeros",
)
constant(
    "is filled with one value, whatever the array is",
    "np.empty_like np.ones_like np.zeros_like",
)
constant(
    "takes no arrays, and runs as NumPy's own",
    "np.get_include np.get_printoptions np.getbufsize np.geterr np.geterrcall np.info "
    "np.printoptions np.set_printoptions np.setbufsize np.seterr np.seterrcall np.show_config "
    "np.show_runtime",
    _of_sizes,
)
constant(
    "is of truth values: a comparison is flat wherever it has a derivative",
    "np.allclose np.array_equal np.array_equiv np.isclose np.iscomplex np.isneginf np.isposinf "
    "np.isreal",
)
constant(
    "is of indices or counts, which are flat wherever they have a derivative",
    "np.argpartition np.argwhere np.count_nonzero np.flatnonzero np.lexsort "
    "np.linalg.matrix_rank np.nonzero "
    "np.ravel_multi_index np.unravel_index",
)
constant("is a step, flat wherever it has a derivative", "np.around np.fix np.round")
_declare("ndarray.to_device", Stated(DIFFERENTIATED, "is the array itself", "", _to_device))
_declare(
    "np.fromfunction", Stated(DIFFERENTIATED, "calls a function, which is traced", "", _of_sizes)
)
constant("is of the devices NumPy has, the processor", "ndarray.device", lambda array: "cpu")

# ---------------------------------------------------------------------------- refused for good

refused(
    "writes a file while the function is traced, and not at each call",
    {
        "np.save np.savez np.savez_compressed np.savetxt ndarray.dump ndarray.tofile":
            "Return the value, and save it after the call.",
    },
)
refused(
    "makes text or bytes of a value that is not known while tracing",
    {
        "np.array2string np.array_repr np.array_str np.base_repr np.binary_repr "
        "np.format_float_positional np.format_float_scientific ndarray.dumps ndarray.tobytes":
            "Return the value, and make text or bytes of it after the call.",
    },
)
refused(
    "reads a file while the function is traced, and not at each call",
    {
        "np.fromfile np.fromregex np.genfromtxt np.load np.loadtxt":
            "Read it outside the function, and pass the array.",
    },
)
refused(
    "reads a buffer or a text, which traced values are not",
    {
        "np.frombuffer": "Use the array itself, or np.asarray of it.",
        "np.fromstring": "Use it outside the function, and pass the array.",
    },
)
refused(
    "is about dates, which traced arrays do not hold",
    {
        "np.busday_count np.busday_offset np.datetime_as_string np.datetime_data np.is_busday "
        "np.isnat": "Compute with dates outside the function, and pass numbers.",
    },
)
refused(
    "asks how arrays lie in memory, which is not known while tracing",
    {
        "np.isfortran ndarray.flags ndarray.strides":
            "Ask outside the function; results do not depend on the layout.",
        "np.may_share_memory np.shares_memory ndarray.base":
            "Ask outside the function, or change a copy: y = x.copy().",
        "ndarray.ctypes ndarray.data": "Pass the array to compiled code outside the function.",
    },
)
refused(
    "goes by the bits of a value, which are not known while tracing",
    {
        "ndarray.byteswap ndarray.getfield ndarray.setfield": "Use .astype for its values.",
    },
)
refused(
    "goes by the value of a number, which is not known while tracing",
    {
        "np.min_scalar_type": "Ask for its type: x.dtype, or np.result_type(x).",
    },
)
refused(
    "makes a matrix object, whose products are not those of arrays",
    {
        "np.asmatrix": "Use the array: @ multiplies matrices.",
        "np.bmat": "Use np.block.",
    },
)
refused("is deprecated in NumPy", {"np.row_stack": "Use np.vstack."})
refused(
    "computes element by element in Python",
    {
        "np.frompyfunc": "Call the function on whole arrays, or stack what it returns.",
        "np.nested_iters": "Write loops over indices, or compute with whole arrays.",
    },
)
refused(
    "changes an array's own memory",
    {
        "ndarray.resize": "Write np.resize(x, shape), or np.concatenate with zeros.",
        "ndarray.setflags": "Leave it out, or do it outside the function.",
    },
)

# ---------------------------------------------------------------------------- not yet traced
#
# A function that gets a record, or is traced through others, leaves this list.


refused(
    "is not traced yet",
    {
        # rearrangement
        "np.ix_": "Index with arrays of the shapes (n, 1) and (1, m).",
    },
)
