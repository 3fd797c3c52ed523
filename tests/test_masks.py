"""Selecting by a mask that is traced: compiled for the number of elements, checked at each call."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import symdiff
from symdiff.cli import main
from symdiff.frontend.context import current
from symdiff.frontend.examples import Examples
from symdiff.testing import check_grads

X = np.array([0.5, -0.9, 2.0, -0.3, 1.2])
SIGNS = ((1, -1, 1, -1, 1), (1, 1, 1, 1, 1), (-1, -1, -1, 1, -1), (1, -1, 1, -1, 1))
W = np.linspace(0.5, 1.5, 5)
ROWS = np.array([True, True, False, True, False])


def outer(x):
    return x[:, None] * np.cos(np.arange(1.0, 4.0))


def inverted(x):
    y = outer(x)
    y = y[x > 0]
    return np.sum(y @ y.T)


def in_steps(x):
    y = x[x > 0]
    return np.sum(y[y > 1] ** 3)


def twice(x):
    m = x > 0
    return np.sum(x[m] ** 2 * W[:5][m]) / (1 + x[m].size)


def differentiated_inside(x):
    slope = symdiff.grad(lambda y: np.sum(y[y > 0] ** 3))(x)
    return np.sum(slope[slope > 1] ** 2)


PROGRAMS = {
    "elements": lambda x: np.sum(x[x > 0] ** 2),
    "mean": lambda x: x[x < 1].mean(),
    "product": lambda x: x[x > 0] @ W[x > 0],
    "all axes": lambda x: np.sum(outer(x)[outer(x) > 0] ** 3),
    "leading axis": inverted,
    "last axis": lambda x: np.sum(np.exp(outer(x).T[:, x > 0])),
    "two leading axes": lambda x: np.sum(np.stack([outer(x)] * 2, 2)[outer(x) > 0] ** 2),
    "beside an int": lambda x: np.sum(outer(x)[x > 0, 1] ** 2),
    "beside integers": lambda x: np.sum(outer(x)[x > 0, np.array([[1], [1], [0]])] ** 2),
    "beside a new axis": lambda x: np.sum(outer(x)[None, x > 0, ::2] ** 2),
    "behind an ellipsis": lambda x: np.sum(outer(x).T[..., x > 0] ** 2),
    "apart": lambda x: np.sum(np.stack([outer(x)] * 2)[1, :, [0, 1, 0]][:, x > 0] ** 2),
    "in steps": in_steps,
    "twice": twice,
    "of nothing else": lambda x: np.sum(x**2) * x[x > 0].size,
    "nonzero": lambda x: np.sum(x[np.nonzero(x > 0)] ** 2),
    "where": lambda x: np.sum(outer(x)[np.where(outer(x) > 0)] ** 2),
    "flatnonzero": lambda x: np.sum(x[np.flatnonzero(x > 0)] ** 2),
    "argwhere": lambda x: np.sum(outer(x)[tuple(np.argwhere(outer(x) > 0).T)] ** 2),
    "extract": lambda x: np.sum(np.extract(outer(x) > 0, outer(x)) ** 2),
    "compress": lambda x: np.sum(np.compress(x > 0, outer(x), axis=0) ** 2),
    "compress method": lambda x: np.sum(x.compress(x > 0) ** 2),
    "differentiated inside": differentiated_inside,
    "inverse": lambda x: np.sum(x[~(x > 0)] ** 2),
    "sorted": lambda x: np.sum(np.sort(x[x > 0]) * np.arange(1.0, 1 + x[x > 0].size)),
    "choice": lambda x: np.sum(np.where(x[x > 0] > 1, 2 * x[x > 0], x[x > 0] ** 2)),
}
POINTS = [X * np.asarray(signs) for signs in SIGNS]


@pytest.fixture(params=PROGRAMS.values(), ids=PROGRAMS)
def program(request):
    return request.param


def assert_bits(actual, expected):
    assert type(actual) is type(expected)
    assert np.asarray(actual).tobytes() == np.asarray(expected).tobytes()


def test_values_have_the_bits_of_numpy_while_counts_change(program):
    value = symdiff.value_and_grad(program)
    compiled = symdiff.jit(program)
    for x in POINTS:
        assert_bits(value(x)[0], program(x))
        assert_bits(compiled(x), program(x))


def test_gradients_are_those_of_a_fresh_trace(program):
    gradient = symdiff.grad(program)
    for x in POINTS:
        assert_bits(gradient(x), symdiff.grad(lambda x: program(x))(x))


def test_derivatives_are_those_of_finite_differences(program):
    for x in POINTS[:3]:
        check_grads(program, (x,), order=2)


def test_forward_and_reverse_and_second_derivatives(program):
    gradient, hessian = symdiff.grad(program), symdiff.hessian(program)
    rng = np.random.default_rng(0)
    for x in POINTS:
        direction = rng.standard_normal(x.shape)
        y, y_dot = symdiff.jvp(program, (x,), (direction,))
        assert_bits(y, program(x))
        np.testing.assert_allclose(y_dot, gradient(x) @ direction, atol=1e-12)
        y, pullback = symdiff.vjp(program, x)
        np.testing.assert_allclose(pullback(1.0)[0], gradient(x), atol=1e-12)
        assert_bits(y, program(x))
        np.testing.assert_allclose(symdiff.linearize(program, x)[1](direction), y_dot, atol=1e-12)
        product = symdiff.hvp(program, (x,), (direction,))
        np.testing.assert_allclose(hessian(x) @ direction, product, atol=1e-10)
        np.testing.assert_allclose(symdiff.jacobian(gradient)(x), hessian(x), atol=1e-10)


# ---------------------------------------------------------------------------- what is compiled


def test_the_source_checks_the_number():
    def f(x):
        positive = x > 0
        return np.sum(x[positive] ** 2)

    gradient = symdiff.value_and_grad(f)
    gradient(X)
    body = gradient.source.split('"""')[2]
    assert body.startswith(
        "\n"
        "    positive = x > 0\n"
        "    if np.count_nonzero(positive) != 3:\n"
        '        raise ValueError("compiled for 3 elements where x > 0")\n'
    )
    assert "x_bar[positive] = " in body


