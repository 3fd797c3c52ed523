"""Tracer: a value of unknown content that wears NumPy's operators, protocols and methods."""

from __future__ import annotations

import inspect
import operator
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import starmap, zip_longest
from typing import Any, NoReturn

import numpy as np

from symdiff.errors import (
    BadAxisError,
    BadIndexError,
    ShapeError,
    SymdiffError,
    TraceError,
    UnsupportedFunctionError,
    word,
)
from symdiff.frontend import context, extents, guards, memory
from symdiff.frontend.advice import function_name
from symdiff.frontend.source_map import assigned_place, said, stores_part
from symdiff.ir.extent import LEAST
from symdiff.ir.node import SMALL, Const, Input, Node, constant, count, node
from symdiff.ir.types import ArrayType, array_type, is_foreign, is_supported, type_of
from symdiff.ops import elementwise as e
from symdiff.ops import shaping
from symdiff.ops.primitive import CONSTANT, Primitive, find, resolve

# NumPy functions that need more than a primitive or a composite: filled by numpy_api.
HANDLERS: dict[Any, Callable[..., Any]] = {}
QUERIES: set[Any] = set()  # those of them that only look at shapes and dtypes


class Tracer:
    """A traced array or number. `is_array` tells a 0-d array from a scalar of the same type."""

    __slots__ = ("__weakref__", "born", "contiguous", "is_array", "known", "view_of", "views")

    __array_priority__ = 1000
    is_hidden = False  # an array from outside, which the trace leaves as it is

    def __init__(self, node: Node, is_array: bool = False) -> None:
        self.known: Node | None = node  # None: forgotten, since its memory was changed
        self.is_array = is_array
        self.contiguous = False  # whether its elements are known to lie one after the other
        self.born = count()
        self.view_of: memory.View | None = None
        self.views: list[weakref.ref[Tracer]] | None = None  # those whose value is known
        running = context.current()
        if running is not None and running.place is not None:
            running.places.setdefault(node, running.place)

    # ------------------------------------------------------------------ what is known

    @property
    def node(self) -> Node:
        """What computes the value that the array has now."""
        return self.known or memory.read(self)

    @property
    def in_memory(self) -> bool:
        """Whether it is an array, which can be changed, and not a number."""
        return self.is_array or self.known is None or bool(self.shape)

    @property
    def untraced_type(self) -> type:
        """The type that the value has when the function is called untraced."""
        if self.weak:
            return self.node.type.python
        return np.ndarray if self.in_memory else self.dtype.type

    @property
    def __class__(self) -> type:
        """What isinstance, class patterns and singledispatch of the user's code go by."""
        return self.untraced_type

    @__class__.setter
    def __class__(self, cls: type) -> None:
        raise TypeError("the class of a value does not change")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.type.shape

    @shape.setter
    def shape(self, shape: tuple[int, ...]) -> None:
        self.refuse("the shape of an array is set in place", "Write y = y.reshape(shape).")

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.node.type.dtype

    @property
    def weak(self) -> bool:
        return self.node.type.weak

    @property
    def ndim(self) -> int:
        return len(self.node.type.shape)

    @property
    def size(self) -> int:
        return self.node.type.size

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def T(self) -> Any:  # noqa: N802  NumPy's name
        return call(np.transpose, self)

    @property
    def mT(self) -> Any:  # noqa: N802
        return call(np.swapaxes, self, -1, -2)

    @property
    def real(self) -> Any:
        if self.weak and self.dtype.kind != "c":
            return call_python(e.positive, self)
        return self._as_own(np.real)

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        if self.weak and self.dtype.kind != "c":
            return call_python(e.multiply, 0, self)
        return self._as_own(np.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("cannot set imaginary part of a non-complex array")
        self.imag[...] = value

    @property
    def flat(self) -> Any:
        from symdiff.frontend import stores  # which know where its elements are

        return stores.flat_of(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        self.flat[...] = value

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tracer]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __getattr__(self, name: str) -> Any:
        kind = self.untraced_type
        if hasattr(kind, name) and not name.startswith("__"):  # those say what this is
            from symdiff.frontend import states  # only for what few programs ask

            return states.attribute(self, name)
        raise AttributeError(f"{_qualified(kind)!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        if context.is_internal(sys._getframe(1).f_code):
            return f"<traced {self.node.type}>"
        return format(self, "!r")

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        from symdiff.frontend import texts  # for the programs that make text

        return texts.text_of(self, spec)

    # ------------------------------------------------------------------ protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            return call(getattr(ufunc, method), *args, **kwargs)
        return call(ufunc, *args, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in QUERIES and not context.is_at_user():  # rules ask for little else
            return HANDLERS[function](*args, **kwargs)
        return call(function, *args, **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        decide(self.node)
        fixed = guards.fixed_value(self)
        if fixed is None:
            trace_created()
            self._refuse_plain("NumPy array")
        return np.array(fixed, dtype)

    def _refuse_plain(self, what: str) -> NoReturn:
        self.refuse(
            f"a traced value cannot become a plain {what}",
            "Build arrays with np.array, np.stack or np.concatenate; store with np.where.",
        )

    def __bool__(self) -> bool:
        decide(self.node)
        trace_created(only_in_stores=True)
        return guards.truth(self)

    def __float__(self) -> float:
        decide(self.node)
        fixed = guards.fixed_value(self)
        if fixed is None:
            trace_created()
            self._refuse_plain("Python float")
        return float(fixed)

    def __int__(self) -> int:
        decide(self.node)
        trace_created(only_in_stores=True)
        return guards.whole_number(self)

    def __complex__(self) -> complex:
        decide(self.node)
        trace_created()
        self.refuse("a traced value cannot become a Python complex", "Use .astype(complex).")

    def __index__(self) -> int:
        decided = decide_index(self)
        if decided is None and self.dtype.kind not in "iub":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        if decided is None and differs(self.node):
            trace_created()
        return guards.whole_number(self) if decided is None else decided

    def __hash__(self) -> int:  # noqa: PLE0309  as __bool__
        if self.in_memory:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        decide(self.node)
        self.refuse(
            "a traced value is looked up in a dict or a set",
            "Use a list and an index, or make it a string or an int argument of its own.",
        )

    def __setitem__(self, index: Any, value: Any) -> None:
        from symdiff.frontend import stores  # only for programs that store

        context.at_user_place(user_call, stores.store, (self, index, value), {})

    def refuse_store(self, what: str) -> NoReturn:
        """Raises TraceError: what is stored into is no value of this trace."""
        self.refuse(what, "Write y = y + x, np.where(mask, new, old), np.concatenate of parts.")

    def overwrite(self, result: Tracer) -> None:
        """Become the result in place, so that other names of this array see it: `x += y`."""
        if result.shape != self.shape:
            what = f"an array of shape {self.shape} cannot take a result of shape {result.shape}"
            raise ShapeError(word(what, where=where()))
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"Cannot cast output from {result.dtype!r} to {self.dtype!r} with casting rule "
                "'same_kind'"
            )
        memory.change(self, coerce(result.node, self.node.type))

    def check_change(self) -> None:
        """Raises TraceError where an array cannot be changed in place."""
        step = self.view_of.step if self.view_of is not None else None
        if step is not None and isinstance(step.op, Primitive) and step.op.read_only:
            self.refuse(f"the result of np.{step.op.name} is read-only", "Change a copy of it.")

    def refuse(self, what: str, way_out: str) -> NoReturn:
        root = depends_on(self.node)
        context.refuse(TraceError(word(what, where=where(), depends_on=root, way_out=way_out)))

    def __getitem__(self, index: Any) -> Any:
        return context.at_user_place(user_call, _getitem, (self, index), {})

    # ------------------------------------------------------------------ methods

    def astype(self, dtype: Any, order: str = "K", casting: str = "unsafe",
               subok: bool = True, copy: bool = True) -> Any:
        if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
            raise TypeError(
                f"Cannot cast array data from {self.dtype!r} to {np.dtype(dtype)!r} according to "
                f"the rule {casting!r}"
            )
        return self if not copy and np.dtype(dtype) == self.dtype else call(astype, self, dtype)

    def copy(self, order: str = "C") -> Any:
        made = Tracer(self.node, self.is_array)
        made.contiguous = order == "C"
        return made

    def __copy__(self) -> Tracer:
        return Tracer(self.node, self.is_array)

    def __deepcopy__(self, memo: Any) -> Tracer:
        return Tracer(self.node, self.is_array)

    def reshape(self, *shape: Any, **options: Any) -> Any:
        return call(np.reshape, self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        if len(axes) == 1 and (axes[0] is None or np.ndim(axes[0])):
            axes = axes[0]
        return call(np.transpose, self, axes or None)

    def flatten(self, order: str = "C") -> Any:
        return call(np.ravel, self, order=order).copy()

    def view(self, dtype: Any = None) -> Any:
        if dtype is not None and np.dtype(dtype) != self.dtype:
            self.refuse("the bits of a traced array are not known", "Use .astype for its values.")
        return self

    def sort(self, axis: int = -1, kind: Any = None, *, stable: Any = None) -> None:
        self.overwrite(call(np.sort, self, axis, kind, stable=stable))

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect") -> None:
        self.overwrite(call(np.partition, self, kth, axis, kind))

    def conj(self) -> Any:
        return self._as_own(np.conjugate) if self.dtype.kind == "c" else self  # itself, as NumPy

    conjugate = conj

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        return call(np.compress, condition, self, axis)

    def item(self, *index: Any) -> Any:
        if not index:
            one = self.reshape(())
        elif len(index) == 1 and not isinstance(index[0], tuple):
            one = call(np.ravel, self)[index[0]]  # one number counts through the flattened array
        else:
            one = self[index[0] if len(index) == 1 else index]
        return call(e.convert, one, dtype=self.dtype, weak=True)

    def __round__(self, digits: int | None = None) -> Any:
        if digits is None:
            return self._to_int(e.rint)
        if self.weak:
            self.refuse(
                "round() of a Python number to digits differs from NumPy's in the last one",
                "Use np.round.",
            )
        return call(np.round, self, digits)

    def _as_own(self, function: Callable[..., Any], *args: Any) -> Any:
        """What a method of the value gives: of a Python number, a Python number."""
        result = call(function, self, *args)
        return call(e.convert, result, dtype=result.dtype, weak=True) if self.weak else result

    def __floor__(self) -> Any:
        return self._to_int(e.floor)

    def __ceil__(self) -> Any:
        return self._to_int(e.ceil)

    def __trunc__(self) -> Any:
        return self._to_int(e.trunc)

    def _to_int(self, rounding: Primitive) -> Any:
        """A rounded number as the Python int that round(), math.floor() and the like give."""
        rounded = call_python(rounding, self.item())
        return call(e.convert, rounded, dtype=np.dtype(int), weak=True)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def tolist(self) -> Any:
        return [each.tolist() for each in self] if self.ndim else self.item()

    tolist.cost = "takes the numbers one by one"  # type: ignore[attr-defined]


def _qualified(kind: type) -> str:
    """The name of a class in messages of Python's."""
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__


def _method(function: Callable[..., Any]) -> Any:
    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        return call(function, self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"As np.{function.__name__}."
    return method


for _name in (
    "sum", "mean", "std", "var", "prod", "max", "min", "argmax", "argmin", "cumsum",
    "cumprod", "ravel", "squeeze", "swapaxes", "dot", "clip", "trace", "diagonal", "repeat",
    "take", "round", "all", "any", "choose", "nonzero", "argsort", "argpartition",
    "searchsorted",
):  # fmt: skip
    setattr(Tracer, _name, _method(getattr(np, _name)))


def _operator(ufunc: Any, reflected: bool = False) -> Any:
    op = find(ufunc)
    assert isinstance(op, Primitive)

    def forward(self: Tracer, other: Any) -> Any:
        if type(other) in _SCALARS or isinstance(other, Tracer):
            return context.at_user_place(user_call, _python, (op, self, other), {})
        if _defers(other) or _repeats(ufunc, self, other):
            return NotImplemented
        return call(ufunc, self, other)

    def backward(self: Tracer, other: Any) -> Any:
        if type(other) in _SCALARS:
            return context.at_user_place(user_call, _python, (op, other, self), {})
        if _repeats(ufunc, self, other):
            return NotImplemented
        return call(ufunc, other, self)

    return backward if reflected else forward


def _in_place(operation: Callable[[Tracer, Any], Any]) -> Any:
    """An augmented assignment: of an array in place, of a scalar to a new one."""

    def method(self: Tracer, other: Any) -> Any:
        result = operation(self, other)
        if result is NotImplemented or not self.in_memory:
            return result
        self.overwrite(result)
        return self

    return method


_SCALARS = {bool, int, float, complex}


def _defers(other: Any) -> bool:
    """Whether the other operand is of a type that NumPy itself would not take."""
    if isinstance(other, (str, bytes, dict, set)) or other is None:
        return True
    kinds = type(other), other.__class__  # of a stand-in, and what it stands for
    return any(getattr(each, "__array_ufunc__", other) is None for each in kinds)  # as NumPy asks


def _repeats(ufunc: Any, number: Tracer, other: Any) -> bool:
    """Whether this is `[x] * n`, which Python repeats for integers that are no arrays."""
    if ufunc is not np.multiply or not isinstance(other, (list, tuple, str, bytes)):
        return False
    kinds = "biu" if number.weak else "iu"
    return not (number.is_array or number.shape) and number.dtype.kind in kinds


def _python(op: Primitive, *args: Any) -> Any:
    """A Python operator: of Python numbers it gives a Python number."""
    handler = HANDLERS.get(op.function)
    if handler is not None and op.function is not np.matmul:
        return handler(*args, python=True)
    if op.function is np.matmul:
        return HANDLERS[np.matmul](*args)
    return elementwise(op, args, python=True)


for _name, _ufunc in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
}.items():
    setattr(Tracer, f"__{_name}__", _operator(_ufunc))
    setattr(Tracer, f"__r{_name}__", _operator(_ufunc, reflected=True))
    setattr(Tracer, f"__i{_name}__", _in_place(_operator(_ufunc)))
for _name, _ufunc in {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}.items():
    setattr(Tracer, f"__{_name}__", _operator(_ufunc))


def _unary(ufunc: Any) -> Any:
    op = find(ufunc)

    def method(self: Tracer) -> Any:
        return context.at_user_place(user_call, _python, (op, self), {})

    return method




def _matmul(self: Tracer, other: Any) -> Any:
    return NotImplemented if _defers(other) else call(np.matmul, self, other)


def _rmatmul(self: Tracer, other: Any) -> Any:
    return call(np.matmul, other, self)


for _name, _function in {
    "neg": _unary(np.negative),
    "pos": _unary(np.positive),
    "abs": _unary(np.absolute),
    "invert": _unary(np.invert),
    "matmul": _matmul,
    "imatmul": _in_place(_matmul),
    "rmatmul": _rmatmul,
}.items():
    setattr(Tracer, f"__{_name}__", _function)


# ---------------------------------------------------------------------------- lifting


def lift(value: Any) -> Node:
    """The node of a traced value, or a constant for anything NumPy could compute with."""
    if isinstance(value, Tracer):
        return value.node
    if type(value) in _SCALARS:
        known = extents.expression(value) if type(value) is int and value >= LEAST else None
        return known or constant(value, type_of(value))
    if isinstance(value, (list, tuple)):
        return lift(as_array(value))
    if is_foreign(value) or hasattr(value, "__dataframe__"):
        _refuse_value(value)
    array = np.asarray(value)
    if not is_supported(array.dtype):
        _refuse_value(value)
    if isinstance(value, np.generic) or array.ndim == 0:
        return constant(array[()], type_of(array))
    return constant(_snapshot(array), type_of(array))


def _snapshot(array: np.ndarray) -> Any:
    """The array as it is now, since the function may store into it later; equal ones once."""
    running = context.current()
    if array.size <= SMALL or running is None:
        return array
    data = np.ascontiguousarray(array)
    bits = data.view(np.uint8).reshape(array.size, -1)
    if (bits[0] == bits[-1]).all() and (bits == bits[0]).all():
        return data.reshape(-1)[0]
    import hashlib  # which loads OpenSSL

    key = type_of(array), hashlib.blake2b(bits.data).digest()
    kept = running.constants.get(key)
    if kept is None:
        kept = running.constants[key] = array.copy()
    return kept


def _refuse_value(value: Any) -> NoReturn:
    plain = isinstance(value, np.ndarray) and not is_foreign(value)
    what = f"dtype {value.dtype}" if plain else f"type {type(value).__name__}"
    context.refuse(TraceError(
        word(
            f"a value of {what} cannot take part in a traced computation",
            where=where(),
            way_out="Convert it to a NumPy array of numbers first.",
        )
    ))


def as_array(value: Any) -> Any:
    """A nested list in which traced values may stand, as one (traced) array."""
    if not isinstance(value, (list, tuple)) or not holds_tracer(value):
        return value if isinstance(value, Tracer) else np.asarray(value)
    return call(np.stack, [_element(each) for each in value])


def _element(value: Any) -> Any:
    """A part of a list: there a Python number counts as much as a NumPy one."""
    value = as_array(value)
    if isinstance(value, Tracer) and value.weak:
        return Tracer(coerce(value.node, array_type(value.dtype, value.shape)))
    return value


def holds_tracer(value: Any) -> bool:
    """Whether a value is traced, or a nested list that holds a traced one."""
    if isinstance(value, (list, tuple)):
        return any(holds_tracer(each) for each in value)
    return isinstance(value, Tracer)


def coerce(operand: Node, target: ArrayType) -> Node:
    """The operand in the target's dtype and shape, by explicit nodes; constants directly."""
    if operand.type == target:
        return operand
    if isinstance(operand, Const) and operand.uniform:
        return constant(_cast(operand.value, target), target)
    source = operand.type
    if source.dtype != target.dtype or (source.weak and source.shape != target.shape) or (
        source.weak != target.weak
    ):
        params = (("dtype", target.dtype), ("weak", target.weak))
        operand = node(e.convert, (operand,), params)
    if operand.type.shape != target.shape:
        operand = node(shaping.broadcast_to, (operand,), (("shape", target.shape),))
    return operand


def strong(operand: Node) -> Node:
    """A node whose type is not a Python scalar's."""
    if not operand.type.weak:
        return operand
    return coerce(operand, array_type(operand.type.dtype, operand.type.shape))


def _cast(value: Any, target: ArrayType) -> Any:
    if target.weak:
        return target.python(value)
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(target.dtype)[()] if isinstance(value, np.generic) else (
            np.asarray(value, dtype=target.dtype)[()]
        )


@lru_cache(maxsize=4096)
def _plan(op: Primitive, types: tuple[ArrayType, ...], python: bool) -> tuple[ArrayType, ...]:
    """The types that the operands of an elementwise op are brought to."""
    shape = np.broadcast_shapes(*[each.shape for each in types])
    weak = all(each.weak for each in types)
    spec = tuple([_weak_spec(each, op) if each.weak else each.dtype for each in types])
    loop = resolve(op.function, spec)
    return tuple([array_type(dtype, shape, weak and python) for dtype in loop[: len(types)]])


def _weak_spec(each: ArrayType, op: Primitive) -> type:
    # in Python arithmetic True is 1
    return int if each.python is bool and op.infix in _ARITHMETIC else each.python


_ARITHMETIC = {"+", "-", "*", "/", "//", "%", "**"}


def elementwise(op: Primitive, args: Any, python: bool = False, **params: Any) -> Tracer:
    """Apply an elementwise primitive as NumPy does: promote, broadcast, compute."""
    operands = [lift(arg) for arg in args]
    python = python or (context.on_numbers.get() and bool(op.infix or op.python))
    targets = _plan(op, tuple([each.type for each in operands]), python)
    operands = [coerce(each, target) for each, target in zip(operands, targets, strict=True)]
    return Tracer(node(op, tuple(operands), tuple(sorted(params.items()))))


def bind(op: Primitive, args: Any, params: dict[str, Any]) -> Tracer:
    """Apply a primitive to operands: those it is differentiated in are brought to one dtype."""
    operands = [lift(arg) for arg in args]
    if op.foreign:  # it is called with what it is given
        return Tracer(node(op, tuple(operands), tuple(sorted(params.items()))))
    values = [i for i in range(len(operands)) if op.rule(i) is not CONSTANT]
    if len(values) > 1:
        dtype = np.result_type(*[_promotable(operands[i].type) for i in values])
        for i in values:
            operands[i] = coerce(operands[i], array_type(dtype, operands[i].type.shape))
    places = op.arguments[-1] == "indices"  # where a Python int stays one, as in x[i]
    operands = [
        each if places and op.argument(i) == "indices" else strong(each)
        for i, each in enumerate(operands)
    ]
    made = node(op, tuple(operands), tuple(sorted(params.items())))
    extents.check_reduced(made)
    in_memory = memory.shares(made) is not False
    result = Tracer(made, is_array=in_memory and not _is_scalar(args[0]))
    return memory.share(result, args[0], made) if isinstance(args[0], Tracer) else result


def _is_scalar(value: Any) -> bool:
    """Whether the value is a NumPy scalar: a view of one is a scalar too."""
    return isinstance(value, Tracer) and not (value.in_memory or value.weak)


def _promotable(each: ArrayType) -> Any:
    return each.python(0) if each.weak else each.dtype


# ---------------------------------------------------------------------------- calls


def call(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a NumPy function, or one of our primitives, on arguments some of which are traced."""
    if any(hasattr(type(each), "stands_for_a_part") for each in args):
        from symdiff.frontend import selected  # for what few programs do

        return selected.apply(function, args, kwargs)
    if type(function) is np.ufunc and (kwargs or len(args) > function.nin):
        from symdiff.frontend import options  # which few programs use

        return context.at_user_place(user_call, options.call_ufunc, (function, args, kwargs), {})
    out = kwargs.pop("out", None) if kwargs else None
    result = apply(function, args, kwargs)
    if out is None:
        return result
    if isinstance(result, tuple):
        outs = out if isinstance(out, tuple) else (out,)
        return tuple(starmap(_stored, zip_longest(result, outs)))
    return _stored(result, out[0] if isinstance(out, tuple) and len(out) == 1 else out)


def apply(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """As `call`, but for where results are stored."""
    return context.at_user_place(user_call, _dispatch, (function, *args), kwargs)


def _stored(result: Any, out: Any) -> Any:
    """A result, in the array given with `out=` for it."""
    if out is None:
        return result
    if not isinstance(out, Tracer):
        refuse_plain(result)
    out.overwrite(result)
    return out


def call_python(op: Primitive, *args: Any) -> Any:
    """Apply an elementwise primitive as a Python function does: to numbers it gives a number."""
    return context.at_user_place(user_call, _python, (op, *args), {})


def user_call(action: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operation, its errors worded with the user's line, its operands and result noted."""
    running = context.current()
    if running is not None and running.place is not None:
        operands = args if isinstance(args[0], Tracer) else args[1:]
        nodes = tuple([each.node if isinstance(each, Tracer) else None for each in operands])
        running.operands.append((running.place, nodes))
    try:
        result = action(*args, **kwargs)
    except SymdiffError:
        raise
    except (ValueError, IndexError) as error:
        raise _misfit(error)(word(str(error), where=where())) from None
    except NotImplementedError as error:
        _refuse_function(error)
    except TypeError as error:
        if action is _dispatch:
            from symdiff.frontend import advice  # for what few programs do

            try:
                advice.check_arguments(error, args[0], args[1:], kwargs)
            except NotImplementedError as other:
                _refuse_function(other)
        raise
    if running is not None and running.place is not None and isinstance(result, Tracer):
        running.named.setdefault(result.node, assigned_place(running.place))
    return result


def _refuse_function(error: NotImplementedError) -> NoReturn:
    context.refuse(UnsupportedFunctionError(word(str(error), where=where())))


def _misfit(error: ValueError | IndexError) -> type[SymdiffError]:
    """The class under which the user's code can catch NumPy's error as well."""
    if isinstance(error, np.exceptions.AxisError):
        return BadAxisError
    return ShapeError if isinstance(error, ValueError) else BadIndexError


def _dispatch(function: Any, *args: Any, **kwargs: Any) -> Any:
    handler = HANDLERS.get(function)
    if handler is not None:
        return handler(*args, **kwargs)
    found = find(function)
    if found is None:
        from symdiff.frontend import states  # only for what few programs call

        return states.call_declared(function, args, kwargs)
    ours = found.call if isinstance(found, Primitive) else found
    args, kwargs = _explicit(function, ours, args, kwargs)
    out = kwargs.pop("out", None)
    if out is not None:  # by position
        return call(function, *args, **kwargs, out=out)
    if not isinstance(found, Primitive):
        made = found(*args, **kwargs)
        return made if getattr(found, "gives_array", False) else _as_returned(made, args)
    if found.elementwise and isinstance(found.function, np.ufunc):
        if kwargs and function is not found:
            raise NotImplementedError(f"np.{found.name} with {', '.join(kwargs)}= is not traced")
        return elementwise(found, args, **kwargs)
    if found.call is not None and function is not found:
        args, kwargs, *instead = found.call(*args, **kwargs)
        found = instead[0] if instead else found
    return bind(found, args, kwargs)


def _as_returned(result: Any, args: Any) -> Any:
    """The result of a composite: NumPy's functions return scalars, but for views of arguments."""
    if not isinstance(result, Tracer) or result.shape or not result.is_array:
        return result
    root = result.node
    while isinstance(root.op, Primitive) and root.op.view:
        root = root.args[0]
    given = any(isinstance(each, Tracer) and strong(each.node) is root for each in args)
    return result if given else Tracer(result.node)


def _explicit(
    function: Any, ours: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments without those that say what NumPy does anyway.

    Those that ours takes by keyword only, or not at all, are named.
    """
    limit = _positional(ours)
    if not kwargs and len(args) <= limit:
        return args, kwargs
    defaults = _defaults(function)
    if len(args) > limit and len(defaults) >= len(args):
        kwargs = dict(zip(list(defaults)[limit:], args[limit:], strict=False)) | kwargs
        args = args[:limit]
    kwargs = {
        key: each
        for key, each in kwargs.items()
        if each is not defaults.get(key, kwargs) and key != "subok"  # of no other class, ever
    }
    if kwargs.get("where") is True and "where" in defaults:
        del kwargs["where"]
    known = _keywords(ours) if kwargs else None
    for key in kwargs:
        if known is not None and key not in known and key in defaults and key != "out":
            raise NotImplementedError(f"{key}= of {function_name(function)} is not traced")
    return args, kwargs


@lru_cache(maxsize=1024)
def _defaults(function: Any) -> dict[str, Any]:
    """The parameters of a NumPy function and their defaults; none where it takes any number."""
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is not None and not code.co_flags & inspect.CO_VARARGS:  # inspect is far slower
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        given = plain.__defaults__ or ()
        first = code.co_argcount - len(given)
        positional = dict(zip(names[first : code.co_argcount], given, strict=True))
        return dict.fromkeys(names, inspect.Parameter.empty) | positional | (
            plain.__kwdefaults__ or {}
        )
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return {}
    return {each.name: each.default for each in parameters}


@lru_cache(maxsize=1024)
def _keywords(ours: Any) -> frozenset[str] | None:
    """The names under which one of our functions takes arguments; None if it takes any."""
    parameters = inspect.signature(ours).parameters.values() if ours is not None else ()
    if ours is None or any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return frozenset(each.name for each in parameters)


def _positional(ours: Any) -> int:
    """How many arguments one of our functions takes by position."""
    code = getattr(ours, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return sys.maxsize
    return int(code.co_argcount)


def _getitem(x: Tracer, index: Any) -> Any:
    return HANDLERS[operator.getitem](x, index)


def astype(x: Any, dtype: Any) -> Any:
    """x as an array of another dtype."""
    operand = lift(x)
    return Tracer(coerce(operand, array_type(np.dtype(dtype), operand.type.shape)), x.is_array)


HANDLERS[astype] = astype


def decide_index(tracer: Tracer) -> int | None:
    """The Python int that a traced one stands for, if its argument can be made static."""
    root = tracer.node
    if isinstance(root, Const) and root.type.dtype.kind in "iub" and root.uniform:
        return int(root.value)
    decide(root)
    return None


def decide(root: Node) -> None:
    """Ask for a trace that knows a value on which its course depends, if it can be known.

    That is, if it depends on nothing but Python ints and bools, and arrays from outside.
    """
    running = context.current()
    if differs(root):
        return
    inputs = inputs_of(root)
    interposer = running.interposer if running is not None else None
    for each in inputs:
        is_int = each.type.weak and each.type.dtype.kind in "iub"
        is_int = is_int or (running is not None and each in running.integers)
        if not is_int and (interposer is None or not interposer.hides(each)):
            return
    if inputs:
        context.refuse(StaticArgument(inputs))


def differs(root: Node) -> bool:
    """Whether a value is not one, since it is another in each turn of a loop."""
    running = context.current()
    if running is None or not running.flow.placeholders:
        return False
    return not running.flow.placeholders.isdisjoint(inputs_of(root))


class StoredInCreated(BaseException):
    """Raised when a traced value is stored in a plain array, which the function may have made.

    It is traced again with the arrays that it makes traced as constants.
    """


def trace_created(only_in_stores: bool = False) -> None:
    """Ask for a trace in which the arrays that the function makes are traced, unless this is it."""
    running = context.current()
    if running is None or running.interposer is None or running.interposer.creates:
        return
    if not only_in_stores or stores_part(running.place or context.user_place()):
        context.refuse(StoredInCreated())


def refuse_plain(value: Tracer) -> NoReturn:
    """A traced value is stored in an array that is not traced."""
    trace_created()
    value.refuse(
        "a traced value is stored in a plain array, which the function has not made",
        "Store in a copy of it, np.array(...).",
    )


class StaticArgument(BaseException):
    """Raised when a traced Python int, or an array from outside, decides the course of the trace.

    It is traced again with that known.
    """

    def __init__(self, inputs: list[Input]) -> None:
        super().__init__()
        self.inputs = inputs
        self.names: set[str] = set()

    def name(self, known: Mapping[Input | None, str]) -> None:
        """Note the names of the leaves that the inputs are, where they are known."""
        self.names |= {known[each] for each in self.inputs if each in known}


# ---------------------------------------------------------------------------- wording


def inputs_of(root: Node) -> list[Input]:
    """The inputs that a node depends on, in order."""
    from symdiff.ir.graph import toposort

    return [each for each in toposort([root]) if isinstance(each, Input)]


def where() -> str:
    """`file.py:14: the line`, for messages."""
    running = context.current()
    return said((running.place if running else None) or context.user_place())


def depends_on(root: Node) -> str:
    """`depends on arguments `W`, `b``, for messages."""
    names = [f"`{each.name}`" for each in inputs_of(root)]
    if not names:
        return ""
    return f"depends on argument{'s' if len(names) > 1 else ''} {', '.join(names)}"
