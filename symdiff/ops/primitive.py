"""A primitive is one record: its meaning, types, rules, printing, batching and samples.

The four constructors `elementwise`, `linear`, `primitive` and `constant` fill in defaults; the
registry refuses a record that leaves an argument without a rule. Rules are plain NumPy functions:
called on arrays they compute, called on tracers they build graphs.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from symdiff.errors import RuleError
from symdiff.ir.node import Params
from symdiff.ir.types import ArrayType, array_type


class Partial(NamedTuple):
    """Elementwise: the tangent is `coefficient(y, *args) * x_dot`. May be the number 1, -1 or 0."""

    coefficient: Callable[..., Any]


@dataclass(frozen=True)
class Always:
    """A coefficient that is a number, whatever the operands are: 1, -1 or 0."""

    number: int

    def __call__(self, *args: Any, **params: Any) -> int:
        return self.number


class Transpose(NamedTuple):
    """The op is linear in the argument: `adjoint(y_bar, *args)` is its cotangent.

    The argument itself is passed as a stand-in that has a shape and a dtype but no value. With
    `accumulates`, the rule is called as `adjoint(x_bar, y_bar, *args)` and adds to `x_bar`. The
    rule of an argument that repeats gives a list, the cotangents of all operands it stands for.
    """

    adjoint: Callable[..., Any]
    accumulates: bool = False


class Jvp(NamedTuple):
    """Everything else: `tangent(y, *args, x_dot)`, linear in `x_dot`."""

    tangent: Callable[..., Any]


class Tangents(NamedTuple):
    """Of all operands with this rule at once, as nodes: `tangent(each, dots)`, None for zero.

    `dots` has a tangent for each operand that has one, and None for the others.
    """

    tangent: Callable[[Any, Sequence[Any]], Any]


class Cotangents(NamedTuple):
    """Linear in each operand with this rule: `adjoint(each, y_bar)`, as nodes, one per operand.

    Of a call that returns several values `y_bar` holds those of the parts that have one, by path.
    """

    adjoint: Callable[[Any, Any], Sequence[Any]]


class Constant:
    """No derivative with respect to this argument."""

    __slots__ = ()


class Refused(NamedTuple):
    """There is a derivative, but no formula for it: asking for it is an error with this reason."""

    reason: str


CONSTANT = Constant()
Rule = Partial | Transpose | Jvp | Tangents | Cotangents | Constant | Refused


class ResultRule(Protocol):
    """Argument types and parameters to the type of the result."""

    def __call__(self, *types: Any, **params: Any) -> ArrayType: ...


class SharingRule(Protocol):
    """Whether the result of a view shares memory; None where the operand's layout decides."""

    def __call__(self, *types: Any, **params: Any) -> bool | None: ...


class BatchRule(Protocol):
    """The op on operands with a leading batch axis: a NumPy function, given the op's parameters.

    Its result has the batch axis in front. A rule with a parameter `batched` is told which
    operands have the axis, one bool each, and gets the others as they are; for a rule without
    it they are broadcast first.
    """

    def __call__(self, *args: Any, **params: Any) -> Any: ...


class Template(Protocol):
    """NumPy source of one application, from the source of its operands.

    A template with a parameter `types` is told the types of the operands.
    """

    def __call__(self, *args: Any, **params: Any) -> str: ...


