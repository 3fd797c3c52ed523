"""From a user's call to a generated function: signatures, guards and the wrapper between them.

The wrapper is itself generated, once per signature: it checks types, shapes and captured values
with inline expressions, calls the generated function, and builds the result's tree.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from symdiff.errors import RecompilationWarning, TraceError, word
from symdiff.frontend.captured import ABSENT, Attribute, Captured, Instead, Item, Path
from symdiff.frontend.memory import Changed, apart
from symdiff.frontend.origin import is_table
from symdiff.frontend.pytree import (
    Layout,
    Spec,
    Static,
    flatten,
    layout_of,
    leaf_sources,
    part_sources,
    tree_source,
    unflatten,
)
from symdiff.frontend.trace import Leaf
from symdiff.ir.node import compilation, input_node
from symdiff.ir.types import TUPLE, ArrayType, ObjectType, is_generator, type_of
from symdiff.runtime.cache import compiled
from symdiff.runtime.python_module import GuardError

forgets: list[Callable[[], object]] = []  # what else is emptied when caches are cleared
MISS: Any = object()  # what a wrapper returns when the call is not one of its signature
_TRIED = 4  # recently used wrappers that are tried before the signature is looked up
_VARIANTS = 16  # kept for one signature, of functions whose captured values change
_SUSPECT = 50  # compilations of one signature after which the user is told
_BY_VALUE = (str, bytes, int, range, slice)  # static arguments that are compared, not identified


class _Locks:
    """Those of all functions: two that call each other in two threads cannot wait for each other.

    Whoever holds `keeping` waits for nobody, so that what is compiled is found meanwhile. Whoever
    is importing a module does not wait to compile: the one that compiles may wait for the module.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.compiling = threading.RLock()
        self.keeping = threading.RLock()

    @contextlib.contextmanager
    def one_compiles(self, wait: bool = True) -> Iterator[bool]:
        """Wait while another thread compiles. What two compile at once is right, and kept twice.

        Says whether no other thread does.
        """
        lock = self.compiling
        held = lock.acquire(blocking=wait and not _is_importing())
        try:
            yield held
        finally:
            if held:
                lock.release()


