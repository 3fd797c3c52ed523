"""Transformed: a function compiled per signature, inlined where it meets traced values."""

from __future__ import annotations

import copy
import functools
import inspect
import operator
import os
import pickle
import sys
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import Any, NamedTuple

from symdiff import pipeline
from symdiff.api.leaves import differentiable, fitting, known_leaf_of, leaf_of, usable
from symdiff.api.results import (
    check_pair,
    check_scalar,
    inexact_outputs,
    jvp_layout,
    result_tree,
)
from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.memory import apart
from symdiff.frontend.parameters import Parameters, function_name, parameters_of
from symdiff.frontend.pytree import (
    Layout,
    Spec,
    Static,
    flatten,
    layout_of,
    tree_text,
    tuple_spec,
    unflatten,
)
from symdiff.frontend.trace import Leaf, Traced, leaf_names
from symdiff.frontend.tracer import StaticArgument, Tracer, coerce, lift
from symdiff.ir.graph import Graph, substitute
from symdiff.ir.node import Node, compilation
from symdiff.ops.effects import prints
from symdiff.ops.shaping import is_guard
from symdiff.pipeline import JIT, JVP, VJP, Request, Stage, Work
from symdiff.runtime.cache import compiled
from symdiff.runtime.dispatch import (
    MISS,
    CacheInfo,
    Dispatcher,
    Entry,
    Redescribe,
    forgets,
)
from symdiff.runtime.python_module import Definition, imports_of, load, save

_all: weakref.WeakSet[Transformed] = weakref.WeakSet()

# What docstrings say of transformations that are functions of traced values themselves.
_SUMMARIES = {
    "hessian": "Hessian of `{}`.",
    "hvp": "Hessian of `{}` times a vector.",
    "jacobian": "Jacobian of `{}`.",
    "vmap": "`{}` for a batch of arguments.",
}


class Compiled(NamedTuple):
    """One compiled signature: its source, the function, and how it came about."""

    source: str
    name: str
    parameters: tuple[str, ...]
    constants: dict[str, Any]
    function: Callable[..., Any]
    guarded: bool  # whether it refuses some arguments of the types it was compiled for
    made_by: Work | None  # None: it was unpickled
    c_source: str = ""  # where it runs in C
    checks: bool = False  # whether the function itself gives MISS for arguments of other types
    driver: str = ""  # where only parts of it do: the source that calls them

    @property
    def work(self) -> Work:
        """How it came about. Raises TraceError if that was in another process."""
        if self.made_by is None:
            raise TraceError(f"{self.name} was compiled in another process: call it again here")
        return self.made_by

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.source, self.name, self.parameters, self.constants, self.guarded)


def loaded(work: Work, whole: bool = False) -> Compiled:
    """The emitted source of finished work, loaded.

    It keeps the `whole` work where more is to be made of it, and else what is asked for later.
    """
    program = work.program
    assert program is not None
    defined = [
        each.source(name)
        for name, each in program.constants.items()
        if isinstance(each, Definition)
    ]
    body = "\n\n".join([*defined, work.source])
    source = f"{imports_of(body)}\n\n\n{body}"
    constants = {
        name: each for name, each in program.constants.items() if not isinstance(each, Definition)
    }
    made_by = work if whole else kept(work)
    return _load(source, program.name, program.parameters, constants, program.guarded, made_by)


def kept(work: Work) -> Work:
    """The work without what nobody asks for when it is done: that is most of it."""
    assert work.program is not None
    nothing: frozenset[Node] = frozenset()
    returned = work.program._replace(statements=())
    return work._replace(linear=None, primal=nothing, settled=nothing, program=returned)


def _load(
    source: str,
    name: str,
    parameters: tuple[str, ...],
    constants: dict[str, Any],
    guarded: bool,
    work: Work | None = None,
) -> Compiled:
    function = load(source, name, constants)
    return Compiled(source, name, parameters, constants, function, guarded, work)


