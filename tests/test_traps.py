"""Where programs that change arrays, take decisions and loop are easily traced wrong.

Each function means to symdiff what it means to Python: its values, what it leaves in its
arguments, and its derivatives are compared at inputs that take it different ways.
"""

import contextlib
import functools
import importlib.util
import math
import pickle

import numpy as np
import pytest

from symdiff import TraceError, grad, hvp, jit, value_and_grad
from tests.differential.as_python import check, check_values

X = np.array([0.5, -0.9, 2.0, -0.3])
Y = np.array([1.5, 0.4, -1.1, 0.7])
A = np.arange(12.0).reshape(3, 4) * 0.3 - 1.1


def trap(*inputs):
    """Decorator: the function is checked at these inputs, by a test of its name."""

    def mark(function):
        def test():
            check(function, *inputs)

        globals()[f"test_{function.__name__}"] = test
        return function

    return mark


# ---------------------------------------------------------------------------- 1: numbers and views


@trap((X,), (Y,))
def a_number_is_rebound(x):
    s = x.sum()
    t = s
    t += 1
    return s * t


@trap((X,), (Y,))
def a_view_is_changed(x):
    y = x[:2]
    y += 1
    return x * 2


@trap((A,))
def an_element_is_a_number_and_a_row_a_view(a):
    element, row = a[0, 1], a[1]
    element += 5
    row += 5
    return element * a.sum()


@trap((X,), (Y,))
def a_number_keeps_what_it_was(x):
    first = x[0]
    x[0] = 7.0
    return first * x


@trap((2.0,), (3.0,))
def an_array_without_axes(t):
    z = np.zeros(())
    w = z
    w += t
    s = z[()]
    s += 1
    return z, s, w * t


@trap((2.0,), (3.0,))
def an_array_made_of_a_number(t):
    a = np.array(t)
    b = a
    b *= 3
    a[...] += 1
    return a + b


# ------------------------------------------------------------------------------- 2: views of views


@trap((A, X), (A + 1, Y))
def through_a_transpose(a, v):
    a.T[0] = v[:3]
    return a.sum(axis=0)


@trap((X,), (Y,))
def through_a_reshape(x):
    x.reshape(2, 2)[1, 1] += x[0] ** 2
    return x


@trap((A,), (A + 1,))
def a_reshape_that_copies(a):
    b = np.zeros((3, 4))
    b[:] = a
    c = b.T.reshape(12)
    c[0] = -1.0
    return b * b, c * c


@trap((A,), (A + 1,))
def a_reshape_that_shares(a):
    b = a.copy()
    c = b.reshape(4, 3)
    c[0] = b[2, :3] ** 2
    b[1] *= c[2, 2]
    return b, c.T @ c


def test_where_the_layout_of_an_argument_decides_reading_on_is_refused():
    def shares_in_one_order_only(a):
        c = a.reshape(4, 3)
        c[0] = 5.0
        return a * c.sum()

    with pytest.raises(TraceError, match="may share memory with one that was changed") as caught:
        jit(shares_in_one_order_only)(A)
    assert "x.copy()" in str(caught.value)


def test_setting_the_shape_is_refused():
    def reshapes(x):
        y = x * 2
        y.shape = (2, 2)
        return y

    with pytest.raises(TraceError, match=r"the shape of an array is set.*\n.*\n.*\n.*y.reshape"):
        jit(reshapes)(X)


@trap((A,))
def by_flat(a):
    a.flat[1] = a[2, 3] ** 2
    a.flat[::5] *= 2
    return a


@trap((A,))
def views_made_before_and_read_after(a):
    column, block, backwards = a[:, 1], a[1:, 2:], a[::-1, ::-1]
    a[1] = a[0] ** 2
    a *= 2
    return column, block * block, backwards[0] * column[2]


