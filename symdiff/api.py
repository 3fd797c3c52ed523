"""The public transformations: what they are asked, what they return, and their compile cache."""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symdiff import pipeline
from symdiff.errors import NotDifferentiableError, TraceError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import Parameters, function_name, parameters_of
from symdiff.frontend.pytree import Spec, flatten, unflatten
from symdiff.frontend.trace import Leaf, Traced, leaf_names
from symdiff.frontend.tracer import StaticArgument, Tracer, coerce, lift
from symdiff.ir.graph import substitute
from symdiff.ir.node import compilation
from symdiff.ir.types import array_type, is_supported, type_of
from symdiff.ops import elementwise
from symdiff.pipeline import JIT, JVP, VJP, Request, Work
from symdiff.runtime.dispatch import (
    MISS,
    CacheInfo,
    Dispatcher,
    Entry,
    Layout,
    Redescribe,
    Static,
    make_entry,
)
from symdiff.runtime.python_module import imports_of, load

_all: weakref.WeakSet[Transformed] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Compiled:
    """One compiled signature: its source, the function, and how it came about."""

    source: str
    function: Callable[..., Any]
    work: Work
    request: Request


class Transformed:
    """A function compiled per signature. Call it as you would the function it came from."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        mode: str = JIT,
        suffix: str = "",
        argnums: int | Sequence[int] = (),
        argnames: str | Sequence[str] | None = None,
        has_aux: bool = False,
        keep_value: bool = True,
        parameters: Parameters | None = None,
        name: str = "",
        math: str = "default",
        reuse: bool = False,
    ) -> None:
        self.function = function
        self.mode = mode
        self.suffix = suffix
        self.argnums = argnums
        self.argnames = argnames
        self.has_aux = has_aux
        self.keep_value = keep_value
        self.math = math
        self.reuse = reuse
        self.parameters = parameters or parameters_of(function)
        self.name = name or function_name(function)
        self._static: set[str] = set()
        self._bound: weakref.WeakKeyDictionary[Any, Transformed] = weakref.WeakKeyDictionary()
        self._dispatcher = Dispatcher(self._describe, self._compile)
        functools.update_wrapper(self, function, updated=())
        _all.add(self)

    def __new__(cls, function: Callable[..., Any], **options: Any) -> Transformed:
        # a class of its own: __call__ then has the function's own signature, and binds natively
        parameters = options.get("parameters") or parameters_of(function)
        call = _call_method(parameters, function_name(function))
        return object.__new__(type(cls.__name__, (cls,), {"__call__": call, "__slots__": ()}))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("replaced by __new__")

    def __repr__(self) -> str:
        return f"<{self.suffix or self.mode} of {self.name}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Transformed:
        """As a method: `self` is not an argument to differentiate."""
        if instance is None:
            return self
        try:
            found = self._bound.get(instance)
        except TypeError:  # not hashable, or no weak references: compiled anew for each access
            return self._bind(instance)
        if found is None:
            found = self._bound[instance] = self._bind(instance)
        return found

    def _bind(self, instance: Any) -> Transformed:
        method = self.function.__get__(instance)
        return type(self).__mro__[1](method, **self._options())  # type: ignore[call-arg]

    def _options(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "suffix": self.suffix,
            "argnums": self.argnums,
            "argnames": self.argnames,
            "has_aux": self.has_aux,
            "keep_value": self.keep_value,
            "math": self.math,
            "reuse": self.reuse,
        }

    # ------------------------------------------------------------------ what was compiled

    @property
    def compiled(self) -> Compiled:
        """The compiled signature used last. Raises TraceError if there is none yet."""
        if self._dispatcher.last is None:
            raise TraceError(f"{self.name} was not called yet: there is no source to show")
        return self._dispatcher.last  # type: ignore[no-any-return]

    @property
    def source(self) -> str:
        """The source of the compiled signature used last."""
        return self.compiled.source

    def show(self) -> None:
        """Print the source of the compiled signature used last."""
        print(self.source, end="")

    def cache_info(self) -> CacheInfo:
        """Compilations so far, the bound, and how many signatures are kept."""
        return self._dispatcher.info()

    def clear_cache(self) -> None:
        """Forget all compiled signatures."""
        self._dispatcher.clear()

    def lower(self, *args: Any, **kwargs: Any) -> Compiled:
        """Compile for these arguments without calling."""
        values = self.parameters.bind(args, kwargs)
        _, leaves, spec = self._describe(values)
        compiled = self._dispatcher._entry(leaves, spec).compiled
        assert isinstance(compiled, Compiled)
        return compiled

    # ------------------------------------------------------------------ a call

    def _slow(self, values: tuple[Any, ...]) -> Any:
        """A call that the last wrapper refused."""
        if context.current() is not None or any(
            isinstance(leaf, Tracer) for leaf in flatten(values)[0]
        ):
            return self._inline(values)
        return self._dispatcher.slow(values)

    def _describe(self, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Leaf], Spec]:
        """The values as they are passed on, their leaves and structure."""
        given, spec = flatten(values)
        names = leaf_names(self.parameters, spec)
        wrt = set(self._wrt(spec)) if self.mode != JIT else set()
        used, leaves = [], []
        for i, (value, name) in enumerate(zip(given, names, strict=True)):
            value = _usable(value, name)
            leaf = Leaf(None, static=value) if name in self._static else leaf_of(value)
            if i in wrt:
                value, leaf = _differentiable(value, leaf, name)
            used.append(value)
            leaves.append(leaf)
        return unflatten(spec, used), leaves, spec

    def _wrt(self, spec: Spec) -> tuple[int, ...]:
        """The indices of the leaves to differentiate with respect to."""
        return tuple(i for group in self._groups(spec) for i in group[1])

    def _groups(self, spec: Spec) -> list[tuple[Spec, tuple[int, ...]]]:
        """For each selected argument its structure and the indices of its leaves."""
        groups = []
        for path in self._selected(spec):
            start, part = 0, spec
            for step in path:
                children = part.children()
                start += sum(child.num_leaves for child in children[:step])
                part = children[step]
            groups.append((part, tuple(range(start, start + part.num_leaves))))
        return groups

    def _selected(self, spec: Spec) -> list[tuple[int, ...]]:
        """The selected arguments, as paths into the values: (parameter,) or (*args, position)."""
        names = self.parameters.names
        if self.argnames is not None:
            wanted = [self.argnames] if isinstance(self.argnames, str) else list(self.argnames)
            for name in wanted:
                if name not in names:
                    raise TypeError(f"{self.name} has no argument {name!r}: {', '.join(names)}")
            return [(names.index(name),) for name in wanted]
        numbers = [self.argnums] if isinstance(self.argnums, int) else list(self.argnums)
        return [self._position(number, spec) for number in numbers]

    def _position(self, number: int, spec: Spec) -> tuple[int, ...]:
        variadic = self.parameters.variadic
        count = len(self.parameters.names)
        if variadic is not None and (number >= variadic or number < 0):
            extra = spec.children()[variadic].num_children
            index = number - variadic if number >= 0 else extra + number
            if 0 <= index < extra:
                return (variadic, index)
        elif -count <= number < count:
            return (number % count,)
        raise TypeError(f"argnums={number}: {self.name} takes {count} arguments")

    @property
    def _single(self) -> bool:
        """Whether one argument was selected by itself, so that its gradient is no tuple."""
        if self.argnames is not None:
            return isinstance(self.argnames, str)
        return isinstance(self.argnums, int)

    # ------------------------------------------------------------------ compiling

    def _request(self, leaves: Sequence[Leaf], spec: Spec) -> Request:
        return Request(
            function=self.function,
            parameters=self.parameters,
            leaves=tuple(leaves),
            spec=spec,
            name=f"{self.name}_{self.suffix}" if self.suffix else self.name,
            mode=self.mode,
            wrt=self._wrt(spec) if self.mode != JIT else (),
            seed=self.mode == VJP,
            keep_value=self.keep_value,
            results=self._results,
            check=self._check,
            math=self.math,
            reuse=self.reuse,
        )

    def _results(self, traced: Traced) -> tuple[int, ...]:
        """The outputs to differentiate: the value for a gradient, all inexact ones for a JVP."""
        if self.mode == VJP:
            return (0,)
        return tuple(i for i, each in enumerate(traced.graph.outputs) if each.type.inexact)

    def _check(self, traced: Traced) -> None:
        if self.mode == VJP:
            _check_scalar(traced, self.name, self.has_aux)

    def _compile(self, leaves: list[Leaf], spec: Spec) -> Entry:
        with compilation(fresh=True):
            work = self._run(leaves, spec)
            leaves = list(work.request.leaves)
        assert work.program is not None and work.traced is not None
        source = f"{imports_of(work.source)}\n\n\n{work.source}"
        function = load(source, work.program.name, work.program.constants)
        compiled = Compiled(source, function, work, work.request)
        layout = self._layout(work.traced, spec)
        outputs = len(work.program.returns)
        return make_entry(
            function, leaves, spec, work.traced.captured, layout, outputs, compiled
        )

    def _run(self, leaves: Sequence[Leaf], spec: Spec) -> Work:
        """Run the pipeline; a Python int that decides a shape becomes static: describe again."""
        try:
            return pipeline.run(self._request(leaves, spec))
        except StaticArgument as decided:
            if not decided.names - self._static:
                raise
            self._static |= decided.names
            raise Redescribe from None

    def _layout(self, traced: Traced, spec: Spec) -> Layout:
        """How the outputs of the emitted function become the result."""
        if self.mode == JIT:
            return _layout(_result_tree(traced, range(len(traced.graph.outputs))))
        if self.mode == JVP:
            return self._jvp_layout(traced)
        kept = len(traced.graph.outputs) - (0 if self.keep_value else 1)
        places = range(kept) if self.keep_value else range(-1, kept)
        value = _result_tree(traced, places)
        bars = iter(range(kept, kept + len(self._wrt(spec))))
        grads = tuple(
            unflatten(part, [next(bars) for _ in leaves]) for part, leaves in self._groups(spec)
        )
        gradient = grads[0] if self._single else grads
        if self.keep_value:
            return _layout((value, gradient))
        return _layout((gradient, value[1]) if self.has_aux else gradient)

    def _jvp_layout(self, traced: Traced) -> Layout:
        count = len(traced.graph.outputs)
        differentiated = self._results(traced)
        first = count if self.keep_value else 0
        places = {output: first + i for i, output in enumerate(differentiated)}
        dots = unflatten(
            traced.out_spec,
            [
                Static(0.0) if each.output not in places else places[each.output]
                for each in traced.results
            ],
        )
        if not self.keep_value:
            return _layout(dots)
        return _layout((_result_tree(traced, range(count)), dots))

    # ------------------------------------------------------------------ inside a trace

    def _inline(self, values: tuple[Any, ...]) -> Any:
        """Called on traced values: the derivative's nodes become part of the running trace."""
        given, spec = flatten(values)
        names = leaf_names(self.parameters, spec)
        wrt = set(self._wrt(spec)) if self.mode != JIT else set()
        leaves = []
        for i, (value, name) in enumerate(zip(given, names, strict=True)):
            # a Python int is known here, and may decide shapes
            leaf = Leaf(None, static=value) if type(value) in (int, bool) else leaf_of(value)
            if i in wrt:
                _, leaf = _differentiable(value, leaf_of(value), name)
            leaves.append(leaf)
        try:
            work = until_simplified(self._request(leaves, spec))
        except StaticArgument as decided:
            known = [
                operator.index(value) if name in decided.names else value
                for value, name in zip(given, names, strict=True)
            ]
            if known == given:
                raise
            return self._inline(unflatten(spec, known))
        assert work.traced is not None
        return inlined(work, given, self._layout(work.traced, spec))


