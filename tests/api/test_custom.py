"""Rules of the user's own: what is called, what its derivatives are, what is refused."""

import ctypes
import ctypes.util
import importlib.util
import pickle
import sys
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.interpolate import CubicSpline

import symdiff
from symdiff.testing import check_primitive

X = np.linspace(0.5, 2.0, 4)
A = np.array([[3.0, 1.0, 0.5], [0.2, 2.0, -0.4], [0.1, 0.3, 1.5]])
B = np.array([[1.0, -2.0, 0.5], [0.3, 0.8, 1.1]])


@symdiff.custom_jvp
def wave(x, y):
    assert type(x) in (np.ndarray, np.float64, float)
    return np.sin(x) * y


@wave.defjvp
def _wave_jvp(primals, tangents):
    (x, y), (x_dot, y_dot) = primals, tangents
    return wave(x, y), np.cos(x) * y * x_dot + np.sin(x) * y_dot


@symdiff.custom_vjp
def solve(a, b):
    return np.linalg.solve(a, b)


def _solve_fwd(a, b):
    x = solve(a, b)
    return x, (a, x)


def _solve_bwd(kept, x_bar):
    a, x = kept
    b_bar = solve(a.T, x_bar)
    return -np.outer(b_bar, x), b_bar


solve.defvjp(_solve_fwd, _solve_bwd)


@symdiff.primitive(
    jvp={"a": lambda x, a, b, a_dot: linear_solve(a, -(a_dot @ x))},
    transpose={"b": lambda x_bar, a, b: linear_solve(a.T, x_bar)},
)
def linear_solve(a, b):
    return np.linalg.solve(a, b)


@symdiff.elementwise(
    partials={"x": lambda r, x, y: x / r, "y": lambda r, x, y: y / r},
)
def distance(x, y):
    return np.sqrt(np.square(x) + np.square(y))


# ---------------------------------------------------------------------------- derivatives


def test_values_are_those_of_the_function():
    assert_allclose(wave(X, 2.0), np.sin(X) * 2, rtol=0)
    assert_allclose(symdiff.jit(lambda x: wave(x, 2.0))(X), np.sin(X) * 2, rtol=0)


def test_forward_and_reverse_mode():
    y, y_dot = symdiff.jvp(lambda x: wave(x, x), (X,), (np.ones(4),))
    assert_allclose(y, np.sin(X) * X)
    assert_allclose(y_dot, np.cos(X) * X + np.sin(X))
    x_bar, s_bar = symdiff.grad(lambda x, s: np.sum(wave(x, s)), (0, 1))(X, 2.0)
    assert_allclose(x_bar, 2 * np.cos(X))
    assert s_bar == pytest.approx(np.sum(np.sin(X)))
    assert isinstance(s_bar, float)


def test_an_argument_that_is_not_differentiated_costs_nothing():
    gradient = symdiff.grad(lambda x: np.sum(wave(x, 2.0)))
    gradient(X)
    assert "sin" not in gradient.source


@pytest.mark.parametrize(
    ("operation", "args"),
    [
        (wave, (X, 2.0)),
        (wave, (X, X)),
        (linear_solve, (A, B[0])),
        (linear_solve, (A, B.T)),
        (distance, (X, 2.0)),
        (distance, (B, X[:3])),
        (solve, (A, B[0])),
    ],
)
def test_every_kind_of_rule_passes_the_tests_of_primitives(operation, args):
    check_primitive(operation, *args)


def test_a_wrong_rule_does_not_pass_the_tests_of_primitives():
    half = symdiff.custom_jvp(lambda x: np.sin(x), check=False)
    half.defjvp(lambda primals, tangents: (half(*primals), np.cos(primals[0]) * tangents[0] / 2))
    with pytest.raises(AssertionError, match="not right"):
        check_primitive(half, X)


def test_a_function_that_selects_by_values_keeps_its_own_course():
    @symdiff.custom_jvp
    def newton(a):
        x = 1.0
        while abs(x * x - a) > 1e-14 * a:
            x = (x + a / x) / 2
        return x

    @newton.defjvp
    def _(primals, tangents):
        x = newton(*primals)
        return x, tangents[0] / (2 * x)

    assert symdiff.grad(newton)(4.0) == pytest.approx(0.25)
    assert symdiff.grad(symdiff.grad(newton))(4.0) == pytest.approx(-1 / 32)


