"""Random draws: made anew at each call, in order, with derivatives where they are shifted."""

import functools
import pickle
import runpy

import numpy as np
import pytest

from symdiff import fori_loop, grad, hessian, jacobian, jit, jvp, value_and_grad, vjp, vmap
from symdiff.errors import NotDifferentiableError, TraceError
from symdiff.testing import check_grads

X = np.array([0.3, 0.5, 0.7])
ROWS = np.array([[0.3, 0.5, 0.7], [1.0, 2.0, 3.0]])


def generators(kind=np.random.default_rng):
    return kind(5), kind(5)


def state(rng):
    found = rng.bit_generator.state if hasattr(rng, "bit_generator") else rng.get_state(False)
    return repr(found)


def assert_as_called(function, *args, times=3, kind=np.random.default_rng, transform=jit):
    """The value and the state afterwards are those of the plain call, each time."""
    made = transform(function)
    ours, theirs = generators(kind)
    for _ in range(times):
        expected, actual = function(*args, theirs), made(*args, ours)
        np.testing.assert_array_equal(actual, expected, strict=True)
        assert type(actual) is type(expected)
        assert state(ours) == state(theirs)
    return made


def value(function):
    both = value_and_grad(function)
    return lambda *args: both(*args)[0]


def slope(function, x, seed=5, step=1e-6):
    """A difference quotient with the same draws."""
    ahead = function(x + step, np.random.default_rng(seed))
    behind = function(x - step, np.random.default_rng(seed))
    return (ahead - behind) / (2 * step)


def by_line(function):
    """The line of a function in this file, to tell those of a test apart."""
    return str(function.__code__.co_firstlineno)


# ---------------------------------------------------------------------------- where it is from


def noisy(x, rng):
    return np.sum((x + rng.normal(size=3)) ** 2)


@pytest.mark.parametrize("transform", [jit, value])
def test_an_argument(transform):
    assert_as_called(noisy, X, transform=transform)


def test_the_generator_is_no_part_of_the_signature():
    made = grad(noisy)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        z = np.random.default_rng(seed).normal(size=3)
        np.testing.assert_allclose(made(X, rng), 2 * (X + z))
    assert made.cache_info().misses == 1
    made(X, np.random.RandomState(0))
    assert made.cache_info().misses == 2


def test_what_is_emitted_is_the_call_of_the_function():
    made = grad(noisy)
    made(X, np.random.default_rng(0))
    assert "def noisy_grad(x, rng):" in made.source
    assert "draw = rng.normal(size=3)" in made.source


GLOBAL = np.random.default_rng(0)


def test_one_that_is_reached():
    cell = np.random.default_rng(5)

    class Model:
        def __init__(self):
            self.rng = np.random.default_rng(5)

        def loss(self, x):
            return x * self.rng.normal()

    def default(x, rng=np.random.default_rng(5)):  # noqa: B008
        return x * rng.normal()

    draw, sized = np.random.default_rng(5).normal, functools.partial(
        np.random.default_rng(5).normal, size=()
    )
    model = Model()
    for function in (
        lambda x: x * cell.normal(),
        model.loss,
        default,
        lambda x: x * draw(),
        lambda x: x * sized(),
    ):
        expected = np.random.default_rng(5)
        made = grad(function)
        for _ in range(3):
            assert made(2.0) == expected.normal()
    model.rng = np.random.default_rng(6)  # another one from now on
    assert grad(model.loss)(2.0) == np.random.default_rng(6).normal()
    replaced = grad(lambda x: x * GLOBAL.normal())
    assert replaced(2.0) != replaced(2.0)


def test_one_generator_by_two_names_draws_in_order():
    ours, theirs = generators()

    def loss(x, rng):
        return x * rng.normal() + ours.normal() + x**2 * rng.normal()

    made = value_and_grad(loss)
    a, b, c = theirs.normal(size=3)
    assert made(2.0, ours)[0] == 2.0 * a + b + 4.0 * c


def test_one_that_the_function_makes():
    def loss(x, seed):
        first, second = np.random.default_rng(seed), np.random.default_rng(seed)
        return x * first.normal() + first.normal() + second.random() * second.normal()

    made = jit(loss)
    assert [made(2.0, seed) for seed in (3, 4, 3)] == [loss(2.0, seed) for seed in (3, 4, 3)]
    assert made.cache_info().misses == 1
    for other in (
        lambda x: x * np.random.default_rng([1, 2]).normal(),
        lambda x: x * np.random.RandomState(3).randn(2).sum(),
        lambda x: x * np.random.Generator(np.random.PCG64(3)).normal(),
    ):
        assert jit(other)(2.0) == other(2.0)