def _is_importing() -> bool:
    """Whether this thread is running the body of a module that is being imported."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


_locks = _Locks()
one_compiles = _locks.one_compiles
if hasattr(os, "register_at_fork"):  # in the child nobody is left to release them
    os.register_at_fork(after_in_child=_locks.renew)


class Redescribe(Exception):  # noqa: N818  a signal, not an error
    """Raised while compiling: what is static has changed, so describe the call again."""


class CacheInfo(NamedTuple):
    """As functools.lru_cache reports it; a miss is a compilation. Hits are not counted."""

    misses: int
    maxsize: int
    currsize: int


States = tuple[tuple[Any, Any], ...]
_SHARED = re.compile(r"\bnp\.random\.(?!default_rng\(|RandomState\()")


def states_of(*generators: Any) -> States:
    """Random generators with their states, to be restored where a call does not count."""
    return tuple(
        [
            (each, each.bit_generator.state)
            if isinstance(each, np.random.Generator)
            else (each, each.get_state(legacy=False))
            for each in generators
        ]
    )


def restore(states: States) -> None:
    """Take random generators back to states that they had."""
    for each, state in states:
        if isinstance(each, np.random.Generator):
            each.bit_generator.state = state
        else:
            each.set_state(state)


@dataclass(eq=False)
class Entry:
    """One compiled signature.

    `spec` is the structure of one value per parameter, `leaves` what it holds. The generated
    function takes the parameters that hold a traced leaf, and then the captured arrays.
    """

    compiled: Any  # a Loaded, and more that the caller keeps
    leaves: tuple[Leaf, ...]
    spec: Spec
    captured: tuple[Captured, ...]
    layout: Layout
    outputs: int
    changes: tuple[Changed, ...] = ()

    @cached_property
    def call(self) -> Callable[..., Any]:
        """The wrapper, which checks everything: MISS where something differs."""
        return _wrapper_of(self)

    def become(self, compiled: Any) -> None:
        """Call another function for the same arguments from now on."""
        self.compiled = compiled
        self.__dict__.pop("call", None)

    def run(self, *used: Any) -> Any:
        """A call without a look at the arguments' types; MISS where a guard does not hold."""
        instead = self._instead(used)
        hidden = self.hidden(instead)
        for each in self.changes:
            every = [*flatten(used)[0], *hidden]
            others = [every[i] for i in each.others]
            known = [found.read(instead) for found in self.known]
            apart(each, every[each.leaf], [*others, *known])
        taken = _taken(used, self.leaves, self.spec)
        states = self._states(used) if self.compiled.guarded else ()
        try:
            result = self.compiled.function(*taken, *hidden)
        except GuardError:
            restore(states)
            return MISS
        return result if self.layout.plain or result is MISS else self._built(result)

    def _built(self, result: Any) -> Any:
        """The result's tree, from the outputs of the generated function."""
        outputs = (result,) if self.outputs == 1 else result
        leaves = [
            outputs[leaf] if isinstance(leaf, int) else leaf.value for leaf in self.layout.leaves
        ]
        tree = unflatten(self.layout.spec, leaves)
        return self.layout.finish(tree) if self.layout.finish else tree

    def fits(self, used: tuple[Any, ...]) -> bool:
        """Whether it was compiled for the values of these arguments, not only for their types."""
        if not self.compiled.guarded:
            return True
        states = self._states(used)
        try:
            with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
                return self.run(*used) is not MISS
        finally:
            restore(states)

    def _states(self, used: tuple[Any, ...]) -> States:
        """The random generators that a call draws from, as they are."""
        given, _ = flatten(used)
        hidden = self.hidden(self._instead(used))
        found = [each for each in (*given, *hidden) if is_generator(each)]
        return states_of(*found, *([np.random.mtrand._rand] if self.draws_shared else ()))

    @property
    def draws_shared(self) -> bool:
        """Whether it draws from the generator that the functions of numpy.random share."""
        return bool(_SHARED.search(self.compiled.source))

    @property
    def key(self) -> Hashable:
        """What the signature is found by."""
        return _key(self.leaves, self.spec)

    @cached_property
    def tables(self) -> tuple[int, ...]:
        """The leaves in whose place another object of the kind may stand: it is read again."""
        return tuple(i for i, leaf in enumerate(self.leaves) if is_table(leaf.static))

    def _instead(self, used: tuple[Any, ...]) -> Instead:
        """What stands in a call where tables stood when traced."""
        if not self.tables:
            return {}
        given, _ = flatten(used)
        return {id(self.leaves[i].static): given[i] for i in self.tables}

    def hidden(self, instead: Instead) -> list[Any]:
        """The arrays that the function reached by itself, as they are now."""
        return [each.read(instead) for each in self.captured if each.input is not None]

    @property
    def reaches_values(self) -> bool:
        """Whether the function reached by itself what may differ elsewhere: no modules, no code."""
        return any(
            not isinstance(each.expected, (ModuleType, CodeType)) and each.expected is not ABSENT
            for each in self.captured
        )

    @property
    def known(self) -> list[Captured]:
        """The arrays that the function reached by itself whose values it was compiled for."""
        return [each for each in self.captured if isinstance(each.expected, np.ndarray)]

    def holds(self, used: tuple[Any, ...] | None = None) -> bool:
        """Whether all that the function reached by itself is as it was when traced.

        Without arguments of a call, tables are those that it was traced with.
        """
        if not self.tables or used is None:
            return all(each.holds() for each in self.captured)
        instead, given = self._instead(used), flatten(used)[0]
        if any(given[i] is not instead[id(self.leaves[i].static)] for i in self.tables):
            return False  # it was the same one twice
        return all(each.holds(instead) for each in self.captured)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy elsewhere cannot reach what this one captured: it keeps the arrays of now."""
        arguments = unflatten(self.spec, map(Static, self.leaves))
        result = unflatten(self.layout.spec, map(Static, self.layout.leaves))
        return _restored, (
            self.compiled,
            arguments,
            self.hidden({}),
            result,
            self.outputs,
            self.changes,
        )


def _restored(
    compiled: Loaded,
    arguments: Any,
    hidden: Sequence[Any],
    result: Any,
    outputs: int,
    changes: tuple[Changed, ...],
) -> Entry:
    """An entry that was pickled."""
    spec, leaves = _opened(arguments)
    layout = layout_of(unflatten(*_opened(result)))
    with compilation(fresh=True):
        inputs = [input_node(f"hidden_{i}", type_of(value)) for i, value in enumerate(hidden)]
    captured = tuple(
        Captured(Path(value, (), each.name), each)
        for each, value in zip(inputs, hidden, strict=True)
    )
    return Entry(compiled, tuple(leaves), spec, captured, layout, outputs, changes)


def _opened(tree: Any) -> tuple[Spec, list[Any]]:
    leaves, spec = flatten(tree)
    return spec, [leaf.value for leaf in leaves]


class Dispatcher:
    """The compiled signatures of one function, bounded in number."""

    def __init__(
        self,
        describe: Callable[[tuple[Any, ...]], tuple[tuple[Any, ...], list[Leaf], Spec]],
        compile: Callable[[tuple[Any, ...], list[Leaf], Spec], Entry],
        maxsize: int = 64,
    ) -> None:
        self._describe = describe
        self._compile = compile
        self._entries: OrderedDict[Hashable, tuple[Entry, ...]] = OrderedDict()
        self._recent: tuple[Entry, ...] = ()
        self._misses = 0
        self._compiled: dict[Hashable, int] = {}  # how often, by signature
        self._maxsize = maxsize
        self.fast: Callable[..., Any] = _always_miss
        self.first: list[Callable[..., Any]] = [_always_miss]  # the same, for the entrance in C
        self.last: Entry | None = None

    def recent(self, values: tuple[Any, ...]) -> Any:
        """A call that the last wrapper refused, by those used before it; MISS if none fits."""
        for entry in self._recent:
            result = entry.call(*values)
            if result is not MISS:
                self._use(entry)
                return result
        return MISS

    def slow(self, values: tuple[Any, ...]) -> Any:
        """A call that no recent wrapper fits: of a signature used long ago, or a new one."""
        while True:
            used, leaves, spec = self._describe(values)
            result = self._answer(_key(leaves, spec), used)
            if result is not MISS:
                return result
            try:
                result = self.entry(used, leaves, spec).run(*used)
            except Redescribe:
                continue
            if result is MISS:
                raise TraceError(
                    word(
                        "a mask or a decision falls out differently each time it is computed",
                        depends_on="its values are on the edge, within rounding",
                        way_out="Choose with a threshold that no value is equal to.",
                    )
                )
            return result

    def entry(self, used: tuple[Any, ...], leaves: list[Leaf], spec: Spec) -> Entry:
        """The compiled signature, compiled now if it is new or what it captured changed."""
        key = _key(leaves, spec)
        found = self._find(key, used)
        if found is None:
            with one_compiles():
                found = self._find(key, used)  # another thread may have been at it
                if found is None:
                    found = self._compile(used, leaves, spec)
                    self.keep(found)
                    self._count(found)
        self._use(found)
        return found

    def _answer(self, key: Hashable, used: tuple[Any, ...]) -> Any:
        """What a compiled program gives that is for these arguments; MISS where there is none."""
        for each in self._entries.get(key, ()):
            if each.holds(used) and (result := each.run(*used)) is not MISS:
                with _locks.keeping:
                    self._keep_first(key, each)
                self._use(each)
                return result
        return MISS

    def _keep_first(self, key: Hashable, entry: Entry) -> None:
        """What was used last is tried first."""
        if key in self._entries:
            self._entries.move_to_end(key)
            rest = [each for each in self._entries[key] if each is not entry]
            self._entries[key] = (entry, *rest)

    def _find(self, key: Hashable, used: tuple[Any, ...]) -> Entry | None:
        entries = self._entries.get(key, ())
        found = next((each for each in entries if each.holds(used) and each.fits(used)), None)
        if found is not None:
            with _locks.keeping:
                self._keep_first(key, found)
        return found

    def keep(self, entry: Entry) -> None:
        """Take a compiled signature in, and let go of those looked up longest ago."""
        key = entry.key
        with _locks.keeping:
            self._entries[key] = (entry, *self._entries.get(key, ()))[:_VARIANTS]
            self._entries.move_to_end(key)
            while len(self._entries) > self._maxsize:
                key, dropped = self._entries.popitem(last=False)
                self._compiled.pop(key, None)
                self._recent = tuple(each for each in self._recent if each not in dropped)

    def _count(self, entry: Entry) -> None:
        """Note a compilation. A signature that needs ever more of them is worth a warning."""
        with _locks.keeping:
            self._misses += 1
            count = self._compiled[entry.key] = self._compiled.get(entry.key, 0) + 1
        if count == _SUSPECT:  # stacklevel: the line of the call
            what = f"{entry.compiled.name} was compiled {count} times for arguments of one type"
            way_out = (
                "What it decides on, or reads by itself, is another value each time: "
                "choose with np.where, and pass numbers that change as arguments."
            )
            warnings.warn(RecompilationWarning(word(what, way_out=way_out)), stacklevel=6)

    def _use(self, entry: Entry) -> None:
        with _locks.keeping:
            recent = [each for each in self._recent if each is not entry]
            self._recent = (entry, *recent[: _TRIED - 1])
            self._go_to(entry.call)
            self.last = entry

    def switched(self, entry: Entry) -> None:
        """The entry has become another: calls go there."""
        with _locks.keeping:
            if entry is self.last:
                self._go_to(entry.call)

    def _go_to(self, call: Callable[..., Any]) -> None:
        """Calls try this one first."""
        self.fast = self.first[0] = call

    def entries(self) -> list[Entry]:
        """Every compiled signature, the most recent key last."""
        with _locks.keeping:
            return [entry for entries in self._entries.values() for entry in entries]

    def info(self) -> CacheInfo:
        return CacheInfo(self._misses, self._maxsize, len(self.entries()))

    def clear(self) -> None:
        with _locks.keeping:
            self._entries.clear()
            self._compiled.clear()
            self._recent = ()
            self._misses = 0
            self._go_to(_always_miss)
            self.last = None


def _always_miss(*values: Any) -> Any:
    return MISS


def _key(leaves: Sequence[Leaf], spec: Spec) -> Hashable:
    return spec, tuple([_leaf_key(leaf) for leaf in leaves])


def _leaf_key(leaf: Leaf) -> Hashable:
    if leaf.type is not None:
        return leaf.type, leaf.is_array
    static = leaf.static
    if isinstance(static, slice):  # not hashable in all versions
        return slice, static.start, static.stop, static.step
    if is_table(static):
        return type(static), tuple(static.columns)
    try:
        hash(static)
    except TypeError:
        return "object", id(static)  # the leaf keeps it alive
    return type(static), static


# ---------------------------------------------------------------------------- generation


class _Wrapper:
    """Writes the source of one wrapper and gathers the objects it refers to."""

    def __init__(self) -> None:
        self.bound: dict[str, Any] = {"ndarray": np.ndarray, "MISS": MISS}
        self._names: dict[int, str] = {}
        self.instead: list[str] = []  # where the function read tables: what stands there now

    def bind(self, value: Any) -> str:
        """A name for an object in the wrapper's globals."""
        if id(value) not in self._names:
            name = f"o{len(self._names)}"
            self._names[id(value)] = name
            self.bound[name] = value
        return self._names[id(value)]

    def leaf(self, text: str, leaf: Leaf) -> list[str]:
        """Conditions under which the value `text` is the leaf that was compiled for."""
        if leaf.type is None:
            return [self._static(text, leaf.static)]
        if isinstance(leaf.type, ObjectType):
            return [f"type({text}) is {self.bind(leaf.type.kind)}"]
        if leaf.type.weak:
            return [f"type({text}) is {leaf.type.python.__name__}"]
        if leaf.type.shape or leaf.is_array:
            return self.array(text, text, leaf.type)
        return [f"type({text}) is {self.bind(leaf.type.dtype.type)}"]

    def array(self, text: str, name: str, type: ArrayType) -> list[str]:
        """Conditions under which `text`, later read as `name`, is an array of this type."""
        dtype = self.bind(type.dtype)
        return [
            f"type({text}) is ndarray",
            # an array that was unpickled has a dtype object of its own
            f"({name}.dtype is {dtype} or {name}.dtype == {dtype})",
            f"{name}.shape == {type.shape}",
        ]

    def _static(self, text: str, static: Any) -> str:
        if is_table(static):
            return self._table(text, static)
        bound = self.bind(static)
        if type(static) not in _BY_VALUE and not isinstance(static, np.integer):
            return f"{text} is {bound}"
        kind = self.bind(type(static))
        return f"({text} is {bound} or type({text}) is {kind} and {text} == {bound})"

    def _table(self, text: str, table: Any) -> str:
        """That it is a table of the same columns; what is read from the first one is from this."""
        first = self._names.setdefault(id(table), text)
        if first != text:  # the same one twice
            return f"{text} is {first}"
        self.instead.append(f"{id(table)}: {text}")
        names = self.bind(list(table.columns))
        return f"type({text}) is {self.bind(type(table))} and list({text}.columns) == {names}"

    def containers(self, text: str, spec: Spec) -> list[str]:
        """Conditions under which the value `text` has this structure."""
        if spec.is_leaf():
            return []
        out = [f"type({text}) is {self.bind(spec.type)}"]
        children = spec.children()
        kind = spec.type or tuple
        if issubclass(kind, (list, tuple, dict)):
            out.append(f"len({text}) == {len(children)}")
        if issubclass(kind, dict):
            out += [f"{self.key(entry)} in {text}" for entry in spec.entries()]
        for part, child in zip(part_sources(text, spec), children, strict=True):
            out += self.containers(part, child)
        return out

    def key(self, entry: Any) -> str:
        return repr(entry) if isinstance(entry, (str, int)) else self.bind(entry)

    def build(self, layout: Layout, outputs: Sequence[str]) -> str:
        """The expression that builds a result from the generated function's outputs."""
        texts = [
            outputs[leaf] if isinstance(leaf, int) else self.bind(leaf.value)
            for leaf in layout.leaves
        ]
        tree = self.tree(layout.spec, texts)
        return f"{self.bind(layout.finish)}({tree})" if layout.finish else tree

    def tree(self, spec: Spec, leaves: Sequence[str]) -> str:
        """The expression that builds a tree with these leaves."""
        return tree_source(spec, iter(leaves), self._other)

    def _other(self, spec: Spec, children: list[str]) -> str:
        one_level = spec.one_level()
        return f"{self.bind(unflatten)}({self.bind(one_level)}, [{', '.join(children)}])"


