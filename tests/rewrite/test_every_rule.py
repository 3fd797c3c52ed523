"""Every row of every table: it fires, it keeps the type, its claim holds, and it leads somewhere.

The tests are made from the rows. What is exact is computed with mpmath on the same samples.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest

import symdiff as sd
from symdiff.ir import Const, Graph, Input, Node, constant, input_node, parse_type, toposort
from symdiff.ops.evaluate import evaluate
from symdiff.ops.primitive import Primitive
from symdiff.rewrite import CONSTANTS, STABILITY, TABLES
from symdiff.rewrite.algebra import MASKS
from symdiff.rewrite.engine import MODES, rewrite
from symdiff.rewrite.pattern import (
    ACCURATE,
    EXACT,
    FINITE,
    ROUNDING,
    Applied,
    Match,
    Rule,
    Wild,
    instantiate,
    match,
    rule,
    variants,
    wilds,
)

RULES = [row for table in TABLES.values() for row in table]
CODES = {
    "f": ("f64", "f32"),
    "c": ("c128", "c64"),
    "i": ("i64", "i8"),
    "u": ("u8",),
    "b": ("bool", "f64"),  # what is compared may be numbers
}
NUMBERS = [(2.0, 3.0), (-0.5, 4.0), (0.1, -3.0), (-1e-3, -7.0)]

# ---------------------------------------------------------------------------- applications


@dataclass
class Application:
    """A rule applied to an example: the nodes before and after, and what they read."""

    rule: Rule
    before: Node
    after: Node
    inputs: list[Input]


def wild_values(term: Any) -> dict[str, Wild]:
    """The wild values of a term, in order; those that are parameters are not among them."""
    if isinstance(term, Wild):
        return {term.name: term}
    found: dict[str, Wild] = {}
    for arg in term.args if isinstance(term, Applied) else ():
        found |= wild_values(arg)
    return found


def filled(term: Any, numbers: dict[str, float]) -> Any:
    """The term with numbers for its wild constants: they take the type that they stand beside."""
    if isinstance(term, Wild):
        return numbers.get(term.name, term)
    if not isinstance(term, Applied):
        return term
    return Applied(term.op, tuple(filled(arg, numbers) for arg in term.args), term.params)


def leaf(name: str, spec: str, code: str) -> Node:
    """`f[3,4]` is an input (f: of the kind under test), `f[3,4]=2` and `f[3]=range` constants."""
    text, _, value = spec.partition("=")
    type = parse_type(re.sub(r"^f\[", f"{code}[", text.replace("n[", "i64[")))
    if not value:
        return input_node(name, type)
    if value == "eye":
        return constant(np.eye(len(np.empty(type.shape)), dtype=type.dtype), type)
    if value == "range":
        return constant(np.arange(type.size).astype(type.dtype).reshape(type.shape), type)
    return constant(type.dtype.type(float(value)), type)


def default_spec(name: str) -> str:
    return "bool[3,4]" if name == "mask" else "f[3,4]"


def built(row: Rule, code: str, numbers: dict[str, float]) -> tuple[Node | None, list[Input]]:
    """A node that the pattern should fit, over inputs of the kind under test."""
    term = row.example.get("of", row.pattern)
    wilds = wild_values(term)
    given = {name: each for name, each in row.example.items() if not isinstance(each, Applied)}
    fixed = {n: given.get(n, numbers[n]) for n, w in wilds.items() if w.constant}
    fixed = {name: each for name, each in fixed.items() if not isinstance(each, str)}
    found = Match(input_node("root", parse_type(f"{code}[3,4]")))
    for name, spec in given.items():
        if name not in wilds:
            found.values[name] = spec
    for name in sorted(wilds):
        if name not in fixed:
            found.values[name] = leaf(name, given.get(name, default_spec(name)), code)
    root = instantiate(filled(term, fixed), found)
    inputs = [each for each in found.values.values() if isinstance(each, Input)]
    return root, inputs


def apply(row: Rule, root: Node) -> Node | None:
    """What the rule makes of a node, as the engine would."""
    for pattern in variants(row.pattern):
        found = match(pattern, root)
        if found is not None and (row.when is None or row.when(found)):
            after = instantiate(row.replacement, found)
            if after is not None and after is not root and after.type == root.type:
                return after
    return None


def applications(row: Rule) -> Iterator[Application]:
    """The rule at every kind of number that it names, and at several constants."""
    for kind, pair in itertools.product(row.dtypes, NUMBERS):
        for code in CODES[kind]:
            root, inputs = built(row, code, dict(zip("cd", pair)))
            if root is None or root.type.dtype.kind != kind:
                continue
            after = apply(row, root)
            if after is not None:
                yield Application(row, root, after, inputs)


@pytest.fixture(params=RULES, ids=lambda row: row.name)
def row(request: pytest.FixtureRequest) -> Rule:
    return request.param


def test_a_rule_fires_for_every_kind_of_number_that_it_names(row):
    if "of" in row.example:  # an order of operands: which of the two is canonical varies
        return
    kinds = {each.before.type.dtype.kind for each in applications(row)}
    if "dtype" in row.example or "i64[3]" in str(row.example.values()):
        assert kinds
    else:
        assert kinds == set(row.dtypes)


def test_no_two_rules_have_one_name():
    names = [row.name for row in RULES]
    assert len(names) == len(set(names))


# ---------------------------------------------------------------------------- samples

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_samples_in_any_order_of_tests() -> None:
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


@pytest.fixture(autouse=True)
def so_many_digits_that_one_plus_exp_of_minus_700_is_not_one(monkeypatch) -> None:
    monkeypatch.setattr(mpmath.mp, "dps", 900)


def special(dtype: np.dtype) -> np.ndarray:
    """Values at which identities fail that hold elsewhere."""
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([0, 1, 2, 3, info.max, info.min, info.max - 1, 100], dtype)
    if dtype.kind == "c":
        parts = special(np.zeros(0, dtype).real.dtype)
        with np.errstate(all="ignore"):
            made = np.empty((len(parts), len(parts)), dtype)
            made.real, made.imag = parts[:, None], parts
        return made.ravel()
    info = np.finfo(dtype)
    positive = [0, 1, 3, 0.1, np.inf, info.max, info.tiny, info.smallest_subnormal, info.eps, 1e10]
    both = np.array([*positive, *(-np.array(positive, dtype))], dtype)
    return np.append(both, dtype.type(np.nan))


def sample(each: Input, draw: Callable[[Input], np.ndarray]) -> Any:
    """Values for an input: indices and masks are what they are, numbers are drawn."""
    if each.type.dtype.kind == "b":
        return RNG.random(each.type.shape) < 0.5
    if each.name in "xy" and each.type.dtype == np.int64 and each.type.ndim == 1:
        return RNG.integers(0, 3, each.type.shape)
    drawn = draw(each)
    return drawn.item() if each.type.weak else drawn


def draw_special(each: Input) -> np.ndarray:
    return RNG.choice(special(each.type.dtype), each.type.shape)


def draw_range(reach: float) -> Callable[[Input], np.ndarray]:
    """Any sign, and magnitudes from a part of the range of exponents."""

    def draw(each: Input) -> np.ndarray:
        dtype = each.type.dtype
        shape = each.type.shape
        if dtype.kind in "iu":
            return RNG.integers(1, 5, shape).astype(dtype)
        top = float(np.finfo(dtype).maxexp - 1) * reach
        centre, width = RNG.choice([-top, RNG.uniform(-top, top), top]), RNG.choice([1.0, top])
        exponent = np.clip(RNG.uniform(centre - width, centre + width, shape), -top, top)
        part = np.exp2(exponent) * RNG.choice([-1.0, 1.0], shape)
        return part.astype(dtype)

    return draw


def draw_moderate(each: Input) -> np.ndarray:
    made = RNG.uniform(0.5, 2, each.type.shape) * RNG.choice([-1, 1], each.type.shape)
    if each.type.dtype.kind == "c":
        made = made + 1j * RNG.uniform(0.5, 2, each.type.shape)
    return made.astype(each.type.dtype)


def draw_exponents(each: Input) -> np.ndarray:
    """Arguments of exp and log: some overflow, some are tiny."""
    top = 0.98 * float(np.log(np.finfo(each.type.dtype).max))
    wide = RNG.uniform(-top, top, each.type.shape)
    near = RNG.uniform(-3, 3, each.type.shape)
    tiny = RNG.uniform(-1, 1, each.type.shape) * 1e-9
    return RNG.choice([wide, near, tiny]).astype(each.type.dtype)


def computed(node: Node, inputs: list[Input], values: list[Any]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(evaluate([node], dict(zip(inputs, values)))[0])


# ---------------------------------------------------------------------------- exact values


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    return np.frompyfunc(function, function.__code__.co_argcount, 1)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _softmax(x: Any, axis: Any, **params: Any) -> Any:
    odds = REAL["exp"](x)
    return odds / np.sum(odds, axis=axis, keepdims=True)


REAL: dict[str, Callable[..., Any]] = {
    "divide": elementwise(lambda x, y: x / y if y else mpmath.nan),
    "power": elementwise(lambda x, y: x ** int(y)),
    "exp": elementwise(lambda x: mpmath.exp(x)),
    "log": elementwise(lambda x: mpmath.log(x) if x > 0 else mpmath.nan),
    "expm1": elementwise(lambda x: mpmath.exp(x) - 1),
    "log1p": elementwise(lambda x: mpmath.log(1 + x) if x > -1 else mpmath.nan),
    "logaddexp": elementwise(lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y))),
    "softplus": elementwise(lambda x: mpmath.log(1 + mpmath.exp(x))),
    "logistic": elementwise(_sigmoid),
    "sigmoid": lambda x, **params: REAL["logistic"](x),
    "tanh": elementwise(lambda x: mpmath.tanh(x)),
    "cosh": elementwise(lambda x: mpmath.cosh(x)),
    "log_cosh": elementwise(lambda x: mpmath.log(mpmath.cosh(x))),
    "softmax": _softmax,
    "convert": lambda x, **params: x,
}
SIZES = {**REAL, "subtract": np.add, "negative": lambda x: x}


def exactly(
    root: Node, inputs: list[Input], values: list[Any], meaning: dict[str, Callable[..., Any]]
) -> np.ndarray:
    """The node computed with many digits; its size if nothing cancelled, where SIZES is meant."""
    sign = np.abs if meaning is SIZES else np.positive
    known: dict[Node, Any] = {}
    for each, value in zip(inputs, values):
        known[each] = sign(number_array(value)) if each.type.inexact else np.asarray(value)
    for each in toposort([root]):
        if each in known:
            continue
        if not each.args:
            full = np.broadcast_to(np.asarray(each.value), each.type.shape)
            known[each] = sign(number_array(full)) if each.type.inexact else full
            continue
        params = dict(each.params) if not isinstance(each.op.function, np.ufunc) else {}
        function = meaning.get(each.op.name, each.op.function)
        known[each] = np.asarray(function(*[known[arg] for arg in each.args], **params))
    return np.asarray(known[root])


def number_array(value: Any) -> np.ndarray:
    return np.asarray(np.frompyfunc(lambda x: mpmath.mpf(float(x)), 1, 1)(np.asarray(value)))


def units(size: Any, dtype: np.dtype) -> float:
    """The distance to the next number of the dtype, at this size."""
    info = np.finfo(dtype)
    largest, tiny = float(info.max) / 2, float(info.tiny)
    return float(np.spacing(dtype.type(min(max(float(min(size, largest)), tiny), largest))))


def errors(have: np.ndarray, real: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The errors of a result in units in the last place of what takes part in it."""
    out = np.empty(have.shape)
    for i in np.ndindex(have.shape):
        if not mpmath.isfinite(real[i]):
            out[i] = np.nan
        elif not np.isfinite(have[i]):
            out[i] = np.inf
        else:
            difference = abs(mpmath.mpf(float(have[i])) - real[i])
            out[i] = float(difference / mpmath.mpf(units(sizes[i], have.dtype)))
    return out


