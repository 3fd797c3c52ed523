"""Halves: a derivative in two calls, first at the primals and then along given directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from symdiff.api.transformed import (
    Transformed,
    fitting,
    loaded,
    place,
    result_tree,
    until_simplified,
)
from symdiff.autodiff.split import split
from symdiff.frontend.pytree import Layout, Spec, flatten, layout_of, tuple_spec, unflatten
from symdiff.frontend.trace import Leaf, Traced
from symdiff.ir.node import compilation
from symdiff.pipeline import VJP, Work, finish, traced_inputs
from symdiff.runtime.dispatch import Entry, make_entry

_FIRST = "Value of `{}`, and what its derivative will need."


class Halves(Transformed):
    """Called at the primals it returns (y, late), where late is linear in what it is called with.

    In mode "vjp" late(y_bar) is the tuple of cotangents, in mode "jvp" late(*tangents) is y_dot.
    """

    seed = False

    def _check(self, traced: Traced) -> None:
        """Any result will do."""

    def _results(self, traced: Traced) -> tuple[int, ...]:
        count = traced.out_spec.children()[0].num_leaves if self.has_aux else len(traced.results)
        return tuple(
            each.output
            for each in traced.results[:count]
            if each.output is not None and traced.graph.outputs[each.output].type.inexact
        )

    def _compile(self, used: tuple[Any, ...], leaves: list[Leaf], spec: Spec) -> Entry:
        with compilation(fresh=True):
            work = until_simplified(self._request(leaves, spec), flatten(used)[0])
            graph, traced = work.graph, work.traced
            assert graph is not None and traced is not None
            known = len(traced_inputs(traced))
            late = graph.inputs[known : known + self._late_count(traced, spec)]
            kept = len(traced.graph.outputs)
            before, after = split(graph, late, kept)
            residuals = len(before.outputs) - kept
            first = finish(
                work._replace(request=work.request._replace(summary=_FIRST.format(self.name))),
                before,
                (*work.arrays[:kept], *(False,) * residuals),
            )
            late_request = work.request._replace(name=f"{work.request.name}_at", flat=True)
            second = finish(
                work._replace(request=late_request),
                after,
                work.arrays[kept:],
            )
        value = result_tree(traced, range(kept))
        layout = layout_of(((value), list(range(kept, kept + residuals))))
        late_function = loaded(second)
        apply = partial(_apply, late_function.function, len(work.arrays) - kept)
        layout = layout._replace(finish=partial(self._finish, traced, spec, apply))
        outputs = len(before.outputs)
        return make_entry(loaded(first), leaves, spec, traced.captured, layout, outputs)

    def _late_count(self, traced: Traced, spec: Spec) -> int:
        return len(self._results(traced)) if self.mode == VJP else len(self._wrt(spec))

    def _finish(
        self,
        traced: Traced,
        spec: Spec,
        apply: Callable[[Sequence[Any], Sequence[Any]], list[Any]],
        result: tuple[Any, list[Any]],
    ) -> tuple[Any, Callable[..., Any]]:
        """(y, late): `apply(residuals, directions)` gives the leaves of late's result."""
        value, residuals = result
        return value, partial(self._late, traced, spec, partial(apply, residuals))

    def _late(
        self,
        traced: Traced,
        spec: Spec,
        apply: Callable[[Sequence[Any]], list[Any]],
        *directions: Any,
    ) -> Any:
        given = self._directions(traced, spec, directions)
        return self._late_tree(traced, spec, apply(given))

    def _directions(self, traced: Traced, spec: Spec, directions: tuple[Any, ...]) -> list[Any]:
        """The leaves of cotangents or tangents. Raises TypeError where they do not fit."""
        if self.mode != VJP:
            leaves, own = flatten(directions)
            expected = tuple_spec([part for part, _ in self._groups(spec)])
            if own != expected:
                raise TypeError(f"the tangents have the tree {own}, the primals {expected}")
            return [
                fitting(leaf, traced.leaves[i], f"{traced.leaf_names[i]}_dot")
                for leaf, i in zip(leaves, self._wrt(spec), strict=True)
            ]
        if len(directions) != 1:
            raise TypeError(f"the pullback takes one cotangent, not {len(directions)}")
        expected = traced.out_spec.children()[0] if self.has_aux else traced.out_spec
        leaves, own = flatten(directions[0])
        if own != expected:
            raise TypeError(f"the cotangent has the tree {own}, the result {expected}")
        return [
            fitting(leaves[i], Leaf(traced.graph.outputs[output].type, each.is_array), "y_bar")
            for i, each in enumerate(traced.results[: len(leaves)])
            if (output := each.output) in self._results(traced) and output is not None
        ]

    def _late_tree(self, traced: Traced, spec: Spec, leaves: Sequence[Any]) -> Any:
        if self.mode == VJP:
            found = iter(leaves)
            return tuple(
                unflatten(part, [next(found) for _ in indices])
                for part, indices in self._groups(spec)
            )
        places = dict(zip(self._results(traced), leaves, strict=True))
        outputs = [each.output for each in traced.results]
        return unflatten(
            traced.out_spec, [0.0 if i is None else places.get(i, 0.0) for i in outputs]
        )

    def _inline(self, values: tuple[Any, ...]) -> Any:
        spec, work, known = self._simplified(values)
        traced = work.traced
        assert traced is not None and work.graph is not None
        kept = len(traced.graph.outputs)
        value = place(work.graph, work.arrays, known, layout_of(result_tree(traced, range(kept))))
        apply = partial(_apply_inline, work, known, kept)
        return value, partial(self._late, traced, spec, apply)


def _apply(
    function: Callable[..., Any], count: int, residuals: Sequence[Any], given: Sequence[Any]
) -> list[Any]:
    result = function(*residuals, *given)
    return [result] if count == 1 else list(result)


def _apply_inline(work: Work, known: list[Any], kept: int, given: Sequence[Any]) -> list[Any]:
    layout: Layout = layout_of(list(range(kept, len(work.arrays))))
    assert work.graph is not None
    found = place(work.graph, work.arrays, [*known, *given], layout, work.primal)
    assert isinstance(found, list)
    return found
