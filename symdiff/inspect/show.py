"""What the stages of the pipeline made, as text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from symdiff.codegen.numpy_source import function_source
from symdiff.errors import CompileError, UsageError
from symdiff.ir.node import compilation
from symdiff.pipeline import Stage, Work, written
from symdiff.runtime.python_module import imports_of
from symdiff.schedule.loops import Loops

if TYPE_CHECKING:
    from symdiff.schedule.split import Split

Steps = Sequence[tuple[Stage, Work]]


def source(steps: Steps) -> str:
    """The emitted module: imports and the function with its docstring."""
    text = steps[-1][1].source
    return f"{imports_of(text)}\n\n\n{text}"


def in_c(steps: Steps) -> str:
    """What backend="c" runs: C, below the source that calls it where it is cut into parts."""
    from symdiff.codegen.c_source import RUN, c_source  # for few questions

    found = loops_or_parts(steps)
    if isinstance(found, Loops):
        return c_source({RUN: found})
    if not found.parts:
        return source(steps)
    body = written(steps[-1][1], found.graph, found.primal).source
    parts = c_source({each.name: each.loops for each in found.parts})
    return f"{imports_of(body)}\n\n\n{body}\n\n{parts}"


def loops_or_parts(steps: Steps) -> Loops | Split:
    """The program as loops; cut into parts, where something has no C form."""
    from symdiff.schedule.lower import lower  # for few questions
    from symdiff.schedule.split import split

    work = steps[-1][1]
    assert work.graph is not None
    try:
        return lower(work.graph)
    except CompileError:
        return split(work.graph, work.primal)


def body(steps: Steps) -> str:
    """The emitted function alone, without its docstring."""
    program = steps[-1][1].program
    assert program is not None
    return function_source(program)


def one_stage(steps: Steps, name: str) -> str:
    """What the stage of this name made. Raises UsageError if it is not among the steps."""
    return _text(steps, _index(steps, name))


def every_stage(steps: Steps) -> str:
    """What each stage made, under a heading."""
    return _headed(steps, [_text(steps, i) for i in range(len(steps))])


def one_difference(steps: Steps, name: str) -> str:
    """What a stage changed: a unified diff of its text and that of the stage before."""
    return _difference(steps, _index(steps, name))


def every_difference(steps: Steps) -> str:
    """What each stage changed; of the first one, what it made."""
    return _headed(steps, [_difference(steps, i) for i in range(len(steps))])


def _headed(steps: Steps, texts: Sequence[str]) -> str:
    parts = [
        f"== {stage.name}: {stage.about}\n\n{text}"
        for (stage, _), text in zip(steps, texts, strict=True)
    ]
    return "\n".join(parts)


def _index(steps: Steps, name: str) -> int:
    names = [stage.name for stage, _ in steps]
    if name not in names:
        raise UsageError(f"this mode has no stage {name}: it has {', '.join(names)}")
    return names.index(name)


def _text(steps: Steps, index: int) -> str:
    stage, work = steps[index]
    with compilation():  # a tangent that is zero everywhere is filled in as a constant
        return stage.text(work)


def _difference(steps: Steps, index: int) -> str:
    if not index:
        return _text(steps, index)
    # without the alignment of columns, which a single long line changes everywhere
    before, after = (re.sub(r"(?<=\S) +(?=[:#] )", "  ", _text(steps, i)).splitlines()
                     for i in (index - 1, index))
    names = steps[index - 1][0].name, steps[index][0].name
    lines = list(difflib.unified_diff(before, after, names[0], names[1], lineterm=""))
    return "".join(f"{line}\n" for line in lines) or "no change\n"
