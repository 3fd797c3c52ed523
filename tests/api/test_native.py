"""backend="c": whole functions in C, against the same functions in NumPy."""

import pickle

import numpy as np
import optree
import pytest

import symdiff

SIZES = (0, 1, 2, 15, 16, 17, 33)


def agree(made, reference, *args, tolerance=1e-11):
    found, expected = made(*args), reference(*args)
    assert optree.tree_structure(found) == optree.tree_structure(expected)
    for one, other in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        assert type(one) is type(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        scale = 1e-4 if np.asarray(other).dtype == np.float32 else tolerance
        np.testing.assert_allclose(one, other, rtol=scale, atol=scale)


def both(function, *args, argnums=0):
    """The gradient in C, all of it, agrees with that in NumPy."""
    made = symdiff.value_and_grad(function, argnums, backend="c")
    agree(made, symdiff.value_and_grad(function, argnums), *args)
    assert made.compiled.c_source and not made.compiled.driver


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def regression(w, b, x, y):
    return np.mean(np.log1p(np.exp(-y * (x @ w + b)))) + 0.1 * np.sum(w * w)


def network(params, x, labels):
    h = np.maximum(x @ params["W1"] + params["b1"], 0)
    z = h @ params["W2"] + params["b2"]
    z = z - np.max(z, axis=1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(labels)), labels])


def normalized(x, scale):
    mean, var = np.mean(x, axis=0), np.var(x, axis=0)
    y = (x - mean) / np.sqrt(var + 1e-5) * scale
    return np.sum(np.tanh(y) ** 2)


def mixed(x, y):
    table = np.concatenate([x, np.flip(y), x * y])
    parts = np.stack([table[::2], table[1::2]]) if len(table) % 2 == 0 else table[None]
    rolled = np.roll(parts, 1, axis=-1)
    return np.sum(np.where(parts > 0, rolled * parts, np.abs(rolled))) + np.linalg.norm(table)


@pytest.mark.parametrize("n", [2, 3, 16, 17, 18, 34, 1000])
def test_rosenbrock(n):
    both(rosenbrock, np.random.default_rng(n).normal(size=n))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (15, 3), (17, 16), (33, 40), (100, 1), (1, 33)])