# ---------------------------------------------------------------------------- claims


def same_bits(have: np.ndarray, want: np.ndarray) -> bool:
    if have.dtype.kind == "c":
        unknown = np.isnan(have) & np.isnan(want)
        parts = (
            (np.where(unknown, 0, part(have)), np.where(unknown, 0, part(want)))
            for part in (np.real, np.imag)
        )
        return all(same_bits(one, other) for one, other in parts)
    if have.dtype.kind != "f":
        return np.array_equal(have, want)
    both = np.isnan(have) & np.isnan(want)
    return bool(np.all(both | ((have == want) & (np.signbit(have) == np.signbit(want)))))


def rows_of(exactness: Any) -> list[Any]:
    return [pytest.param(row, id=row.name) for row in RULES if row.exactness is exactness]


@pytest.mark.parametrize("row", rows_of(EXACT))
def test_exact_rows_give_the_same_bits(row):
    for each in applications(row):
        for _ in range(30):
            values = [sample(one, draw_special) for one in each.inputs]
            have = computed(each.after, each.inputs, values)
            want = computed(each.before, each.inputs, values)
            assert have.dtype == want.dtype
            assert have.shape == want.shape
            assert same_bits(have, want), (row, values, have, want)


@pytest.mark.parametrize("row", rows_of(ROUNDING))
def test_rounding_rows_are_as_close_to_the_truth(row):
    for each in applications(row):
        if each.before.type.dtype.kind == "c":
            check_moderate(each)
            continue
        for _ in range(6):
            values = [sample(one, draw_range(row.reach)) for one in each.inputs]
            check_errors(each, values, overflow_counts=False)


