"""The pipeline: a visible tuple of named stages, from a Python function to source."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from symdiff.autodiff.linear import verify_linear
from symdiff.autodiff.linearize import Linearized, linearize, zeros
from symdiff.autodiff.transpose import transpose
from symdiff.codegen.docstring import docstring, gradient_conventions, listed
from symdiff.codegen.numpy_source import function_source
from symdiff.errors import MemoryLimitError, NoForwardModeError, word
from symdiff.frontend import context
from symdiff.frontend.parameters import Parameters
from symdiff.frontend.pytree import Layout, Spec, sequence_sources
from symdiff.frontend.trace import Leaf, Traced, trace
from symdiff.frontend.tracer import StaticArgument
from symdiff.ir.extent import other_numbers
from symdiff.ir.graph import Graph, Note, Position, every_graph, every_node, has_bodies
from symdiff.ir.node import Input, Node, compilation, constant, input_node
from symdiff.ir.text import to_text
from symdiff.ir.verify import verify
from symdiff.ops.effects import in_one_chain
from symdiff.ops.primitive import Primitive
from symdiff.rewrite import Application, simplify, stabilize, tidy
from symdiff.rewrite.reroll import reroll
from symdiff.schedule.expand import expand
from symdiff.schedule.program import Program
from symdiff.schedule.schedule import schedule

_ROOT = re.compile(r"^\w+")
T = TypeVar("T")
CAPTURES = True  # whether loops and branches of the user's are captured
JIT, JVP, VJP = "jit", "jvp", "vjp"


class Request(NamedTuple):
    """What is asked of the pipeline: a function, the types of its arguments, a derivative.

    `wrt` are indices of leaves. In mode "vjp", `seed` says whether the cotangent of the
    differentiated result is 1 (grad) or an argument `y_bar`; `keep_value` returns the primal too,
    as mode "jvp" always does.
    """

    function: Callable[..., Any]
    parameters: Parameters
    leaves: tuple[Leaf, ...]
    spec: Spec
    name: str
    mode: str = JIT
    wrt: tuple[int, ...] = ()
    seed: bool = False
    keep_value: bool = True
    results: Callable[[Traced], tuple[int, ...]] = lambda traced: ()  # outputs differentiated
    check: Callable[[Traced], None] = lambda traced: None
    layout: Callable[[Traced], Layout] | None = None  # the tree of the result
    math: str = "default"
    reuse: bool = False
    flat: bool = False  # the emitted function takes the inputs one by one, not in their trees
    max_memory: float | None = None  # bytes that the derivative may keep of loops
    apart: bool = False  # the function and its derivative will be two functions
    summary: str = ""  # of what is computed, where the mode does not say it


class Work(NamedTuple):
    """What the stages hand on: each fills in the field it is named after."""

    request: Request
    given: tuple[Any, ...] = ()  # the values of the leaves, until they are traced
    traced: Traced | None = None
    graph: Graph | None = None
    linear: Linearized | None = None
    primal: frozenset[Node] = frozenset()
    settled: frozenset[Node] = frozenset()  # what cannot be simplified any more
    arrays: tuple[bool, ...] = ()  # of each output: a 0-d array and not a scalar
    program: Program | None = None
    source: str = ""
    log: tuple[Application, ...] = ()
    kept: tuple[tuple[Position, str], ...] = ()  # what the derivative keeps of loops, in words


def _trace(work: Work) -> Work:
    request = work.request
    traced = trace(
        request.function, request.parameters, request.leaves, request.spec, work.given
    )
    request.check(traced)
    return work._replace(given=(), traced=traced, graph=traced.graph)


def _reroll(work: Work) -> Work:
    """What is repeated, as loops; the function's own steps keep their bits."""
    assert work.graph is not None
    graph, changed = reroll(work.graph)
    if not changed:
        return work
    traced = _traced(work)
    derived = traced.derived | {changed[each] for each in traced.derived if each in changed}
    return work._replace(graph=graph, traced=traced._replace(graph=graph, derived=derived))


