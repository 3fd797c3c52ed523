"""scipy.signal: filters with a state, forwards and back, smoothing, the analytic signal.

All are linear in the signal. What they are made of is NumPy code and filters from rest, through
which the derivative goes.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.foreign import literal_source
from symdiff.ops.primitive import (
    Jvp,
    Primitive,
    Refused,
    Rule,
    Samples,
    Transpose,
    array_of,
    case,
    composite,
    register,
)
from symdiff.ops.reductions import one_axis
from symdiff.ops.several import one_of, several
from symdiff.ops.signal import lfilter


def _along(axis: int, *bounds: int | None) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(*bounds))


def _floats(x: Any) -> Any:
    """A signal as an array of floats or complex numbers."""
    x = array_of(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _source(function: Callable[..., Any], hidden: Sequence[str] = ()) -> Callable[..., str]:
    """The call of a function whose operands come first, with the options that are not its own."""
    parameters = inspect.signature(function).parameters
    usual = {name: each.default for name, each in parameters.items()}

    def source(*operands: str, types: tuple[ArrayType, ...], **params: Any) -> str:
        last = usual["axis"] % types[-1].ndim
        options = [
            f"{name}={literal_source(each)}"
            for name, each in params.items()
            if name not in hidden and each != (last if name == "axis" else usual[name])
        ]
        return f"scipy.signal.{function.__name__}({', '.join([*operands, *options])})"

    return source


def _by_rows(op: Primitive) -> Callable[..., Any]:
    """The batching rule: signals of one more axis, or one call for each row of coefficients."""

    def batch(*args: Any, batched: Sequence[bool], axis: int, **params: Any) -> Any:
        if not any(batched[:-1]):
            return op(*args, axis=axis + 1, **params)
        count = next(each.shape[0] for each, has in zip(args, batched, strict=True) if has)
        rows = [
            [each[i] if has else each for each, has in zip(args, batched, strict=True)]
            for i in range(count)
        ]
        return np.stack([op(*row, axis=axis, **params) for row in rows])

    return batch


def _filter(
    function: Callable[..., Any],
    arguments: str,
    rules: Mapping[str, Rule],
    samples: Samples,
    extent: Callable[..., int] | None = None,
    dtype: Any = np.float32,
    hidden: Sequence[str] = (),
    reference: Callable[..., Any] | None = None,
) -> Primitive:
    """The record of a function of coefficients and a signal, which is the last argument.

    `hidden` are parameters that only the rules read.
    """

    def apply(*args: Any, **params: Any) -> Any:
        given = {key: params[key] for key in params if key not in hidden}
        return (reference or function)(*args, **given)

    def result(*types: ArrayType, axis: int, **params: Any) -> ArrayType:
        shape = list(types[-1].shape)
        shape[axis] = extent(shape[axis], **params) if extent else shape[axis]
        return array_type(np.result_type(*[each.dtype for each in types], dtype), tuple(shape))

    made = register(
        Primitive(
            name=function.__name__,
            function=apply,
            arguments=tuple(arguments.split()),
            result=result,
            rules=rules,
            numpy=_source(function, hidden),
            samples=samples,
        )
    )
    made.batch = _by_rows(made)
    return made


# ---------------------------------------------------------------------------- from a state

_both = several(
    lambda b, a, x, zi, axis: signal.lfilter(b, a, x, axis=axis, zi=zi),
    name="lfilter_from_state",
    numpy=lambda b, a, x, zi, axis, types: (
        f"scipy.signal.lfilter({b}, {a}, {x}"
        f"{'' if axis == types[2].ndim - 1 else f', axis={axis}'}, zi={zi})"
    ),
    arguments=("b", "a", "x", "zi"),
    parts="filtered state",
)


def _state_type(b: ArrayType, a: ArrayType, x: ArrayType, zi: ArrayType, axis: int) -> ArrayType:
    dtypes = [each.dtype for each in (b, a, x, zi)]
    return array_type(np.result_type(*dtypes, np.float32), zi.shape)


def _output_type(b: ArrayType, a: ArrayType, x: ArrayType, zi: ArrayType, axis: int) -> ArrayType:
    return array_type(_state_type(b, a, x, zi, axis).dtype, x.shape)


def _state_batch(op: Callable[[], Primitive]) -> Callable[..., Any]:
    def batch(*args: Any, batched: Sequence[bool], axis: int) -> Any:
        b, a, x, zi = args
        if not (batched[0] or batched[1]) and batched[2] and batched[3]:
            return op()(b, a, x, zi, axis=axis + 1)
        count = next(each.shape[0] for each, has in zip(args, batched, strict=True) if has)
        return np.stack([
            op()(*[each[i] if has else each for each, has in zip(args, batched, strict=True)],
                 axis=axis)
            for i in range(count)
        ])  # fmt: skip

    return batch


def _as_input(zi: Any, x: Any, axis: int) -> Any:
    """A state as what it adds to a * y, of the extent of the signal."""
    missing = np.shape(x)[axis] - np.shape(zi)[axis]
    if missing <= 0:
        return zi[_along(axis, np.shape(x)[axis])]
    return np.concatenate([zi, np.zeros_like(zi, shape=_at(np.shape(zi), axis, missing))], axis)


def _at(shape: tuple[int, ...], axis: int, extent: int) -> tuple[int, ...]:
    return (*shape[:axis], extent, *shape[axis + 1 :])


def _left_over(c: Any, x: Any, count: int, axis: int) -> Any:
    """The first elements of the convolution c * x after the extent of x: what the state keeps."""
    extent = np.shape(x)[axis]
    rows = []
    for i in range(count):
        # c[j] meets x[extent + i - j]
        terms = [
            c[j] * x[_along(axis, extent + i - j, extent + i - j + 1)]
            for j in range(i + 1, min(np.shape(c)[0], extent + i + 1))
        ]
        nothing = np.zeros_like(x, shape=_at(np.shape(x), axis, 1))
        rows.append(sum(terms[1:], terms[0]) if terms else nothing)
    return np.concatenate(rows, axis)


def _later(zi: Any, x: Any, axis: int) -> Any:
    """What of a state is still one after the signal, which may be shorter."""
    kept = zi[_along(axis, np.shape(x)[axis], None)]
    missing = np.shape(zi)[axis] - np.shape(kept)[axis]
    return np.concatenate([kept, np.zeros_like(zi, shape=_at(np.shape(zi), axis, missing))], axis)


# a * y = b * x + a[0] * zi, as sequences; of what is later than the signal the state is made
output: Primitive = one_of(
    _both,
    0,
    "lfilter_output",
    result=_output_type,
    rules={
        "b": Jvp(lambda y, b, a, x, zi, b_dot, axis: lfilter(b_dot, a, x, axis=axis)),
        "a": Jvp(
            lambda y, b, a, x, zi, a_dot, axis: (
                lfilter(a_dot[:1], a, _as_input(zi, x, axis), axis=axis)
                - lfilter(a_dot, a, y, axis=axis)
            )
        ),
        "x": Jvp(lambda y, b, a, x, zi, x_dot, axis: lfilter(b, a, x_dot, axis=axis)),
        "zi": Jvp(
            lambda y, b, a, x, zi, zi_dot, axis: lfilter(
                a[:1], a, _as_input(zi_dot, x, axis), axis=axis
            )
        ),
    },
    batch=_state_batch(lambda: output),
    samples=Samples(
        cases=(
            case("f[3]", "f[2]:positive", "f[5]", "f[2]", axis=0),
            case("f[2]", "f[3]:positive", "f[2,4]", "f[2,2]", axis=1),
            case("f[4]", "f[2]:positive", "f[2]", "f[3]", axis=0),
        )
    ),
)


def _state_in_b(y: Any, b: Any, a: Any, x: Any, zi: Any, b_dot: Any, axis: int) -> Any:
    moved, count = lfilter(b_dot, a, x, axis=axis), np.shape(zi)[axis]
    return (_left_over(b_dot, x, count, axis) - _left_over(a, moved, count, axis)) / a[0]


def _state_in_a(y: Any, b: Any, a: Any, x: Any, zi: Any, a_dot: Any, axis: int) -> Any:
    count, made = np.shape(zi)[axis], output(b, a, x, zi, axis=axis)
    first = lfilter(a_dot[:1], a, _as_input(zi, x, axis), axis=axis)
    moved = first - lfilter(a_dot, a, made, axis=axis)
    terms = _left_over(a_dot, made, count, axis) + _left_over(a, moved, count, axis)
    return -(terms + a_dot[0] * (y - _later(zi, x, axis))) / a[0]


def _state_in_x(y: Any, b: Any, a: Any, x: Any, zi: Any, x_dot: Any, axis: int) -> Any:
    moved, count = lfilter(b, a, x_dot, axis=axis), np.shape(zi)[axis]
    return (_left_over(b, x_dot, count, axis) - _left_over(a, moved, count, axis)) / a[0]


def _state_in_state(y: Any, b: Any, a: Any, x: Any, zi: Any, zi_dot: Any, axis: int) -> Any:
    moved, count = lfilter(a[:1], a, _as_input(zi_dot, x, axis), axis=axis), np.shape(zi)[axis]
    return _later(zi_dot, x, axis) - _left_over(a, moved, count, axis) / a[0]


state: Primitive = one_of(
    _both,
    1,
    "lfilter_state",
    result=_state_type,
    rules={
        "b": Jvp(_state_in_b),
        "a": Jvp(_state_in_a),
        "x": Jvp(_state_in_x),
        "zi": Jvp(_state_in_state),
    },
    batch=_state_batch(lambda: state),
    samples=output.samples,
)


@composite(signal.lfilter, cost="is differentiated by two further filters")
def filtered(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A digital filter along an axis: from rest, or from a state, with the one that it ends in."""
    b, a = (np.atleast_1d(array_of(each)) for each in (b, a))
    x = array_of(x)
    if np.ndim(b) != 1 or np.ndim(a) != 1:
        raise ValueError("scipy.signal.lfilter takes coefficients of one axis")
    axis = one_axis(axis, np.ndim(x))
    if zi is None:
        return lfilter(b, a, x, axis=axis)
    zi = array_of(zi)
    shape = _at(np.shape(x), axis, max(np.shape(a)[0], np.shape(b)[0]) - 1)
    fits = [own in (1, extent) for own, extent in zip(np.shape(zi), shape, strict=False)]
    if np.ndim(zi) != len(shape) or not all(fits):
        raise ValueError(f"Unexpected shape for zi: expected {shape}, found {np.shape(zi)}.")
    if not np.size(x):
        raise NotImplementedError("scipy.signal.lfilter of an empty signal is not traced")
    zi = zi if np.shape(zi) == shape else np.broadcast_to(zi, shape)
    dtype = np.result_type(b, a, x, zi, np.float32)
    operands = [each.astype(dtype) for each in (b, a, x, zi)]
    return output(*operands, axis=axis), state(*operands, axis=axis)


