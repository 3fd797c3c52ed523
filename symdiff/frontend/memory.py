"""Memory: a traced array that is a view of another changes with it, as NumPy's arrays do.

An array knows of which it is a view, and by which step. A change in place goes up to the base
through the inverse of each step; all other views are forgotten, and derived anew when they are
read. Where a step has no inverse, or NumPy shares memory in some layouts only, whatever else there
is of that memory is lost: reading it is refused.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.source_map import said
from symdiff.ir.node import Node, node
from symdiff.ops import elementwise
from symdiff.ops.primitive import Primitive, Transpose
from symdiff.ops.shaping import decode_index, getitem, index_set

if TYPE_CHECKING:
    from symdiff.frontend.tracer import Tracer


class View(NamedTuple):
    """How an array lies in the memory of another: by this step, or (None) perhaps not at all."""

    base: Tracer
    step: Node | None


class Changed(NamedTuple):
    """An array that the function changes in place, and those that it must lie apart from.

    They are counted: first the leaves of the arguments, then the hidden inputs.
    """

    leaf: int
    others: tuple[int, ...]
    name: str
    where: str


def apart(change: Changed, array: Any, others: Iterable[Any]) -> None:
    """Raises TraceError if the argument that is changed shares memory with another array.

    The trace takes arguments to lie apart; views of one traced array are taken to overlap.
    """
    if any(_overlap(array, other) for other in others):
        raise TraceError(
            word(
                f"`{change.name}` is changed in place, and shares its memory with another array "
                "that the function is given or reads",
                where=change.where,
                way_out=f"Pass a copy: {change.name}.copy().",
            )
        )
    if not _is_real(array):  # for the trace around this one it has changed too
        _record(_path(array)[-1], context.user_place())


def _overlap(array: Any, other: Any) -> bool:
    if _is_real(array) and _is_real(other):
        return np.may_share_memory(array, other) and np.shares_memory(array, other)
    if _is_real(array) or _is_real(other):
        return False
    return _path(array)[-1] is _path(other)[-1]


def _is_real(array: Any) -> bool:
    """Whether an array is none that is traced, which claims to be one as well."""
    return issubclass(type(array), np.ndarray)


def share(array: Tracer, base: Tracer, step: Node) -> Tracer:
    """The array, made by a step from the base, as a view of it if NumPy makes it one."""
    if not base.in_memory or step.args[0] is not base.node:
        return array  # a scalar, or a converted copy
    shared = shares(step)
    if shared is None:
        shared = _shares_in_order(array, base, step)
    if shared is not False:
        _attach(array, View(base, step if shared else None))
    return array


def shares(step: Node) -> bool | None:
    """Whether NumPy's result lies in the memory of its operand; None: the layout decides."""
    op = step.op
    assert isinstance(op, Primitive)
    if not op.view or op.shares is None:
        return op.view
    return op.shares(*[each.type for each in step.args], **dict(step.params))


def _shares_in_order(array: Tracer, base: Tracer, step: Node) -> bool | None:
    """Whether NumPy's result is a view; None unless the order of the base in memory is known."""
    steps = [step]
    while not base.contiguous:
        if base.view_of is None or base.view_of.step is None:
            return None
        steps.append(base.view_of.step)
        base = base.view_of.base
    whole = made = np.empty(base.shape, np.int8)
    for each in reversed(steps):
        made = on_elements(each, made)
    shared = np.may_share_memory(made, whole)
    array.contiguous = made.flags.c_contiguous
    return shared


def on_elements(step: Node, whole: Any) -> Any:
    """NumPy's own result of a step, on an array whose elements nobody reads."""
    if step.op is getitem:
        return whole[(*decode_index(step.param("index"), ()), ...)]
    assert isinstance(step.op, Primitive)
    return step.op.function(whole, **dict(step.params))


def part(array: Tracer, base: Tracer, step: Node) -> Tracer:
    """The array, made by a step from the base, as a view of it in whatever layout."""
    _attach(array, View(base, step))
    return array


def perhaps(array: Tracer, base: Tracer) -> Tracer:
    """The array, which is the base or a copy of it, as the layout of the base decides."""
    if base.in_memory and array is not base:
        _attach(array, View(base, None))
    return array


def _attach(array: Tracer, view: View) -> None:
    array.view_of = view
    if view.base.views is None:
        view.base.views = []
    view.base.views.append(weakref.ref(array))


