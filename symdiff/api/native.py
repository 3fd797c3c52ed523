"""A compiled signature whose function runs in C: all of it, or parts that a driver calls."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from symdiff.codegen.c_control import Calling, calling_of
from symdiff.codegen.c_source import ROUTINES, RUN, c_source
from symdiff.codegen.numpy_source import function_source
from symdiff.errors import CompileError
from symdiff.frontend.pytree import Layout, Spec
from symdiff.frontend.trace import Leaf
from symdiff.ir.graph import every_node
from symdiff.ir.node import Node, compilation
from symdiff.pipeline import Work, written
from symdiff.runtime import python_module
from symdiff.runtime.binding import bound, bound_part, checks, extension_build, has_headers
from symdiff.runtime.compiler import Build, Library, build, load
from symdiff.runtime.dispatch import Entry
from symdiff.schedule.loops import Loops
from symdiff.schedule.lower import lower
from symdiff.schedule.schedule import schedule
from symdiff.schedule.split import Part, Split, split

if TYPE_CHECKING:
    from symdiff.api.transformed import Compiled


def in_c(entry: Entry) -> Compiled:
    """What is compiled for a signature, with a function in C, or parts of it.

    Raises CompileError where there is no compiler.
    """
    stages = stages_to_c(entry, entry.compiled)
    while True:
        try:
            next(stages).wait()
        except StopIteration as finished:
            return cast("Compiled", finished.value)


def stages_to_c(entry: Entry, made: Compiled) -> Generator[Build, None, Compiled]:
    """The same in stages: each library that has to be there before it goes on."""
    from symdiff.api.transformed import kept  # which imports this module when it is needed

    found = yield from _stages(entry, made)
    return found._replace(made_by=kept(found.work))


def _stages(entry: Entry, made: Compiled) -> Generator[Build, None, Compiled]:
    try:
        program = program_of(made.work)
    except CompileError:
        return (yield from _split_in_stages(made))
    source = c_source({RUN: program})
    if has_headers():
        yield extension_build()
    yield build(source, ROUTINES)
    return _in_c(made, program, source, entry.leaves, entry.spec, entry.layout)


def program_of(work: Work) -> Loops:
    """The loops that the work comes to. Raises CompileError where there are none."""
    assert work.graph is not None
    return lower(work.graph)


def _in_c(
    made: Compiled,
    program: Loops,
    source: str,
    leaves: Sequence[Leaf],
    spec: Spec,
    layout: Layout,
) -> Compiled:
    rest = iter(leaves)
    parameters = [(child, list(islice(rest, child.num_leaves))) for child in spec.children()]
    taken = [each for each in parameters if any(leaf.type is not None for leaf in each[1])]
    count = sum(leaf.type is not None for leaf in leaves)
    function = bound(
        load(source, ROUTINES),
        RUN,
        parameters=taken,
        hidden=program.arguments[count:],
        constants=program.constants,
        results=list(zip(program.results, made.work.arrays, strict=True)),
        layout=layout,
        work=program.work,
        calling=calling_of([program]),
        operations=program.operations,
        fallback=made.function,
    )
    return made._replace(function=function, c_source=source, checks=checks(function))


# ---------------------------------------------------------------------------- parts


def _split_in_stages(made: Compiled) -> Generator[Build, None, Compiled]:
    """What has parts with a C form; NumPy's function where none is worth a call."""
    assert made.work.graph is not None
    found = split(made.work.graph, made.work.primal)
    if not found.parts:
        return made
    source = c_source({each.name: each.loops for each in found.parts})
    if has_headers():
        yield extension_build()
    yield build(source, ROUTINES)
    return _driven(made, found, source)


def _driven(made: Compiled, found: Split, source: str) -> Compiled:
    """The function that calls parts in C, and NumPy between them."""
    library = load(source, ROUTINES)
    calling = calling_of([each.loops for each in found.parts])
    work = written(made.work, found.graph, found.primal)
    assert work.program is not None
    constants = {
        name: _bound(library, each, found.primal, calling) if isinstance(each, Part) else each
        for name, each in work.program.constants.items()
    }
    from symdiff.api.transformed import loaded

    own = loaded(work._replace(program=work.program._replace(constants=constants)))
    return made._replace(function=own.function, c_source=source, driver=own.source)


def _bound(
    library: Library, part: Part, primal: set[Node], calling: Calling
) -> Callable[..., Any]:
    return bound_part(library, part.name, part.loops, calling, _in_numpy(part, primal))


def _in_numpy(part: Part, primal: set[Node]) -> Callable[..., Any]:
    """The same part in NumPy, which is written when it is called for the first time."""

    @cache
    def made() -> Callable[..., Any]:
        last = max([each.serial for each in every_node(part.graph)], default=0)
        with compilation(fresh=True, after=last):
            program = schedule(part.graph, primal=primal)
            body = function_source(program)
        source = f"{python_module.imports_of(body)}\n\n\n{body}"
        return python_module.load(source, program.name, program.constants)

    def call(*args: Any) -> Any:
        return made()(*args)

    return call
