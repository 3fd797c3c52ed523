"""Sweeps in which not all is done everywhere."""

import numpy as np

from symdiff.schedule.loops import Access, Buffer, Load, Step, Store
from symdiff.schedule.pieces import Pull, Term, borders, count, pieces

F8 = np.dtype(np.float64)
X, Y = Buffer(F8, 10, "in"), Buffer(F8, 10, "out")


def test_pieces_lie_between_the_ends_of_boxes():
    assert borders((10, 4), [((0, 9), (0, 4)), ((1, 10), (0, 4))]) == [[0, 1, 9, 10], [0, 4]]
    assert count(borders((10, 4), [((0, 9), (1, 3))])) == 6
    assert count(borders((0, 4), [((0, 0), (1, 3))])) == 3


def test_each_piece_has_what_it_needs():
    values = [
        Load(Access(X, (1,), 0), F8),
        Load(Access(X, (1,), -1), F8),
        Step("2.0 * {0}", (1,), F8, calls=False),
        Pull((Term(((0, 10),), 0, adds=False), Term(((1, 10),), 2, adds=True)), F8),
    ]
    whole = ((0, 10),)
    first, second = pieces((10,), values, [(whole, Store(Access(Y, (1,), 0), 3))])
    assert first.shape == ()
    assert first.values == (Load(Access(X, (), 0), F8),)
    assert first.sinks == (Store(Access(Y, (), 0), 0),)
    assert second.shape == (9,)
    assert [each.access.offset for each in second.values if isinstance(each, Load)] == [1, 0]
    assert second.values[-1] == Step("{0} + {1}", (0, 2), F8, calls=False)


def test_nothing_is_done_where_no_sink_is():
    values = [Load(Access(X, (1,), 0), F8)]
    (only,) = pieces((10,), values, [(((2, 5),), Store(Access(Y, (1,), 0), 0))])
    assert only.shape == (3,)
    assert only.sinks[0].access.offset == 2