def test_a_mask_is_checked_once():
    def f(x, m):
        return np.sum(x[m] ** 2) + np.sum(W[:5][m] * x[m]) + np.sum(x[~m])

    gradient = symdiff.grad(f)
    gradient(X, ROWS)
    assert gradient.source.count("raise ValueError") == 2
    hessian = symdiff.hessian(f)
    hessian(X, ROWS)
    assert hessian.source.count("np.count_nonzero(m) ") == 1


def test_counts_of_one_signature_live_side_by_side():
    gradient = symdiff.grad(lambda x, m: np.sum(x[m] ** 2))
    masks = [np.arange(5) < count for count in range(6)]
    for _ in range(3):
        for mask in masks:
            np.testing.assert_array_equal(gradient(X, mask), np.where(mask, 2 * X, 0))
    assert gradient.cache_info().misses == 6
    assert gradient.cache_info().currsize == 6
    gradient(X, masks[2][::-1].copy())
    assert gradient.cache_info().misses == 6


def test_the_number_of_counts_that_are_kept_is_bounded():
    total = symdiff.jit(lambda x, m: np.sum(x[m]))
    x = np.arange(40.0)
    for count in range(40):
        assert total(x, x < count) == np.sum(x[:count])
    assert total.cache_info().misses == 40
    assert total.cache_info().currsize == 16
    assert total(x, x < 39) == np.sum(x[:39])
    assert total.cache_info().misses == 40


def test_lower_finds_the_source_for_the_values():
    total = symdiff.jit(lambda x: np.sum(x[x > 0]))
    three, five = total.lower(X), total.lower(np.abs(X))
    assert "!= 3:" in three.source
    assert "!= 5:" in five.source
    assert total.lower(X) is three
    assert total.cache_info().misses == 2


def test_arrays_of_the_call_are_not_kept():
    import gc
    import weakref

    total = symdiff.jit(lambda x: np.sum(x[x > 0]))
    x = X.copy()
    alive = weakref.ref(x)
    total(x)
    del x
    gc.collect()
    assert alive() is None
    assert current() is None


