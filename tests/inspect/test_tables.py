"""The tables are made from the records."""

from symdiff.inspect.tables import primitives, rewrite_rules
from symdiff.ops.primitive import every_primitive
from symdiff.rewrite import TABLES


def test_every_primitive_has_a_line():
    names = [line.split()[0] for line in primitives().splitlines()]
    assert names == sorted(each.name for each in every_primitive())


def test_a_word_filters_and_rules_are_shown():
    (line,) = primitives("arctanh").splitlines()
    assert line.split() == [
        "arctanh",
        *["np.arctanh(x)", "x:", "partial", "1", "/", "((1", "-", "x)", "*", "(1", "+", "x))"],
    ]
    assert primitives("zzz") == rewrite_rules("zzz") == ""


def test_every_rule_has_a_line():
    text = rewrite_rules()
    assert all(f"\n{row.name} " in text for table in TABLES.values() for row in table)
