"""Results of functions: what a transformation asks of them, and the trees of what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symdiff.errors import NotDifferentiableError, word
from symdiff.frontend.pytree import Layout, Spec, Static, layout_of, unflatten
from symdiff.frontend.trace import Traced


def check_pair(traced: Traced, name: str) -> None:
    """Raises NotDifferentiableError unless the result is (value, aux)."""
    tree = traced.out_spec
    if not (tree.type is tuple and tree.num_children == 2):
        raise NotDifferentiableError(
            word(
                f"with has_aux {name} should return a tuple (value, aux), not "
                + _kind(traced, tree),
                way_out="Drop has_aux, or return a pair.",
            )
        )


def _kind(traced: Traced, tree: Spec) -> str:
    """What the result, or its first part, is."""
    if not tree.is_leaf():
        return f"a {tree.type.__name__ if tree.type else ''} of {tree.num_leaves} values"
    first = traced.results[0]
    if first.output is None:
        return type(first.static).__name__
    return str(traced.graph.outputs[first.output].type)


def check_scalar(traced: Traced, name: str, has_aux: bool) -> None:
    """Raises NotDifferentiableError unless the (first) result is one real number."""
    leaves = traced.results
    part = value_spec(traced, has_aux)
    type = traced.graph.outputs[0].type if traced.graph.outputs else None
    if part.is_leaf() and leaves[0].output == 0 and type and not type.shape and (
        type.dtype.kind == "f"
    ):
        return
    way_out = "Reduce it to one number (np.sum, np.mean), or use symdiff.jacobian or symdiff.vjp."
    if type is not None and not type.shape and type.dtype.kind == "c":
        way_out = "Take np.real or np.abs of it."
    elif type is not None and not type.shape and type.dtype.kind in "iub":
        way_out = "Return a float: an integer result has no derivative."
    raise NotDifferentiableError(
        word(f"the result of {name} is {_kind(traced, part)}, not a real scalar", way_out=way_out)
    )


def result_tree(traced: Traced, places: Sequence[int]) -> Any:
    """The tree of the function's own result; output i stands at `places[i]`."""
    return unflatten(
        traced.out_spec,
        [
            Static(each.static) if each.output is None else places[each.output]
            for each in traced.results
        ],
    )


def value_spec(traced: Traced, has_aux: bool) -> Spec:
    """The structure of the result, or with `has_aux` of its first part."""
    return traced.out_spec.children()[0] if has_aux else traced.out_spec


def inexact_outputs(traced: Traced, has_aux: bool) -> tuple[int, ...]:
    """The outputs that have a derivative; what is auxiliary has none."""
    results = traced.results[: value_spec(traced, has_aux).num_leaves]
    inexact = [
        each.output
        for each in results
        if each.output is not None and traced.graph.outputs[each.output].type.inexact
    ]
    return tuple(inexact)


def tangent_layout(
    traced: Traced, differentiated: Sequence[int], first: int, has_aux: bool
) -> Layout:
    """The tree of the tangents of the result, which are outputs from `first` on."""
    places = {output: first + i for i, output in enumerate(differentiated)}
    spec = value_spec(traced, has_aux)
    dots = tuple(
        Static(0.0) if each.output not in places else places[each.output]
        for each in traced.results[: spec.num_leaves]
    )
    return Layout(spec, dots)


def jvp_layout(traced: Traced, differentiated: Sequence[int], has_aux: bool) -> Layout:
    """The tree of (value, tangent), or of (value, tangent, aux): tangents follow the values."""
    count = len(traced.graph.outputs)
    layout = tangent_layout(traced, differentiated, count, has_aux)
    dots = unflatten(layout.spec, layout.leaves)
    value = result_tree(traced, range(count))
    return layout_of((value[0], dots, value[1]) if has_aux else (value, dots))
