"""Arrays, columns and tables of pandas and others: what is taken of them, what is refused."""

import importlib
import pickle
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


def test_another_table_with_the_same_columns_is_not_compiled_for_again(table):
    gradient = symdiff.grad(lambda w, data: np.sum((data["x"] * w[0] - data.y) ** 2))
    for start in (0, 10, 20):
        other = pd.DataFrame({name: table[name] + start for name in table})
        expected = 2 * np.sum((other.x - other.y) * other.x)
        assert_allclose(gradient(np.ones(2), other), [expected, 0])
        assert_allclose(gradient(np.ones(2), table), [2 * np.sum((table.x - table.y) * table.x), 0])
    assert gradient.cache_info().misses == 1
    renamed = table.rename(columns={"x": "y", "y": "x"})
    assert_allclose(gradient(np.ones(2), renamed), [2 * np.sum((table.y - table.x) * table.y), 0])
    assert_allclose(gradient(np.ones(2), table[:1]), [2 * (table.x - table.y)[0] * table.x[0], 0])
    single = table.astype(np.float32)
    assert gradient(np.ones(2), single).dtype == np.float64
    assert gradient.cache_info().misses == 4


def test_a_table_that_is_passed_twice(table):
    gradient = symdiff.grad(lambda w, a, b: np.sum(a.x * b.y) * w)
    other = table + 5
    assert_allclose(gradient(1.0, table, table), np.sum(table.x * table.y))
    assert_allclose(gradient(1.0, table, other), np.sum(table.x * other.y))
    assert_allclose(gradient(1.0, other, table), np.sum(other.x * table.y))
    assert_allclose(gradient(1.0, other, other), np.sum(other.x * other.y))
    assert gradient.cache_info().misses == 2


def test_a_table_that_the_function_also_reaches_by_itself(table):
    held = {"table": table}
    gradient = symdiff.grad(lambda w, data: np.sum(data.x * held["table"].y) * w)
    other = table + 5
    assert_allclose(gradient(1.0, table), np.sum(table.x * table.y))
    assert_allclose(gradient(1.0, other), np.sum(other.x * table.y))
    held["table"] = other
    assert_allclose(gradient(1.0, other), np.sum(other.x * other.y))
    assert_allclose(gradient(1.0, table), np.sum(table.x * other.y))


def test_labels_of_two_tables_are_compared_at_each_call(table):
    gradient = symdiff.grad(lambda w, a, b: np.sum(a.x * b.y) * w)
    gradient(1.0, table, table + 1)
    other = table + 1
    other.index = other.index + 7
    with pytest.raises(symdiff.TraceError, match="with other labels"):
        gradient(1.0, table, other)
    moved = table.copy()
    moved.index = other.index
    assert_allclose(gradient(1.0, moved, other), np.sum(moved.x * other.y))


def test_tables_in_trees_and_pickled(table):
    gradient = symdiff.grad(_error)
    expected = 2 * np.sum((table.x - table.y) * table.x)
    assert_allclose(gradient(1.0, {"data": [table]}), expected)
    again = pickle.loads(pickle.dumps(gradient))
    other = table * 2
    assert_allclose(again(1.0, {"data": [other]}), 4 * expected)
    assert_allclose(gradient(1.0, {"data": [other]}), 4 * expected)


def _error(w, held):
    data = held["data"][0]
    return np.sum((data.x * w - data.y) ** 2)


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