def test_logistic_regression(shape, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=shape).astype(dtype), rng.choice([-1, 1], shape[0]).astype(dtype)
    w = rng.normal(size=shape[1]).astype(dtype)
    both(regression, w, dtype(0.5), x, y, argnums=(0, 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sizes", [(1, 2, 3, 2), (16, 17, 33, 10), (33, 5, 16, 1)])
def test_network(sizes, dtype):
    rows, inputs, hidden, classes = sizes
    rng = np.random.default_rng(1)
    params = {
        "W1": rng.normal(size=(inputs, hidden)).astype(dtype),
        "b1": rng.normal(size=hidden).astype(dtype),
        "W2": rng.normal(size=(hidden, classes)).astype(dtype),
        "b2": rng.normal(size=classes).astype(dtype),
    }
    x = rng.normal(size=(rows, inputs)).astype(dtype)
    both(network, params, x, rng.integers(0, classes, rows))


@pytest.mark.parametrize("n", SIZES[1:])
@pytest.mark.parametrize("m", [1, 16, 33])
def test_normalized_columns(n, m):
    rng = np.random.default_rng(2)
    both(normalized, rng.normal(size=(n, m)), rng.normal(size=m), argnums=(0, 1))


@pytest.mark.parametrize("n", SIZES[1:])
def test_moved_elements(n):
    rng = np.random.default_rng(3)
    both(mixed, rng.normal(size=n), rng.normal(size=n), argnums=(0, 1))


@pytest.mark.parametrize("n", SIZES)
def test_functions_of_all_sizes(n):
    def f(x, k):
        y = np.exp(-x) * np.sin(x) + x // 0.7 + x % 0.3
        return y, np.sum(y), np.cumsum(np.zeros(3)) if n < 0 else y[k], k * 2 + 1, x > 0.1

    rng = np.random.default_rng(n)
    k = rng.integers(0, n, 5) if n else np.zeros(0, int)
    agree(symdiff.jit(f, backend="c"), symdiff.jit(f), rng.normal(size=n), k)


def _random_function(rng):
    """A function of two matrices and a vector, put together at random."""
    unary = [np.tanh, np.sin, np.abs, lambda v: v * v, lambda v: -v, lambda v: np.exp(-v * v),
             lambda v: v[::-1], lambda v: v.T, lambda v: np.maximum(v, 0.1),
             lambda v: v - np.mean(v, axis=0), lambda v: v / (1 + np.sum(v * v, keepdims=True)),
             lambda v: np.cos(v) + 1, lambda v: np.sqrt(np.abs(v) + 1), lambda v: 2.5 - v,
             lambda v: v[1:] if v.shape[0] > 1 else v, lambda v: v[:, ::2],
             lambda v: np.max(v, axis=1, keepdims=True) - v, lambda v: np.roll(v, 1, axis=0)]
    binary = [np.add, np.multiply, np.subtract, lambda a, b: a / (2 + b * b), np.minimum,
              lambda a, b: np.where(a > b, a, b * 2), np.hypot]
    steps = [(rng.integers(len(unary)), rng.integers(len(binary)), rng.random(), rng.random(2))
             for _ in range(rng.integers(3, 12))]

    def f(x, y, w):
        values = [x, y, x @ y.T @ np.ones_like(y), x * w]
        for u, b, kind, (first, second) in steps:
            one = values[int(first * len(values))]
            other = values[int(second * len(values))]
            if kind < 0.5:
                values.append(unary[u](one))
            elif one.shape == other.shape:
                values.append(binary[b](one, other))
            elif one.shape[1] == other.shape[0]:
                values.append(one @ other)
            else:
                values.append(one * np.sum(other))
        return sum(np.sum(np.tanh(each)) for each in values[-4:])

    return f


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.choice([1, 2, 3, 15, 16, 17, 33], 2)
    x, y, w = rng.normal(size=(n, m)), rng.normal(size=(n, m)), rng.normal(size=m)
    both(_random_function(rng), x, y, w, argnums=(0, 1, 2))


def test_captured_arrays_are_read_at_each_call():
    data = np.arange(4.0)
    f = symdiff.grad(lambda x: np.sum(x * data), backend="c")
    np.testing.assert_array_equal(f(np.ones(4)), data)
    data[0] = 7
    np.testing.assert_array_equal(f(np.ones(4)), [7, 1, 2, 3])


def test_other_shapes_are_compiled_anew():
    f = symdiff.jit(lambda x: np.sum(x * x), backend="c")
    for n in (3, 4, 3, 5):
        assert f(np.ones(n)) == n
    assert f.cache_info().misses == 3


def test_a_function_in_c_inside_another_trace_is_part_of_it():
    f = symdiff.jit(lambda x: np.sum(np.sin(x)), backend="c")
    x = np.arange(3.0)
    np.testing.assert_allclose(symdiff.grad(f)(x), np.cos(x))
    np.testing.assert_allclose(symdiff.grad(f, backend="c")(x), np.cos(x))


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match='backend is "numpy", "c" or "auto", not \'cuda\''):
        symdiff.grad(lambda x: x, backend="cuda")


def test_without_a_part_that_is_worth_a_call_it_is_numpy():
    made = symdiff.jit(lambda x: np.fft.fft(x) * 2, backend="c")
    agree(made, symdiff.jit(made.function), np.arange(3.0))
    assert not made.compiled.c_source
    assert not made.wait()


def test_static_arguments_are_checked():
    def f(x, mode, n=2):
        return x * n if mode == "twice" else x

    g = symdiff.jit(f, backend="c")
    assert (g(2.0, "twice"), g(2.0, "once"), g(2.0, "twice", 3)) == (4.0, 2.0, 6.0)


def module_level(x):
    return np.sum(x**3)


def test_what_is_pickled_computes_elsewhere():
    f = symdiff.value_and_grad(module_level, backend="c")
    x = np.arange(3.0)
    expected = f(x)
    value, gradient = pickle.loads(pickle.dumps(f))(x)
    assert value == pytest.approx(expected[0])
    np.testing.assert_allclose(gradient, expected[1])


# ---------------------------------------------------------------------------- loops and branches


def deep(layers, x):
    for W, b in layers:
        x = np.tanh(x @ W + b)
    return np.sum(x)


def heat(u, a):
    for _ in range(50):
        v = u.copy()
        v[1:-1] = u[1:-1] + a * (u[2:] - 2 * u[1:-1] + u[:-2])
        u = v
    return np.sum(u**2)


def recurrent(W, U, x):
    h = np.zeros(len(W))
    for t in range(len(x)):
        h = np.tanh(W @ h + U @ x[t])
    return np.sum(h * h)


def nested(x):
    for i in range(5):
        for j in range(6):
            x = np.sin(x) * (i + 1) / 6 + x / (j + 2)
        if np.sum(x) > 0:
            x = -x
    return np.sum(x)


def by_sign(x):
    return np.sum(x * x) if x[0] > 0 else np.sum(np.sin(x))


def newton(x):
    while abs(x * x - 2) > 1e-9:
        x = x - (x * x - 2) / (2 * x)
    return x


@pytest.mark.parametrize("depth", [4, 5, 30])
def test_layers(depth):
    rng = np.random.default_rng(depth)
    layers = [(rng.normal(size=(17, 17)) / 4, rng.normal(size=17)) for _ in range(depth)]
    both(deep, layers, rng.normal(size=(3, 17)))


@pytest.mark.parametrize("n", [3, 16, 17, 40])
def test_steps_in_time(n):
    both(heat, np.random.default_rng(n).normal(size=n), 0.1, argnums=(0, 1))


def test_a_recurrent_network():
    rng = np.random.default_rng(4)
    W, U, x = rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), rng.normal(size=(11, 3))
    both(recurrent, W, U, x, argnums=(0, 1, 2))