def test_backward_rules_need_not_be_linear():
    clipped = symdiff.custom_vjp(lambda x: x, check=False)
    clipped.defvjp(lambda x: (x, None), lambda kept, bar: (np.clip(bar, -1, 1),))
    assert_allclose(symdiff.grad(lambda x: np.sum(clipped(x) ** 2))(np.array([0.1, 5.0])), [0.2, 1])


def test_backward_rules_refuse_forward_mode():
    with pytest.raises(symdiff.NotDifferentiableError, match=r"custom_vjp rule.*no forward mode"):
        symdiff.jvp(lambda b: solve(A, b), (B[0],), (B[0],))


def test_jacobians_and_hessians_choose_reverse_mode():
    def values(b):
        return solve(A, b) ** 2

    known = symdiff.jacobian(lambda b: np.linalg.solve(A, b) ** 2)(B[0])
    assert_allclose(symdiff.jacobian(values)(B[0]), known)
    keeps = symdiff.custom_vjp(lambda x: x**3)  # whose rule calls the function itself again
    keeps.defvjp(lambda x: (keeps(x), keeps(x)), lambda y, bar: (3 * np.cbrt(y) ** 2 * bar,))
    assert_allclose(symdiff.hessian(lambda x: np.sum(keeps(x)))(X), np.diag(6 * X))


def test_reverse_over_reverse():
    made = symdiff.jacrev(symdiff.grad(lambda b: np.sum(solve(A, b) ** 3)))(B[0])
    known = symdiff.hessian(lambda b: np.sum(np.linalg.solve(A, b) ** 3))(B[0])
    assert_allclose(made, known)


def test_arguments_and_results_are_trees():
    class Point(NamedTuple):
        x: object
        y: object

    @symdiff.custom_jvp(nondiff_argnums=(0,))
    def model(mode, params, point):
        assert mode == "fast"
        assert isinstance(point, Point)
        return {"y": params["w"] * point.x, "rest": (np.sum(point.y), None)}

    @model.defjvp
    def _(mode, primals, tangents):
        (params, point), (params_dot, point_dot) = primals, tangents
        y_dot = params_dot["w"] * point.x + params["w"] * point_dot.x
        return model(mode, params, point), {"y": y_dot, "rest": (np.sum(point_dot.y), None)}

    def loss(params, x):
        out = model("fast", params, Point(x, x * 2))
        return np.sum(out["y"] ** 2) + out["rest"][0]

    params = {"w": np.array([1.0, 2.0])}
    params_bar, x_bar = symdiff.grad(loss, (0, 1))(params, np.array([3.0, 4.0]))
    assert_allclose(params_bar["w"], [18, 64])
    assert_allclose(x_bar, [8, 34])


def test_one_rule_for_each_argument():
    product = symdiff.custom_jvp(lambda x, y: x * y)
    product.defjvps(lambda x_dot, z, x, y: x_dot * y, lambda y_dot, z, x, y: x * y_dot)
    x_bar, y_bar = symdiff.grad(lambda x, y: np.sum(product(x, y)), (0, 1))(X, 2 * X)
    assert_allclose(x_bar, 2 * X)
    assert_allclose(y_bar, X)


def test_an_order_is_static():
    """Orders without end are no problem: rules are read when they are needed."""

    @symdiff.custom_jvp(nondiff_argnums=0)
    def power(n, x):
        assert type(n) is int
        return x**n

    @power.defjvp
    def _(n, primals, tangents):
        return power(n, *primals), n * power(n - 1, *primals) * tangents[0]

    third = symdiff.grad(symdiff.grad(symdiff.grad(lambda x, n: power(n, x))))
    assert third(2.0, 5) == pytest.approx(60 * 4)


@pytest.mark.parametrize(
    "x",
    [np.float32([1, 2]), np.array(2.0), np.float64(2), 2.0, np.zeros(0), np.ones((3, 2)).T,
     np.array([1 + 2j])],
    ids=["float32", "0-d", "scalar", "number", "empty", "transposed", "complex"],
)  # fmt: skip
def test_types_are_kept(x):
    cube = symdiff.custom_jvp(lambda x: x**3)
    cube.defjvp(lambda primals, tangents: (cube(*primals), 3 * primals[0] ** 2 * tangents[0]))
    made = symdiff.grad(lambda x: np.sum(np.real(cube(x))))(x)
    known = symdiff.grad(lambda x: np.sum(np.real(x**3)))(x)
    assert type(made) is type(known)
    assert np.asarray(made).dtype == np.asarray(known).dtype
    assert_allclose(made, known)


