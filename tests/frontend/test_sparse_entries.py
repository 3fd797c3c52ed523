"""Sparse matrices that a traced function makes itself, of traced entries or of known ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

import symdiff
from symdiff.errors import ShapeError, UnsupportedFunctionError
from symdiff.testing import check_grads

ROWS, COLUMNS = np.array([0, 1, 2, 0, 2]), np.array([0, 1, 2, 1, 2])  # one place twice
STARTS, INNER = np.array([0, 2, 3, 5]), np.array([0, 1, 1, 2, 0])
DATA = np.array([1.0, 2.0, 3.0, 0.5, -0.7])
X, BLOCK = np.arange(1.0, 4.0), np.arange(6.0).reshape(3, 2)
OUTSIDE = sp.csr_matrix(np.diag(X))


def placed(d):
    return sp.csr_matrix((d, (ROWS, COLUMNS)), shape=(3, 3))


def by_columns(d):
    return sp.csc_matrix((d, (ROWS, COLUMNS)), shape=(3, 3))


def as_array(d):
    return sp.csr_array((d, (ROWS, COLUMNS)), shape=(3, 3))


FUNCTIONS = {
    "product": lambda d: placed(d) @ X,
    "places of lists": lambda d: sp.csc_array((d, ([0, 1, 2, 0, 2], [0, 1, 2, 1, 2]))) @ X,
    "rows": lambda d: sp.csr_matrix((d, INNER, STARTS), shape=(3, 3)) @ X,
    "columns": lambda d: sp.csc_matrix((d, INNER, STARTS), shape=(3, 3)) @ BLOCK,
    "transposed": lambda d: placed(d).tocoo().T.tocsr() @ X,
    "from the left": lambda d: X @ as_array(d).tocsc(),
    "rows from the left": lambda d: BLOCK.T @ placed(d),
    "matrix times": lambda d: placed(d) * d[:3],
    "entries times": lambda d: as_array(d) * X @ X,
    "scaled": lambda d: (-placed(d) / d[0] * 3 + 2 * placed(d)) @ X,
    "solved": lambda d: spla.spsolve(by_columns(d), d[1:4]),
    "solved by factors": lambda d: spla.splu(by_columns(d)).solve(d[1:4], "T"),
    "factorized": lambda d: spla.factorized(by_columns(d))(X),
    "diagonals": lambda d: sp.diags([d[:4], d[:3], 2.0], [0, 1, -1], shape=(4, 4)) @ np.ones(4),
    "one diagonal": lambda d: sp.diags(d) @ d,
    "one diagonal beside": lambda d: sp.diags(d, 1, format="csr") @ np.arange(6.0),
    "diagonals of an array": lambda d: sp.diags_array([d, d[:4]], offsets=[0, -1]) @ d,
    "dense": lambda d: placed(d).toarray(),
    "sum": lambda d: as_array(d).tocoo().sum(axis=0),
    "sum of a matrix": lambda d: placed(d).sum(axis=1),
    "sum of all": lambda d: placed(d).sum(),
    "diagonal": lambda d: placed(d).diagonal(),
    "added": lambda d: (placed(d) + OUTSIDE - placed(d).tocoo() * 3) @ X,
    "added to one from outside": lambda d: (OUTSIDE - placed(d)) @ X,
    "added to one made": lambda d: (sp.eye_array(3) * 2 + as_array(d)) @ X,
    "one from outside scaled": lambda d: (d[0] * OUTSIDE + OUTSIDE / d[1]) @ X,
    "weights": lambda d: OUTSIDE.multiply(d[:3]) @ X,
    "above": lambda d: sp.vstack([OUTSIDE, placed(d)]) @ X,
    "beside": lambda d: sp.hstack([placed(d), placed(d).T]) @ np.arange(6.0),
    "known": lambda d: (sp.kron(sp.eye(1), OUTSIDE) + sp.diags([1.0, 2.0, 3.0])) @ d[:3],
    "known system": lambda d: spla.splu(sp.diags([1.0, 2.0, 3.0]).tocsc()).solve(d[:3]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives(name):
    function = FUNCTIONS[name]
    found = symdiff.jit(function)(DATA)
    np.testing.assert_allclose(found, np.asarray(function(DATA)), rtol=1e-12, atol=1e-12)
    check_grads(function, (DATA,), order=2)
    rows = np.stack([DATA, 1.5 * DATA])
    expected = [np.asarray(function(row)) for row in rows]
    np.testing.assert_allclose(symdiff.vmap(function)(rows), expected, rtol=1e-12, atol=1e-12)


def test_the_source_reads_as_the_users():
    gradient = symdiff.value_and_grad(lambda d: np.sum(placed(d) @ X))
    gradient(DATA)
    assert "scipy.sparse.csr_matrix((d, (ROWS, COLUMNS)), shape=(3, 3))" in gradient.source
    assert "add.at" not in gradient.source


def test_places_are_read_at_each_call():
    box = {"rows": ROWS.copy()}
    compiled = symdiff.jit(lambda d: sp.csr_array((d, (box["rows"], COLUMNS)), shape=(3, 3)) @ X)
    compiled(DATA)
    box["rows"][:] = ROWS[::-1]
    expected = sp.csr_array((DATA, (box["rows"], COLUMNS)), shape=(3, 3)) @ X
    np.testing.assert_allclose(compiled(DATA), expected)


def test_complex_entries():
    check_grads(lambda d: np.abs(placed(d * (1 + 2j)) @ X), (DATA,), order=1)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda d: sp.csr_matrix(np.outer(d, d)) @ d, UnsupportedFunctionError, "dense traced"),
        (lambda d: sp.csr_matrix((d, (ROWS, COLUMNS))) @ X, UnsupportedFunctionError, "shape="),
        (lambda d: (placed(d) @ placed(d)).toarray(), UnsupportedFunctionError, "product of"),
        (lambda d: placed(d)[0], UnsupportedFunctionError, "toarray"),
        (lambda d: placed(d).power(2), UnsupportedFunctionError, "power.*\n.*\n.*toarray"),
        (lambda d: sp.kron(placed(d), OUTSIDE) @ d, UnsupportedFunctionError, "kron"),
        (lambda d: placed(d) @ d, ShapeError, "do not fit"),
        (lambda d: sp.diags([d, d], [0, 1]) @ d, ValueError, "Diagonal length"),
    ],
)
def test_what_is_refused(function, error, message):
    with pytest.raises(error, match=message):
        symdiff.jit(function)(DATA)