class Loaded(Protocol):
    """What is wrapped: something that holds a generated function."""

    @property
    def function(self) -> Callable[..., Any]: ...

    @property
    def guarded(self) -> bool: ...

    @property
    def checks(self) -> bool:
        """Whether the function itself gives MISS for arguments of other types.

        Then `function.reading(reads)` is the same that reads hidden arrays by itself, and gives
        MISS where what else was reached is not as it was.
        """

    @property
    def source(self) -> str: ...


def _wrapper_of(entry: Entry) -> Callable[..., Any]:
    """The wrapper of a compiled signature: the function itself where nothing is left to do."""
    taken = _taken(list(entry.spec.children()), entry.leaves, entry.spec)
    whole = len(taken) == entry.spec.num_children and not entry.tables
    checks = entry.compiled.checks and whole
    reads = _reads(entry.captured) if checks and not entry.changes else None
    if reads is not None and entry.layout.plain:
        own = entry.compiled.function
        found: Callable[..., Any] = own.reading(reads) if reads else own
        return found
    wrapper = _Wrapper()
    parameters = [f"p{i}" for i in range(entry.spec.num_children)]
    count = sum(each.input is not None for each in entry.captured)
    arguments = [
        *_taken(parameters, entry.leaves, entry.spec),
        *(f"h{i}" for i in range(count)),  # read where they are checked
    ]
    call = f"{wrapper.bind(entry.compiled.function)}({', '.join(arguments)})"
    source = "\n".join(
        [
            f"def call({', '.join(parameters)}):",
            *([] if checks else _own_lines(wrapper, parameters, entry.leaves, entry.spec)),
            *_captured_lines(wrapper, entry.captured),
            *_apart_lines(wrapper, parameters, entry, arguments[len(arguments) - count :]),
            *_result_lines(call, wrapper, entry, _states_source(wrapper, parameters, entry)),
        ]
    )
    namespace = dict(wrapper.bound)
    exec(compiled(source, "<symdiff wrapper>"), namespace)
    made = namespace["call"]
    assert callable(made)
    return made  # type: ignore[no-any-return]


