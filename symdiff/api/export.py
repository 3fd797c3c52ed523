"""A compiled signature written as files: C that stands by itself, or a NumPy module."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from symdiff.api.native import program_of
from symdiff.api.transformed import Transformed
from symdiff.codegen.c_export import Argument, Export, export_files, identifiers
from symdiff.errors import TraceError, word
from symdiff.frontend.pytree import flatten
from symdiff.runtime import cache
from symdiff.runtime.dispatch import Entry


def export_c(
    function: Transformed,
    args: tuple[Any, ...],
    folder: str | os.PathLike[str],
    *,
    name: str = "",
    blas: str = "cblas",
) -> list[Path]:
    """Write what is compiled for these arguments, one for each parameter, as C into a folder.

    A test program beside it calls it with these arguments. Gives the files.

    Raises CompileError where something has no C form.
    """
    entry = function.entry(args)
    files = _files(entry, args, name, blas)
    return _written(Path(folder), files)


def export_python(
    function: Transformed, args: tuple[Any, ...], folder: str | os.PathLike[str], name: str = ""
) -> list[Path]:
    """Write the same as a Python module that needs NumPy, and not symdiff. Gives the files."""
    entry = function.entry(args)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or identifiers([entry.compiled.name])[0]}.py"
    function.save(path)
    archive = path.with_suffix(".npz")
    return [path, archive] if "_arrays" in path.read_text("utf-8") else [path]


def _files(entry: Entry, args: tuple[Any, ...], name: str, blas: str) -> dict[str, str]:
    made = entry.compiled
    if entry.layout.finish is not None:
        what = f"{made.name} gives an object that only Python has"
        raise TraceError(word(what, way_out="Return its arrays."))
    work = made.work
    program = program_of(work)
    name = name or identifiers([made.name])[0]
    graph, returns = work.graph, work.program.returns
    written = dict(zip(work.traced.inputs, work.traced.leaf_names, strict=True))
    labels = [written.get(each, each.name) for each in graph.inputs]
    given = identifiers(labels, [name])
    told = [each.source.text.removesuffix(".copy()") for each in returns]
    told = [text if text.isidentifier() else f"result_{i}" for i, text in enumerate(told)]
    named = identifiers(told, [name, *given])
    export = Export(
        name,
        _summary(made.source, name),
        program,
        tuple(map(Argument, given, labels, program.arguments)),
        tuple(map(Argument, named, named, program.results)),
        blas,
    )
    leaves = [value for value, leaf in zip(flatten(args)[0], entry.leaves, strict=True)
              if leaf.type is not None]
    return export_files(export, [*leaves, *entry.hidden({})], _outputs(entry, args, len(named)))


def _summary(source: str, name: str) -> str:
    """The first line of the docstring."""
    return source.partition('"""')[2].partition("\n")[0].strip() or name


def _outputs(entry: Entry, args: tuple[Any, ...], count: int) -> list[Any]:
    """What NumPy gives for each output."""
    result = entry.run(*args)
    pairs = zip(entry.layout.leaves, flatten(result)[0], strict=True)
    found = {leaf: value for leaf, value in pairs if isinstance(leaf, int)}
    return [found[i] for i in range(count)]


def _written(folder: Path, files: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        cache.replace(folder / name, text.encode("ascii"))
    return [folder / name for name in files]