@pytest.mark.parametrize("row", rows_of(ACCURATE))
def test_accurate_rows_are_closer_to_the_truth(row):
    for each in applications(row):
        for _ in range(6):
            values = [sample(one, draw_exponents) for one in each.inputs]
            check_errors(each, values, overflow_counts=True)


@pytest.mark.parametrize("row", rows_of(FINITE))
def test_finite_rows_hold_for_ordinary_numbers(row):
    for each in applications(row):
        check_moderate(each)


def check_moderate(each: Application) -> None:
    values = [sample(one, draw_moderate) for one in each.inputs]
    have = computed(each.after, each.inputs, values)
    want = computed(each.before, each.inputs, values)
    assert (have.dtype, have.shape) == (want.dtype, want.shape)
    tolerance = 20 * float(np.finfo(have.dtype).eps)
    np.testing.assert_allclose(have, want, rtol=tolerance, atol=20 * tolerance)


def check_errors(each: Application, values: list[Any], *, overflow_counts: bool) -> None:
    """The replacement's error is at most the pattern's and the units that the row states.

    Where the pattern is not finite, only a row that claims to overflow later has to be.
    """
    have = computed(each.after, each.inputs, values)
    want = computed(each.before, each.inputs, values)
    assert (have.dtype, have.shape) == (want.dtype, want.shape)
    real = exactly(each.before, each.inputs, values, REAL)
    sizes = abs(real) if overflow_counts else exactly(each.before, each.inputs, values, SIZES)
    sizes = np.asarray(sizes)
    limit = np.minimum(errors(want, real, sizes), 1e300) + each.rule.ulps
    found = errors(have, real, sizes)
    largest = float(np.finfo(have.dtype).max)
    in_range = np.array([abs(x) < largest for x in real.ravel()], bool).reshape(real.shape)
    counts = (np.isfinite(want) | overflow_counts) & in_range
    assert np.all(~counts | np.isnan(found) | (found <= limit)), (each.rule, values, have, want)