def test_one_without_a_seed_draws_other_numbers():
    for function in (
        lambda x: x * np.random.default_rng().normal(),
        lambda x: x * np.random.RandomState().normal(),
        lambda x: x * np.random.Generator(np.random.SFC64()).normal(),
    ):
        made = grad(function)
        assert made(2.0) != made(2.0)


def test_the_generator_that_all_share():
    from numpy.random import standard_normal

    def loss(x):
        np.random.seed(7)  # noqa: NPY002
        return x * np.random.normal() + np.random.rand(2, 2).sum() * standard_normal()  # noqa: NPY002

    assert jit(loss)(2.0) == loss(2.0)

    def drawn(x):
        return x * np.random.randn(3).sum()  # noqa: NPY002

    made = jit(drawn)
    np.random.seed(3)  # noqa: NPY002
    expected = [drawn(2.0) for _ in range(3)]
    np.random.seed(3)  # noqa: NPY002
    assert [made(2.0) for _ in range(3)] == expected
    assert "np.random.standard_normal(3)" in made.source


# ---------------------------------------------------------------------------- which numbers

DRAWS = [
    lambda x, rng: rng.random() + x.sum(),
    lambda x, rng: rng.normal(1, 2, size=(2, 3)) * x,
    lambda x, rng: rng.normal(x, 2.0),
    lambda x, rng: rng.normal(scale=x, size=(2, 3)),
    lambda x, rng: rng.normal(x.astype(np.float32), 2.0),
    lambda x, rng: rng.normal(x[0], x[1]),
    lambda x, rng: rng.uniform(x, 2),
    lambda x, rng: rng.uniform(high=x),
    lambda x, rng: rng.exponential(x),
    lambda x, rng: rng.laplace(x, x),
    lambda x, rng: rng.gumbel(x, x, 3),
    lambda x, rng: rng.logistic(0.0, x),
    lambda x, rng: rng.rayleigh(x),
    lambda x, rng: rng.gamma(2.0, x),
    lambda x, rng: rng.gamma(x, 2.0),
    lambda x, rng: rng.lognormal(x, 0.5, size=(2, 3)),
    lambda x, rng: rng.weibull(x) + rng.pareto(x) + rng.power(x),
    lambda x, rng: rng.multivariate_normal(x, np.eye(3), size=2),
    lambda x, rng: rng.poisson(x, size=(2, 3)) * x,
    lambda x, rng: rng.binomial(3, x) * x,
    lambda x, rng: rng.beta(x, 2.0) + rng.chisquare(x) + rng.standard_t(x + 2),
    lambda x, rng: rng.triangular(0, x, 1),
    lambda x, rng: rng.multinomial(5, x / x.sum()) * x,
    lambda x, rng: rng.dirichlet(x),
    lambda x, rng: rng.choice(x, 2),
    lambda x, rng: rng.choice(x, 2, replace=False, p=[0.2, 0.3, 0.5]),
    lambda x, rng: x[rng.choice(3)] * rng.choice([1, 5, 7]),
    lambda x, rng: rng.permutation(x) + x[rng.permutation(3)],
    lambda x, rng: {"a": x, "b": 2 * x}[rng.choice(["a", "b"])],
]
OF_GENERATORS = [
    lambda x, rng: rng.integers(0, 10, 3, dtype=np.int32) * x,
    lambda x, rng: rng.integers(5, endpoint=True) + x.sum(),
    lambda x, rng: rng.standard_normal(3, dtype=np.float32) * x.astype(np.float32),
    lambda x, rng: rng.random((2, 3), np.float32) * x,
    lambda x, rng: rng.permuted(np.outer(x, x), axis=1),
    lambda x, rng: rng.permuted(np.outer(x, x)),
    lambda x, rng: rng.permutation(np.outer(x, x), axis=1),
    lambda x, rng: rng.choice(np.outer(x, x), 2, axis=1),
]
OLD = [
    lambda x, rng: rng.randint(0, 10, 3) * x,
    lambda x, rng: rng.random_sample((2, 3)) * x,
    lambda x, rng: rng.rand(2, 3) * x + rng.randn(3),
]


