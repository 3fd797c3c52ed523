"""C that stands by itself: names, numbers and comments that cannot be anything else."""

import re

import numpy as np
import pytest

from symdiff.codegen.c_export import Argument, Export, export_files, identifiers
from symdiff.errors import CompileError
from symdiff.ir.types import array_type
from symdiff.schedule.loops import Loops


def empty(name="f", summary="Nothing.", constants=(), arguments=()):
    program = Loops((), (), tuple(constants), (), 0, 0)
    return Export(name, summary, program, tuple(arguments), (), "none")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["W", "params['W1']", 'self.layers[0].b'], ["W", "params_W1", "self_layers_0_b"]),
        (["int", "exp", "template", "lambda", "unix", "NAN"],
         ["int_", "exp_", "template_", "lambda_", "unix_", "NAN_"]),
        (["a.b", "a_b", "a[b]"], ["a_b", "a_b_2", "a_b_3"]),
        (["α", "x'); system(\"rm\"", "", "1", "k0", "sd_x", "_"],
         ["u3b1", "x_system_rm", "value", "x_1", "x_k0", "x_sd_x", "value_2"]),
        (["int_", "int"], ["int_", "int__2"]),
    ],
)
def test_names_are_names_in_c_and_differ(labels, names):
    assert identifiers(labels) == names


def test_names_that_are_taken_are_not_used():
    assert identifiers(["f", "x"], ["f"]) == ["f_2", "x"]


def test_no_comment_ends_early():
    label = 'p["*/ int evil; /*"]\\\n??/é'
    argument = Argument("p", label, array_type(np.float64, (2,)))
    header = export_files(empty(summary=f"of {label}", arguments=[argument]))["f.h"]
    assert header.isascii()
    stripped = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    assert "evil" not in stripped
    assert "\\" not in header
    assert "??" not in header


def test_numbers_are_read_back_as_they_are():
    values = np.array([0.1, -0.0, 1e300, 5e-324, np.inf, -np.inf, np.nan, 1.0])
    source = export_files(empty(constants=[values]))["f.c"]
    text = re.search(r"\{\n(.*?)\}", source.partition("sd_constant0[] = ")[2], re.DOTALL)[1]
    assert text.split() == ["0.1,", "(-0.0),", "1e+300,", "5e-324,", "INFINITY,", "(-INFINITY),",
                            "NAN,", "1.0,"]


def test_very_many_numbers_are_refused():
    with pytest.raises(CompileError, match="does not fit into a source file"):
        export_files(empty(constants=[np.zeros(1_000_001)]))