def test_arrays_that_rules_reach_are_read_again():
    factors = np.array([1.0, 2.0])
    scaled = symdiff.custom_jvp(lambda x: factors * x)
    scaled.defjvp(lambda primals, tangents: (scaled(*primals), factors * tangents[0]))
    gradient = symdiff.grad(lambda x: np.sum(scaled(x)))
    assert_allclose(gradient(np.ones(2)), [1, 2])
    factors *= 10
    assert_allclose(gradient(np.ones(2)), [10, 20])


def test_rules_may_decide_on_values():
    function = symdiff.custom_jvp(lambda x: np.sum(np.abs(x)))

    @function.defjvp
    def _(primals, tangents):
        (x,), (x_dot,) = primals, tangents
        if np.sum(x) > 0:
            return function(x), np.sum(x_dot)
        return function(x), -np.sum(x_dot)

    gradient = symdiff.grad(function)
    for x in (X, -X, X):
        assert_allclose(gradient(x), np.sign(x))
        assert_allclose(symdiff.jvp(function, (x,), (X,))[1], np.sign(x) @ X)
        assert_allclose(symdiff.vjp(function, x)[1](1.0)[0], np.sign(x))


def test_methods():
    class Spring:
        def __init__(self, stiffness):
            self.stiffness = stiffness

        @symdiff.custom_jvp
        def energy(self, x):
            return self.stiffness * x**2 / 2

    @Spring.energy.defjvp
    def _(primals, tangents):
        spring, x = primals
        return spring.energy(x), spring.stiffness * x * tangents[1]

    spring = Spring(3.0)
    assert_allclose(symdiff.grad(lambda x: np.sum(spring.energy(x)))(X), 3 * X)


# ---------------------------------------------------------------------------- opaque functions


def _bessel(order):
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    function = getattr(library, f"j{order}")
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    return function


def test_a_function_of_c():
    j0 = symdiff.primitive(_bessel(0), jvp={"x": lambda y, x, x_dot: -j1(x) * x_dot})
    j1 = symdiff.primitive(_bessel(1))
    assert symdiff.grad(lambda x: 2 * j0(x))(1.5) == pytest.approx(-2 * _bessel(1)(1.5))
    assert_allclose(symdiff.vmap(j0)(X), [_bessel(0)(x) for x in X])


def test_arrays_are_passed_contiguous():
    seen = []

    @symdiff.custom_jvp
    def trace(x):
        seen.append(x.flags.c_contiguous)
        return np.trace(x)

    symdiff.jit(lambda x: trace(x.T))(np.ones((3, 2)))
    assert all(seen)


def test_a_registered_function_is_met_under_its_own_name():
    def lookup(x):
        return np.interp(float(x), [0.0, 1.0, 2.0], [0.0, 1.0, 4.0])

    symdiff.primitive(lookup, jvp={"x": lambda y, x, x_dot: np.where(x < 1, 1.0, 3.0) * x_dot})
    assert symdiff.grad(lambda x: lookup(x) * 2)(1.5) == 6


def test_what_it_keeps_is_not_overwritten():
    kept = np.ones(100_000)
    same = symdiff.custom_jvp(lambda x: kept, check=False)
    same.defjvp(lambda primals, tangents: (same(*primals), tangents[0]))
    value, _ = symdiff.value_and_grad(lambda x: np.sum(same(x) * 2 * x * 3))(np.ones(100_000))
    assert value == 600_000
    assert_allclose(kept, 1)


def test_a_declared_result_needs_no_call():
    calls = []

    def function(x):
        calls.append(type(x))
        return np.cumsum(x)

    wrapped = symdiff.custom_jvp(function, result=lambda x: np.zeros_like(x))
    symdiff.jit(lambda x: wrapped(x) * 2)(X)
    assert len(calls) == 1


def test_another_result_than_found_is_refused():
    several = symdiff.custom_jvp(lambda x: x[x > 1])
    function = symdiff.jit(lambda x: np.sum(several(x)))
    function(X)
    with pytest.raises(symdiff.ShapeError, match=r"returned f64\[4\], where f64\[2\] was found"):
        function(X + 2)