def _stabilize(work: Work) -> Work:
    assert work.graph is not None
    log: list[Application] = list(work.log)
    graph = stabilize(work.graph, math=work.request.math, log=log)
    kept: tuple[tuple[Position, str], ...] = ()
    if work.request.max_memory is not None and work.request.mode == VJP:
        from symdiff.autodiff.checkpoint import limited  # which few programs need

        traced = _traced(work)
        wrt = [each for i in work.request.wrt if (each := traced.inputs[i]) is not None]
        with _names_of(traced):
            graph, kept = limited(graph, wrt, work.request.max_memory)
    arrays = tuple(each.is_array for each in _traced(work).results if each.output is not None)
    return work._replace(
        graph=graph,
        primal=frozenset(every_node(graph)) - _traced(work).derived,
        arrays=arrays,
        log=tuple(log),
        kept=kept,
    )


def _linearize(work: Work) -> Work:
    graph, traced = work.graph, _traced(work)
    assert graph is not None
    wrt = [each for i in work.request.wrt if (each := traced.inputs[i]) is not None]
    with _rules_of(traced) as relied:
        linear = linearize(graph, wrt, *([None] if work.request.mode == JVP else []))
    traced = traced.with_rules()
    effects = (*graph.effects, *relied)
    graph = Graph(graph.name, graph.inputs, graph.outputs, effects, graph.notes)
    work = work._replace(graph=graph, traced=traced)
    if work.request.mode == JVP:
        _check_forward(linear)
        differentiated = work.request.results(traced)
        dots = tuple(linear.outputs[i] or zeros(graph.outputs[i]) for i in differentiated)
        inputs = (*traced_inputs(traced), *linear.tangents, *traced.hidden)
        arrays = (*work.arrays, *(work.arrays[i] for i in differentiated))
        outputs = (*graph.outputs, *dots)
        graph = Graph(work.request.name, inputs, outputs, graph.effects, graph.notes)
        return work._replace(graph=graph, linear=linear, arrays=arrays)
    return work._replace(linear=linear)


def _transpose(work: Work) -> Work:
    graph, traced, linear, request = work.graph, _traced(work), work.linear, work.request
    assert graph is not None and linear is not None
    differentiated = request.results(traced)
    if request.seed:
        seeds: list[Node] = [one(graph.outputs[i]) for i in differentiated]
        extra: list[Input] = []
    else:
        extra = [cotangent_input(graph, i, len(differentiated)) for i in differentiated]
        seeds = list(extra)
    with _rules_of(traced) as relied:
        bars = cotangents(linear, differentiated, seeds)
    traced = traced.with_rules()
    kept = [i for i in range(len(graph.outputs)) if request.keep_value or i not in differentiated]
    inputs = (*traced_inputs(traced), *extra, *traced.hidden)
    outputs = (*(graph.outputs[i] for i in kept), *bars)
    arrays = (
        *(work.arrays[i] for i in kept),
        *(request.leaves[i].is_array for i in request.wrt),
    )
    graph = Graph(request.name, inputs, outputs, (*graph.effects, *relied), graph.notes)
    return work._replace(graph=graph, traced=traced, arrays=arrays)


@contextmanager
def _rules_of(traced: Traced) -> Iterator[dict[Node, None]]:
    """Rules of the user's are read inside, like the function that was traced.

    Gives the truth values that they rely on.
    """
    running = traced.running
    assert running is not None
    running.relied = {}
    with _names_of(traced), context.tracing(running):
        yield running.relied


@contextmanager
def _names_of(traced: Traced) -> Iterator[None]:
    """An argument that has to be known is told by its name."""
    try:
        yield
    except StaticArgument as decided:
        decided.name(dict(zip(traced.inputs, traced.leaf_names, strict=True)))
        raise


