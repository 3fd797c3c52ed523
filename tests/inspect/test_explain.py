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


def test_what_loops_keep_is_said():
    def loss(x):
        for _ in range(100):
            x = np.sin(x)
        return np.sum(x)

    text = explain(symdiff.grad(loss).stages(np.ones(125)))
    assert "# loops of known length keep 100 kB" in text
    text = explain(symdiff.grad(loss, max_memory=40e3).stages(np.ones(125)))
    assert "residuals: 100 trips of 1 kB; kept " in text