x, y = wilds("x y")
BITS = test_exact_rows_give_the_same_bits
CLOSE = test_rounding_rows_are_as_close_to_the_truth
CLOSER = test_accurate_rows_are_closer_to_the_truth


@pytest.mark.parametrize(
    ("check", "row"),
    [
        (BITS, rule("loses-sign", x + 0.0, x, EXACT)),
        (BITS, rule("hides-nan", x - x, 0, EXACT)),
        (BITS, rule("complex-double", x + x, 2 * x, EXACT, dtypes="c")),
        (BITS, rule("absorbs", (x + y) - y, x, EXACT)),
        (CLOSE, rule("wrong", x - y, x + y, ROUNDING)),
        (CLOSE, rule("overflows", x + y, (2 * x + 2 * y) / 2, ROUNDING)),
        (CLOSE, rule("underflows", (x * y) / y, (x / y) * y, ROUNDING)),
        (CLOSE, rule("cancels", x * 1, (x + 1) - 1, ROUNDING)),
        (CLOSER, rule("naive-expm1", np.expm1(x), np.exp(x) - 1, ACCURATE)),
        (CLOSER, rule("naive-softplus", np.logaddexp(0, x), np.log(1 + np.exp(x)), ACCURATE)),
    ],
)
def test_false_claims_are_refuted(check, row):
    with pytest.raises(AssertionError):
        check(row)