def test_an_error_of_the_function_itself_is_not_a_wrong_count():
    def f(a, x):
        return np.sum(np.linalg.inv(a)) + np.sum(x[x > 0])

    gradient = symdiff.value_and_grad(f)
    gradient(np.eye(2), X)
    with pytest.raises(np.linalg.LinAlgError):
        gradient(np.zeros((2, 2)), X)
    assert gradient.cache_info().misses == 1


def test_a_guarded_function_travels():
    gradient = symdiff.grad(lambda x: np.sum(x[x > 0] ** 2))
    gradient(X)
    there = pickle.loads(pickle.dumps(gradient))
    np.testing.assert_array_equal(there(X), gradient(X))
    with pytest.raises(symdiff.TraceError, match="unpickled without its function"):
        there(np.abs(X))


def test_a_saved_function_refuses_another_number(tmp_path):
    def f(x):
        return np.sum(x[x > 0] ** 2)

    gradient = symdiff.grad(f)
    gradient(X)
    gradient.save(tmp_path / "saved.py")
    code = (
        "import sys, numpy as np; from saved import f_grad; x = np.array([.5, -1, 2, -.3, 1.2])\n"
        "print(f_grad(x).tolist())\n"
        "try: f_grad(-x)\n"
        "except ValueError as error: print(type(error).__name__, error)\n"
        "print('symdiff' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [
        "[1.0, 0.0, 4.0, 0.0, 2.4]",
        "ValueError compiled for 3 elements where x > 0",
        "False",
    ]


# ---------------------------------------------------------------------------- masks themselves


def test_a_mask_that_the_function_reaches_by_itself():
    mask = np.array([True, False, True, False, False])

    def f(x):
        return np.sum(x[mask] ** 2)

    gradient = symdiff.grad(f)
    for places in ([0, 2], [1, 4], [1, 2, 3], []):
        mask[:] = False
        mask[places] = True
        np.testing.assert_array_equal(gradient(X), np.where(mask, 2 * X, 0))
    assert gradient.cache_info().misses == 3


@pytest.mark.parametrize("mask", [np.zeros(5, bool), np.ones(5, bool)])
def test_none_and_all(mask):
    value, bar = symdiff.value_and_grad(lambda x, m: np.sum(np.exp(x[m])))(X, mask)
    assert value == np.sum(np.exp(X[mask]))
    np.testing.assert_array_equal(bar, np.where(mask, np.exp(X), 0))


def test_the_mean_of_nothing_warns_as_numpy_does():
    mean = symdiff.value_and_grad(lambda x, m: x[m].mean())
    with pytest.warns(RuntimeWarning, match="invalid value"):
        value, bar = mean(X, np.zeros(5, bool))
    assert np.isnan(value)
    np.testing.assert_array_equal(bar, np.zeros(5))


def test_numbers_of_other_types_take_part():
    x = X.astype(np.float32)
    gradient = symdiff.grad(lambda x, low, scale: scale * np.sum(x[x > low] ** 2))
    for low, scale in ((0.0, 2.0), (1, 2.0), (np.float32(1.5), 2), (-5.0, np.float64(3))):
        got = gradient(x, low, scale)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, np.where(x > low, 2 * scale * x, 0), rtol=1e-6)


def test_a_threshold_to_differentiate_by():
    def f(x, low):
        return np.sum(x[x > low] - low)

    gradient = symdiff.grad(f, (0, 1))
    for low in (0, 1, 0.5, -2):
        x_bar, low_bar = gradient(X, low)
        np.testing.assert_array_equal(x_bar, low < X)
        assert low_bar == -np.sum(low < X)


def test_trees_of_arguments():
    def f(params, batch):
        return np.sum(params["w"][batch["seen"]] ** 2)

    gradient = symdiff.grad(f)
    for seen in (ROWS, ~ROWS, np.ones(5, bool)):
        got = gradient({"w": X}, {"seen": seen, "rest": [1.0]})
        np.testing.assert_array_equal(got["w"], np.where(seen, 2 * X, 0))


