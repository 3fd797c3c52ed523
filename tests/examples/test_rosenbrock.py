import re

import numpy as np
import pytest
from scipy.optimize import rosen_der, rosen_hess

import symdiff


def test_finds_the_minimum_with_fewer_evaluations(run):
    out = run().out
    evaluations = dict(re.findall(r"^(\w+) +f \S+ after (\d+) evaluations$", out, re.MULTILINE))
    assert int(evaluations["gradient"]) < int(evaluations["differences"]) / 8
    assert out.startswith("start        f 3636.0\n")
    assert out.endswith("minimum      [1. 1. 1. 1. 1. 1. 1. 1. 1. 1.]\n")


@pytest.mark.parametrize("n", [2, 10, 1000])
def test_gradient_equals_scipys(example, n):
    x = np.random.default_rng(n).standard_normal(n)
    np.testing.assert_allclose(
        symdiff.grad(example.rosenbrock)(x), rosen_der(x), rtol=1e-12, atol=1e-12
    )


def test_hessian_equals_scipys(example):
    x = np.random.default_rng(0).standard_normal(10)
    np.testing.assert_allclose(
        symdiff.hessian(example.rosenbrock)(x), rosen_hess(x), rtol=1e-12, atol=1e-12
    )