@trap((A,))
def views_of_all_kinds(a):
    views = [np.swapaxes(a, 0, 1)[1], np.split(a, 3)[2], np.diagonal(a), a[None, :, 2], a.T[1:]]
    views += [np.squeeze(a[:1]), np.rollaxis(a, 1)[0], np.expand_dims(a, 1)[1, 0], a.real]
    a[:, :] = a**2
    a[1, 1] = 0.5
    return [view * view for view in views]


# --------------------------------------------------------------------------- 3: overlapping stores


@trap((X,), (Y,))
def a_shift_onto_itself(x):
    x[1:] = x[:-1]
    return x


@trap((X,), (Y,))
def swaps(x):
    x[[0, 1]] = x[[1, 0]]
    x[2], x[3] = x[3], x[2]
    x[0], x[1:3] = x[2] ** 2, x[:2] * x[3]
    return x


@trap((A,))
def two_targets(a):
    n = len(a)
    corr = np.eye(n)
    for i in range(n - 1):
        corr[i + 1 :, i] = corr[i, i + 1 :] = a[i] @ a[i + 1 :].T
    return corr


@trap((A,))
def rows_in_a_loop(a):
    for row in a:
        row[0] = row[1] * row[2]
        row[1:] -= row[0]
    return a


@trap((X,), (Y,))
def an_update_that_overlaps(x):
    x[1:] += x[:-1]
    x[:-1] *= x[1:]
    np.add(x[:3], x[1:], out=x[1:])
    return x


# --------------------------------------------------------------------------- 4: whose memory it is


def scale_in_place(v, factor):
    v *= factor


@trap((X, 1.5), (Y, -0.5))
def a_helper_writes_its_argument(x, factor):
    y = x * 2
    scale_in_place(y[1:], factor)
    scale_in_place(x[:2], factor)
    return y


def add_to_the_first(p, q):
    p[0] += q[0] * q[1]
    p[1] *= q[0]


@trap((X,), (Y,))
def one_array_for_two_parameters(q):
    add_to_the_first(q, q)
    add_to_the_first(q, q[1:])
    return q


@pytest.mark.parametrize("second", [lambda q: q, lambda q: q[1:]], ids=["whole", "part"])
def test_overlapping_arguments_are_refused(second):
    both = jit(lambda p, q: (add_to_the_first(p, q), p)[1])
    x = X.copy()
    with pytest.raises(TraceError, match="shares its memory with another"):
        both(x, second(x))
    np.testing.assert_array_equal(x, X)
    apart = X.copy()
    add_to_the_first(apart, second(X.copy()))
    np.testing.assert_array_equal(both(x, second(X.copy())), apart)
    with pytest.raises(TraceError, match="shares its memory with another"):
        both(x, second(x))
    np.testing.assert_array_equal(x, X)


BUFFER = np.zeros(4)
BACKWARDS = BUFFER[::-1]


def through_globals(x):
    BUFFER[:] = x
    return BACKWARDS * x


class Workspace:
    def __init__(self):
        self.buffer = np.zeros(4)
        self.calls = []

    def attribute(self, x):
        self.work = x * 2
        return self.work

    def part(self, x):
        self.buffer[:] = x
        return self.buffer * x

    def element(self, x):
        self.calls.append(x)
        return x


WORKSPACE = Workspace()


@pytest.mark.parametrize("function", [WORKSPACE.attribute, WORKSPACE.part])
def test_what_outlives_the_call_is_changed_for_the_call_alone(function):
    expected = function(X)
    WORKSPACE.buffer[:] = 0
    vars(WORKSPACE).pop("work", None)
    np.testing.assert_array_equal(jit(function)(X), expected)
    np.testing.assert_array_equal(WORKSPACE.buffer, np.zeros(4))
    assert vars(WORKSPACE).keys() == {"buffer", "calls"}


def test_what_is_changed_lies_apart_from_what_else_is_read():
    with pytest.raises(TraceError, match="`BUFFER` is changed in place, and shares its memory"):
        jit(through_globals)(X)
    np.testing.assert_array_equal(BUFFER, np.zeros(4))


