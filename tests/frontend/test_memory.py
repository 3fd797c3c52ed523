"""Memory: what NumPy shares between arrays is shared between traced ones, or refused."""

import copy
import pickle

import numpy as np
import pytest

from symdiff import (
    TraceError,
    UnsupportedFunctionError,
    grad,
    jit,
    jvp,
    stop_gradient,
    vjp,
    vmap,
)

X = np.arange(6.0).reshape(2, 3) + 1

SHARED = {
    "x": lambda x: x,
    "x[:]": lambda x: x[:],
    "x[...]": lambda x: x[...],
    "x.T": lambda x: x.T,
    "x.mT": lambda x: x.mT,
    "x.real": lambda x: x.real,
    "x.conj": lambda x: x.conj(),
    "x.astype": lambda x: x.astype(float, copy=False),
    "transpose": np.transpose,
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "matrix_transpose": np.matrix_transpose,
    "reshape": lambda x: x.reshape(2, 3, 1),
    "squeeze": lambda x: np.squeeze(x.reshape(1, 2, 3)),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "atleast_1d": np.atleast_1d,
    "atleast_3d": np.atleast_3d,
    "flip": np.flip,
    "fliplr": np.fliplr,
    "rot90": np.rot90,
    "rot90 by 0": lambda x: np.rot90(x, 0),
    "asarray": np.asarray,
    "array": lambda x: np.array(x, copy=None),
    "einsum": lambda x: np.einsum("ij->ji", x),
    "diff": lambda x: np.diff(x, 0),
    "chain": lambda x: x.T[...].reshape(3, 1, 2).T,
}
PARTS = {
    "x[0]": lambda x: x[0],
    "x[:, 1]": lambda x: x[:, 1],
    "x[::-1]": lambda x: x[::-1],
    "x[None]": lambda x: x[None],
    "row": lambda x: list(x)[1],
    "split": lambda x: np.split(x, 2)[1],
    "hsplit": lambda x: np.hsplit(x, 3)[0].T,
}
HELD = {"stop_gradient": stop_gradient}
COPIES = {
    "x.copy": lambda x: x.copy(),
    "x.flatten": lambda x: x.flatten(),
    "x.astype": lambda x: x.astype(float),
    "x[[0, 1]]": lambda x: x[[0, 1]],
    "array": np.array,
    "copy": np.copy,
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "conj": np.conj,
    "positive": np.positive,
    "take": lambda x: np.take(x, 0, axis=0),
    "full": lambda x: np.full((2, 3), x),
    "meshgrid": lambda x: np.meshgrid(x[0], x[1])[0],
    "round": np.round,
    "nan_to_num": np.nan_to_num,
    "concatenate": lambda x: np.concatenate([x]),
    "tile": lambda x: np.tile(x, 1),
    "sort": np.sort,
}
BY_LAYOUT = {
    "reshape": lambda x: x.reshape(3, 2),
    "reshape to one axis": lambda x: x.reshape(-1),
    "ravel": np.ravel,
    "x.ravel": lambda x: x.ravel(),
    "ascontiguousarray": np.ascontiguousarray,
    "asfortranarray": np.asfortranarray,
}
READ_ONLY = {
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
    "diagonal": np.diagonal,
    "a part": lambda x: np.broadcast_to(x, (4, 2, 3))[0],
}


def named(table):
    return pytest.mark.parametrize("view", table.values(), ids=table)


def change_the_view(x, view):
    y = view(x)
    y += 10
    return x, y


def change_the_base(x, view):
    y = view(x)
    x *= 3
    return x, y


def change_a_result(x, view):
    base = x + 1
    y, other = view(base), base.T
    y *= 2
    np.add(base, 5, out=base)
    return base, y, other, base.T


def change_unseen(x, view):
    y = view(x + 1)
    y *= 2
    return y


def layouts(x=X):
    return [x.copy("C"), x.copy("F"), np.repeat(x, 2, axis=1)[:, ::2]]


def check(function, view):
    for x in layouts():
        before = x.copy()
        found, expected = jit(function)(x, view), function(x.copy("K"), view)
        np.testing.assert_array_equal(x, before)  # the derivative leaves arguments alone
        for mine, numpys in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine, numpys)


@named(SHARED | COPIES | PARTS)
@pytest.mark.parametrize("function", [change_the_view, change_the_base, change_a_result])
def test_a_change_is_seen_where_numpy_shows_it(function, view):
    check(function, view)


@named(PARTS | READ_ONLY | HELD)
def test_parts_follow_their_array(view):
    check(change_the_base, view)