# ---------------------------------------------------------------------------- termination

WORK = {"divide": 2, "power": 20, "exp": 10, "log": 10, "tanh": 10}
OUTWARDS = {"where": 8, "negative": 4, "broadcast_to": 4, "const": 2, "divide": 1}


def work(each: Node) -> float:
    """Elements computed, weighted by what they cost; moving them about is free."""
    if not isinstance(each.op, Primitive) or each.op.view:
        return 0
    if each.op.name == "matmul":
        return 2 * each.type.size * each.args[0].type.shape[-1]
    if each.op.name in ("sum", "index_add"):
        return sum(arg.type.size for arg in each.args)
    elements = each.type.size / 2 if each.type.weak else each.type.size  # Python has less to do
    return WORK.get(each.op.name, 1) * elements


def depths(root: Node) -> dict[Node, int]:
    """How far below the root each node stands, on the longest way."""
    found = {root: 0}
    for each in reversed(toposort([root])):
        for arg in each.args:
            found[arg] = max(found.get(arg, 0), found[each] + 1)
    return found


def canonical(root: Node) -> tuple[float, ...]:
    """Few reads and views; masks, signs, broadcasts and constants outside, constants first."""
    depth = depths(root)
    outside = sum(OUTWARDS.get(each.op.name, 0) * d for each, d in depth.items())
    negative = sum(isinstance(each, Const) and np.all(np.real(each.value) < 0) for each in depth)
    reads = sum(not isinstance(arg, Const) for each in depth for arg in each.args)
    pairs = [(each.op.name, *each.args) for each in depth if len(each.args) == 2]
    second = sum(name == "multiply" and isinstance(right, Const) for name, _, right in pairs)
    unordered = sum(name == "equal" and one.serial > two.serial for name, one, two in pairs)
    views = sum(isinstance(each.op, Primitive) and each.op.view for each in depth)
    return reads, views, outside, negative, second, unordered


def cost(root: Node) -> tuple[float, ...]:
    nodes = [each for each in toposort([root]) if each.args]
    return (
        sum(map(work, nodes)),
        sum(not each.op.view for each in nodes if isinstance(each.op, Primitive)),
        *canonical(root),
    )


def folded(each: Application) -> Node:
    graph = Graph("f", tuple(each.inputs), (each.after,))
    return rewrite(graph, (CONSTANTS,)).outputs[0]


# cost never vetoes what keeps a derivative finite
PAID_FOR = (*STABILITY, *MASKS)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in RULES if row not in PAID_FOR]
)
def test_a_replacement_is_cheaper_or_nearer_to_the_canonical_form(row):
    for each in applications(row):
        assert cost(folded(each)) < cost(each.before), (row, cost(folded(each)), cost(each.before))


# ---------------------------------------------------------------------------- order of rows


def network(W, b, x, y):
    z = np.maximum(0, x @ W + b)
    z = z - np.max(z, axis=1, keepdims=True)
    picked = z[np.arange(3), np.array([0, 1, 1])]
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - picked) + np.sum(y)


def attention(q, k, v):
    scores = q @ k.T / 2
    odds = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return np.sum((odds / np.sum(odds, axis=-1, keepdims=True) @ v) ** 2)


def normalized(x, g):
    centred = x - np.mean(x, axis=0)
    return np.sum(np.tanh(centred / np.sqrt(np.mean(centred**2, axis=0) + 1e-5) * g))


def choices(x, r):
    return np.sum(np.where(r > 0, x / r, 0) + np.where(x > 0, x, np.exp(x) - 1) * r)


def valley(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape)