def test_a_list_that_outlives_the_call_grows_in_the_trace_alone():
    compiled = jit(lambda x: WORKSPACE.element(x) * len(WORKSPACE.calls))
    for _ in range(2):
        np.testing.assert_array_equal(compiled(X), X)
    assert WORKSPACE.calls == []


@trap((X,), (Y,))
def an_object_of_its_own(x):
    own = Workspace()
    own.part(x)
    own.buffer[1:] *= own.buffer[:-1]
    own.element(own.buffer)
    return own.attribute(x) * own.calls[0]


# ----------------------------------------------------------------------------- 5: functions, casts


@trap((X,), (Y,))
def into_out(x):
    o = np.empty_like(x)
    np.multiply(x, x, out=o)
    np.add(o, 1, o)
    np.add.at(o, [0, 0, 3], x[:3])
    np.subtract.at(o, np.array([1, 1]), 2.0)
    return o


def test_stores_cast_as_numpy_does():
    def truncates(x):
        whole = np.zeros(3, dtype=int)
        whole[0] = x[0] * 2.7
        whole[1:] = x[1:3]
        return whole

    def rounds(x):
        short = np.zeros(4, dtype=np.float32)
        short[:] = x
        short += x[0]
        return short * 3

    for x in (X, Y, X * 10):
        np.testing.assert_array_equal(jit(truncates)(x), truncates(x), strict=True)
        np.testing.assert_array_equal(jit(rounds)(x), rounds(x), strict=True)
    np.testing.assert_allclose(grad(lambda x: np.sum(rounds(x)))(X), [15, 3, 3, 3])
    np.testing.assert_array_equal(grad(lambda x: np.sum(truncates(x) * x[:3]))(X), [1, 0, 2, 0])


def test_what_numpy_does_not_cast_it_does_not():
    def complex_into_real(x):
        y = np.zeros(4)
        y += x * 1j
        return y

    def float_into_int(x):
        y = np.zeros(4, dtype=int)
        y += x
        return y

    for function in (complex_into_real, float_into_int):
        with pytest.raises(TypeError, match="Cannot cast"):
            function(X)
        with pytest.raises(TypeError, match=r"[Cc]annot cast"):
            jit(function)(X)


# ------------------------------------------------------------------------------ 6: repeated places


@trap((X,), (Y,))
def the_last_value_counts(x):
    y = x * 2
    y[[0, 0]] = [x[1], x[2] ** 2]
    return y


@trap((X,), (Y,))
def the_last_value_at_traced_places(x):
    y = x * 2
    places = np.argsort(x) // 2
    y[places] = x**3
    return y


# ------------------------------------------------------------------------- 7, 8: branches, aliases


@trap((X, 1.0), (Y, 1.0), (X, -1.0))
def rebound_here_and_changed_there(x, c):
    a = x * 2
    b = a
    if c > 0:
        a = a + 1
        a[0] = 3 * x[1]
    else:
        a[1] = x[2] ** 2
    return a * b


@trap((X, 1.0), (X, -1.0))
def one_of_two_arrays(x, c):
    a, d = x * 2, x**2
    b = a if c > 0 else d
    b[0] = 100 * x[1]
    return a + d


@trap((X, 1.0), (X, -1.0))
def one_of_two_views(x, c):
    v = x[:2] if c > 0 else x[2:]
    v[0] = 9 * c
    v *= x[1]
    return x


@trap((X, 1.0), (X, -1.0))
def a_branch_that_stores_into_an_outer_view(x, c):
    y = x**2
    tail = y[2:]
    if c > 0:
        y[3] = c * x[0]
    else:
        tail[0] = c**2
        y = y * 2
    return y, tail


@trap((X, 1.0), (X, -1.0))
def numbers_that_change_kind(x, c):
    s = None
    if c > 0:
        s = x.sum()
    elif x[0] > 3:
        s = 1
    return x if s is None else s * x


