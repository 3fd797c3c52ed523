"""What arrays may look like in memory, and which are refused."""

import numpy as np
import pytest

import symdiff
from symdiff.errors import SymdiffError

RNG = np.random.default_rng(0)


def strided(x):
    """The same values, with gaps of rubbish between them."""
    wide = np.full([2 * extent for extent in x.shape], 77, x.dtype)
    wide[(slice(None, None, 2),) * x.ndim] = x
    return wide[(slice(None, None, 2),) * x.ndim]


def backwards(x):
    turned = (slice(None, None, -1),) * x.ndim
    return np.array(x[turned])[turned]


def unaligned(x):
    memory = np.zeros(x.nbytes + 1, np.uint8)
    made = np.ndarray(x.shape, x.dtype, memory.data, offset=1)
    made[...] = x
    return made


def read_only(x):
    made = x.copy()
    made.flags.writeable = False
    return made


def mapped(x, folder):
    made = np.memmap(folder / f"{id(x)}.bin", x.dtype, "w+", shape=x.shape or (1,))
    made[...] = x
    return made


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "unaligned": unaligned,
    "read-only": read_only,
}


def power(x):
    return np.sum(np.sin(x) * x @ x.T) + np.sum(np.cumsum(x, 1) ** 2)


def test_one_compiled_function_takes_all_layouts(tmp_path):
    x = RNG.standard_normal((4, 6))
    compiled = symdiff.value_and_grad(power)
    expected = compiled(x)
    for layout in [*LAYOUTS.values(), lambda x: mapped(x, tmp_path)]:
        value, bar = compiled(layout(x))
        np.testing.assert_allclose(value, expected[0], rtol=1e-14)
        np.testing.assert_allclose(bar, expected[1], rtol=1e-13)
        assert type(bar) is np.ndarray


class Scaled(np.ndarray):
    """A class of the user's whose operators are not those of arrays."""


FOREIGN = {
    "matrix": np.ones((4, 6)).view(np.matrix),
    "masked": np.ma.array(np.ones((4, 6))),
    "masked with a mask": np.ma.array(np.ones((4, 6)), mask=np.eye(4, 6) == 1),
    "records": np.rec.array(np.ones((4, 6))),
    "a class of the user's": np.ones((4, 6)).view(Scaled),
    "objects": np.ones((4, 6)).astype(object),
    "structures": np.zeros((4, 6), [("a", "f8")]),
    "dates": np.zeros((4, 6), "M8[s]"),
    "durations": np.zeros((4, 6), "m8[s]"),
    "text": np.ones((4, 6)).astype(str),
    "bytes": np.ones((4, 6)).astype("S"),
    "bytes of the other order": np.ones((4, 6)).astype(np.dtype(float).newbyteorder()),
}


@pytest.mark.parametrize("argument", FOREIGN.values(), ids=list(FOREIGN))
@pytest.mark.parametrize("transform", [symdiff.grad, symdiff.jit, symdiff.vmap])
def test_other_arrays_are_refused(transform, argument):
    compiled = transform(power if transform is not symdiff.vmap else lambda x: np.sum(x * x))
    compiled(np.ones((4, 6)))  # a program for arrays is no program for them
    with pytest.raises((SymdiffError, TypeError), match=r"argument `x`"):
        compiled(argument)


@pytest.mark.parametrize("captured", FOREIGN.values(), ids=list(FOREIGN))
def test_other_arrays_are_refused_beside_traced_ones(captured):
    with pytest.raises((SymdiffError, TypeError)):
        symdiff.grad(lambda x: np.sum(x * captured))(np.ones((4, 6)))