class Transformed:
    """A function compiled per signature. Call it as you would the function it came from."""

    seed = True  # in mode "vjp" the cotangent of the result is 1, and not an argument

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
        tangents: int = 0,
        parameters: Parameters | None = None,
        name: str = "",
        math: str = "default",
        reuse: bool = False,
        backend: str = "numpy",
        max_memory: float | None = None,
    ) -> None:
        self.function = function
        self.mode = mode
        self.suffix = suffix
        self.argnums = _checked_argnums(argnums)
        self.argnames = argnames
        self.has_aux = has_aux
        self.keep_value = keep_value
        self.math = math
        self.reuse = reuse
        self.backend = _checked_backend(backend)
        self.max_memory = max_memory
        self.tangents = tangents  # how many parameters at the end are tangents, in mode "jvp"
        self.parameters = parameters or parameters_of(function)
        self.name = name or function_name(function)
        self._static: set[str] = set()
        self._bound: weakref.WeakKeyDictionary[Any, Transformed] = weakref.WeakKeyDictionary()
        self._dispatcher = Dispatcher(self._describe, self._compile)
        functools.update_wrapper(self, function, updated=())
        _all.add(self)

    def __new__(cls, function: Callable[..., Any], **options: Any) -> Transformed:
        # a class of its own, for a __call__ of its own
        return object.__new__(type(cls.__name__, (cls,), {"__slots__": ()}))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """A call inside a trace; the first other one gives the class a method of its own."""
        plain = not kwargs and self.parameters.are_given_by(len(args))
        if plain and context.current() is not None:
            return self._slow(args)
        method = self._method()
        type(self).__call__ = method  # type: ignore[method-assign]
        return method(self, *args, **kwargs)

    def _method(self) -> Callable[..., Any]:
        return _call_method(self.parameters, function_name(self.function))

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
            found = self._bound.setdefault(instance, self._bind(instance))
        return found

    def _bind(self, instance: Any) -> Transformed:
        method = self.function.__get__(instance)
        made = type(self).__mro__[1](method, **self._options())
        assert isinstance(made, Transformed)
        return made

    def __copy__(self) -> Transformed:
        return self

    def __deepcopy__(self, memo: Any) -> Transformed:
        """As a function, itself; of a method or a partial, that of their copy."""
        function = copy.deepcopy(self.function, memo)
        if function is self.function:
            return self
        options = {**self._options(), "parameters": self.parameters, "name": self.name}
        made = type(self).__mro__[1](function, **options)
        assert isinstance(made, Transformed)
        return made

    def __reduce__(self) -> str | tuple[Any, ...]:
        """A decorated function of a module is found there; others take what was compiled along.

        Where the function itself cannot be pickled, the copy knows the compiled signatures only.
        """
        if found_by_name(self):
            return str(self.__dict__["__qualname__"])
        method: Any = self.function
        owner = decorated_method(method)
        if isinstance(owner, Transformed) and self.was_decorated_as(owner):
            return getattr, (method.__self__, method.__name__)
        whole = _travels(self.function)
        function = self.function if whole else _Gone(self.name)
        entries = [
            each
            for each in self._dispatcher.entries()
            if not each.tables
            and each.holds()
            and not (whole and each.reaches_values)
            and not each.layout.finish
            and _is_picklable(each)
        ]
        signature = self.parameters.signature
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        options = {
            **self._options(),
            "parameters": Parameters(inspect.Signature(bare)),
            "name": self.name,
        }
        return _restored, (type(self).__mro__[1], function, options, self._static, entries)

    def was_decorated_as(self, other: Transformed) -> bool:
        """Whether both are the same transformation of the same function."""
        same = type(self).__mro__[1] is type(other).__mro__[1]
        return same and self.function == other.function and self._options() == other._options()

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
            "backend": self.backend,
            "max_memory": self.max_memory,
            "tangents": self.tangents,
        }

    # ------------------------------------------------------------------ what was compiled

    @property
    def was_compiled(self) -> bool:
        """Whether there is a compiled signature."""
        return self._dispatcher.last is not None

    @property
    def compiled(self) -> Compiled:
        """The compiled signature used last. Raises TraceError if there is none yet."""
        return self._last().compiled  # type: ignore[no-any-return]

    def _last(self) -> Entry:
        if self._dispatcher.last is None:
            raise TraceError(f"{self.name} was not called yet: there is no source to show")
        return self._dispatcher.last

    @property
    def source(self) -> str:
        """The source of the compiled signature used last."""
        return self.compiled.source

    def show(self, *args: Any, **kwargs: Any) -> None:
        """Print the source: compiled for these arguments, or the one used last."""
        if args or kwargs:
            self.lower(*args, **kwargs)
        print(self.source, end="")  # noqa: T201  what it is for

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the compiled signature used last as a module that needs NumPy, and not symdiff.

        Arrays that the function reached by itself become keyword arguments; their values of now
        are written into an .npz file beside the module.

        Raises TraceError if nothing was compiled yet, or what the function reached has changed.
        """
        entry = self._last()
        if not entry.holds():
            raise TraceError(f"what {self.name} uses has changed: call it again before saving")
        made = entry.compiled
        save(path, made.source, made.parameters, made.constants, entry.hidden({}))

    def wait(self) -> bool:
        """With `backend="auto"`, wait until C answers what was compiled so far; whether it does.

        Without it calls never wait: NumPy answers until the C compiler, which runs by itself, is
        done. Where no part is worth a call of C, and without a compiler, the answer is False.
        """
        if self.backend == "numpy":
            return False
        from symdiff.api.background import runs_in_c

        return all([runs_in_c(each) for each in self._dispatcher.entries()])  # noqa: C419  all wait

    def cache_info(self) -> CacheInfo:
        """Compilations so far, the bound, and how many signatures are kept."""
        return self._dispatcher.info()

    def clear_cache(self) -> None:
        """Forget all compiled signatures."""
        self._dispatcher.clear()

    def described(self, *args: Any, **kwargs: Any) -> tuple[list[Leaf], Spec]:
        """What the function would be compiled for: the leaves of these arguments, their tree."""
        _, leaves, spec = self._describe(self.parameters.bind(args, kwargs))
        return leaves, spec

    def lower(self, *args: Any, **kwargs: Any) -> Compiled:
        """Compile for these arguments without calling."""
        compiled = self.entry(self.parameters.bind(args, kwargs)).compiled
        assert isinstance(compiled, Compiled)
        return compiled

    def entry(self, values: tuple[Any, ...]) -> Entry:
        """The compiled signature for these values, one for each parameter."""
        while True:
            try:
                return self._dispatcher.entry(*self._describe(values))
            except Redescribe:
                continue

    def stages(self, *args: Any, **kwargs: Any) -> list[tuple[Stage, Work]]:
        """Each stage of the pipeline for these arguments, with the work after it."""
        return self._stages(self.parameters.bind(args, kwargs), known=True)

    def stages_of_types(self, *args: Any, **kwargs: Any) -> list[tuple[Stage, Work]]:
        """As `stages`, for arguments that only stand for others of their types."""
        return self._stages(self.parameters.bind(args, kwargs), known=False)

    def _stages(self, values: tuple[Any, ...], known: bool) -> list[tuple[Stage, Work]]:
        while True:
            used, leaves, spec = self._describe(values)
            try:
                with compilation(fresh=True):
                    return self._run(leaves, spec, flatten(used)[0] if known else ())
            except Redescribe:
                continue

    @property
    def static_arguments(self) -> frozenset[str]:
        """The arguments whose values decided shapes, and so are part of the signature."""
        return frozenset(self._static)

    # ------------------------------------------------------------------ a call

    def _slow(self, values: tuple[Any, ...]) -> Any:
        """A call that the last wrapper refused."""
        if context.current() is None:
            result = self._dispatcher.recent(values)
            if result is not MISS:
                return result
            if not any(isinstance(leaf, Tracer) for leaf in flatten(values)[0]):
                return self._dispatcher.slow(values)
        return self._inline(values)

    def _describe(self, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Leaf], Spec]:
        """The values as they are passed on, their leaves and structure."""
        given, spec = flatten(values)
        names = leaf_names(self.parameters, spec)
        own = self._own(spec)
        wrt = self._wrt(own)
        used: list[Any] = []
        leaves: list[Leaf] = []
        for i, (value, name) in enumerate(zip(given, names, strict=True)):
            value = usable(value, name, whole=i in wrt or i >= own.num_leaves)
            if i >= own.num_leaves:
                like = leaves[wrt[i - own.num_leaves]]
                value, leaf = fitting(value, like, name), like
            elif i in wrt:
                value, leaf = differentiable(value, leaf_of(value), name)
            else:
                leaf = known_leaf_of(value) if name in self._static else leaf_of(value)
            used.append(value)
            leaves.append(leaf)
        return unflatten(spec, used), leaves, spec

    def _own(self, spec: Spec) -> Spec:
        """The structure without the tangents. Raises TypeError if a tangent has another tree."""
        if not self.tangents:
            return spec
        children = spec.children()
        own = tuple_spec(children[: -self.tangents])
        for (part, _), tangent, name in zip(
            self._groups(own),
            children[-self.tangents :],
            self.parameters.names[-self.tangents :],
            strict=True,
        ):
            if part != tangent:
                raise TypeError(
                    f"`{name}` has the tree {tree_text(tangent)}, its primal has {tree_text(part)}"
                )
        return own

    def _wrt(self, spec: Spec) -> tuple[int, ...]:
        """The indices of the leaves to differentiate with respect to."""
        if self.mode == JIT:
            return ()
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
            paths: list[tuple[int, ...]] = [(names.index(name),) for name in wanted]
        else:
            numbers = [self.argnums] if isinstance(self.argnums, int) else self.argnums
            paths = [self._position(number, spec) for number in numbers]
        if not paths:
            raise TypeError(f"no argument of {self.name} is chosen (argnums, argnames)")
        if len(set(paths)) < len(paths):
            chosen = self.argnums if self.argnames is None else self.argnames
            raise TypeError(f"{chosen!r} chooses an argument of {self.name} twice")
        return paths

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
        takes = f"{count} argument{'s' * (count != 1)}: {', '.join(self.parameters.names)}"
        raise TypeError(f"argnums={number}: {self.name} takes {takes}")

    @property
    def single(self) -> bool:
        """Whether one argument was selected by itself, so that its gradient is no tuple."""
        if self.argnames is not None:
            return isinstance(self.argnames, str)
        return isinstance(self.argnums, int)

    def selected_parts(self, *args: Any, **kwargs: Any) -> list[tuple[list[Any], Spec]]:
        """For each selected argument of a call, its leaves and structure."""
        leaves, spec = flatten(self.parameters.bind(args, kwargs))
        return [([leaves[i] for i in indices], part) for part, indices in self._groups(spec)]

    # ------------------------------------------------------------------ compiling

    def _request(self, leaves: Sequence[Leaf], spec: Spec) -> Request:
        if isinstance(self.function, _Gone):
            raise TraceError(
                word(
                    f"{self.name} was unpickled without its function, and these arguments are new",
                    way_out="Define the function in a module, where it can be imported from.",
                )
            )
        own = self._own(spec)
        return Request(
            function=self.function,
            parameters=self.parameters.without_last(self.tangents),
            leaves=tuple(leaves[: own.num_leaves]),
            spec=own,
            name=f"{self.name}_{self.suffix}" if self.suffix else self.name,
            mode=self.mode,
            wrt=self._wrt(own),
            seed=self.seed,
            keep_value=self.keep_value,
            results=self._results,
            check=self._check,
            layout=partial(self._layout, spec=spec),
            math=self.math,
            reuse=self.reuse,
            max_memory=self.max_memory,
            summary=_SUMMARIES.get(self.suffix, "").format(self.name),
        )

    def _results(self, traced: Traced) -> tuple[int, ...]:
        """The outputs to differentiate: the value for a gradient, all inexact ones for a JVP."""
        if self.mode == VJP:
            return (0,)
        return inexact_outputs(traced, self.has_aux)

    def _check(self, traced: Traced) -> None:
        if self.has_aux:
            check_pair(traced, self.name)
        if self.mode == VJP:
            check_scalar(traced, self.name, self.has_aux)

    def _compile(self, used: tuple[Any, ...], leaves: list[Leaf], spec: Spec) -> Entry:
        with compilation(fresh=True):  # in which nothing is left when the collector goes on
            return self._compiled(used, leaves, spec)

    def _compiled(self, used: tuple[Any, ...], leaves: list[Leaf], spec: Spec) -> Entry:
        work = self._run(leaves, spec, flatten(used)[0])[-1][1]
        assert work.traced is not None and work.program is not None
        layout = work.program.layout or self._layout(work.traced, spec)
        outputs = len(work.program.returns)
        entry = Entry(
            loaded(work, whole=self.backend != "numpy"),
            tuple(leaves),
            spec,
            work.traced.captured,
            layout,
            outputs,
            work.traced.changes,
        )
        return entry if self.backend == "numpy" else self._for_c(entry)

    def _for_c(self, entry: Entry) -> Entry:
        """The entry in C: at once, or when calls have cost enough."""
        if self.backend == "auto":
            from symdiff.api.background import warming  # for few programs

            return warming(entry, self._switched)
        from symdiff.api.native import in_c

        entry.become(in_c(entry))
        self._open()
        return entry

    def _switched(self, entry: Entry) -> None:
        """The entry runs in another way from now on."""
        self._dispatcher.switched(entry)
        if entry.compiled.c_source:
            self._open()

    def _open(self) -> None:
        """Calls go to programs in C without any Python in between, where that is possible."""
        from symdiff.runtime.binding import entrance, has_headers

        if has_headers() and self.parameters.are_given_by(len(self.parameters.names)):
            method = entrance(self, self._method(), self._dispatcher.first, self.parameters)
            type(self).__call__ = method  # type: ignore[method-assign]

    def _run(
        self, leaves: Sequence[Leaf], spec: Spec, given: Sequence[Any]
    ) -> list[tuple[Stage, Work]]:
        """Run the pipeline."""
        request = self._request(leaves, spec)
        with self._deciding(leaves, spec):
            values = given[: len(request.leaves)]
            return pipeline.with_capture(
                lambda: list(pipeline.steps(request, values)), lambda done: done[-1][1].source
            )

    @contextmanager
    def _deciding(self, leaves: Sequence[Leaf], spec: Spec) -> Iterator[None]:
        """A Python int that decides a shape becomes static: Redescribe is raised."""
        try:
            yield
        except StaticArgument as decided:
            named = zip(leaf_names(self.parameters, spec), leaves, strict=True)
            traced = {name for name, leaf in named if leaf.type is not None and not leaf.widens}
            if not decided.names & traced:
                raise
            self._static |= decided.names & traced
            raise Redescribe from None

    def _layout(self, traced: Traced, spec: Spec) -> Layout:
        """How the outputs of the emitted function become the result."""
        if self.mode == JIT:
            return layout_of(result_tree(traced, range(len(traced.graph.outputs))))
        if self.mode == JVP:
            return jvp_layout(traced, self._results(traced), self.has_aux)
        kept = len(traced.graph.outputs) - (0 if self.keep_value else 1)
        places = range(kept) if self.keep_value else range(-1, kept)
        value = result_tree(traced, places)
        bars = iter(range(kept, kept + len(self._wrt(spec))))
        grads = tuple(
            unflatten(part, [next(bars) for _ in leaves]) for part, leaves in self._groups(spec)
        )
        gradient = grads[0] if self.single else grads
        if self.keep_value:
            return layout_of((value, gradient))
        return layout_of((gradient, value[1]) if self.has_aux else gradient)

    # ------------------------------------------------------------------ inside a trace

    def _inline(self, values: tuple[Any, ...]) -> Any:
        """Called on traced values: the derivative's nodes become part of the running trace."""
        spec, work, traced = self._simplified(values)
        assert work.traced is not None and work.graph is not None
        return place(work.graph, work.arrays, traced, self._layout(work.traced, spec))

    def _simplified(self, values: tuple[Any, ...]) -> tuple[Spec, Work, list[Any]]:
        """The structure of the values, the work up to the graph, and the values of its inputs."""
        given, spec = flatten(values)
        names = leaf_names(self.parameters, spec)
        own = self._own(spec)
        wrt = self._wrt(own)
        leaves: list[Leaf] = []
        for i, (value, name) in enumerate(zip(given, names, strict=True)):
            if i >= own.num_leaves:
                leaf = leaves[wrt[i - own.num_leaves]]
                given[i] = fitting(value, leaf, name)
            elif i in wrt:
                _, leaf = differentiable(value, leaf_of(value), name)
            else:
                leaf = known_leaf_of(value)
            leaves.append(leaf)
        try:
            request = self._request(leaves, spec)
            work = until_simplified(request, given[: len(request.leaves)])
        except StaticArgument as decided:
            known = [
                operator.index(value) if name in decided.names else value
                for value, name in zip(given, names, strict=True)
            ]
            if known == given:
                raise
            return self._simplified(unflatten(spec, known))
        keep_apart(work, given)
        traced = zip(given, leaves, strict=True)
        return spec, work, [value for value, leaf in traced if leaf.type is not None]