def test_what_a_mask_selects_is_what_numpy_selects():
    # log(1 + exp(x)) is made stable, but where it overflows it is infinite all the same
    def f(x):
        y = np.log(1 + np.exp(x))
        return np.sum(y[np.isfinite(y)])

    x = np.array([1.0, 800.0, -3.0])
    with np.errstate(over="ignore"):
        value, bar = symdiff.value_and_grad(f)(x)
        np.testing.assert_allclose(value, f(x), rtol=1e-15)
    np.testing.assert_allclose(bar, [1 / (1 + np.exp(-1)), 0, 1 / (1 + np.exp(3))])


def test_masks_are_simplified_with_what_they_are_computed_from():
    def f(x):
        y = np.negative(np.negative(np.sin(x)))
        return np.sum(y[y > 0] ** 2)

    compiled = symdiff.jit(f)
    assert_bits(compiled(X), f(X))
    assert compiled.source.count("np.sin(x)") == 1
    assert compiled.source.count("raise ValueError") == 1
    assert "-" not in compiled.source.split('"""')[2]


@pytest.mark.parametrize("math", ["ieee", "default", "fast"])
def test_what_is_selected_is_the_same_in_each_mode(math):
    def f(x):
        y = (x * 0.1) / 0.1 - x
        return np.sum(x[y == 0] ** 2)

    x = np.linspace(0.1, 3, 30)
    assert 0 < np.sum((x * 0.1) / 0.1 == x) < 30
    value, bar = symdiff.value_and_grad(f, math=math)(x)
    np.testing.assert_allclose(value, f(x))
    np.testing.assert_array_equal(bar, np.where((x * 0.1) / 0.1 - x == 0, 2 * x, 0))


@pytest.mark.parametrize("reuse", [False, True])
def test_large_arrays(reuse):
    def f(x):
        positive = x > 0
        y = np.exp(-x) * positive
        return np.sum(np.sin(x[positive]) * y[positive] * 2)

    gradient = symdiff.value_and_grad(f, reuse=reuse)
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.standard_normal(100_000)
        value, bar = gradient(x)
        assert value == f(x)
        expected = 2 * np.exp(-x) * (np.cos(x) - np.sin(x))
        np.testing.assert_allclose(bar, np.where(x > 0, expected, 0), atol=1e-12)


def test_known_masks_need_no_guard():
    def f(x):
        known = np.array([True, False, True, False, False])
        return np.sum(x[known] ** 2) + np.sum(np.ones_like(x, dtype=bool) * x)

    gradient = symdiff.grad(f)
    np.testing.assert_array_equal(gradient(X), np.array([2, 0, 2, 0, 0]) * X + 1)
    assert "ValueError" not in gradient.source


def test_vmap_of_what_is_not_mapped():
    xs = np.stack([X, -X, 2 * X])
    mapped = symdiff.vmap(symdiff.grad(lambda x, m: np.sum(x[m] ** 2)), in_axes=(0, None))
    for mask in (ROWS, ~ROWS):
        np.testing.assert_array_equal(mapped(xs, mask), np.where(mask, 2 * xs, 0))


# ---------------------------------------------------------------------------- transformations


def test_jacobians_have_the_shape_of_what_is_selected():
    for transform in (symdiff.jacobian, symdiff.jacfwd, symdiff.jacrev):
        jacobian = transform(lambda x: x[x > 0] ** 2)
        for x in POINTS:
            np.testing.assert_array_equal(jacobian(x), np.diag(2 * x)[x > 0])


def test_transformations_inside_of_others():
    cube = symdiff.jit(lambda x, m: np.sum(x[m] ** 3))
    slope = symdiff.jit(symdiff.grad(cube))
    second = symdiff.grad(lambda x: np.sum(slope(x, x > 0) * x[::-1]))
    for x in POINTS:
        np.testing.assert_array_equal(slope(x, x > 0), np.where(x > 0, 3 * x**2, 0))
        own = np.where(x > 0, 3 * x**2, 0)[::-1] + np.where(x > 0, 6 * x, 0) * x[::-1]
        np.testing.assert_allclose(second(x), own)
        y, y_dot = symdiff.jvp(lambda x: slope(x, x > 0.4), (x,), (np.ones(5),))
        np.testing.assert_allclose(y_dot, np.where(x > 0.4, 6 * x, 0))
        np.testing.assert_array_equal(y, np.where(x > 0.4, 3 * x**2, 0))


