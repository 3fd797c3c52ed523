import re

import numpy as np

from symdiff import grad


def test_prints_the_greatest_curvature(run):
    curvature, residual = re.fullmatch(
        r"greatest curvature (\S+), \|H v - curvature v\| (\S+)\n", run().out
    ).groups()
    assert curvature == "4.2836"
    assert float(residual) < 1e-10


def test_curvature_is_the_greatest_eigenvalue_of_differences_of_gradients(example):
    rng = np.random.default_rng(3)
    x, y, w = rng.standard_normal((40, 6)), rng.choice([-1.0, 1.0], 40), rng.standard_normal(6)

    def f(w):
        return example.loss(w, x, y)

    step = 1e-6
    H = [(grad(f)(w + step * e) - grad(f)(w - step * e)) / (2 * step) for e in np.eye(6)]
    curvature, _ = example.sharpest(f, w, steps=500)
    eigenvalues = np.linalg.eigvalsh(H)
    np.testing.assert_allclose(curvature, eigenvalues[np.argmax(np.abs(eigenvalues))], rtol=1e-6)