@composite(signal.lfilter_zi)
def steady_state(b: Any, a: Any) -> Any:
    """The state of a filter whose input has always been 1."""
    b, a = (_floats(np.atleast_1d(array_of(each))) for each in (b, a))
    count = max(np.shape(a)[0], np.shape(b)[0])
    b, a = (np.concatenate([each, np.zeros(count - np.shape(each)[0])]) for each in (b, a))
    b, a = b / a[0], a / a[0]
    rest = b[1:] - a[1:] * b[0]
    before = np.cumsum(rest) - rest
    return np.cumsum(a)[:-1] * (np.sum(rest) / np.sum(a)) - before


# ---------------------------------------------------------------------------- in sections


def _sections(sos: Any) -> list[tuple[Any, Any]]:
    return [(sos[i, :3], sos[i, 3:]) for i in range(np.shape(sos)[0])]


def _moved_sections(y: Any, sos: Any, x: Any, sos_dot: Any, axis: int) -> Any:
    moved: Any = None
    for (b, a), (b_dot, a_dot) in zip(_sections(sos), _sections(sos_dot), strict=True):
        after = lfilter(b, a, x, axis=axis)
        own = lfilter(b_dot, a, x, axis=axis) - lfilter(a_dot, a, after, axis=axis)
        moved = own if moved is None else own + lfilter(b, a, moved, axis=axis)
        x = after
    return moved