def test_loops_in_loops_and_branches_in_them():
    both(nested, np.random.default_rng(5).normal(size=7))


def test_branches():
    for sign in (1, -1):
        both(by_sign, sign * np.arange(1.0, 4))


def test_a_loop_with_a_test_ends_where_it_should():
    f = symdiff.jit(newton, backend="c")
    for start in (3.0, -1.0, 1.4, 2.0**0.5):
        assert f(start) == newton(start)
    assert f.compiled.c_source


def test_the_derivative_of_a_loop_of_unknown_length():
    made = symdiff.grad(newton, backend="c")
    for start in (3.0, -1.0):
        agree(made, symdiff.grad(newton), start)


# ---------------------------------------------------------------------------- products


def _normal(*shapes):
    rng = np.random.default_rng(6)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("subscripts", ["bij,bjk->bik", "bij,bjk->k", "bij,cjk->bcik", "bij,bjk->"])
def test_sums_of_products(subscripts):
    A, B = _normal((3, 4, 5), (3, 5, 20))
    both(lambda A, B: np.sum(np.sin(np.einsum(subscripts, A, B))), A, B, argnums=(0, 1))


def test_a_batch_of_products_is_a_loop():
    A, B = _normal((2, 30, 4, 5), (2, 30, 5, 20))
    f = symdiff.jit(lambda A, B: np.sin(A @ B), backend="c")
    np.testing.assert_allclose(f(A, B), f.function(A, B), rtol=1e-11, atol=1e-11)
    assert f.compiled.c_source.count("matmul_f64(") == 2


@pytest.mark.parametrize("m", [1, 2, 9, 17])
@pytest.mark.parametrize("n", [1, 2, 9, 17])
@pytest.mark.parametrize("k", [0, 1, 9, 17])
def test_products_of_all_layouts(m, n, k):
    A, B = _normal((m, k), (n, k))

    def f(A, B):
        C = A @ B.T
        return C, C.T @ A, B.T @ C.T, A[::-1] @ B[:, :].T, (2 * A) @ B.T[:, ::-1], A.T[1:] @ C

    agree(symdiff.jit(f, backend="c"), f, A, B)


def test_matrices_made_of_others():
    A, B = _normal((2, 3), (4, 2))
    both(lambda A, B: np.sum(np.tanh(np.kron(A, B))), A, B, argnums=(0, 1))
    both(lambda A: np.sum(np.tanh(np.tril(A, 1) @ np.triu(A))), *_normal((5, 5)))
    both(lambda x: np.sum(np.tanh(np.diag(x) @ np.diag(x, 1)[:5, :5])), *_normal(5))
    both(lambda A, B: np.sum(np.cross(A, B) ** 2), *_normal((6, 3), (6, 3)), argnums=(0, 1))
    both(lambda x: np.sum(np.clip(x, -0.5, 0.3) ** 2), *_normal(50))


# ---------------------------------------------------------------------------- decisions


def kinds(x):
    if x[0] > 0:
        return np.sum(x * x)
    if np.sum(x) < -100:
        raise ValueError("too small")
    return np.sum(np.sin(x))


def first_few(x):
    return np.sum(x[: int(np.floor(x[0]))] ** 2)


@pytest.mark.parametrize("function", [kinds, first_few])
def test_a_decision_that_falls_out_otherwise_is_another_program(function):
    made = symdiff.value_and_grad(function, backend="c")
    reference = symdiff.value_and_grad(function)
    for first in (1.5, 3.5, 1.5, 2.5, 3.5):
        agree(made, reference, np.full(4, first))
        assert made.compiled.c_source
    assert made.cache_info().misses == reference.cache_info().misses


def test_an_error_of_the_users_is_raised_where_a_decision_leads_to_it():
    made = symdiff.value_and_grad(kinds, backend="c")
    agree(made, symdiff.value_and_grad(kinds), np.full(4, -1.0))
    with pytest.raises(ValueError, match=r"^too small$"):
        made(np.full(4, -1000.0))