@trap((X, 1.0, 2.0), (X, 1.0, -2.0), (X, -1.0, 2.0), (X, -1.0, -2.0))
def logic(x, c, d):
    value = (c > 0 and x) if d > 0 else (c < 0 or x * 3)
    both = c > 0 and d > 0
    chain = -1.5 < c < d
    first = (c if c > 0 else 0.0) or d
    return (value if isinstance(value, np.ndarray) else x * c) * (2 if both else d) + first * chain


# ----------------------------------------------------------------------- 9 to 11: loops that carry


@trap((1.0, 3.0), (0.3, 9.0))
def an_adaptive_step(y, rate):
    t, h, taken = 0.0, 0.3, 0
    while t < 1.0:
        slope = -rate * y
        full = y + h * slope
        half = y + h / 2 * slope
        half = half - h / 2 * rate * half
        error = abs(full - half)
        if error > 0.05 * abs(y):
            h = h / 2
            continue
        t, y, taken = t + h, half, taken + 1
        if error < 0.01 * abs(y):
            h = h * 1.5
        h = min(h, 1.0 - t)
        if h < 1e-9:
            break
    return y, taken


@trap((X,), (Y,), (-X,))
def none_before_the_first_turn(x):
    previous, total = None, 0.0
    for current in x:
        if previous is not None:
            total = total + current * previous
        previous = current
    return total * previous


@trap((X,), (Y,), (-X,))
def the_best_so_far(x):
    best, where = None, -1
    first = True
    for i, v in enumerate(x):
        if best is None or v > best:
            best, where = v, i
        if first:
            first = False
            best = best + 0.1
    return best**2, where


@trap((X, 1.0), (Y, 1.45), (X, -5.0), (X, 9.0))
def a_flag_breaks(x, limit):
    found = False
    total = np.float64(0.0)
    for v in x:
        if v > limit:
            found = True
            break
        total += v**2
    return total, found


@trap((X, 1.1), (Y, 1.45), (X, 9.0))
def flags_and_else(x, limit):
    done, turns = False, 0
    while not done:
        x = x * 1.5
        turns += 1
        if np.abs(x).max() > limit or turns > 5:
            done = True
    for v in x:
        if v > 2 * limit:
            result = v
            break
    else:
        result = x.sum()
    return result, turns


# --------------------------------------------------------------------------------------- 12: draws


def test_draws_are_never_frozen():
    rng = np.random.default_rng(5)

    def noisy(x):
        for _ in range(3):
            x = x + rng.normal(size=4)
        return x

    compiled = jit(noisy)
    actual = [compiled(X) for _ in range(2)]
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(actual, [noisy(X) for _ in range(2)])


@trap((X,), (Y,))
def draws_with_a_seed_inside(x):
    return x * np.random.default_rng(3).normal(size=4)


# ------------------------------------------------------------------------------ 13: keys, printing


@trap((X, {"W0": Y, "W1": X}), (Y, {"W0": X, "W1": X}))
def keys_made_of_the_index(x, p):
    h = x
    skipped = {1: 2.0}
    for i in range(3):
        h = h * p.get(f"W{i}", 3.0) + skipped.get(i, 1.0)
        if i in {0, 2}:
            h = h + 0.5
    return h


def test_each_side_prints_once(capsys):
    def says(x):
        if x > 0:
            print("above")
            return x * x
        print("below")
        return -x

    gradient = grad(says)
    assert gradient(2.0) == 4.0
    assert capsys.readouterr().out == "above\n"
    assert gradient(-2.0) == -1.0
    assert capsys.readouterr().out == "below\n"


# --------------------------------------------------------------------------------- 14, 15: effects


@trap((X,), (-X,))
def a_bare_except(x):
    total = x[0]
    for v in x:
        try:
            if v < -0.55:
                raise ValueError("low")
            total = total + v**2
        except:  # noqa: E722
            total = total - v
        finally:
            total = total * 1.1
    return total


