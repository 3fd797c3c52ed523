"""Functions traced with their loops and branches captured, and run at other arguments."""

import copy

import numpy as np

from symdiff.frontend import context
from symdiff.frontend.parameters import parameters_of
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.frontend.trace import Leaf, leaf_names, trace
from symdiff.frontend.tracer import StaticArgument
from symdiff.ir.node import compilation
from symdiff.ir.types import type_of
from symdiff.ops.evaluate import evaluate


class Captured:
    """A function traced for some arguments: the roads that were taken, the results at others."""

    def __init__(self, function, *args):
        self.function = function
        self.parameters = parameters_of(function)
        static = set()
        token = context.capturing.set(context.Capturing())
        try:
            while True:
                try:
                    self._trace(args, static)
                    break
                except StaticArgument as decided:
                    static |= decided.names
        finally:
            context.capturing.reset(token)
        roads = self.traced.running.flow.roads.values()
        self.roads = [what.partition(":")[0] for _, what in roads]

    def _trace(self, args, static):
        leaves, spec = flatten(self.parameters.bind(copy.deepcopy(args), {}))
        kinds = [
            Leaf(None, static=each)
            if name in static or isinstance(each, bool)
            else Leaf(type_of(each), isinstance(each, np.ndarray))
            for each, name in zip(leaves, leaf_names(self.parameters, spec), strict=True)
        ]
        self.traced = trace(self.function, self.parameters, kinds, spec, leaves)

    def __call__(self, *args):
        """The result and the effects at other arguments."""
        traced, graph = self.traced, self.traced.graph
        leaves, _ = flatten(self.parameters.bind(copy.deepcopy(args), {}))
        values = {
            each: leaf for each, leaf in zip(traced.inputs, leaves, strict=True) if each is not None
        }
        values |= {each.input: each.read() for each in traced.captured if each.input is not None}
        found = evaluate((*graph.outputs, *graph.effects), values)
        assert all(found[len(graph.outputs) :])
        results = [found[r.output] if r.output is not None else r.static for r in traced.results]
        return unflatten(traced.out_spec, results)


def check(function, *calls):
    """The roads taken at the first call, the graph of which computes what all calls give."""
    with compilation(fresh=True):
        captured = Captured(function, *calls[0])
        for args in calls:
            found, _ = flatten(captured(*args))
            expected, _ = flatten(function(*copy.deepcopy(args)))
            for one, other in zip(found, expected, strict=True):
                assert np.shape(one) == np.shape(other)
                np.testing.assert_allclose(one, other, rtol=1e-12)
    return captured