def _check_forward(linear: Linearized) -> None:
    """Raises NoForwardModeError where a function has a rule for reverse mode only."""
    outputs = tuple([output for output in linear.outputs if output is not None])
    for graph in every_graph(Graph("", (), outputs, (), linear.primal.notes)):
        for each in graph.nodes():
            called = each.args[0].op if each.args else None
            if isinstance(called, Primitive) and called.reverse_only:
                note = graph.notes.get(each)
                raise NoForwardModeError(
                    word(
                        f"{called.name} has a custom_vjp rule, which has no forward mode",
                        where=note.position.said if note and note.position else "",
                        way_out="Use reverse mode (grad, vjp, jacrev), or a custom_jvp rule.",
                    )
                )


def _simplify(work: Work) -> Work:
    work = work._replace(traced=_traced(work)._replace(running=None))
    assert work.graph is not None
    log: list[Application] = list(work.log)
    primal, settled = set(work.primal), set(work.settled)
    graph = simplify(
        work.graph,
        primal=primal,
        math=work.request.math,
        log=log,
        settled=settled,
        apart=work.request.apart,
    )
    graph = Graph(work.request.name, graph.inputs, graph.outputs, graph.effects, graph.notes)
    return work._replace(
        graph=graph, primal=frozenset(primal), settled=frozenset(settled), log=tuple(log)
    )


def _expand(work: Work) -> Work:
    """A formula that warns of nothing keeps its bits, as the user's own program does."""
    assert work.graph is not None
    primal = {*work.primal, *filter(_warns_of_nothing, every_node(work.graph))}
    chained = in_one_chain(_without_checkpoints(work.graph, primal))
    graph, log = expand(chained, primal, work.request.reuse), list(work.log)
    if graph is not work.graph:
        settled = set(work.settled)
        graph = tidy(graph, primal=primal, math=work.request.math, log=log, settled=settled)
    return work._replace(graph=graph, primal=frozenset(primal), log=tuple(log))


def _without_checkpoints(graph: Graph, primal: set[Node]) -> Graph:
    if not has_bodies(graph):
        return graph
    from symdiff.rewrite.control import without_checkpoints  # which few programs need

    return without_checkpoints(graph, primal)


def _warns_of_nothing(each: Node) -> bool:
    return isinstance(each.op, Primitive) and bool(each.op.expansion) and not each.op.risky


def _schedule(work: Work) -> Work:
    assert work.graph is not None
    request, traced = work.request, _traced(work)
    layout = request.layout(traced) if request.layout else None
    roles = dict(zip(reversed(work.graph.outputs), reversed(_roles(work)), strict=True))
    program = schedule(
        work.graph, work.arrays, work.primal, _access(work), layout, request.reuse, roles,
        partial(_sequences, work),
    )
    return work._replace(program=program._replace(defaults=_defaults(request, program)))


def _defaults(request: Request, program: Program) -> dict[str, str]:
    """The defaults of the user's function that are numbers as they were passed, as source."""
    found = {}
    for name, each in request.parameters.signature.parameters.items():
        type_ = program.types.get(name)
        if type_ is not None and type_.weak and type(each.default) is type_.python:
            found[name] = repr(each.default)
    return {name: text for name, text in found.items() if text not in ("inf", "-inf", "nan")}


def _roles(work: Work) -> tuple[str, ...]:
    """What each result is: value, value_dot, x_bar; the user may have names for the first two."""
    assert work.graph is not None
    request, linear, graph = work.request, work.linear, work.graph
    outputs = len(graph.outputs)
    if linear is None:
        return ("value",) * outputs
    if request.mode == JVP:
        dots = []
        for i in request.results(_traced(work)):
            note = linear.primal.notes.get(linear.primal.outputs[i])
            named = note is not None and note.name and not note.derived and not note.suffix
            dots.append(f"{note.name if note and named else 'value'}_dot")
        return ("value",) * (outputs - len(dots)) + tuple(dots)
    bars = tuple([f"{each.name}_bar" for each in linear.wrt])
    return ("value",) * (outputs - len(bars)) + bars


def _result_names(work: Work) -> list[str]:
    """What the docstring calls the results: as returned, but a cotangent by its own name."""
    assert work.program is not None
    names = [each.source.text.removesuffix(".copy()") for each in work.program.returns]
    return [
        name if name.isidentifier() and not role.endswith("_bar") else role
        for name, role in zip(names, _roles(work), strict=True)
    ]


