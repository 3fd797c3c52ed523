"""What people write in Python works as it stands, or is refused with the way out.

One section for each thing that a tracer alone would get wrong. `check` compares values, mutated
arguments, and derivatives of both modes and orders, at inputs that take decisions either way.
"""

import contextlib
import dataclasses
import functools
import itertools
import logging
import math
import operator
from collections import namedtuple

import numpy as np
import pytest

from symdiff import TraceError, UnsupportedFunctionError, grad, hvp, jit, jvp
from tests.differential.as_python import check

X = np.array([0.5, -0.9, 2.0, -0.3])
Y = np.array([1.5, 0.4, -1.1, 0.7])
A = np.arange(12.0).reshape(3, 4) * 0.3 - 1.1
B = np.cos(A)


def works(*inputs):
    """Decorator: the function is checked at these inputs, by a test of its name."""

    def mark(function):
        globals()[f"test_{function.__name__}"] = lambda: check(function, *inputs)
        return function

    return mark


# ----------------------------------------------------------------------------- decisions on values


@works((X,), (-X,), (Y,))
def if_and_else(x):
    total = np.sum(x)
    if total > 1.0:
        return total**2
    elif total > 0:  # noqa: RET505  as people write it
        y = x * 2
    else:
        y = np.sin(x)
    return y @ y


@works((X,), (-X,), (Y,))
def ternaries_and_logic(x):
    scale = x[0] if x[0] > 0.6 else x[1] * x[2]
    both = x[0] > 0 and x[1] > 0
    either = x[0] > 1 or x[3] > 0.5
    inside = -1 < x[1] < 0.5
    return scale * (2 if both else 3) * (x[3] if not either else 1.5) + x[2] * inside


@works((X,), (-X,), (Y,))
def any_and_all_of_arrays(x):
    if (x > -1).all() and np.any(x < -0.5):
        return x.max() * x
    if np.allclose(x, 0) or not x.any():
        return x
    return x.min() * x


@works((2.0,), (70.0,), (0.2,))
def while_on_a_residual(a):
    y = a
    while abs(y * y - a) > 1e-12 * a:
        y = 0.5 * (y + a / y)
    return y


@works((X,), (-X,), (Y,))
def python_functions_that_decide(x):
    return max(x) * min(x) + sorted(x)[1] ** 2 + max(x[0], 0.3) * max(x, key=abs) + sum(
        v for v in x if v > 0
    )


@works((X,), (-X,), (Y,))
def matching_by_value(x):
    match (x[0] > 0, x[1] > 0):
        case (True, True):
            return x**2
        case (True, _):
            return x**3
        case _:
            return x * x[0]


@works((X,), (-X,), (Y,))
def assert_and_raise(x):
    assert x.shape == (4,), "four numbers"
    assert np.sum(np.abs(x)) > 0
    try:
        if x[1] > 0:
            raise ValueError("positive")
        y = x * x[1]
    except ValueError:
        y = x**2
    else:
        y = y + 1
    finally:
        y = y * 0.5
    return y


# ------------------------------------------------------------------------- loops, sizes, unpacking


@works((A,), (B,))
def loops_over_everything(a):
    total = 0.0
    for i in range(len(a)):
        for j in range(1, a.shape[1]):
            total += a[i, j] * a[i, j - 1]
    for row in a:
        total += row[0] ** 2
    for k, (left, right) in enumerate(zip(a[0], a[1])):
        total += k * left * right
    for v in reversed(a[2]):
        total = total * 0.9 + v
    for index, v in np.ndenumerate(a):
        total += sum(index) * v
    for index in np.ndindex(a.shape):
        total += a[index] ** 2
    for v in a.flat:
        total += v
    for v, w in itertools.combinations(a[0], 2):
        total += v * w
    return total


@works((A,), (B,))
def shapes_and_unpacking(a):
    m, n = a.shape
    first, *middle, last = a
    (p, q), (r, s) = a[:2, :2]
    return first * len(middle) + last * n * m, p * s - q * r, a.size * a.ndim * np.prod(a.T.shape)


@works((X,), (Y,))
def comprehensions(x):
    squares = [v**2 for v in x]
    table = {f"{i}": v * i for i, v in enumerate(squares)}
    nested = [[u * v for u in x] for v in x if True]
    lazily = sum(v for v in squares)
    walrus = [w for v in x if (w := v * 3) is not None]
    return sum(squares) * table["2"], np.array(nested), lazily, walrus


@works((X,), (Y,))
def generators_and_recursion(x):
    def running(values):
        total = 0.0
        for v in values:
            total = total + v
            yield total

    def fold(values):
        return values[0] if len(values) == 1 else fold(values[:-1]) * 0.5 + values[-1] ** 2

    return list(running(x)), fold(x), functools.reduce(operator.mul, x)


# -------------------------------------------------------------------------- arrays that are filled