def _reads(captured: Sequence[Captured]) -> tuple[tuple[Any, ...], ...] | None:
    """What `reading` is told: roots, steps, and for what is compared its value and a last resort.

    None where it does not know a step.
    """
    reads = []
    for each in captured:
        steps: list[Any] = []
        for step in each.path.steps:
            if not isinstance(step, (Item, Attribute)) or each.expected is ABSENT:
                return None
            steps += [True, step.key] if isinstance(step, Item) else [False, sys.intern(step.name)]
        holds = each.holds if each.input is None else None
        reads.append((each.path.root, tuple(steps), each.expected, holds))
    return tuple(reads)


def _states_source(wrapper: _Wrapper, parameters: Sequence[str], entry: Entry) -> str:
    """The expression for the generators that are drawn from, as they are; "" without any."""
    pairs = zip(_texts(parameters, entry.spec), entry.leaves, strict=True)
    found = [text for text, leaf in pairs if isinstance(leaf.type, ObjectType)]
    hidden = [each.input.type for each in entry.captured if each.input is not None]
    found += [f"h{i}" for i, type in enumerate(hidden) if isinstance(type, ObjectType)]
    if entry.draws_shared:
        found.append(wrapper.bind(np.random.mtrand._rand))
    return f"{wrapper.bind(states_of)}({', '.join(found)})" if found else ""


