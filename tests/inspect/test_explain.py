"""Every rewrite and line behind the emitted code."""

import numpy as np

import symdiff
from symdiff.inspect.explain import RULES, WHOLE_PROGRAM, explain, rule_text


def test_rewrites_are_listed_with_class_and_rule():
    steps = symdiff.grad(lambda x: np.log(1 + np.exp(x))).stages(0.5)
    text = explain(steps)
    assert "# 2 rewrites" in text
    assert "softplus " in text
    assert "ACCURATE" in text
    assert "return np.log" not in text


def test_without_rewrites_it_says_so():
    assert "# no rewrites" in explain(symdiff.jit(lambda x: np.sin(x)).stages(np.ones(3)))


def test_every_rule_has_a_text():
    assert all(rule_text(name) for name in (*RULES, *WHOLE_PROGRAM))