# ---------------------------------------------------------------------------- parts


def busy(x):
    return np.tanh(x) * np.sin(x) + x**2


def spectrum(x):
    power = np.abs(np.fft.rfft(busy(x))) ** 2
    return np.sum(busy(power / (1 + power)))


def in_turn(x):
    for i in range(12):
        x = np.abs(np.fft.fft(np.sin(busy(x) + i))) / 8
    return np.sum(x)


def chosen(x):
    y = np.abs(np.fft.fft(busy(x)))
    return np.sum(busy(y / 5) * y) if np.max(y) > 20 else np.sum(busy(y / 7) + y)


def single(x):
    return np.sum(busy(np.abs(np.fft.fft(busy(x)))))


def weak(x):
    s = float(np.sum(busy(x)))
    return np.sum(np.abs(np.fft.fft(x.astype(np.float32))) * s * np.float32(2))


@pytest.mark.parametrize("function", [spectrum, in_turn, chosen, weak])
def test_what_has_no_c_form_splits_the_function(function):
    made, reference = (symdiff.value_and_grad(function, backend=each) for each in ("c", "numpy"))
    x = np.linspace(-1, 2, 16)
    for each in (x, -x, 3 * x, x):
        # what is weak goes through sums of single precision
        agree(made, reference, each, tolerance=1e-6 if function is weak else 1e-9)
    assert "part_1(" in made.compiled.driver


def test_a_part_of_single_precision_stays_there():
    made = symdiff.value_and_grad(single, backend="c")
    agree(made, symdiff.value_and_grad(single), np.linspace(-1, 2, 16, dtype=np.float32))
    assert made.compiled.driver


def test_the_source_that_calls_parts(golden):
    made = symdiff.value_and_grad(spectrum, backend="c")
    made(np.ones(8))
    golden("native/spectrum.py", made.compiled.driver)


def test_the_source_that_calls_parts_in_a_loop(golden):
    made = symdiff.jit(in_turn, backend="c")
    made(np.ones(8))
    golden("native/in_turn.py", made.compiled.driver)


def test_what_is_printed_is_printed_once_and_in_order(capsys):
    def f(x):
        y = busy(x)
        print("before", y[0])
        if np.sum(y) > 1:
            y = busy(2 * y) + busy(y)
        print("after", y[1])
        return np.sum(busy(y))

    made = symdiff.value_and_grad(f, backend="c")
    for x in (np.full(3, 0.25), np.full(3, 2.0), np.full(3, 0.25)):
        agree(made, symdiff.value_and_grad(f), x)
        ours, theirs = np.split(np.array(capsys.readouterr().out.splitlines()), 2)
        assert [each.split()[0] for each in ours] == ["before", "after"]
        np.testing.assert_allclose(*(np.array([each.split()[1] for each in said], float)
                                     for said in (ours, theirs)))
    assert made.compiled.driver


def test_a_call_that_a_decision_ends_has_printed_nothing(capsys):
    def f(x):
        print("begun")
        y = np.abs(np.fft.fft(busy(x)))
        return np.sum(busy(y[: int(np.sum(busy(y))) % 3 + 1]))

    made = symdiff.value_and_grad(f, backend="c")
    for scale in (1.0, 1.25, 1.5, 1.0):
        agree(made, symdiff.value_and_grad(f), np.full(3, scale))
    assert made.cache_info().misses > 1
    assert capsys.readouterr().out == 8 * "begun\n"


def test_draws_are_those_of_numpy():
    def f(x, rng):
        y = busy(x) + rng.normal(size=4)
        return np.sum(busy(y) * rng.uniform(size=4))

    made, reference = (symdiff.value_and_grad(f, backend=each) for each in ("c", "numpy"))
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(3):
        found, expected = made(np.ones(4), ours), reference(np.ones(4), theirs)
        np.testing.assert_allclose(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1])
    assert made.compiled.driver


def test_a_part_that_cannot_go_on_raises_what_numpy_raises():
    made = symdiff.jit(lambda x, k: busy(np.abs(np.fft.fft(busy(x)))[k]), backend="c")
    x = np.ones(4)
    assert made(x, np.array([1, 2])).shape == (2,)
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 0 with size 4"):
        made(x, np.array([1, 4]))


def test_what_calls_parts_is_pickled_as_numpy():
    made = symdiff.value_and_grad(spectrum, backend="c")
    expected = made(np.ones(5))
    assert made.compiled.driver
    found = pickle.loads(pickle.dumps(made.compiled)).function(np.ones(5))
    np.testing.assert_allclose(found[1], expected[1])