class Call(Protocol):
    """The NumPy function's own signature, returning (operands, params) of the primitive.

    Where the arguments mean that another primitive is called, that is returned as a third.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


class Fold(NamedTuple):
    """A reduction in C, for a dtype: what a total starts with, what `{x}` makes of `{total}`."""

    start: Callable[[np.dtype[Any]], str]
    step: Callable[[np.dtype[Any]], str]


class Part(NamedTuple):
    """A part of a result, by a static index and the operands that are arrays in it.

    The operand at `value` is stored there, or added to what is there.
    """

    at: tuple[Any, ...]
    indices: tuple[int, ...]
    value: int
    adds: bool = False


class Parts(NamedTuple):
    """In C the result is stored part by part: `parts(result_type, *types, **params)`."""

    parts: Callable[..., Sequence[Part]]


class Routine(NamedTuple):
    """In C it is one of the few operations that have an own way to be written."""

    name: str


class Core(NamedTuple):
    """A C function of arrays that lie in memory, as NumPy describes a core of its own.

    Its arguments are the addresses of operands and results, the extents that letters of the
    signature stand for, in order, the `numbers`, and with `work` so many bytes of memory.
    Several results have the dtypes given, or that of the first operand.
    """

    function: str
    signature: str  # "(n),(n,k)->(k)"; an extent may be a number
    numbers: tuple[int, ...] = ()
    work: int | None = None
    dtypes: tuple[Any, ...] = ()


class Called(NamedTuple):
    """In C a function, called for each of a batch: `core(*types, **params)`, None without one."""

    core: Callable[..., Core | None]


class Case(NamedTuple):
    """One sample application for the generated tests: operand specs like "f[3,4]" and params."""

    args: tuple[str, ...]
    params: Mapping[str, Any]


def case(*args: str, **params: Any) -> Case:
    """A sample application: `case("f[3,4]", axis=(0,))`.

    Specs: `f` float, `c` complex, `i` integer that indexes the first operand, `b` boolean, `u`
    byte; a suffix picks values: `f[3,3]:spd` symmetric positive definite, `:regular` well
    conditioned, `:distinct` without ties, `:sorted`, `:positive`; `b[4]:2` has two elements that
    are True.
    """
    return Case(args, params)


class Samples(NamedTuple):
    """Where the generated tests evaluate a primitive: intervals for each operand, and cases.

    Without cases an elementwise primitive is tried at several shapes, and on complex numbers
    where its function takes them, unless `complex` says that its rules are for real ones.
    """

    low: float | tuple[float, ...] = -2.0
    high: float | tuple[float, ...] = 2.0
    cases: tuple[Case, ...] = ()
    complex: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class Primitive:
    """Everything that is known about one operation. Identity is equality."""

    name: str
    function: Callable[..., Any]  # what the tracer intercepts, and the reference meaning
    arguments: tuple[str, ...]  # names; the last one repeats where `variadic`
    result: ResultRule
    rules: Mapping[str, Rule]
    call: Call | None = None  # the NumPy signature -> operands and params
    variadic: bool = False
    elementwise: bool = False
    commutative: bool = False
    numbers: bool = False  # NumPy's call takes Python numbers for arrays without axes
    joint: bool = False  # linear in all value operands together (concatenate, where)
    control: bool = False  # its parameters hold graphs, which it runs
    objects: tuple[tuple[str, Any], ...] = ()  # what its source calls besides NumPy, with a name
    reverse_only: bool = False  # a tangent that can be transposed, and not computed
    repeats_operands: bool = False  # its source evaluates them again and again
    foreign: bool = False  # what it reads and returns may be kept by others
    effect: bool = False  # a statement of its own, in order; read by what comes after
    decides: bool = False  # the program may end here: it was compiled for another decision
    by_row: Callable[..., str] = lambda **params: ""  # of an effect: why it has to be row by row
    view: bool = False  # NumPy's result may share memory with the first operand
    shares: SharingRule | None = None  # whether it does; without a rule it always does
    read_only: bool = False  # ... and cannot be stored into
    distinct: bool = False  # no integer stands twice along the axis of the result
    risky: bool = False  # may raise a floating point warning where its operands are fine
    infix: str = ""  # Python operator, if it has one
    python: str = ""  # source on Python numbers, where its result is one: "math.exp({x})"
    lean: Template | None = None  # source that costs least to call, "" where it does not apply
    numpy: str | Template = ""  # source, or the function's dotted name; default "np.name({x}, ...)"
    parts: tuple[str, ...] = ()  # of a call that returns several arrays: what these are called
    # NumPy code it is written out as, if no one call; with a parameter `reuse` it is told whether
    # the code is to save memory
    expansion: Callable[..., Any] | None = None
    # C: an expression of one element of each operand, or what else it is there, "" where nothing
    c: str | Template | Fold | Parts | Routine | Called = ""
    c_expansion: Callable[..., Any] | None = None  # NumPy code that it is written out as for C
    batch: BatchRule | None = None
    sympy: str | None = None
    convention: str = ""  # what the derivative is where mathematics leaves a choice
    cost: str = ""  # why it takes over 3 times NumPy's call: "takes two powers"
    samples: Samples = field(default_factory=Samples)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply to arrays, or to traced values through NumPy's own protocol."""
        for arg in args:
            if hasattr(arg, "__array_function__") and type(arg) is not np.ndarray:
                return arg.__array_function__(self, (type(arg),), args, params)
        return self.function(*args, **params)

    def infer(self, types: tuple[ArrayType, ...], params: Params) -> ArrayType:
        """The type of the result; cached, since equal types give equal results."""
        return _infer(self, types, params)

    def rule(self, index: int) -> Rule:
        """The rule for the operand at `index`."""
        return self.rules[self.argument(index)]

    def repeats(self, index: int) -> bool:
        """Whether the argument at `index` stands for all operands from there on."""
        return self.variadic and index == len(self.arguments) - 1

    def argument(self, index: int) -> str:
        return self.arguments[min(index, len(self.arguments) - 1)]