@named(HELD | BY_LAYOUT)
def test_the_rest_of_the_memory_is_not_read_after_a_part_has_changed(view):
    for function in (change_the_view, change_a_result):
        with pytest.raises(TraceError, match="may share memory with one that was changed") as found:
            jit(function)(X, view)
        text = str(found.value)
        assert "test_memory.py:" in text
        assert "changed at test_memory.py:" in text
        assert ": y +=" in text or ": y *=" in text
        assert "x.copy()" in text


@named(BY_LAYOUT)
def test_what_layout_decides_is_not_read_after_the_array_has_changed(view):
    with pytest.raises(TraceError, match="may share memory"):
        jit(change_the_base)(X, view)


@named(SHARED | PARTS | BY_LAYOUT)
def test_a_part_of_what_nobody_reads_again_may_change(view):
    check(change_unseen, view)


@named(READ_ONLY)
def test_what_numpy_makes_read_only_stays_so(view):
    with pytest.raises(ValueError, match="read-only"):
        change_the_view(X.copy(), view)
    with pytest.raises(TraceError, match="read-only"):
        jit(change_the_view)(X, view)


def test_rows_that_are_changed_one_by_one():
    def loss(x):
        total = 0.0
        for row in list(x * 2):
            total = total + row @ row
        return total

    def changed(x):
        for row in x:
            row += 1
        return x

    assert grad(loss)(X).tolist() == (8 * X).tolist()
    assert jit(changed)(X).tolist() == (X + 1).tolist()


def test_the_derivative_goes_through_the_change():
    def loss(x):
        y = x.T
        y *= np.array([1.0, 2.0])
        z = np.flip(y)
        z *= z
        return np.sum(x)

    np.testing.assert_allclose(grad(loss)(X), 2 * X * [[1.0], [4.0]])


@pytest.mark.parametrize("view", (SHARED | PARTS).values(), ids=SHARED | PARTS)
def test_arrays_from_outside_are_changed_through_a_view_for_the_trace_alone(view):
    outside = X.copy()
    expected = change_the_view(X.copy(), view)
    for pair in zip(jit(lambda x: change_the_view(outside, view))(X), expected, strict=True):
        np.testing.assert_array_equal(*pair)
    np.testing.assert_array_equal(outside, X)


@pytest.mark.parametrize("view", BY_LAYOUT.values(), ids=BY_LAYOUT)
def test_what_the_layout_decides_is_lost_of_arrays_from_outside_too(view):
    outside = X.copy()
    with pytest.raises(TraceError, match="may share memory"):
        jit(lambda x: change_the_view(outside, view))(X)


def test_a_second_run_starts_from_the_arguments():
    steps = np.array([2])

    def function(x):
        y = x.T
        y *= 2
        for _ in range(steps[0]):
            y += 1
        return x

    np.testing.assert_array_equal(jit(function)(X), 2 * X + 2)


# ---------------------------------------------------------------------------- arguments that meet

CAPTURED = np.arange(6.0)


def changes_first(a, b):
    a += 1
    return np.sum(a * b)


def changes_and_reads_captured(a):
    a += 1
    return np.sum(a * CAPTURED)


def decides_by_captured(a):
    if CAPTURED[1] > 0:
        a += 1
    return np.sum(a * CAPTURED[1])


