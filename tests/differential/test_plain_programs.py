"""Random programs in plain Python: values, derivatives of both orders, and nothing else changed."""

import warnings

import numpy as np
import pytest

import symdiff as sd
from tests.differential.plain_programs import load

BOTH = (0, 1)


def differences(f, args, step):
    """The gradient by central differences, as one vector."""
    sizes = [each.size for each in args]
    flat, ends = np.concatenate([each.ravel() for each in args]), np.cumsum(sizes)[:-1]

    def at(z):
        return f(*(part.reshape(a.shape) for part, a in zip(np.split(z, ends), args, strict=True)))

    steps = np.eye(flat.size) * step
    return np.array([at(flat + each) - at(flat - each) for each in steps]) / (2 * step)


def reliable(f, args):
    """Differences where two steps agree: no kink and no decision is near; else None."""
    one, two = differences(f, args, 1e-6), differences(f, args, 3e-7)
    scale = max(1.0, np.abs(one).max())
    return (one, scale) if np.all(np.abs(one - two) < 2e-5 * scale) else None


def flat(gradients):
    return np.concatenate([np.ravel(each) for each in gradients])


def compare(gradients, f, args):
    found = reliable(f, args)
    if found:
        wanted, scale = found
        np.testing.assert_allclose(flat(gradients), wanted, rtol=1e-4, atol=3e-5 * scale)


def check(f, seed):
    """What holds at each of three inputs, so that decisions change between the calls."""
    rng = np.random.default_rng(seed)
    both, gradient = sd.value_and_grad(f, argnums=BOTH), sd.grad(f, argnums=BOTH)
    for trial in range(3):
        args = x, rows = rng.normal(size=3), rng.normal(size=(4, 3))
        value = f(*args)
        if not np.isfinite(value) or abs(value) > 1e5:
            continue
        kept = x.copy(), rows.copy()
        got, gradients = both(*args)
        assert np.array_equal(x, kept[0]) and np.array_equal(rows, kept[1])
        np.testing.assert_allclose(got, value, rtol=1e-10, atol=1e-10)
        compare(gradients, f, args)
        if trial == 0:
            check_directions(f, gradient, gradients, args, rng)


def check_directions(f, gradient, gradients, args, rng):
    """Forward mode, and the derivative of the gradient along a direction, in both modes."""
    directions = tuple(rng.normal(size=each.shape) for each in args)
    along = flat(gradients) @ flat(directions)
    scale = max(1.0, np.abs(flat(gradients)).max())
    tangent = sd.jvp(f, args, directions)[1]
    np.testing.assert_allclose(tangent, along, rtol=1e-8, atol=1e-8 * scale)

    def slope(x, rows):
        x_bar, rows_bar = gradient(x, rows)
        return np.sum(x_bar * directions[0]) + np.sum(rows_bar * directions[1])

    second = sd.grad(slope, argnums=BOTH)(*args)
    compare(second, slope, args)
    forward = sd.jvp(gradient, args, directions)[1]
    scale = max(1.0, np.abs(flat(second)).max())
    np.testing.assert_allclose(flat(forward), flat(second), rtol=1e-7, atol=1e-7 * scale)


@pytest.mark.parametrize("seed", range(40))
def test_programs_mean_to_symdiff_what_they_mean_to_python(seed, tmp_path):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        check(load(seed, tmp_path), seed)
