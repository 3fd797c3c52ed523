"""The text of a function is found again, verified, and rewritten at the same lines."""

from __future__ import annotations

import linecache
import traceback
from types import FunctionType

import pytest

from symdiff.frontend import source
from symdiff.frontend.capture import hooks
from symdiff.frontend.source import HOOKS, capturable


def runs(function):
    """The function on its rewritten code, and whether that is other code."""
    made = capturable(function.__code__)
    globals()[HOOKS] = hooks
    made = FunctionType(made, globals(), "f", function.__defaults__, function.__closure__)
    return made, made.__code__ is not function.__code__


PAIR = [lambda a: a if a > 0 else -a, lambda a: a if a < 0 else -a]


def test_two_lambdas_in_a_line():
    first, second = (runs(each)[0] for each in PAIR)
    assert (first(-3), second(-3)) == (3, -3)
    assert all(runs(each)[1] for each in PAIR)


def test_the_rest_of_a_file_is_not_read_where_a_function_calls_what_it_imports(tmp_path):
    text = "import math\n\n\ndef f(x):\n    return math.exp(x) if x else x\n\n\ndef g():\n    1\n"
    path = tmp_path / "module.py"
    path.write_text(text)
    module = {}
    exec(compile(text, path, "exec"), module)
    code = module["f"].__code__
    statement, _ = source._texts(linecache.getlines(str(path)), code.co_firstlineno)
    assert "def g" not in statement
    assert list(source._paths(compile(statement, path, "exec"), code))


def leaves(x, stop=4):
    found = []
    for i in range(10):
        if i % 2:
            continue
        if i > stop:
            break
        for j in "ab":
            if i == 4 and j == "b":
                return found, i, j
        found.append(i)
    else:
        return "all"
    while x:
        x -= 1
        if x == 2:
            break
    else:
        return "none"
    return found, x


def leaves_from_else(n, stop):
    found = []
    while True:
        n -= 1
        if n < -3:
            break
        for i in range(2):
            found.append(i)
            if i > stop:
                break
        else:
            found.append("all")
            if n < 0:
                break
        found.append(n)
    return found


def nested(n):
    def inner(k):
        nonlocal n
        n += k
        return n if k else not n

    return [inner(k) for k in range(n)], 0 < n < 10 or "more"


def raises(x):
    try:
        if x:
            raise ValueError("no")
    except ValueError as error:
        return str(error)
    finally:
        x = None


def unbound(x):
    if x:
        y = 1
    return y


def chain_of_many(x):
    if x == 0:
        return 0
    if x == 1:
        return 1
    if x == 2:
        return 2
    if x == 3:
        return 3
    if x == 4:
        return 4
    if x == 5:
        return 5
    if x == 6:
        return 6
    if x == 7:
        return 7
    if x == 8:
        return 8
    if x == 9:
        return 9
    if x == 10:
        return 10
    return None


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        (leaves, [(5,), (2,), (0,), (5, 1)]),
        (leaves_from_else, [(2, 0), (2, 5), (-9, 5)]),
        (nested, [(3,), (0,), (9,)]),
        (raises, [(0,), (1,)]),
        (unbound, [(1,)]),
        (chain_of_many, [(i,) for i in range(12)]),
    ],
)
def test_python_means_the_same(function, calls):
    rewritten, _ = runs(function)
    for args in calls:
        assert rewritten(*args) == function(*args)


def test_an_unbound_name_keeps_its_error():
    with pytest.raises(UnboundLocalError, match="'y'"):
        runs(unbound)[0](0)


def fails(x):
    for i in range(3):
        if i == 2:
            x = 1 / x
    return x


def test_the_lines_of_an_error_are_those_of_the_text():
    rewritten, other = runs(fails)
    assert other
    with pytest.raises(ZeroDivisionError) as caught:
        rewritten(0)
    expected = fails.__code__.co_firstlineno + 3
    assert [each.lineno for each in traceback.extract_tb(caught.tb)][1:] == [expected]


def test_without_its_text_a_function_stays_as_it_is(tmp_path):
    space = {}
    exec("def f(x):\n    return 1 if x else 2\n", space)
    assert capturable(space["f"].__code__) is space["f"].__code__
    path = tmp_path / "edited.py"
    path.write_text("def f(x):\n    return 1 if x else 2\n")
    exec(compile(path.read_text(), str(path), "exec"), space)
    path.write_text("def f(x):\n    return 2 if x else 1\n")
    linecache.checkcache()
    assert capturable(space["f"].__code__) is space["f"].__code__


class Base:
    def __scale(self, x):
        return x * 2

    def scaled(self, x):
        return self.__scale(x) if x else super().__repr__()


def test_private_names_and_super():
    made = capturable(Base.scaled.__code__)
    assert made.co_freevars == ("__class__",)
    space = {**globals(), HOOKS: hooks}
    function = FunctionType(made, space, "f", None, Base.scaled.__closure__)
    assert function(Base(), 3) == 6