def _own_lines(
    wrapper: _Wrapper, parameters: Sequence[str], leaves: Sequence[Leaf], spec: Spec
) -> list[str]:
    """Return MISS unless the arguments have the structure and the leaves that were compiled for.

    Ints that count as floats are made floats; a call without any pays nothing for that.
    """
    texts = _texts(parameters, spec)
    structure = [
        condition
        for name, child in zip(parameters, spec.children(), strict=True)
        for condition in wrapper.containers(name, child)
    ]
    exact, loose = list(structure), list(structure)
    for text, leaf in zip(texts, leaves, strict=True):
        conditions = wrapper.leaf(text, leaf)
        exact += conditions
        loose += [f"(type({text}) is float or type({text}) is int)"] if leaf.widens else conditions
    check = " and ".join(exact) or "True"
    if exact == loose:
        return [f"    if not ({check}):", "        return MISS"]
    return [
        f"    if not ({check}):",
        f"        if not ({' and '.join(loose)}):",
        "            return MISS",
        *_widening(wrapper, parameters, texts, leaves, spec),
    ]


def _texts(parameters: Sequence[str], spec: Spec) -> list[str]:
    """The expression of each leaf."""
    parts = zip(parameters, spec.children(), strict=True)
    return [text for name, child in parts for text in leaf_sources(name, child)]


