"""Small matrices times vectors, of all sizes and layouts."""

import numpy as np
import pytest

import symdiff


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("m", "k"), [(9, 1), (9, 3), (14, 56), (56, 14), (17, 33), (32, 32)])
def test_all_layouts(m, k, dtype):
    rng = np.random.default_rng(m * k)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, m)).astype(dtype)
    x, y = rng.normal(size=k).astype(dtype), rng.normal(size=(k, 3)).astype(dtype)

    def f(a, b, x, y):
        return a @ x, x @ b, b.T @ x, x @ a.T, a @ y[:, 1], a[:, ::-1] @ x, a[1:] @ x

    found = symdiff.jit(f, backend="c")
    for one, other in zip(found(a, b, x, y), f(a, b, x, y), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4 if dtype == np.float32 else 1e-12,
                                   atol=1e-5 if dtype == np.float32 else 1e-13)
    assert "rows_f" not in found.compiled.c_source
