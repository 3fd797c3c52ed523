"""Halves: a derivative in two calls, first at the primals and then along given directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

from symdiff.api.leaves import fitting
from symdiff.api.results import (
    check_pair,
    inexact_outputs,
    result_tree,
    tangent_layout,
    value_spec,
)
from symdiff.api.transformed import Compiled, Transformed, loaded, place, until_simplified
from symdiff.autodiff.split import split
from symdiff.frontend.pytree import (
    Layout,
    Spec,
    Static,
    flatten,
    layout_of,
    tree_text,
    tuple_spec,
    unflatten,
)
from symdiff.frontend.trace import Leaf, Traced
from symdiff.ir.node import compilation
from symdiff.pipeline import VJP, Request, Work, finish, traced_inputs, with_capture
from symdiff.runtime.dispatch import Entry

_FIRST = "Value of `{}`, and what its derivative will need."


class Halves(Transformed):
    """Called at the primals it returns (y, late), where late is linear in what it is called with.

    In mode "vjp" late(y_bar) is the tuple of cotangents, in mode "jvp" late(*tangents) is y_dot.
    """

    seed = False

    def _check(self, traced: Traced) -> None:
        """Any result will do, or any pair."""
        if self.has_aux:
            check_pair(traced, self.name)

    def _results(self, traced: Traced) -> tuple[int, ...]:
        return inexact_outputs(traced, self.has_aux)

    def _request(self, leaves: Sequence[Leaf], spec: Spec) -> Request:
        return super()._request(leaves, spec)._replace(apart=True)

    def _compile(self, used: tuple[Any, ...], leaves: list[Leaf], spec: Spec) -> Entry:
        with compilation(fresh=True), self._deciding(leaves, spec):
            return self._compiled(used, leaves, spec)

    def _compiled(self, used: tuple[Any, ...], leaves: list[Leaf], spec: Spec) -> Entry:
        request, given = self._request(leaves, spec), flatten(used)[0]
        first, second = with_capture(
            lambda: self._finished(request, given, spec),
            lambda both: "".join(each.source for each in both),
        )
        traced = first.traced
        assert traced is not None
        kept, outputs = len(traced.graph.outputs), len(first.arrays)
        value = result_tree(traced, range(kept))
        layout = layout_of((value, list(range(kept, outputs))))
        apply = partial(_apply, loaded(second), len(second.arrays))
        layout = layout._replace(finish=partial(_finish, self._late(traced, spec), apply))
        return Entry(
            loaded(first), tuple(leaves), spec, traced.captured, layout, outputs, traced.changes
        )

    def _finished(self, request: Request, given: Sequence[Any], spec: Spec) -> tuple[Work, Work]:
        """The two halves, taken through all stages."""
        work = until_simplified(request, given)
        graph, traced = work.graph, work.traced
        assert graph is not None and traced is not None
        known = len(traced_inputs(traced))
        late = graph.inputs[known : known + self._late_count(traced, spec)]
        kept = len(traced.graph.outputs)
        before, after = split(graph, late, kept)
        residuals = len(before.outputs) - kept
        # what the first half returns is no derivative
        summary = _FIRST.format(self.name)
        first = work._replace(request=work.request._replace(summary=summary), linear=None)
        second = work._replace(
            request=work.request._replace(name=f"{work.request.name}_at", flat=True)
        )
        return (
            finish(first, before, (*work.arrays[:kept], *(False,) * residuals)),
            finish(second, after, work.arrays[kept:]),
        )

    def _late_count(self, traced: Traced, spec: Spec) -> int:
        return len(self._results(traced)) if self.mode == VJP else len(self._wrt(spec))

    def _late(self, traced: Traced, spec: Spec) -> Callable[..., Late]:
        """The second half, but for what applies it."""
        make = self._late_cotangents if self.mode == VJP else self._late_tangents
        return partial(Late, self.mode, *make(traced, spec))

    def _late_cotangents(self, traced: Traced, spec: Spec) -> tuple[Layout, Layout]:
        differentiated = self._results(traced)
        tree = value_spec(traced, self.has_aux)
        types = [each.type for each in traced.graph.outputs]
        taken = tuple(
            Static(
                (Leaf(types[each.output], each.is_array), "y_bar")
                if each.output in differentiated and each.output is not None
                else None
            )
            for each in traced.results[: tree.num_leaves]
        )
        places = count()
        given = tuple(
            unflatten(part, [next(places) for _ in indices])
            for part, indices in self._groups(spec)
        )
        return Layout(tuple_spec([tree]), taken), layout_of(given)

    def _late_tangents(self, traced: Traced, spec: Spec) -> tuple[Layout, Layout]:
        tree = tuple_spec([part for part, _ in self._groups(spec)])
        taken = tuple(
            Static((traced.leaves[i], f"{traced.leaf_names[i]}_dot")) for i in self._wrt(spec)
        )
        given = tangent_layout(traced, self._results(traced), 0, self.has_aux)
        return Layout(tree, taken), given

    def _inline(self, values: tuple[Any, ...]) -> Any:
        spec, work, known = self._simplified(values)
        traced = work.traced
        assert traced is not None and work.graph is not None
        kept = len(traced.graph.outputs)
        value = place(work.graph, work.arrays, known, layout_of(result_tree(traced, range(kept))))
        apply = partial(_apply_inline, work, known, kept)
        return value, self._late(traced, spec)(apply)


class Late:
    """The second half: linear in what it is called with. It holds arrays and source: it pickles."""

    def __init__(
        self,
        mode: str,
        directions: Layout,  # for each leaf, as a Static: what it must be like, and a name; or None
        results: Layout,
        apply: Callable[[Sequence[Any]], list[Any]],
    ) -> None:
        self.mode = mode
        self.directions = directions
        self.results = results
        self.apply = apply

    def __call__(self, *directions: Any) -> Any:
        """The cotangents, or the tangents. Raises TypeError where the directions do not fit."""
        leaves, spec = flatten(directions)
        if spec != self.directions.spec:
            raise TypeError(self._misfit(spec))
        likes = [each.value for each in self.directions.leaves if isinstance(each, Static)]
        given = [
            fitting(leaf, *like)
            for leaf, like in zip(leaves, likes, strict=True)
            if like is not None
        ]
        found = self.apply(given)
        leaves = [
            each.value if isinstance(each, Static) else found[each] for each in self.results.leaves
        ]
        return unflatten(self.results.spec, leaves)

    def _misfit(self, spec: Spec) -> str:
        expected = self.directions.spec
        if self.mode != VJP:
            trees = tree_text(spec), tree_text(expected)
            return f"the tangents have the tree {trees[0]}, the primals {trees[1]}"
        if spec.num_children != 1:
            return f"the pullback takes one cotangent, not {spec.num_children}"
        (own,), (result,) = spec.children(), expected.children()
        return f"the cotangent has the tree {tree_text(own)}, the result {tree_text(result)}"

    def __reduce__(self) -> tuple[Any, ...]:
        trees = [unflatten(each.spec, each.leaves) for each in (self.directions, self.results)]
        return _restored, (self.mode, *trees, self.apply)


def _restored(mode: str, directions: Any, results: Any, apply: Callable[..., Any]) -> Late:
    """The second half that was pickled."""
    return Late(mode, layout_of(directions), layout_of(results), apply)


def _finish(
    late: Callable[..., Late], apply: Callable[..., list[Any]], result: tuple[Any, list[Any]]
) -> tuple[Any, Late]:
    """(y, late), where `apply(residuals, directions)` gives the leaves of late's result."""
    value, residuals = result
    return value, late(partial(apply, residuals))


def _apply(
    compiled: Compiled, count: int, residuals: Sequence[Any], given: Sequence[Any]
) -> list[Any]:
    result = compiled.function(*residuals, *given)
    return [result] if count == 1 else list(result)


def _apply_inline(work: Work, known: list[Any], kept: int, given: Sequence[Any]) -> list[Any]:
    layout: Layout = layout_of(list(range(kept, len(work.arrays))))
    assert work.graph is not None
    found = place(work.graph, work.arrays, [*known, *given], layout, work.primal)
    assert isinstance(found, list)
    return found