CORPUS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (network, (array(4, 2), array(2), array(3, 4), array(3))),
    (attention, (array(5, 4), array(6, 4), array(6, 3))),
    (normalized, (array(5, 3), array(3))),
    (choices, (array(7), array(7))),
    (valley, (array(9),)),
]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_decides_about_cost_only(gradient, seed, monkeypatch, record_property):
    rng = np.random.default_rng(seed)
    shuffled = {
        name: tuple(table[i] for i in rng.permutation(len(table))) for name, table in TABLES.items()
    }
    for function, values in CORPUS:
        usual = gradient(function, *values)
        monkeypatch.setattr("symdiff.rewrite.TABLES", shuffled)
        other = gradient(function, *values)
        monkeypatch.undo()
        other.check()
        ratio = total_work(other.simple) / total_work(usual.simple)
        record_property(f"{function.__name__}: work in another order of rows", round(ratio, 2))


def total_work(graph: Graph) -> float:
    return sum(map(work, graph.nodes()))


@pytest.mark.parametrize("math", MODES)
@pytest.mark.parametrize(("function", "values"), CORPUS)
def test_every_mode_computes_the_same_derivatives(gradient, function, values, math):
    gradient(function, *values, math=math).check()


# ---------------------------------------------------------------------------- what they are for


def test_the_value_keeps_its_bits_unless_a_named_rule_fired(gradient, trace, run):
    for function, values in CORPUS:
        found = gradient(function, *values)
        if not any(row.name in found.rules for row in STABILITY):
            assert same_bits(found.results()[0], run(trace(function, *values), values)[0])


def value_and_slopes(gradient, function, *values):
    found = gradient(function, *[np.asarray(value, dtype=float) for value in values])
    return found.results()


BIG = 800.0


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (lambda x: np.sum(np.where(x > 0, x, np.exp(x) - 1)), [BIG, -1], [1, np.exp(-1)]),
        (lambda x: np.sum(np.where(x > 0, x, (np.exp(x) - 1) / 2)), [BIG, -1], [1, np.exp(-1) / 2]),
        (lambda x: np.sum(np.where(x > 0, np.log(x), 0)), [0, -1, 2], [0, 0, 0.5]),
        (lambda x: np.sum(np.where(x > 0, x * np.log(x), 0)), [0, 1, 2], [0, 1, 1 + np.log(2)]),
        (lambda x: np.sum(np.where(x > 0, 1 / x, 0)), [0, 2], [0, -0.25]),
        (lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0)), [0, 4], [0, 0.25]),
        (lambda x: np.sum(np.log(1 + np.exp(x))), [BIG, 0, -BIG], [1, 0.5, 0]),
        (lambda x: np.sum(1 / (1 + np.exp(-x))), [BIG, 0, -BIG], [0, 0.25, 0]),
        (lambda x: np.log(np.sum(np.exp(x))), [BIG, BIG], [0.5, 0.5]),
        (lambda x: np.log(np.exp(x) / np.sum(np.exp(x)))[0], [BIG, 0], [0, 0]),
        (lambda x: np.sum(np.log(1 - 1 / (1 + np.exp(-x)))), [BIG, 0, -BIG], [-1, -0.5, 0]),
        (lambda x: np.sum(np.log1p(-1 / (1 + np.exp(-x)))), [BIG, 0, -BIG], [-1, -0.5, 0]),
        (lambda x: np.sum(1 / (1 + np.exp(x))), [BIG, 0, -BIG], [0, -0.25, 0]),
        (lambda x: np.sum(np.log(0.5 * (np.tanh(x) + 1))), [BIG, 0, -BIG], [0, 1, 2]),
        (lambda x: np.sum(np.log(np.cosh(x))), [BIG, 0, -BIG], [1, 0, -1]),
        (lambda x: np.sum((np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
         [BIG, 0, -BIG], [0, 1, 0]),
        (lambda x: np.sum((np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)), [BIG, 0, -BIG], [0, 1, 0]),
        (lambda x: np.log(np.exp(x[0]) + np.exp(x[1])), [BIG, BIG], [0.5, 0.5]),
        (lambda x: np.log(np.exp(x[0]) + np.exp(x[1]) + np.exp(x[2])),
         [BIG, BIG, -BIG], [0.5, 0.5, 0]),
        (lambda x: np.log(np.mean(np.exp(x))), [BIG, BIG], [0.5, 0.5]),
        (lambda x: np.log(np.exp(x - np.log(np.sum(np.exp(x))))[1]), [BIG, -BIG], [-1, 1]),
    ],
)
def test_derivatives_of_naive_forms_are_finite(gradient, function, at, slope):
    _, found = value_and_slopes(gradient, function, at)
    np.testing.assert_allclose(found, slope, rtol=1e-12, atol=1e-300)


