"""Each program of programs.py: its value, its derivatives, its transformations, its saved form.

A derivative must agree with differences, with a complex step where the program is analytic, and
with every other library that is installed (extra `bench`).
"""

import functools
import importlib
import importlib.util
import inspect
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symdiff
from symdiff.inspect.explain import RULES
from symdiff.rewrite.pattern import ACCURATE

FILE = Path(__file__).with_name("programs.py")
PROGRAMS = runpy.run_path(str(FILE))["PROGRAMS"]
PEERS = [name for name in ("autograd", "jax") if importlib.util.find_spec(name)]
MORE_ACCURATE = {name for name, row in RULES.items() if row.exactness is ACCURATE}
STEP = 3e-4

each_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


# ------------------------------------------------------------------ trees of arrays and numbers


def leaves(tree):
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    if isinstance(tree, list | tuple):
        return [leaf for each in tree for leaf in leaves(each)]
    return [tree]


def mapped(function, *trees):
    """A tree of the function of all leaves at one place."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: mapped(function, *(tree[key] for tree in trees)) for key in first}
    if isinstance(first, list | tuple):
        return type(first)(mapped(function, *parts) for parts in zip(*trees, strict=True))
    return function(*trees)


def rebuilt(tree, values):
    """The tree with other leaves, in the order of `leaves`."""
    if isinstance(tree, dict):
        parts = {key: rebuilt(tree[key], values) for key in sorted(tree)}
        return {key: parts[key] for key in tree}
    if isinstance(tree, list | tuple):
        return type(tree)(rebuilt(each, values) for each in tree)
    return next(values)


def same(actual, expected):
    """Bits, types and dtypes."""
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key in expected:
            same(actual[key], expected[key])
    elif isinstance(expected, list | tuple):
        for pair in zip(actual, expected, strict=True):
            same(*pair)
    else:
        np.testing.assert_array_equal(actual, expected, strict=True)
        np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


def close(actual, expected, rtol, scale=None):
    """Within a tolerance of the largest entry of the leaf, or of `scale`."""
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        largest = scale or max(1.0, np.max(np.abs(b), initial=0))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * largest)


# ------------------------------------------------------------------ what a program is


def chosen(program):
    """The arguments differentiated, as a tuple."""
    argnums = program.argnums
    return tuple(program.args[i] for i in (argnums if isinstance(argnums, tuple) else (argnums,)))


def with_chosen(program, values):
    args = list(program.args)
    argnums = program.argnums
    for i, value in zip(argnums if isinstance(argnums, tuple) else (argnums,), values):
        args[i] = value
    return tuple(args)


def is_scalar(program):
    return np.ndim(program.function(*program.args)) == 0


def derivative(program, library=symdiff, function=None):
    """The gradient, or the Jacobian of a program with many results."""
    made = library.grad if is_scalar(program) else library.jacobian
    return made(function or program.function, program.argnums)


def as_tuple(program, tree):
    return tree if isinstance(program.argnums, tuple) else (tree,)


def along_each_entry(program, slope):
    """For each chosen leaf an array [*result, *leaf] of slopes along its entries."""
    columns = []
    flat = leaves(chosen(program))
    arrays = [np.asarray(leaf) for leaf in flat]
    for which, leaf in enumerate(flat):
        found = []
        for index in np.ndindex(np.shape(leaf)):
            unit = np.zeros(np.shape(leaf))
            unit[index] = 1

            def at(step):
                moved = [x + step * unit if i == which else x for i, x in enumerate(arrays)]
                moved = [np.asarray(m) if np.ndim(x) else m.item() for m, x in zip(moved, flat)]
                values = rebuilt(chosen(program), iter(moved))
                return program.function(*with_chosen(program, values))

            found.append(slope(at))
        result = np.shape(found[0])
        columns.append(np.moveaxis(np.array(found), 0, -1).reshape(result + np.shape(leaf)))
    return columns


def by_differences(at):
    near, far = at(STEP) - at(-STEP), at(2 * STEP) - at(-2 * STEP)
    return (8 * near - far) / (12 * STEP)


def by_complex_step(at):
    return np.imag(at(1e-30j)) / 1e-30


@functools.cache
def programs_over(peer):
    """The same programs with the arrays of another library."""
    if peer == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    source = FILE.read_text("utf-8")
    for ours, theirs in (
        ("import numpy as np\n", f"import {peer}.numpy as np\n"),
        ("import scipy.special as special\n", f"import {peer}.scipy.special as special\n"),
    ):
        assert ours in source
        source = source.replace(ours, theirs)
    namespace = {"__name__": f"programs_over_{peer}"}
    module = type(sys)(namespace["__name__"])
    sys.modules[module.__name__] = module  # dataclasses look there
    exec(compile(source, str(FILE), "exec"), module.__dict__)
    return module.PROGRAMS


# ------------------------------------------------------------------ the tests


@each_program
def test_the_value_is_the_one_of_the_function(program):
    expected = program.function(*program.args)
    jitted = symdiff.jit(program.function)
    values = [jitted(*program.args), jitted(*program.args)]
    if is_scalar(program):
        values.append(symdiff.value_and_grad(program.function, program.argnums)(*program.args)[0])
    assert program.stabilized == any(
        each.rule in MORE_ACCURATE for each in jitted.compiled.work.log
    )
    for value in values:
        if program.stabilized:
            close(value, expected, 1e-14)
        else:
            same(value, expected)


@each_program
def test_the_derivative_is_that_of_differences(program):
    actual = derivative(program)(*program.args)
    expected = along_each_entry(program, by_differences)
    close(leaves(as_tuple(program, actual)), expected, 1e-7)


@pytest.mark.parametrize("name", [name for name, each in PROGRAMS.items() if each.analytic])
def test_the_derivative_is_that_of_a_complex_step(name):
    program = PROGRAMS[name]
    actual = derivative(program)(*program.args)
    expected = along_each_entry(program, by_complex_step)
    close(leaves(as_tuple(program, actual)), expected, 1e-11)


@each_program
def test_the_derivative_has_the_types_of_the_arguments(program):
    if not is_scalar(program):
        return
    before = mapped(np.copy, program.args)
    actual = as_tuple(program, derivative(program)(*program.args))
    for bar, arg in zip(leaves(actual), leaves(chosen(program)), strict=True):
        assert type(bar) is type(arg)
        assert np.shape(bar) == np.shape(arg)
    for now, then in zip(leaves(program.args), leaves(before), strict=True):
        np.testing.assert_array_equal(now, then)


def of_peers():
    """A comparison for each program and library that is installed."""
    return [
        pytest.param(program, peer, id=f"{name}-{peer}")
        for name, program in PROGRAMS.items()
        for peer in PEERS
        if not (peer == "autograd" and program.beyond_autograd)
    ]


if PEERS:

    @pytest.mark.parametrize(("program", "peer"), of_peers())
    def test_the_derivative_is_that_of_the_peer(program, peer):
        function = programs_over(peer)[program.function.__name__].function
        theirs = derivative(program, importlib.import_module(peer), function)(*program.args)
        actual = derivative(program)(*program.args)
        close(as_tuple(program, actual), as_tuple(program, theirs), 1e-10)


def directions(tree, rng):
    return mapped(lambda leaf: rng.standard_normal(np.shape(leaf))[()], tree)


def dot(left, right):
    return sum(np.sum(a * b) for a, b in zip(leaves(left), leaves(right), strict=True))


def of_chosen(program):
    """The program as a function of the chosen arguments alone."""

    def function(*values):
        return program.function(*with_chosen(program, values))

    return function


@each_program
def test_forward_and_reverse_mode_are_adjoint(program):
    function, primals = of_chosen(program), chosen(program)
    rng = np.random.default_rng(1)
    dots = directions(primals, rng)
    value, value_dot = symdiff.jvp(function, primals, dots)
    y, pullback = symdiff.vjp(function, *primals)
    same(value, y)
    bar = np.asarray(rng.standard_normal(np.shape(y)))[()]
    assert dot(pullback(bar), dots) == pytest.approx(np.sum(bar * value_dot), rel=1e-10, abs=1e-11)


@each_program
def test_the_hessian_is_symmetric_and_that_of_forward_over_reverse(program):
    if not is_scalar(program):
        return
    function, primals = of_chosen(program), chosen(program)
    argnums = tuple(range(len(primals)))
    gradient = symdiff.grad(function, argnums)
    rng = np.random.default_rng(2)
    v, w = directions(primals, rng), directions(primals, rng)
    Hv = symdiff.jvp(gradient, primals, v)[1]
    found = symdiff.hvp(function, primals, v)
    close(found if len(primals) > 1 else (found,), Hv, 1e-10)
    Hw = symdiff.jvp(gradient, primals, w)[1]
    assert dot(w, Hv) == pytest.approx(dot(v, Hw), rel=1e-8, abs=1e-8)
    moved = [
        leaves(gradient(*mapped(lambda x, dx: x + s * STEP * dx, primals, v)))
        for s in (-2, -1, 1, 2)
    ]
    by_steps = [(8 * (c - b) - (d - a)) / (12 * STEP) for a, b, c, d in zip(*moved, strict=True)]
    close(leaves(Hv), by_steps, 1e-6)


@each_program
def test_mapping_the_derivative_is_a_loop(program):
    primals = chosen(program)
    rng = np.random.default_rng(3)
    points = [
        mapped(lambda x: np.asarray(x * (1 + 0.01 * rng.standard_normal(np.shape(x)))), primals)
        for _ in range(3)
    ]
    function = of_chosen(program)
    take = symdiff.grad if is_scalar(program) else symdiff.jacobian
    made = take(function, tuple(range(len(primals))))
    batch = mapped(lambda *rows: np.stack(rows), *points)
    found = leaves(symdiff.vmap(made)(*batch))
    one_by_one = [leaves(made(*point)) for point in points]
    for leaf, rows in zip(found, zip(*one_by_one, strict=True), strict=True):
        close(leaf, np.stack(rows), 1e-12)


RUN = """
import inspect, pickle, runpy, sys
sys.modules["symdiff"] = None
with open("arguments.pickle", "rb") as file:
    arguments = pickle.load(file)
found = {}
for name, (function, values) in arguments.items():
    saved = runpy.run_path(f"{name}.py")[function]
    taken = inspect.signature(saved).parameters  # without what decided branches
    found[name] = saved(**{each: value for each, value in values.items() if each in taken})
with open("results.pickle", "wb") as file:
    pickle.dump(found, file)
"""


def test_saved_derivatives_run_without_symdiff(tmp_path):
    arguments, expected = {}, {}
    for name, program in PROGRAMS.items():
        made = derivative(program)
        expected[name] = made(*program.args)
        made.save(tmp_path / f"{name}.py")
        bound = inspect.signature(program.function).bind(*program.args)
        bound.apply_defaults()
        arguments[name] = made.compiled.name, bound.arguments
    (tmp_path / "arguments.pickle").write_bytes(pickle.dumps(arguments))
    subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, check=True)
    found = pickle.loads((tmp_path / "results.pickle").read_bytes())
    for name, each in expected.items():
        same(found[name], each)