def _sosfilt(sos: Any, x: Any, axis: int) -> Any:
    """SciPy's sosfilt, also where a[0] is not 1, as it is near to where it is called."""
    return signal.sosfilt(sos / sos[:, 3:4] if np.any(sos[:, 3] != 1) else sos, x, axis=axis)


def _sosfilt_backwards(y_bar: Any, sos: Any, x: Any, axis: int) -> Any:
    return np.flip(sosfilt(sos, np.flip(y_bar, axis), axis=axis), axis)


sosfilt = _filter(
    signal.sosfilt,
    "sos x",
    {"sos": Jvp(_moved_sections), "x": Transpose(_sosfilt_backwards)},
    Samples(
        0.1,
        0.4,
        cases=(
            case("f[2,6]:sections", "f[5]", axis=0),
            case("f[1,6]:sections", "f[2,4]", axis=1),
            case("f[2,6]:sections", "f[3,2]", axis=0),
        ),
    ),
    reference=_sosfilt,
)


def _check_sections(sos: Any) -> Any:
    sos = np.atleast_2d(array_of(sos))
    if np.ndim(sos) != 2 or np.shape(sos)[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    return sos


@composite(signal.sosfilt)
def filtered_in_sections(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A filter of second-order sections: from rest, or from a state, with the one it ends in."""
    sos, x = _check_sections(sos), array_of(x)
    axis = one_axis(axis, np.ndim(x))
    if zi is None:
        return sosfilt(sos, x, axis=axis)
    zi = array_of(zi)
    shape = (np.shape(sos)[0], *_at(np.shape(x), axis, 2))
    if np.shape(zi) != shape:
        raise ValueError(f"Invalid zi shape: expected {shape}, got {np.shape(zi)}.")
    states = []
    for i, (b, a) in enumerate(_sections(sos)):
        x, after = filtered(b, a, x, axis, zi[i])
        states.append(after)
    return x, np.stack(states)


@composite(signal.sosfilt_zi)
def steady_sections(sos: Any) -> Any:
    """The states of sections whose first input has always been 1."""
    states, level = [], 1.0
    for b, a in _sections(_floats(_check_sections(sos))):
        states.append(level * steady_state(b, a))
        level = level * (np.sum(b) / np.sum(a))
    return np.stack(states)


# ---------------------------------------------------------------------------- forwards and back


def _extended(x: Any, axis: int, padtype: str | None, edge: int) -> Any:
    """A signal that goes on at both ends, turned about them."""
    if not edge:
        return x
    count = np.shape(x)[axis]
    left, right = x[_along(axis, 0, 1)], x[_along(axis, count - 1, count)]
    if padtype == "constant":
        return np.concatenate([*[left] * edge, x, *[right] * edge], axis)
    before = np.flip(x[_along(axis, 1, edge + 1)], axis)
    after = np.flip(x[_along(axis, count - edge - 1, count - 1)], axis)
    if padtype == "odd":
        before, after = 2 * left - before, 2 * right - after
    return np.concatenate([before, x, after], axis)


def _both_ways(
    run: Callable[[Any], Any], gain: Any, x: Any, axis: int, padtype: str | None, edge: int
) -> Any:
    """A filter forwards and then back, each time as if its input had always been the first."""
    x = _extended(x, axis, padtype, edge)
    for _ in range(2):
        first = x[_along(axis, 0, 1)]
        x = np.flip(run(x - first) + gain * first, axis)
    return x[_along(axis, edge, np.shape(x)[axis] - edge)]


def _filtfilt_tangent(
    y: Any, b: Any, a: Any, x: Any, x_dot: Any, axis: int, padtype: Any, padlen: Any, edge: int
) -> Any:
    gain = np.sum(b) / np.sum(a)
    return _both_ways(lambda x: lfilter(b, a, x, axis=axis), gain, x_dot, axis, padtype, edge)


def _sosfiltfilt_tangent(
    y: Any, sos: Any, x: Any, x_dot: Any, axis: int, padtype: Any, padlen: Any, edge: int
) -> Any:
    gain = np.prod(np.sum(sos[:, :3], axis=1) / np.sum(sos[:, 3:], axis=1))
    return _both_ways(lambda x: sosfilt(sos, x, axis=axis), gain, x_dot, axis, padtype, edge)


def _coefficients(name: str) -> Refused:
    return Refused(f"scipy.signal.{name} is not differentiated in the coefficients of the filter")


filtfilt = _filter(
    signal.filtfilt,
    "b a x",
    {
        "b": _coefficients("filtfilt"),
        "a": _coefficients("filtfilt"),
        "x": Jvp(_filtfilt_tangent),
    },
    Samples(
        cases=(
            case("f[3]:positive", "f[2]:dominant", "f[5]", axis=0, padtype="odd", padlen=2, edge=2),
            case("f[2]:positive", "f[3]:dominant", "f[2,4]", axis=1, padtype="even", padlen=3,
                 edge=3),
            case("f[2]:positive", "f[3]:dominant", "f[4]", axis=0, padtype=None, padlen=None,
                 edge=0),
        )
    ),
    hidden=("edge",),
)
sosfiltfilt = _filter(
    signal.sosfiltfilt,
    "sos x",
    {"sos": _coefficients("sosfiltfilt"), "x": Jvp(_sosfiltfilt_tangent)},
    Samples(
        0.1,
        0.4,
        cases=(
            case("f[2,6]:sections", "f[5]", axis=0, padtype="constant", padlen=3, edge=3),
            case("f[1,6]:sections", "f[2,4]", axis=1, padtype="odd", padlen=2, edge=2),
        ),
    ),
    hidden=("edge",),
)


def _edge(x: Any, axis: int, padtype: Any, padlen: Any, taps: int) -> int:
    """By how much a signal is extended at each end. Raises ValueError where it is too short."""
    if padtype not in ("even", "odd", "constant", None):
        raise ValueError(f"Unknown value {padtype!r} given to padtype. padtype must be 'even', "
                         "'odd', 'constant', or None.")
    edge = 0 if padtype is None else 3 * taps if padlen is None else int(padlen)
    if np.shape(x)[axis] <= edge:
        raise ValueError(f"The length of the input vector x must be greater than padlen, "
                         f"which is {edge}.")
    return edge


@composite(signal.filtfilt)
def filtered_both_ways(
    b: Any, a: Any, x: Any, axis: int = -1, padtype: Any = "odd", padlen: Any = None,
    method: str = "pad", irlen: Any = None,
) -> Any:  # fmt: skip
    """A filter forwards and then back, over a signal that is extended at both ends."""
    if method != "pad":
        raise NotImplementedError('scipy.signal.filtfilt is traced with method="pad" only')
    b, a = (np.atleast_1d(array_of(each)) for each in (b, a))
    x, taps = _floats(x), max(np.shape(a)[0], np.shape(b)[0])
    axis = one_axis(axis, np.ndim(x))
    edge = _edge(x, axis, padtype, padlen, taps)
    return filtfilt(b, a, x, axis=axis, padtype=padtype, padlen=padlen, edge=edge)


@composite(signal.sosfiltfilt)
def sections_both_ways(
    sos: Any, x: Any, axis: int = -1, padtype: Any = "odd", padlen: Any = None
) -> Any:
    """Sections forwards and then back, over a signal that is extended at both ends."""
    sos, x = _check_sections(sos), _floats(x)
    axis = one_axis(axis, np.ndim(x))
    taps = 2 * np.shape(sos)[0] + 1
    if padtype is not None and padlen is None:
        taps -= min(int(np.sum(sos[:, i] == 0)) for i in (2, 5))
    edge = _edge(x, axis, padtype, padlen, taps)
    return sosfiltfilt(sos, x, axis=axis, padtype=padtype, padlen=padlen, edge=edge)


@composite(signal.decimate)
def decimate(
    x: Any, q: Any, n: Any = None, ftype: Any = "iir", axis: int = -1, zero_phase: bool = True
) -> Any:
    """Every q-th sample of a signal, after a filter."""
    if ftype != "iir":
        raise NotImplementedError('scipy.signal.decimate is traced with ftype="iir" only')
    x, q = _floats(x), operator.index(q)
    axis = one_axis(axis, np.ndim(x))
    sos = signal.cheby1(8 if n is None else n, 0.05, 0.8 / q, output="sos").astype(x.dtype)
    y = sections_both_ways(sos, x, axis) if zero_phase else sosfilt(sos, x, axis=axis)
    return y[(*(slice(None),) * axis, slice(None, None, q))]


# ---------------------------------------------------------------------------- smoothing

_PADDING = {"mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


def _smoothed_tangent(
    y: Any, x: Any, x_dot: Any, window_length: int, polyorder: int, deriv: int, delta: float,
    axis: int, mode: str, cval: float,
) -> Any:  # fmt: skip
    half = window_length // 2
    order = polyorder, deriv, delta
    weights = signal.savgol_coeffs(window_length, *order, use="dot").astype(x.dtype)
    rows = np.moveaxis(x_dot, axis, -1)
    if mode != "interp":
        around = [(0, 0)] * (np.ndim(x) - 1) + [(window_length - 1 - half, half)]
        rows = np.pad(rows, around, mode=_PADDING[mode])  # type: ignore[call-overload]
    last = np.ndim(x) - 1
    middle = lfilter(np.flip(weights), np.ones(1, x.dtype), rows, axis=last)
    middle = middle[..., window_length - 1 :]
    if mode != "interp":
        return np.moveaxis(middle, -1, axis)
    middle = middle[..., 1 - window_length % 2 :]  # the middle of an even window is its later one
    fits = signal.savgol_filter(np.eye(window_length), window_length, *order, axis=0)
    fits = fits.T.astype(x.dtype)
    left = rows[..., :window_length] @ fits[:, :half]
    right = rows[..., -window_length:] @ fits[:, window_length - half :]
    return np.moveaxis(np.concatenate([left, middle, right], -1), -1, axis)


savgol_filter = _filter(
    signal.savgol_filter,
    "x",
    {"x": Jvp(_smoothed_tangent)},
    Samples(
        cases=tuple(
            case(spec, window_length=length, polyorder=2, deriv=deriv, delta=0.5, axis=axis,
                 mode=mode, cval=0.0)
            for spec, length, deriv, axis, mode in (
                ("f[7]", 5, 0, 0, "interp"), ("f[2,6]", 3, 1, 1, "mirror"),
                ("f[5,2]", 5, 0, 0, "nearest"), ("f[6]", 4, 0, 0, "interp"),
                ("f[6]", 5, 1, 0, "constant"), ("f[6]", 3, 0, 0, "wrap"),
                ("f[6]", 4, 1, 0, "nearest"),
            )
        )
    ),
)


@composite(signal.savgol_filter)
def smoothed(
    x: Any, window_length: Any, polyorder: Any, deriv: Any = 0, delta: Any = 1.0, axis: int = -1,
    mode: str = "interp", cval: Any = 0.0,
) -> Any:  # fmt: skip
    """At each place the polynomial that is nearest to a window of the signal, or a derivative."""
    x = _floats(x)
    if x.dtype.kind == "c":
        raise NotImplementedError("scipy.signal.savgol_filter of a complex signal is not traced")
    axis = one_axis(axis, np.ndim(x))
    window_length = operator.index(window_length)
    if mode == "interp" and window_length > np.shape(x)[axis]:
        raise ValueError("If mode is 'interp', window_length must be less than or equal to the "
                         "size of x.")
    return savgol_filter(
        x, window_length=window_length, polyorder=operator.index(polyorder),
        deriv=operator.index(deriv), delta=float(delta), axis=axis, mode=mode, cval=float(cval),
    )  # fmt: skip


@composite(signal.medfilt)
def medfilt(volume: Any, kernel_size: Any = None) -> Any:
    """The median of a window around each place, with zeros around the array."""
    x = np.atleast_1d(array_of(volume))
    sizes = np.broadcast_to(3 if kernel_size is None else kernel_size, np.ndim(x)).tolist()
    if not all(each % 2 for each in sizes):
        raise ValueError("Each element of kernel_size should be odd.")
    if 0 in np.shape(x):
        return x.copy()
    padded = np.pad(x, [(each // 2, each // 2) for each in sizes])
    windows = sliding_window_view(padded, tuple(sizes))
    return np.median(windows, axis=tuple(range(np.ndim(x), 2 * np.ndim(x)))).astype(x.dtype)


# ---------------------------------------------------------------------------- by Fourier transforms


def _analytic_tangent(y: Any, x: Any, x_dot: Any, N: Any, axis: int) -> Any:
    extent = np.shape(x)[axis] if N is None else N
    factors = np.zeros(extent)
    factors[0] = 1
    factors[1 : (extent + 1) // 2] = 2
    if extent % 2 == 0:
        factors[extent // 2] = 1
    spectrum = np.moveaxis(np.fft.fft(x_dot, extent, axis), axis, -1)
    return np.moveaxis(np.fft.ifft(spectrum * factors.astype(x.dtype)), -1, axis)


hilbert = _filter(
    signal.hilbert,
    "x",
    {"x": Jvp(_analytic_tangent)},
    Samples(
        cases=(
            case("f[5]", N=None, axis=0),
            case("f[4,2]", N=None, axis=0),
            case("f[2,3]", N=4, axis=1),
            case("f[6]", N=3, axis=0),
        )
    ),
    extent=lambda n, N: n if N is None else N,
    dtype=np.complex64,
)


@composite(signal.hilbert)
def analytic(x: Any, N: Any = None, axis: int = -1) -> Any:
    """A real signal and, as imaginary part, its Hilbert transform."""
    x = _floats(x)
    if x.dtype.kind == "c":
        raise ValueError("x must be real.")
    N = None if N is None else operator.index(N)
    if N is not None and N <= 0:
        raise ValueError("N must be positive.")
    return hilbert(x, N=N, axis=one_axis(axis, np.ndim(x)))


def _resampled_tangent(y: Any, x: Any, x_dot: Any, num: int, axis: int) -> Any:
    extent = np.shape(x)[axis]
    common = min(num, extent)
    rows = np.moveaxis(x_dot, axis, -1)
    spectrum = np.fft.rfft(rows)[..., : common // 2 + 1]
    factors = np.full(common // 2 + 1, num / extent)
    if common % 2 == 0 and num != extent:  # one bin for two, or the other way round
        factors[-1] *= 2 if num < extent else 0.5
    made = np.fft.irfft(spectrum * factors.astype(x.dtype), num)
    return np.moveaxis(made, -1, axis)


resample = _filter(
    signal.resample,
    "x",
    {"x": Jvp(_resampled_tangent)},
    Samples(
        cases=tuple(
            case(spec, num=num, axis=axis)
            for spec, num, axis in (
                ("f[5]", 8, 0), ("f[6]", 4, 0), ("f[6,2]", 3, 0), ("f[2,4]", 4, 1), ("f[4]", 7, 0),
            )
        )
    ),
    extent=lambda n, num: num,
)


@composite(signal.resample)
def resampled(
    x: Any, num: Any, t: Any = None, axis: int = 0, window: Any = None, domain: str = "time"
) -> Any:
    """A periodic signal at as many points, by its Fourier series."""
    x = _floats(x)
    if t is not None or window is not None or domain != "time" or x.dtype.kind == "c":
        raise NotImplementedError(
            "scipy.signal.resample is traced of real signals, without t=, window= and domain="
        )
    return resample(x, num=operator.index(num), axis=one_axis(axis, np.ndim(x)))
