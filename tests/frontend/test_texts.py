"""What a function prints, logs and warns of: at each call, in order, with its values then."""

import io
import logging
import sys
import warnings

import numpy as np
import pytest

from symdiff import grad, hessian, jit, value_and_grad, vjp, vmap
from symdiff.errors import TraceError

X = np.array([0.3, 0.5, 0.7])


def assert_says_the_same(capsys, function, *calls, transform=value_and_grad):
    made = transform(function)
    for args in calls:
        function(*args)
        expected = capsys.readouterr()
        made(*args)
        assert capsys.readouterr() == expected
        assert expected.out or expected.err
    return made


def says_all(x, k=3):
    y = np.sum(x**2)
    print("loss", y, x, 1.5, None, True, sep=" | ", end="!\n")
    print(f"{y:.3f} {{0}} 'a' \"b\" {y!r:>8} {k:02d} {x[0]}".replace("8", "9") if k < 0 else "")
    print(f"{y:.3f} {{0}} 'a' {x[0]!s} {k:02d}", [y, x[0]], {"a": (y,)}, "plain {0} \\ \n")
    print(f'"{x}"', str(y) + "b", f"c {x[1]:.2e} {2}")
    print("to the other", x.shape, x.dtype, file=sys.stderr)
    print()
    return y


def test_each_call_says_its_values(capsys):
    made = assert_says_the_same(capsys, says_all, (X,), (X + 1,), (X,))
    assert made.cache_info().misses == 1
    assert 'print("loss", y, x, 1.5, None, True, sep=" | ",' in made.source


def test_an_array_is_said_as_it_is_then(capsys):
    def loss(x):
        y = x * 2
        print(y)
        y[0] = 7.0
        print(y)
        y *= x
        print(y[1:])
        return np.sum(y**2)

    assert_says_the_same(capsys, loss, (X,), (np.arange(1e5) / 7,))


def decides(x):
    print("in", x)
    if x < 0:
        print("negative")
        raise ValueError(f"{x:.1f} is negative")
    print("positive")
    return np.log(x) if x > 1 else x**2


def test_a_call_that_another_program_answers_has_said_nothing(capsys):
    made = assert_says_the_same(capsys, decides, (2.0,), (0.5,), (3.0,), (0.25,), transform=grad)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^-2\.0 is negative$"):
            made(-2.0)
        assert capsys.readouterr().out == "in -2.0\nnegative\n"
    made.lower(0.5)
    assert capsys.readouterr().out == ""


def test_an_assertion_says_values():
    def positive(x):
        assert x > 0, f"x is {x}"
        return x**2

    made = grad(positive)
    assert made(2.0) == 4.0
    for value in (-3.0, -4.0):
        with pytest.raises(AssertionError, match=f"x is {value}"):
            made(value)


def test_draws_and_text(capsys):
    def loss(x, rng):
        z = rng.normal()
        print("drawn", z)
        if rng.random() < 0.5:
            print("low")
            return x * z
        return x

    made = jit(loss)
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(6):
        expected = loss(2.0, theirs), capsys.readouterr()
        assert (made(2.0, ours), capsys.readouterr()) == expected


def test_warnings_and_logs(capsys, caplog):
    log = logging.getLogger("symdiff.tests")

    def loss(x):
        warnings.warn(f"x is {x:.1f}", RuntimeWarning, stacklevel=2)
        logging.warning("now %s", x)
        log.error("%s of %d", x**2, 3, extra={"a": 1})
        if log.isEnabledFor(logging.DEBUG):
            log.debug("never")
        return x**2

    made = grad(loss)
    for x in (2.0, 3.0):
        caplog.clear()
        with pytest.warns(RuntimeWarning, match=f"x is {x}"):
            assert made(x) == 2 * x
        assert caplog.messages == [f"now {x}", f"{x**2} of 3"]


def test_derivatives_of_any_kind_say_it_once(capsys):
    def loss(x):
        print("sum", np.sum(x))
        return np.sum(x**3)

    hessian(loss)(X)
    assert capsys.readouterr().out == "sum 1.5\n"
    _, pullback = vjp(loss, X)
    pullback(1.0)
    pullback(1.0)
    assert capsys.readouterr().out == "sum 1.5\n"
    jit(lambda x: grad(loss)(x) * loss(x))(X)
    assert capsys.readouterr().out == "sum 1.5\nsum 1.5\n"


def test_a_batch_says_all_rows_at_once(capsys):
    vmap(lambda x: (print("x", x), x * 2)[1])(X)
    assert capsys.readouterr().out == "x [0.3 0.5 0.7]\n"


PARAMETERS = {"W0": 2.0, "W1": 5.0}


def test_text_of_an_int_can_be_looked_up():
    made = grad(lambda x, i: x * PARAMETERS[f"W{i}"] * PARAMETERS.get(f"V{i}", 1.0))
    assert [made(3.0, i) for i in (0, 1, 0)] == [2.0, 5.0, 2.0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x, f"{x:.2f}"),
        lambda x: x * {"2.0": 3.0}.get(str(x), 1.0),
        lambda x: x if f"{x}" == "2.0" else -x,
    ],
    ids=["returned", "looked up", "compared"],
)
def test_text_of_a_value_that_goes_elsewhere_is_refused(function):
    with pytest.raises(TraceError, match="the text of a traced value is used"):
        jit(function)(2.0)


def test_what_else_is_refused():
    class OwnWarning(UserWarning):
        pass

    with pytest.raises(TraceError, match="a file is written"):
        jit(lambda x: (print(x, file=io.StringIO()), x)[1])(2.0)
    with pytest.raises(TraceError, match="OwnWarning"):
        jit(lambda x: (warnings.warn("own", OwnWarning), x)[1])(2.0)  # noqa: B028