# ---------------------------------------------------------------------------- leaves


def leaf_of(value: Any) -> Leaf:
    """How a leaf of the arguments is treated: traced if it is a number or an array."""
    if isinstance(value, Tracer):
        return Leaf(value.node.type, value.is_array)
    if isinstance(value, (np.ndarray, np.generic)) and is_supported(value.dtype):
        return Leaf(type_of(value), isinstance(value, np.ndarray))
    if isinstance(value, (bool, int, float, complex)):
        return Leaf(type_of(value))
    return Leaf(None, static=value)


def _usable(value: Any, name: str) -> Any:
    """The value as a plain array where it is array-like. Raises TraceError for masked arrays."""
    if isinstance(value, np.ma.MaskedArray):
        raise TraceError(
            word(
                f"argument `{name}` is a masked array",
                way_out="Pass its data, and the mask as an argument for np.where.",
            )
        )
    if isinstance(value, np.ndarray) and not is_supported(value.dtype):
        raise TraceError(
            word(
                f"argument `{name}` is an array of dtype {value.dtype}",
                way_out="Pass an array of numbers in the machine's byte order.",
            )
        )
    if type(value) is np.ndarray or isinstance(value, (np.generic, type)):
        return value
    return np.asarray(value) if hasattr(value, "__array__") else value