@pytest.mark.parametrize("function", [*DRAWS, *OF_GENERATORS], ids=by_line)
def test_numbers_are_those_of_the_call(function):
    assert_as_called(function, X)


@pytest.mark.parametrize("function", [*DRAWS, *OLD], ids=by_line)
def test_numbers_of_the_older_kind(function):
    assert_as_called(function, X, kind=np.random.RandomState)


def test_a_draw_that_is_not_read_is_made():
    def loss(x, rng):
        rng.random(3)
        y = x * rng.normal()
        rng.normal(size=2)
        return y

    assert_as_called(loss, 2.0, transform=value)


def test_draws_keep_their_order():
    def loss(x, rng):
        a = rng.normal()
        b = rng.normal()
        c = rng.uniform(0, x)
        return c - b * x + a / x

    assert_as_called(loss, 2.0, transform=value)


def test_arrays_are_shuffled_in_place():
    def loss(x, rng):
        order = np.arange(3)
        rng.shuffle(order)
        y = x.copy()
        view = y[:2]
        rng.shuffle(y)
        rng.shuffle(view)
        return np.sum(x[order] * y * np.array([1.0, 2.0, 3.0]))

    assert_as_called(loss, X, transform=value)


# ---------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize(
    "draw",
    [
        lambda x, rng: rng.normal(x, x**2),
        lambda x, rng: rng.uniform(x, x**2 + 1),
        lambda x, rng: rng.exponential(x**2),
        lambda x, rng: rng.laplace(x, x**2),
        lambda x, rng: rng.gumbel(x, x**2),
        lambda x, rng: rng.logistic(x, x**2),
        lambda x, rng: rng.rayleigh(x**2),
        lambda x, rng: rng.gamma(2.0, x**2),
        lambda x, rng: rng.lognormal(x, x**2),
        lambda x, rng: rng.weibull(x**2),
        lambda x, rng: rng.pareto(x**2),
        lambda x, rng: rng.power(x**2),
        lambda x, rng: rng.multivariate_normal([x, x**2], np.eye(2)).sum(),
        lambda x, rng: rng.choice([x, x**2]) * rng.permutation(np.stack([x, 3 * x]))[0],
    ],
    ids=by_line,
)
def test_derivatives_of_both_orders(draw):
    def loss(x, rng):
        return np.tanh(draw(x, rng)) + x * rng.random()

    first = grad(loss)
    assert first(1.3, np.random.default_rng(5)) == pytest.approx(slope(loss, 1.3), rel=1e-5)
    dot = jvp(lambda x: loss(x, np.random.default_rng(5)), (1.3,), (1.0,))[1]
    assert dot == pytest.approx(slope(loss, 1.3), rel=1e-5)
    second = grad(first)(1.3, np.random.default_rng(5))
    assert second == pytest.approx(slope(first, 1.3), rel=1e-4, abs=1e-6)


def test_what_is_emitted_for_a_normal_draw():
    def loss(mu, log_sigma, rng):
        y = rng.normal(mu, np.exp(log_sigma))
        return np.sum(y**2)

    made = grad(loss, argnums=(0, 1))
    rng = np.random.default_rng(5)
    z = np.random.default_rng(5).normal(size=3)
    mu_bar, sigma_bar = made(X, X - 1, rng)
    np.testing.assert_allclose(mu_bar, 2 * (X + np.exp(X - 1) * z))
    np.testing.assert_allclose(sigma_bar, mu_bar * np.exp(X - 1) * z)
    assert "z = rng.standard_normal(3)" in made.source
    assert "raise" not in made.source


def test_what_numpy_refuses_is_refused():
    made = grad(lambda x, rng: rng.normal(0.0, x))
    rng = np.random.default_rng(0)
    made(2.0, rng)
    before = state(rng)
    with pytest.raises(ValueError, match="scale < 0"):
        made(-2.0, rng)
    assert state(rng) == before
    with pytest.raises(ValueError, match="high - low < 0"):
        grad(lambda x, rng: rng.uniform(0.0, x))(-2.0, rng)
    with pytest.raises(TypeError, match="locc"):
        jit(lambda x, rng: x * rng.normal(locc=0.0))(2.0, rng)
    with pytest.raises(ValueError, match="not compatible"):
        jit(lambda x, rng: rng.normal(x, size=2))(X, rng)
    with pytest.raises(AttributeError, match="norml"):
        jit(lambda x, rng: x * rng.norml())(2.0, rng)


