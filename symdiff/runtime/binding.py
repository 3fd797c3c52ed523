"""A compiled program as a Python function: the extension that calls it, and what it is told."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from symdiff.codegen.c_control import Calling
from symdiff.errors import CompileError
from symdiff.frontend.context import TRACE
from symdiff.frontend.origin import is_table
from symdiff.frontend.parameters import Parameters
from symdiff.frontend.pytree import Layout, Spec, flatten, layout_of, unflatten
from symdiff.frontend.trace import Leaf
from symdiff.ir.types import ArrayType
from symdiff.runtime import compiler
from symdiff.runtime.dispatch import MISS, forgets
from symdiff.schedule.loops import Loops

_ARRAY, _SCALAR, _FLOAT, _WIDE, _INT, _BOOL, _NUMBER = range(7)  # as in binding.c
_LEAF, _TUPLE, _LIST, _DICT, _SAME, _EQUAL = range(6)
_KINDS = {tuple: _TUPLE, list: _LIST, dict: _DICT}
_BY_VALUE = (str, bytes, int, range)
_PARTS = ("binding.c", "pool.c", "entrance.c")  # of the extension, each after what it needs
_BRIEF = 10_000  # operations that are over before another thread would get to run


@lru_cache(maxsize=1)
def has_headers() -> bool:
    """Whether the extension can be compiled here."""
    return os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h"))


def extension_build() -> compiler.Build:
    """The library of the extension module, the same for all programs.

    Raises CompileError where it cannot be made.
    """
    include = sysconfig.get_path("include")
    parts = [_text(name) for name in _PARTS]
    # the interface of Python and NumPy is part of what it is compiled for
    source = "\n".join([f"/* {sys.version} {np.__version__} */", *parts])
    options = (f"-I{include}", f"-I{np.get_include()}", "-Wno-comment")
    return compiler.Build(source, "binding", options)


def _text(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="ascii") as file:
        return file.read()


@lru_cache(maxsize=1)
def extension() -> Any:
    """The extension module, built once per machine. Raises CompileError where it cannot be."""
    path = extension_build().wait()
    loader = importlib.machinery.ExtensionFileLoader("symdiff_binding", path)
    spec = importlib.util.spec_from_loader("symdiff_binding", loader)
    assert spec is not None
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        raise CompileError(f"the compiled binding cannot be loaded: {error}") from error
    forgets.append(module.clear_memory)
    return module


def bound(
    library: compiler.Library,
    name: str,
    *,
    parameters: Sequence[tuple[Spec, Sequence[Leaf]]],
    hidden: Sequence[ArrayType],
    constants: Sequence[Any],
    results: Sequence[tuple[ArrayType, bool]],
    layout: Layout,
    work: int,
    calling: Calling,
    operations: int,
    fallback: Callable[..., Any],
) -> Callable[..., Any]:
    """The program as a function of the parameters, which are trees, and of the hidden arrays.

    It gives what `fallback` gives where it cannot go on. `results` says of each output whether it
    is an array. For arguments of other types it gives MISS if it `checks`; else it must get none.
    The work space begins with what `calling` says.
    """
    if not has_headers():
        from symdiff.runtime.by_ctypes import by_ctypes

        traced = [leaf.type is not None for _, own in parameters for leaf in own]
        types = [leaf.type for _, own in parameters for leaf in own if leaf.type is not None]
        return by_ctypes(
            library.address(name),
            traced=[*traced, *[True] * len(hidden)],
            arguments=[*types, *hidden],
            constants=constants,
            results=results,
            layout=layout,
            work=work,
            calling=calling,
            fallback=fallback,
        )
    tree: list[int] = []
    leaves: list[Leaf] = []
    objects: list[Any] = []
    plain = True
    for spec, own in parameters:
        plain = plain and _add_tree(spec, iter(own), tree, objects)
    for _, own in parameters:
        leaves += [each for each in own if each.type is not None]
    count = len(parameters)
    if not plain:  # trees that Python takes apart
        tree = [_LEAF] * len(leaves)
        count = len(leaves)
    tree += [_LEAF] * len(hidden)
    leaves += [Leaf(each, True) for each in hidden]
    function: Callable[..., Any] = extension().Bound(
        library.address(name),
        count + len(hidden),
        tuple(tree),
        tuple([_leaf(each.type, each.is_array, each.widens) for each in leaves]),
        tuple([_leaf(type, is_array) for type, is_array in results]),
        tuple(_result(layout, len(results), objects)),
        tuple(objects),
        tuple(constants),
        library,
        work + calling.bytes,
        _calls(calling),
        operations > _BRIEF,
        fallback if plain else _of_leaves(fallback, parameters, len(hidden)),
        MISS,
    )
    return function if plain else _taking_apart(function, parameters)


def checks(function: Callable[..., Any]) -> bool:
    """Whether the function compares the types of arguments itself, as most in C do."""
    return has_headers() and isinstance(function, extension().Bound)


def entrance(
    function: Callable[..., Any],
    method: Callable[..., Any],
    first: list[Callable[..., Any]],
    parameters: Parameters,
) -> Callable[..., Any]:
    """`method`, whose first argument is `function`, but for calls that the one in `first` takes.

    It is for functions all of whose parameters can be given by position.
    """
    own = parameters.signature.parameters.values()
    names = tuple([None if each.kind is each.POSITIONAL_ONLY else each.name for each in own])
    defaults = tuple([MISS if each.default is each.empty else each.default for each in own])
    found: Callable[..., Any] = extension().Entrance(
        function, method, first, TRACE, MISS, names, defaults
    )
    return found


def bound_part(
    library: compiler.Library,
    name: str,
    program: Loops,
    calling: Calling,
    fallback: Callable[..., Any],
) -> Callable[..., Any]:
    """A part of a program as a function of arrays and of numbers, of whatever kind.

    What it does not take, and where it cannot go on, `fallback` computes.
    """
    layout = layout_of(_outputs(len(program.results)))
    results = [(each, False) for each in program.results]
    if not has_headers():
        from symdiff.runtime.by_ctypes import by_ctypes

        of_exact = by_ctypes(
            library.address(name),
            traced=[True] * len(program.arguments),
            arguments=program.arguments,
            constants=program.constants,
            results=results,
            layout=layout,
            work=program.work,
            calling=calling,
            fallback=fallback,
        )
        return _of_numbers(of_exact, program.arguments)
    made: Callable[..., Any] = extension().Bound(
        library.address(name),
        len(program.arguments),
        (_LEAF,) * len(program.arguments),
        tuple([_leaf(each, False) if each.shape else _number(each) for each in program.arguments]),
        tuple([_leaf(*each) for each in results]),
        tuple(_result(layout, len(results), [])),
        (),
        tuple(program.constants),
        library,
        program.work + calling.bytes,
        _calls(calling),
        program.operations > _BRIEF,
        fallback,
        None,
    )
    return made


def _calls(calling: Calling) -> int:
    return bool(calling.bytes) + calling.lists


def _outputs(count: int) -> Any:
    return 0 if count == 1 else tuple(range(count))


def _of_numbers(function: Callable[..., Any], types: Sequence[ArrayType]) -> Callable[..., Any]:
    """A function of arrays, from one that takes numbers too."""

    def call(*args: Any) -> Any:
        pairs = zip(args, types, strict=True)
        return function(*[a if type.shape else np.asarray(a, type.dtype) for a, type in pairs])

    return call


def _number(type: ArrayType) -> tuple[Any, ...]:
    return _NUMBER, type.dtype.num, (), type.dtype.type


def _leaf(type: ArrayType | None, is_array: bool, widens: bool = False) -> tuple[Any, ...]:
    """What the extension is told of a leaf."""
    assert type is not None
    if type.shape or is_array:
        kind = _ARRAY
    elif type.weak:
        kind = {"f": _WIDE if widens else _FLOAT, "i": _INT, "b": _BOOL}[type.dtype.kind]
    else:
        kind = _SCALAR
    return kind, type.dtype.num, type.shape, type.dtype.type


def _add_tree(spec: Spec, leaves: Iterable[Leaf], tree: list[int], objects: list[Any]) -> bool:
    """Append what is told of a tree of arguments; False where the extension does not know it."""
    leaves = iter(leaves)
    if spec.is_leaf():
        leaf = next(leaves)
        if is_table(leaf.static):
            return False
        if leaf.type is not None:
            tree.append(_LEAF)
        else:
            by_value = type(leaf.static) in _BY_VALUE or isinstance(leaf.static, np.integer)
            tree += [_EQUAL if by_value else _SAME, len(objects)]
            objects.append(leaf.static)
        return True
    if spec.type not in _KINDS:
        return False
    tree += [_KINDS[spec.type], spec.num_children]
    for entry, child in zip(spec.entries(), spec.children(), strict=True):
        if spec.type is dict:
            tree.append(len(objects))
            objects.append(entry)
        if not _add_tree(child, leaves, tree, objects):
            return False
    return True


def _result(layout: Layout, outputs: int, objects: list[Any]) -> list[int]:
    """What is told of the result: its tree where that is plain, and else the outputs."""
    if not layout.plain:
        own = [each for i in range(outputs) for each in (_LEAF, i)]
        return own if outputs == 1 else [_TUPLE, outputs, *own]
    told: list[int] = []
    leaves = iter(layout.leaves)
    waiting: list[Spec | int] = [layout.spec]
    while waiting:
        each = waiting.pop()
        if isinstance(each, int):
            told.append(each)
        elif each.is_leaf():
            leaf = next(leaves)
            told += [_LEAF, leaf] if isinstance(leaf, int) else [_SAME, len(objects)]
            if not isinstance(leaf, int):
                objects.append(leaf.value)
        else:
            told += [_KINDS[each.type], each.num_children]  # type: ignore[index]
            pairs = list(zip(each.entries(), each.children(), strict=True))
            for entry, child in reversed(pairs):
                waiting.append(child)
                if each.type is dict:
                    waiting.append(len(objects))
                    objects.append(entry)
    return told


def _taking_apart(
    function: Callable[..., Any], parameters: Sequence[tuple[Spec, Sequence[Leaf]]]
) -> Callable[..., Any]:
    """A function of trees, from one of their leaves that are traced."""
    count = len(parameters)

    def call(*args: Any) -> Any:
        leaves = []
        for value, (_, own) in zip(args, parameters, strict=False):
            pairs = zip(flatten(value)[0], own, strict=True)
            leaves += [each for each, leaf in pairs if leaf.type is not None]
        return function(*leaves, *args[count:])

    return call


def _of_leaves(
    function: Callable[..., Any], parameters: Sequence[tuple[Spec, Sequence[Leaf]]], hidden: int
) -> Callable[..., Any]:
    """A function of the traced leaves, from one of their trees."""
    def call(*args: Any) -> Any:
        given = iter(args)
        trees = [
            unflatten(spec, [leaf.static if leaf.type is None else next(given) for leaf in own])
            for spec, own in parameters
        ]
        return function(*trees, *given)

    return call