def _widening(
    wrapper: _Wrapper,
    parameters: Sequence[str],
    texts: Sequence[str],
    leaves: Sequence[Leaf],
    spec: Spec,
) -> list[str]:
    """The parameters, built anew with floats for ints."""
    found = iter(zip(texts, leaves, strict=True))
    lines = []
    for name, child in zip(parameters, spec.children(), strict=True):
        own = [next(found) for _ in range(child.num_leaves)]
        if any(leaf.widens for _, leaf in own):
            parts = [f"float({text})" if leaf.widens else text for text, leaf in own]
            lines.append(f"        {name} = {wrapper.tree(child, parts)}")
    return lines


def _captured_lines(wrapper: _Wrapper, captured: Sequence[Captured]) -> list[str]:
    """Return MISS unless what the function reached is as it was; reading it may fail altogether."""
    if not captured:
        return []
    return [
        "    try:",
        f"        if not ({' and '.join(_captured_conditions(wrapper, captured))}):",
        "            return MISS",
        "    except (AttributeError, LookupError, TypeError, ValueError):",
        "        return MISS",
    ]


def _captured_conditions(wrapper: _Wrapper, captured: Sequence[Captured]) -> list[str]:
    """That what the function reaches by itself is as it was; hidden arrays are read into h0, h1."""
    conditions = []
    instead = f"{{{', '.join(wrapper.instead)}}}" if wrapper.instead else ""
    hidden = 0
    for each in captured:
        if each.expected is ABSENT:
            conditions.append(each.path.absence(wrapper.bind))
            continue
        value = each.source(wrapper.bind)
        if each.input is None:
            holds = wrapper.bind(each.holds)
            conditions.append(f"({value} is {wrapper.bind(each.expected)} or {holds}({instead}))")
            continue
        name = f"h{hidden}"
        hidden += 1
        if isinstance(each.input.type, ObjectType):
            conditions.append(f"type({name} := {value}) is {wrapper.bind(each.input.type.kind)}")
        elif each.input.type.dtype == TUPLE.dtype:  # its guards say of which kind it is
            conditions.append(f"({name} := {value}) is not None")
        else:
            conditions += wrapper.array(f"{name} := {value}", name, each.input.type)
    return conditions