def asks_for(rule: Any, parameter: str) -> bool:
    """Whether a rule has this parameter, and so wants to be told what stands for it."""
    code = getattr(rule, "__code__", None)  # rules are Python functions: inspect is far slower
    if code is None:
        return parameter in inspect.signature(rule).parameters
    return parameter in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


@lru_cache(maxsize=16384)
def _infer(op: Primitive, types: tuple[ArrayType, ...], params: Params) -> ArrayType:
    return op.result(*types, **dict(params))


REGISTRY: dict[str, Primitive] = {}
BY_FUNCTION: dict[Hashable, Primitive] = {}
COMPOSITES: dict[Hashable, Callable[..., Any]] = {}


def register(op: Primitive) -> Primitive:
    """Adds a record. Raises RuleError if an argument has no rule, or a rule has no argument."""
    missing = set(op.arguments) - set(op.rules)
    unknown = set(op.rules) - set(op.arguments)
    if missing or unknown:
        raise RuleError(
            f"{op.name}: rules missing for {sorted(missing)}, unknown {sorted(unknown)}"
        )
    if op.name in REGISTRY:
        raise RuleError(f"{op.name} is registered twice")
    REGISTRY[op.name] = op
    BY_FUNCTION[op] = op
    BY_FUNCTION.setdefault(op.function, op)
    return op


