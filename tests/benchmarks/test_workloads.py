"""The hand-written gradients that everything is measured against are right."""

import importlib
import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# By path: the benchmarks are scripts, in no package that could be imported from here.
NAMES = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "workloads.py"))
WORKLOADS = NAMES["WORKLOADS"]
BY_HAND = [
    pytest.param(workload, gradient, id=f"{workload.name}-{form}")
    for workload in WORKLOADS
    for form, gradient in {"by hand": workload.by_hand, **workload.also_by_hand}.items()
]


@pytest.mark.parametrize(("workload", "gradient"), BY_HAND)
def test_gradient_agrees_with_differences(
    workload: Any, gradient: Callable[..., tuple[Any, Any]]
) -> None:
    arguments = in_double(workload.small_arguments())
    value, gradients = gradient(*arguments)
    direction = random_like(gradients)
    step = 1e-6

    def shifted(sign: int) -> Any:
        return workload.function(*moved(arguments, workload.argnums, direction, sign * step))

    assert value == pytest.approx(workload.function(*arguments), rel=1e-12)
    difference = (shifted(+1) - shifted(-1)) / (2 * step)
    slope = sum(np.vdot(a, b) for a, b in zip(leaves(gradients), leaves(direction)))
    assert slope == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize(("workload", "gradient"), BY_HAND)
def test_gradient_has_the_form_of_the_arguments(
    workload: Any, gradient: Callable[..., tuple[Any, Any]]
) -> None:
    arguments = workload.small_arguments()
    value, gradients = gradient(*arguments)
    assert np.asarray(value).dtype == np.asarray(workload.function(*arguments)).dtype
    argnums = workload.argnums
    wanted = arguments[argnums] if isinstance(argnums, int) else [arguments[i] for i in argnums]
    forms = [[(a.shape, a.dtype) for a in leaves(tree)] for tree in (gradients, wanted)]
    assert forms[0] == forms[1]


@pytest.mark.parametrize(("workload", "gradient"), BY_HAND)
def test_gradient_leaves_the_arguments_alone(
    workload: Any, gradient: Callable[..., tuple[Any, Any]]
) -> None:
    arguments = workload.small_arguments()
    gradient(*arguments)
    for used, fresh in zip(leaves(arguments), leaves(workload.small_arguments())):
        np.testing.assert_array_equal(used, fresh)


@pytest.mark.parametrize("n", [10, 1_000])
def test_rosenbrock_by_hand_has_the_bits_of_the_function(n: int) -> None:
    """As the emitted code must, so that both do the same work."""
    workload = next(w for w in WORKLOADS if w.name == f"rosenbrock-{n}")
    arguments = workload.arguments()
    assert workload.by_hand(*arguments)[0] == workload.function(*arguments)


def test_over_replaces_numpy() -> None:
    class Loud:
        @staticmethod
        def sum(x: Any) -> str:
            return "its own sum"

    rosenbrock = next(w for w in WORKLOADS if w.name == "rosenbrock-10").function
    assert NAMES["over"](rosenbrock, Loud, Loud)(np.ones(3)) == "its own sum"


@pytest.mark.parametrize("workload", [w for w in WORKLOADS if w.in_c], ids=lambda w: w.name)
def test_gradient_in_c_agrees(workload: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run of hand.c, on the arguments that suit tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    contestants = importlib.import_module("contestants")
    small = replace(workload, sizes=workload.small)
    arguments = small.arguments()
    answer = contestants.with_c_by_hand(small)(*arguments)
    assert contestants.disagreement(answer, workload.by_hand(*arguments)) is None


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (tuple, list)):
        for branch in tree:
            yield from leaves(branch)
    else:
        yield np.asarray(tree)


def mapped(function: Callable[..., Any], *trees: Any) -> Any:
    if isinstance(trees[0], (tuple, list)):
        return [mapped(function, *branches) for branches in zip(*trees)]
    return function(*trees)


def in_double(tree: Any) -> Any:
    """The same with float64 for float32, so that differences are accurate."""
    return mapped(
        lambda leaf: leaf.astype(float) if getattr(leaf, "dtype", None) == np.float32 else leaf,
        tree,
    )


def random_like(tree: Any) -> Any:
    rng = np.random.default_rng(1)
    return mapped(lambda leaf: rng.standard_normal(np.shape(leaf)), tree)


def moved(arguments: Any, argnums: int | tuple[int, ...], direction: Any, step: float) -> list[Any]:
    """The arguments, those differentiated shifted along the direction."""
    directions = {argnums: direction} if isinstance(argnums, int) else dict(zip(argnums, direction))
    return [
        mapped(lambda x, dx: x + step * dx, argument, directions[i])
        if i in directions
        else argument
        for i, argument in enumerate(arguments)
    ]
