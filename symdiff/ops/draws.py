"""Random draws: calls of a generator, in the order of the program.

A draw changes its generator, so equal draws are two: each takes the effect before it, whatever that
is, and is one for those behind it. `drawing` is the call, `draw` the numbers that it gives. The
generator itself is an input; evaluating a graph draws from copies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from symdiff.ir.types import TUPLE, ArrayType, ObjectType, array_type
from symdiff.ops.effects import Happened
from symdiff.ops.foreign import literal_source
from symdiff.ops.primitive import CONSTANT, Jvp, Primitive, register

_OPERANDS = 6  # parameters of a draw, at most

Given = tuple[tuple[str, Any], ...]  # arguments: a keyword, or none, and a value


class Drawn(Happened):
    """What a draw has given, and generators as they are after it."""

    def __init__(self, before: Happened, of: Any, call: Callable[[Any], Any]) -> None:
        known: Mapping[int, Any] = getattr(before, "generators", MappingProxyType({}))
        own = copy.deepcopy(known.get(id(of), of))
        self.value = call(own)
        self.generators = {**known, id(of): own}


def _drawing(before: Happened, of: Any, *operands: Any, **call: Any) -> Drawn:
    args, kwargs = arguments(call["given"], call["places"], operands)
    if call["size"] is not None:
        kwargs["size"] = call["size"]
    return Drawn(before, of, lambda own: getattr(own, call["method"])(*args, **kwargs))


def arguments(
    given: Given, places: tuple[int, ...], operands: tuple[Any, ...]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call, operands in their places."""
    values = [value for _, value in given]
    for place, operand in zip(places, operands, strict=True):
        values[place] = operand
    pairs = list(zip([name for name, _ in given], values, strict=True))
    return [value for name, value in pairs if not name], {k: v for k, v in pairs if k}


def _drawing_source(before: str, of: str, *operands: str, **call: Any) -> str:
    written = _written(call["given"], call["places"], operands)
    size = call["size"]
    if size is not None:
        text = str(size[0]) if len(size) == 1 else str(size)
        count = sum(not name for name, _ in call["given"])
        written.insert(count, text if count == call["order"] else f"size={text}")
    return f"{of}.{call['method']}({', '.join(written)})"


def _written(given: Given, places: tuple[int, ...], operands: tuple[str, ...]) -> list[str]:
    texts = [f"np.{each}" if name == "dtype" else literal_source(each) for name, each in given]
    for place, operand in zip(places, operands, strict=True):
        texts[place] = operand
    return [
        f"{name}={text}" if name else text for (name, _), text in zip(given, texts, strict=True)
    ]


def _drawing_batch(
    before: Any, of: Any, *operands: Any, rows: int, batched: tuple[bool, ...], **call: Any
) -> Any:
    """All rows at once: the numbers come in the order in which a loop over them draws."""
    shape, size = call["shape"], call["shape"][: len(call["shape"]) - call["inner"]]
    own = [
        np.reshape(each, (rows, *(1,) * (len(size) + 1 - np.ndim(each)), *np.shape(each)[1:]))
        if is_row else each
        for each, is_row in zip(operands, batched[2:], strict=True)
    ]
    return drawing(before, of, *own, **{**call, "size": (rows, *size), "shape": (rows, *shape)})


def _by_row(method: str, given: Given, **call: Any) -> str:
    """Why the numbers of a loop over rows are not drawn all at once."""
    options = dict(given)
    if method in ("permutation", "permuted") or options.get("replace", True) is False:
        return "without replacement"
    small = np.dtype(options.get("dtype", np.int64)).itemsize < 4
    return "numbers that are kept in parts of a word" if small else ""


_PLACES = tuple(f"x{i}" for i in range(_OPERANDS))

drawing = register(
    Primitive(
        name="drawing",
        function=_drawing,
        arguments=("before", "of", *_PLACES),
        result=lambda *types, **params: TUPLE,
        rules=dict.fromkeys(("before", "of", *_PLACES), CONSTANT),
        numpy=_drawing_source,
        batch=_drawing_batch,
        effect=True,
        by_row=_by_row,
        parts=("draw",),
    )
)