def composite(
    *functions: Callable[..., Any],
    gives_array: bool = False,
    takes_sequence: bool = False,
    cost: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: calls of these NumPy functions are traced through the decorated one.

    Those that give an array without axes, and no scalar, say so, and so do those whose first
    argument is a sequence that is no array, whatever stands in it. `cost` is as in a record.
    """

    def mark(implementation: Callable[..., Any]) -> Callable[..., Any]:
        if gives_array:
            implementation.gives_array = True  # type: ignore[attr-defined]
        if takes_sequence:
            implementation.takes_sequence = True  # type: ignore[attr-defined]
        if cost:
            implementation.cost = cost  # type: ignore[attr-defined]
        for function in functions:
            COMPOSITES[function] = implementation
        return implementation

    return mark


# Records that only the programs that need them import, with their library where that is not NumPy:
# where an unknown function is from -> our modules to try, in this order.
_FAMILIES = {
    "scipy.linalg": ("symdiff.ops.scipy_linalg", "symdiff.ops.scipy_matrices",
                     "symdiff.ops.scipy_factors"),
    "scipy.sparse": ("symdiff.ops.scipy_sparse",),
    "numpy.fft": ("symdiff.ops.fourier",),
    "numpy": (
        "symdiff.ops.clipping",
        "symdiff.ops.several",
        "symdiff.ops.equations",
        "symdiff.ops.polynomials",
        "symdiff.ops.statistics",
        "symdiff.ops.decompositions",
        "symdiff.ops.questions",
        "symdiff.ops.windows",
        "symdiff.ops.order",
        "symdiff.ops.arranging",
        "symdiff.ops.masked",
        "symdiff.ops.recurrence",
        "symdiff.ops.folding",
        "symdiff.ops.sequences",
        "symdiff.ops.sampled",
        "symdiff.ops.counting",
        "symdiff.ops.draws",
    ),
    "scipy.fft": ("symdiff.ops.scipy_fft",),
    "scipy.signal": ("symdiff.ops.signal", "symdiff.ops.signal_filters"),
    "scipy.special": (
        "symdiff.ops.special",
        "symdiff.ops.special_error",
        "symdiff.ops.special_gamma",
        "symdiff.ops.special_bessel",
        "symdiff.ops.special_elliptic",
        "symdiff.ops.special_polynomials",
        "symdiff.ops.special_several",
        "symdiff.ops.special_sums",
    ),
    "scipy.integrate": ("symdiff.ops.integration",),
    "scipy.spatial": ("symdiff.ops.distances",),
    "scipy.stats": ("symdiff.ops.summaries", "symdiff.ops.distributions"),
    "symdiff": ("symdiff.ops.control",),
}


def add_family(library: str, module: str) -> None:
    """Announce a module of a higher layer, which is loaded like the records of this one."""
    _FAMILIES[library] = (*_FAMILIES[library], module)


def find(function: Any) -> Primitive | Callable[..., Any] | None:
    """The primitive or composite that stands for `function`, if there is one."""
    try:
        found = COMPOSITES.get(function) or BY_FUNCTION.get(function)
    except TypeError:  # unhashable: certainly not ours
        return None
    if found is None and isinstance(function, Primitive):  # of one call of the user's function
        return function
    if found is None and _load_family(function):
        return find(function)
    if found is None and isinstance(getattr(function, "__self__", None), np.ufunc):
        method = find(getattr(np.ufunc, function.__name__))  # np.add.reduce is one of np.add
        return partial(method, function.__self__) if method is not None else None
    if found is None and (method := COMPOSITES.get(type(function).__call__)) is not None:
        return partial(method, function)  # an object that is called
    return found


def every_primitive() -> list[Primitive]:
    """All records, those of libraries that are loaded late included, in order of declaration."""
    for modules in _FAMILIES.values():
        for module in modules:
            importlib.import_module(module)
    return list(REGISTRY.values())


def lookup(name: str) -> Primitive:
    """The primitive of this name. Raises RuleError if there is none."""
    if name not in REGISTRY:
        every_primitive()
    if name not in REGISTRY:
        raise RuleError(f"there is no primitive called {name}")
    return REGISTRY[name]


def _load_family(function: Any) -> bool:
    """Import the next module that may have a record of the function; True if there was one."""
    own = getattr(getattr(function, "__objclass__", function), "__module__", None)
    for library, modules in _FAMILIES.items():
        # SciPy's ufuncs do not say where they come from; there are none before it is imported
        theirs = isinstance(own, str) and f"{own}.".startswith(f"{library}.")
        if theirs or (isinstance(function, np.ufunc) and library in sys.modules):
            for module in modules:
                if module not in sys.modules:
                    importlib.import_module(module)
                    return True
    return False


def is_plain(value: Any) -> bool:
    """Whether a value is known: it is none that is traced, which claims to be an array as well."""
    return issubclass(type(value), (np.ndarray, np.generic, int, float, complex))


def array_of(value: Any) -> Any:
    """A number, a list or an array as NumPy's array; a traced value itself."""
    return np.asarray(value) if is_plain(value) or isinstance(value, (list, tuple)) else value


def whole_array(value: Any) -> Any:
    """As `array_of`, of a traced number too: as an array it has a dtype of its own."""
    value = array_of(value)
    return value if np.ndim(value) else value[...]


def all_batched(args: tuple[Any, ...], batched: tuple[bool, ...]) -> tuple[Any, ...]:
    """The operands, those that are not batched repeated along the batch axis."""
    count = next(np.shape(each)[0] for each, own in zip(args, batched, strict=True) if own)
    return tuple(
        each if own else np.broadcast_to(each, (count, *np.shape(each)))
        for each, own in zip(args, batched, strict=True)
    )


# ---------------------------------------------------------------------------- constructors


def _as_rule(partial: Any) -> Rule:
    if isinstance(partial, (Partial, Transpose, Jvp, Constant, Refused)):
        return partial
    if callable(partial):
        return Partial(partial)
    return Partial(Always(partial))


def elementwise(
    function: Callable[..., Any],
    *,
    partials: Mapping[str, Any],
    name: str = "",
    result: ResultRule | None = None,
    **fields: Any,
) -> Primitive:
    """An elementwise primitive, from one partial derivative per argument."""
    name = name or function.__name__
    return register(
        Primitive(
            name=name,
            function=function,
            arguments=tuple(partials),
            result=result or ufunc_result(function),
            rules={key: _as_rule(value) for key, value in partials.items()},
            elementwise=True,
            **fields,
        )
    )


def constant(function: Callable[..., Any], *, name: str = "", **fields: Any) -> Primitive:
    """An elementwise primitive whose result carries no derivative: comparisons, floor, sign."""
    count = function.nin if isinstance(function, np.ufunc) else _count_arguments(function)
    arguments = ("x",) if count == 1 else tuple(f"x{i + 1}" for i in range(count))
    return elementwise(
        function, partials=dict.fromkeys(arguments, CONSTANT), name=name, **fields
    )


def linear(
    function: Callable[..., Any],
    *,
    transpose: Mapping[str, Any],
    result: ResultRule,
    name: str = "",
    **fields: Any,
) -> Primitive:
    """A primitive linear in each argument that has a transpose rule (None: not differentiated)."""
    rules: dict[str, Rule] = {}
    for key, value in transpose.items():
        if value is None:
            rules[key] = CONSTANT
        else:
            rules[key] = value if isinstance(value, Transpose) else Transpose(value)
    return register(
        Primitive(
            name=name or function.__name__,
            function=function,
            arguments=tuple(transpose),
            result=result,
            rules=rules,
            **fields,
        )
    )


def primitive(
    function: Callable[..., Any],
    *,
    result: ResultRule,
    arguments: Sequence[str] = (),
    jvp: Mapping[str, Any] | None = None,
    transpose: Mapping[str, Any] | None = None,
    name: str = "",
    **fields: Any,
) -> Primitive:
    """A primitive from a JVP or a transpose rule per argument; the others are constant."""
    rules: dict[str, Rule] = {key: Jvp(value) for key, value in (jvp or {}).items()}
    rules |= {key: Transpose(value) for key, value in (transpose or {}).items()}
    names = tuple(arguments) or tuple(rules) or ("x",)
    for key in names:
        rules.setdefault(key, CONSTANT)
    return register(
        Primitive(
            name=name or function.__name__,
            function=function,
            arguments=names,
            result=result,
            rules=rules,
            **fields,
        )
    )


def _count_arguments(function: Callable[..., Any]) -> int:
    return len(inspect.signature(function).parameters)


# ---------------------------------------------------------------------------- result rules


def ufunc_result(function: Any) -> ResultRule:
    """The result rule of a ufunc whose operands already have equal shapes and loop dtypes."""

    def result(*types: ArrayType, **params: Any) -> ArrayType:
        first = types[0]
        dtype = resolve(function, tuple([each.dtype for each in types]))[-1]
        weak = all(each.weak for each in types)
        return array_type(dtype, first.shape, weak)

    return result


@lru_cache(maxsize=4096)
def resolve(function: np.ufunc, operands: tuple[Any, ...]) -> tuple[np.dtype[Any], ...]:
    """The loop dtypes of a ufunc, operands then result; Python `int`, `float` are weak operands.

    Raises TypeError where the ufunc has no loop for them.
    """
    spec = tuple([np.dtype(bool) if each is bool else each for each in operands])
    if all(each is int for each in spec):  # NumPy would pick object loops for comparisons
        spec = (np.dtype(np.int64),) * len(spec)
    return function.resolve_dtypes((*spec, *(None,) * function.nout))[: len(spec) + 1]


def same_type(x: ArrayType, *others: ArrayType, **params: Any) -> ArrayType:
    """The result has the type of the first operand."""
    return x
