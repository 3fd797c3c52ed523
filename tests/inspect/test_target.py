"""A function is found by the text that names it."""

import sys

import numpy as np
import pytest

from symdiff.errors import UsageError
from symdiff.inspect.target import find_target, one_line


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_lambda_sees_numpy_math_and_scipy():
    assert find_target("lambda x: np.sum(x) + math.pi * 0")(np.ones(3)) == 3
    assert find_target(" lambda x: scipy.special.expit(x)")(0.0) == 0.5


def test_a_module_and_a_file(tmp_path):
    assert find_target("os.path:join").__name__ == "join"
    path = tmp_path / "some_model.py"
    path.write_text(
        "class A:\n    def f(x): return x\nif __name__ == '__main__': raise SystemExit\n"
    )
    assert find_target(f"{path}:A.f")(3) == 3


@pytest.mark.parametrize(
    "text", ["f", ":f", "os:", "os.path:joint", "no.such:f", "os:sep", "x.py:f"]
)
def test_what_is_no_function(text):
    with pytest.raises(UsageError) as error:
        find_target(text)
    assert "\n" not in str(error.value)


def test_one_line_of_an_error():
    assert one_line(ValueError("a\n b")) == "ValueError: a b"