def change(array: Tracer, value: Node) -> None:
    """The array takes a value in place, and so does all that shares its memory."""
    path = _path(array)
    for each in path:
        each.check_change()
    _check_aliases(path[-1])
    place = context.user_place()
    changed: Node | None = value
    inner: Tracer | None = None
    for each in path:
        _record(each, place)
        _forget_views(each, inner)
        each.known = changed
        if each.view_of is not None and changed is not None:
            changed = _inverse(each.view_of, changed)
        inner = each


def _check_aliases(root: Tracer) -> None:
    """Raises Again where another array may share the memory, as a loop or a branch has decided."""
    running = context.current()
    if running is not None and id(root) in running.flow.aliases:
        running.flow.forced.add(running.flow.aliases[id(root)][1])
        context.refuse(context.Again())


def roll_back(running: context.Context, count: int) -> None:
    """Take back all changes in place but the first `count`."""
    while len(running.changes) > count:
        last = running.changes.pop()
        array: Tracer = last.array
        _forget_views(array, None)
        array.known = last.before
        if array.known is not None and array.view_of is not None:
            _attach(array, array.view_of)


def _path(array: Tracer) -> list[Tracer]:
    """The array, what it is a view of, and so on."""
    path = [array]
    while path[-1].view_of is not None:
        path.append(path[-1].view_of.base)
    return path


def _record(array: Tracer, place: context.Place | None) -> None:
    running = context.current()
    if running is not None:
        running.changes.append(context.Change(array, array.known, place))


def _forget_views(array: Tracer, kept: Tracer | None) -> None:
    """All views of the array, and theirs, but one are to be derived anew."""
    stack = [(array, kept)]
    while stack:
        each, kept = stack.pop()
        views = [view for view in (ref() for ref in each.views or ()) if view is not None]
        each.views = [weakref.ref(kept)] if kept is not None else None
        for view in views:
            if view is not kept:
                view.known = None
                stack.append((view, None))


def _inverse(view: View, value: Node) -> Node | None:
    """What the base of a view is when the view has this value; None if not all of it is known."""
    from symdiff.frontend.tracer import Tracer

    step = view.step
    if step is None:
        return None
    assert isinstance(step.op, Primitive)
    rule, base = step.op.rule(0), view.base.node
    if step.op is getitem:
        params = (("distinct", True), *step.params)
        return node(index_set, (base, value, *step.args[1:]), params)
    if step.op is elementwise.real:
        return _complex(Tracer(value), np.imag(Tracer(base)), base)
    if step.op is elementwise.imag:
        return _complex(np.real(Tracer(base)), Tracer(value), base)
    if not isinstance(rule, Transpose) or rule.accumulates:
        return None
    if (base.type.size, base.type.dtype) != (value.type.size, value.type.dtype):
        return None
    # the adjoint of a permutation of elements is its inverse
    made: Tracer = rule.adjoint(Tracer(value), Tracer(base), **dict(step.params))
    return made.node


def _complex(real: Any, imag: Any, base: Node) -> Node:
    """A complex number of its parts, of the dtype of a base."""
    made: Tracer = (real + 1j * imag).astype(base.type.dtype)
    return made.node


def read(array: Tracer) -> Node:
    """The value of an array that was forgotten: derived from what its base has become."""
    steps: list[tuple[Tracer, Node]] = []
    each = array
    while each.known is None:
        if each.view_of is None or each.view_of.step is None:
            _refuse(array)
        steps.append((each, each.view_of.step))
        each = each.view_of.base
    value = each.node
    for each, step in reversed(steps):
        value = node(step.op, (value, *step.args[1:]), step.params)
        each.known = value
        assert each.view_of is not None
        _attach(each, each.view_of)
    return value


def _refuse(array: Tracer) -> NoReturn:
    from symdiff.frontend.tracer import where

    running, root = context.current(), _path(array)[-1]
    changes = running.changes if running is not None else []
    found = (each.place for each in reversed(changes) if _path(each.array)[-1] is root)
    place = next(found, None)
    changed = said(place)
    context.refuse(TraceError(
        word(
            "an array is read that may share memory with one that was changed in place",
            where=where(),
            depends_on=f"changed at {changed}" if changed else "",
            way_out="Change a copy, y = x.copy(), or write y = y + value.",
        )
    ))