def _access(work: Work) -> dict[Input, str]:
    """How the emitted function reaches each input: params["W"], and params_dot["W"]."""
    traced = _traced(work)
    if work.request.flat:
        return {}
    names = dict(zip(traced.inputs, traced.leaf_names, strict=True))
    if work.linear is not None:
        taken = {_ROOT.match(name)[0] for name in names.values()}  # type: ignore[index]
        for each, dot in zip(work.linear.wrt, work.linear.tangents, strict=True):
            names[dot] = _dotted(names[each], taken)
    return {each: name for each, name in names.items() if each is not None}


def _sequences(work: Work) -> dict[str, int]:
    """The arguments that are lists or tuples, and parts of arguments, with their lengths."""
    parts = zip(work.request.parameters.names, work.request.spec.children(), strict=True)
    found = dict(each for name, spec in parts for each in sequence_sources(name, spec))
    return {} if work.request.flat else found


def _print(work: Work) -> Work:
    assert work.program is not None
    text = docstring(work.program, _summary(work), _conventions(work), _result_names(work))
    return work._replace(source=function_source(work.program, text))


def _dotted(name: str, taken: Collection[str]) -> str:
    """The tangent of `params["W"]` is `params_dot["W"]`, that of a tangent has one more."""
    root = _ROOT.match(name)[0]  # type: ignore[index]
    dotted = f"{root}_dot"
    while dotted in taken:
        dotted += "_dot"
    return dotted + name[len(root) :]


class Stage(NamedTuple):
    """One step: its name, what it does to the work, the text of its result, and its verifier."""

    name: str
    run: Callable[[Work], Work]
    about: str
    modes: tuple[str, ...] = (JIT, JVP, VJP)

    def text(self, work: Work) -> str:
        """The text form of what this stage made."""
        if self.name == "print":
            return work.source
        if self.name == "schedule":
            assert work.program is not None
            return str(work.program)
        if self.name == "linearize" and work.linear is not None:
            return to_text(work.linear.graph)
        assert work.graph is not None
        return to_text(work.graph)


STAGES = (
    Stage("trace", _trace, "expression DAG of the function"),
    Stage("reroll", _reroll, "repeated steps as loops"),
    Stage("stabilize", _stabilize, "same value, safer in floating point"),
    Stage("linearize", _linearize, "tangent program, linear in *_dot", (JVP, VJP)),
    Stage("transpose", _transpose, "cotangent program", (VJP,)),
    Stage("simplify", _simplify, "fewer operations"),
    Stage("expand", _expand, "stable compositions written out in NumPy"),
    Stage("schedule", _schedule, "statements, names, buffers"),
    Stage("print", _print, "NumPy source"),
)


def steps(request: Request, given: Sequence[Any] = ()) -> Iterator[tuple[Stage, Work]]:
    """Each stage of the request with the work after it, in order: hold any of them.

    `given` are the values of the leaves, where they are known: see `trace`.
    """
    work = Work(request, tuple(given))
    checking = bool(os.environ.get("SYMDIFF_VERIFY"))
    for stage in STAGES:
        if request.mode in stage.modes:
            work = stage.run(work)
            if checking:
                _verify(stage, work)
            yield stage, work


def with_capture(run: Callable[[], T], source: Callable[[T], str]) -> T:
    """What `run` gives; where what it captures does not come through, without capturing.

    `source` is the text of it, which must be the same whatever stands for extents in it.
    """
    for extents in (True, False) if CAPTURES else ():
        capturing = context.Capturing(extents)
        try:
            with context.captured_by(capturing):
                found = run()
                if not capturing.measured:
                    return found
                with other_numbers(), compilation(fresh=True):
                    if source(run()) == source(found):
                        return found
        except MemoryLimitError:
            raise
        except Exception:
            if not capturing.taken or (os.environ.get("SYMDIFF_VERIFY") and not capturing.measured):
                raise
        if not capturing.measured:
            break
    with context.captured_by(None):
        return run()


