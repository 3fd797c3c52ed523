"""The memory of programs of loops."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symdiff.ops.reductions import sum_
from symdiff.schedule.loops import (
    ALIGNMENT,
    Access,
    Buffer,
    Kernel,
    Load,
    Store,
    Total,
    buffers_of,
    operations,
    plan,
)

F8 = np.dtype(np.float64)


def copy(source: Buffer, target: Buffer) -> Kernel:
    access = Access(source, (1,), 0)
    return Kernel((source.size,), (Load(access, F8),), (Store(Access(target, (1,), 0), 0),))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30),
       st.lists(st.integers(0, 300), min_size=10, max_size=10))
def test_buffers_that_are_alive_together_lie_apart(moves, sizes):
    buffers = [Buffer(F8, size, "work") for size in sizes]
    steps = [copy(buffers[a], buffers[b]) for a, b in moves]
    total = plan(steps)
    alive = {}
    for i, step in enumerate(steps):
        for each in buffers_of(step):
            first, _ = alive.get(each, (i, i))
            alive[each] = first, i
    for a, (start, stop) in alive.items():
        assert a.place % ALIGNMENT == 0
        assert a.place + a.bytes <= total
        for b, (first, last) in alive.items():
            if a is not b and start <= last and first <= stop and a.bytes and b.bytes:
                assert a.place + a.bytes <= b.place or b.place + b.bytes <= a.place


def test_memory_is_used_again():
    buffers = [Buffer(F8, 100, "work") for _ in range(50)]
    total = plan([copy(a, b) for a, b in pairwise(buffers)])
    assert total <= 3 * 896


def test_arguments_and_results_are_not_in_the_work_space():
    given, taken = Buffer(F8, 5, "in", 3), Buffer(F8, 5, "out", 2)
    assert plan([copy(given, taken)]) == 0
    assert (given.place, taken.place) == (3, 2)


def test_a_kernel_names_each_buffer_once():
    own = Buffer(F8, 4, "in")
    total = Total(Access(own, (0,), 0), 0, (0,), sum_.c)
    kernel = Kernel((4,), (Load(Access(own, (1,), 0), F8),), (total,))
    assert buffers_of(kernel) == [own]
    assert operations(kernel) >= 4
