"""Random straight-line programs: C against NumPy, values and gradients."""

import linecache

import numpy as np
import pytest

import symdiff

MOST = 1e4  # of the values of a program that is compared
VECTORS = (
    "np.sin({v})",
    "{v} * 0.5",
    "{v} + {u}",
    "{v} * {u}",
    "np.exp(-{v} * {v})",
    "np.maximum({v}, {u})",
    "np.where({v} > {u}, {v}, {u})",
    "{v} / (1 + {u} * {u})",
    "{v}[::-1]",
    "{M}[{i}]",
    "{M}[{i}, ::-1]",
    "{M}.T[{j}, 1:].repeat(2)[:6]",
    "np.sum({M}, axis=0)",
    "np.max({M}, axis=0)",
    "{M}.T @ {v}[:4]",
    "np.concatenate([{v}[{k}:], {u}[:{k}]])",
    "np.pad({v}[{k}:], ({k}, 0))",
    "np.pad({v}[:-{k}] * {u}[{k}:], (0, {k}))",
    "np.pad(np.sin({v})[1:-1], 1) + np.pad({u}[2:], (1, 1))",
    "np.pad(np.diff({v}), (0, 1))",
)
MATRICES = (
    "{M} * {v}",
    "{M} + {N}",
    "{M} * {N}",
    "{M}[::-1]",
    "{N}[:, ::-1] * 0.3",
    "np.sin({M})",
    "{M} - np.mean({M}, axis=1, keepdims=True)",
    "{M} * np.sum({v} * {u})",
    "np.outer({v}[:4], {u})",
    "np.concatenate([{M}[1:], {N}[:1]])",
    "np.concatenate([{M}[:, {k}:], {N}[:, :{k}]], axis=1)",
    "np.exp({M} - np.max({M}, axis=1, keepdims=True))",
    "{M} / np.sum(1 + {M} * {M}, axis=1, keepdims=True)",
    "np.pad({M}[1:-1, 1:-1] * {N}[:-2, 2:], 1)",
    "np.pad({M}[2:, 1:-1] + {M}[:-2, 1:-1] - 2 * {M}[1:-1, 1:-1], 1)",
    "{M} @ np.outer({v}, {u})",
)
STORES = ("{M}[{i}, {k}:] += {v}[{k}:]", "{M}[1:-1] = {N}[2:]", "{M}[:, {k}] *= 2",
          "{M}[:{k}, 1:] += {N}[-{k}:, :-1]")


def program(seed: int) -> str:
    """The text of a program: each line makes one more value, or stores into one."""
    rng = np.random.default_rng(seed)
    vectors, matrices, lines = ["x"], ["rows"], []

    def pick(choices: tuple[str, ...] | list[str]) -> str:
        return str(choices[rng.integers(len(choices))])

    for n in range(rng.integers(3, 12)):
        names = {"v": pick(vectors), "u": pick(vectors), "M": pick(matrices),
                 "N": pick(matrices), "i": rng.integers(-4, 4), "j": rng.integers(-6, 6),
                 "k": rng.integers(1, 4)}
        kind = rng.integers(9)
        if kind == 0:
            lines.append(f"m{n} = {names['N']} * 1.0")
            matrices.append(f"m{n}")
            lines.append(pick(STORES).format(**{**names, "M": f"m{n}"}))
        elif kind < 5:
            lines.append(f"v{n} = {pick(VECTORS).format(**names)}")
            vectors.append(f"v{n}")
        else:
            lines.append(f"m{n} = {pick(MATRICES).format(**names)}")
            matrices.append(f"m{n}")
    results = ", ".join([pick(vectors + matrices) for _ in range(3)])
    body = "".join([f"    {line}\n" for line in lines])
    return (f"def f(x, rows):\n{body}    return {results}\n\n\n"
            "def g(x, rows):\n    return sum(np.sum(np.sin(each)) for each in f(x, rows))\n")


def made(seed: int) -> dict:
    """The functions of a program, whose text can be found."""
    text, name = program(seed), f"<program {seed}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names = {"np": np}
    exec(compile(text, name, "exec"), names)
    return names


@pytest.mark.parametrize("seed", range(24))
def test_c_agrees_with_numpy(seed):
    names = made(seed)
    rng = np.random.default_rng(seed)
    arguments = rng.normal(size=6), rng.normal(size=(4, 6))
    with np.errstate(all="ignore"):
        expected = names["f"](*arguments)
    if not all(np.all(np.abs(each) < MOST) for each in expected):
        pytest.skip("too large to be compared")
    found = symdiff.jit(names["f"], backend="c")(*arguments)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=program(seed))
    slopes = [symdiff.grad(names["g"], (0, 1), backend=kind)(*arguments) for kind in ("numpy", "c")]
    scale = max(1, *(np.max(np.abs(each)) for each in slopes[0]))
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9 * scale, err_msg=program(seed))
