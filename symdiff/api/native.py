"""backend="c": a compiled signature whose function runs in C."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from symdiff.codegen.c_source import ROUTINES, c_source
from symdiff.errors import CompileError
from symdiff.frontend.pytree import Layout, Spec
from symdiff.frontend.trace import Leaf
from symdiff.ir.node import compilation
from symdiff.pipeline import Work
from symdiff.runtime.binding import bound
from symdiff.runtime.compiler import load
from symdiff.schedule.loops import Loops
from symdiff.schedule.lower import lower

if TYPE_CHECKING:
    from symdiff.api.transformed import Compiled


def in_c(
    made: Compiled, leaves: Sequence[Leaf], spec: Spec, layout: Layout, backend: str
) -> Compiled:
    """The same with a function in C; with backend "auto" as it is where that cannot be.

    Raises CompileError, with backend "c", where something has no C form or there is no compiler.
    """
    try:
        return _in_c(made, leaves, spec, layout)
    except CompileError:
        if backend == "c":
            raise
        return made


def program_of(work: Work) -> Loops:
    """The loops that the work comes to. Raises CompileError where there are none."""
    assert work.graph is not None
    with compilation():
        return lower(work.graph)


def _in_c(made: Compiled, leaves: Sequence[Leaf], spec: Spec, layout: Layout) -> Compiled:
    program = program_of(made.work)
    source = c_source(program)
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
    return made._replace(function=function, c_source=source)