def finish(work: Work, graph: Graph, arrays: tuple[bool, ...]) -> Work:
    """The work with another graph, taken through the stages after simplification."""
    request = work.request._replace(layout=None)
    work = work._replace(request=request, graph=graph, arrays=arrays)
    names = [stage.name for stage in STAGES]
    for stage in STAGES[names.index("simplify") + 1 :]:
        work = stage.run(work)
    return work


def written(work: Work, graph: Graph, primal: Collection[Node]) -> Work:
    """The work with another graph of the same inputs and results, as a program and its source."""
    work = work._replace(graph=graph, primal=frozenset(primal))
    last = max([each.serial for each in every_node(graph)], default=0)
    with compilation(fresh=True, after=last):
        for stage in STAGES[-2:]:
            work = stage.run(work)
    return work


def _verify(stage: Stage, work: Work) -> None:
    """The verifier of a stage, run in tests and under SYMDIFF_VERIFY=1."""
    if stage.name == "linearize":
        assert work.linear is not None
        verify_linear(work.linear)
    elif stage.name == "print":
        compile(work.source, "<emitted>", "exec")
    elif stage.name != "schedule" and work.graph is not None:
        verify(work.graph, closed=context.current() is None)


# ---------------------------------------------------------------------------- parts of stages


def _traced(work: Work) -> Traced:
    assert work.traced is not None
    return work.traced


def _summary(work: Work) -> str:
    """One sentence for the docstring: what the emitted function computes."""
    request, traced = work.request, _traced(work)
    if request.summary:
        return request.summary
    name = f"`{traced.graph.name}`"
    if request.mode == JIT:
        return f"{name}, for arguments of these types."
    roots = (traced.leaf_names[i].partition("[")[0].partition(".")[0] for i in request.wrt)
    wrt = listed(list(dict.fromkeys(roots)))
    value = "Value and " if request.keep_value else ""
    what = {
        JVP: f"directional derivative of {name} along a tangent of {wrt}.",
        VJP: f"gradient of {name} with respect to {wrt}."
        if request.seed
        else f"cotangent of {wrt} for a cotangent of the result of {name}.",
    }[request.mode]
    return value + (what if value else what[0].upper() + what[1:])


def _conventions(work: Work) -> list[str]:
    linear = work.linear
    if linear is None:
        return []
    return gradient_conventions(linear.primal, linear.wrt, work.request.math)


def traced_inputs(traced: Traced) -> tuple[Input, ...]:
    """The inputs that are arguments, in order."""
    return tuple(each for each in traced.inputs if each is not None)


def one(output: Node) -> Node:
    """The cotangent 1 of a scalar output."""
    type = output.type
    return constant(1.0 if type.weak else type.dtype.type(1), type)


def cotangent_input(graph: Graph, index: int, count: int) -> Input:
    """An argument for the cotangent of an output: y_bar, or y_0_bar, y_1_bar and so on."""
    output = graph.outputs[index]
    note = graph.notes.get(output)
    name = note.name if note and note.name and not note.derived else "y"
    if name == "y" and count > 1:
        name = f"y_{index}"
    made = input_node(f"{name}_bar", output.type)
    graph.notes[made] = Note(made.name)
    return made


def cotangents(
    linear: Linearized, differentiated: tuple[int, ...], seeds: list[Node]
) -> tuple[Node, ...]:
    """A cotangent for each input that was linearized, zeros where nothing depends on it."""
    active = [
        (tangent, seed)
        for i, seed in zip(differentiated, seeds, strict=True)
        if (tangent := linear.outputs[i]) is not None
    ]
    bars = transpose(
        [tangent for tangent, _ in active],
        linear.tangents,
        [seed for _, seed in active],
        linear.primal.notes,
        linear.origins,
    )
    return tuple(
        zeros(each) if bar is None else bar for bar, each in zip(bars, linear.wrt, strict=True)
    )