MEETINGS = {
    "jit": lambda a, b: jit(changes_first)(a, b),
    "grad": lambda a, b: grad(changes_first)(a, b),
    "vjp": lambda a, b: vjp(changes_first, a, b)[0],
    "jvp": lambda a, b: jvp(changes_first, (a, b), (b, a))[0],
    "vmap": lambda a, b: vmap(changes_first)(a[None], b[None]),
    "tree": lambda a, b: jit(lambda p: changes_first(p["a"], p["b"]))({"a": a, "b": b}),
    "inside": lambda a, b: jit(lambda p, q: grad(changes_first)(p, q))(a, b),
    "mapped inside": lambda a, b: jit(lambda p, q: vmap(changes_first)(p[None], q[None]))(a, b),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_a_changed_argument_lies_apart(name):
    memory = np.arange(12.0)
    call = MEETINGS[name]
    apart = call(memory[:6].copy(), memory[:6].copy())
    np.testing.assert_array_equal(call(memory[::2], memory[1::2]) * 0, apart * 0)
    for a, b in [(memory, memory), (memory[:6], memory[5:11]), (memory[:6], memory[5::-1])]:
        with pytest.raises(TraceError) as raised:
            call(a, b)
        what, where, way_out = str(raised.value).splitlines()
        assert "is changed in place, and shares its memory with another array" in what
        assert "test_memory.py" in where
        assert "copy()" in way_out
    np.testing.assert_array_equal(memory, np.arange(12.0))


def test_every_call_checks():
    transformed = jit(changes_first)
    assert transformed(X, X.copy()) == np.sum((X + 1) * X)
    with pytest.raises(TraceError, match="`a` is changed in place"):
        transformed(X, X)
    with pytest.raises(TraceError, match="`a` is changed in place"):
        copy.copy(transformed)(X, X)
    copied = pickle.loads(pickle.dumps(transformed))
    with pytest.raises(TraceError, match="`a` is changed in place"):
        copied(X, X)
    assert transformed(X, X.copy()) == np.sum((X + 1) * X)
    assert "changed" not in transformed.source


def gradient_inside(function):
    return jit(lambda x: grad(function)(x))


@pytest.mark.parametrize("call", [jit, grad, gradient_inside])
@pytest.mark.parametrize("function", [changes_and_reads_captured, decides_by_captured])
def test_a_changed_argument_lies_apart_from_what_is_captured(call, function):
    call(function)(CAPTURED.copy())
    with pytest.raises(TraceError, match="is changed in place, and shares its memory"):
        call(function)(CAPTURED)


def test_what_is_not_changed_may_meet():
    for function in (lambda a, b: np.sum(a * b), lambda a, b: np.sum((a.copy()) * b)):
        assert jit(function)(X, X) == np.sum(X * X)
        np.testing.assert_array_equal(grad(function)(X, X), X)
    gradient = jit(lambda x: grad(changes_first)(x, x.copy()))
    np.testing.assert_array_equal(gradient(X), X)
    value, dot = jvp(changes_first, (X, X.copy()), (X, X))
    assert (value, dot) == (np.sum((X + 1) * X), np.sum(X * X + (X + 1) * X))


def test_many_views_cost_what_they_are():
    def function(x):
        total = x * 1
        for _ in range(200):
            part = x[0]
            x += part
            total = x.T.T
        return total

    assert np.shape(jit(function)(np.ones((1, 1)) * 0)) == (1, 1)


CHANGES = [
    "{a} += 1",
    "{a} *= 2",
    "{a} -= 0.5 * {a}",
    "{a} += {b}",
    "{a}.sort()",
    "np.multiply({a}, 3, out={a})",
    "np.add({a}, {b}, out={a})",
    "np.cumsum({a}, axis=0, out={a})",
]
NAMED = SHARED | PARTS | HELD | COPIES | BY_LAYOUT | READ_ONLY


def random_program(seed):
    """Some names for views and copies of two arguments, some changed in place, some returned."""
    rng = np.random.default_rng(seed)
    names, lines = ["x", "w"], []
    for i in range(rng.integers(3, 10)):
        a, b = (str(each) for each in rng.choice(names, 2))
        if rng.random() < 0.5:
            lines.append(f"y{i} = NAMED[{str(rng.choice(list(NAMED)))!r}]({a})")
            names.append(f"y{i}")
        else:
            lines.append(str(rng.choice(CHANGES)).format(a=a, b=b))
    kept = names if rng.random() < 0.5 else {str(each) for each in rng.choice(names, 2)}
    return "\n    ".join(["def program(x, w):", *lines, f"return {', '.join(sorted(kept))},"])


@pytest.mark.parametrize("seed", range(150))
def test_no_program_of_views_and_changes_computes_what_numpy_does_not(seed):
    scope = {"np": np, "NAMED": NAMED}
    source = random_program(seed)
    exec(compile(source, __file__, "exec"), scope)
    program = scope["program"]
    for x, w in zip(layouts(X), layouts(X[::-1] * 0.5)):
        try:
            expected = program(x.copy("K"), w.copy("K"))
        except (TypeError, ValueError, IndexError):
            with pytest.raises((TypeError, ValueError, IndexError, TraceError)):
                jit(program)(x, w)
            continue
        try:
            found = jit(program)(x, w)
        except (TraceError, UnsupportedFunctionError):  # refused, as it may be
            continue
        for mine, numpys in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine, numpys, strict=True)


def test_an_argument_that_may_have_been_changed_through_another_layout():
    def total(x):
        y = x.reshape(2, 2, order="F")
        y *= 2
        return np.sum(y * np.array([[1.0, 2.0], [3.0, 4.0]]))

    rows = np.arange(12.0).reshape(3, 4)
    expected = [total(row) for row in rows.copy()]
    np.testing.assert_allclose(vmap(total)(rows), expected)