drawn = register(
    Primitive(
        name="drawn",
        function=lambda drawing, index, dtype, shape, weak: drawing.value,
        arguments=("drawing",),
        result=lambda drawing, index, dtype, shape, weak: array_type(dtype, shape, weak),
        rules={"drawing": CONSTANT},
    )
)

# ---------------------------------------------------------------------------- derivatives

# What a draw is made of is fixed, and with it its derivative: (method, parameter).
_SLOPES: dict[tuple[str, str], Callable[..., Any]] = {
    ("lognormal", "mean"): lambda y, p: y,
    ("lognormal", "sigma"): lambda y, p: y * (np.log(y) - p["mean"]) / p["sigma"],
    ("weibull", "a"): lambda y, p: -y * np.log(y) / p["a"],
    ("power", "a"): lambda y, p: -y * np.log(y) / p["a"],
    ("pareto", "a"): lambda y, p: -(1 + y) * np.log1p(y) / p["a"],
}


def _tangent(
    index: int, y: Any, drawing: Any, *parameters: Any, method: str, names: tuple[str, ...],
    **result: Any,
) -> Any:
    *own, dot = parameters
    name = names[index]
    slope = _SLOPES.get((method, name))
    if slope is None:
        raise NotImplementedError(
            f"a draw of {method} has no derivative with respect to its argument `{name}`"
        )
    return slope(y, dict(zip(names, own, strict=True))) * dot


def _draw_type(
    drawing: ArrayType, *parameters: ArrayType, dtype: Any, shape: Any, weak: bool, **call: Any
) -> ArrayType:
    return array_type(dtype, shape, weak)


def _written_out(
    drawing: Any, *parameters: Any, dtype: Any, shape: Any, weak: bool, **call: Any
) -> Any:
    return drawn(drawing, index=0, dtype=dtype, shape=shape, weak=weak)


def _draw_batch(
    drawing: Any, *parameters: Any, shape: Any, rows: int, batched: tuple[bool, ...], **call: Any
) -> Any:
    return draw(drawing, *parameters, **{**call, "shape": (rows, *shape), "weak": False})


# The numbers of a call; `parameters` are what it was given, of which its derivative is asked.
draw = register(
    Primitive(
        name="draw",
        function=lambda drawing, *parameters, **call: drawing.value,
        arguments=("drawing", *_PLACES),
        result=_draw_type,
        rules={
            "drawing": CONSTANT,
            **{name: Jvp(partial(_tangent, i)) for i, name in enumerate(_PLACES)},
        },
        expansion=_written_out,
        batch=_draw_batch,
    )
)

# ---------------------------------------------------------------------------- generators


def _made(*operands: Any, maker: str, given: Given, places: tuple[int, ...], number: int) -> Any:
    if not given:
        raise KeyError("it is another one at each call")
    args, kwargs = arguments(given, places, operands)
    found = getattr(np.random, maker)(*args, **kwargs)
    return np.random.Generator(found) if maker in BITS else found


def _made_source(
    *operands: str, maker: str, given: Given, places: tuple[int, ...], number: int
) -> str:
    text = f"np.random.{maker}({', '.join(_written(given, places, operands))})"
    return f"np.random.Generator({text})" if maker in BITS else text


BITS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # of which a generator can be made


# A generator that the function makes: `number` tells those with one seed apart.
generator = register(
    Primitive(
        name="generator",
        function=_made,
        arguments=("seed",),
        result=lambda *types, maker, given, places, number: ObjectType(
            np.random.RandomState if maker == "RandomState" else np.random.Generator
        ),
        rules={"seed": CONSTANT},
        numpy=_made_source,
    )
)

# The generator that the functions of numpy.random share, of which the module has the methods.
shared = register(
    Primitive(
        name="shared",
        function=lambda: np.random.mtrand._rand,
        arguments=(),
        result=lambda: ObjectType(np.random.RandomState),
        rules={},
        numpy=lambda: "np.random",
    )
)