_FLOAT = array_type(np.float64, (), True)


def _differentiable(value: Any, leaf: Leaf, name: str) -> tuple[Any, Leaf]:
    """A leaf to differentiate with respect to: an int counts as a float.

    Raises NotDifferentiableError for anything that is not a real or complex number.
    """
    if leaf.type is not None and leaf.type.weak and leaf.type.dtype.kind in "iu":
        return (float(value) if isinstance(value, int) else value), Leaf(_FLOAT)
    if leaf.type is None or not leaf.type.inexact:
        kind = leaf.type or type(value).__name__
        way_out = (
            f"Pass `{name}.astype(float)`, or choose other arguments with argnums or argnames."
            if leaf.type is not None and not leaf.type.weak
            else "Choose other arguments with argnums or argnames."
        )
        raise NotDifferentiableError(
            word(
                f"cannot differentiate with respect to argument `{name}` of type {kind}",
                way_out=way_out,
            )
        )
    return value, leaf


def _check_scalar(traced: Traced, name: str, has_aux: bool) -> None:
    """Raises NotDifferentiableError unless the (first) result is one real number."""
    leaves = traced.results
    if has_aux and not (traced.out_spec.type is tuple and traced.out_spec.num_children == 2):
        raise NotDifferentiableError(
            word(f"{name} should return (value, aux)", way_out="Drop has_aux, or return a pair.")
        )
    part = traced.out_spec.children()[0] if has_aux else traced.out_spec
    type = traced.graph.outputs[0].type if traced.graph.outputs else None
    if part.is_leaf() and leaves[0].output == 0 and type and not type.shape and (
        type.dtype.kind == "f"
    ):
        return
    if part.is_leaf() and leaves[0].output is None:
        what = f"{leaves[0].static.__class__.__name__}"
    else:
        what = str(type) if part.is_leaf() else f"a {part.type.__name__} of {part.num_leaves} values"
    way_out = "Reduce it to one number (np.sum, np.mean), or use symdiff.jacobian or symdiff.vjp."
    if type is not None and not type.shape and type.dtype.kind == "c":
        way_out = "Take np.real or np.abs of it."
    elif type is not None and not type.shape and type.dtype.kind in "iub":
        way_out = "Return a float: an integer result has no derivative."
    raise NotDifferentiableError(
        word(f"the result of {name} is {what}, not a real scalar", way_out=way_out)
    )