def test_whole_numbers_have_no_derivative():
    assert grad(lambda x, rng: x + rng.poisson(x))(2.0, np.random.default_rng(0)) == 1.0


def test_what_has_no_formula_is_refused():
    with pytest.raises(NotDifferentiableError, match=r"standard_gamma .* its argument `shape`"):
        grad(lambda x, rng: rng.gamma(x, x))(2.0, np.random.default_rng(0))
    with pytest.raises(NotDifferentiableError, match=r"beta .* its argument `b`"):
        grad(lambda x, rng: rng.beta(2.0, x))(2.0, np.random.default_rng(0))


def test_a_pullback_draws_nothing():
    rng = np.random.default_rng(5)
    y, pullback = vjp(lambda x: x * rng.normal(size=3), X)
    before = state(rng)
    (bar,) = pullback(np.ones(3))
    np.testing.assert_array_equal(bar * X, y)
    np.testing.assert_array_equal(pullback(np.ones(3))[0], bar)
    assert state(rng) == before


@pytest.mark.parametrize("derivative", [hessian, jacobian])
def test_rows_of_a_derivative_are_of_one_draw(derivative):
    def loss(x, rng):
        y = x**3 * rng.normal(size=3)
        return np.sum(y) if derivative is hessian else y

    ours, theirs = generators()
    z = theirs.normal(size=3)
    factor = 6 * X if derivative is hessian else 3 * X**2
    np.testing.assert_allclose(derivative(loss)(X, ours), np.diag(factor * z))
    assert state(ours) == state(theirs)


def test_a_derivative_inside_draws_as_a_call_does():
    def outer(x, rng):
        def loss(t):
            return np.sum(t**2 * rng.normal(size=3))

        return loss(x) + np.sum(grad(loss)(x)) + loss(x) * rng.poisson(x * 1.0).sum()

    def by_hand(x, rng):
        y = np.sum(x**2 * rng.normal(size=3))
        y = y + np.sum(2 * x * rng.normal(size=3))
        return y + np.sum(x**2 * rng.normal(size=3)) * rng.poisson(x * 1.0).sum()

    ours, theirs = generators()
    assert jit(outer)(X, ours) == pytest.approx(by_hand(X, theirs))
    assert state(ours) == state(theirs)


# ---------------------------------------------------------------------------- decisions


def test_a_decision_on_a_draw_is_taken_at_each_call():
    def loss(x, rng):
        for i in range(3):
            x = x + rng.normal() if rng.random() < 0.5 else x * (i + 1)
        return x

    made = assert_as_called(loss, 2.0, times=30)
    assert made.cache_info().currsize == 8

    def shared(x):
        return x * np.random.rand() if np.random.rand() < 0.5 else x * x  # noqa: NPY002

    np.random.seed(1)  # noqa: NPY002
    expected = [shared(2.0) for _ in range(20)]
    np.random.seed(1)  # noqa: NPY002
    made = jit(shared)
    assert [made(2.0) for _ in range(20)] == expected


def test_looking_at_the_source_draws_nothing():
    def loss(x, rng):
        return x * rng.normal() if rng.random() < 0.5 else x

    rng = np.random.default_rng(0)
    made = grad(loss)
    for _ in range(2):
        before = state(rng)
        made.lower(2.0, rng)
        assert state(rng) == before
        made(2.0, rng)


def test_a_decision_on_what_no_seed_decides_is_refused():
    def loss(x):
        return x * len(np.zeros(int(9 * np.random.default_rng().random())))

    with pytest.raises(TraceError, match="a size depends on a traced value"):
        jit(loss)(2.0)


# ---------------------------------------------------------------------------- batches


