"""Functions of scipy.special that C calls: in programs with gradients, and refused in files."""

import numpy as np
import pytest
from scipy import special

import symdiff
from symdiff.api.export import export_c
from symdiff.errors import CompileError
from symdiff.ir.types import array_type
from symdiff.ops.scipy_pointers import pointers, scipy_c

F8, I8 = array_type(np.float64, (3,)), array_type(np.int64, (3,))


def test_functions_are_found_by_the_names_of_ufuncs():
    assert pointers()["psi"].doubles == 1
    assert pointers()["betainc"].doubles == 3
    assert "wofz" not in pointers()  # of complex numbers
    assert "yn" not in pointers()  # warns, where its order is not whole


def test_what_does_not_take_these_operands_has_no_form():
    assert scipy_c("psi")("{0}", types=(F8,)) == "sp_psi({0})"
    assert scipy_c("psi")("{0}", types=(I8,)) == ""
    assert scipy_c("wofz")("{0}", types=(F8,)) == ""


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients_call_them(dtype):
    def f(x):
        return np.sum(special.digamma(x) * special.erf(x) + special.i0e(x) + special.betaln(x, 2))

    x = np.linspace(0.5, 3, 9).astype(dtype)
    made = symdiff.value_and_grad(f, backend="c")
    for found, expected in zip(made(x), symdiff.value_and_grad(f)(x), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype == np.float32 else 1e-12)
    assert "/* scipy.special: betaln" in made.compiled.c_source


def test_a_file_cannot_call_them(tmp_path):
    with pytest.raises(CompileError, match="psi is SciPy's own"):
        export_c(symdiff.jit(lambda x: special.digamma(x)), (np.ones(3),), tmp_path)
    files = export_c(symdiff.jit(lambda x: special.gammaln(x)), (np.ones(3),), tmp_path)
    assert any("lgamma(" in each.read_text() for each in files)
