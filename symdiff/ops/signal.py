"""scipy.signal: convolutions, filters, trends. Loaded when a program first meets it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import signal

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import (
    Jvp,
    Primitive,
    Samples,
    Transpose,
    case,
    composite,
    linear,
    register,
)
from symdiff.ops.reductions import along, normalize_axes, one_axis

Axes = tuple[int, ...]

# ---------------------------------------------------------------------------- convolutions


def _axes_of(x: Any, axes: Axes | None = None, **how: Any) -> Axes:
    """The axes of a convolution: all, where its function takes no others."""
    return tuple(range(len(x.shape))) if axes is None else axes


@lru_cache(maxsize=256)
def _dtype(function: Callable[..., Any], dtype: np.dtype[Any], ndim: int) -> np.dtype[Any]:
    """The dtype of a convolution, which SciPy itself says."""
    one = np.ones((1,) * ndim, dtype)
    return function(one, one).dtype  # type: ignore[no-any-return]


def _extent(n: int, m: int, mode: str) -> int:
    return {"full": n + m - 1, "same": n, "valid": abs(n - m) + 1}[mode]


def _is_inside(own: Any, other: Any, mode: str, axes: Axes) -> bool:
    """Whether the result is of those places where the other factor is inside this one."""
    return mode == "valid" and all(own.shape[i] >= other.shape[i] for i in axes)


def _in_full(y_bar: Any, in2: Any, mode: str, axes: Axes, later: bool) -> Any:
    """The cotangent of all of a convolution, of which "same" is the middle, or one place later."""
    if mode != "same":
        return y_bar
    more = [in2.shape[i] - 1 if i in axes else 0 for i in range(len(in2.shape))]
    before = [(extra + later) // 2 for extra in more]
    return np.pad(y_bar, [(n, extra - n) for n, extra in zip(before, more, strict=True)])


def _of_convolution(own: dict[str, Primitive], name: str) -> dict[str, Any]:
    """The rules of a convolution: the cotangent of the result with the other factor, turned."""

    def first(y_bar: Any, in1: Any, in2: Any, mode: str, **how: Any) -> Any:
        return _against(own[name], y_bar, in1, _turned(in2, how), in2, mode, how)

    def second(y_bar: Any, in1: Any, in2: Any, mode: str, **how: Any) -> Any:
        return _against(own[name], y_bar, in2, _turned(in1, how), in2, mode, how)

    return {"in1": first, "in2": second}


def _of_correlation(own: dict[str, Primitive], name: str) -> dict[str, Any]:
    """Those of a correlation: a convolution with the second factor turned and conjugated."""
    later = name.endswith("2d")  # as SciPy has it

    def first(y_bar: Any, in1: Any, in2: Any, mode: str, **how: Any) -> Any:
        return _against(own[name], y_bar, in1, np.conj(in2), in2, mode, how, later)

    def second(y_bar: Any, in1: Any, in2: Any, mode: str, **how: Any) -> Any:
        found = _against(own[name], y_bar, in2, _turned(in1, how), in2, mode, how, later)
        return np.conj(_turned(found, how))

    return {"in1": first, "in2": second}


def _turned(x: Any, how: dict[str, Any]) -> Any:
    return np.flip(x, _axes_of(x, **how))


def _against(
    convolution: Primitive,
    y_bar: Any,
    factor: Any,
    other: Any,
    in2: Any,
    mode: str,
    how: dict[str, Any],
    later: bool = False,
) -> Any:
    """The cotangent of a factor: that of the result against the other one, turned."""
    axes = _axes_of(factor, **how)
    z_bar = _in_full(y_bar, in2, mode, axes, later)
    whole = "full" if _is_inside(factor, other, mode, axes) else "valid"
    return convolution(z_bar, other, mode=whole, **how)


def _batch(own: dict[str, Primitive], name: str) -> Any:
    def over_axes(in1: Any, in2: Any, mode: str, axes: Axes) -> Any:
        return own[name](in1, in2, mode=mode, axes=tuple(i + 1 for i in axes))

    def rows(in1: Any, in2: Any, mode: str, batched: tuple[bool, ...], **how: Any) -> Any:
        """Rows against one and the same factor are a convolution with one more axis."""
        a, b = (x if has else x[None] for x, has in zip((in1, in2), batched, strict=True))
        turned = batched[1] and name == "correlate"  # the rows as well
        if _is_one_call(a, b, mode, batched) and not (turned or name.endswith("2d")):
            return own[name](a, b, mode=mode, **how)
        count = max(a.shape[0], b.shape[0])
        pairs = ((a[i % a.shape[0]], b[i % b.shape[0]]) for i in range(count))
        return np.stack([own[name](x, k, mode=mode, **how) for x, k in pairs])

    return over_axes if name in OVER_AXES else rows


def _is_one_call(a: Any, b: Any, mode: str, batched: tuple[bool, ...]) -> bool:
    """Whether the factor that has rows is the one whose extent the result has."""
    if all(batched):
        return False
    rows, other = (a, b) if batched[0] else (b, a)
    inside = _is_inside(rows, other, mode, tuple(range(1, len(a.shape))))
    return mode == "full" or (mode == "same" and batched[0]) or inside


OVER_AXES = ("fftconvolve", "oaconvolve")  # the functions that take axes
_SIZES = (
    ("f", 5, 3, "full"),
    ("f", 3, 5, "full"),
    ("c", 4, 3, "full"),
    ("f", 5, 3, "same"),
    ("f", 5, 2, "same"),
    ("f", 2, 5, "same"),
    ("c", 5, 2, "valid"),
    ("f", 2, 4, "valid"),
    ("f", 1, 1, "full"),
)


def _sliding(name: str, more: str, **how: Any) -> Primitive:
    """The record of a convolution or correlation, linear in each of its two factors."""
    function = getattr(signal, name)
    correlates = name.startswith("correlate")

    def apply(in1: Any, in2: Any, mode: str, **how: Any) -> Any:
        return function(in1, in2, mode=mode, **how)

    def result(in1: ArrayType, in2: ArrayType, mode: str, **how: Any) -> ArrayType:
        shape = list(in1.shape)
        for i in _axes_of(in1, **how):
            shape[i] = _extent(in1.shape[i], in2.shape[i], mode)
        return array_type(_dtype(function, in1.dtype, in1.ndim), tuple(shape))

    def source(in1: str, in2: str, mode: str, types: tuple[ArrayType, ...], **how: Any) -> str:
        options = "" if mode == "full" else f', mode="{mode}"'
        if how.get("method", "auto") != "auto":
            options += f', method="{how["method"]}"'
        if "axes" in how and how["axes"] != _axes_of(types[0]):
            options += f", axes={how['axes']}"
        return f"scipy.signal.{name}({in1}, {in2}{options})"

    rules = _of_correlation if correlates else _of_convolution
    partner = name.replace("correlate", "convolve")
    SLIDING[name] = linear(
        apply,
        name=f"scipy_{name}",
        result=result,
        transpose=rules(SLIDING, partner),
        batch=_batch(SLIDING, name),
        numpy=source,
        samples=Samples(
            cases=tuple(
                case(f"{kind}[{n}{more}]", f"{kind}[{m}{more}]", mode=mode, **how)
                for kind, n, m, mode in _SIZES
            )
        ),
    )
    return SLIDING[name]


SLIDING: dict[str, Primitive] = {}


def _checked(name: str, in1: Any, in2: Any, mode: str) -> tuple[Any, Any]:
    """The factors as arrays. Raises ValueError for what SciPy refuses, and for empty ones."""
    in1, in2 = (np.asarray(x) if isinstance(x, (list, tuple)) else x for x in (in1, in2))
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"acceptable mode flags are 'valid', 'same', or 'full' (got {mode!r})")
    if np.ndim(in1) != np.ndim(in2) or not np.ndim(in1):
        raise ValueError(f"scipy.signal.{name}: both inputs should have the same number of axes")
    if not np.size(in1) or not np.size(in2):
        raise ValueError(f"scipy.signal.{name} of an empty array")
    return in1, in2


def _check_valid(in1: Any, in2: Any, mode: str, axes: Axes) -> None:
    inside = _is_inside(in1, in2, mode, axes) or _is_inside(in2, in1, mode, axes)
    if mode == "valid" and not inside:
        raise ValueError("For 'valid' mode, one must be at least as large as the other in "
                         "every dimension")


def _with_method(name: str) -> None:
    op = _sliding(name, "", method="auto")

    @composite(getattr(signal, name))
    def call(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
        in1, in2 = _checked(name, in1, in2, mode)
        _check_valid(in1, in2, mode, _axes_of(in1))
        if method not in ("auto", "direct", "fft"):
            raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
        return op(in1, in2, mode=mode, method=method)


def _with_axes(name: str) -> None:
    op = _sliding(name, ",2", axes=(0,))

    @composite(getattr(signal, name), cost="is differentiated by two convolutions as long as it")
    def call(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
        in1, in2 = _checked(name, in1, in2, mode)
        along = normalize_axes(axes, np.ndim(in1))
        _check_valid(in1, in2, mode, along)
        shapes = [tuple(1 if i in along else n for i, n in enumerate(x.shape)) for x in (in1, in2)]
        common = np.broadcast_shapes(*shapes)
        in1, in2 = (_stretched(x, along, common) for x in (in1, in2))
        return op(in1, in2, mode=mode, axes=along)


def _stretched(x: Any, axes: Axes, common: Axes) -> Any:
    """x at the extents that both factors have beside the axes of the convolution."""
    shape = tuple(x.shape[i] if i in axes else extent for i, extent in enumerate(common))
    return x if shape == x.shape else np.broadcast_to(x, shape)


def _in_the_plane(name: str) -> None:
    op = _sliding(name, ",2")

    @composite(getattr(signal, name))
    def call(
        in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
    ) -> Any:
        if boundary != "fill" or np.ndim(fillvalue) or fillvalue != 0:
            raise NotImplementedError(
                f"scipy.signal.{name} with boundary= or fillvalue= is not traced; "
                'np.pad with its modes, and mode="valid", say the same'
            )
        in1, in2 = _checked(name, in1, in2, mode)
        if np.ndim(in1) != 2:
            raise ValueError(f"scipy.signal.{name} inputs must both be 2-D arrays")
        _check_valid(in1, in2, mode, (0, 1))
        return op(in1, in2, mode=mode)


for _name in ("convolve", "correlate"):
    _with_method(_name)
    _in_the_plane(f"{_name}2d")
for _name in OVER_AXES:
    _with_axes(_name)

# ---------------------------------------------------------------------------- filters


FEW_DELAYS = 16  # up to so many products cost less than a transform


def _lfilter(b: Any, a: Any, x: Any, axis: int) -> Any:
    return signal.lfilter(b, a, x, axis=axis)


def _filtered_type(b: ArrayType, a: ArrayType, x: ArrayType, axis: int) -> ArrayType:
    return x.with_dtype(np.result_type(b.dtype, a.dtype, x.dtype, np.float32))


def _filtered_signal(y_bar: Any, b: Any, a: Any, x: Any, axis: int) -> Any:
    """The same filter, backwards in time."""
    return np.flip(lfilter(b, a, np.flip(y_bar, axis), axis=axis), axis)


def _filtered_numerator(y_bar: Any, b: Any, a: Any, x: Any, axis: int) -> Any:
    """The signal without the numerator, against the cotangent at each delay."""
    count, extent = np.shape(b)[0], np.shape(x)[axis]
    alone = lfilter(np.ones(1, y_bar.dtype), a, x, axis=axis)
    if 0 < count <= min(FEW_DELAYS, extent):
        later = [y_bar, *(y_bar[along(axis, i, None)] for i in range(1, count))]
        earlier = [alone, *(alone[along(axis, -i)] for i in range(1, count))]
        return np.stack([np.sum(each * x) for each, x in zip(later, earlier, strict=True)])
    full = SLIDING["fftconvolve"](y_bar, np.flip(alone, axis), mode="full", axes=(axis,))
    delays = full[(*(slice(None),) * axis, slice(extent - 1, extent - 1 + count))]
    b_bar = np.sum(delays, axis=tuple(i for i in range(np.ndim(x)) if i != axis))
    missing = count - np.shape(b_bar)[0]
    return np.pad(b_bar, (0, missing)) if missing > 0 else b_bar


def _filter_batch(b: Any, a: Any, x: Any, axis: int, batched: tuple[bool, ...]) -> Any:
    if not (batched[0] or batched[1]):
        return lfilter(b, a, x, axis=axis + 1)
    count = next(each.shape[0] for each, has in zip((b, a, x), batched, strict=True) if has)
    rows = [
        [each[i] if has else each for each, has in zip((b, a, x), batched, strict=True)]
        for i in range(count)
    ]
    return np.stack([lfilter(*row, axis=axis) for row in rows])


def _filter_source(b: str, a: str, x: str, axis: int, types: tuple[ArrayType, ...]) -> str:
    place = "" if axis == types[2].ndim - 1 else f", axis={axis}"
    return f"scipy.signal.lfilter({b}, {a}, {x}{place})"


lfilter: Primitive = register(
    Primitive(
        name="lfilter",
        function=_lfilter,
        arguments=("b", "a", "x"),
        result=_filtered_type,
        rules={
            "b": Transpose(_filtered_numerator),
            # a * y = b * x, as convolutions: so a * y_dot = -a_dot * y
            "a": Jvp(lambda y, b, a, x, a_dot, axis: -lfilter(a_dot, a, y, axis=axis)),
            "x": Transpose(_filtered_signal),
        },
        batch=_filter_batch,
        numpy=_filter_source,
        samples=Samples(
            cases=(
                case("f[3]", "f[2]:positive", "f[5]", axis=0),
                case("f[2]", "f[3]:positive", "f[2,4]", axis=1),
                case("f[1]", "f[1]:positive", "f[3,2]", axis=0),
                case("f[4]", "f[2]:positive", "f[2]", axis=0),
                case("f[17]", "f[2]:positive", "f[18]", axis=0),
            )
        ),
    )
)

# ---------------------------------------------------------------------------- trends


def _detrend(x: Any, axis: int, kind: str, bp: Axes) -> Any:
    return signal.detrend(x, axis=axis, type=kind, bp=bp)


def _detrend_source(x: str, axis: int, kind: str, bp: Axes, types: tuple[ArrayType, ...]) -> str:
    options = "" if axis == types[0].ndim - 1 else f", axis={axis}"
    options += "" if kind == "linear" else f', type="{kind}"'
    options += f", bp={bp}" if bp != (0,) else ""
    return f"scipy.signal.detrend({x}{options})"


detrend: Primitive = linear(
    _detrend,
    name="detrend",
    result=lambda x, axis, kind, bp: x,
    # a projection, and an orthogonal one
    transpose={"x": lambda y_bar, x, **how: detrend(y_bar, **how)},
    batch=lambda x, axis, **how: detrend(x, axis=axis + 1, **how),
    numpy=_detrend_source,
    samples=Samples(
        cases=(
            case("f[5]", axis=0, kind="linear", bp=(0,)),
            case("f[6,2]", axis=0, kind="linear", bp=(0, 3)),
            case("f[2,4]", axis=1, kind="constant", bp=(0,)),
        )
    ),
)


@composite(signal.detrend)
def without_trend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """What is left of a signal without its mean, or the lines that are nearest to it."""
    kind = {"l": "linear", "c": "constant"}.get(type, type)
    if kind not in ("linear", "constant"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    data = data if data.dtype.kind in "fc" else data.astype(np.float64)
    breaks = tuple(int(each) for each in np.atleast_1d(bp))
    return detrend(data, axis=one_axis(axis, np.ndim(data)), kind=kind, bp=breaks)
