"""The stages as text."""

import numpy as np
import pytest

import symdiff
from symdiff.errors import UsageError
from symdiff.inspect import show


@pytest.fixture
def steps():
    return symdiff.grad(lambda x: np.sum(x * x)).stages(np.ones(3))


def test_the_source_holds_imports_and_the_body_does_not(steps):
    assert show.source(steps).startswith("import numpy as np\n\n\ndef ")
    assert show.body(steps).startswith("def ")
    assert '"""' not in show.body(steps)


def test_stages_and_differences(steps):
    names = [stage.name for stage, _ in steps]
    assert [
        line.split(":")[0][3:]
        for line in show.every_stage(steps).splitlines()
        if line.startswith("== ")
    ] == names
    assert show.one_difference(steps, "trace") == show.one_stage(steps, "trace")
    assert show.one_difference(steps, "transpose").startswith("--- linearize\n+++ transpose\n")
    assert show.one_difference(steps, "transpose") in show.every_difference(steps)
    with pytest.raises(UsageError, match="no stage nope"):
        show.one_stage(steps, "nope")
