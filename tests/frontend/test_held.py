"""Arrays, columns and tables of pandas and others: what is taken of them, what is refused."""

import importlib
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import symdiff

W = np.ones(3)


@pytest.fixture
def table():
    return pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [4.0, 5.0, 6.0], "n": [1, 2, 3]})


@pytest.fixture
def mixed():
    return pd.DataFrame({"x": [1.0, 2.0, 3.0], "who": ["a", "b", "c"]})


# ---------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("dtype", [np.float64, np.float32, "Float64"])
def test_a_column_is_an_array(dtype):
    column = pd.Series([1.0, 2.0, 3.0], index=["a", "b", "c"], dtype=dtype)
    gradient = symdiff.grad(lambda x: np.sum(x**2))(column)
    assert type(gradient) is np.ndarray
    assert gradient.dtype == (np.float32 if dtype is np.float32 else np.float64)
    assert_allclose(gradient, [2, 4, 6])


def test_what_is_missing_is_not_a_number():
    gradient = symdiff.grad(lambda x: np.sum(x**2))(pd.Series([1.0, None], dtype="Float64"))
    assert_allclose(gradient, [2, np.nan])


def test_columns_in_trees():
    params = {"a": pd.Series([1.0, 2.0]), "b": np.ones(2)}
    gradient = symdiff.grad(lambda params: np.sum(params["a"] * params["b"]))(params)
    assert_allclose(gradient["b"], [1, 2])


def test_a_table_that_is_differentiated_is_an_array(table):
    gradient = symdiff.grad(lambda x: np.sum(x**2))(table)
    assert_allclose(gradient, 2 * table.to_numpy())


def test_columns_of_a_table(table):
    gradient = symdiff.grad(lambda w, data: np.sum((data["x"] * w[0] - data.y) ** 2))
    assert_allclose(gradient(np.ones(2), table), [2 * np.sum((1 - 4) * table.x), 0])
    assert "w, x, y" in gradient.source
    table["y"] = table["y"] + 1
    assert_allclose(gradient(np.ones(2), table), [2 * np.sum((1 - 5) * table.x), 0])


def test_a_column_that_is_read_twice(table, mixed):
    for data in (table, mixed):
        gradient = symdiff.grad(lambda w, data: np.sum(w * data["x"] * data["x"]) * len(data))
        assert_allclose(gradient(W, data), [3, 12, 27])
        assert_allclose(symdiff.grad(lambda w: np.sum(w * data.x * data["x"]))(W), [1, 4, 9])


@pytest.mark.parametrize(
    ("column", "dtype"),
    [(["a", "b"], "object"), ([1, "b"], "object"), (["2020-01-01"], "datetime64")],
)
def test_columns_that_are_no_numbers(column, dtype):
    given = pd.Series(pd.to_datetime(column) if dtype == "datetime64" else column)
    with pytest.raises(symdiff.TraceError, match=f"argument `c` is a Series of dtype {dtype}"):
        symdiff.grad(lambda w, c: np.sum(w) * len(c))(W, given)


def test_a_table_that_is_not_of_numbers(mixed):
    with pytest.raises(symdiff.TraceError, match="argument `x` is a table, whose column 'who'"):
        symdiff.grad(lambda x: np.sum(x))(mixed)
    assert_allclose(symdiff.grad(lambda w, data: np.sum(w * data["x"]))(W, mixed), [1, 2, 3])


# ---------------------------------------------------------------------------- what is held


def test_columns_are_read_again(table):
    gradient = symdiff.grad(lambda w: np.sum(w * table["x"].values))
    assert_allclose(gradient(W), [1, 2, 3])
    table.loc[0, "x"] = 10.0
    assert_allclose(gradient(W), [10, 2, 3])
    table["x"] = table["x"] * 2
    assert_allclose(gradient(W), [20, 4, 6])
    table["x"] = table["x"].astype(np.float32)
    assert_allclose(gradient(W), [20, 4, 6])


