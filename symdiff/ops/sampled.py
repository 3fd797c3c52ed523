"""Functions of samples: interpolation between them, and their convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.order import rank
from symdiff.ops.primitive import (
    Called,
    Core,
    Primitive,
    Samples,
    Transpose,
    all_batched,
    array_of,
    case,
    composite,
    is_plain,
    primitive,
    register,
)
from symdiff.ops.shaping import ARRAY, index_add

# ---------------------------------------------------------------------------- interpolation


def _interpolated(x: Any, xp: Any, fp: Any, zeros: tuple[bool, bool]) -> Any:
    """np.interp; beyond an end of the data the value there, or 0."""
    left, right = (0 if zero else None for zero in zeros)
    return np.interp(x, xp, fp, left, right)


def _segment(x: Any, xp: Any) -> Any:
    """The number of the segment of the data that x is in, or next to."""
    return np.searchsorted(xp[1:-1], x, side="right")


def _slope(x: Any, xp: Any, fp: Any) -> Any:
    """How steep the segment is that x is in, 0 outside."""
    if np.shape(xp)[0] == 1:
        return np.zeros_like(x)
    place = _segment(x, xp)
    if np.size(place) < np.size(xp):
        slope = (fp[place + 1] - fp[place]) / (xp[place + 1] - xp[place])
    else:
        slope = (np.diff(fp) / np.diff(xp))[place]
    return np.where((x < xp[0]) | (x > xp[-1]), 0, slope)


def _data_tangent(y: Any, x: Any, xp: Any, fp: Any, xp_dot: Any, zeros: tuple[bool, bool]) -> Any:
    moved = interp(x, xp, xp_dot, zeros=(False, False))
    return (-_slope(x, xp, fp) * moved).astype(y.dtype)


def _values_adjoint(y_bar: Any, x: Any, xp: Any, fp: Any, zeros: tuple[bool, bool]) -> Any:
    """Each value goes to both ends of its segment, to the nearer one the larger part."""
    left, right = zeros
    if left:
        y_bar = np.where(x < xp[0], 0, y_bar)
    if right:
        y_bar = np.where(x > xp[-1], 0, y_bar)
    y_bar, total = y_bar.astype(fp.dtype), np.zeros_like(fp)
    if np.shape(xp)[0] == 1:
        return total + np.sum(y_bar)
    place = _segment(x, xp)
    part = np.clip((x - xp[place]) / (xp[place + 1] - xp[place]), 0, 1)
    total = index_add(total, (1 - part) * y_bar, place, index=(ARRAY,))
    return index_add(total, part * y_bar, place + 1, index=(ARRAY,))


def _interp_batch(
    x: Any, xp: Any, fp: Any, zeros: tuple[bool, bool], batched: tuple[bool, ...]
) -> Any:
    if not any(batched[1:]):
        return interp(x, xp, fp, zeros=zeros)
    x, xp, fp = all_batched((x, xp, fp), batched)
    rows, last = np.reshape(x, (np.shape(x)[0], -1)), np.shape(xp)[1] - 1
    place = rank(xp[:, 1:-1], rows, "right")
    after = np.minimum(place + 1, last)
    (start, stop), (low, high) = (
        (np.take_along_axis(each, place, 1), np.take_along_axis(each, after, 1))
        for each in (xp, fp)
    )
    part = np.clip((rows - start) / np.where(stop == start, 1, stop - start), 0, 1)
    y = low + part * (high - low)
    y = np.where(rows < xp[:, :1], 0, y) if zeros[0] else y
    y = np.where(rows > xp[:, -1:], 0, y) if zeros[1] else y
    return np.reshape(y, np.shape(x)).astype(np.float64)


def _interp_source(x: str, xp: str, fp: str, zeros: tuple[bool, bool]) -> str:
    ends = [f", {end}=0" for end, zero in zip(("left", "right"), zeros, strict=True) if zero]
    return f"np.interp({x}, {xp}, {fp}{''.join(ends)})"


def _interp_c(x: Any, xp: Any, fp: Any, zeros: tuple[bool, bool]) -> Any:
    """For C: in double precision, as NumPy computes it."""
    if all(each.dtype == np.float64 for each in (x, xp, fp)):
        return NotImplemented
    return interp(*(each.astype(np.float64) for each in (x, xp, fp)), zeros=zeros)


def _interp_core(x: ArrayType, xp: ArrayType, fp: ArrayType, zeros: tuple[bool, bool]) -> Core:
    values = ",".join(map(str, x.shape))
    numbers = (x.size, int(zeros[0]), int(zeros[1]))
    return Core("sd_interp", f"({values}),(n),(n)->({values})", numbers)


interp: Primitive = primitive(
    _interpolated,
    name="interp",
    arguments=("x", "xp", "fp"),
    result=lambda x, xp, fp, zeros: array_type(np.float64, x.shape),
    jvp={
        "x": lambda y, x, xp, fp, x_dot, zeros: (_slope(x, xp, fp) * x_dot).astype(y.dtype),
        "xp": _data_tangent,
    },
    transpose={"fp": _values_adjoint},
    batch=_interp_batch,
    numpy=_interp_source,
    c=Called(_interp_core),
    c_expansion=_interp_c,
    convention="At a data point np.interp has the slope to the right of it, at the last one that "
    "to the left; outside the data 0.",
    samples=Samples(
        cases=(
            case("f[]", "f[4]:sorted", "f[4]", zeros=(False, False)),
            case("f[2,3]", "f[3]:sorted", "f[3]", zeros=(True, False)),
            case("f[3]", "f[1]", "f[1]", zeros=(False, True)),
        )
    ),
)


@composite(np.interp, cost="is differentiated in the data points too: sums at computed places")
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Linear between data points, constant outside."""
    x, xp, fp = map(array_of, (x, xp, fp))
    if np.ndim(xp) != 1 or np.ndim(fp) != 1:
        raise ValueError("Data points must be 1-D sequences")
    if np.shape(xp) != np.shape(fp):
        raise ValueError("fp and xp are not of the same length")
    if not np.size(xp):
        raise ValueError("array of sample points is empty")
    if period is not None:
        return _periodic(x, xp, fp, period)
    if np.iscomplexobj(fp):
        real, imag = (
            np.interp(x, xp, part(fp), *(e if e is None else part(e) for e in (left, right)))
            for part in (np.real, np.imag)
        )
        return real + 1j * imag
    zeros = tuple(type(end) in (int, float) and end == 0 for end in (left, right))
    y = interp(x, xp, fp, zeros=zeros)
    if left is not None and not zeros[0]:
        y = np.where(x < xp[0], left, y)
    if right is not None and not zeros[1]:
        y = np.where(x > xp[-1], right, y)
    return y


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> Any:
    if is_plain(period) and period == 0:
        raise ValueError("period must be a non-zero value")
    period = np.abs(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return np.interp(x, xp, np.concatenate([fp[-1:], fp, fp[:1]]))


# ---------------------------------------------------------------------------- convolution


def _span(a: Any, v: Any, mode: str, reversed: bool = False) -> tuple[int, int]:
    """Where in the full convolution the result of a mode starts, and how long it is.

    np.correlate exchanges its operands where the first is the shorter, and reverses the result.
    """
    short, long = sorted((np.shape(a)[0], np.shape(v)[0]))
    if mode == "full":
        return 0, short + long - 1
    if mode == "valid":
        return short - 1, long - short + 1
    exchanged = reversed and np.shape(a)[0] < np.shape(v)[0]
    return short // 2 if exchanged else (short - 1) // 2, long


def _in_full(y_bar: Any, a: Any, v: Any, mode: str, reversed: bool = False) -> Any:
    """The cotangent of the full convolution: zeros around that of the result."""
    start, length = _span(a, v, mode, reversed)
    after = np.shape(a)[0] + np.shape(v)[0] - 1 - start - length
    return np.pad(y_bar, (start, after)) if start or after else y_bar


def _is_inside(a: Any, v: Any, mode: str) -> bool:
    """Whether the result is of those places where v is inside a."""
    return mode == "valid" and np.shape(a)[0] >= np.shape(v)[0]


def _is_centred(a: Any, v: Any, mode: str) -> bool:
    """Whether the result has an element for each of a, with v around it."""
    return mode == "same" and np.shape(a)[0] >= np.shape(v)[0] and np.shape(v)[0] % 2 == 1


def _convolve_adjoint(y_bar: Any, a: Any, v: Any, mode: str) -> Any:
    """The cotangent of a: np.convolve turned around."""
    if _is_centred(a, v, mode):
        return _correlated(y_bar, v, "same")
    if _is_inside(a, v, mode):
        return _correlated(y_bar, v, "full")
    return _correlated(_in_full(y_bar, a, v, mode), v, "valid")


def _convolve_second(y_bar: Any, a: Any, v: Any, mode: str) -> Any:
    if _is_inside(a, v, mode):
        return np.flip(_correlated(a, y_bar, "valid"))
    return _correlated(_in_full(y_bar, a, v, mode), a, "valid")


def _correlated(a: Any, v: Any, mode: str) -> Any:
    """np.correlate without conjugation."""
    if np.iscomplexobj(a) or np.iscomplexobj(v):
        return convolve(a, np.flip(v), mode=mode)
    return correlate(a, v, mode=mode)


def _correlate_first(y_bar: Any, a: Any, v: Any, mode: str) -> Any:
    if _is_centred(a, v, mode):
        return convolve(y_bar, v, mode="same")
    if _is_inside(a, v, mode):
        return convolve(y_bar, v, mode="full")
    return convolve(_in_full(y_bar, a, v, mode, True), v, mode="valid")


def _correlate_second(y_bar: Any, a: Any, v: Any, mode: str) -> Any:
    if _is_inside(a, v, mode):
        return correlate(a, y_bar, mode="valid")
    return correlate(a, _in_full(y_bar, a, v, mode, True), mode="valid")


def _of_windows(a: Any, v: Any, start: int, length: int) -> Any:
    """A part of the convolution of each row: the products of v with windows of a."""
    extent = np.shape(v)[-1]
    padded = np.pad(a, ((0, 0),) * (np.ndim(a) - 1) + ((extent - 1, extent - 1),))
    places = np.arange(start, start + length)[:, None] + np.arange(extent)
    windows, turned = padded[..., places], np.flip(v, -1)
    if np.ndim(v) == 1:
        return windows @ turned
    return (windows @ turned[..., None])[..., 0]


def _convolve_batch(a: Any, v: Any, mode: str, batched: tuple[bool, ...]) -> Any:
    first, second = a[0] if batched[0] else a, v[0] if batched[1] else v
    start, length = _span(first, second, mode)
    if np.shape(a)[-1] < np.shape(v)[-1]:
        a, v = v, a
    return _of_windows(a, v, start, length)


def _correlate_batch(a: Any, v: Any, mode: str, batched: tuple[bool, ...]) -> Any:
    first, second = a[0] if batched[0] else a, v[0] if batched[1] else v
    start, length = _span(first, second, mode, reversed=True)
    turned = np.flip(v, -1)
    if np.shape(a)[-1] < np.shape(v)[-1]:
        a, turned = turned, a
    return _of_windows(a, turned, start, length)


def _sliding(name: str, default: str, **fields: Any) -> Primitive:
    """np.convolve or np.correlate, linear in both operands."""
    function: Any = getattr(np, name)

    def result(a: ArrayType, v: ArrayType, mode: str) -> ArrayType:
        if a.ndim != 1 or v.ndim != 1:
            raise ValueError(f"object too deep for desired array: np.{name} takes one axis each")
        if not a.size or not v.size:
            raise ValueError(f"np.{name} of an empty array")
        dtype = function(np.ones(1, a.dtype), np.ones(1, v.dtype)).dtype
        return array_type(dtype, (_span(np.empty(a.shape), np.empty(v.shape), mode)[1],))

    def source(a: str, v: str, mode: str) -> str:
        return f"np.{name}({a}, {v}{'' if mode == default else f', {mode!r}'})"

    return register(
        Primitive(
            name=name,
            function=function,
            arguments=("a", "v"),
            result=result,
            numpy=source,
            samples=Samples(
                cases=(
                    case("f[5]", "f[2]", mode="full"),
                    case("f[5]", "f[3]", mode="same"),
                    case("f[5]", "f[2]", mode="same"),
                    case("f[2]", "f[5]", mode="same"),
                    case("f[5]", "f[3]", mode="valid"),
                    case("f[2]", "f[4]", mode="valid"),
                    case("f[1]", "f[1]", mode="full"),
                )
            ),
            **fields,
        )
    )


def _mode(mode: str) -> str:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    return mode


convolve: Primitive = _sliding(
    "convolve",
    "full",
    rules={
        "a": Transpose(_convolve_adjoint),
        "v": Transpose(_convolve_second),
    },
    call=lambda a, v, mode="full": (
        (np.atleast_1d(a), np.atleast_1d(v)),
        {"mode": _mode(mode)},
    ),
    batch=_convolve_batch,
)


correlate: Primitive = _sliding(
    "correlate",
    "valid",
    rules={"a": Transpose(_correlate_first), "v": Transpose(_correlate_second)},
    batch=_correlate_batch,
)


@composite(np.correlate)
def _correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Sums of products of a with v at each shift; of complex numbers with its conjugate."""
    if not (np.iscomplexobj(a) or np.iscomplexobj(v)):
        return correlate(a, v, mode=_mode(mode))
    if np.shape(a)[0] < np.shape(v)[0]:
        return np.flip(np.conj(np.correlate(v, a, mode)))
    return np.convolve(a, np.flip(np.conj(v)), mode)
