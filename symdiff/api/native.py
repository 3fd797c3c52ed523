"""A compiled signature whose function runs in C."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, cast

from symdiff.codegen.c_source import ROUTINES, c_source
from symdiff.frontend.pytree import Layout, Spec
from symdiff.frontend.trace import Leaf
from symdiff.pipeline import Work
from symdiff.runtime.binding import bound, checks, extension_build, has_headers
from symdiff.runtime.compiler import Build, build, load
from symdiff.runtime.dispatch import Entry
from symdiff.schedule.loops import Loops
from symdiff.schedule.lower import lower

if TYPE_CHECKING:
    from symdiff.api.transformed import Compiled


def in_c(entry: Entry) -> Compiled:
    """What is compiled for a signature, with a function in C.

    Raises CompileError where something has no C form or there is no compiler.
    """
    stages = stages_to_c(entry, entry.compiled)
    while True:
        try:
            next(stages).wait()
        except StopIteration as finished:
            return cast("Compiled", finished.value)


def stages_to_c(entry: Entry, made: Compiled) -> Generator[Build, None, Compiled]:
    """The same in stages: each library that has to be there before it goes on."""
    program = program_of(made.work)
    source = c_source(program)
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
        parameters=taken,
        hidden=program.arguments[count:],
        constants=program.constants,
        results=list(zip(program.results, made.work.arrays, strict=True)),
        layout=layout,
        work=program.work,
        operations=program.operations,
        fallback=made.function,
    )
    return made._replace(function=function, c_source=source, checks=checks(function))