@works((X, 1.5), (Y, -0.5))
def filling_what_was_made(x, t):
    a = np.zeros(4)
    a[1] = t
    a[2:] += x[:2] * t
    mask = np.array([True, False, False, True])
    a[mask] += t * x[mask]
    np.add.at(a, [0, 0, 1], x[:3])
    np.multiply(a, t, out=a)
    b = np.empty((2, 4))
    b[0], b[1] = x, a
    c = np.full_like(b, 2.0)
    c[:, ::2] *= b[:, ::2]
    return a, b, c


@works((X, 0.5), (Y, 2.0))
def changing_an_argument(x, t):
    x[0] = 1
    x[1:] *= t
    return np.sum(x * x)


def test_the_callers_array_is_never_changed():
    for call in (jit, grad, lambda f: lambda x, t: jvp(f, (x, t), (x, t))):
        x = X.copy()
        call(changing_an_argument)(x, 0.5)
        np.testing.assert_array_equal(x, X)


# --------------------------------------------------------------------------------- lists of values


@works((X, 1.5), (Y, -0.5))
def arrays_of_values(x, t):
    vector = np.array([t, x[0]])
    matrix = np.array([[t, 0], [0, t * x[1]]])
    rows = np.array([x, x * t]), np.stack([x, 2 * x], axis=1), np.concatenate([x, [t, 1.0]])
    return vector, matrix @ vector, rows, np.array([[t, *x[:2]], list(x[1:])]), np.asarray((t, t))


@works((X, 1.5), (Y, 0.5))
def functions_of_lists(x, t):
    several = [t, x[0], 3.0]
    return (
        np.mean(several), np.std(several), np.max(several), np.sum([x, x * t], axis=0),
        np.append(x, [t]), np.linalg.norm([t, x[1]]), np.dot([t, 2.0, x[1], 1.0], x),
        np.interp(t, [-1.0, 1.0, 3.0], [x[0], x[1], t * t]), np.where([True, False], [t, t], x[:2]),
    )  # fmt: skip


# ------------------------------------------------------------------------------ Python's functions


@works((0.7, 2.0), (1.3, 3.0))
def of_the_math_module(t, u):
    several = math.sin(t) + math.exp(-u) * math.log(t) + math.sqrt(u) + math.hypot(t, u)
    return several + math.pow(t, u) + math.atan2(t, u) + math.erf(t) + math.fsum([t, u, t * u])


@works((X, 1.5), (Y, 2.5))
def conversions(x, t):
    count = int(t)
    flag = bool(x[0] > 0)
    return float(t) ** 2 + x[0].item() * count, abs(x), round(3.7) * t, x.tolist()[1] * t * flag


@works((2.25,), (-1.75,))
def number_methods(t):
    return t.real * 2 + t.conjugate() ** 2 + divmod(t, 2.0)[1] * t + t % 0.5 - -t + pow(t, 2)


@works((X,), (Y,))
def array_methods(x):
    return (
        x.sum() * x.mean() + x.std() + x.prod() - x.max() + x.dot(x) + x.var(),
        x.clip(-0.5, 1.0), x.cumsum(), x.reshape(2, 2).T.ravel(), x.astype(np.float64) * 2,
        x.copy().take([0, 2]), x.repeat(2), x.round(1) * x, x.argmax() * x, x[x.argsort()],
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ output


def test_print_formats_and_logs_say_the_values_of_each_call(capsys, caplog):
    def talks(x):
        print("x is", x)
        print(f"{x} {x!r} {x!s}")
        logging.getLogger("talks").warning("now %s", x)
        return np.sum(x * x)

    gradient = grad(talks)
    for values in (X, Y):
        talks(values)
        expected = capsys.readouterr().out, caplog.messages
        caplog.clear()
        np.testing.assert_array_equal(gradient(values), 2 * values)
        assert (capsys.readouterr().out, caplog.messages) == expected
        caplog.clear()


# -------------------------------------------------------------------------- how functions are made

SCALE = 3.0
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0])
OPTIONS = {"shift": np.array([0.1, 0.2, 0.3, 0.4]), "power": 2}
Pair = namedtuple("Pair", "left right")


def reaches_globals(x):
    return (x * WEIGHTS * SCALE + OPTIONS["shift"]) ** OPTIONS["power"]


def closure():
    inner = np.array([1.0, 2.0, 3.0, 4.0])
    return lambda x: (inner @ x) * x


def with_keywords(x, *rest, scale=2.0, **options):
    return x * scale * options.get("shift", 1.0) + sum(rest)


@dataclasses.dataclass
class Model:
    weights: np.ndarray
    power: int = 2

    def __call__(self, x):
        return self.loss(x) * self.scale

    @property
    def scale(self):
        return self.weights.sum()

    @staticmethod
    def squared(x):
        return x * x

    @classmethod
    def of(cls, x):
        return cls(x)

    def loss(self, x):
        return np.sum(self.squared(x @ self.weights) ** self.power)


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * 2

    return wrapper


@timed
def decorated(x, scale=1.5):
    return x**2 * scale


@contextlib.contextmanager
def scaled(x):
    yield x * 2


