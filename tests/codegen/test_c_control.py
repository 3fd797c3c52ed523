"""Loops and branches as calls of functions."""

import numpy as np

from symdiff.codegen.c_control import branched, pointer_to, repeated
from symdiff.ir.types import array_type
from symdiff.schedule.loops import Branch, Buffer, Loops, Repeat

F8 = np.dtype(np.float64)
EMPTY = Loops((), (array_type(F8, (3,)),), (), (array_type(F8, (3,)),), 0, 1)
WORK = Buffer(np.dtype(np.uint8), 128, "work", 64)


def repeat(trips, **fields) -> str:
    start, own, other = (Buffer(F8, 3, "work", place) for place in (256, 320, 384))
    made = Repeat(EMPTY, None, trips, None, (2, -1, False), (), (start,), ((own, other),),
                  (), (), (), (), None, WORK)
    return "\n".join(repeated(made._replace(**fields), "p0", "p1"))


def test_buffers_are_arguments_or_places():
    assert pointer_to(Buffer(F8, 3, "in", 4)) == "in[4]"
    assert pointer_to(Buffer(np.dtype(bool), 3, "work", 64)) == "(_Bool *)(w + 64)"


def test_a_loop_of_known_length_ends_in_the_first_buffer():
    text = repeat(5)
    assert "t < 5" in text
    assert "r[0] = (5 - 1 - t) % 2 ? (void *)(double *)(w + 384) : " in text
    assert "index = 2 + at * (-1);" in text
    assert "memcpy" not in text


def test_a_loop_without_trips_gives_what_it_starts_with():
    assert "memcpy((double *)(w + 320), a[1], 24);" in repeat(0)


def test_rows_and_what_is_collected_are_found_by_the_trip():
    rows, stack = Buffer(F8, 20, "in", 1), Buffer(F8, 10, "out", 2)
    text = repeat(5, rows=(rows,), collected=(stack,), indices=(0, 1, True))
    assert "const int64_t at = 5 - 1 - t;" in text
    assert "a[2] = (const char *)in[1] + at * 32;" in text
    assert "r[1] = (char *)out[2] + at * 16;" in text


def test_a_loop_with_a_test_counts_its_trips():
    done = Buffer(np.dtype(np.int64), 1, "work", 512)
    text = repeat(None, test=EMPTY, done=done)
    assert "if (p1(q, answer, w + 64))" in text
    assert "*(int64_t *)(int64_t *)(w + 512) = trips;" in text


def test_a_branch_calls_one_of_two():
    taken, x, y = (Buffer(F8, 3, "in", i) for i in range(3))
    step = Branch(taken, (EMPTY, EMPTY), (x,), ((), (y,)), (y,), WORK)
    text = "\n".join(branched(step, "p0", "p1"))
    assert "if (*taken ? p0(a, r, w + 64) : p1(b, r, w + 64))" in text
