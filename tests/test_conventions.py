"""Every row of the tables in docs/conventions.md."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

import symdiff

NAMES = {"np": np, "special": special, "stats": stats}
PAGE = Path(__file__).parent.parent / "docs" / "conventions.md"
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| .+ \|$", PAGE.read_text("utf-8"), re.M)


def assert_same(actual: object, expected: object) -> None:
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)


@pytest.mark.parametrize(("function", "at", "derivative"), ROWS)
def test_convention(function, at, derivative):
    point = eval(f"dict({at})", {"np": np})
    expected = eval(derivative, {"np": np})
    gradient = symdiff.grad(
        eval(f"lambda {', '.join(point)}: {function}", NAMES),
        argnums=tuple(range(len(point))),
    )
    if isinstance(expected, type):
        with pytest.raises(expected):
            gradient(*point.values())
    else:
        expected = expected if isinstance(expected, tuple) else (expected,)
        with np.errstate(all="ignore"):  # those of the function itself
            actual = gradient(*point.values())
        for each in zip(actual, expected, strict=True):
            assert_same(*each)


def test_every_row_of_the_page_is_read():
    lines = PAGE.read_text("utf-8").splitlines()
    assert len(ROWS) == sum(line.startswith("| `") for line in lines) > 0