ODDS = {
    "plain": lambda x: np.exp(x),
    "shifted": lambda x: np.exp(x - np.max(x, axis=1, keepdims=True)),
    "shifted by an index": lambda x: np.exp(x - np.max(x, axis=1)[:, None]),
    "shifted by a reshape": lambda x: np.exp(x - np.max(x, axis=1).reshape(-1, 1)),
}
SHARES = {
    "kept": lambda odds: odds / np.sum(odds, axis=1, keepdims=True),
    "index": lambda odds: odds / np.sum(odds, axis=1)[:, np.newaxis],
    "last axis": lambda odds: odds / np.sum(odds, axis=-1)[..., np.newaxis],
    "reshape": lambda odds: odds / np.sum(odds, axis=1).reshape(-1, 1),
    "expand_dims": lambda odds: odds / np.expand_dims(np.sum(odds, axis=1), 1),
    "transposes": lambda odds: (odds.T / np.sum(odds, axis=1)).T,
}


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("odds", ODDS.values(), ids=ODDS)
def test_every_spelling_of_a_cross_entropy_is_stable(gradient, odds, share):
    scores = np.array([[900.0, 0.0, -900.0], [1000.0, 1000.0, 999.0]])
    labels = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])

    def loss(scores):
        return -np.sum(labels * np.log(share(odds(scores))))

    _, found = value_and_slopes(gradient, loss, scores)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found, e / e.sum(axis=1, keepdims=True) - labels, atol=1e-12)


def test_a_mask_is_a_strong_zero_through_broadcasts_and_sums(gradient):
    def scaled(x):
        norm = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
        return np.sum(np.where(norm > 0, x / norm, 0) * np.array([1.0, 2.0]))

    _, slope = value_and_slopes(gradient, scaled, [[0.0, 0.0], [3.0, 4.0]])
    assert np.all(np.isfinite(slope))
    assert np.all(slope[0] == 0)


def test_the_masks_of_a_relu_network_stand_alone(gradient):
    found = gradient(network, array(4, 2), array(2), array(3, 4), array(3))
    assert found.ops.count("where") == 1
    assert found.ops.count("max") == 1
    assert found.ops.count("exp") == 1


def test_a_naive_cross_entropy_ends_in_softmax_minus_one_hot(gradient):
    labels = np.array([0, 2, 1])

    def loss(scores, labels):
        odds = np.exp(scores)
        shares = odds / np.sum(odds, axis=1, keepdims=True)
        return -np.mean(np.log(shares[np.arange(3), labels]))

    scores = 900 * array(3, 4)
    found = gradient(loss, scores, labels)
    value, slope = found.results()
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(3), labels] -= 1
    np.testing.assert_allclose(slope, p / 3, atol=1e-12)
    assert np.isfinite(value)
    slopes = [op for op in found.ops if op not in ("getitem", "sum", "negative", "divide")]
    assert sorted(slopes) == ["index_add", "log_softmax", "multiply", "softmax"]


@pytest.mark.parametrize("by", [1.0, 0.5])
def test_a_sum_of_exponentials_that_was_shifted_by_hand_stays(by):
    def soft_least(x):
        low = min(x[0], x[1], x[2])
        total = np.exp((low - x[0]) / by) + np.exp((low - x[1]) / by) + np.exp((low - x[2]) / by)
        return low - by * np.log(total)

    x = np.array([1e3, 1e3 + 0.5, 2e3])
    gradient = sd.grad(soft_least)
    odds = np.exp((x[0] - x) / by)
    np.testing.assert_allclose(gradient(x), odds / np.sum(odds), rtol=1e-12)
    assert "logaddexp" not in gradient.source