# ---------------------------------------------------------------------------- results


def _result_tree(traced: Traced, places: Sequence[int]) -> Any:
    """The tree of the function's own result; output i stands at `places[i]`."""
    return unflatten(
        traced.out_spec,
        [
            Static(each.static) if each.output is None else places[each.output]
            for each in traced.results
        ],
    )


def _layout(tree: Any) -> Layout:
    leaves, spec = flatten(tree)
    return Layout(spec, tuple(leaves))


def until_simplified(request: Request) -> Work:
    """The work up to the last stage that is about graphs."""
    for stage, work in pipeline.steps(request):
        if stage.name == "simplify":
            return work
    raise AssertionError("every request is simplified")


def inlined(work: Work, given: Sequence[Any], layout: Layout) -> Any:
    """The results of a graph on traced values, as part of the running trace."""
    assert work.graph is not None and work.traced is not None
    values = [
        (each, value)
        for each, value in zip(work.traced.inputs, given, strict=True)
        if each is not None
    ]
    return place(work, values, layout)


def place(work: Work, values: Sequence[tuple[Any, Any]], layout: Layout) -> Any:
    """The results of the work's graph with these values for its inputs."""
    assert work.graph is not None
    replacements = {each: coerce(lift(value), each.type) for each, value in values}
    new = substitute(work.graph.outputs, replacements)
    running = context.current()
    if running is not None:
        for each, made in new.items():
            if each in work.graph.notes:
                running.inherited.setdefault(made, work.graph.notes[each])
    outputs = [
        Tracer(new[each], is_array or bool(each.type.shape))
        for each, is_array in zip(work.graph.outputs, work.arrays, strict=True)
    ]
    leaves = [each.value if isinstance(each, Static) else outputs[each] for each in layout.leaves]
    return unflatten(layout.spec, leaves)


# ---------------------------------------------------------------------------- generated __call__