@trap((X,), (-X,))
def finally_and_with(x):
    log = []
    with contextlib.suppress(KeyError):
        log.append(x[0])
        if x[0] > 0:
            raise KeyError
        log.append(x[1] ** 2)
    try:
        log.append(x[2] * log[-1])
    finally:
        log[0] = log[0] * 2
    return sum(log)


@trap((X,), (Y,))
def a_nested_function_counts(x):
    count, total = 0, 0.0

    def add(v):
        nonlocal count, total
        count += 1
        total = total + v * count

    for v in x:
        add(v * v)
    return total, count


COUNT = 0


def counts(x):
    global COUNT  # noqa: PLW0603
    for v in x:
        COUNT += 1
        x = x + v * COUNT
    return x


def test_a_counter_of_the_module_is_counted_in_the_trace_alone():
    compiled = jit(counts)
    expected = X + X @ [1, 2, 3, 4]
    for _ in range(2):
        np.testing.assert_allclose(compiled(X), expected)
    assert COUNT == 0


# ----------------------------------------------------------------------------------- 16: recursion


@trap((9.0, 2.0), (100.0, 3.0), (0.5, 2.0))
def recursion_that_ends_on_a_value(x, base):
    if x < 1:
        return x * x
    return 1.5 * recursion_that_ends_on_a_value(x / base, base)


class Mangled:
    def __init__(self, w):
        self.__w = w

    def __scaled(self, x):
        return self.__w * x

    def __call__(self, x):
        return self.__scaled(x) ** 2


def test_private_names():
    model = Mangled(np.arange(4.0))
    check(lambda x: model(x), (X,), (Y,))
    check(lambda x, w: Mangled(w)(x), (X, Y), (Y, X))


# ---------------------------------------------------------------------------- 17: Python's numbers


