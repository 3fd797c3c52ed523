"""A function of the user's, called for each row of its operands: how vmap meets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdiff.api.custom import Custom
from symdiff.api.maps import vmap
from symdiff.api.signature import Checked, Signature, fitted, traced, zeros_of
from symdiff.frontend.tracer import Tracer, call
from symdiff.ir.node import Node
from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.foreign import Outcome, Path, stacked
from symdiff.ops.primitive import Cotangents, Rule
from symdiff.ops.render import ROW


class Rows(Custom):
    """A call of `base` for operands that have a leading axis where `batched` says so.

    `batch`, if given, is the function for operands that all have one. Rules are those of the base,
    mapped.
    """

    def __init__(
        self, base: Signature, batch: Callable[..., Any] | None, batched: Sequence[bool], size: int
    ) -> None:
        super().__init__(batch or base.function, base.owner.nondiff_argnums, check=False)
        self.base, self.has_axis, self.size = base, tuple(batched), size
        self.reverse = base.owner.reverse

    def __new__(cls, *args: Any, **options: Any) -> Any:
        return object.__new__(cls)

    @property
    def name(self) -> str:
        return self.base.owner.name if self.fun == self.base.function else super().name

    def objects(self) -> list[tuple[str, Any]]:
        return self.base.owner.objects()

    def source(self, names: Sequence[str], arguments: Sequence[str]) -> str:
        return self.base.owner.source(names, arguments)

    def signature(self) -> Signature:
        """The one way to call it."""
        base = self.base
        types = [
            self._stacked(type) if has else type
            for type, has in zip(base.types, self.has_axis, strict=True)
        ]
        make = Loop if self.fun == base.function else Signature
        made = make(self, base.spec, base.places, types, base.differentiated, base.shown)
        outcomes = [
            each and Outcome(each.path, self._stacked(each.type), True) for each in base.out_leaves
        ]
        made.returns(base.out_spec, outcomes)
        return made

    def _stacked(self, type: ArrayType) -> ArrayType:
        return array_type(type.dtype, (self.size, *type.shape))

    def batched(
        self, signature: Signature, index: int, args: Sequence[Any], batched: Sequence[bool]
    ) -> Any:
        """Rows of rows are as many rows."""
        outer = next(np.shape(arg)[0] for arg, has in zip(args, batched, strict=True) if has)
        both = (outer, self.size)
        mask = tuple([a or b for a, b in zip(batched, self.has_axis, strict=True)])
        flat = []
        for arg, new, has, type in zip(args, batched, self.has_axis, self.base.types, strict=True):
            if new or has:
                axes = (outer if new else 1, self.size if has else 1)
                full = np.broadcast_to(np.reshape(arg, (*axes, *type.shape)), (*both, *type.shape))
                arg = np.reshape(full, (-1, *type.shape))
            flat.append(arg)
        owner = self.base.owner
        rows = owner.batched(self.base, index, flat, mask)
        return np.reshape(rows, (*both, *np.shape(rows)[1:]))

    # ------------------------------------------------------------------ rules

    def rule(self, signature: Signature, operand: int, path: Path) -> Rule:
        """What the base is linear in, this is."""
        found = self.base.owner.rule(self.base, operand, path)
        if not isinstance(found, Cotangents):
            return super().rule(signature, operand, path)
        adjoint, has = found.adjoint, self.has_axis[operand]

        def mapped(each: Node, y_bar: Node) -> list[Node | None]:
            def row(y_bar: Any, *args: Any) -> Any:
                (call,) = self.base.values([arg.node for arg in args])
                return _or_zeros(adjoint(call, y_bar.node)[operand], self.base.types[operand])

            axes = (0, *[0 if has else None for has in self.has_axis])
            bars = vmap(row, in_axes=axes)(traced(y_bar), *map(traced, each.args))
            bar = bars if has else call(np.sum, bars, axis=0)
            return [bar.node if i == operand else None for i in range(len(each.args))]

        return Cotangents(mapped)

    def tangents(
        self, signature: Signature, primals: list[Any], results: list[Any], dots: list[Any]
    ) -> Sequence[Any]:
        count, base = len(primals), self.base

        def row(*leaves: Any) -> list[Any]:
            args = leaves[:count]
            values = [Tracer(each) for each in base.values([arg.node for arg in args])]
            found = base.owner.tangents(base, list(args), values, list(leaves[count:]))
            return [
                _or_zeros(fitted(leaf, outcome.type, self.name), outcome.type)
                for leaf, outcome in zip(found, base.outcomes, strict=True)
            ]

        axes = tuple([0 if has else None for has in self.has_axis])
        return list(vmap(row, in_axes=(*axes, *axes))(*primals, *dots))

    def forward(self, signature: Signature, primals: list[Any]) -> tuple[list[Any], Any]:
        rest: list[Any] = []

        def row(*leaves: Any) -> list[Any]:
            kept, others = self.base.owner.forward(self.base, list(leaves))
            rest.append(others)
            return kept

        axes = tuple([0 if has else None for has in self.has_axis])
        return list(vmap(row, in_axes=axes)(*primals)), rest[-1]

    def backward(
        self, signature: Signature, kept: list[Any], rest: Any, bars: list[Any]
    ) -> Sequence[Any]:
        base, count = self.base, len(kept)

        def row(*leaves: Any) -> list[Any]:
            found = base.owner.backward(base, list(leaves[:count]), rest, list(leaves[count:]))
            return [
                _or_zeros(fitted(leaf, type, self.name), type)
                for leaf, type in zip(found, base.types, strict=True)
            ]

        rows = vmap(row)(*kept, *bars)
        return [
            bar if has else call(np.sum, bar, axis=0)
            for bar, has in zip(rows, self.has_axis, strict=True)
        ]


def _or_zeros(found: Node | None, type: ArrayType) -> Tracer:
    return Tracer(zeros_of(type) if found is None else found)


class Loop(Signature):
    """A call for each row, in a loop; what is not batched is the same for all."""

    repeats_operands = True
    take = staticmethod(stacked)
    owner: Rows

    def callee(self) -> Checked:
        """The function itself, which the loop calls."""
        base: Signature = self.owner.base
        return base.callee()

    def function(self, *operands: Any) -> Any:
        owner = self.owner
        return [
            owner.base.function(
                *[each[i] if has else each
                  for each, has in zip(operands, owner.has_axis, strict=True)]
            )
            for i in range(owner.size)
        ]  # fmt: skip

    def source(self, *texts: str) -> str:
        first = len(self.objects)
        axes = [i for i, has in enumerate(self.owner.has_axis) if has]
        rows = {i: f"{ROW}_{i}" if len(axes) > 1 else ROW for i in axes}
        operands = texts[first:]
        inner = super().source(
            *texts[:first], *[rows.get(i, text) for i, text in enumerate(operands)]
        )
        over = ", ".join(operands[i] for i in axes)
        over = f"zip({over}, strict=True)" if len(axes) > 1 else over
        return f"[{inner} for {', '.join(rows.values())} in {over}]"
