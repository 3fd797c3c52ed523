"""The golden fixture itself."""

from dataclasses import replace

import pytest


@pytest.fixture
def compare(golden, tmp_path):
    return replace(golden, root=tmp_path, update=False)


@pytest.fixture
def update(golden, tmp_path):
    return replace(golden, root=tmp_path, update=True)


def test_what_was_written_compares_equal(compare, update):
    text = "def f_grad(x):\r\n    return 2 * x  # ∂f\n"
    update("case/gradient.py", text)
    compare("case/gradient.py", text)


def test_a_difference_is_shown_as_a_diff_with_the_way_out(compare, update):
    update("case/trace.txt", "v0 = tanh(x)\nreturn v0\n")
    with pytest.raises(pytest.fail.Exception) as failure:
        compare("case/trace.txt", "v0 = sinh(x)\nreturn v0\n")
    message = str(failure.value)
    assert "\n-v0 = tanh(x)\n+v0 = sinh(x)\n return v0\n" in message
    assert "test_golden.py::test_a_difference_is_shown_as_a_diff_with_the_way_out" in message
    assert "--update-golden" in message


@pytest.mark.parametrize("text", ["x", "x\n\n", "x \n", "x\r\n"])
def test_the_comparison_is_exact(compare, update, text):
    update("case/trace.txt", "x\n")
    with pytest.raises(pytest.fail.Exception):
        compare("case/trace.txt", text)


def test_a_missing_file_fails_with_the_way_out(compare):
    with pytest.raises(pytest.fail.Exception, match=r"does not exist\n.*--update-golden"):
        compare("case/nothing.txt", "x\n")


def test_an_update_overwrites(compare, update):
    update("case/trace.txt", "x\n")
    update("case/trace.txt", "y\n")
    compare("case/trace.txt", "y\n")