def _call_method(parameters: Parameters, name: str) -> Callable[..., Any]:
    """`__call__` with the signature of the user's function: Python itself binds the arguments."""
    defaults: dict[str, Any] = {}
    header = ["_transformed", "/"]
    last_kind = None
    for i, each in enumerate(parameters.signature.parameters.values()):
        if each.kind is each.POSITIONAL_ONLY and "/" in header:
            header.remove("/")
        elif last_kind is each.POSITIONAL_ONLY and each.kind is not each.POSITIONAL_ONLY:
            header.append("/")
        if each.kind is each.KEYWORD_ONLY and last_kind not in (
            each.KEYWORD_ONLY,
            each.VAR_POSITIONAL,
        ):
            header.append("*")
        star = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        default = ""
        if each.default is not each.empty:
            defaults[f"_default_{i}"] = each.default
            default = f"=_default_{i}"
        header.append(f"{star}{each.name}{default}")
        last_kind = each.kind
    if last_kind is not None and "/" not in header:
        header.append("/")
    names = ", ".join(parameters.names)
    single = "," if len(parameters.names) == 1 else ""
    source = (
        f"def {name}({', '.join(header)}):\n"
        "    if _running() is None:\n"
        f"        _result = _transformed._dispatcher.fast({names})\n"
        "        if _result is not _MISS:\n"
        "            return _result\n"
        f"    return _transformed._slow(({names}{single}))\n"
    )
    namespace = {"_MISS": MISS, "_running": context.current, **defaults}
    exec(compile(source, "<symdiff call>", "exec"), namespace)
    made = namespace[name]
    assert callable(made)
    return made  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------- gradients


def grad(
    fun: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    math: str = "default",
) -> Any:
    """The gradient of a scalar function: same arguments, returns d fun / d argument.

    An argument may be any nesting of dict, list, tuple, namedtuple and dataclass, and so is its
    gradient; several argnums give a tuple. With `has_aux` the function returns (value, aux) and
    the result is (gradient, aux). For a complex argument z = x + iy it is df/dx - i df/dy.

    Raises NotDifferentiableError if the result is not a real scalar or an argument is not of
    floats, TraceError where the function cannot be traced. Usable as @grad and @grad(argnums=...).
    """
    if fun is None:
        return functools.partial(
            grad, argnums=argnums, has_aux=has_aux, argnames=argnames, math=math
        )
    return Transformed(
        _plain(fun),
        mode=VJP,
        suffix="grad",
        argnums=argnums,
        argnames=argnames,
        has_aux=has_aux,
        keep_value=False,
        math=math,
    )


def value_and_grad(
    fun: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    math: str = "default",
) -> Any:
    """As `grad`, but returns (value, gradient), or ((value, aux), gradient) with `has_aux`.

    The value has the very bits that the function itself returns, unless a stability rewrite that
    `symdiff show --explain` names made it more accurate.
    """
    if fun is None:
        return functools.partial(
            value_and_grad, argnums=argnums, has_aux=has_aux, argnames=argnames, math=math
        )
    return Transformed(
        _plain(fun),
        mode=VJP,
        suffix="value_and_grad",
        argnums=argnums,
        argnames=argnames,
        has_aux=has_aux,
        math=math,
    )


def jit(
    fun: Callable[..., Any] | None = None, *, math: str = "default", reuse: bool = False
) -> Any:
    """The function itself, traced, optimized and emitted. With `reuse`, large temporaries are
    computed in place with out=, in the order of their last use.

    Raises TraceError where the function cannot be traced.
    """
    if fun is None:
        return functools.partial(jit, math=math, reuse=reuse)
    return Transformed(_plain(fun), mode=JIT, math=math, reuse=reuse)


def _plain(fun: Any) -> Callable[..., Any]:
    """The function to trace. Raises TypeError if it is not callable."""
    if not callable(fun):
        raise TypeError(f"a function is expected, not {type(fun).__name__}")
    return fun  # type: ignore[no-any-return]


def stop_gradient(x: Any) -> Any:
    """x itself (any tree), taken as constant by differentiation."""
    leaves, spec = flatten(x)
    return unflatten(
        spec, [elementwise.stop_gradient(leaf) if isinstance(leaf, Tracer) else leaf
               for leaf in leaves]
    )


def clear_caches() -> None:
    """Forget every compiled signature of every function."""
    for each in list(_all):
        each.clear_cache()
