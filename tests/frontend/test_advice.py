"""What is suggested for a function that is not known."""

import numpy as np
import scipy.special

from symdiff.frontend.advice import advice_for, function_name
from symdiff.ops.primitive import every_primitive


def test_names_are_the_users():
    assert function_name(np.linalg.matrix_rank) == "np.linalg.matrix_rank"
    assert function_name(np.add.reduce) == "np.add.reduce"
    assert function_name(scipy.special.jv) == "scipy.special.jv"
    assert function_name(scipy.special.expm1) == "scipy.special.expm1"


def test_near_names_and_the_way_out():
    every_primitive()  # names are known once their library was met
    text = advice_for(scipy.special.log_ndtr)
    assert "ndtr" in text
    assert "docs/extending.md" in text


def test_names_that_are_not_near_are_not_named():
    assert "near" not in advice_for(np.save)