# ---------------------------------------------------------------------------- batches


def test_vmap_loops():
    batched = symdiff.vmap(wave, in_axes=(0, None))
    assert_allclose(batched(B, 2.0), np.sin(B) * 2)
    assert "[wave(_row, y) for _row in x]" in batched.source


@pytest.mark.parametrize("function", [solve, linear_solve])
def test_derivatives_of_batches(function):
    batch = symdiff.vmap(function, in_axes=(None, 0))
    made = symdiff.grad(lambda a, b: np.sum(batch(a, b) ** 3), (0, 1))(A, B)
    known = symdiff.grad(lambda a, b: np.sum(np.linalg.solve(a, b.T) ** 3), (0, 1))(A, B)
    for one, other in zip(made, known, strict=True):
        assert_allclose(one, other)


def test_batches_of_derivatives():
    made = symdiff.vmap(symdiff.hessian(lambda b: np.sum(linear_solve(A, b) ** 3)))(B)
    known = symdiff.vmap(symdiff.hessian(lambda b: np.sum(np.linalg.solve(A, b) ** 3)))(B)
    assert_allclose(made, known)


def test_batches_of_batches():
    made = symdiff.vmap(symdiff.vmap(wave, in_axes=(0, None)), in_axes=(None, 0))(X, B[0])
    assert_allclose(made, np.sin(X) * B[0][:, None])


def test_a_batch_function_is_called_once():
    calls = []

    def rows(a, b):
        calls.append(b.shape)
        return np.linalg.solve(a, b[..., None])[..., 0]

    fast = symdiff.custom_jvp(np.linalg.solve, batch=rows)
    assert_allclose(symdiff.vmap(fast, in_axes=(None, 0))(A, B), np.linalg.solve(A, B.T).T)
    assert calls == [(2, 3)]


# ---------------------------------------------------------------------------- emitted source

MODULE = '''
import numpy as np
import symdiff

@symdiff.custom_jvp
def cube(x):
    return x * x * x

@cube.defjvp
def cube_jvp(primals, tangents):
    return cube(*primals), 3 * primals[0] ** 2 * tangents[0]
'''


@pytest.fixture
def cubes(tmp_path, monkeypatch):
    """A module of the user's with a function that has a rule."""
    (tmp_path / "cubes_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import cubes_of_a_test

    yield cubes_of_a_test
    del sys.modules["cubes_of_a_test"]


def test_source_reads_as_the_call():
    gradient = symdiff.grad(lambda x, y: np.sum(wave(x, y) ** 2))
    gradient(X, 2.0)
    assert "wave(x, y)" in gradient.source


def test_saved_modules_import_the_function(cubes, tmp_path):
    function = symdiff.value_and_grad(lambda x: np.sum(cubes.cube(x)))
    value, gradient = function(X)
    path = tmp_path / "saved.py"
    function.save(path)
    assert "from cubes_of_a_test import cube" in path.read_text().splitlines()
    spec = importlib.util.spec_from_file_location("saved", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    again = module.function_value_and_grad(X)
    assert again[0] == value
    assert_allclose(again[1], gradient)


def test_a_function_without_a_name_cannot_be_saved(tmp_path):
    nameless = symdiff.custom_jvp(lambda x: x * 2)
    function = symdiff.jit(lambda x: nameless(x))
    function(X)
    with pytest.raises(symdiff.TraceError, match="cannot be imported by a saved module"):
        function.save(tmp_path / "saved.py")


def test_pickled_derivatives_find_the_function(cubes):
    gradient = symdiff.grad(cubes.cube)
    assert pickle.loads(pickle.dumps(gradient))(2.0) == gradient(2.0) == 12


# ---------------------------------------------------------------------------- refusals


def test_a_wrong_rule_is_found_at_once():
    wrong = symdiff.elementwise(lambda x: x**3, partials={"x": lambda y, x: 2 * x * x})
    with pytest.raises(symdiff.RuleError, match="check=False if it is meant"):
        symdiff.grad(lambda x: np.sum(wrong(x)))(X)


def test_a_wrong_backward_rule_is_found_at_once():
    wrong = symdiff.custom_vjp(lambda x: x**3)
    wrong.defvjp(lambda x: (wrong(x), x), lambda x, bar: (2 * x * bar,))
    with pytest.raises(symdiff.RuleError, match="check=False if it is meant"):
        symdiff.grad(lambda x: np.sum(wrong(x)))(X)


def test_a_wrong_transpose_is_found_at_once():
    wrong = symdiff.primitive(lambda a, b: a @ b, transpose={"b": lambda y_bar, a, b: a @ y_bar})
    with pytest.raises(symdiff.RuleError, match="check=False if it is meant"):
        symdiff.grad(lambda b: np.sum(wrong(A, b) ** 2))(B[0])


def test_a_kink_is_no_mistake():
    relu = symdiff.elementwise(lambda x: np.maximum(x, 0), partials={"x": lambda y, x: x > 0})
    assert_allclose(symdiff.grad(lambda x: np.sum(relu(x)))(np.array([-1.0, 0.0, 1.0])), [0, 0, 1])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda p, t: (p[0], t[0] ** 2), "not linear.*power"),
        (lambda p, t: (p[0], t[0] + p[0]), "not linear.*adds"),
        (lambda p, t: (p[0], p[0]), "none of its tangents"),
        (lambda p, t: (p[0], t[0][:2]), r"gives f64\[2\] for a value of type f64\[4\]"),
        (lambda p, t: (p[0], (t[0],)), "tangent of the tree"),
        (lambda p, t: t[0], "no pair"),
    ],
)
def test_rules_that_are_none(rule, message):
    function = symdiff.custom_jvp(lambda x: x * 2, check=False)
    function.defjvp(rule)
    with pytest.raises(symdiff.RuleError, match=message):
        symdiff.grad(lambda x: np.sum(function(x)))(X)