def test_ways_to_the_values(table):
    column = table["x"]
    for function in (
        lambda w: np.sum(w * column),
        lambda w: np.sum(column * w),
        lambda w: np.sum(w * column.to_numpy(dtype=np.float64)),
        lambda w: np.sum(w * table.x),
        lambda w: w @ table["x"],
        lambda w: np.dot(table["x"].values, w),
        lambda w: sum(w[i] * column.iloc[i] for i in range(len(column))),
    ):
        assert_allclose(symdiff.grad(function)(W), [1, 2, 3])


def test_whole_tables(table):
    expected = np.sum(table.to_numpy(), axis=0)
    assert_allclose(symdiff.grad(lambda w: np.sum(table @ w))(W), expected)
    assert_allclose(symdiff.grad(lambda w: np.sum(table.to_numpy() @ w))(W), expected)
    some = symdiff.grad(lambda w: np.sum(table[["x", "y"]].values @ w))
    assert_allclose(some(np.ones(2)), expected[:2])
    assert symdiff.jit(lambda x: x * len(table) * table.shape[1])(1.0) == 9


def test_attributes_of_objects(table):
    class Model:
        def __init__(self):
            self.data = table

        def loss(self, w):
            return np.sum(self.data["x"].values * w)

    assert_allclose(symdiff.grad(Model().loss)(W), [1, 2, 3])


def test_tables_of_several_kinds(mixed):
    assert_allclose(symdiff.grad(lambda w: np.sum(w * mixed["x"]))(W), [1, 2, 3])
    assert symdiff.jit(lambda x: x * len(mixed))(2.0) == 6
    for function in (lambda w: np.sum(mixed["who"] * w), lambda w: np.sum(mixed.values * w)):
        with pytest.raises(symdiff.TraceError, match="`mixed_who` is a Series of dtype"):
            symdiff.grad(function)(W)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda w, s, d: np.sum(w * s.mean()), r"`\.mean` of a Series"),
        (lambda w, s, d: np.sum(w * s.std()), r"`\.std` of a Series"),
        (lambda w, s, d: np.sum(w * s[0]), "a label is looked up"),
        (lambda w, s, d: np.sum(w * d.loc[0]), r"`\.loc` of a DataFrame"),
        (lambda w, s, d: np.sum(w * d.groupby("x").mean()), r"`\.groupby` of a DataFrame"),
        (lambda w, s, d: sum(np.sum(w * d[c]) for c in d), "names of the columns"),
        (lambda w, s, d: np.sum(w * d["z"]), "a column that it has not"),
    ],
    ids=["mean", "std", "label", "loc", "groupby", "iterate", "absent"],
)
def test_what_is_pandas_own_is_refused(function, message, table):
    column = table["x"]
    with pytest.raises(symdiff.TraceError, match=message):
        symdiff.grad(lambda w: function(w, column, table))(W)


def test_columns_with_other_labels():
    one, other = pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 3.0], index=[2, 1, 0])
    assert_allclose(symdiff.grad(lambda w: np.sum(w * (one * one)))(W), [1, 4, 9])
    with pytest.raises(symdiff.TraceError, match="two columns with other labels"):
        symdiff.grad(lambda w: np.sum(w * (one * other)))(W)


# ---------------------------------------------------------------------------- other arrays


@pytest.mark.parametrize("library", ["numpy", *(["jax.numpy"] if find_spec("jax") else [])])
def test_arrays_of_other_libraries_are_as_numpys(library):
    held = importlib.import_module(library).arange(3.0)
    gradient = symdiff.grad(lambda x: np.sum(x**2))(held)
    assert type(gradient) is np.ndarray
    assert_allclose(gradient, [0, 2, 4])
    assert_allclose(symdiff.grad(lambda x: np.sum(x * held))(W), [0, 1, 2])


@pytest.mark.parametrize("held", [np.ma.array([1.0, 2.0]), np.ones((1, 2)).view(np.matrix)])
def test_arrays_of_other_classes(held):
    with pytest.raises(symdiff.TraceError, match="argument `x` is"):
        symdiff.grad(lambda x: np.sum(x))(held)
    with pytest.raises(symdiff.TraceError, match="cannot take part in a traced computation"):
        symdiff.grad(lambda x: np.sum(x * held))(np.ones(2))