@trap((1.5,), (0.7,))
def whole_numbers_are_pythons(x):
    f = 1
    for k in range(1, 25):
        f *= k
    y = x / f * 1e20
    return y + 2**-1 * x + (7 // 2) * x ** (1 / 2) + x * (10**20 % 7)


def test_weak_numbers_keep_single_precision():
    short = np.float32([1, 2])
    for function in (
        lambda x, c: x * c,
        lambda x, c: x * (c + 1.0),
        lambda x, c: x * math.sqrt(c),
        lambda x, c: x * abs(c) if c > 1 else x,
        lambda x, c: x * max(c, 0.5) ** 2,
        lambda x, c: x * float(c),
    ):
        for c in (2.0, 0.3):
            actual, expected = jit(function)(short, c), function(short, c)
            np.testing.assert_array_equal(actual, expected, strict=True)


def test_what_python_raises_is_raised():
    for function, x in (
        (lambda x: 1 / x, 0.0),
        (lambda x: math.sqrt(x), -1.0),
        (lambda x: math.log(x), 0.0),
        (lambda x: x // 0, 1.0),
    ):
        with pytest.raises((ZeroDivisionError, ValueError)) as expected:
            function(x)
        with pytest.raises(expected.type):
            jit(function)(x)


# --------------------------------------------------------------------------------------- 18: masks


def test_a_store_leaves_the_derivative_of_the_rest():
    def inverse(x):
        r = np.sqrt(x)
        r[r > 0] = 1 / r[r > 0]
        return r

    x = np.array([0.0, 4.0, 0.25])
    np.testing.assert_array_equal(jit(inverse)(x), inverse(x))
    gradient = grad(lambda x: np.sum(inverse(x)))(x)
    np.testing.assert_allclose(gradient, [np.inf, -0.5 * 4**-1.5, -0.5 * 0.25**-1.5])


def fills_the_diagonal(r):
    np.fill_diagonal(r, np.inf)
    return 1 / r


def stores_on_the_diagonal(r):
    for i in range(len(r)):
        r[i, i] = np.inf
    return 1 / r


def stores_by_mask(r):
    inverse = np.zeros_like(r)
    inverse[r > 0] = 1 / r[r > 0]
    return inverse


def stores_by_both_masks(r):
    mask = r > 0
    r[mask] = 1 / r[mask]
    r[~mask] = 0.0
    return r


def reads_by_mask(r):
    return 1 / r[r > 0]


def reads_by_places(r):
    return 1 / r[np.nonzero(r)]


def reads_a_triangle(r):
    return 2 / r[np.triu_indices(3, 1)]


@pytest.mark.parametrize(
    "inverted",
    [
        fills_the_diagonal,
        stores_on_the_diagonal,
        stores_by_mask,
        stores_by_both_masks,
        reads_by_mask,
        reads_by_places,
        reads_a_triangle,
    ],
)
def test_infinite_slopes_that_are_not_selected_do_not_matter(inverted):
    def energy(x):
        return np.sum(inverted(np.sqrt((x[:, None] - x[None, :]) ** 2)))

    def pairs(x):
        return sum(1 / abs(x[i] - x[j]) for i in range(3) for j in range(3) if i != j)

    x, v = np.array([0.0, 1.0, 3.0]), np.array([1.0, 0.5, -1.0])
    np.testing.assert_allclose(grad(energy)(x), grad(pairs)(x))
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(hvp(energy, (x,), (v,)), hvp(pairs, (x,), (v,)))


@trap((X,), (Y,), (-X,))
def masks_of_other_sizes(x):
    y = x * 2
    y[x > 0] = x[x > 0] ** 2
    y[x < -0.55] *= 3
    return y, x[(x > 0) & (x < 1.2)].sum()


# -------------------------------------------------------------------------- 19: kinds of functions

PAIR = (lambda x: x**2, lambda x: x**3)
NESTED = lambda x: [lambda y: x * y, lambda y: x + y][0](x * x)


def with_default(x, scale=3.0, *, shift=1.0):
    return x * scale + shift


def doubled(function):
    @functools.wraps(function)
    def inner(x):
        return 2 * function(x, 4.0)

    return inner


class Base:
    def apply(self, x):
        return x**2


def with_super(x):
    class Derived(Base):
        def apply(self, x):
            return super().apply(x) * 3

    return Derived().apply(x)


def pieces(x):
    for v in x:
        if v > 0:
            yield v**2
        else:
            yield -v


KINDS = dict(
    enumerate(
    [
        *PAIR,
        NESTED,
        with_default,
        doubled(with_default),
        functools.partial(with_default, scale=2.0, shift=-1.0),
        with_super,
        Mangled(2.0),
        lambda x: sum(pieces(x)),
        lambda x: np.array(list(pieces(x))) * x,
        lambda x: Base().apply(x) + [each for each in (x, x * x) if each[0] > 0.1][-1],
        lambda x: functools.reduce(lambda a, b: a * b + a, x),
        lambda x: sum(map(math.sin, x)),
    ]
    )
)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_functions(kind):
    check(KINDS[kind], (X,), (Y,))


# ----------------------------------------------------------------------------- 20: where source is


def test_a_file_that_was_edited_after_it_was_imported(tmp_path):
    path = tmp_path / "edited.py"
    path.write_text("def f(x):\n    if x > 0:\n        return x * x\n    return -x\n")
    spec = importlib.util.spec_from_file_location("edited", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path.write_text("def g(x):\n    return 0 * x\n\n\ndef f(x):\n    return 7 * x\n")
    assert grad(module.f)(3.0) == 6.0
    assert grad(module.f)(-3.0) == -1.0


def test_functions_without_a_file():
    namespace = {"np": np}
    exec("def f(x):\n  y = np.zeros(2)\n  y[0] = x if x > 0 else -x\n  return y[0] ** 2", namespace)
    assert grad(namespace["f"])(3.0) == 6.0
    assert grad(namespace["f"])(-3.0) == -6.0
    assert grad(eval("lambda x: x * x"))(3.0) == 6.0
    assert grad(pickle.loads(pickle.dumps(with_default)))(3.0) == 3.0


# ---------------------------------------------------------------------------- 21: nests, few turns


@trap((X,), (Y,))
def eight_nested_loops(x):
    total = 0.0
    for a in range(2):
        for b in range(1, 3):
            for c in range(1):
                for d in range(2):
                    for e in range(1):
                        for f in range(2):
                            for g in range(1):
                                for h in range(2):
                                    total += x[(a + d + h) % 4] * x[(b + f) % 4] ** (c + e + g + 1)
    return total


@pytest.mark.parametrize("turns", [0, 1, 3, 4, 5])
def test_loops_of_few_turns(turns):
    def loops(x):
        y, last = np.zeros(6), x[0]
        for i in range(turns):
            last = last * x[i % 4]
            y[i] = last + i
        return y, last

    check(loops, (X,), (Y,))


@trap((X, 0.1), (X, 5.0), (Y, 0.0))
def a_while_that_may_not_turn(x, limit):
    while np.sum(x * x) < limit:
        x = x * 2
    return x


@trap((X,), (Y,), (-X,))
def breaks_continues_and_returns(x):
    total = 0.0
    for i in range(4):
        for j in range(4):
            if j == i:
                continue
            if x[j] < -0.75:
                break
            total += x[i] * x[j]
        else:
            total *= 1.1
        if total > 2:
            return total * x
    return total + x


@trap((X,), (Y,), (-X,))
def the_greatest_of_a_part_that_may_be_empty(x):
    total = 0.0
    for i in range(len(x)):
        if i > 0:
            total += x[:i].max()
        total += x[:i].sum() * x[i:].prod()
    return total


# ----------------------------------------------------------------------- 23: lists, imports inside


@trap((X, 1.0), (Y, 2.0))
def lists_of_values(x, t):
    from scipy.special import logsumexp

    parts = np.r_[t, x], np.append(x, [t, 2.0]), np.hstack([t, x]), np.c_[x, x * t]
    stacked = np.array([[t, 0], [0, t * t]]), np.vstack([x, [t, 1, 2, t]])
    return parts, stacked, logsumexp(x) + np.mean([t, x[0]]), np.std([x[1], t, 3.0])


# ------------------------------------------------------------------------------- 24: whole numbers


@trap(
    (X, np.array([0, 2, 1]), 2, np.array([True, False, True, True])),
    (Y, np.array([3, 3, 0]), 3, np.array([False, True, False, True])),
)
def whole_numbers_as_arguments(x, places, steps, mask):
    y = x[places] * 2
    for i in range(steps):
        y[i % 3] += x[places[i % 3]]
    if places[0] > 1:
        y = y * places
    return y, x[mask].sum(), x[int(places.sum()) % 4], x[:steps]


@trap(
    (np.arange(1.0, 6.0), np.array([0, 2, 1, 3, 0]), np.array([0, 2, 3, 5]), X),
    (np.arange(2.0, 7.0), np.array([1, 0, 3, 2, 1]), np.array([0, 1, 4, 5]), Y),
)
def a_sparse_product(values, columns, starts, x):
    y = np.zeros(len(starts) - 1)
    for i in range(len(y)):
        for k in range(starts[i], starts[i + 1]):
            y[i] += values[k] * x[columns[k]]
    return y


def test_what_integers_do_to_integers():
    def histogram(data, weights):
        counts = np.zeros(4)
        for d, w in zip(data, weights):
            counts[d] += w * w
        return counts

    check_values(histogram, ((np.array([0, 1, 1, 3]), X), (np.array([2, 2, 2, 0]), Y)))
    value, bar = value_and_grad(lambda w, d: histogram(d, w)[1])(X, np.array([0, 1, 1, 3]))
    assert value == X[1] ** 2 + X[2] ** 2
    np.testing.assert_array_equal(bar, [0, 2 * X[1], 2 * X[2], 0])