def test_a_function_without_a_rule():
    with pytest.raises(symdiff.NotDifferentiableError, match=r"Give it one with @f\.defjvp"):
        symdiff.grad(lambda x: np.sum(symdiff.custom_jvp(np.sort)(x)))(X)


def test_nondiff_arguments_have_no_derivative():
    function = symdiff.custom_jvp(lambda n, x: n * x, nondiff_argnums=0)
    function.defjvp(lambda n, primals, tangents: (function(n, *primals), n * tangents[0]))
    assert_allclose(symdiff.grad(lambda x, n: np.sum(function(n, x)))(X, X), X)
    with pytest.raises(symdiff.NotDifferentiableError, match="nondiff_argnums"):
        symdiff.grad(lambda n, x: np.sum(function(n, x)))(X, X)


def test_functions_that_change_their_arguments():
    def normalize(x):
        x /= np.sum(x)
        return x

    x = X.copy()
    with pytest.raises(symdiff.TraceError, match="changes an argument in place"):
        symdiff.jit(symdiff.custom_jvp(normalize))(x)
    assert_allclose(x, X)


def test_functions_that_fail_on_a_sample():
    def picky(x):
        raise ArithmeticError("no")

    with pytest.raises(symdiff.TraceError, match=r"ArithmeticError\('no'\)\n.*\n.*result="):
        symdiff.jit(symdiff.custom_jvp(picky))(X)


def test_results_that_are_no_numbers():
    function = symdiff.custom_jvp(lambda x: (x, "done"))
    with pytest.raises(symdiff.TraceError, match="the result of function holds a str"):
        symdiff.jit(lambda x: function(x))(X)


def test_functions_that_the_traced_function_defines():
    def loss(x):
        @symdiff.custom_jvp
        def inner(y):
            return y * x

        return np.sum(inner(x))

    with pytest.raises(symdiff.TraceError, match="inner is defined in the function that is traced"):
        symdiff.grad(loss)(X)


def test_splines_know_their_derivatives_to_any_order():
    spline = CubicSpline(np.arange(6.0), np.sin(np.arange(6.0)))

    def smooth(order):
        return symdiff.elementwise(
            spline.derivative(order), partials={"x": lambda y, x: smooth(order + 1)(x)}
        )

    function = smooth(0)
    assert_allclose(symdiff.grad(lambda x: np.sum(function(x)))(X), spline(X, 1))
    assert_allclose(symdiff.hessian(lambda x: np.sum(function(x)))(X), np.diag(spline(X, 2)))


def test_closures_over_traced_values():
    @symdiff.custom_jvp
    def apply(function, x):
        return function(x)

    with pytest.raises(symdiff.TraceError, match="holds a traced value"):
        symdiff.grad(lambda x, y: np.sum(apply(lambda z: z * y, x)))(X, 2.0)