def test_a_pullback_inside_of_a_trace():
    @symdiff.jit
    def products(x, y_bar):
        y, pullback = symdiff.vjp(lambda x: x[x > 0] ** 2, x)
        return y, pullback(y_bar[: y.size])[0]

    for x in POINTS:
        y, bar = products(x, W)
        np.testing.assert_array_equal(y, x[x > 0] ** 2)
        expected = np.zeros(5)
        expected[x > 0] = 2 * x[x > 0] * W[: y.size]
        np.testing.assert_array_equal(bar, expected)


def test_what_is_selected_may_be_a_result_besides():
    def f(x):
        return np.sum(x[x > 0] ** 2), {"kept": x[x > 0], "count": x[x > 0].size}

    gradient = symdiff.grad(f, has_aux=True)
    for x in POINTS:
        bar, aux = gradient(x)
        np.testing.assert_array_equal(bar, np.where(x > 0, 2 * x, 0))
        np.testing.assert_array_equal(aux["kept"], x[x > 0])
        assert aux["count"] == np.sum(x > 0)


def test_masks_beside_sizes_that_are_arguments():
    total = symdiff.grad(lambda x, n: np.sum(x[:n][x[:n] > 0] ** 2))
    for x in POINTS:
        for n in (2, 5):
            expected = np.where((x > 0) & (np.arange(5) < n), 2 * x, 0)
            np.testing.assert_array_equal(total(x, n), expected)


def test_masks_beside_arrays_that_decide():
    switch = np.array([1.0, -1.0])

    def f(x):
        y = x[x > 0]
        return np.sum(y**2) if switch[0] > 0 else np.sum(y)

    gradient = symdiff.grad(f)
    for x in POINTS:
        np.testing.assert_array_equal(gradient(x), np.where(x > 0, 2 * x, 0))
    switch[:] = -1
    np.testing.assert_array_equal(gradient(X), X > 0)


def test_methods_and_decorated_functions():
    class Model:
        def __init__(self, low):
            self.low = low
            self.seen = np.array([True, True, True, False, True])

        @symdiff.grad
        def slope(self, x):
            return np.sum(x[self.seen & (x > self.low)] ** 2)

    for model in (Model(0.0), Model(1.0)):
        for x in POINTS:
            expected = np.where(model.seen & (x > model.low), 2 * x, 0)
            np.testing.assert_array_equal(model.slope(x), expected)


# ---------------------------------------------------------------------------- what is refused


def test_types_alone_do_not_say_what_a_mask_selects(capsys):
    assert main(["show", "lambda x: np.prod(x[x > 0])", "--arg", "x: f64[3]"]) == 1
    message = capsys.readouterr().err
    assert "only types are known" in message
    assert "np.where(mask, x, 0)" in message
    assert main(["check", "lambda x: np.prod(x[x > 0])", "--arg", "x: f64[3]"]) == 0


def test_a_mask_that_is_mapped_is_refused():
    with pytest.raises(symdiff.TraceError, match="only types are known") as caught:
        symdiff.vmap(lambda x: np.prod(x[x > 0]))(np.ones((3, 2)))
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "np.prod(x[x > 0])" in lines[1]
    assert "depends on argument `x`" in lines[2]
    assert "np.where(mask, x, 0)" in lines[3]


def test_a_mask_that_is_never_the_same_is_refused(monkeypatch):
    # as if values on the edge of a mask were rounded one way while tracing and another when run
    of = Examples.of
    monkeypatch.setattr(Examples, "of", lambda self, root: ~of(self, root))
    with pytest.raises(symdiff.TraceError, match="differently each time"):
        symdiff.jit(lambda x: np.sum(x[x > 0]))(X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[x[:4] > 0],
        lambda x: x[np.ones(4, bool)],
        lambda x: x[:, None][:, x > 0],
        lambda x: x[x[:, None] > 0],
        lambda x: x[x > 0, x > 0],
    ],
    ids=["short", "known", "second axis", "axes", "twice"],
)
def test_a_mask_that_does_not_fit(f):
    with pytest.raises(IndexError):
        f(X)
    with pytest.raises(symdiff.BadIndexError):
        symdiff.jit(f)(X)