@pytest.mark.parametrize(
    "function",
    [
        lambda x, rng: x * rng.normal(size=2).sum(),
        lambda x, rng: rng.normal(x, 0.5),
        lambda x, rng: rng.normal(x, 0.5, size=(2, 3)),
        lambda x, rng: rng.poisson(x),
        lambda x, rng: rng.poisson(x, size=(2, 3)),
        lambda x, rng: rng.poisson(x[0], size=(2, 3)),
        lambda x, rng: rng.multivariate_normal(x, np.eye(3)),
        lambda x, rng: rng.multinomial(5, x / x.sum()),
        lambda x, rng: rng.choice(x, 2),
        lambda x, rng: rng.lognormal(x, 1.0, size=3),
        lambda x, rng: rng.random(),
    ],
    ids=by_line,
)
def test_a_batch_draws_as_a_loop_over_its_rows(function):
    ours, theirs = generators()
    expected = np.array([function(row, theirs) for row in ROWS])
    np.testing.assert_array_equal(vmap(function)(ROWS, ours), expected)
    assert state(ours) == state(theirs)


def test_a_generator_made_for_each_row_draws_the_same():
    def function(x):
        rng = np.random.default_rng(3)
        return x * rng.normal() + rng.normal()

    np.testing.assert_array_equal(vmap(function)(X), [function(x) for x in X])


def test_what_a_loop_would_draw_in_turns_is_refused():
    rng = np.random.default_rng(0)
    for function, why in (
        (lambda x: x * rng.normal() + rng.random(), "more than once"),
        (lambda x: x * rng.permutation(3).sum(), "without replacement"),
        (lambda x: x * rng.integers(5, dtype=np.int8), "parts of a word"),
        (lambda x: np.random.default_rng(0).poisson(x), "differ by row"),
    ):
        with pytest.raises(TraceError, match=why) as caught:
            vmap(function)(X)
        assert "test_draws.py" in str(caught.value)
        assert "Draw before" in str(caught.value)


def test_what_draws_and_what_is_mapped_meet():
    rng = np.random.default_rng(5)

    def outer(x):
        z = rng.normal()
        return z * np.sum(vmap(lambda row: row * rng.random() + z)(x))

    theirs = np.random.default_rng(5)
    z = theirs.normal()
    assert jit(outer)(X) == pytest.approx(z * np.sum(X * theirs.random(3) + z))


# ---------------------------------------------------------------------------- elsewhere


def test_a_pickled_derivative():
    made = grad(noisy)
    made(X, np.random.default_rng(0))
    ours, theirs = generators()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(made))(X, ours), made(X, theirs)
    )


def test_a_saved_derivative_takes_the_generator(tmp_path):
    rng = np.random.default_rng(5)
    W = np.ones(3)
    made = grad(lambda x: np.sum(W * x * rng.normal(size=3)))
    made(X)
    made.save(tmp_path / "saved.py")
    saved = runpy.run_path(str(tmp_path / "saved.py"))["function_grad"]
    ours, theirs = generators()
    np.testing.assert_array_equal(saved(X, rng=ours), theirs.normal(size=3))
    with pytest.raises(TypeError, match="rng"):
        saved(X)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x, rng: x * len(rng.bytes(3)), "bytes"),
        (lambda x, rng: x * rng.spawn(2)[0].normal(), "spawn"),
        (lambda x, rng: x * rng.bit_generator.random_raw(), "bit_generator"),
        (lambda x, rng: rng.shuffle([x, x]) or x, "list is shuffled"),
        (lambda x, rng: x * rng.random(out=np.zeros(2)).sum(), "into an array"),
    ],
    ids=lambda each: by_line(each) if callable(each) else "",
)
def test_refusals(function, why):
    with pytest.raises(TraceError, match=why):
        grad(function)(2.0, np.random.default_rng(0))


def test_cannot_differentiate_with_respect_to_a_generator():
    with pytest.raises(NotDifferentiableError, match="`rng` of type Generator"):
        grad(noisy, argnums=1)(X, np.random.default_rng(0))


def test_solvers_and_bodies_of_loops_do_not_draw():
    from scipy.integrate import quad

    rng = np.random.default_rng(0)
    with pytest.raises(TraceError, match="how often"):
        grad(lambda x: fori_loop(0, 5, lambda i, y: y * rng.normal(), x))(2.0)
    with pytest.raises(TraceError, match=r"again and again|how often"):
        grad(lambda x: quad(lambda t: t * x * rng.normal(), 0, 1)[0])(2.0)


def test_derivatives_are_checked_with_the_same_draws():
    rng = np.random.default_rng(3)
    before = state(rng)
    check_grads(lambda x, rng: np.sum(np.tanh(rng.normal(x, x**2) * x)), (X, rng))
    assert state(rng) == before
