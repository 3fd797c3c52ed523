"""A graph as values and views of them: what has no C form is found here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Any

import numpy as np

from symdiff.errors import CompileError, word
from symdiff.ir.extent import is_open, mentions
from symdiff.ir.graph import Graph, every_node, users
from symdiff.ir.node import Const, Input, Node, compilation
from symdiff.ir.types import TUPLE, ArrayType
from symdiff.ops import control
from symdiff.ops.c_forms import c_form, called, literal, weight
from symdiff.ops.control import TRUTH, divided, item, result_types
from symdiff.ops.primitive import Called, Fold, Part, Parts, Primitive, Routine
from symdiff.ops.shaping import ARRAY, decode_index, is_mask
from symdiff.schedule.cores import call_of, extents_of, lies_together
from symdiff.schedule.expand import expand
from symdiff.schedule.kernels import steps_of
from symdiff.schedule.loops import (
    C_TYPES,
    HANDLE,
    Branch,
    Buffer,
    Call,
    Decided,
    Loops,
    Repeat,
    operations,
    plan,
)
from symdiff.schedule.pulls import pull
from symdiff.schedule.rows import side_by_side
from symdiff.schedule.tiles import tiled
from symdiff.schedule.values import (
    Placed,
    Value,
    View,
    contiguous,
    memory,
    reshaped,
    seen,
    spread,
)


def lower(graph: Graph) -> Loops:
    """The graph as loops. Raises CompileError, with the line, where something has no C form."""
    last = max([each.serial for each in every_node(graph)], default=0)
    with compilation(fresh=True, after=last):
        return _Lowering(expand(graph, c=True)).program()


class _Lowering:
    """Turns the nodes of a graph into values, values into groups, groups into kernels."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.users = users(graph.nodes())
        self.of: dict[Node, View | str] = {}
        self.values: dict[Value, None] = {}  # computed ones, operands first
        self.constants: list[Any] = []
        self.regions: dict[Node, Value] = {}

    # ------------------------------------------------------------------ nodes

    def program(self) -> Loops:
        for i, given in enumerate(self.graph.inputs):
            type = self.held(given)
            value = Value("given", type)
            value.buffer = Buffer(type.dtype, type.size, "in", i)
            self.of[given] = self.all_of(value)
        decisions = set(self.graph.effects)
        for each in _decisions_first(self.graph):
            if each in self.of:
                continue
            form = each.op.c if isinstance(each.op, Primitive) else None
            if form and isinstance(each.op, Primitive) and each.op.control:
                assert isinstance(form, Routine)
                self.regions[each] = getattr(self, form.name)(each)
            elif each.type == TUPLE and isinstance(form, Called):
                self.regions[each] = self.called(each, form)
            else:
                self.of[each] = self.lowered(each)
            if each in decisions:
                self.decide(each)
        results = self.results()
        pull(list(self.values))
        steps = list(side_by_side(tiled(steps_of(list(self.values)))))
        work = plan(steps)
        return Loops(
            tuple(steps),
            tuple([listed(each.type) for each in self.graph.inputs]),
            tuple(self.constants),
            results,
            work,
            sum(map(operations, steps)),
        )

    def refuse(self, each: Node, what: str) -> None:
        note = self.graph.notes.get(each)
        raise CompileError(
            word(
                what,
                where=note.position.said if note and note.position else "",
                way_out='NumPy computes it: backend="auto", or symdiff export --target py.',
            )
        )

    def held(self, each: Node) -> ArrayType:
        """The type of what is in memory for a value: of a list, where its rows are."""
        type = each.type
        if control.UNKNOWN in type.shape:
            return listed(type)
        if isinstance(each, Input):
            each = next(iter(self.users.get(each, ())), each)
        name = each.op.name
        if type == TUPLE or type.dtype.kind == "O":
            self.refuse(each, f"{name} has no C form")
        if type.dtype not in C_TYPES:
            self.refuse(each, f"{type.dtype} has no C form ({name} computes with it)")
        if is_open(type.shape):
            self.refuse(each, f"{name} of a length that a loop decides has no C form")
        if any(mentions(value) for _, value in each.params):
            self.refuse(each, f"{name} of a part that a loop decides has no C form")
        return type

    def all_of(self, value: Value) -> View:
        return View(value, value.shape, contiguous(value.shape), 0)

    def lowered(self, each: Node) -> View | str:
        """The value of a node: a view of what is computed, or a literal."""
        type = self.held(each)
        if type.shape != each.type.shape and not isinstance(each, Const) and each.op is not item:
            self.refuse(each, f"{each.op.name} of a list has no C form")
        if isinstance(each, Const):
            return self.constant(each)
        op = each.op
        assert isinstance(op, Primitive)
        if isinstance(op.c, Routine):
            return getattr(self, op.c.name)(each)  # type: ignore[no-any-return]
        if op.view and not op.elementwise and len(each.args) == 1:
            return self.viewed(each)
        if op.elementwise:
            return self.mapped(each)
        if isinstance(op.c, Fold):
            return self.folded(each, op.c)
        if isinstance(op.c, Parts):
            return self.placed(each, op.c)
        if isinstance(op.c, Called):
            return self.all_of(self.called(each, op.c).results[0])
        self.refuse(each, f"{op.name} has no C form")
        raise AssertionError

    def constant(self, each: Const) -> View | str:
        if each.uniform:
            return literal(each.value, each.type.dtype)
        value = Value("given", each.type)
        place = len(self.graph.inputs) + len(self.constants)
        value.buffer = Buffer(each.type.dtype, each.type.size, "in", place)
        self.constants.append(np.ascontiguousarray(each.value, each.type.dtype))
        return self.all_of(value)

    def view_of(self, each: Node) -> View:
        """A node as elements in memory; a uniform constant is written there."""
        found = self.of[each]
        if isinstance(found, str):
            found = self.of[each] = self.all_of(self.map("{0}", [found], self.held(each)))
        return found

    def map(
        self, form: str, operands: Sequence[View | str], type: ArrayType, calls: bool = False
    ) -> Value:
        """A value computed element by element."""
        value = Value("map", type, operands)
        value.form, value.calls = form, calls
        cheap = [each for each in value.views if each.value.cheap and not each.indices]
        value.cost = weight(form) + sum(each.value.cost for each in cheap)
        leaves: set[Value] = set()
        for view in value.views:
            leaves |= view.value.leaves if view in cheap else {view.value}
            if view.indices:  # read at one place only
                value.calls = True
        value.leaves = frozenset(leaves)
        value.settle()
        self.values[value] = None
        return value

    def copied(self, view: View) -> View:
        """The elements of a view, moved together."""
        return self.all_of(self.map("{0}", [view], ArrayType(view.value.dtype, view.shape)))

    # ------------------------------------------------------------------ views

    def viewed(self, each: Node) -> View | str:
        """What NumPy gives a view of: another layout of the same elements."""
        own = self.together(each.args[0])
        if isinstance(own, str):
            return own
        op, params = each.op, dict(each.params)
        assert isinstance(op, Primitive)
        layout = seen(own.shape, own.strides, lambda x: _keeping_last(op.function, x, params))
        if layout[0] != each.type.shape:
            self.refuse(each, f"{op.name} has no C form")
        return own.along(*layout)

    def together(self, each: Node) -> View | str:
        """The elements of a node in memory, where they are not yet: those of a gather."""
        own = self.of[each]
        return self.copied(own) if isinstance(own, View) and own.indices else own

    def reshape(self, each: Node) -> View | str:
        own = self.together(each.args[0])
        if isinstance(own, str):
            return own
        strides = reshaped(own.shape, own.strides, each.type.shape)
        if strides is None:
            own, strides = self.copied(own), contiguous(each.type.shape)
        return own.along(each.type.shape, strides)

    def broadcast(self, each: Node) -> View | str:
        own = self.together(each.args[0])
        return own if isinstance(own, str) else spread(own, each.type.shape)

    def part(self, each: Node) -> View | str:
        """A part, by slices a view; by arrays its elements are gathered."""
        own = self.together(each.args[0])
        if isinstance(own, str):
            return own
        index = each.param("index")
        view = self.indexed(each, own, index, range(1, len(each.args)))
        return self.copied(view) if view.indices else view

    def again(self, each: Node) -> View | str:
        """The same elements, of which nothing is computed before something else is known."""
        own, after = [self.of[arg] for arg in each.args]
        if isinstance(own, str) or isinstance(after, str):
            return own
        return own._replace(after=after.value)

    # ------------------------------------------------------------------ computed values

    def mapped(self, each: Node) -> View | str:
        op = each.op
        assert isinstance(op, Primitive)
        types = tuple([arg.type for arg in each.args])
        operands = [self.of[arg] for arg in each.args]
        texts = [
            own if isinstance(own, str) else f"{{{i}}}" for i, own in enumerate(operands)
        ]
        form = c_form(op, texts, types, dict(each.params))
        calls = bool(called(form))
        exact = all(type.dtype.kind == "f" for type in types)
        if not form or (calls and not exact and "_i64(" not in form):
            what = ", ".join([str(type.dtype) for type in types if type.dtype.kind != "f"])
            self.refuse(each, f"{op.name} has no C form{f' for {what}' if form else ''}")
        own = operands[0]
        if form == "{0}" and types[0].dtype == each.type.dtype and isinstance(own, View):
            return own  # the same values: a conversion to the dtype that they have
        return self.all_of(self.map(form, operands, each.type, calls))

    def folded(self, each: Node, fold: Fold) -> View:
        params: dict[str, Any] = dict(each.params)
        x = each.args[0].type
        axes = params.get("axis", tuple(range(x.ndim)))
        own = self.of[each.args[0]]
        if isinstance(own, str):
            own = self.view_of(each.args[0])
        if params.get("dtype", each.type.dtype) != each.type.dtype:
            self.refuse(each, f"{each.op.name} of {x.dtype} has no C form")
        value = Value("total", each.type, [own])
        value.fold = fold, tuple(axes)
        self.values[value] = None
        return self.all_of(value)

    def placed(self, each: Node, parts: Parts) -> View:
        """A value stored part by part; into its base itself, where nothing else reads that."""
        types = [arg.type for arg in each.args]
        found = list(parts.parts(each.type, *types, **dict(each.params)))
        own = self.of[each.args[0]]
        grows = found[0] == Part((), (), 0)
        value = None
        alone = len(self.users[each.args[0]]) == 1 and each.args[0] not in self.graph.outputs
        if grows and alone and isinstance(own, View) and own.value.kind == "parts" and own.whole:
            value = own.value if own.shape == own.value.shape else None
        if value is None:
            value = Value("parts", each.type)
        else:
            del self.values[value]
            found = found[1:]
        value.parts += tuple([self.part_of(each, value, part, not grows) for part in found])
        self.values[value] = None
        return self.all_of(value)

    def part_of(self, each: Node, value: Value, part: Part, apart: bool) -> Placed:
        """What is stored where."""
        place = self.indexed(each, self.all_of(value), part.at, part.indices)
        source = spread(self.view_of(each.args[part.value]), place.shape)
        return Placed(place, source, part.adds, apart)

    def indexed(
        self, each: Node, own: View, index: tuple[Any, ...], operands: Sequence[int]
    ) -> View:
        """The elements at an index, in which arrays may stand."""
        if any(map(is_mask, index)):
            self.refuse(each, f"{each.op.name} by a mask has no C form")
        if not operands:
            entries = decode_index(index, ())
            return own.along(*seen(own.shape, own.strides, lambda x: x[(*entries, ...)]))
        common = np.broadcast_shapes(*(each.args[i].type.shape for i in operands))
        if common and any(type(entry) is int for entry in index):  # which count as arrays too
            self.refuse(each, f"{each.op.name} by arrays and integers together has no C form")
        # the axes of arrays are cut to one element, and those of the arrays put in their place
        basic = tuple([("slice", 0, 1, None) if entry == ARRAY else entry for entry in index])
        entries = decode_index(basic, ())
        shape, strides, offset = seen(own.shape, own.strides, lambda x: x[(*entries, ...)])
        kept = list(accumulate([type(entry) is not int for entry in index], initial=0))
        places = [kept[i] for i, entry in enumerate(index) if entry == ARRAY]
        adjacent = places == list(range(places[0], places[-1] + 1))
        axis = places[0] if adjacent else 0
        rest = [(n, s) for i, (n, s) in enumerate(zip(shape, strides, strict=True))
                if i not in places]
        rest[axis:axis] = [(n, 0) for n in common]
        whole = tuple([n for n, _ in rest])
        before = list(accumulate([entry is not None for entry in index], initial=0))
        axes = [before[i] for i, entry in enumerate(index) if entry == ARRAY]
        indices = []
        for i, along in zip(operands, axes, strict=True):
            array = spread(self.checked(each, each.args[i], own.shape[along]), common)
            behind = (0,) * (len(whole) - axis - len(common))
            array = array.along(whole, (0,) * axis + array.strides + behind)
            indices.append((array, own.strides[along], own.shape[along]))
        strides = tuple([s for _, s in rest])
        return View(
            own.value, whole, strides, own.offset + offset, tuple(indices), own.after
        )

    def checked(self, each: Node, array: Node, extent: int) -> View:
        """Indices that are contiguous in memory, and within an extent where the program goes on."""
        own = self.view_of(array)
        if own.value.dtype != np.int64:
            type = ArrayType(np.dtype(np.int64), own.shape)
            own = self.all_of(self.map("{0}", [own], type))
        elif own.value.kind == "map" or not own.whole:
            own = self.copied(own)
        if all(each.shape != (extent,) for each in own.value.checks):
            check = Value("check", ArrayType(np.dtype(np.int64), (extent,)), [own])
            own.value.checks.append(check)
            self.values[check] = None
        return own

    def matmul(self, each: Node) -> View:
        factors = [self.view_of(arg) for arg in each.args]
        if each.type.dtype.kind not in "fi":
            self.refuse(each, f"a product of {each.type.dtype} matrices has no C form")
        value = Value("product", each.type, [self.matrix(own) for own in factors])
        self.values[value] = None
        return self.all_of(value)

    def matrix(self, own: View) -> View:
        """A factor that BLAS takes: one of its last two strides is 1, the other not less."""
        (rows, columns), (down, right) = own.shape[-2:], own.strides[-2:]
        fits = (right == 1 and down >= columns) or (down == 1 and right >= rows)
        column, row = columns == 1 and down > 0, rows == 1 and right > 0
        return own if (fits or column or row) and not own.indices else self.copied(own)

    def called(self, each: Node, called: Called) -> Value:
        """A function of whole arrays, which lie in memory, as a step of its own."""
        types = tuple([arg.type for arg in each.args])
        core = called.core(*types, **dict(each.params))
        if core is None:
            what = ", ".join([str(type.dtype) for type in types])
            self.refuse(each, f"{each.op.name} of {what} has no C form")
            raise AssertionError
        whole = each.type == TUPLE
        shapes = [type.shape for type in types]
        extents = extents_of(core, shapes, None if whole else each.type.shape)
        given = [self.view_of(arg) for arg in each.args]
        given = [
            own if lies_together(own, part) else self.copied(own)
            for own, part in zip(given, extents.operands, strict=True)
        ]
        dtypes = core.dtypes or (types[0].dtype,) * len(extents.results)
        made = [each.type] if not whole else [
            ArrayType(np.dtype(dtype), extents.batch + part)
            for dtype, part in zip(dtypes, extents.results, strict=True)
        ]
        value = self.region(given, made)
        work = Buffer(np.dtype(np.uint8), core.work or 0, "work")

        def step() -> Call:
            return call_of(core, extents, given, value.results, work)

        value.step_of = step
        return value

    # ------------------------------------------------------------------ loops and branches

    def decide(self, each: Node) -> None:
        """The program ends here unless this is true."""
        if each.type != TRUTH:
            self.refuse(each, f"{each.op.name} has no C form")
        truth = self.contiguous(each)
        self.region([truth], []).step_of = lambda: Decided(memory(truth.value))

    def item(self, each: Node) -> View:
        return self.all_of(self.regions[each.args[0]].results[each.param("index")])

    def region(self, operands: Sequence[View], types: Sequence[ArrayType]) -> Value:
        """Something of several results, which is a step of its own."""
        value = Value("region", ArrayType(np.dtype(np.int64), ()), operands)
        value.results = tuple([Value("result", type) for type in types])
        self.values[value] = None
        return value

    def contiguous(self, each: Node) -> View:
        """All elements of a node, in order in memory."""
        own = self.view_of(each)
        return own if own.whole else self.copied(own)

    def inner(self, graph: Graph) -> tuple[Loops, tuple[Buffer, ...]]:
        """A graph inside as a program, and its constants, which are ours too."""
        try:
            made = _Lowering(graph).program()
        except CompileError as error:
            if len(str(error).splitlines()) == 3:  # with its line
                raise
            self.refuse(self.graph.outputs[0], str(error).partition("\n")[0])
            raise
        found = []
        for each in made.constants:
            place = len(self.graph.inputs) + len(self.constants)
            found.append(Buffer(each.dtype, each.size, "in", place))
            self.constants.append(each)
        return made, tuple(found)

    def branch(self, each: Node) -> Value:
        taken, *given = [self.contiguous(arg) for arg in each.args]
        sides, constants = zip(*map(self.inner, each.param("branches")), strict=True)
        value = self.region([taken, *given], list(map(listed, result_types(each))))
        work = Buffer(np.dtype(np.uint8), max(side.work for side in sides), "work")

        def step() -> Branch:
            return Branch(
                memory(taken.value), sides, _buffers(given), constants,
                tuple(map(memory, value.results)), work,
            )

        value.step_of = step
        return value

    def loop(self, each: Node) -> Value:
        operands = [self.contiguous(arg) for arg in each.args]
        parts = divided(each, operands)
        types = list(map(listed, result_types(each)))
        body, constants = self.inner(each.param("body"))
        test: Loops | None = None
        test_constants: tuple[Buffer, ...] = ()
        if each.param("test") is not None:
            test, test_constants = self.inner(each.param("test"))
        value = self.region(operands, types)
        carried = value.results[: each.param("carried")]
        others = [Buffer(own.dtype, math.prod(own.shape), "work") for own in carried]
        size = max(body.work, test.work if test else 0)
        work = Buffer(np.dtype(np.uint8), size, "work")

        def step() -> Repeat:
            rest = [memory(own) for own in value.results[len(carried) :]]
            done = rest.pop() if test else None
            return Repeat(
                body, test, each.param("trips"),
                memory(parts.trips[0].value) if parts.trips else None,
                (each.param("start"), each.param("step"), each.param("reverse")),
                _buffers(parts.invariant), _buffers(parts.carried),
                tuple([(memory(own), other) for own, other in zip(carried, others, strict=True)]),
                _buffers(parts.scanned), tuple(rest), constants, test_constants, done, work,
            )

        value.step_of = step
        return value

    # ------------------------------------------------------------------ results

    def results(self) -> tuple[ArrayType, ...]:
        for i, each in enumerate(self.graph.outputs):
            own = self.view_of(each)
            value = own.value
            # what goes to one result is computed there; all else is copied
            if value.kind == "given" or value.buffer is not None or not own.whole or own.indices:
                value = self.copied(own).value
            value.buffer = Buffer(value.dtype, math.prod(value.shape), "out", i)
            value.stored = True
        return tuple([listed(each.type) for each in self.graph.outputs])