# ---------------------------------------------------------------------------- pickling


class _Gone:
    """In the place of a function that could not be pickled."""

    def __init__(self, name: str) -> None:
        self.__name__ = name


def _restored(
    cls: type[Transformed],
    function: Callable[..., Any],
    options: dict[str, Any],
    static: set[str],
    entries: Sequence[Entry],
) -> Transformed:
    """A transformed function that was pickled."""
    made = cls(function, **options)
    made._static |= static
    for each in entries:
        made._dispatcher.keep(each)
    return made


def found_by_name(value: Any) -> bool:
    """Whether importing its module gives this very object."""
    found: Any = sys.modules.get(getattr(value, "__module__", ""))
    for name in getattr(value, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is value


def decorated_method(function: Any) -> Any:
    """What a method's object has under the method's name, if that is not the method itself."""
    if not isinstance(function, MethodType):
        return None
    found = getattr(function.__self__, function.__name__, None)
    return None if found == function else found


def _travels(function: Any) -> bool:
    """Whether the function can be pickled, and everything it is made of."""
    if isinstance(function, Transformed):
        return found_by_name(function) or _travels(function.function)
    if isinstance(function, MethodType) and decorated_method(function) is not None:
        return False  # by its name another object is found
    if isinstance(function, partial):
        return all(map(_travels, (function.func, *function.args)))
    return _is_picklable(function)


def _is_picklable(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def _checked_backend(backend: str) -> str:
    """A name that there is. Raises ValueError for any other."""
    if backend not in ("numpy", "c", "auto"):
        what = f'backend is "numpy", "c" or "auto", not {backend!r}'
        raise ValueError(word(what, way_out='"auto" is C where that is possible, and else NumPy.'))
    return backend


def _checked_argnums(argnums: Any) -> int | tuple[int, ...]:
    """As ints. Raises TypeError for anything but an int or a sequence of them."""
    try:
        if hasattr(argnums, "__index__"):
            return operator.index(argnums)
        return tuple([operator.index(each) for each in argnums])
    except TypeError:
        what = f"argnums is an int or a tuple of ints, not {argnums!r}"
        raise TypeError(word(what, way_out="Names of arguments go in argnames.")) from None


def until_simplified(request: Request, given: Sequence[Any]) -> Work:
    """The work up to the last stage that is about graphs."""
    for stage, work in pipeline.steps(request, given):
        if stage.name == "simplify":
            return work
    raise AssertionError("every request is simplified")


def keep_apart(work: Work, values: Sequence[Any]) -> None:
    """Raises TraceError where an argument is changed in place that is not by itself in memory."""
    assert work.traced is not None
    for each in work.traced.changes:
        apart(each, values[each.leaf], [values[i] for i in each.others])


def place(
    graph: Graph,
    arrays: Sequence[bool],
    values: Sequence[Any],
    layout: Layout,
    primal: Collection[Node] | None = None,
) -> Any:
    """The results of a graph on values for its leading inputs, as part of the running trace.

    `primal` are the nodes that keep their bits; None: all do.
    """
    replacements: dict[Node, Node] = {
        each: coerce(lift(value), each.type)
        for each, value in zip(graph.inputs, values, strict=False)
    }
    new = substitute((*graph.outputs, *graph.effects), replacements)
    running = context.current()
    if running is not None:
        _happen(running, [new[each] for each in graph.effects])
        for each, made in new.items():
            if each in graph.notes:
                running.inherited.setdefault(made, graph.notes[each])
            if primal is not None and each not in primal:
                running.derived.add(made)
    outputs = [
        Tracer(new[each], is_array or bool(each.type.shape))
        for each, is_array in zip(graph.outputs, arrays, strict=True)
    ]
    leaves = [each.value if isinstance(each, Static) else outputs[each] for each in layout.leaves]
    return unflatten(layout.spec, leaves)


def _happen(running: context.Context, effects: Sequence[Node]) -> None:
    """Note the effects of a graph that becomes part of the running trace."""
    for each in effects:
        if is_guard(each):
            running.relied[each] = None
        elif prints(each):
            if running.output is None or each.serial > running.output.serial:
                running.output = each  # and not one that is there already
        elif running.effect is not None and each.serial > running.effect.serial:
            running.effect = each


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
        star = "*" * (each.kind is each.VAR_POSITIONAL) + "**" * (each.kind is each.VAR_KEYWORD)
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
    namespace = {"_MISS": MISS, "_running": context.TRACE.get, **defaults}
    exec(compiled(source, "<symdiff call>"), namespace)
    made = namespace[name]
    assert callable(made)
    return made  # type: ignore[no-any-return]


def clear_caches() -> None:
    """Forget every compiled signature of every function, and give back memory kept for calls."""
    for forget in forgets:
        forget()
    for each in list(_all):
        each.clear_cache()


def cached(make: Callable[..., Transformed]) -> Callable[..., Transformed]:
    """Decorator: `make(function, *options)` once for the same arguments, where they hash."""
    kept = functools.lru_cache(maxsize=256)(make)
    forgets.append(kept.cache_clear)

    @functools.wraps(make)
    def found(function: Callable[..., Any], *options: Any) -> Transformed:
        try:
            hash(function)
        except TypeError:
            return make(function, *options)
        return kept(function, *options)

    return found