def uses_a_context(x):
    with scaled(x) as doubled, np.errstate(all="ignore"):
        return doubled**2


def makes_objects(x):
    model = Model.of(x)
    pair = Pair(x * 2, model(WEIGHTS))
    swapped = dataclasses.replace(model, power=1)
    return pair.left * swapped(WEIGHTS), pair._asdict()["right"]


def nonlocal_state(x):
    calls = 0

    def step(v):
        nonlocal calls
        calls += 1
        return v * calls

    return sum(map(step, x))


MADE = {
    "globals": reaches_globals,
    "closure": closure(),
    "keywords": functools.partial(with_keywords, scale=0.5, shift=3.0),
    "default": with_keywords,
    "object": Model(WEIGHTS),
    "bound method": Model(WEIGHTS, 1).loss,
    "decorated": decorated,
    "context": uses_a_context,
    "objects made inside": makes_objects,
    "nonlocal": nonlocal_state,
    "lambda": lambda x, f=np.sin: f(x) * x,
    "ufunc": np.tanh,
    "late import": lambda x: __import__("scipy.special").special.expit(x),
}


@pytest.mark.parametrize("name", MADE)
def test_functions_of_all_kinds(name):
    check(MADE[name], (X,), (Y,))


def test_what_is_reached_by_itself_is_read_at_each_call():
    gradient = grad(lambda x: np.sum(reaches_globals(x)))
    before = gradient(X)
    OPTIONS["shift"] *= 2
    try:
        after = gradient(X)
    finally:
        OPTIONS["shift"] /= 2
    assert np.all(before != after)
    np.testing.assert_allclose(after - before, 2 * WEIGHTS * SCALE * OPTIONS["shift"])


# ------------------------------------------------------------------------------ trees of arguments


@works(
    ({"w": [A, X], "b": (0.5, None)}, [X, 2]),
    ({"w": [B, Y], "b": (1.5, None)}, [Y, 3]),
)
def trees(parameters, both):
    pair = Pair(*both)
    (w, v), (b, nothing) = parameters["w"], parameters["b"]
    assert nothing is None
    return {"out": w @ pair.left * b, "all": [v**pair.right, (w.sum(),)]}


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("x", [3, np.array([1, 2]), True, np.array([True])])
def test_whole_numbers_and_truth_values_are_not_differentiated(x):
    if type(x) is int:  # counts as a float
        assert grad(lambda x: x * x)(x) == 6.0
        return
    with pytest.raises(TypeError, match=r"`x`.*type (i64|bool)"):
        grad(lambda x: np.sum(x * x))(x)


def test_functions_without_a_rule_name_themselves_and_the_way_out():
    with pytest.raises(UnsupportedFunctionError) as caught:
        grad(lambda x: np.sum(np.frompyfunc(math.sin, 1, 1)(x)))(X)
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(TraceError, match="complex value is stored") as caught:
        jit(stores_complex)(X)
    assert "stores_complex" in str(caught.value) or "y[0] = x[0] * 1j" in str(caught.value)


def stores_complex(x):
    y = np.zeros(4)
    y[0] = x[0] * 1j
    return y


def test_second_derivatives_of_a_program_of_all_this():
    def program(x):
        state = np.zeros(4)
        for i, v in enumerate(x):
            state[i:] += v**2 if v > 0 else math.cos(v)
        while np.sum(state) > 5:
            state *= 0.5
        return float(np.sum(state**2)) * Model(x).loss(WEIGHTS)

    v = np.array([1.0, -1.0, 0.5, 0.2])
    step = 1e-5
    expected = (grad(program)(X + step * v) - grad(program)(X - step * v)) / (2 * step)
    np.testing.assert_allclose(hvp(program, (X,), (v,)), expected, rtol=1e-6)


def test_a_decision_in_a_captured_loop_is_taken_again_at_each_call():
    def f(x, rows):
        A, B = rows * 0.5, np.zeros((4, 3))
        for i in range(5):
            B[i % 4] = x if x[0] > -0.35 else A[0]  # a view of what is stored into below
            A[i % 4, 0] = 0.3
        return np.sum(np.sin(B))

    compiled = jit(f)
    for first in (0.5, -0.5, 0.4, -0.7):
        args = np.array([first, 0.1, 0.9]), np.arange(12.0).reshape(4, 3) / 7
        np.testing.assert_allclose(compiled(*args), f(*args), rtol=1e-14)


def test_what_is_reached_by_itself_keeps_its_name_while_it_is_read():
    w = np.array([0.3, -0.8, 1.2])

    def f(x):
        a, b = x * 1.0, np.sin(x)
        if np.all(x > 0.88):
            b = b * 1
        else:
            a = a * 0.5 + x
        return np.sum(a * b) + np.sum(np.tanh(b))

    def slope(x):
        return np.sum(grad(f)(x) * w)

    x = np.array([0.3, -0.5, 0.7])
    along = jvp(grad(f), (x,), (w,))[1]
    np.testing.assert_allclose(grad(slope)(x), along, rtol=1e-12)