def _apart_lines(
    wrapper: _Wrapper, parameters: Sequence[str], entry: Entry, hidden: Sequence[str]
) -> list[str]:
    """Refuse arguments that are changed in place and share memory with other arrays."""
    if not entry.changes:
        return []
    texts = [*_texts(parameters, entry.spec), *hidden]
    read = [each.source(wrapper.bind) for each in entry.known]
    lines = []
    for each in entry.changes:
        others = ", ".join([*(texts[i] for i in each.others), *read])
        lines.append(
            f"    {wrapper.bind(apart)}({wrapper.bind(each)}, {texts[each.leaf]}, [{others}])"
        )
    return lines


def _taken(parameters: Sequence[Any], leaves: Sequence[Leaf], spec: Spec) -> list[Any]:
    """The parameters that hold a traced leaf."""
    found = iter(leaves)
    counts = [child.num_leaves for child in spec.children()]
    return [
        each
        for each, count in zip(parameters, counts, strict=True)
        if any([next(found).type is not None for _ in range(count)])  # noqa: C419  all are taken
    ]


def _result_lines(call: str, wrapper: _Wrapper, entry: Entry, states: str) -> list[str]:
    """Call the generated function, which returns the result itself if its tree is plain.

    A guard in it that does not hold says that another one is meant.
    """
    layout, outputs = entry.layout, entry.outputs
    lines = [f"return {call}"] if layout.plain else [f"r = {call}"]
    if entry.compiled.guarded:
        failed = f"except {wrapper.bind(GuardError)}:"
        lines = ["try:", f"    {lines[0]}", failed, "    return MISS"]
        if states:  # what was drawn in vain is drawn again
            again = f"    {wrapper.bind(restore)}(states)"
            lines = [f"states = {states}", *lines[:3], again, *lines[3:]]
    if not layout.plain and entry.compiled.checks:
        lines += ["if r is MISS:", "    return MISS"]
    if not layout.plain:
        slots = ["r"] if outputs == 1 else [f"r[{i}]" for i in range(outputs)]
        lines.append(f"return {wrapper.build(layout, slots)}")
    return [f"    {line}" for line in lines]