def listed(type: ArrayType) -> ArrayType:
    """The type of what is in memory for a value: of a list of unknown length, a handle."""
    if control.UNKNOWN not in type.shape:
        return type
    return ArrayType(HANDLE, (*type.shape[: type.shape.index(control.UNKNOWN)], 2))


def _decisions_first(graph: Graph) -> list[Node]:
    """The nodes, those that the program's decisions need before all others.

    Where one falls out otherwise, what comes behind it may read what is not there, or never end.
    """
    found: dict[Node, None] = {}
    for effect in graph.effects:
        own = {effect: None}
        waiting = [effect]
        for each in waiting:  # grows
            new = [arg for arg in each.args if arg not in found and arg not in own]
            own.update(dict.fromkeys(new))
            waiting += new
        found.update(dict.fromkeys(sorted(own, key=attrgetter("serial"))))
    return list(found | dict.fromkeys(graph.nodes()))


def _buffers(views: Sequence[View]) -> tuple[Buffer, ...]:
    return tuple([memory(each.value) for each in views])


def _keeping_last(function: Any, x: Any, params: dict[str, Any]) -> Any:
    """A function of the leading axes of x; the last one, of extent 1, stays the last."""
    if "axes" in params:
        return function(x, (*params["axes"], x.ndim - 1))
    if "axis" in params:
        return function(x, **params)
    return np.moveaxis(function(np.moveaxis(x, -1, 0), **params), 0, -1)
